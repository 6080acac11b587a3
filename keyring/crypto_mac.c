/* MAC and MAC Verify (KMIP 1.4, 4.33 and 4.34; 2.1, 6.1.32 and 6.1.33). The operation has no field for a nonce, so GMAC is what Encrypt with GCM makes of no data and
 * some additional data. */
#include "keyring/crypto_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>

/* OpenSSL's MACs, fetched once, when first used. */
enum engine { ENGINE_HMAC, ENGINE_CMAC, ENGINE_POLY1305 };
static const char *const names[] = {"HMAC", "CMAC", "POLY1305"};
static _Atomic(EVP_MAC *) engines[KLM_COUNT(names)];

static EVP_MAC *fetched(enum engine engine)
{
    EVP_MAC *mac = atomic_load(&engines[engine]), *had = NULL;

    if (mac) {
        return mac;
    }
    mac = EVP_MAC_fetch(NULL, names[engine], NULL);
    if (!mac) {
        ERR_clear_error();
        return NULL;
    }
    if (atomic_compare_exchange_strong(&engines[engine], &had, mac)) {
        return mac;
    }
    EVP_MAC_free(mac); /* another thread was first */
    return had;
}

/* A MAC and what it is made of: a hash, a cipher, or nothing. */
struct choice {
    enum engine engine;
    const char *param, *name;
};

static klm_rc hmac(uint32_t hash, struct choice *out)
{
    const EVP_MD *md = kr_md(hash);

    if (!md) {
        return KLM_E_UNSUPPORTED;
    }
    *out = (struct choice){ENGINE_HMAC, OSSL_MAC_PARAM_DIGEST, EVP_MD_get0_name(md)};
    return KLM_OK;
}

static klm_rc cmac(uint32_t algorithm, struct klm_slice key, struct choice *out)
{
    const EVP_CIPHER *cbc;

    KLM_TRY(kr_cipher_cbc(algorithm, key, &cbc));
    *out = (struct choice){ENGINE_CMAC, OSSL_MAC_PARAM_CIPHER, EVP_CIPHER_get0_name(cbc)};
    return KLM_OK;
}

/* The parameters' algorithm is that of the MAC, whatever the key was made for: a key of AES may be one of HMAC. */
static klm_rc choose(const struct kr_material *key, const struct kr_crypt *how,
                     struct klm_slice raw, struct choice *out)
{
    uint32_t algorithm = how->algorithm ? how->algorithm : key->spec.algorithm;
    uint32_t hash = kr_hmac_hash(algorithm);

    if (hash) {
        return !how->hash || how->hash == hash ? hmac(hash, out) : KLM_E_INVALID;
    }
    if (algorithm == KMIP_CryptographicAlgorithm_Poly1305) {
        *out = (struct choice){ENGINE_POLY1305, NULL, NULL};
        return KLM_OK;
    }
    if (how->hash && !how->mode) {
        return hmac(how->hash, out);
    }
    if (how->mode && how->mode != KMIP_BlockCipherMode_CMAC) {
        return KLM_E_UNSUPPORTED;
    }
    return cmac(algorithm, raw, out);
}

klm_rc kr_mac_start(const struct kr_material *key, const struct kr_crypt *how, EVP_MAC_CTX **out)
{
    KLM_AUTO(kr_done_mac) EVP_MAC_CTX *ctx = NULL;
    OSSL_PARAM params[2] = {OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end()};
    struct choice choice;
    struct klm_slice raw;
    EVP_MAC *mac;
    char name[64];

    KLM_TRY(kr_material_raw(key, &raw));
    KLM_TRY(choose(key, how, raw, &choice));
    mac = fetched(choice.engine);
    if (!mac) {
        return KLM_E_UNSUPPORTED;
    }
    ctx = EVP_MAC_CTX_new(mac);
    if (!ctx) {
        return kr_quiet(KLM_E_NOMEM);
    }
    if (choice.param) {
        (void)snprintf(name, sizeof name, "%s",
                       choice.name); /* OpenSSL's parameters are not const */
        params[0] = OSSL_PARAM_construct_utf8_string(choice.param, name, 0);
    }
    if (EVP_MAC_init(ctx, raw.p, raw.n, params) != 1) {
        return kr_failed(KLM_E_INVALID); /* a key of a length that it does not take */
    }
    *out = ctx;
    ctx = NULL;
    return KLM_OK;
}

klm_rc kr_mac_end(EVP_MAC_CTX *ctx, struct klm_pool *wiping, struct klm_slice *out)
{
    size_t n = EVP_MAC_CTX_get_mac_size(ctx);
    uint8_t *p = klm_pool_alloc(wiping, n);

    if (!p) {
        return KLM_E_NOMEM;
    }
    if (EVP_MAC_final(ctx, p, &n, n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *out = KLM_SLICE(p, n);
    return KLM_OK;
}

klm_rc kr_mac(const struct kr_material *key, const struct kr_crypt *how, struct klm_slice data,
              struct klm_pool *wiping, struct klm_slice *out)
{
    KLM_AUTO(kr_done_mac) EVP_MAC_CTX *ctx = NULL;

    if (data.n > KR_CRYPT_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_mac_start(key, how, &ctx));
    if (EVP_MAC_update(ctx, data.p, data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return kr_mac_end(ctx, wiping, out);
}

klm_rc kr_mac_verify(const struct kr_material *key, const struct kr_crypt *how,
                     struct klm_slice data, struct klm_slice mac, struct klm_pool *wiping,
                     bool *valid)
{
    struct klm_slice made;

    KLM_TRY(kr_mac(key, how, data, wiping, &made));
    *valid = made.n == mac.n && klm_secret_equal(made.p, mac.p, mac.n);
    return KLM_OK;
}
