/* Octets as the protocol writes them: base64 (RFC 4648 4), and the pattern that "size" asks for. */
#ifndef OCTETS_H
#define OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* Text that ends with a zero octet; the caller frees it. */
char *base64_encode(const unsigned char *octets, size_t count);
/* False, with `into` as it was or longer, if `text` is no base64. */
bool base64_decode(const char *text, size_t length, struct buffer *into);

/* Octets of the stream whose octet at place i is i modulo 251, from place `first`. */
void pattern_fill(unsigned char *octets, size_t count, uint64_t first);

#endif
