/* Inside of the reader of SMFPRMxx members: a member as one text, and keywords with their parentheses taken from it one by one. Only for
 * this folder. */
#ifndef PARMLIB_SMFPRM_INT_H
#define PARMLIB_SMFPRM_INT_H

#include "parmlib/member.h"
#include "parmlib/smfprm.h"

#define PARM_SMF_WORD_MAX 128

struct parm_smf_reader {
    const char *name, *sysname, *subsystem;
    const char *text; /* all of it, cleaned */
    size_t n;
    struct klm_diag *diag;
    unsigned *unknown; /* words said to be unknown */
};

/* A keyword and what stands between its parentheses: body is empty without them. */
struct parm_smf_word {
    char name[PARM_SMF_WORD_MAX + 1];
    size_t at;        /* of its first character */
    size_t body, end; /* in the text */
    bool parens;
};

/* A value as text: blanks taken off, in capitals, symbols resolved. */
struct parm_smf_value {
    char text[PARM_SMF_WORD_MAX + 1];
    size_t n;
};

/* Line and column of a place. */
struct parm_where parm_smf_where(const struct parm_smf_reader *r, size_t at);
/* Fill diag: "Line 3 of SMFPRM00: WHAT why". KLM_E_INVALID. */
klm_rc parm_smf_fail(const struct parm_smf_reader *r, size_t at, const char *what, const char *why)
    KLM_MUST_USE;
klm_rc parm_smf_value_missing(const struct parm_smf_reader *r, const struct parm_smf_word *word)
    KLM_MUST_USE;
/* The next keyword between *at and end; *more is false when there is none. */
klm_rc parm_smf_next_word(const struct parm_smf_reader *r, size_t *at, size_t end,
                          struct parm_smf_word *out, bool *more) KLM_MUST_USE;
/* The next item of a list, with the parentheses in it; false when there is none. */
bool parm_smf_next_item(const struct parm_smf_reader *r, size_t *at, size_t end, size_t *from,
                        size_t *to);
klm_rc parm_smf_text_of(const struct parm_smf_reader *r, const struct parm_smf_word *word,
                        size_t from, size_t to, struct parm_smf_value *out) KLM_MUST_USE;

#endif
