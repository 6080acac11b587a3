/* Within smf/dump: what a check of a text log reads: its files in their order, and its checkpoints. */
#ifndef SMF_DUMP_TEXT_INPUT_H
#define SMF_DUMP_TEXT_INPUT_H

#include "smf/dump/verify_text.h"
#include "smf/text_checkpoint.h"

/* A file, mapped into memory; it must not be cut shorter while it is looked at. */
struct smfd_text_file {
    const char *path; /* borrowed */
    struct klm_slice bytes;
    uint64_t first_seq; /* of its first record, 0: it has none */
};
struct smfd_text_sign {
    struct smf_text_checkpoint checkpoint;
    struct smfd_place at;
};
struct smfd_text_input {
    struct smfd_text_file *logs; /* by their first record */
    size_t logs_n;
    struct smfd_text_sign *signs; /* by their number */
    size_t signs_n, signs_cap;
    uint64_t bytes;
    bool broken; /* a file of checkpoints holds something else */
    struct smfd_problem broken_at;
};

/* Open and read the text files among paths. End with done in any case. */
klm_rc smfd_text_input_open(const char *const *paths, size_t n, struct klm_diag *diag,
                            struct smfd_text_input *input) KLM_MUST_USE;
void smfd_text_input_done(struct smfd_text_input *input);

#endif
