/* The calls under Berkeley DB's files. Three things it does not do by itself: give up the reserve
 * when the device is full and go on; never try a failed sync again (the kernel may have dropped
 * what it could not write, so a second try may succeed and mean nothing); and write nothing at all
 * after the first failure, so that what is on disk stays what recovery expects. */
#include "store/bdb.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Thread_local struct bdb_io *current;

void bdb_io_enter(struct bdb_io *io)
{
    current = io;
}

/* The scan that this thread is in; NULL: none. */
static _Thread_local struct bdb_window *window;

void bdb_window_enter(struct bdb_window *w)
{
    window = w;
}

static bool broken(const struct bdb_io *io)
{
    return io && atomic_load(&io->error) != 0;
}

static void fail(struct bdb_io *io, int err)
{
    int none = 0;

    if (io) {
        (void)atomic_compare_exchange_strong(&io->error, &none,
                                             err); /* the first failure is the one to tell */
    }
}

/* at < 0: where the file stands. */
static ssize_t write_at(int fd, const void *p, size_t n, off_t at)
{
    struct bdb_io *io = current;

    if (broken(io)) {
        errno = EROFS; /* not EIO: that one is tried again a hundred times */
        return -1;
    }
    for (;;) {
        ssize_t done = at < 0 ? write(fd, p, n) : pwrite(fd, p, n, at);
        if (done >= 0 || errno == EINTR || errno == EAGAIN) {
            return done;
        }
        if ((errno == ENOSPC || errno == EDQUOT) && io && io->space &&
            st_space_give_up(io->space)) {
            continue;
        }
        fail(io, errno);
        return -1;
    }
}

/* Windows that were read before, or meanwhile, are void. Which of the two calls writes pages is Berkeley DB's affair. */
static ssize_t counted(int fd, const void *p, size_t n, off_t at)
{
    struct bdb_io *io = current;
    ssize_t done;

    if (io) {
        atomic_fetch_add(&io->writes, 1);
    }
    done = write_at(fd, p, n, at);
    if (io) {
        atomic_fetch_add(&io->writes, 1);
    }
    return done;
}

static ssize_t hook_write(int fd, const void *p, size_t n)
{
    return counted(fd, p, n, -1);
}

static ssize_t hook_pwrite(int fd, const void *p, size_t n, off_t at)
{
    return counted(fd, p, n, at);
}

static bool in_window(const struct bdb_window *w, size_t n, off_t at)
{
    return at >= w->at && at + (off_t)n <= w->at + (off_t)w->n;
}

/* Where writes go on all the time, a window is hardly ever of use, and is tried now and then only. */
static bool is_due(struct bdb_window *w)
{
    w->wait = w->n ? BDB_WINDOW_WAIT : w->wait; /* what it held is void */
    w->n = 0;
    if (w->wait > 0) {
        w->wait--;
    }
    return w->wait == 0;
}

/* Bytes that the window has, or can be made to have since the ones before them were read last. False: it has not. */
static bool from_window(struct bdb_io *io, struct bdb_window *w, int fd, void *p, size_t n,
                        off_t at)
{
    const uint64_t writes = atomic_load(&io->writes);
    const bool goes_on = w->fd == fd && w->end == at;
    ssize_t got;

    w->fd = fd;
    w->end = at + (off_t)n;
    if (goes_on && w->writes == writes && in_window(w, n, at)) {
        memcpy(p, w->bytes + (at - w->at), n);
        return true;
    }
    if (w->writes == writes) {
        w->n = 0; /* it was used up, or the scan is elsewhere */
    }
    if (!goes_on || n > sizeof w->bytes || !is_due(w)) {
        return false;
    }
    got = pread(fd, w->bytes, sizeof w->bytes, at);
    if (got < (ssize_t)n) {
        return false; /* the end, or a failure: whoever asked for just this is told */
    }
    memcpy(p, w->bytes, n);
    w->at = at;
    w->n = (size_t)got;
    w->writes = writes;
    return true;
}

static ssize_t hook_pread(int fd, void *p, size_t n, off_t at)
{
    if (window && current && from_window(current, window, fd, p, n, at)) {
        return (ssize_t)n;
    }
    return pread(fd, p, n, at);
}

/* Berkeley DB syncs its files but not the folder with their names, so a power loss could take a
 * whole new log file. */
static void sync_folder_of(const char *path)
{
    char folder[4096];

    errno = 0;
    if (klm_path_folder(path, folder, sizeof folder) != KLM_OK ||
        klm_sync_folder(folder) != KLM_OK) {
        fail(current, errno ? errno : EIO);
    }
}

/* A new log file that cannot be made for want of space would make Berkeley DB stop altogether. */
static int open_or_make(const char *path, int flags, mode_t mode)
{
    const bool fresh = (flags & O_CREAT) && access(path, F_OK) != 0;
    int fd;

    do {
        fd = open(path, flags, mode);
    } while (fd < 0 && (errno == ENOSPC || errno == EDQUOT) && current && current->space &&
             st_space_give_up(current->space));
    if (fd >= 0 && fresh) {
        sync_folder_of(path);
    }
    return fd;
}

/* The blocks of a log file that was not made ahead; the commit's own sync brings them to the disk. A failure is remembered, as of all writes. */
static void zero(int fd)
{
    static const uint8_t zeros[64 << 10];

    for (off_t at = 0; at < BDB_LOG_FILE; at += (off_t)sizeof zeros) {
        if (write_at(fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros) {
            return;
        }
    }
}

static int hook_open(const char *path, int flags, ...)
{
    bool is_log = false, ready = false;
    va_list args;
    mode_t mode = 0;
    int fd;

    va_start(args, flags);
    if (flags & O_CREAT) {
        mode = (mode_t)va_arg(args, int);
    }
    va_end(args);
    if ((flags & O_CREAT) && current && current->ahead) {
        ready = bdb_ahead_take(current->ahead, path, &is_log);
    }
    fd = open_or_make(path, flags, mode);
    if (fd >= 0 && is_log && !ready) {
        zero(fd);
    }
    return fd;
}

static int hook_rename(const char *from, const char *to)
{
    if (rename(from, to) != 0) {
        return -1;
    }
    sync_folder_of(to);
    return 0;
}

/* A failed sync is not told to Berkeley DB, which would write to its log once more or stop
 * altogether: commit finds it in io->error, hides the change from all views, and reading goes on.
 */
static int hook_fsync(int fd)
{
    struct bdb_io *io = current;

    if (broken(io) || klm_fdatasync(fd) == KLM_OK) {
        return 0;
    }
    fail(io, errno ? errno : EIO);
    return io ? 0 : -1;
}

static void install(void)
{
    (void)db_env_set_func_write(hook_write); /* these only store the pointer */
    (void)db_env_set_func_pwrite(hook_pwrite);
    (void)db_env_set_func_pread(hook_pread);
    (void)db_env_set_func_fsync(hook_fsync);
    (void)db_env_set_func_open(hook_open);
    (void)db_env_set_func_rename(hook_rename);
}

void bdb_io_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install);
}
