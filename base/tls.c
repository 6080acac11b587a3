/* TLS contexts and the few questions asked of a connection. */
#include "base/tls.h"

#include "base/clock.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CIPHERS12 "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
#define TICKET_SECONDS 3600
#define CHAIN_BYTES_MAX 32768 /* of all that a client shows, where nobody asks who signed it */

struct klm_tls_ctx {
    SSL_CTX *ssl;
    atomic_uint refs;
    bool any_client, required; /* and what klm_tls_recheck asks */
    int key_bits;              /* strength of the key in OpenSSL's measure */
    int ec_bits;               /* 0: any kind of key */
};

const char *klm_openssl_error(char *out, size_t cap)
{
    unsigned long err = ERR_peek_last_error();
    const char *reason = err ? ERR_reason_error_string(err) : NULL;
    const char *lib = err ? ERR_lib_error_string(err) : NULL;

    if (reason) {
        snprintf(out, cap, "%s (%s)", reason, lib ? lib : "unknown library");
    } else if (err) {
        snprintf(out, cap, "error %08lX", err);
    } else {
        snprintf(out, cap, "no reason given");
    }
    ERR_clear_error();
    return out;
}

static klm_rc refused(struct klm_diag *diag, const char *what)
{
    char text[160];

    return klm_fail(diag, KLM_E_CRYPTO, KLM_MSG_TLS_CONTEXT, what,
                    klm_openssl_error(text, sizeof text));
}

static int version_of(int version)
{
    return version == 12 ? TLS1_2_VERSION : version == 13 ? TLS1_3_VERSION : 0;
}

static klm_rc set_protocol(SSL_CTX *ssl, const struct klm_tls_config *cfg, struct klm_diag *diag)
{
    int min = version_of(cfg->min_version), max = version_of(cfg->max_version);

    if (!min || !max || min > max || SSL_CTX_set_min_proto_version(ssl, min) != 1 ||
        SSL_CTX_set_max_proto_version(ssl, max) != 1) {
        return refused(diag, "protocol versions");
    }
    SSL_CTX_set_security_level(ssl, cfg->security_level);
    if (SSL_CTX_set_cipher_list(ssl, cfg->ciphers12 ? cfg->ciphers12 : CIPHERS12) != 1) {
        return refused(diag, "cipher list");
    }
    if (cfg->suites13 && SSL_CTX_set_ciphersuites(ssl, cfg->suites13) != 1) {
        return refused(diag, "cipher suites");
    }
    return KLM_OK;
}

/* OpenSSL wants these lists in memory that it may change, by its types. */
static klm_rc set_curves(SSL_CTX *ssl, const struct klm_tls_config *cfg, struct klm_diag *diag)
{
    char list[128];

    snprintf(list, sizeof list, "%s", cfg->groups ? cfg->groups : "");
    if (cfg->groups && SSL_CTX_set1_groups_list(ssl, list) != 1) {
        return refused(diag, "groups");
    }
    snprintf(list, sizeof list, "%s", cfg->sigalgs ? cfg->sigalgs : "");
    if (cfg->sigalgs && SSL_CTX_set1_sigalgs_list(ssl, list) != 1) {
        return refused(diag, "signature algorithms");
    }
    return KLM_OK;
}

static klm_rc set_own(SSL_CTX *ssl, const struct klm_tls_config *cfg, struct klm_diag *diag)
{
    if (!cfg->cert || !cfg->key) {
        /* A server without a certificate would fail at each handshake; it is refused here, once. */
        return cfg->server ? refused(diag, "missing own certificate or key") : KLM_OK;
    }
    if (SSL_CTX_use_certificate(ssl, cfg->cert) != 1) {
        return refused(diag, "own certificate");
    }
    if (SSL_CTX_use_PrivateKey(ssl, cfg->key) != 1 || SSL_CTX_check_private_key(ssl) != 1) {
        return refused(diag, "private key of own certificate");
    }
    for (size_t i = 0; i < cfg->chain_n; i++) {
        if (SSL_CTX_add1_chain_cert(ssl, cfg->chain[i]) != 1) {
            return refused(diag, "certificate chain");
        }
    }
    return KLM_OK;
}

/* ---- Clients that may show any certificate */

/* Is the key of the kind and strength that is asked? As OpenSSL measures: RSA of 2048 bits is 112, P-256 is 128. */
static bool strong_enough(const struct klm_tls_ctx *ctx, X509 *cert)
{
    EVP_PKEY *key = X509_get0_pubkey(cert);

    if (!key || EVP_PKEY_get_security_bits(key) < ctx->key_bits) {
        return false;
    }
    return ctx->ec_bits == 0 ||
           (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) >= ctx->ec_bits);
}

/* X509_V_OK, or what is wrong with it today. */
static int judge(const struct klm_tls_ctx *ctx, X509 *cert)
{
    time_t now = (time_t)(klm_clock() / 1000000);

    const int from = X509_cmp_time(X509_get0_notBefore(cert), &now); /* 0: it is no time */
    const int until = X509_cmp_time(X509_get0_notAfter(cert), &now);

    if (from == 0 || until == 0) {
        return from == 0 ? X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD
                         : X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
    }
    if (from > 0) {
        return X509_V_ERR_CERT_NOT_YET_VALID;
    }
    if (until < 0) {
        return X509_V_ERR_CERT_HAS_EXPIRED;
    }
    return strong_enough(ctx, cert) ? X509_V_OK : X509_V_ERR_EE_KEY_TOO_SMALL;
}

/* Nobody looks at what signed the certificate, and with the session all of it would be kept: two hundred small ones take the better part of a megabyte. */
static void forget_signers(X509_STORE_CTX *store)
{
    STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(store); /* the client's own first */

    while (sk_X509_num(shown) > 1) {
        X509_free(sk_X509_pop(shown));
    }
}

/* In the place of OpenSSL's own check of a chain. Its outcome becomes the alert that the client gets. */
static int check_any(X509_STORE_CTX *store, void *arg)
{
    forget_signers(store);
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    int why = cert ? judge(arg, cert) : X509_V_ERR_UNSPECIFIED;

    X509_STORE_CTX_set_error(store, why);
    return why == X509_V_OK;
}

klm_rc klm_tls_recheck(const struct klm_tls_ctx *ctx, struct ssl_st *ssl, const char **words)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    int why = X509_V_OK;

    if (!ctx->any_client) {
        return KLM_OK;
    }
    if (cert) {
        why = judge(ctx, cert);
    } else if (ctx->required) {
        *words = "no certificate was shown";
        return KLM_E_DENIED;
    }
    ERR_clear_error();
    if (why != X509_V_OK) {
        *words = X509_verify_cert_error_string(why);
        return KLM_E_DENIED;
    }
    return KLM_OK;
}

static _Thread_local bool on_loop;

void klm_tls_on_loop(bool here)
{
    on_loop = here;
}

/* Asked when a handshake is a full one, before the certificate is used. */
static int on_cert(SSL *ssl, void *arg)
{
    (void)ssl, (void)arg;
    return on_loop ? -1 : 1;
}

/* Security levels in bits, as SSL_CTX_set_security_level(3) has them. */
static int bits_of_level(int level)
{
    static const int bits[] = {0, 80, 112, 128, 192, 256};

    return bits[level < 0 ? 0 : level > 5 ? 5 : level];
}

static void take_any(struct klm_tls_ctx *ctx, const struct klm_tls_config *cfg)
{
    ctx->any_client = cfg->server && cfg->any_client && cfg->client_auth != KLM_TLS_AUTH_NONE;
    ctx->required = cfg->client_auth == KLM_TLS_AUTH_REQUIRED;
    ctx->key_bits = bits_of_level(cfg->security_level);
    ctx->ec_bits = (int)cfg->client_ec_bits;
    if (ctx->any_client) {
        SSL_CTX_set_cert_verify_callback(ctx->ssl, check_any, ctx);
        SSL_CTX_set_max_cert_list(ctx->ssl, CHAIN_BYTES_MAX);
    }
}

/* Roles (extended key usage) are checked where a peer's role is known, so any purpose passes here.
 */
static klm_rc set_peer(SSL_CTX *ssl, const struct klm_tls_config *cfg, struct klm_diag *diag)
{
    bool asks = !cfg->server || cfg->client_auth != KLM_TLS_AUTH_NONE;
    int mode = asks ? SSL_VERIFY_PEER : SSL_VERIFY_NONE;

    if (cfg->server && cfg->client_auth == KLM_TLS_AUTH_REQUIRED) {
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(ssl, mode, NULL);
    if (SSL_CTX_set_purpose(ssl, X509_PURPOSE_ANY) != 1) {
        return refused(diag, "purpose of certificates");
    }
    for (size_t i = 0; i < cfg->trust_n; i++) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), cfg->trust[i]) != 1) {
            return refused(diag, "trusted certificate");
        }
        if (cfg->server && asks && SSL_CTX_add_client_CA(ssl, cfg->trust[i]) != 1) {
            return refused(diag, "list of authorities for clients");
        }
    }
    return KLM_OK;
}

static klm_rc set_behaviour(SSL_CTX *ssl, const struct klm_tls_config *cfg, struct klm_diag *diag)
{
    static const unsigned char context[] = "klm";

    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_dh_auto(ssl, 1);
    /* Sessions live in tickets, or, where that is asked for, here. A new context forgets them all. */
    SSL_CTX_set_session_cache_mode(ssl, cfg->server && cfg->sessions_max ? SSL_SESS_CACHE_SERVER
                                                                         : SSL_SESS_CACHE_OFF);
    SSL_CTX_sess_set_cache_size(ssl, (long)cfg->sessions_max);
    if (cfg->sessions_max) {
        /* Of a session in a ticket OpenSSL 3.0 decodes the client's certificate anew each time, two thirds of the work of resuming it. With this option a ticket of TLS 1.3 is a
         * session's name (RFC 8446, 4.6.1), and clients of TLS 1.2 have its identifier (RFC 5246, 7.4.1.3). */
        SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
        /* A client that is gone without close_notify may come back: else the library takes that for an attack and forgets its session. Framing tells where a
         * message ends. */
        SSL_CTX_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
    }
    SSL_CTX_set_timeout(ssl, TICKET_SECONDS);
    if (cfg->server) {
        SSL_CTX_set_cert_cb(ssl, on_cert, NULL);
    }
    if (SSL_CTX_set_num_tickets(ssl, 1) != 1 || SSL_CTX_set_max_early_data(ssl, 0) != 1 ||
        SSL_CTX_set_recv_max_early_data(ssl, 0) != 1 ||
        SSL_CTX_set_session_id_context(ssl, context, sizeof context - 1) != 1) {
        return refused(diag, "session tickets");
    }
    return KLM_OK;
}

static klm_rc set_all(SSL_CTX *ssl, const struct klm_tls_config *cfg, struct klm_diag *diag)
{
    KLM_TRY(set_protocol(ssl, cfg, diag));
    KLM_TRY(set_curves(ssl, cfg, diag));
    KLM_TRY(set_own(ssl, cfg, diag));
    KLM_TRY(set_peer(ssl, cfg, diag));
    return set_behaviour(ssl, cfg, diag);
}

klm_rc klm_tls_ctx_new(const struct klm_tls_config *cfg, struct klm_diag *diag,
                       struct klm_tls_ctx **out)
{
    KLM_AUTO(klm_tls_ctx_free) struct klm_tls_ctx *ctx = calloc(1, sizeof *ctx);

    if (!ctx) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "TLS");
    }
    atomic_init(&ctx->refs, 1);
    ERR_clear_error();
    ctx->ssl = SSL_CTX_new(cfg->server ? TLS_server_method() : TLS_client_method());
    if (!ctx->ssl) {
        return refused(diag, "a new context");
    }
    KLM_TRY(set_all(ctx->ssl, cfg, diag));
    take_any(ctx, cfg);
    *out = ctx;
    ctx = NULL;
    return KLM_OK;
}

struct klm_tls_ctx *klm_tls_ctx_ref(struct klm_tls_ctx *ctx)
{
    if (ctx) {
        atomic_fetch_add_explicit(&ctx->refs, 1, memory_order_relaxed);
    }
    return ctx;
}

void klm_tls_ctx_free(struct klm_tls_ctx **ctx)
{
    if (!ctx || !*ctx) {
        return;
    }
    if (atomic_fetch_sub(&(*ctx)->refs, 1) == 1) {
        SSL_CTX_free((*ctx)->ssl);
        free(*ctx);
    }
    *ctx = NULL;
}

struct ssl_ctx_st *klm_tls_ctx_ssl(struct klm_tls_ctx *ctx)
{
    return ctx->ssl;
}

klm_rc klm_tls_exporter(struct ssl_st *ssl, const char *label, struct klm_slice context,
                        uint8_t *out, size_t n)
{
    static const uint8_t nothing[1];

    ERR_clear_error();
    if (SSL_export_keying_material(ssl, out, n, label, strlen(label),
                                   context.p ? context.p : nothing, context.n, 1) != 1) {
        ERR_clear_error();
        return KLM_E_CRYPTO;
    }
    return KLM_OK;
}

klm_rc klm_tls_peer_cert(struct ssl_st *ssl, struct klm_pool *pool, struct klm_slice *der)
{
    X509 *cert = SSL_get0_peer_certificate(ssl);
    unsigned char *bytes = NULL;
    int n;
    klm_rc rc;

    if (!cert) {
        return KLM_E_NOTFOUND;
    }
    n = i2d_X509(cert, &bytes);
    if (n < 0) {
        ERR_clear_error();
        return KLM_E_CRYPTO;
    }
    rc = klm_pool_slice(pool, KLM_SLICE(bytes, (size_t)n), der);
    OPENSSL_free(bytes);
    return rc;
}
