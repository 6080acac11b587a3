/* Room for a restore: what the new store takes is counted before it is begun, from the records and not from the size of the file. */
#include "backup/bk_help.h"

#include <dlfcn.h>
#include <sys/statvfs.h>

#define RECORDS 3000
#define MIB ((uint64_t)1 << 20)

static uint64_t free_bytes; /* 0: as it is */

/* In front of the C library's. */
int statvfs(const char *path, struct statvfs *out)
{
    __typeof__(&statvfs) next = (__typeof__(&statvfs))(uintptr_t)dlsym(RTLD_NEXT, "statvfs");
    int ret = next(path, out);

    if (ret == 0 && free_bytes) {
        out->f_frsize = out->f_bsize = 1;
        out->f_bavail = out->f_bfree = free_bytes;
    }
    return ret;
}

/* A house with records of one size, which the compressor makes next to nothing of, and its backup. */
static void house_of(struct house *house, const char *name, size_t size, char path[400])
{
    struct st_change *change = NULL;
    uint8_t *record = calloc(1, size);
    char key[16];

    REQUIRE(record != NULL);
    start_house(house, name, "");
    for (unsigned i = 0; i < RECORDS; i++) {
        if (i % 500 == 0) {
            if (change) {
                REQUIRE_OK(st_change_commit(&change, NULL));
            }
            change = change_begin(house);
        }
        snprintf(key, sizeof key, "row %05u", i);
        REQUIRE_OK(st_put(change, ST_CLIENT_PENDING, klm_slice_str(key), KLM_SLICE(record, size)));
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    free(record);
    snprintf(path, 400, "%s/one", house->dir);
    make_backup(house, path);
    close_house(house);
}

/* Bytes of the trees of the present store. */
static uint64_t trees(const struct house *house)
{
    uint64_t sum = 0;

    for (unsigned t = 0; t < ST_TABLES; t++) {
        char path[600];
        struct stat st;

        snprintf(path, sizeof path, "%s/store/%s.db", house->dir, st_table_name((enum st_table)t));
        REQUIRE(stat(path, &st) == 0);
        sum += (uint64_t)st.st_size;
    }
    return sum;
}

/* What a restore says that it needs, when there is next to nothing. */
static uint64_t needed(const struct house *house, const char *path)
{
    struct bk_restored done = {0};
    struct klm_diag diag;
    const char *at;

    free_bytes = 1;
    CHECK_RC(restore_into(house, path, PASSWORD, BK_ACCEPT_OLDER, &diag, &done), KLM_E_NOSPACE);
    free_bytes = 0;
    REQUIRE(diag.msg == KLM_MSG_BK_SPACE);
    at = strstr(diag.text, " needs ");
    REQUIRE(at != NULL);
    return strtoull(at + sizeof " needs " - 1, NULL, 10);
}

TEST(what_a_restore_needs_is_what_it_takes_whatever_the_size_of_its_records)
{
    static const size_t sizes[] = {20, 300, 970, 1100, 20000};
    struct house house;
    char path[400], name[32];

    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        uint64_t says, took;

        snprintf(name, sizeof name, "size%zu", sizes[i]);
        house_of(&house, name, sizes[i], path);
        says = needed(&house, path) - 64 * MIB;
        RESTORED(&house, path, BK_ACCEPT_OLDER);
        took = trees(&house);
        CHECK(says >= took - took / 20);
        CHECK(says <= took + took / 20 + MIB / 16);
    }
}

TEST(a_small_file_with_much_in_it_is_refused_before_anything_is_built)
{
    struct bk_restored done = {0};
    struct klm_diag diag;
    struct house house;
    char path[400];
    struct stat st;
    uint64_t least;

    house_of(&house, "tight", 20000, path);
    REQUIRE(stat(path, &st) == 0);
    CHECK(st.st_size < (off_t)MIB); /* twice that, and 64 MiB, was once thought to be enough */
    least = needed(&house, path);
    CHECK(least > 64 * MIB + RECORDS * 20000ull);
    free_bytes = least - 1;
    CHECK_RC(restore_into(&house, path, PASSWORD, BK_ACCEPT_OLDER, &diag, &done), KLM_E_NOSPACE);
    snprintf(path, sizeof path, "%s/store.new", house.dir);
    CHECK(access(path, F_OK) != 0);
    snprintf(path, sizeof path, "%s/one", house.dir);
    free_bytes = least;
    RESTORED(&house, path, BK_ACCEPT_OLDER);
    free_bytes = 0;
    open_house(&house, false); /* and it is whole */
    close_house(&house);
}
