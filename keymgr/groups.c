/* Verbs on key groups. All of it happens on the newest state, in apply. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

klm_rc km_alias_run(struct km_call *call, const char *typed, struct klm_alias_run *out)
{
    klm_rc rc = klm_alias_run(klm_slice_str(typed), out);

    return rc == KLM_OK ? rc : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_KEY_ALIAS, typed);
}

klm_rc km_group_prepare(struct km_call *call)
{
    const struct km_group_req *req = call->req;

    if (call->id == KM_GROUP_MODIFY && req->wrap == req->nowrap) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_PARAM_MISSING, "wrap or nowrap",
                         km_verb(call->id)->name);
    }
    return call->id == KM_GROUP_ADD ? md_group_name(req->group, &call->diag) : KLM_OK;
}

/* The group of the request, or of another parameter. */
static klm_rc need(struct km_call *call, struct st_change *change, const char *name)
{
    struct md_group group;
    klm_rc rc = strcmp(name, MD_KEYSET_GROUP) == 0
                    ? KLM_E_NOTFOUND /* that one follows its property */
                    : md_group_get(st_change_view(change), name, &group);

    return rc == KLM_E_NOTFOUND ? KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_UNKNOWN, name) : rc;
}

/* ---- Groups */

#define MADE "keygroups.made" /* fact of the store: createkeygroup, or the first group */

static klm_rc made(struct km_call *call, struct st_view *view)
{
    struct klm_slice fact;

    return st_get(view, ST_META, klm_slice_str(MADE), call->pool, &fact);
}

klm_rc km_groups_init_prepare(struct km_call *call)
{
    return parm_is_set(call->state->config, PARM_config_keygroup_xml_file)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_GROUP_NO_FILE);
}

klm_rc km_groups_init_apply(struct km_call *call, struct st_change *change)
{
    if (made(call, st_change_view(change)) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_GROUP_MADE);
    }
    return st_put(change, ST_META, klm_slice_str(MADE), klm_slice_str("1"));
}

klm_rc km_group_add_apply(struct km_call *call, struct st_change *change)
{
    const struct km_group_req *req = call->req;
    klm_rc rc;

    if (km_key_there(st_change_view(change), req->group) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_GROUP_TAKEN, req->group, "a stored key");
    }
    rc = md_group_add(change, req->group, req->wrap);
    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_TAKEN, req->group, "a key group");
    }
    if (rc == KLM_E_LIMIT) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_FULL, req->group, KLM_NUM(MD_GROUPS_MAX));
    }
    KLM_TRY(rc);
    return st_put(change, ST_META, klm_slice_str(MADE), klm_slice_str("1"));
}

klm_rc km_group_modify_apply(struct km_call *call, struct st_change *change)
{
    const struct km_group_req *req = call->req;

    KLM_TRY(need(call, change, req->group));
    call->event.field[SMF_F_NEW] = req->wrap ? "wrap" : "nowrap";
    return md_group_wrap(change, req->group, req->wrap);
}

klm_rc km_group_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_group_req *req = call->req;

    KLM_TRY(need(call, change, req->group));
    return md_group_delete(change, req->group);
}

/* ---- Aliases */

/* Every alias of a run has its key here. */
static klm_rc need_keys(struct km_call *call, struct st_view *view, const struct klm_alias_run *run)
{
    char alias[KLM_ALIAS_MAX + 1];

    memcpy(alias, run->first, sizeof alias);
    do {
        klm_rc rc = km_key_there(view, alias);

        if (rc == KLM_E_NOTFOUND) {
            return KM_REFUSE(call, rc, 0, KLM_MSG_KEY_UNKNOWN, alias);
        }
        KLM_TRY(rc);
    } while (strcmp(alias, run->last) < 0 && klm_alias_next(alias));
    return KLM_OK;
}

static klm_rc put(struct km_call *call, struct st_change *change, const struct klm_alias_run *run)
{
    const struct km_group_req *req = call->req;
    klm_rc rc = md_group_put(change, req->group, run);

    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_HAS, req->alias, req->group);
    }
    if (rc == KLM_E_LIMIT) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_FULL, req->group, KLM_NUM(MD_GROUP_RUNS));
    }
    return rc;
}

klm_rc km_group_alias_add_apply(struct km_call *call, struct st_change *change)
{
    const struct km_group_req *req = call->req;
    struct klm_alias_run run;

    call->event.field[SMF_F_NEW] = req->alias;
    KLM_TRY(km_alias_run(call, req->alias, &run));
    KLM_TRY(need(call, change, req->group));
    KLM_TRY(need_keys(call, st_change_view(change), &run));
    return put(call, change, &run);
}

klm_rc km_group_alias_copy_apply(struct km_call *call, struct st_change *change)
{
    const struct km_group_req *req = call->req;
    struct klm_alias_run run;

    call->event.field[SMF_F_NEW] = req->alias;
    KLM_TRY(km_alias_run(call, req->alias, &run));
    KLM_TRY(need(call, change, req->source));
    KLM_TRY(need(call, change, req->group));
    if (klm_alias_run_count(&run) != 1 ||
        md_group_has(st_change_view(change), req->source, run.first) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_GROUP_HAS_NOT, req->alias, req->source);
    }
    return put(call, change, &run);
}

klm_rc km_group_alias_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_group_req *req = call->req;
    struct klm_alias_run run;
    uint64_t n = 0;

    call->event.field[SMF_F_OLD] = req->alias;
    KLM_TRY(km_alias_run(call, req->alias, &run));
    KLM_TRY(need(call, change, req->group));
    KLM_TRY(md_group_take_out(change, req->group, &run, &n));
    return n == klm_alias_run_count(&run)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_GROUP_HAS_NOT, req->alias, req->group);
}

/* ---- After the change */

void km_group_publish(struct km_call *call)
{
    km_views_groups(call->server);
}

struct named {
    const char *group;
    const char *by;
};

static klm_rc find_name(void *arg, const struct dt_drive *drive)
{
    struct named *named = arg;

    if (strcmp(drive->symalias, named->group) != 0) {
        return KLM_OK;
    }
    klm_say(KLM_MSG_GROUP_NAMED, named->group, drive->serial);
    return KLM_E_AGAIN; /* one is enough */
}

/* What still names a group that is gone. */
void km_group_deleted(struct km_call *call)
{
    const struct km_group_req *req = call->req;
    const char *keyset = parm_str(call->state->config, PARM_symmetricKeySet);
    struct named named = {.group = req->group};
    struct dt_table *drives = km_drives(call->server);

    km_group_publish(call);
    KLM_IGNORE(dt_table_scan(drives, find_name, &named)); /* its only outcome: found */
    dt_table_free(&drives);
    if (keyset && strcmp(keyset, req->group) == 0) {
        klm_say(KLM_MSG_GROUP_NAMED, req->group, "symmetricKeySet");
    }
}

/* ---- List */

static klm_rc list_run(void *arg, const struct klm_alias_run *run)
{
    char text[KLM_ALIAS_RUN_MAX];

    return km_rows_add(arg, (const char *[]){"", klm_alias_run_text(run, text),
                                             KLM_NUM(klm_alias_run_count(run)), "", "", "", ""});
}

struct listing {
    struct km_call *call;
    struct st_view *view;
    bool aliases;
};

static klm_rc list_group(void *arg, const struct md_group *group)
{
    const struct listing *listing = arg;
    char date[KLM_JAVA_DATE_MAX] = "never";

    if (group->last_time) {
        klm_java_date(group->last_time, date);
    }
    KLM_TRY(km_rows_add(listing->call,
                        (const char *[]){group->name, "", KLM_NUM(group->keys),
                                         KLM_NUM(md_group_left(group)), group->wrap ? "YES" : "NO",
                                         group->last, date}));
    return listing->aliases ? md_group_runs(listing->view, group->name, list_run, listing->call)
                            : KLM_OK;
}

static klm_rc list(struct km_call *call, struct st_view *view)
{
    const struct km_group_req *req = call->req;
    struct listing listing = {call, view, req->verbose || req->group};
    struct md_group group;
    klm_rc rc;

    if (!req->group) {
        return md_group_scan(view, list_group, &listing);
    }
    rc = md_group_get(view, req->group, &group);
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_UNKNOWN, req->group);
    }
    KLM_TRY(rc);
    return list_group(&listing, &group);
}

klm_rc km_group_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Key Group", "Aliases",   "Keys",      "Left",
                                          "Wraps",     "Last Used", "Last Time", NULL};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Key groups", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = list(call, view);
    st_view_close(&view);
    return rc;
}
