/* Backups that were made on x86-64 and on s390x, which is big-endian, restore on any machine: tests/golden/backup, password "correct horse battery". With
 * KLM_GOLDEN_MAKE set that of this architecture is made anew (README there). */
#include "backup/bk_help.h"

#define LITTLE "tests/golden/backup/house.backup"
#define BIG "tests/golden/backup/house-s390x.backup"

static struct house house;

static void make_golden(void)
{
    const char *path = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? BIG : LITTLE;

    start_house(&house, "maker", "");
    DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "rec1", "L1");
    (void)unlink(path);
    make_backup(&house, path);
    close_house(&house);
}

/* Into a house with a master key of its own, and nothing else. */
static void check_golden(const char *name, const char *path)
{
    struct km_state *state;

    make_house(&house, name, "");
    RESTORED(&house, path, 0);
    open_house(&house, false);
    CHECK(has_label(&house, "L1"));
    CHECK(has_label(&house, "L2"));
    state = km_state_get(house.server);
    CHECK_INT(kr_open_ring_count(state->keys), 4);
    for (size_t i = 0; i < kr_open_ring_count(state->keys); i++) {
        CHECK(kr_open_ring_at(state->keys, i)->key != NULL);
    }
    km_state_put(&state);
    CHECK(strstr(text_of(house.table), SERIAL) != NULL);
    CHECK_INT(events(&house, "restore", SMF_SUCCESS, NULL, NULL), 1);
    close_house(&house);
}

TEST(a_backup_of_a_little_endian_machine_restores_here_with_its_keys_drives_and_usage)
{
    if (getenv("KLM_GOLDEN_MAKE")) {
        make_golden();
    }
    check_golden("golden", LITTLE);
}

TEST(a_backup_of_a_big_endian_machine_restores_here_with_its_keys_drives_and_usage)
{
    check_golden("golden-big", BIG);
}
