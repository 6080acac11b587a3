/* Going on after a sync of the journal that failed. The calls are ours here: a sync fails when a test says so and then loses what it did
 * not bring to disk, as systems do; and the process can be ended before any call of a series. */
#include "smf_test.h"

#include "smf/journal.h"
#include "smf/reader.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#define ENDED 42

static atomic_int sync_error, rename_error, cut_error, write_error;
static _Atomic uint64_t lose_from =
    UINT64_MAX; /* offset behind which a sync that fails loses a file's bytes */
static atomic_uint slow_us;
static atomic_int end_before, calls; /* the call before which the process ends, from 1; 0: never */

static const char *only; /* a piece of the names of files whose syncs fail; NULL: all */

static bool is_meant(int fd)
{
    char link[64], path[600] = "";

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return !only || (readlink(link, path, sizeof path - 1) > 0 && strstr(path, only) != NULL);
}

static int step(int error)
{
    if (end_before && ++calls == end_before) {
        _exit(ENDED);
    }
    errno = error;
    return error ? -1 : 0;
}

/* By a descriptor of its own: what is written through one that appends goes to the end. */
static void lose(const char *path)
{
    static const uint8_t zeros[4096];
    struct stat st;
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        for (off_t at = (off_t)lose_from; at < st.st_size; at += (off_t)sizeof zeros) {
            size_t n = (size_t)(st.st_size - at);

            (void)!syscall(SYS_pwrite64, fd, zeros, n < sizeof zeros ? n : sizeof zeros, at);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static int sync_or_lose(long call, int fd)
{
    usleep(atomic_load(&slow_us));
    if (step(is_meant(fd) ? sync_error : 0) != 0) {
        if (lose_from != UINT64_MAX) {
            char path[64];

            snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
            lose(path);
            errno = sync_error;
        }
        return -1;
    }
    return (int)syscall(call, fd);
}

int fdatasync(int fd)
{
    return sync_or_lose(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return sync_or_lose(SYS_fsync, fd);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return step(write_error) ? -1 : syscall(SYS_pwrite64, fd, p, n, at);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return step(rename_error) ? -1 : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    return step(0) ? -1 : (int)syscall(SYS_unlinkat, fd, name, flags);
}

int ftruncate(int fd, off_t n)
{
    return step(cut_error) ? -1 : (int)syscall(SYS_ftruncate, fd, n);
}

static bool alone; /* no thread of the journal takes part: the order of calls is always the same */

static void end_thread(struct smf_journal *journal)
{
    pthread_mutex_lock(&journal->lock);
    journal->stop = true;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->lock);
    pthread_join(journal->thread, NULL);
    journal->running = false;
}

/* A journal with record 1 on disk and 2 to n that a sync failed on and lost, over several segments when those are small. */
static struct smf_journal *broken_journal(const char *folder, uint64_t n, uint64_t segment_bytes)
{
    struct smf_journal *journal = open_journal(folder, segment_bytes);
    struct stat st;

    append(journal, 1, 1);
    REQUIRE_OK(smf_journal_sync(journal, 1));
    if (alone) {
        end_thread(journal);
    }
    REQUIRE(stat(in_folder(folder, "journal.0000000001"), &st) == 0);
    lose_from = (uint64_t)st.st_size;
    sync_error = EIO;
    for (uint64_t i = 2; i <= n; i++) {
        append(journal, i, i);
    }
    CHECK_RC(smf_journal_sync(journal, n), KLM_E_IO);
    return journal;
}

static void all_well(void)
{
    sync_error = rename_error = cut_error = write_error = 0;
    lose_from = UINT64_MAX;
}

static bool resumed(struct smf_journal *journal)
{
    AWAIT(!smf_journal_failing(journal));
    return !smf_journal_failing(journal);
}

/* Records 1 to n, each once, with the numbers of the outbox, by our reader and by the independent one. */
static void check_records(const char *folder, uint64_t n)
{
    const struct seen *seen = read_all(folder, 0);

    CHECK_INT(seen->n, n);
    for (uint64_t i = 0; i < seen->n; i++) {
        CHECK_INT(seen->no[i], i + 1);
    }
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);
}

TEST(records_that_a_failed_sync_lost_are_written_again_and_the_journal_goes_on)
{
    const char *folder = new_folder();
    struct smf_journal *journal;
    struct smf_entry entry = {.event = event_of(9), .event_no = 9};

    listen_to_messages();
    journal = broken_journal(folder, 3, 0);
    CHECK(smf_journal_failing(journal) && !smf_journal_refusing(journal));
    CHECK_RC(smf_journal_append(journal, &entry, 1), KLM_E_IO);
    CHECK_INT(entry.seq, 0);
    CHECK_INT(smf_journal_synced(journal), 1);
    CHECK_RC(smf_journal_sync(journal, 3), KLM_E_IO);
    REQUIRE_OK(smf_journal_sync(journal, 1));
    usleep(1000 * test_ms(600)); /* at least one attempt fails */
    CHECK(smf_journal_failing(journal));
    CHECK_INT(heard_times("KLM0706A"), 1);
    all_well();
    REQUIRE(resumed(journal));
    CHECK_INT(smf_journal_synced(journal), 3);
    CHECK_INT(append(journal, 2, 2), 0); /* a row that comes again */
    CHECK_INT(append(journal, 4, 4), 4);
    REQUIRE_OK(smf_journal_sync(journal, 4));
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0706A"), 1);
    CHECK_INT(heard_times("KLM0711I"), 1);
    CHECK(strstr(heard.lines, "2 records were written again, up to sequence number 3") != NULL);
    CHECK_INT(heard_times("KLM0704A"), 0);
    smf_journal_close(&journal);
    check_records(folder, 4);
    CHECK_INT(count_files(folder, "journal."), 2);
    journal = open_journal(folder, 0);
    CHECK_INT(append(journal, 5, 5), 5);
    smf_journal_close(&journal);
    check_records(folder, 5);
}

TEST(a_failed_sync_over_several_segments_loses_none_and_the_first_record_of_all_neither)
{
    const char *folder = new_folder();
    struct smf_journal *journal = broken_journal(folder, 40, 1000);

    all_well();
    REQUIRE(resumed(journal));
    append(journal, 41, 41);
    smf_journal_close(&journal);
    check_records(folder, 41);

    folder = new_folder(); /* nothing was ever on disk */
    journal = open_journal(folder, 1000);
    sync_error = EIO;
    lose_from = 0;
    for (uint64_t i = 1; i <= 10; i++) {
        append(journal, i, i);
    }
    CHECK_RC(smf_journal_sync(journal, 10), KLM_E_IO);
    all_well();
    REQUIRE(resumed(journal));
    smf_journal_close(&journal);
    check_records(folder, 10);
}

TEST(each_step_of_writing_again_may_fail_and_is_done_over)
{
    atomic_int *const errors[] = {&rename_error, &cut_error, &write_error};

    for (size_t i = 0; i < KLM_COUNT(errors); i++) {
        const char *folder = new_folder();
        struct smf_journal *journal = broken_journal(folder, 20, 1000);

        *errors[i] = i == 2 ? ENOSPC : EIO;
        sync_error = 0;
        CHECK_RC(smf_resume(journal), KLM_E_IO);
        CHECK_RC(smf_resume(journal), KLM_E_IO);
        CHECK(smf_journal_failing(journal));
        all_well();
        REQUIRE_OK(smf_resume(journal));
        append(journal, 21, 21);
        smf_journal_close(&journal);
        check_records(folder, 21);
        CHECK_INT(access(in_folder(folder, "journal.again"), F_OK), -1);
    }
}

/* In a process of its own, which ends before the given call of the attempt; whether it came to the end. */
static bool attempt_in_child(const char *folder, int before)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        static struct smf_journal *
            journal; /* static: what a process that ends there still had, no memory checker is to take for lost */

        alone = true;
        journal = broken_journal(folder, 20, 1000);
        lose_from = UINT64_MAX;
        sync_error = 0;
        calls = 0;
        end_before = before;
        _exit(smf_resume(journal) == KLM_OK ? 0 : 1);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == ENDED));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Before the file has its name what is in memory is lost with the process, and the start finds what the disk kept: record 1, and of the
 * others those whose bytes the failed sync happened to leave (also one whose last byte was zero anyway). From then on all is there. In no
 * case does a start refuse, or find a record twice. */
TEST(a_kill_before_any_call_of_writing_again_leaves_a_journal_that_opens)
{
    bool ended = false, safe = false;

    klm_say_to(hear, NULL);
    for (int before = 1; !ended && before < 60; before++) {
        const char *folder = new_folder();
        struct smf_journal *journal;
        uint64_t last;

        ended = attempt_in_child(folder, before);
        /* Once safe, safe at every later step. */
        safe = safe || ended || access(in_folder(folder, "journal.again"), F_OK) == 0;
        heard.n = 0;
        journal = open_journal(folder, 1000);
        last = smf_journal_last(journal);
        CHECK(safe ? last == 20 : last >= 1);
        CHECK_INT(append(journal, last + 1, last + 1), last + 1);
        smf_journal_close(&journal);
        check_records(folder, last + 1);
        CHECK_INT(access(in_folder(folder, "journal.again"), F_OK), -1);
        CHECK_INT(access(in_folder(folder, "journal.again.tmp"), F_OK), -1);
    }
    CHECK(ended);
    klm_say_to(NULL, NULL);
}

TEST(sinks_get_each_record_once_over_a_failed_sync)
{
    const char *folder = new_folder(), *texts = new_folder();
    struct smf_text_options options = {.folder = texts, .name = "audit.log", .roll_bytes = 1 << 20};
    struct smf_journal *journal = open_journal(folder, 1000);
    struct smf_text *text = NULL;
    uint64_t n = 0;

    REQUIRE_OK(smf_text_open(&options, journal, NULL, &text));
    for (int turn = 0; turn < 4; turn++) {
        for (int i = 0; i < 15; i++) {
            n++;
            append(journal, n, n);
        }
        REQUIRE_OK(smf_text_drain(text));
        sync_error = EIO;
        n++;
        append(journal, n, n);
        CHECK_RC(smf_journal_sync(journal, n), KLM_E_IO);
        CHECK_INT(smf_text_position(text), n - 1);
        all_well();
        REQUIRE(resumed(journal));
    }
    REQUIRE_OK(smf_text_drain(text));
    CHECK_INT(smf_text_position(text), n);
    smf_text_close(&text);
    smf_journal_close(&journal);
    check_records(folder, n);
    CHECK_INT(reader_py(test_path("out"), "text", texts, "audit.log"), 0);
}

TEST(a_text_log_whose_sync_failed_is_written_again_from_the_journal)
{
    const char *folder = new_folder(), *texts = new_folder();
    struct smf_text_options options = {.folder = texts, .name = "audit.log", .roll_bytes = 3000};
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_text *text = NULL;

    REQUIRE_OK(smf_text_open(&options, journal, NULL, &text));
    listen_to_messages();
    only = "audit.log";
    sync_error = EIO;
    lose_from = 0;
    for (uint64_t n = 1; n <= 40; n++) { /* it cannot be closed: what was in it is lost */
        append(journal, n, n);
        if (n % 10 == 0) {
            REQUIRE_OK(smf_journal_sync(journal, n));
            KLM_IGNORE(smf_text_drain(text)); /* it may fail */
        }
    }
    CHECK_INT(heard_times("KLM0724E"), 1);
    all_well();
    only = NULL;
    append(journal, 41, 41);
    REQUIRE_OK(smf_text_drain(text));
    REQUIRE_OK(smf_text_drain(text));
    klm_say_to(NULL, NULL);
    CHECK_INT(smf_text_position(text), 41);
    smf_text_close(&text);
    smf_journal_close(&journal);
    CHECK_INT(reader_py(test_path("out"), "text", texts, "audit.log"), 0);
    {
        size_t n;
        char *out = slurp(test_path("out"), &n);
        unsigned lines = 0;

        for (size_t i = 0; i < n; i++) {
            lines += out[i] == '\n';
        }
        CHECK_INT(lines, 41);
        free(out);
    }
}

/* A reader without a limit may have read what was cut off and written again. */
TEST(a_reader_that_had_gone_ahead_finds_its_place_again)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_reader *reader = NULL;
    struct smf_frame frame;

    append(journal, 1, 1);
    REQUIRE_OK(smf_journal_sync(journal, 1));
    sync_error = EIO;
    append(journal, 2, 2);
    append(journal, 3, 3);
    REQUIRE_OK(smf_reader_open(folder, 0, NULL, &reader));
    for (uint64_t i = 1; i <= 3; i++) {
        REQUIRE_OK(smf_reader_next(reader, &frame, NULL));
    }
    CHECK_RC(smf_journal_sync(journal, 3), KLM_E_IO);
    all_well();
    REQUIRE(resumed(journal));
    CHECK_RC(smf_reader_next(reader, &frame, NULL), KLM_E_NOTFOUND);
    append(journal, 4, 4);
    REQUIRE_OK(smf_reader_next(reader, &frame, NULL));
    CHECK_INT(frame.seq, 4);
    smf_reader_close(&reader);
    smf_journal_close(&journal);
}

TEST(a_record_on_disk_that_is_not_what_it_was_ends_the_attempts_with_its_name)
{
    const char *folder = new_folder();
    struct smf_journal *journal;
    char *text;
    size_t n;

    listen_to_messages();
    journal = broken_journal(folder, 3, 0);
    klm_say_to(NULL, NULL);
    all_well();
    text = slurp(in_folder(folder, "journal.0000000001"), &n);
    text[100] ^= 1;
    {
        int fd = open(in_folder(folder, "journal.0000000001"), O_WRONLY | O_CLOEXEC);

        CHECK(fd >= 0 && syscall(SYS_pwrite64, fd, text, n, 0) == (ssize_t)n);
        close(fd);
    }
    CHECK_RC(smf_resume(journal), KLM_E_IO);
    CHECK(smf_journal_failing(journal));
    smf_journal_close(&journal);
    free(text);
}

TEST(a_file_of_records_to_write_again_that_is_damaged_stops_the_start)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_journal_options options = {.folder = folder, .server_id = "test"};
    struct klm_diag diag = {0};
    size_t n;
    char *text;

    append(journal, 1, 1);
    append(journal, 2, 2);
    smf_journal_close(&journal);
    text = slurp(in_folder(folder, "journal.0000000001"), &n);
    for (size_t i = 0; i < 5; i++) { /* both records are of one length */
        const size_t cut[5] = {0, 50, n / 2 - 1, n / 2 + 1, n - 1};

        spill(in_folder(folder, "journal.again"), text, cut[i]);
        CHECK_RC(smf_journal_open(&options, &diag, &journal), KLM_E_CORRUPT);
        CHECK(strstr(diag.text, "journal.again") != NULL);
    }
    spill(in_folder(folder, "journal.again"), text, n); /* the same records: nothing changes */
    spill(in_folder(folder, "journal.again.tmp"), text, 10);
    REQUIRE_OK(smf_journal_open(&options, &diag, &journal));
    smf_journal_close(&journal);
    check_records(folder, 2);
    CHECK_INT(count_files(folder, "journal."), 1);
    free(text);
}

TEST(a_disk_that_is_slow_holds_up_who_appends_and_memory_stays_bounded)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_entry entries[64];
    uint64_t n = 0;

    atomic_store(&slow_us, 100000);
    while (n < 40000) {
        for (size_t i = 0; i < KLM_COUNT(entries); i++) {
            entries[i] = (struct smf_entry){.event = event_of(1)};
        }
        REQUIRE_OK(smf_journal_append(journal, entries, KLM_COUNT(entries)));
        n += KLM_COUNT(entries);
        pthread_mutex_lock(&journal->lock);
        CHECK(journal->unsynced_bytes.n <= SMF_UNSYNCED_MAX + SMF_APPEND_MAX);
        pthread_mutex_unlock(&journal->lock);
    }
    atomic_store(&slow_us, 0);
    REQUIRE_OK(smf_journal_sync(journal, n));
    pthread_mutex_lock(&journal->lock);
    CHECK_INT(journal->unsynced_bytes.n, 0);
    pthread_mutex_unlock(&journal->lock);
    smf_journal_close(&journal);
}
