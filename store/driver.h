/* What a store driver does: snapshots and batches of sealed records, nothing else. Marks, limits,
 * envelopes and what a view may see while a commit is on its way to the disk are above it, in
 * store.c and view.c. */
#ifndef STORE_DRIVER_H
#define STORE_DRIVER_H

#include "store/st.h"

/* Keys from low (low_open: beyond it) up to but not including high. */
struct st_bounds {
    struct klm_slice low, high;
    bool low_open;
    bool has_high;
    bool reverse;
};

/* Narrow bounds to what comes after key in the direction of the scan. */
void st_bounds_after(struct st_bounds *bounds, struct klm_slice key);

/* One write of a batch; batches are sorted by table and key, each key once. */
struct st_write {
    enum st_table table;
    struct klm_slice key;
    struct klm_slice sealed;
    bool deleted;
};

/* Any outcome but KLM_OK ends the scan and is its outcome. */
typedef klm_rc st_raw_fn(void *arg, struct klm_slice key, struct klm_slice sealed);

struct st_driver;
struct st_snapshot;

struct st_driver_ops {
    /* A snapshot of what is committed at this moment, for one thread at a time. */
    klm_rc (*snapshot)(struct st_driver *driver, struct st_snapshot **out);
    void (*release)(struct st_snapshot *snapshot);
    /* *sealed stays valid until the next get of the snapshot or its release. */
    klm_rc (*get)(struct st_snapshot *snapshot, enum st_table table, struct klm_slice key,
                  struct klm_slice *sealed);
    klm_rc (*scan)(struct st_snapshot *snapshot, enum st_table table,
                   const struct st_bounds *bounds, st_raw_fn *visit, void *arg);
    /* All of it or nothing, on disk when sync is set. On failure *doubt tells that it may be on
     * disk or visible in snapshots all the same: the store then hides it and takes no more changes.
     */
    klm_rc (*commit)(struct st_driver *driver, const struct st_write *writes, size_t n, bool sync,
                     bool *doubt, struct klm_diag *diag);
    klm_rc (*checkpoint)(struct st_driver *driver);
    bool (*failed)(const struct st_driver *driver);
    /* Free the driver; tidy: leave everything on disk, so that the next open has nothing to
     * recover. */
    void (*close)(struct st_driver *driver, bool tidy);
};

/* First members of each driver's own structures. */
struct st_driver {
    const struct st_driver_ops *ops;
};
struct st_snapshot {
    struct st_driver *driver;
};

/* A driver that keeps everything in memory, for tests. KLM_E_NOMEM. */
klm_rc st_driver_memory(struct st_driver **out) KLM_MUST_USE;

/* Asked for each table whose file is missing: KLM_OK when it may be made, KLM_E_CORRUPT when the
 * store once had it. */
typedef klm_rc st_may_make_fn(void *arg, struct st_driver *driver, enum st_table table);
struct st_space;
struct st_bdb_options {
    const char *home;
    struct st_space *space; /* borrowed */
    size_t cache_bytes;
    bool create;  /* the folder holds no database yet */
    bool filling; /* st_options */
    st_may_make_fn *may_make;
    void *arg;
};
klm_rc st_driver_bdb(const struct st_bdb_options *options, struct klm_diag *diag,
                     struct st_driver **out) KLM_MUST_USE;

#endif
