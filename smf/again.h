/* Within smf: records that a failed sync may have lost, written again. The system may have dropped from a file what it could not
 * write, so the file is not believed: the records, kept in memory until a sync has covered them, become a segment of their own.
 *
 * They are put on disk under a name of its own first. From then on they are safe, and taking them up can be done over by whoever
 * comes next, this process or a start after a kill: the segment before is cut behind its last record that was on disk, segments
 * behind it are removed, and the file gets its name as a segment. */
#ifndef SMF_AGAIN_H
#define SMF_AGAIN_H

#include "base/buf.h"
#include "base/msg.h"

#include <stdint.h>

#define SMF_AGAIN "journal.again"

/* Bring records (whole, in order, first those of a) to disk under SMF_AGAIN. KLM_E_IO, KLM_E_NOSPACE: nothing of it stays. */
klm_rc smf_again_put(int dirfd, struct klm_slice a, struct klm_slice b) KLM_MUST_USE;
/* Make the last segment of SMF_AGAIN, everything on disk on return; *first is its first sequence number. Nobody else may append
 * meanwhile. KLM_E_NOTFOUND: there is none; what an attempt that was interrupted left is removed. KLM_E_CORRUPT with a message: its records, or the record
 * before them, are not what they were; nothing was changed. KLM_E_IO: can be done over. */
klm_rc smf_again_take(const char *folder, int dirfd, struct klm_diag *diag, uint64_t *first)
    KLM_MUST_USE;

#endif
