/* Cryptographic operations: what a key may be used for and when, what it takes of its usage limits, its own parameters, and operations in parts. */
#include "keymgr/object_help.h"

static struct house house;

#define BY(...) "CryptographicParameters{" __VA_ARGS__ "}"
#define CBC BY("BlockCipherMode=CBC PaddingMethod=PKCS5")
#define CTR BY("BlockCipherMode=CTR")
#define LIMIT(n, unit) "UsageLimits{UsageLimitsTotal=" #n " UsageLimitsUnit=" unit "} "
#define LIVE "ActivationDate=NOW "
static const uint8_t iv[16] = {9};

static void opened(void)
{
    if (!house.server) {
        listen_now();
        make_house(&house, "crypt", "");
        open_house(&house, true);
    }
    klm_clock_set(NOW * 1000000LL);
}

static struct km_call *use(enum km_verb_id verb, const char *uid, const char *parameters,
                           struct klm_slice data)
{
    struct km_call *call = object_call(&house, verb, &alpha, uid);
    struct km_crypt *req = call->req;

    req->parameters = parameters ? item_of(call->pool, parameters) : NULL;
    req->in.data = data;
    if (verb == KM_OBJECT_ENCRYPT || verb == KM_OBJECT_DECRYPT) {
        req->in.iv = KLM_SLICE(iv, sizeof iv);
    }
    return call;
}

static struct km_call *protect(const char *uid)
{
    return use(KM_OBJECT_ENCRYPT, uid, CBC, klm_slice_str("text"));
}

static struct km_call *process(const char *uid)
{
    return use(KM_OBJECT_DECRYPT, uid, CTR, klm_slice_str("text"));
}

static struct klm_slice out_of(const struct km_call *call)
{
    return ((const struct km_crypt *)call->req)->out.data;
}

static uint64_t number(void)
{
    return st_number(km_store(house.server));
}

/* ---- Right results, by OpenSSL */

#define HEX128 "00112233445566778899AABBCCDDEEFF"
static const uint8_t bytes128[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

static const char *known_key(const char *attrs)
{
    char all[600];

    snprintf(all, sizeof all, ANY_MASK LIVE "%s", attrs);
    return made(register_call(&house, KMIP_ObjectType_SymmetricKey,
                              "SymmetricKey{KeyBlock{KeyFormatType=Raw "
                              "KeyValue{KeyMaterial:ByteString=" HEX128
                              "} CryptographicAlgorithm=AES CryptographicLength=128}}",
                              all));
}

static int by_openssl(const EVP_CIPHER *cipher, const char *text, uint8_t out[64])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, rest = 0;

    REQUIRE(EVP_EncryptInit_ex(ctx, cipher, NULL, bytes128, iv) == 1);
    REQUIRE(EVP_EncryptUpdate(ctx, out, &n, (const uint8_t *)text, (int)strlen(text)) == 1);
    REQUIRE(EVP_EncryptFinal_ex(ctx, out + n, &rest) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return n + rest;
}

TEST(what_is_encrypted_is_what_openssl_makes_of_it_and_decrypts_again)
{
    uint8_t expected[64];

    opened();
    const char *uid = known_key("");
    const int n = by_openssl(EVP_aes_128_cbc(), "some text of two blocks", expected);
    struct km_call *call =
        run_it(use(KM_OBJECT_ENCRYPT, uid, CBC, klm_slice_str("some text of two blocks")));
    REQUIRE_OK(call->rc);
    CHECK(klm_slice_equal(out_of(call), KLM_SLICE(expected, (size_t)n)));
    struct km_call *back = run_it(use(KM_OBJECT_DECRYPT, uid, CBC, out_of(call)));
    REQUIRE_OK(back->rc);
    CHECK(klm_slice_equal(out_of(back), klm_slice_str("some text of two blocks")));
    km_call_free(&back);
    km_call_free(&call);
}

TEST(parameters_of_the_key_count_when_the_request_has_none)
{
    uint8_t expected[64];

    opened();
    const char *uid = known_key(CTR);
    const int n = by_openssl(EVP_aes_128_ctr(), "stream", expected);
    struct km_call *call = run_it(use(KM_OBJECT_ENCRYPT, uid, NULL, klm_slice_str("stream")));
    REQUIRE_OK(call->rc);
    CHECK(klm_slice_equal(out_of(call), KLM_SLICE(expected, (size_t)n)));
    km_call_free(&call);
    call =
        run_it(use(KM_OBJECT_ENCRYPT, uid, CBC, klm_slice_str("stream"))); /* those asked for win */
    REQUIRE_OK(call->rc);
    CHECK_INT(out_of(call).n, 16);
    km_call_free(&call);
    ENDS(use(KM_OBJECT_ENCRYPT, known_key(""), NULL, klm_slice_str("stream")), KLM_E_INVALID,
         KLM_MSG_CRYPT_PARAMETERS);
}

TEST(a_signature_is_valid_with_the_other_half_of_the_pair_and_for_that_data_alone)
{
    char uid[2][MD_UID_MAX];
    struct km_call *sign, *check;

    opened();
    make_in(make_call(&house, KM_OBJECT_PAIR, NULL,
                      "CryptographicAlgorithm=EC CryptographicLength=256 " LIVE
                      "CryptographicUsageMask='Sign Verify'"),
            uid);
    sign =
        run_it(use(KM_OBJECT_SIGN, uid[0], BY("HashingAlgorithm=SHA_256"), klm_slice_str("text")));
    REQUIRE_OK(sign->rc);
    for (int same = 0; same < 2; same++) {
        check = use(KM_OBJECT_VERIFY, uid[1], BY("HashingAlgorithm=SHA_256"),
                    klm_slice_str(same ? "text" : "test"));
        ((struct km_crypt *)check->req)->check = out_of(sign);
        REQUIRE_OK(run_it(check)->rc);
        CHECK_INT(((struct km_crypt *)check->req)->valid, same);
        km_call_free(&check);
    }
    km_call_free(&sign);
}

TEST(a_hash_needs_no_key)
{
    uint8_t expected[32];

    opened();
    struct km_call *call =
        run_it(use(KM_HASH, NULL, BY("HashingAlgorithm=SHA_256"), klm_slice_str("text")));
    REQUIRE_OK(call->rc);
    REQUIRE(EVP_Digest("text", 4, expected, NULL, EVP_sha256(), NULL) == 1);
    CHECK(klm_slice_equal(out_of(call), KLM_SLICE(expected, 32)));
    km_call_free(&call);
    call = run_it(use(KM_HASH, NULL, NULL, klm_slice_str("text")));
    CHECK(call->rc != KLM_OK);
    km_call_free(&call);
}

/* ---- May it? */

TEST(the_state_says_what_a_key_may_do)
{
    opened();
    const char *uid = new_key(&house, "");

    ENDS(protect(uid), KLM_E_STATE, KLM_MSG_OBJECT_STATE); /* Pre-Active */
    ENDS(process(uid), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    WORKS(state_call(&house, KM_OBJECT_ACTIVATE, uid, 0));
    WORKS(protect(uid));
    WORKS(process(uid));
    WORKS(state_call(&house, KM_OBJECT_REVOKE, uid, STOPS)); /* Deactivated */
    ENDS(protect(uid), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    WORKS(process(uid));
    WORKS(state_call(&house, KM_OBJECT_REVOKE, uid, LEAKED)); /* Compromised */
    ENDS(protect(uid), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    WORKS(process(uid));
    WORKS(state_call(&house, KM_OBJECT_ARCHIVE, uid, 0));
    ENDS(process(uid), KLM_E_STATE, KLM_MSG_OBJECT_ARCHIVED);
    WORKS(state_call(&house, KM_OBJECT_RECOVER, uid, 0));
    WORKS(state_call(&house, KM_OBJECT_DESTROY, uid, 0));
    ENDS(process(uid), KLM_E_STATE, KLM_MSG_OBJECT_DESTROYED);
}

TEST(the_dates_say_when)
{
    opened();
    const char *uid = new_key(
        &house, LIVE "ProcessStartDate=NOW+10 ProtectStopDate=NOW+20 DeactivationDate=NOW+30");

    WORKS(protect(uid));
    ENDS(process(uid), KLM_E_DENIED, KLM_MSG_CRYPT_DATE);
    klm_clock_set((NOW + 10) * 1000000LL);
    WORKS(protect(uid));
    WORKS(process(uid));
    klm_clock_set((NOW + 20) * 1000000LL);
    ENDS(protect(uid), KLM_E_DENIED, KLM_MSG_CRYPT_DATE);
    WORKS(process(uid));
    klm_clock_set((NOW + 30) * 1000000LL);
    ENDS(protect(uid), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
    WORKS(process(uid));
}

TEST(the_mask_says_for_what_and_the_type_whether_at_all)
{
    opened();
    const char *uid = made(
        make_call(&house, KM_OBJECT_CREATE, NULL, AES256 LIVE "CryptographicUsageMask=Decrypt"));
    const char *opaque =
        made(register_call(&house, KMIP_ObjectType_OpaqueObject,
                           "OpaqueObject{OpaqueDataType=0x80000001 OpaqueDataValue=01}", ""));

    ENDS(protect(uid), KLM_E_DENIED, KLM_MSG_CRYPT_MASK);
    ENDS(use(KM_OBJECT_MAC, uid, BY("BlockCipherMode=CMAC"), klm_slice_str("x")), KLM_E_DENIED,
         KLM_MSG_CRYPT_MASK);
    WORKS(process(uid));
    ENDS(protect(opaque), KLM_E_DENIED, KLM_MSG_CRYPT_NO_KEY);
    ENDS(object_call(&house, KM_OBJECT_DECRYPT, &beta, uid), KLM_E_NOTFOUND,
         KLM_MSG_OBJECT_UNKNOWN);
}

TEST(a_missing_iv_and_parameters_that_are_not_there_say_so)
{
    opened();
    const char *uid = known_key("");
    struct km_call *call = protect(uid);

    ((struct km_crypt *)call->req)->in.iv = KLM_SLICE(NULL, 0);
    ENDS(call, KLM_E_SHORT, KLM_MSG_CRYPT_NO_IV);
    ENDS(use(KM_OBJECT_ENCRYPT, uid, BY("BlockCipherMode=0x80000001"), klm_slice_str("x")),
         KLM_E_UNSUPPORTED, KLM_MSG_CRYPT_UNSUPPORTED);
    ENDS(use(KM_OBJECT_DECRYPT, uid, CBC, klm_slice_str("0123456789abcdef")), KLM_E_CRYPTO,
         KLM_MSG_CRYPT_FAILED);
}

/* ---- Usage limits */

TEST(each_use_is_taken_of_the_limits_on_disk_before_it_is_answered)
{
    opened();
    const char *uid = new_key(&house, LIVE LIMIT(2, "Object"));
    const uint64_t before = number();

    WORKS(protect(uid));
    CHECK_INT(left_of(&house, uid), 1);
    CHECK_INT(number(), before + 1);
    WORKS(process(uid)); /* which protects nothing */
    CHECK_INT(left_of(&house, uid), 1);
    CHECK_INT(number(), before + 1);
    close_house(&house);
    open_house(&house, true);
    CHECK_INT(left_of(&house, uid), 1);
    WORKS(use(KM_OBJECT_MAC, uid, BY("BlockCipherMode=CMAC"), klm_slice_str("x")));
    CHECK_INT(left_of(&house, uid), 0);
    ENDS(protect(uid), KLM_E_LIMIT, KLM_MSG_USAGE_LIMIT);
    WORKS(process(uid));
    CHECK_INT(events(&house, "object-encrypt", SMF_FAILURE, "KLM2068E", NULL), 1);
}

TEST(limits_in_bytes_count_the_data)
{
    opened();
    const char *uid = new_key(&house, LIVE LIMIT(10, "Byte"));

    WORKS(protect(uid));
    CHECK_INT(left_of(&house, uid), 6);
    ENDS(use(KM_OBJECT_ENCRYPT, uid, CBC, klm_slice_str("seven b")), KLM_E_LIMIT,
         KLM_MSG_USAGE_LIMIT);
    CHECK_INT(left_of(&house, uid), 6);
    WORKS(use(KM_OBJECT_ENCRYPT, uid, CBC, klm_slice_str("six by")));
    CHECK_INT(left_of(&house, uid), 0);
}

TEST(what_fails_takes_nothing)
{
    opened();
    const char *uid = new_key(&house, LIVE LIMIT(3, "Object"));

    ENDS(use(KM_OBJECT_ENCRYPT, uid, BY("BlockCipherMode=0x80000001"), klm_slice_str("x")),
         KLM_E_UNSUPPORTED, KLM_MSG_CRYPT_UNSUPPORTED);
    CHECK_INT(left_of(&house, uid), 3);
}

/* ---- In parts */

static struct km_call *part(const char *uid, struct klm_slice correlation, const char *text,
                            bool final)
{
    struct km_call *call = use(KM_OBJECT_ENCRYPT, uid, CBC, klm_slice_str(text));
    struct km_crypt *req = call->req;

    req->streaming = true;
    req->init = correlation.n == 0;
    req->final = final;
    req->correlation = correlation;
    return call;
}

TEST(parts_give_what_one_go_gives)
{
    uint8_t expected[64], got[64], value[16];
    size_t n = 0;

    opened();
    const char *uid = known_key("");
    const int whole = by_openssl(EVP_aes_128_cbc(), "first part, second part", expected);
    struct km_call *call = run_it(part(uid, KLM_SLICE(NULL, 0), "first part, ", false));
    REQUIRE_OK(call->rc);
    REQUIRE(((struct km_crypt *)call->req)->new_correlation.n == 16);
    memcpy(value, ((struct km_crypt *)call->req)->new_correlation.p, 16);
    memcpy(got, out_of(call).p ? out_of(call).p : got, out_of(call).n);
    n += out_of(call).n;
    km_call_free(&call);
    call = run_it(part(uid, KLM_SLICE(value, 16), "second part", true));
    REQUIRE_OK(call->rc);
    REQUIRE(n + out_of(call).n <= sizeof got);
    memcpy(got + n, out_of(call).p, out_of(call).n);
    n += out_of(call).n;
    CHECK_INT(n, whole);
    CHECK_MEM(got, expected, n);
    km_call_free(&call);
    ENDS(part(uid, KLM_SLICE(value, 16), "third", true), KLM_E_NOTFOUND,
         KLM_MSG_CRYPT_CORRELATION); /* it has ended */
}

TEST(parts_are_of_one_client_and_one_key_and_each_asks_again)
{
    uint8_t value[16];

    opened();
    const char *uid = known_key("");
    struct km_call *call = run_it(part(uid, KLM_SLICE(NULL, 0), "begun", false));
    REQUIRE_OK(call->rc);
    memcpy(value, ((struct km_crypt *)call->req)->new_correlation.p, 16);
    km_call_free(&call);
    ENDS(part(known_key(""), KLM_SLICE(value, 16), "x", true), KLM_E_NOTFOUND,
         KLM_MSG_CRYPT_CORRELATION);
    ENDS(part(uid, KLM_SLICE(value, 15), "x", true), KLM_E_NOTFOUND, KLM_MSG_CRYPT_CORRELATION);
    struct km_actor second = alpha; /* of the same group */
    second.fingerprint = BETA_PRINT;
    call = object_call(&house, KM_OBJECT_ENCRYPT, &second, uid);
    ((struct km_crypt *)call->req)->correlation = KLM_SLICE(value, 16);
    ENDS(call, KLM_E_NOTFOUND, KLM_MSG_CRYPT_CORRELATION);
    WORKS(state_call(&house, KM_OBJECT_REVOKE, uid, STOPS));
    ENDS(part(uid, KLM_SLICE(value, 16), "x", true), KLM_E_STATE, KLM_MSG_OBJECT_STATE);
}

TEST(a_client_begins_so_many_at_once)
{
    opened();
    const char *uid = known_key("");
    struct km_call *call;
    size_t begun = 0;

    for (; begun < 100; begun++) {
        call = run_it(part(uid, KLM_SLICE(NULL, 0), "begun", false));
        if (call->rc != KLM_OK) {
            break;
        }
        km_call_free(&call);
    }
    CHECK(begun > 20 && begun <= 32); /* others were begun before */
    CHECK_RC(call->rc, KLM_E_LIMIT);
    CHECK_STR(klm_msg(call->diag.msg)->id, "KLM2066E");
    km_call_free(&call);
}

TEST(zz_close)
{
    klm_clock_set(0);
    close_house(&house);
}
