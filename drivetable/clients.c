/* Clients and device groups of the store. A client's record stands under its name; a row under its fingerprint leads there, and what it proves itself by stands beside it. */
#include "drivetable/clients.h"

#include "drivetable/client_record.h"

#include <string.h>

#define POOL_MAX (4 * DT_CLIENT_RECORD_MAX)
#define BY_NAME 'N'
#define BY_FINGERPRINT 'F'
#define PROOF 'P'
#define PROOF_RECORD_MAX (64 + 32 * DT_ONCE_MAX)

/* ---- Keys */

struct key {
    uint8_t p[1 + DT_CLIENT_NAME_MAX];
    size_t n;
};

/* KLM_E_NOTFOUND: no client has such a name. */
static klm_rc name_key(const char *name, struct key *out)
{
    if (dt_client_name_check(name) != KLM_OK) {
        return KLM_E_NOTFOUND;
    }
    out->p[0] = BY_NAME;
    out->n = 1 + strlen(name);
    memcpy(out->p + 1, name, out->n - 1);
    return KLM_OK;
}

static klm_rc fingerprint_key(const char *fingerprint, struct key *out)
{
    size_t n = 0;

    if (!dt_is_fingerprint(fingerprint)) {
        return KLM_E_NOTFOUND;
    }
    out->p[0] = BY_FINGERPRINT;
    KLM_TRY(klm_unhex(fingerprint, out->p + 1, 32, &n));
    out->n = 1 + n;
    return KLM_OK;
}

static struct klm_slice slice_of(const struct key *key)
{
    return KLM_SLICE(key->p, key->n);
}

/* ---- Clients */

static klm_rc get_in(struct st_view *view, const char *name, struct klm_pool *pool,
                     struct dt_client *out)
{
    struct dt_client client = {0};
    struct klm_slice record;
    struct key key;

    KLM_TRY(name_key(name, &key));
    KLM_TRY(st_get(view, ST_CLIENT, slice_of(&key), pool, &record));
    memcpy(client.name, name, strlen(name));
    KLM_TRY(dt_client_decode(record, &client));
    *out = client;
    return KLM_OK;
}

klm_rc dt_client_get(struct st_view *view, const char *name, struct klm_pool *pool,
                     struct dt_client *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *own = NULL;

    if (pool) {
        return get_in(view, name, pool, out);
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &own));
    KLM_TRY(get_in(view, name, own, out));
    out->cert = (struct klm_slice){0};
    return KLM_OK;
}

klm_rc dt_client_find(struct st_view *view, const char *fingerprint, struct klm_pool *pool,
                      struct dt_client *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *own = NULL;
    char name[DT_CLIENT_NAME_MAX + 1] = "";
    struct klm_slice row;
    struct key key;

    KLM_TRY(fingerprint_key(fingerprint, &key));
    KLM_TRY(klm_pool_new(POOL_MAX, &own));
    KLM_TRY(st_get(view, ST_CLIENT, slice_of(&key), own, &row));
    if (row.n == 0 || row.n > DT_CLIENT_NAME_MAX) {
        return KLM_E_CORRUPT;
    }
    memcpy(name, row.p, row.n);
    return dt_client_get(view, name, pool, out);
}

/* Is a key free, or does it lead to the client before? taken is the answer when not. */
static klm_rc check_free(struct st_change *change, const struct key *key, klm_rc taken)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice there;
    klm_rc rc;

    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    rc = st_get(st_change_view(change), ST_CLIENT, slice_of(key), pool, &there);
    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    return rc == KLM_OK || rc == KLM_E_CORRUPT ? taken : rc;
}

static klm_rc put(struct st_change *change, const struct dt_client *client)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    struct key name, fingerprint;

    KLM_TRY(name_key(client->name, &name));
    klm_buf_init(&buf, DT_CLIENT_RECORD_MAX);
    dt_client_encode(client, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    KLM_TRY(st_put(change, ST_CLIENT, slice_of(&name), klm_buf_as_slice(&buf)));
    if (!client->fingerprint[0]) {
        return KLM_OK;
    }
    KLM_TRY(fingerprint_key(client->fingerprint, &fingerprint));
    return st_put(change, ST_CLIENT, slice_of(&fingerprint), klm_slice_str(client->name));
}

static klm_rc take_away(struct st_change *change, const struct dt_client *client)
{
    struct key key;

    KLM_TRY(name_key(client->name, &key));
    KLM_TRY(st_delete(change, ST_CLIENT, slice_of(&key)));
    if (!client->fingerprint[0]) {
        return KLM_OK;
    }
    KLM_TRY(fingerprint_key(client->fingerprint, &key));
    return st_delete(change, ST_CLIENT, slice_of(&key));
}

static bool certificate_fits(const struct dt_client *client)
{
    return (client->fingerprint[0] != '\0') == (client->cert.n > 0) &&
           client->cert.n <= DT_CLIENT_CERT_MAX;
}

/* Name and certificate of what comes must be free, unless they are those of what was. */
static klm_rc check_new(struct st_change *change, const struct dt_client *before,
                        const struct dt_client *after)
{
    struct key key;

    KLM_TRY(dt_client_check(after));
    if (!certificate_fits(after)) {
        return KLM_E_INVALID;
    }
    if (!before || strcmp(before->name, after->name) != 0) {
        KLM_TRY(name_key(after->name, &key));
        KLM_TRY(check_free(change, &key, KLM_E_EXISTS));
    }
    if (after->fingerprint[0] &&
        (!before || strcmp(before->fingerprint, after->fingerprint) != 0)) {
        KLM_TRY(fingerprint_key(after->fingerprint, &key));
        KLM_TRY(check_free(change, &key, KLM_E_BUSY));
    }
    return KLM_OK;
}

/* ---- What they prove themselves by */

static klm_rc proof_key(const char *name, struct key *out)
{
    KLM_TRY(name_key(name, out));
    out->p[0] = PROOF;
    return KLM_OK;
}

klm_rc dt_proof_get(struct st_view *view, const char *name, struct dt_proof *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice record;
    struct key key;

    KLM_TRY(proof_key(name, &key));
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_CLIENT, slice_of(&key), pool, &record));
    return dt_proof_decode(record, out);
}

klm_rc dt_proof_put(struct st_change *change, const char *name, const struct dt_proof *proof)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    struct key key;

    KLM_TRY(proof_key(name, &key) == KLM_OK ? KLM_OK : KLM_E_INVALID);
    if (!proof) {
        return st_delete(change, ST_CLIENT, slice_of(&key));
    }
    if (proof->n > DT_ONCE_MAX || proof->stamp < 0) {
        return KLM_E_INVALID;
    }
    klm_buf_init(&buf, PROOF_RECORD_MAX);
    dt_proof_encode(proof, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_CLIENT, slice_of(&key), klm_buf_as_slice(&buf));
}

/* The record of before goes, or goes on under the name of after. One that cannot be read is left behind by no name. */
static klm_rc move_proof(struct st_change *change, const char *before,
                         const struct dt_client *after)
{
    struct dt_proof proof;
    klm_rc rc;

    if (after && strcmp(before, after->name) == 0) {
        return KLM_OK;
    }
    rc = dt_proof_get(st_change_view(change), before, &proof);
    if (rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    if (rc == KLM_OK && after) {
        KLM_TRY(dt_proof_put(change, after->name, &proof));
    }
    return rc == KLM_OK || rc == KLM_E_CORRUPT ? dt_proof_put(change, before, NULL) : rc;
}

klm_rc dt_client_change(struct st_change *change, const struct dt_client *before,
                        const struct dt_client *after)
{
    struct dt_client there;

    if (before) {
        KLM_TRY(dt_client_get(st_change_view(change), before->name, NULL, &there));
    }
    if (after) {
        KLM_TRY(check_new(change, before, after));
    }
    if (before) {
        KLM_TRY(take_away(change, &there));
        KLM_TRY(move_proof(change, before->name, after));
    }
    return after ? put(change, after) : KLM_OK;
}

/* Rows of fingerprints that lead to a name. */
struct rows_of {
    const char *name;
    struct key key[4]; /* there is one, unless something went wrong */
    size_t n;
};

static klm_rc row_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct rows_of *rows = arg;

    if (!damaged && klm_slice_equal(record, klm_slice_str(rows->name)) &&
        rows->n < KLM_COUNT(rows->key) && key.n <= sizeof rows->key[0].p) {
        memcpy(rows->key[rows->n].p, key.p, key.n);
        rows->key[rows->n++].n = key.n;
    }
    return KLM_OK;
}

klm_rc dt_client_drop(struct st_change *change, const char *name)
{
    static const uint8_t prefix = BY_FINGERPRINT;
    struct rows_of rows = {.name = name};
    struct key key;

    KLM_TRY(name_key(name, &key));
    if (check_free(change, &key, KLM_E_EXISTS) == KLM_OK) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(st_scan(st_change_view(change), ST_CLIENT,
                    &(struct st_range){.prefix = KLM_SLICE(&prefix, 1)}, row_visit, &rows));
    for (size_t i = 0; i < rows.n; i++) {
        KLM_TRY(st_delete(change, ST_CLIENT, slice_of(&rows.key[i])));
    }
    KLM_TRY(move_proof(change, name, NULL));
    return st_delete(change, ST_CLIENT, slice_of(&key));
}

struct scan {
    dt_client_fn *fn;
    void *arg;
};

static klm_rc scan_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct scan *scan = arg;
    struct dt_client client = {0};

    if (key.n - 1 <= DT_CLIENT_NAME_MAX) {
        memcpy(client.name, key.p + 1, key.n - 1);
    }
    if (damaged || dt_client_decode(record, &client) != KLM_OK) {
        klm_say(KLM_MSG_CLIENT_DAMAGED, client.name);
        return KLM_OK;
    }
    return scan->fn(scan->arg, &client);
}

klm_rc dt_client_scan(struct st_view *view, dt_client_fn *fn, void *arg)
{
    static const uint8_t prefix = BY_NAME;
    struct scan scan = {fn, arg};

    return st_scan(view, ST_CLIENT, &(struct st_range){.prefix = KLM_SLICE(&prefix, 1)}, scan_visit,
                   &scan);
}

/* ---- Device groups */

klm_rc dt_device_group_get(struct st_view *view, const char *name, struct dt_device_group *out)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct dt_device_group group = {0};
    struct klm_slice record;

    if (dt_device_group_check(name) != KLM_OK) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(klm_pool_new(POOL_MAX, &pool));
    KLM_TRY(st_get(view, ST_DEVICE_GROUP, klm_slice_str(name), pool, &record));
    memcpy(group.name, name, strlen(name));
    KLM_TRY(dt_device_group_decode(record, &group));
    *out = group;
    return KLM_OK;
}

klm_rc dt_device_group_put(struct st_change *change, const struct dt_device_group *group)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    KLM_TRY(dt_device_group_check(group->name));
    KLM_TRY(dt_prefix_check(group->prefix));
    klm_buf_init(&buf, 256);
    dt_device_group_encode(group, &buf);
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_DEVICE_GROUP, klm_slice_str(group->name), klm_buf_as_slice(&buf));
}

klm_rc dt_device_group_delete(struct st_change *change, const char *name)
{
    struct dt_device_group there;
    klm_rc rc = dt_device_group_get(st_change_view(change), name, &there);

    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    return st_delete(change, ST_DEVICE_GROUP, klm_slice_str(name));
}

struct group_scan {
    dt_device_group_fn *fn;
    void *arg;
};

static klm_rc group_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct group_scan *scan = arg;
    struct dt_device_group group = {0};

    if (key.n <= DT_DEVICE_GROUP_MAX) {
        memcpy(group.name, key.p, key.n);
    }
    if (damaged || dt_device_group_decode(record, &group) != KLM_OK) {
        klm_say(KLM_MSG_DEVICE_GROUP_DAMAGED, group.name);
        return KLM_OK;
    }
    return scan->fn(scan->arg, &group);
}

klm_rc dt_device_group_scan(struct st_view *view, dt_device_group_fn *fn, void *arg)
{
    struct group_scan scan = {fn, arg};

    return st_scan(view, ST_DEVICE_GROUP, &(struct st_range){0}, group_visit, &scan);
}
