/* Keys and certificates for the tests of TLS, made with the crypto library itself. */
#ifndef TESTS_UNIT_BASE_CERTS_H
#define TESTS_UNIT_BASE_CERTS_H

#include "test.h"

#include "base/tls.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct id {
    EVP_PKEY *key;
    X509 *cert;
};

static inline void id_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    REQUIRE(ext != NULL);
    X509_add_ext(cert, ext, -1);
    X509_EXTENSION_free(ext);
}

/* A certificate for key, signed by the authority (NULL: by itself, as an authority). eku may be
 * NULL. */
static inline X509 *id_cert(EVP_PKEY *key, const char *name, const struct id *ca, const char *eku)
{
    X509 *cert = X509_new();
    X509_NAME *subject = X509_NAME_new();

    REQUIRE(cert && subject);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1,
                               0);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1 + (long)strlen(name));
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_subject_name(cert, subject);
    X509_set_issuer_name(cert, ca ? X509_get_subject_name(ca->cert) : subject);
    X509_set_pubkey(cert, key);
    id_extension(cert, ca ? ca->cert : cert, NID_basic_constraints,
                 ca ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (eku) {
        id_extension(cert, ca ? ca->cert : cert, NID_ext_key_usage, eku);
    }
    REQUIRE(X509_sign(cert, ca ? ca->key : key, EVP_sha256()) > 0);
    X509_NAME_free(subject);
    return cert;
}

static inline struct id id_new(const char *name, const struct id *ca, const char *eku)
{
    struct id id = {EVP_EC_gen("P-256"), NULL};

    REQUIRE(id.key != NULL);
    id.cert = id_cert(id.key, name, ca, eku);
    return id;
}

static inline void id_done(struct id *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
    *id = (struct id){NULL, NULL};
}

/* Two authorities, a server and a client of the first, a stranger of the second; made once. They stay also where a test uses only some of them: what nobody points to would look like a leak. */
static struct id ca __attribute__((used)), other_ca __attribute__((used)),
    server_id __attribute__((used)), client_id __attribute__((used)),
    stranger_id __attribute__((used));

static inline void ids_make(void)
{
    if (!ca.key) {
        ca = id_new("Authority", NULL, NULL);
        other_ca = id_new("Other authority", NULL, NULL);
        server_id = id_new("Server", &ca, "serverAuth");
        /* A role of our own, which TLS has no name for. */
        client_id = id_new("Drive", &ca, "1.3.6.1.4.1.99999.1");
        stranger_id = id_new("Stranger", &other_ca, "clientAuth");
    }
}

static inline struct klm_tls_config server_config(enum klm_tls_client_auth auth)
{
    ids_make();
    return (struct klm_tls_config){.server = true,
                                   .min_version = 12,
                                   .max_version = 13,
                                   .client_auth = auth,
                                   .key = server_id.key,
                                   .cert = server_id.cert,
                                   .trust = &ca.cert,
                                   .trust_n = 1,
                                   .security_level = 2};
}

static inline struct klm_tls_config client_config(const struct id *id)
{
    ids_make();
    return (struct klm_tls_config){.min_version = 12,
                                   .max_version = 13,
                                   .key = id ? id->key : NULL,
                                   .cert = id ? id->cert : NULL,
                                   .trust = &ca.cert,
                                   .trust_n = 1,
                                   .security_level = 2};
}

static inline struct klm_tls_ctx *ctx_of(struct klm_tls_config cfg)
{
    struct klm_tls_ctx *ctx = NULL;
    struct klm_diag diag = {0};
    klm_rc rc = klm_tls_ctx_new(&cfg, &diag, &ctx);

    if (rc != KLM_OK) {
        printf("# %s\n", diag.text);
    }
    REQUIRE(rc == KLM_OK);
    return ctx;
}

#endif
