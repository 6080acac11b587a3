/* Decisions: which profile protects a resource, and what it lets somebody do. No memory, no lock, no record: a binary search for
 * the plain name, one for each length that beginnings of generic names have, and one in the access list. */
#include "profile/internal.h"

#include <stdlib.h>
#include <string.h>

static int against_name(const void *resource, const void *profile)
{
    return strcmp(resource, ((const struct pr_profile *)profile)->name);
}

/* The first generic name whose beginning is that of the resource, n characters long; manys: none. */
static size_t first_of(const struct pr_compiled *compiled, const char *resource, size_t n)
{
    size_t low = 0, high = compiled->manys;

    while (low < high) {
        size_t mid = low + (high - low) / 2;
        const struct pr_generic *at = &compiled->many[mid];

        if (at->prefix > n || (at->prefix == n && memcmp(at->profile.name, resource, n) < 0)) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

static const struct pr_profile *match(const struct pr_compiled *compiled, const char *resource,
                                      size_t n)
{
    for (size_t i = first_of(compiled, resource, n); i < compiled->manys; i++) {
        const struct pr_generic *at = &compiled->many[i];

        if (at->prefix != n || memcmp(at->profile.name, resource, n) != 0) {
            return NULL;
        }
        if (pr_match(at->profile.name, resource)) {
            return &at->profile;
        }
    }
    return NULL;
}

klm_rc pr_compiled_find(const struct pr_compiled *compiled, const char *resource, bool generic,
                        const struct pr_profile **out)
{
    size_t n = strlen(resource);
    const struct pr_profile *found = NULL;

    if (compiled->ones > 0) {
        found =
            bsearch(resource, compiled->one, compiled->ones, sizeof *compiled->one, against_name);
    }
    if (n > compiled->longest) {
        n = compiled->longest;
    }
    for (size_t left = n + 1; generic && !found && left-- > 0;) {
        if (compiled->length[left]) {
            found = match(compiled, resource, left);
        }
    }
    if (!found) {
        return KLM_E_NOTFOUND;
    }
    *out = found;
    return KLM_OK;
}

/* ---- Access lists */

struct id {
    const char *p;
    size_t n;
};

static int against_id(const void *id, const void *entry)
{
    const struct id *want = id;
    const char *have = ((const struct pr_entry *)entry)->id;
    int order = strncmp(want->p, have, want->n);

    return order ? order : (have[want->n] ? -1 : 0);
}

static bool entry_of(const struct pr_profile *profile, const char *id, size_t n,
                     enum pr_access *access)
{
    const struct id want = {id, n};
    const struct pr_entry *found =
        n > 0 && profile->n > 0
            ? bsearch(&want, profile->entry, profile->n, sizeof *profile->entry, against_id)
            : NULL;

    if (found) {
        *access = found->access;
    }
    return found != NULL;
}

static bool entry_of_text(const struct pr_profile *profile, const char *id, enum pr_access *access)
{
    return id && entry_of(profile, id, strlen(id), access);
}

/* The highest entry of groups. */
static bool entry_of_groups(const struct pr_profile *profile, const char *groups,
                            enum pr_access *access)
{
    enum pr_access one, best = PR_NONE;
    bool any = false;

    for (const char *p = groups; p && *p; p += *p == ',') {
        size_t n = strcspn(p, ",");

        if (entry_of(profile, p, n, &one)) {
            best = one > best ? one : best;
            any = true;
        }
        p += n;
    }
    if (any) {
        *access = best;
    }
    return any;
}

enum pr_access pr_access_of(const struct pr_profile *profile, const struct pr_who *who)
{
    enum pr_access access = PR_NONE;

    if (entry_of_text(profile, who->user, &access) ||
        entry_of_groups(profile, who->groups, &access) ||
        entry_of_text(profile, who->behalf, &access) ||
        entry_of_text(profile, who->behalf_group, &access) ||
        entry_of_text(profile, "*", &access)) {
        return access;
    }
    return profile->uacc;
}
