/* Every message against bytes written by hand from PROTOCOL.md, cut short, made longer, and with
 * each rule broken. */
#include "test.h"

#include "exchange/kx.h"
#include "sample.h"

#define HELLO_DRIVE                                                                                \
    "0101000000000001"                                                                             \
    "303030313233343536373839"                                                                     \
    "35303035303736333032343046424343"
#define HELLO_SERVER                                                                               \
    "0101000000000000"                                                                             \
    "000000000000000000000000"                                                                     \
    "00000000000000000000000000000000"
#define ZEROS16 "00000000000000000000000000000000"
#define SUM32 "A1A2A3A4A5A6A7A8A9AAABACADAEAFB0B1B2B3B4B5B6B7B8B9BABBBCBDBEBFC0"
#define WRAPPED "0102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F202122232425262728"

static const char *const golden[] = {
    /* hello, hello-server */
    "4B580101"
    "00000028"
    "00000000" HELLO_DRIVE,
    "4B580181"
    "00000028"
    "00000000" HELLO_SERVER,
    /* confirm with certificate CAFE and signature BEEF01; confirm without; confirmed */
    "4B580102"
    "00000051"
    "00000000" SUM32 HELLO_DRIVE "0002CAFE"
    "0003BEEF01",
    "4B580102"
    "0000004C"
    "00000000" SUM32 HELLO_DRIVE "0000"
    "0000",
    "4B580182"
    "0000004C"
    "00000000" ZEROS16 ZEROS16 HELLO_SERVER "0000"
    "0000",
    /* verify, verified, bye */
    "4B580110"
    "00000004"
    "00000009",
    "4B580190"
    "00000004"
    "00000009",
    "4B58011F"
    "00000004"
    "00000000",
    /* create 7 for WXY662 under TAPEKEY1 (the example of PROTOCOL.md); for A under none; under
     * two */
    "4B580111"
    "00000015"
    "00000007"
    "575859363632"
    "01"
    "4C08544150454B455931",
    "4B580111"
    "0000000B"
    "FFFFFFFF"
    "412020202020"
    "00",
    "4B580111"
    "00000011"
    "00000007"
    "575859363632"
    "02"
    "4C0141"
    "48014B",
    /* get with one EEDK, and two */
    "4B580112"
    "0000000F"
    "00000008"
    "575859363632"
    "01"
    "000201FF",
    "4B580112"
    "00000014"
    "00000008"
    "575859363632"
    "02"
    "000201FF"
    "0003AABBCC",
    /* translate */
    "4B580113"
    "00000014"
    "0000000A"
    "575859363632"
    "01"
    "000201FF"
    "01"
    "48024B32",
    /* created, got (with nothing but the key), translated */
    "4B580191"
    "00000035"
    "00000007" WRAPPED "01"
    "000201FF"
    "01"
    "4C0141",
    "4B580192"
    "0000002E"
    "00000008" WRAPPED "00"
    "00",
    "4B580193"
    "00000036"
    "0000000A" ZEROS16 ZEROS16 "0000000000000000"
    "01"
    "000301FFEE"
    "01"
    "4C0141",
    /* error EE31 "KLM0501E" "no key"; with empty texts */
    "4B5801FF"
    "00000017"
    "00000007"
    "EE31"
    "08"
    "4B4C4D3035303145"
    "0006"
    "6E6F206B6579",
    "4B5801FF"
    "00000009"
    "00000000"
    "EF01"
    "00"
    "0000",
    /* version 2: verify, create-stored, get-stored, stored-created, stored-got */
    "4B580210"
    "00000004"
    "00000009",
    "4B580214"
    "0000000A"
    "00000007"
    "575859363632",
    "4B580215"
    "00000016"
    "00000008"
    "575859363632"
    "646573"
    "00000000000000001F",
    "4B580294"
    "0000004E"
    "00000007" WRAPPED "646573"
    "00000000000000001F"
    "15"
    "646573303030303030303030303030303030303166",
    "4B580295"
    "0000003A"
    "00000008" WRAPPED "412020"
    "202020202020202020"
    "01"
    "41",
};

static struct klm_slice unhex(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, out, cap, &n));
    return KLM_SLICE(out, n);
}

static klm_rc decode(struct klm_slice in, struct kx_message *msg)
{
    size_t used = 0, need = 0;
    klm_rc rc = kx_decode(in, msg, &used, &need);

    CHECK(rc != KLM_OK || used == in.n);
    return rc;
}

/* The message again, through the encoder of its type. */
static klm_rc encode(const struct kx_message *msg, struct klm_buf *out)
{
    switch (msg->type) {
    case KX_HELLO:
    case KX_HELLO_SERVER:
        return kx_encode_hello(msg->type, &msg->u.hello, out);
    case KX_CONFIRM:
    case KX_CONFIRMED:
        return kx_encode_confirm(&msg->u.confirm, out);
    case KX_VERIFY:
    case KX_VERIFIED:
    case KX_BYE:
        return kx_encode_plain(msg->type, msg->id, out);
    case KX_CREATE:
        return kx_encode_create(&msg->u.create, msg->id, out);
    case KX_GET:
        return kx_encode_get(&msg->u.get, msg->id, out);
    case KX_TRANSLATE:
        return kx_encode_translate(&msg->u.translate, msg->id, out);
    case KX_CREATED:
    case KX_GOT:
    case KX_TRANSLATED:
        return kx_encode_keyed(msg->type, &msg->u.keyed, msg->id, out);
    case KX_STORED_CREATE:
        return kx_encode_stored_create(&msg->u.stored_create, msg->id, out);
    case KX_STORED_GET:
        return kx_encode_stored_get(&msg->u.stored_get, msg->id, out);
    case KX_STORED_CREATED:
    case KX_STORED_GOT:
        return kx_encode_stored(msg->type, &msg->u.stored, msg->id, out);
    case KX_ERROR:
        return kx_encode_error(&msg->u.error, msg->id, out);
    }
    return KLM_E_INTERNAL;
}

TEST(every_message_written_by_hand_is_read_and_written_back_as_it_was)
{
    for (size_t i = 0; i < KLM_COUNT(golden); i++) {
        uint8_t bytes[KX_MESSAGE_MAX];
        struct klm_slice in = unhex(golden[i], bytes, sizeof bytes);
        KLM_AUTO(klm_buf_done) struct klm_buf out;
        struct kx_message msg;

        klm_buf_init(&out, KX_MESSAGE_MAX);
        REQUIRE_OK(decode(in, &msg));
        CHECK_INT(msg.type, bytes[3]);
        CHECK_INT(msg.version, bytes[2]);
        REQUIRE_OK(encode(&msg, &out));
        kx_stamp(&out, msg.version);
        REQUIRE(out.n == in.n);
        CHECK_MEM(out.p, in.p, in.n);
    }
}

TEST(a_message_cut_at_any_byte_asks_for_the_rest)
{
    for (size_t i = 0; i < KLM_COUNT(golden); i++) {
        uint8_t bytes[KX_MESSAGE_MAX];
        struct klm_slice in = unhex(golden[i], bytes, sizeof bytes);

        for (size_t n = 0; n < in.n; n++) {
            struct kx_message msg;
            size_t used = 77, need = 0;

            CHECK_RC(kx_decode(KLM_SLICE(bytes, n), &msg, &used, &need), KLM_E_AGAIN);
            CHECK_INT(need, n < KX_HEADER ? KX_HEADER : in.n);
            CHECK_INT(used, 77);
        }
    }
}

TEST(a_message_whose_length_says_one_byte_more_or_less_is_refused)
{
    for (size_t i = 0; i < KLM_COUNT(golden); i++) {
        uint8_t bytes[KX_MESSAGE_MAX + 1] = {0};
        struct klm_slice in = unhex(golden[i], bytes, sizeof bytes - 1);
        struct kx_message msg;

        bytes[7]++;
        CHECK_RC(decode(KLM_SLICE(bytes, in.n + 1), &msg), KLM_E_INVALID);
        bytes[7] -= 2;
        CHECK_RC(decode(KLM_SLICE(bytes, in.n - 1), &msg), KLM_E_INVALID);
    }
}

TEST(bytes_of_the_next_message_are_left_alone)
{
    uint8_t bytes[64];
    struct klm_slice in = unhex("4B58011000000004000000094B58011F0000000400000000", bytes, 64);
    struct kx_message msg;
    size_t used = 0, need = 0;

    REQUIRE_OK(kx_decode(in, &msg, &used, &need));
    CHECK_INT(used, 12);
    CHECK_INT(msg.type, KX_VERIFY);
    CHECK_INT(msg.id, 9);
    REQUIRE_OK(kx_decode(KLM_SLICE(in.p + used, in.n - used), &msg, &used, &need));
    CHECK_INT(msg.type, KX_BYE);
}

TEST(fields_arrive_where_they_belong)
{
    uint8_t bytes[256];
    struct kx_message msg;

    REQUIRE_OK(decode(unhex(golden[2], bytes, sizeof bytes), &msg));
    CHECK_STR(msg.u.confirm.hello.serial, "000123456789");
    CHECK_STR(msg.u.confirm.hello.wwn, "500507630240FBCC");
    CHECK_INT(msg.u.confirm.hello.capabilities, KX_CAP_SIGN);
    CHECK_INT(msg.u.confirm.hellos[31], 0xC0);
    CHECK_INT(msg.u.confirm.cert.n, 2);
    CHECK_INT(msg.u.confirm.signature.p[2], 0x01);
    REQUIRE_OK(decode(unhex(golden[10], bytes, sizeof bytes), &msg));
    CHECK_STR(msg.u.create.volser, "WXY662");
    CHECK_INT(msg.u.create.labels_n, 2);
    CHECK_INT(msg.u.create.labels[1].encoding, KX_ENC_HASH);
    CHECK_STR(msg.u.create.labels[1].label, "K");
    REQUIRE_OK(decode(unhex(golden[9], bytes, sizeof bytes), &msg));
    CHECK_STR(msg.u.create.volser, "A");
    CHECK_INT(msg.id, 0xFFFFFFFF);
    REQUIRE_OK(decode(unhex(golden[17], bytes, sizeof bytes), &msg));
    CHECK_INT(msg.u.error.code, 0xEE31);
    CHECK_STR(msg.u.error.message_id, "KLM0501E");
    CHECK_STR(msg.u.error.text, "no key");
}

TEST(a_wrong_message_is_refused)
{
    static const struct {
        const char *hex;
        klm_rc rc;
    } wrong[] = {
        {"47", KLM_E_INVALID}, /* GET / of a browser */
        {"4B59", KLM_E_INVALID},
        {"4B5803", KLM_E_INVALID}, /* version 3 */
        {"4B5800", KLM_E_INVALID},
        {"4B580201"
         "00000028",
         KLM_E_INVALID}, /* a hello has version 1 for ever */
        {"4B580114"
         "0000000A",
         KLM_E_INVALID}, /* create-stored is not of version 1 */
        {"4B580294"
         "00000039"
         "00000007" WRAPPED "646573"
         "00000000000000001F"
         "00",
         KLM_E_INVALID}, /* an alias of no character */
        {"4B580294"
         "0000003A"
         "00000007" WRAPPED "646573"
         "00000000000000001F"
         "0120",
         KLM_E_INVALID}, /* of a blank */
        {"4B580177"
         "00000004"
         "00000009",
         KLM_E_INVALID}, /* unknown type */
        {"4B580110"
         "00001FF9",
         KLM_E_LIMIT}, /* one over the longest */
        {"4B580110"
         "00001FF8",
         KLM_E_INVALID}, /* no verify is that long */
        {"4B580110"
         "FFFFFFFF",
         KLM_E_LIMIT},
        {"4B580110"
         "00000004"
         "00000000",
         KLM_E_INVALID}, /* request number 0 */
        {"4B580101"
         "00000028"
         "00000001" HELLO_DRIVE,
         KLM_E_INVALID}, /* hello with a number */
        {"4B580181"
         "00000028"
         "00000000" HELLO_DRIVE,
         KLM_E_INVALID}, /* drive's fields from the server */
        {"4B580101"
         "00000028"
         "00000000" HELLO_SERVER,
         KLM_E_INVALID},
        {"4B580182"
         "0000004C"
         "00000000" SUM32 "0102000000000000"
         "000000000000000000000000" ZEROS16 "00000000",
         KLM_E_INVALID}, /* confirmed names two versions */
        {"4B580182"
         "00000051"
         "00000000" SUM32 HELLO_SERVER "0002CAFE"
         "0003BEEF01",
         KLM_E_INVALID},
        {"4B580102"
         "0000004E"
         "00000000" SUM32 HELLO_DRIVE "0002CAFE"
         "0000",
         KLM_E_INVALID},
        {"4B580102"
         "0000004E"
         "00000000" SUM32 HELLO_DRIVE "0000"
         "0002CAFE",
         KLM_E_INVALID},
        {"4B580111"
         "0000000B"
         "00000007"
         "202020202020"
         "00",
         KLM_E_INVALID}, /* no volser */
        {"4B580111"
         "0000000B"
         "00000007"
         "412041202020"
         "00",
         KLM_E_INVALID},
        {"4B580111"
         "0000000B"
         "00000007"
         "410000000000"
         "00",
         KLM_E_INVALID},
        {"4B580111"
         "0000000B"
         "00000007"
         "617820202020"
         "00",
         KLM_E_INVALID}, /* lower case */
        {"4B580111"
         "00000014"
         "00000007"
         "575859363632"
         "03"
         "4C0141"
         "4C0141"
         "4C0141",
         KLM_E_LIMIT},
        {"4B580111"
         "0000000E"
         "00000007"
         "575859363632"
         "01"
         "4D0141",
         KLM_E_INVALID}, /* encoding M */
        {"4B580111"
         "0000000D"
         "00000007"
         "575859363632"
         "01"
         "4C00",
         KLM_E_INVALID},
        {"4B580111"
         "0000000F"
         "00000007"
         "575859363632"
         "01"
         "4C024120",
         KLM_E_INVALID}, /* ends blank */
        {"4B580111"
         "0000000F"
         "00000007"
         "575859363632"
         "01"
         "4C020041",
         KLM_E_INVALID},
        {"4B580111"
         "0000000F"
         "00000007"
         "575859363632"
         "01"
         "4C0241C3",
         KLM_E_INVALID},
        {"4B580112"
         "0000000B"
         "00000008"
         "575859363632"
         "00",
         KLM_E_INVALID}, /* nothing to open */
        {"4B580112"
         "0000000F"
         "00000008"
         "575859363632"
         "01"
         "00000000",
         KLM_E_INVALID},
        {"4B580112"
         "0000000F"
         "00000008"
         "575859363632"
         "03"
         "000201FF",
         KLM_E_LIMIT},
        {"4B580193"
         "00000036"
         "0000000A" WRAPPED "01"
         "000301FFEE"
         "01"
         "4C0141",
         KLM_E_INVALID}, /* a key in translated */
        {"4B580191"
         "00000031"
         "00000007" WRAPPED "00"
         "01"
         "4C0141",
         KLM_E_INVALID}, /* created without EEDK */
        {"4B5801FF"
         "00000009"
         "00000000"
         "0000"
         "00"
         "0000",
         KLM_E_INVALID}, /* code 0 */
        {"4B5801FF"
         "0000000A"
         "00000000"
         "EF01"
         "00"
         "000107",
         KLM_E_INVALID}, /* a bell */
        {"4B5801FF"
         "0000000A"
         "00000000"
         "EF01"
         "0120"
         "0000",
         KLM_E_INVALID},
    };

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        uint8_t bytes[512];
        struct kx_message msg;

        memset(&msg, 0x5A, sizeof msg);
        CHECK_RC(decode(unhex(wrong[i].hex, bytes, sizeof bytes), &msg), wrong[i].rc);
        CHECK_INT(msg.id, 0x5A5A5A5A);
    }
}

TEST(reserved_bits_of_a_hello_are_refused)
{
    uint8_t bytes[KX_HELLO_SIZE];
    struct klm_slice in = unhex(golden[0], bytes, sizeof bytes);
    struct kx_message msg;

    CHECK_INT(in.n, KX_HELLO_SIZE);
    for (int bit = 1; bit < 32; bit++) {
        bytes[16 + 3 - bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_RC(decode(in, &msg), KLM_E_INVALID);
        bytes[16 + 3 - bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    bytes[15] = 1; /* reserved byte */
    CHECK_RC(decode(in, &msg), KLM_E_INVALID);
    bytes[15] = 0;
    bytes[14] = 3; /* kind */
    CHECK_RC(decode(in, &msg), KLM_E_INVALID);
    bytes[14] = 0;
    bytes[12] = 2; /* lowest version above the highest */
    CHECK_RC(decode(in, &msg), KLM_E_INVALID);
    bytes[12] = 0;
    CHECK_RC(decode(in, &msg), KLM_E_INVALID);
    bytes[12] = 1;
    bytes[31] = 0; /* 11 characters */
    CHECK_RC(decode(in, &msg), KLM_E_INVALID);
}

TEST(no_single_wrong_bit_makes_the_decoder_read_beyond_the_message)
{
    for (size_t i = 0; i < KLM_COUNT(golden); i++) {
        uint8_t bytes[KX_MESSAGE_MAX];
        struct klm_slice in = unhex(golden[i], bytes, sizeof bytes);

        for (size_t bit = 0; bit < in.n * 8; bit++) {
            struct kx_message msg;
            size_t used = 0, need = 0;

            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (kx_decode(in, &msg, &used, &need) == KLM_OK) {
                CHECK(used <= in.n);
            }
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}
