/* Edits of filedrive.table come into the store: every case of the three ways, and import. */
#include "dt_help.h"

/* A state of one drive in a file or the store. */
enum state { NONE, OLD, NEW, OTHER };

static const char *const alias_of[] = {[OLD] = "old", [NEW] = "new", [OTHER] = "other"};

static struct dt_drive drive_of(enum state state)
{
    struct dt_drive d = help_drive(SN);

    SET(d.alias1, alias_of[state]);
    return d;
}

static struct st_store *store_with(enum state state)
{
    struct st_store *store = help_store();

    if (state != NONE) {
        struct dt_drive d = drive_of(state);

        help_add(store, &d);
    }
    return store;
}

/* The text of a table of that state. */
static void text_of(enum state state, uint64_t generation, struct klm_buf *out)
{
    struct st_store *store = store_with(state);
    struct st_view *view = help_view(store);

    klm_buf_init(out, 1 << 20);
    REQUIRE_OK(dt_file_encode(view, generation, out));
    st_view_close(&view);
    st_close(&store);
}

static struct dt_file *file_of(enum state state, uint64_t generation)
{
    struct klm_buf text;
    struct dt_file *file = NULL;

    text_of(state, generation, &text);
    REQUIRE_OK(dt_file_decode(klm_buf_as_slice(&text), NULL, &file));
    klm_buf_done(&text);
    return file;
}

static enum state state_in(struct st_change *c)
{
    struct dt_drive d;

    if (dt_get(st_change_view(c), SN, &d) != KLM_OK) {
        return NONE;
    }
    for (enum state s = OLD; s <= OTHER; s++) {
        if (strcmp(d.alias1, alias_of[s]) == 0) {
            return s;
        }
    }
    return NONE;
}

static const struct three {
    enum state base, edited, store, result;
    const char *id; /* of the message said, NULL: none */
    struct dt_merge count;
} three_ways[] = {
    {NONE, NONE, NONE, NONE, NULL, {0}},
    {NONE, NONE, NEW, NEW, NULL, {0}},                       /* added to the store since */
    {NONE, NEW, NONE, NEW, "KLM0230I", {.added = 1}},        /* added by the operator */
    {NONE, NEW, NEW, NEW, NULL, {0}},                        /* added alike on both sides */
    {NONE, NEW, OTHER, OTHER, "KLM0233W", {.conflicts = 1}}, /* added differently */
    {OLD, NONE, NONE, NONE, NULL, {0}},                      /* removed on both sides */
    {OLD, NONE, OLD, NONE, "KLM0232I", {.removed = 1}},      /* removed by the operator */
    {OLD, NONE, OTHER, OTHER, "KLM0233W", {.conflicts = 1}}, /* removed, but changed since */
    {OLD, OLD, NONE, NONE, NULL, {0}},                       /* removed from the store since */
    {OLD, OLD, OLD, OLD, NULL, {0}},                         /* untouched */
    {OLD, OLD, OTHER, OTHER, NULL, {0}},                     /* changed in the store since */
    {OLD, NEW, NONE, NONE, "KLM0233W", {.conflicts = 1}},    /* changed, but removed since */
    {OLD, NEW, OLD, NEW, "KLM0231I", {.changed = 1}},        /* changed by the operator */
    {OLD, NEW, NEW, NEW, NULL, {0}},                         /* changed alike on both sides */
    {OLD, NEW, OTHER, OTHER, "KLM0233W", {.conflicts = 1}},  /* changed differently */
};

static void check_count(const struct dt_merge *got, const struct dt_merge *want)
{
    CHECK_INT(got->added, want->added);
    CHECK_INT(got->changed, want->changed);
    CHECK_INT(got->removed, want->removed);
    CHECK_INT(got->conflicts, want->conflicts);
}

TEST(every_case_of_a_three_way_merge)
{
    for (size_t i = 0; i < KLM_COUNT(three_ways); i++) {
        const struct three *t = &three_ways[i];
        struct st_store *store = store_with(t->store);
        struct st_change *c = help_begin(store);
        struct dt_file *edited = file_of(t->edited, 5);
        struct dt_merge got = {9, 9, 9, 9};
        struct klm_buf base;

        text_of(t->base, 5, &base);
        help_listen();
        REQUIRE_OK(dt_file_merge(c, edited, klm_buf_as_slice(&base), &got));
        klm_say_to(NULL, NULL);
        CHECK_INT(state_in(c), t->result);
        check_count(&got, &t->count);
        help_said[8] = '\0';
        CHECK_STR(help_said, t->id ? t->id : "");
        dt_file_free(&edited);
        klm_buf_done(&base);
        st_change_drop(&c);
        st_close(&store);
    }
}

static const struct two {
    enum state edited, store, result;
    struct dt_merge count;
} two_ways[] = {
    {NONE, NONE, NONE, {0}},         {NONE, OLD, OLD, {0}}, {NEW, NONE, NEW, {.added = 1}},
    {NEW, OLD, NEW, {.changed = 1}}, {NEW, NEW, NEW, {0}},
};

/* A base that is lost, damaged, edited, or of another generation than the edit names. */
TEST(without_its_base_an_edit_removes_nothing)
{
    for (size_t i = 0; i < 4 * KLM_COUNT(two_ways); i++) {
        const struct two *t = &two_ways[i / 4];
        struct st_store *store = store_with(t->store);
        struct st_change *c = help_begin(store);
        struct dt_file *edited = file_of(t->edited, 5);
        struct dt_merge got;
        struct klm_buf base;

        text_of(OLD, i % 4 == 0 ? 4 : 5, &base);
        if (i % 4 == 1) {
            base.n = 0;
        } else if (i % 4 == 2) {
            base.n -= 3;
        } else if (i % 4 == 3) {
            base.p[base.n - 6] ^= 1;
        }
        help_listen();
        REQUIRE_OK(dt_file_merge(c, edited, klm_buf_as_slice(&base), &got));
        klm_say_to(NULL, NULL);
        CHECK(help_heard("KLM0234W") && help_heard(" 5 "));
        CHECK_INT(state_in(c), t->result);
        check_count(&got, &t->count);
        dt_file_free(&edited);
        klm_buf_done(&base);
        st_change_drop(&c);
        st_close(&store);
    }
}

/* Contacts, and what the server learned meanwhile, are no difference and are not lost by an
 * edit. */
TEST(what_the_server_learned_is_kept_by_an_edit)
{
    struct st_store *store = help_store();
    struct dt_drive then = help_drive(SN), now, got;
    struct dt_file *edited = NULL;
    struct klm_buf base, text;
    struct st_change *c;
    struct dt_merge m;
    struct st_view *view;
    char *alias;

    then.wwn[0] = '\0';
    help_add(store, &then);
    klm_buf_init(&base, 1 << 20);
    view = help_view(store);
    REQUIRE_OK(dt_file_encode(view, 5, &base));
    st_view_close(&view);
    klm_buf_init(&text, 1 << 20);
    klm_buf_slice(&text, klm_buf_as_slice(&base));
    alias = memmem(text.p, text.n, "Tape_Lbl_20", 11);
    REQUIRE(alias != NULL);
    memcpy(alias, "Tape_Lbl_99", 11);
    now = then;
    SET(now.wwn, "500507630240FBCC");
    SET(now.fingerprint, PIN);
    SET(now.last_volser, "WXY662");
    now.first_contact = T0;
    now.last_contact = T0 + 7;
    c = help_begin(store);
    REQUIRE_OK(dt_modify(c, &now));
    REQUIRE_OK(dt_file_decode(klm_buf_as_slice(&text), NULL, &edited));
    help_listen();
    REQUIRE_OK(dt_file_merge(c, edited, klm_buf_as_slice(&base), &m));
    klm_say_to(NULL, NULL);
    CHECK_INT(m.changed, 1);
    CHECK_INT(m.conflicts, 0);
    REQUIRE_OK(dt_get(st_change_view(c), SN, &got));
    SET(now.alias1, "Tape_Lbl_99");
    CHECK(help_same(&got, &now));
    dt_file_free(&edited);
    klm_buf_done(&base);
    klm_buf_done(&text);
    st_change_drop(&c);
    st_close(&store);
}

/* Three drives in three states at once, so that the lists are walked side by side. */
TEST(many_drives_are_merged_side_by_side)
{
    struct st_store *store = help_store();
    struct st_change *c;
    struct dt_file *edited = NULL;
    struct dt_merge m;
    struct dt_drive got;
    struct klm_buf base;
    struct st_view *view;
    char serial[13];

    for (unsigned i = 0; i < 90; i += 3) {
        snprintf(serial, sizeof serial, "%012u", i);
        got = help_drive(serial);
        help_add(store, &got);
    }
    klm_buf_init(&base, 1 << 20);
    view = help_view(store);
    REQUIRE_OK(dt_file_encode(view, 0, &base));
    st_view_close(&view);
    for (unsigned i = 1; i < 90; i += 3) {
        snprintf(serial, sizeof serial, "%012u", i);
        got = help_drive(serial);
        help_add(store, &got);
    }
    REQUIRE_OK(dt_file_decode(
        klm_slice_str(
            "filedrive.table 1\n000000000000 3592 500507630240FBCC Tape_Lbl_20 Tape_Lbl_21\n"
            "000000000002 LTO\n000000000001 LTO\n000000000003 LTO\nend\n"),
        NULL, &edited));
    c = help_begin(store);
    help_listen();
    REQUIRE_OK(dt_file_merge(c, edited, klm_buf_as_slice(&base), &m));
    klm_say_to(NULL, NULL);
    check_count(&m, &(struct dt_merge){.added = 1, .changed = 1, .removed = 28, .conflicts = 1});
    CHECK_RC(dt_get(st_change_view(c), "000000000087", &got), KLM_E_NOTFOUND);
    REQUIRE_OK(dt_get(st_change_view(c), "000000000088", &got));
    REQUIRE_OK(dt_get(st_change_view(c), "000000000003", &got));
    CHECK_INT(got.kind, DT_LTO);
    REQUIRE_OK(dt_get(st_change_view(c), "000000000001", &got));
    CHECK_INT(got.kind, DT_3592);
    dt_file_free(&edited);
    klm_buf_done(&base);
    st_change_drop(&c);
    st_close(&store);
}

static struct dt_merge import(struct st_store *store, const char *text, bool rewrite)
{
    struct st_change *c = help_begin(store);
    struct dt_file *file = NULL;
    struct dt_merge m = {0};

    REQUIRE_OK(dt_file_decode(klm_slice_str(text), NULL, &file));
    REQUIRE_OK(dt_file_import(c, file, rewrite, &m));
    REQUIRE_OK(st_change_commit(&c, NULL));
    dt_file_free(&file);
    return m;
}

static klm_rc list_drive(void *arg, const struct dt_drive *d)
{
    char *all = arg;
    size_t n = strlen(all);

    snprintf(all + n, 200 - n, "%s=%s ", d->serial + 9, d->alias1);
    return KLM_OK;
}

static const char *all_of(struct st_store *store)
{
    static char all[200];
    struct st_view *view = help_view(store);

    all[0] = '\0';
    REQUIRE_OK(dt_scan(view, list_drive, all));
    st_view_close(&view);
    return all;
}

TEST(an_import_adds_and_replaces_or_rewrites_all)
{
    static const char text[] =
        "filedrive.table 1\n000000000001 LTO - a\n000000000002 LTO - b\nend\n";
    struct st_store *store = help_store();
    struct dt_merge m;

    m = import(store, "filedrive.table 1\n000000000002 LTO - x\n000000000003 LTO - y\nend\n",
               false);
    check_count(&m, &(struct dt_merge){.added = 2});
    m = import(store, text, false);
    check_count(&m, &(struct dt_merge){.added = 1, .changed = 1});
    CHECK_STR(all_of(store), "001=a 002=b 003=y ");
    m = import(store, text, true);
    check_count(&m, &(struct dt_merge){.removed = 1});
    CHECK_STR(all_of(store), "001=a 002=b ");
    m = import(store, text, true);
    check_count(&m, &(struct dt_merge){0});
    m = import(store, "filedrive.table 1\nend\n", true);
    check_count(&m, &(struct dt_merge){.removed = 2});
    CHECK_STR(all_of(store), "");
    st_close(&store);
}
