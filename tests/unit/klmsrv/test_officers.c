/* Key parts by separate officers: kept until the last, each by another person, and what is refused leaves everything as it was. */
#include "test.h"

#include "base/file.h"
#include "klmsrv/srv.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[400], path[500];
static struct klm_diag diag;

/* A part whose bytes are all the same. */
static klm_rc enter(unsigned of, uid_t officer, uint8_t byte, unsigned *here,
                    struct kr_master **out)
{
    uint8_t part[32];

    memset(part, byte, sizeof part);
    diag = (struct klm_diag){0};
    *out = NULL;
    return srv_enter_part(path, of, officer, part, &diag, here, out);
}

static void refused(unsigned of, uid_t officer, uint8_t byte, klm_rc rc, enum klm_msg_id msg)
{
    struct kr_master *master;
    unsigned here = 77;

    CHECK_RC(enter(of, officer, byte, &here, &master), rc);
    CHECK_INT(diag.msg, msg);
    CHECK(master == NULL && here == 77);
}

static unsigned kept(void)
{
    const struct dirent *one;
    DIR *dir = opendir(folder);
    unsigned n = 0;

    REQUIRE(dir != NULL);
    while ((one = readdir(dir)) != NULL) {
        n += strstr(one->d_name, ".part-") != NULL;
    }
    closedir(dir);
    return n;
}

static void begin(const char *name)
{
    snprintf(folder, sizeof folder, "%s", test_path(name));
    snprintf(path, sizeof path, "%s/masterkey.sealed", folder);
}

static void first(unsigned of)
{
    struct kr_master *master;
    unsigned here = 0;

    REQUIRE_OK(enter(of, 1001, 0x11, &here, &master));
    CHECK(master == NULL && here == 1 && kept() == 1);
}

TEST(parts_are_kept_until_the_last_which_makes_their_exclusive_or)
{
    struct kr_master *master = NULL, *want = NULL;
    uint8_t parts[3][32];
    char vp[KR_VP_MAX], wanted[KR_VP_MAX], name[600];
    unsigned here = 0;
    struct stat st;

    begin("three");
    first(3);
    snprintf(name, sizeof name, "%s.part-1001-of-3", path);
    REQUIRE(stat(name, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0400);
    REQUIRE_OK(enter(3, 1002, 0x22, &here, &master));
    CHECK(master == NULL && here == 2 && kept() == 2);
    REQUIRE_OK(enter(3, 1003, 0x44, &here, &master));
    REQUIRE(master != NULL);
    CHECK_INT(here, 3);
    CHECK_INT(
        kept(),
        2); /* the last one is not written; the caller drops the others when the key is sealed */
    for (int i = 0; i < 3; i++) {
        memset(parts[i], 0x11 << i, 32);
    }
    REQUIRE_OK(kr_master_from_parts((const uint8_t(*)[32])parts, 3, &want));
    kr_master_vp(master, vp);
    kr_master_vp(want, wanted);
    CHECK_STR(vp, wanted);
    REQUIRE_OK(srv_parts_drop(path, &diag));
    CHECK_INT(kept(), 0);
    kr_master_free(&master);
    kr_master_free(&want);
}

TEST(one_person_one_part_and_all_parts_different)
{
    begin("refused");
    first(3);
    refused(3, 1001, 0x33, KLM_E_DENIED, KLM_MSG_PART_TWICE);
    refused(3, 1002, 0x11, KLM_E_INVALID, KLM_MSG_PART_SAME);
    refused(2, 1002, 0x22, KLM_E_STATE, KLM_MSG_PART_OTHER);
    refused(1, 1002, 0x22, KLM_E_USAGE, KLM_MSG_PARTS_FEW);
    refused(9, 1002, 0x22, KLM_E_USAGE, KLM_MSG_PARTS_FEW);
    CHECK_INT(kept(), 1);
}

TEST(parts_that_cancel_each_other_make_no_key)
{
    struct kr_master *master;
    unsigned here = 0;

    begin("zero");
    first(3);
    REQUIRE_OK(enter(3, 1002, 0x22, &here, &master));
    refused(3, 1003, 0x33, KLM_E_INVALID, KLM_MSG_PART_ZERO);
    CHECK_INT(kept(), 2);
}

TEST(a_kept_part_that_was_cut_or_grew_is_said)
{
    char name[600];

    begin("cut");
    first(2);
    snprintf(name, sizeof name, "%s.part-1001-of-2", path);
    REQUIRE(truncate(name, 31) == 0);
    refused(2, 1002, 0x22, KLM_E_CORRUPT, KLM_MSG_PART_KEPT);
    CHECK_INT(kept(), 1);
}

TEST(where_a_master_key_is_nothing_is_entered_and_other_files_are_no_parts)
{
    struct kr_master *master;
    unsigned here = 0;
    char name[600];

    begin("there");
    first(2);
    for (int i = 0; i < 3; i++) {
        static const char *const near[] = {"part-1002-of-2x", "part-01002-of-2", "part-x-of-2"};

        snprintf(name, sizeof name, "%s.%s", path, near[i]);
        REQUIRE_OK(klm_file_create(name, klm_slice_str("not a part"), 0400, NULL));
    }
    REQUIRE_OK(enter(2, 1002, 0x22, &here, &master));
    kr_master_free(&master);
    REQUIRE_OK(klm_file_create(path, klm_slice_str("a master key"), 0400, NULL));
    refused(2, 1002, 0x22, KLM_E_EXISTS, KLM_MSG_FILE_EXISTS);
}
