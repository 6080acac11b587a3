/* Sign and Signature Verify (KMIP 1.4, 4.31 and 4.32; 2.1, 6.1.55 and 6.1.56). The kind of the key decides the scheme; the parameters decide its hash, and of RSA the
 * padding. Data is hashed here and the digest signed, so that one-shot, stream and digested data go one way; EdDSA alone takes data as it is. */
#include "keyring/crypto_int.h"

#include <limits.h>
#include <openssl/rsa.h>

#define H(name) KMIP_HashingAlgorithm_##name
#define P(name) KMIP_PaddingMethod_##name

enum kind { KIND_RSA, KIND_DSA, KIND_EC, KIND_ED };

static const struct named {
    uint32_t algorithm;
    enum kind kind;
    uint32_t hash, padding;
} signatures[] = {
#define KR_SIGNATURE(name, kind, hash, padding)                                                    \
    {KMIP_DigitalSignatureAlgorithm_##name, KIND_##kind, hash, padding},
#include "keyring/signatures.def"
#undef KR_SIGNATURE
};

static const struct {
    const char *name;
    enum kind kind;
} kinds[] = {
    {"RSA", KIND_RSA}, {"RSA-PSS", KIND_RSA}, {"EC", KIND_EC},
    {"DSA", KIND_DSA}, {"ED25519", KIND_ED},  {"ED448", KIND_ED},
};

void kr_scheme_done(struct kr_scheme *scheme)
{
    EVP_PKEY_free(scheme->pkey);
    scheme->pkey = NULL;
}

static klm_rc kind_of(const EVP_PKEY *pkey, enum kind *out)
{
    for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
        if (EVP_PKEY_is_a(pkey, kinds[i].name)) {
            *out = kinds[i].kind;
            return KLM_OK;
        }
    }
    return KLM_E_UNSUPPORTED;
}

/* What the Digital Signature Algorithm says (KMIP 1.4, 3.6: that, or the combination of algorithm and hash). */
static klm_rc named(uint32_t algorithm, const struct named **out)
{
    for (size_t i = 0; i < KLM_COUNT(signatures); i++) {
        if (signatures[i].algorithm == algorithm) {
            *out = &signatures[i];
            return KLM_OK;
        }
    }
    return KLM_E_UNSUPPORTED;
}

/* The hash: by the name of the signature, by itself, or SHA-256, which is what clients that name none expect. Two that differ are a mistake. */
static klm_rc choose_hash(const struct named *name, const struct kr_crypt *how,
                          struct kr_scheme *scheme)
{
    uint32_t hash = name && name->hash ? name->hash : how->hash;

    if (how->hash && hash != how->hash) {
        return KLM_E_INVALID;
    }
    scheme->any_digest = !hash;
    scheme->md = kr_md(hash ? hash : H(SHA_256));
    return scheme->md ? KLM_OK : KLM_E_UNSUPPORTED;
}

/* RFC 8017, 8.1. KMIP 1.4, 3.6 has SHA-1 for the mask when nothing is said, while signatures of its own profiles were made with the hash of the data there, as most
 * software does: so that is what is made, and either is taken. The salt is as long as the mask's digest; when nothing was said, any length is taken. */
static klm_rc choose_pss(const struct kr_crypt *how, bool sign, struct kr_scheme *scheme)
{
    if (how->mask && how->mask != KMIP_MaskGenerator_MGF1) {
        return KLM_E_UNSUPPORTED;
    }
    if (how->trailer != 0 && how->trailer != 1 &&
        how->trailer != 0xbc) { /* 1 is its name, BC its byte */
        return KLM_E_UNSUPPORTED;
    }
    if (how->salt_length < -1 || how->salt_length > INT_MAX) {
        return KLM_E_INVALID;
    }
    scheme->padding = RSA_PKCS1_PSS_PADDING;
    scheme->mask = how->mask_hash ? kr_md(how->mask_hash) : scheme->md;
    scheme->mask_too = how->mask_hash || sign ? NULL : kr_md(H(SHA_1));
    if (!scheme->mask) {
        return KLM_E_UNSUPPORTED;
    }
    scheme->salt = how->salt_length >= 0 ? (int)how->salt_length
                   : sign                ? EVP_MD_get_size(scheme->mask)
                                         : RSA_PSS_SALTLEN_AUTO;
    return KLM_OK;
}

static klm_rc choose_rsa(const struct named *name, const struct kr_crypt *how, bool sign,
                         struct kr_scheme *scheme)
{
    uint32_t padding = how->padding ? how->padding : name ? name->padding : 0;

    if (!padding) {
        padding = EVP_PKEY_is_a(scheme->pkey, "RSA-PSS") ? P(PSS) : P(PKCS1V1_5);
    }
    scheme->any_digest = scheme->any_digest && padding == P(PKCS1V1_5);
    switch (padding) {
    case P(PSS):
        return choose_pss(how, sign, scheme);
    case P(PKCS1V1_5):
        scheme->padding = RSA_PKCS1_PADDING;
        return KLM_OK;
    case P(X9_31):
        scheme->padding = RSA_X931_PADDING;
        return KLM_OK;
    default:
        return KLM_E_UNSUPPORTED;
    }
}

static klm_rc choose_scheme(const struct kr_crypt *how, bool sign, struct kr_scheme *scheme)
{
    const struct named *name = NULL;
    enum kind kind;

    KLM_TRY(kind_of(scheme->pkey, &kind));
    if (how->signature) {
        KLM_TRY(named(how->signature, &name));
        if (name->kind != kind) {
            return KLM_E_INVALID;
        }
    }
    if (kind == KIND_ED) {
        scheme->pure = true;
        return KLM_OK;
    }
    KLM_TRY(choose_hash(name, how, scheme));
    return kind == KIND_RSA ? choose_rsa(name, how, sign, scheme) : KLM_OK;
}

klm_rc kr_scheme_choose(const struct kr_material *key, const struct kr_crypt *how, bool sign,
                        struct kr_scheme *out)
{
    KLM_AUTO(kr_scheme_done) struct kr_scheme scheme = {.pkey = NULL};

    if (!kr_is_asymmetric(key) || (sign && key->spec.object != KMIP_ObjectType_PrivateKey)) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_material_pkey(key, &scheme.pkey));
    KLM_TRY(choose_scheme(how, sign, &scheme));
    *out = scheme;
    scheme.pkey = NULL;
    return KLM_OK;
}

/* ---- OpenSSL's part */

/* A digest that is of no hash that anybody named is signed by PKCS #1 v1.5 as it is, without a DigestInfo, as rsautl and CKM_RSA_PKCS do. */
static bool bare(const struct kr_scheme *scheme, size_t digest_n)
{
    return scheme->any_digest && scheme->padding == RSA_PKCS1_PADDING &&
           digest_n != (size_t)EVP_MD_get_size(scheme->md);
}

static bool pad(EVP_PKEY_CTX *ctx, const struct kr_scheme *scheme, const EVP_MD *mask,
                size_t digest_n)
{
    if (!scheme->padding) {
        return true; /* DSA and ECDSA take any digest, cut to their size */
    }
    return (bare(scheme, digest_n) || EVP_PKEY_CTX_set_signature_md(ctx, scheme->md) == 1) &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, scheme->padding) == 1 &&
           (scheme->padding != RSA_PKCS1_PSS_PADDING ||
            (EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mask) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, scheme->salt) == 1));
}

static klm_rc sign_pure(const struct kr_scheme *scheme, struct klm_slice data, uint8_t *out,
                        size_t *n)
{
    KLM_AUTO(kr_done_md) EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (!md) {
        return KLM_E_NOMEM;
    }
    if (EVP_DigestSignInit(md, NULL, NULL, NULL, scheme->pkey) != 1 ||
        EVP_DigestSign(md, out, n, data.p, data.n) != 1) {
        return kr_failed(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

static klm_rc sign_digest(const struct kr_scheme *scheme, struct klm_slice digest, uint8_t *out,
                          size_t *n)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, scheme->pkey, NULL);

    if (!ctx || EVP_PKEY_sign_init(ctx) != 1) {
        return kr_failed(KLM_E_CRYPTO);
    }
    if (!pad(ctx, scheme, scheme->mask, digest.n)) {
        return kr_quiet(
            KLM_E_UNSUPPORTED); /* X9.31 has no number for that hash, a PSS key has its own */
    }
    if (EVP_PKEY_sign(ctx, out, n, digest.p, digest.n) != 1) {
        return kr_failed(KLM_E_INVALID); /* digest and salt are longer than the key */
    }
    return KLM_OK;
}

klm_rc kr_scheme_sign(const struct kr_scheme *scheme, struct klm_slice data,
                      struct klm_pool *wiping, struct klm_slice *out)
{
    int most = EVP_PKEY_get_size(scheme->pkey);
    size_t n = most > 0 ? (size_t)most : 0;
    uint8_t *p = klm_pool_alloc(wiping, n);

    if (!p) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(scheme->pure ? sign_pure(scheme, data, p, &n) : sign_digest(scheme, data, p, &n));
    *out = KLM_SLICE(p, n);
    return KLM_OK;
}

static klm_rc verify_pure(const struct kr_scheme *scheme, struct klm_slice data,
                          struct klm_slice signature, bool *valid)
{
    KLM_AUTO(kr_done_md) EVP_MD_CTX *md = EVP_MD_CTX_new();

    if (!md) {
        return KLM_E_NOMEM;
    }
    if (EVP_DigestVerifyInit(md, NULL, NULL, NULL, scheme->pkey) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *valid = EVP_DigestVerify(md, signature.p, signature.n, data.p, data.n) == 1;
    return kr_quiet(KLM_OK);
}

/* OpenSSL does not say whether a signature is wrong or no signature at all; neither is valid. */
static klm_rc verify_digest(const struct kr_scheme *scheme, const EVP_MD *mask,
                            struct klm_slice digest, struct klm_slice signature, bool *valid)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, scheme->pkey, NULL);

    if (!ctx || EVP_PKEY_verify_init(ctx) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    if (!pad(ctx, scheme, mask, digest.n)) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    *valid = EVP_PKEY_verify(ctx, signature.p, signature.n, digest.p, digest.n) == 1;
    return kr_quiet(KLM_OK);
}

klm_rc kr_scheme_verify(const struct kr_scheme *scheme, struct klm_slice data,
                        struct klm_slice signature, bool *valid)
{
    bool good = false;

    if (scheme->pure) {
        KLM_TRY(verify_pure(scheme, data, signature, &good));
    } else {
        KLM_TRY(verify_digest(scheme, scheme->mask, data, signature, &good));
        if (!good && scheme->mask_too) {
            KLM_TRY(verify_digest(scheme, scheme->mask_too, data, signature, &good));
        }
    }
    *valid = good;
    return KLM_OK;
}

/* ---- In one go */

struct digest {
    uint8_t p[EVP_MAX_MD_SIZE];
    unsigned n;
};

/* The shortest digest whose hash nobody named: SHA-1's, and MD5's where RSA signs it bare. */
static size_t any_digest_min(const struct kr_scheme *scheme)
{
    return scheme->padding == RSA_PKCS1_PADDING ? 16 : 20;
}

/* What the scheme signs of it: the data itself, its digest, or the digest that it is already. */
static klm_rc to_sign(const struct kr_scheme *scheme, struct klm_slice data, bool digested,
                      struct digest *room, struct klm_slice *out)
{
    size_t size = scheme->pure ? 0 : (size_t)EVP_MD_get_size(scheme->md);

    if (data.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    if (scheme->pure) {
        *out = data;
        return digested ? KLM_E_UNSUPPORTED : KLM_OK; /* RFC 8032, 5: the scheme hashes twice */
    }
    if (digested) {
        bool fits = scheme->any_digest
                        ? data.n >= any_digest_min(scheme) && data.n <= EVP_MAX_MD_SIZE
                        : data.n == size;

        *out = data;
        return fits ? KLM_OK : KLM_E_INVALID;
    }
    if (EVP_Digest(data.p, data.n, room->p, &room->n, scheme->md, NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(room->p, room->n);
    return KLM_OK;
}

klm_rc kr_material_sign(const struct kr_material *key, const struct kr_crypt *how,
                        struct klm_slice data, bool digested, struct klm_pool *wiping,
                        struct klm_slice *out)
{
    KLM_AUTO(kr_scheme_done) struct kr_scheme scheme = {.pkey = NULL};
    struct digest room;
    struct klm_slice message;

    KLM_TRY(kr_scheme_choose(key, how, true, &scheme));
    KLM_TRY(to_sign(&scheme, data, digested, &room, &message));
    return kr_scheme_sign(&scheme, message, wiping, out);
}

klm_rc kr_material_verify(const struct kr_material *key, const struct kr_crypt *how,
                          struct klm_slice data, bool digested, struct klm_slice signature,
                          bool *valid)
{
    KLM_AUTO(kr_scheme_done) struct kr_scheme scheme = {.pkey = NULL};
    struct digest room;
    struct klm_slice message;

    KLM_TRY(kr_scheme_choose(key, how, false, &scheme));
    KLM_TRY(to_sign(&scheme, data, digested, &room, &message));
    return kr_scheme_verify(&scheme, message, signature, valid);
}
