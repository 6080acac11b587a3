/* Attributes between messages and the one form that is kept (metadata/attr.h): 2.x has that form; 1.x names them by text and wraps values in Attribute structures (KMIP 1.4, 2.1.1). */
#include "kmip/ops/ops_int.h"
#include "metadata/attr.h"

#include <stdio.h>
#include <string.h>

#define TEMPLATES_MAX 16

static bool v2(const struct kmop_item *item)
{
    return item->msg->version >= KMIP_V(2, 0);
}

static klm_rc bad_attribute(struct kmop_item *item, struct klm_slice name)
{
    return kmop_fail(
        item, KLM_E_INVALID, KLM_MSG_KMIP_ATTRIBUTE,
        klm_pool_strn(item->msg->pool, (const char *)name.p, name.n < 64 ? name.n : 64));
}

/* "x-ID" is vendor x, name ID; server's own begin with y- (KMIP 1.4, 3.42; 2.1, 4.58). */
static bool custom(struct klm_slice name, struct klm_slice *vendor, struct klm_slice *rest)
{
    if (name.n < 3 || (name.p[0] != 'x' && name.p[0] != 'y') || name.p[1] != '-') {
        return false;
    }
    *vendor = KLM_SLICE(name.p, 1);
    *rest = KLM_SLICE(name.p + 2, name.n - 2);
    return true;
}

static const struct kmip_attr_row *known(const struct kmop_item *item, struct klm_slice name)
{
    const struct kmip_attr_row *row = kmip_attr_find(name);

    return row && item->msg->version >= row->since && item->msg->version <= row->until ? row : NULL;
}

bool kmop_attr_name_known(const struct kmop_item *item, struct klm_slice name)
{
    struct klm_slice vendor, rest;

    return custom(name, &vendor, &rest) || known(item, name);
}

/* The value of the tag's type, as the registry has it; KMIP_ANY takes all. */
static bool fits(uint32_t tag, const struct kmip_node *value)
{
    const struct kmip_tag_row *row = kmip_tag(tag);

    return row && (row->type == KMIP_ANY || row->type == value->type);
}

/* A vendor's attribute; value NULL: its name alone. */
static klm_rc custom_in(struct kmop_item *item, struct klm_slice vendor, struct klm_slice name,
                        const struct kmip_node *value, const struct kmip_node **out)
{
    struct klm_pool *pool = item->msg->pool;
    struct kmip_node *made = NULL;

    if (value) {
        KLM_TRY(md_vendor_attr(pool, vendor, name, value, &made));
    } else {
        made = kmip_root(pool, KMIP_TAG_Attribute);
        kmip_put_bytes(pool, made, KMIP_TAG_VendorIdentification, KMIP_TEXT, vendor);
        if (!kmip_put_bytes(pool, made, KMIP_TAG_AttributeName, KMIP_TEXT, name)) {
            return KLM_E_NOMEM;
        }
    }
    *out = made;
    return KLM_OK;
}

static klm_rc named_in(struct kmop_item *item, struct klm_slice name, const struct kmip_node *value,
                       const struct kmip_node **out)
{
    const struct kmip_attr_row *row = known(item, name);
    struct klm_slice vendor, rest;
    struct kmip_node *copy = NULL;

    if (custom(name, &vendor, &rest)) {
        return custom_in(item, vendor, rest, value, out);
    }
    if (!row || !fits(row->tag, value)) {
        return bad_attribute(item, name);
    }
    KLM_TRY(md_item_copy(value, item->msg->pool, &copy));
    copy->tag = row->tag;
    copy->next = NULL;
    *out = copy;
    return KLM_OK;
}

static klm_rc attr1_in(struct kmop_item *item, const struct kmip_node *in,
                       const struct kmip_node **out, int64_t *index)
{
    const struct kmip_node *name = kmip_child(in, KMIP_TAG_AttributeName);
    const struct kmip_node *value = kmip_child(in, KMIP_TAG_AttributeValue);

    if (in->tag != KMIP_TAG_Attribute || !name || name->type != KMIP_TEXT) {
        return kmop_bad_field(item, KMIP_TAG_AttributeName);
    }
    *index = -1;
    KLM_TRY(kmop_number(item, in, KMIP_TAG_AttributeIndex, index));
    if (!value) {
        return kmop_bad_field(item, KMIP_TAG_AttributeValue);
    }
    return named_in(item, name->bytes, value, out);
}

static bool vendor_ok(const struct kmip_node *in, bool with_value)
{
    const struct kmip_node *vendor = kmip_child(in, KMIP_TAG_VendorIdentification);
    const struct kmip_node *name = kmip_child(in, KMIP_TAG_AttributeName);

    return vendor && vendor->type == KMIP_TEXT && name && name->type == KMIP_TEXT &&
           (!with_value || kmip_child(in, KMIP_TAG_AttributeValue));
}

static klm_rc attr2_in(struct kmop_item *item, const struct kmip_node *in,
                       const struct kmip_node **out)
{
    const struct kmip_attr_row *row = kmip_attr(in->tag);
    const struct kmip_tag_row *tag = kmip_tag(in->tag);

    if (in->tag == KMIP_TAG_Attribute) {
        if (!vendor_ok(in, true)) {
            return kmop_bad_field(item, KMIP_TAG_Attribute);
        }
        return custom_in(item, kmip_child(in, KMIP_TAG_VendorIdentification)->bytes,
                         kmip_child(in, KMIP_TAG_AttributeName)->bytes,
                         kmip_child(in, KMIP_TAG_AttributeValue), out);
    }
    if (!row || item->msg->version < row->since || item->msg->version > row->until ||
        !fits(in->tag, in)) {
        return bad_attribute(item, klm_slice_str(tag ? tag->name : "of an unknown tag"));
    }
    *out = in;
    return KLM_OK;
}

klm_rc kmop_attr_in(struct kmop_item *item, const struct kmip_node *in,
                    const struct kmip_node **out, int64_t *index)
{
    *index = -1;
    return v2(item) ? attr2_in(item, in, out) : attr1_in(item, in, out, index);
}

/* Template names of a Template-Attribute: Name structures beside the attributes. */
static klm_rc template_in(struct kmop_item *item, const struct kmip_node *in, const char **list,
                          size_t *n)
{
    const char *name = NULL;

    KLM_TRY(kmop_text(item, in, KMIP_TAG_NameValue, &name));
    if (!name || *n == TEMPLATES_MAX) {
        return kmop_bad_field(item, KMIP_TAG_Name);
    }
    list[(*n)++] = name;
    return KLM_OK;
}

static klm_rc attrs1_in(struct kmop_item *item, const struct kmip_node *in, struct md_attrs *out,
                        const char *const **templates)
{
    const char **list = klm_pool_alloc(item->msg->pool, (TEMPLATES_MAX + 1) * sizeof *list);
    const struct kmip_node *value;
    int64_t index;
    size_t n = 0;

    if (!list) {
        return KLM_E_NOMEM;
    }
    for (const struct kmip_node *child = in->first; child; child = child->next) {
        if (child->tag == KMIP_TAG_Name) {
            KLM_TRY(template_in(item, child, list, &n));
        } else {
            KLM_TRY(attr1_in(item, child, &value, &index));
            KLM_TRY(md_attr_add(out, value));
        }
    }
    if (templates && n) {
        *templates = list;
    }
    return n && !templates ? kmop_bad_field(item, KMIP_TAG_TemplateAttribute) : KLM_OK;
}

klm_rc kmop_attrs_in(struct kmop_item *item, const struct kmip_node *in, struct md_attrs *out,
                     const char *const **templates)
{
    const struct kmip_node *value;

    md_attrs_init(out, item->call->pool);
    if (!in) {
        return KLM_OK;
    }
    if (in->type != KMIP_STRUCTURE) {
        return kmop_bad_field(item, in->tag);
    }
    if (!v2(item)) {
        return attrs1_in(item, in, out, templates);
    }
    for (const struct kmip_node *child = in->first; child; child = child->next) {
        KLM_TRY(attr2_in(item, child, &value));
        KLM_TRY(md_attr_add(out, value));
    }
    return KLM_OK;
}

/* ---- Names alone */

static klm_rc name1_in(struct kmop_item *item, const struct kmip_node *in,
                       const struct kmip_node **out)
{
    const struct kmip_attr_row *row;
    struct klm_slice vendor, rest;

    if (in->type != KMIP_TEXT) {
        return kmop_bad_field(item, KMIP_TAG_AttributeName);
    }
    if (custom(in->bytes, &vendor, &rest)) {
        return custom_in(item, vendor, rest, NULL, out);
    }
    row = known(item, in->bytes);
    if (!row) {
        return bad_attribute(item, in->bytes);
    }
    *out = kmip_item(item->msg->pool, NULL, row->tag, KMIP_STRUCTURE);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

/* KMIP 2.1, 7.5: Attribute Reference is an enumeration of a tag, or the structure that names a vendor's. */
static klm_rc name2_in(struct kmop_item *item, const struct kmip_node *in,
                       const struct kmip_node **out)
{
    const struct kmip_attr_row *row;

    if (in->type == KMIP_STRUCTURE) {
        return vendor_ok(in, false)
                   ? custom_in(item, kmip_child(in, KMIP_TAG_VendorIdentification)->bytes,
                               kmip_child(in, KMIP_TAG_AttributeName)->bytes, NULL, out)
                   : kmop_bad_field(item, KMIP_TAG_AttributeReference);
    }
    if (in->type != KMIP_ENUMERATION) {
        return kmop_bad_field(item, KMIP_TAG_AttributeReference);
    }
    row = kmip_attr((uint32_t)in->number);
    if (!row || item->msg->version < row->since || item->msg->version > row->until) {
        const struct kmip_tag_row *tag = kmip_tag((uint32_t)in->number);

        return bad_attribute(item, klm_slice_str(tag ? tag->name : "of an unknown tag"));
    }
    *out = kmip_item(item->msg->pool, NULL, row->tag, KMIP_STRUCTURE);
    return *out ? KLM_OK : KLM_E_NOMEM;
}

klm_rc kmop_attr_name_in(struct kmop_item *item, const struct kmip_node *in,
                         const struct kmip_node **out)
{
    return v2(item) && in->tag != KMIP_TAG_AttributeName ? name2_in(item, in, out)
                                                         : name1_in(item, in, out);
}

/* ---- Out */

/* The name that 1.x has for an attribute; NULL: none, since only x and y are vendors there. */
static const char *name1(const struct kmop_item *item, const struct md_attr *attr)
{
    const struct kmip_attr_row *row = kmip_attr(attr->tag);
    const struct kmip_node *vendor, *name;

    if (attr->tag != KMIP_TAG_Attribute) {
        return row && item->msg->version >= row->since && item->msg->version <= row->until
                   ? row->name
                   : NULL;
    }
    vendor = kmip_child(attr->value, KMIP_TAG_VendorIdentification);
    name = kmip_child(attr->value, KMIP_TAG_AttributeName);
    if (!vendor || !name || vendor->bytes.n != 1 ||
        (vendor->bytes.p[0] != 'x' && vendor->bytes.p[0] != 'y')) {
        return NULL;
    }
    return klm_pool_printf(item->msg->pool, "%c-%.*s", vendor->bytes.p[0], (int)name->bytes.n,
                           (const char *)name->bytes.p);
}

/* An enumeration that came with a later version would be left out of the answer, and leave an attribute without its value behind. */
static bool value_known(const struct kmop_item *item, const struct kmip_node *value)
{
    const enum kmip_enum set = kmip_values_of(value, NULL);

    return value->type != KMIP_ENUMERATION || set == KMIP_E_NONE ||
           !kmip_tag_known(value->tag, item->msg->version) ||
           kmip_value_known(set, (uint32_t)value->number, item->msg->version);
}

static bool values_known(const struct kmop_item *item, const struct kmip_node *value)
{
    const struct kmip_node *field = value->type == KMIP_STRUCTURE ? value->first : NULL;

    while (field && value_known(item, field)) {
        field = field->next;
    }
    return !field && value_known(item, value);
}

bool kmop_attr_known(const struct kmop_item *item, const struct md_attr *attr)
{
    const struct kmip_attr_row *row = kmip_attr(attr->tag);

    if (attr->tag != KMIP_TAG_Attribute && !values_known(item, attr->value)) {
        return false;
    }
    if (!v2(item)) {
        return name1(item, attr) != NULL;
    }
    return attr->tag == KMIP_TAG_Attribute ||
           (row && item->msg->version >= row->since && item->msg->version <= row->until);
}

static klm_rc attr1_out(struct kmop_item *item, const struct md_attr *attr,
                        struct kmip_node *parent)
{
    struct klm_pool *pool = item->msg->pool;
    const char *name = name1(item, attr);
    struct kmip_node *to, *value = NULL;

    if (!name || !kmop_attr_known(item, attr)) {
        return KLM_OK;
    }
    to = kmip_structure(pool, parent, KMIP_TAG_Attribute);
    KLM_TRY(kmop_put_text(item, to, KMIP_TAG_AttributeName, name));
    if (attr->index > 0) {
        kmip_put_number(pool, to, KMIP_TAG_AttributeIndex, KMIP_INTEGER, attr->index);
    }
    KLM_TRY(md_item_copy(attr->tag == KMIP_TAG_Attribute
                             ? kmip_child(attr->value, KMIP_TAG_AttributeValue)
                             : attr->value,
                         pool, &value));
    value->tag = KMIP_TAG_AttributeValue;
    value->next = NULL;
    kmip_append(to, value);
    return KLM_OK;
}

/* KMIP 2.1, 11.25: of the formats of curves one is left. What is in it is the same, so is a digest over it. */
static void name_format(const struct kmop_item *item, struct kmip_node *node)
{
    if (node->type == KMIP_STRUCTURE) {
        for (node = node->first; node; node = node->next) {
            name_format(item, node);
        }
    } else if (node->tag == KMIP_TAG_KeyFormatType) {
        node->number = km_format_known((uint32_t)node->number, item->msg->version);
    }
}

klm_rc kmop_attr_out(struct kmop_item *item, const struct md_attr *attr, struct kmip_node *parent)
{
    struct kmip_node *copy = NULL;

    if (!v2(item)) {
        return attr1_out(item, attr, parent);
    }
    if (!kmop_attr_known(item, attr)) {
        return KLM_OK;
    }
    KLM_TRY(md_item_copy(attr->value, item->msg->pool, &copy));
    copy->next = NULL;
    name_format(item, copy);
    kmip_append(parent, copy);
    return KLM_OK;
}

klm_rc kmop_attr_name_out(struct kmop_item *item, const struct md_attr *attr,
                          struct kmip_node *parent)
{
    struct klm_pool *pool = item->msg->pool;
    struct kmip_node *to;
    const char *name;

    if (!kmop_attr_known(item, attr)) {
        return KLM_OK;
    }
    if (!v2(item)) {
        name = name1(item, attr);
        return kmop_put_text(item, parent, KMIP_TAG_AttributeName, name);
    }
    if (attr->tag != KMIP_TAG_Attribute) {
        to =
            kmip_put_number(pool, parent, KMIP_TAG_AttributeReference, KMIP_ENUMERATION, attr->tag);
        return to ? KLM_OK : KLM_E_NOMEM;
    }
    to = kmip_structure(pool, parent, KMIP_TAG_AttributeReference);
    kmip_put_bytes(pool, to, KMIP_TAG_VendorIdentification, KMIP_TEXT,
                   kmip_child(attr->value, KMIP_TAG_VendorIdentification)->bytes);
    return kmip_put_bytes(pool, to, KMIP_TAG_AttributeName, KMIP_TEXT,
                          kmip_child(attr->value, KMIP_TAG_AttributeName)->bytes)
               ? KLM_OK
               : KLM_E_NOMEM;
}
