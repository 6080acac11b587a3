/* The master key: parts, patterns, and the file it is sealed in. */
#include "help.h"

#include "base/secret.h"

#include <errno.h>
#include <sys/stat.h>

/* SHA-256("klm verification pattern" || 00..1f), by Python's hashlib. */
#define VP_00_1F "66DBBDBD1D54006B"
/* HKDF-SHA256 of 00..1f without salt, info "store mac", by openssl kdf. */
#define STORE_MAC "683101b8ca8b01f6e760d79cef1ecac93c4e9f84edca47c7dead2449338974d0"

static const char *saved(const struct kr_master *master, const char *name)
{
    const char *path = test_path(name);

    (void)unlink(path);
    REQUIRE_OK(kr_master_save(master, path, NULL));
    return path;
}

/* Loads path and says with which message that failed. */
static klm_rc loading(const char *path, enum klm_msg_id *msg)
{
    struct klm_diag diag = {0};
    struct kr_master *master = NULL;
    klm_rc rc = kr_master_load(path, &diag, &master);

    CHECK((rc == KLM_OK) == (master != NULL));
    kr_master_free(&master);
    *msg = diag.msg;
    return rc;
}

static void check_load(const char *path, klm_rc expected, enum klm_msg_id expected_msg)
{
    enum klm_msg_id msg = KLM_MSG_NONE;

    CHECK_RC(loading(path, &msg), expected);
    CHECK_INT(msg, expected_msg);
}

TEST(parts_are_combined_and_the_pattern_is_that_of_an_independent_computation)
{
    struct kr_master *master = master_of(0);
    uint8_t key[32], derived[32];
    char vp[KR_VP_MAX], hex[65];

    kr_master_vp(master, vp);
    CHECK_STR(vp, VP_00_1F);
    for (size_t i = 0; i < 32; i++) {
        key[i] = (uint8_t)i;
    }
    kr_part_vp((const uint8_t *)key, vp);
    CHECK_STR(vp, VP_00_1F);
    REQUIRE_OK(kr_master_derive(master, "store mac", derived));
    klm_hex(derived, 32, hex);
    CHECK_STR(hex, STORE_MAC);
    CHECK(kr_master_escrowed(master));
    kr_master_free(&master);
    CHECK(master == NULL);
}

TEST(purposes_give_different_keys_and_an_empty_one_is_refused)
{
    struct kr_master *master = master_of(0);
    uint8_t a[32], b[32];

    REQUIRE_OK(kr_master_derive(master, "one", a));
    REQUIRE_OK(kr_master_derive(master, "two", b));
    CHECK(memcmp(a, b, 32) != 0);
    CHECK_RC(kr_master_derive(master, "", a), KLM_E_INVALID);
    kr_master_free(&master);
}

TEST(one_part_too_many_parts_or_parts_that_cancel_are_refused)
{
    uint8_t parts[17][32];
    struct kr_master *master = NULL;

    memset(parts, 3, sizeof parts);
    parts[2][5] = 9;
    CHECK_RC(kr_master_from_parts((const uint8_t(*)[32])parts, 0, &master), KLM_E_INVALID);
    CHECK_RC(kr_master_from_parts((const uint8_t(*)[32])parts, 1, &master), KLM_E_INVALID);
    CHECK_RC(kr_master_from_parts((const uint8_t(*)[32])parts, 2, &master),
             KLM_E_INVALID); /* equal */
    CHECK_RC(kr_master_from_parts((const uint8_t(*)[32])parts, 17, &master), KLM_E_LIMIT);
    CHECK(master == NULL);
    REQUIRE_OK(kr_master_from_parts((const uint8_t(*)[32])parts, 3, &master));
    kr_master_free(&master);
}

TEST(a_generated_key_is_split_into_parts_that_make_it_again)
{
    struct kr_master *master = NULL, *again = NULL;
    uint8_t parts[3][32];
    char vp[KR_VP_MAX], vp_again[KR_VP_MAX];

    REQUIRE_OK(kr_master_generate(&master));
    CHECK(!kr_master_escrowed(master));
    CHECK_RC(kr_master_split(master, parts, 1), KLM_E_INVALID);
    CHECK_RC(kr_master_split(master, parts, 17), KLM_E_LIMIT);
    REQUIRE_OK(kr_master_split(master, parts, 3));
    REQUIRE_OK(kr_master_from_parts((const uint8_t(*)[32])parts, 3, &again));
    kr_master_vp(master, vp);
    kr_master_vp(again, vp_again);
    CHECK_STR(vp_again, vp);
    kr_master_free(&master);
    kr_master_free(&again);
}

TEST(a_sealed_file_is_0400_and_loads_again)
{
    struct kr_master *master = NULL, *again = NULL;
    const char *path;
    struct stat st;
    char vp[KR_VP_MAX], vp_again[KR_VP_MAX];

    REQUIRE_OK(kr_master_generate(&master));
    path = saved(master, "m1");
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0400);
    CHECK_INT(st.st_size, 78);
    REQUIRE_OK(kr_master_load(path, NULL, &again));
    kr_master_vp(master, vp);
    kr_master_vp(again, vp_again);
    CHECK_STR(vp_again, vp);
    CHECK(!kr_master_escrowed(again));
    CHECK_RC(kr_master_save(master, path, NULL), KLM_E_EXISTS);
    kr_master_free(&master);
    kr_master_free(&again);
}

TEST(confirming_the_escrow_is_kept_in_the_file)
{
    struct kr_master *master = NULL, *again = NULL;
    const char *path;
    struct stat st;

    REQUIRE_OK(kr_master_generate(&master));
    path = saved(master, "m2");
    REQUIRE_OK(kr_master_confirm_escrow(path, NULL));
    REQUIRE_OK(kr_master_load(path, NULL, &again));
    CHECK(kr_master_escrowed(again));
    REQUIRE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 07777, 0400);
    CHECK_RC(kr_master_confirm_escrow(test_path("none"), NULL), KLM_E_NOTFOUND);
    kr_master_free(&master);
    kr_master_free(&again);
}

TEST(each_kind_of_damage_has_its_message)
{
    struct kr_master *master = master_of(0);
    const char *path = saved(master, "m3"), *bad;
    struct klm_slice good = load(path);
    uint8_t *p;

    check_load(test_path("no such"), KLM_E_NOTFOUND, KLM_MSG_MASTER_NONE);
    for (size_t i = 0; i < good.n; i++) {
        p = copy_of(good);
        p[i] ^= 0x10;
        bad = write_temp("m3b", KLM_SLICE(p, good.n));
        if (i < 4) {
            check_load(bad, KLM_E_INVALID, KLM_MSG_MASTER_NOT);
        } else if (i == 4) {
            check_load(bad, KLM_E_UNSUPPORTED, KLM_MSG_MASTER_VERSION);
        } else {
            check_load(bad, KLM_E_CORRUPT, KLM_MSG_MASTER_DAMAGED);
        }
    }
    for (size_t n = 0; n < good.n; n++) {
        check_load(write_temp("m3c", KLM_SLICE(good.p, n)), n < 4 ? KLM_E_INVALID : KLM_E_CORRUPT,
                   n < 4 ? KLM_MSG_MASTER_NOT : KLM_MSG_MASTER_DAMAGED);
    }
    check_load(write_temp("m3d", KLM_SLICE(copy_of(good), good.n + 1)), KLM_E_CORRUPT,
               KLM_MSG_MASTER_DAMAGED);
    kr_master_free(&master);
}

TEST(a_file_that_others_may_read_is_refused)
{
    struct kr_master *master = master_of(0);
    const char *path = saved(master, "m4");

    /* Another group than root's, so that the rule for systemd credentials does not apply; only
     * root can and needs to do so. */
    CHECK(chown(path, (uid_t)-1, 12345) == 0 || errno == EPERM);
    static const mode_t open_modes[] = {0440, 0404, 0420, 0402, 0410, 0401, 0644};
    for (size_t i = 0; i < KLM_COUNT(open_modes); i++) {
        REQUIRE(chmod(path, open_modes[i]) == 0);
        check_load(path, KLM_E_DENIED, KLM_MSG_MASTER_GUARD);
    }
    REQUIRE(chmod(path, 0600) == 0);
    check_load(path, KLM_OK, KLM_MSG_NONE);
    kr_master_free(&master);
}

TEST(a_file_of_another_user_is_refused)
{
    struct kr_master *master = master_of(0);
    const char *path = saved(master, "m5");

    /* Root gives the file away; any other user finds a file of root's in its way that it cannot
     * read, which is refused as well. */
    if (geteuid() == 0) {
        REQUIRE(chown(path, 12345, 0) == 0);
        check_load(path, KLM_E_DENIED, KLM_MSG_MASTER_GUARD);
    } else {
        check_load("/etc/shadow", KLM_E_DENIED, KLM_MSG_FILE_OPEN);
    }
    kr_master_free(&master);
}

TEST(links_folders_and_pipes_are_refused)
{
    struct kr_master *master = master_of(0);
    const char *path = saved(master, "m6"), *link = test_path("m6l"), *pipe = test_path("m6p");

    REQUIRE(symlink(path, link) == 0);
    check_load(link, KLM_E_DENIED, KLM_MSG_MASTER_GUARD);
    REQUIRE(mkfifo(pipe, 0400) == 0);
    check_load(pipe, KLM_E_DENIED, KLM_MSG_MASTER_GUARD);
    check_load(test_dir(), KLM_E_DENIED, KLM_MSG_MASTER_GUARD);
    kr_master_free(&master);
}
