/* KMIP messages carried out: from the bytes of a request to those of its answer. A door (listener, HTTP) hands in whole messages and sends what comes back; each
 * batch item becomes a verb (keymgr/object.h), and nothing is decided here. One file per operation or family of them; ops.def says which. */
#ifndef KMIP_OPS_OPS_H
#define KMIP_OPS_OPS_H

#include "base/buf.h"
#include "base/loop.h"
#include "keymgr/km.h"

#define KMOP_ANSWER_MAX                                                                            \
    (16u << 20) /* bytes of an answer in any encoding; a longer one is an error in its place */

enum kmop_encoding { KMOP_TTLV, KMOP_XML, KMOP_JSON };

/* What all requests of a door share; may be changed while no request is under way. */
struct kmop_config {
    struct km_server *server;
    struct klm_loop *loop;   /* where done is called */
    size_t bytes_max;        /* of a message: 1 MiB by default */
    unsigned batch_max;      /* items of a batch */
    const char *vendor;      /* Query: Vendor Identification */
    const char *server_name; /* Query: Server Name in Server Information */
};

struct kmop_request {
    const struct kmop_config *config;
    enum kmop_encoding encoding;
    struct klm_slice message; /* borrowed until done */
    /* Who asks: the certificate of the connection and where it comes from. Borrowed until done. */
    const char *fingerprint; /* SHA-256 in hex, lower case; "" when none was shown */
    const char *address, *session;
    uint64_t
        number; /* of the request in its session, from 1 on; 0: it has none, and no Server Correlation Value */
    /* The certificate in DER, into the pool; asked for only while kmop_run runs, and of strangers. KLM_E_NOTFOUND: none was shown. */
    klm_rc (*cert)(void *arg, struct klm_pool *pool, struct klm_slice *der);
    /* Called once, on the loop, perhaps before kmop_run returns. answer is a wiping buffer that the door takes over (klm_buf_done); empty only when no answer can be made. close:
     * the connection is to be closed behind it (a message that could not be read). */
    void (*done)(void *arg, struct klm_buf *answer, bool close);
    /* Called while kmop_run runs, when the message holds secrets (kmip/codec/secret.def) or could not be read: what the door still has of it elsewhere is to be wiped now. NULL: nobody asks. */
    void (*secret)(void *arg);
    void *arg;
};
/* Carry out one message. Everything of it is copied or done with when done is called. */
void kmop_run(const struct kmop_request *request);

/* Operations in parts that nobody goes on with are ended. The door calls it now and then. */
void kmop_sweep(struct km_server *server);

#endif
