/* What happens when an LTO drive asks for a key. A write gets the next stored key of the drive's group; the batch that takes it off the group is on disk
 * before the key leaves, so no two drives ever get the same. A read names the key by the identifier on the cartridge. */
#include "keymgr/internal.h"

#include <stdio.h>
#include <string.h>

/* What apply decided and the last step opens. */
struct stored {
    struct klm_slice token;
    const uint8_t *session_key;
    const char *group; /* that gave the key; NULL: the drive names the key itself */
    uint64_t left;
};

/* May the drive use this key? Then its alias and identifier go into answer, event and usage. */
static klm_rc name_key(struct km_call *call, const char *alias)
{
    char hex[2 * KX_KEY_ID + 1];

    KLM_TRY(km_access_key(call, "", alias));
    snprintf(call->stored.alias, sizeof call->stored.alias, "%s", alias);
    klm_alias_id(alias, call->stored.key_id);
    klm_hex(call->stored.key_id, KX_KEY_ID, hex);
    call->keyed.labels_n = 1;
    call->keyed.labels[0].encoding = KX_ENC_LABEL;
    snprintf(call->keyed.labels[0].label, sizeof call->keyed.labels[0].label, "%s", alias);
    km_serve_labels(call);
    call->event.field[SMF_F_DKI] = klm_pool_str(call->pool, hex);
    return call->event.field[SMF_F_DKI] ? KLM_OK : KLM_E_NOMEM;
}

/* The way a key leaves: out of its token, wrapped for the session. On a worker: a master key in hardware takes its time. */
static klm_rc wrap(struct km_call *call)
{
    const struct stored *stored = call->work;
    klm_rc rc =
        kr_token_open(call->server->master, call->stored.alias, stored->token, &call->data_key);

    if (rc == KLM_OK) {
        rc = stored->session_key
                 ? kr_wrap_session(call->data_key, stored->session_key, call->stored.wrapped)
                 : KLM_E_INTERNAL;
    }
    return rc == KLM_OK ? rc
                        : KM_REFUSE(call, rc, 0xEE0F, KLM_MSG_STORED_OPEN, call->stored.alias,
                                    klm_rc_text(rc));
}

static klm_rc begin(struct km_call *call)
{
    const struct km_stored *req = call->req;
    struct stored *stored = klm_pool_alloc(call->pool, sizeof *stored);

    if (!stored) {
        return KLM_E_NOMEM;
    }
    stored->session_key = req->session_key;
    call->work = stored;
    return km_serve_describe(call, req->serial, req->volser);
}

klm_rc km_stored_create_prepare(struct km_call *call)
{
    KLM_TRY(begin(call));
    return km_key_hardware(call, klm_pool_printf(call->pool, "drive %s", call->drive.serial));
}

/* ---- Which key (PROTOCOL.md, 6.1) */

static klm_rc put_item(void *arg, struct klm_slice item)
{
    struct klm_alias_run run;
    klm_rc rc = klm_alias_run(item, &run);

    if (rc == KLM_OK) {
        rc = md_group_put(arg, MD_KEYSET_GROUP, &run);
    }
    return rc == KLM_E_EXISTS ? KLM_OK : rc; /* listed twice counts once */
}

struct name_check {
    struct km_call *call;
    struct st_view *view;
};

/* Reference 3.4: a key group stands alone. */
static klm_rc check_item(void *arg, struct klm_slice item)
{
    const struct name_check *check = arg;
    struct md_group group;
    char name[MD_GROUP_MAX + 1] = "";

    memcpy(name, item.p, item.n < MD_GROUP_MAX ? item.n : MD_GROUP_MAX);
    return md_group_get(check->view, name, &group) == KLM_OK
               ? KM_REFUSE(check->call, KLM_E_INVALID, 0xEE31, KLM_MSG_KEYSET_GROUPS, name)
               : KLM_OK;
}

/* The keys that symmetricKeySet lists are a group of their own, which follows the property. */
static klm_rc follow(struct km_call *call, struct st_change *change, const char *value)
{
    struct name_check check = {call, st_change_view(change)};
    struct md_group own;
    klm_rc rc = md_group_get(check.view, MD_KEYSET_GROUP, &own);

    KLM_TRY(parm_keyset_each(value, check_item, &check));
    if (rc == KLM_OK && strcmp(own.source, value) == 0) {
        return KLM_OK;
    }
    KLM_TRY(md_group_own(change, value));
    return parm_keyset_each(value, put_item, change);
}

static klm_rc from_group(struct km_call *call, struct st_change *change, const char *name,
                         char alias[KLM_ALIAS_MAX + 1])
{
    struct stored *stored = call->work;

    stored->group = klm_pool_str(call->pool, name);
    return stored->group ? md_group_next(change, name, call->event.field[SMF_F_VOLSER],
                                         call->event.time, alias, &stored->left)
                         : KLM_E_NOMEM;
}

/* The token of an AES-256 key. */
static klm_rc find_token(struct km_call *call, struct st_view *view, const char *alias)
{
    struct stored *stored = call->work;
    struct klm_slice token;
    struct kr_spec spec;

    KLM_TRY(kr_token_get(view, alias, call->pool, &token));
    KLM_TRY(kr_token_spec(token, &spec));
    if (spec.type != KR_AES || spec.bits != 256) {
        return KLM_E_NOTFOUND;
    }
    stored->token = token;
    return KLM_OK;
}

/* One key that the drive names. */
static klm_rc from_alias(struct km_call *call, struct st_change *change, const char *named,
                         char alias[KLM_ALIAS_MAX + 1])
{
    const char *volser = call->event.field[SMF_F_VOLSER];
    struct md_key_use use;
    klm_rc rc;

    rc = klm_alias(klm_slice_str(named), alias) == KLM_OK
             ? find_token(call, st_change_view(change), alias)
             : KLM_E_NOTFOUND;
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0xEE31, KLM_MSG_STORED_NAME, call->drive.serial, named);
    }
    KLM_TRY(rc);
    rc = md_key_take(change, alias, volser, call->event.time, &use);
    return rc == KLM_E_STATE
               ? KM_REFUSE(call, rc, 0xEE31, KLM_MSG_STORED_GIVEN, alias, use.volser, volser)
               : rc;
}

static klm_rc from_keyset(struct km_call *call, struct st_change *change, const char *value,
                          char alias[KLM_ALIAS_MAX + 1])
{
    struct md_group group;
    klm_rc rc;

    if (md_group_get(st_change_view(change), value, &group) == KLM_OK) {
        return from_group(call, change, value, alias);
    }
    rc = follow(call, change, value);
    if (rc == KLM_E_LIMIT) { /* one item, which is neither alias nor range */
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0xEE31, KLM_MSG_GROUP_UNKNOWN, value);
    }
    KLM_TRY(rc);
    return from_group(call, change, MD_KEYSET_GROUP, alias);
}

static klm_rc choose(struct km_call *call, struct st_change *change, const char **named,
                     char alias[KLM_ALIAS_MAX + 1])
{
    const char *keyset = parm_str(call->state->config, PARM_symmetricKeySet);
    struct md_group group;

    if (call->drive.symalias[0]) {
        *named = call->drive.symalias;
        return md_group_get(st_change_view(change), *named, &group) == KLM_OK
                   ? from_group(call, change, *named, alias)
                   : from_alias(call, change, *named, alias);
    }
    if (!keyset || !*keyset) {
        return KM_REFUSE(call, KLM_E_NOTFOUND, 0xEE31, KLM_MSG_STORED_NONE, call->drive.serial);
    }
    *named = "symmetricKeySet";
    return from_keyset(call, change, keyset, alias);
}

/* The refusal is answered, and what it found stays: a turn at its end. */
static klm_rc at_end(struct km_call *call)
{
    const struct stored *stored = call->work;

    KLM_IGNORE(KM_REFUSE(call, KLM_E_LIMIT, 0xEE31, KLM_MSG_GROUP_END, stored->group,
                         call->event.field[SMF_F_VOLSER]));
    return KLM_OK;
}

klm_rc km_stored_create_apply(struct km_call *call, struct st_change *change)
{
    char alias[KLM_ALIAS_MAX + 1] = "";
    const char *named = "";
    klm_rc rc;

    call->event.time = call->event.time ? call->event.time : klm_clock();
    rc = choose(call, change, &named, alias);
    if (rc == KLM_E_LIMIT && ((struct stored *)call->work)->group) {
        return at_end(call);
    }
    KLM_TRY(rc);
    rc = find_token(call, st_change_view(change), alias);
    if (rc == KLM_E_NOTFOUND) {
        return KM_REFUSE(call, rc, 0xEE31, KLM_MSG_STORED_MISSING, alias, named,
                         call->event.field[SMF_F_VOLSER]);
    }
    KLM_TRY(rc);
    KLM_TRY(name_key(call, alias));
    call->answer = wrap;
    return km_serve_usage(call, change);
}

/* ---- Reads */

static klm_rc find_by_id(struct km_call *call, struct st_view *view, const uint8_t id[KX_KEY_ID],
                         char alias[KLM_ALIAS_MAX + 1])
{
    klm_rc rc = KLM_E_NOTFOUND;

    for (int sequential = 1; sequential >= 0 && rc == KLM_E_NOTFOUND; sequential--) {
        if (klm_alias_of_id(id, sequential, alias) == KLM_OK) {
            rc = find_token(call, view, alias);
        }
    }
    return rc;
}

klm_rc km_stored_get_prepare(struct km_call *call)
{
    const struct km_stored *req = call->req;
    char alias[KLM_ALIAS_MAX + 1] = "", hex[2 * KX_KEY_ID + 1];
    struct st_view *view;
    klm_rc rc;

    KLM_TRY(begin(call));
    KLM_TRY(st_view_open(call->server->store, &view));
    rc = find_by_id(call, view, req->key_id, alias);
    st_view_close(&view);
    if (rc == KLM_E_NOTFOUND) {
        klm_hex(req->key_id, KX_KEY_ID, hex);
        return KM_REFUSE(call, rc, 0xEE32, KLM_MSG_STORED_NO_ID, call->event.field[SMF_F_VOLSER],
                         hex);
    }
    KLM_TRY(rc);
    KLM_TRY(name_key(call, alias));
    return wrap(call);
}

/* Say that a group comes to its end, at 100, 10, 1 and 0 keys left. */
static void warn_low(const struct stored *stored)
{
    if (stored->group && (stored->left == 100 || stored->left == 10 || stored->left <= 1)) {
        klm_say(KLM_MSG_GROUP_LOW, stored->group, KLM_NUM(stored->left));
    }
}

void km_stored_published(struct km_call *call)
{
    if (call->device_code) {
        return; /* refused: nothing left */
    }
    dt_contacts_note(call->server->contacts, call->drive.serial, call->event.time,
                     call->event.field[SMF_F_VOLSER]);
    if (km_verb(call->id)->apply) {
        warn_low(call->work);
        km_views_turns(call->server);
        km_views_usage(call->server, 1);
    }
}

struct look {
    struct st_view *view;
    bool alone; /* the property has one item */
};

/* Of a range its first and its last key are looked for. */
static bool keys_there(struct st_view *view, struct klm_slice item)
{
    struct klm_alias_run run;

    return klm_alias_run(item, &run) == KLM_OK && km_key_there(view, run.first) != KLM_E_NOTFOUND &&
           km_key_there(view, run.last) != KLM_E_NOTFOUND;
}

static klm_rc look_item(void *arg, struct klm_slice item)
{
    const struct look *look = arg;
    struct md_group group;
    char name[MD_GROUP_MAX + 1] = "";
    klm_rc rc;

    memcpy(name, item.p, item.n < MD_GROUP_MAX ? item.n : MD_GROUP_MAX);
    rc = md_group_get(look->view, name, &group);
    if (rc == KLM_OK && !look->alone) {
        klm_say(KLM_MSG_KEYSET_GROUPS, name);
    } else if (rc == KLM_E_NOTFOUND && !keys_there(look->view, item)) {
        klm_say(KLM_MSG_KEYSET_UNKNOWN, name);
    }
    return KLM_OK;
}

void km_keyset_look(struct km_server *server, const struct parm_config *config)
{
    const char *value = parm_str(config, PARM_symmetricKeySet);
    struct look look = {.alone = value && !strchr(value, ',')};

    if (value && st_view_open(server->store, &look.view) == KLM_OK) {
        KLM_IGNORE(parm_keyset_each(value, look_item, &look)); /* it has no other outcome */
        st_view_close(&look.view);
    }
}
