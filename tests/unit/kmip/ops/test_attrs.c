/* Get Attributes, Get Attribute List and the four operations that change attributes: what they answer in 1.x and in 2.x, and what each mistake is called in both (KMIP 1.4, 11.13 to 11.17;
 * 2.1, 6.1.2, 6.1.13, 6.1.20, 6.1.21, 6.1.34, 6.1.51). */
#include "kmip/ops/ops_rig.h"

#define V10 KMIP_V(1, 0)
#define V12 KMIP_V(1, 2)
#define V14 KMIP_V(1, 4)
#define V20 KMIP_V(2, 0)
#define V21 KMIP_V(2, 1)

static struct rig rig;
static char text[8192];

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "attrs", "");
    }
}

/* A key with a name of its own; what is written %zu in the request stands for its number. */
static size_t fresh_key(const char *attributes)
{
    serving();
    return rig_create(&rig, attributes);
}

static void expect_of(size_t key, int version, const char *items, const char *expected,
                      const char *file, int line)
{
    char asked[8192], answer[8192];

    /* cppcheck-suppress wrongPrintfScanfArgNum ; %1$zu and the like may stand several times */
    snprintf(asked, sizeof asked, items, key, key, key, key);
    /* cppcheck-suppress wrongPrintfScanfArgNum ; as above */
    snprintf(answer, sizeof answer, expected, key, key, key, key);
    rig_expect(&rig, version, asked, answer, file, line);
}
/* Requests and answers about one object, which is $%zu in both. */
#define EXPECT_OF(key, version, items, expected)                                                   \
    expect_of((key), (version), (items), (expected), __FILE__, __LINE__)

/* An attribute of 1.x, and one with an index. */
#define A1(name, value) "Attribute{AttributeName='" name "' AttributeValue" value "}"
#define A1N(name, n, value)                                                                        \
    "Attribute{AttributeName='" name "' AttributeIndex=" n " AttributeValue" value "}"
#define NAME(text) "{NameValue='" text "' NameType=UninterpretedTextString}"
#define IS "UniqueIdentifier='$%zu'"
#define ON IS " "

/* ---- Reading */

TEST(attributes_come_in_the_order_in_which_they_are_asked_for)
{
    const size_t key = fresh_key("ActivationDate=NOW-60 Name" NAME("order"));

    EXPECT_OF(
        key, V21,
        "GetAttributes{" ON "AttributeReference=State AttributeReference=Name "
        "AttributeReference=ObjectType AttributeReference=UniqueIdentifier "
        "AttributeReference=CryptographicLength AttributeReference=ActivationDate}",
        "GetAttributes Success{" ON "Attributes{State=Active Name" NAME(
            "order") " ObjectType=SymmetricKey UniqueIdentifier='$%zu' CryptographicLength=256 "
                     "ActivationDate=NOW-60}}\n");
    EXPECT_OF(
        key, V14,
        "GetAttributes{" ON "AttributeName='State' AttributeName='Unique Identifier' "
        "AttributeName='Cryptographic Usage Mask' AttributeName='Lease Time' "
        "AttributeName='Name'}",
        "GetAttributes Success{" ON
            A1("State", ":Enumeration=Active") " " A1("Unique Identifier", "='$%zu'") " " A1(
                "Cryptographic Usage Mask",
                ":Integer='Encrypt Decrypt'") " " A1("Lease Time",
                                                     ":Interval=3600") " " A1("Name",
                                                                              NAME("order")) "}\n");
}

TEST(attributes_without_a_value_and_names_that_nothing_has_are_left_out)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=DeactivationDate}",
              "GetAttributes Success{" ON "Attributes{}}\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='Deactivation Date'}",
              "GetAttributes Success{" IS "}\n");
    /* Fresh came with 1.1, and nobody has Colour: all names asked for are unknown, which does not ask for all attributes */
    EXPECT_OF(key, V10, "GetAttributes{" ON "AttributeName='Fresh' AttributeName='Colour'}",
              "GetAttributes Success{" IS "}\n");
    EXPECT_OF(key, V10, "GetAttributes{" ON "AttributeName='x-Nothing'}",
              "GetAttributes Success{" IS "}\n");
}

TEST(a_reference_to_no_attribute_and_one_asked_for_twice_are_refused)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=KeyBlock}",
              "GetAttributes OperationFailed(InvalidAttribute)\n");
    EXPECT_OF(key, V20, "GetAttributes{" ON "AttributeReference=RotateInterval}",
              "GetAttributes OperationFailed(InvalidAttribute)\n"); /* since 2.1 */
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference:TextString='State'}",
              "GetAttributes OperationFailed(InvalidField)\n");
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=State AttributeReference=State}",
              "GetAttributes OperationFailed(InvalidMessage)\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='State' AttributeName='State'}",
              "GetAttributes OperationFailed(InvalidMessage)\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='x-a' AttributeName='x-a'}",
              "GetAttributes OperationFailed(InvalidMessage)\n");
}

TEST(as_many_attributes_as_an_object_may_have_are_asked_for_and_not_one_more)
{
    const size_t key = fresh_key("");
    static char items[40000];

    for (size_t names = 1000; names <= 1001; names++) {
        size_t n = (size_t)snprintf(items, sizeof items, "GetAttributes{" ON, key);
        char found[100];

        for (size_t i = 0; i < names; i++) {
            n += (size_t)snprintf(items + n, sizeof items - n, "AttributeName='x-%zu' ", i);
        }
        snprintf(items + n, sizeof items - n, "}");
        snprintf(found, sizeof found, "GetAttributes Success{" IS "}\n", key);
        RIG_EXPECT(&rig, V14, items,
                   names == 1000 ? found : "GetAttributes OperationFailed(InvalidField)\n");
    }
}

TEST(an_object_that_is_not_there_or_of_another_group_has_no_attributes)
{
    const size_t key = fresh_key("");

    RIG_EXPECT(&rig, V14, "GetAttributes{UniqueIdentifier='0'}",
               "GetAttributes OperationFailed(ItemNotFound)\n");
    RIG_EXPECT(&rig, V21, "GetAttributeList{UniqueIdentifier='0'}",
               "GetAttributeList OperationFailed(ObjectNotFound)\n");
    RIG_EXPECT(&rig, V14, "GetAttributes{}", "GetAttributes OperationFailed(ItemNotFound)\n");
    rig.who = &rig.others;
    EXPECT_OF(key, V21, "GetAttributes{" ON "}", "GetAttributes OperationFailed(ObjectNotFound)\n");
    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{Comment='mine'}}",
              "AddAttribute OperationFailed(ObjectNotFound)\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Name'}",
              "DeleteAttribute OperationFailed(ItemNotFound)\n");
    rig.who = &rig.stranger;
    EXPECT_OF(key, V21, "GetAttributes{" ON "}",
              "GetAttributes OperationFailed(AuthenticationNotSuccessful)\n");
    rig.who = &rig.mine;
}

/* All attributes of a new key, without those whose value is another each time. */
TEST(all_attributes_of_a_version_are_given_when_none_is_named)
{
    const size_t key =
        fresh_key("Name" NAME("all") " Comment='hello' "
                                     "Attribute{VendorIdentification='acme' AttributeName='rack' "
                                     "AttributeValue:Integer=7} "
                                     "Attribute{VendorIdentification='x' AttributeName='row' "
                                     "AttributeValue='b'}");

    EXPECT_OF(key, V10, "GetAttributeList{" ON "}",
              "GetAttributeList Success{" ON
              "AttributeName='Unique Identifier' AttributeName='Object Type' "
              "AttributeName='Cryptographic Algorithm' AttributeName='Cryptographic Length' "
              "AttributeName='Cryptographic Usage Mask' AttributeName='Name' AttributeName='x-row' "
              "AttributeName='Initial Date' AttributeName='Last Change Date' "
              "AttributeName='Lease Time' AttributeName='State' AttributeName='Digest'}\n");
    EXPECT_OF(key, V14, "GetAttributeList{" ON "}",
              "GetAttributeList Success{" ON
              "AttributeName='Unique Identifier' AttributeName='Object Type' "
              "AttributeName='Cryptographic Algorithm' AttributeName='Cryptographic Length' "
              "AttributeName='Cryptographic Usage Mask' AttributeName='Name' "
              "AttributeName='Comment' AttributeName='x-row' AttributeName='Initial Date' "
              "AttributeName='Last Change Date' AttributeName='Lease Time' "
              "AttributeName='Original Creation Date' AttributeName='Fresh' AttributeName='State' "
              "AttributeName='Random Number Generator' AttributeName='Sensitive' "
              "AttributeName='Always Sensitive' AttributeName='Extractable' "
              "AttributeName='Never Extractable' AttributeName='Digest'}\n");
    EXPECT_OF(key, V21, "GetAttributeList{" ON "}",
              "GetAttributeList Success{" ON
              "AttributeReference=UniqueIdentifier AttributeReference=ObjectType "
              "AttributeReference=CryptographicAlgorithm AttributeReference=CryptographicLength "
              "AttributeReference=CryptographicUsageMask AttributeReference=Name "
              "AttributeReference=Comment "
              "AttributeReference{VendorIdentification='acme' AttributeName='rack'} "
              "AttributeReference{VendorIdentification='x' AttributeName='row'} "
              "AttributeReference=InitialDate AttributeReference=LastChangeDate "
              "AttributeReference=LeaseTime AttributeReference=OriginalCreationDate "
              "AttributeReference=Fresh AttributeReference=State "
              "AttributeReference=ShortUniqueIdentifier AttributeReference=ProtectionStorageMask "
              "AttributeReference=RandomNumberGenerator AttributeReference=Sensitive "
              "AttributeReference=AlwaysSensitive AttributeReference=Extractable "
              "AttributeReference=NeverExtractable AttributeReference=KeyFormatType "
              "AttributeReference=Digest}\n");
}

TEST(instances_are_all_given_with_their_indexes_and_listed_once)
{
    const size_t key = fresh_key("Name" NAME("i0") " Name" NAME("i1") " ObjectGroup='g'");

    EXPECT_OF(
        key, V14, "GetAttributes{" ON "AttributeName='Name'}",
        "GetAttributes Success{" ON A1("Name", NAME("i0")) " " A1N("Name", "1", NAME("i1")) "}\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Name' AttributeIndex=0}",
              "DeleteAttribute Success{" ON A1("Name", NAME("i0")) "}\n");
    /* 1.4, 2.1.1: the index of the other one stays */
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='Name'}",
              "GetAttributes Success{" ON A1N("Name", "1", NAME("i1")) "}\n");
    EXPECT_OF(key, V14, "AddAttribute{" ON A1("Name", NAME("i2")) "}",
              "AddAttribute Success{" ON A1N("Name", "2", NAME("i2")) "}\n");
    snprintf(text, sizeof text, "GetAttributeList{UniqueIdentifier='$%zu'}", key);
    const char *list = rig_ask(&rig, V14, text);
    CHECK(strstr(list, "'Name'") && !strstr(strstr(list, "'Name'") + 1, "'Name'"));
}

/* ---- Adding */

TEST(add_gives_the_attribute_back_in_1_x_and_the_identifier_alone_in_2_x)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V14, "AddAttribute{" ON A1("x-Product", "='ESXi'") "}",
              "AddAttribute Success{" ON A1("x-Product", "='ESXi'") "}\n");
    EXPECT_OF(key, V14, "AddAttribute{" ON A1("x-Product", ":Integer=7") "}",
              "AddAttribute Success{" ON A1N("x-Product", "1", ":Integer=7") "}\n");
    EXPECT_OF(key, V21,
              "AddAttribute{" ON "NewAttribute{Attribute{VendorIdentification='x' "
              "AttributeName='Product' AttributeValue='7.0'}}}",
              "AddAttribute Success{" IS "}\n");
    EXPECT_OF(key, V12, "GetAttributes{" ON "AttributeName='x-Product'}",
              "GetAttributes Success{" ON A1("x-Product", "='ESXi'") " " A1N(
                  "x-Product", "1", ":Integer=7") " " A1N("x-Product", "2", "='7.0'") "}\n");
}

/* vCenter: three in one batch, by the placeholder of a key made in it. */
TEST(several_attributes_are_added_in_one_batch)
{
    const size_t key = fresh_key("");

    rig_clock(&rig, rig.now + 100);
    EXPECT_OF(
        key, KMIP_V(1, 1),
        "AddAttribute{" ON A1("x-Vendor", "='V'") "} AddAttribute{" ON A1(
            "x-Product", "='P'") "} AddAttribute{" ON A1("x-Version", "='7.0.3'") "}",
        "AddAttribute Success{" ON A1("x-Vendor", "='V'") "}\nAddAttribute Success{" ON A1(
            "x-Product", "='P'") "}\nAddAttribute Success{" ON A1("x-Version", "='7.0.3'") "}\n");
    EXPECT_OF(key, KMIP_V(1, 1),
              "GetAttributes{" ON "AttributeName='Last Change Date' "
              "AttributeName='Initial Date' AttributeName='x-Version'}",
              "GetAttributes Success{" ON A1("Last Change Date", ":DateTime=NOW") " " A1(
                  "Initial Date", ":DateTime=NOW-100") " " A1("x-Version", "='7.0.3'") "}\n");
}

TEST(what_cannot_be_added_is_refused_by_the_name_that_each_version_has_for_it)
{
    const size_t key = fresh_key("Comment='one' Name" NAME("taken"));
    static const struct {
        const char *attr1, *attr2, *reason1, *reason2;
    } row[] = {
        /* read-only attributes */
        {A1("State", ":Enumeration=Active"), "State=Active", "PermissionDenied",
         "ReadOnlyAttribute"},
        {A1("Cryptographic Length", ":Integer=128"), "CryptographicLength=128", "PermissionDenied",
         "ReadOnlyAttribute"},
        {A1("Initial Date", ":DateTime=NOW"), "InitialDate=NOW", "PermissionDenied",
         "ReadOnlyAttribute"},
        {A1("y-mine", "='1'"),
         "Attribute{VendorIdentification='y' AttributeName='mine' AttributeValue='1'}",
         "PermissionDenied", "ReadOnlyAttribute"},
        /* there already */
        {A1("Comment", "='two'"), "Comment='two'", "IllegalOperation", "AttributeSingleValued"},
        {A1("Cryptographic Usage Mask", ":Integer=Encrypt"), "CryptographicUsageMask=Encrypt",
         "IllegalOperation", "AttributeSingleValued"},
        /* not for keys */
        {A1("Cryptographic Domain Parameters", "{Qlength:Integer=1}"),
         "CryptographicDomainParameters{Qlength=1}", "PermissionDenied", "InvalidAttribute"},
        /* names are unique, also on the object itself */
        {A1("Name", NAME("taken")), "Name" NAME("taken"), "IllegalOperation",
         "NonUniqueNameAttribute"},
        /* values */
        {A1("Name", "{NameValue='half'}"), "Name{NameValue='half'}", "InvalidField",
         "InvalidAttributeValue"},
        {A1("Name", "{NameValue='' NameType=URI}"), "Name{NameValue='' NameType=URI}",
         "InvalidField", "InvalidAttributeValue"},
        {A1("Link", "{LinkType=0x00000999 LinkedObjectIdentifier='a'}"),
         "Link{LinkType=0x00000999 LinkedObjectIdentifier='a'}", "InvalidField",
         "InvalidAttributeValue"},
        {A1("Usage Limits", "{UsageLimitsTotal=-1 UsageLimitsUnit=Byte}"),
         "UsageLimits{UsageLimitsTotal=-1 UsageLimitsUnit=Byte}", "InvalidField",
         "InvalidAttributeValue"},
        {A1("Application Specific Information", "{ApplicationNamespace='ssl'}"),
         "ApplicationSpecificInformation{ApplicationNamespace='ssl'}",
         "ApplicationNamespaceNotSupported", "ApplicationNamespaceNotSupported"},
        /* types, and attributes that are none */
        {A1("Comment", ":Integer=1"), "Comment:Integer=1", "InvalidField", "InvalidAttribute"},
        {A1("Colour", "='red'"), "KeyBlock{}", "InvalidField", "InvalidAttribute"},
    };

    for (size_t i = 0; i < KLM_COUNT(row); i++) {
        char items[1024], expected[256];

        snprintf(items, sizeof items, "AddAttribute{UniqueIdentifier='$%zu' %s}", key,
                 row[i].attr1);
        snprintf(expected, sizeof expected, "AddAttribute OperationFailed(%s)\n", row[i].reason1);
        RIG_EXPECT(&rig, V14, items, expected);
        snprintf(items, sizeof items, "AddAttribute{UniqueIdentifier='$%zu' NewAttribute{%s}}", key,
                 row[i].attr2);
        snprintf(expected, sizeof expected, "AddAttribute OperationFailed(%s)\n", row[i].reason2);
        RIG_EXPECT(&rig, V21, items, expected);
    }
}

TEST(an_index_in_a_request_to_add_is_the_one_that_the_server_gives_or_refused)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V14, "AddAttribute{" ON A1N("Comment", "0", "='first'") "}",
              "AddAttribute Success{" ON A1("Comment", "='first'") "}\n");
    EXPECT_OF(key, V14, "AddAttribute{" ON A1N("x-a", "5", "='first'") "}",
              "AddAttribute OperationFailed(InvalidField)\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='x-a'}",
              "GetAttributes Success{" IS "}\n");
}

TEST(a_request_to_add_nothing_or_two_things_is_refused)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V14, "AddAttribute{" ON "}", "AddAttribute OperationFailed(InvalidMessage)\n");
    EXPECT_OF(key, V21, "AddAttribute{" ON "}", "AddAttribute OperationFailed(InvalidMessage)\n");
    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{}}",
              "AddAttribute OperationFailed(InvalidField)\n");
    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{Comment='a' Description='b'}}",
              "AddAttribute OperationFailed(InvalidField)\n");
    EXPECT_OF(key, V14, "AddAttribute{" ON "Attribute{AttributeName='Comment'}}",
              "AddAttribute OperationFailed(InvalidField)\n");
}

TEST(a_name_of_a_destroyed_object_or_of_another_group_is_free)
{
    const size_t gone = fresh_key("Name" NAME("free again"));
    const size_t key = fresh_key("");

    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{Name" NAME("free again") "}}",
              "AddAttribute OperationFailed(NonUniqueNameAttribute)\n");
    EXPECT_OF(gone, V21, "Destroy{" ON "}", "Destroy Success{UniqueIdentifier='$%zu'}\n");
    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{Name" NAME("free again") "}}",
              "AddAttribute Success{" IS "}\n");
    rig.who = &rig.others;
    (void)fresh_key("Name" NAME("free again"));
    rig.who = &rig.mine;
}

/* ---- Life cycle */

TEST(an_activation_date_of_the_past_makes_a_key_active_at_once_and_then_stays)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V10, "AddAttribute{" ON A1("Activation Date", ":DateTime=NOW-3600") "}",
              "AddAttribute Success{" ON A1("Activation Date", ":DateTime=NOW-3600") "}\n");
    EXPECT_OF(key, V10, "GetAttributes{" ON "AttributeName='State'}",
              "GetAttributes Success{" ON A1("State", ":Enumeration=Active") "}\n");
    EXPECT_OF(key, V10, "ModifyAttribute{" ON A1("Activation Date", ":DateTime=NOW+60") "}",
              "ModifyAttribute OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{ActivationDate=NOW+60}}",
              "ModifyAttribute OperationFailed(WrongKeyLifecycleState)\n");
}

TEST(dates_of_the_future_move_a_key_when_they_come)
{
    const size_t key = fresh_key("ActivationDate=NOW+100");

    EXPECT_OF(key, V21,
              "SetAttribute{" ON "NewAttribute{ActivationDate=NOW+10}} "
              "SetAttribute{" ON "NewAttribute{DeactivationDate=NOW+20}}",
              "SetAttribute Success{" IS "}\nSetAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=State}",
              "GetAttributes Success{" ON "Attributes{State=PreActive}}\n");
    rig_clock(&rig, rig.now + 10);
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=State}",
              "GetAttributes Success{" ON "Attributes{State=Active}}\n");
    rig_clock(&rig, rig.now + 10);
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=State}",
              "GetAttributes Success{" ON "Attributes{State=Deactivated}}\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{DeactivationDate=NOW+60}}",
              "ModifyAttribute OperationFailed(WrongKeyLifecycleState)\n");
}

TEST(dates_keep_their_order_and_those_that_came_stay)
{
    const size_t key =
        fresh_key("ActivationDate=NOW-10 ProtectStopDate=NOW+50 ProcessStartDate=NOW");

    EXPECT_OF(
        key, V21, "AddAttribute{" ON "NewAttribute{DeactivationDate=NOW+40}}",
        "AddAttribute OperationFailed(InvalidAttributeValue)\n"); /* before Protect Stop Date */
    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{DeactivationDate=NOW+60}}",
              "AddAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{ProcessStartDate=NOW+5}}",
              "ModifyAttribute OperationFailed(AttributeReadOnly)\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Process Start Date", ":DateTime=NOW+5") "}",
              "ModifyAttribute OperationFailed(PermissionDenied)\n");
    EXPECT_OF(
        key, V21, "ModifyAttribute{" ON "NewAttribute{ProtectStopDate=NOW-20}}",
        "ModifyAttribute OperationFailed(InvalidAttributeValue)\n"); /* before Activation Date */
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{ProtectStopDate=NOW+55}}",
              "ModifyAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{DeactivationDate=NOW-5}}",
              "ModifyAttribute OperationFailed(InvalidAttributeValue)\n");
}

TEST(deactivation_to_the_past_deactivates)
{
    const size_t key = fresh_key("ActivationDate=NOW-10");

    EXPECT_OF(key, V14, "AddAttribute{" ON A1("Deactivation Date", ":DateTime=NOW-5") "}",
              "AddAttribute Success{" ON A1("Deactivation Date", ":DateTime=NOW-5") "}\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='State'}",
              "GetAttributes Success{" ON A1("State", ":Enumeration=Deactivated") "}\n");
}

/* ---- Secrecy */

TEST(what_was_ever_false_has_not_always_been_true)
{
    const size_t key = fresh_key("Sensitive=true Extractable=false");
#define SECRECY                                                                                    \
    "GetAttributes{" ON "AttributeReference=Sensitive AttributeReference=AlwaysSensitive "         \
    "AttributeReference=Extractable AttributeReference=NeverExtractable}"

    EXPECT_OF(key, V21, SECRECY,
              "GetAttributes Success{" ON "Attributes{Sensitive=true AlwaysSensitive=true "
              "Extractable=false NeverExtractable=true}}\n");
    EXPECT_OF(key, V21, "SetAttribute{" ON "NewAttribute{Sensitive=false}}",
              "SetAttribute Success{" IS "}\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Extractable", ":Boolean=true") "}",
              "ModifyAttribute Success{" ON A1("Extractable", ":Boolean=true") "}\n");
    EXPECT_OF(key, V21,
              "SetAttribute{" ON "NewAttribute{Sensitive=true}} "
              "SetAttribute{" ON "NewAttribute{Extractable=false}}",
              "SetAttribute Success{" IS "}\nSetAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, SECRECY,
              "GetAttributes Success{" ON "Attributes{Sensitive=true AlwaysSensitive=false "
              "Extractable=false NeverExtractable=false}}\n");
    EXPECT_OF(key, V21, "SetAttribute{" ON "NewAttribute{AlwaysSensitive=true}}",
              "SetAttribute OperationFailed(ReadOnlyAttribute)\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "AttributeReference=Sensitive}",
              "DeleteAttribute OperationFailed(AttributeReadOnly)\n");
}

/* ---- Usage limits */

TEST(usage_limits_are_counted_by_the_server_and_stay_once_a_part_was_given_out)
{
    const size_t key = fresh_key("ActivationDate=NOW-10");
#define LIMITS1(total) "{UsageLimitsTotal=" total " UsageLimitsUnit=Byte}"
#define KEPT(total, count)                                                                         \
    "{UsageLimitsTotal=" total " UsageLimitsCount=" count " UsageLimitsUnit=Byte}"

    EXPECT_OF(key, V10, "AddAttribute{" ON A1("Usage Limits", LIMITS1("1000")) "}",
              "AddAttribute Success{" ON A1("Usage Limits", KEPT("1000", "1000")) "}\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{UsageLimits" KEPT("2000", "5") "}}",
              "ModifyAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, "GetUsageAllocation{" ON "UsageLimitsCount=500}",
              "GetUsageAllocation Success{" IS "}\n");
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=UsageLimits}",
              "GetAttributes Success{" ON "Attributes{UsageLimits" KEPT("2000", "1500") "}}\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{UsageLimits" KEPT("9000", "9000") "}}",
              "ModifyAttribute OperationFailed(AttributeReadOnly)\n");
    EXPECT_OF(key, V21, "SetAttribute{" ON "NewAttribute{UsageLimits" KEPT("9000", "9000") "}}",
              "SetAttribute OperationFailed(ReadOnlyAttribute)\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Usage Limits'}",
              "DeleteAttribute OperationFailed(PermissionDenied)\n");
}

TEST(a_count_that_comes_with_a_new_key_is_not_believed)
{
    const size_t key =
        fresh_key("UsageLimits{UsageLimitsTotal=10 UsageLimitsCount=99 UsageLimitsUnit=Object}");

    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=UsageLimits}",
              "GetAttributes Success{" ON "Attributes{UsageLimits{UsageLimitsTotal=10 "
              "UsageLimitsCount=10 UsageLimitsUnit=Object}}}\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "AttributeReference=UsageLimits}",
              "DeleteAttribute Success{" IS "}\n");
}

/* ---- Modifying */

TEST(modify_changes_the_instance_that_is_meant)
{
    const size_t key = fresh_key("Name" NAME("m0") " Name" NAME("m1"));

    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Name", NAME("m00")) "}",
              "ModifyAttribute Success{" ON A1("Name", NAME("m00")) "}\n"); /* none given: 0 */
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1N("Name", "1", NAME("m11")) "}",
              "ModifyAttribute Success{" ON A1N("Name", "1", NAME("m11")) "}\n");
    EXPECT_OF(key, V21,
              "ModifyAttribute{" ON
              "CurrentAttribute{Name" NAME("m11") "} NewAttribute{Name" NAME("m12") "}}",
              "ModifyAttribute Success{" IS "}\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='Name'}",
              "GetAttributes Success{" ON A1("Name", NAME("m00")) " " A1N("Name", "1",
                                                                          NAME("m12")) "}\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Name", NAME("m12")) "}",
              "ModifyAttribute OperationFailed(IllegalOperation)\n"); /* the other one has it */
}

TEST(what_cannot_be_modified_is_refused_by_the_name_that_each_version_has_for_it)
{
    const size_t key = fresh_key("Name" NAME("n0") " Name" NAME("n1"));
    (void)fresh_key("Name" NAME("taken by another"));

    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Comment", "='a'") "}",
              "ModifyAttribute OperationFailed(InvalidField)\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{Comment='a'}}",
              "ModifyAttribute OperationFailed(AttributeNotFound)\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1N("Name", "7", NAME("n7")) "}",
              "ModifyAttribute OperationFailed(ItemNotFound)\n");
    EXPECT_OF(key, V21,
              "ModifyAttribute{" ON
              "CurrentAttribute{Name" NAME("n7") "} NewAttribute{Name" NAME("n8") "}}",
              "ModifyAttribute OperationFailed(AttributeInstanceNotFound)\n");
    EXPECT_OF(key, V21,
              "ModifyAttribute{" ON "NewAttribute{Name" NAME("n8") "}}", /* which of two? */
              "ModifyAttribute OperationFailed(AttributeInstanceNotFound)\n");
    EXPECT_OF(key, V21,
              "ModifyAttribute{" ON
              "CurrentAttribute{Comment='a'} NewAttribute{Name" NAME("n8") "}}",
              "ModifyAttribute OperationFailed(AttributeInstanceNotFound)\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("State", ":Enumeration=Active") "}",
              "ModifyAttribute OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{State=Active}}",
              "ModifyAttribute OperationFailed(AttributeReadOnly)\n");
    EXPECT_OF(key, V21, "ModifyAttribute{" ON "NewAttribute{CryptographicUsageMask=Sign}}",
              "ModifyAttribute OperationFailed(AttributeReadOnly)\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Name", NAME("taken by another")) "}",
              "ModifyAttribute OperationFailed(IllegalOperation)\n");
    EXPECT_OF(key, V21,
              "ModifyAttribute{" ON "CurrentAttribute{Name" NAME("n0") "} NewAttribute{Name" NAME(
                  "taken by another") "}}",
              "ModifyAttribute OperationFailed(NonUniqueNameAttribute)\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON "}",
              "ModifyAttribute OperationFailed(InvalidMessage)\n");
}

/* Synology renames a Secret Data object, before it is active, to the identifier of the volume. */
TEST(a_name_is_modified_by_a_client_that_sets_an_operation_policy)
{
    serving();
    EXPECT_OF(
        rig.uids + 1, V12,
        "Create{ObjectType=SymmetricKey TemplateAttribute{" A1(
            "Cryptographic Algorithm",
            ":Enumera"
            "tion="
            "AES") " " A1("Cryptographic Length",
                          ":Integer=256") " " A1("Cryptographic Usage Mask",
                                                 ":Integer=Encrypt") " " A1("Operation Policy Name",
                                                                            "='default'") " " A1("N"
                                                                                                 "a"
                                                                                                 "m"
                                                                                                 "e",
                                                                                                 NAME(
                                                                                                     "DSM")) "}} "
                                                                                                             "Mod"
                                                                                                             "ify"
                                                                                                             "Att"
                                                                                                             "rib"
                                                                                                             "ute"
                                                                                                             "{" A1(
                                                                                                                 "Name",
                                                                                                                 NAME(
                                                                                                                     "c0ffee")) "} "
                                                                                                                                "GetAttributes{AttributeName='Name' AttributeName='Operation Policy Name'}",
        "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$%zu'}\n"
        "ModifyAttribute Success{UniqueIdentifier='$%zu' " A1(
            "Name", NAME("c0ffee")) "}\n"
                                    "GetAttributes Success{UniqueIdentifier='$%zu' " A1(
                                        "Name", NAME("c0ffee")) " " A1("Operation Policy Name",
                                                                       "='default'") "}\n");
}

/* ---- Setting */

TEST(set_adds_modifies_the_only_instance_and_refuses_several)
{
    const size_t key = fresh_key("");
#define TC(value)                                                                                  \
    "NewAttribute{Attribute{VendorIdentification='tc' AttributeName='Set' AttributeValue=" value   \
    "}}"

    EXPECT_OF(key, V20, "SetAttribute{" ON TC("'one'") "}", "SetAttribute Success{" IS "}\n");
    EXPECT_OF(key, V20, "SetAttribute{" ON TC("'two'") "}", "SetAttribute Success{" IS "}\n");
    EXPECT_OF(key, V20,
              "GetAttributes{" ON
              "AttributeReference{VendorIdentification='tc' AttributeName='Set'}}",
              "GetAttributes Success{" ON "Attributes{Attribute{VendorIdentification='tc' "
              "AttributeName='Set' AttributeValue='two'}}}\n");
    EXPECT_OF(key, V20, "AddAttribute{" ON TC("'three'") "}", "AddAttribute Success{" IS "}\n");
    EXPECT_OF(key, V20, "SetAttribute{" ON TC("'four'") "}",
              "SetAttribute OperationFailed(MultiValuedAttribute)\n");
    EXPECT_OF(key, V20, "SetAttribute{" ON "NewAttribute{InitialDate=NOW}}",
              "SetAttribute OperationFailed(ReadOnlyAttribute)\n");
    EXPECT_OF(key, V20, "SetAttribute{" ON "NewAttribute{ArchiveDate=NOW}}",
              "SetAttribute OperationFailed(ReadOnlyAttribute)\n");
    EXPECT_OF(key, V20, "SetAttribute{" ON "NewAttribute{Name{NameValue='x'}}}",
              "SetAttribute OperationFailed(InvalidAttributeValue)\n");
}

TEST(set_is_no_operation_of_1_x)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V14, "SetAttribute{" ON "}", "OperationFailed(OperationNotSupported)\n");
}

/* ---- Adjusting */

#define VENDOR_N(value)                                                                            \
    "Attribute{VendorIdentification='tc' AttributeName='n' AttributeValue" value "}"
#define ADJUST(reference, type, by)                                                                \
    "AdjustAttribute{" ON "AttributeReference" reference " AdjustmentType=" type " " by "}"
#define TO_N "{VendorIdentification='tc' AttributeName='n'}"

TEST(numbers_intervals_and_dates_are_counted_up_and_down_and_truth_is_turned)
{
    const size_t key = fresh_key("ActivationDate=NOW+100 Sensitive=true " VENDOR_N(":Integer=5"));

    EXPECT_OF(key, V21, ADJUST(TO_N, "Increment", ""), "AdjustAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, ADJUST(TO_N, "Decrement", "AdjustmentValue=10"),
              "AdjustAttribute Success{" IS "}\n");
    EXPECT_OF(key, V20, ADJUST(TO_N, "Negate", ""), "AdjustAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, ADJUST("=ActivationDate", "Increment", "AdjustmentValue=20"),
              "AdjustAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, ADJUST("=Sensitive", "Negate", ""), "AdjustAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, ADJUST("=ProtectionPeriod", "Increment", "AdjustmentValue=60"),
              "AdjustAttribute Success{" IS "}\n"); /* not there: 0 */
    EXPECT_OF(key, V21, ADJUST("=QuantumSafe", "Negate", ""),
              "AdjustAttribute Success{" IS "}\n"); /* not there: false */
    EXPECT_OF(key, V21,
              "GetAttributes{" ON "AttributeReference" TO_N " AttributeReference=ActivationDate "
              "AttributeReference=Sensitive AttributeReference=AlwaysSensitive "
              "AttributeReference=ProtectionPeriod AttributeReference=QuantumSafe}",
              "GetAttributes Success{" ON
              "Attributes{" VENDOR_N(":Integer=4") " "
                                                   "ActivationDate=NOW+120 Sensitive=false "
                                                   "AlwaysSensitive=false ProtectionPeriod=60 "
                                                   "QuantumSafe=true}}\n");
    EXPECT_OF(key, V21, ADJUST("=ActivationDate", "Decrement", "AdjustmentValue=1000"),
              "AdjustAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=State}",
              "GetAttributes Success{" ON "Attributes{State=Active}}\n");
}

TEST(what_cannot_be_adjusted_is_refused)
{
    const size_t key = fresh_key("Comment='c' ActivationDate=NOW ProtectionPeriod=1 " VENDOR_N(
        ":Integer=2147483647") " Attribute{VendorIdentification='tc' AttributeName='l' "
                               "AttributeValue:LongInteger=-9223372036854775808} "
                               "ObjectGroup='a' ObjectGroup='b'");
#define REFUSED_AS(reason) "AdjustAttribute OperationFailed(" reason ")\n"

    EXPECT_OF(key, V21, ADJUST(TO_N, "Increment", ""), REFUSED_AS("NumericRange"));
    EXPECT_OF(key, V21, ADJUST("=ProtectionPeriod", "Decrement", "AdjustmentValue=2"),
              REFUSED_AS("NumericRange"));
    EXPECT_OF(key, V21, ADJUST("{VendorIdentification='tc' AttributeName='l'}", "Negate", ""),
              REFUSED_AS("NumericRange"));
    EXPECT_OF(key, V21, ADJUST("{VendorIdentification='tc' AttributeName='l'}", "Decrement", ""),
              REFUSED_AS("NumericRange"));
    EXPECT_OF(key, V21, ADJUST("=Comment", "Increment", ""), REFUSED_AS("InvalidDataType"));
    EXPECT_OF(key, V21, ADJUST("=ProtectionPeriod", "Negate", ""), REFUSED_AS("InvalidDataType"));
    EXPECT_OF(key, V21, ADJUST("=DeactivationDate", "Increment", ""),
              REFUSED_AS("InvalidDataType"));
    EXPECT_OF(key, V21, ADJUST("{VendorIdentification='tc' AttributeName='none'}", "Increment", ""),
              REFUSED_AS("InvalidDataType"));
    EXPECT_OF(key, V21, ADJUST("=ObjectGroup", "Increment", ""),
              REFUSED_AS("MultiValuedAttribute"));
    EXPECT_OF(key, V21, ADJUST("=InitialDate", "Increment", ""), REFUSED_AS("ReadOnlyAttribute"));
    EXPECT_OF(key, V21, ADJUST("=ArchiveDate", "Increment", ""), REFUSED_AS("ReadOnlyAttribute"));
    EXPECT_OF(key, V21, ADJUST("=ActivationDate", "Increment", ""),
              REFUSED_AS("WrongKeyLifecycleState"));
    EXPECT_OF(key, V21, ADJUST("=KeyBlock", "Increment", ""), REFUSED_AS("InvalidAttribute"));
    EXPECT_OF(key, V21, ADJUST("=Comment", "0x00000077", ""), REFUSED_AS("InvalidField"));
    EXPECT_OF(key, V21, "AdjustAttribute{" ON "AdjustmentType=Increment}",
              REFUSED_AS("InvalidMessage"));
}

/* ---- Deleting */

TEST(delete_takes_the_instance_that_is_meant_or_all_by_reference)
{
    const size_t key =
        fresh_key("Name" NAME("d0") " Name" NAME("d1") " Name" NAME("d2") " Comment='c'");

    EXPECT_OF(key, V21, "DeleteAttribute{" ON "CurrentAttribute{Name" NAME("d1") "}}",
              "DeleteAttribute Success{" IS "}\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Name' AttributeIndex=2}",
              "DeleteAttribute Success{" ON A1N("Name", "2", NAME("d2")) "}\n");
    EXPECT_OF(key, V21,
              "AddAttribute{" ON "NewAttribute{Name" NAME("d3") "}} DeleteAttribute{" ON
                                                                "AttributeReference=Name}",
              "AddAttribute Success{" IS "}\nDeleteAttribute Success{" IS "}\n");
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=Name AttributeReference=Comment}",
              "GetAttributes Success{" ON "Attributes{Comment='c'}}\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Comment'}",
              "DeleteAttribute Success{" ON A1("Comment", "='c'") "}\n");
}

TEST(what_cannot_be_deleted_is_refused_by_the_name_that_each_version_has_for_it)
{
    const size_t key = fresh_key("Name" NAME("e0"));

    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Comment'}",
              "DeleteAttribute OperationFailed(ItemNotFound)\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "AttributeReference=Comment}",
              "DeleteAttribute OperationFailed(AttributeNotFound)\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Colour'}",
              "DeleteAttribute OperationFailed(ItemNotFound)\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='Name' AttributeIndex=1}",
              "DeleteAttribute OperationFailed(ItemNotFound)\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "CurrentAttribute{Name" NAME("other") "}}",
              "DeleteAttribute OperationFailed(AttributeInstanceNotFound)\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "AttributeName='State'}",
              "DeleteAttribute OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "AttributeReference=CryptographicUsageMask}",
              "DeleteAttribute OperationFailed(AttributeReadOnly)\n");
    EXPECT_OF(key, V14, "DeleteAttribute{" ON "}",
              "DeleteAttribute OperationFailed(InvalidMessage)\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "}",
              "DeleteAttribute OperationFailed(InvalidMessage)\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='Name'}",
              "GetAttributes Success{" ON A1("Name", NAME("e0")) "}\n");
}

/* ---- Archived, and too much */

TEST(attributes_of_an_archived_object_are_read_and_not_changed)
{
    const size_t key = fresh_key("Comment='c'");

    EXPECT_OF(key, V14, "Archive{" ON "}", "Archive Success{" IS "}\n");
    EXPECT_OF(key, V14, "GetAttributes{" ON "AttributeName='Archive Date'}",
              "GetAttributes Success{" ON A1("Archive Date", ":DateTime=NOW") "}\n");
    EXPECT_OF(key, V14, "AddAttribute{" ON A1("x-a", "='1'") "}",
              "AddAttribute OperationFailed(ObjectArchived)\n");
    EXPECT_OF(key, V14, "ModifyAttribute{" ON A1("Comment", "='1'") "}",
              "ModifyAttribute OperationFailed(ObjectArchived)\n");
    EXPECT_OF(key, V21, "SetAttribute{" ON "NewAttribute{Comment='1'}}",
              "SetAttribute OperationFailed(ObjectArchived)\n");
    EXPECT_OF(key, V21, "DeleteAttribute{" ON "AttributeReference=Comment}",
              "DeleteAttribute OperationFailed(ObjectArchived)\n");
}

TEST(an_object_takes_a_thousand_instances_and_not_one_more)
{
    const size_t key = fresh_key("");
    char items[128], last[256];
    size_t n;

    for (n = 0; n < 1001; n++) {
        snprintf(items, sizeof items,
                 "AddAttribute{UniqueIdentifier='$%zu' " A1("x-n", ":Integer=1") "}", key);
        snprintf(last, sizeof last, "%s", rig_ask(&rig, V12, items));
        if (!strstr(last, "Success")) {
            break;
        }
    }
    CHECK(n > 900 && n < 1000);
    CHECK_STR(last, "AddAttribute OperationFailed(IndexOutOfBounds)\n");
    EXPECT_OF(key, V21, "AddAttribute{" ON "NewAttribute{Comment='one more'}}",
              "AddAttribute OperationFailed(ServerLimitExceeded)\n");
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
