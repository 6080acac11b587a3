/* SHA-256 of two parts. */
#include "test.h"

#include "smf/hash.h"

#include <openssl/evp.h>

TEST(the_hash_of_abc_is_that_of_the_standard)
{
    /* FIPS 180-4's example, in one part and in two */
    static const uint8_t expected[SMF_HASH_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                                    0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                                    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                                    0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    struct smf_hash *hash = NULL;
    uint8_t out[SMF_HASH_SIZE];

    REQUIRE_OK(smf_hash_new(&hash));
    REQUIRE_OK(smf_hash_two(hash, klm_slice_str("abc"), KLM_SLICE(NULL, 0), out));
    CHECK_MEM(out, expected, sizeof out);
    REQUIRE_OK(smf_hash_two(hash, klm_slice_str("a"), klm_slice_str("bc"), out));
    CHECK_MEM(out, expected, sizeof out);
    REQUIRE_OK(smf_hash_two(hash, KLM_SLICE(NULL, 0), klm_slice_str("abc"), out));
    CHECK_MEM(out, expected, sizeof out);
    smf_hash_free(&hash);
    CHECK(hash == NULL);
    smf_hash_free(&hash);
}

TEST(texts_of_all_lengths_have_the_hash_that_evp_makes)
{
    struct smf_hash *hash = NULL;
    uint8_t text[300], out[SMF_HASH_SIZE], expected[SMF_HASH_SIZE];

    REQUIRE_OK(smf_hash_new(&hash));
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 89 + 7);
    }
    for (size_t n = 0; n <= sizeof text; n++) {
        REQUIRE(EVP_Digest(text, n, expected, NULL, EVP_sha256(), NULL) == 1);
        REQUIRE_OK(
            smf_hash_two(hash, KLM_SLICE(text, n / 3), KLM_SLICE(text + n / 3, n - n / 3), out));
        CHECK_MEM(out, expected, sizeof out);
    }
    smf_hash_free(&hash);
}
