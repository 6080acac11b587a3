/* Code page 1047. */
#include "test.h"

#include "base/ebcdic.h"

#include <iconv.h>

TEST(known_characters_have_their_codes)
{
    static const char text[] = "VOL1 HDR1 EOF1 az AZ 09 [^]|!";
    static const uint8_t expected[] = {0xe5, 0xd6, 0xd3, 0xf1, 0x40, 0xc8, 0xc4, 0xd9, 0xf1, 0x40,
                                       0xc5, 0xd6, 0xc6, 0xf1, 0x40, 0x81, 0xa9, 0x40, 0xc1, 0xe9,
                                       0x40, 0xf0, 0xf9, 0x40, 0xad, 0x5f, 0xbd, 0x4f, 0x5a};
    uint8_t out[sizeof expected];

    klm_to_ebcdic(text, out, sizeof out);
    CHECK_MEM(out, expected, sizeof out);
}

TEST(the_table_is_that_of_the_c_library)
{
    iconv_t cd = iconv_open("IBM1047", "ISO-8859-1");
    char in[256], theirs[256], *from = in, *to = theirs;
    uint8_t ours[256];
    size_t in_n = 256, out_n = 256;

    for (int i = 0; i < 256; i++) {
        in[i] = (char)i;
    }
    REQUIRE(cd != (iconv_t)-1);
    REQUIRE(iconv(cd, &from, &in_n, &to, &out_n) == 0 && in_n == 0 && out_n == 0);
    iconv_close(cd);
    klm_to_ebcdic(in, ours, 256);
    CHECK_MEM(ours, theirs, 256);
}

TEST(every_code_goes_there_and_back_in_place)
{
    uint8_t p[256], before[256];

    for (int i = 0; i < 256; i++) {
        p[i] = before[i] = (uint8_t)i;
    }
    klm_to_ebcdic(p, p, 256);
    CHECK(memcmp(p, before, 256) != 0);
    klm_from_ebcdic(p, p, 256);
    CHECK_MEM(p, before, 256);
}

TEST(a_field_is_padded_with_blanks_or_cut)
{
    static const uint8_t padded[] = {0xe6, 0xe7, 0xe8, 0x40, 0x40, 0x40}, cut[] = {0xe6, 0xe7};
    uint8_t out[7];

    out[6] = 0x99;
    klm_ebcdic_field("WXY", out, 6);
    CHECK_MEM(out, padded, 6);
    CHECK_INT(out[6], 0x99);
    klm_ebcdic_field("WXY", out, 2);
    CHECK_MEM(out, cut, 2);
    CHECK_INT(out[2], 0xe8);
    klm_ebcdic_field(NULL, out, 1);
    CHECK_INT(out[0], 0x40);
}

TEST(characters_outside_the_page_become_question_marks)
{
    /* u umlaut is in ISO 8859-1; the euro sign, a smiling face and a lone continuation byte are not
     */
    static const uint8_t expected[] = {0xdc, 0x6f, 0x6f, 0x6f, 0x81, 0x40};
    uint8_t out[6];

    klm_ebcdic_field("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\x80"
                     "a",
                     out, 6);
    CHECK_MEM(out, expected, 6);
}

TEST(a_character_cut_off_at_the_end_is_not_read_past)
{
    uint8_t out[3];
    static const uint8_t expected[] = {0x81, 0x6f, 0x40};

    klm_ebcdic_field("a\xe2\x82", out, 3);
    CHECK_MEM(out, expected, 3);
    klm_ebcdic_field("a\xc3", out, 3);
    CHECK_MEM(out, expected, 3);
}

TEST(a_plain_run_is_converted_up_to_what_is_not_plain)
{
    for (unsigned c = 0; c < 256; c++) {
        uint8_t in[4] = {'K', 'L', (uint8_t)c, 'M'}, out[4] = {1, 1, 1, 1}, all[4];
        bool plain = c >= 0x20 && c < 0x7F && c != '\\';

        klm_to_ebcdic(in, all, sizeof all);
        CHECK_INT(klm_plain_to_ebcdic(in, out, sizeof in), plain ? 4 : 2);
        CHECK_MEM(out, all, plain ? 4 : 2);
        CHECK_INT(out[3], plain ? all[3] : 1);
    }
    CHECK_INT(klm_plain_to_ebcdic("", NULL, 0), 0);
}
