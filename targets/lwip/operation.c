#include "operation.h"

#include <errno.h>
#include <stdlib.h>

#include "octets.h"
#include "stack.h"

enum { CHUNK = 1 << 16 };

struct operation_kind {
    enum direction direction;
    struct answer (*attempt)(struct operation *operation);
    struct answer (*expire)(struct operation *operation);
    bool fatal; /* without success there is no handle */
};

static const struct answer NOT_YET = {0};
static struct operations all = TAILQ_HEAD_INITIALIZER(all);

static struct answer failure(int error)
{
    return (struct answer){.error = error};
}

/* What the connection died of; nothing, if it is alive. */
static struct answer fate(struct handle *handle)
{
    handle->told = handle->error != 0;
    return failure(handle->error);
}

static struct answer out_of_time(struct operation *operation)
{
    (void)operation;
    return failure(ETIMEDOUT);
}

static struct answer accept_attempt(struct operation *operation)
{
    struct handle *listener = operation->handle, *handle = STAILQ_FIRST(&listener->established);

    if (handle == NULL)
        return NOT_YET;
    STAILQ_REMOVE_HEAD(&listener->established, next);
    handle_publish(handle);
    return answered(json_pack("{s:I, s:[s, i]}", "handle", (json_int_t)handle->number, "peer",
                              handle->peer, (int)handle->peer_port));
}

static struct answer connect_attempt(struct operation *operation)
{
    struct handle *handle = operation->handle;

    if (handle->connected)
        return answered(json_pack("{s:I, s:i, s:b}", "handle", (json_int_t)handle->number, "port",
                                  (int)handle->port, "connected", 1));
    return fate(handle);
}

static struct answer sent(struct operation *operation)
{
    return answered(json_pack("{s:I}", "count", (json_int_t)operation->done));
}

static struct answer send_attempt(struct operation *operation)
{
    static unsigned char chunk[CHUNK];
    struct handle *handle = operation->handle;

    if (handle->error != 0 || !handle->connected)
        return fate(handle);
    while (operation->done < operation->wanted) {
        uint64_t left = operation->wanted - operation->done;
        size_t count = left < CHUNK ? left : CHUNK, taken;
        const unsigned char *octets = chunk;
        int error;

        if (operation->patterned)
            pattern_fill(chunk, count, operation->first + operation->done);
        else
            octets = buffer_front(&operation->data);
        error = handle_send(handle, octets, count, left > count, &taken);
        if (error != 0)
            return failure(error);
        if (taken == 0)
            return NOT_YET;
        operation->done += taken;
        if (!operation->patterned)
            buffer_consume(&operation->data, taken);
    }
    return sent(operation);
}

static struct answer received(const unsigned char *octets, size_t count, bool ended)
{
    char *text = base64_encode(octets, count);
    struct answer answer = answered(json_pack("{s:s, s:b}", "data", text, "eof", ended));

    free(text);
    return answer;
}

static struct answer look(struct operation *operation, bool expired)
{
    struct handle *handle = operation->handle;
    size_t length = buffer_length(&handle->received);
    bool enough = length >= operation->wanted;
    size_t count = enough ? operation->wanted : length;

    if (enough || (length > 0 && (expired || handle->error != 0)))
        return received(buffer_front(&handle->received), count, false);
    if (handle->error != 0)
        return fate(handle);
    if (handle->ended)
        return received(buffer_front(&handle->received), count, true);
    return expired ? failure(ETIMEDOUT) : NOT_YET;
}

static struct answer receive_attempt(struct operation *operation)
{
    struct handle *handle = operation->handle;
    struct buffer *data = &operation->data;
    size_t left = operation->wanted - buffer_length(data), there = buffer_length(&handle->received);
    size_t count = there < left ? there : left;

    if (!handle->connected)
        return fate(handle);
    if (operation->peek)
        return look(operation, false);
    /* Never more than asked for: what is not taken keeps the window closed. */
    buffer_append(data, buffer_front(&handle->received), count);
    handle_take(handle, count);
    if (count == left || (handle->error != 0 && buffer_length(data) > 0))
        return received(buffer_front(data), buffer_length(data), false);
    if (handle->error != 0)
        return fate(handle);
    return handle->ended ? received(buffer_front(data), buffer_length(data), true) : NOT_YET;
}

static struct answer receive_expire(struct operation *operation)
{
    struct buffer *data = &operation->data;

    if (operation->peek)
        return look(operation, true);
    if (buffer_length(data) == 0)
        return failure(ETIMEDOUT);
    return received(buffer_front(data), buffer_length(data), false);
}

const struct operation_kind ACCEPT = {READING, accept_attempt, out_of_time, false};
const struct operation_kind CONNECT = {WRITING, connect_attempt, out_of_time, true};
const struct operation_kind SEND = {WRITING, send_attempt, sent, false};
const struct operation_kind RECEIVE = {READING, receive_attempt, receive_expire, false};

/* ---------------------------------------------------------------- how they wait */

static void end(struct operation *operation)
{
    TAILQ_REMOVE(&operation->handle->waiting[operation->kind->direction], operation, next);
    TAILQ_REMOVE(&all, operation, other);
    json_decref(operation->id);
    buffer_free(&operation->data);
    free(operation);
}

/* Answer, if there is an answer; false if the operation goes on waiting. */
static bool conclude(struct operation *operation, struct answer answer)
{
    struct handle *lost = operation->kind->fatal && answer.error != 0 ? operation->handle : NULL;

    if (answer.ok == NULL && answer.error == 0)
        return false;
    channel_reply(operation->id, answer);
    end(operation);
    if (lost != NULL)
        operations_forget(lost, true);
    return true;
}

static void progress(struct handle *handle)
{
    long number = handle->number;

    for (int direction = 0; direction < DIRECTIONS; direction++) {
        struct operation *first;

        while (handle_find(number) != NULL && (first = TAILQ_FIRST(&handle->waiting[direction])) != NULL) {
            if (!conclude(first, first->kind->attempt(first)))
                break;
        }
    }
    /* All that waited have heard of it; to the next there is no connection (RFC 9293 3.10.2). */
    if (handle_find(number) != NULL && handle->told)
        handle->error = ENOTCONN;
}

void operation_start(struct operation *operation)
{
    struct handle *handle = operation->handle;

    TAILQ_INSERT_TAIL(&handle->waiting[operation->kind->direction], operation, next);
    TAILQ_INSERT_TAIL(&all, operation, other);
    progress(handle);
}

int64_t operations_patience(void)
{
    int64_t first = INT64_MAX;
    struct operation *operation;

    TAILQ_FOREACH(operation, &all, other)
    {
        if (operation->deadline < first)
            first = operation->deadline;
    }
    return first == INT64_MAX ? first : first > clock_now() ? first - clock_now() : 0;
}

static struct operation *overdue(void)
{
    int64_t now = clock_now();
    struct operation *operation;

    TAILQ_FOREACH(operation, &all, other)
    {
        if (operation->deadline <= now)
            return operation;
    }
    return NULL;
}

void operations_run(void)
{
    struct handle *handle;
    struct operation *operation;

    while ((handle = handle_changed()) != NULL)
        progress(handle);
    while ((operation = overdue()) != NULL) {
        struct handle *owner = operation->handle;

        if (!operation->late) { /* what came at the last moment counts */
            operation->late = true;
            progress(owner);
        } else {
            conclude(operation, operation->kind->expire(operation));
        }
    }
}

void operations_forget(struct handle *handle, bool abort)
{
    const struct answer canceled = {.error = ECANCELED, .detail = "closed meanwhile"};

    for (int direction = 0; direction < DIRECTIONS; direction++) {
        struct operation *operation;

        while ((operation = TAILQ_FIRST(&handle->waiting[direction])) != NULL) {
            channel_reply(operation->id, canceled);
            end(operation);
        }
    }
    handle_forget(handle, abort);
}

void operations_forget_all(void)
{
    struct handle *handle;

    for (long i = 1; i <= handle_last(); i++) {
        if ((handle = handle_find(i)) != NULL)
            operations_forget(handle, true);
    }
}
