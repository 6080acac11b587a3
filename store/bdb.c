/* The Berkeley DB driver: its environment, its files, and what its failures mean. One process owns
 * the environment (DB_PRIVATE: no region file ever holds a page); it recovers each time it is
 * opened; reads are multi-version. */
#include "store/bdb.h"
#include "store/bdb_checkers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_DEFAULT ((size_t)256 << 20)
#define CACHE_MIN ((size_t)4 << 20)
/* All pages are equal to the cache's search for a page to give up. With an order by use, Berkeley DB 5.3 (mp_alloc.c) takes the older version of a page as its candidate, holds it, finds it
 * held, and so never sees that no reader needs it: once the cache is full it goes through all of it for each new page and writes needless versions to files ("freezer"). */
#define EVICTION DB_PRIORITY_VERY_LOW
#define CACHE_FILLING CACHE_MIN /* pages are written in order and never looked at again */
#define PAGE_BYTES                                                                                 \
    4096 /* a page must reach the disk as a whole: no larger than the file system's block */
#define LOG_BUFFER (1u << 20)

bool bdb_failed(const struct st_driver *driver)
{
    const struct bdb *b = (const struct bdb *)driver;

    return atomic_load(&b->panicked) || atomic_load(&b->io.error) != 0;
}

static void on_error(const DB_ENV *env, const char *prefix, const char *text)
{
    struct bdb *b = env->app_private;

    (void)prefix;
    klm_trace("store", "%s: %s", b->home, text);
    pthread_mutex_lock(&b->text_lock);
    snprintf(b->text, sizeof b->text, "%s", text);
    pthread_mutex_unlock(&b->text_lock);
}

const char *bdb_text(struct bdb *b, int ret, char *out, size_t n)
{
    pthread_mutex_lock(&b->text_lock);
    snprintf(out, n, "%s", b->text[0] ? b->text : db_strerror(ret));
    pthread_mutex_unlock(&b->text_lock);
    return out;
}

static void panic(struct bdb *b, int ret)
{
    char text[256];

    if (!atomic_exchange(&b->panicked, true)) {
        klm_say(KLM_MSG_ST_STOPPED, b->home, bdb_text(b, ret, text, sizeof text));
    }
}

static void on_event(DB_ENV *env, uint32_t event, void *info)
{
    (void)info;
    if (event == DB_EVENT_PANIC) {
        panic(env->app_private, DB_RUNRECOVERY);
    }
}

klm_rc bdb_rc(struct bdb *b, int ret)
{
    switch (ret) {
    case 0:
        return KLM_OK;
    case DB_NOTFOUND:
    case DB_KEYEMPTY:
        return KLM_E_NOTFOUND;
    case DB_RUNRECOVERY:
        panic(b, ret);
        return KLM_E_IO;
    case DB_PAGE_NOTFOUND:
    case DB_VERIFY_BAD:
        return KLM_E_CORRUPT;
    case DB_LOCK_DEADLOCK:
    case DB_LOCK_NOTGRANTED:
        return KLM_E_AGAIN;
    }
    return ret > 0 ? klm_rc_errno(ret) : KLM_E_IO;
}

int bdb_begin(struct bdb *b, DB_TXN **txn, uint32_t flags)
{
    *txn = NULL;
    return b->filling ? 0 : b->env->txn_begin(b->env, NULL, txn, flags);
}

int bdb_end(DB_TXN *txn, bool commit)
{
    return !txn ? 0 : commit ? txn->commit(txn, 0) : txn->abort(txn);
}

/* Transactions are made as they are needed; this is the most there may be. Committed ones stay listed
 * while a page that they wrote is in the cache with an older version, hence as many as pages. */
static int set_limits(DB_ENV *env, size_t cache)
{
    uint32_t pages = (uint32_t)(cache / PAGE_BYTES);
    int ret =
        env->set_cachesize(env, (uint32_t)(cache >> 30), (uint32_t)(cache & ((1u << 30) - 1)), 1);

    ret = ret ? ret : env->set_tx_max(env, pages + 10000);
    return ret;
}

static int set_log(DB_ENV *env)
{
    int ret = env->set_lg_bsize(env, LOG_BUFFER);

    ret = ret ? ret : env->set_lg_max(env, BDB_LOG_FILE);
    ret = ret ? ret : env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1);
    return ret;
}

/* No locks (DB_INIT_LOCK): there is one writer at a time, and snapshots take none. Latches of pages keep writer, readers and checkpoints apart.
 * Filling needs none of transactions, locks, log and versions, nor the mutexes of DB_THREAD: one thread at a time works on it, nobody else looks, and what a crash leaves is
 * thrown away. */
static int env_open(struct bdb *b, size_t cache)
{
    const uint32_t flags = DB_CREATE | DB_INIT_MPOOL | DB_PRIVATE |
                           (b->filling ? 0 : DB_THREAD | DB_INIT_TXN | DB_INIT_LOG | DB_RECOVER);
    int ret = db_env_create(&b->env, 0);

    if (ret != 0) {
        b->env = NULL;
        return ret;
    }
    b->env->app_private = b;
    b->env->set_errcall(b->env, on_error);
    ret = b->env->set_event_notify(b->env, on_event);
    ret = ret ? ret : set_limits(b->env, cache < CACHE_MIN ? CACHE_MIN : cache);
    ret = ret || b->filling ? ret : set_log(b->env);
    return ret ? ret : b->env->open(b->env, b->home, flags, 0600);
}

static klm_rc fail_open(struct bdb *b, int ret, struct klm_diag *diag)
{
    char text[256];

    if (atomic_load(&b->io.error)) {
        ret = atomic_load(&b->io.error);
    }
    klm_rc rc = bdb_rc(b, ret);
    return klm_fail(diag, rc == KLM_E_NOTFOUND ? KLM_E_IO : rc, KLM_MSG_ST_OPEN, b->home,
                    bdb_text(b, ret, text, sizeof text));
}

struct name {
    char text[80];
};

static struct name file_of(enum st_table table)
{
    struct name name;

    snprintf(name.text, sizeof name.text, "%s.db", st_table_name(table));
    return name;
}

static bool is_there(const struct bdb *b, enum st_table table)
{
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s", b->home, file_of(table).text);

    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

static klm_rc damaged(const struct bdb *b, enum st_table table, const char *why,
                      struct klm_diag *diag)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", b->home, file_of(table).text);
    return klm_fail(diag, KLM_E_CORRUPT, KLM_MSG_ST_DAMAGED, path, why);
}

/* Failures of the file itself, as told from those of the machine. */
static bool means_damage(int ret)
{
    return ret == EINVAL || ret == DB_OLD_VERSION || ret == DB_PAGE_NOTFOUND ||
           ret == DB_VERIFY_BAD || ret == DB_NOTFOUND || ret == ENOENT || ret == DB_CHKSUM_FAIL;
}

static klm_rc table_open(struct bdb *b, DB_TXN *txn, enum st_table table, bool make,
                         struct klm_diag *diag)
{
    const uint32_t flags = (b->filling ? 0 : DB_THREAD | DB_MULTIVERSION) | (make ? DB_CREATE : 0);
    char text[256];
    DB *db;
    int ret = db_create(&db, b->env, 0);

    if (ret != 0) {
        return fail_open(b, ret, diag);
    }
    b->db[table] = db;
    ret = make ? db->set_pagesize(db, PAGE_BYTES) : 0;
    ret = ret || b->filling ? ret : db->set_priority(db, EVICTION);
    ret = ret ? ret : db->open(db, txn, file_of(table).text, NULL, DB_BTREE, flags, 0600);
    if (ret != 0 && !bdb_failed(&b->base) && means_damage(ret)) {
        return damaged(b, table, bdb_text(b, ret, text, sizeof text), diag);
    }
    return ret == 0 ? KLM_OK : fail_open(b, ret, diag);
}

/* Open, or make, the tables from one to another in one transaction: a crash leaves all or none of
 * the new ones. */
static klm_rc tables_open(struct bdb *b, unsigned from, unsigned to, const bool make[ST_TABLES],
                          struct klm_diag *diag)
{
    DB_TXN *txn = NULL;
    klm_rc rc = KLM_OK;
    int ret = bdb_begin(b, &txn, 0);

    if (ret != 0) {
        return fail_open(b, ret, diag);
    }
    for (unsigned t = from; t < to && rc == KLM_OK; t++) {
        rc = table_open(b, txn, (enum st_table)t, make[t], diag);
    }
    if (rc != KLM_OK) {
        (void)bdb_end(txn, false); /* the failure to tell is the first */
        return rc;
    }
    ret = bdb_end(txn, true);
    return ret == 0 && !bdb_failed(&b->base) ? KLM_OK : fail_open(b, ret, diag);
}

/* A table whose file is missing is made only when the store never had it: an empty table in place
 * of a lost one would look healthy. ST_META comes first, as it remembers which there are. */
static klm_rc all_tables(struct bdb *b, const struct st_bdb_options *options, struct klm_diag *diag)
{
    bool make[ST_TABLES] = {false};

    make[ST_META] = !is_there(b, ST_META);
    for (unsigned t = 0; make[ST_META] && t < ST_TABLES; t++) {
        if (!options->create || is_there(b, (enum st_table)t)) {
            return damaged(b, ST_META, "it is missing", diag);
        }
    }
    KLM_TRY(tables_open(b, ST_META, ST_META + 1, make, diag));
    for (unsigned t = ST_META + 1; t < ST_TABLES; t++) {
        make[t] = !is_there(b, (enum st_table)t);
        klm_rc rc = make[t] ? options->may_make(options->arg, &b->base, (enum st_table)t) : KLM_OK;
        if (rc == KLM_E_CORRUPT) {
            return damaged(b, (enum st_table)t, "it is missing", diag);
        }
        KLM_TRY(rc);
    }
    return tables_open(b, ST_META + 1, ST_TABLES, make, diag);
}

static void bdb_close(struct st_driver *driver, bool tidy)
{
    struct bdb *b = (struct bdb *)driver;
    bool clean = tidy && b->env && !bdb_failed(driver);

    bdb_io_enter(&b->io);
    if (clean) {
        (void)(b->filling
                   ? b->env->memp_sync(b->env, NULL)
                   : b->env->txn_checkpoint(
                         b->env, 0, 0, DB_FORCE)); /* failing, the next open has more to recover */
    }
    for (unsigned t = 0; t < ST_TABLES; t++) {
        if (b->db[t]) {
            (void)b->db[t]->close(b->db[t], clean ? 0 : DB_NOSYNC);
        }
    }
    if (b->env) {
        (void)b->env->close(b->env, 0);
    }
    if (b->io.ahead) {
        bdb_ahead_stop(b->io.ahead);
    }
    bdb_ahead_free(&b->io.ahead);
    bdb_io_enter(NULL);
    pthread_mutex_destroy(&b->text_lock);
    free(b->bulk);
    free(b->home);
    free(b);
}

klm_rc st_driver_bdb(const struct st_bdb_options *options, struct klm_diag *diag,
                     struct st_driver **out)
{
    static const struct st_driver_ops ops = {
        .snapshot = bdb_snapshot,
        .release = bdb_release,
        .get = bdb_get,
        .scan = bdb_scan,
        .commit = bdb_commit,
        .checkpoint = bdb_checkpoint,
        .failed = bdb_failed,
        .close = bdb_close,
    };
    struct bdb *b = calloc(1, sizeof *b);

    if (!b || !(b->home = strdup(options->home))) {
        free(b);
        return KLM_E_NOMEM;
    }
    b->base.ops = &ops;
    b->filling = options->filling;
    b->io.space = options->space;
    pthread_mutex_init(&b->text_lock, NULL);
    if (!b->filling && bdb_ahead_new(b->home, &b->io, &b->io.ahead) != KLM_OK) {
        bdb_close(&b->base, false);
        return KLM_E_NOMEM;
    }
    bdb_io_install();
    bdb_io_enter(&b->io);
    int ret = env_open(b, b->filling             ? CACHE_FILLING
                          : options->cache_bytes ? options->cache_bytes
                                                 : CACHE_DEFAULT);
    klm_rc rc = ret == 0 ? all_tables(b, options, diag) : fail_open(b, ret, diag);
    if (rc != KLM_OK) {
        bdb_close(&b->base, false);
        return rc;
    }
    if (b->io.ahead) {
        bdb_ahead_open(b->io.ahead);
    }
    *out = &b->base;
    return KLM_OK;
}
