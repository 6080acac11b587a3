/* Inside of key tokens, for token.c (those under the master key) and tokenhard.c (those that need a PKCS#11 token). */
#ifndef KEYRING_TOKEN_H
#define KEYRING_TOKEN_H

#include "keyring/internal.h"

#define KR_TOKEN_MAGIC "KRTK"
#define KR_TOKEN_VERSION 1
#define KR_TOKEN_SALT 16
#define KR_TOKEN_NONCE 12
#define KR_TOKEN_TAG 16
#define KR_TOKEN_HEAD 49 /* bytes before the sealed key */
#define KR_TOKEN_AT_NONCE 33
#define KR_TOKEN_INFO "klm key token v1" /* what HKDF makes a token's subkey for */

enum kr_token_alg {
    KR_ALG_HKDF_GCM = 1,  /* sealed under a subkey of the master key */
    KR_ALG_TOKEN_GCM = 2, /* sealed by the key of a PKCS#11 token, which is the master key */
    KR_ALG_REFERENCE = 3  /* nothing is sealed: the key is in a PKCS#11 token */
};

/* Beside the types of enum kr_type: material of a managed object (material_token.c), whose kind is told inside. */
#define KR_TOKEN_MATERIAL 4
/* Most bytes that are sealed in a token of a type. */
size_t kr_token_sealed_max(uint8_t type);

struct kr_token {
    uint8_t version, alg, type;
    uint16_t bits;
    struct klm_slice id, salt, nonce, sealed, tag;
    struct klm_slice head; /* all before the sealed key */
};
/* Take a token apart. KLM_E_CORRUPT, KLM_E_UNSUPPORTED. */
klm_rc kr_token_parse(struct klm_slice in, struct kr_token *out) KLM_MUST_USE;
/* The known master key that a token is under; NULL: none. */
const struct kr_master *kr_token_master(const struct kr_master *master,
                                        const struct kr_token *token);
/* Write the head of a token. */
struct kr_token_head {
    enum kr_token_alg alg;
    struct kr_spec spec;
    const uint8_t *id;    /* 8 bytes */
    const uint8_t *fresh; /* salt and nonce, 28 bytes */
    size_t sealed_n;
};
klm_rc kr_token_put_head(const struct kr_token_head *head, struct klm_buf *out) KLM_MUST_USE;

/* A token of any type, under the key that seals now; out is as it was on failure. */
klm_rc kr_token_seal_clear(const struct kr_master *master, const char *label,
                           const struct kr_spec *spec, const struct kr_secret *clear,
                           struct klm_buf *out) KLM_MUST_USE;
/* The clear form in a token that is under a known master key. KLM_E_WRONGKEY, KLM_E_CORRUPT. */
klm_rc kr_token_unseal_clear(const struct kr_master *master, const char *label,
                             const struct kr_token *token, struct kr_secret *out) KLM_MUST_USE;
/* AES-256-GCM of a token's text; the associated data are its head and label. out has room for in.n bytes; tag is made (enc) or checked:
 * KLM_E_CORRUPT. */
struct kr_token_text {
    const struct kr_token *token;
    const char *label;
    struct klm_slice in;
    uint8_t *out, *tag;
};
klm_rc kr_token_gcm(const uint8_t key[32], const struct kr_token_text *text, bool enc) KLM_MUST_USE;

/* Tokens that need a PKCS#11 token: seal with the strict master key, open, and refer. */
klm_rc kr_token_hard_seal(const struct kr_master *master, const char *label,
                          const struct kr_spec *spec, const struct kr_secret *clear,
                          struct klm_buf *out) KLM_MUST_USE;
klm_rc kr_token_hard_unseal(const struct kr_master *master, const char *label,
                            const struct kr_token *token, struct kr_secret *clear) KLM_MUST_USE;
klm_rc kr_token_hard_refer(const struct kr_master *master, const char *label,
                           const struct kr_token *token, struct kr_key **out) KLM_MUST_USE;

#endif
