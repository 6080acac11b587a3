/* Failing disks under the Berkeley DB store. The calls that reach the disk are replaced in this
 * program: they fail for the store's log or table files as a test says. */
#include "store_help.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    const char *file;     /* calls on files with this in their name fail; NULL: none do */
    const char *reserve;  /* with ENOSPC: only while this file is there */
    atomic_int write_err; /* errno of writes; 0: they work */
    atomic_int sync_err;
    atomic_int syncs, failed_syncs, failed_writes;
    uint64_t bytes_free; /* what statvfs tells; 0: the truth */
} fault;

static void no_fault(void)
{
    fault.file = fault.reserve = NULL;
    fault.write_err = fault.sync_err = fault.failed_syncs = fault.failed_writes = fault.syncs = 0;
    fault.bytes_free = 0;
}

static bool is_meant(int fd)
{
    char link[64], path[600];

    if (!fault.file) {
        return false;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = 0;
    return strstr(path, fault.file) != NULL;
}

static bool write_fails(int fd)
{
    if (!fault.write_err || !is_meant(fd) || (fault.reserve && access(fault.reserve, F_OK) != 0)) {
        return false;
    }
    fault.failed_writes++;
    errno = fault.write_err;
    return true;
}

ssize_t write(int fd, const void *p, size_t n)
{
    return write_fails(fd) ? -1 : syscall(SYS_write, fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return write_fails(fd) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

static int sync_or_fail(int fd, long call)
{
    fault.syncs++;
    if (fault.sync_err && is_meant(fd)) {
        fault.failed_syncs++;
        errno = fault.sync_err;
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return sync_or_fail(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_or_fail(fd, SYS_fdatasync);
}

int statvfs(const char *restrict path, struct statvfs *restrict out)
{
    (void)path;
    *out = (struct statvfs){.f_frsize = 1,
                            .f_bavail = fault.bytes_free ? fault.bytes_free : (uint64_t)1 << 40};
    return 0;
}

/* What the store says. */
static char said[4000];
static unsigned said_n;

static void hear(void *arg, char severity, const char *line)
{
    (void)arg;
    (void)severity;
    said_n++;
    snprintf(said, sizeof said, "%s", line);
}

static struct st_store *store_with_a(const char *name)
{
    no_fault();
    said_n = 0;
    said[0] = 0;
    klm_say_to(hear, NULL);
    struct st_store *store = help_open(test_path(name));
    REQUIRE_OK(help_put(store, ST_DRIVE, "a", "1"));
    return store;
}

static klm_rc put(struct st_store *store, const char *key, const char *record,
                  struct klm_diag *diag)
{
    struct st_change *c = NULL;

    memset(diag, 0, sizeof *diag);
    KLM_TRY(st_change_open(store, &c));
    klm_rc rc = st_put(c, ST_DRIVE, S(key), S(record));
    return rc == KLM_OK ? st_change_commit(&c, diag) : rc;
}

/* After a failure in doubt: nothing of it shows, reading goes on, nothing is taken any more, and
 * reopening brings all that was acknowledged. The old view was opened before. */
static void check_stopped(struct st_store **store, struct st_view **old, const char *name)
{
    struct st_change *c = NULL;
    struct st_view *v = NULL;

    CHECK(st_failed(*store));
    CHECK_INT(st_number(*store), 1);
    CHECK_STR(help_get(*store, ST_DRIVE, "a"), "1");
    CHECK_STR(help_get(*store, ST_DRIVE, "b"), "-");
    CHECK_STR(help_see(*old, ST_DRIVE, "a"), "1");
    REQUIRE_OK(st_view_open(*store, &v));
    CHECK_INT(st_view_number(v), 1);
    CHECK_STR(help_scan(v, ST_DRIVE, (struct st_range){0}), "a=1");
    st_view_close(&v);
    CHECK_RC(st_change_open(*store, &c), KLM_E_STATE);
    CHECK_RC(st_checkpoint(*store, 0, 0), KLM_E_STATE);
    no_fault();
    CHECK_RC(st_change_open(*store, &c), KLM_E_STATE);
    st_view_close(old);
    st_close(store);
    *store = help_open(test_path(name));
    CHECK_STR(help_get(*store, ST_DRIVE, "a"), "1");
    CHECK_RC(help_put(*store, ST_DRIVE, "c", "3"), KLM_OK);
    CHECK_RC(st_verify(*store, NULL, NULL, NULL), KLM_OK);
    st_close(store);
    klm_say_to(NULL, NULL);
}

TEST(f3_a_failed_sync_fails_the_commit_stops_changes_and_is_not_tried_again)
{
    struct st_store *store = store_with_a("sync");
    struct st_view *old = NULL;
    struct klm_diag diag;

    REQUIRE_OK(st_view_open(store, &old));
    fault.file = "/log.";
    fault.sync_err = EIO;
    CHECK_RC(put(store, "b", "2", &diag), KLM_E_IO);
    CHECK_INT(diag.msg, KLM_MSG_ST_WRITE);
    CHECK(strstr(diag.text, "Input/output error") != NULL);
    CHECK_INT(fault.failed_syncs, 1);
    fault.sync_err = 0;
    CHECK_RC(put(store, "b", "2", &diag), KLM_E_STATE);
    check_stopped(&store, &old, "sync");
}

TEST(f3_a_failed_write_of_the_log_does_the_same)
{
    struct st_store *store = store_with_a("write");
    struct st_view *old = NULL;
    struct klm_diag diag;

    REQUIRE_OK(st_view_open(store, &old));
    fault.file = "/log.";
    fault.write_err = EIO;
    CHECK_RC(put(store, "b", "2", &diag), KLM_E_IO);
    CHECK_INT(diag.msg, KLM_MSG_ST_WRITE);
    check_stopped(&store, &old, "write");
}

TEST(f3_a_failed_write_of_a_table_at_a_checkpoint_does_the_same)
{
    struct st_store *store = store_with_a("page");
    struct st_view *old = NULL;

    REQUIRE_OK(st_view_open(store, &old));
    fault.file = "/drive.db";
    fault.write_err = EIO;
    CHECK_RC(st_checkpoint(store, 0, 0), KLM_E_IO);
    check_stopped(&store, &old, "page");
}

TEST(f3_a_failed_sync_of_a_table_at_a_checkpoint_does_the_same)
{
    struct st_store *store = store_with_a("pagesync");
    struct st_view *old = NULL;

    REQUIRE_OK(st_view_open(store, &old));
    fault.file = "/drive.db";
    fault.sync_err = EIO;
    CHECK_RC(st_checkpoint(store, 0, 0), KLM_E_IO);
    check_stopped(&store, &old, "pagesync");
}

static klm_rc swap(struct st_store *store, const char *gone, const char *key)
{
    struct st_change *c = NULL;

    KLM_TRY(st_change_open(store, &c));
    klm_rc rc = st_delete(c, ST_DRIVE, S(gone));
    if (rc == KLM_OK && key) {
        rc = st_put(c, ST_OUTBOX, S(key), S("what happened"));
    }
    return rc == KLM_OK ? st_change_commit(&c, NULL) : rc;
}

TEST(f4_a_full_disk_costs_the_reserve_and_then_only_what_frees_space_goes_on)
{
    struct st_store *store = store_with_a("full");
    struct klm_diag diag;
    char reserve[600];

    snprintf(reserve, sizeof reserve, "%s/RESERVE", test_path("full"));
    CHECK(access(reserve, F_OK) == 0);
    fault.file = "/log.";
    fault.write_err = ENOSPC;
    fault.reserve = reserve;
    fault.bytes_free = 16u << 20;
    CHECK_RC(put(store, "b", "2", &diag), KLM_OK); /* went on by the reserve */
    CHECK(access(reserve, F_OK) != 0);
    CHECK(strstr(said, "KLM0309A") != NULL);
    for (int i = 0; i < 5; i++) {
        CHECK_RC(put(store, "c", "3", &diag), KLM_E_NOSPACE);
        CHECK_INT(diag.msg, KLM_MSG_ST_FULL);
    }
    CHECK_INT(said_n, 1);
    CHECK(!st_failed(store));
    CHECK_STR(help_get(store, ST_DRIVE, "b"), "2");
    CHECK_RC(swap(store, "b", "event"), KLM_OK);
    CHECK_RC(swap(store, "a", NULL), KLM_OK);
    CHECK_STR(help_get(store, ST_DRIVE, "b"), "-");
    fault.bytes_free = 1000;
    CHECK_RC(swap(store, "b", NULL), KLM_E_NOSPACE);
    fault.bytes_free = 64u << 20;
    fault.write_err = 0;
    CHECK_RC(put(store, "c", "3", &diag), KLM_OK);
    CHECK(strstr(said, "KLM0310I") != NULL);
    CHECK_INT(said_n, 2);
    CHECK(access(reserve, F_OK) == 0);
    no_fault();
    klm_say_to(NULL, NULL);
    st_close(&store);
}

TEST(f4_a_disk_that_stays_full_stops_changes_and_loses_nothing)
{
    struct st_store *store = store_with_a("fuller");
    struct st_view *old = NULL;
    struct klm_diag diag;

    REQUIRE_OK(st_view_open(store, &old));
    fault.file = "/log.";
    fault.write_err = ENOSPC;
    CHECK_RC(put(store, "b", "2", &diag), KLM_E_NOSPACE);
    CHECK_INT(diag.msg, KLM_MSG_ST_WRITE);
    check_stopped(&store, &old, "fuller");
}

/* A device that is really full: a small tmpfs of our own where we may mount one, else a limit on
 * the size of files. */
static unsigned fill_up(const char *home, bool *mounted)
{
    struct st_options o = help_options(home);
    struct st_store *store = NULL;
    char record[3001], key[16];
    unsigned n = 0;
    klm_rc rc;

    *mounted = unshare(CLONE_NEWNS) == 0 &&
               mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && mkdir(home, 0700) == 0 &&
               mount("store", home, "tmpfs", 0, "size=24m,mode=0700") == 0;
    if (!*mounted) {
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &(struct rlimit){17u << 20, RLIM_INFINITY}) != 0) {
            _exit(90);
        }
    }
    klm_say_to(hear, NULL);
    if (st_open_bdb(&o, NULL, &store) != KLM_OK) {
        _exit(91);
    }
    memset(record, 'r', sizeof record - 1);
    record[3000] = 0;
    do {
        snprintf(key, sizeof key, "%u", n);
        rc = help_put(store, ST_DRIVE, key, record);
        n += rc == KLM_OK;
    } while (rc == KLM_OK && n < 20000 && (n % 100 || (rc = st_checkpoint(store, 0, 0)) == KLM_OK));
    if (rc != KLM_E_NOSPACE && rc != KLM_E_IO) {
        _exit(92);
    }
    if (n < 100 || strcmp(help_get(store, ST_DRIVE, "99"), record + 3000 - strlen(record)) == 0) {
        _exit(93); /* help_get cuts long records: equal would be wrong too */
    }
    st_close(&store);
    return n;
}

static int full_device(const char *home)
{
    struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
    struct st_options o = help_options(home);
    struct st_store *store = NULL;
    bool mounted;
    unsigned n = fill_up(home, &mounted), missing = 0;
    char key[16];

    if (!mounted && setrlimit(RLIMIT_FSIZE, &unlimited) != 0) {
        return 94;
    }
    if (mounted && mount("store", home, "tmpfs", MS_REMOUNT, "size=200m,mode=0700") != 0) {
        return 95;
    }
    if (st_open_bdb(&o, NULL, &store) != KLM_OK) {
        return 96;
    }
    for (unsigned i = 0; i < n; i++) {
        snprintf(key, sizeof key, "%u", i);
        missing += help_get(store, ST_DRIVE, key)[0] != 'r';
    }
    klm_rc rc = st_verify(store, NULL, NULL, NULL);
    rc = rc == KLM_OK ? help_put(store, ST_DRIVE, "more", "1") : rc;
    st_close(&store);
    return missing ? 97 : rc != KLM_OK ? 98 : 0;
}

TEST(f4_a_store_on_a_full_device_keeps_all_that_it_acknowledged)
{
    char home[400];
    int status = 0;

    no_fault();
    snprintf(home, sizeof home, "%s", test_path("device"));
    pid_t pid = fork();
    if (pid == 0) {
        _exit(full_device(home));
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status), 0);
}
