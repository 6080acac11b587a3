/* Long scans read many pages in one call, and are none the less as exact as if each page were read when it is needed. */
#include "store/store_help.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RECORDS 4000
#define PAGE 4096
#define LENGTH 900 /* four pairs fill a page */

#define RUN 32  /* records: half of what is read in one call */
#define AMID 65 /* the first record that comes with many others */

/* Not static: clang takes pread for an inline function, as the header declares it. */
atomic_uint calls, pages;

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    const ssize_t got = syscall(SYS_pread64, fd, p, n, at);

    atomic_fetch_add(&calls, 1);
    atomic_fetch_add(&pages, got > 0 ? (unsigned)(got / PAGE) : 0);
    return got;
}

static char newest[RECORDS]; /* what each record of the table filled last is made of */

/* Records of every other run of so many, from one on; 0: all. */
static void put(struct st_store *store, enum st_table table, size_t run, size_t from, char with)
{
    struct st_change *change = NULL;
    static char record[LENGTH];
    char key[16];

    memset(record, with, sizeof record);
    REQUIRE_OK(st_change_open(store, &change));
    for (size_t i = 0; i < RECORDS; i++) {
        if (run && (i + from) / run % 2 == 0) {
            continue;
        }
        snprintf(key, sizeof key, "%08zu", i);
        REQUIRE_OK(st_put(change, table, S(key), KLM_SLICE(record, sizeof record)));
        newest[i] = with;
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static struct st_store *filled(const char *name)
{
    struct st_options o = help_options(test_path(name));
    struct st_store *store = NULL;

    o.cache_bytes = 1; /* the least there is */
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    put(store, ST_DRIVE, 0, 0, 'o');
    put(store, ST_GROUP, 0, 0, 'r');
    st_close(&store);
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    return store;
}

struct seen {
    struct st_store
        *store; /* whose pages are written and leave the cache meanwhile; NULL: nothing is done */
    size_t n, wrong;
    char want; /* in all; 0: what was written last */
};

static klm_rc visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged);

static void scan(struct st_store *store, enum st_table table, struct seen *seen)
{
    struct st_view *view = NULL;

    REQUIRE_OK(st_view_open(store, &view));
    CHECK_RC(st_scan(view, table, NULL, visit, seen), KLM_OK);
    st_view_close(&view);
    CHECK_INT(seen->n, RECORDS);
    CHECK_INT(seen->wrong, 0);
}

static void write_and_forget(struct st_store *store)
{
    REQUIRE_OK(st_checkpoint(store, 0, 0));
    for (int i = 0; i < 3; i++) {
        struct seen others = {.want = 'o'};
        scan(store, ST_DRIVE, &others);
    }
}

static klm_rc visit(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct seen *seen = arg;
    const char want = seen->want ? seen->want : newest[seen->n % RECORDS];

    (void)key;
    seen->wrong += damaged || record.n != LENGTH || (char)record.p[LENGTH - 1] != want;
    if (++seen->n == AMID && seen->store) {
        write_and_forget(seen->store);
    }
    return seen->n > RECORDS ? KLM_E_CORRUPT : KLM_OK;
}

TEST(a_long_scan_reads_many_pages_in_a_call)
{
    struct st_store *store = filled("many");
    struct seen seen = {.want = 'r'};

    calls = pages = 0;
    scan(store, ST_GROUP, &seen);
    CHECK(pages > RECORDS / 5);
    CHECK(calls < pages / 8);
    st_close(&store);
}

/* Pages that were committed are in the cache alone when the scan reads what is around them in their file; when it comes to them they are in the file alone. */
TEST(pages_written_while_a_scan_is_under_way_are_read_again)
{
    for (size_t from = 0; from < 2 * RUN; from += RUN / 4) {
        const char name[] = {'m', (char)('a' + from / (RUN / 4)), '\0'};
        struct st_store *store = filled(name);
        struct seen seen = {.store = store};

        put(store, ST_GROUP, RUN, from, 'n');
        scan(store, ST_GROUP, &seen);
        st_close(&store);
    }
}
