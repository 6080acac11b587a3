/* Change of the master key: files, the pass that moves every key token, and its record in the store (keyring/TOKEN.md, change of the master key). For
 * master.c, master_pass.c and master_files.c. */
#ifndef KEYMGR_MASTER_H
#define KEYMGR_MASTER_H

#include "keymgr/internal.h"

enum km_change_state { KM_CHANGE_NONE, KM_CHANGE_REQUESTED, KM_CHANGE_PASSING };
struct km_change_record {
    enum km_change_state state;
    char was[KR_VP_MAX], next[KR_VP_MAX]; /* verification patterns */
    char user[65];                        /* who requested it */
    klm_time time;                        /* of the request */
};
/* The record; KM_CHANGE_NONE when there is none. KLM_E_CORRUPT. */
klm_rc km_change_get(struct st_view *view, struct km_change_record *out) KLM_MUST_USE;
klm_rc km_change_put(struct st_change *change, const struct km_change_record *record) KLM_MUST_USE;

/* Files beside the master key file: FILE.next is the key to change to, FILE.old the one before. */
klm_rc km_master_path(const struct parm_config *config, const char *suffix, char *out, size_t cap)
    KLM_MUST_USE;
/* Put FILE.next in the place of FILE, which becomes FILE.old, and seal the store's MAC key under the new one before. Done over after a crash. */
klm_rc km_master_swap_files(struct km_server *server, const struct km_change_record *record,
                            struct klm_diag *diag) KLM_MUST_USE;

/* The pass: a thread that moves tokens until none is left. */
klm_rc km_pass_start(struct km_server *server) KLM_MUST_USE;

#endif
