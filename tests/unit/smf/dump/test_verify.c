/* The chain: what is found when records are changed, taken out, put in, moved or cut, and what is no fault. */
#include "made.h"
#include "smf/dump/verify.h"

#include <unistd.h>

static struct made made;
static struct smfd_verdict verdict;

/* Ten events and two checkpoints: records 0-4, checkpoint 5, 6-9, checkpoint 10, 11. */
static void make(void)
{
    made_init(&made);
    for (uint64_t seq = 1; seq <= 10; seq++) {
        made_event(&made, seq);
        if (seq == 5 || seq == 9) {
            made_checkpoint(&made);
        }
    }
    REQUIRE(made.n == 12);
}

static void verify_paths(const char *const *paths, size_t n, bool from_start)
{
    struct smfd_verify request = {.paths = paths, .paths_n = n, .from_start = from_start};

    smfd_verdict_done(&verdict);
    REQUIRE_OK(smfd_verify(&request, NULL, &verdict));
}

static void verify(const int *list)
{
    const char *path = made_file(&made, "one", list);

    verify_paths(&path, 1, false);
}

static void expect(enum smfd_fault fault, uint64_t number, uint64_t seq)
{
    CHECK(!verdict.good);
    REQUIRE(verdict.n == 1 && verdict.chains[0].problems > 0);
    CHECK_INT(verdict.chains[0].first.fault, fault);
    CHECK_INT(verdict.chains[0].first.at.number, number);
    CHECK_INT(verdict.chains[0].first.at.seq, seq);
}

static void done(void)
{
    smfd_verdict_done(&verdict);
    made_done(&made);
}

TEST(a_whole_chain_is_good_and_counted)
{
    make();
    verify(LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    CHECK(verdict.good && verdict.n == 1 && verdict.chains[0].whole);
    CHECK_STR(verdict.chains[0].server, "KLM1");
    CHECK_INT(verdict.chains[0].records, 12);
    CHECK_INT(verdict.chains[0].events, 10);
    CHECK_INT(verdict.chains[0].checkpoints, 2);
    CHECK_INT(verdict.chains[0].checked, 0);
    CHECK_INT(verdict.chains[0].behind, 1);
    CHECK_INT(verdict.chains[0].left_out, 0);
    done();
}

TEST(a_chain_that_begins_later_is_good_unless_the_beginning_is_asked_for)
{
    const char *path;

    make();
    verify(LIST(3, 4, 5, 6));
    CHECK(verdict.good && !verdict.chains[0].whole && verdict.chains[0].first_seq == 4);
    path = made_file(&made, "late", LIST(3, 4, 5, 6));
    verify_paths(&path, 1, true);
    expect(SMFD_LATE, 1, 4);
    done();
}

TEST(events_left_out_by_configuration_are_no_fault)
{
    make();
    made_event(&made, 20);
    made_event(&made, 30);
    verify(LIST(9, 10, 11, 12, 13));
    CHECK(verdict.good);
    CHECK_INT(verdict.chains[0].left_out, 9 + 9);
    done();
}

TEST(an_altered_record_is_named)
{
    make();
    made.out.p[made.at[3 + 1] - 1] ^= 1;
    verify(LIST(0, 1, 2, 3, 4, 5, 6));
    expect(SMFD_ALTERED, 4, 4);
    CHECK_INT(verdict.chains[0].first.at.offset, made.at[3]);
    done();
}

TEST(an_altered_record_before_numbers_left_out_is_told_from_missing_ones)
{
    make();
    made_event(&made, 20);
    made_event(&made, 30);
    made_event(&made, 31);
    made.out.p[made.at[12 + 1] - 1] ^= 1;
    verify(LIST(10, 11, 12, 13, 14));
    expect(SMFD_MISSING, 4, 30);
    made_checkpoint(&made);
    verify(LIST(9, 10, 11, 12, 13, 14, 15));
    expect(SMFD_ALTERED, 4, 20);
    done();
}

TEST(an_altered_hash_in_a_record_is_named_as_its_own)
{
    struct smf_t83_view view;
    struct klm_slice data;
    const char *why;
    unsigned number = 0;
    size_t at = 0;

    make();
    REQUIRE_OK(smf_t83_parse(made_record(&made, 3), &view, &why));
    while (number != 117) {
        REQUIRE_OK(smf_t83_relocate(&view, &at, &number, &data));
    }
    made.out.p[data.p - made.out.p] ^= 1;
    verify(LIST(0, 1, 2, 3, 4, 5, 6));
    expect(SMFD_ALTERED, 4, 4);
    done();
}

TEST(missing_records_are_named_by_their_numbers)
{
    make();
    verify(LIST(0, 1, 2, 6, 7, 8));
    expect(SMFD_MISSING, 4, 6);
    CHECK(strstr(verdict.chains[0].first.why, "4 to 5") != NULL);
    done();
}

TEST(a_missing_checkpoint_is_found_by_the_number_under_the_next)
{
    make();
    made_checkpoint(&made);
    verify(LIST(4, 5, 6, 7, 8, 9, 11, 12));
    expect(SMFD_MISSING, 7, 10);
    CHECK(strstr(verdict.chains[0].first.why, "1 records") != NULL);
    done();
}

TEST(a_repeated_record_is_named)
{
    make();
    verify(LIST(0, 1, 2, 2, 3, 4));
    expect(SMFD_REPEATED, 4, 3);
    verify(LIST(0, 1, 2, 3, 4, 1, 5, 6));
    expect(SMFD_REPEATED, 6, 2);
    done();
}

TEST(a_moved_record_is_named)
{
    make();
    verify(LIST(0, 1, 3, 2, 4, 5));
    expect(SMFD_MOVED, 4, 3);
    verify(LIST(0, 1, 3, 4, 5, 6, 2, 7));
    expect(SMFD_MOVED, 7, 3);
    done();
}

/* One that follows record 3 as it should, made by someone who knows how; the true record 4 does not follow it. */
TEST(a_record_that_was_put_in_is_named)
{
    struct smf_event forged = {.kind = SMF_RUNTIME};
    struct smf_t83_chain kept;

    made_init(&made);
    for (uint64_t seq = 1; seq <= 3; seq++) {
        made_event(&made, seq);
    }
    kept = made.chain;
    made_event(&made, 4);
    made.chain = kept;
    forged.field[SMF_F_VERB] = "forged";
    made_event_text(&made, &forged, 4, "");
    verify(LIST(0, 1, 2, 4, 3));
    expect(SMFD_INSERTED, 4, 4);
    done();
}

TEST(a_cut_data_set_is_named)
{
    const char *path;

    make();
    path = made_file(&made, "cut", LIST(0, 1, 2, 3));
    REQUIRE(truncate(path, (off_t)made.at[4] - 7) == 0);
    verify_paths(&path, 1, false);
    expect(SMFD_CUT, 4, 0);
    done();
}

TEST(a_checkpoint_for_another_number_is_refused)
{
    make();
    made.chain.records += 3;
    made_checkpoint(&made);
    verify(LIST(8, 9, 10, 11, 12));
    expect(SMFD_UNSIGNED, 5, 0);
    done();
}

TEST(data_sets_of_a_series_are_put_in_order)
{
    const char *paths[3];

    make();
    paths[0] = made_file(&made, "c", LIST(8, 9, 10, 11));
    paths[1] = made_file(&made, "a", LIST(0, 1, 2, 3));
    paths[2] = made_file(&made, "b", LIST(4, 5, 6, 7));
    verify_paths(paths, 3, true);
    CHECK(verdict.good && verdict.chains[0].pieces == 3 && verdict.chains[0].behind == 1);
    done();
}

TEST(a_data_set_of_checkpoints_alone_finds_its_place)
{
    const char *paths[3];

    make();
    paths[0] = made_file(&made, "c", LIST(6, 7, 8));
    paths[1] = made_file(&made, "b", LIST(5));
    paths[2] = made_file(&made, "a", LIST(0, 1, 2, 3, 4));
    verify_paths(paths, 3, true);
    CHECK(verdict.good && verdict.chains[0].records == 9);
    done();
}

TEST(a_missing_data_set_of_a_series_is_named)
{
    const char *paths[2];

    make();
    paths[0] = made_file(&made, "c", LIST(8, 9, 10, 11));
    paths[1] = made_file(&made, "a", LIST(0, 1, 2, 3));
    verify_paths(paths, 2, false);
    expect(SMFD_MISSING, 1, 8);
    CHECK_STR(verdict.chains[0].first.at.path, paths[0]);
    done();
}

TEST(the_same_data_set_twice_is_named)
{
    const char *paths[2];

    make();
    paths[0] = made_file(&made, "a", LIST(0, 1, 2, 3));
    paths[1] = made_file(&made, "b", LIST(0, 1, 2, 3));
    verify_paths(paths, 2, false);
    expect(SMFD_REPEATED, 1, 1);
    done();
}

TEST(an_altered_last_record_of_a_data_set_shows_in_the_next)
{
    const char *paths[2];

    make();
    paths[1] = made_file(&made, "b", LIST(4, 5, 6));
    made.out.p[made.at[4] - 1] ^= 1;
    paths[0] = made_file(&made, "a", LIST(0, 1, 2, 3));
    verify_paths(paths, 2, false);
    expect(SMFD_ALTERED, 4, 4);
    done();
}

TEST(nothing_to_verify_is_said)
{
    struct smfd_verify request = {.paths_n = 1};
    struct klm_diag diag = {0};
    const char *path;

    make();
    path = made_file(&made, "empty", LIST(-1));
    request.paths = &path;
    CHECK_RC(smfd_verify(&request, &diag, &verdict), KLM_E_NOTFOUND);
    CHECK_INT(diag.msg, KLM_MSG_VERIFY_NOTHING);
    path = test_path("none");
    CHECK_RC(smfd_verify(&request, &diag, &verdict), KLM_E_NOTFOUND);
    done();
}
