/* Query (KMIP 1.4, 4.25; 2.1, 6.1.36): what is here, and nothing that is not. */
#include "kmip/ops/ops_int.h"

klm_rc kmop_query_fill(struct kmop_item *item)
{
    ((struct km_kmip_query *)item->call->req)->version = item->msg->version;
    return KLM_OK;
}

static bool asked(const struct kmop_item *item, uint32_t function)
{
    for (const struct kmip_node *in = kmip_child(item->payload, KMIP_TAG_QueryFunction); in;
         in = kmip_next(in)) {
        if (in->type == KMIP_ENUMERATION && in->number == function) {
            return true;
        }
    }
    return false;
}

static void put_operations(struct kmop_item *item, struct kmip_node *payload)
{
    size_t n;
    const struct kmop_op *op = kmop_ops(&n);

    for (size_t i = 0; i < n; i++) {
        if (kmip_value_known(KMIP_E_Operation, op[i].operation, item->msg->version)) {
            kmip_put_number(item->msg->pool, payload, KMIP_TAG_Operation, KMIP_ENUMERATION,
                            op[i].operation);
        }
    }
}

klm_rc kmop_query_answer(struct kmop_item *item, struct kmip_node *payload)
{
    if (asked(item, KMIP_QueryFunction_QueryOperations)) {
        put_operations(item, payload);
    }
    return KLM_OK;
}
