/* Audit. An event is typed fields, made once. The journal gives it a server id, a sequence number and the hash of the one before, at append:
 * one order, no gap. Everything else (text log now; SMF type 83 and others later) is a sink that reads the journal with a
 * position of its own and has a chain of its own, so that a filtered sink does not look tampered with.
 *
 * Events of changes are committed with the change, as encoded events in the store's outbox table under an event number, and are moved
 * to the journal exactly once: the journal knows the event numbers of its records. */
#ifndef SMF_SMF_H
#define SMF_SMF_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/msg.h"

#include <stdbool.h>
#include <stdint.h>

enum smf_kind {
#define SMF_KIND(name, title, type, keyword) name,
#include "smf/events.def"
#undef SMF_KIND
    SMF_KINDS
};
enum smf_outcome { SMF_SUCCESS, SMF_FAILURE };
enum smf_field {
#define SMF_FIELD(name, number, max, what) name,
#include "smf/fields.def"
#undef SMF_FIELD
    SMF_FIELDS
};

struct smf_event {
    enum smf_kind kind;
    enum smf_outcome outcome;
    klm_time time;                 /* when it happened; 0: smf sets it at encoding */
    const char *field[SMF_FIELDS]; /* NULL or "": absent. Borrowed */
};

#define SMF_EVENT_MAX 8192        /* bytes of an encoded event */
#define SMF_APPEND_MAX (4u << 20) /* bytes of the records of one append; more is KLM_E_LIMIT */

/* One event as bytes (versioned, big-endian, fields by number) and back. Too long fields are cut at a UTF-8 boundary, control characters
 * become '.'. Decoded text lives in the pool; unknown field numbers are passed over. */
klm_rc smf_event_encode(const struct smf_event *event, struct klm_buf *out) KLM_MUST_USE;
klm_rc smf_event_decode(struct klm_slice in, struct klm_pool *pool, struct smf_event *out)
    KLM_MUST_USE;

/* ---- Journal: a folder of segments "journal.NNNNNNNNNN" (first sequence number), each record framed, chained and checksummed. */
struct smf_journal;

struct smf_journal_options {
    const char *folder;     /* made when missing, 0700 */
    const char *server_id;  /* name of this server in its records */
    uint64_t segment_bytes; /* 0: 64 MiB */
    bool fail_closed;       /* see smf_journal_append */
};

/* Open, check the tail, cut a torn last record (said as a message), go on after it. KLM_E_CORRUPT when a record before the tail is damaged: the message
 * names segment and sequence number. KLM_E_BUSY when another process has it. */
klm_rc smf_journal_open(const struct smf_journal_options *options, struct klm_diag *diag,
                        struct smf_journal **out) KLM_MUST_USE;
void smf_journal_close(struct smf_journal **journal);

struct smf_entry {
    struct klm_slice event; /* encoded */
    uint64_t event_no;      /* number in the outbox, or 0: an event of no change */
    uint64_t seq;           /* out: sequence number given */
};
/* Number, chain and write() n entries as one write; any thread; never syncs. An event_no already in the journal is left out (seq 0). On failure
 * (disk full, I/O) nothing was appended that stays: a partial write is cut off again; a message is said once, then at intervals,
 * and once more when it works again. KLM_E_NOSPACE, KLM_E_IO; KLM_E_LIMIT: records of more than SMF_APPEND_MAX bytes, or more outbox
 * numbers to remember than 262,144; what smf_event_decode would say of an event that it cannot read. */
klm_rc smf_journal_append(struct smf_journal *journal, struct smf_entry *entries, size_t n)
    KLM_MUST_USE;
/* Return when everything up to seq is on disk (one sync serves all who wait). Blocks: never on a loop. Without it a thread of the
 * journal syncs 200 ms after an append. KLM_E_IO: a sync failed; what is on disk is not known, and every append fails until the
 * journal is opened again. */
klm_rc smf_journal_sync(struct smf_journal *journal, uint64_t seq) KLM_MUST_USE;
/* Which events the sinks get: lists of keywords, "all" or "none", with comma or semicolon between (Audit.event.types: kinds,
 * Audit.event.outcome: success, failure); NULL or blank: all. It is decided once, when an event is appended, and stands in its
 * record, so that all sinks agree for ever, whatever is configured later. Until the first call every event is taken. Any
 * thread; unknown words are said. */
void smf_journal_filter(struct smf_journal *journal, const char *types, const char *outcomes);
/* The newest record's sequence number and hash, which is the value of the chain there; 0 and zeros: there is none. */
void smf_journal_head(struct smf_journal *journal, uint64_t *seq, uint8_t hash[32]);
/* The name of this server in its records, borrowed. */
const char *smf_journal_server_id(const struct smf_journal *journal);
/* Highest sequence number given, and synced. */
uint64_t smf_journal_last(const struct smf_journal *journal);
uint64_t smf_journal_synced(const struct smf_journal *journal);
/* Outbox numbers up to this one need not be remembered any more (they are deleted from the store). */
void smf_journal_forget(struct smf_journal *journal, uint64_t event_no);
/* True while the last append failed. */
bool smf_journal_failing(const struct smf_journal *journal);
/* The same, but only when fail_closed was asked for: the server then refuses what it cannot audit. */
bool smf_journal_refusing(const struct smf_journal *journal);

/* A record as read back. */
struct smf_record {
    uint64_t seq, event_no;
    const char *server_id;
    uint8_t prev[32], hash[32]; /* SHA-256 chain */
    bool left_out; /* by the configuration in force at the append: stays in the journal alone */
    struct smf_event event;
};
/* Read records after seq in order: each call of visit gets one, in a pool that lives for the call. Any thread, also while appends go on. */
typedef klm_rc smf_visit_fn(void *arg, const struct smf_record *record);
klm_rc smf_journal_read(const char *folder, uint64_t after, smf_visit_fn *visit, void *arg,
                        struct klm_diag *diag) KLM_MUST_USE;
/* Check the whole chain; names the first bad sequence number in diag. */
klm_rc smf_journal_verify(const char *folder, uint64_t *records, struct klm_diag *diag)
    KLM_MUST_USE;

struct smf_sink;
struct smf_signer; /* smf/sign.h */

/* ---- Text log: the product's own records (reference 5.1), with two lines of ours, sequence= and chain=. */
struct smf_text;

struct smf_text_options {
    const char *folder;  /* Audit.handler.file.directory; made when missing */
    const char *name;    /* Audit.handler.file.name: base name */
    uint64_t roll_bytes; /* Audit.handler.file.size in bytes: closed after the limit is passed */
    /* Signs checkpoints of the log's chain, which stand in NAME.checkpoints; borrowed as long as the log lives. NULL: none. */
    const struct smf_signer *signer;
};
/* A sink with a thread of its own that follows the journal. It finds its place again from what stands in its files, so that after a kill each event stands in it
 * exactly once, in order; a record is never split between files; a rolled file gets the time appended to its name, newer sorting higher.
 * Only records that are synced are taken, so that a power loss never leaves an event here alone. Close it before the journal.
 * KLM_E_INVALID: the name is no base name, or names no regular file. */
klm_rc smf_text_open(const struct smf_text_options *options, struct smf_journal *journal,
                     struct klm_diag *diag, struct smf_text **out) KLM_MUST_USE;
/* Its thread (smf/sink.h), borrowed. */
struct smf_sink *smf_text_sink(struct smf_text *text);
/* Sync the journal and write what it holds by now, then return (tests, stop). The failure of an attempt ends the wait; the events stay due. */
klm_rc smf_text_drain(struct smf_text *text) KLM_MUST_USE;
/* Where a sink that is switched on begins: behind seq, where the text log's chain had this value. */
struct smf_begin {
    uint64_t seq;
    uint8_t text_chain[32];
};
/* Where the log stood when it was opened. */
struct smf_begin smf_text_began(const struct smf_text *text);
/* Last sequence number looked at. */
uint64_t smf_text_position(const struct smf_text *text);
void smf_text_close(struct smf_text **text);
/* One record as the text log shows it, without sequence= and chain= lines when seq is 0. chain is the value of the record
 * before (NULL: 32 zero bytes, the first); the line shows that of this one. */
klm_rc smf_text_format(const struct smf_record *record, const uint8_t chain[32],
                       struct klm_buf *out) KLM_MUST_USE;

#endif
