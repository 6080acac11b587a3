/* Secrets that people type. */
#ifndef BASE_PROMPT_H
#define BASE_PROMPT_H

#include "base/rc.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

/* A terminal that shows nothing of what is typed. Ended by a signal meanwhile (Ctrl-C), reading ends, and the process is given the signal once the terminal
 * is as it was. One at a time. */
struct klm_quiet {
    int fd;
    bool terminal; /* it is one, and was made silent */
    struct termios old;
    struct sigaction was[4];
};
/* Before the prompt is written: what is typed at the sight of it is not shown. */
void klm_quiet_begin(int fd, struct klm_quiet *out);
/* As read(2). Below 0, too, once a signal came that is to end the process, however early it came. */
ssize_t klm_quiet_read(const struct klm_quiet *quiet, void *to, size_t n);
void klm_quiet_end(struct klm_quiet *quiet);

/* Ask on standard error, read a line of standard input, without echo when that is a terminal. out holds the line with its end; the caller wipes it.
 * KLM_E_CLOSED: there is no line; KLM_E_LIMIT: it is longer than out. */
klm_rc klm_prompt_secret(const char *prompt, char *out, size_t cap) KLM_MUST_USE;

#endif
