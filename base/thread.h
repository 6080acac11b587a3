/* Threads of ours, and their waits. Signals are for the main thread: others have all of them blocked. Waits use the monotonic clock, so that a jump of the wall clock neither cuts nor stretches one. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include "base/rc.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Start one, by a name (at most 15 characters) for people who look at the machine. The caller joins or detaches it. KLM_E_LIMIT: there is no other one to be had. */
klm_rc klm_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
    KLM_MUST_USE;
/* The calling thread computes for long or has time: a loop that wakes up for a small request gets the processor before it. Workers are
 * so by themselves. */
void klm_thread_background(void);
/* The calling thread works in short steps that somebody waits for: it asks the scheduler for a short slice, which gets it the processor
 * sooner (Linux 6.12 and later; before, nothing changes). A loop asks for it by itself. */
void klm_thread_prompt(void);

/* A condition for the waits below. */
void klm_cond_init(pthread_cond_t *cond);
/* The moment so many milliseconds from now, for pthread_cond_timedwait. */
struct timespec klm_from_now(uint64_t ms);
/* Wait once for at most so long. Whoever calls looks again at what it waits for, whatever ended the wait. */
void klm_cond_wait_ms(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t ms);

#endif
