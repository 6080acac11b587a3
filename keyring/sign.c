/* Signatures with a private key of a ring, for who holds its certificate. */
#include "keyring/internal.h"

#include <openssl/rsa.h>

struct scheme {
    const char *name;
    const EVP_MD *md;
};

/* The digest goes by the strength of the key (FIPS 186-5, 6.1.1: at least as long as the curve's half). */
static klm_rc scheme_of(const struct kr_spec *spec, struct scheme *out)
{
    if (spec->type == KR_RSA) {
        *out = (struct scheme){"RSA-PSS-SHA256", EVP_sha256()};
    } else if (spec->type == KR_EC && spec->bits == 256) {
        *out = (struct scheme){"ECDSA-SHA256", EVP_sha256()};
    } else if (spec->type == KR_EC && spec->bits == 384) {
        *out = (struct scheme){"ECDSA-SHA384", EVP_sha384()};
    } else {
        return KLM_E_UNSUPPORTED;
    }
    return KLM_OK;
}

/* RFC 8017, 8.1: salt as long as the digest; MGF1 with the same digest is OpenSSL's default. */
static bool pad(EVP_PKEY_CTX *ctx, enum kr_type type)
{
    return type != KR_RSA || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                              EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) == 1);
}

/* In a token: the digest is made here, the signature there. */
static klm_rc sign_far(const struct kr_key *with, const struct scheme *scheme,
                       struct klm_slice data, uint8_t *out, size_t cap, size_t *n)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    if (EVP_Digest(data.p, data.n, digest, &len, scheme->md, NULL) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return kr_far_sign(with, KLM_SLICE(digest, len), out, cap, n);
}

static klm_rc sign_near(const struct kr_key *with, const struct scheme *scheme,
                        struct klm_slice data, uint8_t *out, size_t cap, size_t *n)
{
    KLM_AUTO(kr_done_md) EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    size_t most = 0;

    if (!md) {
        return KLM_E_NOMEM;
    }
    if (EVP_DigestSignInit(md, &ctx, scheme->md, NULL, with->pkey) != 1 ||
        !pad(ctx, with->spec.type) || EVP_DigestSign(md, NULL, &most, data.p, data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    if (most > cap) {
        return KLM_E_LIMIT;
    }
    if (EVP_DigestSign(md, out, &most, data.p, data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *n = most;
    return KLM_OK;
}

klm_rc kr_sign(const struct kr_label *with, struct klm_slice data, const char **algorithm,
               uint8_t *out, size_t cap, size_t *n)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    struct scheme scheme;

    if (!with->key || !with->key->pkey) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(scheme_of(&with->key->spec, &scheme));
    if (kr_key_in_token(with->key)) {
        KLM_TRY(sign_far(with->key, &scheme, data, out, cap, n));
    } else {
        KLM_TRY(kr_key_opened(with->key, &key));
        KLM_TRY(sign_near(key, &scheme, data, out, cap, n));
    }
    *algorithm = scheme.name;
    return KLM_OK;
}
