#include "ios/subkey.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <string.h>

/* OpenSSL's parameters are not const, but it only reads them. */
static OSSL_PARAM octets(const char *name, const uint8_t *p, size_t n)
{
    return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)p, n);
}

klm_rc ios_subkey(const uint8_t key[IOS_SUBKEY], struct klm_slice salt, struct klm_slice info,
                  uint8_t out[IOS_SUBKEY])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        octets(OSSL_KDF_PARAM_KEY, key, IOS_SUBKEY),
        octets(OSSL_KDF_PARAM_SALT, salt.p, salt.n),
        octets(OSSL_KDF_PARAM_INFO, info.p, info.n),
        OSSL_PARAM_construct_end(),
    };
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    bool good = ctx && EVP_KDF_derive(ctx, out, IOS_SUBKEY, params) == 1;

    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return good ? KLM_OK : KLM_E_CRYPTO;
}

klm_rc ios_key_wrap(const uint8_t under[IOS_SUBKEY], const uint8_t key[IOS_SUBKEY],
                    uint8_t out[IOS_WRAPPED])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t wrapped[IOS_WRAPPED];
    int n = 0;
    bool good = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, under, NULL) == 1 &&
                EVP_EncryptUpdate(ctx, wrapped, &n, key, IOS_SUBKEY) == 1 && n == IOS_WRAPPED;

    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    if (!good) {
        return KLM_E_CRYPTO;
    }
    memcpy(out, wrapped, sizeof wrapped);
    return KLM_OK;
}

klm_rc ios_key_unwrap(const uint8_t under[IOS_SUBKEY], const uint8_t wrapped[IOS_WRAPPED],
                      uint8_t out[IOS_SUBKEY])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *key = klm_secret_alloc(IOS_WRAPPED);
    int n = 0;
    bool good = ctx && key && EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, under, NULL) == 1 &&
                EVP_DecryptUpdate(ctx, key, &n, wrapped, IOS_WRAPPED) == 1 && n == IOS_SUBKEY;

    if (good) {
        memcpy(out, key, IOS_SUBKEY);
    }
    klm_secret_free(key, IOS_WRAPPED);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return good ? KLM_OK : KLM_E_WRONGKEY;
}
