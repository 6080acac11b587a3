/* The verb sync: the parts are gathered by their own verbs, under the operator's rights, sent as one message, and the answer says what
 * became of each. */
#include "replication/repl.h"

#include <stdio.h>
#include <string.h>

struct gathered {
    struct repl_message message;
    struct km_call *call[REPL_PARTS_MAX]; /* they hold the bytes */
};

static void drop(struct gathered *gathered)
{
    for (size_t i = 0; i < gathered->message.u.sync.n; i++) {
        km_call_free(&gathered->call[i]);
    }
}

static bool wanted(const struct km_sync_req *req, enum repl_part part)
{
    switch (part) {
    case REPL_DRIVETAB:
        return req->all || req->drivetab;
    case REPL_CONFIG:
        return req->all || req->config;
    }
    return false;
}

static klm_rc gather_one(struct km_call *sync, const struct repl_part_row *row,
                         struct gathered *out)
{
    struct repl_sync *message = &out->message.u.sync;
    struct km_call *call;
    klm_rc rc;

    KLM_TRY(km_call_new(sync->server, row->give, &sync->actor, &call));
    rc = km_run_wait(call);
    if (rc != KLM_OK) {
        sync->diag = call->diag;
        km_call_free(&call);
        return rc;
    }
    out->call[message->n] = call;
    message->part[message->n].part = (uint8_t)row->part;
    message->part[message->n].bytes = call->bytes;
    message->n++;
    return KLM_OK;
}

static klm_rc gather(struct km_call *sync, struct gathered *out)
{
    const struct km_sync_req *req = sync->req;
    size_t n;
    const struct repl_part_row *row = repl_parts(&n);

    out->message.type = REPL_SYNC;
    out->message.u.sync.rewrite = req->rewrite;
    for (size_t i = 0; i < n; i++) {
        if (wanted(req, row[i].part)) {
            KLM_TRY(gather_one(sync, &row[i], out));
        }
    }
    return out->message.u.sync.n ? KLM_OK : klm_fail(&sync->diag, KLM_E_USAGE, KLM_MSG_SYNC_WHAT);
}

/* An empty drive table is its header alone; nothing of a configuration is no byte. */
static bool empty(struct km_call *sync, const struct repl_sync *message)
{
    struct dt_table *drives = km_drives(sync->server);
    size_t n = dt_table_count(drives), something = 0;

    dt_table_free(&drives);
    for (size_t i = 0; i < message->n; i++) {
        something += message->part[i].part == REPL_DRIVETAB ? n : message->part[i].bytes.n;
    }
    return something == 0;
}

static klm_rc report_one(struct km_call *sync, const struct repl_synced *synced, size_t i)
{
    static const char *const words[] = {
        [REPL_TAKEN] = "taken", [REPL_PART_REFUSED] = "REFUSED", [REPL_UNTOUCHED] = "untouched"};
    const struct repl_part_row *row = repl_part_row(synced->part[i].part);
    const struct repl_text *text = &synced->part[i].text;
    char what[REPL_TEXT_MAX + 32];

    snprintf(what, sizeof what, "%s%s%s", text->id, text->id[0] ? " " : "", text->text);
    return km_rows_add(
        sync, (const char *[]){row ? row->word : "?", words[synced->part[i].outcome], what});
}

/* Rows for the operator; a failure when a part was not taken. */
static klm_rc report(struct km_call *sync, const struct repl_synced *synced, const char *partner)
{
    static const char *const columns[] = {"Part", "Outcome", "What the partner says", NULL};
    const char *text = "", *failed = NULL;

    KLM_TRY(km_rows_begin(sync, NULL, columns));
    for (size_t i = 0; i < synced->n; i++) {
        const struct repl_part_row *row = repl_part_row(synced->part[i].part);
        const char *said = synced->part[i].text.text;

        KLM_TRY(report_one(sync, synced, i));
        text = klm_pool_printf(sync->pool, "%s%s%s: %s", text, *text ? "; " : "",
                               row ? row->word : "?", said);
        if (synced->part[i].outcome == REPL_PART_REFUSED) {
            failed = klm_pool_printf(sync->pool, "%s: %s %s", row ? row->word : "?",
                                     synced->part[i].text.id, said);
        }
    }
    sync->event.field[SMF_F_NEW] = klm_pool_printf(sync->pool, "%.500s", text);
    if (failed) {
        return klm_fail(&sync->diag, KLM_E_DENIED, KLM_MSG_SYNC_FAILED, "a part", partner, failed);
    }
    sync->text = klm_pool_printf(sync->pool, "Sync with partner %s is done", partner);
    return KLM_OK;
}

static klm_rc send(struct repl_client *client, struct km_call *sync, struct gathered *gathered)
{
    const struct km_sync_req *req = sync->req;
    KLM_AUTO(repl_link_close) struct repl_link *link = NULL;
    struct repl_message answer;

    KLM_TRY(repl_link_open(client, sync->state, req->ipaddr, &sync->diag, &link));
    sync->event.field[SMF_F_OBJECT] =
        klm_pool_printf(sync->pool, "%s %s", repl_link_partner(link), req->ipaddr);
    KLM_TRY(repl_link_ask(link, &gathered->message, REPL_SYNCED, &sync->diag, &answer));
    return report(sync, &answer.u.synced, repl_link_partner(link));
}

/* What went wrong below, as the documented message of the command. */
static klm_rc sync_failed(struct km_call *sync, klm_rc rc)
{
    const struct km_sync_req *req = sync->req;
    const char *why;

    if (sync->diag.msg == KLM_MSG_SYNC_FAILED || sync->diag.msg == KLM_MSG_SYNC_NOTHING ||
        rc == KLM_E_USAGE) {
        return rc;
    }
    why = klm_pool_str(sync->pool,
                       sync->diag.msg == KLM_MSG_NONE ? klm_rc_text(rc) : sync->diag.text);
    return klm_fail(&sync->diag, rc, KLM_MSG_SYNC_FAILED, "copies", req->ipaddr, why ? why : "");
}

klm_rc repl_sync(void *client, struct km_call *call)
{
    struct gathered gathered = {0};
    klm_rc rc = gather(call, &gathered);

    if (rc == KLM_OK && empty(call, &gathered.message.u.sync)) {
        rc = klm_fail(&call->diag, KLM_E_NOTFOUND, KLM_MSG_SYNC_NOTHING);
    }
    if (rc == KLM_OK) {
        rc = send(client, call, &gathered);
    }
    drop(&gathered);
    return rc == KLM_OK ? rc : sync_failed(call, rc);
}
