/* klmp11: the PKCS#11 helper, started by the key manager and by nobody else (keyring/P11.md). */
#include "keyring/p11/helper/hp.h"
#include "programs/program.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, const char **argv)
{
    struct hp_options helper = {.channels = 1};
    int channels = 1, network = 0;
    const struct poptOption options[] = {
        {"channels", 0, POPT_ARG_INT, &channels, 0, "answer on descriptors 3 to N + 2", "N"},
        {"network", 0, POPT_ARG_VAL, &network, 1, "the library may use sockets", NULL},
        {"alone", 0, POPT_ARG_VAL, &network, 0, "it may not", NULL},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext("klmp11", argc, argv, options, 0);

    poptSetOtherOptionHelp(ctx, "[OPTION...] LIBRARY");
    program_options(ctx, "klmp11");
    helper.library = poptGetArg(ctx);
    helper.channels = channels > 0 ? (unsigned)channels : 0;
    helper.network = network;
    if (!helper.library || poptPeekArg(ctx)) {
        fprintf(stderr, "klmp11: one PKCS#11 library is expected\nTry 'klmp11 --help'.\n");
        return EXIT_USAGE;
    }
    return hp_run(&helper); /* ctx is needed as long: it owns the library's name */
}
