/* The reading cursor: bytes in. */
#include "base/buf.h"

#include <string.h>

void klm_cur_init(struct klm_cur *cur, struct klm_slice in)
{
    static const uint8_t nothing[1];
    const uint8_t *p = in.p ? in.p : nothing;

    *cur = (struct klm_cur){.p = p, .end = p + (in.p ? in.n : 0)};
}

size_t klm_cur_left(const struct klm_cur *cur)
{
    return (size_t)(cur->end - cur->p);
}

void klm_cur_fail(struct klm_cur *cur, klm_rc rc)
{
    if (cur->rc == KLM_OK) {
        cur->rc = rc;
    }
}

klm_rc klm_cur_rc(const struct klm_cur *cur)
{
    return cur->rc;
}

/* The next n bytes, or NULL with the failure remembered. */
static const uint8_t *take(struct klm_cur *cur, size_t n)
{
    const uint8_t *p = cur->p;

    if (cur->rc != KLM_OK) {
        return NULL;
    }
    if (n > klm_cur_left(cur)) {
        klm_cur_fail(cur, KLM_E_SHORT);
        return NULL;
    }
    cur->p += n;
    return p;
}

static uint64_t take_number(struct klm_cur *cur, size_t n)
{
    const uint8_t *p = take(cur, n);
    uint64_t v = 0;

    for (size_t i = 0; p && i < n; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

void klm_cur_u8(struct klm_cur *cur, uint8_t *out)
{
    *out = (uint8_t)take_number(cur, 1);
}

void klm_cur_u16(struct klm_cur *cur, uint16_t *out)
{
    *out = (uint16_t)take_number(cur, 2);
}

void klm_cur_u24(struct klm_cur *cur, uint32_t *out)
{
    *out = (uint32_t)take_number(cur, 3);
}

void klm_cur_u32(struct klm_cur *cur, uint32_t *out)
{
    *out = (uint32_t)take_number(cur, 4);
}

void klm_cur_u64(struct klm_cur *cur, uint64_t *out)
{
    *out = take_number(cur, 8);
}

void klm_cur_bytes(struct klm_cur *cur, size_t n, struct klm_slice *out)
{
    const uint8_t *p = take(cur, n);

    *out = p ? KLM_SLICE(p, n) : KLM_SLICE(NULL, 0);
}

void klm_cur_copy(struct klm_cur *cur, void *out, size_t n)
{
    const uint8_t *p = take(cur, n);

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
    uint64_t n = take_number(cur, width);

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

void klm_cur_end(struct klm_cur *cur)
{
    if (klm_cur_left(cur)) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}
