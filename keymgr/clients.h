/* What the files on clients of KMIP share. */
#ifndef KEYMGR_CLIENTS_H
#define KEYMGR_CLIENTS_H

#include "keymgr/internal.h"

#include "keymgr/textset.h"
#include "keyring/verifier.h"

/* What prepare found, and what becomes of the client: publish makes the snapshot of it. */
struct km_client_work {
    struct dt_client given; /* what the request says: certificate, verifier, a group of its own */
    char beginning[DT_FINGERPRINT_MAX]; /* of the fingerprint that is accepted or rejected */
    struct dt_proof proof;              /* one-time passwords, when the request gives such */
    struct klm_slice token;             /* of given.hashed */
    bool once;
    struct dt_client before, after;
    bool had, has; /* before, after are there */
    bool reload;   /* what could not be read is gone: the snapshot may have it still */
    bool purge;    /* it is closed, and its objects go */
};
/* clients_sync.c: what a partner sent (call->work of its verbs), and what became of it. */
struct km_clients_taken {
    struct dt_device_group *group;
    struct dt_client *client;
    uint32_t groups, clients;
    struct km_textset named_groups, names,
        fingerprints; /* of these; the two of clients when what is missing is to go */
    size_t added, changed, removed, left; /* left: as they are here */
};
#define KM_FINGERPRINT_LEAST                                                                       \
    16 /* hexadecimal digits that nobody finds a second certificate for in passing */

/* A name, a group, credentials of a request, checked; with the certificate read and the verifier made. */
klm_rc km_client_read(struct km_call *call, struct km_client_work **out) KLM_MUST_USE;
/* Into given: a certificate in DER. */
klm_rc km_client_cert(struct km_call *call, struct klm_slice der, struct dt_client *given)
    KLM_MUST_USE;
/* The parts of a request that add and accept share: group and credentials over what is there. */
klm_rc km_client_fill(struct km_call *call, struct st_view *view, struct dt_client *client)
    KLM_MUST_USE;
/* Put a client into the change and into the work, for publish; refused with the message that says whose name or certificate it is. */
klm_rc km_client_put(struct km_call *call, struct st_change *change, const struct dt_client *before,
                     const struct dt_client *after) KLM_MUST_USE;
/* Add a new one, if there is room. */
klm_rc km_client_put_new(struct km_call *call, struct st_change *change, struct dt_client *client)
    KLM_MUST_USE;
/* A client by name that may be changed. KLM_E_NOTFOUND, KLM_E_STATE with a message. */
klm_rc km_client_open(struct km_call *call, struct st_view *view, const char *name,
                      struct dt_client *out) KLM_MUST_USE;
/* The key token of hashed passwords goes with the client, or with the password. after NULL: the client goes. */
klm_rc km_client_drop_hashed(struct st_change *change, const struct dt_client *before,
                             const struct dt_client *after) KLM_MUST_USE;
/* clients_proof.c: what a request says of one-time and hashed passwords, into the work; and from there into the store, beside what has become of the client. */
klm_rc km_client_read_proof(struct km_call *call, struct km_client_work *work) KLM_MUST_USE;
klm_rc km_client_fill_proof(struct km_call *call, struct dt_client *client) KLM_MUST_USE;
klm_rc km_client_put_proof(struct km_call *call, struct st_change *change,
                           const struct dt_client *before, const struct dt_client *after)
    KLM_MUST_USE;
/* credential.c: tries of a client. KLM_E_DENIED with a message: there were too many. */
klm_rc km_credential_may_try(struct km_server *server, const struct dt_client *client,
                             struct klm_diag *diag) KLM_MUST_USE;
void km_credential_wrong(struct km_server *server, const struct dt_client *client);
/* A client for an event, in text. */
const char *km_client_text(struct km_call *call, const struct dt_client *client);
/* The group as listings show it. */
const char *km_group_shown(const char *group);

/* The snapshot: swapped by the writer alone. */
void km_clients_swap(struct km_server *server, struct dt_clients *take_clients);
/* After a commit: the change of one client, or of one group; read anew when that fails. */
void km_clients_changed(struct km_server *server, const struct dt_client *before,
                        const struct dt_client *after);
void km_groups_changed(struct km_server *server, const char *before,
                       const struct dt_device_group *after);
void km_clients_reload(struct km_server *server);

/* clients_delete.c: two people. A request to delete stands in the store until it is confirmed or too old. kind is 'C' for a client, 'G' for a group. */
/* May what has objects be deleted now? On KLM_OK *ask tells that this was the first person's request, which is noted. */
klm_rc km_delete_ask(struct km_call *call, struct st_change *change, char kind, const char *name,
                     bool confirm, bool *ask) KLM_MUST_USE;
/* Did it make objects, or are there any in a group of its own? */
klm_rc km_client_has_objects(struct st_view *view, const struct dt_client *client, bool *has)
    KLM_MUST_USE;
klm_rc km_delete_forget(struct st_change *change, char kind, const char *name) KLM_MUST_USE;
/* clients_purge.c: take the objects of a closed client or group away, some at a time; goes on behind the caller's back. */
void km_purge_start(struct km_server *server, char kind, const char *name);

#endif
