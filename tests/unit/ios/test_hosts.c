/* Fail-over: who is asked when the primary is there, refuses connections, hangs, speaks nonsense, comes back. */
#include "fake_km.h"

#include "ios/hosts.h"

static struct fake primary, secondary;
static struct ios_hosts_config cfg;
static struct ios_hosts *hosts;
static struct ios_fault fault;
static struct klm_diag diag;
static struct ios_keyed *keyed;
static char said[8192];

static void hear(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", line);
}

static void set_host(struct parm_ekm_host *host, uint16_t port)
{
    snprintf(host->host, sizeof host->host, "127.0.0.1");
    host->port = port;
}

/* Both key managers in a mode, and hosts that ask them quickly. */
static void begin(enum fake_mode first, enum fake_mode second)
{
    fake_start(&primary, first);
    fake_start(&secondary, second);
    cfg = (struct ios_hosts_config){.drive = fake_drive(),
                                    .timeout_ms = 100000,
                                    .connect_ms = 100000,
                                    .backoff_ms = 5,
                                    .probe_ms = 100};
    parm_ekm_init(&cfg.ekm);
    set_host(&cfg.ekm.primary, primary.port);
    set_host(&cfg.ekm.secondary, secondary.port);
    said[0] = '\0';
    klm_say_to(hear, NULL);
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
}

static void done(void)
{
    ios_keyed_free(&keyed);
    ios_hosts_free(&hosts);
    fake_stop(&primary);
    fake_stop(&secondary);
    klm_say_to(NULL, NULL);
}

static klm_rc create(void)
{
    const struct kx_create request = {.volser = "WXY662"};

    ios_keyed_free(&keyed);
    diag = (struct klm_diag){0};
    return ios_hosts_ask(hosts, &(struct ios_request){.type = KX_CREATE, .u.create = &request},
                         &fault, &diag, &keyed);
}

static int primary_port; /* holds it while nobody listens there */

/* The primary goes: its port is left as a port where nobody listens. */
static void primary_ends(void)
{
    ios_hosts_free(&hosts);
    fake_stop(&primary);
    primary_port = fake_bind(&primary.port);
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
}

static void primary_starts(void)
{
    uint16_t port = primary.port;

    fake_start_with(&primary, FAKE_GOOD, port, fake_tls());
    close(primary_port);
}

TEST(at_power_on_a_refusal_is_tried_at_the_other_one_too)
{
    const struct kx_get get = {.volser = "EG0001", .eedk = {KLM_SLICE("eedk", 4)}, .eedk_n = 1};
    const struct ios_request request = {.type = KX_GET, .u.get = &get};

    begin(FAKE_REFUSE, FAKE_GOOD);
    CHECK_RC(ios_hosts_ask(hosts, &request, &fault, &diag, &keyed), KLM_E_DENIED);
    CHECK_INT(secondary.requests, 0);
    CHECK_RC(ios_hosts_ask_any(hosts, &request, &fault, &diag, &keyed), KLM_OK);
    CHECK(keyed != NULL && keyed->key != NULL);
    CHECK_INT(fault.error.code, 0);
    CHECK_INT(diag.msg, KLM_MSG_NONE);
    CHECK_INT(ios_hosts_current(hosts), IOS_SECONDARY);
    done();
    begin(FAKE_REFUSE, FAKE_REFUSE);
    CHECK_RC(ios_hosts_ask_any(hosts, &request, &fault, &diag, &keyed), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEE31);
    CHECK_INT(primary.requests, 1);
    CHECK_INT(secondary.requests, 1);
    CHECK(strstr(said, "KLM1069E") != NULL); /* of the secondary; the primary's is in diag */
    CHECK_INT(diag.msg, KLM_MSG_IOS_REFUSED);
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    done();
    begin(
        FAKE_CLOSE,
        FAKE_REFUSE); /* the secondary refuses in place of a primary that is gone: asked twice, told twice */
    CHECK_RC(ios_hosts_ask_any(hosts, &request, &fault, &diag, &keyed), KLM_E_DENIED);
    CHECK_INT(secondary.requests, 1);
    done();
}

TEST(the_primary_alone_is_asked_while_it_answers)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    for (int i = 0; i < 5; i++) {
        REQUIRE_OK(create());
        CHECK_MEM(keyed->key, fake_data_key, 32);
    }
    CHECK_INT(primary.requests, 5);
    CHECK_INT(primary.sessions, 1); /* the connection is permanent */
    CHECK_INT(secondary.sessions, 0);
    CHECK_INT(ios_hosts_connections(hosts), 1);
    CHECK_STR(said, "");
    done();
}

TEST(no_connection_stays_when_none_may)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.ekm.maxpconn = 0;
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_connections(hosts), 0);
    REQUIRE_OK(create());
    CHECK_INT(primary.sessions, 2);
    done();
}

TEST(with_one_socket_the_other_connection_makes_room)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.ekm.maxconn = 1;
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    REQUIRE_OK(ios_hosts_verify(hosts, IOS_PRIMARY, &fault));
    REQUIRE_OK(ios_hosts_verify(hosts, IOS_SECONDARY, &fault));
    CHECK_INT(ios_hosts_connections(hosts), 1);
    done();
}

TEST(a_refusal_is_an_answer_and_never_leads_to_the_other)
{
    begin(FAKE_REFUSE, FAKE_GOOD);
    CHECK_RC(create(), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEE31);
    CHECK_INT(diag.msg, KLM_MSG_IOS_REFUSED);
    CHECK(strstr(diag.text, "EE31: KLM0401E No such label") != NULL);
    CHECK_INT(primary.requests, 1); /* and is not retried */
    CHECK_INT(secondary.sessions, 0);
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    done();
}

TEST(a_refused_drive_does_not_go_to_the_other)
{
    begin(FAKE_REFUSE_DRIVE, FAKE_GOOD);
    CHECK_RC(create(), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEF01);
    CHECK_INT(secondary.sessions, 0);
    done();
}

static klm_rc create_in(enum fake_mode mode, uint32_t timeout_ms)
{
    begin(mode, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.timeout_ms = timeout_ms;
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    return create();
}

/* The time limit is for both: where the good one cannot keep it, the machine is slow, and they get a longer one. */
static void goes_over(enum fake_mode mode, uint32_t timeout_ms)
{
    uint32_t ms = test_ms(timeout_ms);
    klm_rc rc = create_in(mode, ms);

    for (unsigned again = 0; rc == KLM_E_TIMEOUT && again < 5; again++) {
        done();
        rc = create_in(mode, ms *= 2);
    }
    REQUIRE(rc == KLM_OK);
    CHECK_MEM(keyed->key, fake_data_key, 32);
    CHECK_INT(ios_hosts_current(hosts), IOS_SECONDARY);
    CHECK_INT(secondary.requests, 1);
    CHECK(strstr(said, "KLM1065W The primary key manager 127.0.0.1:") != NULL);
    CHECK(strstr(said, "KLM1066I The secondary key manager 127.0.0.1:") != NULL);
    done();
}

TEST(a_primary_that_goes_wrong_in_any_way_leads_to_the_secondary)
{
    goes_over(FAKE_SILENT, 600);
    goes_over(FAKE_GARBAGE, 20000);
    goes_over(FAKE_CLOSE, 20000);
    goes_over(FAKE_MUTE,
              2000); /* stopped after the session began: an unanswered create is asked anew */
    goes_over(FAKE_DROP, 20000);
    goes_over(FAKE_OTHER_HELLOS, 20000);
    goes_over(FAKE_BAD_WRAP, 20000);
}

TEST(the_primary_gets_its_retries_first)
{
    begin(FAKE_DROP, FAKE_GOOD);
    REQUIRE_OK(create());
    CHECK_INT(primary.requests, 3);
    done();
}

TEST(a_primary_that_refuses_connections_leads_to_the_secondary)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    primary_ends();
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_current(hosts), IOS_SECONDARY);
    CHECK(strstr(said, "Connection refused") != NULL);
    primary_starts();
    done();
}

TEST(the_secondary_stays_in_use_until_the_primary_is_looked_for)
{
    begin(FAKE_CLOSE, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.probe_ms = 60000;
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    REQUIRE_OK(create());
    primary.mode = FAKE_GOOD;
    REQUIRE_OK(create());
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_current(hosts), IOS_SECONDARY);
    CHECK_INT(primary.sessions, 0);
    CHECK_INT(secondary.requests, 3);
    CHECK_INT(secondary.sessions, 1);
    done();
}

TEST(the_primary_is_used_again_when_it_is_back)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    primary_ends();
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_current(hosts), IOS_SECONDARY);
    usleep(150000);
    REQUIRE_OK(create()); /* looked for, not there */
    CHECK_INT(ios_hosts_current(hosts), IOS_SECONDARY);
    primary_starts();
    usleep(150000);
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    CHECK_INT(primary.requests, 1);
    CHECK_INT(secondary.requests, 2);
    CHECK(strstr(said, "KLM1067I The primary key manager") != NULL);
    done();
}

TEST(when_both_are_down_it_is_told_and_the_primary_comes_first_again)
{
    begin(FAKE_CLOSE, FAKE_GARBAGE);
    CHECK(create() != KLM_OK);
    CHECK_INT(diag.msg, KLM_MSG_IOS_NONE_ANSWERS);
    CHECK_INT(fault.error.code, 0);
    CHECK(strstr(said, "The primary key manager") != NULL);
    CHECK(strstr(said, "The secondary key manager 127.0.0.1") != NULL);
    CHECK(strstr(said, "no key exchange") != NULL);
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    primary.mode = FAKE_GOOD;
    REQUIRE_OK(create());
    CHECK_INT(primary.requests, 1);
    done();
}

TEST(a_secondary_that_fails_leads_back_to_the_primary)
{
    begin(FAKE_CLOSE, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.probe_ms = 60000;
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    REQUIRE_OK(create());
    primary.mode = FAKE_GOOD;
    secondary.mode = FAKE_DROP;
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    CHECK_INT(primary.requests, 1);
    done();
}

TEST(a_connection_that_died_while_it_was_kept_costs_no_fail_over)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    REQUIRE_OK(create());
    primary.mode = FAKE_DROP; /* ends the session at the next request */
    CHECK_RC(ios_hosts_verify(hosts, IOS_PRIMARY, &fault), KLM_E_CLOSED);
    primary.mode = FAKE_GOOD;
    REQUIRE_OK(create());
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    CHECK_INT(secondary.sessions, 0);
    CHECK_STR(said, "");
    done();
}

TEST(each_is_verified_by_itself)
{
    begin(FAKE_GOOD, FAKE_MUTE);
    CHECK_RC(ios_hosts_verify(hosts, IOS_PRIMARY, &fault), KLM_OK);
    ios_hosts_free(&hosts);
    cfg.timeout_ms = (uint32_t)test_ms(600);
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    CHECK_RC(ios_hosts_verify(hosts, IOS_SECONDARY, &fault), KLM_E_TIMEOUT);
    CHECK(strstr(fault.why, "in time") != NULL);
    CHECK_INT(ios_hosts_current(hosts), IOS_PRIMARY);
    ios_hosts_free(&hosts);
    cfg.timeout_ms = 100000;
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    secondary.mode = FAKE_REFUSE;
    CHECK_RC(ios_hosts_verify(hosts, IOS_SECONDARY, &fault), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEE31);
    done();
}

TEST(with_no_primary_the_secondary_is_the_one)
{
    begin(FAKE_GOOD, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.ekm.primary.host[0] = '\0';
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    REQUIRE_OK(create());
    CHECK_INT(secondary.requests, 1);
    CHECK_RC(ios_hosts_verify(hosts, IOS_PRIMARY, &fault), KLM_E_NOTFOUND);
    ios_hosts_free(&hosts);
    cfg.ekm.secondary.host[0] = '\0';
    CHECK_RC(ios_hosts_new(&cfg, &diag, &hosts), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_IOS_NO_HOST);
    done();
}

TEST(alone_a_primary_that_is_down_is_told)
{
    begin(FAKE_CLOSE, FAKE_GOOD);
    ios_hosts_free(&hosts);
    cfg.ekm.secondary.host[0] = '\0';
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    CHECK_RC(create(), KLM_E_CLOSED);
    CHECK_INT(diag.msg, KLM_MSG_IOS_NONE_ANSWERS);
    done();
}
