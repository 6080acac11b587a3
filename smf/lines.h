/* Within smf: small files of lines NAME=value, as the cursors of sinks are: read as a whole, line by line in their order. A reader then
 * prints what it understood and compares: a file that is not exactly as we write it is damaged. */
#ifndef SMF_LINES_H
#define SMF_LINES_H

#include "base/buf.h"
#include "base/msg.h"
#include "smf/hash.h"

/* Append a file of at most `most` bytes to buf, with a NUL behind it, after sweeping temporary files that a killed process left beside
 * it. KLM_E_NOTFOUND: none; KLM_E_CORRUPT: it is longer; others with a message. */
klm_rc smf_lines_load(const char *path, size_t most, struct klm_buf *buf, struct klm_diag *diag)
    KLM_MUST_USE;

struct smf_lines {
    const char *at; /* the next line; NULL: a line was not the one asked for, or its value none */
};
/* The line that begins with name ("sequence="; a title has no value): its value to out. Once one is not as asked for, all that follow
 * leave out as it is. */
void smf_lines_text(struct smf_lines *lines, const char *name, char *out, size_t cap);
void smf_lines_number(struct smf_lines *lines, const char *name, uint64_t *out);
void smf_lines_hash(struct smf_lines *lines, const char *name, uint8_t out[SMF_HASH_SIZE]);

#endif
