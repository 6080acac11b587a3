/* A storage system that has its keys from KMIP key servers, up to four: a folder with the identity of a KMIP client and the file system.state. The one idea: a key is made on the primary key
 * server alone and named there by its Unique Identifier, which is all that is kept here; each key is a generation with a number, a volume names the generation that it was written under, and so an
 * old volume is readable as long as some key server has the old key. Every step of a rekey is on disk before the key server is asked and after it has answered, so a command that was killed is
 * just given again. ios/SYSTEM.md is the format and the process.
 *
 *     system.key    private key, PKCS#8 in PEM, mode 0600
 *     system.csr    request for a certificate, PKCS#10 in PEM
 *     system.crt    certificate, put there by install
 *     ca.crt        the authorities of the key servers' certificates, up to IOS_SYSTEM_CAS
 *     system.state  key servers, rekey, keys; never a key in clear
 *     volumes/      as in ios/ARRAY.md, section 3, with a key's generation as encryption group */
#ifndef IOS_SYSTEM_H
#define IOS_SYSTEM_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/msg.h"
#include "ios/subkey.h"

#include <stdbool.h>

struct evp_pkey_st;
struct x509_st;

#define IOS_KEYSERVERS 4
#define IOS_KEYSERVER_NAME 32
#define IOS_KEYSERVER_HOST 255
#define IOS_SYSTEM_NAME 16
#define IOS_SYSTEM_KEYS 200
#define IOS_SYSTEM_NUMBER_MAX 99999 /* of a key */
#define IOS_KEY_UID 64
#define IOS_KEY_NAME 64
#define IOS_KEY_CHECK 16
#define IOS_SYSTEM_CAS 8
#define IOS_SYSTEM_STATE_MAX 65536
#define IOS_GROUP_TEXT 7 /* "K00001" and a NUL: the encryption group of a volume */

struct ios_keyserver {
    uint8_t id; /* 0 to IOS_KEYSERVERS - 1: the lowest that was free */
    char name[IOS_KEYSERVER_NAME + 1];
    char host[IOS_KEYSERVER_HOST + 1];
    uint16_t port;
};

enum ios_key_place {
    IOS_KEY_PREPARED = 1, /* made on the primary, not in use yet */
    IOS_KEY_CURRENT,      /* volumes are written under it */
    IOS_KEY_OBSOLETE,     /* volumes that were written under it are still read */
    IOS_KEY_CANCELLED     /* prepared and given up */
};
struct ios_system_key {
    uint32_t number; /* generation, from 1 */
    uint8_t place;   /* ios_key_place */
    char uid[IOS_KEY_UID + 1];
    klm_time made, changed; /* changed: when it came to its place */
    uint8_t check[IOS_KEY_CHECK];
};

enum ios_rekey {
    IOS_REKEY_NO,
    IOS_REKEY_PREPARING, /* the key server may have been asked for the key called request */
    IOS_REKEY_PREPARED,  /* it is there */
    IOS_REKEY_COMMITTING /* the key server may have been told that it is the current one */
};

struct ios_system_state {
    uint64_t change; /* number of the last change */
    char serial[13]; /* 12 letters and digits */
    char name[IOS_SYSTEM_NAME + 1];
    struct ios_keyserver server[IOS_KEYSERVERS]; /* by id */
    uint8_t servers_n;
    uint8_t primary; /* id; of no meaning without servers */
    bool enabled;    /* encryption */
    uint8_t rekey;   /* ios_rekey */
    char request[IOS_KEY_NAME +
                 1]; /* Name of the key of a rekey, unique in the world; "" without one */
    struct ios_system_key key[IOS_SYSTEM_KEYS]; /* by number */
    uint16_t keys_n;
};

/* ---- The state as bytes and as a file (system_state.c) */
/* KLM_E_INVALID, KLM_E_LIMIT: what cannot stand in a state. */
klm_rc ios_system_encode(const struct ios_system_state *state, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_INVALID: no state, or one that contradicts itself; KLM_E_CORRUPT: its digest does not fit; KLM_E_UNSUPPORTED: of a later version. */
klm_rc ios_system_decode(struct klm_slice in, struct ios_system_state *out) KLM_MUST_USE;
/* KLM_E_NOTFOUND: no storage system there. */
klm_rc ios_system_load(const char *dir, struct klm_diag *diag, struct ios_system_state *out)
    KLM_MUST_USE;
/* What may be called so: 1 to 16, and 1 to 32, letters, digits, . _ - */
bool ios_system_name_ok(const char *name);
bool ios_keyserver_name_ok(const char *name);
/* The key of a place, or number; NULL: there is none. */
const struct ios_system_key *ios_system_key(const struct ios_system_state *state,
                                            enum ios_key_place place);
const struct ios_system_key *ios_system_key_number(const struct ios_system_state *state,
                                                   uint32_t number);
/* The encryption group that stands for a generation, and back; 0: it stands for none. */
void ios_system_group(uint32_t number, char out[IOS_GROUP_TEXT]);
uint32_t ios_system_group_number(const char *group);
/* Words for a place and for a rekey, as lskey and lsencryption show them. */
const char *ios_key_place_name(uint8_t place);
const char *ios_rekey_name(const struct ios_system_state *state);

/* One process at a time changes the state, and writes volumes. */
struct ios_system_edit {
    const char *dir;
    int lock; /* file descriptor; -1 none */
    struct ios_system_state state;
};
/* Lock and read. KLM_E_BUSY: another process changes it. */
klm_rc ios_system_edit_begin(const char *dir, struct klm_diag *diag, struct ios_system_edit *out)
    KLM_MUST_USE;
/* Write edit->state: temporary name, sync, rename. May be done more than once. */
klm_rc ios_system_edit_save(struct ios_system_edit *edit, struct klm_diag *diag) KLM_MUST_USE;
void ios_system_edit_end(struct ios_system_edit *edit);

/* ---- Identity (system_identity.c) */
struct ios_system_identity {
    struct evp_pkey_st *key;
    struct x509_st *cert;
    struct x509_st *ca[IOS_SYSTEM_CAS];
    size_t ca_n;
};
/* Folder, key, request, state. serial NULL: a random one; key_type NULL: ec:P-256. KLM_E_EXISTS: there is one, which is left as it is. */
klm_rc ios_system_init(const char *dir, const char *name, const char *serial, const char *key_type,
                       struct klm_diag *diag) KLM_MUST_USE;
/* Check a certificate for the request, and the authorities of the key servers (which may be other ones than that which signed the certificate), and copy them into the folder. */
klm_rc ios_system_install(const char *dir, const char *cert_file, const char *ca_file,
                          struct klm_diag *diag) KLM_MUST_USE;
klm_rc ios_system_identity(const char *dir, struct klm_diag *diag, struct ios_system_identity **out)
    KLM_MUST_USE;
void ios_system_identity_free(struct ios_system_identity **identity);

/* ---- What is asked of a key server. The real one is ios_kmip (ios/kmip_keys.h); tests have others. Each failure has a message in diag that names the key server. KLM_E_NOTFOUND: it answers that it
 * has no such key; KLM_E_DENIED: it refuses; others: it cannot be reached, or what it says makes no sense. */
struct ios_key_look {
    uint32_t state;                                               /* KMIP_State_... */
    char replaced[IOS_KEY_UID + 1], replacement[IOS_KEY_UID + 1]; /* Links, or "" */
};
/* What becomes of keys when a new one is the current one; each step only when it is set, all or nothing. */
struct ios_key_turn {
    const char *new_uid, *old_uid; /* NULL where no step needs it */
    bool activate;                 /* the new one becomes Active */
    bool link_new,
        link_old; /* it gets a Replaced Object Link, the old one a Replacement Object Link */
    bool revoke;  /* the old one becomes Deactivated */
};
struct ios_keys_ops {
    void *arg;
    /* The key with a Name. */
    klm_rc (*find)(void *arg, const struct ios_keyserver *server, const char *name,
                   char uid[IOS_KEY_UID + 1], struct klm_diag *diag);
    /* A new AES-256 key with that Name, Pre-Active; serial is noted with it. */
    klm_rc (*make)(void *arg, const struct ios_keyserver *server, const char *name,
                   const char *serial, char uid[IOS_KEY_UID + 1], struct klm_diag *diag);
    /* The key itself, to 32 bytes of secret memory. */
    klm_rc (*get)(void *arg, const struct ios_keyserver *server, const char *uid,
                  uint8_t key[IOS_SUBKEY], struct klm_diag *diag);
    klm_rc (*look)(void *arg, const struct ios_keyserver *server, const char *uid,
                   struct ios_key_look *out, struct klm_diag *diag);
    klm_rc (*turn)(void *arg, const struct ios_keyserver *server, const struct ios_key_turn *turn,
                   struct klm_diag *diag);
    klm_rc (*destroy)(void *arg, const struct ios_keyserver *server, const char *uid,
                      struct klm_diag *diag);
};

/* ---- Key servers (system_servers.c) */
/* Add one: the first is the primary, and a later one when it is told so. id is set. KLM_E_LIMIT, KLM_E_EXISTS, KLM_E_INVALID, KLM_E_STATE (a rekey is under way: the primary stays) with a
 * message, here and below. Nothing is saved. */
klm_rc ios_keyserver_add(struct ios_system_state *state, const struct ios_keyserver *server,
                         bool primary, struct klm_diag *diag) KLM_MUST_USE;
/* Change what is given: name or host NULL, port 0: stay. */
klm_rc ios_keyserver_change(struct ios_system_state *state, uint8_t id, const char *name,
                            const char *host, uint16_t port, bool primary, struct klm_diag *diag)
    KLM_MUST_USE;
/* The primary stays while there are others, and the last one while encryption is enabled. */
klm_rc ios_keyserver_remove(struct ios_system_state *state, uint8_t id, struct klm_diag *diag)
    KLM_MUST_USE;
/* By name, or by id as text. KLM_E_NOTFOUND with a message. */
klm_rc ios_keyserver_find(const struct ios_system_state *state, const char *which,
                          struct klm_diag *diag, const struct ios_keyserver **out) KLM_MUST_USE;
const struct ios_keyserver *ios_keyserver_primary(const struct ios_system_state *state);
/* Does it answer, and give the keys that are needed: the current one, and one that is prepared? Each is fetched and compared. Without keys: does it answer this client? KLM_OK: online; else why
 * not. */
klm_rc ios_keyserver_check(const struct ios_system_state *state, const struct ios_keyserver *server,
                           const struct ios_keys_ops *ops, struct klm_diag *diag) KLM_MUST_USE;
/* A key from a key server, checked against what was made: KLM_E_WRONGKEY: it is another one. */
klm_rc ios_system_key_from(const struct ios_system_state *state, const struct ios_system_key *key,
                           const struct ios_keyserver *server, const struct ios_keys_ops *ops,
                           uint8_t out[IOS_SUBKEY], struct klm_diag *diag) KLM_MUST_USE;
/* From the primary, and when it has none, from the others in turn; those that failed are said. */
klm_rc ios_system_key_fetch(const struct ios_system_state *state, const struct ios_system_key *key,
                            const struct ios_keys_ops *ops, uint8_t out[IOS_SUBKEY],
                            struct klm_diag *diag) KLM_MUST_USE;
/* What tells a key from others, to be kept with it. */
klm_rc ios_system_key_check(const char *serial, const char *uid, const uint8_t key[IOS_SUBKEY],
                            uint8_t out[IOS_KEY_CHECK]) KLM_MUST_USE;

/* ---- Encryption and rekey (system_rekey.c). Each saves as it goes on; one that was interrupted is given again. KLM_E_STATE: not now, with a message. */
/* The first key: made, and current. */
klm_rc ios_system_enable(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *diag) KLM_MUST_USE;
/* Every key server has to be online. The new key is made on the primary alone. */
klm_rc ios_system_prepare(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                          struct klm_diag *diag) KLM_MUST_USE;
/* The prepared key becomes the current one, and the one before obsolete: at the key server Active and Deactivated, each with a link to the other. */
klm_rc ios_system_commit(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *diag) KLM_MUST_USE;
/* The prepared key is given up. left tells why it could not be destroyed at the key server, or holds KLM_MSG_NONE. */
klm_rc ios_system_cancel(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                         struct klm_diag *left, struct klm_diag *diag) KLM_MUST_USE;
/* No encryption any more: there must be no volume. The current key becomes obsolete. */
klm_rc ios_system_disable(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                          struct klm_diag *diag) KLM_MUST_USE;

/* ---- Volumes (system_volume.c) */
/* Under the current key. */
klm_rc ios_system_write(struct ios_system_edit *edit, const struct ios_keys_ops *ops,
                        const char *name, int fd, uint64_t *bytes, struct klm_diag *diag)
    KLM_MUST_USE;
/* Under whichever key it was written. */
klm_rc ios_system_read(const char *dir, const struct ios_system_state *state,
                       const struct ios_keys_ops *ops, const char *name, int fd, uint64_t *bytes,
                       struct klm_diag *diag) KLM_MUST_USE;
struct ios_system_volume {
    char name[17];
    uint32_t number; /* of its key; 0: it cannot be read */
    klm_time written;
    uint64_t size; /* of the file */
};
typedef klm_rc ios_system_volume_fn(void *arg, const struct ios_system_volume *volume);
/* All volumes, by name. */
klm_rc ios_system_volumes(const char *dir, struct klm_diag *diag, ios_system_volume_fn *fn,
                          void *arg) KLM_MUST_USE;

#endif
