/* What its form alone says of a request: fields that stand twice (KMIP 1.4, 11.1), and fields of another type than their tag has. */
#include "kmip/ops/ops_rig.h"

#define V10 KMIP_V(1, 0)
#define V14 KMIP_V(1, 4)
#define V21 KMIP_V(2, 1)

static const int versions[] = {V10, V14, V21};

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "shape", "");
    }
}

/* A query with more in its header, and what is said of it. */
static const char *with_header(int version, const char *more)
{
    return rig_short(&rig, rig_tree(&rig, version, more, "Query{QueryFunction=QueryOperations}"));
}

/* A message of 1.4 in which a piece of XML stands before another. */
static const char *with_before(const char *more, const char *before)
{
    static const char message[] =
        "<RequestMessage><RequestHeader><ProtocolVersion>"
        "<ProtocolVersionMajor type=\"Integer\" value=\"1\"/>"
        "<ProtocolVersionMinor type=\"Integer\" value=\"4\"/></ProtocolVersion>"
        "<BatchCount type=\"Integer\" value=\"1\"/></RequestHeader><BatchItem>"
        "<Operation type=\"Enumeration\" value=\"DiscoverVersions\"/><RequestPayload/>"
        "</BatchItem></RequestMessage>";
    const char *at = strstr(message, before);
    char xml[2048];

    REQUIRE(at != NULL);
    snprintf(xml, sizeof xml, "%.*s%s%s", (int)(at - message), message, more, at);
    return rig_xml(&rig, xml);
}

static bool says(const char *answer, const char *reason)
{
    char value[80];

    snprintf(value, sizeof value, "<ResultReason type=\"Enumeration\" value=\"%s\"/>", reason);
    return strstr(answer, value) != NULL && strstr(answer, "Success") == NULL;
}

TEST(a_field_of_the_header_that_stands_twice_is_refused_whatever_it_says)
{
    static const char *const twice[] = {
        "MaximumResponseSize=100000 MaximumResponseSize=100000",
        "BatchCount=1",
        "ProtocolVersion{ProtocolVersionMajor=1 ProtocolVersionMinor=2}",
        "BatchErrorContinuationOption=Stop BatchErrorContinuationOption=Undo",
        "Authentication{Credential{CredentialType=UsernameAndPassword "
        "CredentialValue{Username='a'}}} "
        "Authentication{Credential{CredentialType=UsernameAndPassword "
        "CredentialValue{Username='a'}}}",
        "Authentication{Credential{CredentialType=UsernameAndPassword "
        "CredentialType=UsernameAndPassword CredentialValue{Username='a'}}}",
        "Authentication{Credential{CredentialType=UsernameAndPassword "
        "CredentialValue{Username='a' Username='a'}}}",
    };

    serving();
    for (size_t v = 0; v < KLM_COUNT(versions); v++) {
        for (size_t i = 0; i < KLM_COUNT(twice); i++) {
            CHECK_STR(with_header(versions[v], twice[i]), "OperationFailed(InvalidMessage)\n");
        }
    }
    CHECK(strstr(with_header(V14, "Authentication{Credential{CredentialType=UsernameAndPassword "
                                  "CredentialValue{Username='a'}} "
                                  "Credential{CredentialType=UsernameAndPassword "
                                  "CredentialValue{Username='a'}}} "
                                  "AttestationType=TPMQuote AttestationType=TCGIntegrityReport"),
                 "Query Success") != NULL);
}

TEST(a_part_of_the_message_that_stands_twice_is_refused)
{
    serving();
    CHECK(strstr(with_before("", "<BatchItem>"), "Success") != NULL);
    CHECK(says(with_before("<RequestHeader><BatchCount type=\"Integer\" value=\"1\"/>"
                           "</RequestHeader>",
                           "<BatchItem>"),
               "InvalidMessage"));
    CHECK(says(with_before("<Operation type=\"Enumeration\" value=\"DiscoverVersions\"/>",
                           "<RequestPayload/>"),
               "InvalidMessage"));
    CHECK(says(with_before("<RequestPayload/>", "<RequestPayload/>"), "InvalidMessage"));
    CHECK(says(with_before("<UniqueBatchItemID type=\"ByteString\" value=\"01\"/>"
                           "<UniqueBatchItemID type=\"ByteString\" value=\"01\"/>",
                           "<RequestPayload/>"),
               "InvalidMessage"));
}

TEST(extensions_of_an_item_may_be_several_and_a_critical_one_is_one_whatever_its_form)
{
#define EXTENSION(type, value)                                                                     \
    "<MessageExtension><VendorIdentification type=\"TextString\" value=\"x\"/>"                    \
    "<CriticalityIndicator type=\"" type "\" value=\"" value "\"/>"                                \
    "<VendorExtension><BatchCount type=\"TextString\" value=\"own\"/></VendorExtension>"           \
    "</MessageExtension>"

    serving();
    CHECK(strstr(with_before(EXTENSION("Boolean", "false") EXTENSION("Boolean", "false"),
                             "</BatchItem>"),
                 "Success") != NULL);
    CHECK(says(with_before(EXTENSION("Boolean", "true"), "</BatchItem>"), "FeatureNotSupported"));
    CHECK(says(with_before(EXTENSION("Integer", "1"), "</BatchItem>"), "InvalidMessage"));
}

#define TWO_VALUES                                                                                 \
    "Register{ObjectType=SymmetricKey SymmetricKey{KeyBlock{KeyFormatType=Raw "                    \
    "KeyValue{KeyMaterial:ByteString=00112233445566778899aabbccddeeff} "                           \
    "KeyValue{KeyMaterial:ByteString=ffeeddccbbaa99887766554433221100} "                           \
    "CryptographicAlgorithm=AES CryptographicLength=128}}}"
#define TWO_CODES                                                                                  \
    "Revoke{UniqueIdentifier='x' RevocationReason{RevocationReasonCode=KeyCompromise "             \
    "RevocationReasonCode=CessationOfOperation}}"

TEST(what_stands_twice_in_a_part_of_a_payload_is_refused_too)
{
    static const char *const twice[] = {
        "Hash{CryptographicParameters{HashingAlgorithm=SHA_256 HashingAlgorithm=SHA_512} Data=00}",
        TWO_VALUES, TWO_CODES};
    char expected[80];

    serving();
    for (size_t i = 0; i < KLM_COUNT(twice); i++) {
        snprintf(expected, sizeof expected, "%.*s OperationFailed(InvalidMessage)\n",
                 (int)strcspn(twice[i], "{"), twice[i]);
        RIG_EXPECT(&rig, V14, twice[i], expected);
        RIG_EXPECT(&rig, V21, twice[i], expected);
    }
}

TEST(a_field_of_the_header_of_another_type_is_refused_not_passed_over)
{
    static const char *const wrong[] = {
        "MaximumResponseSize:TextString='1'", "BatchOrderOption:Integer=1",
        "TimeStamp:TextString='now'",         "ClientCorrelationValue:ByteString=00",
        "Authentication:TextString='x'",      "BatchErrorContinuationOption:Integer=1",
    };

    serving();
    for (size_t v = 0; v < KLM_COUNT(versions); v++) {
        for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
            CHECK_STR(with_header(versions[v], wrong[i]), "OperationFailed(InvalidMessage)\n");
        }
        /* One number for another is taken, and counts. */
        CHECK(strstr(with_header(versions[v], "MaximumResponseSize:LongInteger=1"),
                     "ResponseTooLarge") != NULL);
        CHECK(strstr(with_header(versions[v], "MaximumResponseSize:LongInteger=100000"),
                     "Query Success") != NULL);
    }
}

TEST(a_field_of_a_payload_of_another_type_is_refused_not_passed_over)
{
    static const char *const wrong[] = {
        "Query{QueryFunction:TextString='QueryOperations'}",
        "DiscoverVersions{ProtocolVersion:Integer=1}",
        "DiscoverVersions{ProtocolVersion{ProtocolVersionMajor:TextString='1' "
        "ProtocolVersionMinor=0}}",
        "Hash{CryptographicParameters{HashingAlgorithm:Integer=6} Data=00}",
        "Hash{CryptographicParameters{HashingAlgorithm=SHA_256 PaddingMethod:TextString='None'} "
        "Data=00}",
        "Hash{CryptographicParameters{HashingAlgorithm=SHA_256 SaltLength:LongInteger=1} Data=00}",
    };
    char expected[80];

    serving();
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        snprintf(expected, sizeof expected, "%.*s OperationFailed(InvalidField)\n",
                 (int)strcspn(wrong[i], "{"), wrong[i]);
        RIG_EXPECT(&rig, V14, wrong[i], expected);
        RIG_EXPECT(&rig, V21, wrong[i], expected);
    }
    /* The items beside it are carried out. */
    CHECK(strstr(rig_ask(&rig, V14,
                         "Query{QueryFunction=QueryOperations} "
                         "Query{QueryFunction:TextString='x'}"),
                 "Query Success") != NULL);
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
