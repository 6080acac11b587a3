/* Records back into the text log: the stored lines of each event, as the task wrote them to its log. */
#ifndef SMF_DUMP_LOG_H
#define SMF_DUMP_LOG_H

#include "smf/dump/dump.h"

struct smfd_log {
    const char *const *paths;
    size_t paths_n;
    const char *out; /* "-": standard output */
    bool replace, tolerate;
    FILE *sysprint; /* where the counts go */
    uint64_t records, events, checkpoints, others, incomplete, without_text;
    struct smfd_stats stats;
};

/* As smfd_dump: KLM_E_CORRUPT when something was damaged or missing, after everything else was written. An event whose parts are not all
 * there is left out. */
klm_rc smfd_log_write(struct smfd_log *log, struct klm_diag *diag) KLM_MUST_USE;

#endif
