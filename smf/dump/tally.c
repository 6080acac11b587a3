/* Counts by name. */
#include "smf/dump/tally.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bits. Names come from records, but their number has a limit, so the worst that made-up names can do is bounded. */
static uint64_t hash_of(const char *name)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * UINT64_C(1099511628211);
    }
    return hash;
}

/* The slot of a name, or the empty one where it goes. */
static size_t slot_of(const struct smfd_tally *tally, const char *name)
{
    size_t at = (size_t)(hash_of(name) % tally->slots_n);

    while (tally->slots[at] && strcmp(tally->rows[tally->slots[at] - 1].name, name) != 0) {
        at = (at + 1) % tally->slots_n;
    }
    return at;
}

static klm_rc grow(struct smfd_tally *tally)
{
    size_t cap = tally->cap ? 2 * tally->cap : 64;
    struct smfd_tally_row *rows = realloc(tally->rows, cap * sizeof *rows);
    uint32_t *slots;

    if (!rows) {
        return KLM_E_NOMEM;
    }
    tally->rows = rows;
    slots = calloc(2 * cap, sizeof *slots);
    if (!slots) {
        return KLM_E_NOMEM;
    }
    free(tally->slots);
    tally->slots = slots;
    tally->slots_n = 2 * cap;
    tally->cap = cap;
    for (size_t i = 0; i < tally->n; i++) {
        tally->slots[slot_of(tally, tally->rows[i].name)] = (uint32_t)i + 1;
    }
    return KLM_OK;
}

static klm_rc new_row(struct smfd_tally *tally, const char *name, klm_time time,
                      struct smfd_tally_row **out)
{
    char *copy;

    if (tally->n == tally->cap || tally->slots_n == 0) {
        KLM_TRY(grow(tally));
    }
    copy = strdup(name);
    if (!copy) {
        return KLM_E_NOMEM;
    }
    tally->slots[slot_of(tally, name)] = (uint32_t)tally->n + 1;
    tally->rows[tally->n] = (struct smfd_tally_row){.name = copy, .first = time, .last = time};
    *out = &tally->rows[tally->n++];
    return KLM_OK;
}

struct smfd_tally_row *smfd_tally_add(struct smfd_tally *tally, const char *name, klm_time time,
                                      bool failed, klm_rc *rc)
{
    size_t slot = tally->slots_n ? slot_of(tally, name) : 0;
    struct smfd_tally_row *row;

    if (tally->slots_n && tally->slots[slot]) {
        row = &tally->rows[tally->slots[slot] - 1];
    } else if (tally->n == SMFD_TALLY_MAX) {
        tally->others++;
        return NULL;
    } else {
        *rc = new_row(tally, name, time, &row);
        if (*rc != KLM_OK) {
            return NULL;
        }
    }
    row->n++;
    row->failed += failed;
    row->first = time < row->first ? time : row->first;
    row->last = time > row->last ? time : row->last;
    return row;
}

static int more_first(const void *a, const void *b)
{
    const struct smfd_tally_row *x = a, *y = b;

    if (x->n != y->n) {
        return x->n > y->n ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static int earlier_first(const void *a, const void *b)
{
    const struct smfd_tally_row *x = a, *y = b;

    if (x->first != y->first) {
        return x->first < y->first ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

void smfd_tally_by_count(struct smfd_tally *tally)
{
    if (tally->n) {
        qsort(tally->rows, tally->n, sizeof *tally->rows, more_first);
    }
}

void smfd_tally_by_first(struct smfd_tally *tally)
{
    if (tally->n) {
        qsort(tally->rows, tally->n, sizeof *tally->rows, earlier_first);
    }
}

void smfd_tally_done(struct smfd_tally *tally)
{
    for (size_t i = 0; i < tally->n; i++) {
        free(tally->rows[i].name);
        free(tally->rows[i].about);
    }
    free(tally->rows);
    free(tally->slots);
    *tally = (struct smfd_tally){0};
}
