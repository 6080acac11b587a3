/* Within smf: which events leave the journal for the sinks, from Audit.event.types and Audit.event.outcome. */
#ifndef SMF_FILTER_H
#define SMF_FILTER_H

#include "smf/smf.h"

struct smf_filter {
    uint32_t kinds, outcomes; /* bit 1 << kind, 1 << outcome */
};

/* Keywords in any case, between commas, semicolons or blanks. NULL or blank takes everything. Unknown words are said and
 * passed over; those of later products that name no event of ours are just passed over. */
struct smf_filter smf_filter_of(const char *types, const char *outcomes);
/* Of an encoded event that smf_event_check has seen (JOURNAL.md: kind at offset 1, outcome at 2). */
bool smf_filter_takes_bytes(struct smf_filter filter, struct klm_slice event);

#endif
