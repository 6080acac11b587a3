/* Within smf: where a text log goes on after a start. */
#ifndef SMF_TEXT_PLACE_H
#define SMF_TEXT_PLACE_H

#include "smf/text_file.h"

struct smf_text_place {
    uint64_t seq;                 /* last one in the log, or looked at and filtered out */
    uint8_t chain[SMF_HASH_SIZE]; /* of the last record in the log */
};

/* Find the place from the active file (opened here), else the newest closed one, and the cursor: whichever knows most. What is
 * no complete record at the end of the active file is cut off; a file that is not ours is set aside. Both are said. */
klm_rc smf_text_find_place(struct smf_text_file *file, struct smf_hash *sha,
                           struct smf_text_place *out, struct klm_diag *diag) KLM_MUST_USE;

#endif
