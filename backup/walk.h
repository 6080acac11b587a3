/* One way through a whole backup: every section is shown to a visitor, counted, hashed and compared with the manifest; the manifest's
 * signature is checked. Restoring, checking and listing are visitors. */
#ifndef BACKUP_WALK_H
#define BACKUP_WALK_H

#include "backup/stream.h"
#include "keymgr/km.h"

struct bk_visitor {
    /* Any may be NULL. Any outcome but KLM_OK ends the walk and is its outcome. */
    klm_rc (*begin)(void *arg, const struct bk_section *section);
    klm_rc (*record)(void *arg, const struct bk_section *section, const struct bk_record *record);
    klm_rc (*data)(void *arg, const struct bk_section *section, struct klm_slice data);
    klm_rc (*end)(void *arg, const struct bk_section *section);
    void *arg;
    bool
        closed; /* records are not taken apart, nor shown: for who wrote them, their hash says enough */
};

/* What a walk found; text and bytes live in its pool. */
struct bk_found {
    struct bk_manifest manifest;
    struct bk_signature signature; /* of the manifest; algorithm "": not signed */
};

/* Walk through in, which was opened behind this header. KLM_E_CORRUPT with a message: what is in it does not fit the manifest, or the
 * signature is wrong. */
klm_rc bk_walk(struct bk_in *in, const struct bk_header *header, const char *file,
               const struct bk_visitor *visitor, struct klm_pool *pool, struct klm_diag *diag,
               struct bk_found *out) KLM_MUST_USE;

/* ---- A backup that is open for reading */
struct bk_file {
    const char *path; /* borrowed */
    int fd;
    struct klm_pool *pool;
    uint64_t bytes; /* of the file */
    struct bk_header header;
    struct kr_backup *key;            /* NULL until bk_file_unlock */
    const struct kr_backup *borrowed; /* instead of key; NULL: none */
    const struct bk_reach *reach;     /* of a file that is still being written; NULL: it is whole */
};
/* Open and read the header. Only a regular file is opened (a symbolic link to one is). Failures come with a message. End with
 * bk_file_close, also after a failure. */
klm_rc bk_file_open(const char *path, struct klm_diag *diag, struct bk_file *out) KLM_MUST_USE;
void bk_file_close(struct bk_file *file);
/* Find the key by a password. KLM_E_WRONGKEY: no slot opens with it; KLM_E_UNSUPPORTED: no slot takes a password; KLM_E_CORRUPT: the
 * password is right, and the header was changed. */
klm_rc bk_file_unlock(struct bk_file *file, struct klm_slice password, struct klm_diag *diag)
    KLM_MUST_USE;
/* Is it as it was written, from the first chunk to the last (bk_in_prove)? */
klm_rc bk_file_prove(struct bk_file *file, const struct bk_pulse *pulse, struct klm_diag *diag)
    KLM_MUST_USE;
/* Which token and key the first of its token slots names. KLM_E_UNSUPPORTED: it has none; KLM_E_CORRUPT. */
klm_rc bk_file_token(const struct bk_file *file, struct p11_uri *out, struct klm_diag *diag)
    KLM_MUST_USE;
/* Find the key by the token of that slot, which the server has open. KLM_E_INVALID: its configuration names no such token; KLM_E_WRONGKEY: another token (by
 * its serial number, unless that is accepted) or another key; KLM_E_NOTFOUND: the token has no such key; KLM_E_STATE: it is not there; KLM_E_DENIED: its
 * PIN. Each with a message. */
klm_rc bk_file_unlock_token(struct bk_file *file, struct km_server *server, bool any_serial,
                            struct klm_diag *diag) KLM_MUST_USE;
/* Walk through it, from the first chunk on; more than once if need be. */
klm_rc bk_file_walk(struct bk_file *file, const struct bk_visitor *visitor,
                    const struct bk_pulse *pulse, struct klm_diag *diag, struct bk_found *out)
    KLM_MUST_USE;

#endif
