/* Encrypt and Decrypt in one go (KMIP 1.4, 4.29 and 4.30; 2.1, 6.1.17 and 6.1.11). What can go through in parts is a run of one part (crypto_run.c); the modes
 * that want all data at once are here. */
#include "keyring/crypto_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <string.h>

/* One operation: what it works with, and its answer. */
struct once {
    struct kr_cipher cipher;
    const struct kr_crypt *how;
    const struct kr_cipher_in *in;
    bool encrypt;
    EVP_CIPHER_CTX *ctx;
    struct klm_slice iv;
    uint8_t tag[KR_BLOCK_MAX];
    size_t tag_n;
    uint8_t *out; /* room for the data and a block more */
    size_t n;
};

static klm_rc once_run(struct once *once)
{
    struct kr_run run;
    size_t n = 0, rest = 0;

    KLM_TRY(kr_run_start(&run, &once->cipher, once->how, once->encrypt, once->iv, once->in->aad,
                         once->ctx));
    KLM_TRY(kr_run_update(&run, once->in->data, once->out, &n));
    KLM_TRY(kr_run_final(&run, once->out + n, &rest, once->tag, once->tag_n));
    once->n = n + rest;
    return KLM_OK;
}

/* SP 800-38C: lengths of nonce, tag and data come first; OpenSSL compares the tag as the data goes through. */
static klm_rc once_ccm(struct once *once)
{
    const struct kr_cipher *cipher = &once->cipher;
    static const uint8_t nothing[1];
    struct klm_slice data = once->in->data.n ? once->in->data : KLM_SLICE(nothing, 0);
    size_t room = 15 - once->iv.n; /* bytes that the length of the data is written in */
    int n = 0;
    bool ok;

    if (room < 4 && data.n >> 8 * room) {
        return KLM_E_LIMIT;
    }
    ok = EVP_CipherInit_ex2(once->ctx, cipher->evp, NULL, NULL, once->encrypt, NULL) == 1 &&
         EVP_CIPHER_CTX_ctrl(once->ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)once->iv.n, NULL) == 1 &&
         EVP_CIPHER_CTX_ctrl(once->ctx, EVP_CTRL_AEAD_SET_TAG, (int)once->tag_n,
                             once->encrypt ? NULL : once->tag) == 1 &&
         EVP_CipherInit_ex2(once->ctx, NULL, cipher->key.p, once->iv.p, once->encrypt, NULL) == 1;
    ok = ok && EVP_CipherUpdate(once->ctx, NULL, &n, NULL, (int)data.n) == 1 &&
         (once->in->aad.n == 0 ||
          EVP_CipherUpdate(once->ctx, NULL, &n, once->in->aad.p, (int)once->in->aad.n) == 1) &&
         EVP_CipherUpdate(once->ctx, once->out, &n, data.p, (int)data.n) == 1;
    ok = ok && (!once->encrypt || EVP_CIPHER_CTX_ctrl(once->ctx, EVP_CTRL_AEAD_GET_TAG,
                                                      (int)once->tag_n, once->tag) == 1);
    once->n = data.n;
    return ok ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

/* IEEE 1619: a unit of data is a block at least, and its end depends on what is before it. */
static klm_rc once_xts(struct once *once)
{
    int n = 0;

    if (once->in->data.n < KR_BLOCK_MAX) {
        return KLM_E_INVALID;
    }
    if (EVP_CipherInit_ex2(once->ctx, once->cipher.evp, once->cipher.key.p, once->iv.p,
                           once->encrypt, NULL) != 1) {
        return kr_quiet(KLM_E_INVALID); /* its two halves are the same */
    }
    if (EVP_CipherUpdate(once->ctx, once->out, &n, once->in->data.p, (int)once->in->data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    once->n = (size_t)n;
    return KLM_OK;
}

/* RFC 3394, 2.2: two halves at least; RFC 5649, 4.1: one byte at least. Either adds a half block, after padding. */
static bool wrap_length(const struct once *once)
{
    bool padded = once->cipher.mode->mode == KMIP_BlockCipherMode_AESKeyWrapPadding;
    size_t n = once->in->data.n;

    if (once->encrypt) {
        return padded ? n > 0 : n >= 16 && n % 8 == 0;
    }
    return n % 8 == 0 && n >= (padded ? 16 : 24);
}

static klm_rc once_wrap(struct once *once)
{
    int n = 0, rest = 0;

    if (!wrap_length(once)) {
        return KLM_E_INVALID;
    }
    EVP_CIPHER_CTX_set_flags(once->ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(once->ctx, once->cipher.evp, once->cipher.key.p,
                           once->iv.n ? once->iv.p : NULL, once->encrypt, NULL) != 1 ||
        EVP_CipherUpdate(once->ctx, once->out, &n, once->in->data.p, (int)once->in->data.n) != 1 ||
        EVP_CipherFinal_ex(once->ctx, once->out + n, &rest) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    once->n = (size_t)n + (size_t)rest;
    return KLM_OK;
}

static klm_rc carry_out(struct once *once)
{
    enum kr_shape shape = once->cipher.mode->shape;

    if (once->in->aad.n && shape != KR_SHAPE_AEAD && shape != KR_SHAPE_CCM) {
        return KLM_E_INVALID; /* nothing would vouch for it */
    }
    switch (shape) {
    case KR_SHAPE_BLOCK:
    case KR_SHAPE_FLOW:
    case KR_SHAPE_AEAD:
        return once_run(once);
    case KR_SHAPE_CCM:
        return once_ccm(once);
    case KR_SHAPE_XTS:
        return once_xts(once);
    case KR_SHAPE_WRAP:
        return once_wrap(once);
    }
    return KLM_E_INTERNAL;
}

/* The tag that decryption compares. KMIP 1.4, 4.30: "will be needed to authenticate the decrypted data". */
static klm_rc take_tag(struct once *once)
{
    struct klm_slice tag = once->encrypt ? KLM_SLICE(NULL, 0) : once->in->tag;

    KLM_TRY(kr_tag_length(&once->cipher, once->how, tag.n, &once->tag_n));
    if (!once->encrypt && once->tag_n) {
        if (!tag.n) {
            return KLM_E_SHORT;
        }
        memcpy(once->tag, tag.p, tag.n);
    }
    return KLM_OK;
}

static klm_rc answer(const struct once *once, const struct kr_iv *iv, struct klm_pool *wiping,
                     struct kr_cipher_out *out)
{
    struct kr_cipher_out made = {.data = KLM_SLICE(once->out, once->n)};

    if (iv->made) {
        made.iv = iv->given;
    }
    if (once->encrypt && once->tag_n) {
        KLM_TRY(klm_pool_slice(wiping, KLM_SLICE(once->tag, once->tag_n), &made.tag));
    }
    *out = made;
    return KLM_OK;
}

static klm_rc symmetric(struct once *once, const struct kr_material *key, struct klm_pool *wiping,
                        struct kr_cipher_out *out)
{
    struct kr_thread *thread;
    struct kr_iv iv;
    size_t room = once->in->data.n + KR_BLOCK_MAX;
    klm_rc rc;

    KLM_TRY(kr_cipher_choose(key, once->how, &once->cipher));
    KLM_TRY(kr_iv_choose(&once->cipher, once->how, once->in->iv, once->encrypt, wiping, &iv));
    KLM_TRY(take_tag(once));
    KLM_TRY(kr_thread_get(&thread));
    once->iv = iv.used;
    once->ctx = kr_thread_cipher(thread);
    once->out = klm_pool_alloc(wiping, room);
    if (!once->out) {
        return KLM_E_NOMEM;
    }
    rc = carry_out(once);
    (void)EVP_CIPHER_CTX_reset(once->ctx); /* it holds no key any more; this cannot fail */
    if (rc != KLM_OK) {
        klm_wipe(once->out, room); /* what was decrypted proved nothing */
        return rc;
    }
    return answer(once, &iv, wiping, out);
}

static klm_rc crypt(const struct kr_material *key, const struct kr_crypt *how,
                    const struct kr_cipher_in *in, bool encrypt, struct klm_pool *wiping,
                    struct kr_cipher_out *out)
{
    struct once once = {.how = how, .in = in, .encrypt = encrypt};

    if (in->data.n > KR_CRYPT_MAX || in->aad.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    if (kr_is_asymmetric(key)) {
        struct klm_slice data;

        if (in->aad.n || in->tag.n) {
            return KLM_E_INVALID;
        }
        KLM_TRY(kr_rsa_crypt(key, how, in->data, encrypt, wiping, &data));
        *out = (struct kr_cipher_out){.data = data};
        return KLM_OK;
    }
    return symmetric(&once, key, wiping, out);
}

klm_rc kr_encrypt(const struct kr_material *key, const struct kr_crypt *how,
                  const struct kr_cipher_in *in, struct klm_pool *wiping, struct kr_cipher_out *out)
{
    return crypt(key, how, in, true, wiping, out);
}

klm_rc kr_decrypt(const struct kr_material *key, const struct kr_crypt *how,
                  const struct kr_cipher_in *in, struct klm_pool *wiping, struct kr_cipher_out *out)
{
    return crypt(key, how, in, false, wiping, out);
}
