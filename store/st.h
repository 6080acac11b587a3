/* The store: named tables of byte keys and byte records, read as snapshots and changed in whole
 * transactions. The idea: a change is collected in memory as a write set over a snapshot (so that a
 * step of it can be undone and its neighbours stay), and goes to the driver once, as one sorted
 * batch in one synchronous transaction. Drivers therefore know only snapshots and batches. One
 * writer at a time; readers never wait for it.
 *
 * Each record is kept in an envelope: schema version and a MAC over table, key, version and bytes,
 * so that one damaged record is one object lost and named (KLM_E_CORRUPT), not a dead server. Keys
 * are kept as they are and order by memcmp. */
#ifndef STORE_ST_H
#define STORE_ST_H

#include "base/msg.h"
#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

enum st_table {
#define ST_TABLE(name, file, key, record) name,
#include "store/tables.def"
#undef ST_TABLE
    ST_TABLES
};

#define ST_KEY_MAX 512      /* bytes of a key */
#define ST_RECORD_MAX 65536 /* bytes of a record */
#define ST_SCHEMA 1         /* schema version that this build writes */

struct st_store;
struct st_view;
struct st_change;

struct st_options {
    const char *home;    /* folder of the store (Berkeley DB); made when missing, mode 0700 */
    uint8_t mac_key[32]; /* key of the records' MACs; copied into secret memory */
    size_t cache_bytes;  /* 0: 256 MiB */
    bool create;         /* false: KLM_E_NOTFOUND when there is no store yet */
    bool read_only;
    bool
        filling; /* made now, filled by st_load and thrown away after a crash: nothing is logged, so that nothing of it is sure to be on
                   * disk before a good st_load_end, and one thread at a time works on it. Then it is to be closed. Opened so once more it can be verified, sooner than in a
                   * store that serves; nothing else */
    const uint8_t *id; /* 16 bytes: the id of a store that is made now; NULL: a random one */
    uint64_t
        number; /* changes are numbered from here on, if the store is not there yet; 0 usually. The next change makes that durable */
};

/* Open the Berkeley DB store, with recovery. Only one process may: KLM_E_BUSY (lock file in home,
 * with the owner's pid). KLM_E_WRONGKEY: the store was made under another MAC key (checked before
 * anything is read or recovered). KLM_E_CORRUPT names the file. */
klm_rc st_open_bdb(const struct st_options *options, struct klm_diag *diag, struct st_store **out)
    KLM_MUST_USE;
/* A store in memory, for tests; home is not used. */
klm_rc st_open_memory(const struct st_options *options, struct st_store **out) KLM_MUST_USE;
void st_close(struct st_store **store);

/* Number of the last committed change; 0 for a new store. Survives restarts. Any thread. */
uint64_t st_number(const struct st_store *store);
/* The store's id: random, and kept when a backup of it is restored. Zeros for one in memory. */
void st_id(const struct st_store *store, uint8_t out[16]);
/* True after a write or sync failed: the store takes no more changes (KLM_E_STATE) until it is
 * opened again; reads go on. */
bool st_failed(const struct st_store *store);

/* A snapshot of the store as of now, for reading on any one thread; it stays as it is while changes
 * are committed. */
klm_rc st_view_open(struct st_store *store, struct st_view **out) KLM_MUST_USE;
void st_view_close(struct st_view **view);
/* The number of the last change a view sees. */
uint64_t st_view_number(const struct st_view *view);

/* The record of a key, copied into the pool. KLM_E_NOTFOUND is an answer; KLM_E_CORRUPT: its MAC is
 * wrong. */
klm_rc st_get(struct st_view *view, enum st_table table, struct klm_slice key,
              struct klm_pool *pool, struct klm_slice *record) KLM_MUST_USE;

/* Order of two keys, as memcmp with the shorter one first. */
int st_key_compare(struct klm_slice a, struct klm_slice b);

struct st_range {
    struct klm_slice prefix; /* only keys that begin so; empty: all */
    struct klm_slice after;  /* only keys beyond it in the direction of the scan; p NULL: all */
    bool reverse;            /* from the highest key down */
    size_t limit;            /* most records visited; 0: no limit */
    bool
        ahead; /* all of a long scan: another thread reads ahead, and checks MACs when this one is behind with visiting. The visitor leaves the view alone */
};
/* Called for each record in key order; damaged is true when its MAC is wrong (record is then
 * empty). Any outcome but KLM_OK ends the scan and is returned. A visitor commits nothing to the store that it visits, and waits for no one who does: a page may be held for it. */
typedef klm_rc st_visit_fn(void *arg, struct klm_slice key, struct klm_slice record, bool damaged);
klm_rc st_scan(struct st_view *view, enum st_table table, const struct st_range *range,
               st_visit_fn *visit, void *arg) KLM_MUST_USE;

/* Begin a change: a write set over the newest state. One at a time: KLM_E_BUSY. KLM_E_STATE: the
 * store has failed. KLM_E_DENIED: it was opened read-only. */
klm_rc st_change_open(struct st_store *store, struct st_change **out) KLM_MUST_USE;
/* Reading inside a change sees what it has written so far. Borrowed; do not close it. */
struct st_view *st_change_view(struct st_change *change);
/* KLM_E_LIMIT: key or record too long. KLM_E_INVALID: an empty key, or one of ST_META that is the
 * store's own ("change.number", "table.*"). */
klm_rc st_put(struct st_change *change, enum st_table table, struct klm_slice key,
              struct klm_slice record) KLM_MUST_USE;
/* The same for a key of which the caller knows that it is not in the store: with st_get of this change, or because an identifier that was just drawn at random is part of it. Spares the
 * look at what was there. */
klm_rc st_put_new(struct st_change *change, enum st_table table, struct klm_slice key,
                  struct klm_slice record) KLM_MUST_USE;
/* Deleting what is not there is KLM_OK. */
klm_rc st_delete(struct st_change *change, enum st_table table, struct klm_slice key) KLM_MUST_USE;
/* Steps: what was written since the mark can be undone alone. */
size_t st_change_mark(const struct st_change *change);
void st_change_undo(struct st_change *change, size_t mark);
/* How many writes it holds. */
size_t st_change_size(const struct st_change *change);
/* Does it write or delete anything in a table? */
bool st_change_touches(const struct st_change *change, enum st_table table);
/* Make it durable and visible; the change is gone afterwards, also on failure (*change is NULL). On
 * KLM_OK everything is on disk. On failure nothing is visible and the store may have failed
 * (st_failed). KLM_E_NOSPACE while the device is full, unless the change deletes at least half of
 * the keys it writes; the store goes on. An empty change is KLM_OK without a sync. */
klm_rc st_change_commit(struct st_change **change, struct klm_diag *diag) KLM_MUST_USE;
/* The same without waiting for the disk: for what can be made again (indexes). Later commits make
 * it durable too. */
klm_rc st_change_commit_lazy(struct st_change **change, struct klm_diag *diag) KLM_MUST_USE;
void st_change_drop(struct st_change **change);
/* A draft: a change that is never committed (KLM_E_DENIED), over a snapshot of its own; any number at a time, on any thread. To see what several steps would do together before the
 * writer does them. */
klm_rc st_draft_open(struct st_store *store, struct st_change **out) KLM_MUST_USE;

/* Hear of every key that a commit writes or deletes, before anything of it can be seen: from then on what was read as of a change before number is not what the key
 * will hold. It may be told in vain: the commit can still fail. For caches. Called by who commits; set it before there are changes, fn NULL: nobody listens. */
typedef void st_touch_fn(void *arg, enum st_table table, struct klm_slice key, uint64_t number);
void st_watch(struct st_store *store, st_touch_fn *fn, void *arg);

/* Fill a store that was just made, for a restore: much faster than changes, because nobody reads it meanwhile and nothing of it counts
 * until st_load_end. Records come table by table, each table once, and by ascending key within one (KLM_E_INVALID
 * otherwise; KLM_E_STATE: the store has changes already). What st_put refuses is refused here, too. A store whose load did not end is
 * to be thrown away. */
struct st_load;
klm_rc st_load_open(struct st_store *store, struct st_load **out) KLM_MUST_USE;
klm_rc st_load_put(struct st_load *load, enum st_table table, struct klm_slice key,
                   struct klm_slice record) KLM_MUST_USE;
/* Changes are numbered above this number, if the store's own is not higher; before st_load_end. */
void st_load_number(struct st_load *load, uint64_t number);
/* All of it on disk, as the store's first change. Frees the load, also on failure. */
klm_rc st_load_end(struct st_load **load, struct klm_diag *diag) KLM_MUST_USE;
void st_load_drop(struct st_load **load);

/* Checkpoint now if more than commits or seconds passed since the last (0, 0: at once), so that a
 * restart stays short. Any thread. */
klm_rc st_checkpoint(struct st_store *store, unsigned commits, unsigned seconds) KLM_MUST_USE;
/* From now on a thread of the store's looks every second whether a checkpoint is due by st_checkpoint's rule, until st_close: commits do not wait for it. Who calls this leaves
 * st_checkpoint to it. KLM_E_STATE: it was called before; KLM_E_NOMEM, KLM_E_LIMIT (no thread). */
klm_rc st_keep(struct st_store *store, unsigned commits, unsigned seconds) KLM_MUST_USE;

/* Read every record of every table and check it. report hears each damaged one; returns
 * KLM_E_CORRUPT if there was one. */
typedef void st_report_fn(void *arg, enum st_table table, struct klm_slice key);
klm_rc st_verify(struct st_store *store, st_report_fn *report, void *arg, uint64_t *records)
    KLM_MUST_USE;

/* File name of a table ("drive"), and back: KLM_E_NOTFOUND. */
const char *st_table_name(enum st_table table);
klm_rc st_table_find(const char *name, enum st_table *out) KLM_MUST_USE;
/* The store's own facts of ST_META, which st_put does not take. */
bool st_key_own(enum st_table table, struct klm_slice key);

#endif
