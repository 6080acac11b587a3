/* Preloaded into the task by scenario tests: while a file stands in the folder of FAULT_SWITCHES, the calls it is named
 * after fail. sync: fsync and fdatasync say EIO; thread: no thread is made. Only one sync fails when the file is called
 * sync-once. Files below other folders than FAULT_BELOW are spared. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int sync_fails(int fd)
{
    char path[4096];

    if (spared(fd)) {
        return 0;
    }
    if (on("sync-once")) {
        snprintf(path, sizeof path, "%s/sync-once", getenv("FAULT_SWITCHES"));
        return unlink(path) == 0;
    }
    return on("sync");
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    if (sync_fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int fdatasync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

    if (sync_fails(fd)) {
        errno = EIO;
        return -1;
    }
    return real(fd);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");

    return on("thread") ? EAGAIN : real(thread, attr, start, arg);
}
