/* The state of a storage system as bytes and as a file (SYSTEM.md, section 2). */
#include "ios/system.h"

#include "base/file.h"
#include "ios/drive.h"
#include "ios/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define VERSION 1
#define SERIAL 12
#define SERIAL_SET "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_SET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static const uint8_t magic[8] = {'K', 'L', 'M', 'S', 'Y', 'S', 'T', 'M'};

/* ---- What may stand in a state, the same for both ways */

static bool is_text(const char *text, size_t cap, const char *set)
{
    size_t n = strnlen(text, cap);

    return n > 0 && n < cap && strspn(text, set) == n;
}

bool ios_system_name_ok(const char *name)
{
    return is_text(name, IOS_SYSTEM_NAME + 1, NAME_SET);
}

bool ios_keyserver_name_ok(const char *name)
{
    return is_text(name, IOS_KEYSERVER_NAME + 1, NAME_SET);
}

/* Printable ASCII without blanks. */
static bool is_printable(const char *text, size_t cap)
{
    size_t n = strnlen(text, cap);
    bool good = n > 0 && n < cap;

    for (size_t i = 0; good && i < n; i++) {
        good = text[i] > 0x20 && text[i] < 0x7F;
    }
    return good;
}

static bool is_server(const struct ios_keyserver *server)
{
    return server->id < IOS_KEYSERVERS && ios_keyserver_name_ok(server->name) &&
           is_printable(server->host, sizeof server->host) && server->port > 0;
}

/* Ids rise, names differ, and one of them is the primary. */
static bool are_servers(const struct ios_system_state *state)
{
    bool good = state->servers_n <= IOS_KEYSERVERS, primary = state->servers_n == 0;

    for (size_t i = 0; good && i < state->servers_n; i++) {
        const struct ios_keyserver *server = &state->server[i];

        good = is_server(server) && (i == 0 || server[-1].id < server->id);
        primary = primary || server->id == state->primary;
        for (size_t j = 0; good && j < i; j++) {
            good = strcmp(state->server[j].name, server->name) != 0;
        }
    }
    return good && primary;
}

static bool is_key(const struct ios_system_key *key)
{
    return key->number > 0 && key->number <= IOS_SYSTEM_NUMBER_MAX &&
           key->place >= IOS_KEY_PREPARED && key->place <= IOS_KEY_CANCELLED &&
           is_printable(key->uid, sizeof key->uid);
}

/* Numbers rise; there is a current key exactly when encryption is enabled, and a prepared one exactly when a rekey has come so far. */
static bool are_keys(const struct ios_system_state *state)
{
    unsigned current = 0, prepared = 0;
    bool good = state->keys_n <= IOS_SYSTEM_KEYS;

    for (size_t i = 0; good && i < state->keys_n; i++) {
        const struct ios_system_key *key = &state->key[i];

        good = is_key(key) && (i == 0 || key[-1].number < key->number);
        current += key->place == IOS_KEY_CURRENT;
        prepared += key->place == IOS_KEY_PREPARED;
    }
    return good && current == state->enabled &&
           prepared == (state->rekey == IOS_REKEY_PREPARED || state->rekey == IOS_REKEY_COMMITTING);
}

static bool is_state(const struct ios_system_state *state)
{
    const bool rekey = state->rekey != IOS_REKEY_NO;

    return is_text(state->serial, sizeof state->serial, SERIAL_SET) &&
           strlen(state->serial) == SERIAL && ios_system_name_ok(state->name) &&
           are_servers(state) && are_keys(state) && state->rekey <= IOS_REKEY_COMMITTING &&
           (rekey ? is_printable(state->request, sizeof state->request)
                  : state->request[0] == '\0') &&
           (state->servers_n > 0 || (!state->enabled && !rekey));
}

/* ---- Bytes */

static void put_server(struct klm_buf *out, const struct ios_keyserver *server)
{
    klm_buf_u8(out, server->id);
    klm_buf_lp8(out, klm_slice_str(server->name));
    klm_buf_lp8(out, klm_slice_str(server->host));
    klm_buf_u16(out, server->port);
}

static void put_key(struct klm_buf *out, const struct ios_system_key *key)
{
    klm_buf_u32(out, key->number);
    klm_buf_u8(out, key->place);
    klm_buf_lp8(out, klm_slice_str(key->uid));
    klm_buf_u64(out, (uint64_t)key->made);
    klm_buf_u64(out, (uint64_t)key->changed);
    klm_buf_put(out, key->check, sizeof key->check);
}

klm_rc ios_system_encode(const struct ios_system_state *state, struct klm_buf *out)
{
    size_t start = out->n;

    if (!is_state(state)) {
        return KLM_E_INVALID;
    }
    ios_state_begin(out, magic, VERSION);
    klm_buf_u64(out, state->change);
    klm_buf_put(out, state->serial, SERIAL);
    klm_buf_lp8(out, klm_slice_str(state->name));
    klm_buf_u8(out, state->servers_n);
    for (size_t i = 0; i < state->servers_n; i++) {
        put_server(out, &state->server[i]);
    }
    klm_buf_u8(out, state->primary);
    klm_buf_u8(out, state->enabled);
    klm_buf_u8(out, state->rekey);
    klm_buf_lp8(out, klm_slice_str(state->request));
    klm_buf_u16(out, state->keys_n);
    for (size_t i = 0; i < state->keys_n; i++) {
        put_key(out, &state->key[i]);
    }
    return ios_state_end(out, start);
}

static void get_servers(struct klm_cur *cur, struct ios_system_state *state)
{
    klm_cur_u8(cur, &state->servers_n);
    if (state->servers_n > IOS_KEYSERVERS) {
        klm_cur_fail(cur, KLM_E_LIMIT);
        return;
    }
    for (size_t i = 0; i < state->servers_n; i++) {
        struct ios_keyserver *server = &state->server[i];

        klm_cur_u8(cur, &server->id);
        klm_cur_text8(cur, sizeof server->name, server->name);
        klm_cur_text8(cur, sizeof server->host, server->host);
        klm_cur_u16(cur, &server->port);
    }
    klm_cur_u8(cur, &state->primary);
}

static void get_keys(struct klm_cur *cur, struct ios_system_state *state)
{
    klm_cur_u16(cur, &state->keys_n);
    if (state->keys_n > IOS_SYSTEM_KEYS) {
        klm_cur_fail(cur, KLM_E_LIMIT);
        return;
    }
    for (size_t i = 0; i < state->keys_n && klm_cur_rc(cur) == KLM_OK; i++) {
        struct ios_system_key *key = &state->key[i];

        klm_cur_u32(cur, &key->number);
        klm_cur_u8(cur, &key->place);
        klm_cur_text8(cur, sizeof key->uid, key->uid);
        klm_cur_i64(cur, &key->made);
        klm_cur_i64(cur, &key->changed);
        klm_cur_copy(cur, key->check, sizeof key->check);
    }
}

static void get_state(struct klm_cur *cur, struct ios_system_state *state)
{
    uint8_t enabled = 0;

    klm_cur_u64(cur, &state->change);
    klm_cur_copy(cur, state->serial, SERIAL);
    klm_cur_text8(cur, sizeof state->name, state->name);
    get_servers(cur, state);
    klm_cur_u8(cur, &enabled);
    klm_cur_u8(cur, &state->rekey);
    klm_cur_text8(cur, sizeof state->request, state->request);
    get_keys(cur, state);
    klm_cur_end(cur);
    state->enabled = enabled == 1;
    if (enabled > 1) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

klm_rc ios_system_decode(struct klm_slice in, struct ios_system_state *out)
{
    struct ios_system_state state = {0};
    struct klm_slice fields;
    struct klm_cur cur;

    KLM_TRY(ios_state_open(in, magic, VERSION, &fields));
    klm_cur_init(&cur, fields);
    get_state(&cur, &state);
    if (klm_cur_rc(&cur) != KLM_OK || !is_state(&state)) {
        return KLM_E_INVALID;
    }
    *out = state;
    return KLM_OK;
}

/* ---- What is in it */

const struct ios_system_key *ios_system_key(const struct ios_system_state *state,
                                            enum ios_key_place place)
{
    for (size_t i = state->keys_n; i-- > 0;) {
        if (state->key[i].place == place) {
            return &state->key[i];
        }
    }
    return NULL;
}

const struct ios_system_key *ios_system_key_number(const struct ios_system_state *state,
                                                   uint32_t number)
{
    for (size_t i = 0; i < state->keys_n; i++) {
        if (state->key[i].number == number) {
            return &state->key[i];
        }
    }
    return NULL;
}

void ios_system_group(uint32_t number, char out[IOS_GROUP_TEXT])
{
    snprintf(out, IOS_GROUP_TEXT, "K%05u", (unsigned)(number % (IOS_SYSTEM_NUMBER_MAX + 1)));
}

uint32_t ios_system_group_number(const char *group)
{
    return group[0] == 'K' && strlen(group) == 6 && strspn(group + 1, "0123456789") == 5
               ? (uint32_t)strtoul(group + 1, NULL, 10)
               : 0;
}

const char *ios_key_place_name(uint8_t place)
{
    static const char *const names[] = {[IOS_KEY_PREPARED] = "prepared",
                                        [IOS_KEY_CURRENT] = "current",
                                        [IOS_KEY_OBSOLETE] = "obsolete",
                                        [IOS_KEY_CANCELLED] = "cancelled"};

    return place < KLM_COUNT(names) && names[place] ? names[place] : "?";
}

const char *ios_rekey_name(const struct ios_system_state *state)
{
    static const char *const names[] = {[IOS_REKEY_NO] = "no",
                                        [IOS_REKEY_PREPARING] = "preparing",
                                        [IOS_REKEY_PREPARED] = "prepared",
                                        [IOS_REKEY_COMMITTING] = "committing"};

    if (state->rekey == IOS_REKEY_NO && !state->enabled) {
        return "no_key";
    }
    return state->rekey < KLM_COUNT(names) ? names[state->rekey] : "?";
}

/* ---- The file */

static klm_rc state_path(const char *dir, char *out, struct klm_diag *diag)
{
    return ios_drive_path(dir, "system.state", out, diag);
}

klm_rc ios_system_load(const char *dir, struct klm_diag *diag, struct ios_system_state *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    char path[IOS_DRIVE_PATH_MAX];
    klm_rc rc;

    klm_buf_init(&buf, IOS_SYSTEM_STATE_MAX);
    KLM_TRY(state_path(dir, path, diag));
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_SYSTEM_NONE, dir);
    }
    KLM_TRY(klm_file_read(path, IOS_SYSTEM_STATE_MAX, &buf, diag));
    rc = ios_system_decode(klm_buf_as_slice(&buf), out);
    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_SYSTEM_STATE, path, klm_rc_text(rc));
}

static klm_rc take_lock(const char *dir, struct klm_diag *diag, int *out)
{
    klm_rc rc = ios_state_lock(dir, "system.lock", KLM_MSG_SYSTEM_BUSY, diag, out);

    return rc == KLM_E_NOTFOUND ? klm_fail(diag, rc, KLM_MSG_SYSTEM_NONE, dir) : rc;
}

static klm_rc read_for_edit(struct ios_system_edit *edit, struct klm_diag *diag)
{
    char path[IOS_DRIVE_PATH_MAX];

    KLM_TRY(state_path(edit->dir, path, diag));
    klm_file_sweep(path);
    return ios_system_load(edit->dir, diag, &edit->state);
}

klm_rc ios_system_edit_begin(const char *dir, struct klm_diag *diag, struct ios_system_edit *out)
{
    klm_rc rc;

    *out = (struct ios_system_edit){.dir = dir, .lock = -1};
    KLM_TRY(take_lock(dir, diag, &out->lock));
    rc = read_for_edit(out, diag);
    if (rc != KLM_OK) {
        ios_system_edit_end(out);
    }
    return rc;
}

klm_rc ios_system_edit_save(struct ios_system_edit *edit, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    char path[IOS_DRIVE_PATH_MAX];
    klm_rc rc;

    klm_buf_init(&buf, IOS_SYSTEM_STATE_MAX);
    KLM_TRY(state_path(edit->dir, path, diag));
    edit->state.change++;
    rc = ios_system_encode(&edit->state, &buf);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_SYSTEM_STATE, path, klm_rc_text(rc));
    }
    return klm_file_replace(path, klm_buf_as_slice(&buf), 0600, diag);
}

void ios_system_edit_end(struct ios_system_edit *edit)
{
    if (edit->lock >= 0) {
        close(edit->lock); /* which gives the lock back */
        edit->lock = -1;
    }
}
