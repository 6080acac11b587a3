/* Many key tokens from under one master key to under another, as backups and restores do. The idea: what is dear about a token is the subkey of its salt, not its
 * text; so the tokens that come out of one rewrap share a salt, a few ten thousand at a time, each with a nonce of its own that is counted up, and the subkey of the
 * salt seen last is kept, so that tokens made so are opened as cheaply. What comes out are tokens like any other (keyring/TOKEN.md). */
#ifndef KEYRING_REWRAP_H
#define KEYRING_REWRAP_H

#include "keyring/kr.h"

#define KR_REWRAP_RUN 65536 /* tokens that share a salt, at most */

struct kr_rewrap; /* of one thread */
/* Both masters are borrowed. The caller frees it; freeing wipes. */
klm_rc kr_rewrap_new(const struct kr_master *from, const struct kr_master *to,
                     struct kr_rewrap **out) KLM_MUST_USE;
/* As kr_token_rewrap, with the same failures. */
klm_rc kr_rewrap_token(struct kr_rewrap *rewrap, const char *label, struct klm_slice token,
                       struct klm_buf *out) KLM_MUST_USE;
void kr_rewrap_free(struct kr_rewrap **rewrap);

#endif
