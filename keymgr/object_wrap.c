/* Keys that leave wrapped by another key (KMIP 2.1, 7.17 Key Wrapping Specification, 3.2 Key Wrapping Data; 1.4, 2.1.5 and 2.1.6). Wrapping Method is Encrypt. */
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "kmip/codec/ttlv.h"

#include <string.h>

struct wrap {
    struct km_call *call;
    struct km_object_get *req;
    struct md_object with_object;
    struct kr_material *with;
    const struct kmip_node
        *parameters; /* as they were asked for, or those of the key; NULL: none */
    struct kr_wrap_how how;
    bool encoded; /* TTLV */
};

static uint32_t number_in(const struct kmip_node *in, uint32_t tag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    return node && node->type == KMIP_ENUMERATION ? (uint32_t)node->number : 0;
}

static struct klm_slice bytes_in(const struct kmip_node *in, uint32_t tag)
{
    const struct kmip_node *node = kmip_child(in, tag);

    return node && node->type == KMIP_BYTES ? node->bytes : KLM_SLICE(NULL, 0);
}

static klm_rc bad(struct km_call *call, uint32_t tag)
{
    return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, kmip_tag(tag)->name);
}

/* KMIP 1.4, 2.1.6: of the parameters asked for, all that are given must be those of one of the key's. A key without any takes what is asked for, since many clients never set
 * them. */
static bool parameters_fit(const struct md_object *key, const struct kmip_node *asked)
{
    const struct md_attr *own = md_attr_find(&key->attrs, KMIP_TAG_CryptographicParameters);

    if (!own || !asked) {
        return true;
    }
    for (; own; own = md_attr_next(&key->attrs, own)) {
        const struct kmip_node *field = asked->first;

        while (field && kmip_equal(field, kmip_child(own->value, field->tag))) {
            field = field->next;
        }
        if (!field) {
            return true;
        }
    }
    return false;
}

/* KMIP 2.1, 11.46, has reasons of their own for a wrapping key. */
klm_rc km_wrap_refuse_key(struct km_call *call, klm_rc rc, const char *uid)
{
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_WRAP_KEY, uid);
    }
    return call->diag.msg == KLM_MSG_OBJECT_ARCHIVED
               ? KM_REFUSE(call, rc, 0, KLM_MSG_WRAP_ARCHIVED, uid)
               : rc;
}

static klm_rc find_key(struct wrap *wrap, struct st_view *view, const struct kmip_node *info)
{
    const struct kmip_node *id = kmip_child(info, KMIP_TAG_UniqueIdentifier);
    struct km_call *call = wrap->call;
    struct md_object *with = &wrap->with_object;
    const char *uid;
    klm_rc rc;

    if (!id || id->type != KMIP_TEXT) {
        return bad(call, KMIP_TAG_EncryptionKeyInformation);
    }
    uid = klm_pool_strn(call->pool, (const char *)id->bytes.p, id->bytes.n);
    if (!uid) {
        return KLM_E_NOMEM;
    }
    rc = km_object_find(call, view, uid, with);
    if (rc != KLM_OK) {
        return km_wrap_refuse_key(call, rc, uid);
    }
    if (with->type != KMIP_ObjectType_SymmetricKey && with->type != KMIP_ObjectType_PublicKey) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_WRAP_NO_KEY, uid);
    }
    rc = km_object_usable(call, with);
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_WRAP_DESTROYED, uid);
    }
    if (!(md_attr_number(&with->attrs, KMIP_TAG_CryptographicUsageMask, 0) &
          KMIP_CryptographicUsageMask_WrapKey)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_WRAP_MASK, uid);
    }
    if (md_object_state(with, klm_clock()) != KMIP_State_Active) { /* wrapping protects */
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_STATE, uid, "Active");
    }
    return km_object_material(call, view, with, &wrap->with);
}

void km_wrap_how(const struct kmip_node *parameters, struct kr_wrap_how *out)
{
    *out = (struct kr_wrap_how){.mode = number_in(parameters, KMIP_TAG_BlockCipherMode),
                                .padding = number_in(parameters, KMIP_TAG_PaddingMethod),
                                .hash = number_in(parameters, KMIP_TAG_HashingAlgorithm),
                                .mask_hash =
                                    number_in(parameters, KMIP_TAG_MaskGeneratorHashingAlgorithm),
                                .p_source = bytes_in(parameters, KMIP_TAG_PSource)};
}

/* The parameters: those asked for, else the key's first ones. */
static klm_rc read_parameters(struct wrap *wrap, const struct kmip_node *info)
{
    const struct kmip_node *asked = kmip_child(info, KMIP_TAG_CryptographicParameters);
    const struct md_attr *own =
        md_attr_find(&wrap->with_object.attrs, KMIP_TAG_CryptographicParameters);
    const struct kmip_node *in = asked ? asked : own ? own->value : NULL;

    if (!parameters_fit(&wrap->with_object, asked)) {
        return KM_REFUSE(wrap->call, KLM_E_INVALID, 0, KLM_MSG_WRAP_PARAMETERS,
                         wrap->with_object.uid);
    }
    wrap->parameters = in;
    km_wrap_how(in, &wrap->how);
    return KLM_OK;
}

static klm_rc read_spec(struct wrap *wrap, struct st_view *view)
{
    const struct kmip_node *spec = wrap->req->wrapping;
    const struct kmip_node *info = kmip_child(spec, KMIP_TAG_EncryptionKeyInformation);
    const uint32_t method = number_in(spec, KMIP_TAG_WrappingMethod);
    const uint32_t encoding = number_in(spec, KMIP_TAG_EncodingOption);

    if (!method) {
        return bad(wrap->call, KMIP_TAG_WrappingMethod);
    }
    if (method != KMIP_WrappingMethod_Encrypt ||
        kmip_child(spec, KMIP_TAG_MACSignatureKeyInformation)) {
        const char *name = kmip_value_name(KMIP_E_WrappingMethod, method);

        return KM_REFUSE(wrap->call, KLM_E_UNSUPPORTED, 0, KLM_MSG_WRAP_METHOD,
                         name ? name : "of that number");
    }
    if (!info) {
        return bad(wrap->call, KMIP_TAG_EncryptionKeyInformation);
    }
    wrap->encoded = encoding != KMIP_EncodingOption_NoEncoding;
    /* KMIP 1.4, 2.1.6 and 11.12: "If No Encoding is specified, then the Key Value SHALL NOT contain any attributes". */
    if ((kmip_child(spec, KMIP_TAG_AttributeName) ||
         kmip_child(spec, KMIP_TAG_AttributeReference)) &&
        (!wrap->encoded || !wrap->req->attr_out)) {
        return KM_REFUSE(wrap->call, KLM_E_UNSUPPORTED, 0, KLM_MSG_WRAP_ENCODING,
                         wrap->req->object.uid);
    }
    KLM_TRY(find_key(wrap, view, info));
    return read_parameters(wrap, info);
}

/* Attributes that leave inside of the wrapping (KMIP 1.4, 2.1.4: beside the key material; 2.1, 3.2: in a structure). Those that the object does not have are left out. */
static klm_rc put_attributes(struct wrap *wrap, struct kmip_node *value)
{
    const struct km_object_get *req = wrap->req;
    struct kmip_node *to = value;
    struct md_attrs attrs;

    if (!req->attr_out || req->n == 0) {
        return KLM_OK;
    }
    KLM_TRY(km_attrs_named(wrap->call, &req->object, req->names, req->n, &attrs));
    if (req->version >= KMIP_V(2, 0)) {
        to = kmip_structure(wrap->call->pool, value, KMIP_TAG_Attributes);
    }
    for (size_t i = 0; i < attrs.n; i++) {
        KLM_TRY(req->attr_out(req->attr_arg, &attrs.at[i], to));
    }
    return to ? KLM_OK : KLM_E_NOMEM;
}

/* What is wrapped: the bytes of the key material, or its Key Value in TTLV (KMIP 1.4, 2.1.5). */
static klm_rc clear(struct wrap *wrap, const struct kr_material *material, struct klm_slice *out)
{
    struct kmip_node *value = NULL;
    struct klm_buf buf;
    klm_rc rc;

    if (!wrap->encoded) {
        rc = kr_material_bytes(material, wrap->call->pool, out);
        return rc == KLM_E_UNSUPPORTED
                   ? KM_REFUSE(wrap->call, rc, 0, KLM_MSG_WRAP_ENCODING, wrap->req->object.uid)
                   : rc;
    }
    KLM_TRY(km_key_value(wrap->call, material, NULL, &value));
    KLM_TRY(put_attributes(wrap, value));
    klm_buf_init_wiping(
        &buf, KR_MATERIAL_MAX *
                  4); /* attributes may be as long again, and more where they are spelled out */
    kmip_ttlv_encode(value, wrap->req->version, &buf);
    rc = klm_buf_rc(&buf);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(wrap->call->pool, klm_buf_as_slice(&buf), out);
    }
    klm_buf_done(&buf);
    return rc;
}

/* Key Wrapping Data: what was done, for who unwraps. */
static klm_rc describe(struct wrap *wrap, struct kmip_node *block)
{
    struct klm_pool *pool = wrap->call->pool;
    struct kmip_node *data = kmip_structure(pool, block, KMIP_TAG_KeyWrappingData), *info;
    struct kmip_node *copy = NULL;
    const char *uid = klm_pool_str(pool, wrap->with_object.uid); /* the answer outlives this */

    if (!uid) {
        return KLM_E_NOMEM;
    }
    kmip_put_number(pool, data, KMIP_TAG_WrappingMethod, KMIP_ENUMERATION,
                    KMIP_WrappingMethod_Encrypt);
    info = kmip_structure(pool, data, KMIP_TAG_EncryptionKeyInformation);
    kmip_put_bytes(pool, info, KMIP_TAG_UniqueIdentifier, KMIP_TEXT, klm_slice_str(uid));
    if (wrap->parameters) {
        KLM_TRY(md_item_copy(wrap->parameters, pool, &copy));
        copy->next = NULL;
        kmip_append(info, copy);
    }
    if (kmip_child(wrap->req->wrapping, KMIP_TAG_EncodingOption)) {
        kmip_put_number(pool, data, KMIP_TAG_EncodingOption, KMIP_ENUMERATION,
                        wrap->encoded ? KMIP_EncodingOption_TTLVEncoding
                                      : KMIP_EncodingOption_NoEncoding);
    }
    return data ? KLM_OK : KLM_E_NOMEM;
}

/* The Key Value in a key block is replaced by its wrapped form. */
static klm_rc put_wrapped(struct wrap *wrap, struct kmip_node *item, struct klm_slice wrapped)
{
    struct kmip_node *block = NULL, *value = NULL;

    for (struct kmip_node *child = item->first; child; child = child->next) {
        block = child->tag == KMIP_TAG_KeyBlock ? child : block;
    }
    for (struct kmip_node *child = block ? block->first : NULL; child; child = child->next) {
        value = child->tag == KMIP_TAG_KeyValue ? child : value;
    }
    if (!value) {
        return KM_REFUSE(wrap->call, KLM_E_UNSUPPORTED, 0, KLM_MSG_WRAP_ENCODING,
                         wrap->req->object.uid);
    }
    value->type = KMIP_BYTES;
    value->bytes = wrapped;
    return describe(wrap, block);
}

static klm_rc wrap_it(struct wrap *wrap, const struct kr_material *material)
{
    struct klm_slice in, wrapped;
    const struct kmip_node *item = NULL;
    struct kmip_node *own = NULL;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_view(wrap->call, &view));
    KLM_TRY(read_spec(wrap, view));
    KLM_TRY(clear(wrap, material, &in));
    rc = kr_material_wrap(wrap->with, &wrap->how, in, wrap->call->pool, &wrapped);
    if (rc == KLM_E_UNSUPPORTED || rc == KLM_E_INVALID) {
        return KM_REFUSE(wrap->call, rc, 0, KLM_MSG_WRAP_PARAMETERS, wrap->with_object.uid);
    }
    KLM_TRY(rc);
    KLM_TRY(km_keyblock(wrap->call, &wrap->req->object, material, &item));
    KLM_TRY(md_item_copy(item, wrap->call->pool, &own));
    wrap->req->item = own;
    return put_wrapped(wrap, own, wrapped);
}

klm_rc km_object_wrap(struct km_call *call, struct km_object_get *req,
                      const struct kr_material *material)
{
    struct wrap wrap = {.call = call, .req = req};
    const klm_rc rc = wrap_it(&wrap, material);

    kr_material_free(&wrap.with);
    return rc;
}

klm_rc km_wrapping_link(struct km_call *call, struct md_object *object)
{
    const struct md_attr *wrapping = md_attr_find(&object->attrs, KMIP_TAG_KeyWrappingData);
    const struct kmip_node *info =
        wrapping ? kmip_child(wrapping->value, KMIP_TAG_EncryptionKeyInformation) : NULL;
    const struct kmip_node *id = kmip_child(info, KMIP_TAG_UniqueIdentifier);
    const char *uid;

    if (!id || id->type != KMIP_TEXT) {
        return KLM_OK;
    }
    uid = klm_pool_strn(call->pool, (const char *)id->bytes.p, id->bytes.n);
    return uid ? km_link_set(object, call->pool, KMIP_LinkType_WrappingKeyLink, uid) : KLM_E_NOMEM;
}
