/* The thread that reads behind who writes. */
#include "backup/back.h"

#include "backup/walk.h"
#include "base/file.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW                                                                                     \
    (4u                                                                                            \
     << 20) /* bytes that leave the page cache at a time; they begin and end where its pages do, however large */
#define PULSE_MS 50

struct bk_back {
    const char *path;
    const struct kr_backup *key;
    int fd; /* of its own, so that a failure to write is seen here and by who syncs */
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t turned;
    uint64_t written;
    bool whole, ended; /* all is written; all was read, or not */
    klm_rc rc;         /* when it has ended */
    struct klm_diag diag;
    atomic_bool given_up;
    _Atomic uint64_t read;
    uint64_t settled; /* the thread's: up to here the page cache was written out and dropped */
};

void bk_back_free(struct bk_back **back)
{
    struct bk_back *b = *back;

    *back = NULL;
    if (!b) {
        return;
    }
    if (b->running) {
        pthread_mutex_lock(&b->lock);
        atomic_store(&b->given_up, true);
        pthread_cond_broadcast(&b->turned);
        pthread_mutex_unlock(&b->lock);
        pthread_join(b->thread, NULL);
    }
    if (b->fd >= 0) {
        close(b->fd);
    }
    pthread_cond_destroy(&b->turned);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- The thread that reads */

/* Bytes that may leave the page cache: whole windows, or all of the file. */
static uint64_t wait_for(struct bk_back *b, uint64_t upto)
{
    uint64_t ready = 0;

    pthread_mutex_lock(&b->lock);
    while (!b->whole && !atomic_load(&b->given_up) &&
           (ready = b->written - b->written % WINDOW) < upto) {
        pthread_cond_wait(&b->turned, &b->lock);
    }
    ready = b->whole ? UINT64_MAX : ready;
    pthread_mutex_unlock(&b->lock);
    return ready;
}

/* What is read next comes from the device, not from memory. */
static klm_rc reach(void *arg, uint64_t upto)
{
    struct bk_back *b = arg;
    uint64_t ready;

    if (upto <= b->settled) {
        return KLM_OK;
    }
    ready = wait_for(b, upto);
    if (atomic_load(&b->given_up)) {
        return KLM_E_CANCELLED;
    }
    KLM_TRY(klm_file_settle(b->fd, b->settled, ready == UINT64_MAX ? 0 : ready - b->settled));
    b->settled = ready;
    return KLM_OK;
}

static klm_rc go_on(void *arg, uint64_t bytes)
{
    struct bk_back *b = arg;

    atomic_store(&b->read, bytes);
    return atomic_load(&b->given_up) ? KLM_E_CANCELLED : KLM_OK;
}

static klm_rc walk(struct bk_back *b, struct bk_file *file, struct klm_diag *diag)
{
    static const struct bk_visitor nobody = {.closed = true};
    const struct bk_pulse pulse = {go_on, b};
    const struct bk_reach behind = {reach, b};
    struct bk_found *found = calloc(1, sizeof *found);
    klm_rc rc = found ? bk_header_check(&file->header, b->key) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        file->reach = &behind;
        file->borrowed = b->key;
        rc = bk_file_walk(file, &nobody, &pulse, diag, found);
    }
    free(found);
    return rc;
}

static klm_rc read_all(struct bk_back *b, struct klm_diag *diag)
{
    struct bk_file file;
    klm_rc rc = reach(b, BK_HEADER_LEAST);

    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_BK_WRITE, b->path, klm_rc_text(rc));
    }
    rc = bk_file_open(b->path, diag, &file);
    if (rc == KLM_OK) {
        rc = walk(b, &file, diag);
    }
    bk_file_close(&file);
    return rc;
}

static void *read_behind(void *arg)
{
    struct bk_back *b = arg;
    struct klm_diag diag = {0};
    klm_rc rc = read_all(b, &diag);

    pthread_mutex_lock(&b->lock);
    b->rc = rc;
    b->diag = diag;
    b->ended = true;
    pthread_cond_broadcast(&b->turned);
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* ---- Who writes */

klm_rc bk_back_new(const char *path, const struct kr_backup *key, struct klm_diag *diag,
                   struct bk_back **out)
{
    KLM_AUTO(bk_back_free) struct bk_back *made = calloc(1, sizeof *made);

    if (!made) {
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&made->lock, NULL);
    klm_cond_init(&made->turned);
    made->path = path;
    made->key = key;
    made->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (made->fd < 0) {
        return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_OPEN, path, strerror(errno));
    }
    KLM_TRY(klm_thread_start(&made->thread, "backup back", read_behind, made));
    made->running = true;
    *out = made;
    made = NULL;
    return KLM_OK;
}

void bk_back_written(struct bk_back *back, uint64_t bytes)
{
    pthread_mutex_lock(&back->lock);
    back->written = bytes;
    pthread_cond_broadcast(&back->turned);
    pthread_mutex_unlock(&back->lock);
}

/* Wait a moment; has it ended? */
static bool ended_soon(struct bk_back *back)
{
    const struct timespec until = klm_from_now(PULSE_MS);
    bool ended;

    pthread_mutex_lock(&back->lock);
    back->whole = true;
    pthread_cond_broadcast(&back->turned);
    while (!back->ended &&
           pthread_cond_timedwait(&back->turned, &back->lock, &until) != ETIMEDOUT) {
    }
    ended = back->ended;
    pthread_mutex_unlock(&back->lock);
    return ended;
}

klm_rc bk_back_end(struct bk_back *back, const struct bk_pulse *pulse, struct klm_diag *diag)
{
    do {
        KLM_TRY(pulse->go_on(pulse->arg, atomic_load(&back->read)));
    } while (!ended_soon(back));
    if (diag && back->diag.msg != KLM_MSG_NONE) {
        *diag = back->diag;
    }
    return back->rc;
}
