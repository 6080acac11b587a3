/* One session of a drive with a key manager, client side (exchange/PROTOCOL.md): connect, hellos, TLS, confirmation, then requests one at a time. */
#ifndef IOS_SESSION_H
#define IOS_SESSION_H

#include "exchange/kx.h"
#include "ios/channel.h"
#include "ios/drive.h"
#include "parmlib/iecios.h"

struct ios_session;

struct ios_session_config {
    const struct ios_drive *drive;
    struct klm_tls_ctx *tls; /* from ios_session_tls */
    bool ssl;                /* TLS from the first byte: the SSL port */
    uint32_t connect_ms;     /* most time for the connection alone */
};

/* Why there was no answer, or what the key manager said instead of one. */
struct ios_fault {
    struct kx_error error; /* code is 0 unless the key manager refused */
    char why[IOS_WHY_MAX]; /* words on a failure that is no refusal */
};

/* A request; verify has no parameters. */
struct ios_request {
    enum kx_type type;
    union {
        const struct kx_create *create;
        const struct kx_get *get;
        const struct kx_translate *translate;
        const struct kx_stored_create *stored_create;
        const struct kx_stored_get *stored_get;
    } u;
};

/* An answer with keys; freed by ios_keyed_free, which wipes the data key. */
struct ios_keyed {
    uint8_t *key; /* 32 bytes of secret memory; NULL after verify and translate */
    struct klm_slice eedk[KX_EEDKS];
    uint8_t eedk_n;
    struct kx_label labels[KX_EEDKS]; /* of a stored key: its alias */
    uint8_t labels_n;
    bool by_id; /* a stored key, with its identifier */
    uint8_t key_id[KX_KEY_ID];
    uint8_t bytes[KX_EEDKS * KX_EEDK_MAX]; /* what eedk points at */
};
void ios_keyed_free(struct ios_keyed **keyed);

/* The TLS context of a drive: its certificate, its authorities; TLS 1.3, and 1.2 when tls12. */
klm_rc ios_session_tls(const struct ios_drive *drive, bool tls12, struct klm_diag *diag,
                       struct klm_tls_ctx **out) KLM_MUST_USE;
/* Open a session; everything ends at the deadline (klm_clock_mono_ms). KLM_E_DENIED: the key manager refused the drive, fault->error
 * says how. Any other outcome: the key manager failed, fault->why says how. fault must be given. */
klm_rc ios_session_open(const struct parm_ekm_host *host, const struct ios_session_config *cfg,
                        uint64_t deadline, struct ios_fault *fault, struct ios_session **out)
    KLM_MUST_USE;
/* Send a request and wait for its answer. Outcomes as above; after any but KLM_OK and KLM_E_DENIED the session is of no more use, and a key it
 * may still have made is forgotten. *out is given for every request. */
klm_rc ios_session_ask(struct ios_session *session, const struct ios_request *request,
                       uint64_t deadline, struct ios_fault *fault, struct ios_keyed **out)
    KLM_MUST_USE;
/* May more be asked? After a refusal usually yes. */
bool ios_session_ready(const struct ios_session *session);
/* Says goodbye when it can. */
void ios_session_free(struct ios_session **session);

#endif
