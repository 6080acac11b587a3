/* Verifiers of passwords: what is kept of a password that others show. It tells whether a password is the right one, and gives none back. And a hash under a
 * key that only this process has, to remember for a while what was verified. */
#ifndef KEYRING_VERIFIER_H
#define KEYRING_VERIFIER_H

#include "keyring/kr.h"

/* Version (1), log2 N, r and p of scrypt (RFC 7914; a byte each), salt (16), hash (32), zeros (12). */
#define KR_VERIFIER 64
#define KR_VERIFIER_LEAST 8 /* bytes of a password */
#define KR_VERIFIER_MOST 128

/* Make one, with a fresh salt; takes about a quarter of a second and 32 MiB: on a worker. KLM_E_LIMIT: the password is too short or too long;
 * KLM_E_NOMEM, KLM_E_CRYPTO. */
klm_rc kr_verifier_make(struct klm_slice password, uint8_t out[KR_VERIFIER]) KLM_MUST_USE;
/* Does it have the form, and costs that are bearable? KLM_E_CORRUPT. */
klm_rc kr_verifier_check(const uint8_t verifier[KR_VERIFIER]) KLM_MUST_USE;
/* Is this the password? On a worker, as above. KLM_E_WRONGKEY: no; KLM_E_CORRUPT: it is no verifier. Compared in constant time. */
klm_rc kr_verifier_try(const uint8_t verifier[KR_VERIFIER], struct klm_slice password) KLM_MUST_USE;

/* One-time passwords: all of a client share a head (version, costs and salt, as above), so that one stretch tells which of them is shown. They are long, and
 * cheaper to try than a password: each is of use once. */
#define KR_ONCE_HEAD 20
#define KR_ONCE 32
#define KR_ONCE_LEAST 16 /* bytes of one */
/* A head with a fresh salt. */
klm_rc kr_once_head(uint8_t head[KR_ONCE_HEAD]) KLM_MUST_USE;
/* What is kept of one. On a worker. KLM_E_LIMIT: it is too short or longer than KR_VERIFIER_MOST; KLM_E_CORRUPT: it is no head. */
klm_rc kr_once_hash(const uint8_t head[KR_ONCE_HEAD], struct klm_slice password,
                    uint8_t out[KR_ONCE]) KLM_MUST_USE;

/* HMAC-SHA256 under a random key that is never stored: what is hashed can neither be guessed from the outside nor compared with another process's. */
#define KR_KEYED_MOST 4096
struct kr_keyed;
klm_rc kr_keyed_new(struct kr_keyed **out) KLM_MUST_USE;
void kr_keyed_free(struct kr_keyed **keyed);
/* Of n parts, KR_KEYED_MOST bytes in all (KLM_E_LIMIT); each counts with its length, so that no byte can move from one to the next. Any thread. */
klm_rc kr_keyed_hash(const struct kr_keyed *keyed, const struct klm_slice *part, size_t n,
                     uint8_t out[32]) KLM_MUST_USE;

#endif
