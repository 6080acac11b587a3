/* Key usage events of an earlier key manager. Its file gives them no number, so an event is known by all that it says. */
#include "keymgr/migrate.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    struct km_call *call;
    struct km_migration *m;
    size_t cap, at; /* at: which event of the file, from 1 */
};

/* By time, then by all else; not by number. */
static int order(const struct md_usage *a, const struct md_usage *b)
{
    const char *const x[] = {a->volser, a->drive, a->wwn, a->alias1, a->alias2, a->dki, a->client};
    const char *const y[] = {b->volser, b->drive, b->wwn, b->alias1, b->alias2, b->dki, b->client};
    int found = (a->time > b->time) - (a->time < b->time);

    for (size_t i = 0; found == 0 && i < KLM_COUNT(x); i++) {
        found = strcmp(x[i], y[i]);
    }
    return found;
}

static int by_order(const void *a, const void *b)
{
    return order(&((const struct km_migrate_event *)a)->usage,
                 &((const struct km_migrate_event *)b)->usage);
}

static klm_rc grow(struct reading *r)
{
    size_t cap = r->cap ? 2 * r->cap : 256;
    struct km_migrate_event *more = klm_pool_alloc(r->call->pool, cap * sizeof *more);

    if (!more) {
        return KLM_E_NOMEM;
    }
    if (r->m->events) {
        memcpy(more, r->m->event, r->m->events * sizeof *more);
    }
    r->m->event = more;
    r->cap = cap;
    return KLM_OK;
}

static klm_rc refuse(struct reading *r, const struct md_usage *usage, const char *why)
{
    const char *item =
        klm_pool_printf(r->call->pool, "event %zu of the key usage file: %s", r->at, usage->volser);

    return item ? km_migrate_tell(r->call, item, KM_REFUSED, 1, why) : KLM_E_NOMEM;
}

/* Serial numbers in their one spelling, so that queries find the event. */
static klm_rc read_one(void *arg, const struct md_usage *usage)
{
    struct reading *r = arg;
    struct km_migrate_event event = {.usage = *usage};

    r->at++;
    if (usage->drive[0] && dt_serial(usage->drive, event.usage.drive, NULL) != KLM_OK) {
        return refuse(r, usage, "the serial number of its drive is none");
    }
    if (usage->volser[0] && md_volser(usage->volser, event.usage.volser, NULL) != KLM_OK) {
        return refuse(r, usage, "its volume serial is none");
    }
    if (r->m->events == r->cap) {
        KLM_TRY(grow(r));
    }
    r->m->event[r->m->events++] = event;
    return KLM_OK;
}

/* Events that stand in the file twice are one. */
static void merge(struct km_migration *m)
{
    size_t kept = 0;

    qsort(m->event, m->events, sizeof *m->event, by_order);
    for (size_t i = 0; i < m->events; i++) {
        if (kept == 0 || by_order(&m->event[kept - 1], &m->event[i]) != 0) {
            m->event[kept++] = m->event[i];
        }
    }
    m->there += m->events - kept;
    m->events = kept;
}

/* An event of the store: is it one of the file's? */
static klm_rc compare(void *arg, const struct md_usage *usage)
{
    struct km_migration *m = arg;
    const struct km_migrate_event key = {.usage = *usage};
    struct km_migrate_event *found = bsearch(&key, m->event, m->events, sizeof *m->event, by_order);

    m->seen = usage->number;
    if (found && !found->here) {
        found->here = true;
        m->there++;
    }
    return KLM_OK;
}

/* What is wrong with the file is wrong at the site it comes from. */
static klm_rc read_file(struct reading *r, struct klm_slice text)
{
    struct klm_diag diag = {0};
    klm_rc rc = md_xml_parse(text, read_one, r, &diag);

    return rc != KLM_OK && diag.msg != KLM_MSG_NONE
               ? klm_fail(&r->call->diag, rc, KLM_MSG_MIGRATE_USAGE, diag.text)
               : rc;
}

klm_rc km_migrate_usage(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;
    struct km_migration *m = call->work;
    struct reading r = {.call = call, .m = m};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(read_file(&r, req->usage));
    if (m->events == 0) {
        return KLM_OK;
    }
    merge(m);
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = md_usage_scan(view, 0, 0, compare, m);
    st_view_close(&view);
    return rc;
}

klm_rc km_migrate_usage_add(struct km_call *call, struct st_change *change, size_t *added)
{
    const struct km_migrate_req *req = call->req;
    struct km_migration *m = call->work;

    *added = 0;
    if (m->events == 0) {
        return KLM_OK;
    }
    KLM_TRY(md_usage_scan(st_change_view(change), m->seen, 0, compare, m));
    for (size_t i = 0; i < m->events; i++) {
        struct md_usage *usage = &m->event[i].usage;

        if (m->event[i].here) {
            continue;
        }
        ++*added;
        if (!req->dryrun) {
            usage->number = ++call->server->writer.usage_last;
            KLM_TRY(md_usage_add(change, usage));
        }
    }
    return *added == 0 ? KLM_OK : km_migrate_tell(call, "key usage events", KM_TAKEN, *added, "");
}
