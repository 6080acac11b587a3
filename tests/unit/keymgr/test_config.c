/* Verbs on the configuration: memory and file change together, secrets stay hidden, a broken file changes nothing. */
#include "keymgr/km_help.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "config", "config.keystore.password=geheim\nmy.own.property=x\n");
    }
}

static void is(const char *property, const char *value, const char *from)
{
    struct km_call *call = run_call(&house, KM_CONFIG_LIST, &oper, "property", property, NULL);

    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->rows.n, 1);
    CHECK_STR(cell(call, 0, "Value"), value);
    CHECK_STR(cell(call, 0, "From"), from);
    km_call_free(&call);
}

static bool file_has(const char *what)
{
    return strstr(text_of(house.config), what) != NULL;
}

TEST(a_property_is_set_in_memory_and_in_the_file_whose_comments_stay)
{
    serving();
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias1", "value",
       "L 1: with = signs");
    is("drive.default.alias1", "L 1: with = signs", "file");
    CHECK(file_has("# a comment that stays\n"));
    struct parm_config *config = NULL;
    REQUIRE_OK(parm_load(house.config, NULL, &config));
    CHECK_STR(parm_str(config, PARM_drive_default_alias1), "L 1: with = signs");
    parm_free(&config);
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias1", "unset", "");
    CHECK(!file_has("drive.default.alias1"));
    CHECK_INT(events(&house, "config-set", SMF_SUCCESS, NULL, "drive.default.alias1"), 2);
}

TEST(wrong_names_and_values_change_nothing)
{
    serving();
    char before[8192];

    snprintf(before, sizeof before, "%s", text_of(house.config));
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PROPERTY_UNKNOWN, &house, KM_CONFIG_SET, &admin, "property",
            "no.such", "value", "1");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_PROPERTY_UNKNOWN, &house, KM_CONFIG_LIST, &admin, "property",
            "no.such");
    REFUSED(KLM_E_INVALID, KLM_MSG_PARM_SET_VALUE, &house, KM_CONFIG_SET, &admin, "property",
            "drive.acceptUnknownDrives", "value", "maybe");
    REFUSED(KLM_E_USAGE, KLM_MSG_PARAM_MISSING, &house, KM_CONFIG_SET, &admin, "property", "debug");
    REFUSED(KLM_E_USAGE, KLM_MSG_PARAM_MISSING, &house, KM_CONFIG_SET, &admin, "value", "debug");
    struct km_call *required = run_call(&house, KM_CONFIG_SET, &admin, "property",
                                        "config.keystore.file", "unset", "", NULL);
    CHECK(required->rc != KLM_OK);
    km_call_free(&required);
    struct km_call *ring = run_call(&house, KM_CONFIG_SET, &admin, "property",
                                    "drive.authority.ring", "value", "safkeyring://X/NONE", NULL);
    CHECK_STR(klm_msg(ring->diag.msg)->id, "KLM0929E"); /* a ring that is not there */
    km_call_free(&ring);
    CHECK_STR(text_of(house.config), before);
    is("drive.acceptUnknownDrives", "false", "file");
}

TEST(each_property_needs_its_own_right)
{
    serving();
    static const struct km_actor auditor = {
        .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_AUDITOR, .name = "AUDIT"};

    REFUSED(KLM_E_DENIED, KLM_MSG_PROPERTY_RIGHT, &house, KM_CONFIG_SET, &oper, "property",
            "Audit.event.types", "value", "none");
    DO(&house, KM_CONFIG_SET, &auditor, "property", "Audit.event.types", "value", "all");
    REFUSED(KLM_E_DENIED, KLM_MSG_PROPERTY_RIGHT, &house, KM_CONFIG_SET, &auditor, "property",
            "drive.default.alias1", "value", "L1");
    REFUSED(KLM_E_DENIED, KLM_MSG_PROPERTY_RIGHT, &house, KM_CONFIG_SET, &oper, "property",
            "key.minimum.rsa.write", "value", "1024");
    REFUSED(KLM_E_DENIED, KLM_MSG_PROPERTY_RIGHT, &house, KM_CONFIG_SET, &oper, "property",
            "console.role.SECADMIN", "value", "me");
    CHECK_INT(events(&house, "config-set", SMF_FAILURE, "KLM0959E", "console.role.SECADMIN"), 1);
}

TEST(a_secret_is_stars_in_listing_export_answer_and_audit)
{
    serving();
    struct km_call *set = run_call(&house, KM_CONFIG_SET, &admin, "property",
                                   "config.keystore.password", "value", "neuesGeheimnis", NULL);
    CHECK_RC(set->rc, KLM_OK);
    CHECK_STR(set->event.field[SMF_F_OLD], "****");
    CHECK_STR(set->event.field[SMF_F_NEW], "****");
    km_call_free(&set);
    CHECK_INT(events(&house, NULL, -1, NULL, "neuesGeheimnis"), 0);
    CHECK_INT(events(&house, NULL, -1, NULL, "geheim"), 0);
    CHECK(file_has("neuesGeheimnis")); /* where it must be */
    is("config.keystore.password", "****", "file");
    struct km_call *out = run_call(&house, KM_CONFIG_EXPORT, &admin, NULL);
    REQUIRE_OK(out->rc);
    CHECK(memmem(out->bytes.p, out->bytes.n, "neuesGeheimnis", 14) == NULL);
    CHECK(memmem(out->bytes.p, out->bytes.n, "config.keystore.password", 24) != NULL);
    km_call_free(&out);
    DO(&house, KM_CONFIG_SET, &admin, "property", "config.keystore.password", "value", "geheim");
}

TEST(every_secret_property_has_password_in_its_name)
{
    size_t n = 0;

    for (int id = 0; id < PARM_COUNT_; id++) { /* the console hides values by that word */
        const struct parm_row *row = parm_row((enum parm_id)id);

        if (row->flags & PARM_SECRET) {
            CHECK(strstr(row->name, "password") != NULL);
            n++;
        }
    }
    CHECK(n >= 3);
}

TEST(a_property_that_waits_for_a_restart_says_so)
{
    serving();
    struct km_call *now =
        run_call(&house, KM_CONFIG_SET, &oper, "property", "debug", "value", "none", NULL);
    struct km_call *later = run_call(&house, KM_CONFIG_SET, &oper, "property",
                                     "TransportListener.tcp.port", "value", "3802", NULL);

    CHECK_STR(now->text, "The property is set, in memory and in the file");
    CHECK_STR(later->text, "The property is set; it takes effect at the next start");
    km_call_free(&now);
    km_call_free(&later);
}

/* ---- Import */

static struct km_call *import_config(const char *text, bool rewrite, const struct km_actor *actor)
{
    struct km_call *call = new_call(&house, KM_CONFIG_IMPORT, actor);
    struct km_file_req *req = call->req;

    req->bytes = klm_slice_str(text);
    req->rewrite = rewrite;
    (void)km_run_wait(call);
    return call;
}

/* The exported configuration with more lines. */
static const char *exported(const char *more)
{
    static char text[16384];
    struct km_call *out = run_call(&house, KM_CONFIG_EXPORT, &oper, NULL);

    REQUIRE_OK(out->rc);
    snprintf(text, sizeof text, "%.*s%s", (int)out->bytes.n, (const char *)out->bytes.p, more);
    km_call_free(&out);
    return text;
}

TEST(what_was_exported_imports_without_a_change)
{
    serving();
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias2", "value",
       " leading blank \\ and \xc3\xa4");
    for (int rewrite = 0; rewrite < 2; rewrite++) {
        struct km_call *call = import_config(exported(""), rewrite, &oper);
        CHECK_RC(call->rc, KLM_OK);
        CHECK_STR(call->text, "0 properties changed; local and secret ones stay");
        km_call_free(&call);
    }
    is("drive.default.alias2", " leading blank \\ and \xc3\xa4", "file");
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias2", "unset", "");
}

TEST(an_import_takes_shared_properties_and_leaves_local_and_secret_ones)
{
    serving();
    struct km_call *call =
        import_config(exported("drive.default.alias1=Imported\nserver.id=STRANGER\n"
                               "config.keystore.password=stolen\nconsole.role.SECADMIN=mallory\n"),
                      false, &admin);
    CHECK_RC(call->rc, KLM_OK);
    CHECK_STR(call->text, "1 properties changed; local and secret ones stay");
    km_call_free(&call);
    is("drive.default.alias1", "Imported", "file");
    is("server.id", "TEST", "file");
    CHECK(!file_has("stolen") && !file_has("mallory"));
    CHECK(file_has("# a comment that stays\n"));
    /* -rewrite also takes out what the file does not have. */
    struct km_call *out = import_config(exported("drive.default.alias1=\n"), true, &admin);
    CHECK_RC(out->rc, KLM_OK);
    km_call_free(&out);
    CHECK(!file_has("Imported"));
}

TEST(an_import_is_whole_or_nothing)
{
    serving();
    char before[8192];

    snprintf(before, sizeof before, "%s", text_of(house.config));
    /* The operator may change the first, not the second. */
    struct km_call *right = import_config(
        exported("drive.default.alias1=New\nkey.minimum.rsa.write=1024\n"), false, &oper);
    expect(right, KLM_E_DENIED, KLM_MSG_PROPERTY_RIGHT, __FILE__, __LINE__);
    struct km_call *bad = import_config(
        exported("drive.default.alias1=New\ndrive.pending.max=many\n"), false, &admin);
    CHECK_RC(bad->rc, KLM_E_INVALID);
    km_call_free(&bad);
    struct km_call *broken = import_config("\\u12", false, &admin);
    CHECK_RC(broken->rc, KLM_E_INVALID);
    km_call_free(&broken);
    CHECK_STR(text_of(house.config), before);
}

/* ---- Refresh */

TEST(a_refresh_takes_the_file_and_the_task_is_told)
{
    serving();
    DO(&house, KM_CONFIG_REFRESH, &oper, NULL);
    struct klm_buf text;
    klm_buf_init(&text, 65536);
    klm_buf_text(&text, text_of(house.config));
    klm_buf_text(&text, "drive.default.alias1=FromFile\n");
    REQUIRE_OK(klm_file_replace(house.config, klm_buf_as_slice(&text), 0600, NULL));
    klm_buf_done(&text);
    DO(&house, KM_CONFIG_REFRESH, &oper, NULL);
    is("drive.default.alias1", "FromFile", "file");
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias1", "unset", "");
}

TEST(a_broken_file_leaves_the_old_state_in_force)
{
    serving();
    char before[16384];
    struct km_state *state = km_state_get(house.server);

    snprintf(before, sizeof before, "%s", text_of(house.config));
    static const char *const broken[] = {"drive.acceptUnknownDrives=perhaps\n",
                                         "config.keystore.file=safkeyring://TAPEKMS/Missing\n",
                                         "TransportListener.ssl.port=70000\n"};
    for (size_t i = 0; i < KLM_COUNT(broken); i++) {
        char text[16500];
        snprintf(text, sizeof text, "%s%s", before, broken[i]);
        write_file(house.config, text);
        struct km_call *call = run_call(&house, KM_CONFIG_REFRESH, &oper, NULL);
        CHECK(call->rc != KLM_OK);
        CHECK(call->diag.msg != KLM_MSG_NONE);
        km_call_free(&call);
        struct km_state *now = km_state_get(house.server);
        CHECK(now == state);
        km_state_put(&now);
    }
    REQUIRE(unlink(house.config) == 0);
    struct km_call *gone = run_call(&house, KM_CONFIG_REFRESH, &oper, NULL);
    CHECK(gone->rc != KLM_OK);
    km_call_free(&gone);
    write_file(house.config, before);
    DO(&house, KM_CONFIG_REFRESH, &oper, NULL);
    struct km_state *now = km_state_get(house.server);
    CHECK(now != state);
    km_state_put(&now);
    km_state_put(&state);
    CHECK(events(&house, "config-refresh", SMF_FAILURE, NULL, NULL) >= 4);
}

TEST(a_call_keeps_the_state_it_began_with)
{
    serving();
    struct km_call *held = new_call(&house, KM_CONFIG_LIST, &oper);

    REQUIRE_OK(km_call_set(held, "property", "drive.default.alias2", NULL));
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias2", "value", "After");
    CHECK_RC(km_run_wait(held), KLM_OK);
    CHECK_STR(cell(held, 0, "Value"), "");
    km_call_free(&held);
    is("drive.default.alias2", "After", "file");
    DO(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias2", "unset", "");
}

TEST(a_certificate_connected_later_is_served_after_refreshks)
{
    serving();
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", SERIAL);
    gencert(&house, OWNER, "L3", "LABEL", "NISTECC", "256", CA_LABEL);
    connect_cert(&house, OWNER, "L3");
    struct km_call *before = create_key(&house, SERIAL, "KS0001", "L3", NULL, KX_ENC_LABEL);
    expect(before, KLM_E_NOTFOUND, KLM_MSG_LABEL_UNKNOWN, __FILE__, __LINE__);
    DO(&house, KM_KEYSTORE_REFRESH, &oper, NULL);
    struct km_call *after = create_key(&house, SERIAL, "KS0001", "L3", NULL, KX_ENC_LABEL);
    CHECK_RC(after->rc, KLM_OK);
    km_call_free(&after);
    struct km_call *list =
        run_call(&house, KM_KEYSTORE_LIST, &oper, "alias", "L3", "verbose", "", NULL);
    CHECK_INT(list->rows.n, 1);
    CHECK_STR(cell(list, 0, "Entry"), "certificate and private key");
    CHECK_STR(cell(list, 0, "Key"), "NISTECC 256");
    km_call_free(&list);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_LABEL_UNKNOWN, &house, KM_KEYSTORE_LIST, &oper, "alias", "L4");
    struct km_call *sym = run_call(&house, KM_KEYSTORE_LIST, &oper, "keysym", "", NULL);
    CHECK_INT(sym->rows.n, 0);
    km_call_free(&sym);
}

/* ---- Several at a time */

static const char *const properties[] = {"drive.default.alias1", "drive.default.alias2",
                                         "drive.pending.max", "TransportListener.tcp.timeout"};

static void *set_thread(void *arg)
{
    const char *property = arg;
    char value[16];

    for (int i = 1; i <= 8; i++) {
        snprintf(value, sizeof value, "%d", i);
        DO(&house, KM_CONFIG_SET, &admin, "property", property, "value", value);
    }
    return NULL;
}

static void *refresh_thread(void *arg)
{
    for (int i = 0; i < 8; i++) {
        struct km_call *call = run_call(&house, KM_CONFIG_REFRESH, &admin, NULL);

        CHECK(call->rc == KLM_OK || call->rc == KLM_E_BUSY);
        km_call_free(&call);
    }
    return arg;
}

TEST(changes_by_several_operators_at_a_time_are_all_kept)
{
    serving();
    pthread_t thread[KLM_COUNT(properties) + 1];
    const char *name[KLM_COUNT(properties)];

    for (size_t i = 0; i < KLM_COUNT(properties); i++) {
        name[i] = properties[i];
        REQUIRE(pthread_create(&thread[i], NULL, set_thread, (void *)(uintptr_t)name[i]) == 0);
    }
    REQUIRE(pthread_create(&thread[KLM_COUNT(properties)], NULL, refresh_thread, NULL) == 0);
    for (size_t i = 0; i <= KLM_COUNT(properties); i++) {
        pthread_join(thread[i], NULL);
    }
    for (size_t i = 0; i < KLM_COUNT(properties); i++) {
        char line[128];

        is(properties[i], "8", "file");
        snprintf(line, sizeof line, "%s=8\n", properties[i]);
        CHECK(file_has(line));
    }
}

TEST(zz_close)
{
    serving();
    close_house(&house);
    CHECK(house.server == NULL);
}
