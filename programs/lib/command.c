/* A command of racdcert or keyxfer: to the running task over its operator socket, else to the store itself under its lock. Never two owners. */
#include "base/file.h"
#include "base/secret.h"
#include "console/con.h"
#include "programs/program.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECRET_BYTES (2u << 20)

static int print(const struct klm_buf *answer, int status)
{
    FILE *to = status == 0 ? stdout : stderr;

    if (answer->n > 0 && fwrite(answer->p, 1, answer->n, to) != answer->n) {
        return EXIT_FAILED;
    }
    return fflush(to) == 0 ? status : EXIT_FAILED;
}

static int ask_task(struct con_client *client, const char *command)
{
    struct klm_diag diag = {0};
    struct klm_buf answer;
    int status = EXIT_FAILED;
    klm_rc rc;

    klm_buf_init_wiping(&answer, CON_ANSWER_MAX);
    rc = con_client_command(client, command, &answer, &status, &diag);
    status = rc == KLM_OK ? print(&answer, status) : program_failed(&diag, rc);
    klm_buf_done(&answer);
    return status;
}

static int execute(struct km_server *server, const char *command)
{
    struct km_state *state = km_state_get(server);
    const struct passwd *passwd = getpwuid(getuid());
    struct con_context context = {.server = server, .ask = program_ask};
    struct klm_diag diag = {0};
    struct klm_buf answer;
    char files[4096], groups[KM_GROUPS_MAX];
    int status;
    klm_rc rc = parm_files_dir(state->config, files, sizeof files);

    context.files = files;
    context.actor = (struct km_actor){.kind = KM_ACTOR_OPERATOR,
                                      .roles = km_roles_of(state->config, getuid(), getgid()),
                                      .name = passwd ? passwd->pw_name : "?",
                                      .address = "local",
                                      .groups = groups};
    km_groups_of(getuid(), getgid(), groups);
    km_state_put(&state);
    if (rc == KLM_OK) {
        rc = klm_folder_make(files, 0700, &diag);
    }
    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    klm_buf_init_wiping(&answer, CON_ANSWER_MAX);
    con_execute(&context, command, &answer, &status);
    status = print(&answer, status);
    klm_buf_done(&answer);
    return status;
}

static int use_store(const char *config, const char *command)
{
    const struct km_options options = {.config_path = config, .offline = true};
    struct klm_diag diag = {0};
    struct km_server *server;
    int status;
    klm_rc rc;

    if (klm_secret_init(SECRET_BYTES) != KLM_OK) {
        (void)klm_fail(&diag, KLM_E_NOMEM, KLM_MSG_SECRET_MEMORY, KLM_NUM(SECRET_BYTES),
                       "see ulimit -l");
        return program_failed(&diag, KLM_E_NOMEM);
    }
    rc = km_open(&options, &diag, &server);
    if (rc != KLM_OK) {
        return program_failed(&diag, rc);
    }
    status = execute(server, command);
    km_close(&server);
    return status;
}

int program_command(const char *config, const char *command)
{
    struct con_client *client;
    struct klm_diag diag = {0};
    klm_rc rc = con_client_open(NULL, &diag, &client);
    int status;

    if (rc == KLM_OK) {
        con_client_on_ask(client, program_ask, NULL);
        status = ask_task(client, command);
        con_client_close(&client);
        return status;
    }
    if (!config) {
        config = getenv("KLM_CONFIG");
    }
    if (rc != KLM_E_NOTFOUND || !config || !*config) {
        return program_failed(&diag, rc);
    }
    return use_store(config, command);
}
