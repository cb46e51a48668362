#include "channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"

enum { CHUNK = 1 << 16, LONGEST_LINE = 64 << 20 };

static struct buffer input, output;
static int source = STDIN_FILENO, sink = -1;
static unsigned long replies;

static void not_blocking(int descriptor)
{
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

void channel_open(void)
{
    /* lwIP prints on stdout before it gives up on a failed assertion. */
    sink = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (sink < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        perror("lwip-agent: stdout");
        exit(1);
    }
    not_blocking(source);
    not_blocking(sink);
}

int channel_input(void)
{
    return source;
}

int channel_output(void)
{
    return sink;
}

bool channel_has_output(void)
{
    return buffer_length(&output) > 0;
}

static void serve_lines(size_t searched, void (*serve)(const char *line, size_t length))
{
    const char *line = (const char *)buffer_front(&input), *from = line + searched;
    const char *end = line + buffer_length(&input), *feed;

    while ((feed = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        serve(line, (size_t)(feed - line));
        line = from = feed + 1;
    }
    buffer_consume(&input, (size_t)(line - (const char *)buffer_front(&input)));
}

bool channel_read(void (*serve)(const char *line, size_t length))
{
    size_t searched = buffer_length(&input);
    ssize_t count = read(source, buffer_room(&input, CHUNK), CHUNK);

    if (count < 0)
        return errno == EAGAIN || errno == EINTR;
    if (count == 0)
        return false;
    buffer_added(&input, (size_t)count);
    serve_lines(searched, serve);
    return buffer_length(&input) <= LONGEST_LINE;
}

bool channel_flush(void)
{
    while (buffer_length(&output) > 0) {
        ssize_t count = write(sink, buffer_front(&output), buffer_length(&output));

        if (count < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_consume(&output, (size_t)count);
    }
    return true;
}

static int append(const char *text, size_t length, void *into)
{
    buffer_append(into, text, length);
    return 0;
}

void channel_reply(json_t *id, struct answer answer)
{
    json_t *message = json_object();
    const char *detail = answer.detail != NULL ? answer.detail : strerror(answer.error);

    json_object_set(message, "id", id);
    if (answer.error == 0) {
        json_object_set_new(message, "ok", answer.ok);
    } else {
        json_object_set_new(message, "error", json_string(strerrorname_np(answer.error)));
        json_object_set_new(message, "detail", json_string(detail));
    }
    json_dump_callback(message, append, &output, JSON_COMPACT | JSON_ENSURE_ASCII);
    append("\n", 1, &output);
    json_decref(message);
    replies++;
}

unsigned long channel_replies(void)
{
    return replies;
}
