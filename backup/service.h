/* Inside of the service that makes backups. */
#ifndef BACKUP_SERVICE_H
#define BACKUP_SERVICE_H

#include "backup/bk.h"
#include "backup/make.h"
#include "backup/walk.h"

#include <pthread.h>
#include <stdatomic.h>

struct bk_job {
    bool busy, check, scheduled;
    bool restore; /* check it for a restore */
    unsigned consent;
    bool token; /* sealed or opened with the token of backups; without a password, with it alone */
    char path[4096], who[128], result[128];
    const char *name; /* of the file, within path */
    struct klm_buf password;
    uint64_t limit_ms, started_ms;
    uint64_t began_ms; /* of what goes on now: writing, or reading back */
    uint64_t said_ms;
    struct bk_progress progress;
    klm_rc rc; /* of the last one */
};

/* A restore that waits for its confirmation. */
struct bk_difference {
    char name[32];
    uint64_t there, here; /* records in the backup and here */
};
struct bk_waiting {
    bool set, token;
    char path[4096], who[128], confirmed[128];
    struct klm_buf password;
    unsigned consent;
    uint8_t header[BK_HASH];
    uint64_t until_ms;
    klm_time made;
    uint64_t number, here; /* last change in it, and here */
    struct bk_difference table[7];
};
struct bk_agreed {
    struct bk_waiting waiting;
};

struct bk_service {
    struct km_server *server;
    struct bk_options options;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock; /* guards job while it is not busy, its progress, and what follows it */
    pthread_cond_t wake;
    atomic_bool stop, cancel;
    klm_time tried; /* last attempt of the schedule */
    struct bk_job job;
    struct bk_waiting waiting; /* guarded by lock */
    bool agreed;               /* what waits was confirmed */
};

struct bk_speed {
    unsigned percent;
    uint64_t rate, left; /* bytes a second, seconds */
};
/* How far a job is and how long it will take, from what it has done since it began; zeros before that can be told. */
void bk_speed(const struct bk_job *job, struct bk_speed *out);
/* One line for programs: "running 42 % 1200000 B/s 12 s NAME", "verifying ...", "idle", "done ...", "failed ...". */
void bk_progress_line(const struct bk_job *job, char *out, size_t cap);
/* Under the lock: make a job of a request (file NULL: a name of the time; password NULL: from tklm.backup.secret.file, or
 * none where there is a token for backups). */
struct bk_ask {
    const char *file, *password;
    bool token, check;
};
klm_rc bk_job_fill(struct bk_service *service, const struct parm_config *config,
                   const struct bk_ask *ask, struct klm_diag *diag) KLM_MUST_USE;
/* Carry out the job, tell how it ended, and be ready for another. */
klm_rc bk_job_run(struct bk_service *service, struct klm_diag *diag) KLM_MUST_USE;

/* requests.c: what the verbs ask for */
klm_rc bk_start(void *arg, struct km_call *call) KLM_MUST_USE;
klm_rc bk_cancel(void *arg, struct km_call *call) KLM_MUST_USE;
klm_rc bk_tell(void *arg, struct km_call *call) KLM_MUST_USE;
klm_rc bk_list(void *arg, struct km_call *call) KLM_MUST_USE;

#endif
