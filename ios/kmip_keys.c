/* Requests of a storage system, and what comes of them. Sections are those of KMIP 1.4. */
#include "ios/kmip_keys.h"

#include "ios/channel.h"

#include <stdio.h>
#include <string.h>

#define POOL_MAX (4u << 20)
#define BATCH_MAX 4

/* One message under way. */
struct ask {
    const struct ios_kmip_way *way;
    const struct ios_keyserver *server;
    struct klm_pool *pool; /* wiping */
    struct kmip_node *message;
    unsigned n; /* batch items */
    bool again; /* the same request once more does no harm */
    struct klm_diag *diag;
};

static void ask_done(struct ask *ask)
{
    klm_pool_free(&ask->pool);
}

static klm_rc fail(const struct ask *ask, klm_rc rc, const char *why)
{
    const struct ios_keyserver *server = ask->server;

    return klm_fail(ask->diag, rc, KLM_MSG_KEYSERVER_FAILED, server->name, server->host,
                    KLM_NUM(server->port), why);
}

/* ---- Requests */

static struct kmip_node *text(struct ask *ask, struct kmip_node *parent, uint32_t tag,
                              const char *value)
{
    return kmip_put_bytes(ask->pool, parent, tag, KMIP_TEXT, klm_slice_str(value));
}

static struct kmip_node *number(struct ask *ask, struct kmip_node *parent, uint32_t tag,
                                enum kmip_type type, int64_t value)
{
    return kmip_put_number(ask->pool, parent, tag, type, value);
}

/* 7.2: the header. Items of a batch are carried out in order and all of them, or none (Undo). */
static klm_rc begin(struct ask *ask, unsigned items)
{
    struct kmip_node *header, *version;
    klm_rc rc = klm_pool_new_wiping(POOL_MAX, &ask->pool);

    if (rc != KLM_OK) {
        return fail(ask, rc, klm_rc_text(rc));
    }
    ask->n = items;
    ask->message = kmip_root(ask->pool, KMIP_TAG_RequestMessage);
    header = kmip_structure(ask->pool, ask->message, KMIP_TAG_RequestHeader);
    version = kmip_structure(ask->pool, header, KMIP_TAG_ProtocolVersion);
    number(ask, version, KMIP_TAG_ProtocolVersionMajor, KMIP_INTEGER, IOS_KMIP_VERSION / 16);
    number(ask, version, KMIP_TAG_ProtocolVersionMinor, KMIP_INTEGER, IOS_KMIP_VERSION % 16);
    if (items > 1) {
        number(ask, header, KMIP_TAG_BatchErrorContinuationOption, KMIP_ENUMERATION,
               KMIP_BatchErrorContinuationOption_Undo);
        number(ask, header, KMIP_TAG_BatchOrderOption, KMIP_BOOLEAN, true);
    }
    return number(ask, header, KMIP_TAG_BatchCount, KMIP_INTEGER, items)
               ? KLM_OK
               : fail(ask, KLM_E_NOMEM, klm_rc_text(KLM_E_NOMEM));
}

/* An item with its number as Unique Batch Item ID; its payload, in which an object may be named. */
static struct kmip_node *item(struct ask *ask, uint32_t operation, const char *uid)
{
    struct kmip_node *item = kmip_structure(ask->pool, ask->message, KMIP_TAG_BatchItem);
    struct kmip_node *payload;

    number(ask, item, KMIP_TAG_Operation, KMIP_ENUMERATION, operation);
    if (ask->n > 1) {
        static const uint8_t ids[BATCH_MAX] = {1, 2, 3, 4};
        unsigned at = 0;

        for (const struct kmip_node *one = kmip_child(ask->message, KMIP_TAG_BatchItem);
             one != item; one = kmip_next(one)) {
            at++;
        }
        kmip_put_bytes(ask->pool, item, KMIP_TAG_UniqueBatchItemID, KMIP_BYTES,
                       KLM_SLICE(&ids[at % BATCH_MAX], 1));
    }
    payload = kmip_structure(ask->pool, item, KMIP_TAG_RequestPayload);
    if (uid) {
        text(ask, payload, KMIP_TAG_UniqueIdentifier, uid);
    }
    return payload;
}

/* 2.1.1: an Attribute; its value is added by the caller. */
static struct kmip_node *attribute(struct ask *ask, struct kmip_node *parent, const char *name)
{
    struct kmip_node *attr = kmip_structure(ask->pool, parent, KMIP_TAG_Attribute);

    text(ask, attr, KMIP_TAG_AttributeName, name);
    return attr;
}

static void name_attribute(struct ask *ask, struct kmip_node *parent, const char *name)
{
    struct kmip_node *value =
        kmip_structure(ask->pool, attribute(ask, parent, "Name"), KMIP_TAG_AttributeValue);

    text(ask, value, KMIP_TAG_NameValue, name);
    number(ask, value, KMIP_TAG_NameType, KMIP_ENUMERATION, KMIP_NameType_UninterpretedTextString);
}

/* ---- Answers */

/* What the server says of a failure, in its words; and whether it is that there is no such object. */
static klm_rc refusal(const struct ask *ask, const struct kmip_node *result)
{
    const struct kmip_node *reason = kmip_child(result, KMIP_TAG_ResultReason);
    const struct kmip_node *message = kmip_child(result, KMIP_TAG_ResultMessage);
    const uint32_t code = reason ? (uint32_t)reason->number : 0;
    const char *name = kmip_value_name(KMIP_E_ResultReason, code);
    char why[IOS_WHY_MAX];

    snprintf(why, sizeof why, "it refuses: %s%s%.*s", name ? name : "no reason is given",
             message ? ": " : "",
             message ? (int)(message->bytes.n < 140 ? message->bytes.n : 140) : 0,
             message ? (const char *)message->bytes.p : "");
    return fail(ask, code == KMIP_ResultReason_ItemNotFound ? KLM_E_NOTFOUND : KLM_E_DENIED, why);
}

/* The item that decides: the first that failed for a reason of its own, else the first. */
static const struct kmip_node *deciding(const struct kmip_node *answer, unsigned *n)
{
    const struct kmip_node *first = kmip_child(answer, KMIP_TAG_BatchItem), *failed = NULL;

    *n = 0;
    for (const struct kmip_node *one = first; one; one = kmip_next(one)) {
        const struct kmip_node *status = kmip_child(one, KMIP_TAG_ResultStatus);

        ++*n;
        if (!failed && (!status || status->number == KMIP_ResultStatus_OperationFailed)) {
            failed = one;
        }
    }
    return failed ? failed : first;
}

/* Send it; the payload of the first item when all succeeded (NULL when there is none). */
static klm_rc send(struct ask *ask, const struct kmip_node **payload)
{
    const struct kmip_node *answer = NULL, *result, *status;
    char why[IOS_WHY_MAX] = "";
    unsigned n = 0;
    klm_rc rc = ask->way->ask(ask->way->arg, ask->server, ask->message, ask->again, ask->pool,
                              &answer, why);

    if (rc != KLM_OK) { /* a host that is not there is no key that is not there */
        return fail(ask, rc == KLM_E_NOTFOUND || rc == KLM_E_DENIED ? KLM_E_IO : rc, why);
    }
    result = deciding(answer, &n);
    status = result ? kmip_child(result, KMIP_TAG_ResultStatus) : NULL;
    if (!status) {
        return fail(ask, KLM_E_INVALID, "its answer has no result");
    }
    if (status->number != KMIP_ResultStatus_Success) {
        return refusal(ask, result);
    }
    if (n != ask->n) {
        return fail(ask, KLM_E_INVALID, "it answers with another number of results");
    }
    if (payload) {
        *payload = kmip_child(result, KMIP_TAG_ResponsePayload);
    }
    return KLM_OK;
}

/* A text of the answer into an array of cap bytes: printable ASCII without blanks. */
static klm_rc take_text(const struct ask *ask, const struct kmip_node *item, char *out, size_t cap)
{
    bool good = item && item->type == KMIP_TEXT && item->bytes.n > 0 && item->bytes.n < cap;

    for (size_t i = 0; good && i < item->bytes.n; i++) {
        good = item->bytes.p[i] > 0x20 && item->bytes.p[i] < 0x7F;
    }
    if (!good) {
        return fail(ask, KLM_E_INVALID, "its answer has no Unique Identifier that can be kept");
    }
    memcpy(out, item->bytes.p, item->bytes.n);
    out[item->bytes.n] = '\0';
    return KLM_OK;
}

/* ---- What is asked */

/* 4.9 Locate: a Name is one object's. */
static klm_rc find(void *arg, const struct ios_keyserver *server, const char *name,
                   char uid[IOS_KEY_UID + 1], struct klm_diag *diag)
{
    KLM_AUTO(ask_done) struct ask ask = {.way = arg, .server = server, .diag = diag, .again = true};
    const struct kmip_node *payload = NULL;

    KLM_TRY(begin(&ask, 1));
    name_attribute(&ask, item(&ask, KMIP_Operation_Locate, NULL), name);
    KLM_TRY(send(&ask, &payload));
    if (!kmip_child(payload, KMIP_TAG_UniqueIdentifier)) {
        return fail(&ask, KLM_E_NOTFOUND, "it has no key of that Name");
    }
    return take_text(&ask, kmip_child(payload, KMIP_TAG_UniqueIdentifier), uid, IOS_KEY_UID + 1);
}

static void number_attribute(struct ask *ask, struct kmip_node *parent, const char *name,
                             enum kmip_type type, int64_t value)
{
    number(ask, attribute(ask, parent, name), KMIP_TAG_AttributeValue, type, value);
}

/* 4.1 Create. Not sent twice: whether a key was made is asked by its Name. */
static klm_rc make(void *arg, const struct ios_keyserver *server, const char *name,
                   const char *serial, char uid[IOS_KEY_UID + 1], struct klm_diag *diag)
{
    KLM_AUTO(ask_done) struct ask ask = {.way = arg, .server = server, .diag = diag};
    const struct kmip_node *made = NULL;
    struct kmip_node *payload, *attrs;

    KLM_TRY(begin(&ask, 1));
    payload = item(&ask, KMIP_Operation_Create, NULL);
    number(&ask, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION, KMIP_ObjectType_SymmetricKey);
    attrs = kmip_structure(ask.pool, payload, KMIP_TAG_TemplateAttribute);
    number_attribute(&ask, attrs, "Cryptographic Algorithm", KMIP_ENUMERATION,
                     KMIP_CryptographicAlgorithm_AES);
    number_attribute(&ask, attrs, "Cryptographic Length", KMIP_INTEGER, 256);
    number_attribute(&ask, attrs, "Cryptographic Usage Mask", KMIP_INTEGER,
                     KMIP_CryptographicUsageMask_Encrypt | KMIP_CryptographicUsageMask_Decrypt);
    name_attribute(&ask, attrs, name);
    text(&ask, attribute(&ask, attrs, "x-Serial"), KMIP_TAG_AttributeValue, serial);
    KLM_TRY(send(&ask, &made));
    return take_text(&ask, kmip_child(made, KMIP_TAG_UniqueIdentifier), uid, IOS_KEY_UID + 1);
}

/* 4.11 Get, and 2.1.3 to 2.1.5: the raw key. */
static klm_rc get(void *arg, const struct ios_keyserver *server, const char *uid,
                  uint8_t key[IOS_SUBKEY], struct klm_diag *diag)
{
    KLM_AUTO(ask_done) struct ask ask = {.way = arg, .server = server, .diag = diag, .again = true};
    const struct kmip_node *payload = NULL, *block, *algorithm, *format, *material;

    KLM_TRY(begin(&ask, 1));
    item(&ask, KMIP_Operation_Get, uid);
    KLM_TRY(send(&ask, &payload));
    block = kmip_child(kmip_child(payload, KMIP_TAG_SymmetricKey), KMIP_TAG_KeyBlock);
    algorithm = kmip_child(block, KMIP_TAG_CryptographicAlgorithm);
    format = kmip_child(block, KMIP_TAG_KeyFormatType);
    material = kmip_child(kmip_child(block, KMIP_TAG_KeyValue), KMIP_TAG_KeyMaterial);
    if (!material || material->type != KMIP_BYTES || material->bytes.n != IOS_SUBKEY || !format ||
        format->number != KMIP_KeyFormatType_Raw || !algorithm ||
        algorithm->number != KMIP_CryptographicAlgorithm_AES) {
        return fail(&ask, KLM_E_INVALID, "what it gives is no AES-256 key");
    }
    memcpy(key, material->bytes.p, IOS_SUBKEY);
    return KLM_OK;
}

static bool is_text(const struct kmip_node *item, const char *value)
{
    return item->type == KMIP_TEXT && klm_slice_equal(item->bytes, klm_slice_str(value));
}

static void take_link(const struct kmip_node *value, struct ios_key_look *out)
{
    const struct kmip_node *type = kmip_child(value, KMIP_TAG_LinkType);
    const struct kmip_node *to = kmip_child(value, KMIP_TAG_LinkedObjectIdentifier);
    char *at = !type || !to                                          ? NULL
               : type->number == KMIP_LinkType_ReplacedObjectLink    ? out->replaced
               : type->number == KMIP_LinkType_ReplacementObjectLink ? out->replacement
                                                                     : NULL;

    if (at && to->type == KMIP_TEXT && to->bytes.n <= IOS_KEY_UID) {
        memcpy(at, to->bytes.p, to->bytes.n);
        at[to->bytes.n] = '\0';
    }
}

/* 4.12 Get Attributes */
static klm_rc look(void *arg, const struct ios_keyserver *server, const char *uid,
                   struct ios_key_look *out, struct klm_diag *diag)
{
    KLM_AUTO(ask_done) struct ask ask = {.way = arg, .server = server, .diag = diag, .again = true};
    const struct kmip_node *payload = NULL;
    struct kmip_node *asked;

    KLM_TRY(begin(&ask, 1));
    asked = item(&ask, KMIP_Operation_GetAttributes, uid);
    text(&ask, asked, KMIP_TAG_AttributeName, "State");
    text(&ask, asked, KMIP_TAG_AttributeName, "Link");
    KLM_TRY(send(&ask, &payload));
    *out = (struct ios_key_look){0};
    for (const struct kmip_node *one = kmip_child(payload, KMIP_TAG_Attribute); one;
         one = kmip_next(one)) {
        const struct kmip_node *name = kmip_child(one, KMIP_TAG_AttributeName);
        const struct kmip_node *value = kmip_child(one, KMIP_TAG_AttributeValue);

        if (name && value && value->type == KMIP_ENUMERATION && is_text(name, "State")) {
            out->state = (uint32_t)value->number;
        } else if (name && is_text(name, "Link")) {
            take_link(value, out);
        }
    }
    return out->state ? KLM_OK : fail(&ask, KLM_E_INVALID, "it tells no State of a key");
}

/* 4.14 Add Attribute, 3.35 Link */
static void add_link(struct ask *ask, const char *uid, uint32_t type, const char *to)
{
    struct kmip_node *payload = item(ask, KMIP_Operation_AddAttribute, uid);
    struct kmip_node *value =
        kmip_structure(ask->pool, attribute(ask, payload, "Link"), KMIP_TAG_AttributeValue);

    number(ask, value, KMIP_TAG_LinkType, KMIP_ENUMERATION, type);
    text(ask, value, KMIP_TAG_LinkedObjectIdentifier, to);
}

/* 4.20 Revoke, 3.31: Superseded makes it Deactivated, and it can still be had. */
static void add_revoke(struct ask *ask, const char *uid)
{
    struct kmip_node *payload = item(ask, KMIP_Operation_Revoke, uid);
    struct kmip_node *reason = kmip_structure(ask->pool, payload, KMIP_TAG_RevocationReason);

    number(ask, reason, KMIP_TAG_RevocationReasonCode, KMIP_ENUMERATION,
           KMIP_RevocationReasonCode_Superseded);
}

static klm_rc turn(void *arg, const struct ios_keyserver *server, const struct ios_key_turn *steps,
                   struct klm_diag *diag)
{
    KLM_AUTO(ask_done) struct ask ask = {.way = arg, .server = server, .diag = diag};

    KLM_TRY(
        begin(&ask, (unsigned)steps->activate + steps->link_new + steps->link_old + steps->revoke));
    if (steps->activate) {
        item(&ask, KMIP_Operation_Activate, steps->new_uid);
    }
    if (steps->link_new) {
        add_link(&ask, steps->new_uid, KMIP_LinkType_ReplacedObjectLink, steps->old_uid);
    }
    if (steps->link_old) {
        add_link(&ask, steps->old_uid, KMIP_LinkType_ReplacementObjectLink, steps->new_uid);
    }
    if (steps->revoke) {
        add_revoke(&ask, steps->old_uid);
    }
    return send(&ask, NULL);
}

/* 4.21 Destroy */
static klm_rc destroy(void *arg, const struct ios_keyserver *server, const char *uid,
                      struct klm_diag *diag)
{
    KLM_AUTO(ask_done) struct ask ask = {.way = arg, .server = server, .diag = diag};

    KLM_TRY(begin(&ask, 1));
    item(&ask, KMIP_Operation_Destroy, uid);
    return send(&ask, NULL);
}

struct ios_keys_ops ios_kmip_keys(struct ios_kmip_way *way)
{
    return (struct ios_keys_ops){way, find, make, get, look, turn, destroy};
}
