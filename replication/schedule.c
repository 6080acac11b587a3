/* Automatic sync. A thread of its own, since a partner may be waited for: soon after the start, and then every sync.timeinhours; after
 * a failure sooner. */
#include "replication/repl.h"

#include "base/clock.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FIRST_MS 5000 /* after the start, so that two servers that start together find each other */
#define AGAIN_MS (10 * 60000ul) /* after a failure */
#define LOOK_MS 1000

struct repl_schedule {
    struct km_server *server;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stop;
    uint64_t due;  /* monotonic ms */
    char set[600]; /* the settings that due was reckoned with */
};

/* All that decides when and what is sent. */
static void settings(struct km_server *server, char *out, size_t cap)
{
    struct km_state *state = km_state_get(server);
    const char *address = parm_str(state->config, PARM_sync_ipaddress);

    snprintf(out, cap, "%s %s %s %lld", address ? address : "",
             parm_str(state->config, PARM_sync_type), parm_str(state->config, PARM_sync_action),
             (long long)parm_num(state->config, PARM_sync_timeinhours));
    km_state_put(&state);
}

static struct km_call *new_call(struct km_server *server, const struct parm_config *config)
{
    const struct km_actor actor = {
        .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "ISKLM", .address = "schedule"};
    const char *type = parm_str(config, PARM_sync_type);
    struct km_sync_req *req;
    struct km_call *call;

    if (km_call_new(server, KM_SYNC, &actor, &call) != KLM_OK) {
        return NULL;
    }
    req = call->req;
    req->ipaddr = klm_pool_str(call->pool, parm_str(config, PARM_sync_ipaddress));
    req->all = strcmp(type, "all") == 0;
    req->config = strcmp(type, "config") == 0;
    req->drivetab = strcmp(type, "drivetab") == 0;
    req->rewrite = strcmp(parm_str(config, PARM_sync_action), "rewrite") == 0;
    return call;
}

static klm_rc sync_now(struct km_server *server, const struct parm_config *config)
{
    struct km_call *call = new_call(server, config);
    klm_rc rc;

    if (!call) {
        return KLM_E_NOMEM;
    }
    rc = km_run_wait(call);
    if (rc == KLM_OK) {
        const char *what = call->event.field[SMF_F_NEW];

        klm_say(KLM_MSG_SYNC_DONE, parm_str(config, PARM_sync_ipaddress), what ? what : "");
        if (call->diag.msg != KLM_MSG_NONE) {
            klm_say_diag(&call->diag); /* what the partner does not know */
        }
    } else {
        klm_say_diag(&call->diag);
    }
    km_call_free(&call);
    return rc;
}

/* One sync, when it is configured; milliseconds until the next. */
static uint64_t work(struct km_server *server)
{
    struct km_state *state = km_state_get(server);
    uint64_t next = (uint64_t)parm_num(state->config, PARM_sync_timeinhours) * 3600000;

    if (parm_str(state->config, PARM_sync_ipaddress) && sync_now(server, state->config) != KLM_OK &&
        next > AGAIN_MS) {
        next = AGAIN_MS;
    }
    km_state_put(&state);
    return next;
}

static void nap(struct repl_schedule *schedule)
{
    klm_cond_wait_ms(&schedule->wake, &schedule->lock, LOOK_MS);
}

static void *run(void *arg)
{
    struct repl_schedule *schedule = arg;

    klm_thread_background();
    pthread_mutex_lock(&schedule->lock);
    while (!schedule->stop) {
        if (klm_clock_mono_ms() < schedule->due) {
            nap(schedule);
            continue;
        }
        pthread_mutex_unlock(&schedule->lock);
        uint64_t next = work(schedule->server);
        pthread_mutex_lock(&schedule->lock);
        schedule->due = klm_clock_mono_ms() + next;
    }
    pthread_mutex_unlock(&schedule->lock);
    return NULL;
}

klm_rc repl_schedule_new(struct km_server *server, struct repl_schedule **out)
{
    struct repl_schedule *schedule = calloc(1, sizeof *schedule);
    klm_rc rc;

    if (!schedule) {
        return KLM_E_NOMEM;
    }
    schedule->server = server;
    schedule->due = klm_clock_mono_ms() + FIRST_MS;
    settings(server, schedule->set, sizeof schedule->set);
    pthread_mutex_init(&schedule->lock, NULL);
    klm_cond_init(&schedule->wake);
    rc = klm_thread_start(&schedule->thread, "sync", run, schedule);
    if (rc != KLM_OK) {
        pthread_mutex_destroy(&schedule->lock);
        pthread_cond_destroy(&schedule->wake);
        free(schedule);
        return rc;
    }
    *out = schedule;
    return KLM_OK;
}

void repl_schedule_look(struct repl_schedule *schedule)
{
    char now[sizeof schedule->set];

    settings(schedule->server, now, sizeof now);
    pthread_mutex_lock(&schedule->lock);
    if (strcmp(now, schedule->set) !=
        0) { /* two servers that send to each other must not go on for ever */
        memcpy(schedule->set, now, sizeof now);
        schedule->due = klm_clock_mono_ms() + FIRST_MS;
        pthread_cond_signal(&schedule->wake);
    }
    pthread_mutex_unlock(&schedule->lock);
}

void repl_schedule_free(struct repl_schedule **schedule)
{
    struct repl_schedule *s = *schedule;

    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    free(s);
    *schedule = NULL;
}
