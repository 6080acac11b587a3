/* Shared by the tests of searches for managed objects. */
#ifndef TESTS_UNIT_METADATA_LOCATE_HELP_H
#define TESTS_UNIT_METADATA_LOCATE_HELP_H

#include "object_help.h"

#define S0 1318966508 /* T0 in seconds */

/* ---- Searching */

struct found {
    char uid[64][MD_UID_MAX];
    size_t n;
};

static inline klm_rc add_found(void *arg, const struct md_object *object)
{
    struct found *found = arg;

    REQUIRE(found->n < KLM_COUNT(found->uid));
    memcpy(found->uid[found->n++], object->uid, MD_UID_MAX);
    return KLM_OK;
}

/* A search in a device group, as its fields; filters are set by locate_by. */
static inline struct md_locate in(const char *group)
{
    return (struct md_locate){.group = group, .now = T0};
}

static inline struct found locate(struct st_store *store, const struct md_locate *locate)
{
    struct st_view *view = help_view(store);
    struct found found = {.n = 0};
    uint64_t total = UINT64_MAX;

    REQUIRE_OK(md_locate(view, locate, add_found, &found, &total));
    CHECK_INT(total - (locate->offset < total ? locate->offset : total) >= found.n, 1);
    if (!locate->max && !locate->offset) {
        CHECK_INT(total, found.n);
    }
    st_view_close(&view);
    return found;
}

#define FILTERS(...)                                                                               \
    (const struct kmip_node *const[])                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define LOCATE(store, search, ...)                                                                 \
    locate_by(store, search, FILTERS(__VA_ARGS__), KLM_COUNT(FILTERS(__VA_ARGS__)))

static inline struct found locate_by(struct st_store *store, struct md_locate search,
                                     const struct kmip_node *const *filter, size_t n)
{
    search.filter = filter;
    search.filters = n;
    return locate(store, &search);
}

static inline void check_found(struct found found, const char *const *want, size_t n,
                               const char *file, int line)
{
    test_int((int64_t)found.n, (int64_t)n, "found", file, line);
    for (size_t i = 0; i < n && i < found.n; i++) {
        test_str(found.uid[i], want[i], "found", file, line);
    }
}
#define CHECK_FOUND(found, ...)                                                                    \
    check_found(found, (const char *const[]){__VA_ARGS__},                                         \
                KLM_COUNT(((const char *const[]){__VA_ARGS__})), __FILE__, __LINE__)
#define CHECK_NONE(found) CHECK_INT((found).n, 0)

#endif
