/* Verbs on stored keys: make a range of them, delete them. A stored key is a key token whose label is its alias. */
#include "keymgr/internal.h"

#include <ctype.h>
#include <string.h>

#define KEYS_MAX 65536 /* made or deleted by one command */

klm_rc km_key_there(struct st_view *view, const char *alias)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct klm_slice token;
    struct kr_spec spec = {0};
    klm_rc rc;

    KLM_TRY(klm_pool_new(0, &pool));
    rc = kr_token_get(view, alias, pool, &token);
    if (rc == KLM_OK) {
        rc = kr_token_spec(token, &spec);
    }
    return rc == KLM_OK && spec.type != KR_AES ? KLM_E_NOTFOUND : rc;
}

klm_rc km_key_hardware(struct km_call *call, const char *alias)
{
    return parm_bool(call->state->config, PARM_requireHardwareProtectionForSymmetricKeys) &&
                   !kr_master_in_hardware(call->server->master)
               ? KM_REFUSE(call, KLM_E_DENIED, 0xEE31, KLM_MSG_STORED_HARDWARE, alias)
               : KLM_OK;
}

/* ---- Making keys */

struct new_keys {
    struct klm_alias_run run;
    size_t n;
    struct klm_slice *token; /* n of them */
};

/* zOSCompatibility, inferred: ICSF's labels in a CKDS are letters, digits, # $ @ and periods, the first no digit and no period. */
static bool ckds_label(const char *alias)
{
    for (const char *p = alias; *p; p++) {
        if (!isalnum((unsigned char)*p) && !strchr("#$@.", *p)) {
            return false;
        }
    }
    return !isdigit((unsigned char)alias[0]) && alias[0] != '.';
}

static klm_rc check_request(struct km_call *call, const struct km_keys_req *req,
                            struct klm_alias_run *run, size_t *n)
{
    uint64_t count;

    KLM_TRY(km_alias_run(call, req->range, run));
    /* A plain alias may have a hyphen, and those that exist are served. Who types one here means a range: "des01-" is not to become a key of that name. */
    if (!klm_alias_sequential(run->first) && strchr(run->first, '-')) {
        return KM_REFUSE(call, KLM_E_USAGE, 0, KLM_MSG_KEYS_RANGE, req->range);
    }
    count = klm_alias_run_count(run);
    if (count > KEYS_MAX) {
        return KM_REFUSE(call, KLM_E_LIMIT, 0, KLM_MSG_KEYS_MANY, req->range, KLM_NUM(KEYS_MAX));
    }
    *n = (size_t)count;
    return KLM_OK;
}

static klm_rc make_key(struct km_call *call, const char *alias, struct klm_slice *out)
{
    KLM_AUTO(kr_key_free) struct kr_key *key = NULL;
    KLM_AUTO(klm_buf_done) struct klm_buf buf = {0};

    klm_buf_init(&buf, 4096);
    KLM_TRY(kr_key_generate(&(struct kr_spec){KR_AES, 256}, &key));
    KLM_TRY(kr_token_seal(call->server->master, alias, key, &buf));
    return klm_pool_slice(call->pool, klm_buf_as_slice(&buf), out);
}

klm_rc km_keys_create_prepare(struct km_call *call)
{
    const struct km_keys_req *req = call->req;
    struct new_keys *made = klm_pool_alloc(call->pool, sizeof *made);
    char alias[KLM_ALIAS_MAX + 1];

    if (!made) {
        return KLM_E_NOMEM;
    }
    call->work = made;
    KLM_TRY(check_request(call, req, &made->run, &made->n));
    KLM_TRY(km_key_hardware(call, req->range));
    if (parm_bool(call->state->config, PARM_zOSCompatibility) && !ckds_label(made->run.first)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_KEY_CKDS, made->run.first);
    }
    made->token = klm_pool_alloc(call->pool, made->n * sizeof *made->token);
    if (!made->token) {
        return KLM_E_NOMEM;
    }
    memcpy(alias, made->run.first, sizeof alias);
    for (size_t i = 0; i < made->n; i++) {
        KLM_TRY(make_key(call, alias, &made->token[i]));
        (void)klm_alias_next(alias); /* false behind the last */
    }
    return KLM_OK;
}

/* Does a key exist whose alias differs from this in case alone? Of a sequential one only the three letters have a case. */
static klm_rc check_case(struct km_call *call, struct st_view *view, const char *alias)
{
    size_t n = klm_alias_sequential(alias) ? 3 : strlen(alias);
    char other[KLM_ALIAS_MAX + 1];

    for (unsigned mask = 1; mask < 1u << n; mask++) {
        bool differs = true;

        memcpy(other, alias, sizeof other);
        for (size_t i = 0; i < n; i++) {
            if (mask & 1u << i) {
                other[i] ^= 0x20;
                differs = differs && isalpha((unsigned char)alias[i]);
            }
        }
        if (differs && km_key_there(view, other) == KLM_OK) {
            return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_KEY_CKDS, alias);
        }
    }
    return KLM_OK;
}

/* Nothing else may be found where this alias, or its key identifier, is looked for. */
static klm_rc check_free(struct km_call *call, struct st_view *view, const char *alias)
{
    struct md_key_use use;
    struct md_group group;
    char twin[KLM_ALIAS_MAX + 1];

    if (md_group_get(view, alias, &group) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_GROUP_TAKEN, alias, "a key group");
    }
    if (klm_alias_twin(alias, twin) == KLM_OK && km_key_there(view, twin) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_KEY_TWIN, alias, twin);
    }
    if (md_key_use(view, alias, &use) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_KEY_ONCE, alias, use.volser);
    }
    return parm_bool(call->state->config, PARM_zOSCompatibility) ? check_case(call, view, alias)
                                                                 : KLM_OK;
}

static klm_rc put_key(struct km_call *call, struct st_change *change, const char *alias,
                      struct klm_slice token)
{
    if (kr_token_exists(st_change_view(change), alias) == KLM_OK) {
        return KM_REFUSE(call, KLM_E_EXISTS, 0, KLM_MSG_GROUP_TAKEN, alias, "a key");
    }
    KLM_TRY(check_free(call, st_change_view(change), alias));
    return kr_token_put(change, alias, token, false);
}

static klm_rc put_in_group(struct km_call *call, struct st_change *change, const char *group,
                           const struct klm_alias_run *run)
{
    klm_rc rc =
        strcmp(group, MD_KEYSET_GROUP) == 0 ? KLM_E_NOTFOUND : md_group_put(change, group, run);
    const struct km_keys_req *req = call->req;

    switch (rc) {
    case KLM_E_NOTFOUND:
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_UNKNOWN, group);
    case KLM_E_EXISTS: /* an operator's file may name keys that are still to come */
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_HAS, req->range, group);
    case KLM_E_LIMIT:
        return KM_REFUSE(call, rc, 0, KLM_MSG_GROUP_FULL, group, KLM_NUM(MD_GROUP_RUNS));
    default:
        return rc;
    }
}

klm_rc km_keys_create_apply(struct km_call *call, struct st_change *change)
{
    const struct km_keys_req *req = call->req;
    const struct new_keys *made = call->work;
    char alias[KLM_ALIAS_MAX + 1];

    call->event.field[SMF_F_NEW] = req->group;
    memcpy(alias, made->run.first, sizeof alias);
    for (size_t i = 0; i < made->n; i++) {
        KLM_TRY(put_key(call, change, alias, made->token[i]));
        (void)klm_alias_next(alias);
    }
    call->text = klm_pool_printf(call->pool, "%zu stored keys made", made->n);
    return req->group ? put_in_group(call, change, req->group, &made->run) : KLM_OK;
}

/* ---- Deleting keys */

klm_rc km_keys_delete_prepare(struct km_call *call)
{
    struct new_keys *keys = klm_pool_alloc(call->pool, sizeof *keys);

    if (!keys) {
        return KLM_E_NOMEM;
    }
    call->work = keys;
    return check_request(call, call->req, &keys->run, &keys->n);
}

static klm_rc keep_volser(void *arg, const struct md_usage *usage)
{
    memcpy(arg, usage->volser, sizeof usage->volser);
    return KLM_OK;
}

/* A lost key is lost data: by its mark, or by a usage event that was brought here. */
static klm_rc refuse_protecting(struct km_call *call, struct st_view *view, const char *alias)
{
    struct md_key_use use = {0};

    if (md_key_use(view, alias, &use) == KLM_E_NOTFOUND) {
        KLM_TRY(md_query(view, MD_BY_ALIAS, alias, 1, keep_volser, use.volser));
    }
    return use.volser[0] ? KM_REFUSE(call, KLM_E_STATE, 0, KLM_MSG_KEY_PROTECTS, alias, use.volser)
                         : KLM_OK;
}

/* The mark stays: no other key may ever have the alias. */
static klm_rc delete_key(struct km_call *call, struct st_change *change, const char *alias)
{
    const struct km_keys_req *req = call->req;
    struct st_view *view = st_change_view(change);

    if (km_key_there(view, alias) == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0, KLM_MSG_KEY_UNKNOWN, alias);
    }
    KLM_TRY(req->force ? KLM_OK : refuse_protecting(call, view, alias));
    return kr_token_delete(change, alias);
}

struct group_names {
    struct klm_pool *pool;
    const char **name;
    size_t n;
};

static klm_rc keep_name(void *arg, const struct md_group *group)
{
    struct group_names *names = arg;

    if (strcmp(group->name, MD_KEYSET_GROUP) == 0) {
        return KLM_OK;
    }
    names->name[names->n] = klm_pool_str(names->pool, group->name);
    return names->name[names->n++] ? KLM_OK : KLM_E_NOMEM;
}

static klm_rc take_out_of_groups(struct km_call *call, struct st_change *change,
                                 const struct klm_alias_run *run)
{
    struct group_names names = {call->pool, NULL, 0};
    uint64_t n;

    names.name = klm_pool_alloc(call->pool, (MD_GROUPS_MAX + 1) * sizeof *names.name);
    if (!names.name) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(md_group_scan(st_change_view(change), keep_name, &names));
    for (size_t i = 0; i < names.n; i++) {
        KLM_TRY(md_group_take_out(change, names.name[i], run, &n));
    }
    return KLM_OK;
}

klm_rc km_keys_delete_apply(struct km_call *call, struct st_change *change)
{
    const struct new_keys *keys = call->work;
    char alias[KLM_ALIAS_MAX + 1];

    memcpy(alias, keys->run.first, sizeof alias);
    for (size_t i = 0; i < keys->n; i++) {
        KLM_TRY(delete_key(call, change, alias));
        (void)klm_alias_next(alias);
    }
    call->text = klm_pool_printf(call->pool, "%zu stored keys deleted", keys->n);
    return take_out_of_groups(call, change, &keys->run);
}
