/* Work aside, with two holders: its thread and who started it. */
#include "base/aside.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct klm_aside {
    atomic_int holders;
    int fd;
    void (*run)(void *arg);
    void (*free_arg)(void *arg);
    void *arg;
};

static void let_go(struct klm_aside *aside)
{
    if (atomic_fetch_sub(&aside->holders, 1) == 1) {
        aside->free_arg(aside->arg);
        (void)close(aside->fd); /* nothing was written that could be lost */
        free(aside);
    }
}

static void *aside_main(void *arg)
{
    struct klm_aside *aside = arg;
    const uint64_t one = 1;

    aside->run(aside->arg);
    while (write(aside->fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
    let_go(aside);
    return NULL;
}

/* Detached, its signals left to others. */
static int start_thread(struct klm_aside *aside)
{
    pthread_t thread;
    pthread_attr_t attr;
    sigset_t all, before;
    int err = pthread_attr_init(&attr);

    if (err) {
        return err;
    }
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED); /* a valid state */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(&thread, &attr, aside_main, aside);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return err;
}

klm_rc klm_aside_start(void (*run)(void *arg), void (*free_arg)(void *arg), void *take_arg,
                       struct klm_aside **out)
{
    struct klm_aside *aside = calloc(1, sizeof *aside);

    if (!aside) {
        free_arg(take_arg);
        return KLM_E_NOMEM;
    }
    aside->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    aside->run = run;
    aside->free_arg = free_arg;
    aside->arg = take_arg;
    atomic_init(&aside->holders, 2);
    if (aside->fd < 0 || start_thread(aside) != 0) {
        free_arg(take_arg);
        if (aside->fd >= 0) {
            (void)close(aside->fd);
        }
        free(aside);
        return KLM_E_NOMEM;
    }
    *out = aside;
    return KLM_OK;
}

int klm_aside_fd(const struct klm_aside *aside)
{
    return aside->fd;
}

bool klm_aside_ended(struct klm_aside *aside)
{
    uint64_t value;
    struct pollfd p = {.fd = aside->fd, .events = POLLIN};

    if (poll(&p, 1, 0) != 1) {
        return false;
    }
    /* read, so that who looks at the argument stands behind the write; and put back for the next look */
    if (read(aside->fd, &value, sizeof value) == (ssize_t)sizeof value) {
        return write(aside->fd, &value, sizeof value) == (ssize_t)sizeof value;
    }
    return false;
}

void klm_aside_release(struct klm_aside **aside)
{
    if (*aside) {
        let_go(*aside);
        *aside = NULL;
    }
}
