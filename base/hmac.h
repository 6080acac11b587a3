/* HMAC-SHA256 (RFC 2104, FIPS 198-1) of many short texts. The idea: what the key makes of the two hashes is computed once and only read from then on, so a text costs its
 * hashing and nothing else, and any number of threads share one key. */
#ifndef BASE_HMAC_H
#define BASE_HMAC_H

#include "base/pool.h"
#include "base/rc.h"

#define KLM_HMAC 32
#define KLM_HMAC_KEY_MAX 64 /* bytes of a key: a block of SHA-256 */

struct klm_hmac;
/* The key is expanded into secret memory. KLM_E_LIMIT: it is too long; KLM_E_NOMEM. */
klm_rc klm_hmac_new(struct klm_slice key, struct klm_hmac **out) KLM_MUST_USE;
void klm_hmac_free(struct klm_hmac **hmac);
/* Of n slices, one after the other. Any thread. */
void klm_hmac(const struct klm_hmac *hmac, const struct klm_slice *parts, size_t n,
              uint8_t out[KLM_HMAC]);
/* Of one text under a key that is used once; the caller holds it to KLM_HMAC_KEY_MAX bytes. out may be secret memory: nothing of key and value is left elsewhere. */
void klm_hmac_once(struct klm_slice key, struct klm_slice text, uint8_t out[KLM_HMAC]);

#endif
