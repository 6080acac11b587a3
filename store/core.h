/* What the store's own files share: the store, its views and changes. */
#ifndef STORE_CORE_H
#define STORE_CORE_H

#include "store/driver.h"
#include "store/envelope.h"
#include "store/overlay.h"
#include "store/st.h"

#include <pthread.h>
#include <stdatomic.h>

struct st_home;
struct st_space;

struct st_store {
    struct st_driver *driver;
    struct st_mac *mac;
    struct st_home *home; /* NULL for the memory driver, as is space */
    struct st_space *space;
    bool read_only;
    atomic_bool changing; /* a change is open */
    atomic_bool failed;
    atomic_uint_least64_t number;
    pthread_mutex_t gate;      /* guards turn and hidden, and that number fits them */
    uint64_t turn;             /* counts the beginnings and ends of commits */
    struct st_overlay *hidden; /* of the commit that is on its way to the disk, or failed there */
    st_touch_fn *touched;      /* NULL: nobody listens */
    void *touched_arg;
    pthread_mutex_t checkpoint; /* one at a time */
    atomic_uint commits;        /* since the last checkpoint */
    _Atomic uint64_t checkpoint_ms;
    struct st_keeper *keeper; /* NULL: checkpoints are made by who asks for them */
};

struct st_view {
    struct st_store *store;
    struct st_snapshot *snapshot;
    struct st_overlay *over; /* may be NULL; a change's own view borrows it */
    uint64_t number;
};

/* Open the view's snapshot, and what hides an unfinished commit from it. */
klm_rc st_view_init(struct st_view *view, struct st_store *store) KLM_MUST_USE;
void st_view_done(struct st_view *view);

/* End the thread of st_keep, after the checkpoint that it may be at. */
void st_keeper_stop(struct st_keeper **keeper);

/* KLM_E_INVALID (no table, empty), KLM_E_LIMIT (too long). */
klm_rc st_key_check(enum st_table table, struct klm_slice key) KLM_MUST_USE;
/* The record of the change number, in its envelope, in the pool. */
klm_rc st_number_seal(struct st_store *store, uint64_t number, struct klm_pool *pool,
                      struct klm_slice *sealed) KLM_MUST_USE;
#define ST_META_NUMBER "change.number"
#define ST_META_TABLE "table."

#endif
