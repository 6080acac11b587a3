/* Encryption on and off, and a new key in two steps. What is asked of the key server is noted before, and can be asked again: a key is looked for by its Name before it is made, and what a key is
 * already is not made of it again. */
#include "ios/system.h"

#include "base/secret.h"
#include "kmip/registry/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static klm_rc not_now(const struct ios_system_edit *edit, const char *why, struct klm_diag *diag)
{
    return klm_fail(diag, KLM_E_STATE, KLM_MSG_SYSTEM_ORDER, edit->state.name, why);
}

static struct ios_system_key *key_of(struct ios_system_edit *edit, enum ios_key_place place)
{
    struct ios_system_state *state = &edit->state;

    for (size_t i = state->keys_n; i-- > 0;) {
        if (state->key[i].place == place) {
            return &state->key[i];
        }
    }
    return NULL;
}

static void move(struct ios_system_key *key, enum ios_key_place place)
{
    key->place = (uint8_t)place;
    key->changed = klm_clock();
}

static void end_rekey(struct ios_system_edit *edit)
{
    edit->state.rekey = IOS_REKEY_NO;
    edit->state.request[0] = '\0';
}

/* ---- A key on the primary */

/* Those that were given up are of no use to anybody: the oldest makes room. */
static klm_rc make_room(struct ios_system_edit *edit, struct klm_diag *diag)
{
    struct ios_system_state *state = &edit->state;

    for (size_t i = 0; state->keys_n == IOS_SYSTEM_KEYS && i < state->keys_n; i++) {
        if (state->key[i].place == IOS_KEY_CANCELLED) {
            state->keys_n--;
            memmove(&state->key[i], &state->key[i + 1], (state->keys_n - i) * sizeof state->key[0]);
        }
    }
    return state->keys_n < IOS_SYSTEM_KEYS ? KLM_OK
                                           : not_now(edit, "it has 200 keys already", diag);
}

static uint32_t next_number(const struct ios_system_state *state)
{
    return state->keys_n ? state->key[state->keys_n - 1].number + 1 : 1;
}

/* The Name tells people whose key it is, and no other key in the world has it. */
static klm_rc begin_request(struct ios_system_edit *edit, struct klm_diag *diag)
{
    struct ios_system_state *state = &edit->state;
    char group[IOS_GROUP_TEXT];
    uint64_t random = 0;
    klm_rc rc;

    KLM_TRY(make_room(edit, diag));
    if (next_number(state) > IOS_SYSTEM_NUMBER_MAX) {
        return not_now(edit, "there is no number for another key", diag);
    }
    rc = klm_random(&random, sizeof random);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
    }
    ios_system_group(next_number(state), group);
    snprintf(state->request, sizeof state->request, "%s-%s-%s-%016" PRIx64, state->name,
             state->serial, group, random);
    state->rekey = IOS_REKEY_PREPARING;
    return ios_system_edit_save(edit, diag);
}

static klm_rc find_or_make(const struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                           char uid[IOS_KEY_UID + 1], struct klm_diag *diag)
{
    const struct ios_system_state *state = &edit->state;
    const struct ios_keyserver *primary = ios_keyserver_primary(state);
    klm_rc rc = ops->find(ops->arg, primary, state->request, uid, diag);

    if (rc != KLM_E_NOTFOUND) {
        return rc;
    }
    *diag = (struct klm_diag){0};
    return ops->make(ops->arg, primary, state->request, state->serial, uid, diag);
}

static klm_rc note_check(const struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct ios_system_key *key, struct klm_diag *diag)
{
    const struct ios_system_state *state = &edit->state;
    uint8_t *bytes = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = bytes ? ops->get(ops->arg, ios_keyserver_primary(state), key->uid, bytes, diag)
                      : klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, state->name);

    if (rc == KLM_OK &&
        ios_system_key_check(state->serial, key->uid, bytes, key->check) != KLM_OK) {
        rc = klm_fail(diag, KLM_E_CRYPTO, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(KLM_E_CRYPTO));
    }
    klm_secret_free(bytes, IOS_SUBKEY);
    return rc;
}

/* From no rekey, or from where one was interrupted, to a prepared key. */
static klm_rc prepare_key(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                          struct klm_diag *diag)
{
    struct ios_system_state *state = &edit->state;
    struct ios_system_key key = {.place = IOS_KEY_PREPARED};

    if (state->rekey == IOS_REKEY_NO) {
        KLM_TRY(begin_request(edit, diag));
    }
    if (state->rekey != IOS_REKEY_PREPARING) {
        return KLM_OK;
    }
    KLM_TRY(find_or_make(edit, ops, key.uid, diag));
    KLM_TRY(note_check(edit, ops, &key, diag));
    key.number = next_number(state);
    key.made = key.changed = klm_clock();
    state->key[state->keys_n++] = key;
    state->rekey = IOS_REKEY_PREPARED;
    return ios_system_edit_save(edit, diag);
}

/* ---- The prepared key in force */

static klm_rc prove(const struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                    const struct ios_system_key *key, struct klm_diag *diag)
{
    uint8_t *bytes = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = bytes ? ios_system_key_from(&edit->state, key, ios_keyserver_primary(&edit->state),
                                            ops, bytes, diag)
                      : klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, edit->state.name);

    klm_secret_free(bytes, IOS_SUBKEY);
    return rc;
}

/* Only what is missing is asked for, so that the same turn may be made twice. */
static klm_rc turn(const struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                   const struct ios_system_key *to, const struct ios_system_key *from,
                   struct klm_diag *diag)
{
    const struct ios_keyserver *primary = ios_keyserver_primary(&edit->state);
    struct ios_key_turn steps = {0};
    struct ios_key_look look;

    if (to) {
        KLM_TRY(ops->look(ops->arg, primary, to->uid, &look, diag));
        steps.new_uid = to->uid;
        steps.activate = look.state == KMIP_State_PreActive;
        steps.link_new = from && strcmp(look.replaced, from->uid) != 0;
    }
    if (from) {
        KLM_TRY(ops->look(ops->arg, primary, from->uid, &look, diag));
        steps.old_uid = from->uid;
        steps.link_old = to && strcmp(look.replacement, to->uid) != 0;
        steps.revoke = look.state == KMIP_State_Active;
    }
    return steps.activate || steps.link_new || steps.link_old || steps.revoke
               ? ops->turn(ops->arg, primary, &steps, diag)
               : KLM_OK;
}

static klm_rc commit_key(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *diag)
{
    struct ios_system_state *state = &edit->state;
    struct ios_system_key *to = key_of(edit, IOS_KEY_PREPARED);
    struct ios_system_key *from = key_of(edit, IOS_KEY_CURRENT);

    KLM_TRY(prove(edit, ops, to, diag));
    if (state->rekey != IOS_REKEY_COMMITTING) {
        state->rekey = IOS_REKEY_COMMITTING;
        KLM_TRY(ios_system_edit_save(edit, diag));
    }
    KLM_TRY(turn(edit, ops, to, from, diag));
    move(to, IOS_KEY_CURRENT);
    if (from) {
        move(from, IOS_KEY_OBSOLETE);
    }
    state->enabled = true;
    end_rekey(edit);
    return ios_system_edit_save(edit, diag);
}

/* ---- What operators ask for */

static klm_rc all_online(const struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *diag)
{
    const struct ios_system_state *state = &edit->state;

    for (size_t i = 0; i < state->servers_n; i++) {
        struct klm_diag why = {0};

        if (ios_keyserver_check(state, &state->server[i], ops, &why) != KLM_OK) {
            klm_say_diag(&why);
            return klm_fail(diag, KLM_E_STATE, KLM_MSG_KEYSERVER_OFFLINE, state->server[i].name,
                            state->name);
        }
    }
    return KLM_OK;
}

klm_rc ios_system_enable(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *diag)
{
    if (edit->state.enabled) {
        return not_now(edit, "encryption is enabled already", diag);
    }
    if (edit->state.servers_n == 0) {
        return not_now(edit, "it has no key server; use mkkeyserver", diag);
    }
    if (edit->state.rekey == IOS_REKEY_NO) {
        KLM_TRY(all_online(edit, ops, diag));
    }
    KLM_TRY(prepare_key(edit, ops, diag));
    return commit_key(edit, ops, diag);
}

klm_rc ios_system_prepare(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                          struct klm_diag *diag)
{
    if (!edit->state.enabled) {
        return not_now(edit, "encryption is not enabled", diag);
    }
    if (edit->state.rekey > IOS_REKEY_PREPARING) {
        return not_now(edit, "a new key is prepared already; commit or cancel it", diag);
    }
    if (edit->state.rekey == IOS_REKEY_NO) {
        KLM_TRY(all_online(edit, ops, diag));
    }
    return prepare_key(edit, ops, diag);
}

klm_rc ios_system_commit(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *diag)
{
    if (!edit->state.enabled) {
        return not_now(edit, "encryption is not enabled", diag);
    }
    if (edit->state.rekey < IOS_REKEY_PREPARED) {
        return not_now(edit, "no new key is prepared", diag);
    }
    return commit_key(edit, ops, diag);
}

/* What the key server has of a rekey is destroyed there; that there is nothing is as good. */
static void give_back(const struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                      const struct ios_system_key *key, struct klm_diag *left)
{
    const struct ios_keyserver *primary = ios_keyserver_primary(&edit->state);
    char uid[IOS_KEY_UID + 1] = "";
    klm_rc rc = KLM_OK;

    if (key) {
        memcpy(uid, key->uid, sizeof uid);
    } else {
        rc = ops->find(ops->arg, primary, edit->state.request, uid, left);
    }
    if (rc == KLM_OK) {
        rc = ops->destroy(ops->arg, primary, uid, left);
    }
    if (rc == KLM_OK || rc == KLM_E_NOTFOUND) {
        *left = (struct klm_diag){0};
    }
}

klm_rc ios_system_cancel(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *left, struct klm_diag *diag)
{
    struct ios_system_key *key = key_of(edit, IOS_KEY_PREPARED);

    *left = (struct klm_diag){0};
    if (edit->state.rekey == IOS_REKEY_NO) {
        return not_now(edit, "no new key is prepared", diag);
    }
    if (edit->state.rekey == IOS_REKEY_COMMITTING) {
        return not_now(edit, "a commit was interrupted, which only a commit can finish", diag);
    }
    give_back(edit, ops, key, left);
    if (key) {
        move(key, IOS_KEY_CANCELLED);
    }
    end_rekey(edit);
    return ios_system_edit_save(edit, diag);
}

static klm_rc any_volume(void *arg, const struct ios_system_volume *volume)
{
    (void)arg, (void)volume;
    return KLM_E_EXISTS;
}

klm_rc ios_system_disable(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                          struct klm_diag *diag)
{
    struct ios_system_key *key = key_of(edit, IOS_KEY_CURRENT);
    klm_rc rc;

    if (!key) {
        return not_now(edit, "encryption is not enabled", diag);
    }
    if (edit->state.rekey != IOS_REKEY_NO) {
        return not_now(edit, "a rekey is under way; commit or cancel it", diag);
    }
    rc = ios_system_volumes(edit->dir, diag, any_volume, NULL);
    if (rc == KLM_E_EXISTS) {
        return not_now(edit, "there are volumes, which could not be read any more", diag);
    }
    KLM_TRY(rc);
    KLM_TRY(turn(edit, ops, NULL, key, diag));
    move(key, IOS_KEY_OBSOLETE);
    edit->state.enabled = false;
    return ios_system_edit_save(edit, diag);
}
