/* Within smf/dump: facts as the sections of a page. */
#ifndef SMF_DUMP_TELL_H
#define SMF_DUMP_TELL_H

#include "smf/dump/facts.h"
#include "smf/dump/page.h"
#include "smf/dump/report.h"

struct smfd_told {
    struct smfd_facts *facts;           /* tallies get sorted, intervals longer */
    const struct smfd_verdict *verdict; /* NULL: there is none */
    const struct smfd_stats *stats;
    size_t limit;
};

/* The whole report, on one page. */
void smfd_tell(struct smfd_told *told, struct smfd_page *page);

/* Title, numbers and the verdict on the chain; then the charts. Parts of smfd_tell. */
void smfd_tell_head(const struct smfd_told *told, struct smfd_page *page);
void smfd_tell_overview(struct smfd_told *told, struct smfd_page *page);
/* "12,345". */
void smfd_number(char *out, size_t cap, uint64_t value);

#endif
