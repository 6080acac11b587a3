/* The thread of the sinks, with a driver that keeps what it is given. */
#include "smf_test.h"

#include "smf/sink.h"

#include <pthread.h>

#define MOST 2000

/* What a driver did, and what it is told to do. */
struct driver {
    pthread_mutex_t lock;
    uint64_t taken[MOST], out[MOST]; /* sequence numbers: not yet written, and written */
    size_t taken_n, out_n;
    unsigned writes, ticks, left_out, batch;
    klm_rc fail;               /* of writes */
    klm_rc refuse;             /* of the record refuse_seq */
    uint64_t refuse_seq, keep; /* keep: tell so many less than written */
    bool again;
    uint64_t after;
    struct smf_sink *sink;
};

static klm_rc take(void *self, const struct smf_record *record)
{
    struct driver *d = self;
    klm_rc rc = KLM_OK;

    pthread_mutex_lock(&d->lock);
    d->left_out += record->left_out;
    if (record->seq == d->refuse_seq) {
        rc = d->refuse;
    } else if (!record->left_out && d->taken_n < MOST) {
        d->taken[d->taken_n++] = record->seq;
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static bool full(const void *self)
{
    const struct driver *d = self;

    return d->batch && d->taken_n >= d->batch;
}

static klm_rc write_out(void *self, uint64_t *written)
{
    struct driver *d = self;
    klm_rc rc;

    pthread_mutex_lock(&d->lock);
    d->writes++;
    rc = d->fail;
    for (size_t i = 0; rc == KLM_OK && i < d->taken_n && d->out_n < MOST; i++) {
        d->out[d->out_n++] = d->taken[i];
    }
    if (rc == KLM_OK) {
        d->taken_n = 0;
        *written = *written > d->keep ? *written - d->keep : 0;
    }
    pthread_mutex_unlock(&d->lock);
    if (rc != KLM_OK) {
        smf_sink_why(d->sink, "told to fail");
    }
    return rc;
}

static bool again(void *self, uint64_t *after)
{
    struct driver *d = self;
    bool yes;

    pthread_mutex_lock(&d->lock);
    yes = d->again;
    d->again = false;
    if (yes) {
        d->taken_n = 0;
        *after = d->after;
    }
    pthread_mutex_unlock(&d->lock);
    return yes;
}

static void tick(void *self)
{
    struct driver *d = self;

    pthread_mutex_lock(&d->lock);
    d->ticks++;
    pthread_mutex_unlock(&d->lock);
}

static const struct smf_sink_driver table = {.name = "test",
                                             .take = take,
                                             .full = full,
                                             .write = write_out,
                                             .again = again,
                                             .tick = tick,
                                             .every_ms = 20,
                                             .retry_ms = 10};

struct rig {
    const char *folder;
    struct smf_journal *journal;
    struct driver d;
    struct smf_sink *sink;
};

static void start(struct rig *rig, uint64_t after)
{
    test_rc(smf_sink_start(rig->journal, &table, &rig->d, after, &rig->d.sink), KLM_OK,
            "smf_sink_start", __FILE__, __LINE__, true);
    rig->sink = rig->d.sink;
}

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){.folder = new_folder()};
    pthread_mutex_init(&rig->d.lock, NULL);
    rig->journal = open_journal(rig->folder, 5000);
}

static void rig_done(struct rig *rig)
{
    smf_sink_stop(&rig->sink);
    smf_journal_close(&rig->journal);
    pthread_mutex_destroy(&rig->d.lock);
}

static void append_n(struct rig *rig, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        append(rig->journal, i, 0);
    }
}

/* What the thread changes is looked at and set with its lock. */
static size_t out_n(struct rig *rig)
{
    size_t n;

    pthread_mutex_lock(&rig->d.lock);
    n = rig->d.out_n;
    pthread_mutex_unlock(&rig->d.lock);
    return n;
}

static void fail_with(struct rig *rig, klm_rc rc)
{
    pthread_mutex_lock(&rig->d.lock);
    rig->d.fail = rc;
    pthread_mutex_unlock(&rig->d.lock);
}

/* Written: from, from + 1, ... to, in order and once. */
static void check_out_locked(struct rig *rig, uint64_t from, uint64_t to)
{
    CHECK_INT(rig->d.out_n, to + 1 - from);
    for (size_t i = 0; i < rig->d.out_n; i++) {
        if (rig->d.out[i] != from + i) {
            CHECK_INT(rig->d.out[i], from + i);
            return;
        }
    }
}

static void check_out(struct rig *rig, uint64_t from, uint64_t to)
{
    pthread_mutex_lock(&rig->d.lock);
    check_out_locked(rig, from, to);
    pthread_mutex_unlock(&rig->d.lock);
}

TEST(a_driver_gets_every_record_once_and_in_order_in_batches)
{
    struct rig rig;
    struct smf_sink_status status;

    rig_init(&rig);
    rig.d.batch = 7;
    append_n(&rig, 100);
    start(&rig, 0);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    check_out(&rig, 1, 100);
    pthread_mutex_lock(&rig.d.lock);
    CHECK(rig.d.writes >= 14);
    pthread_mutex_unlock(&rig.d.lock);
    append_n(&rig, 50);
    REQUIRE_OK(smf_sink_drain(rig.sink, test_ms(5000)));
    smf_sink_get_status(rig.sink, &status);
    CHECK_STR(status.name, "test");
    CHECK_INT(status.position, 150);
    CHECK_INT(status.backlog, 0);
    CHECK(!status.failing && !status.why[0]);
    smf_sink_stop(&rig.sink);
    CHECK(rig.sink == NULL);
    check_out(&rig, 1, 150);
    rig_done(&rig);
}

TEST(a_sink_begins_behind_the_record_that_it_is_told)
{
    struct rig rig;

    rig_init(&rig);
    append_n(&rig, 30);
    start(&rig, 12);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    check_out(&rig, 13, 30);
    rig_done(&rig);
}

TEST(records_that_are_left_out_move_the_position_on)
{
    struct rig rig;

    rig_init(&rig);
    smf_journal_filter(rig.journal, "authentication", NULL); /* the test's events are runtime */
    append_n(&rig, 5);
    start(&rig, 0);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    CHECK_INT(smf_sink_position(rig.sink), 5);
    CHECK_INT(rig.d.left_out, 5);
    CHECK_INT(out_n(&rig), 0);
    rig_done(&rig);
}

TEST(a_record_that_the_driver_cannot_take_is_passed_over)
{
    struct rig rig;

    rig_init(&rig);
    rig.d.refuse = KLM_E_CORRUPT;
    rig.d.refuse_seq = 3;
    append_n(&rig, 3);
    start(&rig, 0);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0)); /* the last one, too: nothing stays due */
    CHECK_INT(smf_sink_position(rig.sink), 3);
    check_out(&rig, 1, 2);
    rig_done(&rig);
}

TEST(a_record_that_could_not_be_taken_this_time_comes_again)
{
    struct rig rig;

    rig_init(&rig);
    rig.d.refuse = KLM_E_NOMEM;
    rig.d.refuse_seq = 3;
    append_n(&rig, 6);
    start(&rig, 0);
    CHECK_RC(smf_sink_drain(rig.sink, 0), KLM_E_NOMEM);
    CHECK_INT(smf_sink_position(rig.sink), 2);
    pthread_mutex_lock(&rig.d.lock);
    rig.d.refuse_seq = 0;
    pthread_mutex_unlock(&rig.d.lock);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    check_out(&rig, 1, 6);
    rig_done(&rig);
}

TEST(what_a_failed_write_left_is_written_later_and_status_says_why_meanwhile)
{
    struct rig rig;
    struct smf_sink_status status;

    rig_init(&rig);
    start(&rig, 0);
    fail_with(&rig, KLM_E_NOSPACE);
    append_n(&rig, 10);
    CHECK_RC(smf_sink_drain(rig.sink, 0), KLM_E_NOSPACE);
    smf_sink_get_status(rig.sink, &status);
    CHECK(status.failing);
    CHECK_STR(status.why, "told to fail");
    CHECK_INT(status.backlog, 10);
    append_n(&rig, 5);
    fail_with(&rig, KLM_OK);
    AWAIT(smf_sink_position(rig.sink) >= 15); /* by itself, retry_ms after the failure */
    check_out(&rig, 1, 15);
    smf_sink_get_status(rig.sink, &status);
    CHECK(!status.failing && !status.why[0]);
    rig_done(&rig);
}

TEST(a_driver_that_lost_what_it_took_gets_it_again)
{
    struct rig rig;

    rig_init(&rig);
    append_n(&rig, 20);
    start(&rig, 0);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    pthread_mutex_lock(&rig.d.lock);
    rig.d.out_n = 15; /* as if five had been lost on their way */
    rig.d.again = true;
    rig.d.after = 15;
    pthread_mutex_unlock(&rig.d.lock);
    AWAIT(out_n(&rig) >= 20);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    check_out(&rig, 1, 20);
    rig_done(&rig);
}

TEST(a_driver_may_tell_less_than_it_wrote_and_more_later)
{
    struct rig rig;
    klm_rc rc;

    rig_init(&rig);
    rig.d.keep = 4;
    append_n(&rig, 20);
    start(&rig, 0);
    rc = smf_sink_drain(rig.sink, 60); /* not confirmed in time */
    CHECK_RC(rc, KLM_E_TIMEOUT);
    AWAIT(smf_sink_position(rig.sink) == 16);
    CHECK_INT(smf_sink_position(rig.sink), 16);
    pthread_mutex_lock(&rig.d.lock);
    rig.d.keep = 0;
    pthread_mutex_unlock(&rig.d.lock);
    REQUIRE_OK(smf_sink_drain(rig.sink, test_ms(5000)));
    CHECK_INT(smf_sink_position(rig.sink), 20);
    check_out(&rig, 1, 20);
    rig_done(&rig);
}

TEST(the_driver_is_asked_at_times_also_when_nothing_happens)
{
    struct rig rig;
    unsigned ticks = 0;

    rig_init(&rig);
    start(&rig, 0);
    for (uint32_t naps = 0; ticks < 3 && test_nap(&naps);) {
        pthread_mutex_lock(&rig.d.lock);
        ticks = rig.d.ticks;
        pthread_mutex_unlock(&rig.d.lock);
    }
    CHECK(ticks >= 3);
    rig_done(&rig);
}

static klm_rc called(void *self, void *arg)
{
    struct driver *d = self;

    pthread_mutex_lock(&d->lock);
    *(size_t *)arg = d->out_n;
    pthread_mutex_unlock(&d->lock);
    return d->fail == KLM_OK ? KLM_E_EXISTS : KLM_E_DENIED;
}

static void *call_often(void *arg)
{
    struct rig *rig = arg;

    for (unsigned i = 0; i < 50; i++) {
        size_t n;

        test_rc(smf_sink_call(rig->sink, called, &n), KLM_E_EXISTS, "smf_sink_call", __FILE__,
                __LINE__, false);
    }
    return NULL;
}

TEST(functions_are_run_on_the_thread_for_who_asks_also_while_writes_fail)
{
    struct rig rig;
    pthread_t threads[3];
    size_t n = 99;

    rig_init(&rig);
    start(&rig, 0);
    append_n(&rig, 10);
    for (size_t i = 0; i < KLM_COUNT(threads); i++) {
        REQUIRE(pthread_create(&threads[i], NULL, call_often, &rig) == 0);
    }
    for (size_t i = 0; i < KLM_COUNT(threads); i++) {
        pthread_join(threads[i], NULL);
    }
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    CHECK_RC(smf_sink_call(rig.sink, called, &n), KLM_E_EXISTS);
    CHECK_INT(n, 10);
    fail_with(&rig, KLM_E_IO);
    append_n(&rig, 1);
    CHECK_RC(smf_sink_drain(rig.sink, 0), KLM_E_IO);
    CHECK_RC(smf_sink_call(rig.sink, called, &n), KLM_E_DENIED);
    rig_done(&rig);
}

TEST(segments_that_are_gone_are_said_and_the_rest_is_taken)
{
    struct rig rig;

    rig_init(&rig);
    append_n(&rig, 100);
    REQUIRE_OK(smf_journal_sync(rig.journal, 100));
    REQUIRE(unlink(in_folder(rig.folder, "journal.0000000001")) == 0);
    listen_to_messages();
    start(&rig, 0);
    REQUIRE_OK(smf_sink_drain(rig.sink, 0));
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0728E Audit sink test: events 1 to "), 1);
    check_out(&rig, rig.d.out[0], 100);
    CHECK(rig.d.out[0] > 1);
    rig_done(&rig);
}
