/* Preloaded into the task by scenario tests: while a file stands in the folder of FAULT_SWITCHES, the calls it is named
 * after fail. sync: fsync and fdatasync say EIO, sync-space: ENOSPC; write: pwrite says EIO; thread: no thread is made. Only one sync fails when the file is called
 * sync-once. Files below other folders than FAULT_BELOW are spared. A file called clock moves the wall clock by as many
 * seconds as it holds; the monotonic clock goes on as it does when somebody sets the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int on(const char *name)
{
    char path[4096];
    const char *folder = getenv("FAULT_SWITCHES");

    if (!folder) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static int spared(int fd)
{
    char link[64], path[4096];
    const char *below = getenv("FAULT_BELOW");
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    if (n < 0 || !below) {
        return n < 0;
    }
    path[n] = '\0';
    return strncmp(path, below, strlen(below)) != 0;
}

/* What a sync is to say, 0: nothing. */
static int sync_fails(int fd)
{
    char path[4096];

    if (spared(fd)) {
        return 0;
    }
    if (on("sync-once")) {
        snprintf(path, sizeof path, "%s/sync-once", getenv("FAULT_SWITCHES"));
        return unlink(path) == 0 ? EIO : 0;
    }
    return on("sync") ? EIO : on("sync-space") ? ENOSPC : 0;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");

    if (on("write") && !spared(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd, p, n, at);
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    int error = sync_fails(fd);

    if (error) {
        errno = error;
        return -1;
    }
    return real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    int error = sync_fails(fd);

    if (error) {
        errno = error;
        return -1;
    }
    return real(fd);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");

    return on("thread") ? EAGAIN : real(thread, attr, start, arg);
}

static time_t moved(void)
{
    char path[4096], text[32] = "";
    const char *folder = getenv("FAULT_SWITCHES");
    ssize_t n = -1;
    int fd;

    if (!folder) {
        return 0;
    }
    snprintf(path, sizeof path, "%s/clock", folder);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, text, sizeof text - 1);
        close(fd);
    }
    return n > 0 ? (time_t)strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t which, struct timespec *out)
{
    int before = errno, rc = (int)syscall(SYS_clock_gettime, which, out);

    if (rc == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
        out->tv_sec += moved();
        errno = before;
    }
    return rc;
}

time_t time(time_t *out)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_REALTIME, &now);
    if (out) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now = {0};

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *out = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}
