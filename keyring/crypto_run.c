/* A cipher at work on data that comes in parts of any length. Whole blocks go through at once; what is no whole block waits here, and so does the last block of
 * a decryption that ends with padding. One-shot operations are runs of one part, so a stream cut anywhere gives the same bytes. */
#include "keyring/crypto_int.h"

#include "base/secret.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <string.h>

static bool is_pcbc(const struct kr_run *run)
{
    return run->cipher.mode->mode == KMIP_BlockCipherMode_PCBC;
}

/* The context gets the length of IV and key before it gets them: ciphers of one length ignore what they have anyway. */
static bool init(struct kr_run *run, struct klm_slice iv)
{
    const struct kr_cipher *cipher = &run->cipher;
    size_t iv_n = iv.n, key_n = cipher->key.n;
    bool aead = cipher->mode->shape == KR_SHAPE_AEAD;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_KEYLEN, &key_n),
        aead ? OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, &iv_n)
             : OSSL_PARAM_construct_end(),
        OSSL_PARAM_construct_end(),
    };

    return EVP_CipherInit_ex2(run->ctx, cipher->evp, NULL, NULL, run->encrypt, params) == 1 &&
           EVP_CipherInit_ex2(run->ctx, NULL, cipher->key.p, is_pcbc(run) ? NULL : iv.p,
                              run->encrypt, NULL) == 1 &&
           EVP_CIPHER_CTX_set_padding(run->ctx, 0) == 1;
}

klm_rc kr_run_start(struct kr_run *run, const struct kr_cipher *cipher, const struct kr_crypt *how,
                    bool encrypt, struct klm_slice iv, struct klm_slice aad, EVP_CIPHER_CTX *ctx)
{
    bool aead = cipher->mode->shape == KR_SHAPE_AEAD;
    int n = 0;

    if (aad.n && !aead) {
        return KLM_E_INVALID; /* nothing would vouch for it */
    }
    if (aad.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    *run = (struct kr_run){.cipher = *cipher, .ctx = ctx, .encrypt = encrypt};
    if (cipher->mode->shape == KR_SHAPE_BLOCK) {
        run->padding = how->padding;
        KLM_TRY(kr_pad_check(run->padding));
    }
    if (is_pcbc(run)) {
        memcpy(run->chain, iv.p, iv.n);
    }
    if (!init(run, iv)) {
        return kr_quiet(KLM_E_INVALID); /* a key that the cipher does not take */
    }
    if (aad.n && EVP_CipherUpdate(ctx, NULL, &n, aad.p, (int)aad.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    run->cipher.key = KLM_SLICE(NULL, 0); /* it is in ctx now */
    return KLM_OK;
}

static klm_rc through(struct kr_run *run, const uint8_t *in, size_t n, uint8_t *out)
{
    int got = 0;

    if (EVP_CipherUpdate(run->ctx, out, &got, in, (int)n) != 1 || (size_t)got != n) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

static void xor_block(uint8_t *to, const uint8_t *a, const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = a[i] ^ b[i];
    }
}

/* Propagating CBC: each block is mixed with the clear and the encrypted block before it (the IV before the first). */
static klm_rc pcbc_block(struct kr_run *run, const uint8_t *in, uint8_t *out)
{
    size_t n = run->cipher.block;
    uint8_t mixed[KR_BLOCK_MAX];

    if (run->encrypt) {
        xor_block(mixed, in, run->chain, n);
        KLM_TRY(through(run, mixed, n, out));
    } else {
        KLM_TRY(through(run, in, n, mixed));
        xor_block(out, mixed, run->chain, n);
    }
    xor_block(run->chain, in, out, n);
    klm_wipe(mixed, sizeof mixed);
    return KLM_OK;
}

/* Bytes that are whole blocks, if the shape has blocks. in and out do not overlap. */
static klm_rc process(struct kr_run *run, const uint8_t *in, size_t n, uint8_t *out)
{
    if (n == 0) {
        return KLM_OK;
    }
    if (!is_pcbc(run)) {
        return through(run, in, n, out);
    }
    for (size_t i = 0; i < n; i += run->cipher.block) {
        KLM_TRY(pcbc_block(run, in + i, out + i));
    }
    return KLM_OK;
}

static void hold(struct kr_run *run, struct klm_slice in)
{
    if (in.n) {
        memcpy(run->held + run->held_n, in.p, in.n);
        run->held_n += in.n;
    }
}

static klm_rc update_blocks(struct kr_run *run, struct klm_slice in, uint8_t *out, size_t *n)
{
    size_t block = run->cipher.block, total = run->held_n + in.n;
    bool keep = !run->encrypt && kr_pad_removed(run->padding) && total;
    size_t whole = (total - keep) / block * block, done = 0;

    if (whole && run->held_n) {
        size_t missing = block - run->held_n;

        hold(run, KLM_SLICE(in.p, missing));
        KLM_TRY(process(run, run->held, block, out));
        in = KLM_SLICE(in.p + missing, in.n - missing);
        run->held_n = 0;
        done = block;
    }
    if (whole > done) {
        KLM_TRY(process(run, in.p, whole - done, out + done));
        in = KLM_SLICE(in.p + (whole - done), in.n - (whole - done));
    }
    hold(run, in);
    *n = whole;
    return KLM_OK;
}

klm_rc kr_run_update(struct kr_run *run, struct klm_slice in, uint8_t *out, size_t *n)
{
    if (in.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    if (run->cipher.mode->shape == KR_SHAPE_BLOCK) {
        return update_blocks(run, in, out, n);
    }
    KLM_TRY(process(run, in.p, in.n, out));
    *n = in.n;
    return KLM_OK;
}

static klm_rc last_encrypted(struct kr_run *run, uint8_t *out, size_t *n)
{
    KLM_TRY(kr_pad(run->padding, run->held, run->cipher.block, &run->held_n));
    KLM_TRY(process(run, run->held, run->held_n, out));
    *n = run->held_n;
    return KLM_OK;
}

static klm_rc last_decrypted(struct kr_run *run, uint8_t *out, size_t *n)
{
    size_t block = run->cipher.block;
    klm_rc rc;

    if (!kr_pad_removed(run->padding)) {
        *n = 0;
        return run->held_n ? KLM_E_INVALID : KLM_OK;
    }
    if (run->held_n != block) {
        return KLM_E_INVALID;
    }
    KLM_TRY(process(run, run->held, block, out));
    rc = kr_unpad(run->padding, out, block, n);
    if (rc != KLM_OK) {
        klm_wipe(out, block);
    }
    return rc;
}

/* The tag goes in before the end of a decryption and comes out after the end of an encryption. */
static klm_rc end_aead(struct kr_run *run, uint8_t *tag, size_t tag_n)
{
    uint8_t none[KR_BLOCK_MAX];
    int n = 0;
    bool ok;

    ok = run->encrypt || EVP_CIPHER_CTX_ctrl(run->ctx, EVP_CTRL_AEAD_SET_TAG, (int)tag_n, tag) == 1;
    ok = ok && EVP_CipherFinal_ex(run->ctx, none, &n) == 1 && n == 0;
    ok = ok && (!run->encrypt ||
                EVP_CIPHER_CTX_ctrl(run->ctx, EVP_CTRL_AEAD_GET_TAG, (int)tag_n, tag) == 1);
    return ok ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

klm_rc kr_run_final(struct kr_run *run, uint8_t *out, size_t *n, uint8_t *tag, size_t tag_n)
{
    klm_rc rc = KLM_OK;
    size_t got = 0;

    switch (run->cipher.mode->shape) {
    case KR_SHAPE_BLOCK:
        rc = run->encrypt ? last_encrypted(run, out, &got) : last_decrypted(run, out, &got);
        klm_wipe(run->held, sizeof run->held);
        klm_wipe(run->chain, sizeof run->chain);
        break;
    case KR_SHAPE_AEAD:
        rc = end_aead(run, tag, tag_n);
        break;
    case KR_SHAPE_FLOW:
        break;
    case KR_SHAPE_CCM:
    case KR_SHAPE_XTS:
    case KR_SHAPE_WRAP:
        rc = KLM_E_INTERNAL;
        break;
    }
    KLM_TRY(rc);
    *n = got;
    return KLM_OK;
}
