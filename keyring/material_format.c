/* Keys in the formats that say what is in them: PKCS #1 (RFC 8017, A.1), PKCS #8 (RFC 5208), ECPrivateKey (RFC 5915), SubjectPublicKeyInfo (X.509),
 * certificates. */
#include "keyring/der.h"
#include "keyring/material_int.h"

#include <openssl/core_dispatch.h>
#include <openssl/decoder.h>
#include <string.h>

#define PRIVATE (OSSL_KEYMGMT_SELECT_PRIVATE_KEY | OSSL_KEYMGMT_SELECT_ALL_PARAMETERS)

#define INTEGER 0x02
#define BIT_STRING 0x03
#define OCTET_STRING 0x04
#define SEQUENCE 0x30
#define DEPTH_MAX 4

/* Is it a SEQUENCE whose first elements have these tags? OpenSSL's decoders take the structure they are given for a hint, and so one format for
 * another. */
static bool has_shape(struct klm_slice bytes, uint8_t first, uint8_t second)
{
    struct klm_slice content = {0}, element;
    struct klm_cur cur;

    klm_cur_init(&cur, bytes);
    kr_der_take(&cur, 0x30, &content);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK) {
        return false;
    }
    klm_cur_init(&cur, content);
    kr_der_take(&cur, first, &element);
    kr_der_take(&cur, second, &element);
    return klm_cur_rc(&cur) == KLM_OK;
}

/* OpenSSL raises a number to a power while it decodes a private DSA or DH key, however long they are: so what is too long is found first. The string
 * of bytes that stands in the outermost SEQUENCE is a structure again, in the keys that OpenSSL knows. KLM_E_LIMIT, KLM_E_INVALID. */
static klm_rc check_numbers(struct klm_slice bytes, unsigned depth)
{
    struct klm_cur cur;

    klm_cur_init(&cur, bytes);
    while (klm_cur_left(&cur)) {
        const uint8_t tag = *cur.p;
        struct klm_slice content = {0};

        kr_der_take(&cur, tag, &content);
        if (klm_cur_rc(&cur) != KLM_OK) {
            return KLM_E_INVALID;
        }
        if (tag == INTEGER && content.n > KR_PKEY_BITS_MAX / 8 + 1) {
            return KLM_E_LIMIT;
        }
        if (depth < DEPTH_MAX && (tag == SEQUENCE || (tag == OCTET_STRING && depth == 1))) {
            KLM_TRY(check_numbers(content, depth + 1));
        }
    }
    return KLM_OK;
}

/* All of the bytes as one structure of OpenSSL's decoders; type NULL: any kind of key. */
static klm_rc decode(const char *structure, const char *type, int selection, struct klm_slice bytes,
                     EVP_PKEY **out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    OSSL_DECODER_CTX *ctx =
        OSSL_DECODER_CTX_new_for_pkey(&pkey, "DER", structure, type, selection, NULL, NULL);
    const unsigned char *p = bytes.p;
    size_t left = bytes.n;
    bool ok = ctx && OSSL_DECODER_from_data(ctx, &p, &left) == 1 && pkey && left == 0;

    OSSL_DECODER_CTX_free(ctx);
    if (!ok) {
        return kr_failed(KLM_E_INVALID);
    }
    ERR_clear_error(); /* decoders that tried before the right one */
    *out = pkey;
    pkey = NULL;
    return KLM_OK;
}

static klm_rc certificate(struct klm_slice bytes, EVP_PKEY **out)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;

    KLM_TRY(kr_x509(bytes, &x509));
    *out = X509_get_pubkey(x509);
    ERR_clear_error(); /* NULL: a kind that OpenSSL does not know */
    return KLM_OK;
}

/* Is it a good form, around a key of a kind that OpenSSL does not know? */
static bool unknown_kind(const ASN1_OBJECT *algorithm)
{
    return EVP_PKEY_asn1_find(NULL, OBJ_obj2nid(algorithm)) == NULL;
}

static klm_rc public_info(struct klm_slice bytes, EVP_PKEY **out)
{
    const unsigned char *p = bytes.p;
    ASN1_OBJECT *algorithm = NULL;
    X509_PUBKEY *info = NULL;
    bool foreign;
    klm_rc rc;

    if (!has_shape(bytes, SEQUENCE, BIT_STRING)) {
        return KLM_E_INVALID;
    }
    rc = decode("SubjectPublicKeyInfo", NULL, EVP_PKEY_PUBLIC_KEY, bytes, out);
    if (rc != KLM_E_INVALID) {
        return rc;
    }
    info = d2i_X509_PUBKEY(NULL, &p, (long)bytes.n);
    foreign = info && p == bytes.p + bytes.n &&
              X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, info) == 1 &&
              unknown_kind(algorithm);
    X509_PUBKEY_free(info);
    return kr_quiet(foreign ? KLM_OK : KLM_E_INVALID);
}

/* The algorithm of a PrivateKeyInfo: after the version the SEQUENCE whose first element names it. */
static bool private_kind_unknown(struct klm_slice bytes)
{
    struct klm_slice content = {0}, version, algorithm = {0};
    const unsigned char *p;
    ASN1_OBJECT *name;
    struct klm_cur cur;
    bool unknown;

    klm_cur_init(&cur, bytes);
    kr_der_take(&cur, SEQUENCE, &content);
    klm_cur_init(&cur, content);
    kr_der_take(&cur, INTEGER, &version);
    kr_der_take(&cur, SEQUENCE, &algorithm);
    p = algorithm.p;
    name = p ? d2i_ASN1_OBJECT(NULL, &p, (long)algorithm.n) : NULL;
    unknown = name && unknown_kind(name);
    ASN1_OBJECT_free(name);
    ERR_clear_error();
    return unknown;
}

static klm_rc private_info(struct klm_slice bytes, EVP_PKEY **out)
{
    const unsigned char *p = bytes.p;
    PKCS8_PRIV_KEY_INFO *info;
    bool good;

    if (has_shape(bytes, SEQUENCE, OCTET_STRING)) {
        return KLM_OK; /* RFC 5208, 6: EncryptedPrivateKeyInfo, which nobody opens here */
    }
    if (!has_shape(bytes, INTEGER, SEQUENCE)) {
        return KLM_E_INVALID;
    }
    if (!private_kind_unknown(bytes)) {
        KLM_TRY(check_numbers(bytes, 0));
        return decode("PrivateKeyInfo", NULL, PRIVATE, bytes, out);
    }
    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)bytes.n);
    good = info && p == bytes.p + bytes.n;
    PKCS8_PRIV_KEY_INFO_free(info);
    return kr_quiet(good ? KLM_OK : KLM_E_INVALID);
}

/* RFC 8032, RFC 7748: a raw key of these is a string of bytes; of all others it says too little. */
static klm_rc raw_key(const struct kr_material_spec *spec, struct klm_slice bytes, EVP_PKEY **out)
{
    const bool is_448 = spec->algorithm == KMIP_CryptographicAlgorithm_Ed448 ||
                        spec->curve == KMIP_RecommendedCurve_CURVE448;
    const bool agrees = spec->algorithm == KMIP_CryptographicAlgorithm_ECDH ||
                        spec->algorithm == KMIP_CryptographicAlgorithm_EC;
    const bool signs = spec->algorithm == KMIP_CryptographicAlgorithm_Ed25519 ||
                       spec->algorithm == KMIP_CryptographicAlgorithm_Ed448;
    const char *type;
    EVP_PKEY *pkey;

    if (!signs && !(agrees && (is_448 || spec->curve == KMIP_RecommendedCurve_CURVE25519))) {
        return KLM_E_UNSUPPORTED;
    }
    type = signs ? (is_448 ? "ED448" : "ED25519") : is_448 ? "X448" : "X25519";
    pkey = spec->object == KMIP_ObjectType_PrivateKey
               ? EVP_PKEY_new_raw_private_key_ex(NULL, type, NULL, bytes.p, bytes.n)
               : EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL, bytes.p, bytes.n);
    if (!pkey) {
        return kr_quiet(KLM_E_INVALID);
    }
    *out = pkey;
    return KLM_OK;
}

static klm_rc private_key(const struct kr_material_spec *spec, struct klm_slice bytes,
                          EVP_PKEY **out)
{
    switch (spec->format) {
    case KMIP_KeyFormatType_PKCS_1:
        return has_shape(bytes, INTEGER, INTEGER)
                   ? decode("type-specific", "RSA", PRIVATE, bytes, out)
                   : KLM_E_INVALID;
    case KMIP_KeyFormatType_PKCS_8:
        return private_info(bytes, out);
    case KMIP_KeyFormatType_ECPrivateKey:
        return has_shape(bytes, INTEGER, OCTET_STRING)
                   ? decode("type-specific", "EC", PRIVATE, bytes, out)
                   : KLM_E_INVALID;
    case KMIP_KeyFormatType_Raw:
        return raw_key(spec, bytes, out);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

static klm_rc public_key(const struct kr_material_spec *spec, struct klm_slice bytes,
                         EVP_PKEY **out)
{
    switch (spec->format) {
    case KMIP_KeyFormatType_PKCS_1:
        return has_shape(bytes, INTEGER, INTEGER)
                   ? decode("type-specific", "RSA", EVP_PKEY_PUBLIC_KEY, bytes, out)
                   : KLM_E_INVALID;
    case KMIP_KeyFormatType_X_509:
        return public_info(bytes, out);
    case KMIP_KeyFormatType_Raw:
        return raw_key(spec, bytes, out);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

klm_rc kr_format_decode(const struct kr_material_spec *spec, struct klm_slice bytes, EVP_PKEY **out)
{
    switch (spec->object) {
    case KMIP_ObjectType_Certificate:
        return spec->format == KMIP_CertificateType_X_509 ? certificate(bytes, out)
                                                          : KLM_E_UNSUPPORTED;
    case KMIP_ObjectType_PrivateKey:
        return private_key(spec, bytes, out);
    case KMIP_ObjectType_PublicKey:
        return public_key(spec, bytes, out);
    default:
        return KLM_E_UNSUPPORTED;
    }
}
