/* SMF type 83 subtype 6: an event as records, and records as fields. Offsets, lengths, codes and relocate numbers are rows of
 * records.def, each with its source; docs/smf.md is made from them.
 *
 * All integers are big-endian, text is EBCDIC code page 1047, dates are packed 0cyydddF. A record here has its RDW and is whole
 * (never a spanned segment); blocks.h makes blocks of records and records of blocks. */
#ifndef SMF_TYPE83_H
#define SMF_TYPE83_H

#include "smf/sign.h"
#include "smf/smf.h"

/* Bytes of a record, RDW included: what every event can be divided into, and what fits a VBS data set of block size 32,760. */
#define SMF_T83_LEAST 8192
#define SMF_T83_MAX 32756

/* What the records of one system have in common. Texts are cut and padded to the field. */
struct smf_t83_origin {
    const char *system;    /* SMF83SID, 4 */
    const char *subsystem; /* SMF83SSI, 4; NULL or "": bit 0 of the flags off and blanks */
    const char *job;       /* SMF83JBN, 8: name of the started task */
    /* Longest record, 0: SMF_T83_MAX. An event that needs more becomes several records; from SMF_T83_LEAST on every event fits. */
    size_t max;
    /* SMF83TME and SMF83DTE are local time: minutes east of UTC, where the event does not tell its own (SMF_F_OFFSET). */
    int utc_offset_min;
};

/* The chain of one series of data sets: each record holds the hash of the one before. */
struct smf_t83_chain {
    uint8_t value[SMF_HASH_SIZE]; /* of the last record: SHA-256 of its bytes from offset 4 on */
    uint64_t records;             /* in the chain */
    uint64_t seq;                 /* sequence number of the last event in it */
};

/* Numbers of relocate sections: SMF_R_VOLSER is 106. */
enum smf_t83_number {
#define SMF_T83_RELOCATE(number, name, form, field, times, what, source) SMF_R_##name = (number),
#include "smf/records.def"
    SMF_R_FIRST = SMF_R_SERVER
};

/* Append the records of one event. text: its record of the text log (UTF-8, lines end with \n), stored line by line; empty: none.
 * The chain moves on only on success. KLM_E_INVALID: a sequence number of 0, a kind or an outcome that are none; KLM_E_LIMIT: origin->max
 * is too small for it. Control characters and bytes that are no UTF-8 become '.', as in the journal. */
klm_rc smf_t83_encode(const struct smf_t83_origin *origin, const struct smf_record *record,
                      struct klm_slice text, struct smf_hash *hash, struct smf_t83_chain *chain,
                      struct klm_buf *out) KLM_MUST_USE;
/* Append a checkpoint: a record of the chain that signs its value so far (the message is smf_checkpoint_message of chain
 * "smf", the number chain->records). */
klm_rc smf_t83_checkpoint(const struct smf_t83_origin *origin, const char *server_id, klm_time now,
                          const struct smf_signature *signature, struct smf_hash *hash,
                          struct smf_t83_chain *chain, struct klm_buf *out) KLM_MUST_USE;

/* ---- Reading. Everything is borrowed from the record. */
struct smf_t83_view {
    uint16_t length;  /* with RDW */
    uint8_t type;     /* 83 */
    uint16_t subtype; /* 0 when the flags say that there is none */
    uint32_t time;    /* hundredths of a second since local midnight */
    int year, day;    /* 2026, day of the year from 1; 0 when the date is not one */
    struct klm_slice system, subsystem; /* EBCDIC */
    /* of a type 83 subtype 6 record of ours, else empty */
    bool ours;
    struct klm_slice product, security, relocates;
    uint16_t relocates_n;
    uint32_t link;
    uint8_t event_code, qualifier;
    struct klm_slice user, job; /* EBCDIC */
};
/* The header of any SMF record (whole, with RDW): type, subtype, time, date, system. Sections are only looked at by _parse.
 * KLM_E_CORRUPT: lengths that cannot be. */
klm_rc smf_record_head(struct klm_slice record, struct smf_t83_view *out) KLM_MUST_USE;
/* The same and the sections of a type 83 record, every offset, length and count checked against the record's end.
 * KLM_E_CORRUPT with the reason in why (static text), when it claims to be type 83 subtype 6 and its sections cannot be. */
klm_rc smf_t83_parse(struct klm_slice record, struct smf_t83_view *out, const char **why)
    KLM_MUST_USE;
/* The next relocate section from *at (0 first): its number and data. KLM_E_NOTFOUND at the end. */
klm_rc smf_t83_relocate(const struct smf_t83_view *view, size_t *at, unsigned *number,
                        struct klm_slice *data) KLM_MUST_USE;

/* One event as smfdump and reports see it: relocates decoded to UTF-8 in a pool. */
struct smf_t83_event {
    uint64_t seq;         /* 0: a checkpoint */
    unsigned part, parts; /* of the records of this event: 1 of 1 */
    const char *server_id;
    uint8_t prev[SMF_HASH_SIZE],
        journal[SMF_HASH_SIZE]; /* hash of the record before; of the journal's record */
    struct smf_event event;     /* kind, outcome, time in microseconds UTC, fields; NULL: absent */
    int utc_offset_min;
    /* The lines of the text log's record that are in this record, each with its \n, or NULL: the parts of an event, one behind the
     * other, are the whole. */
    const char *text;
    bool checkpoint;
    uint64_t checkpoint_records; /* number under the signature */
    struct smf_signature signature;
};
/* KLM_E_CORRUPT when a relocate's data cannot be, one stands twice or is missing that each record has, or the record is none of
 * ours; relocates of unknown numbers are passed over. SMF_F_OFFSET is always set. KLM_E_NOMEM. */
klm_rc smf_t83_decode(const struct smf_t83_view *view, struct klm_pool *pool,
                      struct smf_t83_event *out) KLM_MUST_USE;

/* A relocate row of records.def by number, for printing a record field by field; NULL: unknown. */
struct smf_t83_row {
    unsigned number;
    const char *name; /* "VOLSER" */
    enum { SMF_T83_TEXT, SMF_T83_NUMBER, SMF_T83_BYTES } form;
    const char *what;   /* a sentence */
    const char *source; /* "ours", or where it is documented */
};
const struct smf_t83_row *smf_t83_row(unsigned number);
/* Name of an event code and of a qualifier ("key management", "failure"), NULL: unknown. */
const char *smf_t83_event_name(unsigned code);
const char *smf_t83_qualifier_name(unsigned qualifier);

#endif
