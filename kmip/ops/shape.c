/* What the form of a request alone tells, before anything reads it: that no field stands twice, so that nobody has to say which one counts, and that each has the type of its tag. */
#include "kmip/ops/ops_int.h"

#define TAGS 1024 /* of the standard: all from 0x420000 on, the highest is 0x420176 */

/* ---- Once */

static bool in_header(uint32_t tag, uint32_t operation)
{
    (void)operation;
    return tag == KMIP_TAG_Credential || tag == KMIP_TAG_AttestationType;
}

static bool in_batch_item(uint32_t tag, uint32_t operation)
{
    (void)operation;
    return tag == KMIP_TAG_MessageExtension;
}

static bool in_payload(uint32_t tag, uint32_t operation)
{
    switch (tag) {
    case KMIP_TAG_Attribute:
    case KMIP_TAG_AttributeName:
    case KMIP_TAG_AttributeReference:
    case KMIP_TAG_QueryFunction:
    case KMIP_TAG_ProtocolVersion:
    case KMIP_TAG_ObjectGroup:
    case KMIP_TAG_Certificate:
        return true;
    case KMIP_TAG_UniqueIdentifier:
        return operation == KMIP_Operation_DeriveKey || operation == KMIP_Operation_JoinSplitKey ||
               operation == KMIP_Operation_Validate;
    default:
        return false;
    }
}

/* A field of a structure that stands there twice, though it is none of those that may; NULL: there is none. What has no row is somebody's own. */
static const struct kmip_node *twice(const struct kmip_node *in,
                                     bool (*repeats)(uint32_t tag, uint32_t operation),
                                     uint32_t operation)
{
    const struct kmip_node *field = in->first;
    uint64_t seen[TAGS / 64] = {0}; /* a bit for each tag */

    for (; field; field = field->next) {
        const uint32_t at = field->tag % TAGS;
        const uint64_t bit = (uint64_t)1 << (at % 64);

        if (repeats(field->tag, operation) || !kmip_tag(field->tag)) {
            continue;
        }
        if (seen[at / 64] & bit) {
            return field;
        }
        seen[at / 64] |= bit;
    }
    return NULL;
}

/* Attributes and what is somebody's own have readers of their own, who have more to say; payloads come by themselves. */
static bool read_elsewhere(uint32_t tag)
{
    switch (tag) {
    case KMIP_TAG_Attribute:
    case KMIP_TAG_Attributes:
    case KMIP_TAG_CommonAttributes:
    case KMIP_TAG_CommonTemplateAttribute:
    case KMIP_TAG_CurrentAttribute:
    case KMIP_TAG_NewAttribute:
    case KMIP_TAG_PrivateKeyAttributes:
    case KMIP_TAG_PrivateKeyTemplateAttribute:
    case KMIP_TAG_PublicKeyAttributes:
    case KMIP_TAG_PublicKeyTemplateAttribute:
    case KMIP_TAG_RequestPayload:
    case KMIP_TAG_TemplateAttribute:
    case KMIP_TAG_VendorExtension:
        return true;
    default:
        return false;
    }
}

/* The same with all structures in it that are read here. */
static const struct kmip_node *twice_within(const struct kmip_node *in,
                                            bool (*repeats)(uint32_t tag, uint32_t operation),
                                            uint32_t operation)
{
    const struct kmip_node *found = twice(in, repeats, operation);

    for (const struct kmip_node *field = in->first; field && !found; field = field->next) {
        if (field->type == KMIP_STRUCTURE && !read_elsewhere(field->tag)) {
            found = twice_within(field, repeats, operation);
        }
    }
    return found;
}

/* ---- Types */

/* Clients mix these up in headers and payloads, and what is meant is the same number. */
static bool is_number(enum kmip_type type)
{
    return type == KMIP_INTEGER || type == KMIP_LONG_INTEGER || type == KMIP_INTERVAL ||
           type == KMIP_DATE_TIME || type == KMIP_DATE_TIME_EXTENDED;
}

static bool type_ok(const struct kmip_node *node, bool mixed)
{
    const struct kmip_tag_row *row = kmip_tag(node->tag);

    return !row || row->type == KMIP_ANY || row->type == node->type ||
           (mixed && is_number(row->type) && is_number(node->type));
}

/* The first item within a structure that is not of its tag's type; NULL: there is none. mixed: one number may stand for another. Decoders bound how deep it is. */
static const struct kmip_node *mistyped(const struct kmip_node *in, bool mixed)
{
    const struct kmip_node *found = NULL;

    for (const struct kmip_node *field = in->first; field && !found; field = field->next) {
        if (!type_ok(field, mixed)) {
            found = field;
        } else if (field->type == KMIP_STRUCTURE && !read_elsewhere(field->tag) &&
                   field->tag != KMIP_TAG_Authentication) { /* caller.c says more of that */
            found = mistyped(field, false);
        }
    }
    return found;
}

/* ---- What is said of them */

static klm_rc said(const struct kmip_node *node, enum klm_msg_id msg, struct klm_diag *diag)
{
    return node ? klm_fail(diag, KLM_E_INVALID, msg, kmip_tag(node->tag)->name) : KLM_OK;
}

/* KMIP 1.4, 11.1: "The same field is contained in a header/batch item/payload more than once". */
klm_rc kmop_shape_header(const struct kmip_node *header, struct klm_diag *diag)
{
    const struct kmip_node *other = kmip_next(header);

    KLM_TRY(said(other ? other : twice_within(header, in_header, 0), KLM_MSG_KMIP_TWICE, diag));
    return said(mistyped(header, true), KLM_MSG_KMIP_TYPE, diag);
}

klm_rc kmop_shape_item(const struct kmip_node *item, struct klm_diag *diag)
{
    KLM_TRY(said(twice_within(item, in_batch_item, 0), KLM_MSG_KMIP_TWICE, diag));
    return said(mistyped(item, true), KLM_MSG_KMIP_TYPE, diag);
}

klm_rc kmop_shape_payload(struct kmop_item *item)
{
    const struct kmip_node *field =
        item->payload ? twice_within(item->payload, in_payload, item->operation) : NULL;

    if (field) {
        return kmop_fail(item, KLM_E_INVALID, KLM_MSG_KMIP_TWICE, kmip_tag(field->tag)->name);
    }
    field = item->payload ? mistyped(item->payload, true) : NULL;
    return field ? kmop_bad_field(item, field->tag) : KLM_OK;
}
