/* Get: the object itself, in the form it was registered in or in another, in the clear or wrapped; and what does not leave. */
#include "keymgr/object_help.h"

static struct house house;

#define PLAIN "00112233445566778899AABBCCDDEEFF"
static const uint8_t plain[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
/* RFC 3394, 4.1: what the key of it wraps these 16 bytes to */
#define IN_USE "ActivationDate=NOW-60"
#define KEK "000102030405060708090A0B0C0D0E0F"
static const uint8_t kek[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const uint8_t rfc3394[24] = {0x1f, 0xa6, 0x8b, 0x0a, 0x81, 0x12, 0xb4, 0x47,
                                    0xae, 0xf3, 0x4b, 0xd8, 0xfb, 0x5a, 0x7b, 0x82,
                                    0x9d, 0x3e, 0x86, 0x23, 0x71, 0xd2, 0xcf, 0xe5};

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "get", "");
        open_house(&house, true);
    }
    klm_clock_set(NOW * 1000000LL);
}

static const char *registered(const char *hex, const char *attrs)
{
    char item[400], all[600];

    snprintf(item, sizeof item,
             "SymmetricKey{KeyBlock{KeyFormatType=Raw KeyValue{KeyMaterial:ByteString=%s} "
             "CryptographicAlgorithm=AES CryptographicLength=128}}",
             hex);
    snprintf(all, sizeof all, ANY_MASK "%s", attrs);
    return made(register_call(&house, KMIP_ObjectType_SymmetricKey, item, all));
}

static struct km_call *get(const char *uid)
{
    return object_call(&house, KM_OBJECT_GET, &alpha, uid);
}

static struct km_call *get_as(const char *uid, uint32_t format)
{
    struct km_call *call = get(uid);

    ((struct km_object_get *)call->req)->format = format;
    return call;
}

static struct km_call *get_wrapped(const char *uid, const char *with, const char *more)
{
    struct km_call *call = get(uid);
    char text[600];

    snprintf(text, sizeof text,
             "KeyWrappingSpecification{WrappingMethod=Encrypt "
             "EncryptionKeyInformation{UniqueIdentifier='%s' "
             "CryptographicParameters{BlockCipherMode=NISTKeyWrap}} %s}",
             with, more);
    ((struct km_object_get *)call->req)->wrapping = item_of(call->pool, text);
    return call;
}

static const struct kmip_node *block_of(const struct km_call *call)
{
    return kmip_child(((const struct km_object_get *)call->req)->item, KMIP_TAG_KeyBlock);
}

static const struct kmip_node *material_of(const struct km_call *call)
{
    return kmip_child(kmip_child(block_of(call), KMIP_TAG_KeyValue), KMIP_TAG_KeyMaterial);
}

/* ---- Formats */

TEST(a_key_leaves_as_it_came)
{
    opened();
    struct km_call *call = run_it(get(registered(PLAIN, "")));
    const struct kmip_node *material;

    REQUIRE_OK(call->rc);
    material = material_of(call);
    REQUIRE(material && material->type == KMIP_BYTES && material->bytes.n == 16);
    CHECK_MEM(material->bytes.p, plain, 16);
    CHECK_INT(kmip_child(block_of(call), KMIP_TAG_KeyFormatType)->number, KMIP_KeyFormatType_Raw);
    CHECK_INT(kmip_child(block_of(call), KMIP_TAG_CryptographicLength)->number, 128);
    km_call_free(&call);
}

TEST(a_key_leaves_in_another_format)
{
    opened();
    const char *uid = registered(PLAIN, "");
    struct km_call *call = run_it(get_as(uid, KMIP_KeyFormatType_TransparentSymmetricKey));

    REQUIRE_OK(call->rc);
    const struct kmip_node *key = kmip_child(material_of(call), KMIP_TAG_Key);
    REQUIRE(key && key->bytes.n == 16);
    CHECK_MEM(key->bytes.p, plain, 16);
    km_call_free(&call);
    ENDS(get_as(uid, KMIP_KeyFormatType_PKCS_1), KLM_E_UNSUPPORTED, KLM_MSG_KEY_FORMAT);
    ENDS(get_as(uid, 0x7fff), KLM_E_UNSUPPORTED, KLM_MSG_KEY_FORMAT);
}

/* KMIP 2.1, 4.26, table 81: these have one form each. */
TEST(a_certificate_is_x509_and_an_opaque_object_opaque)
{
    opened();
    const char *opaque =
        made(register_call(&house, KMIP_ObjectType_OpaqueObject,
                           "OpaqueObject{OpaqueDataType=0x80000001 OpaqueDataValue=01}", ""));

    CHECK_INT(attr_of(&house, opaque, KMIP_TAG_KeyFormatType), KMIP_KeyFormatType_Opaque);
    WORKS(get_as(opaque, KMIP_KeyFormatType_Opaque));
    ENDS(get_as(opaque, KMIP_KeyFormatType_Raw), KLM_E_UNSUPPORTED, KLM_MSG_KEY_FORMAT);
}

static uint32_t format_of(const char *uid, int version)
{
    struct km_call *call = get(uid);
    uint32_t format;

    ((struct km_object_get *)call->req)->version = version;
    REQUIRE_OK(run_it(call)->rc);
    format = (uint32_t)kmip_child(block_of(call), KMIP_TAG_KeyFormatType)->number;
    km_call_free(&call);
    return format;
}

/* KMIP 2.1, 4.26: the usual format of elliptic curves, which came with 1.3. */
TEST(a_key_leaves_in_a_format_that_the_version_knows)
{
    char uid[2][MD_UID_MAX];

    opened();
    make_in(make_call(&house, KM_OBJECT_PAIR, NULL,
                      "CryptographicAlgorithm=EC CryptographicLength=256 "
                      "CryptographicUsageMask='Sign Verify'"),
            uid);
    for (int i = 0; i < 2; i++) { /* the second time from what is kept in memory */
        CHECK_INT(format_of(uid[0], V21), KMIP_KeyFormatType_TransparentECPrivateKey);
        CHECK_INT(format_of(uid[1], V21), KMIP_KeyFormatType_TransparentECPublicKey);
        CHECK_INT(format_of(uid[0], V14), KMIP_KeyFormatType_TransparentECPrivateKey);
        CHECK_INT(format_of(uid[0], V10), KMIP_KeyFormatType_PKCS_8);
        CHECK_INT(format_of(uid[1], V10), KMIP_KeyFormatType_X_509);
    }
}

TEST(a_point_leaves_compressed_when_it_is_asked_for)
{
    char uid[2][MD_UID_MAX];
    struct km_call *call;
    const uint8_t *p;
    EVP_PKEY *key;

    opened();
    make_in(make_call(&house, KM_OBJECT_PAIR, NULL,
                      "CryptographicAlgorithm=EC CryptographicLength=256 "
                      "CryptographicUsageMask='Sign Verify'"),
            uid);
    call = get_as(uid[1], KMIP_KeyFormatType_X_509);
    ((struct km_object_get *)call->req)->compression =
        KMIP_KeyCompressionType_ECPublicKeyTypeX9_62CompressedPrime;
    REQUIRE_OK(run_it(call)->rc);
    REQUIRE(material_of(call) && material_of(call)->type == KMIP_BYTES);
    p = material_of(call)->bytes.p;
    key = d2i_PUBKEY(NULL, &p, (long)material_of(call)->bytes.n); /* OpenSSL reads it */
    CHECK(key != NULL);
    CHECK(material_of(call)->bytes.n < 65);
    EVP_PKEY_free(key);
    km_call_free(&call);
    call = get(uid[0]);
    ((struct km_object_get *)call->req)->compression =
        KMIP_KeyCompressionType_ECPublicKeyTypeX9_62CompressedPrime;
    ENDS(call, KLM_E_UNSUPPORTED, KLM_MSG_KEY_COMPRESSION);
}

/* ---- Wrapping */

/* By OpenSSL with the key of the RFC; bytes, or -1. */
static int unwrap(struct klm_slice in, uint8_t out[32])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = -1;

    REQUIRE(ctx != NULL && in.n <= 40);
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_DecryptInit_ex(ctx, EVP_aes_128_wrap(), NULL, kek, NULL) != 1 ||
        EVP_DecryptUpdate(ctx, out, &n, in.p, (int)in.n) != 1) {
        n = -1;
    }
    EVP_CIPHER_CTX_free(ctx);
    return n;
}

TEST(a_key_is_wrapped_as_rfc_3394_has_it)
{
    uint8_t out[32];

    opened();
    const char *with = registered(KEK, IN_USE);
    struct km_call *call =
        run_it(get_wrapped(registered(PLAIN, ""), with, "EncodingOption=NoEncoding"));
    said_why(call);
    REQUIRE_OK(call->rc);
    const struct kmip_node *value = kmip_child(block_of(call), KMIP_TAG_KeyValue);
    REQUIRE(value && value->type == KMIP_BYTES && value->bytes.n == sizeof rfc3394);
    CHECK_MEM(value->bytes.p, rfc3394, sizeof rfc3394);
    CHECK_INT(unwrap(value->bytes, out), 16);
    CHECK_MEM(out, plain, 16);
    const struct kmip_node *data = kmip_child(block_of(call), KMIP_TAG_KeyWrappingData);
    const struct kmip_node *info = kmip_child(data, KMIP_TAG_EncryptionKeyInformation);
    REQUIRE(info != NULL);
    CHECK(klm_slice_equal(kmip_child(info, KMIP_TAG_UniqueIdentifier)->bytes, klm_slice_str(with)));
    CHECK_INT(kmip_child(data, KMIP_TAG_EncodingOption)->number, KMIP_EncodingOption_NoEncoding);
    km_call_free(&call);
}

/* KMIP 1.4, 2.1.5: without an Encoding Option the Key Value is wrapped as TTLV. */
TEST(a_key_value_is_wrapped_as_ttlv_unless_it_is_asked_for_otherwise)
{
    static const uint8_t head[] = {0x42, 0x00, 0x45, 0x01, 0, 0, 0, 24,
                                   0x42, 0x00, 0x43, 0x08, 0, 0, 0, 16};
    uint8_t out[32];

    opened();
    struct km_call *call = run_it(get_wrapped(registered(PLAIN, ""), registered(KEK, IN_USE), ""));
    REQUIRE_OK(call->rc);
    const struct kmip_node *value = kmip_child(block_of(call), KMIP_TAG_KeyValue);
    REQUIRE(value && value->bytes.n == 40);
    REQUIRE(unwrap(value->bytes, out) == 32);
    CHECK_MEM(out, head, sizeof head);
    CHECK_MEM(out + 16, plain, 16);
    km_call_free(&call);
}

TEST(what_cannot_wrap_does_not)
{
    opened();
    const char *uid = registered(PLAIN, "");
    const char *other =
        made(make_call(&house, KM_OBJECT_CREATE, NULL, AES256 "CryptographicUsageMask=Encrypt"));
    const char *opaque =
        made(register_call(&house, KMIP_ObjectType_OpaqueObject,
                           "OpaqueObject{OpaqueDataType=0x80000001 OpaqueDataValue=01}", ""));
    const char *gone = registered(KEK, ""), *away = registered(KEK, IN_USE);
    struct km_call *call;

    ENDS(get_wrapped(uid, "none", ""), KLM_E_NOTFOUND, KLM_MSG_WRAP_KEY);
    ENDS(get_wrapped(uid, other, ""), KLM_E_DENIED, KLM_MSG_WRAP_MASK);
    ENDS(get_wrapped(uid, registered(KEK, ""), ""), KLM_E_STATE,
         KLM_MSG_OBJECT_STATE); /* not in use yet */
    ENDS(get_wrapped(uid, opaque, ""), KLM_E_INVALID, KLM_MSG_WRAP_NO_KEY);
    WORKS(state_call(&house, KM_OBJECT_DESTROY, gone, 0));
    ENDS(get_wrapped(uid, gone, ""), KLM_E_STATE, KLM_MSG_WRAP_DESTROYED);
    WORKS(object_call(&house, KM_OBJECT_ARCHIVE, &alpha, away));
    ENDS(get_wrapped(uid, away, ""), KLM_E_STATE, KLM_MSG_WRAP_ARCHIVED);
    ENDS(get_wrapped(uid, registered(KEK, IN_USE), "AttributeName='State'"), KLM_E_UNSUPPORTED,
         KLM_MSG_WRAP_ENCODING);
    call = get(uid);
    ((struct km_object_get *)call->req)->wrapping =
        item_of(call->pool, "KeyWrappingSpecification{WrappingMethod=MACSign}");
    ENDS(call, KLM_E_UNSUPPORTED, KLM_MSG_WRAP_METHOD);
    call = get(uid);
    ((struct km_object_get *)call->req)->wrapping =
        item_of(call->pool, "KeyWrappingSpecification{WrappingMethod=Encrypt}");
    ENDS(call, KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
}

TEST(a_wrapping_key_with_parameters_is_used_with_no_others)
{
    opened();
    const char *uid = registered(PLAIN, "");
    const char *gcm = registered(KEK, IN_USE " CryptographicParameters{BlockCipherMode=GCM}");
    const char *fits =
        registered(KEK, IN_USE " CryptographicParameters{BlockCipherMode=NISTKeyWrap}");

    ENDS(get_wrapped(uid, gcm, ""), KLM_E_INVALID, KLM_MSG_WRAP_PARAMETERS);
    WORKS(get_wrapped(uid, fits, ""));
}

TEST(what_came_wrapped_leaves_so)
{
    struct km_call *call;

    opened();
    const char *uid = made(register_call(
        &house, KMIP_ObjectType_SymmetricKey,
        "SymmetricKey{KeyBlock{KeyFormatType=Raw KeyValue:ByteString=0102030405060708 "
        "CryptographicAlgorithm=AES CryptographicLength=128 "
        "KeyWrappingData{WrappingMethod=Encrypt "
        "EncryptionKeyInformation{UniqueIdentifier='their-key'}}}}",
        ANY_MASK));
    CHECK_STR(link_of(&house, uid, KMIP_LinkType_WrappingKeyLink), "their-key");
    call = run_it(get(uid));
    REQUIRE_OK(call->rc);
    const struct kmip_node *value = kmip_child(block_of(call), KMIP_TAG_KeyValue);
    REQUIRE(value && value->type == KMIP_BYTES && value->bytes.n == 8);
    CHECK(kmip_child(block_of(call), KMIP_TAG_KeyWrappingData) != NULL);
    km_call_free(&call);
    call = get(uid);
    ((struct km_object_get *)call->req)->wrap_type = KMIP_KeyWrapType_NotWrapped;
    ENDS(call, KLM_E_NOTFOUND, KLM_MSG_WRAP_KEY); /* only they have it */
    ENDS(get_wrapped(uid, registered(KEK, IN_USE), ""), KLM_E_UNSUPPORTED, KLM_MSG_WRAP_TYPE);
    ENDS(get_as(uid, KMIP_KeyFormatType_TransparentSymmetricKey), KLM_E_UNSUPPORTED,
         KLM_MSG_KEY_FORMAT);
}

/* ---- What does not leave */

TEST(sensitive_keys_leave_wrapped_and_those_not_extractable_never)
{
    opened();
    const char *with = registered(KEK, IN_USE);
    const char *sensitive = registered(PLAIN, "Sensitive=true");
    const char *kept = registered(PLAIN, "Extractable=false");

    ENDS(get(sensitive), KLM_E_DENIED, KLM_MSG_OBJECT_SENSITIVE);
    WORKS(get_wrapped(sensitive, with, ""));
    ENDS(get(kept), KLM_E_DENIED, KLM_MSG_OBJECT_KEPT);
    ENDS(get_wrapped(kept, with, ""), KLM_E_DENIED, KLM_MSG_OBJECT_KEPT);
    CHECK_INT(attr_of(&house, kept, KMIP_TAG_Fresh), true); /* it was not served */
}

TEST(archived_destroyed_and_others_objects_do_not_leave)
{
    opened();
    const char *uid = registered(PLAIN, "");

    ENDS(object_call(&house, KM_OBJECT_GET, &beta, uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    ENDS(get(NULL), KLM_E_INVALID, KLM_MSG_OBJECT_UNNAMED);
    WORKS(state_call(&house, KM_OBJECT_ARCHIVE, uid, 0));
    ENDS(get(uid), KLM_E_STATE, KLM_MSG_OBJECT_ARCHIVED);
    WORKS(state_call(&house, KM_OBJECT_RECOVER, uid, 0));
    WORKS(get(uid));
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid, 0));
    ENDS(get(uid), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
}

/* Whose it is tells the index: to others there is no such object, damaged or not. */
TEST(a_damaged_record_is_told_to_its_own_group_alone)
{
    opened();
    const char *uid = registered(PLAIN, "");
    struct st_change *change = change_begin(&house);

    REQUIRE_OK(st_put(change, ST_OBJECT, klm_slice_str(uid), klm_slice_str("rubbish")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    ENDS(get(uid), KLM_E_CORRUPT, KLM_MSG_OBJECT_UNREADABLE);
    ENDS(object_call(&house, KM_OBJECT_GET, &beta, uid), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
}

TEST(a_compromised_or_deactivated_key_still_leaves)
{
    opened();
    const char *uid = registered(PLAIN, "ActivationDate=NOW");

    WORKS(state_call(&house, KM_OBJECT_REVOKE, uid, STOPS));
    WORKS(get(uid));
    WORKS(state_call(&house, KM_OBJECT_REVOKE, uid, LEAKED));
    WORKS(get(uid));
}

/* KMIP 2.1, 4.24. Of keys that are given out as fresh ones; for others see test_cache.c. */
TEST(the_first_get_ends_freshness_and_is_the_only_change)
{
    opened();
    const char *uid = registered(PLAIN, "ObjectGroup='tapes'");
    const uint64_t number = st_number(km_store(house.server));

    CHECK_INT(attr_of(&house, uid, KMIP_TAG_Fresh), true);
    klm_clock_set((NOW + 5) * 1000000LL);
    WORKS(get(uid));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_Fresh), false);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_LastChangeDate), NOW);
    CHECK_INT(st_number(km_store(house.server)), number + 1);
    WORKS(get(uid));
    CHECK_INT(st_number(km_store(house.server)), number + 1);
}

TEST(an_object_without_material_says_so)
{
    opened();
    const char *uid =
        made(register_call(&house, KMIP_ObjectType_SymmetricKey,
                           "SymmetricKey{KeyBlock{KeyFormatType=Raw CryptographicAlgorithm=AES "
                           "CryptographicLength=256}}",
                           "KeyValueLocation{KeyValueLocationValue='vault' "
                           "KeyValueLocationType=UninterpretedTextString} " ANY_MASK));
    struct km_call *call = run_it(get(uid));

    CHECK(call->rc != KLM_OK || kmip_child(block_of(call), KMIP_TAG_KeyValue) == NULL);
    if (call->rc != KLM_OK) {
        CHECK_STR(klm_msg(call->diag.msg)->id, "KLM2003E");
    }
    km_call_free(&call);
}

TEST(zz_close)
{
    klm_clock_set(0);
    close_house(&house);
}
