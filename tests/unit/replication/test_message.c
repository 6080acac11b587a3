/* Messages between partners against bytes written by hand from PROTOCOL.md, cut short, made longer, and with each rule broken. */
#include "test.h"

#include "replication/repl.h"

#define ZEROS32 "0000000000000000000000000000000000000000000000000000000000000000"

static const char *const golden[] = {
    /* hello of ONE, primary; welcome of a server without a role, versions 1 to 3 */
    "4B520101"
    "00000012"
    "00000001"
    "00010001"
    "00034F4E45"
    "00077072696D617279",
    "4B520181"
    "0000000B"
    "00000001"
    "00010003"
    "000354574F"
    "0000",
    /* sync: merge of a drive table "AB"; rewrite of both, one of them empty */
    "4B520110"
    "00000009"
    "00000002"
    "0001"
    "01000000024142",
    "4B520110"
    "0000000D"
    "00000003"
    "0102"
    "010000000141"
    "0200000000",
    /* synced: taken; refused and not touched */
    "4B520190"
    "00000009"
    "00000002"
    "01"
    "0100"
    "0000"
    "00026F6B",
    "4B520190"
    "00000010"
    "00000003"
    "02"
    "0201"
    "00034B4C4D"
    "0000"
    "0102"
    "0000"
    "0000",
    /* drill: nonce, a label "A" with the challenge CAFE, the master key; proven, missing */
    "4B520111"
    "0000006F"
    "00000006" ZEROS32 "02"
    "01000141" ZEROS32 "0002CAFE"
    "03000142" ZEROS32 "0000",
    "4B520191"
    "00000043"
    "00000006"
    "02"
    "00" ZEROS32 "01" ZEROS32,
    /* refused, bye */
    "4B5201FF"
    "00000008"
    "00000004"
    "00024B4C"
    "00026E6F",
    "4B52011F"
    "00000000"
    "00000005",
};

static struct klm_slice bytes_of(const char *hex)
{
    static uint8_t bytes[256];
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, bytes, sizeof bytes, &n));
    return KLM_SLICE(bytes, n);
}

TEST(messages_read_and_write_as_the_protocol_says)
{
    for (size_t i = 0; i < KLM_COUNT(golden); i++) {
        struct klm_slice in = bytes_of(golden[i]);
        struct repl_message message;
        struct klm_buf out;
        size_t used = 0;

        klm_buf_init(&out, 1024);
        CHECK_RC(repl_decode(in, &message, &used), KLM_OK);
        CHECK_INT(used, in.n);
        CHECK_RC(repl_encode(&message, &out), KLM_OK);
        CHECK_INT(out.n, in.n);
        CHECK_MEM(out.p, in.p, in.n < out.n ? in.n : out.n);
        klm_buf_done(&out);
    }
}

TEST(what_a_message_says_arrives)
{
    struct repl_message message;
    size_t used;

    REQUIRE_OK(repl_decode(bytes_of(golden[0]), &message, &used));
    CHECK_INT(message.type, REPL_HELLO);
    CHECK_INT(message.id, 1);
    CHECK_STR(message.u.hello.id, "ONE");
    CHECK_STR(message.u.hello.role, "primary");
    REQUIRE_OK(repl_decode(bytes_of(golden[3]), &message, &used));
    CHECK(message.u.sync.rewrite);
    CHECK_INT(message.u.sync.n, 2);
    CHECK_INT(message.u.sync.part[0].bytes.n, 1);
    CHECK_INT(message.u.sync.part[1].part, REPL_CONFIG);
    REQUIRE_OK(repl_decode(bytes_of(golden[5]), &message, &used));
    CHECK_INT(message.u.synced.part[0].outcome, REPL_PART_REFUSED);
    CHECK_STR(message.u.synced.part[0].text.id, "KLM");
    CHECK_INT(message.u.synced.part[1].outcome, REPL_UNTOUCHED);
}

TEST(a_message_cut_anywhere_is_waited_for_and_one_byte_more_is_the_next_one)
{
    for (size_t i = 0; i < KLM_COUNT(golden); i++) {
        struct klm_slice in = bytes_of(golden[i]);
        struct repl_message message = {.id = 77};
        size_t used = 99;

        for (size_t n = 0; n < in.n; n++) {
            CHECK_RC(repl_decode(KLM_SLICE(in.p, n), &message, &used), KLM_E_AGAIN);
        }
        CHECK_INT(message.id, 77);
        CHECK_INT(used, 99);
        CHECK_RC(repl_decode(KLM_SLICE(in.p, in.n + 1), &message, &used), KLM_OK);
        CHECK_INT(used, in.n);
    }
}

TEST(a_body_that_is_shorter_or_longer_than_it_says_is_refused)
{
    for (size_t i = 0; i + 1 < KLM_COUNT(golden); i++) { /* bye has none */
        struct klm_slice in = bytes_of(golden[i]);
        uint8_t bytes[300];
        struct repl_message message;
        size_t used;

        memcpy(bytes, in.p, in.n);
        bytes[in.n] = 0;
        bytes[7]++;
        CHECK(repl_decode(KLM_SLICE(bytes, in.n + 1), &message, &used) == KLM_E_INVALID);
        bytes[7] = (uint8_t)(bytes[7] - 2);
        CHECK(repl_decode(KLM_SLICE(bytes, in.n), &message, &used) == KLM_E_SHORT);
    }
}

TEST(each_broken_rule_is_refused)
{
    static const struct {
        const char *hex;
        klm_rc rc;
    } bad[] = {
        {"4B530101"
         "0000000000000001",
         KLM_E_INVALID}, /* magic */
        {"4B520201"
         "0000000000000001",
         KLM_E_UNSUPPORTED}, /* another frame */
        {"4B520102"
         "0000000000000001",
         KLM_E_INVALID}, /* no such type */
        {"4B520101"
         "0000020100000001",
         KLM_E_LIMIT}, /* hello of 513 bytes */
        {"4B520110"
         "0820000100000001",
         KLM_E_LIMIT}, /* sync one byte too long */
        {"4B52011F"
         "0000000100000001"
         "00",
         KLM_E_LIMIT}, /* bye with a body */
        {"4B520101"
         "0000000900000001"
         "00000001"
         "000141"
         "0000",
         KLM_E_INVALID}, /* version 0 */
        {"4B520101"
         "0000000900000001"
         "00030002"
         "000141"
         "0000",
         KLM_E_INVALID}, /* 3 to 2 */
        {"4B520101"
         "0000000800000001"
         "00010001"
         "0000"
         "0000",
         KLM_E_INVALID}, /* no name */
        {"4B520101"
         "0000000900000001"
         "00010001"
         "000107"
         "0000",
         KLM_E_INVALID}, /* a bell in it */
        {"4B520110"
         "0000000200000001"
         "0000",
         KLM_E_INVALID}, /* no parts */
        {"4B520110"
         "0000000200000001"
         "0009",
         KLM_E_INVALID}, /* nine of them */
        {"4B520110"
         "0000000700000001"
         "0201"
         "0100000000",
         KLM_E_INVALID}, /* neither mode */
        {"4B520110"
         "0000000700000001"
         "0001"
         "01FFFFFFFF",
         KLM_E_LIMIT}, /* a part of 4 GiB */
        {"4B520190"
         "0000000700000001"
         "01"
         "0103"
         "00000000",
         KLM_E_INVALID}, /* outcome 3 */
        {"4B520111"
         "0000002100000001" ZEROS32 "00",
         KLM_E_INVALID}, /* nothing asked */
        {"4B520111"
         "0000002100000001" ZEROS32 "81",
         KLM_E_INVALID}, /* 129 challenges */
        {"4B520191"
         "0000000100000001"
         "81",
         KLM_E_INVALID}, /* 129 proofs */
        {"4B520191"
         "0000002200000001"
         "01"
         "07" ZEROS32,
         KLM_E_INVALID}, /* outcome 7 */
        {"4B520190"
         "0000000100000001"
         "09",
         KLM_E_INVALID}, /* nine parts */
    };

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        struct repl_message message;
        size_t used;

        CHECK_RC(repl_decode(bytes_of(bad[i].hex), &message, &used), bad[i].rc);
    }
}

TEST(what_is_too_long_is_not_written)
{
    struct repl_message message = {.type = REPL_SYNCED, .u.synced.n = REPL_PARTS_MAX};
    struct klm_buf out;

    klm_buf_init(&out, 1u << 20);
    for (size_t i = 0; i < REPL_PARTS_MAX; i++) {
        memset(message.u.synced.part[i].text.text, 'x', REPL_TEXT_MAX);
    }
    CHECK_RC(repl_encode(&message, &out), KLM_OK);
    message = (struct repl_message){.type = REPL_SYNC, .u.sync.n = 1};
    message.u.sync.part[0].bytes = KLM_SLICE(golden, 0);
    klm_buf_done(&out);
    klm_buf_init(&out, REPL_HEADER + 6);
    CHECK(repl_encode(&message, &out) != KLM_OK);
    CHECK_INT(out.n, 0);
    klm_buf_done(&out);
}

TEST(parts_are_found_by_their_number)
{
    size_t n;
    const struct repl_part_row *rows = repl_parts(&n);

    for (size_t i = 0; i < n; i++) {
        CHECK(repl_part_row((uint8_t)rows[i].part) == &rows[i]);
        CHECK(km_verb(rows[i].take)->right == KM_RIGHT_TAKE);
        CHECK(km_verb(rows[i].check)->right == KM_RIGHT_TAKE && !km_verb(rows[i].check)->apply);
    }
    CHECK(repl_part_row(0) == NULL && repl_part_row(99) == NULL);
}
