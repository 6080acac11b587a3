/* A class, compiled: read from the store, copied into memory of its own, sorted for decisions. */
#include "profile/internal.h"

#include <stdlib.h>
#include <string.h>

#define CLASS_BYTES (256u << 20) /* most memory of one class */
#define FIRST 64

struct build {
    struct pr_compiled *out;
    enum pr_class class;
};

static klm_rc copy_entries(struct klm_pool *pool, struct pr_profile *profile)
{
    struct pr_entry *entry;

    if (profile->n == 0) {
        profile->entry = NULL;
        return KLM_OK;
    }
    entry = klm_pool_copy(pool, profile->entry, profile->n * sizeof *entry);
    if (!entry) {
        return KLM_E_NOMEM;
    }
    for (size_t i = 0; i < profile->n; i++) {
        entry[i].id = klm_pool_str(pool, entry[i].id);
        if (!entry[i].id) {
            return KLM_E_NOMEM;
        }
    }
    profile->entry = entry;
    return KLM_OK;
}

static klm_rc copy(struct klm_pool *pool, const struct pr_profile *from, struct pr_profile *out)
{
    struct pr_profile profile = *from;

    profile.name = klm_pool_str(pool, from->name);
    profile.owner = klm_pool_str(pool, from->owner);
    profile.user = klm_pool_str(pool, from->user);
    profile.group = klm_pool_str(pool, from->group);
    if (!profile.name || !profile.owner || !profile.user || !profile.group) {
        return KLM_E_NOMEM;
    }
    KLM_TRY(copy_entries(pool, &profile));
    *out = profile;
    return KLM_OK;
}

/* Room for one more of n. */
static klm_rc room(void **array, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : FIRST;
    void *grown;

    if (n < *cap) {
        return KLM_OK;
    }
    grown = realloc(*array, more * size);
    if (!grown) {
        return KLM_E_NOMEM;
    }
    *array = grown;
    *cap = more;
    return KLM_OK;
}

/* Characters that every resource begins with that the name matches; a ** takes the period in front of it with it. */
static size_t beginning(const char *name)
{
    size_t n = strcspn(name, "*%");

    return n > 0 && name[n] == '*' && name[n + 1] == '*' ? n - 1 : n;
}

static klm_rc add_generic(struct pr_compiled *out, const struct pr_profile *profile)
{
    struct pr_generic *generic;

    KLM_TRY(room((void **)&out->many, out->manys, &out->many_cap, sizeof *out->many));
    generic = &out->many[out->manys];
    KLM_TRY(copy(out->pool, profile, &generic->profile));
    generic->prefix = beginning(generic->profile.name);
    out->length[generic->prefix] = true;
    if (generic->prefix > out->longest) {
        out->longest = generic->prefix;
    }
    out->manys++;
    return KLM_OK;
}

static klm_rc add(void *arg, const struct pr_profile *profile, bool damaged)
{
    struct build *build = arg;
    struct pr_compiled *out = build->out;

    if (damaged) {
        klm_say(KLM_MSG_PROFILE_DAMAGED, profile->name, pr_class_name(build->class));
    }
    if (pr_name_check(profile->name) != KLM_OK) {
        return KLM_OK; /* never written, and nothing could match it */
    }
    if (out->ones + out->manys == PR_PROFILES_MAX) {
        return KLM_E_LIMIT;
    }
    if (pr_generic(profile->name)) {
        return add_generic(out, profile);
    }
    KLM_TRY(room((void **)&out->one, out->ones, &out->one_cap, sizeof *out->one));
    KLM_TRY(copy(out->pool, profile, &out->one[out->ones]));
    out->ones++;
    return KLM_OK;
}

static int order_one(const void *a, const void *b)
{
    return strcmp(((const struct pr_profile *)a)->name, ((const struct pr_profile *)b)->name);
}

static int order_many(const void *a, const void *b)
{
    const struct pr_generic *p = a, *q = b;
    int order;

    if (p->prefix != q->prefix) {
        return p->prefix > q->prefix ? -1 : 1;
    }
    order = memcmp(p->profile.name, q->profile.name, p->prefix);
    return order ? order : pr_name_compare(p->profile.name, q->profile.name);
}

klm_rc pr_compile(struct st_view *view, enum pr_class class, struct pr_compiled **out)
{
    KLM_AUTO(pr_compiled_free) struct pr_compiled *compiled = calloc(1, sizeof *compiled);
    struct build build = {compiled, class};

    if (!compiled) {
        return KLM_E_NOMEM;
    }
    atomic_init(&compiled->refs, 1);
    KLM_TRY(klm_pool_new(CLASS_BYTES, &compiled->pool));
    KLM_TRY(pr_scan(view, class, add, &build));
    if (compiled->ones > 0) {
        qsort(compiled->one, compiled->ones, sizeof *compiled->one, order_one);
    }
    if (compiled->manys > 0) {
        qsort(compiled->many, compiled->manys, sizeof *compiled->many, order_many);
    }
    *out = compiled;
    compiled = NULL;
    return KLM_OK;
}

void pr_compiled_free(struct pr_compiled **compiled)
{
    struct pr_compiled *c = *compiled;

    *compiled = NULL;
    if (c && atomic_fetch_sub(&c->refs, 1) == 1) {
        klm_pool_free(&c->pool);
        free(c->one);
        free(c->many);
        free(c);
    }
}
