/* IECIOSxx members and SETIOS commands: whatever the bytes, what is taken over lies within its
 * limits, and what is shown and given again as a command is the same host. */
#include "parmlib/iecios.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(bool held)
{
    if (!held) {
        abort();
    }
}

static void same_host(const struct parm_ekm_host *a, const struct parm_ekm_host *b)
{
    must(!strcmp(a->host, b->host) && a->port == b->port && a->ipv6 == b->ipv6);
}

static void check_host(const struct parm_ekm_host *host, const char *operand, const char *port)
{
    struct parm_ekm again;
    char command[600], shown[300];

    parm_ekm_init(&again);
    parm_ekm_show(host, shown, sizeof shown);
    must(*shown);
    if (!host->host[0]) {
        return;
    }
    must(host->port != 0);
    snprintf(command, sizeof command, "SETIOS EKM,%s=%s,%s=%u", operand, host->host, port,
             (unsigned)host->port);
    must(parm_ekm_setios(command, &again, NULL) == KLM_OK);
    same_host(operand[0] == 'P' ? &again.primary : &again.secondary, host);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct parm_ekm ekm, was;
    struct klm_diag diag = {0};
    char command[500];

    parm_ekm_init(&ekm);
    was = ekm;
    if (parm_ekm_member(KLM_SLICE(p, n), "fuzz", &ekm, &diag) != KLM_OK) {
        must(diag.msg != KLM_MSG_NONE);
        same_host(&was.primary, &ekm.primary);
        same_host(&was.secondary, &ekm.secondary);
    }
    must(ekm.maxconn >= 1 && ekm.maxconn <= 255 && ekm.maxpconn <= 255);
    check_host(&ekm.primary, "PRIMARY", "PRIPORT");
    check_host(&ekm.secondary, "SECONDARY", "SECPORT");
    snprintf(command, sizeof command, "%.*s", (int)(n < 400 ? n : 400), (const char *)p);
    (void)parm_ekm_setios(command, &ekm, &diag); /* any outcome will do */
    return 0;
}
