/* RACF's command syntax: keywords with values in parentheses, nested, quoted with two quotes for one. */
#include "console/internal.h"

#include <ctype.h>
#include <string.h>

static const char *const blanks = " \t\r\n,";

/* Length of a quoted string with its quotes; 0 when it is not closed. */
static size_t quoted(const char *p)
{
    size_t n = 1;

    while (p[n]) {
        if (p[n] == '\'') {
            if (p[n + 1] != '\'') {
                return n + 1;
            }
            n++;
        }
        n++;
    }
    return 0;
}

/* Length of a parenthesised body with its parentheses; 0 when it is not closed. */
static size_t enclosed(const char *p)
{
    size_t depth = 0;

    for (size_t n = 0; p[n]; n++) {
        if (p[n] == '\'') {
            size_t q = quoted(p + n);

            if (q == 0) {
                return 0;
            }
            n += q - 1;
        } else if (p[n] == '(') {
            depth++;
        } else if (p[n] == ')' && --depth == 0) {
            return n + 1;
        }
    }
    return 0;
}

static char *upper(struct con_run *run, const char *p, size_t n)
{
    char *out = klm_pool_strn(run->pool, p, n);

    for (size_t i = 0; out && i < n; i++) {
        out[i] = (char)toupper((unsigned char)out[i]);
    }
    return out;
}

/* One word at *p. KLM_E_USAGE: not closed, or a character that cannot begin one. */
static klm_rc take(struct con_run *run, const char **p, struct racf_word *out)
{
    size_t n;

    *out = (struct racf_word){0};
    if (**p == '\'') {
        n = quoted(*p);
        if (n == 0) {
            return KLM_E_USAGE;
        }
        out->body = klm_pool_strn(run->pool, *p, n);
        *p += n;
        return out->body ? KLM_OK : KLM_E_NOMEM;
    }
    n = strcspn(*p, " \t\r\n,()'");
    if (n > 0) {
        out->name = upper(run, *p, n);
        *p += n;
    } else if (**p != '(') {
        return KLM_E_USAGE;
    }
    if ((*p)[strspn(*p, " \t")] == '(') {
        *p += strspn(*p, " \t");
        n = enclosed(*p);
        if (n == 0) {
            return KLM_E_USAGE;
        }
        out->body = klm_pool_strn(run->pool, *p + 1, n - 2);
        *p += n;
    }
    return KLM_OK;
}

klm_rc racf_parse(struct con_run *run, const char *text, struct racf_word *words, size_t *n)
{
    const char *p = text + strspn(text, blanks);
    size_t used = 0;

    while (*p) {
        const char *at = p;

        if (used == RACF_WORDS_MAX) {
            CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_TOO_MANY_WORDS, KLM_NUM(RACF_WORDS_MAX));
            return KLM_E_USAGE;
        }
        if (take(run, &p, &words[used]) != KLM_OK) {
            CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_RACF_SYNTAX, KLM_NUM(at - text + 1), at);
            return KLM_E_USAGE;
        }
        used++;
        p += strspn(p, blanks);
    }
    *n = used;
    return KLM_OK;
}

static const char *unquote(struct con_run *run, const char *p, size_t n)
{
    char *out = klm_pool_alloc(run->pool, n);
    size_t used = 0;

    for (size_t i = 1; out && i + 1 < n; i++) {
        out[used++] = p[i];
        i += p[i] == '\''; /* two quotes are one */
    }
    return out;
}

klm_rc racf_value(struct con_run *run, const struct racf_word *word, const char **out)
{
    const char *p = word->body ? word->body + strspn(word->body, " \t") : "";
    size_t n = strlen(p);

    while (n > 0 && (p[n - 1] == ' ' || p[n - 1] == '\t')) {
        n--;
    }
    if (n == 0) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_RACF_VALUE, word->name ? word->name : "the string");
        return KLM_E_USAGE;
    }
    if (*p != '\'') {
        *out = klm_pool_strn(run->pool, p, n);
        return *out ? KLM_OK : KLM_E_NOMEM;
    }
    if (quoted(p) != n) {
        CON_REFUSE(run, KLM_E_USAGE, KLM_MSG_RACF_SYNTAX, "1", p);
        return KLM_E_USAGE;
    }
    *out = unquote(run, p, n);
    return *out ? KLM_OK : KLM_E_NOMEM;
}
