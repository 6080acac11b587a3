/* Rows of texts, laid out. */
#include "ios/table.h"

#include <string.h>

klm_rc ios_table_add(struct ios_table *table, const char *const *cells)
{
    struct ios_table_row *row = klm_pool_alloc(table->pool, sizeof *row);

    for (size_t i = 0; row && i < table->columns; i++) {
        row->cell[i] = klm_pool_str(table->pool, cells[i] ? cells[i] : "");
        if (!row->cell[i]) {
            return KLM_E_NOMEM;
        }
    }
    if (!row) {
        return KLM_E_NOMEM;
    }
    if (table->last) {
        table->last->next = row;
    } else {
        table->first = row;
    }
    table->last = row;
    return KLM_OK;
}

static size_t width_of(const struct ios_table *table, size_t column)
{
    size_t width = 0;

    for (const struct ios_table_row *row = table->headless ? table->first->next : table->first; row;
         row = row->next) {
        const size_t n = strlen(row->cell[column]);

        width = n > width ? n : width;
    }
    return width;
}

static void put_cell(const struct ios_table *table, const char *text, size_t width, bool last,
                     struct klm_buf *out)
{
    klm_buf_text(out, text);
    if (last) {
        klm_buf_u8(out, '\n');
    } else if (table->delim) {
        klm_buf_u8(out, (uint8_t)table->delim);
    } else {
        for (size_t n = strlen(text); n < width + 1; n++) {
            klm_buf_u8(out, ' ');
        }
    }
}

static void put_turned(const struct ios_table *table, struct klm_buf *out)
{
    const struct ios_table_row *names = table->first;
    const struct ios_table_row *values = names ? names->next : NULL;

    for (size_t i = 0; values && i < table->columns; i++) {
        klm_buf_text(out, names->cell[i]);
        klm_buf_u8(out, (uint8_t)(table->delim ? table->delim : ' '));
        klm_buf_text(out, values->cell[i]);
        klm_buf_u8(out, '\n');
    }
}

void ios_table_print(const struct ios_table *table, bool turned, struct klm_buf *out)
{
    size_t width[IOS_TABLE_COLUMNS] = {0};

    if (turned) {
        put_turned(table, out);
        return;
    }
    for (size_t i = 0; table->first && i < table->columns; i++) {
        width[i] = width_of(table, i);
    }
    for (const struct ios_table_row *row = table->first; row; row = row->next) {
        if (row == table->first && table->headless) {
            continue;
        }
        for (size_t i = 0; i < table->columns; i++) {
            put_cell(table, row->cell[i], width[i], i + 1 == table->columns, out);
        }
    }
}
