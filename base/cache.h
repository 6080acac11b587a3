/* A cache of bytes by key, bounded in bytes, for any threads, that is never behind what it is a cache of. What it is of (a store) counts its changes: who makes
 * change number n tells of each key it touches before anybody can see the change, and what a reader wants to keep says as of which change it was read. So what was read before a
 * change is not kept after it, whichever thread was faster. What was not used for longest makes room. */
#ifndef BASE_CACHE_H
#define BASE_CACHE_H

#include "base/pool.h"

struct klm_cache;
#define KLM_CACHE_KEY_MAX 512
#define KLM_CACHE_VALUE_MAX 65536

/* A cache that holds so many bytes at most, with all that it needs beside keys and values. 0: it keeps nothing. KLM_E_NOMEM, KLM_E_CRYPTO. */
klm_rc klm_cache_new(size_t bytes, struct klm_cache **out) KLM_MUST_USE;
void klm_cache_free(struct klm_cache **cache);
/* The value of a key, copied into the pool. 0: there is none, or no memory; else the number of this entry, which none of the key had before: asked for
 * again, the same number tells that the key was not touched between. */
uint64_t klm_cache_get(struct klm_cache *cache, struct klm_slice key, struct klm_pool *pool,
                       struct klm_slice *value);
/* The same without the value, and without counting as a use. */
uint64_t klm_cache_entry(struct klm_cache *cache, struct klm_slice key);
/* Keep a value that was read as of change number n, in the place of the one that may be there. Nothing is kept if the key may have been touched by a later change, or is too
 * long. */
void klm_cache_put(struct klm_cache *cache, struct klm_slice key, uint64_t n,
                   struct klm_slice value);
/* Change number n is about to change what stands under the key. */
void klm_cache_touch(struct klm_cache *cache, struct klm_slice key, uint64_t n);

struct klm_cache_use {
    uint64_t hits, misses, entries;
    size_t bytes, limit;
};
/* What is in it and how often it was asked, since it was made: the sum of its parts, each as it was when it was looked at. */
void klm_cache_usage(struct klm_cache *cache, struct klm_cache_use *out);

#endif
