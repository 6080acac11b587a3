/* Plays a case: fills each request, has it answered, compares, learns. Whoever answers is a function, so that a case can be played without a server. */
#ifndef TESTS_CONFORMANCE_PLAY_H
#define TESTS_CONFORMANCE_PLAY_H

#include "tests/conformance/memory.h"

/* Answers the request of a pair (numbered from 0), as it was filled. A failure ends the case; why tells it. */
struct cf_peer {
    klm_rc (*call)(void *arg, size_t pair, const struct kmip_node *request, struct klm_pool *pool,
                   struct kmip_node **answer, char why[CF_WHY_MAX]);
    void *arg;
};
enum cf_outcome { CF_PASS, CF_FAIL, CF_ERROR };

/* Play a case. why: the first difference, or what went wrong, with the number of the pair. */
enum cf_outcome cf_play(const struct cf_case *test, struct cf_memory *memory,
                        const struct cf_peer *peer, char why[CF_WHY_MAX]);
/* Play one for what it leaves behind, whatever its answers are. */
void cf_play_through(const struct cf_case *test, struct cf_memory *memory,
                     const struct cf_peer *peer);

#endif
