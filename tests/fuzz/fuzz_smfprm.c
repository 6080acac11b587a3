/* SMFPRMxx members: whatever the bytes, what is taken over lies within its limits, and names of data sets are file names. */
#include "parmlib/smfprm.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

static void ignore(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

static void check(const struct parm_smf *smf)
{
    must(strlen(smf->sid) >= 1 && strlen(smf->sid) <= 4);
    must(smf->dsnames >= 1 && smf->dsnames <= PARM_SMF_DATASETS);
    must(smf->active || !smf->recorded);
    for (size_t i = 0; i < smf->dsnames; i++) {
        const char *name = smf->dsname[i];

        must(*name && *name != '.' && strlen(name) <= PARM_SMF_DSN && !strchr(name, '/'));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct parm_smf smf, before;
    struct klm_diag diag = {0};

    klm_say_to(ignore, NULL);
    parm_smf_init("SYSA", &smf);
    before = smf;
    if (parm_smf_member(KLM_SLICE(p, n), "SMFPRM00", "SYSA", "STC", &smf, &diag) == KLM_OK) {
        check(&smf);
    } else {
        must(diag.msg != KLM_MSG_NONE && memcmp(&smf, &before, sizeof smf) == 0);
    }
    return 0;
}
