/* Locate: in which order objects come, which way a search goes, and what it costs. */
#include "locate_help.h"

#include "store/core.h"

#include <ftw.h>

/* ---- Order, offset, most */

#define MANY 200
static struct md_object many[MANY];

/* MANY objects, every third destroyed, every fifth archived. */
static void fill_many(struct st_store *store)
{
    struct st_change *change = help_begin(store);

    for (int i = 0; i < MANY; i++) {
        many[i] = help_key("G", "n", i % 3 ? KMIP_State_Active : KMIP_State_Destroyed);
        many[i].archived = i % 5 == 0;
        REQUIRE_OK(md_object_add(change, &many[i]));
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
}

struct sequence {
    bool newest;
    size_t n;
    int at; /* of the last one, in many */
};

static klm_rc next_in_sequence(void *arg, const struct md_object *object)
{
    struct sequence *s = arg;

    do {
        s->at += s->newest ? -1 : 1;
        REQUIRE(s->at >= 0 && s->at < MANY);
    } while (strcmp(many[s->at].uid, object->uid) != 0);
    s->n++;
    return KLM_OK;
}

static size_t within(uint32_t mask)
{
    size_t n = 0;

    for (int i = 0; i < MANY; i++) {
        const uint32_t kept = (i % 3 ? 0 : 4) | (i % 5 ? 0 : 2);

        n += ((kept ? kept : 1) & ~mask) == 0;
    }
    return n;
}

TEST(objects_come_in_order_of_time_or_against_it_however_they_are_kept)
{
    struct st_store *store = help_store();
    const struct kmip_node *const name[] = {help_name("n")};
    struct st_view *view;

    fill_many(store);
    view = help_view(store);
    for (uint32_t mask = 1; mask < 8; mask++) {
        for (int how = 0; how < 8; how++) {
            struct sequence s = {.newest = how & 1, .at = how & 1 ? MANY : -1};
            struct md_locate search = {.group = how & 2 ? "G" : NULL,
                                       .filter = name,
                                       .filters = how & 4 ? 1 : 0,
                                       .storage = mask,
                                       .newest = s.newest,
                                       .now = T0};
            uint64_t total;

            REQUIRE_OK(md_locate(view, &search, next_in_sequence, &s, &total));
            CHECK_INT(s.n, within(mask));
            CHECK_INT(total, s.n);
        }
    }
    st_view_close(&view);
    st_close(&store);
    help_pool_done();
}

TEST(offset_and_most_cut_a_piece_out_and_the_total_stays)
{
    static const uint64_t rows[][3] = {/* offset, max, visited */
                                       {0, 1, 1}, {0, 10, 10},        {0, 11, 10},
                                       {9, 5, 1}, {10, 5, 0},         {3, 4, 4},
                                       {3, 0, 7}, {UINT64_MAX, 1, 0}, {2, UINT64_MAX, 8}};
    struct st_store *store = help_store();
    struct md_object o[10];
    struct st_view *view;

    for (size_t i = 0; i < 10; i++) {
        o[i] = help_key("G", "n", KMIP_State_Active);
        help_add(store, &o[i]);
    }
    view = help_view(store);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct md_locate search = in("G");
        struct found found = {.n = 0}, again = {.n = 0};
        uint64_t total = 0;

        search.offset = rows[i][0];
        search.max = rows[i][1];
        REQUIRE_OK(md_locate(view, &search, add_found, &found, &total));
        CHECK_INT(total, 10);
        CHECK_INT(found.n, rows[i][2]);
        if (found.n) {
            CHECK_STR(found.uid[0], o[rows[i][0]].uid);
        }
        REQUIRE_OK(md_locate(view, &search, add_found, &again, NULL));
        CHECK_INT(again.n, found.n);
        search.newest = true;
        again.n = 0;
        REQUIRE_OK(md_locate(view, &search, add_found, &again, NULL));
        CHECK_INT(again.n, found.n);
        if (again.n) {
            CHECK_STR(again.uid[0], o[9 - rows[i][0]].uid);
        }
    }
    st_view_close(&view);
    st_close(&store);
    help_pool_done();
}

static klm_rc refuse(void *arg, const struct md_object *object)
{
    (void)object;
    ++*(int *)arg;
    return KLM_E_DENIED;
}

TEST(what_the_visitor_says_ends_the_search)
{
    struct st_store *store = help_store();
    struct md_object a = help_key("G", "n", KMIP_State_Active),
                     b = help_key("G", "n", KMIP_State_Active);
    struct md_locate search = in("G");
    struct st_view *view;
    int visits = 0;
    uint64_t total = 77;

    help_add(store, &a);
    help_add(store, &b);
    view = help_view(store);
    CHECK_RC(md_locate(view, &search, refuse, &visits, &total), KLM_E_DENIED);
    CHECK_INT(visits, 1);
    CHECK_INT(total, 77);
    search.member = KMIP_ObjectGroupMember_GroupMemberDefault;
    CHECK_RC(md_locate(view, &search, refuse, &visits, &total), KLM_E_DENIED);
    CHECK_RC(md_object_scan(view, "G", "", refuse, &visits), KLM_E_DENIED);
    CHECK_INT(visits, 3);
    st_view_close(&view);
    st_close(&store);
    help_pool_done();
}

TEST(too_many_filters_are_refused)
{
    const struct kmip_node *filter[MD_FILTERS_MAX + 1];
    struct st_store *store = help_store();
    struct st_view *view = help_view(store);
    struct md_locate search = in("G");
    struct kmip_node *large = help_structure(KMIP_TAG_Name);
    struct found found = {.n = 0};

    for (size_t i = 0; i < KLM_COUNT(filter); i++) {
        filter[i] = help_name("n");
    }
    search.filter = filter;
    search.filters = MD_FILTERS_MAX;
    REQUIRE_OK(md_locate(view, &search, add_found, &found, NULL));
    search.filters++;
    CHECK_RC(md_locate(view, &search, add_found, &found, NULL), KLM_E_LIMIT);
    for (int i = 0; i < 1000; i++) {
        help_text(large, KMIP_TAG_NameValue, "n");
    }
    filter[0] = large;
    search.filters = 1;
    CHECK_RC(md_locate(view, &search, add_found, &found, NULL), KLM_E_LIMIT);
    st_view_close(&view);
    st_close(&store);
    help_pool_done();
}

/* ---- Rows that lie: what a collision of hashes would leave, and damage */

/* Another object's rows, pointing at this one too, and at one that is not there. */
struct forging {
    struct st_change *change;
    const char *uid;
};

static klm_rc forge_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    struct forging *forging = arg;
    uint8_t forged[ST_KEY_MAX];
    const size_t n = key.n - 36;

    (void)record, (void)damaged;
    memcpy(forged, key.p, n);
    memcpy(forged + n, forging->uid, strlen(forging->uid));
    return st_put(forging->change, ST_OBJECT_INDEX, KLM_SLICE(forged, n + strlen(forging->uid)),
                  KLM_SLICE("", 0));
}

static void forge(struct st_store *store, const char *uid)
{
    struct st_view *view = help_view(store);
    struct forging forging = {.change = help_begin(store), .uid = uid};

    REQUIRE_OK(st_scan(view, ST_OBJECT_INDEX, NULL, forge_row, &forging));
    REQUIRE_OK(st_change_commit(&forging.change, NULL));
    st_view_close(&view);
}

TEST(rows_of_a_collision_change_no_answer)
{
    struct st_store *store = help_store();
    struct md_object a = help_key("G", "a", KMIP_State_Active),
                     b = help_key("G", "b", KMIP_State_Active),
                     c = help_key("H", "c", KMIP_State_Active);
    struct st_view *view;
    bool has;

    SET(a.owner, "owner a");
    help_add(store, &a);
    forge(store, b.uid); /* before b is there: rows of a lead to b and nowhere */
    forge(store, c.uid);
    forge(store, "nowhere");
    CHECK_FOUND(LOCATE(store, in("G"), help_name("a")), a.uid);
    b.type = KMIP_ObjectType_SecretData;
    help_add(store, &b);
    help_add(store, &c);
    for (int all = 0; all < 2; all++) {
        struct md_locate search = in(all ? NULL : "G");

        CHECK_FOUND(LOCATE(store, search, help_name("a")), a.uid);
        CHECK_FOUND(LOCATE(store, search, help_name("b")), b.uid);
    }
    CHECK_FOUND(
        LOCATE(store, in("G"), help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SymmetricKey)),
        a.uid);
    CHECK_FOUND(locate_by(store, in("G"), NULL, 0), a.uid, b.uid);
    {
        struct st_change *change = help_begin(store);

        REQUIRE_OK(md_object_delete(change, a.uid));
        REQUIRE_OK(st_change_commit(&change, NULL));
    }
    view = help_view(store);
    REQUIRE_OK(md_owns(view, "owner a", &has)); /* only forged rows say so */
    CHECK(!has);
    st_view_close(&view);
    st_close(&store);
    help_pool_done();
}

TEST(a_damaged_object_is_named_and_the_others_are_found)
{
    struct st_store *store = help_store();
    struct md_object a = help_key("G", "n", KMIP_State_Active),
                     b = help_key("G", "n", KMIP_State_Active);
    struct st_change *change;
    struct found found;

    help_add(store, &a);
    help_add(store, &b);
    change = help_begin(store);
    REQUIRE_OK(st_put(change, ST_OBJECT, klm_slice_str(a.uid), klm_slice_str("damage")));
    REQUIRE_OK(st_change_commit(&change, NULL));
    help_listen();
    found = LOCATE(store, in("G"), help_name("n"));
    CHECK_FOUND(found, b.uid);
    CHECK(help_heard(a.uid));
    st_close(&store);
    help_pool_done();
}

/* ---- Scans, owners */

TEST(a_scan_gives_all_of_a_group_in_order_and_goes_on_after_one)
{
    struct st_store *store = help_store();
    struct sequence s = {.at = -1};
    struct md_object other;
    struct st_view *view;

    fill_many(store);
    other = help_key("H", "n", KMIP_State_Active);
    help_add(store, &other);
    view = help_view(store);
    REQUIRE_OK(md_object_scan(view, "G", "", next_in_sequence, &s));
    CHECK_INT(s.n, MANY);
    s = (struct sequence){.at = 99};
    REQUIRE_OK(md_object_scan(view, "G", many[99].uid, next_in_sequence, &s));
    CHECK_INT(s.n, MANY - 100);
    s = (struct sequence){.at = -1};
    CHECK_RC(md_object_scan(view, "G", "no identifier", next_in_sequence, &s), KLM_E_INVALID);
    {
        struct found found = {.n = 0};

        REQUIRE_OK(md_object_scan(view, NULL, many[MANY - 1].uid, add_found, &found));
        REQUIRE_OK(md_object_scan(view, "H", "", add_found, &found));
        CHECK_FOUND(found, other.uid, other.uid);
    }
    st_view_close(&view);
    st_close(&store);
    help_pool_done();
}

static klm_rc delete_one(void *arg, const struct md_object *object)
{
    return md_object_delete(arg, object->uid);
}

TEST(a_scan_may_delete_what_it_visits)
{
    struct st_store *store = help_store();
    struct st_change *change;
    bool has = true;

    fill_many(store);
    change = help_begin(store);
    REQUIRE_OK(md_object_scan(st_change_view(change), "G", "", delete_one, change));
    REQUIRE_OK(md_device_group_has(st_change_view(change), "G", &has));
    CHECK(!has);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

TEST(who_has_objects_is_known)
{
    struct st_store *store = help_store();
    struct md_object o = help_key("G", "n", KMIP_State_Destroyed);
    struct st_change *change;
    bool has;

    SET(o.owner, "abc");
    help_add(store, &o);
    change = help_begin(store);
#define HAS(call, want)                                                                            \
    REQUIRE_OK(call);                                                                              \
    CHECK_INT(has, want)
    HAS(md_owns(st_change_view(change), "abc", &has), true);
    HAS(md_owns(st_change_view(change), "ab", &has), false);
    HAS(md_owns(st_change_view(change), "", &has), false);
    HAS(md_device_group_has(st_change_view(change), "G", &has), true);
    HAS(md_device_group_has(st_change_view(change), "H", &has), false);
    o.archived = true;
    SET(o.group, "H");
    SET(o.owner, "ab");
    REQUIRE_OK(md_object_put(change, &o));
    HAS(md_owns(st_change_view(change), "abc", &has), false);
    HAS(md_owns(st_change_view(change), "ab", &has), true);
    HAS(md_device_group_has(st_change_view(change), "G", &has), false);
    HAS(md_device_group_has(st_change_view(change), "H", &has), true);
    REQUIRE_OK(md_object_delete(change, o.uid));
    HAS(md_owns(st_change_view(change), "ab", &has), false);
    HAS(md_device_group_has(st_change_view(change), "H", &has), false);
    st_change_drop(&change);
    st_close(&store);
    help_pool_done();
}

/* ---- Short identifiers */

static const struct kmip_node *short_id(const void *p, size_t n)
{
    return help_bytes(NULL, KMIP_TAG_ShortUniqueIdentifier, KMIP_BYTES, p, n);
}

static klm_rc count_row(void *arg, struct klm_slice key, struct klm_slice record, bool damaged)
{
    (void)key, (void)record, (void)damaged;
    ++*(size_t *)arg;
    return KLM_OK;
}

static size_t index_rows(struct st_store *store)
{
    struct st_view *view = help_view(store);
    size_t n = 0;

    REQUIRE_OK(st_scan(view, ST_OBJECT_INDEX, NULL, count_row, &n));
    st_view_close(&view);
    return n;
}

/* Objects of before have a hash there, which has a row as other values do. */
TEST(a_short_identifier_finds_its_object_whether_it_is_the_bytes_of_the_long_one_or_not)
{
    struct st_store *store = help_store();
    struct md_object is = help_key("G", "n", KMIP_State_Active),
                     hash = help_key("G", "n", KMIP_State_Active),
                     none = help_key("G", "n", KMIP_State_Active);
    uint8_t bytes[MD_UID_BYTES], other[MD_UID_BYTES], third[MD_UID_BYTES];
    size_t rows;

    REQUIRE(md_uid_bytes(is.uid, bytes) && md_uid_bytes(hash.uid, other) &&
            md_uid_bytes(none.uid, third));
    help_add(store, &none);
    rows = index_rows(store);
    REQUIRE_OK(md_attr_set(&is.attrs, short_id(bytes, sizeof bytes)));
    help_add(store, &is);
    CHECK_INT(index_rows(store), 2 * rows);
    REQUIRE_OK(md_attr_set(&hash.attrs, short_id("0123456789abcdef", 16)));
    help_add(store, &hash);
    CHECK_INT(index_rows(store), 3 * rows + 1);
    CHECK_FOUND(LOCATE(store, in("G"), short_id(bytes, sizeof bytes)), is.uid);
    CHECK_FOUND(LOCATE(store, in(NULL), short_id(bytes, sizeof bytes)), is.uid);
    CHECK_FOUND(LOCATE(store, in("G"), help_name("n"), short_id(bytes, sizeof bytes)), is.uid);
    CHECK_NONE(LOCATE(store, in("H"), short_id(bytes, sizeof bytes)));
    CHECK_NONE(LOCATE(store, in("G"), help_name("m"), short_id(bytes, sizeof bytes)));
    CHECK_NONE(LOCATE(store, in("G"), short_id(bytes, sizeof bytes - 1)));
    CHECK_FOUND(LOCATE(store, in("G"), short_id("0123456789abcdef", 16)), hash.uid);
    CHECK_NONE(LOCATE(store, in("G"), short_id(other, sizeof other)));
    CHECK_NONE(LOCATE(store, in("G"), short_id(third, sizeof third)));
    st_close(&store);
    help_pool_done();
}

/* ---- Cost: records and rows that the driver is asked for */

static const struct st_driver_ops *real;
static size_t reads;

static klm_rc counting_get(struct st_snapshot *snapshot, enum st_table table, struct klm_slice key,
                           struct klm_slice *sealed)
{
    reads++;
    return real->get(snapshot, table, key, sealed);
}

struct counting {
    st_raw_fn *visit;
    void *arg;
};

static klm_rc counting_visit(void *arg, struct klm_slice key, struct klm_slice sealed)
{
    struct counting *counting = arg;

    reads++;
    return counting->visit(counting->arg, key, sealed);
}

static klm_rc counting_scan(struct st_snapshot *snapshot, enum st_table table,
                            const struct st_bounds *bounds, st_raw_fn *visit, void *arg)
{
    struct counting counting = {visit, arg};

    return real->scan(snapshot, table, bounds, counting_visit, &counting);
}

static size_t cost(struct st_store *store, struct md_locate search,
                   const struct kmip_node *const *filter, size_t n, size_t want)
{
    struct st_view *view = help_view(store);
    struct found found = {.n = 0};

    search.filter = filter;
    search.filters = n;
    reads = 0;
    REQUIRE_OK(md_locate(view, &search, add_found, &found, NULL));
    CHECK_INT(found.n, want);
    st_view_close(&view);
    return reads;
}
#define COST(store, search, want, ...)                                                             \
    cost(store, search, FILTERS(__VA_ARGS__), KLM_COUNT(FILTERS(__VA_ARGS__)), want)

/* A store of n objects of one group, all of one type, one name, Object Group and vendor's value; ten have another value of it. */
static struct st_store *store_of(unsigned n)
{
    static struct st_driver_ops ops;
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);

    for (unsigned i = 0; i < n; i++) {
        struct md_object o;
        char name[32];

        snprintf(name, sizeof name, "key %u", i);
        o = help_key("G", name, KMIP_State_Active);
        REQUIRE_OK(md_attr_add(&o.attrs, help_name("same")));
        REQUIRE_OK(md_attr_set_text(&o.attrs, KMIP_TAG_ObjectGroup, "all"));
        REQUIRE_OK(md_attr_add(&o.attrs, help_vendor("x", "few", i < 10 ? "few" : "others")));
        REQUIRE_OK(md_object_add(change, &o));
        if (i % 500 == 499) {
            REQUIRE_OK(st_change_commit(&change, NULL));
            change = help_begin(store);
        }
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    real = store->driver->ops;
    ops = *real;
    ops.get = counting_get;
    ops.scan = counting_scan;
    store->driver->ops = &ops;
    return store;
}

struct costs {
    size_t name, name_and_all, few, namesakes, first, newest, uid, all_groups;
};

static struct costs costs_of(unsigned n)
{
    struct st_store *store = store_of(n);
    const struct kmip_node *type = help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SymmetricKey),
                           *all = help_text(NULL, KMIP_TAG_ObjectGroup, "all");
    struct md_locate one = in("G"), newest;
    struct costs costs;

    one.max = 1;
    newest = one;
    newest.newest = true;
    costs.name = COST(store, in("G"), 1, help_name("key 7"));
    costs.name_and_all = COST(store, in("G"), 1, type, all, help_name("key 7"));
    costs.few = COST(store, in("G"), 10, type, all, help_vendor("x", "few", "few"));
    costs.namesakes = COST(store, in("G"), 10, help_name("same"), help_vendor("x", "few", "few"));
    costs.first = COST(store, one, 1, type, all);
    costs.newest = COST(store, newest, 1, type);
    costs.uid = COST(store, in("G"), 0, help_text(NULL, KMIP_TAG_UniqueIdentifier, "x"));
    costs.all_groups = COST(store, in(NULL), 1, help_name("key 7"));
    store->driver->ops = real;
    st_close(&store);
    help_pool_done();
    return costs;
}

TEST(a_search_costs_what_it_finds_whatever_else_is_there)
{
    const struct costs few = costs_of(10), lots = costs_of(20000);

    CHECK(few.name <= 3 && lots.name <= 3); /* a row, its end, the record */
    CHECK(lots.name_and_all <= few.name_and_all + 1);
    CHECK(lots.few <= 100);
    CHECK(lots.namesakes <= 150);
    CHECK(lots.first <= 300);
    CHECK(lots.newest <= 20);
    CHECK_INT(lots.uid, 1);
    CHECK_INT(few.uid, 1);
    CHECK(lots.all_groups <= few.all_groups + 1);
}

/* ---- On Berkeley DB */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static struct st_store *open_bdb(void)
{
    struct st_options options = {.home = test_path("store"), .create = true};
    struct st_store *store = NULL;

    memset(options.mac_key, 7, sizeof options.mac_key);
    REQUIRE_OK(st_open_bdb(&options, NULL, &store));
    return store;
}

TEST(on_disk_it_is_the_same_also_after_opening_again)
{
    struct st_store *store = open_bdb();
    struct md_object extra = help_key("G", "extra", KMIP_State_Active);
    struct sequence s = {.at = -1}, back = {.newest = true, .at = MANY};
    struct md_locate search = in("G");
    const struct kmip_node *const filter[] = {
        help_enum(KMIP_TAG_ObjectType, KMIP_ObjectType_SymmetricKey), help_name("n")};
    struct st_view *view;
    uint64_t total, records;

    fill_many(store);
    help_add(store, &extra);
    st_close(&store);
    store = open_bdb();
    CHECK_FOUND(LOCATE(store, in("G"), help_name("extra")), extra.uid);
    view = help_view(store);
    search.filter = filter;
    search.filters = 2;
    search.storage = 7;
    REQUIRE_OK(md_locate(view, &search, next_in_sequence, &s, &total));
    CHECK_INT(s.n, MANY);
    search.newest = true;
    REQUIRE_OK(md_locate(view, &search, next_in_sequence, &back, &total));
    CHECK_INT(back.n, MANY);
    st_view_close(&view);
    REQUIRE_OK(st_verify(store, NULL, NULL, &records));
    st_close(&store);
    nftw(test_path("store"), remove_one, 16, FTW_DEPTH | FTW_PHYS);
    help_pool_done();
}
