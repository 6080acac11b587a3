/* Checkpoints: the bytes that are signed, and the check of a signature with a certificate. */
#include "smf/sign.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define TITLE "klmsrv checkpoint 1"

klm_rc smf_checkpoint_message(const char *chain, const char *server_id, uint64_t last,
                              const uint8_t value[SMF_HASH_SIZE], struct klm_buf *out)
{
    size_t before = out->n;

    klm_buf_str16(out, TITLE);
    klm_buf_str16(out, chain);
    klm_buf_str16(out, server_id);
    klm_buf_u64(out, last);
    klm_buf_lp16(out, KLM_SLICE(value, SMF_HASH_SIZE));
    if (klm_buf_rc(out) != KLM_OK) {
        out->n = before;
    }
    return klm_buf_rc(out);
}

static const struct algorithm {
    const char *name, *digest;
    int key; /* EVP_PKEY_RSA, EVP_PKEY_EC */
} algorithms[] = {
    {"RSA-PSS-SHA256", "SHA256", EVP_PKEY_RSA},
    {"ECDSA-SHA256", "SHA256", EVP_PKEY_EC},
    {"ECDSA-SHA384", "SHA384", EVP_PKEY_EC},
};

static const struct algorithm *find(const char *name)
{
    for (size_t i = 0; i < KLM_COUNT(algorithms); i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            return &algorithms[i];
        }
    }
    return NULL;
}

/* PEM when it begins like that, else DER; nothing may be behind a DER certificate. NULL: neither. */
static X509 *read_cert(struct klm_slice cert)
{
    static const char begin[] = "-----BEGIN";
    const unsigned char *p = cert.p;
    X509 *x509 = NULL;
    BIO *bio;

    if (!cert.p || cert.n > 1 << 20) {
        return NULL;
    }
    if (!memmem(cert.p, cert.n, begin, sizeof begin - 1)) {
        x509 = d2i_X509(NULL, &p, (long)cert.n);
        if (x509 && p != cert.p + cert.n) {
            X509_free(x509);
            x509 = NULL;
        }
    } else if ((bio = BIO_new_mem_buf(cert.p, (int)cert.n)) != NULL) {
        x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }
    ERR_clear_error();
    return x509;
}

static bool is_cert(X509 *x509, const uint8_t fingerprint[SMF_FINGERPRINT_SIZE])
{
    uint8_t made[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    return X509_digest(x509, EVP_sha256(), made, &n) == 1 && n == SMF_FINGERPRINT_SIZE &&
           memcmp(made, fingerprint, n) == 0;
}

/* PSS with a salt as long as the digest, and MGF1 with the same digest (RFC 8017, 9.1: the usual choice). */
static bool set_padding(EVP_PKEY_CTX *ctx, int key)
{
    return key != EVP_PKEY_RSA ||
           (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
            EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

static klm_rc verify(EVP_PKEY *key, const struct algorithm *algorithm,
                     const struct smf_signature *signature, struct klm_slice message)
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx; /* belongs to md */
    klm_rc rc = KLM_E_CRYPTO;

    if (!md) {
        return KLM_E_NOMEM;
    }
    if (EVP_DigestVerifyInit_ex(md, &ctx, algorithm->digest, NULL, NULL, key, NULL) == 1 &&
        set_padding(ctx, algorithm->key)) {
        rc = EVP_DigestVerify(md, signature->bytes, signature->n, message.p, message.n) == 1
                 ? KLM_OK
                 : KLM_E_CORRUPT;
    }
    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return rc;
}

klm_rc smf_signature_check(const struct smf_signature *signature, struct klm_slice message,
                           struct klm_slice cert)
{
    const struct algorithm *algorithm = memchr(signature->algorithm, 0, sizeof signature->algorithm)
                                            ? find(signature->algorithm)
                                            : NULL;
    klm_rc rc = KLM_E_INVALID;
    EVP_PKEY *key;
    X509 *x509;

    if (!algorithm || signature->n > sizeof signature->bytes) {
        return KLM_E_INVALID;
    }
    x509 = read_cert(cert);
    if (!x509) {
        return KLM_E_INVALID;
    }
    key = is_cert(x509, signature->fingerprint) ? X509_get0_pubkey(x509) : NULL;
    if (key && EVP_PKEY_get_base_id(key) == algorithm->key) {
        rc = verify(key, algorithm, signature, message);
    }
    X509_free(x509);
    ERR_clear_error();
    return rc;
}
