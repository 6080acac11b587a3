/* Within smf: the files of a text log. NAME is the active one, NAME.yyyymmddhhmmssmmm are closed ones, later ones sorting
 * higher; NAME.cursor tells where the log stands, for when that cannot be read from the files. */
#ifndef SMF_TEXT_FILE_H
#define SMF_TEXT_FILE_H

#include "base/buf.h"
#include "base/msg.h"
#include "smf/hash.h"
#include "smf/tail.h"

#define SMF_STAMP_DIGITS 17
#define SMF_STAMP_MAX (SMF_STAMP_DIGITS + 8)

struct smf_text_file {
    char *folder, *name, *path;
    uint64_t roll_bytes;
    int dirfd;
    struct smf_tail tail; /* the active file */
    bool lost;            /* a sync of it failed: what is behind the cursor may be lost */
};

/* Make the folder when missing. KLM_E_INVALID: the name is no base name. End with done in any case. */
klm_rc smf_text_file_init(struct smf_text_file *file, const char *folder, const char *name,
                          uint64_t roll_bytes, struct klm_diag *diag) KLM_MUST_USE;
void smf_text_file_done(struct smf_text_file *file);
/* Open the active file, made when missing (0640). KLM_E_INVALID: it is no regular file. */
klm_rc smf_text_file_open(struct smf_text_file *file) KLM_MUST_USE;
/* Before a write: was it renamed, removed or cut by someone else? Then go on with what the name stands for now, and say so
 * in changed. */
klm_rc smf_text_file_look(struct smf_text_file *file, bool *changed) KLM_MUST_USE;
/* Sync the active file; a failure is remembered (file->lost), and then every later one fails. */
klm_rc smf_text_file_sync(struct smf_text_file *file) KLM_MUST_USE;
/* Sync and close the active file, give it the time in its name (returned in stamped, may be NULL), begin a new one. */
klm_rc smf_text_file_roll(struct smf_text_file *file, char stamped[SMF_STAMP_MAX]) KLM_MUST_USE;
/* Time stamp of the newest closed file, 0: none. */
klm_rc smf_text_file_newest(const struct smf_text_file *file, uint64_t *stamp) KLM_MUST_USE;
/* Open a closed file for reading. */
klm_rc smf_text_file_open_closed(const struct smf_text_file *file, uint64_t stamp, int *fd)
    KLM_MUST_USE;

/* Where a log stands. What it says about the file was on disk when it was written. */
struct smf_text_cursor {
    uint64_t seq;                 /* everything up to it is in the log or was filtered out */
    uint8_t chain[SMF_HASH_SIZE]; /* of the last record in the log */
    uint64_t ino, offset;         /* active file and its length then */
};
/* KLM_E_NOTFOUND: none; KLM_E_CORRUPT: not readable. */
klm_rc smf_text_cursor_load(const struct smf_text_file *file, struct smf_text_cursor *out)
    KLM_MUST_USE;
/* Sync the active file, then replace the cursor. When that or an earlier sync failed, nothing is saved (file->lost). */
klm_rc smf_text_cursor_save(struct smf_text_file *file, const struct smf_text_cursor *cursor)
    KLM_MUST_USE;

#endif
