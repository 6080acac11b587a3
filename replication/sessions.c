/* All sessions of partners: admission under the limit, draining. */
#include "replication/sessions.h"

#include "base/clock.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PARTNERS_MAX 8        /* sessions of partners, who are few */
#define WAITING_MAX 16        /* connections of callers who are not admitted, */
#define WAITING_OF_NETWORK 4  /* and of one address */
#define REPLACED_AFTER_MS 500 /* one that has waited for so long may give way to another */
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

/* Until it is admitted a caller has the time of a handshake to say the next thing; after that, that of partners. */
static struct klm_stream_config limits(struct repl_sessions *set)
{
    struct km_state *state = km_state_get(set->server);
    int64_t minutes = parm_num(state->config, PARM_Admin_ssl_timeout);
    uint32_t idle = (uint32_t)(minutes ? minutes : NEVER_MINUTES) * 60000;
    uint32_t handshake =
        (uint32_t)parm_num(state->config, PARM_TransportListener_handshake_timeout) * 1000;
    struct klm_stream_config cfg = {.loop = set->loop,
                                    .workers = km_workers(set->server),
                                    .max_input = REPL_HEADER + REPL_BODY_MAX,
                                    .max_output = MAX_OUTPUT,
                                    .handshake_ms = handshake,
                                    .idle_ms = handshake,
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

/* ---- Who is let in. A caller who sits there and says nothing must not keep a partner out: at a limit the one that has waited longest gives way. */

/* Not admitted, and not on its way out. */
static bool is_waiting(const struct repl_session *session)
{
    return session->phase != REPL_ADMITTED && !session->gone && !session->replaced;
}

/* network NULL: of all. */
static bool is_of(const struct repl_session *session, const uint8_t *network)
{
    return !network || memcmp(session->network, network, KLM_NETWORK) == 0;
}

static size_t count_waiting(const struct repl_sessions *set, const uint8_t *network)
{
    size_t n = 0;

    for (const struct repl_session *s = set->head; s; s = s->next) {
        n += is_waiting(s) && is_of(s, network);
    }
    return n;
}

/* Close the oldest that had its time and for which nothing is under way here. */
static bool replace_oldest(struct repl_sessions *set, const uint8_t *network)
{
    const uint64_t now = klm_clock_mono_ms();
    struct repl_session *oldest = NULL;

    for (struct repl_session *s = set->head; s; s = s->next) { /* the newest comes first */
        if (is_waiting(s) && is_of(s, network) && !s->busy && klm_stream_waits(s->stream) &&
            now - s->since >= REPLACED_AFTER_MS) {
            oldest = s;
        }
    }
    if (oldest) {
        oldest->replaced = true;
        repl_session_end(oldest);
    }
    return oldest != NULL;
}

static bool admits(struct repl_sessions *set, const uint8_t network[KLM_NETWORK])
{
    if (count_waiting(set, network) >= WAITING_OF_NETWORK) {
        return replace_oldest(set, network);
    }
    return count_waiting(set, NULL) < WAITING_MAX || replace_oldest(set, NULL);
}

bool repl_sessions_have_room(const struct repl_sessions *set)
{
    size_t n = 0;

    for (const struct repl_session *s = set->head; s; s = s->next) {
        n += !s->gone && (s->phase == REPL_ADMITTED || s->busy);
    }
    return n <= PARTNERS_MAX; /* who asks is one of them */
}

static void network_of(int fd, uint8_t out[KLM_NETWORK])
{
    struct sockaddr_storage address = {0};
    socklen_t n = sizeof address;

    (void)getpeername(fd, (struct sockaddr *)&address, &n); /* who is gone already has none */
    klm_network_of(&address, out);
}

void repl_sessions_accept(struct repl_sessions *sessions, int take_fd)
{
    struct klm_stream_config cfg = limits(sessions);
    struct klm_stream_owner owner = repl_session_owner;
    struct repl_session *session;
    uint8_t network[KLM_NETWORK];

    if (sessions->draining) {
        close(take_fd);
        return;
    }
    network_of(take_fd, network);
    session = admits(sessions, network) ? calloc(1, sizeof *session) : NULL;
    if (!session) {
        refuse(sessions, take_fd);
        return;
    }
    session->set = sessions;
    session->since = klm_clock_mono_ms();
    session->idle_ms = cfg.message_ms;
    memcpy(session->network, network, sizeof session->network);
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
