/* The thread that makes backups, one at a time: those that are asked for, and those of the schedule. */
#include "backup/service.h"

#include "backup/folder.h"
#include "backup/switchover.h"

#include "base/file.h"
#include "base/loop.h"
#include "base/secret.h"
#include "base/thread.h"
#include "smf/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 5000    /* between two looks at the schedule */
#define SAY_MS 30000    /* between two messages of progress */
#define PROGRESS_MS 200 /* between two lines for a tool */

static uint64_t now_ms(void)
{
    return klm_clock_mono_ms();
}

/* ---- Progress */

void bk_speed(const struct bk_job *job, struct bk_speed *out)
{
    const struct bk_progress *p = &job->progress;
    uint64_t ms = now_ms() - job->began_ms;

    *out = (struct bk_speed){0};
    if (p->total) {
        out->percent = (unsigned)(p->done >= p->total ? 99 : p->done * 100 / p->total);
    }
    if (ms > 0) {
        out->rate = p->done * 1000 / ms;
    }
    if (out->rate && p->total > p->done) {
        out->left = (p->total - p->done) / out->rate;
    }
}

static void say_progress(struct bk_service *service)
{
    struct bk_job *job = &service->job;
    struct bk_speed speed;

    if (now_ms() - job->said_ms < SAY_MS || job->progress.verifying || !job->progress.done) {
        return; /* while its key is made nobody knows how long it takes */
    }
    job->said_ms = now_ms();
    bk_speed(job, &speed);
    klm_say(KLM_MSG_BK_PROGRESS, job->name, KLM_NUM(speed.percent), KLM_NUM(speed.rate),
            KLM_NUM(speed.left));
}

static klm_rc tell_tool(struct bk_service *service)
{
    char line[256];

    if (!service->options.progress || now_ms() - service->job.said_ms < PROGRESS_MS) {
        return KLM_OK;
    }
    service->job.said_ms = now_ms();
    bk_progress_line(&service->job, line, sizeof line);
    return service->options.progress(service->options.arg, line) == KLM_OK ? KLM_OK
                                                                           : KLM_E_CANCELLED;
}

static klm_rc go_on(void *arg, const struct bk_progress *progress)
{
    struct bk_service *service = arg;
    struct bk_job *job = &service->job;

    pthread_mutex_lock(&service->lock);
    if (progress->verifying != job->progress.verifying) {
        job->began_ms = now_ms();
    }
    job->progress = *progress;
    pthread_mutex_unlock(&service->lock);
    if (atomic_load(&service->cancel) || atomic_load(&service->stop)) {
        return KLM_E_CANCELLED;
    }
    if (job->limit_ms && now_ms() - job->started_ms > job->limit_ms) {
        return KLM_E_TIMEOUT;
    }
    if (service->options.here) {
        return tell_tool(service);
    }
    say_progress(service);
    return KLM_OK;
}

/* ---- One job, in the thread that does the work */

static const struct km_actor system_actor = {
    .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "backup"};

/* Noted in the store, with its audit event. */
static klm_rc note_done(struct bk_service *service, const struct bk_made *made)
{
    struct km_call *call;
    struct km_backup_done *req;
    klm_rc rc;

    KLM_TRY(km_call_new(service->server, KM_BACKUP_DONE, &system_actor, &call));
    req = call->req;
    req->file = service->job.path;
    req->number = (int64_t)made->number;
    req->bytes = (int64_t)made->bytes;
    rc = km_run_wait(call);
    if (rc != KLM_OK && !service->options.here) {
        klm_say_diag(&call->diag);
    }
    km_call_free(&call);
    return rc;
}

static void note_event(struct bk_service *service, enum km_happening what,
                       const struct klm_diag *why)
{
    const struct km_actor actor = {.kind = KM_ACTOR_OPERATOR, .name = service->job.who};
    const struct km_news news = {.what = what,
                                 .failed = why != NULL,
                                 .actor = service->job.scheduled ? &system_actor : &actor,
                                 .object = service->job.path,
                                 .why = why};

    KLM_IGNORE(km_happened_now(service->server, &news)); /* the journal says its own failures */
}

/* The reason, in the words of one message; what the diag held before becomes its insert. */
static void explain(struct bk_service *service, klm_rc rc, struct klm_diag *diag)
{
    struct bk_job *job = &service->job;
    char why[KLM_MSG_TEXT_MAX];

    if (rc == KLM_E_CANCELLED) {
        (void)klm_fail(diag, rc, KLM_MSG_BK_CANCELLED, job->path);
    } else if (rc == KLM_E_TIMEOUT) {
        (void)klm_fail(diag, rc, KLM_MSG_BK_TIMEOUT, job->path, KLM_NUM(job->limit_ms / 60000));
    } else if (diag->msg == KLM_MSG_NONE) {
        snprintf(why, sizeof why, "%s", klm_rc_text(rc));
        (void)klm_fail(diag, rc, KLM_MSG_BK_FAILED, job->path, why);
    }
}

static klm_rc run_backup(struct bk_service *service, struct klm_diag *diag)
{
    struct bk_job *job = &service->job;
    const struct bk_order order = {.server = service->server,
                                   .path = job->path,
                                   .token = job->token,
                                   .password = klm_buf_as_slice(&job->password),
                                   .cost = service->options.cost ? *service->options.cost
                                                                 : KR_SCRYPT_DEFAULT,
                                   .watch = {go_on, service}};
    struct bk_made made;

    KLM_TRY(bk_make(&order, diag, &made));
    KLM_TRY(note_done(service, &made));
    snprintf(job->result, sizeof job->result, "%llu records, %llu bytes",
             (unsigned long long)made.records, (unsigned long long)made.bytes);
    if (!service->options.here) {
        klm_say(KLM_MSG_BK_DONE, job->path, KLM_NUM(made.records), KLM_NUM(made.bytes),
                KLM_NUM((now_ms() - job->started_ms + 500) / 1000));
    }
    return KLM_OK;
}

static klm_rc check_pulse(void *arg, uint64_t bytes)
{
    const struct bk_progress progress = {.done = bytes};

    return go_on(arg, &progress);
}

static klm_rc walk_file(struct bk_service *service, struct bk_file *file, struct klm_diag *diag)
{
    static const struct bk_visitor nobody;
    const struct bk_pulse pulse = {check_pulse, service};
    struct bk_found *found = calloc(1, sizeof *found);
    char made[KLM_ISO_DATE_MAX];
    uint64_t records = 0;
    klm_rc rc = found ? bk_file_walk(file, &nobody, &pulse, diag, found) : KLM_E_NOMEM;

    for (size_t i = 0; rc == KLM_OK && i < found->manifest.n; i++) {
        const struct bk_section *section = &found->manifest.section[i];

        records += section->type == BK_TABLE ? section->items : 0;
    }
    if (rc == KLM_OK && !service->options.here) {
        klm_iso_date(file->header.created, made);
        klm_say(KLM_MSG_BK_CHECKED, file->path, made, file->header.server_id, KLM_NUM(records));
    }
    free(found);
    return rc;
}

static klm_rc run_check(struct bk_service *service, struct klm_diag *diag)
{
    struct bk_file file;
    klm_rc rc = bk_file_open(service->job.path, diag, &file);

    if (rc == KLM_OK) {
        rc = service->job.token
                 ? bk_file_unlock_token(&file, service->server,
                                        service->job.consent & BK_ACCEPT_TOKEN, diag)
                 : bk_file_unlock(&file, klm_buf_as_slice(&service->job.password), diag);
    }
    if (rc == KLM_OK && service->job.restore) {
        rc = bk_switchover_check(service, &file, &(const struct bk_pulse){check_pulse, service},
                                 diag);
    } else if (rc == KLM_OK) {
        rc = walk_file(service, &file, diag);
    }
    bk_file_close(&file);
    if (rc == KLM_OK) {
        note_event(service, KM_HAP_BACKUP_CHECKED, NULL);
    }
    return rc;
}

static void tell_end(struct bk_service *service, klm_rc rc, struct klm_diag *diag)
{
    struct bk_job *job = &service->job;
    char text[KLM_MSG_TEXT_MAX];

    if (rc != KLM_OK) {
        explain(service, rc, diag);
        note_event(service, KM_HAP_BACKUP_FAILED, diag);
        if (!service->options.here) {
            klm_say_diag(diag);
        }
        snprintf(text, sizeof text, "%s", diag->text);
    } else {
        snprintf(text, sizeof text, "%s %s", job->name,
                 job->restore ? "is good, and waits for another operator: restore -confirm"
                 : job->check ? "is good"
                              : "is complete");
    }
    km_backup_result(service->server, text);
}

static void prune(struct bk_service *service)
{
    struct km_state *state = km_state_get(service->server);
    char folder[4096];

    if (parm_backup_dir(state->config, folder, sizeof folder) == KLM_OK) {
        bk_folder_prune(folder, smf_journal_server_id(km_journal(service->server)),
                        (size_t)parm_num(state->config, PARM_tklm_backup_keep));
    }
    km_state_put(&state);
}

klm_rc bk_job_run(struct bk_service *service, struct klm_diag *diag)
{
    struct bk_job *job = &service->job;
    klm_rc rc;

    if (!job->check && !service->options.here) {
        klm_say(KLM_MSG_BK_STARTED, job->path);
    }
    rc = job->check ? run_check(service, diag) : run_backup(service, diag);
    tell_end(service, rc, diag);
    if (rc == KLM_OK && job->scheduled) {
        prune(service);
    }
    pthread_mutex_lock(&service->lock);
    klm_buf_done(&job->password);
    job->busy = false;
    job->rc = rc;
    atomic_store(&service->cancel, false);
    pthread_mutex_unlock(&service->lock);
    return rc;
}

/* ---- The thread */

static void say_schedule(struct bk_service *service, const char *why)
{
    struct klm_diag diag = {0};

    (void)klm_fail(&diag, KLM_E_STATE, KLM_MSG_BK_SCHEDULE, why);
    klm_say_diag(&diag);
    km_backup_result(service->server, diag.text);
}

/* Under the lock: is a backup of the schedule due? Then it becomes the job. */
static bool take_scheduled(struct bk_service *service)
{
    struct km_state *state = km_state_get(service->server);
    const struct parm_config *config = state->config;
    struct km_backup_info info;
    struct klm_diag diag = {0};
    klm_rc rc = KLM_E_STATE;

    km_backup_info(service->server, &info);
    if (bk_due(parm_num(config, PARM_tklm_backup_interval_hours),
               parm_str(config, PARM_tklm_backup_time), info.needed, info.time, service->tried,
               klm_clock())) {
        service->tried = klm_clock();
        rc = bk_job_fill(service, config, &(struct bk_ask){.file = NULL}, &diag);
        service->job.scheduled = true;
        snprintf(service->job.who, sizeof service->job.who, "schedule");
        if (rc != KLM_OK) {
            say_schedule(service, diag.text[0] ? diag.text : klm_rc_text(rc));
        }
    }
    km_state_put(&state);
    return rc == KLM_OK;
}

/* What was accepted is begun even at the end of the task, where it ends as cancelled: so it is told and recorded. */
static void *service_main(void *arg)
{
    struct bk_service *service = arg;

    klm_thread_background();
    pthread_mutex_lock(&service->lock);
    for (;;) {
        const bool stop = atomic_load(&service->stop);

        if (service->job.busy || (!stop && !service->agreed && take_scheduled(service))) {
            struct klm_diag diag = {0};

            pthread_mutex_unlock(&service->lock);
            KLM_IGNORE(bk_job_run(service, &diag)); /* it was told */
            pthread_mutex_lock(&service->lock);
        } else if (stop) {
            break;
        } else {
            bk_switchover_expire(service);
            klm_cond_wait_ms(&service->wake, &service->lock, LOOK_MS);
        }
    }
    pthread_mutex_unlock(&service->lock);
    return NULL;
}

/* ---- Opening and closing */

static const struct km_backup_ops ops = {bk_start, bk_cancel, bk_tell, bk_list,
                                         bk_switchover_confirm};

static klm_rc start_thread(struct bk_service *service)
{
    struct km_state *state = km_state_get(service->server);
    char folder[4096];

    if (parm_backup_dir(state->config, folder, sizeof folder) == KLM_OK) {
        bk_folder_sweep(folder);
    }
    km_state_put(&state);
    KLM_TRY(klm_thread_start(&service->thread, "backup", service_main, service));
    service->running = true;
    return KLM_OK;
}

klm_rc bk_open(struct km_server *server, const struct bk_options *options, struct klm_diag *diag,
               struct bk_service **out)
{
    struct bk_service *service = calloc(1, sizeof *service);
    klm_rc rc = KLM_OK;

    if (!service) {
        return KLM_E_NOMEM;
    }
    service->server = server;
    service->options = *options;
    pthread_mutex_init(&service->lock, NULL);
    klm_cond_init(&service->wake);
    if (!options->here) {
        rc = start_thread(service);
    }
    if (rc != KLM_OK) {
        bk_close(&service);
        return klm_fail(diag, rc, KLM_MSG_NO_MEMORY, "the thread of backups");
    }
    km_on_backup(server, &ops, service);
    *out = service;
    return KLM_OK;
}

void bk_close(struct bk_service **service)
{
    struct bk_service *s = *service;

    if (!s) {
        return;
    }
    *service = NULL;
    km_on_backup(s->server, NULL, NULL);
    if (s->running) {
        pthread_mutex_lock(&s->lock);
        atomic_store(&s->stop, true);
        pthread_cond_signal(&s->wake);
        pthread_mutex_unlock(&s->lock);
        pthread_join(s->thread, NULL);
    }
    klm_buf_done(&s->job.password);
    (void)bk_switchover_drop(s);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
