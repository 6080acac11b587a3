/* Bytes in and out. A buffer grows up to a limit; a cursor reads and checks every length.
 * Both remember their first failure, so a run of puts or reads needs one check at its end.
 * All numbers are big-endian. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/pool.h"
#include "base/rc.h"

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct klm_buf {
    uint8_t *p;
    size_t n;     /* bytes used */
    size_t cap;   /* bytes allocated */
    size_t limit; /* most bytes it may ever hold */
    bool wipe;    /* clear on growth and on done */
    klm_rc rc;    /* first failure */
};

/* An empty buffer; nothing is allocated yet. End with klm_buf_done. */
void klm_buf_init(struct klm_buf *buf, size_t limit);
/* The same, its bytes wiped whenever they are let go. */
void klm_buf_init_wiping(struct klm_buf *buf, size_t limit);
void klm_buf_done(struct klm_buf *buf);
/* Forget the content (and the failure), keep the memory. */
void klm_buf_clear(struct klm_buf *buf);
/* Drop the first n bytes (n at most buf->n). */
void klm_buf_drop(struct klm_buf *buf, size_t n);
/* Room for n more bytes at buf->p + buf->n, or NULL with the failure remembered; add to buf->n yourself. */
uint8_t *klm_buf_room(struct klm_buf *buf, size_t n);

/* Append bytes, or a number, most significant byte first; v above 24 bits is KLM_E_LIMIT. Short puts are the most frequent thing
 * that is done to a buffer: what fits is copied here. */
void klm_buf_put_growing(struct klm_buf *buf, const void *p, size_t n);
static inline void klm_buf_put(struct klm_buf *buf, const void *p, size_t n)
{
    if (n && n <= buf->cap - buf->n && buf->rc == KLM_OK) {
        memcpy(buf->p + buf->n, p, n);
        buf->n += n;
    } else {
        klm_buf_put_growing(buf, p, n);
    }
}
static inline void klm_buf_number_(struct klm_buf *buf, uint64_t v, size_t n)
{
    const uint64_t be = htobe64(v << (64 - 8 * n)); /* n, 1 to 8, is a constant where this is put */

    klm_buf_put(buf, &be, n);
}
static inline void klm_buf_u8(struct klm_buf *buf, uint8_t v)
{
    klm_buf_number_(buf, v, 1);
}
static inline void klm_buf_u16(struct klm_buf *buf, uint16_t v)
{
    klm_buf_number_(buf, v, 2);
}
/* Three bytes, the highest first; of v the lower 24 bits. */
void klm_buf_u24(struct klm_buf *buf, uint32_t v);
static inline void klm_buf_u32(struct klm_buf *buf, uint32_t v)
{
    klm_buf_number_(buf, v, 4);
}
static inline void klm_buf_u64(struct klm_buf *buf, uint64_t v)
{
    klm_buf_number_(buf, v, 8);
}
static inline void klm_buf_slice(struct klm_buf *buf, struct klm_slice s)
{
    klm_buf_put(buf, s.p, s.n);
}
/* Length-prefixed bytes: a 1, 2 or 4 byte length, then the bytes. Too long is KLM_E_LIMIT. */
void klm_buf_lp8(struct klm_buf *buf, struct klm_slice s);
void klm_buf_lp16(struct klm_buf *buf, struct klm_slice s);
void klm_buf_lp32(struct klm_buf *buf, struct klm_slice s);
/* A string as length-prefixed bytes; NULL is written as empty. */
void klm_buf_str16(struct klm_buf *buf, const char *s);
static inline void klm_buf_text(struct klm_buf *buf, const char *s)
{
    klm_buf_put(buf, s, s ? strlen(s) : 0);
}
/* A number as decimal digits. */
void klm_buf_decimal(struct klm_buf *buf, uint64_t v);
void klm_buf_printf(struct klm_buf *buf, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Overwrite four bytes at an offset already written (a length known later). */
void klm_buf_set_u32(struct klm_buf *buf, size_t at, uint32_t v);
struct klm_slice klm_buf_as_slice(const struct klm_buf *buf);
klm_rc klm_buf_rc(const struct klm_buf *buf) KLM_MUST_USE;

struct klm_cur {
    const uint8_t *p, *end;
    klm_rc rc; /* first failure: KLM_E_SHORT, KLM_E_LIMIT or KLM_E_INVALID */
};

/* Read in, which must outlive the cursor, from its first byte. */
void klm_cur_init(struct klm_cur *cur, struct klm_slice in);
/* Bytes not read yet. */
static inline size_t klm_cur_left(const struct klm_cur *cur)
{
    return (size_t)(cur->end - cur->p);
}
/* The next n bytes, or NULL with the failure remembered. */
static inline const uint8_t *klm_cur_take_(struct klm_cur *cur, size_t n)
{
    const uint8_t *p = cur->p;

    if (cur->rc != KLM_OK || n > klm_cur_left(cur)) {
        cur->rc = cur->rc == KLM_OK ? KLM_E_SHORT : cur->rc;
        return NULL;
    }
    cur->p += n;
    return p;
}
static inline uint64_t klm_cur_number_(struct klm_cur *cur, size_t n)
{
    const uint8_t *p = klm_cur_take_(cur, n);
    uint64_t be = 0;

    if (p) {
        memcpy(&be, p, n); /* n, 1 to 8, is a constant where this is put */
    }
    return be64toh(be) >> (64 - 8 * n);
}
/* Each sets *out to zero when it fails. */
static inline void klm_cur_u8(struct klm_cur *cur, uint8_t *out)
{
    *out = (uint8_t)klm_cur_number_(cur, 1);
}
static inline void klm_cur_u16(struct klm_cur *cur, uint16_t *out)
{
    *out = (uint16_t)klm_cur_number_(cur, 2);
}
static inline void klm_cur_u24(struct klm_cur *cur, uint32_t *out)
{
    *out = (uint32_t)klm_cur_number_(cur, 3);
}
static inline void klm_cur_u32(struct klm_cur *cur, uint32_t *out)
{
    *out = (uint32_t)klm_cur_number_(cur, 4);
}
static inline void klm_cur_u64(struct klm_cur *cur, uint64_t *out)
{
    *out = klm_cur_number_(cur, 8);
}
/* The next n bytes, borrowed from the input. */
static inline void klm_cur_bytes(struct klm_cur *cur, size_t n, struct klm_slice *out)
{
    const uint8_t *p = klm_cur_take_(cur, n);

    *out = p ? KLM_SLICE(p, n) : KLM_SLICE(NULL, 0);
}
/* Copies exactly n bytes to out (zeroed when it fails). */
void klm_cur_copy(struct klm_cur *cur, void *out, size_t n);
/* Length-prefixed bytes of at most max bytes (KLM_E_LIMIT), borrowed. */
void klm_cur_lp8(struct klm_cur *cur, size_t max, struct klm_slice *out);
void klm_cur_lp16(struct klm_cur *cur, size_t max, struct klm_slice *out);
void klm_cur_lp32(struct klm_cur *cur, size_t max, struct klm_slice *out);
/* A length-prefixed string without NUL bytes (KLM_E_INVALID), copied into the pool. */
void klm_cur_str16(struct klm_cur *cur, struct klm_pool *pool, size_t max, const char **out);
/* Fails with KLM_E_INVALID unless everything was read. */
void klm_cur_end(struct klm_cur *cur);
/* A text with its length (1 byte) into an array of cap bytes, NUL included; "" when it fails: KLM_E_LIMIT when it is longer, KLM_E_INVALID when there is a zero byte in it. */
void klm_cur_text8(struct klm_cur *cur, size_t cap, char *out);
/* A number of 8 bytes that is not negative, as times are. KLM_E_INVALID: beyond INT64_MAX; then *out stays. */
void klm_cur_i64(struct klm_cur *cur, int64_t *out);
/* Remember a failure found by the caller, unless there was one. */
void klm_cur_fail(struct klm_cur *cur, klm_rc rc);
KLM_MUST_USE static inline klm_rc klm_cur_rc(const struct klm_cur *cur)
{
    return cur->rc;
}

/* A number as decimal digits and a NUL; how many digits. */
#define KLM_DECIMAL_MAX 21
size_t klm_decimal(uint64_t v, char out[KLM_DECIMAL_MAX]);
/* Lower/upper-case hex of n bytes and back; out holds 2n+1. Decode: KLM_E_INVALID on odd or foreign digits. */
void klm_hex(const void *p, size_t n, char *out);
void klm_hex_upper(const void *p, size_t n, char *out);
klm_rc klm_unhex(const char *s, uint8_t *out, size_t cap, size_t *n) KLM_MUST_USE;

#endif
