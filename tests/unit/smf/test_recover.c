/* What kills, power losses, full disks and damage leave of a journal, and what opening makes of it. */
#include "smf_test.h"

#include <signal.h>
#include <sys/resource.h>

#define MARK "synced"

/* A folder with copies of a segment's first n bytes, and of a mark when there is one. */
static const char *folder_with(const char *bytes, size_t n, const char *mark_of)
{
    const char *folder = new_folder();
    char *mark;
    size_t length;

    REQUIRE(mkdir(folder, 0700) == 0);
    spill(in_folder(folder, "journal.0000000001"), bytes, n);
    if (mark_of) {
        mark = slurp(in_folder(mark_of, MARK), &length);
        spill(in_folder(folder, MARK), mark, length);
        free(mark);
    }
    return folder;
}

/* A journal of n records written one by one; its only segment's bytes. */
static char *make(const char **folder, unsigned n, size_t *length)
{
    struct smf_journal *journal;

    *folder = new_folder();
    journal = open_journal(*folder, 0);
    for (unsigned i = 1; i <= n; i++) {
        append(journal, i, i);
    }
    smf_journal_close(&journal);
    return slurp(in_folder(*folder, "journal.0000000001"), length);
}

/* Where record i (from 0) begins, by the length fields; the end for i = n. */
static size_t start_of(const char *bytes, unsigned i)
{
    size_t at = 0;

    while (i--) {
        const uint8_t *p = (const uint8_t *)bytes + at;

        at += (size_t)p[4] << 24 | (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];
    }
    return at;
}

TEST(a_torn_end_is_cut_at_each_byte_and_the_journal_goes_on)
{
    const char *made, *folder;
    size_t length, two;
    char *bytes = make(&made, 3, &length);

    two = start_of(bytes, 2);
    listen_to_messages();
    for (size_t n = two; n < length; n++) {
        struct smf_journal *journal;
        struct seen *seen;

        listen_to_messages();
        folder = folder_with(bytes, n, NULL);
        CHECK_INT(read_all(folder, 0)->n, 2);
        journal = open_journal(folder, 0);
        CHECK_INT(heard_times("KLM0701W"), n > two);
        CHECK_INT(append(journal, 2, 2), 0);
        CHECK_INT(append(journal, 4, 3), 3);
        smf_journal_close(&journal);
        seen = read_all(folder, 0);
        CHECK_INT(seen->n, 3);
        CHECK_STR(seen->verb[2], "v4");
    }
    klm_say_to(NULL, NULL);
    free(bytes);
}

TEST(records_missing_that_had_been_on_disk_are_said_and_found_by_verify)
{
    const char *made, *folder;
    size_t length;
    char *bytes = make(&made, 3, &length);
    struct smf_journal *journal;
    struct klm_diag diag = {0};
    uint64_t records;

    folder = folder_with(bytes, start_of(bytes, 2), made);
    CHECK_RC(smf_journal_verify(folder, &records, &diag), KLM_E_CORRUPT);
    CHECK(strstr(diag.text, "KLM0702E") && strstr(diag.text, "number 3,"));
    listen_to_messages();
    journal = open_journal(folder, 0);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0707E"), 1);
    CHECK_INT(append(journal, 3, 3), 3);
    smf_journal_close(&journal);
    free(bytes);
}

TEST(verify_finds_each_byte_that_changed_and_opening_refuses_it_unless_it_is_in_the_last_record)
{
    const char *made, *folder;
    size_t length, two;
    char *bytes = make(&made, 3, &length);
    uint64_t records;

    folder = folder_with(bytes, length, made);
    two = start_of(bytes, 2);
    listen_to_messages();
    for (size_t i = 0; i < length; i++) {
        struct smf_journal_options options = {.folder = folder, .server_id = "test"};
        struct smf_journal *journal = NULL;
        struct klm_diag diag = {0};
        char seq[40];

        bytes[i] ^= 1;
        spill(in_folder(folder, "journal.0000000001"), bytes, length);
        CHECK_RC(smf_journal_verify(folder, &records, &diag), KLM_E_CORRUPT);
        snprintf(seq, sizeof seq, "sequence number %d,",
                 i < start_of(bytes, 1) || i < 4 ? 1
                 : i < two                       ? 2
                                                 : 3);
        if (i < 4 || i >= 8) {
            CHECK(strstr(diag.text, seq) != NULL);
        }
        if (i < two) {
            CHECK_RC(smf_journal_open(&options, &diag, &journal), KLM_E_CORRUPT);
            CHECK(strstr(diag.text, "journal.0000000001") != NULL);
        }
        bytes[i] ^= 1;
    }
    klm_say_to(NULL, NULL);
    spill(in_folder(folder, "journal.0000000001"), bytes, length);
    REQUIRE_OK(smf_journal_verify(folder, &records, NULL));
    CHECK_INT(records, 3);
    free(bytes);
}

TEST(a_power_loss_may_take_a_part_of_what_was_not_synced)
{
    const char *made, *folder;
    size_t length;
    char *bytes = make(&made, 4, &length);
    struct smf_journal *journal;

    /* no mark, and no record says that record 2 had been synced: its bytes never reached the disk, those of 3 and 4 did */
    memset(bytes + start_of(bytes, 1), 0, 100);
    folder = folder_with(bytes, length, NULL);
    listen_to_messages();
    journal = open_journal(folder, 0);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0701W"), 1);
    CHECK_INT(append(journal, 1, 1), 0);
    CHECK_INT(append(journal, 2, 2), 2);
    smf_journal_close(&journal);
    CHECK_INT(read_all(folder, 0)->n, 2);
    free(bytes);
}

TEST(damage_before_a_record_that_knew_of_a_sync_is_refused_without_a_mark_too)
{
    const char *made = new_folder(), *folder;
    struct smf_journal *journal = open_journal(made, 0);
    struct smf_journal_options options = {.server_id = "test"};
    struct klm_diag diag = {0};
    size_t length;
    char *bytes;

    append(journal, 1, 0);
    append(journal, 2, 0);
    REQUIRE_OK(smf_journal_sync(journal, 2));
    append(journal, 3, 0);
    smf_journal_close(&journal);
    bytes = slurp(in_folder(made, "journal.0000000001"), &length);
    bytes[start_of(bytes, 1) + 30] ^= 0x10;
    folder = folder_with(bytes, length, NULL);
    options.folder = folder;
    CHECK_RC(smf_journal_open(&options, &diag, &journal), KLM_E_CORRUPT);
    CHECK(strstr(diag.text, "KLM0702E") && strstr(diag.text, "number 2,"));
    free(bytes);
}

TEST(a_power_loss_may_keep_a_later_segment_and_lose_the_end_of_the_one_before)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 700);
    struct stat st;
    uint64_t records;

    for (uint64_t n = 1; n <= 6; n++) {
        append(journal, n, n);
    }
    smf_journal_close(&journal);
    REQUIRE(unlink(in_folder(folder, MARK)) == 0);
    REQUIRE(stat(in_folder(folder, "journal.0000000001"), &st) == 0);
    REQUIRE(truncate(in_folder(folder, "journal.0000000001"), st.st_size - 5) == 0);
    listen_to_messages();
    journal = open_journal(folder, 700);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0701W"), 1);
    CHECK_INT(count_files(folder, "journal."), 1);
    records = smf_journal_last(journal);
    CHECK(records >= 1 && records < 6);
    for (uint64_t n = 1; n <= 6; n++) {
        CHECK_INT(append(journal, n, n), n <= records ? 0 : n);
    }
    smf_journal_close(&journal);
    REQUIRE_OK(smf_journal_verify(folder, &records, NULL));
    CHECK_INT(records, 6);
}

TEST(an_empty_last_segment_is_taken_up)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);

    append(journal, 1, 1);
    smf_journal_close(&journal);
    spill(in_folder(folder, "journal.0000000002"), "", 0);
    journal = open_journal(folder, 0);
    CHECK_INT(append(journal, 1, 1), 0);
    CHECK_INT(append(journal, 2, 2), 2);
    smf_journal_close(&journal);
    CHECK_INT(read_all(folder, 0)->n, 2);
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);
}

TEST(an_empty_first_segment_is_a_journal_without_records)
{
    const char *folder = folder_with("", 0, NULL);
    struct smf_journal *journal = open_journal(folder, 0);

    CHECK_INT(append(journal, 1, 1), 1);
    smf_journal_close(&journal);
    CHECK_INT(read_all(folder, 0)->n, 1);
}

TEST(a_file_that_is_no_journal_is_not_taken_for_records)
{
    const char *folder = folder_with(
        "KLMJ is how it begins but not how it goes on, for a hundred bytes and some more "
        "so that a whole header would fit in it, and then again a few.",
        140, NULL);
    struct smf_journal *journal;
    uint64_t records;

    CHECK_RC(smf_journal_verify(folder, &records, NULL), KLM_E_CORRUPT);
    listen_to_messages();
    journal = open_journal(folder, 0);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0701W"), 1);
    CHECK_INT(smf_journal_last(journal), 0);
    smf_journal_close(&journal);
}

/* Files of this process may grow to n bytes; more fails as a full disk does, once its signal is ignored. */
static void limit_files(rlim_t n)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = n;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

TEST(a_full_disk_is_said_once_and_nothing_of_a_failed_append_stays)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_journal_options strict = {
        .folder = new_folder(), .server_id = "test", .fail_closed = true};
    struct smf_entry entry = {.event = event_of(9), .event_no = 9};
    struct stat before, after;

    append(journal, 1, 1);
    append(journal, 2, 2);
    REQUIRE(stat(in_folder(folder, "journal.0000000001"), &before) == 0);
    listen_to_messages();
    limit_files((rlim_t)before.st_size + 20); /* part of the next write fits */
    for (int i = 0; i < 5; i++) {
        CHECK_RC(smf_journal_append(journal, &entry, 1), KLM_E_IO);
        CHECK_INT(entry.seq, 0);
    }
    CHECK(smf_journal_failing(journal));
    CHECK(!smf_journal_refusing(journal));
    CHECK_INT(smf_journal_last(journal), 2);
    REQUIRE(stat(in_folder(folder, "journal.0000000001"), &after) == 0);
    CHECK_INT(after.st_size, before.st_size);
    CHECK_INT(heard_times("KLM0704A"), 1);
    limit_files(RLIM_INFINITY);
    CHECK_INT(append(journal, 3, 9), 3);
    CHECK(!smf_journal_failing(journal));
    CHECK_INT(heard_times("KLM0705I"), 1);
    klm_say_to(NULL, NULL);
    smf_journal_close(&journal);
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);

    REQUIRE_OK(smf_journal_open(&strict, NULL, &journal));
    listen_to_messages();
    limit_files(20);
    CHECK(!smf_journal_refusing(journal));
    CHECK_RC(smf_journal_append(journal, &entry, 1), KLM_E_IO);
    CHECK(smf_journal_refusing(journal));
    limit_files(RLIM_INFINITY);
    klm_say_to(NULL, NULL);
    smf_journal_close(&journal);
}

TEST(a_folder_that_cannot_take_a_new_segment_lets_the_old_one_grow)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 500);

    append(journal, 1, 0);
    spill(in_folder(folder, "journal.0000000002"), "in the way", 10);
    for (uint64_t n = 2; n <= 5; n++) {
        CHECK_INT(append(journal, n, 0), n);
    }
    REQUIRE(unlink(in_folder(folder, "journal.0000000002")) == 0);
    CHECK_INT(append(journal, 6, 0), 6);
    CHECK_INT(read_all(folder, 0)->n, 6);
    smf_journal_close(&journal);
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);
}
