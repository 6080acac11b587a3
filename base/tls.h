/* TLS contexts (OpenSSL 3). TLS 1.3 and, where a peer needs it, 1.2; no renegotiation, no compression,
 * no early data; one session ticket. Streams that use them are in base/stream.h. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include "base/msg.h"
#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>

struct evp_pkey_st;
struct x509_st;
struct ssl_st;
struct ssl_ctx_st;
struct klm_tls_ctx;

enum klm_tls_client_auth {
    KLM_TLS_AUTH_NONE = 0,
    KLM_TLS_AUTH_WANTED = 1,
    KLM_TLS_AUTH_REQUIRED = 2
};

struct klm_tls_config {
    bool server;
    int min_version, max_version;         /* 12 or 13 */
    const char *ciphers12;                /* OpenSSL cipher list for 1.2, NULL: ECDHE with AEAD */
    const char *suites13;                 /* OpenSSL cipher suites for 1.3, NULL: the library's */
    const char *groups, *sigalgs;         /* OpenSSL lists, NULL: the library's */
    enum klm_tls_client_auth client_auth; /* server: what is asked of clients */
    struct evp_pkey_st *key;      /* borrowed, referenced; NULL: no own certificate (client) */
    struct x509_st *cert;         /* borrowed */
    struct x509_st *const *chain; /* borrowed, sent after cert */
    size_t chain_n;
    struct x509_st *const *trust; /* borrowed: the authorities a peer may chain to */
    size_t trust_n;
    int security_level; /* OpenSSL's: 2 is usual, 1 allows 1024-bit RSA certificates */
    /* Server: take whatever certificate a client shows, also one it signed itself, if it is valid today and its key is strong enough for the security level.
     * That the client has its private key is proved; who it is is decided by the certificate's fingerprint elsewhere. trust is of no use then. */
    bool any_client;
    /* Of any_client: the key is of an elliptic curve of so many bits at least; 0: any kind of key. */
    unsigned client_ec_bits;
    /* Server: so many sessions at most are kept here to be resumed, the last used of them, and tickets hold their names; 0: they live in tickets, where the client has all of it. */
    unsigned sessions_max;
};

/* Build a context. KLM_E_CRYPTO with a message that names what OpenSSL refused. */
klm_rc klm_tls_ctx_new(const struct klm_tls_config *cfg, struct klm_diag *diag,
                       struct klm_tls_ctx **out) KLM_MUST_USE;
/* Contexts are counted, so that a refresh can swap one while sessions still use the old. */
struct klm_tls_ctx *klm_tls_ctx_ref(struct klm_tls_ctx *ctx);
void klm_tls_ctx_free(struct klm_tls_ctx **ctx);
/* The OpenSSL object, borrowed. */
struct ssl_ctx_st *klm_tls_ctx_ssl(struct klm_tls_ctx *ctx);

/* Exporter value (RFC 8446, 7.5; RFC 5705 for 1.2) for a label and context. */
klm_rc klm_tls_exporter(struct ssl_st *ssl, const char *label, struct klm_slice context,
                        uint8_t *out, size_t n) KLM_MUST_USE;
/* DER of the peer's certificate into the pool; KLM_E_NOTFOUND when it showed none. */
klm_rc klm_tls_peer_cert(struct ssl_st *ssl, struct klm_pool *pool, struct klm_slice *der)
    KLM_MUST_USE;

/* What the handshake asks of a client's certificate, asked again: a resumed session brings the one of its first handshake, unasked. Of contexts with any_client.
 * KLM_E_DENIED, *words (static) says why; KLM_OK also when none was shown and none is required. */
klm_rc klm_tls_recheck(const struct klm_tls_ctx *ctx, struct ssl_st *ssl, const char **words)
    KLM_MUST_USE;

/* OpenSSL's own words on its last failure, its queue emptied; for inserts. out of cap bytes, returned. */
const char *klm_openssl_error(char *out, size_t cap);

/* Around a step of a server's handshake on this thread, which must not use the private key: the step ends with SSL_ERROR_WANT_X509_LOOKUP where it would need it. */
void klm_tls_on_loop(bool here);

#endif
