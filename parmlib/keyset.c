/* symmetricKeySet: reference 3.4. One key group, or a list of aliases and ranges. */
#include "parmlib/config.h"

#include "base/alias.h"

#include <string.h>

#define GROUP_MAX 64

klm_rc parm_keyset_each(const char *value, parm_keyset_fn *fn, void *arg)
{
    struct klm_slice item;

    while (parm_next_item(&value, &item)) {
        KLM_TRY(fn(arg, item));
    }
    return KLM_OK;
}

struct count {
    size_t items, groups;
};

/* What is no alias can only be a key group, and then the only item; a bad range is neither. */
static klm_rc count_item(void *arg, struct klm_slice item)
{
    struct klm_alias_run run;
    struct count *count = arg;
    klm_rc rc = klm_alias_run(item, &run);

    count->items++;
    count->groups += rc == KLM_E_LIMIT;
    return rc == KLM_E_INVALID || item.n > GROUP_MAX ? KLM_E_INVALID : KLM_OK;
}

/* Unlike other lists, this one has commas only, one between two items and none elsewhere: what is missing there is a slip of the pen. */
static bool commas_ok(const char *value)
{
    size_t items = 0;

    for (;; value++) {
        size_t n = strcspn(value += strspn(value, " \t"), ", \t");

        items++;
        if (n == 0) {
            return items == 1 && !*value; /* nothing at all is for others to refuse */
        }
        value += n;
        value += strspn(value, " \t");
        if (*value != ',') {
            return !*value;
        }
    }
}

bool parm_keyset_ok(const char *value)
{
    struct count count = {0};

    if (strchr(value, ';') || !commas_ok(value)) {
        return false;
    }
    return parm_keyset_each(value, count_item, &count) == KLM_OK &&
           (count.items == 1 || (count.items > 1 && count.groups == 0));
}
