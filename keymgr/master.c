/* Verbs of a change of the master key. One officer requests it, another one, of another role, confirms it within a time limit; then a pass moves every key token
 * to the new key while keys are served, and at its end the files change places. A record in the store says how far it is, so that any start goes on. */
#include "keymgr/master.h"

#include <stdio.h>
#include <string.h>

#define RECORD "master.change"
#define VERSION 1
#define BATCH 64               /* tokens moved in one change */
#define LOOK 4096              /* tokens looked at for one */
#define BATCH_BYTES (1u << 20) /* of them, more or less: material of managed objects may be large */
#define MINUTE_US (60LL * 1000000)

/* ---- The record */

static void take_text(struct klm_cur *cur, char *out, size_t cap)
{
    struct klm_slice text;

    klm_cur_lp8(cur, cap - 1, &text);
    if (klm_cur_rc(cur) == KLM_OK) {
        memcpy(out, text.p, text.n);
        out[text.n] = '\0';
    }
}

static klm_rc decode(struct klm_slice in, struct km_change_record *out)
{
    struct km_change_record record = {0};
    struct klm_cur cur;
    uint8_t version, state;
    uint64_t time;

    klm_cur_init(&cur, in);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, &state);
    take_text(&cur, record.was, sizeof record.was);
    take_text(&cur, record.next, sizeof record.next);
    take_text(&cur, record.user, sizeof record.user);
    klm_cur_u64(&cur, &time);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || state > KM_CHANGE_PASSING) {
        return KLM_E_CORRUPT;
    }
    record.state = (enum km_change_state)state;
    record.time = (klm_time)time;
    *out = record;
    return KLM_OK;
}

klm_rc km_change_get(struct st_view *view, struct km_change_record *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = st_get(view, ST_META, klm_slice_str(RECORD), pool, &record);
    if (rc == KLM_E_NOTFOUND) {
        *out = (struct km_change_record){.state = KM_CHANGE_NONE};
        return KLM_OK;
    }
    KLM_TRY(rc);
    return decode(record, out);
}

klm_rc km_change_put(struct st_change *change, const struct km_change_record *record)
{
    struct klm_buf buf;
    klm_rc rc;

    if (record->state == KM_CHANGE_NONE) {
        return st_delete(change, ST_META, klm_slice_str(RECORD));
    }
    klm_buf_init(&buf, 256);
    klm_buf_u8(&buf, VERSION);
    klm_buf_u8(&buf, (uint8_t)record->state);
    klm_buf_lp8(&buf, klm_slice_str(record->was));
    klm_buf_lp8(&buf, klm_slice_str(record->next));
    klm_buf_lp8(&buf, klm_slice_str(record->user));
    klm_buf_u64(&buf, (uint64_t)record->time);
    rc = klm_buf_rc(&buf);
    if (rc == KLM_OK) {
        rc = st_put(change, ST_META, klm_slice_str(RECORD), klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    return rc;
}

/* ---- Request and confirmation */

/* What the auditors read: from which key to which. */
static void describe(struct km_call *call, const struct km_change_record *record)
{
    call->event.field[SMF_F_OLD] = klm_pool_str(call->pool, record->was);
    call->event.field[SMF_F_NEW] = klm_pool_str(call->pool, record->next);
    call->event.field[SMF_F_RESOURCE] =
        klm_pool_printf(call->pool, "Master key: from %s to %s", record->was, record->next);
}

/* The key of FILE.next, which must be another one than the one in use. */
static klm_rc load_next(struct km_call *call, struct kr_master **next, char vp[KR_VP_MAX])
{
    char path[4096], now[KR_VP_MAX];

    KLM_TRY(km_master_path(call->state->config, ".next", path, sizeof path));
    KLM_TRY(kr_master_open(path, call->server->p11, &call->diag, next));
    kr_master_vp(*next, vp);
    kr_master_vp(call->server->master, now);
    if (strcmp(vp, now) == 0) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_CHANGE_SAME, path, vp);
    }
    if (!kr_master_escrowed(*next)) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CHANGE_ESCROW, path);
    }
    return KLM_OK;
}

klm_rc km_master_request_prepare(struct km_call *call)
{
    KLM_AUTO(kr_master_free) struct kr_master *next = NULL;
    struct km_change_record *record = klm_pool_alloc(call->pool, sizeof *record);

    if (!record) {
        return KLM_E_NOMEM;
    }
    *record = (struct km_change_record){.state = KM_CHANGE_REQUESTED, .time = klm_clock()};
    KLM_TRY(load_next(call, &next, record->next));
    kr_master_vp(call->server->master, record->was);
    snprintf(record->user, sizeof record->user, "%s", call->actor.name);
    call->work = record;
    describe(call, record);
    call->text = klm_pool_printf(
        call->pool,
        "Requested: from master key %s to %s. Another officer confirms it with this pattern",
        record->was, record->next);
    return KLM_OK;
}

klm_rc km_master_request_apply(struct km_call *call, struct st_change *change)
{
    struct km_change_record now;

    KLM_TRY(km_change_get(st_change_view(change), &now));
    if (now.state == KM_CHANGE_PASSING) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CHANGE_RUNS, now.next);
    }
    return km_change_put(change, call->work);
}

/* Is there a request that this officer may confirm now? */
static klm_rc check_request(struct km_call *call, const struct km_change_record *record)
{
    const struct km_master_req *req = call->req;
    int64_t minutes = parm_num(call->state->config, PARM_masterkey_change_minutes);
    klm_time now = klm_clock();

    if (record->state == KM_CHANGE_PASSING) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CHANGE_RUNS, record->next);
    }
    if (record->state == KM_CHANGE_NONE || now < record->time ||
        now - record->time > minutes * MINUTE_US) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_CHANGE_NONE, KLM_NUM(minutes));
    }
    if (strcmp(record->next, req->pattern) != 0) {
        return KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_CHANGE_PATTERN, record->next,
                         req->pattern);
    }
    if (strcmp(record->user, call->actor.name) == 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_CHANGE_SELF, record->user);
    }
    return KLM_OK;
}

static klm_rc read_record(struct km_server *server, struct km_change_record *record)
{
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(server->store, &view));
    rc = km_change_get(view, record);
    st_view_close(&view);
    return rc;
}

klm_rc km_master_confirm_prepare(struct km_call *call)
{
    KLM_AUTO(kr_master_free) struct kr_master *next = NULL;
    struct km_change_record record;
    char vp[KR_VP_MAX];

    KLM_TRY(read_record(call->server, &record));
    KLM_TRY(check_request(call, &record));
    KLM_TRY(load_next(call, &next, vp));
    if (strcmp(vp, record.next) != 0) {
        return KM_REFUSE(call, KLM_E_WRONGKEY, 0, KLM_MSG_CHANGE_PATTERN, vp, record.next);
    }
    describe(call, &record);
    call->text = klm_pool_printf(
        call->pool, "Confirmed: key tokens move from master key %s to %s while keys are served",
        record.was, record.next);
    return kr_master_know(call->server->master, &next);
}

klm_rc km_master_confirm_apply(struct km_call *call, struct st_change *change)
{
    struct km_change_record *record = klm_pool_alloc(call->pool, sizeof *record);

    if (!record) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(km_change_get(st_change_view(change), record));
    KLM_TRY(check_request(call, record)); /* again: somebody may have requested another one */
    record->state = KM_CHANGE_PASSING;
    call->work = record;
    return km_change_put(change, record);
}

void km_master_confirm_publish(struct km_call *call)
{
    const struct km_change_record *record = call->work;

    KLM_IGNORE(kr_master_seal_with(call->server->master, record->next)); /* it was made known */
    if (km_pass_start(call->server) != KLM_OK) {
        klm_say(KLM_MSG_CHANGE_LATER); /* tokens of both keys open; the next start goes on */
    }
}

/* ---- Moving tokens */

struct moved {
    const char *label;
    struct klm_slice was, now;
};
struct moving {
    struct km_call *call;
    struct moved token[BATCH];
    size_t n, looked, bytes;
    const char *last; /* label where the next batch begins; NULL: that was all */
    klm_rc rc;
};

static klm_rc move_one(struct moving *moving, const char *label, struct klm_slice token)
{
    struct klm_pool *pool = moving->call->pool;
    struct moved *to = &moving->token[moving->n];
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init(&buf, ST_RECORD_MAX);
    rc = kr_token_rewrap(moving->call->server->master, moving->call->server->master, label, token,
                         &buf);
    if (rc == KLM_OK) {
        rc = klm_pool_slice(pool, klm_buf_as_slice(&buf), &to->now);
    }
    if (rc == KLM_OK) {
        rc = klm_pool_slice(pool, token, &to->was);
    }
    klm_buf_done(&buf);
    if (rc ==
        KLM_E_CORRUPT) { /* it opens under no key: it is told as often as it is used, and stays as it is */
        return KLM_OK;
    }
    KLM_TRY(rc);
    to->label = label;
    moving->n++;
    moving->bytes += to->was.n + to->now.n;
    return KLM_OK;
}

static klm_rc visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct moving *moving = arg;
    const char *label = klm_pool_strn(moving->call->pool, (const char *)key.p, key.n);

    if (!label) {
        return KLM_E_NOMEM;
    }
    moving->last = label;
    if (!damaged && kr_token_stale(moving->call->server->master, record)) {
        KLM_TRY(move_one(moving, label, record));
    }
    return moving->n == BATCH || moving->bytes >= BATCH_BYTES || ++moving->looked == LOOK
               ? KLM_E_AGAIN
               : KLM_OK;
}

klm_rc km_master_rewrap_prepare(struct km_call *call)
{
    const struct km_master_req *req = call->req;
    struct moving *moving = klm_pool_alloc(call->pool, sizeof *moving);
    struct st_range range = {0};
    struct st_view *view;
    klm_rc rc;

    if (!moving) {
        return KLM_E_NOMEM;
    }
    *moving = (struct moving){.call = call};
    if (req->after && *req->after) {
        range.after = klm_slice_str(req->after);
    }
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = st_scan(view, ST_TOKEN, &range, visit, moving);
    st_view_close(&view);
    if (rc != KLM_OK && rc != KLM_E_AGAIN) {
        return rc;
    }
    call->work = moving;
    call->no_apply = moving->n == 0;
    call->text = rc == KLM_E_AGAIN ? moving->last : NULL; /* where to go on */
    call->event.field[SMF_F_RESOURCE] =
        klm_pool_printf(call->pool, "Key tokens moved: %zu", moving->n);
    return KLM_OK;
}

/* What changed meanwhile is left to the next pass. */
klm_rc km_master_rewrap_apply(struct km_call *call, struct st_change *change)
{
    const struct moving *moving = call->work;

    for (size_t i = 0; i < moving->n; i++) {
        const struct moved *token = &moving->token[i];
        struct klm_slice now;
        klm_rc rc = kr_token_get(st_change_view(change), token->label, call->pool, &now);

        if (rc == KLM_OK && klm_slice_equal(now, token->was)) {
            KLM_TRY(kr_token_put(change, token->label, token->now, true));
        } else if (rc != KLM_OK && rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
            return rc;
        }
    }
    return KLM_OK;
}

/* ---- The end */

klm_rc km_master_finish_prepare(struct km_call *call)
{
    struct km_change_record record;

    KLM_TRY(read_record(call->server, &record));
    if (record.state != KM_CHANGE_PASSING) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CHANGE_NONE, "0");
    }
    describe(call, &record);
    return km_master_swap_files(call->server, &record, &call->diag);
}

klm_rc km_master_finish_apply(struct km_call *call, struct st_change *change)
{
    (void)call;
    return km_change_put(change, &(struct km_change_record){.state = KM_CHANGE_NONE});
}

/* ---- At a start, and in the status */

bool km_stays_here(enum st_table table, struct klm_slice key)
{
    static const char deletes[] = KM_DELETE_PREFIX;
    const size_t n = sizeof deletes - 1;

    return table == ST_META && (klm_slice_equal(key, klm_slice_str(RECORD)) ||
                                (key.n > n && memcmp(key.p, deletes, n) == 0));
}

klm_rc km_master_resume(struct km_server *server, struct klm_diag *diag)
{
    struct km_change_record record;

    KLM_TRY(read_record(server, &record));
    if (record.state != KM_CHANGE_PASSING) {
        return KLM_OK;
    }
    if (kr_master_seal_with(server->master, record.next) != KLM_OK) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_CHANGE_KEY_MISSING, record.next);
    }
    return KLM_OK;
}

klm_rc km_master_rows(struct km_call *call)
{
    struct km_change_record record;

    KLM_TRY(read_record(call->server, &record));
    if (record.state == KM_CHANGE_NONE) {
        return KLM_OK;
    }
    return km_rows_add(call,
                       (const char *[]){"Master key change",
                                        klm_pool_printf(call->pool, "%s: to %s, requested by %s",
                                                        record.state == KM_CHANGE_PASSING
                                                            ? "key tokens are moved"
                                                            : "waits for confirmation",
                                                        record.next, record.user)});
}
