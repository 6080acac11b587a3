/* Volumes with their newest events: from the index, from what is not indexed yet, and from both. */
#include "md_help.h"

struct seen {
    char volser[64][7];
    uint64_t number[64];
    size_t n;
    size_t stop; /* fail after so many */
};

static klm_rc see(void *arg, const struct md_usage *usage)
{
    struct seen *seen = arg;

    REQUIRE(seen->n < 64);
    SET(seen->volser[seen->n], usage->volser);
    seen->number[seen->n++] = usage->number;
    return seen->stop && seen->n == seen->stop ? KLM_E_CLOSED : KLM_OK;
}

static struct seen volumes(struct st_store *store)
{
    struct st_view *view = help_view(store);
    struct seen seen = {.n = 0};

    CHECK_RC(md_volumes(view, see, &seen), KLM_OK);
    st_view_close(&view);
    return seen;
}

static void put(struct st_store *store, uint64_t number, const char *volser)
{
    struct st_change *change = help_begin(store);
    struct md_usage usage = help_usage(number);

    SET(usage.volser, volser);
    REQUIRE_OK(md_usage_add(change, &usage));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

static void index_now(struct st_store *store)
{
    struct st_change *change = help_begin(store);
    uint64_t left = 0;

    REQUIRE_OK(md_index(change, 1000, &left));
    REQUIRE_OK(st_change_commit(&change, NULL));
    CHECK_INT(left, 0);
}

static void check(const struct seen *seen, const char *volsers, const char *numbers)
{
    char v[512] = "", n[512] = "";

    for (size_t i = 0; i < seen->n; i++) {
        snprintf(v + strlen(v), sizeof v - strlen(v), "%s ", seen->volser[i]);
        snprintf(n + strlen(n), sizeof n - strlen(n), "%llu ", (unsigned long long)seen->number[i]);
    }
    CHECK_STR(v, volsers);
    CHECK_STR(n, numbers);
}

TEST(each_volume_comes_once_with_its_newest_event_however_far_the_index_is)
{
    struct st_store *store = help_store();
    struct seen seen = volumes(store);

    check(&seen, "", "");
    put(store, 1, "BBB001");
    put(store, 2, "AAA001");
    put(store, 3, "BBB001");
    seen = volumes(store); /* nothing is indexed */
    check(&seen, "AAA001 BBB001 ", "2 3 ");
    index_now(store);
    seen = volumes(store); /* all is */
    check(&seen, "AAA001 BBB001 ", "2 3 ");
    put(store, 4, "AAA001"); /* newer than the index has it */
    put(store, 5, "AAA000"); /* before, between and behind */
    put(store, 6, "ABC");
    put(store, 7, "ZZZ999");
    put(store, 8, "ABC");
    seen = volumes(store);
    check(&seen, "AAA000 AAA001 ABC BBB001 ZZZ999 ", "5 4 8 3 7 ");
    index_now(store);
    seen = volumes(store);
    check(&seen, "AAA000 AAA001 ABC BBB001 ZZZ999 ", "5 4 8 3 7 ");
    st_close(&store);
}

TEST(a_volume_whose_name_begins_another_is_not_mixed_up_with_it)
{
    struct st_store *store = help_store();
    struct seen seen;

    put(store, 1, "AB");
    put(store, 2, "ABC");
    index_now(store);
    put(store, 3, "A");
    put(store, 4, "AB");
    seen = volumes(store);
    check(&seen, "A AB ABC ", "3 4 2 ");
    st_close(&store);
}

TEST(who_listens_may_end_it)
{
    struct st_store *store = help_store();
    struct seen seen = {.stop = 2};
    struct st_view *view;

    help_fill(store, 1, 5);
    view = help_view(store);
    CHECK_RC(md_volumes(view, see, &seen), KLM_E_CLOSED);
    CHECK_INT(seen.n, 2);
    st_view_close(&view);
    st_close(&store);
}
