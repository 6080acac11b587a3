/* Locate (KMIP 1.4, 4.9; 2.1, 6.1.28). */
#include "kmip/ops/ops_int.h"

#define UID_BYTES 48 /* of an identifier in an answer */

static klm_rc add_filter(struct kmop_item *item, const struct kmip_node *in,
                         const struct kmip_node **filter)
{
    struct km_locate *req = item->call->req;
    const struct kmip_node *value = NULL;
    int64_t index; /* KMIP 1.4, 4.9: provided Attribute Index values SHALL be ignored */

    if (req->what.filters == MD_FILTERS_MAX) {
        return kmop_bad_field(item, KMIP_TAG_Attribute);
    }
    KLM_TRY(kmop_attr_in(item, in, &value, &index));
    filter[req->what.filters++] = value;
    return KLM_OK;
}

static klm_rc add_filters(struct kmop_item *item, const struct kmip_node *in,
                          const struct kmip_node **filter)
{
    if (in && in->type != KMIP_STRUCTURE) {
        return kmop_bad_field(item, in->tag);
    }
    for (const struct kmip_node *child = in ? in->first : NULL; child; child = child->next) {
        KLM_TRY(add_filter(item, child, filter));
    }
    return KLM_OK;
}

/* 1.x has them in the payload itself; some clients put them into a Template-Attribute. */
static klm_rc filters1(struct kmop_item *item, const struct kmip_node **filter)
{
    const struct kmip_node *in = kmip_child(item->payload, KMIP_TAG_Attribute);

    for (; in; in = kmip_next(in)) {
        KLM_TRY(add_filter(item, in, filter));
    }
    return add_filters(item, kmip_child(item->payload, KMIP_TAG_TemplateAttribute), filter);
}

static klm_rc read_filters(struct kmop_item *item)
{
    struct km_locate *req = item->call->req;
    const struct kmip_node **filter =
        klm_pool_alloc(item->msg->pool, MD_FILTERS_MAX * sizeof *filter);

    if (!filter) {
        return KLM_E_NOMEM;
    }
    req->what.filter = filter;
    return item->msg->version < KMIP_V(2, 0)
               ? filters1(item, filter)
               : add_filters(item, kmip_child(item->payload, KMIP_TAG_Attributes), filter);
}

/* Clients that set Maximum Items to 0 mean that there is none. */
static klm_rc read_range(struct kmop_item *item)
{
    struct km_locate *req = item->call->req;
    int64_t max = 0, offset = 0;

    KLM_TRY(kmop_number(item, item->payload, KMIP_TAG_MaximumItems, &max));
    if (max < 0) {
        return kmop_bad_field(item, KMIP_TAG_MaximumItems);
    }
    req->what.max = (uint64_t)max;
    if (item->msg->version >= KMIP_V(1, 3) && kmip_child(item->payload, KMIP_TAG_OffsetItems)) {
        KLM_TRY(kmop_number(item, item->payload, KMIP_TAG_OffsetItems, &offset));
        if (offset < 0) {
            return kmop_bad_field(item, KMIP_TAG_OffsetItems);
        }
        req->what.offset = (uint64_t)offset;
        req->counts = true; /* who asks for pages wants to know how many there are */
    }
    return KLM_OK;
}

/* Identifiers that the searches before found, in bytes of the answer. */
static uint64_t found_before(const struct kmop_message *msg)
{
    uint64_t n = 0;

    for (size_t i = 0; i < msg->n; i++) {
        if (msg->item[i].answered && msg->item[i].op->verb == KM_OBJECT_LOCATE) {
            n += ((const struct km_locate *)msg->item[i].call->req)->n;
        }
    }
    return n * UID_BYTES;
}

/* A message of few bytes may ask for much in many items: what no answer has room for is not looked for, and all searches together have the time of one. */
static klm_rc bound(struct kmop_item *item, struct km_locate *req)
{
    struct kmop_message *msg = item->msg;
    const uint64_t asked = msg->max_response > 0 ? (uint64_t)msg->max_response : KMOP_ANSWER_MAX;
    const uint64_t most = asked < KMOP_ANSWER_MAX ? asked : KMOP_ANSWER_MAX;

    if (found_before(msg) > most) {
        return kmop_fail(item, KLM_E_LIMIT, KLM_MSG_KMIP_LARGE, KLM_NUM(most));
    }
    if (!msg->locate_until) {
        msg->locate_until = km_locate_until(item->call);
    }
    req->what.until_ms = msg->locate_until;
    return KLM_OK;
}

klm_rc kmop_locate_fill(struct kmop_item *item)
{
    struct km_locate *req = item->call->req;
    int64_t storage = 0;

    req->version = item->msg->version;
    KLM_TRY(bound(item, req));
    KLM_TRY(read_range(item));
    KLM_TRY(kmop_number(item, item->payload, KMIP_TAG_StorageStatusMask, &storage));
    req->what.storage = (uint32_t)storage;
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_ObjectGroupMember, &req->what.member));
    if (req->what.member && !kmip_value_name(KMIP_E_ObjectGroupMember, req->what.member)) {
        return kmop_bad_field(item, KMIP_TAG_ObjectGroupMember);
    }
    /* KMIP 2.1, 6.1.28: newest first. 1.x leaves the order open: its test cases have the oldest first where an early version asks for so many, and fresh members of a group
     * are given out in turn. */
    req->what.newest =
        req->what.member != KMIP_ObjectGroupMember_GroupMemberFresh &&
        (item->msg->version >= KMIP_V(1, 4) || !kmip_child(item->payload, KMIP_TAG_MaximumItems));
    KLM_TRY(read_filters(item));
    item->call->slow = km_locate_slow(req);
    return KLM_OK;
}

klm_rc kmop_locate_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_locate *req = item->call->req;

    if (req->counts) {
        kmip_put_number(item->msg->pool, payload, KMIP_TAG_LocatedItems, KMIP_INTEGER,
                        req->total < INT32_MAX ? (int64_t)req->total : INT32_MAX);
    }
    for (size_t i = 0; i < req->n; i++) {
        KLM_TRY(kmop_put_uid(item, payload, req->uid[i]));
    }
    return KLM_OK;
}
