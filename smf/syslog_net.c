/* Connecting: names to addresses (RFC 5426 UDP, RFC 6587 TCP), and the local socket. */
#include "smf/syslog_link.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SEND_BUFFER (256 * 1024) /* so much the system may hold for a receiver that is slow */
#define ALIVE_IDLE_S 60
#define ALIVE_EVERY_S 10
#define ALIVE_TRIES 3

/* A name lookup: the C library's has no deadline. */
struct lookup {
    char host[256], port[8];
    struct addrinfo hints, *list;
    int rc;
};

static void lookup_run(void *arg)
{
    struct lookup *lookup = arg;

    lookup->rc = getaddrinfo(lookup->host, lookup->port, &lookup->hints, &lookup->list);
}

static void lookup_free(void *arg)
{
    struct lookup *lookup = arg;

    if (lookup->list) {
        freeaddrinfo(lookup->list);
    }
    free(lookup);
}

static klm_rc lookup_new(const struct smf_syslog_link *link, struct lookup **out)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    bool udp = link->options->transport == SMF_SYSLOG_UDP;

    if (!lookup) {
        return KLM_E_NOMEM;
    }
    snprintf(lookup->host, sizeof lookup->host, "%s",
             link->options->host ? link->options->host : "");
    snprintf(lookup->port, sizeof lookup->port, "%u", link->options->port);
    lookup->hints.ai_socktype = udp ? SOCK_DGRAM : SOCK_STREAM;
    lookup->hints.ai_flags = AI_NUMERICSERV;
    *out = lookup;
    return KLM_OK;
}

static klm_rc connected(struct smf_syslog_link *link, int fd)
{
    int err = 0;
    socklen_t n = sizeof err;

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0) {
        err = errno;
    }
    return err ? smf_syslog_blame(link, KLM_E_CLOSED, "connect", strerror(err)) : KLM_OK;
}

/* How a connection behaves; nothing breaks when one of these is refused. */
static void tune(int fd, bool stream)
{
    const int on = 1, buffer = SEND_BUFFER, idle = ALIVE_IDLE_S, every = ALIVE_EVERY_S,
              tries = ALIVE_TRIES;

    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    if (stream) {
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &tries, sizeof tries);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
                         sizeof on); /* writes are large already */
    }
}

static klm_rc connect_one(struct smf_syslog_link *link, const struct addrinfo *to, uint64_t until)
{
    int fd = socket(to->ai_family, to->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to->ai_protocol);
    klm_rc rc = KLM_OK;

    if (fd < 0) {
        return smf_syslog_blame(link, KLM_E_IO, "socket", strerror(errno));
    }
    tune(fd, to->ai_socktype == SOCK_STREAM);
    if (connect(fd, to->ai_addr, to->ai_addrlen) != 0) {
        rc = errno == EINPROGRESS
                 ? smf_syslog_wait(link, fd, POLLOUT, until)
                 : smf_syslog_blame(link, KLM_E_CLOSED, "connect", strerror(errno));
    }
    if (rc == KLM_OK) {
        rc = connected(link, fd);
    }
    if (rc != KLM_OK) {
        (void)close(fd);
        return rc;
    }
    link->fd = fd;
    return KLM_OK;
}

/* Each address gets its share of the time. */
static klm_rc connect_any(struct smf_syslog_link *link, const struct addrinfo *list, uint64_t until)
{
    klm_rc rc = KLM_E_NOTFOUND;
    unsigned left = 0;

    for (const struct addrinfo *to = list; to; to = to->ai_next) {
        left++;
    }
    for (const struct addrinfo *to = list; to && rc != KLM_OK && rc != KLM_E_STATE;
         to = to->ai_next, left--) {
        uint64_t now = klm_clock_mono_ms();

        rc = connect_one(link, to, now < until ? now + (until - now) / left : now);
    }
    return rc;
}

static klm_rc resolve(struct smf_syslog_link *link, uint64_t until, struct smf_aside **aside,
                      struct lookup **out)
{
    struct lookup *lookup;
    klm_rc rc;

    KLM_TRY(lookup_new(link, &lookup));
    KLM_TRY(smf_aside_start(lookup_run, lookup_free, lookup, aside));
    rc = smf_syslog_wait(link, smf_aside_fd(*aside), POLLIN, until);
    if (rc == KLM_E_TIMEOUT || (rc == KLM_OK && !smf_aside_ended(*aside))) {
        return smf_syslog_blame(link, KLM_E_TIMEOUT, "the host's name is not resolved in time", "");
    }
    KLM_TRY(rc);
    if (lookup->rc != 0) {
        return smf_syslog_blame(link, KLM_E_NOTFOUND, link->options->host,
                                gai_strerror(lookup->rc));
    }
    *out = lookup;
    return KLM_OK;
}

klm_rc smf_syslog_net_connect(struct smf_syslog_link *link, uint64_t until_ms)
{
    KLM_AUTO(smf_aside_release) struct smf_aside *aside = NULL;
    struct lookup *lookup = NULL;

    link->datagrams = link->options->transport == SMF_SYSLOG_UDP;
    KLM_TRY(resolve(link, until_ms, &aside, &lookup));
    return lookup ? connect_any(link, lookup->list, until_ms) : KLM_E_INTERNAL;
}

klm_rc smf_syslog_local_connect(struct smf_syslog_link *link)
{
    static const int types[] = {SOCK_DGRAM, SOCK_STREAM};
    const char *path = link->options->socket ? link->options->socket : "/dev/log";
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int err = EPROTOTYPE;

    if (strlen(path) >= sizeof to.sun_path) {
        return smf_syslog_blame(link, KLM_E_LIMIT, "connect", "the name is too long for a socket");
    }
    memcpy(to.sun_path, path, strlen(path) + 1);
    for (size_t i = 0; i < KLM_COUNT(types) && err == EPROTOTYPE; i++) {
        int fd = socket(AF_UNIX, types[i] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        if (fd < 0) {
            return smf_syslog_blame(link, KLM_E_IO, "socket", strerror(errno));
        }
        if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0) {
            tune(fd, false);
            link->fd = fd;
            link->datagrams = types[i] == SOCK_DGRAM;
            return KLM_OK;
        }
        err = errno;
        (void)close(fd);
    }
    return smf_syslog_blame(link, KLM_E_CLOSED, "connect", strerror(err));
}
