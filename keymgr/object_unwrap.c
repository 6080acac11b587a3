/* What was registered wrapped, in the clear: Get with Key Wrap Type Not Wrapped (KMIP 1.4, 4.11; 2.1, 6.1.19), when the key it is wrapped with is here. */
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "kmip/codec/ttlv.h"

struct unwrap {
    struct km_call *call;
    struct st_view *view;
    const struct md_object *object;
    const struct kmip_node *data; /* Key Wrapping Data */
    struct md_object key;         /* that unwraps */
};

static klm_rc not_so(const struct unwrap *unwrap)
{
    return KM_REFUSE(unwrap->call, KLM_E_UNSUPPORTED, 0, KLM_MSG_WRAP_TYPE, unwrap->object->uid);
}

/* One answer for all that the bytes may turn out not to be, so that it tells nothing about them (kr_material_wrap). */
static klm_rc not_unwrapped(const struct unwrap *unwrap)
{
    return KM_REFUSE(unwrap->call, KLM_E_CRYPTO, 0, KLM_MSG_CRYPT_FAILED, unwrap->object->uid,
                     klm_rc_text(KLM_E_CRYPTO));
}

/* ---- The key */

static klm_rc find(struct unwrap *unwrap, const char *uid)
{
    const klm_rc rc = km_object_find(unwrap->call, unwrap->view, uid, &unwrap->key);

    if (rc != KLM_OK) {
        return km_wrap_refuse_key(unwrap->call, rc, uid);
    }
    return km_object_usable(unwrap->call, &unwrap->key) == KLM_OK
               ? KLM_OK
               : KM_REFUSE(unwrap->call, KLM_E_STATE, 0, KLM_MSG_WRAP_DESTROYED, uid);
}

/* KMIP 2.1, 4.57: what is protected is processed also by a key that is deactivated or compromised. */
static klm_rc may_unwrap(const struct unwrap *unwrap)
{
    const uint32_t state = md_object_state(&unwrap->key, klm_clock());

    if (unwrap->key.type != KMIP_ObjectType_SymmetricKey &&
        unwrap->key.type != KMIP_ObjectType_PrivateKey) {
        return KM_REFUSE(unwrap->call, KLM_E_INVALID, 0, KLM_MSG_WRAP_NO_KEY, unwrap->key.uid);
    }
    if (!(md_attr_number(&unwrap->key.attrs, KMIP_TAG_CryptographicUsageMask, 0) &
          KMIP_CryptographicUsageMask_UnwrapKey)) {
        return KM_REFUSE(unwrap->call, KLM_E_DENIED, 0, KLM_MSG_WRAP_MASK, unwrap->key.uid);
    }
    return state == KMIP_State_PreActive
               ? KM_REFUSE(unwrap->call, KLM_E_STATE, 0, KLM_MSG_OBJECT_STATE, unwrap->key.uid,
                           "Active, Deactivated or Compromised")
               : KLM_OK;
}

/* Who wraps names a public key, whose private half unwraps. */
static klm_rc find_key(struct unwrap *unwrap, const struct kmip_node *info)
{
    const struct kmip_node *id = kmip_child(info, KMIP_TAG_UniqueIdentifier);
    const char *uid, *half;

    if (!id || id->type != KMIP_TEXT) {
        return not_so(unwrap);
    }
    uid = klm_pool_strn(unwrap->call->pool, (const char *)id->bytes.p, id->bytes.n);
    if (!uid) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(find(unwrap, uid));
    if (unwrap->key.type == KMIP_ObjectType_PublicKey) {
        half = km_link_find(&unwrap->key, unwrap->call->pool, KMIP_LinkType_PrivateKeyLink);
        KLM_TRY(half ? find(unwrap, half) : not_so(unwrap));
    }
    return may_unwrap(unwrap);
}

/* ---- The bytes */

static klm_rc unwrap_bytes(struct unwrap *unwrap, const struct kmip_node *info,
                           struct klm_slice wrapped, struct klm_slice *out)
{
    const struct kmip_node *given = kmip_child(info, KMIP_TAG_CryptographicParameters);
    const struct kmip_node *iv = kmip_child(unwrap->data, KMIP_TAG_IVCounterNonce);
    const struct md_attr *own = md_attr_find(&unwrap->key.attrs, KMIP_TAG_CryptographicParameters);
    struct kr_material *key = NULL;
    struct kr_wrap_how how;
    klm_rc rc;

    km_wrap_how(given ? given : own ? own->value : NULL, &how);
    if (iv && iv->type == KMIP_BYTES) {
        how.iv = iv->bytes;
    }
    KLM_TRY(km_object_material(unwrap->call, unwrap->view, &unwrap->key, &key));
    rc = kr_material_unwrap(key, &how, wrapped, unwrap->call->pool, out);
    kr_material_free(&key);
    if (rc == KLM_E_UNSUPPORTED) {
        return not_so(unwrap);
    }
    return rc == KLM_OK || rc == KLM_E_NOMEM ? rc : not_unwrapped(unwrap);
}

/* KMIP 2.1, 3.3: with No Encoding the bytes are the key material, else the Key Value in TTLV. */
static klm_rc read_value(struct unwrap *unwrap, struct klm_slice clear, struct kmip_node **out)
{
    const struct kmip_node *encoding = kmip_child(unwrap->data, KMIP_TAG_EncodingOption);
    struct klm_pool *pool = unwrap->call->pool;
    struct kmip_node *value = NULL;

    if (encoding && encoding->number == KMIP_EncodingOption_NoEncoding) {
        value = kmip_root(pool, KMIP_TAG_KeyValue);
        if (!kmip_put_bytes(pool, value, KMIP_TAG_KeyMaterial, KMIP_BYTES, clear)) {
            return KLM_E_NOMEM;
        }
    } else if (kmip_ttlv_decode(clear, NULL, pool, &value) != KLM_OK ||
               value->tag != KMIP_TAG_KeyValue || value->type != KMIP_STRUCTURE) {
        return not_unwrapped(unwrap);
    }
    *out = value;
    return KLM_OK;
}

/* ---- The object, as if it had come so */

/* The key block with the value in the place of the wrapped one, and nothing of the wrapping. */
static void replace_value(struct kmip_node *item, struct kmip_node *value)
{
    struct kmip_node *block = item->first, **at;

    while (block && block->tag != KMIP_TAG_KeyBlock) {
        block = block->next;
    }
    for (at = block ? &block->first : NULL; at && *at;) {
        if ((*at)->tag == KMIP_TAG_KeyWrappingData) {
            *at = (*at)->next;
            continue;
        }
        if (value && (*at)->tag == KMIP_TAG_KeyValue) {
            value->next = (*at)->next;
            *at = value;
        }
        at = &(*at)->next;
    }
}

static klm_rc read_object(struct unwrap *unwrap, const struct kr_material *wrapped,
                          struct kmip_node *value, struct kr_material **out)
{
    struct km_call *call = unwrap->call;
    const struct kmip_node *item = NULL;
    struct kmip_node *own = NULL;
    struct md_attrs extras;
    klm_rc rc;

    KLM_TRY(km_keyblock(call, unwrap->object, wrapped, &item));
    KLM_TRY(md_item_copy(item, call->pool, &own));
    replace_value(own, value);
    md_attrs_init(&extras, call->pool);
    rc = km_keyblock_read(call, unwrap->object->type, own, &extras, out);
    if (rc == KLM_OK && !*out) {
        rc = KLM_E_CRYPTO;
    }
    return rc == KLM_OK || rc == KLM_E_NOMEM ? rc : not_unwrapped(unwrap);
}

klm_rc km_object_unwrap(struct km_call *call, struct md_object *object,
                        struct kr_material **material)
{
    const struct md_attr *data = md_attr_find(&object->attrs, KMIP_TAG_KeyWrappingData);
    struct unwrap unwrap = {.call = call, .object = object, .data = data ? data->value : NULL};
    const struct kmip_node *method = kmip_child(unwrap.data, KMIP_TAG_WrappingMethod);
    const struct kmip_node *info = kmip_child(unwrap.data, KMIP_TAG_EncryptionKeyInformation);
    struct klm_slice wrapped, clear;
    struct kmip_node *value = NULL;
    struct kr_material *other = NULL;

    if (!method || method->number != KMIP_WrappingMethod_Encrypt || !info) {
        return not_so(&unwrap);
    }
    KLM_TRY(km_view(call, &unwrap.view));
    KLM_TRY(find_key(&unwrap, info));
    KLM_TRY(kr_material_bytes(*material, call->pool, &wrapped));
    KLM_TRY(unwrap_bytes(&unwrap, info, wrapped, &clear));
    KLM_TRY(read_value(&unwrap, clear, &value));
    KLM_TRY(read_object(&unwrap, *material, value, &other));
    md_attr_remove_all(&object->attrs, KMIP_TAG_KeyWrappingData);
    kr_material_free(material);
    *material = other;
    return KLM_OK;
}
