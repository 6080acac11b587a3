/* Reading ahead: a driver's scan on a thread of its own, which hands records over in batches, so that finding records and checking them share two processors. */
#include "store/ahead.h"

#include "base/lane.h"

#include <pthread.h>
#include <string.h>

#define BATCHES 4
#define ROOM (512u << 10) /* bytes of a batch; the longest record fits several times */
#define HEAD 8            /* lengths of key and record */

_Static_assert(ROOM >= 2 * (HEAD + ST_KEY_MAX + ST_SEALED_MAX), "any record fits");

struct batch {
    size_t n;
    uint8_t bytes[ROOM];
};

struct ahead {
    struct st_snapshot *snapshot;
    enum st_table table;
    const struct st_bounds *bounds;
    struct klm_lane *lane;
    struct batch *batch; /* the giver's, being filled */
};

static void put_length(uint8_t *to, size_t n)
{
    uint32_t length = (uint32_t)n;

    memcpy(to, &length, sizeof length); /* it never leaves this process */
}

static size_t length_at(const uint8_t *from)
{
    uint32_t length;

    memcpy(&length, from, sizeof length);
    return length;
}

static klm_rc room_for(struct ahead *a, size_t n)
{
    if (a->batch && a->batch->n + n > ROOM) {
        klm_lane_give(a->lane);
        a->batch = NULL;
    }
    if (!a->batch) {
        a->batch = klm_lane_slot(a->lane);
        if (!a->batch) {
            return KLM_E_CANCELLED; /* the visitor wants no more */
        }
        a->batch->n = 0;
    }
    return KLM_OK;
}

static klm_rc keep(void *arg, struct klm_slice key, struct klm_slice sealed)
{
    struct ahead *a = arg;
    uint8_t *to;

    if (key.n > ST_KEY_MAX) {
        return KLM_E_CORRUPT;
    }
    sealed.n =
        sealed.n > ST_SEALED_MAX ? ST_SEALED_MAX + 1 : sealed.n; /* damaged, also when it is cut */
    KLM_TRY(room_for(a, HEAD + key.n + sealed.n));
    to = a->batch->bytes + a->batch->n;
    put_length(to, key.n);
    put_length(to + 4, sealed.n);
    memcpy(to + HEAD, key.p, key.n);
    memcpy(to + HEAD + key.n, sealed.p, sealed.n);
    a->batch->n += HEAD + key.n + sealed.n;
    return KLM_OK;
}

static void *read_all(void *arg)
{
    struct ahead *a = arg;
    klm_rc rc = a->snapshot->driver->ops->scan(a->snapshot, a->table, a->bounds, keep, a);

    if (rc == KLM_OK && a->batch) {
        klm_lane_give(a->lane);
    }
    klm_lane_end(a->lane, rc);
    return NULL;
}

static klm_rc visit_batch(const struct batch *batch, st_raw_fn *visit, void *arg)
{
    for (size_t at = 0; at < batch->n;) {
        const uint8_t *p = batch->bytes + at;
        size_t key = length_at(p), record = length_at(p + 4);

        KLM_TRY(visit(arg, KLM_SLICE(p + HEAD, key), KLM_SLICE(p + HEAD + key, record)));
        at += HEAD + key + record;
    }
    return KLM_OK;
}

klm_rc st_scan_ahead(struct st_snapshot *snapshot, enum st_table table,
                     const struct st_bounds *bounds, st_raw_fn *visit, void *arg)
{
    struct ahead a = {.snapshot = snapshot, .table = table, .bounds = bounds};
    KLM_AUTO(klm_lane_free) struct klm_lane *lane = NULL;
    const struct batch *batch;
    klm_rc rc = KLM_OK, why = KLM_OK;
    pthread_t thread;

    KLM_TRY(klm_lane_new(BATCHES, sizeof(struct batch), &lane));
    a.lane = lane;
    if (pthread_create(&thread, NULL, read_all, &a) != 0) {
        return KLM_E_LIMIT;
    }
    while (rc == KLM_OK && (batch = klm_lane_take(lane, &why))) {
        rc = visit_batch(batch, visit, arg);
    }
    klm_lane_close(lane);
    pthread_join(thread, NULL);
    return rc == KLM_OK ? why : rc;
}
