/* What Berkeley DB does on this disk with nothing around it: synchronous commits in an environment of its own, and the open with recovery of one
 * that is there. */
#include "tests/bench/bench.h"
#include "tests/bench/ceiling.h"

#include <db.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD 500
#define DATABASES_MAX 64
#define COMMIT_CACHE_MEGABYTES 64

static DB_ENV *env;
static DB *db;
static atomic_bool stop;
static atomic_uint_fast64_t serial;
static unsigned puts_a_commit;

static void check(int ret, const char *what)
{
    if (ret != 0) {
        bench_die(what, db_strerror(ret));
    }
}

static void open_env(const char *home, unsigned megabytes)
{
    check(db_env_create(&env, 0), "environment");
    check(env->set_cachesize(env, megabytes >> 10, (megabytes & 1023) << 20, 1), "cache");
    check(env->set_lg_bsize(env, 1 << 20), "log buffer");
    check(env->set_lg_max(env, 64 << 20), "log file");
    check(env->set_lk_max_locks(env, 2000000), "locks");
    check(env->set_lk_max_objects(env, 2000000), "locks");
    check(env->set_lk_detect(env, DB_LOCK_DEFAULT), "deadlocks");
    check(env->log_set_config(env, DB_LOG_AUTO_REMOVE, 1), "logs");
    check(env->open(env, home,
                    DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_THREAD | DB_INIT_TXN | DB_INIT_LOCK |
                        DB_INIT_LOG | DB_INIT_MPOOL,
                    0600),
          home);
}

static DB *open_db(const char *name, unsigned flags)
{
    DB *out;

    check(db_create(&out, env, 0), name);
    check(out->open(out, NULL, name, NULL, DB_BTREE, DB_AUTO_COMMIT | DB_THREAD | flags, 0600),
          name);
    return out;
}

static void close_env(void)
{
    check(env->txn_checkpoint(env, 0, 0, DB_FORCE), "checkpoint");
    check(env->close(env, 0), "close");
}

/* ---- Commits */

/* Keys in no order, as identifiers are. */
static int put(DB_TXN *txn, uint64_t number)
{
    uint64_t key[2] = {(number + 1) * 0x9e3779b97f4a7c15u, number};
    uint8_t record[RECORD];
    DBT k = {.data = key, .size = sizeof key}, r = {.data = record, .size = sizeof record};

    key[0] ^= key[0] >> 29;
    memset(record, (int)(number & 0xff), sizeof record);
    return db->put(db, txn, &k, &r, 0);
}

static void commit_once(void)
{
    uint64_t number = atomic_fetch_add(&serial, puts_a_commit);
    DB_TXN *txn;
    int ret;

    do {
        check(env->txn_begin(env, NULL, &txn, 0), "begin");
        ret = 0;
        for (unsigned i = 0; i < puts_a_commit && ret == 0; i++) {
            ret = put(txn, number + i);
        }
        if (ret == DB_LOCK_DEADLOCK) {
            check(txn->abort(txn), "abort");
        } else {
            check(ret, "put");
        }
    } while (ret != 0);
    check(txn->commit(txn, DB_TXN_SYNC), "commit");
}

static void *commit_all(void *arg)
{
    uint64_t *commits = arg;

    while (!atomic_load(&stop)) {
        commit_once();
        ++*commits;
    }
    return NULL;
}

static void run_commits(const struct ceiling_options *options)
{
    pthread_t thread[64];
    uint64_t commits[64] = {0}, sum = 0, begin = bench_now();
    double took;

    for (unsigned i = 0; i < options->threads; i++) {
        bench_need(pthread_create(&thread[i], NULL, commit_all, &commits[i]) == 0, "thread");
    }
    usleep((useconds_t)(options->seconds * 1e6));
    atomic_store(&stop, true);
    for (unsigned i = 0; i < options->threads; i++) {
        pthread_join(thread[i], NULL);
        sum += commits[i];
    }
    took = (double)(bench_now() - begin) / 1e9;
    printf("{\"bench\":\"ceiling\",\"what\":\"commit\",\"threads\":%u,\"puts\":%u,\"commits_per_"
           "s\":%.1f,\"puts_per_s\":%.1f}\n",
           options->threads, options->puts, (double)sum / took, (double)sum * options->puts / took);
}

/* Everything in the folder, and the folder. It is our own and has no folders in it. */
static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            bench_need(unlinkat(dirfd(folder), entry->d_name, 0) == 0, entry->d_name);
        }
    }
    if (folder) {
        closedir(folder);
    }
    bench_need(rmdir(path) == 0, path);
}

void ceiling_commit(const struct ceiling_options *options)
{
    char home[4096];
    int n = snprintf(home, sizeof home, "%s/commits.XXXXXX", options->folder);

    bench_need(n > 0 && (size_t)n < sizeof home && mkdtemp(home), options->folder);
    puts_a_commit = options->puts;
    open_env(home, COMMIT_CACHE_MEGABYTES);
    db = open_db("commits.db", DB_CREATE);
    run_commits(options);
    check(db->close(db, 0), "close");
    close_env();
    remove_folder(home);
}

/* ---- Open */

static bool is_database(const char *name)
{
    size_t n = strlen(name);

    return n > 3 && strcmp(name + n - 3, ".db") == 0;
}

void ceiling_open(const struct ceiling_options *options)
{
    DIR *folder = opendir(options->folder);
    DB *open[DATABASES_MAX];
    uint64_t begin, env_ns, all_ns;
    size_t n = 0;

    bench_need(folder != NULL, options->folder);
    begin = bench_now();
    open_env(options->folder, options->cache_megabytes);
    env_ns = bench_now() - begin;
    for (struct dirent *entry; n < DATABASES_MAX && (entry = readdir(folder));) {
        if (is_database(entry->d_name)) {
            open[n++] = open_db(entry->d_name, 0);
        }
    }
    all_ns = bench_now() - begin;
    closedir(folder);
    printf("{\"bench\":\"ceiling\",\"what\":\"open\",\"databases\":%zu,\"environment_ms\":%.1f,"
           "\"ms\":%.1f}\n",
           n, (double)env_ns / 1e6, (double)all_ns / 1e6);
    while (n > 0) {
        n--;
        check(open[n]->close(open[n], 0), "close");
    }
    close_env();
}
