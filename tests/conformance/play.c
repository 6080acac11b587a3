#include "tests/conformance/play.h"

#include "tests/conformance/compare.h"

#include <stdio.h>

static enum cf_outcome play_pair(const struct cf_case *test, size_t i, struct cf_memory *memory,
                                 const struct cf_peer *peer, char why[CF_WHY_MAX])
{
    const struct cf_pair *pair = &test->pairs[i];
    struct kmip_node *request, *answer;
    klm_rc rc = cf_fill(memory, pair->request, &request, why);
    bool same;

    if (rc != KLM_OK) {
        return CF_ERROR;
    }
    rc = peer->call(peer->arg, i, request, memory->pool, &answer, why);
    if (rc != KLM_OK) {
        return rc == KLM_E_CLOSED || rc == KLM_E_NOMEM ? CF_ERROR : CF_FAIL;
    }
    cf_learn(memory, request, answer); /* first, for a batch may get what it made */
    same = cf_same(memory, test, request, pair->expected, answer, why);
    if (memory->short_of_memory) {
        snprintf(why, CF_WHY_MAX, "no memory");
        return CF_ERROR;
    }
    return same ? CF_PASS : CF_FAIL;
}

enum cf_outcome cf_play(const struct cf_case *test, struct cf_memory *memory,
                        const struct cf_peer *peer, char why[CF_WHY_MAX])
{
    for (size_t i = 0; i < test->n; i++) {
        char what[CF_WHY_MAX] = "";
        enum cf_outcome outcome = play_pair(test, i, memory, peer, what);

        if (outcome != CF_PASS) {
            snprintf(why, CF_WHY_MAX, "request %zu of %zu: %.*s", i + 1, test->n, CF_WHY_MAX - 64,
                     what);
            return outcome;
        }
    }
    return CF_PASS;
}

void cf_play_through(const struct cf_case *test, struct cf_memory *memory,
                     const struct cf_peer *peer)
{
    char why[CF_WHY_MAX];
    enum cf_outcome outcome = CF_PASS;

    for (size_t i = 0; i < test->n && outcome != CF_ERROR; i++) {
        outcome = play_pair(test, i, memory, peer, why);
    }
}
