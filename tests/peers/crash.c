/* Preloaded into a program by scenario tests: it is killed just before the call with the number CRASH_AT that changes something below the folder
 * CRASH_BELOW: a file opened for writing, written, synced, renamed, linked or removed. So each state that a crash can leave comes up once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void count(void)
{
    static int calls;
    const char *at = getenv("CRASH_AT");

    if (at && ++calls == atoi(at)) {
        raise(SIGKILL);
    }
}

static int below(const char *path)
{
    const char *folder = getenv("CRASH_BELOW");

    return folder && strncmp(path, folder, strlen(folder)) == 0;
}

static void count_path(const char *path)
{
    if (below(path)) {
        count();
    }
}

static void count_fd(int fd)
{
    char link[64], path[4096];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        count_path(path);
    }
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
    if (flags & (O_CREAT | O_WRONLY | O_RDWR)) {
        count_path(path);
    }
    return NEXT(int (*)(const char *, int, mode_t), name)(path, flags, mode);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list ap;                                                                                \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(ap, flags);                                                                       \
        mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;                                           \
        va_end(ap);                                                                                \
        return open_as(#name, path, flags, mode);                                                  \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *p, size_t n)
{
    count_fd(fd);
    return NEXT(ssize_t(*)(int, const void *, size_t), "write")(fd, p, n);
}

int fsync(int fd)
{
    count_fd(fd);
    return NEXT(int (*)(int), "fsync")(fd);
}

int fdatasync(int fd)
{
    count_fd(fd);
    return NEXT(int (*)(int), "fdatasync")(fd);
}

int rename(const char *from, const char *to)
{
    count_path(to);
    return NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

int link(const char *from, const char *to)
{
    count_path(to);
    return NEXT(int (*)(const char *, const char *), "link")(from, to);
}

int unlink(const char *path)
{
    count_path(path);
    return NEXT(int (*)(const char *), "unlink")(path);
}
