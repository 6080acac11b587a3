/* Hexadecimal text. */
#include "base/buf.h"

#include <string.h>

static void hex(const void *p, size_t n, char *out, const char *digits)
{
    const uint8_t *b = p;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
}

void klm_hex(const void *p, size_t n, char *out)
{
    hex(p, n, out, "0123456789abcdef");
}

void klm_hex_upper(const void *p, size_t n, char *out)
{
    hex(p, n, out, "0123456789ABCDEF");
}

/* 0 to 15, or -1; not isxdigit, which asks the locale. */
static int digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

klm_rc klm_unhex(const char *s, uint8_t *out, size_t cap, size_t *n)
{
    size_t len = strlen(s);

    if (len % 2) {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < len; i++) {
        if (digit(s[i]) < 0) {
            return KLM_E_INVALID;
        }
    }
    if (len / 2 > cap) {
        return KLM_E_LIMIT;
    }
    for (size_t i = 0; i < len / 2; i++) {
        out[i] = (uint8_t)(digit(s[2 * i]) << 4 | digit(s[2 * i + 1]));
    }
    *n = len / 2;
    return KLM_OK;
}
