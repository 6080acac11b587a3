/* Values of each type at their limits and one over. */
#include "said.h"

#include <ctype.h>

static void want(const char *line, enum parm_id id, const char *expected)
{
    CHECK_STR(value_of(line, id), expected);
}

/* A line "NAME=" and n times a character. */
static const char *line_of(const char *name, char c, size_t n)
{
    static char text[8192];
    size_t at = strlen(name);

    memcpy(text, name, at);
    memset(text + at, c, n);
    text[at + n] = '\0';
    return text;
}

TEST(numbers_are_digits_within_their_range)
{
    want("TransportListener.tcp.port=1", PARM_TransportListener_tcp_port, "1");
    want("TransportListener.tcp.port=065535 ", PARM_TransportListener_tcp_port, "65535");
    want("TransportListener.tcp.port=0", PARM_TransportListener_tcp_port, "(refused)");
    want("TransportListener.tcp.port=65536", PARM_TransportListener_tcp_port, "(refused)");
    want("TransportListener.tcp.port=+1", PARM_TransportListener_tcp_port, "(refused)");
    want("TransportListener.tcp.port=1e3", PARM_TransportListener_tcp_port, "(refused)");
    want("TransportListener.tcp.port=0x10", PARM_TransportListener_tcp_port, "(refused)");
    want("Audit.eventQueue.max=99999999999999999999999", PARM_Audit_eventQueue_max, "(refused)");
    want("Audit.eventQueue.max=18446744073709551616", PARM_Audit_eventQueue_max, "(refused)");
    want("key.minimum.rsa.write=1023", PARM_key_minimum_rsa_write, "(refused)");
    want("key.minimum.rsa.write=1024", PARM_key_minimum_rsa_write, "1024");
    want("key.minimum.rsa.write=16384", PARM_key_minimum_rsa_write, "16384");
    want("key.minimum.rsa.write=16385", PARM_key_minimum_rsa_write, "(refused)");
}

TEST(keywords_are_known_in_any_case)
{
    want("cert.valiDATE=YES", PARM_cert_valiDATE, "true");
    want("cert.valiDATE=On", PARM_cert_valiDATE, "true");
    want("cert.valiDATE=no", PARM_cert_valiDATE, "false");
    want("cert.valiDATE=1", PARM_cert_valiDATE, "(refused)");
    want("drive.acceptUnknownDrives=TRUE", PARM_drive_acceptUnknownDrives, "true");
    want("drive.acceptUnknownDrives=Pending", PARM_drive_acceptUnknownDrives, "pending");
    want("drive.acceptUnknownDrives=pend", PARM_drive_acceptUnknownDrives, "(refused)");
    want("drive.acceptUnknownDrives=true|false", PARM_drive_acceptUnknownDrives, "(refused)");
    want("Audit.event.outcome=Success;FAILURE", PARM_Audit_event_outcome, "success,failure");
    want("Audit.event.outcome=success failure", PARM_Audit_event_outcome, "success,failure");
    want("Audit.event.outcome=success,all", PARM_Audit_event_outcome, "(refused)");
    want("Audit.event.outcome=,;", PARM_Audit_event_outcome, "(refused)");
    want("Audit.event.types=authorization,authorization_terminate,resource_management,runtime,key_"
         "management",
         PARM_Audit_event_types,
         "authorization,authorization_terminate,resource_management,runtime,key_management");
}

TEST(paths_lose_their_scheme)
{
    want("hardcopy.file=FILE\\:/a/b", PARM_hardcopy_file, "/a/b");
    want("hardcopy.file=FILE:///a/b", PARM_hardcopy_file, "/a/b");
    want("hardcopy.file=file:/a/b", PARM_hardcopy_file, "/a/b");
    want("hardcopy.file=File://localhost/a/b", PARM_hardcopy_file, "/a/b");
    want("hardcopy.file=/a/b", PARM_hardcopy_file, "/a/b");
    want("hardcopy.file=FILE://host/a/b", PARM_hardcopy_file, "(refused)");
    want("hardcopy.file=FILE:", PARM_hardcopy_file, "(refused)");
    want("hardcopy.file=/a\\nb", PARM_hardcopy_file, "(refused)");
    want("config.drivetable.file.url=file\\:///x/filedrive.table", PARM_config_drivetable_file_url,
         "/x/filedrive.table");
}

TEST(relative_paths_lie_beside_the_configuration_file)
{
    want("hardcopy.file=log", PARM_hardcopy_file, "/etc/isklm/log");
    want("hardcopy.file=FILE:../log", PARM_hardcopy_file, "/etc/isklm/../log");
    want("x=1", PARM_Audit_handler_file_directory, "/etc/isklm/audit");
}

TEST(paths_have_limits)
{
    want(line_of("hardcopy.file=/", 'x', 1023), PARM_hardcopy_file, "(refused)");
    CHECK_INT(strlen(value_of(line_of("hardcopy.file=/", 'x', 1022), PARM_hardcopy_file)), 1023);
    want(line_of("console.socket=/", 'x', 107), PARM_console_socket, "(refused)");
    CHECK_INT(strlen(value_of(line_of("console.socket=/", 'x', 106), PARM_console_socket)), 107);
}

TEST(aliases_have_at_most_64_characters)
{
    CHECK_INT(
        strlen(value_of(line_of("drive.default.alias1=", 'x', 64), PARM_drive_default_alias1)), 64);
    want(line_of("drive.default.alias1=", 'x', 65), PARM_drive_default_alias1, "(refused)");
    want("drive.default.alias1=a\\tb", PARM_drive_default_alias1, "(refused)");
    want("drive.default.alias1=two words", PARM_drive_default_alias1, "two words");
}

TEST(hosts_are_names_or_addresses)
{
    want("TransportListener.ssl.host=ekm1.example.com", PARM_TransportListener_ssl_host,
         "ekm1.example.com");
    want("TransportListener.ssl.host=0.0.0.0", PARM_TransportListener_ssl_host, "0.0.0.0");
    want("TransportListener.ssl.host=\\:\\:", PARM_TransportListener_ssl_host, "::");
    want("TransportListener.ssl.host=[2001:db8::1]", PARM_TransportListener_ssl_host,
         "2001:db8::1");
    want("TransportListener.ssl.host=256.0.0.1", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=1.2.3", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=2001:db8:::1", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=a..b", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=.a", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=a.", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=a b", PARM_TransportListener_ssl_host, "(refused)");
    want("TransportListener.ssl.host=*", PARM_TransportListener_ssl_host, "(refused)");
    CHECK_INT(strlen(value_of(line_of("TransportListener.ssl.host=", 'x', 63),
                              PARM_TransportListener_ssl_host)),
              63);
    want(line_of("TransportListener.ssl.host=", 'x', 64), PARM_TransportListener_ssl_host,
         "(refused)");
}

TEST(key_stores_are_key_rings)
{
    want("config.keystore.file=SAFKEYRING\\://tapekms/Ring1", PARM_config_keystore_file,
         "safkeyring://TAPEKMS/Ring1");
    want("config.keystore.file=safkeyring:////TAPEKMS/Ring1", PARM_config_keystore_file,
         "safkeyring://TAPEKMS/Ring1");
    want("config.keystore.file=/etc/isklm/keys.jceks", PARM_config_keystore_file, "(refused)");
    CHECK(said("safkeyring://OWNER/RING, keystores in files are not supported"));
}

TEST(ring_names_are_taken_apart)
{
    struct parm_ring ring;
    char text[300] = "safkeyring://A/";

    REQUIRE_OK(parm_ring("safkeyring://TapeKms/KeyStore4758", &ring));
    CHECK_STR(ring.owner, "TAPEKMS");
    CHECK_STR(ring.ring, "KeyStore4758");
    CHECK_RC(parm_ring("safkeyring\\://A#$@1234/x", &ring), KLM_OK);
    CHECK_STR(ring.owner, "A#$@1234");
    memset(text + 15, 'r', 237);
    CHECK_RC(parm_ring(text, &ring), KLM_OK);
    CHECK_INT(strlen(ring.ring), 237);
    text[15 + 237] = 'r';
    CHECK_RC(parm_ring(text, &ring), KLM_E_INVALID);
    CHECK_INT(strlen(ring.ring), 237);
}

TEST(what_is_no_ring_is_refused)
{
    static const char *const bad[] = {"",
                                      "safkeyring",
                                      "safkeyring:",
                                      "safkeyring:/A/B",
                                      "safkeyring:///A/B",
                                      "safkeyring://A",
                                      "safkeyring://A/",
                                      "safkeyring:///B",
                                      "safkeyring://ABCDEFGHI/B",
                                      "safkeyring://A/B/C",
                                      "safkeyring://A-B/C",
                                      "safkeyring://A/B C",
                                      "safkeyring:////////A/B",
                                      "file://A/B",
                                      "safkeyring://A/B\\",
                                      "safkeyring\\\\://A/B",
                                      "safkeyring://*AUTH*/*"};
    struct parm_ring ring;

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(parm_ring(bad[i], &ring), KLM_E_INVALID);
    }
}

TEST(symmetric_key_sets_follow_their_grammar)
{
    static const char *const good[] = {"des01-1f",
                                       "KMA0238ab34,KMB0000034acd2345678a,THZ001-FF",
                                       "THZ001-FF",
                                       "MyGroup",
                                       "a_group_with_a_name_longer_than_twelve",
                                       "abc00ffffffffffffffff-00ffffffffffffffff",
                                       "KMA0238ab34, KMA0238ab35",
                                       "x",
                                       "THZ1-1",
                                       "my-group"};
    static const char *const bad[] = {"THZ0ff-01",
                                      "abc010000000000000000-010000000000000001",
                                      "a_group_with_a_name,KMA0238ab34",
                                      "group_number_one,group_number_two",
                                      "THZ0000000000000000001-0000000000000000002",
                                      "a;b",
                                      "des01-1f,,x",
                                      "des01-1f,",
                                      ",des01-1f",
                                      "des01-1f x",
                                      "THZ001-FG,KMA0238ab34567"};
    char line[200];

    for (size_t i = 0; i < KLM_COUNT(good); i++) {
        snprintf(line, sizeof line, "symmetricKeySet=%s", good[i]);
        want(line, PARM_symmetricKeySet, good[i]);
    }
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        snprintf(line, sizeof line, "symmetricKeySet=%s", bad[i]);
        want(line, PARM_symmetricKeySet, "(refused)");
    }
    want("symmetricKeySet=KMB0000034acd2345678a,x", PARM_symmetricKeySet,
         "KMB0000034acd2345678a,x");
    want("symmetricKeySet=KMB0000034acd2345678,x", PARM_symmetricKeySet, "(refused)");
    CHECK_INT(strlen(value_of(line_of("symmetricKeySet=", 'g', 64), PARM_symmetricKeySet)), 64);
    want(line_of("symmetricKeySet=", 'g', 65), PARM_symmetricKeySet, "(refused)");
}

TEST(names_of_roles_users_and_files_are_checked)
{
    want("console.role.OPERATOR=root, alice;%tape-ops", PARM_console_role_OPERATOR,
         "root, alice;%tape-ops");
    want("console.role.OPERATOR=root,%", PARM_console_role_OPERATOR, "(refused)");
    want("console.role.OPERATOR=ro/ot", PARM_console_role_OPERATOR, "(refused)");
    want("server.userid=KLMSERV1", PARM_server_userid, "KLMSERV1");
    want("server.userid=KLMSERV12", PARM_server_userid, "(refused)");
    want("server.userid=KLM)X", PARM_server_userid, "(refused)");
    want("Audit.handler.file.name=isklm_audit.log", PARM_Audit_handler_file_name,
         "isklm_audit.log");
    want("Audit.handler.file.name=../isklm_audit.log", PARM_Audit_handler_file_name, "(refused)");
    want("Audit.handler.file.name=..", PARM_Audit_handler_file_name, "(refused)");
}

TEST(protocols_say_which_versions_are_spoken)
{
    static const struct {
        const char *name;
        int least;
    } cases[] = {{"TLSv1.3", 13},   {"tlsV1.3", 13}, {"TLSv1.2", 12}, {"SSL_TLS", 12},
                 {"SSL_TLSv2", 12}, {"TLS", 12},     {"SSL", 12}};
    char text[2000];

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        KLM_AUTO(parm_free) struct parm_config *c = NULL;

        snprintf(text, sizeof text, "%sTransportListener.ssl.protocols=%s\n", SAFE, cases[i].name);
        REQUIRE_OK(load(text, NULL, &c));
        CHECK_INT(parm_tls_min(c), cases[i].least);
        CHECK_INT(parm_tls_max(c), 13);
        CHECK_INT(said_times("KLM0132W"), cases[i].least == 12);
    }
    want("TransportListener.ssl.protocols=SSLv3", PARM_TransportListener_ssl_protocols,
         "(refused)");
    want("TransportListener.ssl.protocols=TLSv1.1", PARM_TransportListener_ssl_protocols,
         "(refused)");
}

static void ciphers(const char *list, const char *want12, const char *want13)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    const char *tls12 = "unset", *tls13 = "unset";
    char text[2000];

    snprintf(text, sizeof text, "%sTransportListener.ssl.ciphersuites=%s\n", SAFE, list);
    REQUIRE_OK(load(text, NULL, &c));
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(parm_ciphers(c, PARM_TransportListener_ssl_ciphersuites, pool, &tls12, &tls13));
    CHECK_STR(tls12, want12);
    CHECK_STR(tls13, want13);
    CHECK_INT(parm_tls_min(c), !want12 && want13 ? 13 : 12);
    CHECK_INT(parm_tls_max(c), want12 && !want13 ? 12 : 13);
}

TEST(cipher_suites_become_openssl_names)
{
    ciphers("JSSE_ALL", NULL, NULL);
    ciphers("jsse_all,TLS_AES_256_GCM_SHA384", NULL, NULL);
    ciphers("TLS_AES_256_GCM_SHA384", NULL, "TLS_AES_256_GCM_SHA384");
    ciphers("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", NULL);
    ciphers("SSL_ECDHE_RSA_WITH_AES_128_GCM_SHA256; "
            "TLS_AES_128_GCM_SHA256,SSL_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_AES_128_GCM_SHA256");
}

TEST(old_and_unknown_cipher_suites_are_refused_each_in_its_way)
{
    static const char *const old[] = {"SSL_RSA_WITH_NULL_SHA",
                                      "SSL_RSA_WITH_AES_128_CBC_SHA",
                                      "TLS_RSA_WITH_AES_256_GCM_SHA384",
                                      "SSL_RSA_WITH_3DES_EDE_CBC_SHA",
                                      "SSL_DH_anon_WITH_AES_128_CBC_SHA",
                                      "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                                      "SSL_RSA_EXPORT_WITH_RC4_40_MD5"};
    struct parm_config *c = NULL;
    struct klm_diag diag;
    char text[2000];

    for (size_t i = 0; i < KLM_COUNT(old); i++) {
        snprintf(text, sizeof text,
                 "%sTransportListener.ssl.ciphersuites=TLS_AES_256_GCM_SHA384,%s\n", SAFE, old[i]);
        CHECK_RC(load(text, &diag, &c), KLM_E_INVALID);
        CHECK_INT(diag.msg, KLM_MSG_PARM_CIPHER_OLD);
        CHECK_INT(diag.line, 6);
        CHECK(strstr(diag.text, old[i]) != NULL);
        CHECK(strstr(diag.text, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256") != NULL);
    }
    CHECK_RC(load(SAFE "TransportListener.ssl.ciphersuites=AES256\n", &diag, &c), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_CIPHER_UNKNOWN);
    CHECK_RC(load(SAFE "Admin.ssl.ciphersuites=TLS_X\n", &diag, &c), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_CIPHER_UNKNOWN);
}

TEST(suites_and_protocols_must_have_a_version_in_common)
{
    struct parm_config *c = NULL;
    struct klm_diag diag;

    CHECK_RC(load(SAFE "TransportListener.ssl.protocols=TLSv1.3\n"
                       "TransportListener.ssl.ciphersuites=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n",
                  &diag, &c),
             KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_CIPHER_NONE);
    CHECK_INT(diag.line, 7);
}

/* The longest text of what is allowed must not be cut by the limit on inserts. */
TEST(what_is_allowed_is_told_in_full)
{
    struct parm_config *c = NULL;
    struct klm_diag diag;

    CHECK_RC(load(SAFE "Audit.event.types=x\n", &diag, &c), KLM_E_INVALID);
    CHECK(strstr(diag.text, "multimaster_management, none") != NULL);
    CHECK_RC(load(SAFE "symmetricKeySet=a,b,c,THZ2-1\n", &diag, &c), KLM_E_INVALID);
    CHECK(strstr(diag.text, "commas between") != NULL);
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        const struct parm_row *row = parm_row((enum parm_id)i);
        char text[200];

        if (row->type == PARM_STRING || row->flags & PARM_SECRET) {
            continue;
        }
        snprintf(text, sizeof text, "%s=\\u0001\n", row->name);
        CHECK_RC(load(text, &diag, &c), KLM_E_INVALID);
        CHECK(said("KLM0100E Line 1 of"));
        CHECK(!said("..."));
    }
}
