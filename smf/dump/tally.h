/* Counts by name, in bounded memory: so many different names are counted singly, events of all others together. */
#ifndef SMF_DUMP_TALLY_H
#define SMF_DUMP_TALLY_H

#include "base/clock.h"

#include <stdbool.h>

#define SMFD_TALLY_MAX 65536 /* different names */

struct smfd_tally_row {
    char *name, *about; /* about: what is to be known of it, from its first event; may be NULL */
    uint64_t n, failed, writes, reads;
    klm_time first, last;
};
struct smfd_tally {
    struct smfd_tally_row *rows;
    size_t n, cap;
    uint32_t *slots; /* open addressing: index of a row plus 1 */
    size_t slots_n;
    uint64_t others; /* events of names above the limit */
};

/* The row of a name, which is counted; NULL: it is one of the others, or there is no memory (*rc tells). */
struct smfd_tally_row *smfd_tally_add(struct smfd_tally *tally, const char *name, klm_time time,
                                      bool failed, klm_rc *rc);
/* Rows by count, highest first; or by their first time. No row may be added afterwards. */
void smfd_tally_by_count(struct smfd_tally *tally);
void smfd_tally_by_first(struct smfd_tally *tally);
void smfd_tally_done(struct smfd_tally *tally);

#endif
