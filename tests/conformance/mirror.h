/* A server in a mirror: it answers each request of a case with what the case expects, variables filled in; and it can be told to get one item wrong. What a
 * comparison is worth is seen here: the true answers must pass, the wrong ones must not. */
#ifndef TESTS_CONFORMANCE_MIRROR_H
#define TESTS_CONFORMANCE_MIRROR_H

#include "tests/conformance/play.h"

enum cf_wrong { CF_ALTERED, CF_REMOVED };
struct cf_mirror {
    const struct cf_case *test;
    const struct cf_memory *memory; /* of the player: only $NOW, and identifiers that it invented */
    struct cf_memory own;
    unsigned invented;
    bool lies; /* get the item with this number, in the answer of this pair, wrong */
    size_t pair, item;
    enum cf_wrong how;
    const struct kmip_node *wrong, *wrong_in; /* the item that was */
};

void cf_mirror_init(struct cf_mirror *mirror, const struct cf_case *test,
                    const struct cf_memory *memory);
/* The function of a struct cf_peer; arg is the mirror. */
klm_rc cf_mirror_call(void *arg, size_t pair, const struct kmip_node *request,
                      struct klm_pool *pool, struct kmip_node **answer, char why[CF_WHY_MAX])
    KLM_MUST_USE;
/* How many items that are no Structure a tree has. */
size_t cf_count_items(const struct kmip_node *node);

#endif
