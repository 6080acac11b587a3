/* Hashed passwords of KMIP (2.1, 9.11, Hashed Password credential): with S1 = Hash(Username || Password) and S2 = Hash(Password || Username) a client shows
 * Hash(S1 || Timestamp) || S2, and the server answers Hash(Timestamp || S1 || Hash(S2)). So S1 and Hash(S2) are kept, which give no password back but can be
 * guessed at quickly: they are sealed as key material is, and open in secret memory alone. A timestamp counts as its eight bytes of TTLV. */
#ifndef KEYRING_HASHED_H
#define KEYRING_HASHED_H

#include "keyring/material.h"

#define KR_HASHED_MOST 64 /* bytes of a digest, of which two are shown */

/* What is kept of a password, for each hash that clients may use (SHA-256, SHA-384, SHA-512), as secret data. KLM_E_LIMIT: user name or password are longer than
 * KR_VERIFIER_MOST bytes, or empty. */
klm_rc kr_hashed_make(struct klm_slice user, struct klm_slice password, struct kr_material **out)
    KLM_MUST_USE;
/* May clients use that hash (KMIP_HashingAlgorithm_...)? Returns the bytes of its digest; 0: no. */
size_t kr_hashed_size(uint32_t hash);
/* Is this shown of the password, for that time? In constant time. answer is then what the server shows, *n bytes. KLM_E_WRONGKEY: it is not; KLM_E_UNSUPPORTED: no
 * such hash; KLM_E_CORRUPT: kept is none of these. */
klm_rc kr_hashed_try(const struct kr_material *kept, uint32_t hash, int64_t timestamp,
                     struct klm_slice shown, uint8_t answer[KR_HASHED_MOST], size_t *n)
    KLM_MUST_USE;

#endif
