/* Serial numbers, world wide names and kinds as people type them. */
#include "dt_help.h"

static const char *serial(const char *typed)
{
    static char out[DT_SERIAL + 1];

    return dt_serial(typed, out, NULL) == KLM_OK ? out : "refused";
}

TEST(serial_numbers_get_their_one_spelling)
{
    CHECK_STR(serial("0007888422"), SN);
    CHECK_STR(serial(SN), SN);
    CHECK_STR(serial("fvtdrive0000"), "FVTDRIVE0000");
    CHECK_STR(serial("FVTDRIVE0000"), "FVTDRIVE0000");
}

TEST(wrong_serial_numbers_are_refused)
{
    static const char *const bad[] = {"",
                                      "1",
                                      "000788842",
                                      "00078884222",
                                      "0000078884220",
                                      "000788842A",
                                      "0000078884-2",
                                      "00000788842 ",
                                      "00000788842\xC3",
                                      "abcdefghij"};

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_STR(serial(bad[i]), "refused");
    }
}

TEST(a_refused_serial_number_is_named_and_nothing_is_written)
{
    struct klm_diag diag = {0};
    char out[DT_SERIAL + 1] = "unchanged";

    CHECK_RC(dt_serial("12", out, &diag), KLM_E_INVALID);
    CHECK_STR(out, "unchanged");
    CHECK(strstr(diag.text, "KLM0201E") && strstr(diag.text, "12"));
}

TEST(world_wide_names_are_taken_with_colons_and_in_lower_case)
{
    char out[17];

    REQUIRE_OK(dt_wwn("500507630240fbcc", out, NULL));
    CHECK_STR(out, "500507630240FBCC");
    REQUIRE_OK(dt_wwn("50:05:07:63:02:40:fb:cc", out, NULL));
    CHECK_STR(out, "500507630240FBCC");
}

TEST(wrong_world_wide_names_are_refused)
{
    static const char *const bad[] = {"",
                                      "500507630240FBC",
                                      "500507630240FBCCC",
                                      "500507630240FBCG",
                                      "50:05:07:63:02:40:fb:cc:",
                                      ":500507630240FBCC",
                                      "5005:07630240FBCC",
                                      "50:0507630240FBCC",
                                      "50::05:07:63:02:40:fb:cc",
                                      "50 05 07 63 02 40 fb cc",
                                      "50:05:07:63:02:40:fb:c:c"};
    char out[17] = "unchanged";

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(dt_wwn(bad[i], out, NULL), KLM_E_INVALID);
    }
    CHECK_STR(out, "unchanged");
}

TEST(kinds_of_drives_have_names)
{
    enum dt_kind kind = DT_3592;

    REQUIRE_OK(dt_kind_parse("lto", &kind));
    CHECK_INT(kind, DT_LTO);
    REQUIRE_OK(dt_kind_parse("ds8000", &kind));
    CHECK_INT(kind, DT_DS8000);
    REQUIRE_OK(dt_kind_parse("3592", &kind));
    CHECK_INT(kind, DT_3592);
    CHECK_RC(dt_kind_parse("LTO5", &kind), KLM_E_INVALID);
    CHECK_RC(dt_kind_parse("LT", &kind), KLM_E_INVALID);
    CHECK_RC(dt_kind_parse("", &kind), KLM_E_INVALID);
    CHECK_STR(dt_kind_name(DT_DS8000), "DS8000");
}
