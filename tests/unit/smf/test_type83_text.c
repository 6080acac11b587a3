/* Text in code page 1047 with escapes, packed dates, offsets. */
#include "records_test.h"

#include "base/ebcdic.h"

/* Text to EBCDIC, seen as Latin 1. */
static const char *put(const char *text, size_t n)
{
    static char shown[200];
    struct klm_buf out;

    klm_buf_init(&out, sizeof shown - 1);
    smf_ebcdic_put(&out, text, n);
    REQUIRE_OK(klm_buf_rc(&out));
    klm_from_ebcdic(out.p, shown, out.n);
    shown[out.n] = '\0';
    klm_buf_done(&out);
    return shown;
}

static klm_rc get(const char *latin, size_t n, char *out, size_t cap)
{
    uint8_t in[100], to[200];
    size_t used = 0;

    REQUIRE(n <= sizeof in);
    klm_to_ebcdic(latin, in, n);
    KLM_TRY(smf_ebcdic_get(KLM_SLICE(in, n), to, &used));
    REQUIRE(used < cap);
    memcpy(out, to, used);
    out[used] = '\0';
    return KLM_OK;
}

static const char *got(const char *latin)
{
    static char out[200];

    REQUIRE_OK(get(latin, strlen(latin), out, sizeof out));
    return out;
}

TEST(latin_characters_are_bytes_and_others_are_escaped)
{
    CHECK_STR(put("a[b]^", 5), "a[b]^");
    CHECK_STR(put("\303\204\303\277\302\240", 6), "\xC4\xFF\xA0");
    CHECK_STR(put("\304\200\342\202\254\360\237\224\221", 9), "\\u{100}\\u{20AC}\\u{1F511}");
    CHECK_STR(put("\364\217\277\277", 4), "\\u{10FFFF}");
}

TEST(a_backslash_is_escaped_only_where_it_would_begin_an_escape)
{
    CHECK_STR(put("\\u{41}", 6), "\\u{5C}u{41}");
    CHECK_STR(put("\\\\u{", 4), "\\\\u{5C}u{");
    CHECK_STR(put("\\", 1), "\\");
    CHECK_STR(put("\\u", 2), "\\u");
    CHECK_STR(put("\\\304\200", 3), "\\\\u{100}");
}

TEST(controls_and_what_is_no_utf8_become_dots)
{
    CHECK_STR(put("a\tb\n\0c\177", 7), "a.b..c.");
    CHECK_STR(put("\302\205x\300\200\355\240\200", 8), ".x.....");
    CHECK_STR(put("\342\202", 2), "..");
    CHECK_STR(put("", 0), "");
}

TEST(escapes_read_back_once_and_what_is_none_stays)
{
    CHECK_STR(got("\\u{5C}u{41}"), "\\u{41}");
    CHECK_STR(got("\\u{20AC}\xC4"), "\342\202\254\303\204");
    CHECK_STR(got("\\u{10FFFF}"), "\364\217\277\277");
    CHECK_STR(got("\\u{}"), "\\u{}");
    CHECK_STR(got("\\u{1234567}"), "\\u{1234567}");
    CHECK_STR(got("\\u{20ac}"), "\\u{20ac}");
    CHECK_STR(got("\\u{20AC"), "\\u{20AC");
    CHECK_STR(got("\\\\u{100}"), "\\\304\200");
    CHECK_STR(got(""), "");
}

TEST(controls_surrogates_and_numbers_that_are_too_high_are_damage)
{
    static const char *const wrong[] = {"\\u{0}",    "\\u{1B}",     "\\u{9F}", "\\u{D800}",
                                        "\\u{DFFF}", "\\u{110000}", "a\nb",    "\x85"};
    char out[200] = "kept";

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        CHECK_RC(get(wrong[i], strlen(wrong[i]), out, sizeof out), KLM_E_CORRUPT);
    }
    CHECK_RC(get("a\0b", 3, out, sizeof out), KLM_E_CORRUPT);
    CHECK_STR(out, "kept");
}

/* Every character that is no control, and pairs of awkward ones. */
TEST(all_of_unicode_comes_back)
{
    static uint8_t text[5 * 256];
    uint8_t to[2 * 10 * 256];
    struct klm_buf out;

    klm_buf_init(&out, 10 * 256);
    for (uint32_t first = 0xA0; first < 0x110000; first += 256) {
        size_t n = 0, used = 0;

        for (uint32_t c = first; c < first + 256 && c < 0x110000; c++) {
            if (c >= 0xD800 && c < 0xE000) {
                continue;
            }
            if (c >= 0x10000) {
                text[n++] = (uint8_t)(0xF0 | c >> 18);
            }
            if (c >= 0x800) {
                text[n++] = (uint8_t)((c >= 0x10000 ? 0x80 : 0xE0) |
                                      (c >> 12 & (c >= 0x10000 ? 0x3F : 0x0F)));
            }
            text[n++] = (uint8_t)((c >= 0x800 ? 0x80 : 0xC0) | (c >> 6 & 0x3F));
            text[n++] = (uint8_t)(0x80 | (c & 0x3F));
        }
        klm_buf_clear(&out);
        smf_ebcdic_put(&out, (const char *)text, n);
        REQUIRE_OK(smf_ebcdic_get(klm_buf_as_slice(&out), to, &used));
        REQUIRE(used == n && memcmp(to, text, n) == 0);
    }
    klm_buf_done(&out);
}

TEST(local_time_is_hundredths_and_a_packed_date)
{
    struct smf_local local = smf_local_of(1795309323000004, 60);
    int year, day;

    CHECK(local.hundredths == 732300 && local.packed == 0x0126326F);
    local = smf_local_of(946684799990000, 0); /* the last of 1999 */
    CHECK(local.hundredths == 8639999 && local.packed == 0x0099365F);
    local = smf_local_of(946684799990000, 1);
    CHECK(local.hundredths == 5999 && local.packed == 0x0100001F);
    local = smf_local_of(951782400000000, 0); /* 2000-02-29 */
    CHECK(local.packed == 0x0100060F);
    local = smf_local_of(0, -60);
    CHECK(local.hundredths == 0 && local.packed == 0x0070001F);
    CHECK(smf_packed_date(0x0124366F, &year, &day) && year == 2024 && day == 366);
    CHECK(!smf_packed_date(0x0123366F, &year, &day));
    CHECK(!smf_packed_date(0x0123000F, &year, &day) && !smf_packed_date(0x0123001C, &year, &day));
    CHECK(!smf_packed_date(0x012A001F, &year, &day) && !smf_packed_date(0x1123001F, &year, &day));
}

/* Day by day over four centuries against the calendar of base. */
TEST(each_day_has_its_date)
{
    for (int day = 0; day < 366 * 230; day++) {
        klm_time t = INT64_C(86400000000) * day;
        char iso[KLM_ISO_DATE_MAX], first[KLM_ISO_DATE_MAX];
        klm_time begin = 0;
        int year = 0, ddd = 0;

        klm_iso_date(t, iso);
        snprintf(first, sizeof first, "%.4s-01-01T00:00:00.000000Z", iso);
        REQUIRE_OK(klm_iso_date_parse(first, &begin));
        REQUIRE(smf_packed_date(smf_local_of(t, 0).packed, &year, &ddd));
        REQUIRE(ddd == (t - begin) / INT64_C(86400000000) + 1);
        REQUIRE(year == (iso[0] - '0') * 1000 + (iso[1] - '0') * 100 + (iso[2] - '0') * 10 +
                            (iso[3] - '0'));
    }
}

TEST(offsets_are_signed_hours_and_minutes)
{
    int minutes = 7;

    CHECK(smf_offset_parse("+01:00", &minutes) && minutes == 60);
    CHECK(smf_offset_parse("-23:59", &minutes) && minutes == -1439);
    CHECK(!smf_offset_parse("", &minutes) && !smf_offset_parse("+", &minutes));
    CHECK(!smf_offset_parse("01:00", &minutes) && !smf_offset_parse("+1:00", &minutes));
    CHECK(!smf_offset_parse("+01:00 ", &minutes) && !smf_offset_parse("+01:60", &minutes));
    CHECK(!smf_offset_parse("+24:00", &minutes) && minutes == -1439);
}
