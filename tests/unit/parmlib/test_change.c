/* One property changed, in memory and in the file. */
#include "said.h"

#include "base/file.h"

#include <sys/stat.h>
#include <unistd.h>

static void write_file(const char *path, const char *text)
{
    struct klm_diag diag = {0};

    REQUIRE_OK(klm_file_replace(path, klm_slice_str(text), 0640, &diag));
}

static void check_file(const char *path, const char *expected)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, 1 << 21);
    REQUIRE_OK(klm_file_read(path, 1 << 20, &buf, NULL));
    klm_buf_u8(&buf, 0);
    CHECK_STR((const char *)buf.p, expected);
}

/* Write before, change one thing, expect after; the result must load. */
static void change(const char *before, const char *name, const char *value, const char *after)
{
    const char *path = test_path("c.properties");
    struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    write_file(path, before);
    said_clear();
    REQUIRE_OK(parm_load(path, &diag, &c));
    CHECK_RC(parm_save_change(c, name, value, &diag), KLM_OK);
    check_file(path, after);
    parm_free(&c);
    CHECK_RC(parm_load(path, &diag, &c), KLM_OK);
    parm_free(&c);
}

TEST(a_changed_configuration_is_a_new_one)
{
    KLM_AUTO(parm_free) struct parm_config *a = NULL;
    KLM_AUTO(parm_free) struct parm_config *b = NULL;
    struct klm_diag diag = {0};

    REQUIRE_OK(load(SAFE "x.y=1\n", NULL, &a));
    said_clear();
    REQUIRE_OK(parm_with(a, "drive.acceptUnknownDrives", "Pending", &diag, &b));
    CHECK_STR(said_text, "");
    CHECK_STR(parm_str(a, PARM_drive_acceptUnknownDrives), "false");
    CHECK_STR(parm_str(b, PARM_drive_acceptUnknownDrives), "pending");
    CHECK_INT(parm_num(b, PARM_TransportListener_ssl_port), 1443);
    CHECK_STR(parm_path_of_config(b), parm_path_of_config(a));
}

TEST(unset_goes_back_to_the_default)
{
    KLM_AUTO(parm_free) struct parm_config *a = NULL;
    KLM_AUTO(parm_free) struct parm_config *b = NULL;

    REQUIRE_OK(load(SAFE "TransportListener.tcp.port=5000\n", NULL, &a));
    REQUIRE_OK(parm_with(a, "TransportListener.tcp.port", NULL, NULL, &b));
    CHECK_INT(parm_num(b, PARM_TransportListener_tcp_port), 3801);
    CHECK(!parm_is_set(b, PARM_TransportListener_tcp_port));
}

TEST(a_change_is_checked_as_in_a_file)
{
    KLM_AUTO(parm_free) struct parm_config *a = NULL;
    struct parm_config *b = NULL;
    struct klm_diag diag = {0};

    REQUIRE_OK(load(SAFE "x.y=1\n", NULL, &a));
    CHECK_RC(parm_with(a, "TransportListener.tcp.port", "0", &diag, &b), KLM_E_INVALID);
    CHECK_STR(diag.text,
              "KLM0101E TransportListener.tcp.port cannot be set to 0; allowed: 1 to 65535");
    CHECK_RC(parm_with(a, "config.keystore.file", NULL, &diag, &b), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_MISSING);
    CHECK_RC(parm_with(a, "fips", "on", &diag, &b), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_SET_LATER);
    CHECK_RC(parm_with(a, "config.keystore.provider", "IBMPKCS11Impl", &diag, &b), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_SET_LATER);
    CHECK_RC(parm_with(a, "TransportListener.ssl.clientauthentication", "2", &diag, &b),
             KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_TRUST_MISSING);
    CHECK_RC(parm_with(a, "no.such", "2", &diag, &b), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_PARM_NO_SUCH);
    CHECK_RC(parm_with(a, "no.such", NULL, &diag, &b), KLM_E_NOTFOUND);
    CHECK_RC(parm_with(a, "drive.default.alias1", "\xFF", &diag, &b), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_PARM_NOT_UTF8);
    CHECK(b == NULL);
    CHECK_RC(parm_with(a, "x.y", NULL, &diag, &b), KLM_OK);
    parm_free(&b);
}

TEST(comments_order_and_other_lines_stay_as_they_are)
{
    change("# head\n\n" SAFE "  debug : none  \n! tail\n", "debug", "none",
           "# head\n\n" SAFE "  debug=none\n! tail\n");
    change("a.b = \\\n   c\n" SAFE "#x\n", "TransportListener.ssl.port", "2443",
           "a.b = \\\n   c\n"
           "Audit.metadata.file.name=/var/lib/isklm/SKLMData.xml\n"
           "config.drivetable.file.url=FILE\\:/var/lib/isklm/filedrive.table\n"
           "config.keystore.file=safkeyring\\://TAPEKMS/KeyStore4758\n"
           "TransportListener.ssl.keystore.name=safkeyring\\://TAPEKMS/KeyStore4758\n"
           "TransportListener.ssl.port=2443\n#x\n");
}

TEST(a_property_that_is_not_there_is_appended)
{
    change(SAFE, "hardcopy.file", "FILE:/a b", SAFE "hardcopy.file=FILE\\:/a b\n");
    change(SAFE "# last", "debug", "none", SAFE "# last\ndebug=none\n");
    change(SAFE "x=1", "debug", "none", SAFE "x=1\ndebug=none\n");
    change(SAFE "# odd \\", "debug", "none", SAFE "# odd \\\n\ndebug=none\n");
}

TEST(appending_never_joins_a_line_left_open)
{
    change(SAFE "x=1\\", "debug", "none", SAFE "x=1\\\n\ndebug=none\n");
    change(SAFE "x=1\\\\", "debug", "none", SAFE "x=1\\\\\ndebug=none\n");
    change(SAFE "x=1\\\n", "debug", "none", SAFE "x=1\\\n\ndebug=none\n");
    change(SAFE "x=1\\\r", "debug", "none", SAFE "x=1\\\r\n\ndebug=none\n");
    change(SAFE "x=1\\\n  ", "debug", "none", SAFE "x=1\\\n  \ndebug=none\n");
}

TEST(line_endings_of_the_file_are_used)
{
    change("# a\r\n" SAFE "debug=none\r\nx=1\r\n", "debug", "none",
           "# a\r\n" SAFE "debug=none\r\nx=1\r\n");
    change("# a\r\n" SAFE, "debug", "none", "# a\r\n" SAFE "debug=none\r\n");
    change("# a\r" SAFE "debug=x\\\r  y\\\r\r# b\r"
           "debug=none\r",
           "debug", "none",
           "# a\r" SAFE "debug=x\\\r  y\\\r\r# b\r"
           "debug=none\r");
}

TEST(a_line_that_was_continued_is_replaced_whole)
{
    change(SAFE "drive.default.alias1=ab\\\n   cd\\\n\n# next\n", "drive.default.alias1", "x\\y ",
           SAFE "drive.default.alias1=x\\\\y \n# next\n");
    change(SAFE "drive.default.alias1=ab\\", "drive.default.alias1", "x",
           SAFE "drive.default.alias1=x");
}

TEST(unset_takes_every_line_of_the_property_out)
{
    change(SAFE "debug=none\n# a\ndebug=a\\\n  ll\\\n\n# b\ndebug=none", "debug", NULL,
           SAFE "# a\n# b\n");
    change(SAFE "debug=none\n", "hardcopy.file", NULL, SAFE "debug=none\n");
    change(SAFE "un.known=1\n", "un.known", NULL, SAFE);
}

TEST(of_several_lines_the_one_that_counts_is_changed)
{
    change(SAFE "hardcopy.file=/a\n#\nhardcopy.file=/b\n", "hardcopy.file", "/c",
           SAFE "hardcopy.file=/a\n#\nhardcopy.file=/c\n");
}

TEST(values_are_escaped_in_the_file)
{
    change(SAFE, "drive.default.alias1", "\xC3\xA9#!=: x",
           SAFE "drive.default.alias1=\\u00E9\\#\\!\\=\\: x\n");
    change(SAFE, "config.keystore.password", " \xF0\x9F\x98\x80\\",
           SAFE "config.keystore.password=\\ \\uD83D\\uDE00\\\\\n");
    /* A file in ISO 8859-1 stays one. */
    change("# \xE9\n" SAFE, "drive.default.alias1", "\xC3\xA9",
           "# \xE9\n" SAFE "drive.default.alias1=\\u00E9\n");
}

TEST(a_bad_change_leaves_the_file_alone)
{
    const char *path = test_path("bad.properties");
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    write_file(path, SAFE);
    said_clear();
    REQUIRE_OK(parm_load(path, &diag, &c));
    CHECK_RC(parm_save_change(c, "TransportListener.ssl.port", "x", &diag), KLM_E_INVALID);
    CHECK_RC(parm_save_change(c, "TransportListener.ssl.port", NULL, &diag), KLM_E_INVALID);
    CHECK_RC(parm_save_change(c, "no.such", "1", &diag), KLM_E_NOTFOUND);
    check_file(path, SAFE);
    write_file(path, SAFE "a=\\u12\n");
    CHECK_RC(parm_save_change(c, "TransportListener.ssl.port", "2443", &diag), KLM_E_INVALID);
    check_file(path, SAFE "a=\\u12\n");
    REQUIRE(unlink(path) == 0);
    CHECK_RC(parm_save_change(c, "TransportListener.ssl.port", "2443", &diag), KLM_E_NOTFOUND);
}

TEST(edits_made_meanwhile_are_kept)
{
    const char *path = test_path("edit.properties");
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};

    write_file(path, SAFE);
    said_clear();
    REQUIRE_OK(parm_load(path, &diag, &c));
    write_file(path, "# by hand\n" SAFE "debug=none\n");
    CHECK_RC(parm_save_change(c, "drive.pending.max", "7", &diag), KLM_OK);
    check_file(path, "# by hand\n" SAFE "debug=none\ndrive.pending.max=7\n");
}

TEST(mode_and_symbolic_link_stay)
{
    const char *path = test_path("real.properties"), *link = test_path("link.properties");
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};
    struct stat st;

    write_file(path, SAFE);
    REQUIRE(chmod(path, 0604) == 0);
    REQUIRE(symlink("real.properties", link) == 0);
    said_clear();
    REQUIRE_OK(parm_load(link, &diag, &c));
    CHECK_RC(parm_save_change(c, "debug", "none", &diag), KLM_OK);
    check_file(path, SAFE "debug=none\n");
    REQUIRE(lstat(link, &st) == 0);
    CHECK(S_ISLNK(st.st_mode));
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0604);
}

TEST(a_file_at_its_limit_does_not_grow_over_it)
{
    const char *path = test_path("full.properties");
    KLM_AUTO(parm_free) struct parm_config *c = NULL;
    struct klm_diag diag = {0};
    char *text = malloc((1 << 20) + 1);

    memset(text, '\n', 1 << 20);
    text[1 << 20] = '\0';
    memcpy(text, SAFE, sizeof SAFE - 1);
    write_file(path, text);
    said_clear();
    REQUIRE_OK(parm_load(path, &diag, &c));
    CHECK_RC(parm_save_change(c, "debug", "none", &diag), KLM_E_LIMIT);
    check_file(path, text);
    free(text);
}
