/* Within smf: one journal record as bytes (JOURNAL.md draws it). The hash at its end is over everything before it, the
 * hash of the record before included: that is the chain. */
#ifndef SMF_FRAME_H
#define SMF_FRAME_H

#include "base/buf.h"
#include "base/clock.h"
#include "smf/hash.h"
#include "smf/smf.h"

#define SMF_FRAME_MAGIC 0x4B4C4D4Au /* "KLMJ" */
#define SMF_FRAME_HEAD 84           /* up to the length of the server id */
#define SMF_FRAME_LEFT_OUT 1        /* flag: the event stays in the journal alone */
#define SMF_SERVER_ID_MAX 64
#define SMF_FRAME_MIN (SMF_FRAME_HEAD + 2 + 4 + SMF_HASH_SIZE)
#define SMF_FRAME_MAX (SMF_FRAME_MIN + SMF_SERVER_ID_MAX + SMF_EVENT_MAX)

struct smf_frame {
    uint64_t seq;
    uint64_t event_no; /* number in the outbox, 0: none */
    uint64_t synced;   /* highest sequence number known to be on disk when this was written */
    uint64_t
        keep; /* lowest sequence number whose event_no is still remembered; seq when there is none */
    klm_time time;               /* of the append */
    bool left_out;               /* sinks pass over it */
    uint8_t prev[SMF_HASH_SIZE]; /* hash of the record before; zeros in the first of a journal */
    uint8_t hash[SMF_HASH_SIZE]; /* made by encode, checked by parse */
    struct klm_slice server_id;
    struct klm_slice event;
    size_t length; /* of the whole record */
};

/* Append a record to out; sets hash and length. The event's form is not looked at. */
klm_rc smf_frame_encode(struct smf_frame *frame, struct smf_hash *hash, struct klm_buf *out)
    KLM_MUST_USE;
/* The record at the start of in, its texts borrowed. KLM_E_SHORT: it may become one with more bytes; KLM_E_CORRUPT. */
klm_rc smf_frame_parse(struct klm_slice in, struct smf_hash *hash, struct smf_frame *out)
    KLM_MUST_USE;
/* Server id and event into a pool, as readers see a record. KLM_E_CORRUPT when the event cannot be read. */
klm_rc smf_frame_record(const struct smf_frame *frame, struct klm_pool *pool,
                        struct smf_record *out) KLM_MUST_USE;

#endif
