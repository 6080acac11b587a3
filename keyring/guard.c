/* Sealing for caches. The key lies in secret memory, and so does the context that has it expanded, which is kept: to expand it takes longer than to open a key. Where OpenSSL cannot
 * be given secret memory, and while another thread has that context, there is one for each use, emptied behind it. A nonce is a number that is never given twice. */
#include "keyring/guard.h"

#include "keyring/internal.h"

#include "base/secret.h"

#include <openssl/evp.h>
#include <pthread.h>
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
    pthread_mutex_t lock; /* guards kept */
    EVP_CIPHER_CTX *kept; /* with the key; NULL: there is none */
    atomic_uint_fast64_t nonces;
};

/* All of it in secret memory, or none. */
static void keep_context(struct kr_guard *guard)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = NULL;
    bool keyed;

    klm_secret_crypto(true);
    ctx = EVP_CIPHER_CTX_new();
    keyed = ctx && klm_secret_holds(ctx) &&
            EVP_CipherInit_ex2(ctx, guard->cipher, guard->key, NULL, true, NULL) == 1;
    klm_secret_crypto(false);
    if (keyed) {
        guard->kept = ctx;
        ctx = NULL;
    } else {
        (void)kr_quiet(KLM_E_NOMEM);
    }
}

klm_rc kr_guard_new(struct kr_guard **out)
{
    KLM_AUTO(kr_guard_free) struct kr_guard *guard = calloc(1, sizeof *guard);

    if (!guard) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&guard->lock, NULL);
    if (!(guard->key = klm_secret_alloc(KEY))) {
        return KLM_E_NOMEM;
    }
    guard->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!guard->cipher) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(klm_random(guard->key, KEY));
    keep_context(guard);
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
        EVP_CIPHER_CTX_free((*guard)->kept);
        EVP_CIPHER_free((*guard)->cipher);
        pthread_mutex_destroy(&(*guard)->lock);
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
    const bool kept = ctx == guard->kept;
    int n = 0, last = 0;

    return EVP_CipherInit_ex2(ctx, kept ? NULL : guard->cipher, kept ? NULL : guard->key,
                              text->nonce, enc, NULL) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &n, text->name.p, (int)text->name.n) == 1 &&
           EVP_CipherUpdate(ctx, text->out, &n, text->in.p, (int)text->in.n) == 1 &&
           (enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, text->tag) == 1) &&
           EVP_CipherFinal_ex(ctx, text->out + n, &last) == 1 &&
           (!enc || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, text->tag) == 1);
}

static klm_rc run(struct kr_guard *guard, struct text *text, bool enc)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = NULL;
    bool done;

    if (guard->kept && pthread_mutex_trylock(&guard->lock) == 0) {
        done = cipher(guard, guard->kept, text, enc);
        pthread_mutex_unlock(&guard->lock);
        return done ? KLM_OK : kr_quiet(enc ? KLM_E_CRYPTO : KLM_E_CORRUPT);
    }
    ctx = EVP_CIPHER_CTX_new(); /* wiped when freed */
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
