/* Last contacts of clients: a table in which each client has one place, noted once a minute. Two clients that share a place push each other out, and a contact is
 * forgotten: it is no durable part of anything. */
#include "drivetable/client_record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PLACES 16384
#define MINUTE (60 * 1000000LL)

struct place {
    char fingerprint[DT_FINGERPRINT_MAX];
    bool noted; /* and not written yet */
    klm_time when;
};
struct dt_seen {
    pthread_mutex_t lock; /* guards place and waiting */
    struct place place[PLACES];
    size_t waiting; /* places that are noted */
    size_t next;    /* where the next flush begins; the writer's */
};

klm_rc dt_seen_new(struct dt_seen **out)
{
    struct dt_seen *seen = calloc(1, sizeof *seen);

    if (!seen) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&seen->lock, NULL);
    *out = seen;
    return KLM_OK;
}

/* A fingerprint is as good as a hash: 16 bits of it. Any text has a place. */
static size_t place_of(const char *fingerprint)
{
    size_t place = 0;

    for (size_t i = 0; i < 4 && fingerprint[i]; i++) {
        place = place << 4 | ((uint8_t)fingerprint[i] % 16 + (fingerprint[i] >= 'a' ? 9 : 0)) % 16;
    }
    return place % PLACES;
}

static bool noted_lately(const struct place *place, const char *fingerprint, klm_time when)
{
    return strcmp(place->fingerprint, fingerprint) == 0 && when >= place->when &&
           when - place->when < MINUTE;
}

void dt_seen_note(struct dt_seen *seen, const char *fingerprint, klm_time when)
{
    struct place *place = &seen->place[place_of(fingerprint)];

    pthread_mutex_lock(&seen->lock);
    if (!noted_lately(place, fingerprint, when) && dt_is_fingerprint(fingerprint)) {
        seen->waiting += !place->noted;
        memcpy(place->fingerprint, fingerprint, sizeof place->fingerprint);
        place->when = when;
        place->noted = true;
    }
    pthread_mutex_unlock(&seen->lock);
}

/* A client that is gone, or cannot be read, needs no note. */
static klm_rc write_note(struct st_change *change, const struct place *note)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct dt_client before, after;
    klm_rc rc;

    KLM_TRY(klm_pool_new(4 * DT_CLIENT_RECORD_MAX, &pool));
    rc = dt_client_find(st_change_view(change), note->fingerprint, pool, &before);
    if (rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT) {
        return KLM_OK;
    }
    KLM_TRY(rc);
    after = before;
    after.last = note->when > before.last ? note->when : before.last;
    return dt_client_change(change, &before, &after);
}

static bool take(struct dt_seen *seen, struct place *out)
{
    bool found = false;

    pthread_mutex_lock(&seen->lock);
    for (size_t i = 0; seen->waiting > 0 && i < PLACES && !found; i++) {
        struct place *place = &seen->place[seen->next++ % PLACES];

        if (place->noted) {
            *out = *place;
            place->noted = false;
            seen->waiting--;
            found = true;
        }
    }
    pthread_mutex_unlock(&seen->lock);
    return found;
}

klm_rc dt_seen_flush(struct dt_seen *seen, struct st_change *change, size_t max, size_t *n)
{
    struct place note;
    size_t written = 0;

    while (written < max && take(seen, &note)) {
        KLM_TRY(write_note(change, &note));
        written++;
    }
    *n = written;
    return KLM_OK;
}

void dt_seen_free(struct dt_seen **seen)
{
    if (*seen) {
        pthread_mutex_destroy(&(*seen)->lock);
        free(*seen);
        *seen = NULL;
    }
}
