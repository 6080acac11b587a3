/* Standard labels against texts laid out by hand, column by column. */
#include "test.h"

#include "base/ebcdic.h"
#include "ios/labels.h"

/*                    1         2         3         4         5         6         7         8
 *           12345678901234567890123456789012345678901234567890123456789012345678901234567890 */
#define VOL1 "VOL1WXY6620                              KLMSRV                                 "
#define HDR1 "HDR1MY.DATA.SET      WXY66200010012      0263250000000000000KLMSRV          0000"
#define EOF1 "EOF1MY.DATA.SET      WXY66200010012      0263250000000234567KLMSRV          0001"
#define HDR2 "HDR2U327600000000ENCRYPT /STEP2                                                 "

static void put_text(const char *text, uint8_t out[IOS_LABEL_SIZE])
{
    REQUIRE(strlen(text) == IOS_LABEL_SIZE);
    klm_to_ebcdic(text, out, IOS_LABEL_SIZE);
}

static void check_text(const uint8_t label[IOS_LABEL_SIZE], const char *expected)
{
    char text[IOS_LABEL_SIZE + 1] = {0};

    klm_from_ebcdic(label, text, IOS_LABEL_SIZE);
    CHECK_STR(text, expected);
}

static struct ios_label1 sample(uint64_t blocks)
{
    return (struct ios_label1){.dsname = "MY.DATA.SET",
                               .volser = "WXY662",
                               .fileseq = 12,
                               .year = 2026,
                               .day = 325,
                               .blocks = blocks};
}

TEST(labels_have_their_fields_in_the_standard_columns)
{
    struct ios_label1 one = sample(0);
    struct ios_label2 two = {.recfm = 'U', .blksize = 32760, .job = "ENCRYPT", .step = "STEP2"};
    uint8_t label[IOS_LABEL_SIZE];

    ios_label_vol1("WXY662", "KLMSRV", label);
    check_text(label, VOL1);
    CHECK_MEM(label, "\xE5\xD6\xD3\xF1\xE6\xE7\xE8\xF6\xF6\xF2\xF0\x40",
              12); /* VOL1WXY6620 in EBCDIC */
    ios_label_1(IOS_LABEL_HDR1, &one, label);
    check_text(label, HDR1);
    one.blocks = 1234567;
    ios_label_1(IOS_LABEL_EOF1, &one, label);
    check_text(label, EOF1);
    ios_label_2(IOS_LABEL_HDR2, &two, label);
    check_text(label, HDR2);
}

TEST(labels_written_by_hand_are_read)
{
    uint8_t label[IOS_LABEL_SIZE];
    struct ios_label1 one;
    struct ios_label2 two;
    char volser[7];

    put_text(VOL1, label);
    CHECK_INT(ios_label_kind(label, 80), IOS_LABEL_VOL1);
    REQUIRE_OK(ios_label_vol1_parse(label, volser));
    CHECK_STR(volser, "WXY662");
    put_text(EOF1, label);
    CHECK_INT(ios_label_kind(label, 80), IOS_LABEL_EOF1);
    REQUIRE_OK(ios_label_1_parse(label, &one));
    CHECK_STR(one.dsname, "MY.DATA.SET");
    CHECK_STR(one.volser, "WXY662");
    CHECK_INT(one.fileseq, 12);
    CHECK_INT(one.year, 2026);
    CHECK_INT(one.day, 325);
    CHECK_INT(one.blocks, 1234567);
    put_text(HDR2, label);
    REQUIRE_OK(ios_label_2_parse(label, &two));
    CHECK_INT(two.recfm, 'U');
    CHECK_INT(two.blksize, 32760);
    CHECK_STR(two.job, "ENCRYPT");
    CHECK_STR(two.step, "STEP2");
}

TEST(dates_before_2000_have_a_blank_century)
{
    struct ios_label1 one = sample(0), again;
    uint8_t label[IOS_LABEL_SIZE];
    char text[IOS_LABEL_SIZE];

    one.year = 1999;
    one.day = 7;
    ios_label_1(IOS_LABEL_HDR1, &one, label);
    klm_from_ebcdic(label, text, sizeof text);
    CHECK_MEM(text + 41, " 99007", 6);
    REQUIRE_OK(ios_label_1_parse(label, &again));
    CHECK_INT(again.year, 1999);
    one.year = 2100;
    ios_label_1(IOS_LABEL_HDR1, &one, label);
    klm_from_ebcdic(label, text, sizeof text);
    CHECK_MEM(text + 41, "100007", 6);
}

TEST(today_is_a_year_and_a_day)
{
    unsigned year = 0, day = 0;

    ios_label_today(INT64_C(951782400) * 1000000, &year, &day); /* 29 February 2000 */
    CHECK_INT(year, 2000);
    CHECK_INT(day, 60);
}

TEST(what_is_no_label_is_told_apart)
{
    uint8_t label[81] = {0};

    put_text(VOL1, label);
    CHECK_INT(ios_label_kind(label, 79), IOS_LABEL_NONE);
    CHECK_INT(ios_label_kind(label, 81), IOS_LABEL_NONE);
    CHECK_INT(ios_label_kind((const uint8_t *)VOL1, 80), IOS_LABEL_ASCII);
    CHECK_INT(ios_label_kind((const uint8_t *)EOF1, 80), IOS_LABEL_NONE);
    klm_to_ebcdic("UHL1", label, 4);
    CHECK_INT(ios_label_kind(label, 80), IOS_LABEL_OTHER);
    klm_to_ebcdic("HDR0", label, 4);
    CHECK_INT(ios_label_kind(label, 80), IOS_LABEL_NONE);
    klm_to_ebcdic("HDR3", label, 4);
    CHECK_INT(ios_label_kind(label, 80), IOS_LABEL_OTHER);
    ios_label_dummy(label);
    CHECK_INT(ios_label_kind(label, 80), IOS_LABEL_HDR1);
    CHECK(ios_label_is_dummy(label));
    label[79] ^= 1;
    CHECK(!ios_label_is_dummy(label));
}

TEST(damaged_fields_are_refused)
{
    static const struct {
        int column;
        char c;
    } wrong[] = {{32, 'A'}, {33, ' '}, {42, 'x'}, {44, '-'},
                 {47, ' '}, {55, '.'}, {80, 'Z'}, {5, '\x01'}};
    struct ios_label1 one;
    char volser[7] = "before";
    uint8_t label[IOS_LABEL_SIZE];

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        put_text(EOF1, label);
        klm_to_ebcdic(&wrong[i].c, &label[wrong[i].column - 1], 1);
        CHECK_RC(ios_label_1_parse(label, &one), KLM_E_INVALID);
    }
    put_text(VOL1, label);
    klm_to_ebcdic("a", &label[4], 1);
    CHECK_RC(ios_label_vol1_parse(label, volser), KLM_E_INVALID);
    CHECK_STR(volser, "before");
    klm_to_ebcdic("      ", &label[4], 6);
    CHECK_RC(ios_label_vol1_parse(label, volser), KLM_E_INVALID);
}

TEST(names_have_limits)
{
    char name[IOS_LABEL_NAME + 1];

    ios_label_name("A23456789012345678", name);
    CHECK_STR(name, "23456789012345678");
    ios_label_name("PAY.DATA", name);
    CHECK_STR(name, "PAY.DATA");
    CHECK_RC(ios_volser_check("WXY662"), KLM_OK);
    CHECK_RC(ios_volser_check("WXY6627"), KLM_E_INVALID);
    CHECK_RC(ios_volser_check(""), KLM_E_INVALID);
    CHECK_RC(ios_volser_check("wxy"), KLM_E_INVALID);
    CHECK_RC(ios_dsname_check("A.B34567.B2345678.C2345678.D2345678.E2345678"), KLM_OK);
    CHECK_RC(ios_dsname_check("A.B34567.B2345678.C2345678.D2345678.E23456789"), KLM_E_INVALID);
    CHECK_RC(ios_dsname_check("A B"), KLM_E_INVALID);
    CHECK_RC(ios_dsname_check(""), KLM_E_INVALID);
}
