/* What was read and written, by type and subtype, as the summary at the end of a dump tells it. */
#ifndef SMF_DUMP_STATS_H
#define SMF_DUMP_STATS_H

#include "smf/type83.h"

#include <stdio.h>

#define SMFD_STATS_MAX 4096 /* kinds of records that are counted singly */

struct smfd_count {
    uint8_t type;
    uint16_t subtype;
    bool other; /* all kinds above the limit */
    uint64_t read, written, bytes;
    uint32_t shortest, longest;
    uint64_t first, last; /* stamps; 0: no record with a date */
};
struct smfd_stats {
    struct smfd_count *rows;
    size_t n, cap, recent;
    uint64_t read, written, bytes;
    uint64_t damaged;    /* places that are no record */
    uint64_t unreadable; /* records of ours that are no event */
    uint64_t skipped;    /* records that are not for this form of output */
    uint64_t events;     /* events written as text, JSON or CSV */
    uint64_t unselected; /* records that went to no output */
};

/* Count a record read; its row is good until the next call. NULL: no memory. */
struct smfd_count *smfd_stats_read(struct smfd_stats *stats, const struct smf_t83_view *head);
/* "2026-11-22 01:02:03.45" of a stamp. out: at least 24 bytes. */
void smfd_stamp_text(uint64_t stamp, char *out, size_t cap);
/* The summary; an input's name and size stand in rows of their own before it (smfd_dump). */
void smfd_stats_print(struct smfd_stats *stats, FILE *to);
void smfd_stats_done(struct smfd_stats *stats);

#endif
