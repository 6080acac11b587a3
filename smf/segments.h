/* Within smf: the files of a journal folder. "journal.NNNNNNNNNN" is a segment, named by the first sequence number it
 * holds; "synced" tells how far the journal is known to be on disk; "lock" is held by the process that appends. */
#ifndef SMF_SEGMENTS_H
#define SMF_SEGMENTS_H

#include "base/msg.h"
#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

#define SMF_SEGMENT_NAME_MAX 40

struct smf_segments {
    uint64_t *first; /* rising */
    size_t n;
};

/* Name of the segment that begins with sequence number first. Returns out. */
const char *smf_segment_name(uint64_t first, char out[SMF_SEGMENT_NAME_MAX]);
/* Open one for reading. KLM_E_NOTFOUND is an answer; KLM_E_IO and others come with a message. */
klm_rc smf_segment_open(const char *folder, uint64_t first, int *fd, struct klm_diag *diag)
    KLM_MUST_USE;
/* All segments of a folder. KLM_E_NOTFOUND when there is no such folder. */
klm_rc smf_segments_list(const char *folder, struct smf_segments *out, struct klm_diag *diag)
    KLM_MUST_USE;
void smf_segments_done(struct smf_segments *segments);
/* Index of the segment that holds seq: the last that begins at or before it; 0 when all begin later. */
size_t smf_segments_find(const struct smf_segments *segments, uint64_t seq);

/* The mark: everything up to seq is on disk. It is written after a sync and needs none itself, an old one only says less.
 * Reading gives 0 when it is missing or damaged. */
uint64_t smf_mark_read(const char *folder);
klm_rc smf_mark_write(int fd, uint64_t seq) KLM_MUST_USE;
/* Open the mark for writing, made when missing. */
klm_rc smf_mark_open(const char *folder, int *fd) KLM_MUST_USE;

/* Close a descriptor, if it is one, and set it to -1. */
void smf_fd_close(int *fd);

#endif
