/* The outbox: audit events of changes are committed with the change, as one row a batch, and go to the journal afterwards under event numbers made of the
 * row's number, so that a replay after a crash adds each exactly once. A row is deleted when the journal has its events on disk. */
#include "keymgr/internal.h"

#include <string.h>

#define EVENTS_A_ROW KM_ROW_EVENTS /* event number = row number * 256 + place */
#define PURGE_MAX 64               /* rows deleted with one change */
#define REPLAY_MAX 1024 /* rows brought to the journal before it is synced and they are deleted */

static void row_key(uint64_t row, uint8_t out[8])
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(row >> (56 - 8 * i));
    }
}

static uint64_t row_number(struct klm_slice key)
{
    uint64_t row = 0;

    for (size_t i = 0; i < 8 && i < key.n; i++) {
        row = row << 8 | key.p[i];
    }
    return row;
}

/* The highest number that an event of a row can have. */
static uint64_t last_event(uint64_t row)
{
    return row * EVENTS_A_ROW + EVENTS_A_ROW - 1;
}

klm_rc km_events_add(struct km_events *events, struct km_call *call)
{
    size_t at = events->row.n;

    km_event_complete(call);
    klm_buf_u32(&events->row, 0);
    KLM_TRY(klm_buf_rc(&events->row));
    KLM_TRY(smf_event_encode(&call->event, &events->row));
    klm_buf_set_u32(&events->row, at, (uint32_t)(events->row.n - at - 4));
    events->n++;
    return KLM_OK;
}

/* Take as many events as the row has room for; the rest has to be written after the commit. */
void km_events_fit(struct km_events *events, struct klm_slice more, size_t *taken)
{
    struct klm_cur cur;
    size_t used = 0;

    klm_cur_init(&cur, more);
    while (klm_cur_left(&cur) > 0 && events->n < KM_ROW_EVENTS - KM_BATCH) {
        struct klm_slice event;

        klm_cur_lp32(&cur, SMF_EVENT_MAX, &event);
        if (klm_cur_rc(&cur) != KLM_OK || events->row.n + event.n + 4 > ST_RECORD_MAX) {
            break;
        }
        klm_buf_lp32(&events->row, event);
        events->n++;
        used += event.n + 4;
    }
    *taken = used;
}

klm_rc km_outbox_put(struct st_change *change, uint64_t row, struct klm_slice bytes)
{
    uint8_t key[8];

    row_key(row, key);
    return st_put_new(change, ST_OUTBOX, KLM_SLICE(key, sizeof key), bytes);
}

/* Append the events of a row. *seq is the last number given, or stays when all were there. */
static klm_rc journal_row(struct km_server *server, uint64_t row, struct klm_slice bytes,
                          uint64_t *seq)
{
    return km_audit_row(server, bytes, row * EVENTS_A_ROW, seq);
}

void km_outbox_journal(struct km_server *server, uint64_t row, struct klm_slice bytes)
{
    struct km_writer *writer = &server->writer;
    size_t at = (writer->outbox_first + writer->outbox_n) % KM_OUTBOX;
    uint64_t seq = 0;
    klm_rc rc = KLM_OK;

    if (!writer->behind && writer->outbox_n < KM_OUTBOX) {
        rc = journal_row(server, row, bytes, &seq);
    }
    if (rc != KLM_OK) {
        km_audit_trouble(server, 0, rc); /* nothing is lost, but it comes late */
    }
    if (writer->behind || writer->outbox_n == KM_OUTBOX || rc != KLM_OK) {
        writer->behind = true; /* the row stands in the store and is found again by a scan */
        writer->outbox_n = 0;
        return;
    }
    writer->outbox[at].row = row;
    writer->outbox[at].seq = seq;
    writer->outbox_n++;
}

struct replay {
    struct km_server *server;
    struct st_change *change;
    uint64_t seq, last;
    size_t n;
};

static klm_rc replay_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct replay *replay = arg;
    klm_rc rc = KLM_E_CORRUPT;

    replay->last = row_number(key);
    replay->n++;
    if (!damaged) {
        rc = journal_row(replay->server, replay->last, record, &replay->seq);
    }
    if (rc == KLM_E_CORRUPT || rc == KLM_E_INVALID || rc == KLM_E_SHORT) {
        klm_say(KLM_MSG_OUTBOX_DAMAGED, KLM_NUM(replay->last)); /* it would stop every start */
        rc = KLM_OK;
    }
    KLM_TRY(rc);
    return st_delete(replay->change, ST_OUTBOX, key);
}

static klm_rc replay_rows(struct replay *replay)
{
    struct st_range all = {.limit = REPLAY_MAX};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(replay->server->store, &view));
    rc = st_scan(view, ST_OUTBOX, &all, replay_row, replay);
    st_view_close(&view);
    return rc;
}

/* The oldest rows; *left is false when these were all. */
static klm_rc recover_some(struct km_server *server, bool *left)
{
    struct replay replay = {.server = server};
    klm_rc rc;

    KLM_TRY(st_change_open(server->store, &replay.change));
    rc = replay_rows(&replay);
    if (rc == KLM_OK) {
        rc = smf_journal_sync(server->journal, smf_journal_last(server->journal));
    }
    if (rc != KLM_OK) {
        st_change_drop(&replay.change);
        return rc;
    }
    KLM_TRY(st_change_commit(&replay.change, NULL));
    if (replay.last) {
        server->writer.outbox_gone = last_event(replay.last);
        km_outbox_durable(server);
    }
    *left = replay.n == REPLAY_MAX;
    return KLM_OK;
}

klm_rc km_outbox_recover(struct km_server *server)
{
    bool left = true;

    while (left) {
        KLM_TRY(recover_some(server, &left));
    }
    server->writer.behind = false;
    return KLM_OK;
}

klm_rc km_outbox_purge(struct km_server *server, struct st_change *change, size_t *n)
{
    struct km_writer *writer = &server->writer;
    uint64_t synced = smf_journal_synced(server->journal);
    uint8_t key[8];

    *n = 0;
    while (*n < writer->outbox_n && *n < PURGE_MAX) {
        size_t at = (writer->outbox_first + *n) % KM_OUTBOX;

        if (writer->outbox[at].seq > synced) {
            break;
        }
        row_key(writer->outbox[at].row, key);
        KLM_TRY(st_delete(change, ST_OUTBOX, KLM_SLICE(key, sizeof key)));
        ++*n;
    }
    return KLM_OK;
}

void km_outbox_purged(struct km_server *server, size_t n)
{
    struct km_writer *writer = &server->writer;

    if (n == 0) {
        return;
    }
    writer->outbox_gone =
        last_event(writer->outbox[(writer->outbox_first + n - 1) % KM_OUTBOX].row);
    writer->outbox_first = (writer->outbox_first + n) % KM_OUTBOX;
    writer->outbox_n -= n;
}

void km_outbox_durable(struct km_server *server)
{
    struct km_writer *writer = &server->writer;

    if (writer->outbox_gone) {
        smf_journal_forget(server->journal, writer->outbox_gone);
        writer->outbox_gone = 0;
    }
}
