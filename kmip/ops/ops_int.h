/* What the files of kmip/ops share: a message under way, its items, and the helpers that operations are written with. An operation is a row of ops.def and two functions: fill reads the
 * payload into the request of its verb, answer writes the verb's answer as a payload. */
#ifndef KMIP_OPS_OPS_INT_H
#define KMIP_OPS_OPS_INT_H

#include "keymgr/object.h"
#include "kmip/codec/node.h"
#include "kmip/ops/ops.h"

struct kmop_item;
struct kmop_message;

struct kmop_op {
    uint32_t operation; /* KMIP_Operation_... */
    enum km_verb_id verb;
    klm_rc (*fill)(struct kmop_item *item);
    /* Adds to the payload; NULL: an empty one. */
    klm_rc (*answer)(struct kmop_item *item, struct kmip_node *payload);
};
/* The row of an operation; NULL: it is not supported, or not in that version. */
const struct kmop_op *kmop_op(uint32_t operation, int version);
/* All rows, in the order of their numbers. */
const struct kmop_op *kmop_ops(size_t *n);

struct kmop_item {
    struct kmop_message *msg;
    const struct kmip_node *payload; /* of the request, a Structure; NULL: there is none */
    const struct kmop_op *op;        /* NULL: not supported */
    uint32_t operation;
    bool ephemeral;      /* 2.x: its data are for later items alone (KMIP 2.1, 8.3) */
    bool critical;       /* an extension of the item has to be understood */
    struct klm_slice id; /* Unique Batch Item ID; p NULL: none */
    struct km_call *call;
    const char *placeholder; /* of Check: ID Placeholder before it */
    const char *object;      /* what the request names; NULL: nothing, or it was not read */
    bool answered;           /* it was carried out, and later items may refer to its answer */
    enum km_batch_fate fate;
    klm_rc rc;             /* how it ended, */
    struct klm_diag *diag; /* and why, when there is no call; NULL: nothing was said */
};

struct kmop_message {
    struct kmop_request req;
    struct klm_pool *pool; /* wiping */
    const struct kmip_node *root;
    int version;
    struct km_actor actor;
    bool registered;                 /* the certificate belongs to a client */
    struct dt_clients *clients;      /* the snapshot that actor borrows from */
    const struct dt_client *client;  /* of it; NULL: a stranger */
    struct km_credential credential; /* that the message carries */
    klm_rc rc;
    struct klm_diag *why; /* of a password that is looked at: message that says why it is wrong */
    struct klm_job job;
    struct kmop_item *item;
    size_t n;
    const char *placeholder;        /* ID Placeholder (KMIP 2.1, 6; 1.4, 4), or NULL */
    size_t referred;                /* bytes that references of its items stand for */
    uint64_t locate_until;          /* when its searches are given up; 0: there was none yet */
    int64_t max_response;           /* 0: none */
    struct klm_slice correlation;   /* Client Correlation Value, or empty */
    struct klm_slice server_hashed; /* Server Hashed Password, or empty */
    struct km_batch batch;
    struct km_batch_item *batch_item;
};

/* message_read.c: the message of the request as items to be carried out. A failure is of the message as a whole; *readable (false at first): it could be decoded all the same, so the client hears of what is wrong in it. */
klm_rc kmop_read(struct kmop_message *msg, struct klm_diag *diag, bool *readable) KLM_MUST_USE;

/* ---- For fill: failures are said with a message, which becomes the Result Message, and (reasons.def) the Result Reason. */
klm_rc kmop_fail_(struct kmop_item *item, klm_rc rc, enum klm_msg_id msg, const char *const *args);
#define kmop_fail(item, rc, ...) KMOP_FAIL_PICK_(item, rc, __VA_ARGS__, NULL)
#define KMOP_FAIL_PICK_(item, rc, msg, ...)                                                        \
    kmop_fail_(item, rc, msg, (const char *const[]){__VA_ARGS__})
/* "Cryptographic Parameters is missing, or not as it has to be": KLM_E_INVALID. */
klm_rc kmop_bad_field(struct kmop_item *item, uint32_t tag);
/* "RequestPayload has no UsageLimitsCount": KLM_E_INVALID; a message that lacks what its operation cannot do without is no valid message (KMIP 1.4, 11). */
klm_rc kmop_missing(struct kmop_item *item, uint32_t tag);
/* A field of a structure. Each is left as it was (and KLM_OK) when it is not there; KLM_E_INVALID with a message when it is of another type. */
klm_rc kmop_number(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, int64_t *out)
    KLM_MUST_USE;
klm_rc kmop_enum(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, uint32_t *out)
    KLM_MUST_USE;
klm_rc kmop_flag(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, bool *out)
    KLM_MUST_USE;
klm_rc kmop_bytes(struct kmop_item *item, const struct kmip_node *in, uint32_t tag,
                  struct klm_slice *out) KLM_MUST_USE;
/* A text, copied to the call's pool, which ends at a NUL. */
klm_rc kmop_text(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, const char **out)
    KLM_MUST_USE;
/* A structure; *out NULL when it is not there. */
klm_rc kmop_part(struct kmop_item *item, const struct kmip_node *in, uint32_t tag,
                 const struct kmip_node **out) KLM_MUST_USE;
/* The object that the request means: Unique Identifier, else the ID Placeholder. *out NULL: none, which the verb refuses. */
klm_rc kmop_uid(struct kmop_item *item, const struct kmip_node *in, uint32_t tag, const char **out)
    KLM_MUST_USE;
/* The same for Unique Identifier of the payload. */
klm_rc kmop_object(struct kmop_item *item, const char **out) KLM_MUST_USE;

/* ---- shape.c: what its form alone says of a request: that no field stands twice where one can stand, and that each has the type of its tag (registry). KLM_E_INVALID with a message. */
/* The header, and that there is one. */
klm_rc kmop_shape_header(const struct kmip_node *header, struct klm_diag *diag) KLM_MUST_USE;
/* A batch item, but for its payload. */
klm_rc kmop_shape_item(const struct kmip_node *item, struct klm_diag *diag) KLM_MUST_USE;
/* Its payload: the failure is of the item alone. */
klm_rc kmop_shape_payload(struct kmop_item *item) KLM_MUST_USE;

/* ids.c: identifiers of 2.x that refer to the batch (an enumeration or a number; KMIP 2.1, 4.58) become texts, before fill. A failure is the item's. */
klm_rc kmop_ids_resolve(struct kmop_item *item) KLM_MUST_USE;

/* data.c: the same for Data (KMIP 2.1, 7.9): the output of an earlier item. */
klm_rc kmop_data_resolve(struct kmop_item *item) KLM_MUST_USE;

/* ---- For answer */
/* A text into a payload. NULL parent or text: nothing, and KLM_E_NOMEM. */
klm_rc kmop_put_text(struct kmop_item *item, struct kmip_node *parent, uint32_t tag,
                     const char *text) KLM_MUST_USE;
/* The payload with nothing but Unique Identifier of the request structure's first uid. */
klm_rc kmop_put_uid(struct kmop_item *item, struct kmip_node *payload, const char *uid)
    KLM_MUST_USE;

/* ---- attributes.c: between messages and metadata/attr.h */
/* A Template-Attribute of 1.x (names of templates go to *templates, NULL-terminated, or NULL when it has none) or Attributes of 2.x into a list, which is initialised. in NULL: an empty
 * list. Attributes that the version does not know, of a wrong type or without a value are refused. */
klm_rc kmop_attrs_in(struct kmop_item *item, const struct kmip_node *in, struct md_attrs *out,
                     const char *const **templates) KLM_MUST_USE;
/* One attribute: an Attribute of 1.x, its index too (-1: none given), or an item as it stands in Attributes of 2.x. */
klm_rc kmop_attr_in(struct kmop_item *item, const struct kmip_node *in,
                    const struct kmip_node **out, int64_t *index) KLM_MUST_USE;
/* A name of an attribute as an item without a value: Attribute Name (text; of 2.x in Key Wrapping Specification alone), Attribute Reference of 2.x (enumeration of a tag, or the
 * structure of a vendor's). */
klm_rc kmop_attr_name_in(struct kmop_item *item, const struct kmip_node *in,
                         const struct kmip_node **out) KLM_MUST_USE;
/* Is the text a name of an attribute in the 1.x of the message: a custom one (x-, y-), or one of the version's? */
bool kmop_attr_name_known(const struct kmop_item *item, struct klm_slice name);
/* Back: an Attribute of 1.x, or the item itself, at the end of parent. An attribute that the version does not know is left out. */
klm_rc kmop_attr_out(struct kmop_item *item, const struct md_attr *attr, struct kmip_node *parent)
    KLM_MUST_USE;
/* Its name: Attribute Name of 1.x, Attribute Reference of 2.x. */
klm_rc kmop_attr_name_out(struct kmop_item *item, const struct md_attr *attr,
                          struct kmip_node *parent) KLM_MUST_USE;
/* Does the version of the message know the attribute? */
bool kmop_attr_known(const struct kmop_item *item, const struct md_attr *attr);

/* ---- reasons.c: Result Reason of a failed item by message, outcome and version (KMIP 1.4, 11; 2.1, 6.1 and 11.49). */
uint32_t kmop_reason(const struct kmop_item *item);

/* ---- caller.c: who asks. Fills in actor and registered; a stranger is one too. KLM_E_AGAIN: a password is to be checked, on a worker. KLM_E_DENIED, KLM_E_INVALID with a
 * message. */
klm_rc kmop_caller(struct kmop_message *msg, struct klm_diag *diag) KLM_MUST_USE;
/* Only who it is, as far as the connection tells. */
void kmop_caller_named(struct kmop_message *msg);
klm_rc kmop_caller_password(struct kmop_message *msg, struct klm_diag *diag) KLM_MUST_USE;

/* The steps named in ops.def. */
#define KMOP_OP(operation, verb, fill, answer)                                                     \
    klm_rc fill(struct kmop_item *item);                                                           \
    klm_rc answer(struct kmop_item *item, struct kmip_node *payload);
#include "kmip/ops/ops.def"
#undef KMOP_OP

#endif
