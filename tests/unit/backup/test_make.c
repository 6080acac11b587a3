/* Making backups: what is in them, what ends them, and that nothing is left of one that did not become whole. */
#include "backup/bk_help.h"

#include "keymgr/internal.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

static struct house house;

static size_t files_in(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    REQUIRE(dir != NULL);
    for (struct dirent *d; (d = readdir(dir));) {
        n += d->d_name[0] != '.';
    }
    closedir(dir);
    return n;
}

static const char *backup_path(const char *name)
{
    static char path[4][500];
    static unsigned turn;
    char folder[400];

    snprintf(folder, sizeof folder, "%s/backups", house.dir);
    REQUIRE_OK(klm_folder_make(folder, 0700, NULL));
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

struct listed {
    size_t tables, files, records;
    bool outbox, token_is_wrapped;
    char algorithm[32]; /* what a walk finds lives no longer than its file */
};

static void now_backed_up(void)
{
    const struct km_actor system = {
        .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "backup"};
    struct km_call *call = new_call(&house, KM_BACKUP_DONE, &system);
    struct km_backup_done *req = call->req;

    req->file = "/backups/one";
    req->number = (int64_t)st_number(km_store(house.server));
    REQUIRE_OK(km_run_wait(call));
    km_call_free(&call);
}

static bool needed(void)
{
    struct km_backup_info info;

    km_backup_info(house.server, &info);
    return info.needed;
}

static klm_rc begin(void *arg, const struct bk_section *section)
{
    struct listed *listed = arg;

    listed->tables += section->type == BK_TABLE;
    listed->files += section->type == BK_FILE;
    listed->outbox = listed->outbox || strcmp(section->name, "outbox") == 0;
    return KLM_OK;
}

static klm_rc record(void *arg, const struct bk_section *section, const struct bk_record *record)
{
    struct listed *listed = arg;
    char vp[KR_VP_MAX], ours[KR_VP_MAX];

    listed->records++;
    CHECK((record->form == BK_TOKEN) == (strcmp(section->name, "token") == 0));
    if (record->form == BK_TOKEN) {
        kr_master_vp(km_master(house.server), ours);
        REQUIRE_OK(kr_token_vp(record->record, vp));
        listed->token_is_wrapped = strcmp(vp, ours) != 0;
    }
    return KLM_OK;
}

static klm_rc walk(const char *path, const char *password, struct listed *listed,
                   struct bk_found *found)
{
    const struct bk_visitor visitor = {.begin = begin, .record = record, .arg = listed};
    const struct bk_pulse pulse = {go_on, NULL};
    struct klm_diag diag = {0};
    struct bk_file file;
    klm_rc rc = bk_file_open(path, &diag, &file);

    if (rc == KLM_OK) {
        rc = bk_file_unlock(&file, klm_slice_str(password), &diag);
    }
    if (rc == KLM_OK) {
        rc = bk_file_walk(&file, &visitor, &pulse, &diag, found);
    }
    if (rc == KLM_OK) {
        snprintf(listed->algorithm, sizeof listed->algorithm, "%s", found->signature.algorithm);
    }
    bk_file_close(&file);
    return rc;
}

TEST(a_backup_holds_every_table_but_the_outbox_and_indexes_and_the_files_and_is_signed)
{
    struct listed listed = {0};
    static struct bk_found found;
    struct bk_made made;

    start_house(&house, "whole", "");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "rec1", "L1");
    made = make_backup(&house, backup_path("one"));
    REQUIRE_OK(walk(backup_path("one"), PASSWORD, &listed, &found));
    CHECK_INT(listed.tables, ST_TABLES - 4);
    CHECK(listed.files >= 4); /* configuration, drive table and its base, usage */
    CHECK(!listed.outbox);
    CHECK(listed.token_is_wrapped);
    CHECK_INT(listed.records, made.records);
    CHECK(made.is_signed);
    CHECK_STR(listed.algorithm, "ECDSA-SHA256");
    CHECK_INT(files_in(backup_path("")), 1);
    close_house(&house);
}

TEST(the_master_key_and_the_clear_password_are_not_in_the_file)
{
    uint8_t *bytes, *master;
    size_t n, m;
    char path[400];

    start_house(&house, "secret", "");
    make_backup(&house, backup_path("one"));
    bytes = bytes_of(backup_path("one"), &n);
    snprintf(path, sizeof path, "%s/masterkey/masterkey.sealed", house.dir);
    master = bytes_of(path, &m);
    CHECK(memmem(bytes, n, master + 14, 16) == NULL);
    CHECK(memmem(bytes, n, PASSWORD, 10) == NULL);
    CHECK(memmem(bytes, n, "L1", 2) == NULL || memmem(bytes, n, CA_LABEL, 9) == NULL);
    free(bytes);
    free(master);
    close_house(&house);
}

/* ---- Ends that are none */

static klm_rc order_with(const char *path, const char *password, struct bk_watch watch,
                         struct klm_diag *diag)
{
    const struct bk_order order = {.server = house.server,
                                   .path = path,
                                   .password = klm_slice_str(password),
                                   .cost = CHEAP,
                                   .watch = watch};
    struct bk_made made;

    *diag = (struct klm_diag){0};
    return bk_make(&order, diag, &made);
}

static klm_rc cancel(void *arg, const struct bk_progress *progress)
{
    unsigned *left = arg;

    (void)progress;
    return (*left)-- ? KLM_OK : KLM_E_CANCELLED;
}

TEST(a_backup_that_is_cancelled_at_any_chunk_leaves_nothing)
{
    struct klm_diag diag;

    start_house(&house, "cancel", "");
    for (unsigned at = 0; at < 100; at++) {
        unsigned left = at;
        klm_rc rc =
            order_with(backup_path("one"), PASSWORD, (struct bk_watch){cancel, &left}, &diag);

        if (rc == KLM_OK) {
            CHECK(at > 1); /* writing and reading back ask at least once each */
            CHECK_INT(files_in(backup_path("")), 1);
            break;
        }
        CHECK_RC(rc, KLM_E_CANCELLED);
        CHECK_INT(files_in(backup_path("")), 0);
    }
    close_house(&house);
}

TEST(names_that_are_taken_bad_passwords_and_missing_folders_are_refused)
{
    const struct bk_watch watch = {always, NULL};
    struct klm_diag diag;

    start_house(&house, "refused", "");
    write_file(backup_path("taken"), "mine");
    CHECK_RC(order_with(backup_path("taken"), PASSWORD, watch, &diag), KLM_E_EXISTS);
    CHECK_STR(text_of(backup_path("taken")), "mine");
    CHECK_RC(order_with(backup_path("short"), "1234567", watch, &diag), KLM_E_LIMIT);
    CHECK(diag.msg == KLM_MSG_BK_PASSWORD_LENGTH);
    CHECK_RC(order_with("/nowhere/at/all", PASSWORD, watch, &diag), KLM_E_NOTFOUND);
    CHECK(diag.msg == KLM_MSG_BK_WRITE);
    CHECK_INT(files_in(backup_path("")), 1);
    close_house(&house);
}

TEST(a_full_disk_ends_a_backup_with_a_message_and_leaves_nothing)
{
    const struct rlimit small = {2000, RLIM_INFINITY}, before = {RLIM_INFINITY, RLIM_INFINITY};
    struct klm_diag diag;
    klm_rc rc;

    start_house(&house, "full", "");
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    rc = order_with(backup_path("one"), PASSWORD, (struct bk_watch){always, NULL}, &diag);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(rc == KLM_E_IO || rc == KLM_E_NOSPACE);
    CHECK(diag.msg == KLM_MSG_BK_WRITE);
    CHECK_INT(files_in(backup_path("")), 0);
    make_backup(&house, backup_path("one")); /* and works again when there is room */
    close_house(&house);
}

/* ---- What is damaged already */

TEST(a_token_that_does_not_open_is_told_and_left_out)
{
    struct st_change *change = NULL;
    struct bk_made made;

    start_house(&house, "badtoken", "");
    close_house(&house);
    open_house(&house, true);
    listen_now();
    change = change_begin(&house);
    REQUIRE_OK(st_put(change, ST_TOKEN, klm_slice_str("BROKEN"), klm_slice_str("no token")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    made = make_backup(&house, backup_path("one"));
    CHECK_INT(made.damaged, 1);
    CHECK_INT(times_said("KLM1210W Record BROKEN of table token"), 1);
    close_house(&house);
}

/* ---- Is one needed? */

TEST(a_backup_is_needed_after_changes_of_what_people_made_only)
{
    struct km_backup_info info;

    start_house(&house, "needed", "");
    km_backup_info(house.server, &info);
    CHECK(info.needed && info.time == 0);
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_BACKUP_DONE, &admin, "file", "x");
    for (int round = 0; round < 2; round++) {
        now_backed_up();
        km_backup_info(house.server, &info);
        CHECK(!info.needed);
        CHECK_STR(info.file, "/backups/one");
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", round ? "000000000002" : "000000000001");
        km_backup_info(house.server, &info);
        CHECK(info.needed && info.time > 0);
        close_house(&house); /* and it is remembered */
        open_house(&house, false);
        km_backup_info(house.server, &info);
        CHECK(info.needed && info.time > 0);
    }
    close_house(&house);
}

TEST(a_backup_is_needed_after_changes_of_profiles_and_of_what_groups_hold)
{
    start_house(&house, "others", "");
    now_backed_up();
    DO(&house, KM_PROFILE_DEFINE, &admin, "class", "CSFKEYS", "profile", "PLAIN", "uacc", "READ");
    CHECK(needed());
    DO(&house, KM_GROUP_ADD, &admin, "groupID", "TAPES");
    DO(&house, KM_KEYS_CREATE, &admin, "range", "des1e-1f");
    now_backed_up();
    CHECK(!needed());
    DO(&house, KM_GROUP_ALIAS_ADD, &admin, "groupID", "TAPES", "alias", "des1e-1f");
    CHECK(needed());
    close_house(&house);
}

TEST(a_backup_is_needed_after_changes_of_objects_clients_and_their_groups)
{
    static const struct {
        enum st_table table;
        bool want;
    } rows[] = {{ST_OBJECT, true},
                {ST_CLIENT, true},
                {ST_DEVICE_GROUP, true},
                {ST_CLIENT_PENDING, false}, /* it asks again */
                {ST_OBJECT_INDEX, false}};
    const struct st_options options = {.create = true};
    struct st_store *store = NULL;

    REQUIRE_OK(st_open_memory(&options, &store));
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct st_change *change = NULL;
        bool noted;

        REQUIRE_OK(st_change_open(store, &change));
        REQUIRE_OK(st_put(change, rows[i].table, klm_slice_str("k"), klm_slice_str("r")));
        REQUIRE_OK(km_backup_note(change, 1, &noted));
        CHECK_INT(noted, rows[i].want);
        st_change_drop(&change);
    }
    st_close(&store);
}

/* ---- Read back */

static klm_rc read_closed(const char *path, bool closed, enum klm_msg_id *msg)
{
    const struct bk_visitor visitor = {.closed = closed};
    const struct bk_pulse pulse = {go_on, NULL};
    static struct bk_found found;
    struct klm_diag diag = {0};
    struct bk_file file;
    klm_rc rc;

    REQUIRE_OK(bk_file_open(path, &diag, &file));
    REQUIRE_OK(bk_file_unlock(&file, klm_slice_str(PASSWORD), &diag));
    rc = bk_file_walk(&file, &visitor, &pulse, &diag, &found);
    bk_file_close(&file);
    *msg = diag.msg;
    return rc;
}

static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;

    REQUIRE(fd >= 0 && pread(fd, &byte, 1, at) == 1);
    byte ^= 1;
    REQUIRE(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

TEST(a_file_that_is_not_what_was_written_is_told_when_it_is_read_back)
{
    enum klm_msg_id msg;
    struct bk_made made;

    start_house(&house, "reread", "");
    made = make_backup(&house, backup_path("one"));
    CHECK_RC(read_closed(backup_path("one"), true, &msg), KLM_OK);
    for (off_t at = (off_t)made.bytes / 4; at < (off_t)made.bytes; at += (off_t)made.bytes / 4) {
        flip(backup_path("one"), at);
        CHECK_RC(read_closed(backup_path("one"), true, &msg), KLM_E_CORRUPT);
        CHECK(msg == KLM_MSG_BK_DAMAGED);
        flip(backup_path("one"), at);
    }
    close_house(&house);
}

/* Reading back does not take records apart; hashes, lengths and numbers are compared all the same. */
TEST(what_is_read_back_is_compared_with_the_manifest_though_records_stay_closed)
{
    const char *path = test_path("crafted");
    enum klm_msg_id msg;
    struct craft c;

    craft_begin(&c, path, KLM_VERSION, "HERE");
    craft_section(&c, BK_TABLE, "drive", klm_slice_str("no records"), 3);
    craft_end(&c, true);
    CHECK_RC(read_closed(path, true, &msg), KLM_OK);
    CHECK_RC(read_closed(path, false, &msg), KLM_E_CORRUPT);
    for (unsigned wrong = 0; wrong < 3; wrong++) {
        craft_begin(&c, path, KLM_VERSION, "HERE");
        craft_table(&c, "drive", "a", "b", BK_PLAIN);
        c.manifest.section[0].hash[31] ^= wrong == 0;
        c.manifest.section[0].items += wrong == 1;
        c.manifest.section[0].bytes += wrong == 2;
        craft_end(&c, true);
        CHECK_RC(read_closed(path, true, &msg), KLM_E_CORRUPT);
        CHECK(msg == KLM_MSG_BK_SECTION);
    }
    (void)unlink(path);
}
