/* Saying a repeated failure seldom. */
#include "smf/trouble.h"

#include "base/clock.h"

bool smf_trouble_failed(struct smf_trouble *trouble)
{
    uint64_t now = klm_clock_mono_ms();
    bool say = !trouble->on || now - trouble->said_ms >= SMF_TROUBLE_EVERY_MS;

    trouble->on = true;
    trouble->failures++;
    if (say) {
        trouble->said_ms = now;
    }
    return say;
}

uint64_t smf_trouble_over(struct smf_trouble *trouble)
{
    uint64_t failures = trouble->on ? trouble->failures : 0;

    *trouble = (struct smf_trouble){0};
    return failures;
}
