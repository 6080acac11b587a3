/* Asking a configuration for values. */
#include "parmlib/config.h"

#include <string.h>
#include <strings.h>

const char *parm_str(const struct parm_config *config, enum parm_id id)
{
    return config->v[id].val;
}

int64_t parm_num(const struct parm_config *config, enum parm_id id)
{
    return config->v[id].num;
}

bool parm_bool(const struct parm_config *config, enum parm_id id)
{
    return config->v[id].num != 0;
}

bool parm_has(const struct parm_config *config, enum parm_id id, const char *keyword)
{
    const char *list = config->v[id].val;
    struct klm_slice item;

    while (list && parm_next_item(&list, &item)) {
        if (item.n == strlen(keyword) && strncasecmp((const char *)item.p, keyword, item.n) == 0) {
            return true;
        }
    }
    return false;
}

bool parm_is_set(const struct parm_config *config, enum parm_id id)
{
    return config->v[id].raw && *config->v[id].raw;
}

const char *parm_path_of_config(const struct parm_config *config)
{
    return config->path;
}

/* Unknown properties are shown as they are, unless the name says what the value is. */
static bool names_a_secret(const char *name)
{
    return strcasestr(name, "password") || strcasestr(name, "passphrase") ||
           strcasestr(name, "secret");
}

void parm_list(const struct parm_config *config, parm_visit_fn *visit, void *arg)
{
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        const struct parm_row *row = parm_row((enum parm_id)i);
        const struct parm_value *value = &config->v[i];
        bool set = parm_is_set(config, (enum parm_id)i);

        if (set || value->val) {
            visit(arg, row->name,
                  row->flags & PARM_SECRET ? "****"
                  : set                    ? value->raw
                                           : value->val,
                  !set);
        }
    }
    for (size_t i = 0; i < config->unknown.n; i++) {
        const struct parm_entry *entry = &config->unknown.at[i];

        visit(arg, entry->name, names_a_secret(entry->name) ? "****" : entry->value, false);
    }
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void parm_pending(const struct parm_config *running, const struct parm_config *wanted,
                  parm_visit_fn *visit, void *arg)
{
    for (unsigned i = 0; i < PARM_COUNT_; i++) {
        const struct parm_row *row = parm_row((enum parm_id)i);
        const char *value = wanted->v[i].val;

        if (!(row->flags & PARM_DYNAMIC) && !same(running->v[i].val, value)) {
            visit(arg, row->name,
                  row->flags & PARM_SECRET ? "****"
                  : value                  ? value
                                           : "",
                  !parm_is_set(wanted, (enum parm_id)i));
        }
    }
}
