/* The schedule of backups, as a function of times alone. */
#include "backup/bk.h"

#include <time.h>

#define SECOND ((klm_time)1000000)
#define HOUR (3600 * SECOND)

/* Two digits; the configuration was checked when it was read. */
static int two(const char *s)
{
    return (s[0] - '0') * 10 + (s[1] - '0');
}

/* The last moment, up to now, of this local time of day. */
static klm_time last_moment(const char *time_of_day, klm_time now)
{
    time_t seconds = (time_t)(now / SECOND), moment;
    struct tm tm;

    if (!localtime_r(&seconds, &tm)) {
        return 0;
    }
    tm.tm_hour = two(time_of_day);
    tm.tm_min = two(time_of_day + 3);
    tm.tm_sec = 0;
    tm.tm_isdst = -1;
    moment = mktime(&tm);
    if (moment > seconds) {
        tm.tm_mday--;
        tm.tm_isdst = -1;
        moment = mktime(&tm);
    }
    return (klm_time)moment * SECOND;
}

bool bk_due(int64_t hours, const char *time_of_day, bool needed, klm_time last, klm_time tried,
            klm_time now)
{
    if (!needed) {
        return false;
    }
    if (hours > 0 && now - last >= hours * HOUR && now - tried >= HOUR) {
        return true; /* one that failed is tried again after an hour */
    }
    if (time_of_day && *time_of_day) {
        klm_time moment = last_moment(time_of_day, now);

        return last < moment && tried < moment;
    }
    return false;
}
