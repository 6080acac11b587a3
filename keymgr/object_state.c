/* Activate, Revoke, Destroy, Archive and Recover. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

klm_rc km_object_state_prepare(struct km_call *call)
{
    (void)km_call_seconds(call);
    return KLM_OK;
}

klm_rc km_object_activate_apply(struct km_call *call, struct st_change *change)
{
    const struct km_object_state *req = call->req;
    const int64_t now = km_call_seconds(call);
    struct md_object object;

    KLM_TRY(km_object_find(call, st_change_view(change), req->uid, &object));
    if (md_object_state(&object, call->event.time) != KMIP_State_PreActive) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_OBJECT_STATE, object.uid, "Pre-Active");
    }
    KLM_TRY(md_attr_set_number(&object.attrs, KMIP_TAG_State, KMIP_State_Active));
    KLM_TRY(md_attr_set_number(&object.attrs, KMIP_TAG_ActivationDate, now));
    return km_object_change(call, change, &object);
}

klm_rc km_object_revoke_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_destroy_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_archive_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}

klm_rc km_object_recover_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    (void)change;
    return KLM_E_UNSUPPORTED;
}
