/* What the Berkeley DB store must survive: restarts, kills, other owners, wrong keys, damaged and
 * missing files. */
#include "store_help.h"

#include "base/buf.h"
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static klm_rc try_open(struct st_options *o, struct klm_diag *diag)
{
    struct st_store *store = NULL;

    memset(diag, 0, sizeof *diag);
    klm_rc rc = st_open_bdb(o, diag, &store);
    CHECK((store != NULL) == (rc == KLM_OK));
    st_close(&store);
    return rc;
}

static const char *in(const char *home, const char *name)
{
    static char path[2][600];
    static unsigned turn;

    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", home, name);
    return path[turn];
}

/* A closed store with records a and b in the drive table, its folder by name. */
static const char *closed_store(const char *name)
{
    static char home[400];

    snprintf(home, sizeof home, "%s", test_path(name));
    struct st_store *store = help_open(home);
    REQUIRE_OK(help_put(store, ST_DRIVE, "a", "1"));
    REQUIRE_OK(help_put(store, ST_DRIVE, "b", "2"));
    st_close(&store);
    return home;
}

TEST(records_and_number_are_there_after_reopening)
{
    const char *home = closed_store("reopen");
    struct st_options o = help_options(home);
    struct st_store *store = NULL;

    o.create = false;
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    CHECK_INT(st_number(store), 2);
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
    CHECK_STR(help_get(store, ST_DRIVE, "b"), "2");
    REQUIRE_OK(help_put(store, ST_DRIVE, "c", "3"));
    CHECK_INT(st_number(store), 3);
    st_close(&store);
}

TEST(files_are_for_their_owner_alone)
{
    static const char *const names[] = {"LOCK",    "IDENTITY", "RESERVE",
                                        "meta.db", "drive.db", "log.0000000001"};
    const char *home = closed_store("modes");
    struct stat st;

    REQUIRE(stat(home, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0700);
    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        REQUIRE(stat(in(home, names[i]), &st) == 0);
        CHECK_INT(st.st_mode & 07777, 0600);
    }
}

TEST(no_store_and_no_leave_to_make_one_is_not_found_and_leaves_nothing)
{
    struct klm_diag diag;
    struct st_options o = help_options(test_path("nothing"));
    struct stat st;

    o.create = false;
    CHECK_RC(try_open(&o, &diag), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_ST_NONE);
    CHECK(stat(o.home, &st) != 0);
    REQUIRE(mkdir(o.home, 0700) == 0);
    CHECK_RC(try_open(&o, &diag), KLM_E_NOTFOUND);
    o.create = o.read_only = true;
    CHECK_RC(try_open(&o, &diag), KLM_E_NOTFOUND);
    CHECK(rmdir(o.home) == 0);
}

TEST(a_second_owner_is_refused_and_told_the_first_ones_pid)
{
    struct klm_diag diag;
    char pid[40];
    struct st_options o = help_options(test_path("busy"));
    struct st_store *store = help_open(o.home);

    CHECK_RC(try_open(&o, &diag), KLM_E_BUSY);
    CHECK_INT(diag.msg, KLM_MSG_ST_BUSY);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    CHECK(strstr(diag.text, pid) != NULL);
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "-");
    st_close(&store);
    CHECK_RC(try_open(&o, &diag), KLM_OK);
}

TEST(a_wrong_mac_key_is_told_before_anything_is_touched)
{
    struct klm_diag diag;
    struct st_options o = help_options(closed_store("wrongkey"));
    struct stat before, after;

    REQUIRE(stat(in(o.home, "meta.db"), &before) == 0);
    o.mac_key[31] ^= 1;
    CHECK_RC(try_open(&o, &diag), KLM_E_WRONGKEY);
    CHECK_INT(diag.msg, KLM_MSG_ST_WRONGKEY);
    REQUIRE(stat(in(o.home, "meta.db"), &after) == 0);
    CHECK(before.st_mtim.tv_sec == after.st_mtim.tv_sec &&
          before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    o.mac_key[31] ^= 1;
    CHECK_RC(try_open(&o, &diag), KLM_OK);
}

/* Made with Python (hashlib, hmac): schema 1 and 2, id 100..115, key 32 times 0x5a. */
#define IDENTITY_REST                                                                              \
    "6465666768696a6b6c6d6e6f70717273de7e522760396c8823110d95174f3f3d60ec47933fea245e6b4a7b5ba8ff" \
    "7db6"
#define IDENTITY_1 "4b4c4d53544f52450001" IDENTITY_REST "4a8fa22f2485b6a2"
#define IDENTITY_2 "4b4c4d53544f52450002" IDENTITY_REST "0bb688d4b73622bb"

static void write_identity(const char *home, const char *hex)
{
    uint8_t bytes[128];
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, bytes, sizeof bytes, &n));
    REQUIRE_OK(klm_file_replace(in(home, "IDENTITY"), KLM_SLICE(bytes, n), 0600, NULL));
}

TEST(an_identity_made_elsewhere_opens_and_one_of_a_newer_schema_does_not)
{
    struct klm_diag diag;
    struct st_options o = help_options(closed_store("identity"));

    write_identity(o.home, IDENTITY_1);
    CHECK_RC(try_open(&o, &diag), KLM_OK);
    write_identity(o.home, IDENTITY_2);
    CHECK_RC(try_open(&o, &diag), KLM_E_UNSUPPORTED);
    CHECK_INT(diag.msg, KLM_MSG_ST_SCHEMA);
    CHECK(strstr(diag.text, "version 2") != NULL);
}

TEST(an_identity_that_is_damaged_cut_longer_or_gone_is_named)
{
    struct klm_diag diag = {0};
    struct st_options o = help_options(closed_store("badidentity"));
    uint8_t bytes[67] = {0};
    size_t n = 0;

    REQUIRE_OK(klm_unhex(IDENTITY_1, bytes, sizeof bytes, &n));
    for (size_t i = 0; i < n; i += 7) {
        bytes[i] ^= 0x10;
        REQUIRE_OK(klm_file_replace(in(o.home, "IDENTITY"), KLM_SLICE(bytes, n), 0600, NULL));
        CHECK_RC(try_open(&o, &diag), KLM_E_CORRUPT);
        bytes[i] ^= 0x10;
    }
    CHECK_INT(diag.msg, KLM_MSG_ST_DAMAGED);
    CHECK(strstr(diag.text, "/IDENTITY") != NULL);
    for (size_t cut = 0; cut <= n + 1; cut += cut == n - 1 ? 2 : 1) {
        REQUIRE_OK(klm_file_replace(in(o.home, "IDENTITY"), KLM_SLICE(bytes, cut), 0600, NULL));
        CHECK_RC(try_open(&o, &diag), KLM_E_CORRUPT);
    }
    REQUIRE(unlink(in(o.home, "IDENTITY")) == 0);
    CHECK_RC(try_open(&o, &diag), KLM_E_CORRUPT);
    CHECK(strstr(diag.text, "/IDENTITY") != NULL);
    write_identity(o.home, IDENTITY_1);
    CHECK_RC(try_open(&o, &diag), KLM_OK);
}

TEST(a_lost_table_is_named_and_never_made_anew)
{
    static const char *const names[] = {"drive.db", "meta.db"};

    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        struct klm_diag diag;
        char aside[600], file[600];
        struct st_options o = help_options(closed_store(i ? "lostmeta" : "lostdrive"));
        snprintf(file, sizeof file, "%s", in(o.home, names[i]));
        snprintf(aside, sizeof aside, "%s", in(o.home, "aside"));
        REQUIRE(rename(file, aside) == 0);
        for (int twice = 0; twice < 2; twice++) {
            CHECK_RC(try_open(&o, &diag), KLM_E_CORRUPT);
            CHECK(strstr(diag.text, names[i]) != NULL);
            CHECK(access(file, F_OK) != 0);
        }
        REQUIRE(rename(aside, file) == 0);
        CHECK_RC(try_open(&o, &diag), KLM_OK);
    }
}

TEST(a_table_file_of_garbage_is_named)
{
    struct klm_diag diag;
    struct st_options o = help_options(closed_store("garbage"));
    uint8_t junk[8192];

    memset(junk, 0xee, sizeof junk);
    REQUIRE_OK(klm_file_replace(in(o.home, "cert.db"), KLM_SLICE(junk, sizeof junk), 0600, NULL));
    CHECK_RC(try_open(&o, &diag), KLM_E_CORRUPT);
    CHECK(strstr(diag.text, "cert.db") != NULL);
}

TEST(a_folder_that_others_can_write_or_that_is_none_is_refused)
{
    struct klm_diag diag;
    struct st_options o = help_options(closed_store("unsafe"));

    REQUIRE(chmod(o.home, 0770) == 0);
    CHECK_RC(try_open(&o, &diag), KLM_E_DENIED);
    CHECK_INT(diag.msg, KLM_MSG_ST_UNSAFE);
    REQUIRE(chmod(o.home, 0702) == 0);
    CHECK_RC(try_open(&o, &diag), KLM_E_DENIED);
    REQUIRE(chmod(o.home, 0750) == 0);
    CHECK_RC(try_open(&o, &diag), KLM_OK);
    static char file[600];
    snprintf(file, sizeof file, "%s", in(o.home, "LOCK"));
    o.home = file;
    CHECK_RC(try_open(&o, &diag), KLM_E_INVALID);
}

/* Runs fn in a child as nobody (when it is root) and checks its exit code. */
static int in_child(int (*fn)(const char *home), const char *home)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        int bad = geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0);
        _exit(bad ? 99 : fn(home));
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static int open_code(const char *home)
{
    struct klm_diag diag = {0};
    struct st_options o = help_options(home);
    struct st_store *store = NULL;
    klm_rc rc = st_open_bdb(&o, &diag, &store);

    st_close(&store);
    return rc == KLM_E_DENIED && diag.msg == KLM_MSG_ST_UNSAFE   ? 1
           : rc == KLM_E_DENIED && diag.msg == KLM_MSG_FILE_OPEN ? 2
           : rc == KLM_OK                                        ? 0
                                                                 : 3;
}

static void give_to_nobody(const char *home)
{
    static const char *const names[] = {".", "LOCK", "IDENTITY", "RESERVE", "log.0000000001"};
    char table[40];

    if (geteuid() != 0) {
        return;
    }
    REQUIRE(chmod(test_dir(), 0755) == 0);
    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        REQUIRE(chown(in(home, names[i]), 65534, 65534) == 0);
    }
    for (unsigned t = 0; t < ST_TABLES; t++) {
        snprintf(table, sizeof table, "%s.db", st_table_name((enum st_table)t));
        REQUIRE(chown(in(home, table), 65534, 65534) == 0);
    }
}

TEST(a_folder_or_file_that_we_may_not_write_is_refused_by_name)
{
    const char *home = closed_store("denied");

    give_to_nobody(home);
    CHECK_INT(in_child(open_code, home), 0);
    REQUIRE(chmod(home, 0500) == 0);
    CHECK_INT(in_child(open_code, home), 1);
    REQUIRE(chmod(home, 0700) == 0);
    REQUIRE(chmod(in(home, "log.0000000001"), 0400) == 0);
    CHECK_INT(in_child(open_code, home), 2);
    REQUIRE(chmod(in(home, "log.0000000001"), 0600) == 0);
    CHECK_INT(in_child(open_code, home), 0);
}

/* One page of a closed store's file with one record's bytes in it. */
static off_t find_bytes(int fd, const char *what, size_t n)
{
    static uint8_t page[1 << 20];
    ssize_t got = pread(fd, page, sizeof page, 0);
    uint8_t *at = got > 0 ? memmem(page, (size_t)got, what, n) : NULL;

    return at ? at - page : -1;
}

static void note_damaged(void *arg, enum st_table table, struct klm_slice key)
{
    snprintf(arg, 64, "%s/%.*s", st_table_name(table), (int)key.n, (const char *)key.p);
}

TEST(f6_each_flipped_byte_of_a_record_costs_that_record_alone)
{
    static const char marker[] = "MARKER-OF-THE-ONE-RECORD-THAT-WILL-BE-DAMAGED";
    struct st_options o = help_options(test_path("flip"));
    struct st_store *store = help_open(o.home);

    for (int i = 0; i < 40; i++) {
        char key[16];
        snprintf(key, sizeof key, "drive%02d", i);
        REQUIRE_OK(help_put(store, ST_DRIVE, key, i == 20 ? marker : "another record"));
    }
    st_close(&store);
    int fd = open(in(o.home, "drive.db"), O_RDWR | O_CLOEXEC);
    off_t at = find_bytes(fd, marker, sizeof marker - 1);
    REQUIRE(at > 18);
    for (off_t i = at - 18; i < at + (off_t)sizeof marker - 1; i++) {
        uint8_t byte = 0;
        char damaged[64] = "";
        uint64_t records = 0;
        REQUIRE(pread(fd, &byte, 1, i) == 1);
        byte ^= 0x41;
        REQUIRE(pwrite(fd, &byte, 1, i) == 1);
        REQUIRE_OK(st_open_bdb(&o, NULL, &store));
        CHECK_STR(help_get(store, ST_DRIVE, "drive20"), "!");
        CHECK_STR(help_get(store, ST_DRIVE, "drive19"), "another record");
        CHECK_STR(help_get(store, ST_DRIVE, "drive21"), "another record");
        CHECK_RC(st_verify(store, note_damaged, damaged, &records), KLM_E_CORRUPT);
        CHECK_STR(damaged, "drive/drive20");
        CHECK(!st_failed(store));
        st_close(&store);
        byte ^= 0x41;
        REQUIRE(pwrite(fd, &byte, 1, i) == 1);
    }
    close(fd);
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    CHECK_RC(st_verify(store, NULL, NULL, NULL), KLM_OK);
    CHECK_STR(help_get(store, ST_DRIVE, "drive20"), marker);
    st_close(&store);
}

TEST(a_damaged_record_is_told_by_a_scan_and_can_be_written_anew)
{
    struct st_options o = help_options(test_path("mend"));
    struct st_store *store = help_open(o.home);

    REQUIRE_OK(help_put(store, ST_GROUP, "a", "fine"));
    REQUIRE_OK(help_put(store, ST_GROUP, "b", "DAMAGED-SOON"));
    st_close(&store);
    int fd = open(in(o.home, "group.db"), O_RDWR | O_CLOEXEC);
    off_t at = find_bytes(fd, "DAMAGED-SOON", 12);
    REQUIRE(at > 0 && pwrite(fd, "X", 1, at) == 1);
    close(fd);
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    struct st_view *v = NULL;
    struct help_list list = {.n = 0};
    REQUIRE_OK(st_view_open(store, &v));
    CHECK_RC(st_scan(v, ST_GROUP, NULL, help_visit, &list), KLM_OK);
    CHECK_STR(list.text, "a=fine b=");
    CHECK_INT(list.damaged, 1);
    st_view_close(&v);
    REQUIRE_OK(help_put(store, ST_GROUP, "b", "mended"));
    CHECK_STR(help_get(store, ST_GROUP, "b"), "mended");
    st_close(&store);
}

struct slow {
    size_t n, damaged;
    uint32_t wait_ms; /* at every hundredth record */
};

static klm_rc visit_slowly(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct slow *slow = arg;
    char want[32];

    snprintf(want, sizeof want, "%08zu", slow->n);
    REQUIRE(klm_slice_equal(key, S(want)));
    REQUIRE(damaged ? record.n == 0 : record.n == 900 && record.p[899] == 'r');
    slow->damaged += damaged;
    if (slow->n++ % 100 == 0) {
        usleep(slow->wait_ms * 1000);
    }
    return KLM_OK;
}

/* Whichever of the two threads opens the envelopes. */
TEST(damage_is_told_by_a_scan_that_reads_ahead_whether_the_visitor_is_behind_or_not)
{
    struct st_options o = help_options(test_path("ahead"));
    struct st_store *store = help_open(o.home);
    struct st_change *change = NULL;
    struct st_view *view = NULL;
    static char record[900]; /* four pairs fill a page */
    char key[16];

    memset(record, 'r', sizeof record);
    REQUIRE_OK(st_change_open(store, &change));
    for (int i = 0; i < 4000; i++) {
        snprintf(key, sizeof key, "%08d", i);
        REQUIRE_OK(st_put(change, ST_GROUP, S(key), KLM_SLICE(record, sizeof record)));
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    st_close(&store);
    int fd = open(in(o.home, "group.db"), O_RDWR | O_CLOEXEC);
    for (off_t page = 100; page <= 700; page += 200) { /* of 4,096 bytes; a record in each */
        REQUIRE(pwrite(fd, "X", 1, page * 4096 + 4000) == 1);
    }
    close(fd);
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    for (uint32_t wait = 0; wait <= 2; wait += 2) {
        struct slow slow = {.wait_ms = wait};

        REQUIRE_OK(st_view_open(store, &view));
        CHECK_RC(st_scan(view, ST_GROUP, &(struct st_range){.ahead = true}, visit_slowly, &slow),
                 KLM_OK);
        CHECK_INT(slow.n, 4000);
        CHECK_INT(slow.damaged, 4);
        st_view_close(&view);
    }
    st_close(&store);
}

/* The child commits as fast as it can and tells each number it was promised; it is killed at a
 * random moment. */
static void commit_for_ever(const char *home, int fd)
{
    struct st_store *store = help_open(home);

    for (;;) {
        char key[32];
        uint64_t n = st_number(store) + 1;
        snprintf(key, sizeof key, "%llu", (unsigned long long)n);
        if (help_put(store, ST_USAGE, key, key) != KLM_OK || write(fd, &n, sizeof n) != sizeof n ||
            st_checkpoint(store, 200, 0) != KLM_OK) {
            _exit(9);
        }
    }
}

static uint64_t run_and_kill(const char *home, unsigned ms)
{
    int fds[2], status;
    uint64_t acked = 0, n;

    REQUIRE(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        commit_for_ever(home, fds[1]);
    }
    close(fds[1]);
    REQUIRE(read(fds[0], &acked, sizeof acked) == sizeof acked); /* it is at work */
    usleep(ms * 1000);
    kill(pid, SIGKILL);
    while (read(fds[0], &n, sizeof n) == sizeof n) {
        acked = n;
    }
    close(fds[0]);
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
    return acked;
}

TEST(f20_after_each_kill_every_acknowledged_commit_is_there)
{
    const char *home = test_path("kill");

    for (unsigned round = 0; round < 10; round++) {
        uint64_t acked = run_and_kill(home, 5 + round * 13);
        uint64_t start = test_cpu_ns();
        struct st_store *store = help_open(home);
        CHECK((test_cpu_ns() - start) / 1000000 < test_ms(1000));
        uint64_t number = st_number(store);
        CHECK(number == acked || number == acked + 1);
        unsigned wrong = 0;
        for (uint64_t n = 1; n <= number; n++) {
            char key[32];
            snprintf(key, sizeof key, "%llu", (unsigned long long)n);
            wrong += strcmp(help_get(store, ST_USAGE, key), key) != 0;
        }
        CHECK_INT(wrong, 0);
        CHECK_RC(st_verify(store, NULL, NULL, NULL), KLM_OK);
        st_close(&store);
    }
}

TEST(checkpoints_come_by_count_by_time_and_at_once)
{
    struct st_store *store = help_open(test_path("checkpoint"));

    CHECK_RC(st_checkpoint(store, 1, 0), KLM_OK);
    for (int i = 0; i < 5; i++) {
        REQUIRE_OK(help_put(store, ST_DRIVE, "a", "1"));
        CHECK_RC(st_checkpoint(store, 2, 1000), KLM_OK);
    }
    CHECK_RC(st_checkpoint(store, 0, 0), KLM_OK);
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
    st_close(&store);
}

/* What a checkpoint has brought out is in the table's file, not in the log alone. */
TEST(a_store_that_is_kept_checkpoints_while_commits_go_on)
{
    static uint8_t page[1 << 20];
    const char *home = test_path("kept");
    struct st_store *store = help_open(home);
    bool there = false;

    REQUIRE_OK(st_keep(store, 3, 1000));
    CHECK_RC(st_keep(store, 3, 1000), KLM_E_STATE);
    for (uint32_t naps = 0; !there && test_nap(&naps);) {
        REQUIRE_OK(help_put(store, ST_DRIVE, "needle", "in the haystack"));
        int fd = open(in(home, "drive.db"), O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, page, sizeof page);
        there = n > 0 && memmem(page, (size_t)n, "needle", 6);
        close(fd);
    }
    CHECK(there);
    st_close(&store);
}

/* ---- Log files made ahead */

static off_t size_of(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : -1;
}

static bool is_begun(const char *path)
{
    uint8_t head[64] = {0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof head);

    if (fd >= 0) {
        close(fd);
    }
    return n > 0 && memcmp(head, (uint8_t[64]){0}, sizeof head) != 0;
}

#define LONG 50000

static const uint8_t *long_record(unsigned number)
{
    static uint8_t record[LONG];

    memset(record, (int)('a' + number % 26), sizeof record);
    return record;
}

/* Commits, each of one long record, numbered on, until a log file is begun. */
static void commit_until(struct st_store *store, const char *log, unsigned *number)
{
    for (unsigned i = 0; i < 300 && !is_begun(log); i++) {
        struct st_change *change = NULL;
        char key[16];

        snprintf(key, sizeof key, "%u", ++*number);
        REQUIRE_OK(st_change_open(store, &change));
        REQUIRE_OK(st_put(change, ST_USAGE, S(key), KLM_SLICE(long_record(*number), LONG)));
        REQUIRE_OK(st_change_commit(&change, NULL));
    }
    REQUIRE(is_begun(log));
}

static void wait_for_file(const char *path)
{
    for (int i = 0; i < 6000 && size_of(path) < 4 << 20; i++) {
        usleep(10000);
    }
    REQUIRE(size_of(path) == 4 << 20);
}

static void all_long_records_are_there(struct st_store *store, unsigned number)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct st_view *view;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_view_open(store, &view));
    for (unsigned i = 1; i <= number; i++) {
        struct klm_slice record = {NULL, 0};
        char key[16];

        snprintf(key, sizeof key, "%u", i);
        klm_pool_clear(pool);
        REQUIRE_OK(st_get(view, ST_USAGE, S(key), pool, &record));
        CHECK(record.n == LONG && memcmp(record.p, long_record(i), LONG) == 0);
    }
    st_view_close(&view);
}

TEST(the_next_log_file_is_made_while_commits_go_on_and_not_left_behind)
{
    const char *home = test_path("nextlog");
    struct st_store *store = help_open(home);
    unsigned number = 0;

    CHECK_INT(size_of(in(home, "log.0000000002")), -1); /* who is done soon makes none */
    commit_until(store, in(home, "log.0000000002"), &number);
    wait_for_file(in(home, "log.0000000003"));
    CHECK(!is_begun(in(home, "log.0000000003")));
    commit_until(store, in(home, "log.0000000003"), &number);
    wait_for_file(in(home, "log.0000000004"));
    st_close(&store);
    CHECK_INT(size_of(in(home, "log.0000000004")), -1);
    store = help_open(home);
    all_long_records_are_there(store, number);
    st_close(&store);
}

static bool is_there(struct st_store *store, unsigned number)
{
    char key[16];

    snprintf(key, sizeof key, "%u", number);
    return strcmp(help_get(store, ST_USAGE, key), "-") != 0;
}

static void commit_and_die(const char *home)
{
    unsigned number = 0;
    int status;
    const pid_t pid = fork();

    if (pid == 0) {
        struct st_store *store = help_open(home);

        commit_until(store, in(home, "log.0000000002"), &number);
        wait_for_file(in(home, "log.0000000003"));
        raise(SIGKILL);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
}

/* What is behind the begin of a file that was left is whatever the disk kept of it. */
TEST(a_log_file_made_ahead_that_a_kill_leaves_is_made_anew)
{
    static const off_t sizes[] = {0, 1000, 4 << 20};

    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        char name[] = "left0";
        const char *home;
        unsigned records = 0;
        struct st_store *store;
        int fd;

        name[4] = (char)('0' + i);
        home = test_path(name);
        commit_and_die(home);
        fd = open(in(home, "log.0000000003"), O_WRONLY | O_CLOEXEC);
        REQUIRE(fd >= 0 && ftruncate(fd, sizes[i]) == 0);
        REQUIRE(sizes[i] < 4096 || pwrite(fd, home, 5, 70000) == 5);
        close(fd);
        store = help_open(home);
        while (is_there(store, records + 1)) {
            records++;
        }
        CHECK(records > 0);
        commit_until(store, in(home, "log.0000000003"), &records);
        all_long_records_are_there(store, records);
        st_close(&store);
        store = help_open(home);
        all_long_records_are_there(store, records);
        CHECK_RC(st_verify(store, NULL, NULL, NULL), KLM_OK);
        st_close(&store);
    }
}

/* None should be there: but a log file that somebody began is not the thread's to fill. Berkeley DB, when it comes to it, knows that its log has not got so far. */
TEST(a_file_that_begins_with_records_is_not_filled_ahead)
{
    const char *home = test_path("foreign");
    struct st_store *store = help_open(home);
    unsigned number = 0;
    int fd;

    fd = open(in(home, "log.0000000003"), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(fd >= 0 && write(fd, "records", 7) == 7);
    close(fd);
    commit_until(store, in(home, "log.0000000002"), &number);
    usleep(300000); /* in which it would be filled many times */
    CHECK(is_begun(in(home, "log.0000000003")));
    CHECK_INT(size_of(in(home, "log.0000000003")), 7);
    commit_until(store, in(home, "log.0000000004"), &number);
    st_close(&store);
    store = help_open(home);
    all_long_records_are_there(store, number);
    CHECK_RC(st_verify(store, NULL, NULL, NULL), KLM_OK);
    st_close(&store);
}

static size_t freezer_files(const char *home)
{
    DIR *dir = opendir(home);
    size_t n = 0;

    REQUIRE(dir != NULL);
    for (const struct dirent *e; (e = readdir(dir));) {
        n += strncmp(e->d_name, "__db.freezer", 12) == 0;
    }
    closedir(dir);
    return n;
}

/* Views are short: pages that only a view of before needed are given up, not kept in files, however much larger than its cache the store is. */
TEST(a_store_larger_than_its_cache_keeps_no_versions_that_nobody_reads)
{
    static char record[900], home[400];
    struct st_options o = help_options(NULL);
    struct st_store *store = NULL;

    snprintf(home, sizeof home, "%s", test_path("larger"));
    o.home = home;
    o.cache_bytes = 4u << 20;
    memset(record, 'r', sizeof record - 1);
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    for (unsigned batch = 0; batch < 600; batch++) {
        struct st_change *c = NULL;
        REQUIRE_OK(st_change_open(store, &c));
        for (unsigned i = 0; i < 32; i++) {
            char key[16];
            snprintf(key, sizeof key, "%08x", (batch * 32 + i) * 2654435761u);
            REQUIRE_OK(st_put(c, ST_TOKEN, S(key), S(record)));
        }
        REQUIRE_OK(st_change_commit_lazy(&c, NULL));
        CHECK_INT(freezer_files(home), 0);
    }
    CHECK(!st_failed(store));
    st_close(&store);
}

/* More pages than the cache holds, an old view open all the time: it still sees its own state. */
TEST(an_old_view_stays_right_when_everything_is_written_over_several_times)
{
    struct st_options o = help_options(test_path("oldview"));
    struct st_store *store = NULL;
    struct st_view *old = NULL;
    static char record[3001];

    o.cache_bytes = 4u << 20;
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    for (int round = 0; round < 4; round++) {
        struct st_change *c = NULL;
        REQUIRE_OK(st_change_open(store, &c));
        for (int i = 0; i < 1000; i++) {
            char key[16];
            snprintf(key, sizeof key, "%04d", i);
            memset(record, 'a' + round, 3000);
            REQUIRE_OK(st_put(c, ST_TOKEN, S(key), S(record)));
        }
        CHECK_RC(st_change_commit_lazy(&c, NULL), KLM_OK);
        if (round == 0) {
            REQUIRE_OK(st_view_open(store, &old));
        }
    }
    for (int i = 0; i < 1000; i += 37) {
        char key[16];
        snprintf(key, sizeof key, "%04d", i);
        CHECK_INT(help_see(old, ST_TOKEN, key)[0], 'a');
        CHECK_INT(help_get(store, ST_TOKEN, key)[0], 'd');
    }
    st_view_close(&old);
    CHECK(!st_failed(store));
    st_close(&store);
}
