/* Keys derived from other keys and from secrets: KMIP's Derive Key (KMIP 1.4, 4.6; 2.1, 6.1.14 and 7.12). Numbers are KMIP's. What is derived is key material like other: its bytes are
 * the first of what the method gives. */
#ifndef KEYRING_DERIVE_H
#define KEYRING_DERIVE_H

#include "keyring/crypto.h"

#define KR_DERIVE_ROUNDS_MAX                                                                       \
    16777216 /* of PBKDF2, as many as RFC 6070 has, for all that is derived: each hash of it takes them anew. Some seconds of a worker */

struct kr_derivation {
    uint32_t method;                /* KMIP_DerivationMethod_... */
    const struct kr_material *key;  /* what is derived from */
    const struct kr_material *peer; /* AsymmetricKey: the public key, key is the private one */
    struct kr_crypt how;
    struct klm_slice data;     /* what is encrypted or made a MAC of; HKDF: the information */
    struct klm_slice iv, salt; /* ENCRYPT; PBKDF2 and HKDF */
    int64_t rounds;            /* PBKDF2 */
};
/* Derive material of the object type, algorithm and bits of spec, in format Raw. PBKDF2 (HMAC with SHA-1 unless how names another hash), HASH (of the key), HMAC (the hash is that of the
 * key's algorithm, else of how, SHA-256 when neither says), ENCRYPT, HKDF (SHA-256 unless how says), AsymmetricKey (Diffie-Hellman of two keys of one group, and by X25519 and X448).
 * Intermediate results lie in the wiping pool. Takes long with many rounds: on a worker. KLM_E_UNSUPPORTED: no such method, hash or mode here, or a symmetric key that is not made here;
 * KLM_E_INVALID: a parameter or a key of another kind; KLM_E_SHORT: no IV, of a mode that chains no blocks; KLM_E_LIMIT: more than the method gives, no length of that algorithm, too many rounds; KLM_E_STATE: a key
 * is wrapped; KLM_E_CRYPTO. */
klm_rc kr_derive(const struct kr_derivation *from, const struct kr_material_spec *spec,
                 struct klm_pool *wiping, struct kr_material **out) KLM_MUST_USE;

#endif
