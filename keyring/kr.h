/* Keys, certificates and rings: the only home of clear keys. At rest every private or secret key
 * is a key token under the master key; in memory it is a struct kr_key in secret memory that no
 * function prints. Rings and labels are RACF's: a certificate has an owner (a user id, CERTAUTH
 * or SITE) and a label, may name the label of its private key in the token store (PCICC), and is
 * connected to rings. */
#ifndef KEYRING_KR_H
#define KEYRING_KR_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/msg.h"
#include "base/pool.h"
#include "store/st.h"

struct evp_pkey_st;
struct p11; /* a PKCS#11 token: keyring/p11/p11.h */
struct x509_st;

#define KR_LABEL_MAX 64       /* characters of a key label or alias (reference 6.3) */
#define KR_TOKEN_LABEL_MAX 64 /* characters of a PCICC label */
#define KR_RING_MAX 237       /* characters of a ring name (RACDCERT ADDRING) */
#define KR_OWNER_MAX 8        /* user id; CERTAUTH and SITE are owners too */

/* ---- Master key (design 6) */
struct kr_master;
/* The verification pattern shown for a part or the whole: first 8 bytes of SHA-256 over "klm
 * verification pattern" and the key, as 16 upper-case hex digits. */
#define KR_VP_MAX 17
void kr_part_vp(const uint8_t part[32], char out[KR_VP_MAX]);
/* Parts are 32 bytes each and are combined by XOR: 2 to 16 (KLM_E_INVALID, KLM_E_LIMIT). Parts
 * that cancel each other to zeros are KLM_E_INVALID. Counts as escrowed: officers hold the
 * parts. */
klm_rc kr_master_from_parts(const uint8_t (*parts)[32], size_t n, struct kr_master **out)
    KLM_MUST_USE;
/* A random one, not escrowed yet. */
klm_rc kr_master_generate(struct kr_master **out) KLM_MUST_USE;
/* Write the sealed file (keyring/TOKEN.md): 0400, versioned, with verification pattern, checksum
 * and "escrow confirmed" mark. KLM_E_EXISTS: it is never overwritten. */
klm_rc kr_master_save(const struct kr_master *master, const char *path, struct klm_diag *diag)
    KLM_MUST_USE;
/* Read it. KLM_E_NOTFOUND; KLM_E_DENIED: others have access, or it is a link or no file;
 * KLM_E_INVALID: another kind of file; KLM_E_UNSUPPORTED: another version; KLM_E_CORRUPT:
 * damage. */
klm_rc kr_master_load(const char *path, struct klm_diag *diag, struct kr_master **out) KLM_MUST_USE;
/* The same with a PKCS#11 token (or NULL), for files that name a key in it. Further: KLM_E_STATE, KLM_E_NOTFOUND: the token or its key is not there;
 * KLM_E_WRONGKEY: the key of that name is another one. The token must outlive the master key. */
klm_rc kr_master_open(const char *path, struct p11 *p11, struct klm_diag *diag,
                      struct kr_master **out) KLM_MUST_USE;
/* Have the token make a key under the label object, sensitive and not extractable, and write the file that stands for it. Strict: every use of the
 * master key goes to the token; otherwise its key seals a working key that is held in secret memory. KLM_E_EXISTS: there is such a key. */
klm_rc kr_master_make_in_token(struct p11 *p11, const char *object, bool strict, const char *path,
                               struct klm_diag *diag, struct kr_master **out) KLM_MUST_USE;
/* Is it protected by hardware: sealed by a key that never leaves a PKCS#11 token? */
bool kr_master_in_hardware(const struct kr_master *master);
/* Does every use go to the token? Then opening and sealing key tokens wait for it: not on a loop. */
bool kr_master_is_strict(const struct kr_master *master);
/* Label of the token's key, "" when it is in no token. */
const char *kr_master_object(const struct kr_master *master);
/* A token for private keys of labels, beside a master key that is in none; it must outlive the master key. */
void kr_master_use_token(struct kr_master *master, struct p11 *p11);
/* Know another master key too, while keys are moved from one to the other: what is under either opens. Taken over on KLM_OK (and freed when its pattern is known
 * already); KLM_E_LIMIT: too many are known. Any thread; other threads may be using the master key. */
klm_rc kr_master_know(struct kr_master *master, struct kr_master **take) KLM_MUST_USE;
/* Is another one known? */
bool kr_master_knows_others(const struct kr_master *master);
/* Seal under the known key of this verification pattern from now on: then it is the one whose pattern, escrow and place are told. KLM_E_NOTFOUND. */
klm_rc kr_master_seal_with(struct kr_master *master, const char *vp) KLM_MUST_USE;
/* False: warn at each start that no copy of the key is kept elsewhere. */
bool kr_master_escrowed(const struct kr_master *master);
/* Its verification pattern. */
void kr_master_vp(const struct kr_master *master, char out[KR_VP_MAX]);
/* A 32-byte key for one purpose by HKDF-SHA256 (info = purpose). For the store's MAC key use
 * purpose "store mac". */
klm_rc kr_master_derive(const struct kr_master *master, const char *purpose, uint8_t out[32])
    KLM_MUST_USE;
/* The master key as n parts (2 to 16) for officers to keep: their XOR is the key. The caller
 * wipes them. */
klm_rc kr_master_split(const struct kr_master *master, uint8_t (*parts)[32], size_t n) KLM_MUST_USE;
/* Mark the sealed file: its parts are kept elsewhere, no more warning. Fails as kr_master_load. */
klm_rc kr_master_confirm_escrow(const char *path, struct klm_diag *diag) KLM_MUST_USE;
/* Wipe and free. */
void kr_master_free(struct kr_master **master);

/* ---- Keys */
enum kr_type { KR_AES = 1, KR_RSA = 2, KR_EC = 3 };
struct kr_spec {
    enum kr_type type;
    unsigned bits; /* AES 128..256; RSA 1024..4096 in steps of 8; EC 256, 384 (P-256, P-384) */
};
struct kr_key; /* counted, immutable, secret memory */
/* A random key. KLM_E_LIMIT: not a size of that type. Private keys of RSA take long: on a
 * worker. */
klm_rc kr_key_generate(const struct kr_spec *spec, struct kr_key **out) KLM_MUST_USE;
/* One more holder; returns key. */
struct kr_key *kr_key_ref(struct kr_key *key);
/* One holder less; the last one wipes it. */
void kr_key_free(struct kr_key **key);
/* Its type and size. */
struct kr_spec kr_key_spec(const struct kr_key *key);
/* The OpenSSL key of an RSA or EC key, borrowed: for TLS contexts and signing. */
struct evp_pkey_st *kr_key_pkey(struct kr_key *key);
/* Are these the same AES key? In constant time. */
bool kr_key_same(const struct kr_key *a, const struct kr_key *b);
/* Is the private key in a PKCS#11 token? Then kr_key_pkey has its public half only, and the key can be used but not moved. */
bool kr_key_in_token(const struct kr_key *key);
/* The key itself, for TLS: one more holder of it, or, when it is kept sealed until each use (strict master key), the key opened. KLM_E_UNSUPPORTED: it is
 * in a token; otherwise fails as kr_token_open. Waits. */
klm_rc kr_key_opened(struct kr_key *key, struct kr_key **out) KLM_MUST_USE;
/* Have the token of the master key make a key pair of that label (RSA or EC), and append a key token that refers to it. KLM_E_STATE: no token is
 * configured, or it is not available; KLM_E_EXISTS: it has a key of that label. With a message. On a worker. */
klm_rc kr_key_make_in_token(const struct kr_master *master, const char *label,
                            const struct kr_spec *spec, struct klm_buf *token,
                            struct klm_diag *diag, struct kr_key **out) KLM_MUST_USE;
/* Remove it again from the token, when what it was made for failed. */
klm_rc kr_key_remove_in_token(const struct kr_master *master, const char *label,
                              struct klm_diag *diag) KLM_MUST_USE;

/* ---- Key tokens: version, algorithm, key id, AES-256-GCM under a per-purpose HKDF subkey of
 * the master key, associated data = record identity, type, version. keyring/TOKEN.md describes
 * the bytes. A label has 1 to 64 printable characters without blanks; case counts. */
/* Append a token of key to out, which is as it was on failure. */
klm_rc kr_token_seal(const struct kr_master *master, const char *label, const struct kr_key *key,
                     struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_WRONGKEY: made under another master key (by its pattern); KLM_E_CORRUPT: damaged or of
 * another label; KLM_E_UNSUPPORTED: a version of another release; KLM_E_NOTFOUND: there is no key in it but the material of a
 * managed object (kr_token_is_material, keyring/material.h). */
klm_rc kr_token_open(const struct kr_master *master, const char *label, struct klm_slice token,
                     struct kr_key **out) KLM_MUST_USE;
/* As kr_token_open, for a key that is kept for use: with a strict master key only the sealed form is kept, and each use opens it. */
klm_rc kr_token_hold(const struct kr_master *master, const char *label, struct klm_slice token,
                     struct kr_key **out) KLM_MUST_USE;
/* Is a token under a known master key, but not under the one that seals? */
bool kr_token_stale(const struct kr_master *master, struct klm_slice token);
/* Append the token of a label to out, from under any key that from knows to under the one with which to seals; both may be the same. The key is
 * opened in secret memory and sealed again; nobody sees it. Failures as kr_token_open and kr_token_seal; out is then as it was. KLM_E_UNSUPPORTED: the token
 * only names a key that never leaves its PKCS#11 token (kr_token_refers). */
klm_rc kr_token_rewrap(const struct kr_master *from, const struct kr_master *to, const char *label,
                       struct klm_slice token, struct klm_buf *out) KLM_MUST_USE;
/* The 32 bytes of a key of the server's own (the store's MAC key), sealed as a token of that label, and back to secret memory. */
klm_rc kr_purpose_seal(const struct kr_master *master, const char *label, const uint8_t key[32],
                       struct klm_buf *out) KLM_MUST_USE;
klm_rc kr_purpose_open(const struct kr_master *master, const char *label, struct klm_slice token,
                       uint8_t key[32]) KLM_MUST_USE;
/* Does a token hold no key but refer to one in a PKCS#11 token? It is under no master key. */
bool kr_token_refers(struct klm_slice token);
/* Verification pattern of the master key a token was made under, without opening it. */
klm_rc kr_token_vp(struct klm_slice token, char out[KR_VP_MAX]) KLM_MUST_USE;
/* Does a token hold the material of a managed object? It is moved and backed up as others are, and is no key of a ring, a group or a list of keys. */
bool kr_token_is_material(struct klm_slice token);
/* Type and size of the key in a token, without opening it. KLM_E_CORRUPT; KLM_E_NOTFOUND: it holds the material of a managed object. */
klm_rc kr_token_spec(struct klm_slice token, struct kr_spec *out) KLM_MUST_USE;

/* A token from the store. KLM_E_NOTFOUND. */
klm_rc kr_token_get(struct st_view *view, const char *label, struct klm_pool *pool,
                    struct klm_slice *token) KLM_MUST_USE;
/* KLM_OK when there is a token of that label, damaged or not. KLM_E_NOTFOUND. */
klm_rc kr_token_exists(struct st_view *view, const char *label) KLM_MUST_USE;
/* Put a token there. KLM_E_EXISTS unless overwrite, or when one is a key and the other the material of a managed object; KLM_E_CORRUPT: it is no
 * token. */
klm_rc kr_token_put(struct st_change *change, const char *label, struct klm_slice token,
                    bool overwrite) KLM_MUST_USE;
/* The same for a label that holds an identifier just drawn at random, without a look whether it is there. KLM_E_CORRUPT. */
klm_rc kr_token_put_new(struct st_change *change, const char *label, struct klm_slice token)
    KLM_MUST_USE;
typedef klm_rc kr_token_fn(void *arg, const char *label, const struct kr_spec *spec);
/* Tokens of one type whose labels come after a text ("": all), by label; damaged ones are left out. */
klm_rc kr_token_scan(struct st_view *view, enum kr_type type, const char *after, kr_token_fn *fn,
                     void *arg) KLM_MUST_USE;
/* KLM_E_NOTFOUND. */
klm_rc kr_token_delete(struct st_change *change, const char *label) KLM_MUST_USE;

/* ---- Certificates (records of the store) */
enum kr_trust { KR_NOTRUST, KR_TRUST, KR_HIGHTRUST };
struct kr_cert {
    const char *owner, *label;
    struct klm_slice der;
    enum kr_trust trust;
    const char *token_label; /* "" when the private key is not here */
    klm_time added;
};
/* Owners are 1 to 8 of A-Z, 0-9, #, @, $; labels 1 to 64 printable characters, blanks inside; case
 * counts. KLM_E_INVALID and KLM_E_LIMIT when a name breaks that, here and below. KLM_E_NOTFOUND. */
klm_rc kr_cert_get(struct st_view *view, const char *owner, const char *label,
                   struct klm_pool *pool, struct kr_cert *out) KLM_MUST_USE;
/* KLM_E_EXISTS when owner and label are taken, or the same certificate stands under another
 * label of the owner. */
klm_rc kr_cert_add(struct st_change *change, const struct kr_cert *cert) KLM_MUST_USE;
/* KLM_E_NOTFOUND when there is none; a damaged one may be replaced. */
klm_rc kr_cert_replace(struct st_change *change, const struct kr_cert *cert) KLM_MUST_USE;
/* Also removes it from every ring; its token stays. KLM_E_NOTFOUND. */
klm_rc kr_cert_delete(struct st_change *change, const char *owner, const char *label) KLM_MUST_USE;
typedef klm_rc kr_cert_fn(void *arg, const struct kr_cert *cert);
/* All certificates of an owner (NULL: all), by label; a damaged one comes with empty DER. */
klm_rc kr_cert_scan(struct st_view *view, const char *owner, kr_cert_fn *fn, void *arg)
    KLM_MUST_USE;

/* What a certificate says, for listings. Text lives in the pool. */
struct kr_cert_info {
    const char *subject, *issuer; /* "CN=...,O=...,C=.." in RACF's order */
    const char *serial;           /* upper-case hex */
    const char *key_type;         /* "RSA", "NISTECC", "BPECC", "UNKNOWN" */
    unsigned key_bits;
    klm_time not_before, not_after;
    char fingerprint[65];  /* SHA-256 of the DER, hex */
    uint8_t spki_hash[32]; /* SHA-256 of the DER SubjectPublicKeyInfo */
    bool ca;
};
/* KLM_E_INVALID: no certificate in strict DER. */
klm_rc kr_cert_info(struct klm_slice der, struct klm_pool *pool, struct kr_cert_info *out)
    KLM_MUST_USE;
/* Does the private key fit the certificate? KLM_E_WRONGKEY. */
klm_rc kr_cert_fits(struct klm_slice der, struct kr_key *key) KLM_MUST_USE;
/* DER from DER or PEM (CERTDER, CERTB64); one certificate, at most 64 KiB. */
klm_rc kr_cert_parse(struct klm_slice in, struct klm_pool *pool, struct klm_slice *der,
                     struct klm_diag *diag) KLM_MUST_USE;
/* Append it as PEM (CERTB64). */
klm_rc kr_cert_pem(struct klm_slice der, struct klm_buf *out) KLM_MUST_USE;
/* Is signature one over data by the certificate's key, with SHA-256 (RSA: RSASSA-PSS,
 * MGF1-SHA-256, salt of 32 bytes, RFC 8017; EC: ECDSA in DER)? KLM_E_CRYPTO: no;
 * KLM_E_UNSUPPORTED: other keys. */
klm_rc kr_cert_verify(struct klm_slice der, struct klm_slice data, struct klm_slice signature)
    KLM_MUST_USE;

/* Sign data with a label's private key: RSA as kr_cert_verify checks it (RSA-PSS-SHA256), EC P-256 by ECDSA-SHA256, EC P-384 by
 * ECDSA-SHA384, in DER. *algorithm is that name, a constant. KLM_E_NOTFOUND: the private key is not here; KLM_E_LIMIT: more than
 * cap bytes; KLM_E_UNSUPPORTED: another kind of key. A private-key operation: on a worker. */
struct kr_label;
klm_rc kr_sign(const struct kr_label *with, struct klm_slice data, const char **algorithm,
               uint8_t *out, size_t cap, size_t *n) KLM_MUST_USE;

/* Roles that this product marks in certificates it signs (extended key usage of ours for
 * drives). */
enum kr_role {
    KR_ROLE_LABEL,
    KR_ROLE_CA,
    KR_ROLE_SERVER,
    KR_ROLE_CLIENT,
    KR_ROLE_DRIVE,
    KR_ROLE_PARTNER
};
/* Extended key usage: this is an encrypting drive (documentation arc, RFC 5612). */
#define KR_OID_DRIVE_ROLE "1.3.6.1.4.1.32473.83.1"
/* Extension with the drive's WWN, a UTF8String; its serial number is the subject's serialNumber. */
#define KR_OID_DRIVE_WWN "1.3.6.1.4.1.32473.83.2"
/* Extended key usage: this is another key server, a partner (same arc). */
#define KR_OID_PARTNER_ROLE "1.3.6.1.4.1.32473.83.3"
/* Does a certificate carry the partner's role? KLM_E_NOTFOUND: no, or it is an authority's;
 * KLM_E_INVALID: no certificate in strict DER. */
klm_rc kr_cert_partner(struct klm_slice der) KLM_MUST_USE;
/* The drive that a certificate stands for: its serial number (12 upper-case letters and digits:
 * the subject's serialNumber) and WWN (16 upper-case hex digits, "" when not told).
 * KLM_E_NOTFOUND: no drive role in it; KLM_E_INVALID: the role without a proper serial number or
 * WWN. */
klm_rc kr_cert_drive(struct klm_slice der, char serial[13], char wwn[17]) KLM_MUST_USE;

struct kr_gencert {
    const char *owner, *label, *token_label;
    /* "CN=..,O=..,C=..": one part per comma, quotes and backslashes as in RFC 4514. */
    const char *subject;
    struct kr_spec spec;            /* of the new key; ignored with a request */
    klm_time not_before, not_after; /* 0: now, one year */
    enum kr_role role;
    bool
        role_stands; /* someone chose the role: a request that asks for a drive's is refused unless it is that */
    struct kr_key *made; /* certify this key, made in a token, instead of making one; or NULL */
    struct klm_slice request; /* PKCS#10, DER or PEM, to sign instead of making a key; or empty */
    const char *hosts;        /* comma list for subjectAltName (server role); NULL: none */
};
/* Make the key (unless there is a request) and the certificate, signed by issuer (NULL: by
 * itself). Serial numbers are positive and have 126 random bits. For a request its signature is
 * checked, and drive role, serial number and WWN are taken from it (a request of a drive keeps
 * its subject, and only a request makes a drive). key is NULL with a request. Not valid longer
 * than the issuer: then it ends with the issuer and, with KLM_OK, diag holds a warning (set
 * diag->msg to KLM_MSG_NONE before). Longer than 50 years: KLM_E_LIMIT. */
klm_rc kr_gencert(const struct kr_gencert *spec, struct klm_slice issuer_der,
                  struct kr_key *issuer_key, struct klm_pool *pool, struct klm_diag *diag,
                  struct klm_slice *der, struct kr_key **key) KLM_MUST_USE;

/* ---- Packages: a certificate, those that lead to its authority, and perhaps its private key, in one file (RACF's formats) */
enum kr_format { KR_CERTDER, KR_CERTB64, KR_PKCS7DER, KR_PKCS7B64, KR_PKCS12DER, KR_PKCS12B64 };
/* From that name without KR_, in any case. KLM_E_NOTFOUND. */
klm_rc kr_format_find(const char *name, enum kr_format *out) KLM_MUST_USE;
#define KR_PACKAGE_MAX 16
struct kr_package {
    struct klm_slice cert[KR_PACKAGE_MAX]; /* DER; the first is the one it is about */
    size_t n;
    struct kr_key *key; /* its private key, or NULL; whoever holds the package frees it */
};
/* Read any of the formats; the password is for PKCS #12 alone (NULL: none). Certificates live in the pool. KLM_E_INVALID: it is none of
 * them; KLM_E_WRONGKEY: another password; KLM_E_USAGE: it needs one; KLM_E_UNSUPPORTED: a cipher or kind of key that is not used here;
 * KLM_E_LIMIT: too many certificates, or a password derivation that would take too long. A derivation takes long: on a worker. */
klm_rc kr_package_read(struct klm_slice in, const char *password, struct klm_pool *pool,
                       struct klm_diag *diag, struct kr_package *out) KLM_MUST_USE;
/* Write one. CERT formats take the first certificate alone, PKCS7 all of them, PKCS12 the key too (AES-256-CBC, PBKDF2 with
 * HMAC-SHA-256), with the label as its friendly name. The result lives in the pool. */
klm_rc kr_package_write(const struct kr_package *package, enum kr_format format, const char *label,
                        const char *password, struct klm_pool *pool, struct klm_diag *diag,
                        struct klm_slice *out) KLM_MUST_USE;
/* Add the certificates of CERTAUTH and SITE that lead from the first to its authority, as far as they are in the store. */
klm_rc kr_package_chain(struct st_view *view, struct klm_pool *pool, struct kr_package *package)
    KLM_MUST_USE;
/* Have two certificates the same public key? The same subject? */
bool kr_same_key(struct klm_slice a, struct klm_slice b);
bool kr_same_subject(struct klm_slice a, struct klm_slice b);

/* ---- Renewing */
/* A certificate request (PKCS #10, PEM) for the key of a certificate, with its subject and alternative names. Appended to out. */
klm_rc kr_request_make(struct klm_slice der, struct kr_key *key, struct klm_buf *out) KLM_MUST_USE;
/* A certificate that says what old says, for a new key of that type (bits 0: of its size), signed by that key. not_after 0: valid as
 * long as old was, from now. KLM_E_LIMIT: no size of that type. */
klm_rc kr_rekey(struct klm_slice old, unsigned bits, klm_time not_after, struct klm_pool *pool,
                struct klm_slice *der, struct kr_key **key) KLM_MUST_USE;

/* ---- Rings */
struct kr_connect {
    const char *owner, *label;
    const char *usage; /* "PERSONAL", "CERTAUTH", "SITE" */
    bool deflt;
};
struct kr_ring {
    const char *owner, *name;
    struct kr_connect *connect;
    size_t n;
};
#define KR_RING_CERTS_MAX 4000
/* An empty ring; its name has 1 to 237 printable characters without blanks. KLM_E_EXISTS. */
klm_rc kr_ring_add(struct st_change *change, const char *owner, const char *ring) KLM_MUST_USE;
/* With its connections; the certificates stay. KLM_E_NOTFOUND. */
klm_rc kr_ring_delete(struct st_change *change, const char *owner, const char *ring) KLM_MUST_USE;
/* A ring and its connections in the order they were made. KLM_E_NOTFOUND; KLM_E_CORRUPT when any
 * record of it is damaged. */
klm_rc kr_ring_get(struct st_view *view, const char *owner, const char *ring, struct klm_pool *pool,
                   struct kr_ring *out) KLM_MUST_USE;
/* KLM_E_NOTFOUND: no such ring or certificate. A certificate that is connected already gets this
 * usage and default; a new default ends the old one. KLM_E_LIMIT: the ring is full. */
klm_rc kr_ring_connect(struct st_change *change, const char *owner, const char *ring,
                       const struct kr_connect *connect) KLM_MUST_USE;
/* KLM_E_NOTFOUND: no such ring, or it does not have this certificate. */
klm_rc kr_ring_remove(struct st_change *change, const char *owner, const char *ring,
                      const char *cert_owner, const char *label) KLM_MUST_USE;
typedef klm_rc kr_ring_fn(void *arg, const struct kr_ring *ring);
/* All rings of an owner (NULL: all), by name; damaged connections are left out. */
klm_rc kr_ring_scan(struct st_view *view, const char *owner, kr_ring_fn *fn, void *arg)
    KLM_MUST_USE;

/* ---- Open rings: an immutable, counted snapshot of a ring with its keys opened, for serving.
 * Refreshing makes a new one. */
struct kr_open_ring;
struct kr_label { /* a certificate of the ring, as the server uses it */
    const char *label, *owner, *usage;
    const char *token_label; /* of its private key (PCICC), or "" */
    struct klm_slice der;
    struct x509_st *x509;
    uint8_t spki_hash[32];
    struct kr_spec spec;     /* of its key; all zero when kr_wrap cannot use that kind */
    struct kr_key *key;      /* private key, or NULL when it is not here */
    struct evp_pkey_st *pub; /* public key; NULL when OpenSSL does not know its kind */
    klm_time not_before, not_after;
    bool deflt, is_ca;
    unsigned index; /* place in the ring */
};
/* KLM_E_NOTFOUND when there is no such ring. A label whose token is damaged or under another
 * master key is kept without its key, and a certificate with status NOTRUST is left out, each with
 * a message that is said at once (klm_say). */
klm_rc kr_open_ring(struct st_view *view, const struct kr_master *master, const char *owner,
                    const char *ring, struct klm_diag *diag, struct kr_open_ring **out)
    KLM_MUST_USE;
/* One more holder; returns ring. */
struct kr_open_ring *kr_open_ring_ref(struct kr_open_ring *ring);
/* One holder less; the last one wipes its keys. */
void kr_open_ring_free(struct kr_open_ring **ring);
/* Its labels, 0 to count - 1, in the ring's order; NULL beyond. */
size_t kr_open_ring_count(const struct kr_open_ring *ring);
const struct kr_label *kr_open_ring_at(const struct kr_open_ring *ring, size_t i);
/* By label, or by SHA-256 of the SubjectPublicKeyInfo; hash tables, O(1). KLM_E_NOTFOUND.
 * Prefers an entry that has its private key. */
klm_rc kr_label_find(const struct kr_open_ring *ring, const char *label,
                     const struct kr_label **out) KLM_MUST_USE;
klm_rc kr_label_find_hash(const struct kr_open_ring *ring, const uint8_t spki_hash[32],
                          const struct kr_label **out) KLM_MUST_USE;
/* The certificate a TLS listener shows: the DEFAULT one, else the first PERSONAL one with a
 * private key (one with the server role first). */
klm_rc kr_label_server(const struct kr_open_ring *ring, const struct kr_label **out) KLM_MUST_USE;
/* Is it a certificate of TLS, by its extended key usage (roles SERVER, CLIENT, PARTNER)? Key labels have none. */
bool kr_label_tls(const struct kr_label *label);
/* The certificate this server shows to partners: one with the partner's role and its private key,
 * the DEFAULT one first. KLM_E_NOTFOUND. */
klm_rc kr_label_partner(const struct kr_open_ring *ring, const struct kr_label **out) KLM_MUST_USE;
/* The entry of the ring that is exactly this certificate. KLM_E_NOTFOUND. */
klm_rc kr_label_find_cert(const struct kr_open_ring *ring, struct klm_slice der,
                          const struct kr_label **out) KLM_MUST_USE;
/* Does a certificate chain, now, to an authority of the ring: a CA certificate connected with
 * usage CERTAUTH? KLM_E_DENIED with a message that says why not. */
klm_rc kr_cert_chain(const struct kr_open_ring *ring, struct klm_slice der, klm_time now,
                     struct klm_diag *diag) KLM_MUST_USE;

/* ---- Wrapping of data keys (exchange/PROTOCOL.md, EEDK): RSA-OAEP with SHA-256 and
 * MGF1-SHA-256, OAEP label = context; EC: ephemeral ECDH, X9.63 KDF with SHA-256 and SharedInfo
 * = context, AES-256 key wrap (RFC 3394); output = uncompressed ephemeral point, then the 40
 * wrapped bytes. Contexts are kept per thread. */
#define KR_WRAPPED_MAX 1024
/* Wrap an AES key to a label's public key. KLM_E_INVALID: no AES key; KLM_E_LIMIT: the label's RSA
 * key is below 1,024 or above 8,192 bits, or the context is above 256 bytes; KLM_E_UNSUPPORTED:
 * another kind of key. */
klm_rc kr_wrap(const struct kr_label *to, struct klm_slice context, const struct kr_key *key,
               uint8_t out[KR_WRAPPED_MAX], size_t *n) KLM_MUST_USE;
/* KLM_E_NOTFOUND: the label's private key is not here; KLM_E_CRYPTO: not made for this key and
 * context. A private-key operation: on a worker. */
klm_rc kr_unwrap(const struct kr_label *with, struct klm_slice context, struct klm_slice wrapped,
                 struct kr_key **out) KLM_MUST_USE;
/* A data key under a 32-byte session key (AES-256 key wrap, 40 bytes out), and nothing else: the
 * way a key leaves. KLM_E_INVALID: no AES-256 key. */
klm_rc kr_wrap_session(const struct kr_key *key, const uint8_t session_key[32], uint8_t out[40])
    KLM_MUST_USE;
/* Contexts of this thread hold references to the last keys it used, until it ends or calls this. */
void kr_thread_forget(void);

/* ---- Drills: does another server open what we can? A challenge wraps a fresh secret under a context that no EEDK can have, bound to
 * the transcript of the session; the proof is an HMAC-SHA256 keyed by it. transcript names all that both sides agree on (binding to the
 * TLS session, nonce, what is to be proved), at most 64 KiB. */
#define KR_PROOF 32
/* Challenge for a label and the proof it must be answered with. Fails as kr_wrap. */
klm_rc kr_drill_ask(const struct kr_label *to, struct klm_slice transcript,
                    uint8_t challenge[KR_WRAPPED_MAX], size_t *n, uint8_t expected[KR_PROOF])
    KLM_MUST_USE;
/* Answer one. Fails as kr_unwrap: KLM_E_NOTFOUND without the private key, KLM_E_CRYPTO when it was made for another key, another
 * session, or is no challenge. A private-key operation: on a worker. */
klm_rc kr_drill_answer(const struct kr_label *with, struct klm_slice transcript,
                       struct klm_slice challenge, uint8_t proof[KR_PROOF]) KLM_MUST_USE;
/* Which master key it is, for who is asked: its verification pattern, then zeros. */
void kr_drill_master_id(const struct kr_master *master, uint8_t out[32]);
/* Ask for a proof of the master key. Of one that every use goes to a PKCS#11 token for, the challenge is a fresh secret that the token sealed; of others there is
 * none (*n is 0). Fails as p11_call, with a message. */
klm_rc kr_drill_master_ask(const struct kr_master *master, struct klm_slice transcript,
                           uint8_t challenge[KR_WRAPPED_MAX], size_t *n, uint8_t expected[KR_PROOF],
                           struct klm_diag *diag) KLM_MUST_USE;
/* Answer. KLM_E_CRYPTO: the challenge was made by another key, for another session, or is none; else as p11_call. */
klm_rc kr_drill_master(const struct kr_master *master, struct klm_slice transcript,
                       struct klm_slice challenge, uint8_t proof[KR_PROOF]) KLM_MUST_USE;
/* The proof that both have the same stored AES-256 key (KLM_E_UNSUPPORTED: another size): the same function makes and expects it. */
klm_rc kr_drill_stored(const struct kr_key *key, struct klm_slice transcript,
                       uint8_t proof[KR_PROOF]) KLM_MUST_USE;
/* The same for a managed object that is an AES-256 key (format Raw). */
struct kr_material;
klm_rc kr_drill_object(const struct kr_material *material, struct klm_slice transcript,
                       uint8_t proof[KR_PROOF]) KLM_MUST_USE;

/* ---- KEYXFER file (keyring/KEYXFER.md): text header, token, verification pattern of the master
 * key, SHA-256 checksum. */
klm_rc kr_xfer_encode(const char *label, struct klm_slice token, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_CORRUPT (damaged), KLM_E_INVALID (no such file), each its message. */
klm_rc kr_xfer_decode(struct klm_slice file, struct klm_pool *pool, const char **label,
                      struct klm_slice *token, char vp[KR_VP_MAX], struct klm_diag *diag)
    KLM_MUST_USE;
/* Sets of them: a head with their number, then that many. */
#define KR_XFER_KEYS 16384          /* keys of a set, at most */
#define KR_XFER_SET_MAX (32u << 20) /* and its bytes, as they are written */
struct kr_xfer_item {
    const char *label;
    struct klm_slice token;
    char vp[KR_VP_MAX]; /* of decode */
    char given[7];      /* volume that a stored key was given for last, "": none */
    int64_t when;       /* microseconds since 1970 */
};
void kr_xfer_set_head(size_t n, struct klm_buf *out);
klm_rc kr_xfer_set_put(const struct kr_xfer_item *item, struct klm_buf *out) KLM_MUST_USE;
/* Calls fn for each; what it keeps lives in the pool. Fails as kr_xfer_decode, also when it holds fewer or more than its head says, which may be
 * found after fn was called for some. */
typedef klm_rc kr_xfer_fn(void *arg, const struct kr_xfer_item *item);
klm_rc kr_xfer_set_decode(struct klm_slice file, struct klm_pool *pool, kr_xfer_fn *fn, void *arg,
                          struct klm_diag *diag) KLM_MUST_USE;

#endif
