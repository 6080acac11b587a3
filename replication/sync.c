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

/* ---- What the partner knows. An earlier release refuses a message whole that has a part it has no place for, and stays as it was; numbers of parts only grow, so what it
 * does not know are the highest. */

static bool unknown_there(const struct repl_message *answer, klm_rc rc)
{
    return rc == KLM_E_DENIED && answer->type == REPL_REFUSED &&
           klm_msg_find(answer->u.refused.id) == KLM_MSG_PARTNER_PART;
}

/* Row, event and last message say that a part did not go. */
static klm_rc leave_out(struct km_call *sync, enum repl_part part, const char **left)
{
    const char *word = repl_part_row((uint8_t)part)->word, *before = *left;

    *left = klm_pool_printf(sync->pool, "%s%s%s", before ? before : "", before ? ", " : "", word);
    KLM_TRY(*left ? KLM_OK : KLM_E_NOMEM);
    KLM_TRY(km_rows_add(sync, (const char *[]){word, "NOT SENT", "not known to that release"}));
    return note(sync, word, "not sent, not known to that release");
}

/* Take the part of the highest number out of the message. */
static enum repl_part drop_newest(struct gathered *gathered)
{
    struct repl_sync *message = &gathered->message.u.sync;
    enum repl_part part;
    size_t at = 0;

    for (size_t i = 1; i < message->n; i++) {
        at = message->part[i].part > message->part[at].part ? i : at;
    }
    part = (enum repl_part)message->part[at].part;
    km_call_free(&gathered->call[at]);
    message->n--;
    for (; at < message->n; at++) {
        message->part[at] = message->part[at + 1];
        gathered->call[at] = gathered->call[at + 1];
    }
    return part;
}

static klm_rc send_parts(struct km_call *sync, struct repl_link *link, struct gathered *gathered,
                         const char **left)
{
    struct repl_message answer = {.type = REPL_BYE};

    while (gathered->message.u.sync.n > 0) {
        klm_rc rc = repl_link_ask(link, &gathered->message, REPL_SYNCED, &sync->diag, &answer);

        if (!unknown_there(&answer, rc)) {
            KLM_TRY(rc);
            return report(sync, &answer.u.synced, repl_link_partner(link));
        }
        sync->diag = (struct klm_diag){0};
        KLM_TRY(leave_out(sync, drop_newest(gathered), left));
    }
    return KLM_OK;
}

/* ---- Key usage events, page by page */

struct pages {
    struct km_call *sync;
    struct repl_link *link;
    uint64_t after;
    size_t events, pages;
    unsigned long long keyless; /* events whose stored key the partner says it has not */
    bool from_start;
    bool unknown; /* the partner does not know events */
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
    struct repl_message message = {.type = REPL_SYNC, .u.sync.n = 1}, answer = {.type = REPL_BYE};
    struct km_call *sync = pages->sync;
    klm_rc rc;

    message.u.sync.part[0].part = REPL_USAGE;
    message.u.sync.part[0].bytes = bytes;
    rc = repl_link_ask(pages->link, &message, REPL_SYNCED, &sync->diag, &answer);
    pages->unknown = unknown_there(&answer, rc);
    KLM_TRY(rc);
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

static klm_rc send_usage(struct km_call *sync, struct repl_link *link, const char **left)
{
    struct pages pages = {.sync = sync, .link = link};
    struct km_call *call;
    const char *said;
    bool more = true;

    while (more) {
        klm_rc rc = next_page(&pages, &more);

        if (!pages.unknown) {
            KLM_TRY(rc);
        }
        sync->diag = (struct klm_diag){0};
        if (pages.unknown) {
            return leave_out(sync, REPL_USAGE, left);
        }
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

/* Who asked for all gets what the partner knows, and a warning; who asked for one part by its name, a failure when it did not go. */
static klm_rc tell_left(struct km_call *sync, struct repl_link *link, bool some, const char *left)
{
    const struct km_sync_req *req = sync->req;
    const klm_rc rc = req->all && some ? KLM_OK : KLM_E_UNSUPPORTED;
    struct klm_diag why = {0};
    const char *all; /* what became of each part: a sync by the clock shows no rows */

    (void)klm_fail(&why, rc, KLM_MSG_SYNC_UNKNOWN, repl_link_partner(link), left);
    if (rc == KLM_OK) {
        sync->diag = why;
        return rc;
    }
    all = klm_pool_printf(sync->pool, "%s (%s)", why.text, sync->event.field[SMF_F_NEW]);
    return klm_fail(&sync->diag, rc, KLM_MSG_SYNC_FAILED, "a part", repl_link_partner(link),
                    all ? all : why.text);
}

static klm_rc send(struct repl_client *client, struct km_call *sync, struct gathered *gathered)
{
    static const char *const columns[] = {"Part", "Outcome", "What the partner says", NULL};
    const struct km_sync_req *req = sync->req;
    KLM_AUTO(repl_link_close) struct repl_link *link = NULL;
    const char *left = NULL;

    KLM_TRY(repl_link_open(client, sync->state, req->ipaddr, &sync->diag, &link));
    sync->event.field[SMF_F_OBJECT] =
        klm_pool_printf(sync->pool, "%s %s", repl_link_partner(link), req->ipaddr);
    KLM_TRY(km_rows_begin(sync, NULL, columns));
    KLM_TRY(send_parts(sync, link, gathered, &left));
    if (wants_usage(req)) {
        KLM_TRY(send_usage(sync, link, &left));
    }
    if (left) {
        KLM_TRY(tell_left(sync, link, gathered->message.u.sync.n > 0, left));
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
