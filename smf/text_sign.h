/* Within smf: the checkpoints of a text log while it is written: when one is due, its signature, the file beside the log.
 *
 * A log that is cut back after a power loss gets the same bytes again from the journal, so a checkpoint holds whether or not the records
 * under it were on disk; the file needs no cursor. */
#ifndef SMF_TEXT_SIGN_H
#define SMF_TEXT_SIGN_H

#include "smf/tail.h"
#include "smf/text_checkpoint.h"
#include "smf/text_place.h"
#include "smf/trouble.h"

struct smf_text_signs {
    const struct smf_signer *signer; /* borrowed; NULL: nothing is signed */
    char server_id[65];
    const char *path; /* of the log, borrowed */
    char *name;       /* in its folder, dirfd (borrowed) */
    int dirfd;
    struct smf_tail tail;
    uint64_t seq;     /* under the last checkpoint */
    uint64_t records; /* of the log since */
    uint64_t signed_ms;
    struct smf_trouble trouble;
};

/* Open the file, made when missing, and see what was signed; what a kill left incomplete at its end is cut off. The log stands at
 * place. KLM_E_INVALID: it is no regular file. End with done in any case. */
klm_rc smf_text_signs_open(struct smf_text_signs *signs, const struct smf_text_file *file,
                           const struct smf_text_place *place) KLM_MUST_USE;
void smf_text_signs_done(struct smf_text_signs *signs);
/* Sign the log as it stands at place if that is due by count or time, or now if anything is not signed. Failures are said at
 * intervals and tried again; the log goes on. */
void smf_text_sign_due(struct smf_text_signs *signs, const struct smf_text_place *place);
void smf_text_sign_now(struct smf_text_signs *signs, const struct smf_text_place *place);

#endif
