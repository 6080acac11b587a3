/* TLS for KMIP clients: whose certificate is taken, suites and versions, resumption, refresh. */
#include "door_help.h"

#define STAYS(client) (echoes((client), 16, 0x5A))

/* Could it begin, and was a request answered? A client of TLS 1.3 hears only afterwards that its certificate was refused. */
static bool served(unsigned port, const struct self *self, const struct wish *wish)
{
    struct client client = dial_as(port, self, wish);
    bool fine = client.fine && STAYS(&client);

    if (client.fine && !fine) {
        printf("# not served: %s\n", client.words);
    }
    hang_up(&client);
    return fine;
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

TEST(any_certificate_is_taken_and_none_is_too)
{
    static const char *const kinds[] = {"P-256", "P-384", "2048"};
    struct door door;

    door_start(&door, "any", "");
    for (size_t v = 0; v < KLM_COUNT(versions); v++) {
        const struct wish wish = {.version = versions[v]};

        for (size_t i = 0; i < KLM_COUNT(kinds); i++) {
            struct self self = self_new(kinds[i], -3600, 3600);

            CHECK(served(door.ttlv, &self, &wish));
            CHECK_STR(seen()->fingerprint, self.fingerprint);
            self_done(&self);
        }
        CHECK(served(door.ttlv, NULL, &wish));
        CHECK_STR(seen()->fingerprint, "");
        CHECK_INT(seen()->cert_n, 0);
    }
    door_close(&door);
}

TEST(a_certificate_that_is_not_valid_today_or_weak_is_refused_with_the_reason)
{
    static const struct {
        const char *kind;
        long from, to;
        const char *why;
    } rows[] = {
        {"P-256", -7200, -3600, "certificate has expired"},
        {"P-256", 3600, 7200, "certificate is not yet valid"},
        {"1024", -3600, 3600, "EE certificate key too weak"},
    };
    struct door door;

    door_start(&door, "refused", "");
    for (size_t v = 0; v < KLM_COUNT(versions); v++) {
        const struct wish wish = {.version = versions[v]};

        for (size_t i = 0; i < KLM_COUNT(rows); i++) {
            struct self self = self_new(rows[i].kind, rows[i].from, rows[i].to);

            CHECK(!served(door.ttlv, &self, &wish));
            WAIT_FOR(info_of(&door).sessions == 0, 5)
            {
            }
            self_done(&self);
        }
    }
    CHECK_INT(seen()->requests, 0);
    CHECK_INT(info_of(&door).failed, 6);
    door_close(&door);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        CHECK_INT(times_said(rows[i].why), 2);
        CHECK_INT(events(&door.house, "tls-failed", SMF_FAILURE, "KLM1907W", rows[i].why), 2);
    }
}

TEST(a_certificate_is_required_where_that_is_configured)
{
    struct door door;
    struct self self = self_good();

    door_start(&door, "required", "KMIPListener.ssl.clientauthentication=required\n");
    for (size_t v = 0; v < KLM_COUNT(versions); v++) {
        const struct wish wish = {.version = versions[v]};

        CHECK(served(door.ttlv, &self, &wish));
        CHECK(!served(door.ttlv, NULL, &wish));
    }
    CHECK_INT(seen()->requests, 2);
    door_close(&door);
    self_done(&self);
}

/* ---- Resumption */

static SSL_SESSION *session_of(struct client *client)
{
    CHECK(STAYS(client)); /* a ticket of TLS 1.3 comes before the answer */
    return SSL_get1_session(client->ssl);
}

/* Also after a client that closed without a word. */
static void check_resumed(struct door *door, const struct self *self, const struct wish *first)
{
    struct client one = dial_as(door->ttlv, self, first), two;
    struct wish again = *first;

    REQUIRE(one.fine);
    again.session = session_of(&one);
    again.ctx = one.ctx;
    forget_seen();
    shutdown(one.fd, SHUT_RDWR);
    WAIT_FOR(info_of(door).sessions == 0, 5)
    {
    }
    two = dial_as(door->ttlv, self, &again);
    CHECK(two.fine);
    CHECK(SSL_session_reused(two.ssl));
    CHECK(STAYS(&two));
    CHECK_STR(seen()->fingerprint, self ? self->fingerprint : "");
    CHECK_INT(seen()->cert_n > 0, self != NULL);
    SSL_SESSION_free(again.session);
    hang_up(&one);
    hang_up(&two);
}

TEST(a_session_is_resumed_with_its_identity)
{
    static const struct wish wishes[] = {{.version = TLS1_2_VERSION},
                                         {.version = TLS1_2_VERSION, .no_ticket = true},
                                         {.version = TLS1_3_VERSION}};
    struct door door;
    struct self self = self_good();

    door_start(&door, "resume", "");
    for (size_t i = 0; i < KLM_COUNT(wishes); i++) {
        check_resumed(&door, &self, &wishes[i]);
        check_resumed(&door, NULL, &wishes[i]);
    }
    CHECK_INT(times_said("KLM190"), 2); /* the two ports */
    door_close(&door);
    self_done(&self);
}

TEST(a_certificate_that_expired_meanwhile_is_not_resumed)
{
    static const struct wish wishes[] = {{.version = TLS1_2_VERSION},
                                         {.version = TLS1_2_VERSION, .no_ticket = true},
                                         {.version = TLS1_3_VERSION}};
    struct door door;
    struct self self = self_good();

    door_start(&door, "expired", "");
    for (size_t i = 0; i < KLM_COUNT(wishes); i++) {
        struct client one = dial_as(door.ttlv, &self, &wishes[i]), two;
        struct wish again = wishes[i];
        unsigned before;

        again.session = session_of(&one);
        again.ctx = one.ctx;
        before = seen()->requests;
        klm_clock_set(klm_clock() + (klm_time)2 * 86400 * 1000000);
        two = dial_as(door.ttlv, &self, &again);
        CHECK(!two.fine || !STAYS(&two));
        CHECK_INT(seen()->requests, before);
        klm_clock_set(0);
        SSL_SESSION_free(again.session);
        hang_up(&one);
        hang_up(&two);
    }
    door_close(&door);
    CHECK_INT(times_said("certificate has expired"), 3);
    self_done(&self);
}

/* ---- Suites */

static bool speaks(unsigned port, int version, const char *ciphers, char *which, size_t cap)
{
    const struct wish wish = {.version = version, .ciphers = ciphers};
    struct client client = dial_as(port, NULL, &wish);
    bool fine = client.fine && STAYS(&client);

    snprintf(which, cap, "%s", fine ? SSL_get_cipher_name(client.ssl) : "");
    hang_up(&client);
    return fine;
}

/* A door whose certificate has a key of RSA, or else one of P-256. */
static void start_with(struct door *door, const char *name, bool rsa, const char *more)
{
    char config[2000], all[1600];

    *door = (struct door){0};
    snprintf(all, sizeof all, "%s%s", rsa ? "KMIPListener.ssl.certificate=RSA\n" : "", more);
    config_with_ports(all, config, sizeof config);
    make_house(&door->house, name, config);
    open_house(&door->house, true);
    furnish(&door->house);
    gencert(&door->house, OWNER, "RSA", "SERVER", "RSA", "2048", CA_LABEL);
    connect_cert(&door->house, OWNER, "RSA");
    gencert(&door->house, OWNER, "P384", "SERVER", "NISTECC", "384", CA_LABEL);
    connect_cert(&door->house, OWNER, "P384");
    close_house(&door->house);
    open_house(&door->house, false);
    listen_now();
    door_open(door);
}

#define STATIC_RSA "AES128-SHA256:AES256-SHA256"

TEST(the_default_speaks_both_versions_with_forward_secrecy_only)
{
    struct door door;
    char which[80];

    start_with(&door, "modern", true, "");
    CHECK(speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    CHECK_STR(which, "TLS_AES_256_GCM_SHA384");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, NULL, which, sizeof which));
    CHECK_STR(which, "ECDHE-RSA-AES256-GCM-SHA384");
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, STATIC_RSA, which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256", which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_1_VERSION, NULL, which, sizeof which));
    door_close(&door);
}

TEST(basic_has_what_old_appliances_need_and_prefers_better)
{
    struct door door;
    char which[80];

    start_with(&door, "basic", true, "KMIPListener.ssl.suites=Basic\n");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, "AES128-SHA256", which, sizeof which));
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, "AES256-SHA256", which, sizeof which));
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, STATIC_RSA ":ECDHE-RSA-AES128-GCM-SHA256", which,
                 sizeof which));
    CHECK_STR(which, "ECDHE-RSA-AES128-GCM-SHA256");
    CHECK(speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, "AES128-SHA", which, sizeof which));
    door_close(&door);
}

TEST(a_list_of_suites_is_in_force_alone)
{
    struct door door;
    char which[80];

    start_with(&door, "list", true,
               "KMIPListener.ssl.ciphersuites=TLS_RSA_WITH_AES_128_CBC_SHA256, "
               "TLS_RSA_WITH_AES_128_CBC_SHA\n");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, "AES128-SHA256", which, sizeof which));
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, "AES128-SHA", which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, "AES256-SHA256", which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    door_close(&door);
}

TEST(tls12_is_that_version_alone)
{
    struct door door;
    char which[80];

    start_with(&door, "tls12", true, "KMIPListener.ssl.suites=TLS12\n");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, NULL, which, sizeof which));
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256", which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, STATIC_RSA, which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    door_close(&door);
}

TEST(versions_have_bounds)
{
    struct door door;
    char which[80];

    start_with(&door, "min13", false, "KMIPListener.ssl.version.min=TLSv1.3\n");
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, NULL, which, sizeof which));
    CHECK(speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    door_close(&door);
    start_with(&door, "max12", false, "KMIPListener.ssl.version.max=TLSv1.2\n");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, NULL, which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    door_close(&door);
}

TEST(suite_b_is_its_suites_curves_and_keys)
{
    static const struct wish tls12 = {.version = TLS1_2_VERSION};
    struct door door;
    struct self small = self_new("P-256", -60, 3600), large = self_new("P-384", -60, 3600),
                rsa = self_new("2048", -60, 3600);
    char which[80];

    start_with(&door, "suiteb", false, "KMIPListener.ssl.suites=SuiteB\n");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, NULL, which, sizeof which));
    CHECK_STR(which, "ECDHE-ECDSA-AES256-GCM-SHA384");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", which, sizeof which));
    CHECK(!speaks(door.ttlv, TLS1_3_VERSION, NULL, which, sizeof which));
    CHECK(served(door.ttlv, &small, &tls12));
    CHECK(served(door.ttlv, &large, &tls12));
    CHECK(served(door.ttlv, &rsa,
                 &tls12)); /* a client cannot show a key that Suite B does not sign with */
    CHECK_STR(seen()->fingerprint, "");
    door_close(&door);

    start_with(&door, "suiteb192", false,
               "KMIPListener.ssl.suites=SuiteB192\nKMIPListener.ssl.certificate=P384\n");
    CHECK(speaks(door.ttlv, TLS1_2_VERSION, NULL, which, sizeof which));
    CHECK_STR(which, "ECDHE-ECDSA-AES256-GCM-SHA384");
    CHECK(!speaks(door.ttlv, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", which, sizeof which));
    CHECK(served(door.ttlv, &large, &tls12));
    CHECK(!served(door.ttlv, &small, &tls12));
    door_close(&door);
    self_done(&small);
    self_done(&large);
    self_done(&rsa);
}

/* ---- Certificates of the server */

/* The label that a new connection is shown, "" when there is none. */
static const char *shown(unsigned port)
{
    static char name[100];
    struct client client = dial(port, NULL);
    X509 *cert = client.fine ? SSL_get0_peer_certificate(client.ssl) : NULL;

    name[0] = '\0';
    if (cert) {
        X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
    }
    hang_up(&client);
    return name;
}

TEST(the_certificate_is_the_one_that_is_named_or_that_of_the_ring)
{
    struct door door;

    start_with(&door, "named", true, "");
    CHECK_STR(shown(door.ttlv), "RSA");
    CHECK_STR(shown(door.https), "RSA");
    door_close(&door);
    start_with(&door, "default", false, "");
    CHECK_STR(shown(door.ttlv), "Server");
    door_close(&door);
}

/* The first port that is open, 0 for none. */
static unsigned port_of(struct door *door)
{
    return info_of(door).ttlv_port;
}

static void set_and_refresh(struct door *door, const char *property, const char *value)
{
    DO(&door->house, KM_CONFIG_SET, &admin, "property", property, "value", value);
    on_loop(door, do_refresh);
}

TEST(a_refresh_brings_another_certificate_and_old_sessions_stay)
{
    struct door door;
    struct client old;

    start_with(&door, "refresh", true, "");
    old = dial(door.ttlv, NULL);
    CHECK(STAYS(&old));
    set_and_refresh(&door, "KMIPListener.ssl.certificate", "P384");
    WAIT_FOR(strcmp(shown(door.ttlv), "P384") == 0, 5)
    {
    }
    CHECK_STR(shown(door.ttlv), "P384");
    CHECK(STAYS(&old));
    set_and_refresh(&door, "KMIPListener.ssl.certificate", "Nobody");
    WAIT_FOR(times_said("KLM1905W") > 0, 5)
    {
    }
    CHECK_INT(times_said("KLM1902E Certificate Nobody"), 1);
    CHECK_INT(times_said("KLM1905W"), 1);
    CHECK_STR(shown(door.ttlv), "P384");
    CHECK(STAYS(&old));
    set_and_refresh(&door, "kmip.vendor", "Another");
    CHECK(STAYS(&old));
    CHECK_STR(seen()->vendor, "Another");
    hang_up(&old);
    door_close(&door);
}

TEST(without_its_certificate_the_ports_stay_closed_until_a_refresh_finds_it)
{
    struct door door;

    start_with(&door, "missing", false, "KMIPListener.ssl.certificate=Nobody\n");
    CHECK_INT(times_said("KLM1902E"), 1);
    CHECK_INT(times_said("KLM1904E"), 1);
    CHECK_INT(port_of(&door), 0);
    set_and_refresh(&door, "KMIPListener.ssl.certificate",
                    "L1"); /* a key label is none, but has a key */
    WAIT_FOR(port_of(&door) != 0, 5)
    {
    }
    CHECK(port_of(&door) != 0);
    CHECK_STR(shown(port_of(&door)), "L1");
    door_close(&door);
}

TEST(suite_b_is_not_begun_with_a_key_that_it_does_not_know)
{
    struct door door;

    start_with(&door, "wrongkey", true, "KMIPListener.ssl.suites=SuiteB\n");
    CHECK_INT(times_said("KLM1903E KMIPListener.ssl.suites=suiteb needs a certificate with an "
                         "elliptic curve of 256 bits or more; RSA is none"),
              1);
    CHECK_INT(port_of(&door), 0);
    door_close(&door);
}

TEST(many_refreshes_at_once_end_with_the_last)
{
    struct door door;

    start_with(&door, "many", true, "");
    DO(&door.house, KM_CONFIG_SET, &admin, "property", "KMIPListener.ssl.certificate", "value",
       "P384");
    for (int i = 0; i < 10; i++) {
        on_loop(&door, do_refresh);
    }
    WAIT_FOR(strcmp(shown(door.ttlv), "P384") == 0, 5)
    {
    }
    CHECK_STR(shown(door.ttlv), "P384");
    on_loop(&door, do_refresh); /* one that is under way when all ends */
    door_close(&door);
}
