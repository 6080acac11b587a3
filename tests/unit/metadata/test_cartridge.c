/* What keys of tape libraries say of their cartridges. */
#include "object_help.h"

#include "metadata/cartridge.h"

#define KAD "123456789ABCDEF123456789123456789ABCDEF123456789ABCDEF1234000000"

static struct kmip_node *information(const char *name_space, const char *data)
{
    struct kmip_node *node = help_structure(KMIP_TAG_ApplicationSpecificInformation);

    help_text(node, KMIP_TAG_ApplicationNamespace, name_space);
    if (data) {
        help_text(node, KMIP_TAG_ApplicationData, data);
    }
    return node;
}

static struct kmip_node *alternative(const char *text, int64_t type)
{
    return help_pair(KMIP_TAG_AlternativeName, KMIP_TAG_AlternativeNameValue, text,
                     KMIP_TAG_AlternativeNameType, type);
}
#define TEXT KMIP_AlternativeNameType_UninterpretedTextString

static void add(struct md_object *object, const struct kmip_node *value)
{
    REQUIRE_OK(md_attr_add(&object->attrs, value));
}

/* Of a key with a namespace, data (NULL: no such attribute), a barcode as Alternative Name and one as x-Barcode (NULL: none). */
static bool facts(const char *name_space, const char *data, const char *alternative_name,
                  const char *x_barcode, struct md_cartridge *out)
{
    struct md_object key = help_key("LTO", "a key", KMIP_State_PreActive);

    if (name_space) {
        add(&key, information(name_space, data));
    }
    if (alternative_name) {
        add(&key, alternative(alternative_name, TEXT));
    }
    if (x_barcode) {
        add(&key, help_vendor("x", "Barcode", x_barcode));
    }
    return md_cartridge(&key, out);
}

TEST(namespaces_of_libraries_are_known_with_vendor_and_number)
{
    static const struct {
        const char *name;
        bool known;
    } rows[] = {
        {"LIBRARY-LTO", true},
        {"LIBRARY-LTO4", true},
        {"LIBRARY-LTO7", true},
        {"LIBRARY-LTO10", true},
        {"ACME-LIBRARY-LTO", true},
        {"A-B-LIBRARY-LTO4", true},
        {"ACME-LIBRARY-LTO9", true},
        {"-LIBRARY-LTO", false},
        {"ACMELIBRARY-LTO", false},
        {"LIBRARY-LTO-4", false},
        {"LIBRARY-LTOX", false},
        {"library-lto", false},
        {"LIBRARY", false},
        {"LTO", false},
        {"", false},
        {"7", false},
        {"ssl", false},
        {"LIBRARY-LTO ", false},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct md_cartridge got;
        bool known = facts(rows[i].name, KAD, NULL, NULL, &got);

        test_int(known, rows[i].known, rows[i].name, __FILE__, __LINE__);
        CHECK_STR(got.dki, rows[i].known ? KAD : "");
        CHECK_STR(got.volser, "");
    }
    help_pool_done();
}

TEST(a_key_identifier_is_whole_bytes_in_hexadecimal_of_its_generation)
{
    char text[190];
    struct md_cartridge got;
    static const struct {
        const char *name;
        size_t n;
        bool taken;
    } rows[] = {{"LIBRARY-LTO4", 88, true},  {"LIBRARY-LTO4", 90, false},
                {"LIBRARY-LTO", 184, true},  {"LIBRARY-LTO", 186, false},
                {"LIBRARY-LTO6", 184, true}, {"LIBRARY-LTO5", 23, false},
                {"LIBRARY-LTO5", 2, true},   {"LIBRARY-LTO5", 0, false}};

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        memset(text, 'A', rows[i].n);
        text[rows[i].n] = '\0';
        CHECK(facts(rows[i].name, text, NULL, NULL, &got));
        CHECK_STR(got.dki, rows[i].taken ? text : "");
    }
    CHECK(facts("LIBRARY-LTO", "00zz", NULL, NULL, &got));
    CHECK_STR(got.dki, "");
    CHECK(facts("LIBRARY-LTO", NULL, NULL, NULL, &got));
    CHECK_STR(got.dki, "");
    CHECK(facts("LIBRARY-LTO", "00aB", NULL, NULL, &got));
    CHECK_STR(got.dki, "00aB");
    help_pool_done();
}

TEST(a_barcode_is_a_volume_serial_with_or_without_media_type)
{
    static const struct {
        const char *barcode, *volser;
    } rows[] = {{"XXA012A1", "XXA012"},
                {"xxa012L7", "XXA012"},
                {"XXA012", "XXA012"},
                {"A1", "A1"},
                {"", NULL},
                {"XXA012L", NULL},
                {"XXA0123L7", NULL},
                {"XXA 12L7", NULL},
                {"XXA012L ", NULL},
                {"XX_012", NULL},
                {"XXA012\xC3\xBC", NULL}};

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        char volser[7] = "kept";
        klm_rc rc = md_barcode_volser(klm_slice_str(rows[i].barcode), volser);

        test_rc(rc, rows[i].volser ? KLM_OK : KLM_E_INVALID, rows[i].barcode, __FILE__, __LINE__,
                false);
        CHECK_STR(volser, rows[i].volser ? rows[i].volser : "kept");
    }
    char volser[7];
    CHECK_RC(md_barcode_volser(KLM_SLICE("XX\0012L7", 8), volser), KLM_E_INVALID);
}

TEST(the_barcode_of_the_profile_counts_before_that_of_old_clients)
{
    struct md_cartridge got;

    CHECK(facts("LIBRARY-LTO", KAD, "AAA001L7", "BBB001L7", &got));
    CHECK_STR(got.volser, "AAA001");
    CHECK_STR(got.dki, KAD);
    CHECK(facts("LIBRARY-LTO", KAD, "a name of another kind", "BBB001L7", &got));
    CHECK_STR(got.volser, "BBB001");
    /* Any key may have an Alternative Name; x-Barcode is for nothing else. */
    CHECK(!facts(NULL, NULL, "AAA001L7", NULL, &got));
    CHECK_STR(got.volser, "");
    CHECK(!facts("ssl", "www.example.com", "AAA001L7", NULL, &got));
    CHECK(facts(NULL, NULL, "AAA001L7", "BBB001L7", &got));
    CHECK_STR(got.volser, "BBB001");
    CHECK_STR(got.dki, "");
    CHECK(!facts(NULL, NULL, NULL, "no barcode at all", &got));
    help_pool_done();
}

TEST(only_texts_of_symmetric_keys_name_cartridges)
{
    struct md_object key = help_key("LTO", "k", KMIP_State_PreActive);
    struct md_object secret = help_object("u", KMIP_ObjectType_SecretData, "LTO");
    struct kmip_node *number = NULL;
    struct md_cartridge got;

    add(&secret, information("LIBRARY-LTO", KAD));
    add(&secret, help_vendor("x", "Barcode", "BBB001L7"));
    CHECK(!md_cartridge(&secret, &got));
    add(&key, alternative("AAA001", KMIP_AlternativeNameType_URI));
    add(&key, help_vendor("y", "Barcode", "BBB001"));
    add(&key, help_vendor("x", "barcode", "BBB001"));
    REQUIRE_OK(md_vendor_attr(help_pool(), klm_slice_str("x"), klm_slice_str("Barcode"),
                              help_number(NULL, KMIP_TAG_AttributeValue, KMIP_INTEGER, 7),
                              &number));
    add(&key, number);
    CHECK(!md_cartridge(&key, &got));
    add(&key, information("ssl", "00"));
    add(&key, information("LIBRARY-LTO", "0102"));
    add(&key, information("LIBRARY-LTO", "0304"));
    CHECK(md_cartridge(&key, &got));
    CHECK_STR(got.dki, "0102");
    CHECK_STR(got.volser, "");
    add(&key, help_vendor("x", "Barcode", "BBB001"));
    CHECK(md_cartridge(&key, &got));
    CHECK_STR(got.volser, "BBB001");
    help_pool_done();
}
