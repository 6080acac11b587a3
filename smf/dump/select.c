/* Which records are meant: dates as options give them, and the test of a record against dates, hours, systems and types. */
#include "smf/dump/control.h"

#include <ctype.h>
#include <string.h>

static bool leap(unsigned year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Day of the year, 0 when there is no such day. */
static unsigned day_of(unsigned year, unsigned month, unsigned day)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned of = 0;

    if (month < 1 || month > 12 || day < 1 ||
        day > days[month - 1] + (month == 2 && leap(year) ? 1u : 0u)) {
        return 0;
    }
    for (unsigned m = 1; m < month; m++) {
        of += days[m - 1] + (m == 2 && leap(year) ? 1u : 0u);
    }
    return of + day;
}

/* Exactly n digits; *p moves behind them. */
static bool digits(const char **p, size_t n, unsigned *out)
{
    unsigned value = 0;

    for (size_t i = 0; i < n; i++, (*p)++) {
        if (!isdigit((unsigned char)**p)) {
            return false;
        }
        value = value * 10 + (unsigned)(**p - '0');
    }
    *out = value;
    return true;
}

/* Thh:mm or Thh:mm:ss behind the date, as hundredths. */
static bool clock_time(const char **p, bool last, uint32_t *out)
{
    unsigned hours, minutes, seconds = last ? 59 : 0;

    if (**p == '\0') {
        *out = last ? SMFD_DAY_TIMES - 1 : 0;
        return true;
    }
    if (*(*p)++ != 'T' || !digits(p, 2, &hours) || *(*p)++ != ':' || !digits(p, 2, &minutes)) {
        return false;
    }
    if (**p == ':') {
        (*p)++;
        if (!digits(p, 2, &seconds)) {
            return false;
        }
    }
    *out = (hours * 3600 + minutes * 60 + seconds) * 100 + (last ? 99 : 0);
    return hours < 24 && minutes < 60 && seconds < 60;
}

static bool calendar_date(const char **p, unsigned *year, unsigned *day)
{
    unsigned month, of_month;

    if (!digits(p, 4, year)) {
        return false;
    }
    if (**p != '-') {
        return digits(p, 3, day) && *day >= 1 && *day <= (leap(*year) ? 366u : 365u);
    }
    (*p)++;
    if (!digits(p, 2, &month) || *(*p)++ != '-' || !digits(p, 2, &of_month)) {
        return false;
    }
    *day = day_of(*year, month, of_month);
    return *day != 0;
}

klm_rc smfd_when_parse(const char *text, bool last, uint64_t *out, struct klm_diag *diag)
{
    const char *p = text;
    unsigned year, day;
    uint32_t time;

    if (!calendar_date(&p, &year, &day) || !clock_time(&p, last, &time) || *p) {
        return klm_fail(diag, KLM_E_INVALID, KLM_MSG_DUMP_WHEN, text);
    }
    *out = smfd_stamp((int)year, (int)day, time);
    return KLM_OK;
}

static bool in_hours(const struct smfd_hours *hours, uint32_t time)
{
    if (!hours->given) {
        return true;
    }
    return hours->from <= hours->to ? time >= hours->from && time <= hours->to
                                    : time >= hours->from || time <= hours->to;
}

static bool of_system(const struct smfd_control *control, struct klm_slice system)
{
    for (size_t i = 0; i < control->sid_n; i++) {
        if (system.n == 4 && memcmp(control->sid[i], system.p, 4) == 0) {
            return true;
        }
    }
    return control->sid_n == 0;
}

bool smfd_selects(const struct smfd_control *control, const struct smf_t83_view *head)
{
    if (control->dates) {
        uint64_t stamp = smfd_stamp(head->year, head->day, head->time);

        if (stamp < control->from || stamp > control->to) {
            return false;
        }
    }
    return in_hours(&control->hours, head->time) && of_system(control, head->system);
}

static bool listed(const struct smfd_types *types, const struct smf_t83_view *head)
{
    if (types->whole[head->type / 8] & (1u << (head->type % 8))) {
        return true;
    }
    for (size_t i = 0; i < types->subtypes_n; i++) {
        const struct smfd_subtypes *sub = &types->subtypes[i];

        if (sub->type == head->type && head->subtype >= sub->from && head->subtype <= sub->to) {
            return true;
        }
    }
    return false;
}

bool smfd_takes(const struct smfd_outdd *out, const struct smf_t83_view *head)
{
    return (!out->types.given || listed(&out->types, head) != out->types.without) &&
           in_hours(&out->hours, head->time);
}
