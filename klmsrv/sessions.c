/* All drive sessions: admission under the limits, counting, draining. */
#include "klmsrv/sessions.h"

#include "base/clock.h"
#include "base/secret.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_INPUT (4 * KX_MESSAGE_MAX)
#define MAX_OUTPUT (16 * KX_MESSAGE_MAX)
#define SAY_EVERY_MS 60000
#define SAY_WINDOW_MS 10000
#define SAY_IN_WINDOW 10

static void read_limits(struct srv_sessions *set)
{
    struct km_state *state = km_state_get(set->server);
    const struct parm_config *config = state->config;

    set->max = (size_t)parm_num(config, PARM_TransportListener_connections_max);
    set->per_address = (size_t)parm_num(config, PARM_TransportListener_connections_per_address);
    set->handshake_ms = (uint32_t)parm_num(config, PARM_TransportListener_handshake_timeout) * 1000;
    set->message_ms = (uint32_t)parm_num(config, PARM_TransportListener_message_timeout) * 1000;
    set->ssl_idle_ms = (uint32_t)parm_num(config, PARM_TransportListener_ssl_timeout) * 60000;
    set->tcp_idle_ms = (uint32_t)parm_num(config, PARM_TransportListener_tcp_timeout) * 60000;
    km_state_put(&state);
}

klm_rc srv_sessions_new(struct km_server *server, struct klm_loop *loop, struct srv_sessions **out)
{
    struct srv_sessions *set = calloc(1, sizeof *set);

    if (!set) {
        return KLM_E_NOMEM;
    }
    set->server = server;
    set->loop = loop;
    read_limits(set);
    *out = set;
    return KLM_OK;
}

void srv_sessions_refresh(struct srv_sessions *sessions)
{
    read_limits(sessions);
}

size_t srv_sessions_count(const struct srv_sessions *sessions)
{
    return sessions->n;
}

static void host_of(int fd, char *out, size_t cap)
{
    struct sockaddr_storage address;
    socklen_t n = sizeof address;

    if (getpeername(fd, (struct sockaddr *)&address, &n) != 0 ||
        getnameinfo((struct sockaddr *)&address, n, out, (socklen_t)cap, NULL, 0, NI_NUMERICHOST) !=
            0) {
        snprintf(out, cap, "?");
    }
}

static bool too_many(struct srv_sessions *set, const char *host)
{
    size_t same = 0;

    if (set->n >= set->max) {
        return true;
    }
    for (const struct srv_session *s = set->head; s; s = s->next) {
        same += strcmp(s->host, host) == 0;
    }
    return same >= set->per_address;
}

static void record_refused(struct srv_sessions *set, const char *host)
{
    struct klm_diag diag = {0};
    const struct km_actor caller = {.kind = KM_ACTOR_DRIVE, .address = host};
    const struct km_news news = {.what = KM_HAP_CONNECTION_REFUSED,
                                 .failed = true,
                                 .actor = &caller,
                                 .object = host,
                                 .why = &diag};

    (void)klm_fail(&diag, KLM_E_LIMIT, KLM_MSG_CONNECTIONS, host, KLM_NUM(set->refused));
    km_happened_to_stranger(set->server, &news);
}

static void refuse(struct srv_sessions *set, int take_fd, const char *host)
{
    uint64_t now = klm_clock_mono_ms();

    close(take_fd);
    set->refused++;
    record_refused(set, host);
    if (set->refused_said == 0 || now - set->refused_said > SAY_EVERY_MS) {
        set->refused_said = now;
        klm_say(KLM_MSG_CONNECTIONS, host, KLM_NUM(set->refused));
    }
}

bool srv_sessions_may_say(struct srv_sessions *set)
{
    uint64_t now = klm_clock_mono_ms();

    if (now - set->said_since > SAY_WINDOW_MS) {
        set->said_since = now;
        set->said = 0;
    }
    return ++set->said <= SAY_IN_WINDOW;
}

static void add(struct srv_sessions *set, struct srv_session *session)
{
    session->next = set->head;
    if (set->head) {
        set->head->prev = session;
    }
    set->head = session;
    set->n++;
}

void srv_sessions_accept(struct srv_sessions *sessions, int take_fd, bool tls)
{
    struct klm_stream_config cfg = {.loop = sessions->loop,
                                    .workers = km_workers(sessions->server),
                                    .max_input = MAX_INPUT,
                                    .max_output = MAX_OUTPUT,
                                    .handshake_ms = sessions->handshake_ms,
                                    .idle_ms = tls ? sessions->ssl_idle_ms : sessions->tcp_idle_ms,
                                    .message_ms = sessions->message_ms,
                                    .write_ms = sessions->message_ms};
    struct klm_stream_owner owner = srv_session_owner;
    struct srv_session *session;
    char host[80];

    host_of(take_fd, host, sizeof host);
    session = sessions->draining || too_many(sessions, host) ? NULL : calloc(1, sizeof *session);
    if (session) {
        session->key = klm_secret_alloc(SRV_KEY);
    }
    if (!session || !session->key) {
        free(session);
        refuse(sessions, take_fd, host);
        return;
    }
    session->set = sessions;
    session->tcp = !tls;
    km_session_number(sessions->server, session->number);
    snprintf(session->host, sizeof session->host, "%s", host);
    owner.arg = session;
    if (klm_stream_new(take_fd, &cfg, &owner, &session->stream) != KLM_OK) {
        klm_secret_free(session->key, SRV_KEY);
        free(session);
        return;
    }
    add(sessions, session);
    if (srv_session_begin(session) != KLM_OK) {
        klm_stream_close(session->stream);
    }
}

/* Nobody needs the session any more. */
static void free_session(struct srv_session *session)
{
    struct srv_sessions *set = session->set;

    if (session->prev) {
        session->prev->next = session->next;
    } else {
        set->head = session->next;
    }
    if (session->next) {
        session->next->prev = session->prev;
    }
    set->n--;
    klm_secret_free(session->key, SRV_KEY);
    free(session);
    if (set->draining && set->n == 0 && set->drained) {
        set->drained(set->drained_arg);
    }
}

void srv_session_gone(struct srv_session *session)
{
    session->closing = true;
    if (session->calls == 0) {
        free_session(session);
    }
}

void srv_session_call_done(struct srv_session *session)
{
    session->calls--;
    if (!session->stream) {
        srv_session_gone(session);
    } else if (session->closing && session->calls == 0) {
        klm_stream_close(session->stream);
    } else {
        srv_session_owner.data(session, session->stream); /* a request may wait in the input */
    }
}

void srv_sessions_drain(struct srv_sessions *sessions, void (*done)(void *arg), void *arg)
{
    sessions->draining = true;
    sessions->drained = done;
    sessions->drained_arg = arg;
    for (struct srv_session *s = sessions->head, *next; s; s = next) {
        next = s->next;
        s->end = s->end == SRV_END_PEER ? SRV_END_DRAIN : s->end;
        srv_session_end(s);
    }
    if (sessions->n == 0) {
        done(arg);
    }
}

void srv_sessions_cut(struct srv_sessions *sessions)
{
    for (struct srv_session *s = sessions->head, *next; s; s = next) {
        next = s->next;
        if (s->stream) {
            s->end = SRV_END_CUT;
            srv_session_tell_end(s, KLM_E_TIMEOUT);
            klm_stream_free(&s->stream);
            srv_session_gone(s);
        }
    }
}

void srv_sessions_reopen(struct srv_sessions *sessions)
{
    sessions->draining = false;
    sessions->drained = NULL;
}

void srv_sessions_free(struct srv_sessions **sessions)
{
    free(*sessions);
    *sessions = NULL;
}
