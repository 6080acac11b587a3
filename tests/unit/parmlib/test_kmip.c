/* TLS for KMIP clients, from properties to what OpenSSL is given; and the ports. */
#include "said.h"

#include <openssl/ssl.h>

/* What lines come to, and OpenSSL takes it. */
static struct parm_kmip_tls tls_of(const char *lines)
{
    static struct klm_pool *pool;
    struct parm_kmip_tls tls = {0};
    struct parm_config *config = NULL;
    char text[2000];
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    klm_pool_free(&pool);
    REQUIRE_OK(klm_pool_new(0, &pool));
    snprintf(text, sizeof text, "%s%s", SAFE, lines);
    REQUIRE_OK(load(text, NULL, &config));
    REQUIRE_OK(parm_kmip_tls(config, pool, &tls));
    CHECK(tls.min <= tls.max);
    CHECK(tls.max < 13 || SSL_CTX_set_ciphersuites(ctx, tls.tls13) == 1);
    CHECK(tls.min > 12 || SSL_CTX_set_cipher_list(ctx, tls.tls12) == 1);
    CHECK(!tls.groups || SSL_CTX_set1_groups_list(ctx, (uintptr_t)tls.groups) == 1);
    CHECK(!tls.sigalgs || SSL_CTX_set1_sigalgs_list(ctx, (uintptr_t)tls.sigalgs) == 1);
    SSL_CTX_free(ctx);
    parm_free(&config);
    return tls;
}

TEST(the_default_is_both_versions_with_sound_suites)
{
    struct parm_kmip_tls tls = tls_of("");

    CHECK_INT(tls.min, 12);
    CHECK_INT(tls.max, 13);
    CHECK_STR(tls.tls13,
              "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
    CHECK_STR(tls.tls12, "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                         "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                         "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305");
    CHECK(tls.groups == NULL && tls.sigalgs == NULL);
    CHECK_INT(tls.ec_bits, 0);
}

TEST(each_suite_of_the_profiles_is_what_it_says)
{
    struct parm_kmip_tls tls = tls_of("KMIPListener.ssl.suites=basic\n");

    CHECK_INT(tls.max, 13);
    CHECK(strstr(tls.tls12, ":AES256-SHA256:AES128-SHA256") != NULL);
    CHECK(strncmp(tls.tls12, "ECDHE-", 6) == 0);
    CHECK(!strstr(tls.tls12, "AES128-SHA:") && !strstr(tls.tls12, "CHACHA20"));
    tls = tls_of("KMIPListener.ssl.suites=TLS12\n");
    CHECK_INT(tls.max, 12);
    CHECK(strstr(tls.tls12, "ECDHE-RSA-AES128-SHA256") != NULL);
    CHECK(!strstr(tls.tls12, ":AES"));
    CHECK_STR(tls.tls13, "");
    tls = tls_of("KMIPListener.ssl.suites=SuiteB\n");
    CHECK_INT(tls.min, 12);
    CHECK_INT(tls.max, 12);
    CHECK_STR(tls.tls12, "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256");
    CHECK_STR(tls.groups, "P-256:P-384");
    CHECK_INT(tls.ec_bits, 256);
    tls = tls_of("KMIPListener.ssl.suites=SuiteB192\n");
    CHECK_STR(tls.tls12, "ECDHE-ECDSA-AES256-GCM-SHA384");
    CHECK_STR(tls.groups, "P-384");
    CHECK_STR(tls.sigalgs, "ECDSA+SHA384");
    CHECK_INT(tls.ec_bits, 384);
}

TEST(a_list_takes_the_place_of_the_set_in_the_servers_order)
{
    struct parm_kmip_tls tls =
        tls_of("KMIPListener.ssl.ciphersuites=TLS_RSA_WITH_AES_128_CBC_SHA, tls_aes_128_gcm_sha256;"
               "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n");

    CHECK_STR(tls.tls12, "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA");
    CHECK_STR(tls.tls13, "TLS_AES_128_GCM_SHA256");
    CHECK_INT(tls.max, 13);
    tls = tls_of("KMIPListener.ssl.ciphersuites=TLS_AES_128_GCM_SHA256\n");
    CHECK_INT(tls.min, 13);
    tls = tls_of("KMIPListener.ssl.ciphersuites=TLS_RSA_WITH_AES_128_CBC_SHA256\n");
    CHECK_INT(tls.max, 12);
}

TEST(versions_are_bounded)
{
    CHECK_INT(tls_of("KMIPListener.ssl.version.min=TLSv1.3\n").min, 13);
    CHECK_INT(tls_of("KMIPListener.ssl.version.max=tlsv1.2\n").max, 12);
}

static void check_refused(const char *lines, enum klm_msg_id msg)
{
    struct klm_diag diag = {0};
    struct parm_config *config = NULL;
    char text[2000];

    snprintf(text, sizeof text, "%s%s", SAFE, lines);
    CHECK_RC(load(text, &diag, &config), KLM_E_INVALID);
    if (diag.msg != msg) {
        printf("# %s\n", diag.text);
    }
    CHECK_INT(diag.msg, msg);
    CHECK(config == NULL);
}

TEST(what_leaves_no_version_is_refused)
{
    check_refused("KMIPListener.ssl.version.min=TLSv1.3\nKMIPListener.ssl.version.max=TLSv1.2\n",
                  KLM_MSG_PARM_KMIP_VERSIONS);
    check_refused("KMIPListener.ssl.version.min=TLSv1.3\nKMIPListener.ssl.suites=SuiteB\n",
                  KLM_MSG_PARM_KMIP_VERSIONS);
    check_refused("KMIPListener.ssl.version.min=TLSv1.3\n"
                  "KMIPListener.ssl.ciphersuites=TLS_RSA_WITH_AES_128_CBC_SHA256\n",
                  KLM_MSG_PARM_KMIP_VERSIONS);
    check_refused("KMIPListener.ssl.version.max=TLSv1.2\n"
                  "KMIPListener.ssl.ciphersuites=TLS_AES_128_GCM_SHA256\n",
                  KLM_MSG_PARM_KMIP_VERSIONS);
}

TEST(suites_that_are_not_in_the_table_are_refused)
{
    check_refused("KMIPListener.ssl.ciphersuites=TLS_RSA_WITH_NULL_SHA256\n", KLM_MSG_PARM_VALUE);
    check_refused("KMIPListener.ssl.ciphersuites=JSSE_ALL\n", KLM_MSG_PARM_VALUE);
    check_refused("KMIPListener.ssl.ciphersuites=TLS_AES_128_GCM_SHA256,TLS_RSA_WITH_RC4_128_SHA\n",
                  KLM_MSG_PARM_VALUE);
    check_refused("KMIPListener.ssl.ciphersuites=;\n", KLM_MSG_PARM_VALUE);
    check_refused("KMIPListener.ssl.suites=Old\n", KLM_MSG_PARM_VALUE);
    check_refused("KMIPListener.message.max=16777217\n", KLM_MSG_PARM_VALUE);
    check_refused("kmip.batch.max=0\n", KLM_MSG_PARM_VALUE);
}

TEST(no_port_is_given_out_twice_on_one_address)
{
    check_refused("KMIPListener.ssl.port=5696\nKMIPListener.https.port=5696\n",
                  KLM_MSG_PARM_PORTS_SAME);
    check_refused("KMIPListener.ssl.port=3801\n", KLM_MSG_PARM_PORTS_SAME);
    check_refused("KMIPListener.https.port=1443\n", KLM_MSG_PARM_PORTS_SAME);
    check_refused("KMIPListener.ssl.port=5696\nAdmin.ssl.port=5696\n", KLM_MSG_PARM_PORTS_SAME);
    CHECK_STR(value_of("KMIPListener.ssl.port=3801\nKMIPListener.ssl.host=192.0.2.1\n",
                       PARM_KMIPListener_ssl_port),
              "3801");
    CHECK_STR(value_of("Admin.ssl.port=5696\n", PARM_KMIPListener_ssl_port), "(none)");
}

TEST(weak_suites_are_said_where_there_are_clients)
{
    static const struct {
        const char *lines, *said;
    } rows[] = {
        {"KMIPListener.ssl.suites=Basic\n", ""},
        {"KMIPListener.ssl.port=5696\n", ""},
        {"KMIPListener.ssl.port=5696\nKMIPListener.ssl.suites=SuiteB\n", ""},
        {"KMIPListener.ssl.port=5696\nKMIPListener.ssl.suites=Basic\nKMIPListener.ssl.version.min="
         "TLSv1.3\n",
         ""},
        {"KMIPListener.https.port=5697\nKMIPListener.ssl.suites=Basic\n",
         "KLM1911W KMIPListener.ssl.suites allows weak cipher suites for KMIP clients: "
         "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384, "},
        {"KMIPListener.ssl.port=5696\nKMIPListener.ssl.ciphersuites=TLS_AES_128_GCM_SHA256,"
         "TLS_RSA_WITH_AES_128_CBC_SHA256\n",
         "KLM1911W KMIPListener.ssl.ciphersuites allows weak cipher suites for KMIP clients: "
         "TLS_RSA_WITH_AES_128_CBC_SHA256\n"},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        KLM_AUTO(parm_free) struct parm_config *config = NULL;
        char text[2000];

        snprintf(text, sizeof text, "%s%s", STRONG, rows[i].lines);
        REQUIRE_OK(load(text, NULL, &config));
        CHECK_INT(said_times("KLM1911W"), rows[i].said[0] != '\0');
        CHECK(said(rows[i].said));
        CHECK_INT(said_times("W "), rows[i].said[0] != '\0');
    }
}
