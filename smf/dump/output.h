/* A file that stands under its name only when it is whole: written beside it, synced, then named. Names that are no regular files (a
 * pipe, /dev/stdout) and "-" are written as they are. */
#ifndef SMF_DUMP_OUTPUT_H
#define SMF_DUMP_OUTPUT_H

#include "base/buf.h"
#include "base/msg.h"

#include <sys/stat.h>

struct smfd_output {
    char *path, *temp; /* temp: NULL when written directly */
    int fd;
    bool replace;
    struct klm_buf buf; /* what waits for a large write */
    uint64_t bytes;
};

/* replace: an existing file may be replaced. KLM_E_EXISTS, KLM_E_IO and others with a message. */
klm_rc smfd_output_open(const char *path, bool replace, struct klm_diag *diag,
                        struct smfd_output *out) KLM_MUST_USE;
/* Bytes, in order. Large ones are written from where they are. */
klm_rc smfd_output_put(struct smfd_output *out, struct klm_slice bytes, struct klm_diag *diag)
    KLM_MUST_USE;
/* Everything put is on disk; no name yet. */
klm_rc smfd_output_sync(struct smfd_output *out, struct klm_diag *diag) KLM_MUST_USE;
/* Give it its name, durably. */
klm_rc smfd_output_name(struct smfd_output *out, struct klm_diag *diag) KLM_MUST_USE;
/* Close; what has no name yet is removed. A zeroed output may be closed. */
void smfd_output_close(struct smfd_output *out);

#endif
