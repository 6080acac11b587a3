/* Interop (KMIP 2.1, 6.1.26): a test says that it begins or ends. */
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

klm_rc kmop_interop_answer(struct kmop_item *item, struct kmip_node *payload)
{
    (void)item;
    (void)payload;
    return KLM_OK;
}
