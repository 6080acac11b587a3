/* Key material of managed objects: a key, a secret, a certificate or opaque bytes, in secret memory, in the very form in which it was registered or
 * made; other forms are made when they are asked for. Numbers for algorithms, formats and so on are KMIP's (kmip/registry), so that no one
 * translates them. Clear bytes go in by kr_material_new and kr_material_parts_new and out by kr_material_bytes, kr_material_parts and
 * kr_material_unwrap alone: into the wiping pool of a request. Secret memory is a fixed reserve: hold material as long as a request needs it, or in
 * a cache with a limit. */
#ifndef KEYRING_MATERIAL_H
#define KEYRING_MATERIAL_H

#include "keyring/kr.h"
#include "kmip/registry/registry.h"

struct kr_material; /* counted, immutable, secret memory */

#define KR_MATERIAL_MAX 60000 /* bytes */

struct kr_material_spec {
    uint32_t object;     /* KMIP_ObjectType_... */
    uint32_t format;     /* KMIP_KeyFormatType_..., KMIP_CertificateType_...; 0: none */
    uint32_t algorithm;  /* KMIP_CryptographicAlgorithm_...; 0: none or unknown */
    uint32_t bits;       /* Cryptographic Length; 0: unknown */
    uint32_t curve;      /* KMIP_RecommendedCurve_... of an EC key; 0 */
    uint32_t compressed; /* KMIP_KeyCompressionType_...; 0 */
    bool wrapped;        /* a wrapped key that is not opened here: kept as it is, of no use */
};
/* Take bytes as they came. A format that says what is in it is checked: that it is one, that RSA numbers belong together, that a point is on its
 * curve, the length of a raw symmetric key against bits (DES and DES3 with or without their parity; no length of an algorithm is refused), and a
 * certificate. Fields of spec that are 0 are filled in from it; what does not fit is KLM_E_INVALID. Not looked into: Opaque, PKCS_12, Raw keys of
 * pairs but those that are strings (Ed25519 and the like), encrypted PKCS_8, secrets, parts of keys, kinds of key that OpenSSL does not know.
 * KLM_E_LIMIT: more than KR_MATERIAL_MAX, or an RSA modulus of more than 8,192 bits; KLM_E_UNSUPPORTED: a format or object type that is not known
 * here, a transparent format (kr_material_parts_new), an EC curve without a name; KLM_E_NOMEM: the secret memory is used up. */
klm_rc kr_material_new(const struct kr_material_spec *spec, struct klm_slice bytes,
                       struct kr_material **out) KLM_MUST_USE;
/* Make a random symmetric key in format Raw: AES 128, 192, 256; DES3 112 and 168 (16 and 24 bytes, with parity;
 * also asked for as 128 and 192, DES as 56 and 64); HMAC, ChaCha20, Camellia and the other rows of symmetric.def. KLM_E_LIMIT: no length of that algorithm; KLM_E_UNSUPPORTED: no algorithm that such keys are made for. */
klm_rc kr_material_generate(uint32_t algorithm, uint32_t bits, struct kr_material **out)
    KLM_MUST_USE;
/* The length of a key, or key pair, that is asked for without one; 0: there is none that is usual. */
uint32_t kr_material_usual_bits(uint32_t algorithm);
/* Make secret data of random bytes, in format Raw. KLM_E_LIMIT: no whole bytes, none, or more than KR_MATERIAL_MAX of them. */
klm_rc kr_material_generate_secret(uint32_t bits, struct kr_material **out) KLM_MUST_USE;
/* Make a key pair by algorithm, bits and curve of spec: RSA 1024 to 4096 in steps of 8 (PKCS_1 both); DSA 1024, 2048, 3072; DH 2048, 3072, 4096
 * (groups of RFC 7919); EC, ECDSA, ECDH, ECMQV (a curve, or bits of a NIST prime curve; with EC and ECDH also CURVE25519 and CURVE448: X25519,
 * X448); SM2, Ed25519, Ed448 (PKCS_8, X_509). KLM_E_LIMIT: no such size; KLM_E_INVALID: curve and bits do not fit; KLM_E_UNSUPPORTED. Takes long: on
 * a worker. */
klm_rc kr_material_generate_pair(const struct kr_material_spec *spec,
                                 struct kr_material **private_key, struct kr_material **public_key)
    KLM_MUST_USE;
/* One more holder; returns material. */
struct kr_material *kr_material_ref(struct kr_material *material);
/* One holder less; the last one wipes it. */
void kr_material_free(struct kr_material **material);
/* What it is, borrowed. */
const struct kr_material_spec *kr_material_spec(const struct kr_material *material);
/* The bytes, copied to a wiping pool: raw key, PKCS #1 RSAPrivateKey or RSAPublicKey, PKCS #8, ECPrivateKey, SubjectPublicKeyInfo (X_509),
 * certificate, secret, opaque data, wrapped bytes. KLM_E_UNSUPPORTED: a transparent format (see kr_material_parts). */
klm_rc kr_material_bytes(const struct kr_material *material, struct klm_pool *wiping,
                         struct klm_slice *out) KLM_MUST_USE;
/* Another format of the same key (KMIP 2.1, 11.25). Symmetric keys: Raw, Opaque, transparent; secrets and parts of keys: Raw, Opaque; pairs: PKCS_1
 * (RSA), PKCS_8, X_509, ECPrivateKey, Raw (Ed25519 and the like), the transparent forms of RSA, EC, DSA and DH. compression is of an EC public key,
 * KMIP_KeyCompressionType_... (0: as it is). The format that it has is one more holder of the same. KLM_E_UNSUPPORTED: this kind of key has no such
 * format or form; KLM_E_STATE: it is wrapped. */
klm_rc kr_material_convert(const struct kr_material *material, uint32_t format,
                           uint32_t compression, struct kr_material **out) KLM_MUST_USE;
/* Transparent formats (KMIP 2.1, 3.4 to 3.12; of EC also the ECDSA, ECDH and ECMQV formats of 1.0 to 1.2): numbers unsigned, big-endian; zeros
 * before them are dropped. p NULL: not there. key: of a transparent symmetric key. Which parts a format has is in parts.def. */
struct kr_parts {
    struct klm_slice key;
    /* RSA; p and q of DSA and DH too */
    struct klm_slice modulus, public_exponent, private_exponent, p, q, dp, dq, crt;
    struct klm_slice g, x, y, j;  /* DSA, DH */
    struct klm_slice d, q_string; /* EC: private number, public point (SEC 1, 2.3.3) */
    uint32_t curve;               /* KMIP_RecommendedCurve_... */
};
/* Take parts. Those that a private RSA key lacks are worked out when it is used or converted, and are given back missing, as they came. The curve
 * may stand in spec or in parts. Checks and failures as kr_material_new; KLM_E_INVALID too: a part is missing, or one of another format. */
klm_rc kr_material_parts_new(const struct kr_material_spec *spec, const struct kr_parts *parts,
                             struct kr_material **out) KLM_MUST_USE;
/* The parts, copied to a wiping pool. KLM_E_UNSUPPORTED: no transparent format (convert it first); KLM_E_STATE: it is wrapped. */
klm_rc kr_material_parts(const struct kr_material *material, struct klm_pool *wiping,
                         struct kr_parts *out) KLM_MUST_USE;
/* The public key that belongs to a private key: PKCS_1 of RSA, X_509 of others. KLM_E_UNSUPPORTED: no private key, or none that is known here;
 * KLM_E_STATE: it is wrapped. */
klm_rc kr_material_public(const struct kr_material *private_key, struct kr_material **out)
    KLM_MUST_USE;
/* A private key as a key of a label has it, and back (PKCS_8): so kr_package_read and kr_package_write do PKCS #12. KLM_E_UNSUPPORTED: no private
 * key, a kind or size that labels do not have (RSA 1024 to 4096, P-256, P-384), or one that is in a PKCS#11 token or kept sealed; KLM_E_STATE: it is
 * wrapped. */
klm_rc kr_material_key(const struct kr_material *private_key, struct kr_key **out) KLM_MUST_USE;
klm_rc kr_material_of_key(const struct kr_key *key, struct kr_material **out) KLM_MUST_USE;
/* Digest of the bytes (of a transparent form: of its parts in the order of kr_parts, which is no digest of KMIP's: that is over the TTLV of them),
 * KMIP_HashingAlgorithm_... KLM_E_UNSUPPORTED: no such hash here. */
klm_rc kr_material_digest(const struct kr_material *material, uint32_t hash, uint8_t out[64],
                          size_t *n) KLM_MUST_USE;
/* Are two objects of one type the same key, whatever their formats? Wrapped or unknown ones: the same bytes? */
bool kr_material_same(const struct kr_material *a, const struct kr_material *b);
/* Are these its bytes (a password)? In constant time, but for the length; false when it is wrapped. */
bool kr_material_is(const struct kr_material *material, struct klm_slice bytes);

/* ---- At rest: a key token of a type of its own (keyring/TOKEN.md) under a label, at most ST_RECORD_MAX bytes; rewrapped, moved and backed up as
 * other tokens are (kr_token_rewrap, kr_token_put and so on). */
/* Append a token to out, which is as it was on failure. Waits with a strict master key. */
klm_rc kr_material_seal(const struct kr_master *master, const char *label,
                        const struct kr_material *material, struct klm_buf *out) KLM_MUST_USE;
/* Failures as kr_token_open; KLM_E_CORRUPT too: it is the token of a key. */
klm_rc kr_material_open(const struct kr_master *master, const char *label, struct klm_slice token,
                        struct kr_material **out) KLM_MUST_USE;

/* ---- Wrapping under another key (KMIP 2.1, 3.3). data is what is wrapped: the bytes, or a TTLV-encoded key value that the caller made; fields of
 * how are 0 when not given. AES keys: NISTKeyWrap (RFC 3394, the default), AESKeyWrapPadding (RFC 5649), CBC (PKCS5 or no padding; iv), GCM (iv; the
 * tag of 16 bytes follows the text). RSA keys: OAEP (the default; hash and mask_hash SHA-1 when not given, KMIP 2.1, 4.16) and PKCS1V1_5. Results
 * live in the wiping pool. KLM_E_UNSUPPORTED: no such way, or not with this key; KLM_E_INVALID: an iv or a length that the mode cannot have;
 * KLM_E_LIMIT: more than 1 MiB, or than fits RSA; KLM_E_STATE: the wrapping key is wrapped itself; KLM_E_CRYPTO: it does not unwrap. PKCS1V1_5 does
 * not tell bad padding: then what comes out is random bytes of a random length, always the same for the same data. Whoever finds that the result is
 * no key must answer just as for KLM_E_CRYPTO. */
struct kr_wrap_how {
    uint32_t mode;            /* KMIP_BlockCipherMode_... */
    uint32_t padding;         /* KMIP_PaddingMethod_... */
    uint32_t hash, mask_hash; /* KMIP_HashingAlgorithm_... */
    struct klm_slice iv, p_source;
};
klm_rc kr_material_wrap(const struct kr_material *with, const struct kr_wrap_how *how,
                        struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
    KLM_MUST_USE;
/* RSA: with the private key. A private-key operation: on a worker. */
klm_rc kr_material_unwrap(const struct kr_material *with, const struct kr_wrap_how *how,
                          struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
    KLM_MUST_USE;

/* ---- Certificates for others (Certify, Re-certify) */
struct kr_certify {
    const struct kr_material *public_key; /* or NULL: that of the request, or of old */
    struct klm_slice request;             /* PKCS #10 in DER or PEM, or empty */
    const char *subject;                  /* as in kr_gencert; NULL: old's, else the request's */
    struct klm_slice old;                 /* a certificate that is renewed, or empty */
    klm_time not_before, not_after;       /* 0: now, one year */
};
/* A certificate for a public key, signed by a label of a ring that is an authority, in DER in the pool. The names (subjectAltName) come from old,
 * else from the request; key usage and the extended key usages of TLS, mail and code from old. Nothing makes it an authority, a drive or a partner.
 * Never valid longer than the issuer: then it ends with it and, with KLM_OK, diag holds a warning (set diag->msg to KLM_MSG_NONE before). Each
 * failure has its message: KLM_E_DENIED: the issuer is no authority; KLM_E_WRONGKEY: its private key is not here, or the request is for another key
 * than public_key; KLM_E_UNSUPPORTED: a key that is not used here, or the issuer's key is in a PKCS#11 token; KLM_E_INVALID, KLM_E_LIMIT,
 * KLM_E_CRYPTO (a request that its key did not sign). A private-key operation: on a worker. */
klm_rc kr_certify(const struct kr_certify *spec, const struct kr_label *issuer,
                  struct klm_pool *pool, struct klm_diag *diag, struct klm_slice *der) KLM_MUST_USE;
/* What attributes of a certificate say (KMIP 2.1, 4.6 and 4.61; 1.4, 3.9 to 3.13): parts of the names and the rest. Texts in the pool, NULL: not
 * there. */
#define KR_CERT_PARTS_MAX 16 /* of one kind that are told */
struct kr_cert_part {
    const char *text;
    struct kr_cert_part *next; /* of the same kind, in the order of the name */
};
struct kr_cert_facts {
    struct kr_cert_names {
        struct kr_cert_part *cn, *o, *ou, *email, *c, *st, *l, *uid, *serial, *title, *dc,
            *dn_qualifier;
        const char *dn;       /* all of it, RFC 4514 */
        struct klm_slice der; /* Name */
    } subject, issuer;
    struct klm_slice serial;                  /* the content of the serial number's INTEGER */
    struct klm_slice serial_der;              /* all of it: KMIP 2.x, Certificate Serial Number */
    struct klm_slice issuer_alt, subject_alt; /* DER of the extensions' values, or empty */
    uint32_t signature;                       /* KMIP_DigitalSignatureAlgorithm_..., 0: another */
    uint32_t algorithm, bits;
    klm_time not_before, not_after;
};
/* Of a kind as many as KR_CERT_PARTS_MAX are told; what no text can say (a zero byte) is not. KLM_E_INVALID: no X.509 certificate in strict DER. */
klm_rc kr_cert_facts(struct klm_slice der, struct klm_pool *pool, struct kr_cert_facts *out)
    KLM_MUST_USE;

#endif
