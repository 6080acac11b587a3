/* smf2log: type 83 records back into the product's text log. */
#include "programs/program.h"

#include "smf/dump/log.h"

#include <stdlib.h>

#define NAME "smf2log"

struct options {
    char **dds, *output;
    const char **files;
    int replace, tolerate;
};

static klm_rc bind(const struct options *o, struct smfd_dds *dds, struct klm_diag *diag)
{
    klm_rc rc = KLM_OK;

    for (size_t i = 0; o->dds && o->dds[i]; i++) {
        KLM_TRY(smfd_dd_add(dds, o->dds[i], diag));
    }
    for (size_t i = 0; rc == KLM_OK && o->files && o->files[i]; i++) {
        rc = smfd_dd_bind(dds, "SMFIN", o->files[i]);
    }
    if (rc == KLM_OK && o->output) {
        rc = smfd_dd_bind(dds, "LOGOUT", o->output);
    }
    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_NO_MEMORY, "DD");
}

static klm_rc run(const struct options *o, struct smfd_dds *dds, struct klm_diag *diag)
{
    struct smfd_log log = {
        .replace = o->replace, .tolerate = o->tolerate, .sysprint = stderr, .out = "-"};
    const char **in = NULL, **out = NULL;
    size_t out_n;
    klm_rc rc;

    KLM_TRY(bind(o, dds, diag));
    KLM_TRY(smfd_dd_find(dds, "SMFIN", &in, &log.paths_n, diag));
    if (smfd_dd_find(dds, "LOGOUT", &out, &out_n, NULL) == KLM_OK) {
        log.out = out[out_n - 1];
    }
    log.paths = in;
    rc = smfd_log_write(&log, diag);
    free(in);
    free(out);
    return rc;
}

static int failed(const struct klm_diag *diag, klm_rc rc)
{
    bool usage = diag->msg == KLM_MSG_DUMP_DD || diag->msg == KLM_MSG_DUMP_DD_FORM;

    return program_failed(diag, usage ? KLM_E_USAGE : rc);
}

int main(int argc, const char **argv)
{
    struct options o = {.dds = NULL};
    const struct poptOption options[] = {
        {"dd", 'd', POPT_ARG_ARGV, &o.dds, 0,
         "the file of a DD name: SMFIN (may be repeated), LOGOUT", "NAME=FILE"},
        {"output", 'o', POPT_ARG_STRING, &o.output, 0,
         "where the log goes (default: standard output)", "FILE"},
        {"replace", 'r', POPT_ARG_NONE, &o.replace, 0, "an output that exists is replaced", NULL},
        {"tolerate", 0, POPT_ARG_NONE, &o.tolerate, 0, "damaged places are no failure", NULL},
        {"version", 'V', POPT_ARG_NONE, NULL, 'V', "print the version", NULL},
        POPT_AUTOHELP POPT_TABLEEND};
    poptContext ctx = poptGetContext(NAME, argc, argv, options, 0);
    struct smfd_dds dds = {0};
    struct klm_diag diag = {0};
    klm_rc rc;
    int status;

    poptSetOtherOptionHelp(ctx, "[OPTION...] [DATA-SET...]");
    program_guard_inputs();
    program_options(ctx, NAME);
    o.files = poptGetArgs(ctx);
    rc = run(&o, &dds, &diag);
    status = rc == KLM_OK ? EXIT_SUCCESS : failed(&diag, rc);
    smfd_dds_done(&dds);
    poptFreeContext(ctx);
    for (size_t i = 0; o.dds && o.dds[i]; i++) {
        free(o.dds[i]);
    }
    free(o.dds);
    free(o.output);
    return status;
}
