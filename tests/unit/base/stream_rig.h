/* What the tests of streams share: a server stream under test on a loop, its owner, and peers. A
 * peer in clear is a plain socket of the test; a peer under TLS is a thread with a blocking
 * connection of the library's own. */
#ifndef TESTS_UNIT_BASE_STREAM_RIG_H
#define TESTS_UNIT_BASE_STREAM_RIG_H

#include "certs.h"

#include "base/clock.h"
#include "base/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig {
    struct klm_loop *loop;
    struct klm_workers *workers;
    struct klm_timer *guard;
    struct klm_stream *stream;
    struct klm_stream_config cfg;
    struct klm_stream_owner owner;
    int fd, peer; /* the stream's end until there is a stream, and the other */

    /* what the owner does */
    bool echo, take, keep_open; /* send input back; drop input; do not free in closed */
    bool stop_on_data, stop_on_secured;
    /* what it heard */
    uint8_t *got;
    size_t got_n;
    unsigned datas, secured, closed;
    bool in_send, closed_in_send, expired;
    klm_rc why, sent;
    char words[120];
};

static inline void rig_data(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;
    struct klm_buf *in = klm_stream_input(stream);

    rig->datas++;
    CHECK(rig->closed == 0);
    CHECK(klm_loop_here(rig->loop));
    if (rig->echo) {
        rig->sent = klm_stream_send(stream, klm_buf_as_slice(in));
    }
    if (rig->take) {
        rig->got = realloc(rig->got, rig->got_n + in->n + 1);
        memcpy(rig->got + rig->got_n, in->p, in->n);
        rig->got_n += in->n;
        rig->got[rig->got_n] = '\0';
        klm_buf_drop(in, in->n);
        klm_stream_message_done(stream);
    }
    if (rig->stop_on_data) {
        klm_loop_stop(rig->loop);
    }
}

static inline void rig_secured(void *arg, struct klm_stream *stream)
{
    struct rig *rig = arg;

    rig->secured++;
    CHECK(klm_stream_ssl(stream) != NULL);
    if (rig->stop_on_secured) {
        klm_loop_stop(rig->loop);
    }
}

static inline void rig_closed(void *arg, struct klm_stream *stream, klm_rc why)
{
    struct rig *rig = arg;

    rig->closed++;
    rig->closed_in_send = rig->closed_in_send || rig->in_send;
    rig->why = why;
    snprintf(rig->words, sizeof rig->words, "%s", klm_stream_why(stream));
    if (!rig->keep_open) {
        klm_stream_free(&rig->stream);
    }
    klm_loop_stop(rig->loop);
}

static inline void rig_expired(void *arg)
{
    struct rig *rig = arg;

    rig->expired = true;
    klm_loop_stop(rig->loop);
}

/* A connected pair over loopback TCP; fd[0] does not block. */
static inline void tcp_pair(int fd[2])
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof in;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    REQUIRE(listener >= 0 && bind(listener, (struct sockaddr *)&in, n) == 0 &&
            listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&in, &n) == 0);
    fd[1] = socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(connect(fd[1], (struct sockaddr *)&in, sizeof in) == 0);
    fd[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    REQUIRE(fd[0] >= 0);
    close(listener);
}

/* Everything but the stream; change rig->cfg and the flags, then rig_stream. */
static inline void rig_init(struct rig *rig)
{
    int fd[2];

    signal(SIGPIPE, SIG_IGN);
    *rig = (struct rig){.take = true};
    REQUIRE_OK(klm_loop_new(&rig->loop));
    REQUIRE_OK(klm_workers_new(2, 16, &rig->workers));
    REQUIRE_OK(klm_timer_new(rig->loop, rig_expired, rig, &rig->guard));
    rig->cfg = (struct klm_stream_config){
        .loop = rig->loop, .workers = rig->workers, .max_input = 65536, .max_output = 1 << 20};
    rig->owner = (struct klm_stream_owner){rig_data, rig_secured, rig_closed, rig};
    tcp_pair(fd);
    rig->fd = fd[0];
    rig->peer = fd[1];
}

static inline void rig_stream(struct rig *rig)
{
    REQUIRE_OK(klm_stream_new(rig->fd, &rig->cfg, &rig->owner, &rig->stream));
}

/* Turn until something stops the loop, at most ms (times KLM_TEST_SLOW, as deadlines are that a
 * test sets); true when something did. */
static inline bool rig_run(struct rig *rig, uint64_t ms)
{
    rig->expired = false;
    klm_timer_set(rig->guard, test_ms(ms));
    klm_loop_run(rig->loop);
    klm_timer_set(rig->guard, 0);
    return !rig->expired;
}

static inline void rig_done(struct rig *rig)
{
    klm_stream_free(&rig->stream);
    if (rig->peer >= 0) {
        close(rig->peer);
    }
    klm_timer_free(&rig->guard);
    klm_workers_free(&rig->workers);
    klm_loop_free(&rig->loop);
    free(rig->got);
    rig->got = NULL;
}

/* Peers under TLS. */
struct peer {
    pthread_t thread;
    int fd;
    SSL_CTX *ctx;
    SSL *ssl;
    void (*talk)(struct peer *peer);
    bool connected, fine; /* handshake done; talk was content */
    uint8_t exporter[32];
};

static inline void *peer_main(void *arg)
{
    struct peer *peer = arg;

    peer->connected = SSL_connect(peer->ssl) == 1;
    if (peer->connected && peer->talk) {
        peer->talk(peer);
    }
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->ctx);
    close(peer->fd);
    return NULL;
}

/* Start a peer on the rig's other end, which it takes; with a session to resume, or NULL. */
static inline void peer_start_with(struct peer *peer, struct rig *rig, const struct id *id,
                                   void (*talk)(struct peer *), SSL_SESSION *session)
{
    ids_make();
    *peer = (struct peer){.fd = rig->peer, .talk = talk, .ctx = SSL_CTX_new(TLS_client_method())};
    rig->peer = -1;
    REQUIRE(peer->ctx != NULL);
    SSL_CTX_set_verify(peer->ctx, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(peer->ctx), ca.cert);
    if (id) {
        REQUIRE(SSL_CTX_use_certificate(peer->ctx, id->cert) == 1 &&
                SSL_CTX_use_PrivateKey(peer->ctx, id->key) == 1);
    }
    peer->ssl = SSL_new(peer->ctx);
    REQUIRE(peer->ssl && SSL_set_fd(peer->ssl, peer->fd) == 1);
    REQUIRE(!session || SSL_set_session(peer->ssl, session) == 1);
    REQUIRE(pthread_create(&peer->thread, NULL, peer_main, peer) == 0);
}

static inline void peer_start(struct peer *peer, struct rig *rig, const struct id *id,
                              void (*talk)(struct peer *))
{
    peer_start_with(peer, rig, id, talk, NULL);
}

static inline void peer_join(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
}

static inline bool ssl_read_exactly(SSL *ssl, void *out, size_t n)
{
    size_t got = 0;

    while (got < n) {
        int r = SSL_read(ssl, (uint8_t *)out + got, (int)(n - got));

        if (r <= 0) {
            return false;
        }
        got += (size_t)r;
    }
    return true;
}

#endif
