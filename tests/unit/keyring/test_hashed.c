/* Hashed passwords: vectors made by Python (hashlib) from KMIP 2.1, 9.11 and 8.5 alone. */
#include "keyring/hashed.h"
#include "test.h"

#include <string.h>

#define USER klm_slice_str("backup")
#define PASSWORD klm_slice_str("correct horse")
#define STAMP INT64_C(1700000000000000)

static const struct {
    uint32_t hash;
    const char *shown, *answer;
} vector[] = {
    {KMIP_HashingAlgorithm_SHA_256,
     "0c486eedcd394ed77bd78ab6745c71a33d9c460477fb11d7e505ab57cccbe35b"
     "f2e8529023949afcd19303725dc3a27e1fc839d60742e270497b21fbb3bb0a7a",
     "6c99084899284632110e5207cfc2dde0bb3d2d55f4397bbe5366fc2ae2e6a011"},
    {KMIP_HashingAlgorithm_SHA_384,
     "8c12b3a086bbdbbcb15522a3afa582c0539fbf695668335789d7dca329933949a1d5418f8435b93a9e71914aced6"
     "827b163df1b1ad51664ac30c4cbfd1a487157492a5acf3d50310c36bfe7bca0ea76b9c72f9aa8ebcbbd1d785280f"
     "6f27d35f",
     "42b9bcbe0b81a3439b6d53c59b354a1c7d1d0c40bd66ed1909b566025f2943109bc7afe6dbb8749b709596bc92d7"
     "50b3"},
    {KMIP_HashingAlgorithm_SHA_512,
     "06efc71137c3105b264380defb3f68c7603f12ce747d5750665053144b63f2984a9bcda250065f8207b9fe9e74f3"
     "b047abd49231b1b72d6c94c93db7680e6877cbcc6cbba828cb7571674646c1e017d261cdfbc73068a373da636fdf"
     "ce9899b309ab4e037c8ea4831c245af1f41287ca9b21acbcdbfb9d3112a4c5e76d9637e7",
     "867fdc38d0f3d03d1e4fc2ab340b93eadce98d74f62324ac7aa976628a59a3cffd6e73056ad5bba04ed45242e980"
     "baab12d9bc11d3096e6ab5d790c00e903ded"}};

static size_t from_hex(const char *hex, uint8_t out[128])
{
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, out, 128, &n));
    return n;
}

TEST(a_hashed_password_is_the_one_of_the_specification_and_so_is_the_answer)
{
    struct kr_material *kept = NULL;

    REQUIRE_OK(kr_hashed_make(USER, PASSWORD, &kept));
    for (size_t i = 0; i < KLM_COUNT(vector); i++) {
        uint8_t shown[128], expected[128], answer[KR_HASHED_MOST];
        size_t n = from_hex(vector[i].shown, shown), an = 0,
               en = from_hex(vector[i].answer, expected);

        CHECK_RC(kr_hashed_try(kept, vector[i].hash, STAMP, KLM_SLICE(shown, n), answer, &an),
                 KLM_OK);
        CHECK(an == en && memcmp(answer, expected, en) == 0);
        CHECK_INT(kr_hashed_size(vector[i].hash), n / 2);
    }
    kr_material_free(&kept);
}

TEST(nothing_else_is_right)
{
    struct kr_material *kept = NULL, *other = NULL;
    uint8_t shown[128], answer[KR_HASHED_MOST];
    size_t n = from_hex(vector[0].shown, shown), an = 77;
    const uint32_t hash = vector[0].hash;

    REQUIRE_OK(kr_hashed_make(USER, PASSWORD, &kept));
    CHECK_RC(kr_hashed_try(kept, hash, STAMP + 1, KLM_SLICE(shown, n), answer, &an),
             KLM_E_WRONGKEY);
    CHECK_RC(kr_hashed_try(kept, hash, STAMP, KLM_SLICE(shown, n - 1), answer, &an),
             KLM_E_WRONGKEY);
    CHECK_RC(kr_hashed_try(kept, hash, STAMP, KLM_SLICE(shown, n + 1), answer, &an),
             KLM_E_WRONGKEY);
    CHECK_RC(
        kr_hashed_try(kept, KMIP_HashingAlgorithm_SHA_512, STAMP, KLM_SLICE(shown, n), answer, &an),
        KLM_E_WRONGKEY);
    CHECK_RC(
        kr_hashed_try(kept, KMIP_HashingAlgorithm_SHA_1, STAMP, KLM_SLICE(shown, n), answer, &an),
        KLM_E_UNSUPPORTED);
    for (size_t bit = 0; bit < 8 * n; bit += 13) { /* a bit of either half */
        shown[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_RC(kr_hashed_try(kept, hash, STAMP, KLM_SLICE(shown, n), answer, &an),
                 KLM_E_WRONGKEY);
        shown[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    CHECK_INT(an, 77);
    REQUIRE_OK(kr_hashed_make(USER, klm_slice_str("correct horsf"), &other));
    CHECK_RC(kr_hashed_try(other, hash, STAMP, KLM_SLICE(shown, n), answer, &an), KLM_E_WRONGKEY);
    kr_material_free(&other);
    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_SecretData,
                                                          .format = KMIP_KeyFormatType_Opaque},
                               PASSWORD, &other));
    CHECK_RC(kr_hashed_try(other, hash, STAMP, KLM_SLICE(shown, n), answer, &an), KLM_E_CORRUPT);
    kr_material_free(&other);
    kr_material_free(&kept);
    CHECK_RC(kr_hashed_make(klm_slice_str(""), PASSWORD, &kept), KLM_E_LIMIT);
    CHECK_RC(kr_hashed_make(USER, klm_slice_str(""), &kept), KLM_E_LIMIT);
}
