#include "buffer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *whole(void *memory)
{
    if (memory == NULL) {
        fputs("lwip-agent: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void *allocate(size_t size)
{
    return whole(calloc(1, size ? size : 1));
}

unsigned char *buffer_room(struct buffer *buffer, size_t count)
{
    size_t length = buffer_length(buffer);

    if (buffer->start > 0 && buffer->size - buffer->end < count) {
        memmove(buffer->octets, buffer_front(buffer), length);
        buffer->start = 0;
        buffer->end = length;
    }
    if (buffer->size - buffer->end < count || buffer->octets == NULL) {
        buffer->size = 2 * (length + count) + 64;
        buffer->octets = whole(realloc(buffer->octets, buffer->size));
    }
    return buffer->octets + buffer->end;
}

void buffer_added(struct buffer *buffer, size_t count)
{
    buffer->end += count;
}

void buffer_append(struct buffer *buffer, const void *octets, size_t count)
{
    if (count == 0) /* `octets` may be NULL then */
        return;
    memcpy(buffer_room(buffer, count), octets, count);
    buffer_added(buffer, count);
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    buffer->start += count;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->octets);
    memset(buffer, 0, sizeof *buffer);
}
