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
