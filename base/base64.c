/* Base 64 (RFC 4648, 4). */
#include "base/base64.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void klm_base64(const void *p, size_t n, char *out)
{
    const uint8_t *in = p;

    for (size_t i = 0; i < n; i += 3, out += 4) {
        size_t left = n - i;
        uint32_t v = (uint32_t)in[i] << 16 | (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
                     (left > 2 ? in[i + 2] : 0U);

        out[0] = letters[v >> 18];
        out[1] = letters[v >> 12 & 63];
        out[2] = '=';
        out[3] = '=';
        if (left > 1) {
            out[2] = letters[v >> 6 & 63];
        }
        if (left > 2) {
            out[3] = letters[v & 63];
        }
    }
    *out = '\0';
}

static int value_of(char c)
{
    const char *at = c ? strchr(letters, c) : NULL;

    return at ? (int)(at - letters) : -1;
}

/* Four characters to up to three bytes; how many, or 0 when they are no such group. RFC 4648, 3.5: bits that pad are zero. */
static size_t group(const char *text, bool last, uint8_t out[3])
{
    size_t pad = text[3] != '=' ? 0 : text[2] != '=' ? 1 : 2;
    uint32_t v = 0;

    if (pad > 0 && !last) {
        return 0;
    }
    for (size_t i = 0; i < 4; i++) {
        int digit = i >= 4 - pad ? 0 : value_of(text[i]);

        if (digit < 0) {
            return 0;
        }
        v = v << 6 | (uint32_t)digit;
    }
    for (size_t i = 0; i < 3; i++) {
        out[i] = (uint8_t)(v >> (16 - 8 * i));
    }
    return (pad > 0 && out[2]) || (pad > 1 && out[1]) ? 0 : 3 - pad;
}

klm_rc klm_unbase64(const char *text, uint8_t *out, size_t cap, size_t *n)
{
    size_t length = strlen(text), used = 0;

    if (length % 4 != 0) {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < length; i += 4) {
        uint8_t bytes[3];
        size_t got = group(text + i, i + 4 == length, bytes);

        if (got == 0) {
            return KLM_E_INVALID;
        }
        if (got > cap - used) {
            return KLM_E_LIMIT;
        }
        memcpy(out + used, bytes, got);
        used += got;
    }
    *n = used;
    return KLM_OK;
}
