/* Failing system calls under the SMF data sets. The calls are ours here: they fail when a test says so. */
#include "smf_test.h"

#include "smf/dataset.h"

#include <errno.h>
#include <sys/syscall.h>

static int sync_error, write_error, rename_error, cut_error;
static size_t write_part; /* bytes still written before write_error */
static char only[64];     /* the file under its folder that calls fail for */

static bool concerned(int fd)
{
    char link[64], path[700];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return only[0] && strstr(path, only);
}

int fdatasync(int fd)
{
    if (__atomic_load_n(&sync_error, __ATOMIC_SEQ_CST) && concerned(fd)) {
        errno = sync_error;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t write(int fd, const void *p, size_t n)
{
    if (__atomic_load_n(&write_error, __ATOMIC_SEQ_CST) && concerned(fd)) {
        if (!write_part) {
            errno = write_error;
            return -1;
        }
        n = n < write_part ? n : write_part;
        write_part -= n;
    }
    return syscall(SYS_write, fd, p, n);
}

int ftruncate(int fd, off_t n)
{
    if (__atomic_load_n(&cut_error, __ATOMIC_SEQ_CST) && concerned(fd)) {
        errno = cut_error;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, n);
}

int rename(const char *from, const char *to)
{
    if (__atomic_load_n(&rename_error, __ATOMIC_SEQ_CST) && strstr(to, "smf.cursor")) {
        errno = rename_error;
        return -1;
    }
    return (int)syscall(SYS_rename, from, to);
}

static void set(int *what, int error)
{
    __atomic_store_n(what, error, __ATOMIC_SEQ_CST);
}

static const char *const names[] = {"SYS1.MAN1", "SYS1.MAN2"};

struct rig {
    char journal_folder[300], folder[300];
    struct smf_journal *journal;
    struct smf_dataset_sink *sink;
};

static void open_sink(struct rig *rig)
{
    struct smf_dataset_options options = {.folder = rig->folder,
                                          .names = names,
                                          .names_n = 2,
                                          .origin = {.system = "TEST"},
                                          .server_id = "test"};

    test_rc(smf_dataset_sink_open(&options, rig->journal, NULL, &rig->sink), KLM_OK,
            "smf_dataset_sink_open", __FILE__, __LINE__, true);
}

static void rig_init(struct rig *rig)
{
    *rig = (struct rig){.sink = NULL};
    snprintf(rig->journal_folder, sizeof rig->journal_folder, "%s", new_folder());
    snprintf(rig->folder, sizeof rig->folder, "%s", new_folder());
    rig->journal = open_journal(rig->journal_folder, 0);
    listen_to_messages();
    snprintf(only, sizeof only, "SYS1.MAN");
    open_sink(rig);
}

static void rig_done(struct rig *rig)
{
    smf_dataset_sink_close(&rig->sink);
    smf_journal_close(&rig->journal);
    klm_say_to(NULL, NULL);
}

static void append_n(struct rig *rig, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        append(rig->journal, i, 0);
    }
}

static klm_rc drain(struct rig *rig)
{
    return smf_sink_drain(smf_dataset_sink_core(rig->sink), 0);
}

/* The independent reader agrees; only when nothing is being written. */
static int check(struct rig *rig)
{
    char script[sizeof __FILE__ + 60], *slash;
    char *argv[] = {(char[]){"python3"}, script, rig->folder, rig->journal_folder, NULL};
    int status = -1;
    pid_t pid;

    snprintf(script, sizeof script, "%s", __FILE__);
    slash = strrchr(script, '/');
    REQUIRE(slash != NULL);
    snprintf(slash, sizeof script - (size_t)(slash - script), "/../../smf/smfseries.py");
    REQUIRE(posix_spawnp(&pid, "python3", NULL, NULL, argv, environ) == 0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return status;
}

TEST(a_write_that_runs_out_of_space_half_way_leaves_no_trace)
{
    struct rig rig;

    rig_init(&rig);
    append_n(&rig, 3);
    REQUIRE_OK(drain(&rig));
    write_part = 300;     /* a piece of a record */
    set(&cut_error, EIO); /* and it cannot be cut off at once */
    set(&write_error, ENOSPC);
    append_n(&rig, 3);
    klm_rc rc = drain(&rig);
    CHECK(rc == KLM_E_NOSPACE || rc == KLM_E_IO); /* the sink may have tried before by itself */
    set(&write_error, 0);
    CHECK(drain(&rig) != KLM_OK); /* nothing is written behind it */
    set(&cut_error, 0);
    REQUIRE_OK(drain(&rig));
    CHECK_INT(heard_times("KLM0750A"), 1);
    CHECK_INT(heard_times("KLM0751I"), 1);
    CHECK_INT(check(&rig), 0);
    rig_done(&rig);
    CHECK_INT(check(&rig), 0);
}

/* A sync comes with a switch. */
static klm_rc switch_it(struct rig *rig)
{
    char from[SMF_DATASET_NAME_MAX], to[SMF_DATASET_NAME_MAX];

    return smf_dataset_switch(rig->sink, from, to);
}

TEST(after_a_failed_sync_what_was_not_on_disk_is_written_again)
{
    struct rig rig;
    struct stat before, after;

    rig_init(&rig);
    append_n(&rig, 3);
    REQUIRE_OK(drain(&rig));
    REQUIRE(stat(in_folder(rig.folder, names[0]), &before) == 0);
    set(&sync_error, EIO);
    CHECK_RC(switch_it(&rig), KLM_E_IO);
    CHECK_RC(switch_it(&rig), KLM_E_IO);
    CHECK(heard_times("KLM0750A") >= 1);
    set(&sync_error, 0);
    append_n(&rig, 3);
    REQUIRE_OK(drain(&rig)); /* from the cursor on */
    REQUIRE(stat(in_folder(rig.folder, names[0]), &after) == 0);
    CHECK(after.st_size > before.st_size);
    REQUIRE_OK(switch_it(&rig));
    CHECK_INT(check(&rig), 0);
    rig_done(&rig);
    CHECK_INT(check(&rig), 0);
}

TEST(a_switch_whose_cursor_cannot_be_written_does_not_happen)
{
    struct rig rig;

    rig_init(&rig);
    append_n(&rig, 3);
    REQUIRE_OK(drain(&rig));
    REQUIRE_OK(switch_it(&rig));
    append_n(&rig, 3); /* MAN1 is full, MAN2 is active: a switch has to rename */
    REQUIRE_OK(drain(&rig));
    set(&rename_error, ENOSPC);
    CHECK(switch_it(&rig) != KLM_OK);
    CHECK_INT(heard_times("KLM0755E"), 1);
    CHECK_INT(count_files(rig.folder, "SYS1"), 2);
    append_n(&rig, 3);
    REQUIRE_OK(drain(&rig)); /* recording goes on where it was */
    set(&rename_error, 0);
    CHECK_INT(check(&rig), 0);
    REQUIRE_OK(switch_it(&rig));
    CHECK_INT(count_files(rig.folder, "SYS1"), 3);
    rig_done(&rig);
    CHECK_INT(check(&rig), 0);
}

TEST(without_a_cursor_saved_since_a_start_writes_the_same_again)
{
    struct rig rig;

    rig_init(&rig);
    append_n(&rig, 5);
    REQUIRE_OK(drain(&rig));
    set(&rename_error, EIO);
    smf_dataset_sink_close(&rig.sink); /* its last cursor is lost */
    set(&rename_error, 0);
    append_n(&rig, 5);
    open_sink(&rig);
    REQUIRE_OK(drain(&rig));
    CHECK_INT(heard_times("KLM0757I"), 1);
    CHECK_INT(check(&rig), 0);
    rig_done(&rig);
}
