/* Reading a backup back while it is being written. The idea: a backup does not count before all of it was read again from its device, decrypted, decompressed and held
 * against its manifest; so a thread follows the one that writes, a few MiB behind, and what is left to do at the end is little. */
#ifndef BACKUP_BACK_H
#define BACKUP_BACK_H

#include "backup/stream.h"

struct bk_back;
/* Begin behind the header, which is written. path is the file, key opens it; both are borrowed until the end. A failure comes with a message. */
klm_rc bk_back_new(const char *path, const struct kr_backup *key, struct klm_diag *diag,
                   struct bk_back **out) KLM_MUST_USE;
/* So many bytes of the file are written. Any thread; waits for nothing. */
void bk_back_written(struct bk_back *back, uint64_t bytes);
/* All is written and synced: wait until all was read. The pulse is asked on the caller's thread, with the bytes read so far. KLM_E_CORRUPT: what is there is not
 * what was written; other failures of files; what the pulse said; each but the last with a message. */
klm_rc bk_back_end(struct bk_back *back, const struct bk_pulse *pulse, struct klm_diag *diag)
    KLM_MUST_USE;
/* Give up what is not read yet. */
void bk_back_free(struct bk_back **back);

#endif
