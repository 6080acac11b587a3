/* Which verbs serve data keys, for reports. Rows of served.def. */
#ifndef SMF_SERVED_H
#define SMF_SERVED_H

#include <stdbool.h>

struct smf_served {
    const char *verb;
    bool reads;       /* a key that existed, as it is; else a new one, or one wrapped for others */
    bool labelled;    /* counted only in events that name a key label: the verb has other uses */
    const char *what; /* in words */
};
/* The row of a verb; NULL: it serves no key. */
const struct smf_served *smf_served(const char *verb);

#endif
