/* Verbs of backups, and what the server knows of them: whether one is needed, and the last good one. The work is done elsewhere
 * (km_on_backup). */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

#define FACT_CHANGED                                                                               \
    "backup.changed" /* number of the last change of keys, objects, rings, drives, clients, groups, profiles */
#define FACT_LAST "backup.last" /* the last good backup */
#define LAST_VERSION 1

/* Tables whose loss no cartridge forgives, or that people filled by hand; the others follow from use, or can be made again. Of key
 * groups it is what they hold: whose turn it is changes with each cartridge. */
static const enum st_table needing[] = {ST_TOKEN,  ST_CERT,      ST_RING,
                                        ST_DRIVE,  ST_GROUP_RUN, ST_PROFILE,
                                        ST_OBJECT, ST_CLIENT,    ST_DEVICE_GROUP};

void km_backup_init(struct km_backup *backup)
{
    pthread_rwlock_init(&backup->users, NULL);
    pthread_mutex_init(&backup->lock, NULL);
}

void km_backup_end(struct km_backup *backup)
{
    pthread_rwlock_destroy(&backup->users);
    pthread_mutex_destroy(&backup->lock);
}

void km_on_backup(struct km_server *server, const struct km_backup_ops *ops, void *arg)
{
    pthread_rwlock_wrlock(&server->backup.users);
    server->backup.ops = ops;
    server->backup.arg = arg;
    pthread_rwlock_unlock(&server->backup.users);
}

/* ---- Facts */

static void set_last(struct km_backup *backup, uint64_t number, klm_time time, uint64_t bytes,
                     const char *file)
{
    size_t n = strlen(file), most = sizeof backup->info.file - 1;

    pthread_mutex_lock(&backup->lock);
    backup->last = number;
    backup->info.time = time;
    backup->info.bytes = bytes;
    snprintf(backup->info.file, sizeof backup->info.file, "%s", n > most ? file + n - most : file);
    pthread_mutex_unlock(&backup->lock);
}

static void encode_last(const struct km_backup_done *done, klm_time time, struct klm_buf *out)
{
    klm_buf_u8(out, LAST_VERSION);
    klm_buf_u64(out, (uint64_t)done->number);
    klm_buf_u64(out, (uint64_t)time);
    klm_buf_u64(out, (uint64_t)done->bytes);
    klm_buf_str16(out, done->file);
}

/* A fact of another version, or a damaged one, counts as none: a backup is needed then. */
static void take_last(struct km_backup *backup, struct klm_slice record, struct klm_pool *pool)
{
    struct klm_cur cur;
    uint8_t version;
    uint64_t number, time, bytes;
    const char *file;

    klm_cur_init(&cur, record);
    klm_cur_u8(&cur, &version);
    klm_cur_u64(&cur, &number);
    klm_cur_u64(&cur, &time);
    klm_cur_u64(&cur, &bytes);
    klm_cur_str16(&cur, pool, 4096, &file);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) == KLM_OK && version == LAST_VERSION && time <= INT64_MAX) {
        set_last(backup, number, (klm_time)time, bytes, file);
    }
}

static void take_changed(struct km_backup *backup, struct klm_slice record)
{
    struct klm_cur cur;
    uint64_t number;

    klm_cur_init(&cur, record);
    klm_cur_u64(&cur, &number);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) == KLM_OK) {
        backup->changed = number;
    }
}

static klm_rc load(struct km_server *server, struct st_view *view, struct klm_pool *pool)
{
    struct klm_slice record;
    klm_rc rc = st_get(view, ST_META, klm_slice_str(FACT_CHANGED), pool, &record);

    /* A store that was made before this was noted: everything in it is new. */
    server->backup.changed = st_number(server->store);
    if (rc == KLM_OK) {
        take_changed(&server->backup, record);
    } else if (rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
        return rc;
    }
    rc = st_get(view, ST_META, klm_slice_str(FACT_LAST), pool, &record);
    if (rc == KLM_OK) {
        take_last(&server->backup, record, pool);
    }
    return rc == KLM_E_NOTFOUND || rc == KLM_E_CORRUPT ? KLM_OK : rc;
}

klm_rc km_backup_load(struct km_server *server)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    KLM_TRY(st_view_open(server->store, &view));
    rc = load(server, view, pool);
    st_view_close(&view);
    return rc;
}

klm_rc km_backup_note(struct st_change *change, uint64_t number, bool *noted)
{
    uint8_t record[8];

    *noted = false;
    for (size_t i = 0; i < KLM_COUNT(needing); i++) {
        *noted = *noted || st_change_touches(change, needing[i]);
    }
    if (!*noted) {
        return KLM_OK;
    }
    for (int i = 0; i < 8; i++) {
        record[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    return st_put(change, ST_META, klm_slice_str(FACT_CHANGED), KLM_SLICE(record, sizeof record));
}

void km_backup_noted(struct km_server *server, uint64_t number)
{
    pthread_mutex_lock(&server->backup.lock);
    server->backup.changed = number;
    pthread_mutex_unlock(&server->backup.lock);
}

void km_backup_info(struct km_server *server, struct km_backup_info *out)
{
    struct km_backup *backup = &server->backup;

    pthread_mutex_lock(&backup->lock);
    *out = backup->info;
    out->needed = backup->changed > backup->last || (backup->changed && !backup->info.time);
    pthread_mutex_unlock(&backup->lock);
}

void km_backup_result(struct km_server *server, const char *text)
{
    pthread_mutex_lock(&server->backup.lock);
    snprintf(server->backup.info.result, sizeof server->backup.info.result, "%s", text);
    pthread_mutex_unlock(&server->backup.lock);
}

klm_rc km_backup_rows(struct km_call *call)
{
    struct km_backup_info info;
    char date[KLM_JAVA_DATE_MAX];

    km_backup_info(call->server, &info);
    KLM_TRY(
        km_rows_add(call, (const char *[]){"Backup needed",
                                           !info.needed ? "no"
                                           : info.time  ? "YES: keys, rings or drives changed since"
                                                        : "YES: there is none"}));
    if (info.time) {
        klm_java_date(info.time, date);
        KLM_TRY(km_rows_add(call, (const char *[]){"Last good backup", date}));
        KLM_TRY(km_rows_add(call, (const char *[]){"Last good backup file", info.file}));
    }
    return info.result[0] ? km_rows_add(call, (const char *[]){"Last backup result", info.result})
                          : KLM_OK;
}

/* ---- Verbs */

/* Ask who makes backups, whom nobody takes away meanwhile. op is the place of the function in the table. */
static klm_rc ask(struct km_call *call, size_t op)
{
    struct km_backup *backup = &call->server->backup;
    klm_rc (*fn)(void *arg, struct km_call *call) = NULL;
    klm_rc rc;

    pthread_rwlock_rdlock(&backup->users);
    if (backup->ops) {
        memcpy(&fn, (const char *)backup->ops + op, sizeof fn);
    }
    rc = fn ? fn(backup->arg, call) : KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_BK_HERE);
    pthread_rwlock_unlock(&backup->users);
    return rc;
}

klm_rc km_backup_start_prepare(struct km_call *call)
{
    return ask(call, offsetof(struct km_backup_ops, start));
}

klm_rc km_backup_cancel_prepare(struct km_call *call)
{
    return ask(call, offsetof(struct km_backup_ops, cancel));
}

klm_rc km_backup_progress_prepare(struct km_call *call)
{
    return ask(call, offsetof(struct km_backup_ops, progress));
}

klm_rc km_backup_list_prepare(struct km_call *call)
{
    return ask(call, offsetof(struct km_backup_ops, list));
}

klm_rc km_restore_confirm_prepare(struct km_call *call)
{
    return ask(call, offsetof(struct km_backup_ops, confirm));
}

klm_rc km_backup_done_prepare(struct km_call *call)
{
    call->event.time = klm_clock();
    return KLM_OK;
}

klm_rc km_backup_mark(struct st_change *change, const struct km_backup_done *done, klm_time time)
{
    struct klm_buf record;
    klm_rc rc;

    klm_buf_init(&record, ST_RECORD_MAX);
    encode_last(done, time, &record);
    rc = klm_buf_rc(&record);
    if (rc == KLM_OK) {
        rc = st_put(change, ST_META, klm_slice_str(FACT_LAST), klm_buf_as_slice(&record));
    }
    klm_buf_done(&record);
    return rc;
}

klm_rc km_backup_done_apply(struct km_call *call, struct st_change *change)
{
    return km_backup_mark(change, call->req, call->event.time);
}

void km_backup_done_publish(struct km_call *call)
{
    const struct km_backup_done *done = call->req;

    set_last(&call->server->backup, (uint64_t)done->number, call->event.time, (uint64_t)done->bytes,
             done->file);
}
