/* The growing buffer: bytes out. */
#include "base/buf.h"

#include "base/secret.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_FIRST 64

void klm_buf_init(struct klm_buf *buf, size_t limit)
{
    *buf = (struct klm_buf){.limit = limit};
}

void klm_buf_init_wiping(struct klm_buf *buf, size_t limit)
{
    *buf = (struct klm_buf){.limit = limit, .wipe = true};
}

static void let_go(const struct klm_buf *buf)
{
    if (buf->wipe && buf->p) {
        klm_wipe(buf->p, buf->cap);
    }
    free(buf->p);
}

void klm_buf_done(struct klm_buf *buf)
{
    let_go(buf);
    *buf = (struct klm_buf){.limit = buf->limit, .wipe = buf->wipe};
}

void klm_buf_clear(struct klm_buf *buf)
{
    if (buf->wipe && buf->n) {
        klm_wipe(buf->p, buf->n);
    }
    buf->n = 0;
    buf->rc = KLM_OK;
}

void klm_buf_drop(struct klm_buf *buf, size_t n)
{
    size_t rest;

    if (n == 0) {
        return;
    }
    rest = n < buf->n ? buf->n - n : 0;
    if (rest) {
        memmove(buf->p, buf->p + n, rest);
    }
    if (buf->wipe && buf->p) {
        klm_wipe(buf->p + rest, buf->n - rest);
    }
    buf->n = rest;
}

static void fail(struct klm_buf *buf, klm_rc rc)
{
    if (buf->rc == KLM_OK) {
        buf->rc = rc;
    }
}

/* At least need bytes; doubling, but never above the limit. */
static void grow(struct klm_buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : CAP_FIRST;
    uint8_t *p;

    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    if (cap > buf->limit) {
        cap = buf->limit;
    }
    p = malloc(cap);
    if (!p) {
        fail(buf, KLM_E_NOMEM);
        return;
    }
    if (buf->p && buf->n) {
        memcpy(p, buf->p, buf->n);
    }
    let_go(buf);
    buf->p = p;
    buf->cap = cap;
}

uint8_t *klm_buf_room(struct klm_buf *buf, size_t n)
{
    if (buf->rc != KLM_OK) {
        return NULL;
    }
    if (buf->n > buf->limit || n > buf->limit - buf->n) {
        fail(buf, KLM_E_LIMIT);
        return NULL;
    }
    if (!buf->p || n > buf->cap - buf->n) {
        grow(buf, buf->n + (n ? n : 1));
    }
    return buf->rc == KLM_OK ? buf->p + buf->n : NULL;
}

void klm_buf_put_growing(struct klm_buf *buf, const void *p, size_t n)
{
    uint8_t *to = n ? klm_buf_room(buf, n) : NULL;

    if (to) {
        memcpy(to, p, n);
        buf->n += n;
    }
}

void klm_buf_u24(struct klm_buf *buf, uint32_t v)
{
    if (v > 0xffffff) {
        fail(buf, KLM_E_LIMIT);
        return;
    }
    klm_buf_number_(buf, v, 3);
}

static void put_prefixed(struct klm_buf *buf, struct klm_slice s, size_t width)
{
    if (s.n >> (8 * width)) {
        fail(buf, KLM_E_LIMIT);
        return;
    }
    if (width == 1) { /* a constant each */
        klm_buf_number_(buf, s.n, 1);
    } else if (width == 2) {
        klm_buf_number_(buf, s.n, 2);
    } else {
        klm_buf_number_(buf, s.n, 4);
    }
    klm_buf_put(buf, s.p, s.n);
}

void klm_buf_lp8(struct klm_buf *buf, struct klm_slice s)
{
    put_prefixed(buf, s, 1);
}

void klm_buf_lp16(struct klm_buf *buf, struct klm_slice s)
{
    put_prefixed(buf, s, 2);
}

void klm_buf_lp32(struct klm_buf *buf, struct klm_slice s)
{
    put_prefixed(buf, s, 4);
}

void klm_buf_str16(struct klm_buf *buf, const char *s)
{
    klm_buf_lp16(buf, klm_slice_str(s));
}

size_t klm_decimal(uint64_t v, char out[KLM_DECIMAL_MAX])
{
    char digits[KLM_DECIMAL_MAX];
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    memcpy(out, digits + at, sizeof digits - at);
    out[sizeof digits - at] = '\0';
    return sizeof digits - at;
}

void klm_buf_decimal(struct klm_buf *buf, uint64_t v)
{
    char digits[KLM_DECIMAL_MAX];

    klm_buf_put(buf, digits, klm_decimal(v, digits));
}

void klm_buf_printf(struct klm_buf *buf, const char *fmt, ...)
{
    va_list ap;
    int n;
    uint8_t *to;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        fail(buf, KLM_E_INTERNAL);
        return;
    }
    /* One more for the NUL that vsnprintf writes, which is not part of the content and may not
     * count. */
    if ((size_t)n > buf->limit - buf->n) {
        fail(buf, KLM_E_LIMIT);
        return;
    }
    char *s = malloc((size_t)n + 1);
    if (!s) {
        fail(buf, KLM_E_NOMEM);
        return;
    }
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    if (n && (to = klm_buf_room(buf, (size_t)n))) {
        memcpy(to, s, (size_t)n);
        buf->n += (size_t)n;
    }
    if (buf->wipe) {
        klm_wipe(s, (size_t)n);
    }
    free(s);
}

void klm_buf_set_u32(struct klm_buf *buf, size_t at, uint32_t v)
{
    if (buf->n < 4 || at > buf->n - 4) {
        fail(buf, KLM_E_INTERNAL);
        return;
    }
    v = htobe32(v);
    memcpy(buf->p + at, &v, sizeof v);
}

struct klm_slice klm_buf_as_slice(const struct klm_buf *buf)
{
    return KLM_SLICE(buf->p, buf->n);
}

klm_rc klm_buf_rc(const struct klm_buf *buf)
{
    return buf->rc;
}
