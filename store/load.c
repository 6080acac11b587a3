/* Filling a new store: sorted records straight to the driver, without the overlay that hides a change on its way. */
#include "store/core.h"

#include "store/space.h"
#include "store/tree.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 4096             /* records of one transaction */
#define BATCH_BYTES (8u << 20) /* and their bytes */

struct st_load {
    struct st_store *store;
    struct klm_pool *pool; /* of the batch */
    size_t n, bytes;
    enum st_table table; /* of the last record */
    bool seen[ST_TABLES];
    size_t last_n;
    uint8_t last[ST_KEY_MAX]; /* its key */
    struct st_write write[BATCH];
};

void st_load_drop(struct st_load **load)
{
    struct st_load *l = *load;

    *load = NULL;
    if (l) {
        klm_pool_free(&l->pool);
        atomic_store(&l->store->changing, false);
        free(l);
    }
}

klm_rc st_load_open(struct st_store *store, struct st_load **out)
{
    struct st_load *load;

    if (store->read_only || st_failed(store) || atomic_load(&store->commits) > 0) {
        return KLM_E_STATE;
    }
    if (atomic_exchange(&store->changing, true)) {
        return KLM_E_BUSY;
    }
    load = calloc(1, sizeof *load);
    if (!load) {
        atomic_store(&store->changing, false);
        return KLM_E_NOMEM;
    }
    load->store = store;
    *out = load;
    return KLM_OK;
}

/* One transaction. Only the last is waited for: its sync puts all before it on disk, too. */
static klm_rc flush(struct st_load *load, bool sync, struct klm_diag *diag)
{
    struct st_store *store = load->store;
    bool doubt = false;
    klm_rc rc = store->space ? st_space_room(store->space, false, diag) : KLM_OK;

    if (rc == KLM_OK) {
        rc = store->driver->ops->commit(store->driver, load->write, load->n, sync, &doubt, diag);
    }
    load->n = load->bytes = 0;
    klm_pool_free(&load->pool);
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

static klm_rc add(struct st_load *load, enum st_table table, struct klm_slice key,
                  struct klm_slice record)
{
    struct st_write *write = &load->write[load->n];

    if (!load->pool) {
        KLM_TRY(klm_pool_new(BATCH_BYTES * 2 + BATCH * 2048, &load->pool));
    }
    *write = (struct st_write){.table = table};
    KLM_TRY(klm_pool_slice(load->pool, key, &write->key));
    KLM_TRY(st_seal(load->store->mac, table, key, record, load->pool, &write->sealed));
    load->n++;
    load->bytes += key.n + write->sealed.n;
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
    if (load->n == BATCH || load->bytes >= BATCH_BYTES) {
        KLM_TRY(flush(load, false, NULL));
    }
    return add(load, table, key, record);
}

/* The change number goes last: until it stands there the store counts as one that has no change. */
static klm_rc end(struct st_load *load, struct klm_diag *diag)
{
    struct st_store *store = load->store;
    uint64_t number = atomic_load(&store->number) + 1;
    struct st_write *write = load->write;

    if (load->n > 0) {
        KLM_TRY(flush(load, false, diag));
    }
    KLM_TRY(klm_pool_new(0, &load->pool));
    *write = (struct st_write){.table = ST_META, .key = klm_slice_str(ST_META_NUMBER)};
    KLM_TRY(st_number_seal(store, number, load->pool, &write->sealed));
    load->n = 1;
    KLM_TRY(flush(load, true, diag));
    atomic_store(&store->number, number);
    atomic_fetch_add(&store->commits, 1);
    return KLM_OK;
}

klm_rc st_load_end(struct st_load **load, struct klm_diag *diag)
{
    klm_rc rc = end(*load, diag);

    st_load_drop(load);
    return rc;
}
