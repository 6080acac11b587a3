/* Reading a message (KMIP 1.4, 6; 2.1, 8 and 9): its encoding, version, header, options, and the items that there are to carry out. */
#include "kmip/codec/dump.h"
#include "kmip/codec/json.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"
#include "kmip/ops/ops_int.h"

#include <stdio.h>

static klm_rc bad(struct klm_diag *diag, const char *what)
{
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_KMIP_UNREADABLE, what);
}

/* KMIP 1.4, 6.16: an extension that must be understood, and none is. */
static bool critical(const struct kmip_node *in)
{
    const struct kmip_node *extension = kmip_child(in, KMIP_TAG_MessageExtension);

    for (; extension; extension = kmip_next(extension)) {
        const struct kmip_node *flag = kmip_child(extension, KMIP_TAG_CriticalityIndicator);

        if (flag && flag->number) {
            return true;
        }
    }
    return false;
}

static klm_rc read_item(struct kmop_message *msg, const struct kmip_node *in,
                        struct kmop_item *item, struct klm_diag *diag)
{
    const struct kmip_node *operation = kmip_child(in, KMIP_TAG_Operation);
    const struct kmip_node *id = kmip_child(in, KMIP_TAG_UniqueBatchItemID);
    const struct kmip_node *ephemeral = kmip_child(in, KMIP_TAG_Ephemeral);

    item->msg = msg;
    item->payload = kmip_child(in, KMIP_TAG_RequestPayload);
    if (in->type != KMIP_STRUCTURE || !operation || operation->type != KMIP_ENUMERATION) {
        return bad(diag, "a batch item has no operation");
    }
    KLM_TRY(kmop_shape_item(in, diag));
    item->operation = (uint32_t)operation->number;
    item->ephemeral = ephemeral && ephemeral->number && msg->version >= KMIP_V(2, 0);
    item->critical = critical(in);
    item->op = kmop_op(item->operation, msg->version);
    item->id = id ? KLM_SLICE(id->bytes.p ? id->bytes.p : (const uint8_t *)"", id->bytes.n)
                  : KLM_SLICE(NULL, 0);
    return KLM_OK;
}

static klm_rc count_items(struct kmop_message *msg, const struct kmip_node *header,
                          struct klm_diag *diag)
{
    const struct kmip_node *count = kmip_child(header, KMIP_TAG_BatchCount);
    const int64_t said = count ? count->number : -1;
    size_t n = 0;

    for (const struct kmip_node *in = kmip_child(msg->root, KMIP_TAG_BatchItem); in;
         in = kmip_next(in)) {
        n++;
    }
    if (said < 1 || (uint64_t)said != n || n > msg->req.config->batch_max) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_KMIP_BATCH_COUNT, KLM_NUM(said), KLM_NUM(n),
                        KLM_NUM(msg->req.config->batch_max));
    }
    msg->n = n;
    return KLM_OK;
}

/* KMIP 1.4, 6.16; 2.1, 9.13: "the receiver SHALL reject the entire message", so no item of it is carried out. */
static void refuse_all_if_critical(struct kmop_message *msg)
{
    bool any = false;

    for (size_t i = 0; i < msg->n; i++) {
        any = any || msg->item[i].critical;
    }
    for (size_t i = 0; any && i < msg->n; i++) {
        msg->item[i].critical = true;
    }
}

static klm_rc read_items(struct kmop_message *msg, struct klm_diag *diag)
{
    size_t i = 0;

    msg->item = klm_pool_alloc(msg->pool, msg->n * sizeof *msg->item);
    msg->batch_item = klm_pool_alloc(msg->pool, msg->n * sizeof *msg->batch_item);
    if (!msg->item || !msg->batch_item) {
        msg->n = 0;
        return KLM_E_NOMEM;
    }
    for (const struct kmip_node *in = kmip_child(msg->root, KMIP_TAG_BatchItem); in;
         in = kmip_next(in)) {
        KLM_TRY(read_item(msg, in, &msg->item[i++], diag));
    }
    refuse_all_if_critical(msg);
    return KLM_OK;
}

static klm_rc read_option(struct kmop_message *msg, const struct kmip_node *header,
                          struct klm_diag *diag)
{
    const struct kmip_node *option = kmip_child(header, KMIP_TAG_BatchErrorContinuationOption);

    msg->batch.option = KM_BATCH_STOP; /* KMIP 1.4, 6.13: the default */
    if (!option) {
        return KLM_OK;
    }
    switch (option->number) {
    case KMIP_BatchErrorContinuationOption_Continue:
        msg->batch.option = KM_BATCH_CONTINUE;
        return KLM_OK;
    case KMIP_BatchErrorContinuationOption_Stop:
        return KLM_OK;
    case KMIP_BatchErrorContinuationOption_Undo:
        msg->batch.option = KM_BATCH_UNDO;
        return KLM_OK;
    default:
        return bad(diag, "Batch Error Continuation Option has no such value");
    }
}

/* This server does all at once. KMIP 1.4, 6.7: true says that the client is able to accept an asynchronous response, and "the server decides" (6.8). KMIP 2.1, 11.3: Mandatory
 * "SHALL process all batch items in the request asynchronously", which it cannot; Optional leaves it to the server. Some clients of 2.x send the flag of 1.x. */
static klm_rc read_asynchronous(const struct kmop_message *msg, const struct kmip_node *header,
                                struct klm_diag *diag)
{
    const struct kmip_node *indicator = kmip_child(header, KMIP_TAG_AsynchronousIndicator);

    if (!indicator || indicator->type == KMIP_BOOLEAN) {
        return KLM_OK;
    }
    if (indicator->type != KMIP_ENUMERATION || msg->version < KMIP_V(2, 0) ||
        !kmip_value_name(KMIP_E_AsynchronousIndicator, (uint32_t)indicator->number)) {
        return bad(diag, "Asynchronous Indicator is not as it has to be");
    }
    return indicator->number == KMIP_AsynchronousIndicator_Mandatory
               ? klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_KMIP_OPTION,
                          "Asynchronous Indicator Mandatory")
               : KLM_OK;
}

/* What is asked for in the header and cannot be had is an error, not passed over. */
static klm_rc read_header(struct kmop_message *msg, const struct kmip_node *header,
                          struct klm_diag *diag)
{
    const struct kmip_node *most = kmip_child(header, KMIP_TAG_MaximumResponseSize);
    const struct kmip_node *correlation = kmip_child(header, KMIP_TAG_ClientCorrelationValue);

    if (most) {
        msg->max_response = most->number;
    }
    if (correlation) {
        msg->correlation = correlation->bytes;
    }
    KLM_TRY(read_option(msg, header, diag));
    KLM_TRY(read_asynchronous(msg, header, diag));
    return count_items(msg, header, diag);
}

/* Of a message that is too long its door gives the first bytes alone: they say how long it is. */
static klm_rc decode_ttlv(struct kmop_message *msg, const struct kmip_limits *limits,
                          struct kmip_node **root)
{
    size_t n;
    klm_rc rc = kmip_ttlv_size(msg->req.message, limits, &n);

    return rc == KLM_E_LIMIT ? rc : kmip_ttlv_decode(msg->req.message, limits, msg->pool, root);
}

static klm_rc decode(struct kmop_message *msg, struct kmip_node **root)
{
    const struct kmip_limits limits = {.bytes = msg->req.config->bytes_max};

    switch (msg->req.encoding) {
    case KMOP_TTLV:
        return decode_ttlv(msg, &limits, root);
    case KMOP_XML:
        return kmip_xml_decode(msg->req.message, &limits, msg->pool, root);
    case KMOP_JSON:
        return kmip_json_decode(msg->req.message, &limits, msg->pool, root);
    }
    return KLM_E_INTERNAL;
}

static bool spoken(int version)
{
    return (version >= KMIP_V(1, 0) && version <= KMIP_V(1, 4)) || version == KMIP_V(2, 0) ||
           version == KMIP_V(2, 1);
}

/* The version that a client hears of its own in: the newest one before it, since a client knows the earlier ones of its major version (KMIP 1.4, 6.1). */
static int spoken_before(int version)
{
    return version > KMIP_V(2, 1)   ? KMIP_V(2, 1)
           : version > KMIP_V(1, 4) ? KMIP_V(1, 4)
                                    : KMIP_V_FIRST;
}

static klm_rc read_version(struct kmop_message *msg, struct klm_diag *diag)
{
    int version = 0;
    char text[16];

    if (kmip_version_of(msg->root, &version) != KLM_OK) {
        return bad(diag, "there is no Protocol Version");
    }
    if (!spoken(version)) {
        msg->version = spoken_before(version);
        snprintf(text, sizeof text, "%d.%d", version / 16, version % 16);
        return klm_fail(diag, KLM_E_UNSUPPORTED, KLM_MSG_KMIP_VERSION, text);
    }
    msg->version = version;
    return KLM_OK;
}

static bool holds_secrets(const struct kmip_node *node)
{
    if (kmip_secret(node->tag)) {
        return true;
    }
    for (const struct kmip_node *child = node->type == KMIP_STRUCTURE ? node->first : NULL; child;
         child = child->next) {
        if (holds_secrets(child)) {
            return true;
        }
    }
    return false;
}

static void tell_secret(const struct kmop_message *msg, const struct kmip_node *root)
{
    if (msg->req.secret && (!root || holds_secrets(root))) {
        msg->req.secret(msg->req.arg);
    }
}

/* What cannot be read may begin soundly: then the client hears of it in its own version. */
static void answer_as_asked(struct kmop_message *msg)
{
    int version;

    if (msg->req.encoding == KMOP_TTLV && kmip_ttlv_version(msg->req.message, &version) == KLM_OK) {
        msg->version = spoken(version) ? version : spoken_before(version);
    }
}

klm_rc kmop_read(struct kmop_message *msg, struct klm_diag *diag, bool *readable)
{
    struct kmip_node *root = NULL;
    const struct kmip_node *header;
    klm_rc rc = decode(msg, &root);

    tell_secret(msg, rc == KLM_OK ? root : NULL);

    if (rc != KLM_OK) {
        answer_as_asked(msg);
        return klm_fail(diag, rc, rc == KLM_E_LIMIT ? KLM_MSG_KMIP_UNREADABLE : KLM_MSG_KMIP_CODEC,
                        klm_rc_text(rc));
    }
    *readable = true;
    msg->root = root;
    header = kmip_child(root, KMIP_TAG_RequestHeader);
    if (root->tag != KMIP_TAG_RequestMessage || !header) {
        return bad(diag, "it is no request");
    }
    KLM_TRY(read_version(msg, diag));
    KLM_TRY(kmop_shape_header(header, diag));
    KLM_TRY(read_header(msg, header, diag));
    return read_items(msg, diag);
}
