/* The columns of smfdump's text, CSV and JSON as a page, from the tables that smfdump writes them by. */
#include "tools/gendocs.h"

#include <ctype.h>

#define FLAT_MAX 255 /* as smf/dump/form.c */

static const struct {
    const char *name;
    unsigned width;
    const char *what;
} columns[] = {
#define SMFD_COLUMN(name, width, source, what) {name, width, what},
#include "smf/dump/columns.def"
#undef SMFD_COLUMN
};

static unsigned row(unsigned from, unsigned width, const char *name, const char *what)
{
    printf("| `%s` | %u | %u | %u | %s |\n", name, from, from + width - 1, width, what);
    return from + width + 1;
}

void write_columns(void)
{
    unsigned from = 1;

    printf("# Columns of smfdump\n\n<!-- Written by `make docs` from the tables in the sources: "
           "change those. -->\n\n"
           "`smfdump --format text`, `csv` and `json` show each event with these columns, in this "
           "order. Flat text has them at the "
           "positions given\n(from 1), one blank between two, longer values cut, and a question "
           "mark for each character that is not "
           "ASCII. CSV\n(RFC 4180) has a line with the names first; a value that a spreadsheet "
           "would take for a formula begins with an "
           "apostrophe. JSON leaves\nabsent values out, has `sequence` and `records` as numbers, "
           "and `checkpoint_records` for a "
           "checkpoint: how many records of the chain it signs.\n\n"
           "| column | from | to | width | what it is |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < N_OF(columns); i++) {
        from = row(from, columns[i].width, columns[i].name, columns[i].what);
    }
    for (size_t i = 0; i < N_OF(fields); i++) {
        char name[32];
        size_t n = 0;

        for (const char *p = fields[i].name + strlen("SMF_F_"); *p && n + 1 < sizeof name; p++) {
            name[n++] = (char)tolower((unsigned char)*p);
        }
        name[n] = '\0';
        from = row(from, fields[i].max < FLAT_MAX ? fields[i].max : FLAT_MAX, name, fields[i].what);
    }
}
