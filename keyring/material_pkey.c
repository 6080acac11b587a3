/* What OpenSSL's keys are in KMIP's numbers: algorithm, length, curve. */
#include "keyring/material_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <string.h>

static const struct curve {
    uint32_t curve;
    int nid;
    unsigned bits;
} curves[] = {
#define KR_CURVE(name, ours, bits) {KMIP_RecommendedCurve_##name, NID_##ours, bits},
#include "keyring/curves.def"
#undef KR_CURVE
};

uint32_t kr_curve_of(int nid)
{
    for (size_t i = 0; i < KLM_COUNT(curves); i++) {
        if (curves[i].nid == nid) {
            return curves[i].curve;
        }
    }
    return 0;
}

int kr_curve_nid(uint32_t curve)
{
    for (size_t i = 0; i < KLM_COUNT(curves); i++) {
        if (curves[i].curve == curve) {
            return curves[i].nid;
        }
    }
    return NID_undef;
}

unsigned kr_curve_bits(uint32_t curve)
{
    for (size_t i = 0; i < KLM_COUNT(curves); i++) {
        if (curves[i].curve == curve) {
            return curves[i].bits;
        }
    }
    return 0;
}

/* What a key says of itself. A kind of key may go by several names (KMIP 1.0 knows ECDSA and ECDH, later versions EC): the first is what it is
 * called when nobody said. */
#define NAMES 4
struct kind {
    const char *type; /* OpenSSL's */
    uint32_t names[NAMES];
    uint32_t curve, bits; /* 0: ask the key */
};
#define ALG(name) KMIP_CryptographicAlgorithm_##name
static const struct kind kinds[] = {
    {"RSA", {ALG(RSA)}, 0, 0},
    {"RSA-PSS", {ALG(RSA)}, 0, 0},
    {"EC", {ALG(EC), ALG(ECDSA), ALG(ECDH), ALG(ECMQV)}, 0, 0},
    {"SM2", {ALG(SM2), ALG(EC), ALG(ECDSA)}, 0, 256},
    {"DSA", {ALG(DSA)}, 0, 0},
    {"DH", {ALG(DH)}, 0, 0},
    {"DHX", {ALG(DH)}, 0, 0},
    {"ED25519", {ALG(Ed25519), ALG(EC), ALG(ECDSA)}, KMIP_RecommendedCurve_CURVE25519, 256},
    {"ED448", {ALG(Ed448), ALG(EC), ALG(ECDSA)}, KMIP_RecommendedCurve_CURVE448, 448},
    {"X25519", {ALG(ECDH), ALG(EC)}, KMIP_RecommendedCurve_CURVE25519, 256},
    {"X448", {ALG(ECDH), ALG(EC)}, KMIP_RecommendedCurve_CURVE448, 448},
};

static const struct kind *kind_of(const EVP_PKEY *pkey)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (EVP_PKEY_is_a(pkey, kinds[i].type)) {
            return &kinds[i];
        }
    }
    return NULL;
}

static klm_rc fit_algorithm(const struct kind *kind, struct kr_material_spec *spec)
{
    if (!spec->algorithm) {
        spec->algorithm = kind->names[0];
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (kind->names[i] == spec->algorithm) {
            return KLM_OK;
        }
    }
    return KLM_E_INVALID;
}

/* Only curves that have a name: the others are chosen by whoever made the key. */
static klm_rc curve_of(const EVP_PKEY *pkey, const struct kind *kind, uint32_t *out)
{
    char group[64];

    *out = kind->curve;
    if (strcmp(kind->type, "EC") != 0) {
        return KLM_OK;
    }
    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    *out = kr_curve_of(OBJ_txt2nid(group));
    return *out ? KLM_OK : KLM_E_UNSUPPORTED;
}

/* The order of a curve, or a modulus with a zero at its head, may have fewer bits than what it is called after; some say whole bytes. */
static bool bits_fit(uint32_t said, uint32_t is, uint32_t exact)
{
    return said == is || said == exact || said == (is + 7) / 8 * 8;
}

klm_rc kr_pkey_fit(EVP_PKEY *pkey, struct kr_material_spec *spec)
{
    const struct kind *kind = kind_of(pkey);
    struct kr_material_spec said = *spec;
    uint32_t curve, bits, exact = (uint32_t)EVP_PKEY_get_bits(pkey);

    if (!kind) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    KLM_TRY(curve_of(pkey, kind, &curve));
    bits = kind->bits ? kind->bits : curve ? kr_curve_bits(curve) : exact;
    if (bits > KR_PKEY_BITS_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(fit_algorithm(kind, &said));
    said.bits = said.bits ? said.bits : bits;
    said.curve = said.curve ? said.curve : curve;
    if (!bits_fit(said.bits, bits, exact) || said.curve != curve) {
        return KLM_E_INVALID;
    }
    *spec = said;
    return KLM_OK;
}

/* OpenSSL gives numbers in the machine's order and as wide as the buffer. */
static void big_endian(uint8_t *p, size_t n)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < n / 2; i++) {
        uint8_t swap = p[i];

        p[i] = p[n - 1 - i];
        p[n - 1 - i] = swap;
    }
#else
    (void)p, (void)n;
#endif
}

klm_rc kr_pkey_number(const EVP_PKEY *pkey, const char *name, struct kr_secret *out)
{
    OSSL_PARAM param[] = {OSSL_PARAM_BN(NULL, NULL, 0), OSSL_PARAM_END};
    KLM_AUTO(kr_secret_done) struct kr_secret wide = {0};
    struct kr_secret made = {0};
    size_t zeros = 0, n;

    KLM_TRY(kr_secret_new(KR_PKEY_BITS_MAX / 8, &wide));
    param[0].key = name;
    param[0].data = wide.p;
    param[0].data_size = wide.cap;
    if (EVP_PKEY_get_params(pkey, param) != 1 || !OSSL_PARAM_modified(param) ||
        param[0].return_size > wide.cap) {
        return kr_quiet(KLM_E_NOTFOUND);
    }
    n = param[0].return_size;
    big_endian(wide.p, n);
    while (zeros + 1 < n && wide.p[zeros] == 0) {
        zeros++;
    }
    KLM_TRY(kr_secret_new(n - zeros, &made));
    made.n = n - zeros;
    memcpy(made.p, wide.p + zeros, made.n);
    *out = made;
    return KLM_OK;
}

static klm_rc check_rsa(EVP_PKEY *pkey)
{
    const struct kr_material_spec spec = {.format = KMIP_KeyFormatType_TransparentRSAPrivateKey};
    KLM_AUTO(kr_secret_done) struct kr_secret bytes = {0};
    KLM_AUTO(kr_secret_done) struct kr_secret block = {0};
    struct kr_parts parts = {0}, all;

    KLM_TRY(kr_parts_of_pkey(pkey, spec.format, &bytes));
    KLM_TRY(kr_parts_unpack(&spec, KLM_SLICE(bytes.p, bytes.n), &parts));
    return kr_rsa_complete(&parts, &block, &all);
}

static klm_rc check_ec(EVP_PKEY *pkey, bool is_private)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    if (!ctx || (is_private ? EVP_PKEY_check(ctx) : EVP_PKEY_public_check_quick(ctx)) != 1) {
        return kr_failed(KLM_E_INVALID);
    }
    return KLM_OK;
}

klm_rc kr_pkey_check(EVP_PKEY *pkey, bool is_private)
{
    if (EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_is_a(pkey, "SM2")) {
        return check_ec(pkey, is_private);
    }
    return is_private && (EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS"))
               ? check_rsa(pkey)
               : KLM_OK;
}

#define PROBE 16384

klm_rc kr_failed(klm_rc rc)
{
    void *probe = klm_secret_alloc(PROBE);

    ERR_clear_error();
    if (!probe) {
        return KLM_E_NOMEM;
    }
    klm_secret_free(probe, PROBE);
    return rc;
}
