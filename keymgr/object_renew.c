/* Re-key and Re-key Key Pair: a new key in the place of another (KMIP 1.4, 4.4 and 4.5; 2.1, 6.1.46 and 6.1.47). The old object keeps its key and its state; its names go to the new one, and links join both. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <string.h>

/* What the new object does not take over (2.1, tables 304 and 309); the server sets its own. */
static const uint32_t not_taken[] = {
    KMIP_TAG_InitialDate,
    KMIP_TAG_DestroyDate,
    KMIP_TAG_CompromiseDate,
    KMIP_TAG_CompromiseOccurrenceDate,
    KMIP_TAG_RevocationReason,
    KMIP_TAG_State,
    KMIP_TAG_Digest,
    KMIP_TAG_Link,
    KMIP_TAG_LastChangeDate,
    KMIP_TAG_RandomNumberGenerator,
    KMIP_TAG_ShortUniqueIdentifier,
    KMIP_TAG_OriginalCreationDate,
    KMIP_TAG_Fresh,
    KMIP_TAG_LeaseTime,
    KMIP_TAG_ArchiveDate,
    KMIP_TAG_KeyWrappingData,
    KMIP_TAG_KeyValuePresent,
    KMIP_TAG_KeyValueLocation,
    KMIP_TAG_KeyFormatType,
    KMIP_TAG_CertificateLength,
    KMIP_TAG_RotateDate,
    KMIP_TAG_RotateGeneration,
    KMIP_TAG_RotateLatest,
};

static const uint32_t dates[] = {KMIP_TAG_ActivationDate, KMIP_TAG_ProcessStartDate,
                                 KMIP_TAG_ProtectStopDate, KMIP_TAG_DeactivationDate};

static bool taken(uint32_t tag)
{
    for (size_t i = 0; i < KLM_COUNT(not_taken); i++) {
        if (not_taken[i] == tag) {
            return false;
        }
    }
    return true;
}

/* KMIP 1.4, 4.4: an offset moves all dates with the activation; without one they are copied. Offset and dates together are refused. */
static klm_rc check_offset(struct km_call *call, const struct md_object *old,
                           const struct md_attrs *given)
{
    const struct km_object_make *req = call->req;
    bool later = false;

    if (!req->has_offset) {
        return KLM_OK;
    }
    for (size_t i = 0; i < KLM_COUNT(dates); i++) {
        if (md_attr_find(given, dates[i])) {
            return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_RENEW_OFFSET, old->uid);
        }
        later = later || (i > 0 && md_attr_find(&old->attrs, dates[i]));
    }
    return later && !md_attr_find(&old->attrs, KMIP_TAG_ActivationDate)
               ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_RENEW_NO_DATE, old->uid)
               : KLM_OK;
}

static klm_rc no_such_date(struct km_call *call, uint32_t tag)
{
    return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ATTR_VALUE, kmip_attr(tag)->name);
}

/* The date of the new object is as far behind its activation as that of the old one is. Clients may have set dates at either end of time. */
static klm_rc move_date(struct km_call *call, uint32_t tag, int64_t after, int64_t active,
                        struct md_attrs *to)
{
    int64_t moved;

    return __builtin_add_overflow(active, after, &moved) ? no_such_date(call, tag)
                                                         : md_attr_set_number(to, tag, moved);
}

static klm_rc move_dates(struct km_call *call, const struct md_object *old, struct md_attrs *to)
{
    const struct km_object_make *req = call->req;
    const int64_t first = md_attr_number(&old->attrs, KMIP_TAG_ActivationDate, INT64_MIN);
    int64_t active, after;

    if (!req->has_offset) {
        return KLM_OK;
    }
    if (__builtin_add_overflow(km_call_seconds(call), req->offset, &active)) {
        return no_such_date(call, KMIP_TAG_ActivationDate);
    }
    KLM_TRY(md_attr_set_number(to, KMIP_TAG_ActivationDate, active));
    for (size_t i = 1; i < KLM_COUNT(dates); i++) {
        const int64_t date = md_attr_number(&old->attrs, dates[i], INT64_MIN);

        if (date == INT64_MIN || first == INT64_MIN) {
            continue;
        }
        if (__builtin_sub_overflow(date, first, &after)) {
            return no_such_date(call, dates[i]);
        }
        KLM_TRY(move_date(call, dates[i], after, active, to));
    }
    return KLM_OK;
}

/* A part of Usage Limits is used up; the new key begins with the whole. */
static klm_rc whole_limits(struct km_call *call, struct md_attrs *to)
{
    const struct md_attr *attr = md_attr_find(to, KMIP_TAG_UsageLimits);
    const struct kmip_node *total =
        attr ? kmip_child(attr->value, KMIP_TAG_UsageLimitsTotal) : NULL;
    struct kmip_node *copy = NULL;

    if (!total) {
        return KLM_OK;
    }
    KLM_TRY(md_item_copy(attr->value, call->pool, &copy));
    for (struct kmip_node *child = copy->first; child; child = child->next) {
        if (child->tag == KMIP_TAG_UsageLimitsCount) {
            child->number = total->number;
        }
    }
    copy->next = NULL;
    return md_attr_set(to, copy);
}

/* KMIP 2.1, 4.49, 4.50 and 4.52: when it was renewed, how often that was done to get here, and that nothing is newer. */
static klm_rc set_rotation(struct km_call *call, const struct md_object *old, struct md_attrs *to)
{
    const int64_t before = md_attr_number(&old->attrs, KMIP_TAG_RotateGeneration, 0);

    KLM_TRY(md_attr_set_number(to, KMIP_TAG_RotateDate, km_call_seconds(call)));
    KLM_TRY(md_attr_set_number(to, KMIP_TAG_RotateGeneration,
                               before < INT32_MAX ? before + 1 : before));
    return md_attr_set_number(to, KMIP_TAG_RotateLatest, true);
}

klm_rc km_object_inherit(struct km_call *call, const struct md_object *old, struct md_attrs *own)
{
    struct md_attrs all;

    KLM_TRY(check_offset(call, old, own));
    md_attrs_init(&all, call->pool);
    for (size_t i = 0; i < old->attrs.n; i++) {
        const struct md_attr *attr = &old->attrs.at[i];

        /* Names are all kept, the old ones first; of other attributes, what is given counts. */
        if (taken(attr->tag) && (attr->tag == KMIP_TAG_Name || !md_attr_like(own, attr->value))) {
            KLM_TRY(md_attr_add(&all, attr->value));
        }
    }
    for (size_t i = 0; i < own->n; i++) {
        if (!md_attr_equal(&all, own->at[i].value)) {
            KLM_TRY(md_attr_add(&all, own->at[i].value));
        }
    }
    *own = all;
    KLM_TRY(move_dates(call, old, own));
    KLM_TRY(km_dates_check(call, own)); /* those given with those taken over */
    KLM_TRY(set_rotation(call, old, own));
    return whole_limits(call, own);
}

static klm_rc find(struct km_call *call, struct st_view *view, const char *uid, uint32_t type,
                   struct md_object *out)
{
    KLM_TRY(km_object_find(call, view, uid, out));
    if (out->type != type) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_RENEW_TYPE, out->uid);
    }
    KLM_TRY(km_object_usable(call, out));
    return md_attr_number(&out->attrs, KMIP_TAG_KeyValuePresent, 1)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_KEY_VALUE_ABSENT, out->uid);
}

/* All that the old object has now: it may have got one since the new one was made of it. */
static klm_rc hand_names_over(const struct md_object *old, struct md_object *to)
{
    for (const struct md_attr *name = md_attr_find(&old->attrs, KMIP_TAG_Name); name;
         name = md_attr_next(&old->attrs, name)) {
        if (!md_attr_equal(&to->attrs, name->value)) {
            KLM_TRY(md_attr_add(&to->attrs, name->value));
        }
    }
    return KLM_OK;
}

/* KMIP 2.1, 6.1.46: "Re-key SHOULD only be performed once on a given key", as its names went with the first. When what replaced it is destroyed there is nothing else to go on from. */
static bool is_replaced(struct km_call *call, struct st_view *view, const struct md_object *old)
{
    const char *by = km_link_find(old, call->pool, KMIP_LinkType_ReplacementObjectLink);
    struct md_object other;
    uint32_t state;
    klm_rc rc;

    if (!by) {
        return false;
    }
    rc = md_object_get(view, by, call->pool, &other);
    if (rc != KLM_OK) {
        return rc != KLM_E_NOTFOUND; /* damaged: it may come back */
    }
    state = md_object_state(&other, klm_clock());
    return state != KMIP_State_Destroyed && state != KMIP_State_DestroyedCompromised;
}

klm_rc km_object_replace(struct km_call *call, struct st_change *change, const char *uid,
                         struct md_object *by)
{
    struct md_object old;

    KLM_TRY(km_object_find(call, st_change_view(change), uid, &old));
    KLM_TRY(km_object_usable(call, &old)); /* it may have been destroyed meanwhile */
    if (is_replaced(call, st_change_view(change), &old)) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_RENEW_TWICE, uid);
    }
    KLM_TRY(hand_names_over(&old, by));
    md_attr_remove_all(&old.attrs, KMIP_TAG_Name);
    KLM_TRY(md_attr_set_number(&old.attrs, KMIP_TAG_RotateLatest, false)); /* KMIP 2.1, 4.52 */
    KLM_TRY(km_link_set(&old, call->pool, KMIP_LinkType_ReplacementObjectLink, by->uid));
    return km_object_change(call, change, &old);
}

static klm_rc number_of(struct km_call *call, const struct md_attrs *attrs, uint32_t tag,
                        uint32_t *out)
{
    const int64_t n = md_attr_number(attrs, tag, -1);

    if (n <= 0 || n > UINT32_MAX) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, kmip_attr(tag)->name);
    }
    *out = (uint32_t)n;
    return KLM_OK;
}

klm_rc km_object_rekey_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct kr_material *material = NULL;
    struct md_object old;
    struct st_view *view;
    uint32_t algorithm, bits;
    klm_rc rc;

    KLM_TRY(km_view(call, &view));
    KLM_TRY(find(call, view, req->uid, KMIP_ObjectType_SymmetricKey, &old));
    KLM_TRY(km_templates_add(call, req->templates, &req->attrs));
    KLM_TRY(km_attrs_check(call, &req->attrs, KMIP_ObjectType_SymmetricKey));
    KLM_TRY(km_object_inherit(call, &old, &req->attrs));
    KLM_TRY(number_of(call, &req->attrs, KMIP_TAG_CryptographicAlgorithm, &algorithm));
    KLM_TRY(number_of(call, &req->attrs, KMIP_TAG_CryptographicLength, &bits));
    rc = kr_material_generate(algorithm, bits, &material);
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_RENEW_TYPE, old.uid);
    }
    rc = km_format_made(call, req->version, &req->attrs, &material);
    if (rc == KLM_OK) {
        rc = km_made(call, KMIP_ObjectType_SymmetricKey, &req->attrs, material, 0);
    }
    kr_material_free(&material);
    KLM_TRY(rc);
    return km_link_set(km_made_object(call, 0), call->pool, KMIP_LinkType_ReplacedObjectLink,
                       old.uid);
}

klm_rc km_object_rekey_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_make *req = call->req;

    KLM_TRY(km_object_replace(call, change, req->uid, km_made_object(call, 0)));
    return km_made_put(call, change);
}

/* ---- Pairs: the private key is named, its link leads to the public one. */

struct old_pair {
    struct md_object private_key, public_key;
};

static klm_rc find_pair(struct km_call *call, struct st_view *view, struct old_pair *old)
{
    const struct km_object_make *req = call->req;
    const char *other;

    KLM_TRY(find(call, view, req->uid, KMIP_ObjectType_PrivateKey, &old->private_key));
    other = km_link_find(&old->private_key, call->pool, KMIP_LinkType_PublicKeyLink);
    if (!other) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_RENEW_TYPE, old->private_key.uid);
    }
    return find(call, view, other, KMIP_ObjectType_PublicKey, &old->public_key);
}

klm_rc km_object_rekey_pair_prepare(struct km_call *call)
{
    struct km_object_make *req = call->req;
    struct old_pair old;
    struct st_view *view;

    KLM_TRY(km_view(call, &view));
    KLM_TRY(find_pair(call, view, &old));
    KLM_TRY(km_templates_add(call, req->templates, &req->attrs));
    KLM_TRY(km_templates_add(call, req->private_templates, &req->private_attrs));
    KLM_TRY(km_templates_add(call, req->public_templates, &req->public_attrs));
    KLM_TRY(km_attrs_merge(&req->private_attrs, &req->attrs));
    KLM_TRY(km_attrs_merge(&req->public_attrs, &req->attrs));
    KLM_TRY(km_attrs_check(call, &req->private_attrs, KMIP_ObjectType_PrivateKey));
    KLM_TRY(km_attrs_check(call, &req->public_attrs, KMIP_ObjectType_PublicKey));
    KLM_TRY(km_object_inherit(call, &old.private_key, &req->private_attrs));
    KLM_TRY(km_object_inherit(call, &old.public_key, &req->public_attrs));
    KLM_TRY(km_pair_made(call));
    KLM_TRY(km_link_set(km_made_object(call, 0), call->pool, KMIP_LinkType_ReplacedObjectLink,
                        old.private_key.uid));
    return km_link_set(km_made_object(call, 1), call->pool, KMIP_LinkType_ReplacedObjectLink,
                       old.public_key.uid);
}

klm_rc km_object_rekey_pair_apply(struct km_call *call, struct st_change *change)
{
    struct old_pair old;

    KLM_TRY(find_pair(call, st_change_view(change), &old));
    KLM_TRY(km_object_replace(call, change, old.private_key.uid, km_made_object(call, 0)));
    KLM_TRY(km_object_replace(call, change, old.public_key.uid, km_made_object(call, 1)));
    return km_made_put(call, change);
}
