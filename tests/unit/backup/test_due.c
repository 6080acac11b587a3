/* The schedule, and names, passwords and the folder of backups. */
#include "backup/bk_help.h"

#include "backup/folder.h"
#include "backup/service.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#define MINUTE ((klm_time)60 * 1000000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NOW ((klm_time)1318966508 * 1000000) /* Tue Oct 18 19:35:08 GMT 2011 */

TEST(nothing_is_due_that_is_not_needed_or_not_scheduled)
{
    CHECK(!bk_due(1, "12:00", false, 0, 0, NOW));
    CHECK(!bk_due(0, NULL, true, 0, 0, NOW));
    CHECK(!bk_due(0, "", true, 0, 0, NOW));
}

TEST(an_interval_counts_from_the_last_good_one_and_a_failure_is_tried_again_after_an_hour)
{
    CHECK(!bk_due(24, NULL, true, NOW - 23 * HOUR, 0, NOW));
    CHECK(bk_due(24, NULL, true, NOW - 24 * HOUR, 0, NOW));
    CHECK(!bk_due(24, NULL, true, NOW - 24 * HOUR, NOW - 59 * MINUTE, NOW));
    CHECK(bk_due(24, NULL, true, NOW - 24 * HOUR, NOW - 60 * MINUTE, NOW));
    CHECK(bk_due(24, NULL, true, 0, 0, NOW));
}

TEST(a_time_of_day_comes_once_a_day)
{
    setenv("TZ", "UTC", 1);
    tzset();
    CHECK(bk_due(0, "19:35", true, NOW - HOUR, 0, NOW));
    CHECK(!bk_due(0, "19:36", true, NOW - HOUR, 0,
                  NOW)); /* that was yesterday, and one was made since */
    CHECK(bk_due(0, "19:36", true, NOW - DAY, 0, NOW)); /* yesterday's was missed */
    CHECK(!bk_due(0, "19:35", true, NOW - HOUR, NOW - MINUTE / 12, NOW)); /* tried since */
    CHECK(!bk_due(0, "19:35", true, NOW - MINUTE / 12, 0, NOW));          /* made since */
    CHECK(bk_due(0, "00:00", true, NOW - DAY, 0, NOW));
}

TEST(a_name_is_made_of_release_and_time_and_an_operators_is_a_plain_one)
{
    char name[BK_FILE_NAME];

    klm_clock_set(NOW);
    bk_name_new(name);
    klm_clock_set(0);
    CHECK_STR(name, "sklm_v" KLM_VERSION "_20111018193508_backup");
    CHECK(bk_name_plain(name));
    CHECK(bk_name_plain("a"));
    CHECK(!bk_name_plain(""));
    CHECK(!bk_name_plain(".hidden"));
    CHECK(!bk_name_plain("../up"));
    CHECK(!bk_name_plain("a/b"));
    CHECK(!bk_name_plain("a b"));
    CHECK(!bk_name_plain("quote\"quote"));
    CHECK(!bk_name_plain("new\nline"));
}

static klm_rc password(const char *path, char out[64], enum klm_msg_id *msg)
{
    struct klm_diag diag = {0};
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init_wiping(&buf, 8192);
    rc = bk_password_file(path, &buf, &diag);
    snprintf(out, 64, "%.*s", (int)(buf.n < 60 ? buf.n : 60), buf.n ? (const char *)buf.p : "");
    *msg = diag.msg;
    klm_buf_done(&buf);
    return rc;
}

TEST(a_password_file_gives_its_first_line_when_it_is_its_owners_alone)
{
    const char *path = test_path("password"), *link = test_path("link");
    char got[64], longest[KR_PASSWORD_MOST + 3];
    enum klm_msg_id msg;

    write_file(path, "first line\nsecond\n");
    CHECK_RC(password(path, got, &msg), KLM_OK);
    CHECK_STR(got, "first line");
    write_file(path, "no end");
    CHECK_RC(password(path, got, &msg), KLM_OK);
    CHECK_STR(got, "no end");
    REQUIRE(chmod(path, 0640) == 0);
    CHECK_RC(password(path, got, &msg), KLM_E_DENIED);
    CHECK(msg == KLM_MSG_BK_PASSWORD_FILE);
    CHECK_STR(got, "");
    REQUIRE(chmod(path, 0400) == 0);
    CHECK_RC(password(path, got, &msg), KLM_OK);
    REQUIRE(symlink(path, link) == 0);
    CHECK_RC(password(link, got, &msg), KLM_E_IO);
    CHECK_RC(password(test_dir(), got, &msg), KLM_E_DENIED);
    CHECK_RC(password(test_path("none"), got, &msg), KLM_E_NOTFOUND);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    write_file(path, longest);
    CHECK_RC(password(path, got, &msg), KLM_E_LIMIT);
    longest[KR_PASSWORD_MOST] = '\n';
    write_file(path, longest);
    CHECK_RC(password(path, got, &msg), KLM_OK);
    write_file(path, "\nempty");
    CHECK_RC(password(path, got, &msg), KLM_E_INVALID);
    (void)unlink(link);
}

/* ---- The service in a server */

static struct house house;
static const struct kr_scrypt cheap = {10, 8, 1};
static const struct bk_options options = {.here = false, .cost = &cheap};

/* While there is one, the thread of its backups stands still before it syncs a file, until it is cancelled: it is under way for as long as a
 * test wants. In front of the C library's. */
static struct bk_service *_Atomic held;

int fsync(int fd)
{
    char name[17] = "";

    (void)prctl(PR_GET_NAME, name);
    for (struct bk_service *s; strcmp(name, "backup") == 0 && (s = held) != NULL; nap_ms(1)) {
        if (atomic_load(&s->cancel) || atomic_load(&s->stop)) {
            break;
        }
    }
    return (int)syscall(SYS_fsync, fd);
}

static bool is_idle(void)
{
    struct km_call *call = run_call(&house, KM_BACKUP_PROGRESS, &admin, "line", "true", NULL);
    const char *text = call->text ? call->text : "";
    bool idle = strncmp(text, "done", 4) == 0 || strncmp(text, "failed", 6) == 0 ||
                strncmp(text, "idle", 4) == 0;

    km_call_free(&call);
    return idle;
}

static void wait_idle(void)
{
    WAIT_FOR(is_idle(), 30)
    {
    }
    CHECK(is_idle());
}

static size_t rows(enum km_verb_id verb)
{
    struct km_call *call = run_call(&house, verb, &admin, NULL);
    size_t n = call->rows.n;

    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    return n;
}

TEST(the_service_makes_checks_lists_and_refuses_and_every_request_is_audited)
{
    const struct km_actor backup_operator = {
        .kind = KM_ACTOR_OPERATOR, .roles = KM_ROLE_BACKUP, .name = "BACKUP", .address = "console"};
    struct bk_service *service = NULL;
    struct km_backup_info info;

    start_house(&house, "service", "");
    REFUSED(KLM_E_UNSUPPORTED, KLM_MSG_BK_HERE, &house, KM_BACKUP_RUN, &admin, "password",
            PASSWORD);
    REQUIRE_OK(bk_open(house.server, &options, NULL, &service));
    REFUSED(KLM_E_DENIED, KLM_MSG_NOT_AUTHORISED, &house, KM_BACKUP_RUN, &oper, "password",
            PASSWORD);
    REFUSED(KLM_E_USAGE, KLM_MSG_BK_PASSWORD_ASK, &house, KM_BACKUP_RUN, &admin, NULL);
    REFUSED(KLM_E_LIMIT, KLM_MSG_BK_PASSWORD_LENGTH, &house, KM_BACKUP_RUN, &admin, "password",
            "short");
    REFUSED(KLM_E_INVALID, KLM_MSG_BK_NAME, &house, KM_BACKUP_RUN, &admin, "file", "/etc/passwd",
            "password", PASSWORD);
    REFUSED(KLM_E_STATE, KLM_MSG_BK_IDLE, &house, KM_BACKUP_CANCEL, &admin, NULL);
    held = service;
    DO(&house, KM_BACKUP_RUN, &backup_operator, "file", "one", "password", PASSWORD);
    REFUSED(KLM_E_BUSY, KLM_MSG_BK_BUSY, &house, KM_BACKUP_RUN, &admin, "password", PASSWORD);
    held = NULL;
    wait_idle();
    km_backup_info(house.server, &info);
    CHECK(!info.needed);
    CHECK_STR(info.result, "one is complete");
    CHECK_INT(rows(KM_BACKUP_LIST), 1);
    DO(&house, KM_BACKUP_CHECK, &backup_operator, "file", "one", "password", PASSWORD);
    wait_idle();
    CHECK_INT(events(&house, "backup-checked", SMF_SUCCESS, NULL, "one"), 1);
    DO(&house, KM_BACKUP_CHECK, &admin, "file", "one", "password", "another password");
    wait_idle();
    CHECK_INT(events(&house, "backup-failed", SMF_FAILURE, "KLM1205E", "one"), 1);
    DO(&house, KM_BACKUP_RUN, &admin, "file", "one", "password", PASSWORD); /* the name is taken */
    wait_idle();
    CHECK_INT(events(&house, "backup-failed", SMF_FAILURE, "KLM0008E", "one"), 1);
    CHECK_INT(events(&house, "backup-run", SMF_SUCCESS, NULL, "one"), 2);
    CHECK_INT(events(&house, "backup-run", SMF_FAILURE, NULL, NULL), 6);
    CHECK_INT(events(&house, "backup-done", SMF_SUCCESS, NULL, "one"), 1);
    CHECK_INT(events(&house, "backup-run", -1, NULL, PASSWORD), 0);
    bk_close(&service);
    close_house(&house);
}

/* The task writes what ended by itself soon, not at once. */
static int cancelled(const char *file)
{
    int n = 0;

    for (uint32_t waited = 0; n == 0 && waited < test_ms(10000); waited += 10) {
        n = events(&house, "backup-failed", SMF_FAILURE, "KLM1214W", file);
        if (n == 0) {
            nap_ms(10);
        }
    }
    return n;
}

TEST(a_backup_under_way_is_cancelled_by_an_operator_and_by_the_end_of_the_task)
{
    struct bk_service *service = NULL;

    start_house(&house, "cancelled", "");
    REQUIRE_OK(bk_open(house.server, &options, NULL, &service));
    held = service;
    DO(&house, KM_BACKUP_RUN, &admin, "file", "one", "password", PASSWORD);
    DO(&house, KM_BACKUP_CANCEL, &admin, NULL);
    wait_idle();
    CHECK_INT(cancelled("one"), 1);
    DO(&house, KM_BACKUP_RUN, &admin, "file", "two", "password", PASSWORD);
    bk_close(&service);
    held = NULL;
    CHECK_INT(cancelled("two"), 1);
    close_house(&house);
}

TEST(the_schedule_makes_one_when_it_is_needed_and_deletes_the_oldest)
{
    struct bk_service *service = NULL;
    char more[800], path[500];

    snprintf(path, sizeof path, "%s", test_path("schedule.password"));
    write_file(path, PASSWORD "\n");
    snprintf(more, sizeof more,
             "tklm.backup.interval.hours=1\ntklm.backup.keep=1\ntklm.backup.secret.file=%s\n",
             path);
    start_house(&house, "schedule", more);
    klm_clock_set(NOW);
    snprintf(path, sizeof path, "%s/backup/mine", house.dir);
    for (int round = 0; round < 2; round++) {
        REQUIRE_OK(bk_open(house.server, &options, NULL, &service));
        WAIT_FOR(events(&house, "backup-done", SMF_SUCCESS, NULL, NULL) == (size_t)round + 1, 20)
        {
        }
        bk_close(&service);
        CHECK_INT(events(&house, "backup-done", SMF_SUCCESS, NULL, NULL), round + 1);
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", round ? "000000000002" : "000000000001");
        if (round == 0) {
            make_backup(&house, path);
        }
        klm_clock_set(NOW + 2 * HOUR);
    }
    klm_clock_set(0);
    REQUIRE_OK(bk_open(house.server, &options, NULL, &service));
    CHECK_INT(rows(KM_BACKUP_LIST),
              2); /* the newest of the schedule's, and the one with a name of its own */
    bk_close(&service);
    close_house(&house);
}
