/* Clients of KMIP and their device groups. A client is a certificate: its SHA-256 fingerprint, never a name in it; operators know it by a name of theirs, which stays when the
 * certificate is renewed. It belongs to one device group, and so do the objects it makes; a client that was put into none has one of its own, which no other ever
 * joins. Who is unknown leaves its certificate on a bounded list, from which an operator accepts it. Records of the store, and an immutable counted snapshot for
 * the listeners, whose changes are cheap however many clients there are. */
#ifndef DRIVETABLE_CLIENTS_H
#define DRIVETABLE_CLIENTS_H

#include "base/clock.h"
#include "base/msg.h"
#include "store/st.h"

#define DT_CLIENT_NAME_MAX 64
#define DT_CLIENT_USER_MAX 64   /* bytes of a user name, and of a serial number */
#define DT_DEVICE_GROUP_MAX 64  /* as MD_GROUP_MAX */
#define DT_FINGERPRINT_MAX 65   /* hex, lower case, and a NUL */
#define DT_CLIENT_CERT_MAX 8192 /* bytes of a certificate */
#define DT_CLIENT_SUBJECT_MAX 256
#define DT_CLIENTS_PENDING_MAX 100
#define DT_CLIENTS_MAX 100000
#define DT_DEVICE_GROUPS_MAX 1000
#define DT_HASHED_PREFIX "kmip-client."
#define DT_HASHED_MAX 45     /* the prefix, 32 hex digits and a NUL */
#define DT_ONCE_MAX 100      /* one-time passwords of a client */
#define DT_ONCE_HEAD 20      /* keyring/verifier.h */
#define DT_GROUP_NONE "none" /* what a group of one client alone is called */

struct dt_client {
    char fingerprint[DT_FINGERPRINT_MAX]; /* "": it has no certificate yet, and cannot connect */
    char name[DT_CLIENT_NAME_MAX + 1];
    char group[DT_DEVICE_GROUP_MAX + 1]; /* of its own: a period and 32 hex digits (dt_group_own) */
    char user[DT_CLIENT_USER_MAX +
              1]; /* user name that its messages have to carry; "": none is asked for */
    bool has_password;
    uint8_t verifier[64]; /* of the password: keyring/verifier.h */
    char device
        [DT_CLIENT_USER_MAX +
         1]; /* device serial number that a device credential has to carry; "": none is asked for */
    char hashed
        [DT_HASHED_MAX]; /* label of the key token with what is kept for hashed passwords; "": its messages may carry none */
    bool once;             /* its messages have to carry a one-time password: struct dt_proof */
    bool closed;           /* it is being deleted: nothing of it is served any more */
    klm_time from, until;  /* the certificate is valid; 0, 0 without one */
    klm_time added, last;  /* last: contact, flushed lazily; 0 never */
    struct klm_slice cert; /* DER; in the pool of who reads it */
};
/* What changes when a client proves who it is: a record of its own, beside the client's. */
struct dt_proof {
    int64_t stamp; /* of the last hashed password, microseconds since 1970; 0: none yet */
    uint8_t once_head[DT_ONCE_HEAD];
    size_t n; /* one-time passwords that are left */
    uint8_t once[DT_ONCE_MAX][32];
};
struct dt_device_group {
    char name[DT_DEVICE_GROUP_MAX + 1];
    char prefix[4];   /* three letters for names of keys made for it; "" none */
    bool kmip_delete; /* enableKMIPDelete: clients may destroy objects */
    bool closed;      /* it is being deleted */
    klm_time added;
};
struct dt_client_pending {
    char fingerprint[DT_FINGERPRINT_MAX];
    char address[64]; /* host, without a port */
    char subject[DT_CLIENT_SUBJECT_MAX];
    klm_time first, last;
    uint32_t tries;
    struct klm_slice cert;
};

/* ---- What is well formed. KLM_E_INVALID. */
/* 1 to 64 bytes of printable UTF-8, no quotation marks, no blank at either end; not "none". */
klm_rc dt_client_name_check(const char *name) KLM_MUST_USE;
/* A letter, then letters, digits and underscores, at most 64; not "none" in any case. */
klm_rc dt_device_group_check(const char *name) KLM_MUST_USE;
/* Three letters, or "". */
klm_rc dt_prefix_check(const char *prefix) KLM_MUST_USE;
/* Is it a group of one client alone? Its name is never an operator's. */
bool dt_group_own(const char *group);
/* A new one. KLM_E_CRYPTO. */
klm_rc dt_group_own_new(char out[DT_DEVICE_GROUP_MAX + 1]) KLM_MUST_USE;

/* ---- Records of the store */
/* KLM_E_NOTFOUND; KLM_E_CORRUPT. With a pool cert is there, too. */
klm_rc dt_client_get(struct st_view *view, const char *name, struct klm_pool *pool,
                     struct dt_client *out) KLM_MUST_USE;
klm_rc dt_client_find(struct st_view *view, const char *fingerprint, struct klm_pool *pool,
                      struct dt_client *out) KLM_MUST_USE;
/* Add (before NULL), change, rename or remove (after NULL). before is the client as it is, certificate and all. KLM_E_INVALID: it is not well formed;
 * KLM_E_EXISTS: another client has the name; KLM_E_BUSY: another one has the certificate; KLM_E_NOTFOUND: before is not there. */
klm_rc dt_client_change(struct st_change *change, const struct dt_client *before,
                        const struct dt_client *after) KLM_MUST_USE;
/* Remove by name what cannot be read. KLM_E_NOTFOUND. */
klm_rc dt_client_drop(struct st_change *change, const char *name) KLM_MUST_USE;
/* What a client proves itself by. KLM_E_NOTFOUND: nothing was put; KLM_E_CORRUPT. It follows a client that is renamed, and goes with one that is removed. */
klm_rc dt_proof_get(struct st_view *view, const char *name, struct dt_proof *out) KLM_MUST_USE;
/* Put or replace; proof NULL: take it away. KLM_E_INVALID: no such name, or too many. */
klm_rc dt_proof_put(struct st_change *change, const char *name, const struct dt_proof *proof)
    KLM_MUST_USE;
typedef klm_rc dt_client_fn(void *arg, const struct dt_client *client);
/* All by name, certificates borrowed for the visit; damaged ones are named in a message and left out. */
klm_rc dt_client_scan(struct st_view *view, dt_client_fn *fn, void *arg) KLM_MUST_USE;

/* The group of a name. KLM_E_NOTFOUND, KLM_E_CORRUPT. */
klm_rc dt_device_group_get(struct st_view *view, const char *name, struct dt_device_group *out)
    KLM_MUST_USE;
/* Add or replace. KLM_E_INVALID. */
klm_rc dt_device_group_put(struct st_change *change, const struct dt_device_group *group)
    KLM_MUST_USE;
/* KLM_E_NOTFOUND; a damaged one goes, too. */
klm_rc dt_device_group_delete(struct st_change *change, const char *name) KLM_MUST_USE;
typedef klm_rc dt_device_group_fn(void *arg, const struct dt_device_group *group);
klm_rc dt_device_group_scan(struct st_view *view, dt_device_group_fn *fn, void *arg) KLM_MUST_USE;

/* ---- Clients that wait */
/* Add or replace. When DT_CLIENTS_PENDING_MAX wait, the oldest of the address that has left most certificates makes room, so that one caller
 * cannot push out all others. pushed ("": none was) names it. KLM_E_INVALID. */
klm_rc dt_client_pending_put(struct st_change *change, const struct dt_client_pending *pending,
                             char pushed[DT_FINGERPRINT_MAX]) KLM_MUST_USE;
klm_rc dt_client_pending_get(struct st_view *view, const char *fingerprint, struct klm_pool *pool,
                             struct dt_client_pending *out) KLM_MUST_USE;
/* The one whose fingerprint begins so (hex digits in lower case). KLM_E_NOTFOUND; KLM_E_EXISTS: more than one does. */
klm_rc dt_client_pending_find(struct st_view *view, const char *beginning, struct klm_pool *pool,
                              struct dt_client_pending *out) KLM_MUST_USE;
/* KLM_E_NOTFOUND; a damaged one goes, too. */
klm_rc dt_client_pending_delete(struct st_change *change, const char *fingerprint) KLM_MUST_USE;
typedef klm_rc dt_client_pending_fn(void *arg, const struct dt_client_pending *pending);
/* All by fingerprint; damaged ones are named in a message and left out. */
klm_rc dt_client_pending_scan(struct st_view *view, dt_client_pending_fn *fn, void *arg)
    KLM_MUST_USE;

/* ---- The snapshot */
struct dt_clients;
klm_rc dt_clients_load(struct st_view *view, struct dt_clients **out) KLM_MUST_USE;
struct dt_clients *dt_clients_ref(struct dt_clients *clients);
void dt_clients_free(struct dt_clients **clients);
/* By fingerprint, O(1); NULL. cert is empty in a snapshot. */
const struct dt_client *dt_clients_find(const struct dt_clients *clients, const char *fingerprint);
const struct dt_device_group *dt_clients_group(const struct dt_clients *clients, const char *name);
/* All clients, also those without a certificate; the groups that operators made. */
size_t dt_clients_count(const struct dt_clients *clients);
size_t dt_clients_groups(const struct dt_clients *clients);
/* A new snapshot with one client added (before NULL), changed or removed (after NULL); the same with a group. */
klm_rc dt_clients_with(const struct dt_clients *clients, const struct dt_client *before,
                       const struct dt_client *after, struct dt_clients **out) KLM_MUST_USE;
klm_rc dt_clients_with_group(const struct dt_clients *clients, const char *before,
                             const struct dt_device_group *after, struct dt_clients **out)
    KLM_MUST_USE;

/* ---- Last contacts: no durable part of a request. Noted by any thread, once a minute for each client, flushed lazily. */
struct dt_seen;
klm_rc dt_seen_new(struct dt_seen **out) KLM_MUST_USE;
void dt_seen_note(struct dt_seen *seen, const char *fingerprint, klm_time when);
/* Write at most max of what was noted into a change, and forget it; *n is how many. */
klm_rc dt_seen_flush(struct dt_seen *seen, struct st_change *change, size_t max, size_t *n)
    KLM_MUST_USE;
void dt_seen_free(struct dt_seen **seen);

#endif
