/* The verb sync: the parts are gathered by their own verbs, under the operator's rights, sent as one message, and the answer says what
 * became of each. */
#include "replication/repl.h"

#include <stdio.h>
#include <stdlib.h>
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
        return req->all || req->drivetab || req->home;
    case REPL_CONFIG:
        return req->all || req->config;
    case REPL_GROUPS:
        return req->all || req->keygroups || req->home;
    case REPL_CLIENTS:
        return req->all || req->clients;
    case REPL_USAGE:
        break; /* it goes in pages, behind the others */
    }
    return false;
}

static bool wants_usage(const struct km_sync_req *req)
{
    return req->usage || req->home;
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
    if ((row->part == REPL_GROUPS || row->part == REPL_CLIENTS) && call->bytes.n == 0) {
        km_call_free(&call); /* there are none, and none are taken away there */
        return KLM_OK;
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
    bool asked = wants_usage(req);

    out->message.type = REPL_SYNC;
    out->message.u.sync.rewrite = req->rewrite;
    for (size_t i = 0; i < n; i++) {
        if (wanted(req, row[i].part)) {
            asked = true;
            KLM_TRY(gather_one(sync, &row[i], out));
        }
    }
    return asked ? KLM_OK : klm_fail(&sync->diag, KLM_E_USAGE, KLM_MSG_SYNC_WHAT);
}

/* An empty drive table is its header alone; nothing of a configuration is no byte. That there are no key usage events is no failure. */
static bool empty(struct km_call *sync, const struct repl_sync *message)
{
    struct dt_table *drives = km_drives(sync->server);
    size_t n = dt_table_count(drives), something = wants_usage(sync->req);

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

/* What a part came to, for the event of the whole. */
static klm_rc note(struct km_call *sync, const char *part, const char *said)
{
    const char *before = sync->event.field[SMF_F_NEW];

    sync->event.field[SMF_F_NEW] = klm_pool_printf(
        sync->pool, "%.400s%s%s: %.100s", before ? before : "", before ? "; " : "", part, said);
    return sync->event.field[SMF_F_NEW] ? KLM_OK : KLM_E_NOMEM;
}

/* Rows for the operator; a failure when a part was not taken. */
static klm_rc report(struct km_call *sync, const struct repl_synced *synced, const char *partner)
{
    const char *failed = NULL;

    for (size_t i = 0; i < synced->n; i++) {
        const struct repl_part_row *row = repl_part_row(synced->part[i].part);
        const char *word = row ? row->word : "?", *said = synced->part[i].text.text;

        KLM_TRY(report_one(sync, synced, i));
        KLM_TRY(note(sync, word, said));
        if (synced->part[i].outcome == REPL_PART_REFUSED) {
            failed = klm_pool_printf(sync->pool, "%s: %s %s", word, synced->part[i].text.id, said);
        }
    }
    return failed
               ? klm_fail(&sync->diag, KLM_E_DENIED, KLM_MSG_SYNC_FAILED, "a part", partner, failed)
               : KLM_OK;
}

/* ---- Key usage events, page by page */

struct pages {
    struct km_call *sync;
    struct repl_link *link;
    uint64_t after;
    size_t events, pages;
    unsigned long long keyless; /* events whose stored key the partner says it has not */
    bool from_start;
};

static klm_rc run_page_verb(struct pages *pages, enum km_verb_id verb, struct km_call **out)
{
    struct km_usage_page *req;
    struct km_call *call;
    klm_rc rc;

    KLM_TRY(km_call_new(pages->sync->server, verb, &pages->sync->actor, &call));
    req = call->req;
    req->partner = repl_link_partner(pages->link);
    req->after = req->last = pages->after;
    req->from_start = pages->from_start;
    rc = km_run_wait(call);
    if (rc != KLM_OK) {
        pages->sync->diag = call->diag;
        km_call_free(&call);
        return rc;
    }
    *out = call;
    return KLM_OK;
}

/* KLM_E_STATE: the partner misses what came before. */
static klm_rc send_page(struct pages *pages, struct klm_slice bytes)
{
    struct repl_message message = {.type = REPL_SYNC, .u.sync.n = 1}, answer;
    struct km_call *sync = pages->sync;

    message.u.sync.part[0].part = REPL_USAGE;
    message.u.sync.part[0].bytes = bytes;
    KLM_TRY(repl_link_ask(pages->link, &message, REPL_SYNCED, &sync->diag, &answer));
    if (answer.u.synced.n == 1 && answer.u.synced.part[0].outcome == REPL_TAKEN) {
        const char *less = strstr(answer.u.synced.part[0].text.text, " taken, ");

        pages->keyless += less ? strtoull(less + sizeof " taken, " - 1, NULL, 10) : 0;
        return KLM_OK;
    }
    if (!pages->from_start && klm_msg_find(answer.u.synced.part[0].text.id) == KLM_MSG_USAGE_GAP) {
        return KLM_E_STATE;
    }
    return report(sync, &answer.u.synced, repl_link_partner(pages->link));
}

/* One page; *more is false when there was nothing left. */
static klm_rc next_page(struct pages *pages, bool *more)
{
    const struct km_usage_page *page;
    struct km_call *call;
    klm_rc rc = KLM_OK;

    KLM_TRY(run_page_verb(pages, KM_SYNC_USAGE_GIVE, &call));
    page = call->req;
    *more = page->last > page->after;
    if (page->n > 0) {
        rc = send_page(pages, call->bytes);
    }
    if (rc == KLM_OK) {
        pages->after = page->last;
        pages->events += page->n;
        pages->pages += page->n > 0;
    } else if (rc == KLM_E_STATE) {
        pages->after = 0;
        pages->from_start = *more = true;
        rc = KLM_OK;
    }
    km_call_free(&call);
    return rc;
}

static klm_rc send_usage(struct km_call *sync, struct repl_link *link)
{
    struct pages pages = {.sync = sync, .link = link};
    struct km_call *call;
    const char *said;
    bool more = true;

    while (more) {
        KLM_TRY(next_page(&pages, &more));
        sync->diag = (struct klm_diag){0};
    }
    KLM_TRY(run_page_verb(&pages, KM_SYNC_USAGE_SENT, &call));
    km_call_free(&call);
    said =
        pages.keyless
            ? klm_pool_printf(sync->pool,
                              "%zu key usage events in %zu pages; %llu of stored keys that are NOT "
                              "THERE: send them, too (klmpartner)",
                              pages.events, pages.pages, pages.keyless)
            : klm_pool_printf(sync->pool, "%zu key usage events in %zu pages", pages.events,
                              pages.pages);
    KLM_TRY(km_rows_add(sync, (const char *[]){"usage", "taken", said ? said : ""}));
    return note(sync, "usage", said ? said : "");
}

/* ---- The whole */

static klm_rc send(struct repl_client *client, struct km_call *sync, struct gathered *gathered)
{
    static const char *const columns[] = {"Part", "Outcome", "What the partner says", NULL};
    const struct km_sync_req *req = sync->req;
    KLM_AUTO(repl_link_close) struct repl_link *link = NULL;
    struct repl_message answer;

    KLM_TRY(repl_link_open(client, sync->state, req->ipaddr, &sync->diag, &link));
    sync->event.field[SMF_F_OBJECT] =
        klm_pool_printf(sync->pool, "%s %s", repl_link_partner(link), req->ipaddr);
    KLM_TRY(km_rows_begin(sync, NULL, columns));
    if (gathered->message.u.sync.n > 0) {
        KLM_TRY(repl_link_ask(link, &gathered->message, REPL_SYNCED, &sync->diag, &answer));
        KLM_TRY(report(sync, &answer.u.synced, repl_link_partner(link)));
    }
    if (wants_usage(req)) {
        KLM_TRY(send_usage(sync, link));
    }
    sync->text =
        klm_pool_printf(sync->pool, "Sync with partner %s is done", repl_link_partner(link));
    return KLM_OK;
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
