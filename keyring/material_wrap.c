/* Wrapping under another key: AES key wrap, AES in CBC and GCM, RSA. */
#include "keyring/material_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <string.h>

#define DATA_MAX (1u << 20)
#define BLOCK 16
#define TAG 16

/* ---- AES */

struct aes {
    const EVP_CIPHER *cipher;
    struct klm_slice key, iv; /* iv empty: the mode's own */
    bool enc, pad;
};

/* Ciphers of a mode by the length of the key: 16, 24, 32. */
static const EVP_CIPHER *cipher_of(uint32_t mode, size_t n)
{
    const EVP_CIPHER *const wrap[] = {EVP_aes_128_wrap(), EVP_aes_192_wrap(), EVP_aes_256_wrap()},
                            *const wrap_pad[] = {EVP_aes_128_wrap_pad(), EVP_aes_192_wrap_pad(),
                                                 EVP_aes_256_wrap_pad()},
                            *const cbc[] = {EVP_aes_128_cbc(), EVP_aes_192_cbc(),
                                            EVP_aes_256_cbc()},
                            *const gcm[] = {EVP_aes_128_gcm(), EVP_aes_192_gcm(),
                                            EVP_aes_256_gcm()};
    const size_t i = n / 8 - 2;

    if (n != 16 && n != 24 && n != 32) {
        return NULL;
    }
    switch (mode) {
    case KMIP_BlockCipherMode_NISTKeyWrap:
        return wrap[i];
    case KMIP_BlockCipherMode_AESKeyWrapPadding:
        return wrap_pad[i];
    case KMIP_BlockCipherMode_CBC:
        return cbc[i];
    case KMIP_BlockCipherMode_GCM:
        return gcm[i];
    default:
        return NULL;
    }
}

/* The text through the cipher; tag NULL: the mode has none. */
static bool run(const struct aes *aes, struct klm_slice in, uint8_t *out, size_t *n, uint8_t *tag)
{
    KLM_AUTO(kr_done_cipher) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0, last = 0;

    if (!ctx) {
        return false;
    }
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex2(ctx, aes->cipher, NULL, NULL, aes->enc, NULL) != 1 ||
        (tag && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)aes->iv.n, NULL) != 1) ||
        EVP_CipherInit_ex2(ctx, NULL, aes->key.p, aes->iv.n ? aes->iv.p : NULL, aes->enc, NULL) !=
            1 ||
        EVP_CIPHER_CTX_set_padding(ctx, aes->pad) != 1 ||
        EVP_CipherUpdate(ctx, out, &done, in.p, (int)in.n) != 1 ||
        (tag && !aes->enc && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1) ||
        EVP_CipherFinal_ex(ctx, out + done, &last) != 1 ||
        (tag && aes->enc && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, tag) != 1)) {
        return false;
    }
    *n = (size_t)done + (size_t)last;
    return true;
}

/* RFC 3394, 2.2.3 and RFC 5649, 3: an initial value may be given in the place of the one that all use. */
static klm_rc check_iv(uint32_t mode, size_t n)
{
    switch (mode) {
    case KMIP_BlockCipherMode_NISTKeyWrap:
        return n == 0 || n == 8 ? KLM_OK : KLM_E_INVALID;
    case KMIP_BlockCipherMode_AESKeyWrapPadding:
        return n == 0 || n == 4 ? KLM_OK : KLM_E_INVALID;
    case KMIP_BlockCipherMode_CBC:
        return n == BLOCK ? KLM_OK : KLM_E_INVALID;
    default: /* GCM */
        return n >= 1 && n <= 128 ? KLM_OK : KLM_E_INVALID;
    }
}

/* Lengths that a mode can have at all, of what is wrapped. */
static klm_rc check_length(uint32_t mode, const struct aes *aes, size_t n)
{
    switch (mode) {
    case KMIP_BlockCipherMode_NISTKeyWrap:
        return n % 8 == 0 && n >= (aes->enc ? 16u : 24u) ? KLM_OK : KLM_E_INVALID;
    case KMIP_BlockCipherMode_AESKeyWrapPadding:
        return aes->enc ? (n > 0 ? KLM_OK : KLM_E_INVALID)
                        : (n % 8 == 0 && n >= 16 ? KLM_OK : KLM_E_INVALID);
    case KMIP_BlockCipherMode_CBC:
        return (aes->enc && aes->pad) || (n % BLOCK == 0 && n > 0) ? KLM_OK : KLM_E_INVALID;
    default:
        return aes->enc || n >= TAG ? KLM_OK : KLM_E_INVALID;
    }
}

static klm_rc start_aes(const struct kr_material *with, const struct kr_wrap_how *how, bool enc,
                        uint32_t *mode, struct aes *out)
{
    *mode = how->mode ? how->mode : KMIP_BlockCipherMode_NISTKeyWrap;
    *out = (struct aes){.iv = how->iv, .enc = enc};
    KLM_TRY(kr_material_raw(with, &out->key));
    out->cipher = cipher_of(*mode, out->key.n);
    if (with->spec.algorithm != KMIP_CryptographicAlgorithm_AES || !out->cipher) {
        return KLM_E_UNSUPPORTED;
    }
    if (*mode == KMIP_BlockCipherMode_CBC) {
        out->pad = how->padding != KMIP_PaddingMethod_None;
        if (how->padding > KMIP_PaddingMethod_None && how->padding != KMIP_PaddingMethod_PKCS5) {
            return KLM_E_UNSUPPORTED;
        }
    }
    return check_iv(*mode, how->iv.n);
}

static klm_rc aes_wrap(const struct kr_material *with, const struct kr_wrap_how *how,
                       struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
{
    uint8_t *to;
    struct aes aes;
    uint32_t mode;
    size_t n = 0;
    bool gcm;

    KLM_TRY(start_aes(with, how, true, &mode, &aes));
    KLM_TRY(check_length(mode, &aes, data.n));
    gcm = mode == KMIP_BlockCipherMode_GCM;
    to = klm_pool_alloc(wiping, data.n + 2 * BLOCK);
    if (!to) {
        return KLM_E_NOMEM;
    }
    if (!run(&aes, data, to, &n, gcm ? to + data.n : NULL)) {
        return kr_failed(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(to, n + (gcm ? TAG : 0));
    return KLM_OK;
}

static klm_rc aes_unwrap(const struct kr_material *with, const struct kr_wrap_how *how,
                         struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
{
    uint8_t *to, tag[TAG];
    struct aes aes;
    uint32_t mode;
    size_t n = 0;
    bool gcm;

    KLM_TRY(start_aes(with, how, false, &mode, &aes));
    if (check_length(mode, &aes, data.n) != KLM_OK) {
        return KLM_E_CRYPTO; /* nobody wrapped that */
    }
    gcm = mode == KMIP_BlockCipherMode_GCM;
    if (gcm) {
        data.n -= TAG;
        memcpy(tag, data.p + data.n, TAG);
    }
    to = klm_pool_alloc(wiping, data.n + 2 * BLOCK);
    if (!to) {
        return KLM_E_NOMEM;
    }
    if (!run(&aes, data, to, &n, gcm ? tag : NULL)) {
        return kr_failed(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(to, n);
    return KLM_OK;
}

/* ---- RSA */

/* RFC 8017, 7.1; KMIP 2.1, 4.16: the mask generator's hash is SHA-1 unless it is given. */
static klm_rc set_oaep(EVP_PKEY_CTX *ctx, const struct kr_wrap_how *how)
{
    const EVP_MD *md = kr_md(how->hash ? how->hash : KMIP_HashingAlgorithm_SHA_1),
                 *mask = kr_md(how->mask_hash ? how->mask_hash : KMIP_HashingAlgorithm_SHA_1);
    OSSL_PARAM label[] = {OSSL_PARAM_octet_string(OSSL_ASYM_CIPHER_PARAM_OAEP_LABEL, NULL, 0),
                          OSSL_PARAM_END};

    label[0].data = (void *)(uintptr_t)how->p_source.p;
    label[0].data_size = how->p_source.n;
    if (!md || !mask) {
        return KLM_E_UNSUPPORTED;
    }
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mask) != 1 ||
        (how->p_source.n && EVP_PKEY_CTX_set_params(ctx, label) != 1)) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    return KLM_OK;
}

static uint32_t padding_of(const struct kr_wrap_how *how)
{
    return how->padding ? how->padding : KMIP_PaddingMethod_OAEP;
}

static klm_rc set_padding(EVP_PKEY_CTX *ctx, const struct kr_wrap_how *how)
{
    switch (padding_of(how)) {
    case KMIP_PaddingMethod_OAEP:
        return set_oaep(ctx, how);
    case KMIP_PaddingMethod_PKCS1V1_5:
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1
                   ? KLM_OK
                   : kr_quiet(KLM_E_UNSUPPORTED);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

/* Octets that padding takes (RFC 8017, 7.1.1 and 7.2.1). */
static size_t overhead(const struct kr_wrap_how *how)
{
    const EVP_MD *md = kr_md(how->hash ? how->hash : KMIP_HashingAlgorithm_SHA_1);

    return padding_of(how) == KMIP_PaddingMethod_OAEP ? 2 * (size_t)EVP_MD_get_size(md) + 2 : 11;
}

static klm_rc rsa_wrap(EVP_PKEY *pkey, const struct kr_wrap_how *how, struct klm_slice data,
                       struct klm_pool *wiping, struct klm_slice *out)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    size_t n = (size_t)EVP_PKEY_get_size(pkey);
    uint8_t *to = klm_pool_alloc(wiping, n);

    if (!ctx || !to) {
        return kr_quiet(KLM_E_NOMEM);
    }
    if (EVP_PKEY_encrypt_init(ctx) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(set_padding(ctx, how));
    if (data.n + overhead(how) > n) {
        return KLM_E_LIMIT;
    }
    if (EVP_PKEY_encrypt(ctx, to, &n, data.p, data.n) != 1) {
        return kr_failed(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(to, n);
    return KLM_OK;
}

static klm_rc oaep_unwrap(EVP_PKEY *pkey, const struct kr_wrap_how *how, struct klm_slice data,
                          struct klm_pool *wiping, struct klm_slice *out)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    size_t n = (size_t)EVP_PKEY_get_size(pkey);
    uint8_t *to = klm_pool_alloc(wiping, n);

    if (!ctx || !to) {
        return kr_quiet(KLM_E_NOMEM);
    }
    if (EVP_PKEY_decrypt_init(ctx) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    KLM_TRY(set_padding(ctx, how));
    if (EVP_PKEY_decrypt(ctx, to, &n, data.p, data.n) != 1) {
        return kr_failed(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(to, n);
    return KLM_OK;
}

static klm_rc rsa_unwrap(EVP_PKEY *pkey, const struct kr_wrap_how *how, struct klm_slice data,
                         struct klm_pool *wiping, struct klm_slice *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret message = {0};

    switch (padding_of(how)) {
    case KMIP_PaddingMethod_OAEP:
        return oaep_unwrap(pkey, how, data, wiping, out);
    case KMIP_PaddingMethod_PKCS1V1_5:
        KLM_TRY(kr_pkcs1_open(pkey, data, &message));
        return klm_pool_slice(wiping, KLM_SLICE(message.p, message.n), out);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

/* ---- Either */

static bool is_rsa(const struct kr_material *with)
{
    return with->spec.algorithm == KMIP_CryptographicAlgorithm_RSA &&
           (with->spec.object == KMIP_ObjectType_PublicKey ||
            with->spec.object == KMIP_ObjectType_PrivateKey ||
            with->spec.object == KMIP_ObjectType_Certificate);
}

/* A key of RSASSA-PSS alone, which is RSA by KMIP's numbers, encrypts nothing. */
static klm_rc rsa_key(const struct kr_material *with, EVP_PKEY **out)
{
    EVP_PKEY *pkey = NULL;

    KLM_TRY(kr_material_pkey(with, &pkey));
    if (!EVP_PKEY_is_a(pkey, "RSA")) {
        EVP_PKEY_free(pkey);
        return KLM_E_UNSUPPORTED;
    }
    *out = pkey;
    return KLM_OK;
}

klm_rc kr_material_wrap(const struct kr_material *with, const struct kr_wrap_how *how,
                        struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;

    if (data.n > DATA_MAX) {
        return KLM_E_LIMIT;
    }
    if (!is_rsa(with)) {
        return aes_wrap(with, how, data, wiping, out);
    }
    KLM_TRY(rsa_key(with, &pkey));
    return rsa_wrap(pkey, how, data, wiping, out);
}

klm_rc kr_material_unwrap(const struct kr_material *with, const struct kr_wrap_how *how,
                          struct klm_slice data, struct klm_pool *wiping, struct klm_slice *out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *pkey = NULL;

    if (data.n > DATA_MAX) {
        return KLM_E_LIMIT;
    }
    if (!is_rsa(with)) {
        return aes_unwrap(with, how, data, wiping, out);
    }
    if (with->spec.object != KMIP_ObjectType_PrivateKey) {
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(rsa_key(with, &pkey));
    return rsa_unwrap(pkey, how, data, wiping, out);
}
