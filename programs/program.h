/* What the mains share: usage errors exit 2, failures 1, --help and --version the same everywhere (popt). */
#ifndef PROGRAMS_PROGRAM_H
#define PROGRAMS_PROGRAM_H

#include "base/buf.h"
#include "base/msg.h"

#include <popt.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* Read options; exits with 2 and a line on standard error when one is wrong. "--version" prints and exits 0. */
void program_options(poptContext ctx, const char *name);
/* Say a diag on standard error with what to do, and return EXIT_FAILED. */
int program_failed(const struct klm_diag *diag, klm_rc rc);

/* Inputs are mapped: one that is cut while it is read ends the program with a message (KLM0733E) and EXIT_FAILED. */
void program_guard_inputs(void);

/* Ask for a secret on the terminal of the process (console/con.h, con_ask_fn); twice: until both are the same. KLM_E_USAGE: there is none,
 * or nothing was typed; KLM_E_INVALID: the two differ, which was said. */
klm_rc program_ask(void *unused, const char *prompt, bool twice, struct klm_buf *out) KLM_MUST_USE;

/* klmsrv --backup and its like. */
struct program_backup {
    const char *config, *file; /* undo: the folder that was kept */
    char *password_file;       /* NULL: asked for */
    bool check, restore, undo; /* none of them: make one */
    unsigned consent;          /* enum bk_consent */
    bool token;                /* no password: the token's key seals or opens it */
    /* For a PIN. */
    klm_rc (*prompt)(void *arg, uint8_t *pin, size_t cap, size_t *n);
};
int program_backup(const struct program_backup *order);

/* racf, racdcert and keyxfer: one command line for the task, or, when the task is down, for the store itself. command begins with its word, as "RACDCERT ...". */
int program_command(const char *config, const char *command);
/* The whole of racf and racdcert: their options, the command that verb is put in front of ("": none), and its password. */
int program_racf(const char *name, const char *verb, int argc, const char **argv);
/* The command given as arguments, or on standard input with '-' or '+' continuations; in a buffer that the caller ends. verb is put in front unless it is there, or empty. */
klm_rc program_gather(const char *verb, const char **args, struct klm_buf *out);

/* Put a password behind the word PASSWORD of a command that has no value there: of the first line of file, or asked for at the
 * terminal. With a file, a command without the word gets it. */
klm_rc program_password(struct klm_buf *command, const char *file, struct klm_diag *diag)
    KLM_MUST_USE;

#endif
