/* SHA-256, for bindings and names; keys are elsewhere. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/pool.h"
#include "base/rc.h"

/* SHA-256 (FIPS 180-4) of n slices, one after the other. KLM_E_CRYPTO when the library refuses. */
klm_rc klm_sha256(const struct klm_slice *parts, size_t n, uint8_t out[32]) KLM_MUST_USE;

/* The same of bytes that come one after the other: new, any number of updates, end. Failures are kept until the end. */
struct klm_hash;
klm_rc klm_hash_new(struct klm_hash **out) KLM_MUST_USE;
void klm_hash_update(struct klm_hash *hash, struct klm_slice part);
/* The value; the next update begins anew. KLM_E_CRYPTO. */
klm_rc klm_hash_end(struct klm_hash *hash, uint8_t out[32]) KLM_MUST_USE;
void klm_hash_free(struct klm_hash **hash);

#endif
