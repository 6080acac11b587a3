/* Certificates from outside and back: DER or PEM in, PEM out, and whether a key or a signature
 * belongs to one. */
#include "keyring/internal.h"

#include <openssl/rsa.h>

#include <ctype.h>
#include <limits.h>
#include <openssl/pem.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN "

bool kr_is_pem(struct klm_slice in)
{
    return in.n && memmem(in.p, in.n, PEM_BEGIN, sizeof PEM_BEGIN - 1) && in.p[0] != 0x30;
}

/* OpenSSL would ask at the terminal for the password of an encrypted block. */
int kr_no_password(char *buf, int size, int rwflag, void *arg)
{
    (void)buf, (void)size, (void)rwflag, (void)arg;
    return -1;
}

bool kr_pem_ended(BIO *bio)
{
    char rest[64];
    int n;

    while ((n = BIO_read(bio, rest, sizeof rest)) > 0) {
        for (int i = 0; i < n; i++) {
            if (!isspace((unsigned char)rest[i])) {
                return false;
            }
        }
    }
    return true;
}

static klm_rc from_pem(struct klm_slice in, struct klm_pool *pool, struct klm_slice *der,
                       struct klm_diag *diag)
{
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new_mem_buf(in.p, (int)in.n);
    KLM_AUTO(kr_done_x509)
    X509 *x509 = bio ? PEM_read_bio_X509(bio, NULL, kr_no_password, NULL) : NULL;

    if (!x509) {
        return kr_quiet(
            klm_fail(diag, KLM_E_INVALID, KLM_MSG_CERT_NOT,
                     "the text between BEGIN CERTIFICATE and END CERTIFICATE cannot be read"));
    }
    ERR_clear_error();
    if (!kr_pem_ended(bio)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CERT_ONE);
    }
    return kr_x509_der(x509, pool, der);
}

static klm_rc from_der(struct klm_slice in, struct klm_pool *pool, struct klm_slice *der,
                       struct klm_diag *diag)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    klm_rc rc = kr_x509(in, &x509);

    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_CERT_NOT,
                        "it is neither PEM nor exactly one certificate in DER");
    }
    return klm_pool_slice(pool, in, der);
}

klm_rc kr_cert_parse(struct klm_slice in, struct klm_pool *pool, struct klm_slice *der,
                     struct klm_diag *diag)
{
    if (in.n == 0) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_CERT_NOT, "it is empty");
    }
    if (in.n > KR_DER_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_CERT_LONG, KLM_NUM(KR_DER_MAX));
    }
    return kr_is_pem(in) ? from_pem(in, pool, der, diag) : from_der(in, pool, der, diag);
}

/* RFC 7468, 2 and 5.1: strict form, 64 characters a line. */
klm_rc kr_cert_pem(struct klm_slice der, struct klm_buf *out)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;

    KLM_TRY(kr_x509(der, &x509));
    if (!bio || PEM_write_bio_X509(bio, x509) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    n = BIO_get_mem_data(bio, &text);
    klm_buf_put(out, text, (size_t)n);
    return klm_buf_rc(out);
}

klm_rc kr_cert_fits(struct klm_slice der, struct kr_key *key)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;

    KLM_TRY(kr_x509(der, &x509));
    if (!key->pkey || X509_check_private_key(x509, key->pkey) != 1) {
        return kr_quiet(KLM_E_WRONGKEY);
    }
    return KLM_OK;
}

/* exchange/PROTOCOL.md, 1.4: RSASSA-PSS with SHA-256, MGF1-SHA-256 and a salt of 32 bytes; EC
 * keys have one scheme. */
static bool scheme(EVP_PKEY_CTX *ctx, const struct kr_spec *spec)
{
    return spec->type != KR_RSA || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                                    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, 32) == 1);
}

klm_rc kr_cert_verify(struct klm_slice der, struct klm_slice data, struct klm_slice signature)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    KLM_AUTO(kr_done_md) EVP_MD_CTX *md = EVP_MD_CTX_new();
    EVP_PKEY_CTX *ctx = NULL;
    struct kr_spec spec;
    EVP_PKEY *pub;

    KLM_TRY(kr_x509(der, &x509));
    pub = X509_get0_pubkey(x509);
    if (!pub || kr_pkey_spec(pub, &spec) != KLM_OK) {
        return kr_quiet(KLM_E_UNSUPPORTED);
    }
    if (!md) {
        return KLM_E_NOMEM;
    }
    if (EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, pub) != 1 || !scheme(ctx, &spec) ||
        EVP_DigestVerify(md, signature.p, signature.n, data.p, data.n) != 1) {
        return kr_quiet(KLM_E_CRYPTO);
    }
    return KLM_OK;
}
