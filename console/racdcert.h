/* What the files of RACDCERT share: one command under way, and the functions that read and write files. */
#ifndef CONSOLE_RACDCERT_H
#define CONSOLE_RACDCERT_H

#include "console/internal.h"

struct function;
struct racdcert {
    struct racf_command cmd;
    const struct function *function;
    const char *owner;              /* NULL: the user himself */
    const struct racf_word *target; /* the function's own word */
    const struct racf_word *word;   /* all words */
    size_t n;
};

/* A function of racdcert.def: turns its words into parameters; one that has answered itself leaves no call. */
typedef klm_rc con_racdcert_fn(struct racdcert *r);
/* racdcert_file.c: certificates and requests in files */
con_racdcert_fn con_racdcert_add, con_racdcert_check, con_racdcert_export, con_racdcert_request;

/* The owner that the command names, else the user himself; upper case. NULL: no memory. */
const char *con_racdcert_owner(const struct racdcert *r);
/* The owner, and the label in the body of the function's word: FUNCTION(LABEL('...')). */
klm_rc con_racdcert_label(struct racdcert *r) KLM_MUST_USE;
/* Read the file that a word names into the request of the call. */
klm_rc con_racdcert_file(struct racdcert *r, const struct racf_word *word) KLM_MUST_USE;

#endif
