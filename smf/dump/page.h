/* Within smf/dump: what a report consists of - headings, sentences, tables, charts - and two ways to show them: as text for a terminal and
 * as an HTML page that needs nothing but itself. */
#ifndef SMF_DUMP_PAGE_H
#define SMF_DUMP_PAGE_H

#include "smf/dump/output.h"
#include "smf/dump/spread.h"

#include <stdio.h>

enum smfd_align { SMFD_LEFT, SMFD_RIGHT, SMFD_MONO };

#define SMFD_COLUMNS_MAX 16

struct smfd_column {
    const char *name;
    enum smfd_align align;
};
/* A table is given row by row: begin, rows, end. */
struct smfd_table {
    const char *caption;
    const struct smfd_column *columns;
    size_t columns_n;
};
/* One bar, or one interval of a time axis. */
struct smfd_bar {
    char name[48];
    uint64_t ok, failed;
};
struct smfd_chart {
    const char *title, *what; /* what: a sentence that tells the same in words */
    const char *axis;         /* name of the bars, for the table beside it: "Hour" */
    const struct smfd_bar *bars;
    size_t n;
    bool across; /* bars lie, with their names at the left */
};

struct smfd_page {
    FILE *text;               /* text for a terminal, or ... */
    struct smfd_output *html; /* ... a page */
    struct klm_buf buf;
    struct klm_diag *diag;
    klm_rc rc; /* the first failure; nothing more is written then */
    unsigned charts;
    size_t rows;                     /* of the table that is open */
    size_t widths[SMFD_COLUMNS_MAX]; /* of its columns as text */
    const struct smfd_table *table;
};

/* Everything up to the first section. tiles: pairs of a number and what it counts. */
void smfd_page_begin(struct smfd_page *page, const char *title, const char *subtitle);
void smfd_page_tiles(struct smfd_page *page, const char *const (*tiles)[2], size_t n);
/* good: 1 good, 0 bad, -1 neither. */
void smfd_page_verdict(struct smfd_page *page, int good, const char *text);
/* The list of sections: pairs of id and name. */
void smfd_page_contents(struct smfd_page *page, const char *const (*sections)[2], size_t n);
void smfd_page_section(struct smfd_page *page, const char *id, const char *title, const char *what);
void smfd_page_section_end(struct smfd_page *page);
void smfd_page_paragraph(struct smfd_page *page, const char *text);
void smfd_page_table_begin(struct smfd_page *page, const struct smfd_table *table);
void smfd_page_row(struct smfd_page *page, const char *const *cells);
/* more: rows that are not shown; note: a sentence behind the table, or NULL. */
void smfd_page_table_end(struct smfd_page *page, uint64_t more, const char *note);
void smfd_page_chart(struct smfd_page *page, const struct smfd_chart *chart);
void smfd_page_end(struct smfd_page *page, const char *text);

/* ---- HTML (html.c, svg.c) */

/* Text as HTML: the five characters escaped; control characters, what is no UTF-8, and characters that turn the direction of text,
 * as U+FFFD. */
void smfd_html_text(struct klm_buf *out, const char *text);
/* The chart as an SVG element. */
void smfd_svg_chart(struct klm_buf *out, const struct smfd_chart *chart, unsigned number);
/* The head of the page with its style. */
void smfd_html_head(struct klm_buf *out, const char *title);

#endif
