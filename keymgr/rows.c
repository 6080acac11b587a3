/* Listings: rows of text in the call's pool. */
#include "keymgr/internal.h"

#include <string.h>

#define ROWS_MAX 1000000

klm_rc km_rows_begin(struct km_call *call, const char *title, const char *const *columns)
{
    struct km_rows *rows = &call->rows;

    rows->title = title;
    rows->column = columns;
    rows->columns = 0;
    while (columns[rows->columns]) {
        rows->columns++;
    }
    return KLM_OK;
}

static klm_rc grow(struct km_call *call)
{
    struct km_rows *rows = &call->rows;
    size_t cap = rows->cap ? rows->cap * 2 : 32;
    const char ***row;

    if (rows->n == ROWS_MAX) {
        return KLM_E_LIMIT;
    }
    row = klm_pool_alloc(call->pool, cap * sizeof *row);
    if (!row) {
        return KLM_E_NOMEM;
    }
    if (rows->n > 0) {
        memcpy(row, rows->row, rows->n * sizeof *row);
    }
    rows->row = row;
    rows->cap = cap;
    return KLM_OK;
}

klm_rc km_rows_add(struct km_call *call, const char *const *texts)
{
    struct km_rows *rows = &call->rows;
    const char **row = klm_pool_alloc(call->pool, rows->columns * sizeof *row);

    if (!row) {
        return KLM_E_NOMEM;
    }
    if (rows->n == rows->cap) {
        KLM_TRY(grow(call));
    }
    for (size_t i = 0; i < rows->columns; i++) {
        row[i] = klm_pool_str(call->pool, texts[i] ? texts[i] : "");
        if (!row[i]) {
            return KLM_E_NOMEM;
        }
    }
    rows->row[rows->n++] = row;
    return KLM_OK;
}
