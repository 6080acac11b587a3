/* Clearing data sets. */
#include "smf/dump/clear.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

static klm_rc failed(const char *path, struct klm_diag *diag, enum klm_msg_id id, int err)
{
    char text[128];

    return klm_fail(diag, klm_rc_errno(err), id, path, strerror_r(err, text, sizeof text));
}

static klm_rc lock(struct smfd_clear *clear, struct klm_diag *diag)
{
    if (flock(clear->fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? klm_fail(diag, KLM_E_BUSY, KLM_MSG_DUMP_ACTIVE, clear->path)
                                    : failed(clear->path, diag, KLM_MSG_FILE_OPEN, errno);
    }
    if (fstat(clear->fd, &clear->st) != 0) {
        return failed(clear->path, diag, KLM_MSG_FILE_OPEN, errno);
    }
    return S_ISREG(clear->st.st_mode) ? KLM_OK
                                      : klm_fail(diag, KLM_E_INVALID, KLM_MSG_DUMP_NOT_CLEARED,
                                                 clear->path, "it is no regular file");
}

klm_rc smfd_clear_lock(const char *path, struct klm_diag *diag, struct smfd_clear *out)
{
    struct smfd_clear clear = {.path = path,
                               .fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    klm_rc rc;

    if (clear.fd < 0) {
        return failed(path, diag, KLM_MSG_FILE_OPEN, errno);
    }
    rc = lock(&clear, diag);
    if (rc != KLM_OK) {
        smfd_clear_close(&clear);
        return rc;
    }
    *out = clear;
    return KLM_OK;
}

/* The name must still be that of the locked file, and its length what it was before it was read. */
static bool unchanged(const struct smfd_clear *clear)
{
    struct stat now, named;

    return fstat(clear->fd, &now) == 0 && stat(clear->path, &named) == 0 &&
           named.st_ino == now.st_ino && named.st_dev == now.st_dev &&
           now.st_size == clear->st.st_size && now.st_mtim.tv_sec == clear->st.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == clear->st.st_mtim.tv_nsec;
}

klm_rc smfd_clear_do(struct smfd_clear *clear, struct klm_diag *diag)
{
    if (!unchanged(clear)) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_DUMP_NOT_CLEARED, clear->path,
                        "it was changed while it was dumped");
    }
    if (ftruncate(clear->fd, 0) != 0 || klm_fsync(clear->fd) != KLM_OK) {
        return failed(clear->path, diag, KLM_MSG_DUMP_NOT_CLEARED, errno);
    }
    return KLM_OK;
}

void smfd_clear_close(struct smfd_clear *clear)
{
    if (clear->fd >= 0) {
        close(clear->fd);
        clear->fd = -1;
    }
}
