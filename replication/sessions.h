/* Inside of the listening side: the set of sessions (sessions.c), one session (session.c), and what its requests do (take.c). */
#ifndef REPLICATION_SESSIONS_H
#define REPLICATION_SESSIONS_H

#include "base/network.h"
#include "base/stream.h"
#include "replication/repl.h"

enum repl_phase { REPL_IN_TLS, REPL_AWAIT_HELLO, REPL_ADMITTED };

struct repl_session {
    struct repl_sessions *set;
    struct repl_session *prev, *next;
    struct klm_stream *stream;
    enum repl_phase phase;
    bool busy;     /* a request is under way; its message stays in the input until it is answered */
    bool closing;  /* no more requests */
    bool gone;     /* the stream has ended; it is freed when the request under way has */
    bool told;     /* its end is on record */
    bool replaced; /* it gave way to another caller */
    uint8_t network[KLM_NETWORK];
    uint64_t since;   /* it was accepted, klm_clock_mono_ms */
    uint32_t idle_ms; /* it may be silent, once admitted */
    char number[KM_SESSION_MAX], address[80];
    char name[65], fingerprint[65]; /* of the partner, once admitted */
    struct klm_slice cert;          /* what it showed; looked at again after a refresh */
    uint8_t *cert_bytes;            /* its bytes, owned */
    size_t used;                    /* bytes of the request in the input */
    struct repl_message request, answer;
    size_t step;  /* of a sync */
    size_t pages; /* of drills that were answered */
};

struct repl_sessions {
    struct km_server *server;
    struct klm_loop *loop;
    struct repl_session *head;
    size_t n;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    uint64_t said_since; /* strangers may knock often: so many a while are told */
    unsigned said;
};

/* ---- session.c */
klm_rc repl_session_begin(struct repl_session *session) KLM_MUST_USE;
/* Who asks, for verbs. */
struct km_actor repl_session_actor(const struct repl_session *session);
/* Send session->answer as the answer to the request under way, then go on. */
void repl_session_answer(struct repl_session *session);
/* The same with a refusal. */
void repl_session_refuse(struct repl_session *session, const struct klm_diag *diag);
/* No more requests; closes when nothing is under way. */
void repl_session_end(struct repl_session *session);
extern const struct klm_stream_owner repl_session_owner;

/* ---- sessions.c */
/* Out of the set, and freed. */
void repl_session_forget(struct repl_session *session);
/* Is there room for one more session of a partner, for the one whose admission is under way? */
bool repl_sessions_have_room(const struct repl_sessions *set);
/* May one more caller who was not admitted be told of? */
bool repl_sessions_may_say(struct repl_sessions *set);

/* ---- take.c: a sync, part by part: all are checked, then all are taken over */
void repl_take(struct repl_session *session);
/* A message of ours in the form in which it travels. */
void repl_text_of(const struct klm_diag *diag, struct repl_text *out);

/* ---- prove.c: a page of a drill */
void repl_prove(struct repl_session *session);

#endif
