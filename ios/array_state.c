/* The state of an array as bytes and as a file (ARRAY.md, section 2). */
#include "ios/array.h"

#include "base/file.h"
#include "base/secret.h"
#include "ios/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define VERSION 1
#define SERIAL 12
#define GROUP_MAX 6

static const uint8_t magic[8] = {'K', 'L', 'M', 'A', 'R', 'R', 'A', 'Y'};

/* ---- What may stand in a state, the same for both ways */

static bool is_group(const char *group)
{
    size_t n = strlen(group);

    return n > 0 && n <= GROUP_MAX &&
           strspn(group, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789#$@-") == n;
}

static bool is_serial(const char *serial)
{
    return strspn(serial, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == SERIAL && !serial[SERIAL];
}

static bool is_label(const struct kx_label *label)
{
    size_t n = strnlen(label->label, sizeof label->label);
    bool good = n > 0 && n <= KX_LABEL_MAX && label->label[0] != ' ' && label->label[n - 1] != ' ';

    for (size_t i = 0; good && i < n; i++) {
        good = label->label[i] >= 0x20 && label->label[i] <= 0x7E;
    }
    return good && (label->encoding == KX_ENC_LABEL || label->encoding == KX_ENC_HASH);
}

static bool is_set(const struct ios_array_set *set)
{
    bool good = set->eedk_n >= 1 && set->eedk_n <= KX_EEDKS && set->labels_n == set->eedk_n;

    for (size_t i = 0; good && i < set->eedk_n; i++) {
        good =
            is_label(&set->labels[i]) && set->eedk_size[i] > 0 && set->eedk_size[i] <= KX_EEDK_MAX;
    }
    return good;
}

/* There is a wrapped key exactly in the states that have one. */
static bool is_recovery(const struct ios_array_recovery *recovery)
{
    static const uint8_t none[IOS_ARRAY_SALT + IOS_WRAPPED];
    bool empty = memcmp(recovery->salt, none, sizeof recovery->salt) == 0 &&
                 memcmp(recovery->wrapped, none, sizeof recovery->wrapped) == 0;
    bool wanted = recovery->state == IOS_RECOVERY_SHOWN || recovery->state == IOS_RECOVERY_READY;

    return recovery->state <= IOS_RECOVERY_OFF && empty != wanted;
}

static bool is_state(const struct ios_array_state *state)
{
    bool good = is_serial(state->serial) && is_group(state->group) && state->sets_n >= 1 &&
                state->sets_n <= IOS_ARRAY_SETS && is_recovery(&state->recovery);

    for (size_t i = 0; good && i < state->sets_n; i++) {
        good = is_set(&state->set[i]);
    }
    return good;
}

/* ---- Bytes */

static void put_set(struct klm_buf *out, const struct ios_array_set *set)
{
    klm_buf_u64(out, (uint64_t)set->made);
    klm_buf_u8(out, set->eedk_n);
    for (size_t i = 0; i < set->eedk_n; i++) {
        klm_buf_u8(out, set->labels[i].encoding);
        klm_buf_lp8(out, klm_slice_str(set->labels[i].label));
        klm_buf_lp16(out, KLM_SLICE(set->eedk[i], set->eedk_size[i]));
    }
    klm_buf_put(out, set->salt, sizeof set->salt);
    klm_buf_put(out, set->wrapped, sizeof set->wrapped);
}

static void put_recovery(struct klm_buf *out, const struct ios_array_recovery *recovery)
{
    klm_buf_u8(out, recovery->state);
    klm_buf_u64(out, (uint64_t)recovery->changed);
    klm_buf_put(out, recovery->salt, sizeof recovery->salt);
    klm_buf_put(out, recovery->wrapped, sizeof recovery->wrapped);
    klm_buf_u32(out, recovery->tries);
    klm_buf_u64(out, (uint64_t)recovery->last_try);
}

klm_rc ios_array_encode(const struct ios_array_state *state, struct klm_buf *out)
{
    size_t start = out->n;

    if (!is_state(state)) {
        return KLM_E_INVALID;
    }
    ios_state_begin(out, magic, VERSION);
    klm_buf_u64(out, state->change);
    klm_buf_put(out, state->serial, SERIAL);
    klm_buf_lp8(out, klm_slice_str(state->group));
    klm_buf_u8(out, state->sets_n);
    for (size_t i = 0; i < state->sets_n; i++) {
        put_set(out, &state->set[i]);
    }
    put_recovery(out, &state->recovery);
    return ios_state_end(out, start);
}

static void get_eedk(struct klm_cur *cur, struct ios_array_set *set, size_t i)
{
    struct klm_slice eedk = {0};

    klm_cur_u8(cur, &set->labels[i].encoding);
    klm_cur_text8(cur, KX_LABEL_MAX + 1, set->labels[i].label);
    klm_cur_lp16(cur, KX_EEDK_MAX, &eedk);
    if (klm_cur_rc(cur) == KLM_OK && eedk.n > 0) {
        memcpy(set->eedk[i], eedk.p, eedk.n);
        set->eedk_size[i] = (uint16_t)eedk.n;
    }
}

static void get_set(struct klm_cur *cur, struct ios_array_set *set)
{
    uint8_t n = 0;

    klm_cur_i64(cur, &set->made);
    klm_cur_u8(cur, &n);
    if (n > KX_EEDKS) {
        klm_cur_fail(cur, KLM_E_LIMIT);
        return;
    }
    set->labels_n = set->eedk_n = n;
    for (size_t i = 0; i < n; i++) {
        get_eedk(cur, set, i);
    }
    klm_cur_copy(cur, set->salt, sizeof set->salt);
    klm_cur_copy(cur, set->wrapped, sizeof set->wrapped);
}

static void get_recovery(struct klm_cur *cur, struct ios_array_recovery *recovery)
{
    klm_cur_u8(cur, &recovery->state);
    klm_cur_i64(cur, &recovery->changed);
    klm_cur_copy(cur, recovery->salt, sizeof recovery->salt);
    klm_cur_copy(cur, recovery->wrapped, sizeof recovery->wrapped);
    klm_cur_u32(cur, &recovery->tries);
    klm_cur_i64(cur, &recovery->last_try);
}

static void get_state(struct klm_cur *cur, struct ios_array_state *state)
{
    klm_cur_u64(cur, &state->change);
    klm_cur_copy(cur, state->serial, SERIAL);
    klm_cur_text8(cur, GROUP_MAX + 1, state->group);
    klm_cur_u8(cur, &state->sets_n);
    if (state->sets_n > IOS_ARRAY_SETS) {
        klm_cur_fail(cur, KLM_E_LIMIT);
        return;
    }
    for (size_t i = 0; i < state->sets_n; i++) {
        get_set(cur, &state->set[i]);
    }
    get_recovery(cur, &state->recovery);
    klm_cur_end(cur);
}

klm_rc ios_array_decode(struct klm_slice in, struct ios_array_state *out)
{
    struct ios_array_state state = {0};
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

/* ---- The file */

static klm_rc state_path(const char *dir, char *out, struct klm_diag *diag)
{
    return ios_drive_path(dir, "array.state", out, diag);
}

klm_rc ios_array_load(const char *dir, struct klm_diag *diag, struct ios_array_state *out)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    char path[IOS_DRIVE_PATH_MAX];
    klm_rc rc;

    klm_buf_init(&buf, IOS_ARRAY_STATE_MAX);
    KLM_TRY(state_path(dir, path, diag));
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        return klm_fail(diag, KLM_E_NOTFOUND, KLM_MSG_ARRAY_NONE, dir);
    }
    KLM_TRY(klm_file_read(path, IOS_ARRAY_STATE_MAX, &buf, diag));
    rc = ios_array_decode(klm_buf_as_slice(&buf), out);
    return rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_ARRAY_STATE, path, klm_rc_text(rc));
}

static klm_rc read_for_edit(struct ios_array_edit *edit, bool fresh, struct klm_diag *diag)
{
    char path[IOS_DRIVE_PATH_MAX];

    KLM_TRY(state_path(edit->dir, path, diag));
    klm_file_sweep(path);
    if (!fresh) {
        return ios_array_load(edit->dir, diag, &edit->state);
    }
    return access(path, F_OK) == 0 ? klm_fail(diag, KLM_E_EXISTS, KLM_MSG_ARRAY_EXISTS, edit->dir)
                                   : KLM_OK;
}

klm_rc ios_array_edit_begin(const char *dir, bool fresh, struct klm_diag *diag,
                            struct ios_array_edit *out)
{
    struct ios_array_edit edit = {.dir = dir, .lock = -1};
    klm_rc rc;

    KLM_TRY(ios_state_lock(dir, "array.lock", KLM_MSG_ARRAY_BUSY, diag, &edit.lock));
    rc = read_for_edit(&edit, fresh, diag);
    if (rc != KLM_OK) {
        ios_array_edit_end(&edit);
        return rc;
    }
    *out = edit;
    return KLM_OK;
}

klm_rc ios_array_edit_save(struct ios_array_edit *edit, struct klm_diag *diag)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    char path[IOS_DRIVE_PATH_MAX];
    klm_rc rc;

    klm_buf_init(&buf, IOS_ARRAY_STATE_MAX);
    KLM_TRY(state_path(edit->dir, path, diag));
    edit->state.change++;
    rc = ios_array_encode(&edit->state, &buf);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_ARRAY_STATE, path, klm_rc_text(rc));
    }
    return klm_file_replace(path, klm_buf_as_slice(&buf), 0600, diag);
}

void ios_array_edit_end(struct ios_array_edit *edit)
{
    if (edit->lock >= 0) {
        close(edit->lock); /* which gives the lock back */
        edit->lock = -1;
    }
}
