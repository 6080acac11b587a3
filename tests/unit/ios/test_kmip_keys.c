/* What a storage system asks of a KMIP key server, item by item, and what it makes of answers: sound ones, refusals, and such as no key server should give. */
#include "test.h"

#include "ios/channel.h"
#include "ios/kmip_keys.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"

#include <stdio.h>
#include <string.h>

static const struct ios_keyserver server = {.id = 1, .name = "keys1", .host = "h", .port = 5696};

/* One answer, as XML in short; and the request as it came. */
struct script {
    const char *items; /* of the Response Message, behind its header */
    klm_rc rc;         /* of the way itself */
    char request[8192];
    bool again;
    unsigned asked;
};

static klm_rc play(void *arg, const struct ios_keyserver *to, const struct kmip_node *request,
                   bool again, struct klm_pool *pool, const struct kmip_node **answer, char *why)
{
    struct script *script = arg;
    struct kmip_node *root = NULL;
    struct klm_buf xml;

    CHECK(to == &server);
    script->asked++;
    script->again = again;
    klm_buf_init(&xml, sizeof script->request);
    kmip_xml_encode(request, IOS_KMIP_VERSION, pool, &xml);
    REQUIRE_OK(klm_buf_rc(&xml));
    snprintf(script->request, sizeof script->request, "%.*s", (int)xml.n, (const char *)xml.p);
    klm_buf_done(&xml);
    if (script->rc != KLM_OK) {
        snprintf(why, IOS_WHY_MAX, "the way is shut");
        return script->rc;
    }
    klm_buf_init(&xml, 1 << 16);
    klm_buf_printf(&xml, "<ResponseMessage>%s</ResponseMessage>", script->items);
    REQUIRE_OK(kmip_xml_decode(klm_buf_as_slice(&xml), NULL, pool, &root));
    klm_buf_done(&xml);
    *answer = root;
    return KLM_OK;
}

static struct script script;
static struct ios_kmip_way way = {&script, play};
static struct klm_diag diag;

static struct ios_keys_ops with(const char *items)
{
    script = (struct script){.items = items};
    diag = (struct klm_diag){0};
    return ios_kmip_keys(&way);
}

static bool asked(const char *part)
{
    if (!strstr(script.request, part)) {
        fprintf(stderr, "# no %s in %s\n", part, script.request);
        return false;
    }
    return true;
}

#define OK_ITEM(payload)                                                                           \
    "<BatchItem><ResultStatus type=\"Enumeration\" value=\"Success\"/><ResponsePayload>" payload   \
    "</ResponsePayload></BatchItem>"
#define FAILED(reason)                                                                             \
    "<BatchItem><ResultStatus type=\"Enumeration\" value=\"OperationFailed\"/>"                    \
    "<ResultReason type=\"Enumeration\" value=\"" reason "\"/>"                                    \
    "<ResultMessage type=\"TextString\" value=\"in words\"/></BatchItem>"
#define UNDONE                                                                                     \
    "<BatchItem><ResultStatus type=\"Enumeration\" value=\"OperationUndone\"/></BatchItem>"
#define UID(text) "<UniqueIdentifier type=\"TextString\" value=\"" text "\"/>"
#define T(name, value) "<" name " type=\"TextString\" value=\"" value "\"/>"
#define E(name, value) "<" name " type=\"Enumeration\" value=\"" value "\"/>"

TEST(a_key_is_found_by_its_name)
{
    char uid[IOS_KEY_UID + 1] = "kept";
    struct ios_keys_ops ops = with(OK_ITEM(UID("u-1")));

    REQUIRE_OK(ops.find(ops.arg, &server, "the name", uid, &diag));
    CHECK_STR(uid, "u-1");
    CHECK(script.again && asked("value=\"Locate\"") && asked(T("AttributeName", "Name")) &&
          asked(T("NameValue", "the name")) && asked("UninterpretedTextString"));
    CHECK(asked("<ProtocolVersionMajor type=\"Integer\" value=\"1\"/>") &&
          asked("<ProtocolVersionMinor type=\"Integer\" value=\"4\"/>") &&
          asked("<BatchCount type=\"Integer\" value=\"1\"/>"));
    CHECK(!strstr(script.request, "UniqueBatchItemID"));
    ops = with(OK_ITEM(""));
    CHECK_RC(ops.find(ops.arg, &server, "n", uid, &diag), KLM_E_NOTFOUND);
    ops = with("<BatchItem><ResultStatus type=\"Enumeration\" value=\"Success\"/></BatchItem>");
    CHECK_RC(ops.find(ops.arg, &server, "n", uid, &diag), KLM_E_NOTFOUND);
    CHECK_STR(uid, "u-1");
}

TEST(a_key_is_made_with_name_and_serial_and_never_asked_for_twice)
{
    char uid[IOS_KEY_UID + 1];
    struct ios_keys_ops ops = with(OK_ITEM(E("ObjectType", "SymmetricKey") UID("u-2")));

    REQUIRE_OK(ops.make(ops.arg, &server, "the name", "SERIAL", uid, &diag));
    CHECK_STR(uid, "u-2");
    CHECK(!script.again && asked("value=\"Create\"") && asked(T("NameValue", "the name")) &&
          asked(T("AttributeName", "x-Serial")) && asked(T("AttributeValue", "SERIAL")) &&
          asked("value=\"AES\"") && asked("<AttributeValue type=\"Integer\" value=\"256\"/>") &&
          asked("Encrypt Decrypt"));
}

TEST(an_identifier_that_cannot_be_kept_is_no_answer)
{
    static const char *const bad[] = {
        "<UniqueIdentifier type=\"TextString\" value=\"\"/>",
        UID("with blank"),
        UID("0123456789012345678901234567890123456789012345678901234567890123"
            "4"),
        UID("\xC3\xBC"),
        "<UniqueIdentifier type=\"Integer\" value=\"1\"/>",
    };
    char uid[IOS_KEY_UID + 1] = "kept", items[512];

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        struct ios_keys_ops ops;

        snprintf(items, sizeof items, OK_ITEM("%s"), bad[i]);
        ops = with(items);
        CHECK_RC(ops.make(ops.arg, &server, "n", "s", uid, &diag), KLM_E_INVALID);
        CHECK_STR(klm_msg(diag.msg)->id, "KLM2109E");
    }
    struct ios_keys_ops ops = with(OK_ITEM(""));
    CHECK_RC(ops.make(ops.arg, &server, "n", "s", uid, &diag), KLM_E_INVALID);
    CHECK_STR(uid, "kept");
}

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY(format, material, algorithm)                                                           \
    UID("u")                                                                                       \
    "<SymmetricKey><KeyBlock>" format "<KeyValue>" material "</KeyValue>" algorithm                \
    "</KeyBlock></SymmetricKey>"
#define RAW E("KeyFormatType", "Raw")
#define AES E("CryptographicAlgorithm", "AES")
#define MATERIAL(hex) "<KeyMaterial type=\"ByteString\" value=\"" hex "\"/>"

TEST(only_a_raw_key_of_256_bits_is_one)
{
    static const char *const bad[] = {
        OK_ITEM(KEY(RAW, MATERIAL(HEX32 "00"), AES)),
        OK_ITEM(KEY(RAW, MATERIAL("0001"), AES)),
        OK_ITEM(KEY(RAW, "", AES)),
        OK_ITEM(KEY(RAW, MATERIAL(HEX32), "")),
        OK_ITEM(KEY(RAW, MATERIAL(HEX32), E("CryptographicAlgorithm", "DES3"))),
        OK_ITEM(KEY("", MATERIAL(HEX32), AES)),
        OK_ITEM(KEY(E("KeyFormatType", "Opaque"), MATERIAL(HEX32), AES)),
        OK_ITEM(KEY(RAW, "<KeyMaterial>" MATERIAL(HEX32) "</KeyMaterial>", AES)),
        OK_ITEM(UID("u") "<SecretData></SecretData>"),
        OK_ITEM(""),
    };
    uint8_t key[32] = {0xEE};
    struct ios_keys_ops ops = with(OK_ITEM(KEY(RAW, MATERIAL(HEX32), AES)));

    REQUIRE_OK(ops.get(ops.arg, &server, "u-3", key, &diag));
    CHECK(key[0] == 0 && key[31] == 31);
    CHECK(script.again && asked("value=\"Get\"") && asked(UID("u-3")));
    key[0] = 0xEE;
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        ops = with(bad[i]);
        CHECK_RC(ops.get(ops.arg, &server, "u", key, &diag), KLM_E_INVALID);
        CHECK_INT(key[0], 0xEE);
    }
}

#define ATTR(name, value) "<Attribute>" T("AttributeName", name) value "</Attribute>"
#define LINK(type, to)                                                                             \
    ATTR("Link", "<AttributeValue>" E("LinkType", type)                                            \
                     T("LinkedObjectIdentifier", to) "</AttributeValue>")
#define STATE(state) ATTR("State", E("AttributeValue", state))

TEST(state_and_links_are_looked_at)
{
    struct ios_key_look look;
    struct ios_keys_ops ops =
        with(OK_ITEM(UID("u") LINK("PublicKeyLink", "p") STATE("Deactivated")
                         LINK("ReplacementObjectLink", "new") LINK("ReplacedObjectLink", "old")
                             ATTR("Object Type", E("AttributeValue", "Certificate"))));

    REQUIRE_OK(ops.look(ops.arg, &server, "u", &look, &diag));
    CHECK_INT(look.state, KMIP_State_Deactivated);
    CHECK_STR(look.replacement, "new");
    CHECK_STR(look.replaced, "old");
    CHECK(asked(T("AttributeName", "State")) && asked(T("AttributeName", "Link")));
    ops = with(OK_ITEM(UID("u") STATE("PreActive")));
    REQUIRE_OK(ops.look(ops.arg, &server, "u", &look, &diag));
    CHECK(look.state == KMIP_State_PreActive && !look.replaced[0] && !look.replacement[0]);
    ops = with(OK_ITEM(UID("u")));
    CHECK_RC(ops.look(ops.arg, &server, "u", &look, &diag), KLM_E_INVALID);
}

TEST(a_turn_is_one_batch_of_what_is_missing_all_or_nothing)
{
    struct ios_key_turn turn = {"new", "old", true, true, true, true};
    struct ios_keys_ops ops = with(OK_ITEM("") OK_ITEM("") OK_ITEM("") OK_ITEM(""));

    REQUIRE_OK(ops.turn(ops.arg, &server, &turn, &diag));
    CHECK(!script.again && asked("value=\"Undo\"") &&
          asked("<BatchOrderOption type=\"Boolean\" value=\"true\"/>") &&
          asked("<BatchCount type=\"Integer\" value=\"4\"/>") && asked("value=\"Activate\"") &&
          asked("value=\"ReplacedObjectLink\"") && asked(T("LinkedObjectIdentifier", "old")) &&
          asked("value=\"ReplacementObjectLink\"") && asked(T("LinkedObjectIdentifier", "new")) &&
          asked("value=\"Superseded\"") &&
          asked("<UniqueBatchItemID type=\"ByteString\" value=\"01\"/>") &&
          asked("<UniqueBatchItemID type=\"ByteString\" value=\"04\"/>"));
    turn = (struct ios_key_turn){.old_uid = "old", .revoke = true};
    ops = with(OK_ITEM(""));
    REQUIRE_OK(ops.turn(ops.arg, &server, &turn, &diag));
    CHECK(asked("<BatchCount type=\"Integer\" value=\"1\"/>") &&
          !strstr(script.request, "Activate"));
    /* What failed is told, not what was undone for it. */
    turn = (struct ios_key_turn){"new", "old", true, false, false, true};
    ops = with(UNDONE FAILED("WrongKeyLifecycleState"));
    CHECK_RC(ops.turn(ops.arg, &server, &turn, &diag), KLM_E_DENIED);
    CHECK(strstr(diag.text, "WrongKeyLifecycleState: in words") != NULL);
    ops = with(OK_ITEM(""));
    CHECK_RC(ops.turn(ops.arg, &server, &turn, &diag), KLM_E_INVALID); /* one of two */
}

TEST(refusals_and_what_is_no_answer_are_told_with_the_key_server)
{
    static const struct {
        const char *items;
        klm_rc rc;
        const char *said;
    } rows[] = {
        {FAILED("ItemNotFound"), KLM_E_NOTFOUND, "it refuses: ItemNotFound: in words"},
        {FAILED("PermissionDenied"), KLM_E_DENIED, "it refuses: PermissionDenied: in words"},
        {"<BatchItem>" E("ResultStatus", "OperationFailed") "</BatchItem>", KLM_E_DENIED,
         "no reason is given"},
        {"<BatchItem>" E("ResultStatus", "OperationPending") "</BatchItem>", KLM_E_DENIED,
         "it refuses"},
        {"<BatchItem></BatchItem>", KLM_E_INVALID, "no result"},
        {"", KLM_E_INVALID, "no result"},
        {OK_ITEM("") OK_ITEM(""), KLM_E_INVALID, "another number of results"},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct ios_keys_ops ops = with(rows[i].items);

        CHECK_RC(ops.destroy(ops.arg, &server, "u", &diag), rows[i].rc);
        CHECK(strstr(diag.text, "KLM2109E Key server keys1 at h, port 5696: ") == diag.text);
        if (!strstr(diag.text, rows[i].said)) {
            CHECK_STR(diag.text, rows[i].said);
        }
    }
    /* A host that is not there is no key that is not there. */
    struct ios_keys_ops ops = with("");
    script.rc = KLM_E_NOTFOUND;
    CHECK_RC(ops.destroy(ops.arg, &server, "u", &diag), KLM_E_IO);
    CHECK(strstr(diag.text, "the way is shut") != NULL);
    script.rc = KLM_E_TIMEOUT;
    CHECK_RC(ops.destroy(ops.arg, &server, "u", &diag), KLM_E_TIMEOUT);
}
