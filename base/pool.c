/* Pools: a list of blocks, the newest first. Small requests share a block; a large one gets its
 * own. The first block comes with the pool, in one piece that malloc has at hand for the thread. */
#include "base/pool.h"

#include "base/secret.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT ((size_t)16 << 20)
#define WITH_POOL 1024  /* bytes of a pool and its first block */
#define BLOCK_NEXT 2048 /* of its second */
#define BLOCK_MAX 65536
#define FORMAT_FIRST 256

struct block {
    struct block *next;
    size_t n, cap; /* bytes given out and there */
    alignas(max_align_t) uint8_t p[];
};

struct klm_pool {
    alignas(max_align_t) struct block *blocks;
    size_t used, limit; /* bytes given out, rounded up to alignment */
    size_t block_next;  /* size of the next shared block */
    bool wipe;
};

struct klm_slice klm_slice_str(const char *s)
{
    return s ? KLM_SLICE(s, strlen(s)) : KLM_SLICE(NULL, 0);
}

int klm_slice_equal(struct klm_slice a, struct klm_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static struct block *first_of(const struct klm_pool *pool)
{
    return (struct block *)(uintptr_t)(pool + 1);
}

static klm_rc pool_new(size_t limit, bool wipe, struct klm_pool **out)
{
    struct klm_pool *pool = malloc(WITH_POOL);

    if (!pool) {
        return KLM_E_NOMEM;
    }
    *pool = (struct klm_pool){.blocks = first_of(pool),
                              .limit = limit ? limit : LIMIT_DEFAULT,
                              .block_next = BLOCK_NEXT,
                              .wipe = wipe};
    *pool->blocks = (struct block){.cap = WITH_POOL - sizeof *pool - sizeof(struct block)};
    *out = pool;
    return KLM_OK;
}

klm_rc klm_pool_new(size_t limit, struct klm_pool **out)
{
    return pool_new(limit, false, out);
}

klm_rc klm_pool_new_wiping(size_t limit, struct klm_pool **out)
{
    return pool_new(limit, true, out);
}

static void let_go(const struct klm_pool *pool, struct block *b)
{
    if (pool->wipe) {
        klm_wipe(b->p, b->n);
    }
    if (b != first_of(pool)) {
        free(b);
    }
}

void klm_pool_free(struct klm_pool **pool)
{
    struct block *next;

    if (!pool || !*pool) {
        return;
    }
    for (struct block *b = (*pool)->blocks; b; b = next) {
        next = b->next;
        let_go(*pool, b);
    }
    free(*pool);
    *pool = NULL;
}

void klm_pool_clear(struct klm_pool *pool)
{
    struct block *keep = pool->blocks, *next;

    pool->used = 0;
    for (struct block *b = keep->next; b; b = next) {
        next = b->next;
        let_go(pool, b);
    }
    if (pool->wipe) {
        klm_wipe(keep->p, keep->n);
    }
    keep->next = NULL;
    keep->n = 0;
}

/* A block with room for n bytes. A large one goes behind the first, whose rest stays in use. */
static struct block *block_add(struct klm_pool *pool, size_t n)
{
    bool own = n > pool->block_next / 2;
    size_t cap = own ? n : pool->block_next;
    struct block *b = malloc(sizeof *b + cap);

    if (!b) {
        return NULL;
    }
    b->n = 0;
    b->cap = cap;
    if (own) {
        b->next = pool->blocks->next;
        pool->blocks->next = b;
    } else {
        b->next = pool->blocks;
        pool->blocks = b;
    }
    if (!own && pool->block_next < BLOCK_MAX) {
        pool->block_next *= 2;
    }
    return b;
}

void *klm_pool_alloc(struct klm_pool *pool, size_t n)
{
    const size_t align = alignof(max_align_t), left = pool->limit - pool->used;
    struct block *b = pool->blocks;
    void *p;

    n += n == 0;
    if (n > PTRDIFF_MAX / 2 || n > left) {
        return NULL;
    }
    n = (n + align - 1) / align * align;
    if (n > b->cap - b->n && !(b = block_add(pool, n))) {
        return NULL;
    }
    p = b->p + b->n;
    b->n += n;
    pool->used += n < left ? n : left;
    return memset(p, 0, n);
}

void *klm_pool_copy(struct klm_pool *pool, const void *p, size_t n)
{
    void *copy = klm_pool_alloc(pool, n);

    if (copy && n) {
        memcpy(copy, p, n);
    }
    return copy;
}

char *klm_pool_strn(struct klm_pool *pool, const char *s, size_t n)
{
    char *copy = s && n < SIZE_MAX ? klm_pool_alloc(pool, n + 1) : NULL;

    if (copy && n) {
        memcpy(copy, s, n);
    }
    return copy;
}

char *klm_pool_str(struct klm_pool *pool, const char *s)
{
    return s ? klm_pool_strn(pool, s, strlen(s)) : NULL;
}

char *klm_pool_printf(struct klm_pool *pool, const char *fmt, ...)
{
    char first[FORMAT_FIRST]; /* nearly every text fits, and is then formatted once */
    va_list ap;
    int n;
    char *s;

    va_start(ap, fmt);
    n = vsnprintf(first, sizeof first, fmt, ap);
    va_end(ap);
    s = n < 0 ? NULL : klm_pool_alloc(pool, (size_t)n + 1);
    if (s && (size_t)n < sizeof first) {
        memcpy(s, first, (size_t)n);
    } else if (s) {
        va_start(ap, fmt);
        vsnprintf(s, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    if (pool->wipe) {
        klm_wipe(first, sizeof first);
    }
    return s;
}

klm_rc klm_pool_slice(struct klm_pool *pool, struct klm_slice in, struct klm_slice *out)
{
    void *p = klm_pool_copy(pool, in.p, in.n);

    if (!p) {
        return KLM_E_NOMEM;
    }
    *out = KLM_SLICE(p, in.n);
    return KLM_OK;
}
