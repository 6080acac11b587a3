/* Create, Create Key Pair and Register: what new objects are, and what they may not be. */
#include "keymgr/object_help.h"

static struct house house;

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "make", "kmip.lease.time=600\n");
        open_house(&house, true);
    }
    klm_clock_set(NOW * 1000000LL);
}

static struct km_call *create(const char *attrs)
{
    return make_call(&house, KM_OBJECT_CREATE, NULL, attrs);
}

/* ---- Create */

TEST(a_new_key_has_what_was_given_and_what_the_server_sets)
{
    struct klm_pool *pool = NULL;
    struct md_object object;

    opened();
    const char *uid = new_key(&house, NAMED("whole"));
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(&house, uid, pool, &object));
    CHECK_INT(object.type, KMIP_ObjectType_SymmetricKey);
    CHECK_STR(object.group, "RIGS");
    CHECK_STR(object.owner, ALPHA_PRINT);
    static const struct {
        uint32_t tag;
        int64_t number;
    } set[] = {{KMIP_TAG_CryptographicAlgorithm, KMIP_CryptographicAlgorithm_AES},
               {KMIP_TAG_CryptographicLength, 256},
               {KMIP_TAG_State, KMIP_State_PreActive},
               {KMIP_TAG_InitialDate, NOW},
               {KMIP_TAG_LastChangeDate, NOW},
               {KMIP_TAG_OriginalCreationDate, NOW},
               {KMIP_TAG_LeaseTime, 600},
               {KMIP_TAG_Fresh, true},
               {KMIP_TAG_Sensitive, false},
               {KMIP_TAG_AlwaysSensitive, false},
               {KMIP_TAG_Extractable, true},
               {KMIP_TAG_NeverExtractable, false},
               {KMIP_TAG_KeyFormatType, KMIP_KeyFormatType_Raw}};
    for (size_t i = 0; i < KLM_COUNT(set); i++) {
        test_int(md_attr_number(&object.attrs, set[i].tag, -1), set[i].number,
                 kmip_tag(set[i].tag)->name, __FILE__, __LINE__);
    }
    CHECK(md_attr_find(&object.attrs, KMIP_TAG_Digest) != NULL);
    CHECK(md_attr_find(&object.attrs, KMIP_TAG_RandomNumberGenerator) != NULL);
    const struct md_attr *id = md_attr_find(&object.attrs, KMIP_TAG_ShortUniqueIdentifier);
    uint8_t bytes[MD_UID_BYTES];
    REQUIRE(id && md_uid_bytes(uid, bytes));
    CHECK(klm_slice_equal(id->value->bytes, KLM_SLICE(bytes, sizeof bytes)));
    CHECK(has_material(&house, uid));
    klm_pool_free(&pool);
}

TEST(a_key_is_active_at_once_when_its_activation_date_has_come)
{
    opened();
    CHECK_INT(attr_of(&house, new_key(&house, "ActivationDate=NOW"), KMIP_TAG_State),
              KMIP_State_Active);
    CHECK_INT(attr_of(&house, new_key(&house, "ActivationDate=NOW+1"), KMIP_TAG_State),
              KMIP_State_PreActive);
}

TEST(what_is_missing_or_wrong_makes_no_key)
{
    static const struct {
        const char *attrs;
        klm_rc rc;
        enum klm_msg_id msg;
    } rows[] = {
        {"CryptographicLength=256 CryptographicUsageMask=Encrypt", KLM_E_INVALID,
         KLM_MSG_KMIP_FIELD},
        {"CryptographicAlgorithm=OneTimePad CryptographicUsageMask=Encrypt", KLM_E_INVALID,
         KLM_MSG_KMIP_FIELD},
        {AES256, KLM_E_INVALID, KLM_MSG_KMIP_FIELD},
        {AES256 ANY_MASK "State=Active", KLM_E_DENIED, KLM_MSG_ATTR_SERVERS},
        {AES256 ANY_MASK "InitialDate=NOW", KLM_E_DENIED, KLM_MSG_ATTR_SERVERS},
        {AES256 ANY_MASK "Sensitive=true Sensitive=true", KLM_E_INVALID, KLM_MSG_ATTR_SINGLE},
        {AES256 ANY_MASK "ActivationDate=NOW+10 DeactivationDate=NOW", KLM_E_INVALID,
         KLM_MSG_ATTR_VALUE},
        {AES256 ANY_MASK "ActivationDate=NOW+10 ProcessStartDate=NOW", KLM_E_INVALID,
         KLM_MSG_ATTR_VALUE},
        {AES256 ANY_MASK "ProtectStopDate=NOW+10 DeactivationDate=NOW", KLM_E_INVALID,
         KLM_MSG_ATTR_VALUE},
        {AES256 ANY_MASK "Attribute{VendorIdentification='y' AttributeName='a' AttributeValue='b'}",
         KLM_E_DENIED, KLM_MSG_ATTR_SERVERS},
    };

    opened();
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct km_call *call = run_it(create(rows[i].attrs));

        test_rc(call->rc, rows[i].rc, rows[i].attrs, __FILE__, __LINE__, false);
        test_str(klm_msg(call->diag.msg)->id, klm_msg(rows[i].msg)->id, rows[i].attrs, __FILE__,
                 __LINE__);
        km_call_free(&call);
    }
    static const char *const lengths[] = {
        "AES CryptographicLength=255 ", "AES CryptographicLength=0 ",
        "AES CryptographicLength=512 ", "DES3 CryptographicLength=100 ",
        "RSA CryptographicLength=2048 "};
    for (size_t i = 0; i < KLM_COUNT(lengths); i++) {
        char attrs[200];

        snprintf(attrs, sizeof attrs, "CryptographicAlgorithm=%s" ANY_MASK, lengths[i]);
        struct km_call *call = run_it(create(attrs));
        test_str(klm_msg(call->diag.msg)->id, "KLM2013E", lengths[i], __FILE__, __LINE__);
        CHECK(call->rc != KLM_OK);
        km_call_free(&call);
    }
}

TEST(a_date_is_blamed_that_the_object_has)
{
    opened();
    struct km_call *call =
        run_it(create(AES256 ANY_MASK "ActivationDate=NOW+10 DeactivationDate=NOW+5"));

    CHECK(strstr(call->diag.text, "Deactivation Date") != NULL);
    km_call_free(&call);
}

TEST(a_type_that_is_not_made_is_refused)
{
    opened();
    struct km_call *call = create(AES256 ANY_MASK);

    ((struct km_object_make *)call->req)->type = KMIP_ObjectType_Certificate;
    ENDS(call, KLM_E_INVALID, KLM_MSG_OBJECT_TYPE);
}

TEST(a_name_is_one_objects_in_its_group_until_that_is_destroyed)
{
    struct km_call *call;

    opened();
    const char *uid = new_key(&house, NAMED("mine"));
    ENDS(create(AES256 ANY_MASK NAMED("mine")), KLM_E_EXISTS, KLM_MSG_OBJECT_NAME);
    ENDS(create(AES256 ANY_MASK NAMED("other") NAMED("mine")), KLM_E_EXISTS, KLM_MSG_OBJECT_NAME);
    call = object_call(&house, KM_OBJECT_CREATE, &beta, NULL); /* another group */
    attrs_in(&((struct km_object_make *)call->req)->attrs, AES256 ANY_MASK NAMED("mine"));
    WORKS(call);
    WORKS(state_call(&house, KM_OBJECT_ARCHIVE, uid, 0)); /* not free: it may come back */
    ENDS(create(AES256 ANY_MASK NAMED("mine")), KLM_E_EXISTS, KLM_MSG_OBJECT_NAME);
    WORKS(state_call(&house, KM_OBJECT_RECOVER, uid, 0));
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid, 0));
    WORKS(create(AES256 ANY_MASK NAMED("mine")));
    ENDS(create(AES256 ANY_MASK NAMED("mine")), KLM_E_EXISTS, KLM_MSG_OBJECT_NAME);
}

/* KMIP 2.1, 4.24: initially set by client or server. */
TEST(an_object_is_fresh_unless_its_client_says_otherwise)
{
    opened();
    CHECK_INT(attr_of(&house, new_key(&house, ""), KMIP_TAG_Fresh), true);
    CHECK_INT(attr_of(&house, new_key(&house, "Fresh=true"), KMIP_TAG_Fresh), true);
    CHECK_INT(attr_of(&house, new_key(&house, "Fresh=false"), KMIP_TAG_Fresh), false);
}

TEST(usage_limits_begin_whole)
{
    opened();
    CHECK_INT(
        left_of(&house, new_key(&house, "UsageLimits{UsageLimitsTotal=7 UsageLimitsUnit=Object}")),
        7);
}

/* ---- Create Key Pair */

static struct km_call *pair_call(const char *both, const char *private_key, const char *public_key)
{
    struct km_call *call = make_call(&house, KM_OBJECT_PAIR, NULL, both);
    struct km_object_make *req = call->req;

    attrs_in(&req->private_attrs, private_key);
    attrs_in(&req->public_attrs, public_key);
    return call;
}

TEST(a_pair_is_two_objects_that_point_to_each_other)
{
    char uid[2][MD_UID_MAX];

    opened();
    make_in(pair_call("CryptographicAlgorithm=RSA CryptographicLength=2048 ActivationDate=NOW",
                      "CryptographicUsageMask=Sign " NAMED("private"),
                      "CryptographicUsageMask=Verify ActivationDate=NOW+60 " NAMED("public")),
            uid);
    CHECK(has_material(&house, uid[0]) && has_material(&house, uid[1]));
    CHECK_STR(link_of(&house, uid[0], KMIP_LinkType_PublicKeyLink), uid[1]);
    CHECK_STR(link_of(&house, uid[1], KMIP_LinkType_PrivateKeyLink), uid[0]);
    CHECK_INT(attr_of(&house, uid[0], KMIP_TAG_State), KMIP_State_Active);
    CHECK_INT(attr_of(&house, uid[1], KMIP_TAG_State), KMIP_State_PreActive); /* its own counts */
    CHECK_INT(attr_of(&house, uid[0], KMIP_TAG_CryptographicUsageMask),
              KMIP_CryptographicUsageMask_Sign);
    CHECK_INT(attr_of(&house, uid[1], KMIP_TAG_CryptographicUsageMask),
              KMIP_CryptographicUsageMask_Verify);
    CHECK_INT(attr_of(&house, uid[1], KMIP_TAG_CryptographicLength), 2048);
}

TEST(a_length_that_is_not_given_is_the_usual_one)
{
    char pair[2][MD_UID_MAX];
    const char *uid;

    opened();
    uid = made(create("CryptographicAlgorithm=AES " ANY_MASK));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 256);
    uid = made(create("CryptographicAlgorithm=DES3 CryptographicLength=192 " ANY_MASK));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 192);
    make_in(pair_call("CryptographicAlgorithm=ECDSA", "", ""), pair);
    CHECK_INT(attr_of(&house, pair[1], KMIP_TAG_CryptographicLength), 256);
    ENDS(pair_call("CryptographicAlgorithm=ECDSA CryptographicLength=0", "", ""), KLM_E_LIMIT,
         KLM_MSG_KEY_NOT_MADE);
}

TEST(a_pair_by_its_curve)
{
    char uid[2][MD_UID_MAX];

    opened();
    make_in(pair_call("CryptographicAlgorithm=ECDSA "
                      "CryptographicDomainParameters{RecommendedCurve=P_384}",
                      "CryptographicUsageMask=Sign", "CryptographicUsageMask=Verify"),
            uid);
    CHECK_INT(attr_of(&house, uid[0], KMIP_TAG_CryptographicLength), 384);
}

TEST(a_pair_that_contradicts_itself_is_not_made)
{
    opened();
    ENDS(pair_call("", "CryptographicAlgorithm=RSA CryptographicLength=2048",
                   "CryptographicAlgorithm=RSA CryptographicLength=3072"),
         KLM_E_INVALID, KLM_MSG_ATTR_VALUE);
    ENDS(pair_call("", "CryptographicAlgorithm=RSA", "CryptographicAlgorithm=EC"), KLM_E_INVALID,
         KLM_MSG_ATTR_VALUE);
    ENDS(pair_call("CryptographicLength=2048", "", ""), KLM_E_INVALID, KLM_MSG_KMIP_FIELD);
    ENDS(pair_call("CryptographicAlgorithm=EC CryptographicLength=256 " NAMED("twice"), "", ""),
         KLM_E_EXISTS, KLM_MSG_OBJECT_NAME);
    struct km_call *call =
        run_it(pair_call("CryptographicAlgorithm=AES CryptographicLength=256", "", ""));
    CHECK_STR(klm_msg(call->diag.msg)->id, "KLM2013E");
    km_call_free(&call);
}

/* ---- Register */

#define KEY_BLOCK(format, material, rest)                                                          \
    "KeyBlock{KeyFormatType=" format " KeyValue{KeyMaterial:" material "} " rest "}"
#define HEX128 "00112233445566778899AABBCCDDEEFF"
#define AES_BLOCK                                                                                  \
    KEY_BLOCK("Raw", "ByteString=" HEX128, "CryptographicAlgorithm=AES CryptographicLength=128")

TEST(a_symmetric_key_is_registered_with_what_its_block_says)
{
    opened();
    const char *uid = made(register_call(&house, KMIP_ObjectType_SymmetricKey,
                                         "SymmetricKey{" AES_BLOCK "}", ANY_MASK));

    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicAlgorithm),
              KMIP_CryptographicAlgorithm_AES);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 128);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_OriginalCreationDate), -1); /* nobody knows */
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_InitialDate), NOW);
    CHECK(has_material(&house, uid));
}

TEST(a_key_whose_attributes_say_another_length_or_algorithm_is_refused)
{
    opened();
    ENDS(register_call(&house, KMIP_ObjectType_SymmetricKey, "SymmetricKey{" AES_BLOCK "}",
                       ANY_MASK " CryptographicLength=256"),
         KLM_E_INVALID, KLM_MSG_ATTR_VALUE);
    ENDS(register_call(&house, KMIP_ObjectType_SymmetricKey, "SymmetricKey{" AES_BLOCK "}",
                       ANY_MASK " CryptographicAlgorithm=DES3"),
         KLM_E_INVALID, KLM_MSG_ATTR_VALUE);
    const char *uid = made(register_call(
        &house, KMIP_ObjectType_SymmetricKey,
        "SymmetricKey{" KEY_BLOCK("Raw", "ByteString=" HEX128,
                                  "CryptographicAlgorithm=DES3 CryptographicLength=128") "}",
        ANY_MASK " CryptographicLength=112")); /* without its parity */
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 112);
}

TEST(secrets_opaque_objects_and_templates_are_registered)
{
    opened();
    const char *secret =
        made(register_call(&house, KMIP_ObjectType_SecretData,
                           "SecretData{SecretDataType=Password KeyBlock{KeyFormatType=Opaque "
                           "KeyValue{KeyMaterial:ByteString=736563726574}}}",
                           "CryptographicUsageMask=Verify"));
    CHECK(has_material(&house, secret));
    CHECK_INT(attr_of(&house, secret, KMIP_TAG_SecretDataType), KMIP_SecretDataType_Password);
    const char *opaque = made(register_call(
        &house, KMIP_ObjectType_OpaqueObject,
        "OpaqueObject{OpaqueDataType=0x80000001 OpaqueDataValue=0102}", NAMED("opaque")));
    CHECK(has_material(&house, opaque));
    struct km_call *call =
        register_call(&house, KMIP_ObjectType_Template,
                      "Template{CryptographicAlgorithm=AES CryptographicLength=192 "
                      "CryptographicUsageMask=Encrypt}",
                      NAMED("pattern"));
    ((struct km_object_make *)call->req)->version = V14;
    const char *pattern = made(call);
    CHECK(!has_material(&house, pattern));
    CHECK_INT(attr_of(&house, pattern, KMIP_TAG_State), 0);
}

static struct km_call *by_template(const char *name, const char *attrs)
{
    struct km_call *call = create(attrs);
    struct km_object_make *req = call->req;
    const char **names = klm_pool_alloc(call->pool, 2 * sizeof *names);

    names[0] = klm_pool_str(call->pool, name);
    names[1] = NULL;
    req->version = V14;
    req->templates = names;
    return call;
}

TEST(a_template_says_what_the_request_leaves_out)
{
    opened();
    const char *uid = made(by_template("pattern", ""));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 192);
    uid = made(by_template("pattern", "CryptographicLength=128"));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 128);
    ENDS(by_template("no pattern", ""), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
    ENDS(by_template("opaque", AES256 ANY_MASK), KLM_E_NOTFOUND, KLM_MSG_OBJECT_UNKNOWN);
}

static void key_item(const char *kind, const char *format, const uint8_t *der, size_t n,
                     char out[9000])
{
    char hex[8193];

    REQUIRE(2 * n < sizeof hex);
    klm_hex_upper(der, n, hex);
    snprintf(out, 9000, "%s{KeyBlock{KeyFormatType=%s KeyValue{KeyMaterial:ByteString=%s}}}", kind,
             format, hex);
}

TEST(both_halves_of_a_pair_made_elsewhere_are_registered)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    uint8_t *der = NULL;
    char item[9000];
    int n;

    opened();
    n = i2d_PUBKEY(key, &der);
    REQUIRE(n > 0);
    key_item("PublicKey", "X_509", der, (size_t)n, item);
    OPENSSL_free(der);
    const char *uid = made(
        register_call(&house, KMIP_ObjectType_PublicKey, item, "CryptographicUsageMask=Verify"));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 256);
    der = NULL;
    n = i2d_PrivateKey(key, &der);
    REQUIRE(n > 0);
    key_item("PrivateKey", "ECPrivateKey", der, (size_t)n, item);
    OPENSSL_free(der);
    uid = made(
        register_call(&house, KMIP_ObjectType_PrivateKey, item, "CryptographicUsageMask=Sign"));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 256);
    EVP_PKEY_free(key);
}

TEST(a_certificate_says_of_itself_what_its_attributes_are)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    uint8_t *der = NULL;
    char hex[4001], item[4200];
    struct klm_pool *pool = NULL;
    struct md_object object;
    int n;

    opened();
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 77);
    X509_gmtime_adj(X509_getm_notBefore(x509), 0);
    X509_gmtime_adj(X509_getm_notAfter(x509), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                               (const uint8_t *)"self", -1, -1, 0);
    X509_set_issuer_name(x509, X509_get_subject_name(x509));
    X509_set_pubkey(x509, key);
    REQUIRE(X509_sign(x509, key, EVP_sha256()) > 0);
    n = i2d_X509(x509, &der);
    REQUIRE(n > 0 && n <= 2000);
    klm_hex_upper(der, (size_t)n, hex);
    snprintf(item, sizeof item, "Certificate{CertificateType=X_509 CertificateValue=%s}", hex);
    const char *uid = made(register_call(&house, KMIP_ObjectType_Certificate, item, ""));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CertificateLength), n);
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(see_object(&house, uid, pool, &object));
    const struct md_attr *cn = md_attr_find(&object.attrs, KMIP_TAG_CertificateSubjectCN);
    CHECK(cn && klm_slice_equal(cn->value->bytes, klm_slice_str("self")));
    klm_pool_free(&pool);
    OPENSSL_free(der);
    X509_free(x509);
    EVP_PKEY_free(key);
}

TEST(a_key_kept_elsewhere_is_registered_without_its_value)
{
#define NO_VALUE                                                                                   \
    "SymmetricKey{KeyBlock{KeyFormatType=Raw CryptographicAlgorithm=AES CryptographicLength=256}}"
    opened();
    const char *uid =
        made(register_call(&house, KMIP_ObjectType_SymmetricKey, NO_VALUE,
                           "KeyValueLocation{KeyValueLocationValue='vault' "
                           "KeyValueLocationType=UninterpretedTextString} " ANY_MASK));
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_KeyValuePresent), false);
    CHECK_INT(attr_of(&house, uid, KMIP_TAG_CryptographicLength), 256);
    CHECK(!has_material(&house, uid));
    ENDS(register_call(&house, KMIP_ObjectType_SymmetricKey, NO_VALUE, ANY_MASK), KLM_E_INVALID,
         KLM_MSG_KMIP_FIELD);
}

TEST(what_does_not_fit_its_description_is_not_registered)
{
    static const struct {
        uint32_t type;
        const char *item, *attrs;
        enum klm_msg_id msg;
    } rows[] = {
        {KMIP_ObjectType_SymmetricKey, NULL, ANY_MASK, KLM_MSG_OBJECT_TYPE},
        {KMIP_ObjectType_SymmetricKey, "SymmetricKey{Comment='no block'}", ANY_MASK,
         KLM_MSG_KMIP_FIELD},
        {KMIP_ObjectType_SymmetricKey,
         "SymmetricKey{KeyBlock{KeyFormatType=Raw CryptographicAlgorithm=AES "
         "KeyValue{Comment='x'}}}",
         ANY_MASK, KLM_MSG_KMIP_FIELD},
        {KMIP_ObjectType_SymmetricKey,
         "SymmetricKey{" KEY_BLOCK("Raw", "ByteString=" HEX128,
                                   "CryptographicAlgorithm=AES CryptographicLength=256") "}",
         ANY_MASK, KLM_MSG_MATERIAL},
        {KMIP_ObjectType_SymmetricKey, "SymmetricKey{" AES_BLOCK "}",
         ANY_MASK "CryptographicAlgorithm=DES3", KLM_MSG_ATTR_VALUE},
        {KMIP_ObjectType_OpaqueObject, "OpaqueObject{OpaqueDataType=0x80000001}", "",
         KLM_MSG_KMIP_FIELD},
        {KMIP_ObjectType_OpaqueObject, "OpaqueObject{OpaqueDataValue=01}", "", KLM_MSG_KMIP_FIELD},
        {KMIP_ObjectType_SecretData, "SecretData{" AES_BLOCK "}", ANY_MASK, KLM_MSG_KMIP_FIELD},
        {KMIP_ObjectType_Certificate, "Certificate{CertificateType=X_509}", "", KLM_MSG_KMIP_FIELD},
        {KMIP_ObjectType_Certificate, "Certificate{CertificateType=X_509 CertificateValue=3000}",
         "", KLM_MSG_MATERIAL},
        {KMIP_ObjectType_OpaqueObject, "OpaqueObject{OpaqueDataType=0x80000001 OpaqueDataValue=01}",
         "InitialDate=NOW", KLM_MSG_ATTR_SERVERS},
    };

    opened();
    const uint64_t number = st_number(km_store(house.server));
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct km_call *call =
            run_it(register_call(&house, rows[i].type, rows[i].item, rows[i].attrs));
        char what[40];

        snprintf(what, sizeof what, "row %zu: %.20s", i, rows[i].item ? rows[i].item : "none");
        CHECK(call->rc != KLM_OK);
        test_str(klm_msg(call->diag.msg)->id, klm_msg(rows[i].msg)->id, what, __FILE__, __LINE__);
        km_call_free(&call);
    }
    CHECK_INT(st_number(km_store(house.server)), number);
}

TEST(zz_close)
{
    klm_clock_set(0);
    close_house(&house);
}
