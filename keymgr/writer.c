/* The writer: the only thread that changes the store. It drains the queue into one synchronous transaction a batch; a call whose step fails is undone alone.
 * When there is nothing to do it indexes key usage, flushes contacts and deletes outbox rows. */
#include "base/thread.h"
#include "keymgr/internal.h"
#include "keymgr/served.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INDEX_MAX 128 /* key usage events indexed in one go when there is nothing else to do */
#define CONTACTS_MAX 1000
#define IDLE_MS 100   /* how long the queue is empty before other work is looked at */
#define FLUSH_MS 5000 /* between two flushes of contacts */
#define SERVED_MS                                                                                  \
    100 /* between two flushes of objects that were served, when there is other work */
#define SERVED_IDLE_MS 20
#define CHECKPOINT_COMMITS 20000
#define CHECKPOINT_SECONDS 30

struct batch {
    struct km_server *server;
    struct st_change *change;
    struct km_events events;
    uint64_t row;
    size_t purged;
    bool noted;  /* keys, rings or drives change: a backup is needed */
    bool synced; /* something was committed, and with it all that was lazy before is on disk */
    struct km_call *rest; /* calls whose events find no room in this batch's row */
};

static klm_rc apply_one(struct batch *batch, struct km_call *call)
{
    KLM_TRY(km_client_still(call, batch->change));
    KLM_TRY(km_verb(call->id)->apply(call, batch->change));
    KLM_TRY(km_events_add(&batch->events, call));
    km_events_fit(&batch->events, klm_buf_as_slice(&call->more), &call->more_at);
    return KLM_OK;
}

/* One call inside the batch, with those that stand or fall with it. What they wrote is taken back when one fails. */
static void apply(struct batch *batch, struct km_call *call)
{
    const size_t mark = st_change_mark(batch->change);
    const size_t event_mark = batch->events.row.n, events = batch->events.n;
    struct km_call *failed = NULL;

    for (struct km_call *c = call; c && !failed; c = c->also) {
        c->rc = apply_one(batch, c);
        failed = c->rc == KLM_OK ? NULL : c;
    }
    if (failed) {
        st_change_undo(batch->change, mark);
        batch->events.row.n = event_mark;
        batch->events.row.rc = KLM_OK;
        batch->events.n = events;
        km_batch_conflict(call, failed);
    }
}

static klm_rc commit(struct batch *batch, struct klm_diag *diag)
{
    if (batch->events.n > 0) {
        KLM_TRY(km_outbox_put(batch->change, batch->row, klm_buf_as_slice(&batch->events.row)));
    }
    KLM_TRY(km_backup_note(batch->change, batch->row, &batch->noted));
    KLM_TRY(km_outbox_purge(batch->server, batch->change, &batch->purged));
    batch->synced = st_change_size(batch->change) > 0;
    return st_change_commit(&batch->change, diag);
}

static void fail_one(struct km_call *call, klm_rc rc, enum klm_msg_id msg, const char *why)
{
    if (call->rc == KLM_OK) {
        klm_wipe(&call->keyed, sizeof call->keyed);
        call->answer = NULL;
        call->bytes = (struct klm_slice){0};
        call->text = NULL;
        call->rc = KM_REFUSE(call, rc, 0xEE0F, msg, why);
        call->event.field[SMF_F_MESSAGE_ID] = NULL;
        call->event.field[SMF_F_MESSAGE] = NULL;
    }
}

static void fail_all(struct km_call *list, klm_rc rc, enum klm_msg_id msg, const char *why)
{
    for (struct km_call *head = list; head; head = head->next) {
        for (struct km_call *call = head; call; call = call->also) {
            fail_one(call, rc, msg, why);
        }
    }
}

/* What the outbox row had no room for. The call's own event, which tells how much was changed, is in the row. */
static void write_rest(struct km_server *server, struct km_call *call)
{
    struct klm_slice rest = klm_buf_as_slice(&call->more);
    uint64_t seq = 0;
    klm_rc rc;

    if (call->rc != KLM_OK || call->more_at >= rest.n) {
        return;
    }
    rest = KLM_SLICE(rest.p + call->more_at, rest.n - call->more_at);
    rc = km_audit_row(server, rest, 0, &seq);
    if (rc != KLM_OK) {
        km_audit_trouble(server, 1, rc);
    }
}

/* The change is on disk: make it visible in memory, put its events in the journal, answer. */
static void committed(struct batch *batch, struct km_call *list)
{
    km_outbox_purged(batch->server, batch->purged);
    if (batch->synced) {
        km_outbox_durable(batch->server);
    }
    if (batch->noted) {
        km_backup_noted(batch->server, batch->row);
    }
    if (batch->events.n > 0) {
        km_outbox_journal(batch->server, batch->row, klm_buf_as_slice(&batch->events.row));
    }
    for (struct km_call *head = list; head; head = head->next) {
        for (struct km_call *call = head; call; call = call->also) {
            write_rest(batch->server, call);
            if (call->rc == KLM_OK && km_verb(call->id)->publish) {
                km_verb(call->id)->publish(call);
            }
        }
    }
}

static void deliver_all(struct km_call *list)
{
    for (struct km_call *call = list, *next; call; call = next) {
        next = call->next;
        if (call->batched) { /* batch.c ends its calls itself */
            call->done(call);
        } else if (call->rc == KLM_OK && call->answer) {
            km_answer(call);
        } else if (call->rc == KLM_OK) {
            km_deliver(call);
        } else {
            km_finish(call);
        }
    }
}

/* Audit first: while the journal does not take events, no change happens (Audit.failure.action=refuse). */
static klm_rc ready(struct km_server *server)
{
    if (st_failed(server->store)) {
        return KLM_E_STATE;
    }
    if (server->writer.behind || server->writer.outbox_n > KM_OUTBOX / 2) {
        klm_rc rc = server->writer.behind
                        ? km_outbox_recover(server)
                        : smf_journal_sync(server->journal, smf_journal_last(server->journal));

        return rc == KLM_OK || !server->audit_refuse ? KLM_OK : rc;
    }
    return KLM_OK;
}

/* The list without what begins with call; returns that. */
static struct km_call *cut_before(struct km_call *list, struct km_call *call)
{
    for (struct km_call **at = &list; *at; at = &(*at)->next) {
        if (*at == call) {
            *at = NULL;
            break;
        }
    }
    return call;
}

static klm_rc run_batch(struct batch *batch, struct km_call *list, struct klm_diag *diag)
{
    KLM_TRY(st_change_open(batch->server->store, &batch->change));
    batch->row = st_number(batch->server->store) + 1;
    for (struct km_call *call = list; call; call = call->next) {
        if (call->also &&
            batch->events.row.n > ST_RECORD_MAX / 4) { /* needs room for all its events */
            batch->rest = cut_before(list, call);
            break;
        }
        apply(batch, call);
        if (batch->events.row.n + SMF_EVENT_MAX + 4 > ST_RECORD_MAX ||
            batch->events.n >= KM_ROW_EVENTS - KM_BATCH) {
            batch->rest = call->next;
            call->next = NULL;
        }
    }
    return commit(batch, diag);
}

/* Once, for the operator; the requests that were refused carry it too. */
static void tell_failed(struct km_server *server, const struct klm_diag *diag, klm_rc rc)
{
    if (st_failed(server->store) && !server->writer.told) {
        server->writer.told = true;
        klm_say(KLM_MSG_STORE_STOPPED, diag->text[0] ? diag->text : klm_rc_text(rc));
    }
}

/* Carry out one batch; returns the calls that are left for another. */
static struct km_call *one_batch(struct km_server *server, struct km_call *list)
{
    struct batch batch = {.server = server};
    struct klm_diag diag = {0};
    klm_rc rc = ready(server);

    klm_buf_init(&batch.events.row, ST_RECORD_MAX);
    if (rc != KLM_OK) {
        fail_all(list, rc, st_failed(server->store) ? KLM_MSG_STORE_STOPPED : KLM_MSG_AUDIT_REFUSED,
                 klm_rc_text(rc));
    } else {
        rc = run_batch(&batch, list, &diag);
        if (rc == KLM_OK) {
            committed(&batch, list);
        } else {
            fail_all(list, rc, KLM_MSG_STORE_STOPPED, diag.text[0] ? diag.text : klm_rc_text(rc));
        }
    }
    tell_failed(server, &diag, rc);
    st_change_drop(&batch.change);
    deliver_all(list);
    klm_buf_done(&batch.events.row);
    if (server->options.offline) {
        KLM_IGNORE(st_checkpoint(server->store, CHECKPOINT_COMMITS,
                                 CHECKPOINT_SECONDS)); /* says its own failures */
    }
    return batch.rest;
}

void km_writer_batch(struct km_server *server, struct km_call *list)
{
    while (list) {
        list = one_batch(server, list);
    }
}

/* Work that waits for quiet moments; one lazy change, since all of it can be made again. */
static void idle_work(struct km_server *server)
{
    struct km_writer *writer = &server->writer;
    struct st_change *change;
    uint64_t left = 0, now = klm_clock_mono_ms();
    size_t contacts = 0, clients = 0, purged = 0;

    writer->last_idle = now;
    if (ready(server) != KLM_OK || st_change_open(server->store, &change) != KLM_OK) {
        return;
    }
    if (md_index(change, INDEX_MAX, &left) == KLM_OK &&
        (now - writer->last_flush < FLUSH_MS ||
         (dt_contacts_flush(server->contacts, change, CONTACTS_MAX, &contacts) == KLM_OK &&
          dt_seen_flush(server->seen, change, CONTACTS_MAX, &clients) == KLM_OK)) &&
        km_outbox_purge(server, change, &purged) == KLM_OK && st_change_size(change) > 0 &&
        st_change_commit_lazy(&change, NULL) == KLM_OK) {
        km_outbox_purged(server, purged);
    }
    if (now - writer->last_flush >= FLUSH_MS) {
        writer->last_flush = now;
    }
    if (contacts > 0) {
        km_views_contacts(server);
    }
    writer->index_left = left > 0;
    st_change_drop(&change);
}

/* Objects that were served for the first time; what fails is tried again. */
static void flush_served(struct km_server *server)
{
    struct km_writer *writer = &server->writer;

    writer->last_served = klm_clock_mono_ms();
    if (!st_failed(server->store)) {
        KLM_IGNORE(km_served_flush(server));
    }
    writer->served_left = km_served_count(server->served) > 0;
}

/* Up to KM_BATCH calls, waiting for the first. False: nothing came for a while, or the end. */
static bool take(struct km_writer *writer, struct km_call **list)
{
    const struct timespec until = klm_from_now(writer->index_left    ? 1
                                               : writer->served_left ? SERVED_IDLE_MS
                                                                     : IDLE_MS);
    struct km_call **end = list;
    size_t n = 0;

    *list = NULL;
    pthread_mutex_lock(&writer->lock);
    while (!writer->head && !writer->stop &&
           pthread_cond_timedwait(&writer->wake, &writer->lock, &until) != ETIMEDOUT) {
    }
    for (; writer->head && n < KM_BATCH; n++) {
        *end = writer->head;
        end = &writer->head->next;
        writer->head = writer->head->next;
    }
    *end = NULL;
    if (!writer->head) {
        writer->tail = &writer->head;
    }
    writer->waiting -= n;
    pthread_mutex_unlock(&writer->lock);
    return *list != NULL;
}

static void *writer_main(void *arg)
{
    struct km_server *server = arg;
    struct km_writer *writer = &server->writer;
    struct km_call *list;

    for (;;) {
        if (take(writer, &list)) {
            km_writer_batch(server, list);
            if (klm_clock_mono_ms() - writer->last_idle >= FLUSH_MS) {
                idle_work(server); /* never quiet: now and then all the same */
            }
            if (klm_clock_mono_ms() - writer->last_served >= SERVED_MS) {
                flush_served(server);
            }
        } else if (writer->stop) {
            return NULL;
        } else {
            idle_work(server);
            flush_served(server);
        }
    }
}

klm_rc km_writer_submit(struct km_server *server, struct km_call *call)
{
    struct km_writer *writer = &server->writer;
    bool first;

    call->next = NULL;
    if (server->options.offline) {
        km_writer_batch(server, call);
        return KLM_OK;
    }
    pthread_mutex_lock(&writer->lock);
    if (writer->waiting >= KM_QUEUE_MAX || writer->stop) {
        pthread_mutex_unlock(&writer->lock);
        return KLM_E_LIMIT;
    }
    *writer->tail = call;
    writer->tail = &call->next;
    first = writer->waiting++ == 0;
    pthread_mutex_unlock(&writer->lock);
    if (first) { /* not under the lock, which is the first thing that the writer wants */
        pthread_cond_signal(&writer->wake);
    }
    return KLM_OK;
}

klm_rc km_writer_start(struct km_server *server)
{
    struct km_writer *writer = &server->writer;

    writer->tail = &writer->head;
    pthread_mutex_init(&writer->lock, NULL);
    klm_cond_init(&writer->wake);
    if (server->options.offline) {
        return KLM_OK;
    }
    KLM_TRY(st_keep(server->store, CHECKPOINT_COMMITS, CHECKPOINT_SECONDS));
    KLM_TRY(klm_thread_start(&writer->thread, "writer", writer_main, server));
    writer->running = true;
    return KLM_OK;
}

void km_writer_stop(struct km_server *server)
{
    struct km_writer *writer = &server->writer;

    if (!writer->running) {
        return;
    }
    pthread_mutex_lock(&writer->lock);
    writer->stop = true;
    pthread_cond_signal(&writer->wake);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    writer->running = false;
}
