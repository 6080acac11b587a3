/* Inputs: one data set after the other, record by record. Damaged places are said, counted and passed over; where the data set is the
 * one the task records on, an unfinished record at its end is no damage. */
#ifndef SMF_DUMP_SOURCE_H
#define SMF_DUMP_SOURCE_H

#include "smf/blocks.h"
#include "smf/dump/stats.h"

#define SMFD_SAID_MAX 100 /* damaged places that are said; more are only counted */

/* Shows how far a long work is, on standard error when that is a terminal. */
struct smfd_progress {
    bool on;
    const char *what;
    uint64_t total, before; /* bytes of all inputs, and of those that are done */
    uint64_t shown_ms;
    unsigned turn;
};
void smfd_progress_begin(struct smfd_progress *progress, const char *what);
/* done: bytes of the present input. */
void smfd_progress_step(struct smfd_progress *progress, uint64_t done);
void smfd_progress_end(struct smfd_progress *progress);

struct smfd_source {
    const char *path;
    struct smf_dataset_reader *reader;
    struct smfd_stats *stats;       /* may be NULL: nothing is counted */
    struct smfd_progress *progress; /* may be NULL */
    struct smf_read read;           /* the record */
    struct smf_t83_view head;
    struct smfd_count *count; /* its row of stats */
    bool active;              /* another process has it locked: the task records on it */
    bool unfinished;          /* ... and its last record is not all there yet */
    uint64_t records, damaged;
};

/* path must live as long as the source. KLM_E_NOTFOUND, KLM_E_IO, KLM_E_INVALID with a message. */
klm_rc smfd_source_open(const char *path, struct smfd_stats *stats, struct smfd_progress *progress,
                        struct klm_diag *diag, struct smfd_source *out) KLM_MUST_USE;
/* The next record: source->read and source->head are set. KLM_E_NOTFOUND at the end. quiet: damage is left to the caller, who sees it
 * as read.kind. */
klm_rc smfd_source_next(struct smfd_source *source, bool quiet) KLM_MUST_USE;
void smfd_source_close(struct smfd_source *source);
/* Does another process hold the lock that the task has on the data set it records on? */
bool smfd_is_active(const char *path);
/* Bytes of all files, as progress needs it; files that cannot be looked at count nothing. */
uint64_t smfd_bytes_of(const char *const *paths, size_t n);

#endif
