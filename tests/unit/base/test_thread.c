/* Threads have a name and no signals, and waits end in time though nobody calls. */
#include "test.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <signal.h>

struct seen {
    int blocked[3];
};

static void *look(void *arg)
{
    static const int signals[] = {SIGTERM, SIGHUP, SIGUSR1};
    struct seen *seen = arg;
    sigset_t mask;

    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (size_t i = 0; i < KLM_COUNT(signals); i++) {
        seen->blocked[i] = sigismember(&mask, signals[i]);
    }
    return NULL;
}

TEST(a_thread_leaves_signals_to_the_main_one_which_keeps_its_own)
{
    struct seen seen = {.blocked = {0}}, here = {.blocked = {0}};
    pthread_t thread;

    REQUIRE_OK(klm_thread_start(&thread, "looks", look, &seen));
    pthread_join(thread, NULL);
    look(&here);
    for (size_t i = 0; i < KLM_COUNT(seen.blocked); i++) {
        CHECK_INT(seen.blocked[i], 1);
        CHECK_INT(here.blocked[i], 0);
    }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *wait_for_lock(void *arg)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

TEST(a_thread_can_be_found_by_its_name)
{
    char name[16] = "";
    pthread_t thread;

    pthread_mutex_lock(&lock);
    REQUIRE_OK(klm_thread_start(&thread, "fifteen letters", wait_for_lock, NULL));
    CHECK_INT(pthread_getname_np(thread, name, sizeof name), 0);
    CHECK_STR(name, "fifteen letters");
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
}

TEST(waits_end_by_the_monotonic_clock)
{
    const uint64_t begin = klm_clock_mono_ms();
    const struct timespec until = klm_from_now(30);
    pthread_cond_t never;

    CHECK(until.tv_nsec >= 0 && until.tv_nsec < 1000000000);
    klm_cond_init(&never);
    pthread_mutex_lock(&lock);
    while (pthread_cond_timedwait(&never, &lock, &until) != ETIMEDOUT) {
    }
    CHECK(klm_clock_mono_ms() - begin >= 29); /* whole milliseconds */
    while (klm_clock_mono_ms() - begin < 1040) {
        klm_cond_wait_ms(&never, &lock, 1010);
    }
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&never);
}
