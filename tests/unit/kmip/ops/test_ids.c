/* Identifiers that refer to the batch (KMIP 2.1, 4.58 and 11.58), and the Asynchronous Indicator of a server that does all at once. */
#include "kmip/ops/ops_rig.h"

#define V14 KMIP_V(1, 4)
#define V20 KMIP_V(2, 0)
#define V21 KMIP_V(2, 1)
#define AES                                                                                        \
    "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "                        \
    "CryptographicLength=256 "                                                                     \
    "CryptographicUsageMask='Encrypt Decrypt'}} "
#define PAIR                                                                                       \
    "CreateKeyPair{CommonAttributes{CryptographicAlgorithm=EC CryptographicLength=256} "           \
    "PrivateKeyAttributes{CryptographicUsageMask=Sign} "                                           \
    "PublicKeyAttributes{CryptographicUsageMask=Verify}} "
#define ID(form) "{UniqueIdentifier:" form "} "

static struct rig rig;

static void serving(void)
{
    if (!rig.house.server) {
        rig_open(&rig, "ids", "");
    }
    rig.uids = 0; /* each test counts from $1 */
}

TEST(an_enumeration_names_what_the_last_such_operation_made)
{
    serving();
    RIG_EXPECT(&rig, V21,
               AES AES "Activate" ID("Enumeration=Create") AES
               "Activate" ID("Enumeration=IDPlaceholder") "Activate" ID("Enumeration=Create"),
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$2'}\n"
               "Activate Success{UniqueIdentifier='$2'}\n"
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$3'}\n"
               "Activate Success{UniqueIdentifier='$3'}\n"
               "Activate OperationFailed(WrongKeyLifecycleState)\n");
}

TEST(of_a_pair_either_half_is_named_and_both_are_one_too_many)
{
    serving();
    RIG_EXPECT(
        &rig, V20,
        PAIR AES "Activate" ID("Enumeration=CreateKeyPairPublicKey") "Activate" ID(
            "Enumeration=CreateKeyPairPrivateKey") "Activate" ID("Enumeration=CreateKeyPair"),
        "CreateKeyPair Success{PrivateKeyUniqueIdentifier='$1' "
        "PublicKeyUniqueIdentifier='$2'}\n"
        "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$3'}\n"
        "Activate Success{UniqueIdentifier='$2'}\n"
        "Activate Success{UniqueIdentifier='$1'}\n"
        "Activate OperationFailed(FeatureNotSupported)\n");
}

TEST(a_number_counts_the_identifiers_of_the_answer)
{
    serving();
    RIG_EXPECT(&rig, V21,
               AES PAIR "Activate" ID("Integer=0") "Activate" ID("Integer=-2") "Activate" ID(
                   "Integer=1") "Activate" ID("Integer=6"),
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
               "CreateKeyPair Success{PrivateKeyUniqueIdentifier='$2' "
               "PublicKeyUniqueIdentifier='$3'}\n"
               "Activate Success{UniqueIdentifier='$1'}\n"
               "Activate Success{UniqueIdentifier='$3'}\n" /* of 1 2 3 1 */
               "Activate Success{UniqueIdentifier='$2'}\n"
               "Activate OperationFailed(ObjectNotFound)\n");
    RIG_EXPECT(&rig, V21, "Activate" ID("Integer=0"), "Activate OperationFailed(ObjectNotFound)\n");
    RIG_EXPECT(&rig, V21, "Activate" ID("Integer=-1"),
               "Activate OperationFailed(ObjectNotFound)\n");
}

/* The same words so many times, and others behind them. */
static char *repeated(struct klm_buf *buf, size_t n, const char *words, const char *end)
{
    klm_buf_init(buf, 1 << 20);
    while (n-- > 0) {
        klm_buf_text(buf, words);
    }
    klm_buf_put(buf, end, strlen(end) + 1);
    REQUIRE_OK(klm_buf_rc(buf));
    return (char *)buf->p;
}

TEST(thousands_of_numbers_and_identifiers_are_not_counted_one_by_one)
{
    struct klm_buf keys, numbers, items;
    char *get;
    uint64_t began;

    serving();
    for (int i = 0; i < 5; i++) {
        CHECK(kmip_child(rig_tree(&rig, V21, "", repeated(&keys, 90, AES, "")),
                         KMIP_TAG_BatchItem) != NULL);
        klm_buf_done(&keys);
    }
    get = repeated(&numbers, 12000, "UniqueIdentifier:Integer=-1 ", "}");
    klm_buf_init(&items, 1 << 20);
    for (int i = 0; i < 95; i++) {
        klm_buf_text(&items, "Locate{} ");
    }
    klm_buf_printf(&items, "Get{%s", get);
    klm_buf_u8(&items, 0);
    REQUIRE_OK(klm_buf_rc(&items));
    began = klm_clock_mono_ms();
    CHECK(kmip_child(rig_tree(&rig, V21, "MaximumResponseSize=2000", (char *)items.p),
                     KMIP_TAG_BatchItem) != NULL);
    CHECK(klm_clock_mono_ms() - began < test_ms(1500));
    klm_buf_done(&numbers);
    klm_buf_done(&items);
}

TEST(what_was_not_made_is_not_found_and_what_is_no_value_is_no_field)
{
    serving();
    static const char *const none[] = {"IDPlaceholder",
                                       "Certify",
                                       "Create",
                                       "CreateKeyPair",
                                       "CreateKeyPairPrivateKey",
                                       "CreateKeyPairPublicKey",
                                       "CreateSplitKey",
                                       "DeriveKey",
                                       "Import",
                                       "JoinSplitKey",
                                       "Locate",
                                       "Register",
                                       "ReKey",
                                       "ReCertify",
                                       "ReKeyKeyPair",
                                       "ReKeyKeyPairPrivateKey",
                                       "ReKeyKeyPairPublicKey"};
    char items[100];

    for (size_t i = 0; i < KLM_COUNT(none); i++) {
        snprintf(items, sizeof items, "Get{UniqueIdentifier:Enumeration=%s}", none[i]);
        RIG_EXPECT(&rig, V21, items, "Get OperationFailed(ObjectNotFound)\n");
        RIG_EXPECT(&rig, V20, items, "Get OperationFailed(ObjectNotFound)\n");
        RIG_EXPECT(&rig, V14, items, "Get OperationFailed(InvalidField)\n"); /* a text there */
    }
    RIG_EXPECT(&rig, V21, "Get" ID("Enumeration=0x00000099"),
               "Get OperationFailed(InvalidField)\n");
}

TEST(what_failed_is_not_taken_for_what_was_made_before)
{
    serving();
    CHECK_STR(rig_short(&rig, rig_tree(&rig, V21, "BatchErrorContinuationOption=Continue",
                                       AES "Create{ObjectType=SymmetricKey} "
                                           "Destroy" ID("Enumeration=Create"))),
              "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
              "Create OperationFailed(InvalidField)\n"
              "Destroy OperationFailed(ObjectNotFound)\n");
}

TEST(links_and_locates_and_renewals_take_them_too)
{
    serving();
    const char *answer;

    RIG_EXPECT(&rig, V21,
               AES "AddAttribute{UniqueIdentifier:Enumeration=Create "
                   "NewAttribute{Link{LinkType=ParentLink "
                   "LinkedObjectIdentifier:Enumeration=IDPlaceholder}}} "
                   "GetAttributes{UniqueIdentifier:Integer=-1 AttributeReference=Link}",
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$1'}\n"
               "AddAttribute Success{UniqueIdentifier='$1'}\n"
               "GetAttributes Success{UniqueIdentifier='$1' Attributes{Link{LinkType=ParentLink "
               "LinkedObjectIdentifier='$1'}}}\n");
    RIG_EXPECT(&rig, V21,
               AES "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "
                   "CryptographicLength=128 CryptographicUsageMask=Encrypt "
                   "Link{LinkType=ParentLink LinkedObjectIdentifier:Integer=0}}} "
                   "GetAttributes{AttributeReference=Link}",
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$2'}\n"
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$3'}\n"
               "GetAttributes Success{UniqueIdentifier='$3' Attributes{Link{LinkType=ParentLink "
               "LinkedObjectIdentifier='$2'}}}\n");
    RIG_EXPECT(&rig, V21,
               "Locate{Attributes{UniqueIdentifier='$3'}} Activate" ID("Enumeration=Locate"),
               "Locate Success{UniqueIdentifier='$3'}\nActivate Success{UniqueIdentifier='$3'}\n");
    answer = rig_ask(&rig, V21, "Locate{} Activate" ID("Enumeration=Locate"));
    CHECK(strstr(answer, "Activate OperationFailed(FeatureNotSupported)") != NULL);
    answer =
        rig_ask(&rig, V21,
                PAIR "ReKeyKeyPair{PrivateKeyUniqueIdentifier:Enumeration=CreateKeyPairPrivateKey} "
                     "Activate" ID("Enumeration=ReKeyKeyPairPublicKey"));
    CHECK(strstr(answer, "ReKeyKeyPair Success") != NULL);
    CHECK(strstr(answer, "Activate Success") != NULL);
}

/* ---- Asynchronous Indicator */

TEST(a_client_that_could_wait_is_answered_at_once_and_one_that_must_is_told)
{
    serving();
    static const int v1[] = {KMIP_V(1, 0), KMIP_V(1, 1), KMIP_V(1, 2), KMIP_V(1, 3), V14};
    static const int v2[] = {V20, V21};

    for (size_t i = 0; i < KLM_COUNT(v1); i++) {
        CHECK(strstr(rig_short(&rig, rig_tree(&rig, v1[i], "AsynchronousIndicator:Boolean=true",
                                              "Locate{MaximumItems=1}")),
                     "Locate Success") != NULL);
        CHECK_STR(
            rig_short(&rig, rig_tree(&rig, v1[i], "AsynchronousIndicator:Enumeration=0x00000001",
                                     "Locate{MaximumItems=1}")),
            "OperationFailed(InvalidMessage)\n");
    }
    for (size_t i = 0; i < KLM_COUNT(v2); i++) {
        CHECK(strstr(rig_short(&rig,
                               rig_tree(&rig, v2[i], "AsynchronousIndicator:Enumeration=Optional",
                                        "Locate{MaximumItems=1}")),
                     "Locate Success") != NULL);
        CHECK(strstr(rig_short(&rig,
                               rig_tree(&rig, v2[i], "AsynchronousIndicator:Enumeration=Prohibited",
                                        "Locate{MaximumItems=1}")),
                     "Locate Success") != NULL);
        CHECK_STR(
            rig_short(&rig, rig_tree(&rig, v2[i], "AsynchronousIndicator:Enumeration=Mandatory",
                                     "Locate{MaximumItems=1}")),
            "OperationFailed(FeatureNotSupported)\n");
        CHECK_STR(
            rig_short(&rig, rig_tree(&rig, v2[i], "AsynchronousIndicator:Enumeration=0x00000009",
                                     "Locate{MaximumItems=1}")),
            "OperationFailed(InvalidMessage)\n");
    }
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
