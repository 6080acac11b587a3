/* Key rings in the store. Under owner, 0, ring stands the ring itself: version, next sequence
 * number, how many connections, which certificate is the default. Each connection is a record of
 * its own under owner, 0, ring, 0, owner of the certificate, 0, label: version, usage, sequence
 * number. So a ring may be long, connecting costs two puts, and a damaged record loses one
 * connection. */
#include "keyring/internal.h"

#include <stdlib.h>
#include <string.h>

#define VERSION 1

static const char *const usages[] = {NULL, "PERSONAL", "CERTAUTH", "SITE"};

struct head {
    uint32_t next, count;
    const char *owner, *label; /* of the default certificate; "" none */
};

static void head_key(const char *owner, const char *ring, struct kr_rkey *key)
{
    kr_rkey_init(key, owner);
    kr_rkey_add(key, ring);
}

static void connect_key(const char *owner, const char *ring, const char *cert_owner,
                        const char *label, struct kr_rkey *key)
{
    head_key(owner, ring, key);
    kr_rkey_add(key, cert_owner);
    kr_rkey_add(key, label);
}

static klm_rc check_ring(const char *owner, const char *ring)
{
    KLM_TRY(kr_check_owner(owner));
    return kr_check_ring(ring);
}

static klm_rc usage_code(const char *usage, uint8_t *out)
{
    for (size_t i = 1; i < KLM_COUNT(usages); i++) {
        if (strcmp(usages[i], usage) == 0) {
            *out = (uint8_t)i;
            return KLM_OK;
        }
    }
    return KLM_E_INVALID;
}

static klm_rc head_get(struct st_view *view, const char *owner, const char *ring,
                       struct klm_pool *pool, struct head *out)
{
    struct kr_rkey key;
    struct klm_slice record;
    struct klm_cur cur;
    uint8_t version;

    head_key(owner, ring, &key);
    KLM_TRY(st_get(view, ST_RING, kr_rkey_slice(&key), pool, &record));
    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_u32(&cur, &out->next);
    klm_cur_u32(&cur, &out->count);
    klm_cur_str16(&cur, pool, KR_OWNER_MAX, &out->owner);
    klm_cur_str16(&cur, pool, KR_LABEL_MAX, &out->label);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION) {
        return klm_cur_rc(&cur) == KLM_E_NOMEM ? KLM_E_NOMEM : KLM_E_CORRUPT;
    }
    return KLM_OK;
}

static klm_rc head_put(struct st_change *change, const char *owner, const char *ring,
                       const struct head *head)
{
    struct kr_rkey key;
    struct klm_buf buf;
    klm_rc rc;

    head_key(owner, ring, &key);
    klm_buf_init(&buf, 256);
    klm_buf_u8(&buf, VERSION);
    klm_buf_u32(&buf, head->next);
    klm_buf_u32(&buf, head->count);
    klm_buf_str16(&buf, head->owner);
    klm_buf_str16(&buf, head->label);
    rc = klm_buf_rc(&buf);
    if (rc == KLM_OK) {
        rc = st_put(change, ST_RING, kr_rkey_slice(&key), klm_buf_as_slice(&buf));
    }
    klm_buf_done(&buf);
    return rc;
}

static bool is_default(const struct head *head, const char *owner, const char *label)
{
    return strcmp(head->owner, owner) == 0 && strcmp(head->label, label) == 0;
}

static klm_rc connect_decode(struct klm_slice record, uint8_t *usage, uint32_t *sequence)
{
    struct klm_cur cur;
    uint8_t version;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_u8(&cur, usage);
    klm_cur_u32(&cur, sequence);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || *usage == 0 ||
        *usage >= KLM_COUNT(usages)) {
        return KLM_E_CORRUPT;
    }
    return KLM_OK;
}

static klm_rc connect_put(struct st_change *change, const struct kr_rkey *key, uint8_t usage,
                          uint32_t sequence)
{
    const uint8_t record[6] = {VERSION,
                               usage,
                               (uint8_t)(sequence >> 24),
                               (uint8_t)(sequence >> 16),
                               (uint8_t)(sequence >> 8),
                               (uint8_t)sequence};

    return st_put(change, ST_RING, kr_rkey_slice(key), KLM_SLICE(record, sizeof record));
}

klm_rc kr_ring_add(struct st_change *change, const char *owner, const char *ring)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct head head = {1, 0, "", ""}, old;
    klm_rc rc;

    KLM_TRY(check_ring(owner, ring));
    KLM_TRY(klm_pool_new(0, &pool));
    rc = head_get(st_change_view(change), owner, ring, pool, &old);
    if (rc != KLM_E_NOTFOUND) {
        return rc == KLM_OK || rc == KLM_E_CORRUPT ? KLM_E_EXISTS : rc;
    }
    return head_put(change, owner, ring, &head);
}

/* ---- Reading */

struct placed {
    uint32_t sequence;
    struct kr_connect connect;
};

struct load {
    struct klm_pool *pool;
    struct head head;
    struct placed *at;
    size_t n, damaged, prefix;
};

static klm_rc load_one(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct load *load = arg;
    struct placed *placed = &load->at[load->n];
    uint8_t usage;
    size_t at = load->prefix;

    if (damaged || connect_decode(record, &usage, &placed->sequence) != KLM_OK) {
        load->damaged++;
        return KLM_OK;
    }
    if (load->n == KR_RING_CERTS_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(kr_rkey_part(key, &at, load->pool, &placed->connect.owner));
    KLM_TRY(kr_rkey_part(key, &at, load->pool, &placed->connect.label));
    placed->connect.usage = usages[usage];
    placed->connect.deflt = is_default(&load->head, placed->connect.owner, placed->connect.label);
    load->n++;
    return KLM_OK;
}

static int by_sequence(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;

    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static klm_rc finish(struct load *load, const char *owner, const char *ring, struct kr_ring *out)
{
    struct kr_ring found = {klm_pool_str(load->pool, owner), klm_pool_str(load->pool, ring), NULL,
                            load->n};

    found.connect = klm_pool_alloc(load->pool, (load->n + 1) * sizeof *found.connect);
    if (!found.owner || !found.name || !found.connect) {
        return KLM_E_NOMEM;
    }
    qsort(load->at, load->n, sizeof *load->at, by_sequence);
    for (size_t i = 0; i < load->n; i++) {
        found.connect[i] = load->at[i].connect;
    }
    *out = found;
    return KLM_OK;
}

static klm_rc load_all(struct st_view *view, const char *owner, const char *ring, struct load *load)
{
    struct kr_rkey prefix;

    head_key(owner, ring, &prefix);
    kr_rkey_add(&prefix, "");
    load->prefix = prefix.n;
    return st_scan(view, ST_RING, &(struct st_range){.prefix = kr_rkey_slice(&prefix)}, load_one,
                   load);
}

klm_rc kr_ring_load(struct st_view *view, const char *owner, const char *ring,
                    struct klm_pool *pool, struct kr_ring *out, size_t *damaged)
{
    struct load load = {.pool = pool};
    klm_rc rc;

    KLM_TRY(check_ring(owner, ring));
    KLM_TRY(head_get(view, owner, ring, pool, &load.head));
    load.at = calloc(KR_RING_CERTS_MAX + 1, sizeof *load.at);
    if (!load.at) {
        return KLM_E_NOMEM;
    }
    rc = load_all(view, owner, ring, &load);
    if (rc == KLM_OK) {
        rc = finish(&load, owner, ring, out);
    }
    free(load.at);
    KLM_TRY(rc);
    *damaged = load.damaged;
    return KLM_OK;
}

klm_rc kr_ring_get(struct st_view *view, const char *owner, const char *ring, struct klm_pool *pool,
                   struct kr_ring *out)
{
    struct kr_ring found;
    size_t damaged;

    KLM_TRY(kr_ring_load(view, owner, ring, pool, &found, &damaged));
    if (damaged) {
        return KLM_E_CORRUPT;
    }
    *out = found;
    return KLM_OK;
}

/* ---- Changing */

/* The sequence number of a connection: its own when it is there already, else the next.
 * KLM_E_LIMIT. */
static klm_rc take_sequence(struct st_view *view, const struct kr_rkey *key, struct klm_pool *pool,
                            struct head *head, uint32_t *out)
{
    struct klm_slice record;
    uint8_t usage;
    klm_rc rc = st_get(view, ST_RING, kr_rkey_slice(key), pool, &record);

    if (rc == KLM_OK) {
        rc = connect_decode(record, &usage, out);
    }
    if (rc == KLM_E_NOTFOUND) {
        if (head->count >= KR_RING_CERTS_MAX) {
            return KLM_E_LIMIT;
        }
        head->count++;
    }
    if (rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT) {
        *out = head->next++;
        return KLM_OK;
    }
    return rc;
}

klm_rc kr_ring_connect(struct st_change *change, const char *owner, const char *ring,
                       const struct kr_connect *connect)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct st_view *view = st_change_view(change);
    struct kr_rkey key;
    struct kr_cert cert;
    struct head head;
    uint8_t usage;
    uint32_t sequence;

    KLM_TRY(check_ring(owner, ring));
    KLM_TRY(usage_code(connect->usage, &usage));
    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(head_get(view, owner, ring, pool, &head));
    KLM_TRY(kr_cert_get(view, connect->owner, connect->label, pool, &cert));
    connect_key(owner, ring, connect->owner, connect->label, &key);
    KLM_TRY(take_sequence(view, &key, pool, &head, &sequence));
    if (connect->deflt) {
        head.owner = connect->owner;
        head.label = connect->label;
    } else if (is_default(&head, connect->owner, connect->label)) {
        head.owner = head.label = "";
    }
    KLM_TRY(connect_put(change, &key, usage, sequence));
    return head_put(change, owner, ring, &head);
}

klm_rc kr_ring_remove(struct st_change *change, const char *owner, const char *ring,
                      const char *cert_owner, const char *label)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_rkey key;
    struct klm_slice record;
    struct head head;
    klm_rc rc;

    KLM_TRY(check_ring(owner, ring));
    KLM_TRY(kr_check_owner(cert_owner));
    KLM_TRY(kr_check_label(label));
    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(head_get(st_change_view(change), owner, ring, pool, &head));
    connect_key(owner, ring, cert_owner, label, &key);
    rc = st_get(st_change_view(change), ST_RING, kr_rkey_slice(&key), pool, &record);
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    head.count -= head.count > 0;
    if (is_default(&head, cert_owner, label)) {
        head.owner = head.label = "";
    }
    KLM_TRY(st_delete(change, ST_RING, kr_rkey_slice(&key)));
    return head_put(change, owner, ring, &head);
}
