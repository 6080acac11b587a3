/* Key material of managed objects: a key, a secret, a certificate or opaque bytes, in secret memory, in the very form it was registered or made in.
 * Numbers for algorithms, formats and so on are KMIP's (kmip/registry), so that no one translates them. Clear bytes go in by
 * kr_material_new and kr_material_parts_new and out by kr_material_bytes and kr_material_parts alone: into the wiping pool of a request whose answer carries them. */
#ifndef KEYRING_MATERIAL_H
#define KEYRING_MATERIAL_H

#include "keyring/kr.h"
#include "kmip/registry/registry.h"

struct kr_material; /* counted, immutable, secret memory */

#define KR_MATERIAL_MAX 60000 /* bytes */

struct kr_material_spec {
    uint32_t object; /* KMIP_ObjectType_... */
    uint32_t
        format; /* KMIP_KeyFormatType_...; of a certificate KMIP_CertificateType_..., of secret data its format too; 0: none */
    uint32_t algorithm;  /* KMIP_CryptographicAlgorithm_...; 0: none or unknown */
    uint32_t bits;       /* Cryptographic Length; 0: unknown */
    uint32_t curve;      /* KMIP_RecommendedCurve_... of an EC key; 0 */
    uint32_t compressed; /* KMIP_KeyCompressionType_...; 0 */
    bool
        wrapped; /* bytes are a wrapped key that is not opened here: kept as they are, no use of it */
};
/* Take bytes as they came. A format that says what is in it is checked (RSA and EC keys, certificates, length of a raw symmetric key against bits), and fields of spec that are 0
 * are filled in from them; what does not fit is KLM_E_INVALID. KLM_E_LIMIT; KLM_E_UNSUPPORTED: a format that is not known here. */
klm_rc kr_material_new(const struct kr_material_spec *spec, struct klm_slice bytes,
                       struct kr_material **out) KLM_MUST_USE;
/* Make a random symmetric key: AES 128, 192, 256; DES3 112 and 168; HMAC_SHA1 .. HMAC_SHA512, ChaCha20, Camellia, and other algorithms of a free length. In format Raw. KLM_E_LIMIT: no length of that algorithm;
 * KLM_E_UNSUPPORTED: no algorithm that keys are made for. */
klm_rc kr_material_generate(uint32_t algorithm, uint32_t bits, struct kr_material **out)
    KLM_MUST_USE;
/* Make a key pair: RSA (1024 to 4096; PKCS_1), DSA (1024 to 3072), EC, ECDSA, ECDH (curve, or bits of a NIST prime curve), Ed25519 and the like as OpenSSL has them (PKCS_8, X_509). Takes long: on a worker. */
klm_rc kr_material_generate_pair(const struct kr_material_spec *spec,
                                 struct kr_material **private_key, struct kr_material **public_key)
    KLM_MUST_USE;
struct kr_material *kr_material_ref(struct kr_material *material);
void kr_material_free(struct kr_material **material);
const struct kr_material_spec *kr_material_spec(const struct kr_material *material);
/* The bytes, copied to a wiping pool: raw key, PKCS #1 RSAPrivateKey or RSAPublicKey, PKCS #8, ECPrivateKey, SubjectPublicKeyInfo (X_509), certificate, secret, opaque
 * data, wrapped bytes. KLM_E_UNSUPPORTED: a transparent format (see kr_material_parts). */
klm_rc kr_material_bytes(const struct kr_material *material, struct klm_pool *wiping,
                         struct klm_slice *out) KLM_MUST_USE;
/* Another format of the same key (KMIP 2.1, 4.27 and 9.): among Raw, Opaque, PKCS_1, PKCS_8, X_509, ECPrivateKey, the transparent forms of symmetric, RSA, EC and DSA keys. compression is of an EC
 * public key (0: as it is). KLM_E_UNSUPPORTED: this kind of key has no such format. */
klm_rc kr_material_convert(const struct kr_material *material, uint32_t format,
                           uint32_t compression, struct kr_material **out) KLM_MUST_USE;
/* Transparent formats: numbers unsigned, big-endian, without leading zeros; p NULL: not there. key: of a transparent symmetric key. */
struct kr_parts {
    struct klm_slice key;
    struct klm_slice modulus, public_exponent, private_exponent, p, q, dp, dq,
        crt;                      /* RSA; p, q of DSA and DH too */
    struct klm_slice g, x, y, j;  /* DSA, DH */
    struct klm_slice d, q_string; /* EC: private number, public point (SEC 1, 2.3.3) */
    uint32_t curve;               /* KMIP_RecommendedCurve_... */
};
klm_rc kr_material_parts_new(const struct kr_material_spec *spec, const struct kr_parts *parts,
                             struct kr_material **out) KLM_MUST_USE;
klm_rc kr_material_parts(const struct kr_material *material, struct klm_pool *wiping,
                         struct kr_parts *out) KLM_MUST_USE;
/* The public key that belongs to a private key. */
klm_rc kr_material_public(const struct kr_material *private_key, struct kr_material **out)
    KLM_MUST_USE;
/* Digest of the bytes (of a transparent form: of its parts in the order of kr_parts; of a symmetric key: of the raw bytes), KMIP_HashingAlgorithm_... */
klm_rc kr_material_digest(const struct kr_material *material, uint32_t hash, uint8_t out[64],
                          size_t *n) KLM_MUST_USE;
/* Are two the same key, whatever their formats? */
bool kr_material_same(const struct kr_material *a, const struct kr_material *b);
/* Zeros and ones of a one-way comparison: is it this secret (a password)? In constant time. */
bool kr_material_is(const struct kr_material *material, struct klm_slice bytes);

/* ---- At rest: a key token of a type of its own (keyring/TOKEN.md), under a label; opened, rewrapped, backed up as other tokens are. */
klm_rc kr_material_seal(const struct kr_master *master, const char *label,
                        const struct kr_material *material, struct klm_buf *out) KLM_MUST_USE;
/* Failures as kr_token_open. */
klm_rc kr_material_open(const struct kr_master *master, const char *label, struct klm_slice token,
                        struct kr_material **out) KLM_MUST_USE;

/* ---- Wrapping of one material by another (KMIP 2.1, 3.2 Key Wrapping Data; 11.: AES key wrap RFC 3394 and RFC 5649, RSA PKCS #1 and OAEP). data is what is wrapped: the bytes, or a TTLV-encoded
 * key value that the caller made; how is 0 in fields not given. Results live in the wiping pool. KLM_E_UNSUPPORTED: no such way, or not with this key; KLM_E_CRYPTO: it does not unwrap. */
struct kr_wrap_how {
    uint32_t mode; /* KMIP_BlockCipherMode_NISTKeyWrap (default for AES), _AESKeyWrapPadding, ... */
    uint32_t padding; /* RSA: KMIP_PaddingMethod_OAEP, PKCS1v1_5 */
    uint32_t hash, mask_hash;
    struct klm_slice iv, p_source;
};
klm_rc kr_material_wrap(const struct kr_material *with, const struct kr_wrap_how *how,
                        struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
    KLM_MUST_USE;
klm_rc kr_material_unwrap(const struct kr_material *with, const struct kr_wrap_how *how,
                          struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
    KLM_MUST_USE;

/* ---- Certificates from a request (Certify, Recertify): a certificate for a public key or a PKCS #10 or PEM request, signed by a label of a ring. DER in the pool. */
struct kr_certify {
    const struct kr_material *public_key; /* or NULL with a request */
    struct klm_slice request;             /* PKCS #10 in DER or PEM, or empty */
    const char *subject;                  /* as kr_gencert; NULL: the request's */
    struct klm_slice old; /* a certificate whose subject and extensions are taken over, or empty */
    klm_time not_before, not_after; /* 0: now, one year */
};
klm_rc kr_certify(const struct kr_certify *spec, const struct kr_label *issuer,
                  struct klm_pool *pool, struct klm_diag *diag, struct klm_slice *der) KLM_MUST_USE;
/* What attributes of a certificate say (KMIP 2.1, 4.5 Certificate Attributes): parts of the names and the rest. Texts in the pool, NULL: not there. */
struct kr_cert_facts {
    struct kr_cert_names {
        const char *cn, *o, *ou, *email, *c, *st, *l, *uid, *serial, *title, *dc, *dn_qualifier;
        const char *dn;       /* all of it, RFC 4514 */
        struct klm_slice der; /* Name */
    } subject, issuer;
    struct klm_slice serial;                  /* DER INTEGER's content */
    struct klm_slice issuer_alt, subject_alt; /* DER of the extensions' values, or empty */
    uint32_t signature;                       /* KMIP_DigitalSignatureAlgorithm_..., 0: another */
    uint32_t algorithm, bits;
    klm_time not_before, not_after;
};
klm_rc kr_cert_facts(struct klm_slice der, struct klm_pool *pool, struct kr_cert_facts *out)
    KLM_MUST_USE;

#endif
