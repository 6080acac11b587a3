/* Control statements: what is understood, and what is refused with its line. */
#include "smf/dump/control.h"
#include "test.h"

#include "base/ebcdic.h"

#include <stdlib.h>

static struct smfd_control control;
static struct klm_diag diag;

static klm_rc parse(const char *text)
{
    control = (struct smfd_control){.in_n = 0};
    diag = (struct klm_diag){.msg = KLM_MSG_NONE};
    return smfd_control_parse(klm_slice_str(text), &control, &diag);
}

static void refuse(const char *text, unsigned line)
{
    CHECK_RC(parse(text), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_DUMP_STATEMENT);
    CHECK_INT(diag.line, line);
    CHECK_INT(control.in_n + control.out_n, 0);
}

static struct smf_t83_view record(unsigned type, unsigned subtype, int year, int day, uint32_t time)
{
    static uint8_t system[4];

    klm_ebcdic_field("Z1", system, 4);
    return (struct smf_t83_view){.type = (uint8_t)type,
                                 .subtype = (uint16_t)subtype,
                                 .year = year,
                                 .day = day,
                                 .time = time,
                                 .system = KLM_SLICE(system, 4)};
}

TEST(a_job_as_it_is_written_for_ifasmfdp_is_understood)
{
    struct smf_t83_view key = record(83, 6, 2026, 310, 9 * 360000),
                        job = record(30, 4, 2026, 310, 0);

    REQUIRE_OK(parse("  INDD(DUMPIN,OPTIONS(DUMP))\n"
                     "  INDD(MAN2,OPTIONS(ALL))     /* and this\n one */\n"
                     "  OUTDD(DUMPOUT,TYPE(83(6),80:82))\n"
                     "  OUTDD(REST,NOTYPE(83))\n"
                     "* a comment of its own\n"
                     "  DATE(2026305,2026334) START(0800),END(1730)\n"
                     "  SID(Z1,SYSB)\n  ABEND(NORETRY)\n USER2(IRRADU00) USER3(IRRADU86)\n"));
    CHECK_INT(control.in_n, 2);
    CHECK(control.in[0].dump && !control.in[0].clear);
    CHECK(control.in[1].dump && control.in[1].clear);
    CHECK_STR(control.in[1].dd, "MAN2");
    CHECK_INT(control.out_n, 3);
    CHECK(smfd_takes(&control.out[0], &key) && !smfd_takes(&control.out[0], &job));
    CHECK(!smfd_takes(&control.out[1], &key) && smfd_takes(&control.out[1], &job));
    CHECK(control.out[2].unload);
    CHECK_STR(control.out[2].dd, "OUTDD");
    CHECK(smfd_selects(&control, &key));
}

TEST(statements_go_on_over_lines_and_line_numbers_are_passed_over)
{
    struct smf_t83_view one = record(80, 0, 2026, 1, 0), other = record(81, 0, 2026, 1, 0);

    REQUIRE_OK(parse(
        "INDD(DUMPIN, -\n  OPTIONS(CLEAR))                                      \n"
        "OUTDD(DUMPOUT,TYPE(                                                     00000200\n"
        "  80)                                                                   00000300\n"
        ")                                                                       00000400\n"));
    CHECK(control.in[0].clear && !control.in[0].dump);
    CHECK(smfd_takes(&control.out[0], &one) && !smfd_takes(&control.out[0], &other));
}

TEST(nothing_at_all_is_a_good_sysin)
{
    REQUIRE_OK(parse(""));
    REQUIRE_OK(parse("/* only this"));
    CHECK_INT(control.in_n, 0);
}

TEST(subtypes_and_ranges_are_taken_apart)
{
    struct smfd_outdd out = {.dd = "X"};
    struct smf_t83_view six = record(83, 6, 2026, 1, 0), five = record(83, 5, 2026, 1, 0),
                        last = record(255, 0, 2026, 1, 0), four = record(30, 4, 2026, 1, 0);

    REQUIRE_OK(smfd_types_parse("83(6),30(2:3,5),200:255", false, &out.types, NULL));
    CHECK(smfd_takes(&out, &six) && !smfd_takes(&out, &five) && smfd_takes(&out, &last));
    CHECK(!smfd_takes(&out, &four));
    REQUIRE_OK(smfd_types_parse("83(6)", true, &out.types, NULL));
    CHECK(!smfd_takes(&out, &six) && smfd_takes(&out, &five) && smfd_takes(&out, &four));
}

TEST(what_cannot_be_is_refused_with_its_line)
{
    refuse("INDD(DUMPIN\n", 2);
    refuse("\nINDD()\n", 2);
    refuse("INDD(NINECHARS,OPTIONS(DUMP))", 1);
    refuse("INDD(1ABC)", 1);
    refuse("INDD(A,OPTIONS(KEEP))", 1);
    refuse("OUTDD(A,TYPE(256))", 1);
    refuse("OUTDD(A,TYPE(9:8))", 1);
    refuse("OUTDD(A,TYPE(80:83(6)))", 1);
    refuse("OUTDD(A,TYPE(83(65536)))", 1);
    refuse("OUTDD(A,TYPE())", 1);
    refuse("OUTDD(A,TYPE(1),NOTYPE(2))", 1);
    refuse("OUTDD(A)\nOUTDD(A)", 2);
    refuse("DATE(2026334,2026305)", 1);
    refuse("DATE(2026000,2026001)", 1);
    refuse("DATE(2026367,2026367)", 1);
    refuse("START(800)", 1);
    refuse("START(2401)", 1);
    refuse("END(0860)", 1);
    refuse("SID(FIVE5)", 1);
    refuse("USER1(MYEXIT)", 1);
    refuse("\n\nBANANA(1)", 3);
    refuse("(", 1);
    refuse("INDD(A) 12                                                              BEHIND72\n", 1);
}

TEST(every_limit_holds_one_over_it)
{
    struct klm_buf text;

    klm_buf_init(&text, SMFD_SYSIN_MAX + 64);
    for (unsigned i = 0; i < SMFD_INDD_MAX; i++) {
        klm_buf_printf(&text, "INDD(A%u)\n", i);
    }
    klm_buf_u8(&text, 0);
    REQUIRE_OK(parse((const char *)text.p));
    text.n--;
    klm_buf_text(&text, "INDD(B)\n");
    klm_buf_u8(&text, 0);
    CHECK_RC(parse((const char *)text.p), KLM_E_INVALID);
    klm_buf_clear(&text);
    klm_buf_text(&text, "OUTDD(A,TYPE(83(0");
    for (unsigned i = 1; i < SMFD_SUBTYPES_MAX; i++) {
        klm_buf_printf(&text, ",\n%u", i);
    }
    klm_buf_text(&text, ")))");
    klm_buf_u8(&text, 0);
    REQUIRE_OK(parse((const char *)text.p));
    text.n -= 4;
    klm_buf_text(&text, ",\n300)))");
    klm_buf_u8(&text, 0);
    CHECK_RC(parse((const char *)text.p), KLM_E_INVALID);
    while (text.n <= SMFD_SYSIN_MAX) {
        klm_buf_text(&text, "          \n");
    }
    CHECK_RC(smfd_control_parse(klm_buf_as_slice(&text), &control, &diag), KLM_E_LIMIT);
    klm_buf_done(&text);
}

TEST(dates_and_hours_select_their_records)
{
    struct smf_t83_view head = record(83, 6, 2026, 305, 8 * 360000);

    REQUIRE_OK(parse("DATE(2026305,2026305) START(0800) END(0900)"));
    CHECK(smfd_selects(&control, &head));
    head.time--;
    CHECK(!smfd_selects(&control, &head));
    head.time = 9 * 360000;
    CHECK(smfd_selects(&control, &head));
    head.time++;
    CHECK(!smfd_selects(&control, &head));
    head = record(83, 6, 2026, 306, 8 * 360000);
    CHECK(!smfd_selects(&control, &head));
    REQUIRE_OK(parse("START(2200) END(0600) SID(Z2)"));
    CHECK(!smfd_selects(&control, &head));
    REQUIRE_OK(parse("START(2200) END(0600) SID(Z1)"));
    CHECK(!smfd_selects(&control, &head));
    head.time = 23 * 360000;
    CHECK(smfd_selects(&control, &head));
    head.time = 1;
    CHECK(smfd_selects(&control, &head));
}

TEST(short_years_have_their_century)
{
    REQUIRE_OK(parse("DATE(99365,26001)"));
    CHECK_INT(control.from / SMFD_DAY_TIMES, 1999365);
    CHECK_INT(control.to / SMFD_DAY_TIMES, 2026001);
}

TEST(times_of_options_are_first_or_last_of_what_they_say)
{
    uint64_t at = 0;

    REQUIRE_OK(smfd_when_parse("2026-11-22", false, &at, NULL));
    CHECK_INT(at, smfd_stamp(2026, 326, 0));
    REQUIRE_OK(smfd_when_parse("2026-11-22", true, &at, NULL));
    CHECK_INT(at, smfd_stamp(2026, 326, SMFD_DAY_TIMES - 1));
    REQUIRE_OK(smfd_when_parse("2024-12-31T23:59", true, &at, NULL));
    CHECK_INT(at, smfd_stamp(2024, 366, SMFD_DAY_TIMES - 1));
    REQUIRE_OK(smfd_when_parse("2026001T08:30:15", false, &at, NULL));
    CHECK_INT(at, smfd_stamp(2026, 1, (8 * 3600 + 30 * 60 + 15) * 100));
    CHECK_RC(smfd_when_parse("2026-02-29", false, &at, NULL), KLM_E_INVALID);
    CHECK_RC(smfd_when_parse("2026366", false, &at, NULL), KLM_E_INVALID);
    CHECK_RC(smfd_when_parse("2026-1-1", false, &at, NULL), KLM_E_INVALID);
    CHECK_RC(smfd_when_parse("2026-01-01T24:00", false, &at, NULL), KLM_E_INVALID);
    CHECK_RC(smfd_when_parse("2026-01-01T", false, &at, NULL), KLM_E_INVALID);
    CHECK_RC(smfd_when_parse("2026-01-01 ", false, &at, NULL), KLM_E_INVALID);
    CHECK_RC(smfd_when_parse("", false, &at, NULL), KLM_E_INVALID);
}
