/* The lines of a parmlib member as statements: comments and sequence numbers taken off,
 * continuations joined. Only for this folder. */
#ifndef PARMLIB_MEMBER_H
#define PARMLIB_MEMBER_H

#include "base/msg.h"
#include "base/pool.h"

#include <stdbool.h>
#include <stddef.h>

#define PARM_MEMBER_MAX (1u << 20)
#define PARM_STATEMENT_MAX 4096

struct parm_where {
    unsigned line, column;
};
struct parm_statement {
    const char *name;                             /* of the member */
    char text[PARM_STATEMENT_MAX + 1];            /* blanks at either end taken off */
    struct parm_where at[PARM_STATEMENT_MAX + 1]; /* of each character, and of the end */
    size_t n;
    bool too_long; /* text is cut */
    bool open;     /* the member ended where the statement was to go on */
};
struct parm_member {
    struct klm_slice text;
    const char *name;
    size_t next;   /* offset of the next line */
    unsigned line; /* lines read */
    bool cards;    /* lines of 80 characters have a sequence number at their end; set when opened */
    bool comment;  /* inside a comment */
    struct parm_where comment_at;
};

/* Begin with a member; it is borrowed. KLM_E_LIMIT when it is too long, KLM_E_INVALID when it is no
 * text. */
klm_rc parm_member_open(struct parm_member *member, struct klm_slice text, const char *name,
                        struct klm_diag *diag) KLM_MUST_USE;
/* The next statement; *more is false when there is none. KLM_E_INVALID for a comment without end.
 */
klm_rc parm_member_next(struct parm_member *member, struct parm_statement *st, bool *more,
                        struct klm_diag *diag) KLM_MUST_USE;
/* Where a character of a statement stands in the member. */
struct parm_where parm_statement_where(const struct parm_statement *st, size_t at);
/* Fill diag, with line and column, and return KLM_E_INVALID. */
klm_rc parm_member_fail_(struct parm_where where, struct klm_diag *diag, enum klm_msg_id id,
                         const char *const *args) KLM_MUST_USE;
#define parm_member_fail(st, at, diag, ...)                                                        \
    PARM_MEMBER_FAIL_PICK_(parm_statement_where(st, at), diag, __VA_ARGS__, NULL)
#define PARM_MEMBER_FAIL_PICK_(where, diag, id, ...)                                               \
    parm_member_fail_(where, diag, id, (const char *const[]){__VA_ARGS__})

#endif
