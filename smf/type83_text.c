/* Text of records: UTF-8 to EBCDIC code page 1047 and back without loss, because what the page does not have is escaped. */
#include "base/ebcdic.h"
#include "base/utf8.h"
#include "smf/type83_int.h"

#include <stdio.h>
#include <string.h>

#define ESCAPE_MAX 10 /* \u{10FFFF} */

static uint32_t character_of(const uint8_t *p, size_t n)
{
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7Fu >> n);

    for (size_t i = 1; i < n; i++) {
        c = c << 6 | (p[i] & 0x3Fu);
    }
    return c;
}

static bool control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

static void put_byte(struct klm_buf *out, uint8_t latin)
{
    klm_to_ebcdic(&latin, &latin, 1);
    klm_buf_u8(out, latin);
}

static void put_escape(struct klm_buf *out, uint32_t c)
{
    char text[ESCAPE_MAX + 1];
    int n = snprintf(text, sizeof text, "\\u{%X}", (unsigned)c);

    klm_to_ebcdic(text, text, (size_t)n);
    klm_buf_put(out, text, (size_t)n);
}

/* One character that is not plain, of `left` bytes; how many it has. */
static size_t put_character(struct klm_buf *out, const uint8_t *p, size_t left)
{
    size_t n = klm_utf8_char(p, left);
    uint32_t c = n ? character_of(p, n) : 0;

    if (n == 0 || control(c)) {
        put_byte(out, '.');
        return n ? n : 1;
    }
    if (c > 0xFF || (c == '\\' && left > 2 && p[1] == 'u' && p[2] == '{')) {
        put_escape(out, c);
    } else {
        put_byte(out, (uint8_t)c);
    }
    return n;
}

void smf_ebcdic_put(struct klm_buf *out, const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text, *end = p + n;

    while (p < end) {
        uint8_t *to = klm_buf_room(out, (size_t)(end - p));
        size_t run;

        if (!to) {
            return;
        }
        run = klm_plain_to_ebcdic(p, to, (size_t)(end - p));
        out->n += run;
        p += run;
        if (p < end) {
            p += put_character(out, p, (size_t)(end - p));
        }
    }
}

/* What one section of a record held when its thread made one last, in both codes: most of them say the same as in the event before (who, by which server, in which thread), and to compare and copy
 * is a fourth of the work of translating. Only text that has as many bytes in both. */
#define AGAIN_PLACES                                                                               \
    48               /* sections of most events; what stands behind them is translated each time */
#define AGAIN_MAX 72 /* bytes; longer text seldom comes twice */

struct again {
    uint8_t n; /* 0: nothing */
    uint8_t text[AGAIN_MAX], code[AGAIN_MAX];
};
static _Thread_local struct again again[AGAIN_PLACES];

void smf_ebcdic_put_at(struct klm_buf *out, const char *text, size_t n, size_t place)
{
    struct again *last = place < AGAIN_PLACES && n > 0 && n <= AGAIN_MAX ? &again[place] : NULL;
    size_t before = out->n;

    if (last && last->n == n && memcmp(last->text, text, n) == 0) {
        klm_buf_put(out, last->code, n);
        return;
    }
    smf_ebcdic_put(out, text, n);
    if (last && klm_buf_rc(out) == KLM_OK && out->n - before == n) {
        memcpy(last->text, text, n);
        memcpy(last->code, out->p + before, n);
        last->n = (uint8_t)n;
    }
}

static size_t put_utf8(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (uint8_t)(0xC0 | c >> 6);
        to[1] = (uint8_t)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (uint8_t)(0xE0 | c >> 12);
        to[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        to[2] = (uint8_t)(0x80 | (c & 0x3F));
        return 3;
    }
    to[0] = (uint8_t)(0xF0 | c >> 18);
    to[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
    to[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    to[3] = (uint8_t)(0x80 | (c & 0x3F));
    return 4;
}

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* \u{ and one to six digits and } at p: its length and its character; 0: it is no escape and stands for itself. */
static size_t escape_at(const uint8_t *p, size_t left, uint32_t *c)
{
    size_t n = 3;
    uint32_t value = 0;

    if (left < 5 || p[0] != '\\' || p[1] != 'u' || p[2] != '{') {
        return 0;
    }
    while (n < left && n < 9 && digit(p[n]) >= 0) {
        value = value << 4 | (uint32_t)digit(p[n]);
        n++;
    }
    if (n == 3 || n == left || p[n] != '}') {
        return 0;
    }
    *c = value;
    return n + 1;
}

/* Latin characters at the end of `to` (from `from` on, n of them) become UTF-8 at its start: an escape is never shorter than its
 * character, a Latin character becomes two bytes at most, so that writing never overtakes reading. */
static klm_rc latin_to_utf8(uint8_t *to, const uint8_t *from, size_t n, size_t *used)
{
    size_t at = 0;

    for (size_t i = 0; i < n;) {
        uint32_t c = from[i];
        size_t step = c == '\\' ? escape_at(from + i, n - i, &c) : 0;

        if (control(c) || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
            return KLM_E_CORRUPT;
        }
        at += put_utf8(to + at, c);
        i += step ? step : 1;
    }
    *used = at;
    return KLM_OK;
}

klm_rc smf_ebcdic_get(struct klm_slice in, uint8_t *to, size_t *n)
{
    if (in.n == 0) {
        *n = 0;
        return KLM_OK;
    }
    klm_from_ebcdic(in.p, to + in.n, in.n);
    return latin_to_utf8(to, to + in.n, in.n, n);
}
