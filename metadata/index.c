/* Indexes of key usage events, made in bulk after the events: a key of an index is the value, a
 * NUL and the event's number. The fact "usage.indexed" says up to which number they are made;
 * what is above it is searched event by event. */
#include "metadata/parts.h"

#include <string.h>

#define CURSOR "usage.indexed"
#define POOL_MAX 8192
#define PAGE 128 /* index entries read at a time */

/* The value with its NUL, then room for the number. */
struct index_key {
    uint8_t p[65 + MD_NUMBER];
    size_t prefix; /* bytes of value and NUL */
};

static const enum st_table tables[] = {
    [MD_BY_VOLSER] = ST_USAGE_VOLSER,
    [MD_BY_ALIAS] = ST_USAGE_ALIAS,
    [MD_BY_DRIVE] = ST_USAGE_DRIVE,
    /* Clients stand among the drives: the event tells which it is. */
    [MD_BY_CLIENT] = ST_USAGE_DRIVE};

bool md_index_has(enum st_table table, struct klm_slice key)
{
    for (size_t i = 0; i < KLM_COUNT(tables); i++) {
        if (table == tables[i]) {
            return true;
        }
    }
    return table == ST_META && klm_slice_equal(key, klm_slice_str(CURSOR));
}

static void key_of(const char *value, uint64_t number, struct index_key *key)
{
    key->prefix = strlen(value) + 1;
    memcpy(key->p, value, key->prefix);
    (void)md_number_key(number, key->p + key->prefix);
}

klm_rc md_index_cursor(struct st_view *view, uint64_t *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    uint64_t number = 0;
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(view, ST_META, klm_slice_str(CURSOR), pool, &record);
    /* A damaged cursor begins anew: making an index entry again changes nothing. */
    if (rc == KLM_OK && md_number_of(record, &number) != KLM_OK) {
        number = 0;
    } else if (rc != KLM_OK && rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
        return rc;
    }
    *out = number;
    return KLM_OK;
}

static klm_rc entry_put(struct st_change *change, enum md_by by, const char *value, uint64_t number)
{
    struct index_key key;

    if (!value[0]) {
        return KLM_OK;
    }
    key_of(value, number, &key);
    return st_put(change, tables[by], KLM_SLICE(key.p, key.prefix + MD_NUMBER), KLM_SLICE("", 0));
}

struct indexing {
    struct st_change *change;
    uint64_t last;
    size_t n;
};

static klm_rc index_event(void *arg, const struct md_usage *u)
{
    struct indexing *run = arg;

    KLM_TRY(entry_put(run->change, MD_BY_VOLSER, u->volser, u->number));
    KLM_TRY(entry_put(run->change, MD_BY_ALIAS, u->alias1, u->number));
    KLM_TRY(entry_put(run->change, MD_BY_ALIAS, u->alias2, u->number));
    KLM_TRY(entry_put(run->change, MD_BY_DRIVE, u->drive, u->number));
    KLM_TRY(entry_put(run->change, MD_BY_CLIENT, u->client, u->number));
    run->last = u->number;
    run->n++;
    return KLM_OK;
}

klm_rc md_index(struct st_change *change, size_t max, uint64_t *left)
{
    struct st_view *view = st_change_view(change);
    struct indexing run = {.change = change};
    uint8_t number[MD_NUMBER];
    uint64_t done, last;

    KLM_TRY(md_index_cursor(view, &done));
    KLM_TRY(md_usage_last(view, &last));
    if (max > 0 && last > done) {
        KLM_TRY(md_usage_scan(view, done, max, index_event, &run));
        done =
            run.n < max ? last : run.last; /* fewer than asked for: what is left cannot be read */
        KLM_TRY(st_put(change, ST_META, klm_slice_str(CURSOR), md_number_key(done, number)));
    }
    *left = last > done ? last - done : 0;
    return KLM_OK;
}

/* ---- Queries */

struct query {
    struct st_view *view;
    enum md_by by;
    const char *what;
    uint64_t indexed;
    size_t left;
    bool over;
    md_usage_fn *fn;
    void *arg;
};

static bool matches(const struct query *q, const struct md_usage *u)
{
    switch (q->by) {
    case MD_BY_VOLSER:
        return strcmp(u->volser, q->what) == 0;
    case MD_BY_ALIAS:
        return strcmp(u->alias1, q->what) == 0 || strcmp(u->alias2, q->what) == 0;
    case MD_BY_DRIVE:
        return strcmp(u->drive, q->what) == 0;
    case MD_BY_CLIENT:
        return strcmp(u->client, q->what) == 0;
    }
    return false;
}

static klm_rc found(struct query *q, const struct md_usage *u)
{
    KLM_TRY(q->fn(q->arg, u));
    q->over = --q->left == 0;
    return q->over ? KLM_E_AGAIN : KLM_OK;
}

static klm_rc tail_event(void *arg, const struct md_usage *u)
{
    struct query *q = arg;

    return matches(q, u) ? found(q, u) : KLM_OK;
}

struct page {
    uint64_t number[PAGE];
    size_t n;
    size_t prefix;
};

/* The key holds all there is to know; a damaged entry is as good as a whole one. */
static klm_rc page_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct page *page = arg;

    (void)record;
    (void)damaged;
    if (key.n == page->prefix + MD_NUMBER &&
        md_number_of(KLM_SLICE(key.p + page->prefix, MD_NUMBER), &page->number[page->n]) ==
            KLM_OK) {
        page->n++;
    }
    return KLM_OK;
}

/* Events of a page of the index. One that is damaged is named and left out. */
static klm_rc page_events(struct query *q, const struct page *page)
{
    for (size_t i = 0; i < page->n; i++) {
        struct md_usage usage;
        klm_rc rc;

        if (page->number[i] > q->indexed) {
            continue; /* found in the tail already */
        }
        rc = md_usage_get(q->view, page->number[i], &usage);
        if (rc == KLM_E_CORRUPT) {
            klm_say(KLM_MSG_USAGE_DAMAGED, KLM_NUM(page->number[i]));
        } else if (rc != KLM_E_NOTFOUND) {
            KLM_TRY(rc);
            KLM_TRY(tail_event(q, &usage));
        }
    }
    return KLM_OK;
}

static klm_rc from_index(struct query *q)
{
    struct index_key key;
    struct page page = {.n = PAGE};

    key_of(q->what, UINT64_MAX, &key);
    page.prefix = key.prefix;
    for (bool first = true; page.n == PAGE; first = false) {
        struct st_range range = {
            .prefix = KLM_SLICE(key.p, key.prefix), .reverse = true, .limit = PAGE};

        if (!first) {
            key_of(q->what, page.number[PAGE - 1], &key);
            range.after = KLM_SLICE(key.p, key.prefix + MD_NUMBER);
        }
        page.n = 0;
        KLM_TRY(st_scan(q->view, tables[q->by], &range, page_visit, &page));
        KLM_TRY(page_events(q, &page));
    }
    return KLM_OK;
}

klm_rc md_query(struct st_view *view, enum md_by by, const char *what, size_t limit,
                md_usage_fn *fn, void *arg)
{
    struct query q = {.view = view,
                      .by = by,
                      .what = what,
                      .left = limit ? limit : SIZE_MAX,
                      .fn = fn,
                      .arg = arg};
    size_t n = strnlen(what, 65);
    char volser[7];
    klm_rc rc;

    if (n == 0 || n > 64) {
        return KLM_E_INVALID;
    }
    if (by == MD_BY_VOLSER) {
        KLM_TRY(md_volser(what, volser, NULL));
        q.what = volser;
    }
    KLM_TRY(md_index_cursor(view, &q.indexed));
    rc = md_usage_back(view, q.indexed, tail_event, &q);
    if (rc == KLM_OK) {
        rc = from_index(&q);
    }
    return q.over && rc == KLM_E_AGAIN ? KLM_OK : rc;
}
