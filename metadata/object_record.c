/* Records of managed objects; numbers big-endian, s8 a length of one byte and that many bytes: 1 version (1), 1 flags (1 archived,
 * 2 allocated), 4 object type, 8 end of the lease, s8 unique identifier, s8 device group, s8 owner, 2 how many attributes, 4 the index of each, and the
 * values as TTLV: the structure Attributes of KMIP 2.x. A record is taken whole or is damage, and what was taken is written back byte for byte. */
#include "metadata/object_int.h"

#include "base/utf8.h"
#include "kmip/codec/gate.h"
#include "kmip/codec/text.h"
#include "kmip/codec/ttlv.h"

#include <string.h>

#define VERSION 1
#define ITEM_LEAST KMIP_TTLV_HEAD /* bytes of an item */

enum { FLAG_ARCHIVED = 1, FLAG_ALLOCATED = 2, FLAGS = FLAG_ARCHIVED | FLAG_ALLOCATED };

/* ---- What may be in one */

static bool text_ok(const char *text, size_t cap)
{
    const size_t n = strnlen(text, cap);

    /* Nearly all are ASCII, and this is on the way of every get. */
    return n < cap && (klm_ascii_run((const uint8_t *)text, n, "") == n ||
                       klm_utf8_printable(KLM_SLICE(text, n)));
}

static bool type_ok(uint32_t type)
{
    return kmip_value_name(KMIP_E_ObjectType, type) != NULL;
}

/* A vendor's attribute has all three parts (KMIP 2.1, 4.60), so that one is told from another. */
static bool vendor_ok(const struct kmip_node *value)
{
    const struct kmip_node *vendor = kmip_child(value, KMIP_TAG_VendorIdentification),
                           *name = kmip_child(value, KMIP_TAG_AttributeName);

    return vendor && vendor->type == KMIP_TEXT && name && name->type == KMIP_TEXT &&
           kmip_child(value, KMIP_TAG_AttributeValue);
}

static bool attr_ok(uint32_t tag, int64_t index, const struct kmip_node *value)
{
    return value->tag == tag && tag != KMIP_TAG_UniqueIdentifier && tag != KMIP_TAG_ObjectType &&
           index >= 0 && index <= INT32_MAX && (tag != KMIP_TAG_Attribute || vendor_ok(value));
}

static bool object_ok(const struct md_object *object)
{
    if (!md_uid_ok(object->uid) || !type_ok(object->type) || object->lease < 0 ||
        !text_ok(object->group, sizeof object->group) ||
        !text_ok(object->owner, sizeof object->owner)) {
        return false;
    }
    for (size_t i = 0; i < object->attrs.n; i++) {
        const struct md_attr *attr = &object->attrs.at[i];

        if (!attr_ok(attr->tag, attr->index, attr->value)) {
            return false;
        }
    }
    return object->attrs.n <= MD_ATTRS_MAX;
}

/* Will the decoder take back what the encoder makes of it? Values come from decoders, and from code. */
static bool item_ok(const struct kmip_node *item, unsigned depth)
{
    if (!kmip_tag_ok(item->tag) || !kmip_type(item->type)) {
        return false;
    }
    switch ((int)item->type) {
    case KMIP_STRUCTURE:
        for (const struct kmip_node *inside = item->first; inside && depth; inside = inside->next) {
            if (!item_ok(inside, depth - 1)) {
                return false;
            }
        }
        return depth > 0;
    case KMIP_INTEGER:
        return item->number >= INT32_MIN && item->number <= INT32_MAX;
    case KMIP_ENUMERATION:
    case KMIP_INTERVAL:
        return item->number >= 0 && item->number <= UINT32_MAX;
    case KMIP_BOOLEAN:
        return item->number == 0 || item->number == 1;
    case KMIP_TEXT:
        return kmip_text_ok(item->bytes);
    case KMIP_BIG_INTEGER:
        return item->bytes.n > 0 && item->bytes.n % 8 == 0;
    default:
        return true;
    }
}

static bool items_ok(const struct md_attrs *attrs)
{
    for (size_t i = 0; i < attrs->n; i++) {
        if (!item_ok(attrs->at[i].value, KMIP_DEPTH_MAX - 1)) {
            return false;
        }
    }
    return true;
}

/* ---- Writing */

/* The structure around the values is written here, because they are items of lists, not of a tree. */
static void put_values(const struct md_attrs *attrs, struct klm_buf *out)
{
    size_t length_at;

    klm_buf_u24(out, KMIP_TAG_Attributes);
    klm_buf_u8(out, KMIP_STRUCTURE);
    length_at = out->n;
    klm_buf_u32(out, 0);
    for (size_t i = 0; i < attrs->n; i++) {
        kmip_ttlv_encode(attrs->at[i].value, KMIP_V_ANY, out);
    }
    if (klm_buf_rc(out) == KLM_OK) {
        klm_buf_set_u32(out, length_at, (uint32_t)(out->n - length_at - 4));
    }
}

klm_rc md_object_encode(const struct md_object *object, struct klm_buf *out)
{
    const struct md_attrs *attrs = &object->attrs;

    if (!object_ok(object) || !items_ok(attrs)) {
        return KLM_E_INVALID;
    }
    klm_buf_u8(out, VERSION);
    klm_buf_u8(out, (uint8_t)((object->archived ? FLAG_ARCHIVED : 0) |
                              (object->allocated ? FLAG_ALLOCATED : 0)));
    klm_buf_u32(out, object->type);
    klm_buf_u64(out, (uint64_t)object->lease);
    klm_buf_lp8(out, klm_slice_str(object->uid));
    klm_buf_lp8(out, klm_slice_str(object->group));
    klm_buf_lp8(out, klm_slice_str(object->owner));
    klm_buf_u16(out, (uint16_t)attrs->n);
    for (size_t i = 0; i < attrs->n; i++) {
        klm_buf_u32(out, (uint32_t)attrs->at[i].index);
    }
    put_values(attrs, out);
    return klm_buf_rc(out);
}

/* ---- Reading */

static void get_text(struct klm_cur *cur, char *out, size_t cap)
{
    struct klm_slice text;

    klm_cur_lp8(cur, cap - 1, &text);
    if (text.n > 0) {
        memcpy(out, text.p, text.n);
    }
    out[text.n] = '\0';
    if (strlen(out) != text.n) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

static klm_rc get_head(struct klm_cur *cur, struct md_object *out)
{
    uint8_t version, flags;
    uint64_t lease;

    klm_cur_u8(cur, &version);
    klm_cur_u8(cur, &flags);
    klm_cur_u32(cur, &out->type);
    klm_cur_u64(cur, &lease);
    get_text(cur, out->uid, sizeof out->uid);
    get_text(cur, out->group, sizeof out->group);
    get_text(cur, out->owner, sizeof out->owner);
    KLM_TRY(klm_cur_rc(cur));
    if (version != VERSION || flags & ~FLAGS || lease > INT64_MAX) {
        return KLM_E_CORRUPT;
    }
    out->lease = (int64_t)lease;
    out->archived = flags & FLAG_ARCHIVED;
    out->allocated = flags & FLAG_ALLOCATED;
    return KLM_OK;
}

/* Room for the attributes, their indexes in it. */
static klm_rc get_indexes(struct klm_cur *cur, struct md_attrs *attrs)
{
    uint16_t n;
    uint32_t index;

    klm_cur_u16(cur, &n);
    KLM_TRY(klm_cur_rc(cur));
    if (n > MD_ATTRS_MAX || n > klm_cur_left(cur) / (4 + ITEM_LEAST)) {
        return KLM_E_CORRUPT;
    }
    attrs->at = klm_pool_alloc(attrs->pool, n * sizeof *attrs->at);
    if (!attrs->at) {
        return KLM_E_NOMEM;
    }
    attrs->n = attrs->cap = n;
    for (size_t i = 0; i < n; i++) {
        klm_cur_u32(cur, &index);
        attrs->at[i].index = index;
    }
    return klm_cur_rc(cur);
}

/* Each value stands alone afterwards: it is nobody's neighbour. */
static klm_rc get_values(struct klm_slice in, struct md_attrs *attrs)
{
    const struct kmip_limits limits = {.bytes = ST_RECORD_MAX};
    struct kmip_node *root, *value, *next;
    size_t n = 0;

    KLM_TRY(kmip_ttlv_decode(in, &limits, attrs->pool, &root));
    if (root->tag != KMIP_TAG_Attributes || root->type != KMIP_STRUCTURE) {
        return KLM_E_CORRUPT;
    }
    for (value = root->first; value && n < attrs->n; value = next) {
        next = value->next;
        value->next = NULL;
        attrs->at[n].tag = value->tag;
        attrs->at[n++].value = value;
    }
    return !value && n == attrs->n ? KLM_OK : KLM_E_CORRUPT;
}

static klm_rc get_object(struct klm_slice record, struct klm_pool *pool, struct md_object *out)
{
    struct klm_slice values;
    struct klm_cur cur;

    klm_cur_init(&cur, record);
    KLM_TRY(get_head(&cur, out));
    md_attrs_init(&out->attrs, pool);
    KLM_TRY(get_indexes(&cur, &out->attrs));
    klm_cur_bytes(&cur, klm_cur_left(&cur), &values);
    KLM_TRY(get_values(values, &out->attrs));
    return object_ok(out) ? KLM_OK : KLM_E_CORRUPT;
}

klm_rc md_object_read(struct klm_slice record, struct klm_pool *pool, struct md_object *out)
{
    struct md_object object = {0};
    const klm_rc rc = get_object(record, pool, &object);

    if (rc != KLM_OK) {
        return rc == KLM_E_NOMEM ? rc : KLM_E_CORRUPT;
    }
    *out = object;
    return KLM_OK;
}

klm_rc md_object_decode(struct klm_slice record, struct klm_pool *pool, struct md_object *out)
{
    struct klm_slice copy = {NULL, 0};

    if (record.n > ST_RECORD_MAX) {
        return KLM_E_CORRUPT;
    }
    KLM_TRY(klm_pool_slice(pool, record, &copy));
    return md_object_read(copy, pool, out);
}
