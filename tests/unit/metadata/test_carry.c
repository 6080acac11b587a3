/* Key usage events that travel: each once, in order, never back to where they came from, whatever is repeated or damaged. */
#include "md_help.h"

#include "base/buf.h"
#include "metadata/group.h"

static struct st_store *site(void)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);

    REQUIRE_OK(md_identity_make(change));
    REQUIRE_OK(st_change_commit(&change, NULL));
    return store;
}

static struct klm_buf page_of(struct st_store *store, uint64_t after, uint64_t *last, size_t *n)
{
    struct st_view *view = help_view(store);
    struct klm_buf page;

    klm_buf_init(&page, 1u << 20);
    CHECK_RC(md_page_give(view, after, &page, last, n), KLM_OK);
    st_view_close(&view);
    return page;
}

static klm_rc take(struct st_store *store, struct klm_slice page, size_t *taken)
{
    struct st_change *change = help_begin(store);
    struct klm_diag diag = {0};
    uint64_t number = 0;
    klm_rc rc;

    REQUIRE_OK(md_usage_last(st_change_view(change), &number));
    rc = md_page_take(change, page, &number, taken, &diag);
    if (rc == KLM_OK) {
        REQUIRE_OK(st_change_commit(&change, NULL));
    } else {
        CHECK(diag.msg == KLM_MSG_USAGE_PAGE || diag.msg == KLM_MSG_USAGE_GAP);
    }
    st_change_drop(&change);
    return rc;
}

static uint64_t count(struct st_store *store)
{
    struct st_view *view = help_view(store);
    uint64_t last = 0;

    REQUIRE_OK(md_usage_last(view, &last));
    st_view_close(&view);
    return last;
}

TEST(an_identity_is_made_once)
{
    struct st_store *store = help_store();
    struct st_view *view = help_view(store);
    struct st_change *change;
    uint8_t one[MD_ORIGIN], two[MD_ORIGIN];

    CHECK_RC(md_identity(view, one), KLM_E_NOTFOUND);
    st_view_close(&view);
    for (int i = 0; i < 2; i++) {
        change = help_begin(store);
        REQUIRE_OK(md_identity_make(change));
        REQUIRE_OK(md_identity(st_change_view(change), i ? two : one));
        REQUIRE_OK(st_change_commit(&change, NULL));
    }
    CHECK_MEM(one, two, sizeof one);
    st_close(&store);
}

TEST(a_store_copied_from_another_server_gives_only_what_happens_here_and_takes_nothing_twice)
{
    struct st_store *a = site(), *copy = site();
    struct st_change *change;
    uint8_t old[MD_ORIGIN], fresh[MD_ORIGIN];
    uint64_t last = 0;
    size_t n = 0, taken = 0;
    struct klm_buf page;

    help_fill(copy, 1, 5); /* the page below is of the server that copy is a copy of */
    page = page_of(copy, 0, &last, &n);
    CHECK_INT(n, 5);
    change = help_begin(copy);
    REQUIRE_OK(md_identity(st_change_view(change), old));
    REQUIRE_OK(md_identity_renew(change));
    REQUIRE_OK(md_identity(st_change_view(change), fresh));
    REQUIRE_OK(st_change_commit(&change, NULL));
    CHECK(memcmp(old, fresh, sizeof old) != 0);
    CHECK_RC(take(copy, klm_buf_as_slice(&page), &taken), KLM_OK);
    CHECK_INT(taken, 0);
    CHECK_INT(count(copy), 5);
    klm_buf_done(&page);
    help_fill(copy, 6, 7);
    page = page_of(copy, 0, &last, &n);
    CHECK_INT(n, 2);
    CHECK_INT(last, 7);
    CHECK_RC(take(a, klm_buf_as_slice(&page), &taken), KLM_OK);
    CHECK_INT(taken, 2);
    klm_buf_done(&page);
    st_close(&a);
    st_close(&copy);
}

TEST(a_store_without_an_identity_gets_one_when_it_is_renewed)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    uint8_t id[MD_ORIGIN];

    REQUIRE_OK(md_identity_renew(change));
    REQUIRE_OK(md_identity(st_change_view(change), id));
    st_change_drop(&change);
    st_close(&store);
}

TEST(a_stored_key_given_out_there_is_not_given_here_for_another_volume)
{
    struct st_store *a = site(), *b = site();
    struct st_change *change = help_begin(a);
    struct md_usage usage = help_usage(1);
    char alias[KLM_ALIAS_MAX + 1];
    struct klm_alias_run run;
    struct md_key_use use;
    uint64_t last = 0, left;
    size_t n = 0, taken = 0;
    struct klm_buf page;

    SET(usage.alias1, "des000000000000000001");
    SET(usage.alias2, "");
    SET(usage.dki, "646573000000000000000001");
    REQUIRE_OK(md_usage_add(change, &usage));
    REQUIRE_OK(st_change_commit(&change, NULL));
    page = page_of(a, 0, &last, &n);
    for (int i = 0; i < 2; i++) { /* the second time changes nothing */
        CHECK_RC(take(b, klm_buf_as_slice(&page), &taken), KLM_OK);
    }
    klm_buf_done(&page);
    change = help_begin(b);
    REQUIRE_OK(md_key_use(st_change_view(change), "des000000000000000001", &use));
    CHECK_STR(use.volser, "WXY662");
    CHECK_INT(use.times, 1);
    CHECK(use.first == T0 && use.last == T0);
    REQUIRE_OK(md_group_add(change, "G", false));
    REQUIRE_OK(klm_alias_run(klm_slice_str("des1-2"), &run));
    REQUIRE_OK(md_group_put(change, "G", &run));
    REQUIRE_OK(md_group_next(change, "G", "OTHER1", T0, alias, &left));
    CHECK_STR(alias, "des000000000000000002");
    /* What was given here later keeps its volume, whatever comes from there. */
    REQUIRE_OK(md_key_used_there(change, alias, "OLDER1", T0 - 1));
    REQUIRE_OK(md_key_use(st_change_view(change), alias, &use));
    CHECK_STR(use.volser, "OTHER1");
    CHECK(use.first == T0 - 1 && use.last == T0 && use.times == 2);
    st_change_drop(&change);
    st_close(&a);
    st_close(&b);
}

TEST(a_page_that_comes_twice_changes_nothing_the_second_time)
{
    struct st_store *a = site(), *b = site();
    uint64_t last = 0;
    size_t n = 0, taken = 0;
    struct klm_buf page;

    help_fill(a, 1, 5);
    help_fill(b, 1, 2);
    page = page_of(a, 0, &last, &n);
    CHECK_INT(n, 5);
    CHECK_INT(last, 5);
    CHECK_RC(take(b, klm_buf_as_slice(&page), &taken), KLM_OK);
    CHECK_INT(taken, 5);
    CHECK_INT(count(b), 7);
    CHECK_RC(take(b, klm_buf_as_slice(&page), &taken), KLM_OK);
    CHECK_INT(taken, 0);
    CHECK_INT(count(b), 7);
    klm_buf_done(&page);
    page = page_of(b, 0, &last, &n); /* what came from a is not b's to give */
    CHECK_INT(n, 2);
    CHECK_INT(last, 7);
    klm_buf_done(&page);
    st_close(&a);
    st_close(&b);
}

TEST(events_come_in_pages_and_a_missing_page_is_noticed)
{
    struct st_store *a = site(), *b = site();
    uint64_t last = 0, first = 0;
    size_t n = 0, taken = 0;
    struct klm_buf one, two;

    help_fill(a, 1, MD_PAGE + 3);
    one = page_of(a, 0, &first, &n);
    CHECK_INT(n, MD_PAGE);
    two = page_of(a, first, &last, &n);
    CHECK_INT(n, 3);
    CHECK_RC(take(b, klm_buf_as_slice(&two), &taken), KLM_E_STATE);
    CHECK_INT(count(b), 0);
    CHECK_RC(take(b, klm_buf_as_slice(&one), &taken), KLM_OK);
    CHECK_RC(take(b, klm_buf_as_slice(&two), &taken), KLM_OK);
    CHECK_INT(count(b), MD_PAGE + 3);
    klm_buf_done(&one);
    klm_buf_done(&two);
    one = page_of(a, last, &last, &n);
    CHECK_INT(n, 0);
    CHECK_INT(last, MD_PAGE + 3);
    klm_buf_done(&one);
    st_close(&a);
    st_close(&b);
}

TEST(a_page_cut_anywhere_or_one_byte_longer_is_refused_as_a_whole)
{
    struct st_store *a = site(), *b = site();
    uint64_t last = 0;
    size_t n = 0, taken = 0;
    struct klm_buf page;

    help_fill(a, 1, 2);
    page = page_of(a, 0, &last, &n);
    for (size_t cut = 0; cut < page.n; cut++) {
        CHECK(take(b, KLM_SLICE(page.p, cut), &taken) != KLM_OK);
    }
    klm_buf_u8(&page, 0);
    CHECK_RC(take(b, klm_buf_as_slice(&page), &taken), KLM_E_INVALID);
    page.n--;
    page.p[0] = 2; /* of a later release */
    CHECK_RC(take(b, klm_buf_as_slice(&page), &taken), KLM_E_UNSUPPORTED);
    page.p[0] = 1;
    page.p[25] = 0xff; /* more events than a page has */
    CHECK_RC(take(b, klm_buf_as_slice(&page), &taken), KLM_E_LIMIT);
    CHECK_INT(count(b), 0);
    klm_buf_done(&page);
    st_close(&a);
    st_close(&b);
}

TEST(what_was_sent_is_remembered_for_each_partner)
{
    struct st_store *store = site();
    struct st_change *change = help_begin(store);
    uint64_t number = 9;

    REQUIRE_OK(md_sent_get(st_change_view(change), "one", &number));
    CHECK_INT(number, 0);
    REQUIRE_OK(md_sent_put(change, "one", 77));
    REQUIRE_OK(md_sent_put(change, "two", 5));
    REQUIRE_OK(md_sent_get(st_change_view(change), "one", &number));
    CHECK_INT(number, 77);
    st_change_drop(&change);
    st_close(&store);
}
