/* Activate, Revoke, Destroy (KMIP 1.4, 4.19 to 4.21; 2.1, 6.1). */
#include "kmip/ops/ops_int.h"

klm_rc kmop_state_fill(struct kmop_item *item)
{
    struct km_object_state *req = item->call->req;

    req->version = item->msg->version;
    return kmop_object(item, &req->uid);
}

klm_rc kmop_revoke_fill(struct kmop_item *item)
{
    struct km_object_state *req = item->call->req;
    const struct kmip_node *reason = NULL;

    KLM_TRY(kmop_state_fill(item));
    KLM_TRY(kmop_part(item, item->payload, KMIP_TAG_RevocationReason, &reason));
    if (!reason) {
        return kmop_bad_field(item, KMIP_TAG_RevocationReason);
    }
    KLM_TRY(kmop_enum(item, reason, KMIP_TAG_RevocationReasonCode, &req->reason));
    KLM_TRY(kmop_text(item, reason, KMIP_TAG_RevocationMessage, &req->message));
    req->has_date = kmip_child(item->payload, KMIP_TAG_CompromiseOccurrenceDate) != NULL;
    return kmop_number(item, item->payload, KMIP_TAG_CompromiseOccurrenceDate, &req->date);
}

klm_rc kmop_state_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_state *req = item->call->req;

    return kmop_put_uid(item, payload, req->uid);
}
