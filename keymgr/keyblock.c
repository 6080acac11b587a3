/* Objects as they stand in messages: key blocks and the like, from key material and back. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

static klm_rc key_block(struct km_call *call, const struct kr_material *material,
                        struct kmip_node *object)
{
    const struct kr_material_spec *spec = kr_material_spec(material);
    struct kmip_node *block = kmip_structure(call->pool, object, KMIP_TAG_KeyBlock), *value;
    struct klm_slice bytes;

    KLM_TRY(kr_material_bytes(material, call->pool, &bytes));
    kmip_put_number(call->pool, block, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION, spec->format);
    value = kmip_structure(call->pool, block, KMIP_TAG_KeyValue);
    kmip_put_bytes(call->pool, value, KMIP_TAG_KeyMaterial, KMIP_BYTES, bytes);
    if (spec->algorithm) {
        kmip_put_number(call->pool, block, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION,
                        spec->algorithm);
        value = kmip_put_number(call->pool, block, KMIP_TAG_CryptographicLength, KMIP_INTEGER,
                                spec->bits);
    }
    return value ? KLM_OK : KLM_E_NOMEM;
}

klm_rc km_keyblock(struct km_call *call, const struct md_object *object,
                   const struct kr_material *material, const struct kmip_node **out)
{
    struct kmip_node *item = NULL;

    if (object->type != KMIP_ObjectType_SymmetricKey) {
        return KLM_E_UNSUPPORTED;
    }
    item = kmip_root(call->pool, KMIP_TAG_SymmetricKey);
    if (!item) {
        return KLM_E_NOMEM;
    }
    *out = item;
    return key_block(call, material, item);
}
