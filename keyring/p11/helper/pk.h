/* The files of the helper that speak PKCS#11: module.c (the library), token.c (which token, login), object.c (keys by their label), aes.c, pair.c
 * and use.c (what is done with them). The PKCS#11 header stays inside them. Numbers of sections are of PKCS#11 2.40. */
#ifndef KEYRING_P11_HELPER_PK_H
#define KEYRING_P11_HELPER_PK_H

#include "keyring/p11/msg.h"

#define CRYPTOKI_GNU 1
#include <p11-kit/pkcs11.h>

struct pk_module {
    void *dl;
    struct ck_function_list *f;
    bool threads; /* the library may be called by several at the same time */
};
/* Check the file, load it and initialise it. KLM_E_INVALID: said why. */
klm_rc pk_module_open(const char *library, struct pk_module *out) KLM_MUST_USE;
void pk_module_close(struct pk_module *module);

/* How a request ends; rv is the library's own value. */
struct pk_end {
    enum p11_outcome outcome;
    ck_rv_t rv;
};
#define PK_DONE ((struct pk_end){P11_OK, CKR_OK})
/* What a value of the library means. */
struct pk_end pk_end(ck_rv_t rv);
/* An end of ours, without a value of the library. */
struct pk_end pk_ours(enum p11_outcome outcome);
#define PK_TRY(call)                                                                               \
    do {                                                                                           \
        struct pk_end pk_end_ = (call);                                                            \
        if (pk_end_.outcome != P11_OK) {                                                           \
            return pk_end_;                                                                        \
        }                                                                                          \
    } while (0)
#define PK_CALL(call) PK_TRY(pk_end(call))

/* The token that was logged in to. */
struct pk_token {
    const struct pk_module *module;
    ck_slot_id_t slot;
    ck_session_handle_t session; /* kept open: a login lasts as long as any session */
    bool logged_in;
};
/* Find the token by label and serial number (may be empty) and log in, unless that was done. The answer's fields point into info. */
struct pk_end pk_login(struct pk_token *token, const struct p11_msg *request,
                       struct ck_token_info *info, struct p11_msg *answer);

/* A thread's session, and the keys it found. */
#define PK_KNOWN 32
struct pk_session {
    const struct pk_token *token;
    struct ck_function_list *f;
    ck_session_handle_t handle;
    bool open;
    bool raw_rsa; /* the token does not do our OAEP: it does the bare operation */
    struct {
        char label[65];
        ck_object_class_t class;
        ck_object_handle_t key;
    } known[PK_KNOWN];
    unsigned next; /* place of known that is written next */
};
struct pk_end pk_session_open(struct pk_session *session);
void pk_session_forget(struct pk_session *session);

/* The one key of that class and label. P11_NO_OBJECT, P11_MANY_OBJECTS. */
struct pk_end pk_find(struct pk_session *session, ck_object_class_t class, struct klm_slice label,
                      ck_object_handle_t *out);
/* Is the label free for a key of that class? P11_MANY_OBJECTS: no. */
struct pk_end pk_free(struct pk_session *session, ck_object_class_t class, struct klm_slice label);
/* A secret or private key must be sensitive, never have been anything else, be not extractable and be made in the token. P11_POLICY. */
struct pk_end pk_policy(struct pk_session *session, ck_object_handle_t key);
/* Remove all keys of that label. P11_NO_OBJECT when there is none. */
struct pk_end pk_remove(struct pk_session *session, struct klm_slice label);

/* Requests; what they give goes to out of P11_MSG_MAX bytes, *n is how many. */
typedef struct pk_end pk_request_fn(struct pk_session *session, const struct p11_msg *request,
                                    uint8_t *out, size_t *n);
pk_request_fn pk_ping, pk_aes_make, pk_aes_look, pk_seal, pk_unseal;
pk_request_fn pk_pair_make, pk_decrypt, pk_derive, pk_sign, pk_remove_request;

/* RSA-OAEP with SHA-256 (RFC 8017, 7.1.2) undone over what the bare operation gave, in place. KLM_E_CRYPTO. */
klm_rc pk_oaep_undo(uint8_t *block, size_t block_n, struct klm_slice context, size_t *n)
    KLM_MUST_USE;
/* SubjectPublicKeyInfo of an RSA key (modulus, exponent) or an EC key (curve's bits, uncompressed point). KLM_E_CRYPTO. */
klm_rc pk_spki_rsa(struct klm_slice modulus, struct klm_slice exponent, uint8_t *out, size_t cap,
                   size_t *n) KLM_MUST_USE;
klm_rc pk_spki_ec(unsigned bits, struct klm_slice point, uint8_t *out, size_t cap, size_t *n)
    KLM_MUST_USE;

/* PKCS#11 takes what it reads without const and does not change it. */
static inline void *pk_unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {p};

    return u.out;
}

#endif
