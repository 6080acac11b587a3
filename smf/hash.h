/* Within smf: SHA-256 with everything fetched once, because each append needs one. */
#ifndef SMF_HASH_H
#define SMF_HASH_H

#include "base/pool.h"
#include "base/rc.h"

#define SMF_HASH_SIZE 32

struct smf_hash;

/* KLM_E_NOMEM, KLM_E_CRYPTO. One object is for one thread at a time. */
klm_rc smf_hash_new(struct smf_hash **out) KLM_MUST_USE;
void smf_hash_free(struct smf_hash **hash);
/* SHA-256 (FIPS 180-4) of a followed by b. KLM_E_CRYPTO. */
klm_rc smf_hash_two(struct smf_hash *hash, struct klm_slice a, struct klm_slice b,
                    uint8_t out[SMF_HASH_SIZE]) KLM_MUST_USE;

#endif
