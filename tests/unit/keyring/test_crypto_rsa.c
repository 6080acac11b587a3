/* Encryption with RSA: what openssl's command line encrypted and what it decrypts, and paddings that are wrong. */
#include "crypt.h"

#include <openssl/rsa.h>

#define MODULUS 256 /* bytes, of the golden key */

static void check_rsa_line(char *const f[FIELDS])
{
    struct kr_crypt how = KR_CRYPT_NONE;
    struct kr_cipher_out out = {0};
    struct klm_slice clear = hex(f[5]), sealed = hex(f[6]);

    how.padding = value(KMIP_E_PaddingMethod, f[1]);
    how.hash = value(KMIP_E_HashingAlgorithm, f[2]);
    how.mask_hash = value(KMIP_E_HashingAlgorithm, f[3]);
    how.p_source = hex(f[4]);
    CHECK_RC(kr_decrypt(private_key("rsa"), &how, IN(.data = sealed), test_pool(), &out), KLM_OK);
    CHECK_SLICE(out.data, clear);
    /* The lines have SHA-1 for the mask, or the hash itself: both are tried when nothing is said. */
    how.mask_hash = 0;
    CHECK_RC(kr_decrypt(private_key("rsa"), &how, IN(.data = sealed), test_pool(), &out), KLM_OK);
    CHECK_SLICE(out.data, clear);
}

TEST(what_openssl_encrypted_is_decrypted)
{
    CHECK(vectors("rsa", check_rsa_line) > 50);
}

static klm_rc encrypt(const struct kr_crypt *how, struct klm_slice data, struct klm_slice *sealed)
{
    KLM_AUTO(kr_material_free) struct kr_material *key = public_key("rsa");
    struct kr_cipher_out out = {0};
    klm_rc rc = kr_encrypt(key, how, IN(.data = data), test_pool(), &out);

    CHECK_INT(out.iv.n + out.tag.n, 0);
    *sealed = out.data;
    return rc;
}

static klm_rc decrypt(const struct kr_crypt *how, struct klm_slice data, struct klm_slice *clear)
{
    struct kr_cipher_out out = {0};
    klm_rc rc = kr_decrypt(private_key("rsa"), how, IN(.data = data), test_pool(), &out);

    *clear = out.data;
    return rc;
}

/* openssl's command line decrypts it, with these options. */
static void check_openssl(struct klm_slice sealed, const char *mode, const char *md,
                          const char *mask, struct klm_slice clear)
{
    const char *in = write_temp("sealed", sealed), *to = test_path("clear");
    char padding[64], hash[64], mgf[64];

    (void)snprintf(padding, sizeof padding, "rsa_padding_mode:%s", mode);
    (void)snprintf(hash, sizeof hash, "rsa_oaep_md:%s", md);
    (void)snprintf(mgf, sizeof mgf, "rsa_mgf1_md:%s", mask);
    if (mode[0] == 'o') {
        CHECK(OPENSSL("pkeyutl", "-decrypt", "-inkey", GOLDEN "rsa2048.der", "-keyform", "DER",
                      "-in", in, "-out", to, "-pkeyopt", padding, "-pkeyopt", hash, "-pkeyopt",
                      mgf) != NULL);
    } else {
        CHECK(OPENSSL("pkeyutl", "-decrypt", "-inkey", GOLDEN "rsa2048.der", "-keyform", "DER",
                      "-in", in, "-out", to, "-pkeyopt", padding) != NULL);
    }
    CHECK_SLICE(load(to), clear);
}

TEST(openssl_decrypts_what_was_encrypted)
{
    struct klm_slice clear = klm_slice_str("a key, perhaps"), sealed;

    REQUIRE_OK(encrypt(HOW(.padding = PAD(PKCS1V1_5)), clear, &sealed));
    check_openssl(sealed, "pkcs1", "", "", clear);
    REQUIRE_OK(encrypt(HOW(.padding = PAD(OAEP)), clear, &sealed));
    check_openssl(sealed, "oaep", "sha1", "sha1", clear);
    REQUIRE_OK(encrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_256)), clear, &sealed));
    check_openssl(sealed, "oaep", "sha256", "sha1", clear); /* KMIP 1.4, 3.6 */
    REQUIRE_OK(encrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_384),
                           .mask = KMIP_MaskGenerator_MGF1, .mask_hash = HASH(SHA_512)),
                       clear, &sealed));
    check_openssl(sealed, "oaep", "sha384", "sha512", clear);
}

TEST(a_certificate_and_a_private_key_encrypt_too)
{
    KLM_AUTO(kr_material_free) struct kr_material *cert = NULL;
    struct kr_cipher_out out = {0};
    struct klm_slice der, clear;

    REQUIRE_OK(kr_cert_parse(load(GOLDEN "rsa2048.pem"), test_pool(), &der, NULL));
    cert = key_of(KMIP_ObjectType_Certificate, KMIP_CertificateType_X_509, 0, der);
    CHECK_RC(
        kr_encrypt(cert, HOW(.padding = PAD(OAEP)), IN(.data = bytes(1, 9)), test_pool(), &out),
        KLM_OK);
    CHECK_RC(decrypt(HOW(.padding = PAD(OAEP)), out.data, &clear), KLM_OK);
    CHECK_SLICE(clear, bytes(1, 9));
    CHECK_RC(kr_encrypt(private_key("rsa"), HOW(.padding = PAD(OAEP)), IN(.data = bytes(2, 9)),
                        test_pool(), &out),
             KLM_OK);
    CHECK_RC(decrypt(HOW(.padding = PAD(OAEP)), out.data, &clear), KLM_OK);
    CHECK_SLICE(clear, bytes(2, 9));
    CHECK_RC(kr_decrypt(cert, HOW(.padding = PAD(OAEP)), IN(.data = out.data), test_pool(), &out),
             KLM_E_UNSUPPORTED);
}

TEST(an_oaep_that_is_wrong_in_any_way_has_one_outcome)
{
    const struct kr_crypt *how =
        HOW(.padding = PAD(OAEP), .hash = HASH(SHA_256), .p_source = klm_slice_str("label"));
    struct klm_slice sealed, clear = {0};

    REQUIRE_OK(encrypt(how, bytes(3, 20), &sealed));
    CHECK_RC(decrypt(how, sealed, &clear), KLM_OK);
    clear = NONE;
    CHECK_RC(decrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_256)), sealed, &clear),
             KLM_E_CRYPTO);
    CHECK_RC(
        decrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_256), .p_source = klm_slice_str("labe")),
                sealed, &clear),
        KLM_E_CRYPTO);
    CHECK_RC(
        decrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_1), .p_source = klm_slice_str("label")),
                sealed, &clear),
        KLM_E_CRYPTO);
    CHECK_RC(decrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_256), .mask_hash = HASH(SHA_512),
                         .p_source = klm_slice_str("label")),
                     sealed, &clear),
             KLM_E_CRYPTO);
    for (size_t at = 1; at < MODULUS; at += 50) {
        uint8_t *bad = copy_of(sealed);

        bad[at] ^= 1;
        CHECK_RC(decrypt(how, KLM_SLICE(bad, sealed.n), &clear), KLM_E_CRYPTO);
    }
    CHECK_RC(decrypt(how, bytes(0xff, MODULUS), &clear), KLM_E_CRYPTO);
    CHECK_RC(decrypt(how, KLM_SLICE(sealed.p, MODULUS - 1), &clear), KLM_E_INVALID);
    CHECK_RC(decrypt(how, KLM_SLICE(copy_of(sealed), MODULUS + 1), &clear), KLM_E_INVALID);
    CHECK_RC(decrypt(how, NONE, &clear), KLM_E_INVALID);
    CHECK(clear.p == NULL);
}

/* A block that becomes a ciphertext just as it is. */
static struct klm_slice raw(const uint8_t block[MODULUS])
{
    struct klm_slice der = load(GOLDEN "rsa2048.der");
    const unsigned char *p = der.p;
    EVP_PKEY *pkey = d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, (long)der.n);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    uint8_t *out = klm_pool_alloc(test_pool(), MODULUS);
    size_t n = MODULUS;

    REQUIRE(out && EVP_PKEY_encrypt_init(ctx) == 1 &&
            EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1);
    REQUIRE(EVP_PKEY_encrypt(ctx, out, &n, block, MODULUS) == 1 && n == MODULUS);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return KLM_SLICE(out, n);
}

/* 00 02, others, and where the zero is. */
static void block_of(uint8_t block[MODULUS], uint8_t first, uint8_t type, size_t zero)
{
    memset(block, 0xaa, MODULUS);
    block[0] = first;
    block[1] = type;
    if (zero) {
        block[zero] = 0;
    }
}

TEST(a_pkcs1_padding_that_is_right_gives_the_message)
{
    static const size_t zeros[] = {10, 11, 100, MODULUS - 2, MODULUS - 1};
    uint8_t block[MODULUS];

    for (size_t i = 0; i < KLM_COUNT(zeros); i++) {
        struct klm_slice clear = {0};

        block_of(block, 0, 2, zeros[i]);
        CHECK_RC(decrypt(HOW(.padding = PAD(PKCS1V1_5)), raw(block), &clear), KLM_OK);
        CHECK_SLICE(clear, bytes(0xaa, MODULUS - 1 - zeros[i]));
    }
    block_of(block, 0, 2, 20);
    block[30] = 0; /* a message may have zeros: the first one ends the padding */
    struct klm_slice clear = {0};
    CHECK_RC(decrypt(HOW(.padding = PAD(PKCS1V1_5)), raw(block), &clear), KLM_OK);
    CHECK_INT(clear.n, MODULUS - 21);
}

/* Bad blocks decrypt, each to bytes of its own, always the same, and to none of its own bytes. */
TEST(a_pkcs1_padding_that_is_wrong_shows_in_nothing)
{
    static const struct {
        uint8_t first, type;
        size_t zero;
    } rows[] = {{0, 1, 20}, {0, 0, 20}, {0, 2, 0},  {0, 2, 2},
                {0, 2, 9},  {1, 2, 20}, {0, 3, 20}, {0, 0x82, 20}};
    struct klm_slice seen[KLM_COUNT(rows)];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        uint8_t block[MODULUS];
        struct klm_slice again = {0};

        block_of(block, rows[i].first, rows[i].type, rows[i].zero);
        CHECK_RC(decrypt(HOW(.padding = PAD(PKCS1V1_5)), raw(block), &seen[i]), KLM_OK);
        CHECK_RC(decrypt(HOW(.padding = PAD(PKCS1V1_5)), raw(block), &again), KLM_OK);
        CHECK_SLICE(again, seen[i]);
        CHECK(seen[i].n <= MODULUS - 11);
        for (size_t at = 0; at + 4 <= seen[i].n; at++) {
            CHECK(memcmp(seen[i].p + at, "\xaa\xaa\xaa\xaa", 4) != 0);
        }
        for (size_t j = 0; j < i; j++) {
            CHECK(!klm_slice_equal(seen[i], seen[j]));
        }
    }
}

TEST(lengths_of_what_a_wrong_padding_gives_are_spread)
{
    size_t shorter = 0, longer = 0;

    for (uint8_t i = 0; i < 40; i++) {
        uint8_t block[MODULUS];
        struct klm_slice clear = {0};

        block_of(block, 0, 1, 20);
        block[200] = i;
        CHECK_RC(decrypt(HOW(.padding = PAD(PKCS1V1_5)), raw(block), &clear), KLM_OK);
        shorter += clear.n < 123;
        longer += clear.n >= 123;
    }
    CHECK(shorter > 5 && longer > 5);
}

TEST(data_is_as_long_as_the_padding_leaves_room)
{
    struct klm_slice sealed = {0};

    CHECK_RC(encrypt(HOW(.padding = PAD(PKCS1V1_5)), bytes(1, MODULUS - 11), &sealed), KLM_OK);
    CHECK_RC(encrypt(HOW(.padding = PAD(PKCS1V1_5)), bytes(1, MODULUS - 10), &sealed),
             KLM_E_INVALID);
    CHECK_RC(encrypt(HOW(.padding = PAD(OAEP)), bytes(1, MODULUS - 42), &sealed), KLM_OK);
    CHECK_RC(encrypt(HOW(.padding = PAD(OAEP)), bytes(1, MODULUS - 41), &sealed), KLM_E_INVALID);
    CHECK_RC(
        encrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_512)), bytes(1, MODULUS - 130), &sealed),
        KLM_OK);
    CHECK_RC(
        encrypt(HOW(.padding = PAD(OAEP), .hash = HASH(SHA_512)), bytes(1, MODULUS - 129), &sealed),
        KLM_E_INVALID);
}

TEST(rsa_encryption_needs_a_padding_a_hash_and_an_rsa_key_that_are_there)
{
    KLM_AUTO(kr_material_free) struct kr_material *public = public_key("rsa");
    struct kr_cipher_in in = {.data = bytes(1, 9)}, block = {.data = bytes(1, MODULUS)};
    struct kr_cipher_out out = {0};

    CHECK_RC(kr_encrypt(public, HOW(.hash = HASH(SHA_256)), &in, test_pool(), &out), KLM_E_INVALID);
    CHECK_RC(kr_encrypt(public, HOW(.padding = PAD(None)), &block, test_pool(), &out),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_encrypt(public, HOW(.padding = PAD(PKCS5)), &in, test_pool(), &out),
             KLM_E_UNSUPPORTED);
    CHECK_RC(
        kr_encrypt(public, HOW(.padding = PAD(OAEP), .hash = HASH(Tiger)), &in, test_pool(), &out),
        KLM_E_UNSUPPORTED);
    CHECK_RC(kr_encrypt(public, HOW(.padding = PAD(OAEP), .mask_hash = HASH(MD2)), &in, test_pool(),
                        &out),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_encrypt(public, HOW(.padding = PAD(OAEP), .mask = 2), &in, test_pool(), &out),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_encrypt(public, HOW(.padding = PAD(OAEP), .algorithm = ALG(AES)), &in, test_pool(),
                        &out),
             KLM_E_INVALID);
    CHECK_RC(kr_encrypt(private_key("ec256"), HOW(.padding = PAD(OAEP)), &in, test_pool(), &out),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_decrypt(public, HOW(.padding = PAD(PKCS1V1_5)), &block, test_pool(), &out),
             KLM_E_UNSUPPORTED);
    in.aad = bytes(1, 1);
    CHECK_RC(kr_encrypt(public, HOW(.padding = PAD(OAEP)), &in, test_pool(), &out), KLM_E_INVALID);
    block.tag = bytes(1, 16);
    CHECK_RC(kr_decrypt(private_key("rsa"), HOW(.padding = PAD(OAEP)), &block, test_pool(), &out),
             KLM_E_INVALID);
    CHECK(out.data.p == NULL);
}
