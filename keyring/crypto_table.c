/* Tables of ciphers, modes and hashes, with OpenSSL's objects for them. Fetching one costs more than a small encryption, so each is fetched when it is first
 * asked for and then kept; what no provider has is asked for again, since a provider may be loaded later. */
#include "keyring/crypto_int.h"

#include <stdio.h>

#define KMIP_BlockCipherMode_NONE 0 /* a cipher without modes */
#define M(name) (1u << KMIP_BlockCipherMode_##name)
#define BLOCKS (M(CBC) | M(ECB) | M(PCBC) | M(CFB) | M(OFB))
#define WRAPS (M(NISTKeyWrap) | M(AESKeyWrapPadding))
#define LEN KR_LEN
#define OF_BLOCK KR_LEN_OF_BLOCK
#define ANY_LEN KR_LEN_ANY

static const struct kr_mode modes[] = {
#define KR_MODE(name, suffix, shape, iv, made, tag)                                                \
    {KMIP_BlockCipherMode_##name, suffix, KR_SHAPE_##shape, iv, made, tag},
#include "keyring/crypto_modes.def"
#undef KR_MODE
};

static const struct family {
    uint32_t algorithm;
    size_t key;
    const char *name;
    uint32_t modes;
} families[] = {
#define KR_CIPHER(algorithm, key, name, modes)                                                     \
    {KMIP_CryptographicAlgorithm_##algorithm, key, name, modes},
#include "keyring/crypto_ciphers.def"
#undef KR_CIPHER
};
static _Atomic(EVP_CIPHER *) ciphers[KLM_COUNT(families)][KLM_COUNT(modes)];

static const struct hash {
    uint32_t hash;
    const char *name;
} hashes[] = {
#define KR_HASH(hash, name) {KMIP_HashingAlgorithm_##hash, name},
#include "keyring/hashes.def"
#undef KR_HASH
};
static _Atomic(EVP_MD *) mds[KLM_COUNT(hashes)];

static const struct hmac {
    uint32_t algorithm, hash;
} hmacs[] = {
#define KR_HMAC(algorithm, hash)                                                                   \
    {KMIP_CryptographicAlgorithm_##algorithm, KMIP_HashingAlgorithm_##hash},
#include "keyring/hmacs.def"
#undef KR_HMAC
};

/* ---- Hashes */

static const EVP_MD *fetched_md(size_t at)
{
    EVP_MD *md = atomic_load(&mds[at]), *had = NULL;

    if (md) {
        return md;
    }
    md = EVP_MD_fetch(NULL, hashes[at].name, NULL);
    if (!md) {
        ERR_clear_error();
        return NULL;
    }
    if (atomic_compare_exchange_strong(&mds[at], &had, md)) {
        return md;
    }
    EVP_MD_free(md); /* another thread was first */
    return had;
}

const EVP_MD *kr_md(uint32_t hash)
{
    for (size_t i = 0; i < KLM_COUNT(hashes); i++) {
        if (hashes[i].hash == hash) {
            return fetched_md(i);
        }
    }
    return NULL;
}

uint32_t kr_hmac_hash(uint32_t algorithm)
{
    for (size_t i = 0; i < KLM_COUNT(hmacs); i++) {
        if (hmacs[i].algorithm == algorithm) {
            return hmacs[i].hash;
        }
    }
    return 0;
}

/* ---- Ciphers */

static const EVP_CIPHER *fetched_cipher(size_t family, size_t mode)
{
    _Atomic(EVP_CIPHER *) *kept = &ciphers[family][mode];
    EVP_CIPHER *evp = atomic_load(kept), *had = NULL;
    char name[32];

    if (evp) {
        return evp;
    }
    (void)snprintf(name, sizeof name, "%s%s", families[family].name, modes[mode].suffix);
    evp = EVP_CIPHER_fetch(NULL, name, NULL);
    if (!evp) {
        ERR_clear_error();
        return NULL;
    }
    if (atomic_compare_exchange_strong(kept, &had, evp)) {
        return evp;
    }
    EVP_CIPHER_free(evp); /* another thread was first */
    return had;
}

/* Is it a row for keys of n bytes? OpenSSL knows what a cipher with keys of many lengths takes, and says so when it gets one. */
static bool fits(const struct family *family, uint32_t algorithm, uint32_t mode, size_t n)
{
    return family->algorithm == algorithm && (family->key == 0 || family->key == n) &&
           (family->modes & (1u << mode));
}

static klm_rc find(uint32_t algorithm, uint32_t mode, struct klm_slice key, struct kr_cipher *out)
{
    for (size_t f = 0; mode <= KMIP_BlockCipherMode_AEAD && f < KLM_COUNT(families); f++) {
        for (size_t m = 0; m < KLM_COUNT(modes); m++) {
            const EVP_CIPHER *evp;

            if (modes[m].mode != mode || !fits(&families[f], algorithm, mode, key.n)) {
                continue;
            }
            evp = fetched_cipher(f, m);
            if (!evp) {
                return KLM_E_UNSUPPORTED;
            }
            *out = (struct kr_cipher){&modes[m], evp, (size_t)EVP_CIPHER_get_block_size(evp), key};
            return KLM_OK;
        }
    }
    return KLM_E_UNSUPPORTED;
}

/* A key of ChaCha20 is one of ChaCha20-Poly1305 too (RFC 8439); else the parameters may name an algorithm only where the key has none, or the same. */
static klm_rc algorithm_of(const struct kr_material *key, const struct kr_crypt *how, uint32_t *out)
{
    uint32_t has = key->spec.algorithm, wants = how->algorithm ? how->algorithm : has;
    bool chacha = has == KMIP_CryptographicAlgorithm_ChaCha20 ||
                  has == KMIP_CryptographicAlgorithm_ChaCha20Poly1305;

    if (chacha && wants == KMIP_CryptographicAlgorithm_ChaCha20 &&
        how->mode == KMIP_BlockCipherMode_AEAD) {
        wants = KMIP_CryptographicAlgorithm_ChaCha20Poly1305;
    }
    if (has && wants != has &&
        !(chacha && (wants == KMIP_CryptographicAlgorithm_ChaCha20 ||
                     wants == KMIP_CryptographicAlgorithm_ChaCha20Poly1305))) {
        return KLM_E_INVALID;
    }
    *out = wants;
    return KLM_OK;
}

klm_rc kr_cipher_choose(const struct kr_material *key, const struct kr_crypt *how,
                        struct kr_cipher *out)
{
    uint32_t algorithm, mode = how->mode;
    struct klm_slice raw;

    KLM_TRY(kr_material_raw(key, &raw));
    KLM_TRY(algorithm_of(key, how, &algorithm));
    if (!mode && algorithm == KMIP_CryptographicAlgorithm_ChaCha20Poly1305) {
        mode = KMIP_BlockCipherMode_AEAD;
    }
    /* KMIP 1.4, 4.29: an algorithm that requires parameters, and has none, is an operation that fails. */
    if (!mode && algorithm != KMIP_CryptographicAlgorithm_ChaCha20) {
        return KLM_E_INVALID;
    }
    return find(algorithm, mode, raw, out);
}

klm_rc kr_cipher_cbc(uint32_t algorithm, struct klm_slice key, const EVP_CIPHER **out)
{
    struct kr_cipher cipher;

    KLM_TRY(find(algorithm, KMIP_BlockCipherMode_CBC, key, &cipher));
    *out = cipher.evp;
    return KLM_OK;
}
