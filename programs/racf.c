/* racf: profiles, key rings and certificates, in RACF's own command syntax. */
#include "programs/program.h"

#include <stdlib.h>

int main(int argc, const char **argv)
{
    char *config = NULL;
    const struct poptOption options[] = {
        {"config", 'c', POPT_ARG_STRING, &config, 0,
         "configuration, when the task is down (default: $KLM_CONFIG)", "FILE"},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext("racf", argc, argv, options, POPT_CONTEXT_POSIXMEHARDER);
    struct klm_buf command;
    int status = EXIT_FAILED;

    poptSetOtherOptionHelp(
        ctx, "[OPTION...] [\"command\" | words | - (standard input, lines continued with -)]");
    program_options(ctx, "racf");
    klm_buf_init(&command, 131072);
    if (program_gather("", poptGetArgs(ctx), &command) == KLM_OK) {
        status = program_command(config, (const char *)command.p);
    }
    klm_buf_done(&command);
    poptFreeContext(ctx);
    free(config);
    return status;
}
