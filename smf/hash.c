/* SHA-256 from OpenSSL, algorithm and context kept between uses. */
#include "smf/hash.h"

#include <openssl/evp.h>
#include <stdlib.h>

struct smf_hash {
    EVP_MD *md;
    EVP_MD_CTX *ctx;
};

static klm_rc fetch(struct smf_hash *hash)
{
    hash->md = EVP_MD_fetch(NULL, "SHA256", NULL);
    hash->ctx = EVP_MD_CTX_new();
    return hash->md && hash->ctx && EVP_DigestInit_ex2(hash->ctx, hash->md, NULL) == 1
               ? KLM_OK
               : KLM_E_CRYPTO;
}

klm_rc smf_hash_new(struct smf_hash **out)
{
    struct smf_hash *hash = calloc(1, sizeof *hash);
    klm_rc rc = hash ? fetch(hash) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        smf_hash_free(&hash);
        return rc;
    }
    *out = hash;
    return KLM_OK;
}

void smf_hash_free(struct smf_hash **hash)
{
    if (*hash) {
        EVP_MD_CTX_free((*hash)->ctx);
        EVP_MD_free((*hash)->md);
        free(*hash);
        *hash = NULL;
    }
}

klm_rc smf_hash_two(struct smf_hash *hash, struct klm_slice a, struct klm_slice b,
                    uint8_t out[SMF_HASH_SIZE])
{
    uint8_t got[SMF_HASH_SIZE];
    unsigned n = 0;

    if (EVP_DigestInit_ex2(hash->ctx, NULL, NULL) != 1 ||
        EVP_DigestUpdate(hash->ctx, a.p, a.n) != 1 ||
        (b.n && EVP_DigestUpdate(hash->ctx, b.p, b.n) != 1) ||
        EVP_DigestFinal_ex(hash->ctx, got, &n) != 1 || n != SMF_HASH_SIZE) {
        return KLM_E_CRYPTO;
    }
    for (size_t i = 0; i < SMF_HASH_SIZE; i++) {
        out[i] = got[i];
    }
    return KLM_OK;
}
