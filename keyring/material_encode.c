/* Keys written in a format: the private ones straight into secret memory. */
#include "keyring/der.h"
#include "keyring/material_int.h"

#include <openssl/core_names.h>
#include <openssl/objects.h>
#include <string.h>

/* A number of the key as an INTEGER. */
static void put_number(struct kr_der *der, const EVP_PKEY *pkey, const char *name)
{
    KLM_AUTO(kr_secret_done) struct kr_secret number = {0};
    const klm_rc rc = kr_pkey_number(pkey, name, &number);

    if (rc != KLM_OK) {
        kr_der_fail(der, rc == KLM_E_NOTFOUND ? KLM_E_UNSUPPORTED : rc);
        return;
    }
    kr_der_uint(der, KLM_SLICE(number.p, number.n));
}

static bool is_rsa(const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_is_a(pkey, "RSA-PSS");
}

static bool is_ec(const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, "EC") || EVP_PKEY_is_a(pkey, "SM2");
}

/* RFC 8017, A.1.2: RSAPrivateKey, version 0 (two primes). */
static void put_rsa_private(struct kr_der *der, const EVP_PKEY *pkey)
{
    static const char *const numbers[] = {
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_N,
    };
    const size_t end = der->at;

    if (!is_rsa(pkey)) {
        kr_der_fail(der, KLM_E_UNSUPPORTED);
        return;
    }
    for (size_t i = 0; i < KLM_COUNT(numbers); i++) {
        put_number(der, pkey, numbers[i]);
    }
    kr_der_uint(der, KLM_SLICE(NULL, 0));
    kr_der_head(der, 0x30, end);
}

/* RFC 8017, A.1.1: RSAPublicKey. */
static void put_rsa_public(struct kr_der *der, const EVP_PKEY *pkey)
{
    const size_t end = der->at;

    if (!is_rsa(pkey)) {
        kr_der_fail(der, KLM_E_UNSUPPORTED);
        return;
    }
    put_number(der, pkey, OSSL_PKEY_PARAM_RSA_E);
    put_number(der, pkey, OSSL_PKEY_PARAM_RSA_N);
    kr_der_head(der, 0x30, end);
}

/* [1] BIT STRING with the public point, in the form that the key has. */
static void put_point(struct kr_der *der, const EVP_PKEY *pkey)
{
    const size_t end = der->at;
    uint8_t point[KR_POINT_MAX];
    size_t n = 0;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point, &n) !=
        1) {
        kr_der_fail(der, kr_quiet(KLM_E_CRYPTO));
        return;
    }
    kr_der_bytes(der, point, n);
    kr_der_byte(der, 0); /* no unused bits */
    kr_der_head(der, 0x03, end);
    kr_der_head(der, 0xa1, end);
}

/* [0] with the curve's name. */
static void put_curve(struct kr_der *der, const EVP_PKEY *pkey)
{
    const size_t end = der->at;
    const ASN1_OBJECT *name = NULL;
    char group[64];

    if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) == 1) {
        name = OBJ_nid2obj(OBJ_txt2nid(group));
    }
    if (!name || OBJ_length(name) == 0) {
        kr_der_fail(der, kr_quiet(KLM_E_UNSUPPORTED));
        return;
    }
    kr_der_bytes(der, OBJ_get0_data(name), OBJ_length(name));
    kr_der_head(der, 0x06, end);
    kr_der_head(der, 0xa0, end);
}

/* RFC 5915, 3: privateKey is as wide as the order of the curve. */
static void put_ec_number(struct kr_der *der, const EVP_PKEY *pkey)
{
    static const uint8_t zeros[KR_POINT_MAX];
    const size_t width = ((size_t)EVP_PKEY_get_bits(pkey) + 7) / 8, end = der->at;
    KLM_AUTO(kr_secret_done) struct kr_secret number = {0};

    if (kr_pkey_number(pkey, OSSL_PKEY_PARAM_PRIV_KEY, &number) != KLM_OK || number.n > width ||
        width > sizeof zeros) {
        kr_der_fail(der, KLM_E_UNSUPPORTED);
        return;
    }
    kr_der_bytes(der, number.p, number.n);
    kr_der_bytes(der, zeros, width - number.n);
    kr_der_head(der, 0x04, end);
}

/* RFC 5915, 3: ECPrivateKey; within PKCS #8 the curve stands outside. */
static void put_ec_private(struct kr_der *der, const EVP_PKEY *pkey, bool with_curve)
{
    const size_t end = der->at;

    if (!is_ec(pkey)) {
        kr_der_fail(der, KLM_E_UNSUPPORTED);
        return;
    }
    put_point(der, pkey);
    if (with_curve) {
        put_curve(der, pkey);
    }
    put_ec_number(der, pkey);
    kr_der_uint(der, KLM_SLICE("\1", 1));
    kr_der_head(der, 0x30, end);
}

/* RFC 8410, 7: CurvePrivateKey, an OCTET STRING. */
static void put_string(struct kr_der *der, const EVP_PKEY *pkey)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};
    const size_t end = der->at;
    size_t n = 0;

    if (EVP_PKEY_get_raw_private_key(pkey, NULL, &n) != 1 || kr_secret_new(n, &key) != KLM_OK ||
        EVP_PKEY_get_raw_private_key(pkey, key.p, &n) != 1) {
        kr_der_fail(der, kr_quiet(KLM_E_UNSUPPORTED));
        return;
    }
    kr_der_bytes(der, key.p, n);
    kr_der_head(der, 0x04, end);
}

/* The same AlgorithmIdentifier as that of the public key. */
static void put_algorithm(struct kr_der *der, const EVP_PKEY *pkey)
{
    unsigned char *made = NULL;
    X509_ALGOR *algorithm = NULL;
    X509_PUBKEY *info = NULL;
    int n = -1;

    if (X509_PUBKEY_set(&info, (EVP_PKEY *)(uintptr_t)pkey) == 1 &&
        X509_PUBKEY_get0_param(NULL, NULL, NULL, &algorithm, info) == 1) {
        n = i2d_X509_ALGOR(algorithm, &made);
    }
    if (n > 0) {
        kr_der_bytes(der, made, (size_t)n);
    } else {
        kr_der_fail(der, kr_quiet(KLM_E_CRYPTO));
    }
    OPENSSL_free(made);
    X509_PUBKEY_free(info);
}

/* RFC 5208, 5: PrivateKeyInfo. */
static void put_private_info(struct kr_der *der, const EVP_PKEY *pkey)
{
    const size_t end = der->at;

    if (is_rsa(pkey)) {
        put_rsa_private(der, pkey);
    } else if (is_ec(pkey)) {
        put_ec_private(der, pkey, false);
    } else if (EVP_PKEY_is_a(pkey, "DSA") || EVP_PKEY_is_a(pkey, "DH") ||
               EVP_PKEY_is_a(pkey, "DHX")) {
        put_number(der, pkey, OSSL_PKEY_PARAM_PRIV_KEY);
    } else {
        put_string(der, pkey);
    }
    kr_der_head(der, 0x04, end);
    put_algorithm(der, pkey);
    kr_der_uint(der, KLM_SLICE(NULL, 0));
    kr_der_head(der, 0x30, end);
}

static void put_public_info(struct kr_der *der, EVP_PKEY *pkey)
{
    unsigned char *made = NULL;
    const int n = i2d_PUBKEY(pkey, &made);

    if (n > 0) {
        kr_der_bytes(der, made, (size_t)n);
    } else {
        kr_der_fail(der, kr_quiet(KLM_E_CRYPTO));
    }
    OPENSSL_free(made);
}

/* RFC 8032, RFC 7748: keys that are strings of bytes. */
static void put_raw(struct kr_der *der, const EVP_PKEY *pkey, bool is_private)
{
    KLM_AUTO(kr_secret_done) struct kr_secret key = {0};
    size_t n = 64;

    if (kr_secret_new(n, &key) != KLM_OK) {
        kr_der_fail(der, KLM_E_NOMEM);
    } else if ((is_private ? EVP_PKEY_get_raw_private_key(pkey, key.p, &n)
                           : EVP_PKEY_get_raw_public_key(pkey, key.p, &n)) != 1) {
        kr_der_fail(der, kr_quiet(KLM_E_UNSUPPORTED));
    } else {
        kr_der_bytes(der, key.p, n);
    }
}

static void put_private(struct kr_der *der, EVP_PKEY *pkey, uint32_t format)
{
    switch (format) {
    case KMIP_KeyFormatType_PKCS_1:
        put_rsa_private(der, pkey);
        break;
    case KMIP_KeyFormatType_PKCS_8:
        put_private_info(der, pkey);
        break;
    case KMIP_KeyFormatType_ECPrivateKey:
        put_ec_private(der, pkey, true);
        break;
    case KMIP_KeyFormatType_Raw:
        put_raw(der, pkey, true);
        break;
    default:
        kr_der_fail(der, KLM_E_UNSUPPORTED);
    }
}

static void put_public(struct kr_der *der, EVP_PKEY *pkey, uint32_t format)
{
    switch (format) {
    case KMIP_KeyFormatType_PKCS_1:
        put_rsa_public(der, pkey);
        break;
    case KMIP_KeyFormatType_X_509:
        put_public_info(der, pkey);
        break;
    case KMIP_KeyFormatType_Raw:
        put_raw(der, pkey, false);
        break;
    default:
        kr_der_fail(der, KLM_E_UNSUPPORTED);
    }
}

klm_rc kr_format_encode(EVP_PKEY *pkey, const struct kr_material_spec *spec, struct kr_secret *out)
{
    KLM_AUTO(kr_der_done) struct kr_der der = {.at = 0};
    klm_rc rc;

    /* RSA has three numbers of the length of the modulus and five of half of it, DSA four; the rest is less than 512 bytes. */
    KLM_TRY(kr_der_init(6 * ((size_t)EVP_PKEY_get_bits(pkey) / 8 + 1) + 512, &der));
    if (spec->object == KMIP_ObjectType_PrivateKey) {
        put_private(&der, pkey, spec->format);
    } else {
        put_public(&der, pkey, spec->format);
    }
    rc = kr_der_get(&der, out);
    return kr_quiet(rc);
}
