/* Clocks, and dates as text. The calendar is worked out here: neither locale nor time zone have a
 * say. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000)
#define DAY INT64_C(86400)
#define DATE_LAST (INT64_C(253402300800) * SECOND - 1) /* the end of year 9999 */

struct date {
    int year, month, day, hour, minute, second, weekday; /* month 1-12, weekday 0 is Sunday */
};

static const char days[] = "SunMonTueWedThuFriSat";
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static _Atomic int64_t fixed;

klm_time klm_clock(void)
{
    struct timespec ts;
    int64_t t = atomic_load_explicit(&fixed, memory_order_relaxed);

    if (t) {
        return t;
    }
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * SECOND + ts.tv_nsec / 1000;
}

void klm_clock_set(klm_time t)
{
    atomic_store(&fixed, t);
}

uint64_t klm_clock_mono_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

uint64_t klm_clock_mono_ms(void)
{
    return klm_clock_mono_ns() / 1000000;
}

uint64_t klm_clock_tick_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Days since 1970-01-01 of a Gregorian date. Years are counted from March, so that the leap day is
 * the last. */
static int64_t days_of(int year, int month, int day)
{
    int y = month > 2 ? year : year - 1;
    int m = month > 2 ? month - 3 : month + 9;

    return INT64_C(365) * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

/* The year by estimate and correction, then the month in the same way. */
static struct date date_of(klm_time t)
{
    int64_t secs, day;
    struct date d = {0};

    t = t < 0 ? 0 : t > DATE_LAST ? DATE_LAST : t;
    secs = t / SECOND;
    day = secs / DAY;
    d.hour = (int)(secs % DAY / 3600);
    d.minute = (int)(secs % 3600 / 60);
    d.second = (int)(secs % 60);
    d.weekday = (int)((day + 4) % 7); /* 1970-01-01 was a Thursday */
    d.year = 1970 + (int)(day / 366);
    while (days_of(d.year + 1, 1, 1) <= day) {
        d.year++;
    }
    d.month = 12;
    while (days_of(d.year, d.month, 1) > day) {
        d.month--;
    }
    d.day = (int)(day - days_of(d.year, d.month, 1)) + 1;
    return d;
}

static int month_length(int year, int month)
{
    static const char length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return length[month - 1] + (month == 2 && leap);
}

static bool date_valid(const struct date *d)
{
    return d->year >= 1970 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= month_length(d->year, d->month) && d->hour <= 23 && d->minute <= 59 &&
           d->second <= 59;
}

static klm_time time_of(const struct date *d)
{
    int64_t secs =
        days_of(d->year, d->month, d->day) * DAY + d->hour * 3600 + d->minute * 60 + d->second;

    return secs * SECOND;
}

/* Both forms of one second, kept by each thread: times that are shown come in rows, and differ in microseconds. */
static _Thread_local struct {
    klm_time second;
    bool known;
    char java[KLM_JAVA_DATE_MAX], iso[KLM_ISO_DATE_MAX];
} shown;

static void show(klm_time second)
{
    struct date d;

    if (shown.known && shown.second == second) {
        return;
    }
    d = date_of(second * SECOND);
    snprintf(shown.java, KLM_JAVA_DATE_MAX, "%.3s %.3s %02d %02d:%02d:%02d GMT %04d",
             &days[3 * d.weekday], &months[3 * (d.month - 1)], d.day, d.hour, d.minute, d.second,
             d.year);
    snprintf(shown.iso, KLM_ISO_DATE_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", d.year, d.month,
             d.day, d.hour, d.minute, d.second);
    shown.second = second;
    shown.known = true;
}

static klm_time within(klm_time t)
{
    return t < 0 ? 0 : t > DATE_LAST ? DATE_LAST : t;
}

void klm_java_date(klm_time t, char out[KLM_JAVA_DATE_MAX])
{
    show(within(t) / SECOND);
    memcpy(out, shown.java, KLM_JAVA_DATE_MAX);
}

void klm_iso_date(klm_time t, char out[KLM_ISO_DATE_MAX])
{
    char *end = out + sizeof "2011-10-18T19:35:08.000000" - 1;
    int64_t micro = within(t) % SECOND;

    show(within(t) / SECOND);
    memcpy(out, shown.iso, KLM_ISO_DATE_MAX);
    for (; micro; micro /= 10) {
        *--end = (char)('0' + micro % 10);
    }
}

/* Match s against a pattern: '9' is a digit, 'A' any other character, the rest itself. */
static bool looks_like(const char *s, const char *pattern)
{
    for (; *pattern; s++, pattern++) {
        if (*s == '\0' || (*pattern == '9' && (*s < '0' || *s > '9')) ||
            (*pattern != '9' && *pattern != 'A' && *s != *pattern)) {
            return false;
        }
    }
    return true;
}

static int digits(const char *s, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        v = 10 * v + (s[i] - '0');
    }
    return v;
}

/* Place of a three-letter name in a list of them, or -1. */
static int place_of(const char *name, const char *list)
{
    for (int i = 0; list[3 * i]; i++) {
        if (memcmp(name, &list[3 * i], 3) == 0) {
            return i;
        }
    }
    return -1;
}

klm_rc klm_java_date_parse(const char *s, klm_time *out)
{
    struct date d;

    if (!looks_like(s, "AAA AAA 99 99:99:99 AAA 9999") || s[28] != '\0' ||
        (memcmp(s + 20, "GMT", 3) != 0 && memcmp(s + 20, "UTC", 3) != 0)) {
        return KLM_E_INVALID;
    }
    d = (struct date){.year = digits(s + 24, 4),
                      .month = place_of(s + 4, months) + 1,
                      .day = digits(s + 8, 2),
                      .hour = digits(s + 11, 2),
                      .minute = digits(s + 14, 2),
                      .second = digits(s + 17, 2)};
    if (!date_valid(&d) || place_of(s, days) != date_of(time_of(&d)).weekday) {
        return KLM_E_INVALID;
    }
    *out = time_of(&d);
    return KLM_OK;
}

/* ".123456Z" or "Z": up to six digits of a second. */
static klm_rc fraction(const char *s, int64_t *out)
{
    int64_t unit = SECOND / 10, v = 0;

    if (*s == '.') {
        s++;
        if (*s < '0' || *s > '9') {
            return KLM_E_INVALID;
        }
        for (; *s >= '0' && *s <= '9' && unit; s++, unit /= 10) {
            v += (*s - '0') * unit;
        }
    }
    if (s[0] != 'Z' || s[1] != '\0') {
        return KLM_E_INVALID;
    }
    *out = v;
    return KLM_OK;
}

klm_rc klm_iso_date_parse(const char *s, klm_time *out)
{
    struct date d;
    int64_t micros;

    if (!looks_like(s, "9999-99-99T99:99:99")) {
        return KLM_E_INVALID;
    }
    d = (struct date){.year = digits(s, 4),
                      .month = digits(s + 5, 2),
                      .day = digits(s + 8, 2),
                      .hour = digits(s + 11, 2),
                      .minute = digits(s + 14, 2),
                      .second = digits(s + 17, 2)};
    KLM_TRY(fraction(s + 19, &micros));
    if (!date_valid(&d)) {
        return KLM_E_INVALID;
    }
    *out = time_of(&d) + micros;
    return KLM_OK;
}
