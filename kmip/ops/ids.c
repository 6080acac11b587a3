/* Identifiers of 2.x that say what the batch made or found instead of naming it: an enumeration of the operation, or a number of the answer so far (KMIP 2.1, 4.58 and 11.58). They
 * are put in the place of the request's own before its operation looks at it, wherever they stand: Unique Identifier, Linked Object Identifier, the keys of wrapping. */
#include "kmip/ops/ops_int.h"

/* What an enumeration refers to; which: of a pair the private key (0) or the public one (1), or all that there are (-1). */
static const struct {
    uint32_t value, operation;
    int which;
} refers[] = {
    {KMIP_UniqueIdentifier_Certify, KMIP_Operation_Certify, -1},
    {KMIP_UniqueIdentifier_Create, KMIP_Operation_Create, -1},
    {KMIP_UniqueIdentifier_CreateKeyPair, KMIP_Operation_CreateKeyPair, -1},
    {KMIP_UniqueIdentifier_CreateKeyPairPrivateKey, KMIP_Operation_CreateKeyPair, 0},
    {KMIP_UniqueIdentifier_CreateKeyPairPublicKey, KMIP_Operation_CreateKeyPair, 1},
    {KMIP_UniqueIdentifier_CreateSplitKey, KMIP_Operation_CreateSplitKey, -1},
    {KMIP_UniqueIdentifier_DeriveKey, KMIP_Operation_DeriveKey, -1},
    {KMIP_UniqueIdentifier_Import, KMIP_Operation_Import, -1},
    {KMIP_UniqueIdentifier_JoinSplitKey, KMIP_Operation_JoinSplitKey, -1},
    {KMIP_UniqueIdentifier_Locate, KMIP_Operation_Locate, -1},
    {KMIP_UniqueIdentifier_Register, KMIP_Operation_Register, -1},
    {KMIP_UniqueIdentifier_ReKey, KMIP_Operation_ReKey, -1},
    {KMIP_UniqueIdentifier_ReCertify, KMIP_Operation_ReCertify, -1},
    {KMIP_UniqueIdentifier_ReKeyKeyPair, KMIP_Operation_ReKeyKeyPair, -1},
    {KMIP_UniqueIdentifier_ReKeyKeyPairPrivateKey, KMIP_Operation_ReKeyKeyPair, 0},
    {KMIP_UniqueIdentifier_ReKeyKeyPairPublicKey, KMIP_Operation_ReKeyKeyPair, 1},
};

/* The nth identifier in the answer of an item that was carried out; NULL: it has not so many. */
static const char *nth_of(const struct kmop_item *item, size_t n)
{
    const struct km_object_make *make;
    const struct km_locate *found;

    if (!item->answered) {
        return NULL;
    }
    switch (item->op->verb) {
    case KM_OBJECT_CREATE:
    case KM_OBJECT_REGISTER:
    case KM_OBJECT_REKEY:
    case KM_OBJECT_CERTIFY:
    case KM_OBJECT_RECERTIFY:
    case KM_OBJECT_DERIVE: /* its request begins as theirs */
        make = item->call->req;
        return n == 0 ? make->made[0] : NULL;
    case KM_OBJECT_PAIR:
    case KM_OBJECT_REKEY_PAIR:
        make = item->call->req;
        return n < KLM_COUNT(make->made) ? make->made[n] : NULL;
    case KM_OBJECT_LOCATE:
        found = item->call->req;
        return n < found->n ? found->uid[n] : NULL;
    default: /* what it was carried out on */
        return n == 0 ? item->object : NULL;
    }
}

/* How many it has. A payload may refer to answers thousands of times, and they may have thousands of identifiers: nobody counts those one by one. */
static size_t count_of(const struct kmop_item *item)
{
    if (item->answered && item->op->verb == KM_OBJECT_LOCATE) {
        return ((const struct km_locate *)item->call->req)->n;
    }
    return nth_of(item, 1) ? 2 : nth_of(item, 0) ? 1 : 0;
}

static klm_rc unnamed(struct kmop_item *item)
{
    return kmop_fail(item, KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNNAMED);
}

/* KMIP 2.1, 11.58: "If an operation appears multiple times in a request, it is the most recent that is referred to." Where that means several objects the operation would have to be
 * repeated for each, which is refused. */
static klm_rc by_operation(struct kmop_item *item, size_t row, const char **out)
{
    const struct kmop_message *msg = item->msg;
    const struct kmop_item *last = NULL;
    const char *name = kmip_value_name(KMIP_E_UniqueIdentifier, refers[row].value);
    const size_t which = refers[row].which > 0;

    for (const struct kmop_item *at = msg->item; at < item; at++) {
        last = at->operation == refers[row].operation ? at : last;
    }
    if (!last || !nth_of(last, which)) {
        return unnamed(item);
    }
    if (refers[row].which < 0 && nth_of(last, 1)) {
        return kmop_fail(item, KLM_E_UNSUPPORTED, KLM_MSG_KMIP_UIDS, name ? name : "");
    }
    *out = nth_of(last, which);
    return KLM_OK;
}

static klm_rc by_enumeration(struct kmop_item *item, const struct kmip_node *node, const char **out)
{
    if (node->number == KMIP_UniqueIdentifier_IDPlaceholder) {
        *out = item->msg->placeholder;
        return *out ? KLM_OK : unnamed(item);
    }
    for (size_t i = 0; i < KLM_COUNT(refers); i++) {
        if (refers[i].value == node->number) {
            return by_operation(item, i, out);
        }
    }
    return kmop_bad_field(item, node->tag);
}

/* "Zero based nth Unique Identifier in the response. If negative the count is backwards from the beginning of the current operation's batch item." */
static klm_rc by_number(struct kmop_item *item, int64_t n, const char **out)
{
    const struct kmop_message *msg = item->msg;
    int64_t all = 0;

    for (const struct kmop_item *at = msg->item; n < 0 && at < item; at++) {
        all += (int64_t)count_of(at);
    }
    n += n < 0 ? all : 0;
    for (const struct kmop_item *at = msg->item; n >= 0 && at < item; at++) {
        const int64_t has = (int64_t)count_of(at);

        if (n < has) {
            *out = nth_of(at, (size_t)n);
            return KLM_OK;
        }
        n -= has;
    }
    return unnamed(item);
}

static bool names_object(const struct kmip_node *node)
{
    const struct kmip_tag_row *row = kmip_tag(node->tag);

    return row && row->values == KMIP_E_UniqueIdentifier &&
           (node->type == KMIP_ENUMERATION || node->type == KMIP_INTEGER);
}

static klm_rc put_in_place(struct kmop_item *item, struct kmip_node *node)
{
    const char *uid = NULL, *copy;

    KLM_TRY(node->type == KMIP_INTEGER ? by_number(item, node->number, &uid)
                                       : by_enumeration(item, node, &uid));
    copy = klm_pool_str(item->msg->pool, uid);
    if (!copy) {
        return KLM_E_NOMEM;
    }
    node->type = KMIP_TEXT;
    node->number = 0;
    node->bytes = klm_slice_str(copy);
    return KLM_OK;
}

/* As deep as the decoder lets a message be. */
static klm_rc resolve_in(struct kmop_item *item, const struct kmip_node *in)
{
    for (struct kmip_node *node = in->first; node; node = node->next) {
        if (node->type == KMIP_STRUCTURE) {
            KLM_TRY(resolve_in(item, node));
        } else if (names_object(node)) {
            KLM_TRY(put_in_place(item, node));
        }
    }
    return KLM_OK;
}

klm_rc kmop_ids_resolve(struct kmop_item *item)
{
    return item->payload && item->msg->version >= KMIP_V(2, 0) ? resolve_in(item, item->payload)
                                                               : KLM_OK;
}
