/* Key material: what is taken, what is made, and what is refused. */
#include "matter.h"

#include <pthread.h>

static klm_rc take(const struct kr_material_spec *spec, struct klm_slice bytes,
                   struct kr_material_spec *what)
{
    struct kr_material *material = NULL;
    const klm_rc rc = kr_material_new(spec, bytes, &material);

    if (rc == KLM_OK) {
        const struct klm_slice back = bytes_of(material);

        CHECK(klm_slice_equal(back, bytes));
        *what = *kr_material_spec(material);
    } else {
        CHECK(material == NULL);
    }
    kr_material_free(&material);
    return rc;
}

#define TAKE(bytes, what, ...) take(&(struct kr_material_spec){__VA_ARGS__}, bytes, what)

TEST(a_private_rsa_key_says_what_it_is)
{
    struct kr_material_spec what = {0};
    const struct klm_slice der = load(GOLDEN "rsa2048.der");

    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(PKCS_1)), KLM_OK);
    CHECK_INT(what.algorithm, ALG(RSA));
    CHECK_INT(what.bits, 2048);
    CHECK_INT(what.curve, 0);
    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(PKCS_1), .bits = 2048,
                  .algorithm = ALG(RSA)),
             KLM_OK);
    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(PKCS_1), .bits = 1024),
             KLM_E_INVALID);
    CHECK_RC(
        TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(PKCS_1), .algorithm = ALG(EC)),
        KLM_E_INVALID);
    CHECK_RC(TAKE(der, &what, .object = PUBLIC_KEY, .format = FORMAT(PKCS_1)), KLM_E_INVALID);
    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(ECPrivateKey)),
             KLM_E_INVALID);
    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(PKCS_8)), KLM_E_INVALID);
}

TEST(a_private_ec_key_says_what_it_is)
{
    struct kr_material_spec what = {0};
    const struct klm_slice der = load(GOLDEN "ec384.der");

    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(ECPrivateKey)), KLM_OK);
    CHECK_INT(what.algorithm, ALG(EC));
    CHECK_INT(what.bits, 384);
    CHECK_INT(what.curve, CURVE(P_384));
    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(ECPrivateKey),
                  .algorithm = ALG(ECDSA)),
             KLM_OK);
    CHECK_INT(what.algorithm, ALG(ECDSA));
    CHECK_RC(TAKE(der, &what, .object = PRIVATE_KEY, .format = FORMAT(ECPrivateKey),
                  .curve = CURVE(P_256)),
             KLM_E_INVALID);
}

/* The same key, cut short at each byte, and one byte too long. */
static void cut(uint32_t object, uint32_t format, struct klm_slice der)
{
    struct kr_material_spec what;
    uint8_t *longer = copy_of(der);

    for (size_t n = 1; n < der.n; n++) {
        CHECK_RC(TAKE(KLM_SLICE(der.p, n), &what, .object = object, .format = format),
                 KLM_E_INVALID);
    }
    CHECK_RC(TAKE(KLM_SLICE(longer, der.n + 1), &what, .object = object, .format = format),
             KLM_E_INVALID);
}

TEST(a_key_cut_short_or_too_long_is_refused)
{
    cut(PRIVATE_KEY, FORMAT(PKCS_1), load(GOLDEN "rsa2048.der"));
    cut(PRIVATE_KEY, FORMAT(ECPrivateKey), load(GOLDEN "ec256.der"));
}

TEST(the_length_of_a_raw_key_is_checked)
{
    uint8_t key[64] = {1, 2, 3};
    struct kr_material_spec what = {0};

    CHECK_RC(TAKE(KLM_SLICE(key, 32), &what, .object = SYMMETRIC, .format = FORMAT(Raw),
                  .algorithm = ALG(AES)),
             KLM_OK);
    CHECK_INT(what.bits, 256);
    CHECK_RC(TAKE(KLM_SLICE(key, 31), &what, .object = SYMMETRIC, .format = FORMAT(Raw),
                  .algorithm = ALG(AES), .bits = 256),
             KLM_E_INVALID);
    CHECK_RC(TAKE(KLM_SLICE(key, 10), &what, .object = SYMMETRIC, .format = FORMAT(Raw),
                  .algorithm = ALG(SKIPJACK), .bits = 80),
             KLM_OK);
    CHECK_RC(TAKE(KLM_SLICE(key, 0), &what, .object = SYMMETRIC, .format = FORMAT(Raw)),
             KLM_E_INVALID);
    CHECK_RC(TAKE(KLM_SLICE(key, 32), &what, .object = SYMMETRIC, .format = FORMAT(PKCS_1)),
             KLM_E_UNSUPPORTED);
    CHECK_RC(
        TAKE(KLM_SLICE(key, 31), &what, .object = SYMMETRIC, .format = FORMAT(Opaque), .bits = 256),
        KLM_OK);
}

TEST(des3_may_count_its_bits_of_parity_or_not)
{
    static const struct {
        unsigned bits, bytes;
        klm_rc rc;
    } cases[] = {{112, 16, KLM_OK},        {128, 16, KLM_OK},        {168, 24, KLM_OK},
                 {192, 24, KLM_OK},        {112, 24, KLM_E_INVALID}, {168, 16, KLM_E_INVALID},
                 {128, 24, KLM_E_INVALID}, {168, 21, KLM_OK}};
    uint8_t key[24];
    struct kr_material_spec what = {0};

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        CHECK_RC(TAKE(KLM_SLICE(key, cases[i].bytes), &what, .object = SYMMETRIC,
                      .format = FORMAT(Raw), .algorithm = ALG(DES3), .bits = cases[i].bits),
                 cases[i].rc);
    }
    memcpy(key + 16, key, 8); /* two keys written as three */
    CHECK_RC(TAKE(KLM_SLICE(key, 24), &what, .object = SYMMETRIC, .format = FORMAT(Raw),
                  .algorithm = ALG(DES3), .bits = 112),
             KLM_OK);
    CHECK_RC(TAKE(KLM_SLICE(key, 24), &what, .object = SYMMETRIC, .format = FORMAT(Raw),
                  .algorithm = ALG(DES3)),
             KLM_OK);
    CHECK_INT(what.bits, 168);
}

TEST(more_than_the_limit_is_refused)
{
    uint8_t *much = klm_pool_alloc(test_pool(), KR_MATERIAL_MAX + 1);
    struct kr_material_spec what = {0};

    CHECK_RC(TAKE(KLM_SLICE(much, KR_MATERIAL_MAX), &what, .object = KMIP_ObjectType_OpaqueObject),
             KLM_OK);
    CHECK_RC(
        TAKE(KLM_SLICE(much, KR_MATERIAL_MAX + 1), &what, .object = KMIP_ObjectType_OpaqueObject),
        KLM_E_LIMIT);
    CHECK_RC(TAKE(KLM_SLICE(NULL, 0), &what, .object = KMIP_ObjectType_OpaqueObject), KLM_OK);
}

TEST(symmetric_keys_are_made_in_their_lengths_only)
{
    static const struct {
        uint32_t algorithm, bits;
        size_t bytes;
        klm_rc rc;
    } cases[] = {
        {ALG(AES), 128, 16, KLM_OK},
        {ALG(AES), 192, 24, KLM_OK},
        {ALG(AES), 256, 32, KLM_OK},
        {ALG(AES), 0, 0, KLM_E_LIMIT},
        {ALG(AES), 160, 0, KLM_E_LIMIT},
        {ALG(AES), 320, 0, KLM_E_LIMIT},
        {ALG(DES3), 112, 16, KLM_OK},
        {ALG(DES3), 168, 24, KLM_OK},
        {ALG(DES3), 128, 16, KLM_OK}, /* with the bits of parity */
        {ALG(DES3), 192, 24, KLM_OK},
        {ALG(DES3), 256, 0, KLM_E_LIMIT},
        {ALG(DES), 56, 8, KLM_OK},
        {ALG(DES), 64, 8, KLM_OK},
        {ALG(DES), 128, 0, KLM_E_LIMIT},
        {ALG(DES3), 140, 0, KLM_E_LIMIT},
        {ALG(HMAC_SHA256), 256, 32, KLM_OK},
        {ALG(HMAC_SHA256), 257, 0, KLM_E_LIMIT},
        {ALG(SKIPJACK), 80, 10, KLM_OK},
        {ALG(ChaCha20), 256, 32, KLM_OK},
        {ALG(RC4), 40, 5, KLM_OK},
        {ALG(Blowfish), 448, 56, KLM_OK},
        {ALG(OneTimePad), 480000, 60000, KLM_OK},
        {ALG(RSA), 2048, 0, KLM_E_UNSUPPORTED},
        {0, 128, 0, KLM_E_UNSUPPORTED},
    };

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        struct kr_material *material = NULL, *again = NULL;

        CHECK_RC(kr_material_generate(cases[i].algorithm, cases[i].bits, &material), cases[i].rc);
        if (cases[i].rc != KLM_OK) {
            CHECK(material == NULL);
            continue;
        }
        CHECK_INT(bytes_of(material).n, cases[i].bytes);
        CHECK_INT(kr_material_spec(material)->object, SYMMETRIC);
        CHECK_INT(kr_material_spec(material)->format, FORMAT(Raw));
        CHECK_INT(kr_material_spec(material)->bits, cases[i].bits);
        REQUIRE_OK(kr_material_generate(cases[i].algorithm, cases[i].bits, &again));
        CHECK(!klm_slice_equal(bytes_of(material), bytes_of(again)));
        kr_material_free(&material);
        kr_material_free(&again);
    }
}

TEST(what_is_usual_can_be_made)
{
    CHECK_INT(kr_material_usual_bits(ALG(AES)), 256);
    CHECK_INT(kr_material_usual_bits(ALG(HMAC_SHA384)), 384);
    CHECK_INT(kr_material_usual_bits(ALG(RSA)), 2048);
    CHECK_INT(kr_material_usual_bits(ALG(ECDSA)), 256);
    CHECK_INT(kr_material_usual_bits(ALG(OneTimePad)), 0);
    CHECK_INT(kr_material_usual_bits(0), 0);
    for (uint32_t algorithm = 1; algorithm < 100; algorithm++) {
        struct kr_material *material = NULL;
        const uint32_t bits = kr_material_usual_bits(algorithm);

        if (bits && kr_material_generate(algorithm, bits, &material) != KLM_E_UNSUPPORTED) {
            REQUIRE(material != NULL);
            CHECK_INT(kr_material_spec(material)->bits, bits);
        }
        kr_material_free(&material);
    }
}

TEST(secrets_are_made_of_whole_bytes)
{
    static const uint32_t none[] = {0, 7, 129, 480008};
    struct kr_material *material = NULL, *again = NULL;

    REQUIRE_OK(kr_material_generate_secret(136, &material));
    REQUIRE_OK(kr_material_generate_secret(136, &again));
    CHECK_INT(bytes_of(material).n, 17);
    CHECK_INT(kr_material_spec(material)->object, KMIP_ObjectType_SecretData);
    CHECK_INT(kr_material_spec(material)->format, FORMAT(Raw));
    CHECK(!klm_slice_equal(bytes_of(material), bytes_of(again)));
    kr_material_free(&material);
    kr_material_free(&again);
    for (size_t i = 0; i < KLM_COUNT(none); i++) {
        CHECK_RC(kr_material_generate_secret(none[i], &material), KLM_E_LIMIT);
    }
}

TEST(a_made_des3_key_has_odd_parity)
{
    struct kr_material *material = NULL;
    struct klm_slice key;

    REQUIRE_OK(kr_material_generate(ALG(DES3), 168, &material));
    key = bytes_of(material);
    for (size_t i = 0; i < key.n; i++) {
        CHECK(__builtin_parity(key.p[i]) == 1);
    }
    kr_material_free(&material);
}

/* What openssl says of a key in DER. */
static const char *text_of(struct klm_slice der, bool is_private)
{
    const char *path = write_temp("key.der", der);

    return is_private ? OPENSSL("pkey", "-in", path, "-inform", "DER", "-noout", "-text", "-check")
                      : OPENSSL("pkey", "-pubin", "-in", path, "-inform", "DER", "-noout", "-text");
}

TEST(pairs_are_made_that_openssl_reads)
{
    static const struct {
        struct kr_material_spec spec;
        uint32_t private_format, public_format;
        const char *says;
    } cases[] = {
        {{.algorithm = ALG(RSA), .bits = 2048}, FORMAT(PKCS_1), FORMAT(PKCS_1), "2048 bit"},
        {{.algorithm = ALG(EC), .curve = CURVE(P_256)},
         FORMAT(PKCS_8),
         FORMAT(X_509),
         "prime256v1"},
        {{.algorithm = ALG(ECDSA), .bits = 521}, FORMAT(PKCS_8), FORMAT(X_509), "secp521r1"},
        {{.algorithm = ALG(ECDH), .curve = CURVE(K_233)},
         FORMAT(PKCS_8),
         FORMAT(X_509),
         "sect233k1"},
        {{.algorithm = ALG(EC), .curve = CURVE(BRAINPOOLP384R1)},
         FORMAT(PKCS_8),
         FORMAT(X_509),
         "brainpoolP384r1"},
        {{.algorithm = ALG(Ed25519)}, FORMAT(PKCS_8), FORMAT(X_509), "ED25519"},
        {{.algorithm = ALG(Ed448)}, FORMAT(PKCS_8), FORMAT(X_509), "ED448"},
        {{.algorithm = ALG(ECDH), .curve = CURVE(CURVE25519)},
         FORMAT(PKCS_8),
         FORMAT(X_509),
         "X25519"},
        {{.algorithm = ALG(DH), .bits = 2048}, FORMAT(PKCS_8), FORMAT(X_509), "2048 bit"},
        {{.algorithm = ALG(SM2)}, FORMAT(PKCS_8), FORMAT(X_509), "SM2"},
        {{.algorithm = ALG(DSA), .bits = 1024}, FORMAT(PKCS_8), FORMAT(X_509), "1024 bit"},
    };

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        struct kr_material *secret = NULL, *open = NULL;
        const char *text;

        REQUIRE_OK(kr_material_generate_pair(&cases[i].spec, &secret, &open));
        CHECK_INT(kr_material_spec(secret)->object, PRIVATE_KEY);
        CHECK_INT(kr_material_spec(open)->object, PUBLIC_KEY);
        CHECK_INT(kr_material_spec(secret)->format, cases[i].private_format);
        CHECK_INT(kr_material_spec(open)->format, cases[i].public_format);
        CHECK_INT(kr_material_spec(secret)->algorithm, cases[i].spec.algorithm);
        CHECK(kr_material_spec(secret)->bits != 0);
        text = text_of(bytes_of(secret), true);
        CHECK(text && strstr(text, cases[i].says) && strstr(text, "is valid"));
        if (cases[i].public_format == FORMAT(X_509)) {
            text = text_of(bytes_of(open), false);
            CHECK(text && strstr(text, cases[i].says));
        }
        kr_material_free(&secret);
        kr_material_free(&open);
    }
}

TEST(pairs_of_other_sizes_are_refused)
{
    static const struct {
        struct kr_material_spec spec;
        klm_rc rc;
    } cases[] = {
        {{.algorithm = ALG(RSA), .bits = 512}, KLM_E_LIMIT},
        {{.algorithm = ALG(RSA), .bits = 8192}, KLM_E_LIMIT},
        {{.algorithm = ALG(DSA), .bits = 512}, KLM_E_LIMIT},
        {{.algorithm = ALG(DH), .bits = 1024}, KLM_E_LIMIT},
        {{.algorithm = ALG(EC)}, KLM_E_LIMIT},
        {{.algorithm = ALG(EC), .bits = 250}, KLM_E_LIMIT},
        {{.algorithm = ALG(EC), .bits = 384, .curve = CURVE(P_256)}, KLM_E_LIMIT},
        {{.algorithm = ALG(EC), .curve = 0x80000001}, KLM_E_UNSUPPORTED},
        {{.algorithm = ALG(AES), .bits = 256}, KLM_E_UNSUPPORTED},
        {{.algorithm = ALG(Ed25519), .curve = CURVE(P_256)}, KLM_E_INVALID},
    };

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        struct kr_material *secret = NULL, *open = NULL;

        CHECK_RC(kr_material_generate_pair(&cases[i].spec, &secret, &open), cases[i].rc);
        CHECK(secret == NULL && open == NULL);
    }
}

TEST(material_lives_as_long_as_somebody_holds_it)
{
    struct kr_material *material = NULL, *other;

    REQUIRE_OK(kr_material_generate(ALG(AES), 256, &material));
    other = kr_material_ref(material);
    kr_material_free(&material);
    CHECK(material == NULL);
    CHECK_INT(bytes_of(other).n, 32);
    kr_material_free(&other);
    kr_material_free(&other);
    kr_material_free(NULL);
}

/* ---- Keys of labels, and PKCS #12 through them */

TEST(a_private_key_goes_into_a_package_that_openssl_opens_and_comes_back)
{
    const char *pem = kept_path("rsa.pem"), *crt = kept_path("p12.crt"),
               *out = kept_path("p12.key");
    const struct forms forms = rsa_forms("2048");
    struct kr_material *secret = material_of(PRIVATE_KEY, FORMAT(PKCS_1), forms.pkcs1),
                       *back = NULL;
    struct kr_package package = {.n = 1}, again = {0};
    struct klm_slice p12;

    REQUIRE(OPENSSL("req", "-x509", "-new", "-key", pem, "-subj", "/CN=x", "-outform", "DER",
                    "-out", crt) != NULL);
    package.cert[0] = load(crt);
    REQUIRE_OK(kr_material_key(secret, &package.key));
    REQUIRE_OK(
        kr_package_write(&package, KR_PKCS12DER, "alias", "password", test_pool(), NULL, &p12));
    (void)write_temp("p12", p12);
    REQUIRE(OPENSSL("pkcs12", "-in", test_path("p12"), "-passin", "pass:password", "-nocerts",
                    "-nodes", "-out", out) != NULL);
    REQUIRE(OPENSSL("pkcs8", "-topk8", "-nocrypt", "-in", out, "-outform", "DER", "-out",
                    test_path("made.der")) != NULL);
    CHECK(same_slice(load(test_path("made.der")), forms.pkcs8));
    REQUIRE_OK(kr_package_read(p12, "password", test_pool(), NULL, &again));
    REQUIRE_OK(kr_material_of_key(again.key, &back));
    CHECK(same_slice(bytes_of(back), forms.pkcs8));
    CHECK_INT(kr_material_spec(back)->algorithm, ALG(RSA));
    CHECK_INT(kr_material_spec(back)->bits, 2048);
    kr_key_free(&package.key);
    kr_key_free(&again.key);
    kr_material_free(&back);
    kr_material_free(&secret);
}

TEST(what_no_label_has_is_no_key_of_one)
{
    const struct forms ec = ec_forms("secp521r1");
    struct kr_material *all[] = {material_of(PRIVATE_KEY, FORMAT(ECPrivateKey), ec.ec),
                                 material_of(PUBLIC_KEY, FORMAT(X_509), ec.x509),
                                 symmetric_of(ALG(AES), "0123456789abcdef", 16)};
    struct kr_key *key = NULL;
    struct kr_material *none = NULL;

    for (size_t i = 0; i < KLM_COUNT(all); i++) {
        CHECK_RC(kr_material_key(all[i], &key), KLM_E_UNSUPPORTED);
        kr_material_free(&all[i]);
    }
    REQUIRE_OK(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    CHECK_RC(kr_material_of_key(key, &none), KLM_E_UNSUPPORTED);
    kr_key_free(&key);
}

/* ---- Threads */

static void *use(void *arg)
{
    for (int i = 0; i < 50; i++) {
        struct kr_material *to = NULL;

        if (kr_material_convert(arg, FORMAT(PKCS_8), 0, &to) != KLM_OK) {
            return arg;
        }
        kr_material_free(&to);
    }
    return NULL;
}

TEST(threads_that_use_one_key_for_the_first_time_at_once_have_the_same)
{
    const struct forms forms = rsa_forms("1024");
    struct kr_master *master = master_of(0);

    for (int turn = 0; turn < 5; turn++) {
        struct kr_material *from = material_of(PRIVATE_KEY, FORMAT(PKCS_1), forms.pkcs1),
                           *opened = NULL;
        pthread_t thread[4];
        struct klm_buf token;
        void *failed = NULL;

        klm_buf_init(&token, ST_RECORD_MAX);
        REQUIRE_OK(kr_material_seal(master, "L", from, &token));
        REQUIRE_OK(kr_material_open(master, "L", klm_buf_as_slice(&token), &opened));
        for (size_t i = 0; i < KLM_COUNT(thread); i++) {
            REQUIRE(pthread_create(&thread[i], NULL, use, opened) == 0);
        }
        for (size_t i = 0; i < KLM_COUNT(thread); i++) {
            REQUIRE(pthread_join(thread[i], &failed) == 0);
            CHECK(failed == NULL);
        }
        kr_material_free(&opened);
        kr_material_free(&from);
        klm_buf_done(&token);
    }
    kr_master_free(&master);
}
