/* Within smf/dump: is a text log whole? Each of its records shows the value that the log's chain has behind it; checkpoints, in a file beside the
 * log, sign that value. All files of a series are one chain, in the order of their first records. */
#ifndef SMF_DUMP_VERIFY_TEXT_H
#define SMF_DUMP_VERIFY_TEXT_H

#include "smf/dump/verify.h"

enum smfd_text_kind {
    SMFD_NO_TEXT,
    SMFD_TEXT_LOG,
    SMFD_TEXT_CHECKPOINTS,
    SMFD_TEXT_CURSOR /* stands beside a log and says nothing about it */
};
/* By the first bytes of a file; a file that cannot be read is no text. */
enum smfd_text_kind smfd_text_kind(const char *path);
/* The logs among the request's paths, with the checkpoints among them; other paths are passed over. KLM_E_NOTFOUND: no record of a log, with a
 * message; failures of reading, with a message. */
klm_rc smfd_verify_text(const struct smfd_verify *request, struct klm_diag *diag,
                        struct smfd_verdict *verdict, struct smfd_chain *out) KLM_MUST_USE;

#endif
