/* Deleting clients of KMIP. One that has no objects goes at once. One that has takes a current backup and two operators: the first asks, the second confirms within a time limit. Objects of a
 * device group stay with the group, whoever made them; those of a client in no group can be used by nobody else, and go with it. */
#include "keymgr/clients.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1
#define MINUTE_US (60LL * 1000000)
#define KEY_MAX 128

/* ---- Requests: records of ST_META */

struct request {
    char user[65];
    klm_time time;
};

static klm_rc key_of(char kind, const char *name, char out[KEY_MAX])
{
    int n = snprintf(out, KEY_MAX, KM_DELETE_PREFIX "%c.%s", kind, name);

    return n > 0 && n < KEY_MAX ? KLM_OK : KLM_E_LIMIT;
}

static klm_rc decode(struct klm_slice in, struct request *out)
{
    struct request request = {0};
    struct klm_slice user;
    struct klm_cur cur;
    uint8_t version;
    uint64_t time;

    klm_cur_init(&cur, in);
    klm_cur_u8(&cur, &version);
    klm_cur_lp8(&cur, sizeof request.user - 1, &user);
    klm_cur_u64(&cur, &time);
    klm_cur_end(&cur);
    if (klm_cur_rc(&cur) != KLM_OK || version != VERSION || time > INT64_MAX) {
        return KLM_E_CORRUPT;
    }
    memcpy(request.user, user.p, user.n);
    request.time = (klm_time)time;
    *out = request;
    return KLM_OK;
}

/* One that cannot be read is none. */
static klm_rc get_request(struct km_call *call, struct st_view *view, char kind, const char *name,
                          struct request *out)
{
    struct klm_slice record;
    char key[KEY_MAX];
    klm_rc rc;

    KLM_TRY(key_of(kind, name, key));
    rc = st_get(view, ST_META, klm_slice_str(key), call->pool, &record);
    if (rc == KLM_OK) {
        rc = decode(record, out);
    }
    return rc == KLM_E_CORRUPT ? KLM_E_NOTFOUND : rc;
}

static klm_rc put_request(struct km_call *call, struct st_change *change, char kind,
                          const char *name)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};
    char key[KEY_MAX];

    KLM_TRY(key_of(kind, name, key));
    klm_buf_init(&buf, 128);
    klm_buf_u8(&buf, VERSION);
    klm_buf_lp8(&buf, KLM_SLICE(call->actor.name, strnlen(call->actor.name, 64)));
    klm_buf_u64(&buf, (uint64_t)klm_clock());
    KLM_TRY(klm_buf_rc(&buf));
    return st_put(change, ST_META, klm_slice_str(key), klm_buf_as_slice(&buf));
}

klm_rc km_delete_forget(struct st_change *change, char kind, const char *name)
{
    char key[KEY_MAX];

    KLM_TRY(key_of(kind, name, key));
    return st_delete(change, ST_META, klm_slice_str(key));
}

/* ---- Two people */

static int64_t minutes_of(const struct km_call *call)
{
    return parm_num(call->state->config, PARM_client_delete_minutes);
}

static klm_rc check_request(struct km_call *call, struct st_view *view, char kind, const char *name)
{
    struct request request;
    klm_time now = klm_clock();
    klm_rc rc = get_request(call, view, kind, name, &request);

    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    if (rc == KLM_E_NOTFOUND || now < request.time ||
        now - request.time > minutes_of(call) * MINUTE_US) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_DELETE_NONE, name,
                         KLM_NUM(minutes_of(call)));
    }
    if (strncmp(request.user, call->actor.name, sizeof request.user - 1) == 0) {
        return KM_REFUSE(call, KLM_E_DENIED, 0, KLM_MSG_DELETE_SELF, request.user, name);
    }
    call->event.field[SMF_F_RESOURCE] = klm_pool_printf(
        call->pool, "%s %s, as %s asked for", km_verb(call->id)->name, name, request.user);
    return KLM_OK;
}

klm_rc km_delete_ask(struct km_call *call, struct st_change *change, char kind, const char *name,
                     bool confirm, bool *ask)
{
    struct km_backup_info backup;

    km_backup_info(call->server, &backup);
    if (backup.needed || !backup.time) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_BACKUP, name);
    }
    if (confirm) {
        *ask = false;
        return check_request(call, st_change_view(change), kind, name);
    }
    KLM_TRY(put_request(call, change, kind, name));
    call->text = klm_pool_printf(
        call->pool,
        "Requested: %s has objects. Another operator confirms within %lld minutes, with -confirm",
        name, (long long)minutes_of(call));
    call->event.field[SMF_F_RESOURCE] =
        klm_pool_printf(call->pool, "%s %s, requested", km_verb(call->id)->name, name);
    *ask = true;
    return KLM_OK;
}

/* ---- The verb */

klm_rc km_client_delete_prepare(struct km_call *call)
{
    call->work = klm_pool_alloc(call->pool, sizeof(struct km_client_work));
    return call->work ? KLM_OK : KLM_E_NOMEM;
}

klm_rc km_client_has_objects(struct st_view *view, const struct dt_client *client, bool *has)
{
    bool made = false, own = false;

    if (client->fingerprint[0]) {
        KLM_TRY(md_owns(view, client->fingerprint, &made));
    }
    if (dt_group_own(client->group)) {
        KLM_TRY(md_device_group_has(view, client->group, &own));
    }
    *has = made || own;
    return KLM_OK;
}

/* Nothing of it is served from here on. */
static klm_rc close_client(struct km_call *call, struct st_change *change,
                           const struct dt_client *before)
{
    struct km_client_work *work = call->work;
    struct dt_client after = *before;

    after.closed = true;
    work->purge = true;
    KLM_TRY(km_client_put(call, change, before, &after));
    call->text = klm_pool_printf(call->pool, "Client %s is closed; its objects are being deleted",
                                 before->name);
    return KLM_OK;
}

static klm_rc delete_one(struct km_call *call, struct st_change *change,
                         const struct dt_client *client)
{
    const struct km_client_req *req = call->req;
    struct st_view *view = st_change_view(change);
    bool objects = false, alone = false, ask = false;

    KLM_TRY(km_client_has_objects(view, client, &objects));
    if (objects && !client->closed) {
        KLM_TRY(km_delete_ask(call, change, 'C', client->name, req->confirm, &ask));
    }
    if (ask) {
        return KLM_OK;
    }
    if (dt_group_own(client->group)) {
        KLM_TRY(md_device_group_has(view, client->group, &alone));
    }
    if (alone) {
        return close_client(call, change, client);
    }
    KLM_TRY(km_delete_forget(change, 'C', client->name));
    call->text = klm_pool_printf(call->pool, "Client %s is deleted%s", client->name,
                                 objects ? "; the objects it made stay in its device group" : "");
    return km_client_put(call, change, client, NULL);
}

/* One that cannot be read is no client, and says of no objects that they are its own. */
klm_rc km_client_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct km_client_req *req = call->req;
    struct dt_client client;
    klm_rc rc = dt_client_get(st_change_view(change), req->name, call->pool, &client);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_NOT_FOUND, req->name);
    }
    if (rc == KLM_E_CORRUPT) {
        ((struct km_client_work *)call->work)->reload = true;
        return dt_client_drop(change, req->name);
    }
    KLM_TRY(rc);
    return delete_one(call, change, &client);
}

void km_client_delete_publish(struct km_call *call)
{
    const struct km_client_work *work = call->work;

    if (work->reload) {
        km_clients_reload(call->server);
    } else if (work->had || work->has) {
        km_client_publish(call);
    }
    if (work->purge) {
        km_purge_start(call->server, 'C', work->after.name);
    }
}
