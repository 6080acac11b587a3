/* XML and JSON: what the encodings' specification shows, round trips through all three, and refusals. */
#include "codec_help.h"

#include "kmip/codec/json.h"
#include "kmip/codec/xml.h"

#include <time.h>

static struct kmip_node *from_xml(const char *text)
{
    struct kmip_node *node = NULL;

    REQUIRE_OK(kmip_xml_decode(klm_slice_str(text), NULL, help_pool, &node));
    return node;
}

static struct kmip_node *from_json(const char *text)
{
    struct kmip_node *node = NULL;

    REQUIRE_OK(kmip_json_decode(klm_slice_str(text), NULL, help_pool, &node));
    return node;
}

static const char *to_xml(const struct kmip_node *node, int version)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, KMIP_BYTES_MAX);
    kmip_xml_encode(node, version, help_pool, &buf);
    return help_string(&buf);
}

static const char *to_json(const struct kmip_node *node, int version)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, KMIP_BYTES_MAX);
    kmip_json_encode(node, version, help_pool, &buf);
    return help_string(&buf);
}

/* One item in each encoding, as it is written. */
static const struct {
    const char *digits, *xml, *json;
} items[] = {
    {"42002A 02 00000004 00000100 00000000",
     "<CryptographicLength type=\"Integer\" value=\"256\"/>\n",
     "{\"tag\":\"CryptographicLength\",\"type\":\"Integer\",\"value\":256}"},
    {"42002A 02 00000004 FFFFFFFF 00000000",
     "<CryptographicLength type=\"Integer\" value=\"-1\"/>\n",
     "{\"tag\":\"CryptographicLength\",\"type\":\"Integer\",\"value\":-1}"},
    {"42002C 02 00000004 0000000C 00000000",
     "<CryptographicUsageMask type=\"Integer\" value=\"Encrypt Decrypt\"/>\n",
     "{\"tag\":\"CryptographicUsageMask\",\"type\":\"Integer\",\"value\":\"Encrypt|Decrypt\"}"},
    {"42002C 02 00000004 80000001 00000000",
     "<CryptographicUsageMask type=\"Integer\" value=\"Sign 0x80000000\"/>\n",
     "{\"tag\":\"CryptographicUsageMask\",\"type\":\"Integer\",\"value\":\"Sign|0x80000000\"}"},
    {"42002C 02 00000004 00000000 00000000",
     "<CryptographicUsageMask type=\"Integer\" value=\"0\"/>\n",
     "{\"tag\":\"CryptographicUsageMask\",\"type\":\"Integer\",\"value\":\"0\"}"},
    {"420028 05 00000004 00000003 00000000",
     "<CryptographicAlgorithm type=\"Enumeration\" value=\"AES\"/>\n",
     "{\"tag\":\"CryptographicAlgorithm\",\"type\":\"Enumeration\",\"value\":\"AES\"}"},
    {"420028 05 00000004 80000001 00000000",
     "<CryptographicAlgorithm type=\"Enumeration\" value=\"0x80000001\"/>\n",
     "{\"tag\":\"CryptographicAlgorithm\",\"type\":\"Enumeration\",\"value\":\"0x80000001\"}"},
    {"420096 03 00000008 0010000000000000",
     "<UsageLimitsCount type=\"LongInteger\" value=\"4503599627370496\"/>\n",
     "{\"tag\":\"UsageLimitsCount\",\"type\":\"LongInteger\",\"value\":4503599627370496}"},
    {"420096 03 00000008 0010000000000001",
     "<UsageLimitsCount type=\"LongInteger\" value=\"4503599627370497\"/>\n",
     "{\"tag\":\"UsageLimitsCount\",\"type\":\"LongInteger\",\"value\":\"0x0010000000000001\"}"},
    {"420052 04 00000008 FF00000000000001",
     "<Modulus type=\"BigInteger\" value=\"ff00000000000001\"/>\n",
     "{\"tag\":\"Modulus\",\"type\":\"BigInteger\",\"value\":\"0xff00000000000001\"}"},
    {"420010 06 00000008 0000000000000001", "<BatchOrderOption type=\"Boolean\" value=\"true\"/>\n",
     "{\"tag\":\"BatchOrderOption\",\"type\":\"Boolean\",\"value\":true}"},
    {"420055 07 0000000A 3C612026 2262275C 090A 000000000000",
     "<NameValue type=\"TextString\" value=\"&lt;a &amp;&quot;b'\\&#9;&#10;\"/>\n",
     "{\"tag\":\"NameValue\",\"type\":\"TextString\",\"value\":\"<a &\\\"b'\\\\\\u0009\\u000a\"}"},
    {"420055 07 00000002 C3BC 000000000000",
     "<NameValue type=\"TextString\" value=\"\xC3\xBC\"/>\n",
     "{\"tag\":\"NameValue\",\"type\":\"TextString\",\"value\":\"\xC3\xBC\"}"},
    {"420093 08 00000002 00FF 000000000000",
     "<UniqueBatchItemID type=\"ByteString\" value=\"00ff\"/>\n",
     "{\"tag\":\"UniqueBatchItemID\",\"type\":\"ByteString\",\"value\":\"00ff\"}"},
    {"420092 09 00000008 0000000047DA67F8",
     "<TimeStamp type=\"DateTime\" value=\"2008-03-14T11:56:40Z\"/>\n",
     "{\"tag\":\"TimeStamp\",\"type\":\"DateTime\",\"value\":\"2008-03-14T11:56:40Z\"}"},
    {"420092 0B 00000008 000448645CEFEE01",
     "<TimeStamp type=\"DateTimeExtended\" value=\"2008-03-14T11:56:40.000001Z\"/>\n",
     "{\"tag\":\"TimeStamp\",\"type\":\"DateTimeExtended\",\"value\":\"2008-03-14T11:56:40."
     "000001Z\"}"},
    {"420049 0A 00000004 000D2F00 00000000", "<LeaseTime type=\"Interval\" value=\"864000\"/>\n",
     "{\"tag\":\"LeaseTime\",\"type\":\"Interval\",\"value\":864000}"},
    {"54A001 02 00000004 00000007 00000000",
     "<TTLV tag=\"0x54A001\" type=\"Integer\" value=\"7\"/>\n",
     "{\"tag\":\"0x54A001\",\"type\":\"Integer\",\"value\":7}"},
    {"42013B 05 00000004 0042002A 00000000",
     "<AttributeReference type=\"Enumeration\" value=\"CryptographicLength\"/>\n",
     "{\"tag\":\"AttributeReference\",\"type\":\"Enumeration\",\"value\":\"CryptographicLength\"}"},
};

TEST(each_type_is_written_as_documented_and_read_back)
{
    help_new();
    for (size_t i = 0; i < KLM_COUNT(items); i++) {
        struct kmip_node *node = help_tree(items[i].digits);

        CHECK_STR(to_xml(node, KMIP_V_ANY), items[i].xml);
        CHECK_STR(to_json(node, KMIP_V_ANY), items[i].json);
        CHECK(kmip_equal(from_xml(items[i].xml), node));
        CHECK(kmip_equal(from_json(items[i].json), node));
    }
    help_done();
}

static const char message[] =
    "42007B 01 00000098 42007A 01 00000048 " HELP_VERSION
    " 420092 09 00000008 000000004F9A54E5 42000D 02 00000004 00000001 00000000 "
    "42000F 01 00000040 42005C 05 00000004 00000008 00000000 42007F 05 00000004 00000000 00000000 "
    "42007C 01 00000018 420008 01 00000010 42000A 07 00000005 537461746 5000000";

TEST(structures_are_nested_elements_and_arrays)
{
    struct kmip_node *node;
    const char *xml, *json;

    help_new();
    node = help_tree(message);
    xml = to_xml(node, KMIP_V(1, 4));
    json = to_json(node, KMIP_V(1, 4));
    CHECK(strncmp(xml,
                  "<ResponseMessage>\n<ResponseHeader>\n<ProtocolVersion>\n<ProtocolVersionMajor ",
                  70) == 0);
    CHECK(strstr(xml, "</ResponsePayload>\n</BatchItem>\n</ResponseMessage>\n") != NULL);
    CHECK(strncmp(json,
                  "{\"tag\":\"ResponseMessage\",\"value\":[{\"tag\":\"ResponseHeader\",\"value\":[",
                  60) == 0);
    CHECK(kmip_equal(from_xml(xml), node));
    CHECK(kmip_equal(from_json(json), node));
    help_done();
}

TEST(an_attribute_value_of_1_x_is_named_after_its_attribute)
{
    const char *xml =
        "<Attribute>\n<AttributeName type=\"TextString\" value=\"Cryptographic Usage Mask\"/>\n"
        "<AttributeValue type=\"Integer\" value=\"Encrypt Decrypt\"/>\n</Attribute>\n";
    const char *state =
        "<Attribute>\n<AttributeName type=\"TextString\" value=\"State\"/>\n"
        "<AttributeValue type=\"Enumeration\" value=\"PreActive\"/>\n</Attribute>\n";
    struct kmip_node *node;

    help_new();
    node = from_xml(xml);
    CHECK_INT(node->last->number,
              KMIP_CryptographicUsageMask_Encrypt | KMIP_CryptographicUsageMask_Decrypt);
    CHECK_STR(to_xml(node, KMIP_V(1, 0)), xml);
    CHECK(kmip_equal(from_json(to_json(node, KMIP_V_ANY)), node));
    CHECK_STR(to_xml(from_xml(state), KMIP_V(1, 0)), state);
    help_done();
}

TEST(other_spellings_that_clients_send_are_read)
{
    help_new();
    CHECK_INT(from_xml("<CryptographicLength type='Integer' value='0x00000100'/>")->number, 256);
    CHECK_INT(from_xml("<CryptographicUsageMask type='Integer' value='0x0000000C'/>")->number, 12);
    CHECK_INT(from_xml("<CryptographicUsageMask type='Integer' value='12'/>")->number, 12);
    CHECK_INT(from_xml("<MaskGenerator type='Enumeration' value='MFG1'/>")->number,
              KMIP_MaskGenerator_MGF1);
    CHECK_INT(from_xml("<ObjectType type='Enumeration' value='0x00000002'/>")->number, 2);
    CHECK_INT(from_xml("<BatchOrderOption type='Boolean' value='1'/>")->number, 1);
    CHECK_INT(from_xml("<TimeStamp type='DateTime' value='2008-03-14T13:56:40.5+02:00'/>")->number,
              1205495800);
    CHECK_INT(from_xml("<TimeStamp type='DateTime' value='2008-03-14T11:56:40'/>")->number,
              1205495800);
    CHECK_INT(from_xml("<TimeStamp type='DateTime' value='0x0000000047DA67F8'/>")->number,
              1205495800);
    CHECK_INT(
        from_json("{\"value\":\"0x0000000000000001\",\"type\":\"Boolean\",\"tag\":\"0x420010\"}")
            ->tag,
        KMIP_TAG_BatchOrderOption);
    CHECK_INT(from_json("{\"tag\":\"ObjectType\",\"type\":\"Enumeration\",\"value\":2}")->number,
              2);
    CHECK_INT(
        from_json("{\"tag\":\"0x54A001\",\"name\":\"x\",\"type\":\"Interval\",\"value\":\"0xFF\"}")
            ->number,
        255);
    help_done();
}

/* A short Big Integer is filled up with its sign to the eight bytes of TTLV. */
TEST(big_integers_are_filled_up_with_their_sign)
{
    help_new();
    CHECK(klm_slice_equal(from_xml("<Modulus type='BigInteger' value='80'/>")->bytes,
                          help_bytes("FFFFFFFFFFFFFF80")));
    CHECK(klm_slice_equal(from_xml("<Modulus type='BigInteger' value='0080'/>")->bytes,
                          help_bytes("0000000000000080")));
    help_done();
}

TEST(dates_at_the_ends_of_the_calendar_come_back)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } dates[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1969-12-31T23:59:59Z", -1},
        {"2000-02-29T12:00:00Z", 951825600},
        {"2038-01-19T03:14:08Z", 2147483648},
        {"0001-01-01T00:00:00Z", -62135596800},
        {"9999-12-31T23:59:59Z", 253402300799},
        {"0x0000003AFFF44180", 253402300800},
    };
    char xml[128];

    help_new();
    for (size_t i = 0; i < KLM_COUNT(dates); i++) {
        snprintf(xml, sizeof xml, "<TimeStamp type=\"DateTime\" value=\"%s\"/>\n", dates[i].text);
        CHECK_INT(from_xml(xml)->number, dates[i].seconds);
        CHECK_STR(to_xml(from_xml(xml), KMIP_V_ANY), xml);
    }
    help_done();
}

/* Clients write the names of a mask as either encoding has them. */
TEST(names_of_a_mask_are_apart_by_blanks_or_bars)
{
    static const char *const xml[] = {
        "<CryptographicUsageMask type='Integer' value='Encrypt Decrypt'/>",
        "<CryptographicUsageMask type='Integer' value='Encrypt|Decrypt'/>",
        "<CryptographicUsageMask type='Integer' value=' Encrypt | Decrypt '/>"};
    static const char json[] =
        "{\"tag\":\"CryptographicUsageMask\",\"type\":\"Integer\",\"value\":\"Encrypt Decrypt\"}";
    struct kmip_node *node = NULL;

    help_new();
    for (size_t i = 0; i < KLM_COUNT(xml); i++) {
        CHECK_INT(from_xml(xml[i])->number, 0x0C);
    }
    REQUIRE_OK(kmip_json_decode(klm_slice_str(json), NULL, help_pool, &node));
    CHECK_INT(node->number, 0x0C);
    help_done();
}

static void refuses_xml(const char *text, klm_rc rc)
{
    struct kmip_node *node = NULL;

    CHECK_RC(kmip_xml_decode(klm_slice_str(text), NULL, help_pool, &node), rc);
    CHECK(node == NULL);
}

TEST(xml_that_is_no_kmip_is_refused)
{
    static const char *const bad[] = {
        "",
        "x",
        "<Nothing/>",
        "<ObjectType/><ObjectType/>",
        "<RequestMessage>",
        "<RequestMessage></RequestHeader>",
        "<RequestMessage>text</RequestMessage>",
        "<RequestMessage><![CDATA[x]]></RequestMessage>",
        "<RequestMessage other='1'/>",
        "<RequestMessage value='1'/>",
        "<RequestMessage type='Structure' value=''/>",
        "<CryptographicLength type='Integer'/>",
        "<CryptographicLength type='Integer' value=''/>",
        "<CryptographicLength type='Integer' value='1 2'/>",
        "<CryptographicLength type='Integer' value='2147483648'/>",
        "<CryptographicLength type='Integer' value='0x'/>",
        "<CryptographicLength type='Integer' value='0x1FFFFFFFF'/>",
        "<CryptographicLength type='Integer' value='-'/>",
        "<CryptographicLength type='Number' value='1'/>",
        "<CryptographicLength type='Integer' value='1'><BatchCount type='Integer' "
        "value='1'/></CryptographicLength>",
        "<ObjectType type='Enumeration' value='SymmetricKy'/>",
        "<ObjectType type='Enumeration' value='-1'/>",
        "<CryptographicUsageMask type='Integer' value='Encrypt,Decrypt'/>",
        "<BatchOrderOption type='Boolean' value='2'/>",
        "<BatchOrderOption type='Boolean' value='yes'/>",
        "<UniqueBatchItemID type='ByteString' value='0'/>",
        "<UniqueBatchItemID type='ByteString' value='0g'/>",
        "<Modulus type='BigInteger' value=''/>",
        "<TimeStamp type='DateTime' value='2008-02-30T11:56:40Z'/>",
        "<TimeStamp type='DateTime' value='2008-03-14T24:00:00Z'/>",
        "<TimeStamp type='DateTime' value='2008-03-14T11:56:40.Z'/>",
        "<TimeStamp type='DateTime' value='2008-03-14T11:56:40+2:00'/>",
        "<TimeStamp type='DateTime' value='2008-03-14T11:56:40Z '/>",
        "<TTLV type='Integer' value='1'/>",
        "<TTLV tag='0x54A0011' type='Integer' value='1'/>",
        "<TTLV tag='0x550001' type='Integer' value='1'/>",
        "<TTLV tag='0x1' type='Integer' value='1'/>",
        "<BatchCount tag='0x42000D' type='Integer' value='1'/>",
        "<!DOCTYPE RequestMessage><RequestMessage/>",
        "<!DOCTYPE a [<!ENTITY b SYSTEM "
        "'file:///etc/passwd'>]><RequestMessage>&b;</RequestMessage>",
        "<NameValue type='TextString' value='&unknown;'/>",
        "<NameValue type='TextString' value='\xC3('/>",
        "\xFF\xFE<\0",
    };

    help_new();
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        refuses_xml(bad[i], KLM_E_INVALID);
    }
    help_done();
}

/* libxml2 compares each attribute with all others: what has many is refused before it, wherever it hides, and what only looks so is read. */
TEST(a_tag_with_many_attributes_is_refused_at_once)
{
    static const char *const before[] = {
        "<RequestMessage ",
        "<RequestMessage><Attribute a='>' ",
        "<!-- '\" --><RequestMessage ",
        "<!-- <a b='--><RequestMessage ",
        "<?a '?><RequestMessage ",
        "<RequestMessage></RequestMessage><a ",
        "<RequestMessage></RequestMessage ",
        "<a<",
        "< ",
    };
    static char text[1 << 20];
    struct timespec begun, ended;

    help_new();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begun);
    for (size_t i = 0; i < KLM_COUNT(before); i++) {
        size_t n = (size_t)snprintf(text, sizeof text, "%s", before[i]);

        for (unsigned k = 0; n < sizeof text - 20; k++) {
            n += (size_t)snprintf(text + n, sizeof text - n, "a%x='' ", k);
        }
        snprintf(text + n, sizeof text - n, "/>");
        refuses_xml(text, KLM_E_INVALID);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    CHECK((double)(ended.tv_sec - begun.tv_sec) < test_ms(2000) / 1000.0);
    CHECK(from_xml("<!-- <a a='' b='' c='' d='' e='' f='' g='' h='' i='' j=''> it's --><?x ' ?>"
                   "<BatchCount type='Integer' value='1'/><!-- ' -->") != NULL);
    refuses_xml("<NameValue type='TextString' value='<!x a=\"b\">'/>", KLM_E_INVALID);
    CHECK(from_xml("<NameValue type='TextString' value='a=\"b\" c=\"d\" > e=\"&lt;!f\"'/>") !=
          NULL);
    help_done();
}

TEST(json_that_is_no_kmip_is_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "7",
        "{}",
        "{\"tag\":\"RequestMessage\"}",
        "{\"tag\":\"RequestMessage\",\"value\":[]} x",
        "{\"tag\":\"RequestMessage\",\"value\":[],\"value\":[]}",
        "{\"tag\":\"RequestMessage\",\"value\":[],\"more\":1}",
        "{\"tag\":\"RequestMessage\",\"value\":7}",
        "{\"tag\":\"RequestMessage\",\"type\":7,\"value\":[]}",
        "{\"tag\":7,\"value\":[]}",
        "{\"tag\":\"RequestMessage\",\"value\":[7]}",
        "{\"tag\":\"BatchCount\",\"type\":\"Integer\",\"value\":1.5}",
        "{\"tag\":\"BatchCount\",\"type\":\"Integer\",\"value\":2147483648}",
        "{\"tag\":\"BatchCount\",\"type\":\"Integer\",\"value\":true}",
        "{\"tag\":\"BatchCount\",\"type\":\"Integer\",\"value\":null}",
        "{\"tag\":\"BatchCount\",\"type\":\"Integer\",\"value\":[]}",
        "{\"tag\":\"BatchOrderOption\",\"type\":\"Boolean\",\"value\":1}",
        "{\"tag\":\"NameValue\",\"type\":\"TextString\",\"value\":7}",
        "{\"tag\":\"NameValue\",\"type\":\"TextString\",\"value\":\"\\u0000\"}",
        "{\"tag\":\"NameValue\",\"type\":\"TextString\",\"value\":\"\\ud800\"}",
        "{\"tag\":\"CryptographicUsageMask\",\"type\":\"Integer\",\"value\":\"Encrypt,Decrypt\"}",
    };
    struct kmip_node *node = NULL;

    help_new();
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(kmip_json_decode(klm_slice_str(bad[i]), NULL, help_pool, &node), KLM_E_INVALID);
    }
    CHECK(node == NULL);
    help_done();
}

static const char *repeated(const char *before, const char *after, const char *inside, unsigned n)
{
    struct klm_buf buf;

    klm_buf_init(&buf, KMIP_BYTES_MAX);
    for (unsigned i = 0; i < n; i++) {
        klm_buf_text(&buf, before);
    }
    klm_buf_text(&buf, inside);
    for (unsigned i = 0; i < n; i++) {
        klm_buf_text(&buf, after);
    }
    return help_string(&buf);
}

/* As deep as TTLV, and not one deeper; an item without items may stand in the innermost. */
TEST(text_has_the_limits_of_ttlv)
{
    const struct kmip_limits few = {.items = 2}, small = {.bytes = 10};
    const char *count = "<BatchCount type='Integer' value='1'/>";
    struct kmip_node *node = NULL;
    const char *xml, *json;

    help_new();
    CHECK(from_xml(repeated("<Attribute>", "</Attribute>", count, KMIP_DEPTH_MAX)) != NULL);
    refuses_xml(repeated("<Attribute>", "</Attribute>", "", KMIP_DEPTH_MAX + 1), KLM_E_LIMIT);
    json = repeated("{\"tag\":\"Attribute\",\"value\":[", "]}", "", KMIP_DEPTH_MAX);
    CHECK(from_json(json) != NULL);
    json = repeated("{\"tag\":\"Attribute\",\"value\":[", "]}", "", KMIP_DEPTH_MAX + 1);
    CHECK_RC(kmip_json_decode(klm_slice_str(json), NULL, help_pool, &node), KLM_E_LIMIT);
    xml = repeated("<Attribute>", "</Attribute>", "", 3);
    json = repeated("{\"tag\":\"Attribute\",\"value\":[", "]}", "", 3);
    CHECK_RC(kmip_xml_decode(klm_slice_str(xml), &few, help_pool, &node), KLM_E_LIMIT);
    CHECK_RC(kmip_json_decode(klm_slice_str(json), &few, help_pool, &node), KLM_E_LIMIT);
    CHECK_RC(kmip_xml_decode(klm_slice_str(xml), &small, help_pool, &node), KLM_E_LIMIT);
    CHECK_RC(kmip_json_decode(klm_slice_str(json), &small, help_pool, &node), KLM_E_LIMIT);
    CHECK(node == NULL);
    help_done();
}

TEST(a_character_that_xml_cannot_hold_is_a_failure_and_json_escapes_it)
{
    static const char *const texts[] = {"420055 07 00000001 01 00000000000000",
                                        "420055 07 00000003 EFBFBE 0000000000", /* U+FFFE */
                                        "420055 07 00000005 61EFBFBF62 000000"};
    struct kmip_node *node;
    struct klm_buf buf;

    help_new();
    for (size_t i = 0; i < KLM_COUNT(texts); i++) {
        node = help_tree(texts[i]);
        klm_buf_init(&buf, KMIP_BYTES_MAX);
        kmip_xml_encode(node, KMIP_V_ANY, help_pool, &buf);
        CHECK_RC(klm_buf_rc(&buf), KLM_E_UNSUPPORTED);
        klm_buf_done(&buf);
        CHECK(kmip_equal(from_json(to_json(node, KMIP_V_ANY)), node));
    }
    help_done();
}

TEST(the_versions_gate_is_the_same_in_xml_and_json)
{
    struct kmip_node *payload;

    help_new();
    payload =
        from_xml("<ResponsePayload><LocatedItems type='Integer' value='1'/>"
                 "<QueryFunction type='Enumeration' value='QueryOperations'/></ResponsePayload>");
    CHECK(strstr(to_xml(payload, KMIP_V(1, 2)), "LocatedItems") == NULL);
    CHECK(strstr(to_json(payload, KMIP_V(1, 2)), "LocatedItems") == NULL);
    CHECK(strncmp(to_json(payload, KMIP_V(1, 2)),
                  "{\"tag\":\"ResponsePayload\",\"value\":[{\"tag\":\"QueryFunction\"", 55) == 0);
    CHECK(strstr(to_xml(payload, KMIP_V(1, 3)), "LocatedItems") != NULL);
    help_done();
}
