#include "base/digest.h"

#include <openssl/evp.h>

klm_rc klm_sha256(const struct klm_slice *parts, size_t n, uint8_t out[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t hash[32];
    unsigned len = 0;
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < n; i++) {
        ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(ctx, hash, &len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok) {
        return KLM_E_CRYPTO;
    }
    for (size_t i = 0; i < sizeof hash; i++) {
        out[i] = hash[i];
    }
    return KLM_OK;
}
