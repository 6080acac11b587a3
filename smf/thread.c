/* Threads and waits of smf. */
#include "smf/journal.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

klm_rc smf_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    int err;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_create(thread, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (err) {
        return err == EAGAIN ? KLM_E_NOMEM : KLM_E_INTERNAL;
    }
    (void)pthread_setname_np(*thread, name); /* for people who look; nothing depends on it */
    return KLM_OK;
}

klm_rc smf_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int err;

    if (pthread_condattr_init(&attr)) {
        return KLM_E_NOMEM;
    }
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* a clock that is always there */
    err = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return err ? KLM_E_NOMEM : KLM_OK;
}

void smf_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, unsigned ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(cond, lock,
                                 &until); /* the caller looks again, whatever ended the wait */
}
