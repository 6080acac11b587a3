/* Inside of a restore. */
#ifndef BACKUP_RESTORE_H
#define BACKUP_RESTORE_H

#include "backup/bk.h"
#include "backup/make.h"
#include "backup/walk.h"

/* What is here before the restore. */
struct bk_present {
    bool there, readable, empty; /* a store; it opens; it holds nothing that people miss */
    uint8_t id[BK_ID];
    uint64_t number; /* of its last change, or the highest that the journal knows of */
    char server_id[KM_SERVER_ID_MAX];
};

struct bk_restoring {
    const struct bk_restore *order;
    struct klm_diag *diag;
    struct parm_config *config;
    struct km_server *keys; /* holds the master key, and nothing else */
    struct km_switch *swap;
    struct st_store *store; /* the present one, open while its state is looked at */
    struct bk_present present;
    struct bk_file file;
    struct p11_uri token; /* that the backup names, when it is to open it */
    struct bk_found *found;
    uint64_t told_ms;
    const char *step;
};

/* present.c: open the present store and look at it. KLM_E_BUSY: the task is up. A store that cannot be read is no failure. */
klm_rc bk_present_look(struct bk_restoring *r) KLM_MUST_USE;
/* Does the present store know the certificate? */
klm_rc bk_present_knows(struct bk_restoring *r, struct klm_slice der, bool *knows) KLM_MUST_USE;

/* Does the backup come from another server than the one that it is restored to? Of one whose store is lost its name decides. */
bool bk_other_server(const struct bk_restoring *r);
/* consent.c: what needs consent and does not have it. */
klm_rc bk_consent_check(struct bk_restoring *r) KLM_MUST_USE;

/* stage.c: the new store and the new files, beside the old ones. The one walk through the backup fills the store and checks everything; when all is found good, and only
 * then, agree is asked whether it may be restored. */
klm_rc bk_stage(struct bk_restoring *r, klm_rc (*agree)(struct bk_restoring *r), uint64_t *records)
    KLM_MUST_USE;
klm_rc bk_stage_failed(struct bk_restoring *r, const char *path, klm_rc rc) KLM_MUST_USE;
/* size.c: bytes that the new store and files take, within a few percent; a walk through the whole backup. */
klm_rc bk_size(struct bk_restoring *r, uint64_t *bytes) KLM_MUST_USE;
/* Options for the store that is made at home, with the receiver's keys. Wipe mac_key. */
klm_rc bk_stage_options(const struct bk_restoring *r, const char *home, struct st_options *out)
    KLM_MUST_USE;

/* given.c: mark in the new store the stored keys that the present one has given out since. */
klm_rc bk_given_carry(struct bk_restoring *r, struct st_store *store) KLM_MUST_USE;

/* The state that a server has open and serves. */
klm_rc bk_present_served(struct bk_restoring *r, struct km_server *server) KLM_MUST_USE;
/* restore.c: all of the backup that is open, and what needs consent. */
klm_rc bk_restore_walk(struct bk_restoring *r, const struct bk_pulse *pulse) KLM_MUST_USE;
/* restore.c: run work with all that a restore has, and let go of it. */
typedef klm_rc bk_restore_fn(struct bk_restoring *r, struct bk_restored *out);
klm_rc bk_restore_run(const struct bk_restore *order, bk_restore_fn *work, struct klm_diag *diag,
                      struct bk_restored *out) KLM_MUST_USE;
/* Configuration, right, master key, the switch, and a look at what is here. */
klm_rc bk_restore_begin(struct bk_restoring *r) KLM_MUST_USE;
/* Put it in force and record it; what names where it came from. */
klm_rc bk_restore_commit(struct bk_restoring *r, const char *what, struct bk_restored *out)
    KLM_MUST_USE;
/* Told in chunks in chunks, for progress. */
klm_rc bk_restore_pulse(void *restoring, uint64_t bytes) KLM_MUST_USE;

#endif
