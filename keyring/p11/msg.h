/* Messages between the server and its PKCS#11 helper (keyring/P11.md). The idea: each message is one datagram with a fixed head and
 * fields in the order of their numbers, and the tables ops.def and fields.def say which message has which fields and how long they
 * may be; so both sides check everything the same way, before anything is done. */
#ifndef KEYRING_P11_MSG_H
#define KEYRING_P11_MSG_H

#include "base/buf.h"

#define P11_MSG_VERSION 1
#define P11_MSG_MAX 8192 /* bytes of a message */

enum p11_field {
#define P11_FIELD(name, number, least, most) P11_F_##name = number,
#include "keyring/p11/fields.def"
#undef P11_FIELD
    P11_F_END
};
#define P11_HAS(name) (1u << P11_F_##name)

enum p11_op {
#define P11_OP(name, number, ...) name = number,
#include "keyring/p11/ops.def"
#undef P11_OP
};

enum p11_outcome {
#define P11_OUTCOME(name, number, rc, text) name = number,
#include "keyring/p11/outcomes.def"
#undef P11_OUTCOME
};

/* What KIND says: a type of key (the numbers of enum kr_type) and its bits; of a signature also its digest by them. */
enum { P11_KIND_RSA = 2, P11_KIND_EC = 3 };
/* Bits of FLAGS: what the token said of its user PIN before the login. */
enum { P11_PIN_LOW = 1 };

struct p11_msg {
    bool answer;
    enum p11_op op;
    uint32_t id;              /* of the request, the same in its answer */
    enum p11_outcome outcome; /* of an answer */
    uint32_t rv; /* of an answer that failed: the library's return value, 0 when it gave none */
    struct klm_slice field[P11_F_END];
    unsigned has; /* P11_HAS bits of the fields that stand in it */
};

/* Set a field; bytes are borrowed. */
void p11_msg_set(struct p11_msg *msg, enum p11_field field, struct klm_slice bytes);
/* Append a message to out. KLM_E_INVALID: fields that the tables do not allow there; KLM_E_LIMIT: too long. */
klm_rc p11_msg_encode(const struct p11_msg *msg, struct klm_buf *out) KLM_MUST_USE;
/* Take a message apart; fields are borrowed from in. KLM_E_INVALID: anything but exactly a message of this version. */
klm_rc p11_msg_decode(struct klm_slice in, struct p11_msg *out) KLM_MUST_USE;

/* Words for an operator; never NULL. */
const char *p11_op_text(enum p11_op op);
const char *p11_outcome_text(enum p11_outcome outcome);
klm_rc p11_outcome_rc(enum p11_outcome outcome);

/* The three bytes of KIND: type and bits; and back. KLM_E_INVALID. */
#define P11_KIND_BYTES 3
void p11_kind_put(uint8_t type, uint16_t bits, uint8_t out[P11_KIND_BYTES]);
klm_rc p11_kind_get(struct klm_slice kind, uint8_t *type, uint16_t *bits) KLM_MUST_USE;

#endif
