/* Files of the master key while it is changed, and the file of the store's MAC key, which stays the same. */
#include "keymgr/master.h"

#include "base/file.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_LEN 4096
#define MAC_FILE "MACKEY"
#define MAC_LABEL "STORE.MAC"
#define MAC_MAX 4096

klm_rc km_master_path(const struct parm_config *config, const char *suffix, char *out, size_t cap)
{
    char path[PATH_LEN];

    KLM_TRY(parm_masterkey_file(config, path, sizeof path));
    return (size_t)snprintf(out, cap, "%s%s", path, suffix) < cap ? KLM_OK : KLM_E_LIMIT;
}

static void know_file(struct km_server *server, const struct parm_config *config,
                      const char *suffix)
{
    KLM_AUTO(kr_master_free) struct kr_master *other = NULL;
    struct klm_diag diag = {0};
    char path[PATH_LEN];
    klm_rc rc = km_master_path(config, suffix, path, sizeof path);

    if (rc != KLM_OK || access(path, F_OK) != 0) {
        return;
    }
    rc = kr_master_open(path, server->p11, &diag, &other);
    if (rc == KLM_OK) {
        rc = kr_master_know(server->master, &other);
    }
    if (rc != KLM_OK) {
        klm_say(KLM_MSG_MASTER_OTHER_FILE, path,
                diag.msg != KLM_MSG_NONE ? diag.text : klm_rc_text(rc));
    }
}

void km_master_know_files(struct km_server *server, const struct parm_config *config)
{
    know_file(server, config, ".next");
    know_file(server, config, ".old");
}

static klm_rc mac_path(const char *folder, char *out, size_t cap)
{
    return (size_t)snprintf(out, cap, "%s/" MAC_FILE, folder) < cap ? KLM_OK : KLM_E_LIMIT;
}

/* The MAC key comes from the first master key. Once that was changed, it is a token beside the store. */
klm_rc km_store_key(struct km_server *server, const char *folder, uint8_t key[32],
                    struct klm_diag *diag)
{
    char path[PATH_LEN];
    struct klm_buf file;
    klm_rc rc;

    KLM_TRY(mac_path(folder, path, sizeof path));
    if (access(path, F_OK) != 0) {
        return kr_master_derive(server->master, "store mac", key);
    }
    klm_buf_init(&file, MAC_MAX);
    rc = klm_file_read(path, MAC_MAX, &file, diag);
    if (rc == KLM_OK) {
        rc = kr_purpose_open(server->master, MAC_LABEL, klm_buf_as_slice(&file), key);
        rc = rc == KLM_OK ? rc : klm_fail(diag, rc, KLM_MSG_STORE_KEY, path, klm_rc_text(rc));
    }
    klm_buf_done(&file);
    return rc;
}

/* Under the key that seals now. */
static klm_rc write_store_key(struct km_server *server, const struct parm_config *config,
                              struct klm_diag *diag)
{
    uint8_t *key = klm_secret_alloc(32);
    char path[PATH_LEN], folder[PATH_LEN];
    struct klm_buf file;
    klm_rc rc = key ? parm_store_dir(config, folder, sizeof folder) : KLM_E_NOMEM;

    klm_buf_init(&file, MAC_MAX);
    if (rc == KLM_OK) {
        rc = km_store_key(server, folder, key, diag);
    }
    if (rc == KLM_OK) {
        rc = kr_purpose_seal(server->master, MAC_LABEL, key, &file);
    }
    if (rc == KLM_OK) {
        rc = mac_path(folder, path, sizeof path);
    }
    if (rc == KLM_OK) {
        rc = klm_file_replace(path, klm_buf_as_slice(&file), 0600, diag);
    }
    klm_buf_done(&file);
    klm_secret_free(key, 32);
    return rc;
}

static klm_rc failed(const char *path, struct klm_diag *diag)
{
    return klm_fail(diag, klm_rc_errno(errno), KLM_MSG_FILE_WRITE, path, strerror(errno));
}

/* FILE stays in its place until the new one takes it: there is no moment without one. */
static klm_rc swap(const struct parm_config *config, struct klm_diag *diag)
{
    char path[PATH_LEN], next[PATH_LEN], old[PATH_LEN], folder[PATH_LEN];

    KLM_TRY(km_master_path(config, "", path, sizeof path));
    KLM_TRY(km_master_path(config, ".next", next, sizeof next));
    KLM_TRY(km_master_path(config, ".old", old, sizeof old));
    KLM_TRY(klm_path_folder(path, folder, sizeof folder));
    if (unlink(old) != 0 && errno != ENOENT) {
        return failed(old, diag);
    }
    if (link(path, old) != 0) {
        return failed(old, diag);
    }
    KLM_TRY(klm_sync_folder(folder));
    if (rename(next, path) != 0) {
        return failed(path, diag);
    }
    return klm_sync_folder(folder);
}

/* Does FILE hold the new key already? */
static bool swapped(struct km_server *server, const struct parm_config *config,
                    const struct km_change_record *record)
{
    KLM_AUTO(kr_master_free) struct kr_master *now = NULL;
    char path[PATH_LEN], vp[KR_VP_MAX];

    if (km_master_path(config, "", path, sizeof path) != KLM_OK ||
        kr_master_open(path, server->p11, NULL, &now) != KLM_OK) {
        return false;
    }
    kr_master_vp(now, vp);
    return strcmp(vp, record->next) == 0;
}

klm_rc km_master_swap_files(struct km_server *server, const struct km_change_record *record,
                            struct klm_diag *diag)
{
    struct km_state *state = km_state_get(server);
    klm_rc rc = write_store_key(server, state->config, diag);

    if (rc == KLM_OK && !swapped(server, state->config, record)) {
        rc = swap(state->config, diag);
    }
    km_state_put(&state);
    return rc;
}
