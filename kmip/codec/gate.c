/* Which items a version knows. */
#include "kmip/codec/gate.h"

static bool attribute_known(const struct kmip_node *attribute, int version)
{
    const struct kmip_node *name = kmip_child(attribute, KMIP_TAG_AttributeName);
    const struct kmip_attr_row *row =
        name && name->type == KMIP_TEXT ? kmip_attr_find(name->bytes) : NULL;

    return !row || (version >= row->since && version <= row->until);
}

static bool value_known(const struct kmip_node *node, const struct kmip_node *parent, int version)
{
    enum kmip_enum set = kmip_values_of(node, parent);

    return set == KMIP_E_NONE || kmip_value_known(set, (uint32_t)node->number, version);
}

bool kmip_gate(const struct kmip_node *node, const struct kmip_node *parent, int version)
{
    if (version == KMIP_V_ANY) {
        return true;
    }
    if (!kmip_tag_known(node->tag, version)) {
        return false;
    }
    if (node->type == KMIP_ENUMERATION) {
        return value_known(node, parent, version);
    }
    return node->tag != KMIP_TAG_Attribute || attribute_known(node, version);
}
