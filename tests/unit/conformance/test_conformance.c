/* The player of test cases: what it takes for the answer that a case shows, and what not. */
#include "test.h"

#include "kmip/codec/xml.h"
#include "tests/conformance/mirror.h"
#include "tests/conformance/rules.h"

#include <dirent.h>
#include <stdlib.h>

#define NOW 1700000000
#define POOL (32u << 20)

/* ---- A case of one or more pairs, and a server that answers what the test says */

#define VERSION(minor)                                                                             \
    "<ProtocolVersion><ProtocolVersionMajor type=\"Integer\" value=\"1\"/>"                        \
    "<ProtocolVersionMinor type=\"Integer\" value=\"" minor "\"/></ProtocolVersion>"
#define COUNT "<BatchCount type=\"Integer\" value=\"1\"/>"
#define REQUEST(operation, payload)                                                                \
    "<RequestMessage><RequestHeader>" VERSION("4") COUNT                                           \
        "</RequestHeader><BatchItem>"                                                              \
        "<Operation type=\"Enumeration\" value=\"" operation "\"/><RequestPayload>" payload        \
        "</RequestPayload></BatchItem></RequestMessage>"
#define HEADER                                                                                     \
    "<ResponseHeader>" VERSION("4") "<TimeStamp type=\"DateTime\" value=\"$NOW\"/>" COUNT          \
                                    "</ResponseHeader>"
#define RESPONSE(operation, payload)                                                               \
    "<ResponseMessage>" HEADER "<BatchItem><Operation type=\"Enumeration\" value=\"" operation     \
    "\"/><ResultStatus type=\"Enumeration\" value=\"Success\"/><ResponsePayload>" payload          \
    "</ResponsePayload></BatchItem></ResponseMessage>"
#define FAILURE(reason, message)                                                                   \
    "<ResponseMessage>" HEADER "<BatchItem><Operation type=\"Enumeration\" value=\"Get\"/>"        \
    "<ResultStatus type=\"Enumeration\" value=\"OperationFailed\"/>"                               \
    "<ResultReason type=\"Enumeration\" value=\"" reason "\"/>" message                            \
    "</BatchItem></ResponseMessage>"
#define ID(value) "<UniqueIdentifier type=\"TextString\" value=\"" value "\"/>"
#define TEXT(tag, value) "<" tag " type=\"TextString\" value=\"" value "\"/>"
#define ATTRIBUTE(name, type, value)                                                               \
    "<Attribute><AttributeName type=\"TextString\" value=\"" name                                  \
    "\"/><AttributeValue type=\"" type "\" value=\"" value "\"/></Attribute>"
#define KEY(material)                                                                              \
    "<SymmetricKey><KeyBlock><KeyFormatType type=\"Enumeration\" value=\"Raw\"/><KeyValue>"        \
    "<KeyMaterial type=\"ByteString\" value=\"" material                                           \
    "\"/></KeyValue></KeyBlock></SymmetricKey>"

#define CREATE REQUEST("Create", "")
#define CREATED(id)                                                                                \
    RESPONSE("Create", "<ObjectType type=\"Enumeration\" value=\"SymmetricKey\"/>" ID(id))
#define GET REQUEST("Get", ID("$UNIQUE_IDENTIFIER_0"))
#define GOT(id, material)                                                                          \
    RESPONSE("Get",                                                                                \
             "<ObjectType type=\"Enumeration\" value=\"SymmetricKey\"/>" ID(id) KEY(material))
#define REGISTER(material)                                                                         \
    REQUEST("Register",                                                                            \
            "<ObjectType type=\"Enumeration\" "                                                    \
            "value=\"SymmetricKey\"/><TemplateAttribute></TemplateAttribute>" KEY(material))
#define REGISTERED(id) RESPONSE("Register", ID(id))

static char why[CF_WHY_MAX];

/* Answers come from a case of their own, whose expectations are what the server says. */
static uint8_t asked_mac[8]; /* MAC Data of the last request */
static size_t asked_mac_n;
static klm_rc say(void *arg, size_t pair, const struct kmip_node *request, struct klm_pool *pool,
                  struct kmip_node **answer, char what[CF_WHY_MAX])
{
    const struct kmip_node *mac = cf_find(request, KMIP_TAG_MACData);

    asked_mac_n = mac && mac->bytes.n <= sizeof(asked_mac) ? mac->bytes.n : 0;
    memcpy(asked_mac, mac ? mac->bytes.p : asked_mac, asked_mac_n);
    return cf_mirror_call(arg, pair, request, pool, answer, what);
}

static enum cf_outcome play_named(const char *name, const char *test_text, const char *said_text)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct cf_case test, said;
    struct cf_memory memory;
    struct cf_mirror mirror;

    why[0] = '\0';
    REQUIRE_OK(klm_pool_new(POOL, &pool));
    REQUIRE_OK(cf_case_parse(klm_slice_str(test_text), name, pool, &test, why));
    REQUIRE_OK(cf_case_parse(klm_slice_str(said_text), name, pool, &said, why));
    cf_memory_init(&memory, pool, NOW);
    cf_mirror_init(&mirror, &said, &memory);
    return cf_play(&test, &memory, &(struct cf_peer){say, &mirror}, why);
}

static enum cf_outcome play(const char *test_text, const char *said_text)
{
    return play_named("CASE-1-14", test_text, said_text);
}

#define CASE(...) "<KMIP>" __VA_ARGS__ "</KMIP>"

/* ---- Identifiers */

TEST(an_identifier_is_the_servers_choice_and_must_stay_the_same)
{
    const char *test =
        CASE(CREATE CREATED("$UNIQUE_IDENTIFIER_0") GET GOT("$UNIQUE_IDENTIFIER_0", "0102"));

    CHECK_INT(play(test, CASE(CREATE CREATED("abc") GET GOT("abc", "0102"))), CF_PASS);
    CHECK_INT(play(test, CASE(CREATE CREATED("abc") GET GOT("abd", "0102"))), CF_FAIL);
    CHECK(
        strstr(why, "request 2 of 2: ResponseMessage/BatchItem/ResponsePayload/UniqueIdentifier") !=
        NULL);
    CHECK_INT(play(test, CASE(CREATE CREATED("") GET GOT("", "0102"))), CF_FAIL);
}

TEST(an_identifier_written_out_in_a_case_is_the_servers_choice_too)
{
    const char *test = CASE(CREATE CREATED("id-1") GET GOT("id-1", "0102"));

    CHECK_INT(play(test, CASE(CREATE CREATED("abc") GET GOT("abc", "0102"))), CF_PASS);
    CHECK_INT(play(test, CASE(CREATE CREATED("abc") GET GOT("abd", "0102"))), CF_FAIL);
}

TEST(a_variable_without_a_value_is_an_error_of_the_case)
{
    CHECK_INT(play(CASE(GET GOT("$UNIQUE_IDENTIFIER_0", "01")), CASE(GET GOT("a", "01"))),
              CF_ERROR);
    CHECK(strstr(why, "$UNIQUE_IDENTIFIER_0 has no value yet") != NULL);
}

#define BYTES(tag, value) "<" tag " type=\"ByteString\" value=\"" value "\"/>"

TEST(a_variable_named_after_a_tag_takes_the_last_value_of_that_tag)
{
    const char *test =
        CASE(REQUEST("MAC", ID("k")) RESPONSE("MAC", BYTES("MACData", "c0ffee"))
                 REQUEST("MACVerify", BYTES("MACData", "$MAC_DATA")) RESPONSE("MACVerify", ""));

    CHECK_INT(play(test, test), CF_PASS);
    CHECK_INT(asked_mac_n, 3);
    CHECK_MEM(asked_mac, "\xC0\xFF\xEE", 3);
}

/* ---- Key material and what is made with it */

TEST(material_that_the_case_brought_comes_back_as_it_was)
{
    const char *test = CASE(REGISTER("0102") REGISTERED("$UNIQUE_IDENTIFIER_0")
                                GET GOT("$UNIQUE_IDENTIFIER_0", "0102"));

    CHECK_INT(play(test, CASE(REGISTER("0102") REGISTERED("a") GET GOT("a", "0102"))), CF_PASS);
    CHECK_INT(play(test, CASE(REGISTER("0102") REGISTERED("a") GET GOT("a", "0103"))), CF_FAIL);
    CHECK(strstr(why, "0103") == NULL); /* a difference shows no key */
}

TEST(material_that_the_server_made_is_its_own_of_the_same_length_and_stays)
{
    const char *test = CASE(CREATE CREATED("$UNIQUE_IDENTIFIER_0") GET GOT(
        "$UNIQUE_IDENTIFIER_0", "0102") GET GOT("$UNIQUE_IDENTIFIER_0", "0102"));

    CHECK_INT(play(test, CASE(CREATE CREATED("a") GET GOT("a", "a1b2") GET GOT("a", "a1b2"))),
              CF_PASS);
    CHECK_INT(play(test, CASE(CREATE CREATED("a") GET GOT("a", "a1b2") GET GOT("a", "a1b3"))),
              CF_FAIL);
    CHECK_INT(play(test, CASE(CREATE CREATED("a") GET GOT("a", "a1b2c3") GET GOT("a", "a1b2c3"))),
              CF_FAIL);
}

#define ITEM(operation, id, payload)                                                               \
    "<BatchItem><Operation type=\"Enumeration\" value=\"" operation                                \
    "\"/><UniqueBatchItemID type=\"ByteString\" value=\"" id "\"/>" payload "</BatchItem>"
#define ASKED "<RequestPayload/>"
#define DONE(payload)                                                                              \
    "<ResultStatus type=\"Enumeration\" value=\"Success\"/><ResponsePayload>" payload              \
    "</ResponsePayload>"
#define MADE_AND_GOT(id, material)                                                                 \
    "<RequestMessage><RequestHeader>" VERSION("4") COUNT                                           \
        "</RequestHeader>" ITEM("Create", "01", ASKED)                                             \
            ITEM("Get", "02", ASKED) "</RequestMessage><ResponseMessage>" HEADER ITEM(             \
                "Create", "01", DONE(ID(id)))                                                      \
                ITEM("Get", "02", DONE(ID(id) KEY(material))) "</ResponseMessage>"

TEST(what_a_batch_makes_and_gets_is_the_servers_too)
{
    const char *test = CASE(MADE_AND_GOT("$UNIQUE_IDENTIFIER_0", "0102"));

    CHECK_INT(play(test, CASE(MADE_AND_GOT("a", "0304"))), CF_PASS);
    CHECK_INT(play(test, CASE(MADE_AND_GOT("a", "030405"))), CF_FAIL);
}

TEST(one_value_shown_for_two_keys_may_be_two)
{
    const char *get1 =
        CASE(CREATE CREATED("$UNIQUE_IDENTIFIER_0") CREATE CREATED("$UNIQUE_IDENTIFIER_1")
                 GET GOT("$UNIQUE_IDENTIFIER_0", "0102") REQUEST("Get", ID("$UNIQUE_IDENTIFIER_1"))
                     GOT("$UNIQUE_IDENTIFIER_1", "0102"));

    CHECK_INT(play(get1, CASE(CREATE CREATED("a") CREATE CREATED("b") GET GOT("a", "aaaa")
                                  GET GOT("b", "bbbb"))),
              CF_PASS);
}

#define ENCRYPT(more) REQUEST("Encrypt", ID("$UNIQUE_IDENTIFIER_0") more BYTES("Data", "00"))
#define ENCRYPTED(id, data) RESPONSE("Encrypt", ID(id) BYTES("Data", data))

TEST(what_is_encrypted_with_a_key_of_the_case_must_be_exact_and_of_the_servers_as_long)
{
    const char *known = CASE(REGISTER("0102") REGISTERED("$UNIQUE_IDENTIFIER_0") ENCRYPT("")
                                 ENCRYPTED("$UNIQUE_IDENTIFIER_0", "aabb"));
    const char *made = CASE(CREATE CREATED("$UNIQUE_IDENTIFIER_0") ENCRYPT("")
                                ENCRYPTED("$UNIQUE_IDENTIFIER_0", "aabb"));

    CHECK_INT(
        play(known, CASE(REGISTER("0102") REGISTERED("a") ENCRYPT("") ENCRYPTED("a", "aabb"))),
        CF_PASS);
    CHECK_INT(
        play(known, CASE(REGISTER("0102") REGISTERED("a") ENCRYPT("") ENCRYPTED("a", "aabc"))),
        CF_FAIL);
    CHECK_INT(play(made, CASE(CREATE CREATED("a") ENCRYPT("") ENCRYPTED("a", "ccdd"))), CF_PASS);
    CHECK_INT(play(made, CASE(CREATE CREATED("a") ENCRYPT("") ENCRYPTED("a", "ccddee"))), CF_FAIL);
}

TEST(random_padding_lets_the_output_of_a_known_key_vary)
{
    const char *test = CASE(REGISTER("0102") REGISTERED("$UNIQUE_IDENTIFIER_0") REQUEST(
        "Encrypt",
        ID("$UNIQUE_IDENTIFIER_0") "<CryptographicParameters><PaddingMethod type=\"Enumeration\" "
                                   "value=\"OAEP\"/></CryptographicParameters>")
                                ENCRYPTED("$UNIQUE_IDENTIFIER_0", "aabb"));

    CHECK_INT(play(test, CASE(REGISTER("0102") REGISTERED("a") ENCRYPT("") ENCRYPTED("a", "ccdd"))),
              CF_PASS);
}

/* ---- Dates */

#define GET_DATES REQUEST("GetAttributes", ID("k") TEXT("AttributeName", "Activation Date"))
#define DATES(name, value) RESPONSE("GetAttributes", ID("k") ATTRIBUTE(name, "DateTime", value))
#define SET_DATE(value)                                                                            \
    REQUEST("AddAttribute", ID("k") ATTRIBUTE("Activation Date", "DateTime", value))
#define DATE_SET RESPONSE("AddAttribute", ID("k"))

TEST(a_date_that_the_case_set_comes_back_and_others_are_the_servers)
{
    const char *test =
        CASE(SET_DATE("$NOW-60") DATE_SET GET_DATES DATES("Activation Date", "$NOW-60"));
    const char *unset = CASE(GET_DATES DATES("Initial Date", "$NOW"));

    CHECK_INT(play(test, CASE(SET_DATE("$NOW-60")
                                  DATE_SET GET_DATES DATES("Activation Date", "$NOW-60"))),
              CF_PASS);
    CHECK_INT(play(test, CASE(SET_DATE("$NOW-60")
                                  DATE_SET GET_DATES DATES("Activation Date", "$NOW-61"))),
              CF_FAIL);
    CHECK_INT(play(unset, CASE(GET_DATES DATES("Initial Date", "$NOW+5"))), CF_PASS);
    CHECK_INT(play(unset, CASE(GET_DATES DATES("Destroy Date", "$NOW"))), CF_FAIL);
}

/* ---- Results */

#define MESSAGE(text) TEXT("ResultMessage", text)

TEST(a_result_reason_is_exact_and_its_message_free_or_missing)
{
    const char *test = CASE(REQUEST("Get", ID("x")) FAILURE("ItemNotFound", MESSAGE("NOT_FOUND")));

    CHECK_INT(play(test, CASE(GET FAILURE("ItemNotFound", MESSAGE("There is no such object")))),
              CF_PASS);
    CHECK_INT(play(test, CASE(GET FAILURE("ItemNotFound", ""))), CF_PASS);
    CHECK_INT(play(test, CASE(GET FAILURE("PermissionDenied", MESSAGE("NOT_FOUND")))), CF_FAIL);
    CHECK_INT(play(test, CASE(GET GOT("x", "01"))), CF_FAIL);
    CHECK(strstr(why, "OperationFailed ItemNotFound \"NOT_FOUND\" is expected, not Success") !=
          NULL);
}

TEST(an_answer_in_another_version_than_the_request_is_wrong)
{
    const char *test = CASE(REQUEST("Activate", ID("k")) RESPONSE("Activate", ID("k")));
    const char *other =
        CASE(REQUEST("Activate", ID("k")) "<ResponseMessage><ResponseHeader>" VERSION(
            "3") "<TimeStamp type=\"DateTime\" value=\"$NOW\"/>" COUNT
                 "</ResponseHeader><BatchItem><Operation type=\"Enumeration\" value=\"Activate\"/>"
                 "<ResultStatus type=\"Enumeration\" value=\"Success\"/><ResponsePayload>" ID(
                     "k") "</ResponsePayload></BatchItem></ResponseMessage>");

    CHECK_INT(play(test, test), CF_PASS);
    CHECK_INT(play(test, other), CF_FAIL);
    CHECK_INT(play(other, test), CF_PASS); /* a misprint of the case: its request is in 1.4 */
}

TEST(items_stand_in_their_order_and_nothing_is_added)
{
    const char *test = CASE(CREATE CREATED("a"));
    const char *turned = CASE(CREATE RESPONSE(
        "Create", ID("a") "<ObjectType type=\"Enumeration\" value=\"SymmetricKey\"/>"));

    CHECK_INT(play(test, turned), CF_FAIL);
    CHECK(strstr(why, "stands too early") != NULL);
    CHECK_INT(play(CASE(REQUEST("Activate", ID("k")) RESPONSE("Activate", ID("k"))), test),
              CF_FAIL);
    CHECK_INT(
        play(CASE(REQUEST("Activate", ID("k")) RESPONSE("Activate", ID("k"))),
             CASE(CREATE RESPONSE(
                 "Activate", ID("k") "<ObjectType type=\"Enumeration\" value=\"SymmetricKey\"/>"))),
        CF_FAIL);
    CHECK(strstr(why, "ObjectType=SymmetricKey is not expected") != NULL);
}

/* ---- Attributes */

#define ASK REQUEST("GetAttributes", ID("k"))
#define TELL(attributes) RESPONSE("GetAttributes", ID("k") attributes)
#define LENGTH(n) ATTRIBUTE("Cryptographic Length", "Integer", n)
#define NAME(n) ATTRIBUTE("Contact Information", "TextString", n)

TEST(attributes_have_no_order_and_may_be_more)
{
    const char *test = CASE(ASK TELL(LENGTH("256") NAME("me")));

    CHECK_INT(play(test, CASE(ASK TELL(NAME("me") LENGTH("256")))), CF_PASS);
    CHECK_INT(play(test, CASE(ASK TELL(NAME("me") ATTRIBUTE("Lease Time", "Interval", "60")
                                           LENGTH("256")))),
              CF_PASS);
    CHECK_INT(play(test, CASE(ASK TELL(NAME("me") LENGTH("128")))), CF_FAIL);
    CHECK_INT(play(test, CASE(ASK TELL(NAME("me")))), CF_FAIL);
    CHECK(strstr(why, "Attribute[Cryptographic Length] is missing") != NULL);
}

TEST(an_attribute_index_of_0_may_be_there_or_not)
{
    static const char with[] = "<Attribute><AttributeName type=\"TextString\" value=\"Contact "
                               "Information\"/><AttributeIndex type=\"Integer\" value=\"0\"/>"
                               "<AttributeValue type=\"TextString\" value=\"me\"/></Attribute>";
    char said[4096], other[4096];

    snprintf(said, sizeof(said), "<KMIP>%s%s%s%s</KMIP>", ASK,
             "<ResponseMessage>" HEADER
             "<BatchItem><Operation type=\"Enumeration\" value=\"GetAttributes\"/>"
             "<ResultStatus type=\"Enumeration\" value=\"Success\"/><ResponsePayload>" ID("k"),
             with, "</ResponsePayload></BatchItem></ResponseMessage>");
    CHECK_INT(play(CASE(ASK TELL(NAME("me"))), said), CF_PASS);
    CHECK_INT(play(said, CASE(ASK TELL(NAME("me")))), CF_PASS);
    snprintf(other, sizeof(other), "%s", said);
    *strstr(other, "\"0\"/><AttributeValue") = '"';
    strstr(other, "\"0\"/><AttributeValue")[1] = '1';
    CHECK_INT(play(CASE(ASK TELL(NAME("me"))), other), CF_FAIL);
    CHECK_INT(play(other, CASE(ASK TELL(NAME("me")))), CF_FAIL);
}

TEST(attributes_that_begin_with_y_are_the_servers_own)
{
    CHECK_INT(play(CASE(ASK TELL(ATTRIBUTE("y-Thing", "TextString", "1") NAME("me"))),
                   CASE(ASK TELL(NAME("me")))),
              CF_PASS);
    CHECK_INT(play(CASE(ASK TELL(ATTRIBUTE("x-Thing", "TextString", "1") NAME("me"))),
                   CASE(ASK TELL(NAME("me")))),
              CF_FAIL);
}

/* ---- Query */

#define OPERATION(name) "<Operation type=\"Enumeration\" value=\"" name "\"/>"
#define QUERY REQUEST("Query", "<QueryFunction type=\"Enumeration\" value=\"QueryOperations\"/>")

TEST(query_must_report_what_the_profile_needs_and_may_report_more)
{
    const char *test =
        CASE(QUERY RESPONSE("Query", OPERATION("Get") OPERATION("Create") OPERATION("Archive")));

    CHECK_INT(play(test, CASE(QUERY RESPONSE("Query", OPERATION("Locate") OPERATION("Get")))),
              CF_PASS);
    CHECK_INT(play_named("TL-M-1-14", test, CASE(QUERY RESPONSE("Query", OPERATION("Get")))),
              CF_FAIL);
    CHECK_INT(play_named("TL-M-1-14", test,
                         CASE(QUERY RESPONSE("Query", OPERATION("Create") OPERATION("Get")))),
              CF_PASS);
    CHECK_INT(play(test, CASE(QUERY RESPONSE("Query", OPERATION("Create")))), CF_FAIL);
    CHECK_INT(
        play(test,
             CASE(QUERY RESPONSE(
                 "Query",
                 OPERATION("Get") "<ObjectType type=\"Enumeration\" value=\"SymmetricKey\"/>"))),
        CF_FAIL);
}

/* ---- Files */

static klm_rc read_text(const char *text)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct cf_case test;

    KLM_TRY(klm_pool_new(POOL, &pool));
    return cf_case_parse(klm_slice_str(text), "X", pool, &test, why);
}

TEST(a_file_that_is_no_case_is_refused_with_the_reason)
{
    CHECK_RC(read_text("<KMIP>"), KLM_E_INVALID);
    CHECK(strstr(why, "not well-formed") != NULL);
    CHECK_RC(read_text("<KMIP/>"), KLM_E_INVALID);
    CHECK(strstr(why, "do not pair up") != NULL);
    CHECK_RC(read_text(CASE(CREATE)), KLM_E_INVALID);
    CHECK_RC(read_text(CASE(CREATED("a") CREATE)), KLM_E_INVALID);
    CHECK(strstr(why, "an answer without a request") != NULL);
    CHECK_RC(read_text(CASE("<Other/>")), KLM_E_INVALID);
    CHECK_RC(read_text(CASE(REQUEST("Nonsense", "") CREATED("a"))), KLM_E_INVALID);
    CHECK(strstr(why, "cannot be read") != NULL);
    CHECK_RC(read_text("<!DOCTYPE KMIP [<!ENTITY a 'b'>]>" CASE(CREATE CREATED("a"))),
             KLM_E_INVALID);
    CHECK_RC(read_text(CASE("<!-- <RequestMessage> -->" CREATE "<!-- x -->" CREATED("a"))), KLM_OK);
}

TEST(cases_know_what_is_played_before_them_and_which_nobody_can_play)
{
    char name[CF_NAME_MAX];

    REQUIRE(cf_rule_first("TL-M-3-21", 0, name, sizeof(name)));
    CHECK_STR(name, "TL-M-2-21");
    CHECK(!cf_rule_first("TL-M-3-21", 1, name, sizeof(name)));
    CHECK(!cf_rule_first("TL-M-2-21", 0, name, sizeof(name)));
    REQUIRE(cf_rule_first("TC-OTP-5-13", 1, name, sizeof(name)));
    CHECK_STR(name, "TC-OTP-SETUP-2-13");
    CHECK(cf_rule_skip("TC-NP-1-14") != NULL);
    CHECK(cf_rule_skip("TC-312-12") == NULL);
}

/* ---- The vectors of our own: the true answers pass, and of wrong ones only those that the profiles permit */

static bool vector_path(const char *name, char *out, size_t cap)
{
    const char *source = getenv("KLM_SOURCE");

    return snprintf(out, cap, "%s/tests/golden/kmip/%s", source ? source : ".", name) < (int)cap;
}

static enum cf_outcome reflect(const struct cf_case *test, size_t pair, size_t item,
                               enum cf_wrong how, bool lies, uint32_t *wrong)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct cf_memory memory;
    struct cf_mirror mirror;
    enum cf_outcome outcome;

    REQUIRE_OK(klm_pool_new(POOL, &pool));
    cf_memory_init(&memory, pool, NOW);
    cf_mirror_init(&mirror, test, &memory);
    mirror.lies = lies;
    mirror.pair = pair;
    mirror.item = item;
    mirror.how = how;
    outcome = cf_play(test, &memory, &(struct cf_peer){cf_mirror_call, &mirror}, why);
    *wrong = mirror.wrong ? mirror.wrong->tag : 0;
    return outcome;
}

/* Items of which a wrong value, or none, may be taken for right. */
static bool is_permitted(uint32_t tag, enum cf_wrong how)
{
    static const uint32_t altered[] = {KMIP_TAG_UniqueIdentifier,
                                       KMIP_TAG_PrivateKeyUniqueIdentifier,
                                       KMIP_TAG_PublicKeyUniqueIdentifier,
                                       KMIP_TAG_LinkedObjectIdentifier,
                                       KMIP_TAG_AttributeValue /* dates and links of 1.x */,
                                       KMIP_TAG_KeyMaterial,
                                       KMIP_TAG_KeyValue,
                                       KMIP_TAG_KeyValue,
                                       KMIP_TAG_Data,
                                       KMIP_TAG_IVCounterNonce,
                                       KMIP_TAG_Modulus,
                                       KMIP_TAG_InitialDate,
                                       KMIP_TAG_ActivationDate,
                                       KMIP_TAG_LastChangeDate};
    static const uint32_t removed[] = {KMIP_TAG_Operation,
                                       KMIP_TAG_ObjectType,
                                       KMIP_TAG_ResultMessage,
                                       KMIP_TAG_LocatedItems,
                                       KMIP_TAG_VendorIdentification,
                                       KMIP_TAG_ServerName,
                                       KMIP_TAG_ServerCorrelationValue};
    bool permitted = false;

    for (size_t i = 0; how == CF_ALTERED && i < KLM_COUNT(altered); i++) {
        permitted |= tag == altered[i];
    }
    for (size_t i = 0; i < KLM_COUNT(removed); i++) {
        permitted |= tag == removed[i];
    }
    return permitted || (how == CF_ALTERED && cf_rule(CF_RULE_FREE, tag));
}

static void check_vector(const char *path)
{
    KLM_AUTO(klm_pool_free) struct klm_pool *pool = NULL;
    struct cf_case test;
    uint32_t wrong;

    REQUIRE_OK(klm_pool_new(POOL, &pool));
    CHECK_RC(cf_case_read(path, pool, &test, why), KLM_OK);
    CHECK_INT(reflect(&test, 0, 0, CF_ALTERED, false, &wrong), CF_PASS);
    for (size_t pair = 0; pair < test.n; pair++) {
        size_t n = cf_count_items(test.pairs[pair].expected);

        for (size_t i = 0; i < 2 * n; i++) {
            enum cf_wrong how = i % 2 ? CF_REMOVED : CF_ALTERED;

            if (reflect(&test, pair, i / 2, how, true, &wrong) == CF_PASS &&
                !is_permitted(wrong, how)) {
                fprintf(stderr, "%s, answer %zu: %s %s passes\n", path, pair + 1,
                        how == CF_ALTERED ? "a wrong" : "no",
                        kmip_tag(wrong) ? kmip_tag(wrong)->name : "?");
                CHECK(false);
            }
        }
    }
}

TEST(every_vector_of_our_own_passes_with_its_true_answers_and_fails_with_wrong_ones)
{
    char folder[4096], path[4096];
    struct dirent *entry;
    size_t n = 0;
    DIR *dir;

    REQUIRE(vector_path("", folder, sizeof(folder)));
    dir = opendir(folder);
    REQUIRE(dir != NULL);
    for (entry = readdir(dir); entry; entry = readdir(dir)) {
        if (strstr(entry->d_name, ".xml") && vector_path(entry->d_name, path, sizeof(path))) {
            check_vector(path);
            n++;
        }
    }
    closedir(dir);
    CHECK(n >= 14);
}
