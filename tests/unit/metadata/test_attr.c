/* Lists of attributes: instances, their indexes, and what counts as the same attribute. */
#include "object_help.h"

static struct md_attrs fresh(void)
{
    struct md_attrs attrs;

    md_attrs_init(&attrs, help_pool());
    return attrs;
}

static const char *name_of(const struct md_attr *attr)
{
    const struct kmip_node *value = attr ? kmip_child(attr->value, KMIP_TAG_NameValue) : NULL;

    return value ? klm_pool_strn(help_pool(), (const char *)value->bytes.p, value->bytes.n) : "";
}

TEST(an_instance_keeps_its_index_while_others_come_and_go)
{
    struct md_attrs attrs = fresh();

    REQUIRE_OK(md_attr_add(&attrs, help_name("a")));
    REQUIRE_OK(md_attr_set_number(&attrs, KMIP_TAG_State, KMIP_State_Active));
    REQUIRE_OK(md_attr_add(&attrs, help_name("b")));
    REQUIRE_OK(md_attr_add(&attrs, help_name("c")));
    md_attr_remove(&attrs, md_attr_indexed(&attrs, help_name(""), 1));
    CHECK_INT(attrs.n, 3);
    CHECK_STR(name_of(md_attr_indexed(&attrs, help_name(""), 0)), "a");
    CHECK(!md_attr_indexed(&attrs, help_name(""), 1));
    CHECK_STR(name_of(md_attr_indexed(&attrs, help_name(""), 2)), "c");
    REQUIRE_OK(md_attr_add(&attrs, help_name("d")));
    CHECK_STR(name_of(md_attr_indexed(&attrs, help_name(""), 3)), "d");
    REQUIRE_OK(md_attr_replace(&attrs, md_attr_indexed(&attrs, help_name(""), 2), help_name("e")));
    CHECK_STR(name_of(md_attr_indexed(&attrs, help_name(""), 2)), "e");
    CHECK_INT(md_attr_find(&attrs, KMIP_TAG_State)->index, 0);
    md_attr_remove_all(&attrs, KMIP_TAG_Name);
    CHECK_INT(attrs.n, 1);
    CHECK(!md_attr_find(&attrs, KMIP_TAG_Name));
    REQUIRE_OK(md_attr_add(&attrs, help_name("f")));
    CHECK_INT(md_attr_find(&attrs, KMIP_TAG_Name)->index, 0);
    help_pool_done();
}

TEST(vendors_attributes_are_told_apart_by_vendor_and_name)
{
    struct md_attrs attrs = fresh();
    const struct md_attr *attr;

    REQUIRE_OK(md_attr_add(&attrs, help_vendor("x", "ID", "one")));
    REQUIRE_OK(md_attr_add(&attrs, help_vendor("y", "ID", "two")));
    REQUIRE_OK(md_attr_add(&attrs, help_vendor("x", "Other", "three")));
    REQUIRE_OK(md_attr_add(&attrs, help_vendor("x", "ID", "four")));
    attr = md_attr_like(&attrs, help_vendor("x", "ID", ""));
    REQUIRE(attr != NULL);
    CHECK(kmip_equal(attr->value, help_vendor("x", "ID", "one")));
    CHECK_INT(attr->index, 0);
    attr = md_attr_next_like(&attrs, attr);
    REQUIRE(attr != NULL);
    CHECK(kmip_equal(attr->value, help_vendor("x", "ID", "four")));
    CHECK_INT(attr->index, 1);
    CHECK(!md_attr_next_like(&attrs, attr));
    CHECK(!md_attr_like(&attrs, help_vendor("z", "ID", "one")));
    CHECK(md_attr_equal(&attrs, help_vendor("y", "ID", "two")) == &attrs.at[1]);
    CHECK(!md_attr_equal(&attrs, help_vendor("y", "ID", "one")));
    CHECK(md_attr_same(attrs.at[0].value, attrs.at[3].value));
    CHECK(!md_attr_same(attrs.at[0].value, attrs.at[1].value));
    CHECK(!md_attr_same(attrs.at[0].value, attrs.at[2].value));
    CHECK(!md_attr_same(attrs.at[0].value, help_name("ID")));
    REQUIRE_OK(md_attr_set(&attrs, help_vendor("x", "Other", "five")));
    CHECK(md_attr_equal(&attrs, help_vendor("x", "Other", "five")) == &attrs.at[2]);
    CHECK_INT(attrs.n, 4);
    help_pool_done();
}

TEST(a_vendors_attribute_has_its_three_parts_in_order)
{
    const struct kmip_node *attr = help_vendor("acme", "Volume", "VOL001"), *part = attr->first;

    CHECK_INT(attr->tag, KMIP_TAG_Attribute);
    CHECK_INT(part->tag, KMIP_TAG_VendorIdentification);
    CHECK_MEM(part->bytes.p, "acme", 4);
    part = part->next;
    CHECK_INT(part->tag, KMIP_TAG_AttributeName);
    CHECK_MEM(part->bytes.p, "Volume", 6);
    part = part->next;
    CHECK_INT(part->tag, KMIP_TAG_AttributeValue);
    CHECK_MEM(part->bytes.p, "VOL001", 6);
    CHECK(!part->next);
    help_pool_done();
}

TEST(a_vendors_attribute_of_something_that_is_no_value_is_refused)
{
    struct kmip_node *out = NULL;

    CHECK_RC(
        md_vendor_attr(help_pool(), klm_slice_str("x"), klm_slice_str("y"), help_name("z"), &out),
        KLM_E_INVALID);
    CHECK_RC(md_vendor_attr(help_pool(), klm_slice_str("x"), klm_slice_str("y"), NULL, &out),
             KLM_E_NOMEM);
    CHECK(!out);
    help_pool_done();
}

TEST(numbers_and_texts_get_the_type_that_the_registry_has_for_the_tag)
{
    struct md_attrs attrs = fresh();

    REQUIRE_OK(md_attr_set_number(&attrs, KMIP_TAG_State, KMIP_State_PreActive));
    CHECK_INT(md_attr_find(&attrs, KMIP_TAG_State)->value->type, KMIP_ENUMERATION);
    REQUIRE_OK(md_attr_set_number(&attrs, KMIP_TAG_State, KMIP_State_Active));
    CHECK_INT(md_attr_number(&attrs, KMIP_TAG_State, 99), KMIP_State_Active);
    CHECK_INT(attrs.n, 1);
    REQUIRE_OK(md_attr_set_number(&attrs, KMIP_TAG_ActivationDate, -5));
    CHECK_INT(md_attr_find(&attrs, KMIP_TAG_ActivationDate)->value->type, KMIP_DATE_TIME);
    REQUIRE_OK(md_attr_set_number(&attrs, KMIP_TAG_Fresh, 1));
    CHECK_INT(md_attr_find(&attrs, KMIP_TAG_Fresh)->value->type, KMIP_BOOLEAN);
    REQUIRE_OK(md_attr_set_text(&attrs, KMIP_TAG_ContactInformation, "Joe"));
    CHECK_INT(md_attr_find(&attrs, KMIP_TAG_ContactInformation)->value->type, KMIP_TEXT);
    REQUIRE_OK(md_attr_set_text(&attrs, KMIP_TAG_UniqueIdentifier, "id"));
    CHECK_INT(md_attr_number(&attrs, KMIP_TAG_ContactInformation, 7), 7);
    CHECK_INT(md_attr_number(&attrs, KMIP_TAG_LeaseTime, -1), -1);
    help_pool_done();
}

TEST(values_that_the_tag_cannot_have_are_refused)
{
    struct md_attrs attrs = fresh();

    CHECK_RC(md_attr_set_number(&attrs, KMIP_TAG_Name, 1), KLM_E_INVALID);
    CHECK_RC(md_attr_set_number(&attrs, KMIP_TAG_ContactInformation, 1), KLM_E_INVALID);
    CHECK_RC(md_attr_set_number(&attrs, 0x42FFFF, 1), KLM_E_INVALID);
    CHECK_RC(md_attr_set_number(&attrs, KMIP_TAG_Fresh, 2), KLM_E_INVALID);
    CHECK_RC(md_attr_set_number(&attrs, KMIP_TAG_State, -1), KLM_E_INVALID);
    CHECK_RC(md_attr_set_number(&attrs, KMIP_TAG_CryptographicUsageMask, INT64_C(1) << 31),
             KLM_E_INVALID);
    CHECK_RC(md_attr_set_text(&attrs, KMIP_TAG_State, "Active"), KLM_E_INVALID);
    CHECK_RC(md_attr_set_text(&attrs, KMIP_TAG_ContactInformation, "\xff"), KLM_E_INVALID);
    CHECK_RC(md_attr_add(&attrs, NULL), KLM_E_NOMEM);
    CHECK_RC(md_attr_set(&attrs, NULL), KLM_E_NOMEM);
    CHECK_INT(attrs.n, 0);
    help_pool_done();
}

TEST(a_list_has_a_limit)
{
    struct md_attrs attrs = fresh();

    for (unsigned i = 0; i < MD_ATTRS_MAX; i++) {
        char text[16];

        snprintf(text, sizeof text, "n%u", i);
        REQUIRE_OK(md_attr_add(&attrs, help_name(text)));
    }
    CHECK_RC(md_attr_add(&attrs, help_name("one more")), KLM_E_LIMIT);
    CHECK_INT(attrs.n, MD_ATTRS_MAX);
    CHECK_INT(attrs.at[MD_ATTRS_MAX - 1].index, MD_ATTRS_MAX - 1);
    attrs.n = 1;
    attrs.at[0].index = INT32_MAX; /* Attribute Index is an Integer */
    CHECK_RC(md_attr_add(&attrs, help_name("one more")), KLM_E_LIMIT);
    help_pool_done();
}

TEST(a_copy_shares_nothing_with_what_it_was_made_of)
{
    struct klm_pool *other = NULL;
    struct md_attrs attrs, copy;
    char text[] = "abc";
    struct kmip_node *value = kmip_root(help_pool(), KMIP_TAG_Name);

    kmip_put_bytes(help_pool(), value, KMIP_TAG_NameValue, KMIP_TEXT, KLM_SLICE(text, 3));
    REQUIRE_OK(klm_pool_new(0, &other));
    md_attrs_init(&attrs, other);
    REQUIRE_OK(md_attr_add(&attrs, value));
    text[0] = 'x';
    CHECK_STR(name_of(&attrs.at[0]), "abc");
    REQUIRE_OK(md_attr_add(&attrs, help_vendor("v", "n", "w")));
    attrs.at[1].index = 4;
    REQUIRE_OK(md_attrs_copy(&attrs, help_pool(), &copy));
    klm_pool_free(&other);
    CHECK_INT(copy.n, 2);
    CHECK_STR(name_of(&copy.at[0]), "abc");
    CHECK(kmip_equal(copy.at[1].value, help_vendor("v", "n", "w")));
    CHECK_INT(copy.at[1].index, 4);
    REQUIRE_OK(md_attr_add(&copy, help_name("grows"))); /* a copy is a list like others */
    CHECK_INT(copy.n, 3);
    help_pool_done();
}

TEST(copying_an_item_leaves_its_neighbours)
{
    struct kmip_node *parent = help_structure(KMIP_TAG_Attributes), *copy = NULL;

    help_number(parent, KMIP_TAG_State, KMIP_ENUMERATION, 1);
    help_text(parent, KMIP_TAG_ContactInformation, "");
    REQUIRE_OK(md_item_copy(parent->first, help_pool(), &copy));
    CHECK(!copy->next);
    REQUIRE_OK(md_item_copy(parent, help_pool(), &copy));
    CHECK(kmip_equal(parent, copy));
    CHECK_RC(md_item_copy(NULL, help_pool(), &copy), KLM_E_NOMEM);
    help_pool_done();
}

TEST(a_full_pool_is_told)
{
    struct klm_pool *small = NULL;
    struct md_attrs attrs;
    klm_rc rc = KLM_OK;

    REQUIRE_OK(klm_pool_new(4096, &small));
    md_attrs_init(&attrs, small);
    for (int i = 0; i < 200 && rc == KLM_OK; i++) {
        rc = md_attr_add(&attrs, help_name("some name"));
    }
    CHECK_INT(rc, KLM_E_NOMEM);
    CHECK_STR(name_of(&attrs.at[attrs.n - 1]), "some name"); /* what is in the list is whole */
    klm_pool_free(&small);
    help_pool_done();
}
