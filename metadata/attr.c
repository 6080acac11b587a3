/* Lists of attributes. A list is short, and most of it is read each time, so that a walk is all the index it needs. */
#include "metadata/attr.h"

#include "kmip/codec/text.h"

#include <string.h>

#define CAP_FIRST 16

/* ---- Items */

static bool has_bytes(enum kmip_type type)
{
    return type == KMIP_TEXT || type == KMIP_BYTES || type == KMIP_BIG_INTEGER;
}

static klm_rc copy_item(const struct kmip_node *from, struct klm_pool *pool,
                        struct kmip_node *parent, struct kmip_node **out)
{
    struct kmip_node *to = kmip_item(pool, parent, from->tag, from->type), *inside;

    if (!to) {
        return KLM_E_NOMEM;
    }
    *out = to;
    if (has_bytes(from->type)) {
        return klm_pool_slice(pool, from->bytes, &to->bytes);
    }
    if (from->type != KMIP_STRUCTURE) {
        to->number = from->number;
        return KLM_OK;
    }
    for (const struct kmip_node *item = from->first; item; item = item->next) {
        KLM_TRY(copy_item(item, pool, to, &inside)); /* as deep as decoders let a tree be */
    }
    return KLM_OK;
}

klm_rc md_item_copy(const struct kmip_node *from, struct klm_pool *pool, struct kmip_node **to)
{
    struct kmip_node *copy;

    if (!from) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(copy_item(from, pool, NULL, &copy));
    *to = copy;
    return KLM_OK;
}

klm_rc md_vendor_attr(struct klm_pool *pool, struct klm_slice vendor, struct klm_slice name,
                      const struct kmip_node *value, struct kmip_node **out)
{
    struct kmip_node *attr = kmip_root(pool, KMIP_TAG_Attribute), *inside;
    struct klm_slice text = {NULL, 0};

    if (!attr || !value) {
        return KLM_E_NOMEM;
    }
    if (value->tag != KMIP_TAG_AttributeValue) {
        return KLM_E_INVALID;
    }
    KLM_TRY(klm_pool_slice(pool, vendor, &text));
    kmip_put_bytes(pool, attr, KMIP_TAG_VendorIdentification, KMIP_TEXT, text);
    KLM_TRY(klm_pool_slice(pool, name, &text));
    if (!kmip_put_bytes(pool, attr, KMIP_TAG_AttributeName, KMIP_TEXT, text) ||
        attr->first == attr->last) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(copy_item(value, pool, attr, &inside));
    *out = attr;
    return KLM_OK;
}

/* ---- Lists */

void md_attrs_init(struct md_attrs *attrs, struct klm_pool *pool)
{
    *attrs = (struct md_attrs){.pool = pool};
}

static klm_rc grow(struct md_attrs *attrs)
{
    size_t cap = attrs->cap ? attrs->cap * 2 : CAP_FIRST;
    struct md_attr *at = klm_pool_alloc(attrs->pool, cap * sizeof *at);

    if (!at) {
        return KLM_E_NOMEM;
    }
    if (attrs->n > 0) {
        memcpy(at, attrs->at, attrs->n * sizeof *at);
    }
    attrs->at = at;
    attrs->cap = cap;
    return KLM_OK;
}

/* KMIP 1.4, 2.1.1: indexes start with 0, and those of the others stay when an instance comes or goes. */
static int64_t next_index(const struct md_attrs *attrs, const struct kmip_node *value)
{
    int64_t next = 0;

    for (const struct md_attr *a = md_attr_like(attrs, value); a; a = md_attr_next_like(attrs, a)) {
        next = a->index >= next ? a->index + 1 : next;
    }
    return next;
}

klm_rc md_attr_add(struct md_attrs *attrs, const struct kmip_node *value)
{
    struct kmip_node *copy;
    int64_t index;

    if (!value) {
        return KLM_E_NOMEM;
    }
    index = next_index(attrs, value);
    if (attrs->n >= MD_ATTRS_MAX || index > INT32_MAX) {
        return KLM_E_LIMIT;
    }
    KLM_TRY(md_item_copy(value, attrs->pool, &copy));
    if (attrs->n == attrs->cap) {
        KLM_TRY(grow(attrs));
    }
    attrs->at[attrs->n++] = (struct md_attr){value->tag, index, copy};
    return KLM_OK;
}

klm_rc md_attr_replace(struct md_attrs *attrs, struct md_attr *attr, const struct kmip_node *value)
{
    struct kmip_node *copy;

    KLM_TRY(md_item_copy(value, attrs->pool, &copy));
    attr->tag = copy->tag;
    attr->value = copy;
    return KLM_OK;
}

klm_rc md_attr_set(struct md_attrs *attrs, const struct kmip_node *value)
{
    struct md_attr *there = value ? md_attr_like(attrs, value) : NULL;

    return there ? md_attr_replace(attrs, there, value) : md_attr_add(attrs, value);
}

/* Does a number fit what TTLV has for the type (KMIP 1.4, 9.1.1.4)? */
static bool number_fits(enum kmip_type type, int64_t number)
{
    switch ((int)type) {
    case KMIP_INTEGER:
        return number >= INT32_MIN && number <= INT32_MAX;
    case KMIP_ENUMERATION:
    case KMIP_INTERVAL:
        return number >= 0 && number <= UINT32_MAX;
    case KMIP_BOOLEAN:
        return number == 0 || number == 1;
    case KMIP_LONG_INTEGER:
    case KMIP_DATE_TIME:
    case KMIP_DATE_TIME_EXTENDED:
        return true;
    default:
        return false;
    }
}

klm_rc md_attr_set_number(struct md_attrs *attrs, uint32_t tag, int64_t number)
{
    const struct kmip_tag_row *row = kmip_tag(tag);

    if (!row || !number_fits(row->type, number)) {
        return KLM_E_INVALID;
    }
    return md_attr_set(attrs, &(struct kmip_node){.tag = tag, .type = row->type, .number = number});
}

klm_rc md_attr_set_text(struct md_attrs *attrs, uint32_t tag, const char *text)
{
    const struct kmip_tag_row *row = kmip_tag(tag);
    const struct klm_slice bytes = klm_slice_str(text);

    if (!row || (row->type != KMIP_TEXT && row->type != KMIP_ANY) || !kmip_text_ok(bytes)) {
        return KLM_E_INVALID;
    }
    return md_attr_set(attrs, &(struct kmip_node){.tag = tag, .type = KMIP_TEXT, .bytes = bytes});
}

void md_attr_remove(struct md_attrs *attrs, const struct md_attr *attr)
{
    size_t at = (size_t)(attr - attrs->at);

    attrs->n--;
    memmove(&attrs->at[at], &attrs->at[at + 1], (attrs->n - at) * sizeof *attrs->at);
}

void md_attr_remove_all(struct md_attrs *attrs, uint32_t tag)
{
    size_t kept = 0;

    for (size_t i = 0; i < attrs->n; i++) {
        if (attrs->at[i].tag != tag) {
            attrs->at[kept++] = attrs->at[i];
        }
    }
    attrs->n = kept;
}

klm_rc md_attrs_copy(const struct md_attrs *from, struct klm_pool *pool, struct md_attrs *to)
{
    struct md_attrs copy = {.pool = pool, .n = from->n, .cap = from->n};
    struct kmip_node *value;

    copy.at = klm_pool_alloc(pool, copy.cap * sizeof *copy.at);
    if (!copy.at) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < from->n; i++) {
        KLM_TRY(md_item_copy(from->at[i].value, pool, &value));
        copy.at[i] = (struct md_attr){from->at[i].tag, from->at[i].index, value};
    }
    *to = copy;
    return KLM_OK;
}

/* ---- Finding */

static struct md_attr *with_tag(const struct md_attrs *attrs, size_t from, uint32_t tag)
{
    for (size_t i = from; i < attrs->n; i++) {
        if (attrs->at[i].tag == tag) {
            return &attrs->at[i];
        }
    }
    return NULL;
}

struct md_attr *md_attr_find(const struct md_attrs *attrs, uint32_t tag)
{
    return with_tag(attrs, 0, tag);
}

struct md_attr *md_attr_next(const struct md_attrs *attrs, const struct md_attr *attr)
{
    return with_tag(attrs, (size_t)(attr - attrs->at) + 1, attr->tag);
}

static bool same_field(const struct kmip_node *a, const struct kmip_node *b, uint32_t tag)
{
    return kmip_equal(kmip_child(a, tag), kmip_child(b, tag));
}

bool md_attr_same(const struct kmip_node *a, const struct kmip_node *b)
{
    return a->tag == b->tag &&
           (a->tag != KMIP_TAG_Attribute || (same_field(a, b, KMIP_TAG_AttributeName) &&
                                             same_field(a, b, KMIP_TAG_VendorIdentification)));
}

static struct md_attr *like(const struct md_attrs *attrs, struct md_attr *from,
                            const struct kmip_node *value)
{
    while (from && !md_attr_same(from->value, value)) {
        from = md_attr_next(attrs, from);
    }
    return from;
}

struct md_attr *md_attr_like(const struct md_attrs *attrs, const struct kmip_node *value)
{
    return like(attrs, md_attr_find(attrs, value->tag), value);
}

struct md_attr *md_attr_next_like(const struct md_attrs *attrs, const struct md_attr *attr)
{
    return like(attrs, md_attr_next(attrs, attr), attr->value);
}

struct md_attr *md_attr_indexed(const struct md_attrs *attrs, const struct kmip_node *value,
                                int64_t index)
{
    struct md_attr *attr = md_attr_like(attrs, value);

    while (attr && attr->index != index) {
        attr = md_attr_next_like(attrs, attr);
    }
    return attr;
}

struct md_attr *md_attr_equal(const struct md_attrs *attrs, const struct kmip_node *value)
{
    struct md_attr *attr = md_attr_find(attrs, value->tag);

    while (attr && !kmip_equal(attr->value, value)) {
        attr = md_attr_next(attrs, attr);
    }
    return attr;
}

int64_t md_attr_number(const struct md_attrs *attrs, uint32_t tag, int64_t otherwise)
{
    const struct md_attr *attr = md_attr_find(attrs, tag);

    return !attr || attr->value->type == KMIP_STRUCTURE || has_bytes(attr->value->type)
               ? otherwise
               : attr->value->number;
}
