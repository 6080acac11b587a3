/* Messages of the host, in the forms of z/OS. */
#include "ios/display.h"

#include <stdlib.h>
#include <string.h>

void ios_show_ekm(struct klm_buf *out, const struct tm *when, const struct parm_ekm *ekm,
                  bool verifying)
{
    char primary[80], secondary[80];

    parm_ekm_show(&ekm->primary, primary, sizeof primary);
    parm_ekm_show(&ekm->secondary, secondary, sizeof secondary);
    klm_buf_printf(out, "IOS099I %02d:%02d:%02d EKM HOSTS\n", when->tm_hour, when->tm_min,
                   when->tm_sec);
    klm_buf_printf(out, " PRIMARY HOSTNAME=%s\n SECONDARY HOSTNAME=%s\n", primary, secondary);
    klm_buf_printf(out, " MAX CONNECTIONS = %u\n PERMANENT CONNECTIONS = %u\n", ekm->maxconn,
                   ekm->maxpconn);
    if (verifying) {
        klm_buf_text(out, " VERIFICATION WILL COMPLETE ASYNCHRONOUSLY\n");
    }
}

void ios_show_verified(struct klm_buf *out, enum ios_which which, const struct parm_ekm_host *host,
                       const char *why)
{
    char shown[80];
    const char *name = which == IOS_PRIMARY ? "PRIMARY" : "SECONDARY";

    parm_ekm_show(host, shown, sizeof shown);
    if (why) {
        klm_buf_printf(out, "IOS627E EKM %s HOST %s CONNECTION ERRORS: %s\n", name, shown, why);
    } else {
        klm_buf_printf(out, "IOS631I EKM %s HOST %s CONNECTION IS GOOD\n", name, shown);
    }
}

void ios_show_volume(struct klm_buf *out, unsigned number, const struct ios_step *step,
                     const struct ios_file_info *info, const struct kx_label *labels,
                     size_t labels_n)
{
    klm_buf_printf(out, "IEC205I %s,%s,%s,FILESEQ=%u, COMPLETE VOLUME LIST, %03u\n", step->dd,
                   step->job, step->step, info->seq, number % 1000);
    klm_buf_printf(out, "VOLS=%s,LISTED VOL(S) HAVE BEEN DATA\nENCRYPTED,", step->volser);
    for (size_t i = 0; i < labels_n; i++) {
        klm_buf_printf(out, "KL%zuCD:%c,", i + 1, labels[i].encoding);
    }
    klm_buf_text(out, "\n");
    for (size_t i = 0; i < labels_n; i++) {
        klm_buf_printf(out, "KL%zu=%s,%s", i + 1, labels[i].label, i + 1 < labels_n ? "\n" : "");
    }
    klm_buf_printf(out, "TOTALBLOCKS=%llu\n", (unsigned long long)info->blocks);
}

void ios_show_failure(struct klm_buf *out, const struct ios_step *step, uint16_t code)
{
    /* Path, command and status are of a channel that is not here. EKM: sense key 5, then the code. */
    klm_buf_printf(out, "IOS000I %s,**,IOE,**,****,,**,%s,%s\nENCRYPTION FAILURE\n", step->unit,
                   step->volser, step->job);
    if (code) {
        klm_buf_printf(out, "CU=00 DRIVE=000000 EKM=05%04X\n", (unsigned)code);
    } else {
        klm_buf_text(out, "CU=01 DRIVE=000000 EKM=000000\n");
    }
}

/* A word of 4 hex digits, or of 6 of which the first two are the sense key. */
static bool code_of(const char *word, size_t n, uint16_t *code)
{
    char digits[7] = "";

    if ((n != 4 && n != 6) || strspn(word, "0123456789abcdefABCDEF") < n) {
        return false;
    }
    memcpy(digits, word + n - 4, 4);
    *code = (uint16_t)strtoul(digits, NULL, 16);
    return true;
}

bool ios_code_in(const char *line, uint16_t *code)
{
    const char *at = strstr(line, "EKM=");

    if (at) {
        at += 4;
        at += strspn(at, " ");
        return code_of(at, strcspn(at, " ,\n"), code);
    }
    at = line + strspn(line, " ");
    return code_of(at, strcspn(at, " ,\n"), code);
}

bool ios_show_code(struct klm_buf *out, uint16_t code)
{
    const struct kx_code *row = kx_code_find(code);

    if (!row) {
        return false;
    }
    klm_buf_printf(out, "%04X %s\n  %s.\n  Action: %s\n", (unsigned)code, row->group, row->meaning,
                   row->action);
    return true;
}
