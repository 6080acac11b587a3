/* Base 64: the vectors of RFC 4648, section 10, and that each value has one text. */
#include "test.h"

#include "base/base64.h"

static const struct {
    const char *bytes, *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"},
               {"\xfb\xff\xbf", "+/+/"}};

TEST(bytes_become_the_text_of_the_standard_and_back)
{
    for (size_t i = 0; i < KLM_COUNT(vectors); i++) {
        size_t n = strlen(vectors[i].bytes), got = 99;
        char text[16];
        uint8_t bytes[16];

        klm_base64(vectors[i].bytes, n, text);
        CHECK_STR(text, vectors[i].text);
        CHECK_INT(strlen(text) + 1, KLM_BASE64_SIZE(n));
        CHECK_RC(klm_unbase64(text, bytes, n, &got), KLM_OK);
        CHECK_INT(got, n);
        CHECK(memcmp(bytes, vectors[i].bytes, n) == 0);
    }
}

TEST(what_is_no_such_text_is_refused)
{
    static const char *const wrong[] = {"Z",    "Zg",       "Zg=",  "Zg===", "Zh==",
                                        "Zm9=", "Z===",     "====", "Zm 9",  "Zm9\n",
                                        "Zg-_", "Zg==Zg==", "Zm9vY"};
    uint8_t bytes[16];
    size_t n = 99;

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        test_rc(klm_unbase64(wrong[i], bytes, sizeof bytes, &n), KLM_E_INVALID, wrong[i], __FILE__,
                __LINE__, false);
    }
    CHECK_RC(klm_unbase64("Zm9vYg==", bytes, 3, &n), KLM_E_LIMIT);
    CHECK_INT(n, 99);
}
