/* A non-blocking socket and poll: whatever is waited for, it is waited for until the deadline. */
#include "ios/channel.h"

#include "base/clock.h"
#include "base/lookup.h"
#include "base/tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void ios_channel_init(struct ios_channel *channel)
{
    *channel = (struct ios_channel){.fd = -1};
}

static klm_rc fail_text(struct ios_channel *channel, klm_rc rc, const char *why)
{
    snprintf(channel->why, sizeof channel->why, "%s", why);
    return rc;
}

static klm_rc fail_errno(struct ios_channel *channel, int err)
{
    char text[128];

    return fail_text(channel, err == ECONNRESET || err == EPIPE ? KLM_E_CLOSED : KLM_E_IO,
                     strerror_r(err, text, sizeof text));
}

static klm_rc fail_closed(struct ios_channel *channel)
{
    return fail_text(channel, KLM_E_CLOSED, "it closed the connection");
}

/* Until the socket is ready, or the deadline. */
static klm_rc wait_until(struct ios_channel *channel, short events, uint64_t deadline)
{
    struct pollfd fd = {.fd = channel->fd, .events = events};

    for (;;) {
        uint64_t now = klm_clock_mono_ms();
        int ready = poll(&fd, 1, deadline > now ? (int)(deadline - now) : 0);

        if (ready > 0) {
            return KLM_OK;
        }
        if (ready == 0) {
            return fail_text(channel, KLM_E_TIMEOUT, "it did not answer in time");
        }
        if (errno != EINTR) {
            return fail_errno(channel, errno);
        }
    }
}

/* ---- Connecting */

static klm_rc finish_connect(struct ios_channel *channel, uint64_t deadline)
{
    int err = 0;
    socklen_t n = sizeof err;

    KLM_TRY(wait_until(channel, POLLOUT, deadline));
    if (getsockopt(channel->fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0) {
        err = errno;
    }
    return err == 0 ? KLM_OK : fail_errno(channel, err);
}

static klm_rc connect_one(struct ios_channel *channel, const struct addrinfo *address,
                          uint64_t deadline)
{
    const int on = 1;
    klm_rc rc = KLM_OK;

    channel->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (channel->fd < 0) {
        return fail_errno(channel, errno);
    }
    /* Requests are one write each; without this they may wait for an acknowledgement. */
    (void)setsockopt(channel->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(channel->fd, address->ai_addr, address->ai_addrlen) != 0) {
        rc = errno == EINPROGRESS ? finish_connect(channel, deadline) : fail_errno(channel, errno);
    }
    if (rc != KLM_OK) {
        close(channel->fd);
        channel->fd = -1;
    }
    return rc;
}

static unsigned count(const struct addrinfo *list)
{
    unsigned n = 0;

    for (; list; list = list->ai_next) {
        n++;
    }
    return n;
}

klm_rc ios_channel_connect(struct ios_channel *channel, const char *host, uint16_t port,
                           uint64_t until)
{
    KLM_AUTO(klm_lookup_free) struct klm_lookup *lookup = NULL;
    const struct addrinfo *list = NULL;
    const char *why = "";
    char service[8];
    klm_rc rc;

    snprintf(service, sizeof service, "%u", (unsigned)port);
    rc = klm_lookup_wait(host, service, SOCK_STREAM, until, &lookup, &list, &why);
    if (rc != KLM_OK) {
        return fail_text(channel, rc, why);
    }
    rc = KLM_E_NOTFOUND;
    for (const struct addrinfo *a = list; a && rc != KLM_OK; a = a->ai_next) {
        uint64_t now = klm_clock_mono_ms();
        uint64_t left = until > now ? until - now : 0;

        rc = connect_one(channel, a, now + left / count(a));
    }
    return rc;
}

/* ---- TLS */

/* OpenSSL calls this when, and only when, the server asks for a certificate; the one of the context is used. */
static int cert_asked(SSL *ssl, void *arg)
{
    (void)ssl;
    ((struct ios_channel *)arg)->cert_asked = true;
    return 1;
}

static klm_rc fail_ssl(struct ios_channel *channel, int err)
{
    long verify = SSL_get_verify_result(channel->ssl);
    char text[160];

    if (verify != X509_V_OK) {
        ERR_clear_error();
        snprintf(channel->why, sizeof channel->why, "its certificate was refused: %s",
                 X509_verify_cert_error_string(verify));
        return KLM_E_CRYPTO;
    }
    /* OpenSSL 3 calls an end without close_notify an error of TLS (SSL_get_error(3)): to whom it happens, the server hung up. */
    if (err == SSL_ERROR_SSL &&
        ERR_GET_REASON(ERR_peek_last_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        snprintf(channel->why, sizeof channel->why, "TLS: %s",
                 klm_openssl_error(text, sizeof text));
        return KLM_E_CRYPTO;
    }
    ERR_clear_error();
    return err == SSL_ERROR_SYSCALL && errno ? fail_errno(channel, errno) : fail_closed(channel);
}

/* After an SSL call that did not succeed: wait for what it wants (KLM_OK: call it again). */
static klm_rc ssl_wait(struct ios_channel *channel, int result)
{
    int err = SSL_get_error(channel->ssl, result);

    if (err == SSL_ERROR_WANT_READ) {
        return wait_until(channel, POLLIN, channel->deadline);
    }
    if (err == SSL_ERROR_WANT_WRITE) {
        return wait_until(channel, POLLOUT, channel->deadline);
    }
    return fail_ssl(channel, err);
}

/* The certificate must say that it is a server's: tape labels and drives have certificates of the same authority. */
static klm_rc check_role(struct ios_channel *channel)
{
    X509 *cert = SSL_get0_peer_certificate(channel->ssl);

    if (!cert || !(X509_get_extension_flags(cert) & EXFLAG_XKUSAGE) ||
        !(X509_get_extended_key_usage(cert) & XKU_SSL_SERVER)) {
        return fail_text(channel, KLM_E_CRYPTO, "its certificate is not that of a server");
    }
    return KLM_OK;
}

bool ios_channel_pending(const struct ios_channel *channel)
{
    struct pollfd fd = {.fd = channel->fd, .events = POLLIN};

    return poll(&fd, 1, 0) > 0;
}

klm_rc ios_channel_secure(struct ios_channel *channel, struct klm_tls_ctx *ctx)
{
    int result;

    /* TLS's first byte is ours, so whatever came before it was slipped in. */
    if (ios_channel_pending(channel)) {
        return fail_text(channel, KLM_E_STATE, "it spoke before its turn, or closed");
    }
    ERR_clear_error();
    channel->ssl = SSL_new(klm_tls_ctx_ssl(ctx));
    if (!channel->ssl || SSL_set_fd(channel->ssl, channel->fd) != 1) {
        ERR_clear_error();
        return fail_text(channel, KLM_E_NOMEM, "no memory");
    }
    SSL_set_cert_cb(channel->ssl, cert_asked, channel);
    while ((result = SSL_connect(channel->ssl)) != 1) {
        KLM_TRY(ssl_wait(channel, result));
    }
    return check_role(channel);
}

/* ---- Bytes */

static klm_rc write_clear(struct ios_channel *channel, struct klm_slice bytes)
{
    while (bytes.n) {
        ssize_t n = send(channel->fd, bytes.p, bytes.n, MSG_NOSIGNAL);

        if (n > 0) {
            bytes = KLM_SLICE(bytes.p + n, bytes.n - (size_t)n);
        } else if (errno == EAGAIN) {
            KLM_TRY(wait_until(channel, POLLOUT, channel->deadline));
        } else if (errno != EINTR) {
            return fail_errno(channel, errno);
        }
    }
    return KLM_OK;
}

klm_rc ios_channel_write(struct ios_channel *channel, struct klm_slice bytes)
{
    if (!channel->ssl) {
        return write_clear(channel, bytes);
    }
    ERR_clear_error();
    while (bytes.n) {
        size_t n = 0;
        int result;

        errno = 0;
        result = SSL_write_ex(channel->ssl, bytes.p, bytes.n, &n);
        if (result != 1) {
            KLM_TRY(ssl_wait(channel, result));
        }
        bytes = KLM_SLICE(bytes.p + n, bytes.n - n);
    }
    return KLM_OK;
}

static klm_rc read_clear(struct ios_channel *channel, void *out, size_t cap, size_t *n)
{
    for (;;) {
        ssize_t got;

        KLM_TRY(wait_until(channel, POLLIN, channel->deadline));
        got = recv(channel->fd, out, cap, 0);
        if (got > 0) {
            *n = (size_t)got;
            return KLM_OK;
        }
        if (got == 0) {
            return fail_closed(channel);
        }
        if (errno != EINTR && errno != EAGAIN) {
            return fail_errno(channel, errno);
        }
    }
}

klm_rc ios_channel_read(struct ios_channel *channel, void *out, size_t cap, size_t *n)
{
    if (!channel->ssl) {
        return read_clear(channel, out, cap, n);
    }
    ERR_clear_error();
    for (;;) {
        int result;

        errno = 0;
        result = SSL_read_ex(channel->ssl, out, cap, n);
        if (result == 1) {
            return KLM_OK;
        }
        KLM_TRY(ssl_wait(channel, result));
    }
}

void ios_channel_close(struct ios_channel *channel)
{
    if (channel->ssl) {
        (void)SSL_shutdown(
            channel->ssl); /* close_notify if it can be sent at once; nobody waits for an answer */
        SSL_free(channel->ssl);
        ERR_clear_error();
    }
    if (channel->fd >= 0) {
        close(channel->fd);
    }
    channel->ssl = NULL;
    channel->fd = -1;
}
