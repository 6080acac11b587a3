#include "base/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* Fetched once, and kept as long as the process: EVP_sha256 has it looked for at each use. */
static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fetch(void)
{
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
}

static const EVP_MD *algorithm(void)
{
    (void)pthread_once(&once, fetch); /* cannot fail with a valid control */
    return sha256 ? sha256 : EVP_sha256();
}

klm_rc klm_sha256(const struct klm_slice *parts, size_t n, uint8_t out[32])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t hash[32];
    unsigned len = 0;
    int ok = ctx && EVP_DigestInit_ex2(ctx, algorithm(), NULL) == 1;

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

struct klm_hash {
    EVP_MD_CTX *ctx;
    bool ok;
};

void klm_hash_free(struct klm_hash **hash)
{
    if (*hash) {
        EVP_MD_CTX_free((*hash)->ctx);
        free(*hash);
        *hash = NULL;
    }
}

static void begin(struct klm_hash *hash)
{
    hash->ok = EVP_DigestInit_ex2(hash->ctx, algorithm(), NULL) == 1;
}

klm_rc klm_hash_new(struct klm_hash **out)
{
    struct klm_hash *hash = calloc(1, sizeof *hash);

    if (!hash || !(hash->ctx = EVP_MD_CTX_new())) {
        klm_hash_free(&hash);
        return KLM_E_NOMEM;
    }
    begin(hash);
    *out = hash;
    return KLM_OK;
}

void klm_hash_update(struct klm_hash *hash, struct klm_slice part)
{
    hash->ok = hash->ok && EVP_DigestUpdate(hash->ctx, part.p, part.n) == 1;
}

klm_rc klm_hash_end(struct klm_hash *hash, uint8_t out[32])
{
    uint8_t value[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool ok = hash->ok && EVP_DigestFinal_ex(hash->ctx, value, &n) == 1 && n == 32;

    begin(hash);
    for (size_t i = 0; ok && i < 32; i++) {
        out[i] = value[i];
    }
    return ok ? KLM_OK : KLM_E_CRYPTO;
}
