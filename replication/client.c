/* The side that connects: a stream on a loop of its own, turned by the thread that waits. The handshake is done right there, and no
 * worker is held while the partner thinks, so two servers may send to each other at once. */
#include "replication/repl.h"

#include "base/clock.h"
#include "base/lookup.h"
#include "base/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 10000
#define NEVER_MINUTES 10 /* what stands for 0 in Admin.ssl.timeout */

struct repl_client {
    struct km_server *server;
    pthread_mutex_t lock; /* guards what follows */
    bool stopped;
    struct repl_link *head;
};

struct repl_link {
    struct repl_client *client;
    struct repl_link *next, *prev;
    struct klm_loop *loop;
    struct klm_stream *stream;
    struct klm_timer *timer;
    uint64_t wait_ms;
    bool secured, arrived, timed_out;
    bool ended; /* the stream has; why and words say more */
    klm_rc why;
    char words[160];
    char address[280];
    char name[65];
    struct repl_hello hello;
    uint32_t last_id;
    size_t used; /* bytes of the answer before, still in the input */
};

klm_rc repl_client_new(struct km_server *server, struct repl_client **out)
{
    struct repl_client *client = calloc(1, sizeof *client);

    if (!client) {
        return KLM_E_NOMEM;
    }
    client->server = server;
    pthread_mutex_init(&client->lock, NULL);
    *out = client;
    return KLM_OK;
}

void repl_client_stop(struct repl_client *client)
{
    pthread_mutex_lock(&client->lock);
    client->stopped = true;
    for (struct repl_link *link = client->head; link; link = link->next) {
        klm_loop_stop(link->loop);
    }
    pthread_mutex_unlock(&client->lock);
}

void repl_client_free(struct repl_client **client)
{
    if (*client) {
        pthread_mutex_destroy(&(*client)->lock);
    }
    free(*client);
    *client = NULL;
}

static bool stopped(struct repl_client *client)
{
    bool out;

    pthread_mutex_lock(&client->lock);
    out = client->stopped;
    pthread_mutex_unlock(&client->lock);
    return out;
}

/* ---- Connecting */

/* "host:port", "[2001:db8::1]:port" */
static klm_rc split(const char *address, char *host, size_t cap, const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t n = colon ? (size_t)(colon - address) : 0;

    if (n > 2 && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    } else if (n && memchr(address, ':', n)) {
        return KLM_E_INVALID; /* an address of IPv6 without brackets */
    }
    if (n == 0 || n >= cap || !colon[1] || strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        return KLM_E_INVALID;
    }
    memcpy(host, address, n);
    host[n] = '\0';
    *port = colon + 1;
    return KLM_OK;
}

static int finish_connect(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    int err = 0;
    socklen_t n = sizeof err;

    if (poll(&ready, 1, CONNECT_MS) != 1) {
        return ETIMEDOUT;
    }
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 ? err : errno;
}

/* A connected descriptor, or -1 with errno. */
static int connect_one(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0) {
        return -1;
    }
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        err = errno == EINPROGRESS ? finish_connect(fd) : errno;
    }
    if (err) {
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static klm_rc connect_to(const char *address, struct klm_diag *diag, int *out)
{
    KLM_AUTO(klm_lookup_free) struct klm_lookup *lookup = NULL;
    const struct addrinfo *list = NULL;
    char host[256], text[128];
    const char *port, *why = "";
    int err, fd = -1;
    klm_rc rc;

    if (split(address, host, sizeof host, &port) != KLM_OK) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PARTNER_CONNECT, address, "it is not host:port");
    }
    rc = klm_lookup_wait(host, port, SOCK_STREAM, klm_clock_mono_ms() + CONNECT_MS, &lookup, &list,
                         &why);
    if (rc != KLM_OK) {
        return klm_fail(diag, KLM_E_IO, KLM_MSG_PARTNER_CONNECT, address, why);
    }
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = connect_one(a);
    }
    err = errno;
    if (fd < 0) {
        return klm_fail(diag, KLM_E_IO, KLM_MSG_PARTNER_CONNECT, address,
                        strerror_r(err, text, sizeof text));
    }
    *out = fd;
    return KLM_OK;
}

/* ---- The link's loop */

static void on_data(void *arg, struct klm_stream *stream)
{
    struct repl_link *link = arg;

    (void)stream;
    link->arrived = true;
    klm_loop_stop(link->loop);
}

static void on_secured(void *arg, struct klm_stream *stream)
{
    struct repl_link *link = arg;

    (void)stream;
    link->secured = true;
    klm_loop_stop(link->loop);
}

static void on_closed(void *arg, struct klm_stream *stream, klm_rc why)
{
    struct repl_link *link = arg;

    snprintf(link->words, sizeof link->words, "%s",
             klm_stream_why(stream)[0] ? klm_stream_why(stream) : klm_rc_text(why));
    link->ended = true;
    link->why = why == KLM_OK ? KLM_E_CLOSED : why;
    klm_loop_stop(link->loop);
}

static void on_timeout(void *arg)
{
    struct repl_link *link = arg;

    link->timed_out = true;
    klm_loop_stop(link->loop);
}

/* Turn until *what, or the end. */
static klm_rc turn(struct repl_link *link, const bool *what)
{
    klm_timer_set(link->timer, link->wait_ms);
    while (!*what && !link->ended && !link->timed_out && !stopped(link->client)) {
        klm_loop_run(link->loop);
    }
    klm_timer_set(link->timer, 0);
    if (*what) {
        return KLM_OK;
    }
    if (!link->ended) {
        snprintf(link->words, sizeof link->words, "%s",
                 link->timed_out ? "it did not answer in time" : "this server is stopping");
        link->why = link->timed_out ? KLM_E_TIMEOUT : KLM_E_CLOSED;
    }
    return link->why;
}

static klm_rc join(struct repl_link *link)
{
    struct repl_client *client = link->client;
    bool late;

    pthread_mutex_lock(&client->lock);
    late = client->stopped;
    link->next = client->head;
    if (client->head) {
        client->head->prev = link;
    }
    client->head = link;
    pthread_mutex_unlock(&client->lock);
    return late ? KLM_E_CLOSED : KLM_OK;
}

static void leave(struct repl_link *link)
{
    struct repl_client *client = link->client;

    pthread_mutex_lock(&client->lock);
    if (link->prev) {
        link->prev->next = link->next;
    } else if (client->head == link) {
        client->head = link->next;
    }
    if (link->next) {
        link->next->prev = link->prev;
    }
    pthread_mutex_unlock(&client->lock);
}

void repl_link_close(struct repl_link **link)
{
    struct repl_link *l = *link;

    if (!l) {
        return;
    }
    *link = NULL;
    if (l->loop) {
        leave(l);
    }
    klm_stream_free(&l->stream);
    klm_timer_free(&l->timer);
    klm_loop_free(&l->loop);
    free(l);
}

/* ---- Opening */

static klm_rc secure(struct repl_link *link, const struct km_state *state, int take_fd)
{
    const struct klm_stream_config cfg = {.loop = link->loop,
                                          .max_input = REPL_HEADER + REPL_BODY_MAX,
                                          .max_output = REPL_HEADER + REPL_BODY_MAX,
                                          .write_ms = (uint32_t)link->wait_ms};
    const struct klm_stream_owner owner = {
        .data = on_data, .secured = on_secured, .closed = on_closed, .arg = link};

    KLM_TRY(klm_stream_new(take_fd, &cfg, &owner, &link->stream));
    KLM_TRY(klm_stream_secure(link->stream, state->partner.client));
    return turn(link, &link->secured);
}

/* Whom do we speak to? */
static klm_rc check_peer(struct repl_link *link, const struct km_state *state,
                         struct klm_diag *diag)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    char fingerprint[65];
    struct klm_slice der;
    const char *name;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(klm_tls_peer_cert(klm_stream_ssl(link->stream), pool, &der));
    KLM_TRY(km_partner_check(state, der, diag, &name, fingerprint));
    snprintf(link->name, sizeof link->name, "%s", name);
    return KLM_OK;
}

static klm_rc greet(struct repl_link *link, const struct km_state *state, struct klm_diag *diag)
{
    const char *id = parm_str(state->config, PARM_server_id);
    struct repl_message hello = {.type = REPL_HELLO}, answer;

    hello.u.hello.version_min = hello.u.hello.version_max = KM_PARTNER_VERSION;
    snprintf(hello.u.hello.id, sizeof hello.u.hello.id, "%s", id && *id ? id : "ISKLM");
    snprintf(hello.u.hello.role, sizeof hello.u.hello.role, "%s",
             parm_str(state->config, PARM_partner_role));
    KLM_TRY(repl_link_ask(link, &hello, REPL_WELCOME, diag, &answer));
    link->hello = answer.u.hello;
    return KLM_OK;
}

static klm_rc begin(struct repl_link *link, const struct km_state *state, struct klm_diag *diag)
{
    klm_rc rc;
    int fd;

    KLM_TRY(connect_to(link->address, diag, &fd));
    rc = klm_loop_new(&link->loop);
    if (rc != KLM_OK) {
        close(fd);
        return rc;
    }
    rc = join(link);
    if (rc == KLM_OK) {
        rc = klm_timer_new(link->loop, on_timeout, link, &link->timer);
    }
    if (rc != KLM_OK) {
        close(fd);
        return rc;
    }
    rc = secure(link, state, fd);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_PARTNER_CONNECT, link->address,
                        link->words[0] ? link->words : klm_rc_text(rc));
    }
    KLM_TRY(check_peer(link, state, diag));
    return greet(link, state, diag);
}

klm_rc repl_link_open(struct repl_client *client, const struct km_state *state, const char *address,
                      struct klm_diag *diag, struct repl_link **out)
{
    int64_t minutes = parm_num(state->config, PARM_Admin_ssl_timeout);
    KLM_AUTO(repl_link_close) struct repl_link *link = NULL;

    if (!state->partner.client) {
        if (diag) {
            *diag = state->partner.why;
        }
        return KLM_E_STATE;
    }
    link = calloc(1, sizeof *link);
    if (!link) {
        return KLM_E_NOMEM;
    }
    link->client = client;
    link->wait_ms = (uint64_t)(minutes ? minutes : NEVER_MINUTES) * 60000;
    snprintf(link->address, sizeof link->address, "%s", address);
    KLM_TRY(begin(link, state, diag));
    *out = link;
    link = NULL;
    return KLM_OK;
}

/* ---- Asking */

static klm_rc send_request(struct repl_link *link, struct repl_message *request)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, REPL_HEADER + REPL_BODY_MAX);
    request->id = ++link->last_id;
    rc = repl_encode(request, &buf);
    if (rc == KLM_OK) {
        rc = klm_stream_send(link->stream, klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    return rc;
}

static klm_rc receive_answer(struct repl_link *link, struct repl_message *answer)
{
    klm_rc rc = KLM_E_AGAIN;

    while ((rc = repl_decode(klm_buf_as_slice(klm_stream_input(link->stream)), answer,
                             &link->used)) == KLM_E_AGAIN) {
        link->arrived = false;
        KLM_TRY(turn(link, &link->arrived));
    }
    if (rc != KLM_OK) {
        snprintf(link->words, sizeof link->words, "%s", klm_rc_text(rc));
    }
    return rc;
}

klm_rc repl_link_ask(struct repl_link *link, struct repl_message *request, enum repl_type want,
                     struct klm_diag *diag, struct repl_message *answer)
{
    const char *partner = link->name[0] ? link->name : link->address;
    klm_rc rc;

    klm_buf_drop(klm_stream_input(link->stream), link->used);
    link->used = 0;
    rc = link->ended ? link->why : send_request(link, request);
    if (rc == KLM_OK) {
        rc = receive_answer(link, answer);
    }
    if (rc == KLM_E_INVALID || rc == KLM_E_SHORT || rc == KLM_E_LIMIT || rc == KLM_E_UNSUPPORTED) {
        return klm_fail(diag, rc, KLM_MSG_PARTNER_MALFORMED, partner, klm_rc_text(rc));
    }
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_PARTNER_LOST, partner,
                        link->words[0] ? link->words : klm_rc_text(rc));
    }
    if (answer->type == REPL_REFUSED) {
        char said[REPL_TEXT_MAX + 32];

        snprintf(said, sizeof said, "%s %s", answer->u.refused.id, answer->u.refused.text);
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_PARTNER_SAYS, partner, said);
    }
    if (answer->type != want || answer->id != request->id) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_PARTNER_SPOKE, partner,
                        repl_type_name(answer->type));
    }
    return KLM_OK;
}

const char *repl_link_partner(const struct repl_link *link)
{
    return link->name;
}

klm_rc repl_link_binding(const struct repl_link *link, uint8_t out[32])
{
    return link->ended ? KLM_E_CLOSED : repl_binding(klm_stream_ssl(link->stream), out);
}

const struct repl_hello *repl_link_hello(const struct repl_link *link)
{
    return &link->hello;
}
