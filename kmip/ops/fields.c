/* Fields of payloads, in and out. */
#include "kmip/ops/ops_int.h"

#include <string.h>

#define TEXT_MAX 16384 /* bytes of a text that is kept */

klm_rc kmop_fail_(struct kmop_item *item, klm_rc rc, enum klm_msg_id msg, const char *const *args)
{
    if (!item->call && !item->diag) {
        item->diag = klm_pool_alloc(item->msg->pool, sizeof *item->diag);
    }
    return klm_fail_(item->call ? &item->call->diag : item->diag, rc, msg, args);
}

klm_rc kmop_bad_field(struct kmop_item *item, uint32_t tag)
{
    const struct kmip_tag_row *row = kmip_tag(tag);

    return kmop_fail(item, KLM_E_INVALID, KLM_MSG_KMIP_FIELD, row ? row->name : "A field");
}

klm_rc kmop_missing(struct kmop_item *item, uint32_t tag)
{
    return kmop_fail(item, KLM_E_INVALID, KLM_MSG_KMIP_MISSING, kmip_tag(tag)->name);
}

klm_rc kmop_number(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, int64_t *out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != KMIP_INTEGER && node->type != KMIP_LONG_INTEGER &&
        node->type != KMIP_INTERVAL && node->type != KMIP_DATE_TIME) {
        return kmop_bad_field(item, tag);
    }
    *out = node->number;
    return KLM_OK;
}

klm_rc kmop_enum(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, uint32_t *out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != KMIP_ENUMERATION) {
        return kmop_bad_field(item, tag);
    }
    *out = (uint32_t)node->number;
    return KLM_OK;
}

klm_rc kmop_flag(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, bool *out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != KMIP_BOOLEAN) {
        return kmop_bad_field(item, tag);
    }
    *out = node->number != 0;
    return KLM_OK;
}

klm_rc kmop_bytes(struct kmop_item *item, const struct kmip_node *in, uint32_t tag,
                  struct klm_slice *out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != KMIP_BYTES) {
        return kmop_bad_field(item, tag);
    }
    *out = node->bytes;
    if (!out->p) {
        out->p = (const uint8_t *)""; /* there, and empty */
    }
    return KLM_OK;
}

klm_rc kmop_text(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, const char **out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (!node) {
        return KLM_OK;
    }
    if (node->type != KMIP_TEXT || node->bytes.n > TEXT_MAX) {
        return kmop_bad_field(item, tag);
    }
    *out = klm_pool_strn(item->call->pool, (const char *)node->bytes.p, node->bytes.n);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

klm_rc kmop_part(struct kmop_item *item, const struct kmip_node *in, uint32_t tag,
                 const struct kmip_node **out)
{
    const struct kmip_node *node = kmip_child(in, tag);

    if (node && node->type != KMIP_STRUCTURE) {
        return kmop_bad_field(item, tag);
    }
    *out = node;
    return KLM_OK;
}

klm_rc kmop_uid(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, const char **out)
{
    if (kmip_child(in, tag)) {
        KLM_TRY(kmop_text(item, in, tag, out));
    } else {
        *out = item->msg->placeholder;
    }
    item->object = *out;
    return KLM_OK;
}

klm_rc kmop_object(struct kmop_item *item, const char **out)
{
    return kmop_uid(item, item->payload, KMIP_TAG_UniqueIdentifier, out);
}

klm_rc kmop_put_text(struct kmop_item *item, struct kmip_node *parent, uint32_t tag,
                     const char *text)
{
    return text && kmip_put_bytes(item->msg->pool, parent, tag, KMIP_TEXT, klm_slice_str(text))
               ? KLM_OK
               : KLM_E_NOMEM;
}

klm_rc kmop_put_uid(struct kmop_item *item, struct kmip_node *payload, const char *uid)
{
    return kmop_put_text(item, payload, KMIP_TAG_UniqueIdentifier, uid);
}
