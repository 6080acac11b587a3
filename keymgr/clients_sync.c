/* Clients of KMIP and their device groups between partners: what operators registered, never what is secret. Verifiers of passwords, what is kept of hashed ones and one-time passwords
 * stay where they were set; that they are asked for travels, so that a partner that does not have them refuses the client rather than ask for less. Objects travel with backups.
 *
 * Bytes, numbers big-endian, s8 a length of one byte and that many bytes: u8 version 1; u32 groups, each s8 name, u8 flags (1 clients may destroy), s8 prefix, 8 added; u32 clients, each
 * s8 name, s8 group, u8 flags (2 has a password, 8 has to show one-time passwords), s8 user, s8 device, 8 added, 2 length of the certificate, the certificate (DER, or none yet). */
#include "keymgr/clients.h"

#include "drivetable/client_record.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1
#define MAY_DESTROY 1
#define HAS_PASSWORD 2
#define ONCE 8
#define BYTES_MAX (64u << 20)
#define CLIENT_LEAST 16 /* bytes of one */

/* ---- Given */

struct giving {
    struct klm_buf *out;
    uint32_t n;
};

static klm_rc give_group(void *arg, const struct dt_device_group *group)
{
    struct giving *giving = arg;

    if (!group->closed) {
        klm_buf_lp8(giving->out, klm_slice_str(group->name));
        klm_buf_u8(giving->out, group->kmip_delete ? MAY_DESTROY : 0);
        klm_buf_lp8(giving->out, klm_slice_str(group->prefix));
        klm_buf_u64(giving->out, (uint64_t)group->added);
        giving->n++;
    }
    return klm_buf_rc(giving->out);
}

static klm_rc give_client(void *arg, const struct dt_client *client)
{
    struct giving *giving = arg;

    if (!client->closed) {
        klm_buf_lp8(giving->out, klm_slice_str(client->name));
        klm_buf_lp8(giving->out, klm_slice_str(client->group));
        klm_buf_u8(giving->out, (uint8_t)((client->has_password ? HAS_PASSWORD : 0) |
                                          (client->once ? ONCE : 0)));
        klm_buf_lp8(giving->out, klm_slice_str(client->user));
        klm_buf_lp8(giving->out, klm_slice_str(client->device));
        klm_buf_u64(giving->out, (uint64_t)client->added);
        klm_buf_lp16(giving->out, client->cert);
        giving->n++;
    }
    return klm_buf_rc(giving->out);
}

static klm_rc encode(struct st_view *view, struct klm_buf *out, bool *any)
{
    KLM_AUTO(klm_buf_done) struct klm_buf groups = {0}, clients = {0};
    struct giving group = {.out = &groups}, client = {.out = &clients};

    klm_buf_init(&groups, BYTES_MAX);
    klm_buf_init(&clients, BYTES_MAX);
    KLM_TRY(dt_device_group_scan(view, give_group, &group));
    KLM_TRY(dt_client_scan(view, give_client, &client));
    klm_buf_u8(out, VERSION);
    klm_buf_u32(out, group.n);
    klm_buf_slice(out, klm_buf_as_slice(&groups));
    klm_buf_u32(out, client.n);
    klm_buf_slice(out, klm_buf_as_slice(&clients));
    *any = group.n + client.n > 0;
    return klm_buf_rc(out);
}

/* No byte: there are none. */
klm_rc km_sync_clients_give_prepare(struct km_call *call)
{
    KLM_AUTO(klm_buf_done) struct klm_buf out = {0};
    struct st_view *view;
    bool any = false;
    klm_rc rc;

    klm_buf_init(&out, BYTES_MAX);
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = encode(view, &out, &any);
    st_view_close(&view);
    KLM_TRY(rc);
    return any ? klm_pool_slice(call->pool, klm_buf_as_slice(&out), &call->bytes) : KLM_OK;
}

/* ---- Read */

static void read_group(struct klm_cur *cur, struct dt_device_group *out)
{
    uint8_t flags;

    klm_cur_text8(cur, sizeof out->name, out->name);
    klm_cur_u8(cur, &flags);
    klm_cur_text8(cur, sizeof out->prefix, out->prefix);
    klm_cur_i64(cur, &out->added);
    out->kmip_delete = flags & MAY_DESTROY;
    if ((flags & ~MAY_DESTROY) || dt_device_group_check(out->name) != KLM_OK ||
        dt_prefix_check(out->prefix) != KLM_OK || out->added < 0) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

static bool has_group(struct km_clients_taken *taken, const char *name)
{
    return km_textset_has(&taken->named_groups, name) || dt_group_own(name);
}

/* Fingerprint and dates are those of the certificate, whatever the partner knows. */
static void read_client(struct km_call *call, struct klm_cur *cur, struct km_clients_taken *taken,
                        struct dt_client *out)
{
    struct klm_slice cert;
    uint8_t flags;

    klm_cur_text8(cur, sizeof out->name, out->name);
    klm_cur_text8(cur, sizeof out->group, out->group);
    klm_cur_u8(cur, &flags);
    klm_cur_text8(cur, sizeof out->user, out->user);
    klm_cur_text8(cur, sizeof out->device, out->device);
    klm_cur_i64(cur, &out->added);
    klm_cur_lp16(cur, DT_CLIENT_CERT_MAX, &cert);
    out->has_password = flags & HAS_PASSWORD;
    out->once = flags & ONCE;
    if (klm_cur_rc(cur) != KLM_OK) {
        return;
    }
    if ((flags & ~(HAS_PASSWORD | ONCE)) || !has_group(taken, out->group) ||
        (cert.n > 0 && km_client_cert(call, cert, out) != KLM_OK) ||
        dt_client_check(out) != KLM_OK) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

static klm_rc count_of(struct klm_cur *cur, size_t most, uint32_t *out)
{
    klm_cur_u32(cur, out);
    return klm_cur_rc(cur) == KLM_OK && *out <= most && *out <= klm_cur_left(cur) ? KLM_OK
                                                                                  : KLM_E_INVALID;
}

static klm_rc read_all(struct km_call *call, struct klm_cur *cur, struct km_clients_taken *taken)
{
    uint8_t version;

    klm_cur_u8(cur, &version);
    if (version != VERSION) {
        return KLM_E_INVALID;
    }
    KLM_TRY(count_of(cur, DT_DEVICE_GROUPS_MAX, &taken->groups));
    taken->group = klm_pool_alloc(call->pool, (taken->groups + 1) * sizeof *taken->group);
    KLM_TRY(km_textset_init(&taken->named_groups, call->pool, taken->groups));
    for (uint32_t i = 0; taken->group && i < taken->groups; i++) {
        read_group(cur, &taken->group[i]);
        km_textset_put(&taken->named_groups, taken->group[i].name);
    }
    KLM_TRY(count_of(cur, DT_CLIENTS_MAX, &taken->clients));
    if (taken->clients > klm_cur_left(cur) / CLIENT_LEAST) {
        return KLM_E_INVALID;
    }
    taken->client = klm_pool_alloc(call->pool, (taken->clients + 1) * sizeof *taken->client);
    if (!taken->group || !taken->client) {
        return KLM_E_NOMEM;
    }
    for (uint32_t i = 0; i < taken->clients && klm_cur_rc(cur) == KLM_OK; i++) {
        read_client(call, cur, taken, &taken->client[i]);
    }
    klm_cur_end(cur);
    return klm_cur_rc(cur);
}

/* Off the writer: certificates are read, and what is damaged is refused before anything changes. */
klm_rc km_sync_clients_take_prepare(struct km_call *call)
{
    const struct km_file_req *req = call->req;
    struct km_clients_taken *taken = klm_pool_alloc(call->pool, sizeof *taken);
    struct klm_cur cur;
    klm_rc rc;

    if (!taken) {
        return KLM_E_NOMEM;
    }
    call->work = taken;
    klm_cur_init(&cur, req->bytes);
    rc = read_all(call, &cur, taken);
    return rc == KLM_OK || rc == KLM_E_NOMEM
               ? rc
               : KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_SYNC_CLIENTS);
}

/* ---- Taken */

static klm_rc tell(struct km_call *call, const char *name, const char *old, const char *now)
{
    const struct km_news news = {
        .what = KM_HAP_CLIENT_TAKEN, .object = name, .old = old, .now = now};

    return km_more(call, &news);
}

static klm_rc take_group(struct km_call *call, struct st_change *change,
                         struct km_clients_taken *taken, const struct dt_device_group *group)
{
    struct dt_device_group there = {0};
    klm_rc rc = dt_device_group_get(st_change_view(change), group->name, &there);

    if (rc == KLM_OK && there.closed) {
        taken->left++;
        return KLM_OK;
    }
    if (rc == KLM_OK && there.kmip_delete == group->kmip_delete &&
        strcmp(there.prefix, group->prefix) == 0) {
        return KLM_OK;
    }
    if (rc != KLM_OK && rc != KLM_E_NOTFOUND && rc != KLM_E_CORRUPT) {
        return rc;
    }
    taken->added += rc != KLM_OK;
    taken->changed += rc == KLM_OK;
    KLM_TRY(tell(call, group->name, rc == KLM_OK ? "device group" : NULL,
                 group->kmip_delete ? "device group, its clients may destroy" : "device group"));
    return dt_device_group_put(change, group);
}

/* What the partner says of a client over what is here. Merged, it never asks for less than before. */
static struct dt_client become(const struct dt_client *there, const struct dt_client *from,
                               bool rewrite)
{
    struct dt_client after = *from;

    after.added = there->added;
    after.last = there->last;
    after.has_password |= !rewrite && there->has_password;
    after.once |= !rewrite && there->once;
    if (after.has_password) {
        memcpy(after.verifier, there->verifier, sizeof after.verifier);
    }
    if (after.has_password && strcmp(there->user, after.user) == 0) {
        memcpy(after.hashed, there->hashed, sizeof after.hashed);
    }
    return after;
}

static bool same(const struct dt_client *a, const struct dt_client *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->fingerprint, b->fingerprint) == 0 &&
           strcmp(a->group, b->group) == 0 && strcmp(a->user, b->user) == 0 &&
           strcmp(a->device, b->device) == 0 && a->has_password == b->has_password &&
           a->once == b->once && strcmp(a->hashed, b->hashed) == 0;
}

/* The client that is meant: by its certificate, which it is, else by its name. KLM_E_EXISTS: these are two. */
static klm_rc find_there(struct km_call *call, struct st_view *view, const struct dt_client *from,
                         struct dt_client *there)
{
    struct dt_client named;
    klm_rc by_name = dt_client_get(view, from->name, call->pool, &named);
    klm_rc by_cert = from->fingerprint[0]
                         ? dt_client_find(view, from->fingerprint, call->pool, there)
                         : KLM_E_NOTFOUND;

    if (by_cert == KLM_OK) {
        return by_name == KLM_E_NOTFOUND || strcmp(there->name, from->name) == 0 ? KLM_OK
                                                                                 : KLM_E_EXISTS;
    }
    if (by_cert == KLM_E_NOTFOUND && by_name == KLM_OK) {
        *there = named;
    }
    return by_cert == KLM_E_NOTFOUND ? by_name : by_cert;
}

/* Objects of a group of its own would be out of everybody's reach. */
static klm_rc may_move(struct st_view *view, const struct dt_client *there,
                       const struct dt_client *after, bool *may)
{
    bool has = false;

    if (dt_group_own(there->group) && strcmp(there->group, after->group) != 0) {
        KLM_TRY(md_device_group_has(view, there->group, &has));
    }
    *may = !has && !there->closed;
    return KLM_OK;
}

static klm_rc put(struct km_call *call, struct st_change *change, const struct dt_client *before,
                  const struct dt_client *after)
{
    const struct dt_client *of = after ? after : before;

    KLM_TRY(dt_client_change(change, before, after));
    KLM_TRY(km_client_drop_hashed(change, before, after));
    if (after && after->fingerprint[0]) {
        klm_rc rc = dt_client_pending_delete(change, after->fingerprint);

        KLM_TRY(rc == KLM_E_NOTFOUND ? KLM_OK : rc); /* usually it did not wait */
    }
    return tell(call, of->name, before ? km_client_text(call, before) : NULL,
                after ? km_client_text(call, after) : NULL);
}

static klm_rc take_client(struct km_call *call, struct st_change *change,
                          struct km_clients_taken *taken, const struct dt_client *from)
{
    const struct km_file_req *req = call->req;
    struct dt_client there = {0}, after;
    bool may = false;
    klm_rc rc = find_there(call, st_change_view(change), from, &there);

    if (rc == KLM_E_NOTFOUND) {
        taken->added++;
        return put(call, change, NULL, from);
    }
    if (rc == KLM_E_EXISTS || rc == KLM_E_CORRUPT) { /* for an operator to look at */
        taken->left++;
        return KLM_OK;
    }
    KLM_TRY(rc);
    after = become(&there, from, req->rewrite);
    if (same(&there, &after)) {
        return KLM_OK;
    }
    KLM_TRY(may_move(st_change_view(change), &there, &after, &may));
    if (!may) {
        taken->left++;
        return KLM_OK;
    }
    taken->changed++;
    return put(call, change, &there, &after);
}

/* ---- Taken away: what the partner has not, unless it has objects, which takes a backup and two people */

struct sweeping {
    struct km_clients_taken *taken;
    char (*name)[DT_CLIENT_NAME_MAX + 1];
    size_t n, cap;
};

/* What came, by name and by fingerprint, so that each client that is here is looked up in it at the same cost. */
static klm_rc index_taken(struct km_call *call, struct km_clients_taken *taken)
{
    KLM_TRY(km_textset_init(&taken->names, call->pool, taken->clients));
    KLM_TRY(km_textset_init(&taken->fingerprints, call->pool, taken->clients));
    for (uint32_t i = 0; i < taken->clients; i++) {
        km_textset_put(&taken->names, taken->client[i].name);
        km_textset_put(&taken->fingerprints, taken->client[i].fingerprint);
    }
    return KLM_OK;
}

static bool is_taken(struct km_clients_taken *taken, const struct dt_client *client)
{
    return km_textset_has(&taken->names, client->name) ||
           km_textset_has(&taken->fingerprints, client->fingerprint);
}

static klm_rc note_missing(void *arg, const struct dt_client *client)
{
    struct sweeping *sweeping = arg;

    if (!client->closed && sweeping->n < sweeping->cap && !is_taken(sweeping->taken, client)) {
        memcpy(sweeping->name[sweeping->n++], client->name, sizeof client->name);
    }
    return KLM_OK;
}

static klm_rc remove_client(struct km_call *call, struct st_change *change,
                            struct km_clients_taken *taken, const char *name)
{
    struct dt_client client;
    bool objects = false;

    KLM_TRY(dt_client_get(st_change_view(change), name, call->pool, &client));
    KLM_TRY(km_client_has_objects(st_change_view(change), &client, &objects));
    if (objects) {
        taken->left++;
        return KLM_OK;
    }
    taken->removed++;
    KLM_TRY(km_delete_forget(change, 'C', name));
    return put(call, change, &client, NULL);
}

static klm_rc sweep(struct km_call *call, struct st_change *change, struct km_clients_taken *taken)
{
    struct sweeping sweeping = {.taken = taken, .cap = dt_clients_count(call->server->clients)};

    KLM_TRY(index_taken(call, taken));
    sweeping.name = klm_pool_alloc(call->pool, (sweeping.cap + 1) * sizeof *sweeping.name);
    if (!sweeping.name) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(dt_client_scan(st_change_view(change), note_missing, &sweeping));
    for (size_t i = 0; i < sweeping.n; i++) {
        KLM_TRY(remove_client(call, change, taken, sweeping.name[i]));
    }
    return KLM_OK;
}

static klm_rc check_room(struct km_call *call, const struct km_clients_taken *taken)
{
    const struct dt_clients *clients = call->server->clients;

    if (dt_clients_count(clients) + taken->clients > 2u * DT_CLIENTS_MAX ||
        dt_clients_groups(clients) + taken->groups > 2u * DT_DEVICE_GROUPS_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_CLIENTS_FULL, KLM_NUM(DT_CLIENTS_MAX));
    }
    return KLM_OK;
}

klm_rc km_sync_clients_take_apply(struct km_call *call, struct st_change *change)
{
    const struct km_file_req *req = call->req;
    struct km_clients_taken *taken = call->work;

    KLM_TRY(check_room(call, taken));
    taken->added = taken->changed = taken->removed = taken->left = 0;
    for (uint32_t i = 0; i < taken->groups; i++) {
        KLM_TRY(take_group(call, change, taken, &taken->group[i]));
    }
    if (req->rewrite) { /* first, so that their names are free */
        KLM_TRY(sweep(call, change, taken));
    }
    for (uint32_t i = 0; i < taken->clients; i++) {
        KLM_TRY(take_client(call, change, taken, &taken->client[i]));
    }
    call->text = klm_pool_printf(
        call->pool,
        "%zu clients and device groups added, %zu changed, %zu removed; %zu left as they are",
        taken->added, taken->changed, taken->removed, taken->left);
    call->event.field[SMF_F_NEW] = call->text;
    return call->text ? KLM_OK : KLM_E_NOMEM;
}

void km_sync_clients_publish(struct km_call *call)
{
    km_clients_reload(call->server);
}
