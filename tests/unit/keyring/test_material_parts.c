/* Transparent formats: numbers that came one by one. That they are the right ones is shown in test_material_format.c, against openssl. */
#include "matter.h"

#include <openssl/bn.h>

/* A private RSA key taken apart. */
struct whole {
    struct forms forms;
    struct kr_parts parts;
};

static struct whole rsa_whole(const char *bits)
{
    struct whole whole = {.forms = rsa_forms(bits)};
    struct kr_material *from = material_of(PRIVATE_KEY, FORMAT(PKCS_1), whole.forms.pkcs1),
                       *to = NULL;

    REQUIRE_OK(kr_material_convert(from, FORMAT(TransparentRSAPrivateKey), 0, &to));
    REQUIRE_OK(kr_material_parts(to, test_pool(), &whole.parts));
    kr_material_free(&from);
    kr_material_free(&to);
    return whole;
}

static klm_rc take(uint32_t object, uint32_t format, const struct kr_parts *parts,
                   struct kr_material **out)
{
    const struct kr_material_spec spec = {.object = object, .format = format};

    return kr_material_parts_new(&spec, parts, out);
}

static klm_rc refused(uint32_t object, uint32_t format, const struct kr_parts *parts)
{
    struct kr_material *material = NULL;
    const klm_rc rc = take(object, format, parts, &material);

    CHECK(material == NULL);
    kr_material_free(&material);
    return rc;
}

/* Some of the parts make the whole key, and are given back as few as they came. */
static void completes(const struct whole *whole, struct kr_parts some)
{
    struct kr_material *material = NULL, *pkcs1 = NULL;
    struct kr_parts back = {0};

    REQUIRE_OK(take(PRIVATE_KEY, FORMAT(TransparentRSAPrivateKey), &some, &material));
    CHECK_INT(kr_material_spec(material)->algorithm, ALG(RSA));
    REQUIRE_OK(kr_material_parts(material, test_pool(), &back));
    CHECK(same_slice(back.modulus, some.modulus) && same_slice(back.p, some.p) &&
          same_slice(back.q, some.q) && same_slice(back.dp, some.dp) &&
          same_slice(back.dq, some.dq) && same_slice(back.crt, some.crt) &&
          same_slice(back.public_exponent, some.public_exponent) &&
          same_slice(back.private_exponent, some.private_exponent));
    REQUIRE_OK(kr_material_convert(material, FORMAT(PKCS_1), 0, &pkcs1));
    CHECK(kr_material_same(pkcs1, material));
    /* Without them the two primes may change places; and of two private exponents that do the same, openssl takes the larger one in short keys. */
    if ((some.p.p || some.dp.p) && (some.private_exponent.p || some.modulus.n >= 256)) {
        CHECK(same_slice(bytes_of(pkcs1), whole->forms.pkcs1));
    }
    kr_material_free(&pkcs1);
    kr_material_free(&material);
}

#define NOTHING KLM_SLICE(NULL, 0)

TEST(a_private_rsa_key_is_completed_from_what_came)
{
    static const char *const bits[] = {"1024", "2048"};

    for (size_t i = 0; i < KLM_COUNT(bits); i++) {
        const struct whole whole = rsa_whole(bits[i]);
        const struct kr_parts *all = &whole.parts;
        const struct klm_slice n = all->modulus, e = all->public_exponent,
                               d = all->private_exponent;

        completes(&whole, *all);
        completes(&whole,
                  (struct kr_parts){.modulus = n, .public_exponent = e, .private_exponent = d});
        completes(&whole, (struct kr_parts){.modulus = n, .private_exponent = d});
        completes(&whole, (struct kr_parts){.modulus = n, .p = all->p, .q = all->q});
        completes(&whole,
                  (struct kr_parts){.modulus = n, .private_exponent = d, .p = all->p, .q = all->q});
        completes(&whole, (struct kr_parts){
                              .modulus = n, .public_exponent = e, .dp = all->dp, .dq = all->dq});
        completes(&whole, (struct kr_parts){.modulus = n, .dp = all->dp, .dq = all->dq});
        completes(&whole,
                  (struct kr_parts){
                      .modulus = n, .public_exponent = e, .private_exponent = d, .p = all->p});
        completes(
            &whole,
            (struct kr_parts){
                .modulus = n, .public_exponent = e, .p = all->p, .q = all->q, .crt = all->crt});
    }
}

TEST(a_public_exponent_of_three_is_found_from_the_primes)
{
    const char *pem = kept_path("three.pem");
    struct kr_material *from, *to = NULL, *pkcs8 = NULL;
    struct kr_parts parts = {0};
    struct forms forms;

    REQUIRE(OPENSSL("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt",
                    "rsa_keygen_pubexp:3", "-out", pem) != NULL);
    forms = forms_of(pem);
    from = material_of(PRIVATE_KEY, FORMAT(PKCS_8), forms.pkcs8);
    REQUIRE_OK(kr_material_convert(from, FORMAT(TransparentRSAPrivateKey), 0, &to));
    REQUIRE_OK(kr_material_parts(to, test_pool(), &parts));
    kr_material_free(&to);
    parts.public_exponent = NOTHING;
    REQUIRE_OK(take(PRIVATE_KEY, FORMAT(TransparentRSAPrivateKey), &parts, &to));
    REQUIRE_OK(kr_material_convert(to, FORMAT(PKCS_8), 0, &pkcs8));
    CHECK(same_slice(bytes_of(pkcs8), forms.pkcs8));
    kr_material_free(&pkcs8);
    kr_material_free(&to);
    kr_material_free(&from);
}

TEST(a_number_with_or_without_a_sign_byte_is_the_same)
{
    const struct whole whole = rsa_whole("2048");
    struct kr_material *plain = NULL, *padded = NULL;
    struct kr_parts parts = {.modulus = whole.parts.modulus,
                             .public_exponent = whole.parts.public_exponent},
                    back = {0};
    uint8_t longer[8 + 256] = {0};

    CHECK(parts.modulus.n == 256 &&
          (parts.modulus.p[0] & 0x80)); /* a minus, where numbers have signs */
    memcpy(longer + 8, parts.modulus.p, 256);
    REQUIRE_OK(take(PUBLIC_KEY, FORMAT(TransparentRSAPublicKey), &parts, &plain));
    CHECK_INT(kr_material_spec(plain)->bits, 2048);
    parts.modulus = KLM_SLICE(longer, sizeof longer);
    REQUIRE_OK(take(PUBLIC_KEY, FORMAT(TransparentRSAPublicKey), &parts, &padded));
    CHECK(kr_material_same(plain, padded));
    REQUIRE_OK(kr_material_parts(padded, test_pool(), &back));
    CHECK(same_slice(back.modulus, whole.parts.modulus));
    kr_material_free(&plain);
    kr_material_free(&padded);
}

TEST(numbers_that_do_not_belong_together_are_refused)
{
    const struct whole whole = rsa_whole("1024");
    const struct kr_parts *all = &whole.parts;
    const uint32_t format = FORMAT(TransparentRSAPrivateKey);
    struct klm_slice *wrong;
    struct kr_parts parts;

    for (size_t i = 0; i < 8; i++) {
        uint8_t *p;

        parts = *all;
        wrong = &parts.modulus + i;
        p = copy_of(*wrong);
        p[wrong->n - 1] ^= 2;
        *wrong = KLM_SLICE(p, wrong->n);
        CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
    }
    parts = (struct kr_parts){.modulus = all->modulus, .public_exponent = all->public_exponent};
    CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
    parts.p = all->p;
    CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
    parts.p = NOTHING;
    parts.dp = all->dp;
    CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
    parts = *all;
    parts.modulus = NOTHING;
    CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
    parts = *all;
    parts.p = KLM_SLICE("\1", 1);
    parts.q = all->modulus;
    CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
    parts = *all;
    parts.p = KLM_SLICE("\0", 1);
    CHECK_RC(refused(PRIVATE_KEY, format, &parts), KLM_E_INVALID);
}

/* A prime modulus has no factors to be found. */
TEST(a_modulus_that_gives_no_factors_is_refused_in_time)
{
    /* 2^521 - 1 is a prime: e * d = 1 (mod n - 1). */
    uint8_t n[66], d[66];
    BIGNUM *m = BN_new(), *e = BN_new(), *inverse;
    BN_CTX *ctx = BN_CTX_new();
    struct kr_parts parts = {.public_exponent = KLM_SLICE("\1\0\1", 3)};

    memset(n, 0xff, sizeof n);
    n[0] = 1;
    REQUIRE(BN_bin2bn(n, sizeof n, m) && BN_sub_word(m, 1) && BN_set_word(e, 65537));
    inverse = BN_mod_inverse(NULL, e, m, ctx);
    REQUIRE(inverse && BN_bn2binpad(inverse, d, sizeof d) == sizeof d);
    parts.modulus = KLM_SLICE(n, sizeof n);
    parts.private_exponent = KLM_SLICE(d, sizeof d);
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentRSAPrivateKey), &parts), KLM_E_INVALID);
    BN_free(m);
    BN_free(e);
    BN_free(inverse);
    BN_CTX_free(ctx);
}

TEST(parts_of_another_format_are_refused)
{
    const struct whole whole = rsa_whole("1024");
    struct kr_parts parts = whole.parts;
    struct kr_material *material = NULL;

    CHECK_RC(refused(PUBLIC_KEY, FORMAT(TransparentRSAPublicKey), &parts), KLM_E_INVALID);
    CHECK_RC(refused(PUBLIC_KEY, FORMAT(TransparentRSAPrivateKey), &parts), KLM_E_INVALID);
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentDSAPrivateKey), &parts), KLM_E_INVALID);
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(PKCS_1), &parts), KLM_E_UNSUPPORTED);
    parts.key = KLM_SLICE("x", 1);
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentRSAPrivateKey), &parts), KLM_E_INVALID);
    CHECK_RC(
        kr_material_parts_new(&(struct kr_material_spec){.object = PRIVATE_KEY,
                                                         .format = FORMAT(TransparentRSAPrivateKey),
                                                         .bits = 2048},
                              &whole.parts, &material),
        KLM_E_INVALID);
    CHECK(material == NULL);
    /* And bytes are no parts. */
    CHECK_RC(kr_material_new(&(struct kr_material_spec){.object = PRIVATE_KEY,
                                                        .format = FORMAT(TransparentRSAPrivateKey)},
                             KLM_SLICE("x", 1), &material),
             KLM_E_UNSUPPORTED);
}

TEST(a_number_longer_than_the_limit_is_refused)
{
    uint8_t much[1025];
    struct kr_parts parts = {.modulus = KLM_SLICE(much, sizeof much),
                             .public_exponent = KLM_SLICE("\1\0\1", 3)};
    struct kr_material *material = NULL;

    memset(much, 0xff, sizeof much);
    CHECK_RC(refused(PUBLIC_KEY, FORMAT(TransparentRSAPublicKey), &parts), KLM_E_LIMIT);
    parts.modulus.n = 1024;
    REQUIRE_OK(take(PUBLIC_KEY, FORMAT(TransparentRSAPublicKey), &parts, &material));
    CHECK_INT(kr_material_spec(material)->bits, 8192);
    kr_material_free(&material);
}

TEST(a_private_ec_number_is_one_of_its_curve)
{
    /* FIPS 186-4, D.1.2.3: the order of P-256, and one less. */
    static const char order[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
                      last[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550";
    struct kr_parts parts = {.d = hex(last), .curve = CURVE(P_256)};
    struct kr_material *material = NULL, *open = NULL, *point = NULL;

    REQUIRE_OK(take(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts, &material));
    CHECK_INT(kr_material_spec(material)->curve, CURVE(P_256));
    CHECK_INT(kr_material_spec(material)->bits, 256);
    /* The order less one, times the base point, is the base point with the other y: its x is that of D.1.2.3. */
    REQUIRE_OK(kr_material_public(material, &open));
    REQUIRE_OK(kr_material_convert(open, FORMAT(TransparentECPublicKey), 0, &point));
    REQUIRE_OK(kr_material_parts(point, test_pool(), &parts));
    CHECK_MEM(parts.q_string.p + 1,
              hex("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296").p, 32);
    kr_material_free(&point);
    kr_material_free(&open);
    kr_material_free(&material);
    parts = (struct kr_parts){.d = hex(order), .curve = CURVE(P_256)};
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts), KLM_E_INVALID);
    parts.d = KLM_SLICE("\0", 1);
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts), KLM_E_INVALID);
    parts.d = KLM_SLICE("\5", 1);
    REQUIRE_OK(take(PRIVATE_KEY, FORMAT(TransparentECDSAPrivateKey), &parts, &material));
    kr_material_free(&material);
    parts.curve = 0;
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts), KLM_E_INVALID);
    parts.curve = CURVE(CURVE25519);
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts), KLM_E_UNSUPPORTED);
    parts.curve = 999;
    CHECK_RC(refused(PRIVATE_KEY, FORMAT(TransparentECPrivateKey), &parts), KLM_E_UNSUPPORTED);
}

TEST(the_curve_may_be_said_in_either_place_but_not_twice_differently)
{
    struct kr_parts parts = {.d = KLM_SLICE("\5", 1)};
    struct kr_material_spec spec = {.object = PRIVATE_KEY,
                                    .format = FORMAT(TransparentECPrivateKey),
                                    .algorithm = ALG(ECDSA),
                                    .curve = CURVE(P_384)};
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_parts_new(&spec, &parts, &material));
    REQUIRE_OK(kr_material_parts(material, test_pool(), &parts));
    CHECK_INT(parts.curve, CURVE(P_384));
    kr_material_free(&material);
    parts.curve = CURVE(P_256);
    CHECK_RC(kr_material_parts_new(&spec, &parts, &material), KLM_E_INVALID);
}

TEST(a_point_that_is_not_on_its_curve_is_refused)
{
    uint8_t point[65] = {4, 1, 2, 3};
    struct kr_parts parts = {.q_string = KLM_SLICE(point, sizeof point), .curve = CURVE(P_256)};

    CHECK_RC(refused(PUBLIC_KEY, FORMAT(TransparentECPublicKey), &parts), KLM_E_INVALID);
    parts.q_string.n = 0;
    CHECK_RC(refused(PUBLIC_KEY, FORMAT(TransparentECPublicKey), &parts), KLM_E_INVALID);
    parts.q_string = KLM_SLICE("\0", 1); /* the point at infinity */
    CHECK_RC(refused(PUBLIC_KEY, FORMAT(TransparentECPublicKey), &parts), KLM_E_INVALID);
}

TEST(the_length_of_a_transparent_symmetric_key_is_checked)
{
    struct kr_parts parts = {.key = klm_slice_str("0123456789abcdef")}, back = {0};
    struct kr_material_spec spec = {.object = SYMMETRIC,
                                    .format = FORMAT(TransparentSymmetricKey),
                                    .algorithm = ALG(AES),
                                    .bits = 128};
    struct kr_material *material = NULL;

    REQUIRE_OK(kr_material_parts_new(&spec, &parts, &material));
    REQUIRE_OK(kr_material_parts(material, test_pool(), &back));
    CHECK(same_slice(back.key, parts.key));
    kr_material_free(&material);
    spec.bits = 256;
    CHECK_RC(kr_material_parts_new(&spec, &parts, &material), KLM_E_INVALID);
    parts.key = NOTHING;
    CHECK_RC(kr_material_parts_new(&spec, &parts, &material), KLM_E_INVALID);
    spec.object = SECRET;
    CHECK_RC(kr_material_parts_new(&spec, &parts, &material), KLM_E_INVALID);
}

TEST(the_digest_of_parts_is_that_of_the_numbers_in_their_order)
{
    struct kr_parts parts = {0};
    const struct whole whole = rsa_whole("1024");
    struct kr_material *material = NULL;
    uint8_t out[64], sum[64], both[200];
    size_t n = 0;

    parts.modulus = whole.parts.modulus;
    parts.public_exponent = whole.parts.public_exponent;
    REQUIRE_OK(take(PUBLIC_KEY, FORMAT(TransparentRSAPublicKey), &parts, &material));
    REQUIRE_OK(kr_material_digest(material, KMIP_HashingAlgorithm_SHA_256, out, &n));
    memcpy(both, parts.modulus.p, parts.modulus.n);
    memcpy(both + parts.modulus.n, parts.public_exponent.p, parts.public_exponent.n);
    REQUIRE(EVP_Digest(both, parts.modulus.n + parts.public_exponent.n, sum, NULL, EVP_sha256(),
                       NULL) == 1);
    CHECK_MEM(out, sum, 32);
    kr_material_free(&material);
}
