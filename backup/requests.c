/* What the verbs of backups ask of the service. */
#include "backup/folder.h"
#include "backup/switchover.h"

#include "base/file.h"

#include <stdio.h>
#include <string.h>

/* ---- Making a job of a request */

/* Plain names lie in the folder of backups; a tool may name any file. */
static klm_rc place(struct bk_service *service, const struct parm_config *config, const char *file,
                    struct klm_diag *diag)
{
    struct bk_job *job = &service->job;
    char folder[4096], made[BK_FILE_NAME];
    const char *slash;
    int n;

    KLM_TRY(parm_backup_dir(config, folder, sizeof folder));
    if (!file || !*file) {
        bk_name_new(made);
        file = made;
    }
    if (bk_name_plain(file)) {
        KLM_TRY(klm_folder_make(folder, 0700, diag));
        n = snprintf(job->path, sizeof job->path, "%s/%s", folder, file);
    } else if (service->options.here && *file) {
        n = snprintf(job->path, sizeof job->path, "%s", file);
    } else {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_NAME, file, folder);
    }
    if (n < 0 || (size_t)n >= sizeof job->path - 16) {
        return klm_fail(diag, KLM_E_LIMIT, KLM_MSG_BK_NAME, file, folder);
    }
    slash = strrchr(job->path, '/');
    job->name = slash ? slash + 1 : job->path;
    return KLM_OK;
}

static klm_rc take_password(struct bk_service *service, const struct parm_config *config,
                            const struct bk_ask *ask, struct klm_diag *diag)
{
    const char *file = parm_str(config, PARM_tklm_backup_secret_file), *token, *object;
    struct bk_job *job = &service->job;
    const bool has_token = km_backup_key(service->server, &token, &object);

    klm_buf_init_wiping(&job->password, 2 * KR_PASSWORD_MOST + 16);
    job->token = ask->token || (has_token && !ask->check);
    if (ask->token && !has_token && !ask->check) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_BK_TOKEN_UNSET,
                        parm_row(PARM_tklm_backup_token)->name);
    }
    if (ask->password) {
        klm_buf_text(&job->password, ask->password);
        return klm_buf_rc(&job->password);
    }
    if (ask->token || (!file && has_token)) {
        job->token = true;
        return KLM_OK;
    }
    if (!file) {
        return klm_fail(diag, KLM_E_USAGE, KLM_MSG_BK_PASSWORD_ASK,
                        "tklm.backup.secret.file is not set");
    }
    return bk_password_file(file, &job->password, diag);
}

klm_rc bk_job_fill(struct bk_service *service, const struct parm_config *config,
                   const struct bk_ask *ask, struct klm_diag *diag)
{
    struct bk_job *job = &service->job;
    klm_rc rc;

    *job = (struct bk_job){.rc = job->rc};
    KLM_TRY(place(service, config, ask->file, diag));
    rc = take_password(service, config, ask, diag);
    if (rc == KLM_OK && (job->password.n || !job->token) &&
        (job->password.n < KR_PASSWORD_LEAST || job->password.n > KR_PASSWORD_MOST)) {
        rc = klm_fail(diag, KLM_E_LIMIT, KLM_MSG_BK_PASSWORD_LENGTH, KLM_NUM(KR_PASSWORD_LEAST),
                      KLM_NUM(KR_PASSWORD_MOST));
    }
    if (rc != KLM_OK) {
        klm_buf_done(&job->password);
        return rc;
    }
    job->limit_ms = (uint64_t)parm_num(config, PARM_tklm_backup_limit_minutes) * 60000;
    job->started_ms = job->began_ms = job->said_ms = klm_clock_mono_ms();
    job->busy = true;
    return KLM_OK;
}

/* ---- Starting */

static klm_rc fill(struct bk_service *service, struct km_call *call)
{
    const struct km_backup_req *req = call->req;
    struct bk_job *job = &service->job;
    unsigned consent = 0;

    if (req->accept && !bk_consent_of(req->accept, &consent)) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_BK_CONSENT, req->accept);
    }
    if (service->agreed) {
        return KM_REFUSE(call, KLM_E_BUSY, 0, KLM_MSG_BK_RESTORING);
    }
    if (job->busy) {
        return KM_REFUSE(call, KLM_E_BUSY, 0, KLM_MSG_BK_BUSY, job->name);
    }
    const struct bk_ask ask = {.file = req->file,
                               .password = req->password,
                               .token = req->token,
                               .check = call->id != KM_BACKUP_RUN};

    KLM_TRY(bk_job_fill(service, call->state->config, &ask, &call->diag));
    job->check = ask.check;
    job->restore = call->id == KM_RESTORE_REQUEST;
    job->consent = consent;
    if (job->restore) {
        (void)bk_switchover_drop(service); /* the newest request counts */
    }
    snprintf(job->who, sizeof job->who, "%s", call->actor.name);
    atomic_store(&service->cancel, false);
    return KLM_OK;
}

klm_rc bk_start(void *arg, struct km_call *call)
{
    struct bk_service *service = arg;
    struct bk_job *job = &service->job;
    const char *path = NULL;
    klm_rc rc;

    pthread_mutex_lock(&service->lock);
    rc = fill(service, call);
    if (rc == KLM_OK) {
        path = klm_pool_str(call->pool, job->path);
        pthread_cond_signal(&service->wake);
    }
    pthread_mutex_unlock(&service->lock);
    KLM_TRY(rc);
    call->event.field[SMF_F_OBJECT] = path;
    if (!service->options.here) {
        call->text =
            klm_pool_printf(call->pool, "%s %s started; backup -status shows how far it is",
                            call->id != KM_BACKUP_RUN ? "Check of" : "Backup to", path ? path : "");
        return KLM_OK;
    }
    KLM_TRY(bk_job_run(service, &call->diag));
    call->text = call->id == KM_BACKUP_CHECK
                     ? klm_pool_printf(call->pool, "Backup %s is good", path ? path : "")
                     : klm_pool_printf(call->pool, "Backup %s is complete: %s", path ? path : "",
                                       job->result);
    return KLM_OK;
}

klm_rc bk_cancel(void *arg, struct km_call *call)
{
    struct bk_service *service = arg;
    bool busy, dropped = false;

    pthread_mutex_lock(&service->lock);
    busy = service->job.busy;
    if (!busy && service->waiting.set && !service->agreed) {
        call->event.field[SMF_F_OBJECT] = klm_pool_str(call->pool, service->waiting.path);
        call->text = "The restore that waited for confirmation is dropped";
        dropped = bk_switchover_drop(service);
    }
    if (busy) {
        atomic_store(&service->cancel, true);
        call->event.field[SMF_F_OBJECT] = klm_pool_str(call->pool, service->job.path);
        call->text = klm_pool_printf(call->pool, "Backup %s will end", service->job.name);
    }
    pthread_mutex_unlock(&service->lock);
    return busy || dropped ? KLM_OK : KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_BK_IDLE);
}

/* ---- Telling */

void bk_progress_line(const struct bk_job *job, char *out, size_t cap)
{
    struct bk_speed speed;

    if (!job->busy) {
        snprintf(out, cap, "%s", !job->path[0] ? "idle" : job->rc == KLM_OK ? "done" : "failed");
        return;
    }
    if (!job->progress.done) { /* no rate yet, so nobody knows how long it takes */
        snprintf(out, cap, "%s the key of the backup", job->check ? "opening" : "making");
        return;
    }
    bk_speed(job, &speed);
    snprintf(out, cap, "%s %u %% %llu.%llu MB/s %llu s left",
             job->check                ? "checking"
             : job->progress.verifying ? "verifying"
                                       : "writing",
             speed.percent, (unsigned long long)(speed.rate / 1000000),
             (unsigned long long)(speed.rate / 100000 % 10), (unsigned long long)speed.left);
}

static klm_rc add_progress(struct km_call *call, const struct bk_job *job)
{
    struct bk_speed speed;

    bk_speed(job, &speed);
    KLM_TRY(km_rows_add(call, (const char *[]){job->check ? "Check of" : "Backup to", job->path}));
    KLM_TRY(km_rows_add(call, (const char *[]){"Step", job->check                ? "checking"
                                                       : job->progress.verifying ? "reading back"
                                                                                 : "writing"}));
    KLM_TRY(km_rows_add(call, (const char *[]){"Percent", KLM_NUM(speed.percent)}));
    KLM_TRY(km_rows_add(call, (const char *[]){"Bytes a second", KLM_NUM(speed.rate)}));
    return km_rows_add(
        call, (const char *[]){"Seconds left", speed.rate ? KLM_NUM(speed.left) : "not known yet"});
}

static klm_rc tell_rows(struct bk_service *service, struct km_call *call)
{
    static const char *const pairs[] = {"Item", "Value", NULL};
    struct km_backup_info info;
    char date[KLM_JAVA_DATE_MAX] = "none";
    klm_rc rc = KLM_OK;

    KLM_TRY(km_rows_begin(call, NULL, pairs));
    pthread_mutex_lock(&service->lock);
    if (service->job.busy) {
        rc = add_progress(call, &service->job);
    }
    if (rc == KLM_OK) {
        rc = bk_switchover_rows(service, call);
    }
    pthread_mutex_unlock(&service->lock);
    KLM_TRY(rc);
    km_backup_info(service->server, &info);
    if (info.time) {
        klm_java_date(info.time, date);
    }
    KLM_TRY(km_rows_add(call, (const char *[]){"Backup needed", info.needed ? "YES" : "no"}));
    KLM_TRY(km_rows_add(call, (const char *[]){"Last good backup", date}));
    KLM_TRY(km_rows_add(call, (const char *[]){"File", info.file}));
    return km_rows_add(call, (const char *[]){"Last result", info.result});
}

klm_rc bk_tell(void *arg, struct km_call *call)
{
    const struct km_backup_req *req = call->req;
    struct bk_service *service = arg;
    char line[256];

    if (!req->line) {
        return tell_rows(service, call);
    }
    pthread_mutex_lock(&service->lock);
    bk_progress_line(&service->job, line, sizeof line);
    pthread_mutex_unlock(&service->lock);
    call->text = klm_pool_str(call->pool, line);
    return call->text ? KLM_OK : KLM_E_NOMEM;
}

klm_rc bk_list(void *arg, struct km_call *call)
{
    char folder[4096];

    (void)arg;
    KLM_TRY(parm_backup_dir(call->state->config, folder, sizeof folder));
    return bk_folder_list(call, folder);
}
