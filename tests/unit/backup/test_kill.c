/* A restore that is killed: at every rename, removal and new folder, and at many writes, what the next start finds is the old state or the
 * new one, whole, and never asks anybody anything. */
#include "backup/bk_help.h"

#include <dlfcn.h>

/* In front of the C library's, for every library of this program: the process ends at one of them. */
static long die_at = -1, calls, writes;

static void count(void)
{
    if (die_at >= 0 && calls++ == die_at) {
        _exit(9);
    }
}

/* Only one of so many writes counts: there are hundreds. */
static void count_write(void)
{
    if (die_at >= 0 && writes++ % 71 == 0) {
        count();
    }
}

#define NEXT(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

int rename(const char *from, const char *to)
{
    count();
    return NEXT(rename)(from, to);
}

int unlink(const char *path)
{
    count();
    return NEXT(unlink)(path);
}

int mkdir(const char *path, mode_t mode)
{
    count();
    return NEXT(mkdir)(path, mode);
}

ssize_t write(int fd, const void *p, size_t n)
{
    count_write();
    return NEXT(write)(fd, p, n);
}

/* Nothing here waits for a disk: a kill loses nothing that was written. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

static struct house house;

static void copy_house(const char *from, const char *to)
{
    SPAWN("rm", "-rf", to);
    SPAWN("cp", "-a", from, to);
}

/* The copy that all others are made of does without what is made anew, which is nine tenths of it. */
static void keep_house(const char *from, const char *to)
{
    char reserve[500];

    copy_house(from, to);
    snprintf(reserve, sizeof reserve, "%s/store/RESERVE", to);
    SPAWN("rm", "-f", reserve);
}

/* A child that restores and ends at the nth call. True: it came through. */
static bool restore_until(const char *file, long n)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        struct klm_diag diag;
        struct bk_restored done;
        klm_rc rc;

        die_at = n;
        rc = restore_into(&house, file, PASSWORD, BK_ACCEPT_OLDER, &diag, &done);
        _exit(rc == KLM_OK ? 0 : 1);
    }
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    REQUIRE(WIFEXITED(status) && (WEXITSTATUS(status) == 9 || WEXITSTATUS(status) == 0));
    return WEXITSTATUS(status) == 0;
}

static bool there(const char *name)
{
    char path[400];
    struct stat st;

    snprintf(path, sizeof path, "%s/%s", house.dir, name);
    return lstat(path, &st) == 0;
}

/* Old: label Later, 7 pending drives, drive 2. New: none of them. */
static bool is_new(void)
{
    struct km_state *state;
    bool later, pending;

    open_house(&house, true);
    later = has_label(&house, "Later");
    state = km_state_get(house.server);
    pending = parm_num(state->config, PARM_drive_pending_max) == 7;
    km_state_put(&state);
    CHECK(later == pending);
    CHECK(has_label(&house, "L1"));
    CHECK_RC(st_verify(km_store(house.server), NULL, NULL, NULL), KLM_OK);
    CHECK_INT(events(&house, "restore", SMF_SUCCESS, NULL, NULL), later ? 0 : 1);
    close_house(&house);
    CHECK(!there("store.restore") && !there("store.new") && !there("config.restored"));
    return !later;
}

TEST(a_restore_that_is_killed_anywhere_leaves_the_old_state_or_the_new_one)
{
    char kept[400], file[500];
    size_t old = 0, fresh = 0;
    bool through = false;

    start_house(&house, "killed", "");
    snprintf(file, sizeof file, "%s.backup", house.dir);
    make_backup(&house, file);
    gencert(&house, OWNER, "Later", "LABEL", "NISTECC", "256", CA_LABEL);
    close_house(&house);
    write_config(&house, "drive.pending.max=7\n");
    open_house(&house, true); /* so that what follows begins with a run that ended in order */
    close_house(&house);
    snprintf(kept, sizeof kept, "%s.kept", house.dir);
    keep_house(house.dir, kept);
    for (long n = 0; !through && n < 400; n++) {
        through = restore_until(file, n);
        if (is_new()) {
            fresh++;
        } else {
            CHECK(fresh == 0); /* once it is in force it stays so */
            old++;
        }
        copy_house(kept, house.dir);
    }
    fprintf(stderr, "# killed %zu times before it was in force, %zu times after\n", old, fresh - 1);
    CHECK(through && old > 5 && fresh > 5);
}
