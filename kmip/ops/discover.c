/* Discover Versions (KMIP 1.4, 4.26; 2.1, 6.1.18): what is spoken here, newest first, of what the client lists. */
#include "kmip/ops/ops_int.h"

static const int spoken[] = {KMIP_V(2, 1), KMIP_V(2, 0), KMIP_V(1, 4), KMIP_V(1, 3),
                             KMIP_V(1, 2), KMIP_V(1, 1), KMIP_V(1, 0)};

klm_rc kmop_discover_fill(struct kmop_item *item)
{
    ((struct km_kmip_query *)item->call->req)->version = item->msg->version;
    return KLM_OK;
}

static klm_rc put_version(struct kmop_item *item, struct kmip_node *payload, int version)
{
    struct klm_pool *pool = item->msg->pool;
    struct kmip_node *to = kmip_structure(pool, payload, KMIP_TAG_ProtocolVersion);

    kmip_put_number(pool, to, KMIP_TAG_ProtocolVersionMajor, KMIP_INTEGER, version / 16);
    return kmip_put_number(pool, to, KMIP_TAG_ProtocolVersionMinor, KMIP_INTEGER, version % 16)
               ? KLM_OK
               : KLM_E_NOMEM;
}

static bool listed(const struct kmip_node *payload, int version)
{
    const struct kmip_node *in = kmip_child(payload, KMIP_TAG_ProtocolVersion);

    if (!in) {
        return true; /* an empty list asks for all */
    }
    for (; in; in = kmip_next(in)) {
        const struct kmip_node *major = kmip_child(in, KMIP_TAG_ProtocolVersionMajor);
        const struct kmip_node *minor = kmip_child(in, KMIP_TAG_ProtocolVersionMinor);

        if (major && minor && major->number == version / 16 && minor->number == version % 16) {
            return true;
        }
    }
    return false;
}

klm_rc kmop_discover_answer(struct kmop_item *item, struct kmip_node *payload)
{
    for (size_t i = 0; i < KLM_COUNT(spoken); i++) {
        if (listed(item->payload, spoken[i])) {
            KLM_TRY(put_version(item, payload, spoken[i]));
        }
    }
    return KLM_OK;
}
