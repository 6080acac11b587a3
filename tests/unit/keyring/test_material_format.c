/* Formats of keys: each one to each other, byte for byte as openssl writes them. */
#include "matter.h"

/* The same key in each of n formats: all ways from one to another. */
static void all_ways(uint32_t object, const uint32_t *formats, const struct klm_slice *bytes,
                     size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct kr_material *from = material_of(object, formats[i], bytes[i]);

        for (size_t k = 0; k < n; k++) {
            struct kr_material *to = NULL;

            CHECK_RC(kr_material_convert(from, formats[k], 0, &to), KLM_OK);
            CHECK(to && same_slice(bytes_of(to), bytes[k]));
            CHECK(to && kr_material_same(from, to));
            CHECK(to && kr_material_spec(to)->format == formats[k]);
            kr_material_free(&to);
        }
        kr_material_free(&from);
    }
}

/* Through a transparent form and back. */
static void and_back(uint32_t object, uint32_t format, struct klm_slice bytes, uint32_t transparent)
{
    struct kr_material *from = material_of(object, format, bytes), *to = NULL, *again = NULL;
    struct klm_slice none;
    struct kr_parts parts = {0};

    REQUIRE_OK(kr_material_convert(from, transparent, 0, &to));
    CHECK_RC(kr_material_bytes(to, test_pool(), &none), KLM_E_UNSUPPORTED);
    REQUIRE_OK(kr_material_parts(to, test_pool(), &parts));
    REQUIRE_OK(kr_material_convert(to, format, 0, &again));
    CHECK(same_slice(bytes_of(again), bytes));
    CHECK(kr_material_same(from, to));
    kr_material_free(&again);
    kr_material_free(&to);
    /* And from its parts alone. */
    REQUIRE_OK(kr_material_parts_new(
        &(struct kr_material_spec){.object = object, .format = transparent}, &parts, &to));
    REQUIRE_OK(kr_material_convert(to, format, 0, &again));
    CHECK(same_slice(bytes_of(again), bytes));
    kr_material_free(&again);
    kr_material_free(&to);
    kr_material_free(&from);
}

TEST(rsa_keys_go_from_each_format_to_each_other)
{
    static const char *const bits[] = {"1024", "2048", "3072"};

    for (size_t i = 0; i < KLM_COUNT(bits); i++) {
        const struct forms forms = rsa_forms(bits[i]);

        all_ways(PRIVATE_KEY, (const uint32_t[]){FORMAT(PKCS_1), FORMAT(PKCS_8)},
                 (const struct klm_slice[]){forms.pkcs1, forms.pkcs8}, 2);
        all_ways(PUBLIC_KEY, (const uint32_t[]){FORMAT(PKCS_1), FORMAT(X_509)},
                 (const struct klm_slice[]){forms.public_pkcs1, forms.x509}, 2);
        and_back(PRIVATE_KEY, FORMAT(PKCS_1), forms.pkcs1, FORMAT(TransparentRSAPrivateKey));
        and_back(PUBLIC_KEY, FORMAT(PKCS_1), forms.public_pkcs1, FORMAT(TransparentRSAPublicKey));
        and_back(PUBLIC_KEY, FORMAT(X_509), forms.x509, FORMAT(TransparentRSAPublicKey));
    }
}

TEST(ec_keys_go_from_each_format_to_each_other)
{
    static const char *const curves[] = {"prime192v1",      "prime256v1",      "secp384r1",
                                         "secp521r1",       "secp256k1",       "sect233k1",
                                         "brainpoolP256r1", "brainpoolP512t1", "c2tnb239v1"};

    for (size_t i = 0; i < KLM_COUNT(curves); i++) {
        const struct forms forms = ec_forms(curves[i]);

        all_ways(PRIVATE_KEY, (const uint32_t[]){FORMAT(PKCS_8), FORMAT(ECPrivateKey)},
                 (const struct klm_slice[]){forms.pkcs8, forms.ec}, 2);
        and_back(PRIVATE_KEY, FORMAT(ECPrivateKey), forms.ec, FORMAT(TransparentECPrivateKey));
        and_back(PRIVATE_KEY, FORMAT(PKCS_8), forms.pkcs8, FORMAT(TransparentECDSAPrivateKey));
        and_back(PUBLIC_KEY, FORMAT(X_509), forms.x509, FORMAT(TransparentECPublicKey));
        and_back(PUBLIC_KEY, FORMAT(X_509), forms.x509, FORMAT(TransparentECDHPublicKey));
        and_back(PUBLIC_KEY, FORMAT(X_509), forms.compressed, FORMAT(TransparentECMQVPublicKey));
    }
}

/* A point written in another form, and the form of its own again. */
static void compressed(const char *curve, uint32_t type)
{
    const struct forms forms = ec_forms(curve);
    struct kr_material *from = material_of(PUBLIC_KEY, FORMAT(X_509), forms.x509), *to = NULL;
    struct kr_material *again = NULL;

    REQUIRE_OK(kr_material_convert(from, FORMAT(X_509), type, &to));
    CHECK(same_slice(bytes_of(to), forms.compressed));
    CHECK_INT(kr_material_spec(to)->compressed, type);
    CHECK(kr_material_same(from, to));
    CHECK(same_slice(bytes_of(from), forms.x509));
    REQUIRE_OK(kr_material_convert(to, FORMAT(X_509), COMPRESSION(Uncompressed), &again));
    CHECK(same_slice(bytes_of(again), forms.x509));
    kr_material_free(&again);
    kr_material_free(&to);
    kr_material_free(&from);
}

TEST(a_point_is_compressed_in_the_way_of_its_curve)
{
    const struct forms forms = ec_forms("prime256v1");
    struct kr_material *from = material_of(PUBLIC_KEY, FORMAT(X_509), forms.x509), *to = NULL;
    struct kr_parts parts = {0};

    compressed("prime256v1", COMPRESSION(X9_62CompressedPrime));
    compressed("sect283r1", COMPRESSION(X9_62CompressedChar2));
    CHECK_RC(kr_material_convert(from, FORMAT(X_509), COMPRESSION(X9_62CompressedChar2), &to),
             KLM_E_UNSUPPORTED);
    CHECK_RC(kr_material_convert(from, FORMAT(X_509), 99, &to), KLM_E_UNSUPPORTED);
    REQUIRE_OK(kr_material_convert(from, FORMAT(TransparentECPublicKey),
                                   COMPRESSION(X9_62CompressedPrime), &to));
    REQUIRE_OK(kr_material_parts(to, test_pool(), &parts));
    CHECK_INT(parts.q_string.n, 33);
    CHECK_INT(parts.curve, CURVE(P_256));
    kr_material_free(&to);
    REQUIRE_OK(
        kr_material_convert(from, FORMAT(TransparentECPublicKey), COMPRESSION(X9_62Hybrid), &to));
    REQUIRE_OK(kr_material_parts(to, test_pool(), &parts));
    CHECK(parts.q_string.n == 65 && (parts.q_string.p[0] == 6 || parts.q_string.p[0] == 7));
    kr_material_free(&to);
    kr_material_free(&from);
}

TEST(dsa_and_dh_keys_go_through_their_transparent_form)
{
    const char *numbers = kept_path("numbers.pem"), *pem = kept_path("key.pem");
    struct forms forms;

    REQUIRE(OPENSSL("dsaparam", "-out", numbers, "1024") != NULL);
    REQUIRE(OPENSSL("gendsa", "-out", pem, numbers) != NULL);
    forms = forms_of(pem);
    and_back(PRIVATE_KEY, FORMAT(PKCS_8), forms.pkcs8, FORMAT(TransparentDSAPrivateKey));
    and_back(PUBLIC_KEY, FORMAT(X_509), forms.x509, FORMAT(TransparentDSAPublicKey));
    REQUIRE(OPENSSL("genpkey", "-algorithm", "DHX", "-pkeyopt", "group:dh_2048_256", "-out", pem) !=
            NULL);
    forms = forms_of(pem);
    and_back(PRIVATE_KEY, FORMAT(PKCS_8), forms.pkcs8, FORMAT(TransparentDHPrivateKey));
    and_back(PUBLIC_KEY, FORMAT(X_509), forms.x509, FORMAT(TransparentDHPublicKey));
}

TEST(keys_that_are_strings_have_a_raw_format)
{
    static const struct {
        const char *type;
        uint32_t algorithm, curve;
        size_t n;
    } cases[] = {{"ed25519", ALG(Ed25519), CURVE(CURVE25519), 32},
                 {"ed448", ALG(Ed448), CURVE(CURVE448), 57},
                 {"x25519", ALG(ECDH), CURVE(CURVE25519), 32},
                 {"x448", ALG(ECDH), CURVE(CURVE448), 56}};

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        const char *pem = kept_path("ed.pem");
        struct kr_material *secret, *open, *raw = NULL, *made = NULL;
        struct forms forms;

        REQUIRE(OPENSSL("genpkey", "-algorithm", cases[i].type, "-out", pem) != NULL);
        forms = forms_of(pem);
        secret = material_of(PRIVATE_KEY, FORMAT(PKCS_8), forms.pkcs8);
        open = material_of(PUBLIC_KEY, FORMAT(X_509), forms.x509);
        CHECK_INT(kr_material_spec(secret)->algorithm, cases[i].algorithm);
        CHECK_INT(kr_material_spec(open)->curve, cases[i].curve);
        REQUIRE_OK(kr_material_convert(secret, FORMAT(Raw), 0, &raw));
        CHECK(same_slice(bytes_of(raw), KLM_SLICE(forms.pkcs8.p + 16, cases[i].n)));
        REQUIRE_OK(kr_material_convert(raw, FORMAT(PKCS_8), 0, &made));
        CHECK(same_slice(bytes_of(made), forms.pkcs8));
        kr_material_free(&made);
        kr_material_free(&raw);
        REQUIRE_OK(kr_material_public(secret, &made));
        CHECK(same_slice(bytes_of(made), forms.x509));
        REQUIRE_OK(kr_material_convert(open, FORMAT(Raw), 0, &raw));
        CHECK(same_slice(bytes_of(raw), KLM_SLICE(forms.x509.p + 12, cases[i].n)));
        kr_material_free(&made);
        kr_material_free(&raw);
        kr_material_free(&secret);
        kr_material_free(&open);
    }
}

TEST(a_raw_key_of_a_string_algorithm_has_its_length)
{
    struct kr_material *material = NULL;
    uint8_t key[32] = {9};

    CHECK_RC(kr_material_new(&(struct kr_material_spec){.object = PRIVATE_KEY,
                                                        .format = FORMAT(Raw),
                                                        .algorithm = ALG(Ed25519)},
                             KLM_SLICE(key, 31), &material),
             KLM_E_INVALID);
    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = PRIVATE_KEY,
                                                          .format = FORMAT(Raw),
                                                          .algorithm = ALG(Ed25519)},
                               KLM_SLICE(key, 32), &material));
    CHECK_INT(kr_material_spec(material)->bits, 256);
    kr_material_free(&material);
}

TEST(a_key_has_no_format_of_another_kind)
{
    const struct forms rsa = rsa_forms("1024"), ec = ec_forms("prime256v1");
    struct kr_material *from[] = {material_of(PRIVATE_KEY, FORMAT(PKCS_8), rsa.pkcs8),
                                  material_of(PUBLIC_KEY, FORMAT(X_509), rsa.x509),
                                  material_of(PRIVATE_KEY, FORMAT(PKCS_8), ec.pkcs8),
                                  material_of(PUBLIC_KEY, FORMAT(X_509), ec.x509)};
    static const uint32_t never[][12] = {
        {FORMAT(Raw), FORMAT(Opaque), FORMAT(X_509), FORMAT(ECPrivateKey),
         FORMAT(TransparentRSAPublicKey), FORMAT(TransparentECPrivateKey),
         FORMAT(TransparentDSAPrivateKey), FORMAT(TransparentSymmetricKey), FORMAT(PKCS_12), 99},
        {FORMAT(Raw), FORMAT(Opaque), FORMAT(PKCS_8), FORMAT(TransparentRSAPrivateKey),
         FORMAT(TransparentECPublicKey), FORMAT(PKCS_10)},
        {FORMAT(Raw), FORMAT(PKCS_1), FORMAT(X_509), FORMAT(TransparentECPublicKey),
         FORMAT(TransparentRSAPrivateKey), FORMAT(TransparentDHPrivateKey)},
        {FORMAT(Raw), FORMAT(PKCS_1), FORMAT(ECPrivateKey), FORMAT(TransparentECPrivateKey),
         FORMAT(TransparentDSAPublicKey)},
    };

    for (size_t i = 0; i < KLM_COUNT(from); i++) {
        for (size_t k = 0; k < 12 && never[i][k]; k++) {
            struct kr_material *to = NULL;

            CHECK_RC(kr_material_convert(from[i], never[i][k], 0, &to), KLM_E_UNSUPPORTED);
            CHECK(to == NULL);
        }
        kr_material_free(&from[i]);
    }
}

TEST(the_bytes_of_a_symmetric_key_have_three_names)
{
    static const uint32_t formats[] = {FORMAT(Raw), FORMAT(Opaque),
                                       FORMAT(TransparentSymmetricKey)};
    struct kr_material *key = symmetric_of(ALG(AES), "0123456789abcdef", 16);

    for (size_t i = 0; i < KLM_COUNT(formats); i++) {
        for (size_t k = 0; k < KLM_COUNT(formats); k++) {
            struct kr_material *from = NULL, *to = NULL;

            REQUIRE_OK(kr_material_convert(key, formats[i], 0, &from));
            REQUIRE_OK(kr_material_convert(from, formats[k], 0, &to));
            CHECK(kr_material_same(key, to));
            CHECK(kr_material_is(to, klm_slice_str("0123456789abcdef")));
            CHECK_INT(kr_material_spec(to)->bits, 128);
            kr_material_free(&from);
            kr_material_free(&to);
        }
    }
    CHECK_RC(kr_material_convert(key, FORMAT(PKCS_8), 0, &key), KLM_E_UNSUPPORTED);
    CHECK_RC(kr_material_convert(key, FORMAT(Raw), COMPRESSION(Uncompressed), &key),
             KLM_E_UNSUPPORTED);
    kr_material_free(&key);
}

TEST(an_opaque_key_of_another_length_is_not_raw)
{
    struct kr_material *key = NULL, *raw = NULL;

    REQUIRE_OK(kr_material_new(
        &(struct kr_material_spec){
            .object = SYMMETRIC, .format = FORMAT(Opaque), .algorithm = ALG(AES), .bits = 256},
        klm_slice_str("too short"), &key));
    CHECK_RC(kr_material_convert(key, FORMAT(Raw), 0, &raw), KLM_E_UNSUPPORTED);
    CHECK(raw == NULL);
    kr_material_free(&key);
}

TEST(a_secret_goes_between_raw_and_opaque)
{
    struct kr_material *secret = material_of(SECRET, FORMAT(Opaque), klm_slice_str("pass")),
                       *raw = NULL;

    REQUIRE_OK(kr_material_convert(secret, FORMAT(Raw), 0, &raw));
    CHECK(kr_material_is(raw, klm_slice_str("pass")));
    CHECK(!kr_material_is(raw, klm_slice_str("pasS")));
    CHECK(!kr_material_is(raw, klm_slice_str("passw")));
    CHECK_RC(kr_material_convert(secret, FORMAT(TransparentSymmetricKey), 0, &raw),
             KLM_E_UNSUPPORTED);
    kr_material_free(&raw);
    kr_material_free(&secret);
}

TEST(a_wrapped_key_stays_as_it_is)
{
    struct kr_material *key = NULL, *to = NULL;
    const struct klm_slice bytes = klm_slice_str("wrapped bytes, whatever they are");

    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = SYMMETRIC,
                                                          .format = FORMAT(Raw),
                                                          .algorithm = ALG(AES),
                                                          .bits = 128,
                                                          .wrapped = true},
                               bytes, &key));
    CHECK(same_slice(bytes_of(key), bytes));
    CHECK_RC(kr_material_convert(key, FORMAT(Opaque), 0, &to), KLM_E_STATE);
    CHECK(!kr_material_is(key, bytes));
    REQUIRE_OK(kr_material_convert(key, FORMAT(Raw), 0, &to));
    CHECK(kr_material_same(key, to));
    kr_material_free(&to);
    kr_material_free(&key);
}

TEST(the_public_half_of_a_private_key_is_its_own)
{
    const struct forms rsa = rsa_forms("2048"), ec = ec_forms("secp384r1");
    struct kr_material *secret = material_of(PRIVATE_KEY, FORMAT(PKCS_8), rsa.pkcs8), *open = NULL;

    REQUIRE_OK(kr_material_public(secret, &open));
    CHECK(same_slice(bytes_of(open), rsa.public_pkcs1));
    CHECK_INT(kr_material_spec(open)->object, PUBLIC_KEY);
    CHECK(!kr_material_same(secret, open));
    CHECK_RC(kr_material_public(open, &open), KLM_E_UNSUPPORTED);
    kr_material_free(&open);
    kr_material_free(&secret);
    secret = material_of(PRIVATE_KEY, FORMAT(ECPrivateKey), ec.ec);
    REQUIRE_OK(kr_material_public(secret, &open));
    CHECK(same_slice(bytes_of(open), ec.x509));
    kr_material_free(&open);
    kr_material_free(&secret);
}

TEST(two_keys_are_the_same_whatever_their_formats)
{
    const struct forms a = rsa_forms("1024"), b = rsa_forms("1024"), ec = ec_forms("prime256v1");
    struct kr_material *one = material_of(PRIVATE_KEY, FORMAT(PKCS_1), a.pkcs1),
                       *same = material_of(PRIVATE_KEY, FORMAT(PKCS_8), a.pkcs8),
                       *other = material_of(PRIVATE_KEY, FORMAT(PKCS_8), b.pkcs8),
                       *kind = material_of(PRIVATE_KEY, FORMAT(PKCS_8), ec.pkcs8);

    CHECK(kr_material_same(one, same));
    CHECK(!kr_material_same(one, other));
    CHECK(!kr_material_same(one, kind));
    kr_material_free(&one);
    kr_material_free(&same);
    kr_material_free(&other);
    kr_material_free(&kind);
}

TEST(a_private_key_that_does_not_fit_together_is_refused)
{
    const struct forms rsa = rsa_forms("1024"), ec = ec_forms("prime256v1");
    struct kr_material *material = NULL;
    uint8_t *p = copy_of(rsa.pkcs1);

    p[rsa.pkcs1.n - 1] ^= 1; /* the CRT coefficient */
    CHECK_RC(
        kr_material_new(&(struct kr_material_spec){.object = PRIVATE_KEY, .format = FORMAT(PKCS_1)},
                        KLM_SLICE(p, rsa.pkcs1.n), &material),
        KLM_E_INVALID);
    p = copy_of(ec.ec);
    p[7 + 31] ^= 1; /* the number: the point is another one's now */
    CHECK_RC(kr_material_new(
                 &(struct kr_material_spec){.object = PRIVATE_KEY, .format = FORMAT(ECPrivateKey)},
                 KLM_SLICE(p, ec.ec.n), &material),
             KLM_E_INVALID);
    p = copy_of(ec.x509);
    p[ec.x509.n - 1] ^= 1; /* no point of the curve */
    CHECK_RC(
        kr_material_new(&(struct kr_material_spec){.object = PUBLIC_KEY, .format = FORMAT(X_509)},
                        KLM_SLICE(p, ec.x509.n), &material),
        KLM_E_INVALID);
    CHECK(material == NULL);
}

TEST(a_good_form_around_an_unknown_kind_of_key_is_kept)
{
    /* 1.3.6.1.4.1.32473.1: an algorithm of nobody's. */
    const struct klm_slice pkcs8 = hex("3014020100300b06092b0601040181fd5901040201"
                                       "02"),
                           x509 = hex("3011300b06092b0601040181fd5901030200ff");
    struct kr_material *material, *to = NULL;

    material = material_of(PUBLIC_KEY, FORMAT(X_509), x509);
    CHECK_INT(kr_material_spec(material)->algorithm, 0);
    CHECK_RC(kr_material_convert(material, FORMAT(PKCS_1), 0, &to), KLM_E_UNSUPPORTED);
    kr_material_free(&material);
    material = material_of(PRIVATE_KEY, FORMAT(PKCS_8), pkcs8);
    CHECK(same_slice(bytes_of(material), pkcs8));
    kr_material_free(&material);
}

/* DER from the back, for a key that openssl would not make. */
struct back {
    uint8_t *p;
    size_t at, cap;
};

static void back_bytes(struct back *back, const void *p, size_t n)
{
    back->at -= n;
    memcpy(back->p + back->at, p, n);
}

static void back_head(struct back *back, uint8_t tag, size_t end, bool one_more)
{
    const size_t n = end - back->at;
    const uint8_t head[] = {tag, 0x83, 0, (uint8_t)(n >> 8), (uint8_t)n};

    if (one_more) {
        back_bytes(back, head, 5); /* with a zero that DER does not allow */
    } else {
        back_bytes(back, (const uint8_t[]){tag, 0x82, head[3], head[4]}, 4);
    }
}

/* A private DSA key whose prime has so many bytes. */
static struct klm_slice long_dsa(size_t prime, bool one_more)
{
    struct back back = {klm_pool_alloc(test_pool(), prime + 100), prime + 100, prime + 100};
    const uint8_t *numbers = klm_pool_alloc(test_pool(), prime);
    size_t end;

    back_bytes(&back, "\x04\x03\x02\x01\x05", 5); /* X = 5 */
    end = back.at;
    back_bytes(&back, "\x02\x01\x03\x02\x01\x02", 6); /* Q = 3, G = 2 */
    back_bytes(&back, numbers, prime - 1);
    back_bytes(&back, "\x7f", 1);
    back_head(&back, 0x02, end - 6, one_more);
    back_head(&back, 0x30, end, false);
    back_bytes(&back, "\x06\x07\x2a\x86\x48\xce\x38\x04\x01", 9);
    back_head(&back, 0x30, end, false);
    back_bytes(&back, "\x02\x01\x00", 3);
    back_head(&back, 0x30, back.cap, false);
    return KLM_SLICE(back.p + back.at, back.cap - back.at);
}

TEST(numbers_that_would_take_for_ever_are_refused_before_they_are_used)
{
    const struct kr_material_spec spec = {.object = PRIVATE_KEY, .format = FORMAT(PKCS_8)};
    struct kr_material *material = NULL;

    CHECK_RC(kr_material_new(&spec, long_dsa(1026, false), &material), KLM_E_LIMIT);
    CHECK_RC(kr_material_new(&spec, long_dsa(50000, false), &material), KLM_E_LIMIT);
    CHECK_RC(kr_material_new(&spec, long_dsa(50000, true), &material), KLM_E_INVALID);
    CHECK(material == NULL);
}

TEST(digests_are_those_of_the_bytes)
{
    struct kr_material *key = symmetric_of(ALG(AES), "0123456789abcdef", 16), *parts = NULL;
    uint8_t out[64];
    size_t n = 0;

    /* printf 0123456789abcdef | sha256sum */
    REQUIRE_OK(kr_material_digest(key, KMIP_HashingAlgorithm_SHA_256, out, &n));
    CHECK_INT(n, 32);
    CHECK_MEM(out, hex("9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f").p, 32);
    REQUIRE_OK(kr_material_convert(key, FORMAT(TransparentSymmetricKey), 0, &parts));
    REQUIRE_OK(kr_material_digest(parts, KMIP_HashingAlgorithm_SHA_256, out, &n));
    CHECK_MEM(out, hex("9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f").p, 32);
    REQUIRE_OK(kr_material_digest(key, KMIP_HashingAlgorithm_SHA_512, out, &n));
    CHECK_INT(n, 64);
    CHECK_RC(kr_material_digest(key, KMIP_HashingAlgorithm_Tiger, out, &n), KLM_E_UNSUPPORTED);
    kr_material_free(&parts);
    kr_material_free(&key);
}
