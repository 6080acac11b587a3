/* Partners: key servers that are sent copies of each other's tables. One side listens on Admin.ssl.port, the other connects; both show a
 * certificate with the role PARTNER in TLS 1.3 (replication/PROTOCOL.md). Each request of a partner is a verb through km_run, under
 * the partner's name. The listening side lives on the task's loop; the side that connects waits on the thread of whoever gave the
 * command. */
#ifndef REPLICATION_REPL_H
#define REPLICATION_REPL_H

#include "keymgr/km.h"

struct ssl_st;

#define REPL_HEADER 12
#define REPL_BODY_MAX                                                                              \
    (130u << 20) /* the longest drive table and key groups, a configuration, what is around them */
#define REPL_ID_MAX 200 /* bytes of a server's name */
#define REPL_ROLE_MAX 16
#define REPL_TEXT_MAX 1000 /* bytes of a message's text */

/* ---- Messages (message.c) */
enum repl_type {
#define REPL_MESSAGE(name, code, max, text) name = code,
#include "replication/messages.def"
#undef REPL_MESSAGE
};
enum repl_part {
#define REPL_PART(name, number, word, give, check, take) name = number,
#include "replication/parts.def"
#undef REPL_PART
};
#define REPL_PARTS_MAX 8
#define REPL_CHALLENGES 128 /* in one message */
#define REPL_LABELS 32      /* of them with a challenge, so that they fit */

struct repl_hello { /* REPL_HELLO and REPL_WELCOME */
    uint16_t version_min, version_max;
    char id[REPL_ID_MAX + 1], role[REPL_ROLE_MAX + 1];
};
struct repl_sync {
    bool rewrite;
    size_t n;
    struct {
        uint8_t part;
        struct klm_slice bytes;
    } part[REPL_PARTS_MAX];
};
enum repl_outcome { REPL_TAKEN = 0, REPL_PART_REFUSED = 1, REPL_UNTOUCHED = 2 };
struct repl_text { /* a message of the other side */
    char id[16];
    char text[REPL_TEXT_MAX + 1];
};
struct repl_synced {
    size_t n;
    struct {
        uint8_t part, outcome; /* enum repl_outcome */
        struct repl_text text;
    } part[REPL_PARTS_MAX];
};
struct repl_challenge { /* as struct km_challenge */
    uint8_t kind;
    char name[65];
    uint8_t hash[32];
    struct klm_slice challenge;
};
struct repl_drill {
    uint8_t nonce[32];
    size_t n;
    struct repl_challenge item[REPL_CHALLENGES];
};
struct repl_proven {
    size_t n;
    struct km_proof proof[REPL_CHALLENGES];
};
struct repl_message {
    enum repl_type type;
    uint32_t id; /* of the request; an answer repeats it */
    union {
        struct repl_hello hello;
        struct repl_sync sync;
        struct repl_synced synced;
        struct repl_drill drill;
        struct repl_proven proven;
        struct repl_text refused;
    } u;
};
/* Append a message. Slices are copied. KLM_E_LIMIT: longer than its type may be; out is then as it was. */
klm_rc repl_encode(const struct repl_message *message, struct klm_buf *out) KLM_MUST_USE;
/* One message from the beginning of in; its slices borrow from in. KLM_E_AGAIN: not whole yet. KLM_E_LIMIT: its header says more bytes
 * than its type may have, which is seen before they come. KLM_E_INVALID, KLM_E_SHORT, KLM_E_UNSUPPORTED (another version of the
 * frame): it cannot be read. *used is its length. */
klm_rc repl_decode(struct klm_slice in, struct repl_message *out, size_t *used) KLM_MUST_USE;
/* Its name for messages and traces. */
const char *repl_type_name(enum repl_type type);

/* What binds a drill to its TLS session: exporter value of this label (PROTOCOL.md, 4). */
#define REPL_DRILL_EXPORTER "EXPORTER-klmsrv-drill-1"
klm_rc repl_binding(struct ssl_st *ssl, uint8_t out[32]) KLM_MUST_USE;

/* ---- Parts (parts.c) */
struct repl_part_row {
    enum repl_part part;
    const char *word;
    enum km_verb_id give, check, take;
};
/* All rows, in the order in which they are taken over; *n is how many. */
const struct repl_part_row *repl_parts(size_t *n);
/* Row of a number on the wire; NULL: not known here. */
const struct repl_part_row *repl_part_row(uint8_t part);

/* ---- The listening side (sessions.c) */
struct repl_sessions;
klm_rc repl_sessions_new(struct km_server *server, struct klm_loop *loop,
                         struct repl_sessions **out) KLM_MUST_USE;
/* Take a connection. Refuses by closing: beyond the limit, while draining, and when there is no certificate for partners. */
void repl_sessions_accept(struct repl_sessions *sessions, int take_fd);
/* The configuration or the rings are others: sessions of who is no partner any more end. */
void repl_sessions_refresh(struct repl_sessions *sessions);
/* End them: what is under way is finished first. done is called on the loop when none is left, perhaps at once. */
void repl_sessions_drain(struct repl_sessions *sessions, void (*done)(void *arg), void *arg);
/* End them at once, whatever the other side does; the set is empty when the requests under way have ended. */
void repl_sessions_cut(struct repl_sessions *sessions);
/* Free an empty set. */
void repl_sessions_free(struct repl_sessions **sessions);

/* ---- The side that connects (client.c): blocks; on a thread of its own, never on a loop or a worker */
struct repl_client;
/* All clients of the task, so that its end can cut them; also carries the automatic sync (schedule.c). */
klm_rc repl_client_new(struct km_server *server, struct repl_client **out) KLM_MUST_USE;
/* Cut every link and refuse new ones: whoever waits gets KLM_E_CLOSED. Any thread. */
void repl_client_stop(struct repl_client *client);
/* After every user of it has ended. */
void repl_client_free(struct repl_client **client);

struct repl_link;
/* Connect to host:port, shake hands, check the partner (km_partner_check), exchange hellos. Fails with a message. */
klm_rc repl_link_open(struct repl_client *client, const struct km_state *state, const char *address,
                      struct klm_diag *diag, struct repl_link **out) KLM_MUST_USE;
/* Send a request and wait for its answer, which must be of a type or a refusal. The answer borrows from the link until the next
 * request. KLM_E_DENIED: the partner refused; diag holds its message, and answer is the refusal. */
klm_rc repl_link_ask(struct repl_link *link, struct repl_message *request, enum repl_type want,
                     struct klm_diag *diag, struct repl_message *answer) KLM_MUST_USE;
/* The partner's label in our ring, borrowed; and what it called itself. */
const char *repl_link_partner(const struct repl_link *link);
const struct repl_hello *repl_link_hello(const struct repl_link *link);
klm_rc repl_link_binding(const struct repl_link *link, uint8_t out[32]) KLM_MUST_USE;
void repl_link_close(struct repl_link **link);

/* ---- sync.c: the step of the verb sync (struct km_partner_ops); arg is the client */
klm_rc repl_sync(void *client, struct km_call *call) KLM_MUST_USE;

/* ---- drill.c: the step of the verb drill */
klm_rc repl_drill(void *client, struct km_call *call) KLM_MUST_USE;

/* ---- schedule.c: automatic sync by sync.ipaddress, sync.timeinhours, sync.type and sync.action, on a thread of its own */
struct repl_schedule;
klm_rc repl_schedule_new(struct km_server *server, struct repl_schedule **out) KLM_MUST_USE;
/* The configuration may be another: when what concerns sync is, the next one comes soon. Any thread. */
void repl_schedule_look(struct repl_schedule *schedule);
/* Ends the thread; a sync under way ends first (repl_client_stop cuts it). */
void repl_schedule_free(struct repl_schedule **schedule);

#endif
