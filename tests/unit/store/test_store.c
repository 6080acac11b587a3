/* What every driver of the store must do: each test runs against the memory and the Berkeley DB
 * driver. */
#include "store_help.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

/* A store of each kind in turn, in a folder of its own. */
static struct st_store *fresh(unsigned driver)
{
    static unsigned count;
    struct st_store *store = NULL;
    char name[32];

    snprintf(name, sizeof name, "conformance%u", count++);
    if (driver) {
        return help_open(test_path(name));
    }
    struct st_options o = help_options("");
    REQUIRE_OK(st_open_memory(&o, &store));
    return store;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): it declares the variable that it names */
#define BOTH(store)                                                                                \
    for (unsigned driver_ = 0; driver_ < 2; driver_++)                                             \
        for (struct st_store *store = fresh(driver_); store; st_close(&store))
/* NOLINTEND(bugprone-macro-parentheses) */

static struct st_change *begin(struct st_store *store)
{
    struct st_change *change = NULL;

    REQUIRE_OK(st_change_open(store, &change));
    return change;
}

TEST(a_committed_record_is_found_and_an_uncommitted_one_is_not)
{
    BOTH(store)
    {
        struct st_change *c = begin(store);
        REQUIRE_OK(st_put(c, ST_DRIVE, S("a"), S("1")));
        CHECK_STR(help_get(store, ST_DRIVE, "a"), "-");
        CHECK_STR(help_see(st_change_view(c), ST_DRIVE, "a"), "1");
        CHECK_RC(st_change_commit(&c, NULL), KLM_OK);
        CHECK(c == NULL);
        CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
        CHECK_STR(help_get(store, ST_GROUP, "a"), "-");
    }
}

TEST(a_dropped_change_leaves_nothing_and_lets_the_next_one_begin)
{
    BOTH(store)
    {
        struct st_change *c = begin(store), *second = NULL;
        REQUIRE_OK(st_put(c, ST_DRIVE, S("a"), S("1")));
        CHECK_RC(st_change_open(store, &second), KLM_E_BUSY);
        CHECK(second == NULL);
        st_change_drop(&c);
        CHECK(c == NULL);
        CHECK_STR(help_get(store, ST_DRIVE, "a"), "-");
        CHECK_INT(st_number(store), 0);
        c = begin(store);
        st_change_drop(&c);
    }
}

TEST(the_number_counts_changes_that_wrote_and_views_know_theirs)
{
    BOTH(store)
    {
        struct st_view *view = NULL;
        CHECK_INT(st_number(store), 0);
        CHECK_RC(help_put(store, ST_DRIVE, "a", "1"), KLM_OK);
        REQUIRE_OK(st_view_open(store, &view));
        CHECK_RC(help_put(store, ST_DRIVE, "a", "2"), KLM_OK);
        struct st_change *c = begin(store);
        CHECK_RC(st_change_commit(&c, NULL), KLM_OK);
        CHECK_INT(st_number(store), 2);
        CHECK_INT(st_view_number(view), 1);
        CHECK_STR(help_see(view, ST_DRIVE, "a"), "1");
        st_view_close(&view);
        CHECK(view == NULL);
        REQUIRE_OK(st_view_open(store, &view));
        CHECK_INT(st_view_number(view), 2);
        st_view_close(&view);
        st_view_close(&view);
    }
}

TEST(a_lazy_commit_is_visible_and_counted)
{
    BOTH(store)
    {
        struct st_change *c = begin(store);
        REQUIRE_OK(st_put(c, ST_DRIVE, S("a"), S("1")));
        CHECK_RC(st_change_commit_lazy(&c, NULL), KLM_OK);
        CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
        CHECK_INT(st_number(store), 1);
    }
}

TEST(undoing_to_a_mark_takes_back_that_step_alone)
{
    BOTH(store)
    {
        CHECK_RC(help_put(store, ST_DRIVE, "old", "1"), KLM_OK);
        struct st_change *c = begin(store);
        size_t start = st_change_mark(c);
        REQUIRE_OK(st_put(c, ST_DRIVE, S("first"), S("1")));
        size_t mark = st_change_mark(c);
        REQUIRE_OK(st_put(c, ST_DRIVE, S("first"), S("2")));
        REQUIRE_OK(st_put(c, ST_DRIVE, S("second"), S("2")));
        REQUIRE_OK(st_delete(c, ST_DRIVE, S("old")));
        CHECK_INT(st_change_size(c), 3);
        CHECK_STR(help_see(st_change_view(c), ST_DRIVE, "old"), "-");
        st_change_undo(c, mark);
        CHECK_INT(st_change_size(c), 1);
        CHECK_STR(help_scan(st_change_view(c), ST_DRIVE, (struct st_range){0}), "first=1 old=1");
        REQUIRE_OK(st_put(c, ST_DRIVE, S("second"), S("3")));
        CHECK_RC(st_change_commit(&c, NULL), KLM_OK);
        CHECK_STR(help_get(store, ST_DRIVE, "first"), "1");
        CHECK_STR(help_get(store, ST_DRIVE, "second"), "3");
        CHECK_STR(help_get(store, ST_DRIVE, "old"), "1");
        c = begin(store);
        REQUIRE_OK(st_delete(c, ST_DRIVE, S("old")));
        st_change_undo(c, start);
        CHECK_INT(st_change_size(c), 0);
        CHECK_RC(st_change_commit(&c, NULL), KLM_OK);
        CHECK_INT(st_number(store), 2);
    }
}

TEST(deleting_twice_or_what_never_was_is_fine)
{
    BOTH(store)
    {
        CHECK_RC(help_put(store, ST_CERT, "a", "1"), KLM_OK);
        struct st_change *c = begin(store);
        CHECK_RC(st_delete(c, ST_CERT, S("a")), KLM_OK);
        CHECK_RC(st_delete(c, ST_CERT, S("a")), KLM_OK);
        CHECK_RC(st_delete(c, ST_CERT, S("never")), KLM_OK);
        CHECK_RC(st_change_commit(&c, NULL), KLM_OK);
        CHECK_STR(help_get(store, ST_CERT, "a"), "-");
        CHECK_RC(help_put(store, ST_CERT, "a", "2"), KLM_OK);
        CHECK_STR(help_get(store, ST_CERT, "a"), "2");
    }
}

static void fill(struct st_store *store)
{
    static const char *const keys[] = {"a",  "ab",   "abc",      "ac",       "b",
                                       "ba", "\xff", "\xff\xff", "\377\377a"};
    struct st_change *c = begin(store);

    for (size_t i = 0; i < KLM_COUNT(keys); i++) {
        REQUIRE_OK(st_put(c, ST_RING, S(keys[i]), S("")));
    }
    REQUIRE_OK(st_put(c, ST_CERT, S("zz"), S("")));
    REQUIRE_OK(st_put(c, ST_DRIVE, S("00"), S("")));
    REQUIRE_OK(st_change_commit(&c, NULL));
}

/* A scan, which has to be the same when another thread reads ahead. */
static const char *scan_both(struct st_view *v, struct st_range range)
{
    static char text[4000];

    snprintf(text, sizeof text, "%s", help_scan(v, ST_RING, range));
    range.ahead = true;
    CHECK_STR(help_scan(v, ST_RING, range), text);
    return text;
}

TEST(scans_go_both_ways_within_prefix_after_and_limit)
{
    BOTH(store)
    {
        struct st_view *v = NULL;
        fill(store);
        REQUIRE_OK(st_view_open(store, &v));
#define SCAN(...) scan_both(v, (struct st_range){__VA_ARGS__})
        CHECK_STR(SCAN(.limit = 0), "a= ab= abc= ac= b= ba= \xff= \xff\xff= \377\377a=");
        CHECK_STR(SCAN(.reverse = true), "\377\377a= \xff\xff= \xff= ba= b= ac= abc= ab= a=");
        CHECK_STR(SCAN(.prefix = S("ab")), "ab= abc=");
        CHECK_STR(SCAN(.prefix = S("ab"), .reverse = true), "abc= ab=");
        CHECK_STR(SCAN(.prefix = S("\xff")), "\xff= \xff\xff= \377\377a=");
        CHECK_STR(SCAN(.prefix = S("\xff\xff"), .reverse = true), "\377\377a= \xff\xff=");
        CHECK_STR(SCAN(.after = S("abc")), "ac= b= ba= \xff= \xff\xff= \377\377a=");
        CHECK_STR(SCAN(.after = S("abb"), .limit = 2), "abc= ac=");
        CHECK_STR(SCAN(.after = S("abc"), .reverse = true), "ab= a=");
        CHECK_STR(SCAN(.prefix = S("a"), .after = S("ab")), "abc= ac=");
        CHECK_STR(SCAN(.prefix = S("a"), .after = S("ab"), .reverse = true), "a=");
        CHECK_STR(SCAN(.prefix = S("b"), .after = S("a")), "b= ba=");
        CHECK_STR(SCAN(.prefix = S("a"), .after = S("b")), "");
        CHECK_STR(SCAN(.prefix = S("a"), .after = S("zz"), .reverse = true), "ac= abc= ab= a=");
        CHECK_STR(SCAN(.prefix = S("b"), .after = S("a"), .reverse = true), "");
        CHECK_STR(SCAN(.prefix = S("nothing")), "");
        CHECK_STR(SCAN(.limit = 1), "a=");
        CHECK_STR(SCAN(.limit = 1, .reverse = true), "\377\377a=");
        CHECK_STR(help_scan(v, ST_TOKEN, (struct st_range){0}), "");
        st_view_close(&v);
    }
}

TEST(a_scan_inside_a_change_merges_what_it_wrote)
{
    BOTH(store)
    {
        fill(store);
        struct st_change *c = begin(store);
        struct st_view *v = st_change_view(c);
        REQUIRE_OK(st_put(c, ST_RING, S("A"), S("new")));
        REQUIRE_OK(st_put(c, ST_RING, S("abb"), S("new")));
        REQUIRE_OK(st_put(c, ST_RING, S("b"), S("over")));
        REQUIRE_OK(st_put(c, ST_RING, S("z"), S("new")));
        REQUIRE_OK(st_delete(c, ST_RING, S("ab")));
        REQUIRE_OK(st_delete(c, ST_RING, S("ba")));
        REQUIRE_OK(st_put(c, ST_DRIVE, S("abb"), S("other table")));
        CHECK_STR(SCAN(.limit = 7), "A=new a= abb=new abc= ac= b=over z=new");
        CHECK_STR(SCAN(.after = S("\xff"), .reverse = true),
                  "z=new b=over ac= abc= abb=new a= A=new");
        CHECK_STR(SCAN(.prefix = S("ab")), "abb=new abc=");
        CHECK_STR(SCAN(.prefix = S("ab"), .reverse = true), "abc= abb=new");
        CHECK_STR(SCAN(.after = S("abb"), .limit = 3), "abc= ac= b=over");
        CHECK_STR(SCAN(.prefix = S("b"), .reverse = true), "b=over");
        CHECK_STR(SCAN(.limit = 1), "A=new");
        CHECK_STR(SCAN(.prefix = S("z")), "z=new");
        st_change_drop(&c);
    }
}

static klm_rc delete_visited(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)record;
    (void)damaged;
    return st_delete(arg, ST_RING, key);
}

TEST(a_visitor_may_write_to_the_change_it_scans)
{
    BOTH(store)
    {
        fill(store);
        struct st_change *c = begin(store);
        REQUIRE_OK(st_put(c, ST_RING, S("abb"), S("new")));
        CHECK_RC(st_scan(st_change_view(c), ST_RING, &(struct st_range){.prefix = S("a")},
                         delete_visited, c),
                 KLM_OK);
        CHECK_STR(help_scan(st_change_view(c), ST_RING, (struct st_range){.limit = 2}), "b= ba=");
        REQUIRE_OK(st_change_commit(&c, NULL));
        CHECK_STR(help_get(store, ST_RING, "abb"), "-");
        CHECK_STR(help_get(store, ST_RING, "ba"), "");
    }
}

static klm_rc stop_at_once(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key;
    (void)record;
    (void)damaged;
    ++*(int *)arg;
    return KLM_E_DENIED;
}

TEST(what_a_visitor_returns_ends_the_scan)
{
    BOTH(store)
    {
        struct st_view *v = NULL;
        int seen = 0;
        fill(store);
        REQUIRE_OK(st_view_open(store, &v));
        CHECK_RC(st_scan(v, ST_RING, NULL, stop_at_once, &seen), KLM_E_DENIED);
        CHECK_INT(seen, 1);
        CHECK_RC(st_scan(v, ST_RING, &(struct st_range){.ahead = true}, stop_at_once, &seen),
                 KLM_E_DENIED);
        CHECK_INT(seen, 2);
        st_view_close(&v);
    }
}

struct ordered {
    int n, stop;
};

static klm_rc in_order(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct ordered *o = arg;
    char want[16];

    snprintf(want, sizeof want, "%08d", o->n++);
    REQUIRE(!damaged && klm_slice_equal(key, S(want)) && record.n == 1000 && record.p[999] == 'r');
    return o->n == o->stop ? KLM_E_DENIED : KLM_OK;
}

/* More than all batches hold, so that both threads wait for each other. */
TEST(a_long_scan_that_reads_ahead_visits_all_in_order_and_can_be_ended)
{
    static char record[1000];
    struct st_store *store = help_open(test_path("long"));
    struct st_change *c = begin(store);
    struct ordered all = {.stop = -1}, some = {.stop = 4000};
    struct st_view *v = NULL;
    char key[16];

    memset(record, 'r', sizeof record);
    for (int i = 0; i < 9000; i++) {
        snprintf(key, sizeof key, "%08d", i);
        REQUIRE_OK(st_put(c, ST_RING, S(key), KLM_SLICE(record, sizeof record)));
    }
    REQUIRE_OK(st_change_commit(&c, NULL));
    REQUIRE_OK(st_view_open(store, &v));
    CHECK_RC(st_scan(v, ST_RING, &(struct st_range){.ahead = true}, in_order, &all), KLM_OK);
    CHECK_INT(all.n, 9000);
    CHECK_RC(st_scan(v, ST_RING, &(struct st_range){.ahead = true}, in_order, &some), KLM_E_DENIED);
    CHECK_INT(some.n, 4000);
    st_view_close(&v);
    st_close(&store);
}

TEST(limits_hold_at_the_last_byte)
{
    static uint8_t big[ST_RECORD_MAX + 1];
    struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(0, &pool));
    memset(big, 'x', sizeof big);
    BOTH(store)
    {
        struct klm_slice got = {NULL, 0};
        struct st_change *c = begin(store);
        CHECK_RC(st_put(c, ST_TOKEN, KLM_SLICE(big, ST_KEY_MAX), KLM_SLICE(big, ST_RECORD_MAX)),
                 KLM_OK);
        CHECK_RC(st_put(c, ST_TOKEN, KLM_SLICE(big, ST_KEY_MAX + 1), S("1")), KLM_E_LIMIT);
        CHECK_RC(st_put(c, ST_TOKEN, S("k"), KLM_SLICE(big, ST_RECORD_MAX + 1)), KLM_E_LIMIT);
        CHECK_RC(st_put(c, ST_TOKEN, S(""), S("1")), KLM_E_INVALID);
        CHECK_RC(st_put(c, ST_TABLES, S("k"), S("1")), KLM_E_INVALID);
        CHECK_RC(st_delete(c, ST_TOKEN, KLM_SLICE(big, ST_KEY_MAX + 1)), KLM_E_LIMIT);
        CHECK_RC(st_delete(c, ST_TABLES, S("k")), KLM_E_INVALID);
        CHECK_RC(st_put(c, ST_TOKEN, S("empty"), S("")), KLM_OK);
        CHECK_INT(st_change_size(c), 2);
        REQUIRE_OK(st_change_commit(&c, NULL));
        struct st_view *v = NULL;
        REQUIRE_OK(st_view_open(store, &v));
        REQUIRE_OK(st_get(v, ST_TOKEN, KLM_SLICE(big, ST_KEY_MAX), pool, &got));
        CHECK_INT(got.n, ST_RECORD_MAX);
        CHECK_MEM(got.p, big, ST_RECORD_MAX);
        CHECK_RC(st_get(v, ST_TOKEN, KLM_SLICE(big, ST_KEY_MAX + 1), pool, &got), KLM_E_LIMIT);
        CHECK_RC(st_get(v, ST_TABLES, S("k"), pool, &got), KLM_E_INVALID);
        CHECK_RC(st_scan(v, ST_TABLES, NULL, stop_at_once, NULL), KLM_E_INVALID);
        CHECK_RC(st_scan(v, ST_TOKEN, &(struct st_range){.prefix = KLM_SLICE(big, ST_KEY_MAX + 1)},
                         stop_at_once, NULL),
                 KLM_E_LIMIT);
        REQUIRE_OK(st_get(v, ST_TOKEN, S("empty"), pool, &got));
        CHECK_INT(got.n, 0);
        st_view_close(&v);
    }
    klm_pool_free(&pool);
}

TEST(the_stores_own_facts_cannot_be_written_but_the_number_can_be_read)
{
    BOTH(store)
    {
        struct st_change *c = begin(store);
        CHECK_RC(st_put(c, ST_META, S("change.number"), S("x")), KLM_E_INVALID);
        CHECK_RC(st_delete(c, ST_META, S("change.number")), KLM_E_INVALID);
        CHECK_RC(st_put(c, ST_META, S("table.drive"), S("x")), KLM_E_INVALID);
        CHECK_RC(st_put(c, ST_META, S("server.id"), S("x")), KLM_OK);
        CHECK_RC(st_put(c, ST_DRIVE, S("change.number"), S("x")), KLM_OK);
        REQUIRE_OK(st_change_commit(&c, NULL));
        struct klm_pool *pool = NULL;
        struct klm_slice number = {NULL, 0};
        struct st_view *v = NULL;
        REQUIRE_OK(klm_pool_new(0, &pool));
        REQUIRE_OK(st_view_open(store, &v));
        CHECK_RC(st_get(v, ST_META, S("change.number"), pool, &number), KLM_OK);
        CHECK_INT(number.n, 8);
        CHECK_MEM(number.p, "\0\0\0\0\0\0\0\1", 8);
        st_view_close(&v);
        klm_pool_free(&pool);
    }
}

TEST(a_read_only_store_takes_no_change)
{
    struct st_options o = help_options(test_path("readonly"));
    struct st_store *store = help_open(o.home);
    struct st_change *c = NULL;

    CHECK_RC(help_put(store, ST_DRIVE, "a", "1"), KLM_OK);
    st_close(&store);
    o.read_only = true;
    REQUIRE_OK(st_open_bdb(&o, NULL, &store));
    CHECK_RC(st_change_open(store, &c), KLM_E_DENIED);
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
    CHECK_RC(st_checkpoint(store, 0, 0), KLM_OK);
    st_close(&store);
    st_close(&store);
}

TEST(verify_counts_every_record_of_every_table)
{
    BOTH(store)
    {
        uint64_t before = 0, after = 0;
        CHECK_RC(st_verify(store, NULL, NULL, &before), KLM_OK);
        fill(store);
        CHECK_RC(st_verify(store, NULL, NULL, &after), KLM_OK);
        CHECK_INT(after - before, 12); /* 11 of fill and the number */
    }
}

/* Many keys in random order, put and deleted over many changes, against a plain array as the model.
 */
TEST(random_changes_agree_with_a_model)
{
    enum { KEYS = 200 };

    BOTH(store)
    {
        int model[KEYS] = {0};
        unsigned seed = 12345;
        for (int round = 1; round <= 100; round++) {
            struct st_change *c = begin(store);
            int was[KEYS];
            for (int i = 0; i < 30; i++) {
                char key[8], record[16];
                size_t mark = st_change_mark(c);
                int k = rand_r(&seed) % KEYS, what = rand_r(&seed) % 4;
                memcpy(was, model, sizeof was);
                snprintf(key, sizeof key, "%03d", k);
                snprintf(record, sizeof record, "%d", round * 100 + i);
                model[k] = what == 0 ? 0 : round * 100 + i;
                REQUIRE_OK(what == 0 ? st_delete(c, ST_GROUP, S(key))
                                     : st_put(c, ST_GROUP, S(key), S(record)));
                if (what == 1) {
                    st_change_undo(c, mark);
                    memcpy(model, was, sizeof was);
                }
            }
            REQUIRE_OK(st_change_commit_lazy(&c, NULL));
        }
        char want[4000] = "";
        size_t n = 0;
        for (int k = 0; k < KEYS; k++) {
            if (model[k]) {
                n += (size_t)snprintf(want + n, sizeof want - n, "%s%03d=%d", n ? " " : "", k,
                                      model[k]);
            }
        }
        struct st_view *v = NULL;
        REQUIRE_OK(st_view_open(store, &v));
        CHECK_STR(help_scan(v, ST_GROUP, (struct st_range){0}), want);
        st_view_close(&v);
    }
}

/* The writer always puts the same text under two keys of two tables; readers on other threads must
 * never see them differ, and must see the state of the number that their view tells. */
struct race {
    struct st_store *store;
    atomic_bool stop;
    atomic_uint views, torn;
};

static void *race_read(void *arg)
{
    struct race *r = arg;

    while (!atomic_load(&r->stop)) {
        struct st_view *v = NULL;
        char first[400], number[40];
        if (st_view_open(r->store, &v) != KLM_OK) {
            atomic_fetch_add(&r->torn, 1);
            break;
        }
        snprintf(number, sizeof number, "%llu", (unsigned long long)st_view_number(v));
        snprintf(first, sizeof first, "%s", help_see(v, ST_DRIVE, "same"));
        (void)sched_yield();
        const char *other = help_scan(v, ST_GROUP, (struct st_range){0});
        if (strcmp(first, number) != 0 || strncmp(other, "same=", 5) != 0 ||
            strcmp(other + 5, first) != 0) {
            atomic_fetch_add(&r->torn, 1);
        }
        st_view_close(&v);
        atomic_fetch_add(&r->views, 1);
    }
    return NULL;
}

TEST(views_on_another_thread_see_whole_changes_and_never_wait_for_the_writer)
{
    BOTH(store)
    {
        struct race r = {.store = store};
        pthread_t thread;
        REQUIRE_OK(help_put(store, ST_TOKEN, "x", "x"));
        struct st_view *old = NULL;
        for (unsigned i = 2; i < 500 || atomic_load(&r.views) < 500; i++) {
            struct st_change *c = begin(store);
            char text[16];
            snprintf(text, sizeof text, "%u", i);
            REQUIRE_OK(st_put(c, ST_GROUP, S("same"), S(text)));
            REQUIRE_OK(st_put(c, ST_DRIVE, S("same"), S(text)));
            REQUIRE_OK(st_change_commit(&c, NULL));
            if (i > 500) {
                usleep(100);
            }
            if (i == 2) {
                REQUIRE_OK(st_view_open(store, &old));
                REQUIRE(pthread_create(&thread, NULL, race_read, &r) == 0);
            }
        }
        atomic_store(&r.stop, true);
        pthread_join(thread, NULL);
        CHECK_INT(atomic_load(&r.torn), 0);
        CHECK(atomic_load(&r.views) >= 500);
        CHECK_STR(help_see(old, ST_DRIVE, "same"), "2");
        CHECK_INT(st_view_number(old), 2);
        st_view_close(&old);
    }
}

/* What a view sees that opens while a commit is on its way: the store as it was before. */
struct midway {
    struct st_store *store;
    char a[400], b[400], c[400];
};

static void look_midway(void *arg, enum st_table table, struct klm_slice key, uint64_t number)
{
    struct midway *m = arg;

    (void)table, (void)key, (void)number;
    snprintf(m->a, sizeof m->a, "%s", help_get(m->store, ST_TOKEN, "a"));
    snprintf(m->b, sizeof m->b, "%s", help_get(m->store, ST_TOKEN, "b"));
    snprintf(m->c, sizeof m->c, "%s", help_get(m->store, ST_TOKEN, "c"));
}

TEST(a_new_key_is_hidden_like_any_other_while_its_commit_is_on_the_way)
{
    BOTH(store)
    {
        struct midway m = {.store = store};
        struct st_change *c = NULL;

        REQUIRE_OK(help_put(store, ST_TOKEN, "a", "old"));
        st_watch(store, look_midway, &m);
        REQUIRE_OK(st_change_open(store, &c));
        REQUIRE_OK(st_delete(c, ST_TOKEN, S("a")));
        REQUIRE_OK(
            st_put_new(c, ST_TOKEN, S("a"), S("new"))); /* not there as this change sees it */
        REQUIRE_OK(st_put_new(c, ST_TOKEN, S("b"), S("1")));
        REQUIRE_OK(st_put(c, ST_TOKEN, S("b"), S("2")));
        size_t mark = st_change_mark(c);
        REQUIRE_OK(st_put_new(c, ST_TOKEN, S("c"), S("x")));
        CHECK_STR(help_see(st_change_view(c), ST_TOKEN, "c"), "x");
        st_change_undo(c, mark);
        CHECK_STR(help_see(st_change_view(c), ST_TOKEN, "c"), "-");
        REQUIRE_OK(st_change_commit(&c, NULL));
        st_watch(store, NULL, NULL);
        CHECK_STR(m.a, "old");
        CHECK_STR(m.b, "-");
        CHECK_STR(m.c, "-");
        CHECK_STR(help_get(store, ST_TOKEN, "a"), "new");
        CHECK_STR(help_get(store, ST_TOKEN, "b"), "2");
        CHECK_STR(help_get(store, ST_TOKEN, "c"), "-");
    }
}
