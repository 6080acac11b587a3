/* Reading from Berkeley DB: a snapshot is a read transaction on multi-version databases. It takes
 * no locks and waits for nobody, but holds old pages in the cache while it is open. */
#include "store/bdb.h"
#include "store/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 1024 /* most records fit */

struct bdb_snapshot {
    struct st_snapshot base; /* first */
    DB_TXN *txn;
    uint8_t *large; /* for the rare long record; NULL until then */
    uint32_t large_n;
    uint8_t small[SMALL];
};

static struct bdb *driver_of(const struct st_snapshot *snapshot)
{
    return (struct bdb *)snapshot->driver;
}

static DBT borrowed(struct klm_slice s)
{
    DBT dbt;

    memset(&dbt, 0, sizeof dbt);
    dbt.data = (void *)(uintptr_t)s.p; /* only ever read */
    dbt.size = (uint32_t)s.n;
    return dbt;
}

static DBT room(void *p, uint32_t n)
{
    DBT dbt;

    memset(&dbt, 0, sizeof dbt);
    dbt.data = p;
    dbt.ulen = n;
    dbt.flags = DB_DBT_USERMEM;
    return dbt;
}

/* A read transaction sees the state of its first read, not of its begin: so read something, of
 * which nothing is copied. */
static int pin(struct bdb *b, DB_TXN *txn)
{
    DBT key = borrowed(KLM_SLICE("\0", 1)), data = room(NULL, 0);

    data.flags |= DB_DBT_PARTIAL;
    int ret = b->db[ST_META]->get(b->db[ST_META], txn, &key, &data, 0);
    return ret == DB_NOTFOUND ? 0 : ret;
}

klm_rc bdb_snapshot(struct st_driver *driver, struct st_snapshot **out)
{
    struct bdb *b = (struct bdb *)driver;
    struct bdb_snapshot *s = malloc(sizeof *s);

    if (!s) {
        return KLM_E_NOMEM;
    }
    s->base.driver = driver;
    s->large = NULL;
    s->large_n = 0;
    bdb_io_enter(&b->io);
    int ret = bdb_begin(b, &s->txn, DB_TXN_SNAPSHOT);
    if (ret == 0 && (ret = pin(b, s->txn)) != 0) {
        (void)bdb_end(s->txn,
                      false); /* it has read only; the failure to tell is that of the read */
    }
    if (ret != 0) {
        free(s);
        return bdb_rc(b, ret);
    }
    *out = &s->base;
    return KLM_OK;
}

void bdb_release(struct st_snapshot *snapshot)
{
    struct bdb_snapshot *s = (struct bdb_snapshot *)snapshot;

    bdb_io_enter(&driver_of(snapshot)->io);
    (void)(s->txn ? s->txn->commit(s->txn, DB_TXN_NOSYNC)
                  : 0); /* it wrote nothing that could fail */
    free(s->large);
    free(s);
}

/* Room for n bytes in the snapshot's large buffer. */
static bool make_large(struct bdb_snapshot *s, uint32_t n)
{
    if (n > s->large_n) {
        free(s->large);
        s->large = malloc(n);
        s->large_n = s->large ? n : 0;
    }
    return s->large;
}

klm_rc bdb_get(struct st_snapshot *snapshot, enum st_table table, struct klm_slice key,
               struct klm_slice *sealed)
{
    struct bdb_snapshot *s = (struct bdb_snapshot *)snapshot;
    struct bdb *b = driver_of(snapshot);
    DB *db = b->db[table];
    DBT k = borrowed(key), data = room(s->small, SMALL);

    bdb_io_enter(&b->io);
    int ret = db->get(db, s->txn, &k, &data, 0);
    if (ret == DB_BUFFER_SMALL) {
        if (!make_large(s, data.size)) {
            return KLM_E_NOMEM;
        }
        data = room(s->large, s->large_n);
        ret = db->get(db, s->txn, &k, &data, 0);
    }
    if (ret != 0) {
        return bdb_rc(b, ret);
    }
    *sealed = KLM_SLICE(data.data, data.size);
    return KLM_OK;
}

#define SINGLE 64 /* records of a scan that are read one by one: most scans end before */
#define BULK                                                                                       \
    (256u << 10) /* bytes of a bulk read after that; the longest record fits several times */

/* A cursor and the buffers that it fills. */
struct walk {
    struct bdb *b;
    DBC *cursor;
    DBT key, data;
    uint8_t *bulk; /* NULL until the scan is a long one, as the window */
    struct bdb_window *window;
};

static int move(struct walk *w, uint32_t how)
{
    return w->cursor->get(w->cursor, &w->key, &w->data, how);
}

static struct klm_slice key_of(const struct walk *w)
{
    return KLM_SLICE(w->key.data, w->key.size);
}

/* Set the cursor to the first key at or above key. */
static int seek(struct walk *w, struct klm_slice key)
{
    uint8_t *p = realloc(w->key.data, key.n + 1);

    if (!p) {
        return ENOMEM;
    }
    memcpy(p, key.p, key.n);
    w->key.data = p;
    w->key.size = (uint32_t)key.n;
    return move(w, DB_SET_RANGE);
}

static int first(struct walk *w, const struct st_bounds *bounds)
{
    int ret;

    if (bounds->reverse) {
        ret = bounds->has_high ? seek(w, bounds->high) : DB_NOTFOUND;
        return ret == DB_NOTFOUND ? move(w, DB_LAST) : ret == 0 ? move(w, DB_PREV) : ret;
    }
    ret = bounds->low.n ? seek(w, bounds->low) : move(w, DB_FIRST);
    if (ret == 0 && bounds->low_open && klm_slice_equal(key_of(w), bounds->low)) {
        ret = move(w, DB_NEXT);
    }
    return ret;
}

static bool within(struct klm_slice key, const struct st_bounds *bounds)
{
    if (bounds->reverse) {
        int order = st_key_compare(key, bounds->low);
        return bounds->low_open ? order > 0 : order >= 0;
    }
    return !bounds->has_high || st_key_compare(key, bounds->high) < 0;
}

/* All records of a bulk read. *over: one was above the bounds. */
static klm_rc visit_bulk(const DBT *data, const struct st_bounds *bounds, st_raw_fn *visit,
                         void *arg, bool *over)
{
    void *at, *key, *record;
    size_t key_n, record_n;

    DB_MULTIPLE_INIT(at, data);
    for (;;) {
        DB_MULTIPLE_KEY_NEXT(at, data, key, key_n, record, record_n);
        if (!at) {
            return KLM_OK;
        }
        if (!within(KLM_SLICE(key, key_n), bounds)) {
            *over = true;
            return KLM_OK;
        }
        KLM_TRY(visit(arg, KLM_SLICE(key, key_n), KLM_SLICE(record, record_n)));
    }
}

/* The rest of a long scan, upwards, many records in a call. */
static klm_rc walk_bulk(struct walk *w, const struct st_bounds *bounds, st_raw_fn *visit, void *arg)
{
    DBT data = room(w->bulk = malloc(BULK), BULK);
    bool over = false;
    int ret = 0;

    w->window = calloc(1, sizeof *w->window);
    if (!w->bulk || !w->window) {
        return KLM_E_NOMEM;
    }
    w->window->fd = -1;
    while (!over) {
        bdb_io_enter(&w->b->io); /* the visitor may have worked on another store */
        bdb_window_enter(w->window);
        ret = w->cursor->get(w->cursor, &w->key, &data, DB_NEXT | DB_MULTIPLE_KEY);
        bdb_window_enter(NULL);
        if (ret != 0) {
            return ret == DB_NOTFOUND ? KLM_OK : bdb_rc(w->b, ret);
        }
        KLM_TRY(visit_bulk(&data, bounds, visit, arg, &over));
    }
    return KLM_OK;
}

static klm_rc walk_on(struct walk *w, const struct st_bounds *bounds, st_raw_fn *visit, void *arg)
{
    int ret = first(w, bounds);

    for (size_t n = 1; ret == 0 && within(key_of(w), bounds); n++) {
        KLM_TRY(visit(arg, key_of(w), KLM_SLICE(w->data.data, w->data.size)));
        if (n == SINGLE && !bounds->reverse) {
            return walk_bulk(w, bounds, visit, arg);
        }
        bdb_io_enter(&w->b->io); /* the visitor may have worked on another store */
        ret = move(w, bounds->reverse ? DB_PREV : DB_NEXT);
    }
    return ret == 0 || ret == DB_NOTFOUND ? KLM_OK : bdb_rc(w->b, ret);
}

klm_rc bdb_scan(struct st_snapshot *snapshot, enum st_table table, const struct st_bounds *bounds,
                st_raw_fn *visit, void *arg)
{
    struct bdb *b = driver_of(snapshot);
    struct walk w = {.b = b};

    w.key.flags = w.data.flags = DB_DBT_REALLOC;
    bdb_io_enter(&b->io);
    int ret =
        b->db[table]->cursor(b->db[table], ((struct bdb_snapshot *)snapshot)->txn, &w.cursor, 0);
    if (ret != 0) {
        return bdb_rc(b, ret);
    }
    klm_rc rc = walk_on(&w, bounds, visit, arg);
    (void)w.cursor->close(w.cursor); /* it only read */
    free(w.key.data);
    free(w.data.data);
    free(w.bulk);
    free(w.window);
    return rc;
}
