/* Within smf: a file that is appended to, all or nothing. What a write that failed has left behind is cut off, at once or before the next
 * write. Sinks record in such files; others may rename, remove or change them meanwhile. */
#ifndef SMF_TAIL_H
#define SMF_TAIL_H

#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct smf_tail {
    int fd; /* -1: none */
    uint64_t size;
    uint64_t ino;
    bool torn; /* a failed write could not be cut off yet */
};

/* Open for appending, made when missing (0640, whatever the umask is: who reads is in the file's group); what was open is closed. lock:
 * nobody else may record there. KLM_E_BUSY: another process has the lock; KLM_E_INVALID: no regular file. On failure tail is as
 * before. */
klm_rc smf_tail_open(int dirfd, const char *name, bool lock, struct smf_tail *tail) KLM_MUST_USE;
void smf_tail_close(struct smf_tail *tail);
klm_rc smf_tail_write(struct smf_tail *tail, struct klm_slice bytes) KLM_MUST_USE;
/* Cut to n bytes. When that fails it is tried again before the next write. */
klm_rc smf_tail_cut(struct smf_tail *tail, uint64_t n) KLM_MUST_USE;

/* What others did to it since the last write; what is torn is cut off on the way. */
enum smf_tail_seen {
    SMF_TAIL_SAME,
    SMF_TAIL_GONE, /* removed, or the name stands for another file, or none is open */
    SMF_TAIL_EMPTIED,
    SMF_TAIL_CHANGED /* longer or shorter than it was left */
};
klm_rc smf_tail_look(int dirfd, const char *name, struct smf_tail *tail, enum smf_tail_seen *out)
    KLM_MUST_USE;

#endif
