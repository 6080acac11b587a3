/* Stored keys for LTO drives: made, put into groups, given out once, read back, deleted. */
#include "keymgr/km_help.h"

#include "base/alias.h"

#define LTO "000000000017"
#define KEY_1F "des00000000000000001f"

static struct house house;

static void serving(void)
{
    if (house.server) {
        return;
    }
    listen_now();
    start_house(&house, "stored", "");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", LTO, "kind", "LTO", "symrec", "TAPES");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "rec1", "L1");
}

static struct km_call *stored(enum km_verb_id verb, const char *serial, const char *volser,
                              const uint8_t *key_id)
{
    const struct km_actor actor = {.kind = KM_ACTOR_DRIVE,
                                   .roles = KM_ROLE_DRIVE,
                                   .name = serial,
                                   .address = "192.0.2.7:40022"};
    struct km_call *call = new_call(&house, verb, &actor);
    struct km_stored *req = call->req;

    req->serial = serial;
    req->volser = volser;
    req->session_key = session_key;
    if (key_id) {
        memcpy(req->key_id, key_id, sizeof req->key_id);
    }
    KLM_IGNORE(km_run_wait(call));
    return call;
}

/* The data key as the drive gets it: AES key unwrap (RFC 3394) by OpenSSL. */
static void unwrap(const struct km_call *call, uint8_t out[32])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t room[64];
    int n = 0;

    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    REQUIRE(EVP_DecryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, session_key, NULL) == 1);
    CHECK(EVP_DecryptUpdate(ctx, room, &n, call->stored.wrapped, 40) == 1);
    CHECK_INT(n, 32);
    memcpy(out, room, 32);
    EVP_CIPHER_CTX_free(ctx);
}

static void check_write(const char *volser, const char *alias)
{
    struct km_call *call = stored(KM_STORED_CREATE, LTO, volser, NULL);

    CHECK_RC(call->rc, KLM_OK);
    CHECK_INT(call->device_code, 0);
    CHECK_STR(call->stored.alias, alias);
    km_call_free(&call);
}

static void check_refused(struct km_call *call, uint16_t code, enum klm_msg_id msg)
{
    CHECK_INT(call->device_code, code);
    CHECK_STR(klm_msg(call->diag.msg)->id, klm_msg(msg)->id);
    km_call_free(&call);
}

TEST(a_write_gets_the_next_key_of_the_group_and_a_read_the_same_key_by_its_identifier)
{
    uint8_t written[32], read[32], id[KX_KEY_ID];
    struct km_call *call;

    serving();
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "TAPES");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "des1e-1f", "groupID", "TAPES");
    check_write("VOL001", "des00000000000000001e");
    call = stored(KM_STORED_CREATE, LTO, "VOL002", NULL);
    REQUIRE_OK(call->rc);
    CHECK_STR(call->stored.alias, KEY_1F);
    CHECK_MEM(call->stored.key_id, "des\0\0\0\0\0\0\0\0\x1f", KX_KEY_ID);
    memcpy(id, call->stored.key_id, sizeof id);
    unwrap(call, written);
    km_call_free(&call);
    call = stored(KM_STORED_GET, LTO, "VOL002", id);
    REQUIRE_OK(call->rc);
    CHECK_STR(call->stored.alias, KEY_1F);
    unwrap(call, read);
    CHECK_MEM(read, written, 32);
    km_call_free(&call);
    CHECK_INT(events(&house, "stored-create", SMF_SUCCESS, NULL, KEY_1F), 1);
    CHECK_INT(events(&house, "stored-get", SMF_SUCCESS, NULL, KEY_1F), 1);
}

TEST(a_group_at_its_end_refuses_and_one_told_to_wrap_goes_on)
{
    serving();
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL003", NULL), 0xEE31, KLM_MSG_GROUP_END);
    CHECK_INT(times_said("Key group TAPES has 0 keys left"), 1);
    DO(&house, KM_GROUP_MODIFY, &admin, "groupID", "TAPES", "wrap", "true");
    check_write("VOL003", "des00000000000000001e");
    DO(&house, KM_GROUP_MODIFY, &admin, "groupID", "TAPES", "nowrap", "true");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL004", NULL), 0xEE31, KLM_MSG_GROUP_END);
    CHECK_INT(events(&house, "stored-create", SMF_FAILURE, NULL, NULL), 2);
}

TEST(usage_of_stored_keys_is_found_by_volume_alias_and_drive)
{
    struct km_call *call;

    serving();
    call = run_call(&house, KM_USAGE_QUERY, &admin, "volser", "VOL002", NULL);
    CHECK_INT(call->rows.n, 1);
    CHECK_STR(cell(call, 0, "Key Alias 1"), KEY_1F);
    CHECK_STR(cell(call, 0, "DKi"), "64657300000000000000001f");
    km_call_free(&call);
    call = run_call(&house, KM_USAGE_QUERY, &admin, "alias", KEY_1F, NULL);
    CHECK_STR(cell(call, 0, "VolSer"), "VOL002");
    km_call_free(&call);
    call = run_call(&house, KM_USAGE_QUERY, &admin, "drivename", LTO, NULL);
    CHECK_INT(call->rows.n, 3);
    km_call_free(&call);
}

TEST(a_drive_that_names_one_key_gets_it_for_one_volume)
{
    serving();
    DO(&house, KM_KEYS_CREATE, &admin, "range", "ONEKEY");
    DO(&house, KM_DRIVE_MODIFY, &admin, "drivename", LTO, "symrec", "ONEKEY");
    check_write("VOL010", "ONEKEY");
    check_write("VOL010", "ONEKEY");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL011", NULL), 0xEE31, KLM_MSG_STORED_GIVEN);
    DO(&house, KM_DRIVE_MODIFY, &admin, "drivename", LTO, "symrec", "NOKEY");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL011", NULL), 0xEE31, KLM_MSG_STORED_NAME);
    DO(&house, KM_DRIVE_MODIFY, &admin, "drivename", LTO, "symrec", "no-such-key-group");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL011", NULL), 0xEE31, KLM_MSG_STORED_NAME);
}

static void keyset(const char *value)
{
    DO(&house, KM_CONFIG_SET, &admin, "property", "symmetricKeySet", "value", value);
}

TEST(a_drive_without_a_key_of_its_own_uses_symmetricKeySet)
{
    serving();
    DO(&house, KM_DRIVE_MODIFY, &admin, "drivename", LTO, "symrec", "");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL020", NULL), 0xEE31, KLM_MSG_STORED_NONE);
    DO(&house, KM_KEYS_CREATE, &admin, "range", "set01-03");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "PLAIN");
    keyset("PLAIN, set01-ff");
    check_write("VOL020", "PLAIN");
    check_write("VOL021", "set000000000000000001");
    keyset("set01-ff"); /* another list begins at its first key that was not given yet */
    check_write("VOL022", "set000000000000000002");
    check_write("VOL023", "set000000000000000003");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL024", NULL), 0xEE31, KLM_MSG_STORED_MISSING);
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "SHORT");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "gkx1-1", "groupID", "SHORT");
    keyset("SHORT,PLAIN");
    CHECK_INT(times_said("KLM1722E symmetricKeySet: SHORT is a key group"), 1);
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL024", NULL), 0xEE31, KLM_MSG_KEYSET_GROUPS);
    keyset("no-such-key-group");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL024", NULL), 0xEE31, KLM_MSG_GROUP_UNKNOWN);
    REFUSED(KLM_E_USAGE, KLM_MSG_KEY_ALIAS, &house, KM_KEYS_CREATE, &admin, "range", "gkx2-1");
    keyset("SHORT");
    check_write("VOL024", "gkx000000000000000001");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL025", NULL), 0xEE31, KLM_MSG_GROUP_END);
}

TEST(drives_of_other_kinds_are_refused_each_others_verbs)
{
    struct km_call *call;

    serving();
    check_refused(stored(KM_STORED_CREATE, SERIAL, "VOL030", NULL), 0xEE30,
                  KLM_MSG_KIND_NOT_SERVED);
    check_refused(stored(KM_STORED_GET, SERIAL, "VOL030", (const uint8_t *)"KEY         "), 0xEE30,
                  KLM_MSG_KIND_NOT_SERVED);
    call = create_key(&house, LTO, "VOL030", "L1", NULL, KX_ENC_LABEL);
    check_refused(call, 0xEE30, KLM_MSG_KIND_NOT_SERVED);
}

TEST(a_key_identifier_that_nobody_has_is_refused)
{
    serving();
    check_refused(stored(KM_STORED_GET, LTO, "VOL002", (const uint8_t *)"NONE        "), 0xEE32,
                  KLM_MSG_STORED_NO_ID);
    check_refused(stored(KM_STORED_GET, LTO, "VOL002", (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0"),
                  0xEE32, KLM_MSG_STORED_NO_ID);
}

TEST(a_key_that_a_volume_needs_is_deleted_by_force_only_and_its_alias_never_made_again)
{
    struct km_call *call;
    uint8_t id[KX_KEY_ID];

    serving();
    REFUSED(KLM_E_STATE, KLM_MSG_KEY_PROTECTS, &house, KM_KEYS_DELETE, &admin, "alias", KEY_1F);
    DO(&house, KM_KEYS_DELETE, &admin, "alias", KEY_1F, "force", "true");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_KEY_UNKNOWN, &house, KM_KEYS_DELETE, &admin, "alias", KEY_1F);
    REFUSED(KLM_E_STATE, KLM_MSG_KEY_ONCE, &house, KM_KEYS_CREATE, &admin, "range", KEY_1F);
    klm_alias_id(KEY_1F, id);
    check_refused(stored(KM_STORED_GET, LTO, "VOL002", id), 0xEE32, KLM_MSG_STORED_NO_ID);
    call = run_call(&house, KM_GROUP_LIST, &admin, "groupID", "TAPES", NULL);
    CHECK_STR(cell(call, 0, "Keys"), "1");
    CHECK_STR(cell(call, 1, "Aliases"), "des00000000000000001e");
    km_call_free(&call);
    DO(&house, KM_KEYS_CREATE, &admin, "range", "nev1-2");
    DO(&house, KM_KEYS_DELETE, &admin, "alias", "nev1-2");
}

TEST(what_looks_like_a_range_and_is_none_makes_no_key_of_that_name)
{
    static const char *const slips[] = {"abc01-",     "abc-", "abc01-zz", "abc01-1f-2f", "abc-ff",
                                        "des01-des0", "-01",  "ab-01",    "abc01--1f",   "A-B"};
    struct km_call *call;

    serving();
    for (size_t i = 0; i < KLM_COUNT(slips); i++) {
        REFUSED(KLM_E_USAGE, KLM_MSG_KEYS_RANGE, &house, KM_KEYS_CREATE, &admin, "range", slips[i]);
    }
    call = run_call(&house, KM_KEYSTORE_LIST, &admin, "keysym", "true", NULL);
    for (size_t r = 0; r < call->rows.n; r++) {
        CHECK(strchr(call->rows.row[r][0], '-') == NULL);
    }
    km_call_free(&call);
}

TEST(two_keys_never_have_one_name_or_one_identifier)
{
    serving();
    REFUSED(KLM_E_EXISTS, KLM_MSG_GROUP_TAKEN, &house, KM_KEYS_CREATE, &admin, "range", "PLAIN");
    REFUSED(KLM_E_EXISTS, KLM_MSG_GROUP_TAKEN, &house, KM_KEYS_CREATE, &admin, "range", "TAPES");
    REFUSED(KLM_E_EXISTS, KLM_MSG_GROUP_TAKEN, &house, KM_GROUP_ADD, &admin, "groupID", "PLAIN");
    REFUSED(KLM_E_EXISTS, KLM_MSG_GROUP_TAKEN, &house, KM_GROUP_ADD, &admin, "groupID", "TAPES");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "ABCAAAAAAAAA");
    REFUSED(KLM_E_EXISTS, KLM_MSG_KEY_TWIN, &house, KM_KEYS_CREATE, &admin, "range",
            "ABC414141414141414141");
    REFUSED(KLM_E_USAGE, KLM_MSG_KEY_ALIAS, &house, KM_KEYS_CREATE, &admin, "range",
            "far too long x");
    REFUSED(KLM_E_LIMIT, KLM_MSG_KEYS_MANY, &house, KM_KEYS_CREATE, &admin, "range", "big0-ffffff");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_GROUP_UNKNOWN, &house, KM_KEYS_CREATE, &admin, "range", "HALF1",
            "groupID", "none");
    struct km_call *call =
        run_call(&house, KM_KEYSTORE_LIST, &admin, "keysym", "true", "alias", "HALF1", NULL);
    CHECK_RC(call->rc, KLM_E_NOTFOUND); /* nothing was half done */
    km_call_free(&call);
}

TEST(aliases_go_into_groups_out_of_them_and_from_one_to_another)
{
    serving();
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "FROM");
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "TO");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "mov1-4");
    DO(&house, KM_GROUP_ALIAS_ADD, &admin, "groupID", "FROM", "alias", "mov1-3");
    REFUSED(KLM_E_EXISTS, KLM_MSG_GROUP_HAS, &house, KM_GROUP_ALIAS_ADD, &admin, "groupID", "FROM",
            "alias", "mov3-4");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_KEY_UNKNOWN, &house, KM_GROUP_ALIAS_ADD, &admin, "groupID",
            "FROM", "alias", "mov4-5");
    DO(&house, KM_GROUP_ALIAS_COPY, &admin, "aliasID", "mov000000000000000002", "sourceGroupID",
       "FROM", "targetGroupID", "TO");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_GROUP_HAS_NOT, &house, KM_GROUP_ALIAS_COPY, &admin, "aliasID",
            "mov000000000000000004", "sourceGroupID", "FROM", "targetGroupID", "TO");
    DO(&house, KM_GROUP_ALIAS_DELETE, &admin, "groupID", "FROM", "alias", "mov2-2");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_GROUP_HAS_NOT, &house, KM_GROUP_ALIAS_DELETE, &admin, "groupID",
            "FROM", "alias", "mov1-3");
    struct km_call *call = run_call(&house, KM_GROUP_LIST, &admin, "groupID", "FROM", NULL);
    CHECK_INT(call->rows.n, 3); /* the group and two runs: nothing of the refused one was done */
    km_call_free(&call);
    DO(&house, KM_GROUP_DELETE, &admin, "groupID", "TO");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_GROUP_UNKNOWN, &house, KM_GROUP_DELETE, &admin, "groupID",
            "TO");
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_GROUP_UNKNOWN, &house, KM_GROUP_DELETE, &admin, "groupID",
            "symmetricKeySet");
}

TEST(listings_show_keys_and_groups)
{
    struct km_call *call;

    serving();
    call = run_call(&house, KM_KEYSTORE_LIST, &admin, "keysym", "true", "verbose", "true", "alias",
                    "des00000000000000001e", NULL);
    CHECK_STR(cell(call, 0, "Key"), "AES 256");
    CHECK_STR(cell(call, 0, "Given"), "2");
    CHECK_STR(cell(call, 0, "Last Volume"), "VOL003");
    km_call_free(&call);
    call = run_call(&house, KM_KEYSTORE_LIST, &admin, "keysym", "true", NULL);
    CHECK(call->rows.n > 8);
    km_call_free(&call);
    REFUSED(KLM_E_NOTFOUND, KLM_MSG_GROUP_UNKNOWN, &house, KM_GROUP_LIST, &admin, "groupID",
            "none");
}

TEST(properties_of_hardware_and_zos_keep_their_promise)
{
    serving();
    DO(&house, KM_CONFIG_SET, &admin, "property", "requireHardwareProtectionForSymmetricKeys",
       "value", "true");
    REFUSED(KLM_E_DENIED, KLM_MSG_STORED_HARDWARE, &house, KM_KEYS_CREATE, &admin, "range", "HARD");
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL040", NULL), 0xEE31, KLM_MSG_STORED_HARDWARE);
    struct km_call *call = stored(KM_STORED_GET, LTO, "VOL020", (const uint8_t *)"PLAIN       ");
    CHECK_RC(call->rc, KLM_OK); /* reads go on */
    km_call_free(&call);
    DO(&house, KM_CONFIG_SET, &admin, "property", "requireHardwareProtectionForSymmetricKeys",
       "value", "false");
    DO(&house, KM_CONFIG_SET, &admin, "property", "zOSCompatibility", "value", "true");
    REFUSED(KLM_E_INVALID, KLM_MSG_KEY_CKDS, &house, KM_KEYS_CREATE, &admin, "range", "A_B");
    REFUSED(KLM_E_INVALID, KLM_MSG_KEY_CKDS, &house, KM_KEYS_CREATE, &admin, "range", "1AB");
    REFUSED(KLM_E_EXISTS, KLM_MSG_KEY_CKDS, &house, KM_KEYS_CREATE, &admin, "range", "Plain");
    REFUSED(KLM_E_EXISTS, KLM_MSG_KEY_CKDS, &house, KM_KEYS_CREATE, &admin, "range", "SET03-04");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "DES30-31");
}

TEST(profiles_of_class_csfkeys_decide_about_stored_keys)
{
    const uint8_t *id = (const uint8_t *)"PLAIN       ";

    serving();
    DO(&house, KM_CLASS_SET, &admin, "classact", "CSFKEYS");
    check_refused(stored(KM_STORED_GET, LTO, "VOL020", id), 0xEE30, KLM_MSG_ACCESS_NONE);
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "CSFKEYS", "profile", "PLAIN", "uacc", "READ");
    struct km_call *call = stored(KM_STORED_GET, LTO, "VOL020", id);
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    DO(&house, KM_CLASS_SET, &admin, "noclassact", "CSFKEYS");
}

TEST(only_security_administrators_change_keys_and_groups)
{
    serving();
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_KEYS_CREATE, &oper, "range", "OPER1");
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_GROUP_ADD, &oper, "groupID", "OPERS");
    struct km_call *call = run_call(&house, KM_GROUP_LIST, &oper, NULL);
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
}

static void count_done(struct km_call *call)
{
    atomic_fetch_add((atomic_size_t *)call->arg, 1);
}

/* Many at a time: each gets a key of its own. */
TEST(drives_that_write_at_the_same_time_never_get_the_same_key)
{
    enum { WRITES = 200 };
    static struct km_call *call[WRITES];
    static char volser[WRITES][7];
    static atomic_size_t done;
    const struct km_actor actor = {
        .kind = KM_ACTOR_DRIVE, .roles = KM_ROLE_DRIVE, .name = LTO, .address = "192.0.2.7:40022"};

    serving();
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "MANY");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "man1-c8", "groupID", "MANY");
    DO(&house, KM_DRIVE_MODIFY, &admin, "drivename", LTO, "symrec", "MANY");
    for (size_t i = 0; i < WRITES; i++) {
        struct km_stored *req;

        call[i] = new_call(&house, KM_STORED_CREATE, &actor);
        req = call[i]->req;
        snprintf(volser[i], sizeof volser[i], "M%05zu", i);
        req->serial = LTO;
        req->volser = volser[i];
        req->session_key = session_key;
        call[i]->done = count_done;
        call[i]->arg = &done;
        km_run(call[i]);
    }
    WAIT_FOR(atomic_load(&done) == WRITES, 20)
    {
    }
    REQUIRE(atomic_load(&done) == WRITES);
    for (size_t i = 0; i < WRITES; i++) {
        CHECK_RC(call[i]->rc, KLM_OK);
        for (size_t j = 0; j < i; j++) {
            CHECK(strcmp(call[i]->stored.alias, call[j]->stored.alias) != 0);
        }
    }
    for (size_t i = 0; i < WRITES; i++) {
        km_call_free(&call[i]);
    }
}

TEST(what_was_given_stays_given_after_a_restart)
{
    serving();
    close_house(&house);
    open_house(&house, false);
    check_refused(stored(KM_STORED_CREATE, LTO, "VOL050", NULL), 0xEE31, KLM_MSG_GROUP_END);
}

TEST(zz_close)
{
    close_house(&house);
}
