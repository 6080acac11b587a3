/* Within smf/dump: inputs that are to be cleared. They are locked before they are read, as the task locks the data set it records on, and
 * emptied only when nothing came to them meanwhile. */
#ifndef SMF_DUMP_CLEAR_H
#define SMF_DUMP_CLEAR_H

#include "base/msg.h"

#include <sys/stat.h>

struct smfd_clear {
    const char *path;
    int fd; /* -1: not to be cleared */
    struct stat st;
};

/* KLM_E_BUSY: the task records on it. */
klm_rc smfd_clear_lock(const char *path, struct klm_diag *diag, struct smfd_clear *out)
    KLM_MUST_USE;
/* Empty it, durably. KLM_E_STATE: it is not what was read. */
klm_rc smfd_clear_do(struct smfd_clear *clear, struct klm_diag *diag) KLM_MUST_USE;
void smfd_clear_close(struct smfd_clear *clear);

#endif
