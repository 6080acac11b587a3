/* Files that commands name lie beneath one folder, whatever the name says. */
#include "console/con_help.h"

#include "console/internal.h"

#include <fcntl.h>

static struct con_context context;
static struct con_run run;
static struct klm_buf out;

/* A folder "files" with a secret beside it. */
static void ready(void)
{
    static char folder[512];

    if (!run.pool) {
        snprintf(folder, sizeof folder, "%s/files", test_dir());
        REQUIRE_OK(klm_folder_make(folder, 0700, NULL));
        write_file(test_path("secret"), "do not read");
        REQUIRE_OK(klm_pool_new(0, &run.pool));
        context.files = folder;
        run.context = &context;
        run.out = &out;
        klm_buf_init(&out, 1 << 20);
    }
    klm_buf_clear(&out);
    run.status = 0;
}

static void reads(const char *name, const char *expected, int line)
{
    struct klm_slice slice = {0};

    ready();
    test_rc(con_file_read(&run, name, 65536, &slice), KLM_OK, name, __FILE__, line, false);
    test_int((int64_t)slice.n, (int64_t)strlen(expected), name, __FILE__, line);
    CHECK(slice.n == strlen(expected) && memcmp(slice.p, expected, slice.n) == 0);
}

/* Neither read nor written; told; nothing outside touched. */
static void refused(const char *name, int line)
{
    struct klm_slice slice = KLM_SLICE("untouched", 9);

    ready();
    CHECK(con_file_read(&run, name, 65536, &slice) != KLM_OK);
    test_int((int64_t)slice.n, 9, name, __FILE__, line);
    CHECK(out.n > 0 && run.status > 0);
    ready();
    test_int(con_file_write(&run, name, KLM_SLICE("overwritten", 11)) != KLM_OK, 1, name, __FILE__,
             line);
    CHECK(out.n > 0 && run.status > 0);
    CHECK_STR(text_of(test_path("secret")), "do not read");
}

TEST(names_in_all_their_forms_mean_files_in_the_folder)
{
    char path[600];

    ready();
    CHECK_RC(con_file_write(&run, "plain", KLM_SLICE("one", 3)), KLM_OK);
    CHECK_RC(con_file_write(&run, "TAPEKMS.LBL20.PUBKEY", KLM_SLICE("two", 3)), KLM_OK);
    CHECK_RC(con_file_write(&run, "CRYPTOR2.PARMS(KLM20)", KLM_SLICE("three", 5)), KLM_OK);
    CHECK_RC(con_file_write(&run, "FILE:fourth", KLM_SLICE("", 0)), KLM_OK);
    CHECK_STR(text_of(test_path("files/CRYPTOR2.PARMS/KLM20")), "three");
    reads("plain", "one", __LINE__);
    reads("FILE:plain", "one", __LINE__);
    reads("file:TAPEKMS.LBL20.PUBKEY", "two", __LINE__);
    reads("CRYPTOR2.PARMS(KLM20)", "three", __LINE__);
    reads("CRYPTOR2.PARMS/KLM20", "three", __LINE__);
    reads("./plain", "one", __LINE__);
    struct klm_slice none = {0};
    CHECK_RC(con_file_read(&run, "fourth", 100, &none),
             KLM_E_INVALID); /* empty is no file to take over */
    snprintf(path, sizeof path, "FILE://%s/plain", context.files);
    reads(path, "one", __LINE__);
    snprintf(path, sizeof path, "%s/plain", context.files);
    reads(path, "one", __LINE__);
}

TEST(no_name_leads_out_of_the_folder)
{
    char path[700];

    ready();
    refused("../secret", __LINE__);
    refused("FILE:../secret", __LINE__);
    refused("a/../../secret", __LINE__);
    refused("..", __LINE__);
    refused("..(secret)", __LINE__);
    refused("(secret)", __LINE__);
    refused("", __LINE__);
    refused("FILE:", __LINE__);
    refused(test_path("secret"), __LINE__);
    snprintf(path, sizeof path, "FILE:///%s", test_path("secret"));
    refused(path, __LINE__);
    snprintf(path, sizeof path, "%s/../secret", context.files);
    refused(path, __LINE__);
    refused("/etc/passwd", __LINE__);
    refused("/dev/null", __LINE__);
}

TEST(no_link_leads_out_of_the_folder)
{
    struct stat st;

    ready();
    REQUIRE(symlink("../secret", test_path("files/link")) == 0);
    REQUIRE(symlink("..", test_path("files/up")) == 0);
    REQUIRE(symlink("/etc", test_path("files/etc")) == 0);
    struct klm_slice slice = {0};
    CHECK(con_file_read(&run, "link", 100, &slice) != KLM_OK);
    refused("up/secret", __LINE__);
    refused("up(secret)", __LINE__);
    refused("etc/passwd", __LINE__);
    ready(); /* writing replaces the link itself, never what it points to */
    CHECK_RC(con_file_write(&run, "link", KLM_SLICE("mine", 4)), KLM_OK);
    CHECK_STR(text_of(test_path("secret")), "do not read");
    CHECK(lstat(test_path("files/link"), &st) == 0 && S_ISREG(st.st_mode));
}

TEST(only_plain_files_are_read_and_nothing_waits)
{
    ready();
    REQUIRE(mkfifo(test_path("files/pipe"), 0600) == 0);
    REQUIRE(mkdir(test_path("files/folder"), 0700) == 0);
    struct klm_slice slice = {0};
    CHECK(con_file_read(&run, "pipe", 100, &slice) !=
          KLM_OK); /* would hang if it waited for a writer */
    CHECK(con_file_read(&run, "folder", 100, &slice) != KLM_OK);
    CHECK(con_file_read(&run, "missing", 100, &slice) == KLM_E_NOTFOUND);
    CHECK(con_file_write(&run, "folder", KLM_SLICE("x", 1)) != KLM_OK);
    CHECK(con_file_write(&run, "missing/deeper/x", KLM_SLICE("x", 1)) != KLM_OK);
}

TEST(a_file_over_the_limit_is_refused_at_the_limit_it_is_read)
{
    struct klm_slice slice = {0};

    ready();
    CHECK_RC(con_file_write(
                 &run, "hundred",
                 KLM_SLICE("0123456789012345678901234567890123456789012345678901234567890123456789"
                           "012345678901234567890123456789",
                           100)),
             KLM_OK);
    CHECK_RC(con_file_read(&run, "hundred", 100, &slice), KLM_OK);
    CHECK_INT(slice.n, 100);
    ready();
    CHECK_RC(con_file_read(&run, "hundred", 99, &slice), KLM_E_LIMIT);
    CHECK(out.n > 0 && memmem(out.p, out.n, "99", 2) != NULL);
    char name[1400];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    refused(name, __LINE__);
    name[400] = '\0';
    refused(name, __LINE__);
}

TEST(a_write_replaces_the_whole_file_for_the_owner_alone)
{
    struct stat st;

    ready();
    CHECK_RC(con_file_write(&run, "mode", KLM_SLICE("longer text", 11)), KLM_OK);
    CHECK_RC(con_file_write(&run, "mode", KLM_SLICE("short", 5)), KLM_OK);
    CHECK_STR(text_of(test_path("files/mode")), "short");
    REQUIRE(stat(test_path("files/mode"), &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0600);
}

TEST(zz_done)
{
    ready();
    klm_buf_done(&out);
    klm_pool_free(&run.pool);
    CHECK(run.pool == NULL);
}
