/* What OpenSSL does for the helper: public keys in their standard form, and the padding that a token may not know. */
#define OPENSSL_SUPPRESS_DEPRECATED /* RSA_padding_check_PKCS1_OAEP_mgf1 has no successor that works without a key */
#include "keyring/p11/helper/pk.h"

#include "base/secret.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

static klm_rc put_spki(EVP_PKEY *pkey, uint8_t *out, size_t cap, size_t *n)
{
    unsigned char *at = out;
    int len = i2d_PUBKEY(pkey, NULL);

    if (len <= 0 || (size_t)len > cap) {
        return KLM_E_CRYPTO;
    }
    *n = (size_t)i2d_PUBKEY(pkey, &at);
    return KLM_OK;
}

static klm_rc from_params(const char *type, OSSL_PARAM *params, uint8_t *out, size_t cap, size_t *n)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    klm_rc rc = KLM_E_CRYPTO;

    if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1) {
        rc = put_spki(pkey, out, cap, n);
    }
    EVP_PKEY_free(pkey);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return rc;
}

klm_rc pk_spki_rsa(struct klm_slice modulus, struct klm_slice exponent, uint8_t *out, size_t cap,
                   size_t *n)
{
    BIGNUM *m = BN_bin2bn(modulus.p, (int)modulus.n, NULL);
    BIGNUM *e = BN_bin2bn(exponent.p, (int)exponent.n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    klm_rc rc;

    if (m && e && build && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, m) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1) {
        params = OSSL_PARAM_BLD_to_param(build);
    }
    rc = from_params("RSA", params, out, cap, n);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(m);
    BN_free(e);
    return rc;
}

klm_rc pk_spki_ec(unsigned bits, struct klm_slice point, uint8_t *out, size_t cap, size_t *n)
{
    char group[] = "P-256";
    OSSL_PARAM params[3];

    if (bits == 384) {
        memcpy(group, "P-384", sizeof group);
    }
    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
    params[1] =
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, pk_unconst(point.p), point.n);
    params[2] = OSSL_PARAM_construct_end();
    return from_params("EC", params, out, cap, n);
}

klm_rc pk_oaep_undo(uint8_t *block, size_t block_n, struct klm_slice context, size_t *n)
{
    uint8_t *clear = klm_secret_alloc(block_n);
    int len = -1;

    if (clear) {
        len = RSA_padding_check_PKCS1_OAEP_mgf1(clear, (int)block_n, block, (int)block_n,
                                                (int)block_n, context.p, (int)context.n,
                                                EVP_sha256(), EVP_sha256());
    }
    klm_wipe(block, block_n);
    if (len >= 0) {
        memcpy(block, clear, (size_t)len);
        *n = (size_t)len;
    }
    klm_secret_free(clear, block_n);
    ERR_clear_error();
    return len >= 0 ? KLM_OK : KLM_E_CRYPTO;
}
