/* Which IV, counter or nonce a request means, and how long its tag is. */
#include "keyring/crypto_int.h"

#include "base/secret.h"

#include <limits.h>
#include <string.h>

#define GCM_RANDOM_MIN 12 /* SP 800-38D, 8.2.2: a random IV has 96 bits at least */

static size_t block_iv(const struct kr_cipher *cipher)
{
    int n = EVP_CIPHER_get_iv_length(cipher->evp);

    return n > 0 ? (size_t)n : cipher->block; /* OpenSSL has no PCBC: that is made of ECB */
}

static bool allows(const struct kr_cipher *cipher, size_t n)
{
    uint32_t lengths = cipher->mode->iv_lengths;

    return ((lengths & KR_LEN_ANY) && n >= 1 && n <= KR_IV_MAX) ||
           ((lengths & KR_LEN_OF_BLOCK) && n == block_iv(cipher)) ||
           (n <= KR_BLOCK_MAX && (lengths & KR_LEN(n)));
}

/* KMIP 1.4, 3.6: IV Length, in bits; of a counter mode it may also be said by the fields that the IV is made of, or by the counter that is left. 0: nothing was said. */
static uint64_t wanted_bits(const struct kr_cipher *cipher, const struct kr_crypt *how)
{
    uint64_t fields = (uint64_t)how->fixed_field_length + how->invocation_field_length;
    uint64_t whole = (uint64_t)block_iv(cipher) * 8;

    if (how->iv_length) {
        return how->iv_length;
    }
    if (fields || cipher->mode->mode != KMIP_BlockCipherMode_CTR || !how->counter_length) {
        return fields;
    }
    return how->counter_length < whole ? whole - how->counter_length : 0;
}

/* The server keeps no count of what it has used (KMIP 1.4, 4.29), so every field of an IV is random. */
static klm_rc make_iv(const struct kr_cipher *cipher, const struct kr_crypt *how,
                      struct klm_pool *pool, struct klm_slice *out)
{
    uint64_t bits = wanted_bits(cipher, how);
    size_t n = cipher->mode->iv_made ? cipher->mode->iv_made : block_iv(cipher);
    uint8_t *p;

    if (bits) {
        n = bits % 8 == 0 && bits / 8 <= KR_IV_MAX ? (size_t)bits / 8 : 0;
    }
    if (n == 0 || !allows(cipher, n) ||
        (cipher->mode->mode == KMIP_BlockCipherMode_GCM && n < GCM_RANDOM_MIN)) {
        return KLM_E_INVALID;
    }
    p = klm_pool_alloc(pool, n);
    if (!p) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_random(p, n));
    *out = KLM_SLICE(p, n);
    return KLM_OK;
}

static klm_rc initial_counter(const struct kr_crypt *how, uint32_t *out)
{
    if (how->initial_counter < -1 || how->initial_counter > INT32_MAX) { /* it is an Integer */
        return KLM_E_INVALID;
    }
    *out = how->initial_counter == -1 ? 0 : (uint32_t)how->initial_counter;
    return KLM_OK;
}

/* SP 800-38A, appendix B: an IV that leaves room in the counter block is followed by the counter, most significant byte first. */
static klm_rc counter_block(const struct kr_crypt *how, struct kr_iv *iv)
{
    size_t room = KR_BLOCK_MAX - iv->given.n;
    uint32_t counter;

    KLM_TRY(initial_counter(how, &counter));
    if (how->counter_length && how->counter_length != room * 8) {
        return KLM_E_INVALID;
    }
    memcpy(iv->whole, iv->given.p, iv->given.n);
    for (size_t i = 0; i < 4; i++) {
        iv->whole[KR_BLOCK_MAX - 1 - i] = (uint8_t)(counter >> 8 * i);
    }
    iv->used = KLM_SLICE(iv->whole, KR_BLOCK_MAX);
    return KLM_OK;
}

/* RFC 8439, 2.3: a counter of 32 bits, least significant byte first, and a nonce of 96; before that it was 64 and 64. OpenSSL wants both as one. */
static klm_rc chacha_block(const struct kr_crypt *how, struct kr_iv *iv)
{
    uint32_t counter;

    KLM_TRY(initial_counter(how, &counter));
    memcpy(iv->whole + KR_BLOCK_MAX - iv->given.n, iv->given.p, iv->given.n);
    for (size_t i = 0; i < 4; i++) {
        iv->whole[i] = (uint8_t)(counter >> 8 * i);
    }
    iv->used = KLM_SLICE(iv->whole, KR_BLOCK_MAX);
    return KLM_OK;
}

static klm_rc check_given(const struct kr_cipher *cipher, const struct kr_crypt *how,
                          struct klm_slice iv)
{
    if (!allows(cipher, iv.n) || (how->iv_length && how->iv_length != iv.n * 8)) {
        return KLM_E_INVALID;
    }
    return KLM_OK;
}

klm_rc kr_iv_choose(const struct kr_cipher *cipher, const struct kr_crypt *how, struct klm_slice iv,
                    bool encrypt, struct klm_pool *pool, struct kr_iv *out)
{
    const struct kr_mode *mode = cipher->mode;

    *out = (struct kr_iv){.made = false};
    if (mode->iv_lengths == KR_LEN(0) || (iv.n == 0 && (mode->iv_lengths & KR_LEN(0)))) {
        return KLM_OK; /* a mode without IV has no use for one that was given */
    }
    if (iv.n == 0) {
        /* KMIP 1.4, 4.29: it may be omitted when the server is to make a Random IV; 4.30: never when decrypting. */
        if (!encrypt || !how->random_iv) {
            return KLM_E_SHORT;
        }
        KLM_TRY(make_iv(cipher, how, pool, &iv));
        out->made = true;
    } else {
        KLM_TRY(check_given(cipher, how, iv));
    }
    out->given = out->used = iv;
    if (iv.n < KR_BLOCK_MAX && mode->mode == KMIP_BlockCipherMode_CTR) {
        return counter_block(how, out);
    }
    if (iv.n < KR_BLOCK_MAX && mode->mode == 0) {
        return chacha_block(how, out);
    }
    return KLM_OK;
}

klm_rc kr_tag_length(const struct kr_cipher *cipher, const struct kr_crypt *how, size_t given,
                     size_t *out)
{
    size_t n = how->tag_length ? how->tag_length : given ? given : KR_BLOCK_MAX;

    if (!cipher->mode->tag_lengths) {
        *out = 0;
        return given ? KLM_E_INVALID : KLM_OK; /* a tag that nobody compares */
    }
    if (n > KR_BLOCK_MAX || !(cipher->mode->tag_lengths & KR_LEN(n))) {
        return KLM_E_LIMIT;
    }
    if (given && given != n) {
        return KLM_E_INVALID;
    }
    *out = n;
    return KLM_OK;
}
