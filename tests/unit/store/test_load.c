/* Filling a new store: what comes out, what is refused, what a store that was not filled to its end is. */
#include "store/store_help.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static klm_rc put(struct st_load *load, enum st_table table, const char *key, const char *record)
{
    return st_load_put(load, table, S(key), S(record));
}

static struct st_store *open_with(const char *home, const uint8_t *id, uint64_t number)
{
    struct st_options o = help_options(home);
    struct st_store *store = NULL;

    o.id = id;
    o.number = number;
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    return store;
}

TEST(what_was_loaded_is_there_with_its_id_and_number_also_after_opening_again)
{
    static const uint8_t id[16] = "id of the store";
    const char *home = test_path("loaded");
    struct st_store *store = open_with(home, id, 41);
    struct st_load *load = NULL;
    uint64_t records = 0;
    uint8_t got[16];

    REQUIRE_OK(st_load_open(store, &load));
    CHECK_RC(put(load, ST_META, "a fact", "1"), KLM_OK);
    CHECK_RC(put(load, ST_USAGE, "a", "one"), KLM_OK);
    CHECK_RC(put(load, ST_USAGE, "b", "two"), KLM_OK);
    CHECK_RC(put(load, ST_TOKEN, "a", "three"), KLM_OK);
    REQUIRE_OK(st_load_end(&load, NULL));
    CHECK(load == NULL);
    CHECK_INT(st_number(store), 42);
    CHECK_STR(help_get(store, ST_USAGE, "b"), "two");
    CHECK_RC(st_load_open(store, &load), KLM_E_STATE); /* not a new store any more */
    st_close(&store);

    store = help_open(home);
    CHECK_INT(st_number(store), 42);
    CHECK_STR(help_get(store, ST_USAGE, "a"), "one");
    CHECK_STR(help_get(store, ST_TOKEN, "a"), "three");
    CHECK_STR(help_get(store, ST_META, "a fact"), "1");
    st_id(store, got);
    CHECK_MEM(got, id, sizeof id);
    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
    CHECK(records >= 5);
    CHECK_RC(help_put(store, ST_USAGE, "c", "four"), KLM_OK);
    CHECK_INT(st_number(store), 43);
    st_close(&store);
}

TEST(records_out_of_order_twice_or_of_the_store_itself_are_refused)
{
    struct st_store *store = open_with(test_path("order"), NULL, 0);
    struct st_load *load = NULL;
    static char longest[ST_KEY_MAX + 1];

    memset(longest, 'k', sizeof longest);
    REQUIRE_OK(st_load_open(store, &load));
    CHECK_RC(put(load, ST_CERT, "b", "1"), KLM_OK);
    CHECK_RC(put(load, ST_CERT, "b", "1"), KLM_E_INVALID);
    CHECK_RC(put(load, ST_CERT, "a", "1"), KLM_E_INVALID);
    CHECK_RC(put(load, ST_RING, "a", "1"), KLM_OK);
    CHECK_RC(put(load, ST_CERT, "c", "1"), KLM_E_INVALID); /* its table is closed */
    CHECK_RC(put(load, ST_META, "change.number", "12345678"), KLM_E_INVALID);
    CHECK_RC(put(load, ST_META, "table.cert", ""), KLM_E_INVALID);
    CHECK_RC(put(load, ST_RING, "", "1"), KLM_E_INVALID);
    CHECK_RC(st_load_put(load, ST_RING, KLM_SLICE(longest, sizeof longest), S("1")), KLM_E_LIMIT);
    st_load_drop(&load);
    st_close(&store);
}

TEST(one_loads_at_a_time_and_no_change_goes_beside_it)
{
    struct st_store *store = open_with(test_path("alone"), NULL, 0);
    struct st_load *load = NULL, *second = NULL;
    struct st_change *change = NULL;

    REQUIRE_OK(st_load_open(store, &load));
    CHECK_RC(st_load_open(store, &second), KLM_E_BUSY);
    CHECK_RC(st_change_open(store, &change), KLM_E_BUSY);
    st_load_drop(&load);
    REQUIRE_OK(st_change_open(store, &change));
    st_change_drop(&change);
    st_close(&store);
}

TEST(many_records_pass_through_several_transactions)
{
    struct st_store *store = open_with(test_path("many"), NULL, 0);
    struct st_load *load = NULL;
    static char record[3000];
    char key[16];
    uint64_t records = 0;

    memset(record, 'r', sizeof record);
    REQUIRE_OK(st_load_open(store, &load));
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "%08d", i);
        REQUIRE_OK(
            st_load_put(load, ST_USAGE, S(key), KLM_SLICE(record, (size_t)i % sizeof record)));
    }
    REQUIRE_OK(st_load_end(&load, NULL));
    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
    CHECK(records > 10000);
    CHECK_STR(help_get(store, ST_USAGE, "00000003"), "rrr");
    st_close(&store);
}

/* Without transactions and log; what comes out is a store like any other. */
TEST(a_store_that_was_filled_opens_with_a_log_and_goes_on)
{
    const char *home = test_path("filled");
    struct st_options o = help_options(home);
    struct st_store *store = NULL;
    struct st_load *load = NULL;
    uint64_t records = 0;
    int status = -1;
    char key[16];

    o.filling = true;
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    REQUIRE_OK(st_load_open(store, &load));
    for (int i = 0; i < 50000; i++) {
        snprintf(key, sizeof key, "%08d", i);
        REQUIRE_OK(put(load, ST_USAGE, key, "a record"));
    }
    REQUIRE_OK(st_load_end(&load, NULL));
    CHECK_RC(help_put(store, ST_META, "mark", "set"),
             KLM_OK); /* a change, as a restore makes one */
    REQUIRE_OK(st_checkpoint(store, 0, 0));
    st_close(&store);
    if (fork() == 0) { /* a change, and then a crash: recovery meets pages that no log knows */
        store = help_open(home);
        _exit(help_put(store, ST_USAGE, "00000200x", "before the crash") != KLM_OK);
    }
    REQUIRE(wait(&status) > 0 && status == 0);
    for (int again = 1; again < 3; again++) {
        store = help_open(home);
        CHECK_STR(help_get(store, ST_USAGE, "00000200x"), "before the crash");
        CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
        CHECK(records > 50000);
        CHECK_STR(help_get(store, ST_USAGE, "00049999"), "a record");
        CHECK_STR(help_get(store, ST_META, "mark"), "set");
        CHECK_INT(st_number(store), 2 + again);
        CHECK_RC(help_put(store, ST_USAGE, "00000100x", "between"),
                 KLM_OK); /* splits a full page */
        st_close(&store);
    }
}

TEST(a_change_tells_which_tables_it_touches)
{
    struct st_store *store = open_with(test_path("touch"), NULL, 0);
    struct st_change *change = NULL;
    size_t mark;

    REQUIRE_OK(st_change_open(store, &change));
    CHECK(!st_change_touches(change, ST_CERT));
    mark = st_change_mark(change);
    REQUIRE_OK(st_put(change, ST_CERT, S("a"), S("1")));
    CHECK(st_change_touches(change, ST_CERT));
    CHECK(!st_change_touches(change, ST_RING));
    st_change_undo(change, mark);
    CHECK(!st_change_touches(change, ST_CERT));
    REQUIRE_OK(st_delete(change, ST_CERT, S("b")));
    CHECK(st_change_touches(change, ST_CERT));
    st_change_drop(&change);
    st_close(&store);
}

static struct st_store *open_filling(const char *home)
{
    struct st_options o = help_options(home);
    struct st_store *store = NULL;

    o.filling = true;
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    return store;
}

/* Records of every length, the longest among short ones, so that calls of Berkeley DB end before each. */
TEST(a_store_that_is_filled_takes_records_of_every_length)
{
    const char *home = test_path("lengths");
    struct st_store *store = open_filling(home);
    struct st_load *load = NULL;
    static uint8_t record[ST_RECORD_MAX];
    uint64_t records = 0;
    char key[16];

    memset(record, 'r', sizeof record);
    REQUIRE_OK(st_load_open(store, &load));
    for (size_t i = 0; i < 3000; i++) {
        snprintf(key, sizeof key, "%08zu", i);
        REQUIRE_OK(st_load_put(load, ST_USAGE, S(key),
                               KLM_SLICE(record, i % 50 == 49 ? sizeof record - i : i)));
    }
    REQUIRE_OK(st_load_end(&load, NULL));
    st_close(&store);
    store = help_open(home);
    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
    CHECK(records > 3000);
    CHECK_INT(strlen(help_get(store, ST_USAGE, "00000300")), 300);
    st_close(&store);
}

TEST(a_store_that_was_filled_has_full_pages_and_is_verified_from_its_files_before_it_serves)
{
    const char *home = test_path("verified");
    struct st_store *store = open_filling(home);
    struct st_load *load = NULL;
    static uint8_t record[100]; /* 29 pairs fill a page; Berkeley DB takes one along to the next */
    uint64_t records = 0;
    struct stat st;
    char key[16], path[4200];
    int fd;

    memset(record, 'r', sizeof record);
    REQUIRE_OK(st_load_open(store, &load));
    for (int i = 0; i < 28000; i++) {
        snprintf(key, sizeof key, "%08d", i);
        REQUIRE_OK(st_load_put(load, ST_GROUP, S(key), KLM_SLICE(record, sizeof record)));
    }
    REQUIRE_OK(st_load_end(&load, NULL));
    st_close(&store);
    snprintf(path, sizeof path, "%s/group.db", home);
    REQUIRE(stat(path, &st) == 0);
    CHECK(st.st_size / 4096 < 28000 / 28 + 40);

    store = open_filling(home);
    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_OK);
    CHECK(records > 28000);
    st_close(&store);

    fd = open(path, O_RDWR | O_CLOEXEC);
    REQUIRE(fd >= 0 && pwrite(fd, "X", 1, 500 * 4096 + 4000) == 1);
    close(fd);
    store = open_filling(home);
    CHECK_RC(st_verify(store, NULL, NULL, &records), KLM_E_CORRUPT);
    st_close(&store);
}
