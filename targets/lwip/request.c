#include "request.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arguments.h"
#include "link.h"
#include "lwip/init.h"
#include "octets.h"
#include "operation.h"
#include "options.h"
#include "stack.h"

enum { VERSION = 1, BACKLOG = 8, MOST_BACKLOG = 0x7fffffff, LONGEST_ADVANCE = 1000000, SECOND = 1000000000 };

static const json_int_t MOST_OCTETS = INT64_MAX / 4;

static struct answer wrong(int error, const char *detail)
{
    return (struct answer){.error = error, .detail = detail};
}

static struct answer done(void)
{
    return (struct answer){.ok = json_object()};
}

/* ---------------------------------------------------------------- OPEN */

/* A control block with the request's options, bound to a local address and port. */
static struct tcp_pcb *new_bound(const json_t *request, const char *address_name, const char *port_name,
                                 json_t **options, json_int_t *family, struct answer *answer)
{
    json_int_t port = 0;
    const char *text;
    ip_addr_t address;
    struct tcp_pcb *pcb;
    int error;

    if (!argument_number(request, "family", INT32_MIN, INT32_MAX, family, answer))
        return NULL;
    if (*family != 4 && *family != 6) {
        *answer = wrong(EAFNOSUPPORT, "family: 4 or 6");
        return NULL;
    }
    if (!argument_optional_text(request, address_name, &text, answer) ||
        !argument_address(text, *family, &address, answer) ||
        !argument_optional(request, port_name, 0, UINT16_MAX, &port, answer) ||
        !argument_options(request, options, answer))
        return NULL;
    pcb = tcp_new_ip_type(*family == 6 ? IPADDR_TYPE_V6 : IPADDR_TYPE_V4);
    if (pcb == NULL) {
        *answer = wrong(ENOBUFS, NULL);
        return NULL;
    }
    ip_set_option(pcb, SOF_REUSEADDR);
    error = options_set_all(pcb, *options);
    if (error == 0)
        error = err_to_errno(tcp_bind(pcb, &address, (u16_t)port));
    if (error == 0)
        return pcb;
    *answer = wrong(error, NULL);
    tcp_abort(pcb);
    return NULL;
}

static struct answer op_listen(json_t *request)
{
    json_int_t backlog = BACKLOG, family;
    const char *address;
    struct answer answer;
    struct handle *handle;
    struct tcp_pcb *pcb;
    json_t *options;
    int error;

    if (!argument_text(request, "address", &address, &answer) ||
        !argument_optional(request, "backlog", 0, MOST_BACKLOG, &backlog, &answer))
        return answer;
    pcb = new_bound(request, "address", "port", &options, &family, &answer);
    if (pcb == NULL)
        return answer;
    error = handle_listen(pcb, backlog < UINT8_MAX ? (int)backlog : UINT8_MAX, options, &handle);
    if (error != 0) {
        tcp_abort(pcb);
        return wrong(error, NULL);
    }
    return answered(
        json_pack("{s:I, s:i}", "handle", (json_int_t)handle->number, "port", (int)handle->port));
}

static struct operation *new_operation(const struct operation_kind *kind, struct handle *handle,
                                       const json_t *request, int64_t deadline)
{
    struct operation *operation = allocate(sizeof *operation);

    operation->kind = kind;
    operation->handle = handle;
    operation->id = json_incref(json_object_get(request, "id"));
    operation->deadline = deadline;
    return operation;
}

static struct answer start(struct operation *operation)
{
    operation_start(operation);
    return (struct answer){0};
}

static struct answer op_connect(json_t *request)
{
    const json_t *timeout = json_object_get(request, "timeout");
    bool at_once = json_is_number(timeout) && json_number_value(timeout) == 0;
    json_int_t port, family;
    struct answer answer;
    struct handle *handle;
    struct tcp_pcb *pcb;
    ip_addr_t address;
    const char *text;
    json_t *options;
    int64_t deadline;
    int error;

    if (!argument_deadline(request, &deadline, &answer) ||
        !argument_text(request, "address", &text, &answer) ||
        !argument_number(request, "port", 1, UINT16_MAX, &port, &answer))
        return answer;
    pcb = new_bound(request, "from_address", "from_port", &options, &family, &answer);
    if (pcb == NULL)
        return answer;
    if (!argument_address(text, family, &address, &answer)) {
        tcp_abort(pcb);
        return answer;
    }
    handle = handle_new(pcb);
    handle_publish(handle);
    error = handle_connect(handle, &address, (u16_t)port);
    if (error != 0) {
        handle_forget(handle, false);
        return wrong(error, NULL);
    }
    if (!at_once)
        return start(new_operation(&CONNECT, handle, request, deadline));
    return answered(json_pack("{s:I, s:i, s:b}", "handle", (json_int_t)handle->number, "port",
                              (int)handle->port, "connected", 0));
}

static struct answer op_accept(json_t *request)
{
    struct answer answer;
    struct handle *handle;
    int64_t deadline;

    if (!argument_handle(request, &handle, &answer) || !argument_deadline(request, &deadline, &answer))
        return answer;
    if (!handle->listener)
        return wrong(EINVAL, "not a listener");
    return start(new_operation(&ACCEPT, handle, request, deadline));
}

/* ---------------------------------------------------------------- SEND, RECEIVE */

static bool what_to_send(const json_t *request, struct operation *operation, struct answer *answer)
{
    const json_t *data = json_object_get(request, "data");
    json_int_t size, offset = 0, key = 0;

    if (data != NULL) {
        if (!json_is_string(data) ||
            !base64_decode(json_string_value(data), json_string_length(data), &operation->data)) {
            *answer = wrong(EINVAL, "data must be base64");
            return false;
        }
        operation->wanted = buffer_length(&operation->data);
        return true;
    }
    if (!argument_number(request, "size", 0, MOST_OCTETS, &size, answer) ||
        !argument_optional(request, "offset", 0, MOST_OCTETS, &offset, answer) ||
        !argument_optional(request, "key", 0, MOST_OCTETS, &key, answer))
        return false;
    operation->patterned = true;
    operation->wanted = (uint64_t)size;
    operation->first = (uint64_t)(offset + key);
    return true;
}

static struct answer op_send(json_t *request)
{
    struct operation *operation;
    struct answer answer;
    struct handle *handle;
    int64_t deadline;

    if (!argument_handle(request, &handle, &answer) || !argument_deadline(request, &deadline, &answer))
        return answer;
    if (handle->listener)
        return wrong(ENOTCONN, "a listener");
    if (json_is_true(json_object_get(request, "urgent")))
        return wrong(EOPNOTSUPP, "lwIP cannot send urgent data");
    operation = new_operation(&SEND, handle, request, deadline);
    if (what_to_send(request, operation, &answer))
        return start(operation);
    json_decref(operation->id);
    buffer_free(&operation->data);
    free(operation);
    return answer;
}

static struct answer op_receive(json_t *request)
{
    struct operation *operation;
    struct answer answer;
    struct handle *handle;
    json_int_t count;
    int64_t deadline;

    if (!argument_handle(request, &handle, &answer) || !argument_deadline(request, &deadline, &answer) ||
        !argument_number(request, "count", 0, MOST_OCTETS, &count, &answer))
        return answer;
    if (handle->listener)
        return wrong(ENOTCONN, "a listener");
    operation = new_operation(&RECEIVE, handle, request, deadline);
    operation->wanted = (uint64_t)count;
    operation->peek = json_is_true(json_object_get(request, "peek"));
    return start(operation);
}

/* ---------------------------------------------------------------- CLOSE, ABORT, STATUS and the rest */

static struct answer op_close(json_t *request)
{
    const char *how = "half-duplex";
    struct answer answer;
    struct handle *handle;
    bool write, abort;

    if (!argument_handle(request, &handle, &answer))
        return answer;
    if (json_object_get(request, "how") != NULL && !argument_text(request, "how", &how, &answer))
        return answer;
    write = strcmp(how, "write") == 0;
    abort = strcmp(how, "abort") == 0;
    if (!write && !abort && strcmp(how, "half-duplex") != 0)
        return wrong(EINVAL, "how: write, half-duplex or abort");
    if (write && !handle->listener) {
        int error = handle_close_write(handle);

        return error != 0 ? wrong(error, NULL) : done();
    }
    operations_forget(handle, abort);
    return done();
}

static struct answer op_set_option(json_t *request)
{
    json_t *value = json_object_get(request, "value");
    struct answer answer;
    struct handle *handle;
    struct tcp_pcb *pcb;
    const char *name;
    int error;

    if (!argument_handle(request, &handle, &answer) || !argument_text(request, "name", &name, &answer))
        return answer;
    pcb = handle_pcb(handle);
    if (pcb == NULL)
        return wrong(ENOTCONN, NULL);
    error = option_set(pcb, name, value);
    if (error != 0)
        return wrong(error, error == ENOPROTOOPT ? "lwIP has no such option" : "not a value of this option");
    if (handle->listener) {
        if (handle->options == NULL)
            handle->options = json_object();
        json_object_set(handle->options, name, value);
    }
    return done();
}

static struct answer op_state(json_t *request)
{
    ip_addr_t local, remote;
    u16_t local_port, remote_port;
    struct answer answer;

    if (!argument_endpoint(request, "local", &local, &local_port, &answer) ||
        !argument_endpoint(request, "remote", &remote, &remote_port, &answer))
        return answer;
    return answered(json_pack("{s:s}", "state", stack_state(&local, local_port, &remote, remote_port)));
}

static struct answer op_release(json_t *request)
{
    const json_t *number = json_object_get(request, "handle");
    struct answer answer;
    struct handle *handle;

    if (number != NULL && !json_is_null(number)) {
        if (!argument_handle(request, &handle, &answer))
            return answer;
        operations_forget(handle, true);
        return done();
    }
    operations_forget_all();
    return done();
}

/* What the tester has yet to hear of, or has heard. */
static unsigned long output(void)
{
    return link_sent() + channel_replies();
}

static int64_t least(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* Let at most so many nanoseconds pass, but none beyond the first output; how many they were. */
static int64_t advance(int64_t most)
{
    static unsigned long heard;
    static bool stopped;
    int64_t passed = 0, step = 0;

    if (!stopped)
        heard = output();
    stopped = true;
    clock_stop();
    do {
        clock_turn(step);
        passed += step;
        while (stack_run(true))
            ;
        operations_run();
        step = least(least(stack_patience(), operations_patience()), most - passed);
    } while (output() == heard && passed < most);
    heard = output() + 1; /* with the reply to this */
    return passed;
}

static struct answer op_advance(json_t *request)
{
    const json_t *seconds = json_object_get(request, "seconds");
    double value = json_number_value(seconds);

    if (!json_is_number(seconds) || !(value >= 0 && value <= LONGEST_ADVANCE))
        return wrong(EINVAL, "seconds must be a number, not negative");
    return answered(json_pack("{s:f}", "passed", (double)advance(llround(value * SECOND)) / SECOND));
}

static struct answer op_hello(json_t *request);

static const struct {
    const char *name;
    struct answer (*serve)(json_t *request);
} OPERATIONS[] = {
    {"accept", op_accept},   {"advance", op_advance}, {"close", op_close},     {"connect", op_connect},
    {"hello", op_hello},     {"listen", op_listen},   {"receive", op_receive}, {"release", op_release},
    {"send", op_send},       {"set_option", op_set_option}, {"state", op_state},
};

static struct answer op_hello(json_t *request)
{
    json_t *names = json_array();

    (void)request;
    for (unsigned i = 0; i < LWIP_ARRAYSIZE(OPERATIONS); i++)
        json_array_append_new(names, json_string(OPERATIONS[i].name));
    return answered(json_pack("{s:i, s:s, s:o, s:[s]}", "agent", VERSION, "system",
                              "lwIP " LWIP_VERSION_STRING, "ops", names, "probes", "state"));
}

/* ---------------------------------------------------------------- a line */

static bool empty(const char *line, size_t length)
{
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    return length == 0;
}

static struct answer serve(json_t *request)
{
    const char *op = json_string_value(json_object_get(request, "op"));

    if (op == NULL || json_object_get(request, "id") == NULL)
        return wrong(EPROTO, "a request has an id and an op");
    for (unsigned i = 0; i < LWIP_ARRAYSIZE(OPERATIONS); i++) {
        if (strcmp(op, OPERATIONS[i].name) == 0)
            return OPERATIONS[i].serve(request);
    }
    return wrong(ENOSYS, "no such operation");
}

void request_serve(const char *line, size_t length)
{
    json_error_t error;
    json_t *request, *id;
    struct answer answer;

    if (empty(line, length))
        return;
    request = json_loadb(line, length, 0, &error);
    answer = request != NULL ? serve(request) : wrong(EPROTO, error.text);
    id = json_object_get(request, "id");
    if (answer.ok != NULL || answer.error != 0)
        channel_reply(id != NULL ? id : json_null(), answer);
    json_decref(request);
}
