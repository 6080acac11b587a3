/* klmsrv --backup, --check-backup, --restore and --undo-restore: through the running task where it runs, else on the state itself. */
#include "backup/bk.h"
#include "base/file.h"
#include "base/secret.h"
#include "console/con.h"
#include "programs/program.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECRET_BYTES (8u << 20)
#define SECRET_BYTES_LEAST (2u << 20)
#define POLL_MS 300

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- The terminal */

static klm_rc show(void *shown, const char *line)
{
    *(bool *)shown = true;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r\033[K%s", line);
        fflush(stderr);
    }
    return interrupted ? KLM_E_CANCELLED : KLM_OK;
}

static void show_end(bool shown)
{
    if (shown && isatty(STDERR_FILENO)) {
        fputs("\r\033[K", stderr);
    }
}

/* ---- Passwords */

/* From a file when one is named, else from the terminal. */
static klm_rc give_password(void *file, const char *prompt, bool twice, struct klm_buf *out)
{
    struct klm_diag diag = {0};
    klm_rc rc;

    if (!file) {
        return program_ask(NULL, prompt, twice, out);
    }
    rc = bk_password_file(file, out, &diag);
    if (rc != KLM_OK) {
        (void)program_failed(&diag, rc);
    }
    return rc;
}

/* ---- By the task */

static klm_rc command(struct con_client *client, const char *words, struct klm_buf *answer,
                      int *status, struct klm_diag *diag)
{
    char line[8300];

    snprintf(line, sizeof line, "F ISKLM,APPL='%s'", words);
    klm_buf_clear(answer);
    return con_client_command(client, line, answer, status, diag);
}

static bool begins(const struct klm_buf *answer, const char *word)
{
    return answer->n >= strlen(word) && memcmp(answer->p, word, strlen(word)) == 0;
}

static int print_answer(const struct klm_buf *answer, int status)
{
    FILE *to = status == 0 ? stdout : stderr;

    return fwrite(answer->p ? answer->p : (const uint8_t *)"", 1, answer->n, to) == answer->n
               ? status
               : EXIT_FAILED;
}

/* Show how far it is until it ended. Ctrl-C cancels it, and its end is waited for. */
static int follow(struct con_client *client, struct klm_buf *answer)
{
    const struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};
    struct klm_diag diag = {0};
    bool shown = false, told = false;
    char line[256];
    int status;

    for (;;) {
        klm_rc rc = command(client, "backup -status -line", answer, &status, &diag);

        if (rc != KLM_OK || status != 0) {
            return rc == KLM_OK ? print_answer(answer, status) : program_failed(&diag, rc);
        }
        if (begins(answer, "done") || begins(answer, "failed") || begins(answer, "idle")) {
            break;
        }
        snprintf(line, sizeof line, "%.*s", (int)strcspn((const char *)answer->p, "\n"),
                 (const char *)answer->p);
        if (show(&shown, line) != KLM_OK && !told) {
            told = true;
            (void)!command(client, "backup -cancel", answer, &status, &diag);
        }
        nanosleep(&nap, NULL);
    }
    show_end(shown);
    told = begins(answer, "done");
    if (command(client, "backup -status", answer, &status, &diag) != KLM_OK) {
        return EXIT_FAILED;
    }
    return print_answer(answer, told ? EXIT_SUCCESS : EXIT_FAILED);
}

/* The task writes to its folder of backups and nowhere else, so a path must be in it. */
static klm_rc name_of(const struct program_backup *order, const struct parm_config *config,
                      const char **out, struct klm_diag *diag)
{
    const char *slash = strrchr(order->file, '/');
    char ours[4096], *theirs, *real;
    bool same;

    *out = slash ? slash + 1 : order->file;
    if (!slash) {
        return KLM_OK;
    }
    KLM_TRY(parm_backup_dir(config, ours, sizeof ours));
    theirs = strndup(order->file, slash == order->file ? 1 : (size_t)(slash - order->file));
    real = theirs ? realpath(theirs, NULL) : NULL;
    free(theirs);
    theirs = realpath(ours, NULL);
    same = real && theirs && strcmp(real, theirs) == 0;
    free(real);
    free(theirs);
    return same ? KLM_OK : klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_NAME, order->file, ours);
}

static int by_task(struct con_client *client, const struct program_backup *order,
                   const struct parm_config *config)
{
    struct klm_diag diag = {0};
    struct klm_buf answer;
    char words[8192];
    const char *name;
    int status = EXIT_FAILED;
    klm_rc rc = name_of(order, config, &name, &diag);

    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    con_client_on_ask(client, give_password, order->password_file);
    snprintf(words, sizeof words, "%s -file \"%s\" %s", order->check ? "restore -check" : "backup",
             name, order->token ? "-token" : "-ask");
    klm_buf_init_wiping(&answer, CON_ANSWER_MAX);
    rc = command(client, words, &answer, &status, &diag);
    if (rc != KLM_OK) {
        status = program_failed(&diag, rc);
    } else if (print_answer(&answer, status) == EXIT_SUCCESS) {
        status = follow(client, &answer);
    }
    klm_buf_done(&answer);
    return status;
}

/* ---- On the state itself */

static const char *user_name(void)
{
    const struct passwd *passwd = getpwuid(getuid());

    return passwd ? passwd->pw_name : "?";
}

static int run_verb(struct km_server *server, const struct program_backup *order,
                    const char *password)
{
    struct km_state *state = km_state_get(server);
    const struct km_actor actor = {.kind = KM_ACTOR_OPERATOR,
                                   .roles = km_roles_of(state->config, getuid(), getgid()),
                                   .name = user_name(),
                                   .address = "local"};
    struct km_call *call;
    int status = EXIT_SUCCESS;

    km_state_put(&state);
    if (km_call_new(server, order->check ? KM_BACKUP_CHECK : KM_BACKUP_RUN, &actor, &call) !=
        KLM_OK) {
        return EXIT_FAILED;
    }
    ((struct km_backup_req *)call->req)->file = order->file;
    ((struct km_backup_req *)call->req)->password = order->token ? NULL : password;
    ((struct km_backup_req *)call->req)->token = order->token;
    if (km_run_wait(call) != KLM_OK) {
        status = program_failed(&call->diag, call->rc);
    } else if (call->text) {
        printf("%s\n", call->text);
    }
    km_call_free(&call);
    return status;
}

static int with_service(struct km_server *server, const struct program_backup *order,
                        const char *password)
{
    struct klm_diag diag = {0};
    struct bk_service *service;
    bool shown = false;
    const struct bk_options options = {.here = true, .progress = show, .arg = &shown};
    klm_rc rc = bk_open(server, &options, &diag, &service);
    int status;

    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    status = run_verb(server, order, password);
    show_end(shown);
    bk_close(&service);
    return status;
}

static int by_store(const struct program_backup *order, const char *password)
{
    const struct km_options options = {
        .config_path = order->config, .offline = true, .once = true, .prompt = order->prompt};
    struct klm_diag diag = {0};
    struct km_server *server;
    klm_rc rc = km_open(&options, &diag, &server);
    int status;

    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    status = with_service(server, order, password);
    km_close(&server);
    return status;
}

static int restore(const struct program_backup *order, const struct klm_buf *password)
{
    struct bk_restored done;
    bool shown = false;
    struct klm_diag diag = {0};
    const struct bk_restore restore = {.config_path = order->config,
                                       .file = order->file,
                                       .password = klm_buf_as_slice(password),
                                       .token = order->token,
                                       .prompt = order->prompt,
                                       .consent = order->consent,
                                       .who = user_name(),
                                       .progress = show,
                                       .arg = &shown};
    klm_rc rc = order->undo ? bk_undo(&restore, &diag, &done) : bk_restore(&restore, &diag, &done);
    char text[KLM_MSG_TEXT_MAX];

    show_end(shown);
    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    printf("%s\n",
           klm_msg_format(KLM_MSG_BK_RESTORED, (const char *const[]){order->file, done.kept, NULL},
                          text, sizeof text));
    return EXIT_SUCCESS;
}

static int with_password(const struct program_backup *order)
{
    const char *text = NULL;
    struct klm_buf password;
    struct klm_diag diag = {0};
    int status;
    klm_rc rc = KLM_OK;

    klm_buf_init_wiping(&password, 8192);
    if (!order->undo && !order->token) {
        rc = give_password(order->password_file, "Password of the backup",
                           !order->check && !order->restore, &password);
    }
    if (rc == KLM_E_USAGE) {
        (void)klm_fail(&diag, rc, KLM_MSG_BK_PASSWORD_ASK, "there is no terminal to ask on");
    }
    if (rc != KLM_OK) {
        status = order->password_file ? EXIT_FAILED : program_failed(&diag, rc);
    } else if (order->restore || order->undo) {
        status = restore(order, &password);
    } else {
        klm_buf_u8(&password, 0);
        text = (const char *)password.p;
        status = by_store(order, text);
    }
    klm_buf_done(&password);
    return status;
}

/* ---- Which of them */

static bool task_answers(const struct parm_config *config, struct con_client **out)
{
    struct klm_diag diag = {0};

    return con_client_open(parm_str(config, PARM_console_socket), &diag, out) == KLM_OK;
}

static int choose(const struct program_backup *order, const struct parm_config *config)
{
    struct con_client *client;
    struct klm_diag diag = {0};
    int status;

    if (!task_answers(config, &client)) {
        return with_password(order);
    }
    if (order->restore || order->undo) {
        status = program_failed(&diag, klm_fail(&diag, KLM_E_BUSY, KLM_MSG_BK_TASK_UP));
    } else {
        status = by_task(client, order, config);
    }
    con_client_close(&client);
    return status;
}

static klm_rc load_config(const char *path, struct klm_diag *diag, struct parm_config **out)
{
    struct klm_buf text;
    klm_rc rc;

    klm_buf_init_wiping(&text, 1u << 20);
    rc = klm_file_read(path, 1u << 20, &text, diag);
    if (rc == KLM_OK) {
        rc = parm_load_text(klm_buf_as_slice(&text), path, true, diag, out);
    }
    klm_buf_done(&text);
    return rc;
}

int program_backup(const struct program_backup *order)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    struct parm_config *config;
    struct klm_diag diag = {0};
    int status;
    klm_rc rc;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit of the file's size is an error like a full disk */
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    if (klm_secret_init(SECRET_BYTES) != KLM_OK && klm_secret_init(SECRET_BYTES_LEAST) != KLM_OK) {
        rc = klm_fail(&diag, KLM_E_NOMEM, KLM_MSG_SECRET_MEMORY, KLM_NUM(SECRET_BYTES_LEAST),
                      "see ulimit -l");
        return program_failed(&diag, rc);
    }
    rc = load_config(order->config, &diag, &config);
    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    status = choose(order, config);
    parm_free(&config);
    return status;
}
