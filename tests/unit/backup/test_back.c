/* A backup is read back from its device while it is written: what is not there as it was written makes no backup, and neither does a device that does not take it. */
#include "backup/bk_help.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

#define WINDOW (4u << 20)
#define RECORDS 260 /* of random bytes, so that the file has more than three windows */
#define RECORD 60000
#define CHUNK_LEAST 65536 /* bytes of a write that is one of a chunk */

static struct house house;
static atomic_long settled; /* windows that were written out before the file was whole */
static long flip_at = -1;   /* the chunk of which a byte is changed on its way */
static long hold_at = -1;   /* the chunk before which a window has to be settled */
static long chunks;
static bool broken; /* the device takes nothing */

#define NEXT(name) ((__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name))

/* The store makes log files ahead, and has them written out, too. */
static bool is_log(int fd)
{
    char path[64], name[4096];
    ssize_t n;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    n = readlink(path, name, sizeof name - 1);
    REQUIRE(n > 0);
    name[n] = '\0';
    return strstr(name, "/log.") != NULL;
}

/* In front of the C library's. */
int sync_file_range(int fd, off64_t at, off64_t n, unsigned how)
{
    if (is_log(fd)) {
        return NEXT(sync_file_range)(fd, at, n, how);
    }
    if (broken) {
        errno = EIO;
        return -1;
    }
    if (n > 0) {
        CHECK_INT(at % WINDOW, 0);
        CHECK_INT(n % WINDOW, 0);
        atomic_fetch_add(&settled, 1);
    }
    return NEXT(sync_file_range)(fd, at, n, how);
}

static void wait_until_settled(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    for (uint32_t left = test_ms(60000); left && atomic_load(&settled) == 0; left--) {
        nanosleep(&moment, NULL);
    }
    CHECK(atomic_load(&settled) > 0);
}

ssize_t write(int fd, const void *p, size_t n)
{
    uint8_t *copy;
    ssize_t done;

    if (n < CHUNK_LEAST) {
        return NEXT(write)(fd, p, n);
    }
    if (chunks == hold_at) {
        wait_until_settled();
    }
    if (chunks++ != flip_at) {
        return NEXT(write)(fd, p, n);
    }
    copy = malloc(n);
    REQUIRE(copy != NULL);
    memcpy(copy, p, n);
    copy[n / 2] ^= 1;
    done = NEXT(write)(fd, copy, n);
    free(copy);
    return done;
}

static void start_large(const char *name)
{
    struct st_change *change = NULL;
    uint8_t record[RECORD];
    char key[32];

    start_house(&house, name, "");
    change = change_begin(&house);
    for (unsigned i = 0; i < RECORDS; i++) {
        REQUIRE_OK(klm_random(record, sizeof record));
        snprintf(key, sizeof key, "large %03u", i);
        REQUIRE_OK(st_put(change, ST_OBJECT, klm_slice_str(key), KLM_SLICE(record, sizeof record)));
    }
    REQUIRE_OK(st_change_commit(&change, NULL));
    flip_at = hold_at = -1;
    broken = false;
    atomic_store(&settled, 0);
}

static const char *path(void)
{
    static char out[400];

    snprintf(out, sizeof out, "%s/one", house.dir);
    return out;
}

static klm_rc make(struct bk_watch watch, struct klm_diag *diag)
{
    const struct bk_order order = {.server = house.server,
                                   .path = path(),
                                   .password = klm_slice_str(PASSWORD),
                                   .cost = CHEAP,
                                   .watch = watch};
    struct bk_made made;

    chunks = 0;
    *diag = (struct klm_diag){0};
    return bk_make(&order, diag, &made);
}

static void nothing_is_left(void)
{
    char temporary[500];

    snprintf(temporary, sizeof temporary, "%s.tmp%d", path(), (int)getpid());
    CHECK(access(path(), F_OK) != 0);
    CHECK(access(temporary, F_OK) != 0);
}

TEST(what_is_written_is_read_back_before_the_file_is_whole)
{
    struct klm_diag diag;

    start_large("behind");
    hold_at = 40; /* of 60 */
    CHECK_RC(make((struct bk_watch){always, NULL}, &diag), KLM_OK);
    CHECK(chunks > 50);
    CHECK(access(path(), F_OK) == 0);
    close_house(&house);
}

TEST(a_byte_that_reaches_the_device_changed_is_found_wherever_it_is)
{
    static const long at[] = {0, 20, 45, 59};
    struct klm_diag diag;

    start_large("changed");
    for (size_t i = 0; i < KLM_COUNT(at); i++) {
        flip_at = at[i];
        CHECK_RC(make((struct bk_watch){always, NULL}, &diag), KLM_E_CORRUPT);
        CHECK(diag.msg == KLM_MSG_BK_DAMAGED);
        CHECK(chunks > flip_at);
        nothing_is_left();
    }
    close_house(&house);
}

TEST(a_device_that_does_not_take_the_bytes_ends_the_backup_with_a_message)
{
    struct klm_diag diag;

    start_large("broken");
    broken = true;
    CHECK_RC(make((struct bk_watch){always, NULL}, &diag), KLM_E_IO);
    CHECK(diag.text[0] != '\0');
    nothing_is_left();
    close_house(&house);
}

static klm_rc cancel(void *arg, const struct bk_progress *progress)
{
    unsigned *left = arg;

    (void)progress;
    return (*left)-- ? KLM_OK : KLM_E_CANCELLED;
}

TEST(a_backup_that_is_cancelled_while_it_is_read_back_leaves_nothing)
{
    struct klm_diag diag;

    start_large("cancelled");
    for (unsigned at = 10; at < 80; at += 20) {
        unsigned left = at;

        CHECK_RC(make((struct bk_watch){cancel, &left}, &diag), KLM_E_CANCELLED);
        nothing_is_left();
    }
    close_house(&house);
}
