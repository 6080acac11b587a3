/* Connecting: names to addresses (RFC 5426 UDP, RFC 6587 TCP), and the local socket. */
#include "smf/syslog_link.h"

#include "base/clock.h"
#include "base/lookup.h"

#include <errno.h>
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

/* The next addresses, each with its share of the time. Where one connects, the link remembers those behind it. */
static klm_rc connect_any(struct smf_syslog_link *link, uint64_t until)
{
    klm_rc rc = KLM_E_NOTFOUND;
    unsigned left = 0;

    for (const struct addrinfo *to = link->next; to; to = to->ai_next) {
        left++;
    }
    while (link->next && rc != KLM_OK && rc != KLM_E_STATE) {
        const struct addrinfo *to = link->next;
        uint64_t now = klm_clock_mono_ms();

        link->next = to->ai_next;
        rc = connect_one(link, to, now < until ? now + (until - now) / left-- : now);
    }
    return rc;
}

static klm_rc resolve(struct smf_syslog_link *link, uint64_t until)
{
    const char *host = link->options->host ? link->options->host : "", *why = "";
    char port[8];
    klm_rc rc;

    snprintf(port, sizeof port, "%u", link->options->port);
    KLM_TRY(
        klm_lookup_start(host, port, link->datagrams ? SOCK_DGRAM : SOCK_STREAM, &link->lookup));
    rc = smf_syslog_wait(link, klm_lookup_fd(link->lookup), POLLIN, until);
    rc = rc == KLM_OK ? klm_lookup_list(link->lookup, &link->next, &why) : rc;
    if (rc == KLM_E_TIMEOUT || rc == KLM_E_AGAIN) {
        return smf_syslog_blame(link, KLM_E_TIMEOUT, "the host's name is not resolved in time", "");
    }
    return rc == KLM_E_NOTFOUND ? smf_syslog_blame(link, rc, host, why) : rc;
}

klm_rc smf_syslog_net_connect(struct smf_syslog_link *link, uint64_t until_ms)
{
    link->datagrams = link->options->transport == SMF_SYSLOG_UDP;
    KLM_TRY(resolve(link, until_ms));
    return connect_any(link, until_ms);
}

klm_rc smf_syslog_net_next(struct smf_syslog_link *link)
{
    (void)close(link->fd); /* nothing was taken there */
    link->fd = -1;
    return connect_any(link, klm_clock_mono_ms() + link->options->timeout_ms);
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
