/* The objects of a client or device group that is being deleted: some go with each change, so that drives and clients are served in between, and what is deleted
 * goes with the last of them. One call starts the next. After a kill the next start goes on, since what is closed says so in the store. */
#include "keymgr/clients.h"

#include <stdlib.h>
#include <string.h>

#define BATCH 64 /* objects of one change */

/* What hangs on the calls of one deletion. */
struct purge {
    struct km_server *server;
    char kind; /* 'C' a client, 'G' a group */
    char name[DT_CLIENT_NAME_MAX + 1];
    uint64_t gone;
};

struct work {
    struct dt_client client; /* as it is; or */
    struct dt_device_group group;
    const char *of; /* device group whose objects go */
    const char *uid[BATCH];
    size_t n;
    bool last;
};

klm_rc km_client_purge_prepare(struct km_call *call)
{
    call->work = klm_pool_alloc(call->pool, sizeof(struct work));
    return call->work ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc open_closed(struct km_call *call, struct st_view *view, struct work *work)
{
    const struct km_purge_req *req = call->req;
    bool closed;

    if (req->client) {
        KLM_TRY(dt_client_get(view, req->client, call->pool, &work->client));
        work->of = work->client.group;
        closed = work->client.closed && dt_group_own(work->of);
    } else {
        KLM_TRY(dt_device_group_get(view, req->group ? req->group : "", &work->group));
        work->of = work->group.name;
        closed = work->group.closed;
    }
    return closed ? KLM_OK : KLM_E_STATE;
}

static klm_rc collect(void *arg, const struct md_object *object)
{
    struct km_call *call = arg;
    struct work *work = call->work;

    work->uid[work->n] = klm_pool_str(call->pool, object->uid);
    if (!work->uid[work->n]) {
        return KLM_E_NOMEM;
    }
    return ++work->n == BATCH ? KLM_E_AGAIN : KLM_OK;
}

static klm_rc delete_object(struct km_call *call, struct st_change *change, const char *uid)
{
    const struct work *work = call->work;
    const struct km_news news = {.what = KM_HAP_OBJECT_GONE, .object = uid, .old = work->of};
    char label[65];
    klm_rc rc;

    KLM_TRY(md_object_delete(change, uid));
    md_material_label(uid, label);
    rc = kr_token_delete(change, label);
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND) {
        return rc;
    }
    return km_more(call, &news);
}

/* With the last object. */
static klm_rc delete_holder(struct km_call *call, struct st_change *change, struct work *work)
{
    const struct km_purge_req *req = call->req;

    work->last = true;
    if (req->client) {
        KLM_TRY(km_delete_forget(change, 'C', req->client));
        KLM_TRY(km_client_drop_hashed(change, &work->client, NULL));
        return dt_client_change(change, &work->client, NULL);
    }
    KLM_TRY(km_delete_forget(change, 'G', req->group));
    return dt_device_group_delete(change, req->group);
}

klm_rc km_client_purge_apply(struct km_call *call, struct st_change *change)
{
    struct work *work = call->work;
    struct st_view *view = st_change_view(change);
    klm_rc rc;

    KLM_TRY(open_closed(call, view, work));
    rc = md_object_scan(view, work->of, "", collect, call);
    if (rc != KLM_OK && rc != KLM_E_AGAIN) {
        return rc;
    }
    for (size_t i = 0; i < work->n; i++) {
        KLM_TRY(delete_object(call, change, work->uid[i]));
    }
    call->event.field[SMF_F_RESOURCE] =
        klm_pool_printf(call->pool, "Objects deleted: %zu", work->n);
    return rc == KLM_OK ? delete_holder(call, change, work) : KLM_OK;
}

void km_client_purge_publish(struct km_call *call)
{
    const struct work *work = call->work;
    const struct km_purge_req *req = call->req;

    if (work->last && req->client) {
        km_clients_changed(call->server, &work->client, NULL);
    } else if (work->last) {
        km_groups_changed(call->server, req->group, NULL);
    }
}

/* ---- One call after the other */

static void ended(struct purge *purge, klm_rc rc, const struct klm_diag *diag)
{
    if (rc == KLM_OK) {
        klm_say(KLM_MSG_DELETED, purge->name, KLM_NUM(purge->gone));
    } else {
        klm_say(KLM_MSG_DELETE_HELD, purge->name,
                diag && diag->text[0] ? diag->text : klm_rc_text(rc));
    }
    free(purge);
}

/* The next call; NULL: the purge has ended. */
static struct km_call *next_call(struct purge *purge)
{
    const struct km_actor actor = {
        .kind = KM_ACTOR_SYSTEM, .roles = KM_ROLE_SYSTEM, .name = "ISKLM", .address = ""};
    struct km_call *call = NULL;
    struct km_purge_req *req;
    klm_rc rc = km_call_new(purge->server, KM_CLIENT_PURGE, &actor, &call);

    if (rc != KLM_OK) {
        ended(purge, rc, NULL);
        return NULL;
    }
    req = call->req;
    *(purge->kind == 'C' ? &req->client : &req->group) = klm_pool_str(call->pool, purge->name);
    return call;
}

/* A call came back, and is freed. True: another one is needed. */
static bool goes_on(struct purge *purge, struct km_call *call)
{
    const struct work *work = call->work;
    const bool more = call->rc == KLM_OK && !work->last;

    if (call->rc == KLM_OK) {
        purge->gone += work->n;
    }
    if (!more) {
        ended(purge, call->rc, &call->diag);
    }
    km_call_free(&call);
    return more;
}

static void start_next(struct purge *purge);

static void done(struct km_call *call)
{
    struct purge *purge = call->arg;

    if (goes_on(purge, call)) {
        start_next(purge);
    }
}

static void start_next(struct purge *purge)
{
    struct km_call *call = next_call(purge);

    if (call) {
        call->done = done;
        call->arg = purge;
        km_run(call);
    }
}

/* In a tool, where each call is carried out before km_run returns, calls that start each other would pile up. */
static void run_all(struct purge *purge)
{
    struct km_call *call;

    do {
        call = next_call(purge);
        if (!call) {
            return;
        }
        KLM_IGNORE(km_run_wait(call)); /* goes_on looks at it */
    } while (goes_on(purge, call));
}

void km_purge_start(struct km_server *server, char kind, const char *name)
{
    struct purge *purge = calloc(1, sizeof *purge);

    if (!purge) {
        klm_say(KLM_MSG_DELETE_HELD, name, klm_rc_text(KLM_E_NOMEM));
        return;
    }
    purge->server = server;
    purge->kind = kind;
    memcpy(purge->name, name, strnlen(name, sizeof purge->name - 1));
    if (server->options.offline) {
        run_all(purge);
    } else {
        start_next(purge);
    }
}

/* ---- At a start */

static klm_rc resume_client(void *arg, const struct dt_client *client)
{
    if (client->closed) {
        km_purge_start(arg, 'C', client->name);
    }
    return KLM_OK;
}

static klm_rc resume_group(void *arg, const struct dt_device_group *group)
{
    if (group->closed) {
        km_purge_start(arg, 'G', group->name);
    }
    return KLM_OK;
}

void km_purge_resume(struct km_server *server)
{
    struct st_view *view;

    if (server->options.offline || st_view_open(server->store, &view) != KLM_OK) {
        return;
    }
    KLM_IGNORE(
        dt_client_scan(view, resume_client, server)); /* its failures were said at the load */
    KLM_IGNORE(dt_device_group_scan(view, resume_group, server));
    st_view_close(&view);
}
