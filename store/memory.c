/* The memory driver: a tree of keys, each with its versions by number of the commit that made them.
 * A snapshot is a number. Versions that no snapshot can see any more go with the next commit that
 * touches their key. */
#include "store/driver.h"
#include "store/tree.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct mem_version {
    struct mem_version *older;
    uint64_t number;
    bool deleted;
    size_t n;
    uint8_t p[];
};

struct mem_node {
    struct st_node node; /* first: nodes are mem_nodes */
    struct mem_version *newest;
    uint8_t key[];
};

struct mem_snapshot {
    struct st_snapshot base; /* first */
    uint64_t number;
    struct mem_snapshot *prev, *next;
};

struct memory {
    struct st_driver base; /* first */
    pthread_mutex_t lock;  /* guards everything below */
    struct st_node *root;
    uint64_t number;
    struct mem_snapshot *snapshots;
};

static klm_rc mem_snapshot(struct st_driver *driver, struct st_snapshot **out)
{
    struct memory *m = (struct memory *)driver;
    struct mem_snapshot *s = calloc(1, sizeof *s);

    if (!s) {
        return KLM_E_NOMEM;
    }
    s->base.driver = driver;
    pthread_mutex_lock(&m->lock);
    s->number = m->number;
    s->next = m->snapshots;
    if (s->next) {
        s->next->prev = s;
    }
    m->snapshots = s;
    pthread_mutex_unlock(&m->lock);
    *out = &s->base;
    return KLM_OK;
}

static void mem_release(struct st_snapshot *snapshot)
{
    struct mem_snapshot *s = (struct mem_snapshot *)snapshot;
    struct memory *m = (struct memory *)snapshot->driver;

    pthread_mutex_lock(&m->lock);
    if (s->next) {
        s->next->prev = s->prev;
    }
    if (s->prev) {
        s->prev->next = s->next;
    } else {
        m->snapshots = s->next;
    }
    pthread_mutex_unlock(&m->lock);
    free(s);
}

/* What a snapshot sees of a node, or NULL. */
static const struct mem_version *seen(const struct st_node *node, uint64_t number)
{
    const struct mem_version *v = node ? ((const struct mem_node *)node)->newest : NULL;

    while (v && v->number > number) {
        v = v->older;
    }
    return v && !v->deleted ? v : NULL;
}

/* The bytes stay: a version that an open snapshot sees is not freed. */
static klm_rc mem_get(struct st_snapshot *snapshot, enum st_table table, struct klm_slice key,
                      struct klm_slice *sealed)
{
    struct memory *m = (struct memory *)snapshot->driver;

    pthread_mutex_lock(&m->lock);
    const struct mem_version *v =
        seen(st_tree_find(m->root, table, key), ((struct mem_snapshot *)snapshot)->number);
    pthread_mutex_unlock(&m->lock);
    if (!v) {
        return KLM_E_NOTFOUND;
    }
    *sealed = KLM_SLICE(v->p, v->n);
    return KLM_OK;
}

/* The next node in the bounds that the snapshot sees; at is where its key is copied to. */
static const struct mem_version *mem_next(struct memory *m, uint64_t number, enum st_table table,
                                          const struct st_bounds *bounds, uint8_t at[ST_KEY_MAX],
                                          struct klm_slice *key)
{
    struct st_bounds b = *bounds;
    const struct mem_version *v = NULL;

    pthread_mutex_lock(&m->lock);
    while (!v) {
        const struct st_node *node = b.reverse ? st_tree_below(m->root, table, b.high, !b.has_high)
                                               : st_tree_above(m->root, table, b.low, b.low_open);
        if (!node || (b.reverse && st_key_compare(node->key, b.low) < 0) ||
            (!b.reverse && b.has_high && st_key_compare(node->key, b.high) >= 0)) {
            break;
        }
        st_bounds_after(&b, node->key);
        v = seen(node, number);
        if (v) {
            memcpy(at, node->key.p, node->key.n);
            *key = KLM_SLICE(at, node->key.n);
        }
    }
    pthread_mutex_unlock(&m->lock);
    return v;
}

static klm_rc mem_scan(struct st_snapshot *snapshot, enum st_table table,
                       const struct st_bounds *bounds, st_raw_fn *visit, void *arg)
{
    struct memory *m = (struct memory *)snapshot->driver;
    struct st_bounds b = *bounds;
    uint8_t at[2][ST_KEY_MAX]; /* in turn: the bounds borrow the last key while the next is found */
    struct klm_slice key;
    const struct mem_version *v;

    for (unsigned turn = 0;
         (v = mem_next(m, ((struct mem_snapshot *)snapshot)->number, table, &b, at[turn], &key));
         turn ^= 1) {
        KLM_TRY(visit(arg, key, KLM_SLICE(v->p, v->n)));
        st_bounds_after(&b, key);
    }
    return KLM_OK;
}

static uint64_t oldest_needed(const struct memory *m)
{
    uint64_t oldest = m->number;

    for (const struct mem_snapshot *s = m->snapshots; s; s = s->next) {
        oldest = s->number < oldest ? s->number : oldest;
    }
    return oldest;
}

static void free_versions(struct mem_version *v)
{
    while (v) {
        struct mem_version *older = v->older;
        free(v);
        v = older;
    }
}

/* Free what no snapshot from oldest on sees: everything under the first version that they all see.
 */
static void prune(struct memory *m, struct mem_node *node, uint64_t oldest)
{
    struct mem_version *v = node->newest;

    while (v && v->number > oldest) {
        v = v->older;
    }
    if (v) {
        free_versions(v->older);
        v->older = NULL;
    }
    if (v && v == node->newest && v->deleted) {
        st_tree_remove(&m->root, &node->node);
        free(v);
        free(node);
    }
}

/* Everything a batch needs, made before anything is changed. */
struct mem_ready {
    struct mem_node *node;
    struct mem_version *version;
};

static bool make_ready(const struct st_write *w, struct mem_ready *r)
{
    r->node = malloc(sizeof *r->node + w->key.n);
    r->version = malloc(sizeof *r->version + w->sealed.n);
    if (!r->node || !r->version) {
        return false;
    }
    memcpy(r->node->key, w->key.p, w->key.n);
    r->node->newest = NULL;
    st_node_init(&r->node->node, w->table, KLM_SLICE(r->node->key, w->key.n));
    *r->version = (struct mem_version){NULL, 0, w->deleted, w->sealed.n};
    if (w->sealed.n) {
        memcpy(r->version->p, w->sealed.p, w->sealed.n);
    }
    return true;
}

static void apply(struct memory *m, struct mem_ready *r, uint64_t oldest)
{
    struct st_node *found = st_tree_find(m->root, r->node->node.table, r->node->node.key);

    if (found) {
        free(r->node);
        r->node = (struct mem_node *)found;
    } else {
        st_tree_insert(&m->root, &r->node->node);
    }
    r->version->number = m->number;
    r->version->older = r->node->newest;
    r->node->newest = r->version;
    prune(m, r->node, oldest);
}

static klm_rc mem_commit(struct st_driver *driver, const struct st_write *writes, size_t n,
                         bool sync, bool *doubt, struct klm_diag *diag)
{
    struct memory *m = (struct memory *)driver;
    struct mem_ready *ready = calloc(n + 1, sizeof *ready);
    size_t made = 0;

    (void)sync; /* memory is as durable as this driver gets */
    (void)diag;
    *doubt = false;
    while (ready && made < n && make_ready(&writes[made], &ready[made])) {
        made++;
    }
    if (!ready || made < n) {
        for (size_t i = 0; ready && i <= made; i++) {
            free(ready[i].node);
            free(ready[i].version);
        }
        free(ready);
        return KLM_E_NOMEM;
    }
    pthread_mutex_lock(&m->lock);
    uint64_t oldest = oldest_needed(m);
    m->number++;
    for (size_t i = 0; i < n; i++) {
        apply(m, &ready[i], m->snapshots ? oldest : m->number);
    }
    pthread_mutex_unlock(&m->lock);
    free(ready);
    return KLM_OK;
}

static klm_rc mem_checkpoint(struct st_driver *driver)
{
    (void)driver;
    return KLM_OK;
}

static bool mem_failed(const struct st_driver *driver)
{
    (void)driver;
    return false;
}

static void free_node(void *arg, struct st_node *node)
{
    (void)arg;
    free_versions(((struct mem_node *)node)->newest);
    free(node);
}

static void mem_close(struct st_driver *driver, bool tidy)
{
    struct memory *m = (struct memory *)driver;

    (void)tidy;
    st_tree_each(m->root, free_node, NULL);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

klm_rc st_driver_memory(struct st_driver **out)
{
    static const struct st_driver_ops ops = {
        .snapshot = mem_snapshot,
        .release = mem_release,
        .get = mem_get,
        .scan = mem_scan,
        .commit = mem_commit,
        .checkpoint = mem_checkpoint,
        .failed = mem_failed,
        .close = mem_close,
    };
    struct memory *m = calloc(1, sizeof *m);

    if (!m) {
        return KLM_E_NOMEM;
    }
    m->base.ops = &ops;
    pthread_mutex_init(&m->lock, NULL);
    *out = &m->base;
    return KLM_OK;
}
