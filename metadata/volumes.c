/* Every volume with its newest event, in the order of their serials: the index of volumes is walked once, and what is not indexed yet
 * is merged in. Memory is what the index is behind by, not the number of volumes. */
#include "metadata/parts.h"

#include <stdlib.h>
#include <string.h>

#define TAIL_MAX 4000000 /* events that may wait to be indexed; there are never so many */

struct newest {
    char volser[7];
    uint64_t number;
};

struct walk {
    struct st_view *view;
    struct newest *tail; /* by volser, one each */
    size_t n, cap, at;
    struct newest now; /* the volume whose entries are being read; volser "" before the first */
    md_usage_fn *fn;
    void *arg;
};

static klm_rc tail_event(void *arg, const struct md_usage *usage)
{
    struct walk *walk = arg;

    if (!usage->volser[0]) {
        return KLM_OK;
    }
    if (walk->n == walk->cap) {
        size_t cap = walk->cap ? walk->cap * 2 : 256;
        struct newest *tail =
            walk->cap < TAIL_MAX ? realloc(walk->tail, cap * sizeof *walk->tail) : NULL;

        if (!tail) {
            return KLM_E_NOMEM;
        }
        walk->tail = tail;
        walk->cap = cap;
    }
    memcpy(walk->tail[walk->n].volser, usage->volser, sizeof usage->volser);
    walk->tail[walk->n++].number = usage->number;
    return KLM_OK;
}

static int by_volser(const void *a, const void *b)
{
    const struct newest *x = a, *y = b;
    int order = strcmp(x->volser, y->volser);

    return order ? order : x->number < y->number ? 1 : x->number > y->number ? -1 : 0;
}

/* The newest of each volume comes first of its own: the others go. */
static void thin(struct walk *walk)
{
    size_t kept = 0;

    if (walk->n > 0) {
        qsort(walk->tail, walk->n, sizeof *walk->tail, by_volser);
    }
    for (size_t i = 0; i < walk->n; i++) {
        if (kept == 0 || strcmp(walk->tail[kept - 1].volser, walk->tail[i].volser) != 0) {
            walk->tail[kept++] = walk->tail[i];
        }
    }
    walk->n = kept;
}

/* Hand one volume out. An event that is damaged was named when it was met first, and is left out. */
static klm_rc emit(struct walk *walk, const struct newest *newest)
{
    struct md_usage usage;
    klm_rc rc = md_usage_get(walk->view, newest->number, &usage);

    if (rc == KLM_E_CORRUPT) {
        klm_say(KLM_MSG_USAGE_DAMAGED, KLM_NUM(newest->number));
    }
    if (rc == KLM_E_CORRUPT || rc == KLM_E_NOTFOUND) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    return walk->fn(walk->arg, &usage);
}

/* All of the tail before a volume, and the volume itself, which the tail may know better. */
static klm_rc emit_until(struct walk *walk, const struct newest *indexed)
{
    for (; walk->at < walk->n; walk->at++) {
        const struct newest *tail = &walk->tail[walk->at];
        int order = indexed ? strcmp(tail->volser, indexed->volser) : -1;

        if (order > 0) {
            break;
        }
        KLM_TRY(emit(walk, tail));
        if (order == 0) {
            walk->at++;
            return KLM_OK;
        }
    }
    return indexed ? emit(walk, indexed) : KLM_OK;
}

/* Entries of a volume come oldest first: the last one before another volume is its newest. */
static klm_rc index_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct walk *walk = arg;
    struct newest entry = {0};
    size_t n = key.n > MD_NUMBER ? key.n - MD_NUMBER - 1 : 0;

    (void)record, (void)damaged; /* the key holds all there is to know */
    if (n == 0 || n >= sizeof entry.volser || key.p[n] != 0 ||
        md_number_of(KLM_SLICE(key.p + n + 1, MD_NUMBER), &entry.number) != KLM_OK) {
        return KLM_OK;
    }
    memcpy(entry.volser, key.p, n);
    if (walk->now.volser[0] && strcmp(walk->now.volser, entry.volser) != 0) {
        KLM_TRY(emit_until(walk, &walk->now));
    }
    walk->now = entry;
    return KLM_OK;
}

static klm_rc run(struct walk *walk)
{
    uint64_t indexed;

    KLM_TRY(md_index_cursor(walk->view, &indexed));
    KLM_TRY(md_usage_back(walk->view, indexed, tail_event, walk));
    thin(walk);
    KLM_TRY(st_scan(walk->view, ST_USAGE_VOLSER, &(struct st_range){0}, index_visit, walk));
    if (walk->now.volser[0]) {
        KLM_TRY(emit_until(walk, &walk->now));
    }
    return emit_until(walk, NULL);
}

klm_rc md_volumes(struct st_view *view, md_usage_fn *fn, void *arg)
{
    struct walk walk = {.view = view, .fn = fn, .arg = arg};
    klm_rc rc = run(&walk);

    free(walk.tail);
    return rc;
}
