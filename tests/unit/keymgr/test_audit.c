/* Audit beside the verbs: calls that end on a loop, the start and end of the server, what cannot be written. */
#include "keymgr/km_help.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static struct house house;

static void prepared(const char *name, const char *more)
{
    listen_now();
    start_house(&house, name, more);
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "wwn", WWN, "rec1", "L1");
}

/* ---- Calls that end on a loop */

#define CALLS 500

static struct {
    struct klm_loop *loop;
    pthread_t thread;
    unsigned done, ordered, recorded, synced;
    uint64_t began; /* last sequence number before the calls */
    enum km_verb_id verb;
} turn;

static void verify_done(struct km_call *call)
{
    unsigned number = (unsigned)(uintptr_t)call->arg;
    struct smf_journal *journal = km_journal(house.server);

    CHECK(klm_loop_here(turn.loop));
    CHECK_RC(call->rc, KLM_OK);
    turn.ordered += number == turn.done;
    turn.recorded += smf_journal_last(journal) >= turn.began + number + 1;
    turn.synced += smf_journal_synced(journal) >= turn.began + number + 1;
    km_call_free(&call);
    if (++turn.done == CALLS) {
        klm_loop_stop(turn.loop);
    }
}

struct start {
    struct klm_task task;
};

/* All at once, as from many sessions. */
static void start_calls(struct klm_task *task)
{
    const struct km_actor actor = {.kind = KM_ACTOR_DRIVE,
                                   .roles = KM_ROLE_DRIVE | KM_ROLE_AUDITOR,
                                   .name = SERIAL,
                                   .address = "192.0.2.7:40022",
                                   .session = "17-4"};

    (void)task;
    turn.began = smf_journal_last(km_journal(house.server));
    for (unsigned i = 0; i < CALLS; i++) {
        struct km_call *call = new_call(&house, turn.verb, &actor);

        if (turn.verb == KM_DRIVE_VERIFY) {
            ((struct km_verify *)call->req)->serial = SERIAL;
        }
        call->loop = turn.loop;
        call->done = verify_done;
        call->arg = (void *)(uintptr_t)i;
        km_run(call);
        CHECK(turn.done == 0 || turn.verb == KM_DRIVE_VERIFY); /* none is answered on the way */
    }
}

static void *turn_loop(void *arg)
{
    klm_loop_run(arg);
    return NULL;
}

static void run_calls(enum km_verb_id verb)
{
    struct klm_task task = {.run = start_calls};

    turn.verb = verb;
    turn.done = turn.ordered = turn.recorded = turn.synced = 0;
    REQUIRE_OK(klm_loop_new(&turn.loop));
    klm_loop_post(turn.loop, &task);
    REQUIRE(pthread_create(&turn.thread, NULL, turn_loop, turn.loop) == 0);
    pthread_join(turn.thread, NULL);
    klm_loop_free(&turn.loop);
}

TEST(calls_that_end_on_a_loop_are_answered_in_order_after_their_events_are_written)
{
    prepared("loop", "");
    run_calls(KM_CONFIG_LIST);
    CHECK_INT(turn.done, CALLS);
    CHECK_INT(turn.ordered, CALLS);
    CHECK_INT(turn.recorded, CALLS);
    CHECK_INT(events(&house, "config-list", SMF_SUCCESS, NULL, "17-4"), CALLS);
    close_house(&house);
}

TEST(a_test_exchange_does_not_wait_and_is_recorded_all_the_same)
{
    prepared("prompt", "");
    run_calls(KM_DRIVE_VERIFY);
    CHECK_INT(turn.done, CALLS);
    CHECK_INT(turn.ordered, CALLS);
    close_house(&house);
    CHECK_INT(events(&house, "drive-verify", SMF_SUCCESS, NULL, "17-4"), CALLS);
}

TEST(with_sync_always_they_are_answered_after_their_events_are_on_disk)
{
    prepared("synced", "Audit.sync=always\n");
    run_calls(KM_DRIVE_VERIFY); /* then a test exchange waits, too */
    CHECK_INT(turn.done, CALLS);
    CHECK_INT(turn.synced, CALLS);
    close_house(&house);
}

/* ---- Start and end */

/* A process that opens the server and dies. */
static void open_and_die(bool offline)
{
    int status = 0;
    pid_t pid = fork();

    REQUIRE(pid >= 0);
    if (pid == 0) {
        open_house(&house, offline);
        kill(getpid(), SIGKILL);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status));
}

static void opened(size_t recoveries)
{
    open_house(&house, false);
    CHECK_INT(events(&house, "crash-recovery", SMF_SUCCESS, NULL, NULL), recoveries);
    CHECK_INT(events(&house, "store-recovery", SMF_SUCCESS, NULL, NULL), recoveries);
    close_house(&house);
}

TEST(start_and_end_are_recorded_and_a_start_knows_whether_the_run_before_ended_in_order)
{
    prepared("ends", "");
    close_house(&house);
    size_t starts = events(&house, "start", SMF_SUCCESS, NULL, NULL);
    CHECK_INT(events(&house, "stop", SMF_SUCCESS, NULL, NULL), starts);
    CHECK_INT(events(&house, "config-load", SMF_SUCCESS, NULL, "SHA-256 "), starts);
    CHECK_INT(events(&house, "config-load", SMF_SUCCESS, NULL, house.config), starts);
    opened(0);
    open_and_die(false);
    opened(1);
    opened(1);
    open_house(&house, true); /* a tool, in order: */
    DO(&house, KM_RING_LIST, &admin, "owner", OWNER);
    close_house(&house);
    CHECK_INT(events(&house, "tool-end", -1, NULL, NULL), 2); /* with the one that furnished */
    opened(1);
    open_and_die(false);
    open_house(&house, true); /* a tool does not hide what the task left */
    DO(&house, KM_RING_LIST, &admin, "owner", OWNER);
    close_house(&house);
    opened(2);
    CHECK_INT(events(&house, "tool-end", -1, NULL, NULL), 2);
}

TEST(a_start_that_fails_is_recorded_and_is_no_crash)
{
    prepared("fails", "");
    close_house(&house);
    write_config(&house, "drive.authority.ring=safkeyring\\://X/NONE\n");
    const struct km_options options = {.config_path = house.config};
    struct klm_diag diag = {0};
    CHECK(km_open(&options, &diag, &house.server) != KLM_OK);
    CHECK_INT(events(&house, "start-failed", SMF_FAILURE, NULL, NULL), 1);
    write_config(&house, "");
    opened(0);
}

TEST(an_edit_of_the_drive_table_while_the_server_is_down_is_told_drive_by_drive)
{
    prepared("edited", "");
    close_house(&house);
    write_file(house.table, "filedrive.table 1\n000000000077 3592 - L1 - -\nend\n");
    open_house(&house, false);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, "000000000077"), 1);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, "filedrive.table"), 1);
    close_house(&house);
    open_house(&house, false);
    CHECK_INT(events(&house, "drive-added", SMF_SUCCESS, NULL, "000000000077"), 1);
    close_house(&house);
}

TEST(a_clock_that_jumps_is_an_event)
{
    prepared("clock", "");
    nap_ms(1500);
    klm_clock_set(klm_clock() + 3600 * 1000000LL);
    WAIT_FOR(events(&house, "clock-jump", SMF_FAILURE, "KLM0988W", NULL) == 1, 5)
    {
    }
    CHECK_INT(events(&house, "clock-jump", SMF_FAILURE, "KLM0988W", NULL), 1);
    klm_clock_set(0);
    close_house(&house);
}

/* ---- Audit cannot be written, and goes on */

static void device_full(bool full)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = full ? 6 << 20 : limit.rlim_max;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void fill_journal(void)
{
    static char text[1024];
    struct smf_event event = {.kind = SMF_RUNTIME, .outcome = SMF_SUCCESS};

    memset(text, 'x', sizeof text - 1);
    event.field[SMF_F_VERB] = "filler";
    event.field[SMF_F_RESOURCE] = event.field[SMF_F_MESSAGE] = event.field[SMF_F_COMMAND] = text;
    for (int i = 0; i < 2100; i++) {
        REQUIRE_OK(km_audit(house.server, &event));
    }
}

static const char *status_of(const char *item)
{
    static char value[64];
    struct km_call *status = run_call(&house, KM_STATUS, &oper, NULL);

    value[0] = '\0';
    for (size_t i = 0; i < status->rows.n; i++) {
        if (strcmp(cell(status, i, "Item"), item) == 0) {
            snprintf(value, sizeof value, "%s", cell(status, i, "Value"));
        }
    }
    km_call_free(&status);
    return value;
}

TEST(with_continue_what_could_not_be_written_is_counted_and_told)
{
    prepared("goeson", "Audit.failure.action=continue\n");
    fill_journal();
    struct km_call *write = create_key(&house, SERIAL, "GOES01", "L1", NULL, KX_ENC_LABEL);
    REQUIRE_OK(write->rc);
    CHECK_STR(status_of("Audit events not recorded"), "");
    device_full(true);
    for (int i = 0; i < 5; i++) {
        struct km_call *read = get_key(&house, SERIAL, "GOES01", write->keyed.eedk, 1);

        CHECK_RC(read->rc, KLM_OK);
        km_call_free(&read);
    }
    CHECK_STR(status_of("Audit journal"), "NOT WRITABLE"); /* itself the sixth */
    CHECK_STR(status_of("Audit events not recorded"), "6");
    device_full(false);
    WAIT_FOR(events(&house, "audit-resumed", SMF_SUCCESS, NULL, NULL) == 1, 10)
    {
    }
    CHECK_INT(events(&house, "audit-resumed", SMF_SUCCESS, NULL, "7 events not recorded"), 1);
    CHECK_INT(events(&house, "audit-failed", SMF_FAILURE, "KLM0820A", NULL), 1);
    CHECK_INT(events(&house, "key-get", SMF_SUCCESS, NULL, "GOES01"), 0);
    CHECK_STR(status_of("Audit events not recorded"), "");
    km_call_free(&write);
    close_house(&house);
    REQUIRE_OK(smf_journal_verify(house.journal, &(uint64_t){0}, NULL));
}

TEST(events_that_can_never_be_told_are_said_at_the_end)
{
    prepared("never", "Audit.failure.action=continue\n");
    fill_journal();
    device_full(true);
    struct km_call *list = run_call(&house, KM_DRIVE_LIST, &oper, NULL);
    CHECK_RC(list->rc, KLM_OK);
    km_call_free(&list);
    close_house(&house);
    device_full(false);
    CHECK_INT(times_said("KLM0821A"), 1);
    open_house(&house, false);
    close_house(&house);
    CHECK_INT(events(&house, "drive-list", -1, NULL, NULL), 0);
}
