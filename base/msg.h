/* Operator messages. Each is a row of msg.def: identifier, severity, text, explanation, what to do; the
 * messages manual is made from the rows. Text has inserts {0}, {1}, ...; arguments are strings. */
#ifndef BASE_MSG_H
#define BASE_MSG_H

#include "base/rc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum klm_msg_id {
    KLM_MSG_NONE = 0,
#define KLM_MSG(name, number, severity, text, explain, action) name,
#include "base/msg.def"
#undef KLM_MSG
    KLM_MSG_COUNT_
};

struct klm_msg {
    const char *id;      /* "KLM0204E" */
    char severity;       /* I information, W warning, E error, A immediate action */
    const char *text;    /* with inserts */
    const char *explain; /* why it is said */
    const char *action;  /* what to do */
    unsigned inserts;    /* how many arguments it takes */
};

/* The row of a message; never NULL. */
const struct klm_msg *klm_msg(enum klm_msg_id id);
/* The message with an identifier such as "KLM0204E", or KLM_MSG_NONE. */
enum klm_msg_id klm_msg_find(const char *id);

#define KLM_MSG_TEXT_MAX 1024
/* "KLM0204E Drive 000123456789 is not in the drive table". Control characters in arguments
 * become '.', long arguments are cut; args ends with NULL. Returns out. */
char *klm_msg_format(enum klm_msg_id id, const char *const *args, char *out, size_t cap);

/* A formatted message without the identifier that it begins with, where that stands apart; within text. */
const char *klm_msg_sentence(enum klm_msg_id id, const char *text);

/* Decimal text of a number, for an insert: lives as long as the enclosing block. */
#define KLM_NUM(n) klm_num_((int64_t)(n), (char[24]){0})
const char *klm_num_(int64_t n, char out[24]);

/* What went wrong, for a person: an optional last parameter of functions that fail in ways worth telling. */
struct klm_diag {
    enum klm_msg_id msg;
    unsigned line, column; /* 0: none */
    char text[KLM_MSG_TEXT_MAX];
};

/* One that says nothing yet, for where it is made too often to clear all of its text. */
static inline void klm_diag_init(struct klm_diag *diag)
{
    diag->msg = KLM_MSG_NONE;
    diag->line = diag->column = 0;
    diag->text[0] = '\0';
}
/* Fill diag (may be NULL) with a message. Keeps line and column. */
void klm_diag_fill_(struct klm_diag *diag, enum klm_msg_id id, const char *const *args);
/* The same, and return rc: here, so that compilers see that a failure is never KLM_OK. */
static inline klm_rc klm_fail_(struct klm_diag *diag, klm_rc rc, enum klm_msg_id id,
                               const char *const *args)
{
    klm_diag_fill_(diag, id, args);
    return rc;
}
#define klm_fail(diag, rc, ...) KLM_FAIL_PICK_(diag, rc, __VA_ARGS__, NULL)
#define KLM_FAIL_PICK_(diag, rc, id, ...)                                                          \
    klm_fail_(diag, rc, id, (const char *const[]){__VA_ARGS__})

/* Say a message through the process's log: operator console, journal, stderr. Any thread. */
#define klm_say(...) KLM_SAY_PICK_(__VA_ARGS__, NULL)
#define KLM_SAY_PICK_(id, ...) klm_say_(id, (const char *const[]){__VA_ARGS__})
void klm_say_(enum klm_msg_id id, const char *const *args);
/* Say what a diag holds (its text as it is). */
void klm_say_diag(const struct klm_diag *diag);
/* Say a plain line that is no message of ours (start-up lines of the product). */
void klm_say_line(const char *line);

/* Where said lines go instead of stderr. The function may be called from any thread. */
typedef void klm_say_fn(void *arg, char severity, const char *line);
void klm_say_to(klm_say_fn *fn, void *arg);

/* Debug trace of one component, off unless klm_trace_on named it; never for secrets. */
void klm_trace_on(const char *component_list);
bool klm_tracing(const char *component);
void klm_trace(const char *component, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Where traces go: a file (appended), or NULL for stderr. */
klm_rc klm_trace_to(const char *path) KLM_MUST_USE;

#endif
