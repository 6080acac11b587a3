/* Wrapping under another key: published vectors and openssl, both ways, and what does not unwrap. */
#include "matter.h"

static struct klm_slice wrapped(const struct kr_material *with, const struct kr_wrap_how *how,
                                struct klm_slice data)
{
    struct klm_slice out = {0};

    REQUIRE_OK(kr_material_wrap(with, how, data, test_pool(), &out));
    return out;
}

static struct klm_slice unwrapped(const struct kr_material *with, const struct kr_wrap_how *how,
                                  struct klm_slice data)
{
    struct klm_slice out = {0};

    REQUIRE_OK(kr_material_unwrap(with, how, data, test_pool(), &out));
    return out;
}

static klm_rc wrap_rc(const struct kr_material *with, const struct kr_wrap_how *how,
                      struct klm_slice data)
{
    struct klm_slice out = {0};
    const klm_rc rc = kr_material_wrap(with, how, data, test_pool(), &out);

    CHECK((rc == KLM_OK) == (out.p != NULL));
    return rc;
}

static klm_rc unwrap_rc(const struct kr_material *with, const struct kr_wrap_how *how,
                        struct klm_slice data)
{
    struct klm_slice out = {0};
    const klm_rc rc = kr_material_unwrap(with, how, data, test_pool(), &out);

    CHECK(rc == KLM_OK || out.p == NULL);
    return rc;
}

#define MODE(name) KMIP_BlockCipherMode_##name

/* ---- AES */

struct vector {
    uint32_t mode;
    const char *key, *iv, *data, *wrapped;
};

static const struct vector vectors[] = {
    /* RFC 3394, 4.1 to 4.6 */
    {0, "000102030405060708090a0b0c0d0e0f", "", "00112233445566778899aabbccddeeff",
     "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
    {MODE(NISTKeyWrap), "000102030405060708090a0b0c0d0e0f1011121314151617", "",
     "00112233445566778899aabbccddeeff", "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"},
    {MODE(NISTKeyWrap), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "",
     "00112233445566778899aabbccddeeff", "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"},
    {MODE(NISTKeyWrap), "000102030405060708090a0b0c0d0e0f1011121314151617", "",
     "00112233445566778899aabbccddeeff0001020304050607",
     "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"},
    {MODE(NISTKeyWrap), "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "",
     "00112233445566778899aabbccddeeff0001020304050607",
     "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"},
    {0, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "",
     "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
     "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"},
    /* The initial value of all, given. */
    {MODE(NISTKeyWrap), "000102030405060708090a0b0c0d0e0f", "a6a6a6a6a6a6a6a6",
     "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"},
    /* RFC 5649, 6 */
    {MODE(AESKeyWrapPadding), "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "",
     "c37b7e6492584340bed12207808941155068f738",
     "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a"},
    {MODE(AESKeyWrapPadding), "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "",
     "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"},
    /* NIST SP 800-38D's first paper (McGrew and Viega), test case 3: text, then tag */
    {MODE(GCM), "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
};

TEST(keys_are_wrapped_as_the_standards_say)
{
    for (size_t i = 0; i < KLM_COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        const struct klm_slice key = hex(v->key), data = hex(v->data), out = hex(v->wrapped);
        const struct kr_wrap_how how = {.mode = v->mode, .iv = hex(v->iv)};
        struct kr_material *with = symmetric_of(ALG(AES), key.p, key.n);

        CHECK(same_slice(wrapped(with, &how, data), out));
        CHECK(same_slice(unwrapped(with, &how, out), data));
        kr_material_free(&with);
    }
}

TEST(a_wrapped_key_that_was_touched_does_not_unwrap)
{
    for (size_t i = 0; i < KLM_COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        const struct klm_slice key = hex(v->key), out = hex(v->wrapped);
        const struct kr_wrap_how how = {.mode = v->mode, .iv = hex(v->iv)};
        struct kr_material *with = symmetric_of(ALG(AES), key.p, key.n),
                           *other = symmetric_of(ALG(AES), "another key it is", 16);

        for (size_t k = 0; k < out.n; k++) {
            uint8_t *p = copy_of(out);

            p[k] ^= 4;
            CHECK_RC(unwrap_rc(with, &how, KLM_SLICE(p, out.n)), KLM_E_CRYPTO);
            CHECK_RC(unwrap_rc(with, &how, KLM_SLICE(out.p, k)), KLM_E_CRYPTO);
        }
        CHECK_RC(unwrap_rc(with, &how, KLM_SLICE(copy_of(out), out.n + 1)), KLM_E_CRYPTO);
        CHECK_RC(unwrap_rc(other, &how, out), KLM_E_CRYPTO);
        kr_material_free(&other);
        kr_material_free(&with);
    }
}

TEST(cbc_is_openssls)
{
    /* NIST SP 800-38A, F.2.1 */
    static const char key[] = "2b7e151628aed2a6abf7158809cf4f3c",
                      iv[] = "000102030405060708090a0b0c0d0e0f";
    const struct klm_slice data = hex("6bc1bee22e409f96e93d7e117393172a");
    struct kr_wrap_how how = {.mode = MODE(CBC), .iv = hex(iv), .padding = KMIP_PaddingMethod_None};
    struct kr_material *with = symmetric_of(ALG(AES), hex(key).p, 16);
    const char *in = kept_path("plain"), *out = kept_path("cbc");
    struct klm_slice text;

    text = wrapped(with, &how, data);
    CHECK(same_slice(text, hex("7649abac8119b246cee98e9b12e9197d")));
    CHECK(same_slice(unwrapped(with, &how, text), data));
    CHECK_RC(wrap_rc(with, &how, KLM_SLICE(data.p, 15)), KLM_E_INVALID);
    how.padding = KMIP_PaddingMethod_PKCS5;
    (void)write_temp("plain", KLM_SLICE(data.p, 13));
    REQUIRE(OPENSSL("enc", "-aes-128-cbc", "-K", key, "-iv", iv, "-in", in, "-out", out) != NULL);
    CHECK(same_slice(wrapped(with, &how, KLM_SLICE(data.p, 13)), load(out)));
    CHECK(same_slice(unwrapped(with, &how, load(out)), KLM_SLICE(data.p, 13)));
    CHECK_RC(unwrap_rc(with, &how, KLM_SLICE(load(out).p, 15)), KLM_E_CRYPTO);
    how.iv.n = 0;
    CHECK_RC(wrap_rc(with, &how, data), KLM_E_INVALID);
    how.padding = KMIP_PaddingMethod_OAEP;
    how.iv = hex(iv);
    CHECK_RC(wrap_rc(with, &how, data), KLM_E_UNSUPPORTED);
    kr_material_free(&with);
}

TEST(what_a_mode_cannot_wrap_is_refused)
{
    struct kr_material *with = symmetric_of(ALG(AES), "0123456789abcdef", 16),
                       *odd = symmetric_of(ALG(AES), "0123456789abcdef0123", 20),
                       *des = symmetric_of(ALG(DES3), "0123456789abcdef01234567", 24),
                       *secret = material_of(KMIP_ObjectType_OpaqueObject, 0, klm_slice_str("x"));
    const struct klm_slice data = hex("00112233445566778899aabbccddeeff");
    uint8_t *much = klm_pool_alloc(test_pool(), (1u << 20) + 8);

    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){0}, KLM_SLICE(data.p, 15)), KLM_E_INVALID);
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){0}, KLM_SLICE(data.p, 8)), KLM_E_INVALID);
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){0}, KLM_SLICE(data.p, 0)), KLM_E_INVALID);
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){.iv = KLM_SLICE("1234567", 7)}, data),
             KLM_E_INVALID);
    CHECK_RC(
        wrap_rc(with, &(struct kr_wrap_how){.mode = MODE(AESKeyWrapPadding)}, KLM_SLICE(data.p, 0)),
        KLM_E_INVALID);
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){.mode = MODE(GCM)}, data), KLM_E_INVALID);
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){.mode = MODE(X9_102TDKW)}, data),
             KLM_E_UNSUPPORTED);
    CHECK_RC(unwrap_rc(with, &(struct kr_wrap_how){.mode = MODE(ECB)}, data), KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(odd, &(struct kr_wrap_how){0}, data), KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(des, &(struct kr_wrap_how){0}, data), KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(secret, &(struct kr_wrap_how){0}, data), KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){0}, KLM_SLICE(much, (1u << 20) + 8)), KLM_E_LIMIT);
    kr_material_free(&with);
    kr_material_free(&odd);
    kr_material_free(&des);
    kr_material_free(&secret);
}

TEST(a_key_that_is_wrapped_itself_wraps_nothing)
{
    struct kr_material *with = NULL;

    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = SYMMETRIC,
                                                          .format = FORMAT(Raw),
                                                          .algorithm = ALG(AES),
                                                          .bits = 128,
                                                          .wrapped = true},
                               klm_slice_str("0123456789abcdef"), &with));
    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){0}, klm_slice_str("0123456789abcdef")),
             KLM_E_STATE);
    kr_material_free(&with);
}

/* ---- RSA */

struct pair {
    struct kr_material *secret, *open;
    const char *pem;
};

static struct pair pair_new(void)
{
    const struct forms forms = rsa_forms("2048");

    return (struct pair){.secret = material_of(PRIVATE_KEY, FORMAT(PKCS_1), forms.pkcs1),
                         .open = material_of(PUBLIC_KEY, FORMAT(X_509), forms.x509),
                         .pem = kept_path("rsa.pem")};
}

static void pair_done(struct pair *pair)
{
    kr_material_free(&pair->secret);
    kr_material_free(&pair->open);
}

static const char key_text[] = "a key of thirty-two bytes, raw.";

/* What we wrap openssl opens, and the other way round. */
static void rsa_both_ways(const struct pair *pair, const struct kr_wrap_how *how,
                          const char *const *options)
{
    const struct klm_slice data = KLM_SLICE(key_text, sizeof key_text);
    const char *in = kept_path("in"), *out = kept_path("out");
    const char *args[20] = {"pkeyutl", "-decrypt", "-inkey", pair->pem, "-in", in, "-out", out};
    size_t n = 8;

    for (size_t i = 0; options[i]; i++) {
        args[n++] = "-pkeyopt";
        args[n++] = options[i];
    }
    (void)write_temp("in", wrapped(pair->open, how, data));
    REQUIRE(openssl(args) != NULL);
    CHECK(same_slice(load(out), data));
    args[1] = "-encrypt";
    (void)write_temp("in", data);
    REQUIRE(openssl(args) != NULL);
    CHECK(same_slice(unwrapped(pair->secret, how, load(out)), data));
}

TEST(keys_are_wrapped_by_rsa_as_openssl_does)
{
    struct pair pair = pair_new();

    rsa_both_ways(&pair, &(struct kr_wrap_how){0},
                  (const char *const[]){"rsa_padding_mode:oaep", NULL});
    rsa_both_ways(&pair, &(struct kr_wrap_how){.padding = KMIP_PaddingMethod_PKCS1V1_5},
                  (const char *const[]){"rsa_padding_mode:pkcs1", NULL});
    rsa_both_ways(&pair,
                  &(struct kr_wrap_how){.padding = KMIP_PaddingMethod_OAEP,
                                        .hash = KMIP_HashingAlgorithm_SHA_256,
                                        .mask_hash = KMIP_HashingAlgorithm_SHA_256},
                  (const char *const[]){"rsa_padding_mode:oaep", "rsa_oaep_md:sha256",
                                        "rsa_mgf1_md:sha256", NULL});
    /* KMIP 2.1, 4.16: the mask's hash is SHA-1 when it was not given. */
    rsa_both_ways(&pair,
                  &(struct kr_wrap_how){.padding = KMIP_PaddingMethod_OAEP,
                                        .hash = KMIP_HashingAlgorithm_SHA_384,
                                        .p_source = KLM_SLICE("\1\2label", 7)},
                  (const char *const[]){"rsa_padding_mode:oaep", "rsa_oaep_md:sha384",
                                        "rsa_mgf1_md:sha1", "rsa_oaep_label:01026c6162656c", NULL});
    pair_done(&pair);
}

TEST(an_oaep_wrapping_with_another_hash_or_label_does_not_unwrap)
{
    struct pair pair = pair_new();
    const struct kr_wrap_how how = {.hash = KMIP_HashingAlgorithm_SHA_256,
                                    .p_source = KLM_SLICE("a", 1)};
    const struct klm_slice out = wrapped(pair.open, &how, klm_slice_str("data"));
    uint8_t *p = copy_of(out);

    CHECK_RC(unwrap_rc(pair.secret, &how, out), KLM_OK);
    CHECK_RC(unwrap_rc(pair.secret,
                       &(struct kr_wrap_how){.hash = KMIP_HashingAlgorithm_SHA_256,
                                             .p_source = KLM_SLICE("b", 1)},
                       out),
             KLM_E_CRYPTO);
    CHECK_RC(unwrap_rc(pair.secret, &(struct kr_wrap_how){.p_source = KLM_SLICE("a", 1)}, out),
             KLM_E_CRYPTO);
    p[100] ^= 1;
    CHECK_RC(unwrap_rc(pair.secret, &how, KLM_SLICE(p, out.n)), KLM_E_CRYPTO);
    CHECK_RC(unwrap_rc(pair.secret, &how, KLM_SLICE(out.p, out.n - 1)), KLM_E_CRYPTO);
    CHECK_RC(unwrap_rc(pair.secret, &how, KLM_SLICE(out.p, 0)), KLM_E_CRYPTO);
    pair_done(&pair);
}

TEST(rsa_wraps_what_fits_and_unwraps_with_the_private_key_alone)
{
    struct pair pair = pair_new();
    const struct kr_wrap_how pkcs1 = {.padding = KMIP_PaddingMethod_PKCS1V1_5};
    const struct kr_wrap_how oaep = {.hash = KMIP_HashingAlgorithm_SHA_512};
    uint8_t data[256] = {0};

    CHECK_RC(wrap_rc(pair.open, &pkcs1, KLM_SLICE(data, 245)), KLM_OK);
    CHECK_RC(wrap_rc(pair.open, &pkcs1, KLM_SLICE(data, 246)), KLM_E_LIMIT);
    CHECK_RC(wrap_rc(pair.open, &oaep, KLM_SLICE(data, 126)), KLM_OK);
    CHECK_RC(wrap_rc(pair.open, &oaep, KLM_SLICE(data, 127)), KLM_E_LIMIT);
    CHECK_RC(unwrap_rc(pair.open, &oaep, KLM_SLICE(data, 256)), KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(pair.open, &(struct kr_wrap_how){.padding = KMIP_PaddingMethod_PSS},
                     KLM_SLICE(data, 8)),
             KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(pair.open, &(struct kr_wrap_how){.hash = KMIP_HashingAlgorithm_Tiger},
                     KLM_SLICE(data, 8)),
             KLM_E_UNSUPPORTED);
    CHECK_RC(wrap_rc(pair.secret, &oaep, KLM_SLICE(data, 8)), KLM_OK);
    pair_done(&pair);
}

TEST(an_ec_key_wraps_nothing)
{
    const struct forms ec = ec_forms("prime256v1");
    struct kr_material *with = material_of(PUBLIC_KEY, FORMAT(X_509), ec.x509);

    CHECK_RC(wrap_rc(with, &(struct kr_wrap_how){0}, klm_slice_str("0123456789abcdef")),
             KLM_E_UNSUPPORTED);
    kr_material_free(&with);
}

/* ---- No oracle */

/* A block of our choice, raised to the public exponent by openssl. */
static struct klm_slice raised(const struct pair *pair, const uint8_t block[256])
{
    const char *in = kept_path("block"), *out = kept_path("raised");

    (void)write_temp("block", KLM_SLICE(block, 256));
    REQUIRE(OPENSSL("pkeyutl", "-encrypt", "-inkey", pair->pem, "-in", in, "-out", out, "-pkeyopt",
                    "rsa_padding_mode:none") != NULL);
    return load(out);
}

static void good_block(uint8_t block[256], size_t padding)
{
    memset(block, 0xaa, 256);
    block[0] = 0;
    block[1] = 2;
    block[2 + padding] = 0;
}

static const struct kr_wrap_how v15 = {.padding = KMIP_PaddingMethod_PKCS1V1_5};

TEST(messages_of_every_length_come_out_of_good_padding)
{
    struct pair pair = pair_new();
    static const size_t paddings[] = {8, 9, 100, 252, 253};
    uint8_t block[256];

    for (size_t i = 0; i < KLM_COUNT(paddings); i++) {
        good_block(block, paddings[i]);
        CHECK(same_slice(unwrapped(pair.secret, &v15, raised(&pair, block)),
                         KLM_SLICE(block + 3 + paddings[i], 253 - paddings[i])));
    }
    pair_done(&pair);
}

TEST(bad_padding_is_not_told_from_good)
{
    struct pair pair = pair_new();
    struct klm_slice seen[6] = {{0}};
    uint8_t block[256];

    for (size_t i = 0; i < KLM_COUNT(seen); i++) {
        struct klm_slice data;

        good_block(block, 100);
        switch (i) {
        case 0:
            block[0] = 1;
            break;
        case 1:
            block[1] = 1;
            break;
        case 2:
            block[1] = 0;
            break;
        case 3:
            block[5] = 0; /* only three bytes of padding */
            break;
        case 4:
            block[9] = 0; /* only seven */
            break;
        default:
            block[102] = 1; /* no end of it */
        }
        data = raised(&pair, block);
        seen[i] = unwrapped(pair.secret, &v15, data);
        CHECK(seen[i].n <= 245);
        CHECK(same_slice(seen[i], unwrapped(pair.secret, &v15, data)));
        CHECK(seen[i].n == 0 || memcmp(seen[i].p, block + 256 - seen[i].n, seen[i].n) != 0);
        for (size_t k = 0; k < i; k++) {
            CHECK(!same_slice(seen[i], seen[k]));
        }
    }
    /* Only what is no number of this key at all is told, which anybody can see. */
    CHECK_RC(unwrap_rc(pair.secret, &v15, KLM_SLICE(block, 255)), KLM_E_CRYPTO);
    memset(block, 0xff, sizeof block);
    CHECK_RC(unwrap_rc(pair.secret, &v15, KLM_SLICE(block, 256)), KLM_E_CRYPTO);
    pair_done(&pair);
}
