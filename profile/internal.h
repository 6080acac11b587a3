/* What the files of profile/ share: a class, compiled. */
#ifndef PROFILE_INTERNAL_H
#define PROFILE_INTERNAL_H

#include "profile/pr.h"

#include <stdatomic.h>

struct pr_generic {
    struct pr_profile profile;
    size_t prefix; /* characters that every resource it matches begins with */
};

/* Immutable, counted. Plain names are sorted. Generic ones are sorted by the length of their beginning, longest first, then
 * by that text, then most specific first: of the names that match a resource, one with a longer beginning is always the more
 * specific, so that the first match decides. */
struct pr_compiled {
    atomic_uint refs;
    struct klm_pool *pool;
    struct pr_profile *one;
    size_t ones, one_cap;
    struct pr_generic *many;
    size_t manys, many_cap;
    bool length[PR_NAME_MAX + 1]; /* which lengths of beginnings there are */
    size_t longest;
};

/* All profiles of a class from the store. What is damaged is said. */
klm_rc pr_compile(struct st_view *view, enum pr_class class, struct pr_compiled **out) KLM_MUST_USE;
void pr_compiled_free(struct pr_compiled **compiled);
/* The profile that decides; generic ones only when they count. KLM_E_NOTFOUND. */
klm_rc pr_compiled_find(const struct pr_compiled *compiled, const char *resource, bool generic,
                        const struct pr_profile **out) KLM_MUST_USE;

#endif
