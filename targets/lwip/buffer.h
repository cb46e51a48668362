/* Octets that come at one end and go at the other. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

struct buffer {
    unsigned char *octets;
    size_t start, end, size;
};

/* Zeros, or the end of the program with a word on stderr: an agent without memory is no agent. */
void *allocate(size_t size);

void buffer_append(struct buffer *buffer, const void *octets, size_t count);
/* Make room for `count` more octets and return where they go; buffer_added() then says how many went. */
unsigned char *buffer_room(struct buffer *buffer, size_t count);
void buffer_added(struct buffer *buffer, size_t count);
void buffer_consume(struct buffer *buffer, size_t count);
void buffer_free(struct buffer *buffer);

static inline size_t buffer_length(const struct buffer *buffer)
{
    return buffer->end - buffer->start;
}

static inline const unsigned char *buffer_front(const struct buffer *buffer)
{
    return buffer->octets + buffer->start;
}

#endif
