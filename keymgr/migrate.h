/* What the files of a migration share: one report, filled part by part. Everything is read and checked in prepare, and all that changes is in one
 * change of the store, with the configuration file replaced as its last step. Whoever runs it again takes nothing twice. */
#ifndef KEYMGR_MIGRATE_H
#define KEYMGR_MIGRATE_H

#include "drivetable/listing.h"
#include "keymgr/internal.h"

struct km_migration {
    struct dt_listing drives;
    struct km_migrate_event *event; /* in the order of their time */
    size_t events;
    uint64_t seen;           /* up to this event the store was compared */
    struct klm_slice config; /* our file as it is to be; empty: it stays */
    size_t taken, changed, refused, there;
    size_t rest_taken, rest_changed, rest_refused; /* of items that the report has no room for */
};
struct km_migrate_event {
    struct md_usage usage;
    bool here; /* the store has it already */
};

/* Report on an item: how many of it were taken, changed, refused, and why. KLM_E_NOMEM. */
enum km_migrate_how { KM_TAKEN, KM_CHANGED, KM_REFUSED };
klm_rc km_migrate_tell(struct km_call *call, const char *item, enum km_migrate_how how, size_t n,
                       const char *why) KLM_MUST_USE;

/* ---- Configuration (migrate_config.c): judge each property; the new text and state wait in the call. */
klm_rc km_migrate_config(struct km_call *call) KLM_MUST_USE;

/* ---- Key usage (migrate_usage.c): read, and mark what the store has; off the writer. */
klm_rc km_migrate_usage(struct km_call *call) KLM_MUST_USE;
/* Look at the events that came since, and add what is missing; *added is how many. */
klm_rc km_migrate_usage_add(struct km_call *call, struct st_change *change, size_t *added)
    KLM_MUST_USE;

#endif
