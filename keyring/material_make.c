/* Making key material: random symmetric keys, and key pairs. */
#include "keyring/material_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <string.h>

/* ---- Symmetric keys */

static const struct symmetric {
    uint32_t algorithm, least, most, step;
    bool parity;
    uint32_t usual;
} symmetrics[] = {
#define KR_SYMMETRIC(name, least, most, step, parity, usual)                                       \
    {KMIP_CryptographicAlgorithm_##name, least, most, step, parity, usual},
#include "keyring/symmetric.def"
#undef KR_SYMMETRIC
};

static const struct symmetric *symmetric_find(uint32_t algorithm)
{
    for (size_t i = 0; i < KLM_COUNT(symmetrics); i++) {
        if (symmetrics[i].algorithm == algorithm) {
            return &symmetrics[i];
        }
    }
    return NULL;
}

/* FIPS 46-3: the last bit of each byte makes the number of ones odd. */
static void set_parity(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)((p[i] & 0xfe) | !__builtin_parity(p[i] & 0xfeu));
    }
}

/* Bits without their parity, which a length of DES keys may count (KMIP 1.4, 3.5). */
static uint32_t key_bits(const struct symmetric *kind, uint32_t bits)
{
    return kind->parity && bits % 64 == 0 ? bits / 8 * 7 : bits;
}

klm_rc kr_symmetric_bytes(uint32_t algorithm, uint32_t bits, size_t *n)
{
    const struct symmetric *kind = symmetric_find(algorithm);
    const uint32_t inside = kind ? key_bits(kind, bits) : 0;

    if (!kind) {
        return KLM_E_UNSUPPORTED;
    }
    if (inside < kind->least || inside > kind->most || (inside - kind->least) % kind->step) {
        return KLM_E_LIMIT;
    }
    *n = inside / (kind->parity ? 7 : 8);
    return KLM_OK;
}

klm_rc kr_material_generate(uint32_t algorithm, uint32_t bits, struct kr_material **out)
{
    const struct kr_material_spec spec = {.object = KMIP_ObjectType_SymmetricKey,
                                          .format = KMIP_KeyFormatType_Raw,
                                          .algorithm = algorithm,
                                          .bits = bits};
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};
    size_t n;

    KLM_TRY(kr_symmetric_bytes(algorithm, bits, &n));
    KLM_TRY(kr_secret_new(n, &key));
    KLM_TRY(klm_random(key.p, key.cap));
    if (symmetric_find(algorithm)->parity) {
        set_parity(key.p, key.cap);
    }
    key.n = key.cap;
    return kr_material_take(&spec, &key, out);
}

klm_rc kr_material_generate_secret(uint32_t bits, struct kr_material **out)
{
    const struct kr_material_spec spec = {
        .object = KMIP_ObjectType_SecretData, .format = KMIP_KeyFormatType_Raw, .bits = bits};
    KLM_AUTO(kr_secret_done) struct kr_secret secret = {0};

    if (bits == 0 || bits % 8 || bits / 8 > KR_MATERIAL_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_secret_new(bits / 8, &secret));
    KLM_TRY(klm_random(secret.p, secret.cap));
    secret.n = secret.cap;
    return kr_material_take(&spec, &secret, out);
}

/* ---- Pairs */

static klm_rc run_keygen(EVP_PKEY_CTX *ctx, EVP_PKEY **out)
{
    EVP_PKEY *pkey = NULL;

    if (EVP_PKEY_generate(ctx, &pkey) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = pkey;
    return KLM_OK;
}

static klm_rc make_rsa(const struct kr_material_spec *spec, EVP_PKEY **out)
{
    if (spec->bits < 1024 || spec->bits > 4096 || spec->bits % 8) {
        return KLM_E_LIMIT;
    }
    *out = EVP_RSA_gen(spec->bits);
    return *out ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

/* FIPS 186-4, 4.2: pairs of lengths of p and q; 1024 and 160 for those who need them still. */
static klm_rc make_dsa(const struct kr_material_spec *spec, EVP_PKEY **out)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *numbers = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = NULL;
    KLM_AUTO(kr_done_pkey) EVP_PKEY *domain = NULL;
    size_t p = spec->bits, q = p < 2048 ? 160 : 256;
    const OSSL_PARAM params[] = {OSSL_PARAM_size_t(OSSL_PKEY_PARAM_FFC_PBITS, &p),
                                 OSSL_PARAM_size_t(OSSL_PKEY_PARAM_FFC_QBITS, &q), OSSL_PARAM_END};

    if (p != 1024 && p != 2048 && p != 3072) {
        return KLM_E_LIMIT;
    }
    if (!numbers || EVP_PKEY_paramgen_init(numbers) != 1 ||
        EVP_PKEY_CTX_set_params(numbers, params) != 1 || EVP_PKEY_generate(numbers, &domain) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, domain, NULL);
    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return run_keygen(ctx, out);
}

/* KMIP 2.1, 6.1.5: without Recommended Curve the length chooses among the curves of NIST. */
static uint32_t curve_by_bits(uint32_t bits)
{
    static const uint32_t nist[] = {KMIP_RecommendedCurve_P_192, KMIP_RecommendedCurve_P_224,
                                    KMIP_RecommendedCurve_P_256, KMIP_RecommendedCurve_P_384,
                                    KMIP_RecommendedCurve_P_521};

    for (size_t i = 0; i < KLM_COUNT(nist); i++) {
        if (kr_curve_bits(nist[i]) == bits) {
            return nist[i];
        }
    }
    return 0;
}

static klm_rc make_ec(const struct kr_material_spec *spec, EVP_PKEY **out)
{
    const uint32_t curve = spec->curve ? spec->curve : curve_by_bits(spec->bits);
    const int nid = kr_curve_nid(curve);
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (curve && nid == NID_undef) {
        return KLM_E_UNSUPPORTED;
    }
    if (!curve || (spec->bits && spec->bits != kr_curve_bits(curve))) {
        return KLM_E_LIMIT;
    }
    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_group_name(ctx, OBJ_nid2sn(nid)) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return run_keygen(ctx, out);
}

/* RFC 7919: safe primes that everybody can check, instead of new ones that take minutes. */
static klm_rc make_dh(const struct kr_material_spec *spec, EVP_PKEY **out)
{
    const char *group = spec->bits == 2048   ? "ffdhe2048"
                        : spec->bits == 3072 ? "ffdhe3072"
                        : spec->bits == 4096 ? "ffdhe4096"
                                             : NULL;
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);

    if (!group) {
        return KLM_E_LIMIT;
    }
    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_CTX_set_group_name(ctx, group) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return run_keygen(ctx, out);
}

/* Keys of one size: nothing to choose. */
static klm_rc make_named(const char *type, EVP_PKEY **out)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);

    if (!ctx || EVP_PKEY_keygen_init(ctx) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return run_keygen(ctx, out);
}

static klm_rc make_agreement(const struct kr_material_spec *spec, EVP_PKEY **out)
{
    switch (spec->curve) {
    case KMIP_RecommendedCurve_CURVE25519:
        return make_named("X25519", out);
    case KMIP_RecommendedCurve_CURVE448:
        return make_named("X448", out);
    default:
        return make_ec(spec, out);
    }
}

static klm_rc make(const struct kr_material_spec *spec, EVP_PKEY **out)
{
    switch (spec->algorithm) {
    case KMIP_CryptographicAlgorithm_RSA:
        return make_rsa(spec, out);
    case KMIP_CryptographicAlgorithm_DSA:
        return make_dsa(spec, out);
    case KMIP_CryptographicAlgorithm_DH:
        return make_dh(spec, out);
    case KMIP_CryptographicAlgorithm_EC:
    case KMIP_CryptographicAlgorithm_ECDH:
        return make_agreement(spec, out);
    case KMIP_CryptographicAlgorithm_ECDSA:
    case KMIP_CryptographicAlgorithm_ECMQV:
        return make_ec(spec, out);
    case KMIP_CryptographicAlgorithm_SM2:
        return make_named("SM2", out);
    case KMIP_CryptographicAlgorithm_Ed25519:
        return make_named("ED25519", out);
    case KMIP_CryptographicAlgorithm_Ed448:
        return make_named("ED448", out);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

static klm_rc half(const struct kr_material_spec *spec, uint32_t object, EVP_PKEY *pkey,
                   struct kr_material **out)
{
    const bool rsa = spec->algorithm == KMIP_CryptographicAlgorithm_RSA;
    KLM_AUTO(kr_secret_done) struct kr_secret bytes = {0};
    struct kr_material_spec made = {
        .object = object, .algorithm = spec->algorithm, .bits = spec->bits, .curve = spec->curve};

    made.format = rsa                                    ? KMIP_KeyFormatType_PKCS_1
                  : object == KMIP_ObjectType_PrivateKey ? KMIP_KeyFormatType_PKCS_8
                                                         : KMIP_KeyFormatType_X_509;
    KLM_TRY(kr_pkey_fit(pkey, &made));
    KLM_TRY(kr_format_encode(pkey, &made, &bytes));
    return kr_material_take(&made, &bytes, out);
}

klm_rc kr_material_generate_pair(const struct kr_material_spec *spec,
                                 struct kr_material **private_key, struct kr_material **public_key)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    KLM_AUTO(kr_material_free) struct kr_material *secret = NULL;
    KLM_AUTO(kr_material_free) struct kr_material *open = NULL;

    KLM_TRY(make(spec, &pkey));
    KLM_TRY(half(spec, KMIP_ObjectType_PrivateKey, pkey, &secret));
    KLM_TRY(half(spec, KMIP_ObjectType_PublicKey, pkey, &open));
    *private_key = secret;
    *public_key = open;
    secret = open = NULL;
    return KLM_OK;
}

uint32_t kr_material_usual_bits(uint32_t algorithm)
{
    const struct symmetric *kind = symmetric_find(algorithm);

    switch (algorithm) {
    case KMIP_CryptographicAlgorithm_RSA:
    case KMIP_CryptographicAlgorithm_DSA:
    case KMIP_CryptographicAlgorithm_DH:
        return 2048;
    case KMIP_CryptographicAlgorithm_EC:
    case KMIP_CryptographicAlgorithm_ECDH:
    case KMIP_CryptographicAlgorithm_ECDSA:
    case KMIP_CryptographicAlgorithm_ECMQV:
        return 256;
    default:
        return kind ? kind->usual : 0;
    }
}
