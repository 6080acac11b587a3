/* The reading cursor. */
#include "test.h"

#include "base/buf.h"

#define CUR(cur, bytes) klm_cur_init(&(cur), KLM_SLICE(bytes, sizeof(bytes)))

TEST(numbers_are_read_big_endian_to_the_end)
{
    static const uint8_t in[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    struct klm_cur cur;
    uint8_t a;
    uint16_t b;
    uint32_t c, d;
    uint64_t e;

    CUR(cur, in);
    klm_cur_u8(&cur, &a);
    klm_cur_u16(&cur, &b);
    klm_cur_u24(&cur, &c);
    klm_cur_u32(&cur, &d);
    klm_cur_u64(&cur, &e);
    klm_cur_end(&cur);
    REQUIRE_OK(klm_cur_rc(&cur));
    CHECK_INT(a, 0x01);
    CHECK_INT(b, 0x0203);
    CHECK_INT(c, 0x040506);
    CHECK_INT(d, 0x0708090a);
    CHECK(e == UINT64_C(0x0b0c0d0e0f101112));
}

TEST(each_number_cut_short_is_short_and_reads_as_zero)
{
    static const uint8_t in[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct klm_cur cur;
    uint8_t a = 1;
    uint16_t b = 1;
    uint32_t c = 1, d = 1;
    uint64_t e = 1;

    klm_cur_init(&cur, KLM_SLICE(in, 0));
    klm_cur_u8(&cur, &a);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    klm_cur_init(&cur, KLM_SLICE(in, 1));
    klm_cur_u16(&cur, &b);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    klm_cur_init(&cur, KLM_SLICE(in, 2));
    klm_cur_u24(&cur, &c);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    klm_cur_init(&cur, KLM_SLICE(in, 3));
    klm_cur_u32(&cur, &d);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    klm_cur_init(&cur, KLM_SLICE(in, 7));
    klm_cur_u64(&cur, &e);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    CHECK(a == 0 && b == 0 && c == 0 && d == 0 && e == 0);
}

TEST(after_a_failure_nothing_is_read_though_bytes_are_left)
{
    static const uint8_t in[] = {1, 2, 3};
    struct klm_cur cur;
    uint32_t v;
    uint8_t b = 9;

    CUR(cur, in);
    klm_cur_u32(&cur, &v);
    klm_cur_u8(&cur, &b);
    CHECK_INT(b, 0);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    klm_cur_fail(&cur, KLM_E_CORRUPT);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
}

TEST(a_failure_of_the_caller_is_remembered)
{
    static const uint8_t in[] = {1};
    struct klm_cur cur;

    CUR(cur, in);
    klm_cur_fail(&cur, KLM_E_UNSUPPORTED);
    klm_cur_fail(&cur, KLM_E_INVALID);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_UNSUPPORTED);
}

TEST(bytes_are_borrowed_and_one_too_many_is_short)
{
    static const uint8_t in[] = {1, 2, 3, 4};
    struct klm_cur cur;
    struct klm_slice s;

    CUR(cur, in);
    klm_cur_bytes(&cur, 4, &s);
    CHECK(s.p == in && s.n == 4);
    CHECK_RC(klm_cur_rc(&cur), KLM_OK);
    CUR(cur, in);
    klm_cur_bytes(&cur, 5, &s);
    CHECK_INT(s.n, 0);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    CUR(cur, in);
    klm_cur_bytes(&cur, SIZE_MAX, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
}

TEST(a_copy_that_fails_is_zeroed)
{
    static const uint8_t in[] = {1, 2, 3};
    uint8_t out[4] = {9, 9, 9, 9}, zero[4] = {0};
    struct klm_cur cur;

    CUR(cur, in);
    klm_cur_copy(&cur, out, 3);
    CHECK_MEM(out, in, 3);
    CUR(cur, in);
    klm_cur_copy(&cur, out, 4);
    CHECK_MEM(out, zero, 4);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
}

TEST(prefixed_bytes_are_read_up_to_their_limit)
{
    static const uint8_t in[] = {2, 'a', 'b', 0, 1, 'c', 0, 0, 0, 3, 'd', 'e', 'f'};
    struct klm_cur cur;
    struct klm_slice a, b, c;

    CUR(cur, in);
    klm_cur_lp8(&cur, 2, &a);
    klm_cur_lp16(&cur, 1, &b);
    klm_cur_lp32(&cur, 3, &c);
    klm_cur_end(&cur);
    REQUIRE_OK(klm_cur_rc(&cur));
    CHECK(klm_slice_equal(a, klm_slice_str("ab")));
    CHECK(klm_slice_equal(b, klm_slice_str("c")));
    CHECK(klm_slice_equal(c, klm_slice_str("def")));
}

TEST(prefixed_bytes_one_over_their_limit_are_refused)
{
    static const uint8_t in8[] = {3, 1, 2, 3}, in16[] = {0, 3, 1, 2, 3},
                         in32[] = {0, 0, 0, 3, 1, 2, 3};
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 1};
    struct klm_cur cur;
    struct klm_slice s;

    CUR(cur, in8);
    klm_cur_lp8(&cur, 2, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_LIMIT);
    CHECK_INT(s.n, 0);
    CUR(cur, in16);
    klm_cur_lp16(&cur, 2, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_LIMIT);
    CUR(cur, in32);
    klm_cur_lp32(&cur, 2, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_LIMIT);
    CUR(cur, huge);
    klm_cur_lp32(&cur, SIZE_MAX, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
}

TEST(prefixed_bytes_cut_short_are_short)
{
    static const uint8_t in[] = {0, 3, 1, 2, 3};
    struct klm_cur cur;
    struct klm_slice s;

    for (size_t n = 0; n < sizeof in; n++) {
        klm_cur_init(&cur, KLM_SLICE(in, n));
        klm_cur_lp16(&cur, 100, &s);
        CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
        CHECK_INT(s.n, 0);
    }
}

TEST(strings_are_copied_and_end_with_nul)
{
    static const uint8_t in[] = {0, 2, 'o', 'k', 0, 0};
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_cur cur;
    const char *s, *empty;

    REQUIRE_OK(klm_pool_new(0, &pool));
    CUR(cur, in);
    klm_cur_str16(&cur, pool, 2, &s);
    klm_cur_str16(&cur, pool, 2, &empty);
    REQUIRE_OK(klm_cur_rc(&cur));
    CHECK_STR(s, "ok");
    CHECK_STR(empty, "");
}

TEST(strings_with_nul_too_long_or_without_memory_are_refused)
{
    static const uint8_t nul[] = {0, 3, 'a', 0, 'b'}, fine[] = {0, 3, 'a', 'b', 'c'};
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_cur cur;
    const char *s = "x";

    REQUIRE_OK(klm_pool_new(16, &pool));
    CUR(cur, nul);
    klm_cur_str16(&cur, pool, 10, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_INVALID);
    CHECK(s == NULL);
    CUR(cur, fine);
    klm_cur_str16(&cur, pool, 2, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_LIMIT);
    REQUIRE(klm_pool_alloc(pool, 16) != NULL);
    CUR(cur, fine);
    klm_cur_str16(&cur, pool, 3, &s);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_NOMEM);
}

TEST(texts_go_into_arrays_up_to_their_last_byte_and_have_no_zero_in_them)
{
    static const uint8_t in[] = {2, 'a', 'b', 3, 'a', 'b', 'c', 2, 'a', 0};
    struct klm_cur cur;
    char out[3] = "xy";

    klm_cur_init(&cur, KLM_SLICE(in, 3));
    klm_cur_text8(&cur, sizeof out, out);
    CHECK_RC(klm_cur_rc(&cur), KLM_OK);
    CHECK_STR(out, "ab");
    klm_cur_init(&cur, KLM_SLICE(in + 3, 4)); /* one more than there is room for */
    klm_cur_text8(&cur, sizeof out, out);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_LIMIT);
    CHECK_STR(out, "");
    klm_cur_init(&cur, KLM_SLICE(in + 7, 3));
    klm_cur_text8(&cur, sizeof out, out);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_INVALID);
    CHECK_STR(out, "");
    klm_cur_init(&cur, KLM_SLICE(in, 2)); /* cut short */
    klm_cur_text8(&cur, sizeof out, out);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_SHORT);
    CHECK_STR(out, "");
}

TEST(numbers_of_eight_bytes_beyond_those_with_a_sign_are_refused)
{
    static const uint8_t in[] = {0x7f, 255, 255, 255, 255, 255, 255, 255,
                                 0x80, 0,   0,   0,   0,   0,   0,   0};
    struct klm_cur cur;
    int64_t out = 5;

    klm_cur_init(&cur, KLM_SLICE(in, sizeof in));
    klm_cur_i64(&cur, &out);
    CHECK_RC(klm_cur_rc(&cur), KLM_OK);
    CHECK(out == INT64_MAX);
    klm_cur_i64(&cur, &out);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_INVALID);
    CHECK(out == INT64_MAX);
}

TEST(one_byte_too_many_is_invalid)
{
    static const uint8_t in[] = {1, 2};
    struct klm_cur cur;
    uint8_t v;

    CUR(cur, in);
    klm_cur_u8(&cur, &v);
    CHECK_INT(klm_cur_left(&cur), 1);
    klm_cur_end(&cur);
    CHECK_RC(klm_cur_rc(&cur), KLM_E_INVALID);
}

TEST(hex_goes_both_ways)
{
    static const uint8_t bytes[] = {0x00, 0x1f, 0xa9, 0xff};
    uint8_t out[4];
    char text[9];
    size_t n = 0;

    klm_hex(bytes, 4, text);
    CHECK_STR(text, "001fa9ff");
    klm_hex_upper(bytes, 4, text);
    CHECK_STR(text, "001FA9FF");
    REQUIRE_OK(klm_unhex("001fA9Ff", out, 4, &n));
    CHECK_INT(n, 4);
    CHECK_MEM(out, bytes, 4);
    REQUIRE_OK(klm_unhex("", out, 4, &n));
    CHECK_INT(n, 0);
}

TEST(bad_hex_is_refused_and_nothing_is_written)
{
    uint8_t out[4] = {9, 9, 9, 9};
    size_t n = 77;

    CHECK_RC(klm_unhex("abc", out, 4, &n), KLM_E_INVALID);
    CHECK_RC(klm_unhex("ag", out, 4, &n), KLM_E_INVALID);
    CHECK_RC(klm_unhex("00 1", out, 4, &n), KLM_E_INVALID);
    CHECK_RC(klm_unhex("0x01", out, 4, &n), KLM_E_INVALID);
    CHECK_RC(klm_unhex("0102030405", out, 4, &n), KLM_E_LIMIT);
    CHECK(n == 77 && out[0] == 9 && out[3] == 9);
}
