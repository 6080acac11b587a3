/* Streams that are under way. */
#include "keymgr/streams.h"

#include "base/clock.h"
#include "base/secret.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    struct km_stream of; /* its stream NULL: free */
    char client[65];
    char uid[40];
    uint64_t touched; /* monotonic ms */
};

struct km_streams {
    pthread_mutex_t lock; /* guards the rows */
    struct row row[KM_STREAMS_MAX];
};

klm_rc km_streams_new(struct km_streams **out)
{
    struct km_streams *streams = calloc(1, sizeof *streams);

    if (!streams) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&streams->lock, NULL);
    *out = streams;
    return KLM_OK;
}

static void clear(struct row *row)
{
    kr_stream_free(&row->of.stream);
    klm_wipe(row, sizeof *row);
}

void km_streams_free(struct km_streams **streams)
{
    if (!*streams) {
        return;
    }
    for (size_t i = 0; i < KM_STREAMS_MAX; i++) {
        clear(&(*streams)->row[i]);
    }
    pthread_mutex_destroy(&(*streams)->lock);
    free(*streams);
    *streams = NULL;
}

/* A free row, while the client has not too many. */
static struct row *room(struct km_streams *streams, const char *client)
{
    struct row *found = NULL;
    size_t of = 0;

    for (size_t i = 0; i < KM_STREAMS_MAX; i++) {
        struct row *row = &streams->row[i];

        found = found || row->of.stream ? found : row;
        of += row->of.stream && strcmp(row->client, client) == 0;
    }
    return of < KM_STREAMS_OF ? found : NULL;
}

klm_rc km_streams_put(struct km_streams *streams, const char *client, const char *uid,
                      struct km_stream *stream)
{
    static const uint8_t none[KM_CORRELATION];
    struct row *row;

    if (memcmp(stream->correlation, none, KM_CORRELATION) == 0) {
        KLM_TRY(klm_random(stream->correlation, KM_CORRELATION));
    }
    pthread_mutex_lock(&streams->lock);
    row = room(streams, client);
    if (row) {
        row->of = *stream;
        stream->stream = NULL;
        snprintf(row->client, sizeof row->client, "%s", client);
        snprintf(row->uid, sizeof row->uid, "%s", uid);
        row->touched = klm_clock_mono_ms();
    }
    pthread_mutex_unlock(&streams->lock);
    return row ? KLM_OK : KLM_E_LIMIT;
}

static bool is_it(const struct row *row, const char *client, const char *uid, enum kr_stream_op op,
                  struct klm_slice correlation)
{
    return row->of.stream && klm_secret_equal(row->of.correlation, correlation.p, KM_CORRELATION) &&
           strcmp(row->client, client) == 0 && strcmp(row->uid, uid) == 0 &&
           kr_stream_op(row->of.stream) == op;
}

klm_rc km_streams_take(struct km_streams *streams, const char *client, const char *uid,
                       enum kr_stream_op op, struct klm_slice correlation, struct km_stream *out)
{
    klm_rc rc = KLM_E_NOTFOUND;

    if (correlation.n != KM_CORRELATION) {
        return rc;
    }
    pthread_mutex_lock(&streams->lock);
    for (size_t i = 0; i < KM_STREAMS_MAX && rc != KLM_OK; i++) {
        struct row *row = &streams->row[i];

        if (is_it(row, client, uid, op, correlation)) {
            *out = row->of;
            row->of.stream = NULL;
            clear(row);
            rc = KLM_OK;
        }
    }
    pthread_mutex_unlock(&streams->lock);
    return rc;
}

size_t km_streams_sweep(struct km_streams *streams)
{
    const uint64_t now = klm_clock_mono_ms();
    size_t n = 0;

    pthread_mutex_lock(&streams->lock);
    for (size_t i = 0; i < KM_STREAMS_MAX; i++) {
        struct row *row = &streams->row[i];

        /* What was put while this thread waited for the lock is younger than its look at the clock. */
        if (row->of.stream && now > row->touched && now - row->touched > KM_STREAM_IDLE_MS) {
            clear(row);
            n++;
        }
    }
    pthread_mutex_unlock(&streams->lock);
    return n;
}
