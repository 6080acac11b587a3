/* A tree of the written keys, each with a stack of versions, and a list of all versions in the
 * order of writing: undoing to a mark pops versions until the list is as long as it was. A key
 * without versions left says nothing. */
#include "store/overlay.h"

#include "store/tree.h"

#include <stdatomic.h>
#include <stdlib.h>

#define POOL_MAX ((size_t)1 << 30)

struct version {
    struct entry *entry;
    struct version *under; /* the version of the same key before */
    struct version *older; /* the version of any key before */
    struct klm_slice sealed;
    bool deleted;
};

struct entry {
    struct st_node node; /* first: nodes are entries */
    struct version *top;
    struct klm_slice before; /* after the turn */
    bool was_there, fresh;   /* fresh: it was not there, that is known */
};

struct st_overlay {
    atomic_uint owners;
    struct klm_pool *pool;
    struct st_node *root;
    struct version *newest;
    size_t mark; /* how many versions */
    size_t size; /* how many keys with versions */
    bool turned;
};

klm_rc st_overlay_new(struct st_overlay **out)
{
    struct klm_pool *pool = NULL;
    struct st_overlay *overlay = calloc(1, sizeof *overlay);

    if (!overlay || klm_pool_new(POOL_MAX, &pool) != KLM_OK) {
        free(overlay);
        return KLM_E_NOMEM;
    }
    atomic_init(&overlay->owners, 1);
    overlay->pool = pool;
    *out = overlay;
    return KLM_OK;
}

struct st_overlay *st_overlay_share(struct st_overlay *overlay)
{
    if (overlay) {
        atomic_fetch_add(&overlay->owners, 1);
    }
    return overlay;
}

void st_overlay_drop(struct st_overlay **overlay)
{
    struct st_overlay *o = *overlay;

    *overlay = NULL;
    if (o && atomic_fetch_sub(&o->owners, 1) == 1) {
        klm_pool_free(&o->pool);
        free(o);
    }
}

struct klm_pool *st_overlay_pool(struct st_overlay *overlay)
{
    return overlay->pool;
}

/* The entry of a key, made when it is not there; NULL: no memory. */
static struct entry *entry_of(struct st_overlay *overlay, enum st_table table, struct klm_slice key)
{
    struct st_node *node = st_tree_find(overlay->root, table, key);

    if (node) {
        return (struct entry *)node;
    }
    struct entry *entry = klm_pool_alloc(overlay->pool, sizeof *entry);
    struct klm_slice copy;
    if (!entry || klm_pool_slice(overlay->pool, key, &copy) != KLM_OK) {
        return NULL;
    }
    st_node_init(&entry->node, table, copy);
    st_tree_insert(&overlay->root, &entry->node);
    return entry;
}

klm_rc st_overlay_write(struct st_overlay *overlay, enum st_table table, struct klm_slice key,
                        struct klm_slice sealed, bool deleted)
{
    struct version *version = klm_pool_alloc(overlay->pool, sizeof *version);
    struct entry *entry = version ? entry_of(overlay, table, key) : NULL;

    if (!entry) {
        return KLM_E_NOMEM;
    }
    overlay->size += !entry->top;
    *version = (struct version){entry, entry->top, overlay->newest, sealed, deleted};
    entry->top = overlay->newest = version;
    overlay->mark++;
    return KLM_OK;
}

klm_rc st_overlay_fresh(struct st_overlay *overlay, enum st_table table, struct klm_slice key)
{
    struct entry *entry;

    if (st_tree_find(overlay->root, table, key)) {
        return KLM_OK;
    }
    entry = entry_of(overlay, table, key);
    if (!entry) {
        return KLM_E_NOMEM;
    }
    entry->fresh = true;
    return KLM_OK;
}

size_t st_overlay_mark(const struct st_overlay *overlay)
{
    return overlay->mark;
}

void st_overlay_undo(struct st_overlay *overlay, size_t mark)
{
    while (overlay->mark > mark) {
        struct version *version = overlay->newest;
        version->entry->top = version->under;
        overlay->size -= !version->under;
        overlay->newest = version->older;
        overlay->mark--;
    }
}

size_t st_overlay_size(const struct st_overlay *overlay)
{
    return overlay->size;
}

static enum st_says say(const struct st_overlay *overlay, const struct entry *entry,
                        struct klm_slice *sealed)
{
    if (!entry->top) {
        return ST_SAYS_NOTHING;
    }
    if (overlay->turned ? !entry->was_there : entry->top->deleted) {
        return ST_SAYS_GONE;
    }
    *sealed = overlay->turned ? entry->before : entry->top->sealed;
    return ST_SAYS_RECORD;
}

enum st_says st_overlay_get(const struct st_overlay *overlay, enum st_table table,
                            struct klm_slice key, struct klm_slice *sealed)
{
    const struct st_node *node = st_tree_find(overlay->root, table, key);

    return node ? say(overlay, (const struct entry *)node, sealed) : ST_SAYS_NOTHING;
}

/* The node at the bounds' beginning, in the direction of the scan, or NULL. */
static const struct st_node *first_within(const struct st_overlay *overlay, enum st_table table,
                                          const struct st_bounds *b)
{
    const struct st_node *node;

    if (b->reverse) {
        node = st_tree_below(overlay->root, table, b->high, !b->has_high);
        int order = node ? st_key_compare(node->key, b->low) : -1;
        return order < 0 || (order == 0 && b->low_open) ? NULL : node;
    }
    node = st_tree_above(overlay->root, table, b->low, b->low_open);
    return node && b->has_high && st_key_compare(node->key, b->high) >= 0 ? NULL : node;
}

enum st_says st_overlay_next(const struct st_overlay *overlay, enum st_table table,
                             const struct st_bounds *bounds, struct klm_slice *key,
                             struct klm_slice *sealed)
{
    struct st_bounds b = *bounds;
    const struct st_node *node;

    while ((node = first_within(overlay, table, &b))) {
        enum st_says says = say(overlay, (const struct entry *)node, sealed);
        if (says != ST_SAYS_NOTHING) {
            *key = node->key;
            return says;
        }
        st_bounds_after(&b, node->key);
    }
    return ST_SAYS_NOTHING;
}

struct collect {
    struct st_write *writes;
    size_t n, deletes;
};

static void collect(void *arg, struct st_node *node)
{
    struct collect *c = arg;
    const struct version *top = ((const struct entry *)node)->top;

    if (top) {
        c->writes[c->n++] = (struct st_write){node->table, node->key, top->sealed, top->deleted};
        c->deletes += top->deleted;
    }
}

klm_rc st_overlay_writes(struct st_overlay *overlay, const struct st_write **writes, size_t *n,
                         size_t *deletes)
{
    struct collect c = {klm_pool_alloc(overlay->pool, (overlay->size + 1) * sizeof *c.writes), 0,
                        0};

    if (!c.writes) {
        return KLM_E_NOMEM;
    }
    st_tree_each(overlay->root, collect, &c);
    *writes = c.writes;
    *n = c.n;
    *deletes = c.deletes;
    return KLM_OK;
}

struct turn {
    struct st_overlay *overlay;
    struct st_snapshot *snapshot;
    klm_rc rc;
};

static void remember(void *arg, struct st_node *node)
{
    struct turn *t = arg;
    struct entry *entry = (struct entry *)node;
    struct klm_slice sealed;

    if (t->rc != KLM_OK || !entry->top || entry->fresh) {
        return;
    }
    t->rc = t->snapshot->driver->ops->get(t->snapshot, node->table, node->key, &sealed);
    entry->was_there = t->rc == KLM_OK;
    if (t->rc == KLM_OK) {
        t->rc = klm_pool_slice(t->overlay->pool, sealed, &entry->before);
    } else if (t->rc == KLM_E_NOTFOUND) {
        t->rc = KLM_OK;
    }
}

klm_rc st_overlay_turn(struct st_overlay *overlay, struct st_snapshot *snapshot)
{
    struct turn t = {overlay, snapshot, KLM_OK};

    st_tree_each(overlay->root, remember, &t);
    KLM_TRY(t.rc);
    overlay->turned = true;
    return KLM_OK;
}
