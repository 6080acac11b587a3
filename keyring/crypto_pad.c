/* Padding of the last block (KMIP 1.4, 9.1.3.2.15). OpenSSL knows one of them, so all are made here; taking them away again looks at each byte of the block
 * whatever it holds. */
#include "keyring/crypto_int.h"

#include "base/secret.h"

#include <string.h>

/* What stands in the bytes before the last, which says how many there are. */
enum fill { FILL_COUNT, FILL_ZERO, FILL_RANDOM, FILL_ANY };

static const struct method {
    uint32_t padding;
    bool removed;   /* the last byte says how many bytes are padding */
    enum fill fill; /* FILL_ANY: written as zeros, read as anything */
    uint8_t less;   /* the last byte does not count itself */
} methods[] = {
    {0, false, FILL_ZERO, 0},
    {KMIP_PaddingMethod_None, false, FILL_ZERO, 0},
    {KMIP_PaddingMethod_Zeros, false, FILL_ZERO, 0},
    {KMIP_PaddingMethod_PKCS5, true, FILL_COUNT, 0},     /* RFC 5652, 6.3 */
    {KMIP_PaddingMethod_SSL3, true, FILL_ANY, 1},        /* RFC 6101, 5.2.3.2 */
    {KMIP_PaddingMethod_ANSIX9_23, true, FILL_ZERO, 0},  /* ANSI X9.23 */
    {KMIP_PaddingMethod_ISO10126, true, FILL_RANDOM, 0}, /* ISO 10126-2 */
};

static const struct method *method_of(uint32_t padding)
{
    for (size_t i = 0; i < KLM_COUNT(methods); i++) {
        if (methods[i].padding == padding) {
            return &methods[i];
        }
    }
    return NULL;
}

klm_rc kr_pad_check(uint32_t padding)
{
    return method_of(padding) ? KLM_OK : KLM_E_UNSUPPORTED;
}

bool kr_pad_removed(uint32_t padding)
{
    const struct method *method = method_of(padding);

    return method && method->removed;
}

static klm_rc fill(const struct method *method, uint8_t *p, size_t n)
{
    memset(p, method->fill == FILL_COUNT ? (int)n : 0, n);
    if (method->fill == FILL_RANDOM) {
        KLM_TRY(klm_random(p, n));
    }
    p[n - 1] = (uint8_t)(n - method->less);
    return KLM_OK;
}

klm_rc kr_pad(uint32_t padding, uint8_t *block, size_t size, size_t *n)
{
    const struct method *method = method_of(padding);

    if (!method) {
        return KLM_E_UNSUPPORTED;
    }
    if (method->removed) {
        KLM_TRY(fill(method, block + *n, size - *n));
        *n = size;
    } else if (*n) {
        if (padding != KMIP_PaddingMethod_Zeros) {
            return KLM_E_INVALID;
        }
        memset(block + *n, 0, size - *n);
        *n = size;
    }
    return KLM_OK;
}

/* All ones when a < b, else 0; both are small. */
static uint32_t less(uint32_t a, uint32_t b)
{
    return 0 - ((a - b) >> 31);
}

klm_rc kr_unpad(uint32_t padding, const uint8_t *block, size_t size, size_t *n)
{
    const struct method *method = method_of(padding);
    uint32_t most = (uint32_t)size, count, bad;

    if (!method) {
        return KLM_E_UNSUPPORTED;
    }
    count = (uint32_t)block[size - 1] + method->less;
    bad = less(most, count) | less(count, 1);
    for (uint32_t i = 0; i + 1 < most; i++) {
        uint32_t is_padding = ~less(i, most - count); /* nonsense when bad already */
        uint32_t differs = method->fill == FILL_COUNT  ? block[i] ^ block[size - 1]
                           : method->fill == FILL_ZERO ? block[i]
                                                       : 0;

        bad |= is_padding & differs;
    }
    if (bad) {
        return KLM_E_CRYPTO;
    }
    *n = size - count;
    return KLM_OK;
}
