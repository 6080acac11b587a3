/* Reports on disk: whole under their name or not there at all, and no line of theirs breaks another. */
#include "test.h"

#include "base/file.h"
#include "replication/report.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct klm_buf content(const char *path)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 8u << 20);
    CHECK_RC(klm_file_read(path, 8u << 20, &buf, NULL), KLM_OK);
    return buf;
}

TEST(a_report_is_there_when_it_is_finished_and_for_its_owner_alone)
{
    struct repl_report *report = NULL;
    struct klm_buf buf;
    struct stat st;

    REQUIRE_OK(repl_report_open(test_dir(), "one.txt", NULL, &report));
    repl_report_line(report, "first");
    repl_report_line(report, "a bell\a and\na line");
    CHECK(access(test_path("one.txt"), F_OK) != 0);
    CHECK_STR(repl_report_path(report), test_path("one.txt"));
    REQUIRE_OK(repl_report_finish(report, NULL));
    repl_report_free(&report);
    CHECK(report == NULL);
    buf = content(test_path("one.txt"));
    CHECK_INT(buf.n, strlen("first\na bell. and.a line\n"));
    CHECK_MEM(buf.p, "first\na bell. and.a line\n", buf.n);
    klm_buf_done(&buf);
    REQUIRE(stat(test_path("one.txt"), &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
}

TEST(a_report_longer_than_its_buffer_is_whole)
{
    struct repl_report *report = NULL;
    char line[100];
    struct klm_buf buf;

    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    REQUIRE_OK(repl_report_open(test_dir(), "long.txt", NULL, &report));
    for (int i = 0; i < 20000; i++) {
        repl_report_line(report, line);
    }
    REQUIRE_OK(repl_report_finish(report, NULL));
    repl_report_free(&report);
    buf = content(test_path("long.txt"));
    CHECK_INT(buf.n, 20000 * 100);
    CHECK(buf.p[buf.n - 1] == '\n' && buf.p[99] == '\n' && buf.p[100] == 'x');
    klm_buf_done(&buf);
}

TEST(a_report_that_is_given_up_leaves_nothing)
{
    struct repl_report *report = NULL;
    char temporary[600];

    REQUIRE_OK(repl_report_open(test_dir(), "gone.txt", NULL, &report));
    repl_report_line(report, "half");
    snprintf(temporary, sizeof temporary, "%s.tmp%d", test_path("gone.txt"), (int)getpid());
    CHECK(access(temporary, F_OK) == 0);
    repl_report_free(&report);
    CHECK(access(temporary, F_OK) != 0 && access(test_path("gone.txt"), F_OK) != 0);
}

TEST(a_folder_that_is_not_there_is_said)
{
    struct repl_report *report = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(repl_report_open(test_path("nowhere"), "x.txt", &diag, &report), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_FILE_WRITE);
    CHECK(report == NULL);
}
