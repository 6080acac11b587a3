/* Clients that wait: certificates of callers that nobody registered, a bounded list. */
#include "drivetable/client_record.h"

#include <string.h>

#define POOL_MAX (4 * DT_CLIENT_RECORD_MAX)

struct key {
    uint8_t p[32];
};

static klm_rc key_of(const char *fingerprint, struct key *out)
{
    size_t n = 0;

    if (!dt_is_fingerprint(fingerprint)) {
        return KLM_E_NOTFOUND;
    }
    return klm_unhex(fingerprint, out->p, sizeof out->p, &n);
}

klm_rc dt_client_pending_get(struct st_view *view, const char *fingerprint, struct klm_pool *pool,
                             struct dt_client_pending *out)
{
    struct dt_client_pending pending = {0};
    struct klm_slice record;
    struct key key;

    KLM_TRY(key_of(fingerprint, &key));
    KLM_TRY(st_get(view, ST_CLIENT_PENDING, KLM_SLICE(key.p, sizeof key.p), pool, &record));
    memcpy(pending.fingerprint, fingerprint, DT_FINGERPRINT_MAX);
    KLM_TRY(dt_client_pending_decode(record, &pending));
    *out = pending;
    return KLM_OK;
}

/* ---- Who makes room */

struct waiting {
    struct key key;
    char address[64]; /* "": it cannot be read, and goes first */
    klm_time last;
};
struct list {
    struct waiting at[DT_CLIENTS_PENDING_MAX];
    size_t n;
};

static klm_rc list_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct list *list = arg;
    struct waiting *to = &list->at[list->n];
    struct dt_client_pending pending = {0};

    if (list->n == KLM_COUNT(list->at) || key.n != sizeof to->key.p) {
        return KLM_OK;
    }
    *to = (struct waiting){0};
    memcpy(to->key.p, key.p, key.n);
    klm_hex(key.p, key.n, pending.fingerprint);
    if (!damaged && dt_client_pending_decode(record, &pending) == KLM_OK) {
        memcpy(to->address, pending.address, sizeof to->address);
        to->last = pending.last;
    }
    list->n++;
    return KLM_OK;
}

static size_t left_by(const struct list *list, const char *address)
{
    size_t n = 0;

    for (size_t i = 0; i < list->n; i++) {
        n += strcmp(list->at[i].address, address) == 0;
    }
    return n;
}

static bool goes_before(const struct waiting *a, size_t a_left, const struct waiting *b,
                        size_t b_left)
{
    if (!a->address[0] || !b->address[0]) {
        return !a->address[0] && b->address[0];
    }
    return a_left != b_left ? a_left > b_left : a->last < b->last;
}

/* The newcomer counts for its address: with one certificate of each, the oldest of all goes, unless the newcomer's address has one there. */
static const struct waiting *victim(const struct list *list, const char *address)
{
    const struct waiting *out = &list->at[0];
    size_t out_left = 0;

    for (size_t i = 0; i < list->n; i++) {
        const struct waiting *one = &list->at[i];
        size_t left = left_by(list, one->address) + (strcmp(one->address, address) == 0);

        if (i == 0 || goes_before(one, left, out, out_left)) {
            out = one;
            out_left = left;
        }
    }
    return out;
}

static klm_rc make_room(struct st_change *change, const char *address,
                        char pushed[DT_FINGERPRINT_MAX])
{
    struct list list = {.n = 0};
    const struct waiting *out;

    KLM_TRY(st_scan(st_change_view(change), ST_CLIENT_PENDING, &(struct st_range){0}, list_visit,
                    &list));
    if (list.n < DT_CLIENTS_PENDING_MAX) {
        return KLM_OK;
    }
    out = victim(&list, address);
    KLM_TRY(st_delete(change, ST_CLIENT_PENDING, KLM_SLICE(out->key.p, sizeof out->key.p)));
    klm_hex(out->key.p, sizeof out->key.p, pushed);
    return KLM_OK;
}

/* ---- The list */

klm_rc dt_client_pending_put(struct st_change *change, const struct dt_client_pending *pending,
                             char pushed[DT_FINGERPRINT_MAX])
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice there;
    struct key key;
    klm_rc rc;

    pushed[0] = '\0';
    KLM_TRY(dt_client_pending_check(pending));
    KLM_TRY(key_of(pending->fingerprint, &key));
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(st_change_view(change), ST_CLIENT_PENDING, KLM_SLICE(key.p, sizeof key.p), pool,
                &there);
    if (rc == KLM_E_NOTFOUND) {
        KLM_TRY(make_room(change, pending->address, pushed));
    } else if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    klm_buf_init(&buf, DT_CLIENT_RECORD_MAX);
    dt_client_pending_encode(pending, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_CLIENT_PENDING, KLM_SLICE(key.p, sizeof key.p),
                  klm_buf_as_slice(&buf));
}

klm_rc dt_client_pending_delete(struct st_change *change, const char *fingerprint)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    struct key key;
    klm_rc rc;

    KLM_TRY(key_of(fingerprint, &key));
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(st_change_view(change), ST_CLIENT_PENDING, KLM_SLICE(key.p, sizeof key.p), pool,
                &record);
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    return st_delete(change, ST_CLIENT_PENDING, KLM_SLICE(key.p, sizeof key.p));
}

struct scan {
    dt_client_pending_fn *fn;
    void *arg;
};

static klm_rc scan_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct scan *scan = arg;
    struct dt_client_pending pending = {0};

    if (key.n == 32) {
        klm_hex(key.p, key.n, pending.fingerprint);
    }
    if (damaged || dt_client_pending_decode(record, &pending) != KLM_OK) {
        klm_say(KLM_MSG_CLIENT_PENDING_DAMAGED, pending.fingerprint);
        return KLM_OK;
    }
    return scan->fn(scan->arg, &pending);
}

klm_rc dt_client_pending_scan(struct st_view *view, dt_client_pending_fn *fn, void *arg)
{
    struct scan scan = {fn, arg};

    return st_scan(view, ST_CLIENT_PENDING, &(struct st_range){0}, scan_visit, &scan);
}

struct find {
    const char *beginning;
    char fingerprint[DT_FINGERPRINT_MAX];
    size_t n;
};

static klm_rc find_visit(void *arg, const struct dt_client_pending *pending)
{
    struct find *find = arg;

    if (strncmp(pending->fingerprint, find->beginning, strlen(find->beginning)) == 0) {
        memcpy(find->fingerprint, pending->fingerprint, sizeof find->fingerprint);
        find->n++;
    }
    return KLM_OK;
}

klm_rc dt_client_pending_find(struct st_view *view, const char *beginning, struct klm_pool *pool,
                              struct dt_client_pending *out)
{
    struct find find = {.beginning = beginning};

    KLM_TRY(dt_client_pending_scan(view, find_visit, &find));
    if (find.n != 1) {
        return find.n == 0 ? KLM_E_NOTFOUND : KLM_E_EXISTS;
    }
    return dt_client_pending_get(view, find.fingerprint, pool, out);
}
