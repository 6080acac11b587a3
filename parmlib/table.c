/* The table of properties. */
#include "parmlib/parm.h"

#include <string.h>

static const struct parm_row rows[] = {
#define PARM(id, name, type, range, deflt, flags, right, help)                                     \
    [PARM_##id] = {name, type, range, deflt, flags, right, help},
#include "parmlib/properties.def"
#undef PARM
};
_Static_assert(KLM_COUNT(rows) == PARM_COUNT_, "a row for each property");

const struct parm_row *parm_row(enum parm_id id)
{
    return &rows[id];
}

klm_rc parm_find(const char *name, enum parm_id *out)
{
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *out = (enum parm_id)i;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}
