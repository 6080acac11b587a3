/* Key Format Type (KMIP 2.1, 4.26): the form in which material is made, and given to versions that do not know the one it has; and digests over it (2.1, 4.21; 1.4, 3.17). */
#include "base/digest.h"
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "kmip/codec/gate.h"
#include "kmip/codec/ttlv.h"

#include <string.h>

/* KMIP 2.1, table 81: the format that keys of an algorithm have unless another one is asked for. */
static const struct {
    uint32_t algorithm, private_key, public_key;
} usual[] = {
    {KMIP_CryptographicAlgorithm_RSA, KMIP_KeyFormatType_PKCS_1, KMIP_KeyFormatType_PKCS_1},
    {KMIP_CryptographicAlgorithm_EC, KMIP_KeyFormatType_TransparentECPrivateKey,
     KMIP_KeyFormatType_TransparentECPublicKey},
    {KMIP_CryptographicAlgorithm_ECDSA, KMIP_KeyFormatType_TransparentECPrivateKey,
     KMIP_KeyFormatType_TransparentECPublicKey},
    {KMIP_CryptographicAlgorithm_ECDH, KMIP_KeyFormatType_TransparentECPrivateKey,
     KMIP_KeyFormatType_TransparentECPublicKey},
    {KMIP_CryptographicAlgorithm_ECMQV, KMIP_KeyFormatType_TransparentECPrivateKey,
     KMIP_KeyFormatType_TransparentECPublicKey},
    {KMIP_CryptographicAlgorithm_DSA, KMIP_KeyFormatType_TransparentDSAPrivateKey,
     KMIP_KeyFormatType_TransparentDSAPublicKey},
};

bool km_format_is_fixed(uint32_t type)
{
    return type == KMIP_ObjectType_Certificate || type == KMIP_ObjectType_CertificateRequest ||
           type == KMIP_ObjectType_OpaqueObject;
}

uint32_t km_format_usual(uint32_t type, uint32_t algorithm)
{
    switch (type) {
    case KMIP_ObjectType_Certificate:
        return KMIP_KeyFormatType_X_509;
    case KMIP_ObjectType_OpaqueObject:
        return KMIP_KeyFormatType_Opaque;
    case KMIP_ObjectType_CertificateRequest:
        return KMIP_KeyFormatType_PKCS_10;
    case KMIP_ObjectType_PGPKey:
    case KMIP_ObjectType_SecretData:
    case KMIP_ObjectType_SymmetricKey:
        return KMIP_KeyFormatType_Raw;
    default:
        break;
    }
    for (size_t i = 0; i < KLM_COUNT(usual); i++) {
        if (usual[i].algorithm == algorithm) {
            return type == KMIP_ObjectType_PrivateKey ? usual[i].private_key : usual[i].public_key;
        }
    }
    return 0;
}

/* *material is replaced. */
static klm_rc replace(struct kr_material **material, uint32_t format)
{
    struct kr_material *other = NULL;

    if (kr_material_spec(*material)->format == format) {
        return KLM_OK;
    }
    KLM_TRY(kr_material_convert(*material, format, 0, &other));
    kr_material_free(material);
    *material = other;
    return KLM_OK;
}

/* KMIP 2.1, 4.26: "The server SHALL comply with the client's requested format or SHALL fail the request." Without a request it is the usual one, which curves without a name in KMIP
 * do not have. Before 2.0 there is no such attribute and no such table. */
klm_rc km_format_made(struct km_call *call, int version, const struct md_attrs *attrs,
                      struct kr_material **material)
{
    const struct kr_material_spec *spec = kr_material_spec(*material);
    const struct md_attr *asked = md_attr_find(attrs, KMIP_TAG_KeyFormatType);
    const uint32_t format =
        asked ? (uint32_t)asked->value->number : km_format_usual(spec->object, spec->algorithm);
    klm_rc rc;

    if (version < KMIP_V(2, 0) || !format) {
        return KLM_OK;
    }
    rc = replace(material, format);
    if (rc == KLM_E_UNSUPPORTED && !asked) {
        return KLM_OK;
    }
    return rc == KLM_E_UNSUPPORTED
               ? KM_REFUSE(call, rc, 0, KLM_MSG_ATTR_VALUE, kmip_attr(KMIP_TAG_KeyFormatType)->name)
               : rc;
}

/* ---- Versions */

/* What says the same in versions that do not have the format: those before since, and those after until. Formats of 1.0 are the last resort; those of curves that 1.3 made one of, 2.0 took away
 * (2.1, 11.25). */
#define ALWAYS KMIP_V(1, 0)
#define LAST_1 KMIP_V(1, 4)
#define OF(name, key) KMIP_KeyFormatType_Transparent##name##key##Key
static const struct {
    uint32_t format, instead;
    int since, until;
} others[] = {
    {OF(EC, Private), KMIP_KeyFormatType_PKCS_8, KMIP_V(1, 3), KMIP_V_NEWEST},
    {OF(EC, Public), KMIP_KeyFormatType_X_509, KMIP_V(1, 3), KMIP_V_NEWEST},
    {OF(ECDSA, Private), OF(EC, Private), ALWAYS, LAST_1},
    {OF(ECDSA, Public), OF(EC, Public), ALWAYS, LAST_1},
    {OF(ECDH, Private), OF(EC, Private), ALWAYS, LAST_1},
    {OF(ECDH, Public), OF(EC, Public), ALWAYS, LAST_1},
    {OF(ECMQV, Private), OF(EC, Private), ALWAYS, LAST_1},
    {OF(ECMQV, Public), OF(EC, Public), ALWAYS, LAST_1},
};

uint32_t km_format_known(uint32_t format, int version)
{
    for (size_t i = 0; i < KLM_COUNT(others); i++) {
        if (others[i].format == format &&
            (version < others[i].since || version > others[i].until)) {
            return others[i].instead;
        }
    }
    return format;
}

/* ---- Digests */

/* KMIP 2.1, 4.21: "If the Key Material is a structure, then the Digest Value SHALL be calculated on the TTLV-encoded Key Material structure." */
static klm_rc digest_structure(struct km_call *call, const struct kr_material *material,
                               uint8_t hash[64], size_t *n)
{
    struct kmip_node *value = NULL;
    struct klm_buf buf;
    klm_rc rc;

    KLM_TRY(km_key_value(call, material, NULL, &value));
    klm_buf_init_wiping(&buf, KR_MATERIAL_MAX * 2); /* Big Integers are filled up */
    kmip_ttlv_encode(kmip_child(value, KMIP_TAG_KeyMaterial), KMIP_V_ANY, &buf);
    rc = klm_buf_rc(&buf);
    if (rc == KLM_OK) {
        const struct klm_slice all = klm_buf_as_slice(&buf);

        rc = klm_sha256(&all, 1, hash);
        *n = 32;
    }
    klm_buf_done(&buf);
    return rc;
}

static bool is_structure(const struct kr_material *material)
{
    const struct kr_material_spec *spec = kr_material_spec(material);
    const char *name = kmip_value_name(KMIP_E_KeyFormatType, spec->format);

    return !spec->wrapped && name && strncmp(name, "Transparent", strlen("Transparent")) == 0;
}

static klm_rc add(struct km_call *call, struct md_object *object,
                  const struct kr_material *material, uint32_t format)
{
    struct kmip_node *digest = kmip_root(call->pool, KMIP_TAG_Digest);
    uint8_t hash[64];
    struct klm_slice value;
    size_t n;

    KLM_TRY(is_structure(material)
                ? digest_structure(call, material, hash, &n)
                : kr_material_digest(material, KMIP_HashingAlgorithm_SHA_256, hash, &n));
    KLM_TRY(klm_pool_slice(call->pool, KLM_SLICE(hash, n), &value));
    kmip_put_number(call->pool, digest, KMIP_TAG_HashingAlgorithm, KMIP_ENUMERATION,
                    KMIP_HashingAlgorithm_SHA_256);
    if (!kmip_put_bytes(call->pool, digest, KMIP_TAG_DigestValue, KMIP_BYTES, value)) {
        return KLM_E_NOMEM;
    }
    kmip_put_number(call->pool, digest, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION, format);
    return md_attr_add(&object->attrs, digest);
}

/* KMIP 2.1, 4.26: "the digest on the data in the assigned Key Format Type, as well as a digest in the default KMIP Key Format Type". 1.4, 3.17: one in the registered format. */
klm_rc km_digests_set(struct km_call *call, int version, struct md_object *object,
                      const struct kr_material *material)
{
    const struct kr_material_spec *spec = kr_material_spec(material);
    const uint32_t common = km_format_usual(object->type, spec->algorithm);
    const uint32_t own = km_format_is_fixed(object->type) ? common : spec->format;
    struct kr_material *other = NULL;
    klm_rc rc;

    md_attr_remove_all(&object->attrs, KMIP_TAG_Digest);
    KLM_TRY(add(call, object, material, own));
    if (version < KMIP_V(2, 0) || !common || common == own || spec->wrapped) {
        return KLM_OK;
    }
    rc = kr_material_convert(material, common, 0, &other);
    if (rc == KLM_OK) {
        rc = add(call, object, other, common);
    }
    kr_material_free(&other);
    return rc == KLM_E_UNSUPPORTED ? KLM_OK : rc; /* it cannot be had in that form */
}
