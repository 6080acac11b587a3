/* The log file after the one that is written to, made ahead of time on a thread of its own. A log file must have its blocks, full of zeros and on disk, before commits write into it: a flush
 * then has no need of the file system's own log. Berkeley DB would do that (DB_LOG_ZERO) within the commit that begins a file: some milliseconds, twenty times a second under load.
 * A file of zeros in the place of the next one is nothing special to it: a crash while it makes one by itself leaves the same, and recovery passes over it. */
#include "store/bdb.h"

#include "base/file.h"
#include "base/thread.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK                                                                                      \
    (256u << 10) /* written out one by one, so that a commit's own write waits for no more */

#define DIGITS 10 /* of its number, in a log file's name */

enum stage {
    NOTHING, /* no file is asked for, or it could not be made: who needs it makes it */
    WANTED,
    MAKING,
    READY
};

struct bdb_ahead {
    struct bdb_io *io; /* borrowed */
    char *home;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t change;
    enum stage stage;
    uint32_t number; /* of the file that is meant */
    bool open, stop;
};

static const uint8_t zeros[CHUNK];

/* The number of a log file; 0: it is none. */
static uint32_t number_of(const char *path)
{
    const char *name = strrchr(path, '/');
    unsigned long number;
    char *end;

    name = name ? name + 1 : path;
    if (strncmp(name, "log.", 4) != 0 || strlen(name) != 4 + DIGITS) {
        return 0;
    }
    number = strtoul(name + 4, &end, 10);
    return *end == '\0' && number <= UINT32_MAX ? (uint32_t)number : 0;
}

klm_rc bdb_ahead_new(const char *home, struct bdb_io *io, struct bdb_ahead **out)
{
    struct bdb_ahead *a = calloc(1, sizeof *a);

    if (!a || !(a->home = strdup(home))) {
        free(a);
        return KLM_E_NOMEM;
    }
    a->io = io;
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->change, NULL);
    *out = a;
    return KLM_OK;
}

/* ---- Making a file */

static bool path_of(const struct bdb_ahead *a, uint32_t number, char *out, size_t n)
{
    int length = snprintf(out, n, "%s/log.%010u", a->home, number);

    return length > 0 && (size_t)length < n;
}

/* A file whose begin is not of zeros holds records, whoever wrote them: Berkeley DB makes files in order, so none should stand where the next one comes, and none is written over. */
static bool holds_records(int fd)
{
    uint8_t begin[4096];
    const ssize_t n = pread(fd, begin, sizeof begin, 0);

    return n < 0 || memcmp(begin, zeros, (size_t)n) != 0;
}

/* Zeros from the begin to the end, over the zeros that a crash left there. */
static bool fill(int fd)
{
    for (off_t at = 0; at < BDB_LOG_FILE; at += CHUNK) {
        if (pwrite(fd, zeros, CHUNK, at) != CHUNK) {
            return false;
        }
        (void)sync_file_range(fd, at, CHUNK,
                              SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER); /* the sync is what counts */
    }
    return klm_fdatasync(fd) == KLM_OK;
}

/* What fails is no failure of the store: the commit that needs the file meets it, and knows what to do. */
static bool make(const struct bdb_ahead *a, uint32_t number)
{
    char path[4096];
    bool made;
    int fd;

    if (atomic_load(&a->io->error) || !path_of(a, number, path, sizeof path)) {
        return false;
    }
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    if (holds_records(fd)) {
        close(fd);
        return false;
    }
    made = fill(fd);
    made = close(fd) == 0 && made && klm_sync_folder(a->home) == KLM_OK;
    if (!made) {
        (void)unlink(path); /* of zeros or of a part of them: of no use and no harm */
    }
    return made;
}

static void *ahead_main(void *arg)
{
    struct bdb_ahead *a = arg;

    pthread_mutex_lock(&a->lock);
    while (!a->stop) {
        if (a->stage != WANTED) {
            pthread_cond_wait(&a->change, &a->lock);
            continue;
        }
        const uint32_t number = a->number;

        a->stage = MAKING;
        pthread_mutex_unlock(&a->lock);
        const bool made = make(a, number);
        pthread_mutex_lock(&a->lock);
        a->stage = made ? READY : NOTHING;
        pthread_cond_broadcast(&a->change);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

/* ---- Using it */

void bdb_ahead_open(struct bdb_ahead *a)
{
    a->open = true;
}

/* Under the lock. Without a thread nothing is made ahead, that is all. */
static void want(struct bdb_ahead *a, uint32_t number)
{
    if (!a->running && klm_thread_start(&a->thread, "log ahead", ahead_main, a) == KLM_OK) {
        a->running = true;
    }
    a->number = number;
    a->stage = a->running ? WANTED : NOTHING;
    pthread_cond_broadcast(&a->change);
}

bool bdb_ahead_take(struct bdb_ahead *a, const char *path, bool *is_log)
{
    const uint32_t number = number_of(path);
    bool ready;

    *is_log = number != 0;
    if (number == 0) {
        return false;
    }
    pthread_mutex_lock(&a->lock);
    while (a->stage == MAKING) {
        pthread_cond_wait(&a->change, &a->lock);
    }
    ready = a->stage == READY && a->number == number;
    if (a->open && number < UINT32_MAX) {
        want(a, number + 1);
    }
    pthread_mutex_unlock(&a->lock);
    return ready;
}

void bdb_ahead_stop(struct bdb_ahead *a)
{
    char path[4096];

    if (!a->running) {
        return;
    }
    pthread_mutex_lock(&a->lock);
    a->stop = true;
    pthread_cond_broadcast(&a->change);
    pthread_mutex_unlock(&a->lock);
    pthread_join(a->thread, NULL);
    a->running = false;
    if (a->stage == READY && path_of(a, a->number, path, sizeof path)) {
        (void)unlink(path); /* left there it would be made anew */
    }
}

void bdb_ahead_free(struct bdb_ahead **ahead)
{
    struct bdb_ahead *a = *ahead;

    *ahead = NULL;
    if (a) {
        pthread_mutex_destroy(&a->lock);
        pthread_cond_destroy(&a->change);
        free(a->home);
        free(a);
    }
}
