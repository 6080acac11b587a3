/* A disk array: a folder with the identity of a storage image (ios/drive.h) and the file array.state, which holds what opens its encryption group, but never a
 * key in clear. The one idea: volumes are under the group key, the group key is made here and never changes, and what changes is what it is
 * wrapped under: a data key of the key managers, the data key prepared by a rekey, a recovery key. So every change is one small file, replaced as a whole.
 * ios/ARRAY.md is the format. */
#ifndef IOS_ARRAY_H
#define IOS_ARRAY_H

#include "base/clock.h"
#include "ios/hosts.h"
#include "ios/subkey.h"

#define IOS_ARRAY_SETS 2
#define IOS_ARRAY_SALT 32
#define IOS_ARRAY_STATE_MAX 8192
#define IOS_RECOVERY_TEXT 200 /* a recovery key as people write it, NUL included */
#define IOS_RECOVERY_TRIES 10 /* wrong ones, until a key manager has unlocked the array */

/* One data key of the encryption group, as the key managers open it, and the group key under it. */
struct ios_array_set {
    klm_time made;
    struct kx_label labels[KX_EEDKS];
    uint8_t labels_n;
    uint8_t eedk[KX_EEDKS][KX_EEDK_MAX];
    uint16_t eedk_size[KX_EEDKS];
    uint8_t eedk_n;
    uint8_t salt[IOS_ARRAY_SALT], wrapped[IOS_WRAPPED];
};

enum ios_recovery_state {
    IOS_RECOVERY_NONE,  /* never made */
    IOS_RECOVERY_SHOWN, /* made and shown, not typed back yet: not in force */
    IOS_RECOVERY_READY, /* in force */
    IOS_RECOVERY_OFF    /* disabled on purpose */
};
struct ios_array_recovery {
    uint8_t state; /* ios_recovery_state */
    klm_time changed;
    uint8_t salt[IOS_ARRAY_SALT], wrapped[IOS_WRAPPED]; /* zero in NONE and OFF */
    uint32_t tries;                                     /* wrong ones in a row */
    klm_time last_try;
};

struct ios_array_state {
    uint64_t change;                          /* number of the last change */
    char serial[13];                          /* of the storage image */
    char group[7];                            /* encryption group */
    struct ios_array_set set[IOS_ARRAY_SETS]; /* in force; prepared by a rekey */
    uint8_t sets_n;
    struct ios_array_recovery recovery;
};

/* ---- The state as bytes and as a file (array_state.c) */
/* KLM_E_INVALID, KLM_E_LIMIT: what cannot stand in a state. */
klm_rc ios_array_encode(const struct ios_array_state *state, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_INVALID: no state, or one that contradicts itself; KLM_E_CORRUPT: its digest does not fit; KLM_E_UNSUPPORTED: of a later version. */
klm_rc ios_array_decode(struct klm_slice in, struct ios_array_state *out) KLM_MUST_USE;
/* KLM_E_NOTFOUND: not configured, with a message. The state is that of the drive, or it is refused. */
klm_rc ios_array_load(const char *dir, struct klm_diag *diag, struct ios_array_state *out)
    KLM_MUST_USE;

/* ---- Changing it: one process at a time, whole or not at all */
struct ios_array_edit {
    const char *dir;
    int lock; /* file descriptor; -1 none */
    struct ios_array_state state;
};
/* Lock and read. fresh: there must be no state yet (KLM_E_EXISTS). KLM_E_BUSY: another process changes it. */
klm_rc ios_array_edit_begin(const char *dir, bool fresh, struct klm_diag *diag,
                            struct ios_array_edit *out) KLM_MUST_USE;
/* Write edit->state: temporary name, sync, rename. May be done more than once. */
klm_rc ios_array_edit_save(struct ios_array_edit *edit, struct klm_diag *diag) KLM_MUST_USE;
void ios_array_edit_end(struct ios_array_edit *edit);

/* ---- Keys (array_keys.c): a key under another, bound to the array, the group and the purpose */
enum ios_array_use { IOS_USE_DATA_KEY, IOS_USE_RECOVERY_KEY, IOS_USE_VOLUME };
/* Wrap with a fresh salt. */
klm_rc ios_array_seal(enum ios_array_use use, const char *serial, const char *group,
                      const uint8_t *under, const uint8_t *key, uint8_t salt[IOS_ARRAY_SALT],
                      uint8_t wrapped[IOS_WRAPPED]) KLM_MUST_USE;
/* KLM_E_WRONGKEY. */
klm_rc ios_array_open(enum ios_array_use use, const char *serial, const char *group,
                      const uint8_t *under, const uint8_t salt[IOS_ARRAY_SALT],
                      const uint8_t wrapped[IOS_WRAPPED], uint8_t *key) KLM_MUST_USE;

/* ---- Opening the group key */
struct ios_array_opened {
    uint8_t *group_key;           /* 32 bytes of secret memory; freed by ios_array_opened_done */
    unsigned set;                 /* which set opened it */
    char by[96];                  /* "primary key manager 127.0.0.1:3801" */
    char label[KX_LABEL_MAX + 1]; /* key label that opened the EEDK */
};
/* Ask the key managers for the data key of the set in force; when they refuse it, for that of a rekey that was prepared. Outcomes as of
 * ios_hosts_ask; KLM_E_WRONGKEY: the data key does not open the group key. */
klm_rc ios_array_unlock(const struct ios_array_state *state, struct ios_hosts *hosts,
                        struct ios_fault *fault, struct klm_diag *diag,
                        struct ios_array_opened *out) KLM_MUST_USE;
void ios_array_opened_done(struct ios_array_opened *opened);

/* ---- Configuration and rekey (array_group.c) */
struct ios_labels {
    struct kx_label label[KX_EEDKS];
    uint8_t n; /* 0: those of the array at the key manager, or its defaults */
};
/* A group key, a data key for it from the key managers, the state. Nothing is left behind when it fails. */
klm_rc ios_array_configure(const char *dir, const struct ios_drive *drive, const char *group,
                           const struct ios_labels *labels, struct ios_hosts *hosts,
                           struct ios_fault *fault, struct klm_diag *diag) KLM_MUST_USE;
/* The same data key for other labels. */
klm_rc ios_array_relabel(const char *dir, const struct ios_labels *labels, struct ios_hosts *hosts,
                         struct ios_fault *fault, struct klm_diag *diag) KLM_MUST_USE;
/* Rekey, first step: a new data key beside the one in force. recovery: a recovery key as typed that opens the group key when no key manager can;
 * or NULL. KLM_E_STATE: one is prepared already. */
klm_rc ios_array_rekey_prepare(const char *dir, const struct ios_labels *labels,
                               const char *recovery, struct ios_hosts *hosts,
                               struct ios_fault *fault, struct klm_diag *diag) KLM_MUST_USE;
/* Second step: the key managers prove that they open the new one; then it is in force alone. KLM_E_STATE: none is prepared. */
klm_rc ios_array_rekey_commit(const char *dir, struct ios_hosts *hosts, struct ios_fault *fault,
                              struct klm_diag *diag) KLM_MUST_USE;
klm_rc ios_array_rekey_abandon(const char *dir, struct klm_diag *diag) KLM_MUST_USE;

/* ---- Recovery key (array_recovery.c): 32 random bytes in two parts for two officers, each with a check of its own */
/* As printed: two lines. */
klm_rc ios_recovery_text(const uint8_t key[IOS_SUBKEY], char out[IOS_RECOVERY_TEXT]) KLM_MUST_USE;
/* As typed: digits in any case, blanks, hyphens, line ends, "PART 1:" do not matter. KLM_E_INVALID: mistyped, the check does not fit. */
klm_rc ios_recovery_parse(const char *text, uint8_t key[IOS_SUBKEY]) KLM_MUST_USE;
/* Make one, proved by the key managers to be wanted for this array; the text is shown once. KLM_E_STATE: one is in force. */
klm_rc ios_array_recovery_create(const char *dir, struct ios_hosts *hosts, struct ios_fault *fault,
                                 struct klm_diag *diag, char out[IOS_RECOVERY_TEXT]) KLM_MUST_USE;
/* Typed back: it is in force from now on. Wrong: KLM_E_WRONGKEY, counted. KLM_E_INVALID: mistyped, not counted. */
klm_rc ios_array_recovery_verify(const char *dir, const char *text, struct klm_diag *diag)
    KLM_MUST_USE;
/* Never again, until a new one is made. The key managers must be able to open the array, or it would be lost. */
klm_rc ios_array_recovery_disable(const char *dir, struct ios_hosts *hosts, struct ios_fault *fault,
                                  struct klm_diag *diag) KLM_MUST_USE;
/* Open the group key with it. Tries are counted on disk before each is made; after three the next has to wait, longer each time; after
 * IOS_RECOVERY_TRIES none is taken until a key manager has unlocked the array. KLM_E_STATE: none in force; KLM_E_AGAIN: too soon; else as verify. */
klm_rc ios_array_recover(struct ios_array_edit *edit, const char *text, struct klm_diag *diag,
                         uint8_t *group_key) KLM_MUST_USE;
/* A key manager has unlocked the array: wrong tries are forgotten. */
klm_rc ios_array_recovery_reset(const char *dir, struct klm_diag *diag) KLM_MUST_USE;

#endif
