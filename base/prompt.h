/* Secrets that people type. */
#ifndef BASE_PROMPT_H
#define BASE_PROMPT_H

#include "base/rc.h"

#include <stddef.h>

/* Ask on standard error, read a line of standard input, without echo when that is a terminal. out holds the line with its end; the caller wipes it.
 * KLM_E_CLOSED: there is no line; KLM_E_LIMIT: it is longer than out. */
klm_rc klm_prompt_secret(const char *prompt, char *out, size_t cap) KLM_MUST_USE;

#endif
