/* The syntax of Java properties files, and how a file becomes a configuration. */
#include "base/file.h"
#include "parmlib/properties.h"
#include "said.h"

static struct klm_pool *pool;
static struct parm_entries got;
static struct klm_diag diag;

static klm_rc read_n(const char *text, size_t n)
{
    klm_pool_free(&pool);
    REQUIRE_OK(klm_pool_new(0, &pool));
    got = (struct parm_entries){0};
    diag = (struct klm_diag){0};
    return parm_properties_read(KLM_SLICE(text, n), "f", pool, &diag, &got);
}

static klm_rc read_text(const char *text)
{
    return read_n(text, strlen(text));
}

static void one(const char *text, const char *name, const char *value)
{
    CHECK_RC(read_text(text), KLM_OK);
    CHECK_INT(got.n, 1);
    if (got.n) {
        CHECK_STR(got.at[0].name, name);
        CHECK_STR(got.at[0].value, value);
    }
}

TEST(a_name_ends_at_equals_colon_or_white_space)
{
    one("a=b", "a", "b");
    one("a:b", "a", "b");
    one("a b", "a", "b");
    one("a\tb", "a", "b");
    one("  a  =  b", "a", "b");
    one("a : b", "a", "b");
    one("a = = b", "a", "= b");
    one("a==b", "a", "=b");
    one("a :=b", "a", "=b");
    one("a", "a", "");
    one("a=", "a", "");
    one("a   ", "a", "");
    one("=b", "", "b");
    one("a=b=c:d e", "a", "b=c:d e");
}

TEST(escaped_separators_belong_to_the_name)
{
    one("a\\=b=c", "a=b", "c");
    one("a\\:b\\ c\\\\=d", "a:b c\\", "d");
    one("a\\u003db=c", "a=b", "c");
    one("\\#a=b", "#a", "b");
}

TEST(escapes_of_values_are_resolved)
{
    one("a=safkeyring\\://TAPEKMS/KeyStore4758", "a", "safkeyring://TAPEKMS/KeyStore4758");
    one("a=\\t\\n\\r\\f\\\\\\=\\!\\q", "a", "\t\n\r\f\\=!q");
    one("a=\\ b", "a", " b");
    one("a=x\\u00e9y\\u20AC", "a", "x\xC3\xA9y\xE2\x82\xAC");
    one("a=\\uD83D\\uDE00", "a", "\xF0\x9F\x98\x80");
    one("a=\\u0041\\u007f", "a", "A\x7F");
    one("a=\\\xC3\xA9", "a", "\xC3\xA9");
}

TEST(blanks_at_the_end_of_a_value_are_its_own)
{
    one("a=b  ", "a", "b  ");
}

TEST(lines_end_with_lf_cr_or_both)
{
    CHECK_RC(read_text("a=1\rb=2\r\nc=3\n\r\nd=4"), KLM_OK);
    CHECK_INT(got.n, 4);
    CHECK_INT(got.at[1].line, 2);
    CHECK_INT(got.at[2].line, 3);
    CHECK_INT(got.at[3].line, 5);
    CHECK_STR(got.at[3].value, "4");
}

TEST(blank_lines_and_comments_are_passed_over)
{
    CHECK_RC(read_text("# c=1\n ! d=2\n \t\f\n#no \\\na=1\n"), KLM_OK);
    CHECK_INT(got.n, 1);
    CHECK_INT(got.at[0].line, 5);
    CHECK_RC(read_text(""), KLM_OK);
    CHECK_INT(got.n, 0);
    CHECK_RC(read_text("\n\r\n"), KLM_OK);
    CHECK_INT(got.n, 0);
}

TEST(an_odd_number_of_backslashes_continues_a_line)
{
    one("a=b\\\n   c", "a", "bc");
    one("a=b\\\r\n\tc\\\r  d", "a", "bcd");
    one("a\\\n b=c", "ab", "c");
    one("a\\\n =\\\n c", "a", "c");
    one("a=b\\\n#c", "a", "b#c");
    CHECK_RC(read_text("a=b\\\\\nc=d"), KLM_OK);
    CHECK_INT(got.n, 2);
    CHECK_STR(got.at[0].value, "b\\");
    CHECK_RC(read_text("a=b\\\\\\\nc=d"), KLM_OK);
    CHECK_INT(got.n, 1);
    CHECK_STR(got.at[0].value, "b\\c=d");
}

TEST(a_blank_line_ends_a_continuation)
{
    CHECK_RC(read_text("a=b\\\n\nc=d\n"), KLM_OK);
    CHECK_INT(got.n, 2);
    CHECK_STR(got.at[0].value, "b");
    CHECK_INT(got.at[1].line, 3);
}

TEST(a_backslash_at_the_very_end_is_dropped)
{
    one("a=b\\", "a", "b");
    CHECK(got.open_end);
    one("a=b\\\n", "a", "b");
    CHECK(got.open_end);
    one("a=b", "a", "b");
    CHECK(got.open_end);
    one("a=b\n", "a", "b");
    CHECK(!got.open_end);
    CHECK_RC(read_text("\\\n\\\n"), KLM_OK);
    CHECK_INT(got.n, 0);
}

TEST(a_file_is_utf8_or_else_latin1)
{
    one("a=\xC3\xA9", "a", "\xC3\xA9");
    one("a=\xE9", "a", "\xC3\xA9");
    one("\xEF\xBB\xBF"
        "a=b",
        "a", "b");
    /* Not UTF-8 as a whole: both bytes are characters of ISO 8859-1. */
    one("a=\xC3\xA9\xFF", "a", "\xC3\x83\xC2\xA9\xC3\xBF");
    CHECK(parm_is_utf8(klm_slice_str("\xF4\x8F\xBF\xBF \xEF\xBF\xBF \xC2\x80")));
    CHECK(!parm_is_utf8(klm_slice_str("\xC0\xAF")));
    CHECK(!parm_is_utf8(klm_slice_str("\xE0\x9F\xBF")));
    CHECK(!parm_is_utf8(klm_slice_str("\xED\xA0\x80")));
    CHECK(!parm_is_utf8(klm_slice_str("\xF4\x90\x80\x80")));
    CHECK(!parm_is_utf8(klm_slice_str("\xE2\x82")));
}

TEST(bad_escapes_are_refused_with_line_and_column)
{
    CHECK_RC(read_text("a=1\nb=x\\u12g4"), KLM_E_INVALID);
    CHECK_INT(diag.line, 2);
    CHECK_INT(diag.column, 4);
    CHECK_INT(diag.msg, KLM_MSG_PARM_ESCAPE);
    CHECK_RC(read_text("b=x\\u123"), KLM_E_INVALID);
    CHECK_RC(read_text("b=x\\u"), KLM_E_INVALID);
    CHECK_RC(read_text("b\\u00=x"), KLM_E_INVALID);
    CHECK_RC(read_text("b=\\u0000"), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_NUL);
}

TEST(half_a_surrogate_pair_is_refused)
{
    CHECK_RC(read_text("b=\\uD83D"), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_SURROGATE);
    CHECK_RC(read_text("b=\\uDE00"), KLM_E_INVALID);
    CHECK_RC(read_text("b=\\uDE00\\uD83D"), KLM_E_INVALID);
    CHECK_RC(read_text("b=\\uD83Dx\\uDE00"), KLM_E_INVALID);
    CHECK_RC(read_text("b=\\uD83D\\uD83D"), KLM_E_INVALID);
    CHECK_RC(read_text("b=\\uD83D\\uDE0"), KLM_E_INVALID);
}

TEST(nul_is_refused_even_in_a_comment)
{
    CHECK_RC(read_n("a=1\n# x\0y\n", 10), KLM_E_INVALID);
    CHECK_INT(diag.line, 2);
    CHECK_INT(diag.column, 4);
}

TEST(a_line_has_a_limit_with_its_continuations)
{
    static char text[PARM_LINE_MAX + 100];

    memset(text, 'x', sizeof text);
    text[1] = '=';
    CHECK_RC(read_n(text, PARM_LINE_MAX), KLM_OK);
    CHECK_INT(strlen(got.at[0].value), PARM_LINE_MAX - 2);
    CHECK_RC(read_n(text, PARM_LINE_MAX + 1), KLM_E_LIMIT);
    CHECK_INT(diag.line, 1);
    memcpy(text + 100, "\\\n", 2);
    CHECK_RC(read_n(text, PARM_LINE_MAX + 1), KLM_E_LIMIT);
    CHECK_INT(diag.line, 2);
    text[100] = 'x';
    CHECK_RC(read_n(text, PARM_LINE_MAX + 1), KLM_OK);
}

TEST(a_latin1_line_may_grow_to_twice_its_bytes)
{
    static char text[PARM_LINE_MAX];

    memset(text, 0xE9, sizeof text);
    text[1] = '=';
    CHECK_RC(read_n(text, sizeof text), KLM_OK);
    CHECK_INT(strlen(got.at[0].value), 2 * (PARM_LINE_MAX - 2));
}

TEST(a_file_has_a_limit)
{
    char *text = malloc(PARM_FILE_MAX + 1);
    FILE *f = fopen(test_path("big"), "w");

    memset(text, '\n', PARM_FILE_MAX + 1);
    CHECK_RC(read_n(text, PARM_FILE_MAX), KLM_OK);
    CHECK_RC(read_n(text, PARM_FILE_MAX + 1), KLM_E_LIMIT);
    CHECK_INT(diag.msg, KLM_MSG_FILE_TOO_LONG);
    REQUIRE(f != NULL);
    CHECK_INT(fwrite(text, 1, PARM_FILE_MAX + 1, f), PARM_FILE_MAX + 1);
    fclose(f);
    CHECK_RC(parm_load(test_path("big"), &diag, &(struct parm_config *){NULL}), KLM_E_LIMIT);
    free(text);
}

TEST(a_file_has_a_limited_number_of_properties)
{
    size_t n = (PARM_ENTRIES_MAX + 1) * 4;
    char *text = malloc(n);

    for (size_t i = 0; i < n; i += 4) {
        memcpy(text + i, "a=b\n", 4);
    }
    CHECK_RC(read_n(text, n - 4), KLM_OK);
    CHECK_INT(got.n, PARM_ENTRIES_MAX);
    CHECK_RC(read_n(text, n), KLM_E_LIMIT);
    CHECK_INT(diag.msg, KLM_MSG_PARM_TOO_MANY);
    free(text);
}

TEST(written_lines_read_back)
{
    static const char *const values[] = {"",         "x",        " lead",
                                         "trail ",   "a\\",      "FILE:/a=b#c!d",
                                         "\t\n\r\f", "\xC3\xA9", "\xF0\x9F\x98\x80",
                                         "\x01\x7F", "#",        "=",
                                         "\\u0041"};

    for (size_t i = 0; i < KLM_COUNT(values); i++) {
        KLM_AUTO(klm_buf_done) struct klm_buf buf;

        klm_buf_init(&buf, 1000);
        parm_properties_put(&buf, "na me:x", values[i]);
        REQUIRE_OK(klm_buf_rc(&buf));
        CHECK_RC(read_n((const char *)buf.p, buf.n), KLM_OK);
        CHECK_INT(got.n, 1);
        CHECK_STR(got.at[0].name, "na me:x");
        CHECK_STR(got.at[0].value, values[i]);
    }
}

TEST(written_lines_are_plain_ascii_as_java_stores_them)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, 1000);
    parm_properties_put(&buf, "a b", " \xC3\xA9 \xF0\x9F\x98\x80:\\");
    CHECK_MEM(buf.p, "a\\ b=\\ \\u00E9 \\uD83D\\uDE00\\:\\\\", buf.n);
    CHECK_INT(buf.n, 30);
    klm_pool_free(&pool);
}
