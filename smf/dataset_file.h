/* Within smf: the files of the SMF data sets. One of them, locked, is recorded on; smf.cursor tells which, and how far. */
#ifndef SMF_DATASET_FILE_H
#define SMF_DATASET_FILE_H

#include "smf/dataset.h"
#include "smf/tail.h"
#include "smf/trouble.h"

#include <pthread.h>
#include <sys/types.h>

#define SMF_DS_NAME_MAX SMF_DATASET_NAME_MAX
#define SMF_DS_BASE_MAX 44

/* A data set that is recorded on. */
struct smf_ds {
    struct smf_tail tail;
    char name[SMF_DS_NAME_MAX];
};

/* Open for recording, made when missing (0640), and lock. KLM_E_BUSY: another process has the lock; KLM_E_INVALID: no regular
 * file. */
klm_rc smf_ds_open(int dirfd, const char *name, struct smf_ds *out) KLM_MUST_USE;
void smf_ds_close(struct smf_ds *ds);
/* Cut the file with this inode number, whatever its name is now, to n bytes: someone renamed it before a crash. KLM_E_NOTFOUND. */
klm_rc smf_ds_cut_inode(int dirfd, uint64_t ino, uint64_t n) KLM_MUST_USE;
/* Bytes of a file, 0 when there is none. */
uint64_t smf_ds_size(int dirfd, const char *name);
/* Rename it to NAME.Dyyyyddd.Thhmmsst (UTC, tenths of a second), a later name when that is taken. */
klm_rc smf_ds_aside(int dirfd, const char *name, char aside[SMF_DS_NAME_MAX]) KLM_MUST_USE;

/* Where recording stands. */
struct smf_ds_place {
    uint64_t seq;                      /* last record of the journal that was looked at */
    struct smf_t83_chain chain;        /* of what is in the data sets */
    uint8_t text_chain[SMF_HASH_SIZE]; /* of the lines of the text log in them */
    uint64_t checkpoint;               /* records in the chain right behind the last checkpoint */
};
/* The same on disk. What it says of the data set was on disk when it was written. */
struct smf_ds_cursor {
    char name[SMF_DS_NAME_MAX];
    uint64_t ino, length;
    enum smf_format format;
    struct smf_ds_place place;
};
#define SMF_DS_CURSOR "smf.cursor"
#define SMF_DS_CURSOR_MOST 600 /* bytes of the file */
/* As text, and back: KLM_E_CORRUPT when it is not exactly as it would be written. Returns its length. */
int smf_ds_cursor_print(const struct smf_ds_cursor *cursor, char out[SMF_DS_CURSOR_MOST]);
klm_rc smf_ds_cursor_parse(const char *text, struct smf_ds_cursor *out) KLM_MUST_USE;
/* KLM_E_NOTFOUND: none; KLM_E_CORRUPT: not readable. */
klm_rc smf_ds_cursor_load(const char *folder, struct smf_ds_cursor *out) KLM_MUST_USE;
klm_rc smf_ds_cursor_save(const char *folder, const struct smf_ds_cursor *cursor) KLM_MUST_USE;

/* The sink. Everything but `shown` is its thread's own. */
struct smf_dataset_sink {
    struct smf_journal *journal;
    struct smf_begin begin;
    struct smf_sink *sink;
    char *folder;
    int dirfd;
    char (*names)[SMF_DS_BASE_MAX + 1];
    size_t names_n;
    uint64_t limit;
    enum smf_format format;
    struct smf_t83_origin origin;
    bool local;
    time_t minute; /* whose zone origin has */
    char system[8], subsystem[8], job[12];
    char *server_id;
    const struct smf_signer *signer;
    struct smf_hash *hash;

    struct smf_ds ds;
    struct smf_ds_place at, next; /* of what is written, and of it with out */
    char
        switched[SMF_DS_NAME_MAX]; /* what the data set is called now that was recorded on before */
    struct smf_ds_cursor saved;
    struct klm_buf out, text, blocks; /* records not yet written; one text record; out as blocks */
    bool lost; /* a sync failed: nobody knows what is on disk behind the saved cursor */
    struct smf_trouble write_trouble, switch_trouble, sign_trouble;
    uint64_t signed_ms;

    pthread_mutex_t lock; /* guards shown: the name that is recorded on, for other threads */
    char shown[SMF_DS_NAME_MAX];
};

/* dataset_switch.c: go on in the next data set, with a cursor that says so. The old one's bytes are on disk on return. */
klm_rc smf_dataset_go_on(struct smf_dataset_sink *sink) KLM_MUST_USE;
/* Does the list name it? */
bool smf_dataset_listed(const struct smf_dataset_sink *sink, const char *name);
/* Sync the data set, then the cursor of what is written. */
klm_rc smf_dataset_save(struct smf_dataset_sink *sink) KLM_MUST_USE;
/* Other threads see this name as the active one. */
void smf_dataset_show(struct smf_dataset_sink *sink);
/* The data set was changed by someone else: say so, and have one again. Only called between writes. */
klm_rc smf_dataset_changed(struct smf_dataset_sink *sink, enum smf_tail_seen seen) KLM_MUST_USE;

/* dataset_place.c: find place and data set at a start. journal_last: what the journal holds. */
klm_rc smf_dataset_find_place(struct smf_dataset_sink *sink, uint64_t journal_last,
                              struct klm_diag *diag) KLM_MUST_USE;

#endif
