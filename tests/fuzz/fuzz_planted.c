/* Shows that the fuzzers find what they are for. The target is a reader of its own for a create message of the exchange
 * (exchange/PROTOCOL.md): header, volser, labels. Built with KLM_PLANTED_BUG it takes a label by hash to be one byte longer
 * than what is left of the message, and looks at that byte. `make fuzz-planted` expects that to be found; without the macro
 * the same target must stay silent. */
#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 8, VOLSER = 6, LABELS_MAX = 2, LABEL_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* One label: encoding L or H, length, bytes; no byte may be zero. */
static bool read_label(const uint8_t *end, const uint8_t **at)
{
    size_t length, left;

    if (end - *at < 2 || ((*at)[0] != 'L' && (*at)[0] != 'H')) {
        return false;
    }
    length = (*at)[1];
    left = (size_t)(end - *at - 2);
#ifdef KLM_PLANTED_BUG
    left += (*at)[0] == 'H';
#endif
    if (length == 0 || length > LABEL_MAX || length > left) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if ((*at)[2 + i] == 0) {
            return false;
        }
    }
    *at += 2 + length;
    return true;
}

/* The whole message; true when it is one. */
static bool read_create(const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    uint8_t labels;

    if (n < HEADER + VOLSER + 1 || memcmp(p, "KX\x01\x11", 4) != 0) {
        return false;
    }
    if (((uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7]) != n - HEADER) {
        return false;
    }
    p += HEADER + VOLSER;
    labels = *p++;
    for (uint8_t i = 0; i < labels; i++) {
        if (i == LABELS_MAX || !read_label(end, &p)) {
            return false;
        }
    }
    return p == end;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    /* A copy of exact size, so that a read behind its end is seen. */
    uint8_t *copy = malloc(n ? n : 1);

    if (copy && n) {
        memcpy(copy, data, n);
        read_create(copy, n);
    }
    free(copy);
    return 0;
}
