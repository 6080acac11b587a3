/* Pending drives of the store: a bounded list of callers that nobody accepted yet. */
#include "drivetable/parts.h"
#include "drivetable/record.h"

#include <string.h>

#define RECORD_MAX (DT_CERT_MAX + 1024)
#define POOL_MAX (4 * RECORD_MAX)

static klm_rc count_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key;
    (void)record;
    (void)damaged; /* a damaged one takes a place too */
    ++*(unsigned *)arg;
    return KLM_OK;
}

/* Is there a place for one more? */
static klm_rc room(struct st_view *view, unsigned max)
{
    unsigned n = 0;

    KLM_TRY(
        st_scan(view, ST_PENDING, &(struct st_range){.limit = (size_t)max + 1}, count_visit, &n));
    return n < max ? KLM_OK : KLM_E_LIMIT;
}

klm_rc dt_pending_put(struct st_change *change, const struct dt_pending *pending, unsigned max)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice key = klm_slice_str(pending->serial), there;
    klm_rc rc;

    KLM_TRY(dt_pending_check(pending));
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(st_change_view(change), ST_PENDING, key, pool, &there);
    if (rc == KLM_E_NOTFOUND) {
        KLM_TRY(room(st_change_view(change), max));
    } else if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    klm_buf_init(&buf, RECORD_MAX);
    dt_pending_encode(pending, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_PENDING, key, klm_buf_as_slice(&buf));
}

klm_rc dt_pending_get(struct st_view *view, const char *serial, struct klm_pool *pool,
                      struct dt_pending *out)
{
    struct dt_pending pending = {0};
    struct klm_slice record;

    if (strnlen(serial, DT_SERIAL + 1) != DT_SERIAL) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(st_get(view, ST_PENDING, klm_slice_str(serial), pool, &record));
    memcpy(pending.serial, serial, DT_SERIAL);
    KLM_TRY(dt_pending_decode(record, &pending));
    *out = pending;
    return KLM_OK;
}

klm_rc dt_pending_delete(struct st_change *change, const char *serial)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    klm_rc rc;

    if (strnlen(serial, DT_SERIAL + 1) != DT_SERIAL) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(st_change_view(change), ST_PENDING, klm_slice_str(serial), pool, &record);
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    return st_delete(change, ST_PENDING, klm_slice_str(serial));
}

struct scan {
    dt_pending_fn *fn;
    void *arg;
};

static klm_rc scan_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct scan *scan = arg;
    struct dt_pending pending = {0};
    char name[DT_SERIAL + 1] = "";

    memcpy(name, key.p, key.n < DT_SERIAL ? key.n : DT_SERIAL);
    memcpy(pending.serial, name, sizeof name);
    if (damaged || dt_pending_decode(record, &pending) != KLM_OK) {
        klm_say(KLM_MSG_PENDING_DAMAGED, name);
        return KLM_OK;
    }
    return scan->fn(scan->arg, &pending);
}

klm_rc dt_pending_scan(struct st_view *view, dt_pending_fn *fn, void *arg)
{
    struct scan scan = {fn, arg};

    return st_scan(view, ST_PENDING, &(struct st_range){0}, scan_visit, &scan);
}
