/* Callers who are nobody here: what is refused of them is recorded one by one up to a burst for each address and one for all, and beyond it counted. What was counted is told in one event an
 * address and interval, so that a flood fills no disk and nothing is left out in silence. Who went beyond the burst is told in sums until an interval passes without anything of him. */
#ifndef KEYMGR_STRANGERS_H
#define KEYMGR_STRANGERS_H

#include "keymgr/km.h"

#include <pthread.h>

#define KM_STRANGERS 64 /* addresses that are told apart; the others are one */
#define KM_STRANGER_MAX 64
#define KM_REQUEST_OF_STRANGER KM_HAPPENINGS /* a verb's event, where happenings are counted */

struct km_strangers_limits {
    uint32_t burst, total; /* events of one address, and of all, in an interval */
    uint64_t interval_ms;
};

/* One address. */
struct km_stranger {
    char host[KM_STRANGER_MAX]; /* "": a free place */
    uint64_t since;             /* monotonic ms of the begin of its interval */
    uint32_t recorded;          /* one by one within it */
    bool flooding;              /* it is told in sums */
    uint64_t n;                 /* counted, and not told yet: how many, of what, when */
    uint64_t of[KM_HAPPENINGS + 1];
    klm_time first, last;
};

struct km_strangers {
    pthread_mutex_t lock;                    /* guards what follows */
    struct km_stranger at[KM_STRANGERS + 1]; /* the last one: all who found no place */
    uint64_t since;                          /* the interval of all */
    uint32_t recorded;
};

/* A table without anybody in it, in the owner's memory; ended when no thread uses it any more. */
void km_strangers_init(struct km_strangers *strangers);
void km_strangers_end(struct km_strangers *strangers);
/* Who an address (km_actor.address) belongs to: its host, of IPv6 the network of 64 bits, since whoever has one address of it has them all. */
void km_stranger_of(const char *address, char out[KM_STRANGER_MAX]);
/* Something was refused; what: a happening, or KM_REQUEST_OF_STRANGER. True: record it. False: it is counted. Any thread. */
bool km_strangers_note(struct km_strangers *strangers, const struct km_strangers_limits *limits,
                       const char *host, unsigned what, uint64_t now_ms, klm_time when);
/* Take the sum of one address whose interval is over, or (all) of any. False: there is none. */
bool km_strangers_take(struct km_strangers *strangers, const struct km_strangers_limits *limits,
                       uint64_t now_ms, bool all, struct km_stranger *out);
/* A sum in words: "12 tls-failed, 3 requests". */
void km_stranger_words(const struct km_stranger *sum, char *out, size_t cap);

/* ---- At work in a server */
/* Is there room for the event of a call of somebody who is nobody here? Else it is counted. */
bool km_stranger_call(struct km_call *call);
/* Tell the sums that are due, or (all) every one. On the audit thread, or when it has ended; while the journal fails they go on being counted. */
void km_strangers_look(struct km_server *server, bool all);

#endif
