/* The growing buffer. */
#include "test.h"

#include "base/buf.h"

TEST(numbers_are_written_big_endian)
{
    static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09,
                                       0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12};
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    klm_buf_u8(&buf, 0x01);
    klm_buf_u16(&buf, 0x0203);
    klm_buf_u24(&buf, 0x040506);
    klm_buf_u32(&buf, 0x0708090a);
    klm_buf_u64(&buf, UINT64_C(0x0b0c0d0e0f101112));
    REQUIRE_OK(klm_buf_rc(&buf));
    CHECK_INT(buf.n, sizeof expected);
    CHECK_MEM(buf.p, expected, sizeof expected);
    klm_buf_done(&buf);
}

TEST(prefixed_bytes_carry_their_length)
{
    static const uint8_t expected[] = {2,   'a', 'b', 0, 1, 'c', 0,   0, 0, 3,
                                       'd', 'e', 'f', 0, 2, 'h', 'i', 0, 0};
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    klm_buf_lp8(&buf, klm_slice_str("ab"));
    klm_buf_lp16(&buf, klm_slice_str("c"));
    klm_buf_lp32(&buf, klm_slice_str("def"));
    klm_buf_str16(&buf, "hi");
    klm_buf_str16(&buf, NULL);
    REQUIRE_OK(klm_buf_rc(&buf));
    CHECK_INT(buf.n, sizeof expected);
    CHECK_MEM(buf.p, expected, sizeof expected);
    klm_buf_done(&buf);
}

TEST(bytes_too_long_for_their_prefix_are_refused)
{
    static const uint8_t zeros[65536];
    struct klm_buf buf;

    klm_buf_init(&buf, 1 << 20);
    klm_buf_lp8(&buf, KLM_SLICE(zeros, 255));
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    klm_buf_lp8(&buf, KLM_SLICE(zeros, 256));
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    CHECK_INT(buf.n, 256);
    klm_buf_clear(&buf);
    klm_buf_lp16(&buf, KLM_SLICE(zeros, 65535));
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    klm_buf_lp16(&buf, KLM_SLICE(zeros, 65536));
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    klm_buf_clear(&buf);
    klm_buf_u24(&buf, 0x1000000);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    klm_buf_done(&buf);
}

TEST(a_buffer_holds_its_limit_and_not_one_byte_more)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 1000);
    for (int i = 0; i < 1000; i++) {
        klm_buf_u8(&buf, (uint8_t)i);
    }
    REQUIRE_OK(klm_buf_rc(&buf));
    CHECK(buf.cap <= 1000);
    klm_buf_u8(&buf, 0);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    CHECK_INT(buf.n, 1000);
    klm_buf_done(&buf);
}

TEST(after_the_first_failure_nothing_more_is_written)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 3);
    klm_buf_u16(&buf, 1);
    klm_buf_u16(&buf, 2);
    klm_buf_u8(&buf, 3);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    CHECK_INT(buf.n, 2);
    CHECK(klm_buf_room(&buf, 1) == NULL);
    klm_buf_clear(&buf);
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    klm_buf_u8(&buf, 3);
    CHECK_INT(buf.n, 1);
    klm_buf_done(&buf);
}

TEST(a_number_of_bytes_near_the_top_is_refused)
{
    struct klm_buf buf;

    klm_buf_init(&buf, SIZE_MAX);
    klm_buf_u8(&buf, 1);
    CHECK(klm_buf_room(&buf, SIZE_MAX) == NULL);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    klm_buf_done(&buf);
}

TEST(text_is_printed_without_its_nul_up_to_the_limit)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 8);
    klm_buf_printf(&buf, "%s%d", "abc", 12345);
    REQUIRE_OK(klm_buf_rc(&buf));
    CHECK(klm_slice_equal(klm_buf_as_slice(&buf), klm_slice_str("abc12345")));
    klm_buf_printf(&buf, "%s", "");
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    klm_buf_printf(&buf, "x");
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    klm_buf_done(&buf);
}

TEST(dropping_keeps_the_rest)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    klm_buf_text(&buf, "hello world");
    klm_buf_drop(&buf, 6);
    CHECK(klm_slice_equal(klm_buf_as_slice(&buf), klm_slice_str("world")));
    klm_buf_drop(&buf, 0);
    klm_buf_drop(&buf, 5);
    CHECK_INT(buf.n, 0);
    klm_buf_drop(&buf, 1);
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
}

TEST(a_length_is_set_later_but_only_where_bytes_are)
{
    static const uint8_t expected[] = {9, 0, 0, 1, 2, 7};
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    klm_buf_u8(&buf, 9);
    klm_buf_u32(&buf, 0);
    klm_buf_u8(&buf, 7);
    klm_buf_set_u32(&buf, 1, 0x102);
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    CHECK_MEM(buf.p, expected, sizeof expected);
    klm_buf_set_u32(&buf, 3, 1);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_INTERNAL);
    CHECK_MEM(buf.p, expected, sizeof expected);
    klm_buf_done(&buf);
}

TEST(a_set_in_an_empty_buffer_is_our_own_error)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    klm_buf_set_u32(&buf, 0, 1);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_INTERNAL);
    klm_buf_done(&buf);
}

TEST(a_short_put_keeps_to_the_limit_and_to_an_earlier_failure)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 10);
    klm_buf_put(&buf, NULL, 0);
    klm_buf_text(&buf, NULL);
    klm_buf_put(&buf, "01234567", 8);
    klm_buf_put(&buf, "89a", 3);
    CHECK_RC(klm_buf_rc(&buf), KLM_E_LIMIT);
    klm_buf_put(&buf, "x", 1); /* there is room, but the content has a hole */
    CHECK_INT(buf.n, 8);
    klm_buf_clear(&buf);
    klm_buf_put(&buf, "0123456789", 10);
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    CHECK_MEM(buf.p, "0123456789", 10);
    klm_buf_done(&buf);
}

TEST(numbers_are_written_as_decimal_digits)
{
    static const struct {
        uint64_t v;
        const char *text;
    } rows[] = {{0, "0"},
                {9, "9"},
                {10, "10"},
                {1234567890, "1234567890"},
                {UINT64_MAX, "18446744073709551615"}};
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        char text[KLM_DECIMAL_MAX];

        CHECK_INT(klm_decimal(rows[i].v, text), strlen(rows[i].text));
        CHECK_STR(text, rows[i].text);
        klm_buf_clear(&buf);
        klm_buf_decimal(&buf, rows[i].v);
        CHECK_INT(buf.n, strlen(rows[i].text));
        CHECK_MEM(buf.p, rows[i].text, buf.n);
    }
    klm_buf_done(&buf);
}
