/* Identifiers of a table in order: rows of several prefixes merged, each read in pages. */
#include "metadata/object_int.h"

#include <string.h>

/* ---- A page */

struct paging {
    struct md_rows *rows;
    size_t seen;
};

/* The key holds all there is to know; a damaged row is as good as a whole one. What can be no identifier is passed over. */
static klm_rc page_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct paging *paging = arg;
    struct md_rows *rows = paging->rows;
    const size_t begin = rows->begin.n;

    (void)record, (void)damaged;
    paging->seen++;
    memcpy(rows->last, key.p, key.n);
    rows->last_n = key.n;
    if (key.n > begin && key.n - begin < MD_UID_MAX) {
        char *uid = rows->uid[rows->n++];

        memcpy(uid, key.p + begin, key.n - begin);
        uid[key.n - begin] = '\0';
    }
    return KLM_OK;
}

static klm_rc read_page(const struct md_walk *walk, struct md_rows *rows, size_t limit)
{
    uint8_t after[ST_KEY_MAX];
    struct paging paging = {.rows = rows};
    struct st_range range = {
        .prefix = KLM_SLICE(rows->begin.p, rows->begin.n), .reverse = walk->newest, .limit = limit};

    if (rows->last_n > 0) {
        memcpy(after, rows->last, rows->last_n);
        range.after = KLM_SLICE(after, rows->last_n);
    }
    rows->at = rows->n = 0;
    KLM_TRY(st_scan(walk->view, walk->table, &range, page_visit, &paging));
    rows->ended = paging.seen < limit;
    return KLM_OK;
}

/* Is there a row to take? Else read on. */
static klm_rc fill(const struct md_walk *walk, struct md_rows *rows)
{
    while (rows->at == rows->n && !rows->ended) {
        KLM_TRY(read_page(walk, rows, MD_PAGE));
    }
    return KLM_OK;
}

/* ---- A walk */

static klm_rc add_rows(struct md_walk *walk, const struct md_row *begin, const char *after,
                       struct klm_pool *pool)
{
    struct md_rows *rows = &walk->rows[walk->n];

    *rows =
        (struct md_rows){.begin = *begin, .uid = klm_pool_alloc(pool, MD_PAGE * sizeof *rows->uid)};
    if (!rows->uid) {
        return KLM_E_NOMEM;
    }
    if (after[0]) {
        memcpy(rows->last, begin->p, begin->n);
        memcpy(rows->last + begin->n, after, strlen(after));
        rows->last_n = begin->n + strlen(after);
    }
    walk->n++;
    return read_page(walk, rows, MD_PAGE_FIRST);
}

klm_rc md_walk_begin(struct md_walk *walk, const struct md_what *what, const char *group,
                     uint32_t storage, const char *after, struct klm_pool *pool, bool *small)
{
    struct md_row begin = {.n = 0};

    walk->n = 0;
    walk->table = what ? ST_OBJECT_INDEX : ST_OBJECT;
    if (!what) {
        KLM_TRY(add_rows(walk, &begin, after, pool));
    }
    for (const uint8_t *s = md_storages; what && *s; s++) {
        if (md_storage_within(*s, storage)) {
            begin = md_row_begin(what, group, *s);
            KLM_TRY(add_rows(walk, &begin, after, pool));
        }
    }
    *small = true;
    for (size_t i = 0; i < walk->n; i++) {
        *small = *small && walk->rows[i].ended;
    }
    return KLM_OK;
}

static klm_rc count_visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    ++*(size_t *)arg;
    return KLM_OK;
}

klm_rc md_walk_count(const struct md_walk *walk, size_t limit, size_t *n)
{
    size_t count = 0;

    for (size_t i = 0; i < walk->n && count < limit; i++) {
        const struct md_row *begin = &walk->rows[i].begin;
        const struct st_range range = {.prefix = KLM_SLICE(begin->p, begin->n),
                                       .limit = limit - count};

        KLM_TRY(st_scan(walk->view, walk->table, &range, count_visit, &count));
    }
    *n = count;
    return KLM_OK;
}

klm_rc md_walk_next(struct md_walk *walk, const char **uid)
{
    struct md_rows *first = NULL;

    for (size_t i = 0; i < walk->n; i++) {
        struct md_rows *rows = &walk->rows[i];

        KLM_TRY(fill(walk, rows));
        if (rows->at < rows->n &&
            (!first || (strcmp(rows->uid[rows->at], first->uid[first->at]) < 0) != walk->newest)) {
            first = rows;
        }
    }
    if (!first) {
        return KLM_E_NOTFOUND;
    }
    *uid = first->uid[first->at++];
    return KLM_OK;
}
