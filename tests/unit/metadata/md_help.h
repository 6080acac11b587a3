/* Shared by the tests of key usage metadata. */
#ifndef TESTS_UNIT_METADATA_HELP_H
#define TESTS_UNIT_METADATA_HELP_H

#include "metadata/md.h"
#include "test.h"

#include <stdlib.h>

#define T0 1318966508000000 /* 2011-10-18T19:35:08Z */

static inline struct st_store *help_store(void)
{
    struct st_options o = {.home = "", .create = true};
    struct st_store *store = NULL;

    memset(o.mac_key, 7, sizeof o.mac_key);
    REQUIRE_OK(st_open_memory(&o, &store));
    return store;
}

static inline struct st_change *help_begin(struct st_store *store)
{
    struct st_change *change = NULL;

    REQUIRE_OK(st_change_open(store, &change));
    return change;
}

static inline struct st_view *help_view(struct st_store *store)
{
    struct st_view *view = NULL;

    REQUIRE_OK(st_view_open(store, &view));
    return view;
}

static inline void help_set(char *field, size_t cap, const char *value)
{
    snprintf(field, cap, "%s", value);
}
#define SET(field, value) help_set(field, sizeof(field), value)

/* The event of the product's own sample. */
static inline struct md_usage help_usage(uint64_t number)
{
    struct md_usage u = {.number = number, .time = T0};

    SET(u.drive, "000007888422");
    SET(u.wwn, "500507630240FBCC");
    SET(u.volser, "WXY662");
    SET(u.alias1, "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_20");
    SET(u.alias2, "Tape_Sol_Tst_Shr_Pvt_1024_Lbl_21");
    return u;
}

static inline bool help_same(const struct md_usage *a, const struct md_usage *b)
{
    return a->time == b->time && !strcmp(a->drive, b->drive) && !strcmp(a->wwn, b->wwn) &&
           !strcmp(a->volser, b->volser) && !strcmp(a->alias1, b->alias1) &&
           !strcmp(a->alias2, b->alias2) && !strcmp(a->dki, b->dki) &&
           !strcmp(a->client, b->client);
}

/* Add events from to (and with) last, as the sample, their volume named after the number. */
static inline void help_fill(struct st_store *store, uint64_t from, uint64_t last)
{
    struct st_change *c = help_begin(store);

    for (uint64_t i = from; i <= last; i++) {
        struct md_usage u = help_usage(i);

        snprintf(u.volser, sizeof u.volser, "%06u", (unsigned)(i % 1000000));
        REQUIRE_OK(md_usage_add(c, &u));
    }
    REQUIRE_OK(st_change_commit(&c, NULL));
}

/* All lines said since help_listen. */
static char help_said[8192];
static inline void help_hear(void *arg, char severity, const char *line)
{
    size_t n = strlen(help_said);

    (void)arg;
    (void)severity;
    snprintf(help_said + n, sizeof help_said - n, "%s\n", line);
}
static inline void help_listen(void)
{
    help_said[0] = '\0';
    klm_say_to(help_hear, NULL);
}
static inline bool help_heard(const char *part)
{
    return strstr(help_said, part) != NULL;
}

#endif
