/* TTLV: the examples of the specification, round trips, and refusals. */
#include "codec_help.h"

/* KMIP 1.4, 9.1.2: an example of each type. */
static const struct {
    const char *digits;
    enum kmip_type type;
    int64_t number;
    const char *bytes; /* of strings, in digits */
} examples[] = {
    {"420020 02 00000004 00000008 00000000", KMIP_INTEGER, 8, NULL},
    {"420020 03 00000008 01B69B4BA5749200", KMIP_LONG_INTEGER, 123456789000000000, NULL},
    {"420020 04 00000010 0000000003FD35EB6BC2DF4618080000", KMIP_BIG_INTEGER, 0,
     "0000000003FD35EB6BC2DF4618080000"},
    {"420020 05 00000004 000000FF 00000000", KMIP_ENUMERATION, 255, NULL},
    {"420020 06 00000008 0000000000000001", KMIP_BOOLEAN, 1, NULL},
    {"420020 07 0000000B 48656C6C6F20576F 726C640000000000", KMIP_TEXT, 0,
     "48656C6C6F20576F726C64"},
    {"420020 08 00000003 0102030000000000", KMIP_BYTES, 0, "010203"},
    {"420020 09 00000008 0000000047DA67F8", KMIP_DATE_TIME, 1205495800, NULL},
    {"420020 0A 00000004 000D2F00 00000000", KMIP_INTERVAL, 864000, NULL},
};

TEST(the_examples_of_the_specification_are_read_and_written)
{
    help_new();
    for (size_t i = 0; i < KLM_COUNT(examples); i++) {
        struct kmip_node *node = help_tree(examples[i].digits);
        struct klm_slice whole = help_bytes(examples[i].digits);
        char *digits = klm_pool_alloc(help_pool, whole.n * 2 + 1);

        CHECK_INT(node->tag, 0x420020);
        CHECK_INT(node->type, examples[i].type);
        if (examples[i].bytes) {
            CHECK(klm_slice_equal(node->bytes, help_bytes(examples[i].bytes)));
        } else {
            CHECK_INT(node->number, examples[i].number);
        }
        klm_hex_upper(whole.p, whole.n, digits);
        CHECK_STR(help_digits(node, KMIP_V_ANY), digits);
    }
    help_done();
}

TEST(the_structure_of_the_specification_is_read_and_written)
{
    struct kmip_node *node;

    help_new();
    node = help_tree("420020 01 00000020 420004 05 00000004 000000FE 00000000 420005 02 00000004 "
                     "000000FF 00000000");
    REQUIRE(node->type == KMIP_STRUCTURE && node->first && node->first->next);
    CHECK_INT(node->first->number, 254);
    CHECK_INT(node->last->number, 255);
    CHECK(node->last == node->first->next && !node->last->next);
    CHECK(kmip_child(node, 0x420005) == node->last);
    CHECK(kmip_child(node, 0x420006) == NULL);
    CHECK_STR(help_digits(node, KMIP_V_ANY),
              "42002001000000204200040500000004000000FE000000004200050200000004000000FF00000000");
    help_done();
}

TEST(negative_numbers_and_the_highest_ones_come_back)
{
    help_new();
    CHECK_INT(help_tree("420020 02 00000004 FFFFFFFF 00000000")->number, -1);
    CHECK_INT(help_tree("420020 05 00000004 FFFFFFFF 00000000")->number, 0xFFFFFFFF);
    CHECK_INT(help_tree("420020 0A 00000004 FFFFFFFF 00000000")->number, 0xFFFFFFFF);
    CHECK_INT(help_tree("420020 03 00000008 FFFFFFFFFFFFFFFE")->number, -2);
    CHECK_INT(help_tree("420020 09 00000008 FFFFFFFFFFFFFFFF")->number, -1);
    help_done();
}

static klm_rc decode(const char *digits)
{
    struct kmip_node *node = NULL;
    klm_rc rc = kmip_ttlv_decode(help_bytes(digits), NULL, help_pool, &node);

    CHECK((rc == KLM_OK) == (node != NULL));
    return rc;
}

TEST(what_is_not_ttlv_is_refused)
{
    static const struct {
        const char *digits;
        klm_rc rc;
    } bad[] = {
        {"", KLM_E_SHORT},
        {"420020 02 000000", KLM_E_SHORT},
        {"420020 02 00000004 00000008 000000", KLM_E_SHORT},        /* padding cut */
        {"420020 02 00000004 00000008 00000001", KLM_E_INVALID},    /* padding not zero */
        {"420020 02 00000004 00000008 00000000 00", KLM_E_INVALID}, /* one byte too many */
        {"420020 02 00000008 0000000800000000", KLM_E_INVALID},     /* length of another type */
        {"420020 02 00000000", KLM_E_INVALID},
        {"420020 06 00000008 0000000000000002", KLM_E_INVALID}, /* neither false nor true */
        {"420020 06 00000004 00000001 00000000", KLM_E_INVALID},
        {"420020 04 00000000", KLM_E_INVALID}, /* a Big Integer has a byte at least */
        {"420020 04 00000004 00000001 00000000", KLM_E_INVALID},
        {"420020 07 00000002 C328 000000000000", KLM_E_INVALID}, /* not UTF-8 */
        {"420020 07 00000002 4100 000000000000", KLM_E_INVALID}, /* NUL in a text */
        {"420020 00 00000000", KLM_E_INVALID},                   /* no type */
        {"420020 0C 00000000", KLM_E_INVALID},
        {"430020 02 00000004 00000008 00000000", KLM_E_INVALID}, /* no tag */
        {"420020 08 FFFFFFFF 00", KLM_E_SHORT},
        {"420020 01 00000010 420020 08 00000009 0000000000000000", KLM_E_SHORT},
    };

    help_new();
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(decode(bad[i].digits), bad[i].rc);
    }
    help_done();
}

/* A child that is longer than what is left of its parent, by 1 to 8 bytes, though the message has that many. */
TEST(a_length_beyond_the_structure_around_it_is_refused)
{
    char digits[128];

    help_new();
    for (unsigned more = 1; more <= 8; more++) {
        snprintf(digits, sizeof digits,
                 "420020 01 00000010 420021 08 %08X 0102030405060708 420022 08 00000000", 8 + more);
        CHECK_RC(decode(digits), KLM_E_SHORT);
    }
    help_done();
}

/* A message of n Structures in each other. */
static struct klm_slice nested(size_t n)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, KMIP_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        klm_buf_u32(&buf, 0x42002001);
        klm_buf_u32(&buf, (uint32_t)(8 * (n - 1 - i)));
    }
    REQUIRE_OK(klm_pool_slice(help_pool, klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

TEST(depth_items_and_bytes_have_limits)
{
    struct kmip_node *node = NULL;

    help_new();
    REQUIRE_OK(kmip_ttlv_decode(nested(KMIP_DEPTH_MAX), NULL, help_pool, &node));
    CHECK_RC(kmip_ttlv_decode(nested(KMIP_DEPTH_MAX + 1), NULL, help_pool, &node), KLM_E_LIMIT);
    CHECK_RC(kmip_ttlv_decode(nested(3), &(struct kmip_limits){.items = 2}, help_pool, &node),
             KLM_E_LIMIT);
    CHECK_RC(kmip_ttlv_decode(nested(3), &(struct kmip_limits){.depth = 2}, help_pool, &node),
             KLM_E_LIMIT);
    CHECK_RC(kmip_ttlv_decode(nested(3), &(struct kmip_limits){.bytes = 23}, help_pool, &node),
             KLM_E_LIMIT);
    REQUIRE_OK(kmip_ttlv_decode(nested(3), &(struct kmip_limits){.bytes = 24}, help_pool, &node));
    help_done();
}

TEST(the_head_of_a_message_tells_how_much_to_read)
{
    struct klm_slice head;
    size_t size = 1;

    help_new();
    head = help_bytes("420078 01 00000120");
    REQUIRE_OK(kmip_ttlv_size(head, NULL, &size));
    CHECK_INT(size, 0x128);
    CHECK_RC(kmip_ttlv_size(KLM_SLICE(head.p, 7), NULL, &size), KLM_E_AGAIN);
    CHECK_RC(kmip_ttlv_size(help_bytes("420078 01 FFFFFFF8"), NULL, &size), KLM_E_LIMIT);
    CHECK_RC(kmip_ttlv_size(head, &(struct kmip_limits){.bytes = 0x127}, &size), KLM_E_LIMIT);
    CHECK_RC(kmip_ttlv_size(help_bytes("420078 02 00000004"), NULL, &size), KLM_E_INVALID);
    CHECK_RC(kmip_ttlv_size(help_bytes("160301 00 00000120"), NULL, &size), KLM_E_INVALID);
    CHECK_RC(kmip_ttlv_size(help_bytes("420078 01 00000121"), NULL, &size), KLM_E_INVALID);
    CHECK_INT(size, 0x128);
    help_done();
}

TEST(what_a_version_does_not_know_is_not_written)
{
    struct kmip_node *payload, *attribute;

    help_new();
    payload = kmip_root(help_pool, KMIP_TAG_ResponsePayload);
    kmip_put_number(help_pool, payload, KMIP_TAG_Operation, KMIP_ENUMERATION,
                    KMIP_Operation_Create);
    kmip_put_number(help_pool, payload, KMIP_TAG_Operation, KMIP_ENUMERATION,
                    KMIP_Operation_Encrypt); /* 1.2 */
    kmip_put_number(help_pool, payload, KMIP_TAG_Operation, KMIP_ENUMERATION,
                    0x80000001); /* an extension */
    attribute = kmip_structure(help_pool, payload, KMIP_TAG_Attribute);
    kmip_put_bytes(help_pool, attribute, KMIP_TAG_AttributeName, KMIP_TEXT,
                   klm_slice_str("Fresh")); /* 1.1 */
    kmip_put_number(help_pool, attribute, KMIP_TAG_AttributeValue, KMIP_BOOLEAN, 1);
    kmip_put_number(help_pool, payload, KMIP_TAG_LocatedItems, KMIP_INTEGER, 1); /* 1.3 */
    CHECK_STR(help_digits(payload, KMIP_V(1, 0)),
              "42007C010000002042005C0500000004000000010000000042005C05000000048000000100000000");
    CHECK(strstr(help_digits(payload, KMIP_V(1, 1)), "4672657368") != NULL);
    CHECK(strstr(help_digits(payload, KMIP_V(1, 1)), "4200D5") == NULL);
    CHECK(strstr(help_digits(payload, KMIP_V(1, 3)), "4200D5") != NULL);
    CHECK(strstr(help_digits(payload, KMIP_V(1, 2)), "0000001F") != NULL);
    help_done();
}

TEST(the_version_of_a_message_stands_in_its_header)
{
    int version = 0;

    help_new();
    REQUIRE_OK(kmip_version_of(help_tree("420078 01 00000030 420077 01 00000028 " HELP_VERSION),
                               &version));
    CHECK_INT(version, KMIP_V(1, 4));
    REQUIRE_OK(kmip_version_of(help_tree("42007B 01 00000030 42007A 01 00000028 " HELP_VERSION),
                               &version));
    CHECK_RC(kmip_version_of(help_tree("420078 01 00000008 420077 01 00000000"), &version),
             KLM_E_INVALID);
    CHECK_RC(kmip_version_of(help_tree("420078 01 00000000"), &version), KLM_E_INVALID);
    help_done();
}

TEST(a_run_of_puts_without_memory_ends_in_null)
{
    struct kmip_node *root, *made;

    help_new();
    root = kmip_root(help_pool, KMIP_TAG_ResponsePayload);
    made = kmip_structure(help_pool, NULL, KMIP_TAG_Attribute);
    CHECK(made == NULL);
    CHECK(kmip_put_number(help_pool, made, KMIP_TAG_BatchCount, KMIP_INTEGER, 1) == NULL);
    CHECK(kmip_put_bytes(help_pool, made, KMIP_TAG_AttributeName, KMIP_TEXT, klm_slice_str("x")) ==
          NULL);
    CHECK(root->first == NULL);
    CHECK(kmip_child(NULL, KMIP_TAG_Attribute) == NULL);
    help_done();
}

TEST(the_next_item_of_the_same_tag_is_found)
{
    struct kmip_node *root;
    const struct kmip_node *item;

    help_new();
    root = kmip_root(help_pool, KMIP_TAG_ResponsePayload);
    kmip_put_number(help_pool, root, KMIP_TAG_ObjectType, KMIP_ENUMERATION, 1);
    kmip_put_number(help_pool, root, KMIP_TAG_BatchCount, KMIP_INTEGER, 9);
    kmip_put_number(help_pool, root, KMIP_TAG_ObjectType, KMIP_ENUMERATION, 2);
    item = kmip_child(root, KMIP_TAG_ObjectType);
    CHECK_INT(item->number, 1);
    item = kmip_next(item);
    REQUIRE(item != NULL);
    CHECK_INT(item->number, 2);
    CHECK(kmip_next(item) == NULL);
    help_done();
}
