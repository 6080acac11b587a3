/* Handing work from one thread to another. */
#include "base/lane.h"

#include "base/secret.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define SLOTS_MAX 16

struct klm_lane {
    uint8_t *slot[SLOTS_MAX];
    size_t slots, bytes;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t turned;
    size_t given, taken; /* counts, since the beginning; taken: empty again */
    bool held;           /* the taker has the slot of number taken */
    bool ended, closed;
    klm_rc why;
};

klm_rc klm_lane_new(size_t slots, size_t bytes, struct klm_lane **out)
{
    KLM_AUTO(klm_lane_free) struct klm_lane *lane = calloc(1, sizeof *lane);

    if (!lane || slots < 2 || slots > SLOTS_MAX) {
        return lane ? KLM_E_INVALID : KLM_E_NOMEM;
    }
    pthread_mutex_init(&lane->lock, NULL);
    pthread_cond_init(&lane->turned, NULL);
    lane->bytes = bytes;
    for (; lane->slots < slots; lane->slots++) {
        lane->slot[lane->slots] = malloc(bytes);
        if (!lane->slot[lane->slots]) {
            return KLM_E_NOMEM;
        }
    }
    *out = lane;
    lane = NULL;
    return KLM_OK;
}

void klm_lane_free(struct klm_lane **lane)
{
    struct klm_lane *l = *lane;

    *lane = NULL;
    if (!l) {
        return;
    }
    for (size_t i = 0; i < l->slots; i++) {
        if (i <= l->given) { /* others were never handed out */
            klm_wipe(l->slot[i], l->bytes);
        }
        free(l->slot[i]);
    }
    pthread_cond_destroy(&l->turned);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void *klm_lane_slot(struct klm_lane *lane)
{
    void *slot;

    pthread_mutex_lock(&lane->lock);
    while (!lane->closed && lane->given - lane->taken == lane->slots) {
        pthread_cond_wait(&lane->turned, &lane->lock);
    }
    slot = lane->closed ? NULL : lane->slot[lane->given % lane->slots];
    pthread_mutex_unlock(&lane->lock);
    return slot;
}

void klm_lane_give(struct klm_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->given++;
    pthread_cond_signal(&lane->turned);
    pthread_mutex_unlock(&lane->lock);
}

bool klm_lane_behind(struct klm_lane *lane)
{
    bool behind;

    pthread_mutex_lock(&lane->lock);
    behind = lane->given - lane->taken > (lane->held ? 1 : 0);
    pthread_mutex_unlock(&lane->lock);
    return behind;
}

void klm_lane_end(struct klm_lane *lane, klm_rc why)
{
    pthread_mutex_lock(&lane->lock);
    lane->ended = true;
    lane->why = why;
    pthread_cond_signal(&lane->turned);
    pthread_mutex_unlock(&lane->lock);
}

void *klm_lane_take(struct klm_lane *lane, klm_rc *why)
{
    void *slot = NULL;

    pthread_mutex_lock(&lane->lock);
    if (lane->held) {
        lane->taken++;
        lane->held = false;
        pthread_cond_signal(&lane->turned);
    }
    while (lane->given == lane->taken && !lane->ended) {
        pthread_cond_wait(&lane->turned, &lane->lock);
    }
    if (lane->given != lane->taken) {
        slot = lane->slot[lane->taken % lane->slots];
        lane->held = true;
    } else {
        *why = lane->why;
    }
    pthread_mutex_unlock(&lane->lock);
    return slot;
}

void klm_lane_close(struct klm_lane *lane)
{
    pthread_mutex_lock(&lane->lock);
    lane->closed = true;
    pthread_cond_signal(&lane->turned);
    pthread_mutex_unlock(&lane->lock);
}
