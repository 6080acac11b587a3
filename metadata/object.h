/* Managed objects (KMIP): records of the store with identity, owner and attributes. Key material is a key token of its own (label
 * MD_MATERIAL_PREFIX and the identifier), never in here. Indexes on attribute values are kept with the record, in the same change
 * (object_index.def); they only propose, the record decides, so that a collision or a row too many changes no answer. */
#ifndef METADATA_OBJECT_H
#define METADATA_OBJECT_H

#include "base/clock.h"
#include "metadata/attr.h"
#include "store/st.h"

/* Characters of a unique identifier and a NUL. Those made here are UUIDs of version 7 (RFC 9562, 5.7), so that records lie in order of
 * time; one that was imported may be any printable ASCII without blanks. */
#define MD_UID_MAX 37
#define MD_GROUP_MAX 64
#define MD_MATERIAL_PREFIX "KMIP."
#define MD_FILTERS_MAX 100 /* of a search */

struct md_object {
    char uid[MD_UID_MAX];
    uint32_t type;                /* KMIP_ObjectType_... */
    char group[MD_GROUP_MAX + 1]; /* device group it belongs to */
    char owner[65];               /* fingerprint of the client that made it, or "" */
    bool archived;
    bool allocated; /* Get Usage Allocation was done: usage limits are frozen */
    int64_t lease;  /* seconds since 1970 until which a lease is out; 0: none */
    struct md_attrs
        attrs; /* all others, State as of the last change too; not Unique Identifier and Object Type */
};

/* A fresh identifier, above all that this process made before, also within a millisecond and when the clock went back. Any thread.
 * KLM_E_CRYPTO. */
klm_rc md_uid_new(char out[MD_UID_MAX]) KLM_MUST_USE;
/* Its 16 bytes (RFC 9562, 4), and the identifier of bytes. False: it is no UUID in lower case. */
#define MD_UID_BYTES 16
bool md_uid_bytes(const char *uid, uint8_t out[MD_UID_BYTES]);
void md_uid_text(const uint8_t p[MD_UID_BYTES], char out[MD_UID_MAX]);
/* Can it be an identifier: 1 to 36 characters from X'21' to X'7E'? */
bool md_uid_ok(const char *uid);
/* Does the index say that the device group has an object of that identifier? Also of one whose record is damaged. */
klm_rc md_object_listed(struct st_view *view, const char *group, const char *uid,
                        struct klm_pool *pool, bool *out) KLM_MUST_USE;
/* Label of its key token; out holds KR_TOKEN_LABEL_MAX + 1. */
void md_material_label(const char *uid, char out[65]);

/* KLM_E_NOTFOUND (also when it can be no identifier), KLM_E_CORRUPT. Everything lives in the pool. */
klm_rc md_object_get(struct st_view *view, const char *uid, struct klm_pool *pool,
                     struct md_object *out) KLM_MUST_USE;
/* A record from its bytes, for caches; all of it is copied into the pool. KLM_E_CORRUPT. */
klm_rc md_object_decode(struct klm_slice record, struct klm_pool *pool, struct md_object *out)
    KLM_MUST_USE;
/* Append the record. KLM_E_INVALID: an identifier, type, group or owner that cannot be, Unique Identifier or Object Type among the
 * attributes, or a value that TTLV cannot hold; KLM_E_LIMIT: too large. The buffer remembers nothing of the first. */
klm_rc md_object_encode(const struct md_object *object, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_EXISTS; here and below what md_object_encode fails with. */
klm_rc md_object_add(struct st_change *change, const struct md_object *object) KLM_MUST_USE;
/* The same for an identifier that md_uid_new has drawn for it, without a look whether it is there. */
klm_rc md_object_add_new(struct st_change *change, const struct md_object *object) KLM_MUST_USE;
/* Replace what is there (read again for its index rows, of which only those that changed are written). KLM_E_NOTFOUND; KLM_E_LIMIT: too
 * large a record; KLM_E_CORRUPT: what is there is damaged. */
klm_rc md_object_put(struct st_change *change, const struct md_object *object) KLM_MUST_USE;
/* Remove record and index rows. KLM_E_NOTFOUND. A damaged record goes too; what is left of its rows is harmless. */
klm_rc md_object_delete(struct st_change *change, const char *uid) KLM_MUST_USE;

/* The state now (KMIP 2.1, 4.57; 1.4, 3.22): as stored, moved on by activation and deactivation dates that have come. KMIP_State_...;
 * 0 for objects without one (Template). now in microseconds. */
uint32_t md_object_state(const struct md_object *object, klm_time now);
/* The attributes as they are now: all of the object, State moved on, Unique Identifier and Object Type put in. The others, Fresh and Lease Time
 * among them, are as stored. All of it lives in the pool. */
klm_rc md_object_attrs_now(const struct md_object *object, klm_time now, struct klm_pool *pool,
                           struct md_attrs *out) KLM_MUST_USE;

/* ---- Locate (KMIP 2.1, 6.1.28; 1.4, 4.9)
 * An object matches when it matches each filter: a value equal to one of its instances, of structures the fields that are given (which may be none),
 * capitals counting; State as it is now; Cryptographic Usage Mask when it has all the bits; Usage Limits when Count and Total are at least those
 * asked for; a date when it is the same, or lies within a range when the filter comes twice (limits included). The largest date, 2^63-1, is that of an object
 * which has none. */
struct md_locate {
    const char *group; /* device group to look in; NULL: all */
    const struct kmip_node *const *
        filter; /* attribute values in the form of md_attr; Object Type and Unique Identifier may be among them */
    size_t filters;
    uint32_t storage; /* Storage Status Mask: bits of KMIP_StorageStatusMask_...; 0: online only */
    uint32_t
        member; /* Object Group Member: KMIP_ObjectGroupMember_... or 0. Fresh: those never served. Default: of those that match the
                       * newest Active one, or the newest if none is */
    bool newest;          /* newest first, as 2.x has it (2.1, 6.1.28); else oldest first */
    uint64_t offset, max; /* max 0: no limit */
    klm_time now;
    uint64_t
        until_ms; /* klm_clock_mono_ms() at which the search is given up; 0: it takes as long as it takes */
    /* Was an object served, although its record says that it is fresh? NULL: the records say all. */
    bool (*served)(void *arg, const char *uid);
    void *served_arg;
};
/* Any outcome but KLM_OK ends the search or scan and is returned. */
typedef klm_rc md_object_fn(void *arg, const struct md_object *object);
/* Objects that match all filters, in the order of their identifiers, which is that of time; visit gets each after the offset, in a pool that lives for the
 * call. total (or NULL) counts all that match; without it the search ends with the last object visited. The most selective indexed filter drives the
 * search: its cost is that of its matches, whatever else is in the store. Damaged objects are named in a message and left out. KLM_E_LIMIT: more than
 * MD_FILTERS_MAX filters. KLM_E_TIMEOUT: it was given up; what was visited was found. */
klm_rc md_locate(struct st_view *view, const struct md_locate *locate, md_object_fn *visit,
                 void *arg, uint64_t *total) KLM_MUST_USE;
/* Does an object match? Of the object's attributes those that are filtered by have to be there, and State unless it is on-line. */
bool md_matches(const struct md_object *object, const struct md_locate *locate);
/* For caches of searches by name. Is it kept on-line: neither archived nor destroyed? */
bool md_object_online(const struct md_object *object);
/* A search that only looks at on-line objects of one device group with a certain name: the key of their index rows, without the identifier behind it. False: it looks at more, or
 * at what changes with time. */
#define MD_ROWS_MAX 96
bool md_locate_rows(const struct md_locate *locate, uint8_t key[MD_ROWS_MAX], size_t *n);
/* The same key of an object's own name (a value of attribute Name), for objects that are kept on-line or archived (KMIP_StorageStatusMask_...), or with storage 0 of all, in
 * whatever way they are kept. */
bool md_name_rows(const struct kmip_node *name, const char *group, uint8_t storage,
                  uint8_t key[MD_ROWS_MAX], size_t *n);
/* Are there rows that begin with such a key? */
klm_rc md_rows_any(struct st_view *view, struct klm_slice key, bool *any) KLM_MUST_USE;
/* The identifiers that stand behind such a key, by order; at most max. KLM_E_LIMIT: there are more. */
klm_rc md_rows_read(struct st_view *view, struct klm_slice key, char (*uid)[MD_UID_MAX], size_t max,
                    size_t *n) KLM_MUST_USE;
/* How many bytes of a key of ST_OBJECT_INDEX stand before the identifier; 0: it is no row of a value. */
size_t md_rows_begin(struct klm_slice key);
/* All objects of a device group (NULL: all) after an identifier ("": from the first), by identifier. Damaged ones as above. The visitor may
 * change and delete what it visits, in the change whose view this is. */
klm_rc md_object_scan(struct st_view *view, const char *group, const char *after,
                      md_object_fn *visit, void *arg) KLM_MUST_USE;
/* Is there any object, destroyed or not, of the owner (fingerprint), or of a device group? An index answers. */
klm_rc md_owns(struct st_view *view, const char *owner, bool *out) KLM_MUST_USE;
klm_rc md_device_group_has(struct st_view *view, const char *group, bool *out) KLM_MUST_USE;

#endif
