/* Answers a person can read: columns, counts, one block. */
#include "console/internal.h"

#include <stdio.h>
#include <string.h>

#define WIDE_COLUMNS 7 /* more than these are shown as a block a row */
#define GAP 2

/* Text for a terminal: names in certificates, files and requests are other people's, so no control character of theirs gets through. */
static void put_text(struct con_run *run, const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = 0;

        while ((unsigned char)p[n] >= ' ' && p[n] != 0x7f) {
            n++;
        }
        klm_buf_put(run->out, p, n);
        p += n;
        if (*p) {
            klm_buf_u8(run->out, '.');
            p++;
        }
    }
}

void con_line(struct con_run *run, const char *text)
{
    put_text(run, text ? text : klm_rc_text(KLM_E_NOMEM));
    klm_buf_u8(run->out, '\n');
}

static void put_action(struct con_run *run, enum klm_msg_id msg)
{
    klm_buf_text(run->out, "  ");
    con_line(run, klm_msg(msg)->action);
}

void con_refuse(struct con_run *run, klm_rc rc, enum klm_msg_id msg, const char *const *args)
{
    char text[KLM_MSG_TEXT_MAX];

    con_line(run, klm_msg_format(msg, args, text, sizeof text));
    put_action(run, msg);
    run->status = rc == KLM_E_USAGE ? CON_MISUSED : CON_FAILED;
}

void con_refuse_diag(struct con_run *run, klm_rc rc, const struct klm_diag *diag)
{
    if (diag->msg == KLM_MSG_NONE) {
        con_line(run, klm_rc_text(rc));
    } else {
        con_line(run, diag->text);
        put_action(run, diag->msg);
    }
    run->status = rc == KLM_E_USAGE ? CON_MISUSED : CON_FAILED;
}

/* Characters of a UTF-8 text, for column widths. */
static size_t width(const char *text)
{
    size_t n = 0;

    for (; *text; text++) {
        n += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return n;
}

static void pad(struct con_run *run, const char *text, size_t to, char with)
{
    put_text(run, text);
    for (size_t n = width(text); n < to; n++) {
        klm_buf_u8(run->out, (uint8_t)with);
    }
}

static void put_table(struct con_run *run, const struct km_rows *rows)
{
    size_t widths[WIDE_COLUMNS];

    for (size_t c = 0; c < rows->columns; c++) {
        widths[c] = width(rows->column[c]);
        for (size_t r = 0; r < rows->n; r++) {
            size_t w = width(rows->row[r][c]);

            widths[c] = w > widths[c] ? w : widths[c];
        }
    }
    for (size_t r = 0; r <= rows->n; r++) {
        for (size_t c = 0; c < rows->columns; c++) {
            const char *text = r == 0 ? rows->column[c] : rows->row[r - 1][c];

            pad(run, text, c + 1 < rows->columns ? widths[c] + GAP : 0, ' ');
        }
        klm_buf_u8(run->out, '\n');
    }
}

static void put_blocks(struct con_run *run, const struct km_rows *rows)
{
    size_t most = 0;

    for (size_t c = 0; c < rows->columns; c++) {
        size_t w = width(rows->column[c]);

        most = w > most ? w : most;
    }
    for (size_t r = 0; r < rows->n; r++) {
        for (size_t c = 0; c < rows->columns; c++) {
            klm_buf_text(run->out, "  ");
            pad(run, rows->column[c], most, ' ');
            klm_buf_text(run->out, " : ");
            con_line(run, rows->row[r][c][0] ? rows->row[r][c] : "-");
        }
        klm_buf_u8(run->out, '\n');
    }
}

void con_rows(struct con_run *run, const struct km_rows *rows)
{
    char count[48];

    if (rows->title) {
        con_line(run, rows->title);
    }
    if (rows->columns > WIDE_COLUMNS) {
        put_blocks(run, rows);
    } else if (rows->n > 0) {
        put_table(run, rows);
    }
    if (rows->title) {
        snprintf(count, sizeof count, "%zu %s", rows->n, rows->n == 1 ? "entry" : "entries");
        con_line(run, count);
    }
}

/* Why it failed, and how far it came. A change makes all or nothing, so what its steps noted before it failed is not so; and no heading
 * and count, with which half a listing would look like a whole one. */
static void answer_failed(struct con_run *run, const struct km_call *call)
{
    struct km_rows rows = call->rows;

    con_refuse_diag(run, call->rc, &call->diag);
    if (rows.n > 0 && !km_verb(call->id)->apply) {
        rows.title = NULL;
        con_line(run, "Before it failed:");
        con_rows(run, &rows);
    }
}

void con_answer(struct con_run *run, struct km_call *call)
{
    if (call->rc != KLM_OK) {
        answer_failed(run, call);
        return;
    }
    if (call->text) {
        con_line(run, call->text);
    }
    if (call->diag.msg != KLM_MSG_NONE) { /* done, but there is something to know */
        con_line(run, call->diag.text);
    }
    if (call->rows.column) {
        con_rows(run, &call->rows);
    }
    if (call->amiss) {
        run->status = CON_AMISS;
    }
}
