/* Check, Obtain Lease, Get Usage Allocation (KMIP 1.4, 4.10, 4.17 and 4.18; 2.1, 6.1.7, 6.1.35 and 6.1.23). */
#include "kmip/ops/ops_int.h"

static klm_rc begin(struct kmop_item *item)
{
    struct km_object_check *req = item->call->req;

    req->version = item->msg->version;
    req->count = req->lease = -1;
    return kmop_object(item, &req->uid);
}

/* A number that is given and not negative, or left at -1. */
static klm_rc count(struct kmop_item *item, uint32_t tag, int64_t *out)
{
    if (!kmip_child(item->payload, tag)) {
        return KLM_OK;
    }
    KLM_TRY(kmop_number(item, item->payload, tag, out));
    return *out < 0 ? kmop_bad_field(item, tag) : KLM_OK;
}

klm_rc kmop_check_fill(struct kmop_item *item)
{
    struct km_object_check *req = item->call->req;
    int64_t mask = 0;

    KLM_TRY(begin(item));
    KLM_TRY(count(item, KMIP_TAG_UsageLimitsCount, &req->count));
    KLM_TRY(count(item, KMIP_TAG_LeaseTime, &req->lease));
    KLM_TRY(kmop_number(item, item->payload, KMIP_TAG_CryptographicUsageMask, &mask));
    req->has_mask = kmip_child(item->payload, KMIP_TAG_CryptographicUsageMask) != NULL;
    req->mask = (uint32_t)mask;
    /* KMIP 2.1, 6.1.7: when the client is not allowed to use the object, the server empties the ID Placeholder */
    item->placeholder = item->msg->placeholder;
    item->msg->placeholder = NULL;
    return KLM_OK;
}

/* Also when it is not allowed the fields say nothing here: a failed item has no payload (KMIP 1.4, 7.2), its message names what does not fit. */
klm_rc kmop_check_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_check *req = item->call->req;

    return kmop_put_uid(item, payload, req->uid);
}

klm_rc kmop_lease_fill(struct kmop_item *item)
{
    return begin(item);
}

klm_rc kmop_lease_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_check *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->uid));
    kmip_put_number(item->msg->pool, payload, KMIP_TAG_LeaseTime, KMIP_INTERVAL, req->lease_time);
    return kmip_put_number(item->msg->pool, payload, KMIP_TAG_LastChangeDate, KMIP_DATE_TIME,
                           req->last_change)
               ? KLM_OK
               : KLM_E_NOMEM;
}

klm_rc kmop_allocate_fill(struct kmop_item *item)
{
    struct km_object_check *req = item->call->req;

    KLM_TRY(begin(item));
    KLM_TRY(count(item, KMIP_TAG_UsageLimitsCount, &req->count));
    return req->count < 0 ? kmop_missing(item, KMIP_TAG_UsageLimitsCount) : KLM_OK;
}
