/* Operations whose answer is that they were carried out: Interop (KMIP 2.1, 6.1.26), by which a test says that it begins or ends, Log (6.1.29), and Ping (6.1.36). */
#include "kmip/ops/ops_int.h"

klm_rc kmop_interop_fill(struct kmop_item *item)
{
    struct km_kmip_query *req = item->call->req;
    const char *identifier = NULL;
    uint32_t function = 0;

    req->version = item->msg->version;
    if (!km_interop(item->call)) {
        return KLM_OK; /* the verb says so, whatever the payload is */
    }
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_InteropFunction, &function));
    KLM_TRY(kmop_text(item, item->payload, KMIP_TAG_InteropIdentifier, &identifier));
    if (!kmip_value_name(KMIP_E_InteropFunction, function)) {
        return kmop_bad_field(item, KMIP_TAG_InteropFunction);
    }
    return identifier ? KLM_OK : kmop_bad_field(item, KMIP_TAG_InteropIdentifier);
}

klm_rc kmop_log_fill(struct kmop_item *item)
{
    struct km_kmip_log *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_text(item, item->payload, KMIP_TAG_LogMessage, &req->message));
    return req->message ? KLM_OK : kmop_missing(item, KMIP_TAG_LogMessage);
}

klm_rc kmop_nothing_answer(struct kmop_item *item, struct kmip_node *payload)
{
    (void)item;
    (void)payload;
    return KLM_OK;
}
