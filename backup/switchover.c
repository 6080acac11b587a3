/* Restores that the running task is asked for: nothing of the state is touched before two operators have agreed and the task has stopped serving. The file is
 * checked once more then, since it is not ours alone; that it is still the one that was agreed on its header says. */
#include "backup/switchover.h"

#include "backup/restore.h"
#include "base/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTES 15 /* a confirmation may take so long; the password is in memory meanwhile */

/* ---- What would change */

static klm_rc count_one(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    ++*(uint64_t *)arg;
    return KLM_OK;
}

/* Tables that people know by name, in the backup and here. */
static klm_rc compare_tables(struct bk_restoring *r, struct bk_waiting *waiting)
{
    static const enum st_table tables[] = {ST_TOKEN, ST_CERT,   ST_RING,  ST_DRIVE,
                                           ST_USAGE, ST_OBJECT, ST_CLIENT};
    const struct st_range all = {.limit = 0};
    struct st_view *view;
    klm_rc rc = KLM_OK;

    KLM_TRY(st_view_open(r->store, &view));
    for (size_t i = 0; i < KLM_COUNT(tables) && rc == KLM_OK; i++) {
        struct bk_difference *row = &waiting->table[i];

        snprintf(row->name, sizeof row->name, "%s", st_table_name(tables[i]));
        rc = st_scan(view, tables[i], &all, count_one, &row->here);
        for (size_t k = 0; k < r->found->manifest.n; k++) {
            const struct bk_section *section = &r->found->manifest.section[k];

            if (section->type == BK_TABLE && strcmp(section->name, row->name) == 0) {
                row->there = section->items;
            }
        }
    }
    st_view_close(&view);
    return rc;
}

/* ---- Checking */

static klm_rc keep(struct bk_service *service, struct bk_restoring *r)
{
    struct bk_job *job = &service->job;
    struct bk_waiting waiting = {.token = job->token,
                                 .consent = job->consent,
                                 .made = r->file.header.created,
                                 .number = r->found->manifest.number,
                                 .here = r->present.number};

    KLM_TRY(klm_sha256(&r->file.header.whole, 1, waiting.header));
    KLM_TRY(compare_tables(r, &waiting));
    snprintf(waiting.path, sizeof waiting.path, "%s", job->path);
    snprintf(waiting.who, sizeof waiting.who, "%s", job->who);
    klm_buf_init_wiping(&waiting.password, 2 * KR_PASSWORD_MOST + 16);
    klm_buf_slice(&waiting.password, klm_buf_as_slice(&job->password));
    if (klm_buf_rc(&waiting.password) != KLM_OK) {
        klm_buf_done(&waiting.password);
        return KLM_E_NOMEM;
    }
    waiting.until_ms = klm_clock_mono_ms() + MINUTES * 60000;
    pthread_mutex_lock(&service->lock);
    waiting.set = true;
    service->waiting = waiting;
    pthread_mutex_unlock(&service->lock);
    klm_say(KLM_MSG_RESTORE_WAITS, job->path, job->who, KLM_NUM(MINUTES));
    return KLM_OK;
}

static klm_rc check(struct bk_service *service, struct bk_restoring *r,
                    const struct bk_pulse *pulse)
{
    KLM_TRY(bk_present_served(r, service->server));
    KLM_TRY(bk_restore_walk(r, pulse));
    return keep(service, r);
}

klm_rc bk_switchover_check(struct bk_service *service, struct bk_file *file,
                           const struct bk_pulse *pulse, struct klm_diag *diag)
{
    const struct bk_restore order = {.file = file->path, .consent = service->job.consent};
    struct bk_restoring r = {.order = &order,
                             .diag = diag,
                             .file = *file, /* closed by who opened it */
                             .store = km_store(service->server),
                             .found = calloc(1, sizeof *r.found)};
    klm_rc rc = r.found ? check(service, &r, pulse) : KLM_E_NOMEM;

    free(r.found);
    return rc;
}

/* ---- Waiting */

bool bk_switchover_drop(struct bk_service *service)
{
    const bool was = service->waiting.set;

    klm_buf_done(&service->waiting.password);
    service->waiting = (struct bk_waiting){.set = false};
    return was;
}

void bk_switchover_expire(struct bk_service *service)
{
    if (service->waiting.set && !service->agreed &&
        klm_clock_mono_ms() > service->waiting.until_ms) {
        klm_say(KLM_MSG_RESTORE_EXPIRED, service->waiting.path, KLM_NUM(MINUTES));
        (void)bk_switchover_drop(service);
    }
}

klm_rc bk_switchover_rows(struct bk_service *service, struct km_call *call)
{
    const struct bk_waiting *waiting = &service->waiting;
    char date[KLM_JAVA_DATE_MAX];

    if (!waiting->set) {
        return KLM_OK;
    }
    klm_java_date(waiting->made, date);
    KLM_TRY(km_rows_add(call, (const char *[]){"Restore waits for confirmation", waiting->path}));
    KLM_TRY(km_rows_add(call, (const char *[]){"Asked for by", waiting->who}));
    KLM_TRY(km_rows_add(call, (const char *[]){"The backup was made", date}));
    KLM_TRY(km_rows_add(
        call, (const char *[]){"Changes", klm_pool_printf(call->pool, "%llu in it, %llu here",
                                                          (unsigned long long)waiting->number,
                                                          (unsigned long long)waiting->here)}));
    for (size_t i = 0; i < KLM_COUNT(waiting->table); i++) {
        const struct bk_difference *row = &waiting->table[i];

        KLM_TRY(km_rows_add(
            call, (const char *[]){klm_pool_printf(call->pool, "Records of %s", row->name),
                                   klm_pool_printf(call->pool, "%llu in it, %llu here",
                                                   (unsigned long long)row->there,
                                                   (unsigned long long)row->here)}));
    }
    return KLM_OK;
}

/* ---- Confirming */

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static klm_rc agree(struct bk_service *service, struct km_call *call)
{
    const struct km_backup_req *req = call->req;
    struct bk_waiting *waiting = &service->waiting;

    bk_switchover_expire(service);
    if (!waiting->set || strcmp(name_of(waiting->path), req->file) != 0) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_RESTORE_NONE, req->file);
    }
    if (strncmp(waiting->who, call->actor.name, sizeof waiting->who - 1) == 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_RESTORE_SELF, waiting->who, req->file);
    }
    if (service->job.busy &&
        !service->job.restore) { /* the check that it waited for is only telling its end */
        return KM_REFUSE(call, KLM_E_BUSY, 0, KLM_MSG_BK_BUSY, service->job.name);
    }
    if (!service->options.stop) {
        return KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_BK_HERE);
    }
    service->agreed = true;
    snprintf(waiting->confirmed, sizeof waiting->confirmed, "%s", call->actor.name);
    call->event.field[SMF_F_OBJECT] = klm_pool_str(call->pool, waiting->path);
    call->event.field[SMF_F_NEW] = klm_pool_printf(call->pool, "asked for by %s, confirmed by %s",
                                                   waiting->who, waiting->confirmed);
    return KLM_OK;
}

klm_rc bk_switchover_confirm(void *arg, struct km_call *call)
{
    struct bk_service *service = arg;
    klm_rc rc;

    pthread_mutex_lock(&service->lock);
    rc = service->agreed ? KM_REFUSE(call, KLM_E_BUSY, 0, KLM_MSG_BK_RESTORING)
                         : agree(service, call);
    pthread_mutex_unlock(&service->lock);
    KLM_TRY(rc);
    call->text = "Agreed: the task stops serving, restores and starts again";
    service->options.stop(service->options.arg);
    return KLM_OK;
}

/* ---- Handing over */

struct bk_agreed *bk_agreed_take(struct bk_service *service)
{
    struct bk_agreed *agreed = NULL;

    pthread_mutex_lock(&service->lock);
    if (service->agreed && (agreed = calloc(1, sizeof *agreed)) != NULL) {
        agreed->waiting = service->waiting; /* with its password */
        service->waiting = (struct bk_waiting){.set = false};
    }
    pthread_mutex_unlock(&service->lock);
    return agreed;
}

void bk_agreed_free(struct bk_agreed **agreed)
{
    if (*agreed) {
        klm_buf_done(&(*agreed)->waiting.password);
        free(*agreed);
        *agreed = NULL;
    }
}

const char *bk_agreed_file(const struct bk_agreed *agreed)
{
    return agreed->waiting.path;
}

klm_rc bk_agreed_restore(const struct bk_agreed *agreed, const char *config_path,
                         klm_rc (*progress)(void *arg, const char *line), void *arg,
                         struct klm_diag *diag, struct bk_restored *out)
{
    const struct bk_waiting *waiting = &agreed->waiting;
    char who[sizeof waiting->who + sizeof waiting->confirmed + 32];
    const struct bk_restore order = {.config_path = config_path,
                                     .file = waiting->path,
                                     .password = klm_buf_as_slice(&waiting->password),
                                     .token = waiting->token,
                                     .consent = waiting->consent,
                                     .header = waiting->header,
                                     .who = who,
                                     .roles = KM_ROLE_BACKUP, /* they had it when they agreed */
                                     .progress = progress,
                                     .arg = arg};

    snprintf(who, sizeof who, "%s, confirmed by %s", waiting->who, waiting->confirmed);
    return bk_restore(&order, diag, out);
}
