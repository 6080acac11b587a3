/* One session of a KMIP client: bytes to messages, messages to the engine, answers back. One request at a time; what comes behind it waits, so answers come in the
 * order of the requests. It knows where a message ends and nothing of what is in it. */
#include "klmsrv/kmip.h"

#include "base/digest.h"
#include "base/tls.h"
#include "kmip/codec/ttlv.h"

#include <stdio.h>
#include <stdlib.h>

/* A client without a certificate has little to ask. */
#define IDLE_ANONYMOUS_MS 60000
#define MOST_ANONYMOUS 65536 /* bytes of a message */

static void process(struct srv_kmip_session *session);
static void end_if_shut(struct srv_kmip_session *session);

void srv_kmip_end(struct srv_kmip_session *session, enum srv_kmip_end end)
{
    session->end = session->end == SRV_KMIP_PEER ? end : session->end;
    session->closing = true;
    if (session->stream && !session->busy) {
        klm_stream_close(session->stream);
    }
}

static void end_bad(struct srv_kmip_session *session, const char *why)
{
    snprintf(session->why, sizeof session->why, "%s", why);
    srv_kmip_end(session, SRV_KMIP_BAD);
}

/* ---- A request on its way to the engine and back. It owns the bytes, since its stream may end meanwhile. */

struct request {
    struct kmop_request ops;
    struct srv_kmip_session *session;
    struct srv_kmip_settings *settings;
    struct klm_buf bytes; /* the message and, of HTTP, what stands before it */
    const char *type;     /* HTTP: of the answer */
    bool last;            /* the connection ends behind the answer */
    bool running, answered;
};

/* malloc has such a piece at hand for the thread, calloc looks for one. */
static struct request *new_request(void)
{
    struct request *request = malloc(sizeof *request);

    if (request) {
        *request = (struct request){.session = NULL};
    }
    return request;
}

static void free_request(struct request *request)
{
    klm_buf_done(&request->bytes);
    srv_kmip_settings_put(&request->settings);
    free(request);
}

/* An answer of HTTP in one piece, so that it is one write. */
static klm_rc send_http(struct srv_kmip_session *session, const char *type, bool last,
                        const struct klm_buf *answer)
{
    struct klm_buf out;
    klm_rc rc;

    klm_buf_init_wiping(&out, answer->n + SRV_HTTP_HEAD_MAX);
    srv_http_answer(type, answer->n, last, &out);
    klm_buf_slice(&out, klm_buf_as_slice(answer));
    rc = klm_buf_rc(&out);
    if (rc == KLM_OK) {
        rc = klm_stream_send(session->stream, klm_buf_as_slice(&out));
    }
    klm_buf_done(&out);
    return rc;
}

static void refuse_http(struct srv_kmip_session *session, unsigned status)
{
    struct klm_buf out;

    klm_buf_init(&out, SRV_HTTP_HEAD_MAX);
    srv_http_refuse(status, &out);
    if (klm_buf_rc(&out) == KLM_OK) {
        KLM_IGNORE(
            klm_stream_send(session->stream, klm_buf_as_slice(&out))); /* it is closed anyway */
    }
    klm_buf_done(&out);
}

/* Bytes that wait: to be a message, and to be taken by the client. */
static size_t waiting(struct srv_kmip_session *session)
{
    const size_t in = klm_stream_input(session->stream)->n;

    return klm_stream_clogged(session->stream) ? in + klm_stream_pending(session->stream) : in;
}

static void send_answer(struct request *request, const struct klm_buf *answer)
{
    struct srv_kmip_session *session = request->session;
    klm_rc rc;

    if (klm_buf_rc(answer) != KLM_OK || answer->n == 0 ||
        srv_kmip_hold(session, waiting(session) + answer->n) != KLM_OK) {
        if (session->https) {
            refuse_http(session, 503);
        }
        srv_kmip_end(session, SRV_KMIP_ERROR);
        return;
    }
    rc = session->https ? send_http(session, request->type, request->last, answer)
                        : klm_stream_send(session->stream, klm_buf_as_slice(answer));
    if (rc != KLM_OK) {
        srv_kmip_end(session, SRV_KMIP_ERROR);
    } else if (request->last) {
        srv_kmip_end(session, SRV_KMIP_ASKED);
    }
}

static void answered(void *arg, struct klm_buf *answer, bool close)
{
    struct request *request = arg;
    struct srv_kmip_session *session = request->session;

    request->last = request->last || close || session->closing;
    session->busy = false;
    if (session->stream) {
        send_answer(request, answer);
    }
    klm_buf_done(answer);
    KLM_IGNORE(srv_kmip_hold(session, session->stream ? waiting(session) : 0)); /* it was asked */
    request->answered = true;
    if (!request->running) {
        free_request(request);
    }
    if (!session->stream) {
        srv_kmip_forget(session);
        return;
    }
    klm_stream_pause(session->stream, session->closing);
    process(session);
    end_if_shut(session);
}

/* The first n bytes of the input for the request; what stands behind them stays. Mostly nothing does, and nothing is copied. */
static klm_rc take_bytes(struct srv_kmip_session *session, size_t n, struct request *request)
{
    struct klm_buf *in = klm_stream_input(session->stream);

    request->bytes = *in;
    *in = (struct klm_buf){.limit = request->bytes.limit, .wipe = request->bytes.wipe};
    klm_buf_put(in, request->bytes.p + n, request->bytes.n - n);
    return klm_buf_rc(in);
}

/* While the engine runs, the stream is there. */
static klm_rc cert_of(void *arg, struct klm_pool *pool, struct klm_slice *der)
{
    const struct request *request = arg;
    struct srv_kmip_session *session = request->session;

    return session->fingerprint[0] ? klm_tls_peer_cert(klm_stream_ssl(session->stream), pool, der)
                                   : KLM_E_NOTFOUND;
}

static void secret_came(void *arg)
{
    klm_stream_rest(((const struct request *)arg)->session->stream);
}

static klm_rc fill(struct srv_kmip_session *session, size_t at, size_t n, struct request *request)
{
    KLM_TRY(take_bytes(session, at + n, request));
    request->session = session;
    request->settings = srv_kmip_settings_ref(session->set);
    request->ops = (struct kmop_request){.config = &request->settings->ops,
                                         .message = KLM_SLICE(request->bytes.p + at, n),
                                         .fingerprint = session->fingerprint,
                                         .address = session->address,
                                         .session = session->number,
                                         .number = session->requests + 1,
                                         .cert = cert_of,
                                         .done = answered,
                                         .secret = secret_came,
                                         .arg = request};
    return KLM_OK;
}

/* Hand n bytes at a place of the input to the engine. last: the connection ends behind its answer. */
static void ask(struct srv_kmip_session *session, size_t at, size_t n,
                const struct srv_http_request *http, bool last)
{
    struct request *request = new_request();

    if (!request || fill(session, at, n, request) != KLM_OK) {
        if (request) {
            free_request(request);
        }
        srv_kmip_end(session, SRV_KMIP_ERROR);
        return;
    }
    request->ops.encoding = http ? http->encoding : KMOP_TTLV;
    request->type = http ? http->type : NULL;
    request->last = last;
    session->begun = session->continued = false;
    session->busy = true;
    atomic_fetch_add(&session->set->requests, 1);
    if (session->requests++ == 0) {
        srv_kmip_tell_contact(session);
    }
    klm_stream_message_done(session->stream);
    klm_stream_pause(session->stream, true);
    request->running = true;
    session->set->engine.run(&request->ops);
    request->running = false;
    if (request->answered) {
        free_request(request);
    }
}

/* ---- Messages */

/* The rest of a message is waited for, from its first byte on and not from the last that came: who sends a byte now and then gets no more time. */
static void wait_for_more(struct srv_kmip_session *session)
{
    if (klm_stream_input(session->stream)->n > 0 && !session->begun) {
        session->begun = true;
        klm_stream_message_begun(session->stream);
    }
}

/* What is no message, or a longer one than is taken, is known by the first eight bytes, before there is room made for it. The engine gets those: it says in KMIP that
 * they are no message. Where the next one begins nobody knows, so that is the last answer. */
static bool take_ttlv(struct srv_kmip_session *session)
{
    const struct klm_buf *in = klm_stream_input(session->stream);
    const struct kmip_limits limits = {.bytes = session->most};
    size_t n = 0;
    klm_rc rc = kmip_ttlv_size(klm_buf_as_slice(in), &limits, &n);

    if (rc == KLM_E_AGAIN || (rc == KLM_OK && in->n < n)) {
        wait_for_more(session);
        return false;
    }
    if (rc != KLM_OK) {
        snprintf(session->why, sizeof session->why, "%s",
                 rc == KLM_E_LIMIT ? "a message that is too long" : "bytes that begin no message");
        session->end = SRV_KMIP_BAD;
        n = KMIP_TTLV_HEAD;
    }
    ask(session, 0, n, NULL, rc != KLM_OK);
    return true;
}

static void send_continue(struct srv_kmip_session *session)
{
    session->continued = true;
    if (klm_stream_send(session->stream, klm_slice_str(SRV_HTTP_CONTINUE)) != KLM_OK) {
        srv_kmip_end(session, SRV_KMIP_ERROR);
    }
}

static bool take_http(struct srv_kmip_session *session)
{
    const struct klm_buf *in = klm_stream_input(session->stream);
    struct srv_http_request http;

    if (srv_http_read(klm_buf_as_slice(in), session->most, &http) != KLM_OK) {
        wait_for_more(session);
        return false;
    }
    if (http.status) { /* the client is told, an operator is not */
        srv_kmip_tell_http(session, http.status);
        klm_trace("transport", "HTTP request of KMIP session %s at %s refused: %u", session->number,
                  session->address, http.status);
        refuse_http(session, http.status);
        srv_kmip_end(session, SRV_KMIP_ASKED);
        return false;
    }
    if (in->n - http.head < http.body) {
        wait_for_more(session);
        if (http.expects && !session->continued) {
            send_continue(session);
        }
        return false;
    }
    ask(session, http.head, http.body, &http, http.close);
    return true;
}

/* All sessions together hold no more than so many bytes. One that ends for it lets go of its own at once, so that not all end that read in the same turn of the loop. */
static bool held(struct srv_kmip_session *session)
{
    if (srv_kmip_hold(session, waiting(session)) == KLM_OK) {
        return true;
    }
    klm_buf_done(klm_stream_input(session->stream));
    KLM_IGNORE(srv_kmip_hold(session, 0)); /* nothing is always taken */
    if (session->https) {
        refuse_http(session, 503);
    }
    end_bad(session, "too many bytes of messages are under way");
    return false;
}

static void process(struct srv_kmip_session *session)
{
    bool more = true;

    if (session->processing) {
        return; /* a request that was answered at once: the loop further out goes on */
    }
    session->processing = true;
    while (more && session->stream && !session->closing && !session->busy &&
           !klm_stream_clogged(session->stream) && klm_stream_input(session->stream)->n > 0) {
        more = session->https ? take_http(session) : take_ttlv(session);
    }
    session->processing = false;
}

/* A client that sends no more is answered still; when all that came of it is, it has gone. */
static void end_if_shut(struct srv_kmip_session *session)
{
    if (session->stream && klm_stream_shut(session->stream) && !session->busy &&
        !session->processing && !session->closing && !klm_stream_clogged(session->stream)) {
        session->closing = true;
        klm_stream_close(session->stream);
    }
}

/* ---- The stream */

static void on_data(void *arg, struct klm_stream *stream)
{
    struct srv_kmip_session *session = arg;

    (void)stream;
    if (!session->closing && !session->busy && held(session)) {
        process(session);
    }
    end_if_shut(session);
}

static klm_rc read_certificate(struct srv_kmip_session *session, struct klm_pool *pool)
{
    struct klm_slice der;
    uint8_t digest[32];
    klm_rc rc = klm_tls_peer_cert(klm_stream_ssl(session->stream), pool, &der);

    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    KLM_TRY(klm_sha256(&der, 1, digest));
    klm_hex(digest, sizeof digest, session->fingerprint);
    return KLM_OK;
}

/* Who is at the other end: the fingerprint, also of a session that was resumed. */
static klm_rc identify(struct srv_kmip_session *session)
{
    struct klm_pool *pool;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = read_certificate(session, pool);
    klm_pool_free(&pool);
    return rc;
}

static void on_secured(void *arg, struct klm_stream *stream)
{
    struct srv_kmip_session *session = arg;
    const char *words = "";

    srv_kmip_shaken(session);
    if (srv_kmip_recheck(session, &words) != KLM_OK) {
        end_bad(session, words);
    } else if (identify(session) != KLM_OK) {
        srv_kmip_end(session, SRV_KMIP_ERROR);
    } else if (!session->fingerprint[0]) {
        session->most = session->most < MOST_ANONYMOUS ? session->most : MOST_ANONYMOUS;
        klm_stream_idle(stream, IDLE_ANONYMOUS_MS);
    }
}

static void on_closed(void *arg, struct klm_stream *stream, klm_rc why)
{
    struct srv_kmip_session *session = arg;

    klm_trace("transport", "KMIP session %s at %s closed: %s", session->number, session->address,
              klm_rc_text(why));
    srv_kmip_tell_end(session, why);
    srv_kmip_shaken(session);
    klm_stream_free(&stream);
    session->stream = NULL;
    session->closing = true;
    if (!session->busy) {
        srv_kmip_forget(session);
    }
}

const struct klm_stream_owner srv_kmip_owner = {
    .data = on_data, .secured = on_secured, .closed = on_closed};
