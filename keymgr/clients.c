/* Verbs on clients of KMIP: add, modify, list; and the snapshot of them. */
#include "keymgr/clients.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LIST_DEFAULT 1000000

/* ---- The snapshot */

struct dt_clients *km_clients(struct km_server *server)
{
    struct dt_clients *clients;

    pthread_rwlock_rdlock(&server->state_lock);
    clients = dt_clients_ref(server->clients);
    pthread_rwlock_unlock(&server->state_lock);
    return clients;
}

void km_clients_swap(struct km_server *server, struct dt_clients *take_clients)
{
    struct dt_clients *old;

    pthread_rwlock_wrlock(&server->state_lock);
    old = server->clients;
    server->clients = take_clients;
    pthread_rwlock_unlock(&server->state_lock);
    dt_clients_free(&old);
}

klm_rc km_clients_load(struct km_server *server, struct klm_diag *diag)
{
    struct dt_clients *clients = NULL;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(server->store, &view));
    rc = dt_clients_load(view, &clients);
    st_view_close(&view);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_CLIENTS_UNREAD, klm_rc_text(rc));
    }
    km_clients_swap(server, clients);
    return KLM_OK;
}

/* The snapshot lacks memory, or does not fit the change: what the store says counts. */
void km_clients_reload(struct km_server *server)
{
    struct klm_diag diag = {0};

    if (km_clients_load(server, &diag) != KLM_OK) {
        klm_say_diag(&diag);
    }
}

void km_clients_changed(struct km_server *server, const struct dt_client *before,
                        const struct dt_client *after)
{
    struct dt_clients *clients = NULL;

    if (dt_clients_with(server->clients, before, after, &clients) == KLM_OK) {
        km_clients_swap(server, clients);
    } else {
        km_clients_reload(server);
    }
}

void km_groups_changed(struct km_server *server, const char *before,
                       const struct dt_device_group *after)
{
    struct dt_clients *clients = NULL;

    if (dt_clients_with_group(server->clients, before, after, &clients) == KLM_OK) {
        km_clients_swap(server, clients);
    } else {
        km_clients_reload(server);
    }
}

void km_client_publish(struct km_call *call)
{
    const struct km_client_work *work = call->work;

    km_clients_changed(call->server, work->had ? &work->before : NULL,
                       work->has ? &work->after : NULL);
}

/* ---- What a request says */

const char *km_group_shown(const char *group)
{
    return dt_group_own(group) ? DT_GROUP_NONE : group;
}

const char *km_client_text(struct km_call *call, const struct dt_client *client)
{
    return klm_pool_printf(call->pool,
                           "name=%s group=%s certificate=%s user=%s password=%s device=%s%s%s",
                           client->name, km_group_shown(client->group), client->fingerprint,
                           client->user, client->has_password ? "yes" : "no", client->device,
                           client->hashed[0] ? " hashed=yes" : "", client->once ? " once=yes" : "");
}

klm_rc km_client_cert(struct km_call *call, struct klm_slice der, struct dt_client *given)
{
    struct kr_cert_info info;

    if (der.n > DT_CLIENT_CERT_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_CLIENT_CERT_LONG,
                         KLM_NUM(DT_CLIENT_CERT_MAX));
    }
    KLM_TRY(kr_cert_info(der, call->pool, &info));
    memcpy(given->fingerprint, info.fingerprint, sizeof given->fingerprint);
    given->from = info.not_before;
    given->until = info.not_after;
    given->cert = der;
    return KLM_OK;
}

/* The owner of the key ring served, when the operator names none. */
static const char *default_owner(const struct km_call *call, struct parm_ring *ring)
{
    const char *value = parm_str(call->state->config, PARM_config_keystore_file);

    return value && parm_ring(value, ring) == KLM_OK ? ring->owner : "";
}

static klm_rc from_label(struct km_call *call, const struct km_client_req *req,
                         struct dt_client *given)
{
    struct parm_ring ring;
    const char *owner = req->owner ? req->owner : default_owner(call, &ring);
    struct kr_cert cert;
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(st_view_open(call->server->store, &view));
    rc = kr_cert_get(view, owner, req->label, call->pool, &cert);
    st_view_close(&view);
    if (rc == KLM_E_NOTFOUND || rc == KLM_E_INVALID || rc == KLM_E_LIMIT) {
        return km_cert_missing(call, owner, req->label);
    }
    KLM_TRY(rc);
    return km_client_cert(call, cert.der, given);
}

static klm_rc read_cert(struct km_call *call, const struct km_client_req *req,
                        struct dt_client *given)
{
    struct klm_slice der;

    if (req->cert.n > 0 && req->label) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLIENT_CERTS, req->name);
    }
    if (req->label) {
        return from_label(call, req, given);
    }
    if (!req->cert.p) {
        return KLM_OK;
    }
    KLM_TRY(kr_cert_parse(req->cert, call->pool, &der, &call->diag));
    return km_client_cert(call, der, given);
}

static klm_rc read_password(struct km_call *call, const char *password, struct dt_client *given)
{
    klm_rc rc;

    if (!password) {
        return KLM_OK;
    }
    rc = kr_verifier_make(klm_slice_str(password), given->verifier);
    if (rc == KLM_E_LIMIT) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLIENT_PASSWORD, KLM_NUM(KR_VERIFIER_LEAST),
                         KLM_NUM(KR_VERIFIER_MOST));
    }
    KLM_TRY(rc);
    given->has_password = true;
    return KLM_OK;
}

static klm_rc check_name(struct km_call *call, const char *name)
{
    return !name || dt_client_name_check(name) == KLM_OK
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_CLIENT_NAME, name);
}

klm_rc km_client_read(struct km_call *call, struct km_client_work **out)
{
    const struct km_client_req *req = call->req;
    struct km_client_work *work = klm_pool_alloc(call->pool, sizeof *work);

    if (!work) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(check_name(call, req->name));
    KLM_TRY(check_name(call, req->newname));
    KLM_TRY(dt_group_own_new(work->given.group));
    KLM_TRY(read_cert(call, req, &work->given));
    KLM_TRY(read_password(call, req->password, &work->given));
    KLM_TRY(km_client_read_proof(call, work));
    call->work = work;
    *out = work;
    return KLM_OK;
}

/* ---- Group and credentials */

static bool is_none(const char *group)
{
    return !*group || strcasecmp(group, DT_GROUP_NONE) == 0;
}

static klm_rc set_group(struct km_call *call, struct st_view *view, const char *name,
                        struct dt_client *client)
{
    const struct km_client_work *work = call->work;
    struct dt_device_group group;
    klm_rc rc;

    if (is_none(name)) {
        if (!dt_group_own(client->group)) {
            memcpy(client->group, work->given.group, sizeof client->group);
        }
        return KLM_OK;
    }
    rc = dt_device_group_get(view, name, &group);
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_DEVICE_GROUP_NOT_FOUND, name);
    }
    KLM_TRY(rc);
    if (group.closed) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, name);
    }
    memcpy(client->group, group.name, sizeof client->group);
    return KLM_OK;
}

klm_rc km_client_fill(struct km_call *call, struct st_view *view, struct dt_client *client)
{
    const struct km_client_req *req = call->req;
    const struct km_client_work *work = call->work;

    if (req->group || !client->group[0]) {
        KLM_TRY(set_group(call, view, req->group ? req->group : DT_GROUP_NONE, client));
    }
    if (req->user) {
        snprintf(client->user, sizeof client->user, "%s", req->user);
    }
    if (req->device) {
        snprintf(client->device, sizeof client->device, "%s", req->device);
    }
    if (work->given.has_password || req->nopassword) {
        client->has_password = work->given.has_password;
        memcpy(client->verifier, work->given.verifier, sizeof client->verifier);
    }
    KLM_TRY(km_client_fill_proof(call, client));
    if (work->given.fingerprint[0]) {
        memcpy(client->fingerprint, work->given.fingerprint, sizeof client->fingerprint);
        client->from = work->given.from;
        client->until = work->given.until;
        client->cert = work->given.cert;
    }
    return KLM_OK;
}

/* ---- Into the store */

static klm_rc refuse_taken(struct km_call *call, struct st_view *view,
                           const struct dt_client *client)
{
    struct dt_client other;

    if (dt_client_find(view, client->fingerprint, NULL, &other) != KLM_OK) {
        snprintf(other.name, sizeof other.name, "%s", "?");
    }
    return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_CLIENT_CERT_TAKEN, other.name);
}

klm_rc km_client_put(struct km_call *call, struct st_change *change, const struct dt_client *before,
                     const struct dt_client *after)
{
    struct km_client_work *work = call->work;
    klm_rc rc = dt_client_change(change, before, after);

    if (rc == KLM_E_EXISTS) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_NAME_TAKEN, after->name);
    }
    if (rc == KLM_E_BUSY) {
        return refuse_taken(call, st_change_view(change), after);
    }
    KLM_TRY(rc);
    KLM_TRY(km_client_put_proof(call, change, before, after));
    work->had = before != NULL;
    work->has = after != NULL;
    if (before) {
        work->before = *before;
        call->event.field[SMF_F_OLD] = km_client_text(call, before);
    }
    if (after) {
        work->after = *after;
        call->event.field[SMF_F_NEW] = km_client_text(call, after);
        call->event.field[SMF_F_CLIENT] = klm_pool_str(call->pool, after->fingerprint);
    }
    return KLM_OK;
}

klm_rc km_client_put_new(struct km_call *call, struct st_change *change, struct dt_client *client)
{
    const struct km_client_req *req = call->req;
    klm_rc rc;

    if (dt_clients_count(call->server->clients) >= DT_CLIENTS_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_CLIENTS_FULL, KLM_NUM(DT_CLIENTS_MAX));
    }
    snprintf(client->name, sizeof client->name, "%s", req->name);
    client->added = klm_clock();
    KLM_TRY(km_client_fill(call, st_change_view(change), client));
    KLM_TRY(km_client_put(call, change, NULL, client));
    call->text = klm_pool_printf(call->pool, "Client %s is registered, group %s, certificate %s",
                                 client->name, km_group_shown(client->group),
                                 client->fingerprint[0] ? client->fingerprint : "none yet");
    if (!client->fingerprint[0]) {
        return KLM_OK;
    }
    rc = dt_client_pending_delete(change, client->fingerprint);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc; /* usually it did not wait */
}

klm_rc km_client_add_prepare(struct km_call *call)
{
    struct km_client_work *work;

    return km_client_read(call, &work);
}

klm_rc km_client_add_apply(struct km_call *call, struct st_change *change)
{
    struct dt_client client = {0};

    return km_client_put_new(call, change, &client);
}

/* ---- Modify */

klm_rc km_client_open(struct km_call *call, struct st_view *view, const char *name,
                      struct dt_client *out)
{
    klm_rc rc = dt_client_get(view, name, call->pool, out);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_NOT_FOUND, name);
    }
    if (rc == KLM_E_CORRUPT) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_DAMAGED, name);
    }
    KLM_TRY(rc);
    return out->closed ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_DELETE_CLOSED, name) : KLM_OK;
}

klm_rc km_client_modify_prepare(struct km_call *call)
{
    struct km_client_work *work;

    return km_client_read(call, &work);
}

/* What a client without a group has made would be out of everybody's reach. */
static klm_rc may_leave(struct km_call *call, struct st_view *view, const struct dt_client *before,
                        const struct dt_client *after)
{
    bool has = false;

    if (!dt_group_own(before->group) || strcmp(before->group, after->group) == 0) {
        return KLM_OK;
    }
    KLM_TRY(md_device_group_has(view, before->group, &has));
    return has ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_CLIENT_ALONE, before->name) : KLM_OK;
}

klm_rc km_client_modify_apply(struct km_call *call, struct st_change *change)
{
    const struct km_client_req *req = call->req;
    struct st_view *view = st_change_view(change);
    struct dt_client before, after;

    KLM_TRY(km_client_open(call, view, req->name, &before));
    after = before;
    KLM_TRY(km_client_fill(call, view, &after));
    if (req->newname) {
        memset(after.name, 0, sizeof after.name);
        snprintf(after.name, sizeof after.name, "%s", req->newname);
        KLM_TRY(km_delete_forget(change, 'C', before.name));
    }
    KLM_TRY(may_leave(call, view, &before, &after));
    return km_client_put(call, change, &before, &after);
}

/* ---- List */

struct listing {
    struct km_call *call;
    struct st_view *view;
    bool verbose;
    const char *group;
    size_t left;
};

static const char *date_of(struct km_call *call, klm_time t, const char *none)
{
    char text[KLM_JAVA_DATE_MAX];

    if (t == 0) {
        return none;
    }
    klm_java_date(t, text);
    return klm_pool_str(call->pool, text);
}

static const char *subject_of(struct km_call *call, struct klm_slice cert)
{
    struct kr_cert_info info;

    return cert.n > 0 && kr_cert_info(cert, call->pool, &info) == KLM_OK ? info.subject : "";
}

/* How many are left; those of a client that came from another server are there alone. */
static const char *once_of(const struct listing *listing, const struct dt_client *client)
{
    struct dt_proof proof;

    if (!client->once) {
        return "no";
    }
    return dt_proof_get(listing->view, client->name, &proof) == KLM_OK
               ? klm_pool_printf(listing->call->pool, "%zu left", proof.n)
               : "none here";
}

static klm_rc list_all(const struct listing *listing, const struct dt_client *client)
{
    struct km_call *call = listing->call;

    return km_rows_add(
        call,
        (const char *[]){client->name, km_group_shown(client->group), client->fingerprint,
                         subject_of(call, client->cert), date_of(call, client->until, ""),
                         client->user, client->has_password ? "yes" : "no", client->device,
                         client->hashed[0] ? "yes" : "no", once_of(listing, client),
                         date_of(call, client->added, ""), date_of(call, client->last, "never"),
                         client->closed ? "being deleted" : "active"});
}

static bool in_group(const struct dt_client *client, const char *group)
{
    return !group ||
           (is_none(group) ? dt_group_own(client->group) : strcmp(client->group, group) == 0);
}

static klm_rc list_one(void *arg, const struct dt_client *client)
{
    struct listing *listing = arg;

    if (!in_group(client, listing->group)) {
        return KLM_OK;
    }
    if (listing->left == 0) {
        return KLM_E_LIMIT;
    }
    listing->left--;
    return listing->verbose
               ? list_all(listing, client)
               : km_rows_add(listing->call,
                             (const char *[]){client->name, km_group_shown(client->group),
                                              date_of(listing->call, client->last, "never"),
                                              client->fingerprint});
}

static klm_rc list_named(struct listing *listing, struct st_view *view, const char *name)
{
    struct km_call *call = listing->call;
    struct dt_client client;
    klm_rc rc = dt_client_get(view, name, call->pool, &client);

    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_NOT_FOUND, name);
    }
    return rc == KLM_E_CORRUPT ? KM_REFUSE(call, rc, 0, KLM_MSG_CLIENT_DAMAGED, name)
           : rc == KLM_OK      ? list_one(listing, &client)
                               : rc;
}

/* From the store, not from the snapshot: certificates and contacts are only there. */
klm_rc km_client_list_prepare(struct km_call *call)
{
    static const char *const few[] = {"Name", "Group", "Last Contact", "Certificate", NULL};
    static const char *const all[] = {
        "Name",   "Group",  "Certificate", "Subject", "Valid Until",  "User",  "Password",
        "Device", "Hashed", "One-Time",    "Added",   "Last Contact", "State", NULL};
    const struct km_client_req *req = call->req;
    struct listing listing = {.call = call,
                              .verbose = req->verbose || req->name,
                              .group = req->group,
                              .left = req->limit > 0 ? (size_t)req->limit : LIST_DEFAULT};
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(km_rows_begin(call, "Clients", listing.verbose ? all : few));
    KLM_TRY(st_view_open(call->server->store, &view));
    listing.view = view;
    rc = req->name ? list_named(&listing, view, req->name)
                   : dt_client_scan(view, list_one, &listing);
    st_view_close(&view);
    return rc == KLM_E_LIMIT && listing.left == 0 ? KLM_OK : rc;
}

/* ---- Who calls */

bool km_client_registered(struct km_server *server, const char *fingerprint)
{
    struct dt_clients *clients = km_clients(server);
    bool is = dt_clients_find(clients, fingerprint) != NULL;

    dt_clients_free(&clients);
    return is;
}

klm_rc km_client_actor(const struct dt_clients *clients, const struct dt_client *client,
                       const char *address, const char *session, struct klm_diag *diag,
                       struct km_actor *out)
{
    const struct dt_device_group *group;
    klm_time now = klm_clock();

    if (!client) {
        return KLM_E_NOTFOUND;
    }
    if (client->closed) {
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_DELETE_CLOSED, client->name);
    }
    if (now < client->from || now > client->until) {
        char from[KLM_JAVA_DATE_MAX], until[KLM_JAVA_DATE_MAX];

        klm_java_date(client->from, from);
        klm_java_date(client->until, until);
        return klm_fail(diag, KLM_E_DENIED, KLM_MSG_CLIENT_NOT_VALID, client->name, from, until);
    }
    group = dt_clients_group(clients, client->group);
    *out = (struct km_actor){.kind = KM_ACTOR_CLIENT,
                             .roles = KM_ROLE_CLIENT,
                             .name = client->name,
                             .address = address,
                             .fingerprint = client->fingerprint,
                             .session = session,
                             .group = client->group,
                             .registered = true,
                             .may_destroy = group && group->kmip_delete && !group->closed};
    return KLM_OK;
}

/* The client as this change leaves it. What the batch has of clients is not in the snapshot before its end. */
static klm_rc client_now(struct km_call *call, struct st_change *change, struct dt_client *out)
{
    struct dt_clients *clients;
    const struct dt_client *client;

    if (st_change_touches(change, ST_CLIENT)) {
        return dt_client_find(st_change_view(change), call->actor.fingerprint, NULL, out);
    }
    clients = km_clients(call->server);
    client = dt_clients_find(clients, call->actor.fingerprint);
    if (client) {
        *out = *client;
    }
    dt_clients_free(&clients);
    return client ? KLM_OK : KLM_E_NOTFOUND;
}

klm_rc km_client_still(struct km_call *call, struct st_change *change)
{
    struct dt_client client;
    klm_rc rc;

    if (!call->actor.registered) {
        return KLM_OK;
    }
    rc = client_now(call, change, &client);
    if (rc == KLM_E_NOTFOUND ||
        (rc == KLM_OK && (client.closed || strcmp(client.group, call->actor.group) != 0))) {
        return KM_REFUSE(call, KLM_E_DENIED, 0xEE30, KLM_MSG_NOT_AUTHORISED, call->actor.name,
                         km_verb(call->id)->name);
    }
    return rc;
}

void km_client_seen(struct km_server *server, const char *fingerprint)
{
    dt_seen_note(server->seen, fingerprint, klm_clock());
}

klm_rc km_clients_rows(struct km_call *call)
{
    struct dt_clients *clients = km_clients(call->server);
    const char *count = KLM_NUM(dt_clients_count(clients));
    const char *groups = KLM_NUM(dt_clients_groups(clients));
    klm_rc rc = km_rows_add(call, (const char *[]){"Clients", count});

    dt_clients_free(&clients);
    KLM_TRY(rc);
    KLM_TRY(km_rows_add(call, (const char *[]){"Device groups", groups}));
    return km_clients_pending_row(call);
}
