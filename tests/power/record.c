/* Preloaded into a program, writes down in one order everything that the program does to the files below one folder, with
 * the data, so that replay.py can rebuild what a power loss at any moment could leave of them.
 *
 *   KLM_POWER_ROOT   the folder
 *   KLM_POWER_TRACE  file that records are appended to, outside the folder
 *   KLM_POWER_MARK   what the program writes to this file is also a mark: a fact that somebody was told
 *
 * Order: a change is made and recorded under one lock, so that the trace has the order of the changes. A sync has two
 * records, before and after: it covers what was recorded before the first, and counts from the second, which is on file
 * before the caller learns of it. So a mark made because of a sync stands behind the sync, in whatever process it is made:
 * each record is one write in append mode. What goes past these functions (stdio's own writes, mapped files) is not seen;
 * replay.py finds that out by comparing the last state with the folder. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* The same numbers as in trace.py. */
enum what {
    OPEN = 1,
    WRITE,
    TRUNCATE,
    ALLOCATE,
    RENAME,
    LINK,
    UNLINK,
    MKDIR,
    RMDIR,
    SYNC_BEGIN,
    SYNC_END,
    MARK,
    MODE,
    UNSEEN
};
enum { CREATED = 1, DURABLE = 2, FOLDER = 4, EVERYTHING = 8 };

/* A record: this head, then the names (each ended by NUL), then the data. */
struct head {
    char magic[4];
    uint16_t what, flags;
    uint64_t inode;
    uint64_t a, b; /* offset and size, mode, number of the sync */
    uint32_t names, data;
};

#define FDS 65536
static uint64_t inode_of_fd[FDS]; /* 0: not below the folder */
static bool mark_fd[FDS], durable_fd[FDS];
static char root[PATH_MAX], mark_path[PATH_MAX];
static size_t root_n;
static int trace = -1;
static uint64_t syncs;
static pthread_mutex_t lock =
    PTHREAD_MUTEX_INITIALIZER; /* guards the order of changes and all of the above */

/* The function behind ours. */
#define REAL(type, name, ...)                                                                      \
    static type (*real)(__VA_ARGS__);                                                              \
    if (!real)                                                                                     \
    *(void **)&real = dlsym(RTLD_NEXT, name)

static void put(enum what what, unsigned flags, uint64_t inode, uint64_t a, uint64_t b,
                const char *name, const char *other, const void *data, size_t n)
{
    struct head head = {{'K', 'P', 'W', '1'}, (uint16_t)what, (uint16_t)flags, inode, a, b, 0,
                        (uint32_t)n};
    struct iovec part[4] = {{&head, sizeof head}};
    int parts = 1, saved = errno;
    ssize_t wrote;

    if (name) {
        head.names = (uint32_t)strlen(name) + 1;
        part[parts++] = (struct iovec){(void *)(uintptr_t)name, strlen(name) + 1};
    }
    if (other) {
        head.names += (uint32_t)strlen(other) + 1;
        part[parts++] = (struct iovec){(void *)(uintptr_t)other, strlen(other) + 1};
    }
    part[parts++] = (struct iovec){(void *)(uintptr_t)data, n};
    wrote = syscall(SYS_writev, trace, part, parts);
    if (wrote != (ssize_t)(sizeof head + head.names + n)) {
        /* A trace with a hole would prove nothing. */
        abort();
    }
    errno = saved;
}

static bool below_root(const char *path)
{
    return root_n && !strncmp(path, root, root_n) && (path[root_n] == '/' || !path[root_n]);
}

/* Where a path leads: its folder resolved, its last part as it is. False when it is not below the folder. */
static bool resolve(int dirfd, const char *path, char out[PATH_MAX])
{
    char joined[PATH_MAX], link[64], folder[PATH_MAX], *slash;
    ssize_t n;

    if (trace < 0 || !path || !*path) {
        return false;
    }
    if (*path == '/') {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        snprintf(link, sizeof link, dirfd == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d",
                 dirfd);
        n = readlink(link, folder, sizeof folder - 1);
        if (n < 0) {
            return false;
        }
        folder[n] = 0;
        if ((size_t)snprintf(joined, sizeof joined, "%s/%s", folder, path) >= sizeof joined) {
            return false;
        }
    }
    for (n = (ssize_t)strlen(joined); n > 1 && joined[n - 1] == '/'; n--) {
        joined[n - 1] = 0;
    }
    slash = strrchr(joined, '/');
    *slash = 0;
    if (!realpath(*joined ? joined : "/", folder)) {
        return false;
    }
    return (size_t)snprintf(out, PATH_MAX, "%s/%s", strcmp(folder, "/") ? folder : "", slash + 1) <
               PATH_MAX &&
           below_root(out);
}

static bool tracked(int fd)
{
    return trace >= 0 && fd >= 0 && fd < FDS && inode_of_fd[fd];
}

__attribute__((constructor)) static void start(void)
{
    const char *folder = getenv("KLM_POWER_ROOT"), *to = getenv("KLM_POWER_TRACE"),
               *mark = getenv("KLM_POWER_MARK");

    if (!folder || !to || !realpath(folder, root)) {
        return;
    }
    root_n = strlen(root);
    if (mark && *mark) {
        snprintf(mark_path, sizeof mark_path, "%s", mark);
    }
    trace = (int)syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace >= 0) {
        /* Out of the way of programs that close or expect low numbers. */
        int high = (int)syscall(SYS_fcntl, trace, F_DUPFD_CLOEXEC, 900);

        if (high >= 0) {
            syscall(SYS_close, trace);
            trace = high;
        }
    }
}

/* ---- Opening. What was opened is asked of the kernel, so that every way to name it is the same. */

static void opened(int fd, bool existed, int flags)
{
    char link[64], path[PATH_MAX];
    struct stat st;
    ssize_t n;

    if (trace < 0 || fd < 0 || fd >= FDS) {
        return;
    }
    inode_of_fd[fd] = 0;
    mark_fd[fd] = durable_fd[fd] = false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n <= 0) {
        return;
    }
    path[n] = 0;
    if (*mark_path && !strcmp(path, mark_path)) {
        mark_fd[fd] = true;
        return;
    }
    if (!below_root(path) || fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        return;
    }
    if ((flags & __O_TMPFILE) == __O_TMPFILE) {
        put(UNSEEN, 0, st.st_ino, 0, 0, path, "a file without a name", NULL, 0);
    }
    inode_of_fd[fd] = st.st_ino;
    durable_fd[fd] = flags & (O_SYNC | O_DSYNC);
    put(OPEN, (existed ? 0U : CREATED) | (S_ISDIR(st.st_mode) ? FOLDER : 0U), st.st_ino,
        st.st_mode & 07777, 0, path, NULL, NULL, 0);
    if (existed && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) {
        put(TRUNCATE, durable_fd[fd] ? DURABLE : 0, st.st_ino, 0, 0, NULL, NULL, NULL, 0);
    }
}

static bool exists(int dirfd, const char *path, int flags)
{
    struct stat st;

    return !(flags & O_CREAT) || fstatat(dirfd, path, &st, 0) == 0;
}

static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
    bool existed;
    int fd;

    pthread_mutex_lock(&lock);
    existed = exists(dirfd, path, flags);
    fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
    opened(fd, existed, flags);
    pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_argument(int flags, va_list args)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

#define OPEN_LIKE(name)                                                                            \
    int name(const char *path, int flags, ...);                                                    \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_argument(flags, args);                                                         \
        va_end(args);                                                                              \
        return open_any(AT_FDCWD, path, flags, mode);                                              \
    }
#define OPENAT_LIKE(name)                                                                          \
    int name(int dirfd, const char *path, int flags, ...);                                         \
    int name(int dirfd, const char *path, int flags, ...)                                          \
    {                                                                                              \
        va_list args;                                                                              \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(args, flags);                                                                     \
        mode = mode_argument(flags, args);                                                         \
        va_end(args);                                                                              \
        return open_any(dirfd, path, flags, mode);                                                 \
    }
OPEN_LIKE(open)
OPEN_LIKE(open64)
OPEN_LIKE(__open)
OPEN_LIKE(__open64)
OPEN_LIKE(__open_2)
OPEN_LIKE(__open64_2)
OPENAT_LIKE(openat)
OPENAT_LIKE(openat64)
OPENAT_LIKE(__openat_2)
OPENAT_LIKE(__openat64_2)

int creat(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int creat64(const char *path, mode_t mode)
{
    return open_any(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

static int temporary(char *path, int tail, int flags)
{
    REAL(int, "mkostemps", char *, int, int);
    int fd;

    pthread_mutex_lock(&lock);
    fd = real(path, tail, flags);
    opened(fd, false, flags);
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MKSTEMP_LIKE(name, params, tail, flags)                                                    \
    int name params;                                                                               \
    int name params                                                                                \
    {                                                                                              \
        return temporary(path, tail, flags);                                                       \
    }
MKSTEMP_LIKE(mkstemp, (char *path), 0, 0)
MKSTEMP_LIKE(mkstemp64, (char *path), 0, 0)
MKSTEMP_LIKE(mkostemp, (char *path, int flags), 0, flags)
MKSTEMP_LIKE(mkostemp64, (char *path, int flags), 0, flags)
MKSTEMP_LIKE(mkstemps, (char *path, int tail), tail, 0)
MKSTEMP_LIKE(mkostemps, (char *path, int tail, int flags), tail, flags)

static int close_many(unsigned first, unsigned last, int flags);

/* openat2 has no function of its own in the C library. */
long syscall(long number, ...)
{
    REAL(long, "syscall", long, ...);
    long arg[6], result;
    bool existed;
    va_list args;

    va_start(args, number);
    for (int i = 0; i < 6; i++) {
        arg[i] = va_arg(args, long);
    }
    va_end(args);
    if (number == SYS_close_range && trace >= 0) {
        return close_many((unsigned)arg[0], (unsigned)arg[1], (int)arg[2]);
    }
    if (number != SYS_openat2 || trace < 0) {
        return real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    }
    pthread_mutex_lock(&lock);
    existed = exists((int)arg[0], (const char *)arg[1], (int)*(const uint64_t *)arg[2]);
    result = real(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    opened((int)result, existed, (int)*(const uint64_t *)arg[2]);
    pthread_mutex_unlock(&lock);
    return result;
}

int close(int fd)
{
    REAL(int, "close", int);
    int rc;

    if (fd >= 0 && fd == trace) {
        errno = EBADF;
        return -1;
    }
    if (trace < 0 || fd < 0 || fd >= FDS) {
        return real(fd);
    }
    pthread_mutex_lock(&lock);
    inode_of_fd[fd] = 0;
    mark_fd[fd] = durable_fd[fd] = false;
    rc = real(fd);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* Close a range, but for the trace. */
static int close_many(unsigned first, unsigned last, int flags)
{
    REAL(int, "close_range", unsigned, unsigned, int);
    unsigned at = (unsigned)trace;
    int rc = 0;

    if (trace < 0 || flags) {
        return trace >= 0 && first <= at && at <= last ? 0 : real(first, last, flags);
    }
    for (unsigned fd = first; fd <= last && fd < FDS; fd++) {
        inode_of_fd[fd] = 0;
        mark_fd[fd] = durable_fd[fd] = false;
    }
    if (first < at) {
        rc = real(first, last < at ? last : at - 1, 0);
    }
    if (last > at && !rc) {
        rc = real(first > at ? first : at + 1, last, 0);
    }
    return rc;
}

int close_range(unsigned first, unsigned last, int flags)
{
    return close_many(first, last, flags);
}

void closefrom(int first)
{
    close_many((unsigned)first, ~0U, 0);
}

static int copied(int from, int to)
{
    if (trace >= 0 && from >= 0 && from < FDS && to >= 0 && to < FDS && from != to) {
        inode_of_fd[to] = inode_of_fd[from];
        mark_fd[to] = mark_fd[from];
        durable_fd[to] = durable_fd[from];
    }
    return to;
}

int dup(int fd)
{
    REAL(int, "dup", int);
    return copied(fd, real(fd));
}

int dup2(int fd, int to)
{
    REAL(int, "dup2", int, int);
    return copied(fd, real(fd, to));
}

int dup3(int fd, int to, int flags)
{
    REAL(int, "dup3", int, int, int);
    return copied(fd, real(fd, to, flags));
}

static int control(int fd, int command, void *arg)
{
    REAL(int, "fcntl64", int, int, ...);
    int rc = real(fd, command, arg);

    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? copied(fd, rc) : rc;
}

#define FCNTL_LIKE(name)                                                                           \
    int name(int fd, int command, ...);                                                            \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
        void *arg;                                                                                 \
                                                                                                   \
        va_start(args, command);                                                                   \
        arg = va_arg(args, void *);                                                                \
        va_end(args);                                                                              \
        return control(fd, command, arg);                                                          \
    }
FCNTL_LIKE(fcntl)
FCNTL_LIKE(fcntl64)

/* ---- Writing */

/* Record what a write that returned n wrote, from an offset (-1: up to where the file stands now). */
static void wrote(int fd, ssize_t n, off_t at, const struct iovec *part, int parts)
{
    size_t left = n > 0 ? (size_t)n : 0;

    if (at < 0 && tracked(fd)) {
        at = lseek(fd, 0, SEEK_CUR) - (off_t)left;
    }
    for (int i = 0; i < parts && left; i++) {
        size_t now = part[i].iov_len < left ? part[i].iov_len : left;

        if (mark_fd[fd]) {
            put(MARK, 0, 0, 0, 0, NULL, NULL, part[i].iov_base, now);
        } else {
            put(WRITE, durable_fd[fd] ? DURABLE : 0, inode_of_fd[fd], (uint64_t)at, 0, NULL, NULL,
                part[i].iov_base, now);
        }
        at += (off_t)now;
        left -= now;
    }
}

static bool watched(int fd)
{
    return trace >= 0 && fd >= 0 && fd < FDS && (inode_of_fd[fd] || mark_fd[fd]);
}

ssize_t write(int fd, const void *data, size_t n)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    ssize_t done;

    if (!watched(fd)) {
        return real(fd, data, n);
    }
    pthread_mutex_lock(&lock);
    done = real(fd, data, n);
    wrote(fd, done, -1, &(struct iovec){(void *)(uintptr_t)data, n}, 1);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t writev(int fd, const struct iovec *part, int parts)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    ssize_t done;

    if (!watched(fd)) {
        return real(fd, part, parts);
    }
    pthread_mutex_lock(&lock);
    done = real(fd, part, parts);
    wrote(fd, done, -1, part, parts);
    pthread_mutex_unlock(&lock);
    return done;
}

static ssize_t write_at(int fd, const struct iovec *part, int parts, off_t at)
{
    REAL(ssize_t, "pwritev", int, const struct iovec *, int, off_t);
    ssize_t done;

    if (!watched(fd)) {
        return real(fd, part, parts, at);
    }
    pthread_mutex_lock(&lock);
    done = real(fd, part, parts, at);
    wrote(fd, done, at, part, parts);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    return write_at(fd, &(struct iovec){(void *)(uintptr_t)data, n}, 1, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    return write_at(fd, &(struct iovec){(void *)(uintptr_t)data, n}, 1, at);
}

ssize_t pwritev(int fd, const struct iovec *part, int parts, off_t at)
{
    return write_at(fd, part, parts, at);
}

ssize_t pwritev64(int fd, const struct iovec *part, int parts, off64_t at)
{
    return write_at(fd, part, parts, at);
}

static int cut(int fd, off_t size)
{
    REAL(int, "ftruncate64", int, off_t);
    int rc;

    if (!tracked(fd)) {
        return real(fd, size);
    }
    pthread_mutex_lock(&lock);
    rc = real(fd, size);
    if (!rc) {
        put(TRUNCATE, 0, inode_of_fd[fd], (uint64_t)size, 0, NULL, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int ftruncate(int fd, off_t size)
{
    return cut(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return cut(fd, size);
}

static int cut_path(const char *path, off_t size)
{
    int fd = open_any(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0), rc;

    if (fd < 0) {
        return -1;
    }
    rc = cut(fd, size);
    close(fd);
    return rc;
}

int truncate(const char *path, off_t size)
{
    return cut_path(path, size);
}

int truncate64(const char *path, off64_t size)
{
    return cut_path(path, size);
}

static int allocate(int fd, int mode, off_t at, off_t n)
{
    REAL(int, "fallocate64", int, int, off_t, off_t);
    int rc;

    if (!tracked(fd)) {
        return real(fd, mode, at, n);
    }
    pthread_mutex_lock(&lock);
    rc = real(fd, mode, at, n);
    if (!rc) {
        put(ALLOCATE, (unsigned)mode << 8, inode_of_fd[fd], (uint64_t)at, (uint64_t)n, NULL, NULL,
            NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
    return allocate(fd, mode, at, n);
}

int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
    return allocate(fd, mode, at, n);
}

int posix_fallocate(int fd, off_t at, off_t n)
{
    return allocate(fd, 0, at, n) ? errno : 0;
}

int posix_fallocate64(int fd, off64_t at, off64_t n)
{
    return allocate(fd, 0, at, n) ? errno : 0;
}

/* ---- Names */

/* Make a change of names, given as what it is, and record it when it was made. */
static int names(enum what what, int fd, const char *path, int other_fd, const char *other,
                 long (*change)(void *), void *arg)
{
    char one[PATH_MAX], two[PATH_MAX];
    struct stat st = {0};
    bool in, other_in;
    int rc;

    pthread_mutex_lock(&lock);
    in = resolve(fd, path, one);
    other_in = other && resolve(other_fd, other, two);
    if (in) {
        fstatat(AT_FDCWD, one, &st, AT_SYMLINK_NOFOLLOW);
    }
    rc = (int)change(arg);
    if (!rc && (in || other_in)) {
        if (what == MKDIR) {
            fstatat(AT_FDCWD, one, &st, AT_SYMLINK_NOFOLLOW);
        }
        if (other && in != other_in) {
            put(UNSEEN, 0, 0, 0, 0, in ? one : two, "a name moved across the edge of the folder",
                NULL, 0);
        } else {
            put(what, S_ISDIR(st.st_mode) ? FOLDER : 0, st.st_ino, st.st_mode & 07777, 0, one,
                other ? two : NULL, NULL, 0);
        }
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

struct two_names {
    int fd, other_fd;
    const char *path, *other;
    unsigned flags;
};

static long do_rename(void *arg)
{
    const struct two_names *t = arg;
    return syscall(SYS_renameat2, t->fd, t->path, t->other_fd, t->other, t->flags);
}

static long do_link(void *arg)
{
    const struct two_names *t = arg;
    return syscall(SYS_linkat, t->fd, t->path, t->other_fd, t->other, t->flags);
}

static long do_unlink(void *arg)
{
    const struct two_names *t = arg;
    return syscall(SYS_unlinkat, t->fd, t->path, t->flags);
}

static long do_mkdir(void *arg)
{
    const struct two_names *t = arg;
    return syscall(SYS_mkdirat, t->fd, t->path, t->flags);
}

int renameat2(int fd, const char *path, int other_fd, const char *other, unsigned flags)
{
    struct two_names t = {fd, other_fd, path, other, flags};

    if (flags & RENAME_EXCHANGE && trace >= 0) {
        put(UNSEEN, 0, 0, 0, 0, path, "names exchanged", NULL, 0);
    }
    return names(RENAME, fd, path, other_fd, other, do_rename, &t);
}

int renameat(int fd, const char *path, int other_fd, const char *other)
{
    return renameat2(fd, path, other_fd, other, 0);
}

int rename(const char *path, const char *other)
{
    return renameat2(AT_FDCWD, path, AT_FDCWD, other, 0);
}

int linkat(int fd, const char *path, int other_fd, const char *other, int flags)
{
    struct two_names t = {fd, other_fd, path, other, (unsigned)flags};
    return names(LINK, fd, path, other_fd, other, do_link, &t);
}

int link(const char *path, const char *other)
{
    return linkat(AT_FDCWD, path, AT_FDCWD, other, 0);
}

int unlinkat(int fd, const char *path, int flags)
{
    struct two_names t = {fd, 0, path, NULL, (unsigned)flags};
    return names(flags & AT_REMOVEDIR ? RMDIR : UNLINK, fd, path, 0, NULL, do_unlink, &t);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

int remove(const char *path)
{
    int rc = unlink(path);

    return rc && errno == EISDIR ? rmdir(path) : rc;
}

int mkdirat(int fd, const char *path, mode_t mode)
{
    struct two_names t = {fd, 0, path, NULL, mode};
    return names(MKDIR, fd, path, 0, NULL, do_mkdir, &t);
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

char *mkdtemp(char *path)
{
    REAL(char *, "mkdtemp", char *);
    char resolved[PATH_MAX], *made;
    struct stat st;

    pthread_mutex_lock(&lock);
    made = real(path);
    if (made && resolve(AT_FDCWD, path, resolved) && stat(resolved, &st) == 0) {
        put(MKDIR, FOLDER, st.st_ino, st.st_mode & 07777, 0, resolved, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return made;
}

int fchmod(int fd, mode_t mode)
{
    REAL(int, "fchmod", int, mode_t);
    int rc;

    pthread_mutex_lock(&lock);
    rc = real(fd, mode);
    if (!rc && tracked(fd)) {
        put(MODE, 0, inode_of_fd[fd], mode & 07777, 0, NULL, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- Syncing: not under the lock, for others go on writing meanwhile. */

static uint64_t sync_begins(unsigned flags, uint64_t inode)
{
    uint64_t number;

    pthread_mutex_lock(&lock);
    number = ++syncs;
    put(SYNC_BEGIN, flags, inode, number, (uint64_t)getpid(), NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
    return number;
}

static void sync_ends(unsigned flags, uint64_t inode, uint64_t number)
{
    pthread_mutex_lock(&lock);
    put(SYNC_END, flags, inode, number, (uint64_t)getpid(), NULL, NULL, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static int sync_one(int (*real)(int), int fd, unsigned flags)
{
    uint64_t inode = tracked(fd) ? inode_of_fd[fd] : 0, number;
    int rc;

    if (!inode) {
        return real(fd);
    }
    number = sync_begins(flags, inode);
    rc = real(fd);
    if (!rc) {
        sync_ends(flags, inode, number);
    }
    return rc;
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    return sync_one(real, fd, 0);
}

int fdatasync(int fd)
{
    REAL(int, "fdatasync", int);
    return sync_one(real, fd, 0);
}

int syncfs(int fd)
{
    REAL(int, "syncfs", int);
    return sync_one(real, fd, EVERYTHING);
}

/* ---- What can't be recorded is said. */

/* Held audit events (Audit.held.directory) belong on a file system in memory and are promised to outlive a kill, not the system: after a loss of power the file is empty, as here. */
static bool in_memory(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return n > 5 && strcmp(path + n - 5, ".held") == 0;
}

static void *map(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    REAL(void *, "mmap64", void *, size_t, int, int, int, off_t);

    if (tracked(fd) && (flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE) &&
        !in_memory(fd)) {
        pthread_mutex_lock(&lock);
        put(UNSEEN, 0, inode_of_fd[fd], 0, 0, "", "a file is mapped for writing", NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return real(at, n, protection, flags, fd, offset);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    return map(at, n, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t n, int protection, int flags, int fd, off64_t offset)
{
    return map(at, n, protection, flags, fd, offset);
}
