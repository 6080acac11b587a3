/* Objects as they stand in payloads, from their material (KMIP 2.1, 2 and 3.1; 1.4, 2.2 and 2.1.3). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>

/* ---- Transparent formats: numbers as Big Integers */

/* Two's complement: a number whose highest bit is set gets a byte before it; lengths are multiples of 8 (KMIP 1.4, 9.1.1.4), which the encoder fills up. */
static klm_rc put_big(struct km_call *call, struct kmip_node *to, uint32_t tag,
                      struct klm_slice number)
{
    uint8_t *p;
    size_t n = (number.n + 1 + 7) / 8 * 8;

    if (!number.p) {
        return KLM_OK;
    }
    p = klm_pool_alloc(call->pool, n);
    if (!p) {
        return KLM_E_NOMEM;
    }
    memcpy(p + n - number.n, number.p, number.n);
    if (n - number.n > 8 || (n - number.n == 8 && number.n && !(number.p[0] & 0x80))) {
        p += 8;
        n -= 8;
    }
    return kmip_put_bytes(call->pool, to, tag, KMIP_BIG_INTEGER, KLM_SLICE(p, n)) ? KLM_OK
                                                                                  : KLM_E_NOMEM;
}

static klm_rc put_parts(struct km_call *call, const struct kr_material *material,
                        struct kmip_node *to)
{
    struct kr_parts parts = {0};

    KLM_TRY(kr_material_parts(material, call->pool, &parts));
    if (parts.key.p && !kmip_put_bytes(call->pool, to, KMIP_TAG_Key, KMIP_BYTES, parts.key)) {
        return KLM_E_NOMEM;
    }
    if (parts.curve) {
        kmip_put_number(call->pool, to, KMIP_TAG_RecommendedCurve, KMIP_ENUMERATION, parts.curve);
    }
    KLM_TRY(put_big(call, to, KMIP_TAG_Modulus, parts.modulus));
    KLM_TRY(put_big(call, to, KMIP_TAG_PrivateExponent, parts.private_exponent));
    KLM_TRY(put_big(call, to, KMIP_TAG_PublicExponent, parts.public_exponent));
    KLM_TRY(put_big(call, to, KMIP_TAG_P, parts.p));
    KLM_TRY(put_big(call, to, KMIP_TAG_Q, parts.q));
    KLM_TRY(put_big(call, to, KMIP_TAG_PrimeExponentP, parts.dp));
    KLM_TRY(put_big(call, to, KMIP_TAG_PrimeExponentQ, parts.dq));
    KLM_TRY(put_big(call, to, KMIP_TAG_CRTCoefficient, parts.crt));
    KLM_TRY(put_big(call, to, KMIP_TAG_G, parts.g));
    KLM_TRY(put_big(call, to, KMIP_TAG_X, parts.x));
    KLM_TRY(put_big(call, to, KMIP_TAG_Y, parts.y));
    KLM_TRY(put_big(call, to, KMIP_TAG_J, parts.j));
    KLM_TRY(put_big(call, to, KMIP_TAG_D, parts.d));
    if (parts.q_string.p &&
        !kmip_put_bytes(call->pool, to, KMIP_TAG_QString, KMIP_BYTES, parts.q_string)) {
        return KLM_E_NOMEM;
    }
    return KLM_OK;
}

klm_rc km_key_value(struct km_call *call, const struct kr_material *material,
                    struct kmip_node *parent, struct kmip_node **out)
{
    struct kmip_node *value = kmip_item(call->pool, parent, KMIP_TAG_KeyValue, KMIP_STRUCTURE), *to;
    struct klm_slice bytes;
    klm_rc rc = kr_material_bytes(material, call->pool, &bytes);

    if (!value) {
        return KLM_E_NOMEM;
    }
    *out = value;
    if (rc == KLM_E_UNSUPPORTED) {
        to = kmip_structure(call->pool, value, KMIP_TAG_KeyMaterial);
        return to ? put_parts(call, material, to) : KLM_E_NOMEM;
    }
    KLM_TRY(rc);
    return kmip_put_bytes(call->pool, value, KMIP_TAG_KeyMaterial, KMIP_BYTES, bytes) ? KLM_OK
                                                                                      : KLM_E_NOMEM;
}

/* A wrapped key's value is a byte string. */
static klm_rc put_value(struct km_call *call, const struct kr_material *material,
                        struct kmip_node *block)
{
    struct kmip_node *value;
    struct klm_slice bytes;

    if (!kr_material_spec(material)->wrapped) {
        return km_key_value(call, material, block, &value);
    }
    KLM_TRY(kr_material_bytes(material, call->pool, &bytes));
    return kmip_put_bytes(call->pool, block, KMIP_TAG_KeyValue, KMIP_BYTES, bytes) ? KLM_OK
                                                                                   : KLM_E_NOMEM;
}

static klm_rc put_wrapping(struct km_call *call, const struct md_object *object,
                           struct kmip_node *block)
{
    const struct md_attr *wrapping = md_attr_find(&object->attrs, KMIP_TAG_KeyWrappingData);
    struct kmip_node *copy = NULL;

    if (wrapping) {
        KLM_TRY(md_item_copy(wrapping->value, call->pool, &copy));
        copy->next = NULL;
        kmip_append(block, copy);
    }
    return KLM_OK;
}

/* A plain value that stands beside the material, kept with the attributes. */
static void put_kept(struct km_call *call, const struct md_object *object, struct kmip_node *item,
                     uint32_t tag)
{
    const struct md_attr *attr = md_attr_find(&object->attrs, tag);

    if (attr) {
        kmip_put_number(call->pool, item, tag, attr->value->type, attr->value->number);
    }
}

/* A key block without its key value, which is elsewhere (KMIP 1.4, 2.1.3 and 3.40). */
static klm_rc put_description(struct km_call *call, const struct md_object *object,
                              struct kmip_node *item)
{
    struct kmip_node *block = kmip_structure(call->pool, item, KMIP_TAG_KeyBlock);

    put_kept(call, object, block, KMIP_TAG_KeyFormatType);
    put_kept(call, object, block, KMIP_TAG_CryptographicAlgorithm);
    put_kept(call, object, block, KMIP_TAG_CryptographicLength);
    return block ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc put_block(struct km_call *call, const struct md_object *object,
                        const struct kr_material *material, struct kmip_node *item)
{
    const struct kr_material_spec *spec = material ? kr_material_spec(material) : NULL;
    struct kmip_node *block;

    if (!spec) {
        return put_description(call, object, item);
    }
    block = kmip_structure(call->pool, item, KMIP_TAG_KeyBlock);

    kmip_put_number(call->pool, block, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION, spec->format);
    if (spec->compressed) {
        kmip_put_number(call->pool, block, KMIP_TAG_KeyCompressionType, KMIP_ENUMERATION,
                        spec->compressed);
    }
    if (!block) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(put_value(call, material, block));
    if (spec->algorithm) {
        kmip_put_number(call->pool, block, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION,
                        spec->algorithm);
        kmip_put_number(call->pool, block, KMIP_TAG_CryptographicLength, KMIP_INTEGER, spec->bits);
    }
    return put_wrapping(call, object, block);
}

static klm_rc put_bytes(struct km_call *call, const struct kr_material *material,
                        struct kmip_node *item, uint32_t tag)
{
    struct klm_slice bytes;

    KLM_TRY(kr_material_bytes(material, call->pool, &bytes));
    return kmip_put_bytes(call->pool, item, tag, KMIP_BYTES, bytes) ? KLM_OK : KLM_E_NOMEM;
}

uint32_t km_object_tag(uint32_t type)
{
    switch (type) {
    case KMIP_ObjectType_Certificate:
        return KMIP_TAG_Certificate;
    case KMIP_ObjectType_SymmetricKey:
        return KMIP_TAG_SymmetricKey;
    case KMIP_ObjectType_PublicKey:
        return KMIP_TAG_PublicKey;
    case KMIP_ObjectType_PrivateKey:
        return KMIP_TAG_PrivateKey;
    case KMIP_ObjectType_Template:
        return KMIP_TAG_Template;
    case KMIP_ObjectType_SecretData:
        return KMIP_TAG_SecretData;
    case KMIP_ObjectType_OpaqueObject:
        return KMIP_TAG_OpaqueObject;
    case KMIP_ObjectType_PGPKey:
        return KMIP_TAG_PGPKey;
    case KMIP_ObjectType_CertificateRequest:
        return KMIP_TAG_CertificateRequest;
    default:
        return 0;
    }
}

klm_rc km_keyblock(struct km_call *call, const struct md_object *object,
                   const struct kr_material *material, const struct kmip_node **out)
{
    const uint32_t tag = km_object_tag(object->type);
    struct kmip_node *item = kmip_root(call->pool, tag);

    if (!tag || !item) {
        return tag ? KLM_E_NOMEM : KLM_E_UNSUPPORTED;
    }
    *out = item;
    switch (object->type) {
    case KMIP_ObjectType_Certificate:
        put_kept(call, object, item, KMIP_TAG_CertificateType);
        return put_bytes(call, material, item, KMIP_TAG_CertificateValue);
    case KMIP_ObjectType_OpaqueObject:
        put_kept(call, object, item, KMIP_TAG_OpaqueDataType);
        return put_bytes(call, material, item, KMIP_TAG_OpaqueDataValue);
    case KMIP_ObjectType_CertificateRequest:
        put_kept(call, object, item, KMIP_TAG_CertificateRequestType);
        return put_bytes(call, material, item, KMIP_TAG_CertificateRequestValue);
    case KMIP_ObjectType_SecretData:
        put_kept(call, object, item, KMIP_TAG_SecretDataType);
        return put_block(call, object, material, item);
    case KMIP_ObjectType_PGPKey:
        put_kept(call, object, item, KMIP_TAG_PGPKeyVersion);
        return put_block(call, object, material, item);
    default:
        return put_block(call, object, material, item);
    }
}
