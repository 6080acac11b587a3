/* Create, Create Key Pair, Register, Re-key, Re-key Key Pair (KMIP 1.4, 4.1 to 4.5; 2.1, 6.1). */
#include "kmip/ops/ops_int.h"

/* Attributes of a new object: a Template-Attribute in 1.x, Attributes in 2.x. */
static klm_rc attributes(struct kmop_item *item, uint32_t tag1, uint32_t tag2, struct md_attrs *out,
                         const char *const **templates)
{
    const struct kmip_node *in =
        kmip_child(item->payload, item->msg->version < KMIP_V(2, 0) ? tag1 : tag2);

    return kmop_attrs_in(item, in, out, templates);
}

/* KMIP 2.1, 4.44: one of the storages that the client permits is the one this server has. */
static klm_rc storage(struct kmop_item *item, uint32_t tag, enum klm_msg_id msg)
{
    const struct kmip_node *masks = NULL, *mask;

    KLM_TRY(kmop_part(item, item->payload, tag, &masks));
    mask = kmip_child(masks, KMIP_TAG_ProtectionStorageMask);
    for (; mask; mask = kmip_next(mask)) {
        if (mask->number & KMIP_ProtectionStorageMask_Software) {
            return KLM_OK;
        }
    }
    return kmip_child(masks, KMIP_TAG_ProtectionStorageMask)
               ? kmop_fail(item, KLM_E_UNSUPPORTED, msg)
               : KLM_OK;
}

static klm_rc one(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_ObjectType, &req->type));
    KLM_TRY(storage(item, KMIP_TAG_ProtectionStorageMasks, KLM_MSG_KMIP_STORAGE));
    return attributes(item, KMIP_TAG_TemplateAttribute, KMIP_TAG_Attributes, &req->attrs,
                      &req->templates);
}

static klm_rc pair(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(storage(item, KMIP_TAG_CommonProtectionStorageMasks, KLM_MSG_KMIP_STORAGE_PRIVATE));
    KLM_TRY(storage(item, KMIP_TAG_PrivateProtectionStorageMasks, KLM_MSG_KMIP_STORAGE_PRIVATE));
    KLM_TRY(storage(item, KMIP_TAG_PublicProtectionStorageMasks, KLM_MSG_KMIP_STORAGE_PUBLIC));
    KLM_TRY(attributes(item, KMIP_TAG_CommonTemplateAttribute, KMIP_TAG_CommonAttributes,
                       &req->attrs, &req->templates));
    KLM_TRY(attributes(item, KMIP_TAG_PrivateKeyTemplateAttribute, KMIP_TAG_PrivateKeyAttributes,
                       &req->private_attrs, &req->private_templates));
    return attributes(item, KMIP_TAG_PublicKeyTemplateAttribute, KMIP_TAG_PublicKeyAttributes,
                      &req->public_attrs, &req->public_templates);
}

klm_rc kmop_create_fill(struct kmop_item *item)
{
    return one(item);
}

klm_rc kmop_create_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_make *req = item->call->req;

    kmip_put_number(item->msg->pool, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION, req->type);
    return kmop_put_uid(item, payload, req->made[0]);
}

klm_rc kmop_made_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_make *req = item->call->req;

    return kmop_put_uid(item, payload, req->made[0]);
}

klm_rc kmop_pair_fill(struct kmop_item *item)
{
    return pair(item);
}

klm_rc kmop_pair_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_object_make *req = item->call->req;

    KLM_TRY(kmop_put_text(item, payload, KMIP_TAG_PrivateKeyUniqueIdentifier, req->made[0]));
    return kmop_put_text(item, payload, KMIP_TAG_PublicKeyUniqueIdentifier, req->made[1]);
}

/* ---- Register */

/* A template's attributes, in the one form that is kept. */
static klm_rc template_in(struct kmop_item *item, const struct kmip_node *in,
                          const struct kmip_node **out)
{
    struct kmip_node *list = kmip_root(item->call->pool, KMIP_TAG_Template), *copy = NULL;
    struct md_attrs attrs;

    KLM_TRY(kmop_attrs_in(item, in, &attrs, NULL));
    for (size_t i = 0; i < attrs.n; i++) {
        KLM_TRY(md_item_copy(attrs.at[i].value, item->call->pool, &copy));
        copy->next = NULL;
        kmip_append(list, copy);
    }
    *out = list;
    return list ? KLM_OK : KLM_E_NOMEM;
}

klm_rc kmop_register_fill(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;
    const struct kmip_node *in = NULL;
    uint32_t tag;

    KLM_TRY(one(item));
    item->call->slow = km_register_slow(req);
    tag = km_object_tag(req->type);
    if (!tag || !kmip_value_known(KMIP_E_ObjectType, req->type, item->msg->version) ||
        (req->type == KMIP_ObjectType_Template && item->msg->version >= KMIP_V(2, 0))) {
        return KLM_OK; /* the verb refuses it */
    }
    KLM_TRY(kmop_part(item, item->payload, tag, &in));
    if (!in) {
        return kmop_bad_field(item, tag);
    }
    if (req->type == KMIP_ObjectType_Template) {
        return template_in(item, in, &req->item);
    }
    req->item = in;
    return KLM_OK;
}

/* ---- Re-key */

static klm_rc offset(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    req->has_offset = kmip_child(item->payload, KMIP_TAG_Offset) != NULL;
    return kmop_number(item, item->payload, KMIP_TAG_Offset, &req->offset);
}

klm_rc kmop_rekey_fill(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    KLM_TRY(one(item));
    KLM_TRY(offset(item));
    return kmop_object(item, &req->uid);
}

klm_rc kmop_rekey_pair_fill(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    KLM_TRY(pair(item));
    KLM_TRY(offset(item));
    return kmop_uid(item, item->payload, KMIP_TAG_PrivateKeyUniqueIdentifier, &req->uid);
}

/* ---- Certify */

static klm_rc request(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    req->type = KMIP_ObjectType_Certificate;
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_CertificateRequestType, &req->request_type));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_CertificateRequest, &req->request));
    return req->request.p
               ? KLM_OK
               : kmop_bytes(item, item->payload, KMIP_TAG_CertificateRequestValue, &req->request);
}

klm_rc kmop_certify_fill(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    KLM_TRY(one(item));
    KLM_TRY(request(item));
    /* KMIP 2.1, 6.1.6: a request alone needs no public key here; the placeholder counts only without one */
    if (req->request.n && !kmip_child(item->payload, KMIP_TAG_UniqueIdentifier)) {
        return KLM_OK;
    }
    return kmop_object(item, &req->uid);
}

klm_rc kmop_recertify_fill(struct kmop_item *item)
{
    struct km_object_make *req = item->call->req;

    KLM_TRY(one(item));
    KLM_TRY(request(item));
    KLM_TRY(kmop_text(item, item->payload, KMIP_TAG_CertificateRequestUniqueIdentifier,
                      &req->request_uid));
    KLM_TRY(offset(item));
    return kmop_object(item, &req->uid);
}
