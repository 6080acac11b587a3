/* Derive Key: what each method gives, cut to the length that is asked for. */
#include "keyring/derive.h"
#include "keyring/crypto_int.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>

KR_OSSL_DONE(done_kdf, EVP_KDF_CTX, EVP_KDF_CTX_free)

/* The hash of a pseudorandom function: that of an HMAC algorithm, or the one that is named. */
static uint32_t hash_of(const struct kr_crypt *how, uint32_t otherwise)
{
    const uint32_t hmac = kr_hmac_hash(how->algorithm);

    return how->hash ? how->hash : hmac ? hmac : otherwise;
}

static klm_rc room(struct klm_pool *wiping, size_t n, struct klm_slice *out)
{
    uint8_t *p = klm_pool_alloc(wiping, n);

    *out = KLM_SLICE(p, n);
    return p ? KLM_OK : KLM_E_NOMEM;
}

/* RFC 8018, 5.2: blocks T_1 to T_l of so many bytes each. */
static int64_t hashes(size_t n, const EVP_MD *md)
{
    const size_t size = (size_t)EVP_MD_get_size(md);

    return (int64_t)((n + size - 1) / size);
}

/* RFC 8018, 5.2; the PRF is HMAC with SHA-1 when none is named (its appendix A.2). */
static klm_rc pbkdf2(const struct kr_derivation *from, size_t n, struct klm_pool *wiping,
                     struct klm_slice *out)
{
    const EVP_MD *md = kr_md(hash_of(&from->how, KMIP_HashingAlgorithm_SHA_1));
    struct klm_slice password;

    if (!md) {
        return KLM_E_UNSUPPORTED;
    }
    if (from->rounds < 1 || !from->salt.p || from->salt.n > INT_MAX) {
        return KLM_E_INVALID;
    }
    if (from->rounds > KR_DERIVE_ROUNDS_MAX ||
        from->rounds * hashes(n, md) > KR_DERIVE_ROUNDS_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_material_raw(from->key, &password));
    KLM_TRY(room(wiping, n, out));
    return PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, from->salt.p,
                             (int)from->salt.n, (int)from->rounds, md, (int)n,
                             (uint8_t *)(uintptr_t)out->p) == 1
               ? KLM_OK
               : kr_quiet(KLM_E_CRYPTO);
}

/* KMIP 2.1, 7.12: the key is the input key material, Derivation Data the optional information, SHA-256 the default. */
static klm_rc hkdf(const struct kr_derivation *from, size_t n, struct klm_pool *wiping,
                   struct klm_slice *out)
{
    const EVP_MD *md = kr_md(hash_of(&from->how, KMIP_HashingAlgorithm_SHA_256));
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    KLM_AUTO(done_kdf) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM params[5], *param = params;
    struct klm_slice key;
    char name[64];

    EVP_KDF_free(kdf);
    if (!md || !ctx) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    if (n > 255 * (size_t)EVP_MD_get_size(md)) { /* RFC 5869, 2.3 */
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_material_raw(from->key, &key));
    KLM_TRY(room(wiping, n, out));
    (void)snprintf(name, sizeof name, "%s", EVP_MD_get0_name(md));
    /* OpenSSL's parameters are not const */
    *param++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0);
    *param++ =
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)key.p, key.n);
    if (from->salt.n) {
        *param++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT,
                                                     (void *)(uintptr_t)from->salt.p, from->salt.n);
    }
    if (from->data.n) {
        *param++ = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
                                                     (void *)(uintptr_t)from->data.p, from->data.n);
    }
    *param = OSSL_PARAM_construct_end();
    return EVP_KDF_derive(ctx, (uint8_t *)(uintptr_t)out->p, n, params) == 1
               ? KLM_OK
               : kr_failed(KLM_E_CRYPTO);
}

static klm_rc hash(const struct kr_derivation *from, struct klm_pool *wiping, struct klm_slice *out)
{
    struct klm_slice key;

    if (!from->how.hash) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kr_material_raw(from->key, &key));
    return kr_hash(from->how.hash, key, wiping, out);
}

/* KMIP 2.1, 7.12: the attributes of an HMAC key tell the function, and the parameters are ignored. */
static klm_rc hmac(const struct kr_derivation *from, struct klm_pool *wiping, struct klm_slice *out)
{
    struct kr_crypt how = KR_CRYPT_NONE;

    if (!kr_hmac_hash(kr_material_spec(from->key)->algorithm)) {
        how.hash = hash_of(&from->how, KMIP_HashingAlgorithm_SHA_256);
    }
    return from->data.p ? kr_mac(from->key, &how, from->data, wiping, out) : KLM_E_INVALID;
}

/* KMIP 2.1, 7.12: "an empty IV is assumed if not provided", depending on the mode. Where blocks are chained that is one of zeros; modes that make a stream of key and IV need one, since two
 * keys of one stream tell their difference. */
static klm_rc iv_of(const struct kr_derivation *from, struct klm_slice *out)
{
    static const uint8_t zeros[KR_BLOCK_MAX];
    struct kr_cipher cipher;

    *out = from->iv;
    if (from->iv.n) {
        return KLM_OK;
    }
    KLM_TRY(kr_cipher_choose(from->key, &from->how, &cipher));
    if (cipher.mode->shape == KR_SHAPE_BLOCK) {
        *out = KLM_SLICE(zeros, cipher.block); /* of no use to ECB */
    }
    return KLM_OK;
}

static klm_rc encrypt(const struct kr_derivation *from, struct klm_pool *wiping,
                      struct klm_slice *out)
{
    struct kr_cipher_in in = {.data = from->data};
    struct kr_cipher_out done = {.data = {NULL, 0}};
    struct kr_crypt how = from->how;

    if (!from->data.p || kr_is_asymmetric(from->key)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(iv_of(from, &in.iv));
    how.random_iv = false; /* nobody would learn it */
    KLM_TRY(kr_encrypt(from->key, &how, &in, wiping, &done));
    *out = done.data;
    return KLM_OK;
}

/* The secret that both sides have (SP 800-56A): the number of the shared point, or group element. */
static klm_rc agree(const struct kr_derivation *from, struct klm_pool *wiping,
                    struct klm_slice *out)
{
    KLM_AUTO(kr_done_pkey) EVP_PKEY *own = NULL;
    KLM_AUTO(kr_done_pkey) EVP_PKEY *peer = NULL;
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = NULL;
    size_t n = 0;

    if (!from->peer) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kr_material_pkey(from->key, &own));
    KLM_TRY(kr_material_pkey(from->peer, &peer));
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    if (!ctx || EVP_PKEY_derive_init(ctx) != 1 || EVP_PKEY_derive_set_peer(ctx, peer) != 1 ||
        EVP_PKEY_derive(ctx, NULL, &n) != 1) {
        return kr_failed(KLM_E_INVALID); /* no keys for that, or of two groups */
    }
    KLM_TRY(room(wiping, n, out));
    if (EVP_PKEY_derive(ctx, (uint8_t *)(uintptr_t)out->p, &n) != 1) {
        return kr_failed(KLM_E_CRYPTO);
    }
    out->n = n;
    return KLM_OK;
}

static klm_rc run(const struct kr_derivation *from, size_t n, struct klm_pool *wiping,
                  struct klm_slice *out)
{
    switch (from->method) {
    case KMIP_DerivationMethod_PBKDF2:
        return pbkdf2(from, n, wiping, out);
    case KMIP_DerivationMethod_HASH:
        return hash(from, wiping, out);
    case KMIP_DerivationMethod_HMAC:
        return hmac(from, wiping, out);
    case KMIP_DerivationMethod_ENCRYPT:
        return encrypt(from, wiping, out);
    case KMIP_DerivationMethod_AsymmetricKey:
        return agree(from, wiping, out);
    case KMIP_DerivationMethod_HKDF:
        return hkdf(from, n, wiping, out);
    default:
        return KLM_E_UNSUPPORTED;
    }
}

static klm_rc bytes_of(const struct kr_material_spec *spec, size_t *n)
{
    if (spec->object == KMIP_ObjectType_SymmetricKey) {
        return kr_symmetric_bytes(spec->algorithm, spec->bits, n);
    }
    *n = spec->bits / 8;
    return spec->bits && spec->bits % 8 == 0 && *n <= KR_MATERIAL_MAX ? KLM_OK : KLM_E_LIMIT;
}

klm_rc kr_derive(const struct kr_derivation *from, const struct kr_material_spec *spec,
                 struct klm_pool *wiping, struct kr_material **out)
{
    struct kr_material_spec made = *spec;
    struct klm_slice bytes = {NULL, 0};
    size_t n;

    made.format = KMIP_KeyFormatType_Raw;
    if (made.object == KMIP_ObjectType_SecretData) {
        made.bits = 0; /* its bytes tell, as those of a secret that was registered */
    }
    KLM_TRY(bytes_of(spec, &n));
    KLM_TRY(run(from, n, wiping, &bytes));
    return bytes.n < n ? KLM_E_LIMIT : kr_material_copy(&made, KLM_SLICE(bytes.p, n), out);
}
