/* Key groups: what is in them, whose turn it is, and that no key is given for two volumes. */
#include "md_help.h"

#include "metadata/group.h"

static struct klm_alias_run run_of(const char *text)
{
    struct klm_alias_run run;

    REQUIRE_OK(klm_alias_run(klm_slice_str(text), &run));
    return run;
}

static void put(struct st_change *change, const char *group, const char *text)
{
    const struct klm_alias_run run = run_of(text);

    REQUIRE_OK(md_group_put(change, group, &run));
}

/* The runs of a group as one text. */
struct texts {
    char text[400];
    size_t n;
};

static klm_rc add_text(void *arg, const struct klm_alias_run *run)
{
    struct texts *texts = arg;
    char text[KLM_ALIAS_RUN_MAX];

    texts->n += (size_t)snprintf(texts->text + texts->n, sizeof texts->text - texts->n, "%s%s",
                                 texts->n ? "," : "", klm_alias_run_text(run, text));
    return KLM_OK;
}

static void check_runs(struct st_change *change, const char *group, const char *want)
{
    struct texts texts = {0};

    REQUIRE_OK(md_group_runs(st_change_view(change), group, add_text, &texts));
    CHECK_STR(texts.text, want);
}

static void check_next(struct st_change *change, const char *group, const char *volser,
                       const char *want)
{
    char alias[KLM_ALIAS_MAX + 1] = "";
    uint64_t left;

    CHECK_RC(md_group_next(change, group, volser, T0, alias, &left), want ? KLM_OK : KLM_E_LIMIT);
    CHECK_STR(alias, want ? want : "");
}

static uint64_t take_out(struct st_change *change, const char *group, const char *text)
{
    const struct klm_alias_run run = run_of(text);
    uint64_t n = 0;

    REQUIRE_OK(md_group_take_out(change, group, &run, &n));
    return n;
}

static struct md_group get(struct st_change *change, const char *name)
{
    struct md_group group = {0};

    REQUIRE_OK(md_group_get(st_change_view(change), name, &group));
    return group;
}

#define FRESH                                                                                      \
    struct st_store *store = help_store();                                                         \
    struct st_change *change = help_begin(store)
#define END                                                                                        \
    st_change_drop(&change);                                                                       \
    st_close(&store)

TEST(keys_of_a_group_are_given_in_turn_and_never_twice)
{
    FRESH;
    REQUIRE_OK(md_group_add(change, "G", false));
    put(change, "G", "KEYB");
    put(change, "G", "des01-02");
    put(change, "G", "KEYA");
    check_next(change, "G", "VOL001", "KEYB");
    check_next(change, "G", "VOL001", "des000000000000000001");
    check_next(change, "G", "VOL002", "des000000000000000002");
    CHECK_INT(md_group_left(&(struct md_group){.keys = 4, .passed = 3}), 1);
    check_next(change, "G", "VOL003", "KEYA");
    check_next(change, "G", "VOL004", NULL);
    CHECK_INT(get(change, "G").passed, 4);
    CHECK_STR(get(change, "G").last, "KEYA");
    put(change, "G", "aaa1-2"); /* what comes later is given later, whatever its name */
    check_next(change, "G", "VOL004", "aaa000000000000000001");
    END;
}

TEST(a_group_told_to_wrap_begins_again)
{
    FRESH;
    REQUIRE_OK(md_group_add(change, "G", false));
    put(change, "G", "des1-2");
    check_next(change, "G", "VOL001", "des000000000000000001");
    check_next(change, "G", "VOL002", "des000000000000000002");
    check_next(change, "G", "VOL003", NULL);
    REQUIRE_OK(md_group_wrap(change, "G", true));
    check_next(change, "G", "VOL003", "des000000000000000001");
    check_next(change, "G", "VOL004", "des000000000000000002");
    check_next(change, "G", "VOL005", "des000000000000000001");
    REQUIRE_OK(md_group_add(change, "EMPTY", true));
    check_next(change, "EMPTY", "VOL005", NULL);
    END;
}

TEST(keys_that_another_group_or_a_drive_was_given_are_passed)
{
    struct md_key_use use = {0};
    FRESH;

    REQUIRE_OK(md_group_add(change, "G", false));
    REQUIRE_OK(md_group_add(change, "H", false));
    put(change, "G", "des1-6");
    put(change, "H", "des2-4");
    REQUIRE_OK(md_key_take(change, "des000000000000000001", "VOL001", T0, &use));
    check_next(change, "H", "VOL002", "des000000000000000002");
    check_next(change, "G", "VOL003", "des000000000000000003");
    check_next(change, "H", "VOL004", "des000000000000000004");
    check_next(change, "G", "VOL005", "des000000000000000005");
    check_next(change, "H", "VOL006", NULL);
    CHECK_RC(md_key_take(change, "des000000000000000001", "VOL009", T0, &use), KLM_E_STATE);
    CHECK_STR(use.volser, "VOL001");
    CHECK_RC(md_key_take(change, "des000000000000000001", "VOL001", T0, &use), KLM_OK);
    CHECK_INT(use.times, 2);
    END;
}

TEST(a_turn_at_its_end_stays_there)
{
    struct md_key_use use;
    uint64_t left;
    char alias[KLM_ALIAS_MAX + 1];
    FRESH;

    REQUIRE_OK(md_group_add(change, "G", false));
    put(change, "G", "des1-3");
    REQUIRE_OK(md_key_take(change, "des000000000000000001", "VOL001", T0, &use));
    REQUIRE_OK(md_key_take(change, "des000000000000000002", "VOL002", T0, &use));
    REQUIRE_OK(md_key_take(change, "des000000000000000003", "VOL003", T0, &use));
    CHECK_RC(md_group_next(change, "G", "VOL004", T0, alias, &left), KLM_E_LIMIT);
    CHECK_INT(get(change, "G").passed, 3);
    size_t writes = st_change_size(change);
    CHECK_RC(md_group_next(change, "G", "VOL004", T0, alias, &left), KLM_E_LIMIT);
    CHECK_INT(st_change_size(change), writes);
    END;
}

TEST(an_alias_stands_in_a_group_once)
{
    struct klm_alias_run run = run_of("des3-9");
    FRESH;

    REQUIRE_OK(md_group_add(change, "G", false));
    CHECK_RC(md_group_add(change, "G", false), KLM_E_EXISTS);
    put(change, "G", "des5");
    put(change, "G", "des1-4");
    CHECK_RC(md_group_put(change, "G", &run), KLM_E_EXISTS);
    run = run_of("des0-9");
    CHECK_RC(md_group_put(change, "G", &run), KLM_E_EXISTS);
    run = run_of("des2");
    CHECK_RC(md_group_put(change, "G", &run), KLM_OK); /* plain des2 is another alias */
    CHECK_RC(md_group_put(change, "G", &run), KLM_E_EXISTS);
    CHECK_RC(md_group_put(change, "none", &run), KLM_E_NOTFOUND);
    check_runs(change, "G", "des5,des000000000000000001-4,des2");
    CHECK_RC(md_group_has(st_change_view(change), "G", "des000000000000000003"), KLM_OK);
    CHECK_RC(md_group_has(st_change_view(change), "G", "des000000000000000005"), KLM_E_NOTFOUND);
    END;
}

TEST(runs_that_go_on_where_the_last_one_ends_become_one)
{
    FRESH;
    REQUIRE_OK(md_group_add(change, "G", false));
    put(change, "G", "des1-4");
    put(change, "G", "des5-5");
    put(change, "G", "des7-8");
    check_runs(change, "G", "des000000000000000001-5,des000000000000000007-8");
    CHECK_INT(get(change, "G").runs, 2);
    CHECK_INT(get(change, "G").keys, 7);
    END;
}

TEST(an_alias_taken_out_of_the_middle_leaves_both_halves_in_their_turn)
{
    FRESH;
    REQUIRE_OK(md_group_add(change, "G", false));
    put(change, "G", "des1-9");
    put(change, "G", "KEY1");
    check_next(change, "G", "VOL001", "des000000000000000001");
    CHECK_INT(take_out(change, "G", "des4-5"), 2);
    CHECK_INT(take_out(change, "G", "des4-5"), 0);
    check_runs(change, "G", "des000000000000000001-3,des000000000000000006-9,KEY1");
    check_next(change, "G", "VOL002", "des000000000000000002");
    check_next(change, "G", "VOL003", "des000000000000000003");
    check_next(change, "G", "VOL004", "des000000000000000006");
    CHECK_INT(take_out(change, "G", "des1-1"), 1);
    CHECK_INT(md_group_left(&(struct md_group){.keys = 1, .passed = 2}), 0);
    struct md_group group = get(change, "G");
    CHECK_INT(group.keys, 7);
    CHECK_INT(md_group_left(&group), 4);
    CHECK_INT(take_out(change, "G", "des6-7"), 2); /* the turn is in what goes */
    check_next(change, "G", "VOL005", "des000000000000000008");
    CHECK_INT(take_out(change, "G", "des0-ff"), 4);
    check_next(change, "G", "VOL006", "KEY1");
    check_next(change, "G", "VOL007", NULL);
    CHECK_INT(get(change, "G").keys, 1);
    END;
}

TEST(the_turn_in_the_second_half_of_a_run_that_is_cut_goes_on_there)
{
    FRESH;
    REQUIRE_OK(md_group_add(change, "G", true));
    put(change, "G", "des1-9");
    for (int i = 1; i <= 6; i++) {
        char want[KLM_ALIAS_MAX + 1];

        snprintf(want, sizeof want, "des00000000000000000%d", i);
        check_next(change, "G", "VOL001", want);
    }
    CHECK_INT(take_out(change, "G", "des3-3"), 1);
    check_next(change, "G", "VOL001", "des000000000000000007");
    END;
}

TEST(a_group_goes_with_its_runs_and_its_name_is_free_again)
{
    FRESH;
    REQUIRE_OK(md_group_add(change, "G", false));
    REQUIRE_OK(md_group_add(change, "GG", false)); /* its keys begin with the same letters */
    put(change, "G", "des1-9");
    put(change, "GG", "KEY1");
    REQUIRE_OK(md_group_delete(change, "G"));
    CHECK_RC(md_group_delete(change, "G"), KLM_E_NOTFOUND);
    REQUIRE_OK(md_group_add(change, "G", false));
    check_runs(change, "G", "");
    check_runs(change, "GG", "KEY1");
    END;
}

TEST(names_of_groups_have_rules)
{
    static const char *const bad[] = {
        "", "a b", "a,b", "a;b", "a&b", "a\"b", "symmetricKeySet", "gr\303\274n"};
    char longest[MD_GROUP_MAX + 2];
    struct klm_diag diag = {0};

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(md_group_name(bad[i], &diag), KLM_E_INVALID);
        CHECK_STR(klm_msg(diag.msg)->id, "KLM1701E");
    }
    memset(longest, 'g', sizeof longest);
    longest[MD_GROUP_MAX + 1] = '\0';
    CHECK_RC(md_group_name(longest, &diag), KLM_E_INVALID);
    longest[MD_GROUP_MAX] = '\0';
    CHECK_RC(md_group_name(longest, &diag), KLM_OK);
}

/* A million keys in ten thousand runs: the next one is found without looking at those before. */
TEST(the_next_key_of_a_large_group_is_found_in_one_step)
{
    struct klm_alias_run run = run_of("des1-64"); /* 100 keys */
    FRESH;

    REQUIRE_OK(md_group_add(change, "G", false));
    for (int i = 0; i < 10000; i++) {
        char text[64];

        snprintf(text, sizeof text, "%c%c%c1-64", 'a' + i % 26, 'a' + i / 26 % 26, 'a' + i / 676);
        run = run_of(text);
        REQUIRE_OK(md_group_put(change, "G", &run));
    }
    CHECK_INT(get(change, "G").keys, 1000000);
    REQUIRE_OK(st_change_commit(&change, NULL));
    uint64_t start = test_cpu_ns();
    change = help_begin(store);
    for (int i = 0; i < 1000; i++) {
        char alias[KLM_ALIAS_MAX + 1];
        uint64_t left;

        REQUIRE_OK(md_group_next(change, "G", "VOL001", T0, alias, &left));
        CHECK_INT(left, 1000000 - i - 1);
    }
    CHECK((test_cpu_ns() - start) / 1000000 < test_ms(5000));
    END;
}
