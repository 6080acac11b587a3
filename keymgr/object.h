/* Requests and answers of the verbs on managed objects (KMIP). Attributes travel as metadata/attr.h has them, numbers are KMIP's. A request ends with what its
 * answer is: filled in by the verb, in the call's pool.
 *
 * The verbs keep to one pattern. prepare does what computes (keys, wrapping); apply, on the writer, reads the object, checks whose it is and its state, and puts; so that a call
 * may be carried out twice: on a draft of the store inside a batch (batch.c), and then for real. A reading verb's prepare reads what km_view shows, which is that draft inside a batch. */
#ifndef KEYMGR_OBJECT_H
#define KEYMGR_OBJECT_H

#include "base/alias.h"
#include "keymgr/km.h"
#include "keyring/crypto.h"
#include "metadata/object.h"

/* Create, Create Key Pair, Register, Re-key, Re-key Key Pair, Certify, Re-certify: KM_OBJECT_CREATE, _PAIR, _REGISTER, _REKEY, _REKEY_PAIR, _CERTIFY, _RECERTIFY */
struct km_object_make {
    int version;           /* of the request, KMIP_V */
    uint32_t type;         /* KMIP_ObjectType_... */
    const char *uid;       /* what is renewed or certified; of a pair its private key */
    struct md_attrs attrs; /* of the object; of a pair those of both */
    struct md_attrs private_attrs, public_attrs;
    const char *const *templates; /* 1.x: names of templates for attrs, in order; NULL: none */
    const char *const *private_templates, *const *public_templates;
    const struct kmip_node *item; /* Register: the object as it stands in the payload; NULL: none */
    int64_t offset;               /* Re-key: seconds from Initial Date to Activation Date */
    bool has_offset;
    struct klm_slice request; /* certificate request, or empty */
    uint32_t request_type;    /* KMIP_CertificateRequestType_... */
    const char *request_uid;  /* a Certificate Request that is here; NULL: none */
    /* Answer: what was made; of a pair the private key is first */
    char made[2][MD_UID_MAX];
};
/* Register: may it take long to look at the object, so that it is better not done on a loop (km_call.slow)? An RSA key without its primes takes up to seconds. */
bool km_register_slow(const struct km_object_make *req);

/* KM_OBJECT_DERIVE: from keys and secrets of the client's own. */
#define KM_DERIVE_BASES 2
struct km_object_derive {
    struct km_object_make make; /* first: what makes objects looks there; uid: the first base */
    const char *base[KM_DERIVE_BASES];
    size_t bases;
    uint32_t method;                    /* KMIP_DerivationMethod_... */
    const struct kmip_node *parameters; /* Cryptographic Parameters, or NULL: those of the key */
    struct klm_slice data, iv, salt;    /* p NULL: not given */
    int64_t rounds;                     /* Iteration Count */
    size_t used; /* set by prepare: bytes that count for the usage limits of the bases */
};

struct km_object_get { /* KM_OBJECT_GET */
    int version;
    const char *uid;
    uint32_t format, compression, wrap_type; /* 0: as it is */
    const struct kmip_node
        *wrapping; /* Key Wrapping Specification as it came (KMIP 2.1, 7.17); NULL: none */
    /* Attributes to be wrapped with the key material, as in km_object_attrs; and how the version of the request writes one into a structure. */
    const struct kmip_node *const *names;
    size_t n;
    klm_rc (*attr_out)(void *arg, const struct md_attr *attr, struct kmip_node *to);
    void *attr_arg;
    /* Answer */
    struct md_object object;
    const struct kmip_node *item; /* Symmetric Key, Certificate, ...: as it stands in the payload */
};
/* Does the answer take long to make, so that it is better not done on a loop (km_call.slow)? */
bool km_get_slow(const struct km_object_get *req);

/* Get Attributes, Get Attribute List: KM_OBJECT_ATTRS */
struct km_object_attrs {
    int version;
    const char *uid;
    const struct kmip_node *const *
        names; /* attributes asked for: an item of its tag, or a vendor's structure, its value ignored; NULL: all */
    size_t n;
    struct md_object object; /* answer: with the attributes asked for alone, as they are now */
};

/* The attributes of an object that are asked for by name, as they are now; each name at most once. KLM_E_INVALID with a message. */
klm_rc km_attrs_named(struct km_call *call, const struct md_object *object,
                      const struct kmip_node *const *names, size_t n, struct md_attrs *out)
    KLM_MUST_USE;

/* Add, Modify, Set, Adjust, Delete Attribute: KM_ATTR_ADD, _MODIFY, _SET, _ADJUST, _DELETE */
struct km_attr_change {
    int version;
    const char *uid;
    /* New value; Adjust: names the attribute; Delete: too, or is the instance that is meant. */
    const struct kmip_node *value;
    const struct kmip_node *current; /* 2.x: the instance that is meant (Current Attribute); NULL */
    int64_t index;                   /* 1.x: Attribute Index; -1: not given */
    bool by_reference;               /* Delete of 2.x by Attribute Reference: all instances */
    uint32_t adjustment;             /* Adjust: KMIP_AdjustmentType_... */
    int64_t by;                      /* and how much */
    struct md_attr attr;             /* answer: the instance, as it is or was */
};

struct km_object_state { /* KM_OBJECT_ACTIVATE, _REVOKE, _DESTROY, _ARCHIVE, _RECOVER */
    int version;
    const char *uid;
    uint32_t reason;     /* Revoke: KMIP_RevocationReasonCode_... */
    const char *message; /* or NULL */
    int64_t date;        /* Compromise Occurrence Date, seconds; has_date */
    bool has_date;
};

struct km_locate { /* KM_OBJECT_LOCATE */
    int version;
    struct md_locate
        what;    /* group and now are filled in by the verb; max is within its own limit */
    bool counts; /* total is wanted, which costs a look at all that match */
    /* Answer */
    const char **uid;
    size_t n;
    uint64_t total;
};
/* klm_clock_mono_ms() at which a search that begins now is given up (kmip.locate.seconds). One message has so long for all of its searches: what.until_ms; 0: this one has. */
uint64_t km_locate_until(const struct km_call *call);
/* May the search take long, so that it is better not done on a loop (km_call.slow)? */
bool km_locate_slow(const struct km_locate *req);

struct km_object_check { /* KM_OBJECT_CHECK, KM_OBJECT_LEASE, KM_OBJECT_ALLOCATE */
    int version;
    const char *uid;
    int64_t count, lease; /* -1: not given */
    uint32_t mask;
    bool has_mask;
    /* Answer of a lease */
    int64_t lease_time, last_change;
};
/* How long leases are, in seconds (kmip.lease.time); 0: no limit. */
int64_t km_lease_seconds(const struct km_call *call);

/* Encrypt, Decrypt, Sign, Signature Verify, MAC, MAC Verify, Hash: KM_OBJECT_ENCRYPT, _DECRYPT, _SIGN, _VERIFY, _MAC, _MAC_VERIFY, KM_HASH */
struct km_crypt {
    int version;
    const char *uid;
    const struct kmip_node *parameters; /* Cryptographic Parameters, or NULL: those of the object */
    struct kr_cipher_in in;
    struct klm_slice check; /* signature or MAC to verify */
    bool digested, init, final, streaming;
    struct klm_slice correlation; /* value of a stream that goes on, or empty */
    /* Answer */
    struct kr_cipher_out out;
    struct klm_slice new_correlation;
    bool valid;
    bool has_data; /* out.data counts, even when it is empty */
};

struct km_random { /* KM_RANDOM_GET, KM_RANDOM_SEED */
    int version;
    int64_t length;
    struct klm_slice data;
    int64_t taken; /* answer of seed */
};

/* KM_KMIP_QUERY, KM_KMIP_DISCOVER, KM_KMIP_PING, KM_KMIP_INTEROP: the door answers; a verb, so that rights and audit are those of all others. */
struct km_kmip_query {
    int version;
    bool known; /* answer of query: the caller is a client, who may learn of the server itself */
};

struct km_kmip_log { /* KM_KMIP_LOG */
    int version;
    const char *message;
};
/* Is Interop answered (kmip.interop)? */
bool km_interop(const struct km_call *call);

/* ---- Operators, who see the objects of all device groups and never their material (admin_*.c). A device group is named, or a client whose group is meant. */
struct km_objects_list { /* KM_OBJECTS_LIST */
    const char *client, *group;
    const char *type, *state; /* KMIP's names of them */
    const char *name;         /* exactly, or */
    const char *prefix;       /* how a name begins */
    const char *after;        /* the identifier behind which the page begins */
    int64_t limit;            /* objects of a page; 0: the default */
};
struct km_object_show { /* KM_OBJECT_SHOW */
    const char *uid;
};
/* KM_OBJECTS_MAKE: keys or key pairs in numbers. One call makes some of them, as one change; who asks goes on with the rest. */
#define KM_KEYS_AT_ONCE 50
#define KM_PAIRS_AT_ONCE 4
struct km_objects_make {
    struct km_object_make make; /* of one of them; first, since what makes objects looks there */
    const char *client, *group;
    const char *algorithm, *usage, *public_usage, *prefix;
    int64_t count, length;
    /* Answer */
    size_t n;              /* made */
    const char *group_now; /* they belong to */
    char first[KLM_ALIAS_MAX + 1], last[KLM_ALIAS_MAX + 1];
};
struct km_object_edit { /* KM_OBJECT_EDIT: "{name value} {name value}" */
    const char *uid, *attributes;
};
struct km_object_remove { /* KM_OBJECT_REMOVE */
    struct km_object_state state;
    const char *type; /* it has to be of, or NULL */
};
/* admin.c: the group that a client's or a device group's name means; NULL of both: all, where that may be. *owner is the client's certificate. Refused with a message, also by the
 * profile of the group. */
klm_rc km_admin_group(struct km_call *call, const char *client, const char *group, bool all,
                      enum pr_access access, const char **out, const char **owner) KLM_MUST_USE;
/* An object by its identifier, in prepare: it is there, and its group's profile allows the access. */
klm_rc km_admin_object(struct km_call *call, const char *uid, enum pr_access access,
                       struct md_object *out) KLM_MUST_USE;
/* A value of a set by its name. KLM_E_USAGE with a message. */
klm_rc km_admin_value(struct km_call *call, enum kmip_enum set, const char *what, const char *name,
                      uint32_t *out) KLM_MUST_USE;
/* The first name of an object, or "". In the call's pool. */
const char *km_admin_name(struct km_call *call, const struct md_object *object);

/* ---- Several calls as one change (KMIP batches; design 3). They are carried out one after the other on a draft of the store, each seeing what those before it did; then what they
 * change is put in force at once, and only then is anything answered. */
enum km_batch_option { KM_BATCH_STOP, KM_BATCH_CONTINUE, KM_BATCH_UNDO };
enum km_batch_fate {
    KM_FATE_WAITS, /* not reached: an item before it failed */
    KM_FATE_DONE,  /* call->rc tells */
    KM_FATE_UNDONE /* was done, and taken back because a later one failed */
};
struct km_batch_item {
    struct km_call
        *call; /* NULL: fill is asked all the same, and the item has failed or succeeded with it */
    enum km_batch_fate fate;
    klm_rc rc; /* of one without a call */
};
#define KM_BATCH_CHANGES 100 /* changes of one batch, at most: their audit events share a row */
struct km_batch {
    struct km_server *server;
    enum km_batch_option option;
    struct km_batch_item *item;
    size_t n;
    /* On a worker, in order: fill in the request of item i, with what earlier items answered; a failure (with call->diag) is the item's. */
    klm_rc (*fill)(void *arg, size_t i);
    /* Item i succeeded: remember what later ones need. */
    void (*ended)(void *arg, size_t i);
    /* On the loop, once. The calls are still the caller's to free. */
    void (*done)(void *arg);
    void *arg;
    struct klm_loop *loop;
    /* batch.c's */
    uint64_t begun_ms;
    struct klm_job job;
    struct klm_task task;
};
/* Carry it out; it stays where it is until done. */
void km_batch_run(struct km_batch *batch);

/* ---- For the verbs' files and those that fill requests */
/* The store as a call is to see it: a snapshot of its own, or the draft of its batch. Borrowed. */
klm_rc km_view(struct km_call *call, struct st_view **out) KLM_MUST_USE;
/* The object, if it is there and the asker's; what is another group's is not there (KLM_E_NOTFOUND, with its message). uid NULL: no identifier was given (KLM_E_INVALID). An archived
 * object is refused (KLM_E_STATE, KLM_MSG_OBJECT_ARCHIVED), but by km_object_find_any. */
klm_rc km_object_find(struct km_call *call, struct st_view *view, const char *uid,
                      struct md_object *out) KLM_MUST_USE;
klm_rc km_object_find_any(struct km_call *call, struct st_view *view, const char *uid,
                          struct md_object *out) KLM_MUST_USE;
/* Its key material, opened. KLM_E_NOTFOUND: it has none (destroyed); KLM_E_STATE: it was registered without (KLM_MSG_KEY_VALUE_ABSENT). The caller frees it. */
klm_rc km_object_material(struct km_call *call, struct st_view *view,
                          const struct md_object *object, struct kr_material **out) KLM_MUST_USE;
/* Objects as they stand in payloads: Symmetric Key with its Key Block, Certificate, ... (KMIP 2.1, 2 and 3.1; 1.4, 2.2 and 2.1.3).
 * keyblock_read.c: take one apart. What stands beside the material and is no attribute (Secret Data Type, Key Wrapping Data, ...) is added to extras under its own tag; it is kept with the
 * attributes and never listed. *material is the caller's; NULL: the object came without its key value. KLM_E_INVALID with a message. */
klm_rc km_keyblock_read(struct km_call *call, uint32_t type, const struct kmip_node *item,
                        struct md_attrs *extras, struct kr_material **material) KLM_MUST_USE;
/* keyblock.c: the tag that an Object Type stands under; 0: none is kept here. */
uint32_t km_object_tag(uint32_t type);
/* The way back, with the material as it is; NULL: a key whose value is elsewhere. In the call's pool. */
klm_rc km_keyblock(struct km_call *call, const struct md_object *object,
                   const struct kr_material *material, const struct kmip_node **out) KLM_MUST_USE;
/* Its Key Value structure alone (wrapping encodes it). */
klm_rc km_key_value(struct km_call *call, const struct kr_material *material,
                    struct kmip_node *parent, struct kmip_node **out) KLM_MUST_USE;
/* object_rules.c: what a client may give a new object of the type (kmip/registry/attributes.def). KLM_E_DENIED, KLM_E_INVALID with a message that names the attribute. */
klm_rc km_attrs_check(struct km_call *call, const struct md_attrs *attrs, uint32_t type)
    KLM_MUST_USE;
/* Is the attribute for objects of the type? */
bool km_attr_applies(const struct kmip_attr_row *row, uint32_t type, int version);
/* May a request of the verb name several values of it? */
bool km_attr_several(const struct kmip_attr_row *row, enum km_verb_id by);
/* The order in which the dates of an object have to be. KLM_E_INVALID with a message. */
klm_rc km_dates_check(struct km_call *call, const struct md_attrs *attrs) KLM_MUST_USE;
/* object_attr_value.c: what a value that a client gives has to be like, beyond its type. KLM_E_INVALID, KLM_E_UNSUPPORTED with a message. */
klm_rc km_attr_value_check(struct km_call *call, const struct kmip_node *value, int version)
    KLM_MUST_USE;
/* Usage Limits as they are kept, of which nothing is used, made of what a client gives (checked before). In the pool. */
klm_rc km_usage_limits(struct klm_pool *pool, const struct kmip_node *given,
                       const struct kmip_node **out) KLM_MUST_USE;
/* The attribute's name for messages ("Cryptographic Length", "x-ID"). In the call's pool, or NULL. */
const char *km_attr_name(struct km_call *call, const struct kmip_node *value);
/* In apply: is a name of the object another one's, in its device group (KMIP 1.4, 3.2; 2.1, 4.32)? Names of destroyed objects are free. KLM_E_EXISTS with a message. *alone: no
 * on-line object has the value of any of its names. */
klm_rc km_names_check(struct km_call *call, struct st_view *view, const struct md_object *object,
                      bool *alone) KLM_MUST_USE;
/* Has certainly no object of the device group, on-line or archived, this Name? An index answers: false may also be another name of the same row. */
klm_rc km_name_free(struct st_view *view, const struct kmip_node *name, const char *group,
                    bool *out) KLM_MUST_USE;
/* Add a Link of a type to an object, or replace the one there is. */
klm_rc km_link_set(struct md_object *object, struct klm_pool *pool, uint32_t type, const char *uid)
    KLM_MUST_USE;
/* The object that a Link of the type points to; NULL: none. In the pool. */
const char *km_link_find(const struct md_object *object, struct klm_pool *pool, uint32_t type);
/* object_format.c: the Key Format Type that objects of a type, keys of an algorithm, have unless another one is asked for (KMIP 2.1, 4.26); 0: none is named. */
uint32_t km_format_usual(uint32_t type, uint32_t algorithm);
/* Have objects of the type no key block, and so the one form? */
bool km_format_is_fixed(uint32_t type);
/* Bring material that was made here into the format that the attributes ask for, or the usual one of 2.x; *material is replaced. KLM_E_UNSUPPORTED with a message. */
klm_rc km_format_made(struct km_call *call, int version, const struct md_attrs *attrs,
                      struct kr_material **material) KLM_MUST_USE;
/* The format that a version is given material in: it, or what the version knows instead. */
uint32_t km_format_known(uint32_t format, int version);
/* The Digest attribute of an object: over its material as it is, in 2.x in the usual format too. */
klm_rc km_digests_set(struct km_call *call, int version, struct md_object *object,
                      const struct kr_material *material) KLM_MUST_USE;
/* For verbs that make objects. Object number place (0 or 1) is made of attributes (the server's own are added, by kmip/registry) and material (NULL: none): it gets its identifier,
 * which goes to the answer (struct km_object_make) too, and its material is sealed. On any thread but the writer's. */
klm_rc km_made(struct km_call *call, uint32_t type, const struct md_attrs *attrs,
               const struct kr_material *material, size_t place) KLM_MUST_USE;
/* It, to be added to before it is put. */
struct md_object *km_made_object(struct km_call *call, size_t place);
/* object_template.c: add what templates of these names say (NULL: none) to a list that does not say it itself. KLM_E_NOTFOUND: there is none of that name. */
klm_rc km_templates_add(struct km_call *call, const char *const *names, struct md_attrs *to)
    KLM_MUST_USE;
/* object_make.c: add attributes of both keys of a pair to those of one. Make the pair that the request's private_attrs and public_attrs describe, with links. */
klm_rc km_attrs_merge(struct md_attrs *own, const struct md_attrs *common) KLM_MUST_USE;
klm_rc km_pair_made(struct km_call *call) KLM_MUST_USE;
/* object_cert.c: what a certificate says of itself, as attributes; nothing for other objects. */
klm_rc km_certificate_attrs(struct km_call *call, struct md_object *object,
                            const struct kr_material *material) KLM_MUST_USE;
/* object_crypt.c: what is given as Cryptographic Parameters, else the key's first ones. */
void km_crypt_parameters(const struct kmip_node *given, const struct md_object *key,
                         struct kr_crypt *out);
/* object_usage.c: take one use of so many bytes from the usage limits of a key that is about to be put. KLM_E_LIMIT. */
klm_rc km_usage_take(struct km_call *call, struct md_object *key, size_t bytes) KLM_MUST_USE;
/* End streams that nobody goes on with. */
void km_objects_sweep(struct km_server *server);
/* object_renew.c, in apply, before by is put: an object that is not destroyed hands all its names over to the one that replaces it, and points to it. */
klm_rc km_object_replace(struct km_call *call, struct st_change *change, const char *uid,
                         struct md_object *by) KLM_MUST_USE;
/* Attributes of a new object that replaces another: what is given for it in own, then those of the old one, but for what belongs to each object alone; dates are moved by the request's offset. */
klm_rc km_object_inherit(struct km_call *call, const struct md_object *old, struct md_attrs *own)
    KLM_MUST_USE;
/* object_get.c: neither archived nor destroyed. */
klm_rc km_object_usable(struct km_call *call, const struct md_object *object) KLM_MUST_USE;
/* object_pkcs12.c: a private key and its certificates as PKCS #12. KLM_E_UNSUPPORTED: it is no private key; otherwise refused with a message. */
klm_rc km_object_pkcs12(struct km_call *call, const struct md_object *key,
                        const struct kr_material *material, struct klm_slice *out) KLM_MUST_USE;
/* object_wrap.c: the object with its key value wrapped, as the Key Wrapping Specification of the request says, to req->item. */
klm_rc km_object_wrap(struct km_call *call, struct km_object_get *req,
                      const struct kr_material *material) KLM_MUST_USE;
/* What both ways have in common: how parameters (NULL: none) say that it is done; why a wrapping key that km_object_find refused is refused. */
void km_wrap_how(const struct kmip_node *parameters, struct kr_wrap_how *out);
klm_rc km_wrap_refuse_key(struct km_call *call, klm_rc rc, const char *uid) KLM_MUST_USE;
/* object_unwrap.c: the material of an object that came wrapped, in the clear; *material is replaced, and the object has no Key Wrapping Data any more. On a worker. */
klm_rc km_object_unwrap(struct km_call *call, struct md_object *object,
                        struct kr_material **material) KLM_MUST_USE;
/* The Link of an object that came wrapped to what it is wrapped with (KMIP 2.1, 6.1.43). */
klm_rc km_wrapping_link(struct km_call *call, struct md_object *object) KLM_MUST_USE;
/* What was made last, as it will be asked for: the cache learns of it in km_made_published, when it is in the store. Not for objects that are changed between. */
void km_made_known(struct km_call *call, const struct kr_material *material);
/* cartridge.c, for keys of tape libraries; nothing happens with other objects. Put volume serial, key identifier and Unique Identifier into the call's event, of the first object that it is
 * asked for. */
struct md_cartridge;
klm_rc km_cartridge_note(struct km_call *call, const struct md_object *object) KLM_MUST_USE;
/* In apply: a client's new key was put; and one whose attributes changed, which named before what is in before. Usage metadata gets an event when the key names a cartridge now, by
 * the second only when it is another one than before. */
klm_rc km_cartridge_made(struct km_call *call, struct st_change *change,
                         const struct md_object *object) KLM_MUST_USE;
klm_rc km_cartridge_changed(struct km_call *call, struct st_change *change,
                            const struct md_cartridge *before, const struct md_object *object)
    KLM_MUST_USE;
/* In apply: put all that was made. */
klm_rc km_made_put(struct km_call *call, struct st_change *change) KLM_MUST_USE;
/* Put an object back after a change: Last Change Date is set. */
klm_rc km_object_change(struct km_call *call, struct st_change *change, struct md_object *object)
    KLM_MUST_USE;
/* Seconds since 1970 at which the call happens: the same in both of its runs. */
int64_t km_call_seconds(struct km_call *call);
/* The device group whose objects the asker works with; NULL: all (operators). */
const char *km_call_group(const struct km_call *call);

#endif
