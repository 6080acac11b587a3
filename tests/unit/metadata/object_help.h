/* Shared by the tests of managed objects: values of attributes, and objects. */
#ifndef TESTS_UNIT_METADATA_OBJECT_HELP_H
#define TESTS_UNIT_METADATA_OBJECT_HELP_H

#include "md_help.h"

#include "metadata/object.h"

/* A pool for everything that a test makes; freed at its end. */
static struct klm_pool *help_pool_now;
static inline struct klm_pool *help_pool(void)
{
    if (!help_pool_now) {
        REQUIRE_OK(klm_pool_new(64u << 20, &help_pool_now));
    }
    return help_pool_now;
}
static inline void help_pool_done(void)
{
    klm_pool_free(&help_pool_now);
}

static inline struct kmip_node *help_number(struct kmip_node *parent, uint32_t tag,
                                            enum kmip_type type, int64_t number)
{
    struct kmip_node *node = kmip_item(help_pool(), parent, tag, type);

    REQUIRE(node != NULL);
    node->number = number;
    return node;
}

static inline struct kmip_node *help_bytes(struct kmip_node *parent, uint32_t tag,
                                           enum kmip_type type, const void *p, size_t n)
{
    struct kmip_node *node = kmip_item(help_pool(), parent, tag, type);

    REQUIRE(node != NULL);
    REQUIRE_OK(klm_pool_slice(help_pool(), KLM_SLICE(p, n), &node->bytes));
    return node;
}

static inline struct kmip_node *help_text(struct kmip_node *parent, uint32_t tag, const char *text)
{
    return help_bytes(parent, tag, KMIP_TEXT, text, strlen(text));
}

static inline struct kmip_node *help_structure(uint32_t tag)
{
    struct kmip_node *node = kmip_root(help_pool(), tag);

    REQUIRE(node != NULL);
    return node;
}

static inline struct kmip_node *help_enum(uint32_t tag, int64_t number)
{
    return help_number(NULL, tag, KMIP_ENUMERATION, number);
}

static inline struct kmip_node *help_date(uint32_t tag, int64_t seconds)
{
    return help_number(NULL, tag, KMIP_DATE_TIME, seconds);
}

/* Of a structure of a text and an enumeration: Name, Alternative Name, Link; the text NULL or the number 0: left out. */
static inline struct kmip_node *help_pair(uint32_t tag, uint32_t text_tag, const char *text,
                                          uint32_t number_tag, int64_t number)
{
    struct kmip_node *node = help_structure(tag);

    if (text) {
        help_text(node, text_tag, text);
    }
    if (number) {
        help_number(node, number_tag, KMIP_ENUMERATION, number);
    }
    return node;
}

static inline struct kmip_node *help_name(const char *text)
{
    return help_pair(KMIP_TAG_Name, KMIP_TAG_NameValue, text, KMIP_TAG_NameType,
                     KMIP_NameType_UninterpretedTextString);
}

static inline struct kmip_node *help_link(int64_t type, const char *uid)
{
    return help_pair(KMIP_TAG_Link, KMIP_TAG_LinkedObjectIdentifier, uid, KMIP_TAG_LinkType, type);
}

static inline struct kmip_node *help_vendor(const char *vendor, const char *name, const char *value)
{
    struct kmip_node *node = NULL;

    REQUIRE_OK(md_vendor_attr(help_pool(), klm_slice_str(vendor), klm_slice_str(name),
                              help_text(NULL, KMIP_TAG_AttributeValue, value), &node));
    return node;
}

static inline struct md_object help_object(const char *uid, uint32_t type, const char *group)
{
    struct md_object object = {.type = type};

    SET(object.uid, uid);
    SET(object.group, group);
    md_attrs_init(&object.attrs, help_pool());
    return object;
}

/* A key with a fresh identifier, a state and a name. */
static inline struct md_object help_key(const char *group, const char *name, uint32_t state)
{
    struct md_object object;
    char uid[MD_UID_MAX];

    REQUIRE_OK(md_uid_new(uid));
    object = help_object(uid, KMIP_ObjectType_SymmetricKey, group);
    REQUIRE_OK(md_attr_set_number(&object.attrs, KMIP_TAG_State, state));
    if (name) {
        REQUIRE_OK(md_attr_add(&object.attrs, help_name(name)));
    }
    return object;
}

static inline void help_add(struct st_store *store, const struct md_object *object)
{
    struct st_change *change = help_begin(store);

    REQUIRE_OK(md_object_add(change, object));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static inline void help_put(struct st_store *store, const struct md_object *object)
{
    struct st_change *change = help_begin(store);

    REQUIRE_OK(md_object_put(change, object));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

/* A file below the sources, in the pool. */
static inline struct klm_slice help_file(const char *path)
{
    static uint8_t bytes[65536];
    FILE *file = fopen(path, "rb");
    struct klm_slice out = {NULL, 0};
    size_t n;

    REQUIRE(file != NULL);
    n = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    REQUIRE_OK(klm_pool_slice(help_pool(), KLM_SLICE(bytes, n), &out));
    return out;
}

#endif
