/* Lines to statements. In lines of exactly 80 characters columns 1-71 are data, 72 continues and
 * 73-80 are a sequence number; shorter and longer ones are data throughout, as editors on Linux
 * make them. */
#include "parmlib/member.h"

#include <string.h>

#define CARD 80
#define CARD_DATA 71

klm_rc parm_member_fail_(struct parm_where where, struct klm_diag *diag, enum klm_msg_id id,
                         const char *const *args)
{
    if (diag) {
        diag->line = where.line;
        diag->column = where.column;
    }
    return klm_fail_(diag, KLM_E_INVALID, id, args);
}

struct parm_where parm_statement_where(const struct parm_statement *st, size_t at)
{
    return st->at[at < st->n ? at : st->n];
}

static klm_rc fail_at(const struct parm_member *member, struct parm_where where, enum klm_msg_id id,
                      struct klm_diag *diag)
{
    return PARM_MEMBER_FAIL_PICK_(where, diag, id, KLM_NUM(where.line), KLM_NUM(where.column),
                                  member->name, NULL);
}

/* The next line without its ending; false after the last. */
static bool next_line(struct parm_member *member, struct klm_slice *line)
{
    const uint8_t *p, *end;
    size_t left;

    if (member->next >= member->text.n) {
        return false;
    }
    p = member->text.p + member->next;
    left = member->text.n - member->next;
    end = memchr(p, '\n', left);
    *line = KLM_SLICE(p, end ? (size_t)(end - p) : left);
    member->next += line->n + 1;
    member->line++;
    if (line->n && line->p[line->n - 1] == '\r') {
        line->n--;
    }
    return true;
}

klm_rc parm_member_open(struct parm_member *member, struct klm_slice text, const char *name,
                        struct klm_diag *diag)
{
    struct parm_member new = {.text = text, .name = name, .cards = true}, look;
    struct klm_slice line;

    if (text.n > PARM_MEMBER_MAX) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_FILE_TOO_LONG, name, KLM_NUM(PARM_MEMBER_MAX));
    }
    look = new;
    while (next_line(&look, &line)) {
        for (size_t i = 0; i < line.n; i++) {
            if ((line.p[i] < 0x20 && line.p[i] != '\t') || line.p[i] == 0x7F) {
                return fail_at(&look, (struct parm_where){look.line, (unsigned)i + 1},
                               KLM_MSG_EKM_CHAR, diag);
            }
        }
    }
    *member = new;
    return KLM_OK;
}

static void put(struct parm_statement *st, char c, struct parm_where where)
{
    if (st->n == PARM_STATEMENT_MAX) {
        st->too_long = true;
        return;
    }
    st->text[st->n] = c;
    st->at[st->n++] = where;
}

/* The characters of a line that are no comment, blanks before the first left out. A comment counts
 * as a blank. Returns the last that is no blank, or a blank. */
static char put_line(struct parm_member *member, struct parm_statement *st, const uint8_t *p,
                     size_t n)
{
    char last = ' ';

    for (size_t i = 0; i < n; i++) {
        struct parm_where where = {member->line, (unsigned)i + 1};
        bool pair = i + 1 < n, blank = p[i] == ' ' || p[i] == '\t';

        if (member->comment) {
            if (pair && p[i] == '*' && p[i + 1] == '/') {
                member->comment = false;
                i++;
            }
            blank = true;
        } else if (pair && p[i] == '/' && p[i + 1] == '*') {
            member->comment = true;
            member->comment_at = where;
            i++;
            blank = true;
        }
        last = blank ? last : (char)p[i];
        if (last != ' ') {
            put(st, (char)(blank ? ' ' : p[i]), where);
        }
    }
    return last;
}

static void cut_blanks(struct parm_statement *st, size_t from)
{
    while (st->n > from && st->text[st->n - 1] == ' ') {
        st->n--;
    }
}

/* Add a line; true when the statement goes on with the next. */
static bool add_line(struct parm_member *member, struct parm_statement *st, struct klm_slice line)
{
    bool card = member->cards && line.n == CARD, go_on = card && line.p[CARD_DATA] != ' ';
    size_t before = st->n;
    char last = put_line(member, st, line.p, card ? CARD_DATA : line.n);

    cut_blanks(st, before);
    if (last == ' ') {
        return st->open; /* nothing but blanks and comments: what was, stays */
    }
    return go_on || last == ',';
}

klm_rc parm_member_next(struct parm_member *member, struct parm_statement *st, bool *more,
                        struct klm_diag *diag)
{
    struct klm_slice line;

    st->name = member->name;
    st->n = 0;
    st->too_long = st->open = false;
    do {
        if (!next_line(member, &line)) {
            break;
        }
        st->open = add_line(member, st, line);
    } while (st->open || st->n == 0);
    if (member->comment && member->next >= member->text.n) {
        return fail_at(member, member->comment_at, KLM_MSG_EKM_COMMENT, diag);
    }
    st->text[st->n] = '\0';
    st->at[st->n] = (struct parm_where){member->line, 1};
    if (st->n) { /* what is missing at the end is missed behind the last character */
        st->at[st->n] = st->at[st->n - 1];
        st->at[st->n].column++;
    }
    *more = st->n > 0;
    return KLM_OK;
}
