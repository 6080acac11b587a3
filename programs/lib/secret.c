/* Secrets from a terminal. */
#include "base/secret.h"
#include "base/prompt.h"
#include "programs/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MOST 4096

/* One line from a terminal that does not show it. */
static klm_rc type_line(int tty, const char *prompt, char line[LINE_MOST])
{
    struct klm_quiet quiet;
    size_t n = 0;
    ssize_t got;
    char c;

    klm_quiet_begin(tty, &quiet);
    if (!quiet.terminal) {
        return KLM_E_USAGE;
    }
    dprintf(tty, "%s: ", prompt);
    while ((got = klm_quiet_read(&quiet, &c, 1)) == 1 && c != '\n' && n < LINE_MOST - 1) {
        line[n++] = c;
    }
    n = got == 1 ? n : 0; /* what was not finished is none */
    dprintf(tty, "\n");
    klm_quiet_end(&quiet);
    line[n] = '\0';
    return n > 0 ? KLM_OK : KLM_E_USAGE;
}

static klm_rc type_twice(int tty, const char *prompt, const char *first)
{
    char again[LINE_MOST], text[300];
    klm_rc rc;

    snprintf(text, sizeof text, "%s, once more", prompt);
    rc = type_line(tty, text, again);
    if (rc == KLM_OK && strcmp(first, again) != 0) {
        fprintf(stderr, "%s\n",
                klm_msg_format(KLM_MSG_BK_TYPED, (const char *const[]){NULL}, text, sizeof text));
        rc = KLM_E_INVALID;
    }
    klm_wipe(again, sizeof again);
    return rc;
}

klm_rc program_ask(void *unused, const char *prompt, bool twice, struct klm_buf *out)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char line[LINE_MOST];
    klm_rc rc;

    (void)unused;
    if (tty < 0) {
        return KLM_E_USAGE;
    }
    rc = type_line(tty, prompt, line);
    if (rc == KLM_OK && twice) {
        rc = type_twice(tty, prompt, line);
    }
    if (rc == KLM_OK) {
        klm_buf_text(out, line);
        rc = klm_buf_rc(out);
    }
    klm_wipe(line, sizeof line);
    close(tty);
    return rc;
}
