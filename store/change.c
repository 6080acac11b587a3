/* Changes: an overlay over the newest state, and the commit that hides it from new views until it
 * is on disk. */
#include "store/core.h"
#include "store/space.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

struct st_change {
    struct st_store *store;
    struct st_view view; /* over is the write set; owned here */
    bool draft;          /* never committed */
};

bool st_key_own(enum st_table table, struct klm_slice key)
{
    size_t n = strlen(ST_META_TABLE);

    return table == ST_META && (klm_slice_equal(key, klm_slice_str(ST_META_NUMBER)) ||
                                (key.n >= n && memcmp(key.p, ST_META_TABLE, n) == 0));
}

klm_rc st_change_open(struct st_store *store, struct st_change **out)
{
    if (store->read_only) {
        return KLM_E_DENIED;
    }
    if (st_failed(store)) {
        return KLM_E_STATE;
    }
    if (atomic_exchange(&store->changing, true)) {
        return KLM_E_BUSY;
    }
    struct st_change *change = calloc(1, sizeof *change);
    klm_rc rc = change ? st_view_init(&change->view, store) : KLM_E_NOMEM;
    if (rc == KLM_OK) {
        rc = st_overlay_new(&change->view.over);
    }
    if (rc != KLM_OK) {
        if (change) {
            st_view_done(&change->view);
        }
        free(change);
        atomic_store(&store->changing, false);
        return rc;
    }
    change->store = store;
    *out = change;
    return KLM_OK;
}

void st_change_drop(struct st_change **change)
{
    struct st_change *c = *change;

    *change = NULL;
    if (c) {
        struct st_store *store = c->store;
        const bool draft = c->draft;
        st_view_done(&c->view);
        free(c);
        if (!draft) {
            atomic_store(&store->changing, false);
        }
    }
}

/* What hides a commit that is on its way is not shared by a draft, which is written to: its keys become the first that the draft writes. */
static klm_rc take_over(struct st_overlay *draft, const struct st_overlay *hidden)
{
    for (unsigned table = 0; table < ST_TABLES; table++) {
        struct st_bounds bounds = {0};
        struct klm_slice key, sealed = {NULL, 0}, copy = {NULL, 0};
        enum st_says says;

        while ((says = st_overlay_next(hidden, (enum st_table)table, &bounds, &key, &sealed)) !=
               ST_SAYS_NOTHING) {
            const bool gone = says == ST_SAYS_GONE;

            if (!gone) {
                KLM_TRY(klm_pool_slice(st_overlay_pool(draft), sealed, &copy));
            }
            KLM_TRY(st_overlay_write(draft, (enum st_table)table, key,
                                     gone ? KLM_SLICE(NULL, 0) : copy, gone));
            st_bounds_after(&bounds, key);
        }
    }
    return KLM_OK;
}

klm_rc st_draft_open(struct st_store *store, struct st_change **out)
{
    struct st_change *change = calloc(1, sizeof *change);
    struct st_overlay *hidden, *own = NULL;
    klm_rc rc;

    if (!change) {
        return KLM_E_NOMEM;
    }
    rc = st_view_init(&change->view, store);
    if (rc != KLM_OK) {
        free(change);
        return rc;
    }
    change->store = store;
    change->draft = true;
    hidden = change->view.over;
    rc = st_overlay_new(&own);
    if (rc == KLM_OK && hidden) {
        rc = take_over(own, hidden);
    }
    change->view.over = own;
    st_overlay_drop(&hidden);
    if (rc != KLM_OK) {
        st_change_drop(&change);
        return rc;
    }
    *out = change;
    return KLM_OK;
}

struct st_view *st_change_view(struct st_change *change)
{
    return &change->view;
}

static klm_rc put(struct st_change *change, enum st_table table, struct klm_slice key,
                  struct klm_slice record, bool fresh)
{
    struct klm_slice sealed = {NULL, 0};

    KLM_TRY(st_key_check(table, key));
    if (record.n > ST_RECORD_MAX) {
        return KLM_E_LIMIT;
    }
    if (st_key_own(table, key)) {
        return KLM_E_INVALID;
    }
    struct st_overlay *over = change->view.over;
    KLM_TRY(st_seal(change->store->mac, table, key, record, st_overlay_pool(over), &sealed));
    if (fresh) {
        KLM_TRY(st_overlay_fresh(over, table, key));
    }
    return st_overlay_write(over, table, key, sealed, false);
}

klm_rc st_put(struct st_change *change, enum st_table table, struct klm_slice key,
              struct klm_slice record)
{
    return put(change, table, key, record, false);
}

klm_rc st_put_new(struct st_change *change, enum st_table table, struct klm_slice key,
                  struct klm_slice record)
{
    return put(change, table, key, record, true);
}

klm_rc st_delete(struct st_change *change, enum st_table table, struct klm_slice key)
{
    KLM_TRY(st_key_check(table, key));
    if (st_key_own(table, key)) {
        return KLM_E_INVALID;
    }
    return st_overlay_write(change->view.over, table, key, KLM_SLICE(NULL, 0), true);
}

size_t st_change_mark(const struct st_change *change)
{
    return st_overlay_mark(change->view.over);
}

void st_change_undo(struct st_change *change, size_t mark)
{
    st_overlay_undo(change->view.over, mark);
}

size_t st_change_size(const struct st_change *change)
{
    return st_overlay_size(change->view.over);
}

bool st_change_touches(const struct st_change *change, enum st_table table)
{
    const struct st_bounds all = {0};
    struct klm_slice key, sealed;

    return st_overlay_next(change->view.over, table, &all, &key, &sealed) != ST_SAYS_NOTHING;
}

klm_rc st_number_seal(struct st_store *store, uint64_t number, struct klm_pool *pool,
                      struct klm_slice *sealed)
{
    uint8_t be[8];

    for (int i = 0; i < 8; i++) {
        be[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    return st_seal(store->mac, ST_META, klm_slice_str(ST_META_NUMBER), KLM_SLICE(be, 8), pool,
                   sealed);
}

/* The change's number goes into the same batch. */
static klm_rc add_number(struct st_change *change, uint64_t number)
{
    struct st_overlay *over = change->view.over;
    struct klm_slice sealed = {NULL, 0};

    KLM_TRY(st_number_seal(change->store, number, st_overlay_pool(over), &sealed));
    return st_overlay_write(over, ST_META, klm_slice_str(ST_META_NUMBER), sealed, false);
}

/* From here on new views have the write set's keys as they were before it. */
static void hide(struct st_store *store, struct st_overlay *over)
{
    pthread_mutex_lock(&store->gate);
    store->hidden = st_overlay_share(over);
    store->turn++;
    pthread_mutex_unlock(&store->gate);
}

void st_watch(struct st_store *store, st_touch_fn *fn, void *arg)
{
    store->touched = fn;
    store->touched_arg = arg;
}

static void tell_touched(const struct st_store *store, const struct st_write *writes, size_t n,
                         uint64_t number)
{
    for (size_t i = 0; i < n && store->touched; i++) {
        store->touched(store->touched_arg, writes[i].table, writes[i].key, number);
    }
}

/* The end of a commit. In doubt, the write set stays hidden for good. */
static void end_commit(struct st_store *store, klm_rc rc, uint64_t number, bool doubt)
{
    struct st_overlay *hidden = NULL;

    pthread_mutex_lock(&store->gate);
    if (rc == KLM_OK) {
        atomic_store(&store->number, number);
    }
    if (rc == KLM_OK || !doubt) {
        hidden = store->hidden;
        store->hidden = NULL;
    }
    store->turn++;
    pthread_mutex_unlock(&store->gate);
    st_overlay_drop(&hidden);
    if (rc != KLM_OK && doubt) {
        atomic_store(&store->failed, true);
    }
}

static klm_rc commit(struct st_change *change, bool sync, struct klm_diag *diag)
{
    struct st_store *store = change->store;
    struct st_overlay *over = change->view.over;
    uint64_t number = atomic_load(&store->number) + 1;
    const struct st_write *writes;
    size_t n, deletes;
    bool doubt = false;

    if (st_failed(store)) {
        return KLM_E_STATE;
    }
    size_t size = st_overlay_size(over);
    KLM_TRY(add_number(change, number));
    KLM_TRY(st_overlay_writes(over, &writes, &n, &deletes));
    if (store->space) {
        KLM_TRY(st_space_room(store->space, deletes * 2 >= size, diag));
    }
    KLM_TRY(st_overlay_turn(over, change->view.snapshot));
    store->driver->ops->release(change->view.snapshot);
    change->view.snapshot = NULL;
    hide(store, over);
    tell_touched(store, writes, n, number);
    klm_rc rc = store->driver->ops->commit(store->driver, writes, n, sync, &doubt, diag);
    end_commit(store, rc, number, doubt);
    if (rc == KLM_OK) {
        atomic_fetch_add(&store->commits, 1);
    }
    return rc;
}

static klm_rc end(struct st_change **change, bool sync, struct klm_diag *diag)
{
    klm_rc rc = (*change)->draft          ? KLM_E_DENIED
                : st_change_size(*change) ? commit(*change, sync, diag)
                                          : KLM_OK;

    st_change_drop(change);
    return rc;
}

klm_rc st_change_commit(struct st_change **change, struct klm_diag *diag)
{
    return end(change, true, diag);
}

klm_rc st_change_commit_lazy(struct st_change **change, struct klm_diag *diag)
{
    return end(change, false, diag);
}

static klm_rc checkpoint(struct st_store *store, unsigned commits, unsigned seconds)
{
    unsigned made = atomic_load(&store->commits);
    uint64_t now = klm_clock_mono_ms();
    uint64_t age = now - atomic_load(&store->checkpoint_ms);
    bool due = (commits == 0 && seconds == 0) || (commits && made > commits) ||
               (seconds && made && age > (uint64_t)seconds * 1000);

    if (!due || store->read_only) {
        return KLM_OK;
    }
    if (st_failed(store)) {
        return KLM_E_STATE;
    }
    KLM_TRY(store->driver->ops->checkpoint(store->driver));
    atomic_fetch_sub(&store->commits, made);
    atomic_store(&store->checkpoint_ms, now);
    return KLM_OK;
}

klm_rc st_checkpoint(struct st_store *store, unsigned commits, unsigned seconds)
{
    pthread_mutex_lock(&store->checkpoint);
    klm_rc rc = checkpoint(store, commits, seconds);
    pthread_mutex_unlock(&store->checkpoint);
    return rc;
}
