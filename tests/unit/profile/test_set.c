/* Profiles in the store, and compiled into a set: what is put comes back, the most specific decides, who asks is looked for in order, damage closes. */
#include "test.h"

#include "profile/pr.h"

#include <stdlib.h>
#include <time.h>

#define TASK "ISKLM.ISKLM"

static struct st_store *store;
static struct klm_pool *pool;

static void opened(void)
{
    struct st_options options = {.create = true};

    if (!store) {
        REQUIRE_OK(st_open_memory(&options, &store));
        REQUIRE_OK(klm_pool_new(0, &pool));
    }
}

/* A profile with an access list as "ID=READ,ID=NONE". */
static struct pr_profile profile_of(enum pr_class class, const char *name, enum pr_access uacc,
                                    const char *list)
{
    struct pr_profile p = {
        .class = class, .name = name, .uacc = uacc, .owner = "SYS1", .user = "", .group = ""};

    while (*list) {
        size_t n = strcspn(list, "="), len = strcspn(list, ",");
        const char *id = klm_pool_strn(pool, list, n);
        enum pr_access access = PR_NONE;

        REQUIRE_OK(pr_access_find(klm_pool_strn(pool, list + n + 1, len - n - 1), &access));
        REQUIRE_OK(pr_permit(&p, pool, id, access));
        list += len + (list[len] == ',');
    }
    return p;
}

static void put_profile(const struct pr_profile *profile)
{
    struct st_change *change;

    REQUIRE_OK(st_change_open(store, &change));
    REQUIRE_OK(pr_put(change, profile));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static void put(enum pr_class class, const char *name, enum pr_access uacc, const char *list)
{
    struct pr_profile profile = profile_of(class, name, uacc, list);

    put_profile(&profile);
}

static void set_options(enum pr_class class, bool active, bool generic)
{
    const struct pr_options options = {.active = active, .generic = generic};
    struct st_change *change;

    REQUIRE_OK(st_change_open(store, &change));
    REQUIRE_OK(pr_options_put(change, class, &options));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static struct pr_set *load(const struct pr_set *old, unsigned mask)
{
    struct pr_set *set = NULL;
    struct st_view *view;

    REQUIRE_OK(st_view_open(store, &view));
    REQUIRE_OK(pr_set_load(view, old, mask, TASK, &set));
    st_view_close(&view);
    return set;
}

static const char *decider(const struct pr_set *set, enum pr_class class, const char *resource)
{
    const struct pr_profile *found;

    return pr_set_find(set, class, resource, &found) == KLM_OK ? found->name : "";
}

TEST(a_profile_comes_back_as_it_was_put)
{
    struct pr_profile p, got;
    struct st_view *view;

    opened();
    p = profile_of(PR_STARTED, "ISKLM*.*", PR_NONE, "ZED=READ,ALPHA=ALTER,MID=NONE");
    p.user = "KLMSERV";
    p.group = "TASKS";
    p.trace = true;
    p.made = 12345;
    put_profile(&p);
    REQUIRE_OK(st_view_open(store, &view));
    REQUIRE_OK(pr_get(view, PR_STARTED, "ISKLM*.*", pool, &got));
    CHECK_STR(got.name, "ISKLM*.*");
    CHECK_STR(got.owner, "SYS1");
    CHECK_STR(got.user, "KLMSERV");
    CHECK_STR(got.group, "TASKS");
    CHECK(got.trace);
    CHECK_INT(got.made, 12345);
    CHECK_INT(got.n, 3);
    CHECK_STR(got.entry[0].id, "ALPHA");
    CHECK_INT(got.entry[0].access, PR_ALTER);
    CHECK_STR(got.entry[2].id, "ZED");
    CHECK_RC(pr_get(view, PR_STARTED, "ISKLM*", pool, &got), KLM_E_NOTFOUND);
    CHECK_RC(pr_get(view, PR_FACILITY, "ISKLM*.*", pool, &got), KLM_E_NOTFOUND);
    CHECK_RC(pr_get(view, PR_FACILITY, "a b", pool, &got), KLM_E_INVALID);
    st_view_close(&view);
}

TEST(an_access_list_is_sorted_changed_and_limited)
{
    struct pr_profile p = {
        .class = PR_CSFKEYS, .name = "MANY", .owner = "", .user = "", .group = ""};
    struct st_change *change;

    opened();
    for (unsigned i = 0; i < PR_ENTRIES_MAX; i++) {
        REQUIRE_OK(pr_permit(&p, pool, klm_pool_printf(pool, "U%04u", (i * 7) % 1000), PR_READ));
    }
    CHECK_RC(pr_permit(&p, pool, "ONE-MORE", PR_READ), KLM_E_LIMIT);
    CHECK_RC(pr_permit(&p, pool, "U0500", PR_ALTER), KLM_OK); /* there already */
    CHECK_INT(p.n, PR_ENTRIES_MAX);
    for (size_t i = 1; i < p.n; i++) {
        CHECK(strcmp(p.entry[i - 1].id, p.entry[i].id) < 0);
    }
    put_profile(&p);
    CHECK_RC(pr_forget(&p, "U0500"), KLM_OK);
    CHECK_RC(pr_forget(&p, "U0500"), KLM_E_NOTFOUND);
    CHECK_INT(p.n, PR_ENTRIES_MAX - 1);
    REQUIRE_OK(st_change_open(store, &change));
    CHECK_RC(pr_delete(change, PR_CSFKEYS, "MANY"), KLM_OK);
    CHECK_RC(pr_delete(change, PR_CSFKEYS, "MANY"), KLM_E_NOTFOUND);
    p.name = "not allowed";
    CHECK_RC(pr_put(change, &p), KLM_E_INVALID);
    REQUIRE_OK(st_change_commit(&change, NULL));
}

TEST(the_most_specific_profile_decides)
{
    static const char *const names[] = {
        "**",           "ITOPS.**",      "ITOPS.*",       "ITOPS.KLM*",       "ITOPS.KLM2%.CERT",
        "ITOPS.*.CERT", "ITOPS.**.CERT", "ITOPS.KLM20.*", "ITOPS.KLM20.CERT", "*.KLM9.CERT"};
    static const struct {
        const char *resource, *profile;
    } want[] = {
        {"ITOPS.KLM20.CERT", "ITOPS.KLM20.CERT"},
        {"ITOPS.KLM20.KEY", "ITOPS.KLM20.*"},
        {"ITOPS.KLM21.CERT", "ITOPS.KLM2%.CERT"},
        {"ITOPS.KLM3.CERT", "ITOPS.KLM*"},
        {"ITOPS.X.CERT", "ITOPS.*.CERT"},
        {"ITOPS.X.Y.CERT", "ITOPS.*"},
        {"ITOPS", "ITOPS.**"},
        {"OTHER.KLM9.CERT", "*.KLM9.CERT"},
        {"OTHER", "**"},
        {"ITOPSX", "**"},
    };
    struct pr_set *set;

    opened();
    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        put(PR_CSFKEYS, names[i], PR_NONE, "");
    }
    set = load(NULL, PR_ALL);
    CHECK_INT(pr_set_count(set, PR_CSFKEYS), KLM_COUNT(names));
    for (size_t i = 0; i < KLM_COUNT(want); i++) {
        CHECK_STR(decider(set, PR_CSFKEYS, want[i].resource), want[i].profile);
    }
    pr_set_free(&set);
    set_options(PR_CSFKEYS, true, false); /* NOGENERIC: generic names do not count */
    set = load(NULL, PR_ALL);
    CHECK_STR(decider(set, PR_CSFKEYS, "ITOPS.KLM20.CERT"), "ITOPS.KLM20.CERT");
    CHECK_STR(decider(set, PR_CSFKEYS, "ITOPS.KLM21.CERT"), "");
    pr_set_free(&set);
}

/* What a sorted index finds is what looking at each finds. */
TEST(the_index_finds_what_a_look_at_all_finds)
{
    static const char *const part[] = {"A", "B", "AB", "%", "A%", "*", "A*", "**"};
    const char *name[300];
    size_t names = 0;
    uint32_t state = 7;
    struct pr_set *set;

    opened();
    while (names < KLM_COUNT(name)) {
        const char *one = "";

        for (unsigned i = 0, n = 1 + (state >> 20) % 4; i < n; i++) {
            state = state * 1664525 + 1013904223;
            one = klm_pool_printf(pool, "%s%s%s", one, i ? "." : "", part[(state >> 16) % 8]);
        }
        if (pr_name_check(one) == KLM_OK) {
            put(PR_RDATALIB, one, PR_NONE, "");
            name[names++] = one;
        }
        state = state * 1664525 + 1013904223;
    }
    set = load(NULL, PR_ALL);
    for (unsigned i = 0; i < 2000; i++) {
        const char *resource = "", *best = NULL;

        for (unsigned k = 0, n = 1 + (state >> 20) % 4; k < n; k++) {
            state = state * 1664525 + 1013904223;
            resource =
                klm_pool_printf(pool, "%s%s%s", resource, k ? "." : "", part[(state >> 16) % 3]);
        }
        for (size_t k = 0; k < names; k++) {
            if (pr_match(name[k], resource) && (!best || pr_name_compare(name[k], best) < 0)) {
                best = name[k];
            }
        }
        CHECK_STR(decider(set, PR_RDATALIB, resource), best ? best : "");
        state = state * 1664525 + 1013904223;
    }
    pr_set_free(&set);
}

/* Nanoseconds of this thread for some thousand decisions, the least of several rounds. */
static uint64_t cost_of(const struct pr_set *set, enum pr_class class)
{
    uint64_t least = UINT64_MAX;

    for (unsigned round = 0; round < 7; round++) {
        struct timespec from, to;
        unsigned found = 0;
        uint64_t took;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        for (unsigned i = 0; i < 4000; i++) {
            const struct pr_profile *profile;
            char resource[64];

            snprintf(resource, sizeof resource, "SITE%u.KEY%u.USE", i % 50, i);
            found += pr_set_find(set, class, resource, &profile) == KLM_OK;
        }
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        took = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000u + (uint64_t)to.tv_nsec -
               (uint64_t)from.tv_nsec;
        least = took < least ? took : least;
        CHECK(found > 0);
    }
    return least;
}

/* Names as a site has them: a plain one for each key, generic ones for each use of it. */
static void put_many(enum pr_class class, unsigned n)
{
    struct st_change *change;

    opened();
    REQUIRE_OK(st_change_open(store, &change));
    for (unsigned i = 0; i < n; i++) {
        char plain[64], generic[64];
        struct pr_profile profile;

        snprintf(plain, sizeof plain, "SITE%u.KEY%u.USE", i % 50, i);
        snprintf(generic, sizeof generic, "SITE%u.KEY%u.**", i % 50, 100000 + i);
        profile = profile_of(class, plain, PR_READ, "");
        REQUIRE_OK(pr_put(change, &profile));
        profile.name = generic;
        REQUIRE_OK(pr_put(change, &profile));
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
}

/* 100 times the profiles: looking at each would take 100 times as long; a search in a sorted list takes some steps more. */
TEST(the_cost_of_a_decision_does_not_grow_with_the_number_of_profiles)
{
    struct pr_set *set;
    uint64_t few, many;

    put_many(PR_CSFSERV, 95);
    put_many(PR_FACILITY, 9500);
    set = load(NULL, PR_ALL);
    few = cost_of(set, PR_CSFSERV);
    many = cost_of(set, PR_FACILITY);
    pr_set_free(&set);
    test_int(many < 8 * few, true, "times as long", __FILE__, __LINE__);
    fprintf(stderr, "# %llu ns with 190 profiles, %llu ns with 19,000, for 4,000 decisions\n",
            (unsigned long long)few, (unsigned long long)many);
}

TEST(who_asks_is_looked_for_in_order)
{
    static const struct {
        const char *list;
        enum pr_access uacc;
        struct pr_who who;
        enum pr_access want;
    } row[] = {
        {"JOE=UPDATE,TAPE=ALTER", PR_NONE, {.user = "JOE", .groups = "TAPE"}, PR_UPDATE},
        {"JOE=NONE,TAPE=ALTER", PR_READ, {.user = "JOE", .groups = "TAPE"}, PR_NONE},
        {"TAPE=READ,DISK=CONTROL",
         PR_NONE,
         {.user = "JOE", .groups = "OTHER,TAPE,DISK"},
         PR_CONTROL},
        {"TAPE=NONE,*=READ", PR_ALTER, {.user = "JOE", .groups = "TAPE"}, PR_NONE},
        {"*=READ", PR_ALTER, {.user = "JOE", .groups = "TAPE"}, PR_READ},
        {"TAP=READ", PR_NONE, {.user = "TAPE", .groups = "TAPES,TA"}, PR_NONE},
        {"TAPES=READ", PR_NONE, {.user = "TAPE", .groups = ""}, PR_NONE},
        {"", PR_READ, {.user = "", .groups = NULL}, PR_READ},
        {"", PR_NONE, {.user = "JOE"}, PR_NONE},
        {"KLMSERV=READ",
         PR_NONE,
         {.user = "000007888422", .groups = "3592", .behalf = "KLMSERV"},
         PR_READ},
        {"KLMSERV=READ,3592=NONE",
         PR_NONE,
         {.user = "000007888422", .groups = "3592", .behalf = "KLMSERV"},
         PR_NONE},
        {"KLMSERV=READ,3592=NONE,000007888422=READ",
         PR_NONE,
         {.user = "000007888422", .groups = "3592", .behalf = "KLMSERV"},
         PR_READ},
        {"TASKS=READ",
         PR_NONE,
         {.user = "X", .groups = "LTO", .behalf = "KLMSERV", .behalf_group = "TASKS"},
         PR_READ},
    };

    opened();
    for (size_t i = 0; i < KLM_COUNT(row); i++) {
        struct pr_profile p = profile_of(PR_CSFKEYS, "P", row[i].uacc, row[i].list);

        test_int(pr_access_of(&p, &row[i].who), row[i].want, row[i].list, __FILE__, __LINE__);
    }
}

TEST(classes_that_are_not_read_anew_are_shared_and_stay)
{
    struct pr_set *first, *second, *third;

    opened();
    put(PR_FACILITY, "IRR.DIGTCERT.LIST", PR_NONE, "");
    first = load(NULL, PR_ALL);
    put(PR_FACILITY, "IRR.DIGTCERT.**", PR_READ, "");
    put(PR_CSFSERV, "CSF*", PR_READ, "");
    second = load(first, PR_BIT(PR_CSFSERV));
    CHECK_STR(decider(second, PR_FACILITY, "IRR.DIGTCERT.ADD"), "");
    CHECK_STR(decider(second, PR_CSFSERV, "CSFKGN"), "CSF*");
    third = load(first, PR_BIT(PR_FACILITY));
    CHECK_STR(decider(third, PR_CSFSERV, "CSFKGN"), "");
    pr_set_rebase(third, second, PR_BIT(PR_FACILITY), TASK);
    CHECK_STR(decider(third, PR_CSFSERV, "CSFKGN"), "CSF*");
    CHECK_STR(decider(third, PR_FACILITY, "IRR.DIGTCERT.ADD"), "IRR.DIGTCERT.**");
    pr_set_free(&first);
    pr_set_free(&second);
    CHECK_STR(decider(third, PR_CSFSERV, "CSFKGN"), "CSF*");
    pr_set_free(&third);
}

TEST(the_task_has_its_started_profile_while_the_class_is_active)
{
    struct pr_set *set;

    opened();
    set_options(PR_STARTED, false, true);
    set = load(NULL, PR_ALL);
    CHECK(pr_set_task(set) == NULL);
    pr_set_free(&set);
    set_options(PR_STARTED, true, true);
    set = load(NULL, PR_ALL);
    REQUIRE(pr_set_task(set) != NULL);
    CHECK_STR(pr_set_task(set)->user, "KLMSERV");
    CHECK(pr_set_checks(set));
    pr_set_free(&set);
}

/* A record that is not one of ours stands for a profile that gives nothing, and options for an active class. */
TEST(damage_closes)
{
    const struct pr_profile *found = NULL;
    struct pr_options options;
    struct st_change *change;
    struct pr_profile got;
    struct st_view *view;
    struct pr_set *set;
    bool damaged = false;

    opened();
    put(PR_CSFSERV, "CSFPKD", PR_READ, "");
    REQUIRE_OK(st_change_open(store, &change));
    REQUIRE_OK(st_put(change, ST_PROFILE, KLM_SLICE("CSFSERV\0CSFPKD", 14), KLM_SLICE("\1", 1)));
    REQUIRE_OK(st_put(change, ST_PROFILE, KLM_SLICE("CSFSERV\0", 8), KLM_SLICE("\1\0\0", 3)));
    REQUIRE_OK(st_change_commit(&change, NULL));
    REQUIRE_OK(st_view_open(store, &view));
    CHECK_RC(pr_get(view, PR_CSFSERV, "CSFPKD", pool, &got), KLM_E_CORRUPT);
    REQUIRE_OK(pr_options_get(view, PR_CSFSERV, &options, &damaged));
    CHECK(options.active && damaged);
    st_view_close(&view);
    set = load(NULL, PR_ALL);
    REQUIRE_OK(pr_set_find(set, PR_CSFSERV, "CSFPKD", &found));
    CHECK_INT(found->uacc, PR_NONE);
    CHECK_INT(found->n, 0);
    CHECK(pr_set_options(set, PR_CSFSERV)->active);
    pr_set_free(&set);
    put(PR_CSFSERV, "CSFPKD", PR_READ, ""); /* defined anew */
    set_options(PR_CSFSERV, false, true);
    set = load(NULL, PR_ALL);
    REQUIRE_OK(pr_set_find(set, PR_CSFSERV, "CSFPKD", &found));
    CHECK_INT(found->uacc, PR_READ);
    CHECK(!pr_set_options(set, PR_CSFSERV)->active);
    pr_set_free(&set);
}
