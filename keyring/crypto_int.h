/* Inside of cryptographic operations, for crypto*.c: what a request comes down to (a cipher, an IV, a signature scheme), and the runs that both the one-shot
 * functions and the streams are made of. */
#ifndef KEYRING_CRYPTO_INT_H
#define KEYRING_CRYPTO_INT_H

#include "keyring/crypto.h"
#include "keyring/material_int.h"

/* ---- Tables (crypto_table.c): OpenSSL's objects are fetched once, when first used, and kept for the process. */

/* How data goes through a cipher: whole blocks, with padding; as it comes; as it comes, with a tag; all of it at once. */
enum kr_shape {
    KR_SHAPE_BLOCK,
    KR_SHAPE_FLOW,
    KR_SHAPE_AEAD,
    KR_SHAPE_CCM,
    KR_SHAPE_XTS,
    KR_SHAPE_WRAP
};
/* Sets of lengths, for IVs and tags. */
#define KR_LEN(n) (1u << (n))
#define KR_LEN_OF_BLOCK (1u << 30)
#define KR_LEN_ANY (1u << 31) /* 1 to KR_IV_MAX */
#define KR_IV_MAX 128         /* bytes */
#define KR_BLOCK_MAX 16
struct kr_mode {
    uint32_t mode; /* KMIP_BlockCipherMode_..., 0: none */
    const char *suffix;
    enum kr_shape shape;
    uint32_t iv_lengths;
    size_t iv_made; /* bytes of an IV that is made here; 0: as many as a block has */
    uint32_t tag_lengths;
};
struct kr_cipher {
    const struct kr_mode *mode;
    const EVP_CIPHER *evp;
    size_t block;
    struct klm_slice key; /* borrowed from the material */
};
/* The cipher for a symmetric key. KLM_E_INVALID: no mode where one is needed, or the parameters are for another kind of key; KLM_E_UNSUPPORTED. */
klm_rc kr_cipher_choose(const struct kr_material *key, const struct kr_crypt *how,
                        struct kr_cipher *out) KLM_MUST_USE;
/* The CBC cipher of an algorithm and key length, which CMAC is built on. */
klm_rc kr_cipher_cbc(uint32_t algorithm, struct klm_slice key, const EVP_CIPHER **out) KLM_MUST_USE;
/* The hash that an HMAC algorithm has; 0: it is none. */
uint32_t kr_hmac_hash(uint32_t algorithm);

/* ---- IVs and tags (crypto_iv.c) */
struct kr_iv {
    struct klm_slice
        given;             /* what the client knows: its own, or what was made here (in the pool) */
    struct klm_slice used; /* what OpenSSL gets; may be whole below */
    bool made;
    uint8_t whole[KR_BLOCK_MAX];
};
/* The IV of a request (made ones only for encryption). KLM_E_SHORT: none given; KLM_E_INVALID. */
klm_rc kr_iv_choose(const struct kr_cipher *cipher, const struct kr_crypt *how, struct klm_slice iv,
                    bool encrypt, struct klm_pool *pool, struct kr_iv *out) KLM_MUST_USE;
/* The length of the tag that is made, or compared with one of given bytes (0: none). KLM_E_LIMIT: no length of that mode. */
klm_rc kr_tag_length(const struct kr_cipher *cipher, const struct kr_crypt *how, size_t given,
                     size_t *out) KLM_MUST_USE;

/* ---- Padding of a block (crypto_pad.c): KMIP_PaddingMethod_..., 0 is None */
klm_rc kr_pad_check(uint32_t padding) KLM_MUST_USE; /* KLM_E_UNSUPPORTED: none of blocks */
/* Does decryption find out where the data ends? Then the last block is kept back. */
bool kr_pad_removed(uint32_t padding);
/* Fill the block from *n on; *n becomes size, or stays 0 when nothing is to be added. KLM_E_INVALID: no padding, and the block is not full. */
klm_rc kr_pad(uint32_t padding, uint8_t *block, size_t size, size_t *n) KLM_MUST_USE;
/* How many bytes of the block are data, in a time that its bytes do not show in. KLM_E_CRYPTO. */
klm_rc kr_unpad(uint32_t padding, const uint8_t *block, size_t size, size_t *n) KLM_MUST_USE;

/* ---- A cipher at work on data that comes in parts (crypto_run.c): shapes BLOCK, FLOW and AEAD. Holds no key but in ctx, which is borrowed. */
struct kr_run {
    struct kr_cipher cipher;
    EVP_CIPHER_CTX *ctx;
    bool encrypt;
    uint32_t padding;
    size_t held_n;
    uint8_t held[KR_BLOCK_MAX];  /* bytes that are no whole block yet, or may be padding */
    uint8_t chain[KR_BLOCK_MAX]; /* PCBC: what goes into the next block */
};
klm_rc kr_run_start(struct kr_run *run, const struct kr_cipher *cipher, const struct kr_crypt *how,
                    bool encrypt, struct klm_slice iv, struct klm_slice aad, EVP_CIPHER_CTX *ctx)
    KLM_MUST_USE;
/* out has room for in.n and a block. */
klm_rc kr_run_update(struct kr_run *run, struct klm_slice in, uint8_t *out, size_t *n) KLM_MUST_USE;
/* The rest, to a block's room. tag of tag_n bytes: AEAD's, to be written (encryption) or compared. KLM_E_CRYPTO: wrong tag or padding. */
klm_rc kr_run_final(struct kr_run *run, uint8_t *out, size_t *n, uint8_t *tag, size_t tag_n)
    KLM_MUST_USE;

/* ---- RSA (crypto_rsa.c) */
/* Is it an asymmetric key, that RSA's rules are for? */
bool kr_is_asymmetric(const struct kr_material *key);
/* Can it be done at all? As kr_rsa_crypt without data. */
klm_rc kr_rsa_check(const struct kr_material *key, const struct kr_crypt *how, bool encrypt)
    KLM_MUST_USE;
klm_rc kr_rsa_crypt(const struct kr_material *key, const struct kr_crypt *how,
                    struct klm_slice data, bool encrypt, struct klm_pool *wiping,
                    struct klm_slice *out) KLM_MUST_USE;

/* ---- Signatures (crypto_sign.c) */
struct kr_scheme {
    EVP_PKEY *pkey;
    bool pure;                     /* EdDSA: no digest of ours */
    int padding;                   /* RSA_..._PADDING; 0: no RSA */
    const EVP_MD *md;              /* that data goes through, and RSA's padding names */
    const EVP_MD *mask, *mask_too; /* PSS: MGF1's; another that a signature may have, or NULL */
    int salt;                      /* PSS: bytes, or OpenSSL's number for any */
    bool any_digest; /* no hash was named, and the scheme does not have it in the signature */
};
void kr_scheme_done(struct kr_scheme *scheme);
klm_rc kr_scheme_choose(const struct kr_material *key, const struct kr_crypt *how, bool sign,
                        struct kr_scheme *out) KLM_MUST_USE;
/* data is what pure schemes sign, the digest for the others. */
klm_rc kr_scheme_sign(const struct kr_scheme *scheme, struct klm_slice data,
                      struct klm_pool *wiping, struct klm_slice *out) KLM_MUST_USE;
klm_rc kr_scheme_verify(const struct kr_scheme *scheme, struct klm_slice data,
                        struct klm_slice signature, bool *valid) KLM_MUST_USE;

/* ---- MACs (crypto_mac.c) */
klm_rc kr_mac_start(const struct kr_material *key, const struct kr_crypt *how, EVP_MAC_CTX **out)
    KLM_MUST_USE;
klm_rc kr_mac_end(EVP_MAC_CTX *ctx, struct klm_pool *wiping, struct klm_slice *out) KLM_MUST_USE;

KR_OSSL_DONE(kr_done_mac, EVP_MAC_CTX, EVP_MAC_CTX_free)

#endif
