/* TLS contexts. Both ends run here over a pair of memory BIOs. */
#include "certs.h"

#include "base/clock.h"
#include "base/secret.h"

struct ends {
    struct klm_tls_ctx *server_ctx, *client_ctx;
    SSL *server, *client;
};

static void ends_done(struct ends *e)
{
    SSL_free(e->server);
    SSL_free(e->client);
    klm_tls_ctx_free(&e->server_ctx);
    klm_tls_ctx_free(&e->client_ctx);
    ERR_clear_error();
}

/* True when the handshake succeeds at both ends. */
static bool shake(struct ends *e, struct klm_tls_config server, struct klm_tls_config client)
{
    BIO *a = NULL, *b = NULL;
    int s = 0, c = 0;

    *e = (struct ends){.server_ctx = ctx_of(server), .client_ctx = ctx_of(client)};
    e->server = SSL_new(klm_tls_ctx_ssl(e->server_ctx));
    e->client = SSL_new(klm_tls_ctx_ssl(e->client_ctx));
    REQUIRE(e->server && e->client && BIO_new_bio_pair(&a, 0, &b, 0) == 1);
    SSL_set_bio(e->server, a, a);
    SSL_set_bio(e->client, b, b);
    SSL_set_accept_state(e->server);
    SSL_set_connect_state(e->client);
    for (int i = 0; i < 10 && (s != 1 || c != 1); i++) {
        c = SSL_do_handshake(e->client);
        s = SSL_do_handshake(e->server);
    }
    return s == 1 && c == 1;
}

TEST(both_ends_agree_on_tls_13_and_see_each_other)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice der = {0};
    struct ends e;
    unsigned char *expected = NULL;

    ids_make();
    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK(shake(&e, server_config(KLM_TLS_AUTH_REQUIRED), client_config(&client_id)));
    CHECK_STR(SSL_get_version(e.server), "TLSv1.3");
    REQUIRE_OK(klm_tls_peer_cert(e.server, pool, &der));
    REQUIRE(i2d_X509(client_id.cert, &expected) == (int)der.n);
    CHECK_MEM(der.p, expected, der.n);
    OPENSSL_free(expected);
    ends_done(&e);
}

TEST(where_a_certificate_is_wanted_none_is_accepted_and_none_is_found)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice der = KLM_SLICE("x", 1);
    struct ends e;

    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK(shake(&e, server_config(KLM_TLS_AUTH_WANTED), client_config(NULL)));
    CHECK_RC(klm_tls_peer_cert(e.server, pool, &der), KLM_E_NOTFOUND);
    CHECK_INT(der.n, 1);
    ends_done(&e);
}

TEST(where_a_certificate_is_required_none_is_refused)
{
    struct ends e;

    CHECK(!shake(&e, server_config(KLM_TLS_AUTH_REQUIRED), client_config(NULL)));
    ends_done(&e);
}

TEST(a_certificate_of_a_strange_authority_is_refused_even_where_none_is_required)
{
    struct klm_tls_config client;
    struct ends e;

    client = client_config(&stranger_id);
    CHECK(!shake(&e, server_config(KLM_TLS_AUTH_WANTED), client));
    ends_done(&e);
    CHECK(!shake(&e, server_config(KLM_TLS_AUTH_REQUIRED), client));
    ends_done(&e);
}

TEST(without_authorities_nobody_is_trusted)
{
    struct klm_tls_config server = server_config(KLM_TLS_AUTH_REQUIRED),
                          client = client_config(&client_id);
    struct ends e;

    server.trust_n = 0;
    CHECK(!shake(&e, server, client));
    ends_done(&e);
    client.trust_n = 0;
    CHECK(!shake(&e, server_config(KLM_TLS_AUTH_NONE), client));
    ends_done(&e);
}

TEST(a_key_certificate_is_no_authority)
{
    struct klm_tls_config client;
    struct ends e;
    struct id below;

    ids_make();
    below = id_new("Below", &client_id, NULL);
    client = client_config(&below);
    client.chain = &client_id.cert;
    client.chain_n = 1;
    CHECK(!shake(&e, server_config(KLM_TLS_AUTH_REQUIRED), client));
    ends_done(&e);
    id_done(&below);
}

TEST(the_server_names_the_authorities_it_accepts)
{
    struct ends e;
    const STACK_OF(X509_NAME) * names;

    CHECK(shake(&e, server_config(KLM_TLS_AUTH_WANTED), client_config(&client_id)));
    names = SSL_get0_peer_CA_list(e.client);
    REQUIRE(names && sk_X509_NAME_num(names) == 1);
    CHECK(X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(ca.cert)) == 0);
    ends_done(&e);
}

TEST(versions_are_kept_to)
{
    struct klm_tls_config server = server_config(KLM_TLS_AUTH_NONE), client = client_config(NULL);
    struct ends e;

    client.max_version = 12;
    CHECK(shake(&e, server, client));
    CHECK_STR(SSL_get_version(e.server), "TLSv1.2");
    ends_done(&e);
    server.min_version = 13;
    CHECK(!shake(&e, server, client));
    ends_done(&e);
}

TEST(tls_12_agrees_on_forward_secrecy_with_an_aead)
{
    struct klm_tls_config client = client_config(NULL);
    struct ends e;

    client.max_version = 12;
    CHECK(shake(&e, server_config(KLM_TLS_AUTH_NONE), client));
    CHECK(SSL_CIPHER_is_aead(SSL_get_current_cipher(e.server)));
    CHECK_INT(SSL_CIPHER_get_kx_nid(SSL_get_current_cipher(e.server)), NID_kx_ecdhe);
    ends_done(&e);
    client.ciphers12 = "AES128-SHA256";
    CHECK(!shake(&e, server_config(KLM_TLS_AUTH_NONE), client));
    ends_done(&e);
}

TEST(the_configured_suite_is_used_by_the_servers_preference)
{
    struct klm_tls_config server = server_config(KLM_TLS_AUTH_NONE), client = client_config(NULL);
    struct ends e;

    server.suites13 = "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";
    CHECK(shake(&e, server, client));
    CHECK_STR(SSL_get_cipher_name(e.server), "TLS_CHACHA20_POLY1305_SHA256");
    ends_done(&e);
}

TEST(exporter_values_are_the_same_at_both_ends_and_differ_by_label_and_context)
{
    uint8_t a[32], b[32];
    struct ends e;

    for (int version = 12; version <= 13; version++) {
        struct klm_tls_config client = client_config(NULL);

        client.max_version = version;
        CHECK(shake(&e, server_config(KLM_TLS_AUTH_NONE), client));
        REQUIRE_OK(klm_tls_exporter(e.server, "EXPERIMENTAL klm", klm_slice_str("x"), a, 32));
        REQUIRE_OK(klm_tls_exporter(e.client, "EXPERIMENTAL klm", klm_slice_str("x"), b, 32));
        CHECK_MEM(a, b, 32);
        REQUIRE_OK(klm_tls_exporter(e.client, "EXPERIMENTAL klm", klm_slice_str("y"), b, 32));
        CHECK(memcmp(a, b, 32) != 0);
        REQUIRE_OK(klm_tls_exporter(e.client, "EXPERIMENTAL kln", klm_slice_str("x"), b, 32));
        CHECK(memcmp(a, b, 32) != 0);
        REQUIRE_OK(klm_tls_exporter(e.server, "EXPERIMENTAL klm", KLM_SLICE(NULL, 0), a, 32));
        REQUIRE_OK(klm_tls_exporter(e.client, "EXPERIMENTAL klm", KLM_SLICE("", 0), b, 32));
        CHECK_MEM(a, b, 32);
        ends_done(&e);
    }
}

TEST(there_is_no_exporter_value_before_the_handshake)
{
    struct klm_tls_ctx *ctx = ctx_of(client_config(NULL));
    SSL *ssl = SSL_new(klm_tls_ctx_ssl(ctx));
    uint8_t out[32];

    CHECK_RC(klm_tls_exporter(ssl, "EXPERIMENTAL klm", KLM_SLICE(NULL, 0), out, sizeof out),
             KLM_E_CRYPTO);
    CHECK(ERR_peek_error() == 0);
    SSL_free(ssl);
    klm_tls_ctx_free(&ctx);
}

/* Two ends more of the same contexts, with a session to resume or NULL, after their handshake. */
static void ends_again(const struct ends *e, SSL_SESSION *session, SSL **server, SSL **client)
{
    SSL *s = SSL_new(klm_tls_ctx_ssl(e->server_ctx)), *c = SSL_new(klm_tls_ctx_ssl(e->client_ctx));
    BIO *a = NULL, *b = NULL;

    REQUIRE(s && c && BIO_new_bio_pair(&a, 0, &b, 0) == 1);
    SSL_set_bio(s, a, a);
    SSL_set_bio(c, b, b);
    SSL_set_accept_state(s);
    SSL_set_connect_state(c);
    SSL_set_session(c, session);
    for (int i = 0; i < 6; i++) {
        (void)SSL_do_handshake(c);
        (void)SSL_do_handshake(s);
    }
    *server = s;
    *client = c;
}

TEST(one_ticket_is_sent_and_resumes_the_session_without_early_data)
{
    struct klm_tls_config server = server_config(KLM_TLS_AUTH_REQUIRED),
                          client = client_config(&client_id);
    struct ends e;
    SSL_SESSION *session;
    uint8_t byte;
    SSL *s, *c;

    CHECK(shake(&e, server, client));
    CHECK_INT(SSL_get_num_tickets(e.server), 1);
    CHECK(SSL_read(e.client, &byte, 1) < 0);
    session = SSL_get1_session(e.client);
    REQUIRE(session && SSL_SESSION_is_resumable(session));
    CHECK_INT(SSL_SESSION_get_max_early_data(session), 0);
    ends_again(&e, session, &s, &c);
    CHECK(SSL_session_reused(s));
    CHECK(SSL_get0_peer_certificate(s) != NULL);
    SSL_SESSION_free(session);
    SSL_free(s);
    SSL_free(c);
    ends_done(&e);
}

/* The outcome of making a context, which must not succeed, and what the message names. */
static void check_refused(struct klm_tls_config cfg, const char *named)
{
    struct klm_tls_ctx *ctx = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(klm_tls_ctx_new(&cfg, &diag, &ctx), KLM_E_CRYPTO);
    CHECK(ctx == NULL);
    CHECK_INT(diag.msg, KLM_MSG_TLS_CONTEXT);
    if (!strstr(diag.text, named)) {
        printf("# %s\n", diag.text);
    }
    CHECK(strstr(diag.text, named) != NULL);
    CHECK(ERR_peek_error() == 0);
}

TEST(what_the_library_refuses_is_named)
{
    struct klm_tls_config cfg = server_config(KLM_TLS_AUTH_NONE);

    cfg.min_version = 11;
    check_refused(cfg, "protocol versions");
    cfg = server_config(KLM_TLS_AUTH_NONE);
    cfg.min_version = 13;
    cfg.max_version = 12;
    check_refused(cfg, "protocol versions");
    cfg = server_config(KLM_TLS_AUTH_NONE);
    cfg.ciphers12 = "NO-SUCH-CIPHER";
    check_refused(cfg, "cipher list was refused: no cipher match");
    cfg = server_config(KLM_TLS_AUTH_NONE);
    cfg.suites13 = "TLS_NO_SUCH";
    check_refused(cfg, "cipher suites");
    cfg = server_config(KLM_TLS_AUTH_NONE);
    cfg.key = client_id.key;
    check_refused(cfg, "private key of own certificate");
    cfg = server_config(KLM_TLS_AUTH_NONE);
    cfg.cert = NULL;
    check_refused(cfg, "missing own certificate");
}

TEST(a_short_rsa_key_needs_a_lower_security_level)
{
    struct klm_tls_config cfg = server_config(KLM_TLS_AUTH_NONE);
    struct klm_tls_ctx *ctx = NULL;
    struct id rsa = {EVP_RSA_gen(1024), NULL};

    REQUIRE(rsa.key != NULL);
    rsa.cert = id_cert(rsa.key, "Short", &ca, NULL);
    cfg.key = rsa.key;
    cfg.cert = rsa.cert;
    check_refused(cfg, "own certificate was refused: ee key too small");
    cfg.security_level = 1;
    CHECK_RC(klm_tls_ctx_new(&cfg, NULL, &ctx), KLM_OK);
    klm_tls_ctx_free(&ctx);
    id_done(&rsa);
}

/* ---- Clients that may show any certificate */

static struct klm_tls_config any_config(enum klm_tls_client_auth auth)
{
    struct klm_tls_config cfg = server_config(auth);

    cfg.trust_n = 0;
    cfg.any_client = true;
    return cfg;
}

/* A certificate of a key that nobody signed but itself, valid from and to so many seconds from now. */
static struct id alone(EVP_PKEY *take_key, long from, long to)
{
    struct id id = {take_key, id_cert(take_key, "Alone", NULL, NULL)};

    X509_gmtime_adj(X509_getm_notBefore(id.cert), from);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), to);
    REQUIRE(X509_sign(id.cert, id.key, EVP_sha256()) > 0);
    return id;
}

/* What the server says of a client. */
static long verdict(struct klm_tls_config server, const struct id *id, bool *done)
{
    struct klm_tls_config client = client_config(id);
    struct ends e;
    long why;

    client.security_level = 0;
    *done = shake(&e, server, client);
    why = SSL_get_verify_result(e.server);
    ends_done(&e);
    return why;
}

TEST(any_certificate_of_a_client_is_taken_when_that_is_asked_for)
{
    struct id self = alone(EVP_EC_gen("P-256"), -60, 3600),
              rsa = alone(EVP_RSA_gen(2048), -60, 3600);
    const struct id *const ids[] = {&self, &rsa, &client_id, &stranger_id};
    bool done;

    ids_make();
    for (size_t i = 0; i < KLM_COUNT(ids); i++) {
        CHECK_INT(verdict(any_config(KLM_TLS_AUTH_REQUIRED), ids[i], &done), X509_V_OK);
        CHECK(done);
    }
    CHECK_INT(verdict(any_config(KLM_TLS_AUTH_WANTED), NULL, &done), X509_V_OK);
    CHECK(done);
    (void)verdict(any_config(KLM_TLS_AUTH_REQUIRED), NULL, &done);
    CHECK(!done);
    CHECK(verdict(server_config(KLM_TLS_AUTH_REQUIRED), &self, &done) != X509_V_OK);
    CHECK(!done);
    id_done(&self);
    id_done(&rsa);
}

TEST(a_clients_certificate_must_be_valid_and_strong)
{
    struct id past = alone(EVP_EC_gen("P-256"), -7200, -3600),
              future = alone(EVP_EC_gen("P-256"), 3600, 7200),
              weak = alone(EVP_RSA_gen(1024), -60, 3600);
    struct klm_tls_config cfg = any_config(KLM_TLS_AUTH_WANTED);
    bool done;

    CHECK_INT(verdict(cfg, &past, &done), X509_V_ERR_CERT_HAS_EXPIRED);
    CHECK(!done);
    CHECK_INT(verdict(cfg, &future, &done), X509_V_ERR_CERT_NOT_YET_VALID);
    CHECK(!done);
    CHECK_INT(verdict(cfg, &weak, &done), X509_V_ERR_EE_KEY_TOO_SMALL);
    CHECK(!done);
    cfg.security_level = 1;
    CHECK_INT(verdict(cfg, &weak, &done), X509_V_OK);
    CHECK(done);
    klm_clock_set(klm_clock() - (klm_time)5400 * 1000000); /* the clock of the server decides */
    cfg.security_level = 2;
    CHECK_INT(verdict(cfg, &past, &done), X509_V_OK);
    CHECK(done);
    klm_clock_set(0);
    id_done(&past);
    id_done(&future);
    id_done(&weak);
}

TEST(a_clients_certificate_with_dates_that_are_none_is_refused)
{
    static const char month_13[] = "301301000000Z";
    struct id from = alone(EVP_EC_gen("P-256"), -60, 3600),
              until = alone(EVP_EC_gen("P-256"), -60, 3600);
    bool done;

    ASN1_STRING_set(X509_getm_notBefore(from.cert), month_13, sizeof month_13 - 1);
    ASN1_STRING_set(X509_getm_notAfter(until.cert), month_13, sizeof month_13 - 1);
    REQUIRE(X509_sign(from.cert, from.key, EVP_sha256()) > 0 &&
            X509_sign(until.cert, until.key, EVP_sha256()) > 0);
    CHECK_INT(verdict(any_config(KLM_TLS_AUTH_WANTED), &from, &done),
              X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD);
    CHECK(!done);
    CHECK_INT(verdict(any_config(KLM_TLS_AUTH_WANTED), &until, &done),
              X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD);
    CHECK(!done);
    id_done(&from);
    id_done(&until);
}

TEST(of_what_such_a_client_shows_its_own_certificate_alone_is_kept)
{
    struct id self = alone(EVP_EC_gen("P-256"), -60, 3600);
    const int versions[] = {12, 13};
    X509 *chain[10];

    ids_make();
    for (size_t i = 0; i < KLM_COUNT(chain); i++) {
        chain[i] = stranger_id.cert;
    }
    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        struct klm_tls_config client = client_config(&self);
        struct ends e;
        X509 *shown;

        client.chain = chain;
        client.chain_n = KLM_COUNT(chain);
        client.min_version = client.max_version = versions[i];
        CHECK(shake(&e, any_config(KLM_TLS_AUTH_REQUIRED), client));
        shown = SSL_get0_peer_certificate(e.server);
        CHECK(shown && X509_cmp(shown, self.cert) == 0);
        CHECK(sk_X509_num(SSL_get_peer_cert_chain(e.server)) <= 0);
        ends_done(&e);
    }
    id_done(&self);
}

TEST(a_clients_curve_may_be_asked_for)
{
    struct id small = alone(EVP_EC_gen("P-256"), -60, 3600),
              large = alone(EVP_EC_gen("P-384"), -60, 3600),
              rsa = alone(EVP_RSA_gen(2048), -60, 3600);
    struct klm_tls_config cfg = any_config(KLM_TLS_AUTH_REQUIRED);
    bool done;

    cfg.client_ec_bits = 256;
    CHECK_INT(verdict(cfg, &small, &done), X509_V_OK);
    CHECK_INT(verdict(cfg, &rsa, &done), X509_V_ERR_EE_KEY_TOO_SMALL);
    cfg.client_ec_bits = 384;
    CHECK_INT(verdict(cfg, &small, &done), X509_V_ERR_EE_KEY_TOO_SMALL);
    CHECK_INT(verdict(cfg, &large, &done), X509_V_OK);
    CHECK(done);
    id_done(&small);
    id_done(&large);
    id_done(&rsa);
}

TEST(a_certificate_is_asked_again_what_the_handshake_asked)
{
    struct ends e;
    const char *words = NULL;

    CHECK(shake(&e, any_config(KLM_TLS_AUTH_WANTED), client_config(&client_id)));
    CHECK_RC(klm_tls_recheck(e.server_ctx, e.server, &words), KLM_OK);
    klm_clock_set(klm_clock() + (klm_time)2 * 86400 * 1000000);
    CHECK_RC(klm_tls_recheck(e.server_ctx, e.server, &words), KLM_E_DENIED);
    CHECK_STR(words, "certificate has expired");
    klm_clock_set(0);
    ends_done(&e);
    CHECK(shake(&e, any_config(KLM_TLS_AUTH_WANTED), client_config(NULL)));
    CHECK_RC(klm_tls_recheck(e.server_ctx, e.server, &words), KLM_OK);
    struct klm_tls_ctx *strict = ctx_of(any_config(KLM_TLS_AUTH_REQUIRED));
    CHECK_RC(klm_tls_recheck(strict, e.server, &words), KLM_E_DENIED);
    CHECK_STR(words, "no certificate was shown");
    klm_tls_ctx_free(&strict);
    ends_done(&e);
}

TEST(groups_and_signature_algorithms_are_those_asked_for)
{
    struct klm_tls_config server = server_config(KLM_TLS_AUTH_WANTED),
                          client = client_config(&client_id);
    struct ends e;

    server.groups = "P-384";
    server.sigalgs = "ECDSA+SHA256";
    CHECK(shake(&e, server, client));
    CHECK_INT(SSL_get_negotiated_group(e.server), NID_secp384r1);
    ends_done(&e);
    client.groups = "P-256";
    CHECK(!shake(&e, server, client));
    ends_done(&e);
    server.groups = "NO-SUCH-GROUP";
    check_refused(server, "groups");
    server.groups = NULL;
    server.sigalgs = "NO+SUCH";
    check_refused(server, "signature algorithms");
}

TEST(sessions_without_tickets_are_kept_when_that_is_asked_for)
{
    for (unsigned kept = 0; kept <= 4; kept += 4) {
        struct klm_tls_config server = any_config(KLM_TLS_AUTH_WANTED),
                              client = client_config(&client_id);
        struct ends e, again;
        SSL_SESSION *session;
        BIO *a = NULL, *b = NULL;

        server.max_version = 12;
        server.sessions_max = kept;
        REQUIRE(shake(&e, server, client));
        SSL_free(e.server);
        SSL_free(e.client);
        session = NULL;
        for (int round = 0; round < 2; round++) { /* make one without a ticket; use it */
            again.server = SSL_new(klm_tls_ctx_ssl(e.server_ctx));
            again.client = SSL_new(klm_tls_ctx_ssl(e.client_ctx));
            SSL_set_options(again.client, SSL_OP_NO_TICKET);
            REQUIRE(again.server && again.client && BIO_new_bio_pair(&a, 0, &b, 0) == 1);
            SSL_set_bio(again.server, a, a);
            SSL_set_bio(again.client, b, b);
            SSL_set_accept_state(again.server);
            SSL_set_connect_state(again.client);
            SSL_set_session(again.client, session);
            for (int i = 0; i < 6; i++) {
                (void)SSL_do_handshake(again.client);
                (void)SSL_do_handshake(again.server);
            }
            CHECK(SSL_is_init_finished(again.server));
            CHECK_INT(SSL_session_reused(again.server), round == 1 && kept > 0);
            SSL_SESSION_free(session);
            session = SSL_get1_session(again.client);
            SSL_shutdown(again.client); /* or the library takes the session for a broken one */
            SSL_shutdown(again.server);
            SSL_free(again.server);
            SSL_free(again.client);
        }
        SSL_SESSION_free(session);
        klm_tls_ctx_free(&e.server_ctx);
        klm_tls_ctx_free(&e.client_ctx);
        ERR_clear_error();
    }
}

/* Handshake of one more client of the same contexts, with a session; its new session. */
static SSL_SESSION *shake_again(struct ends *e, SSL_SESSION *session, bool *reused)
{
    SSL *s, *c;
    uint8_t byte;

    ends_again(e, session, &s, &c);
    CHECK(SSL_is_init_finished(s) && SSL_read(c, &byte, 1) < 0); /* the ticket comes */
    *reused = SSL_session_reused(s);
    session = SSL_get1_session(c);
    SSL_shutdown(c);
    SSL_shutdown(s);
    SSL_free(s);
    SSL_free(c);
    return session;
}

TEST(a_ticket_names_a_session_that_is_kept_and_the_last_used_are_kept)
{
    struct klm_tls_config server = any_config(KLM_TLS_AUTH_REQUIRED),
                          client = client_config(&client_id);
    struct ends e;
    SSL_SESSION *session[4] = {NULL}, *next;
    const unsigned char *ticket = NULL;
    size_t n = 0;
    bool reused = true;

    server.min_version = 13;
    server.sessions_max = 2;
    REQUIRE(shake(&e, server, client));
    SSL_free(e.server);
    SSL_free(e.client);
    for (int i = 0; i < 3; i++) {
        session[i] = shake_again(&e, NULL, &reused);
        CHECK(!reused);
    }
    SSL_SESSION_get0_ticket(session[2], &ticket, &n);
    CHECK(ticket && n <= SSL_MAX_SSL_SESSION_ID_LENGTH);
    next = shake_again(&e, session[2], &reused);
    CHECK(reused);
    SSL_SESSION_free(shake_again(&e, next, &reused)); /* which it has a new ticket for */
    CHECK(reused);
    SSL_SESSION_free(shake_again(&e, session[0], &reused)); /* one too many since */
    CHECK(!reused);
    SSL_SESSION_free(next);
    for (int i = 0; i < 3; i++) {
        SSL_SESSION_free(session[i]);
    }
    klm_tls_ctx_free(&e.server_ctx);
    klm_tls_ctx_free(&e.client_ctx);
    ERR_clear_error();
}

TEST(a_context_lives_until_its_last_reference)
{
    struct klm_tls_ctx *ctx = ctx_of(server_config(KLM_TLS_AUTH_NONE)),
                       *second = klm_tls_ctx_ref(ctx);

    CHECK(second == ctx);
    klm_tls_ctx_free(&ctx);
    CHECK(ctx == NULL);
    CHECK(SSL_CTX_get_min_proto_version(klm_tls_ctx_ssl(second)) == TLS1_2_VERSION);
    klm_tls_ctx_free(&second);
    klm_tls_ctx_free(&second);
    klm_tls_ctx_free(NULL);
    CHECK(klm_tls_ctx_ref(NULL) == NULL);
}

TEST(the_librarys_words_are_cut_to_fit_and_its_queue_is_emptied)
{
    char text[12];

    ERR_clear_error();
    CHECK_STR(klm_openssl_error(text, sizeof text), "no reason g");
    ERR_raise(ERR_LIB_SSL, SSL_R_NO_SHARED_CIPHER);
    CHECK_STR(klm_openssl_error(text, sizeof text), "no shared c");
    CHECK(ERR_peek_error() == 0);
}
