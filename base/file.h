/* Files. What operators see is written to a temporary name, synced, renamed, and the folder synced:
 * a reader finds the old content or the new, never half of it. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/msg.h"

#include <sys/types.h>

/* Append a whole file to buf. KLM_E_NOTFOUND, KLM_E_LIMIT (longer than max), KLM_E_IO with a message. */
klm_rc klm_file_read(const char *path, size_t max, struct klm_buf *buf, struct klm_diag *diag)
    KLM_MUST_USE;
/* Remove the temporary files that processes which were killed while they replaced this file have left beside it. */
void klm_file_sweep(const char *path);
/* Replace a file as a whole, durably: temporary name in the same folder, write, fsync, rename, fsync of
 * the folder. On failure the old file stands and the temporary one is gone. */
klm_rc klm_file_replace(const char *path, struct klm_slice content, mode_t mode,
                        struct klm_diag *diag) KLM_MUST_USE;
/* The same, but the last step is taken only if the gate is open then: writing may take long, and somebody else may have changed
 * the file meanwhile. KLM_E_STATE: it was not; the old file stands, nothing is said. */
struct klm_file_gate {
    bool (*open)(void *arg);
    void *arg;
};
klm_rc klm_file_replace_if(const char *path, struct klm_slice content, mode_t mode,
                           const struct klm_file_gate *gate, struct klm_diag *diag) KLM_MUST_USE;
/* Create a file that must not exist yet, durably, with the same steps (link instead of rename). KLM_E_EXISTS. */
klm_rc klm_file_create(const char *path, struct klm_slice content, mode_t mode,
                       struct klm_diag *diag) KLM_MUST_USE;
/* Write all of p; restarts after signals. KLM_E_NOSPACE, KLM_E_IO. */
klm_rc klm_write_all(int fd, const void *p, size_t n) KLM_MUST_USE;
klm_rc klm_pwrite_all(int fd, const void *p, size_t n, off_t at) KLM_MUST_USE;
/* fdatasync, fsync, and fsync of a folder by name. Compiled to nothing with KLM_NO_SYNC, the build that the
 * power-loss test must find wanting. */
klm_rc klm_fdatasync(int fd) KLM_MUST_USE;
klm_rc klm_fsync(int fd) KLM_MUST_USE;
/* Have the device take so many bytes of a file (0: all from there on), and forget them, so that who reads them next reads what the device has. It is no sync: no promise
 * outlasts a power loss. */
klm_rc klm_file_settle(int fd, uint64_t at, uint64_t n) KLM_MUST_USE;
klm_rc klm_sync_folder(const char *path) KLM_MUST_USE;
/* Make a folder and its parents; existing is fine. */
klm_rc klm_folder_make(const char *path, mode_t mode, struct klm_diag *diag) KLM_MUST_USE;
/* The folder part of a path ("." when there is none), in out of cap bytes. */
klm_rc klm_path_folder(const char *path, char *out, size_t cap) KLM_MUST_USE;

#endif
