/* Messages of the PKCS#11 helper: what the tables allow passes, everything else does not. */
#include "test.h"

#include "keyring/p11/msg.h"

static struct klm_buf out;

static struct klm_slice encoded(const struct p11_msg *msg)
{
    klm_buf_done(&out);
    klm_buf_init(&out, P11_MSG_MAX);
    REQUIRE_OK(p11_msg_encode(msg, &out));
    return klm_buf_as_slice(&out);
}

static klm_rc refused(const struct p11_msg *msg)
{
    klm_buf_done(&out);
    klm_buf_init(&out, P11_MSG_MAX);
    return p11_msg_encode(msg, &out);
}

static struct p11_msg unseal(void)
{
    struct p11_msg msg = {.op = P11_UNSEAL, .id = 0x01020304};

    p11_msg_set(&msg, P11_F_OBJECT, klm_slice_str("klm.master"));
    p11_msg_set(&msg, P11_F_AAD, klm_slice_str(""));
    p11_msg_set(&msg, P11_F_DATA, klm_slice_str("sealed"));
    return msg;
}

TEST(a_request_has_the_bytes_that_the_manual_says)
{
    static const uint8_t wanted[] = "\x01\x00\x06\x00\x01\x02\x03\x04\x00\x00\x00\x00"
                                    "\x04\x00\x0aklm.master\x06\x00\x00\x07\x00\x06sealed";
    struct p11_msg msg = unseal();
    struct klm_slice bytes = encoded(&msg);

    CHECK_INT(bytes.n, sizeof wanted - 1);
    CHECK_MEM(bytes.p, wanted, sizeof wanted - 1);
}

TEST(what_was_encoded_is_decoded)
{
    struct p11_msg msg = unseal(), got = {0};

    REQUIRE_OK(p11_msg_decode(encoded(&msg), &got));
    CHECK_INT(got.op, P11_UNSEAL);
    CHECK_INT(got.id, msg.id);
    CHECK_INT(got.has, msg.has);
    CHECK(klm_slice_equal(got.field[P11_F_DATA], klm_slice_str("sealed")));
    msg = (struct p11_msg){
        .answer = true, .op = P11_UNSEAL, .id = 7, .outcome = P11_WRONG_DATA, .rv = 5};
    REQUIRE_OK(p11_msg_decode(encoded(&msg), &got));
    CHECK(got.answer && got.outcome == P11_WRONG_DATA && got.rv == 5 && got.has == 0);
}

TEST(a_message_that_is_cut_or_longer_is_none)
{
    struct p11_msg msg = unseal(), got = {.id = 99};
    struct klm_slice whole = encoded(&msg);
    uint8_t bytes[128] = {0};

    memcpy(bytes, whole.p, whole.n);
    for (size_t n = 0; n < whole.n; n++) {
        CHECK_RC(p11_msg_decode(KLM_SLICE(bytes, n), &got), KLM_E_INVALID);
    }
    CHECK_RC(p11_msg_decode(KLM_SLICE(bytes, whole.n + 1), &got), KLM_E_INVALID);
    CHECK_INT(got.id, 99); /* untouched */
}

TEST(a_message_of_another_version_or_direction_or_operation_is_none)
{
    struct p11_msg msg = unseal(), got;
    struct klm_slice whole = encoded(&msg);
    const struct {
        size_t at;
        uint8_t byte;
    } wrong[] = {{0, 0},  {0, 2},   {1, 2}, {1, 1},  {2, 0},
                 {2, 12}, {2, 255}, {3, 1}, {3, 99}, {8, 1}};

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        uint8_t bytes[128];

        memcpy(bytes, whole.p, whole.n);
        bytes[wrong[i].at] = wrong[i].byte;
        CHECK_RC(p11_msg_decode(KLM_SLICE(bytes, whole.n), &got), KLM_E_INVALID);
    }
}

TEST(fields_stand_in_order_and_once_and_are_those_of_the_operation)
{
    static const uint8_t twice[] = "\x01\x00\x0b\x00\x00\x00\x00\x01\x00\x00\x00\x00"
                                   "\x04\x00\x01k\x04\x00\x01k";
    static const uint8_t reversed[] = "\x01\x00\x05\x00\x00\x00\x00\x01\x00\x00\x00\x00"
                                      "\x07\x00\x01"
                                      "d\x06\x00\x01\x61\x04\x00\x01k";
    struct p11_msg msg = unseal(), got;

    CHECK_RC(p11_msg_decode(KLM_SLICE(twice, sizeof twice - 1), &got), KLM_E_INVALID);
    CHECK_RC(p11_msg_decode(KLM_SLICE(reversed, sizeof reversed - 1), &got), KLM_E_INVALID);
    p11_msg_set(&msg, P11_F_PIN, klm_slice_str("123456"));
    CHECK_RC(refused(&msg), KLM_E_INVALID); /* one too many */
    msg = unseal();
    msg.has &= ~P11_HAS(AAD);
    CHECK_RC(refused(&msg), KLM_E_INVALID); /* one missing */
    msg = (struct p11_msg){.answer = true, .op = P11_UNSEAL, .outcome = P11_FAILED};
    p11_msg_set(&msg, P11_F_DATA, klm_slice_str("x"));
    CHECK_RC(refused(&msg), KLM_E_INVALID); /* a failure gives nothing out */
}

TEST(every_field_has_its_longest_and_no_longer)
{
    static uint8_t bytes[8192];
    static const struct {
        enum p11_field field;
        size_t least, most;
    } limits[] = {
#define P11_FIELD(name, number, least, most) {number, least, most},
#include "keyring/p11/fields.def"
#undef P11_FIELD
    };

    for (size_t i = 0; i < KLM_COUNT(limits); i++) {
        struct p11_msg msg = {.op = P11_LOGIN};

        if (limits[i].field != P11_F_TOKEN && limits[i].field != P11_F_SERIAL &&
            limits[i].field != P11_F_PIN) {
            msg = unseal();
        } else {
            p11_msg_set(&msg, P11_F_TOKEN, klm_slice_str("KLM"));
        }
        if (limits[i].field == P11_F_KIND || limits[i].field >= P11_F_MODEL) {
            continue; /* of fixed length, or of answers only */
        }
        p11_msg_set(&msg, limits[i].field, KLM_SLICE(bytes, limits[i].most));
        (void)encoded(&msg);
        p11_msg_set(&msg, limits[i].field, KLM_SLICE(bytes, limits[i].most + 1));
        CHECK_RC(refused(&msg), KLM_E_LIMIT);
        if (limits[i].least > 0) {
            p11_msg_set(&msg, limits[i].field, KLM_SLICE(bytes, 0));
            CHECK_RC(refused(&msg), KLM_E_LIMIT);
        }
    }
}

TEST(every_outcome_has_a_text_and_a_meaning)
{
    for (int i = P11_OK; i <= P11_NO_MEMORY; i++) {
        CHECK(p11_outcome_text((enum p11_outcome)i)[0] != '\0');
        CHECK((p11_outcome_rc((enum p11_outcome)i) == KLM_OK) == (i == P11_OK));
    }
    CHECK_RC(p11_outcome_rc((enum p11_outcome)200), KLM_E_INTERNAL);
    CHECK_STR(p11_op_text((enum p11_op)200), "request");
}

TEST(kinds_of_keys_are_three_bytes)
{
    uint8_t kind[P11_KIND_BYTES], type = 0;
    uint16_t bits = 0;

    p11_kind_put(P11_KIND_RSA, 4096, kind);
    CHECK_MEM(kind, "\x02\x10\x00", 3);
    REQUIRE_OK(p11_kind_get(KLM_SLICE(kind, 3), &type, &bits));
    CHECK(type == P11_KIND_RSA && bits == 4096);
    CHECK_RC(p11_kind_get(KLM_SLICE(kind, 2), &type, &bits), KLM_E_INVALID);
    kind[0] = 1;
    CHECK_RC(p11_kind_get(KLM_SLICE(kind, 3), &type, &bits), KLM_E_INVALID);
}
