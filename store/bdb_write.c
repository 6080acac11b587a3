/* Writing to Berkeley DB: one batch is one transaction. */
#include "store/bdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Built with KLM_NO_SYNC nothing waits for the disk: that build must fail the power-loss test. */
#ifdef KLM_NO_SYNC
#define SYNC DB_TXN_WRITE_NOSYNC
#else
#define SYNC DB_TXN_SYNC
#endif

#define RUN 16            /* puts to one table for which a call of their own pays */
#define BULK (256u << 10) /* bytes of puts in one call; the longest record fits several times */

static DBT borrowed(struct klm_slice s)
{
    DBT dbt;

    memset(&dbt, 0, sizeof dbt);
    dbt.data = (void *)(uintptr_t)s.p; /* only ever read */
    dbt.size = (uint32_t)s.n;
    return dbt;
}

static int write_one(struct bdb *b, DB_TXN *txn, const struct st_write *w)
{
    DB *db = b->db[w->table];
    DBT key = borrowed(w->key), data = borrowed(w->sealed);

    if (!w->deleted) {
        return db->put(db, txn, &key, &data, 0);
    }
    int ret = db->del(db, txn, &key, 0);
    return ret == DB_NOTFOUND ? 0 : ret;
}

/* As many records, n at most, as fit into one call, which it makes; returns how many. */
static size_t write_bulk(DB *db, DB_TXN *txn, const struct st_write *writes, size_t n,
                         uint8_t *room, int *ret)
{
    DBT all, none = borrowed(KLM_SLICE(NULL, 0));
    void *at;
    size_t i;

    memset(&all, 0, sizeof all);
    all.data = room;
    all.ulen = BULK;
    all.flags = DB_DBT_USERMEM | DB_DBT_BULK;
    DB_MULTIPLE_WRITE_INIT(at, &all);
    for (i = 0; i < n; i++) {
        DBT key = borrowed(writes[i].key), data = borrowed(writes[i].sealed);

        DB_MULTIPLE_KEY_WRITE_NEXT(at, &all, key.data, key.size, data.data, data.size);
        if (!at) {
            break;
        }
    }
    *ret = i == 0 ? ENOMEM : db->put(db, txn, &all, &none, DB_MULTIPLE_KEY);
    return i;
}

/* Records of one table, sorted, so that Berkeley DB stays on a page; while filling it fills page after page. */
static int write_run(struct bdb *b, DB_TXN *txn, const struct st_write *writes, size_t n)
{
    int ret;

    b->bulk = b->bulk ? b->bulk : malloc(BULK);
    ret = b->bulk ? 0 : ENOMEM;
    for (size_t i = 0; i < n && ret == 0;) {
        i += write_bulk(b->db[writes[0].table], txn, writes + i, n - i, b->bulk, &ret);
    }
    return ret;
}

/* How many from the first on are puts to the same table. */
static size_t run_of(const struct st_write *writes, size_t n)
{
    size_t i = 0;

    while (i < n && writes[i].table == writes[0].table && !writes[i].deleted) {
        i++;
    }
    return i;
}

static int write_all(struct bdb *b, DB_TXN *txn, const struct st_write *writes, size_t n)
{
    int ret = 0;

    for (size_t i = 0; i < n && ret == 0;) {
        size_t run = run_of(writes + i, n - i);

        ret = run < RUN ? write_one(b, txn, &writes[i]) : write_run(b, txn, &writes[i], run);
        i += run < RUN ? 1 : run;
    }
    return ret;
}

static klm_rc tell(struct bdb *b, int ret, struct klm_diag *diag)
{
    char text[256];
    int err = atomic_load(&b->io.error);

    if (err) {
        return klm_fail(diag, klm_rc_errno(err), KLM_MSG_ST_WRITE, b->home, strerrordesc_np(err));
    }
    klm_rc rc = bdb_rc(b, ret);
    return klm_fail(diag, rc, KLM_MSG_ST_WRITE, b->home, bdb_text(b, ret, text, sizeof text));
}

klm_rc bdb_commit(struct st_driver *driver, const struct st_write *writes, size_t n, bool sync,
                  bool *doubt, struct klm_diag *diag)
{
    struct bdb *b = (struct bdb *)driver;
    DB_TXN *txn = NULL;

    bdb_io_enter(&b->io);
    *doubt = false;
    int ret = bdb_begin(b, &txn, sync ? SYNC : DB_TXN_WRITE_NOSYNC);
    if (ret != 0) {
        return tell(b, ret, diag);
    }
    ret = write_all(b, txn, writes, n);
    if (ret != 0) {
        int undone = bdb_end(txn, false);
        *doubt = undone != 0 || bdb_failed(driver);
        return tell(b, ret, diag);
    }
    ret = bdb_end(txn, true);
    if (ret == 0 && sync && b->filling) {
        ret = b->env->memp_sync(b->env, NULL); /* and each file */
    }
    *doubt = ret != 0 || bdb_failed(driver);
    return *doubt ? tell(b, ret, diag) : KLM_OK;
}

klm_rc bdb_checkpoint(struct st_driver *driver)
{
    struct bdb *b = (struct bdb *)driver;

    bdb_io_enter(&b->io);
    int ret = b->filling ? b->env->memp_sync(b->env, NULL) /* and each file */
                         : b->env->txn_checkpoint(b->env, 0, 0, 0);
    if (ret == 0 && bdb_failed(driver)) {
        ret = EIO; /* a sync that failed was not told to Berkeley DB */
    }
    return ret == 0 ? KLM_OK : bdb_rc(b, ret);
}
