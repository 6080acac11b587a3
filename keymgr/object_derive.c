/* Derive Key: a symmetric key or secret data made of keys and secrets that are here (KMIP 1.4, 4.6; 2.1, 6.1.14). */
#include "keymgr/internal.h"
#include "keymgr/object.h"
#include "keyring/derive.h"

/* What is derived from. The key is what the method works with; the other one is a public key, or the secret whose bytes are the derivation data. */
struct bases {
    struct md_object object[KM_DERIVE_BASES];
    struct kr_material *material[KM_DERIVE_BASES];
    size_t key, other;
    bool two;
};

static void drop(struct bases *bases)
{
    for (size_t i = 0; i < KM_DERIVE_BASES; i++) {
        kr_material_free(&bases->material[i]);
    }
}

/* ---- May it be derived from? */

static unsigned types_of(uint32_t method)
{
    return method == KMIP_DerivationMethod_AsymmetricKey
               ? KMIP_FOR(KMIP_ObjectType_PrivateKey) | KMIP_FOR(KMIP_ObjectType_PublicKey)
               : KMIP_FOR(KMIP_ObjectType_SymmetricKey) | KMIP_FOR(KMIP_ObjectType_SecretData);
}

/* KMIP 2.1, 6.1.14: only of objects with Derive Key in their mask; and it applies protection (4.57). */
static klm_rc check_base(struct km_call *call, const struct md_object *object)
{
    const struct km_object_derive *req = call->req;
    const int64_t mask = md_attr_number(&object->attrs, KMIP_TAG_CryptographicUsageMask, 0);

    KLM_TRY(km_object_usable(call, object));
    if (!(types_of(req->method) & KMIP_FOR(object->type))) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_DERIVE_NO_KEY, object->uid);
    }
    if (!(mask & KMIP_CryptographicUsageMask_DeriveKey)) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_DERIVE_MASK, object->uid);
    }
    if (md_object_state(object, call->event.time) != KMIP_State_Active ||
        md_attr_number(&object->attrs, KMIP_TAG_ProtectStopDate, INT64_MAX) <=
            km_call_seconds(call)) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DERIVE_STATE, object->uid);
    }
    return md_attr_number(&object->attrs, KMIP_TAG_KeyValuePresent, 1)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_KEY_VALUE_ABSENT, object->uid);
}

static klm_rc find_bases(struct km_call *call, struct st_view *view, struct bases *bases)
{
    const struct km_object_derive *req = call->req;

    for (size_t i = 0; i < req->bases; i++) {
        KLM_TRY(km_object_find(call, view, req->base[i], &bases->object[i]));
        KLM_TRY(check_base(call, &bases->object[i]));
    }
    return KLM_OK;
}

/* Which of two is the key: the private one; the one that is no secret, or the first. */
static klm_rc tell_apart(struct km_call *call, struct bases *bases)
{
    const struct km_object_derive *req = call->req;
    const bool pair = req->method == KMIP_DerivationMethod_AsymmetricKey;
    const uint32_t second = pair ? KMIP_ObjectType_PublicKey : KMIP_ObjectType_SecretData;

    bases->two = req->bases == 2;
    bases->key = bases->two && bases->object[0].type == second && bases->object[1].type != second;
    bases->other = !bases->key;
    if (pair != bases->two && (pair || req->data.p)) {
        return pair ? KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_DERIVE_PARAMETERS,
                                bases->object[0].uid)
                    : KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_DERIVE_TWICE);
    }
    if (req->method == KMIP_DerivationMethod_HASH && (req->data.p || bases->two)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_DERIVE_TWICE);
    }
    if (bases->two && (bases->object[bases->other].type != second ||
                       (pair && bases->object[bases->key].type == second))) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_DERIVE_NO_KEY,
                         bases->object[bases->other].uid);
    }
    return KLM_OK;
}

/* ---- What it makes */

/* KMIP 2.1, 6.1.14: the length always, the algorithm of a key. In 1.x secret data have neither attribute (1.4, 3.4 and 3.5), so the length is only said. */
static klm_rc what_is_made(struct km_call *call, struct kr_material_spec *spec)
{
    struct km_object_derive *req = call->req;
    struct md_attrs *attrs = &req->make.attrs;
    const int64_t bits = md_attr_number(attrs, KMIP_TAG_CryptographicLength, 0);
    const int64_t algorithm = md_attr_number(attrs, KMIP_TAG_CryptographicAlgorithm, 0);

    *spec = (struct kr_material_spec){.object = req->make.type};
    if (bits <= 0 || bits > UINT32_MAX) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, "Cryptographic Length");
    }
    spec->bits = (uint32_t)bits;
    if (req->make.type == KMIP_ObjectType_SecretData) {
        md_attr_remove_all(attrs, KMIP_TAG_CryptographicAlgorithm);
        if (req->make.version < KMIP_V(2, 0)) {
            md_attr_remove_all(attrs, KMIP_TAG_CryptographicLength);
        }
        return KLM_OK;
    }
    if (algorithm <= 0 || algorithm > UINT32_MAX) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, "Cryptographic Algorithm");
    }
    spec->algorithm = (uint32_t)algorithm;
    return KLM_OK;
}

static klm_rc explain(struct km_call *call, const struct kr_material_spec *spec, klm_rc rc)
{
    const struct km_object_derive *req = call->req;
    const char *method = kmip_value_name(KMIP_E_DerivationMethod, req->method);

    switch (rc) {
    case KLM_OK:
        return rc;
    case KLM_E_UNSUPPORTED:
        return KM_REFUSE(call, rc, 0, KLM_MSG_DERIVE_METHOD, method ? method : "no such method");
    case KLM_E_INVALID:
    case KLM_E_SHORT:
        return KM_REFUSE(call, rc, 0, KLM_MSG_DERIVE_PARAMETERS, req->base[0]);
    default:
        return KM_REFUSE(call, rc, 0, KLM_MSG_DERIVE_FAILED, KLM_NUM(spec->bits), req->base[0],
                         klm_rc_text(rc));
    }
}

static klm_rc derive(struct km_call *call, struct bases *bases, const struct kr_material_spec *spec,
                     struct kr_material **out)
{
    struct km_object_derive *req = call->req;
    const bool pair = req->method == KMIP_DerivationMethod_AsymmetricKey;
    struct kr_derivation from = {.method = req->method,
                                 .key = bases->material[bases->key],
                                 .data = req->data,
                                 .iv = req->iv,
                                 .salt = req->salt,
                                 .rounds = req->rounds};

    km_crypt_parameters(req->parameters, &bases->object[bases->key], &from.how);
    if (pair) {
        from.peer = bases->material[bases->other];
    } else if (bases->two) {
        KLM_TRY(explain(call, spec,
                        kr_material_bytes(bases->material[bases->other], call->pool, &from.data)));
    }
    /* KMIP 2.1, 4.59: bytes that are protected. Those are the derivation data, wherever they come from; without any, what is made of the key. */
    req->used = from.data.n ? from.data.n : (spec->bits + 7) / 8;
    return explain(call, spec, kr_derive(&from, spec, call->pool, out));
}

/* KMIP 2.1, 4.31: an object has a link to each that it was derived from, and each of those one to it. */
static klm_rc add_link(struct km_call *call, struct md_object *object, uint32_t type,
                       const char *uid)
{
    struct kmip_node *link = kmip_root(call->pool, KMIP_TAG_Link);
    klm_rc rc;

    kmip_put_number(call->pool, link, KMIP_TAG_LinkType, KMIP_ENUMERATION, type);
    if (!kmip_put_bytes(call->pool, link, KMIP_TAG_LinkedObjectIdentifier, KMIP_TEXT,
                        klm_slice_str(uid))) {
        return KLM_E_NOMEM;
    }
    rc = md_attr_add(&object->attrs, link);
    return rc == KLM_E_LIMIT ? KM_REFUSE(call, rc, 0, KLM_MSG_ATTR_FULL, object->uid) : rc;
}

static klm_rc made(struct km_call *call, const struct bases *bases,
                   const struct kr_material *material)
{
    struct km_object_derive *req = call->req;

    KLM_TRY(km_made(call, req->make.type, &req->make.attrs, material, 0));
    if (req->make.type == KMIP_ObjectType_SecretData) {
        KLM_TRY(md_attr_set_number(&km_made_object(call, 0)->attrs, KMIP_TAG_SecretDataType,
                                   KMIP_SecretDataType_Seed));
    }
    for (size_t i = 0; i < req->bases; i++) {
        KLM_TRY(add_link(call, km_made_object(call, 0), KMIP_LinkType_DerivationBaseObjectLink,
                         bases->object[i].uid));
    }
    return KLM_OK;
}

static klm_rc make(struct km_call *call, struct st_view *view, struct bases *bases)
{
    const struct km_object_derive *req = call->req;
    struct kr_material *material = NULL;
    struct kr_material_spec spec;
    klm_rc rc;

    KLM_TRY(what_is_made(call, &spec));
    KLM_TRY(km_attrs_check(call, &req->make.attrs, req->make.type));
    KLM_TRY(find_bases(call, view, bases));
    KLM_TRY(tell_apart(call, bases));
    for (size_t i = 0; i < req->bases; i++) {
        KLM_TRY(km_object_material(call, view, &bases->object[i], &bases->material[i]));
    }
    KLM_TRY(derive(call, bases, &spec, &material));
    rc = km_format_made(call, req->make.version, &req->make.attrs, &material);
    if (rc == KLM_OK) {
        rc = made(call, bases, material);
    }
    kr_material_free(&material);
    return rc;
}

klm_rc km_object_derive_prepare(struct km_call *call)
{
    struct km_object_derive *req = call->req;
    struct bases bases = {.two = false};
    struct st_view *view;
    klm_rc rc;

    (void)km_call_seconds(call);
    if (req->make.type != KMIP_ObjectType_SymmetricKey &&
        req->make.type != KMIP_ObjectType_SecretData) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_OBJECT_TYPE, KLM_NUM(req->make.type));
    }
    KLM_TRY(km_templates_add(call, req->make.templates, &req->make.attrs));
    KLM_TRY(km_view(call, &view));
    rc = make(call, view, &bases);
    drop(&bases);
    return rc;
}

/* The bases learn of what was derived, and a use of their limits is taken. */
klm_rc km_object_derive_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_derive *req = call->req;

    for (size_t i = 0; i < req->bases; i++) {
        struct md_object base;

        KLM_TRY(km_object_find(call, st_change_view(change), req->base[i], &base));
        KLM_TRY(check_base(call, &base));
        KLM_TRY(km_usage_take(call, &base, req->used));
        KLM_TRY(add_link(call, &base, KMIP_LinkType_DerivedKeyLink, req->make.made[0]));
        KLM_TRY(km_object_change(call, change, &base));
    }
    return km_made_put(call, change);
}
