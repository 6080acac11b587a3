/* Within smf/dump: one output of a dump: records as they are, in one of the formats of data sets, or events as text. */
#ifndef SMF_DUMP_TARGET_H
#define SMF_DUMP_TARGET_H

#include "smf/dump/dump.h"
#include "smf/dump/output.h"

struct smfd_target {
    const struct smfd_outdd *dd;
    const struct smfd_dump *dump;
    enum smfd_form form;
    struct smfd_output file;
    struct klm_slice run; /* records that lie one behind the other in the input, not written yet */
    struct klm_buf batch; /* copies of single records, before run */
    struct klm_buf made;  /* blocks, or a line of text */
    struct smfd_joiner *joiner;
    struct smfd_stats *stats;
    struct klm_diag *diag;
    uint64_t records, incomplete;
};

/* Open or make the data set or file of an OUTDD at a path; dump, dd, stats and diag are borrowed for the life of the target. KLM_E_NOMEM, or what opening says, with diag. */
klm_rc smfd_target_open(const struct smfd_dump *dump, const struct smfd_outdd *dd, const char *path,
                        struct smfd_stats *stats, struct klm_diag *diag, struct smfd_target *out)
    KLM_MUST_USE;
/* The record that the source stands at. */
klm_rc smfd_target_put(struct smfd_target *target, struct smfd_source *source) KLM_MUST_USE;
/* Nothing of an input is needed any more after this. */
klm_rc smfd_target_flush(struct smfd_target *target) KLM_MUST_USE;
/* All inputs are read: bring it to disk. */
klm_rc smfd_target_finish(struct smfd_target *target) KLM_MUST_USE;
void smfd_target_close(struct smfd_target *target);

#endif
