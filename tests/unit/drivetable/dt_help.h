/* Shared by the tests of drives: a store in memory, a sample drive, what was said. */
#ifndef TESTS_UNIT_DRIVETABLE_HELP_H
#define TESTS_UNIT_DRIVETABLE_HELP_H

#include "drivetable/dt.h"
#include "test.h"

#include <stdlib.h>

#define SN "000007888422"
#define PIN "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
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

/* A 3592 drive with both aliases. */
static inline struct dt_drive help_drive(const char *serial)
{
    struct dt_drive d = {.kind = DT_3592};

    SET(d.serial, serial);
    SET(d.wwn, "500507630240FBCC");
    SET(d.alias1, "Tape_Lbl_20");
    SET(d.alias2, "Tape_Lbl_21");
    return d;
}

/* Add drives and commit. */
static inline void help_add(struct st_store *store, const struct dt_drive *d)
{
    struct st_change *change = help_begin(store);

    REQUIRE_OK(dt_add(change, d));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static inline bool help_same(const struct dt_drive *a, const struct dt_drive *b)
{
    return !strcmp(a->serial, b->serial) && !strcmp(a->wwn, b->wwn) && a->kind == b->kind &&
           !strcmp(a->alias1, b->alias1) && !strcmp(a->alias2, b->alias2) &&
           !strcmp(a->symalias, b->symalias) && !strcmp(a->fingerprint, b->fingerprint) &&
           a->first_contact == b->first_contact && a->last_contact == b->last_contact &&
           !strcmp(a->last_volser, b->last_volser);
}

/* All lines said since help_listen, joined by '\n'. */
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
