/* Activate, Revoke, Destroy, Archive, Recover (KMIP 1.4, 4.19 to 4.23; 2.1, 6.1). */
#include "kmip/ops/ops_int.h"

klm_rc kmop_activate_fill(struct kmop_item *item)
{
    struct km_object_state *req = item->call->req;

    req->version = item->msg->version;
    return kmop_object(item, &req->uid);
}

klm_rc kmop_destroy_fill(struct kmop_item *item)
{
    return kmop_activate_fill(item);
}

klm_rc kmop_state_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_state *req = item->call->req;

    return kmop_put_uid(item, payload, req->uid);
}
