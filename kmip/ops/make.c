/* Create (KMIP 1.4, 4.1; 2.1, 6.1.8). */
#include "kmip/ops/ops_int.h"

/* The attributes of a new object: Template-Attribute in 1.x, Attributes in 2.x. */
static klm_rc attributes(struct kmop_item *item, uint32_t tag1, uint32_t tag2, struct md_attrs *out,
                         const char *const **templates)
{
    const struct kmip_node *in =
        kmip_child(item->payload, item->msg->version < KMIP_V(2, 0) ? tag1 : tag2);

    return kmop_attrs_in(item, in, out, templates);
}

klm_rc kmop_create_fill(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_ObjectType, &req->type));
    return attributes(item, KMIP_TAG_TemplateAttribute, KMIP_TAG_Attributes, &req->attrs,
                      &req->templates);
}

klm_rc kmop_create_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_make *req = item->call->req;

    kmip_put_number(item->msg->pool, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION, req->type);
    return kmop_put_uid(item, payload, req->made[0]);
}
