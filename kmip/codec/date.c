/* Dates to text and back; the proleptic Gregorian calendar, counted by hand so that no time zone comes in. */
#include "kmip/codec/date.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define DAY 86400
#define MICRO 1000000
#define YEAR_1 (-62135596800)   /* seconds of 0001-01-01 */
#define YEAR_10000 253402300800 /* of 10000-01-01 */

struct date {
    int year, month, day, hour, minute, second, micro;
};

/* Days from 1970-01-01; March is the first month of the year counted here, so that leap days come last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1, era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400,
            of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, struct date *out)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, of_era = z - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

    out->day = (int)(of_year - (153 * m + 2) / 5 + 1);
    out->month = (int)(m < 10 ? m + 3 : m - 9);
    out->year = (int)(y + era * 400 + (out->month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

const char *kmip_date_text(struct klm_pool *pool, int64_t number, bool extended)
{
    int64_t seconds = extended ? floor_div(number, MICRO) : number, day = floor_div(seconds, DAY);
    int rest = (int)(seconds - day * DAY);
    struct date d;

    if (seconds < YEAR_1 || seconds >= YEAR_10000) {
        return klm_pool_printf(pool, "0x%016" PRIX64, (uint64_t)number);
    }
    date_of(day, &d);
    if (extended) {
        return klm_pool_printf(pool, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", d.year, d.month, d.day,
                               rest / 3600, rest / 60 % 60, rest % 60,
                               (int)(number - seconds * MICRO));
    }
    return klm_pool_printf(pool, "%04d-%02d-%02dT%02d:%02d:%02dZ", d.year, d.month, d.day,
                           rest / 3600, rest / 60 % 60, rest % 60);
}

/* Exactly n digits, then the character that follows (0: none is looked for). */
static bool digits(const char **p, size_t n, char then, int *out)
{
    int value = 0;

    for (; n > 0; n--, (*p)++) {
        if (**p < '0' || **p > '9') {
            return false;
        }
        value = value * 10 + (**p - '0');
    }
    *out = value;
    if (then && **p != then) {
        return false;
    }
    *p += then != 0;
    return true;
}

static bool possible(const struct date *d)
{
    static const int most[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (d->year % 4 == 0 && d->year % 100 != 0) || d->year % 400 == 0;

    return d->year >= 1 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= most[d->month - 1] + (d->month == 2 && leap) && d->hour < 24 &&
           d->minute < 60 && d->second < 60;
}

/* A fraction of a second to the microsecond; further digits are cut. */
static bool fraction(const char **p, int *micro)
{
    size_t n;

    *micro = 0;
    if (**p != '.') {
        return true;
    }
    n = strspn(++*p, "0123456789");
    for (size_t i = 0; i < 6; i++) {
        *micro = *micro * 10 + (i < n ? (*p)[i] - '0' : 0);
    }
    *p += n;
    return n > 0;
}

/* Z, nothing, or an offset of hours and minutes, in seconds. */
static bool zone(const char *p, int64_t *offset)
{
    int hours, minutes, sign = *p == '-' ? -1 : 1;

    *offset = 0;
    if (!*p || strcmp(p, "Z") == 0) {
        return true;
    }
    if ((*p != '+' && *p != '-') || (p++, !digits(&p, 2, ':', &hours)) ||
        !digits(&p, 2, 0, &minutes) || *p || hours > 14 || minutes > 59) {
        return false;
    }
    *offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

klm_rc kmip_date_parse(const char *text, bool extended, int64_t *out)
{
    struct date d = {0};
    int64_t offset, seconds;

    if (!digits(&text, 4, '-', &d.year) || !digits(&text, 2, '-', &d.month) ||
        !digits(&text, 2, 'T', &d.day) || !digits(&text, 2, ':', &d.hour) ||
        !digits(&text, 2, ':', &d.minute) || !digits(&text, 2, 0, &d.second) || !possible(&d) ||
        !fraction(&text, &d.micro) || !zone(text, &offset)) {
        return KLM_E_INVALID;
    }
    seconds =
        days_of(d.year, d.month, d.day) * DAY + d.hour * 3600 + d.minute * 60 + d.second - offset;
    *out = extended ? seconds * MICRO + d.micro : seconds;
    return KLM_OK;
}
