/* Backup and restore of a server: one file with all of its state but the master key and the audit journal (BACKUP.md). A backup is made
 * from a snapshot while keys are served; a restore checks the whole file before it changes anything, keeps the state before, and is
 * either wholly in force or not at all, whenever it ends. */
#ifndef BACKUP_BK_H
#define BACKUP_BK_H

#include "keymgr/km.h"

/* ---- Making backups: what the verbs backup-run, -check, -cancel, -progress and -list ask for */
struct bk_service;
struct bk_options {
    bool
        here; /* a tool while the task is down: work is done in the calling thread, files are named as anywhere */
    /* here: hears how far the work is, a few times a second; any outcome but KLM_OK cancels. May be NULL. */
    klm_rc (*progress)(void *arg, const char *line);
    void *arg;
    /* The task: end serving, since a restore was agreed on (bk_agreed_take). Any thread. NULL: none can be. */
    void (*stop)(void *arg);
    const struct kr_scrypt *cost; /* of the passwords of new backups; NULL: KR_SCRYPT_DEFAULT */
};
/* Serve the server's verbs; in the task, a thread of low priority does the work, one backup at a time, and makes those of the schedule. */
klm_rc bk_open(struct km_server *server, const struct bk_options *options, struct klm_diag *diag,
               struct bk_service **out) KLM_MUST_USE;
/* Cancels what is under way. Before the server is closed. */
void bk_close(struct bk_service **service);

/* Append the password in a file (its first line) to a wiping buffer. KLM_E_DENIED: the file is open to others, belongs to somebody else or
 * is no regular file; KLM_E_LIMIT: longer than a password may be. Each with a message. */
klm_rc bk_password_file(const char *path, struct klm_buf *out, struct klm_diag *diag) KLM_MUST_USE;

/* Should the schedule make one now? hours (0: no interval) and time of day ("HH:MM" local, or NULL) are the configuration's; last is the
 * last good backup, tried the last attempt (0: none). */
bool bk_due(int64_t hours, const char *time_of_day, bool needed, klm_time last, klm_time tried,
            klm_time now);

/* ---- Restoring */
enum bk_consent {
    BK_ACCEPT_OLDER = 1,
    BK_ACCEPT_FOREIGN = 2,
    BK_ACCEPT_NEWER = 4,
    BK_ACCEPT_TOKEN = 8 /* a token with another serial number: a copy that has the key */
};
struct bk_restore {
    const char *config_path; /* of the server that is to get the state; the task is down */
    const char *file;
    struct klm_slice password;
    bool token;            /* open it with the token that it names, not with a password */
    unsigned consent;      /* bk_consent bits */
    const uint8_t *header; /* SHA-256 of the header that it must have (32 bytes), or NULL */
    const char *who;       /* for the event */
    unsigned roles;        /* of who, added to those the configuration gives him; 0 */
    klm_rc (*progress)(void *arg, const char *line); /* may be NULL */
    void *arg;
    klm_rc (*prompt)(void *arg, uint8_t *pin, size_t cap, size_t *n); /* for a PIN; may be NULL */
};
struct bk_restored {
    char kept[4096]; /* folder of the state before */
    uint64_t records;
};
/* Failures come with a message and leave everything as it was; so does a kill, until the new state is complete, and after that the next
 * start finishes it. KLM_E_BUSY: the task is up. KLM_E_WRONGKEY: another password. KLM_E_CORRUPT: damage. KLM_E_STATE: needs consent. */
klm_rc bk_restore(const struct bk_restore *restore, struct klm_diag *diag, struct bk_restored *out)
    KLM_MUST_USE;
/* "older,foreign,newer,token" as bk_consent bits. False: another word, or none. */
bool bk_consent_of(const char *list, unsigned *out);

/* A restore that two operators of the running task agreed on: taken before bk_close, carried out when the server is closed. */
struct bk_agreed;
struct bk_agreed *bk_agreed_take(struct bk_service *service); /* NULL: none */
void bk_agreed_free(struct bk_agreed **agreed);
const char *bk_agreed_file(const struct bk_agreed *agreed);
/* As bk_restore. KLM_E_STATE, too, when the file is not the one that was agreed on. */
klm_rc bk_agreed_restore(const struct bk_agreed *agreed, const char *config_path,
                         klm_rc (*progress)(void *arg, const char *line), void *arg,
                         struct klm_diag *diag, struct bk_restored *out) KLM_MUST_USE;
/* Put the state back that a restore kept: file names its folder; password and consent are not looked at. What is in force now is kept in
 * turn. */
klm_rc bk_undo(const struct bk_restore *restore, struct klm_diag *diag, struct bk_restored *out)
    KLM_MUST_USE;

#endif
