/* All rings: listing them, deleting one whole, and taking a certificate out of each. Names are
 * gathered first and visited after, so that a visitor may change what is scanned. */
#include "keyring/internal.h"

#include <string.h>

struct name {
    const char *owner, *ring; /* ring NULL: keys are gathered */
    struct klm_slice key;
    struct name *next;
};

struct names {
    struct klm_pool *pool;
    struct name *first, **last;
    bool keys; /* gather whole keys instead of names of rings */
};

static klm_rc gather(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct names *names = arg;
    struct name *name = klm_pool_alloc(names->pool, sizeof *name);
    size_t at = 0;

    (void)record, (void)damaged; /* a damaged ring is a ring, too */
    if (!name) {
        return KLM_E_NOMEM;
    }
    if (names->keys) {
        KLM_TRY(klm_pool_slice(names->pool, key, &name->key));
    } else {
        KLM_TRY(kr_rkey_part(key, &at, names->pool, &name->owner));
        KLM_TRY(kr_rkey_part(key, &at, names->pool, &name->ring));
        if (at <= key.n) {
            return KLM_OK; /* more parts follow: a connection */
        }
    }
    *names->last = name;
    names->last = &name->next;
    return KLM_OK;
}

static klm_rc names_of(struct st_view *view, struct klm_slice prefix, bool keys,
                       struct klm_pool *pool, struct names *out)
{
    *out = (struct names){.pool = pool, .keys = keys};
    out->last = &out->first;
    return st_scan(view, ST_RING, &(struct st_range){.prefix = prefix}, gather, out);
}

/* A ring as listings show it: what is damaged is left out, and the others are listed all the
 * same. */
static klm_rc load_shown(struct st_view *view, const struct name *name, struct klm_pool *pool,
                         struct kr_ring *out)
{
    size_t damaged;
    klm_rc rc = kr_ring_load(view, name->owner, name->ring, pool, out, &damaged);

    if (rc == KLM_E_CORRUPT) {
        *out = (struct kr_ring){name->owner, name->ring, NULL, 0};
        return KLM_OK;
    }
    return rc;
}

klm_rc kr_ring_scan(struct st_view *view, const char *owner, kr_ring_fn *fn, void *arg)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_rkey prefix = {.n = 0};
    struct names names;

    if (owner) {
        KLM_TRY(kr_check_owner(owner));
        kr_rkey_init(&prefix, owner);
        kr_rkey_add(&prefix, "");
    }
    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(names_of(view, kr_rkey_slice(&prefix), false, pool, &names));
    for (const struct name *name = names.first; name; name = name->next) {
        KLM_AUTO(klm_pool_free) struct klm_pool *ring_pool = NULL;
        struct kr_ring ring;

        KLM_TRY(klm_pool_new(0, &ring_pool));
        KLM_TRY(load_shown(view, name, ring_pool, &ring));
        KLM_TRY(fn(arg, &ring));
    }
    return KLM_OK;
}

/* Deletes every record under a prefix. */
static klm_rc delete_all(struct st_change *change, struct klm_slice prefix)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct names names;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(names_of(st_change_view(change), prefix, true, pool, &names));
    for (const struct name *name = names.first; name; name = name->next) {
        KLM_TRY(st_delete(change, ST_RING, name->key));
    }
    return KLM_OK;
}

klm_rc kr_ring_delete(struct st_change *change, const char *owner, const char *ring)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct kr_rkey key;
    struct klm_slice record;
    klm_rc rc;

    KLM_TRY(kr_check_owner(owner));
    KLM_TRY(kr_check_ring(ring));
    KLM_TRY(klm_pool_new(0, &pool));
    kr_rkey_init(&key, owner);
    kr_rkey_add(&key, ring);
    rc = st_get(st_change_view(change), ST_RING, kr_rkey_slice(&key), pool, &record);
    if (rc != KLM_OK && rc != KLM_E_CORRUPT) {
        return rc;
    }
    KLM_TRY(st_delete(change, ST_RING, kr_rkey_slice(&key)));
    kr_rkey_add(&key, "");
    return delete_all(change, kr_rkey_slice(&key));
}

klm_rc kr_ring_forget(struct st_change *change, const char *cert_owner, const char *label)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct names names;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(names_of(st_change_view(change), KLM_SLICE(NULL, 0), false, pool, &names));
    for (const struct name *name = names.first; name; name = name->next) {
        klm_rc rc = kr_ring_remove(change, name->owner, name->ring, cert_owner, label);

        if (rc != KLM_OK && rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
            return rc;
        }
    }
    return KLM_OK;
}
