/* What a cache keeps of keys: sealed under a key that only this process has, made anew at each start and never written anywhere, so that a cache may lie in ordinary memory. */
#ifndef KEYRING_GUARD_H
#define KEYRING_GUARD_H

#include "keyring/kr.h"

#define KR_GUARD_MORE 28 /* bytes that sealing adds: nonce and tag */
struct kr_guard;
/* KLM_E_NOMEM: no secret memory; KLM_E_CRYPTO. */
klm_rc kr_guard_new(struct kr_guard **out) KLM_MUST_USE;
void kr_guard_free(struct kr_guard **guard);
/* Append clear, sealed (AES-256-GCM): nonce, ciphertext, tag. It can be opened under the same name alone. Any thread; out is as it was on failure. */
klm_rc kr_guard_seal(struct kr_guard *guard, struct klm_slice name, struct klm_slice clear,
                     struct klm_buf *out) KLM_MUST_USE;
/* Open what was sealed, into the pool, which should be a wiping one. KLM_E_CORRUPT: it is not what was sealed under that name; KLM_E_NOMEM, KLM_E_CRYPTO. */
klm_rc kr_guard_open(struct kr_guard *guard, struct klm_slice name, struct klm_slice sealed,
                     struct klm_pool *pool, struct klm_slice *clear) KLM_MUST_USE;

#endif
