/* Reading ahead: a driver's scan on a thread of its own, which hands records over in batches, so that finding records and checking them share two processors. */
#include "store/ahead.h"

#include "base/lane.h"
#include "base/thread.h"

#include <pthread.h>
#include <string.h>

#define BATCHES 4
#define ROOM (512u << 10) /* bytes of a batch; the longest record fits several times */

/* In front of each record; it never leaves this process. */
struct head {
    uint32_t key, sealed; /* lengths */
    uint16_t is_open;     /* its envelope was opened, */
    uint16_t rc;          /* with this outcome */
};

_Static_assert(ROOM >= 2 * (sizeof(struct head) + ST_KEY_MAX + ST_SEALED_MAX), "any record fits");

struct batch {
    size_t n;
    uint8_t bytes[ROOM];
};

struct ahead {
    struct st_snapshot *snapshot;
    struct st_mac *mac;
    enum st_table table;
    const struct st_bounds *bounds;
    struct klm_lane *lane;
    struct batch *batch; /* the giver's, being filled */
};

/* The record at a place of a batch; returns the place of the next. */
static size_t record_at(const struct batch *batch, size_t at, struct st_found *out)
{
    const uint8_t *p = batch->bytes + at;
    struct head head;

    memcpy(&head, p, sizeof head);
    p += sizeof head;
    *out = (struct st_found){.key = KLM_SLICE(p, head.key),
                             .sealed = KLM_SLICE(p + head.key, head.sealed),
                             .is_open = head.is_open,
                             .rc = (klm_rc)head.rc};
    if (head.is_open && out->rc == KLM_OK) {
        out->record =
            KLM_SLICE(out->sealed.p + ST_ENVELOPE, out->sealed.n - ST_ENVELOPE); /* as it does */
    }
    return at + sizeof head + head.key + head.sealed;
}

static void open_envelopes(struct ahead *a)
{
    struct batch *batch = a->batch;

    for (size_t at = 0, next; at < batch->n; at = next) {
        struct st_found found;
        struct head head;

        next = record_at(batch, at, &found);
        memcpy(&head, batch->bytes + at, sizeof head);
        head.is_open = 1;
        head.rc = (uint16_t)st_unseal(a->mac, a->table, found.key, found.sealed, &found.record);
        memcpy(batch->bytes + at, &head, sizeof head);
    }
}

static void give(struct ahead *a)
{
    if (klm_lane_behind(a->lane)) {
        open_envelopes(a);
    }
    klm_lane_give(a->lane);
    a->batch = NULL;
}

static klm_rc room_for(struct ahead *a, size_t n)
{
    if (a->batch && a->batch->n + n > ROOM) {
        give(a);
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
    struct head head = {.key = (uint32_t)key.n};
    uint8_t *to;

    if (key.n > ST_KEY_MAX) {
        return KLM_E_CORRUPT;
    }
    sealed.n =
        sealed.n > ST_SEALED_MAX ? ST_SEALED_MAX + 1 : sealed.n; /* damaged, also when it is cut */
    head.sealed = (uint32_t)sealed.n;
    KLM_TRY(room_for(a, sizeof head + key.n + sealed.n));
    to = a->batch->bytes + a->batch->n;
    memcpy(to, &head, sizeof head);
    memcpy(to + sizeof head, key.p, key.n);
    memcpy(to + sizeof head + key.n, sealed.p, sealed.n);
    a->batch->n += sizeof head + key.n + sealed.n;
    return KLM_OK;
}

static void *read_all(void *arg)
{
    struct ahead *a = arg;
    klm_rc rc = a->snapshot->driver->ops->scan(a->snapshot, a->table, a->bounds, keep, a);

    if (rc == KLM_OK && a->batch) {
        give(a);
    }
    klm_lane_end(a->lane, rc);
    return NULL;
}

static klm_rc visit_batch(const struct batch *batch, st_found_fn *visit, void *arg)
{
    for (size_t at = 0; at < batch->n;) {
        struct st_found found;

        at = record_at(batch, at, &found);
        KLM_TRY(visit(arg, &found));
    }
    return KLM_OK;
}

klm_rc st_scan_ahead(struct st_snapshot *snapshot, struct st_mac *mac, enum st_table table,
                     const struct st_bounds *bounds, st_found_fn *visit, void *arg)
{
    struct ahead a = {.snapshot = snapshot, .mac = mac, .table = table, .bounds = bounds};
    KLM_AUTO(klm_lane_free) struct klm_lane *lane = NULL;
    const struct batch *batch;
    klm_rc rc = KLM_OK, why = KLM_OK;
    pthread_t thread;

    KLM_TRY(klm_lane_new(BATCHES, sizeof(struct batch), &lane));
    a.lane = lane;
    KLM_TRY(klm_thread_start(&thread, "scan", read_all, &a));
    while (rc == KLM_OK && (batch = klm_lane_take(lane, &why))) {
        rc = visit_batch(batch, visit, arg);
    }
    klm_lane_close(lane);
    pthread_join(thread, NULL);
    return rc == KLM_OK ? why : rc;
}
