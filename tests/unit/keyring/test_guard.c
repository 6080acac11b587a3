/* The guard: what is sealed can be opened under its name, by the same process's guard, and says nothing else. */
#include "keyring/guard.h"
#include "test.h"

#include "base/buf.h"
#include "base/secret.h"

#include <pthread.h>

static struct kr_guard *guard;
static struct klm_pool *pool;
static const uint8_t secret[40] = "a key of forty bytes, no more nor less";

static struct klm_buf sealed(const char *name, size_t n)
{
    struct klm_buf out;

    if (!guard) {
        REQUIRE_OK(kr_guard_new(&guard));
        REQUIRE_OK(klm_pool_new_wiping(0, &pool));
    }
    klm_buf_init(&out, 100000);
    klm_buf_text(&out, "before");
    REQUIRE_OK(kr_guard_seal(guard, klm_slice_str(name), KLM_SLICE(secret, n), &out));
    CHECK_INT(out.n, 6 + n + KR_GUARD_MORE);
    CHECK(memcmp(out.p, "before", 6) == 0);
    klm_buf_drop(&out, 6);
    return out;
}

static klm_rc open_it(const char *name, const struct klm_buf *in, struct klm_slice *clear)
{
    return kr_guard_open(guard, klm_slice_str(name), klm_buf_as_slice(in), pool, clear);
}

TEST(what_is_sealed_opens_under_its_name_alone)
{
    struct klm_buf one = sealed("uid-1", sizeof secret);
    struct klm_slice clear = {NULL, 0};

    CHECK_RC(open_it("uid-2", &one, &clear), KLM_E_CORRUPT);
    CHECK(clear.p == NULL);
    REQUIRE_OK(open_it("uid-1", &one, &clear));
    REQUIRE(clear.n == sizeof secret);
    CHECK_MEM(clear.p, secret, sizeof secret);
    klm_buf_done(&one);
}

TEST(sealed_twice_it_looks_different_and_shows_nothing)
{
    struct klm_buf one = sealed("uid-1", sizeof secret), two = sealed("uid-1", sizeof secret);

    CHECK(memcmp(one.p, two.p, 12) != 0); /* a nonce is used once */
    CHECK(memcmp(one.p + 12, two.p + 12, sizeof secret) != 0);
    CHECK(memmem(one.p, one.n, secret, 8) == NULL);
    klm_buf_done(&one);
    klm_buf_done(&two);
}

TEST(any_byte_that_changed_is_noticed)
{
    struct klm_buf one = sealed("uid-1", sizeof secret);
    struct klm_slice clear = {NULL, 0};

    for (size_t i = 0; i < one.n; i++) {
        one.p[i] ^= 1;
        CHECK_RC(open_it("uid-1", &one, &clear), KLM_E_CORRUPT);
        one.p[i] ^= 1;
    }
    one.n--;
    CHECK_RC(open_it("uid-1", &one, &clear), KLM_E_CORRUPT);
    one.n = KR_GUARD_MORE - 1;
    CHECK_RC(open_it("uid-1", &one, &clear), KLM_E_CORRUPT);
    klm_buf_done(&one);
}

TEST(nothing_can_be_sealed_too)
{
    struct klm_buf one = sealed("uid-1", 0);
    struct klm_slice clear = {NULL, 0};

    REQUIRE_OK(open_it("uid-1", &one, &clear));
    CHECK_INT(clear.n, 0);
    klm_buf_done(&one);
}

TEST(what_a_guard_keeps_of_its_key_is_secret_memory)
{
    struct kr_guard *other = NULL;
    size_t before, with, after, reserved;

    klm_secret_usage(&before, &reserved);
    REQUIRE_OK(kr_guard_new(&other));
    klm_secret_usage(&with, &reserved);
    CHECK(with >= before + 32 + 500); /* the key, and the context that has it expanded */
    kr_guard_free(&other);
    klm_secret_usage(&after, &reserved);
    CHECK_INT(after, before);
}

/* One of them has the context that is kept, the others make theirs. */
static void *open_often(void *arg)
{
    const struct klm_buf *one = arg;
    struct klm_pool *own = NULL;
    struct klm_slice clear = {NULL, 0};
    bool good = klm_pool_new_wiping(0, &own) == KLM_OK;

    for (int i = 0; i < 3000 && good; i++) {
        good = kr_guard_open(guard, klm_slice_str(i % 7 ? "uid-1" : "uid-2"), klm_buf_as_slice(one),
                             own, &clear) == (i % 7 ? KLM_OK : KLM_E_CORRUPT) &&
               (i % 7 == 0 || memcmp(clear.p, secret, sizeof secret) == 0);
        klm_pool_clear(own);
    }
    klm_pool_free(&own);
    return good ? arg : NULL;
}

TEST(threads_open_at_the_same_time)
{
    struct klm_buf one = sealed("uid-1", sizeof secret);
    pthread_t thread[4];

    for (size_t i = 0; i < KLM_COUNT(thread); i++) {
        REQUIRE(pthread_create(&thread[i], NULL, open_often, &one) == 0);
    }
    for (int i = 0; i < 500; i++) {
        struct klm_buf more = sealed("uid-3", sizeof secret);

        klm_buf_done(&more);
    }
    for (size_t i = 0; i < KLM_COUNT(thread); i++) {
        void *good = NULL;

        pthread_join(thread[i], &good);
        CHECK(good == &one);
    }
    klm_buf_done(&one);
}

TEST(another_guard_does_not_open_it)
{
    struct klm_buf one = sealed("uid-1", sizeof secret);
    struct kr_guard *other = NULL;
    struct klm_slice clear = {NULL, 0};

    REQUIRE_OK(kr_guard_new(&other));
    CHECK_RC(kr_guard_open(other, klm_slice_str("uid-1"), klm_buf_as_slice(&one), pool, &clear),
             KLM_E_CORRUPT);
    kr_guard_free(&other);
    klm_buf_done(&one);
}

TEST(a_buffer_without_room_stays_as_it_was)
{
    struct klm_buf out;

    klm_buf_init(&out, 10);
    CHECK_RC(kr_guard_seal(guard, klm_slice_str("n"), KLM_SLICE(secret, 40), &out), KLM_E_LIMIT);
    CHECK_INT(out.n, 0);
    klm_buf_done(&out);
    klm_pool_free(&pool);
    kr_guard_free(&guard);
}
