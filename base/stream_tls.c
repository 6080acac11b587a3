/* How a stream becomes one under TLS. Steps of a handshake that sign or verify run on a worker;
 * meanwhile the loop leaves descriptor and SSL object alone. Between steps the loop waits
 * for the peer. A server's loop begins by itself: a session that is resumed needs no private key, and going to a worker and back costs as much as all
 * the rest of it. Where OpenSSL would take the certificate, it finds out that it is none, and a worker goes on (klm_tls_on_loop). */
#include "base/stream_int.h"

#include "base/clock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdio.h>

/* OpenSSL's words on a step that failed and, of a certificate that was refused, what is wrong with it. */
static void say_step(struct klm_stream *s)
{
    bool refused = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    long why = SSL_get_verify_result(s->ssl);

    klm_openssl_error(s->step_words, sizeof s->step_words);
    if (refused && why != X509_V_OK) {
        snprintf(s->step_words, sizeof s->step_words, "certificate verify failed: %s",
                 X509_verify_cert_error_string(why));
    }
}

/* One step, as far as the peer's bytes reach. */
static void step(struct klm_stream *s)
{
    int ret;

    ERR_clear_error();
    errno = 0;
    ret = SSL_do_handshake(s->ssl);
    s->handshake = ret == 1 ? SSL_ERROR_NONE : SSL_get_error(s->ssl, ret);
    if (s->handshake == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        s->handshake = SSL_ERROR_ZERO_RETURN;
    }
    /* Not yet where the owner may read it: the stream may have ended on the loop meanwhile. */
    say_step(s);
}

static void handshake_run(struct klm_job *job)
{
    step((struct klm_stream *)(void *)((char *)job - offsetof(struct klm_stream, job)));
}

static void handshake_failed(struct klm_stream *s, klm_rc why, const char *words)
{
    snprintf(s->words, sizeof s->words, "%s", words);
    klm_stream_end_(s, why);
}

static void handshake_end(struct klm_stream *s)
{
    switch (s->handshake) {
    case SSL_ERROR_NONE:
        s->phase = KLM_PHASE_TLS;
        SSL_clear_mode(s->ssl,
                       SSL_MODE_RELEASE_BUFFERS); /* 34 KB a request: REST_MS gives them back */
        s->handshake_at = 0;
        klm_stream_watch_(s);
        klm_stream_active_(s);
        klm_stream_call_(s, s->owner.secured);
        if (klm_stream_reads_(s) && klm_stream_has_more_(s)) {
            klm_stream_look_(s);
        }
        break;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        break;
    case SSL_ERROR_SYSCALL:
    case SSL_ERROR_ZERO_RETURN:
        handshake_failed(s, KLM_E_CLOSED, "the other side closed during the TLS handshake");
        break;
    default:
        handshake_failed(s, KLM_E_CRYPTO, s->step_words);
        break;
    }
}

/* Back on the loop. The owner may have closed or freed the stream meanwhile. */
static void handshake_done(struct klm_job *job)
{
    struct klm_stream *s =
        (struct klm_stream *)(void *)((char *)job - offsetof(struct klm_stream, job));

    s->busy = false;
    if (s->phase == KLM_PHASE_HANDSHAKE) {
        handshake_end(s);
        klm_stream_update_(s);
    }
    klm_stream_unref_(s);
}

/* On a server's loop. False: a worker is needed from here on. */
static bool step_here(struct klm_stream *s)
{
    if (s->handed || !s->cfg.workers || !SSL_is_server(s->ssl)) {
        return false;
    }
    klm_tls_on_loop(true);
    step(s);
    klm_tls_on_loop(false);
    s->handed = s->handshake == SSL_ERROR_WANT_X509_LOOKUP;
    return !s->handed;
}

void klm_stream_handshake_(struct klm_stream *s)
{
    klm_rc rc;

    if (s->busy || s->phase != KLM_PHASE_HANDSHAKE) {
        return;
    }
    if (step_here(s)) {
        handshake_end(s);
        return;
    }
    s->job = (struct klm_job){.run = handshake_run, .done = handshake_done, .loop = s->cfg.loop};
    s->busy = true;
    s->refs++;
    klm_stream_update_(s);
    rc = s->cfg.workers ? klm_workers_submit(s->cfg.workers, &s->job) : KLM_OK;
    if (rc != KLM_OK) {
        s->busy = false;
        handshake_failed(s, rc, "too many handshakes at once");
        klm_stream_unref_(s);
    } else if (!s->cfg.workers) {
        handshake_run(&s->job);
        handshake_done(&s->job);
    }
}

klm_rc klm_stream_secure(struct klm_stream *s, struct klm_tls_ctx *ctx)
{
    bool client = SSL_CTX_get_ssl_method(klm_tls_ctx_ssl(ctx)) == TLS_client_method();
    struct bio_st *bio;

    if (s->phase != KLM_PHASE_CLEAR || s->closing || s->in.n) {
        return s->phase == KLM_PHASE_ENDED ? KLM_E_CLOSED : KLM_E_STATE;
    }
    ERR_clear_error();
    s->ssl = SSL_new(klm_tls_ctx_ssl(ctx));
    bio = s->ssl ? klm_stream_bio_(s) : NULL;
    if (!bio) {
        klm_openssl_error(s->words, sizeof s->words);
        return KLM_E_CRYPTO;
    }
    SSL_set_bio(s->ssl, bio, bio); /* one, for both ways; the SSL object's from here on */
    s->ctx = klm_tls_ctx_ref(ctx);
    if (client) {
        SSL_set_connect_state(s->ssl);
    } else {
        SSL_set_accept_state(s->ssl);
    }
    /* A server waits for the client's first bytes before it troubles a worker; a client speaks
     * first. */
    s->handshake = client ? SSL_ERROR_WANT_WRITE : SSL_ERROR_WANT_READ;
    s->handshake_at = s->cfg.handshake_ms ? klm_clock_mono_ms() + s->cfg.handshake_ms : 0;
    s->begun = false;
    s->message_at = 0;
    s->phase = s->out.n ? KLM_PHASE_FLUSH : KLM_PHASE_HANDSHAKE;
    klm_stream_update_(s);
    return KLM_OK;
}
