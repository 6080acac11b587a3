/* The client's half of the exchange against a key manager that is right, and against one for each way of being wrong. */
#include "fake_km.h"

#include "ios/session.h"

static struct fake fake;
static struct klm_tls_ctx *tls;
static struct ios_session_config cfg;
static struct ios_fault fault;
static struct ios_session *session;
static struct ios_keyed *keyed;

static klm_rc open_it(uint32_t ms)
{
    struct parm_ekm_host host = {.host = "127.0.0.1", .port = fake.port};

    session = NULL;
    cfg.drive = cfg.drive ? cfg.drive : fake_drive();
    cfg.connect_ms = 100000;
    if (!tls) {
        REQUIRE_OK(ios_session_tls(cfg.drive, false, NULL, &tls));
    }
    cfg.tls = tls;
    return ios_session_open(&host, &cfg, klm_clock_mono_ms() + test_ms(ms), &fault, &session);
}

static void done(void)
{
    ios_keyed_free(&keyed);
    ios_session_free(&session);
    klm_tls_ctx_free(&tls);
    fake_stop(&fake);
    cfg = (struct ios_session_config){0};
}

static klm_rc ask_for(enum kx_type type, uint32_t ms)
{
    const struct kx_create create = {
        .volser = "WXY662", .labels = {{"LABEL1", 'L'}}, .labels_n = 1};
    const struct kx_get get = {.volser = "WXY662", .eedk = {KLM_SLICE("eedk", 4)}, .eedk_n = 1};
    const struct kx_translate translate = {.old = get, .labels = {{"LABEL2", 'H'}}, .labels_n = 1};
    struct ios_request request = {.type = type, .u.create = &create};

    if (type == KX_GET) {
        request.u.get = &get;
    } else if (type == KX_TRANSLATE) {
        request.u.translate = &translate;
    }
    ios_keyed_free(&keyed);
    return ios_session_ask(session, &request, klm_clock_mono_ms() + test_ms(ms), &fault, &keyed);
}

TEST(one_session_verifies_creates_gets_and_translates)
{
    fake_start(&fake, FAKE_GOOD);
    REQUIRE_OK(open_it(100000));
    CHECK(!fake.proof); /* the certificate was shown in TLS */
    REQUIRE_OK(ask_for(KX_VERIFY, 100000));
    CHECK(keyed->key == NULL);
    REQUIRE_OK(ask_for(KX_CREATE, 100000));
    CHECK_MEM(keyed->key, fake_data_key, 32);
    CHECK_INT(keyed->eedk_n, 2);
    CHECK_MEM(keyed->eedk[1].p, "eedk two", 8);
    CHECK_STR(keyed->labels[1].label, "LABEL2");
    CHECK_INT(keyed->labels[1].encoding, 'H');
    REQUIRE_OK(ask_for(KX_GET, 100000));
    CHECK_MEM(keyed->key, fake_data_key, 32);
    REQUIRE_OK(ask_for(KX_TRANSLATE, 100000));
    CHECK(keyed->key == NULL);
    CHECK_INT(keyed->eedk_n, 2);
    CHECK_INT(fake.sessions, 1);
    CHECK_INT(fake.requests, 4);
    done();
}

TEST(on_an_ssl_port_tls_comes_first)
{
    fake_start(&fake, FAKE_GOOD);
    fake.ssl_port = true;
    cfg.ssl = true;
    REQUIRE_OK(open_it(100000));
    REQUIRE_OK(ask_for(KX_CREATE, 100000));
    CHECK_MEM(keyed->key, fake_data_key, 32);
    done();
}

TEST(the_drive_signs_when_tls_asks_for_no_certificate)
{
    fake_start_with(&fake, FAKE_GOOD, 0, server_config(KLM_TLS_AUTH_NONE));
    REQUIRE_OK(open_it(100000));
    CHECK(fake.proof);
    CHECK(fake.proof_good);
    done();
}

TEST(a_drive_with_an_rsa_key_signs_with_pss)
{
    struct ios_drive *rsa = NULL;

    fake_drive_folder(test_path("rsa"), "rsa:2048");
    REQUIRE_OK(ios_drive_load(test_path("rsa"), NULL, &rsa));
    fake_start_with(&fake, FAKE_GOOD, 0, server_config(KLM_TLS_AUTH_NONE));
    cfg.drive = rsa;
    REQUIRE_OK(open_it(100000));
    CHECK(fake.proof);
    CHECK(fake.proof_good);
    done();
    ios_drive_free(&rsa);
}

TEST(tls_1_2_works_when_it_is_allowed_and_only_then)
{
    struct klm_tls_config old = server_config(KLM_TLS_AUTH_NONE);

    old.max_version = 12;
    fake_start_with(&fake, FAKE_GOOD, 0, old);
    CHECK_RC(open_it(100000), KLM_E_CRYPTO);
    klm_tls_ctx_free(&tls);
    REQUIRE_OK(ios_session_tls(fake_drive(), true, NULL, &tls));
    REQUIRE_OK(open_it(100000));
    CHECK(fake.proof_good);
    REQUIRE_OK(ask_for(KX_GET, 100000));
    CHECK_MEM(keyed->key, fake_data_key, 32);
    done();
}

static void refuses_to_open(enum fake_mode mode, klm_rc rc, const char *why)
{
    fake_start(&fake, mode);
    CHECK_RC(open_it(mode == FAKE_SILENT ? 300 : 100000), rc);
    CHECK(session == NULL);
    CHECK(strstr(fault.why, why) != NULL);
    CHECK_INT(fault.error.code, 0);
    done();
}

TEST(a_server_that_opens_wrongly_is_left)
{
    refuses_to_open(FAKE_SILENT, KLM_E_TIMEOUT, "in time");
    refuses_to_open(FAKE_GARBAGE, KLM_E_INVALID, "no key exchange");
    refuses_to_open(FAKE_VERSION, KLM_E_UNSUPPORTED, "versions");
    refuses_to_open(FAKE_OTHER_HELLOS, KLM_E_INVALID, "changed on the way");
    refuses_to_open(FAKE_NOT_CONFIRMED, KLM_E_INVALID, "confirm");
}

TEST(a_server_that_closes_at_once_is_left)
{
    fake_start(&fake, FAKE_CLOSE);
    CHECK_RC(open_it(100000), KLM_E_CLOSED);
    done();
}

/* Nothing may be buffered across the upgrade: whether the byte comes with the hello or after it. */
TEST(a_byte_behind_the_hello_of_the_server_ends_it)
{
    fake_start(&fake, FAKE_BEHIND_HELLO);
    CHECK_RC(open_it(100000), KLM_E_INVALID);
    CHECK_INT(fake.sessions, 0);
    done();
}

TEST(a_refused_drive_is_a_refusal_and_no_failure)
{
    fake_start(&fake, FAKE_REFUSE_DRIVE);
    CHECK_RC(open_it(100000), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEF01);
    CHECK_STR(fault.error.message_id, "KLM0204E");
    CHECK_STR(fault.error.text, "Unknown drive");
    done();
}

TEST(a_refused_request_leaves_the_session_open)
{
    fake_start(&fake, FAKE_REFUSE);
    REQUIRE_OK(open_it(100000));
    CHECK_RC(ask_for(KX_CREATE, 100000), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEE31);
    CHECK(keyed == NULL);
    CHECK(ios_session_ready(session));
    fake.mode = FAKE_GOOD;
    REQUIRE_OK(ask_for(KX_CREATE, 100000));
    CHECK_INT(fault.error.code, 0);
    done();
}

static void answers_wrongly(enum fake_mode mode, klm_rc rc, const char *why)
{
    fake_start(&fake, mode);
    REQUIRE_OK(open_it(100000));
    CHECK_RC(ask_for(KX_GET, mode == FAKE_MUTE ? 300 : 100000), rc);
    CHECK(strstr(fault.why, why) != NULL);
    CHECK(keyed == NULL);
    CHECK(!ios_session_ready(session));
    CHECK_RC(ask_for(KX_GET, 300), KLM_E_STATE);
    done();
}

TEST(a_wrong_answer_ends_the_session)
{
    answers_wrongly(FAKE_MUTE, KLM_E_TIMEOUT, "in time");
    answers_wrongly(FAKE_OTHER_ID, KLM_E_INVALID, "not asked");
    answers_wrongly(FAKE_OTHER_TYPE, KLM_E_INVALID, "not asked");
    answers_wrongly(FAKE_BAD_WRAP, KLM_E_CRYPTO, "unwrapped");
    answers_wrongly(FAKE_DROP, KLM_E_CLOSED, "closed");
    answers_wrongly(FAKE_TOO_LONG, KLM_E_LIMIT, "no key exchange");
}

static void other_certificate(struct id *id, const char *why)
{
    struct klm_tls_config other = server_config(KLM_TLS_AUTH_REQUIRED);

    other.key = id->key;
    other.cert = id->cert;
    fake_start_with(&fake, FAKE_GOOD, 0, other);
    CHECK_RC(open_it(100000), KLM_E_CRYPTO);
    CHECK(strstr(fault.why, why) != NULL);
    done();
}

TEST(a_server_of_another_authority_gets_nothing)
{
    ids_make();
    other_certificate(&stranger_id, "certificate was refused");
    CHECK_INT(fake.sessions, 0);
}

/* Drives and tape labels have certificates of the same authority: they must not pass as a key manager. */
TEST(a_certificate_that_is_not_a_servers_gets_nothing)
{
    struct id label = {0};

    ids_make();
    other_certificate(&client_id, "not that of a server");
    label = id_new("Label", &ca, NULL);
    other_certificate(&label, "not that of a server");
    CHECK_INT(fake.sessions, 0);
    id_done(&label);
}

TEST(a_request_that_cannot_be_sent_is_told)
{
    const struct kx_create create = {.volser = "lower"};
    struct ios_request request = {.type = KX_CREATE, .u.create = &create};

    fake_start(&fake, FAKE_GOOD);
    REQUIRE_OK(open_it(100000));
    CHECK_RC(ios_session_ask(session, &request, klm_clock_mono_ms() + test_ms(500), &fault, &keyed),
             KLM_E_INVALID);
    CHECK_INT(fake.requests, 0);
    done();
}

TEST(nobody_listens)
{
    struct parm_ekm_host host = {.host = "127.0.0.1"};
    int nobody = fake_bind(&host.port);

    fake_start(&fake, FAKE_GOOD);
    REQUIRE_OK(open_it(100000));
    ios_session_free(&session);
    CHECK_RC(ios_session_open(&host, &cfg, klm_clock_mono_ms() + test_ms(100000), &fault, &session),
             KLM_E_IO);
    CHECK(strstr(fault.why, "refused") != NULL);
    snprintf(host.host, sizeof host.host, "no.such.host.invalid");
    CHECK_RC(ios_session_open(&host, &cfg, klm_clock_mono_ms() + test_ms(100000), &fault, &session),
             KLM_E_NOTFOUND);
    close(nobody);
    done();
}
