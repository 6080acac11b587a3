/* The two ways to show a report, side by side for each thing that it consists of. */
#include "smf/dump/page.h"

#include "base/utf8.h"

#include <inttypes.h>
#include <string.h>

#define PIECE 65536   /* HTML is handed on in pieces of this size */
#define TEXT_BAR 40   /* longest bar of a chart as text */
#define CELL_SHOWN 64 /* characters of a cell as text */

static void hand_on(struct smfd_page *page, size_t least)
{
    if (page->rc == KLM_OK) {
        page->rc = klm_buf_rc(&page->buf);
    }
    if (page->rc == KLM_OK && page->html && page->buf.n > least) {
        page->rc = smfd_output_put(page->html, klm_buf_as_slice(&page->buf), page->diag);
        klm_buf_clear(&page->buf);
    }
}

static void element(struct smfd_page *page, const char *open, const char *text, const char *close)
{
    klm_buf_text(&page->buf, open);
    smfd_html_text(&page->buf, text);
    klm_buf_text(&page->buf, close);
    hand_on(page, PIECE);
}

/* Text on a terminal: no control characters, as in HTML. At most `most` characters; how many it printed. */
static size_t print(FILE *to, const char *text, size_t most)
{
    struct klm_slice rest = klm_slice_str(text);
    size_t done = 0;

    while (rest.n && done < most) {
        size_t n = klm_utf8_char(rest.p, rest.n);

        if (n && klm_utf8_printable(KLM_SLICE(rest.p, n))) {
            fwrite(rest.p, 1, n, to);
        } else {
            fputc('.', to);
        }
        n = n ? n : 1;
        rest = KLM_SLICE(rest.p + n, rest.n - n);
        done++;
    }
    return done;
}

void smfd_page_begin(struct smfd_page *page, const char *title, const char *subtitle)
{
    if (page->text) {
        fprintf(page->text, "%s\n%s\n\n", title, subtitle);
        return;
    }
    smfd_html_head(&page->buf, title);
    element(page, "<header>\n<h1>", title, "</h1>\n");
    element(page, "<p class=\"sub\">", subtitle, "</p>\n</header>\n<main>\n");
}

void smfd_page_tiles(struct smfd_page *page, const char *const (*tiles)[2], size_t n)
{
    if (page->text) {
        for (size_t i = 0; i < n; i++) {
            fprintf(page->text, "%14s  %s\n", tiles[i][0], tiles[i][1]);
        }
        return;
    }
    klm_buf_text(&page->buf, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < n; i++) {
        element(page, "<div><dt>", tiles[i][1], "</dt>");
        element(page, "<dd>", tiles[i][0], "</dd></div>\n");
    }
    klm_buf_text(&page->buf, "</dl>\n");
}

void smfd_page_verdict(struct smfd_page *page, int good, const char *text)
{
    if (page->text) {
        fputc('\n', page->text);
        for (const char *p = text; *p;) {
            size_t n = strcspn(p, "\n");

            fprintf(page->text, "%.*s\n", (int)n, p);
            p += n + (p[n] == '\n');
        }
        return;
    }
    element(page,
            good > 0    ? "<p class=\"verdict good\">"
            : good == 0 ? "<p class=\"verdict bad\">"
                        : "<p class=\"verdict\">",
            "", "");
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, "\n");
        char line[600];

        snprintf(line, sizeof line, "%.*s", (int)n, p);
        element(page, "", line, p[n] ? "\n" : "");
        p += n + (p[n] == '\n');
    }
    element(page, "", "", "</p>\n");
}

void smfd_page_contents(struct smfd_page *page, const char *const (*sections)[2], size_t n)
{
    if (page->text) {
        return;
    }
    klm_buf_text(&page->buf, "<nav aria-label=\"Contents\"><ul>\n");
    for (size_t i = 0; i < n; i++) {
        element(page, "<li><a href=\"#", sections[i][0], "\">");
        element(page, "", sections[i][1], "</a></li>\n");
    }
    klm_buf_text(&page->buf, "</ul></nav>\n");
}

void smfd_page_section(struct smfd_page *page, const char *id, const char *title, const char *what)
{
    if (page->text) {
        fprintf(page->text, "\n%s\n", title);
        for (size_t i = strlen(title); i > 0; i--) {
            fputc('=', page->text);
        }
        fprintf(page->text, "\n%s\n\n", what);
        return;
    }
    element(page, "<section id=\"", id, "\" aria-labelledby=\"h-");
    element(page, "", id, "\">\n<h2 id=\"h-");
    element(page, "", id, "\">");
    element(page, "", title, "</h2>\n");
    element(page, "<p class=\"what\">", what, "</p>\n");
}

void smfd_page_section_end(struct smfd_page *page)
{
    if (page->html) {
        element(page, "</section>\n", "", "");
    }
}

void smfd_page_paragraph(struct smfd_page *page, const char *text)
{
    if (page->text) {
        fprintf(page->text, "%s\n", text);
    } else {
        element(page, "<p class=\"none\">", text, "</p>\n");
    }
}

/* ---- Tables */

static const char *class_of(enum smfd_align align)
{
    return align == SMFD_RIGHT ? " class=\"r\"" : align == SMFD_MONO ? " class=\"m\"" : "";
}

static void table_head(struct smfd_page *page)
{
    const struct smfd_table *table = page->table;

    element(page, "<div class=\"scroll\"><table>\n<caption>", table->caption,
            "</caption>\n<thead><tr>");
    for (size_t i = 0; i < table->columns_n; i++) {
        klm_buf_printf(&page->buf, "<th scope=\"col\"%s>", class_of(table->columns[i].align));
        element(page, "", table->columns[i].name, "</th>");
    }
    element(page, "</tr></thead>\n<tbody>\n", "", "");
}

/* Characters of a cell as text. */
static size_t width_of(const char *cell)
{
    struct klm_slice rest = klm_slice_str(cell);
    size_t width = 0;

    while (rest.n && width < CELL_SHOWN) {
        size_t n = klm_utf8_char(rest.p, rest.n);

        n = n ? n : 1;
        rest = KLM_SLICE(rest.p + n, rest.n - n);
        width++;
    }
    return width;
}

void smfd_page_table_begin(struct smfd_page *page, const struct smfd_table *table)
{
    page->table = table;
    page->rows = 0;
    if (page->text) {
        fprintf(page->text, "%s\n", table->caption);
        for (size_t i = 0; i < table->columns_n; i++) {
            page->widths[i] = width_of(table->columns[i].name);
        }
    }
}

/* Rows as text are kept until the table ends, when the widths of its columns are known. */
static void text_row(struct smfd_page *page, const char *const *cells)
{
    for (size_t i = 0; i < page->table->columns_n; i++) {
        size_t width = width_of(cells[i]);

        page->widths[i] = width > page->widths[i] ? width : page->widths[i];
        klm_buf_text(&page->buf, cells[i]);
        klm_buf_u8(&page->buf, 0);
    }
    if (page->rc == KLM_OK) {
        page->rc = klm_buf_rc(&page->buf);
    }
}

static void text_cell(const struct smfd_page *page, size_t column, const char *cell)
{
    bool right = page->table->columns[column].align == SMFD_RIGHT;
    int blanks = (int)(page->widths[column] - width_of(cell));

    fprintf(page->text, "  %*s", right ? blanks : 0, "");
    print(page->text, cell, CELL_SHOWN);
    if (!right && column + 1 < page->table->columns_n) {
        fprintf(page->text, "%*s", blanks, "");
    }
}

static void text_rows(struct smfd_page *page)
{
    const char *p = (const char *)page->buf.p;

    for (size_t i = 0; i < page->table->columns_n; i++) {
        text_cell(page, i, page->table->columns[i].name);
    }
    fputc('\n', page->text);
    for (size_t row = 0; page->rc == KLM_OK && row < page->rows; row++) {
        for (size_t i = 0; i < page->table->columns_n; i++) {
            text_cell(page, i, p);
            p += strlen(p) + 1;
        }
        fputc('\n', page->text);
    }
    klm_buf_clear(&page->buf);
}

void smfd_page_row(struct smfd_page *page, const char *const *cells)
{
    if (page->rows++ == 0 && page->html) {
        table_head(page);
    }
    if (page->text) {
        text_row(page, cells);
        return;
    }
    klm_buf_text(&page->buf, "<tr>");
    for (size_t i = 0; i < page->table->columns_n; i++) {
        const char *class = i == 0 && page->table->columns[i].align == SMFD_LEFT
                                ? " class=\"t\""
                                : class_of(page->table->columns[i].align);

        klm_buf_printf(&page->buf, i == 0 ? "<th scope=\"row\"%s>" : "<td%s>", class);
        element(page, "", cells[i], i == 0 ? "</th>" : "</td>");
    }
    klm_buf_text(&page->buf, "</tr>\n");
}

static void end_words(struct smfd_page *page, uint64_t more, const char *note)
{
    char text[400];

    if (more) {
        snprintf(text, sizeof text, "and %" PRIu64 " more%s%s", more, note ? ". " : "",
                 note ? note : "");
    } else {
        snprintf(text, sizeof text, "%s", note ? note : "");
    }
    if (!*text) {
        return;
    }
    if (page->text) {
        fprintf(page->text, "  %s\n", text);
    } else {
        element(page, "<p class=\"note\">", text, "</p>\n");
    }
}

void smfd_page_table_end(struct smfd_page *page, uint64_t more, const char *note)
{
    if (page->rows == 0) {
        if (page->text) {
            fprintf(page->text, "  none\n");
        } else {
            element(page, "<p class=\"none\">", page->table->caption, ": none.</p>\n");
        }
    } else if (page->html) {
        element(page, "</tbody></table></div>\n", "", "");
    } else {
        text_rows(page);
    }
    end_words(page, more, note);
    if (page->text) {
        fputc('\n', page->text);
    }
    page->table = NULL;
}

/* ---- Charts */

static void text_chart(const struct smfd_page *page, const struct smfd_chart *chart)
{
    uint64_t max = 1;

    for (size_t i = 0; i < chart->n; i++) {
        max = chart->bars[i].ok + chart->bars[i].failed > max
                  ? chart->bars[i].ok + chart->bars[i].failed
                  : max;
    }
    fprintf(page->text, "%s (# done, ! failed or refused). %s\n", chart->title, chart->what);
    for (size_t i = 0; i < chart->n; i++) {
        const struct smfd_bar *bar = &chart->bars[i];
        int ok = (int)(bar->ok * TEXT_BAR / max), bad = (int)(bar->failed * TEXT_BAR / max);

        fprintf(page->text, "  %-24s %.*s%.*s %" PRIu64, bar->name, ok,
                "########################################", bad,
                "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", bar->ok);
        if (bar->failed) {
            fprintf(page->text, " + %" PRIu64 " failed", bar->failed);
        }
        fputc('\n', page->text);
    }
    fputc('\n', page->text);
}

/* The numbers of a chart, for who cannot see it. */
static void chart_numbers(struct smfd_page *page, const struct smfd_chart *chart)
{
    element(page,
            "<details><summary>The numbers of this chart</summary>\n<div class=\"scroll\"><table>"
            "<caption>",
            chart->title, "</caption><thead><tr><th scope=\"col\">");
    element(page, "", chart->axis,
            "</th><th scope=\"col\" class=\"r\">done</th>"
            "<th scope=\"col\" class=\"r\">failed</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < chart->n; i++) {
        element(page, "<tr><th scope=\"row\">", chart->bars[i].name, "</th>");
        klm_buf_printf(&page->buf,
                       "<td class=\"r\">%" PRIu64 "</td><td class=\"r\">%" PRIu64 "</td></tr>\n",
                       chart->bars[i].ok, chart->bars[i].failed);
    }
    element(page, "</tbody></table></div></details>\n", "", "");
}

void smfd_page_chart(struct smfd_page *page, const struct smfd_chart *chart)
{
    if (page->text) {
        text_chart(page, chart);
        return;
    }
    element(page, "<figure>\n<figcaption><b>", chart->title, "</b> ");
    element(page, "", chart->what, " Hatched: failures and refusals.</figcaption>\n");
    smfd_svg_chart(&page->buf, chart, ++page->charts);
    element(page, "</figure>\n", "", "");
    chart_numbers(page, chart);
}

void smfd_page_end(struct smfd_page *page, const char *text)
{
    if (page->text) {
        fprintf(page->text, "%s\n", text);
        if (page->rc == KLM_OK && (fflush(page->text) != 0 || ferror(page->text))) {
            page->rc = klm_fail(page->diag, KLM_E_IO, KLM_MSG_FILE_WRITE, "-", "standard output");
        }
        return;
    }
    element(page, "</main>\n<footer>", text, "</footer>\n</body>\n</html>\n");
    hand_on(page, 0);
}
