/* What the ways to a receiver share: waiting, sending, asking the system how far the other side is, closing. */
#include "smf/syslog_link.h"

#include "base/clock.h"
#include "base/lookup.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBE_MS 100  /* an answer that nobody listens is back by then */
#define STALL_MS 1000 /* a link that took nothing is asked again for so long */
#define PACE_EVERY                                                                                 \
    32 /* datagrams after which UDP rests, so that a receiver's queue can be emptied */
#define PACE_MS 2
#define DEAD_AFTER 6 /* tries of the system that nothing answered: some seconds */

static bool is_net(const struct smf_syslog_link *link)
{
    return link->options->transport != SMF_SYSLOG_LOCAL &&
           link->options->transport != SMF_SYSLOG_EVTLOG;
}

static bool is_tcp(const struct smf_syslog_link *link)
{
    return link->options->transport == SMF_SYSLOG_TCP || link->options->transport == SMF_SYSLOG_TLS;
}

static void make_name(struct smf_syslog_link *link)
{
    static const char *const schemes[] = {"local", "udp", "tcp", "tls", "evtlog"};
    const struct smf_syslog_options *o = link->options;

    if (is_net(link)) {
        const char *host = o->host ? o->host : "";
        bool six = strchr(host, ':') != NULL;

        snprintf(link->name, sizeof link->name, "%s:%s%s%s:%u", schemes[o->transport],
                 six ? "[" : "", host, six ? "]" : "", o->port);
    } else {
        snprintf(link->name, sizeof link->name, "%s:%s", schemes[o->transport],
                 o->transport == SMF_SYSLOG_EVTLOG ? o->plugin
                 : o->socket                       ? o->socket
                                                   : "/dev/log");
    }
}

klm_rc smf_syslog_link_init(struct smf_syslog_link *link, const struct smf_syslog_options *options,
                            int stop_fd, struct klm_diag *diag)
{
    *link = (struct smf_syslog_link){.options = options, .stop_fd = stop_fd, .fd = -1};
    make_name(link);
    return options->transport == SMF_SYSLOG_EVTLOG ? smf_syslog_evtlog_load(link, diag) : KLM_OK;
}

void smf_syslog_link_done(struct smf_syslog_link *link)
{
    smf_syslog_link_close(link);
    smf_syslog_evtlog_unload(link);
}

klm_rc smf_syslog_blame(struct smf_syslog_link *link, klm_rc rc, const char *what,
                        const char *reason)
{
    snprintf(link->why, sizeof link->why, "%s%s%s", what, *reason ? ": " : "", reason);
    return rc;
}

klm_rc smf_syslog_wait(struct smf_syslog_link *link, int fd, short events, uint64_t until_ms)
{
    struct pollfd p[2] = {{.fd = link->stop_fd, .events = POLLIN}, {.fd = fd, .events = events}};

    for (;;) {
        uint64_t now = klm_clock_mono_ms();
        int n = poll(p, 2, now < until_ms ? (int)(until_ms - now) : 0);

        if (n < 0 && errno != EINTR) {
            return smf_syslog_blame(link, KLM_E_IO, "poll", strerror(errno));
        }
        if (p[0].revents && n > 0) {
            return KLM_E_STATE;
        }
        if (n > 0) {
            return KLM_OK;
        }
        if (klm_clock_mono_ms() >= until_ms) {
            return KLM_E_TIMEOUT;
        }
    }
}

bool smf_syslog_link_connected(const struct smf_syslog_link *link)
{
    return link->fd >= 0 || (link->plugin && link->proven);
}

void smf_syslog_link_close(struct smf_syslog_link *link)
{
    if (link->ssl) {
        smf_syslog_tls_close(link, false);
    }
    if (link->fd >= 0) {
        (void)close(link->fd); /* what it could not send is sent again */
    }
    link->fd = -1;
    klm_lookup_free(&link->lookup);
    link->next = NULL;
    link->proven = link->stalled = false;
    link->sent = link->acked = 0;
}

klm_rc smf_syslog_link_connect(struct smf_syslog_link *link)
{
    uint64_t until = klm_clock_mono_ms() + link->options->timeout_ms;
    klm_rc rc = KLM_OK;

    smf_syslog_link_close(link);
    link->why[0] = '\0';
    link->blamed = false;
    switch (link->options->transport) {
    case SMF_SYSLOG_LOCAL:
        rc = smf_syslog_local_connect(link);
        break;
    case SMF_SYSLOG_EVTLOG:
        rc = smf_syslog_evtlog_connect(link);
        break;
    case SMF_SYSLOG_UDP:
    case SMF_SYSLOG_TCP:
    case SMF_SYSLOG_TLS:
        rc = smf_syslog_net_connect(link, until);
        break;
    }
    if (rc == KLM_OK && link->options->transport == SMF_SYSLOG_TLS) {
        rc = smf_syslog_tls_connect(link, until);
    }
    if (rc == KLM_E_TIMEOUT && !link->why[0]) {
        KLM_IGNORE(smf_syslog_blame(link, rc, "no connection in time", ""));
    }
    if (rc != KLM_OK) {
        smf_syslog_link_close(link);
    }
    link->moved_ms = klm_clock_mono_ms();
    return rc;
}

/* Bytes written, 0 when there is no room now. */
static klm_rc write_some(struct smf_syslog_link *link, struct klm_slice bytes, size_t *n,
                         short *events)
{
    ssize_t done;

    *events = POLLOUT;
    *n = 0;
    if (link->ssl) {
        return smf_syslog_tls_write(link, bytes, n, events);
    }
    do {
        done = send(link->fd, bytes.p, bytes.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (done < 0 && errno == EINTR);
    if (done < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) {
            return KLM_OK;
        }
        return smf_syslog_blame(link, KLM_E_CLOSED, "send", strerror(errno));
    }
    *n = (size_t)done;
    link->sent += (size_t)done;
    return KLM_OK;
}

/* The answer to the first datagram: one that nobody listens comes back as an error. */
static klm_rc probe(struct smf_syslog_link *link)
{
    int err = 0;
    socklen_t n = sizeof err;
    klm_rc rc = smf_syslog_wait(link, link->fd, 0, klm_clock_mono_ms() + PROBE_MS);

    if (rc == KLM_OK && getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 && err) {
        return smf_syslog_blame(link, KLM_E_CLOSED, "send", strerror(err));
    }
    return rc == KLM_E_TIMEOUT ? KLM_OK : rc;
}

/* Some rest after each few datagrams; UDP alone, since a local socket says itself when it is full. */
static klm_rc pace(struct smf_syslog_link *link, size_t message)
{
    klm_rc rc;

    if (link->options->transport != SMF_SYSLOG_UDP) {
        return KLM_OK;
    }
    if (!link->proven) {
        KLM_TRY(probe(link));
    }
    link->proven = true;
    if (message % PACE_EVERY != PACE_EVERY - 1) {
        return KLM_OK;
    }
    rc = smf_syslog_wait(link, -1, 0, klm_clock_mono_ms() + PACE_MS);
    return rc == KLM_E_TIMEOUT ? KLM_OK : rc;
}

/* What is sent next: the rest of a stream, or one message. */
static struct klm_slice next_piece(const struct smf_syslog_link *link, struct klm_slice bytes,
                                   const uint32_t *ends, size_t n, size_t at, size_t *message)
{
    size_t i = 0;

    if (!link->datagrams) {
        return KLM_SLICE(bytes.p + at, bytes.n - at);
    }
    while (i < n && ends[i] <= at) {
        i++;
    }
    *message = i;
    /* without the line end that is for streams */
    return KLM_SLICE(bytes.p + at,
                     ends[i] - at - (link->options->transport == SMF_SYSLOG_LOCAL ? 1 : 0));
}

/* Nobody listens at this address of the name, and nothing was taken there: UDP tells it by the answer to the first datagram. */
static bool refused(const struct smf_syslog_link *link, klm_rc rc)
{
    return rc == KLM_E_CLOSED && link->options->transport == SMF_SYSLOG_UDP && !link->proven;
}

klm_rc smf_syslog_link_send(struct smf_syslog_link *link, struct klm_slice bytes,
                            const uint32_t *ends, size_t n, size_t *at)
{
    uint64_t patience = link->stalled && link->options->timeout_ms > STALL_MS
                            ? STALL_MS
                            : link->options->timeout_ms;
    uint64_t until = klm_clock_mono_ms() + patience;
    size_t message = 0;

    if (link->plugin) {
        return smf_syslog_evtlog_send(link, bytes, ends, n, at);
    }
    while (*at < bytes.n) {
        const size_t began = *at;
        short events = POLLOUT;
        size_t done = 0;
        klm_rc rc =
            write_some(link, next_piece(link, bytes, ends, n, *at, &message), &done, &events);

        if (rc == KLM_OK && done == 0) {
            rc = smf_syslog_wait(link, link->fd, events, until);
            link->stalled = rc == KLM_E_TIMEOUT;
            if (link->stalled) {
                return smf_syslog_blame(link, rc, "the receiver takes nothing", "");
            }
        } else if (rc == KLM_OK) {
            *at = link->datagrams ? ends[message] : *at + done;
            link->stalled = false;
            until = klm_clock_mono_ms() + link->options->timeout_ms;
            rc = pace(link, message);
        }
        if (refused(link, rc) && smf_syslog_net_next(link) == KLM_OK) {
            *at = began; /* the same message to the name's next address */
            rc = KLM_OK;
        }
        KLM_TRY(rc);
    }
    return KLM_OK;
}

/* Bytes that the other side has not got yet: of a local socket those it has not read, in the system's own measure. */
static size_t under_way(const struct smf_syslog_link *link)
{
    int n = 0;

    return link->fd >= 0 && ioctl(link->fd, SIOCOUTQ, &n) == 0 && n > 0 ? (size_t)n : 0;
}

static void look_acked(struct smf_syslog_link *link)
{
    size_t waiting = under_way(link);
    uint64_t acked = link->acked;

    if (waiting == 0) {
        acked = link->sent;
    } else if (is_tcp(link) && link->sent > waiting) {
        acked = link->sent - waiting;
    }
    if (acked > link->acked || waiting == 0) {
        link->moved_ms = klm_clock_mono_ms();
    }
    link->acked = acked > link->acked ? acked : link->acked;
}

/* The system sends again and again, and nothing comes back: the machine or the way to it is gone. */
static bool silent(struct smf_syslog_link *link)
{
    struct tcp_info info;
    socklen_t n = sizeof info;

    memset(&info, 0, sizeof info);
    if (!is_tcp(link) || link->acked == link->sent ||
        getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &n) != 0 ||
        (info.tcpi_retransmits < DEAD_AFTER && info.tcpi_probes < DEAD_AFTER)) {
        return false;
    }
    KLM_IGNORE(smf_syslog_blame(link, KLM_E_CLOSED, "the receiver does not answer any more", ""));
    return true;
}

/* What the other side sent is dropped; its end, or an error, is what is looked for. */
static bool ended(struct smf_syslog_link *link)
{
    uint8_t bytes[512];
    ssize_t n;

    if (link->ssl) {
        return smf_syslog_tls_read(link) != KLM_OK;
    }
    for (int i = 0; i < 16; i++) {
        n = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0 && !link->datagrams) {
            KLM_IGNORE(smf_syslog_blame(link, KLM_E_CLOSED, "the receiver closed", ""));
            return true;
        }
        if (n < 0 && errno != EINTR) {
            break;
        }
    }
    if (n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
        return false;
    }
    KLM_IGNORE(smf_syslog_blame(link, KLM_E_CLOSED, "connection", strerror(errno)));
    return true;
}

bool smf_syslog_link_look(struct smf_syslog_link *link)
{
    if (link->plugin) {
        link->acked = link->sent;
        return true;
    }
    look_acked(link);
    return !ended(link) && !silent(link);
}

/* Wait until a stream's other side has closed too: then its program has read everything, since a system that has unread bytes
 * resets the connection. */
static bool wait_end(struct smf_syslog_link *link, uint64_t until)
{
    struct pollfd p = {.fd = link->fd, .events = POLLIN};

    /* One look at the clock a turn: between two of them the time may run out, and what is left would be below zero, which is for ever. */
    for (uint64_t now; (now = klm_clock_mono_ms()) < until;) {
        uint8_t bytes[512];
        ssize_t n;

        if (poll(&p, 1, (int)(until - now)) <= 0) {
            continue;
        }
        n = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n == 0) {
            return true;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
    }
    return false;
}

/* Nothing under way any more, and no answer that says otherwise. */
static bool wait_taken(struct smf_syslog_link *link, uint64_t until)
{
    do {
        (void)poll(NULL, 0, 10);
        if (ended(link)) {
            return false;
        }
    } while (klm_clock_mono_ms() < until &&
             (under_way(link) > 0 || link->options->transport == SMF_SYSLOG_UDP));
    return under_way(link) == 0;
}

bool smf_syslog_link_finish(struct smf_syslog_link *link, unsigned ms)
{
    uint64_t until = klm_clock_mono_ms() + ms;
    bool all;

    if (link->plugin || link->fd < 0) {
        return link->plugin != NULL && link->proven;
    }
    if (is_tcp(link)) {
        if (link->ssl) {
            smf_syslog_tls_close(link, true);
        }
        all = shutdown(link->fd, SHUT_WR) == 0 && wait_end(link, until);
    } else {
        if (link->options->transport == SMF_SYSLOG_UDP && ms > PROBE_MS) {
            until = klm_clock_mono_ms() + PROBE_MS;
        }
        all = wait_taken(link, until);
    }
    smf_syslog_link_close(link);
    return all;
}
