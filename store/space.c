/* The reserve: made with posix_fallocate, so that its blocks are really there. */
#include "store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RESERVE_BYTES ((off_t)16 << 20)
#define TIGHT_BYTES ((uint64_t)1 << 20) /* below this nothing is let through any more */

struct st_space {
    pthread_mutex_t lock; /* guards the file and low */
    bool low;             /* the reserve is given up or never was */
    char *home;
    char *path;
};

static bool is_whole(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size == RESERVE_BYTES &&
           (off_t)st.st_blocks * 512 >= RESERVE_BYTES;
}

/* 0 or errno. */
static int make_reserve(const char *path)
{
    if (is_whole(path)) {
        return 0;
    }
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno;
    }
    int err = posix_fallocate(fd, 0, RESERVE_BYTES);
    close(fd);
    if (err) {
        unlink(path);
    }
    return err;
}

klm_rc st_space_open(const char *home, struct st_space **out)
{
    struct st_space *space = calloc(1, sizeof *space);

    if (!space || asprintf(&space->path, "%s/" ST_RESERVE_FILE, home) < 0 ||
        !(space->home = strdup(home))) {
        if (space) {
            free(space->path);
        }
        free(space);
        return KLM_E_NOMEM;
    }
    pthread_mutex_init(&space->lock, NULL);
    int err = make_reserve(space->path);
    space->low = err != 0;
    if (err) {
        klm_say(KLM_MSG_ST_NO_RESERVE, home, strerror(err));
    }
    *out = space;
    return KLM_OK;
}

void st_space_close(struct st_space **space)
{
    if (*space) {
        pthread_mutex_destroy(&(*space)->lock);
        free((*space)->home);
        free((*space)->path);
        free(*space);
        *space = NULL;
    }
}

bool st_space_give_up(struct st_space *space)
{
    pthread_mutex_lock(&space->lock);
    bool given = !space->low && unlink(space->path) == 0;
    space->low = true;
    pthread_mutex_unlock(&space->lock);
    if (given) {
        klm_say(KLM_MSG_ST_SPACE, space->home);
    }
    return given;
}

static uint64_t bytes_free(const char *home)
{
    struct statvfs fs;

    return statvfs(home, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

/* Twice the reserve must be free, or it would come and go with each change. */
static bool take_back(struct st_space *space, uint64_t room)
{
    if (room < 2 * (uint64_t)RESERVE_BYTES || make_reserve(space->path) != 0) {
        return false;
    }
    space->low = false;
    return true;
}

klm_rc st_space_room(struct st_space *space, bool frees, struct klm_diag *diag)
{
    pthread_mutex_lock(&space->lock);
    bool low = space->low, back = false;
    uint64_t room = low ? bytes_free(space->home) : 0;
    if (low) {
        back = take_back(space, room);
    }
    pthread_mutex_unlock(&space->lock);
    if (back) {
        klm_say(KLM_MSG_ST_SPACE_BACK, space->home);
    }
    if (!low || back || (frees && room >= TIGHT_BYTES)) {
        return KLM_OK;
    }
    return klm_fail(diag, KLM_E_NOSPACE, KLM_MSG_ST_FULL, space->home);
}
