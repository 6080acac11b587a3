/* The thread of every sink: it reads the journal as far as that is on disk, hands records to the driver, and has them written. */
#include "smf/sink.h"

#include "base/loop.h"
#include "base/thread.h"
#include "smf/journal.h"
#include "smf/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MS 5000
#define RETRY_MS 1000

/* A function that waits to be run on the thread; lives on its caller's stack. */
struct request {
    klm_rc (*fn)(void *self, void *arg);
    void *arg;
    klm_rc rc;
    bool done;
    struct request *next;
};

struct smf_sink {
    struct smf_journal *journal;
    struct smf_follower follower;
    struct smf_sink_driver driver;
    void *self;
    unsigned every_ms, retry_ms;

    pthread_mutex_t lock; /* guards what follows, up to the thread's own */
    pthread_cond_t wake;  /* of the thread */
    pthread_cond_t done;  /* of who drains or has called: something ended */
    bool stop, kick, asleep, busy;
    uint64_t attempts;
    klm_rc rc; /* of the last attempt */
    struct request *requests, **requests_tail;
    char why[sizeof((struct smf_sink_status *)0)->why];
    uint64_t position; /* read without the lock */

    /* the thread's own */
    struct klm_pool *pool; /* of one record */
    struct smf_reader *reader;
    uint64_t looked; /* last record of the journal that was looked at */
    uint64_t handed; /* last one that the driver took */
    bool pending;    /* records were taken, and no write has succeeded since */
    struct smf_trouble trouble;
    uint64_t tick_ms; /* of the last tick */

    pthread_t thread;
    bool running;
};

static void on_synced(void *arg)
{
    struct smf_sink *sink = arg;

    pthread_mutex_lock(&sink->lock);
    if (sink->asleep) {
        pthread_cond_signal(&sink->wake);
    }
    pthread_mutex_unlock(&sink->lock);
}

void smf_sink_why(struct smf_sink *sink, const char *why)
{
    int n = (int)strnlen(why, sizeof sink->why - 1); /* cut to what a status line shows */

    pthread_mutex_lock(&sink->lock);
    snprintf(sink->why, sizeof sink->why, "%.*s", n, why);
    pthread_mutex_unlock(&sink->lock);
}

/* The reader behind what was looked at. Segments that were removed before that leave a hole in the sink. */
static klm_rc have_reader(struct smf_sink *sink, struct klm_diag *diag)
{
    if (sink->reader) {
        return KLM_OK;
    }
    KLM_TRY(smf_reader_open(sink->journal->folder, sink->looked, diag, &sink->reader));
    if (sink->reader->seq > sink->looked) {
        klm_say(KLM_MSG_SINK_GAP, sink->driver.name, KLM_NUM(sink->looked + 1),
                KLM_NUM(sink->reader->seq), sink->journal->folder);
    }
    return KLM_OK;
}

/* One record to the driver. One whose event is of a form not known here is said and passed over. */
static klm_rc hand_over(struct smf_sink *sink, const struct smf_frame *frame)
{
    struct smf_record record;
    klm_rc rc;

    klm_pool_clear(sink->pool);
    rc = smf_frame_record(frame, sink->pool, &record);
    if (rc == KLM_E_CORRUPT) {
        klm_say(KLM_MSG_SMF_EVENT, sink->journal->folder, KLM_NUM(frame->seq));
    } else if (rc == KLM_OK) {
        rc = sink->driver.take(sink->self, &record);
        sink->handed = rc == KLM_OK ? frame->seq : sink->handed;
    }
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    sink->looked = frame->seq;
    sink->pending = true;
    return KLM_OK;
}

static void say_why(struct smf_sink *sink, const struct klm_diag *diag, klm_rc rc)
{
    smf_sink_why(sink, diag->msg != KLM_MSG_NONE ? diag->text : klm_rc_text(rc));
    if (diag->msg != KLM_MSG_NONE && smf_trouble_failed(&sink->trouble)) {
        klm_say_diag(diag);
    }
}

/* Records up to target, at least one when there is one. A failure after the first waits for the next turn. */
static klm_rc collect(struct smf_sink *sink, uint64_t target)
{
    struct klm_diag diag = {0};
    struct smf_frame frame;
    klm_rc rc = have_reader(sink, &diag);

    while (rc == KLM_OK && sink->looked < target &&
           !(sink->pending && sink->driver.full(sink->self))) {
        rc = smf_reader_next(sink->reader, &frame, &diag);
        if (rc == KLM_OK) {
            rc = hand_over(sink, &frame);
        }
    }
    if (rc != KLM_OK) {
        smf_reader_close(&sink->reader); /* it may stand behind a record that was not taken */
    }
    if (rc == KLM_OK || sink->pending) {
        return KLM_OK;
    }
    if (rc == KLM_E_NOTFOUND && diag.msg == KLM_MSG_NONE) {
        rc = klm_fail(&diag, rc, KLM_MSG_SMF_GAP, sink->journal->folder, KLM_NUM(sink->looked + 1),
                      KLM_NUM(target));
    }
    say_why(sink, &diag, rc);
    return rc;
}

/* The driver has lost what it took: go back to where it says. */
static void begin_again(struct smf_sink *sink)
{
    uint64_t after;

    if (sink->driver.again && sink->driver.again(sink->self, &after)) {
        smf_reader_close(&sink->reader);
        sink->looked = sink->handed = after;
        sink->pending = false;
        if (after < smf_sink_position(sink)) {
            smf_store(&sink->position, after);
        }
    }
}

/* Bring the sink a step nearer to target. What could not be written stays with the driver for the next attempt. */
static klm_rc attempt(struct smf_sink *sink, uint64_t target)
{
    uint64_t written;

    begin_again(sink);
    written = sink->handed;
    if (!sink->pending && sink->looked < target) {
        KLM_TRY(collect(sink, target));
        written = sink->handed;
    }
    KLM_TRY(sink->driver.write(sink->self, &written));
    (void)smf_trouble_over(&sink->trouble);
    sink->pending = false;
    /* Behind the last record that the driver took only such were looked at as nobody can read. */
    smf_store(&sink->position, written == sink->handed ? sink->looked : written);
    return KLM_OK;
}

static void tick_when_due(struct smf_sink *sink)
{
    uint64_t now = klm_clock_mono_ms();

    if (sink->driver.tick && now - sink->tick_ms >= sink->every_ms) {
        sink->tick_ms = now;
        sink->driver.tick(sink->self);
    }
}

/* Functions that wait, one after the other, outside the lock. */
static void serve(struct smf_sink *sink)
{
    struct request *request = sink->requests;

    sink->requests = request->next;
    if (!sink->requests) {
        sink->requests_tail = &sink->requests;
    }
    pthread_mutex_unlock(&sink->lock);
    request->rc = request->fn(sink->self, request->arg);
    pthread_mutex_lock(&sink->lock);
    request->done = true;
    pthread_cond_broadcast(&sink->done);
}

/* One attempt outside the lock, its outcome told to who drains. */
static void work(struct smf_sink *sink)
{
    uint64_t target = smf_journal_synced(sink->journal);
    klm_rc rc;

    sink->kick = false;
    sink->busy = true;
    pthread_mutex_unlock(&sink->lock);
    rc = attempt(sink, target);
    tick_when_due(sink);
    pthread_mutex_lock(&sink->lock);
    sink->busy = false;
    sink->rc = rc;
    sink->attempts++;
    if (rc == KLM_OK) {
        sink->why[0] = '\0';
    } else if (!sink->why[0]) {
        snprintf(sink->why, sizeof sink->why, "%s", klm_rc_text(rc));
    }
    pthread_cond_broadcast(&sink->done);
    if (rc != KLM_OK && !sink->stop && !sink->kick && !sink->requests) {
        klm_cond_wait_ms(&sink->wake, &sink->lock, sink->retry_ms);
    }
}

/* Wait for more, and let the driver do what it does at times. It may have something again afterwards. */
static void rest(struct smf_sink *sink)
{
    uint64_t age = klm_clock_mono_ms() - sink->tick_ms;

    if (age < sink->every_ms) {
        sink->asleep = true;
        klm_cond_wait_ms(&sink->wake, &sink->lock, (unsigned)(sink->every_ms - age));
        sink->asleep = false;
    }
    if (klm_clock_mono_ms() - sink->tick_ms < sink->every_ms) {
        return;
    }
    sink->kick = true; /* and a turn: what the driver waited for may have come */
    if (!sink->driver.tick) {
        sink->tick_ms = klm_clock_mono_ms();
    }
}

/* Is there anything for an attempt to do? A driver that wrote all it took has nothing to be asked. */
static bool due(const struct smf_sink *sink)
{
    return smf_journal_synced(sink->journal) > sink->looked || sink->pending || sink->kick;
}

static void *sink_main(void *arg)
{
    struct smf_sink *sink = arg;

    klm_thread_background();
    pthread_mutex_lock(&sink->lock);
    while (!sink->stop) {
        if (sink->requests) {
            serve(sink);
        } else if (due(sink)) {
            work(sink);
        } else {
            rest(sink);
        }
    }
    pthread_mutex_unlock(&sink->lock);
    return NULL;
}

static klm_rc sink_new(struct smf_sink **out)
{
    struct smf_sink *sink = calloc(1, sizeof *sink);

    if (!sink) {
        return KLM_E_NOMEM;
    }
    sink->requests_tail = &sink->requests;
    pthread_mutex_init(&sink->lock, NULL);
    klm_cond_init(&sink->wake);
    klm_cond_init(&sink->done);
    *out = sink;
    return KLM_OK;
}

klm_rc smf_sink_start(struct smf_journal *journal, const struct smf_sink_driver *driver, void *self,
                      uint64_t after, struct smf_sink **out)
{
    KLM_AUTO(smf_sink_stop) struct smf_sink *sink = NULL;
    char name[16];

    KLM_TRY(sink_new(&sink));
    KLM_TRY(klm_pool_new(0, &sink->pool));
    sink->journal = journal;
    sink->driver = *driver;
    sink->self = self;
    sink->every_ms = driver->every_ms ? driver->every_ms : EVERY_MS;
    sink->retry_ms = driver->retry_ms ? driver->retry_ms : RETRY_MS;
    sink->looked = sink->handed = sink->position = after;
    sink->tick_ms = klm_clock_mono_ms();
    sink->follower = (struct smf_follower){.synced = on_synced, .arg = sink};
    smf_follow(journal, &sink->follower);
    *out = sink; /* before its thread: a driver may speak of its sink from then on */
    snprintf(name, sizeof name, "audit-%s", driver->name);
    if (klm_thread_start(&sink->thread, name, sink_main, sink) != KLM_OK) {
        *out = NULL;
        return KLM_E_NOMEM;
    }
    sink->running = true;
    sink = NULL;
    return KLM_OK;
}

/* The longest wait of a drain; 0: none. */
struct deadline {
    uint64_t at_ms;
    bool set;
};

/* Wait until something ended; false when time ran out. */
static bool wait_done(struct smf_sink *sink, struct deadline deadline)
{
    uint64_t now = klm_clock_mono_ms();

    if (!deadline.set) {
        pthread_cond_wait(&sink->done, &sink->lock);
    } else if (now < deadline.at_ms) {
        klm_cond_wait_ms(&sink->done, &sink->lock, (unsigned)(deadline.at_ms - now));
    } else {
        return false;
    }
    return true;
}

/* Called with the lock. */
static klm_rc drain_to(struct smf_sink *sink, uint64_t target, struct deadline deadline)
{
    /* one under way may fail for what is over by now */
    uint64_t enough = sink->attempts + (sink->busy ? 2 : 1);
    bool in_time = true;

    sink->kick = true;
    pthread_cond_signal(&sink->wake);
    while (in_time && smf_sink_position(sink) < target &&
           (sink->attempts < enough || sink->rc == KLM_OK)) {
        in_time = wait_done(sink, deadline);
    }
    if (smf_sink_position(sink) >= target) {
        return KLM_OK;
    }
    return in_time ? sink->rc : KLM_E_TIMEOUT;
}

klm_rc smf_sink_drain(struct smf_sink *sink, unsigned ms)
{
    struct deadline deadline = {klm_clock_mono_ms() + ms, ms > 0};
    uint64_t target = smf_journal_last(sink->journal);
    klm_rc rc;

    KLM_TRY(smf_journal_sync(sink->journal, target));
    pthread_mutex_lock(&sink->lock);
    rc = drain_to(sink, target, deadline);
    pthread_mutex_unlock(&sink->lock);
    return rc;
}

klm_rc smf_sink_call(struct smf_sink *sink, klm_rc (*fn)(void *self, void *arg), void *arg)
{
    struct request request = {.fn = fn, .arg = arg};

    pthread_mutex_lock(&sink->lock);
    if (sink->stop) {
        pthread_mutex_unlock(&sink->lock);
        return KLM_E_STATE;
    }
    *sink->requests_tail = &request;
    sink->requests_tail = &request.next;
    pthread_cond_signal(&sink->wake);
    while (!request.done) {
        pthread_cond_wait(&sink->done, &sink->lock);
    }
    pthread_mutex_unlock(&sink->lock);
    return request.rc;
}

uint64_t smf_sink_position(const struct smf_sink *sink)
{
    return smf_load(&sink->position);
}

void smf_sink_get_status(struct smf_sink *sink, struct smf_sink_status *out)
{
    struct smf_sink_status status = {.name = sink->driver.name,
                                     .position = smf_sink_position(sink)};

    /* the position first: it never passes the journal */
    status.backlog = smf_journal_last(sink->journal) - status.position;
    pthread_mutex_lock(&sink->lock);
    status.failing = sink->rc != KLM_OK;
    snprintf(status.why, sizeof status.why, "%s", status.failing ? sink->why : "");
    pthread_mutex_unlock(&sink->lock);
    *out = status;
}

/* Who waits for a function that will not run any more hears so. */
static void refuse_requests(struct smf_sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    for (struct request *request = sink->requests; request; request = request->next) {
        request->rc = KLM_E_STATE;
        request->done = true;
    }
    sink->requests = NULL;
    sink->requests_tail = &sink->requests;
    pthread_cond_broadcast(&sink->done);
    pthread_mutex_unlock(&sink->lock);
}

static void stop_thread(struct smf_sink *sink)
{
    pthread_mutex_lock(&sink->lock);
    sink->stop = true;
    pthread_cond_signal(&sink->wake);
    pthread_mutex_unlock(&sink->lock);
    pthread_join(sink->thread, NULL);
    refuse_requests(sink);
}

void smf_sink_stop(struct smf_sink **sink)
{
    struct smf_sink *s = *sink;

    if (!s) {
        return;
    }
    smf_unfollow(s->journal, &s->follower);
    if (s->running) {
        stop_thread(s);
    }
    smf_reader_close(&s->reader);
    klm_pool_free(&s->pool);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    free(s);
    *sink = NULL;
}
