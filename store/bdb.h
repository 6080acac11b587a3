/* Inside the Berkeley DB driver. Only bdb*.c include this: <db.h> stays in them. */
#ifndef STORE_BDB_H
#define STORE_BDB_H

#include "store/driver.h"
#include "store/space.h"

#include <db.h>
#include <pthread.h>
#include <stdatomic.h>

#define BDB_LOG_FILE (4 << 20) /* bytes of a log file */

struct bdb_ahead;

/* What the hooks under Berkeley DB's file calls know of the store that this thread works for. */
struct bdb_io {
    struct st_space *space;
    atomic_int error; /* errno of the first write or sync that failed; no write goes out after it */
    struct bdb_ahead *ahead; /* NULL while filling, which has no log */
    _Atomic uint64_t writes; /* counted before each and after it */
};

#define BDB_WINDOW_WAIT 64
/* What a long scan reads in one call of pages that lie one behind the other, as they do when they were filled in order. A page that is written is in Berkeley DB's cache, and is read from
 * its file again only when that write has ended; so a window is as good as the file until the next write. */
struct bdb_window {
    int fd;
    off_t at, end; /* of the bytes; behind the page that was read last */
    size_t n;
    uint64_t writes; /* before it was read */
    unsigned wait;   /* reads until another is tried, after one that was void too soon */
    uint8_t bytes[64 << 10];
};

struct bdb {
    struct st_driver base; /* first */
    DB_ENV *env;
    DB *db[ST_TABLES];
    char *home;
    struct bdb_io io;
    bool filling;  /* no transactions, no log */
    uint8_t *bulk; /* room for puts in one call, of who commits; NULL until there are some */
    atomic_bool panicked;
    pthread_mutex_t text_lock; /* guards text */
    char text[256];            /* what Berkeley DB said last */
};

/* Put our calls under Berkeley DB's own; once in a process. */
void bdb_io_install(void);
/* The store that this thread's calls belong to from now on; NULL: none. Each entry to Berkeley DB
 * sets it. */
void bdb_io_enter(struct bdb_io *io);

/* Until the scan of this thread is done: pages come by way of this window. NULL: that is over. */
void bdb_window_enter(struct bdb_window *window);

/* Log files made ahead of time (bdb_ahead.c): of a store whose files lie in home. KLM_E_NOMEM. */
klm_rc bdb_ahead_new(const char *home, struct bdb_io *io, struct bdb_ahead **out) KLM_MUST_USE;
/* The store is open: from the next new log file on the one after it is made ahead. A tool that is done before never begins. */
void bdb_ahead_open(struct bdb_ahead *ahead);
/* A file is about to be made. *is_log: it is one of the log. True: it is there already, its zeros and its name on disk. Waits for one that is being made. */
bool bdb_ahead_take(struct bdb_ahead *ahead, const char *path, bool *is_log);
/* End the thread, and remove the file that was made in vain; when nobody writes any more. */
void bdb_ahead_stop(struct bdb_ahead *ahead);
void bdb_ahead_free(struct bdb_ahead **ahead);

/* The outcome of a Berkeley DB return code. A panic marks the driver. */
klm_rc bdb_rc(struct bdb *b, int ret);
/* What Berkeley DB said last of all, or the text of ret; in out. */
const char *bdb_text(struct bdb *b, int ret, char *out, size_t n);
bool bdb_failed(const struct st_driver *driver);

/* A transaction; NULL while filling, which has none. */
int bdb_begin(struct bdb *b, DB_TXN **txn, uint32_t flags);
int bdb_end(DB_TXN *txn, bool commit);

/* The operations of driver.h that are in files of their own. */
klm_rc bdb_snapshot(struct st_driver *driver, struct st_snapshot **out);
void bdb_release(struct st_snapshot *snapshot);
klm_rc bdb_get(struct st_snapshot *snapshot, enum st_table table, struct klm_slice key,
               struct klm_slice *sealed);
klm_rc bdb_scan(struct st_snapshot *snapshot, enum st_table table, const struct st_bounds *bounds,
                st_raw_fn *visit, void *arg);
klm_rc bdb_commit(struct st_driver *driver, const struct st_write *writes, size_t n, bool sync,
                  bool *doubt, struct klm_diag *diag);
klm_rc bdb_checkpoint(struct st_driver *driver);

#endif
