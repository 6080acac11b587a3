/* oper: the operator console. One command, commands on standard input, or a dialogue with line editing, history and the task's messages as they come. */
#include "console/con.h"
#include "programs/program.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HISTORY_LINES 1000
#define LINE_MAX_HERE 65536

struct console {
    struct con_client *client;
    FILE *hardcopy; /* every command and line with its time; NULL: none */
    bool lost;      /* the task ended */
};

static void copy_line(struct console *console, const char *mark, const char *line, size_t n)
{
    char date[KLM_ISO_DATE_MAX];

    if (console->hardcopy) {
        klm_iso_date(klm_clock(), date);
        fprintf(console->hardcopy, "%s %s%.*s\n", date, mark, (int)n, line);
        fflush(console->hardcopy);
    }
}

static void copy_text(struct console *console, const char *text, size_t n)
{
    while (text && n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t len = end ? (size_t)(end - text) : n;

        copy_line(console, "  ", text, len);
        text += len + (end != NULL);
        n -= len + (end != NULL);
    }
}

/* The command without its secrets. */
static void copy_command(struct console *console, const char *line)
{
    struct klm_buf shown;

    klm_buf_init(&shown, 2 * LINE_MAX_HERE);
    con_shown(line, &shown);
    copy_line(console, "> ", shown.p ? (const char *)shown.p : "", shown.n);
    klm_buf_done(&shown);
}

/* Product commands may be typed as they are; F, P, D, I, RACDCERT and KEYXFER are the system's own. */
static void full_command(const char *line, struct klm_buf *out)
{
    static const char *const own[] = {"F ",       "MODIFY ", "P ",      "STOP ",     "D ",
                                      "DISPLAY ", "I ",      "SWITCH ", "RACDCERT ", "KEYXFER "};

    line += strspn(line, " \t");
    for (size_t i = 0; i < KLM_COUNT(own); i++) {
        if (strncasecmp(line, own[i], strlen(own[i])) == 0) {
            klm_buf_text(out, line);
            klm_buf_u8(out, 0);
            return;
        }
    }
    klm_buf_text(out, "F ISKLM,APPL='");
    for (const char *p = line; *p; p++) {
        klm_buf_text(out, *p == '\'' ? "''" : (char[]){*p, 0});
    }
    klm_buf_text(out, "'");
    klm_buf_u8(out, 0);
}

static int command(struct console *console, const char *line)
{
    struct klm_diag diag = {0};
    struct klm_buf text, answer;
    int status = EXIT_FAILED;
    klm_rc rc;

    klm_buf_init_wiping(&text, 3 * LINE_MAX_HERE);
    klm_buf_init_wiping(&answer, CON_ANSWER_MAX);
    full_command(line, &text);
    copy_command(console, line);
    rc = klm_buf_rc(&text);
    if (rc == KLM_OK) {
        rc = con_client_command(console->client, (const char *)text.p, &answer, &status, &diag);
    }
    if (rc == KLM_OK) {
        fwrite(answer.p ? answer.p : (const uint8_t *)"", 1, answer.n,
               status == CON_DONE || status == CON_AMISS ? stdout : stderr);
        fflush(stdout);
        copy_text(console, (const char *)answer.p, answer.n);
        status = status == CON_AMISS ? EXIT_FAILED : status;
    } else {
        status = program_failed(&diag, rc);
        console->lost = true;
    }
    klm_buf_done(&text);
    klm_buf_done(&answer);
    return status;
}

/* ---- Dialogue */

static void show_messages(struct console *console)
{
    struct klm_buf line;
    klm_rc rc;

    klm_buf_init(&line, CON_ANSWER_MAX);
    while ((rc = con_client_message(console->client, &line)) == KLM_OK) {
        printf("\r\033[K%.*s\n", (int)line.n, (const char *)line.p);
        copy_line(console, "  ", (const char *)line.p, line.n);
        klm_buf_clear(&line);
    }
    fflush(stdout);
    console->lost = rc != KLM_E_AGAIN;
    klm_buf_done(&line);
}

/* libedit's way to a character: while it waits, messages of the task are shown above the line. */
static int get_char(EditLine *el, wchar_t *out)
{
    struct console *console;
    struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}};
    unsigned char c;

    el_get(el, EL_CLIENTDATA, &console);
    for (;;) {
        fds[1] = (struct pollfd){.fd = con_client_fd(console->client), .events = POLLIN};
        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        if (fds[1].revents) {
            show_messages(console);
            el_set(el, EL_REFRESH);
            if (console->lost) {
                return 0;
            }
        }
        if (fds[0].revents) {
            break;
        }
    }
    if (read(STDIN_FILENO, &c, 1) != 1) {
        return 0;
    }
    *out = (wchar_t)c;
    return 1;
}

static char *prompt(EditLine *el)
{
    static char text[] = "ISKLM> ";

    (void)el;
    return text;
}

static void history_path(char *out, size_t cap)
{
    const char *home = getenv("HOME");

    snprintf(out, cap, "%s/.klmsrv_oper_history", home ? home : ".");
}

static bool leaves(const char *line)
{
    return strcasecmp(line, "exit") == 0 || strcasecmp(line, "quit") == 0;
}

static int dialogue(struct console *console, EditLine *el, History *past, HistEvent *event)
{
    struct klm_diag diag = {0};
    const char *line;
    int n, status = EXIT_SUCCESS;
    char text[LINE_MAX_HERE];

    if (con_client_attach(console->client, &diag) != KLM_OK) {
        return program_failed(&diag, KLM_E_CLOSED);
    }
    printf("Commands as they are, or F ISKLM,APPL='...', P ISKLM, D A,ISKLM, D SMF, I SMF. help "
           "lists them; exit "
           "leaves.\n");
    while (!console->lost && (line = el_gets(el, &n)) != NULL && n > 0) {
        snprintf(text, sizeof text, "%s", line);
        text[strcspn(text, "\r\n")] = '\0';
        if (!text[0]) {
            continue;
        }
        if (!strcasestr(text, "password")) { /* secrets stay out of the history */
            history(past, event, H_ENTER, text);
        }
        if (leaves(text)) {
            break;
        }
        status = command(console, text);
        if (!console->lost) {
            show_messages(console); /* those that came with the answer */
        }
    }
    return console->lost ? EXIT_FAILED : status;
}

static int interactive(struct console *console)
{
    EditLine *el = el_init("oper", stdin, stdout, stderr);
    History *past = history_init();
    HistEvent event;
    char path[4096];
    int status = EXIT_FAILED;

    history_path(path, sizeof path);
    if (el && past) {
        history(past, &event, H_SETSIZE, HISTORY_LINES);
        history(past, &event, H_LOAD, path);
        el_set(el, EL_PROMPT, prompt);
        el_set(el, EL_EDITOR, "emacs");
        el_set(el, EL_HIST, history, past);
        el_set(el, EL_CLIENTDATA, console);
        el_set(el, EL_GETCFN, get_char);
        status = dialogue(console, el, past, &event);
        history(past, &event, H_SAVE, path);
    }
    if (past) {
        history_end(past);
    }
    if (el) {
        el_end(el);
    }
    return status;
}

static int batch(struct console *console)
{
    char *line = NULL;
    size_t cap = 0;
    int status = EXIT_SUCCESS;

    while (!console->lost && getline(&line, &cap, stdin) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (leaves(line)) {
            break;
        }
        if (line[0] && line[0] != '#') {
            int one = command(console, line);

            status = one ? one : status;
        }
    }
    free(line);
    return status;
}

static int run(struct console *console, const char **words)
{
    struct klm_buf line;
    int status = EXIT_FAILED;

    if (!words || !words[0]) {
        return isatty(STDIN_FILENO) ? interactive(console) : batch(console);
    }
    klm_buf_init(&line,
                 2 * LINE_MAX_HERE); /* what is too long for a command is told by the answer */
    for (size_t i = 0; words[i]; i++) {
        klm_buf_text(&line, i ? " " : "");
        klm_buf_text(&line, words[i]);
    }
    klm_buf_u8(&line, 0);
    if (klm_buf_rc(&line) == KLM_OK) {
        status = command(console, (const char *)line.p);
    }
    klm_buf_done(&line);
    return status;
}

int main(int argc, const char **argv)
{
    char *path = NULL, *hardcopy = NULL;
    const struct poptOption options[] = {
        {"socket", 's', POPT_ARG_STRING, &path, 0,
         "operator socket (default: $KLM_OPER_SOCKET, /run/isklm/oper.sock)", "PATH"},
        {"hardcopy", 'o', POPT_ARG_STRING, &hardcopy, 0, "append every command and line to FILE",
         "FILE"},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext("oper", argc, argv, options, POPT_CONTEXT_POSIXMEHARDER);
    struct console console = {0};
    struct klm_diag diag = {0};
    int status;
    klm_rc rc;

    setlocale(LC_CTYPE, "");
    poptSetOtherOptionHelp(
        ctx, "[OPTION...] [\"F ISKLM,APPL='command'\" | \"P ISKLM\" | \"D A,ISKLM\" | command]");
    program_options(ctx, "oper");
    if (hardcopy && !(console.hardcopy = fopen(hardcopy, "ae"))) {
        perror(hardcopy);
        return EXIT_FAILED;
    }
    rc = con_client_open(path, &diag, &console.client);
    if (rc == KLM_OK) {
        con_client_on_ask(console.client, program_ask, NULL);
    }
    status = rc == KLM_OK ? run(&console, poptGetArgs(ctx)) : program_failed(&diag, rc);
    con_client_close(&console.client);
    if (console.hardcopy) {
        fclose(console.hardcopy);
    }
    poptFreeContext(ctx);
    free(path);
    free(hardcopy);
    return status;
}
