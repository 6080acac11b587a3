/* Clocks and dates. Expected values were made with GNU date. */
#include "test.h"

#include "base/clock.h"

#include <locale.h>
#include <stdlib.h>
#include <time.h>

#define S INT64_C(1000000)

static const struct {
    int64_t secs;
    const char *java, *iso;
} dates[] = {
    {0, "Thu Jan 01 00:00:00 GMT 1970", "1970-01-01T00:00:00.000000Z"},
    {951782400, "Tue Feb 29 00:00:00 GMT 2000", "2000-02-29T00:00:00.000000Z"},
    {1318966508, "Tue Oct 18 19:35:08 GMT 2011", "2011-10-18T19:35:08.000000Z"},
    {1709251199, "Thu Feb 29 23:59:59 GMT 2024", "2024-02-29T23:59:59.000000Z"},
    {1735689599, "Tue Dec 31 23:59:59 GMT 2024", "2024-12-31T23:59:59.000000Z"},
    {4107542400, "Mon Mar 01 00:00:00 GMT 2100", "2100-03-01T00:00:00.000000Z"},
    {253402300799, "Fri Dec 31 23:59:59 GMT 9999", "9999-12-31T23:59:59.000000Z"},
};

TEST(dates_are_written_as_java_and_iso_do)
{
    char java[KLM_JAVA_DATE_MAX], iso[KLM_ISO_DATE_MAX];

    for (size_t i = 0; i < KLM_COUNT(dates); i++) {
        klm_java_date(dates[i].secs * S, java);
        klm_iso_date(dates[i].secs * S, iso);
        CHECK_STR(java, dates[i].java);
        CHECK_STR(iso, dates[i].iso);
    }
}

TEST(dates_are_read_back)
{
    klm_time t = -1;

    for (size_t i = 0; i < KLM_COUNT(dates); i++) {
        REQUIRE_OK(klm_java_date_parse(dates[i].java, &t));
        CHECK_INT(t, dates[i].secs * S);
        REQUIRE_OK(klm_iso_date_parse(dates[i].iso, &t));
        CHECK_INT(t, dates[i].secs * S);
    }
}

TEST(every_day_of_four_centuries_goes_both_ways)
{
    char java[KLM_JAVA_DATE_MAX];
    klm_time back;
    struct tm tm;

    for (int64_t day = 0; day < 400 * 366; day += 1) {
        time_t t = (time_t)(day * 86400 + day % 86400);

        klm_java_date(t * S, java);
        REQUIRE_OK(klm_java_date_parse(java, &back));
        REQUIRE(back == t * S);
        gmtime_r(&t, &tm);
        REQUIRE(atoi(java + 8) == tm.tm_mday && atoi(java + 24) == tm.tm_year + 1900);
    }
}

TEST(neither_locale_nor_zone_changes_a_date)
{
    char java[KLM_JAVA_DATE_MAX];

    setenv("TZ", "America/New_York", 1);
    tzset();
    setlocale(LC_ALL, "C.UTF-8");
    klm_java_date(INT64_C(1318966508) * S, java);
    CHECK_STR(java, "Tue Oct 18 19:35:08 GMT 2011");
    unsetenv("TZ");
    tzset();
}

TEST(parts_of_a_second_are_kept_by_iso_only)
{
    char iso[KLM_ISO_DATE_MAX];
    klm_time t = 0;

    klm_iso_date(1234567, iso);
    CHECK_STR(iso, "1970-01-01T00:00:01.234567Z");
    REQUIRE_OK(klm_iso_date_parse("1970-01-01T00:00:01.5Z", &t));
    CHECK_INT(t, 1500000);
    REQUIRE_OK(klm_iso_date_parse("1970-01-01T00:00:01Z", &t));
    CHECK_INT(t, 1000000);
}

TEST(times_out_of_range_are_shown_as_the_nearest_date)
{
    char iso[KLM_ISO_DATE_MAX];

    klm_iso_date(-1, iso);
    CHECK_STR(iso, "1970-01-01T00:00:00.000000Z");
    klm_iso_date(INT64_MAX, iso);
    CHECK_STR(iso, "9999-12-31T23:59:59.999999Z");
}

TEST(wrong_java_dates_are_refused)
{
    static const char *const bad[] = {
        "",
        "Tue",
        "Tue Oct 18 19:35:08 GMT 2011 ",
        "Tue Oct 18 19:35:08 GMT 201",
        "Wed Oct 18 19:35:08 GMT 2011", /* it was a Tuesday */
        "Tue Okt 18 19:35:08 GMT 2011",
        "tue Oct 18 19:35:08 GMT 2011",
        "Tue Oct 18 19:35:08 CET 2011",
        "Thu Feb 29 00:00:00 GMT 2100",
        "Tue Oct 00 19:35:08 GMT 2011",
        "Tue Oct 32 19:35:08 GMT 2011",
        "Tue Oct 18 24:00:00 GMT 2011",
        "Tue Oct 18 19:60:08 GMT 2011",
        "Tue Oct 18 19:35:60 GMT 2011",
        "Tue Oct  8 19:35:08 GMT 2011",
        "Wed Dec 31 23:59:59 GMT 1969",
    };
    klm_time t = 42;

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(klm_java_date_parse(bad[i], &t), KLM_E_INVALID);
    }
    CHECK_INT(t, 42);
}

TEST(a_java_date_in_utc_is_read)
{
    klm_time t = 0;

    REQUIRE_OK(klm_java_date_parse("Tue Oct 18 19:35:08 UTC 2011", &t));
    CHECK_INT(t, INT64_C(1318966508) * S);
}

TEST(wrong_iso_dates_are_refused)
{
    static const char *const bad[] = {
        "",
        "2011-10-18",
        "2011-10-18T19:35:08",
        "2011-10-18T19:35:08z",
        "2011-10-18 19:35:08Z",
        "2011-10-18T19:35:08.Z",
        "2011-10-18T19:35:08.1234567Z",
        "2011-10-18T19:35:08.1",
        "2011-13-18T19:35:08Z",
        "2011-00-18T19:35:08Z",
        "2011-02-29T19:35:08Z",
        "2011-10-18T19:35:08+01:00",
        "2011-10-18T19:35:08ZZ",
        "1969-12-31T23:59:59Z",
        "2011-10-18T19:35:60Z",
    };
    klm_time t = 42;

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(klm_iso_date_parse(bad[i], &t), KLM_E_INVALID);
    }
    CHECK_INT(t, 42);
}

TEST(the_clock_can_be_set_and_set_free)
{
    klm_time now = (klm_time)time(NULL) * S;

    klm_clock_set(5 * S);
    CHECK_INT(klm_clock(), 5 * S);
    klm_clock_set(0);
    CHECK(klm_clock() >= now && klm_clock() < now + 60 * S);
}

TEST(the_clock_of_ticks_is_a_moment_behind_at_most)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t before = klm_clock_mono_ms(), tick = klm_clock_tick_ms();

        CHECK(tick + test_ms(1000) >= before); /* ticks come late where a machine is busy */
        CHECK(tick <= klm_clock_mono_ms());
    }
}

TEST(the_monotonic_clock_moves_on_while_the_wall_clock_stands)
{
    uint64_t ns = klm_clock_mono_ns();
    struct timespec nap = {0, 3000000};

    klm_clock_set(5 * S);
    nanosleep(&nap, NULL);
    klm_clock_set(0);
    CHECK(klm_clock_mono_ns() >= ns + 3000000);
    CHECK(klm_clock_mono_ms() >= ns / 1000000 + 3);
}
