/* Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify, Hash, RNG Retrieve, RNG Seed (KMIP 1.4, 4.29 to 4.37; 2.1, 6.1). */
#include "kmip/ops/ops_int.h"

static klm_rc common(struct kmop_item *item)
{
    struct km_crypt *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_part(item, item->payload, KMIP_TAG_CryptographicParameters, &req->parameters));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_Data, &req->in.data));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_CorrelationValue, &req->correlation));
    KLM_TRY(kmop_flag(item, item->payload, KMIP_TAG_InitIndicator, &req->init));
    KLM_TRY(kmop_flag(item, item->payload, KMIP_TAG_FinalIndicator, &req->final));
    req->streaming = req->correlation.n || (req->init && !req->final);
    return KLM_OK;
}

/* Data may be left out of a part alone. */
static klm_rc need_data(struct kmop_item *item, bool there)
{
    const struct km_crypt *req = item->call->req;

    return there || req->streaming ? KLM_OK : kmop_bad_field(item, KMIP_TAG_Data);
}

static klm_rc keyed(struct kmop_item *item)
{
    struct km_crypt *req = item->call->req;

    KLM_TRY(common(item));
    return kmop_object(item, &req->uid);
}

klm_rc kmop_cipher_fill(struct kmop_item *item)
{
    struct km_crypt *req = item->call->req;

    KLM_TRY(keyed(item));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_IVCounterNonce, &req->in.iv));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_AuthenticatedEncryptionAdditionalData,
                       &req->in.aad));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_AuthenticatedEncryptionTag, &req->in.tag));
    return need_data(item, req->in.data.p != NULL);
}

/* Data, or its digest. */
static klm_rc digested(struct kmop_item *item)
{
    struct km_crypt *req = item->call->req;
    struct klm_slice digest = {NULL, 0};

    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_DigestedData, &digest));
    if (digest.p) {
        req->digested = true;
        req->in.data = digest;
    }
    return KLM_OK;
}

klm_rc kmop_sign_fill(struct kmop_item *item)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(keyed(item));
    KLM_TRY(digested(item));
    return need_data(item, req->in.data.p != NULL);
}

klm_rc kmop_verify_fill(struct kmop_item *item)
{
    struct km_crypt *req = item->call->req;

    KLM_TRY(keyed(item));
    KLM_TRY(digested(item));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_SignatureData, &req->check));
    if (!req->check.p && !req->streaming) { /* it may have come with the first part */
        return kmop_bad_field(item, KMIP_TAG_SignatureData);
    }
    return need_data(item, req->in.data.p != NULL);
}

klm_rc kmop_mac_fill(struct kmop_item *item)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(keyed(item));
    return need_data(item, req->in.data.p != NULL);
}

klm_rc kmop_mac_verify_fill(struct kmop_item *item)
{
    struct km_crypt *req = item->call->req;

    KLM_TRY(keyed(item));
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_MACData, &req->check));
    if (!req->check.p && !req->streaming) { /* it may have come with the first part */
        return kmop_bad_field(item, KMIP_TAG_MACData);
    }
    return need_data(item, req->in.data.p != NULL);
}

klm_rc kmop_hash_fill(struct kmop_item *item)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(common(item));
    return need_data(item, req->in.data.p != NULL);
}

/* ---- Answers */

static void put_bytes(struct kmop_item *item, struct kmip_node *payload, uint32_t tag,
                      struct klm_slice bytes)
{
    if (bytes.n) {
        kmip_put_bytes(item->msg->pool, payload, tag, KMIP_BYTES, bytes);
    }
}

static klm_rc result(struct kmop_item *item, struct kmip_node *payload, uint32_t tag)
{
    const struct km_crypt *req = item->call->req;

    if (req->has_data && !item->ephemeral) {
        kmip_put_bytes(item->msg->pool, payload, tag, KMIP_BYTES, req->out.data);
    }
    put_bytes(item, payload, KMIP_TAG_IVCounterNonce, req->out.iv);
    put_bytes(item, payload, KMIP_TAG_CorrelationValue, req->new_correlation);
    put_bytes(item, payload, KMIP_TAG_AuthenticatedEncryptionTag, req->out.tag);
    return KLM_OK;
}

klm_rc kmop_cipher_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->uid));
    return result(item, payload, KMIP_TAG_Data);
}

klm_rc kmop_sign_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->uid));
    return result(item, payload, KMIP_TAG_SignatureData);
}

klm_rc kmop_mac_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->uid));
    return result(item, payload, KMIP_TAG_MACData);
}

klm_rc kmop_hash_answer(struct kmop_item *item, struct kmip_node *payload)
{
    return result(item, payload, KMIP_TAG_Data);
}

klm_rc kmop_validity_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_crypt *req = item->call->req;

    KLM_TRY(kmop_put_uid(item, payload, req->uid));
    if (!req->streaming || req->final) {
        kmip_put_number(item->msg->pool, payload, KMIP_TAG_ValidityIndicator, KMIP_ENUMERATION,
                        req->valid ? KMIP_ValidityIndicator_Valid : KMIP_ValidityIndicator_Invalid);
    }
    put_bytes(item, payload, KMIP_TAG_CorrelationValue, req->new_correlation);
    return KLM_OK;
}

/* ---- Random numbers */

klm_rc kmop_random_get_fill(struct kmop_item *item)
{
    struct km_random *req = item->call->req;

    req->version = item->msg->version;
    return kmop_number(item, item->payload, KMIP_TAG_DataLength, &req->length);
}

klm_rc kmop_random_get_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_random *req = item->call->req;

    return item->ephemeral ||
                   kmip_put_bytes(item->msg->pool, payload, KMIP_TAG_Data, KMIP_BYTES, req->data)
               ? KLM_OK
               : KLM_E_NOMEM;
}

klm_rc kmop_random_seed_fill(struct kmop_item *item)
{
    struct km_random *req = item->call->req;

    req->version = item->msg->version;
    KLM_TRY(kmop_bytes(item, item->payload, KMIP_TAG_Data, &req->data));
    return req->data.p ? KLM_OK : kmop_bad_field(item, KMIP_TAG_Data);
}

klm_rc kmop_random_seed_answer(struct kmop_item *item, struct kmip_node *payload)
{
    const struct km_random *req = item->call->req;

    return kmip_put_number(item->msg->pool, payload, KMIP_TAG_DataLength, KMIP_INTEGER, req->taken)
               ? KLM_OK
               : KLM_E_NOMEM;
}
