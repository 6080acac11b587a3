/* Key usage events: records, order, indexes, queries. */
#include "md_help.h"

/* Made with Python's struct module by the description in metadata/usage.c. */
static const char usage_hex[] =
    "010004af97d22e13000c30303030303738383834323210353030353037363330323430464243430657585936363207"
    "4c4142454c3230"
    "074c4142454c323118363436353733303030303030303030303030303030303166";

/* The same of the key of a tape library, version 2. */
static const char client_hex[] =
    "020004af97d22e13000000065858413031322430313961396432662d376331652d376530322d386136622d3031"
    "3233343536373839616200b8303132333435363738394142434445463031323334353637383941424344454630"
    "313233343536373839414243444546303132333435363738394142434445463031323334353637383941424344"
    "454630313233343536373839414243444546303132333435363738394142434445463031323334353637383941"
    "424344454630313233343536373839414243444546303132333435363738394142434445463031323334353637"
    "38394142434445463031323334353637094c6962726172792031";

#define HEX16 "0123456789ABCDEF"
static struct md_usage client_usage(uint64_t number)
{
    struct md_usage u = {.number = number, .time = T0};

    SET(u.volser, "XXA012");
    SET(u.alias1, "019a9d2f-7c1e-7e02-8a6b-0123456789ab");
    SET(u.dki, HEX16 HEX16 HEX16 HEX16 HEX16 HEX16 HEX16 HEX16 HEX16 HEX16 HEX16 "01234567");
    SET(u.client, "Library 1");
    return u;
}

static struct md_usage vector_usage(uint64_t number)
{
    struct md_usage u = help_usage(number);

    SET(u.alias1, "LABEL20");
    SET(u.alias2, "LABEL21");
    SET(u.dki, "64657300000000000000001f");
    return u;
}

TEST(volume_serials_are_checked_and_become_upper_case)
{
    static const char *const bad[] = {"", "1234567", "A B", "A.B", "A_B", "AB\n", "\xC3\xBC"};
    char out[7] = "kept";
    struct klm_diag diag = {0};

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(md_volser(bad[i], out, &diag), KLM_E_INVALID);
        CHECK(strstr(diag.text, "KLM0601E") == diag.text);
    }
    CHECK_STR(out, "kept");
    REQUIRE_OK(md_volser("wxy662", out, NULL));
    CHECK_STR(out, "WXY662");
    REQUIRE_OK(md_volser("@#$-", out, NULL));
    CHECK_STR(out, "@#$-");
    REQUIRE_OK(md_volser("1", out, NULL));
    CHECK_STR(out, "1");
}

TEST(an_event_is_kept_as_it_was)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct md_usage u = vector_usage(1), got;
    uint64_t last = 99;

    REQUIRE_OK(md_usage_last(st_change_view(c), &last));
    CHECK_INT(last, 0);
    REQUIRE_OK(md_usage_add(c, &u));
    REQUIRE_OK(md_usage_get(st_change_view(c), 1, &got));
    CHECK(help_same(&u, &got));
    CHECK_INT(got.number, 1);
    CHECK_RC(md_usage_get(st_change_view(c), 2, &got), KLM_E_NOTFOUND);
    u.number = UINT64_MAX;
    REQUIRE_OK(md_usage_add(c, &u));
    u.number = 256;
    REQUIRE_OK(md_usage_add(c, &u));
    REQUIRE_OK(md_usage_last(st_change_view(c), &last));
    CHECK(last == UINT64_MAX);
    st_change_drop(&c);
    st_close(&store);
}

TEST(an_event_is_one_put_and_no_more)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct md_usage u = help_usage(1);

    REQUIRE_OK(md_usage_add(c, &u));
    CHECK_INT(st_change_size(c), 1);
    st_change_drop(&c);
    st_close(&store);
}

TEST(malformed_events_are_refused)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct md_usage u = help_usage(0);

    CHECK_RC(md_usage_add(c, &u), KLM_E_INVALID); /* no number */
    u = help_usage(1);
    u.drive[0] = '\0';
    CHECK_RC(md_usage_add(c, &u), KLM_E_INVALID);
    u = help_usage(1);
    SET(u.alias1, "tab\there");
    CHECK_RC(md_usage_add(c, &u), KLM_E_INVALID);
    u = help_usage(1);
    SET(u.alias2, "\xED\xA0\x80");
    CHECK_RC(md_usage_add(c, &u), KLM_E_INVALID);
    u = help_usage(1);
    memset(u.dki, 'f', sizeof u.dki);
    CHECK_RC(md_usage_add(c, &u), KLM_E_INVALID); /* it does not end */
    u = help_usage(1);
    u.time = -1;
    CHECK_RC(md_usage_add(c, &u), KLM_E_INVALID);
    CHECK_INT(st_change_size(c), 0);
    st_change_drop(&c);
    st_close(&store);
}

static const uint8_t key5[8] = {0, 0, 0, 0, 0, 0, 0, 5};

static void check_vector(const char *hex, const struct md_usage *want)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct klm_pool *pool = NULL;
    struct klm_slice record;
    struct md_usage got;
    uint8_t raw[400];
    size_t n = 0;

    REQUIRE_OK(klm_unhex(hex, raw, sizeof raw, &n));
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE(key5, 8), KLM_SLICE(raw, n)));
    REQUIRE_OK(md_usage_get(st_change_view(c), 5, &got));
    CHECK(help_same(want, &got));
    REQUIRE_OK(st_delete(c, ST_USAGE, KLM_SLICE(key5, 8)));
    REQUIRE_OK(md_usage_add(c, want));
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_get(st_change_view(c), ST_USAGE, KLM_SLICE(key5, 8), pool, &record));
    CHECK_INT(record.n, n);
    CHECK_MEM(record.p, raw, n);
    /* Cut anywhere, or with a byte more, it is damaged. */
    for (size_t cut = 0; cut <= n + 1; cut++) {
        raw[n] = 0;
        REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE(key5, 8), KLM_SLICE(raw, cut)));
        CHECK_RC(md_usage_get(st_change_view(c), 5, &got), cut == n ? KLM_OK : KLM_E_CORRUPT);
    }
    klm_pool_free(&pool);
    st_change_drop(&c);
    st_close(&store);
}

TEST(a_record_made_by_other_means_is_read_and_written_alike)
{
    const struct md_usage drive = vector_usage(5), client = client_usage(5);

    check_vector(usage_hex, &drive);
    check_vector(client_hex, &client);
}

TEST(a_record_cut_short_or_too_long_is_damaged)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct md_usage got;
    uint8_t raw[300] = {0};
    size_t n = 0;

    REQUIRE_OK(klm_unhex(usage_hex, raw, sizeof raw - 1, &n));
    for (size_t cut = 0; cut <= n + 1; cut++) {
        if (cut != n) {
            REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE(key5, 8), KLM_SLICE(raw, cut)));
            CHECK_RC(md_usage_get(st_change_view(c), 5, &got), KLM_E_CORRUPT);
        }
    }
    raw[0] = 2;
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE(key5, 8), KLM_SLICE(raw, n)));
    CHECK_RC(md_usage_get(st_change_view(c), 5, &got), KLM_E_CORRUPT);
    raw[0] = 1;
    raw[12] = 0; /* a NUL inside the serial number */
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE(key5, 8), KLM_SLICE(raw, n)));
    CHECK_RC(md_usage_get(st_change_view(c), 5, &got), KLM_E_CORRUPT);
    st_change_drop(&c);
    st_close(&store);
}

/* Numbers of the events seen, in the order seen. */
struct seen {
    uint64_t number[3000];
    size_t n, stop;
};

static klm_rc see(void *arg, const struct md_usage *u)
{
    struct seen *seen = arg;

    seen->number[seen->n++] = u->number;
    return seen->stop && seen->n == seen->stop ? KLM_E_STATE : KLM_OK;
}

static void check_seen(const struct seen *seen, const uint64_t *want, size_t n)
{
    CHECK_INT(seen->n, n);
    for (size_t i = 0; i < n && i < seen->n; i++) {
        CHECK_INT(seen->number[i], want[i]);
    }
}

TEST(a_scan_goes_on_after_a_number_and_stops_at_its_limit)
{
    struct st_store *store = help_store();
    struct st_view *view;
    struct seen seen = {0};

    help_fill(store, 250, 260);
    view = help_view(store);
    REQUIRE_OK(md_usage_scan(view, 254, 3, see, &seen));
    check_seen(&seen, (uint64_t[]){255, 256, 257}, 3);
    seen.n = 0;
    REQUIRE_OK(md_usage_scan(view, 258, 0, see, &seen));
    check_seen(&seen, (uint64_t[]){259, 260}, 2);
    seen.n = 0;
    REQUIRE_OK(md_usage_scan(view, 260, 0, see, &seen));
    CHECK_INT(seen.n, 0);
    REQUIRE_OK(md_usage_scan(view, UINT64_MAX, 0, see, &seen));
    CHECK_INT(seen.n, 0);
    seen.stop = 2;
    CHECK_RC(md_usage_scan(view, 0, 0, see, &seen), KLM_E_STATE);
    CHECK_INT(seen.n, 2);
    st_view_close(&view);
    st_close(&store);
}

TEST(a_damaged_event_is_named_and_all_others_are_found)
{
    struct st_store *store = help_store();
    struct st_change *c;
    struct seen seen = {0};
    uint64_t left = 9;

    help_fill(store, 1, 10);
    c = help_begin(store);
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE(key5, 8), KLM_SLICE("?", 1)));
    help_listen();
    REQUIRE_OK(md_usage_scan(st_change_view(c), 3, 2, see, &seen));
    check_seen(&seen, (uint64_t[]){4, 6}, 2);
    CHECK(help_heard("KLM0602E") && help_heard(" 5 "));
    REQUIRE_OK(md_index(c, 3, &left));
    CHECK_INT(left, 7);
    REQUIRE_OK(md_index(c, 100, &left));
    CHECK_INT(left, 0);
    seen.n = 0;
    REQUIRE_OK(md_query(st_change_view(c), MD_BY_DRIVE, "000007888422", 0, see, &seen));
    check_seen(&seen, (uint64_t[]){10, 9, 8, 7, 6, 4, 3, 2, 1}, 9);
    /* Damaged after it was indexed. */
    REQUIRE_OK(st_put(c, ST_USAGE, KLM_SLICE("\0\0\0\0\0\0\0\x09", 8), KLM_SLICE("?", 1)));
    seen.n = 0;
    REQUIRE_OK(md_query(st_change_view(c), MD_BY_DRIVE, "000007888422", 2, see, &seen));
    check_seen(&seen, (uint64_t[]){10, 8}, 2);
    klm_say_to(NULL, NULL);
    st_change_drop(&c);
    st_close(&store);
}

TEST(indexing_goes_on_where_it_ended_also_in_another_change)
{
    struct st_store *store = help_store();
    uint64_t left = 0;

    help_fill(store, 1, 25);
    for (unsigned expected = 15; expected <= 15; expected -= 10) {
        struct st_change *c = help_begin(store);

        REQUIRE_OK(md_index(c, 10, &left));
        CHECK_INT(left, expected);
        CHECK_INT(st_change_size(c), 10 * 4 + 1);
        REQUIRE_OK(st_change_commit_lazy(&c, NULL));
    }
    struct st_change *c = help_begin(store);
    REQUIRE_OK(md_index(c, 0, &left));
    CHECK_INT(left, 5);
    CHECK_INT(st_change_size(c), 0);
    REQUIRE_OK(md_index(c, 10, &left));
    CHECK_INT(left, 0);
    REQUIRE_OK(st_change_commit_lazy(&c, NULL));
    c = help_begin(store);
    REQUIRE_OK(md_index(c, 10, &left));
    CHECK_INT(left, 0);
    CHECK_INT(st_change_size(c), 0); /* up to date: nothing is written */
    st_change_drop(&c);
    st_close(&store);
}

/* The cursor is big-endian, 8 bytes, under a known name: a format of the store. */
TEST(the_cursor_is_kept_in_the_store)
{
    struct st_store *store = help_store();
    struct st_change *c;
    struct klm_pool *pool = NULL;
    struct klm_slice record;
    uint64_t left;

    help_fill(store, 1, 300);
    c = help_begin(store);
    REQUIRE_OK(md_index(c, 258, &left));
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(st_get(st_change_view(c), ST_META, klm_slice_str("usage.indexed"), pool, &record));
    CHECK_INT(record.n, 8);
    CHECK_MEM(record.p, "\0\0\0\0\0\0\1\2", 8);
    REQUIRE_OK(st_get(st_change_view(c), ST_USAGE_VOLSER, KLM_SLICE("000258\0\0\0\0\0\0\0\1\2", 15),
                      pool, &record));
    CHECK_INT(record.n, 0);
    klm_pool_free(&pool);
    st_change_drop(&c);
    st_close(&store);
}

TEST(events_of_a_client_are_found_by_its_name_and_no_others)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    static struct seen got;
    uint64_t left;

    for (uint64_t number = 1; number <= 6; number++) {
        struct md_usage u = number % 2 ? client_usage(number) : help_usage(number);

        if (number == 5) {
            SET(u.client, "000007888422"); /* named as a drive is */
        }
        REQUIRE_OK(md_usage_add(c, &u));
    }
    for (int indexed = 0; indexed < 2; indexed++) {
        got.n = 0;
        REQUIRE_OK(md_query(st_change_view(c), MD_BY_CLIENT, "Library 1", 0, see, &got));
        check_seen(&got, (uint64_t[]){3, 1}, 2);
        got.n = 0;
        REQUIRE_OK(md_query(st_change_view(c), MD_BY_CLIENT, "000007888422", 0, see, &got));
        check_seen(&got, (uint64_t[]){5}, 1);
        got.n = 0;
        REQUIRE_OK(md_query(st_change_view(c), MD_BY_DRIVE, "000007888422", 0, see, &got));
        check_seen(&got, (uint64_t[]){6, 4, 2}, 3);
        got.n = 0;
        REQUIRE_OK(md_query(st_change_view(c), MD_BY_VOLSER, "xxa012", 0, see, &got));
        check_seen(&got, (uint64_t[]){5, 3, 1}, 3);
        REQUIRE_OK(md_index(c, 100, &left));
    }
    st_change_drop(&c);
    st_close(&store);
}

/* ---- Queries against reading everything */

#define EVENTS 2000

static struct md_usage all[EVENTS];

static const char *value_of(enum md_by by, const struct md_usage *u)
{
    return by == MD_BY_VOLSER ? u->volser : by == MD_BY_DRIVE ? u->drive : u->alias1;
}

static void check_query(struct st_view *view, enum md_by by, const char *what, size_t limit)
{
    static struct seen got;
    struct seen want = {0};

    for (size_t i = EVENTS; i-- > 0 && (!limit || want.n < limit);) {
        if (strcmp(value_of(by, &all[i]), what) == 0 ||
            (by == MD_BY_ALIAS && strcmp(all[i].alias2, what) == 0)) {
            want.number[want.n++] = all[i].number;
        }
    }
    got.n = 0;
    REQUIRE_OK(md_query(view, by, what, limit, see, &got));
    check_seen(&got, want.number, want.n);
}

static void check_queries(struct st_store *store)
{
    static const char *const alias[] = {"A", "AB", "A\xC3\xBC", "none"};
    static const char *const volser[] = {"V", "V1", "V12", "NONE"};
    static const char *const drive[] = {"DRIVE0000001", "DRIVE0000002", "DRIVE0000009"};
    static const size_t limits[] = {0, 1, 7, 128, 129};
    struct st_view *view = help_view(store);

    for (size_t l = 0; l < KLM_COUNT(limits); l++) {
        for (size_t i = 0; i < 4; i++) {
            check_query(view, MD_BY_ALIAS, alias[i], limits[l]);
            check_query(view, MD_BY_VOLSER, volser[i], limits[l]);
        }
        for (size_t i = 0; i < 3; i++) {
            check_query(view, MD_BY_DRIVE, drive[i], limits[l]);
        }
    }
    st_view_close(&view);
}

/* Values that begin alike, gaps in the numbers, the same alias twice in an event, an event
 * without a volume. */
static void make_events(struct st_store *store)
{
    static const char *const alias[] = {"A", "AB", "A\xC3\xBC", ""};
    static const char *const volser[] = {"V", "V1", "V12", ""};
    struct st_change *c = help_begin(store);
    uint32_t seed = 4711;
    uint64_t number = 1;

    for (size_t i = 0; i < EVENTS; i++) {
        uint32_t r = (seed = seed * 1664525 + 1013904223) >> 8;

        all[i] = help_usage(number += 1 + r % 3);
        SET(all[i].alias1, alias[r / 3 % 3]);
        SET(all[i].alias2, alias[r / 9 % 4]);
        SET(all[i].volser, volser[r / 36 % 4]);
        SET(all[i].drive, r / 144 % 2 ? "DRIVE0000001" : "DRIVE0000002");
        REQUIRE_OK(md_usage_add(c, &all[i]));
    }
    REQUIRE_OK(st_change_commit(&c, NULL));
}

TEST(queries_agree_with_reading_everything_however_much_is_indexed)
{
    struct st_store *store = help_store();
    uint64_t left = 1;

    make_events(store);
    check_queries(store); /* nothing is indexed yet */
    while (left) {
        struct st_change *c = help_begin(store);

        REQUIRE_OK(md_index(c, 777, &left));
        REQUIRE_OK(st_change_commit(&c, NULL));
        check_queries(store);
    }
    st_close(&store);
}

TEST(an_index_made_twice_finds_nothing_twice)
{
    struct st_store *store = help_store();
    struct st_change *c;
    uint64_t left;

    make_events(store);
    c = help_begin(store);
    REQUIRE_OK(md_index(c, EVENTS, &left));
    REQUIRE_OK(st_delete(c, ST_META, klm_slice_str("usage.indexed")));
    REQUIRE_OK(
        md_index(c, 500, &left)); /* the cursor went back: entries above it are there already */
    REQUIRE_OK(st_change_commit(&c, NULL));
    check_queries(store);
    c = help_begin(store);
    REQUIRE_OK(st_put(c, ST_META, klm_slice_str("usage.indexed"), KLM_SLICE("bad", 3)));
    REQUIRE_OK(st_change_commit(&c, NULL));
    check_queries(store);
    st_close(&store);
}

TEST(queries_for_what_cannot_be_are_refused)
{
    static const char long_alias[] =
        "0123456789012345678901234567890123456789012345678901234567890123x";
    struct st_store *store = help_store();
    struct st_view *view;
    struct seen seen = {0};

    help_fill(store, 1, 3);
    view = help_view(store);
    CHECK_RC(md_query(view, MD_BY_ALIAS, "", 0, see, &seen), KLM_E_INVALID);
    CHECK_RC(md_query(view, MD_BY_ALIAS, long_alias, 0, see, &seen), KLM_E_INVALID);
    CHECK_RC(md_query(view, MD_BY_ALIAS, long_alias + 1, 0, see, &seen), KLM_OK);
    CHECK_RC(md_query(view, MD_BY_VOLSER, "1234567", 0, see, &seen), KLM_E_INVALID);
    CHECK_INT(seen.n, 0);
    seen.stop = 1;
    CHECK_RC(md_query(view, MD_BY_DRIVE, "000007888422", 0, see, &seen), KLM_E_STATE);
    CHECK_INT(seen.n, 1);
    st_view_close(&view);
    st_close(&store);
}

TEST(a_volume_is_found_in_lower_case_too)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct md_usage u = help_usage(1);
    struct seen seen = {0};

    REQUIRE_OK(md_usage_add(c, &u));
    REQUIRE_OK(md_query(st_change_view(c), MD_BY_VOLSER, "wxy662", 0, see, &seen));
    CHECK_INT(seen.n, 1);
    st_change_drop(&c);
    st_close(&store);
}
