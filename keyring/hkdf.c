/* HKDF-SHA256 (RFC 5869) for keys of 32 bytes: the one way from the master key to a key for a purpose. Two HMACs in a copy of one context that is made once: OpenSSL's own HKDF looks for its
 * algorithms at each use, which takes several times as long as the HMACs. */
#include "keyring/internal.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>

#define HASH 32

static EVP_MAC_CTX *first; /* with a key of zeros; kept as long as the process */
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_first(void)
{
    static const uint8_t zeros[HASH];
    char digest[] = "SHA256";
    const OSSL_PARAM param[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;

    EVP_MAC_free(mac); /* the context holds it */
    if (ctx && EVP_MAC_init(ctx, zeros, sizeof zeros, param) == 1) {
        first = ctx;
    } else {
        EVP_MAC_CTX_free(ctx);
    }
}

static void done_mac(EVP_MAC_CTX **ctx)
{
    EVP_MAC_CTX_free(*ctx); /* wiped */
}

static bool hmac(EVP_MAC_CTX *ctx, struct klm_slice key, struct klm_slice a, struct klm_slice b,
                 uint8_t out[HASH])
{
    size_t n = 0;

    return EVP_MAC_init(ctx, key.p, key.n, NULL) == 1 && EVP_MAC_update(ctx, a.p, a.n) == 1 &&
           (b.n == 0 || EVP_MAC_update(ctx, b.p, b.n) == 1) &&
           EVP_MAC_final(ctx, out, &n, HASH) == 1 && n == HASH;
}

/* RFC 5869, 2.2: without a salt, it is zeros; 2.3: the first block of what is expanded is all that is asked for. */
klm_rc kr_hkdf(const uint8_t key[32], struct klm_slice salt, const char *info, uint8_t out[32])
{
    static const uint8_t zeros[HASH], block = 1;
    KLM_AUTO(done_mac) EVP_MAC_CTX *ctx = NULL;
    KLM_AUTO(kr_secret_done) struct kr_secret prk = {0};

    (void)pthread_once(&once, make_first); /* cannot fail with a valid control */
    KLM_TRY(kr_secret_new(HASH, &prk));
    ctx = first ? EVP_MAC_CTX_dup(first) : NULL;
    return ctx &&
                   hmac(ctx, salt.n ? salt : KLM_SLICE(zeros, sizeof zeros), KLM_SLICE(key, 32),
                        (struct klm_slice){0}, prk.p) &&
                   hmac(ctx, KLM_SLICE(prk.p, HASH), klm_slice_str(info), KLM_SLICE(&block, 1), out)
               ? KLM_OK
               : kr_quiet(KLM_E_CRYPTO);
}
