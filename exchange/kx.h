/* The exchange between drives and the key manager: messages, EEDK layout and the session's rules. No I/O and no keys: bytes in, bytes out.
 * exchange/PROTOCOL.md says what the bytes mean; the manufacturer's own protocol is not public, this one is ours. */
#ifndef EXCHANGE_KX_H
#define EXCHANGE_KX_H

#include "base/buf.h"
#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

#define KX_VERSION 1        /* of hellos and confirmations, for ever */
#define KX_VERSION_MAX 2    /* highest version spoken: 2 has stored keys (LTO) */
#define KX_KEY_ID 12        /* bytes of the identifier of a stored key */
#define KX_ALIAS_MAX 21     /* characters of its alias */
#define KX_MESSAGE_MAX 8192 /* bytes of a message with its header */
#define KX_HEADER 8         /* "KX", version, type, length of the body (u32) */
#define KX_EEDK_MAX 1024    /* bytes of one EEDK */
#define KX_EEDKS 2
#define KX_LABEL_MAX 64
#define KX_CERT_MAX 6144      /* bytes of the certificate in confirm */
#define KX_SIGNATURE_MAX 1024 /* bytes of the signature in confirm */
#define KX_IN_FLIGHT_MAX 8    /* requests without an answer yet, a session */
#define KX_CAP_SIGN 1u        /* capability: the drive may prove itself by signature */
#define KX_HELLO_SIZE                                                                              \
    48 /* bytes of either hello, header included: what is hashed on the TCP port */
#define KX_EXPORTER_LABEL "EXPORTER-klmsrv-kx-1" /* key that wraps data keys in the session */
#define KX_BINDING_LABEL                                                                           \
    "EXPORTER-klmsrv-kx-binding-1" /* value that a drive signs when it showed no TLS certificate */

enum kx_type {
#define KX_MESSAGE(name, code, since, text) name = code,
#include "exchange/messages.def"
#undef KX_MESSAGE
};

#define KX_ANSWER 0x80 /* the answer to a request has its code with this bit */

enum kx_encoding { KX_ENC_LABEL = 'L', KX_ENC_HASH = 'H' };

/* Clear hello of each side on the TCP port, and the first message inside TLS, where both are confirmed. */
struct kx_hello {
    uint8_t version_min, version_max;
    char serial[13]; /* drive's; "" from the server */
    char wwn[17];
    uint8_t kind;          /* 0 3592, 1 LTO, 2 DS8000 */
    uint32_t capabilities; /* bits: 1 may prove itself by signature */
};
struct
    kx_confirm { /* inside TLS: SHA-256 of both clear hellos (zero on the SSL port), then who it is */
    uint8_t hellos[32];
    struct kx_hello hello;
    struct klm_slice cert; /* DER of the drive's certificate when TLS showed none */
    struct klm_slice
        signature; /* over the exporter value (channel binding), SHA-256, by the certificate's key */
};
struct kx_label {
    char label[KX_LABEL_MAX + 1];
    uint8_t encoding; /* kx_encoding */
};
struct kx_create { /* write: a new key */
    char volser[7];
    struct kx_label labels[KX_EEDKS];
    uint8_t labels_n; /* 0: the drive's aliases or the defaults */
};
struct kx_get { /* read: the EEDKs of the cartridge */
    char volser[7];
    struct klm_slice eedk[KX_EEDKS];
    uint8_t eedk_n;
};
struct kx_translate { /* EEDKs in, EEDKs for new labels out */
    struct kx_get old;
    struct kx_label labels[KX_EEDKS];
    uint8_t labels_n;
};
struct kx_keyed {        /* answer to create, get and translate */
    uint8_t wrapped[40]; /* data key under the exporter key, AES-256 key wrap; zero for translate */
    struct klm_slice eedk[KX_EEDKS];
    uint8_t eedk_n;
    struct kx_label labels[KX_EEDKS]; /* labels really used */
    uint8_t labels_n;
};
struct kx_stored_create { /* write with a stored key (LTO): the key manager chooses which */
    char volser[7];
};
struct kx_stored_get { /* read: the identifier from the cartridge */
    char volser[7];
    uint8_t key_id[KX_KEY_ID];
};
struct kx_stored { /* answer to both */
    uint8_t wrapped[40];
    uint8_t key_id[KX_KEY_ID];
    char alias[KX_ALIAS_MAX + 1];
};
struct kx_error {
    uint16_t code; /* documented device code: 0xEE31, 0xEF01, ... */
    char message_id[16];
    char text[256];
};

/* A whole message: header and body appended to out. Encoders check their limits (KLM_E_LIMIT) and enumerations; nothing is appended when
 * they refuse. Request numbers are never 0, but for bye and error. */
klm_rc kx_encode_hello(enum kx_type type, const struct kx_hello *hello, struct klm_buf *out)
    KLM_MUST_USE;
/* KX_CONFIRM when the hello in it has a serial number, else the server's KX_CONFIRMED. */
klm_rc kx_encode_confirm(const struct kx_confirm *confirm, struct klm_buf *out) KLM_MUST_USE;
klm_rc kx_encode_create(const struct kx_create *create, uint32_t id, struct klm_buf *out)
    KLM_MUST_USE;
klm_rc kx_encode_get(const struct kx_get *get, uint32_t id, struct klm_buf *out) KLM_MUST_USE;
klm_rc kx_encode_translate(const struct kx_translate *translate, uint32_t id, struct klm_buf *out)
    KLM_MUST_USE;
klm_rc kx_encode_keyed(enum kx_type type, const struct kx_keyed *keyed, uint32_t id,
                       struct klm_buf *out) KLM_MUST_USE;
klm_rc kx_encode_stored_create(const struct kx_stored_create *create, uint32_t id,
                               struct klm_buf *out) KLM_MUST_USE;
klm_rc kx_encode_stored_get(const struct kx_stored_get *get, uint32_t id, struct klm_buf *out)
    KLM_MUST_USE;
/* KX_STORED_CREATED or KX_STORED_GOT. */
klm_rc kx_encode_stored(enum kx_type type, const struct kx_stored *stored, uint32_t id,
                        struct klm_buf *out) KLM_MUST_USE;
/* Messages with no body but the request number: verify, verified, bye. */
klm_rc kx_encode_plain(enum kx_type type, uint32_t id, struct klm_buf *out) KLM_MUST_USE;
klm_rc kx_encode_error(const struct kx_error *error, uint32_t id, struct klm_buf *out) KLM_MUST_USE;
/* Say the version in use in a message that was just encoded: encoders write the lowest that has it. Not for hellos and confirmations, whose
 * header never changes. */
void kx_stamp(struct klm_buf *message, uint8_t version);
/* The version that two ranges share, the highest; 0: none. */
uint8_t kx_version_shared(const struct kx_hello *a, const struct kx_hello *b);

/* One message taken from a stream. */
struct kx_message {
    enum kx_type type;
    uint8_t version; /* of its header: the session compares it with the version in use */
    uint32_t id;     /* request number, chosen by the drive, given back in the answer */
    union {
        struct kx_hello hello;
        struct kx_confirm confirm;
        struct kx_create create;
        struct kx_get get;
        struct kx_translate translate;
        struct kx_keyed keyed;
        struct kx_stored_create stored_create;
        struct kx_stored_get stored_get;
        struct kx_stored stored;
        struct kx_error error;
    } u;
};
/* KLM_E_AGAIN: more bytes are needed (*need tells how many in all); otherwise *used bytes were one message, or the outcome says what is wrong
 * with it: KLM_E_LIMIT before anything is read of a message that is too long (also a count or length over its limit), KLM_E_INVALID for the
 * rest. Slices in out borrow from in. Exact lengths: no byte too many. */
klm_rc kx_decode(struct klm_slice in, struct kx_message *out, size_t *used, size_t *need)
    KLM_MUST_USE;

/* ---- EEDK: "EEDK", version, algorithm, encoding, key reference (label or SHA-256 of the SubjectPublicKeyInfo), wrapped key. */
enum kx_alg { KX_ALG_RSA_OAEP_SHA256 = 1, KX_ALG_ECDH_P256 = 2, KX_ALG_ECDH_P384 = 3 };
struct kx_eedk {
    uint8_t alg;                  /* kx_alg */
    uint8_t encoding;             /* kx_encoding */
    char label[KX_LABEL_MAX + 1]; /* encoding L */
    uint8_t hash[32];             /* encoding H */
    struct klm_slice wrapped;
};
klm_rc kx_eedk_encode(const struct kx_eedk *eedk, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_INVALID, KLM_E_LIMIT (longer than KX_EEDK_MAX). out->wrapped borrows from in. */
klm_rc kx_eedk_decode(struct klm_slice in, struct kx_eedk *out) KLM_MUST_USE;
/* The context bound into the wrapping: the EEDK's bytes before the wrapped key (magic, version, algorithm, encoding, reference). */
klm_rc kx_eedk_context(const struct kx_eedk *eedk, struct klm_buf *out) KLM_MUST_USE;

/* ---- Session rules, server side: what may come when. */
enum kx_state { KX_AWAIT_HELLO, KX_UPGRADE, KX_AWAIT_CONFIRM, KX_READY, KX_CLOSED };
/* State after a message of this type in this state; KLM_E_STATE when it may not come now. The TCP port starts in KX_AWAIT_HELLO, the SSL port in
 * KX_AWAIT_CONFIRM; the end of the TLS handshake, which is no message, leads from KX_UPGRADE to KX_AWAIT_CONFIRM. */
klm_rc kx_next(enum kx_state state, enum kx_type type, enum kx_state *next) KLM_MUST_USE;
/* Name of a message type for traces ("KX_CREATE"); never NULL. */
const char *kx_type_name(enum kx_type type);

/* ---- Device codes (isklm reference 8.1). */
struct kx_code {
    uint16_t code;
    const char *group, *meaning, *action;
};
const struct kx_code *kx_code_find(uint16_t code); /* NULL: not known */

#endif
