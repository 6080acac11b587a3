/* HKDF-SHA256 (RFC 5869): the one way from the master key to a key for a purpose. */
#include "keyring/internal.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <string.h>

/* OpenSSL takes parameters without const and does not change them. */
static void *unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {p};

    return u.out;
}

klm_rc kr_hkdf(const uint8_t key[32], struct klm_slice salt, const char *info, uint8_t out[32])
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    KLM_AUTO(kr_done_kdf) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM param[5], *p = param;

    EVP_KDF_free(kdf); /* the context holds it */
    if (!ctx) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, unconst("SHA256"), 0);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, unconst(key), 32);
    *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, unconst(info), strlen(info));
    if (salt.n) {
        *p++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, unconst(salt.p), salt.n);
    }
    *p = OSSL_PARAM_construct_end();
    return EVP_KDF_derive(ctx, out, 32, param) == 1 ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}
