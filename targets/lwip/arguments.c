#include "arguments.h"

#include <errno.h>

#include "stack.h"

static const double NANOSECONDS = 1e9, LONGEST = 1e9, DEFAULT_TIMEOUT = 1.0;

static bool wrong(struct answer *answer, int error, const char *detail)
{
    *answer = (struct answer){.error = error, .detail = detail};
    return false;
}

static bool present(const json_t *request, const char *name)
{
    const json_t *value = json_object_get(request, name);

    return value != NULL && !json_is_null(value);
}

bool argument_number(const json_t *request, const char *name, json_int_t least, json_int_t most,
                     json_int_t *value, struct answer *answer)
{
    const json_t *number = json_object_get(request, name);

    if (!json_is_integer(number))
        return wrong(answer, EINVAL, "a whole number is missing, or something else is in its place");
    *value = json_integer_value(number);
    return (*value >= least && *value <= most) || wrong(answer, EINVAL, "a number is out of range");
}

bool argument_optional(const json_t *request, const char *name, json_int_t least, json_int_t most,
                       json_int_t *value, struct answer *answer)
{
    return !present(request, name) || argument_number(request, name, least, most, value, answer);
}

bool argument_text(const json_t *request, const char *name, const char **value, struct answer *answer)
{
    *value = json_string_value(json_object_get(request, name));
    return *value != NULL || wrong(answer, EINVAL, "a text is missing, or something else is in its place");
}

bool argument_optional_text(const json_t *request, const char *name, const char **value,
                            struct answer *answer)
{
    *value = "";
    return !present(request, name) || argument_text(request, name, value, answer);
}

bool argument_handle(const json_t *request, struct handle **handle, struct answer *answer)
{
    json_int_t number;

    if (!argument_number(request, "handle", INT64_MIN, INT64_MAX, &number, answer))
        return false;
    *handle = handle_find(number);
    return *handle != NULL || wrong(answer, EBADF, "no such handle");
}

bool argument_deadline(const json_t *request, int64_t *deadline, struct answer *answer)
{
    const json_t *timeout = json_object_get(request, "timeout");
    double seconds = timeout == NULL ? DEFAULT_TIMEOUT : json_number_value(timeout);

    if (timeout != NULL && json_is_null(timeout)) {
        *deadline = INT64_MAX;
        return true;
    }
    if ((timeout != NULL && !json_is_number(timeout)) || !(seconds >= 0))
        return wrong(answer, EINVAL, "timeout must be seconds, or null");
    *deadline = clock_now() + (int64_t)((seconds < LONGEST ? seconds : LONGEST) * NANOSECONDS);
    return true;
}

bool argument_address(const char *text, json_int_t family, ip_addr_t *address, struct answer *answer)
{
    if (*text == '\0') {
        *address = family == 6 ? *IP6_ADDR_ANY : *IP4_ADDR_ANY;
        return true;
    }
    if (!ipaddr_aton(text, address))
        return wrong(answer, EINVAL, "not an address");
    return IP_IS_V6(address) == (family == 6) || wrong(answer, EINVAL, "an address of the other family");
}

bool argument_endpoint(const json_t *request, const char *name, ip_addr_t *address, u16_t *port,
                       struct answer *answer)
{
    const json_t *pair = json_object_get(request, name);
    const char *text = json_string_value(json_array_get(pair, 0));
    const json_t *number = json_array_get(pair, 1);

    if (text == NULL || !json_is_integer(number) || json_integer_value(number) < 0 ||
        json_integer_value(number) > UINT16_MAX || !ipaddr_aton(text, address))
        return wrong(answer, EINVAL, "local and remote must be [address, port]");
    *port = (u16_t)json_integer_value(number);
    return true;
}

bool argument_options(const json_t *request, json_t **options, struct answer *answer)
{
    *options = present(request, "options") ? json_object_get(request, "options") : NULL;
    return *options == NULL || json_is_object(*options) || wrong(answer, EINVAL, "options must be an object");
}
