#include "base/prompt.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static klm_rc read_line(char *out, size_t cap)
{
    size_t n = 0;
    char c;

    while (read(STDIN_FILENO, &c, 1) == 1) { /* no buffer of the library keeps a copy */
        if (n + 2 > cap) {
            klm_wipe(out, cap);
            return KLM_E_LIMIT;
        }
        out[n++] = c;
        if (c == '\n') {
            break;
        }
    }
    out[n] = '\0';
    return n ? KLM_OK : KLM_E_CLOSED;
}

klm_rc klm_prompt_secret(const char *prompt, char *out, size_t cap)
{
    struct termios old, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &old) == 0;
    klm_rc rc;

    fputs(prompt, stderr);
    if (terminal) {
        quiet = old;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH,
                        &quiet); /* a terminal that cannot be silent still reads */
    }
    rc = read_line(out, cap);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
        fputc('\n', stderr);
    }
    return rc;
}
