/* Managed objects (KMIP): records of the store with identity, owner and attributes. Key material is a key token of its own (label
 * MD_MATERIAL_PREFIX and the identifier), never in here. Indexes on attribute values are kept with the record, in the same change. */
#ifndef METADATA_OBJECT_H
#define METADATA_OBJECT_H

#include "base/clock.h"
#include "metadata/attr.h"
#include "store/st.h"

#define MD_UID_MAX 37 /* characters of a unique identifier and a NUL: a UUID of version 7 (RFC 9562, 5.7), so that records lie in order of time */
#define MD_GROUP_MAX 64
#define MD_MATERIAL_PREFIX "KMIP."

struct md_object {
    char uid[MD_UID_MAX];
    uint32_t type;             /* KMIP_ObjectType_... */
    char group[MD_GROUP_MAX + 1]; /* device group it belongs to */
    char owner[65];            /* fingerprint of the client that made it, or "" */
    bool archived;
    bool allocated;            /* Get Usage Allocation was done: usage limits are frozen */
    int64_t lease;             /* seconds since 1970 until which a lease is out; 0: none */
    struct md_attrs attrs;     /* all others, State as of the last change too; not Unique Identifier and Object Type */
};

/* A fresh identifier. KLM_E_CRYPTO. */
klm_rc md_uid_new(char out[MD_UID_MAX]) KLM_MUST_USE;
/* Label of its key token; out holds KR_TOKEN_LABEL_MAX + 1. */
void md_material_label(const char *uid, char out[65]);

/* KLM_E_NOTFOUND, KLM_E_CORRUPT. Everything lives in the pool. */
klm_rc md_object_get(struct st_view *view, const char *uid, struct klm_pool *pool,
                     struct md_object *out) KLM_MUST_USE;
/* A record from its bytes, for caches. */
klm_rc md_object_decode(struct klm_slice record, struct klm_pool *pool, struct md_object *out)
    KLM_MUST_USE;
klm_rc md_object_encode(const struct md_object *object, struct klm_buf *out) KLM_MUST_USE;
/* KLM_E_EXISTS. */
klm_rc md_object_add(struct st_change *change, const struct md_object *object) KLM_MUST_USE;
/* Replace what is there (read again for its index rows). KLM_E_NOTFOUND; KLM_E_LIMIT: too large a record. */
klm_rc md_object_put(struct st_change *change, const struct md_object *object) KLM_MUST_USE;
/* Remove record and index rows. */
klm_rc md_object_delete(struct st_change *change, const char *uid) KLM_MUST_USE;

/* The state now (KMIP 2.1, 4.57; 1.4, 3.22): as stored, moved on by activation and deactivation dates that have come. KMIP_State_...;
 * 0 for objects without one (Template). now in microseconds. */
uint32_t md_object_state(const struct md_object *object, klm_time now);
/* Has an attribute its value only at the time it is asked for: State, Lease Time, ...? Give the attributes as they are now: State moved on, Unique Identifier and
 * Object Type put in. Result in the pool. */
klm_rc md_object_attrs_now(const struct md_object *object, klm_time now, struct klm_pool *pool,
                           struct md_attrs *out) KLM_MUST_USE;

/* ---- Locate (KMIP 2.1, 6.1.24; 1.4, 4.9) */
struct md_locate {
    const char *group;     /* device group to look in; NULL: all */
    const struct kmip_node *const *filter; /* attribute values in the form of md_attr; dates twice are a range; Object Type and Unique Identifier may be among them */
    size_t filters;
    uint32_t storage;      /* Storage Status Mask bits; 0: online only */
    uint32_t member;       /* Object Group Member: KMIP_ObjectGroupMember_... or 0 */
    uint64_t offset, max;  /* max 0: no limit */
    klm_time now;
};
typedef klm_rc md_object_fn(void *arg, const struct md_object *object);
/* Objects that match all filters, oldest first; visit gets each after the offset, in a pool that lives for the call. total (or NULL) counts all that
 * match. The most selective indexed filter drives the search: its cost is that of its matches, whatever else is in the store. */
klm_rc md_locate(struct st_view *view, const struct md_locate *locate, md_object_fn *visit, void *arg,
                 uint64_t *total) KLM_MUST_USE;
/* All objects of a device group (NULL: all) after an identifier ("": from the first), by identifier. */
klm_rc md_object_scan(struct st_view *view, const char *group, const char *after, md_object_fn *visit,
                      void *arg) KLM_MUST_USE;
/* Is there any object of the owner (fingerprint), or of a device group? An index answers. */
klm_rc md_owns(struct st_view *view, const char *owner, bool *out) KLM_MUST_USE;
klm_rc md_group_has(struct st_view *view, const char *group, bool *out) KLM_MUST_USE;

#endif
