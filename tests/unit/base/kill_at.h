/* A program that ends at the nth of its calls that change files. In front of the C library's, for every library of this program; a test includes it once. */
#ifndef TESTS_UNIT_BASE_KILL_AT_H
#define TESTS_UNIT_BASE_KILL_AT_H

#include "test.h"

#include <dlfcn.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_long kill_at = -1, kill_calls; /* -1: never */
static int kill_spares = -1;                 /* a descriptor whose writes do not count */

static void kill_count(void)
{
    if (atomic_load(&kill_at) >= 0 && atomic_fetch_add(&kill_calls, 1) == atomic_load(&kill_at)) {
        (void)raise(SIGKILL);
    }
}

#define KILL_NEXT(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

int rename(const char *from, const char *to)
{
    kill_count();
    return KILL_NEXT(rename)(from, to);
}

int unlink(const char *path)
{
    kill_count();
    return KILL_NEXT(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    kill_count();
    return KILL_NEXT(mkdir)(path, mode);
}

int ftruncate(int fd, off_t n)
{
    kill_count();
    return KILL_NEXT(ftruncate)(fd, n);
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (fd != kill_spares) {
        kill_count();
    }
    return KILL_NEXT(write)(fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    kill_count();
    return KILL_NEXT(pwrite)(fd, p, n, at);
}

/* Nothing here waits for a disk: a kill loses nothing that was written. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

/* Run a program that has to succeed. */
static void kill_spawn(const char *const *argv)
{
    extern char **environ;
    const union {
        const char *const *in;
        char *const *out;
    } plain = {argv};
    int status = -1;
    pid_t pid;

    REQUIRE(posix_spawnp(&pid, argv[0], NULL, NULL, plain.out, environ) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
}
#define SPAWN(...) kill_spawn((const char *const[]){__VA_ARGS__, NULL})

/* Run work in a child that ends at call n, counted from when it says kill_begin. True: it came through. What it returns has to be 0. Either way the child is killed: at an exit memory
 * checkers look for what is lost, and in a child that is what threads of the parent have. */
static long kill_child_at = -1; /* of the parent: never */
static void kill_begin(void)
{
    atomic_store(&kill_at, kill_child_at);
}
static bool kill_run(int (*work)(void *arg), void *arg, long n)
{
    int status = 0, *through = mmap(NULL, sizeof *through, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool done;
    pid_t pid;

    REQUIRE(through != MAP_FAILED);
    pid = fork();
    if (pid == 0) {
        kill_child_at = n;
        *through = work(arg) == 0 ? 1 : -1;
        (void)raise(SIGKILL);
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && *through >= 0);
    done = *through == 1;
    munmap(through, sizeof *through);
    return done;
}

#endif
