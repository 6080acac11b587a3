/* HMAC-SHA256: the published values, pieces, keys of every length that is taken, and that nothing is kept between texts. */
#include "base/hmac.h"

#include "base/buf.h"
#include "test.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

static void check(struct klm_slice key, struct klm_slice text, const char *want)
{
    struct klm_hmac *hmac = NULL;
    uint8_t got[KLM_HMAC];
    char hex[2 * KLM_HMAC + 1];

    REQUIRE_OK(klm_hmac_new(key, &hmac));
    for (int again = 0; again < 2; again++) {
        klm_hmac(hmac, &text, 1, got);
        klm_hex(got, sizeof got, hex);
        CHECK_STR(hex, want);
    }
    klm_hmac_free(&hmac);
    klm_hmac_once(key, text, got);
    klm_hex(got, sizeof got, hex);
    CHECK_STR(hex, want);
}

/* RFC 4231, 4.2, 4.3 and 4.4. */
TEST(the_values_of_rfc_4231_come_out)
{
    uint8_t key[20], text[50];

    memset(key, 0x0b, sizeof key);
    check(KLM_SLICE(key, 20), klm_slice_str("Hi There"),
          "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    check(klm_slice_str("Jefe"), klm_slice_str("what do ya want for nothing?"),
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(text, 0xdd, sizeof text);
    check(KLM_SLICE(key, 20), KLM_SLICE(text, 50),
          "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}

TEST(keys_and_texts_of_every_length_are_as_the_librarys_own)
{
    uint8_t bytes[300], want[EVP_MAX_MD_SIZE], got[KLM_HMAC];
    struct klm_hmac *hmac = NULL;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + 1);
    }
    for (size_t key = 0; key <= KLM_HMAC_KEY_MAX; key++) {
        REQUIRE_OK(klm_hmac_new(KLM_SLICE(bytes, key), &hmac));
        for (size_t n = 0; n <= sizeof bytes; n += 13) {
            const struct klm_slice parts[] = {
                KLM_SLICE(bytes, n / 3), KLM_SLICE(bytes + n / 3, n - n / 3), KLM_SLICE(NULL, 0)};

            REQUIRE(HMAC(EVP_sha256(), bytes, (int)key, bytes, n, want, NULL) != NULL);
            klm_hmac(hmac, parts, KLM_COUNT(parts), got);
            CHECK(memcmp(got, want, sizeof got) == 0);
            klm_hmac_once(KLM_SLICE(bytes, key), KLM_SLICE(bytes, n), got);
            CHECK(memcmp(got, want, sizeof got) == 0);
        }
        klm_hmac_free(&hmac);
    }
}

TEST(a_key_that_is_too_long_is_refused)
{
    static const uint8_t key[KLM_HMAC_KEY_MAX + 1];
    struct klm_hmac *hmac = NULL;

    CHECK_RC(klm_hmac_new(KLM_SLICE(key, sizeof key), &hmac), KLM_E_LIMIT);
    CHECK(hmac == NULL);
    klm_hmac_free(&hmac);
}
