/* Activate, Revoke, Destroy, Archive and Recover: an object's way through its states (KMIP 1.4, 3.22 and 4.19 to 4.23; 2.1, 4.57 and 6.1). */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_state_prepare(struct km_call *call)
{
    (void)km_call_seconds(call);
    return KLM_OK;
}

static klm_rc find(struct km_call *call, struct st_change *change, struct md_object *object,
                   uint32_t *state)
{
    const struct km_object_state *req = call->req;

    KLM_TRY(km_object_find(call, st_change_view(change), req->uid, object));
    *state = md_object_state(object, call->event.time);
    return KLM_OK;
}

static klm_rc move(struct km_call *call, struct md_object *object, uint32_t state, uint32_t date)
{
    KLM_TRY(md_attr_set_number(&object->attrs, KMIP_TAG_State, state));
    return md_attr_set_number(&object->attrs, date, km_call_seconds(call));
}

static klm_rc no_state(struct km_call *call, const struct md_object *object)
{
    return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_OBJECT_TYPE, KLM_NUM(object->type));
}

klm_rc km_object_activate_apply(struct km_call *call, struct st_change *change)
{
    struct md_object object;
    uint32_t state;

    KLM_TRY(find(call, change, &object, &state));
    if (!state) {
        return no_state(call, &object);
    }
    if (state != KMIP_State_PreActive) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_STATE, object.uid, "Pre-Active");
    }
    KLM_TRY(move(call, &object, KMIP_State_Active, KMIP_TAG_ActivationDate));
    return km_object_change(call, change, &object);
}

/* ---- Revoke */

static klm_rc set_reason(struct km_call *call, struct md_object *object)
{
    const struct km_object_state *req = call->req;
    struct kmip_node *reason = kmip_root(call->pool, KMIP_TAG_RevocationReason);

    if (!kmip_put_number(call->pool, reason, KMIP_TAG_RevocationReasonCode, KMIP_ENUMERATION,
                         req->reason)) {
        return KLM_E_NOMEM;
    }
    if (req->message) {
        kmip_put_bytes(call->pool, reason, KMIP_TAG_RevocationMessage, KMIP_TEXT,
                       klm_slice_str(req->message));
    }
    return md_attr_set(&object->attrs, reason);
}

/* A compromise is possible in every state, and a destroyed object remembers it. */
static klm_rc compromise(struct km_call *call, struct md_object *object, uint32_t state)
{
    const struct km_object_state *req = call->req;
    const int64_t initial =
        md_attr_number(&object->attrs, KMIP_TAG_InitialDate, km_call_seconds(call));
    const bool destroyed =
        state == KMIP_State_Destroyed || state == KMIP_State_DestroyedCompromised;

    KLM_TRY(move(call, object, destroyed ? KMIP_State_DestroyedCompromised : KMIP_State_Compromised,
                 KMIP_TAG_CompromiseDate));
    return md_attr_set_number(&object->attrs, KMIP_TAG_CompromiseOccurrenceDate,
                              req->has_date ? req->date : initial);
}

static bool compromised(uint32_t reason)
{
    return reason == KMIP_RevocationReasonCode_KeyCompromise ||
           reason == KMIP_RevocationReasonCode_CACompromise;
}

static klm_rc deactivate(struct km_call *call, struct md_object *object, uint32_t state)
{
    const struct km_object_state *req = call->req;

    if (state != KMIP_State_Active) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_STATE, object->uid, "Active");
    }
    if (req->has_date) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, "CompromiseOccurrenceDate");
    }
    return move(call, object, KMIP_State_Deactivated, KMIP_TAG_DeactivationDate);
}

klm_rc km_object_revoke_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_state *req = call->req;
    struct md_object object;
    uint32_t state;

    KLM_TRY(find(call, change, &object, &state));
    if (!state) {
        return no_state(call, &object);
    }
    if (!kmip_value_name(KMIP_E_RevocationReasonCode, req->reason)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KMIP_FIELD, "RevocationReasonCode");
    }
    KLM_TRY(compromised(req->reason) ? compromise(call, &object, state)
                                     : deactivate(call, &object, state));
    KLM_TRY(set_reason(call, &object));
    return km_object_change(call, change, &object);
}

/* ---- Destroy: the material goes, the record stays (KMIP 1.4, 4.21; 2.1, 6.1.15). A template is nothing but its record. */

static klm_rc may_destroy(struct km_call *call, const struct md_object *object, uint32_t state)
{
    if (call->actor.kind == KM_ACTOR_CLIENT && !call->actor.may_destroy) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_DESTROY_OFF, object->group);
    }
    if (state == KMIP_State_Destroyed || state == KMIP_State_DestroyedCompromised) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_DESTROYED, object->uid);
    }
    if (state == KMIP_State_Active) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_ACTIVE, object->uid);
    }
    return KLM_OK;
}

static klm_rc drop_material(struct st_change *change, const struct md_object *object)
{
    char label[KR_TOKEN_LABEL_MAX + 1];
    klm_rc rc;

    md_material_label(object->uid, label);
    rc = kr_token_delete(change, label);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc; /* registered without */
}

klm_rc km_object_destroy_apply(struct km_call *call, struct st_change *change)
{
    struct md_object object;
    uint32_t state;

    KLM_TRY(find(call, change, &object, &state));
    KLM_TRY(may_destroy(call, &object, state));
    if (object.type == KMIP_ObjectType_Template) {
        return md_object_delete(change, object.uid);
    }
    KLM_TRY(drop_material(change, &object));
    KLM_TRY(move(call, &object,
                 state == KMIP_State_Compromised ? KMIP_State_DestroyedCompromised
                                                 : KMIP_State_Destroyed,
                 KMIP_TAG_DestroyDate));
    return km_object_change(call, change, &object);
}

/* ---- Archive and Recover (KMIP 2.1, 6.1.4 and 6.1.42; 1.4, 4.22 and 4.23). The archive is the store itself: an object in it is there to be recovered, and for nothing else. */

klm_rc km_object_archive_apply(struct km_call *call, struct st_change *change)
{
    const int64_t now = km_call_seconds(call);
    struct md_object object;
    uint32_t state;

    KLM_TRY(find(call, change, &object, &state));
    object.archived = true;
    KLM_TRY(md_attr_set_number(&object.attrs, KMIP_TAG_ArchiveDate, now));
    return km_object_change(call, change, &object);
}

/* KMIP 2.1, 4.5: the server SHALL delete the Archive Date whenever a Recover operation is performed. An object that is not archived stays as it is. */
klm_rc km_object_recover_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_state *req = call->req;
    struct md_object object;

    KLM_TRY(km_object_find_any(call, st_change_view(change), req->uid, &object));
    if (!object.archived) {
        return KLM_OK;
    }
    object.archived = false;
    md_attr_remove_all(&object.attrs, KMIP_TAG_ArchiveDate);
    return km_object_change(call, change, &object);
}
