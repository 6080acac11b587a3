/* HMAC-SHA256 over OpenSSL's SHA-256 itself. Its HMAC copies contexts, allocates and looks up parameters for each text, which for a record of the store takes as long as the
 * hashing; these older functions, the same code below, are the only ones whose state can be kept and copied as plain bytes. */
#define OPENSSL_SUPPRESS_DEPRECATED /* deprecated with OpenSSL 3.0, for want of a provider */
#include "base/hmac.h"

#include "base/secret.h"

#include <openssl/sha.h>
#include <string.h>

#define INNER 0x36
#define OUTER 0x5c

_Static_assert(KLM_HMAC_KEY_MAX == SHA256_CBLOCK, "a key fits into a block");
_Static_assert(KLM_HMAC == SHA256_DIGEST_LENGTH, "the value of SHA-256");

struct klm_hmac {
    SHA256_CTX inner, outer; /* after the key under each pad; only ever copied */
};

/* Their outcomes are not looked at: these functions cannot fail. ctx has hashed the key under a pad then; block holds the key, and zeros behind it. */
static void begin(SHA256_CTX *ctx, const uint8_t block[SHA256_CBLOCK], uint8_t pad)
{
    uint8_t padded[SHA256_CBLOCK];

    for (size_t i = 0; i < sizeof padded; i++) {
        padded[i] = block[i] ^ pad;
    }
    (void)SHA256_Init(ctx);
    (void)SHA256_Update(ctx, padded, sizeof padded);
    klm_wipe(padded, sizeof padded);
}

static void begin_both(SHA256_CTX *inner, SHA256_CTX *outer, struct klm_slice key)
{
    uint8_t block[SHA256_CBLOCK] = {0};

    if (key.n) {
        memcpy(block, key.p, key.n);
    }
    begin(inner, block, INNER);
    begin(outer, block, OUTER);
    klm_wipe(block, sizeof block);
}

/* ctx has hashed key and text; it ends wiped. */
static void end(SHA256_CTX *ctx, const SHA256_CTX *outer, uint8_t out[KLM_HMAC])
{
    uint8_t hash[KLM_HMAC];

    (void)SHA256_Final(hash, ctx);
    *ctx = *outer;
    (void)SHA256_Update(ctx, hash, sizeof hash);
    (void)SHA256_Final(out, ctx);
    klm_wipe(ctx, sizeof *ctx);
    klm_wipe(hash, sizeof hash);
}

klm_rc klm_hmac_new(struct klm_slice key, struct klm_hmac **out)
{
    struct klm_hmac *hmac;

    if (key.n > KLM_HMAC_KEY_MAX) {
        return KLM_E_LIMIT;
    }
    hmac = klm_secret_alloc(sizeof *hmac);
    if (!hmac) {
        return KLM_E_NOMEM;
    }
    begin_both(&hmac->inner, &hmac->outer, key);
    *out = hmac;
    return KLM_OK;
}

void klm_hmac_free(struct klm_hmac **hmac)
{
    if (*hmac) {
        klm_secret_free(*hmac, sizeof **hmac);
        *hmac = NULL;
    }
}

void klm_hmac(const struct klm_hmac *hmac, const struct klm_slice *parts, size_t n,
              uint8_t out[KLM_HMAC])
{
    SHA256_CTX ctx = hmac->inner;

    for (size_t i = 0; i < n; i++) {
        if (parts[i].n) {
            (void)SHA256_Update(&ctx, parts[i].p, parts[i].n);
        }
    }
    end(&ctx, &hmac->outer, out);
}

void klm_hmac_once(struct klm_slice key, struct klm_slice text, uint8_t out[KLM_HMAC])
{
    SHA256_CTX ctx, outer;

    begin_both(&ctx, &outer, key);
    if (text.n) {
        (void)SHA256_Update(&ctx, text.p, text.n);
    }
    end(&ctx, &outer, out);
    klm_wipe(&outer, sizeof outer);
}
