/* Words, numbers and signs of control statements. */
#include "smf/dump/words.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_TEXT 72   /* columns of a line that are read when it is longer */
#define LINE_NUMBER 80 /* and up to here a line number may stand */

klm_rc smfd_wrong(struct smfd_parser *in, const char *what, const char *word)
{
    char text[200];

    snprintf(text, sizeof text, "%s%s%.80s", what, *word ? ": " : "", word);
    if (in->diag) {
        in->diag->line = in->line;
    }
    return klm_fail(in->diag, KLM_E_INVALID, KLM_MSG_DUMP_STATEMENT, KLM_NUM(in->line), text);
}

/* Over blanks, ends of lines and comments. A comment without an end goes to the end. */
void smfd_skip(struct smfd_parser *in)
{
    while (in->p < in->end) {
        if (*in->p == '\n') {
            in->line++;
            in->p++;
        } else if (isspace((unsigned char)*in->p)) {
            in->p++;
        } else if (in->end - in->p > 1 && in->p[0] == '/' && in->p[1] == '*') {
            const char *close = memmem(in->p + 2, (size_t)(in->end - in->p - 2), "*/", 2);
            const char *to = close ? close + 2 : in->end;

            for (; in->p < to; in->p++) {
                in->line += *in->p == '\n';
            }
        } else {
            return;
        }
    }
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("@#$_.", c));
}

/* The next word in capitals; empty when none is there. */
void smfd_word(struct smfd_parser *in, char out[SMFD_WORD_MAX])
{
    size_t n = 0;

    smfd_skip(in);
    while (in->p < in->end && is_word(*in->p) && n < SMFD_WORD_MAX - 1) {
        out[n++] = (char)toupper((unsigned char)*in->p++);
    }
    out[n] = '\0';
}

bool smfd_sign(struct smfd_parser *in, char c)
{
    smfd_skip(in);
    if (in->p < in->end && *in->p == c) {
        in->p++;
        return true;
    }
    return false;
}

klm_rc smfd_need(struct smfd_parser *in, char c)
{
    char text[2] = {c, '\0'};

    return smfd_sign(in, c) ? KLM_OK : smfd_wrong(in, "expected", text);
}

/* A decimal number of at most `digits` digits and at most max. */
klm_rc smfd_number_of(struct smfd_parser *in, size_t digits, unsigned long max, const char *what,
                      unsigned long *out, size_t *length)
{
    char text[SMFD_WORD_MAX];
    unsigned long value;
    char *end;

    smfd_word(in, text);
    value = strtoul(text, &end, 10);
    if (!*text || *end || strlen(text) > digits || value > max) {
        return smfd_wrong(in, what, text);
    }
    *out = value;
    if (length) {
        *length = strlen(text);
    }
    return KLM_OK;
}

/* n or n:m. */
klm_rc smfd_range(struct smfd_parser *in, unsigned long max, const char *what, unsigned long *from,
                  unsigned long *to)
{
    KLM_TRY(smfd_number_of(in, 5, max, what, from, NULL));
    *to = *from;
    if (smfd_sign(in, ':')) {
        KLM_TRY(smfd_number_of(in, 5, max, what, to, NULL));
    }
    return *to < *from ? smfd_wrong(in, "a range ends before it begins", "") : KLM_OK;
}

/* One line as text: without line number, continuation sign and, when it begins with an asterisk, at all. KLM_E_INVALID when something
 * that is no line number stands behind column 72. */
static klm_rc take_line(const char *p, size_t n, struct klm_buf *out)
{
    size_t used = n;

    while (used && isspace((unsigned char)p[used - 1])) {
        used--;
    }
    if (used > LINE_TEXT) {
        for (size_t i = LINE_TEXT; i < used; i++) {
            if (used > LINE_NUMBER || !isdigit((unsigned char)p[i])) {
                return KLM_E_INVALID;
            }
        }
        used = LINE_TEXT;
    }
    while (used && isspace((unsigned char)p[used - 1])) {
        used--;
    }
    if (used && (p[used - 1] == '-' || p[used - 1] == '+')) {
        used--;
    }
    if (used && p[0] != '*') {
        klm_buf_put(out, p, used);
    }
    klm_buf_u8(out, '\n');
    return klm_buf_rc(out);
}

klm_rc smfd_lines(struct klm_slice sysin, struct klm_buf *out, struct klm_diag *diag)
{
    const char *p = (const char *)sysin.p, *end = p + sysin.n;

    for (unsigned line = 1; p < end; line++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t n = (size_t)((stop ? stop : end) - p);
        struct smfd_parser at = {.line = line, .diag = diag};
        klm_rc rc = take_line(p, n, out);

        if (rc == KLM_E_INVALID) {
            return smfd_wrong(&at, "text behind column 72", "");
        }
        KLM_TRY(rc);
        p += n + (stop != NULL);
    }
    return KLM_OK;
}
