/* Local time and packed dates, as the headers of SMF records have them. */
#include "smf/type83_int.h"

#define SECOND INT64_C(1000000)
#define DAY (INT64_C(86400) * SECOND)

static bool leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to January 1 of a year. */
static int64_t days_before(int64_t year)
{
    int64_t y = year - 1;

    return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 1969 / 400);
}

struct smf_local smf_local_of(klm_time t, int utc_offset_min)
{
    int64_t local = t + utc_offset_min * 60 * SECOND;
    int64_t day, year;
    unsigned yy, ddd;

    local = local < 0 ? 0 : local;
    day = local / DAY;
    year = 1970 + day / 366;
    while (days_before(year + 1) <= day) {
        year++;
    }
    ddd = (unsigned)(day - days_before(year)) + 1;
    yy = (unsigned)(year % 100);
    return (struct smf_local){.hundredths = (uint32_t)(local % DAY / (SECOND / 100)),
                              /* The century digit counts from 19yy. */
                              .packed = (uint32_t)((year / 100 - 19) & 0xF) << 24 |
                                        (yy / 10) << 20 | (yy % 10) << 16 | (ddd / 100) << 12 |
                                        (ddd / 10 % 10) << 8 | (ddd % 10) << 4 | 0xF};
}

bool smf_packed_date(uint32_t packed, int *year, int *day)
{
    int digit[7], y, d;

    for (unsigned i = 0; i < 7; i++) {
        digit[i] = (int)(packed >> (28 - 4 * i) & 0xF);
        if (digit[i] > 9) {
            return false;
        }
    }
    y = 1900 + 100 * digit[1] + 10 * digit[2] + digit[3];
    d = 100 * digit[4] + 10 * digit[5] + digit[6];
    if (digit[0] != 0 || (packed & 0xF) != 0xF || d < 1 || d > 365 + leap(y)) {
        return false;
    }
    *year = y;
    *day = d;
    return true;
}

static int two_digits(const char *s)
{
    return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9'
               ? (s[0] - '0') * 10 + (s[1] - '0')
               : -1;
}

bool smf_offset_parse(const char *s, int *minutes)
{
    int hour, minute;

    if ((s[0] != '+' && s[0] != '-') || (hour = two_digits(s + 1)) < 0 || s[3] != ':' ||
        (minute = two_digits(s + 4)) < 0 || s[6] != '\0' || hour > 23 || minute > 59) {
        return false;
    }
    *minutes = (s[0] == '-' ? -1 : 1) * (hour * 60 + minute);
    return true;
}
