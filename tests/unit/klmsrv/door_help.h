/* The ports for KMIP clients on a loop of their own thread, before a real server and an engine of the test; clients are blocking connections of the crypto library. */
#ifndef TESTS_KLMSRV_DOOR_HELP_H
#define TESTS_KLMSRV_DOOR_HELP_H

#include "keymgr/km_help.h"

#include "base/clock.h"
#include "klmsrv/srv.h"
#include "kmip/ops/ops.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>

#define ANY_PORTS "KMIPListener.ssl.host=127.0.0.1\n"

/* ---- The engine: it answers with what it got, as it is told to. It runs on the loop's thread, so tests look at copies. */
enum answering { ECHO, LATER, NOTHING, LAST, NEVER };
struct seen {
    unsigned requests, under_way, most_under_way;
    enum kmop_encoding encoding;
    char fingerprint[65], session[KM_SESSION_MAX], address[64], vendor[200], server_name[200];
    size_t cert_n, message_n, bytes_max;
    unsigned batch_max;
    uint8_t message[64]; /* the begin of the last one */
    bool waits;          /* a request of NEVER, until do_answer */
};
static struct {
    pthread_mutex_t lock; /* guards all of it */
    enum answering how;
    unsigned later_ms;
    struct seen seen;
    struct kmop_request waiting;
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER};

static UNUSED void answer_by(enum answering how, unsigned later_ms)
{
    pthread_mutex_lock(&engine.lock);
    engine.how = how;
    engine.later_ms = later_ms;
    pthread_mutex_unlock(&engine.lock);
}

static UNUSED const struct seen *seen(void)
{
    static struct seen copy;

    pthread_mutex_lock(&engine.lock);
    copy = engine.seen;
    pthread_mutex_unlock(&engine.lock);
    return &copy;
}

static UNUSED void forget_seen(void)
{
    pthread_mutex_lock(&engine.lock);
    engine.seen = (struct seen){0};
    pthread_mutex_unlock(&engine.lock);
}

/* How long the certificate is that the client showed; 0: none. */
static UNUSED size_t cert_length(const struct kmop_request *request)
{
    struct klm_slice der = {NULL, 0};
    struct klm_pool *pool = NULL;

    if (klm_pool_new(0, &pool) == KLM_OK) {
        KLM_IGNORE(request->cert(request->arg, pool, &der)); /* empty when there is none */
        klm_pool_free(&pool);
    }
    return der.n;
}

/* What it does with this one. */
static UNUSED enum answering note_request(const struct kmop_request *request, unsigned *later_ms)
{
    struct seen *s = &engine.seen;
    enum answering how;

    pthread_mutex_lock(&engine.lock);
    s->requests++;
    if (++s->under_way > s->most_under_way) {
        s->most_under_way = s->under_way;
    }
    s->encoding = request->encoding;
    snprintf(s->fingerprint, sizeof s->fingerprint, "%s", request->fingerprint);
    snprintf(s->session, sizeof s->session, "%s", request->session);
    snprintf(s->address, sizeof s->address, "%s", request->address);
    snprintf(s->vendor, sizeof s->vendor, "%s", request->config->vendor);
    snprintf(s->server_name, sizeof s->server_name, "%s", request->config->server_name);
    s->bytes_max = request->config->bytes_max;
    s->batch_max = request->config->batch_max;
    s->cert_n = cert_length(request);
    s->message_n = request->message.n;
    memcpy(s->message, request->message.p,
           request->message.n < sizeof s->message ? request->message.n : sizeof s->message);
    how = engine.how;
    *later_ms = engine.later_ms;
    if (how == NEVER) {
        engine.waiting = *request;
        s->waits = true;
    }
    pthread_mutex_unlock(&engine.lock);
    return how;
}

static UNUSED void give_answer(const struct kmop_request *request, bool something, bool last)
{
    struct klm_buf answer;

    klm_buf_init_wiping(&answer, 1u << 25);
    if (something) {
        klm_buf_slice(&answer, request->message);
    }
    pthread_mutex_lock(&engine.lock);
    engine.seen.under_way--;
    pthread_mutex_unlock(&engine.lock);
    request->done(request->arg, &answer, last);
}

struct late {
    struct klm_job job;
    struct kmop_request request;
    unsigned ms;
};

static UNUSED void late_run(struct klm_job *job)
{
    nap_ms(((struct late *)job)->ms);
}

static UNUSED void late_done(struct klm_job *job)
{
    give_answer(&((struct late *)job)->request, true, false);
    free(job);
}

static UNUSED void answer_late(const struct kmop_request *request, unsigned ms)
{
    struct late *late = calloc(1, sizeof *late);

    late->job = (struct klm_job){.run = late_run, .done = late_done, .loop = request->config->loop};
    late->request = *request;
    late->ms = ms;
    REQUIRE_OK(klm_workers_submit(km_workers(request->config->server), &late->job));
}

static UNUSED void engine_run(const struct kmop_request *request)
{
    unsigned later_ms;

    switch (note_request(request, &later_ms)) {
    case ECHO:
        give_answer(request, true, false);
        break;
    case NOTHING:
        give_answer(request, false, false);
        break;
    case LAST:
        give_answer(request, true, true);
        break;
    case LATER:
        answer_late(request, later_ms);
        break;
    case NEVER:
        break;
    }
}

static UNUSED void engine_sweep(struct km_server *server)
{
    (void)server;
}

/* ---- The door */
struct door {
    struct house house;
    struct klm_loop *loop;
    struct srv_kmip *kmip;
    pthread_t thread;
    unsigned ttlv, https; /* ports */
    atomic_bool drained;
};

static UNUSED void *door_main(void *arg)
{
    klm_loop_run(((struct door *)arg)->loop);
    return NULL;
}

/* Do something on the loop's thread, and wait for it. */
struct errand {
    struct klm_task task;
    void (*fn)(struct door *door);
    struct door *door;
    atomic_bool done;
};

static UNUSED void errand_run(struct klm_task *task)
{
    struct errand *errand = (struct errand *)task;

    errand->fn(errand->door);
    atomic_store(&errand->done, true);
}

static UNUSED void on_loop(struct door *door, void (*fn)(struct door *door))
{
    struct errand errand = {.task.run = errand_run, .fn = fn, .door = door};

    klm_loop_post(door->loop, &errand.task);
    WAIT_FOR(atomic_load(&errand.done), 20)
    {
    }
    REQUIRE(atomic_load(&errand.done));
}

/* Ports that nobody has, all different. They are held until others are asked for: a server may listen where a socket that does not has the
 * port too, while nothing else is given it. */
static UNUSED void free_ports(unsigned *port, size_t n)
{
    static int fd[4];
    const int on = 1;

    REQUIRE(n <= KLM_COUNT(fd));
    for (size_t i = 0; i < KLM_COUNT(fd); i++) {
        if (fd[i] > 0) {
            close(fd[i]);
        }
        fd[i] = 0;
    }
    for (size_t i = 0; i < n; i++) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof in;

        fd[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(fd[i] >= 0 && setsockopt(fd[i], SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                bind(fd[i], (struct sockaddr *)&in, size) == 0 &&
                getsockname(fd[i], (struct sockaddr *)&in, &size) == 0);
        port[i] = ntohs(in.sin_port);
    }
}

/* The server is there; open the ports, and turn the loop. */
static UNUSED void door_open(struct door *door)
{
    static const struct srv_kmip_engine mine = {engine_run, engine_sweep};
    struct km_kmip_info info;
    struct klm_diag diag = {0};

    signal(SIGPIPE, SIG_IGN);
    answer_by(ECHO, 0);
    forget_seen();
    REQUIRE_OK(klm_loop_new(&door->loop));
    REQUIRE_OK(srv_kmip_new(door->house.server, door->loop, &mine, &door->kmip));
    if (srv_kmip_listen(door->kmip, &diag) != KLM_OK) {
        printf("# %s\n", diag.text);
        REQUIRE(false);
    }
    srv_kmip_info(door->kmip, &info);
    door->ttlv = info.ttlv_port;
    door->https = info.https_port;
    REQUIRE(pthread_create(&door->thread, NULL, door_main, door) == 0);
}

static UNUSED void config_with_ports(const char *more, char *out, size_t cap)
{
    unsigned port[2];

    free_ports(port, KLM_COUNT(port));
    snprintf(out, cap, ANY_PORTS "KMIPListener.ssl.port=%u\nKMIPListener.https.port=%u\n%s",
             port[0], port[1], more);
}

/* A house that serves KMIP clients, its folder called name. */
static UNUSED void door_start(struct door *door, const char *name, const char *more)
{
    char config[2000];

    *door = (struct door){0};
    config_with_ports(more, config, sizeof config);
    start_house(&door->house, name, config);
    listen_now();
    door_open(door);
}

static UNUSED void on_drained(void *arg)
{
    struct door *door = arg;

    atomic_store(&door->drained, true);
    klm_loop_stop(door->loop);
}

static UNUSED void do_drain(struct door *door)
{
    srv_kmip_drain(door->kmip, on_drained, door);
}

static UNUSED void do_cut(struct door *door)
{
    srv_kmip_cut(door->kmip);
}

static UNUSED void do_refresh(struct door *door)
{
    srv_kmip_refresh(door->kmip);
}

static UNUSED void do_answer(struct door *door)
{
    struct kmop_request request;

    (void)door;
    pthread_mutex_lock(&engine.lock);
    request = engine.waiting;
    engine.seen.waits = false;
    pthread_mutex_unlock(&engine.lock);
    give_answer(&request, true, false);
}

/* All sessions must end by themselves in time. */
static UNUSED void door_close(struct door *door)
{
    on_loop(door, do_drain);
    WAIT_FOR(atomic_load(&door->drained), 10)
    {
    }
    CHECK(atomic_load(&door->drained));
    pthread_join(door->thread, NULL);
    CHECK_INT(srv_kmip_count(door->kmip), 0);
    srv_kmip_free(&door->kmip);
    close_house(&door->house);
    klm_loop_free(&door->loop);
}

static UNUSED struct km_kmip_info info_of(struct door *door)
{
    struct km_kmip_info info;

    srv_kmip_info(door->kmip, &info);
    return info;
}

/* ---- Certificates that clients make themselves */
struct self {
    EVP_PKEY *key;
    X509 *cert;
    char fingerprint[65];
};

/* kind: a curve, or a number of bits for RSA; valid from and to so many seconds from now. */
static UNUSED struct self self_new(const char *kind, long from, long to)
{
    struct self self = {0};
    uint8_t *der = NULL;
    X509_NAME *name;
    int n;

    self.key = kind[0] == 'P' ? EVP_EC_gen(kind) : EVP_RSA_gen((unsigned)strtoul(kind, NULL, 10));
    self.cert = X509_new();
    REQUIRE(self.key && self.cert);
    X509_set_version(self.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(self.cert), 4711);
    X509_gmtime_adj(X509_getm_notBefore(self.cert), from);
    X509_gmtime_adj(X509_getm_notAfter(self.cert), to);
    name = X509_get_subject_name(self.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)"client", -1, -1, 0);
    X509_set_issuer_name(self.cert, name);
    X509_set_pubkey(self.cert, self.key);
    REQUIRE(X509_sign(self.cert, self.key, EVP_sha256()) > 0);
    n = i2d_X509(self.cert, &der);
    REQUIRE(n > 0);
    fingerprint_of(der, (size_t)n, self.fingerprint);
    OPENSSL_free(der);
    return self;
}

static UNUSED struct self self_good(void)
{
    return self_new("P-256", -3600, 86400);
}

static UNUSED void self_done(struct self *self)
{
    EVP_PKEY_free(self->key);
    X509_free(self->cert);
    *self = (struct self){0};
}

/* ---- Clients */
static UNUSED int tcp_to(unsigned port)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = (time_t)(60 * slowness())};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    REQUIRE(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A call for a socket with a time limit ends when the process is held and goes on: it is made again. */
#define MADE_AGAIN(r, call)                                                                        \
    do {                                                                                           \
        errno = 0;                                                                                 \
        (r) = (call);                                                                              \
    } while ((r) <= 0 && errno == EINTR)

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    bool fine; /* the handshake was done on this side */
    char words[200];
};

/* What a client wants of TLS; zero: all that the library has. */
struct wish {
    int version; /* TLS1_2_VERSION, ... */
    const char *ciphers, *sigalgs;
    SSL_SESSION *session; /* to resume */
    bool no_ticket;
    SSL_CTX *ctx; /* another client's, for its session; referenced */
};

static UNUSED struct client dial_as(unsigned port, const struct self *self, const struct wish *wish)
{
    struct client client = {.ctx = wish->ctx, .fd = tcp_to(port)};
    int r = 0;

    if (client.ctx) {
        SSL_CTX_up_ref(client.ctx);
    } else {
        client.ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(client.ctx, 0);
        SSL_CTX_set_session_cache_mode(client.ctx, SSL_SESS_CACHE_CLIENT);
    }
    if (wish->version) {
        SSL_CTX_set_min_proto_version(client.ctx, wish->version);
        SSL_CTX_set_max_proto_version(client.ctx, wish->version);
    }
    if (wish->ciphers) {
        REQUIRE(SSL_CTX_set_cipher_list(client.ctx, wish->ciphers) == 1);
    }
    if (wish->no_ticket) {
        SSL_CTX_set_options(client.ctx, SSL_OP_NO_TICKET);
    }
    if (self) {
        REQUIRE(SSL_CTX_use_certificate(client.ctx, self->cert) == 1 &&
                SSL_CTX_use_PrivateKey(client.ctx, self->key) == 1);
    }
    client.ssl = SSL_new(client.ctx);
    SSL_set_fd(client.ssl, client.fd);
    if (wish->session) {
        SSL_set_session(client.ssl, wish->session);
    }
    ERR_clear_error();
    if (client.fd >= 0) {
        MADE_AGAIN(r, SSL_connect(client.ssl));
    }
    client.fine = r == 1;
    if (!client.fine) {
        ERR_error_string_n(ERR_peek_last_error(), client.words, sizeof client.words);
    }
    return client;
}

static UNUSED struct client dial(unsigned port, const struct self *self)
{
    const struct wish wish = {0};

    return dial_as(port, self, &wish);
}

static UNUSED bool client_send(struct client *client, const void *p, size_t n)
{
    int r = 0;

    if (n > 0) {
        MADE_AGAIN(r, SSL_write(client->ssl, p, (int)n));
    }
    return r == (int)n;
}

static UNUSED bool client_read(struct client *client, void *out, size_t n)
{
    size_t got = 0;

    while (got < n) {
        int r;

        MADE_AGAIN(r, SSL_read(client->ssl, (uint8_t *)out + got, (int)(n - got)));
        if (r <= 0) {
            ERR_error_string_n(ERR_peek_last_error(), client->words, sizeof client->words);
            ERR_clear_error();
            return false;
        }
        got += (size_t)r;
    }
    return true;
}

/* Nothing more comes, and the connection ends. */
static UNUSED bool client_ended(struct client *client)
{
    uint8_t byte;
    int r;

    ERR_clear_error();
    MADE_AGAIN(r, SSL_read(client->ssl, &byte, 1));
    if (r <= 0 && errno != EAGAIN) {
        ERR_error_string_n(ERR_peek_last_error(), client->words, sizeof client->words);
        ERR_clear_error();
        return true;
    }
    return false;
}

static UNUSED void hang_up(struct client *client)
{
    if (client->fine) {
        SSL_shutdown(client->ssl);
    }
    SSL_free(client->ssl);
    SSL_CTX_free(client->ctx);
    if (client->fd >= 0) {
        close(client->fd);
    }
    ERR_clear_error();
    *client = (struct client){.fd = -1};
}

/* ---- Messages: a Structure with so many bytes in it, marked */
static UNUSED size_t message_of(uint8_t *out, size_t value, uint8_t mark)
{
    const uint8_t head[8] = {0x42,
                             0x00,
                             0x78,
                             0x01,
                             (uint8_t)(value >> 24),
                             (uint8_t)(value >> 16),
                             (uint8_t)(value >> 8),
                             (uint8_t)value};

    memcpy(out, head, 8);
    memset(out + 8, mark, value);
    return value + 8;
}

/* Send it, and get it back. */
static UNUSED bool echoes(struct client *client, size_t value, uint8_t mark)
{
    uint8_t *message = malloc(value + 8), *got = malloc(value + 8);
    size_t n = message_of(message, value, mark);
    bool fine = client_send(client, message, n) && client_read(client, got, n) &&
                memcmp(message, got, n) == 0;

    free(message);
    free(got);
    return fine;
}

#endif
