/* The index of managed objects: which rows an object has, and keeping them with it. */
#include "metadata/object_int.h"

#include "base/digest.h"

#include <string.h>

enum { BY_ATTR = MD_BY_ATTR, BY_TYPE = 'T', BY_OWNER = 'O', BY_GROUP = 'G' };

/* ---- How an object is kept */

enum {
    ONLINE = KMIP_StorageStatusMask_OnLineStorage,
    ARCHIVED = KMIP_StorageStatusMask_ArchivalStorage,
    DESTROYED = KMIP_StorageStatusMask_DestroyedStorage
};

const uint8_t md_storages[] = {ONLINE, ARCHIVED, DESTROYED, ARCHIVED | DESTROYED, 0};

uint8_t md_object_storage(const struct md_object *object)
{
    const int64_t state = md_attr_number(&object->attrs, KMIP_TAG_State, 0);
    const bool destroyed =
        state == KMIP_State_Destroyed || state == KMIP_State_DestroyedCompromised;
    const uint8_t storage =
        (uint8_t)((object->archived ? ARCHIVED : 0) | (destroyed ? DESTROYED : 0));

    return storage ? storage : ONLINE;
}

/* KMIP 2.1, 6.1.28: destroyed objects are not returned without the bit for them, archived ones not without theirs; 1.4, 4.9: without a mask
 * on-line only. */
bool md_storage_within(uint8_t storage, uint32_t mask)
{
    return (storage & ~(mask ? mask : ONLINE)) == 0;
}

/* ---- What is indexed */

struct indexed {
    uint32_t tag, field;
};
static const struct indexed indexed[] = {
#define MD_INDEXED(attribute, field) {KMIP_TAG_##attribute, KMIP_TAG_##field},
#include "metadata/object_index.def"
#undef MD_INDEXED
};

bool md_term_of(const struct kmip_node *value, struct md_term *out, size_t *rank)
{
    for (size_t i = 0; i < KLM_COUNT(indexed); i++) {
        if (indexed[i].tag == value->tag) {
            out->attr = value;
            out->key = indexed[i].field == value->tag ? value : kmip_child(value, indexed[i].field);
            *rank = i;
            return out->key && out->key->type != KMIP_STRUCTURE;
        }
    }
    return false;
}

static bool same_term(const struct md_term *a, const struct md_term *b)
{
    return md_attr_same(a->attr, b->attr) && kmip_equal(a->key, b->key);
}

/* ---- Hashes */

static void put_be(uint64_t v, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
    }
}

static klm_rc hash(uint8_t by, const struct klm_slice *parts, size_t n, struct md_what *out)
{
    uint8_t value[32];

    KLM_TRY(klm_sha256(parts, n, value));
    out->p[0] = by;
    memcpy(out->p + 1, value, MD_HASH);
    out->n = 1 + MD_HASH;
    return KLM_OK;
}

/* Bytes of a field that is a text, or none. */
static struct klm_slice text_of(const struct kmip_node *attr, uint32_t tag)
{
    const struct kmip_node *field = kmip_child(attr, tag);

    return field && field->type == KMIP_TEXT ? field->bytes : KLM_SLICE(NULL, 0);
}

static bool is_bytes(const struct kmip_node *key)
{
    return key->type == KMIP_TEXT || key->type == KMIP_BYTES || key->type == KMIP_BIG_INTEGER;
}

/* Of attribute, field and type; for a vendor's, length and bytes of vendor and name; and the value. */
klm_rc md_what_term(const struct md_term *term, struct md_what *out)
{
    uint8_t head[12], length[2][4], number[8];
    const bool vendors = term->attr->tag == KMIP_TAG_Attribute;
    const struct klm_slice vendor = text_of(term->attr, KMIP_TAG_VendorIdentification),
                           name = text_of(term->attr, KMIP_TAG_AttributeName);
    struct klm_slice parts[6];
    size_t n = 0;

    put_be(term->attr->tag, 4, head);
    put_be(term->key->tag, 4, head + 4);
    put_be(term->key->type, 4, head + 8);
    parts[n++] = KLM_SLICE(head, sizeof head);
    if (vendors) {
        put_be(vendor.n, 4, length[0]);
        put_be(name.n, 4, length[1]);
        parts[n++] = KLM_SLICE(length, sizeof length);
        parts[n++] = vendor;
        parts[n++] = name;
    }
    if (!is_bytes(term->key)) {
        put_be((uint64_t)term->key->number, 8, number);
    }
    parts[n++] = is_bytes(term->key) ? term->key->bytes : KLM_SLICE(number, sizeof number);
    return hash(BY_ATTR, parts, n, out);
}

struct md_what md_what_type(uint32_t type)
{
    struct md_what what = {.p = {BY_TYPE}, .n = 5};

    put_be(type, 4, what.p + 1);
    return what;
}

klm_rc md_what_owner(const char *owner, struct md_what *out)
{
    const struct klm_slice text = klm_slice_str(owner);

    return hash(BY_OWNER, &text, 1, out);
}

struct md_what md_what_group(void)
{
    return (struct md_what){.p = {BY_GROUP}, .n = 1};
}

/* ---- Keys */

struct md_row md_row_begin(const struct md_what *what, const char *group, uint8_t storage)
{
    const size_t n = group ? strnlen(group, MD_GROUP_MAX) : 0;
    struct md_row row = {.n = what->n};

    memcpy(row.p, what->p, what->n);
    if (group) {
        memcpy(row.p + row.n, group, n);
        row.n += n;
        row.p[row.n++] = 0;
    }
    if (storage) {
        row.p[row.n++] = storage;
    }
    return row;
}

bool md_row_end(struct klm_slice key, size_t skip, uint8_t *storage, char uid[MD_UID_MAX])
{
    const uint8_t *zero = key.n > skip ? memchr(key.p + skip, 0, key.n - skip) : NULL;
    const size_t left = zero ? key.n - (size_t)(zero - key.p) : 0; /* 0, storage, identifier */

    if (left < 3 || left - 2 >= MD_UID_MAX) {
        return false;
    }
    *storage = zero[1];
    memcpy(uid, zero + 2, left - 2);
    uid[left - 2] = '\0';
    return md_uid_ok(uid);
}

/* ---- Keeping rows */

enum how {
    ROW_GOES,
    ROW_COMES,
    ROW_IS_NEW /* as is the object's identifier in it */
};

static klm_rc write_row(struct st_change *change, const struct md_object *object,
                        const struct md_what *what, enum how how)
{
    struct md_row row = md_row_begin(what, object->group, md_object_storage(object));
    const size_t n = strnlen(object->uid, MD_UID_MAX - 1);
    struct klm_slice key;

    memcpy(row.p + row.n, object->uid, n);
    key = KLM_SLICE(row.p, row.n + n);
    return how == ROW_GOES    ? st_delete(change, ST_OBJECT_INDEX, key)
           : how == ROW_COMES ? st_put(change, ST_OBJECT_INDEX, key, KLM_SLICE("", 0))
                              : st_put_new(change, ST_OBJECT_INDEX, key, KLM_SLICE("", 0));
}

/* What says the identifier in fewer bytes: who searches by it makes the identifier of it. */
static bool says_uid(const struct md_object *object, const struct md_term *term)
{
    uint8_t bytes[MD_UID_BYTES];

    return term->attr->tag == KMIP_TAG_ShortUniqueIdentifier && term->key->type == KMIP_BYTES &&
           term->key->bytes.n == MD_UID_BYTES && md_uid_bytes(object->uid, bytes) &&
           memcmp(term->key->bytes.p, bytes, sizeof bytes) == 0;
}

static klm_rc write_term(struct st_change *change, const struct md_object *object,
                         const struct md_term *term, enum how how)
{
    struct md_what what;

    if (says_uid(object, term)) {
        return KLM_OK;
    }
    KLM_TRY(md_what_term(term, &what));
    return write_row(change, object, &what, how);
}

static klm_rc write_owner(struct st_change *change, const struct md_object *object, enum how how)
{
    struct md_what what;

    if (!object->owner[0]) {
        return KLM_OK;
    }
    KLM_TRY(md_what_owner(object->owner, &what));
    return write_row(change, object, &what, how);
}

static klm_rc write_type(struct st_change *change, const struct md_object *object, enum how how)
{
    const struct md_what what = md_what_type(object->type);

    return write_row(change, object, &what, how);
}

/* All rows of an object. */
static klm_rc write_all(struct st_change *change, const struct md_object *object, enum how how)
{
    const struct md_what group = md_what_group();
    struct md_term term;
    size_t rank;

    KLM_TRY(write_row(change, object, &group, how));
    KLM_TRY(write_type(change, object, how));
    KLM_TRY(write_owner(change, object, how));
    for (size_t i = 0; i < object->attrs.n; i++) {
        if (md_term_of(object->attrs.at[i].value, &term, &rank)) {
            KLM_TRY(write_term(change, object, &term, how));
        }
    }
    return KLM_OK;
}

/* Has a list an instance with the same term? It is looked for from *hint on: lists differ in few places, so it mostly stands there. */
static bool has_term(const struct md_attrs *attrs, const struct md_term *term, size_t *hint)
{
    struct md_term other;
    size_t rank;

    for (size_t i = 0; i < attrs->n; i++) {
        const size_t at = (*hint + i) % attrs->n;

        if (attrs->at[at].tag == term->attr->tag &&
            md_term_of(attrs->at[at].value, &other, &rank) && same_term(term, &other)) {
            *hint = at + 1;
            return true;
        }
    }
    return false;
}

/* Rows of terms that one has and the other has not, written for the first. Two instances may have one term. */
static klm_rc write_missing(struct st_change *change, const struct md_object *one,
                            const struct md_object *other, enum how how)
{
    struct md_term term;
    size_t rank, hint = 0;

    for (size_t i = 0; i < one->attrs.n; i++) {
        if (md_term_of(one->attrs.at[i].value, &term, &rank) &&
            !has_term(&other->attrs, &term, &hint)) {
            KLM_TRY(write_term(change, one, &term, how));
        }
    }
    return KLM_OK;
}

static klm_rc write_changed(struct st_change *change, const struct md_object *was,
                            const struct md_object *is)
{
    if (was->type != is->type) {
        KLM_TRY(write_type(change, was, ROW_GOES));
        KLM_TRY(write_type(change, is, ROW_COMES));
    }
    if (strcmp(was->owner, is->owner) != 0) {
        KLM_TRY(write_owner(change, was, ROW_GOES));
        KLM_TRY(write_owner(change, is, ROW_COMES));
    }
    KLM_TRY(write_missing(change, was, is, ROW_GOES));
    return write_missing(change, is, was, ROW_COMES);
}

klm_rc md_index_move(struct st_change *change, const struct md_object *was,
                     const struct md_object *is)
{
    if (was && is && strcmp(was->group, is->group) == 0 &&
        md_object_storage(was) == md_object_storage(is)) {
        return write_changed(change, was, is);
    }
    if (was) {
        KLM_TRY(write_all(change, was, ROW_GOES));
    }
    return is ? write_all(change, is, was ? ROW_COMES : ROW_IS_NEW) : KLM_OK;
}

klm_rc md_object_listed(struct st_view *view, const char *group, const char *uid,
                        struct klm_pool *pool, bool *out)
{
    const struct md_what what = md_what_group();
    const size_t n = strnlen(uid, MD_UID_MAX - 1);

    *out = false;
    for (size_t i = 0; md_storages[i] && !*out; i++) {
        struct md_row row = md_row_begin(&what, group, md_storages[i]);
        struct klm_slice none = {NULL, 0};
        klm_rc rc;

        memcpy(row.p + row.n, uid, n);
        rc = st_get(view, ST_OBJECT_INDEX, KLM_SLICE(row.p, row.n + n), pool, &none);
        *out = rc == KLM_OK || rc == KLM_E_CORRUPT;
        KLM_TRY(*out || rc == KLM_E_NOTFOUND ? KLM_OK : rc);
    }
    return KLM_OK;
}
