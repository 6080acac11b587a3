/* New objects: the attributes that the server sets (kmip/registry says which), their identifiers, and their material as a key token. Used by all verbs that make objects. */
#include "keymgr/cache.h"
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <stdio.h>
#include <string.h>

struct made {
    struct md_object object[2];
    struct klm_slice token[2]; /* p NULL: no material */
    struct klm_slice known[2]; /* for the cache; empty: nothing */
    bool alone[2];             /* no other object has one of its names */
    size_t n;
};

static struct made *made_of(struct km_call *call)
{
    if (!call->work) {
        call->work = klm_pool_alloc(call->pool, sizeof(struct made));
    }
    return call->work;
}

/* KMIP 1.4, 3.22: an object whose Activation Date has come is Active from the start. */
static uint32_t first_state(const struct md_attrs *attrs, int64_t now)
{
    return md_attr_number(attrs, KMIP_TAG_ActivationDate, INT64_MAX) <= now ? KMIP_State_Active
                                                                            : KMIP_State_PreActive;
}

/* A name of a client's object is made of what the material says, unless it was given. */
static klm_rc set_default(struct md_object *object, uint32_t tag, int64_t number)
{
    return md_attr_find(&object->attrs, tag) ? KLM_OK
                                             : md_attr_set_number(&object->attrs, tag, number);
}

static klm_rc of_material(struct km_call *call, struct md_object *object,
                          const struct kr_material *material)
{
    const struct kr_material_spec *spec = kr_material_spec(material);
    const struct km_object_make *req = call->req; /* that of all verbs that make objects */
    const uint32_t format =
        km_format_is_fixed(object->type) ? km_format_usual(object->type, 0) : spec->format;

    if (spec->algorithm) {
        KLM_TRY(set_default(object, KMIP_TAG_CryptographicAlgorithm, spec->algorithm));
    }
    if (spec->bits) {
        KLM_TRY(set_default(object, KMIP_TAG_CryptographicLength, spec->bits));
    }
    if (format) {
        KLM_TRY(set_default(object, KMIP_TAG_KeyFormatType, format));
    }
    return km_digests_set(call, req->version, object, material);
}

/* Secrets say whether they may leave (KMIP 1.4, 3.47 to 3.50). */
static klm_rc set_secrecy(struct md_object *object)
{
    const bool sensitive = md_attr_number(&object->attrs, KMIP_TAG_Sensitive, 0) != 0;
    const bool extractable = md_attr_number(&object->attrs, KMIP_TAG_Extractable, 1) != 0;

    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_Sensitive, sensitive));
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_AlwaysSensitive, sensitive));
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_Extractable, extractable));
    return md_attr_set_number(&object->attrs, KMIP_TAG_NeverExtractable, !extractable);
}

static klm_rc set_short_id(struct km_call *call, struct md_object *object)
{
    struct kmip_node *id = kmip_item(call->pool, NULL, KMIP_TAG_ShortUniqueIdentifier, KMIP_BYTES);
    uint8_t bytes[MD_UID_BYTES];

    /* KMIP 2.1, 4.56: a compact identifier, for messages to devices with little room. The bytes of the identifier itself: so it needs no row of the index. */
    if (!md_uid_bytes(object->uid, bytes)) {
        return KLM_E_INVALID;
    }
    if (!id || klm_pool_slice(call->pool, KLM_SLICE(bytes, sizeof bytes), &id->bytes) != KLM_OK) {
        return KLM_E_NOMEM;
    }
    return md_attr_set(&object->attrs, id);
}

static klm_rc set_dates(struct km_call *call, struct md_object *object)
{
    const int64_t now = km_call_seconds(call);

    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_InitialDate, now));
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_LastChangeDate, now));
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_LeaseTime, km_lease_seconds(call)));
    if (object->type == KMIP_ObjectType_Template) {
        return KLM_OK;
    }
    if (call->id != KM_OBJECT_REGISTER) {
        KLM_TRY(set_default(object, KMIP_TAG_OriginalCreationDate, now));
    }
    KLM_TRY(
        set_default(object, KMIP_TAG_Fresh, true)); /* 2.1, 4.24: a client may say that it is not */
    return md_attr_set_number(&object->attrs, KMIP_TAG_State, first_state(&object->attrs, now));
}

/* What is left open matches. */
static bool matches(const struct kmip_node *asked, const struct kmip_node *ours)
{
    for (const struct kmip_node *field = asked->first; field; field = field->next) {
        if (field->tag == KMIP_TAG_RNGAlgorithm && field->number == KMIP_RNGAlgorithm_Unspecified) {
            return true;
        }
        if (!kmip_equal(field, kmip_child(ours, field->tag))) {
            return false;
        }
    }
    return true;
}

/* KMIP 1.4, 3.44: of "one or more" that are asked for "the server SHALL use a random number generator that matches one", or "SHALL fail the request". */
static bool generator_fits(const struct md_object *object, const struct kmip_node *ours)
{
    const struct md_attr *asked = md_attr_find(&object->attrs, KMIP_TAG_RandomNumberGenerator);

    if (!asked) {
        return true;
    }
    while (asked && !matches(asked->value, ours)) {
        asked = md_attr_next(&object->attrs, asked);
    }
    return asked != NULL;
}

/* What made the key; only of keys that were made here. */
static klm_rc set_generator(struct km_call *call, struct md_object *object)
{
    struct kmip_node *rng;

    if (call->id == KM_OBJECT_REGISTER || object->type == KMIP_ObjectType_Certificate) {
        return KLM_OK;
    }
    rng = kmip_root(call->pool, KMIP_TAG_RandomNumberGenerator);
    kmip_put_number(call->pool, rng, KMIP_TAG_RNGAlgorithm, KMIP_ENUMERATION,
                    KMIP_RNGAlgorithm_DRBG);
    kmip_put_number(call->pool, rng, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION,
                    KMIP_CryptographicAlgorithm_AES);
    kmip_put_number(call->pool, rng, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256);
    if (!kmip_put_number(call->pool, rng, KMIP_TAG_DRBGAlgorithm, KMIP_ENUMERATION,
                         KMIP_DRBGAlgorithm_CTR)) {
        return KLM_E_NOMEM;
    }
    if (!generator_fits(object, rng)) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_ATTR_VALUE,
                         kmip_attr(KMIP_TAG_RandomNumberGenerator)->name);
    }
    md_attr_remove_all(&object->attrs, KMIP_TAG_RandomNumberGenerator);
    return md_attr_set(&object->attrs, rng);
}

/* KMIP 2.1, 4.59: the count SHALL be ignored when an object is made; a new key begins with all of its total. */
static klm_rc set_limits(struct km_call *call, struct md_object *object)
{
    struct md_attr *limits = md_attr_find(&object->attrs, KMIP_TAG_UsageLimits);
    const struct kmip_node *value = NULL;

    if (!limits) {
        return KLM_OK;
    }
    KLM_TRY(km_usage_limits(call->pool, limits->value, &value));
    return md_attr_replace(&object->attrs, limits, value);
}

static klm_rc set_all(struct km_call *call, struct md_object *object,
                      const struct kr_material *material)
{
    KLM_TRY(set_dates(call, object));
    KLM_TRY(set_short_id(call, object));
    if (object->type == KMIP_ObjectType_Template) {
        return KLM_OK;
    }
    KLM_TRY(
        set_default(object, KMIP_TAG_ProtectionStorageMask, KMIP_ProtectionStorageMask_Software));
    KLM_TRY(set_generator(call, object));
    KLM_TRY(set_limits(call, object));
    KLM_TRY(set_secrecy(object));
    return material ? of_material(call, object, material) : KLM_OK;
}

static klm_rc seal(struct km_call *call, const struct kr_material *material, const char *uid,
                   struct klm_slice *out)
{
    char label[KR_TOKEN_LABEL_MAX + 1];
    struct klm_buf buf;
    klm_rc rc;

    md_material_label(uid, label);
    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = kr_material_seal(call->server->master, label, material, &buf);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(call->pool, klm_buf_as_slice(&buf), out);
    }
    klm_buf_done(&buf);
    return rc;
}

klm_rc km_made(struct km_call *call, uint32_t type, const struct md_attrs *attrs,
               const struct kr_material *material, size_t place)
{
    struct km_object_make *req = call->req;
    struct made *made = made_of(call);
    const char *group = km_call_group(call);
    struct md_object *object;

    if (!made || place > 1) {
        return KLM_E_NOMEM;
    }
    object = &made->object[place];
    object->type = type;
    KLM_TRY(md_uid_new(object->uid));
    memcpy(req->made[place], object->uid, sizeof req->made[place]);
    snprintf(object->group, sizeof object->group, "%s", group ? group : "");
    snprintf(object->owner, sizeof object->owner, "%s", call->actor.fingerprint);
    KLM_TRY(md_attrs_copy(attrs, call->pool, &object->attrs));
    KLM_TRY(set_all(call, object, material));
    made->n = place + 1 > made->n ? place + 1 : made->n;
    return material ? seal(call, material, object->uid, &made->token[place]) : KLM_OK;
}

struct md_object *km_made_object(struct km_call *call, size_t place)
{
    return &made_of(call)->object[place];
}

void km_made_known(struct km_call *call, const struct kr_material *material)
{
    struct made *made = made_of(call);
    const struct kmip_node *item = NULL;

    if (km_keyblock(call, &made->object[0], material, &item) == KLM_OK) {
        made->known[0] = km_cache_new_object(call, &made->object[0], item);
    }
}

void km_made_published(struct km_call *call)
{
    const struct made *made = call->work;

    for (size_t i = 0; i < made->n; i++) {
        km_cache_made(call, &made->object[i], made->known[i], made->alone[i]);
    }
    km_object_published(call);
}

static klm_rc put_one(struct km_call *call, struct st_change *change, struct made *made, size_t i)
{
    const struct md_object *object = &made->object[i];
    char label[KR_TOKEN_LABEL_MAX + 1];
    klm_rc rc;

    KLM_TRY(km_names_check(call, st_change_view(change), object, &made->alone[i]));
    rc = md_object_add_new(change, object);
    if (rc == KLM_E_LIMIT) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_OBJECT_LARGE, object->uid);
    }
    KLM_TRY(rc);
    KLM_TRY(km_cartridge_made(call, change, object));
    if (!made->token[i].p) {
        return KLM_OK;
    }
    md_material_label(object->uid, label);
    return kr_token_put_new(change, label, made->token[i]);
}

klm_rc km_made_put(struct km_call *call, struct st_change *change)
{
    struct made *made = call->work;

    for (size_t i = 0; i < made->n; i++) {
        KLM_TRY(put_one(call, change, made, i));
    }
    call->event.field[SMF_F_OBJECT] = made->object[0].uid;
    return KLM_OK;
}
