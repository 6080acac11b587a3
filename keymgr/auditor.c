/* The audit thread. A write to the journal can stall behind a sync of the same file, so a loop never writes there: calls that end on it, and events that are
 * no verb, are queued here. The thread takes all that wait, puts their events into the journal with one append (and one sync, with Audit.sync=always) and then
 * lets the answers go. It also tells, after audit could not be written, when that was and how many events are missing. */
#include "keymgr/internal.h"

#include "base/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND 256 /* most events of one append */
#define TICK_MS                                                                                    \
    1000 /* how often a journal that failed is tried again, and checkpoints are looked at */
#define HELD_MS 3      /* how often held events are moved while there are some */
#define HELD_ROUNDS 50 /* looks in vain before it sleeps until it is called */
#define IN_RESERVE                                                                                 \
    1024 /* places of the queue that only calls may take, so that no flood of sessions refuses them */

/* One append: events behind each other, and where each begins. */
struct km_round {
    struct klm_buf text;
    struct smf_entry entry[ROUND];
    size_t at[ROUND + 1];
    struct km_queued *queued[ROUND];
    size_t n;
    bool
        recorded; /* appended, if perhaps not on disk: a journal that cannot be synced loses nothing */
};

static struct klm_slice event_of(struct km_queued *queued)
{
    return KLM_SLICE((uint8_t *)(queued + 1), queued->n);
}

/* Put one event behind the others. One that cannot be encoded fails alone. */
static void add(struct km_server *server, struct km_round *round, struct km_queued *queued)
{
    klm_rc rc = KLM_OK;

    round->at[round->n] = round->text.n;
    if (queued->call) {
        km_event_complete(queued->call);
        rc = smf_event_encode(&queued->call->event, &round->text);
    } else {
        klm_buf_slice(&round->text, event_of(queued));
        rc = klm_buf_rc(&round->text);
    }
    if (rc == KLM_OK) {
        round->queued[round->n++] = queued;
        round->at[round->n] = round->text.n;
    } else if (queued->call) {
        km_settle(queued->call, rc);
    } else {
        free(queued);
        km_audit_trouble(server, 1, rc);
    }
}

static klm_rc append(struct km_server *server, struct km_round *round)
{
    for (size_t i = 0; i < round->n; i++) {
        round->entry[i] = (struct smf_entry){
            .event = KLM_SLICE(round->text.p + round->at[i], round->at[i + 1] - round->at[i])};
    }
    KLM_TRY(km_journal_append(server, round->entry, round->n));
    for (size_t i = 0; i < round->n; i++) {
        if (round->queued[i]->call) {
            round->queued[i]->call->recorded = true;
        }
    }
    round->recorded = true;
    return server->audit_sync ? smf_journal_sync(server->journal, round->entry[round->n - 1].seq)
                              : KLM_OK;
}

/* Write what was taken off the queue, then let it go. */
static void carry_out(struct km_server *server, struct km_round *round, struct km_queued *list)
{
    size_t lost = 0;
    klm_rc rc;

    klm_buf_clear(&round->text);
    round->n = 0;
    round->recorded = false;
    for (struct km_queued *next; list; list = next) {
        next = list->next;
        add(server, round, list);
    }
    rc = round->n > 0 ? append(server, round) : KLM_OK;
    for (size_t i = 0; i < round->n; i++) {
        if (round->queued[i]->call) {
            km_settle(round->queued[i]->call, rc);
        } else {
            free(round->queued[i]);
            lost += !round->recorded;
        }
    }
    if (rc != KLM_OK) {
        km_audit_trouble(server, lost, rc);
    }
}

/* ---- Trouble: counted by whom it meets, told when it is over. */

void km_audit_trouble(struct km_server *server, uint64_t n, klm_rc why)
{
    struct km_auditor *auditor = &server->auditor;

    pthread_mutex_lock(&auditor->lock);
    if (!auditor->trouble) {
        auditor->trouble = true;
        auditor->since = klm_clock();
        auditor->why = why;
    }
    auditor->unwritten += n;
    pthread_mutex_unlock(&auditor->lock);
}

uint64_t km_audit_unwritten(struct km_server *server)
{
    uint64_t n;

    pthread_mutex_lock(&server->auditor.lock);
    n = server->auditor.unwritten;
    pthread_mutex_unlock(&server->auditor.lock);
    return n;
}

static klm_rc put_news(const struct km_news *news, struct klm_buf *out)
{
    struct smf_event event;
    char text[512], offset[8];

    km_news_event(news, text, &event);
    km_event_offset(event.time, offset);
    event.field[SMF_F_OFFSET] = offset;
    return smf_event_encode(&event, out);
}

/* Both events, in one append: when it began and why, and how many events are missing since. */
static klm_rc tell(struct km_server *server, klm_time since, klm_rc why, uint64_t n)
{
    struct klm_diag diag = {0};
    char missing[64];
    const struct km_news began = {
        .what = KM_HAP_AUDIT_FAILED, .failed = true, .time = since, .why = &diag};
    const struct km_news over = {.what = KM_HAP_AUDIT_RESUMED, .object = missing};
    struct smf_entry entry[2];
    struct klm_buf text;
    size_t first;
    klm_rc rc;

    (void)klm_fail(&diag, why, KLM_MSG_AUDIT_UNWRITTEN, klm_rc_text(why));
    snprintf(missing, sizeof missing, "%llu events not recorded", (unsigned long long)n);
    klm_buf_init(&text, (size_t)2 * SMF_EVENT_MAX);
    rc = put_news(&began, &text);
    first = text.n;
    rc = rc == KLM_OK ? put_news(&over, &text) : rc;
    if (rc == KLM_OK) {
        entry[0] = (struct smf_entry){.event = KLM_SLICE(text.p, first)};
        entry[1] = (struct smf_entry){.event = KLM_SLICE(text.p + first, text.n - first)};
        rc = km_journal_append(server, entry, 2);
    }
    klm_buf_done(&text);
    return rc;
}

/* A try to tell is also a try whether the journal works again, when nobody asks for anything. */
static void tell_trouble(struct km_server *server)
{
    struct km_auditor *auditor = &server->auditor;
    bool trouble;
    klm_time since;
    uint64_t n;
    klm_rc why;

    pthread_mutex_lock(&auditor->lock);
    trouble = auditor->trouble;
    since = auditor->since;
    why = auditor->why;
    n = auditor->unwritten;
    pthread_mutex_unlock(&auditor->lock);
    if (!trouble || tell(server, since, why, n) != KLM_OK) {
        return;
    }
    pthread_mutex_lock(&auditor->lock);
    auditor->unwritten -= n;
    auditor->trouble = auditor->unwritten > 0; /* more came meanwhile: it is told next time */
    auditor->since = klm_clock();
    pthread_mutex_unlock(&auditor->lock);
}

/* ---- The thread */

/* What the journal does not take stays held. */
static void move_held(struct km_server *server)
{
    klm_rc rc = server->held ? smf_held_move(server->held) : KLM_OK;

    if (rc != KLM_OK) {
        km_audit_trouble(server, 0, rc);
    }
}

/* Held events call it only when it sleeps; while they come it looks for them every few milliseconds. */
static void wait_tick(struct km_auditor *auditor, unsigned ms)
{
    auditor->idle = true;
    klm_cond_wait_ms(&auditor->wake, &auditor->lock, ms);
    auditor->idle = false;
}

/* Milliseconds until the next look. To sleep is said before the last look, so that what is put in between calls. */
static unsigned next_look(struct km_server *server, unsigned *vain)
{
    struct km_auditor *auditor = &server->auditor;

    if (!server->held || smf_journal_failing(server->journal)) {
        return TICK_MS;
    }
    *vain = smf_held_any(server->held) ? 0 : *vain + 1;
    if (*vain < HELD_ROUNDS) {
        return HELD_MS;
    }
    atomic_store(&auditor->asleep, true);
    return smf_held_any(server->held) ? HELD_MS : TICK_MS;
}

void km_auditor_wake(struct km_server *server)
{
    struct km_auditor *auditor = &server->auditor;

    if (!atomic_load(&auditor->asleep) || !atomic_exchange(&auditor->asleep, false)) {
        return;
    }
    pthread_mutex_lock(&auditor->lock);
    auditor->called = true;
    pthread_mutex_unlock(&auditor->lock);
    pthread_cond_signal(&auditor->wake);
}

/* What waits, at most a round. False: nothing came for a tick, or the end. */
static bool take(struct km_auditor *auditor, unsigned ms, struct km_queued **list)
{
    struct km_queued **end = list;
    size_t n = 0;

    *list = NULL;
    pthread_mutex_lock(&auditor->lock);
    if (!auditor->head && !auditor->stop && !auditor->called) {
        wait_tick(auditor, ms);
    }
    auditor->called = false;
    for (; auditor->head && n < ROUND; n++) {
        *end = auditor->head;
        end = &auditor->head->next;
        auditor->head = auditor->head->next;
    }
    *end = NULL;
    if (!auditor->head) {
        auditor->tail = &auditor->head;
    }
    auditor->waiting -= n;
    pthread_mutex_unlock(&auditor->lock);
    return *list != NULL;
}

static bool stopping(struct km_auditor *auditor)
{
    bool stop;

    pthread_mutex_lock(&auditor->lock);
    stop = auditor->stop && !auditor->head;
    pthread_mutex_unlock(&auditor->lock);
    return stop;
}

static void *auditor_main(void *arg)
{
    struct km_server *server = arg;
    uint64_t ticked = klm_clock_mono_ms();
    struct km_queued *list;
    unsigned vain = 0;

    klm_thread_prompt();
    while (!stopping(&server->auditor)) {
        if (take(&server->auditor, next_look(server, &vain), &list)) {
            carry_out(server, server->auditor.round, list);
        } else if (!smf_journal_failing(server->journal)) {
            vain = server->held && smf_held_any(server->held) ? 0 : vain; /* more may follow */
            move_held(server);
        }
        if (klm_clock_mono_ms() - ticked >= TICK_MS) {
            ticked = klm_clock_mono_ms();
            if (smf_journal_failing(server->journal)) {
                km_audit_trouble(server, 0, KLM_E_IO); /* also when nobody asks for anything */
            }
            tell_trouble(server);
            km_strangers_look(server, false);
            km_checkpoint_look(server);
        }
    }
    return NULL;
}

klm_rc km_auditor_put(struct km_server *server, struct km_queued *queued)
{
    struct km_auditor *auditor = &server->auditor;
    size_t room = queued->call ? KM_AUDIT_QUEUE : KM_AUDIT_QUEUE - IN_RESERVE;
    bool call = false;
    klm_rc rc = KLM_E_LIMIT;

    pthread_mutex_lock(&auditor->lock);
    if (!auditor->running || auditor->stop) {
        rc = KLM_E_STATE;
    } else if (auditor->waiting < room) {
        queued->next = NULL;
        *auditor->tail = queued;
        auditor->tail = &queued->next;
        auditor->waiting++;
        call = auditor->idle;
        auditor->idle = false;
        rc = KLM_OK;
    }
    pthread_mutex_unlock(&auditor->lock);
    if (call) {
        pthread_cond_signal(&auditor->wake); /* after the lock, which the called one wants first */
    }
    return rc;
}

void km_auditor_init(struct km_auditor *auditor)
{
    auditor->tail = &auditor->head;
    pthread_mutex_init(&auditor->lock, NULL);
    klm_cond_init(&auditor->wake);
}

klm_rc km_auditor_start(struct km_server *server)
{
    struct km_auditor *auditor = &server->auditor;

    auditor->round = calloc(1, sizeof *auditor->round);
    if (!auditor->round) {
        return KLM_E_NOMEM;
    }
    klm_buf_init(&auditor->round->text, (size_t)ROUND * SMF_EVENT_MAX);
    KLM_TRY(klm_thread_start(&auditor->thread, "audit", auditor_main, server));
    pthread_mutex_lock(&auditor->lock);
    auditor->running = true;
    pthread_mutex_unlock(&auditor->lock);
    return KLM_OK;
}

void km_auditor_stop(struct km_server *server)
{
    struct km_auditor *auditor = &server->auditor;

    if (auditor->running) {
        pthread_mutex_lock(&auditor->lock);
        auditor->stop = true;
        pthread_cond_signal(&auditor->wake);
        pthread_mutex_unlock(&auditor->lock);
        pthread_join(auditor->thread, NULL);
        auditor->running = false;
    }
    if (auditor->round) {
        klm_buf_done(&auditor->round->text);
        free(auditor->round);
        auditor->round = NULL;
    }
    if (!server->journal) {
        return;
    }
    km_strangers_look(server, true);
    tell_trouble(server);
    if (auditor->unwritten > 0) {
        klm_say(KLM_MSG_AUDIT_LOST, KLM_NUM(auditor->unwritten));
    }
}
