/* Derive Key (KMIP 1.4, 4.6; 2.1, 6.1.14 and 7.12). */
#include "kmip/ops/ops_int.h"

/* KMIP 2.1, 6.1.14: the ID Placeholder SHALL NOT be used in place of a Unique Identifier. */
static klm_rc bases(struct kmop_item *item)
{
    struct km_object_derive *req = item->call->req;
    const struct kmip_node *in = kmip_child(item->payload, KMIP_TAG_UniqueIdentifier);

    for (; in; in = kmip_next(in)) {
        if (in->type != KMIP_TEXT || req->bases == KM_DERIVE_BASES) {
            return kmop_bad_field(item, KMIP_TAG_UniqueIdentifier);
        }
        req->base[req->bases] =
            klm_pool_strn(item->call->pool, (const char *)in->bytes.p, in->bytes.n);
        if (!req->base[req->bases++]) {
            return KLM_E_NOMEM;
        }
    }
    item->object = req->make.uid = req->base[0];
    return req->bases ? KLM_OK : kmop_missing(item, KMIP_TAG_UniqueIdentifier);
}

static klm_rc parameters(struct kmop_item *item)
{
    struct km_object_derive *req = item->call->req;
    const struct kmip_node *in = NULL, *data;

    KLM_TRY(kmop_part(item, item->payload, KMIP_TAG_DerivationParameters, &in));
    if (!in) {
        return kmop_missing(item, KMIP_TAG_DerivationParameters);
    }
    data = kmip_child(in, KMIP_TAG_DerivationData);
    if (data && kmip_next(data)) { /* several are of one method, which is not here (2.1, 7.12) */
        return kmop_bad_field(item, KMIP_TAG_DerivationData);
    }
    KLM_TRY(kmop_part(item, in, KMIP_TAG_CryptographicParameters, &req->parameters));
    KLM_TRY(kmop_bytes(item, in, KMIP_TAG_InitializationVector, &req->iv));
    KLM_TRY(kmop_bytes(item, in, KMIP_TAG_DerivationData, &req->data));
    KLM_TRY(kmop_bytes(item, in, KMIP_TAG_Salt, &req->salt));
    return kmop_number(item, in, KMIP_TAG_IterationCount, &req->rounds);
}

klm_rc kmop_derive_fill(struct kmop_item *item)
{
    struct km_object_derive *req = item->call->req;

    KLM_TRY(kmop_create_fill(item)); /* the request begins as those of all that make objects */
    KLM_TRY(bases(item));
    if (!kmip_child(item->payload, KMIP_TAG_DerivationMethod)) {
        return kmop_missing(item, KMIP_TAG_DerivationMethod);
    }
    KLM_TRY(kmop_enum(item, item->payload, KMIP_TAG_DerivationMethod, &req->method));
    if (!kmip_value_name(KMIP_E_DerivationMethod, req->method) ||
        !kmip_value_known(KMIP_E_DerivationMethod, req->method, item->msg->version)) {
        return kmop_bad_field(item, KMIP_TAG_DerivationMethod);
    }
    return parameters(item);
}
