/* Within smf/dump: what control statements are made of. */
#ifndef SMF_DUMP_WORDS_H
#define SMF_DUMP_WORDS_H

#include "smf/dump/control.h"

#include "base/buf.h"

#define SMFD_WORD_MAX 64

struct smfd_parser {
    const char *p, *end;
    unsigned line;
    struct klm_diag *diag;
    struct smfd_control *control;
};

/* KLM_E_INVALID with a message that names the line, what is wrong and, unless it is empty, the word. */
klm_rc smfd_wrong(struct smfd_parser *in, const char *what, const char *word) KLM_MUST_USE;
/* Over blanks, ends of lines and comments. A comment without an end goes to the end. */
void smfd_skip(struct smfd_parser *in);
/* The next word in capitals; empty when none is there. */
void smfd_word(struct smfd_parser *in, char out[SMFD_WORD_MAX]);
/* Whether the next character is c, which is then read; and the same where it must be. */
bool smfd_sign(struct smfd_parser *in, char c);
klm_rc smfd_need(struct smfd_parser *in, char c) KLM_MUST_USE;
/* A decimal number of at most `digits` digits and at most max; length (may be NULL): its digits. */
klm_rc smfd_number_of(struct smfd_parser *in, size_t digits, unsigned long max, const char *what,
                      unsigned long *out, size_t *length) KLM_MUST_USE;
/* n or n:m. */
klm_rc smfd_range(struct smfd_parser *in, unsigned long max, const char *what, unsigned long *from,
                  unsigned long *to) KLM_MUST_USE;
/* The lines of a SYSIN as text to parse: without line numbers, signs of continuation, and lines that begin with an asterisk. */
klm_rc smfd_lines(struct klm_slice sysin, struct klm_buf *out, struct klm_diag *diag) KLM_MUST_USE;

#endif
