/* keygroups.xml: written, read, refused with line and column, and an operator's edit merged three ways. */
#include "md_help.h"

#include "metadata/keygroups.h"

#define HEAD "<keyGroups format=\"1\" generation=\"7\">\n"
#define TAIL "</keyGroups>\n"

static void put(struct st_change *change, const char *group, const char *text)
{
    struct klm_alias_run run;

    REQUIRE_OK(klm_alias_run(klm_slice_str(text), &run));
    REQUIRE_OK(md_group_put(change, group, &run));
}

/* Groups A (des1-9, KEY<1>) and B (empty, wraps). */
static void fill(struct st_change *change)
{
    REQUIRE_OK(md_group_add(change, "A", false));
    REQUIRE_OK(md_group_add(change, "B-C", true));
    put(change, "A", "des1-9");
    put(change, "A", "KEY<1>");
}

static struct klm_buf text_of(struct st_change *change, uint64_t generation)
{
    struct klm_buf text;

    klm_buf_init(&text, MD_GROUPS_FILE_MAX);
    REQUIRE_OK(md_groups_encode(st_change_view(change), generation, &text));
    return text;
}

static klm_rc decode(const char *text, struct klm_diag *diag)
{
    struct md_groups_file *file = NULL;
    klm_rc rc = md_groups_decode(klm_slice_str(text), diag, &file);

    md_groups_file_free(&file);
    return rc;
}

TEST(what_is_written_is_read_again_and_is_known_as_ours)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_groups_file *file = NULL;

    fill(change);
    REQUIRE_OK(md_group_own(change, "X,Y"));
    struct klm_buf text = text_of(change, 42);
    REQUIRE_OK(md_groups_decode(klm_buf_as_slice(&text), NULL, &file));
    CHECK(md_groups_intact(file));
    CHECK_INT(md_groups_generation(file), 42);
    REQUIRE(md_groups_count(file) == 2);
    CHECK_STR(file->group[0].name, "A");
    CHECK_INT(file->group[0].n, 2);
    CHECK_STR(file->group[0].run[0].last, "des000000000000000009");
    CHECK_STR(file->group[0].run[1].first, "KEY<1>");
    CHECK_STR(file->group[1].name, "B-C");
    CHECK(file->group[1].wrap);
    md_groups_file_free(&file);
    text.p[text.n - 3] ^= 1; /* in the last tag: not even well-formed */
    CHECK_RC(md_groups_decode(klm_buf_as_slice(&text), NULL, &file), KLM_E_INVALID);
    klm_buf_done(&text);
    st_change_drop(&change);
    st_close(&store);
}

TEST(an_edit_shows_by_the_digest)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_groups_file *file = NULL;

    fill(change);
    struct klm_buf text = text_of(change, 42);
    char *at = memmem(text.p, text.n, "wrap=\"false\"", 12);
    REQUIRE(at != NULL);
    memcpy(at, "wrap=\"true\" ", 12);
    REQUIRE_OK(md_groups_decode(klm_buf_as_slice(&text), NULL, &file));
    CHECK(!md_groups_intact(file));
    md_groups_file_free(&file);
    klm_buf_done(&text);
    st_change_drop(&change);
    st_close(&store);
}

TEST(a_file_that_breaks_a_rule_is_refused_with_line_and_column)
{
    static const struct {
        const char *text, *id;
        unsigned line;
    } bad[] = {
        {"<!DOCTYPE x><keyGroups format=\"1\"/>", "KLM1741E", 1},
        {"", "KLM1740E", 1},
        {"<other/>", "KLM1740E", 1},
        {"<keyGroups/>", "KLM1740E", 1},
        {"<keyGroups format=\"2\"/>", "KLM1740E", 1},
        {"<keyGroups format=\"1\" generation=\"x\"/>", "KLM1740E", 1},
        {"<keyGroups format=\"1\" other=\"x\"/>", "KLM1740E", 1},
        {HEAD "text" TAIL, "KLM1740E", 2},
        {HEAD "<key/>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup/>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"a b\"/>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"symmetricKeySet\"/>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"A\" wrap=\"maybe\"/>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"A\">\n<key/></keyGroup>" TAIL, "KLM1740E", 3},
        {HEAD "<keyGroup id=\"A\">\n\n<keyAlias>a b</keyAlias></keyGroup>" TAIL, "KLM1740E", 4},
        {HEAD "<keyGroup id=\"A\"><keyAlias>des1-9</keyAlias></keyGroup>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"A\"><keyRange>des9-1</keyRange></keyGroup>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"A\"><keyAlias><b/></keyAlias></keyGroup>" TAIL, "KLM1740E", 2},
        {HEAD "<keyGroup id=\"A\"/>\n<keyGroup id=\"A\"/>" TAIL, "KLM1742E", 0},
        {HEAD "<keyGroup "
              "id=\"A\"><keyRange>des1-9</keyRange><keyRange>des9-a</keyRange></keyGroup>" TAIL,
         "KLM1742E", 0},
        {HEAD, "KLM1740E", 0},
    };

    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        struct klm_diag diag = {0};

        CHECK_RC(decode(bad[i].text, &diag), KLM_E_INVALID);
        test_str(klm_msg(diag.msg)->id, bad[i].id, bad[i].text, __FILE__, __LINE__);
        if (bad[i].line) {
            test_int(diag.line, bad[i].line, bad[i].text, __FILE__, __LINE__);
        }
    }
    CHECK_RC(decode(HEAD TAIL, NULL), KLM_OK);
    CHECK_RC(decode(HEAD "<keyGroup id=\"A\"><keyAlias>&amp;x</keyAlias></keyGroup>" TAIL, NULL),
             KLM_OK);
}

/* Merge an edit whose base is the store as it was when it was shown. */
static struct md_groups_merge merge(struct st_change *change, const char *edited,
                                    const struct klm_buf *base)
{
    struct md_groups_file *file = NULL;
    struct md_groups_merge out = {0};
    struct klm_slice none = {0};

    REQUIRE_OK(md_groups_decode(klm_slice_str(edited), NULL, &file));
    REQUIRE_OK(
        md_groups_merge_file(change, file, base ? klm_buf_as_slice(base) : none, NULL, NULL, &out));
    md_groups_file_free(&file);
    return out;
}

static const char edit[] =
    HEAD "<keyGroup id=\"A\"><keyRange>des1-3</keyRange><keyRange>des6-f</keyRange>"
         "</keyGroup><keyGroup id=\"N\" wrap=\"true\"><keyAlias>NEW</keyAlias></keyGroup>" TAIL;

TEST(an_edit_is_merged_against_the_generation_that_it_began_with)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_group group;

    fill(change);
    struct klm_buf base = text_of(change, 7);
    REQUIRE_OK(md_group_add(change, "Z", false)); /* made since: stays */
    struct md_groups_merge out = merge(change, edit, &base);
    CHECK_INT(out.added, 1);
    CHECK_INT(out.changed, 1);
    CHECK_INT(out.removed, 1);
    CHECK_INT(out.conflicts, 0);
    REQUIRE_OK(md_group_get(st_change_view(change), "A", &group));
    CHECK_INT(group.keys, 13);
    CHECK_RC(md_group_has(st_change_view(change), "A", "des000000000000000004"), KLM_E_NOTFOUND);
    CHECK_RC(md_group_has(st_change_view(change), "A", "des00000000000000000f"), KLM_OK);
    CHECK_RC(md_group_has(st_change_view(change), "A", "KEY<1>"), KLM_E_NOTFOUND);
    CHECK_RC(md_group_get(st_change_view(change), "B-C", &group), KLM_E_NOTFOUND);
    REQUIRE_OK(md_group_get(st_change_view(change), "N", &group));
    CHECK(group.wrap);
    CHECK_RC(md_group_get(st_change_view(change), "Z", &group), KLM_OK);
    out = merge(change, edit, &base); /* twice: nothing more */
    CHECK_INT(out.added + out.changed + out.removed, 0);
    klm_buf_done(&base);
    st_change_drop(&change);
    st_close(&store);
}

TEST(a_group_changed_on_both_sides_keeps_the_stores)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_group group;

    fill(change);
    struct klm_buf base = text_of(change, 7);
    put(change, "A", "MORE");
    struct md_groups_merge out = merge(change, edit, &base);
    CHECK_INT(out.conflicts, 1);
    REQUIRE_OK(md_group_get(st_change_view(change), "A", &group));
    CHECK_INT(group.keys, 11);
    klm_buf_done(&base);
    st_change_drop(&change);
    st_close(&store);
}

TEST(without_its_base_an_edit_removes_nothing)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_group group;

    fill(change);
    struct md_groups_merge out = merge(change, edit, NULL);
    CHECK_INT(out.removed, 0);
    CHECK_INT(out.changed, 1);
    REQUIRE_OK(md_group_get(st_change_view(change), "A", &group));
    CHECK_INT(group.keys, 16);
    CHECK_RC(md_group_get(st_change_view(change), "B-C", &group), KLM_OK);
    st_change_drop(&change);
    st_close(&store);
}

/* Take another server's file, as a partner or a migration does. */
static struct md_groups_merge take(struct st_change *change, bool rewrite)
{
    struct md_groups_file *file = NULL;
    struct md_groups_merge out = {0};

    REQUIRE_OK(md_groups_decode(klm_slice_str(edit), NULL, &file));
    REQUIRE_OK(md_groups_take(change, file, rewrite, NULL, NULL, &out));
    md_groups_file_free(&file);
    return out;
}

TEST(groups_of_another_server_are_added_to_and_nothing_is_taken_away)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    struct md_group group;
    struct md_groups_merge out;

    help_listen();
    fill(change);
    out = take(change, false);
    CHECK_INT(out.added, 1);
    CHECK_INT(out.changed, 1);
    CHECK_INT(out.removed + out.conflicts, 0);
    REQUIRE_OK(md_group_get(st_change_view(change), "A", &group));
    CHECK_INT(group.keys, 16);
    CHECK_RC(md_group_get(st_change_view(change), "B-C", &group), KLM_OK);
    CHECK_STR(help_said, ""); /* it is no edit of an operator, and no base of it was lost */
    st_change_drop(&change);
    st_close(&store);
}

TEST(groups_that_are_rewritten_are_those_of_the_file_and_keep_their_turn)
{
    struct st_store *store = help_store();
    struct st_change *change = help_begin(store);
    char alias[KLM_ALIAS_MAX + 1];
    struct md_group group;
    struct md_groups_merge out;
    uint64_t left;

    fill(change);
    REQUIRE_OK(md_group_next(change, "A", "VOL001", T0, alias, &left));
    out = take(change, true);
    CHECK_INT(out.added, 1);
    CHECK_INT(out.changed, 1);
    CHECK_INT(out.removed, 1);
    CHECK_INT(out.conflicts, 0);
    REQUIRE_OK(md_group_get(st_change_view(change), "A", &group));
    CHECK_INT(group.keys, 13);
    CHECK_RC(md_group_has(st_change_view(change), "A", "KEY<1>"), KLM_E_NOTFOUND);
    CHECK_RC(md_group_get(st_change_view(change), "B-C", &group), KLM_E_NOTFOUND);
    REQUIRE_OK(md_group_next(change, "A", "VOL002", T0, alias, &left));
    CHECK_STR(alias, "des000000000000000002");
    out = take(change, true); /* twice: nothing more */
    CHECK_INT(out.added + out.changed + out.removed, 0);
    st_change_drop(&change);
    st_close(&store);
}
