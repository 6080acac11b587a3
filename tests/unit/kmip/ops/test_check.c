/* Check, Obtain Lease, Get Usage Allocation, Archive and Recover (KMIP 1.4, 4.10, 4.17, 4.18, 4.22, 4.23 and 11; 2.1, 6.1). */
#include "kmip/ops/ops_rig.h"

#define V10 KMIP_V(1, 0)
#define V12 KMIP_V(1, 2)
#define V14 KMIP_V(1, 4)
#define V21 KMIP_V(2, 1)
#define A1(name, value) "Attribute{AttributeName='" name "' AttributeValue" value "}"
#define LIMITS(total, unit) "UsageLimits{UsageLimitsTotal=" total " UsageLimitsUnit=" unit "}"
#define IS "UniqueIdentifier='$%zu'"
#define ON IS " "

static struct rig rig;

static size_t fresh_key(const char *attributes)
{
    if (!rig.house.server) {
        rig_open(&rig, "check", "kmip.lease.time=600\n");
    }
    return rig_create(&rig, attributes);
}

static void expect_of(size_t key, int version, const char *items, const char *expected,
                      const char *file, int line)
{
    char asked[4096], answer[4096];

    /* cppcheck-suppress wrongPrintfScanfArgNum ; %1$zu and the like may stand several times */
    snprintf(asked, sizeof asked, items, key, key, key, key);
    /* cppcheck-suppress wrongPrintfScanfArgNum ; as above */
    snprintf(answer, sizeof answer, expected, key, key, key, key);
    rig_expect(&rig, version, asked, answer, file, line);
}
#define EXPECT_OF(key, version, items, expected)                                                   \
    expect_of((key), (version), (items), (expected), __FILE__, __LINE__)

/* ---- Check */

TEST(a_use_that_fits_is_allowed)
{
    const size_t key = fresh_key("ActivationDate=NOW " LIMITS("1000", "Byte"));

    EXPECT_OF(key, V10, "Check{" ON "UsageLimitsCount=1000}", "Check Success{" IS "}\n");
    EXPECT_OF(key, V14, "Check{" ON "CryptographicUsageMask=Encrypt}", "Check Success{" IS "}\n");
    EXPECT_OF(key, V21,
              "Check{" ON
              "CryptographicUsageMask='Encrypt Decrypt' LeaseTime=600 UsageLimitsCount=1}",
              "Check Success{" IS "}\n");
    EXPECT_OF(key, V21, "Check{" IS "}", "Check Success{" IS "}\n");
}

TEST(a_use_that_does_not_fit_is_refused_by_the_name_that_each_version_has_for_it)
{
    const size_t key = fresh_key("ActivationDate=NOW " LIMITS("1000", "Byte"));

    EXPECT_OF(key, V14, "Check{" ON "CryptographicUsageMask='Encrypt Sign'}",
              "Check OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "Check{" ON "CryptographicUsageMask='Encrypt Sign'}",
              "Check OperationFailed(IncompatibleCryptographicUsageMask)\n");
    EXPECT_OF(key, V14, "Check{" ON "UsageLimitsCount=1001}",
              "Check OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "Check{" ON "UsageLimitsCount=1001}",
              "Check OperationFailed(UsageLimitExceeded)\n");
    EXPECT_OF(key, V21, "Check{" ON "LeaseTime=601}", "Check OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "Check{" ON "UsageLimitsCount=-1}",
              "Check OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V14, "Check{UniqueIdentifier='0'}", "Check OperationFailed(ItemNotFound)\n");
    RIG_EXPECT(&rig, V21, "Check{}", "Check OperationFailed(ObjectNotFound)\n");
}

TEST(an_object_without_usage_limits_has_no_limit)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V14, "Check{" ON "UsageLimitsCount=9223372036854775807}",
              "Check Success{" IS "}\n");
}

TEST(the_placeholder_is_gone_when_a_use_is_refused_and_stays_when_it_is_allowed)
{
    const size_t key = fresh_key("Name{NameValue='placed' NameType=UninterpretedTextString}");
#define FIND "Locate{Attributes{Name{NameValue='placed'}}} "

    EXPECT_OF(key, V21,
              FIND "Check{CryptographicUsageMask=Encrypt} GetAttributes{AttributeReference=State}",
              "Locate Success{" IS "}\nCheck Success{" IS "}\nGetAttributes Success{" ON
              "Attributes{State=PreActive}}\n");
    rig_short(
        &rig,
        rig_tree(&rig, V21, "BatchErrorContinuationOption=Continue",
                 FIND
                 "Check{CryptographicUsageMask=Sign} GetAttributes{AttributeReference=State}"));
    CHECK_STR(
        strchr(rig_short(&rig, rig_tree(&rig, V21, "BatchErrorContinuationOption=Continue",
                                        FIND "Check{CryptographicUsageMask=Sign} GetAttributes{}")),
               '\n'),
        "\nCheck OperationFailed(IncompatibleCryptographicUsageMask)\nGetAttributes "
        "OperationFailed(ObjectNotFound)\n");
}

TEST(a_destroyed_object_and_one_without_uses_are_not_checked)
{
    const size_t key = fresh_key("");

    EXPECT_OF(key, V21, "Destroy{" IS "}", "Destroy Success{" IS "}\n");
    EXPECT_OF(key, V21, "Check{" IS "}", "Check OperationFailed(ObjectDestroyed)\n");
    EXPECT_OF(key, V14, "Check{" IS "}", "Check OperationFailed(PermissionDenied)\n");
    EXPECT_OF(rig.uids + 1, V14,
              "Register{ObjectType=OpaqueObject TemplateAttribute{} "
              "OpaqueObject{OpaqueDataType=0x80000001 OpaqueDataValue=0102}} Check{}",
              "Register Success{" IS "}\nCheck OperationFailed(IllegalOperation)\n");
    EXPECT_OF(rig.uids, V21, "Check{" IS "}", "Check OperationFailed(IllegalObjectType)\n");
}

TEST(a_batch_that_undoes_says_so_of_what_it_checked_too)
{
    const size_t key = fresh_key("");
    char items[512], expected[512];

    snprintf(items, sizeof items,
             "#01:Activate{" IS "} #02:Check{" ON "CryptographicUsageMask=Encrypt} #03:Check{" ON
             "CryptographicUsageMask=Sign}",
             key, key, key);
    snprintf(expected, sizeof expected,
             "Activate OperationUndone{" IS "}\nCheck OperationUndone{" IS
             "}\nCheck OperationFailed(IncompatibleCryptographicUsageMask)\n",
             key, key);
    CHECK_STR(rig_short(&rig, rig_tree(&rig, V21, "BatchErrorContinuationOption=Undo", items)),
              expected);
    EXPECT_OF(key, V21, "GetAttributes{" ON "AttributeReference=State}",
              "GetAttributes Success{" ON "Attributes{State=PreActive}}\n");
}

/* ---- Leases */

TEST(a_lease_is_given_for_the_time_that_the_server_is_set_to_and_changes_nothing)
{
    const size_t key = fresh_key("ActivationDate=NOW");

    rig_clock(&rig, rig.now + 50);
    EXPECT_OF(key, V10, "ObtainLease{" IS "}",
              "ObtainLease Success{" ON "LeaseTime=600 LastChangeDate=NOW-50}\n");
    EXPECT_OF(key, V21, "ObtainLease{" IS "}",
              "ObtainLease Success{" ON "LeaseTime=600 LastChangeDate=NOW-50}\n");
    EXPECT_OF(key, V14,
              "GetAttributes{" ON "AttributeName='Lease Time' AttributeName='Last Change Date'}",
              "GetAttributes Success{" ON A1("Lease Time", ":Interval=600") " " A1(
                  "Last Change Date", ":DateTime=NOW-50") "}\n");
}

TEST(no_lease_is_given_of_what_is_compromised_or_destroyed)
{
    const size_t key = fresh_key("ActivationDate=NOW");

    EXPECT_OF(key, V14,
              "Revoke{" ON
              "RevocationReason{RevocationReasonCode=CessationOfOperation}} ObtainLease{" IS "}",
              "Revoke Success{" IS "}\nObtainLease Success{" ON
              "LeaseTime=600 LastChangeDate=NOW}\n");
    EXPECT_OF(key, V14,
              "Revoke{" ON "RevocationReason{RevocationReasonCode=KeyCompromise}} ObtainLease{" IS
              "}",
              "Revoke Success{" IS "}\nObtainLease OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "Destroy{" IS "} ObtainLease{" IS "}",
              "Destroy Success{" IS "}\nObtainLease OperationFailed(PermissionDenied)\n");
    RIG_EXPECT(&rig, V14, "ObtainLease{UniqueIdentifier='0'}",
               "ObtainLease OperationFailed(ItemNotFound)\n");
}

TEST(leases_that_are_for_ever_are_said_by_a_time_of_nothing)
{
    const size_t key = fresh_key("");

    DO(&rig.house, KM_CONFIG_SET, &admin, "property", "kmip.lease.time", "value", "0");
    EXPECT_OF(key, V14, "ObtainLease{" IS "}",
              "ObtainLease Success{" ON "LeaseTime=0 LastChangeDate=NOW}\n");
    EXPECT_OF(key, V14, "Check{" ON "LeaseTime=4294967295}", "Check Success{" IS "}\n");
    DO(&rig.house, KM_CONFIG_SET, &admin, "property", "kmip.lease.time", "value", "600");
}

/* ---- Usage allocation */

TEST(usage_is_given_out_until_there_is_no_more)
{
    const size_t key =
        fresh_key("ActivationDate=NOW-3600 ProtectStopDate=NOW+600 " LIMITS("1000", "Byte"));

    EXPECT_OF(key, V10,
              "Check{" ON "UsageLimitsCount=500} GetUsageAllocation{" ON "UsageLimitsCount=500}",
              "Check Success{" IS "}\nGetUsageAllocation Success{" IS "}\n");
    EXPECT_OF(key, V10, "GetUsageAllocation{" ON "UsageLimitsCount=500}",
              "GetUsageAllocation Success{" IS "}\n");
    EXPECT_OF(key, V10, "GetUsageAllocation{" ON "UsageLimitsCount=500}",
              "GetUsageAllocation OperationFailed(PermissionDenied)\n");
    EXPECT_OF(key, V21, "GetUsageAllocation{" ON "UsageLimitsCount=1}",
              "GetUsageAllocation OperationFailed(UsageLimitExceeded)\n");
    EXPECT_OF(key, V21, "Check{" ON "UsageLimitsCount=1}",
              "Check OperationFailed(UsageLimitExceeded)\n");
    EXPECT_OF(key, V21,
              "GetAttributes{" ON
              "AttributeReference=UsageLimits AttributeReference=LastChangeDate}",
              "GetAttributes Success{" ON
              "Attributes{UsageLimits{UsageLimitsTotal=1000 UsageLimitsCount=0 "
              "UsageLimitsUnit=Byte} LastChangeDate=NOW}}\n");
}

TEST(usage_is_not_given_out_twice_when_a_batch_is_undone)
{
    const size_t key = fresh_key("ActivationDate=NOW-3600 " LIMITS("10", "Object"));
    char items[512];

    snprintf(items, sizeof items,
             "#01:GetUsageAllocation{" ON "UsageLimitsCount=6} #02:GetUsageAllocation{" ON
             "UsageLimitsCount=6}",
             key, key);
    CHECK(strstr(rig_short(&rig, rig_tree(&rig, V21, "BatchErrorContinuationOption=Undo", items)),
                 "GetUsageAllocation OperationFailed(UsageLimitExceeded)") != NULL);
    EXPECT_OF(key, V21, "Check{" ON "UsageLimitsCount=10}", "Check Success{" IS "}\n");
}

TEST(no_usage_is_given_out_without_limits_before_activation_or_after_the_protect_stop_date)
{
    const size_t none = fresh_key("ActivationDate=NOW");
    const size_t early = fresh_key(LIMITS("10", "Object"));
    const size_t late =
        fresh_key("ActivationDate=NOW-9 ProtectStopDate=NOW " LIMITS("10", "Object"));
    const size_t good = fresh_key("ActivationDate=NOW " LIMITS("10", "Object"));
#define ASK "GetUsageAllocation{" ON "UsageLimitsCount=1}"

    EXPECT_OF(none, V14, ASK, "GetUsageAllocation OperationFailed(IllegalOperation)\n");
    EXPECT_OF(none, V21, ASK, "GetUsageAllocation OperationFailed(AttributeNotFound)\n");
    EXPECT_OF(early, V14, ASK, "GetUsageAllocation OperationFailed(PermissionDenied)\n");
    EXPECT_OF(early, V21, ASK, "GetUsageAllocation OperationFailed(WrongKeyLifecycleState)\n");
    EXPECT_OF(late, V14, ASK, "GetUsageAllocation OperationFailed(PermissionDenied)\n");
    EXPECT_OF(good, V14, "GetUsageAllocation{" IS "}",
              "GetUsageAllocation OperationFailed(InvalidMessage)\n");
    EXPECT_OF(good, V14, "GetUsageAllocation{" ON "UsageLimitsCount=-1}",
              "GetUsageAllocation OperationFailed(InvalidField)\n");
    EXPECT_OF(good, V14, "GetUsageAllocation{" ON "UsageLimitsCount:TextString='1'}",
              "GetUsageAllocation OperationFailed(InvalidField)\n");
}

TEST(a_key_that_only_decrypts_protects_nothing)
{
    fresh_key("");
    EXPECT_OF(rig.uids + 1, V21,
              "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "
              "CryptographicLength=128 "
              "CryptographicUsageMask=Decrypt ActivationDate=NOW " LIMITS(
                  "9", "Object") "}} GetUsageAllocation{UsageLimitsCount=1}",
              "Create Success{ObjectType=SymmetricKey " IS
              "}\nGetUsageAllocation OperationFailed(InvalidObjectType)\n");
    EXPECT_OF(rig.uids, V14, ASK, "GetUsageAllocation OperationFailed(IllegalOperation)\n");
}

/* ---- Archive */

TEST(an_archived_object_is_there_to_be_recovered_and_for_nothing_else)
{
    const size_t key = fresh_key("ActivationDate=NOW " LIMITS("9", "Object"));
    static const char *const items[] = {
        "Get{" IS "}",
        "Archive{" IS "}",
        "Activate{" IS "}",
        "Destroy{" IS "}",
        "Check{" IS "}",
        "ObtainLease{" IS "}",
        "GetUsageAllocation{" ON "UsageLimitsCount=1}",
        "Revoke{" ON "RevocationReason{RevocationReasonCode=KeyCompromise}}",
        "ReKey{" IS "}",
    };

    EXPECT_OF(key, V10, "Archive{" IS "}", "Archive Success{" IS "}\n");
    for (size_t i = 0; i < KLM_COUNT(items); i++) {
        char expected[128];

        snprintf(expected, sizeof expected, "%.*s OperationFailed(ObjectArchived)\n",
                 (int)strcspn(items[i], "{"), items[i]);
        EXPECT_OF(key, V10, items[i], expected);
        EXPECT_OF(key, V21, items[i], expected);
    }
    rig_clock(&rig, rig.now + 5);
    EXPECT_OF(key, V14,
              "Recover{" IS
              "} GetAttributes{AttributeName='Archive Date' AttributeName='Last Change Date'}",
              "Recover Success{" IS
              "}\nGetAttributes Success{" ON A1("Last Change Date", ":DateTime=NOW") "}\n");
    EXPECT_OF(key, V21, "Check{" IS "}", "Check Success{" IS "}\n");
    EXPECT_OF(key, V21, "Recover{" IS "}", "Recover Success{" IS "}\n"); /* it is on line already */
    RIG_EXPECT(&rig, V21, "Recover{UniqueIdentifier='0'}",
               "Recover OperationFailed(ObjectNotFound)\n");
    RIG_EXPECT(&rig, V14, "Archive{UniqueIdentifier='0'}",
               "Archive OperationFailed(ItemNotFound)\n");
}

TEST(the_server_ends)
{
    fresh_key("");
    rig_close(&rig);
}
