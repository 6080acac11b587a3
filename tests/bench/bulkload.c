/* Berkeley DB's bulk load with nothing around it. */
#include "tests/bench/bulkload.h"

#include "metadata/md.h"
#include "store/st.h"
#include "tests/bench/bench.h"

#include <db.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define CACHE (2u << 20) /* the fastest of 2 to 256 MiB: pages are filled one after the other */
#define CALL (256u << 10)
#define HEAD 8 /* lengths of key and record */

struct table {
    uint8_t *bytes; /* HEAD, key, record, again and again */
    size_t n, cap;
};

struct bulk {
    struct table table[ST_TABLES];
    const char *folder;
    atomic_uint next;
};

static void check(int ret, const char *what)
{
    if (ret != 0) {
        bench_die(what, db_strerror(ret));
    }
}

static void path_of(const char *folder, unsigned table, char out[4096])
{
    snprintf(out, 4096, "%s/%s.db", folder, st_table_name((enum st_table)table));
}

/* ---- Reading */

static void keep(struct table *t, const void *key, size_t key_n, const void *record, size_t n)
{
    const uint32_t head[2] = {(uint32_t)key_n, (uint32_t)n};

    if (t->n + HEAD + key_n + n > t->cap) {
        t->cap = t->cap ? t->cap * 2 : 1u << 20;
        t->bytes = realloc(t->bytes, t->cap);
        bench_need(t->bytes != NULL, "memory");
    }
    memcpy(t->bytes + t->n, head, HEAD);
    memcpy(t->bytes + t->n + HEAD, key, key_n);
    memcpy(t->bytes + t->n + HEAD + key_n, record, n);
    t->n += HEAD + key_n + n;
}

static void read_table(const char *path, struct table *t)
{
    static uint8_t room[1u << 20];
    DBT key = {0}, data = {.data = room, .ulen = sizeof room, .flags = DB_DBT_USERMEM};
    DBC *cursor;
    DB *db;
    int ret;

    check(db_create(&db, NULL, 0), path);
    check(db->open(db, NULL, path, NULL, DB_BTREE, DB_RDONLY, 0), path);
    check(db->cursor(db, NULL, &cursor, 0), path);
    while ((ret = cursor->get(cursor, &key, &data, DB_NEXT | DB_MULTIPLE_KEY)) == 0) {
        void *at, *k, *r;
        size_t k_n, r_n;

        DB_MULTIPLE_INIT(at, &data);
        for (;;) {
            DB_MULTIPLE_KEY_NEXT(at, &data, k, k_n, r, r_n);
            if (!at) {
                break;
            }
            keep(t, k, k_n, r, r_n);
        }
    }
    check(ret == DB_NOTFOUND ? 0 : ret, path);
    check(cursor->close(cursor), path);
    check(db->close(db, DB_NOSYNC), path);
}

struct bulk *bulk_read(const char *store_folder)
{
    struct bulk *bulk = calloc(1, sizeof *bulk);
    char path[4096];

    bench_need(bulk != NULL, "memory");
    for (unsigned t = 0; t < ST_TABLES; t++) {
        if (t != ST_OUTBOX && !md_index_has((enum st_table)t, KLM_SLICE("", 0))) {
            path_of(store_folder, t, path);
            read_table(path, &bulk->table[t]);
        }
    }
    return bulk;
}

void bulk_free(struct bulk *bulk)
{
    for (unsigned t = 0; t < ST_TABLES; t++) {
        free(bulk->table[t].bytes);
    }
    free(bulk);
}

/* ---- Loading */

/* One call; returns where the next begins. */
static size_t put_some(DB *db, const struct table *t, size_t from, uint8_t *room)
{
    DBT all = {.data = room, .ulen = CALL, .flags = DB_DBT_USERMEM | DB_DBT_BULK}, none = {0};
    void *at;

    DB_MULTIPLE_WRITE_INIT(at, &all);
    while (from < t->n) {
        const uint8_t *p = t->bytes + from;
        uint32_t head[2];

        memcpy(head, p, HEAD);
        DB_MULTIPLE_KEY_WRITE_NEXT(at, &all, p + HEAD, head[0], p + HEAD + head[0], head[1]);
        if (!at) {
            break;
        }
        from += HEAD + head[0] + head[1];
    }
    check(db->put(db, NULL, &all, &none, DB_MULTIPLE_KEY), "put");
    return from;
}

static void load_table(const char *path, const struct table *t)
{
    uint8_t *room = malloc(CALL);
    DB *db;

    bench_need(room != NULL, "memory");
    check(db_create(&db, NULL, 0), path);
    check(db->set_cachesize(db, 0, CACHE, 1), path);
    check(db->set_pagesize(db, PAGE), path);
    check(db->open(db, NULL, path, NULL, DB_BTREE, DB_CREATE, 0600), path);
    for (size_t at = 0; at < t->n;) {
        at = put_some(db, t, at, room);
    }
    check(db->sync(db, 0), path);
    check(db->close(db, 0), path);
    free(room);
}

static void *load_tables(void *arg)
{
    struct bulk *bulk = arg;
    char path[4096];
    unsigned t;

    while ((t = atomic_fetch_add(&bulk->next, 1)) < ST_TABLES) {
        path_of(bulk->folder, t, path);
        load_table(path, &bulk->table[t]);
    }
    return NULL;
}

void bulk_load(struct bulk *bulk, const char *folder, unsigned threads)
{
    pthread_t thread[16];

    bench_need(threads <= 16 && mkdir(folder, 0700) == 0, folder);
    bulk->folder = folder;
    atomic_store(&bulk->next, 0);
    for (unsigned i = 0; i < threads; i++) {
        bench_need(pthread_create(&thread[i], NULL, load_tables, bulk) == 0, "thread");
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
    }
}

void bulk_remove(const char *folder)
{
    char path[4096];

    for (unsigned t = 0; t < ST_TABLES; t++) {
        path_of(folder, t, path);
        (void)unlink(path); /* what was made is of no use to anybody */
    }
    (void)rmdir(folder);
}
