/* Derive Key: answers that specifications published, and what is refused. */
#include "matter.h"

#include "keyring/derive.h"

#define METHOD(name) KMIP_DerivationMethod_##name
#define HASH_OF(name) KMIP_HashingAlgorithm_##name

static struct kr_material *secret_of(const char *text)
{
    return material_of(SECRET, FORMAT(Raw), klm_slice_str(text));
}

static struct kr_material_spec secret_bits(uint32_t bits)
{
    return (struct kr_material_spec){.object = SECRET, .bits = bits};
}

/* What is derived are these bytes. */
static void gives(const struct kr_derivation *from, const char *expected)
{
    const struct klm_slice wanted = hex(expected);
    const struct kr_material_spec spec = secret_bits((uint32_t)wanted.n * 8);
    struct kr_material *made = NULL;

    REQUIRE_OK(kr_derive(from, &spec, test_pool(), &made));
    CHECK(klm_slice_equal(bytes_of(made), wanted));
    CHECK_INT(kr_material_spec(made)->object, SECRET);
    CHECK_INT(kr_material_spec(made)->format, FORMAT(Raw));
    kr_material_free(&made);
}

static void refuses(const struct kr_derivation *from, uint32_t bits, klm_rc rc)
{
    const struct kr_material_spec spec = secret_bits(bits);
    struct kr_material *made = NULL;

    CHECK_RC(kr_derive(from, &spec, test_pool(), &made), rc);
    CHECK(made == NULL);
}

TEST(passwords_give_what_rfc_6070_says_and_with_sha_256_what_rfc_7914_says)
{
    struct kr_material *password = secret_of("password"), *passwd = secret_of("passwd");
    struct kr_derivation from = {.method = METHOD(PBKDF2),
                                 .key = password,
                                 .how = KR_CRYPT_NONE,
                                 .salt = klm_slice_str("salt"),
                                 .rounds = 1};

    gives(&from, "0c60c80f961f0e71f3a9b524af6012062fe037a6");
    from.rounds = 4096;
    gives(&from, "4b007901b765489abead49d926f721d065a429c1");
    from.rounds = 0;
    refuses(&from, 128, KLM_E_INVALID);
    CHECK_INT(KR_DERIVE_ROUNDS_MAX, 16777216); /* RFC 6070 has as many */
    from.rounds = KR_DERIVE_ROUNDS_MAX + 1;
    refuses(&from, 128, KLM_E_LIMIT);
    /* Two hashes of SHA-1 take twice as long as one, three thousand for as long as nobody waits. */
    from.rounds = KR_DERIVE_ROUNDS_MAX / 2 + 1;
    refuses(&from, 256, KLM_E_LIMIT);
    from.rounds = KR_DERIVE_ROUNDS_MAX / 100;
    refuses(&from, 8 * 60000, KLM_E_LIMIT);
    from.rounds = 1;
    from.salt = KLM_SLICE(NULL, 0);
    refuses(&from, 128, KLM_E_INVALID);
    from.key = passwd;
    from.salt = klm_slice_str("salt");
    from.how.hash = HASH_OF(SHA_256);
    gives(&from, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
                 "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783");
    kr_material_free(&password);
    kr_material_free(&passwd);
}

TEST(hkdf_gives_what_rfc_5869_says)
{
    struct klm_slice key = hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    struct kr_material *secret = material_of(SECRET, FORMAT(Raw), key);
    struct kr_derivation from = {.method = METHOD(HKDF),
                                 .key = secret,
                                 .how = KR_CRYPT_NONE,
                                 .salt = hex("000102030405060708090a0b0c"),
                                 .data = hex("f0f1f2f3f4f5f6f7f8f9")};

    gives(&from,
          "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    from.salt = from.data = KLM_SLICE(NULL, 0);
    gives(&from,
          "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    refuses(&from, (255 * 32 + 1) * 8, KLM_E_LIMIT);
    kr_material_free(&secret);
}

TEST(a_mac_a_hash_and_a_cipher_give_their_first_bytes)
{
    struct klm_slice key = hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    struct klm_slice aes = hex("000102030405060708090a0b0c0d0e0f");
    struct kr_material *mac_key = symmetric_of(ALG(HMAC_SHA256), key.p, key.n);
    struct kr_material *cipher_key = symmetric_of(ALG(AES), aes.p, aes.n), *abc = secret_of("abc");
    struct kr_derivation from = {.method = METHOD(HMAC),
                                 .key = mac_key,
                                 .how = KR_CRYPT_NONE,
                                 .data = klm_slice_str("Hi There")};

    from.how.hash = HASH_OF(SHA_1); /* ignored: the key says which */
    gives(&from, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"); /* RFC 4231 */
    gives(&from, "b0344c61d8db3853");
    refuses(&from, 264, KLM_E_LIMIT);
    refuses(&from, 12, KLM_E_LIMIT);
    refuses(&from, 0, KLM_E_LIMIT);
    from = (struct kr_derivation){.method = METHOD(HASH), .key = abc, .how = KR_CRYPT_NONE};
    refuses(&from, 128, KLM_E_INVALID); /* no hash */
    from.how.hash = HASH_OF(SHA_256);
    gives(&from, "ba7816bf8f01cfea414140de5dae2223"); /* FIPS 180-4 */
    from = (struct kr_derivation){.method = METHOD(ENCRYPT),
                                  .key = cipher_key,
                                  .how = KR_CRYPT_NONE,
                                  .data = hex("00112233445566778899aabbccddeeff")};
    from.how.mode = KMIP_BlockCipherMode_ECB;
    gives(&from, "69c4e0d86a7b0430d8cdb78070b4c55a"); /* FIPS 197 */
    from.how.mode = KMIP_BlockCipherMode_CBC;
    from.how.random_iv = true;                        /* nobody would learn it */
    gives(&from, "69c4e0d86a7b0430d8cdb78070b4c55a"); /* KMIP 2.1, 7.12: an empty IV is assumed */
    from.iv = hex("00000000000000000000000000000000");
    gives(&from, "69c4e0d86a7b0430d8cdb78070b4c55a");
    from.iv = hex("00112233445566778899aabbccddeeff");
    gives(&from, "c6a13b37878f5b826f4f8162a1c8d879"); /* AES of a block of zeros */
    from.iv = KLM_SLICE(NULL, 0);
    from.how.mode = KMIP_BlockCipherMode_CTR; /* a stream: two keys would tell their difference */
    refuses(&from, 128, KLM_E_SHORT);
    from.how.mode = KMIP_BlockCipherMode_CBC;
    from.data = KLM_SLICE(NULL, 0);
    refuses(&from, 128, KLM_E_INVALID);
    from.method = METHOD(NIST800_108_C);
    refuses(&from, 128, KLM_E_UNSUPPORTED);
    kr_material_free(&mac_key);
    kr_material_free(&cipher_key);
    kr_material_free(&abc);
}

static struct kr_material *point(uint32_t object, uint32_t format, const struct kr_parts *parts)
{
    const struct kr_material_spec spec = {
        .object = object, .format = format, .algorithm = ALG(EC), .curve = CURVE(P_256)};
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_parts_new(&spec, parts, &material));
    return material;
}

TEST(two_keys_of_a_curve_agree_on_what_nist_says)
{
    /* NIST CAVP, ECC CDH primitive, P-256, count 0 */
    struct kr_parts parts = {
        .d = hex("7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534")};
    struct kr_material *own = point(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts);
    parts = (struct kr_parts){
        .q_string = hex("04700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287"
                        "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac")};
    struct kr_material *peer = point(PUBLIC_KEY, FORMAT(TransparentECPublicKey), &parts);
    struct kr_material *other = NULL, *others = NULL;
    struct kr_derivation from = {
        .method = METHOD(AsymmetricKey), .key = own, .peer = peer, .how = KR_CRYPT_NONE};

    gives(&from, "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b");
    refuses(&from, 264, KLM_E_LIMIT);
    REQUIRE_OK(kr_material_generate_pair(
        &(struct kr_material_spec){.algorithm = ALG(EC), .bits = 384}, &other, &others));
    from.peer = others; /* of another curve */
    refuses(&from, 128, KLM_E_INVALID);
    from.peer = NULL;
    refuses(&from, 128, KLM_E_INVALID);
    kr_material_free(&own);
    kr_material_free(&peer);
    kr_material_free(&other);
    kr_material_free(&others);
}

TEST(a_symmetric_key_has_a_length_of_its_algorithm)
{
    struct kr_material *secret = secret_of("password"), *made = NULL;
    const struct kr_derivation from = {.method = METHOD(PBKDF2),
                                       .key = secret,
                                       .how = KR_CRYPT_NONE,
                                       .salt = klm_slice_str("salt"),
                                       .rounds = 1};
    struct kr_material_spec spec = {.object = SYMMETRIC, .algorithm = ALG(AES), .bits = 128};

    REQUIRE_OK(kr_derive(&from, &spec, test_pool(), &made));
    CHECK(klm_slice_equal(bytes_of(made), hex("0c60c80f961f0e71f3a9b524af601206")));
    CHECK_INT(kr_material_spec(made)->algorithm, ALG(AES));
    kr_material_free(&made);
    spec.bits = 136;
    CHECK_RC(kr_derive(&from, &spec, test_pool(), &made), KLM_E_LIMIT);
    spec.algorithm = ALG(RSA);
    CHECK_RC(kr_derive(&from, &spec, test_pool(), &made), KLM_E_UNSUPPORTED);
    kr_material_free(&secret);
}
