/* All sessions of partners: admission under the limit, draining. */
#include "replication/sessions.h"

#include "base/clock.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SESSIONS_MAX 8 /* partners are few */
#define SAY_WINDOW_MS 10000
#define SAY_IN_WINDOW 10
#define MAX_OUTPUT 65536
#define NEVER_MINUTES 10 /* what stands for 0, never: a request that hangs must end some time */

klm_rc repl_sessions_new(struct km_server *server, struct klm_loop *loop,
                         struct repl_sessions **out)
{
    struct repl_sessions *set = calloc(1, sizeof *set);

    if (!set) {
        return KLM_E_NOMEM;
    }
    set->server = server;
    set->loop = loop;
    *out = set;
    return KLM_OK;
}

bool repl_sessions_may_say(struct repl_sessions *set)
{
    uint64_t now = klm_clock_mono_ms();

    if (now - set->said_since > SAY_WINDOW_MS) {
        set->said_since = now;
        set->said = 0;
    }
    return ++set->said <= SAY_IN_WINDOW;
}

static struct klm_stream_config limits(struct repl_sessions *set)
{
    struct km_state *state = km_state_get(set->server);
    int64_t minutes = parm_num(state->config, PARM_Admin_ssl_timeout);
    uint32_t idle = (uint32_t)(minutes ? minutes : NEVER_MINUTES) * 60000;
    struct klm_stream_config cfg = {
        .loop = set->loop,
        .workers = km_workers(set->server),
        .max_input = REPL_HEADER + REPL_BODY_MAX,
        .max_output = MAX_OUTPUT,
        .handshake_ms =
            (uint32_t)parm_num(state->config, PARM_TransportListener_handshake_timeout) * 1000,
        .idle_ms = idle,
        .message_ms = idle,
        .write_ms = idle};

    km_state_put(&state);
    return cfg;
}

static void add(struct repl_sessions *set, struct repl_session *session)
{
    session->next = set->head;
    if (set->head) {
        set->head->prev = session;
    }
    set->head = session;
    set->n++;
}

static void refuse(struct repl_sessions *set, int take_fd)
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof address;
    char host[80];
    struct klm_diag diag = {0};
    const struct km_actor caller = {.kind = KM_ACTOR_PARTNER, .name = "", .address = host};
    const struct km_news news = {.what = KM_HAP_CONNECTION_REFUSED,
                                 .failed = true,
                                 .actor = &caller,
                                 .object = host,
                                 .why = &diag};

    if (getpeername(take_fd, (struct sockaddr *)&address, &n) != 0 ||
        getnameinfo((struct sockaddr *)&address, n, host, sizeof host, NULL, 0, NI_NUMERICHOST) !=
            0) {
        snprintf(host, sizeof host, "?"); /* who is gone already has none */
    }
    close(take_fd);
    (void)klm_fail(&diag, KLM_E_LIMIT, KLM_MSG_PARTNER_SESSIONS, host, KLM_NUM(set->n));
    if (repl_sessions_may_say(set)) {
        klm_say_diag(&diag);
    }
    km_happened_to_stranger(set->server, &news);
}

void repl_sessions_accept(struct repl_sessions *sessions, int take_fd)
{
    struct klm_stream_config cfg = limits(sessions);
    struct klm_stream_owner owner = repl_session_owner;
    struct repl_session *session;

    session = sessions->draining || sessions->n >= SESSIONS_MAX ? NULL : calloc(1, sizeof *session);
    if (!session && sessions->draining) {
        close(take_fd);
        return;
    }
    if (!session) {
        refuse(sessions, take_fd);
        return;
    }
    session->set = sessions;
    km_session_number(sessions->server, session->number);
    owner.arg = session;
    if (klm_stream_new(take_fd, &cfg, &owner, &session->stream) != KLM_OK) {
        free(session);
        return;
    }
    add(sessions, session);
    if (repl_session_begin(session) != KLM_OK) {
        klm_stream_close(session->stream);
    }
}

void repl_session_forget(struct repl_session *session)
{
    struct repl_sessions *set = session->set;

    if (session->prev) {
        session->prev->next = session->next;
    } else {
        set->head = session->next;
    }
    if (session->next) {
        session->next->prev = session->prev;
    }
    set->n--;
    klm_stream_free(&session->stream);
    free(session->cert_bytes);
    free(session);
    if (set->draining && set->n == 0 && set->drained) {
        set->drained(set->drained_arg);
    }
}

void repl_sessions_drain(struct repl_sessions *sessions, void (*done)(void *arg), void *arg)
{
    sessions->draining = true;
    sessions->drained = done;
    sessions->drained_arg = arg;
    for (struct repl_session *s = sessions->head, *next; s; s = next) {
        next = s->next;
        repl_session_end(s);
    }
    if (sessions->n == 0) {
        done(arg);
    }
}

void repl_sessions_refresh(struct repl_sessions *sessions)
{
    struct km_state *state = km_state_get(sessions->server);

    for (struct repl_session *s = sessions->head, *next; s; s = next) {
        char fingerprint[65];
        const char *name;

        next = s->next;
        if (s->phase == REPL_ADMITTED && !s->gone &&
            km_partner_check(state, s->cert, NULL, &name, fingerprint) != KLM_OK) {
            repl_session_end(s);
        }
    }
    km_state_put(&state);
}

void repl_sessions_cut(struct repl_sessions *sessions)
{
    for (struct repl_session *s = sessions->head, *next; s; s = next) {
        next = s->next;
        s->gone = true;
        if (!s->busy) {
            repl_session_forget(s);
        }
    }
}

void repl_sessions_free(struct repl_sessions **sessions)
{
    free(*sessions);
    *sessions = NULL;
}
