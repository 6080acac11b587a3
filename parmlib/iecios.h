/* IECIOSxx members: the EKM statement that names the key managers of a host (isklm reference 6.1; MVS Initialization and Tuning
 * Reference, IECIOSxx; SETIOS has the same keywords). Other statements of the member are passed over. */
#ifndef PARMLIB_IECIOS_H
#define PARMLIB_IECIOS_H

#include "base/msg.h"
#include "base/pool.h"

#include <stdbool.h>
#include <stdint.h>

#define PARM_EKM_PORT 3801   /* when no port is given */
#define PARM_EKM_MAXCONN 255 /* default and most */
#define PARM_EKM_MAXPCONN 8  /* default; most is 255 */

struct parm_ekm_host {
    char host[256]; /* empty: NONE */
    uint16_t port;
    bool ipv6;
};
struct parm_ekm {
    struct parm_ekm_host primary, secondary;
    unsigned maxconn, maxpconn;
};

/* The state before any statement: both NONE, defaults. */
void parm_ekm_init(struct parm_ekm *ekm);
/* Read a whole member into ekm (statements add up in order). KLM_E_INVALID with line and column. */
klm_rc parm_ekm_member(struct klm_slice text, const char *name, struct parm_ekm *ekm,
                       struct klm_diag *diag) KLM_MUST_USE;
/* One command: "SETIOS EKM,PRIMARY=..." or just "EKM,...". On failure ekm is unchanged. */
klm_rc parm_ekm_setios(const char *command, struct parm_ekm *ekm, struct klm_diag *diag)
    KLM_MUST_USE;
/* "host:port", "2001:db8::1..3801" or "NONE", cut at 51 characters of host (IOS099I). */
void parm_ekm_show(const struct parm_ekm_host *host, char *out, size_t cap);

#endif
