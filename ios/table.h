/* What storage systems list: rows under headings, as columns side by side, or with a character between (-delim), for programs. */
#ifndef IOS_TABLE_H
#define IOS_TABLE_H

#include "base/buf.h"
#include "base/pool.h"

#include <stdbool.h>

#define IOS_TABLE_COLUMNS 12

struct ios_table {
    struct klm_pool *pool; /* its rows live there; set by who makes it */
    size_t columns;
    char delim;    /* 0: columns side by side */
    bool headless; /* no headings */
    struct ios_table_row {
        struct ios_table_row *next;
        const char *cell[IOS_TABLE_COLUMNS];
    } * first, *last; /* the first row is that of the headings */
};

/* Append a row of table->columns texts, which are copied; NULL is "". KLM_E_NOMEM. */
klm_rc ios_table_add(struct ios_table *table, const char *const *cells) KLM_MUST_USE;
/* All rows; or, turned, a line for each heading with the value of the only row behind it. */
void ios_table_print(const struct ios_table *table, bool turned, struct klm_buf *out);

#endif
