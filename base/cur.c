/* The reading cursor: bytes in. */
#include "base/buf.h"

#include <string.h>

void klm_cur_init(struct klm_cur *cur, struct klm_slice in)
{
    static const uint8_t nothing[1];
    const uint8_t *p = in.p ? in.p : nothing;

    *cur = (struct klm_cur){.p = p, .end = p + (in.p ? in.n : 0)};
}

void klm_cur_fail(struct klm_cur *cur, klm_rc rc)
{
    if (cur->rc == KLM_OK) {
        cur->rc = rc;
    }
}

void klm_cur_copy(struct klm_cur *cur, void *out, size_t n)
{
    const uint8_t *p = klm_cur_take_(cur, n);

    if (n == 0) {
        return;
    }
    if (p) {
        memcpy(out, p, n);
    } else {
        memset(out, 0, n);
    }
}

static void take_prefixed(struct klm_cur *cur, size_t width, size_t max, struct klm_slice *out)
{
    uint64_t n = width == 1   ? klm_cur_number_(cur, 1)
                 : width == 2 ? klm_cur_number_(cur, 2)
                              : klm_cur_number_(cur, 4);

    if (n > max) {
        klm_cur_fail(cur, KLM_E_LIMIT);
    }
    klm_cur_bytes(cur, (size_t)n, out);
}

void klm_cur_lp8(struct klm_cur *cur, size_t max, struct klm_slice *out)
{
    take_prefixed(cur, 1, max, out);
}

void klm_cur_lp16(struct klm_cur *cur, size_t max, struct klm_slice *out)
{
    take_prefixed(cur, 2, max, out);
}

void klm_cur_lp32(struct klm_cur *cur, size_t max, struct klm_slice *out)
{
    take_prefixed(cur, 4, max, out);
}

void klm_cur_str16(struct klm_cur *cur, struct klm_pool *pool, size_t max, const char **out)
{
    struct klm_slice s;

    *out = NULL;
    klm_cur_lp16(cur, max, &s);
    if (cur->rc != KLM_OK) {
        return;
    }
    if (s.n && memchr(s.p, 0, s.n)) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    *out = klm_pool_strn(pool, (const char *)s.p, s.n);
    if (!*out) {
        klm_cur_fail(cur, KLM_E_NOMEM);
    }
}

void klm_cur_text8(struct klm_cur *cur, size_t cap, char *out)
{
    struct klm_slice text;

    klm_cur_lp8(cur, cap - 1, &text);
    if (text.n && memchr(text.p, 0, text.n)) {
        klm_cur_fail(cur, KLM_E_INVALID);
        text.n = 0;
    }
    if (text.n) {
        memcpy(out, text.p, text.n);
    }
    out[text.n] = '\0';
}

void klm_cur_i64(struct klm_cur *cur, int64_t *out)
{
    uint64_t v;

    klm_cur_u64(cur, &v);
    if (v > INT64_MAX) {
        klm_cur_fail(cur, KLM_E_INVALID);
    } else if (cur->rc == KLM_OK) {
        *out = (int64_t)v;
    }
}

void klm_cur_end(struct klm_cur *cur)
{
    if (klm_cur_left(cur)) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}
