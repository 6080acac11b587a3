/* One session of a partner on the listening side: bytes to messages, messages to verbs, answers back. One request at a time; while it
 * is under way nothing is read, so its message stays where it is and nothing has to be copied. */
#include "replication/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void process(struct repl_session *session);

/* ---- What is told of a session */

static void record(struct repl_session *session, enum km_happening what, bool failed,
                   const struct klm_diag *why)
{
    const struct km_actor actor = repl_session_actor(session);
    const struct km_news news = {
        .what = what, .failed = failed, .actor = &actor, .object = session->address, .why = why};

    if (!session->told) {
        session->told = true;
        if (session->phase == REPL_ADMITTED) {
            km_happened(session->set->server, &news);
        } else {
            km_happened_to_stranger(session->set->server, &news);
        }
    }
}

static void tell_end(struct repl_session *session, klm_rc why)
{
    bool failed = why != KLM_OK && why != KLM_E_CLOSED;
    const char *words = klm_stream_why(session->stream);
    struct klm_diag diag = {0};

    failed = failed || session->replaced;
    words = session->replaced ? "a limit was reached, and it had waited longest"
            : words[0]        ? words
            : failed          ? klm_rc_text(why)
                              : "it was closed";
    if (session->phase == REPL_ADMITTED) {
        (void)klm_fail(&diag, why, KLM_MSG_PARTNER_ENDED, session->name, words);
        record(session, KM_HAP_PARTNER_END, failed, &diag);
    } else if (!session->told &&
               !(session->phase == REPL_IN_TLS && why == KLM_E_CLOSED &&
                 !session->replaced)) { /* that is a look whether the port is open */
        (void)klm_fail(&diag, why, KLM_MSG_PARTNER_CONNECT, session->address, words);
        record(session, KM_HAP_PARTNER_REFUSED, true, &diag);
    }
}

struct km_actor repl_session_actor(const struct repl_session *session)
{
    return (struct km_actor){.kind = KM_ACTOR_PARTNER,
                             .roles = session->phase == REPL_ADMITTED ? KM_ROLE_PARTNER : 0,
                             .name = session->name,
                             .address = session->address,
                             .fingerprint = session->fingerprint,
                             .session = session->number,
                             .stranger = session->phase != REPL_ADMITTED};
}

/* ---- Answers */

void repl_session_end(struct repl_session *session)
{
    session->closing = true;
    if (!session->busy && !session->gone) {
        klm_stream_close(session->stream);
    }
}

static void send_answer(struct repl_session *session)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, REPL_HEADER + 65536);
    session->answer.id = session->request.id;
    rc = repl_encode(&session->answer, &buf);
    if (rc == KLM_OK) {
        rc = klm_stream_send(session->stream, klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    if (rc != KLM_OK) {
        session->closing = true;
    }
}

void repl_session_answer(struct repl_session *session)
{
    session->busy = false;
    if (session->gone) {
        repl_session_forget(session);
        return;
    }
    send_answer(session);
    klm_buf_drop(klm_stream_input(session->stream), session->used);
    session->used = 0;
    if (session->closing) {
        klm_stream_close(session->stream);
        return;
    }
    klm_stream_message_done(session->stream);
    klm_stream_pause(session->stream, false); /* data is called when something waits */
}

void repl_session_refuse(struct repl_session *session, const struct klm_diag *diag)
{
    session->answer = (struct repl_message){.type = REPL_REFUSED};
    repl_text_of(diag, &session->answer.u.refused);
    repl_session_answer(session);
}

/* The caller broke the protocol, or is no partner: he hears why, and that is all. */
static void fail(struct repl_session *session, enum klm_msg_id msg, const char *what)
{
    struct klm_diag diag = {0};

    (void)klm_fail(&diag, KLM_E_INVALID, msg, session->name[0] ? session->name : session->address,
                   what);
    if (repl_sessions_may_say(session->set)) {
        klm_say_diag(&diag);
    }
    record(session, session->phase == REPL_ADMITTED ? KM_HAP_PARTNER_END : KM_HAP_PARTNER_REFUSED,
           true, &diag);
    session->closing = true;
    repl_session_refuse(session, &diag);
}

/* ---- Admission */

static void welcome(struct repl_session *session, const struct km_call *call)
{
    struct repl_hello *hello = &session->answer.u.hello;
    const struct parm_config *config = call->state->config;
    const char *id = parm_str(config, PARM_server_id);

    session->answer = (struct repl_message){.type = REPL_WELCOME};
    hello->version_min = hello->version_max = KM_PARTNER_VERSION;
    snprintf(hello->id, sizeof hello->id, "%s", id && *id ? id : "ISKLM");
    snprintf(hello->role, sizeof hello->role, "%s", parm_str(config, PARM_partner_role));
}

/* The certificate outlives the call. */
static klm_rc keep_cert(struct repl_session *session, struct klm_slice der)
{
    uint8_t *copy = malloc(der.n);

    if (!copy) {
        return KLM_E_NOMEM;
    }
    memcpy(copy, der.p, der.n);
    session->cert = KLM_SLICE(copy, der.n);
    session->cert_bytes = copy;
    return KLM_OK;
}

static void contact_done(struct km_call *call)
{
    struct repl_session *session = call->arg;
    const struct km_partner_contact *req = call->req;

    if (call->rc == KLM_OK) {
        call->rc = keep_cert(session, req->cert);
    }
    if (call->rc == KLM_OK) {
        snprintf(session->name, sizeof session->name, "%s", call->actor.name);
        snprintf(session->fingerprint, sizeof session->fingerprint, "%s", call->actor.fingerprint);
        session->phase = REPL_ADMITTED;
        if (!session->gone) {
            klm_stream_idle(session->stream, session->idle_ms);
        }
        welcome(session, call);
        repl_session_answer(session);
    } else {
        session->told = session->closing = true; /* the verb's event tells of it */
        repl_session_refuse(session, &call->diag);
    }
    km_call_free(&call);
}

static klm_rc contact(struct repl_session *session)
{
    const struct km_actor actor = repl_session_actor(session);
    const struct repl_hello *hello = &session->request.u.hello;
    struct km_partner_contact *req;
    struct km_call *call;
    klm_rc rc;

    if (!repl_sessions_have_room(session->set)) {
        fail(session, KLM_MSG_PARTNER_SESSIONS, "as many of partners as there may be");
        return KLM_OK;
    }
    KLM_TRY(km_call_new(session->set->server, KM_PARTNER_CONTACT, &actor, &call));
    req = call->req;
    rc = klm_tls_peer_cert(klm_stream_ssl(session->stream), call->pool, &req->cert);
    if (rc != KLM_OK) {
        km_call_free(&call);
        return rc;
    }
    req->version_min = hello->version_min;
    req->version_max = hello->version_max;
    req->id = hello->id; /* the session outlives the call */
    req->role = hello->role;
    call->loop = session->set->loop;
    call->done = contact_done;
    call->arg = session;
    km_run(call);
    return KLM_OK;
}

/* ---- Messages */

static klm_rc dispatch(struct repl_session *session)
{
    enum repl_type type = session->request.type;

    if (session->phase == REPL_AWAIT_HELLO && type == REPL_HELLO) {
        return contact(session);
    }
    if (session->phase == REPL_ADMITTED && type == REPL_SYNC) {
        repl_take(session);
        return KLM_OK;
    }
    if (session->phase == REPL_ADMITTED && type == REPL_DRILL) {
        repl_prove(session);
        return KLM_OK;
    }
    if (session->phase == REPL_ADMITTED && type == REPL_BYE) {
        session->busy = false;
        repl_session_end(session);
        return KLM_OK;
    }
    fail(session, KLM_MSG_PARTNER_SPOKE, repl_type_name(type));
    return KLM_OK;
}

/* What may come before the hello is short: no stranger fills our memory. */
static klm_rc take_one(struct repl_session *session)
{
    struct klm_buf *input = klm_stream_input(session->stream);
    klm_rc rc = repl_decode(klm_buf_as_slice(input), &session->request, &session->used);

    if (rc == KLM_E_AGAIN && session->phase == REPL_AWAIT_HELLO && input->n >= REPL_HEADER &&
        input->p[3] != REPL_HELLO) {
        rc = KLM_E_STATE;
    }
    if (rc == KLM_E_AGAIN) {
        if (input->n > 0) {
            klm_stream_message_begun(session->stream);
        }
        return rc;
    }
    session->busy = true;
    klm_stream_pause(session->stream, true);
    if (rc != KLM_OK) {
        session->used = input->n;
        session->request.id = 0;
        fail(session, KLM_MSG_PARTNER_MALFORMED, klm_rc_text(rc));
        return KLM_E_AGAIN;
    }
    return dispatch(session);
}

static void process(struct repl_session *session)
{
    if (session->busy || session->closing || session->gone || session->phase == REPL_IN_TLS) {
        return;
    }
    klm_rc rc = take_one(session);

    if (rc != KLM_OK && rc != KLM_E_AGAIN) {
        session->busy = false;
        repl_session_end(session);
    }
}

static void on_data(void *arg, struct klm_stream *stream)
{
    (void)stream;
    process(arg);
}

static void on_secured(void *arg, struct klm_stream *stream)
{
    struct repl_session *session = arg;

    (void)stream;
    session->phase = REPL_AWAIT_HELLO; /* until the idle deadline of a caller who is not admitted */
    process(session);
}

static void on_closed(void *arg, struct klm_stream *stream, klm_rc why)
{
    struct repl_session *session = arg;

    (void)stream;
    tell_end(session, why);
    session->gone = true;
    if (!session->busy) {
        repl_session_forget(session); /* else the request under way does, when it ends */
    }
}

const struct klm_stream_owner repl_session_owner = {
    .data = on_data, .secured = on_secured, .closed = on_closed};

klm_rc repl_session_begin(struct repl_session *session)
{
    struct km_state *state = km_state_get(session->set->server);
    klm_rc rc = KLM_E_STATE;

    snprintf(session->address, sizeof session->address, "%s", klm_stream_peer(session->stream));
    if (state->partner.server) {
        rc = klm_stream_secure(session->stream, state->partner.server);
    }
    km_state_put(&state);
    return rc;
}
