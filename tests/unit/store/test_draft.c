/* Drafts: changes that are never committed, to see what several steps would do together. */
#include "store/store_help.h"

#include <pthread.h>
#include <stdatomic.h>

static struct st_store *store;

static void opened(void)
{
    if (!store) {
        store = help_open(test_path("draft"));
        REQUIRE_OK(help_put(store, ST_DRIVE, "a", "1"));
        REQUIRE_OK(help_put(store, ST_DRIVE, "b", "1"));
    }
}

static struct st_change *draft_of(struct st_store *of)
{
    struct st_change *draft = NULL;

    REQUIRE_OK(st_draft_open(of, &draft));
    return draft;
}

TEST(a_draft_sees_what_it_wrote_and_nobody_else_does)
{
    opened();
    const uint64_t number = st_number(store);
    struct st_change *draft = draft_of(store);

    REQUIRE_OK(st_put(draft, ST_DRIVE, S("a"), S("2")));
    REQUIRE_OK(st_put(draft, ST_DRIVE, S("c"), S("new")));
    REQUIRE_OK(st_delete(draft, ST_DRIVE, S("b")));
    CHECK_STR(help_scan(st_change_view(draft), ST_DRIVE, (struct st_range){0}), "a=2 c=new");
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
    CHECK_STR(help_get(store, ST_DRIVE, "b"), "1");
    CHECK_STR(help_get(store, ST_DRIVE, "c"), "-");
    st_change_drop(&draft);
    CHECK(draft == NULL);
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
    CHECK_INT(st_number(store), number);
}

TEST(a_step_of_a_draft_is_undone_alone)
{
    opened();
    struct st_change *draft = draft_of(store);

    REQUIRE_OK(st_put(draft, ST_DRIVE, S("a"), S("2")));
    const size_t mark = st_change_mark(draft);
    REQUIRE_OK(st_put(draft, ST_DRIVE, S("a"), S("3")));
    REQUIRE_OK(st_delete(draft, ST_DRIVE, S("b")));
    st_change_undo(draft, mark);
    CHECK_STR(help_scan(st_change_view(draft), ST_DRIVE, (struct st_range){0}), "a=2 b=1");
    st_change_drop(&draft);
}

TEST(a_draft_is_never_committed)
{
    opened();
    const uint64_t number = st_number(store);
    struct st_change *draft = draft_of(store);

    REQUIRE_OK(st_put(draft, ST_DRIVE, S("a"), S("2")));
    CHECK_RC(st_change_commit(&draft, NULL), KLM_E_DENIED);
    CHECK(draft == NULL);
    draft = draft_of(store);
    REQUIRE_OK(st_put(draft, ST_DRIVE, S("a"), S("2")));
    CHECK_RC(st_change_commit_lazy(&draft, NULL), KLM_E_DENIED);
    draft = draft_of(store); /* one without anything in it, too */
    CHECK_RC(st_change_commit(&draft, NULL), KLM_E_DENIED);
    CHECK_STR(help_get(store, ST_DRIVE, "a"), "1");
    CHECK_INT(st_number(store), number);
    CHECK(!st_failed(store));
}

TEST(drafts_are_many_at_once_and_beside_a_change)
{
    opened();
    struct st_change *draft[20], *change = NULL;

    for (size_t i = 0; i < 20; i++) {
        draft[i] = draft_of(store);
        REQUIRE_OK(st_put(draft[i], ST_DRIVE, S("a"), KLM_SLICE(&"abcdefghijklmnopqrst"[i], 1)));
    }
    REQUIRE_OK(st_change_open(store, &change));
    REQUIRE_OK(st_put(change, ST_DRIVE, S("d"), S("4")));
    st_change_drop(&draft[0]); /* which lets no second change in */
    struct st_change *second = NULL;
    CHECK_RC(st_change_open(store, &second), KLM_E_BUSY);
    REQUIRE_OK(st_change_commit(&change, NULL));
    for (size_t i = 1; i < 20; i++) {
        const char own[] = {"abcdefghijklmnopqrst"[i], '\0'};

        CHECK_STR(help_see(st_change_view(draft[i]), ST_DRIVE, "a"), own);
        CHECK_STR(help_see(st_change_view(draft[i]), ST_DRIVE, "d"), "-"); /* its own snapshot */
        st_change_drop(&draft[i]);
    }
    CHECK_STR(help_get(store, ST_DRIVE, "d"), "4");
    REQUIRE_OK(st_change_open(store, &change));
    REQUIRE_OK(st_delete(change, ST_DRIVE, S("d")));
    REQUIRE_OK(st_change_commit(&change, NULL));
}

/* ---- Commits under way. Each writes the same to two keys, and lets a third come and go: whoever sees half of one sees them differ. */
static atomic_bool stop;
static atomic_uint commits;

static void *commit_on(void *arg)
{
    char text[24];

    (void)arg;
    for (unsigned i = 2; !atomic_load(&stop); i++) {
        struct st_change *change = NULL;

        snprintf(text, sizeof text, "%u", i);
        REQUIRE_OK(st_change_open(store, &change));
        REQUIRE_OK(st_put(change, ST_DRIVE, S("a"), S(text)));
        REQUIRE_OK(st_put(change, ST_DRIVE, S("b"), S(text)));
        REQUIRE_OK(i % 2 ? st_put(change, ST_DRIVE, S("odd"), S(text))
                         : st_delete(change, ST_DRIVE, S("odd")));
        REQUIRE_OK(st_change_commit(&change, NULL));
        atomic_fetch_add(&commits, 1);
    }
    return NULL;
}

static unsigned one_draft(unsigned *seen)
{
    struct st_change *draft = draft_of(store);
    const size_t mark = st_change_mark(draft);
    struct st_view *view = st_change_view(draft);
    char a[24];
    unsigned wrong = 0;

    snprintf(a, sizeof a, "%.20s", help_see(view, ST_DRIVE, "a"));
    wrong += strcmp(a, help_see(view, ST_DRIVE, "b")) != 0;
    wrong += (atoi(a) % 2 != 0 && atoi(a) > 1) != (help_see(view, ST_DRIVE, "odd")[0] != '-');
    wrong += (unsigned)atoi(a) < *seen; /* never older than one before */
    *seen = (unsigned)atoi(a);
    REQUIRE_OK(st_put(draft, ST_DRIVE, S("a"), S("own")));
    wrong += strcmp(help_see(view, ST_DRIVE, "a"), "own") != 0;
    wrong += strcmp(help_see(view, ST_DRIVE, "b"), a) != 0;
    st_change_undo(draft, mark);
    wrong += strcmp(help_see(view, ST_DRIVE, "b"), a) != 0;
    st_change_drop(&draft);
    return wrong;
}

TEST(a_draft_sees_a_commit_under_way_as_a_whole_or_not_at_all)
{
    pthread_t thread;
    unsigned wrong = 0, seen = 0, drafts = 0;

    opened();
    atomic_store(&stop, false);
    REQUIRE(pthread_create(&thread, NULL, commit_on, NULL) == 0);
    while (atomic_load(&commits) < 200) {
        wrong += one_draft(&seen);
        drafts++;
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    CHECK_INT(wrong, 0);
    CHECK(drafts > 10);
}

TEST(zz_close)
{
    st_close(&store);
}
