#include "programs/program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define INPUT_MAX 65536

void program_options(poptContext ctx, const char *name)
{
    int rc;

    while ((rc = poptGetNextOpt(ctx)) > 0) {
        if (rc == 'V') {
            printf("%s " KLM_VERSION "\n", name);
            exit(EXIT_SUCCESS);
        }
    }
    if (rc < -1) {
        fprintf(stderr, "%s: %s: %s\nTry '%s --help'.\n", name,
                poptBadOption(ctx, POPT_BADOPTION_NOALIAS), poptStrerror(rc), name);
        exit(EXIT_USAGE);
    }
}

int program_failed(const struct klm_diag *diag, klm_rc rc)
{
    if (diag->msg != KLM_MSG_NONE) {
        fprintf(stderr, "%s\n  %s\n", diag->text, klm_msg(diag->msg)->action);
    } else {
        fprintf(stderr, "%s\n", klm_rc_text(rc));
    }
    return rc == KLM_E_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

static void put_word(struct klm_buf *out, const char *word)
{
    if (out->n > 0) {
        klm_buf_u8(out, ' ');
    }
    klm_buf_text(out, word);
}

/* Lines of standard input; '-' or '+' at a line's end continues it (TSO's rule). */
static void read_input(struct klm_buf *out)
{
    char *line = NULL;
    size_t cap = 0;
    bool more = true;

    while (more && getline(&line, &cap, stdin) >= 0) {
        size_t n = strcspn(line, "\r\n");

        while (n > 0 && line[n - 1] == ' ') {
            n--;
        }
        more = n == 0 || line[n - 1] == '-' || line[n - 1] == '+';
        line[more && n > 0 ? n - 1 : n] = '\0';
        put_word(out, line + strspn(line, " \t"));
    }
    free(line);
}

klm_rc program_gather(const char *verb, const char **args, struct klm_buf *out)
{
    size_t len = strlen(verb);
    struct klm_buf text;
    const char *p;

    klm_buf_init_wiping(&text, INPUT_MAX);
    if (!args || !args[0] || (strcmp(args[0], "-") == 0 && !args[1])) {
        read_input(&text);
    }
    for (size_t i = 0; args && args[i] && strcmp(args[0], "-") != 0; i++) {
        put_word(&text, args[i]);
    }
    klm_buf_u8(&text, 0);
    if (klm_buf_rc(&text) != KLM_OK) {
        klm_buf_done(&text);
        return KLM_E_LIMIT;
    }
    p = (const char *)text.p + strspn((const char *)text.p, " \t");
    if (len > 0 && (strncasecmp(p, verb, len) != 0 || (p[len] && p[len] != ' '))) {
        klm_buf_text(out, verb);
        klm_buf_u8(out, ' ');
    }
    klm_buf_text(out, p);
    klm_buf_u8(out, 0);
    klm_buf_done(&text);
    return klm_buf_rc(out);
}

static char shrunk[KLM_MSG_TEXT_MAX];

/* Only what may be called in a signal handler (POSIX, 2.4.3). */
static void on_bus(int number)
{
    (void)number;
    if (write(STDERR_FILENO, shrunk, strlen(shrunk)) < 0) {
        _exit(EXIT_FAILED); /* nobody to tell it to */
    }
    _exit(EXIT_FAILED);
}

void program_guard_inputs(void)
{
    struct sigaction action = {.sa_handler = on_bus};

    klm_msg_format(KLM_MSG_DUMP_SHRUNK, (const char *const[]){NULL}, shrunk, sizeof shrunk - 1);
    shrunk[strlen(shrunk)] = '\n'; /* static: a zero follows */
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGBUS, &action, NULL); /* it cannot fail for a signal that is one */
}
