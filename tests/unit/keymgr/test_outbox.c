/* Audit and change belong together: after a crash anywhere between store and journal each event is there exactly once, and while
 * the journal cannot be written no key leaves. */
#include "keymgr/km_help.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct house house;

/* A house with a drive, closed. */
static void prepared(const char *name)
{
    listen_now();
    start_house(&house, name, "");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "wwn", WWN, "rec1", "L1");
    close_house(&house);
}

/* The newest segment of the journal, and its length. */
static const char *segment(off_t *size)
{
    static char newest[700];
    char name[256] = "";
    DIR *dir = opendir(house.journal);
    struct stat st = {0};

    REQUIRE(dir != NULL);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strncmp(e->d_name, "journal.", 8) == 0 && strcmp(e->d_name, name) > 0) {
            snprintf(name, sizeof name, "%s", e->d_name);
        }
    }
    closedir(dir);
    snprintf(newest, sizeof newest, "%s/%s", house.journal, name);
    REQUIRE(stat(newest, &st) == 0);
    *size = st.st_size;
    return newest;
}

/* One write of a volume by a process that is killed as soon as it has its answer. */
static void write_and_die(const char *volser)
{
    int status = 0;
    pid_t pid = fork();

    REQUIRE(pid >= 0);
    if (pid == 0) {
        open_house(&house, false);
        struct km_call *call = create_key(&house, SERIAL, volser, NULL, NULL, 0);
        if (call->rc == KLM_OK) {
            kill(getpid(), SIGKILL);
        }
        _exit(3);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void there_once(const char *volser)
{
    uint64_t n;

    open_house(&house, false);
    CHECK_INT(usage_events(&house, volser), 1);
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, volser), 1);
    struct km_call *next = create_key(&house, SERIAL, "NEXT01", NULL, NULL, 0);
    CHECK_RC(next->rc, KLM_OK);
    km_call_free(&next);
    close_house(&house);
    CHECK_RC(smf_journal_verify(house.journal, &n, NULL), KLM_OK);
}

TEST(an_event_that_did_not_reach_the_journal_before_a_crash_is_brought_there_at_start)
{
    off_t before, after;

    prepared("lost");
    segment(&before);
    write_and_die("LOST01");
    const char *path = segment(&after);
    CHECK(after > before);
    REQUIRE(truncate(path, before) == 0); /* as if the power went between store and journal */
    CHECK_INT(events(&house, "key-create", -1, NULL, "LOST01"), 0);
    there_once("LOST01");
}

TEST(an_event_torn_by_a_crash_is_written_again)
{
    off_t before, after;

    prepared("torn");
    for (int cut = 1; cut < 4; cut++) {
        char volser[7];
        snprintf(volser, sizeof volser, "TORN0%d", cut);
        segment(&before);
        write_and_die(volser);
        const char *path = segment(&after);
        REQUIRE(truncate(path, before + (after - before) * cut / 4) == 0);
        there_once(volser);
    }
}

TEST(an_event_that_is_in_both_after_a_crash_is_not_written_twice)
{
    prepared("both");
    write_and_die("BOTH01");
    CHECK_INT(events(&house, "key-create", -1, NULL, "BOTH01"), 1);
    there_once("BOTH01");
    write_and_die("BOTH02");
    there_once("BOTH02"); /* and not again at later starts */
    open_house(&house, false);
    CHECK_INT(events(&house, "key-create", -1, NULL, "BOTH01"), 1);
    close_house(&house);
}

/* ---- What the journal may forget */

static klm_rc count_key(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    ++*(size_t *)arg;
    return KLM_OK;
}

static size_t rows(void)
{
    const struct st_range all = {0};
    struct st_view *view = NULL;
    size_t n = 0;

    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(st_scan(view, ST_OUTBOX, &all, count_key, &n));
    st_view_close(&view);
    return n;
}

static klm_rc last_number(void *arg, const struct smf_record *record)
{
    uint64_t *number = arg;

    *number = record->event_no ? record->event_no : *number;
    return KLM_OK;
}

/* Does the journal take an event of this number, or does it know it? */
static bool takes(uint64_t number)
{
    struct smf_event event = {.kind = SMF_DATA_SYNC, .outcome = SMF_SUCCESS, .time = klm_clock()};
    struct smf_entry entry = {.event_no = number};
    struct klm_buf bytes;

    klm_buf_init(&bytes, SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &bytes));
    entry.event = klm_buf_as_slice(&bytes);
    REQUIRE_OK(smf_journal_append(km_journal(house.server), &entry, 1));
    klm_buf_done(&bytes);
    return entry.seq != 0;
}

/* The quiet moment's deletion of rows is not on disk yet: after a power loss they are back. */
TEST(the_journal_knows_events_whose_rows_are_gone_until_a_later_change_is_on_disk)
{
    uint64_t number = 0;

    prepared("forget");
    open_house(&house, false);
    struct km_call *call = create_key(&house, SERIAL, "QUIET1", NULL, NULL, 0);
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    REQUIRE_OK(smf_journal_read(house.journal, 0, last_number, &number, NULL));
    for (uint32_t i = 0; i < test_ms(1000) && rows() > 0; i++) {
        nap_ms(10);
    }
    CHECK_INT(rows(), 0);
    nap_ms(300);
    CHECK(!takes(number));
    call = create_key(&house, SERIAL, "QUIET2", NULL, NULL, 0);
    CHECK_RC(call->rc, KLM_OK);
    km_call_free(&call);
    CHECK(takes(number));
    close_house(&house);
}

/* ---- Killed under load */

#define WRITERS 4

static int acks;

static void *write_for_ever(void *arg)
{
    char volser[16];

    for (int i = 0;; i++) {
        snprintf(volser, sizeof volser, "%c%05d", (int)(intptr_t)arg, i % 100000);
        struct km_call *call = create_key(&house, SERIAL, volser, NULL, NULL, 0);
        if (call->rc != KLM_OK || write(acks, volser, 6) != 6) {
            _exit(3);
        }
        km_call_free(&call);
    }
    return NULL;
}

static void serve_until_killed(void)
{
    pthread_t thread;

    open_house(&house, false);
    for (int i = 0; i < WRITERS; i++) {
        if (pthread_create(&thread, NULL, write_for_ever, (void *)(intptr_t)('A' + i)) != 0) {
            _exit(4);
        }
    }
    pause();
    _exit(5);
}

TEST(after_kill_9_under_load_each_acknowledged_write_is_recorded_exactly_once)
{
    static char volsers[4096][7];
    size_t n = 0;
    int fds[2], status = 0;

    prepared("killed");
    REQUIRE(pipe(fds) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        acks = fds[1];
        serve_until_killed();
    }
    close(fds[1]);
    while (n < 200 && read(fds[0], volsers[n], 6) == 6) {
        n++;
    }
    kill(pid, SIGKILL);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    while (n < 4096 &&
           read(fds[0], volsers[n], 6) == 6) { /* acknowledged while the signal was on its way */
        n++;
    }
    close(fds[0]);
    CHECK(n >= 200);
    open_house(&house, false);
    for (size_t i = 0; i < n; i += 7) {
        CHECK_INT(usage_events(&house, volsers[i]), 1);
    }
    size_t journal = events(&house, "key-create", SMF_SUCCESS, NULL, NULL);
    struct st_view *view = NULL;
    size_t store = 0;
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(md_usage_scan(view, 0, 0, count_usage, &store));
    st_view_close(&view);
    CHECK_INT(journal, store); /* those in flight are in both or in none */
    CHECK(store >= n && store <= n + WRITERS);
    close_house(&house);
}

/* ---- The journal cannot be written */

static klm_rc fill_journal(void)
{
    static char text[1024];
    struct smf_event event = {.kind = SMF_RUNTIME, .outcome = SMF_SUCCESS};
    off_t size;

    memset(text, 'x', sizeof text - 1);
    event.field[SMF_F_VERB] = "filler";
    event.field[SMF_F_RESOURCE] = event.field[SMF_F_MESSAGE] = event.field[SMF_F_COMMAND] = text;
    for (segment(&size); size < (13 << 20); segment(&size)) {
        for (int i = 0; i < 500; i++) {
            KLM_TRY(km_audit(house.server, &event));
        }
    }
    return KLM_OK;
}

/* No file may grow beyond 12 MiB, as on a full device: the journal is longer, the store is not. */
static void device_full(bool full)
{
    struct rlimit limit;

    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = full ? 12 << 20 : limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void expect_refused(struct km_call *call)
{
    static const uint8_t zero[40];

    CHECK_INT(call->device_code, 0xEE0F);
    CHECK_STR(klm_msg(call->diag.msg)->id, "KLM0903E");
    CHECK(call->rc != KLM_OK);
    CHECK_MEM(call->keyed.wrapped, zero, 40);
    CHECK_INT(call->keyed.eedk_n, 0);
    km_call_free(&call);
}

TEST(while_audit_cannot_be_written_no_key_leaves_and_afterwards_all_is_recorded_once)
{
    signal(SIGXFSZ, SIG_IGN);
    prepared("full");
    open_house(&house, false);
    REQUIRE_OK(fill_journal());
    struct km_call *write = create_key(&house, SERIAL, "FULL01", NULL, NULL, 0);
    REQUIRE_OK(write->rc);

    device_full(true);
    expect_refused(get_key(&house, SERIAL, "FULL01", write->keyed.eedk, 2));
    /* A change has its event on disk with it; but the journal must take it before the next one. */
    struct km_call *last = create_key(&house, SERIAL, "FULL02", NULL, NULL, 0);
    CHECK_RC(last->rc, KLM_OK);
    km_call_free(&last);
    expect_refused(create_key(&house, SERIAL, "FULL03", NULL, NULL, 0));
    struct km_call *set = run_call(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias1",
                                   "value", "L2", NULL);
    CHECK_STR(klm_msg(set->diag.msg)->id,
              "KLM0903E"); /* nothing that acts at once is begun either */
    CHECK(strstr(text_of(house.config), "drive.default.alias1") == NULL);
    km_call_free(&set);
    struct km_call *status = run_call(&house, KM_STATUS, &oper, NULL);
    bool told = false;
    CHECK_RC(status->rc, KLM_OK); /* an operator can look */
    for (size_t i = 0; i < status->rows.n; i++) {
        told = told || strcmp(cell(status, i, "Value"), "NOT WRITABLE") == 0;
    }
    CHECK(told);
    km_call_free(&status);
    struct km_call *stop = run_call(&house, KM_TASK_STOP, &oper, NULL);
    CHECK_RC(stop->rc, KLM_OK); /* and stop */
    km_call_free(&stop);

    device_full(false);
    struct km_call *read = get_key(&house, SERIAL, "FULL01", write->keyed.eedk, 2);
    CHECK_RC(read->rc, KLM_OK);
    km_call_free(&read);
    struct km_call *again = create_key(&house, SERIAL, "FULL04", NULL, NULL, 0);
    CHECK_RC(again->rc, KLM_OK);
    km_call_free(&again);
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, "FULL02"), 1);
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, "FULL03"), 0);
    CHECK_INT(usage_events(&house, "FULL03"), 0);
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, "FULL04"), 1);
    km_call_free(&write);
    close_house(&house);
}

TEST(an_action_whose_event_then_cannot_be_written_is_told_as_it_is)
{
    signal(SIGXFSZ, SIG_IGN);
    prepared("late");
    open_house(&house, false);
    REQUIRE_OK(fill_journal());
    device_full(true);
    struct km_call *set = run_call(&house, KM_CONFIG_SET, &oper, "property", "drive.default.alias1",
                                   "value", "L2", NULL);
    device_full(false);
    CHECK_STR(klm_msg(set->diag.msg)->id, "KLM0991E"); /* not "refused": it happened */
    CHECK(strstr(text_of(house.config), "drive.default.alias1=L2") != NULL);
    km_call_free(&set);
    close_house(&house);
}

TEST(with_action_continue_keys_are_served_and_changes_recorded_later)
{
    signal(SIGXFSZ, SIG_IGN);
    prepared("continue");
    write_config(&house, "Audit.failure.action=continue\n");
    open_house(&house, false);
    REQUIRE_OK(fill_journal());
    device_full(true);
    for (int i = 0; i < 5; i++) {
        struct km_call *call = create_key(&house, SERIAL, "CONT01", NULL, NULL, 0);
        CHECK_RC(call->rc, KLM_OK);
        struct km_call *read = get_key(&house, SERIAL, "CONT01", call->keyed.eedk, 2);
        CHECK_RC(read->rc, KLM_OK);
        km_call_free(&read);
        km_call_free(&call);
    }
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, "CONT01"), 0);
    device_full(false);
    WAIT_FOR(events(&house, "key-create", SMF_SUCCESS, NULL, "CONT01") == 5, 10)
    {
    }
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, "CONT01"), 5);
    CHECK_INT(usage_events(&house, "CONT01"), 5);
    close_house(&house);
}
