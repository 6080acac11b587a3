/* A set of texts that is filled once and then asked: what a partner's copy holds, looked up for each of what is here. The idea: a table of twice as many places, so that
 * each look costs the same however many there are; a seed keeps who may choose the texts from filling one place. */
#ifndef KEYMGR_TEXTSET_H
#define KEYMGR_TEXTSET_H

#include "base/pool.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct km_textset {
    const char **place; /* NULL: free */
    size_t places;      /* a power of two */
    size_t n, most;
    uint64_t seed;
    size_t looked; /* places that were looked at in all: the work done */
};

/* An empty one that has room for so many, in the pool. KLM_E_NOMEM, KLM_E_CRYPTO. */
klm_rc km_textset_init(struct km_textset *set, struct klm_pool *pool, size_t most) KLM_MUST_USE;
/* Put a text, which is borrowed. One that is there already, or "", is passed over. */
void km_textset_put(struct km_textset *set, const char *text);
bool km_textset_has(struct km_textset *set, const char *text);

#endif
