/* The clear form of a private key, written straight into secret memory. */
#include "keyring/der.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <string.h>

#define NUMBER_MAX 520 /* bytes of one number: 4,096 bits and a little */

/* One number of a key, big-endian, in out[*n]. OpenSSL gives numbers in the machine's order and
 * as wide as the buffer. */
static klm_rc number(const EVP_PKEY *pkey, const char *name, uint8_t *out, size_t *n)
{
    OSSL_PARAM param[] = {OSSL_PARAM_BN(NULL, NULL, 0), OSSL_PARAM_END};

    param[0].key = name;
    param[0].data = out;
    param[0].data_size = NUMBER_MAX;
    if (EVP_PKEY_get_params(pkey, param) != 1 || param[0].return_size > NUMBER_MAX) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    *n = param[0].return_size;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (size_t i = 0; i < *n / 2; i++) {
        uint8_t swap = out[i];

        out[i] = out[*n - 1 - i];
        out[*n - 1 - i] = swap;
    }
#endif
    return KLM_OK;
}

static void der_integer(struct kr_der *der, const EVP_PKEY *pkey, const char *name,
                        uint8_t *scratch)
{
    size_t n = 0;
    const klm_rc rc = number(pkey, name, scratch, &n);

    if (rc != KLM_OK) {
        kr_der_fail(der, rc);
        return;
    }
    kr_der_uint(der, KLM_SLICE(scratch, n));
}

/* RFC 8017, A.1.2: RSAPrivateKey, version 0 (two primes). */
static void rsa_clear(struct kr_der *der, const EVP_PKEY *pkey, uint8_t *scratch)
{
    static const char *const numbers[] = {
        OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2,
        OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,
        OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_D,
        OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_N,
    };
    size_t end = der->at;

    for (size_t i = 0; i < KLM_COUNT(numbers); i++) {
        der_integer(der, pkey, numbers[i], scratch);
    }
    kr_der_bytes(der, (const uint8_t[]){0x02, 0x01, 0x00}, 3);
    kr_der_head(der, 0x30, end);
}

static void ec_point(struct kr_der *der, const EVP_PKEY *pkey, uint8_t *scratch)
{
    size_t n = 0, end = der->at;

    if (EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, scratch, NUMBER_MAX, &n) !=
        1) {
        kr_der_fail(der, kr_quiet(KLM_E_CRYPTO));
        return;
    }
    kr_der_bytes(der, scratch, n);
    kr_der_byte(der, 0); /* no unused bits */
    kr_der_head(der, 0x03, end);
    kr_der_head(der, 0xa1, end);
}

/* RFC 5915, 3: ECPrivateKey with the curve's name and the public point; the number is as wide as
 * the curve's order. */
static void ec_clear(struct kr_der *der, const EVP_PKEY *pkey, unsigned bits, uint8_t *scratch)
{
    static const uint8_t p256[] = {0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                   0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
    static const uint8_t p384[] = {0xa0, 0x07, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
    size_t width = bits / 8, end = der->at, n = 0, octets;

    ec_point(der, pkey, scratch);
    kr_der_bytes(der, bits == 256 ? p256 : p384, bits == 256 ? sizeof p256 : sizeof p384);
    octets = der->at;
    if (number(pkey, OSSL_PKEY_PARAM_PRIV_KEY, scratch, &n) != KLM_OK || n < width) {
        kr_der_fail(der, KLM_E_CRYPTO);
        return;
    }
    kr_der_bytes(der, scratch + n - width, width);
    kr_der_head(der, 0x04, octets);
    kr_der_bytes(der, (const uint8_t[]){0x02, 0x01, 0x01}, 3);
    kr_der_head(der, 0x30, end);
}

klm_rc kr_key_clear(const struct kr_key *key, struct kr_secret *out)
{
    KLM_AUTO(kr_secret_done) struct kr_secret scratch = {0};
    KLM_AUTO(kr_der_done) struct kr_der der = {.at = 0};

    if (key->far) {
        return KLM_E_UNSUPPORTED; /* what is here is its public half */
    }
    KLM_TRY(kr_der_init(KR_CLEAR_MAX, &der));
    KLM_TRY(kr_secret_new(NUMBER_MAX, &scratch));
    switch (key->spec.type) {
    case KR_AES:
        kr_der_bytes(&der, key->aes.p, key->aes.n);
        break;
    case KR_RSA:
        rsa_clear(&der, key->pkey, scratch.p);
        break;
    case KR_EC:
        ec_clear(&der, key->pkey, key->spec.bits, scratch.p);
        break;
    }
    return kr_der_get(&der, out);
}

klm_rc kr_key_from_clear(enum kr_type type, struct klm_slice clear, struct kr_key **out)
{
    struct kr_thread *thread;
    EVP_PKEY *pkey = NULL;

    if (type == KR_AES) {
        return kr_key_from_aes(clear, out);
    }
    KLM_TRY(kr_thread_get(&thread));
    KLM_TRY(kr_thread_decode(thread, type, clear, &pkey));
    return kr_key_from_pkey(pkey, out);
}
