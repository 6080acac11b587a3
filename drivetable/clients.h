/* Clients of KMIP and their device groups. A client is a certificate: its SHA-256 fingerprint, never a name in it. It belongs to one device group; so do the objects it makes.
 * Who is unknown leaves its certificate on a bounded list, from which an operator accepts it. Records of the store, and an immutable counted snapshot for the listeners. */
#ifndef DRIVETABLE_CLIENTS_H
#define DRIVETABLE_CLIENTS_H

#include "base/clock.h"
#include "base/msg.h"
#include "store/st.h"

#define DT_CLIENT_NAME_MAX 64
#define DT_DEVICE_GROUP_MAX 64 /* as MD_GROUP_MAX */
#define DT_FINGERPRINT_MAX 65  /* hex, lower case, and a NUL */
#define DT_CLIENTS_PENDING_MAX 100
#define DT_CLIENTS_MAX 100000

struct dt_client {
    char fingerprint[DT_FINGERPRINT_MAX];
    char name[DT_CLIENT_NAME_MAX + 1];
    char group[DT_DEVICE_GROUP_MAX + 1];
    char user[65];        /* user name that its messages may have to carry; "": none is asked for */
    uint8_t verifier[64]; /* scrypt of the password: salt (16), hash (32); how it is made stands beside it */
    bool has_password;
    char device[65];      /* device serial number of a device credential that is to match; "": any */
    klm_time added, last;  /* last: contact, flushed lazily */
    struct klm_slice cert; /* DER; in the pool of who reads it */
};
struct dt_device_group {
    char name[DT_DEVICE_GROUP_MAX + 1];
    char prefix[4];          /* three letters for names of keys made for it; "" none */
    bool kmip_delete;        /* enableKMIPDelete: clients may destroy objects */
    char approver[65];       /* who asked for a deletion that waits for a second one; "" */
    klm_time added;
};
struct dt_client_pending {
    char fingerprint[DT_FINGERPRINT_MAX];
    char address[64];
    char subject[256];
    klm_time first, last;
    uint32_t tries;
    struct klm_slice cert;
};

struct dt_clients; /* snapshot, counted */
klm_rc dt_clients_load(struct st_view *view, struct dt_clients **out) KLM_MUST_USE;
struct dt_clients *dt_clients_ref(struct dt_clients *clients);
void dt_clients_free(struct dt_clients **clients);
/* By fingerprint, O(1); NULL. cert is empty in a snapshot. */
const struct dt_client *dt_clients_find(const struct dt_clients *clients, const char *fingerprint);
const struct dt_device_group *dt_clients_group(const struct dt_clients *clients, const char *name);
size_t dt_clients_count(const struct dt_clients *clients);

#endif
