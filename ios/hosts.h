/* The key managers of a host (IECIOSxx): the primary is used exclusively unless it fails after retries, then the secondary; the primary is used
 * again when it is back. Connections stay open for the next request. A refusal is an answer, not a failure (isklm reference 6.1: "used exclusively unless it fails
 * and all retries failed"): for a tape drive it never leads to the other key manager, which may know less of labels, profiles and of what was given out. A
 * disk array speaks for itself, and any key manager that it knows may unlock it: at power on it asks the other one, too (ios_hosts_ask_any).
 * One thread uses it. Failures, changes to the secondary and back are said as messages. */
#ifndef IOS_HOSTS_H
#define IOS_HOSTS_H

#include "ios/session.h"

struct ios_hosts;

struct ios_hosts_config {
    const struct ios_drive *drive; /* borrowed */
    struct parm_ekm ekm;
    bool ssl, tls12;
    /* 0: the default. */
    uint32_t timeout_ms; /* for one request at one key manager, all tries together; 5,000 */
    uint32_t connect_ms; /* for one connection; 2,000 */
    uint32_t backoff_ms; /* before the second try, twice as long before the third; 100 */
    uint32_t
        probe_ms;   /* while the secondary is used, the primary is looked for this often; 30,000 */
    unsigned tries; /* at one key manager; 3 */
};

enum ios_which { IOS_PRIMARY, IOS_SECONDARY };
const char *ios_which_name(enum ios_which which); /* "primary", "secondary" */

/* Opens no connection yet. KLM_E_NOTFOUND with a message when neither key manager is named. */
klm_rc ios_hosts_new(const struct ios_hosts_config *cfg, struct klm_diag *diag,
                     struct ios_hosts **out) KLM_MUST_USE;
void ios_hosts_free(struct ios_hosts **hosts);

/* Ask a key manager, whichever is in use. KLM_E_DENIED: refused, fault->error.code is the device code; any other outcome but KLM_OK: no key
 * manager answered. diag tells either. The caller frees *out. */
klm_rc ios_hosts_ask(struct ios_hosts *hosts, const struct ios_request *request,
                     struct ios_fault *fault, struct klm_diag *diag, struct ios_keyed **out)
    KLM_MUST_USE;
/* The same for a disk array at power on, which any key manager may unlock: a refusal is tried at the other one, too. When that does not help it is said,
 * and the first refusal is the answer. */
klm_rc ios_hosts_ask_any(struct ios_hosts *hosts, const struct ios_request *request,
                         struct ios_fault *fault, struct klm_diag *diag, struct ios_keyed **out)
    KLM_MUST_USE;
/* A verify exchange with one of the two alone, whichever is in use. KLM_E_NOTFOUND: it is NONE. */
klm_rc ios_hosts_verify(struct ios_hosts *hosts, enum ios_which which, struct ios_fault *fault)
    KLM_MUST_USE;
/* Its host and port, as IOS099I shows them. */
void ios_hosts_show(const struct ios_hosts *hosts, enum ios_which which, char *out, size_t cap);
/* Which one is in use now; after an answer, the one that gave it. */
enum ios_which ios_hosts_current(const struct ios_hosts *hosts);
/* Connections that are open now. */
unsigned ios_hosts_connections(const struct ios_hosts *hosts);

#endif
