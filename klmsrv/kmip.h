/* Inside of the sessions of KMIP clients: what kmip.c (the set and its ports), kmip_admit.c (its limits), kmip_session.c (one session), kmip_audit.c (what is said and recorded) and
 * kmip_tls.c (the TLS context) share. */
#ifndef KLMSRV_KMIP_H
#define KLMSRV_KMIP_H

#include "klmsrv/kmip_http.h"
#include "klmsrv/kmip_peers.h"
#include "klmsrv/srv.h"

#include <stdatomic.h>

/* Why a session ends, when the server ends it. */
enum srv_kmip_end {
    SRV_KMIP_PEER,     /* the client closed, or the stream broke */
    SRV_KMIP_DRAIN,    /* serving is stopped */
    SRV_KMIP_CUT,      /* and it did not finish in time */
    SRV_KMIP_REPLACED, /* in its handshake, for another connection */
    SRV_KMIP_ASKED,    /* the answer, or HTTP, said that it is the last */
    SRV_KMIP_BAD,      /* the client said what is no message */
    SRV_KMIP_ERROR     /* no answer could be made */
};

/* What requests are carried out with; requests under way keep the one they began with. */
struct srv_kmip_settings {
    struct kmop_config ops;
    unsigned refs; /* of the loop's thread alone */
    char vendor[4097], server_name[KM_SERVER_ID_MAX];
};

struct srv_kmip_session {
    struct srv_kmip *set;
    struct srv_kmip_session *next, *prev;   /* all of the set */
    struct srv_kmip_session *older, *newer; /* those in their handshake, by age */
    struct srv_peer *peer;                  /* counted there; NULL: no longer */
    struct klm_stream *stream;              /* NULL once it is closed, while the engine works */
    uint64_t since;                         /* monotonic ms of its begin */
    uint64_t requests;
    size_t held; /* bytes of messages, counted in the set */
    size_t most; /* bytes of a message */
    bool https;
    bool shaking;    /* the TLS handshake has not ended */
    bool begun;      /* a message is not complete yet: its deadline runs */
    bool continued;  /* HTTP: 100 Continue was sent for it */
    bool busy;       /* a request is with the engine: input waits */
    bool processing; /* messages are being taken off the input, further out on the stack */
    bool closing;    /* nothing more is read */
    enum srv_kmip_end end;
    char why[64]; /* what was bad */
    char number[KM_SESSION_MAX];
    char address[64];
    char fingerprint[65]; /* "" without a certificate */
};

/* Events or messages in a while; more are counted. */
struct srv_window {
    uint64_t since;
    unsigned n;
};

struct srv_kmip {
    struct km_server *server;
    struct klm_loop *loop;
    struct srv_kmip_engine engine;
    struct klm_tls_ctx *tls;     /* NULL: clients cannot be served */
    struct klm_workers *workers; /* for handshakes; NULL: those of the server */
    struct srv_listener *ttlv, *http;
    struct srv_kmip_settings *settings;
    struct srv_peers *peers;
    struct srv_kmip_session *head, *oldest, *newest;
    size_t n;       /* sessions in the list */
    size_t counted; /* of them, those that count against max */
    size_t held;    /* bytes of messages that are not answered yet, and how many may be */
    size_t held_max;
    size_t max, per_address, shaking_per_address;
    uint32_t handshake_ms, message_ms, idle_ms;
    bool draining;
    void (*drained)(void *arg);
    void *drained_arg;
    struct klm_timer *sweep, *more;
    struct srv_kmip_load *load; /* a new context is being made */
    bool load_again;            /* and the configuration changed meanwhile */
    uint64_t refused_said;      /* monotonic ms of the last message about refusals */
    struct srv_window said;     /* messages about failures */
    struct srv_window events;   /* events of registered clients */
    uint64_t unrecorded;        /* events that were left out */
    atomic_ullong sessions, requests, probes, failed, refused; /* read by status on other threads */
    atomic_uint ttlv_port, https_port;
};

/* ---- kmip_tls.c */
/* The context of both ports by a state. KLM_E_NOTFOUND, KLM_E_CRYPTO and so on with a message. */
klm_rc srv_kmip_tls(const struct km_state *state, struct klm_diag *diag, struct klm_tls_ctx **out)
    KLM_MUST_USE;

/* ---- kmip_session.c */
extern const struct klm_stream_owner srv_kmip_owner; /* its arg is set per session */
/* Close: at once, or behind the answer that is under way. */
void srv_kmip_end(struct srv_kmip_session *session, enum srv_kmip_end end);

/* ---- kmip_admit.c */
/* The handshake ended, either way: it no longer counts as one. */
void srv_kmip_shaken(struct srv_kmip_session *session);
/* Nor does the connection. */
void srv_kmip_uncount(struct srv_kmip_session *session);

/* ---- kmip.c */
/* Would the set's context take the certificate of this session? For sessions that were resumed. */
klm_rc srv_kmip_recheck(struct srv_kmip_session *session, const char **words) KLM_MUST_USE;
/* Count the bytes that the session holds now. KLM_E_LIMIT: all sessions together hold too many. */
klm_rc srv_kmip_hold(struct srv_kmip_session *session, size_t bytes) KLM_MUST_USE;
/* Neither stream nor engine needs the session: forget it. */
void srv_kmip_forget(struct srv_kmip_session *session);
struct srv_kmip_settings *srv_kmip_settings_ref(struct srv_kmip *set);
void srv_kmip_settings_put(struct srv_kmip_settings **settings);

/* ---- kmip_audit.c */
/* The first request of a session. */
void srv_kmip_tell_contact(struct srv_kmip_session *session);
/* Its end: an event when it made requests; else nothing, unless something is wrong. */
void srv_kmip_tell_end(struct srv_kmip_session *session, klm_rc why);
/* An HTTP request was refused with a status; a load balancer may ask all day for what is not here. */
void srv_kmip_tell_http(struct srv_kmip_session *session, unsigned status);
/* A connection from host was turned away. */
void srv_kmip_tell_refused(struct srv_kmip *set, const char *host);
/* How many events were left out, in one. */
void srv_kmip_tell_more(struct srv_kmip *set);

#endif
