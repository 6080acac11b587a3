/* Key material: counted, immutable, in secret memory; looked at when it comes from outside. */
#include "keyring/material_int.h"

#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

klm_rc kr_material_take(const struct kr_material_spec *spec, struct kr_secret *take_bytes,
                        struct kr_material **out)
{
    struct kr_material *material = calloc(1, sizeof *material);

    if (!material) {
        return KLM_E_NOMEM;
    }
    atomic_init(&material->refs, 1);
    atomic_init(&material->pkey, NULL);
    material->spec = *spec;
    material->bytes = *take_bytes;
    *take_bytes = (struct kr_secret){0};
    *out = material;
    return KLM_OK;
}

klm_rc kr_material_copy(const struct kr_material_spec *spec, struct klm_slice bytes,
                        struct kr_material **out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret copy = {0};

    KLM_TRY(kr_secret_new(bytes.n, &copy));
    if (bytes.n) {
        memcpy(copy.p, bytes.p, bytes.n);
    }
    copy.n = bytes.n;
    return kr_material_take(spec, &copy, out);
}

struct kr_material *kr_material_ref(struct kr_material *material)
{
    atomic_fetch_add_explicit(&material->refs, 1, memory_order_relaxed);
    return material;
}

void kr_material_free(struct kr_material **material)
{
    struct kr_material *m = material ? *material : NULL;

    if (!m) {
        return;
    }
    *material = NULL;
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    kr_secret_done(&m->bytes);
    EVP_PKEY_free(atomic_load(&m->pkey));
    free(m);
}

const struct kr_material_spec *kr_material_spec(const struct kr_material *material)
{
    return &material->spec;
}

/* ---- Looking at what came */

/* KMIP 2.1, 4.15, Cryptographic Length: DES and DES3 count the bits that are key; some clients count those of parity too. */
static uint32_t raw_bits(uint32_t algorithm, size_t n)
{
    if (algorithm == KMIP_CryptographicAlgorithm_DES && n == 8) {
        return 56;
    }
    if (algorithm == KMIP_CryptographicAlgorithm_DES3 && (n == 16 || n == 24)) {
        return n == 16 ? 112 : 168;
    }
    return (uint32_t)n * 8;
}

/* Two keys of DES3 written as three: the third is the first again. */
static bool two_as_three(const struct kr_material_spec *spec, struct klm_slice bytes)
{
    return spec->algorithm == KMIP_CryptographicAlgorithm_DES3 && spec->bits == 112 &&
           bytes.n == 24 && klm_secret_equal(bytes.p, bytes.p + 16, 8);
}

static klm_rc check_raw(struct kr_material_spec *spec, struct klm_slice bytes)
{
    if (!spec->bits) {
        spec->bits = raw_bits(spec->algorithm, bytes.n);
    }
    return spec->bits == bytes.n * 8 || spec->bits == raw_bits(spec->algorithm, bytes.n) ||
                   two_as_three(spec, bytes)
               ? KLM_OK
               : KLM_E_INVALID;
}

static klm_rc check_symmetric(struct kr_material_spec *spec, struct klm_slice bytes)
{
    switch (spec->format) {
    case KMIP_KeyFormatType_Raw:
        return check_raw(spec, bytes);
    case KMIP_KeyFormatType_Opaque:
        return KLM_OK;
    default:
        return KLM_E_UNSUPPORTED;
    }
}

/* Formats whose bytes nobody looks into: there is no key for OpenSSL in them. */
static bool is_closed(const struct kr_material_spec *spec)
{
    return spec->object == KMIP_ObjectType_Certificate
               ? spec->format == KMIP_CertificateType_PGP
               : spec->format == KMIP_KeyFormatType_Opaque ||
                     spec->format == KMIP_KeyFormatType_Raw ||
                     spec->format == KMIP_KeyFormatType_PKCS_12;
}

static klm_rc check_asymmetric(struct kr_material *material)
{
    EVP_PKEY *pkey = NULL;
    klm_rc rc =
        kr_format_decode(&material->spec, KLM_SLICE(material->bytes.p, material->bytes.n), &pkey);

    if (rc == KLM_E_UNSUPPORTED && is_closed(&material->spec)) {
        return KLM_OK;
    }
    if (rc == KLM_OK && pkey) {
        rc = kr_pkey_fit(pkey, &material->spec);
    }
    if (rc == KLM_OK && pkey && material->spec.object != KMIP_ObjectType_Certificate) {
        rc = kr_pkey_check(pkey, material->spec.object == KMIP_ObjectType_PrivateKey);
    }
    if (rc == KLM_OK) {
        atomic_store(&material->pkey, pkey);
    } else {
        EVP_PKEY_free(pkey);
    }
    return rc;
}

klm_rc kr_material_check(struct kr_material *material)
{
    switch (material->spec.object) {
    case KMIP_ObjectType_SymmetricKey:
        return check_symmetric(&material->spec, KLM_SLICE(material->bytes.p, material->bytes.n));
    case KMIP_ObjectType_Certificate:
    case KMIP_ObjectType_PublicKey:
    case KMIP_ObjectType_PrivateKey:
        return check_asymmetric(material);
    case KMIP_ObjectType_SplitKey:
    case KMIP_ObjectType_SecretData:
    case KMIP_ObjectType_OpaqueObject:
    case KMIP_ObjectType_PGPKey:
    case KMIP_ObjectType_CertificateRequest:
        return KLM_OK;
    default:
        return KLM_E_UNSUPPORTED;
    }
}

klm_rc kr_material_symmetric(const struct kr_material_spec *spec, struct klm_slice key,
                             struct kr_material **out)
{
    struct kr_material_spec said = *spec;

    if (key.n > KR_MATERIAL_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(key.n ? check_raw(&said, key) : KLM_E_INVALID);
    return kr_material_copy(&said, key, out);
}

static bool may_be_empty(uint32_t object)
{
    return object == KMIP_ObjectType_OpaqueObject || object == KMIP_ObjectType_SecretData;
}

klm_rc kr_material_new(const struct kr_material_spec *spec, struct klm_slice bytes,
                       struct kr_material **out)
{
    KLM_AUTO(kr_material_free) struct kr_material *material = NULL;

    if (bytes.n > KR_MATERIAL_MAX) {
        return KLM_E_LIMIT;
    }
    if (bytes.n == 0 && !may_be_empty(spec->object)) {
        return KLM_E_INVALID;
    }
    if (!spec->wrapped && kr_is_transparent(spec->format)) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_material_copy(spec, bytes, &material));
    if (!spec->wrapped) {
        KLM_TRY(kr_material_check(material));
    }
    *out = material;
    material = NULL;
    return KLM_OK;
}

/* ---- Using it */

klm_rc kr_material_bytes(const struct kr_material *material, struct klm_pool *wiping,
                         struct klm_slice *out)
{
    if (!material->spec.wrapped && kr_is_transparent(material->spec.format)) {
        return KLM_E_UNSUPPORTED;
    }
    return klm_pool_slice(wiping, KLM_SLICE(material->bytes.p, material->bytes.n), out);
}

klm_rc kr_material_raw(const struct kr_material *material, struct klm_slice *out)
{
    if (material->spec.wrapped) {
        return KLM_E_STATE;
    }
    switch (material->spec.object) {
    case KMIP_ObjectType_SymmetricKey:
    case KMIP_ObjectType_SplitKey:
    case KMIP_ObjectType_SecretData:
        *out = KLM_SLICE(material->bytes.p, material->bytes.n);
        return KLM_OK;
    default:
        return KLM_E_UNSUPPORTED;
    }
}

static klm_rc make_pkey(const struct kr_material *material, EVP_PKEY **out)
{
    const struct klm_slice bytes = KLM_SLICE(material->bytes.p, material->bytes.n);
    struct kr_parts parts;

    if (!kr_is_transparent(material->spec.format)) {
        return kr_format_decode(&material->spec, bytes, out);
    }
    KLM_TRY(kr_parts_unpack(&material->spec, bytes, &parts));
    return kr_parts_pkey(&material->spec, &parts, out);
}

/* Two threads may make it at the same time: the second one's goes. */
static EVP_PKEY *keep(const struct kr_material *material, EVP_PKEY *take_made)
{
    _Atomic(EVP_PKEY *) *kept = &((struct kr_material *)(uintptr_t)material)->pkey;
    EVP_PKEY *had = NULL;

    if (atomic_compare_exchange_strong(kept, &had, take_made)) {
        return take_made;
    }
    EVP_PKEY_free(take_made);
    return had;
}

klm_rc kr_material_pkey(const struct kr_material *material, EVP_PKEY **out)
{
    EVP_PKEY *pkey = atomic_load(&material->pkey);

    if (material->spec.wrapped) {
        return KLM_E_STATE;
    }
    if (!pkey) {
        EVP_PKEY *made = NULL;

        KLM_TRY(make_pkey(material, &made));
        if (!made) {
            return KLM_E_UNSUPPORTED;
        }
        pkey = keep(material, made);
    }
    if (EVP_PKEY_up_ref(pkey) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = pkey;
    return KLM_OK;
}
