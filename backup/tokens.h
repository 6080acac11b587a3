/* Key tokens on their way into a backup. The idea: to open one and to seal it again is the dearest work that a backup does for a record, so it is done for some hundreds at a time,
 * by a thread of its own or by the caller, whichever is free, and they come out in the order in which they went in. */
#ifndef BACKUP_TOKENS_H
#define BACKUP_TOKENS_H

#include "backup/format.h"
#include "keyring/rewrap.h"

struct bk_tokens;
/* One that came out, borrowed for the call: how is the outcome of its rewrap; when it is KLM_OK, record is what a backup holds of it, else only its key is of use.
 * Anything but KLM_OK that it returns ends the work. */
typedef klm_rc bk_token_fn(void *arg, const struct bk_record *record, klm_rc how);
/* From under one master key to under another; both are borrowed. */
klm_rc bk_tokens_new(const struct kr_master *from, const struct kr_master *to, bk_token_fn *put,
                     void *arg, struct bk_tokens **out) KLM_MUST_USE;
/* Add a token by its label; earlier ones may come out meanwhile, on the caller's thread. A token that only names a key of a PKCS#11 token stays as it is. */
klm_rc bk_tokens_add(struct bk_tokens *tokens, struct klm_slice label, struct klm_slice token)
    KLM_MUST_USE;
/* All that were added come out. */
klm_rc bk_tokens_flush(struct bk_tokens *tokens) KLM_MUST_USE;
/* What did not come out is dropped. */
void bk_tokens_free(struct bk_tokens **tokens);

#endif
