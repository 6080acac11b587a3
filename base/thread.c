#include "base/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

klm_rc klm_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        return KLM_E_LIMIT;
    }
    (void)pthread_setname_np(*thread, name); /* for people who look; nothing depends on it */
    return KLM_OK;
}

/* Weight 36 beside the loop's 1024 (sched(7)). A loop that used more than its share of a processor since it slept does not get that at once
 * when it wakes, but at the next tick, milliseconds later. At nice 5 (weight 335) two workers beside it made its share so small that this was
 * the usual thing while keys are read. */
#define BACKGROUND_NICE 15

void klm_thread_background(void)
{
    /* For this thread alone (Linux); when it is refused, small requests just wait longer. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), BACKGROUND_NICE);
}

/* The first version of the kernel's structure (sched_setattr(2)), which no header of Debian 12's C library has. */
struct scheduling {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};
#define SLICE_NS 100000 /* the shortest that the kernel gives */

void klm_thread_prompt(void)
{
    const struct scheduling wanted = {.size = sizeof wanted,
                                      .policy = SCHED_OTHER,
                                      .nice = getpriority(PRIO_PROCESS, 0),
                                      .runtime = SLICE_NS};

    (void)syscall(SYS_sched_setattr, 0, &wanted, 0); /* refused: as before */
}

void klm_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    (void)pthread_condattr_init(&attr); /* plain memory on Linux: none of these can fail */
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

struct timespec klm_from_now(uint64_t ms)
{
    struct timespec at;

    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* a clock that is always there */
    at.tv_sec += (time_t)(ms / 1000);
    at.tv_nsec += (long)(ms % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

void klm_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms)
{
    const struct timespec until = klm_from_now(ms);

    (void)pthread_cond_timedwait(cond, lock, &until);
}
