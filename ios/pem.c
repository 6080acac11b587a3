/* Keys and certificates of devices as files. */
#include "ios/pem.h"

#include "base/file.h"
#include "base/tls.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <strings.h>
#include <sys/stat.h>

/* ---- Keys */

klm_rc ios_pem_failed(struct klm_diag *diag)
{
    char text[160];

    return klm_fail(diag, KLM_E_CRYPTO, KLM_MSG_IOS_MAKE, klm_openssl_error(text, sizeof text));
}

klm_rc ios_pem_key_make(const char *type, struct klm_diag *diag, EVP_PKEY **out)
{
    static const struct {
        const char *name, *curve;
        unsigned bits;
    } types[] = {{"ec:P-256", "P-256", 0},
                 {"ec:P-384", "P-384", 0},
                 {"rsa:2048", NULL, 2048},
                 {"rsa:3072", NULL, 3072},
                 {"rsa:4096", NULL, 4096}};
    size_t i = 0;
    EVP_PKEY *key;

    while (i < KLM_COUNT(types) && strcasecmp(type, types[i].name)) {
        i++;
    }
    if (i == KLM_COUNT(types)) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_KEY_TYPE, type);
    }
    key = types[i].curve ? EVP_EC_gen(types[i].curve) : EVP_RSA_gen(types[i].bits);
    if (!key) {
        return ios_pem_failed(diag);
    }
    *out = key;
    return KLM_OK;
}

static klm_rc bio_to_buf(BIO *bio, struct klm_buf *out)
{
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);

    klm_buf_put(out, text, (size_t)n);
    return klm_buf_rc(out);
}

klm_rc ios_pem_request_text(X509_REQ *request, struct klm_buf *out, struct klm_diag *diag)
{
    BIO *bio = BIO_new(BIO_s_mem());
    klm_rc rc = KLM_E_CRYPTO;

    if (bio && PEM_write_bio_X509_REQ(bio, request) == 1) {
        rc = bio_to_buf(bio, out);
    }
    BIO_free(bio);
    return rc == KLM_OK ? KLM_OK : ios_pem_failed(diag);
}

klm_rc ios_pem_key_text(EVP_PKEY *key, struct klm_buf *out, struct klm_diag *diag)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    klm_rc rc = KLM_E_CRYPTO;

    if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1) {
        rc = bio_to_buf(bio, out);
    }
    BIO_free(bio);
    return rc == KLM_OK ? KLM_OK : ios_pem_failed(diag);
}

/* Like a password, a private key that others can read is not used. */
static klm_rc check_mode(const char *path, struct klm_diag *diag)
{
    struct stat st;

    if (stat(path, &st) == 0 && (st.st_mode & 077)) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_IOS_KEY_MODE, path);
    }
    return KLM_OK; /* what is not there is told when it is opened */
}

static int no_password(char *buf, int size, int writing, void *arg)
{
    (void)buf, (void)size, (void)writing, (void)arg;
    return -1;
}

klm_rc ios_pem_key_load(const char *path, struct klm_diag *diag, EVP_PKEY **out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    char why[160];
    EVP_PKEY *key;
    BIO *bio;

    klm_buf_init_wiping(&text, IOS_PEM_FILE_MAX);
    KLM_TRY(check_mode(path, diag));
    KLM_TRY(klm_file_read(path, IOS_PEM_FILE_MAX, &text, diag));
    bio = BIO_new_mem_buf(text.p ? text.p : (const uint8_t *)"", (int)text.n);
    key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    if (!key) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_KEY, path,
                        klm_openssl_error(why, sizeof why));
    }
    *out = key;
    return KLM_OK;
}

/* ---- Certificates */

static klm_rc not_certificate(const char *path, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_INVALID, KLM_MSG_IOS_CERT, path, why);
}

static klm_rc parse_certs(struct klm_slice in, const char *path, X509 **out, size_t cap, size_t *n,
                          struct klm_diag *diag)
{
    const unsigned char *p = in.p;
    BIO *bio = BIO_new_mem_buf(in.p ? in.p : (const uint8_t *)"", (int)in.n);
    X509 *one = in.p && in.n && in.p[0] == 0x30 ? d2i_X509(NULL, &p, (long)in.n) : NULL;
    size_t found = 0;
    bool more;

    if (one && p == in.p + in.n) {
        out[found++] = one;
        one = NULL;
    }
    X509_free(one);
    while (bio && found < cap && (one = PEM_read_bio_X509(bio, NULL, no_password, NULL))) {
        out[found++] = one;
    }
    more = found == cap && bio && (one = PEM_read_bio_X509(bio, NULL, no_password, NULL));
    if (more) {
        X509_free(one);
    }
    BIO_free(bio);
    ERR_clear_error();
    *n = found;
    if (more) {
        return not_certificate(path, "it holds too many", diag);
    }
    return found ? KLM_OK : not_certificate(path, "it is neither DER nor PEM", diag);
}

klm_rc ios_pem_certs_load(const char *path, X509 **out, size_t cap, size_t *n,
                          struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init(&text, IOS_PEM_FILE_MAX);
    KLM_TRY(klm_file_read(path, IOS_PEM_FILE_MAX, &text, diag));
    return parse_certs(klm_buf_as_slice(&text), path, out, cap, n, diag);
}

klm_rc ios_pem_certs_save(const char *path, X509 *const *certs, size_t n, struct klm_diag *diag)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    bool good = bio != NULL;
    klm_rc rc = KLM_E_NOMEM;

    for (size_t i = 0; good && i < n; i++) {
        good = PEM_write_bio_X509(bio, certs[i]) == 1;
    }
    if (good) {
        long len = BIO_get_mem_data(bio, &text);

        rc = klm_file_replace(path, KLM_SLICE(text, (size_t)len), 0644, diag);
    }
    BIO_free(bio);
    return rc;
}

bool ios_pem_chains(X509 *cert, X509 *const *ca, size_t ca_n, const char **why)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = store && ctx;

    *why = "no memory";
    for (size_t i = 0; good && i < ca_n; i++) {
        good = X509_STORE_add_cert(store, ca[i]) == 1;
    }
    if (good && X509_STORE_CTX_init(ctx, store, cert, NULL) == 1) {
        good = X509_verify_cert(ctx) == 1;
        *why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return good;
}
