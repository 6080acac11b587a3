/* Other formats of the same key, the public half of a private one, and whether two are the same. */
#include "keyring/material_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/obj_mac.h>
#include <string.h>

/* ---- Keys that are bytes */

/* Raw, Opaque and transparent are three names for the bytes of a symmetric key; secrets, parts of keys and PGP keys have the first two. */
static bool is_bytes(const struct kr_material_spec *spec, uint32_t format)
{
    switch (spec->object) {
    case KMIP_ObjectType_SymmetricKey:
        if (format == KMIP_KeyFormatType_TransparentSymmetricKey) {
            return true;
        }
        break;
    case KMIP_ObjectType_SplitKey:
    case KMIP_ObjectType_SecretData:
    case KMIP_ObjectType_PGPKey:
        break;
    default:
        return false;
    }
    return format == KMIP_KeyFormatType_Raw || format == KMIP_KeyFormatType_Opaque;
}

static klm_rc convert_bytes(const struct kr_material *material, uint32_t format,
                            struct kr_material **out)
{
    struct kr_material_spec spec = material->spec;
    const struct klm_slice bytes = KLM_SLICE(material->bytes.p, material->bytes.n);
    klm_rc rc;

    if (!is_bytes(&spec, format) || (spec.format && !is_bytes(&spec, spec.format))) {
        return KLM_E_UNSUPPORTED;
    }
    spec.format = format;
    if (spec.object != KMIP_ObjectType_SymmetricKey || format == KMIP_KeyFormatType_Opaque) {
        return kr_material_copy(&spec, bytes, out);
    }
    /* An opaque key may be of another length than its attributes say: then it is not raw. */
    rc = kr_material_symmetric(&spec, bytes, out);
    return rc == KLM_E_INVALID ? KLM_E_UNSUPPORTED : rc;
}

/* ---- Keys that OpenSSL knows */

static const char *point_form(const EVP_PKEY *pkey, uint32_t compression)
{
    char field[32] = "";
    bool prime;

    (void)EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_FIELD_TYPE, field, sizeof field,
                                         NULL); /* then it is no prime field */
    prime = strcmp(field, SN_X9_62_prime_field) == 0;
    switch (compression) {
    case KMIP_KeyCompressionType_ECPublicKeyTypeUncompressed:
        return OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED;
    case KMIP_KeyCompressionType_ECPublicKeyTypeX9_62CompressedPrime:
        return prime ? OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED : NULL;
    case KMIP_KeyCompressionType_ECPublicKeyTypeX9_62CompressedChar2:
        return prime ? NULL : OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED;
    case KMIP_KeyCompressionType_ECPublicKeyTypeX9_62Hybrid:
        return OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_HYBRID;
    default:
        return NULL;
    }
}

/* A copy whose point is written in that form: the key itself is in use by others. */
static klm_rc compress(EVP_PKEY **pkey, uint32_t compression)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *copy = NULL;
    const char *form = EVP_PKEY_is_a(*pkey, "EC") ? point_form(*pkey, compression) : NULL;

    if (!form) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    copy = EVP_PKEY_dup(*pkey);
    if (!copy || EVP_PKEY_set_utf8_string_param(copy, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                                form) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    EVP_PKEY_free(*pkey);
    *pkey = copy;
    copy = NULL;
    return KLM_OK;
}

static klm_rc written(EVP_PKEY *pkey, const struct kr_material_spec *spec, struct kr_secret *out)
{
    return kr_is_transparent(spec->format) ? kr_parts_of_pkey(pkey, spec->format, out)
                                           : kr_format_encode(pkey, spec, out);
}

/* Transparent formats are of one object type each. */
static bool is_for(uint32_t format, uint32_t object)
{
    return !kr_is_transparent(format) || kr_parts_object(format) == object;
}

static klm_rc make(EVP_PKEY *pkey, const struct kr_material_spec *from, uint32_t format,
                   uint32_t compression, struct kr_material **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret bytes = {0};
    struct kr_material_spec spec = *from;

    spec.format = format;
    spec.compressed = compression;
    if (!is_for(format, spec.object)) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_pkey_fit(pkey, &spec));
    KLM_TRY(written(pkey, &spec, &bytes));
    return kr_material_take(&spec, &bytes, out);
}

static bool is_pair(const struct kr_material *material)
{
    return material->spec.object == KMIP_ObjectType_PublicKey ||
           material->spec.object == KMIP_ObjectType_PrivateKey;
}

klm_rc kr_material_convert(const struct kr_material *material, uint32_t format,
                           uint32_t compression, struct kr_material **out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    const struct kr_material_spec *spec = &material->spec;

    if (format == spec->format && (!compression || compression == spec->compressed)) {
        *out = kr_material_ref((struct kr_material *)(uintptr_t)material);
        return KLM_OK;
    }
    if (spec->wrapped) {
        return KLM_E_STATE;
    }
    if (compression && spec->object != KMIP_ObjectType_PublicKey) {
        return KLM_E_UNSUPPORTED;
    }
    if (is_pair(material)) {
        KLM_TRY(kr_material_pkey(material, &pkey));
        KLM_TRY(compression ? compress(&pkey, compression) : KLM_OK);
        return make(pkey, spec, format, compression ? compression : spec->compressed, out);
    }
    return convert_bytes(material, format, out);
}

klm_rc kr_material_public(const struct kr_material *private_key, struct kr_material **out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;
    struct kr_material_spec spec = private_key->spec;

    if (spec.object != KMIP_ObjectType_PrivateKey) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_material_pkey(private_key, &pkey));
    spec.object = KMIP_ObjectType_PublicKey;
    return make(pkey, &spec,
                spec.algorithm == KMIP_CryptographicAlgorithm_RSA ? KMIP_KeyFormatType_PKCS_1
                                                                  : KMIP_KeyFormatType_X_509,
                0, out);
}

/* ---- Comparing */

static klm_rc digest_parts(EVP_MD_CTX *ctx, const struct kr_material *material)
{
    struct kr_parts parts = {0};

    KLM_TRY(
        kr_parts_unpack(&material->spec, KLM_SLICE(material->bytes.p, material->bytes.n), &parts));
    for (size_t i = 0; i < KR_PARTS; i++) {
        if (EVP_DigestUpdate(ctx, kr_part(&parts, i)->p, kr_part(&parts, i)->n) != 1) {
            return kr_quiet(KLM_E_CRYPTO);
        }
    }
    return KLM_OK;
}

klm_rc kr_material_digest(const struct kr_material *material, uint32_t hash, uint8_t out[64],
                          size_t *n)
{
    const EVP_MD *md = kr_md(hash);
    KLM_AUTO(kr_done_md) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned made = 0;

    if (!md) {
        return KLM_E_UNSUPPORTED;
    }
    if (!ctx || EVP_DigestInit_ex2(ctx, md, NULL) != 1) {
        return kr_quiet(ctx ? KLM_E_UNSUPPORTED : KLM_E_NOMEM); /* a policy may forbid it */
    }
    if (!material->spec.wrapped && kr_is_transparent(material->spec.format)) {
        KLM_TRY(digest_parts(ctx, material));
    } else if (EVP_DigestUpdate(ctx, material->bytes.p, material->bytes.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    if (EVP_DigestFinal_ex(ctx, out, &made) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *n = made;
    return KLM_OK;
}

static bool same_bytes(const struct kr_secret *a, struct klm_slice b)
{
    return a->n == b.n && klm_secret_equal(a->p, b.p, b.n);
}

/* Are they keys that can be looked into? */
static bool both_known(const struct kr_material *a, const struct kr_material *b, EVP_PKEY **of_a,
                       EVP_PKEY **of_b)
{
    return is_pair(a) && kr_material_pkey(a, of_a) == KLM_OK && kr_material_pkey(b, of_b) == KLM_OK;
}

bool kr_material_same(const struct kr_material *a, const struct kr_material *b)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *of_a = NULL;
    KLM_AUTO(kr_done_pkey) EVP_PKEY *of_b = NULL;
    bool same;

    if (a->spec.object != b->spec.object || a->spec.wrapped != b->spec.wrapped) {
        return false;
    }
    if (!both_known(a, b, &of_a, &of_b)) {
        return (a->spec.format == b->spec.format || !is_pair(a)) &&
               same_bytes(&a->bytes, KLM_SLICE(b->bytes.p, b->bytes.n));
    }
    same = EVP_PKEY_eq(of_a, of_b) == 1;
    ERR_clear_error(); /* that they are of different kinds is no failure */
    return same;
}

bool kr_material_is(const struct kr_material *material, struct klm_slice bytes)
{
    return !material->spec.wrapped && same_bytes(&material->bytes, bytes);
}
