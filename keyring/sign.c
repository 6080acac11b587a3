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

klm_rc kr_sign(const struct kr_label *with, struct klm_slice data, const char **algorithm,
               uint8_t *out, size_t cap, size_t *n)
{
    KLM_AUTO(kr_done_md) EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    struct scheme scheme;
    size_t most = 0;

    if (!with->key || !with->key->pkey) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(scheme_of(&with->key->spec, &scheme));
    if (!md) {
        return KLM_E_NOMEM;
    }
    if (EVP_DigestSignInit(md, &ctx, scheme.md, NULL, with->key->pkey) != 1 ||
        !pad(ctx, with->key->spec.type) || EVP_DigestSign(md, NULL, &most, data.p, data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    if (most > cap) {
        return KLM_E_LIMIT;
    }
    if (EVP_DigestSign(md, out, &most, data.p, data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *algorithm = scheme.name;
    *n = most;
    return KLM_OK;
}
