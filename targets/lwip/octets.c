#include "octets.h"

#include <string.h>

enum { PERIOD = 251 };

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const unsigned char *octets, size_t count)
{
    char *text = allocate((count + 2) / 3 * 4 + 1);
    char *at = text;

    for (size_t i = 0; i < count; i += 3) {
        size_t left = count - i;
        uint32_t group = (uint32_t)octets[i] << 16;

        if (left > 1)
            group |= (uint32_t)octets[i + 1] << 8;
        if (left > 2)
            group |= octets[i + 2];
        *at++ = DIGITS[group >> 18];
        *at++ = DIGITS[group >> 12 & 63];
        *at++ = left > 1 ? DIGITS[group >> 6 & 63] : '=';
        *at++ = left > 2 ? DIGITS[group & 63] : '=';
    }
    return text;
}

static int digit_value(char digit)
{
    const char *at = digit != '\0' ? strchr(DIGITS, digit) : NULL;

    return at != NULL ? (int)(at - DIGITS) : -1;
}

bool base64_decode(const char *text, size_t length, struct buffer *into)
{
    if (length % 4 != 0)
        return false;
    for (size_t i = 0; i < length; i += 4) {
        bool last = i + 4 == length;
        size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] != '=' ? 1 : 2;
        unsigned char octets[3];
        uint32_t group = 0;

        for (size_t j = 0; j < 4; j++) {
            int value = j < 4 - padding ? digit_value(text[i + j]) : 0;

            if (value < 0)
                return false;
            group = group << 6 | (uint32_t)value;
        }
        octets[0] = (unsigned char)(group >> 16);
        octets[1] = (unsigned char)(group >> 8);
        octets[2] = (unsigned char)group;
        buffer_append(into, octets, 3 - padding);
    }
    return true;
}

void pattern_fill(unsigned char *octets, size_t count, uint64_t first)
{
    unsigned value = (unsigned)(first % PERIOD);

    for (size_t i = 0; i < count; i++) {
        octets[i] = (unsigned char)value;
        value = value + 1 == PERIOD ? 0 : value + 1;
    }
}
