/* Shared by the store's tests: opening either driver in a fresh folder, and short forms for puts
 * and gets of strings. */
#ifndef TESTS_UNIT_STORE_HELP_H
#define TESTS_UNIT_STORE_HELP_H

#include "store/st.h"
#include "test.h"

#include <stdlib.h>

static inline struct st_options help_options(const char *home)
{
    struct st_options o = {.home = home, .create = true, .cache_bytes = (size_t)8 << 20};

    memset(o.mac_key, 0x5a, sizeof o.mac_key);
    return o;
}

static inline struct st_store *help_open(const char *home)
{
    struct st_options o = help_options(home);
    struct st_store *store = NULL;
    struct klm_diag diag = {0};
    klm_rc rc = st_open_bdb(&o, &diag, &store);

    if (rc != KLM_OK) {
        fprintf(stderr, "%s\n", diag.text);
    }
    REQUIRE_OK(rc);
    return store;
}

#define S(text) klm_slice_str(text)

static inline klm_rc help_put(struct st_store *store, enum st_table table, const char *key,
                              const char *record)
{
    struct st_change *change = NULL;

    KLM_TRY(st_change_open(store, &change));
    klm_rc rc = st_put(change, table, S(key), S(record));
    if (rc != KLM_OK) {
        st_change_drop(&change);
        return rc;
    }
    return st_change_commit(&change, NULL);
}

/* The record as a string in a buffer of the thread; "-" when there is none, "!" when damaged, "?"
 * for any other failure. */
static inline const char *help_see(struct st_view *view, enum st_table table, const char *key)
{
    static _Thread_local char out[400];
    struct klm_pool *pool = NULL;
    struct klm_slice record = {NULL, 0};

    if (klm_pool_new(0, &pool) != KLM_OK) {
        return "?";
    }
    klm_rc rc = st_get(view, table, S(key), pool, &record);
    snprintf(out, sizeof out, "%.*s", (int)record.n, record.n ? (const char *)record.p : "");
    klm_pool_free(&pool);
    return rc == KLM_OK ? out : rc == KLM_E_NOTFOUND ? "-" : rc == KLM_E_CORRUPT ? "!" : "?";
}

static inline const char *help_get(struct st_store *store, enum st_table table, const char *key)
{
    struct st_view *view = NULL;

    if (st_view_open(store, &view) != KLM_OK) {
        return "?";
    }
    const char *text = help_see(view, table, key);
    st_view_close(&view);
    return text;
}

/* Collects "key=record " of a scan. */
struct help_list {
    char text[4000];
    size_t n;
    unsigned damaged;
};

static inline klm_rc help_visit(void *arg, struct klm_slice key, struct klm_slice record,
                                bool damaged)
{
    struct help_list *l = arg;

    l->damaged += damaged;
    int n =
        snprintf(l->text + l->n, sizeof l->text - l->n, "%s%.*s=%.*s", l->n ? " " : "", (int)key.n,
                 (const char *)key.p, (int)record.n, record.n ? (const char *)record.p : "");
    l->n += (size_t)n;
    return l->n < sizeof l->text ? KLM_OK : KLM_E_LIMIT;
}

static inline const char *help_scan(struct st_view *view, enum st_table table,
                                    struct st_range range)
{
    static _Thread_local struct help_list list;

    memset(&list, 0, sizeof list);
    klm_rc rc = st_scan(view, table, &range, help_visit, &list);
    return rc == KLM_OK ? list.text : klm_rc_name(rc);
}

#endif
