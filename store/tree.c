/* Treap of (table, key). Insertion splits and removal joins along one path without recursion; only
 * the walk over all nodes recurses, as deep as the tree: some tens of levels for a million nodes.
 */
#include "store/tree.h"

#include <string.h>

int st_key_compare(struct klm_slice a, struct klm_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int order = n ? memcmp(a.p, b.p, n) : 0;

    if (order) {
        return order;
    }
    return (a.n > b.n) - (a.n < b.n);
}

static int compare(const struct st_node *node, enum st_table table, struct klm_slice key)
{
    if (node->table != table) {
        return node->table < table ? -1 : 1;
    }
    return st_key_compare(node->key, key);
}

/* FNV-1a, then a final mix: keys that count upwards must not make weights that do. */
static uint64_t weigh(enum st_table table, struct klm_slice key)
{
    uint64_t h = 0xcbf29ce484222325u + (uint64_t)table;

    for (size_t i = 0; i < key.n; i++) {
        h = (h ^ key.p[i]) * 0x100000001b3u;
    }
    h ^= h >> 33;
    h *= 0xff51afd7ed558ccdu;
    return h ^ (h >> 33);
}

void st_node_init(struct st_node *node, enum st_table table, struct klm_slice key)
{
    node->left = node->right = NULL;
    node->table = table;
    node->key = key;
    node->weight = weigh(table, key);
}

/* Divide a tree into what is below and what is above the node's key. */
static void split(struct st_node *root, const struct st_node *at, struct st_node **low,
                  struct st_node **high)
{
    while (root) {
        if (compare(root, at->table, at->key) < 0) {
            *low = root;
            low = &root->right;
            root = root->right;
        } else {
            *high = root;
            high = &root->left;
            root = root->left;
        }
    }
    *low = *high = NULL;
}

/* One tree of two, every key of low below every key of high. */
static struct st_node *join(struct st_node *low, struct st_node *high)
{
    struct st_node *root = NULL, **at = &root;

    while (low && high) {
        if (low->weight >= high->weight) {
            *at = low;
            at = &low->right;
            low = low->right;
        } else {
            *at = high;
            at = &high->left;
            high = high->left;
        }
    }
    *at = low ? low : high;
    return root;
}

void st_tree_insert(struct st_node **root, struct st_node *node)
{
    while (*root && (*root)->weight >= node->weight) {
        root = compare(*root, node->table, node->key) < 0 ? &(*root)->right : &(*root)->left;
    }
    split(*root, node, &node->left, &node->right);
    *root = node;
}

void st_tree_remove(struct st_node **root, struct st_node *node)
{
    while (*root && *root != node) {
        root = compare(*root, node->table, node->key) < 0 ? &(*root)->right : &(*root)->left;
    }
    if (*root) {
        *root = join(node->left, node->right);
    }
}

struct st_node *st_tree_find(struct st_node *root, enum st_table table, struct klm_slice key)
{
    while (root) {
        int order = compare(root, table, key);
        if (order == 0) {
            return root;
        }
        root = order < 0 ? root->right : root->left;
    }
    return NULL;
}

struct st_node *st_tree_above(struct st_node *root, enum st_table table, struct klm_slice key,
                              bool open)
{
    struct st_node *best = NULL;

    while (root) {
        int order = compare(root, table, key);
        if (order < 0 || (open && order == 0)) {
            root = root->right;
        } else {
            best = root;
            root = root->left;
        }
    }
    return best && best->table == table ? best : NULL;
}

struct st_node *st_tree_below(struct st_node *root, enum st_table table, struct klm_slice key,
                              bool all)
{
    struct st_node *best = NULL;

    while (root) {
        bool below = all ? root->table <= table : compare(root, table, key) < 0;
        if (below) {
            best = root;
            root = root->right;
        } else {
            root = root->left;
        }
    }
    return best && best->table == table ? best : NULL;
}

void st_tree_each(struct st_node *root, st_node_fn *fn, void *arg)
{
    while (root) {
        struct st_node *right = root->right;
        st_tree_each(root->left, fn, arg);
        fn(arg, root);
        root = right;
    }
}
