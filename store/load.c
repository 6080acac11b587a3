/* Filling a new store: sorted records straight to the driver, without the overlay that hides a change on its way. The caller checks and copies records, a thread of its own
 * seals them and puts them into the driver, batch by batch. */
#include "store/core.h"

#include "base/lane.h"
#include "base/thread.h"

#include "store/space.h"
#include "store/tree.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 4096             /* records of one transaction */
#define BATCH_BYTES (2u << 20) /* and their bytes: the longest record fits many times */
#define BATCHES 4

_Static_assert(BATCH_BYTES >= 2 * (ST_KEY_MAX + ST_SEALED_MAX), "any record fits");

/* Keys and open envelopes, one behind the other. */
struct batch {
    size_t n, bytes;
    bool sealed; /* by the caller, who was ahead */
    struct st_write write[BATCH];
    uint8_t text[BATCH_BYTES];
};

struct st_load {
    struct st_store *store;
    struct klm_lane *lane;
    struct batch *batch; /* the lane's, being filled; NULL: none */
    pthread_t thread;
    bool running;
    klm_rc rc; /* of the thread, when it has ended */
    struct klm_diag diag;
    enum st_table table; /* of the last record */
    bool seen[ST_TABLES];
    size_t last_n;
    uint8_t last[ST_KEY_MAX]; /* its key */
};

/* One transaction. Only the last of a load is waited for: its sync puts all before it on disk, too. */
static klm_rc commit(struct st_store *store, const struct st_write *writes, size_t n, bool sync,
                     struct klm_diag *diag)
{
    bool doubt = false;
    klm_rc rc = store->space ? st_space_room(store->space, false, diag) : KLM_OK;

    return rc == KLM_OK ? store->driver->ops->commit(store->driver, writes, n, sync, &doubt, diag)
                        : rc;
}

static klm_rc seal(const struct st_mac *mac, struct batch *batch)
{
    for (size_t i = 0; i < batch->n; i++) {
        struct st_write *w = &batch->write[i];
        uint8_t *envelope = batch->text + (w->sealed.p - batch->text);

        KLM_TRY(st_seal_around(mac, w->table, w->key, envelope, w->sealed.n));
    }
    return KLM_OK;
}

static void *commit_all(void *arg)
{
    struct st_load *load = arg;
    struct batch *batch;
    klm_rc why = KLM_OK;

    while (load->rc == KLM_OK && (batch = klm_lane_take(load->lane, &why))) {
        load->rc = batch->sealed ? KLM_OK : seal(load->store->mac, batch);
        if (load->rc == KLM_OK) {
            load->rc = commit(load->store, batch->write, batch->n, false, &load->diag);
        }
    }
    klm_lane_close(load->lane);
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

/* Hand the batch over. A caller who is ahead of the thread takes some of its work. */
static klm_rc flush(struct st_load *load)
{
    struct batch *batch = load->batch;

    if (!batch) {
        return KLM_OK;
    }
    load->batch = NULL;
    batch->sealed = klm_lane_behind(load->lane);
    if (batch->sealed) {
        KLM_TRY(seal(load->store->mac, batch));
    }
    klm_lane_give(load->lane);
    return KLM_OK;
}

void st_load_drop(struct st_load **load)
{
    struct st_load *l = *load;

    *load = NULL;
    if (l) {
        (void)join(l, NULL); /* it is thrown away, or its outcome is known */
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
    rc = klm_lane_new(BATCHES, sizeof(struct batch), &load->lane);
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

/* A batch to add to; the outcome of the thread when it has failed. */
static klm_rc next_batch(struct st_load *load)
{
    if (!load->running) {
        KLM_TRY(klm_thread_start(&load->thread, "load", commit_all, load));
    }
    load->running = true;
    load->batch = klm_lane_slot(load->lane);
    if (!load->batch) {
        klm_rc rc = join(load, NULL);

        return rc == KLM_OK ? KLM_E_IO : rc;
    }
    load->batch->n = load->batch->bytes = 0;
    return KLM_OK;
}

static void add(struct batch *batch, enum st_table table, struct klm_slice key,
                struct klm_slice record)
{
    uint8_t *to = batch->text + batch->bytes, *envelope = to + key.n;

    memcpy(to, key.p, key.n);
    if (record.n) {
        memcpy(envelope + ST_ENVELOPE, record.p, record.n);
    }
    batch->write[batch->n++] =
        (struct st_write){.table = table,
                          .key = KLM_SLICE(to, key.n),
                          .sealed = KLM_SLICE(envelope, ST_ENVELOPE + record.n)};
    batch->bytes += key.n + ST_ENVELOPE + record.n;
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
    if (load->batch && (load->batch->n == BATCH ||
                        load->batch->bytes + key.n + ST_ENVELOPE + record.n > BATCH_BYTES)) {
        KLM_TRY(flush(load));
    }
    if (!load->batch) {
        KLM_TRY(next_batch(load));
    }
    add(load->batch, table, key, record);
    return KLM_OK;
}

void st_load_number(struct st_load *load, uint64_t number)
{
    if (atomic_load(&load->store->number) < number) {
        atomic_store(&load->store->number, number);
    }
}

/* The change number goes last: until it stands there the store counts as one that has no change. */
static klm_rc put_number(struct st_load *load, struct klm_diag *diag)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct st_store *store = load->store;
    uint64_t number = atomic_load(&store->number) + 1;
    struct st_write write = {.table = ST_META, .key = klm_slice_str(ST_META_NUMBER)};

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(st_number_seal(store, number, pool, &write.sealed));
    KLM_TRY(commit(store, &write, 1, true, diag));
    atomic_store(&store->number, number);
    atomic_fetch_add(&store->commits, 1);
    return KLM_OK;
}

static klm_rc end(struct st_load *load, struct klm_diag *diag)
{
    klm_rc given = flush(load);

    KLM_TRY(join(load, diag));
    KLM_TRY(given);
    KLM_TRY(load->store->driver->ops->checkpoint(load->store->driver));
    return put_number(load, diag);
}

klm_rc st_load_end(struct st_load **load, struct klm_diag *diag)
{
    klm_rc rc = end(*load, diag);

    st_load_drop(load);
    return rc;
}
