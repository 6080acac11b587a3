/* The frame of the programs that take commands in RACF's syntax. */
#include "programs/program.h"

#include <stdio.h>
#include <stdlib.h>

static int run(const char *verb, const char **args, const char *config, const char *password)
{
    KLM_AUTO(klm_buf_done) struct klm_buf command = {0};
    struct klm_diag diag = {0};
    klm_rc rc;

    klm_buf_init_wiping(&command, 131072);
    if (program_gather(verb, args, &command) != KLM_OK) {
        return EXIT_FAILED;
    }
    rc = program_password(&command, password, &diag);
    return rc == KLM_OK ? program_command(config, (const char *)command.p)
                        : program_failed(&diag, rc);
}

int program_racf(const char *name, const char *verb, int argc, const char **argv)
{
    char *config = NULL, *password = NULL, help[128];
    const struct poptOption options[] = {
        {"config", 'c', POPT_ARG_STRING, &config, 0,
         "configuration, when the task is down (default: $KLM_CONFIG)", "FILE"},
        {"password-file", 'p', POPT_ARG_STRING, &password, 0,
         "file whose first line is the value of PASSWORD", "FILE"},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext(name, argc, argv, options, POPT_CONTEXT_POSIXMEHARDER);
    int status;

    snprintf(help, sizeof help,
             "[OPTION...] [\"%s%scommand\" | words | - (standard input, lines continued with -)]",
             verb, *verb ? " " : "");
    poptSetOtherOptionHelp(ctx, help);
    program_options(ctx, name);
    status = run(verb, poptGetArgs(ctx), config, password);
    poptFreeContext(ctx);
    free(config);
    free(password);
    return status;
}
