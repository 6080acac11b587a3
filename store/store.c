/* Opening, closing and checking a store. */
#include "store/core.h"
#include "store/home.h"
#include "store/space.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define ST_TABLE(name, file, key, record) file,
#include "store/tables.def"
#undef ST_TABLE
};

const char *st_table_name(enum st_table table)
{
    return (unsigned)table < ST_TABLES ? names[table] : "?";
}

klm_rc st_table_find(const char *name, enum st_table *out)
{
    for (unsigned t = 0; t < ST_TABLES; t++) {
        if (strcmp(names[t], name) == 0) {
            *out = (enum st_table)t;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

static klm_rc store_new(const struct st_options *options, struct st_store **out)
{
    struct st_store *store = calloc(1, sizeof *store);

    if (!store) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&store->gate, NULL);
    pthread_mutex_init(&store->checkpoint, NULL);
    store->read_only = options->read_only;
    atomic_store(&store->checkpoint_ms, klm_clock_mono_ms());
    klm_rc rc = st_mac_new(options->mac_key, &store->mac);
    if (rc != KLM_OK) {
        st_close(&store);
        return rc;
    }
    *out = store;
    return KLM_OK;
}

void st_close(struct st_store **store)
{
    struct st_store *s = *store;

    *store = NULL;
    if (!s) {
        return;
    }
    st_keeper_stop(&s->keeper);
    if (s->driver) {
        s->driver->ops->close(s->driver, !atomic_load(&s->failed));
    }
    st_overlay_drop(&s->hidden);
    st_space_close(&s->space);
    st_home_close(&s->home);
    st_mac_free(&s->mac);
    pthread_mutex_destroy(&s->gate);
    pthread_mutex_destroy(&s->checkpoint);
    free(s);
}

static void begin_number(struct st_store *store, const struct st_options *options)
{
    if (atomic_load(&store->number) < options->number) {
        atomic_store(&store->number, options->number);
    }
}

klm_rc st_open_memory(const struct st_options *options, struct st_store **out)
{
    KLM_AUTO(st_close) struct st_store *store = NULL;

    KLM_TRY(store_new(options, &store));
    KLM_TRY(st_driver_memory(&store->driver));
    begin_number(store, options);
    *out = store;
    store = NULL;
    return KLM_OK;
}

/* A fact of ST_META, straight from the driver: the store is not open yet. */
static klm_rc fact(struct st_store *store, struct st_driver *driver, const char *name, uint8_t *out,
                   size_t n)
{
    struct klm_slice key = klm_slice_str(name), sealed = {NULL, 0}, record = {NULL, 0};
    struct st_snapshot *snapshot;

    KLM_TRY(driver->ops->snapshot(driver, &snapshot));
    klm_rc rc = driver->ops->get(snapshot, ST_META, key, &sealed);
    if (rc == KLM_OK) {
        rc = st_unseal(store->mac, ST_META, key, sealed, &record);
    }
    if (rc == KLM_OK && record.n != n) {
        rc = KLM_E_CORRUPT;
    }
    if (rc == KLM_OK && n) {
        memcpy(out, record.p, n);
    }
    driver->ops->release(snapshot);
    return rc;
}

struct name {
    char text[80];
};

static struct name table_fact(enum st_table table)
{
    struct name name;

    snprintf(name.text, sizeof name.text, ST_META_TABLE "%s", st_table_name(table));
    return name;
}

/* Is there a note that the store once had the table? A damaged note counts as one. */
static klm_rc may_make(void *arg, struct st_driver *driver, enum st_table table)
{
    klm_rc rc = fact(arg, driver, table_fact(table).text, NULL, 0);

    if (rc == KLM_OK || rc == KLM_E_CORRUPT) {
        return KLM_E_CORRUPT;
    }
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

/* Put the notes of tables that were made just now into out; they are sealed in the pool. */
static klm_rc notes(struct st_store *store, struct klm_pool *pool, struct st_write out[ST_TABLES],
                    size_t *n)
{
    *n = 0;
    for (unsigned t = 0; t < ST_TABLES; t++) {
        struct name name = table_fact((enum st_table)t);
        klm_rc rc = fact(store, store->driver, name.text, NULL, 0);
        if (rc == KLM_OK) {
            continue;
        }
        if (rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
            return rc;
        }
        struct st_write *w = &out[(*n)++];
        *w = (struct st_write){.table = ST_META};
        KLM_TRY(klm_pool_slice(pool, klm_slice_str(name.text), &w->key));
        KLM_TRY(st_seal(store->mac, ST_META, w->key, KLM_SLICE(NULL, 0), pool, &w->sealed));
    }
    return KLM_OK;
}

static klm_rc note_tables(struct st_store *store, struct klm_diag *diag)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct st_write writes[ST_TABLES];
    size_t n;
    bool doubt;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(notes(store, pool, writes, &n));
    return n ? store->driver->ops->commit(store->driver, writes, n, true, &doubt, diag) : KLM_OK;
}

static klm_rc read_number(struct st_store *store, const char *home, struct klm_diag *diag)
{
    char path[4096];
    uint8_t be[8];
    uint64_t number = 0;
    klm_rc rc = fact(store, store->driver, ST_META_NUMBER, be, sizeof be);

    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    if (rc == KLM_E_CORRUPT) {
        snprintf(path, sizeof path, "%s/meta.db", home);
        return klm_fail(diag, rc, KLM_MSG_ST_DAMAGED, path,
                        "the record of the change number is wrong");
    }
    KLM_TRY(rc);
    for (int i = 0; i < 8; i++) {
        number = number << 8 | be[i];
    }
    atomic_store(&store->number, number);
    return KLM_OK;
}

klm_rc st_open_bdb(const struct st_options *options, struct klm_diag *diag, struct st_store **out)
{
    KLM_AUTO(st_close) struct st_store *store = NULL;
    bool empty = false;

    KLM_TRY(store_new(options, &store));
    KLM_TRY(st_home_open(options, store->mac, diag, &store->home, &empty));
    KLM_TRY(st_space_open(options->home, &store->space));
    struct st_bdb_options bdb = {
        .home = options->home,
        .space = store->space,
        .cache_bytes = options->cache_bytes,
        .create = options->create,
        .filling = options->filling,
        .may_make = may_make,
        .arg = store,
    };
    KLM_TRY(st_driver_bdb(&bdb, diag, &store->driver));
    KLM_TRY(note_tables(store, diag));
    KLM_TRY(read_number(store, options->home, diag));
    begin_number(store, options);
    *out = store;
    store = NULL;
    return KLM_OK;
}

uint64_t st_number(const struct st_store *store)
{
    return atomic_load(&store->number);
}

void st_id(const struct st_store *store, uint8_t out[16])
{
    memset(out, 0, 16);
    if (store->home) {
        memcpy(out, st_home_id(store->home), 16);
    }
}

bool st_failed(const struct st_store *store)
{
    return atomic_load(&store->failed) || store->driver->ops->failed(store->driver);
}

struct verify {
    enum st_table table;
    st_report_fn *report;
    void *arg;
    uint64_t records, damaged;
};

static klm_rc verify_one(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct verify *v = arg;

    (void)record; /* opening its envelope was the check */
    v->records++;
    if (damaged) {
        v->damaged++;
        if (v->report) {
            v->report(v->arg, v->table, key);
        }
    }
    return KLM_OK;
}

klm_rc st_verify(struct st_store *store, st_report_fn *report, void *arg, uint64_t *records)
{
    KLM_AUTO(st_view_close) struct st_view *view = NULL;
    struct verify v = {.report = report, .arg = arg};

    KLM_TRY(st_view_open(store, &view));
    for (unsigned t = 0; t < ST_TABLES; t++) {
        v.table = (enum st_table)t;
        KLM_TRY(st_scan(view, v.table, &(struct st_range){.ahead = true}, verify_one, &v));
    }
    if (records) {
        *records = v.records;
    }
    return v.damaged ? KLM_E_CORRUPT : KLM_OK;
}
