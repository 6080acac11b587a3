/* Encryption with RSA (RFC 8017): OAEP, and PKCS #1 v1.5, whose decryption does not tell whether its padding was right (pkcs1.c). */
#include "keyring/crypto_int.h"

#include <openssl/rsa.h>
#include <string.h>

bool kr_is_asymmetric(const struct kr_material *key)
{
    return key->spec.object == KMIP_ObjectType_PublicKey ||
           key->spec.object == KMIP_ObjectType_PrivateKey ||
           key->spec.object == KMIP_ObjectType_Certificate;
}

/* ---- What is asked for */

struct rsa {
    EVP_PKEY *pkey;
    size_t n; /* bytes of the modulus */
    bool oaep;
    const EVP_MD *md, *mask, *mask_too;
    struct klm_slice label;
};

static void rsa_done(struct rsa *rsa)
{
    EVP_PKEY_free(rsa->pkey);
    rsa->pkey = NULL;
}

/* KMIP 1.4, 3.6: the mask generator is MGF1 with SHA-1 when nothing is said. What the hash is then is RFC 8017's default, SHA-1. A ciphertext from who took one hash for both is read too. */
static klm_rc oaep(struct rsa *rsa, const struct kr_crypt *how)
{
    uint32_t sha1 = KMIP_HashingAlgorithm_SHA_1;

    if (how->mask && how->mask != KMIP_MaskGenerator_MGF1) {
        return KLM_E_UNSUPPORTED;
    }
    if (how->p_source.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    rsa->oaep = true;
    rsa->label = how->p_source;
    rsa->md = kr_md(how->hash ? how->hash : sha1);
    rsa->mask = kr_md(how->mask_hash ? how->mask_hash : sha1);
    if (!rsa->md || !rsa->mask) {
        return KLM_E_UNSUPPORTED;
    }
    rsa->mask_too = how->mask_hash || rsa->md == rsa->mask ? NULL : rsa->md;
    return KLM_OK;
}

static klm_rc choose(const struct kr_material *key, const struct kr_crypt *how, bool encrypt,
                     struct rsa *rsa)
{
    if (!encrypt && key->spec.object != KMIP_ObjectType_PrivateKey) {
        return KLM_E_UNSUPPORTED;
    }
    if (how->algorithm && how->algorithm != KMIP_CryptographicAlgorithm_RSA) {
        return KLM_E_INVALID;
    }
    switch (how->padding) {
    case 0: /* KMIP 1.4, 4.29: it is required, and there is none */
        return KLM_E_INVALID;
    case KMIP_PaddingMethod_PKCS1V1_5:
        break;
    case KMIP_PaddingMethod_OAEP:
        KLM_TRY(oaep(rsa, how));
        break;
    default:
        return KLM_E_UNSUPPORTED;
    }
    KLM_TRY(kr_material_pkey(key, &rsa->pkey));
    if (!EVP_PKEY_is_a(rsa->pkey, "RSA")) {
        return KLM_E_UNSUPPORTED;
    }
    rsa->n = (size_t)EVP_PKEY_get_size(rsa->pkey);
    return KLM_OK;
}

klm_rc kr_rsa_check(const struct kr_material *key, const struct kr_crypt *how, bool encrypt)
{
    KLM_AUTO(rsa_done) struct rsa rsa = {.pkey = NULL};

    return choose(key, how, encrypt, &rsa);
}

static bool set_oaep(EVP_PKEY_CTX *ctx, const struct rsa *rsa, const EVP_MD *mask)
{
    void *label = rsa->label.n ? OPENSSL_memdup(rsa->label.p, rsa->label.n) : NULL;

    if (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, rsa->md) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mask) != 1 || (rsa->label.n && !label)) {
        OPENSSL_free(label);
        return false;
    }
    if (label && EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, label, (int)rsa->label.n) != 1) {
        OPENSSL_free(label);
        return false;
    }
    return true;
}

/* ---- The operations */

static klm_rc encrypt_with(const struct rsa *rsa, struct klm_slice data, uint8_t *out)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, rsa->pkey, NULL);
    size_t n = rsa->n, hash = rsa->oaep ? (size_t)EVP_MD_get_size(rsa->md) : 0;
    size_t more = rsa->oaep ? 2 * hash + 2 : RSA_PKCS1_PADDING_SIZE;

    if (n < more || data.n > n - more) {
        return KLM_E_INVALID;
    }
    if (!ctx || EVP_PKEY_encrypt_init(ctx) != 1 ||
        (rsa->oaep ? !set_oaep(ctx, rsa, rsa->mask)
                   : EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) != 1) ||
        EVP_PKEY_encrypt(ctx, out, &n, data.p, data.n) != 1 || n != rsa->n) {
        return kr_failed(KLM_E_CRYPTO);
    }
    return KLM_OK;
}

static klm_rc decrypt_oaep(const struct rsa *rsa, const EVP_MD *mask, struct klm_slice data,
                           uint8_t *out, size_t *n)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, rsa->pkey, NULL);
    size_t got = rsa->n;

    if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 || !set_oaep(ctx, rsa, mask) ||
        EVP_PKEY_decrypt(ctx, out, &got, data.p, data.n) != 1) {
        return kr_failed(KLM_E_CRYPTO);
    }
    *n = got;
    return KLM_OK;
}

static klm_rc decrypt_pkcs1(const struct rsa *rsa, struct klm_slice data, uint8_t *out, size_t *n)
{
    KLM_AUTO(kr_secret_done) struct kr_secret message = {0};

    KLM_TRY(kr_pkcs1_open(rsa->pkey, data, &message));
    memcpy(out, message.p, message.n);
    *n = message.n;
    return KLM_OK;
}

static klm_rc decrypt_with(const struct rsa *rsa, struct klm_slice data, uint8_t *out, size_t *n)
{
    klm_rc rc;

    if (data.n != rsa->n) {
        return KLM_E_INVALID;
    }
    if (!rsa->oaep) {
        return decrypt_pkcs1(rsa, data, out, n);
    }
    rc = decrypt_oaep(rsa, rsa->mask, data, out, n);
    if (rc == KLM_E_CRYPTO && rsa->mask_too) {
        rc = decrypt_oaep(rsa, rsa->mask_too, data, out, n);
    }
    return rc;
}

klm_rc kr_rsa_crypt(const struct kr_material *key, const struct kr_crypt *how,
                    struct klm_slice data, bool encrypt, struct klm_pool *wiping,
                    struct klm_slice *out)
{
    KLM_AUTO(rsa_done) struct rsa rsa = {.pkey = NULL};
    size_t n;
    uint8_t *p;

    KLM_TRY(choose(key, how, encrypt, &rsa));
    n = rsa.n;
    p = klm_pool_alloc(wiping, n);
    if (!p) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(encrypt ? encrypt_with(&rsa, data, p) : decrypt_with(&rsa, data, p, &n));
    *out = KLM_SLICE(p, n);
    return KLM_OK;
}
