/* The table in memory: a trie of three levels over the hash of the serial number, below it short
 * lists of drives. All parts are counted and shared between tables; a part that only one table
 * holds is changed in place, any other is copied first. So a new table costs one path of the
 * trie, and loading builds it without copies. */
#include "drivetable/parts.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS 3
#define FAN 32

/* First member of every counted part. */
struct shared {
    atomic_uint refs;
};
struct entry {
    struct shared shared;
    struct dt_drive drive;
};
struct leaf {
    struct shared shared;
    size_t n;
    struct entry *entry[];
};
struct node {
    struct shared shared;
    void *child[FAN]; /* nodes, at the last level leaves, or NULL */
};
struct dt_table {
    atomic_uint refs;
    size_t count;
    void *root;
};

static void *hold(void *part)
{
    if (part) {
        atomic_fetch_add_explicit(&((struct shared *)part)->refs, 1, memory_order_relaxed);
    }
    return part;
}

/* True when that was the last: the caller frees it. */
static bool let_go(atomic_uint *refs)
{
    return atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void drop_entry(struct entry *entry)
{
    if (entry && let_go(&entry->shared.refs)) {
        free(entry);
    }
}

static void drop_leaf(struct leaf *leaf)
{
    if (leaf && let_go(&leaf->shared.refs)) {
        for (size_t i = 0; i < leaf->n; i++) {
            drop_entry(leaf->entry[i]);
        }
        free(leaf);
    }
}

static void drop_node(struct node *node, int level)
{
    if (!node || !let_go(&node->shared.refs)) {
        return;
    }
    for (size_t i = 0; i < FAN; i++) {
        if (level + 1 < LEVELS) {
            drop_node(node->child[i], level + 1);
        } else {
            drop_leaf(node->child[i]);
        }
    }
    free(node);
}

/* FNV-1a, then folded so that its low 15 bits take part of all. */
static uint32_t hash_of(const char *serial)
{
    uint64_t h = 14695981039346656037u;

    for (; *serial; serial++) {
        h = (h ^ (uint8_t)*serial) * 1099511628211u;
    }
    return (uint32_t)(h ^ (h >> 32) ^ (h >> 47));
}

static size_t place(uint32_t hash, int level)
{
    return (hash >> (5 * level)) % FAN;
}

/* Make the node of a slot ours alone: new, as it is, or copied. */
static klm_rc own_node(void **slot, int level, struct node **out)
{
    struct node *old = *slot, *node = old;

    if (!old || atomic_load_explicit(&old->shared.refs, memory_order_acquire) > 1) {
        node = calloc(1, sizeof *node);
        if (!node) {
            return KLM_E_NOMEM;
        }
        atomic_init(&node->shared.refs, 1);
        for (size_t i = 0; old && i < FAN; i++) {
            node->child[i] = hold(old->child[i]);
        }
        drop_node(old, level);
        *slot = node;
    }
    *out = node;
    return KLM_OK;
}

/* The slot of the leaf where a hash belongs, every node above it ours alone. */
static klm_rc own_path(struct dt_table *table, uint32_t hash, void ***out)
{
    void **slot = &table->root;
    struct node *node;

    for (int level = 0; level < LEVELS; level++) {
        KLM_TRY(own_node(slot, level, &node));
        slot = &node->child[place(hash, level)];
    }
    *out = slot;
    return KLM_OK;
}

/* A leaf with the entries of old but one serial number (may be missing), and room for one more. */
static struct leaf *leaf_without(const struct leaf *old, const char *serial)
{
    size_t n = old ? old->n : 0;
    struct leaf *leaf = malloc(sizeof *leaf + (n + 1) * sizeof leaf->entry[0]);

    if (leaf) {
        atomic_init(&leaf->shared.refs, 1);
        leaf->n = 0;
        for (size_t i = 0; i < n; i++) {
            if (strcmp(old->entry[i]->drive.serial, serial) != 0) {
                leaf->entry[leaf->n++] = hold(old->entry[i]);
            }
        }
    }
    return leaf;
}

static klm_rc put(struct dt_table *table, const struct dt_drive *drive)
{
    void **slot;
    struct leaf *leaf, *old;
    struct entry *entry;

    KLM_TRY(own_path(table, hash_of(drive->serial), &slot));
    old = *slot;
    leaf = leaf_without(old, drive->serial);
    entry = malloc(sizeof *entry);
    if (!leaf || !entry) {
        drop_leaf(leaf);
        free(entry);
        return KLM_E_NOMEM;
    }
    atomic_init(&entry->shared.refs, 1);
    entry->drive = *drive;
    leaf->entry[leaf->n++] = entry;
    table->count += leaf->n - (old ? old->n : 0);
    drop_leaf(old);
    *slot = leaf;
    return KLM_OK;
}

static klm_rc take_out(struct dt_table *table, const char *serial)
{
    void **slot;
    struct leaf *leaf, *old;

    KLM_TRY(own_path(table, hash_of(serial), &slot));
    old = *slot;
    leaf = leaf_without(old, serial);
    if (!leaf) {
        return KLM_E_NOMEM;
    }
    *slot = leaf;
    drop_leaf(old);
    table->count--;
    if (leaf->n == 0) {
        *slot = NULL;
        drop_leaf(leaf);
    }
    return KLM_OK;
}

static klm_rc table_new(const struct dt_table *like, struct dt_table **out)
{
    struct dt_table *table = calloc(1, sizeof *table);

    if (!table) {
        return KLM_E_NOMEM;
    }
    atomic_init(&table->refs, 1);
    if (like) {
        table->count = like->count;
        table->root = hold(like->root);
    }
    *out = table;
    return KLM_OK;
}

static klm_rc load_visit(void *arg, const struct dt_drive *drive)
{
    struct dt_table *table = arg;

    return table->count < DT_DRIVES_MAX ? put(table, drive) : KLM_E_LIMIT;
}

klm_rc dt_table_load(struct st_view *view, struct klm_diag *diag, struct dt_table **out)
{
    KLM_AUTO(dt_table_free) struct dt_table *table = NULL;
    klm_rc rc;

    KLM_TRY(table_new(NULL, &table));
    rc = dt_scan(view, load_visit, table);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_DRIVE_LOAD, klm_rc_text(rc));
    }
    *out = table;
    table = NULL;
    return KLM_OK;
}

klm_rc dt_table_with(const struct dt_table *table, const struct dt_drive *drive,
                     struct dt_table **out)
{
    KLM_AUTO(dt_table_free) struct dt_table *new = NULL;

    KLM_TRY(dt_drive_check(drive));
    KLM_TRY(table_new(table, &new));
    KLM_TRY(put(new, drive));
    if (new->count > DT_DRIVES_MAX) {
        return KLM_E_LIMIT;
    }
    *out = new;
    new = NULL;
    return KLM_OK;
}

klm_rc dt_table_without(const struct dt_table *table, const char *serial, struct dt_table **out)
{
    KLM_AUTO(dt_table_free) struct dt_table *new = NULL;
    const struct dt_drive *there;

    KLM_TRY(dt_table_find(table, serial, &there));
    KLM_TRY(table_new(table, &new));
    KLM_TRY(take_out(new, serial));
    *out = new;
    new = NULL;
    return KLM_OK;
}

struct dt_table *dt_table_ref(struct dt_table *table)
{
    atomic_fetch_add_explicit(&table->refs, 1, memory_order_relaxed);
    return table;
}

void dt_table_free(struct dt_table **table)
{
    if (*table && let_go(&(*table)->refs)) {
        drop_node((*table)->root, 0);
        free(*table);
    }
    *table = NULL;
}

size_t dt_table_count(const struct dt_table *table)
{
    return table->count;
}

klm_rc dt_table_find(const struct dt_table *table, const char *serial, const struct dt_drive **out)
{
    uint32_t hash = hash_of(serial);
    const void *part = table->root;
    const struct leaf *leaf;

    for (int level = 0; part && level < LEVELS; level++) {
        part = ((const struct node *)part)->child[place(hash, level)];
    }
    leaf = part;
    for (size_t i = 0; leaf && i < leaf->n; i++) {
        if (strcmp(leaf->entry[i]->drive.serial, serial) == 0) {
            *out = &leaf->entry[i]->drive;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

struct list {
    const struct dt_drive **drive;
    size_t n;
};

static void collect(const void *part, int level, struct list *list)
{
    const struct node *node = part;
    const struct leaf *leaf = part;

    if (!part) {
        return;
    }
    for (size_t i = 0; level < LEVELS && i < FAN; i++) {
        collect(node->child[i], level + 1, list);
    }
    for (size_t i = 0; level == LEVELS && i < leaf->n; i++) {
        list->drive[list->n++] = &leaf->entry[i]->drive;
    }
}

static int drive_order(const void *a, const void *b)
{
    const struct dt_drive *const *x = a, *const *y = b;

    return strcmp((*x)->serial, (*y)->serial);
}

klm_rc dt_table_scan(const struct dt_table *table, dt_visit_fn *visit, void *arg)
{
    struct list list = {.drive = calloc(table->count + 1, sizeof(struct dt_drive *))};
    klm_rc rc = KLM_OK;

    if (!list.drive) {
        return KLM_E_NOMEM;
    }
    collect(table->root, 0, &list);
    qsort(list.drive, list.n, sizeof(struct dt_drive *), drive_order);
    for (size_t i = 0; rc == KLM_OK && i < list.n; i++) {
        rc = visit(arg, list.drive[i]);
    }
    free(list.drive);
    return rc;
}
