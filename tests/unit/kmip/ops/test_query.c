/* Query and Interop: each function in the versions that know it, operations and objects as they are, nothing where there is nothing (KMIP 1.4, 4.25; 2.1, 6.1.40 and 6.1.26). */
#include "kmip/ops/ops_rig.h"

#define V10 KMIP_V(1, 0)
#define V11 KMIP_V(1, 1)
#define V13 KMIP_V(1, 3)
#define V14 KMIP_V(1, 4)
#define V20 KMIP_V(2, 0)
#define V21 KMIP_V(2, 1)

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "query", "kmip.interop=false\n");
    }
}

static bool says(int version, const char *function, const char *what)
{
    char items[128];

    snprintf(items, sizeof items, "Query{QueryFunction=%s}", function);
    return strstr(rig_ask(&rig, version, items), what) != NULL;
}

/* What zkey wants to see before it begins, and what a baseline server has (KMIP Profiles 2.1, 5.2). */
TEST(operations_that_clients_need_are_listed)
{
    static const char *const needed[] = {"Query",
                                         "Create",
                                         "Register",
                                         "Activate",
                                         "Revoke",
                                         "Destroy",
                                         "Get",
                                         "Locate",
                                         "GetAttributeList",
                                         "GetAttributes",
                                         "AddAttribute",
                                         "DeleteAttribute",
                                         "ModifyAttribute",
                                         "Check",
                                         "ObtainLease",
                                         "Archive",
                                         "Recover",
                                         "GetUsageAllocation"};
    char what[64];

    serving();
    for (size_t i = 0; i < KLM_COUNT(needed); i++) {
        snprintf(what, sizeof what, " Operation=%s", needed[i]);
        CHECK(says(V10, "QueryOperations", what + (i == 1)));
        CHECK(says(V21, "QueryOperations", what + (i == 1)));
    }
}

/* The same row decides what is listed and what is answered. */
TEST(an_operation_is_listed_if_and_only_if_it_is_not_called_unsupported)
{
    static const int version[] = {V10, V11, KMIP_V(1, 2), V13, V14, V20, V21};
    char items[64], what[64];

    serving();
    for (size_t v = 0; v < KLM_COUNT(version); v++) {
        for (uint32_t code = 1; code < 0x3C; code++) {
            const char *name = kmip_value_name(KMIP_E_Operation, code);
            bool listed, supported;

            if (!name ||
                code == KMIP_Operation_PKCS_11) { /* its name is no word of the short form */
                continue;
            }
            snprintf(what, sizeof what, "Operation=%s", name);
            snprintf(items, sizeof items, "%s{}", name);
            {
                const char *list =
                    rig_ask(&rig, version[v], "Query{QueryFunction=QueryOperations}");
                const char *at = strstr(list, what);

                while (at && !strchr(" }", at[strlen(what)])) {
                    at = strstr(at + 1, what);
                }
                listed = at != NULL;
            }
            supported = !strstr(rig_ask(&rig, version[v], items), "OperationNotSupported");
            if (listed != supported) {
                fprintf(stderr, "# %s in %d.%d\n", name, version[v] / 16, version[v] % 16);
            }
            CHECK(listed == supported);
        }
    }
}

TEST(object_types_are_those_that_the_version_has)
{
    serving();
    RIG_EXPECT(&rig, V10, "Query{QueryFunction=QueryObjects}",
               "Query Success{ObjectType=Certificate ObjectType=SymmetricKey ObjectType=PublicKey "
               "ObjectType=PrivateKey ObjectType=Template ObjectType=SecretData "
               "ObjectType=OpaqueObject}\n");
    RIG_EXPECT(&rig, V21, "Query{QueryFunction=QueryObjects}",
               "Query Success{ObjectType=Certificate ObjectType=SymmetricKey ObjectType=PublicKey "
               "ObjectType=PrivateKey ObjectType=SecretData ObjectType=OpaqueObject "
               "ObjectType=PGPKey ObjectType=CertificateRequest}\n");
}

TEST(the_server_says_who_it_is)
{
    serving();
    RIG_EXPECT(&rig, V11, "Query{QueryFunction=QueryServerInformation}",
               "Query Success{VendorIdentification='klmsrv test' ServerInformation{}}\n");
    CHECK(says(V21, "QueryServerInformation",
               "VendorIdentification='klmsrv test' ServerInformation{ServerName='TEST' "
               "ServerSerialNumber='TEST' ServerVersion='" KLM_VERSION "' ServerLoad='"));
}

TEST(items_come_in_the_order_of_the_payload_whatever_the_order_of_the_functions)
{
    const char *answer, *operation, *object, *vendor;

    serving();
    answer = rig_ask(&rig, V14,
                     "Query{QueryFunction=QueryServerInformation QueryFunction=QueryObjects "
                     "QueryFunction=QueryOperations QueryFunction=QueryObjects}");
    operation = strstr(answer, "Operation=");
    object = strstr(answer, "ObjectType=");
    vendor = strstr(answer, "VendorIdentification=");
    REQUIRE(operation && object && vendor);
    CHECK(operation < object && object < vendor);
    CHECK(strstr(strstr(answer, "ObjectType=Certificate") + 1, "ObjectType=Certificate") == NULL);
}

TEST(what_there_is_none_of_adds_nothing)
{
    static const char *const empty[] = {"QueryApplicationNamespaces", "QueryExtensionList",
                                        "QueryExtensionMap", "QueryAttestationTypes",
                                        "QueryValidations"};
    char items[128];

    serving();
    for (size_t i = 0; i < KLM_COUNT(empty); i++) {
        snprintf(items, sizeof items, "Query{QueryFunction=%s}", empty[i]);
        RIG_EXPECT(&rig, V14, items, "Query Success{}\n");
    }
    RIG_EXPECT(&rig, V14, "Query{}", "Query Success{}\n");
}

TEST(a_function_of_a_later_version_adds_nothing)
{
    serving();
    RIG_EXPECT(&rig, KMIP_V(1, 2), "Query{QueryFunction:Enumeration=0x00000008}",
               "Query Success{}\n");
    RIG_EXPECT(&rig, V14, "Query{QueryFunction:Enumeration=0x0000000E}", "Query Success{}\n");
    RIG_EXPECT(&rig, V21, "Query{QueryFunction:Enumeration=0x00000077}", "Query Success{}\n");
}

TEST(capabilities_and_the_rest_are_those_of_this_server)
{
    serving();
    RIG_EXPECT(&rig, V13, "Query{QueryFunction=QueryRNGs}",
               "Query Success{RNGParameters{RNGAlgorithm=DRBG CryptographicAlgorithm=AES "
               "CryptographicLength=256 DRBGAlgorithm=CTR}}\n");
    CHECK(says(V13, "QueryCapabilities",
               "AsynchronousCapability=false AttestationCapability=false UnwrapMode="));
    CHECK(says(V14, "QueryCapabilities",
               "AttestationCapability=false BatchUndoCapability=true BatchContinueCapability=true "
               "UnwrapMode=NotProcessed DestroyAction=KeyMaterialDeleted "
               "ShreddingAlgorithm=Unsupported RNGMode=NonSharedInstantiation}"));
    CHECK(says(V21, "QueryCapabilities",
               "RNGMode=NonSharedInstantiation QuantumSafeCapability=false}"));
    RIG_EXPECT(&rig, V14, "Query{QueryFunction=QueryClientRegistrationMethods}",
               "Query Success{ClientRegistrationMethod=ClientRegistered}\n");
    RIG_EXPECT(&rig, V21, "Query{QueryFunction=QueryDefaultsInformation}",
               "Query Success{DefaultsInformation{}}\n");
    RIG_EXPECT(&rig, V21, "Query{QueryFunction=QueryStorageProtectionMasks}",
               "Query Success{ProtectionStorageMasks{ProtectionStorageMask=Software}}\n");
}

TEST(profiles_are_those_whose_operations_are_here)
{
    serving();
    CHECK(says(V13, "QueryProfiles", "ProfileInformation{ProfileName=TapeLibraryServerKMIPV1_0}"));
    CHECK(!says(V13, "QueryProfiles", "TapeLibraryServerKMIPV1_4"));
    CHECK(says(V14, "QueryProfiles", "TapeLibraryServerKMIPV1_4"));
    CHECK(says(V21, "QueryProfiles", "ProfileName=BaselineServer}"));
    CHECK(says(V20, "QueryProfiles", "ProfileName=TapeLibraryServer}"));
    CHECK(!says(V20, "QueryProfiles", "KMIPV1_")); /* 2.1, 11.41: reserved */
    CHECK(!says(V21, "QueryProfiles", "KMIPV1_"));
    CHECK(!says(V21, "QueryProfiles", "ProfileName=PKCS_11Server"));
    CHECK(says(V21, "QueryProfiles", "ProfileName=AdvancedCryptographicServer}") ==
          (says(V21, "QueryOperations", "Operation=Sign ") &&
           says(V21, "QueryOperations", "Operation=Hash")));
}

TEST(a_stranger_is_told_what_is_spoken_here_and_nothing_of_the_server)
{
    serving();
    rig.who = &rig.stranger;
    CHECK(says(V21, "QueryOperations", "Query Success{Operation="));
    CHECK(!says(V21, "QueryServerInformation", "ServerInformation"));
    rig.who = NULL;
    CHECK(says(V10, "QueryServerInformation", "Query Success{"));
    CHECK(!says(V10, "QueryServerInformation", "VendorIdentification"));
    rig.who = &rig.mine;
}

TEST(interop_is_answered_and_listed_only_where_it_is_switched_on)
{
    static const char begin[] = "Interop{InteropFunction=Begin InteropIdentifier='TC-1'} "
                                "Interop{InteropFunction=Reset InteropIdentifier='TC-1'} "
                                "Interop{InteropFunction=End InteropIdentifier='TC-1'}";

    serving();
    RIG_EXPECT(&rig, V21, "Interop{InteropFunction=Begin InteropIdentifier='TC-1'}",
               "Interop OperationFailed(OperationNotSupported)\n");
    CHECK(!says(V21, "QueryOperations", "Operation=Interop"));
    DO(&rig.house, KM_CONFIG_SET, &admin, "property", "kmip.interop", "value", "true");
    RIG_EXPECT(&rig, V20, begin, "Interop Success{}\nInterop Success{}\nInterop Success{}\n");
    CHECK(says(V21, "QueryOperations", "Operation=Interop"));
    CHECK(!says(V14, "QueryOperations", "Operation=Interop"));
    RIG_EXPECT(&rig, V21, "Interop{InteropFunction=Begin}",
               "Interop OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V21, "Interop{InteropFunction=0x00000099 InteropIdentifier='TC-1'}",
               "Interop OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V21, "Interop{InteropIdentifier='TC-1'}",
               "Interop OperationFailed(InvalidField)\n");
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
