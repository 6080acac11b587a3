/* Inside of the drive sessions: what sessions.c (the set and its limits) and session.c (one session) share. */
#ifndef KLMSRV_SESSIONS_H
#define KLMSRV_SESSIONS_H

#include "klmsrv/srv.h"

#include <stdatomic.h>

#define SRV_KEY 32      /* bytes of a session's wrapping key */
#define SRV_IN_FLIGHT 8 /* requests of a session without an answer (PROTOCOL.md 1.6) */

/* Why a session ends, when the server ends it. */
enum srv_end { SRV_END_PEER, SRV_END_BYE, SRV_END_DRAIN, SRV_END_CUT, SRV_END_ERROR };

struct srv_session {
    struct srv_sessions *set;
    struct srv_session *next, *prev;
    struct klm_stream *stream; /* NULL once it is closed; the session stays until its calls end */
    enum kx_state state;
    uint8_t
        version; /* of the exchange: of messages now, and agreed on for those behind confirmed */
    uint8_t agreed;
    bool tcp;        /* began in clear */
    bool closing;    /* nothing more is read */
    bool begun;      /* a part of a message is there, and its deadline runs */
    bool contacting; /* the verb drive-contact is under way */
    bool processing; /* messages are being taken off the input, further out on the stack */
    bool contacted;  /* the verb drive-contact was asked: its event tells of the session */
    bool admitted;   /* and the drive is */
    bool told;       /* the event of its end was made */
    enum srv_end end;
    unsigned calls; /* verbs under way */
    char number[KM_SESSION_MAX];
    char serial[13], wwn[17];
    uint8_t kind;
    char address[96];
    char host[80]; /* address without the port, for the limit per address */
    char fingerprint[65];
    char name[128];                      /* for messages */
    uint8_t hello[64], hello_server[64]; /* the clear messages, for their hash */
    size_t hello_n, hello_server_n;
    uint8_t hellos[32];
    uint8_t *key; /* wrapping key of the session (exporter), SRV_KEY bytes of secret memory */
};

struct srv_sessions {
    struct km_server *server;
    struct klm_loop *loop;
    struct srv_session *head;
    atomic_size_t n; /* read by status on other threads */
    size_t max, per_address;
    uint32_t handshake_ms, message_ms, ssl_idle_ms, tcp_idle_ms;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    uint64_t refused;      /* connections closed for a limit */
    uint64_t refused_said; /* monotonic ms of the last message about it */
    uint64_t
        said_since; /* messages about broken sessions: start of the window, and how many in it */
    unsigned said;
};

/* session.c */
extern const struct klm_stream_owner srv_session_owner; /* its arg is set per session */
/* Begin: hello on the TCP port, TLS at once on the SSL port. */
klm_rc srv_session_begin(struct srv_session *session) KLM_MUST_USE;
/* Close when the calls under way have been answered. */
void srv_session_end(struct srv_session *session);

/* sessions.c */
/* The session's stream is gone: take it out of the set, free it when its calls are done. */
void srv_session_gone(struct srv_session *session);
void srv_session_call_done(struct srv_session *session);
/* May one more message about a broken session be said? At most a few in a while, so that a port scan does not flood the console. */
bool srv_sessions_may_say(struct srv_sessions *set);

/* session_audit.c */
/* "000007888422 at 192.0.2.7:40022", in the session. */
const char *srv_session_name(struct srv_session *session);
/* Who asks in this session, borrowed from it. */
struct km_actor srv_session_actor(const struct srv_session *session, unsigned roles);
/* The session is ended for what the caller said: an event with that message. */
void srv_session_tell_failed(struct srv_session *session, enum klm_msg_id msg,
                             const char *const *args);
/* Its end as an event, unless it was told already. */
void srv_session_tell_end(struct srv_session *session, klm_rc why);

#endif
