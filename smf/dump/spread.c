/* Events over time. */
#include "smf/dump/spread.h"

#include <string.h>

#define SECOND INT64_C(1000000)

static const struct {
    int64_t seconds;
    const char *name;
} levels[] = {{60, "minute"},          {600, "10 minutes"},      {3600, "hour"},
              {21600, "6 hours"},      {86400, "day"},           {604800, "week"},
              {28 * 86400, "4 weeks"}, {364 * 86400, "52 weeks"}};

#define LEVELS (sizeof levels / sizeof *levels)

int64_t smfd_spread_seconds(const struct smfd_spread *spread)
{
    return levels[spread->level].seconds;
}

const char *smfd_spread_name(const struct smfd_spread *spread)
{
    return levels[spread->level].name;
}

/* Weeks begin on Monday: day 4 after 1970-01-01, which was a Thursday. */
static int64_t number_of(int64_t seconds, unsigned level)
{
    int64_t shift = levels[level].seconds >= 604800 ? 3 * 86400 : 0;

    return (seconds + shift) / levels[level].seconds;
}

static int64_t begin_of(int64_t number, unsigned level)
{
    int64_t shift = levels[level].seconds >= 604800 ? 3 * 86400 : 0;

    return number * levels[level].seconds - shift;
}

static void longer(struct smfd_spread *spread)
{
    struct smfd_spread made = {.level = spread->level + 1};

    if (spread->n) {
        made.base = number_of(begin_of(spread->base, spread->level), made.level);
    }
    for (size_t i = 0; i < spread->n; i++) {
        int64_t begin = begin_of(spread->base + (int64_t)i, spread->level);
        size_t to = (size_t)(number_of(begin < 0 ? 0 : begin, made.level) - made.base);

        made.at[to].ok += spread->at[i].ok;
        made.at[to].failed += spread->at[i].failed;
        made.n = to + 1;
    }
    *spread = made;
}

/* First and last interval when this one is there too; false: that is too many. */
static bool covers(const struct smfd_spread *spread, int64_t number, int64_t *first, int64_t *last)
{
    *first = spread->n && spread->base < number ? spread->base : number;
    *last = number;
    if (spread->n && spread->base + (int64_t)spread->n - 1 > number) {
        *last = spread->base + (int64_t)spread->n - 1;
    }
    return *last - *first < SMFD_SPREAD_MAX;
}

static void stretch(struct smfd_spread *spread, int64_t first, int64_t last)
{
    size_t n = (size_t)(last - first) + 1;

    if (spread->n && first < spread->base) {
        size_t by = (size_t)(spread->base - first);

        memmove(spread->at + by, spread->at, spread->n * sizeof *spread->at);
        memset(spread->at, 0, by * sizeof *spread->at);
    } else if (n > spread->n) {
        memset(spread->at + spread->n, 0, (n - spread->n) * sizeof *spread->at);
    }
    spread->base = first;
    spread->n = n;
}

void smfd_spread_add(struct smfd_spread *spread, klm_time time, bool failed)
{
    int64_t seconds = time < 0 ? 0 : time / SECOND, first, last;
    struct smfd_interval *at;

    while (!covers(spread, number_of(seconds, spread->level), &first, &last)) {
        if (spread->level + 1 == LEVELS) {
            return;
        }
        longer(spread);
    }
    stretch(spread, first, last);
    at = &spread->at[number_of(seconds, spread->level) - spread->base];
    at->ok += !failed;
    at->failed += failed;
}

void smfd_spread_fit(struct smfd_spread *spread, size_t most)
{
    while (spread->n > most && spread->level + 1 < LEVELS) {
        longer(spread);
    }
}
