/* JSON to trees with jansson, whose own tree is wiped as it is freed (wiping.h). */
#include "kmip/codec/json.h"
#include "kmip/codec/text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct reader {
    struct klm_pool *pool;
    struct kmip_limits left; /* depth and items that may still come */
};

static bool known_keys(json_t *object)
{
    static const char *const known[] = {"tag", "name", "type", "value"};
    size_t found = 0;

    for (size_t i = 0; i < KLM_COUNT(known); i++) {
        found += json_object_get(object, known[i]) != NULL;
    }
    return found == json_object_size(object);
}

static const char *string_of(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool counts(enum kmip_type type)
{
    return type == KMIP_INTEGER || type == KMIP_LONG_INTEGER || type == KMIP_INTERVAL ||
           type == KMIP_ENUMERATION || type == KMIP_DATE_TIME || type == KMIP_DATE_TIME_EXTENDED;
}

/* A number, true or false, or the text that stands for a value. */
static klm_rc read_value(struct reader *r, json_t *value, struct kmip_node *node,
                         const struct kmip_node *parent)
{
    char digits[24];

    if (json_is_boolean(value)) {
        node->number = json_is_true(value);
        return node->type == KMIP_BOOLEAN ? KLM_OK : KLM_E_INVALID;
    }
    if (json_is_integer(value)) {
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return counts(node->type) ? kmip_number_parse(node->type, digits, &node->number)
                                  : KLM_E_INVALID;
    }
    if (!json_is_string(value) || json_string_length(value) != strlen(json_string_value(value))) {
        return KLM_E_INVALID;
    }
    return kmip_value_parse(r->pool, node, parent, json_string_value(value));
}

static klm_rc read_item(struct reader *r, json_t *in, struct kmip_node *parent,
                        struct kmip_node **out);

static klm_rc read_items(struct reader *r, json_t *items, struct kmip_node *parent)
{
    struct kmip_node *item;

    if (!json_is_array(items)) {
        return KLM_E_INVALID;
    }
    if (r->left.depth == 0) {
        return KLM_E_LIMIT;
    }
    r->left.depth--;
    for (size_t i = 0; i < json_array_size(items); i++) {
        KLM_TRY(read_item(r, json_array_get(items, i), parent, &item));
    }
    r->left.depth++;
    return KLM_OK;
}

static klm_rc read_item(struct reader *r, json_t *in, struct kmip_node *parent,
                        struct kmip_node **out)
{
    const char *tag_name = string_of(in, "tag"), *type_name = string_of(in, "type");
    const struct kmip_type_row *type = kmip_type_find(type_name ? type_name : "Structure");
    json_t *value = json_object_get(in, "value");
    uint32_t tag;

    if (!json_is_object(in) || !known_keys(in) || !tag_name || !type || !value ||
        (!type_name && json_object_get(in, "type"))) {
        return KLM_E_INVALID;
    }
    KLM_TRY(kmip_tag_parse(tag_name, &tag));
    if (r->left.items == 0) {
        return KLM_E_LIMIT;
    }
    r->left.items--;
    *out = kmip_item(r->pool, parent, tag, type->type);
    if (!*out) {
        return KLM_E_NOMEM;
    }
    return type->type == KMIP_STRUCTURE ? read_items(r, value, *out)
                                        : read_value(r, value, *out, parent);
}

klm_rc kmip_json_decode(struct klm_slice in, const struct kmip_limits *limits,
                        struct klm_pool *pool, struct kmip_node **out)
{
    struct reader r = {.pool = pool, .left = kmip_limits_of(limits)};
    struct kmip_node *node = NULL;
    json_error_t error;
    json_t *root;
    klm_rc rc;

    if (in.n > r.left.bytes) {
        return KLM_E_LIMIT;
    }
    root = json_loadb((const char *)in.p, in.n, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        return json_error_code(&error) == json_error_out_of_memory ? KLM_E_NOMEM : KLM_E_INVALID;
    }
    rc = read_item(&r, root, NULL, &node);
    json_decref(root);
    if (rc == KLM_OK) {
        *out = node;
    }
    return rc;
}
