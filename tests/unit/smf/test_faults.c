/* Failing system calls under the journal. The calls are ours here: they fail when a test says so. */
#include "smf_test.h"

#include <errno.h>
#include <sys/syscall.h>

static int sync_error, write_error, cut_error;
static size_t write_part; /* bytes still written before write_error */

int fdatasync(int fd)
{
    if (sync_error) {
        errno = sync_error;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    if (write_error) {
        if (!write_part) {
            errno = write_error;
            return -1;
        }
        n = n < write_part ? n : write_part;
        write_part -= n;
    }
    return syscall(SYS_pwrite64, fd, p, n, at);
}

int ftruncate(int fd, off_t n)
{
    if (cut_error) {
        errno = cut_error;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, n);
}

TEST(a_write_that_runs_out_of_space_half_way_leaves_no_trace)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_entry batch[3] = {{event_of(2), 2, 0}, {event_of(3), 3, 0}, {event_of(4), 4, 0}};
    struct stat before, after;

    append(journal, 1, 1);
    REQUIRE(stat(in_folder(folder, "journal.0000000001"), &before) == 0);
    listen_to_messages();
    write_error = ENOSPC;
    write_part = 300; /* one record and a piece of the next */
    CHECK_RC(smf_journal_append(journal, batch, 3), KLM_E_NOSPACE);
    CHECK_INT(batch[0].seq, 0);
    CHECK_RC(smf_journal_append(journal, batch, 3), KLM_E_NOSPACE);
    write_error = 0;
    REQUIRE(stat(in_folder(folder, "journal.0000000001"), &after) == 0);
    CHECK_INT(after.st_size, before.st_size);
    CHECK_INT(heard_times("KLM0704A"), 1);
    REQUIRE_OK(smf_journal_append(journal, batch, 3));
    CHECK_INT(batch[2].seq, 4);
    CHECK_INT(heard_times("KLM0705I"), 1);
    klm_say_to(NULL, NULL);
    smf_journal_close(&journal);
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);
}

TEST(what_cannot_be_cut_off_at_once_is_cut_off_before_the_next_write)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_entry batch[2] = {{event_of(2), 2, 0}, {event_of(3), 3, 0}};

    append(journal, 1, 1);
    listen_to_messages();
    write_error = EIO;
    write_part = 300;
    cut_error = EIO;
    CHECK_RC(smf_journal_append(journal, batch, 2), KLM_E_IO);
    write_error = 0;
    CHECK_RC(smf_journal_append(journal, batch, 2), KLM_E_IO);
    CHECK_INT(smf_journal_last(journal), 1);
    cut_error = 0;
    CHECK_INT(append(journal, 2, 2), 2); /* shorter than what the failed write left */
    klm_say_to(NULL, NULL);
    smf_journal_close(&journal);
    CHECK_INT(read_all(folder, 0)->n, 2);
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);
}

TEST(a_journal_that_cannot_be_synced_at_its_opening_is_refused)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_journal_options options = {.folder = folder, .server_id = "test"};
    struct klm_diag diag = {0};

    append(journal, 1, 1);
    smf_journal_close(&journal);
    REQUIRE(unlink(in_folder(folder, "synced")) == 0);
    sync_error = EIO;
    CHECK_RC(smf_journal_open(&options, &diag, &journal), KLM_E_IO);
    sync_error = 0;
    CHECK(diag.text[0] != '\0');
    CHECK(journal == NULL);
}
