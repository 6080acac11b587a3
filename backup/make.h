/* Making one backup: from the server's files and a snapshot of its store to a file that was read back and found good. */
#ifndef BACKUP_MAKE_H
#define BACKUP_MAKE_H

#include "backup/stream.h"
#include "keymgr/km.h"

/* Files of a server that are part of a backup, by their names in it. */
struct bk_path {
    const char *name;
    const char *
        beside; /* its name in the folder of the store, with which it comes and goes; NULL: it lies elsewhere */
    char path[4096];
};
#define BK_PATHS 7
#define BK_NAME_CONFIG "config"
/* All that the configuration names, whether they are there or not; returns KLM_E_LIMIT when a name is too long. */
klm_rc bk_paths(const struct parm_config *config, struct bk_path out[BK_PATHS], size_t *n)
    KLM_MUST_USE;

/* How far the work is, told while it goes on. */
struct bk_progress {
    uint64_t done, total; /* bytes of the store, roughly; total 0: not known */
    bool verifying;       /* the file is being read back */
};
struct bk_watch {
    klm_rc (*go_on)(void *arg, const struct bk_progress *progress); /* see bk_pulse */
    void *arg;
};

struct bk_made {
    uint64_t number; /* of the last change in it */
    uint64_t bytes;  /* of the file */
    uint64_t records, damaged;
    bool is_signed;
};
struct bk_order {
    struct km_server *server;
    const char *path;          /* made with mode 0600; must not exist */
    struct klm_slice password; /* none: the token alone opens it */
    struct kr_scrypt cost;
    bool
        token; /* seal it with the key of tklm.backup.token, too; when there is a password, it may fail */
    struct bk_watch watch;
};
/* KLM_E_EXISTS, KLM_E_LIMIT (password), what the watch said, and failures of files, each with a message. After a failure there is no file
 * of that name, nor a temporary one. */
klm_rc bk_make(const struct bk_order *order, struct klm_diag *diag, struct bk_made *out)
    KLM_MUST_USE;

/* What goes into the stream: files first, then the snapshot, so that no view of the store is newer than the store. */
struct bk_sink {
    struct bk_out *out;
    struct kr_master *tokens; /* the backup's own master key */
    struct bk_manifest *manifest;
    struct bk_progress *progress;
    struct klm_pool *pool;
    struct klm_diag *diag;
};
klm_rc bk_collect(struct km_server *server, struct bk_sink *sink) KLM_MUST_USE;

#endif
