/* Checking UTF-8, and escapes of markup. */
#include "base/utf8.h"

#include <string.h>

/* Lead byte, range of the byte after it, length: RFC 3629, section 4, the productions of UTF8-2
 * to UTF8-4. */
static const struct form {
    uint8_t lead_low, lead_high, next_low, next_high, n;
} forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

static bool fits(const struct form *form, const uint8_t *p, size_t n)
{
    if (p[0] < form->lead_low || p[0] > form->lead_high || n < form->n || p[1] < form->next_low ||
        p[1] > form->next_high) {
        return false;
    }
    for (size_t i = 2; i < form->n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t klm_utf8_char(const uint8_t *p, size_t n)
{
    if (n && p[0] < 0x80) {
        return 1;
    }
    for (size_t i = 0; n && i < KLM_COUNT(forms); i++) {
        if (fits(&forms[i], p, n)) {
            return forms[i].n;
        }
    }
    return 0;
}

/* p is a well-formed character of n bytes. */
static bool shown(const uint8_t *p, size_t n)
{
    switch (n) {
    case 1:
        return p[0] >= 0x20 && p[0] != 0x7F;
    case 2:
        return p[0] != 0xC2 || p[1] >= 0xA0;
    case 3:
        return !(p[0] == 0xEF && p[1] == 0xBF && p[2] >= 0xBE);
    default:
        return !((p[1] & 0x0F) == 0x0F && p[2] == 0xBF && p[3] >= 0xBE);
    }
}

bool klm_utf8_printable(struct klm_slice text)
{
    for (size_t at = 0; at < text.n;) {
        size_t n = klm_utf8_char(text.p + at, text.n - at);

        if (!n || !shown(text.p + at, n)) {
            return false;
        }
        at += n;
    }
    return true;
}

#define EACH (UINT64_MAX / 0xFF) /* 1 in each of eight bytes */
#define EXCEPT_MAX 3

/* A high bit is set when one of the eight bytes is zero. */
static uint64_t zero_in(uint64_t eight)
{
    return (eight - EACH) & ~eight;
}

/* A high bit is set when one of the eight bytes is not printable ASCII; not always that of the byte: of the first that is none, borrow and carry may change those behind it. */
static uint64_t odd_in(uint64_t eight)
{
    return (eight | (eight - EACH * 0x20) | (eight + EACH)) & EACH << 7;
}

/* Eight bytes that are all of n (at most seven), some of them twice, and blanks. */
static uint64_t few(const uint8_t *p, size_t n)
{
    uint32_t first, last;

    if (n >= sizeof first) {
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - sizeof last, sizeof last);
        return (uint64_t)last << 32 | first;
    }
    return n ? (EACH * 0x20 & ~(uint64_t)0xFFFFFF) | (uint64_t)p[n - 1] << 16 |
                   (uint64_t)p[n / 2] << 8 | p[0]
             : EACH * 0x20;
}

bool klm_ascii_plain(const uint8_t *p, size_t n)
{
    uint64_t eight, odd = 0;

    if (n < sizeof eight) {
        return odd_in(few(p, n)) == 0;
    }
    for (size_t i = 0; i + sizeof eight <= n; i += sizeof eight) {
        memcpy(&eight, p + i, sizeof eight);
        odd |= odd_in(eight);
    }
    memcpy(&eight, p + n - sizeof eight, sizeof eight);
    return (odd | odd_in(eight)) == 0;
}

static bool one_plain(uint8_t c, const uint8_t no[EXCEPT_MAX])
{
    return c >= 0x20 && c < 0x7F && c != no[0] && c != no[1] && c != no[2];
}

size_t klm_ascii_run(const uint8_t *p, size_t n, const char *except)
{
    uint8_t no[EXCEPT_MAX] = {0}; /* a byte of zero is not printable either */
    uint64_t no_a, no_b, no_c;
    size_t i = 0;

    if (!except[0] && klm_ascii_plain(p, n)) {
        return n;
    }
    for (size_t k = 0; k < EXCEPT_MAX && except[k]; k++) {
        no[k] = (uint8_t)except[k];
    }
    no_a = EACH * no[0], no_b = EACH * no[1], no_c = EACH * no[2];
    for (; n >= 8 && i < n; i += 8) {
        size_t at = i < n - 8 ? i : n - 8; /* the last eight: some of them a second time */
        uint64_t eight, bad;

        memcpy(&eight, p + at, sizeof eight);
        bad = eight | ((eight - EACH * 0x20) & ~eight) | zero_in(eight ^ EACH * 0x7F) |
              zero_in(eight ^ no_a) | zero_in(eight ^ no_b) | zero_in(eight ^ no_c);
        if (bad & EACH << 7) {
            break;
        }
    }
    while (i < n && one_plain(p[i], no)) {
        i++;
    }
    return i < n ? i : n;
}

const char *klm_markup_escape(uint8_t c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&apos;";
    default:
        return NULL;
    }
}
