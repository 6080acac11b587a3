/* What the files of keyring/ share and nobody else may see: clear keys, names and keys of
 * records, OpenSSL forms. */
#ifndef KEYRING_INTERNAL_H
#define KEYRING_INTERNAL_H

#include "keyring/kr.h"
#include "keyring/ossl.h"
#include "keyring/p11/p11.h"

#include <stdatomic.h>

struct kr_thread;

/* ---- Secret blocks: klm_secret memory with its size, for KLM_AUTO. */
struct kr_secret {
    uint8_t *p;
    size_t n; /* bytes used */
    size_t cap;
};
klm_rc kr_secret_new(size_t cap, struct kr_secret *out) KLM_MUST_USE;
void kr_secret_done(struct kr_secret *secret);

/* ---- Keys */
struct kr_key {
    atomic_uint refs;
    struct kr_spec spec;
    struct kr_secret aes; /* KR_AES: the key's bytes */
    EVP_PKEY *pkey;       /* KR_RSA, KR_EC; the public half alone when far is set */
    struct kr_far *far;   /* the private half is not in this process's memory */
};
/* A private key that is not here: it is in the PKCS#11 token, or sealed until each use because the master key is (strict). */
struct kr_far {
    struct p11 *p11;                    /* borrowed */
    char label[KR_TOKEN_LABEL_MAX + 1]; /* of the key token, and of the key in a PKCS#11 token */
    const struct kr_master *master;     /* borrowed; NULL: the key is in the token */
    uint8_t *sealed;                    /* the key token, when master is set */
    size_t sealed_n;
};
/* Use a far key as kr_unwrap does; the clear key is left in the thread's scratch memory. KLM_E_STATE: the token is not available. */
klm_rc kr_far_unwrap(struct kr_thread *thread, const struct kr_key *with, struct klm_slice context,
                     struct klm_slice wrapped, size_t *n) KLM_MUST_USE;
/* A signature over a digest by a key in a token: RSA-PSS, or ECDSA in DER. */
klm_rc kr_far_sign(const struct kr_key *with, struct klm_slice digest, uint8_t *out, size_t cap,
                   size_t *n) KLM_MUST_USE;
/* The shared secret of a key in a token and a point, to out of cap bytes. */
klm_rc kr_far_derive(const struct kr_far *far, struct klm_slice point, uint8_t *out, size_t cap,
                     size_t *n) KLM_MUST_USE;
/* A far key with this public key (DER SubjectPublicKeyInfo); sealed is empty for one in the token. */
klm_rc kr_far_new(const struct kr_master *master, const char *label, struct klm_slice spki,
                  struct klm_slice sealed, struct kr_key **out) KLM_MUST_USE;
void kr_far_free(struct kr_far **far);
/* KLM_E_LIMIT when this product makes no keys of that type and size. */
klm_rc kr_spec_check(const struct kr_spec *spec) KLM_MUST_USE;
/* Type and size of an OpenSSL key; KLM_E_UNSUPPORTED for what kr_spec cannot say. */
klm_rc kr_pkey_spec(EVP_PKEY *pkey, struct kr_spec *out) KLM_MUST_USE;
/* A key of 16, 24 or 32 bytes, copied. KLM_E_LIMIT. */
klm_rc kr_key_from_aes(struct klm_slice bytes, struct kr_key **out) KLM_MUST_USE;
/* The key owns take_pkey from now on, also on failure. */
klm_rc kr_key_from_pkey(EVP_PKEY *take_pkey, struct kr_key **out) KLM_MUST_USE;
/* The clear form that tokens hold: AES bytes, RSAPrivateKey (RFC 8017, A.1.2) or ECPrivateKey
 * (RFC 5915), and back. */
klm_rc kr_key_clear(const struct kr_key *key, struct kr_secret *out) KLM_MUST_USE;
klm_rc kr_key_from_clear(enum kr_type type, struct klm_slice clear, struct kr_key **out)
    KLM_MUST_USE;
#define KR_CLEAR_MAX 4096 /* bytes of a clear form: RSA-4096 needs 2,350 */

/* 32 bytes of a password by scrypt (backup.h has the costs). KLM_E_LIMIT: a cost out of range; KLM_E_NOMEM. */
#define KR_SALT 16
struct kr_scrypt;
klm_rc kr_stretch(const struct kr_scrypt *cost, struct klm_slice password,
                  const uint8_t salt[KR_SALT], struct kr_secret *out) KLM_MUST_USE;

/* HKDF-SHA256 (RFC 5869) of a 32-byte key to 32 bytes. */
klm_rc kr_hkdf(const uint8_t key[32], struct klm_slice salt, const char *info, uint8_t out[32])
    KLM_MUST_USE;
/* The master key's 32 bytes and the 8 bytes of its verification pattern, borrowed. */
const uint8_t *kr_master_key(const struct kr_master *master);
const uint8_t *kr_master_id(const struct kr_master *master);
klm_rc kr_master_from_bytes(const uint8_t key[32], bool escrowed, struct kr_master **out)
    KLM_MUST_USE;
/* The key that new tokens are sealed under: this one, or another that is known. */
const struct kr_master *kr_master_sealing(const struct kr_master *master);
/* Known master keys: 0 is this one; NULL beyond. */
const struct kr_master *kr_master_at(const struct kr_master *master, size_t i);
/* The master key's token, borrowed; NULL: none is configured. */
struct p11 *kr_master_p11(const struct kr_master *master);
/* Label of the token's key when every use goes to it (strict), else NULL. */
const char *kr_master_strict(const struct kr_master *master);
/* A master key that is in a token: object is the label of its key there, working the 32 bytes that it seals. */
struct kr_in_token {
    struct p11 *p11;
    const char *object;
    bool strict;
    const uint8_t *working;
    const uint8_t *check; /* the token's check block, 32 bytes */
};
klm_rc kr_master_from_token(const struct kr_in_token *in, bool escrowed, struct kr_master **out)
    KLM_MUST_USE;
/* Version 2 of the master key file (mastertoken.c): open it with the token. */
klm_rc kr_master_token_decode(const char *path, struct klm_slice file, struct p11 *p11,
                              struct klm_diag *diag, struct kr_master **out) KLM_MUST_USE;
/* Note in such a file that a copy of the token is kept elsewhere. */
klm_rc kr_master_token_confirm(const char *path, struct klm_slice file, struct klm_diag *diag)
    KLM_MUST_USE;
/* Guarded bytes of a master key file of any version. */
#define KR_MASTER_FILE_MAX 512
klm_rc kr_master_file_read(const char *path, struct kr_secret *out, struct klm_diag *diag)
    KLM_MUST_USE;

/* ---- What the token does for the master key (hardware.c). Failures come with a message. */
#define KR_CHECK_BLOCK 32
/* Make an AES key there, or look at the one that is there; its check block tells it apart. */
klm_rc kr_hard_key(struct p11 *p11, const char *object, bool make, uint8_t check[KR_CHECK_BLOCK],
                   struct klm_diag *diag) KLM_MUST_USE;
/* AES-256-GCM by the token's key: nonce (12 bytes), sealed bytes, tag (16). out has room for data.n + 28. */
klm_rc kr_hard_seal(struct p11 *p11, const char *object, struct klm_slice aad,
                    struct klm_slice data, uint8_t *out, struct klm_diag *diag) KLM_MUST_USE;
/* And back, to out of cap bytes. KLM_E_CRYPTO: damaged, or another key. */
klm_rc kr_hard_unseal(struct p11 *p11, const char *object, struct klm_slice aad,
                      struct klm_slice data, uint8_t *out, size_t cap, size_t *n,
                      struct klm_diag *diag) KLM_MUST_USE;
#define KR_HARD_MORE 28 /* bytes that sealing adds */

/* ---- The key of a backup (backup.c; its slots for tokens: backuptoken.c), 32 bytes. */
struct kr_backup {
    struct kr_secret key;
};
/* With room for the key, which is not set. */
klm_rc kr_backup_alloc(struct kr_backup **out) KLM_MUST_USE;

/* First 8 bytes of SHA-256 over "klm verification pattern" and the key. */
klm_rc kr_vp_bytes(const uint8_t key[32], uint8_t out[8]) KLM_MUST_USE;

/* The key of a backup's chunks (backup.c). */
struct kr_backup;
klm_rc kr_backup_chunk_key(const struct kr_backup *backup, struct kr_secret *out) KLM_MUST_USE;

/* ---- Contexts kept per thread, freed when the thread ends. */
enum kr_op { KR_OP_ENCRYPT, KR_OP_DECRYPT, KR_OP_DERIVE };
#define KR_SCRATCH 2048    /* bytes of secret scratch memory a thread has */
#define KR_CONTEXT_MAX 256 /* bytes of context that may be bound into a wrapping */
klm_rc kr_thread_get(struct kr_thread **out) KLM_MUST_USE;
/* Secret scratch memory of KR_SCRATCH bytes; wipe what was put there. */
uint8_t *kr_thread_scratch(struct kr_thread *thread);
/* The thread's context for ciphers, empty. Borrowed; reset it after use, so that no key schedule stays. */
EVP_CIPHER_CTX *kr_thread_cipher(struct kr_thread *thread);
/* An OpenSSL context for this key and operation; OAEP contexts already carry the context as
 * their label. Borrowed. */
klm_rc kr_thread_ctx(struct kr_thread *thread, EVP_PKEY *pkey, enum kr_op op,
                     struct klm_slice context, EVP_PKEY_CTX **out) KLM_MUST_USE;
/* A context that makes ephemeral EC keys of 256 or 384 bits. Borrowed. */
klm_rc kr_thread_keygen(struct kr_thread *thread, unsigned bits, EVP_PKEY_CTX **out) KLM_MUST_USE;
/* Decode one clear RSA or EC key, exactly. The caller owns *out. KLM_E_INVALID. */
klm_rc kr_thread_decode(struct kr_thread *thread, enum kr_type type, struct klm_slice clear,
                        EVP_PKEY **out) KLM_MUST_USE;
/* AES key wrap (RFC 3394) of 16 to 32 bytes, out 8 bytes longer; and back, KLM_E_CRYPTO when the
 * check value is wrong. */
klm_rc kr_kw_wrap(struct kr_thread *thread, const uint8_t kek[32], struct klm_slice in,
                  uint8_t *out) KLM_MUST_USE;
klm_rc kr_kw_unwrap(struct kr_thread *thread, const uint8_t kek[32], struct klm_slice in,
                    uint8_t *out) KLM_MUST_USE;

/* Forget the contexts of a key that must not stay in memory. */
void kr_thread_drop(struct kr_thread *thread, const EVP_PKEY *pkey);

/* EC side of kr_wrap and kr_unwrap. */
klm_rc kr_ec_wrap(struct kr_thread *thread, EVP_PKEY *to, unsigned bits, struct klm_slice context,
                  struct klm_slice key, uint8_t *out, size_t *n) KLM_MUST_USE;
klm_rc kr_ec_unwrap(struct kr_thread *thread, EVP_PKEY *with, unsigned bits,
                    struct klm_slice context, struct klm_slice in, size_t *n) KLM_MUST_USE;

/* The same when the private key is in a token. */
klm_rc kr_ec_unwrap_far(struct kr_thread *thread, const struct kr_far *far, unsigned bits,
                        struct klm_slice context, struct klm_slice in, size_t *n) KLM_MUST_USE;
/* kr_unwrap with an opened key: the clear key is left at the start of the thread's scratch memory. */
klm_rc kr_near_unwrap(struct kr_thread *thread, const struct kr_key *with, struct klm_slice context,
                      struct klm_slice wrapped, size_t *n) KLM_MUST_USE;

/* ---- Names and keys of records */
klm_rc kr_check_owner(const char *owner) KLM_MUST_USE;
klm_rc kr_check_label(const char *label) KLM_MUST_USE;
klm_rc kr_check_token_label(const char *label) KLM_MUST_USE;
klm_rc kr_check_ring(const char *ring) KLM_MUST_USE;
/* Parts joined by one zero byte; the key of a record. */
struct kr_rkey {
    uint8_t p[ST_KEY_MAX];
    size_t n;
};
void kr_rkey_init(struct kr_rkey *key, const char *first);
void kr_rkey_add(struct kr_rkey *key, const char *part); /* a zero byte, then the part */
void kr_rkey_bytes(struct kr_rkey *key, const void *p, size_t n);
struct klm_slice kr_rkey_slice(const struct kr_rkey *key);
/* The part of a record's key that begins at *at, up to a zero byte or its end, copied; *at moves
 * beyond the zero byte. */
klm_rc kr_rkey_part(struct klm_slice key, size_t *at, struct klm_pool *pool, const char **out)
    KLM_MUST_USE;

/* ---- Certificates */
#define KR_DER_MAX 65536
/* Strict DER, nothing after it. KLM_E_INVALID, KLM_E_LIMIT. */
klm_rc kr_x509(struct klm_slice der, X509 **out) KLM_MUST_USE;
klm_rc kr_x509_der(X509 *x509, struct klm_pool *pool, struct klm_slice *der) KLM_MUST_USE;
klm_rc kr_x509_times(const X509 *x509, klm_time *not_before, klm_time *not_after) KLM_MUST_USE;
klm_rc kr_spki_hash(const X509 *x509, uint8_t out[32]) KLM_MUST_USE;
bool kr_x509_is_ca(X509 *x509);
/* "CN=..,O=..,C=.." to a name; KLM_E_INVALID with a message. */
klm_rc kr_subject_parse(const char *text, struct klm_diag *diag, X509_NAME **out) KLM_MUST_USE;
klm_rc kr_subject_text(const X509_NAME *name, struct klm_pool *pool, const char **out) KLM_MUST_USE;
/* PKCS#10 from DER or PEM, its signature checked. */
klm_rc kr_request_parse(struct klm_slice in, struct klm_diag *diag, X509_REQ **out) KLM_MUST_USE;
/* Identity of a drive in a name and extensions. KLM_E_NOTFOUND: no drive role; KLM_E_INVALID:
 * role without a proper serial number or WWN. */
klm_rc kr_drive_identity(const X509_NAME *name, const STACK_OF(X509_EXTENSION) * exts,
                         char serial[13], char wwn[17]) KLM_MUST_USE;
/* Extensions of a new certificate. */
struct kr_ext_want {
    enum kr_role role;
    const char *hosts; /* NULL or "": none */
    const char *wwn;   /* "": none */
    X509 *issuer;      /* the certificate itself when self-signed */
};
klm_rc kr_ext_add(X509 *x509, const struct kr_ext_want *want, struct klm_diag *diag) KLM_MUST_USE;
/* One extension from OpenSSL's text for it; and the one that names the issuer's key (RFC 5280, 4.2.1.1), if that has an identifier. */
klm_rc kr_ext_text(X509 *x509, X509 *issuer, int nid, const char *value) KLM_MUST_USE;
klm_rc kr_ext_authority(X509 *x509, X509 *issuer) KLM_MUST_USE;
/* Dates of a new certificate: 0 becomes now, and a year; none is later than the issuer's (NULL: its own), which is a warning with KLM_OK.
 * KLM_E_INVALID, KLM_E_LIMIT with a message. */
struct kr_dates {
    klm_time not_before, not_after;
};
klm_rc kr_dates_settle(struct kr_dates *dates, const X509 *issuer, struct klm_diag *diag)
    KLM_MUST_USE;
/* Sign it. KLM_E_CRYPTO with a message. */
klm_rc kr_x509_sign(X509 *x509, EVP_PKEY *key, struct klm_diag *diag) KLM_MUST_USE;
bool kr_is_pem(struct klm_slice in);
/* Any PEM reader: never asks for a password. */
int kr_no_password(char *buf, int size, int rwflag, void *arg);
/* True when nothing but white space is left of a PEM. */
bool kr_pem_ended(BIO *bio);

/* ---- PKCS #8 and #12 */
/* A private key as PrivateKeyInfo (RFC 5208) in secret memory, and back. KLM_E_INVALID, KLM_E_UNSUPPORTED. */
klm_rc kr_pkcs8_clear(const struct kr_key *key, struct kr_secret *out) KLM_MUST_USE;
klm_rc kr_pkcs8_key(struct klm_slice clear, struct kr_key **out) KLM_MUST_USE;
/* Certificates and the key of a PKCS #12 in DER, in the order they stand. */
klm_rc kr_pkcs12_read(struct klm_slice in, const char *password, struct klm_pool *pool,
                      struct klm_diag *diag, struct kr_package *out) KLM_MUST_USE;
klm_rc kr_pkcs12_write(const struct kr_package *package, const char *label, const char *password,
                       struct klm_pool *pool, struct klm_slice *out) KLM_MUST_USE;
/* One more certificate. KLM_E_LIMIT. */
klm_rc kr_package_add(struct kr_package *package, X509 *x509, struct klm_pool *pool) KLM_MUST_USE;
/* A random serial number (gencert.c). */
klm_rc kr_x509_serial(X509 *x509) KLM_MUST_USE;

/* ---- Rings */
/* As kr_ring_get, but damaged connections are left out and counted. */
klm_rc kr_ring_load(struct st_view *view, const char *owner, const char *ring,
                    struct klm_pool *pool, struct kr_ring *out, size_t *damaged) KLM_MUST_USE;
/* Take a certificate out of every ring. */
klm_rc kr_ring_forget(struct st_change *change, const char *cert_owner, const char *label)
    KLM_MUST_USE;

#endif
