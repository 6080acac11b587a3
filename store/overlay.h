/* The write set of a change, laid over a snapshot. While the change is being made it shows what was
 * written; once its commit is on the way to the disk it is turned round and shows what was there
 * before, so that views opened meanwhile don't see what may still fail (the driver's own snapshots
 * show a commit before it is on disk). */
#ifndef STORE_OVERLAY_H
#define STORE_OVERLAY_H

#include "store/driver.h"

struct st_overlay;

/* What an overlay says of a key. */
enum st_says {
    ST_SAYS_NOTHING, /* ask the snapshot */
    ST_SAYS_RECORD,
    ST_SAYS_GONE,
};

/* One owner at first; the last st_overlay_drop frees it. */
klm_rc st_overlay_new(struct st_overlay **out) KLM_MUST_USE;
struct st_overlay *st_overlay_share(struct st_overlay *overlay);
void st_overlay_drop(struct st_overlay **overlay);
/* Memory that lives as long as the overlay. */
struct klm_pool *st_overlay_pool(struct st_overlay *overlay);

/* Write: sealed lives in the overlay's pool, or is empty with deleted set; the key is copied.
 * KLM_E_NOMEM. */
klm_rc st_overlay_write(struct st_overlay *overlay, enum st_table table, struct klm_slice key,
                        struct klm_slice sealed, bool deleted) KLM_MUST_USE;
/* The snapshot has no such key: the turn need not ask. Says nothing of a key that was written before. KLM_E_NOMEM. */
klm_rc st_overlay_fresh(struct st_overlay *overlay, enum st_table table, struct klm_slice key)
    KLM_MUST_USE;
size_t st_overlay_mark(const struct st_overlay *overlay);
void st_overlay_undo(struct st_overlay *overlay, size_t mark);
/* How many keys it writes. */
size_t st_overlay_size(const struct st_overlay *overlay);

enum st_says st_overlay_get(const struct st_overlay *overlay, enum st_table table,
                            struct klm_slice key, struct klm_slice *sealed);
/* The first key it says something of within the bounds; the key is borrowed from the overlay. */
enum st_says st_overlay_next(const struct st_overlay *overlay, enum st_table table,
                             const struct st_bounds *bounds, struct klm_slice *key,
                             struct klm_slice *sealed);

/* Its writes, sorted by table and key, in its pool. Lists how many of them delete. */
klm_rc st_overlay_writes(struct st_overlay *overlay, const struct st_write **writes, size_t *n,
                         size_t *deletes) KLM_MUST_USE;
/* Turn it round: read from the snapshot what each written key held. Nobody else may use it
 * meanwhile. */
klm_rc st_overlay_turn(struct st_overlay *overlay, struct st_snapshot *snapshot) KLM_MUST_USE;

#endif
