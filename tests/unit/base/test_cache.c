/* The cache: its bound, what makes room, and that nothing that was read before a change is in it after. */
#include "base/cache.h"
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct klm_cache *cache;
static struct klm_pool *pool;

static void opened(size_t bytes)
{
    klm_cache_free(&cache);
    klm_pool_free(&pool);
    REQUIRE_OK(klm_cache_new(bytes, &cache));
    REQUIRE_OK(klm_pool_new(64 << 20, &pool));
}

static struct klm_slice text(const char *s)
{
    return klm_slice_str(s);
}

static const char *value_of(const char *key)
{
    struct klm_slice value = {NULL, 0};

    return klm_cache_get(cache, text(key), pool, &value)
               ? klm_pool_strn(pool, (const char *)value.p, value.n)
               : "-";
}

static size_t entries(void)
{
    struct klm_cache_use use;

    klm_cache_usage(cache, &use);
    CHECK(use.bytes <= use.limit);
    return use.entries;
}

TEST(what_is_put_is_found_and_the_newest_counts)
{
    opened(1 << 20);
    CHECK_STR(value_of("a"), "-");
    klm_cache_put(cache, text("a"), 5, text("one"));
    klm_cache_put(cache, text("b"), 5, text(""));
    CHECK_STR(value_of("a"), "one");
    CHECK_STR(value_of("b"), "");
    klm_cache_put(cache, text("a"), 5, text("two"));
    CHECK_STR(value_of("a"), "two");
    CHECK_INT(entries(), 2);
}

TEST(what_was_read_before_a_change_is_not_kept_after_it)
{
    opened(1 << 20);
    klm_cache_put(cache, text("a"), 5, text("old"));
    klm_cache_touch(cache, text("a"), 6);
    CHECK_STR(value_of("a"), "-");
    klm_cache_put(cache, text("a"), 5, text("old")); /* a reader that was slow */
    CHECK_STR(value_of("a"), "-");
    klm_cache_put(cache, text("a"), 6, text("new"));
    CHECK_STR(value_of("a"), "new");
}

TEST(the_number_of_an_entry_tells_that_its_key_was_touched)
{
    struct klm_slice value = {NULL, 0};
    uint64_t first;

    opened(1 << 20);
    CHECK_INT(klm_cache_entry(cache, text("a")), 0);
    klm_cache_put(cache, text("a"), 1, text("x"));
    first = klm_cache_get(cache, text("a"), pool, &value);
    CHECK(first != 0 && klm_cache_entry(cache, text("a")) == first);
    klm_cache_touch(cache, text("a"), 2);
    CHECK_INT(klm_cache_entry(cache, text("a")), 0);
    klm_cache_put(cache, text("a"), 2, text("x"));
    CHECK(klm_cache_entry(cache, text("a")) != 0 && klm_cache_entry(cache, text("a")) != first);
}

static void put_many(unsigned from, unsigned to)
{
    char key[16], value[100];

    memset(value, 'v', sizeof value);
    for (unsigned i = from; i < to; i++) {
        snprintf(key, sizeof key, "key%u", i);
        klm_cache_put(cache, text(key), 1, KLM_SLICE(value, sizeof value));
    }
}

TEST(it_never_holds_more_than_its_bytes_and_goes_on_taking)
{
    opened(256 << 10);
    put_many(0, 100000);
    CHECK(entries() > 500);
    CHECK(entries() < (256 << 10) / 100);
    klm_cache_put(cache, text("last"), 1, text("here"));
    CHECK_STR(value_of("last"), "here");
}

TEST(what_is_used_stays_when_others_make_room)
{
    unsigned found = 0;

    opened(256 << 10);
    klm_cache_put(cache, text("used"), 1, text("still here"));
    for (unsigned i = 0; i < 200; i++) {
        put_many(i * 100, i * 100 + 100);
        found += strcmp(value_of("used"), "still here") == 0;
    }
    CHECK_INT(found, 200);
}

TEST(what_is_too_long_is_not_kept)
{
    static const uint8_t zero[KLM_CACHE_VALUE_MAX + 1];
    char key[KLM_CACHE_KEY_MAX + 2];

    opened(64 << 20);
    memset(key, 'k', sizeof key);
    key[KLM_CACHE_KEY_MAX + 1] = '\0';
    klm_cache_put(cache, text(key), 1, text("x"));
    klm_cache_put(cache, text("a"), 1, KLM_SLICE(zero, sizeof zero));
    klm_cache_put(cache, text(""), 1, text("x"));
    CHECK_INT(entries(), 0);
    key[KLM_CACHE_KEY_MAX] = '\0';
    klm_cache_put(cache, text(key), 1, KLM_SLICE(zero, KLM_CACHE_VALUE_MAX));
    CHECK_INT(entries(), 1);
}

TEST(a_cache_of_no_bytes_keeps_nothing)
{
    opened(0);
    klm_cache_put(cache, text("a"), 1, text("x"));
    CHECK_STR(value_of("a"), "-");
    klm_cache_touch(cache, text("a"), 2);
    CHECK_INT(entries(), 0);
}

TEST(hits_and_misses_are_counted)
{
    struct klm_cache_use use;

    opened(1 << 20);
    klm_cache_put(cache, text("a"), 1, text("x"));
    (void)value_of("a");
    (void)value_of("a");
    (void)value_of("b");
    (void)klm_cache_entry(cache, text("b")); /* is no use */
    klm_cache_usage(cache, &use);
    CHECK_INT(use.hits, 2);
    CHECK_INT(use.misses, 1);
}

/* ---- Races: one thread changes a number, others read it and keep what they read. What is found must be the number of the last change that anybody could see. */

static struct {
    atomic_uint_fast64_t number; /* that readers see */
    atomic_bool stop;
    atomic_uint wrong, found;
} race;

static void *reader(void *arg)
{
    struct klm_pool *own = NULL;
    const struct klm_slice key = klm_slice_str("raced");

    (void)arg;
    if (klm_pool_new(0, &own) != KLM_OK) {
        return NULL;
    }
    while (!atomic_load(&race.stop)) {
        const uint64_t before = atomic_load(&race.number);
        struct klm_slice value = {NULL, 0};
        uint64_t kept;

        klm_pool_clear(own);
        if (klm_cache_get(cache, key, own, &value)) {
            memcpy(&kept, value.p, sizeof kept);
            atomic_fetch_add(&race.wrong, kept < before);
            atomic_fetch_add(&race.found, 1);
        } else {
            klm_cache_put(cache, key, before, KLM_SLICE(&before, sizeof before));
        }
    }
    klm_pool_free(&own);
    return NULL;
}

TEST(readers_and_a_writer_never_make_it_stale)
{
    pthread_t thread[3];

    opened(1 << 20);
    for (size_t i = 0; i < 3; i++) {
        REQUIRE(pthread_create(&thread[i], NULL, reader, NULL) == 0);
    }
    for (uint64_t n = 1; n <= 20000 || atomic_load(&race.found) < 1000; n++) {
        klm_cache_touch(cache, klm_slice_str("raced"), n);
        atomic_store(&race.number, n);
    }
    atomic_store(&race.stop, true);
    for (size_t i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
    }
    CHECK_INT(atomic_load(&race.wrong), 0);
}

TEST(the_end)
{
    klm_cache_free(&cache);
    klm_pool_free(&pool);
    CHECK(cache == NULL);
}
