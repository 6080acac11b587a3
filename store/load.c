/* Filling a new store: sorted records straight to the driver, without the overlay that hides a change on its way. The caller seals records, a thread of its own puts them
 * into the driver, batch by batch. */
#include "store/core.h"

#include "base/lane.h"

#include "store/space.h"
#include "store/tree.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 4096             /* records of one transaction */
#define BATCH_BYTES (8u << 20) /* and their bytes */
#define BATCHES 2

struct batch {
    struct klm_pool *pool;
    size_t n, bytes;
    struct st_write write[BATCH];
};

struct st_load {
    struct st_store *store;
    struct klm_lane *lane; /* of pointers to batches */
    struct batch *batch;   /* that is being filled; NULL: none */
    pthread_t thread;
    bool running;
    klm_rc rc; /* of the thread, when it has ended */
    struct klm_diag diag;
    enum st_table table; /* of the last record */
    bool seen[ST_TABLES];
    size_t last_n;
    uint8_t last[ST_KEY_MAX]; /* its key */
};

static void batch_free(struct batch **batch)
{
    if (*batch) {
        klm_pool_free(&(*batch)->pool);
        free(*batch);
        *batch = NULL;
    }
}

/* One transaction. Only the last of a load is waited for: its sync puts all before it on disk, too. */
static klm_rc commit(struct st_store *store, const struct batch *batch, bool sync,
                     struct klm_diag *diag)
{
    bool doubt = false;
    klm_rc rc = store->space ? st_space_room(store->space, false, diag) : KLM_OK;

    return rc == KLM_OK ? store->driver->ops->commit(store->driver, batch->write, batch->n, sync,
                                                     &doubt, diag)
                        : rc;
}

/* What was given is freed here also after a failure. */
static void *commit_all(void *arg)
{
    struct st_load *load = arg;
    struct batch **given;
    klm_rc why = KLM_OK;

    while ((given = klm_lane_take(load->lane, &why))) {
        if (load->rc == KLM_OK) {
            load->rc = commit(load->store, *given, false, &load->diag);
        }
        if (load->rc != KLM_OK) {
            klm_lane_close(load->lane);
        }
        batch_free(given);
    }
    return NULL;
}

/* Wait for the thread; its outcome. */
static klm_rc join(struct st_load *load, struct klm_diag *diag)
{
    if (load->running) {
        klm_lane_end(load->lane, KLM_OK);
        pthread_join(load->thread, NULL);
        load->running = false;
        if (diag && load->diag.msg != KLM_MSG_NONE) {
            *diag = load->diag;
        }
    }
    return load->rc;
}

/* Hand the batch over. */
static klm_rc flush(struct st_load *load)
{
    struct batch **slot;

    if (!load->batch) {
        return KLM_OK;
    }
    if (!load->running && pthread_create(&load->thread, NULL, commit_all, load) != 0) {
        return KLM_E_LIMIT;
    }
    load->running = true;
    slot = klm_lane_slot(load->lane);
    if (!slot) {
        klm_rc rc = join(load, NULL);

        return rc == KLM_OK ? KLM_E_IO : rc;
    }
    *slot = load->batch;
    load->batch = NULL;
    klm_lane_give(load->lane);
    return KLM_OK;
}

void st_load_drop(struct st_load **load)
{
    struct st_load *l = *load;

    *load = NULL;
    if (l) {
        (void)join(l, NULL); /* it is thrown away, or its outcome is known */
        batch_free(&l->batch);
        klm_lane_free(&l->lane);
        atomic_store(&l->store->changing, false);
        free(l);
    }
}

static klm_rc load_new(struct st_store *store, struct st_load **out)
{
    struct st_load *load = calloc(1, sizeof *load);
    klm_rc rc;

    if (!load) {
        return KLM_E_NOMEM;
    }
    load->store = store;
    rc = klm_lane_new(BATCHES, sizeof(struct batch *), &load->lane);
    if (rc != KLM_OK) {
        free(load);
        return rc;
    }
    *out = load;
    return KLM_OK;
}

klm_rc st_load_open(struct st_store *store, struct st_load **out)
{
    klm_rc rc;

    if (store->read_only || st_failed(store) || atomic_load(&store->commits) > 0) {
        return KLM_E_STATE;
    }
    if (atomic_exchange(&store->changing, true)) {
        return KLM_E_BUSY;
    }
    rc = load_new(store, out);
    if (rc != KLM_OK) {
        atomic_store(&store->changing, false);
    }
    return rc;
}

/* Tables come one after the other, in any order. */
static klm_rc check_order(struct st_load *load, enum st_table table, struct klm_slice key)
{
    const bool same = load->seen[table] && load->table == table;

    if (same ? st_key_compare(key, KLM_SLICE(load->last, load->last_n)) <= 0 : load->seen[table]) {
        return KLM_E_INVALID;
    }
    load->seen[table] = true;
    load->table = table;
    load->last_n = key.n;
    memcpy(load->last, key.p, key.n);
    return KLM_OK;
}

static klm_rc batch_new(struct batch **out)
{
    struct batch *batch = malloc(sizeof *batch);
    klm_rc rc;

    if (!batch) {
        return KLM_E_NOMEM;
    }
    batch->n = batch->bytes = 0;
    rc = klm_pool_new(BATCH_BYTES * 2 + BATCH * 2048, &batch->pool);
    if (rc != KLM_OK) {
        free(batch);
        return rc;
    }
    *out = batch;
    return KLM_OK;
}

static klm_rc add(struct st_load *load, enum st_table table, struct klm_slice key,
                  struct klm_slice record)
{
    struct batch *batch = load->batch;
    struct st_write *write = &batch->write[batch->n];

    *write = (struct st_write){.table = table};
    KLM_TRY(klm_pool_slice(batch->pool, key, &write->key));
    KLM_TRY(st_seal(load->store->mac, table, key, record, batch->pool, &write->sealed));
    batch->n++;
    batch->bytes += key.n + write->sealed.n;
    return KLM_OK;
}

klm_rc st_load_put(struct st_load *load, enum st_table table, struct klm_slice key,
                   struct klm_slice record)
{
    KLM_TRY(st_key_check(table, key));
    if (record.n > ST_RECORD_MAX) {
        return KLM_E_LIMIT;
    }
    if (st_key_own(table, key)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(check_order(load, table, key));
    if (load->batch && (load->batch->n == BATCH || load->batch->bytes >= BATCH_BYTES)) {
        KLM_TRY(flush(load));
    }
    if (!load->batch) {
        KLM_TRY(batch_new(&load->batch));
    }
    return add(load, table, key, record);
}

/* The change number goes last: until it stands there the store counts as one that has no change. */
static klm_rc put_number(struct st_load *load, struct klm_diag *diag)
{
    struct st_store *store = load->store;
    uint64_t number = atomic_load(&store->number) + 1;
    struct st_write *write;

    KLM_TRY(batch_new(&load->batch));
    write = load->batch->write;
    *write = (struct st_write){.table = ST_META, .key = klm_slice_str(ST_META_NUMBER)};
    KLM_TRY(st_number_seal(store, number, load->batch->pool, &write->sealed));
    load->batch->n = 1;
    KLM_TRY(commit(store, load->batch, true, diag));
    atomic_store(&store->number, number);
    atomic_fetch_add(&store->commits, 1);
    return KLM_OK;
}

static klm_rc end(struct st_load *load, struct klm_diag *diag)
{
    klm_rc given = flush(load), rc = join(load, diag);

    KLM_TRY(rc);
    KLM_TRY(given);
    return put_number(load, diag);
}

klm_rc st_load_end(struct st_load **load, struct klm_diag *diag)
{
    klm_rc rc = end(*load, diag);

    st_load_drop(load);
    return rc;
}
