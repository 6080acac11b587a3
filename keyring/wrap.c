/* Data keys wrapped to a label and back. The fast way of the server: no allocation but OpenSSL's
 * own, contexts kept per thread. */
#include "keyring/internal.h"

#include "base/secret.h"

#include <string.h>

#define RSA_BITS_MIN 1024
#define RSA_BITS_MAX 8192 /* what fits KR_WRAPPED_MAX */

static klm_rc rsa_wrap(struct kr_thread *thread, const struct kr_label *to,
                       struct klm_slice context, struct klm_slice key, uint8_t *out, size_t *n)
{
    EVP_PKEY_CTX *ctx;
    uint8_t wrapped[KR_WRAPPED_MAX];
    size_t len = sizeof wrapped;

    if (to->spec.bits < RSA_BITS_MIN || to->spec.bits > RSA_BITS_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_thread_ctx(thread, to->pub, KR_OP_ENCRYPT, context, &ctx));
    if (EVP_PKEY_encrypt(ctx, wrapped, &len, key.p, key.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    memcpy(out, wrapped, len);
    *n = len;
    return KLM_OK;
}

klm_rc kr_wrap(const struct kr_label *to, struct klm_slice context, const struct kr_key *key,
               uint8_t out[KR_WRAPPED_MAX], size_t *n)
{
    struct kr_thread *thread;
    struct klm_slice clear;

    if (key->spec.type != KR_AES) {
        return KLM_E_INVALID;
    }
    clear = KLM_SLICE(key->aes.p, key->aes.n);
    KLM_TRY(kr_thread_get(&thread));
    switch (to->spec.type) {
    case KR_RSA:
        return rsa_wrap(thread, to, context, clear, out, n);
    case KR_EC:
        return kr_ec_wrap(thread, to->pub, to->spec.bits, context, clear, out, n);
    case KR_AES:
        break;
    }
    return KLM_E_UNSUPPORTED;
}

/* The clear key is left at the start of the thread's scratch memory. */
static klm_rc rsa_unwrap(struct kr_thread *thread, EVP_PKEY *with, struct klm_slice context,
                         struct klm_slice wrapped, size_t *n)
{
    EVP_PKEY_CTX *ctx;
    size_t len = KR_SCRATCH;

    if (wrapped.n != (size_t)EVP_PKEY_get_size(with)) {
        return KLM_E_CRYPTO;
    }
    KLM_TRY(kr_thread_ctx(thread, with, KR_OP_DECRYPT, context, &ctx));
    if (EVP_PKEY_decrypt(ctx, kr_thread_scratch(thread), &len, wrapped.p, wrapped.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *n = len;
    return KLM_OK;
}

klm_rc kr_near_unwrap(struct kr_thread *thread, const struct kr_key *with, struct klm_slice context,
                      struct klm_slice wrapped, size_t *n)
{
    switch (with->spec.type) {
    case KR_RSA:
        return rsa_unwrap(thread, with->pkey, context, wrapped, n);
    case KR_EC:
        return kr_ec_unwrap(thread, with->pkey, with->spec.bits, context, wrapped, n);
    case KR_AES:
        break;
    }
    return KLM_E_UNSUPPORTED;
}

klm_rc kr_unwrap(const struct kr_label *with, struct klm_slice context, struct klm_slice wrapped,
                 struct kr_key **out)
{
    struct kr_thread *thread;
    size_t n = 0;
    klm_rc rc;

    if (!with->key) {
        return KLM_E_NOTFOUND;
    }
    if (wrapped.n == 0 || wrapped.n > KR_WRAPPED_MAX) {
        return KLM_E_CRYPTO;
    }
    KLM_TRY(kr_thread_get(&thread));
    rc = with->key->far ? kr_far_unwrap(thread, with->key, context, wrapped, &n)
                        : kr_near_unwrap(thread, with->key, context, wrapped, &n);
    if (rc == KLM_OK) {
        rc = kr_key_from_aes(KLM_SLICE(kr_thread_scratch(thread), n), out);
    }
    klm_wipe(kr_thread_scratch(thread), KR_SCRATCH);
    return rc == KLM_E_LIMIT && n ? KLM_E_CRYPTO
                                  : rc; /* something was wrapped, but no key of ours */
}

klm_rc kr_wrap_session(const struct kr_key *key, const uint8_t session_key[32], uint8_t out[40])
{
    struct kr_thread *thread;

    if (key->spec.type != KR_AES || key->spec.bits != 256) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kr_thread_get(&thread));
    return kr_kw_wrap(thread, session_key, KLM_SLICE(key->aes.p, key->aes.n), out);
}
