/* Verb migrate: what an earlier key manager left is taken over, with a report of what was taken, changed and refused. A dry run takes the same steps and
 * leaves out the puts. */
#include "keymgr/migrate.h"

#include <string.h>

#define ROWS 2000 /* of the report; what is left is counted */

static klm_rc add_row(struct km_call *call, const char *item, size_t taken, size_t changed,
                      size_t refused, const char *why)
{
    return km_rows_add(
        call, (const char *[]){item, KLM_NUM(taken), KLM_NUM(changed), KLM_NUM(refused), why});
}

klm_rc km_migrate_tell(struct km_call *call, const char *item, enum km_migrate_how how, size_t n,
                       const char *why)
{
    struct km_migration *m = call->work;
    size_t taken = how == KM_TAKEN ? n : 0, changed = how == KM_CHANGED ? n : 0,
           refused = how == KM_REFUSED ? n : 0;

    m->taken += taken;
    m->changed += changed;
    m->refused += refused;
    if (call->rows.n < ROWS) {
        return add_row(call, item, taken, changed, refused, why);
    }
    m->rest_taken += taken;
    m->rest_changed += changed;
    m->rest_refused += refused;
    return KLM_OK;
}

/* ---- Key groups: only our own form is known */

static klm_rc read_groups(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;
    struct md_groups_file *file = NULL;
    struct klm_diag diag = {0};
    klm_rc rc = md_groups_decode(req->groups, &diag, &file);

    md_groups_file_free(&file);
    if (rc != KLM_OK) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_MIGRATE_GROUPS,
                         diag.msg == KLM_MSG_NONE ? klm_rc_text(rc) : diag.text);
    }
    return KLM_OK;
}

static klm_rc group_told(void *arg, const char *group, const char *how)
{
    struct km_call *call = arg;
    const struct km_migrate_req *req = call->req;
    const char *item = klm_pool_printf(call->pool, "key group %s", group);

    if (!item) {
        return KLM_E_NOMEM;
    }
    if (!req->dryrun) {
        KLM_TRY(km_more_group(call, group, how));
    }
    return km_migrate_tell(call, item, strcmp(how, "added") == 0 ? KM_TAKEN : KM_CHANGED, 1, "");
}

/* A dry run merges too, and takes it back. */
static klm_rc put_groups(struct km_call *call, struct st_change *change)
{
    const struct km_migrate_req *req = call->req;
    KLM_AUTO(md_groups_file_free) struct md_groups_file *file = NULL;
    struct md_groups_merge merged;
    size_t mark = st_change_mark(change);

    if (req->groups.n == 0) {
        return KLM_OK;
    }
    KLM_TRY(md_groups_decode(req->groups, &call->diag, &file));
    KLM_TRY(md_groups_take(change, file, false, group_told, call, &merged));
    if (req->dryrun) {
        st_change_undo(change, mark);
    }
    return KLM_OK;
}

/* ---- Drives */

/* What the listing says replaces what is here; what it does not say stays. True: something differs. */
static bool put_text(char *to, const char *from, size_t cap)
{
    if (!*from || strcmp(to, from) == 0) {
        return false;
    }
    memcpy(to, from, cap);
    return true;
}

static bool overlay(struct dt_drive *drive, const struct dt_drive *listed)
{
    bool differs = put_text(drive->alias1, listed->alias1, sizeof drive->alias1);

    differs = put_text(drive->alias2, listed->alias2, sizeof drive->alias2) || differs;
    differs = put_text(drive->symalias, listed->symalias, sizeof drive->symalias) || differs;
    return put_text(drive->wwn, listed->wwn, sizeof drive->wwn) || differs;
}

static klm_rc change_drive(struct km_call *call, struct st_change *change,
                           const struct dt_drive *before, const struct dt_drive *after)
{
    const struct km_migrate_req *req = call->req;

    if (req->dryrun) {
        return KLM_OK;
    }
    KLM_TRY(before ? dt_modify(change, after) : dt_add(change, after));
    return km_more_drive(call, before, after);
}

static klm_rc put_drive(struct km_call *call, struct st_change *change,
                        const struct dt_listed *listed)
{
    const char *item = klm_pool_printf(call->pool, "drive %s", listed->drive.serial);
    struct dt_drive before, after;
    klm_rc rc = dt_get(st_change_view(change), listed->drive.serial, &before);

    if (!item) {
        return KLM_E_NOMEM;
    }
    if (rc == KLM_E_NOTFOUND) {
        KLM_TRY(change_drive(call, change, NULL, &listed->drive));
        return km_migrate_tell(call, item, KM_TAKEN, 1, dt_kind_name(listed->drive.kind));
    }
    KLM_TRY(rc);
    after = before;
    if (!overlay(&after, &listed->drive)) {
        ((struct km_migration *)call->work)->there++;
        return KLM_OK;
    }
    KLM_TRY(change_drive(call, change, &before, &after));
    return km_migrate_tell(call, item, KM_CHANGED, 1, "it is here with other aliases or name");
}

static klm_rc put_drives(struct km_call *call, struct st_change *change)
{
    const struct km_migration *m = call->work;

    for (size_t i = 0; i < m->drives.n; i++) {
        if (!m->drives.at[i].refused) {
            KLM_TRY(put_drive(call, change, &m->drives.at[i]));
        }
    }
    return KLM_OK;
}

static klm_rc read_drives(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;
    struct km_migration *m = call->work;

    KLM_TRY(dt_listing_read(req->drives, call->pool, &call->diag, &m->drives));
    for (size_t i = 0; i < m->drives.n; i++) {
        const struct dt_listed *listed = &m->drives.at[i];

        if (listed->refused) {
            const char *item =
                klm_pool_printf(call->pool, "line %u: drive %s", listed->line, listed->name);

            KLM_TRY(item ? km_migrate_tell(call, item, KM_REFUSED, 1, listed->refused)
                         : KLM_E_NOMEM);
        }
    }
    return KLM_OK;
}

/* ---- The verb */

klm_rc km_migrate_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Item", "Taken", "Changed", "Refused", "Why", NULL};
    const struct km_migrate_req *req = call->req;

    if (req->config.n + req->drives.n + req->groups.n + req->usage.n == 0) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_MIGRATE_NOTHING);
    }
    call->work = klm_pool_alloc(call->pool, sizeof(struct km_migration));
    if (!call->work) {
        return KLM_E_NOMEM;
    }
    *(struct km_migration *)call->work = (struct km_migration){0};
    KLM_TRY(km_rows_begin(
        call, req->dryrun ? "Migration, dry run: nothing is changed" : "Migration", columns));
    KLM_TRY(req->config.n ? km_migrate_config(call) : KLM_OK);
    KLM_TRY(req->drives.n ? read_drives(call) : KLM_OK);
    KLM_TRY(req->groups.n ? read_groups(call) : KLM_OK);
    return req->usage.n ? km_migrate_usage(call) : KLM_OK;
}

/* The file last: a failure before it leaves it as it was, and one after it is made good by running the migration again. */
static klm_rc put_config(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;
    const struct km_migration *m = call->work;

    if (m->config.n == 0 || req->dryrun) {
        return KLM_OK;
    }
    if (!km_state_current(call->server, call->state)) {
        return KM_REFUSE(call, KLM_E_BUSY, 0, KLM_MSG_CONFIG_CHANGED);
    }
    KLM_TRY(km_more_config(call, call->state->config, call->new_state->config));
    return km_config_write(parm_path_of_config(call->state->config), m->config, &call->diag);
}

static klm_rc sum_up(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;
    const struct km_migration *m = call->work;

    if (m->rest_taken + m->rest_changed + m->rest_refused > 0) {
        KLM_TRY(add_row(call, "further items", m->rest_taken, m->rest_changed, m->rest_refused,
                        "the report has no room for them"));
    }
    call->text =
        klm_pool_printf(call->pool, "%s%zu taken, %zu changed, %zu refused, %zu here already",
                        req->dryrun ? "Dry run: " : "", m->taken, m->changed, m->refused, m->there);
    call->event.field[SMF_F_OBJECT] = call->text;
    return call->text ? add_row(call, "in all", m->taken, m->changed, m->refused,
                                klm_pool_printf(call->pool, "%zu here already", m->there))
                      : KLM_E_NOMEM;
}

klm_rc km_migrate_apply(struct km_call *call, struct st_change *change)
{
    size_t events;

    KLM_TRY(put_drives(call, change));
    KLM_TRY(put_groups(call, change));
    KLM_TRY(km_migrate_usage_add(call, change, &events));
    KLM_TRY(sum_up(call));
    if (call->untold > 0) {
        const struct km_news more = {.what = KM_HAP_DRIVES_MORE, .object = KLM_NUM(call->untold)};

        KLM_TRY(km_more(call, &more));
    }
    return put_config(call);
}

void km_migrate_publish(struct km_call *call)
{
    const struct km_migrate_req *req = call->req;

    if (req->dryrun) {
        return;
    }
    if (call->new_state) {
        parm_say_weak(call->new_state->config);
        km_config_swap(call);
    }
    km_drive_publish_all(call);
    km_views_groups(call->server);
    km_views_usage(call->server, 1);
}
