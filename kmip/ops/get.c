/* Get (KMIP 1.4, 4.11; 2.1, 6.1.19). */
#include "kmip/ops/ops_int.h"

static klm_rc attr_out(void *arg, const struct md_attr *attr, struct kmip_node *to)
{
    return kmop_attr_out(arg, attr, to);
}

static bool is_name(const struct kmip_node *node)
{
    return node->tag == KMIP_TAG_AttributeName || node->tag == KMIP_TAG_AttributeReference;
}

/* Names of attributes in a Key Wrapping Specification are texts in every version (KMIP 1.4, 2.1.6; 2.1, 7.18); references of 2.x are taken, too. */
static klm_rc wrapped_names(struct kmop_item *item)
{
    struct km_object_get *req = item->call->req;
    const struct kmip_node **names;
    size_t n = 0;

    for (const struct kmip_node *in = req->wrapping->first; in; in = in->next) {
        n += is_name(in);
    }
    if (n > MD_ATTRS_MAX) { /* each is compared with all the others, on the loop */
        return kmop_bad_field(item, KMIP_TAG_KeyWrappingSpecification);
    }
    names = n ? klm_pool_alloc(item->call->pool, n * sizeof *names) : NULL;
    if (n && !names) {
        return KLM_E_NOMEM;
    }
    for (const struct kmip_node *in = req->wrapping->first; in; in = in->next) {
        if (is_name(in)) {
            KLM_TRY(kmop_attr_name_in(item, in, &names[req->n++]));
        }
    }
    req->names = names;
    req->attr_out = attr_out;
    req->attr_arg = item;
    return KLM_OK;
}

klm_rc kmop_get_fill(struct kmop_item *item)
{
    struct km_object_get *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_KeyFormatType, &req->format));
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_KeyCompressionType, &req->compression));
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_KeyWrapType, &req->wrap_type));
    KLM_TRY(kmop_part(item, item->payload, KMIP_TAG_KeyWrappingSpecification, &req->wrapping));
    KLM_TRY(req->wrapping ? wrapped_names(item) : KLM_OK);
    item->call->slow = km_get_slow(req);
    return kmop_object(item, &req->uid);
}

/* Kept attributes of a template, as 1.x writes them. */
static klm_rc template_out(struct kmop_item *item, const struct kmip_node *list,
                           struct kmip_node *payload)
{
    struct kmip_node *to = kmip_structure(item->msg->pool, payload, KMIP_TAG_Template);
    struct md_attrs attrs;

    md_attrs_init(&attrs, item->msg->pool);
    for (const struct kmip_node *in = list->first; in; in = in->next) {
        KLM_TRY(md_attr_add(&attrs, in));
    }
    for (size_t i = 0; i < attrs.n; i++) {
        KLM_TRY(kmop_attr_out(item, &attrs.at[i], to));
    }
    return to ? KLM_OK : KLM_E_NOMEM;
}

klm_rc kmop_get_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_get *req = item->call->req;
    struct kmip_node *object = NULL;

    kmip_put_number(item->msg->pool, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION,
                    req->object.type);
    KLM_TRY(kmop_put_uid(item, payload, req->object.uid));
    if (req->object.type == KMIP_ObjectType_Template) {
        return template_out(item, req->item, payload);
    }
    /* What is inside of it is borrowed of the call. */
    object = klm_pool_copy(item->msg->pool, req->item, sizeof *req->item);
    if (!object) {
        return KLM_E_NOMEM;
    }
    object->next = NULL;
    kmip_append(payload, object);
    return KLM_OK;
}
