/* MACs and hashes: vectors of the standards and of Python, every row of the tables, and what is refused. */
#include "crypt.h"

static uint32_t hmacs_seen[128], hashes_seen;
static size_t hmacs_n;

static void check_mac_line(char *const f[FIELDS])
{
    uint32_t algorithm = value(KMIP_E_CryptographicAlgorithm, f[1]);
    struct klm_slice data = hex(f[4]), expected = hex(f[5]), made = {0};
    struct kr_crypt how = KR_CRYPT_NONE;
    bool is_valid = false;

    KLM_AUTO(kr_material_free)
    struct kr_material *key = symmetric(
        strncmp(f[1], "HMAC", 4) && algorithm ? algorithm : (uint32_t)ALG(AES), hex(f[3]));
    how.hash = value(KMIP_E_HashingAlgorithm, f[2]);
    how.algorithm = algorithm; /* of the MAC, whatever the key's is */
    CHECK_RC(kr_mac(key, &how, data, test_pool(), &made), KLM_OK);
    CHECK_SLICE(made, expected);
    CHECK_RC(kr_mac_verify(key, &how, data, expected, test_pool(), &is_valid), KLM_OK);
    CHECK(is_valid);
    if (hmacs_n < KLM_COUNT(hmacs_seen)) {
        hmacs_seen[hmacs_n++] = algorithm;
    }
}

TEST(every_mac_gives_what_plain_python_gives)
{
    static const uint32_t rows[] = {
#define KR_HMAC(algorithm, hash) ALG(algorithm),
#include "keyring/hmacs.def"
#undef KR_HMAC
    };

    CHECK(vectors("mac", check_mac_line) > 80);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        bool seen = false;

        for (size_t j = 0; j < hmacs_n; j++) {
            seen |= hmacs_seen[j] == rows[i];
        }
        CHECK(seen);
    }
}

static void check_hash_line(char *const f[FIELDS])
{
    uint32_t hash = value(KMIP_E_HashingAlgorithm, f[1]);
    struct klm_slice made = {0};

    CHECK_RC(kr_hash(hash, hex(f[2]), test_pool(), &made), KLM_OK);
    CHECK_SLICE(made, hex(f[3]));
    hashes_seen |= 1u << hash;
}

TEST(every_hash_gives_what_python_gives)
{
    static const uint32_t rows[] = {
#define KR_HASH(hash, name) HASH(hash),
#include "keyring/hashes.def"
#undef KR_HASH
    };

    hashes_seen =
        1u << HASH(MD4) | 1u << HASH(Whirlpool); /* only while the legacy provider is loaded */
    CHECK(vectors("hash", check_hash_line) > 30);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        CHECK(hashes_seen >> rows[i] & 1);
    }
}

/* RFC 1321, A.5; FIPS 180-4 and FIPS 202 example values; the RIPEMD-160 page of its makers. All of "abc". */
TEST(hashes_of_abc_are_those_of_the_standards)
{
    static const struct {
        uint32_t hash;
        const char *value;
    } rows[] = {
        {HASH(MD5), "900150983cd24fb0d6963f7d28e17f72"},
        {HASH(SHA_1), "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {HASH(SHA_256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {HASH(SHA_512_256), "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
        {HASH(SHA3_256), "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
        {HASH(RIPEMD_160), "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct klm_slice made = {0};

        CHECK_RC(kr_hash(rows[i].hash, klm_slice_str("abc"), test_pool(), &made), KLM_OK);
        CHECK_SLICE(made, hex(rows[i].value));
    }
}

TEST(hashes_that_are_not_here_are_unsupported)
{
    static const uint32_t none[] = {0,    HASH(MD2),  HASH(MD4), HASH(Tiger), HASH(Whirlpool),
                                    0x12, 0x80000001, UINT32_MAX};
    struct klm_slice made = {0};

    for (size_t i = 0; i < KLM_COUNT(none); i++) {
        CHECK_RC(kr_hash(none[i], klm_slice_str("abc"), test_pool(), &made), KLM_E_UNSUPPORTED);
    }
    CHECK(made.p == NULL);
    CHECK_RC(kr_hash(HASH(SHA_1), KLM_SLICE("", KR_CRYPT_MAX + 1), test_pool(), &made),
             KLM_E_LIMIT);
}

/* RFC 4231, 4.3; RFC 2202, 3, case 2; RFC 4493, 4, examples 1 and 3; SP 800-38B, D.4, example 14; RFC 8439, 2.5.2. */
TEST(macs_are_those_of_the_standards)
{
    static const struct {
        uint32_t algorithm;
        const char *key, *data, *value;
    } rows[] = {
        {ALG(HMAC_SHA256), "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {ALG(HMAC_SHA1), "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
        {ALG(AES), "2b7e151628aed2a6abf7158809cf4f3c", "", "bb1d6929e95937287fa37d129b756746"},
        {ALG(AES), "2b7e151628aed2a6abf7158809cf4f3c",
         "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411",
         "dfa66747de9ae63030ca32611497c827"},
        {ALG(DES3), "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "6bc1bee22e409f96",
         "8e8f293136283797"},
        {ALG(Poly1305), "85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b",
         "43727970746f6772617068696320466f72756d2052657365617263682047726f7570",
         "a8061dc1305136c6c22b8baf0c0127a9"},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        KLM_AUTO(kr_material_free)
        struct kr_material *key = symmetric(rows[i].algorithm, hex(rows[i].key));
        struct klm_slice made = {0};

        CHECK_RC(kr_mac(key, HOW(.mode = 0), hex(rows[i].data), test_pool(), &made), KLM_OK);
        CHECK_SLICE(made, hex(rows[i].value));
    }
}

TEST(the_parameters_decide_the_mac)
{
    KLM_AUTO(kr_material_free) struct kr_material *aes = symmetric(ALG(AES), bytes(1, 16));
    KLM_AUTO(kr_material_free) struct kr_material *hmac = symmetric(ALG(HMAC_SHA256), bytes(1, 16));
    KLM_AUTO(kr_material_free)
    struct kr_material *secret =
        key_of(KMIP_ObjectType_SecretData, KMIP_KeyFormatType_Raw, 0, bytes(1, 16));
    struct klm_slice data = klm_slice_str("data"), want = {0}, made = {0};

    CHECK_RC(kr_mac(hmac, HOW(.mode = 0), data, test_pool(), &want), KLM_OK);
    CHECK_RC(kr_mac(aes, HOW(.algorithm = ALG(HMAC_SHA256)), data, test_pool(), &made), KLM_OK);
    CHECK_SLICE(made, want);
    CHECK_RC(kr_mac(aes, HOW(.algorithm = ALG(HMAC_SHA256), .hash = HASH(SHA_256)), data,
                    test_pool(), &made),
             KLM_OK);
    CHECK_SLICE(made, want);
    CHECK_RC(kr_mac(aes, HOW(.hash = HASH(SHA_256)), data, test_pool(), &made), KLM_OK);
    CHECK_SLICE(made, want);
    CHECK_RC(kr_mac(secret, HOW(.algorithm = ALG(HMAC_SHA256)), data, test_pool(), &made), KLM_OK);
    CHECK_SLICE(made, want);
    CHECK_RC(kr_mac(aes, HOW(.mode = 0), data, test_pool(), &want), KLM_OK);
    CHECK_RC(kr_mac(aes, HOW(.mode = MODE(CMAC)), data, test_pool(), &made), KLM_OK);
    CHECK_SLICE(made, want);
    CHECK_INT(made.n, 16);
    CHECK_RC(kr_mac(hmac, HOW(.algorithm = ALG(AES), .mode = MODE(CMAC)), data, test_pool(), &made),
             KLM_OK);
    CHECK_SLICE(made, want);
}

TEST(a_mac_that_was_changed_or_cut_is_not_valid)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = symmetric(ALG(HMAC_SHA256), bytes(1, 16));
    const struct kr_crypt *how = HOW(.mode = 0);
    struct klm_slice data = klm_slice_str("data"), mac = {0};
    bool is_valid = true;

    REQUIRE_OK(kr_mac(key, how, data, test_pool(), &mac));
    for (size_t bit = 0; bit < 8 * mac.n; bit++) {
        uint8_t *bad = copy_of(mac);

        bad[bit / 8] ^= (uint8_t)(1 << bit % 8);
        CHECK_RC(kr_mac_verify(key, how, data, KLM_SLICE(bad, mac.n), test_pool(), &is_valid),
                 KLM_OK);
        CHECK(!is_valid);
    }
    for (size_t n = 0; n <= mac.n + 1; n++) {
        CHECK_RC(kr_mac_verify(key, how, data, KLM_SLICE(copy_of(mac), n), test_pool(), &is_valid),
                 KLM_OK);
        CHECK_INT(is_valid, n == mac.n);
    }
}

TEST(macs_that_cannot_be_are_refused)
{
    struct kr_material_spec spec = {.object = KMIP_ObjectType_SymmetricKey,
                                    .format = KMIP_KeyFormatType_Raw,
                                    .algorithm = ALG(HMAC_SHA1),
                                    .wrapped = true};
    KLM_AUTO(kr_material_free) struct kr_material *wrapped = NULL;
    KLM_AUTO(kr_material_free) struct kr_material *aes = symmetric(ALG(AES), bytes(1, 16));
    KLM_AUTO(kr_material_free) struct kr_material *odd = symmetric(ALG(AES), bytes(1, 15));
    KLM_AUTO(kr_material_free) struct kr_material *unnamed = symmetric(0, bytes(1, 16));
    struct klm_slice data = klm_slice_str("data"), made = {0};
    bool is_valid = true;

    REQUIRE_OK(kr_material_new(&spec, bytes(1, 20), &wrapped));
    CHECK_RC(kr_mac(aes, HOW(.algorithm = ALG(HMAC_SHA256), .hash = HASH(SHA_1)), data, test_pool(),
                    &made),
             KLM_E_INVALID);
    CHECK_RC(kr_mac(aes, HOW(.algorithm = ALG(Poly1305)), data, test_pool(), &made),
             KLM_E_INVALID); /* its keys have 32 bytes */
    CHECK_RC(kr_mac(aes, HOW(.hash = HASH(Tiger)), data, test_pool(), &made), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(aes, HOW(.mode = MODE(GCM)), data, test_pool(), &made), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(aes, HOW(.mode = MODE(CBC_MAC)), data, test_pool(), &made), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(aes, HOW(.algorithm = ALG(RSA)), data, test_pool(), &made), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(aes, HOW(.algorithm = ALG(Twofish)), data, test_pool(), &made),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(odd, HOW(.mode = 0), data, test_pool(), &made), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(unnamed, HOW(.mode = 0), data, test_pool(), &made), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(wrapped, HOW(.mode = 0), data, test_pool(), &made), KLM_E_STATE);
    CHECK_RC(kr_mac(private_key("rsa"), HOW(.hash = HASH(SHA_256)), data, test_pool(), &made),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_mac(aes, HOW(.mode = 0), KLM_SLICE(data.p, KR_CRYPT_MAX + 1), test_pool(), &made),
             KLM_E_LIMIT);
    CHECK_RC(kr_mac_verify(aes, HOW(.mode = MODE(GCM)), data, data, test_pool(), &is_valid),
             KLM_E_UNSUPPORTED);
    CHECK(is_valid && made.p == NULL);
}
