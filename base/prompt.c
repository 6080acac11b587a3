#include "base/prompt.h"

#include "base/secret.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 200

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static volatile sig_atomic_t caught;

static void on_ending(int number)
{
    caught = number;
}

void klm_quiet_begin(int fd, struct klm_quiet *out)
{
    const struct sigaction action = {.sa_handler = on_ending}; /* no SA_RESTART: read ends */
    struct termios quiet;

    *out = (struct klm_quiet){.fd = fd};
    if (tcgetattr(fd, &out->old) != 0) {
        return;
    }
    caught = 0;
    for (size_t i = 0; i < KLM_COUNT(ending); i++) {
        (void)sigaction(ending[i], &action, &out->was[i]);
    }
    quiet = out->old;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fd, TCSAFLUSH, &quiet); /* a terminal that cannot be silent still reads */
    out->terminal = true;
}

/* A signal may come between a look at caught and the wait: so the wait is short. */
ssize_t klm_quiet_read(const struct klm_quiet *quiet, void *to, size_t n)
{
    struct pollfd typed = {.fd = quiet->fd, .events = POLLIN};

    while (quiet->terminal && !caught && poll(&typed, 1, LOOK_MS) <= 0) {
    }
    return quiet->terminal && caught ? -1 : read(quiet->fd, to, n);
}

void klm_quiet_end(struct klm_quiet *quiet)
{
    if (!quiet->terminal) {
        return;
    }
    (void)tcsetattr(quiet->fd, TCSAFLUSH, &quiet->old);
    for (size_t i = 0; i < KLM_COUNT(ending); i++) {
        (void)sigaction(ending[i], &quiet->was[i], NULL);
    }
    if (caught) {
        (void)raise(caught);
    }
}

static klm_rc read_line(const struct klm_quiet *quiet, char *out, size_t cap)
{
    size_t n = 0;
    char c;

    while (klm_quiet_read(quiet, &c, 1) == 1) { /* no buffer of the library keeps a copy */
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
    struct klm_quiet quiet;
    klm_rc rc;

    klm_quiet_begin(STDIN_FILENO, &quiet);
    fputs(prompt, stderr);
    rc = read_line(&quiet, out, cap);
    if (quiet.terminal) {
        fputc('\n', stderr);
    }
    klm_quiet_end(&quiet);
    return rc;
}
