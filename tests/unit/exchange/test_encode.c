/* What the encoders refuse, and the longest messages there can be. */
#include "test.h"

#include "exchange/kx.h"
#include "sample.h"

static const uint8_t bytes[KX_CERT_MAX + 1] = {1};
static struct klm_buf out;

static void fresh(void)
{
    klm_buf_done(&out);
    klm_buf_init(&out, 4 * KX_MESSAGE_MAX);
}

/* A refusing encoder leaves the buffer usable and empty. */
#define CHECK_REFUSED(call, rc)                                                                    \
    do {                                                                                           \
        CHECK_RC(call, rc);                                                                        \
        CHECK_INT(out.n, 0);                                                                       \
        CHECK_RC(klm_buf_rc(&out), KLM_OK);                                                        \
    } while (0)

static struct kx_confirm proven(void)
{
    return (struct kx_confirm){.hello = sample_drive(),
                               .cert = KLM_SLICE(bytes, KX_CERT_MAX),
                               .signature = KLM_SLICE(bytes, KX_SIGNATURE_MAX)};
}

static struct kx_keyed keyed(void)
{
    char longest[KX_LABEL_MAX + 1];
    memset(longest, 'L', KX_LABEL_MAX);
    longest[KX_LABEL_MAX] = '\0';
    struct kx_keyed k = {.eedk_n = 2,
                         .eedk = {KLM_SLICE(bytes, KX_EEDK_MAX), KLM_SLICE(bytes, KX_EEDK_MAX)},
                         .labels_n = 2,
                         .labels = {sample_label(longest, 'L'), sample_label(longest, 'H')}};
    k.wrapped[39] = 7;
    return k;
}

TEST(the_longest_confirm_passes_and_one_byte_more_does_not)
{
    struct kx_confirm confirm = proven();
    struct kx_message msg;
    size_t used = 0, need = 0;

    fresh();
    REQUIRE_OK(kx_encode_confirm(&confirm, &out));
    CHECK(out.n <= KX_MESSAGE_MAX);
    REQUIRE_OK(kx_decode(klm_buf_as_slice(&out), &msg, &used, &need));
    CHECK_INT(msg.u.confirm.cert.n, KX_CERT_MAX);
    CHECK_INT(msg.u.confirm.signature.n, KX_SIGNATURE_MAX);

    fresh();
    confirm.cert.n++;
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_LIMIT);
    confirm = proven();
    confirm.signature = KLM_SLICE(bytes, KX_SIGNATURE_MAX + 1);
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_LIMIT);
}

TEST(a_certificate_over_its_limit_is_refused_when_it_comes)
{
    struct kx_confirm confirm = proven();
    struct kx_message msg;
    size_t used = 0, need = 0;

    fresh();
    confirm.signature.n -= 1;
    REQUIRE_OK(kx_encode_confirm(&confirm, &out));
    out.p[8 + 72] = (KX_CERT_MAX + 1) >> 8;
    out.p[8 + 73] = (KX_CERT_MAX + 1) & 0xFF;
    CHECK_RC(kx_decode(klm_buf_as_slice(&out), &msg, &used, &need), KLM_E_LIMIT);
}

TEST(a_proof_needs_both_halves_and_the_capability)
{
    struct kx_confirm confirm = proven();

    fresh();
    confirm.signature.n = 0;
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_INVALID);
    confirm = proven();
    confirm.cert.n = 0;
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_INVALID);
    confirm = proven();
    confirm.hello.capabilities = 0;
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_INVALID);
    confirm = proven();
    confirm.hello = sample_server();
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_INVALID);
}

TEST(the_server_confirms_with_a_type_of_its_own)
{
    struct kx_confirm confirm = {.hello = sample_server()};

    fresh();
    REQUIRE_OK(kx_encode_confirm(&confirm, &out));
    CHECK_INT(out.p[3], KX_CONFIRMED);
    fresh();
    confirm.hello.version_max = 2;
    CHECK_REFUSED(kx_encode_confirm(&confirm, &out), KLM_E_INVALID);
}

TEST(the_longest_answer_passes_and_one_more_does_not)
{
    struct kx_keyed k = keyed();
    struct kx_message msg;
    size_t used = 0, need = 0;

    fresh();
    REQUIRE_OK(kx_encode_keyed(KX_CREATED, &k, 5, &out));
    REQUIRE_OK(kx_decode(klm_buf_as_slice(&out), &msg, &used, &need));
    CHECK_INT(used, out.n);
    CHECK_INT(msg.u.keyed.eedk[1].n, KX_EEDK_MAX);
    CHECK_STR(msg.u.keyed.labels[1].label, k.labels[0].label);

    fresh();
    k.eedk[1].n++;
    CHECK_REFUSED(kx_encode_keyed(KX_CREATED, &k, 5, &out), KLM_E_LIMIT);
    k = keyed();
    k.eedk_n = 3;
    CHECK_REFUSED(kx_encode_keyed(KX_CREATED, &k, 5, &out), KLM_E_LIMIT);
    k = keyed();
    k.labels_n = 3;
    CHECK_REFUSED(kx_encode_keyed(KX_CREATED, &k, 5, &out), KLM_E_LIMIT);
    k = keyed();
    k.labels[0].label[KX_LABEL_MAX] = 'L'; /* no end within the array */
    CHECK_REFUSED(kx_encode_keyed(KX_CREATED, &k, 5, &out), KLM_E_LIMIT);
}

TEST(an_eedk_one_over_the_limit_is_refused_when_it_comes)
{
    struct kx_get get = {
        .volser = "WXY662",
        .eedk_n = 2,
        .eedk = {KLM_SLICE(bytes, KX_EEDK_MAX), KLM_SLICE(bytes, KX_EEDK_MAX - 1)}};
    struct kx_message msg;
    size_t used = 0, need = 0;

    fresh();
    REQUIRE_OK(kx_encode_get(&get, 1, &out));
    out.p[8 + 11] = (KX_EEDK_MAX + 1) >> 8;
    out.p[8 + 12] = (KX_EEDK_MAX + 1) & 0xFF;
    CHECK_RC(kx_decode(klm_buf_as_slice(&out), &msg, &used, &need), KLM_E_LIMIT);
}

TEST(answers_of_each_type_have_what_they_must)
{
    struct kx_keyed k = keyed();

    fresh();
    CHECK_REFUSED(kx_encode_keyed(KX_TRANSLATED, &k, 5, &out), KLM_E_INVALID); /* a data key */
    CHECK_REFUSED(kx_encode_keyed(KX_VERIFIED, &k, 5, &out), KLM_E_INVALID);
    CHECK_REFUSED(kx_encode_keyed(KX_GOT, &k, 0, &out), KLM_E_INVALID);
    k.eedk_n = 0;
    CHECK_REFUSED(kx_encode_keyed(KX_CREATED, &k, 5, &out), KLM_E_INVALID);
    k = keyed();
    k.labels_n = 0;
    CHECK_REFUSED(kx_encode_keyed(KX_CREATED, &k, 5, &out), KLM_E_INVALID);
    k.eedk_n = 0;
    CHECK_RC(kx_encode_keyed(KX_GOT, &k, 5, &out), KLM_OK);
}

TEST(requests_refuse_what_no_drive_may_send)
{
    struct kx_create create = {
        .volser = "WXY662", .labels_n = 1, .labels = {sample_label("A", 'L')}};
    struct kx_get get = {.volser = "WXY662", .eedk_n = 1, .eedk = {KLM_SLICE(bytes, 1)}};
    struct kx_translate translate = {.old = get};

    fresh();
    CHECK_REFUSED(kx_encode_create(&create, 0, &out), KLM_E_INVALID);
    create.labels[0].encoding = 'l';
    CHECK_REFUSED(kx_encode_create(&create, 1, &out), KLM_E_INVALID);
    create.labels_n = 0;
    memcpy(create.volser, "WXY6627", 7); /* seven characters, no end */
    CHECK_REFUSED(kx_encode_create(&create, 1, &out), KLM_E_INVALID);
    get.eedk_n = 0;
    CHECK_REFUSED(kx_encode_get(&get, 1, &out), KLM_E_INVALID);
    get.eedk_n = 3;
    CHECK_REFUSED(kx_encode_get(&get, 1, &out), KLM_E_LIMIT);
    translate.old.eedk[0].n = 0;
    CHECK_REFUSED(kx_encode_translate(&translate, 1, &out), KLM_E_INVALID);
    CHECK_REFUSED(kx_encode_plain(KX_CREATE, 1, &out), KLM_E_INVALID);
    CHECK_REFUSED(kx_encode_plain(KX_VERIFY, 0, &out), KLM_E_INVALID);
}

TEST(messages_of_stored_keys_refuse_what_may_not_be_sent)
{
    struct kx_stored_create create = {.volser = "WXY662"};
    struct kx_stored_get get = {.volser = "WXY662"};
    struct kx_stored stored = {.alias = "des00000000000000001f"};

    fresh();
    CHECK_REFUSED(kx_encode_stored_create(&create, 0, &out), KLM_E_INVALID);
    create.volser[0] = '\0';
    CHECK_REFUSED(kx_encode_stored_create(&create, 1, &out), KLM_E_INVALID);
    CHECK_REFUSED(kx_encode_stored_get(&get, 0, &out), KLM_E_INVALID);
    CHECK_REFUSED(kx_encode_stored(KX_CREATED, &stored, 1, &out), KLM_E_INVALID);
    CHECK_RC(kx_encode_stored(KX_STORED_GOT, &stored, 1, &out), KLM_OK);
    CHECK_INT(out.p[2], 2);
    fresh();
    memset(stored.alias, 'a', sizeof stored.alias); /* no end within the array */
    CHECK_REFUSED(kx_encode_stored(KX_STORED_GOT, &stored, 1, &out), KLM_E_LIMIT);
    stored.alias[0] = '\0';
    CHECK_REFUSED(kx_encode_stored(KX_STORED_GOT, &stored, 1, &out), KLM_E_INVALID);
}

TEST(the_version_in_use_is_the_highest_that_both_ranges_hold)
{
    static const struct {
        uint8_t a_min, a_max, b_min, b_max, shared;
    } cases[] = {
        {1, 1, 1, 2, 1}, {1, 2, 1, 2, 2}, {1, 2, 2, 9, 2}, {1, 1, 2, 3, 0}, {3, 9, 1, 2, 0}};

    for (size_t i = 0; i < KLM_COUNT(cases); i++) {
        const struct kx_hello a = {.version_min = cases[i].a_min, .version_max = cases[i].a_max};
        const struct kx_hello b = {.version_min = cases[i].b_min, .version_max = cases[i].b_max};

        CHECK_INT(kx_version_shared(&a, &b), cases[i].shared);
    }
}

TEST(hellos_refuse_a_wrong_serial_number_or_name)
{
    static const char *const serials[] = {"", "00012345678", "00012345678a", "000 23456789"};
    struct kx_hello hello;

    fresh();
    for (size_t i = 0; i < KLM_COUNT(serials); i++) {
        hello = sample_drive();
        snprintf(hello.serial, sizeof hello.serial, "%s", serials[i]);
        CHECK_REFUSED(kx_encode_hello(KX_HELLO, &hello, &out), KLM_E_INVALID);
    }
    hello = sample_drive();
    hello.wwn[0] = 'c';
    CHECK_REFUSED(kx_encode_hello(KX_HELLO, &hello, &out), KLM_E_INVALID);
    hello = sample_drive();
    memset(hello.serial, '1', sizeof hello.serial); /* no end within the array */
    CHECK_REFUSED(kx_encode_hello(KX_HELLO, &hello, &out), KLM_E_INVALID);
    hello = sample_drive();
    CHECK_REFUSED(kx_encode_hello(KX_VERIFY, &hello, &out), KLM_E_INVALID);
    CHECK_REFUSED(kx_encode_hello(KX_HELLO_SERVER, &hello, &out), KLM_E_INVALID);
}

TEST(an_error_may_carry_words_of_any_language_but_no_control_characters)
{
    struct kx_error error = {
        .code = 0xEF01, .message_id = "KLM0204E", .text = "Laufwerk f\303\274r"};

    fresh();
    CHECK_RC(kx_encode_error(&error, 0, &out), KLM_OK);
    fresh();
    error.text[3] = '\n';
    CHECK_REFUSED(kx_encode_error(&error, 0, &out), KLM_E_INVALID);
    memset(error.text, 'x', sizeof error.text);
    CHECK_REFUSED(kx_encode_error(&error, 0, &out), KLM_E_LIMIT);
    error.text[255] = '\0';
    CHECK_RC(kx_encode_error(&error, 0, &out), KLM_OK);
    fresh();
    error.code = 0;
    CHECK_REFUSED(kx_encode_error(&error, 0, &out), KLM_E_INVALID);
}

TEST(a_full_buffer_is_reported_and_left_as_it_was)
{
    struct kx_hello hello = sample_drive();
    struct klm_buf small;

    klm_buf_init(&small, KX_HELLO_SIZE - 1);
    CHECK_RC(kx_encode_hello(KX_HELLO, &hello, &small), KLM_E_LIMIT);
    CHECK_INT(small.n, 0);
    klm_buf_done(&small);
    fresh();
    klm_buf_done(&out);
}
