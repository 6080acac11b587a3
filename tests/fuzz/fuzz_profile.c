/* Names of profiles and their records. A first line and two more: a name, a resource and a second name; behind them a record as it might stand in the
 * store. The rules hold whatever comes: a plain name matches itself alone, a name is never more specific than itself, the order of two is the same both
 * ways, and of two generic names that match, the compiled class finds the one that the order puts first. A record is taken or is damage. */
#include "profile/pr.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void put(struct st_store *store, const char *name)
{
    const struct pr_profile profile = {
        .class = PR_CSFKEYS, .name = name, .owner = "", .user = "", .group = ""};
    struct st_change *change;

    check(st_change_open(store, &change) == KLM_OK);
    check(pr_put(change, &profile) == KLM_OK);
    check(st_change_commit(&change, NULL) == KLM_OK);
}

/* What the compiled class says of two names and a resource. */
static void try_set(const char *first, const char *second, const char *resource)
{
    const struct st_options options = {.create = true};
    const char *want = NULL;
    const struct pr_profile *found;
    struct st_store *store;
    struct st_view *view;
    struct pr_set *set;
    klm_rc rc;

    check(st_open_memory(&options, &store) == KLM_OK);
    put(store, first);
    put(store, second);
    check(st_view_open(store, &view) == KLM_OK);
    check(pr_set_load(view, NULL, PR_ALL, "T", &set) == KLM_OK);
    st_view_close(&view);
    if (pr_match(first, resource)) {
        want = first;
    }
    if (pr_match(second, resource) && (!want || pr_name_compare(second, first) < 0)) {
        want = second;
    }
    rc = pr_set_find(set, PR_CSFKEYS, resource, &found);
    check(want ? rc == KLM_OK && strcmp(found->name, want) == 0 : rc == KLM_E_NOTFOUND);
    pr_set_free(&set);
    st_close(&store);
}

static void try_names(const char *name, const char *text, const char *other)
{
    char resource[PR_RESOURCE_MAX];
    int order;

    pr_resource(text, resource);
    if (pr_name_check(name) != KLM_OK) {
        return;
    }
    check(pr_name_compare(name, name) == 0);
    check(pr_generic(name) || pr_match(name, resource) == (strcmp(name, resource) == 0));
    if (pr_name_check(other) != KLM_OK) {
        return;
    }
    order = pr_name_compare(name, other);
    check(pr_name_compare(other, name) == -order ||
          (order < 0) == (pr_name_compare(other, name) > 0));
    check(order != 0 || strcmp(name, other) == 0);
    try_set(name, other, resource);
}

static klm_rc see(void *arg, const struct pr_profile *profile, bool damaged)
{
    *(bool *)arg = true;
    check(strcmp(profile->name, "X") == 0);
    check(!damaged || (profile->uacc == PR_NONE && profile->n == 0));
    return KLM_OK;
}

static void try_record(struct klm_slice record)
{
    const struct st_options options = {.create = true};
    struct pr_options class;
    struct st_change *change;
    struct st_store *store;
    struct st_view *view;
    bool seen = false, damaged;

    check(st_open_memory(&options, &store) == KLM_OK);
    check(st_change_open(store, &change) == KLM_OK);
    check(st_put(change, ST_PROFILE, KLM_SLICE("CSFKEYS\0X", 9), record) == KLM_OK);
    check(st_put(change, ST_PROFILE, KLM_SLICE("CSFKEYS\0", 8), record) == KLM_OK);
    check(st_change_commit(&change, NULL) == KLM_OK);
    check(st_view_open(store, &view) == KLM_OK);
    check(pr_scan(view, PR_CSFKEYS, see, &seen) == KLM_OK && seen);
    check(pr_options_get(view, PR_CSFKEYS, &class, &damaged) == KLM_OK);
    check(!damaged || class.active);
    st_view_close(&view);
    st_close(&store);
}

/* The next line, ended; *data is what is behind it. */
static void take_line(struct klm_slice *data, char out[1024])
{
    const uint8_t *end = memchr(data->p, '\n', data->n);
    size_t n = end ? (size_t)(end - data->p) : data->n, kept = n < 1023 ? n : 1023;

    memcpy(out, data->p, kept);
    out[kept] = '\0';
    n += end != NULL;
    data->p += n;
    data->n -= n;
}

static void quiet(void *arg, char severity, const char *line)
{
    (void)arg, (void)severity, (void)line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct klm_slice rest = {data, size};
    char name[1024], resource[1024], other[1024];

    if (size == 0 || size > 8192) {
        return 0;
    }
    klm_say_to(quiet, NULL);
    take_line(&rest, name);
    take_line(&rest, resource);
    take_line(&rest, other);
    try_names(name, resource, other);
    if (rest.n > 0) {
        try_record(rest);
    }
    return 0;
}
