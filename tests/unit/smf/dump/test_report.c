/* What a report is made of: counts and intervals in bounded memory, details, escapes. */
#include "smf/dump/facts.h"
#include "smf/dump/page.h"
#include "test.h"

#include <stdlib.h>

#define SECOND INT64_C(1000000)

static struct smfd_facts facts;

TEST(names_above_the_limit_are_counted_together)
{
    struct smfd_tally tally = {0};
    klm_rc rc = KLM_OK;
    char name[32];

    for (unsigned i = 0; i < SMFD_TALLY_MAX + 10; i++) {
        snprintf(name, sizeof name, "V%u", i);
        (void)smfd_tally_add(&tally, name, i, i % 2, &rc);
        REQUIRE_OK(rc);
    }
    REQUIRE(smfd_tally_add(&tally, "V7", 5, false, &rc) != NULL);
    CHECK_INT(tally.n, SMFD_TALLY_MAX);
    CHECK_INT(tally.others, 10);
    smfd_tally_by_count(&tally);
    CHECK_STR(tally.rows[0].name, "V7");
    CHECK_INT(tally.rows[0].first, 5);
    CHECK_INT(tally.rows[0].last, 7);
    smfd_tally_by_first(&tally);
    CHECK_STR(tally.rows[0].name, "V0");
    smfd_tally_done(&tally);
}

static uint64_t sum(const struct smfd_spread *spread)
{
    uint64_t n = 0;

    for (size_t i = 0; i < spread->n; i++) {
        n += spread->at[i].ok + spread->at[i].failed;
    }
    return n;
}

TEST(intervals_get_longer_and_lose_no_event)
{
    static struct smfd_spread spread;
    klm_time base = INT64_C(1795309323) * SECOND;

    spread = (struct smfd_spread){0};
    for (unsigned i = 0; i < 1000; i++) {
        smfd_spread_add(&spread, base + (klm_time)i * 30 * SECOND, i % 10 == 0);
    }
    CHECK_STR(smfd_spread_name(&spread), "minute");
    CHECK_INT(sum(&spread), 1000);
    smfd_spread_add(&spread, base - INT64_C(86400) * 365 * SECOND, false);
    smfd_spread_add(&spread, base + INT64_C(86400) * 365 * 4 * SECOND, true);
    smfd_spread_add(&spread, 0, false);
    CHECK(spread.n <= SMFD_SPREAD_MAX);
    CHECK_INT(sum(&spread), 1003);
    smfd_spread_fit(&spread, 90);
    CHECK(spread.n <= 90);
    CHECK_INT(sum(&spread), 1003);
}

static void add(uint64_t seq, klm_time time, enum smf_outcome outcome, const char *verb,
                const char *user)
{
    struct smfd_event event = {.found = 1};

    event.e.parts = event.e.part = 1;
    event.e.seq = seq;
    event.e.server_id = "KLM1";
    event.e.event = (struct smf_event){.kind = SMF_RUNTIME, .outcome = outcome, .time = time};
    event.e.event.field[SMF_F_VERB] = verb;
    event.e.event.field[SMF_F_USER] = user;
    event.e.event.field[SMF_F_VOLSER] = "WXY662";
    event.e.event.field[SMF_F_DRIVE] = user;
    REQUIRE_OK(smfd_facts_add(&facts, &event));
}

TEST(details_keep_the_newest_and_count_all)
{
    REQUIRE_OK(smfd_facts_init(&facts, 3));
    for (uint64_t seq = 1; seq <= 10; seq++) {
        char user[16];

        snprintf(user, sizeof user, "D%u", (unsigned)seq);
        add(seq, (klm_time)seq * 60 * SECOND, seq == 4 ? SMF_FAILURE : SMF_SUCCESS, "key-get",
            user);
    }
    CHECK_INT(facts.events, 10);
    CHECK_INT(facts.failed, 1);
    CHECK_INT(facts.keys, 9);
    CHECK_INT(facts.served.all, 9);
    CHECK_INT(facts.served.n, 3);
    CHECK_STR(smfd_list_row(&facts.served, 0)[1], "D8");
    CHECK_STR(smfd_list_row(&facts.served, 2)[1], "D10");
    CHECK_INT(facts.failures.n, 1);
    CHECK_INT(facts.volumes.n, 1);
    CHECK_INT(facts.drives.n, 10);
    smfd_facts_done(&facts);
}

TEST(gaps_and_quiet_times_are_found)
{
    REQUIRE_OK(smfd_facts_init(&facts, 10));
    add(1, 10 * SECOND, SMF_SUCCESS, "x", "a");
    add(2, 20 * SECOND, SMF_SUCCESS, "x", "a");
    add(7, 5000 * SECOND, SMF_SUCCESS, "x", "a");
    add(8, 5001 * SECOND, SMF_SUCCESS, "x", "a");
    CHECK_INT(facts.gaps.n, 1);
    CHECK_STR(smfd_list_row(&facts.gaps, 0)[1], "3");
    CHECK_STR(smfd_list_row(&facts.gaps, 0)[2], "6");
    CHECK_STR(smfd_list_row(&facts.gaps, 0)[3], "4");
    CHECK_INT(facts.quiet_n, 3);
    CHECK_INT(facts.quiet[0].to - facts.quiet[0].from, 4980 * SECOND);
    CHECK_INT(facts.quiet[2].to - facts.quiet[2].from, SECOND);
    for (unsigned i = 0; i < 30; i++) {
        add(9 + i, (5002 + i * i) * SECOND, SMF_SUCCESS, "x", "a");
    }
    CHECK_INT(facts.quiet_n, SMFD_QUIET_MAX);
    CHECK_INT(facts.quiet[0].to - facts.quiet[0].from, 4980 * SECOND);
    smfd_facts_done(&facts);
}

static void escaped(const char *text, const char *expected)
{
    struct klm_buf out;

    klm_buf_init(&out, 4096);
    smfd_html_text(&out, text);
    klm_buf_u8(&out, 0);
    CHECK_STR((const char *)out.p, expected);
    klm_buf_done(&out);
}

TEST(html_escapes_everything_that_could_be_markup_or_hide)
{
    /* U+202E, after which text runs from right to left. */
    const char turned[] = {(char)0xE2, (char)0x80, (char)0xAE, 'f', 'd', 'p',
                           '.',        'e',        'x',        'e', 0};

    escaped("<script>alert(\"1\")</script>", "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    escaped("a & b 'c'", "a &amp; b &apos;c&apos;");
    escaped("\x01\x7F", "\xEF\xBF\xBD\xEF\xBF\xBD");
    escaped("\xFF", "\xEF\xBF\xBD");
    escaped(turned, "\xEF\xBF\xBD"
                    "fdp.exe");
    escaped("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x94\x91", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x94\x91");
    escaped("", "");
}
