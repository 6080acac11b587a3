/* Get: the object itself, in the form it was registered in unless another is asked for (KMIP 2.1, 6.1.19; 1.4, 4.11). */
#include "keymgr/cache.h"
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "keymgr/served.h"

/* KMIP 1.4, 3.22: a destroyed object has no key material. */
klm_rc km_object_usable(struct km_call *call, const struct md_object *object)
{
    const uint32_t state = md_object_state(object, klm_clock());

    if (state == KMIP_State_Destroyed || state == KMIP_State_DestroyedCompromised) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_DESTROYED, object->uid);
    }
    return KLM_OK;
}

/* It came wrapped, and is given as it came. */
static bool leaves_wrapped(const struct km_object_get *req)
{
    return md_attr_find(&req->object.attrs, KMIP_TAG_KeyWrappingData) &&
           req->wrap_type != KMIP_KeyWrapType_NotWrapped;
}

/* KMIP 1.4, 3.47 and 3.49: a sensitive one leaves "wrapped by another key" alone. */
static klm_rc may_leave(struct km_call *call, const struct km_object_get *req)
{
    const struct md_attrs *attrs = &req->object.attrs;

    if (!md_attr_number(attrs, KMIP_TAG_Extractable, 1)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_OBJECT_KEPT, req->object.uid);
    }
    if (md_attr_number(attrs, KMIP_TAG_Sensitive, 0) && !req->wrapping && !leaves_wrapped(req)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_OBJECT_SENSITIVE, req->object.uid);
    }
    return KLM_OK;
}

static klm_rc check_form(struct km_call *call, const struct km_object_get *req,
                         const struct kr_material_spec *spec)
{
    const char *name = kmip_value_name(KMIP_E_KeyFormatType, req->format);

    if (req->compression && (req->object.type != KMIP_ObjectType_PublicKey || !spec->curve)) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_KEY_COMPRESSION, req->object.uid);
    }
    if (req->format && spec->wrapped && req->format != spec->format) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_KEY_FORMAT, req->object.uid,
                         name ? name : "of that number");
    }
    if (spec->wrapped ? req->wrapping != NULL
                      : req->wrap_type == KMIP_KeyWrapType_AsRegistered && req->wrapping) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_WRAP_TYPE, req->object.uid);
    }
    return KLM_OK;
}

/* Certificates, requests of them and opaque objects have one form (KMIP 2.1, table 81), whose number is none of their material; of a certificate Raw asks for the same bytes. */
static bool has_form(const struct md_object *object, uint32_t format)
{
    return km_format_is_fixed(object->type) &&
           (format == 0 || format == km_format_usual(object->type, 0) ||
            (object->type == KMIP_ObjectType_Certificate && format == KMIP_KeyFormatType_Raw));
}

/* Another format, when one is asked for. *material is replaced. */
static klm_rc convert(struct km_call *call, const struct km_object_get *req,
                      struct kr_material **material)
{
    const struct kr_material_spec *spec = kr_material_spec(*material);
    const uint32_t format = req->format ? req->format : spec->format;
    const char *name = kmip_value_name(KMIP_E_KeyFormatType, format);
    struct kr_material *other = NULL;
    klm_rc rc;

    if (has_form(&req->object, req->format)) {
        return KLM_OK;
    }
    if (format == spec->format && !req->compression) {
        return KLM_OK;
    }
    rc = kr_material_convert(*material, format, req->compression, &other);
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_KEY_FORMAT, req->object.uid,
                         name ? name : "of that number");
    }
    kr_material_free(material);
    *material = other;
    return KLM_OK;
}

/* The container takes the place of the key; its format stands in the key block. */
static klm_rc give_pkcs12(struct km_call *call, struct km_object_get *req,
                          const struct kr_material *material)
{
    struct kmip_node *item = kmip_root(call->pool, KMIP_TAG_PrivateKey);
    struct kmip_node *block = kmip_structure(call->pool, item, KMIP_TAG_KeyBlock), *value = block;
    struct klm_slice bytes;

    KLM_TRY(km_object_pkcs12(call, &req->object, material, &bytes));
    kmip_put_number(call->pool, block, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION,
                    KMIP_KeyFormatType_PKCS_12);
    if (req->version >=
        KMIP_V(
            2,
            0)) { /* before, the container stands for the whole Key Value, as a wrapped one does */
        value = kmip_structure(call->pool, block, KMIP_TAG_KeyValue);
    }
    req->item = item;
    return kmip_put_bytes(call->pool, value,
                          value == block ? KMIP_TAG_KeyValue : KMIP_TAG_KeyMaterial, KMIP_BYTES,
                          bytes)
               ? KLM_OK
               : KLM_E_NOMEM;
}

/* A version that does not know the format gets another one, unless it is wrapped in it. */
static void in_version(struct km_object_get *req, const struct kr_material_spec *spec)
{
    const uint32_t known = km_format_known(spec->format, req->version);

    if (!req->format && !spec->wrapped && known != spec->format) {
        req->format = known;
    }
}

static klm_rc give(struct km_call *call, struct km_object_get *req, struct kr_material **material)
{
    if (kr_material_spec(*material)->wrapped && req->wrap_type == KMIP_KeyWrapType_NotWrapped) {
        KLM_TRY(km_object_unwrap(call, &req->object, material));
    }
    in_version(req, kr_material_spec(*material));
    KLM_TRY(check_form(call, req, kr_material_spec(*material)));
    if (req->format == KMIP_KeyFormatType_PKCS_12 && !req->wrapping &&
        req->object.type == KMIP_ObjectType_PrivateKey) {
        return give_pkcs12(call, req, *material);
    }
    KLM_TRY(convert(call, req, material));
    if (req->wrapping) {
        return km_object_wrap(call, req, *material);
    }
    return km_keyblock(call, &req->object, *material, &req->item);
}

/* 1.x: its attributes are the object (1.4, 2.2.6). */
static klm_rc give_template(struct km_object_get *req)
{
    const struct md_attr *list = md_attr_find(&req->object.attrs, KMIP_TAG_Template);

    req->item = list ? list->value : NULL;
    return req->item ? KLM_OK : KLM_E_NOTFOUND;
}

/* A key whose value is elsewhere: what is known of it (1.4, 2.1.3 and 3.40). */
static klm_rc give_description(struct km_call *call, struct km_object_get *req)
{
    return req->wrapping || req->format
               ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_KEY_VALUE_ABSENT, req->object.uid)
               : km_keyblock(call, &req->object, NULL, &req->item);
}

/* The password of a container is hashed hundreds of thousands of times, and an RSA key may have come without its primes, which another format needs. Of these formats alone there is nothing to
 * make. Unwrapping may take a private key. */
bool km_get_slow(const struct km_object_get *req)
{
    return req->wrap_type == KMIP_KeyWrapType_NotWrapped ||
           (req->format && req->format != KMIP_KeyFormatType_Raw &&
            req->format != KMIP_KeyFormatType_Opaque &&
            req->format != KMIP_KeyFormatType_TransparentSymmetricKey);
}

/* KMIP 2.1, 4.24: the server SHALL change Fresh to False as soon as the object has been served. A server that cannot write any more serves all the same. */
static bool is_fresh(const struct md_object *object)
{
    return md_attr_number(&object->attrs, KMIP_TAG_Fresh, false) != 0;
}

/* That it was served has to be written, by this call; false: it has not, or is noted for the writer. */
static bool writes_served(struct km_call *call, const struct md_object *object)
{
    if (!is_fresh(object) || st_failed(call->server->store)) {
        return false;
    }
    return call->draft || !km_served_suits(object) ||
           !km_served_note(call->server->served, object->uid);
}

/* KMIP 2.1, 11.34: that of templates is reserved. */
static bool type_known(uint32_t type, int version)
{
    return kmip_value_known(KMIP_E_ObjectType, type, version) &&
           (type != KMIP_ObjectType_Template || version < KMIP_V(2, 0));
}

klm_rc km_object_get_prepare(struct km_call *call)
{
    struct km_object_get *req = call->req;
    struct kr_material *material = NULL;
    struct st_view *view;
    klm_rc rc;

    if (km_cache_get(call, req)) {
        call->no_apply = true;
        return KLM_OK;
    }
    KLM_TRY(km_view(call, &view));
    KLM_TRY(km_object_find(call, view, req->uid, &req->object));
    KLM_TRY(km_object_usable(call, &req->object));
    if (!type_known(req->object.type, req->version)) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_OBJECT_TYPE,
                         KLM_NUM(req->object.type));
    }
    if (req->object.type == KMIP_ObjectType_Template) {
        call->no_apply = true;
        return give_template(req);
    }
    KLM_TRY(may_leave(call, req));
    if (!md_attr_number(&req->object.attrs, KMIP_TAG_KeyValuePresent, 1)) {
        call->no_apply = true;
        return give_description(call, req);
    }
    KLM_TRY(km_object_material(call, view, &req->object, &material));
    rc = give(call, req, &material);
    kr_material_free(&material);
    KLM_TRY(rc);
    call->no_apply = !writes_served(call, &req->object);
    if (call->no_apply && !st_failed(call->server->store)) {
        km_cache_keep(call, view, req);
    }
    return KLM_OK;
}

/* The first Get is a change. It is none that clients would have to hear of: Last Change Date stays. */
klm_rc km_object_get_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_get *req = call->req;
    struct md_object object;

    KLM_TRY(km_object_find(call, st_change_view(change), req->uid, &object));
    KLM_TRY(km_object_usable(call, &object)); /* it may have been destroyed meanwhile */
    if (!is_fresh(&object)) {
        return KLM_OK; /* another was faster */
    }
    KLM_TRY(md_attr_set_number(&object.attrs, KMIP_TAG_Fresh, false));
    return md_object_put(change, &object);
}
