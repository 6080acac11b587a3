#include "keymgr/textset.h"

#include "base/secret.h"

#include <assert.h>
#include <string.h>

klm_rc km_textset_init(struct km_textset *set, struct klm_pool *pool, size_t most)
{
    struct km_textset made = {.places = 2, .most = most};

    while (made.places < 2 * most) {
        made.places *= 2;
    }
    made.place = klm_pool_alloc(pool, made.places * sizeof *made.place); /* zeroed */
    if (!made.place) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(klm_random(&made.seed, sizeof made.seed));
    *set = made;
    return KLM_OK;
}

static size_t hash_of(const struct km_textset *set, const char *text)
{
    uint64_t h = set->seed;

    for (; *text; text++) {
        h = (h ^ (uint8_t)*text) * 0x100000001b3u;
        h ^= h >> 29;
    }
    return (size_t)(h ^ h >> 32);
}

/* Where the text is, or would be: half of the places are free, so there is one. */
static const char **place_of(struct km_textset *set, const char *text)
{
    size_t at = hash_of(set, text);

    for (;; at++) {
        const char **place = &set->place[at & (set->places - 1)];

        set->looked++;
        if (!*place || strcmp(*place, text) == 0) {
            return place;
        }
    }
}

void km_textset_put(struct km_textset *set, const char *text)
{
    const char **place = text[0] ? place_of(set, text) : NULL;

    if (place && !*place) {
        assert(set->n < set->most);
        *place = text;
        set->n++;
    }
}

bool km_textset_has(struct km_textset *set, const char *text)
{
    return text[0] && *place_of(set, text);
}
