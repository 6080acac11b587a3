/* Create, Create Key Pair and Derive Key: what is made when something is left out, what is made of other objects, and what each mistake is called (KMIP 1.4, 4.1, 4.2, 4.6 and 11.7; 2.1,
 * 6.1.8, 6.1.9 and 6.1.14). */
#include "kmip/ops/ops_rig.h"

#define V10 KMIP_V(1, 0)
#define V12 KMIP_V(1, 2)
#define V14 KMIP_V(1, 4)
#define V21 KMIP_V(2, 1)

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "make", "");
    }
}

#define A1(name, value) "Attribute{AttributeName='" name "' AttributeValue" value "}"
#define AES1 A1("Cryptographic Algorithm", ":Enumeration=AES")
#define MASK1(mask) A1("Cryptographic Usage Mask", ":Integer=" mask)
#define LENGTH1(bits) A1("Cryptographic Length", ":Integer=" bits)
#define ACTIVE1 A1("Activation Date", ":DateTime=NOW-60")

/* The requests of which the answers are known: $1 is what the first makes, and so on. Each begins with none seen. */
static void fresh(void)
{
    serving();
    rig.uids = 0;
}

/* ---- Create */

TEST(a_key_without_a_length_has_the_usual_one)
{
    fresh();
    RIG_EXPECT(&rig, V14,
               "Create{ObjectType=SymmetricKey TemplateAttribute{" AES1 MASK1(
                   "Encrypt") "}} "
                              "GetAttributes{AttributeName='Cryptographic Length'}",
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
               "GetAttributes Success{UniqueIdentifier='$1' " LENGTH1("256") "}\n");
    RIG_EXPECT(
        &rig, V21,
        "CreateKeyPair{CommonAttributes{CryptographicAlgorithm=ECDSA} "
        "PrivateKeyAttributes{CryptographicUsageMask=Sign} "
        "PublicKeyAttributes{CryptographicUsageMask=Verify}} "
        "GetAttributes{AttributeReference=CryptographicLength}",
        "CreateKeyPair Success{PrivateKeyUniqueIdentifier='$2' "
        "PublicKeyUniqueIdentifier='$3'}\n"
        "GetAttributes Success{UniqueIdentifier='$2' Attributes{CryptographicLength=256}}\n");
}

TEST(secret_data_is_made_since_2_0_and_needs_no_algorithm)
{
    fresh();
    RIG_EXPECT(&rig, V21,
               "Create{ObjectType=SecretData Attributes{CryptographicLength=128 "
               "CryptographicUsageMask=DeriveKey}} "
               "GetAttributes{AttributeReference=CryptographicLength AttributeReference=ObjectType "
               "AttributeReference=KeyFormatType}",
               "Create Success{ObjectType=SecretData UniqueIdentifier='$1'}\n"
               "GetAttributes Success{UniqueIdentifier='$1' Attributes{CryptographicLength=128 "
               "ObjectType=SecretData KeyFormatType=Raw}}\n");
    CHECK(strstr(rig_ask(&rig, V21, "Get{UniqueIdentifier='$1'}"),
                 "SecretData{SecretDataType=Seed KeyBlock{KeyFormatType=Raw ") != NULL);
    RIG_EXPECT(&rig, V14, "Create{ObjectType=SecretData TemplateAttribute{" MASK1("DeriveKey") "}}",
               "Create OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V21,
               "Create{ObjectType=SecretData Attributes{CryptographicLength=9 "
               "CryptographicUsageMask=DeriveKey}}",
               "Create OperationFailed(CryptographicFailure)\n");
}

#define P384_1 A1("Cryptographic Domain Parameters", "{Qlength=384 RecommendedCurve=P_384}")
#define PAIR_1                                                                                     \
    "CommonTemplateAttribute{" A1("Cryptographic Algorithm", ":Enumeration=ECDSA") P384_1          \
        "} PrivateKeyTemplateAttribute{" MASK1("Sign") "} PublicKeyTemplateAttribute{" MASK1(      \
            "Verify") "}"
#define P256_KEY                                                                                   \
    "PrivateKey{KeyBlock{KeyFormatType=TransparentECDSAPrivateKey KeyValue{KeyMaterial{"           \
    "RecommendedCurve=P_256 D=0000000000001234}} CryptographicAlgorithm=ECDSA "                    \
    "CryptographicLength=256}}"

/* KMIP 1.0, 9.1.3.2.5 has those of NIST, 1.2 the others. */
TEST(a_key_of_a_curve_of_nist_is_made_and_registered_since_1_0)
{
    fresh();
    RIG_EXPECT(&rig, V10,
               "CreateKeyPair{" PAIR_1 "} "
               "GetAttributes{AttributeName='Cryptographic Domain Parameters'}",
               "CreateKeyPair Success{PrivateKeyUniqueIdentifier='$1' "
               "PublicKeyUniqueIdentifier='$2'}\n"
               "GetAttributes Success{UniqueIdentifier='$1' " P384_1 "}\n");
    RIG_EXPECT(&rig, V10,
               "Register{ObjectType=PrivateKey TemplateAttribute{" MASK1("Sign") "} " P256_KEY
                                                                                 "} Get{}",
               "Register Success{UniqueIdentifier='$3'}\n"
               "Get Success{ObjectType=PrivateKey UniqueIdentifier='$3' " P256_KEY "}\n");
}

/* KMIP 2.1, 11.25 reserves the formats of ECDSA, ECDH and ECMQV; what is in them is the same. */
TEST(a_key_of_a_curve_that_1_x_registered_has_the_one_format_of_2_x_there)
{
    fresh();
    (void)rig_ask(&rig, V14,
                  "Register{ObjectType=PrivateKey TemplateAttribute{" MASK1("Sign") "} " P256_KEY
                                                                                    "}");
    RIG_EXPECT(&rig, V21, "Get{UniqueIdentifier='$1'}",
               "Get Success{ObjectType=PrivateKey UniqueIdentifier='$1' PrivateKey{KeyBlock{"
               "KeyFormatType=TransparentECPrivateKey KeyValue{KeyMaterial{RecommendedCurve=P_256 "
               "D=0000000000001234}} CryptographicAlgorithm=ECDSA CryptographicLength=256}}}\n");
    RIG_EXPECT(&rig, V21, "GetAttributes{UniqueIdentifier='$1' AttributeReference=KeyFormatType}",
               "GetAttributes Success{UniqueIdentifier='$1' Attributes{"
               "KeyFormatType=TransparentECPrivateKey}}\n");
    CHECK(
        strstr(rig_ask(&rig, V21, "GetAttributes{UniqueIdentifier='$1' AttributeReference=Digest}"),
               "KeyFormatType=TransparentECPrivateKey}") != NULL);
    CHECK(strstr(rig_ask(&rig, V14, "GetAttributes{UniqueIdentifier='$1' AttributeName='Digest'}"),
                 "KeyFormatType=TransparentECDSAPrivateKey}") != NULL);
}

/* KMIP 2.1, 11.34 */
TEST(a_template_is_given_to_1_x_alone)
{
    fresh();
    RIG_EXPECT(&rig, V14,
               "Register{ObjectType=Template TemplateAttribute{" A1(
                   "Name", "{NameValue='t' NameType=UninterpretedTextString}") "} Template{" AES1
                                                                               "}} Get{}",
               "Register Success{UniqueIdentifier='$1'}\n"
               "Get Success{ObjectType=Template UniqueIdentifier='$1' Template{" AES1 "}}\n");
    RIG_EXPECT(&rig, V21, "Get{UniqueIdentifier='$1'}", "Get OperationFailed(InvalidObjectType)\n");
}

#define RNG(algorithm, drbg)                                                                       \
    "RandomNumberGenerator{RNGAlgorithm=" algorithm " DRBGAlgorithm=" drbg "} "
#define RNG_HERE                                                                                   \
    "RandomNumberGenerator{RNGAlgorithm=DRBG CryptographicAlgorithm=AES "                          \
    "CryptographicLength=256 DRBGAlgorithm=CTR}"
#define AES_2 "CryptographicAlgorithm=AES CryptographicUsageMask=Encrypt "

TEST(one_of_several_generators_that_are_asked_for_makes_the_key)
{
    fresh();
    RIG_EXPECT(&rig, V21,
               "Create{ObjectType=SymmetricKey Attributes{" AES_2 RNG("DRBG", "Hash")
                   RNG("DRBG", "CTR") "}} GetAttributes{AttributeReference=RandomNumberGenerator}",
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
               "GetAttributes Success{UniqueIdentifier='$1' Attributes{" RNG_HERE "}}\n");
    RIG_EXPECT(&rig, V21,
               "Create{ObjectType=SymmetricKey Attributes{" AES_2 RNG("DRBG", "Hash")
                   RNG("DRBG", "HMAC") "}}",
               "Create OperationFailed(InvalidAttributeValue)\n");
    RIG_EXPECT(&rig, V21,
               "CreateKeyPair{CommonAttributes{CryptographicAlgorithm=ECDSA " RNG("DRBG", "Hash")
                   RNG("DRBG", "CTR") "} PrivateKeyAttributes{CryptographicUsageMask=Sign} "
                                      "PublicKeyAttributes{CryptographicUsageMask=Verify}} "
                                      "GetAttributes{AttributeReference=RandomNumberGenerator}",
               "CreateKeyPair Success{PrivateKeyUniqueIdentifier='$2' "
               "PublicKeyUniqueIdentifier='$3'}\n"
               "GetAttributes Success{UniqueIdentifier='$2' Attributes{" RNG_HERE "}}\n");
    RIG_EXPECT(&rig, V21,
               "GetAttributes{UniqueIdentifier='$3' AttributeReference=RandomNumberGenerator}",
               "GetAttributes Success{UniqueIdentifier='$3' Attributes{" RNG_HERE "}}\n");
}

TEST(a_key_that_comes_from_outside_was_made_by_one_generator)
{
    fresh();
    RIG_EXPECT(&rig, V21,
               "Register{ObjectType=SymmetricKey Attributes{CryptographicUsageMask=Encrypt " RNG(
                   "DRBG", "Hash") RNG("DRBG", "CTR") "} SymmetricKey{KeyBlock{KeyFormatType=Raw "
                                                      "KeyValue{KeyMaterial:ByteString="
                                                      "00112233445566778899aabbccddeeff} "
                                                      "CryptographicAlgorithm=AES "
                                                      "CryptographicLength=128}}}",
               "Register OperationFailed(AttributeSingleValued)\n");
}

/* ---- Derive Key */

#define SECRET(bytes)                                                                              \
    "SecretData{SecretDataType=Password KeyBlock{KeyFormatType=Opaque "                            \
    "KeyValue{KeyMaterial:ByteString=" bytes "}}}"
#define PBKDF2 "DerivationMethod=PBKDF2 DerivationParameters{Salt=73616c74 IterationCount=1}"
#define AES128_2                                                                                   \
    "Attributes{CryptographicAlgorithm=AES CryptographicLength=128 "                               \
    "CryptographicUsageMask=Encrypt}"

/* A secret "password" (RFC 6070), registered in 2.1; its number. */
static size_t secret(const char *attributes)
{
    char asked[512];

    serving();
    snprintf(asked, sizeof asked, "Register{ObjectType=SecretData Attributes{%s} %s}", attributes,
             SECRET("70617373776f7264"));
    (void)rig_ask(&rig, V21, asked);
    return rig.uids;
}

TEST(a_key_of_a_password_is_what_rfc_6070_says_and_points_to_it)
{
    fresh();
    RIG_EXPECT(&rig, V12,
               "Register{ObjectType=SecretData TemplateAttribute{" MASK1("DeriveKey") ACTIVE1
               "} " SECRET("70617373776f7264") "}",
               "Register Success{UniqueIdentifier='$1'}\n");
    RIG_EXPECT(&rig, V12,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' " PBKDF2
               " TemplateAttribute{" AES1 LENGTH1("128") MASK1("Encrypt") "}} Get{}",
               "DeriveKey Success{UniqueIdentifier='$2'}\n"
               "Get Success{ObjectType=SymmetricKey UniqueIdentifier='$2' SymmetricKey{KeyBlock{"
               "KeyFormatType=Raw KeyValue{KeyMaterial:ByteString=0c60c80f961f0e71f3a9b524af601206"
               "} CryptographicAlgorithm=AES CryptographicLength=128}}}\n");
    RIG_EXPECT(&rig, V21, "GetAttributes{UniqueIdentifier='$2' AttributeReference=Link}",
               "GetAttributes Success{UniqueIdentifier='$2' Attributes{Link{"
               "LinkType=DerivationBaseObjectLink LinkedObjectIdentifier='$1'}}}\n");
    RIG_EXPECT(&rig, V21, "GetAttributes{UniqueIdentifier='$1' AttributeReference=Link}",
               "GetAttributes Success{UniqueIdentifier='$1' Attributes{Link{"
               "LinkType=DerivedKeyLink LinkedObjectIdentifier='$2'}}}\n");
}

TEST(secret_data_of_any_length_is_derived_in_1_x_where_it_has_no_such_attribute)
{
    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey ActivationDate=NOW-60");
    RIG_EXPECT(&rig, V10,
               "DeriveKey{ObjectType=SecretData UniqueIdentifier='$1' " PBKDF2
               " TemplateAttribute{" LENGTH1("24")
                   MASK1("DeriveKey") "}} "
                                      "Get{} GetAttributes{AttributeName='Cryptographic Length'}",
               "DeriveKey Success{UniqueIdentifier='$2'}\n"
               "Get Success{ObjectType=SecretData UniqueIdentifier='$2' SecretData{"
               "SecretDataType=Seed KeyBlock{KeyFormatType=Raw "
               "KeyValue{KeyMaterial:ByteString=0c60c8}}}}\n"
               "GetAttributes Success{UniqueIdentifier='$2'}\n");
}

/* From the key material on, what Get says. */
static const char *material(size_t key)
{
    char asked[80];
    const char *found;

    snprintf(asked, sizeof asked, "Get{UniqueIdentifier='$%zu'}", key);
    found = strstr(rig_ask(&rig, V21, asked), "KeyMaterial");
    return found ? found : "none";
}

TEST(a_second_secret_is_the_derivation_data)
{
    static char first[400];

    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey ActivationDate=NOW-60");
    (void)rig_ask(&rig, V21,
                  "Register{ObjectType=SymmetricKey Attributes{CryptographicUsageMask=DeriveKey "
                  "ActivationDate=NOW-60} SymmetricKey{KeyBlock{KeyFormatType=Raw "
                  "KeyValue{KeyMaterial:ByteString=000102030405060708090a0b0c0d0e0f} "
                  "CryptographicAlgorithm=AES CryptographicLength=128}}}");
    /* whichever is named first: the secret is the data. The same bytes as data give the same key. */
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' UniqueIdentifier='$2' "
               "DerivationMethod=HMAC DerivationParameters{} " AES128_2 "}",
               "DeriveKey Success{UniqueIdentifier='$3'}\n");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$2' DerivationMethod=HMAC "
               "DerivationParameters{DerivationData=70617373776f7264} " AES128_2 "}",
               "DeriveKey Success{UniqueIdentifier='$4'}\n");
    snprintf(first, sizeof first, "%s", material(3));
    CHECK_STR(material(4), first);
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$2' UniqueIdentifier='$1' "
               "DerivationMethod=HMAC DerivationParameters{DerivationData=01} " AES128_2 "}",
               "DeriveKey OperationFailed(InvalidMessage)\n");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$2' "
               "DerivationMethod=HASH DerivationParameters{CryptographicParameters{"
               "HashingAlgorithm=SHA_256} DerivationData=01} " AES128_2 "}",
               "DeriveKey OperationFailed(InvalidMessage)\n");
}

/* ---- What is not derived */

/* A request about $1, and what its refusal is called in 1.x and in 2.x. */
static void refused(const char *asked1, const char *asked2, const char *reason1,
                    const char *reason2, const char *file, int line)
{
    char expected[100];

    snprintf(expected, sizeof expected, "DeriveKey OperationFailed(%s)\n", reason1);
    rig_expect(&rig, V14, asked1, expected, file, line);
    snprintf(expected, sizeof expected, "DeriveKey OperationFailed(%s)\n", reason2);
    rig_expect(&rig, V21, asked2, expected, file, line);
}
#define AES128_1 "TemplateAttribute{" AES1 LENGTH1("128") MASK1("Encrypt") "}"
#define NOT_DERIVED(type, how, reason1, reason2)                                                   \
    refused("DeriveKey{ObjectType=" type " " how " " AES128_1 "}",                                 \
            "DeriveKey{ObjectType=" type " " how " " AES128_2 "}", reason1, reason2, __FILE__,     \
            __LINE__)

TEST(an_object_that_is_not_for_it_is_named_with_its_reason)
{
    fresh();
    (void)secret("CryptographicUsageMask=Encrypt ActivationDate=NOW-60");
    NOT_DERIVED("SymmetricKey", "UniqueIdentifier='$1' " PBKDF2, "InvalidField",
                "IncompatibleCryptographicUsageMask");
    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey");
    NOT_DERIVED("SymmetricKey", "UniqueIdentifier='$1' " PBKDF2, "InvalidField",
                "WrongKeyLifecycleState");
    NOT_DERIVED("SymmetricKey", "UniqueIdentifier='nothing' " PBKDF2, "ItemNotFound",
                "ObjectNotFound");
    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey ActivationDate=NOW-60");
    NOT_DERIVED("PrivateKey", "UniqueIdentifier='$1' " PBKDF2, "InvalidField", "InvalidObjectType");
    NOT_DERIVED("SymmetricKey",
                "UniqueIdentifier='$1' UniqueIdentifier='$1' DerivationMethod=AsymmetricKey "
                "DerivationParameters{}",
                "InvalidField", "InvalidObjectType");
    rig.who = &rig.others; /* another group's */
    NOT_DERIVED("SymmetricKey", "UniqueIdentifier='$1' " PBKDF2, "ItemNotFound", "ObjectNotFound");
    rig.who = &rig.mine;
}

TEST(parameters_that_are_missing_or_not_here_are_refused)
{
    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey ActivationDate=NOW-60");
    NOT_DERIVED("SymmetricKey", PBKDF2, "InvalidMessage", "InvalidMessage");
    NOT_DERIVED("SymmetricKey", "UniqueIdentifier='$1' DerivationMethod=PBKDF2", "InvalidMessage",
                "InvalidMessage");
    NOT_DERIVED("SymmetricKey", "UniqueIdentifier='$1' DerivationParameters{}", "InvalidMessage",
                "InvalidMessage");
    NOT_DERIVED(
        "SymmetricKey",
        "UniqueIdentifier='$1' DerivationMethod=PBKDF2 DerivationParameters{IterationCount=1}",
        "InvalidField", "BadCryptographicParameters");
    NOT_DERIVED("SymmetricKey",
                "UniqueIdentifier='$1' DerivationMethod=HMAC DerivationParameters{}",
                "InvalidField", "BadCryptographicParameters");
    NOT_DERIVED("SymmetricKey",
                "UniqueIdentifier='$1' DerivationMethod=NIST800_108_C "
                "DerivationParameters{DerivationData=01}",
                "InvalidField", "FeatureNotSupported");
    NOT_DERIVED("SymmetricKey",
                "UniqueIdentifier='$1' DerivationMethod:Enumeration=0x00000077 "
                "DerivationParameters{DerivationData=01}",
                "InvalidField", "InvalidField");
    NOT_DERIVED("SymmetricKey",
                "UniqueIdentifier='$1' DerivationMethod=HASH DerivationParameters{"
                "CryptographicParameters{HashingAlgorithm=MD2}}",
                "InvalidField", "FeatureNotSupported");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' " PBKDF2
               " Attributes{CryptographicAlgorithm=AES CryptographicLength=100}}",
               "DeriveKey OperationFailed(CryptographicFailure)\n");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' " PBKDF2
               " Attributes{CryptographicAlgorithm=AES}}",
               "DeriveKey OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SecretData UniqueIdentifier='$1' DerivationMethod=HASH "
               "DerivationParameters{CryptographicParameters{HashingAlgorithm=SHA_256}} "
               "Attributes{CryptographicLength=264}}",
               "DeriveKey OperationFailed(CryptographicFailure)\n");
}

TEST(the_id_placeholder_is_not_derived_from_and_is_what_was_derived)
{
    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey ActivationDate=NOW-60");
    RIG_EXPECT(&rig, V21,
               "Check{UniqueIdentifier='$1'} DeriveKey{ObjectType=SymmetricKey " PBKDF2 " " AES128_2
               "}",
               "Check Success{UniqueIdentifier='$1'}\nDeriveKey OperationFailed(InvalidMessage)\n");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' " PBKDF2 " " AES128_2
               "} Activate{} Destroy{UniqueIdentifier:Enumeration=DeriveKey}",
               "DeriveKey Success{UniqueIdentifier='$2'}\nActivate Success{UniqueIdentifier='$2'}\n"
               "Destroy OperationFailed(WrongKeyLifecycleState)\n");
}

TEST(a_use_is_taken_from_the_usage_limits_of_what_is_derived_from)
{
    fresh();
    (void)secret("CryptographicUsageMask=DeriveKey ActivationDate=NOW-60 "
                 "UsageLimits{UsageLimitsTotal=1 UsageLimitsUnit=Object}");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' " PBKDF2 " " AES128_2 "}",
               "DeriveKey Success{UniqueIdentifier='$2'}\n");
    RIG_EXPECT(&rig, V21,
               "DeriveKey{ObjectType=SymmetricKey UniqueIdentifier='$1' " PBKDF2 " " AES128_2 "}",
               "DeriveKey OperationFailed(UsageLimitExceeded)\n");
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
