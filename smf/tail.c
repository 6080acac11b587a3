/* Files that are appended to, all or nothing. */
#include "smf/tail.h"

#include "base/file.h"
#include "smf/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_or_make(int dirfd, const char *name)
{
    int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int fd = openat(dirfd, name, flags | O_CREAT | O_EXCL, 0640);

    if (fd < 0) {
        return errno == EEXIST ? openat(dirfd, name, flags) : fd;
    }
    if (fchmod(fd, 0640) != 0) {
        smf_fd_close(&fd);
    }
    return fd;
}

static klm_rc lock_and_look(int fd, bool lock, struct stat *st)
{
    if (lock && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? KLM_E_BUSY : klm_rc_errno(errno);
    }
    return fstat(fd, st) == 0 && S_ISREG(st->st_mode) ? KLM_OK : KLM_E_INVALID;
}

klm_rc smf_tail_open(int dirfd, const char *name, bool lock, struct smf_tail *tail)
{
    int fd = open_or_make(dirfd, name);
    struct stat st;
    klm_rc rc;

    if (fd < 0) {
        return klm_rc_errno(errno);
    }
    rc = lock_and_look(fd, lock, &st);
    if (rc != KLM_OK) {
        smf_fd_close(&fd);
        return rc;
    }
    smf_fd_close(&tail->fd);
    *tail = (struct smf_tail){.fd = fd, .size = (uint64_t)st.st_size, .ino = st.st_ino};
    return KLM_OK;
}

void smf_tail_close(struct smf_tail *tail)
{
    smf_fd_close(&tail->fd);
}

klm_rc smf_tail_cut(struct smf_tail *tail, uint64_t n)
{
    tail->torn = true;
    if (ftruncate(tail->fd, (off_t)n) != 0) {
        return klm_rc_errno(errno);
    }
    tail->torn = false;
    tail->size = n;
    return KLM_OK;
}

klm_rc smf_tail_write(struct smf_tail *tail, struct klm_slice bytes)
{
    klm_rc rc = klm_write_all(tail->fd, bytes.p, bytes.n);

    if (rc != KLM_OK) {
        KLM_IGNORE(smf_tail_cut(tail, tail->size)); /* tried again before the next write */
        return rc;
    }
    tail->size += bytes.n;
    return KLM_OK;
}

klm_rc smf_tail_look(int dirfd, const char *name, struct smf_tail *tail, enum smf_tail_seen *out)
{
    struct stat mine, named;

    *out = SMF_TAIL_SAME;
    if (tail->fd < 0 || fstat(tail->fd, &mine) != 0 || mine.st_nlink == 0 ||
        fstatat(dirfd, name, &named, AT_SYMLINK_NOFOLLOW) != 0 || named.st_ino != mine.st_ino ||
        named.st_dev != mine.st_dev) {
        *out = SMF_TAIL_GONE;
    } else if (tail->torn && (uint64_t)mine.st_size >= tail->size) {
        return smf_tail_cut(tail, tail->size);
    } else if ((uint64_t)mine.st_size != tail->size) {
        *out = mine.st_size == 0 ? SMF_TAIL_EMPTIED : SMF_TAIL_CHANGED;
    }
    return KLM_OK;
}
