/* Pools. */
#include "test.h"

#include "base/pool.h"

#include <stdalign.h>
#include <stddef.h>
#include <stdlib.h>

TEST(memory_of_a_pool_is_zeroed_aligned_and_apart)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    uint8_t *last = NULL;

    REQUIRE_OK(klm_pool_new(0, &pool));
    for (size_t n = 0; n < 3000; n += 7) {
        uint8_t *p = klm_pool_alloc(pool, n);

        REQUIRE(p != NULL);
        CHECK((uintptr_t)p % alignof(max_align_t) == 0);
        CHECK(p != last);
        for (size_t i = 0; i < n; i++) {
            REQUIRE(p[i] == 0);
        }
        memset(p, 0xee, n);
        last = p;
    }
}

TEST(a_large_piece_does_not_disturb_the_small_ones)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    char *a, *big, *b;

    REQUIRE_OK(klm_pool_new(0, &pool));
    a = klm_pool_str(pool, "before");
    big = klm_pool_alloc(pool, 1 << 20);
    REQUIRE(a && big);
    memset(big, 'x', 1 << 20);
    b = klm_pool_str(pool, "after");
    CHECK_STR(a, "before");
    CHECK_STR(b, "after");
    CHECK(big[(1 << 20) - 1] == 'x');
}

TEST(a_pool_gives_its_limit_and_not_one_byte_more)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(4096, &pool));
    CHECK(klm_pool_alloc(pool, 4097) == NULL);
    CHECK(klm_pool_alloc(pool, 4096) != NULL);
    CHECK(klm_pool_alloc(pool, 1) == NULL);
    CHECK(klm_pool_str(pool, "x") == NULL);
    CHECK(klm_pool_printf(pool, "%d", 1) == NULL);
}

TEST(an_odd_limit_is_reached_with_one_request)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(101, &pool));
    CHECK(klm_pool_alloc(pool, 101) != NULL);
    CHECK(klm_pool_alloc(pool, 1) == NULL);
}

TEST(a_size_near_the_top_is_refused)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(SIZE_MAX, &pool));
    CHECK(klm_pool_alloc(pool, SIZE_MAX) == NULL);
    CHECK(klm_pool_alloc(pool, SIZE_MAX - 20) == NULL);
    CHECK(klm_pool_strn(pool, "x", SIZE_MAX) == NULL);
}

TEST(strings_and_slices_are_copied)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    char text[] = "drive 000123456789";
    struct klm_slice s = {0};
    char *whole, *part;

    REQUIRE_OK(klm_pool_new(0, &pool));
    whole = klm_pool_str(pool, text);
    part = klm_pool_strn(pool, text, 5);
    REQUIRE_OK(klm_pool_slice(pool, KLM_SLICE(text, 5), &s));
    memset(text, '-', sizeof text - 1);
    CHECK_STR(whole, "drive 000123456789");
    CHECK_STR(part, "drive");
    CHECK(klm_slice_equal(s, klm_slice_str("drive")));
    CHECK_STR(klm_pool_printf(pool, "%s/%04d", "a", 7), "a/0007");
    CHECK(klm_pool_str(pool, NULL) == NULL);
}

TEST(an_empty_slice_is_copied_and_a_failed_copy_leaves_the_output_alone)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice s = KLM_SLICE("keep", 4);

    REQUIRE_OK(klm_pool_new(16, &pool));
    CHECK_RC(klm_pool_slice(pool, KLM_SLICE("0123456789abcdefg", 17), &s), KLM_E_NOMEM);
    CHECK(klm_slice_equal(s, klm_slice_str("keep")));
    REQUIRE_OK(klm_pool_slice(pool, KLM_SLICE(NULL, 0), &s));
    CHECK_INT(s.n, 0);
}

TEST(slices_differ_by_length_and_by_content)
{
    CHECK(!klm_slice_equal(klm_slice_str("abc"), klm_slice_str("abd")));
    CHECK(!klm_slice_equal(klm_slice_str("abc"), klm_slice_str("ab")));
    CHECK(klm_slice_equal(KLM_SLICE(NULL, 0), klm_slice_str("")));
    CHECK_INT(klm_slice_str(NULL).n, 0);
}

TEST(a_freed_pool_is_null_and_may_be_freed_again)
{
    struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new_wiping(0, &pool));
    klm_pool_free(&pool);
    CHECK(pool == NULL);
    klm_pool_free(&pool);
    klm_pool_free(NULL);
}

TEST(a_cleared_pool_gives_all_of_its_limit_again_and_zeroed)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(100000, &pool));
    klm_pool_clear(pool);
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < 1000; i++) {
            uint8_t *p = klm_pool_alloc(pool, 80);

            REQUIRE(p != NULL);
            for (size_t k = 0; k < 80; k++) {
                REQUIRE(p[k] == 0);
            }
            memset(p, 0xee, 80);
        }
        REQUIRE(klm_pool_alloc(pool, 20000) != NULL);
        CHECK(klm_pool_alloc(pool, 1) == NULL);
        klm_pool_clear(pool);
    }
}

TEST(a_formatted_text_of_any_length_is_whole)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(0, &pool));
    for (int n = 0; n < 700; n++) {
        const char *s = klm_pool_printf(pool, "%*s.", n, "a");

        REQUIRE(s != NULL);
        REQUIRE(strlen(s) == (size_t)(n ? n : 1) + 1);
        REQUIRE(s[strlen(s) - 1] == '.' && s[strlen(s) - 2] == 'a');
    }
}
