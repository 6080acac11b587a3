/* Echo over loopback: one thread serves, one asks, each connection has one message of 200 bytes on its way or 250 coming back. What it shows is
 * the cost of sockets, wake-ups and TLS records alone. */
#include "tests/bench/bench.h"
#include "tests/bench/ceiling.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUESTION 200
#define ANSWER 250
#define WARM_NS 200000000u

struct peer {
    int fd;
    SSL *ssl;
    size_t got; /* of the message that is coming */
    uint64_t sent;
};

struct side {
    int poll;
    unsigned n;
    SSL_CTX *tls;
    struct peer *peers;
    uint64_t cpu;
};

static atomic_bool stop;

static SSL_CTX *server_context(void)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    bench_need(key && cert && tls && ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) &&
                   X509_gmtime_adj(X509_getm_notBefore(cert), -60) &&
                   X509_gmtime_adj(X509_getm_notAfter(cert), 86400) && X509_set_pubkey(cert, key) &&
                   X509_sign(cert, key, EVP_sha256()) && SSL_CTX_use_certificate(tls, cert) == 1 &&
                   SSL_CTX_use_PrivateKey(tls, key) == 1,
               "certificate");
    EVP_PKEY_free(key);
    X509_free(cert);
    return tls;
}

static SSL_CTX *context(bool server)
{
    SSL_CTX *tls = server ? server_context() : SSL_CTX_new(TLS_client_method());

    bench_need(tls && SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) == 1, "TLS");
    return tls;
}

static long transfer_in(struct peer *peer, uint8_t *to, size_t n)
{
    int got;

    if (!peer->ssl) {
        ssize_t r = recv(peer->fd, to, n, 0);
        return r < 0 && errno == EAGAIN ? 0 : r == 0 ? -1 : r;
    }
    ERR_clear_error();
    got = SSL_read(peer->ssl, to, (int)n);
    return got > 0 ? got : SSL_get_error(peer->ssl, got) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static void transfer_out(struct peer *peer, size_t n)
{
    static const uint8_t bytes[ANSWER];
    bool sent = peer->ssl ? SSL_write(peer->ssl, bytes, (int)n) == (int)n
                          : send(peer->fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n;

    bench_need(sent || atomic_load(&stop), "send");
}

/* True: a whole message came. */
static bool message(struct peer *peer, size_t n)
{
    uint8_t in[ANSWER];
    long got = transfer_in(peer, in, n - peer->got);

    bench_need(got >= 0 || atomic_load(&stop), "receive");
    peer->got += got > 0 ? (size_t)got : 0;
    if (peer->got < n) {
        return false;
    }
    peer->got = 0;
    return true;
}

/* Handshake on a blocking socket, then into the set. */
static void join(struct side *side, struct peer *peer, int fd, bool server)
{
    peer->fd = fd;
    if (side->tls) {
        peer->ssl = SSL_new(side->tls);
        bench_need(peer->ssl && SSL_set_fd(peer->ssl, fd) == 1 &&
                       (server ? SSL_accept(peer->ssl) : SSL_connect(peer->ssl)) == 1,
                   "handshake");
        SSL_set_read_ahead(
            peer->ssl,
            1); /* not before: a question behind the handshake would be read with it, and not be announced */
    }
    bench_no_block(fd);
    bench_need(epoll_ctl(side->poll, EPOLL_CTL_ADD, fd,
                         &(struct epoll_event){.events = EPOLLIN, .data.ptr = peer}) == 0,
               "epoll");
}

static void side_init(struct side *side, const struct ceiling_options *options, bool server)
{
    side->n = options->connections;
    side->poll = epoll_create1(EPOLL_CLOEXEC);
    side->peers = calloc(side->n, sizeof *side->peers);
    side->tls = options->tls ? context(server) : NULL;
    bench_need(side->poll >= 0 && side->peers, "memory");
}

static void side_done(struct side *side)
{
    for (unsigned i = 0; i < side->n; i++) {
        SSL_free(side->peers[i].ssl);
        close(side->peers[i].fd);
    }
    SSL_CTX_free(side->tls);
    free(side->peers);
    close(side->poll);
}

struct server {
    struct side side;
    int listener;
};

static void *serve(void *arg)
{
    struct server *server = arg;
    struct epoll_event events[64];

    for (unsigned i = 0; i < server->side.n; i++) {
        int fd = accept(server->listener, NULL, NULL);

        bench_need(fd >= 0, "accept");
        bench_no_delay(fd);
        join(&server->side, &server->side.peers[i], fd, true);
    }
    while (!atomic_load(&stop)) {
        int n = epoll_wait(server->side.poll, events, 64, 100);

        for (int i = 0; i < n; i++) {
            if (message(events[i].data.ptr, QUESTION)) {
                transfer_out(events[i].data.ptr, ANSWER);
            }
        }
    }
    server->side.cpu = bench_cpu_thread();
    return NULL;
}

static uint64_t ask(struct side *side, uint64_t until, struct bench_hist *hist)
{
    struct epoll_event events[64];
    uint64_t ops = 0;

    while (bench_now() < until) {
        int n = epoll_wait(side->poll, events, 64, 100);

        for (int i = 0; i < n; i++) {
            struct peer *peer = events[i].data.ptr;

            if (message(peer, ANSWER)) {
                uint64_t now = bench_now();

                ops++;
                if (hist) {
                    bench_hist_add(hist, now - peer->sent);
                }
                peer->sent = now;
                transfer_out(peer, QUESTION);
            }
        }
    }
    return ops;
}

static void client(struct side *side, uint16_t port, double seconds)
{
    static struct bench_hist hist;
    uint64_t begin, ops;

    for (unsigned i = 0; i < side->n; i++) {
        join(side, &side->peers[i], bench_connect(port), false);
    }
    for (unsigned i = 0; i < side->n; i++) {
        side->peers[i].sent = bench_now();
        transfer_out(&side->peers[i], QUESTION);
    }
    (void)ask(side, bench_now() + WARM_NS, NULL); /* what is done warming up is not counted */
    begin = bench_now();
    ops = ask(side, begin + (uint64_t)(seconds * 1e9), &hist);
    printf("{\"bench\":\"ceiling\",\"what\":\"echo\",\"tls\":%s,\"connections\":%u,\"ops_per_s\":%."
           "1f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n",
           side->tls ? "true" : "false", side->n,
           (double)ops / ((double)(bench_now() - begin) / 1e9), bench_hist_us(&hist, 0.5),
           bench_hist_us(&hist, 0.99));
}

void ceiling_echo(const struct ceiling_options *options)
{
    struct server server = {0};
    struct side asking = {0};
    pthread_t thread;
    uint16_t port;

    server.listener = bench_listen(&port);
    side_init(&server.side, options, true);
    side_init(&asking, options, false);
    bench_need(pthread_create(&thread, NULL, serve, &server) == 0, "thread");
    client(&asking, port, options->seconds);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    side_done(&asking);
    side_done(&server.side);
    close(server.listener);
}
