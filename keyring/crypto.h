/* Cryptographic operations with key material: KMIP's Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify and Hash (KMIP 1.4, 4.29 to 4.37; 2.1, 6.1), in one go and in parts.
 * Numbers are KMIP's; what a struct kr_crypt has 0 (or -1) for was not given, and gets the default that is said here. Results live in the pool given, which wipes itself.
 * Everything but private keys and long data is quick; those two belong on a worker.
 *
 * Outcomes, for all of it: KLM_E_UNSUPPORTED: no such algorithm, mode, padding or hash, or not with this kind of object; KLM_E_STATE: the key is wrapped, or the stream has ended;
 * KLM_E_SHORT: an IV is needed and none was given (a tag, for decryption); KLM_E_LIMIT: more data than KR_CRYPT_MAX, or a tag of a length that the mode does not have; KLM_E_INVALID: parameters are missing or
 * contradict each other or the key, an IV of a wrong length, data that does not fill a block, is too long for an RSA key, ...; KLM_E_CRYPTO: it does not decrypt: one outcome for tag and padding. */
#ifndef KEYRING_CRYPTO_H
#define KEYRING_CRYPTO_H

#include "keyring/material.h"

/* Bytes of data, or of additional data, at once; the pool's limit may be nearer. */
#define KR_CRYPT_MAX ((size_t)64 << 20)

/* Cryptographic Parameters (KMIP 1.4, 3.6; 2.1, 4.16). */
struct kr_crypt {
    /* Of all ciphers but ChaCha20 and ChaCha20-Poly1305, which have none, or AEAD. */
    uint32_t mode;
    /* Of the last block in CBC, ECB and PCBC: 0 is None, and other modes have no use for one. Of RSA: encryption needs it, 0 is PKCS #1 v1.5 for signatures. */
    uint32_t padding;
    /* 0: SHA-256 for signatures, SHA-1 for OAEP. */
    uint32_t hash;
    /* MAC: of the MAC; 0 is the key's. Ciphers: of a key that has none. Signatures: the key decides. */
    uint32_t algorithm;
    /* Digital Signature Algorithm: says hash, and padding of RSA unless that is given too. */
    uint32_t signature;
    /* Mask Generator, 0 is MGF1; and its hash. 0: for OAEP SHA-1 (decryption tries hash too), for PSS hash (verification tries SHA-1 too). */
    uint32_t mask, mask_hash;
    uint32_t role; /* Key Role Type: not looked at */
    /* Bytes of an AEAD tag; 0: 16, or as many as the given one has. */
    uint32_t tag_length;
    /* Bits. 0: as the given IV; of one that is made, a block, or 96 for GCM, CCM and ChaCha20. */
    uint32_t iv_length;
    /* Bits: they say how long an IV that is made is when iv_length does not. */
    uint32_t fixed_field_length, invocation_field_length, counter_length;
    /* Of PSS. -1, not given: as long as the mask's digest; verification takes any. */
    int64_t salt_length;
    /* Of CTR and ChaCha20, where the IV leaves room for a counter. -1, not given: 0. */
    int64_t initial_counter;
    int64_t trailer;           /* of PSS: 0 or 1, the standard one */
    struct klm_slice p_source; /* of OAEP */
    bool random_iv;            /* Encrypt makes an IV when none is given */
};
/* Parameters of which nothing was given. */
#define KR_CRYPT_NONE                                                                              \
    (struct kr_crypt)                                                                              \
    {                                                                                              \
        .salt_length = -1, .initial_counter = -1                                                   \
    }
struct kr_cipher_in {
    struct klm_slice data, iv, aad; /* aad: of AEAD alone, else KLM_E_INVALID */
    struct klm_slice tag;           /* of Decrypt */
};
struct kr_cipher_out {
    struct klm_slice data;
    struct klm_slice iv;  /* the one that was made here; empty when the client knows it */
    struct klm_slice tag; /* of Encrypt */
};
/* AES, DES3, Camellia, ARIA, SM4 in CBC, ECB, PCBC, CFB, OFB, CTR, GCM, CCM, XTS and key wrap, ChaCha20, ChaCha20-Poly1305 (crypto_ciphers.def), RSA. Padding Zeros stays in the data: nothing says
 * where that ends. A CTR block is the IV and then the counter; ChaCha20 takes nonces of 8 and 12 bytes, or 16 with the counter before it. RSA PKCS #1 v1.5 decrypts to bytes of no meaning,
 * not to an error, when the padding is wrong: an error would help who tries to decrypt without the key. */
klm_rc kr_encrypt(const struct kr_material *key, const struct kr_crypt *how,
                  const struct kr_cipher_in *in, struct klm_pool *wiping, struct kr_cipher_out *out)
    KLM_MUST_USE;
klm_rc kr_decrypt(const struct kr_material *key, const struct kr_crypt *how,
                  const struct kr_cipher_in *in, struct klm_pool *wiping, struct kr_cipher_out *out)
    KLM_MUST_USE;
/* RSA (PKCS #1 v1.5, PSS, X9.31), DSA and ECDSA (DER, RFC 3279), EdDSA. digested: data is the digest already, KLM_E_INVALID when its length is not the hash's; not for EdDSA. */
klm_rc kr_material_sign(const struct kr_material *key, const struct kr_crypt *how,
                        struct klm_slice data, bool digested, struct klm_pool *wiping,
                        struct klm_slice *out) KLM_MUST_USE;
/* *valid tells; KLM_OK also for a signature that is wrong, or none at all. */
klm_rc kr_material_verify(const struct kr_material *key, const struct kr_crypt *how,
                          struct klm_slice data, bool digested, struct klm_slice signature,
                          bool *valid) KLM_MUST_USE;
/* HMAC (by algorithm, or with a hash and no mode), Poly1305, CMAC of a cipher's key (mode CMAC or none). KMIP's MAC has no nonce: for GMAC encrypt no data in GCM, with aad. */
klm_rc kr_mac(const struct kr_material *key, const struct kr_crypt *how, struct klm_slice data,
              struct klm_pool *wiping, struct klm_slice *out) KLM_MUST_USE;
/* Compared in constant time; a MAC that is cut short is not valid. */
klm_rc kr_mac_verify(const struct kr_material *key, const struct kr_crypt *how,
                     struct klm_slice data, struct klm_slice mac, struct klm_pool *wiping,
                     bool *valid) KLM_MUST_USE;
klm_rc kr_hash(uint32_t hash, struct klm_slice data, struct klm_pool *pool, struct klm_slice *out)
    KLM_MUST_USE;

/* ---- In parts (Init Indicator, Final Indicator, Correlation Value; KMIP 1.3 and later). Cut anywhere, the parts give what one go gives.
 * Ciphers give what they have as soon as they have it, and modes that want all data at once (CCM, XTS, key wrap, RSA), EdDSA, and any decryption with a tag give all at the end: no byte leaves
 * before the tag has vouched for it. What such a stream collects has a limit. */
enum kr_stream_op {
    KR_STREAM_ENCRYPT,
    KR_STREAM_DECRYPT,
    KR_STREAM_SIGN,
    KR_STREAM_VERIFY,
    KR_STREAM_MAC,
    KR_STREAM_MAC_VERIFY,
    KR_STREAM_HASH
};
#define KR_STREAM_COLLECT_MAX ((size_t)1 << 20) /* bytes; KLM_E_LIMIT beyond */
struct kr_stream; /* one thread at a time; wiped when freed; keeps the key as long as it needs it */
/* key is NULL for a hash, in for all but ciphers. iv, aad and tag of in are copied; *iv is the one that was made here, else empty; it may be NULL for all but ciphers. */
klm_rc kr_stream_new(enum kr_stream_op op, struct kr_material *key, const struct kr_crypt *how,
                     const struct kr_cipher_in *in, struct klm_pool *wiping, struct klm_slice *iv,
                     struct kr_stream **out) KLM_MUST_USE;
/* A part; what comes out of it (ciphers), perhaps nothing. A failure ends the stream. */
klm_rc kr_stream_update(struct kr_stream *stream, struct klm_slice data, struct klm_pool *wiping,
                        struct klm_slice *out) KLM_MUST_USE;
/* The end: the rest of a cipher and its tag; signature, MAC or hash in out->data. check is the signature or MAC to be verified, *valid the result (NULL for other operations); or the tag for a decryption
 * that got none at its start. */
klm_rc kr_stream_final(struct kr_stream *stream, struct klm_slice check, struct klm_pool *wiping,
                       struct kr_cipher_out *out, bool *valid) KLM_MUST_USE;
void kr_stream_free(struct kr_stream **stream);
enum kr_stream_op kr_stream_op(const struct kr_stream *stream);
/* Bytes of state that it holds, about, for limits. */
size_t kr_stream_size(const struct kr_stream *stream);

#endif
