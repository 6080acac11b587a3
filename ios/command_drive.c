/* Commands on drives, and what all commands that talk to key managers need: drive, member, labels. */
#include "ios/command_inside.h"

#include "ios/setios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

klm_rc ios_do_init(struct ios_run *run)
{
    const char *dir = run->args[0];
    const struct ios_drive_spec spec = {run->serial, run->wwn, run->kind, run->key_type};

    if (!run->serial || !run->wwn) {
        return ios_usage(run, "--serial and --wwn are needed");
    }
    KLM_TRY(ios_drive_init(dir, &spec, &run->diag));
    klm_say(KLM_MSG_IOS_MADE, dir);
    return KLM_OK;
}

klm_rc ios_do_install(struct ios_run *run)
{
    const char *dir = run->args[0];

    if (!run->cert || !run->ca) {
        return ios_usage(run, "--cert and --ca are needed");
    }
    KLM_TRY(ios_drive_install(dir, run->cert, run->ca, &run->diag));
    klm_say(KLM_MSG_IOS_INSTALLED, dir);
    return KLM_OK;
}

/* ---- Shared steps */

static const char *from_env(const char *option, const char *name)
{
    const char *env = getenv(name);

    return option ? option : env && *env ? env : NULL;
}

klm_rc ios_run_member(struct ios_run *run, const char **out)
{
    *out = from_env(run->member, "KLM_IECIOS");
    return *out ? KLM_OK : ios_usage(run, "no IECIOSxx member: give -i FILE, or set KLM_IECIOS");
}

klm_rc ios_run_number(struct ios_run *run, const char *text, unsigned standard, unsigned most,
                      const char *what, unsigned *out)
{
    size_t n = text ? strlen(text) : 0;
    unsigned value = 0;

    if (!text) {
        *out = standard;
        return KLM_OK;
    }
    if (n < 1 || n > 5 || strspn(text, "0123456789") != n) {
        return ios_usage(run, what);
    }
    for (size_t i = 0; i < n; i++) {
        value = 10 * value + (unsigned)(text[i] - '0');
    }
    if (value < 1 || value > most) {
        return ios_usage(run, what);
    }
    *out = value;
    return KLM_OK;
}

klm_rc ios_run_config(struct ios_run *run, const char *dir, struct ios_drive **drive,
                      struct ios_hosts_config *config)
{
    struct ios_hosts_config cfg = {.ssl = run->ssl, .tls12 = run->tls12};
    const char *member;
    unsigned seconds = 0;

    KLM_TRY(ios_run_number(run, run->timeout, 5, 600, "--timeout: 1 to 600 seconds", &seconds));
    cfg.timeout_ms = seconds * 1000;
    cfg.connect_ms = cfg.timeout_ms < 2000 ? cfg.timeout_ms : 2000;
    KLM_TRY(ios_run_member(run, &member));
    KLM_TRY(ios_member_load(member, &cfg.ekm, &run->diag));
    KLM_TRY(ios_drive_load(dir, &run->diag, drive));
    cfg.drive = *drive;
    *config = cfg;
    return KLM_OK;
}

klm_rc ios_run_hosts(struct ios_run *run, struct ios_drive **drive, struct ios_hosts **hosts)
{
    const char *dir = from_env(run->drive_dir, "KLM_DRIVE");
    struct ios_hosts_config cfg;

    if (!dir) {
        return ios_usage(run, "no drive: give -d DIR, or set KLM_DRIVE");
    }
    KLM_TRY(ios_run_config(run, dir, drive, &cfg));
    return ios_hosts_new(&cfg, &run->diag, hosts);
}

static klm_rc take_label(struct ios_run *run, const char *text, const char *enc,
                         struct kx_label *out)
{
    size_t n = strlen(text);
    bool blank = n && (text[0] == ' ' || text[n - 1] == ' ');

    if (n == 0 || n > KX_LABEL_MAX || blank) {
        return ios_usage(run, "a key label has 1 to 64 characters, the first and last not blank");
    }
    for (size_t i = 0; i < n; i++) {
        if (text[i] < 0x20 || text[i] > 0x7E) {
            return ios_usage(run, "a key label has printable ASCII characters");
        }
    }
    if (enc && strcmp(enc, "L") != 0 && strcmp(enc, "H") != 0) {
        return ios_usage(run, "the encoding of a key label is L or H");
    }
    memcpy(out->label, text, n + 1);
    out->encoding = enc && *enc == 'H' ? KX_ENC_HASH : KX_ENC_LABEL;
    return KLM_OK;
}

klm_rc ios_run_labels(struct ios_run *run, struct kx_label labels[KX_EEDKS], uint8_t *n)
{
    *n = 0;
    for (size_t i = 0; i < KX_EEDKS; i++) {
        if (run->enc[i] && !run->kl[i]) {
            return ios_usage(run, "an encoding is given without its key label");
        }
        if (run->kl[i]) {
            KLM_TRY(take_label(run, run->kl[i], run->enc[i], &labels[*n]));
            ++*n;
        }
    }
    return KLM_OK;
}

struct ios_step ios_run_step(const struct ios_run *run, const struct ios_drive *drive,
                             const char *volser)
{
    return (struct ios_step){.unit = run->unit ? run->unit : drive->serial + 8,
                             .volser = volser,
                             .dd = run->dd ? run->dd : "SYSUT2",
                             .job = run->job ? run->job : "IOSDRIVE",
                             .step = run->step ? run->step : "STEP1"};
}

void ios_run_key_failed(struct ios_run *run, klm_rc rc, const struct ios_drive *drive,
                        const char *volser)
{
    struct ios_step step = ios_run_step(run, drive, volser);
    bool refused = rc == KLM_E_DENIED && run->fault.error.code != 0;
    struct klm_buf text;

    if (!refused && run->diag.msg != KLM_MSG_IOS_NONE_ANSWERS) {
        return;
    }
    klm_buf_init(&text, 4096);
    ios_show_failure(&text, &step, run->fault.error.code);
    if (klm_buf_rc(&text) == KLM_OK) {
        fwrite(text.p, 1, text.n, stderr);
    }
    klm_buf_done(&text);
}

klm_rc ios_run_print(struct ios_run *run, struct klm_buf *buf)
{
    if (klm_buf_rc(buf) != KLM_OK) {
        return klm_buf_rc(buf);
    }
    if ((buf->n && fwrite(buf->p, 1, buf->n, stdout) != buf->n) || fflush(stdout) != 0) {
        return klm_fail(&run->diag, KLM_E_IO, KLM_MSG_FILE_WRITE, "standard output",
                        klm_rc_text(KLM_E_IO));
    }
    return KLM_OK;
}
