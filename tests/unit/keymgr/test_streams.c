/* Operations in parts: whose they are, how many there may be, and how they end. */
#include "test.h"

#include "base/clock.h"
#include "base/pool.h"
#include "keymgr/streams.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct km_streams *streams;
static struct klm_pool *pool;

static void fresh(void)
{
    km_streams_free(&streams);
    klm_pool_free(&pool);
    REQUIRE_OK(km_streams_new(&streams));
    REQUIRE_OK(klm_pool_new_wiping(1 << 20, &pool));
}

/* A hash that has begun. */
static struct km_stream begun(void)
{
    struct kr_crypt how = KR_CRYPT_NONE;
    struct km_stream stream = {.stream = NULL};

    how.hash = KMIP_HashingAlgorithm_SHA_256;
    REQUIRE_OK(kr_stream_new(KR_STREAM_HASH, NULL, &how, NULL, pool, NULL, &stream.stream));
    return stream;
}

static klm_rc put(const char *client, const char *uid, struct km_stream *stream)
{
    const klm_rc rc = km_streams_put(streams, client, uid, stream);

    kr_stream_free(&stream->stream); /* if it was not taken */
    return rc;
}

static klm_rc take(const char *client, const char *uid, enum kr_stream_op op,
                   const uint8_t *correlation, size_t n)
{
    struct km_stream out = {.stream = NULL};
    const klm_rc rc = km_streams_take(streams, client, uid, op, KLM_SLICE(correlation, n), &out);

    CHECK((out.stream != NULL) == (rc == KLM_OK));
    kr_stream_free(&out.stream);
    return rc;
}

TEST(a_stream_goes_on_where_it_was_and_keeps_its_value)
{
    struct km_stream stream, again = {.stream = NULL};
    struct kr_cipher_out out = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    struct klm_slice none, whole;
    uint8_t first[KM_CORRELATION];
    static const uint8_t zeros[KM_CORRELATION];

    fresh();
    stream = begun();
    REQUIRE_OK(kr_stream_update(stream.stream, klm_slice_str("in "), pool, &none));
    stream.check_n = 2;
    memcpy(stream.check, "ok", 2);
    REQUIRE_OK(km_streams_put(streams, "a", "uid", &stream));
    CHECK(stream.stream == NULL);
    CHECK(memcmp(stream.correlation, zeros, sizeof zeros) != 0);
    memcpy(first, stream.correlation, sizeof first);
    REQUIRE_OK(km_streams_take(streams, "a", "uid", KR_STREAM_HASH, KLM_SLICE(first, sizeof first),
                               &again));
    CHECK_INT(again.check_n, 2);
    CHECK_MEM(again.check, "ok", 2);
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, first, sizeof first), KLM_E_NOTFOUND); /* taken */
    REQUIRE_OK(km_streams_put(streams, "a", "uid", &again));
    CHECK_MEM(again.correlation, first, sizeof first);
    REQUIRE_OK(km_streams_take(streams, "a", "uid", KR_STREAM_HASH, KLM_SLICE(first, sizeof first),
                               &again));
    REQUIRE_OK(kr_stream_update(again.stream, klm_slice_str("parts"), pool, &none));
    REQUIRE_OK(kr_stream_final(again.stream, KLM_SLICE(NULL, 0), pool, &out, NULL));
    REQUIRE_OK(kr_hash(KMIP_HashingAlgorithm_SHA_256, klm_slice_str("in parts"), pool, &whole));
    CHECK(klm_slice_equal(out.data, whole));
    kr_stream_free(&again.stream);
}

TEST(a_value_is_of_one_client_one_object_and_one_operation)
{
    struct km_stream stream;
    uint8_t value[KM_CORRELATION + 1] = {0};

    fresh();
    stream = begun();
    REQUIRE_OK(put("a", "uid", &stream));
    memcpy(value, stream.correlation, KM_CORRELATION);
    CHECK_RC(take("b", "uid", KR_STREAM_HASH, value, KM_CORRELATION), KLM_E_NOTFOUND);
    CHECK_RC(take("a", "other", KR_STREAM_HASH, value, KM_CORRELATION), KLM_E_NOTFOUND);
    CHECK_RC(take("a", "uid", KR_STREAM_MAC, value, KM_CORRELATION), KLM_E_NOTFOUND);
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, value, KM_CORRELATION - 1), KLM_E_NOTFOUND);
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, value, KM_CORRELATION + 1), KLM_E_NOTFOUND);
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, NULL, 0), KLM_E_NOTFOUND);
    value[KM_CORRELATION - 1] ^= 1;
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, value, KM_CORRELATION), KLM_E_NOTFOUND);
    value[KM_CORRELATION - 1] ^= 1;
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, value, KM_CORRELATION), KLM_OK); /* still there */
}

TEST(a_client_has_so_many_and_all_together_so_many)
{
    struct km_stream stream, first;
    char client[16];

    fresh();
    first = begun();
    REQUIRE_OK(put("one", "uid", &first));
    for (int i = 1; i < KM_STREAMS_OF; i++) {
        stream = begun();
        CHECK_RC(put("one", "uid", &stream), KLM_OK);
    }
    stream = begun();
    CHECK_RC(put("one", "uid", &stream), KLM_E_LIMIT);
    CHECK_RC(take("one", "uid", KR_STREAM_HASH, first.correlation, KM_CORRELATION), KLM_OK);
    stream = begun();
    CHECK_RC(put("one", "uid", &stream), KLM_OK); /* there is room for one again */
    for (int i = KM_STREAMS_OF; i < KM_STREAMS_MAX; i++) {
        snprintf(client, sizeof client, "client %d", i / KM_STREAMS_OF);
        stream = begun();
        CHECK_RC(put(client, "uid", &stream), KLM_OK);
    }
    stream = begun();
    CHECK_RC(put("late", "uid", &stream), KLM_E_LIMIT);
    CHECK_RC(take(client, "uid", KR_STREAM_HASH, first.correlation, KM_CORRELATION),
             KLM_E_NOTFOUND);
}

TEST(what_rests_a_short_time_is_not_swept)
{
    struct km_stream stream;

    fresh();
    stream = begun();
    REQUIRE_OK(put("a", "uid", &stream));
    CHECK_INT(km_streams_sweep(streams), 0);
    CHECK_RC(take("a", "uid", KR_STREAM_HASH, stream.correlation, KM_CORRELATION), KLM_OK);
}

static time_t behind; /* seconds that the clock is behind */

/* In front of the C library's. */
int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    ts->tv_sec -= behind;
    return rc;
}

/* Whoever sweeps may have looked at the clock, and stood still, before a stream was put. */
TEST(what_is_younger_than_the_look_at_the_clock_is_not_swept)
{
    struct km_stream stream;

    fresh();
    stream = begun();
    REQUIRE_OK(put("a", "uid", &stream));
    behind = 1;
    CHECK_INT(km_streams_sweep(streams), 0);
    behind = -(time_t)(KM_STREAM_IDLE_MS / 1000 + 1);
    CHECK_INT(km_streams_sweep(streams), 1);
    behind = 0;
}

TEST(zz_freeing_ends_what_is_under_way_and_twice_is_nothing)
{
    struct km_stream stream;

    fresh();
    stream = begun();
    REQUIRE_OK(put("a", "uid", &stream));
    km_streams_free(&streams);
    CHECK(streams == NULL);
    km_streams_free(&streams);
    klm_pool_free(&pool);
}
