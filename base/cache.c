/* The cache: shards with a lock each; a shard is a hash table whose entries also stand in a ring, in which a hand goes round and takes away what was not used since it came by
 * last. A shard remembers the last change that touched any of its keys: what was read before it is not kept. That is coarser than a number for each key, and costs
 * only that something is read once more. */
#include "base/cache.h"

#include "base/secret.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS 64
#define TABLE_FIRST 16
#define OVERHEAD 16 /* of an allocation */

struct entry {
    struct entry *chain;           /* in the same place of the table */
    struct entry *before, *behind; /* in the ring */
    uint64_t number;
    uint64_t hash;
    uint32_t value_n;
    uint16_t key_n;
    bool used;
    uint8_t bytes[]; /* key, value */
};

struct shard {
    pthread_mutex_t lock; /* guards all that follows */
    struct entry **table;
    size_t places, entries, bytes;
    struct entry *hand;
    uint64_t touched; /* the highest change that touched a key */
    uint64_t hits, misses;
    uint64_t numbers; /* given to entries */
};

struct klm_cache {
    struct shard shard[SHARDS];
    size_t limit; /* of a shard */
    uint64_t seed;
};

klm_rc klm_cache_new(size_t bytes, struct klm_cache **out)
{
    struct klm_cache *cache = calloc(1, sizeof *cache);
    klm_rc rc;

    if (!cache) {
        return KLM_E_NOMEM;
    }
    rc = klm_random(&cache->seed, sizeof cache->seed);
    if (rc != KLM_OK) {
        free(cache);
        return rc;
    }
    cache->limit = bytes / SHARDS;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&cache->shard[i].lock, NULL);
    }
    *out = cache;
    return KLM_OK;
}

static size_t cost(const struct entry *e)
{
    return sizeof *e + OVERHEAD + e->key_n + e->value_n;
}

static size_t bytes_of(const struct shard *shard)
{
    return shard->bytes + shard->places * sizeof *shard->table;
}

static struct entry **place_of(const struct shard *shard, uint64_t hash)
{
    return &shard->table[hash / SHARDS & (shard->places - 1)];
}

/* Take an entry out of table and ring. */
static void remove_entry(struct shard *shard, struct entry *e)
{
    struct entry **at = place_of(shard, e->hash);

    while (*at != e) {
        at = &(*at)->chain;
    }
    *at = e->chain;
    e->before->behind = e->behind;
    e->behind->before = e->before;
    if (shard->hand == e) {
        shard->hand = e->behind == e ? NULL : e->behind;
    }
    shard->entries--;
    shard->bytes -= cost(e);
    klm_wipe(e->bytes,
             e->key_n + e->value_n); /* what was destroyed is not to be found in memory either */
    free(e);
}

void klm_cache_free(struct klm_cache **cache)
{
    struct klm_cache *c = *cache;

    if (!c) {
        return;
    }
    *cache = NULL;
    for (size_t i = 0; i < SHARDS; i++) {
        while (c->shard[i].hand) {
            remove_entry(&c->shard[i], c->shard[i].hand);
        }
        free(c->shard[i].table);
        pthread_mutex_destroy(&c->shard[i].lock);
    }
    free(c);
}

/* Keys are made here or hashes already; the seed keeps who may choose some of their bytes from filling one place. */
static uint64_t hash_of(const struct klm_cache *cache, struct klm_slice key)
{
    uint64_t h = cache->seed ^ key.n, word;

    for (size_t at = 0; at < key.n; at += sizeof word) {
        const size_t n = key.n - at < sizeof word ? key.n - at : sizeof word;

        word = 0;
        memcpy(&word, key.p + at, n);
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 29;
    }
    h *= 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

/* The shard of a hash, its lock taken. */
static struct shard *lock(struct klm_cache *cache, uint64_t hash)
{
    struct shard *shard = &cache->shard[hash % SHARDS];

    pthread_mutex_lock(&shard->lock);
    return shard;
}

static struct entry *find(const struct shard *shard, uint64_t hash, struct klm_slice key)
{
    struct entry *e = shard->places ? *place_of(shard, hash) : NULL;

    while (e && (e->hash != hash || e->key_n != key.n || memcmp(e->bytes, key.p, key.n) != 0)) {
        e = e->chain;
    }
    return e;
}

uint64_t klm_cache_get(struct klm_cache *cache, struct klm_slice key, struct klm_pool *pool,
                       struct klm_slice *value)
{
    const uint64_t hash = hash_of(cache, key);
    struct shard *shard = lock(cache, hash);
    struct entry *e = find(shard, hash, key);
    uint64_t number = 0;

    if (e && klm_pool_slice(pool, KLM_SLICE(e->bytes + e->key_n, e->value_n), value) == KLM_OK) {
        number = e->number;
        e->used = true;
    }
    shard->hits += number != 0;
    shard->misses += number == 0;
    pthread_mutex_unlock(&shard->lock);
    return number;
}

uint64_t klm_cache_entry(struct klm_cache *cache, struct klm_slice key)
{
    const uint64_t hash = hash_of(cache, key);
    struct shard *shard = lock(cache, hash);
    const struct entry *e = find(shard, hash, key);
    const uint64_t number = e ? e->number : 0;

    pthread_mutex_unlock(&shard->lock);
    return number;
}

/* ---- Keeping */

/* Twice the places, once there are as many entries. Without memory chains grow longer. */
static void grow(struct shard *shard)
{
    const size_t places = shard->places ? shard->places * 2 : TABLE_FIRST;
    struct entry **table = calloc(places, sizeof *table), **old = shard->table;
    const size_t had = shard->places;

    if (!table) {
        return;
    }
    shard->table = table;
    shard->places = places;
    for (size_t i = 0; i < had; i++) {
        for (struct entry *e = old[i], *next; e; e = next) {
            struct entry **at = place_of(shard, e->hash);

            next = e->chain;
            e->chain = *at;
            *at = e;
        }
    }
    free(old);
}

static void make_room(struct shard *shard, size_t limit)
{
    while (shard->hand && bytes_of(shard) > limit) {
        struct entry *e = shard->hand;

        if (e->used) {
            e->used = false;
            shard->hand = e->behind;
        } else {
            remove_entry(shard, e);
        }
    }
}

/* Just behind the hand, which comes by last. */
static void into_ring(struct shard *shard, struct entry *e)
{
    if (!shard->hand) {
        e->before = e->behind = shard->hand = e;
        return;
    }
    e->behind = shard->hand;
    e->before = shard->hand->before;
    e->before->behind = e;
    e->behind->before = e;
}

static void add(struct klm_cache *cache, struct shard *shard, struct entry *e)
{
    struct entry **at;

    if (shard->entries >= shard->places) {
        grow(shard);
    }
    if (!shard->places) {
        free(e);
        return;
    }
    at = place_of(shard, e->hash);
    e->chain = *at;
    *at = e;
    e->number = ++shard->numbers;
    into_ring(shard, e);
    shard->entries++;
    shard->bytes += cost(e);
    make_room(shard, cache->limit);
}

static struct entry *new_entry(uint64_t hash, struct klm_slice key, struct klm_slice value)
{
    struct entry *e = malloc(sizeof *e + key.n + value.n);

    if (!e) {
        return NULL;
    }
    *e = (struct entry){.hash = hash, .key_n = (uint16_t)key.n, .value_n = (uint32_t)value.n};
    memcpy(e->bytes, key.p, key.n);
    if (value.n) {
        memcpy(e->bytes + key.n, value.p, value.n);
    }
    return e;
}

void klm_cache_put(struct klm_cache *cache, struct klm_slice key, uint64_t n,
                   struct klm_slice value)
{
    const uint64_t hash = hash_of(cache, key);
    struct entry *e, *old;
    struct shard *shard;

    if (key.n == 0 || key.n > KLM_CACHE_KEY_MAX || value.n > KLM_CACHE_VALUE_MAX ||
        sizeof *e + OVERHEAD + key.n + value.n > cache->limit / 2 ||
        !(e = new_entry(hash, key, value))) {
        return;
    }
    shard = lock(cache, hash);
    if (shard->touched > n) {
        free(e);
    } else {
        old = find(shard, hash, key);
        if (old) {
            remove_entry(shard, old);
        }
        add(cache, shard, e);
    }
    pthread_mutex_unlock(&shard->lock);
}

void klm_cache_touch(struct klm_cache *cache, struct klm_slice key, uint64_t n)
{
    const uint64_t hash = hash_of(cache, key);
    struct shard *shard = lock(cache, hash);
    struct entry *e = find(shard, hash, key);

    if (e) {
        remove_entry(shard, e);
    }
    shard->touched = n > shard->touched ? n : shard->touched;
    pthread_mutex_unlock(&shard->lock);
}

void klm_cache_usage(struct klm_cache *cache, struct klm_cache_use *out)
{
    *out = (struct klm_cache_use){.limit = cache->limit * SHARDS};
    for (size_t i = 0; i < SHARDS; i++) {
        struct shard *shard = &cache->shard[i];

        pthread_mutex_lock(&shard->lock);
        out->hits += shard->hits;
        out->misses += shard->misses;
        out->entries += shard->entries;
        out->bytes += bytes_of(shard);
        pthread_mutex_unlock(&shard->lock);
    }
}
