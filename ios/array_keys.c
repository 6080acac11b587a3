/* Keys of an array: what is under what (ARRAY.md, section 1). */
#include "ios/array.h"

#include "base/secret.h"

#include <stdio.h>
#include <string.h>

/* What a wrapping is for; it goes into the key that wraps, so that nothing wrapped for one use, array or group opens as another. */
static const char *const uses[] = {[IOS_USE_DATA_KEY] = "data key",
                                   [IOS_USE_RECOVERY_KEY] = "recovery key",
                                   [IOS_USE_VOLUME] = "volume"};

static klm_rc wrapping_key(enum ios_array_use use, const char *serial, const char *group,
                           const uint8_t *under, const uint8_t salt[IOS_ARRAY_SALT], uint8_t *out)
{
    char info[64];
    int n = snprintf(info, sizeof info, "klm array v1 %s|%s|%s", uses[use], serial, group);

    return ios_subkey(under, KLM_SLICE(salt, IOS_ARRAY_SALT), KLM_SLICE(info, (size_t)n), out);
}

klm_rc ios_array_seal(enum ios_array_use use, const char *serial, const char *group,
                      const uint8_t *under, const uint8_t *key, uint8_t salt[IOS_ARRAY_SALT],
                      uint8_t wrapped[IOS_WRAPPED])
{
    uint8_t fresh[IOS_ARRAY_SALT], *kek = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = kek ? klm_random(fresh, sizeof fresh) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        rc = wrapping_key(use, serial, group, under, fresh, kek);
    }
    if (rc == KLM_OK) {
        rc = ios_key_wrap(kek, key, wrapped);
    }
    if (rc == KLM_OK) {
        memcpy(salt, fresh, sizeof fresh);
    }
    klm_secret_free(kek, IOS_SUBKEY);
    return rc;
}

klm_rc ios_array_open(enum ios_array_use use, const char *serial, const char *group,
                      const uint8_t *under, const uint8_t salt[IOS_ARRAY_SALT],
                      const uint8_t wrapped[IOS_WRAPPED], uint8_t *key)
{
    uint8_t *kek = klm_secret_alloc(IOS_SUBKEY);
    klm_rc rc = kek ? wrapping_key(use, serial, group, under, salt, kek) : KLM_E_NOMEM;

    if (rc == KLM_OK) {
        rc = ios_key_unwrap(kek, wrapped, key);
    }
    klm_secret_free(kek, IOS_SUBKEY);
    return rc;
}

/* ---- Opening the group key with a data key of the key managers */

void ios_array_opened_done(struct ios_array_opened *opened)
{
    klm_secret_free(opened->group_key, IOS_SUBKEY);
    opened->group_key = NULL;
}

static void name_host(struct ios_hosts *hosts, char *out, size_t cap)
{
    enum ios_which which = ios_hosts_current(hosts);
    char shown[80];

    ios_hosts_show(hosts, which, shown, sizeof shown);
    snprintf(out, cap, "%s key manager %s", ios_which_name(which), shown);
}

/* The data key of one set, from whichever key manager answers. */
static klm_rc ask_data_key(const struct ios_array_state *state, unsigned set,
                           struct ios_hosts *hosts, struct ios_fault *fault, struct klm_diag *diag,
                           struct ios_keyed **out)
{
    const struct ios_array_set *from = &state->set[set];
    struct kx_get get = {.eedk_n = from->eedk_n};

    memcpy(get.volser, state->group, sizeof get.volser);
    for (size_t i = 0; i < from->eedk_n; i++) {
        get.eedk[i] = KLM_SLICE(from->eedk[i], from->eedk_size[i]);
    }
    return ios_hosts_ask_any(hosts, &(struct ios_request){.type = KX_GET, .u.get = &get}, fault,
                             diag, out);
}

static klm_rc unlock_set(const struct ios_array_state *state, unsigned set, struct ios_hosts *hosts,
                         struct ios_fault *fault, struct klm_diag *diag,
                         struct ios_array_opened *opened)
{
    KLM_AUTO(ios_keyed_free) struct ios_keyed *keyed = NULL;
    const struct ios_array_set *from = &state->set[set];
    klm_rc rc;

    KLM_TRY(ask_data_key(state, set, hosts, fault, diag, &keyed));
    name_host(hosts, opened->by, sizeof opened->by);
    snprintf(opened->label, sizeof opened->label, "%s",
             keyed->labels_n ? keyed->labels[0].label : "");
    rc = ios_array_open(IOS_USE_DATA_KEY, state->serial, state->group, keyed->key, from->salt,
                        from->wrapped, opened->group_key);
    if (rc != KLM_OK) {
        return klm_fail(diag, rc, KLM_MSG_ARRAY_WRONG_KEY, opened->by, state->group);
    }
    opened->set = set;
    return KLM_OK;
}

klm_rc ios_array_unlock(const struct ios_array_state *state, struct ios_hosts *hosts,
                        struct ios_fault *fault, struct klm_diag *diag,
                        struct ios_array_opened *out)
{
    KLM_AUTO(ios_array_opened_done) struct ios_array_opened opened = {0};
    struct ios_fault other_fault = {0};
    struct klm_diag other = {0};
    klm_rc rc;

    opened.group_key = klm_secret_alloc(IOS_SUBKEY);
    if (!opened.group_key) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "the group key");
    }
    rc = unlock_set(state, 0, hosts, fault, diag, &opened);
    if (rc == KLM_E_DENIED && state->sets_n > 1 &&
        unlock_set(state, 1, hosts, &other_fault, &other, &opened) == KLM_OK) {
        rc = KLM_OK; /* a key manager that has the labels of the rekey alone */
    }
    if (rc == KLM_OK) {
        *out = opened;
        opened.group_key = NULL;
    }
    return rc;
}
