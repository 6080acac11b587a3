/* racdcert: key rings and certificates, in RACF's own command syntax. */
#include "programs/program.h"

#include <stdlib.h>

int main(int argc, const char **argv)
{
    char *config = NULL, *password = NULL;
    const struct poptOption options[] = {
        {"config", 'c', POPT_ARG_STRING, &config, 0,
         "configuration, when the task is down (default: $KLM_CONFIG)", "FILE"},
        {"password-file", 'p', POPT_ARG_STRING, &password, 0,
         "file whose first line is the value of PASSWORD", "FILE"},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext("racdcert", argc, argv, options, POPT_CONTEXT_POSIXMEHARDER);
    struct klm_buf command;
    struct klm_diag diag = {0};
    int status = EXIT_FAILED;

    poptSetOtherOptionHelp(
        ctx,
        "[OPTION...] [\"RACDCERT command\" | words | - (standard input, lines continued with -)]");
    program_options(ctx, "racdcert");
    klm_buf_init_wiping(&command, 131072);
    if (program_gather("RACDCERT", poptGetArgs(ctx), &command) == KLM_OK) {
        klm_rc rc = program_password(&command, password, &diag);

        status = rc == KLM_OK ? program_command(config, (const char *)command.p)
                              : program_failed(&diag, rc);
    }
    klm_buf_done(&command);
    poptFreeContext(ctx);
    free(config);
    free(password);
    return status;
}
