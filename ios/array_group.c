/* The encryption group: configured once, its labels changed, its data key changed in two steps. Each change is on disk as a whole before it is
 * told; a process that ends on the way leaves the state before. */
#include "ios/array.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

/* A fresh data key for the group: EEDKs and labels into the set, the key to the caller. */
static klm_rc ask_new(const char *group, const struct ios_labels *labels, struct ios_hosts *hosts,
                      struct ios_fault *fault, struct klm_diag *diag, struct ios_keyed **out)
{
    struct kx_create create = {.labels_n = labels->n};

    snprintf(create.volser, sizeof create.volser, "%s", group);
    memcpy(create.labels, labels->label, sizeof create.labels);
    return ios_hosts_ask(hosts, &(struct ios_request){.type = KX_CREATE, .u.create = &create},
                         fault, diag, out);
}

/* PROTOCOL.md, 4: as many labels as EEDKs, in the same order. */
static klm_rc take_eedks(struct ios_array_set *set, const struct ios_keyed *keyed,
                         struct klm_diag *diag)
{
    if (keyed->eedk_n < 1 || keyed->labels_n != keyed->eedk_n) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_ARRAY_ANSWER);
    }
    set->made = klm_clock();
    set->eedk_n = set->labels_n = keyed->eedk_n;
    for (size_t i = 0; i < keyed->eedk_n; i++) {
        set->labels[i] = keyed->labels[i];
        set->eedk_size[i] = (uint16_t)keyed->eedk[i].n;
        memcpy(set->eedk[i], keyed->eedk[i].p, keyed->eedk[i].n);
    }
    return KLM_OK;
}

/* A set that opens the group key by a new data key. */
static klm_rc make_set(const struct ios_array_state *state, const uint8_t *group_key,
                       const struct ios_labels *labels, struct ios_hosts *hosts,
                       struct ios_fault *fault, struct klm_diag *diag, struct ios_array_set *out)
{
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = NULL;
    struct ios_array_set set = {0};
    klm_rc rc;

    KLM_TRY(ask_new(state->group, labels, hosts, fault, diag, &keyed));
    KLM_TRY(take_eedks(&set, keyed, diag));
    rc = ios_array_seal(IOS_USE_DATA_KEY, state->serial, state->group, keyed->key, group_key,
                        set.salt, set.wrapped);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
    }
    *out = set;
    return KLM_OK;
}

/* ---- Configuration */

static klm_rc fill_state(struct ios_array_state *state, const struct ios_labels *labels,
                         struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag)
{
    uint8_t *group_key = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = group_key ? klm_random(group_key, IOS_SUBKEY) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        rc = klm_fail(diag, rc, KLM_MSG_ARRAY_CRYPTO, klm_rc_text(rc));
    } else {
        rc = make_set(state, group_key, labels, hosts, fault, diag, &state->set[0]);
    }
    klm_secret_free(group_key, IOS_SUBKEY);
    return rc;
}

klm_rc ios_array_configure(const char *dir, const struct ios_drive *drive, const char *group,
                           const struct ios_labels *labels, struct ios_hosts *hosts,
                           struct ios_fault *fault, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};

    KLM_TRY(ios_array_edit_begin(dir, true, diag, &edit));
    snprintf(edit.state.serial, sizeof edit.state.serial, "%s", drive->serial);
    snprintf(edit.state.group, sizeof edit.state.group, "%s", group);
    edit.state.sets_n = 1;
    KLM_TRY(fill_state(&edit.state, labels, hosts, fault, diag));
    return ios_array_edit_save(&edit, diag);
}

/* ---- Other labels for the same data key */

static klm_rc ask_translation(const struct ios_array_state *state, const struct ios_labels *labels,
                              struct ios_hosts *hosts, struct ios_fault *fault,
                              struct klm_diag *diag, struct ios_keyed **out)
{
    const struct ios_array_set *set = &state->set[0];
    struct kx_translate translate = {.old.eedk_n = set->eedk_n, .labels_n = labels->n};

    memcpy(translate.old.volser, state->group, sizeof translate.old.volser);
    memcpy(translate.labels, labels->label, sizeof translate.labels);
    for (size_t i = 0; i < set->eedk_n; i++) {
        translate.old.eedk[i] = KLM_SLICE(set->eedk[i], set->eedk_size[i]);
    }
    return ios_hosts_ask(hosts,
                         &(struct ios_request){.type = KX_TRANSLATE, .u.translate = &translate},
                         fault, diag, out);
}

/* The new EEDKs must open the group before the old ones are given up. */
static klm_rc try_state(const struct ios_array_state *state, struct ios_hosts *hosts,
                        struct ios_fault *fault, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};

    return ios_array_unlock(state, hosts, fault, diag, &opened);
}

klm_rc ios_array_relabel(const char *dir, const struct ios_labels *labels, struct ios_hosts *hosts,
                         struct ios_fault *fault, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = NULL;

    KLM_TRY(ios_array_edit_begin(dir, false, diag, &edit));
    if (edit.state.sets_n > 1) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_REKEY_PENDING, edit.state.group);
    }
    KLM_TRY(ask_translation(&edit.state, labels, hosts, fault, diag, &keyed));
    KLM_TRY(take_eedks(&edit.state.set[0], keyed, diag));
    KLM_TRY(try_state(&edit.state, hosts, fault, diag));
    return ios_array_edit_save(&edit, diag);
}

/* ---- Rekey */

static klm_rc open_group(struct ios_array_edit *edit, const char *recovery, struct ios_hosts *hosts,
                         struct ios_fault *fault, struct klm_diag *diag,
                         struct ios_array_opened *out)
{
    klm_rc rc;

    if (!recovery) {
        return ios_array_unlock(&edit->state, hosts, fault, diag, out);
    }
    out->group_key = klm_secret_alloc(IOS_SUBKEY);
    if (!out->group_key) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the group key");
    }
    rc = ios_array_recover(edit, recovery, diag, out->group_key);
    if (rc != KLM_OK) {
        ios_array_opened_done(out);
    }
    return rc;
}

klm_rc ios_array_rekey_prepare(const char *dir, const struct ios_labels *labels,
                               const char *recovery, struct ios_hosts *hosts,
                               struct ios_fault *fault, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};

    KLM_TRY(ios_array_edit_begin(dir, false, diag, &edit));
    if (edit.state.sets_n > 1) {
        return klm_fail(diag, KLM_E_STATE, KLM_MSG_REKEY_PENDING, edit.state.group);
    }
    KLM_TRY(open_group(&edit, recovery, hosts, fault, diag, &opened));
    KLM_TRY(
        make_set(&edit.state, opened.group_key, labels, hosts, fault, diag, &edit.state.set[1]));
    edit.state.sets_n = 2;
    return ios_array_edit_save(&edit, diag);
}

static klm_rc begin_prepared(const char *dir, struct klm_diag *diag, struct ios_array_edit *edit)
{
    KLM_TRY(ios_array_edit_begin(dir, false, diag, edit));
    return edit->state.sets_n > 1
               ? KLM_OK
               : klm_fail(diag, KLM_E_STATE, KLM_MSG_REKEY_NONE, edit->state.group);
}

klm_rc ios_array_rekey_commit(const char *dir, struct ios_hosts *hosts, struct ios_fault *fault,
                              struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};

    KLM_TRY(begin_prepared(dir, diag, &edit));
    edit.state.set[0] = edit.state.set[1];
    edit.state.sets_n = 1;
    KLM_TRY(try_state(&edit.state, hosts, fault, diag));
    return ios_array_edit_save(&edit, diag);
}

klm_rc ios_array_rekey_abandon(const char *dir, struct klm_diag *diag)
{
    KLM_AUTO(ios_array_edit_end) struct ios_array_edit edit = {.lock = -1};

    KLM_TRY(begin_prepared(dir, diag, &edit));
    edit.state.sets_n = 1;
    return ios_array_edit_save(&edit, diag);
}
