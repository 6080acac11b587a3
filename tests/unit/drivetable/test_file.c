/* filedrive.table: written, read, refused. */
#include "dt_help.h"

#include "base/ebcdic.h"

/* Made by a Python script from FORMAT.md, the digest with hashlib. */
static const char vector[] =
    "filedrive.table 1\n"
    "generation 42\n"
    "count 2\n"
    "digest 27cacb3312a39ed344c3ba73e3756aa5ff74cca289777a07120d75f00d55f411\n"
    "# Drives of the key manager. Columns are parted by blanks; - is empty; \"...\" holds blanks.\n"
    "# serial     kind   wwn              alias1               alias2               symalias     "
    "first-co"
    "ntact               last-contact                volser fingerprint\n"
    "000007888422 3592   500507630240FBCC \"Tape Lbl \\\"20\\\"\"    Tape_Lbl_21          -        "
    "    20"
    "11-10-18T19:35:08.000000Z 2011-10-18T19:35:09.000001Z WXY662 "
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e"
    "4649b934ca495991b7852b855\n"
    "FVTDRIVE0000 LTO    -                -                    -                    GROUP1       - "
    "      "
    "                    -                           \"#1\"   -\n"
    "end\n";

static klm_rc decode(const char *text, struct klm_diag *diag, struct dt_file **out)
{
    return dt_file_decode(klm_slice_str(text), diag, out);
}

/* The drives of a file, by way of an import into an empty store. */
static struct dt_drive drive_in(const struct dt_file *file, const char *serial)
{
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct dt_merge merge;
    struct dt_drive d = {0};

    REQUIRE_OK(dt_file_import(c, file, false, &merge));
    CHECK_RC(dt_get(st_change_view(c), serial, &d), KLM_OK);
    st_change_drop(&c);
    st_close(&store);
    return d;
}

static void fill_as_vector(struct st_store *store)
{
    struct dt_drive a = help_drive(SN), b = {.kind = DT_LTO};

    a.first_contact = T0;
    a.last_contact = T0 + 1000001;
    SET(a.alias1, "Tape Lbl \"20\"");
    SET(a.last_volser, "WXY662");
    SET(a.fingerprint, PIN);
    SET(b.serial, "FVTDRIVE0000");
    SET(b.symalias, "GROUP1");
    SET(b.last_volser, "#1");
    help_add(store, &b);
    help_add(store, &a);
}

static void encode(struct st_store *store, uint64_t generation, struct klm_buf *out)
{
    struct st_view *view = help_view(store);

    REQUIRE_OK(dt_file_encode(view, generation, out));
    st_view_close(&view);
}

TEST(the_file_is_written_as_the_format_says)
{
    struct st_store *store = help_store();
    struct klm_buf out;

    klm_buf_init(&out, 1 << 20);
    fill_as_vector(store);
    encode(store, 42, &out);
    CHECK_INT(out.n, sizeof vector - 1);
    CHECK_MEM(out.p, vector, out.n < sizeof vector - 1 ? out.n : sizeof vector - 1);
    klm_buf_done(&out);
    st_close(&store);
}

TEST(a_file_made_by_other_means_is_read)
{
    struct st_store *store = help_store();
    struct dt_file *file = NULL;
    struct dt_drive want, got;
    struct st_view *view;

    fill_as_vector(store);
    REQUIRE_OK(decode(vector, NULL, &file));
    CHECK(dt_file_intact(file));
    CHECK_INT(dt_file_generation(file), 42);
    CHECK_INT(dt_file_count(file), 2);
    view = help_view(store);
    REQUIRE_OK(dt_get(view, SN, &want));
    got = drive_in(file, SN);
    CHECK(help_same(&got, &want));
    REQUIRE_OK(dt_get(view, "FVTDRIVE0000", &want));
    got = drive_in(file, "FVTDRIVE0000");
    CHECK(help_same(&got, &want));
    st_view_close(&view);
    dt_file_free(&file);
    dt_file_free(&file);
    st_close(&store);
}

TEST(aliases_that_look_like_something_else_survive)
{
    static const char *const odd[] = {"-",
                                      "#",
                                      "#x",
                                      " ",
                                      "  a  b ",
                                      "\"",
                                      "\\",
                                      "\\\\\"",
                                      "end",
                                      "a\\b",
                                      "Schl\xC3\xBCssel",
                                      "generation",
                                      "\xE9\x8D\xB5",
                                      "a#b",
                                      "--"};
    struct st_store *store = help_store();
    struct dt_file *file = NULL;
    struct klm_buf out;

    for (size_t i = 0; i < KLM_COUNT(odd); i++) {
        char serial[13];
        struct dt_drive d;

        snprintf(serial, sizeof serial, "%012zu", i);
        d = help_drive(serial);
        SET(d.alias1, odd[i]);
        SET(d.alias2, odd[KLM_COUNT(odd) - 1 - i]);
        help_add(store, &d);
    }
    klm_buf_init(&out, 1 << 20);
    encode(store, 1, &out);
    REQUIRE_OK(dt_file_decode(klm_buf_as_slice(&out), NULL, &file));
    CHECK(dt_file_intact(file));
    for (size_t i = 0; i < KLM_COUNT(odd); i++) {
        char serial[13];

        snprintf(serial, sizeof serial, "%012zu", i);
        CHECK_STR(drive_in(file, serial).alias1, odd[i]);
        CHECK_STR(drive_in(file, serial).alias2, odd[KLM_COUNT(odd) - 1 - i]);
    }
    dt_file_free(&file);
    klm_buf_done(&out);
    st_close(&store);
}

TEST(a_file_written_by_hand_needs_little)
{
    struct dt_file *file = NULL;
    struct dt_drive d;

    REQUIRE_OK(decode("filedrive.table 1\n"
                      "# my drives\n"
                      "\n"
                      "\t0007888422   3592 # this one is old\n"
                      "  fvtdrive0000\tlto - - - \"my group\"\n"
                      "end",
                      NULL, &file));
    CHECK(!dt_file_intact(file));
    CHECK_INT(dt_file_generation(file), 0);
    CHECK_INT(dt_file_count(file), 2);
    d = drive_in(file, SN);
    CHECK_INT(d.kind, DT_3592);
    CHECK_STR(d.wwn, "");
    CHECK_STR(drive_in(file, "FVTDRIVE0000").symalias, "my group");
    dt_file_free(&file);
}

TEST(F22_lower_case_wwn_is_taken_in_upper_case)
{
    struct dt_file *file = NULL;

    REQUIRE_OK(
        decode("filedrive.table 1\n" SN " 3592 50:05:07:63:02:40:fb:cc\nend\n", NULL, &file));
    CHECK_STR(drive_in(file, SN).wwn, "500507630240FBCC");
    dt_file_free(&file);
}

TEST(F22_carriage_returns_and_a_byte_order_mark_are_taken)
{
    struct dt_file *file = NULL;
    static char crlf[2 * sizeof vector];
    size_t n = 0;

    for (const char *p = vector; *p; p++) {
        if (*p == '\n') {
            crlf[n++] = '\r';
        }
        crlf[n++] = *p;
    }
    REQUIRE_OK(dt_file_decode(KLM_SLICE(crlf, n), NULL, &file));
    CHECK_INT(dt_file_count(file), 2);
    CHECK_INT(dt_file_generation(file), 42);
    CHECK(!dt_file_intact(file)); /* somebody else wrote it */
    CHECK_STR(drive_in(file, SN).fingerprint, PIN);
    dt_file_free(&file);
    REQUIRE_OK(decode("\xEF\xBB\xBF"
                      "filedrive.table 1\nend\n",
                      NULL, &file));
    dt_file_free(&file);
}

/* What is refused, at which line and column, with which message. */
static const struct refusal {
    const char *text, *id;
    unsigned line, column;
} refusals[] = {
    {"", "KLM0210E", 0, 0},
    {"filedrive.tabl 1\nend\n", "KLM0210E", 0, 0},
    {"filedrive.table\nend\n", "KLM0211E", 0, 0},
    {"filedrive.table 2\nend\n", "KLM0211E", 0, 0},
    {"filedrive.table 1 2\nend\n", "KLM0216E", 1, 19},
    {"filedrive.table 1\n", "KLM0214E", 1, 1},
    {"filedrive.table 1\n000007888422 3592\n", "KLM0214E", 2, 1},
    {"filedrive.table 1\n000007888422 3592\nen", "KLM0216E", 3, 1},
    {"filedrive.table 1\n000007888422 3592\nend\nX", "KLM0216E", 4, 1},
    {"filedrive.table 1\nend end\n", "KLM0216E", 2, 5},
    {"filedrive.table 1\n00000788842 3592\nend\n", "KLM0216E", 2, 1},
    {"filedrive.table 1\n000007888422\nend\n", "KLM0216E", 2, 13},
    {"filedrive.table 1\n000007888422 3593\nend\n", "KLM0216E", 2, 14},
    {"filedrive.table 1\n000007888422 -\nend\n", "KLM0216E", 2, 14},
    {"filedrive.table 1\n- 3592\nend\n", "KLM0216E", 2, 1},
    {"filedrive.table 1\n000007888422 3592 12\nend\n", "KLM0216E", 2, 19},
    {"filedrive.table 1\n000007888422 3592 - \xC3\xBC\xC3\xBC \xFF\nend\n", "KLM0216E", 2, 24},
    {"filedrive.table 1\n000007888422 3592 - \"a\nend\n", "KLM0216E", 2, 21},
    {"filedrive.table 1\n000007888422 3592 - \"a\\n\"\nend\n", "KLM0216E", 2, 23},
    {"filedrive.table 1\n000007888422 3592 - \"a\"b\nend\n", "KLM0216E", 2, 24},
    {"filedrive.table 1\n000007888422 3592 - a\"b\nend\n", "KLM0216E", 2, 22},
    {"filedrive.table 1\n000007888422 3592 - a\vb\nend\n", "KLM0216E", 2, 22},
    {"filedrive.table 1\n000007888422 3592 - a\rb\nend\n", "KLM0216E", 2, 22},
    {"filedrive.table 1\n000007888422 3592 - - - - 2011-10-18\nend\n", "KLM0216E", 2, 27},
    {"filedrive.table 1\n000007888422 3592 - - - - - - WXY6622\nend\n", "KLM0216E", 2, 31},
    {"filedrive.table 1\n000007888422 3592 - - - - - - - 12\nend\n", "KLM0216E", 2, 33},
    {"filedrive.table 1\n000007888422 3592 - - - - - - - - -\nend\n", "KLM0216E", 2, 35},
    {"filedrive.table 1\ngeneration\nend\n", "KLM0216E", 2, 11},
    {"filedrive.table 1\ngeneration x\nend\n", "KLM0216E", 2, 12},
    {"filedrive.table 1\ngeneration 18446744073709551616\nend\n", "KLM0216E", 2, 12},
    {"filedrive.table 1\ngeneration 1 2\nend\n", "KLM0216E", 2, 14},
    {"filedrive.table 1\ngeneration 1\ngeneration 1\nend\n", "KLM0216E", 3, 1},
    {"filedrive.table 1\ndigest 12\nend\n", "KLM0216E", 2, 8},
    {"filedrive.table 1\n000007888422 3592\ncount 1\nend\n", "KLM0216E", 3, 1},
    {"filedrive.table 1\n000007888422 3592\nFVTDRIVE0000 LTO\n0007888422 LTO\nend\n", "KLM0215E", 4,
     1},
};

TEST(F22_a_bad_line_is_refused_and_named)
{
    for (size_t i = 0; i < KLM_COUNT(refusals); i++) {
        const struct refusal *r = &refusals[i];
        struct klm_diag diag = {0};
        struct dt_file *file = NULL;
        klm_rc rc = decode(r->text, &diag, &file);

        CHECK(rc == KLM_E_INVALID || rc == KLM_E_UNSUPPORTED);
        CHECK(file == NULL);
        diag.text[8] = '\0';
        CHECK_STR(diag.text, r->id);
        CHECK_INT(diag.line, r->line);
        CHECK_INT(diag.column, r->column);
    }
}

TEST(the_largest_generation_is_read)
{
    struct dt_file *file = NULL;

    REQUIRE_OK(decode("filedrive.table 1\ngeneration 18446744073709551615\nend\n", NULL, &file));
    CHECK(dt_file_generation(file) == UINT64_MAX);
    dt_file_free(&file);
}

TEST(F22_an_ebcdic_copy_has_a_message_of_its_own)
{
    static char text[sizeof vector];
    struct klm_diag diag = {0};
    struct dt_file *file = NULL;

    klm_to_ebcdic(vector, text, sizeof vector - 1);
    CHECK_RC(dt_file_decode(KLM_SLICE(text, sizeof vector - 1), &diag, &file), KLM_E_INVALID);
    CHECK(strstr(diag.text, "KLM0212E") == diag.text);
}

TEST(F22_a_nul_is_found_wherever_it_is)
{
    static char text[sizeof vector];
    struct klm_diag diag = {0};
    struct dt_file *file = NULL;

    for (size_t at = 0; at < sizeof vector - 1; at++) {
        memcpy(text, vector, sizeof vector);
        text[at] = '\0';
        CHECK_RC(dt_file_decode(KLM_SLICE(text, sizeof vector - 1), &diag, &file), KLM_E_INVALID);
        CHECK(strstr(diag.text, "KLM0213E") == diag.text);
    }
    CHECK_RC(dt_file_decode(KLM_SLICE("filedrive.table 1\nab\0", 21), &diag, &file), KLM_E_INVALID);
    CHECK_INT(diag.line, 2);
    CHECK_INT(diag.column, 3);
}

/* Without its last newline a file is complete; cut anywhere before, it is refused. */
TEST(F22_a_file_cut_short_at_any_byte_is_refused)
{
    for (size_t n = 0; n < sizeof vector - 2; n++) {
        struct dt_file *file = NULL;

        CHECK(dt_file_decode(KLM_SLICE(vector, n), NULL, &file) != KLM_OK);
        CHECK(file == NULL);
    }
}

/* A changed byte never goes unnoticed: the file is refused or known to be no longer ours. */
TEST(a_changed_byte_is_an_edit_or_a_damage)
{
    static char text[sizeof vector];

    for (size_t at = 0; at < sizeof vector - 1; at++) {
        struct dt_file *file = NULL;

        memcpy(text, vector, sizeof vector);
        text[at] ^= 1;
        if (dt_file_decode(KLM_SLICE(text, sizeof vector - 1), NULL, &file) == KLM_OK) {
            CHECK(!dt_file_intact(file));
        }
        dt_file_free(&file);
    }
}

TEST(a_count_that_lies_under_a_right_digest_is_refused)
{
    struct dt_file *file = NULL;
    struct klm_diag diag = {0};

    /* printf 'filedrive.table 1\ncount 1\nend\n' | sha256sum */
    CHECK_RC(decode("filedrive.table 1\ncount 1\ndigest "
                    "8065eac0979664177ebef18201d7150a049f88f019973cf6f10a606a5c614efd\nend\n",
                    &diag, &file),
             KLM_E_INVALID);
    CHECK(strstr(diag.text, "KLM0217E") == diag.text);
    /* The same with a wrong digest: an operator need not count his lines. */
    REQUIRE_OK(decode("filedrive.table 1\ncount 1\ndigest " PIN "\nend\n", NULL, &file));
    CHECK(!dt_file_intact(file));
    dt_file_free(&file);
}

TEST(a_file_one_byte_over_the_limit_is_refused)
{
    size_t max = 64u * 1024 * 1024;
    char *text = malloc(max + 1);
    struct dt_file *file = NULL;
    struct klm_diag diag = {0};

    REQUIRE(text != NULL);
    memset(text, ' ', max + 1);
    memcpy(text, "filedrive.table 1\n", 18);
    memcpy(text + 30, "\nend\n", 5);
    REQUIRE_OK(dt_file_decode(KLM_SLICE(text, max), NULL, &file));
    dt_file_free(&file);
    CHECK_RC(dt_file_decode(KLM_SLICE(text, max + 1), &diag, &file), KLM_E_LIMIT);
    CHECK(strstr(diag.text, "KLM0218E") == diag.text);
    free(text);
}

/* "SSSSSSSSSSSS LTO\n" a million times and once more. */
TEST(one_drive_more_than_the_limit_is_refused)
{
    struct klm_buf text;
    struct dt_file *file = NULL;
    struct klm_diag diag = {0};

    klm_buf_init(&text, 64u * 1024 * 1024);
    klm_buf_text(&text, "filedrive.table 1\n");
    for (unsigned i = 0; i <= 1000000; i++) {
        char line[32];

        snprintf(line, sizeof line, "%012u LTO\n", i);
        klm_buf_text(&text, line);
        if (i == 999999) {
            size_t n = text.n;

            klm_buf_text(&text, "end\n");
            REQUIRE_OK(dt_file_decode(klm_buf_as_slice(&text), NULL, &file));
            CHECK_INT(dt_file_count(file), 1000000);
            dt_file_free(&file);
            text.n = n;
        }
    }
    klm_buf_text(&text, "end\n");
    CHECK_RC(dt_file_decode(klm_buf_as_slice(&text), &diag, &file), KLM_E_LIMIT);
    CHECK(strstr(diag.text, "KLM0218E") == diag.text);
    klm_buf_done(&text);
}

TEST(a_hundred_thousand_drives_are_written_and_read_quickly)
{
    enum { N = 100000 };
    struct st_store *store = help_store();
    struct st_change *c = help_begin(store);
    struct st_view *view;
    struct dt_file *file = NULL;
    struct klm_buf out;
    uint64_t start, encode_ns, decode_ns;

    for (unsigned i = 0; i < N; i++) {
        char serial[13];
        struct dt_drive d;

        snprintf(serial, sizeof serial, "%012u", i);
        d = help_drive(serial);
        d.first_contact = d.last_contact = T0 + i;
        SET(d.fingerprint, PIN);
        REQUIRE_OK(dt_add(c, &d));
    }
    REQUIRE_OK(st_change_commit(&c, NULL));
    view = help_view(store);
    klm_buf_init(&out, 64u * 1024 * 1024);
    start = test_cpu_ns();
    REQUIRE_OK(dt_file_encode(view, 7, &out));
    encode_ns = test_cpu_ns() - start;
    start = test_cpu_ns();
    REQUIRE_OK(dt_file_decode(klm_buf_as_slice(&out), NULL, &file));
    decode_ns = test_cpu_ns() - start;
    printf("# %d drives: %zu bytes, write %llu ms, read %llu ms\n", N, out.n,
           (unsigned long long)encode_ns / 1000000, (unsigned long long)decode_ns / 1000000);
    CHECK(dt_file_intact(file));
    CHECK_INT(dt_file_count(file), N);
    CHECK(encode_ns / 1000000 < test_ms(5000));
    CHECK(decode_ns / 1000000 < test_ms(5000));
    dt_file_free(&file);
    klm_buf_done(&out);
    st_view_close(&view);
    st_close(&store);
}

TEST(a_table_too_large_for_the_buffer_is_not_written)
{
    struct st_store *store = help_store();
    struct st_view *view;
    struct klm_buf out;

    fill_as_vector(store);
    view = help_view(store);
    klm_buf_init(&out, sizeof vector - 2);
    CHECK_RC(dt_file_encode(view, 42, &out), KLM_E_LIMIT);
    klm_buf_done(&out);
    st_view_close(&view);
    st_close(&store);
}
