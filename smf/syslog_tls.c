/* TLS to a receiver (RFC 5425): both sides show certificates; the receiver's must name the host it is reached as. */
#include "smf/syslog_link.h"

#include "base/clock.h"
#include "base/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_MS                                                                                  \
    200 /* a TLS 1.3 receiver that refuses our certificate has said so by then, on most networks */

static bool is_address(const char *host)
{
    uint8_t bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* RFC 5425, 5.2: the name in the certificate is that of the host; RFC 6125 for how they are compared. */
static klm_rc expect_host(struct smf_syslog_link *link, SSL *ssl)
{
    char host[256]; /* OpenSSL's macro takes it without const */
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    bool good;

    snprintf(host, sizeof host, "%s", link->options->host ? link->options->host : "");
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (is_address(host)) {
        good = X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
    } else {
        good = X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
               SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    /* the context lets any purpose pass; a receiver is a TLS server */
    good = good && SSL_set_purpose(ssl, X509_PURPOSE_SSL_SERVER) == 1;
    return good ? KLM_OK : smf_syslog_blame(link, KLM_E_CRYPTO, "host name", host);
}

/* Words for why a call failed: a certificate of theirs, an alert, the network. */
static klm_rc tls_failed(struct smf_syslog_link *link, int err, const char *what)
{
    long verify = SSL_get_verify_result(link->ssl);
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    char text[96];

    if (verify != X509_V_OK) {
        ERR_clear_error();
        link->blamed = true;
        return smf_syslog_blame(link, KLM_E_DENIED, "its certificate is refused",
                                X509_verify_cert_error_string(verify));
    }
    if (err == SSL_ERROR_ZERO_RETURN ||
        (err == SSL_ERROR_SSL && reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)) {
        ERR_clear_error();
        return smf_syslog_blame(link, KLM_E_CLOSED, what, "the receiver closed");
    }
    if (err == SSL_ERROR_SYSCALL) {
        ERR_clear_error();
        return smf_syslog_blame(link, KLM_E_CLOSED, what, "the connection broke");
    }
    link->blamed = reason >= SSL_AD_REASON_OFFSET; /* an alert from the other side */
    return smf_syslog_blame(link, KLM_E_DENIED, what, klm_openssl_error(text, sizeof text));
}

/* What a call that did not succeed waits for: POLLIN, POLLOUT, or 0 for a failure. */
static short waits_for(int err)
{
    return err == SSL_ERROR_WANT_READ ? POLLIN : err == SSL_ERROR_WANT_WRITE ? POLLOUT : 0;
}

static klm_rc handshake(struct smf_syslog_link *link, uint64_t until)
{
    for (;;) {
        int n, err;
        short events;

        ERR_clear_error();
        n = SSL_connect(link->ssl);
        if (n == 1) {
            return KLM_OK;
        }
        err = SSL_get_error(link->ssl, n);
        events = waits_for(err);
        if (!events) {
            return tls_failed(link, err, "TLS handshake");
        }
        KLM_TRY(smf_syslog_wait(link, link->fd, events, until));
    }
}

/* In TLS 1.3 the client is done before the server has looked at its certificate. Nothing is sent until the server said something
 * (its session tickets do), or some time went by. */
static klm_rc settle(struct smf_syslog_link *link)
{
    klm_rc rc;

    if (SSL_version(link->ssl) < TLS1_3_VERSION) {
        return KLM_OK;
    }
    rc = smf_syslog_wait(link, link->fd, POLLIN, klm_clock_mono_ms() + SETTLE_MS);
    if (rc == KLM_E_TIMEOUT) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    return smf_syslog_tls_read(link);
}

static klm_rc new_ssl(struct smf_syslog_link *link, struct klm_tls_ctx *ctx)
{
    char text[96];

    ERR_clear_error();
    link->ssl = SSL_new(klm_tls_ctx_ssl(ctx));
    if (!link->ssl || SSL_set_fd(link->ssl, link->fd) != 1 ||
        SSL_set_min_proto_version(link->ssl, TLS1_2_VERSION) != 1) {
        return smf_syslog_blame(link, KLM_E_CRYPTO, "TLS", klm_openssl_error(text, sizeof text));
    }
    SSL_set_verify(link->ssl, SSL_VERIFY_PEER, NULL); /* whatever the context says */
    return expect_host(link, link->ssl);
}

klm_rc smf_syslog_tls_connect(struct smf_syslog_link *link, uint64_t until_ms)
{
    KLM_AUTO(klm_tls_ctx_free) struct klm_tls_ctx *ctx = NULL;
    struct klm_diag diag = {0};
    klm_rc rc = link->options->tls ? link->options->tls(link->options->tls_arg, &diag, &ctx)
                                   : KLM_E_NOTFOUND;

    if (rc != KLM_OK) {
        link->blamed = true;
        return smf_syslog_blame(link, rc, "own certificate",
                                diag.msg != KLM_MSG_NONE ? diag.text : klm_rc_text(rc));
    }
    KLM_TRY(new_ssl(link, ctx));
    KLM_TRY(handshake(link, until_ms));
    KLM_TRY(settle(link));
    link->sent = BIO_number_written(SSL_get_wbio(link->ssl));
    link->acked = link->sent;
    return KLM_OK;
}

klm_rc smf_syslog_tls_write(struct smf_syslog_link *link, struct klm_slice bytes, size_t *n,
                            short *events)
{
    int err;

    *n = 0;
    ERR_clear_error();
    if (SSL_write_ex(link->ssl, bytes.p, bytes.n, n) == 1) {
        link->sent = BIO_number_written(SSL_get_wbio(link->ssl));
        return KLM_OK;
    }
    err = SSL_get_error(link->ssl, 0);
    *n = 0;
    *events = waits_for(err);
    return *events ? KLM_OK : tls_failed(link, err, "send");
}

klm_rc smf_syslog_tls_read(struct smf_syslog_link *link)
{
    uint8_t bytes[512];
    size_t n;

    for (int i = 0; i < 16; i++) {
        int err;

        ERR_clear_error();
        if (SSL_read_ex(link->ssl, bytes, sizeof bytes, &n) == 1) {
            continue;
        }
        err = SSL_get_error(link->ssl, 0);
        return waits_for(err) ? KLM_OK : tls_failed(link, err, "connection");
    }
    return KLM_OK;
}

void smf_syslog_tls_close(struct smf_syslog_link *link, bool say)
{
    ERR_clear_error();
    if (say) {
        (void)SSL_shutdown(
            link->ssl); /* close_notify; the end that comes back is looked for by the caller */
    }
    SSL_free(link->ssl);
    ERR_clear_error();
    link->ssl = NULL;
}
