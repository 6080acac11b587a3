/* Restores: into the server that made the backup, into an empty one, into another; what needs consent; what is damaged; undoing one. */
#include "backup/bk_help.h"

#include "keyring/material.h"
#include "metadata/group.h"
#include "metadata/object.h"

static struct house house, other;
static char file[400];

/* A house with a backup in which there is label L1 and drive SERIAL, and not yet label LATER; closed. */
static void house_with_backup(const char *name)
{
    start_house(&house, name, "");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "rec1", "L1");
    snprintf(file, sizeof file, "%s/backup", house.dir);
    make_backup(&house, file);
    close_house(&house);
}

static void add_later(void)
{
    open_house(&house, true);
    gencert(&house, OWNER, "Later", "LABEL", "NISTECC", "256", CA_LABEL);
    close_house(&house);
}

static bool exists(const char *name)
{
    char path[400];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", house.dir, name);
    return lstat(path, &st) == 0;
}

/* Nothing but the lock file is left of a restore that was refused. */
static void check_untouched(void)
{
    CHECK(!exists("store.restore") && !exists("store.new"));
    CHECK(!exists("config.restored") && !exists("filedrive.table.restored"));
    open_house(&house, true);
    CHECK(has_label(&house, "Later"));
    CHECK(has_label(&house, "L1"));
    close_house(&house);
}

static uint64_t last_event(void)
{
    uint64_t last;

    open_house(&house, true);
    last = smf_journal_last(km_journal(house.server));
    close_house(&house);
    return last;
}

TEST(a_lost_store_comes_back_whole_without_consent_and_the_journal_goes_on)
{
    char store[400];
    uint64_t before;
    struct drive drive;

    house_with_backup("lost");
    before = last_event();
    snprintf(store, sizeof store, "%s/store", house.dir);
    SPAWN("rm", "-r", store, house.table);
    RESTORED(&house, file, 0);
    open_house(&house, false);
    CHECK(has_label(&house, "L1"));
    CHECK(smf_journal_last(km_journal(house.server)) > before);
    CHECK_INT(events(&house, "restore", SMF_SUCCESS, NULL, file), 1);
    CHECK_INT(smf_journal_verify(house.journal, &before, NULL), KLM_OK);
    make_drive(&house, &drive, SERIAL, WWN, CA_LABEL); /* its authority's key came back */
    CONTACT(&house, &drive, KLM_OK, 0, KLM_MSG_NONE);
    drive_done(&drive);
    WAIT_FOR(strstr(text_of(house.table), SERIAL), 5)
    {
    }
    CHECK(strstr(text_of(house.table), SERIAL) != NULL);
    close_house(&house);
}

/* A managed object of KMIP of this name. */
static void add_object(const char *name, char uid[MD_UID_MAX])
{
    struct md_object object = {.type = KMIP_ObjectType_SymmetricKey, .group = "TAPES"};
    struct klm_pool *pool = NULL;
    struct st_change *change = NULL;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(md_uid_new(object.uid));
    memcpy(uid, object.uid, MD_UID_MAX);
    md_attrs_init(&object.attrs, pool);
    REQUIRE_OK(md_attr_set_text(&object.attrs, KMIP_TAG_ObjectGroup, name));
    change = change_begin(&house);
    REQUIRE_OK(md_object_add(change, &object));
    REQUIRE_OK(st_change_commit(&change, NULL));
    klm_pool_free(&pool);
}

static klm_rc same_object(void *arg, const struct md_object *object)
{
    CHECK_STR(object->uid, arg);
    return KLM_OK;
}

TEST(managed_objects_come_back_and_are_found_by_what_they_are_called)
{
    const struct kmip_node called = {
        .tag = KMIP_TAG_ObjectGroup, .type = KMIP_TEXT, .bytes = KLM_SLICE("cartridges", 10)};
    const struct kmip_node *const filter[] = {&called};
    const struct md_locate search = {.group = "TAPES", .filter = filter, .filters = 1};
    struct st_view *view = NULL;
    char uid[MD_UID_MAX], later[MD_UID_MAX], store[400];
    uint64_t total;

    start_house(&house, "objects", "");
    add_object("cartridges", uid);
    snprintf(file, sizeof file, "%s/backup", house.dir);
    make_backup(&house, file);
    add_object("cartridges", later);
    close_house(&house);
    snprintf(store, sizeof store, "%s/store", house.dir);
    SPAWN("rm", "-r", store);
    RESTORED(&house, file, 0);
    open_house(&house, false);
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(md_locate(view, &search, same_object, uid, &total));
    CHECK_INT(total, 1);
    st_view_close(&view);
    close_house(&house);
}

TEST(what_edits_of_the_views_are_compared_with_comes_back_with_the_store)
{
    static const char *const bases[] = {"filedrive.base", "keygroups.base"};
    char more[500], path[2][500];
    uint8_t *before[2];
    size_t n[2];

    make_house(&house, "bases", "");
    snprintf(more, sizeof more, "config.keygroup.xml.file=FILE\\:%s/keygroups.xml\n", house.dir);
    write_config(&house, more);
    open_house(&house, true);
    furnish(&house);
    close_house(&house);
    open_house(&house, false);
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL);
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "TAPES");
    close_house(&house); /* the views are written */
    open_house(&house, true);
    snprintf(file, sizeof file, "%s/backup", house.dir);
    make_backup(&house, file);
    close_house(&house);
    for (int i = 0; i < 2; i++) {
        snprintf(path[i], sizeof path[i], "%s/store/%s", house.dir, bases[i]);
        before[i] = bytes_of(path[i], &n[i]);
    }
    before[1][n[1]] = '\0';
    CHECK(strstr((char *)before[1], "TAPES") != NULL);
    snprintf(more, sizeof more, "%s/store", house.dir);
    SPAWN("rm", "-r", more);
    RESTORED(&house, file, 0);
    for (int i = 0; i < 2; i++) {
        size_t now_n;
        uint8_t *now = bytes_of(path[i], &now_n);

        CHECK_INT(now_n, n[i]);
        CHECK_MEM(now, before[i], n[i]);
        free(now);
        free(before[i]);
    }
}

TEST(a_backup_that_is_older_needs_consent_and_keeps_the_state_before)
{
    struct klm_diag diag;
    struct bk_restored done = {0};
    struct bk_restore undo;
    char path[4200];
    struct stat st;
    uint64_t number;

    house_with_backup("older");
    add_later();
    NOT_RESTORED(&house, file, PASSWORD, 0, KLM_E_STATE, KLM_MSG_BK_OLDER);
    NOT_RESTORED(&house, file, PASSWORD, BK_ACCEPT_FOREIGN | BK_ACCEPT_NEWER, KLM_E_STATE,
                 KLM_MSG_BK_OLDER);
    check_untouched();
    REQUIRE_OK(restore_into(&house, file, PASSWORD, BK_ACCEPT_OLDER, &diag, &done));
    snprintf(path, sizeof path, "%s/store/IDENTITY", done.kept);
    CHECK(stat(path, &st) == 0);
    open_house(&house, true);
    CHECK(!has_label(&house, "Later"));
    CHECK(has_label(&house, "L1"));
    number = st_number(km_store(house.server));
    CHECK_INT(events(&house, "restore-failed", SMF_FAILURE, "KLM1221E", file), 2);
    close_house(&house);

    undo = (struct bk_restore){
        .config_path = house.config, .file = done.kept, .who = "ADMIN", .roles = KM_ROLE_BACKUP};
    REQUIRE_OK(bk_undo(&undo, &diag, &done));
    open_house(&house, false);
    CHECK(has_label(&house, "Later"));
    CHECK(st_number(km_store(house.server)) > number); /* events keep numbers of their own */
    close_house(&house);
}

/* As a write does it; the last event of that is not what this is about. */
static void give_key(const char *alias, const char *volser)
{
    struct st_change *change;
    struct klm_diag diag = {0};
    struct md_key_use use;

    open_house(&house, true);
    change = change_begin(&house);
    REQUIRE_OK(md_key_take(change, alias, volser, klm_clock(), &use));
    REQUIRE_OK(st_change_commit(&change, &diag));
    st_change_drop(&change);
    close_house(&house);
}

static void check_given(const char *alias, const char *volser)
{
    struct md_key_use use;
    struct st_view *view;

    open_house(&house, true);
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    CHECK_RC(md_key_use(view, alias, &use), volser ? KLM_OK : KLM_E_NOTFOUND);
    if (volser) {
        CHECK_STR(use.volser, volser);
    }
    st_view_close(&view);
    close_house(&house);
}

TEST(a_stored_key_that_was_given_for_a_volume_since_the_backup_is_given_for_no_other)
{
    struct klm_diag diag;
    struct bk_restored done = {0};
    struct bk_restore undo;

    start_house(&house, "given", "");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "des01-04");
    close_house(&house);
    give_key("des000000000000000001", "VOL001");
    open_house(&house, true);
    snprintf(file, sizeof file, "%s/backup", house.dir);
    make_backup(&house, file);
    DO(&house, KM_KEYS_CREATE, &admin, "range", "des05");
    close_house(&house);
    give_key("des000000000000000002", "VOL002");
    give_key("des05", "VOL005");
    REQUIRE_OK(restore_into(&house, file, PASSWORD, BK_ACCEPT_OLDER, &diag, &done));
    check_given("des000000000000000001", "VOL001");
    check_given("des000000000000000002", "VOL002");
    check_given("des000000000000000003", NULL);
    check_given("des05", "VOL005"); /* its key is gone: no new one gets the alias */
    open_house(&house, true);
    REFUSED(KLM_E_STATE, KLM_MSG_KEY_ONCE, &house, KM_KEYS_CREATE, &admin, "range", "des05");
    close_house(&house);

    give_key("des000000000000000003", "VOL003");
    undo = (struct bk_restore){
        .config_path = house.config, .file = done.kept, .who = "ADMIN", .roles = KM_ROLE_BACKUP};
    REQUIRE_OK(bk_undo(&undo, &diag, &done));
    check_given("des000000000000000003", "VOL003");
    check_given("des05", "VOL005");
}

static const char *nth_alias(unsigned n)
{
    static char alias[KLM_ALIAS_MAX + 1];

    snprintf(alias, sizeof alias, "aes%018x", n);
    return alias;
}

/* Keys of these numbers were given for a volume at that time. */
static void use_keys(unsigned from, unsigned to, const char *volser, klm_time when)
{
    open_house(&house, true);
    while (from < to) {
        struct st_change *change = change_begin(&house);

        for (unsigned i = 0; i < 1000 && from < to; i++, from++) {
            REQUIRE_OK(md_key_used_there(change, nth_alias(from), volser, when));
        }
        REQUIRE_OK(st_change_commit(&change, NULL));
    }
    close_house(&house);
}

/* More than are held against the new store at a time; what is new is at the begin, at the end, and around where the next ones begin. */
TEST(of_many_stored_keys_those_given_since_stay_given)
{
    static const unsigned again[] = {0, 1, 4094, 4095, 4096, 4097, 8191, 8192, 8999};
    static const unsigned fresh[] = {9000, 9001};
    struct klm_diag diag;
    struct bk_restored done = {0};

    start_house(&house, "manygiven", "");
    close_house(&house);
    use_keys(0, 9000, "VOL001", 1000);
    open_house(&house, true);
    snprintf(file, sizeof file, "%s/backup", house.dir);
    make_backup(&house, file);
    close_house(&house);
    for (size_t i = 0; i < KLM_COUNT(again); i++) {
        use_keys(again[i], again[i] + 1, "VOL002", 2000);
    }
    use_keys(fresh[0], fresh[1] + 1, "VOL003", 3000);
    REQUIRE_OK(restore_into(&house, file, PASSWORD, BK_ACCEPT_OLDER, &diag, &done));
    for (size_t i = 0; i < KLM_COUNT(again); i++) {
        check_given(nth_alias(again[i]), "VOL002");
    }
    check_given(nth_alias(2), "VOL001");
    check_given(nth_alias(4093), "VOL001");
    check_given(nth_alias(fresh[0]), "VOL003");
    check_given(nth_alias(fresh[1]), "VOL003");
    check_given(nth_alias(9002), NULL);
}

TEST(what_a_restored_server_records_is_never_taken_for_what_it_recorded_before)
{
    uint64_t before;

    house_with_backup("numbers");
    add_later();
    RESTORED(&house, file, BK_ACCEPT_OLDER);
    before = last_event();
    open_house(&house, true);
    for (int i = 0; i < 5; i++) {
        char serial[13];

        snprintf(serial, sizeof serial, "%012d", i);
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", serial);
    }
    CHECK_INT(smf_journal_last(km_journal(house.server)), before + 5);
    close_house(&house);
}

static void identity(const struct house *at, uint8_t out[MD_ORIGIN])
{
    struct st_view *view = NULL;

    REQUIRE_OK(st_view_open(km_store(at->server), &view));
    REQUIRE_OK(md_identity(view, out));
    st_view_close(&view);
}

TEST(another_server_names_its_key_usage_by_an_identity_of_its_own_and_the_same_one_keeps_it)
{
    uint8_t donor[MD_ORIGIN], same[MD_ORIGIN], receiver[MD_ORIGIN];

    house_with_backup("first");
    open_house(&house, true);
    identity(&house, donor);
    close_house(&house);
    RESTORED(&house, file, BK_ACCEPT_OLDER);
    open_house(&house, false);
    identity(&house, same);
    close_house(&house);
    CHECK_MEM(same, donor, sizeof donor);
    start_house(&other, "second", "server.id=OTHER\n");
    close_house(&other);
    RESTORED(&other, file, BK_ACCEPT_FOREIGN | BK_ACCEPT_OLDER);
    open_house(&other, false);
    identity(&other, receiver);
    close_house(&other);
    CHECK(memcmp(receiver, donor, sizeof donor) != 0);
}

TEST(another_server_takes_it_with_consent_under_its_own_master_key_and_keeps_what_is_local)
{
    struct km_state *state;

    house_with_backup("donor");
    start_house(&other, "receiver", "drive.pending.max=7\nserver.id=OTHER\n");
    DO(&other, KM_DRIVE_ADD, &admin, "drivename", "000000000001");
    close_house(&other);
    NOT_RESTORED(&other, file, PASSWORD, BK_ACCEPT_OLDER, KLM_E_STATE, KLM_MSG_BK_FOREIGN);
    RESTORED(&other, file, BK_ACCEPT_FOREIGN | BK_ACCEPT_OLDER);
    open_house(&other, false); /* its rings open: the tokens are under its own key */
    CHECK(has_label(&other, "L1"));
    CHECK_STR(smf_journal_server_id(km_journal(other.server)), "OTHER");
    state = km_state_get(other.server);
    CHECK(strstr(parm_str(state->config, PARM_config_store_directory), "receiver") != NULL);
    CHECK_INT(parm_num(state->config, PARM_drive_pending_max), 100); /* as the donor has it */
    CHECK(state->keys != NULL && kr_open_ring_count(state->keys) == 4);
    for (size_t i = 0; i < kr_open_ring_count(state->keys); i++) {
        CHECK(kr_open_ring_at(state->keys, i)->key != NULL);
    }
    km_state_put(&state);
    close_house(&other);
}

#define MATERIAL "KMIP.018f2f3c-0b1a-7c3d-8e4f-5a6b7c8d9e0f"

/* The material of a managed object, as large as it may be. */
static struct kr_material *large_material(void)
{
    static uint8_t much[KR_MATERIAL_MAX];
    struct kr_material *material = NULL;

    memset(much, 0x5a, sizeof much);
    REQUIRE_OK(kr_material_new(&(struct kr_material_spec){.object = KMIP_ObjectType_OpaqueObject},
                               KLM_SLICE(much, sizeof much), &material));
    return material;
}

static void put_material(const struct kr_material *material)
{
    struct st_change *change = NULL;
    struct klm_buf token;

    open_house(&house, true);
    klm_buf_init(&token, ST_RECORD_MAX);
    REQUIRE_OK(kr_material_seal(km_master(house.server), MATERIAL, material, &token));
    change = change_begin(&house);
    REQUIRE_OK(kr_token_put(change, MATERIAL, klm_buf_as_slice(&token), false));
    REQUIRE_OK(st_change_commit(&change, NULL));
    klm_buf_done(&token);
}

/* Under the master key of that house. */
static struct kr_material *material_in(const struct house *at)
{
    struct kr_material *material = NULL;
    struct klm_pool *pool = NULL;
    struct st_view *view = NULL;
    struct klm_slice token;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(km_store(at->server), &view));
    REQUIRE_OK(kr_token_get(view, MATERIAL, pool, &token));
    REQUIRE_OK(kr_material_open(km_master(at->server), MATERIAL, token, &material));
    st_view_close(&view);
    klm_pool_free(&pool);
    return material;
}

TEST(the_material_of_managed_objects_goes_to_another_server_under_its_own_master_key)
{
    struct kr_material *material = large_material(), *again;

    house_with_backup("materials");
    put_material(material);
    snprintf(file, sizeof file, "%s/backup2", house.dir);
    CHECK_INT(make_backup(&house, file).damaged, 0);
    close_house(&house);
    start_house(&other, "receiver2", "server.id=OTHER\n");
    close_house(&other);
    RESTORED(&other, file, BK_ACCEPT_FOREIGN | BK_ACCEPT_OLDER);
    open_house(&other, false);
    again = material_in(&other);
    CHECK(kr_material_same(material, again));
    kr_material_free(&again);
    kr_material_free(&material);
    close_house(&other);
}

TEST(a_wrong_password_and_damage_are_told_apart_and_change_nothing)
{
    char bad[500];
    uint8_t *bytes;
    size_t n, header;

    house_with_backup("damage");
    add_later();
    NOT_RESTORED(&house, file, "another password", 7, KLM_E_WRONGKEY, KLM_MSG_BK_PASSWORD);
    snprintf(bad, sizeof bad, "%s.bad", file);
    bytes = bytes_of(file, &n);
    header = (size_t)bytes[14] << 8 | bytes[15];
    for (size_t at = 8; at < n; at += at < header + 64 ? 13 : n / 40) {
        bytes[at] ^= 0x10;
        put_bytes(bad, bytes, n);
        bytes[at] ^= 0x10;
        if (at == 8 || (at >= 8 && at < 12)) {
            continue; /* the version: another message */
        }
        NOT_RESTORED(&house, bad, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    }
    for (size_t cut = 1; cut < n; cut += n / 25) {
        put_bytes(bad, bytes, n - cut);
        NOT_RESTORED(&house, bad, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    }
    put_bytes(bad, bytes, n + 1);
    NOT_RESTORED(&house, bad, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    bytes[9] = 9; /* version, and the least that is needed */
    bytes[11] = 9;
    put_bytes(bad, bytes, n);
    NOT_RESTORED(&house, bad, PASSWORD, 7, KLM_E_UNSUPPORTED, KLM_MSG_BK_FORMAT);
    write_file(bad, "no backup at all, but long enough");
    NOT_RESTORED(&house, bad, PASSWORD, 7, KLM_E_INVALID, KLM_MSG_BK_NOT);
    put_bytes(bad, bytes, 0);
    NOT_RESTORED(&house, bad, PASSWORD, 7, KLM_E_INVALID, KLM_MSG_BK_NOT);
    NOT_RESTORED(&house, house.dir, PASSWORD, 7, KLM_E_INVALID, KLM_MSG_FILE_READ);
    NOT_RESTORED(&house, "/nowhere", PASSWORD, 7, KLM_E_NOTFOUND, KLM_MSG_FILE_OPEN);
    free(bytes);
    check_untouched();
}

TEST(a_running_task_and_somebody_without_the_right_are_refused)
{
    struct klm_diag diag = {0};
    struct bk_restored done;
    struct bk_restore order;

    house_with_backup("refuse");
    open_house(&house, false);
    NOT_RESTORED(&house, file, PASSWORD, 0, KLM_E_BUSY, KLM_MSG_BK_TASK_UP);
    close_house(&house);
    write_config(&house, "console.role.BACKUP=nobody\nconsole.role.SECADMIN=nobody\n");
    order = (struct bk_restore){.config_path = house.config,
                                .file = file,
                                .password = klm_slice_str(PASSWORD),
                                .who = "ADMIN"};
    CHECK_RC(bk_restore(&order, &diag, &done), KLM_E_DENIED);
    CHECK(diag.msg == KLM_MSG_NOT_AUTHORISED);
}

/* ---- Backups made by hand */

static void craft(struct craft *c, const char *product)
{
    snprintf(file, sizeof file, "%s/crafted", house.dir);
    craft_begin(c, file, product, "TEST");
}

TEST(a_backup_of_a_later_release_needs_consent_and_tables_it_has_more_are_named)
{
    struct craft c;

    house_with_backup("newer");
    craft(&c, "99.0.0");
    craft_table(&c, "drive", "a", "b", BK_PLAIN);
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, BK_ACCEPT_FOREIGN, KLM_E_STATE, KLM_MSG_BK_NEWER);
    craft(&c, "99.0.0");
    craft_table(&c, "later", "a", "b", BK_PLAIN);
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, BK_ACCEPT_FOREIGN, KLM_E_STATE, KLM_MSG_BK_NEWER);
    listen_now();
    RESTORED(&house, file, BK_ACCEPT_FOREIGN | BK_ACCEPT_NEWER | BK_ACCEPT_OLDER);
    CHECK_INT(times_said("KLM1224W Table later of backup"), 1);
}

TEST(contents_that_no_server_wrote_are_refused_and_change_nothing)
{
    struct klm_buf key;
    struct craft c;

    house_with_backup("crafted");
    add_later();
    craft(&c, KLM_VERSION);
    craft_table(&c, "drive", "b", "a", BK_PLAIN); /* out of order */
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    craft(&c, KLM_VERSION);
    craft_table(&c, "meta", "change.number", "x", BK_PLAIN); /* the store's own */
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    craft(&c, KLM_VERSION);
    craft_table(&c, "token", "a", "b", BK_PLAIN); /* a token under nobody knows which key */
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    craft(&c, KLM_VERSION);
    craft_table(&c, "token", "A", "B", BK_TOKEN); /* none at all */
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_TOKEN);
    craft(&c, KLM_VERSION);
    craft_table(&c, "drive", "a", "b", BK_PLAIN); /* ends without a manifest */
    craft_end(&c, false);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    craft(&c, KLM_VERSION);
    craft_table(&c, "drive", "a", "b", BK_PLAIN);
    c.manifest.section[0].hash[0] ^= 1; /* not what the manifest says */
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_SECTION);
    craft(&c, KLM_VERSION);
    craft_table(&c, "drive", "a", "b", BK_PLAIN);
    c.manifest.header[0] ^= 1; /* a manifest of another backup */
    craft_end(&c, true);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    craft(&c, KLM_VERSION);
    klm_buf_init(&key, 16);
    klm_buf_text(&key, "cut short");
    craft_section(&c, BK_TABLE, "drive", klm_buf_as_slice(&key), 1); /* no records */
    craft_end(&c, true);
    klm_buf_done(&key);
    NOT_RESTORED(&house, file, PASSWORD, 7, KLM_E_CORRUPT, KLM_MSG_BK_DAMAGED);
    check_untouched();
}
