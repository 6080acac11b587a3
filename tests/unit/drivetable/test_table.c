/* The table in memory and the contacts. */
#include "dt_help.h"

#include <pthread.h>
#include <stdatomic.h>

static struct dt_table *load(struct st_store *store)
{
    struct st_view *view = help_view(store);
    struct dt_table *table = NULL;

    REQUIRE_OK(dt_table_load(view, NULL, &table));
    st_view_close(&view);
    return table;
}

static struct dt_drive numbered(unsigned i)
{
    char serial[DT_SERIAL + 1];

    snprintf(serial, sizeof serial, "%012u", i);
    return help_drive(serial);
}

static void fill(struct st_store *store, unsigned from, unsigned n)
{
    struct st_change *c = help_begin(store);

    for (unsigned i = from; i < from + n; i++) {
        struct dt_drive d = numbered(i);

        REQUIRE_OK(dt_add(c, &d));
    }
    REQUIRE_OK(st_change_commit(&c, NULL));
}

static bool has(const struct dt_table *table, const char *serial)
{
    const struct dt_drive *d;

    return dt_table_find(table, serial, &d) == KLM_OK && strcmp(d->serial, serial) == 0;
}

TEST(an_empty_table_finds_nothing_and_takes_a_drive)
{
    struct st_store *store = help_store();
    struct dt_table *empty = load(store), *one = NULL;
    struct dt_drive d = help_drive(SN);

    CHECK_INT(dt_table_count(empty), 0);
    CHECK(!has(empty, SN));
    REQUIRE_OK(dt_table_with(empty, &d, &one));
    CHECK(has(one, SN) && !has(empty, SN));
    CHECK_INT(dt_table_count(one), 1);
    CHECK_INT(dt_table_count(empty), 0);
    dt_table_free(&empty);
    dt_table_free(&one);
    CHECK(one == NULL);
    dt_table_free(&one);
    st_close(&store);
}

TEST(a_changed_table_leaves_the_old_one_as_it_was)
{
    struct st_store *store = help_store();
    struct dt_table *before, *after = NULL, *less = NULL, *none = NULL;
    const struct dt_drive *was, *is;
    struct dt_drive d = numbered(17);

    fill(store, 0, 2000);
    before = load(store);
    REQUIRE_OK(dt_table_find(before, d.serial, &was));
    SET(d.alias1, "changed");
    REQUIRE_OK(dt_table_with(before, &d, &after));
    REQUIRE_OK(dt_table_find(after, d.serial, &is));
    CHECK_STR(was->alias1, "Tape_Lbl_20");
    CHECK_STR(is->alias1, "changed");
    CHECK_INT(dt_table_count(after), 2000);
    REQUIRE_OK(dt_table_without(after, d.serial, &less));
    CHECK(!has(less, d.serial) && has(after, d.serial) && has(before, d.serial));
    CHECK_INT(dt_table_count(less), 1999);
    CHECK_RC(dt_table_without(less, d.serial, &none), KLM_E_NOTFOUND);
    CHECK(none == NULL);
    dt_table_free(&before);
    CHECK_STR(is->alias1, "changed");
    dt_table_free(&after);
    CHECK(has(less, "000000000016"));
    dt_table_free(&less);
    st_close(&store);
}

TEST(malformed_drives_do_not_enter_the_table)
{
    struct st_store *store = help_store();
    struct dt_table *table = load(store), *out = NULL;
    struct dt_drive d = help_drive("short");

    CHECK_RC(dt_table_with(table, &d, &out), KLM_E_INVALID);
    CHECK(out == NULL);
    dt_table_free(&table);
    st_close(&store);
}

struct order {
    char last[DT_SERIAL + 1];
    unsigned n;
    bool sorted;
};

static klm_rc in_order(void *arg, const struct dt_drive *d)
{
    struct order *o = arg;

    o->sorted = o->sorted && strcmp(o->last, d->serial) < 0;
    memcpy(o->last, d->serial, sizeof o->last);
    return ++o->n == 1500 ? KLM_E_STATE : KLM_OK;
}

TEST(a_table_is_scanned_by_serial_number)
{
    struct st_store *store = help_store();
    struct order o = {.sorted = true};
    struct dt_table *table;

    fill(store, 500, 1000);
    table = load(store);
    REQUIRE_OK(dt_table_scan(table, in_order, &o));
    CHECK(o.sorted);
    CHECK_INT(o.n, 1000);
    CHECK_RC(dt_table_scan(table, in_order, &(struct order){.n = 1499}), KLM_E_STATE);
    dt_table_free(&table);
    st_close(&store);
}

/* Random puts and removes against a plain array. */
TEST(a_long_run_of_changes_agrees_with_a_plain_list)
{
    enum { N = 300, STEPS = 20000 };
    static bool there[N];
    struct st_store *store = help_store();
    struct dt_table *table = load(store);
    size_t count = 0;
    uint32_t seed = 12345;

    for (int i = 0; i < STEPS; i++) {
        unsigned at = (seed = seed * 1664525 + 1013904223) >> 8;
        struct dt_drive d = numbered(at % N);
        bool put = (at / N) % 2;
        struct dt_table *next = NULL;

        CHECK_RC(put ? dt_table_with(table, &d, &next) : dt_table_without(table, d.serial, &next),
                 put || there[at % N] ? KLM_OK : KLM_E_NOTFOUND);
        count += put && !there[at % N];
        count -= !put && there[at % N];
        there[at % N] = put;
        if (next) {
            dt_table_free(&table);
            table = next;
        }
    }
    CHECK_INT(dt_table_count(table), count);
    for (unsigned i = 0; i < N; i++) {
        CHECK(has(table, numbered(i).serial) == there[i]);
    }
    dt_table_free(&table);
    st_close(&store);
}

/* A hundred thousand drives cost about as much as ten: the bounds are wide, for busy machines. */
TEST(a_hundred_thousand_drives_load_and_change_quickly)
{
    enum { N = 100000 };
    struct st_store *store = help_store();
    struct dt_table *table = NULL;
    struct st_view *view;
    uint64_t start, load_ns, find_ns, with_ns;
    size_t found = 0;

    fill(store, 0, N);
    view = help_view(store);
    start = test_cpu_ns();
    REQUIRE_OK(dt_table_load(view, NULL, &table));
    load_ns = test_cpu_ns() - start;
    CHECK_INT(dt_table_count(table), N);
    start = test_cpu_ns();
    for (unsigned i = 0; i < N; i++) {
        char serial[DT_SERIAL + 1];

        snprintf(serial, sizeof serial, "%012u", i * 7919u % N);
        found += has(table, serial);
    }
    find_ns = (test_cpu_ns() - start) / N;
    CHECK_INT(found, N);
    start = test_cpu_ns();
    for (unsigned i = 0; i < 1000; i++) {
        struct dt_drive d = numbered(i);
        struct dt_table *next = NULL;

        REQUIRE_OK(dt_table_with(table, &d, &next));
        dt_table_free(&table);
        table = next;
    }
    with_ns = (test_cpu_ns() - start) / 1000;
    printf("# %d drives: load %llu ms, find %llu ns, change %llu ns\n", N,
           (unsigned long long)load_ns / 1000000, (unsigned long long)find_ns,
           (unsigned long long)with_ns);
    CHECK(load_ns / 1000000 < test_ms(5000));
    CHECK(find_ns / 1000 < test_ms(20));
    CHECK(with_ns / 1000 < test_ms(500));
    st_view_close(&view);
    dt_table_free(&table);
    st_close(&store);
}

/* One thread swaps tables, others read the one they hold: for the thread sanitizer above all. */
struct shared {
    pthread_mutex_t lock; /* guards table */
    struct dt_table *table;
    atomic_bool stop;
    atomic_uint missed;
};

static struct dt_table *borrow(struct shared *s)
{
    struct dt_table *table;

    pthread_mutex_lock(&s->lock);
    table = dt_table_ref(s->table);
    pthread_mutex_unlock(&s->lock);
    return table;
}

static void *reader(void *arg)
{
    struct shared *s = arg;

    while (!atomic_load(&s->stop)) {
        struct dt_table *table = borrow(s);

        for (unsigned i = 0; i < 50; i++) {
            if (!has(table, numbered(i).serial)) {
                atomic_fetch_add(&s->missed, 1);
            }
        }
        dt_table_free(&table);
    }
    return NULL;
}

TEST(readers_keep_the_table_they_hold_while_others_come)
{
    struct st_store *store = help_store();
    struct shared s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread[2];

    fill(store, 0, 50);
    s.table = load(store);
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&thread[i], NULL, reader, &s) == 0);
    }
    for (unsigned i = 0; i < 2000; i++) {
        struct dt_drive d = numbered(i % 100);
        struct dt_table *old = s.table, *next = NULL;

        SET(d.alias1, i % 2 ? "odd" : "even");
        REQUIRE_OK(dt_table_with(old, &d, &next));
        pthread_mutex_lock(&s.lock);
        s.table = next;
        pthread_mutex_unlock(&s.lock);
        dt_table_free(&old);
    }
    atomic_store(&s.stop, true);
    for (size_t i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    CHECK_INT(atomic_load(&s.missed), 0);
    CHECK_INT(dt_table_count(s.table), 100);
    dt_table_free(&s.table);
    st_close(&store);
}

/* ---- Contacts */

static struct dt_drive get(struct st_store *store, const char *serial)
{
    struct st_view *view = help_view(store);
    struct dt_drive d = {0};

    CHECK_RC(dt_get(view, serial, &d), KLM_OK);
    st_view_close(&view);
    return d;
}

static size_t flush(struct dt_contacts *contacts, struct st_store *store, size_t max)
{
    struct st_change *c = help_begin(store);
    size_t n = 0;

    REQUIRE_OK(dt_contacts_flush(contacts, c, max, &n));
    REQUIRE_OK(st_change_commit(&c, NULL));
    return n;
}

TEST(contacts_reach_the_drive_and_are_forgotten)
{
    struct st_store *store = help_store();
    struct dt_contacts *contacts = NULL;
    struct dt_drive d = help_drive(SN);

    help_add(store, &d);
    REQUIRE_OK(dt_contacts_new(&contacts));
    dt_contacts_note(contacts, SN, T0 + 3, "wxy662");
    dt_contacts_note(contacts, SN, T0 + 5, NULL);
    dt_contacts_note(contacts, SN, T0, NULL);
    dt_contacts_note(contacts, SN, T0 + 1, "");
    dt_contacts_note(contacts, "NOBODYKNOWS0", T0, "WXY662");
    dt_contacts_note(contacts, "short", T0, "WXY662");
    CHECK_INT(flush(contacts, store, 10), 2);
    d = get(store, SN);
    CHECK_INT(d.last_contact, T0 + 5);
    CHECK_INT(d.first_contact, T0);
    CHECK_STR(d.last_volser, "WXY662");
    CHECK_INT(flush(contacts, store, 10), 0);
    dt_contacts_note(contacts, SN, T0 + 2, "ABC001");
    CHECK_INT(flush(contacts, store, 10), 1);
    d = get(store, SN);
    CHECK_INT(d.last_contact, T0 + 5); /* an earlier contact does not turn time back */
    dt_contacts_free(&contacts);
    dt_contacts_free(&contacts);
    st_close(&store);
}

TEST(a_flush_takes_no_more_than_it_may_and_loses_none)
{
    struct st_store *store = help_store();
    struct dt_contacts *contacts = NULL;
    size_t total = 0;

    fill(store, 0, 1000);
    REQUIRE_OK(dt_contacts_new(&contacts));
    for (unsigned i = 0; i < 1000; i++) {
        dt_contacts_note(contacts, numbered(i).serial, T0 + i, "V");
    }
    for (unsigned round = 0; round < 10; round++) {
        size_t n = flush(contacts, store, 100);

        CHECK_INT(n, 100);
        total += n;
    }
    CHECK_INT(total, 1000);
    CHECK_INT(flush(contacts, store, 100), 0);
    for (unsigned i = 0; i < 1000; i++) {
        CHECK_INT(get(store, numbered(i).serial).last_contact, T0 + i);
    }
    dt_contacts_free(&contacts);
    st_close(&store);
}

static void *noter(void *arg)
{
    for (unsigned i = 0; i < 20000; i++) {
        dt_contacts_note(arg, numbered(i % 64).serial, T0 + i, "V");
    }
    return NULL;
}

TEST(contacts_are_noted_by_many_threads_while_they_are_flushed)
{
    struct st_store *store = help_store();
    struct dt_contacts *contacts = NULL;
    pthread_t thread[2];

    fill(store, 0, 64);
    REQUIRE_OK(dt_contacts_new(&contacts));
    for (size_t i = 0; i < 2; i++) {
        REQUIRE(pthread_create(&thread[i], NULL, noter, contacts) == 0);
    }
    for (unsigned i = 0; i < 50; i++) {
        (void)flush(contacts, store, 7);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    (void)flush(contacts, store, 1000);
    CHECK_INT(get(store, numbered(19999 % 64).serial).last_contact, T0 + 19999);
    dt_contacts_free(&contacts);
    st_close(&store);
}
