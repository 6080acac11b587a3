/* Sign and Signature Verify: against openssl's command line, the vectors of RFC 8032 and RFC 6979, and with everything that may be wrong. */
#include "crypt.h"

struct sign_line {
    struct kr_crypt how;
    struct klm_slice data, signature;
};

static struct sign_line sign_line(char *const f[FIELDS])
{
    struct sign_line line = {.how = KR_CRYPT_NONE, .data = hex(f[7]), .signature = hex(f[8])};

    line.how.signature = value(KMIP_E_DigitalSignatureAlgorithm, f[2]);
    line.how.padding = value(KMIP_E_PaddingMethod, f[3]);
    line.how.hash = value(KMIP_E_HashingAlgorithm, f[4]);
    line.how.mask_hash = value(KMIP_E_HashingAlgorithm, f[5]);
    line.how.salt_length = strtol(f[6], NULL, 10);
    return line;
}

static bool valid(const struct kr_material *key, const struct kr_crypt *how, struct klm_slice data,
                  struct klm_slice signature)
{
    bool is_valid = false;

    CHECK_RC(kr_material_verify(key, how, data, false, signature, &is_valid), KLM_OK);
    return is_valid;
}

static bool is_random(const char *name, const struct kr_crypt *how)
{
    return strcmp(name, "dsa") == 0 || (name[0] == 'e' && name[1] == 'c') || name[0] == 'k' ||
           name[0] == 'b' || how->padding == PAD(PSS);
}

static void check_changed(const struct kr_material *key, const struct sign_line *line)
{
    for (size_t at = 0; at < line->signature.n; at += 7) {
        uint8_t *bad = copy_of(line->signature);

        bad[at] ^= 4;
        CHECK(!valid(key, &line->how, line->data, KLM_SLICE(bad, line->signature.n)));
    }
    CHECK(!valid(key, &line->how, line->data, KLM_SLICE(line->signature.p, line->signature.n - 1)));
    CHECK(!valid(key, &line->how, line->data,
                 KLM_SLICE(copy_of(line->signature), line->signature.n + 1)));
    CHECK(!valid(key, &line->how, line->data, NONE));
    CHECK(!valid(key, &line->how, NONE, line->signature));
    CHECK(
        !valid(key, &line->how, KLM_SLICE(copy_of(line->data), line->data.n + 1), line->signature));
}

static void check_sign_line(char *const f[FIELDS])
{
    struct sign_line line = sign_line(f);
    KLM_AUTO(kr_material_free) struct kr_material *public = public_key(f[1]);
    struct klm_slice made = {0};

    CHECK(valid(public, &line.how, line.data, line.signature));
    check_changed(public, &line);
    CHECK_RC(kr_material_sign(private_key(f[1]), &line.how, line.data, false, test_pool(), &made),
             KLM_OK);
    CHECK(valid(public, &line.how, line.data, made));
    if (!is_random(f[1], &line.how)) {
        CHECK_SLICE(made, line.signature);
    } else {
        CHECK(!klm_slice_equal(made, line.signature) || line.how.salt_length == 0);
    }
}

TEST(openssl_and_we_agree_on_every_kind_of_signature)
{
    CHECK(vectors("sign", check_sign_line) > 60);
}

/* Rows of the table that a line was there for. */
static uint32_t named;
static void note_sign_line(char *const f[FIELDS])
{
    named |= 1u << value(KMIP_E_DigitalSignatureAlgorithm, f[2]);
}

TEST(no_named_signature_is_without_a_vector)
{
    static const uint32_t rows[] = {
#define KR_SIGNATURE(name, kind, hash, padding) SIGNATURE(name),
#include "keyring/signatures.def"
#undef KR_SIGNATURE
    };

    named = 1u << SIGNATURE(RSASSA_PSS); /* its lines have PSS as the padding; it is used below */
    CHECK(vectors("sign", note_sign_line) > 60);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        CHECK(named >> rows[i] & 1);
    }
}

/* RFC 8032, 7.1, tests 1 and 3; 7.4, one octet. */
TEST(eddsa_gives_the_signatures_of_the_rfc)
{
    static const struct {
        const char *pkcs8, *data, *signature;
    } rows[] = {
        {"302e020100300506032b657004220420"
         "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
         "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "cf9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"302e020100300506032b657004220420"
         "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "84dc6594a7c15e9716ed28dc027beceea1ec40a"},
        {"3047020100300506032b6571043b0439"
         "c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a"
         "659949ef8021e954e0a12274e",
         "03",
         "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8"
         "ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905"
         "e799"
         "f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00"},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        KLM_AUTO(kr_material_free)
        struct kr_material *key =
            key_of(KMIP_ObjectType_PrivateKey, KMIP_KeyFormatType_PKCS_8, 0, hex(rows[i].pkcs8));
        struct klm_slice made = {0};

        CHECK_RC(
            kr_material_sign(key, HOW(.mode = 0), hex(rows[i].data), false, test_pool(), &made),
            KLM_OK);
        CHECK_SLICE(made, hex(rows[i].signature));
    }
}

/* RFC 6979, A.2.5: P-256, "sample", with SHA-256, SHA-1 and SHA-512; r and s as DER has them. */
TEST(ecdsa_signatures_of_the_rfc_are_valid)
{
    KLM_AUTO(kr_material_free)
    struct kr_material *key =
        key_of(KMIP_ObjectType_PublicKey, KMIP_KeyFormatType_X_509, 0,
               hex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
                   "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                   "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"));
    struct klm_slice sha256 =
        hex("3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716022100f7cb1c"
            "942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    struct klm_slice sha1 =
        hex("3044022061340c88c3aaebeb4f6d667f672ca9759a6ccaa9fa8811313039ee4a35471d3202206d7f147dac"
            "089441bb2e2fe8f7a3fa264b9c475098fdcf6e00d7c996e1b8b7eb");

    CHECK(
        valid(key, HOW(.signature = SIGNATURE(ECDSAWithSHA256)), klm_slice_str("sample"), sha256));
    CHECK(valid(key, HOW(.hash = HASH(SHA_256)), klm_slice_str("sample"), sha256));
    CHECK(valid(key, HOW(.mode = 0), klm_slice_str("sample"), sha256)); /* nothing said */
    CHECK(!valid(key, HOW(.hash = HASH(SHA_1)), klm_slice_str("sample"), sha256));
    CHECK(valid(key, HOW(.hash = HASH(SHA_1)), klm_slice_str("sample"), sha1));
    CHECK(!valid(key, HOW(.hash = HASH(SHA_1)), klm_slice_str("simple"), sha1));
}

/* The key decides: parameters that were made for RSA do not hinder an EC key. */
TEST(the_kind_of_the_key_decides_the_scheme)
{
    struct klm_slice made = {0}, data = klm_slice_str("data");
    KLM_AUTO(kr_material_free) struct kr_material *key = public_key("k256");

    CHECK_RC(kr_material_sign(private_key("k256"), HOW(.algorithm = ALG(ECDSA)), data, false,
                              test_pool(), &made),
             KLM_OK);
    CHECK(valid(key, HOW(.padding = PAD(PSS), .hash = HASH(SHA_256), .algorithm = ALG(RSA)), data,
                made));
    CHECK(!valid(key, HOW(.padding = PAD(PSS), .hash = HASH(SHA_1), .algorithm = ALG(RSA)), data,
                 made));
}

TEST(a_pss_signature_is_taken_with_any_salt_and_either_mask_when_nothing_is_said)
{
    static const int64_t salts[] = {0, 20, 32, 222};
    KLM_AUTO(kr_material_free) struct kr_material *key = public_key("rsa");
    struct klm_slice data = klm_slice_str("data");

    for (size_t i = 0; i < KLM_COUNT(salts); i++) {
        for (uint32_t mask = HASH(SHA_1); mask <= HASH(SHA_512); mask++) {
            struct kr_crypt how = {.padding = PAD(PSS),
                                   .hash = HASH(SHA_256),
                                   .mask_hash = mask,
                                   .salt_length = salts[i]};
            struct klm_slice made = {0};

            CHECK_RC(kr_material_sign(private_key("rsa"), &how, data, false, test_pool(), &made),
                     KLM_OK);
            CHECK(valid(key, &how, data, made));
            CHECK(valid(key, HOW(.padding = PAD(PSS), .hash = HASH(SHA_256), .mask_hash = mask),
                        data, made));
            CHECK_INT(valid(key, HOW(.padding = PAD(PSS), .hash = HASH(SHA_256)), data, made),
                      mask == HASH(SHA_1) || mask == HASH(SHA_256));
            how.salt_length = salts[i] + 1;
            CHECK(!valid(key, &how, data, made));
            CHECK(!valid(key, HOW(.padding = PAD(PKCS1V1_5), .hash = HASH(SHA_256)), data, made));
        }
    }
}

/* openssl's words for it. */
static bool openssl_says(struct klm_slice data, struct klm_slice signature, const char *md,
                         const char *mask, const char *salt)
{
    const char *of = write_temp("data", data), *with = write_temp("signature", signature);

    return OPENSSL("dgst", md, "-prverify", GOLDEN "rsa2048.der", "-keyform", "DER", "-sigopt",
                   "rsa_padding_mode:pss", "-sigopt", mask, "-sigopt", salt, "-signature", with,
                   of) != NULL;
}

TEST(a_pss_signature_has_the_hash_as_mask_and_a_salt_of_its_length)
{
    struct klm_slice made = {0}, data = klm_slice_str("data");

    CHECK_RC(kr_material_sign(private_key("rsa"),
                              HOW(.signature = SIGNATURE(RSASSA_PSS), .hash = HASH(SHA_384)), data,
                              false, test_pool(), &made),
             KLM_OK);
    CHECK(openssl_says(data, made, "-sha384", "rsa_mgf1_md:sha384", "rsa_pss_saltlen:48"));
    CHECK(!openssl_says(data, made, "-sha384", "rsa_mgf1_md:sha384", "rsa_pss_saltlen:20"));
    CHECK_RC(
        kr_material_sign(private_key("rsa"),
                         HOW(.padding = PAD(PSS), .signature = SIGNATURE(SHA_256WithRSAEncryption),
                             .mask_hash = HASH(SHA_1), .trailer = 1),
                         data, false, test_pool(), &made),
        KLM_OK);
    CHECK(openssl_says(data, made, "-sha256", "rsa_mgf1_md:sha1", "rsa_pss_saltlen:20"));
}

TEST(a_digest_is_signed_as_its_data_is)
{
    static const char *const keys[] = {"rsa", "ec256", "dsa"};
    struct klm_slice data = klm_slice_str("data"), digest = {0};

    REQUIRE_OK(kr_hash(HASH(SHA_384), data, test_pool(), &digest));
    for (size_t i = 0; i < KLM_COUNT(keys); i++) {
        KLM_AUTO(kr_material_free) struct kr_material *key = public_key(keys[i]);
        const struct kr_crypt *how = HOW(.hash = HASH(SHA_384));
        struct klm_slice made = {0};
        bool is_valid = false;

        CHECK_RC(kr_material_sign(private_key(keys[i]), how, digest, true, test_pool(), &made),
                 KLM_OK);
        CHECK(valid(key, how, data, made));
        CHECK_RC(kr_material_verify(key, how, digest, true, made, &is_valid), KLM_OK);
        CHECK(is_valid);
        CHECK_RC(kr_material_sign(private_key(keys[i]), how, KLM_SLICE(digest.p, 47), true,
                                  test_pool(), &made),
                 KLM_E_INVALID);
        CHECK_RC(
            kr_material_verify(key, how, KLM_SLICE(copy_of(digest), 49), true, made, &is_valid),
            KLM_E_INVALID);
    }
}

TEST(a_digest_of_no_named_hash_is_signed_where_the_hash_does_not_show)
{
    struct klm_slice made = {0};
    bool is_valid = false;

    for (size_t n = 15; n <= 65; n++) {
        CHECK_RC(kr_material_sign(private_key("ec256"), HOW(.mode = 0), bytes(1, n), true,
                                  test_pool(), &made),
                 n >= 20 && n <= 64 ? KLM_OK : KLM_E_INVALID);
        CHECK_RC(kr_material_sign(private_key("rsa"), HOW(.mode = 0), bytes(1, n), true,
                                  test_pool(), &made),
                 n >= 16 && n <= 64 ? KLM_OK : KLM_E_INVALID);
    }
    CHECK_RC(kr_material_sign(private_key("ec256"), HOW(.mode = 0), bytes(1, 48), true, test_pool(),
                              &made),
             KLM_OK);
    CHECK_RC(kr_material_verify(private_key("ec256"), HOW(.mode = 0), bytes(1, 48), true, made,
                                &is_valid),
             KLM_OK);
    CHECK(is_valid);
    CHECK_RC(kr_material_sign(private_key("ed25519"), HOW(.mode = 0), bytes(1, 32), true,
                              test_pool(), &made),
             KLM_E_UNSUPPORTED);
}

TEST(parameters_that_contradict_each_other_or_the_key_are_refused)
{
    struct kr_crypt bad_salt = {.padding = PAD(PSS), .salt_length = -2};
    struct klm_slice made = {0}, data = klm_slice_str("data");
    KLM_AUTO(kr_material_free) struct kr_material *public = public_key("rsa");
    const struct {
        const char *key;
        const struct kr_crypt *how;
        klm_rc rc;
    } rows[] = {
        {"rsa", HOW(.signature = SIGNATURE(SHA_256WithRSAEncryption), .hash = HASH(SHA_1)),
         KLM_E_INVALID},
        {"rsa", HOW(.signature = SIGNATURE(ECDSAWithSHA256)), KLM_E_INVALID},
        {"ec256", HOW(.signature = SIGNATURE(SHA_256WithRSAEncryption)), KLM_E_INVALID},
        {"dsa", HOW(.signature = SIGNATURE(ECDSAWithSHA256)), KLM_E_INVALID},
        {"ed25519", HOW(.signature = SIGNATURE(ECDSAWithSHA256)), KLM_E_INVALID},
        {"rsa", HOW(.signature = SIGNATURE(MD2WithRSAEncryption)), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.signature = 0x80000001), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.hash = HASH(Tiger)), KLM_E_UNSUPPORTED},
        {"ec256", HOW(.hash = HASH(MD2)), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.padding = PAD(OAEP)), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.padding = PAD(None)), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.padding = PAD(PSS), .mask = 2), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.padding = PAD(PSS), .mask_hash = HASH(Tiger)), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.padding = PAD(PSS), .trailer = 2), KLM_E_UNSUPPORTED},
        {"rsa", HOW(.padding = PAD(X9_31), .hash = HASH(SHA3_256)), KLM_E_UNSUPPORTED},
        {"rsa", &bad_salt, KLM_E_INVALID},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        bool is_valid = true;

        CHECK_RC(kr_material_sign(private_key(rows[i].key), rows[i].how, data, false, test_pool(),
                                  &made),
                 rows[i].rc);
        CHECK_RC(kr_material_verify(private_key(rows[i].key), rows[i].how, data, false,
                                    bytes(0, 256), &is_valid),
                 rows[i].rc);
        CHECK(is_valid); /* untouched */
    }
    CHECK_RC(kr_material_sign(public, HOW(.mode = 0), data, false, test_pool(), &made),
             KLM_E_UNSUPPORTED);
    CHECK(made.p == NULL);
}

TEST(a_digest_and_salt_that_the_key_has_no_room_for_are_refused)
{
    struct kr_crypt how = {.padding = PAD(PSS), .hash = HASH(SHA_512), .salt_length = 63};
    struct klm_slice made = {0}, data = klm_slice_str("data");

    CHECK_RC(kr_material_sign(private_key("rsa1024"), &how, data, false, test_pool(), &made),
             KLM_E_INVALID);
    how.salt_length = 62;
    CHECK_RC(kr_material_sign(private_key("rsa1024"), &how, data, false, test_pool(), &made),
             KLM_OK);
    how.salt_length = INT64_MAX;
    CHECK_RC(kr_material_sign(private_key("rsa1024"), &how, data, false, test_pool(), &made),
             KLM_E_INVALID);
}

TEST(symmetric_and_wrapped_keys_sign_nothing)
{
    struct kr_material_spec spec = {
        .object = KMIP_ObjectType_PrivateKey, .format = KMIP_KeyFormatType_PKCS_8, .wrapped = true};
    KLM_AUTO(kr_material_free) struct kr_material *wrapped = NULL;
    KLM_AUTO(kr_material_free) struct kr_material *aes = symmetric(ALG(AES), bytes(1, 16));
    struct klm_slice made = {0};
    bool is_valid = false;

    REQUIRE_OK(kr_material_new(&spec, bytes(1, 40), &wrapped));
    CHECK_RC(kr_material_sign(wrapped, HOW(.mode = 0), bytes(1, 4), false, test_pool(), &made),
             KLM_E_STATE);
    CHECK_RC(kr_material_sign(aes, HOW(.mode = 0), bytes(1, 4), false, test_pool(), &made),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_material_verify(aes, HOW(.mode = 0), bytes(1, 4), false, bytes(1, 4), &is_valid),
             KLM_E_UNSUPPORTED);
}
