/* Words, lists and system symbols of an SMFPRMxx member. */
#include "parmlib/smfprm_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 4

struct parm_where parm_smf_where(const struct parm_smf_reader *r, size_t at)
{
    struct parm_where w = {1, 1};

    for (size_t i = 0; i < at && i < r->n; i++) {
        w.column++;
        if (r->text[i] == '\n') {
            w = (struct parm_where){w.line + 1, 1};
        }
    }
    return w;
}

klm_rc parm_smf_fail(const struct parm_smf_reader *r, size_t at, const char *what, const char *why)
{
    struct parm_where w = parm_smf_where(r, at);

    return PARM_MEMBER_FAIL_PICK_(w, r->diag, KLM_MSG_SMFPRM, KLM_NUM(w.line), r->name, what, why,
                                  NULL);
}

static bool between(char c)
{
    return isspace((unsigned char)c) || c == ',';
}

/* The parenthesis that closes the one at `open`. */
static klm_rc closing(const struct parm_smf_reader *r, size_t open, size_t end, size_t *out)
{
    unsigned depth = 0;

    for (size_t i = open; i < end; i++) {
        depth += r->text[i] == '(';
        if (depth > DEPTH_MAX) {
            return parm_smf_fail(r, i, "(", "is nested too deep");
        }
        if (r->text[i] == ')' && --depth == 0) {
            *out = i;
            return KLM_OK;
        }
    }
    return parm_smf_fail(r, open, "(", "is not closed");
}

/* The next keyword between *at and end; false when there is none. */
klm_rc parm_smf_next_word(const struct parm_smf_reader *r, size_t *at, size_t end,
                          struct parm_smf_word *out, bool *more)
{
    size_t p = *at, n;

    while (p < end && between(r->text[p])) {
        p++;
    }
    *more = p < end;
    if (!*more) {
        return KLM_OK;
    }
    *out = (struct parm_smf_word){.at = p};
    while (p < end && !between(r->text[p]) && r->text[p] != '(' && r->text[p] != ')') {
        p++;
    }
    n = p - out->at;
    if (n > PARM_SMF_WORD_MAX) {
        return parm_smf_fail(r, out->at, "a word", "is too long");
    }
    for (size_t i = 0; i < n; i++) {
        out->name[i] = (char)toupper((unsigned char)r->text[out->at + i]);
    }
    while (p < end && isspace((unsigned char)r->text[p])) { /* KEYWORD (body) */
        p++;
    }
    if (p < end && r->text[p] == ')') {
        return parm_smf_fail(r, p, ")", "closes nothing");
    }
    if (p < end && r->text[p] == '(') {
        size_t close = 0;

        KLM_TRY(closing(r, p, end, &close));
        out->parens = true;
        out->body = p + 1;
        out->end = close;
        p = close + 1;
    } else {
        out->body = out->end = p;
    }
    *at = p;
    return n ? KLM_OK : parm_smf_fail(r, out->at, "(", "stands where a keyword is expected");
}

klm_rc parm_smf_value_missing(const struct parm_smf_reader *r, const struct parm_smf_word *word)
{
    return parm_smf_fail(r, word->at, word->name, "needs a value in parentheses");
}

/* ---- System symbols */

/* A number of up to three digits at *p, moved on. 0: none. */
static unsigned small_number(const char **p)
{
    unsigned v = 0;

    for (int i = 0; i < 3 && isdigit((unsigned char)**p); i++, (*p)++) {
        v = v * 10 + (unsigned)(**p - '0');
    }
    return v;
}

/* (first:count) behind a symbol, as MVS substrings are written. false: it is none. */
static bool substring(const char **p, const char *value, const char **from, size_t *n)
{
    size_t length = strlen(value), first = 1, count = length;

    if (**p == '(') {
        const char *q = *p + 1;

        first = small_number(&q);
        count = 1;
        if (*q == ':') {
            q++;
            count = small_number(&q);
        }
        if (*q != ')' || first == 0 || count == 0) {
            return false;
        }
        *p = q + 1;
    }
    *from = first <= length ? value + first - 1 : "";
    *n = first <= length ? (count < length - first + 1 ? count : length - first + 1) : 0;
    return true;
}

static klm_rc put(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                  struct parm_smf_value *out, const char *s, size_t n)
{
    if (out->n + n > PARM_SMF_WORD_MAX) {
        return parm_smf_fail(r, word->at, word->name, "has a value that is too long");
    }
    memcpy(out->text + out->n, s, n);
    out->n += n;
    out->text[out->n] = '\0';
    return KLM_OK;
}

/* The value of the symbol at *p, behind its &; a period behind it belongs to it. */
static klm_rc symbol(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                     const char **p, struct parm_smf_value *out)
{
    size_t n = strlen(r->sysname), length = strspn(*p, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    const char *value = r->sysname, *from;

    if (length == 8 && strncmp(*p, "SYSCLONE", 8) == 0) { /* the default: the last two */
        value += n > 2 ? n - 2 : 0;
    } else if (length != 7 || strncmp(*p, "SYSNAME", 7) != 0) {
        return parm_smf_fail(r, word->at, word->name,
                             "uses a system symbol other than &SYSNAME or &SYSCLONE");
    }
    *p += length;
    if (!substring(p, value, &from, &n)) {
        return parm_smf_fail(r, word->at, word->name, "has a substring that cannot be read");
    }
    *p += **p == '.';
    return put(r, word, out, from, n);
}

/* A value as text: blanks taken off, in capitals, symbols resolved. */
klm_rc parm_smf_text_of(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                        size_t from, size_t to, struct parm_smf_value *out)
{
    char raw[PARM_SMF_WORD_MAX + 1];
    size_t n = 0;

    for (size_t i = from; i < to; i++) {
        if (isspace((unsigned char)r->text[i])) {
            continue;
        }
        if (n == PARM_SMF_WORD_MAX) {
            return parm_smf_fail(r, word->at, word->name, "has a value that is too long");
        }
        raw[n++] = (char)toupper((unsigned char)r->text[i]);
    }
    raw[n] = '\0';
    *out = (struct parm_smf_value){.n = 0};
    for (const char *p = raw; *p;) {
        if (*p == '&') {
            p++;
            KLM_TRY(symbol(r, word, &p, out));
        } else {
            KLM_TRY(put(r, word, out, p++, 1));
        }
    }
    return KLM_OK;
}

/* Where an item of a list ends: at a comma, or a blank, outside parentheses. */
static size_t item_end(const struct parm_smf_reader *r, size_t at, size_t end)
{
    unsigned depth = 0;

    while (at < end && (depth || !between(r->text[at]))) {
        depth += r->text[at] == '(';
        depth -= r->text[at] == ')' && depth;
        at++;
    }
    return at;
}

bool parm_smf_next_item(const struct parm_smf_reader *r, size_t *at, size_t end, size_t *from,
                        size_t *to)
{
    while (*at < end && between(r->text[*at])) {
        (*at)++;
    }
    *from = *at;
    *to = *at = item_end(r, *at, end);
    return *from < *to;
}
