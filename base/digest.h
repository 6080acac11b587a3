/* SHA-256, for bindings and names; keys are elsewhere. */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/pool.h"
#include "base/rc.h"

/* SHA-256 (FIPS 180-4) of n slices, one after the other. KLM_E_CRYPTO when the library refuses. */
klm_rc klm_sha256(const struct klm_slice *parts, size_t n, uint8_t out[32]) KLM_MUST_USE;

#endif
