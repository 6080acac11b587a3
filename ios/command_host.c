/* Commands on the host's settings: D IOS,EKM, SETIOS EKM, and what device codes mean. */
#include "ios/command_inside.h"

#include "ios/setios.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static klm_rc print_ekm(struct ios_run *run, const struct parm_ekm *ekm, bool verifying)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    time_t now = time(NULL);
    struct tm when = {0};

    klm_buf_init(&text, 4096);
    (void)localtime_r(&now, &when); /* cannot fail for a time of today */
    ios_show_ekm(&text, &when, ekm, verifying);
    return ios_run_print(run, &text);
}

static klm_rc verify_one(struct ios_run *run, struct ios_hosts *hosts, enum ios_which which,
                         const struct parm_ekm_host *host)
{
    KLM_AUTO(klm_buf_done) struct klm_buf text;
    const struct kx_error *error = &run->fault.error;
    klm_rc rc = ios_hosts_verify(hosts, which, &run->fault);
    char why[400];

    klm_buf_init(&text, 4096);
    snprintf(why, sizeof why, "%s", run->fault.why);
    if (rc == KLM_E_DENIED) {
        snprintf(why, sizeof why, "EKM=05%04X %s %s", (unsigned)error->code, error->message_id,
                 error->text);
    }
    ios_show_verified(&text, which, host, rc == KLM_OK ? NULL : why);
    KLM_TRY(ios_run_print(run, &text));
    return rc;
}

static klm_rc verify(struct ios_run *run, const struct parm_ekm *ekm, bool primary, bool secondary)
{
    KLM_AUTO(ios_drive_free) struct ios_drive *drive = NULL;
    KLM_AUTO(ios_hosts_free) struct ios_hosts *hosts = NULL;
    klm_rc first = KLM_OK, second = KLM_OK;

    KLM_TRY(ios_run_hosts(run, &drive, &hosts));
    if (primary) {
        first = verify_one(run, hosts, IOS_PRIMARY, &ekm->primary);
    }
    if (secondary) {
        second = verify_one(run, hosts, IOS_SECONDARY, &ekm->secondary);
    }
    if (first != KLM_OK || second != KLM_OK) {
        return klm_fail(&run->diag, KLM_E_IO, KLM_MSG_IOS_VERIFY);
    }
    return KLM_OK;
}

klm_rc ios_do_display(struct ios_run *run)
{
    const char *which = run->verify ? run->verify : "";
    bool all = strcasecmp(which, "ALL") == 0;
    bool primary = strcasecmp(which, "PRIMARY") == 0,
         secondary = strcasecmp(which, "SECONDARY") == 0;
    const char *member;
    struct parm_ekm ekm;

    if (run->verify && !all && !primary && !secondary) {
        return ios_usage(run, "--verify: PRIMARY, SECONDARY or ALL");
    }
    KLM_TRY(ios_run_member(run, &member));
    KLM_TRY(ios_member_load(member, &ekm, &run->diag));
    KLM_TRY(print_ekm(run, &ekm, run->verify != NULL));
    if (!run->verify) {
        return KLM_OK;
    }
    /* ALL are those that are named; when none is, the first tells so. */
    return verify(run, &ekm, primary || (all && (ekm.primary.host[0] || !ekm.secondary.host[0])),
                  secondary || (all && ekm.secondary.host[0]));
}

static klm_rc join(struct ios_run *run, struct klm_buf *out)
{
    for (size_t i = 0; i < run->args_n; i++) {
        klm_buf_text(out, i ? " " : "");
        klm_buf_text(out, run->args[i]);
    }
    klm_buf_u8(out, 0);
    return klm_buf_rc(out);
}

klm_rc ios_do_setios(struct ios_run *run)
{
    KLM_AUTO(klm_buf_done) struct klm_buf command;
    const char *member;
    struct parm_ekm ekm;

    klm_buf_init(&command, 8192);
    KLM_TRY(ios_run_member(run, &member));
    KLM_TRY(join(run, &command));
    KLM_TRY(ios_setios(member, (const char *)command.p, &ekm, &run->diag));
    return print_ekm(run, &ekm, false);
}

/* One argument: "EKM=05EE31", "EE31", or a whole line of IOS000I. */
static klm_rc explain(struct ios_run *run, const char *line, struct klm_buf *out, bool *found)
{
    uint16_t code;

    if (!ios_code_in(line, &code)) {
        return KLM_OK;
    }
    *found = true;
    return ios_show_code(out, code) ? KLM_OK
                                    : klm_fail(&run->diag, KLM_E_NOTFOUND, KLM_MSG_IOS_CODE, line);
}

klm_rc ios_do_explain(struct ios_run *run)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out;
    klm_rc rc = KLM_OK;
    bool found = false;

    klm_buf_init(&out, 65536);
    for (size_t i = 0; rc == KLM_OK && i < run->args_n; i++) {
        rc = explain(run, run->args[i], &out, &found);
    }
    KLM_TRY(ios_run_print(run, &out));
    if (rc == KLM_OK && !found) {
        return klm_fail(&run->diag, KLM_E_NOTFOUND, KLM_MSG_IOS_CODE, run->args[0]);
    }
    return rc;
}
