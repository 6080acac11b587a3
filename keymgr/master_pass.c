/* The pass: a thread that has key tokens moved, batch after batch, each a verb like others, until a whole pass finds none; then it ends the change. It also runs at
 * a start that knows another master key, for tokens that were on their way when the change ended. */
#include "keymgr/master.h"

#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define AGAIN_MS 5000 /* after a failure */
#define FINISH_MS 60000
#define SETTLE_MS                                                                                  \
    2000 /* calls that sealed under the old key before the change have ended by then */

/* True: go on. */
static bool pause_ms(struct km_pass *pass, unsigned ms)
{
    const struct timespec until = klm_from_now(ms);
    bool stop;

    pthread_mutex_lock(&pass->lock);
    while (!pass->stop && pthread_cond_timedwait(&pass->wake, &pass->lock, &until) != ETIMEDOUT) {
    }
    stop = pass->stop;
    pthread_mutex_unlock(&pass->lock);
    return !stop;
}

static klm_rc run(struct km_server *server, enum km_verb_id verb,
                  char after[KR_TOKEN_LABEL_MAX + 1], size_t *moved)
{
    const struct km_actor actor = {.kind = KM_ACTOR_SYSTEM,
                                   .roles = KM_ROLE_SYSTEM,
                                   .name = "ISKLM",
                                   .address = "",
                                   .fingerprint = ""};
    struct km_call *call;
    klm_rc rc;

    KLM_TRY(km_call_new(server, verb, &actor, &call));
    if (verb == KM_MASTER_REWRAP) {
        ((struct km_master_req *)call->req)->after = klm_pool_str(call->pool, after);
    }
    rc = km_run_wait(call);
    if (rc != KLM_OK) {
        klm_say(KLM_MSG_CHANGE_HELD, call->diag.text);
    } else if (verb == KM_MASTER_REWRAP) {
        *moved += call->no_apply ? 0 : 1;
        snprintf(after, KR_TOKEN_LABEL_MAX + 1, "%s", call->text ? call->text : "");
    }
    km_call_free(&call);
    return rc;
}

/* All tokens once. How many batches moved something. */
static klm_rc one_pass(struct km_server *server, size_t *moved)
{
    char after[KR_TOKEN_LABEL_MAX + 1] = "";

    *moved = 0;
    do {
        klm_rc rc = run(server, KM_MASTER_REWRAP, after, moved);

        if (rc != KLM_OK && !pause_ms(&server->pass, AGAIN_MS)) {
            return KLM_E_CLOSED;
        }
        if (!pause_ms(&server->pass, 0)) {
            return KLM_E_CLOSED;
        }
        if (rc != KLM_OK) {
            *moved += 1; /* what was passed over is looked for again */
        }
    } while (after[0]);
    return KLM_OK;
}

static bool passing(struct km_server *server)
{
    struct km_change_record record = {0};
    struct st_view *view;
    bool yes;

    if (st_view_open(server->store, &view) != KLM_OK) {
        return false;
    }
    yes = km_change_get(view, &record) == KLM_OK && record.state == KM_CHANGE_PASSING;
    st_view_close(&view);
    return yes;
}

static void pass(struct km_server *server)
{
    char none[KR_TOKEN_LABEL_MAX + 1] = "", vp[KR_VP_MAX];
    size_t moved = 1;

    while (moved > 0) {
        if (!pause_ms(&server->pass, passing(server) ? SETTLE_MS : 0) ||
            one_pass(server, &moved) != KLM_OK) {
            return;
        }
    }
    while (passing(server)) {
        if (run(server, KM_MASTER_FINISH, none, &moved) == KLM_OK) {
            kr_master_vp(server->master, vp);
            klm_say(KLM_MSG_CHANGE_DONE, vp);
        } else if (!pause_ms(&server->pass, FINISH_MS)) {
            return;
        }
    }
}

static void *pass_main(void *arg)
{
    struct km_server *server = arg;

    klm_thread_background();
    pass(server);
    pthread_mutex_lock(&server->pass.lock);
    server->pass.ended = true;
    pthread_mutex_unlock(&server->pass.lock);
    return NULL;
}

void km_pass_init(struct km_pass *pass)
{
    pthread_mutex_init(&pass->lock, NULL);
    klm_cond_init(&pass->wake);
}

klm_rc km_pass_start(struct km_server *server)
{
    struct km_pass *pass = &server->pass;
    klm_rc rc = KLM_OK;

    pthread_mutex_lock(&pass->lock);
    if (pass->running && pass->ended) {
        pthread_join(pass->thread, NULL);
        pass->running = pass->ended = false;
    }
    if (pass->running || pass->stop || server->options.offline) {
        rc = KLM_E_STATE;
    } else {
        rc = klm_thread_start(&pass->thread, "rewrap", pass_main, server);
        pass->running = rc == KLM_OK;
    }
    pthread_mutex_unlock(&pass->lock);
    return rc;
}

void km_pass_resume(struct km_server *server)
{
    if ((passing(server) || kr_master_knows_others(server->master)) &&
        km_pass_start(server) != KLM_OK && !server->options.offline) {
        klm_say(KLM_MSG_CHANGE_LATER);
    }
}

void km_pass_end(struct km_server *server)
{
    struct km_pass *pass = &server->pass;
    bool running;

    pthread_mutex_lock(&pass->lock);
    pass->stop = true;
    running = pass->running;
    pthread_cond_broadcast(&pass->wake);
    pthread_mutex_unlock(&pass->lock);
    if (running) {
        pthread_join(pass->thread, NULL);
    }
    pthread_cond_destroy(&pass->wake);
    pthread_mutex_destroy(&pass->lock);
}
