/* Check, Obtain Lease, Get Usage Allocation: may a client use an object so, so long, so much (KMIP 2.1, 6.1.7, 6.1.35 and 6.1.23; 1.4, 4.10, 4.17 and 4.18)? */
#include "keymgr/internal.h"
#include "keymgr/object.h"

#include <inttypes.h>

/* Uses that apply protection; the others process what is protected, which is never limited (KMIP 2.1, 4.59). */
#define PROTECTS                                                                                   \
    (KMIP_CryptographicUsageMask_Sign | KMIP_CryptographicUsageMask_Encrypt |                      \
     KMIP_CryptographicUsageMask_WrapKey | KMIP_CryptographicUsageMask_MACGenerate |               \
     KMIP_CryptographicUsageMask_DeriveKey | KMIP_CryptographicUsageMask_ContentCommitment |       \
     KMIP_CryptographicUsageMask_KeyAgreement | KMIP_CryptographicUsageMask_CertificateSign |      \
     KMIP_CryptographicUsageMask_CRLSign)

int64_t km_lease_seconds(const struct km_call *call)
{
    return parm_num(call->state->config, PARM_kmip_lease_time);
}

/* What is left of the usage limits; -1: there are none. */
static int64_t units_left(const struct md_object *object)
{
    const struct md_attr *limits = md_attr_find(&object->attrs, KMIP_TAG_UsageLimits);
    const struct kmip_node *left =
        limits ? kmip_child(limits->value, KMIP_TAG_UsageLimitsCount) : NULL;

    return left ? left->number : -1;
}

static bool is_destroyed(uint32_t state)
{
    return state == KMIP_State_Destroyed || state == KMIP_State_DestroyedCompromised;
}

/* ---- Check: the first thing that does not fit makes the outcome. */

static klm_rc check_mask(struct km_call *call, const struct md_object *object)
{
    const struct km_object_check *req = call->req;
    const uint32_t has =
        (uint32_t)md_attr_number(&object->attrs, KMIP_TAG_CryptographicUsageMask, 0);
    const uint32_t lacks = req->has_mask ? req->mask & ~has : 0;

    return lacks ? KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CHECK_MASK, object->uid,
                             klm_pool_printf(call->pool, "X'%08" PRIX32 "'", lacks))
                 : KLM_OK;
}

static klm_rc check_count(struct km_call *call, const struct md_object *object)
{
    const struct km_object_check *req = call->req;
    const int64_t left = units_left(object);

    if (req->count < 0 || left < 0 || req->count <= left) {
        return KLM_OK;
    }
    return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_USAGE_LEFT, object->uid, KLM_NUM(left),
                     KLM_NUM(req->count));
}

static klm_rc check_lease(struct km_call *call, const struct md_object *object)
{
    const struct km_object_check *req = call->req;
    const int64_t most = km_lease_seconds(call);

    if (req->lease < 0 || most == 0 || req->lease <= most) {
        return KLM_OK;
    }
    return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_LEASE_LONG, object->uid, KLM_NUM(most));
}

klm_rc km_object_check_prepare(struct km_call *call)
{
    const struct km_object_check *req = call->req;
    struct md_object object;
    struct st_view *view;

    KLM_TRY(km_view(call, &view));
    KLM_TRY(km_object_find(call, view, req->uid, &object));
    (void)km_call_seconds(call);
    if (!(KMIP_FOR_CRYPTOGRAPHIC & KMIP_FOR(object.type))) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_CHECK_UNFIT, object.uid);
    }
    if (is_destroyed(md_object_state(&object, call->event.time))) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_DESTROYED, object.uid);
    }
    KLM_TRY(check_mask(call, &object));
    KLM_TRY(check_count(call, &object));
    return check_lease(call, &object);
}

/* ---- Obtain Lease. A time of 0 says that there is no limit, and nothing is noted. */

static klm_rc may_lease(struct km_call *call, const struct md_object *object)
{
    const uint32_t state = md_object_state(object, call->event.time);

    return state == KMIP_State_Compromised || is_destroyed(state)
               ? KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_LEASE_REFUSED, object->uid,
                           kmip_value_name(KMIP_E_State, state))
               : KLM_OK;
}

static klm_rc lease(struct km_call *call, struct st_view *view, struct md_object *object)
{
    struct km_object_check *req = call->req;

    KLM_TRY(km_object_find(call, view, req->uid, object));
    KLM_TRY(may_lease(call, object));
    req->lease_time = km_lease_seconds(call);
    req->last_change = md_attr_number(&object->attrs, KMIP_TAG_LastChangeDate, 0);
    object->lease = km_call_seconds(call) + req->lease_time;
    return KLM_OK;
}

klm_rc km_object_lease_prepare(struct km_call *call)
{
    struct md_object object;
    struct st_view *view;

    (void)km_call_seconds(call);
    if (km_lease_seconds(call) > 0) {
        return KLM_OK;
    }
    call->no_apply = true;
    KLM_TRY(km_view(call, &view));
    return lease(call, view, &object);
}

/* A lease is no change of the object that clients would have to hear of: its Last Change Date stays (KMIP 2.1, 4.29). */
klm_rc km_object_lease_apply(struct km_call *call, struct st_change *change)
{
    struct md_object object;

    KLM_TRY(lease(call, st_change_view(change), &object));
    return md_object_put(change, &object);
}

/* ---- Get Usage Allocation */

static klm_rc may_protect(struct km_call *call, const struct md_object *object)
{
    const int64_t stop = md_attr_number(&object->attrs, KMIP_TAG_ProtectStopDate, INT64_MAX);

    if (!(KMIP_FOR_KEYS & KMIP_FOR(object->type)) ||
        !(md_attr_number(&object->attrs, KMIP_TAG_CryptographicUsageMask, 0) & PROTECTS)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_USAGE_UNFIT, object->uid);
    }
    if (md_object_state(object, call->event.time) != KMIP_State_Active ||
        stop <= km_call_seconds(call)) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_USAGE_TIME, object->uid);
    }
    return KLM_OK;
}

static klm_rc set_left(struct km_call *call, struct md_object *object, int64_t left)
{
    struct md_attr *limits = md_attr_find(&object->attrs, KMIP_TAG_UsageLimits);
    struct kmip_node *value = NULL;

    KLM_TRY(md_item_copy(limits->value, call->pool, &value));
    for (struct kmip_node *field = value->first; field; field = field->next) {
        if (field->tag == KMIP_TAG_UsageLimitsCount) {
            field->number = left;
        }
    }
    return md_attr_replace(&object->attrs, limits, value);
}

klm_rc km_object_allocate_prepare(struct km_call *call)
{
    (void)km_call_seconds(call);
    return KLM_OK;
}

klm_rc km_object_allocate_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_check *req = call->req;
    struct md_object object;
    int64_t left;

    KLM_TRY(km_object_find(call, st_change_view(change), req->uid, &object));
    left = units_left(&object);
    if (left < 0) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_USAGE_NONE, object.uid);
    }
    KLM_TRY(may_protect(call, &object));
    if (req->count > left) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_USAGE_LEFT, object.uid, KLM_NUM(left),
                         KLM_NUM(req->count));
    }
    KLM_TRY(set_left(call, &object, left - req->count));
    object.allocated = true;
    return km_object_change(call, change, &object);
}
