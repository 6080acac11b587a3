/* km_run: the one way from a request to its answer. Rights, the thread each step runs on, audit and delivery are the same for all verbs. */
#include "keymgr/internal.h"

#include <string.h>

/* An answer that could not be audited does not leave (Audit.failure.action=refuse). */
static void take_back(struct km_call *call, klm_rc rc)
{
    klm_wipe(&call->keyed, sizeof call->keyed);
    klm_wipe(&call->stored, sizeof call->stored);
    memset(&call->rows, 0, sizeof call->rows);
    call->bytes = (struct klm_slice){0};
    call->text = NULL;
    call->rc = KM_REFUSE(call, rc, 0xEE0F, KLM_MSG_AUDIT_REFUSED, klm_rc_text(rc));
}

void km_deliver(struct km_call *call)
{
    km_secondary_note(call);
    if (call->loop && !klm_loop_here(call->loop)) {
        klm_loop_post(call->loop, &call->task);
    } else {
        call->done(call);
    }
}

static void deliver_task(struct klm_task *task)
{
    struct km_call *call =
        (struct km_call *)(void *)((char *)task - offsetof(struct km_call, task));

    call->done(call);
}

/* A failure always says why. */
static void explain(struct km_call *call)
{
    if (call->rc != KLM_OK && call->diag.msg == KLM_MSG_NONE) {
        (void)KM_REFUSE(call, call->rc, call->device_code, KLM_MSG_VERB_FAILED,
                        km_verb(call->id)->name, klm_rc_text(call->rc));
    }
}

/* The event cannot be written. What has not happened yet does not; of what has, the truth is told. What an answer gives out has not
 * left yet. */
static void not_audited(struct km_call *call, klm_rc rc)
{
    unsigned flags = km_verb(call->id)->flags;

    if ((flags & KM_ACTS) && call->bytes.n == 0) {
        call->rc =
            KM_REFUSE(call, rc, 0, KLM_MSG_AUDIT_LATE, km_verb(call->id)->name, klm_rc_text(rc));
    } else if (!(flags & KM_ANYWAY)) {
        take_back(call, rc);
    }
}

void km_settle(struct km_call *call, klm_rc rc)
{
    const struct km_verb *verb = km_verb(call->id);

    if (rc != KLM_OK) {
        km_audit_trouble(call->server, call->recorded ? 0 : 1, rc);
        if (call->rc == KLM_OK && call->server->audit_refuse) {
            not_audited(call, rc);
        }
    }
    if (call->rc == KLM_OK && verb->publish && (!verb->apply || call->no_apply)) {
        verb->publish(call);
    }
    km_deliver(call);
}

/* A write may stall behind a sync of the same file, so a loop leaves it to the audit thread. */
/* A drive or a partner that is admitted is no stranger any more; a client stays one, whatever it may ask. */
static bool is_of_stranger(const struct km_call *call)
{
    return call->actor.stranger &&
           (call->rc != KLM_OK || call->device_code != 0 || call->actor.kind == KM_ACTOR_CLIENT);
}

void km_finish(struct km_call *call)
{
    klm_rc rc = KLM_E_STATE;

    explain(call);
    if ((call->quiet && call->rc == KLM_OK) || (is_of_stranger(call) && !km_stranger_call(call))) {
        km_deliver(call);
        return;
    }
    if (km_audit_hold(call)) {
        km_settle(call, KLM_OK);
        return;
    }
    if (call->loop && klm_loop_here(call->loop)) {
        call->queued.call = call;
        rc = km_auditor_put(call->server, &call->queued);
    }
    if (rc != KLM_OK) {
        km_settle(call, rc == KLM_E_STATE ? km_audit_call(call) : rc);
    }
}

/* Changes of the configuration come one after the other, each on what the one before left. */
static klm_rc prepare_config(struct km_call *call)
{
    klm_rc rc;

    pthread_mutex_lock(&call->server->config_lock);
    km_state_put(&call->state);
    call->state = km_state_get(call->server);
    rc = km_verb(call->id)->prepare(call);
    pthread_mutex_unlock(&call->server->config_lock);
    return rc;
}

static void prepare(struct km_call *call)
{
    const struct km_verb *verb = km_verb(call->id);

    call->rc = verb->flags & KM_CONFIG ? prepare_config(call) : verb->prepare(call);
    if (call->rc == KLM_OK && verb->apply && !call->no_apply) {
        klm_rc rc = km_writer_submit(call->server, call); /* from here on it is the writer's */

        if (rc == KLM_OK) {
            return;
        }
        call->rc = KM_REFUSE(call, rc, 0xEE0F, KLM_MSG_BUSY);
    }
    km_finish(call);
}

static void prepare_job(struct klm_job *job)
{
    prepare((struct km_call *)(void *)((char *)job - offsetof(struct km_call, job)));
}

static klm_rc to_worker(struct km_call *call)
{
    return klm_workers_submit(call->actor.kind == KM_ACTOR_CLIENT ? call->server->client_workers
                                                                  : call->server->workers,
                              &call->job);
}

/* What an answer still needs of keys. Its failure is an event of its own: the change stands. */
static void answer_job(struct klm_job *job)
{
    struct km_call *call = (struct km_call *)(void *)((char *)job - offsetof(struct km_call, job));

    call->rc = call->answer(call);
    if (call->rc == KLM_OK) {
        km_deliver(call);
    } else {
        km_finish(call);
    }
}

void km_answer(struct km_call *call)
{
    call->job = (struct klm_job){.run = answer_job};
    if (call->server->options.offline || to_worker(call) != KLM_OK) {
        answer_job(&call->job);
    }
}

bool km_call_may(const struct km_call *call)
{
    return km_may(call->actor.roles, km_verb(call->id)->right);
}

klm_rc km_call_right(struct km_call *call)
{
    return km_call_may(call) ? KLM_OK
                             : KM_REFUSE(call, KLM_E_DENIED, 0xEE30, KLM_MSG_NOT_AUTHORISED,
                                         call->actor.name, km_verb(call->id)->name);
}

klm_rc km_admit(struct km_call *call)
{
    const struct km_verb *verb = km_verb(call->id);

    if ((verb->flags & KM_WAITS) && call->loop) {
        return KLM_E_UNSUPPORTED; /* it would hold that loop up */
    }
    KLM_TRY(km_call_right(call));
    if ((verb->flags & KM_ACTS) && smf_journal_refusing(call->server->journal)) {
        return KM_REFUSE(call, KLM_E_IO, 0xEE0F, KLM_MSG_AUDIT_REFUSED, klm_rc_text(KLM_E_IO));
    }
    KLM_TRY(km_call_check(call, &call->diag));
    return km_access_check(call);
}

/* What a loop leaves to a worker. */
static bool takes_long(const struct km_call *call)
{
    unsigned flags = km_verb(call->id)->flags;

    return call->slow || (flags & KM_WORKER) ||
           ((flags & KM_TOKENS) && kr_master_is_strict(call->server->master));
}

void km_run(struct km_call *call)
{
    call->task.run = deliver_task;
    call->rc = km_admit(call);
    if (call->rc != KLM_OK) {
        km_finish(call);
        return;
    }
    if (takes_long(call) && !call->server->options.offline) {
        call->job = (struct klm_job){.run = prepare_job};
        if (to_worker(call) != KLM_OK) {
            call->rc = KM_REFUSE(call, KLM_E_LIMIT, 0xEE0F, KLM_MSG_BUSY);
            km_finish(call);
        }
        return;
    }
    prepare(call);
}

void km_refused(struct km_call *call)
{
    call->task.run = deliver_task;
    km_finish(call);
}

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void wake_waiter(struct km_call *call)
{
    struct waiter *waiter = call->arg;

    pthread_mutex_lock(&waiter->lock);
    waiter->done = true;
    pthread_cond_signal(&waiter->wake);
    pthread_mutex_unlock(&waiter->lock);
}

klm_rc km_run_wait(struct km_call *call)
{
    struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    call->loop = NULL;
    call->done = wake_waiter;
    call->arg = &waiter;
    km_run(call);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.done) {
        pthread_cond_wait(&waiter.wake, &waiter.lock);
    }
    pthread_mutex_unlock(&waiter.lock);
    return call->rc;
}
