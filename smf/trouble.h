/* Within smf: how often a failure that repeats is said: once, then at intervals, and once more when it is over. */
#ifndef SMF_TROUBLE_H
#define SMF_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#define SMF_TROUBLE_EVERY_MS 60000

struct smf_trouble {
    bool on;
    uint64_t said_ms, failures;
};

/* Count a failure; whether it is to be said. */
bool smf_trouble_failed(struct smf_trouble *trouble);
/* Note a success: how many failures were before it, 0 when there is nothing to say. */
uint64_t smf_trouble_over(struct smf_trouble *trouble);

#endif
