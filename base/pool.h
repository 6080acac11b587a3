/* Pools: memory with one lifetime. Work of a request lives in the request's pool and is
 * never freed singly. A wiping pool clears every byte it gave out when it is freed. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/rc.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct klm_pool;

/* A borrowed run of bytes; p may be NULL when n is 0. */
struct klm_slice {
    const uint8_t *p;
    size_t n;
};

#define KLM_SLICE(ptr, len) ((struct klm_slice){(const uint8_t *)(ptr), (len)})
/* A slice over a C string, without its NUL. */
struct klm_slice klm_slice_str(const char *s);
/* True when both have the same bytes. Not for secrets: see klm_secret_equal. */
int klm_slice_equal(struct klm_slice a, struct klm_slice b);

/* A pool that may grow to limit bytes in all (0: 16 MiB). Free with klm_pool_free. */
klm_rc klm_pool_new(size_t limit, struct klm_pool **out) KLM_MUST_USE;
/* The same, wiped when freed: for requests that carry secrets. */
klm_rc klm_pool_new_wiping(size_t limit, struct klm_pool **out) KLM_MUST_USE;
void klm_pool_free(struct klm_pool **pool);
/* Take back all that was given out (wiped, in a wiping pool) and keep one block of memory: for work done over and over. */
void klm_pool_clear(struct klm_pool *pool);

/* n zeroed bytes aligned for any type, or NULL when memory or the limit ran out. */
void *klm_pool_alloc(struct klm_pool *pool, size_t n);
/* Copies into the pool; NULL when memory or the limit ran out, or s is NULL. */
char *klm_pool_str(struct klm_pool *pool, const char *s);
char *klm_pool_strn(struct klm_pool *pool, const char *s, size_t n);
void *klm_pool_copy(struct klm_pool *pool, const void *p, size_t n);
char *klm_pool_printf(struct klm_pool *pool, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Copies a slice into the pool. KLM_E_NOMEM when it cannot. */
klm_rc klm_pool_slice(struct klm_pool *pool, struct klm_slice in, struct klm_slice *out)
    KLM_MUST_USE;

#endif
