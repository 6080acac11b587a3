/* Cryptographic operations with key material: KMIP's Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify, Hash (KMIP 2.1, 6.1; 1.4, 4.29 and on). Numbers are KMIP's; a 0 in
 * struct kr_crypt was not given. Results live in the wiping pool given. Private-key operations, and data beyond a few KiB, belong on a worker. */
#ifndef KEYRING_CRYPTO_H
#define KEYRING_CRYPTO_H

#include "keyring/material.h"

/* Cryptographic Parameters (KMIP 2.1, 4.13). */
struct kr_crypt {
    uint32_t mode, padding, hash, algorithm, signature, mask, mask_hash, role;
    uint32_t tag_length;     /* bytes of an AEAD tag; 0: 16 */
    uint32_t iv_length;      /* bits; 0: of the cipher */
    uint32_t fixed_field_length, invocation_field_length, counter_length;
    int64_t salt_length;     /* -1: not given */
    int64_t initial_counter; /* -1: not given */
    int64_t trailer;
    struct klm_slice p_source;
    bool random_iv;
};
struct kr_cipher_in {
    struct klm_slice data, iv, aad, tag; /* tag: of Decrypt */
};
struct kr_cipher_out {
    struct klm_slice data, iv, tag; /* iv: when it was made here */
};
/* One-shot. AES, DES3, Camellia, ChaCha20, ChaCha20-Poly1305, RSA. KLM_E_UNSUPPORTED: no such algorithm, mode or padding; KLM_E_INVALID: IV missing or of a wrong length, data no multiple of the block, ...;
 * KLM_E_CRYPTO: wrong tag or padding (one outcome for both, in the same time). */
klm_rc kr_encrypt(const struct kr_material *key, const struct kr_crypt *how,
                  const struct kr_cipher_in *in, struct klm_pool *wiping, struct kr_cipher_out *out)
    KLM_MUST_USE;
klm_rc kr_decrypt(const struct kr_material *key, const struct kr_crypt *how,
                  const struct kr_cipher_in *in, struct klm_pool *wiping, struct kr_cipher_out *out)
    KLM_MUST_USE;
/* digested: data is the digest already. */
klm_rc kr_material_sign(const struct kr_material *key, const struct kr_crypt *how, struct klm_slice data,
                        bool digested, struct klm_pool *wiping, struct klm_slice *out) KLM_MUST_USE;
/* *valid tells; KLM_OK also for a signature that is wrong. */
klm_rc kr_material_verify(const struct kr_material *key, const struct kr_crypt *how, struct klm_slice data,
                          bool digested, struct klm_slice signature, bool *valid) KLM_MUST_USE;
/* HMAC with a hash, CMAC, GMAC, Poly1305. */
klm_rc kr_mac(const struct kr_material *key, const struct kr_crypt *how, struct klm_slice data,
              struct klm_pool *wiping, struct klm_slice *out) KLM_MUST_USE;
klm_rc kr_hash(uint32_t hash, struct klm_slice data, struct klm_pool *pool, struct klm_slice *out)
    KLM_MUST_USE;

/* ---- In parts (Init Indicator, Final Indicator, Correlation Value; KMIP 1.3 and later). */
enum kr_stream_op { KR_STREAM_ENCRYPT, KR_STREAM_DECRYPT, KR_STREAM_SIGN, KR_STREAM_VERIFY, KR_STREAM_MAC, KR_STREAM_MAC_VERIFY, KR_STREAM_HASH };
struct kr_stream; /* one thread at a time; wiped when freed */
/* key NULL for a hash. iv and aad of in are used; *iv is the one that was made here. */
klm_rc kr_stream_new(enum kr_stream_op op, const struct kr_material *key, const struct kr_crypt *how,
                     const struct kr_cipher_in *in, struct klm_pool *wiping, struct klm_slice *iv,
                     struct kr_stream **out) KLM_MUST_USE;
/* A part; what comes out of it (ciphers), perhaps nothing. */
klm_rc kr_stream_update(struct kr_stream *stream, struct klm_slice data, struct klm_pool *wiping,
                        struct klm_slice *out) KLM_MUST_USE;
/* The end: rest of a cipher and its tag, signature, MAC or hash in out; for verifying and for decryption with a tag, check is what is to be compared, *valid the result. */
klm_rc kr_stream_final(struct kr_stream *stream, struct klm_slice check, struct klm_pool *wiping,
                       struct kr_cipher_out *out, bool *valid) KLM_MUST_USE;
void kr_stream_free(struct kr_stream **stream);
/* Bytes of state that it holds, for limits. */
size_t kr_stream_size(const struct kr_stream *stream);

#endif
