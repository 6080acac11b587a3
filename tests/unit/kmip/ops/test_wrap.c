/* Keys that leave wrapped together with attributes (KMIP 1.4, 2.1.4 to 2.1.6 and 11.12; 2.1, 7.18), unwrapped by OpenSSL. */
#include "kmip/ops/ops_rig.h"

#define V14 KMIP_V(1, 4)
#define V21 KMIP_V(2, 1)
#define KEK "000102030405060708090A0B0C0D0E0F"
static const uint8_t kek[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static struct rig rig;

/* $1: the key that wraps; $2: the one that is wrapped. */
static void serving(void)
{
    if (rig.house.server) {
        return;
    }
    rig_open(&rig, "wrap", "");
    RIG_EXPECT(&rig, V21,
               "Register{ObjectType=SymmetricKey Attributes{CryptographicUsageMask='WrapKey "
               "UnwrapKey' ActivationDate=NOW-60} "
               "SymmetricKey{KeyBlock{KeyFormatType=Raw KeyValue{KeyMaterial:ByteString=" KEK "} "
               "CryptographicAlgorithm=AES CryptographicLength=128}}}",
               "Register Success{UniqueIdentifier='$1'}\n");
    RIG_EXPECT(&rig, V21,
               "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "
               "CryptographicLength=256 CryptographicUsageMask='Encrypt Decrypt' "
               "Name{NameValue='inner' NameType=UninterpretedTextString}}}",
               "Create Success{ObjectType=SymmetricKey UniqueIdentifier='$2'}\n");
}

static const char *get(const char *more)
{
    static char text[1024];

    snprintf(text, sizeof text,
             "Get{UniqueIdentifier='%s' KeyWrappingSpecification{WrappingMethod=Encrypt "
             "EncryptionKeyInformation{UniqueIdentifier='%s' "
             "CryptographicParameters{BlockCipherMode=NISTKeyWrap}} %s}}",
             rig.uid[1], rig.uid[0], more);
    return text;
}

static const struct kmip_node *value_in(const struct kmip_node *root)
{
    const struct kmip_node *in = kmip_child(root, KMIP_TAG_BatchItem);

    in = kmip_child(kmip_child(in, KMIP_TAG_ResponsePayload), KMIP_TAG_SymmetricKey);
    return kmip_child(kmip_child(in, KMIP_TAG_KeyBlock), KMIP_TAG_KeyValue);
}

/* The Key Value that comes out, in short form. */
static const char *unwrapped(int version, const char *more)
{
    const struct kmip_node *wrapped = value_in(rig_tree(&rig, version, "", get(more)));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t clear[4096];
    struct kmip_node *value = NULL;
    struct klm_buf out;
    const char *text;
    int n = 0;

    REQUIRE(wrapped && wrapped->type == KMIP_BYTES && wrapped->bytes.n < sizeof clear);
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    REQUIRE(EVP_DecryptInit_ex(ctx, EVP_aes_128_wrap(), NULL, kek, NULL) == 1);
    REQUIRE(EVP_DecryptUpdate(ctx, clear, &n, wrapped->bytes.p, (int)wrapped->bytes.n) == 1);
    EVP_CIPHER_CTX_free(ctx);
    REQUIRE_OK(kmip_ttlv_decode(KLM_SLICE(clear, (size_t)n), NULL, rig.pool, &value));
    klm_buf_init(&out, 65536);
    for (const struct kmip_node *in = value->first; in; in = in->next) {
        if (in->tag == KMIP_TAG_KeyMaterial) { /* random */
            klm_buf_printf(&out, "%zu bytes", in->bytes.n);
        } else {
            klm_buf_text(&out, " ");
            rig_show(&rig, in, value, &out);
        }
    }
    text = klm_pool_strn(rig.pool, (const char *)out.p, out.n);
    klm_buf_done(&out);
    return text;
}

TEST(attributes_that_are_named_are_wrapped_with_the_key)
{
    serving();
    CHECK_STR(unwrapped(V14, ""), "32 bytes");
    CHECK_STR(unwrapped(V14, "AttributeName='Cryptographic Length' AttributeName='Name' "
                             "AttributeName='x-none'"),
              "32 bytes "
              "Attribute{AttributeName='Cryptographic Length' AttributeValue:Integer=256} "
              "Attribute{AttributeName='Name' AttributeValue{NameValue='inner' "
              "NameType=UninterpretedTextString}}");
    CHECK_STR(unwrapped(V21, "AttributeName='Cryptographic Length' AttributeName='State' "
                             "EncodingOption=TTLVEncoding"),
              "32 bytes Attributes{CryptographicLength=256 State=PreActive}");
    CHECK_STR(unwrapped(V21, "AttributeReference=CryptographicAlgorithm"),
              "32 bytes Attributes{CryptographicAlgorithm=AES}");
}

TEST(without_an_encoding_there_is_no_place_for_attributes)
{
    serving();
    static const int versions[] = {KMIP_V(1, 3), V14, KMIP_V(2, 0), V21};

    for (size_t i = 0; i < KLM_COUNT(versions); i++) {
        RIG_EXPECT(&rig, versions[i], get("AttributeName='State' EncodingOption=NoEncoding"),
                   "Get OperationFailed(EncodingOptionError)\n");
        CHECK(value_in(rig_tree(&rig, versions[i], "", get("EncodingOption=NoEncoding"))) != NULL);
    }
    RIG_EXPECT(&rig, V14, get("AttributeName='No Such'"), "Get OperationFailed(InvalidField)\n");
    RIG_EXPECT(&rig, V21, get("AttributeName='No Such'"),
               "Get OperationFailed(InvalidAttribute)\n");
    RIG_EXPECT(&rig, V21, get("AttributeName='State' AttributeName='State'"),
               "Get OperationFailed(InvalidMessage)\n");
    RIG_EXPECT(&rig, V21, get("AttributeName:Integer=1"), "Get OperationFailed(InvalidField)\n");
}

/* KMIP 1.4, 2.1.5: of the wrapping methods this server has Encrypt. */
/* A Get of the key wrapped, with so many attributes that it does not have. */
static const char *ask_for_names(size_t n)
{
    struct klm_buf items;
    const char *answer;

    klm_buf_init(&items, 1 << 20);
    klm_buf_text(&items, get(""));
    items.n -= 2; /* the ends of specification and payload */
    for (size_t i = 0; i < n; i++) {
        klm_buf_printf(&items, " AttributeName='x-%zu'", i);
    }
    klm_buf_put(&items, "}}", 3);
    REQUIRE_OK(klm_buf_rc(&items));
    answer = rig_ask(&rig, V14, (const char *)items.p);
    klm_buf_done(&items);
    return answer;
}

TEST(no_more_attributes_can_be_asked_for_than_an_object_may_have)
{
    serving();
    CHECK(strncmp(ask_for_names(1000), "Get Success{", 12) == 0);
    CHECK_STR(ask_for_names(1001), "Get OperationFailed(InvalidField)\n");
    CHECK_STR(ask_for_names(15000), "Get OperationFailed(InvalidField)\n");
}

TEST(macs_and_signatures_around_a_key_are_a_feature_that_is_not_there)
{
    serving();
    static const char *const methods[] = {"MACSign", "EncryptThenMACSign", "MACSignThenEncrypt",
                                          "TR_31", "0x80000001"};
    static const int versions[] = {KMIP_V(1, 0), V14, KMIP_V(2, 0), V21};
    char text[400];

    for (size_t v = 0; v < KLM_COUNT(versions); v++) {
        for (size_t i = 0; i < KLM_COUNT(methods); i++) {
            snprintf(text, sizeof text,
                     "Get{UniqueIdentifier='%s' KeyWrappingSpecification{WrappingMethod=%s "
                     "MACSignatureKeyInformation{UniqueIdentifier='%s'}}}",
                     rig.uid[1], methods[i], rig.uid[0]);
            RIG_EXPECT(&rig, versions[v], text, "Get OperationFailed(FeatureNotSupported)\n");
        }
        snprintf(text, sizeof text,
                 "Get{UniqueIdentifier='%s' KeyWrappingSpecification{"
                 "EncryptionKeyInformation{UniqueIdentifier='%s'}}}",
                 rig.uid[1], rig.uid[0]);
        RIG_EXPECT(&rig, versions[v], text, "Get OperationFailed(InvalidField)\n");
    }
}

TEST(the_key_that_wraps_may_be_the_one_that_the_batch_made)
{
    serving();
    const char *answer =
        rig_ask(&rig, V21,
                "Create{ObjectType=SymmetricKey Attributes{CryptographicAlgorithm=AES "
                "CryptographicLength=256 CryptographicUsageMask=WrapKey ActivationDate=NOW-60}} "
                "Get{UniqueIdentifier='$2' KeyWrappingSpecification{WrappingMethod=Encrypt "
                "EncryptionKeyInformation{UniqueIdentifier:Enumeration=Create "
                "CryptographicParameters{BlockCipherMode=NISTKeyWrap}}}}");

    CHECK(strstr(answer, "EncryptionKeyInformation{UniqueIdentifier='$3'") != NULL);
}

TEST(the_server_ends)
{
    serving();
    rig_close(&rig);
}
