/* The key servers of a storage system: which there are, whether they have its keys, and a key from one of them. */
#include "ios/system.h"

#include "base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which there are */

static klm_rc refused(struct klm_diag *diag, klm_rc rc, const char *name, const char *what,
                      const char *why)
{
    return klm_fail(diag, rc, KLM_MSG_KEYSERVER_REFUSED, name, what, why);
}

static struct ios_keyserver *with_id(struct ios_system_state *state, uint8_t id)
{
    for (size_t i = 0; i < state->servers_n; i++) {
        if (state->server[i].id == id) {
            return &state->server[i];
        }
    }
    return NULL;
}

static klm_rc check(const struct ios_system_state *state, const struct ios_keyserver *server,
                    const char *what, struct klm_diag *diag)
{
    if (!ios_keyserver_name_ok(server->name)) {
        return refused(diag, KLM_E_INVALID, server->name, what,
                       "a name has 1 to 32 letters, digits, and . _ -");
    }
    if (!server->host[0] || strcspn(server->host, " \t\r\n") != strlen(server->host) ||
        server->port == 0) {
        return refused(diag, KLM_E_INVALID, server->name, what,
                       "it needs a host name or address, and a port from 1 to 65535");
    }
    for (size_t i = 0; i < state->servers_n; i++) {
        const struct ios_keyserver *other = &state->server[i];

        if (other->id != server->id && strcmp(other->name, server->name) == 0) {
            return refused(diag, KLM_E_EXISTS, server->name, what, "another one has the name");
        }
        if (other->id != server->id && other->port == server->port &&
            strcmp(other->host, server->host) == 0) {
            return refused(diag, KLM_E_EXISTS, server->name, what,
                           "another one has the address and the port");
        }
    }
    return KLM_OK;
}

/* The key that is being made is on the primary, so it stays that until the rekey has ended. */
static klm_rc check_primary(const struct ios_system_state *state, const char *name,
                            const char *what, struct klm_diag *diag)
{
    return state->rekey == IOS_REKEY_NO || state->servers_n == 0
               ? KLM_OK
               : refused(diag, KLM_E_STATE, name, what,
                         "a rekey is under way, whose key is on the primary key server");
}

static uint8_t free_id(const struct ios_system_state *state)
{
    uint8_t id = 0;

    while (id < state->servers_n && state->server[id].id == id) {
        id++;
    }
    return id;
}

klm_rc ios_keyserver_add(struct ios_system_state *state, const struct ios_keyserver *server,
                         bool primary, struct klm_diag *diag)
{
    static const char what[] = "added";
    struct ios_keyserver added = *server;

    if (state->servers_n == IOS_KEYSERVERS) {
        return refused(diag, KLM_E_LIMIT, server->name, what, "there are four already");
    }
    added.id = free_id(state);
    if (!added.name[0]) {
        snprintf(added.name, sizeof added.name, "keyserver%u", (unsigned)added.id);
    }
    KLM_TRY(check(state, &added, what, diag));
    if (primary) {
        KLM_TRY(check_primary(state, added.name, what, diag));
    }
    if (primary || state->servers_n == 0) {
        state->primary = added.id;
    }
    memmove(&state->server[added.id + 1], &state->server[added.id],
            (state->servers_n - added.id) * sizeof added);
    state->server[added.id] = added;
    state->servers_n++;
    return KLM_OK;
}

klm_rc ios_keyserver_change(struct ios_system_state *state, uint8_t id, const char *name,
                            const char *host, uint16_t port, bool primary, struct klm_diag *diag)
{
    static const char what[] = "changed";
    struct ios_keyserver *at = with_id(state, id);
    struct ios_keyserver changed;

    if (!at) {
        return KLM_E_NOTFOUND;
    }
    changed = *at;
    if (name) {
        snprintf(changed.name, sizeof changed.name, "%s", name);
    }
    if (host) {
        snprintf(changed.host, sizeof changed.host, "%s", host);
    }
    changed.port = port ? port : changed.port;
    KLM_TRY(check(state, &changed, what, diag));
    if (primary && state->primary != id) {
        KLM_TRY(check_primary(state, changed.name, what, diag));
        state->primary = id;
    }
    *at = changed;
    return KLM_OK;
}

klm_rc ios_keyserver_remove(struct ios_system_state *state, uint8_t id, struct klm_diag *diag)
{
    static const char what[] = "removed";
    struct ios_keyserver *at = with_id(state, id);

    if (!at) {
        return KLM_E_NOTFOUND;
    }
    if (state->servers_n > 1 && state->primary == id) {
        return refused(diag, KLM_E_STATE, at->name, what,
                       "it is the primary one; make another one the primary first");
    }
    if (state->servers_n == 1 && (state->enabled || state->rekey != IOS_REKEY_NO)) {
        return refused(diag, KLM_E_STATE, at->name, what,
                       "it is the last one, and encryption is enabled");
    }
    memmove(at, at + 1, (size_t)(&state->server[state->servers_n] - (at + 1)) * sizeof *at);
    state->servers_n--;
    state->server[state->servers_n] = (struct ios_keyserver){0};
    return KLM_OK;
}

klm_rc ios_keyserver_find(const struct ios_system_state *state, const char *which,
                          struct klm_diag *diag, const struct ios_keyserver **out)
{
    for (size_t i = 0; i < state->servers_n; i++) {
        const struct ios_keyserver *server = &state->server[i];
        char id[4];

        snprintf(id, sizeof id, "%u", (unsigned)server->id);
        if (strcmp(server->name, which) == 0 || strcmp(id, which) == 0) {
            *out = server;
            return KLM_OK;
        }
    }
    return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_KEYSERVER_UNKNOWN, which);
}

const struct ios_keyserver *ios_keyserver_primary(const struct ios_system_state *state)
{
    for (size_t i = 0; i < state->servers_n; i++) {
        if (state->server[i].id == state->primary) {
            return &state->server[i];
        }
    }
    return NULL;
}

/* ---- Keys from them */

klm_rc ios_system_key_check(const char *serial, const char *uid, const uint8_t key[IOS_SUBKEY],
                            uint8_t out[IOS_KEY_CHECK])
{
    char info[128];
    uint8_t derived[IOS_SUBKEY];

    snprintf(info, sizeof info, "klm system v1 check|%s", uid);
    KLM_TRY(ios_subkey(key, klm_slice_str(serial), klm_slice_str(info), derived));
    memcpy(out, derived, IOS_KEY_CHECK);
    return KLM_OK;
}

klm_rc ios_system_key_from(const struct ios_system_state *state, const struct ios_system_key *key,
                           const struct ios_keyserver *server, const struct ios_keys_ops *ops,
                           uint8_t out[IOS_SUBKEY], struct klm_diag *diag)
{
    uint8_t seen[IOS_KEY_CHECK];
    klm_rc rc;

    KLM_TRY(ops->get(ops->arg, server, key->uid, out, diag));
    rc = ios_system_key_check(state->serial, key->uid, out, seen);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
    }
    if (!klm_secret_equal(seen, key->check, sizeof seen)) {
        klm_wipe(out, IOS_SUBKEY);
        return klm_fail(diag, KLM_E_WRONGKEY, KLM_MSG_KEYSERVER_WRONG, server->name, key->uid);
    }
    return KLM_OK;
}

klm_rc ios_system_key_fetch(const struct ios_system_state *state, const struct ios_system_key *key,
                            const struct ios_keys_ops *ops, uint8_t out[IOS_SUBKEY],
                            struct klm_diag *diag)
{
    const struct ios_keyserver *primary = ios_keyserver_primary(state);
    struct klm_diag why = {0};

    if (primary && ios_system_key_from(state, key, primary, ops, out, &why) == KLM_OK) {
        return KLM_OK;
    }
    for (size_t i = 0; i < state->servers_n; i++) {
        if (why.msg != KLM_MSG_NONE) {
            klm_say_diag(&why);
            why = (struct klm_diag){0};
        }
        if (&state->server[i] != primary &&
            ios_system_key_from(state, key, &state->server[i], ops, out, &why) == KLM_OK) {
            return KLM_OK;
        }
    }
    if (why.msg != KLM_MSG_NONE) {
        klm_say_diag(&why);
    }
    return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_SYSTEM_NO_KEY, state->name, key->uid,
                    KLM_NUM(key->number));
}

static klm_rc try_key(const struct ios_system_state *state, enum ios_key_place place,
                      const struct ios_keyserver *server, const struct ios_keys_ops *ops,
                      struct klm_diag *diag)
{
    const struct ios_system_key *key = ios_system_key(state, place);
    uint8_t *bytes = key ? klm_secret_alloc(IOS_SUBKEY) : NULL;
    klm_rc rc;

    if (!key) {
        return KLM_OK;
    }
    rc = bytes ? ios_system_key_from(state, key, server, ops, bytes, diag)
               : klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, server->name);
    klm_secret_free(bytes, IOS_SUBKEY);
    return rc;
}

/* Without a key there is one that nobody can have: whoever answers knows this client. */
static klm_rc try_reach(const struct ios_system_state *state, const struct ios_keyserver *server,
                        const struct ios_keys_ops *ops, struct klm_diag *diag)
{
    char name[IOS_KEY_NAME + 1], uid[IOS_KEY_UID + 1];
    klm_rc rc;

    snprintf(name, sizeof name, "%s-%s-none", state->name, state->serial);
    rc = ops->find(ops->arg, server, name, uid, diag);
    return rc == KLM_E_NOTFOUND ? KLM_OK : rc;
}

klm_rc ios_keyserver_check(const struct ios_system_state *state, const struct ios_keyserver *server,
                           const struct ios_keys_ops *ops, struct klm_diag *diag)
{
    if (!ios_system_key(state, IOS_KEY_CURRENT) && !ios_system_key(state, IOS_KEY_PREPARED)) {
        return try_reach(state, server, ops, diag);
    }
    KLM_TRY(try_key(state, IOS_KEY_CURRENT, server, ops, diag));
    return try_key(state, IOS_KEY_PREPARED, server, ops, diag);
}
