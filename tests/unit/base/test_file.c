/* Files read and replaced. */
#include "test.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text)
{
    REQUIRE_OK(klm_file_replace(path, klm_slice_str(text), 0600, NULL));
}

static void check_content(const char *path, const char *text)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 1 << 20);
    CHECK_RC(klm_file_read(path, 1 << 20, &buf, NULL), KLM_OK);
    CHECK(klm_slice_equal(klm_buf_as_slice(&buf), klm_slice_str(text)));
    klm_buf_done(&buf);
}

static int files_in(const char *folder)
{
    DIR *dir = opendir(folder);
    int n = 0;

    while (dir && readdir(dir)) {
        n++;
    }
    if (dir) {
        closedir(dir);
    }
    return n - 2;
}

TEST(a_file_is_written_and_read_back)
{
    const char *path = test_path("plain");
    struct stat st;

    REQUIRE_OK(klm_file_replace(path, klm_slice_str("one"), 0640, NULL));
    check_content(path, "one");
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0640);
    REQUIRE_OK(klm_file_replace(path, klm_slice_str(""), 0400, NULL));
    check_content(path, "");
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0400);
}

TEST(the_mode_does_not_depend_on_the_umask)
{
    const char *path = test_path("umask");
    mode_t old = umask(0077);
    struct stat st;

    CHECK_RC(klm_file_replace(path, klm_slice_str("x"), 0664, NULL), KLM_OK);
    umask(old);
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0664);
}

TEST(a_missing_file_is_not_found_and_named)
{
    struct klm_diag diag = {0};
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    CHECK_RC(klm_file_read("/nonexistent/x", 100, &buf, &diag), KLM_E_NOTFOUND);
    CHECK_STR(diag.text,
              "KLM0001E File /nonexistent/x cannot be opened: No such file or directory");
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    klm_buf_done(&buf);
}

TEST(a_folder_is_no_file)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 100000);
    CHECK_RC(klm_file_read(test_dir(), 100000, &buf, NULL), KLM_E_IO);
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
}

TEST(a_file_of_the_limit_is_read_and_one_byte_longer_is_not)
{
    const char *path = test_path("ten");
    struct klm_diag diag = {0};
    struct klm_buf buf;

    put(path, "0123456789");
    klm_buf_init(&buf, 10);
    CHECK_RC(klm_file_read(path, 10, &buf, &diag), KLM_OK);
    CHECK_INT(buf.n, 10);
    klm_buf_clear(&buf);
    CHECK_RC(klm_file_read(path, 9, &buf, &diag), KLM_E_LIMIT);
    CHECK(strstr(diag.text, "longer than 9 bytes") != NULL);
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
}

TEST(the_limit_of_the_buffer_counts_too_and_what_it_held_stays)
{
    const char *path = test_path("eight");
    struct klm_buf buf;

    put(path, "01234567");
    klm_buf_init(&buf, 10);
    klm_buf_text(&buf, "abc");
    CHECK_RC(klm_file_read(path, 100, &buf, NULL), KLM_E_LIMIT);
    CHECK(klm_slice_equal(klm_buf_as_slice(&buf), klm_slice_str("abc")));
    klm_buf_drop(&buf, 1);
    CHECK_RC(klm_file_read(path, 100, &buf, NULL), KLM_OK);
    CHECK(klm_slice_equal(klm_buf_as_slice(&buf), klm_slice_str("bc01234567")));
    klm_buf_done(&buf);
}

TEST(a_file_that_has_no_length_is_limited_as_well)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 1 << 20);
    CHECK_RC(klm_file_read("/dev/zero", 200000, &buf, NULL), KLM_E_LIMIT);
    CHECK_INT(buf.n, 0);
    CHECK_RC(klm_file_read("/proc/self/status", 200000, &buf, NULL), KLM_OK);
    CHECK(buf.n > 100);
    klm_buf_done(&buf);
}

TEST(a_fifo_without_a_writer_does_not_hang)
{
    struct klm_buf buf;

    REQUIRE(mkfifo(test_path("fifo"), 0600) == 0);
    klm_buf_init(&buf, 100);
    CHECK_RC(klm_file_read(test_path("fifo"), 100, &buf, NULL), KLM_OK);
    CHECK_INT(buf.n, 0);
    klm_buf_done(&buf);
}

TEST(replacing_in_a_missing_folder_fails_with_the_reason)
{
    struct klm_diag diag = {0};

    CHECK_RC(klm_file_replace("/nonexistent/x", klm_slice_str("y"), 0600, &diag), KLM_E_NOTFOUND);
    CHECK_STR(diag.text,
              "KLM0003E File /nonexistent/x cannot be written: No such file or directory");
}

TEST(a_file_is_not_put_over_a_folder)
{
    const char *path = test_path("folder");

    REQUIRE(mkdir(path, 0700) == 0);
    CHECK_RC(klm_file_replace(path, klm_slice_str("y"), 0600, NULL), KLM_E_IO);
    CHECK_INT(files_in(path), 0);
    REQUIRE(rmdir(path) == 0);
}

/* A device that fills up in the middle of the file: here the limit on file size. */
TEST(a_write_that_fails_leaves_the_old_file_and_nothing_else)
{
    static char big[200000];
    struct rlimit before, small;
    struct klm_diag diag = {0};
    const char *folder = test_path("full"), *path = test_path("full/file");

    REQUIRE(mkdir(folder, 0700) == 0);
    put(path, "old");
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
    small = (struct rlimit){100000, before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK_RC(klm_file_replace(path, KLM_SLICE(big, sizeof big), 0600, &diag), KLM_E_IO);
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK(strstr(diag.text, "cannot be written: File too large") != NULL);
    check_content(path, "old");
    CHECK_INT(files_in(folder), 1);
}

TEST(a_folder_without_permission_refuses_and_keeps_the_old_file)
{
    const char *folder = test_path("locked"), *path = test_path("locked/file");
    int status = -1;
    pid_t pid;

    REQUIRE(mkdir(folder, 0700) == 0);
    put(path, "old");
    REQUIRE(chmod(folder, 0555) == 0 && chmod(test_dir(), 0755) == 0);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0) {
            _exit(99);
        }
        _exit((int)klm_file_replace(path, klm_slice_str("new"), 0600, NULL));
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    CHECK_RC((klm_rc)WEXITSTATUS(status), KLM_E_DENIED);
    check_content(path, "old");
    REQUIRE(chmod(folder, 0700) == 0);
    CHECK_INT(files_in(folder), 1);
}

static bool gate(void *arg)
{
    return *(const bool *)arg;
}

TEST(a_file_is_replaced_only_while_the_gate_is_open)
{
    const char *path = test_path("gated");
    int before;
    bool open = false;
    const struct klm_file_gate keeper = {gate, &open};

    put(path, "old");
    before = files_in(test_dir());
    CHECK_RC(klm_file_replace_if(path, klm_slice_str("new"), 0600, &keeper, NULL), KLM_E_STATE);
    check_content(path, "old");
    CHECK_INT(files_in(test_dir()), before);
    open = true;
    CHECK_RC(klm_file_replace_if(path, klm_slice_str("new"), 0600, &keeper, NULL), KLM_OK);
    check_content(path, "new");
}

TEST(temporary_files_of_dead_processes_are_swept_and_nothing_else)
{
    static const char *const kept[] = {"t",          "t.1-0.tmp",  "t.x-0.tmp",
                                       "t.7-0.tmpx", "tt.7-0.tmp", "t.-7-0.tmp"};
    char folder[4096];
    char name[4200];
    pid_t dead = fork();

    if (dead == 0) {
        _exit(0);
    }
    REQUIRE(dead > 0 && waitpid(dead, NULL, 0) == dead);
    snprintf(folder, sizeof folder, "%s", test_path("sweep"));
    REQUIRE(mkdir(folder, 0700) == 0);
    for (size_t i = 0; i < KLM_COUNT(kept); i++) {
        snprintf(name, sizeof name, "%s/%s", folder, kept[i]);
        put(name, "x");
    }
    snprintf(name, sizeof name, "%s/t.%ld-3.tmp", folder, (long)dead);
    put(name, "x");
    snprintf(name, sizeof name, "%s/t", folder);
    klm_file_sweep(name);
    CHECK_INT(files_in(folder), KLM_COUNT(kept)); /* process 1 lives */
    klm_file_sweep(test_path("nowhere/t"));
}

TEST(creating_twice_is_refused_and_keeps_the_first)
{
    const char *folder = test_path("create"), *path = test_path("create/file");
    struct klm_diag diag = {0};

    REQUIRE(mkdir(folder, 0700) == 0);
    REQUIRE_OK(klm_file_create(path, klm_slice_str("first"), 0400, &diag));
    CHECK_RC(klm_file_create(path, klm_slice_str("second"), 0400, &diag), KLM_E_EXISTS);
    CHECK_INT(diag.msg, KLM_MSG_FILE_EXISTS);
    check_content(path, "first");
    CHECK_INT(files_in(folder), 1);
}

TEST(creating_does_not_follow_a_link_that_leads_nowhere)
{
    REQUIRE(symlink(test_path("nowhere"), test_path("dangling")) == 0);
    CHECK_RC(klm_file_create(test_path("dangling"), klm_slice_str("x"), 0600, NULL), KLM_E_EXISTS);
    CHECK(access(test_path("nowhere"), F_OK) != 0);
}

TEST(all_bytes_are_written_at_their_place)
{
    int fd = open(test_path("at"), O_RDWR | O_CREAT, 0600);

    REQUIRE(fd >= 0);
    REQUIRE_OK(klm_write_all(fd, "0123456789", 10));
    REQUIRE_OK(klm_pwrite_all(fd, "abc", 3, 4));
    REQUIRE_OK(klm_fsync(fd));
    REQUIRE_OK(klm_fdatasync(fd));
    close(fd);
    check_content(test_path("at"), "0123abc789");
}

TEST(writing_where_nobody_may_is_an_outcome)
{
    int fd = open("/dev/full", O_WRONLY);

    REQUIRE(fd >= 0);
    CHECK_RC(klm_write_all(fd, "x", 1), KLM_E_NOSPACE);
    close(fd);
    CHECK_RC(klm_write_all(-1, "x", 1), KLM_E_IO);
    CHECK_RC(klm_pwrite_all(-1, "x", 1, 0), KLM_E_IO);
}

#ifndef KLM_NO_SYNC
TEST(syncing_what_is_not_there_is_an_outcome)
{
    CHECK_RC(klm_fsync(-1), KLM_E_IO);
    CHECK_RC(klm_fdatasync(-1), KLM_E_IO);
    CHECK_RC(klm_sync_folder("/nonexistent"), KLM_E_NOTFOUND);
    CHECK_RC(klm_sync_folder(test_dir()), KLM_OK);
}
#endif

TEST(folders_are_made_with_their_parents_and_twice)
{
    struct stat st;

    REQUIRE_OK(klm_folder_make(test_path("a/b//c/"), 0750, NULL));
    REQUIRE(stat(test_path("a/b/c"), &st) == 0);
    CHECK(S_ISDIR(st.st_mode));
    CHECK_RC(klm_folder_make(test_path("a/b/c"), 0750, NULL), KLM_OK);
}

TEST(a_folder_below_a_file_is_refused)
{
    struct klm_diag diag = {0};

    put(test_path("solid"), "x");
    CHECK_RC(klm_folder_make(test_path("solid"), 0700, &diag), KLM_E_IO);
    CHECK(strstr(diag.text, "Not a directory") != NULL);
    CHECK_RC(klm_folder_make(test_path("solid/x"), 0700, &diag), KLM_E_IO);
    CHECK_RC(klm_folder_make("", 0700, &diag), KLM_E_NOTFOUND);
}

TEST(the_folder_part_of_a_path)
{
    static const struct {
        const char *path, *folder;
    } rows[] = {{"a/b", "a"},  {"b", "."},    {"/b", "/"},         {"/", "/"},
                {"a/b/", "a"}, {"a//b", "a"}, {"//a//b//", "//a"}, {"", "."}};
    char out[8];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        REQUIRE_OK(klm_path_folder(rows[i].path, out, sizeof out));
        CHECK_STR(out, rows[i].folder);
    }
    CHECK_RC(klm_path_folder("1234567/x", out, sizeof out), KLM_OK);
    CHECK_RC(klm_path_folder("12345678/x", out, sizeof out), KLM_E_LIMIT);
    CHECK_STR(out, "1234567");
}
