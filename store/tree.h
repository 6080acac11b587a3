/* An ordered tree of (table, key), its nodes part of the caller's own structures. A treap: a search
 * tree by key, a heap by a number mixed from the key, so its shape depends on what it holds and not
 * on the order of insertion. */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include "store/st.h"

struct st_node {
    struct st_node *left, *right;
    uint64_t weight;
    enum st_table table;
    struct klm_slice key; /* borrowed; must live as long as the node is in a tree */
};

/* Fill a node; it is in no tree yet. */
void st_node_init(struct st_node *node, enum st_table table, struct klm_slice key);
/* Put a node into the tree; its key must not be there. */
void st_tree_insert(struct st_node **root, struct st_node *node);
/* Take a node out; its memory stays with the caller. */
void st_tree_remove(struct st_node **root, struct st_node *node);
/* The node of a key, or NULL. */
struct st_node *st_tree_find(struct st_node *root, enum st_table table, struct klm_slice key);
/* The lowest node of a table at or above key (open: above it), or NULL. */
struct st_node *st_tree_above(struct st_node *root, enum st_table table, struct klm_slice key,
                              bool open);
/* The highest node of a table below key (all: of the whole table), or NULL. */
struct st_node *st_tree_below(struct st_node *root, enum st_table table, struct klm_slice key,
                              bool all);
/* Call fn for each node in order of table and key. */
typedef void st_node_fn(void *arg, struct st_node *node);
void st_tree_each(struct st_node *root, st_node_fn *fn, void *arg);

#endif
