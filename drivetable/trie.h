/* Items in memory by their key, in tries that share what they have in common: a copy with one item put or removed costs one path,
 * however many items there are. What the tables of drives and clients are made of. */
#ifndef DRIVETABLE_TRIE_H
#define DRIVETABLE_TRIE_H

#include "base/rc.h"

#include <stddef.h>

/* Zeroed: an empty one. One thread changes a trie; any may read it meanwhile through a copy of its own. */
struct dt_trie {
    size_t count;
    void *root;
};

/* Add or replace an item: size bytes, copied, that begin with the key, a text and its NUL. KLM_E_NOMEM: the trie is as it was. */
klm_rc dt_trie_put(struct dt_trie *trie, const void *item, size_t size) KLM_MUST_USE;
/* KLM_E_NOTFOUND; KLM_E_NOMEM: the trie is as it was. */
klm_rc dt_trie_remove(struct dt_trie *trie, const char *key) KLM_MUST_USE;
/* Borrowed, as long as a trie holds it; NULL. */
const void *dt_trie_find(const struct dt_trie *trie, const char *key);
/* Make an empty trie a copy of another. */
void dt_trie_share(const struct dt_trie *from, struct dt_trie *to);
/* Empty it. */
void dt_trie_drop(struct dt_trie *trie);
/* All items, in no order; items has room for count. */
void dt_trie_items(const struct dt_trie *trie, const void **items);

#endif
