/* A configuration: values, errors, warnings. */
#include "said.h"

#include "base/file.h"

/* The file of the reference, section 2.1, in its order, with paths of Linux. */
static const char seed[] =
    "Admin.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"
    "Audit.handler.file.size=10000\n"
    "debug.output.file=/KLMLOGS/Z1/debug\n"
    "config.keystore.provider=IBMJCECCA\n"
    "Admin.ssl.keystore.password=password\n"
    "config.keystore.type=JCECCARACFKS\n"
    "TransportListener.ssl.truststore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"
    "Audit.handler.file.name=isklm_audit.log\n"
    "TransportListener.ssl.port=1443\n"
    "zOSCompatibility=true\n"
    "TransportListener.tcp.port=3801\n"
    "config.keygroup.xml.file=FILE\\:/KLMETC/Z1/keygroup.xml\n"
    "config.drivetable.file.url=FILE\\:/KLMETC/Z1/filedrive.table\n"
    "TransportListener.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"
    "Audit.handler.file.directory=/KLMLOGS/Z1/logs\n"
    "Audit.metadata.file.cachecount=0\n"
    "Audit.eventQueue.max=0\n"
    "Audit.event.outcome=success,failure\n"
    "ds8k.acceptUnknownDrives=true\n"
    "debug=none\n"
    "TransportListener.ssl.ciphersuites=JSSE_ALL\n"
    "config.keystore.file=safkeyring\\://TAPEKMS/KeyStore4758\n"
    "Audit.event.types=all\n"
    "TransportListener.ssl.clientauthentication=0\n"
    "TransportListener.ssl.host=localhost\n"
    "TransportListener.ssl.protocols=SSL_TLS\n"
    "config.keystore.password=password\n"
    "requireHardwareProtectionForSymmetricKeys=true\n"
    "drive.default.alias2=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21\n"
    "drive.default.alias1=Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20\n"
    "Audit.metadata.file.name=/KLMETC/Z1/metadata/SKLMDData.xml\n"
    "symmetricKeySet=des01-1f\n"
    "debug.output=simple_file\n"
    "drive.acceptUnknownDrives=true\n"
    "Admin.ssl.truststore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"
    "fips=Off\n"
    "TransportListener.ssl.keystore.password=password\n";

TEST(the_sample_of_the_reference_loads_unchanged)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    REQUIRE_OK(load(seed, &diag, &c));
    CHECK_STR(parm_str(c, PARM_config_keystore_file), "safkeyring://TAPEKMS/KeyStore4758");
    CHECK_STR(parm_str(c, PARM_config_drivetable_file_url), "/KLMETC/Z1/filedrive.table");
    CHECK_STR(parm_str(c, PARM_config_keygroup_xml_file), "/KLMETC/Z1/keygroup.xml");
    CHECK_STR(parm_str(c, PARM_Audit_metadata_file_name), "/KLMETC/Z1/metadata/SKLMDData.xml");
    CHECK_STR(parm_str(c, PARM_drive_default_alias1), "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20");
    CHECK_STR(parm_str(c, PARM_TransportListener_ssl_protocols), "ssl_tls");
    CHECK_STR(parm_str(c, PARM_fips), "false");
    CHECK_INT(parm_num(c, PARM_TransportListener_ssl_port), 1443);
    CHECK_INT(parm_num(c, PARM_Audit_handler_file_size), 10000);
    CHECK(parm_has(c, PARM_Audit_event_outcome, "FAILURE"));
    CHECK(parm_has(c, PARM_Audit_event_outcome, "success"));
    CHECK(parm_bool(c, PARM_drive_acceptUnknownDrives));
    CHECK(parm_bool(c, PARM_zOSCompatibility));
    CHECK(!parm_bool(c, PARM_fips));
    CHECK_INT(said_times("E "), 0);
}

TEST(each_weak_setting_of_the_sample_is_said)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(seed, NULL, &c));
    CHECK_INT(said_times("KLM0130W"), 1);
    CHECK_INT(said_times("KLM0131W"), 2);
    CHECK_INT(said_times("KLM0132W"), 1);
    CHECK_INT(said_times("KLM0133W"), 0);
    CHECK_INT(said_times("KLM0135W"), 3);
    CHECK_INT(said_times("KLM0136W"), 0);
    CHECK_INT(said_times("KLM0137W"), 1);
    CHECK(said("KLM0135W Line 5 of /etc/isklm/test.properties: Admin.ssl.keystore.password keeps a "
               "password"));
    CHECK(said("config.keystore.provider=IBMJCECCA"));
    CHECK(!said("=password"));
}

TEST(a_strong_configuration_says_nothing)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(STRONG, NULL, &c));
    CHECK_STR(said_text, "");
}

TEST(weak_settings_of_ours_are_said_too)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(STRONG "key.minimum.rsa.write=1024\nAudit.failure.action=continue\nconfig."
                           "keystore.password=changeIt\n"
                           "drive.acceptUnknownDrives=pending\n",
                    NULL, &c));
    CHECK_INT(said_times("KLM0133W"), 1);
    CHECK_INT(said_times("KLM0134W"), 1);
    CHECK_INT(said_times("KLM0136W"), 1);
    CHECK_INT(said_times("KLM0131W"), 0);
    CHECK(!said("changeIt"));
    CHECK(!parm_bool(c, PARM_drive_acceptUnknownDrives));
    CHECK_STR(parm_str(c, PARM_drive_acceptUnknownDrives), "pending");
}

TEST(defaults_are_those_of_the_table)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(SAFE, NULL, &c));
    CHECK_INT(parm_num(c, PARM_TransportListener_tcp_port), 3801);
    CHECK_STR(parm_str(c, PARM_TransportListener_tcp_host), "localhost");
    CHECK_STR(parm_str(c, PARM_drive_acceptUnknownDrives), "false");
    CHECK_STR(parm_str(c, PARM_Audit_event_types), "all");
    CHECK_STR(parm_str(c, PARM_Audit_sync), "normal");
    CHECK_STR(parm_str(c, PARM_Audit_failure_action), "refuse");
    CHECK_STR(parm_str(c, PARM_console_socket), "/run/isklm/oper.sock");
    CHECK_STR(parm_str(c, PARM_console_role_SECADMIN), "root");
    CHECK_INT(parm_num(c, PARM_key_minimum_rsa_write), 2048);
    CHECK_INT(parm_num(c, PARM_drive_pending_max), 100);
    CHECK_INT(parm_num(c, PARM_TransportListener_connections_max), 2000);
    CHECK_INT(parm_num(c, PARM_TransportListener_connections_per_address), 512);
    CHECK_INT(parm_num(c, PARM_store_cache_megabytes), 256);
    CHECK(parm_str(c, PARM_hardcopy_file) == NULL);
    CHECK(parm_str(c, PARM_server_id) == NULL);
    CHECK(!parm_is_set(c, PARM_Audit_event_types));
    CHECK(parm_is_set(c, PARM_TransportListener_ssl_port));
    CHECK_STR(parm_path_of_config(c), "/etc/isklm/test.properties");
}

TEST(every_default_passes_its_own_row_and_rows_are_whole)
{
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        const struct parm_row *row = parm_row((enum parm_id)i);
        enum parm_id id;

        CHECK_RC(parm_find(row->name, &id), KLM_OK);
        CHECK_INT(id, i);
        CHECK(row->help[strlen(row->help) - 1] == '.');
        CHECK(strstr("CONFIG SECURITY AUDIT DRIVE BACKUP", row->right) != NULL);
        CHECK(!(row->flags & PARM_OURS) || !(row->flags & (PARM_UNVERIFIED | PARM_LATER)));
        CHECK(!(row->flags & PARM_SECRET) || (row->flags & PARM_LOCAL));
        CHECK(!strstr(row->name, "assword") || (row->flags & PARM_SECRET));
        CHECK(row->type != PARM_PATH || (row->flags & PARM_LOCAL));
        CHECK(row->type != PARM_PORT || (row->flags & PARM_LOCAL));
        CHECK(row->type != PARM_HOST || (row->flags & PARM_LOCAL));
    }
    CHECK_RC(parm_find("audit.event.types", &(enum parm_id){0}), KLM_E_NOTFOUND);
}

TEST(every_property_of_the_reference_has_a_row)
{
    static const char *const names[] = {"Admin.ssl.ciphersuites",
                                        "Admin.ssl.keystore.name",
                                        "Admin.ssl.keystore.password",
                                        "Admin.ssl.keystore.type",
                                        "Admin.ssl.protocols",
                                        "Admin.ssl.timeout",
                                        "Admin.ssl.truststore.name",
                                        "Admin.ssl.truststore.type",
                                        "Audit.event.outcome",
                                        "Audit.event.types",
                                        "Audit.eventQueue.max",
                                        "Audit.handler.file.directory",
                                        "Audit.handler.file.name",
                                        "Audit.handler.file.size",
                                        "Audit.handler.file.multithreads",
                                        "Audit.handler.file.threadlifespan",
                                        "Audit.isSyslog",
                                        "Audit.syslog.server.host",
                                        "Audit.syslog.server.port",
                                        "Audit.syslog.server.isSSL",
                                        "Audit.metadata.file.name",
                                        "Audit.metadata.file.size",
                                        "Audit.metadata.file.cachecount",
                                        "cert.valiDATE",
                                        "config.drivetable.file.url",
                                        "config.keygroup.xml.file",
                                        "config.keystore.file",
                                        "config.keystore.password",
                                        "config.keystore.provider",
                                        "config.keystore.type",
                                        "debug",
                                        "debug.output",
                                        "debug.output.file",
                                        "drive.acceptUnknownDrives",
                                        "drive.default.alias1",
                                        "drive.default.alias2",
                                        "ds8k.acceptUnknownDrives",
                                        "fips",
                                        "maximum.threads",
                                        "maximum.keycert.expiration.period.in.years",
                                        "requireHardwareProtectionForSymmetricKeys",
                                        "Server.authMechanism",
                                        "Server.password",
                                        "symmetricKeySet",
                                        "sync.action",
                                        "sync.ipaddress",
                                        "sync.timeinhours",
                                        "sync.type",
                                        "TransportListener.ssl.ciphersuites",
                                        "TransportListener.ssl.clientauthentication",
                                        "TransportListener.ssl.host",
                                        "TransportListener.ssl.keystore.name",
                                        "TransportListener.ssl.keystore.password",
                                        "TransportListener.ssl.keystore.type",
                                        "TransportListener.ssl.port",
                                        "TransportListener.ssl.protocols",
                                        "TransportListener.ssl.timeout",
                                        "TransportListener.ssl.truststore.name",
                                        "TransportListener.ssl.truststore.type",
                                        "TransportListener.tcp.port",
                                        "TransportListener.tcp.timeout",
                                        "KMIPListener.ssl.port",
                                        "useSKIDefaultLabels",
                                        "zOSCompatibility"};

    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        CHECK_RC(parm_find(names[i], &(enum parm_id){0}), KLM_OK);
    }
}

TEST(a_bad_value_is_told_with_its_line_and_what_is_allowed)
{
    struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(load(SAFE "\n# note\ndrive.acceptUnknownDrives=maybe\n", &diag, &c), KLM_E_INVALID);
    CHECK(c == NULL);
    CHECK_INT(diag.line, 8);
    CHECK_STR(
        diag.text,
        "KLM0100E Line 8 of /etc/isklm/test.properties: drive.acceptUnknownDrives cannot be maybe; "
        "allowed: true, false, pending");
    CHECK(said(diag.text));
}

TEST(all_errors_are_said_and_the_first_is_handed_back)
{
    struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(
        load("Audit.eventQueue.max=-1\nTransportListener.ssl.port=65536\nfips=on\n", &diag, &c),
        KLM_E_INVALID);
    CHECK_INT(said_times("KLM0100E"), 2);
    CHECK_INT(said_times("KLM0106E"), 1);
    CHECK_INT(said_times("KLM0105E"), 4);
    CHECK(said("KLM0106E Line 3 of /etc/isklm/test.properties: fips cannot be on"));
    CHECK_INT(diag.line, 1);
    CHECK_INT(said_times("W "), 0);
}

TEST(quiet_says_nothing_and_tells_the_first_error)
{
    struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    said_clear();
    CHECK_RC(parm_load_text(klm_slice_str("x=1\nfips=on\n"), "f", true, &diag, &c), KLM_E_INVALID);
    CHECK_STR(said_text, "");
    CHECK(diag.msg != KLM_MSG_NONE);
    CHECK_RC(parm_load_text(klm_slice_str(seed), "f", true, NULL, &c), KLM_OK);
    CHECK_STR(said_text, "");
    parm_free(&c);
}

TEST(each_missing_required_property_is_said)
{
    static const char *const names[] = {
        "Audit.metadata.file.name", "config.drivetable.file.url", "config.keystore.file",
        "TransportListener.ssl.keystore.name", "TransportListener.ssl.port"};
    struct klm_diag diag = {0};
    struct parm_config *c = NULL;

    CHECK_RC(load("", &diag, &c), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_MISSING);
    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        CHECK(said(names[i]));
    }
    CHECK_INT(said_times("KLM0105E"), 5);
}

TEST(an_empty_value_counts_as_not_set)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(
        SAFE "TransportListener.tcp.port=\ndrive.default.alias1=  \nconfig.keystore.password=\n",
        NULL, &c));
    CHECK_INT(parm_num(c, PARM_TransportListener_tcp_port), 3801);
    CHECK(parm_str(c, PARM_drive_default_alias1) == NULL);
    CHECK(!parm_is_set(c, PARM_drive_default_alias1));
    CHECK_INT(said_times("KLM0135W"), 0);
    CHECK_RC(load("config.keystore.file=\n", NULL, &c), KLM_E_INVALID);
    CHECK(said("does not set config.keystore.file"));
}

TEST(an_unknown_property_is_a_warning_with_its_line)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(STRONG "no.such=1\nFIPS=off\n", NULL, &c));
    CHECK(said("KLM0102W Line 9 of /etc/isklm/test.properties: property no.such is not known"));
    CHECK(said("KLM0103W Line 10 of /etc/isklm/test.properties: property FIPS is not known and has "
               "no effect; fips is"));
}

TEST(of_a_property_set_twice_the_later_counts_with_a_warning)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    REQUIRE_OK(load(SAFE "TransportListener.ssl.port=2443\n", NULL, &c));
    CHECK_INT(parm_num(c, PARM_TransportListener_ssl_port), 2443);
    CHECK(said("KLM0104W Line 6 of /etc/isklm/test.properties: TransportListener.ssl.port was set "
               "in line 5 before"));
}

TEST(a_bad_secret_is_never_shown)
{
    char text[sizeof SAFE + 6000] = SAFE "config.keystore.password=hunter2";
    struct klm_diag diag = {0};
    struct parm_config *c = NULL;
    size_t n = strlen(text);

    memset(text + n, 'x', 5000);
    CHECK_RC(load(text, &diag, &c), KLM_E_INVALID);
    CHECK(!said("hunter2"));
    CHECK(!strstr(diag.text, "hunter2"));
    CHECK(strstr(diag.text, "****") != NULL);
}

TEST(what_is_not_built_yet_stops_the_start)
{
    static const char *const lines[] = {"fips=on",
                                        "Server.password=x",
                                        "Server.authMechanism=LocalOS",
                                        "useSKIDefaultLabels=on",
                                        "config.keystore.provider=IBMPKCS11Impl",
                                        "config.keystore.type=PKCS11IMPLKS",
                                        "TransportListener.ssl.keystore.type=IBMi5OSKeyStore"};
    char text[2000];

    for (size_t i = 0; i < KLM_COUNT(lines); i++) {
        struct klm_diag diag = {0};
        struct parm_config *c = NULL;

        snprintf(text, sizeof text, "%s%s\n", SAFE, lines[i]);
        CHECK_RC(load(text, &diag, &c), KLM_E_INVALID);
        CHECK_INT(diag.msg, KLM_MSG_PARM_LATER);
        CHECK_INT(diag.line, 6);
    }
}

TEST(a_later_property_at_its_default_does_not_stop_the_start)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;

    CHECK_RC(load(SAFE "fips=NO\nsync.type=DriveTab\nsync.action=merge\nsync.timeinhours=24\n"
                       "Server.authMechanism=ekm\nuseSKIDefaultLabels=false\n",
                  NULL, &c),
             KLM_OK);
}

TEST(a_syslog_receiver_needs_a_host_and_tls_needs_a_truststore)
{
    static const struct {
        const char *lines, *said;
    } rows[] = {
        {"Audit.isSyslog=true\n", "KLM0776E Line 6 of /etc/isklm/test.properties: Audit.isSyslog "
                                  "needs Audit.syslog.server.host"},
        {"Audit.isSyslog=true\nAudit.syslog.transport=UDP\n",
         "KLM0776E Line 6 of /etc/isklm/test.properties: Audit.isSyslog needs "
         "Audit.syslog.server.host"},
        {"Audit.isSyslog=true\nAudit.syslog.server.host=h\nAudit.syslog.transport=tls\n",
         "KLM0776E Line 6 of /etc/isklm/test.properties: Audit.isSyslog needs "
         "TransportListener.ssl.truststore.name"},
        {"Audit.syslog.server.isSSL=yes\nAudit.syslog.transport=tcp\n",
         "KLM0777E Line 6 of /etc/isklm/test.properties: Audit.syslog.server.isSSL contradicts "
         "Audit.syslog.transport"},
        {"Audit.syslog.facility=24\n", NULL},
        {"Audit.syslog.format=xml\n", NULL},
        {"Audit.syslog.timeout.seconds=0\n", NULL},
    };
    static const char *const good[] = {
        "Audit.isSyslog=true\nAudit.syslog.transport=local\n",
        "Audit.isSyslog=true\nAudit.syslog.transport=evtlog\n",
        "Audit.isSyslog=true\nAudit.syslog.server.host=h\n",
        ("Audit.isSyslog=true\nAudit.syslog.server.host=h\nAudit.syslog.server.isSSL=true\n"
         "TransportListener.ssl.truststore.name=safkeyring://A/B\n"),
    };
    char text[2000];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct klm_diag diag = {0};
        struct parm_config *c = NULL;

        snprintf(text, sizeof text, "%s%s", SAFE, rows[i].lines);
        CHECK_RC(load(text, &diag, &c), KLM_E_INVALID);
        if (rows[i].said) {
            CHECK_STR(diag.text, rows[i].said);
        }
    }
    for (size_t i = 0; i < KLM_COUNT(good); i++) {
        struct parm_config *c = NULL;

        snprintf(text, sizeof text, "%s%s", SAFE, good[i]);
        CHECK_RC(load(text, NULL, &c), KLM_OK);
        parm_free(&c);
    }
}

TEST(client_authentication_needs_a_truststore)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(load(SAFE "TransportListener.ssl.clientauthentication=1\n", &diag, &c), KLM_E_INVALID);
    CHECK_STR(diag.text, "KLM0119E Line 6 of /etc/isklm/test.properties: "
                         "TransportListener.ssl.clientauthentication needs "
                         "TransportListener.ssl.truststore.name");
    CHECK_RC(load(SAFE "TransportListener.ssl.clientauthentication=3\n", &diag, &c), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_VALUE);
}

TEST(traces_to_a_file_need_its_name)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(load(SAFE "debug=logic,transport\n", &diag, &c), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_DEBUG_FILE);
    CHECK_RC(load(SAFE "debug=logic\ndebug.output=Console\n", &diag, &c), KLM_OK);
    parm_free(&c);
    CHECK_RC(load(SAFE "debug=Logic ; Transport\ndebug.output.file=/tmp/trace\n", &diag, &c),
             KLM_OK);
    CHECK_STR(parm_str(c, PARM_debug), "logic,transport");
    CHECK(parm_has(c, PARM_debug, "transport"));
    CHECK(!parm_has(c, PARM_debug, "trans"));
}

TEST(two_listeners_cannot_share_a_port)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(load(SAFE "TransportListener.tcp.port=1443\n", &diag, &c), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_PORTS_SAME);
    CHECK_RC(load(SAFE "TransportListener.tcp.port=1443\nTransportListener.tcp.host=192.0.2.7\n",
                  &diag, &c),
             KLM_OK);
}

TEST(the_master_key_never_lies_in_the_folder_of_the_store)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(load(SAFE "config.masterkey.file=/var/lib/isklm/store/mk\n", &diag, &c),
             KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_MASTER_IN_STORE);
    CHECK_RC(load(SAFE "config.masterkey.file=/var/lib/isklm//x/.././store/y/mk\n", &diag, &c),
             KLM_E_INVALID);
    CHECK_RC(load(SAFE "config.store.directory=/etc/isklm/\n", &diag, &c), KLM_E_INVALID);
    CHECK_RC(load(SAFE "config.store.directory=/\n", &diag, &c), KLM_E_INVALID);
    CHECK_RC(load(SAFE "config.store.directory=/../..\n", &diag, &c), KLM_E_INVALID);
    CHECK_RC(load(SAFE "config.masterkey.file=/var/lib/isklm/store/../mk\n", &diag, &c), KLM_OK);
    parm_free(&c);
    CHECK_RC(load(SAFE "config.masterkey.file=/var/lib/isklm/store2/mk\n", &diag, &c), KLM_OK);
}

TEST(folders_that_are_not_set_follow_from_others)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    char path[200];

    REQUIRE_OK(load(SAFE "Audit.handler.file.directory=/var/log/isklm\n", NULL, &c));
    CHECK_RC(parm_store_dir(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/var/lib/isklm/store");
    CHECK_RC(parm_journal_dir(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/var/log/isklm/journal");
    CHECK_RC(parm_masterkey_file(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/etc/isklm/masterkey/masterkey.sealed");
    CHECK_RC(parm_masterkey_file(c, path, strlen(path)), KLM_E_LIMIT);
    CHECK_RC(parm_masterkey_file(c, path, strlen(path) + 1), KLM_OK);
    CHECK_STR(parm_drive_authority_ring(c), "safkeyring://TAPEKMS/KeyStore4758");
    parm_free(&c);
    REQUIRE_OK(load(
        SAFE
        "config.store.directory=/s\nAudit.journal.directory=FILE:/j\nconfig.masterkey.file=/m/k\n"
        "TransportListener.ssl.truststore.name=safkeyring://A/T\n",
        NULL, &c));
    CHECK_RC(parm_store_dir(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/s");
    CHECK_RC(parm_journal_dir(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/j");
    CHECK_RC(parm_masterkey_file(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/m/k");
    CHECK_STR(parm_drive_authority_ring(c), "safkeyring://A/T");
}

static void collect(void *arg, const char *name, const char *value, bool is_default)
{
    char *out = arg;
    size_t n = strlen(out);

    snprintf(out + n, 16384 - n, "%s=%s%s\n", name, value, is_default ? " (default)" : "");
}

TEST(listing_shows_all_values_but_no_secret)
{
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    static char text[16384];

    REQUIRE_OK(load(STRONG "config.keystore.password=hunter2\nb.unknown=2\na.unknown=1\nsome."
                           "Password=hunter3\nfips=Off\n",
                    NULL, &c));
    text[0] = '\0';
    parm_list(c, collect, text);
    CHECK(strstr(text, "config.keystore.password=****\n") != NULL);
    CHECK(strstr(text, "hunter") == NULL);
    CHECK(strstr(text, "fips=Off\n") != NULL);
    CHECK(strstr(text, "TransportListener.tcp.port=3801 (default)\n") != NULL);
    CHECK(strstr(text, "hardcopy.file") == NULL);
    CHECK(strstr(text, "b.unknown=2\na.unknown=1\nsome.Password=****\n") != NULL);
}

TEST(pending_names_what_waits_for_the_next_start)
{
    KLM_AUTO(parm_free) struct parm_config *a = NULL;
    KLM_AUTO(parm_free) struct parm_config *b = NULL;
    static char text[16384];

    REQUIRE_OK(load(SAFE, NULL, &a));
    REQUIRE_OK(load(SAFE "TransportListener.tcp.port=3802\ndrive.acceptUnknownDrives="
                         "pending\nconfig.keystore.password=x\n"
                         "fips=OFF\nTransportListener.ssl.host=localhost\n",
                    NULL, &b));
    text[0] = '\0';
    parm_pending(a, b, collect, text);
    CHECK_STR(text, "config.keystore.password=****\nTransportListener.tcp.port=3802\n");
    text[0] = '\0';
    parm_pending(b, a, collect, text);
    CHECK_STR(
        text,
        "config.keystore.password=**** (default)\nTransportListener.tcp.port=3801 (default)\n");
    text[0] = '\0';
    parm_pending(a, a, collect, text);
    CHECK_STR(text, "");
}

TEST(a_configuration_is_counted)
{
    struct parm_config *c = NULL, *more;

    REQUIRE_OK(load(SAFE, NULL, &c));
    more = parm_ref(c);
    parm_free(&c);
    CHECK(c == NULL);
    CHECK_INT(parm_num(more, PARM_TransportListener_ssl_port), 1443);
    parm_free(&more);
    parm_free(&more);
}

TEST(a_file_is_loaded_by_name_and_a_missing_one_is_told)
{
    const char *path = test_path("load.properties");
    struct klm_diag diag = {0};
    struct parm_config *c = NULL;

    CHECK_RC(parm_load(path, &diag, &c), KLM_E_NOTFOUND);
    CHECK(diag.msg != KLM_MSG_NONE);
    REQUIRE_OK(klm_file_replace(path, klm_slice_str(SAFE "Audit.handler.file.directory=logs\n"),
                                0600, &diag));
    said_clear();
    REQUIRE_OK(parm_load(path, &diag, &c));
    CHECK_STR(parm_path_of_config(c), path);
    CHECK(strstr(parm_str(c, PARM_Audit_handler_file_directory), test_dir()) != NULL);
    parm_free(&c);
}

TEST(an_impossibly_long_file_name_is_refused)
{
    char name[2000];
    struct klm_diag diag = {0};
    struct parm_config *c = NULL;

    memset(name, 'a', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    CHECK_RC(parm_load_text(klm_slice_str(SAFE), name, true, &diag, &c), KLM_E_LIMIT);
    CHECK(c == NULL);
    name[900] = '\0';
    CHECK_RC(parm_load_text(klm_slice_str(SAFE), name, true, &diag, &c), KLM_OK);
    parm_free(&c);
}

static const char sample[] = "parmlib/samples/ISKLMConfig.properties.zos";

TEST(the_shipped_sample_starts_without_a_warning)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};
    char path[200];

    klm_buf_init(&text, 1 << 20);
    REQUIRE_OK(klm_file_read(sample, 1 << 19, &text, &diag));
    said_clear();
    CHECK_RC(parm_load_text(klm_buf_as_slice(&text), "/etc/isklm/ISKLMConfig.properties.zos", false,
                            &diag, &c),
             KLM_OK);
    CHECK_STR(said_text, "");
    REQUIRE(c != NULL);
    CHECK_STR(parm_str(c, PARM_drive_acceptUnknownDrives), "pending");
    CHECK_INT(parm_tls_min(c), 13);
    CHECK_RC(parm_store_dir(c, path, sizeof path), KLM_OK);
    CHECK_STR(path, "/var/lib/isklm/store");
}

TEST(the_shipped_sample_speaks_of_every_property)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;

    klm_buf_init(&text, 1 << 20);
    REQUIRE_OK(klm_file_read(sample, 1 << 19, &text, NULL));
    klm_buf_u8(&text, 0);
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        if (!strstr((const char *)text.p, parm_row((enum parm_id)i)->name)) {
            CHECK_STR("not in the sample", parm_row((enum parm_id)i)->name);
        }
    }
}
