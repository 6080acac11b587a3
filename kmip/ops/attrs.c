/* Get Attributes, Get Attribute List (KMIP 1.4, 4.12 and 4.13; 2.1, 6.1.20 and 6.1.21), and Add, Modify, Set, Adjust and Delete Attribute (1.4, 4.14 to 4.16; 2.1, 6.1.2, 6.1.34,
 * 6.1.51, 6.1.3 and 6.1.13). */
#include "kmip/ops/ops_int.h"

static bool v2(const struct kmop_item *item)
{
    return item->msg->version >= KMIP_V(2, 0);
}

/* ---- Get Attributes, Get Attribute List */

/* A name that no attribute of 1.x has is one without a value, and passed over; so clients may ask for what came with a later version. */
static klm_rc add_name(struct kmop_item *item, const struct kmip_node *in,
                       const struct kmip_node **names)
{
    struct km_object_attrs *req = item->call->req;

    if (!v2(item) && in->type == KMIP_TEXT && !kmop_attr_name_known(item, in->bytes)) {
        return KLM_OK;
    }
    KLM_TRY(kmop_attr_name_in(item, in, &names[req->n]));
    req->n++;
    return KLM_OK;
}

static klm_rc read_names(struct kmop_item *item)
{
    struct km_object_attrs *req = item->call->req;
    const uint32_t tag = v2(item) ? KMIP_TAG_AttributeReference : KMIP_TAG_AttributeName;
    const struct kmip_node *first = kmip_child(item->payload, tag), **names;
    size_t n = 0;

    for (const struct kmip_node *in = first; in; in = kmip_next(in)) {
        n++;
    }
    if (n == 0) {
        return KLM_OK;
    }
    if (n >
        MD_ATTRS_MAX) { /* as many as an object may have; each is compared with all the others */
        return kmop_bad_field(item, tag);
    }
    names = klm_pool_alloc(item->msg->pool, n * sizeof *names);
    if (!names) {
        return KLM_E_NOMEM;
    }
    req->names = names;
    for (const struct kmip_node *in = first; in; in = kmip_next(in)) {
        KLM_TRY(add_name(item, in, names));
    }
    return KLM_OK;
}

klm_rc kmop_attrs_fill(struct kmop_item *item)
{
    struct km_object_attrs *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_object(item, &req->uid));
    return read_names(item);
}

klm_rc kmop_attrs_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_attrs *req = item->call->req;
    struct kmip_node *to = payload;

    KLM_TRY(kmop_put_uid(item, payload, req->object.uid));
    if (v2(item)) {
        to = kmip_structure(item->msg->pool, payload, KMIP_TAG_Attributes);
    }
    if (!to) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < req->object.attrs.n; i++) {
        KLM_TRY(kmop_attr_out(item, &req->object.attrs.at[i], to));
    }
    return KLM_OK;
}

klm_rc kmop_attr_list_fill(struct kmop_item *item)
{
    struct km_object_attrs *req = item->call->req;

    req->version = item->msg->version;
    return kmop_object(item, &req->uid);
}

klm_rc kmop_attr_list_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_attrs *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->object.uid));
    for (size_t i = 0; i < req->object.attrs.n; i++) {
        const struct md_attr *attr = &req->object.attrs.at[i];

        if (md_attr_like(&req->object.attrs, attr->value) == attr) { /* the first instance */
            KLM_TRY(kmop_attr_name_out(item, attr, payload));
        }
    }
    return KLM_OK;
}

/* ---- Changes */

/* Current Attribute and New Attribute of 2.x are structures around one attribute. */
static klm_rc wrapped_attr(struct kmop_item *item, uint32_t tag, const struct kmip_node **out)
{
    const struct kmip_node *in = NULL;
    int64_t index;

    KLM_TRY(kmop_part(item, item->payload, tag, &in));
    if (!in) {
        return KLM_OK;
    }
    if (!in->first || in->first->next) {
        return kmop_bad_field(item, tag);
    }
    return kmop_attr_in(item, in->first, out, &index);
}

static klm_rc begin(struct kmop_item *item)
{
    struct km_attr_change *req = item->call->req;

    req->version = item->msg->version;
    req->index = -1;
    return kmop_object(item, &req->uid);
}

/* The new value: Attribute of 1.x, New Attribute of 2.x. */
static klm_rc read_new(struct kmop_item *item)
{
    struct km_attr_change *req = item->call->req;
    const struct kmip_node *in = kmip_child(item->payload, KMIP_TAG_Attribute);

    if (v2(item)) {
        KLM_TRY(wrapped_attr(item, KMIP_TAG_NewAttribute, &req->value));
    } else if (in) {
        KLM_TRY(kmop_attr_in(item, in, &req->value, &req->index));
    }
    return req->value ? KLM_OK
                      : kmop_missing(item, v2(item) ? KMIP_TAG_NewAttribute : KMIP_TAG_Attribute);
}

klm_rc kmop_attr_fill(struct kmop_item *item)
{
    KLM_TRY(begin(item));
    return read_new(item);
}

klm_rc kmop_attr_modify_fill(struct kmop_item *item)
{
    struct km_attr_change *req = item->call->req;

    KLM_TRY(begin(item));
    if (v2(item)) {
        KLM_TRY(wrapped_attr(item, KMIP_TAG_CurrentAttribute, &req->current));
    }
    return read_new(item);
}

klm_rc kmop_attr_adjust_fill(struct kmop_item *item)
{
    struct km_attr_change *req = item->call->req;
    const struct kmip_node *reference = kmip_child(item->payload, KMIP_TAG_AttributeReference);

    KLM_TRY(begin(item));
    if (!reference) {
        return kmop_missing(item, KMIP_TAG_AttributeReference);
    }
    KLM_TRY(kmop_attr_name_in(item, reference, &req->value));
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_AdjustmentType, &req->adjustment));
    if (!kmip_value_name(KMIP_E_AdjustmentType, req->adjustment)) {
        return kmop_bad_field(item, KMIP_TAG_AdjustmentType);
    }
    req->by = 1; /* KMIP 2.1, 11.1: the default */
    return kmop_number(item, item->payload, KMIP_TAG_AdjustmentValue, &req->by);
}

/* KMIP 1.4, 11.17: no attribute with the specified name exists is Item Not Found, whether or not one could. */
static klm_rc read_old_name(struct kmop_item *item)
{
    struct km_attr_change *req = item->call->req;
    const struct kmip_node *in = kmip_child(item->payload, KMIP_TAG_AttributeName);

    if (!in) {
        return kmop_missing(item, KMIP_TAG_AttributeName);
    }
    if (in->type == KMIP_TEXT && !kmop_attr_name_known(item, in->bytes)) {
        return kmop_fail(item, KLM_E_NOTFOUND, KLM_MSG_ATTR_ABSENT,
                         klm_pool_strn(item->msg->pool, (const char *)in->bytes.p, in->bytes.n),
                         req->uid ? req->uid : "");
    }
    KLM_TRY(kmop_attr_name_in(item, in, &req->value));
    return kmop_number(item, item->payload, KMIP_TAG_AttributeIndex, &req->index);
}

static klm_rc read_old(struct kmop_item *item)
{
    struct km_attr_change *req = item->call->req;
    const struct kmip_node *reference = kmip_child(item->payload, KMIP_TAG_AttributeReference);

    KLM_TRY(wrapped_attr(item, KMIP_TAG_CurrentAttribute, &req->value));
    if (req->value) {
        return KLM_OK;
    }
    req->by_reference = true;
    return reference ? kmop_attr_name_in(item, reference, &req->value)
                     : kmop_missing(item, KMIP_TAG_CurrentAttribute);
}

klm_rc kmop_attr_delete_fill(struct kmop_item *item)
{
    KLM_TRY(begin(item));
    return v2(item) ? read_old(item) : read_old_name(item);
}

/* 1.x gives the attribute back, 2.x the identifier alone. */
klm_rc kmop_attr_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_attr_change *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->uid));
    return v2(item) ? KLM_OK : kmop_attr_out(item, &req->attr, payload);
}
