/* A trie of three levels over the hash of the key, below it short lists of items. All parts are counted and shared between tries; a
 * part that only one trie holds is changed in place, any other is copied first. So a changed copy costs one path of the trie, and
 * filling one copies nothing. */
#include "drivetable/trie.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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
    _Alignas(max_align_t) char item[]; /* begins with its key */
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

/* Eight bytes at a time, then folded so that its low 15 bits take part of all. */
static uint32_t hash_of(const char *key)
{
    size_t left = strlen(key);
    uint64_t h = left, word = 0;

    for (; left >= sizeof word; left -= sizeof word, key += sizeof word) {
        memcpy(&word, key, sizeof word);
        h = (h ^ word) * 0x9fb21c651e98df25u;
        h ^= h >> 29;
    }
    for (word = 0; left > 0; left--, key++) {
        word = word << 8 | (uint8_t)*key;
    }
    h = (h ^ word) * 0xd6e8feb86659fd93u;
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
static klm_rc own_path(struct dt_trie *trie, uint32_t hash, void ***out)
{
    void **slot = &trie->root;
    struct node *node;

    for (int level = 0; level < LEVELS; level++) {
        KLM_TRY(own_node(slot, level, &node));
        slot = &node->child[place(hash, level)];
    }
    *out = slot;
    return KLM_OK;
}

/* A leaf with the entries of old but one key (may be missing), and room for one more. */
static struct leaf *leaf_without(const struct leaf *old, const char *key)
{
    size_t n = old ? old->n : 0;
    struct leaf *leaf = malloc(sizeof *leaf + (n + 1) * sizeof leaf->entry[0]);

    if (leaf) {
        atomic_init(&leaf->shared.refs, 1);
        leaf->n = 0;
        for (size_t i = 0; i < n; i++) {
            if (strcmp(old->entry[i]->item, key) != 0) {
                leaf->entry[leaf->n++] = hold(old->entry[i]);
            }
        }
    }
    return leaf;
}

klm_rc dt_trie_put(struct dt_trie *trie, const void *item, size_t size)
{
    void **slot;
    struct leaf *leaf, *old;
    struct entry *entry;

    KLM_TRY(own_path(trie, hash_of(item), &slot));
    old = *slot;
    leaf = leaf_without(old, item);
    entry = malloc(sizeof *entry + size);
    if (!leaf || !entry) {
        drop_leaf(leaf);
        free(entry);
        return KLM_E_NOMEM;
    }
    atomic_init(&entry->shared.refs, 1);
    memcpy(entry->item, item, size);
    leaf->entry[leaf->n++] = entry;
    trie->count += leaf->n - (old ? old->n : 0);
    drop_leaf(old);
    *slot = leaf;
    return KLM_OK;
}

klm_rc dt_trie_remove(struct dt_trie *trie, const char *key)
{
    void **slot;
    struct leaf *leaf, *old;

    if (!dt_trie_find(trie, key)) {
        return KLM_E_NOTFOUND;
    }
    KLM_TRY(own_path(trie, hash_of(key), &slot));
    old = *slot;
    leaf = leaf_without(old, key);
    if (!leaf) {
        return KLM_E_NOMEM;
    }
    *slot = leaf;
    drop_leaf(old);
    trie->count--;
    if (leaf->n == 0) {
        *slot = NULL;
        drop_leaf(leaf);
    }
    return KLM_OK;
}

const void *dt_trie_find(const struct dt_trie *trie, const char *key)
{
    uint32_t hash = hash_of(key);
    const void *part = trie->root;
    const struct leaf *leaf;

    for (int level = 0; part && level < LEVELS; level++) {
        part = ((const struct node *)part)->child[place(hash, level)];
    }
    leaf = part;
    for (size_t i = 0; leaf && i < leaf->n; i++) {
        if (strcmp(leaf->entry[i]->item, key) == 0) {
            return leaf->entry[i]->item;
        }
    }
    return NULL;
}

void dt_trie_share(const struct dt_trie *from, struct dt_trie *to)
{
    to->count = from->count;
    to->root = hold(from->root);
}

void dt_trie_drop(struct dt_trie *trie)
{
    drop_node(trie->root, 0);
    *trie = (struct dt_trie){0};
}

static size_t collect(const void *part, int level, const void **items)
{
    const struct node *node = part;
    const struct leaf *leaf = part;
    size_t n = 0;

    if (!part) {
        return 0;
    }
    for (size_t i = 0; level < LEVELS && i < FAN; i++) {
        n += collect(node->child[i], level + 1, items + n);
    }
    for (size_t i = 0; level == LEVELS && i < leaf->n; i++) {
        items[n++] = leaf->entry[i]->item;
    }
    return n;
}

void dt_trie_items(const struct dt_trie *trie, const void **items)
{
    (void)collect(trie->root, 0, items);
}
