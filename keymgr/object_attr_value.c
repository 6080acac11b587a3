/* What values of attributes have to be like, beyond the type that the registry names. A row of the table is a field of a structure that has to be there. */
#include "keymgr/internal.h"
#include "keymgr/object.h"

static const struct {
    uint32_t attr, field;
} needed[] = {
    {KMIP_TAG_Name, KMIP_TAG_NameValue}, /* KMIP 2.1, 4.32 */
    {KMIP_TAG_Name, KMIP_TAG_NameType},
    {KMIP_TAG_AlternativeName, KMIP_TAG_AlternativeNameValue}, /* 4.2 */
    {KMIP_TAG_AlternativeName, KMIP_TAG_AlternativeNameType},
    {KMIP_TAG_ApplicationSpecificInformation, KMIP_TAG_ApplicationNamespace}, /* 4.4 */
    {KMIP_TAG_KeyValueLocation, KMIP_TAG_KeyValueLocationValue},              /* 4.27 */
    {KMIP_TAG_KeyValueLocation, KMIP_TAG_KeyValueLocationType},
    {KMIP_TAG_Link, KMIP_TAG_LinkType}, /* 4.31 */
    {KMIP_TAG_Link, KMIP_TAG_LinkedObjectIdentifier},
    {KMIP_TAG_RotateName, KMIP_TAG_RotateNameValue}, /* 4.53 */
    {KMIP_TAG_RotateName, KMIP_TAG_RotateNameType},
    {KMIP_TAG_UsageLimits, KMIP_TAG_UsageLimitsTotal}, /* 4.59 */
    {KMIP_TAG_UsageLimits, KMIP_TAG_UsageLimitsUnit},
};

static bool empty(const struct kmip_node *field)
{
    return field->type == KMIP_TEXT && field->bytes.n == 0;
}

/* An enumeration that the version knows: a number it has, or an extension. */
static bool value_known(const struct kmip_node *node, int version)
{
    const struct kmip_tag_row *row = kmip_tag(node->tag);

    if (node->type != KMIP_ENUMERATION || !row || row->values == KMIP_E_NONE) {
        return true;
    }
    return (node->number & 0x80000000) != 0 ||
           (kmip_value_name(row->values, (uint32_t)node->number) &&
            kmip_value_known(row->values, (uint32_t)node->number, version));
}

static bool field_fits(const struct kmip_node *field, int version)
{
    const struct kmip_tag_row *row = kmip_tag(field->tag);

    return (!row || row->type == KMIP_ANY || row->type == field->type) &&
           value_known(field, version);
}

static bool fields_fit(const struct kmip_node *value, int version)
{
    const struct kmip_node *field;

    for (size_t i = 0; i < KLM_COUNT(needed); i++) {
        if (needed[i].attr == value->tag) {
            field = kmip_child(value, needed[i].field);
            if (!field || empty(field)) {
                return false;
            }
        }
    }
    for (field = value->first; field; field = field->next) {
        if (!field_fits(field, version)) {
            return false;
        }
    }
    return true;
}

/* KMIP 1.4, 3.39: if a structure, then it SHALL NOT include sub structures; 2.1, 4.60: a vendor is [A-Za-z0-9_.]. */
static bool vendor_fits(const struct kmip_node *value, int version)
{
    const struct klm_slice vendor = kmip_child(value, KMIP_TAG_VendorIdentification)->bytes;
    const struct klm_slice name = kmip_child(value, KMIP_TAG_AttributeName)->bytes;
    const struct kmip_node *in = kmip_child(value, KMIP_TAG_AttributeValue);

    for (size_t i = 0; i < vendor.n; i++) {
        const uint8_t c = vendor.p[i];

        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            c != '_' && c != '.') {
            return false;
        }
    }
    if (version < KMIP_V(2, 0) && in->type == KMIP_STRUCTURE) {
        for (in = in->first; in; in = in->next) {
            if (in->type == KMIP_STRUCTURE) {
                return false;
            }
        }
    }
    return vendor.n > 0 && name.n > 0;
}

/* KMIP 2.1, 4.4: Application Data that is left out is made by servers that know how, for namespaces that Query lists; this one lists none. */
static klm_rc check_namespace(struct km_call *call, const struct kmip_node *value)
{
    const struct kmip_node *space = kmip_child(value, KMIP_TAG_ApplicationNamespace);

    return kmip_child(value, KMIP_TAG_ApplicationData)
               ? KLM_OK
               : KM_REFUSE(call, KLM_E_UNSUPPORTED, 0, KLM_MSG_ATTR_NAMESPACE,
                           klm_pool_strn(call->pool, (const char *)space->bytes.p, space->bytes.n));
}

static bool fits(const struct kmip_node *value, int version)
{
    if (value->tag == KMIP_TAG_Attribute) {
        return vendor_fits(value, version);
    }
    if (value->type == KMIP_STRUCTURE) {
        return fields_fit(value, version) &&
               (value->tag != KMIP_TAG_UsageLimits ||
                kmip_child(value, KMIP_TAG_UsageLimitsTotal)->number >= 0);
    }
    return value_known(value, version);
}

klm_rc km_attr_value_check(struct km_call *call, const struct kmip_node *value, int version)
{
    if (!fits(value, version)) {
        return KM_REFUSE(call, KLM_E_INVALID, 0, KLM_MSG_ATTR_VALUE, km_attr_name(call, value));
    }
    return value->tag == KMIP_TAG_ApplicationSpecificInformation ? check_namespace(call, value)
                                                                 : KLM_OK;
}

/* KMIP 2.1, 4.59: a client gives Total and Unit; Count is the server's, and all of Total at first. */
klm_rc km_usage_limits(struct klm_pool *pool, const struct kmip_node *given,
                       const struct kmip_node **out)
{
    struct kmip_node *limits = kmip_root(pool, KMIP_TAG_UsageLimits);
    const int64_t total = kmip_child(given, KMIP_TAG_UsageLimitsTotal)->number;

    kmip_put_number(pool, limits, KMIP_TAG_UsageLimitsTotal, KMIP_LONG_INTEGER, total);
    kmip_put_number(pool, limits, KMIP_TAG_UsageLimitsCount, KMIP_LONG_INTEGER, total);
    if (!kmip_put_number(pool, limits, KMIP_TAG_UsageLimitsUnit, KMIP_ENUMERATION,
                         kmip_child(given, KMIP_TAG_UsageLimitsUnit)->number)) {
        return KLM_E_NOMEM;
    }
    *out = limits;
    return KLM_OK;
}

const char *km_attr_name(struct km_call *call, const struct kmip_node *value)
{
    const struct kmip_attr_row *row = kmip_attr(value->tag);
    const struct kmip_node *vendor = kmip_child(value, KMIP_TAG_VendorIdentification);
    const struct kmip_node *name = kmip_child(value, KMIP_TAG_AttributeName);

    if (row || !vendor || !name) {
        return row ? row->name : "of an unknown tag";
    }
    return klm_pool_printf(call->pool, "%.*s-%.*s", (int)vendor->bytes.n,
                           (const char *)vendor->bytes.p, (int)name->bytes.n,
                           (const char *)name->bytes.p);
}
