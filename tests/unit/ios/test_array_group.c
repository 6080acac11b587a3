/* The encryption group with a key manager that is right, and with those that are not: configured, opened, relabelled, rekeyed, recovered; what fails leaves
 * the state before. */
#include "fake_km.h"

#include "array_help.h"

static struct fake fake;
static struct ios_hosts *hosts;
static struct ios_fault fault;
static struct klm_diag diag;
static char dir[4096];

/* A key manager in a mode, and an array in a folder of its own, configured when it says so. */
static void begin(const char *name, enum fake_mode mode)
{
    static struct ios_hosts_config cfg;

    fake_start(&fake, mode);
    cfg = (struct ios_hosts_config){.drive = fake_drive(),
                                    .timeout_ms = 100000,
                                    .connect_ms = 100000,
                                    .backoff_ms = 5,
                                    .tries = 1};
    parm_ekm_init(&cfg.ekm);
    snprintf(cfg.ekm.primary.host, sizeof cfg.ekm.primary.host, "127.0.0.1");
    cfg.ekm.primary.port = fake.port;
    diag = (struct klm_diag){0};
    REQUIRE_OK(ios_hosts_new(&cfg, &diag, &hosts));
    snprintf(dir, sizeof dir, "%s", test_path(name));
    REQUIRE_OK(klm_folder_make(dir, 0700, NULL));
}

static void done(void)
{
    ios_hosts_free(&hosts);
    fake_stop(&fake);
}

static const struct ios_labels labels = {{{"LABEL1", 'L'}, {"LABEL2", 'H'}}, 2};

static klm_rc configure(void)
{
    return ios_array_configure(dir, fake_drive(), GROUP, &labels, hosts, &fault, &diag);
}

static klm_rc unlock(uint8_t key[32])
{
    const struct ios_array_state state = array_get(dir);
    struct ios_array_opened opened = {0};
    klm_rc rc = ios_array_unlock(&state, hosts, &fault, &diag, &opened);

    if (rc == KLM_OK) {
        memcpy(key, opened.group_key, 32);
        CHECK_STR(opened.label, "LABEL1");
        CHECK(strncmp(opened.by, "primary key manager 127.0.0.1:", 30) == 0);
    } else {
        CHECK(opened.group_key == NULL);
    }
    ios_array_opened_done(&opened);
    return rc;
}

TEST(a_group_is_configured_once_and_opens_with_its_data_key)
{
    struct ios_array_state state;
    uint8_t key[32] = {0};
    static const uint8_t none[32];

    begin("once", FAKE_GOOD);
    REQUIRE_OK(configure());
    state = array_get(dir);
    CHECK_STR(state.serial, FAKE_SERIAL);
    CHECK_INT(state.set[0].eedk_n, 2);
    CHECK_STR(state.set[0].labels[1].label, "LABEL2");
    REQUIRE_OK(unlock(key));
    CHECK(memcmp(key, none, 32) != 0);
    CHECK_RC(configure(), KLM_E_EXISTS);
    done();
}

TEST(a_configuration_that_fails_leaves_no_state)
{
    struct ios_array_state state;

    begin("refused", FAKE_REFUSE);
    CHECK_RC(configure(), KLM_E_DENIED);
    CHECK_INT(fault.error.code, 0xEE31);
    CHECK_RC(ios_array_load(dir, NULL, &state), KLM_E_NOTFOUND);
    done();
    begin("badwrap", FAKE_BAD_WRAP);
    CHECK(configure() != KLM_OK);
    CHECK_RC(ios_array_load(dir, NULL, &state), KLM_E_NOTFOUND);
    done();
}

TEST(another_data_key_does_not_open_the_group)
{
    struct ios_array_state state;
    uint8_t key[32];

    begin("other", FAKE_GOOD);
    REQUIRE_OK(configure());
    state = array_get(dir);
    state.set[0].wrapped[0] ^= 1;
    array_put(dir, &state);
    CHECK_RC(unlock(key), KLM_E_WRONGKEY);
    CHECK_INT(diag.msg, KLM_MSG_ARRAY_WRONG_KEY);
    done();
}

TEST(a_relabelling_must_open_before_the_old_eedks_are_given_up)
{
    struct ios_array_state before;
    uint8_t key[32], again[32];

    begin("relabel", FAKE_GOOD);
    REQUIRE_OK(configure());
    REQUIRE_OK(unlock(key));
    REQUIRE_OK(ios_array_relabel(dir, &labels, hosts, &fault, &diag));
    REQUIRE_OK(unlock(again));
    CHECK_MEM(again, key, 32);
    before = array_get(dir);
    fake.mode = FAKE_REFUSE;
    CHECK_RC(ios_array_relabel(dir, &labels, hosts, &fault, &diag), KLM_E_DENIED);
    CHECK_INT(array_get(dir).change, before.change);
    done();
}

TEST(a_rekey_has_two_steps_and_a_way_back)
{
    uint8_t key[32], again[32];

    begin("rekey", FAKE_GOOD);
    REQUIRE_OK(configure());
    REQUIRE_OK(unlock(key));
    CHECK_RC(ios_array_rekey_commit(dir, hosts, &fault, &diag), KLM_E_STATE);
    CHECK_RC(ios_array_rekey_abandon(dir, &diag), KLM_E_STATE);
    REQUIRE_OK(ios_array_rekey_prepare(dir, &labels, NULL, hosts, &fault, &diag));
    CHECK_INT(array_get(dir).sets_n, 2);
    CHECK_RC(ios_array_rekey_prepare(dir, &labels, NULL, hosts, &fault, &diag), KLM_E_STATE);
    CHECK_RC(ios_array_relabel(dir, &labels, hosts, &fault, &diag), KLM_E_STATE);
    REQUIRE_OK(ios_array_rekey_abandon(dir, &diag));
    CHECK_INT(array_get(dir).sets_n, 1);
    REQUIRE_OK(ios_array_rekey_prepare(dir, &labels, NULL, hosts, &fault, &diag));
    struct ios_array_state state = array_get(dir);
    REQUIRE_OK(ios_array_rekey_commit(dir, hosts, &fault, &diag));
    CHECK_MEM(array_get(dir).set[0].wrapped, state.set[1].wrapped, IOS_WRAPPED);
    REQUIRE_OK(unlock(again));
    CHECK_MEM(again, key, 32); /* the group key is the same for ever */
    done();
}

TEST(a_commit_that_no_key_manager_proves_leaves_both)
{
    begin("unproved", FAKE_GOOD);
    REQUIRE_OK(configure());
    REQUIRE_OK(ios_array_rekey_prepare(dir, &labels, NULL, hosts, &fault, &diag));
    fake.mode = FAKE_REFUSE;
    CHECK_RC(ios_array_rekey_commit(dir, hosts, &fault, &diag), KLM_E_DENIED);
    fake.mode = FAKE_DROP;
    CHECK(ios_array_rekey_commit(dir, hosts, &fault, &diag) != KLM_OK);
    CHECK_INT(array_get(dir).sets_n, 2);
    done();
}

TEST(a_recovery_key_opens_what_the_data_key_opens_and_needs_a_key_manager_to_be_made_or_ended)
{
    char text[IOS_RECOVERY_TEXT], second[IOS_RECOVERY_TEXT];
    struct ios_array_edit edit;
    uint8_t key[32], again[32];

    begin("recovery", FAKE_GOOD);
    REQUIRE_OK(configure());
    REQUIRE_OK(unlock(key));
    REQUIRE_OK(ios_array_recovery_create(dir, hosts, &fault, &diag, second));
    REQUIRE_OK(
        ios_array_recovery_create(dir, hosts, &fault, &diag, text)); /* never verified: again */
    CHECK(strcmp(text, second) != 0);
    CHECK_RC(ios_array_recovery_verify(dir, second, &diag), KLM_E_WRONGKEY);
    REQUIRE_OK(ios_array_recovery_verify(dir, text, &diag));
    CHECK_RC(ios_array_recovery_create(dir, hosts, &fault, &diag, second), KLM_E_STATE);
    REQUIRE_OK(ios_array_edit_begin(dir, false, &diag, &edit));
    REQUIRE_OK(ios_array_recover(&edit, text, &diag, again));
    ios_array_edit_end(&edit);
    CHECK_MEM(again, key, 32);
    fake.mode = FAKE_REFUSE;
    CHECK_RC(ios_array_recovery_disable(dir, hosts, &fault, &diag), KLM_E_DENIED);
    CHECK_INT(array_get(dir).recovery.state, IOS_RECOVERY_READY);
    CHECK_RC(ios_array_rekey_prepare(dir, &labels, text, hosts, &fault, &diag), KLM_E_DENIED);
    fake.mode = FAKE_GOOD;
    REQUIRE_OK(ios_array_rekey_prepare(dir, &labels, text, hosts, &fault, &diag));
    REQUIRE_OK(ios_array_recovery_disable(dir, hosts, &fault, &diag));
    CHECK_INT(array_get(dir).recovery.state, IOS_RECOVERY_OFF);
    done();
}
