/* The tables of KMIP: their order, and looking things up by code and by name. */
#include "kmip/registry/registry.h"

#include "test.h"

static const struct kmip_tag_row all_tags[] = {
#define KMIP_TAG(name, code, since, until, type, values)                                           \
    {code, #name, since, until, KMIP_##type, KMIP_E_##values},
#include "kmip/registry/tags.def"
#undef KMIP_TAG
};

TEST(tags_stand_in_the_order_of_their_codes_and_each_is_found_by_code_and_by_name)
{
    for (size_t i = 0; i < KLM_COUNT(all_tags); i++) {
        const struct kmip_tag_row *by_code = kmip_tag(all_tags[i].code);

        CHECK(i == 0 || all_tags[i - 1].code < all_tags[i].code);
        CHECK(all_tags[i].code >> 16 == 0x42);
        REQUIRE(by_code != NULL);
        CHECK_STR(by_code->name, all_tags[i].name);
        CHECK(kmip_tag_find(all_tags[i].name) == by_code);
    }
    CHECK(kmip_tag(0x420000) == NULL);
    CHECK(kmip_tag(0x54A001) == NULL);
    CHECK(kmip_tag_find("NoSuchTag") == NULL);
    CHECK(kmip_tag_find("") == NULL);
}

static const struct {
    enum kmip_enum set;
    uint32_t code;
    bool alias;
    const char *name;
} all_values[] = {
#define KMIP_ENUM(name)
#define KMIP_MASK(name)
#define KMIP_VALUE(set, name, code, since) {KMIP_E_##set, code, false, #name},
#define KMIP_ALIAS(set, name, code, since) {KMIP_E_##set, code, true, #name},
#include "kmip/registry/enums.def"
#undef KMIP_ENUM
#undef KMIP_MASK
#undef KMIP_VALUE
#undef KMIP_ALIAS
};

TEST(values_stand_in_the_order_of_their_codes_and_each_name_is_read_and_one_is_written)
{
    for (size_t i = 0; i < KLM_COUNT(all_values); i++) {
        const char *written = kmip_value_name(all_values[i].set, all_values[i].code);
        uint32_t code = 0;

        if (i > 0 && all_values[i - 1].set == all_values[i].set) {
            CHECK(all_values[i - 1].code + !all_values[i].alias <= all_values[i].code);
        } else {
            CHECK(i == 0 || all_values[i - 1].set < all_values[i].set);
        }
        REQUIRE_OK(kmip_value_find(all_values[i].set, all_values[i].name, &code));
        CHECK_INT(code, all_values[i].code);
        REQUIRE(written != NULL);
        CHECK((strcmp(written, all_values[i].name) == 0) == !all_values[i].alias);
    }
}

TEST(a_value_of_another_set_or_none_is_not_found)
{
    uint32_t code = 7;

    CHECK_RC(kmip_value_find(KMIP_E_Operation, "AES", &code), KLM_E_NOTFOUND);
    CHECK_RC(kmip_value_find(KMIP_E_NONE, "AES", &code), KLM_E_NOTFOUND);
    CHECK_RC(kmip_value_find(KMIP_E_WrappingMethod, "", &code), KLM_E_NOTFOUND);
    CHECK_INT(code, 7);
    CHECK(kmip_value_name(KMIP_E_Operation, 0) == NULL);
    CHECK(kmip_value_name(KMIP_E_Operation, 0x80000001) == NULL);
    CHECK(kmip_value_name(KMIP_E_NONE, 1) == NULL);
}

/* Figures of KMIP 1.4, 9.1.3.2.27, 9.1.3.2.13, 9.1.3.3.1 and 2.1, 11.17. */
TEST(codes_are_those_of_the_specification)
{
    CHECK_INT(KMIP_Operation_DiscoverVersions, 0x1E);
    CHECK_INT(KMIP_Operation_Import, 0x2A);
    CHECK_INT(KMIP_CryptographicAlgorithm_AES, 3);
    CHECK_INT(KMIP_CryptographicUsageMask_WrapKey, 0x10);
    CHECK_INT(KMIP_TAG_RequestMessage, 0x420078);
    CHECK_INT(KMIP_TAG_UniqueIdentifier, 0x420094);
    CHECK_INT(KMIP_TAG_Attributes, 0x420125);
    CHECK(kmip_is_mask(KMIP_E_CryptographicUsageMask));
    CHECK(!kmip_is_mask(KMIP_E_Operation));
    CHECK(!kmip_is_mask(KMIP_E_NONE));
}

TEST(a_reference_to_an_attribute_is_the_tag_of_that_name)
{
    uint32_t code = 0;

    REQUIRE_OK(kmip_value_find(KMIP_E_TAG, "CryptographicLength", &code));
    CHECK_INT(code, KMIP_TAG_CryptographicLength);
    CHECK_STR(kmip_value_name(KMIP_E_TAG, KMIP_TAG_State), "State");
    CHECK_RC(kmip_value_find(KMIP_E_TAG, "Nothing", &code), KLM_E_NOTFOUND);
}

TEST(versions_know_what_came_with_or_before_them_and_was_not_taken_away)
{
    CHECK(kmip_tag_known(KMIP_TAG_Operation, KMIP_V(1, 0)));
    CHECK(!kmip_tag_known(KMIP_TAG_AlternativeName, KMIP_V(1, 1)));
    CHECK(kmip_tag_known(KMIP_TAG_AlternativeName, KMIP_V(1, 2)));
    CHECK(!kmip_tag_known(KMIP_TAG_Attributes, KMIP_V(1, 4)));
    CHECK(kmip_tag_known(KMIP_TAG_Attributes, KMIP_V(2, 0)));
    CHECK(kmip_tag_known(KMIP_TAG_TemplateAttribute, KMIP_V(1, 4)));
    CHECK(!kmip_tag_known(KMIP_TAG_TemplateAttribute, KMIP_V(2, 0)));
    CHECK(kmip_tag_known(0x54A001, KMIP_V(1, 0)));
    CHECK(!kmip_value_known(KMIP_E_Operation, KMIP_Operation_Encrypt, KMIP_V(1, 1)));
    CHECK(kmip_value_known(KMIP_E_Operation, KMIP_Operation_Encrypt, KMIP_V(1, 2)));
    /* KMIP 1.0, 9.1.3.2.5; the others came with 1.2 */
    CHECK(kmip_value_known(KMIP_E_RecommendedCurve, KMIP_RecommendedCurve_P_192, KMIP_V(1, 0)));
    CHECK(kmip_value_known(KMIP_E_RecommendedCurve, KMIP_RecommendedCurve_B_571, KMIP_V(1, 0)));
    CHECK(
        !kmip_value_known(KMIP_E_RecommendedCurve, KMIP_RecommendedCurve_SECP112R1, KMIP_V(1, 1)));
    CHECK(kmip_value_known(KMIP_E_Operation, 0x80000001, KMIP_V(1, 0)));
    CHECK(!kmip_value_known(KMIP_E_TAG, KMIP_TAG_Attributes, KMIP_V(1, 4)));
}

TEST(types_are_found_by_code_and_by_name)
{
    for (uint32_t code = 1; code <= 0x0B; code++) {
        REQUIRE(kmip_type(code) != NULL);
        CHECK_INT(kmip_type(code)->type, code);
        CHECK(kmip_type_find(kmip_type(code)->name) == kmip_type(code));
    }
    CHECK(kmip_type(0) == NULL);
    CHECK(kmip_type(0x0C) == NULL);
    CHECK(kmip_type_find("Text") == NULL);
}

TEST(attributes_are_found_by_tag_and_by_the_name_of_1_x)
{
    size_t n = 0;
    const struct kmip_attr_row *all = kmip_attrs(&n);

    CHECK(n >= 60);
    for (size_t i = 0; i < n; i++) {
        CHECK(kmip_attr(all[i].tag) == &all[i]);
        CHECK(kmip_attr_find(klm_slice_str(all[i].name)) == &all[i]);
        CHECK(all[i].since >= kmip_tag(all[i].tag)->since);
        CHECK(all[i].objects != 0);
        CHECK(all[i].flags & (KMIP_A_SERVER_SETS | KMIP_A_CLIENT_SETS));
    }
    CHECK(kmip_attr(KMIP_TAG_Operation) == NULL);
    CHECK(kmip_attr_find(klm_slice_str("x-ID")) == NULL);
    CHECK(kmip_attr_find(klm_slice_str("name")) == NULL);
}

/* KMIP 1.4, 3.24 (State), 3.26 (Activation Date), 3.21 (Usage Limits), 3.2 (Name), 3.18 (Operation Policy Name). */
TEST(rules_of_attributes_are_those_of_the_specification)
{
    const struct kmip_attr_row *state = kmip_attr(KMIP_TAG_State);
    const struct kmip_attr_row *activation = kmip_attr(KMIP_TAG_ActivationDate);

    CHECK_INT(state->flags, KMIP_A_ALWAYS | KMIP_A_SERVER_SETS);
    CHECK_INT(state->client_changes, KMIP_WHEN_NO);
    CHECK(state->set_on & KMIP_ON_REVOKE);
    CHECK(!(state->objects & KMIP_FOR_OPAQUE));
    CHECK_INT(activation->client_changes, KMIP_WHEN_PREACTIVE);
    CHECK_INT(activation->client_deletes, KMIP_WHEN_NO);
    CHECK_INT(kmip_attr(KMIP_TAG_UsageLimits)->client_changes, KMIP_WHEN_UNALLOCATED);
    CHECK(kmip_attr(KMIP_TAG_Name)->flags & KMIP_A_MULTI);
    CHECK(kmip_attr(KMIP_TAG_ObjectType)->objects & KMIP_FOR(KMIP_ObjectType_OpaqueObject));
    CHECK_INT(kmip_attr(KMIP_TAG_OperationPolicyName)->until, KMIP_V(1, 4));
}
