/* One drive session: bytes to messages, messages to verbs, answers back (exchange/PROTOCOL.md). It decides nothing; who the drive is and what it
 * gets is decided by the verbs. */
#include "klmsrv/sessions.h"

#include "base/digest.h"
#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void process(struct srv_session *session);

/* ---- Answers */

static void send_buf(struct srv_session *session, struct klm_buf *buf, klm_rc rc)
{
    if (rc == KLM_OK && session->stream) {
        kx_stamp(buf, session->version);
        rc = klm_stream_send(session->stream, klm_buf_as_slice(buf));
    }
    if (rc != KLM_OK) {
        session->end = SRV_END_ERROR;
        srv_session_end(session);
    }
    klm_buf_done(buf);
}

static void send_error(struct srv_session *session, uint32_t id, uint16_t code,
                       const char *message_id, const char *text)
{
    struct kx_error error = {.code = code};
    struct klm_buf buf;

    if (!session->stream || !klm_stream_ssl(session->stream)) {
        return; /* nothing is said in clear */
    }
    snprintf(error.message_id, sizeof error.message_id, "%s", message_id);
    snprintf(error.text, sizeof error.text, "%.255s",
             klm_msg_sentence(klm_msg_find(message_id), text));
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    send_buf(session, &buf, kx_encode_error(&error, id, &buf));
}

/* A refusal of the session itself: told, then closed. A flood of them is said in part only. */
static void fail_session(struct srv_session *session, uint32_t id, uint16_t code,
                         enum klm_msg_id msg, const char *const *args)
{
    char text[KLM_MSG_TEXT_MAX];

    if (srv_sessions_may_say(session->set)) {
        klm_say_(msg, args);
    }
    srv_session_tell_failed(session, msg, args);
    klm_msg_format(msg, args, text, sizeof text);
    send_error(session, id, code, klm_msg(msg)->id, text);
    srv_session_end(session);
}
#define FAIL_SESSION(session, id, code, msg, ...)                                                  \
    fail_session(session, id, code, msg,                                                           \
                 (const char *const[]){srv_session_name(session), __VA_ARGS__, NULL})

static void send_plain(struct srv_session *session, enum kx_type type, uint32_t id)
{
    struct klm_buf buf;

    klm_buf_init(&buf, KX_MESSAGE_MAX);
    send_buf(session, &buf, kx_encode_plain(type, id, &buf));
}

static struct kx_hello own_hello(void)
{
    return (struct kx_hello){.version_min = KX_VERSION, .version_max = KX_VERSION_MAX};
}

/* The last message of version 1: it names the one in use from here on. */
static void send_confirmed(struct srv_session *session)
{
    struct kx_confirm confirm = {
        .hello = {.version_min = session->agreed, .version_max = session->agreed}};
    struct klm_buf buf;

    memcpy(confirm.hellos, session->hellos, sizeof confirm.hellos);
    klm_buf_init(&buf, KX_MESSAGE_MAX);
    send_buf(session, &buf, kx_encode_confirm(&confirm, &buf));
    session->version = session->agreed;
}

/* ---- Verbs */

struct request {
    struct srv_session *session;
    uint32_t id;
    enum kx_type answer;
};

static void send_keyed(struct srv_session *session, const struct request *request,
                       struct km_call *call)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, KX_MESSAGE_MAX);
    send_buf(session, &buf, kx_encode_keyed(request->answer, &call->keyed, request->id, &buf));
}

static void send_stored(struct srv_session *session, const struct request *request,
                        struct km_call *call)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, KX_MESSAGE_MAX);
    send_buf(session, &buf, kx_encode_stored(request->answer, &call->stored, request->id, &buf));
}

static void answer(struct srv_session *session, const struct request *request, struct km_call *call)
{
    if (call->rc != KLM_OK || call->device_code) {
        send_error(session, request->id, call->device_code ? call->device_code : 0xEE0F,
                   klm_msg(call->diag.msg)->id, call->diag.text);
    } else if (request->answer == KX_VERIFIED) {
        send_plain(session, KX_VERIFIED, request->id);
    } else if (request->answer == KX_STORED_CREATED || request->answer == KX_STORED_GOT) {
        send_stored(session, request, call);
    } else {
        send_keyed(session, request, call);
    }
}

static void call_done(struct km_call *call)
{
    struct request request = *(struct request *)call->arg;
    struct srv_session *session = request.session;

    if (session->stream) {
        answer(session, &request, call);
        klm_stream_pause(session->stream, session->closing);
    }
    km_call_free(&call);
    srv_session_call_done(session);
}

static void contact_done(struct km_call *call)
{
    struct request request = *(struct request *)call->arg;
    struct srv_session *session = request.session;
    bool admitted = call->rc == KLM_OK && call->device_code == 0;

    session->contacting = false;
    session->admitted = session->admitted || admitted;
    if (session->stream && admitted) {
        session->state = KX_READY;
        if (call->drive.fingerprint[0]) {
            memcpy(session->fingerprint, call->drive.fingerprint, sizeof session->fingerprint);
        }
        klm_stream_message_done(session->stream);
        send_confirmed(session);
    } else if (session->stream) {
        answer(session, &request, call);
        srv_session_end(session);
    }
    km_call_free(&call);
    if (session->stream && admitted) {
        klm_stream_pause(session->stream, false);
        process(session);
    }
    srv_session_call_done(session);
}

static klm_rc new_call(struct srv_session *session, enum km_verb_id verb, uint32_t id,
                       enum kx_type answer_type, struct km_call **out)
{
    struct km_actor actor =
        srv_session_actor(session, session->state == KX_READY ? KM_ROLE_DRIVE : 0);
    struct km_call *call;
    struct request *request;

    actor.stranger = session->state != KX_READY;
    KLM_TRY(km_call_new(session->set->server, verb, &actor, &call));
    request = klm_pool_alloc(call->pool, sizeof *request);
    if (!request) {
        km_call_free(&call);
        return KLM_E_NOMEM;
    }
    *request = (struct request){session, id, answer_type};
    call->arg = request;
    call->loop = session->set->loop;
    call->done = verb == KM_DRIVE_CONTACT ? contact_done : call_done;
    *out = call;
    return KLM_OK;
}

static void run(struct srv_session *session, struct km_call *call)
{
    if (++session->calls >= SRV_IN_FLIGHT) {
        klm_stream_pause(session->stream, true);
    }
    km_run(call);
}

static klm_rc copy_eedks(struct km_call *call, const struct kx_get *get, struct klm_slice *out)
{
    for (size_t i = 0; i < get->eedk_n; i++) {
        KLM_TRY(klm_pool_slice(call->pool, get->eedk[i], &out[i]));
    }
    return KLM_OK;
}

static klm_rc fill_create(struct srv_session *session, struct km_call *call,
                          const struct kx_create *create)
{
    struct km_key_create *req = call->req;

    req->serial = session->serial;
    req->volser = klm_pool_str(call->pool, create->volser);
    memcpy(req->labels, create->labels, sizeof req->labels);
    req->labels_n = create->labels_n;
    req->session_key = session->key;
    return req->volser ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc fill_get(struct srv_session *session, struct km_call *call, const struct kx_get *get)
{
    struct km_key_get *req = call->req;

    req->serial = session->serial;
    req->volser = klm_pool_str(call->pool, get->volser);
    req->eedk_n = get->eedk_n;
    req->session_key = session->key;
    return req->volser ? copy_eedks(call, get, req->eedk) : KLM_E_NOMEM;
}

static klm_rc fill_translate(struct srv_session *session, struct km_call *call,
                             const struct kx_translate *translate)
{
    struct km_key_translate *req = call->req;

    req->serial = session->serial;
    req->volser = klm_pool_str(call->pool, translate->old.volser);
    req->eedk_n = translate->old.eedk_n;
    memcpy(req->labels, translate->labels, sizeof req->labels);
    req->labels_n = translate->labels_n;
    return req->volser ? copy_eedks(call, &translate->old, req->eedk) : KLM_E_NOMEM;
}

static klm_rc fill_stored(struct srv_session *session, struct km_call *call, const char *volser,
                          const uint8_t *key_id)
{
    struct km_stored *req = call->req;

    req->serial = session->serial;
    req->volser = klm_pool_str(call->pool, volser);
    req->session_key = session->key;
    if (key_id) {
        memcpy(req->key_id, key_id, sizeof req->key_id);
    }
    return req->volser ? KLM_OK : KLM_E_NOMEM;
}

/* The message into the verb's request. */
static klm_rc fill(struct srv_session *session, struct km_call *call,
                   const struct kx_message *message)
{
    switch (message->type) {
    case KX_VERIFY:
        ((struct km_verify *)call->req)->serial = session->serial;
        return KLM_OK;
    case KX_CREATE:
        return fill_create(session, call, &message->u.create);
    case KX_GET:
        return fill_get(session, call, &message->u.get);
    case KX_TRANSLATE:
        return fill_translate(session, call, &message->u.translate);
    case KX_STORED_CREATE:
        return fill_stored(session, call, message->u.stored_create.volser, NULL);
    case KX_STORED_GET:
        return fill_stored(session, call, message->u.stored_get.volser,
                           message->u.stored_get.key_id);
    default:
        return KLM_E_STATE;
    }
}

static klm_rc start_request(struct srv_session *session, const struct kx_message *message)
{
    const enum km_verb_id verb = km_verb_for(message->type, (enum dt_kind)session->kind);
    struct km_call *call;
    klm_rc rc;

    if (verb == KM_VERBS) {
        return KLM_E_STATE; /* kx_next lets none of these through */
    }
    KLM_TRY(new_call(session, verb, message->id, (enum kx_type)(message->type | KX_ANSWER), &call));
    rc = fill(session, call, message);
    if (rc != KLM_OK) {
        km_call_free(&call);
        return rc;
    }
    run(session, call);
    return KLM_OK;
}

/* ---- Opening a session */

static void take_identity(struct srv_session *session, const struct kx_hello *hello)
{
    memcpy(session->serial, hello->serial, sizeof session->serial);
    memcpy(session->wwn, hello->wwn, sizeof session->wwn);
    session->kind = hello->kind;
}

static klm_rc clear_hello(struct srv_session *session, const struct kx_hello *hello)
{
    const struct kx_hello mine = own_hello();
    struct km_state *state = km_state_get(session->set->server);
    struct klm_buf buf;
    klm_rc rc;

    take_identity(session, hello);
    klm_buf_init(&buf, sizeof session->hello_server);
    rc = kx_encode_hello(KX_HELLO_SERVER, &mine, &buf);
    if (rc == KLM_OK) {
        memcpy(session->hello_server, buf.p, buf.n);
        session->hello_server_n = buf.n;
        rc = klm_sha256((struct klm_slice[]){{session->hello, session->hello_n},
                                             {session->hello_server, session->hello_server_n}},
                        2, session->hellos);
    }
    if (rc == KLM_OK) {
        rc = klm_stream_send(session->stream, klm_buf_as_slice(&buf));
    }
    if (rc == KLM_OK) {
        rc = klm_stream_secure(session->stream, state->tls_ctx);
    }
    klm_buf_done(&buf);
    km_state_put(&state);
    return rc;
}

static bool same_hello(const struct srv_session *session, const struct kx_hello *hello)
{
    return strcmp(session->serial, hello->serial) == 0 && strcmp(session->wwn, hello->wwn) == 0 &&
           session->kind == hello->kind;
}

/* The certificate: from TLS, else from the message with a signature over this session's binding value. */
static klm_rc fill_contact(struct srv_session *session, struct km_call *call,
                           const struct kx_confirm *confirm)
{
    struct km_contact *req = call->req;
    struct ssl_st *ssl = klm_stream_ssl(session->stream);
    uint8_t binding[32];

    req->serial = session->serial;
    req->wwn = session->wwn;
    req->kind = session->kind;
    if (klm_tls_peer_cert(ssl, call->pool, &req->cert) == KLM_OK || confirm->cert.n == 0) {
        return KLM_OK;
    }
    KLM_TRY(
        klm_tls_exporter(ssl, KX_BINDING_LABEL, (struct klm_slice){0}, binding, sizeof binding));
    KLM_TRY(klm_pool_slice(call->pool, KLM_SLICE(binding, sizeof binding), &req->binding));
    KLM_TRY(klm_pool_slice(call->pool, confirm->signature, &req->signature));
    return klm_pool_slice(call->pool, confirm->cert, &req->cert);
}

static klm_rc confirm(struct srv_session *session, const struct kx_confirm *confirm)
{
    const struct kx_hello mine = own_hello();
    struct km_call *call;
    klm_rc rc;

    if (!klm_secret_equal(confirm->hellos, session->hellos, sizeof session->hellos) ||
        (session->tcp && !same_hello(session, &confirm->hello))) {
        FAIL_SESSION(session, 0, 0xEE29, KLM_MSG_KX_HELLOS, NULL);
        return KLM_OK;
    }
    take_identity(session, &confirm->hello);
    session->agreed = kx_version_shared(&mine, &confirm->hello);
    if (session->agreed == 0) {
        FAIL_SESSION(session, 0, 0xEE2D, KLM_MSG_KX_VERSION, KLM_NUM(confirm->hello.version_min),
                     KLM_NUM(confirm->hello.version_max));
        return KLM_OK;
    }
    KLM_TRY(klm_tls_exporter(klm_stream_ssl(session->stream), KX_EXPORTER_LABEL,
                             (struct klm_slice){0}, session->key, SRV_KEY));
    KLM_TRY(new_call(session, KM_DRIVE_CONTACT, 0, KX_CONFIRMED, &call));
    rc = fill_contact(session, call, confirm);
    if (rc != KLM_OK) {
        km_call_free(&call);
        return rc;
    }
    session->contacting = session->contacted = true;
    klm_stream_pause(session->stream, true);
    run(session, call);
    return KLM_OK;
}

/* ---- Messages */

static klm_rc dispatch(struct srv_session *session, const struct kx_message *message)
{
    enum kx_state next;

    if (kx_next(session->state, message->type, &next) != KLM_OK) {
        FAIL_SESSION(session, message->id, 0xEE2D, KLM_MSG_KX_SEQUENCE,
                     kx_type_name(message->type));
        return KLM_OK;
    }
    switch (session->state) {
    case KX_AWAIT_HELLO:
        session->state = next;
        return clear_hello(session, &message->u.hello);
    case KX_AWAIT_CONFIRM:
        if (message->type == KX_CONFIRM) {
            return confirm(session, &message->u.confirm);
        }
        break;
    case KX_READY:
        if (message->type != KX_BYE) {
            session->begun = false;
            klm_stream_message_done(session->stream);
            return start_request(session, message);
        }
        session->end = SRV_END_BYE;
        break;
    case KX_UPGRADE:
    case KX_CLOSED:
        break;
    }
    srv_session_end(session);
    return KLM_OK;
}

/* Take one message off the input. KLM_E_AGAIN: there is no whole one. */
static klm_rc take_one(struct srv_session *session)
{
    struct klm_buf *input = klm_stream_input(session->stream);
    struct kx_message message;
    size_t used = 0, need = 0;
    klm_rc rc = kx_decode(klm_buf_as_slice(input), &message, &used, &need);

    if (rc == KLM_E_AGAIN) {
        if (input->n > 0 && session->state == KX_READY && !session->begun) {
            session->begun =
                true; /* from the first byte on: who sends one now and then gets no more time */
            klm_stream_message_begun(session->stream);
        }
        return rc;
    }
    if (rc == KLM_E_LIMIT) {
        FAIL_SESSION(session, 0, 0xEE2D, KLM_MSG_KX_TOO_LONG, KLM_NUM(KX_MESSAGE_MAX));
        return KLM_E_AGAIN;
    }
    if (rc == KLM_OK && message.version != session->version) {
        rc = KLM_E_INVALID; /* PROTOCOL.md, 8: later messages are of the version in use */
    }
    if (rc != KLM_OK) {
        FAIL_SESSION(session, 0, 0xEE2D, KLM_MSG_KX_MALFORMED, klm_rc_text(rc));
        return KLM_E_AGAIN;
    }
    if (session->state == KX_AWAIT_HELLO) {
        /* Nothing may stand behind the hello: it would be taken for TLS, or hide from its hash. */
        if (input->n != used || used > sizeof session->hello) {
            return KLM_E_STATE;
        }
        memcpy(session->hello, input->p, used);
        session->hello_n = used;
        klm_buf_drop(input, used);
        return dispatch(session, &message);
    }
    rc = dispatch(session, &message); /* the message borrows from the input until here */
    if (session->stream) {
        klm_buf_drop(klm_stream_input(session->stream), used);
    }
    return rc;
}

static void process(struct srv_session *session)
{
    klm_rc rc = KLM_OK;

    if (session->processing) {
        return; /* a verb that was answered at once: the loop further out goes on */
    }
    session->processing = true;
    while (rc == KLM_OK && session->stream && !session->closing && !session->contacting &&
           session->state != KX_UPGRADE && session->calls < SRV_IN_FLIGHT) {
        rc = take_one(session);
    }
    session->processing = false;
    if (rc != KLM_OK && rc != KLM_E_AGAIN) {
        session->end = SRV_END_ERROR;
        srv_session_end(session);
    }
}

static void on_data(void *arg, struct klm_stream *stream)
{
    (void)stream;
    process(arg);
}

static void on_secured(void *arg, struct klm_stream *stream)
{
    struct srv_session *session = arg;

    session->state = KX_AWAIT_CONFIRM;
    klm_stream_message_begun(stream); /* the confirmation is waited for, but not for ever */
    process(session);
}

static void on_closed(void *arg, struct klm_stream *stream, klm_rc why)
{
    struct srv_session *session = arg;

    klm_trace("transport", "session of %s at %s closed: %s", session->serial, session->address,
              klm_rc_text(why));
    srv_session_tell_end(session, why);
    klm_stream_free(&stream);
    session->stream = NULL;
    srv_session_gone(session);
}

const struct klm_stream_owner srv_session_owner = {
    .data = on_data, .secured = on_secured, .closed = on_closed};

klm_rc srv_session_begin(struct srv_session *session)
{
    struct km_state *state;
    klm_rc rc;

    snprintf(session->address, sizeof session->address, "%s", klm_stream_peer(session->stream));
    session->version = KX_VERSION;
    if (session->tcp) {
        session->state = KX_AWAIT_HELLO;
        klm_stream_message_begun(session->stream);
        return KLM_OK;
    }
    session->state = KX_UPGRADE;
    state = km_state_get(session->set->server);
    rc = klm_stream_secure(session->stream, state->tls_ctx);
    km_state_put(&state);
    return rc;
}

void srv_session_end(struct srv_session *session)
{
    session->closing = true;
    if (session->stream && session->calls == 0) {
        klm_stream_close(session->stream);
    } else if (session->stream) {
        klm_stream_pause(session->stream, true);
    }
}
