/* A sink: a thread that follows the journal from a position of its own and hands each record to a driver (text log, SMF data
 * set, syslog). The thread, its batches, its waits after failures, drain, status and end are the same for all; a driver only
 * takes records and writes. Only records that are on disk in the journal are taken, so that a power loss never leaves an event in
 * a sink alone. */
#ifndef SMF_SINK_H
#define SMF_SINK_H

#include "base/msg.h"
#include "smf/smf.h"

struct smf_sink;

/* All functions are called on the sink's thread (or, before start and after stop, on the caller's). */
struct smf_sink_driver {
    const char *name; /* "text log", "SMF", "syslog": in status and messages */
    /* Put a record behind those not yet written; called for records that configuration leaves out too (record->left_out), so
     * that the position moves on. KLM_E_CORRUPT: this record cannot be taken; it was said, and is passed over. */
    klm_rc (*take)(void *self, const struct smf_record *record);
    /* Enough for one write? */
    bool (*full)(const void *self);
    /* Bring out everything taken. Called again after a failure, until it works; the driver says its failures (smf_trouble).
     * written: the sequence number up to which nothing has to be read again, now (a driver that keeps records for a resend tells less
     * than it took). */
    klm_rc (*write)(void *self, uint64_t *written);
    /* The driver has to begin again behind *after (a receiver came back): the sink reads the journal from there. NULL: never. */
    bool (*again)(void *self, uint64_t *after);
    /* Nothing to write, or `every_ms` went by: save cursors, put checkpoints, look at connections. May be NULL. */
    void (*tick)(void *self);
    unsigned every_ms; /* 0: 5,000 */
    unsigned retry_ms; /* wait after a failed write; 0: 1,000 */
};

struct smf_sink_status {
    const char *name;
    uint64_t position; /* last sequence number that is out or was left out */
    uint64_t backlog;  /* records of the journal behind it */
    bool failing;
    char why[128]; /* of the last failure while failing */
};

/* Start behind record `after`. The journal must outlive the sink. */
klm_rc smf_sink_start(struct smf_journal *journal, const struct smf_sink_driver *driver, void *self,
                      uint64_t after, struct smf_sink **out) KLM_MUST_USE;
/* Let the driver's functions say why they fail (shown by status); any time on the sink's thread. */
void smf_sink_why(struct smf_sink *sink, const char *why);
/* Sync the journal and bring out what it holds by now, then return. The failure of an attempt ends the wait; ms: the longest wait, 0
 * none. */
klm_rc smf_sink_drain(struct smf_sink *sink, unsigned ms) KLM_MUST_USE;
/* Run fn(self, arg) on the sink's thread between two writes, and wait for it: how an operator's request (switch a data set)
 * reaches a driver. KLM_E_STATE: the sink is stopping. */
klm_rc smf_sink_call(struct smf_sink *sink, klm_rc (*fn)(void *self, void *arg), void *arg)
    KLM_MUST_USE;
uint64_t smf_sink_position(const struct smf_sink *sink);
void smf_sink_get_status(struct smf_sink *sink, struct smf_sink_status *out);
/* End the thread; what is not out stays in the journal. */
void smf_sink_stop(struct smf_sink **sink);

#endif
