/* RSAES-PKCS1-v1_5 opened without telling whether the padding was right. Who can ask for many openings and sees which have good padding reads a
 * message that was made for the key (Bleichenbacher's attack). So bad padding gives a message too: one of random looks and length that only the
 * owner of the key could work out, always the same for the same data (implicit rejection, draft-irtf-cfrg-rsa-guidance). What is done with a
 * message, and how long it takes, is the same for both. */
#include "keyring/material_int.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <string.h>

#define HASH 32
#define CANDIDATES 128 /* lengths of a random message, of which the last that fits is taken */
#define LEAST 11       /* 0, 2, eight bytes of padding, 0 (RFC 8017, 7.2.1) */

/* ---- Without branches: all ones or all zeros. */

static uint32_t is_zero(uint32_t a)
{
    return 0u - ((~a & (a - 1)) >> 31);
}

static uint32_t is_equal(uint32_t a, uint32_t b)
{
    return is_zero(a ^ b);
}

/* For numbers below 2^31. */
static uint32_t is_less(uint32_t a, uint32_t b)
{
    return 0u - ((a - b) >> 31);
}

static uint32_t pick(uint32_t mask, uint32_t yes, uint32_t no)
{
    return (mask & yes) | (~mask & no);
}

/* ---- The message of bad padding */

static bool hmac(const uint8_t key[HASH], const struct klm_slice *parts, size_t n,
                 uint8_t out[HASH])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char[]){"SHA256"}, 0),
        OSSL_PARAM_construct_end()};
    size_t made = 0;
    bool ok = ctx && EVP_MAC_init(ctx, key, HASH, params) == 1;

    for (size_t i = 0; ok && i < n; i++) {
        ok = EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1;
    }
    ok = ok && EVP_MAC_final(ctx, out, &made, HASH) == 1 && made == HASH;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return ok;
}

/* The draft's IRPRF: HMAC of a counter, a label and the length in bits, as often as it takes. */
static bool stretch(const uint8_t key[HASH], const char *label, uint8_t *out, size_t n)
{
    const uint8_t bits[2] = {(uint8_t)(n * 8 >> 8), (uint8_t)(n * 8)};
    uint8_t block[HASH];

    for (size_t at = 0, turn = 0; at < n; at += HASH, turn++) {
        const uint8_t counter[2] = {(uint8_t)(turn >> 8), (uint8_t)turn};
        const struct klm_slice parts[] = {KLM_SLICE(counter, 2), klm_slice_str(label),
                                          KLM_SLICE(bits, 2)};

        if (!hmac(key, parts, KLM_COUNT(parts), block)) {
            return false;
        }
        memcpy(out + at, block, n - at < HASH ? n - at : HASH);
    }
    klm_wipe(block, sizeof block);
    return true;
}

/* A key for this data alone, from the private exponent. */
static klm_rc data_key(const EVP_PKEY *pkey, struct klm_slice data, uint8_t out[HASH])
{
    KLM_AUTO(kr_secret_done) struct kr_secret d = {0};
    KLM_AUTO(kr_secret_done) struct kr_secret wide = {0};
    uint8_t digest[HASH];
    bool ok;

    KLM_TRY(kr_pkey_number(pkey, OSSL_PKEY_PARAM_RSA_D, &d));
    KLM_TRY(kr_secret_new(data.n, &wide));
    if (d.n > data.n) {
        return KLM_E_CRYPTO;
    }
    memcpy(wide.p + data.n - d.n, d.p, d.n);
    ok = EVP_Digest(wide.p, data.n, digest, NULL, EVP_sha256(), NULL) == 1 &&
         hmac(digest, &data, 1, out);
    klm_wipe(digest, sizeof digest);
    return ok ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

/* A length below most + 1: the last of the candidates that is. */
static uint32_t length_of(const uint8_t candidates[2 * CANDIDATES], uint32_t most)
{
    uint32_t mask = most, length = 0;

    for (uint32_t shift = 1; shift < 16; shift *= 2) {
        mask |= mask >> shift;
    }
    for (size_t i = 0; i < CANDIDATES; i++) {
        const uint32_t one = ((uint32_t)candidates[2 * i] << 8 | candidates[2 * i + 1]) & mask;

        length = pick(is_less(one, most + 1), one, length);
    }
    return length;
}

/* ---- The message of good padding, or that one */

/* Where the message begins: 0, 2, padding without a zero, 0. All ones in *good when it is such a thing. */
static uint32_t separator(const uint8_t *em, size_t k, uint32_t *good)
{
    uint32_t at = 0, found = 0;

    for (uint32_t i = 2; i < k; i++) {
        const uint32_t first = is_zero(em[i]) & ~found;

        at = pick(first, i, at);
        found |= first;
    }
    *good = is_zero(em[0]) & is_equal(em[1], 2) & found & ~is_less(at, LEAST - 1);
    return at;
}

/* A random message as long as the data, and the length of it that is given. */
static klm_rc other_message(const EVP_PKEY *pkey, struct klm_slice data, uint8_t *out, uint32_t *n)
{
    uint8_t key[HASH], lengths[2 * CANDIDATES];
    bool ok;

    KLM_TRY(data_key(pkey, data, key));
    ok = stretch(key, "length", lengths, sizeof lengths) && stretch(key, "message", out, data.n);
    klm_wipe(key, sizeof key);
    *n = length_of(lengths, (uint32_t)data.n - LEAST);
    klm_wipe(lengths, sizeof lengths);
    return ok ? KLM_OK : kr_quiet(KLM_E_CRYPTO);
}

static klm_rc choose(const EVP_PKEY *pkey, struct klm_slice data, const uint8_t *em,
                     struct kr_secret *out)
{
    const size_t k = data.n;
    KLM_AUTO(kr_secret_done) struct kr_secret made = {0};
    uint32_t good, at, n = 0;

    KLM_TRY(kr_secret_new(k, &made));
    KLM_TRY(other_message(pkey, data, made.p, &n));
    at = separator(em, k, &good);
    n = pick(good, (uint32_t)k - 1 - at, n);
    for (size_t i = 0; i < k; i++) {
        made.p[i] = (uint8_t)pick(good, em[i], made.p[i]);
    }
    memmove(made.p, made.p + k - n, n);
    klm_wipe(made.p + n, k - n);
    made.n = n;
    *out = made;
    made = (struct kr_secret){0};
    return KLM_OK;
}

klm_rc kr_pkcs1_open(EVP_PKEY *pkey, struct klm_slice data, struct kr_secret *out)
{
    KLM_AUTO(kr_done_pctx) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    KLM_AUTO(kr_secret_done) struct kr_secret em = {0};
    size_t n = data.n;

    if (data.n != (size_t)EVP_PKEY_get_size(pkey) || data.n < LEAST) {
        return KLM_E_CRYPTO; /* anybody could see that */
    }
    KLM_TRY(kr_secret_new(data.n, &em));
    if (!ctx || EVP_PKEY_decrypt_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1 ||
        EVP_PKEY_decrypt(ctx, em.p, &n, data.p, data.n) != 1 || n != data.n) {
        return kr_failed(KLM_E_CRYPTO); /* larger than the modulus, which anybody could see too */
    }
    return choose(pkey, data, em.p, out);
}
