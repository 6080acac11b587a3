/* Files that certificates come and go in: one in DER or PEM, several in PKCS #7 (RFC 2315, certificates alone), with the private key in PKCS #12. */
#include "keyring/internal.h"

#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <string.h>
#include <strings.h>

KR_OSSL_DONE(done_pkcs7, PKCS7, PKCS7_free)

klm_rc kr_format_find(const char *name, enum kr_format *out)
{
    static const char *const names[] = {
        [KR_CERTDER] = "CERTDER",   [KR_CERTB64] = "CERTB64",     [KR_PKCS7DER] = "PKCS7DER",
        [KR_PKCS7B64] = "PKCS7B64", [KR_PKCS12DER] = "PKCS12DER", [KR_PKCS12B64] = "PKCS12B64",
    };

    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        if (strcasecmp(name, names[i]) == 0) {
            *out = (enum kr_format)i;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

klm_rc kr_package_add(struct kr_package *package, X509 *x509, struct klm_pool *pool)
{
    if (package->n == KR_PACKAGE_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_x509_der(x509, pool, &package->cert[package->n]));
    package->n++;
    return KLM_OK;
}

/* ---- Relations of certificates */

bool kr_same_key(struct klm_slice a, struct klm_slice b)
{
    KLM_AUTO(kr_done_x509) X509 *first = NULL;
    KLM_AUTO(kr_done_x509) X509 *second = NULL;
    uint8_t hash[2][32];

    return kr_x509(a, &first) == KLM_OK && kr_x509(b, &second) == KLM_OK &&
           kr_spki_hash(first, hash[0]) == KLM_OK && kr_spki_hash(second, hash[1]) == KLM_OK &&
           memcmp(hash[0], hash[1], 32) == 0;
}

bool kr_same_subject(struct klm_slice a, struct klm_slice b)
{
    KLM_AUTO(kr_done_x509) X509 *first = NULL;
    KLM_AUTO(kr_done_x509) X509 *second = NULL;

    return kr_x509(a, &first) == KLM_OK && kr_x509(b, &second) == KLM_OK &&
           X509_NAME_cmp(X509_get_subject_name(first), X509_get_subject_name(second)) == 0;
}

/* Was b signed by a, which is another one? */
static bool signed_by(struct klm_slice a, struct klm_slice b)
{
    KLM_AUTO(kr_done_x509) X509 *issuer = NULL;
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    EVP_PKEY *pub;
    bool is;

    if (klm_slice_equal(a, b) || kr_x509(a, &issuer) != KLM_OK || kr_x509(b, &x509) != KLM_OK) {
        return false;
    }
    pub = X509_get0_pubkey(issuer);
    is = X509_NAME_cmp(X509_get_subject_name(issuer), X509_get_issuer_name(x509)) == 0 && pub &&
         X509_verify(x509, pub) == 1;
    ERR_clear_error();
    return is;
}

static bool self_signed(struct klm_slice der)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;
    bool is = kr_x509(der, &x509) == KLM_OK && X509_self_signed(x509, 1) == 1;

    ERR_clear_error();
    return is;
}

/* ---- Reading */

static klm_rc not_one(struct klm_diag *diag, const char *why)
{
    return kr_quiet(klm_fail(diag, KLM_E_INVALID, KLM_MSG_PACKAGE_NOT, why));
}

static klm_rc read_pkcs7(struct klm_slice in, struct klm_pool *pool, struct klm_diag *diag,
                         struct kr_package *out)
{
    const unsigned char *p = in.p;
    KLM_AUTO(done_pkcs7) PKCS7 *p7 = d2i_PKCS7(NULL, &p, (long)in.n);
    STACK_OF(X509) * certs;

    if (!p7 || p != in.p + in.n || !PKCS7_type_is_signed(p7) || !p7->d.sign) {
        return not_one(diag, "it is neither a certificate nor a PKCS #7 or PKCS #12 package");
    }
    certs = p7->d.sign->cert;
    if (sk_X509_num(certs) <= 0) {
        return not_one(diag, "it holds no certificate");
    }
    for (int i = 0; i < sk_X509_num(certs); i++) {
        klm_rc rc = kr_package_add(out, sk_X509_value(certs, i), pool);

        if (rc == KLM_E_LIMIT) {
            return klm_fail(diag, rc, KLM_MSG_PACKAGE_MANY, KLM_NUM(KR_PACKAGE_MAX));
        }
        KLM_TRY(rc);
    }
    return kr_quiet(KLM_OK);
}

/* RFC 7292, 4: SEQUENCE, then version 3; a PKCS #7 has an object identifier there. */
static bool is_pkcs12(struct klm_slice in)
{
    size_t at = in.n > 2 && in.p[0] == 0x30 ? 2 + (in.p[1] & 0x80 ? in.p[1] & 0x7fu : 0) : in.n;

    return at + 3 <= in.n && in.p[at] == 0x02 && in.p[at + 1] == 0x01 && in.p[at + 2] == 0x03;
}

static klm_rc read_der(struct klm_slice in, const char *password, struct klm_pool *pool,
                       struct klm_diag *diag, struct kr_package *out)
{
    KLM_AUTO(kr_done_x509) X509 *x509 = NULL;

    if (is_pkcs12(in)) {
        return kr_pkcs12_read(in, password, pool, diag, out);
    }
    if (kr_x509(in, &x509) == KLM_OK) {
        return kr_package_add(out, x509, pool);
    }
    return read_pkcs7(in, pool, diag, out);
}

/* The bytes of the one block of a PEM that is no single certificate. */
static klm_rc unarmour(struct klm_slice in, struct klm_pool *pool, struct klm_diag *diag,
                       struct klm_slice *out)
{
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new_mem_buf(in.p, (int)in.n);
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long n = 0;
    klm_rc rc = KLM_E_INVALID;

    if (bio && PEM_read_bio(bio, &name, &header, &data, &n) == 1 && !*header && kr_pem_ended(bio)) {
        rc = klm_pool_slice(pool, KLM_SLICE(data, (size_t)n), out);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    return rc == KLM_E_INVALID ? not_one(diag, "its text is not one block of base64") : rc;
}

/* Base64 without lines around it, as openssl base64 writes it. A SEQUENCE of more than 127 bytes begins with M there. */
static bool is_bare(struct klm_slice in)
{
    static const char text[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n";

    for (size_t i = 0; i < in.n; i++) {
        if (!memchr(text, in.p[i], sizeof text - 1)) {
            return false;
        }
    }
    return in.p[0] == 'M';
}

static klm_rc unbase64(struct klm_slice in, struct klm_pool *pool, struct klm_diag *diag,
                       struct klm_slice *out)
{
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    uint8_t *bytes = klm_pool_alloc(pool, in.n + 64);
    int n = 0, rest = 0;
    bool good;

    if (!ctx || !bytes) {
        EVP_ENCODE_CTX_free(ctx);
        return KLM_E_NOMEM;
    }
    EVP_DecodeInit(ctx);
    good = EVP_DecodeUpdate(ctx, bytes, &n, in.p, (int)in.n) >= 0 &&
           EVP_DecodeFinal(ctx, bytes + n, &rest) == 1;
    EVP_ENCODE_CTX_free(ctx);
    if (!good) {
        return not_one(diag, "its text is not one block of base64");
    }
    *out = KLM_SLICE(bytes, (size_t)n + (size_t)rest);
    return KLM_OK;
}

static void to_front(struct kr_package *package, size_t at)
{
    struct klm_slice first = package->cert[at];

    memmove(package->cert + 1, package->cert, at * sizeof *package->cert);
    package->cert[0] = first;
}

/* The certificate it is about: that of the key, else the one that signed none of the others. */
static klm_rc find_first(struct kr_package *package, struct klm_diag *diag)
{
    for (size_t i = 0; i < package->n; i++) {
        bool is = !package->key || kr_cert_fits(package->cert[i], package->key) == KLM_OK;

        for (size_t k = 0; is && !package->key && k < package->n; k++) {
            is = !signed_by(package->cert[i], package->cert[k]);
        }
        if (is) {
            to_front(package, i);
            return KLM_OK;
        }
    }
    return not_one(diag, package->key ? "its private key belongs to none of its certificates"
                                      : "it holds no certificate of its own");
}

klm_rc kr_package_read(struct klm_slice in, const char *password, struct klm_pool *pool,
                       struct klm_diag *diag, struct kr_package *out)
{
    struct kr_package got = {0};
    klm_rc rc;

    if (in.n == 0 || in.n > KR_DER_MAX) {
        return in.n ? klm_fail(diag, KLM_E_LIMIT, KLM_MSG_CERT_LONG, KLM_NUM(KR_DER_MAX))
                    : not_one(diag, "it is empty");
    }
    if (kr_is_pem(in)) {
        if (memmem(in.p, in.n, "BEGIN CERTIFICATE", 17)) {
            KLM_TRY(kr_cert_parse(in, pool, &got.cert[0], diag));
            got.n = 1;
            *out = got;
            return KLM_OK;
        }
        KLM_TRY(unarmour(in, pool, diag, &in));
    } else if (is_bare(in)) {
        KLM_TRY(unbase64(in, pool, diag, &in));
    }
    rc = read_der(in, password, pool, diag, &got);
    if (rc == KLM_OK) {
        rc = find_first(&got, diag);
    }
    if (rc != KLM_OK) {
        kr_key_free(&got.key);
        return rc;
    }
    *out = got;
    return KLM_OK;
}

/* ---- Writing */

static klm_rc write_pkcs7(const struct kr_package *package, struct klm_pool *pool,
                          struct klm_slice *out)
{
    KLM_AUTO(done_pkcs7) PKCS7 *p7 = PKCS7_new();
    unsigned char *der = NULL;
    klm_rc rc;
    int n;

    if (!p7 || PKCS7_set_type(p7, NID_pkcs7_signed) != 1) {
        return kr_quiet(KLM_E_NOMEM);
    }
    p7->d.sign->contents->type =
        OBJ_nid2obj(NID_pkcs7_data); /* and no content: certificates alone */
    for (size_t i = 0; i < package->n; i++) {
        KLM_AUTO(kr_done_x509) X509 *x509 = NULL;

        KLM_TRY(kr_x509(package->cert[i], &x509));
        if (PKCS7_add_certificate(p7, x509) != 1) {
            return kr_quiet(KLM_E_NOMEM);
        }
    }
    n = i2d_PKCS7(p7, &der);
    rc = n > 0 ? klm_pool_slice(pool, KLM_SLICE(der, (size_t)n), out) : kr_quiet(KLM_E_NOMEM);
    OPENSSL_free(der);
    return rc;
}

static klm_rc armour(const char *name, struct klm_slice der, struct klm_pool *pool,
                     struct klm_slice *out)
{
    KLM_AUTO(kr_done_bio) BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;

    if (!bio || PEM_write_bio(bio, name, "", der.p, (long)der.n) <= 0) {
        return kr_quiet(KLM_E_NOMEM);
    }
    n = BIO_get_mem_data(bio, &text);
    return klm_pool_slice(pool, KLM_SLICE(text, (size_t)n), out);
}

static klm_rc write_pkcs12(const struct kr_package *package, const char *label,
                           const char *password, struct klm_pool *pool, struct klm_diag *diag,
                           struct klm_slice *out)
{
    if (!password || !*password) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_PACKAGE_NEEDS_PASSWORD);
    }
    return package->key ? kr_pkcs12_write(package, label, password, pool, out) : KLM_E_INTERNAL;
}

klm_rc kr_package_write(const struct kr_package *package, enum kr_format format, const char *label,
                        const char *password, struct klm_pool *pool, struct klm_diag *diag,
                        struct klm_slice *out)
{
    struct klm_slice der;

    switch (format) {
    case KR_CERTDER:
        *out = package->cert[0];
        return KLM_OK;
    case KR_CERTB64:
        return armour("CERTIFICATE", package->cert[0], pool, out);
    case KR_PKCS7DER:
        return write_pkcs7(package, pool, out);
    case KR_PKCS7B64:
        KLM_TRY(write_pkcs7(package, pool, &der));
        return armour("PKCS7", der, pool, out);
    case KR_PKCS12DER:
        return write_pkcs12(package, label, password, pool, diag, out);
    case KR_PKCS12B64:
        KLM_TRY(write_pkcs12(package, label, password, pool, diag, &der));
        return armour("PKCS12", der, pool, out);
    }
    return KLM_E_INTERNAL;
}

/* ---- The way to the authority */

struct search {
    struct klm_slice of;
    struct klm_pool *pool;
    struct klm_slice found;
};

static klm_rc look(void *arg, const struct kr_cert *cert)
{
    struct search *search = arg;

    if (cert->der.n == 0 || !signed_by(cert->der, search->of)) {
        return KLM_OK;
    }
    KLM_TRY(klm_pool_slice(search->pool, cert->der, &search->found));
    return KLM_E_EXISTS; /* ends the scan */
}

klm_rc kr_package_chain(struct st_view *view, struct klm_pool *pool, struct kr_package *package)
{
    static const char *const owners[] = {"CERTAUTH", "SITE"};

    while (package->n < KR_PACKAGE_MAX) {
        struct search search = {package->cert[package->n - 1], pool, {0}};

        if (self_signed(search.of)) {
            return KLM_OK;
        }
        for (size_t i = 0; i < KLM_COUNT(owners) && search.found.n == 0; i++) {
            klm_rc rc = kr_cert_scan(view, owners[i], look, &search);

            KLM_TRY(rc == KLM_E_EXISTS ? KLM_OK : rc);
        }
        if (search.found.n == 0) {
            return KLM_OK;
        }
        package->cert[package->n++] = search.found;
    }
    return KLM_OK;
}
