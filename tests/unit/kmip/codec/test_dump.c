/* Messages for people: readable, and without secrets. */
#include "codec_help.h"

#include "kmip/codec/capture.h"
#include "kmip/codec/dump.h"
#include "kmip/codec/wiping.h"
#include "kmip/codec/xml.h"

static const char *dump(const struct kmip_node *node)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, KMIP_BYTES_MAX);
    kmip_dump(node, help_pool, &buf);
    return help_string(&buf);
}

static const char *dump_xml(const char *text)
{
    struct kmip_node *node = NULL;

    REQUIRE_OK(kmip_xml_decode(klm_slice_str(text), NULL, help_pool, &node));
    return dump(node);
}

TEST(an_item_is_a_line_indented_by_its_depth)
{
    help_new();
    CHECK_STR(
        dump_xml(
            "<BatchItem><Operation type='Enumeration' value='Get'/><RequestPayload>"
            "<UniqueIdentifier type='TextString' value='a&#10;b'/></RequestPayload></BatchItem>"),
        "BatchItem\n"
        "  Operation Enumeration Get\n"
        "  RequestPayload\n"
        "    UniqueIdentifier TextString \"a.b\"\n");
    help_done();
}

TEST(secrets_are_left_out_with_what_is_inside_them)
{
    help_new();
    CHECK_STR(dump_xml("<KeyBlock><KeyFormatType type='Enumeration' value='Raw'/><KeyValue>"
                       "<KeyMaterial type='ByteString' value='00112233'/></KeyValue></KeyBlock>"),
              "KeyBlock\n  KeyFormatType Enumeration Raw\n  KeyValue ****\n");
    CHECK_STR(dump_xml("<KeyMaterial type='ByteString' value='00112233'/>"),
              "KeyMaterial ByteString **** (4 bytes)\n");
    CHECK_STR(
        dump_xml("<CredentialValue><Username type='TextString' value='u'/>"
                 "<Password type='TextString' value='pass'/></CredentialValue>"),
        "CredentialValue\n  Username TextString \"u\"\n  Password TextString **** (4 bytes)\n");
    help_done();
}

TEST(a_vendors_attribute_is_a_secret_and_a_known_one_is_not)
{
    help_new();
    CHECK(strstr(dump_xml("<Attribute><AttributeName type='TextString' value='x-pin'/>"
                          "<AttributeValue type='TextString' value='1234'/></Attribute>"),
                 "AttributeValue TextString **** (4 bytes)") != NULL);
    CHECK(strstr(dump_xml("<Attribute><AttributeName type='TextString' value='Object Group'/>"
                          "<AttributeValue type='TextString' value='1234'/></Attribute>"),
                 "AttributeValue TextString \"1234\"") != NULL);
    CHECK(strstr(dump_xml("<AttributeValue type='TextString' value='1234'/>"), "1234") == NULL);
    help_done();
}

TEST(long_bytes_are_cut_and_their_number_told)
{
    char xml[512], digits[201];

    memset(digits, 'a', 200);
    digits[200] = '\0';
    help_new();
    snprintf(xml, sizeof xml, "<CertificateValue type='ByteString' value='%s'/>", digits);
    CHECK(strstr(dump_xml(xml), "aaaa... (100 bytes)\n") != NULL);
    help_done();
}

/* Messages of a capture, one digit a message for its tag's last, or what ended it. */
static klm_rc capture(struct klm_slice in, unsigned *messages, size_t *at)
{
    struct kmip_capture c;
    struct kmip_node *node;
    struct klm_buf room;
    size_t length;
    klm_rc rc;

    klm_buf_init_wiping(&room, KMIP_BYTES_MAX);
    REQUIRE_OK(kmip_capture_open(in, &room, &c));
    do {
        rc = kmip_capture_next(&c, help_pool, &node, &length);
    } while (rc == KLM_OK);
    *messages = c.number;
    *at = c.at;
    klm_buf_done(&room);
    return rc;
}

TEST(captures_are_bytes_or_digits_or_text)
{
    static const char two[] = "42 00 78 01 00 00 00 00\n42:00:78:01-00-00-00-00\n";
    unsigned messages = 0;
    size_t at = 0;

    help_new();
    CHECK_RC(capture(klm_slice_str(two), &messages, &at), KLM_E_NOTFOUND);
    CHECK_INT(messages, 2);
    CHECK_RC(capture(klm_slice_str("0x42 0x00 0x78 0x01 0x00 0x00 0x00 0x00"), &messages, &at),
             KLM_E_NOTFOUND);
    CHECK_INT(messages, 1);
    CHECK_RC(
        capture(help_bytes("4200780100000000 4200780100000000 4200780100000000"), &messages, &at),
        KLM_E_NOTFOUND);
    CHECK_INT(messages, 3);
    CHECK_RC(capture(klm_slice_str("\n <RequestMessage/>\n"), &messages, &at), KLM_E_NOTFOUND);
    CHECK_INT(messages, 1);
    CHECK_RC(capture(klm_slice_str("{\"tag\":\"RequestMessage\",\"value\":[]}"), &messages, &at),
             KLM_E_NOTFOUND);
    CHECK_INT(messages, 1);
    CHECK_RC(capture(klm_slice_str(" \n"), &messages, &at), KLM_E_NOTFOUND);
    CHECK_INT(messages, 0);
    help_done();
}

TEST(half_a_byte_of_digits_is_refused)
{
    struct kmip_capture c;
    struct klm_buf room;

    klm_buf_init_wiping(&room, KMIP_BYTES_MAX);
    CHECK_RC(kmip_capture_open(klm_slice_str("   8"), &room, &c), KLM_E_INVALID);
    CHECK_RC(kmip_capture_open(klm_slice_str("42 0"), &room, &c), KLM_E_INVALID);
    REQUIRE_OK(kmip_capture_open(klm_slice_str(" "), &room, &c));
    klm_buf_done(&room);
}

TEST(a_bad_message_of_a_capture_is_named)
{
    unsigned messages = 0;
    size_t at = 0;

    help_new();
    CHECK_RC(capture(help_bytes("4200780100000000 4200780100000008"), &messages, &at), KLM_E_SHORT);
    CHECK_INT(messages, 2);
    CHECK_INT(at, 8);
    CHECK_RC(capture(klm_slice_str("GET / HTTP/1.1"), &messages, &at), KLM_E_INVALID);
    CHECK_INT(messages, 1);
    CHECK_INT(at, 0);
    help_done();
}

TEST(memory_is_kept_over_growth_and_shrinking)
{
    char *p = kmip_wiping_strdup("secret");

    REQUIRE(p != NULL);
    p = kmip_wiping_realloc(p, 100);
    REQUIRE(p != NULL);
    CHECK_STR(p, "secret");
    p = kmip_wiping_realloc(p, 4);
    REQUIRE(p != NULL);
    CHECK_MEM(p, "secr", 4);
    kmip_wiping_free(p);
    kmip_wiping_free(NULL);
    CHECK(kmip_wiping_malloc(SIZE_MAX) == NULL);
    p = kmip_wiping_realloc(NULL, 8);
    CHECK(p != NULL);
    kmip_wiping_free(p);
}
