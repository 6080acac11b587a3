/* UTF-8: what is well formed and what may be shown. */
#include "base/utf8.h"
#include "test.h"

static bool printable(const char *s)
{
    return klm_utf8_printable(klm_slice_str(s));
}

TEST(text_in_any_script_is_printable)
{
    CHECK(printable(""));
    CHECK(printable("Tape label 1 ~"));
    CHECK(printable("Schl\xC3\xBCssel \xE9\x8D\xB5 \xF0\x9F\x94\x91"));
    CHECK(printable("\xC2\xA0")); /* the first beyond the C1 controls */
    CHECK(printable("\xEF\xBF\xBD"));
}

TEST(control_characters_and_noncharacters_are_not_printable)
{
    static const char *const bad[] = {"\x01",
                                      "a\tb",
                                      "\n",
                                      "\x1F",
                                      "\x7F",
                                      "\xC2\x80",
                                      "\xC2\x9F",
                                      "\xEF\xBF\xBE",
                                      "\xEF\xBF\xBF",
                                      "\xF0\x9F\xBF\xBE",
                                      "\xF4\x8F\xBF\xBF"};

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK(!printable(bad[i]));
    }
    CHECK(!klm_utf8_printable(KLM_SLICE("a\0b", 3)));
}

TEST(what_is_not_well_formed_has_no_length)
{
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC3",
                                      "\xC3(",
                                      "\xE0\x9F\xBF",
                                      "\xED\xA0\x80",
                                      "\xE9\x8D",
                                      "\xE9\x8D(",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xF0\x9F\x94",
                                      "\xFF"};

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_INT(klm_utf8_char((const uint8_t *)bad[i], strlen(bad[i])), 0);
    }
    CHECK_INT(klm_utf8_char((const uint8_t *)"", 0), 0);
    CHECK_INT(klm_utf8_char((const uint8_t *)"\xF0\x9F\x94\x91", 4), 4);
}

/* The same, one byte after the other. */
static size_t run_slowly(const uint8_t *p, size_t n, const char *except)
{
    size_t i = 0;

    while (i < n && p[i] >= 0x20 && p[i] <= 0x7E && !strchr(except, p[i])) {
        i++;
    }
    return i;
}

TEST(a_run_of_ascii_ends_at_each_byte_that_is_none_wherever_it_stands)
{
    static const char *const excepts[] = {"", "\\", "\"\\]"};
    uint8_t text[27];

    for (size_t k = 0; k < KLM_COUNT(excepts); k++) {
        for (unsigned c = 0; c < 256; c++) {
            for (size_t at = 0; at < sizeof text; at++) {
                memset(text, 'a', sizeof text);
                text[at] = (uint8_t)c;
                for (size_t n = 0; n <= sizeof text; n++) {
                    REQUIRE(klm_ascii_run(text, n, excepts[k]) == run_slowly(text, n, excepts[k]));
                    REQUIRE(klm_ascii_plain(text, n) == (run_slowly(text, n, "") == n));
                }
            }
        }
    }
}

TEST(a_run_of_ascii_ends_at_the_first_of_two)
{
    static const uint8_t pairs[] = {0x00, 0x1F, 0x20, 0x7E, 0x7F, 0x80, 0xFF, '\\'};
    uint8_t text[19];

    for (size_t a = 0; a < sizeof pairs; a++) {
        for (size_t b = 0; b < sizeof pairs; b++) {
            for (size_t at = 0; at + 1 < sizeof text; at++) {
                memset(text, '~', sizeof text);
                text[at] = pairs[a];
                text[at + 1] = pairs[b];
                REQUIRE(klm_ascii_run(text, sizeof text, "\\") ==
                        run_slowly(text, sizeof text, "\\"));
                for (size_t n = 0; n <= sizeof text; n++) {
                    REQUIRE(klm_ascii_plain(text, n) == (run_slowly(text, n, "") == n));
                }
            }
        }
    }
}

TEST(what_means_something_in_markup_is_escaped_and_nothing_else)
{
    const char *const escaped = "&<>\"'";

    CHECK_STR(klm_markup_escape('&'), "&amp;");
    CHECK_STR(klm_markup_escape('<'), "&lt;");
    CHECK_STR(klm_markup_escape('>'), "&gt;");
    CHECK_STR(klm_markup_escape('"'), "&quot;");
    CHECK_STR(klm_markup_escape('\''), "&apos;");
    for (unsigned c = 0; c < 256; c++) {
        CHECK((klm_markup_escape((uint8_t)c) != NULL) == (c && strchr(escaped, (int)c) != NULL));
    }
}
