/* Verbs that serve data keys. */
#include "smf/served.h"

#include "base/pool.h"

#include <string.h>

static const struct smf_served rows[] = {
#define SMF_SERVED(verb, reads, labelled, what) {verb, reads, labelled, what},
#include "smf/served.def"
#undef SMF_SERVED
};

const struct smf_served *smf_served(const char *verb)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if (strcmp(rows[i].verb, verb) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
