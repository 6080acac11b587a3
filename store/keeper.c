/* The store's own thread for checkpoints. They write every changed page, half a second's work after thirty busy seconds: nobody who waits for a commit waits for that too. */
#include "store/core.h"

#include "base/clock.h"
#include "base/thread.h"

#include <stdlib.h>
#include <time.h>

#define LOOK_MS 1000 /* between two looks whether one is due */

struct st_keeper {
    struct st_store *store;
    unsigned commits, seconds;
    pthread_t thread;
    pthread_mutex_t lock; /* guards stop */
    pthread_cond_t wake;
    bool stop;
};

static bool wait_for_stop(struct st_keeper *keeper)
{
    const struct timespec until = klm_from_now(LOOK_MS);
    bool stop;

    pthread_mutex_lock(&keeper->lock);
    while (!keeper->stop && pthread_cond_timedwait(&keeper->wake, &keeper->lock, &until) == 0) {
    }
    stop = keeper->stop;
    pthread_mutex_unlock(&keeper->lock);
    return stop;
}

static void *keeper_main(void *arg)
{
    struct st_keeper *keeper = arg;

    while (!wait_for_stop(keeper)) {
        KLM_IGNORE(st_checkpoint(keeper->store, keeper->commits,
                                 keeper->seconds)); /* the store says what fails, st_failed */
    }
    return NULL;
}

static void keeper_free(struct st_keeper *keeper)
{
    pthread_cond_destroy(&keeper->wake);
    pthread_mutex_destroy(&keeper->lock);
    free(keeper);
}

klm_rc st_keep(struct st_store *store, unsigned commits, unsigned seconds)
{
    struct st_keeper *keeper;
    klm_rc rc;

    if (store->keeper) {
        return KLM_E_STATE;
    }
    keeper = calloc(1, sizeof *keeper);
    if (!keeper) {
        return KLM_E_NOMEM;
    }
    keeper->store = store;
    keeper->commits = commits;
    keeper->seconds = seconds;
    pthread_mutex_init(&keeper->lock, NULL);
    klm_cond_init(&keeper->wake);
    rc = klm_thread_start(&keeper->thread, "checkpoint", keeper_main, keeper);
    if (rc != KLM_OK) {
        keeper_free(keeper);
        return rc;
    }
    store->keeper = keeper;
    return KLM_OK;
}

void st_keeper_stop(struct st_keeper **keeper)
{
    struct st_keeper *k = *keeper;

    *keeper = NULL;
    if (!k) {
        return;
    }
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_signal(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    keeper_free(k);
}
