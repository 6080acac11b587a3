/* Events over time, in bounded memory: intervals get longer when the time that is covered does. */
#ifndef SMF_DUMP_SPREAD_H
#define SMF_DUMP_SPREAD_H

#include "base/clock.h"

#include <stdbool.h>

#define SMFD_SPREAD_MAX 4096 /* intervals that are kept */

struct smfd_interval {
    uint64_t ok, failed;
};
struct smfd_spread {
    unsigned
        level; /* index of the interval's length in a fixed list: minute, 10 minutes, hour, 6 hours, day, week, 4 weeks */
    int64_t base; /* number of the first interval since 1970 */
    size_t n;     /* intervals from base on */
    struct smfd_interval at[SMFD_SPREAD_MAX];
};

/* Count one event. */
void smfd_spread_add(struct smfd_spread *spread, klm_time time, bool failed);
/* Make intervals longer until there are at most `most` (at least 1). */
void smfd_spread_fit(struct smfd_spread *spread, size_t most);
/* Seconds of an interval, and its name ("hour"). */
int64_t smfd_spread_seconds(const struct smfd_spread *spread);
const char *smfd_spread_name(const struct smfd_spread *spread);

#endif
