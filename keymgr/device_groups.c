/* Verbs on device groups: what clients of KMIP share, and what they may do. */
#include "keymgr/clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct work {
    struct dt_device_group group; /* as it becomes */
    bool had, has;                /* it was there; it will be */
    bool purge;
};

klm_rc km_device_group_prepare(struct km_call *call)
{
    const struct km_device_group_req *req = call->req;
    struct work *work = klm_pool_alloc(call->pool, sizeof *work);

    if (!work) {
        return KLM_E_NOMEM;
    }
    call->work = work;
    if (dt_device_group_check(req->name) != KLM_OK) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_DEVICE_GROUP_NAME, req->name);
    }
    return KLM_OK;
}

/* ---- Attributes */

static klm_rc set_attribute(struct km_call *call, struct dt_device_group *group, const char *name,
                            const char *value)
{
    if (strcasecmp(name, "enableKMIPDelete") == 0 &&
        (strcasecmp(value, "true") == 0 || strcasecmp(value, "false") == 0)) {
        group->kmip_delete = strcasecmp(value, "true") == 0;
        return KLM_OK;
    }
    if (strcasecmp(name, "prefix") == 0 && dt_prefix_check(value) == KLM_OK) {
        memset(group->prefix, 0, sizeof group->prefix);
        memcpy(group->prefix, value, strlen(value));
        return KLM_OK;
    }
    return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_DEVICE_GROUP_ATTR, name, value);
}

static const char blanks[] = " \t,";

/* {name value} {name value}; one pair may stand without braces. Each step takes one pair off the text. */
static klm_rc next_attribute(struct km_call *call, struct dt_device_group *group, char **text)
{
    char *p = *text + strspn(*text, blanks);
    bool braced = *p == '{';
    char *end = braced ? strchr(p, '}') : p + strlen(p), *name, *value;

    if (!end) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_DEVICE_GROUP_ATTR, p, "left open");
    }
    *text = *end ? end + 1 : end;
    *end = '\0';
    name = p + braced;
    name += strspn(name, blanks);
    value = name + strcspn(name, blanks);
    if (*value) {
        *value++ = '\0';
        value += strspn(value, blanks);
        value[strcspn(value, blanks)] = '\0';
    }
    *text += strspn(*text, blanks);
    return set_attribute(call, group, name, value);
}

static klm_rc set_attributes(struct km_call *call, struct dt_device_group *group)
{
    const struct km_device_group_req *req = call->req;
    char *text = klm_pool_str(call->pool, req->attributes ? req->attributes : "");

    if (!text) {
        return KLM_E_NOMEM;
    }
    while (*text) {
        KLM_TRY(next_attribute(call, group, &text));
    }
    if (req->kmip_delete) {
        KLM_TRY(set_attribute(call, group, "enableKMIPDelete", req->kmip_delete));
    }
    return req->prefix ? set_attribute(call, group, "prefix", req->prefix) : KLM_OK;
}

static const char *group_text(struct km_call *call, const struct dt_device_group *group)
{
    return klm_pool_printf(call->pool, "name=%s enableKMIPDelete=%s prefix=%s", group->name,
                           group->kmip_delete ? "true" : "false", group->prefix);
}

/* ---- Add, modify */

klm_rc km_device_group_add_apply(struct km_call *call, struct st_change *change)
{
    const struct km_device_group_req *req = call->req;
    struct work *work = call->work;
    struct dt_device_group there, *group = &work->group;
    klm_rc rc = dt_device_group_get(st_change_view(change), req->name, &there);

    if (rc == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_DEVICE_GROUP_TAKEN, req->name);
    }
    if (rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) { /* a damaged one is set anew */
        return rc;
    }
    if (dt_clients_groups(call->server->clients) >= DT_DEVICE_GROUPS_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_DEVICE_GROUPS_FULL,
                         KLM_NUM(DT_DEVICE_GROUPS_MAX));
    }
    snprintf(group->name, sizeof group->name, "%s", req->name);
    group->added = klm_clock();
    KLM_TRY(set_attributes(call, group));
    work->has = true;
    call->event.field[SMF_F_NEW] = group_text(call, group);
    return dt_device_group_put(change, group);
}

static klm_rc open_group(struct km_call *call, struct st_view *view, struct dt_device_group *out)
{
    const struct km_device_group_req *req = call->req;
    klm_rc rc = dt_device_group_get(view, req->name, out);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_DEVICE_GROUP_NOT_FOUND, req->name);
    }
    return rc == KLM_E_CORRUPT ? KM_REFUSE(call, rc, 0, KLM_MSG_DEVICE_GROUP_DAMAGED, req->name)
                               : rc;
}

klm_rc km_device_group_modify_apply(struct km_call *call, struct st_change *change)
{
    struct work *work = call->work;

    KLM_TRY(open_group(call, st_change_view(change), &work->group));
    if (work->group.closed) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, work->group.name);
    }
    call->event.field[SMF_F_OLD] = group_text(call, &work->group);
    KLM_TRY(set_attributes(call, &work->group));
    call->event.field[SMF_F_NEW] = group_text(call, &work->group);
    work->has = work->had = true;
    return dt_device_group_put(change, &work->group);
}

void km_device_group_publish(struct km_call *call)
{
    const struct work *work = call->work;

    km_groups_changed(call->server, work->had ? work->group.name : NULL,
                      work->has ? &work->group : NULL);
}

/* ---- Delete */

struct member {
    const char *group;
    char name[DT_CLIENT_NAME_MAX + 1];
};

static klm_rc find_member(void *arg, const struct dt_client *client)
{
    struct member *member = arg;

    if (strcmp(client->group, member->group) != 0) {
        return KLM_OK;
    }
    memcpy(member->name, client->name, sizeof member->name);
    return KLM_E_EXISTS;
}

static klm_rc check_empty(struct km_call *call, struct st_view *view, const char *name)
{
    struct member member = {.group = name};
    klm_rc rc = dt_client_scan(view, find_member, &member);

    return rc == KLM_E_EXISTS ? KM_REFUSE(call, rc, 0, KLM_MSG_DEVICE_GROUP_USED, name, member.name)
                              : rc;
}

static klm_rc close_group(struct km_call *call, struct st_change *change, struct work *work)
{
    work->group.closed = true;
    work->has = work->purge = true;
    call->text = klm_pool_printf(
        call->pool, "Device group %s is closed; its objects are being deleted", work->group.name);
    return dt_device_group_put(change, &work->group);
}

/* A damaged group says nothing but its name, which is all that deleting takes. */
klm_rc km_device_group_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_device_group_req *req = call->req;
    struct st_view *view = st_change_view(change);
    struct work *work = call->work;
    bool objects = false, ask = false;
    klm_rc rc = dt_device_group_get(view, req->name, &work->group);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_DEVICE_GROUP_NOT_FOUND, req->name);
    }
    if (rc == KLM_E_CORRUPT) {
        snprintf(work->group.name, sizeof work->group.name, "%s", req->name);
    } else {
        KLM_TRY(rc);
        work->had = true;
        call->event.field[SMF_F_OLD] = group_text(call, &work->group);
    }
    KLM_TRY(check_empty(call, view, req->name));
    KLM_TRY(md_device_group_has(view, req->name, &objects));
    if (objects && !work->group.closed) {
        KLM_TRY(km_delete_ask(call, change, 'G', req->name, req->confirm, &ask));
    }
    if (ask) {
        work->has = work->had;
        return KLM_OK;
    }
    if (objects) {
        return close_group(call, change, work);
    }
    KLM_TRY(km_delete_forget(change, 'G', req->name));
    call->text = klm_pool_printf(call->pool, "Device group %s is deleted", req->name);
    return dt_device_group_delete(change, req->name);
}

void km_device_group_delete_publish(struct km_call *call)
{
    const struct work *work = call->work;

    km_device_group_publish(call);
    if (work->purge) {
        km_purge_start(call->server, 'G', work->group.name);
    }
}

/* ---- List */

struct counts {
    struct km_call *call;
    const char *only; /* NULL: all groups */
    struct count {
        struct dt_device_group group;
        size_t clients;
    } * at;
    size_t n, cap;
};

static klm_rc add_group(void *arg, const struct dt_device_group *group)
{
    struct counts *counts = arg;

    if (counts->only && strcmp(counts->only, group->name) != 0) {
        return KLM_OK;
    }
    if (counts->n == counts->cap) {
        return KLM_E_LIMIT;
    }
    counts->at[counts->n++] = (struct count){.group = *group};
    return KLM_OK;
}

static int by_name(const void *name, const void *count)
{
    return strcmp(name, ((const struct count *)count)->group.name);
}

static klm_rc count_client(void *arg, const struct dt_client *client)
{
    struct counts *counts = arg;
    struct count *count =
        bsearch(client->group, counts->at, counts->n, sizeof *counts->at, by_name);

    if (count) {
        count->clients++;
    }
    return KLM_OK;
}

static klm_rc add_rows(struct counts *counts)
{
    for (size_t i = 0; i < counts->n; i++) {
        const struct dt_device_group *group = &counts->at[i].group;
        char added[KLM_JAVA_DATE_MAX];

        klm_java_date(group->added, added);
        KLM_TRY(km_rows_add(counts->call,
                            (const char *[]){group->name, KLM_NUM(counts->at[i].clients),
                                             group->kmip_delete ? "true" : "false", group->prefix,
                                             added, group->closed ? "being deleted" : "active"}));
    }
    return KLM_OK;
}

/* The store scans groups by name, as bsearch wants them. */
static klm_rc list(struct counts *counts, struct st_view *view)
{
    KLM_TRY(dt_device_group_scan(view, add_group, counts));
    if (counts->only && counts->n == 0) {
        return KM_REFUSE(counts->call, KLM_E_NOTFOUND, 0, KLM_MSG_DEVICE_GROUP_NOT_FOUND,
                         counts->only);
    }
    KLM_TRY(dt_client_scan(view, count_client, counts));
    return add_rows(counts);
}

klm_rc km_device_group_list_prepare(struct km_call *call)
{
    static const char *const columns[] = {"Group", "Clients", "enableKMIPDelete", "Prefix", "Added",
                                          "State", NULL};
    const struct km_device_group_req *req = call->req;
    struct counts counts = {
        .call = call, .only = req->name, .cap = DT_DEVICE_GROUPS_MAX + KM_BATCH};
    struct st_view *view;
    klm_rc rc;

    counts.at = klm_pool_alloc(call->pool, counts.cap * sizeof *counts.at);
    if (!counts.at) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(km_rows_begin(call, "Device groups", columns));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = list(&counts, view);
    st_view_close(&view);
    return rc;
}
