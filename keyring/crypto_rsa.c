/* Encryption with RSA (RFC 8017): OAEP, and PKCS #1 v1.5, whose padding must not show in a decryption's outcome or time. OpenSSL keeps that promise from 3.2 on
 * only, so the padding is taken away here: where it is wrong, the answer is bytes that the ciphertext and the private key determine and that look like any message. */
#include "keyring/crypto_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <string.h>

#define RSA_BYTES_MAX (KR_PKEY_BITS_MAX / 8)
#define HASH_BYTES 32 /* of SHA-256 */

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
    return rsa->n <= RSA_BYTES_MAX ? KLM_OK : KLM_E_LIMIT;
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

/* ---- PKCS #1 v1.5 without a word about its padding */

/* Bytes that nobody can tell from a message without the private key: HMAC-SHA256 keyed with a digest of that, over the ciphertext, then a counter. */
static klm_rc substitute(const struct kr_material *key, struct klm_slice data, uint8_t *out,
                         size_t n)
{
    uint8_t secret[HASH_BYTES], seed[HASH_BYTES], part[HASH_BYTES];
    unsigned len = 0;
    klm_rc rc = KLM_OK;

    if (EVP_Digest(key->bytes.p, key->bytes.n, secret, &len, EVP_sha256(), NULL) != 1 ||
        !HMAC(EVP_sha256(), secret, sizeof secret, data.p, data.n, seed, &len)) {
        rc = kr_quiet(KLM_E_CRYPTO);
    }
    for (size_t at = 0; rc == KLM_OK && at < n; at += sizeof part) {
        uint8_t count[2] = {(uint8_t)(at >> 8), (uint8_t)at};
        size_t take = n - at < sizeof part ? n - at : sizeof part;

        if (!HMAC(EVP_sha256(), seed, sizeof seed, count, sizeof count, part, &len)) {
            rc = kr_quiet(KLM_E_CRYPTO);
            break;
        }
        memcpy(out + at, part, take);
    }
    klm_wipe(secret, sizeof secret);
    klm_wipe(seed, sizeof seed);
    klm_wipe(part, sizeof part);
    return rc;
}

/* All ones when v is 0, else 0; when a < b, else 0. */
static uint32_t mask_zero(uint32_t v)
{
    return 0 - ((~v & (v - 1)) >> 31);
}

static uint32_t mask_less(uint32_t a, uint32_t b)
{
    return 0 - ((a - b) >> 31); /* both are small */
}

static uint32_t pick(uint32_t mask, uint32_t a, uint32_t b)
{
    return (mask & a) | (~mask & b);
}

/* A length for the substitute, evenly spread over what a message may have: the last of many candidates that is not too long. */
static uint32_t substitute_length(const uint8_t candidates[2 * 64], uint32_t most)
{
    uint32_t bits = most, length = 0;

    for (uint32_t i = 1; i < 16; i *= 2) {
        bits |= bits >> i;
    }
    for (size_t i = 0; i < 64; i++) {
        uint32_t v = ((uint32_t)candidates[2 * i] << 8 | candidates[2 * i + 1]) & bits;

        length = pick(mask_less(v, most + 1), v, length);
    }
    return length;
}

/* RFC 8017, 7.2.2: 00 02, eight bytes or more that are not 0, 00, the message. em has k bytes, other k + 128; which of the two counts shows in nothing but the bytes. */
static void unpad(uint8_t *em, const uint8_t *other, uint32_t k, struct klm_slice *message)
{
    uint32_t good = mask_zero(em[0]) & mask_zero(em[1] ^ 2u), zero = 0, found = 0, at;

    for (uint32_t i = 2; i < k; i++) {
        uint32_t is_first = mask_zero(em[i]) & ~found;

        zero = pick(is_first, i, zero);
        found |= is_first;
    }
    good &= found & ~mask_less(zero, 10);
    at = pick(good, zero + 1, k - substitute_length(other + k, k - 11));
    for (uint32_t i = 0; i < k; i++) {
        em[i] = (uint8_t)pick(good, em[i], other[i]);
    }
    *message = KLM_SLICE(em + at, k - at);
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
        return kr_quiet(KLM_E_CRYPTO);
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
        return kr_quiet(KLM_E_CRYPTO);
    }
    *n = got;
    return KLM_OK;
}

static klm_rc decrypt_pkcs1(const struct rsa *rsa, const struct kr_material *key,
                            struct klm_slice data, uint8_t *out, struct klm_slice *message)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, rsa->pkey, NULL);
    uint8_t other[RSA_BYTES_MAX + 2 * 64];
    size_t n = rsa->n;

    KLM_TRY(substitute(key, data, other, rsa->n + 2 * 64));
    if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1 ||
        EVP_PKEY_decrypt(ctx, out, &n, data.p, data.n) != 1 || n != rsa->n) {
        return kr_quiet(KLM_E_CRYPTO); /* a number that is not below the modulus */
    }
    unpad(out, other, (uint32_t)n, message);
    klm_wipe(other, sizeof other);
    return KLM_OK;
}

static klm_rc decrypt_with(const struct rsa *rsa, const struct kr_material *key,
                           struct klm_slice data, uint8_t *out, struct klm_slice *message)
{
    size_t n = 0;
    klm_rc rc;

    if (data.n != rsa->n) {
        return KLM_E_INVALID;
    }
    if (!rsa->oaep) {
        return rsa->n > RSA_PKCS1_PADDING_SIZE ? decrypt_pkcs1(rsa, key, data, out, message)
                                               : KLM_E_INVALID;
    }
    rc = decrypt_oaep(rsa, rsa->mask, data, out, &n);
    if (rc != KLM_OK && rsa->mask_too) {
        rc = decrypt_oaep(rsa, rsa->mask_too, data, out, &n);
    }
    if (rc == KLM_OK) {
        *message = KLM_SLICE(out, n);
    }
    return rc;
}

klm_rc kr_rsa_crypt(const struct kr_material *key, const struct kr_crypt *how,
                    struct klm_slice data, bool encrypt, struct klm_pool *wiping,
                    struct klm_slice *out)
{
    KLM_AUTO(rsa_done) struct rsa rsa = {.pkey = NULL};
    uint8_t *p;

    KLM_TRY(choose(key, how, encrypt, &rsa));
    p = klm_pool_alloc(wiping, rsa.n);
    if (!p) {
        return KLM_E_NOMEM;
    }
    if (!encrypt) {
        return decrypt_with(&rsa, key, data, p, out);
    }
    KLM_TRY(encrypt_with(&rsa, data, p));
    *out = KLM_SLICE(p, rsa.n);
    return KLM_OK;
}
