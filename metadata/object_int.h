/* What the files of managed objects share. */
#ifndef METADATA_OBJECT_INT_H
#define METADATA_OBJECT_INT_H

#include "metadata/object.h"

/* As md_object_decode, but names and values are borrowed from the record. */
klm_rc md_object_read(struct klm_slice record, struct klm_pool *pool, struct md_object *out)
    KLM_MUST_USE;

/* How an object is kept, as bits of the Storage Status Mask: on-line, or archived, destroyed, or both (KMIP 2.1, 6.1.28). It follows from what
 * is stored alone, so that it can be part of a key. */
uint8_t md_object_storage(const struct md_object *object);
/* Are objects kept that way to be searched? */
bool md_storage_within(uint8_t storage, uint32_t mask);
/* The values md_object_storage may have; ended by 0. */
extern const uint8_t md_storages[];
#define MD_STORAGES 4

/* ---- Index (ST_OBJECT_INDEX). A key is what is indexed, device group, 0, storage (1), identifier. What is indexed: 'A' and the hash of an
 * identifying value, 'T' and the object type (4), 'O' and the hash of the owner, 'G' alone: the group. Hashes are SHA-256, cut to 16 bytes. */
#define MD_HASH 16
#define MD_BY_ATTR 'A'
struct md_what {
    uint8_t p[1 + MD_HASH];
    size_t n;
};
/* An identifying value: the attribute, and the item in it, or itself, that identifies. */
struct md_term {
    const struct kmip_node *attr, *key;
};
/* The term of a value (object_index.def); *rank is its row: the lower, the fewer objects share one. False: not indexed, or a
 * structure without the field. */
bool md_term_of(const struct kmip_node *value, struct md_term *out, size_t *rank);
klm_rc md_what_term(const struct md_term *term, struct md_what *out) KLM_MUST_USE;
struct md_what md_what_type(uint32_t type);
klm_rc md_what_owner(const char *owner, struct md_what *out) KLM_MUST_USE;
struct md_what md_what_group(void);

/* The longest key, or part of one. */
struct md_row {
    uint8_t p[1 + MD_HASH + MD_GROUP_MAX + 1 + 1 + MD_UID_MAX];
    size_t n;
};
/* The begin of a row's key: what alone (group NULL), with the group, with storage (0: without). */
struct md_row md_row_begin(const struct md_what *what, const char *group, uint8_t storage);
/* Storage and identifier of a key whose first skip bytes are what is indexed. False: it is no such key. */
bool md_row_end(struct klm_slice key, size_t skip, uint8_t *storage, char uid[MD_UID_MAX]);

/* Bring the rows of an object from what it was to what it is; either may be NULL. */
klm_rc md_index_move(struct st_change *change, const struct md_object *was,
                     const struct md_object *is) KLM_MUST_USE;

/* ---- Identifiers in order, from rows of up to MD_STORAGES prefixes of a table; page by page, so that rows may come and go behind it. */
#define MD_PAGE 64
#define MD_PAGE_FIRST 8
struct md_rows {
    struct md_row begin;
    char (*uid)[MD_UID_MAX]; /* room for MD_PAGE */
    size_t at, n;
    uint8_t last[ST_KEY_MAX]; /* the key that ends the page */
    size_t last_n;
    bool ended; /* there are no more behind the page */
};
struct md_walk {
    struct st_view *view;
    enum st_table table;
    bool newest; /* from the highest down */
    struct md_rows rows[MD_STORAGES];
    size_t n;
};
/* Begin behind an identifier ("": at the begin) with what is kept as the mask says, and read the first page of each prefix. what NULL: all of
 * ST_OBJECT. Room is taken from the pool. *small: these pages are all of it. */
klm_rc md_walk_begin(struct md_walk *walk, const struct md_what *what, const char *group,
                     uint32_t storage, const char *after, struct klm_pool *pool, bool *small)
    KLM_MUST_USE;
/* How many rows there are, counted up to a limit. */
klm_rc md_walk_count(const struct md_walk *walk, size_t limit, size_t *n) KLM_MUST_USE;
/* The next identifier, borrowed until the call after; KLM_E_NOTFOUND at the end. */
klm_rc md_walk_next(struct md_walk *walk, const char **uid) KLM_MUST_USE;

#endif
