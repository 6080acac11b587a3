/* Data of 2.x that refers to the batch: an enumeration of the operation whose output it is, or a number of the answer so far (KMIP 2.1, 7.9 and 11.13). The bytes are put in the place of the request's
 * own before its operation looks at it. */
#include "kmip/ops/ops_int.h"

static const struct {
    uint32_t value, operation;
} refers[] = {
    {KMIP_Data_Decrypt, KMIP_Operation_Decrypt},
    {KMIP_Data_Encrypt, KMIP_Operation_Encrypt},
    {KMIP_Data_Hash, KMIP_Operation_Hash},
    {KMIP_Data_MACMACData, KMIP_Operation_MAC},
    {KMIP_Data_RNGRetrieve, KMIP_Operation_RNGRetrieve},
    {KMIP_Data_SignSignatureData, KMIP_Operation_Sign},
    {KMIP_Data_SignatureVerify, KMIP_Operation_SignatureVerify},
};

/* The output of an item that was carried out; false: it has none. */
static bool output_of(const struct kmop_item *item, struct klm_slice *out)
{
    const struct km_crypt *crypt;

    if (!item->answered) {
        return false;
    }
    switch (item->op->verb) {
    case KM_OBJECT_ENCRYPT:
    case KM_OBJECT_DECRYPT:
    case KM_OBJECT_SIGN:
    case KM_OBJECT_MAC:
    case KM_HASH:
        crypt = item->call->req;
        *out = crypt->out.data;
        return crypt->has_data;
    case KM_RANDOM_GET:
        *out = ((const struct km_random *)item->call->req)->data;
        return true;
    default:
        return false;
    }
}

/* As with identifiers (11.58), the most recent operation of the kind is meant. */
static bool by_operation(const struct kmop_item *item, int64_t value, struct klm_slice *out)
{
    uint32_t operation = 0;
    bool found = false;

    for (size_t i = 0; i < KLM_COUNT(refers); i++) {
        operation = refers[i].value == value ? refers[i].operation : operation;
    }
    for (const struct kmop_item *at = item->msg->item; operation && at < item; at++) {
        if (at->operation == operation) {
            found = output_of(at, out);
        }
    }
    return found;
}

/* "Zero based nth Data in the response. If negative the count is backwards from the beginning of the current operation's batch item." */
static bool by_number(const struct kmop_item *item, int64_t n, struct klm_slice *out)
{
    struct klm_slice output;
    int64_t all = 0;

    for (const struct kmop_item *at = item->msg->item; n < 0 && at < item; at++) {
        all += output_of(at, &output);
    }
    n += n < 0 ? all : 0;
    for (const struct kmop_item *at = item->msg->item; n >= 0 && at < item; at++) {
        if (output_of(at, &output) && n-- == 0) {
            *out = output;
            return true;
        }
    }
    return false;
}

klm_rc kmop_data_resolve(struct kmop_item *item)
{
    struct kmip_node *node = item->payload ? item->payload->first : NULL;
    struct klm_slice data = {NULL, 0};

    while (node && node->tag != KMIP_TAG_Data) {
        node = node->next;
    }
    if (!node || item->msg->version < KMIP_V(2, 0) ||
        (node->type != KMIP_ENUMERATION && node->type != KMIP_INTEGER)) {
        return KLM_OK;
    }
    if (!(node->type == KMIP_INTEGER ? by_number(item, node->number, &data)
                                     : by_operation(item, node->number, &data))) {
        return kmop_bad_field(item, KMIP_TAG_Data);
    }
    /* A reference costs a client nothing, what is made of it does: all of them are as much as one message may bring. */
    item->msg->referred += data.n;
    if (item->msg->referred > item->msg->req.config->bytes_max) {
        return kmop_fail(item, KLM_E_LIMIT, KLM_MSG_PARAM_LONG, "Data",
                         KLM_NUM(item->msg->req.config->bytes_max));
    }
    node->type = KMIP_BYTES;
    node->number = 0;
    node->bytes = data; /* of an earlier call, which lives as long as the message */
    return KLM_OK;
}
