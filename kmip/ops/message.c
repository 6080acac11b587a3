/* A message from its bytes to those of its answer (KMIP 1.4, 6 and 7; 2.1, 8 and 9): header, items, batch options. */
#include "kmip/codec/json.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"
#include "kmip/ops/ops_int.h"

#include <stdio.h>

#define POOL_MAX (256u << 20)
#define ANSWER_FIRST 900 /* bytes that most answers fit in */

static void finish(struct kmop_message *msg);

/* ---- The answer */

static void put_failure(struct kmop_item *item, struct kmip_node *to)
{
    struct klm_pool *pool = item->msg->pool;
    const struct klm_diag *diag =
        item->call && item->call->diag.msg ? &item->call->diag : item->diag;
    const char *text = diag && diag->msg ? diag->text : klm_rc_text(item->rc);

    kmip_put_number(pool, to, KMIP_TAG_ResultReason, KMIP_ENUMERATION, kmop_reason(item));
    /* Some clients fail on an error without a message. */
    kmip_put_bytes(pool, to, KMIP_TAG_ResultMessage, KMIP_TEXT, klm_slice_str(text));
}

/* Its payload, when it succeeded; a failure to make one is the item's. */
static klm_rc put_payload(struct kmop_item *item, struct kmip_node *to)
{
    struct kmip_node *payload;

    payload = kmip_structure(item->msg->pool, to, KMIP_TAG_ResponsePayload);
    if (!payload) {
        return KLM_E_NOMEM;
    }
    return item->op->answer(item, payload);
}

static void put_head(struct kmop_item *item, struct kmip_node *to)
{
    struct klm_pool *pool = item->msg->pool;

    if (item->operation) {
        kmip_put_number(pool, to, KMIP_TAG_Operation, KMIP_ENUMERATION, item->operation);
    }
    if (item->id.p) {
        kmip_put_bytes(pool, to, KMIP_TAG_UniqueBatchItemID, KMIP_BYTES, item->id);
    }
}

static struct kmip_node *new_item(struct kmop_item *item, uint32_t status)
{
    struct kmip_node *to = kmip_root(item->msg->pool, KMIP_TAG_BatchItem);

    put_head(item, to);
    kmip_put_number(item->msg->pool, to, KMIP_TAG_ResultStatus, KMIP_ENUMERATION, status);
    return to;
}

/* It failed: also what was undone may have, when its event could not be recorded and nothing of it may leave. */
static bool has_failed(const struct kmop_item *item)
{
    return item->rc != KLM_OK && !(item->fate == KM_FATE_UNDONE && item->rc == KLM_E_CANCELLED);
}

/* An item that was undone has the payload that it would have had (KMIP 1.4, 11.43: their responses are returned with Undone result status). */
static struct kmip_node *answer_item(struct kmop_item *item)
{
    struct kmip_node *to;

    if (!has_failed(item)) {
        to = new_item(item, item->fate == KM_FATE_UNDONE ? KMIP_ResultStatus_OperationUndone
                                                         : KMIP_ResultStatus_Success);
        item->rc = put_payload(item, to);
        if (item->rc == KLM_OK) {
            return to;
        }
    }
    to = new_item(item, KMIP_ResultStatus_OperationFailed);
    put_failure(item, to);
    return to;
}

static struct kmip_node *answer_header(struct kmop_message *msg, size_t items)
{
    struct kmip_node *root = kmip_root(msg->pool, KMIP_TAG_ResponseMessage);
    struct kmip_node *header = kmip_structure(msg->pool, root, KMIP_TAG_ResponseHeader);
    struct kmip_node *version = kmip_structure(msg->pool, header, KMIP_TAG_ProtocolVersion);

    kmip_put_number(msg->pool, version, KMIP_TAG_ProtocolVersionMajor, KMIP_INTEGER,
                    msg->version / 16);
    kmip_put_number(msg->pool, version, KMIP_TAG_ProtocolVersionMinor, KMIP_INTEGER,
                    msg->version % 16);
    kmip_put_number(msg->pool, header, KMIP_TAG_TimeStamp, KMIP_DATE_TIME, klm_clock() / 1000000);
    if (msg->server_hashed.n) { /* KMIP 2.1, 8.5: if a Hashed Password credential was used */
        kmip_put_bytes(msg->pool, header, KMIP_TAG_ServerHashedPassword, KMIP_BYTES,
                       msg->server_hashed);
    }
    if (msg->correlation.n) {
        kmip_put_bytes(msg->pool, header, KMIP_TAG_ClientCorrelationValue, KMIP_TEXT,
                       msg->correlation);
    }
    if (msg->actor.request) { /* KMIP 1.4, 6.19: SHOULD be provided by the server */
        kmip_put_bytes(msg->pool, header, KMIP_TAG_ServerCorrelationValue, KMIP_TEXT,
                       klm_slice_str(msg->actor.request));
    }
    kmip_put_number(msg->pool, header, KMIP_TAG_BatchCount, KMIP_INTEGER, (int64_t)items);
    return root;
}

static void encode(struct kmop_message *msg, const struct kmip_node *root, struct klm_buf *out)
{
    klm_buf_init_wiping(out, KMOP_ANSWER_MAX);
    (void)klm_buf_room(out, ANSWER_FIRST); /* the buffer remembers failures */
    switch (msg->req.encoding) {
    case KMOP_TTLV:
        kmip_ttlv_encode(root, msg->version, out);
        break;
    case KMOP_XML:
        kmip_xml_encode(root, msg->version, msg->pool, out);
        break;
    case KMOP_JSON:
        kmip_json_encode(root, msg->version, msg->pool, out);
        break;
    }
}

static size_t size_in_ttlv(const struct kmop_message *msg, const struct kmip_node *root)
{
    struct klm_buf buf;
    size_t n;

    klm_buf_init_wiping(&buf, KMOP_ANSWER_MAX);
    kmip_ttlv_encode(root, msg->version, &buf);
    n = klm_buf_rc(&buf) == KLM_OK ? buf.n : SIZE_MAX;
    klm_buf_done(&buf);
    return n;
}

/* Returns its size in TTLV, which Maximum Response Size counts in every encoding, so that it means the same in each. */
static size_t encode_items(struct kmop_message *msg, struct klm_buf *out)
{
    size_t n = 0;
    struct kmip_node *root;

    for (size_t i = 0; i < msg->n; i++) {
        n += msg->item[i].fate != KM_FATE_WAITS;
    }
    root = answer_header(msg, n);
    for (size_t i = 0; i < msg->n; i++) {
        if (msg->item[i].fate != KM_FATE_WAITS) {
            kmip_append(root, answer_item(&msg->item[i]));
        }
    }
    encode(msg, root, out);
    return msg->req.encoding == KMOP_TTLV || msg->max_response <= 0 ? out->n
                                                                    : size_in_ttlv(msg, root);
}

/* One item that says what is wrong with all of the message. */
static void encode_refusal(struct kmop_message *msg, klm_rc rc, struct klm_diag *diag,
                           struct klm_buf *out)
{
    struct kmop_item item = {.msg = msg, .rc = rc, .diag = diag, .fate = KM_FATE_DONE};
    struct kmip_node *root = answer_header(msg, 1);

    kmip_append(root, answer_item(&item));
    encode(msg, root, out);
}

/* KMIP 1.4, 6.3: an answer beyond Maximum Response Size is an error in its place, as is one that its encoding cannot hold. What was done stays done. */
static void keep_within(struct kmop_message *msg, size_t size, struct klm_buf *out)
{
    const bool held = klm_buf_rc(out) != KLM_E_UNSUPPORTED;
    const char *most;

    if (klm_buf_rc(out) == KLM_OK &&
        (msg->max_response <= 0 || size <= (uint64_t)msg->max_response)) {
        return;
    }
    most = KLM_NUM(msg->max_response > 0 && msg->max_response < KMOP_ANSWER_MAX ? msg->max_response
                                                                                : KMOP_ANSWER_MAX);
    for (size_t i = 0; i < msg->n; i++) {
        struct kmop_item *item = &msg->item[i];

        if (item->fate != KM_FATE_WAITS) { /* what was undone shows its answer, too */
            item->rc = held ? kmop_fail(item, KLM_E_LIMIT, KLM_MSG_KMIP_LARGE, most)
                            : kmop_fail(item, KLM_E_UNSUPPORTED, KLM_MSG_KMIP_XML);
        }
    }
    klm_buf_done(out);
    (void)encode_items(msg, out); /* small now */
}

/* The message lies in its own pool. */
static void let_go(struct kmop_message *msg)
{
    struct klm_pool *pool = msg->pool;

    for (size_t i = 0; i < msg->n; i++) {
        km_call_free(&msg->item[i].call);
    }
    dt_clients_free(&msg->clients);
    klm_pool_free(&pool);
}

static void deliver(struct kmop_message *msg, struct klm_buf *out, bool close)
{
    const struct kmop_request req = msg->req;

    if (klm_buf_rc(out) != KLM_OK) {
        klm_buf_done(out);
        klm_buf_init_wiping(out, 0);
        close = true;
    }
    let_go(msg);
    req.done(req.arg, out, close);
}

/* What is no operation is no verb, so its event is made here. Anybody may send it, and much of it. */
static void tell_refused(struct kmop_message *msg, const struct klm_diag *diag)
{
    const struct km_news news = {.what = KM_HAP_KMIP_MESSAGE,
                                 .failed = true,
                                 .actor = &msg->actor,
                                 .object = msg->req.address,
                                 .why = diag};

    km_happened_to_stranger(msg->req.config->server, &news);
}

/* Items whose operation is none that is supported have no call. */
static void tell_unsupported(struct kmop_message *msg)
{
    for (size_t i = 0; i < msg->n; i++) {
        const struct klm_diag *why = msg->item[i].op ? NULL : msg->item[i].diag;

        if (why && why->msg) {
            tell_refused(msg, why);
        }
    }
}

static void finish(struct kmop_message *msg)
{
    struct klm_buf out;
    size_t size;

    tell_unsupported(msg);
    size = encode_items(msg, &out);
    keep_within(msg, size, &out);
    deliver(msg, &out, false);
}

static void refuse(struct kmop_message *msg, klm_rc rc, struct klm_diag *diag, bool close)
{
    struct klm_buf out;

    encode_refusal(msg, rc, diag, &out);
    deliver(msg, &out, close);
}

/* A caller who is not who he says: recorded as an authentication that failed. */
static void refuse_caller(struct kmop_message *msg, klm_rc rc, struct klm_diag *diag)
{
    const struct km_news news = {.what = KM_HAP_KMIP_REFUSED,
                                 .failed = true,
                                 .actor = &msg->actor,
                                 .object = msg->actor.name,
                                 .auth_type = "credential",
                                 .why = diag};

    km_happened_to_stranger(msg->req.config->server, &news);
    refuse(msg, rc, diag, false);
}

/* ---- Carrying it out */

static klm_rc fill(void *arg, size_t i)
{
    struct kmop_message *msg = arg;
    struct kmop_item *item = &msg->item[i];

    if (!item->op) {
        const char *name = kmip_value_name(KMIP_E_Operation, item->operation);
        const char *version =
            klm_pool_printf(msg->pool, "%d.%d", msg->version / 16, msg->version % 16);

        return kmop_fail(item, KLM_E_UNSUPPORTED, KLM_MSG_KMIP_OPERATION,
                         name ? name : "of that number", version ? version : "");
    }
    KLM_TRY(km_call_right(item->call)); /* before anything of the payload is looked at */
    if (item->critical) {
        return kmop_fail(item, KLM_E_UNSUPPORTED, KLM_MSG_KMIP_EXTENSION);
    }
    KLM_TRY(kmop_shape_payload(item));
    KLM_TRY(kmop_ids_resolve(item));
    KLM_TRY(kmop_data_resolve(item));
    return item->op->fill(item);
}

static const char *made_by(const struct kmop_item *item)
{
    const struct km_locate *found = item->call->req;

    switch (item->op->verb) {
    case KM_OBJECT_CREATE:
    case KM_OBJECT_PAIR:
    case KM_OBJECT_REGISTER:
    case KM_OBJECT_REKEY:
    case KM_OBJECT_REKEY_PAIR:
    case KM_OBJECT_CERTIFY:
    case KM_OBJECT_RECERTIFY:
    case KM_OBJECT_DERIVE: /* its request begins as theirs */
        return ((const struct km_object_make *)item->call->req)->made[0];
    case KM_OBJECT_LOCATE: /* only if exactly one was found */
        return found->n == 1 ? found->uid[0] : NULL;
    case KM_OBJECT_CHECK: /* gone, if it was not allowed */
        return item->placeholder;
    case KM_OBJECT_RECOVER:
        return ((const struct km_object_state *)item->call->req)->uid;
    default:
        return item->msg->placeholder;
    }
}

/* KMIP 1.4, 4: what was made or found is what later items mean that name nothing. */
static void ended(void *arg, size_t i)
{
    struct kmop_message *msg = arg;

    if (msg->item[i].call) {
        msg->placeholder = made_by(&msg->item[i]);
        msg->item[i].answered = true;
    }
}

static void batch_done(void *arg)
{
    struct kmop_message *msg = arg;

    for (size_t i = 0; i < msg->n; i++) {
        msg->item[i].fate = msg->batch_item[i].fate;
        msg->item[i].rc = msg->batch_item[i].rc;
    }
    finish(msg);
}

static void single_done(struct km_call *call)
{
    struct kmop_message *msg = call->arg;

    msg->item[0].rc = call->rc;
    finish(msg);
}

static klm_rc new_calls(struct kmop_message *msg)
{
    for (size_t i = 0; i < msg->n; i++) {
        struct kmop_item *item = &msg->item[i];

        if (item->op) {
            KLM_TRY(km_call_new(msg->req.config->server, item->op->verb, &msg->actor, &item->call));
        }
    }
    return KLM_OK;
}

/* A request that cannot be filled in is refused like others: with its event. */
static void run_single(struct kmop_message *msg)
{
    struct kmop_item *item = &msg->item[0];

    item->fate = KM_FATE_DONE;
    item->rc = fill(msg, 0);
    if (!item->call) {
        finish(msg);
        return;
    }
    item->call->loop = msg->req.config->loop;
    item->call->done = single_done;
    item->call->arg = msg;
    if (item->rc == KLM_OK) {
        km_run(item->call);
    } else {
        item->call->rc = item->rc;
        km_refused(item->call);
    }
}

static void run_batch(struct kmop_message *msg)
{
    for (size_t i = 0; i < msg->n; i++) {
        msg->batch_item[i].call = msg->item[i].call;
    }
    msg->batch.server = msg->req.config->server;
    msg->batch.item = msg->batch_item;
    msg->batch.n = msg->n;
    msg->batch.fill = fill;
    msg->batch.ended = ended;
    msg->batch.done = batch_done;
    msg->batch.arg = msg;
    msg->batch.loop = msg->req.config->loop;
    km_batch_run(&msg->batch);
}

/* ---- From its bytes on */

static void start(struct kmop_message *msg)
{
    klm_rc rc = new_calls(msg);

    if (rc != KLM_OK) {
        refuse(msg, rc, NULL, false);
    } else if (msg->n == 1) {
        run_single(msg);
    } else {
        run_batch(msg);
    }
}

/* ---- What counts once is used up before anything is carried out. */

static void proved(struct km_call *call)
{
    struct kmop_message *msg = call->arg;
    const struct km_client_prove *req = call->req;
    const klm_rc rc = call->rc;

    if (rc != KLM_OK && (msg->why = klm_pool_alloc(msg->pool, sizeof *msg->why))) {
        *msg->why = call->diag;
    }
    if (rc == KLM_OK && req->answer_n > 0 &&
        klm_pool_slice(msg->pool, KLM_SLICE(req->answer, req->answer_n), &msg->server_hashed) !=
            KLM_OK) {
        msg->server_hashed = (struct klm_slice){0};
    }
    km_call_free(&call);
    if (rc == KLM_OK) {
        start(msg);
    } else {
        refuse(msg, rc, msg->why, false); /* the verb has its event */
    }
}

/* The client showed what it has to, as far as that was looked at. */
static void admit(struct kmop_message *msg)
{
    const struct km_credential *shown = &msg->credential;
    struct km_call *call = NULL;
    struct km_client_prove *req;
    klm_rc rc;

    if (!msg->registered || (!shown->once.p && !shown->hashed.p)) {
        start(msg);
        return;
    }
    rc = km_call_new(msg->req.config->server, KM_CLIENT_PROVE, &msg->actor, &call);
    if (rc != KLM_OK) {
        refuse(msg, rc, NULL, false);
        return;
    }
    req = call->req;
    req->once = shown->once;
    req->hashed = shown->hashed;
    req->timestamp = shown->timestamp;
    req->algorithm = shown->algorithm;
    call->loop = msg->req.config->loop;
    call->done = proved;
    call->arg = msg;
    km_run(call);
}

/* ---- Passwords take a worker's time. */

static struct kmop_message *of_job(struct klm_job *job)
{
    return (struct kmop_message *)(void *)((char *)job - offsetof(struct kmop_message, job));
}

static void check_password(struct klm_job *job)
{
    struct kmop_message *msg = of_job(job);

    msg->rc = kmop_caller_password(msg, msg->why);
}

static void password_checked(struct klm_job *job)
{
    struct kmop_message *msg = of_job(job);

    if (msg->rc == KLM_OK) {
        admit(msg);
    } else {
        refuse_caller(msg, msg->rc, msg->why);
    }
}

static void identify(struct kmop_message *msg)
{
    struct klm_diag diag;
    klm_rc rc;

    klm_diag_init(&diag);
    rc = kmop_caller(msg, &diag);
    if (rc == KLM_E_AGAIN) {
        msg->why = klm_pool_alloc(msg->pool, sizeof *msg->why);
        msg->job = (struct klm_job){
            .run = check_password, .done = password_checked, .loop = msg->req.config->loop};
        rc = msg->why ? klm_workers_submit(km_client_workers(msg->req.config->server), &msg->job)
                      : KLM_E_NOMEM;
        if (rc == KLM_OK) {
            return;
        }
    }
    if (rc == KLM_OK) {
        admit(msg);
    } else {
        refuse_caller(msg, rc, &diag);
    }
}

void kmop_run(const struct kmop_request *request)
{
    struct klm_pool *pool = NULL;
    struct kmop_message *msg;
    struct klm_diag diag;
    bool readable = false;
    klm_rc rc;

    if (klm_pool_new_wiping(POOL_MAX, &pool) != KLM_OK ||
        !(msg = klm_pool_alloc(pool, sizeof *msg))) {
        struct klm_buf empty;

        klm_pool_free(&pool);
        klm_buf_init_wiping(&empty, 0);
        request->done(request->arg, &empty, true);
        return;
    }
    msg->req = *request;
    msg->pool = pool;
    msg->version = KMIP_V_FIRST;
    klm_diag_init(&diag);
    rc = kmop_read(msg, &diag, &readable);
    if (rc == KLM_OK) {
        identify(msg);
    } else {
        kmop_caller_named(msg);
        tell_refused(msg, &diag);
        refuse(msg, rc, &diag, !readable);
    }
}

void kmop_sweep(struct km_server *server)
{
    km_objects_sweep(server);
}
