/* Listening sockets. A reserve descriptor lets us tell a caller "no" (accept and close) when descriptors run out, instead of spinning; then the listener
 * rests for a moment. */
#include "klmsrv/srv.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESSES_MAX 4
#define REST_MS 100
#define SAY_EVERY_MS 60000
#define ACCEPT_BURST 64

struct srv_listener {
    struct klm_loop *loop;
    srv_accept_fn *fn;
    void *arg;
    int fd[ADDRESSES_MAX];
    struct klm_io *io[ADDRESSES_MAX];
    struct klm_timer *rest;
    size_t n;
    unsigned port;
    int reserve;
    uint64_t said; /* when the lack of descriptors was last said: it may last */
};

static void want_all(struct srv_listener *listener, unsigned what)
{
    for (size_t i = 0; i < listener->n; i++) {
        klm_io_want(listener->io[i], what);
    }
}

static void rested(void *arg)
{
    struct srv_listener *listener = arg;

    if (listener->reserve < 0) {
        listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    want_all(listener, KLM_IO_READ);
}

/* Out of descriptors: use the reserve to take the caller and let him go. */
static void refuse_one(struct srv_listener *listener, int fd)
{
    int caller;

    if (listener->said == 0 || klm_clock_mono_ms() - listener->said > SAY_EVERY_MS) {
        listener->said = klm_clock_mono_ms();
        klm_say(KLM_MSG_DESCRIPTORS);
    }
    if (listener->reserve >= 0) {
        close(listener->reserve);
        listener->reserve = -1;
        caller = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (caller >= 0) {
            close(caller);
        }
        listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    want_all(listener, 0);
    klm_timer_set(listener->rest, REST_MS);
}

static void accept_some(struct srv_listener *listener, int fd)
{
    const int on = 1;

    for (int i = 0; i < ACCEPT_BURST; i++) {
        int caller = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (caller < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                refuse_one(listener, fd);
            }
            return; /* EAGAIN: done; ECONNABORTED and the like: the caller gave up */
        }
        /* Answers are one write each; without this they wait for the peer's acknowledgement. */
        if (setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
            setsockopt(caller, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) != 0) {
            close(caller);
            continue;
        }
        listener->fn(listener->arg, caller);
    }
}

static void on_ready(void *arg, unsigned what)
{
    struct srv_listener *listener = arg;

    (void)what;
    for (size_t i = 0; i < listener->n; i++) {
        accept_some(listener, listener->fd[i]);
    }
}

static int bind_one(const struct addrinfo *address, unsigned port)
{
    const int on = 1;
    struct sockaddr_storage copy = {0};
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    memcpy(&copy, address->ai_addr, address->ai_addrlen);
    if (address->ai_family == AF_INET6) {
        ((struct sockaddr_in6 *)&copy)->sin6_port = htons((uint16_t)port);
    } else {
        ((struct sockaddr_in *)&copy)->sin_port = htons((uint16_t)port);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (address->ai_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) ||
        bind(fd, (struct sockaddr *)&copy, address->ai_addrlen) != 0 || listen(fd, 512) != 0) {
        int err = errno;

        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &n) != 0) {
        return 0;
    }
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

static klm_rc bind_all(struct srv_listener *listener, const struct addrinfo *list, unsigned port,
                       int *err)
{
    *err = 0;
    for (const struct addrinfo *a = list; a && listener->n < ADDRESSES_MAX; a = a->ai_next) {
        int fd;

        if (a->ai_family != AF_INET && a->ai_family != AF_INET6) {
            continue;
        }
        fd = bind_one(a, port);
        if (fd < 0) {
            *err = errno;
            continue; /* a host without IPv6 still has its other addresses */
        }
        listener->fd[listener->n] = fd;
        KLM_TRY(klm_io_new(listener->loop, fd, on_ready, listener, &listener->io[listener->n++]));
        port = port ? port : port_of(fd);
    }
    listener->port = port;
    return listener->n > 0 && (*err == 0 || *err == EADDRNOTAVAIL || *err == EAFNOSUPPORT)
               ? KLM_OK
               : KLM_E_BUSY;
}

static klm_rc open_all(struct srv_listener *listener, const char *host, unsigned port,
                       struct klm_diag *diag)
{
    /* localhost is the loopback addresses, with or without a resolver: no name and no AI_PASSIVE (getaddrinfo(3)). */
    bool local = host && strcasecmp(host, "localhost") == 0;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = local ? 0 : AI_PASSIVE};
    struct addrinfo *list;
    char error[128] = "";
    int err = getaddrinfo(host && *host && !local ? host : NULL, "0", &hints, &list);
    klm_rc rc;

    if (err != 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_HOST_UNKNOWN, host, gai_strerror(err));
    }
    rc = bind_all(listener, list, port, &err);
    freeaddrinfo(list);
    if (rc == KLM_E_BUSY) {
        const char *text = strerror_r(err ? err : EADDRNOTAVAIL, error, sizeof error);

        return klm_fail(diag, rc, KLM_MSG_PORT_BIND, KLM_NUM(port), host ? host : "*", text);
    }
    KLM_TRY(rc);
    KLM_TRY(klm_timer_new(listener->loop, rested, listener, &listener->rest));
    want_all(listener, KLM_IO_READ);
    return KLM_OK;
}

klm_rc srv_listen(struct klm_loop *loop, const char *host, unsigned port, srv_accept_fn *fn,
                  void *arg, struct klm_diag *diag, struct srv_listener **out)
{
    KLM_AUTO(srv_listener_free) struct srv_listener *listener = calloc(1, sizeof *listener);

    if (!listener) {
        return KLM_E_NOMEM;
    }
    listener->loop = loop;
    listener->fn = fn;
    listener->arg = arg;
    listener->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    KLM_TRY(open_all(listener, host, port, diag));
    *out = listener;
    listener = NULL;
    return KLM_OK;
}

unsigned srv_listener_port(const struct srv_listener *listener)
{
    return listener->port;
}

void srv_listener_free(struct srv_listener **listener)
{
    struct srv_listener *l = *listener;

    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        klm_io_free(&l->io[i]);
        close(l->fd[i]);
    }
    if (l->reserve >= 0) {
        close(l->reserve);
    }
    klm_timer_free(&l->rest);
    free(l);
    *listener = NULL;
}
