/* Who is let in: connections under the limits, in all and by address. Callers that hold a connection without finishing their handshake must not keep others out, so at a
 * limit the oldest of them gives way. */
#include "klmsrv/kmip.h"

#include "base/clock.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIPELINED 65536 /* room for the begin of what comes behind a message */
#define ANSWERS_BEFORE                                                                             \
    131072 /* bytes of answers that may wait for the client before the next request is taken, and a margin */
#define REPLACED_AFTER_MS 500 /* a handshake that waits for so long may give way to another one */

void srv_kmip_uncount(struct srv_kmip_session *session)
{
    struct srv_kmip *set = session->set;

    srv_kmip_shaken(session);
    if (session->peer) {
        session->peer->connections--;
        srv_peers_put(set->peers, session->peer);
        session->peer = NULL;
        set->counted--;
    }
}

void srv_kmip_shaken(struct srv_kmip_session *session)
{
    struct srv_kmip *set = session->set;

    if (!session->shaking || !session->peer) {
        return;
    }
    session->shaking = false;
    session->peer->shaking--;
    *(session->older ? &session->older->newer : &set->oldest) = session->newer;
    *(session->newer ? &session->newer->older : &set->newest) = session->older;
    session->older = session->newer = NULL;
}

/* The peer has counted the connection already. */
static void begin_to_count(struct srv_kmip_session *session, struct srv_peer *peer)
{
    struct srv_kmip *set = session->set;

    session->peer = peer;
    session->shaking = true;
    session->since = klm_clock_mono_ms();
    peer->shaking++;
    set->counted++;
    session->older = set->newest;
    *(set->newest ? &set->newest->newer : &set->oldest) = session;
    set->newest = session;
}

/* Close the oldest connection that has had its time and only waits for its client. peer NULL: whatever its address. */
static bool replace_oldest(struct srv_kmip *set, const struct srv_peer *peer)
{
    const uint64_t now = klm_clock_mono_ms();
    struct srv_kmip_session *session = set->oldest;

    while (session && now - session->since >= REPLACED_AFTER_MS &&
           ((peer && session->peer != peer) || !klm_stream_waits(session->stream))) {
        session = session->newer;
    }
    if (!session || now - session->since < REPLACED_AFTER_MS) {
        return false;
    }
    srv_kmip_uncount(session);
    srv_kmip_end(session, SRV_KMIP_REPLACED);
    return true;
}

/* The newcomer is one of the peer's connections. */
static bool admits(struct srv_kmip *set, const struct srv_peer *peer)
{
    if (set->draining || !set->tls) {
        return false;
    }
    if (peer->shaking >= set->shaking_per_address || peer->connections > set->per_address) {
        return replace_oldest(set, peer);
    }
    return set->counted < set->max || replace_oldest(set, NULL);
}

static void refuse(struct srv_kmip *set, int take_fd, const struct sockaddr_storage *address,
                   socklen_t n)
{
    char host[80];

    close(take_fd);
    atomic_fetch_add(&set->refused, 1);
    if (getnameinfo((const struct sockaddr *)address, n, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) != 0) {
        snprintf(host, sizeof host, "?");
    }
    srv_kmip_tell_refused(set, host);
}

static klm_rc start_session(struct srv_kmip *set, int take_fd, bool https, struct srv_peer *peer)
{
    const size_t most = set->settings->ops.bytes_max;
    const struct klm_stream_config cfg = {
        .loop = set->loop,
        .workers = set->workers ? set->workers : km_workers(set->server),
        .max_input = most + SRV_HTTP_HEAD_MAX + PIPELINED,
        .max_output = KMOP_ANSWER_MAX + SRV_HTTP_HEAD_MAX + ANSWERS_BEFORE,
        .handshake_ms = set->handshake_ms,
        .idle_ms = set->idle_ms,
        .message_ms = set->message_ms,
        .write_ms = set->message_ms,
        .lean = true,
        .half = true};
    struct klm_stream_owner owner = srv_kmip_owner;
    struct srv_kmip_session *session = calloc(1, sizeof *session);

    if (!session) {
        close(take_fd);
        return KLM_E_NOMEM;
    }
    session->set = set;
    session->https = https;
    session->most = most;
    owner.arg = session;
    if (klm_stream_new(take_fd, &cfg, &owner, &session->stream) != KLM_OK) {
        free(session);
        return KLM_E_NOMEM;
    }
    km_session_number(set->server, session->number);
    snprintf(session->address, sizeof session->address, "%s", klm_stream_peer(session->stream));
    begin_to_count(session, peer);
    session->next = set->head;
    if (set->head) {
        set->head->prev = session;
    }
    set->head = session;
    set->n++;
    atomic_fetch_add(&set->sessions, 1);
    if (klm_stream_secure(session->stream, set->tls) != KLM_OK) {
        klm_stream_close(session->stream);
    }
    return KLM_OK;
}

void srv_kmip_accept(struct srv_kmip *kmip, int take_fd, bool https)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof address;
    struct srv_peer *peer;

    (void)getpeername(take_fd, (struct sockaddr *)&address, &n); /* who is gone already has none */
    peer = srv_peers_get(kmip->peers, &address);
    if (!peer) {
        close(take_fd);
        return;
    }
    peer->connections++;
    if (!admits(kmip, peer)) {
        refuse(kmip, take_fd, &address, n);
        peer->connections--;
    } else if (start_session(kmip, take_fd, https, peer) != KLM_OK) {
        peer->connections--; /* without memory it is closed */
    }
    srv_peers_put(kmip->peers, peer);
}
