/* A backup that was made on x86-64 restores on any machine:
 * tests/golden/backup/house.backup, password "correct horse battery". With
 * KLM_GOLDEN_MAKE set it is made anew. */
#include "backup/bk_help.h"

#define GOLDEN "tests/golden/backup/house.backup"

static struct house house;

TEST(the_golden_backup_restores_here_with_its_keys_drives_and_usage)
{
    struct km_state *state;

    if (getenv("KLM_GOLDEN_MAKE")) {
        start_house(&house, "maker", "");
        DO(&house, KM_DRIVE_ADD, &admin, "drivename", SERIAL, "rec1", "L1");
        (void)unlink(GOLDEN);
        make_backup(&house, GOLDEN);
        close_house(&house);
    }
    make_house(&house, "golden", ""); /* a master key of its own, and nothing else */
    RESTORED(&house, GOLDEN, 0);
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
