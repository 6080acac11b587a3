/* Sealing for caches. The key lies in secret memory; the context that expands it is emptied after each use, since OpenSSL keeps what it expands in ordinary memory. A nonce is a
 * number that is never given twice. */
#include "keyring/guard.h"

#include "keyring/internal.h"

#include "base/secret.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define KEY 32
#define NONCE 12
#define TAG 16
#define CLEAR_MAX 65536

struct kr_guard {
    uint8_t *key; /* secret memory */
    EVP_CIPHER *cipher;
    atomic_uint_fast64_t nonces;
};

klm_rc kr_guard_new(struct kr_guard **out)
{
    KLM_AUTO(kr_guard_free) struct kr_guard *guard = calloc(1, sizeof *guard);

    if (!guard || !(guard->key = klm_secret_alloc(KEY))) {
        return KLM_E_NOMEM;
    }
    guard->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!guard->cipher) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(klm_random(guard->key, KEY));
    *out = guard;
    guard = NULL;
    return KLM_OK;
}

void kr_guard_free(struct kr_guard **guard)
{
    if (*guard) {
        if ((*guard)->key) {
            klm_secret_free((*guard)->key, KEY);
        }
        EVP_CIPHER_free((*guard)->cipher);
        free(*guard);
        *guard = NULL;
    }
}

/* One text, sealed (enc) or opened; tag is written or compared. */
struct text {
    struct klm_slice name, in;
    uint8_t *out;
    uint8_t nonce[NONCE], tag[TAG];
};

static bool cipher(const struct kr_guard *guard, EVP_CIPHER_CTX *ctx, struct text *text, bool enc)
{
    int n = 0, last = 0;

    return EVP_CipherInit_ex2(ctx, guard->cipher, guard->key, text->nonce, enc, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, text->name.p, (int)text->name.n) == 1 &&
           EVP_CipherUpdate(ctx, text->out, &n, text->in.p, (int)text->in.n) == 1 &&
           (enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, text->tag) == 1) &&
           EVP_CipherFinal_ex(ctx, text->out + n, &last) == 1 &&
           (!enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, text->tag) == 1);
}

static klm_rc run(const struct kr_guard *guard, struct text *text, bool enc)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new(); /* wiped when freed */

    if (!ctx) {
        return KLM_E_NOMEM;
    }
    return cipher(guard, ctx, text, enc) ? KLM_OK : kr_quiet(enc ? KLM_E_CRYPTO : KLM_E_CORRUPT);
}

klm_rc kr_guard_seal(struct kr_guard *guard, struct klm_slice name, struct klm_slice clear,
                     struct klm_buf *out)
{
    const uint64_t nonce = atomic_fetch_add(&guard->nonces, 1);
    struct text text = {.name = name, .in = clear};
    uint8_t *to = klm_buf_room(out, KR_GUARD_MORE + clear.n);

    if (!to || clear.n > CLEAR_MAX) {
        return to ? KLM_E_LIMIT : klm_buf_rc(out);
    }
    memcpy(text.nonce, &nonce, sizeof nonce);
    memcpy(to, text.nonce, NONCE);
    text.out = to + NONCE;
    KLM_TRY(run(guard, &text, true));
    memcpy(to + NONCE + clear.n, text.tag, TAG);
    out->n += KR_GUARD_MORE + clear.n;
    return KLM_OK;
}

klm_rc kr_guard_open(struct kr_guard *guard, struct klm_slice name, struct klm_slice sealed,
                     struct klm_pool *pool, struct klm_slice *clear)
{
    struct text text = {.name = name};
    size_t n;

    if (sealed.n < KR_GUARD_MORE || sealed.n > CLEAR_MAX + KR_GUARD_MORE) {
        return KLM_E_CORRUPT;
    }
    n = sealed.n - KR_GUARD_MORE;
    text.in = KLM_SLICE(sealed.p + NONCE, n);
    text.out = klm_pool_alloc(pool, n);
    if (!text.out) {
        return KLM_E_NOMEM;
    }
    memcpy(text.nonce, sealed.p, NONCE);
    memcpy(text.tag, sealed.p + NONCE + n, TAG);
    KLM_TRY(run(guard, &text, false));
    *clear = KLM_SLICE(text.out, n);
    return KLM_OK;
}
