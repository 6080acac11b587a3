/* Within smf: finding the end of a journal when it is opened, and making it a good end. */
#ifndef SMF_RECOVER_H
#define SMF_RECOVER_H

#include "smf/frame.h"
#include "smf/numbers.h"

struct smf_recovered {
    uint64_t seq;                /* of the last record, 0: none */
    uint8_t hash[SMF_HASH_SIZE]; /* its hash */
    uint64_t first, size;        /* the segment that takes the next record */
    struct smf_numbers numbers;  /* outbox numbers not yet forgotten; the caller's to end */
};

/* Check the tail of the journal in a folder that nobody else appends to. What a power loss or a kill left incomplete is cut off
 * and said; on return everything is on disk. A journal without segments gets its first. KLM_E_CORRUPT: a record that was
 * safely on disk, with others behind it, is damaged; diag names it and nothing was changed. */
klm_rc smf_recover(const char *folder, struct klm_diag *diag, struct smf_recovered *out)
    KLM_MUST_USE;

#endif
