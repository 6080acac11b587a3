/* Within smf, and for who verifies: a signed checkpoint of a text log, as it stands in NAME.checkpoints beside the log.
 *
 *   Checkpoint:[
 *     server=KLM1
 *     sequence=10000
 *     chain=<value of the log's chain behind the last record up to that number>
 *     algorithm=ECDSA-SHA256
 *     certificate=<SHA-256 of the certificate>
 *     signature=<base 64>
 *     ]
 *
 * It stands beside the log and not in it: the log has the product's records and nothing else, and what smf2log makes of the data sets is the
 * same log, which the same file proves. What is signed is smf_checkpoint_message of chain "text". */
#ifndef SMF_TEXT_CHECKPOINT_H
#define SMF_TEXT_CHECKPOINT_H

#include "smf/sign.h"

#define SMF_TEXT_CHAIN "text"
#define SMF_TEXT_CHECKPOINTS ".checkpoints" /* behind the name of the log */
#define SMF_TEXT_CHECKPOINT_TITLE "Checkpoint:["
#define SMF_TEXT_CHECKPOINT_MAX 2048 /* bytes of one, and a NUL */

struct smf_text_checkpoint {
    char server_id[65];
    uint64_t seq; /* every record of the log up to this number is under it */
    uint8_t chain[SMF_HASH_SIZE];
    struct smf_signature signature;
};

/* Its text, with a NUL; how many bytes without it. */
size_t smf_text_checkpoint_print(const struct smf_text_checkpoint *checkpoint,
                                 char out[SMF_TEXT_CHECKPOINT_MAX]);
/* The one at the start of in, and its length. KLM_E_SHORT: in ends within it; KLM_E_CORRUPT: it is none, not exactly as we write it. */
klm_rc smf_text_checkpoint_get(struct klm_slice in, struct smf_text_checkpoint *out, size_t *length)
    KLM_MUST_USE;
/* The bytes that its signature is over, appended. */
klm_rc smf_text_checkpoint_message(const struct smf_text_checkpoint *checkpoint,
                                   struct klm_buf *out) KLM_MUST_USE;

#endif
