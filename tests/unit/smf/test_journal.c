/* The journal through its public header: numbers, chain, repeated outbox numbers, segments, sync, threads. */
#include "smf_test.h"

#include <pthread.h>

TEST(records_are_numbered_from_one_and_come_back_in_order)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct seen *seen;

    CHECK_INT(smf_journal_last(journal), 0);
    for (uint64_t n = 1; n <= 5; n++) {
        CHECK_INT(append(journal, n, n * 10), n);
    }
    CHECK_INT(smf_journal_last(journal), 5);
    seen = read_all(folder, 0);
    CHECK_INT(seen->n, 5);
    CHECK_INT(seen->first, 1);
    CHECK_STR(seen->verb[4], "v5");
    CHECK_INT(seen->no[4], 50);
    seen = read_all(folder, 3);
    CHECK_INT(seen->n, 2);
    CHECK_INT(seen->first, 4);
    CHECK_INT(read_all(folder, 5)->n, 0);
    CHECK_INT(read_all(folder, UINT64_MAX)->n, 0);
    smf_journal_close(&journal);
    CHECK(journal == NULL);
    smf_journal_close(&journal);
}

struct ids {
    uint8_t hash[32];
    unsigned n;
};

static klm_rc check_ids(void *arg, const struct smf_record *record)
{
    struct ids *ids = arg;

    CHECK_STR(record->server_id, "test");
    CHECK_MEM(record->prev, ids->hash, 32);
    memcpy(ids->hash, record->hash, 32);
    ids->n++;
    CHECK_INT(record->event.time, 1318966509000000);
    return KLM_OK;
}

TEST(each_record_names_the_server_and_the_hash_of_the_one_before)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct ids ids = {0};

    for (uint64_t n = 1; n <= 3; n++) {
        append(journal, n, 0);
    }
    smf_journal_close(&journal);
    journal = open_journal(folder, 0);
    append(journal, 4, 0);
    REQUIRE_OK(smf_journal_read(folder, 0, check_ids, &ids, NULL));
    CHECK_INT(ids.n, 4);
    smf_journal_close(&journal);
}

static klm_rc stop_at_two(void *arg, const struct smf_record *record)
{
    *(uint64_t *)arg = record->seq;
    return record->seq == 2 ? KLM_E_STATE : KLM_OK;
}

TEST(a_visitor_can_end_the_reading)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    uint64_t last = 0;

    for (uint64_t n = 1; n <= 4; n++) {
        append(journal, n, 0);
    }
    CHECK_RC(smf_journal_read(folder, 0, stop_at_two, &last, NULL), KLM_E_STATE);
    CHECK_INT(last, 2);
    smf_journal_close(&journal);
}

TEST(an_outbox_number_is_taken_once_also_after_opening_again)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_entry batch[4] = {
        {event_of(1), 7, 99}, {event_of(2), 8, 99}, {event_of(1), 7, 99}, {event_of(3), 0, 99}};

    REQUIRE_OK(smf_journal_append(journal, batch, 4));
    CHECK_INT(batch[0].seq, 1);
    CHECK_INT(batch[1].seq, 2);
    CHECK_INT(batch[2].seq, 0);
    CHECK_INT(batch[3].seq, 3);
    CHECK_INT(append(journal, 2, 8), 0);
    CHECK_INT(append(journal, 4, 0), 4);
    smf_journal_close(&journal);
    journal = open_journal(folder, 0);
    CHECK_INT(append(journal, 1, 7), 0);
    CHECK_INT(append(journal, 2, 8), 0);
    CHECK_INT(append(journal, 5, 9), 5);
    CHECK_INT(read_all(folder, 0)->n, 5);
    smf_journal_close(&journal);
}

TEST(numbers_are_remembered_over_segments_until_they_are_forgotten)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 2000);

    for (uint64_t n = 1; n <= 100; n++) {
        CHECK_INT(append(journal, n, n), n);
    }
    smf_journal_forget(journal, 40);
    CHECK_INT(append(journal, 101, 101), 101);
    smf_journal_close(&journal);
    CHECK(count_files(folder, "journal.") > 5);
    journal = open_journal(folder, 2000);
    for (uint64_t n = 41; n <= 101; n++) {
        CHECK_INT(append(journal, n, n), 0);
    }
    /* a number forgotten is one the store has deleted: should its numbering begin again, the event is new */
    CHECK_INT(append(journal, 40, 40), 102);
    smf_journal_close(&journal);
}

TEST(a_number_is_taken_again_when_its_append_failed)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_entry batch[2] = {{event_of(1), 7, 0}, {KLM_SLICE("no event", 8), 8, 0}};

    CHECK_RC(smf_journal_append(journal, batch, 2), KLM_E_UNSUPPORTED);
    CHECK_INT(smf_journal_last(journal), 0);
    CHECK(!smf_journal_failing(journal));
    CHECK_INT(append(journal, 1, 7), 1);
    smf_journal_close(&journal);
}

TEST(an_append_over_the_limit_is_refused_as_a_whole)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct klm_slice event = event_of(1);
    size_t one = event.n + 4 + 122, fit = SMF_APPEND_MAX / one;
    struct smf_entry *entries = entries_new(fit + 1);

    for (size_t i = 0; i <= fit; i++) {
        entries[i].event = event;
    }
    CHECK_RC(smf_journal_append(journal, entries, fit + 1), KLM_E_LIMIT);
    CHECK_INT(smf_journal_last(journal), 0);
    REQUIRE_OK(smf_journal_append(journal, entries, fit));
    CHECK_INT(smf_journal_last(journal), fit);
    REQUIRE_OK(smf_journal_append(journal, entries, 0));
    free(entries);
    smf_journal_close(&journal);
}

TEST(more_outbox_numbers_than_can_be_remembered_are_refused)
{
    enum { LIMIT = 262144, STEP = 8192 };
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);
    struct smf_entry *entries = entries_new(STEP);
    uint64_t no = 0;
    struct smf_entry one = {.event = event_of(1)};

    listen_to_messages();
    while (no < LIMIT) {
        for (size_t i = 0; i < STEP; i++) {
            entries[i] = (struct smf_entry){.event = one.event, .event_no = ++no};
        }
        REQUIRE_OK(smf_journal_append(journal, entries, STEP));
    }
    one.event_no = no + 1;
    CHECK_RC(smf_journal_append(journal, &one, 1), KLM_E_LIMIT);
    CHECK(smf_journal_failing(journal));
    CHECK_INT(heard_times("KLM0704A"), 1);
    one.event_no = no;
    REQUIRE_OK(smf_journal_append(journal, &one, 1));
    CHECK_INT(one.seq, 0);
    smf_journal_forget(journal, 1);
    one.event_no = no + 1;
    REQUIRE_OK(smf_journal_append(journal, &one, 1));
    CHECK_INT(one.seq, LIMIT + 1);
    CHECK_INT(heard_times("KLM0705I"), 1);
    klm_say_to(NULL, NULL);
    free(entries);
    smf_journal_close(&journal);
}

TEST(segments_roll_and_are_named_by_their_first_number)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 1000);
    unsigned files;
    uint64_t records = 0;

    for (uint64_t n = 1; n <= 50; n++) {
        append(journal, n, n);
    }
    files = count_files(folder, "journal.");
    CHECK(files >= 10 && files <= 25);
    CHECK(access(in_folder(folder, "journal.0000000001"), R_OK) == 0);
    CHECK_INT(read_all(folder, 0)->n, 50);
    CHECK_INT(read_all(folder, 33)->first, 34);
    REQUIRE_OK(smf_journal_sync(journal, 50));
    REQUIRE_OK(smf_journal_verify(folder, &records, NULL));
    CHECK_INT(records, 50);
    smf_journal_close(&journal);
    CHECK_INT(reader_py(test_path("out"), "journal", folder, NULL), 0);
}

TEST(a_missing_segment_is_named)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 1);
    struct klm_diag diag = {0};
    uint64_t records = 77;

    for (uint64_t n = 1; n <= 6; n++) {
        append(journal, n, 0);
    }
    smf_journal_close(&journal);
    REQUIRE(unlink(in_folder(folder, "journal.0000000003")) == 0);
    CHECK_RC(smf_journal_verify(folder, &records, &diag), KLM_E_CORRUPT);
    CHECK_INT(records, 77);
    CHECK(strstr(diag.text, "KLM0709E") && strstr(diag.text, " 3 to 5 "));
    /* the oldest may be taken away by operators: the chain then begins with what is left */
    REQUIRE(unlink(in_folder(folder, "journal.0000000001")) == 0);
    REQUIRE(unlink(in_folder(folder, "journal.0000000002")) == 0);
    REQUIRE_OK(smf_journal_verify(folder, &records, &diag));
    CHECK_INT(records, 3);
    CHECK_INT(read_all(folder, 0)->first, 4);
}

TEST(when_all_segments_were_taken_away_no_number_is_given_twice)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0);

    append(journal, 1, 0);
    append(journal, 2, 0);
    smf_journal_close(&journal);
    REQUIRE(unlink(in_folder(folder, "journal.0000000001")) == 0);
    listen_to_messages();
    journal = open_journal(folder, 0);
    klm_say_to(NULL, NULL);
    CHECK_INT(heard_times("KLM0707E"), 1);
    CHECK_INT(append(journal, 3, 0), 3);
    smf_journal_close(&journal);
    CHECK_INT(read_all(folder, 0)->first, 3);
}

TEST(a_second_opener_is_told_that_it_is_busy)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 0), *other = NULL;
    struct smf_journal_options options = {.folder = folder, .server_id = "test"};
    struct klm_diag diag = {0};

    CHECK_RC(smf_journal_open(&options, &diag, &other), KLM_E_BUSY);
    CHECK(other == NULL);
    CHECK(strstr(diag.text, "KLM0703E") != NULL);
    smf_journal_close(&journal);
    REQUIRE_OK(smf_journal_open(&options, &diag, &other));
    smf_journal_close(&other);
}

TEST(a_folder_that_cannot_be_is_refused)
{
    struct smf_journal_options options = {.folder = test_path("file/in/it"), .server_id = "test"};
    struct smf_journal *journal = NULL;
    struct klm_diag diag = {0};
    char id[66];

    spill(test_path("file"), "x", 1);
    CHECK(smf_journal_open(&options, &diag, &journal) != KLM_OK);
    CHECK(diag.text[0] != '\0');
    memset(id, 'i', 65);
    id[65] = '\0';
    options = (struct smf_journal_options){.folder = new_folder(), .server_id = id};
    CHECK_RC(smf_journal_open(&options, &diag, &journal), KLM_E_LIMIT);
    CHECK(smf_journal_read(test_path("nowhere"), 0, see, NULL, &diag) == KLM_E_NOTFOUND);
}

TEST(a_sync_covers_what_was_appended_and_comes_by_itself_too)
{
    const char *folder = new_folder();
    struct smf_journal *journal = open_journal(folder, 1000);

    for (uint64_t n = 1; n <= 20; n++) {
        append(journal, n, 0);
    }
    REQUIRE_OK(smf_journal_sync(journal, 20));
    CHECK_INT(smf_journal_synced(journal), 20);
    REQUIRE_OK(smf_journal_sync(journal, 20000));
    append(journal, 21, 0);
    CHECK(smf_journal_synced(journal) <= 21);
    AWAIT(smf_journal_synced(journal) >= 21);
    CHECK_INT(smf_journal_synced(journal), 21);
    smf_journal_close(&journal);
}

struct worker {
    struct smf_journal *journal;
    unsigned id, n;
    bool sync;
    unsigned failed;
    pthread_t thread;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    uint64_t before = 0;

    for (unsigned i = 0; i < w->n; i++) {
        struct smf_entry e = {.event = event_of(i), .event_no = (uint64_t)w->id * 1000000 + i + 1};

        if (smf_journal_append(w->journal, &e, 1) != KLM_OK || e.seq <= before) {
            w->failed++;
        }
        before = e.seq;
        if (w->sync && i % 16 == 0 &&
            (smf_journal_sync(w->journal, e.seq) != KLM_OK ||
             smf_journal_synced(w->journal) < e.seq)) {
            w->failed++;
        }
    }
    return NULL;
}

static void run_workers(const char *folder, unsigned n, bool sync)
{
    struct smf_journal *journal = open_journal(folder, 30000);
    struct worker workers[4];
    struct seen *seen;
    uint64_t next[4] = {1000001, 2000001, 3000001, 4000001}, records = 0;

    for (unsigned i = 0; i < 4; i++) {
        workers[i] = (struct worker){.journal = journal, .id = i + 1, .n = n, .sync = sync};
        REQUIRE(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
    }
    while (smf_journal_last(journal) < n) {
        struct seen *while_appending = read_all(folder, 0); /* reading is safe meanwhile */

        CHECK(while_appending->n <= 4 * n);
    }
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(workers[i].thread, NULL);
        CHECK_INT(workers[i].failed, 0);
    }
    seen = read_all(folder, 0);
    CHECK_INT(seen->n, 4 * n);
    for (uint64_t i = 0; i < seen->n; i++) {
        uint64_t who = seen->no[i] / 1000000 - 1;

        REQUIRE(who < 4);
        CHECK_INT(seen->no[i], next[who]);
        next[who]++;
    }
    REQUIRE_OK(smf_journal_verify(folder, &records, NULL));
    CHECK_INT(records, 4 * n);
    smf_journal_close(&journal);
}

TEST(four_threads_append_without_gap_each_in_its_order)
{
    run_workers(new_folder(), 500, false);
}

TEST(four_threads_share_syncs)
{
    run_workers(new_folder(), 200, true);
}

TEST(an_independent_reader_finds_the_same)
{
    const char *folder = new_folder(), *out = test_path("python-out");
    struct smf_journal *journal = open_journal(folder, 0);
    char *text;

    append(journal, 1, 11);
    append(journal, 2, 0);
    append(journal, 3, 33);
    smf_journal_close(&journal);
    CHECK_INT(reader_py(out, "journal", folder, NULL), 0);
    text = slurp(out, NULL);
    CHECK_STR(text, "1 11 v1\n2 0 v2\n3 33 v3\n");
    free(text);
}

/* The record drawn in JOURNAL.md, put together by a Python script from the description. */
TEST(the_bytes_of_a_record_are_those_of_the_description)
{
    static const char expected[] =
        "4B4C4D4A000000A600010000000000000000000100000000000000050004AF97D23F2AC00000000000000000"
        "0000000000000001000000000000000000000000000000000000000000000000000000000000000000044B4C"
        "4D3100000028010301000004AF97D23F2AC0000200046B6D2E61000D00064B4C4D343934000F000657585936"
        "3632CF99E893C9E461DAA8BF8D6281A76376FD77E2A087FD0BC91EABDD9B514BD84D";
    struct smf_journal_options options = {.folder = new_folder(), .server_id = "KLM1"};
    struct smf_event event = {
        .kind = SMF_RUNTIME,
        .outcome = SMF_FAILURE,
        .time = 1318966509120192,
        .field = {[SMF_F_SOURCE] = "km.a", [SMF_F_DRIVE] = "KLM494", [SMF_F_VOLSER] = "WXY662"}};
    struct smf_journal *journal = NULL;
    struct smf_entry entry = {.event_no = 5};
    struct klm_buf buf;
    char hex[2 * 166 + 1], *bytes;
    size_t n = 0;

    klm_buf_init(&buf, SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &buf));
    REQUIRE_OK(smf_journal_open(&options, NULL, &journal));
    entry.event = klm_buf_as_slice(&buf);
    klm_clock_set(1318966509120192);
    REQUIRE_OK(smf_journal_append(journal, &entry, 1));
    klm_clock_set(0);
    smf_journal_close(&journal);
    klm_buf_done(&buf);
    bytes = slurp(in_folder(options.folder, "journal.0000000001"), &n);
    REQUIRE(n == 166);
    klm_hex_upper(bytes, n, hex);
    CHECK_STR(hex, expected);
    free(bytes);
    bytes = slurp(in_folder(options.folder, "synced"), &n);
    REQUIRE(n == 24);
    klm_hex_upper(bytes, n, hex);
    CHECK_STR(hex, "4B4C4D53000000010000000000000001FFFFFFFFFFFFFFFE");
    free(bytes);
}
