/* An array that is switched on: locked until a key manager has opened its encryption group, then its volumes can be written and read, until it is
 * switched off. The group key is in secret memory of this one process, and nowhere else. */
#ifndef IOS_ARRAY_UNIT_H
#define IOS_ARRAY_UNIT_H

#include "ios/array.h"

struct ios_power {
    const char *dir;
    const struct ios_hosts_config *hosts;
    const char *recovery; /* recovery key as typed, or NULL: the key managers are asked */
    unsigned wait_s;      /* end when it is not unlocked after so long; 0: try for ever */
    unsigned retry_s;     /* longest time between tries; the first is a second */
};

/* Runs until "array poweroff", SIGTERM or SIGINT: KLM_OK. Messages tell when it is locked and why, and who unlocked it. KLM_E_BUSY: it is on already;
 * KLM_E_TIMEOUT: not unlocked within wait_s. Blocks the two signals for the process. */
klm_rc ios_array_power(const struct ios_power *power, struct klm_diag *diag) KLM_MUST_USE;

#endif
