/* What the files of console share. */
#ifndef CONSOLE_INTERNAL_H
#define CONSOLE_INTERNAL_H

#include "console/con.h"

/* One command under way. */
struct con_run {
    const struct con_context *context;
    struct klm_pool *pool;
    struct klm_buf *out; /* the answer */
    int status;          /* enum con_status */
};

/* ---- Answers (layout.c) */
void con_line(struct con_run *run, const char *text);
/* A message row as a line, and what to do as a second one; sets the status: 2 for usage, else 1. */
void con_refuse(struct con_run *run, klm_rc rc, enum klm_msg_id msg, const char *const *args);
#define CON_REFUSE(run, rc, ...) CON_REFUSE_PICK_(run, rc, __VA_ARGS__, NULL)
#define CON_REFUSE_PICK_(run, rc, msg, ...)                                                        \
    con_refuse(run, rc, msg, (const char *const[]){__VA_ARGS__})
void con_refuse_diag(struct con_run *run, klm_rc rc, const struct klm_diag *diag);
/* Rows as columns, or as a block each when they are wide, with a count line. */
void con_rows(struct con_run *run, const struct km_rows *rows);
/* What a finished call has to say. */
void con_answer(struct con_run *run, struct km_call *call);

/* ---- Files under the one folder (files.c); openat2(2), RESOLVE_BENEATH. Names: plain, FILE:..., 'DATA.SET' or DATA.SET(MEMBER), which is file MEMBER in folder DATA.SET. */
klm_rc con_file_read(struct con_run *run, const char *name, size_t max, struct klm_slice *out)
    KLM_MUST_USE;
/* The same of a file that is open to its owner alone: secrets. */
klm_rc con_file_private(struct con_run *run, const char *name, size_t max, struct klm_slice *out)
    KLM_MUST_USE;
/* The same of a file that is open to its owner alone: its first line, a secret. */
klm_rc con_file_secret(struct con_run *run, const char *name, size_t max, const char **out)
    KLM_MUST_USE;
klm_rc con_file_write(struct con_run *run, const char *name, struct klm_slice bytes) KLM_MUST_USE;

/* ---- A line taken apart (words.c) */
#define CON_WORDS_MAX 256
/* Words by white space; "..." keeps blanks. KLM_E_USAGE with an answer when a quote is open or there are too many. */
klm_rc con_words(struct con_run *run, const char *line, const char **words, size_t *n) KLM_MUST_USE;

/* ---- Doors within the door */
void con_appl(struct con_run *run, const char *command); /* commands.c: the text in APPL='...' */
void con_racdcert(struct con_run *run, const char *command); /* racdcert.c */
void con_keyxfer(struct con_run *run, const char *command);  /* keyxfer.c */
/* profile.c: RDEFINE and so on. KLM_E_NOTFOUND: the first word is none of them. */
klm_rc con_profile(struct con_run *run, const char *command) KLM_MUST_USE;
void con_display(struct con_run *run); /* mvs.c: D A,ISKLM */

/* A call of a verb for this operator; the answer goes out when it is run. */
klm_rc con_call(struct con_run *run, enum km_verb_id verb, struct km_call **out) KLM_MUST_USE;
/* Run, answer, free. */
void con_finish(struct con_run *run, struct km_call **call);

/* ---- RACF's grammar (racf.c): KEYWORD, KEYWORD(body), nested, quotes with '' for a quote */
struct racf_word {
    const char *name; /* upper case; NULL for a quoted string */
    const char *body; /* text between the parentheses, or of the string; NULL: none */
};
#define RACF_WORDS_MAX 64
/* Take a text apart into words. KLM_E_USAGE with an answer that says where. */
klm_rc racf_parse(struct con_run *run, const char *text, struct racf_word *words, size_t *n)
    KLM_MUST_USE;
/* A body that is one value, quoted or bare, without its quotes. */
klm_rc racf_value(struct con_run *run, const struct racf_word *word, const char **out) KLM_MUST_USE;

/* ---- A command of RACF under way (racf_command.c): its words become parameters of a verb's call. What fails has answered, but for
 * KLM_E_NOMEM. */
struct racf_command {
    struct con_run *run;
    const char *name, *syntax; /* of its row */
    struct km_call *call;
};
/* Is the word this keyword? */
bool racf_named(const struct racf_word *word, const char *name);
/* Set a parameter to a text, or to the value of a word. */
klm_rc racf_set(struct racf_command *cmd, const char *param, const char *value) KLM_MUST_USE;
klm_rc racf_set_value(struct racf_command *cmd, const char *param, const struct racf_word *word)
    KLM_MUST_USE;
/* Refuse a word that the command does not have, or the lack of one that it needs; with its syntax. Returns KLM_E_USAGE. */
klm_rc racf_unknown(struct racf_command *cmd, const struct racf_word *word);
klm_rc racf_missing(struct racf_command *cmd, const char *name);
/* A name in upper case, in the command's pool; NULL: no memory. */
const char *racf_upper(struct con_run *run, const char *text);
/* The end of a command's words: rc other than KLM_OK that said nothing is told. Then the call is checked, run, answered and freed; a
 * listing is the answer, else "NAME processed" comes first. */
void racf_finish(struct racf_command *cmd, const char *done, klm_rc rc);

#endif
