/* Get (KMIP 1.4, 4.11; 2.1, 6.1.21). */
#include "kmip/ops/ops_int.h"

klm_rc kmop_get_fill(struct kmop_item *item)
{
    struct km_object_get *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_KeyFormatType, &req->format));
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_KeyCompressionType, &req->compression));
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_KeyWrapType, &req->wrap_type));
    return kmop_object(item, &req->uid);
}

klm_rc kmop_get_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_get *req = item->call->req;
    struct kmip_node *object = NULL;

    kmip_put_number(item->msg->pool, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION,
                    req->object.type);
    KLM_TRY(kmop_put_uid(item, payload, req->object.uid));
    KLM_TRY(md_item_copy(req->item, item->msg->pool, &object));
    kmip_append(payload, object);
    return KLM_OK;
}
