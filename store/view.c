/* Views: a driver's snapshot, and over it the write set of the change it belongs to, or of the
 * commit that was on its way when it was opened. */
#include "store/ahead.h"
#include "store/core.h"
#include "store/tree.h"

#include <stdlib.h>
#include <string.h>

klm_rc st_key_check(enum st_table table, struct klm_slice key)
{
    if ((unsigned)table >= ST_TABLES || key.n == 0) {
        return KLM_E_INVALID;
    }
    return key.n > ST_KEY_MAX ? KLM_E_LIMIT : KLM_OK;
}

void st_bounds_after(struct st_bounds *bounds, struct klm_slice key)
{
    if (bounds->reverse) {
        bounds->high = key;
        bounds->has_high = true;
    } else {
        bounds->low = key;
        bounds->low_open = true;
    }
}

/* A snapshot is right when no commit began or ended while it was taken: then either nothing was on
 * its way, or all of it is in the overlay that hides it. Commits take far longer than this, so the
 * second try is rare. */
klm_rc st_view_init(struct st_view *view, struct st_store *store)
{
    const struct st_driver_ops *ops = store->driver->ops;

    for (;;) {
        pthread_mutex_lock(&store->gate);
        uint64_t turn = store->turn;
        struct st_view v = {store, NULL, st_overlay_share(store->hidden),
                            atomic_load(&store->number)};
        pthread_mutex_unlock(&store->gate);

        klm_rc rc = ops->snapshot(store->driver, &v.snapshot);
        if (rc != KLM_OK) {
            st_overlay_drop(&v.over);
            return rc;
        }
        pthread_mutex_lock(&store->gate);
        bool same = turn == store->turn;
        pthread_mutex_unlock(&store->gate);
        if (same) {
            *view = v;
            return KLM_OK;
        }
        st_view_done(&v);
    }
}

void st_view_done(struct st_view *view)
{
    if (view->snapshot) {
        view->store->driver->ops->release(view->snapshot);
        view->snapshot = NULL;
    }
    st_overlay_drop(&view->over);
}

klm_rc st_view_open(struct st_store *store, struct st_view **out)
{
    struct st_view *view = malloc(sizeof *view);

    if (!view) {
        return KLM_E_NOMEM;
    }
    klm_rc rc = st_view_init(view, store);
    if (rc != KLM_OK) {
        free(view);
        return rc;
    }
    *out = view;
    return KLM_OK;
}

void st_view_close(struct st_view **view)
{
    if (*view) {
        st_view_done(*view);
        free(*view);
        *view = NULL;
    }
}

uint64_t st_view_number(const struct st_view *view)
{
    return view->number;
}

static klm_rc get_sealed(struct st_view *view, enum st_table table, struct klm_slice key,
                         struct klm_slice *sealed)
{
    enum st_says says =
        view->over ? st_overlay_get(view->over, table, key, sealed) : ST_SAYS_NOTHING;

    switch (says) {
    case ST_SAYS_RECORD:
        return KLM_OK;
    case ST_SAYS_GONE:
        return KLM_E_NOTFOUND;
    case ST_SAYS_NOTHING:
        break;
    }
    return view->store->driver->ops->get(view->snapshot, table, key, sealed);
}

klm_rc st_get(struct st_view *view, enum st_table table, struct klm_slice key,
              struct klm_pool *pool, struct klm_slice *record)
{
    struct klm_slice sealed = {NULL, 0}, body = {NULL, 0};

    KLM_TRY(st_key_check(table, key));
    KLM_TRY(get_sealed(view, table, key, &sealed));
    KLM_TRY(st_unseal(view->store->mac, table, key, sealed, &body));
    return klm_pool_slice(pool, body, record);
}

/* The lowest key above all that begin with prefix, in out; false: there is none. */
static bool beyond_prefix(struct klm_slice prefix, uint8_t out[ST_KEY_MAX], struct klm_slice *high)
{
    size_t n = prefix.n;

    while (n && prefix.p[n - 1] == 0xff) {
        n--;
    }
    if (!n) {
        return false;
    }
    memcpy(out, prefix.p, n);
    out[n - 1]++;
    *high = KLM_SLICE(out, n);
    return true;
}

static struct st_bounds bounds_of(const struct st_range *range, uint8_t buf[ST_KEY_MAX])
{
    struct st_bounds b = {.low = range->prefix, .reverse = range->reverse};

    b.has_high = beyond_prefix(range->prefix, buf, &b.high);
    if (!range->after.p) {
        return b;
    }
    if (!range->reverse && st_key_compare(range->after, b.low) >= 0) {
        st_bounds_after(&b, range->after);
    }
    if (range->reverse && (!b.has_high || st_key_compare(range->after, b.high) < 0)) {
        st_bounds_after(&b, range->after);
    }
    return b;
}

/* A scan that merges overlay and snapshot. */
struct merge {
    struct st_view *view;
    enum st_table table;
    struct st_bounds rest;  /* what was not visited yet: the overlay is asked from here */
    uint8_t at[ST_KEY_MAX]; /* rest borrows the last visited key from here */
    size_t left;            /* 0 with no_limit unset: done */
    bool no_limit;
    bool ended; /* by the limit: not a failure */
    st_visit_fn *visit;
    void *arg;
};

/* rc: how its envelope opened. */
static klm_rc emit_open(struct merge *m, struct klm_slice key, struct klm_slice record, klm_rc rc)
{
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    KLM_TRY(m->visit(m->arg, key, record, rc == KLM_E_CORRUPT));
    if (!m->no_limit && --m->left == 0) {
        m->ended = true;
        return KLM_E_LIMIT;
    }
    return KLM_OK;
}

static klm_rc emit(struct merge *m, struct klm_slice key, struct klm_slice sealed)
{
    struct klm_slice record = {NULL, 0};
    klm_rc rc = st_unseal(m->view->store->mac, m->table, key, sealed, &record);

    return emit_open(m, key, record, rc);
}

/* Remember that key was dealt with. */
static void pass(struct merge *m, struct klm_slice key)
{
    if (m->view->over) {
        memcpy(m->at, key.p, key.n);
        st_bounds_after(&m->rest, KLM_SLICE(m->at, key.n));
    }
}

/* Visit what the overlay has before upto (NULL: all the rest). *taken: it has something to say of
 * upto itself. The overlay is asked anew each time, as the visitor may write to the change it
 * scans. */
static klm_rc emit_overlay(struct merge *m, const struct klm_slice *upto, bool *taken)
{
    struct klm_slice key, sealed = {NULL, 0};
    enum st_says says;

    while ((says = st_overlay_next(m->view->over, m->table, &m->rest, &key, &sealed)) !=
           ST_SAYS_NOTHING) {
        int order = upto ? st_key_compare(key, *upto) : -1;
        if (upto && m->rest.reverse) {
            order = -order;
        }
        if (order > 0) {
            return KLM_OK;
        }
        pass(m, key);
        if (says == ST_SAYS_RECORD) {
            KLM_TRY(emit(m, key, sealed));
        }
        if (order == 0) {
            *taken = true;
            return KLM_OK;
        }
    }
    return KLM_OK;
}

static klm_rc visit_found(void *arg, const struct st_found *found)
{
    struct merge *m = arg;
    bool taken = false;

    if (found->key.n > ST_KEY_MAX) {
        return KLM_E_CORRUPT;
    }
    if (m->view->over) {
        KLM_TRY(emit_overlay(m, &found->key, &taken));
    }
    if (taken) {
        return KLM_OK;
    }
    pass(m, found->key);
    return found->is_open ? emit_open(m, found->key, found->record, found->rc)
                          : emit(m, found->key, found->sealed);
}

static klm_rc visit_base(void *arg, struct klm_slice key, struct klm_slice sealed)
{
    return visit_found(arg, &(struct st_found){.key = key, .sealed = sealed});
}

klm_rc st_scan(struct st_view *view, enum st_table table, const struct st_range *range,
               st_visit_fn *visit, void *arg)
{
    uint8_t high[ST_KEY_MAX];
    static const struct st_range all;
    const struct st_range *r = range ? range : &all;

    if ((unsigned)table >= ST_TABLES) {
        return KLM_E_INVALID;
    }
    if (r->prefix.n > ST_KEY_MAX || r->after.n > ST_KEY_MAX) {
        return KLM_E_LIMIT;
    }
    struct st_bounds bounds = bounds_of(r, high);
    struct merge m = {.view = view,
                      .table = table,
                      .rest = bounds,
                      .left = r->limit,
                      .no_limit = r->limit == 0,
                      .visit = visit,
                      .arg = arg};
    klm_rc rc =
        r->ahead ? st_scan_ahead(view->snapshot, view->store->mac, table, &bounds, visit_found, &m)
                 : view->store->driver->ops->scan(view->snapshot, table, &bounds, visit_base, &m);
    if (rc == KLM_OK && view->over) {
        rc = emit_overlay(&m, NULL, NULL);
    }
    return m.ended ? KLM_OK : rc;
}
