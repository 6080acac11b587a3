/* Making trees and finding things in them. */
#include "kmip/codec/node.h"

#include <string.h>

struct kmip_limits kmip_limits_of(const struct kmip_limits *limits)
{
    struct kmip_limits out = limits ? *limits : (struct kmip_limits){0};

    out.bytes = out.bytes ? out.bytes : KMIP_BYTES_MAX;
    out.depth = out.depth ? out.depth : KMIP_DEPTH_MAX;
    out.items = out.items ? out.items : KMIP_ITEMS_MAX;
    return out;
}

struct kmip_node *kmip_item(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag,
                            enum kmip_type type)
{
    struct kmip_node *node = klm_pool_alloc(pool, sizeof *node);

    if (!node) {
        return NULL;
    }
    node->tag = tag;
    node->type = type;
    if (parent && parent->last) {
        parent->last = parent->last->next = node;
    } else if (parent) {
        parent->first = parent->last = node;
    }
    return node;
}

void kmip_append(struct kmip_node *parent, struct kmip_node *child)
{
    if (!parent || !child) {
        return;
    }
    if (parent->last) {
        parent->last->next = child;
    } else {
        parent->first = child;
    }
    parent->last = child;
}

struct kmip_node *kmip_root(struct klm_pool *pool, uint32_t tag)
{
    return kmip_item(pool, NULL, tag, KMIP_STRUCTURE);
}

struct kmip_node *kmip_structure(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag)
{
    return parent ? kmip_item(pool, parent, tag, KMIP_STRUCTURE) : NULL;
}

struct kmip_node *kmip_put_number(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag,
                                  enum kmip_type type, int64_t number)
{
    struct kmip_node *node = parent ? kmip_item(pool, parent, tag, type) : NULL;

    if (node) {
        node->number = number;
    }
    return node;
}

struct kmip_node *kmip_put_bytes(struct klm_pool *pool, struct kmip_node *parent, uint32_t tag,
                                 enum kmip_type type, struct klm_slice bytes)
{
    struct kmip_node *node = parent ? kmip_item(pool, parent, tag, type) : NULL;

    if (node) {
        node->bytes = bytes;
    }
    return node;
}

bool kmip_tag_ok(uint32_t tag)
{
    return tag >> 16 == 0x42 || tag >> 16 == 0x54;
}

static const struct kmip_node *with_tag(const struct kmip_node *node, uint32_t tag)
{
    while (node && node->tag != tag) {
        node = node->next;
    }
    return node;
}

const struct kmip_node *kmip_child(const struct kmip_node *parent, uint32_t tag)
{
    return parent && parent->type == KMIP_STRUCTURE ? with_tag(parent->first, tag) : NULL;
}

const struct kmip_node *kmip_next(const struct kmip_node *node)
{
    return with_tag(node->next, node->tag);
}

static bool has_bytes(enum kmip_type type)
{
    return type == KMIP_TEXT || type == KMIP_BYTES || type == KMIP_BIG_INTEGER;
}

/* As deep as the limits of the decoders let a tree be. */
bool kmip_equal(const struct kmip_node *a, const struct kmip_node *b)
{
    if (!a || !b || a->tag != b->tag || a->type != b->type) {
        return a == b;
    }
    if (a->type != KMIP_STRUCTURE) {
        return has_bytes(a->type) ? klm_slice_equal(a->bytes, b->bytes) : a->number == b->number;
    }
    for (a = a->first, b = b->first; a && b; a = a->next, b = b->next) {
        if (!kmip_equal(a, b)) {
            return false;
        }
    }
    return a == b;
}

enum kmip_enum kmip_values_of(const struct kmip_node *node, const struct kmip_node *parent)
{
    const struct kmip_tag_row *tag = kmip_tag(node->tag);
    const struct kmip_node *name;
    const struct kmip_attr_row *attr;

    if (node->tag != KMIP_TAG_AttributeValue) {
        return tag ? tag->values : KMIP_E_NONE;
    }
    name = kmip_child(parent, KMIP_TAG_AttributeName);
    attr = name && name->type == KMIP_TEXT ? kmip_attr_find(name->bytes) : NULL;
    return attr ? kmip_tag(attr->tag)->values : KMIP_E_NONE;
}

static klm_rc version_part(const struct kmip_node *version, uint32_t tag, int *out)
{
    const struct kmip_node *part = kmip_child(version, tag);

    if (!part || part->type != KMIP_INTEGER || part->number < 0 || part->number > 15) {
        return KLM_E_INVALID;
    }
    *out = (int)part->number;
    return KLM_OK;
}

klm_rc kmip_version_of(const struct kmip_node *message, int *version)
{
    const struct kmip_node *header = kmip_child(message, KMIP_TAG_RequestHeader);
    const struct kmip_node *shown;
    int major, minor;

    header = header ? header : kmip_child(message, KMIP_TAG_ResponseHeader);
    shown = kmip_child(header, KMIP_TAG_ProtocolVersion);
    KLM_TRY(version_part(shown, KMIP_TAG_ProtocolVersionMajor, &major));
    KLM_TRY(version_part(shown, KMIP_TAG_ProtocolVersionMinor, &minor));
    *version = KMIP_V(major, minor);
    return KLM_OK;
}
