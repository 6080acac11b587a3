/* Many at a time: batches, queues, neighbours that fail, a refresh in the middle. */
#include "keymgr/km_help.h"

static struct house house;

static void serving(void)
{
    if (!house.server) {
        listen_now();
        start_house(&house, "threads", "");
    }
}

#define THREADS 8
#define ROUNDS 12

struct worker {
    pthread_t thread;
    char serial[13];
    size_t created, got;
    klm_rc rc;
};

static void *serve_drive(void *arg)
{
    struct worker *w = arg;

    for (int i = 0; i < ROUNDS; i++) {
        char volser[16];
        snprintf(volser, sizeof volser, "T%c%04d", w->serial[11], i);
        struct km_call *create = create_key(&house, w->serial, volser, NULL, NULL, 0);
        w->created += create->rc == KLM_OK;
        if (create->rc == KLM_OK) {
            struct km_call *get = get_key(&house, w->serial, volser, &create->keyed.eedk[i % 2], 1);
            w->got +=
                get->rc == KLM_OK && memcmp(get->keyed.wrapped, create->keyed.wrapped, 40) == 0;
            km_call_free(&get);
        }
        km_call_free(&create);
        if (i % 4 == 0) {
            struct km_call *list = run_call(&house, KM_DRIVE_LIST, &oper, NULL);
            w->rc = list->rc == KLM_OK ? w->rc : list->rc;
            km_call_free(&list);
            struct km_call *status = run_call(&house, KM_STATUS, &oper, NULL);
            w->rc = status->rc == KLM_OK ? w->rc : status->rc;
            km_call_free(&status);
        }
    }
    return NULL;
}

TEST(eight_drives_at_a_time_and_a_refresh_in_the_middle)
{
    serving();
    struct worker workers[THREADS] = {0};

    for (int i = 0; i < THREADS; i++) {
        snprintf(workers[i].serial, sizeof workers[i].serial, "00000000000%d", i);
        DO(&house, KM_DRIVE_ADD, &oper, "drivename", workers[i].serial, "rec1", "L1", "rec2", "L2");
    }
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&workers[i].thread, NULL, serve_drive, &workers[i]) == 0);
    }
    for (int i = 0; i < 3; i++) {
        DO(&house, KM_CONFIG_REFRESH, &oper, NULL);
        DO(&house, KM_KEYSTORE_REFRESH, &oper, NULL);
        DO(&house, KM_DRIVE_MODIFY, &oper, "drivename", "000000000000", "symrec", "X");
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK_INT(workers[i].created, ROUNDS);
        CHECK_INT(workers[i].got, ROUNDS);
        CHECK_RC(workers[i].rc, KLM_OK);
    }
    CHECK_INT(events(&house, "key-create", SMF_SUCCESS, NULL, NULL), THREADS * ROUNDS);
    CHECK_INT(events(&house, "key-get", SMF_SUCCESS, NULL, NULL), THREADS * ROUNDS);
    struct st_view *view = NULL;
    size_t usage = 0;
    REQUIRE_OK(st_view_open(km_store(house.server), &view));
    REQUIRE_OK(md_usage_scan(view, 0, 0, count_usage, &usage));
    st_view_close(&view);
    CHECK_INT(usage, THREADS * ROUNDS);
}

/* ---- The writer held back: a call whose answer it delivers does not return until it may. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool held, go;
    size_t done, failed, busy;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hold_writer(struct km_call *call)
{
    pthread_mutex_lock(&gate.lock);
    gate.held = true;
    pthread_cond_broadcast(&gate.changed);
    while (!gate.go) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
    km_call_free(&call);
}

static void count_done(struct km_call *call)
{
    pthread_mutex_lock(&gate.lock);
    gate.done++;
    gate.failed += call->rc != KLM_OK;
    gate.busy +=
        call->diag.msg == KLM_MSG_BUSY && call->device_code == 0xEE0F && call->rc == KLM_E_LIMIT;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    km_call_free(&call);
}

static void start_call(enum km_verb_id verb, const char *serial, const char *alias,
                       void (*done)(struct km_call *call))
{
    struct km_call *call = new_call(&house, verb, &oper);

    REQUIRE_OK(km_call_set(call, "drivename", serial, NULL));
    if (alias) {
        REQUIRE_OK(km_call_set(call, "rec1", alias, NULL));
    }
    call->done = done;
    km_run(call);
}

static void stop_writer(const char *serial)
{
    gate.held = gate.go = false;
    gate.done = gate.failed = gate.busy = 0;
    start_call(KM_DRIVE_ADD, serial, NULL, hold_writer);
    pthread_mutex_lock(&gate.lock);
    while (!gate.held) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

static void let_go_until(size_t done)
{
    pthread_mutex_lock(&gate.lock);
    gate.go = true;
    pthread_cond_broadcast(&gate.changed);
    while (gate.done < done) {
        pthread_cond_wait(&gate.changed, &gate.lock);
    }
    pthread_mutex_unlock(&gate.lock);
}

TEST(a_call_that_fails_in_a_batch_does_not_undo_its_neighbours)
{
    serving();
    uint64_t number;

    stop_writer("00000000H000");
    number = st_number(km_store(house.server));
    start_call(KM_DRIVE_ADD, "00000000N001", "L1", count_done);
    start_call(KM_DRIVE_ADD, "00000000N001", "L2", count_done); /* exists by then */
    start_call(KM_DRIVE_ADD, "00000000N002", "L1", count_done);
    start_call(KM_DRIVE_MODIFY, "00000000N002", "L2",
               count_done); /* sees what its neighbour wrote */
    start_call(KM_DRIVE_DELETE, "00000000N003", NULL, count_done);
    start_call(KM_DRIVE_ADD, "00000000N003", "L1", count_done);
    let_go_until(6);
    CHECK_INT(gate.failed, 2);
    number = st_number(km_store(house.server)) - number;
    CHECK(number == 1 ||
          number == 2); /* one transaction for all, and the writer's own a moment later */
    struct km_call *list =
        run_call(&house, KM_DRIVE_LIST, &oper, "drivename", "00000000N001", NULL);
    CHECK_STR(cell(list, 0, "Alias 1"), "L1");
    km_call_free(&list);
    list = run_call(&house, KM_DRIVE_LIST, &oper, "drivename", "00000000N002", NULL);
    CHECK_STR(cell(list, 0, "Alias 1"), "L2");
    km_call_free(&list);
    struct dt_table *table = km_drives(house.server);
    const struct dt_drive *drive = NULL;
    CHECK_RC(dt_table_find(table, "00000000N002", &drive), KLM_OK);
    CHECK(drive && strcmp(drive->alias1, "L2") == 0);
    CHECK_RC(dt_table_find(table, "00000000N003", &drive), KLM_OK);
    dt_table_free(&table);
    CHECK_INT(events(&house, "drive-add", SMF_FAILURE, "KLM0956E", "00000000N001"), 1);
    CHECK_INT(events(&house, "drive-add", SMF_SUCCESS, NULL, "00000000N001"), 1);
}

TEST(more_changes_than_the_queue_takes_are_refused_at_once)
{
    serving();
    const size_t queue = 4096;

    stop_writer("00000000H001");
    for (size_t i = 0; i < queue + 10; i++) {
        start_call(KM_PENDING_REJECT, "00000000Q000", NULL, count_done);
    }
    pthread_mutex_lock(&gate.lock);
    CHECK_INT(gate.done, 10); /* refused while the writer stands; the others wait */
    CHECK_INT(gate.busy, 10);
    pthread_mutex_unlock(&gate.lock);
    CHECK_INT(events(&house, "pending-reject", SMF_FAILURE, "KLM0902W", NULL), 10);
    let_go_until(queue + 10);
    CHECK_INT(gate.busy, 10);
    CHECK_INT(gate.failed, queue + 10); /* nothing waits under that number */
    CHECK_INT(events(&house, "pending-reject", SMF_FAILURE, "KLM0957E", NULL), queue);
}

/* ---- What clients of KMIP ask for */

#define HELD_MAX 256

/* Jobs wait here until it opens. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    bool open;
    size_t at, through;
    struct klm_job job[HELD_MAX];
} held_up = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static void wait_held_up(struct klm_job *job)
{
    (void)job;
    pthread_mutex_lock(&held_up.lock);
    held_up.at++;
    pthread_cond_broadcast(&held_up.moved);
    while (!held_up.open) {
        pthread_cond_wait(&held_up.moved, &held_up.lock);
    }
    held_up.through++;
    pthread_cond_broadcast(&held_up.moved);
    pthread_mutex_unlock(&held_up.lock);
}

static void until(const size_t *counter, size_t n)
{
    pthread_mutex_lock(&held_up.lock);
    while (*counter < n) {
        pthread_cond_wait(&held_up.moved, &held_up.lock);
    }
    pthread_mutex_unlock(&held_up.lock);
}

static size_t answers;

static void count_answer(struct km_call *call)
{
    (void)call;
    pthread_mutex_lock(&held_up.lock);
    answers++;
    pthread_cond_broadcast(&held_up.moved);
    pthread_mutex_unlock(&held_up.lock);
}

/* A hundred searches of a hostile client may take a minute; the keys of drives and an operator's look are not behind them. */
TEST(what_takes_clients_of_kmip_long_holds_up_neither_drives_nor_operators)
{
    static const struct km_actor client = {
        .kind = KM_ACTOR_CLIENT, .roles = KM_ROLE_CLIENT, .name = "HOSTILE", .group = "TESTS"};
    struct km_call *call;
    size_t held;

    serving();
    held = klm_workers_count(km_client_workers(house.server));
    REQUIRE(held > 0 && held <= HELD_MAX);
    for (size_t i = 0; i < held; i++) {
        held_up.job[i] = (struct klm_job){.run = wait_held_up};
        REQUIRE_OK(klm_workers_submit(km_client_workers(house.server), &held_up.job[i]));
    }
    until(&held_up.at, held);
    call = new_call(&house, KM_HASH, &client);
    call->done = count_answer;
    km_run(call);
    DO(&house, KM_DRIVE_ADD, &oper, "drivename", "00000000009A", "rec1", "L1", "rec2", "L2");
    DO(&house, KM_DRIVE_LIST, &oper, NULL);
    struct km_call *create = create_key(&house, "00000000009A", "GATE01", NULL, NULL, 0);
    CHECK_RC(create->rc, KLM_OK);
    struct km_call *get = get_key(&house, "00000000009A", "GATE01", &create->keyed.eedk[0], 1);
    CHECK_RC(get->rc, KLM_OK);
    km_call_free(&get);
    km_call_free(&create);
    DO(&house, KM_DRIVE_DELETE, &oper, "drivename", "00000000009A");
    pthread_mutex_lock(&held_up.lock);
    CHECK_INT(answers, 0);
    held_up.open = true;
    pthread_cond_broadcast(&held_up.moved);
    pthread_mutex_unlock(&held_up.lock);
    until(&held_up.through, held);
    until(&answers, 1);
    km_call_free(&call);
}

TEST(closing_finishes_what_waits)
{
    serving();
    stop_writer("00000000H002");
    for (int i = 0; i < 100; i++) {
        char serial[13];
        snprintf(serial, sizeof serial, "000000C%05d", i);
        start_call(KM_DRIVE_ADD, serial, NULL, count_done);
    }
    pthread_mutex_lock(&gate.lock);
    gate.go = true;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    close_house(&house);
    CHECK_INT(gate.done, 100);
    CHECK_INT(gate.failed, 0);
    open_house(&house, false);
    struct km_call *list =
        run_call(&house, KM_DRIVE_LIST, &oper, "drivename", "000000C00099", NULL);
    CHECK_RC(list->rc, KLM_OK);
    km_call_free(&list);
    close_house(&house);
}
