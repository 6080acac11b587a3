/* Refusals of callers who are nobody here: few are recorded as they come, the rest as sums, and the numbers add up. */
#include "keymgr/km_help.h"

#include "keymgr/internal.h"
#include "keymgr/strangers.h"

#define SECOND 1000000LL

static const struct km_strangers_limits limits = {.burst = 3, .total = 10, .interval_ms = 60000};

/* A table of its own and a clock in the test's hand. */
static struct km_strangers table;
static uint64_t now;

static void begin(void)
{
    table = (struct km_strangers){0};
    km_strangers_init(&table);
    now = 1000000;
}

static bool recorded(const char *host)
{
    return km_strangers_note(&table, &limits, host, KM_HAP_TLS_FAILED, now, (klm_time)now * 1000);
}

static size_t recorded_of(const char *host, size_t n)
{
    size_t some = 0;

    for (size_t i = 0; i < n; i++) {
        some += recorded(host);
    }
    return some;
}

static bool due(struct km_stranger *out)
{
    return km_strangers_take(&table, &limits, now, false, out);
}

TEST(a_burst_is_recorded_and_the_rest_told_once_an_interval)
{
    struct km_stranger sum;

    begin();
    CHECK_INT(recorded_of("192.0.2.1", 100), 3);
    CHECK(!due(&sum)); /* not before the interval is over */
    now += 59999;
    CHECK(!recorded("192.0.2.1"));
    CHECK(!due(&sum));
    now += 1;
    REQUIRE(due(&sum));
    CHECK_STR(sum.host, "192.0.2.1");
    CHECK_INT(sum.n, 98);
    CHECK_INT(sum.of[KM_HAP_TLS_FAILED], 98);
    CHECK_INT(sum.first, 1000000 * 1000LL);
    CHECK_INT(sum.last, 1059999 * 1000LL);
    CHECK(!due(&sum)); /* once */
    km_strangers_end(&table);
}

TEST(a_flood_that_goes_on_is_told_in_sums_alone_until_it_was_quiet)
{
    struct km_stranger sum;

    begin();
    CHECK_INT(recorded_of("192.0.2.1", 10), 3);
    for (int i = 0; i < 20; i++) {
        now += 60000;
        REQUIRE(due(&sum));
        CHECK_INT(sum.n, i == 0 ? 7 : 5);
        CHECK_INT(recorded_of("192.0.2.1", 5), 0);
    }
    now += 60000;
    REQUIRE(due(&sum));
    CHECK_INT(sum.n, 5);
    now += 59999; /* quiet, but not for long enough */
    CHECK(!recorded("192.0.2.1"));
    now += 60000;
    REQUIRE(due(&sum));
    CHECK_INT(sum.n, 1);
    now += 60000;
    CHECK(!due(&sum));
    CHECK_INT(recorded_of("192.0.2.1", 10), 3);
    km_strangers_end(&table);
}

TEST(a_thread_that_looked_at_the_clock_before_the_others_begins_no_interval_of_its_own)
{
    begin();
    CHECK_INT(recorded_of("192.0.2.1", 2), 2);
    now--;
    CHECK_INT(recorded_of("192.0.2.1", 50), 1);
    now++;
    CHECK_INT(recorded_of("192.0.2.1", 50), 0);
    CHECK_INT(recorded_of("192.0.2.2", 1) + recorded_of("192.0.2.3", 1), 2);
    km_strangers_end(&table);
}

TEST(few_now_and_then_are_all_recorded)
{
    struct km_stranger sum;

    begin();
    for (int i = 0; i < 50; i++, now += 60000) {
        CHECK_INT(recorded_of("192.0.2.1", 3), 3);
    }
    CHECK(!km_strangers_take(&table, &limits, now, true, &sum));
    km_strangers_end(&table);
}

TEST(one_address_does_not_use_up_the_room_of_another_but_all_have_one_bound)
{
    char host[32];
    size_t some = 0;

    begin();
    CHECK_INT(recorded_of("192.0.2.1", 100), 3);
    CHECK_INT(recorded_of("192.0.2.2", 100), 3);
    for (int i = 0; i < 40; i++) {
        snprintf(host, sizeof host, "192.0.2.%d", 10 + i);
        some += recorded(host);
    }
    CHECK_INT(some, 4); /* ten of all */
    km_strangers_end(&table);
}

TEST(more_addresses_than_places_are_counted_together_and_none_is_lost)
{
    struct km_stranger sum;
    uint64_t told = 0, sums = 0, others = 0;
    char host[32];

    begin();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++) {
            snprintf(host, sizeof host, "10.0.%d.%d", i / 250, i % 250);
            told += recorded(host);
        }
    }
    CHECK_INT(told, 10);
    now += 60000;
    while (due(&sum)) {
        told += sum.n;
        sums++;
        others += strcmp(sum.host, "other addresses") == 0;
    }
    CHECK_INT(told, 15000);
    CHECK_INT(others, 1);
    CHECK(sums <= KM_STRANGERS + 1);
    km_strangers_end(&table);
}

TEST(at_the_end_all_that_was_counted_is_told)
{
    struct km_stranger sum;

    begin();
    recorded_of("192.0.2.1", 5);
    REQUIRE(km_strangers_take(&table, &limits, now, true, &sum));
    CHECK_INT(sum.n, 2);
    CHECK(!km_strangers_take(&table, &limits, now, true, &sum));
    km_strangers_end(&table);
}

TEST(an_ipv6_network_is_one_caller)
{
    static const char *const rows[][2] = {
        {"192.0.2.7:40022", "192.0.2.7"},
        {"192.0.2.7", "192.0.2.7"},
        {"[2001:db8:1:2:3:4:5:6]:40022", "2001:db8:1:2::/64"},
        {"2001:db8:1:2::9", "2001:db8:1:2::/64"},
        {"[::ffff:192.0.2.7]:40022", "192.0.2.7"},
        {"console", "console"},
        {"", "?"},
    };
    char host[KM_STRANGER_MAX];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        km_stranger_of(rows[i][0], host);
        CHECK_STR(host, rows[i][1]);
    }
    km_stranger_of(NULL, host);
    CHECK_STR(host, "?");
}

TEST(a_sum_says_what_was_refused)
{
    struct km_stranger sum = {.n = 16};
    char words[400], few[8];

    sum.of[KM_HAP_TLS_FAILED] = 12;
    sum.of[KM_HAP_KMIP_MESSAGE] = 3;
    sum.of[KM_REQUEST_OF_STRANGER] = 1;
    km_stranger_words(&sum, words, sizeof words);
    CHECK_STR(words, "12 tls-failed, 3 kmip-message-refused, 1 requests");
    km_stranger_words(&sum, few, sizeof few);
    CHECK_INT(strlen(few), sizeof few - 1);
}

/* ---- In a server */

static const struct km_actor caller = {
    .kind = KM_ACTOR_CLIENT, .name = "unknown", .address = "192.0.2.66:1234", .stranger = true};

static klm_rc asks(struct house *house)
{
    struct km_call *call = new_call(house, KM_KMIP_LOG, &caller);
    klm_rc rc;

    call->actor.roles = 0;
    rc = km_run_wait(call);
    km_call_free(&call);
    return rc;
}

TEST(a_server_records_a_burst_then_sums_and_the_rest_at_its_end)
{
    struct house house;
    struct klm_diag diag = {0};
    const struct km_news news = {
        .what = KM_HAP_TLS_FAILED, .failed = true, .actor = &caller, .why = &diag};

    start_house(&house, "strangers",
                "Audit.refusals.burst=4\nAudit.refusals.total=5\nAudit.refusals.interval=1\n");
    (void)klm_fail(&diag, KLM_E_INVALID, KLM_MSG_KMIP_TLS_FAILED, "192.0.2.66:1234", "test");
    for (int i = 0; i < 50; i++) {
        km_happened_to_stranger(house.server, &news);
        CHECK_RC(asks(&house), KLM_E_DENIED); /* counted or recorded: refused all the same */
    }
    WAIT_FOR(events(&house, "refusals", -1, NULL, NULL) > 0, 10)
    {
    }
    km_happened_to_stranger(house.server, &news);
    close_house(&house);
    CHECK_INT(events(&house, "tls-failed", SMF_FAILURE, "KLM1907W", "192.0.2.66"), 2);
    CHECK_INT(events(&house, km_verb(KM_KMIP_LOG)->name, SMF_FAILURE, NULL, "192.0.2.66"), 2);
    CHECK_INT(events(&house, "refusals", SMF_FAILURE, "KLM0827W", "48 tls-failed, 48 requests"), 1);
    CHECK_INT(events(&house, "refusals", SMF_FAILURE, "KLM0827W", "1 events of 192.0.2.66"), 1);
    CHECK_INT(events(&house, "refusals", -1, NULL, NULL), 2);
}

TEST(who_is_known_is_recorded_each_time)
{
    struct house house;

    start_house(&house, "known", "Audit.refusals.burst=1\nAudit.refusals.total=1\n");
    for (int i = 0; i < 20; i++) {
        struct km_call *call = new_call(&house, KM_STATUS, &nobody);

        CHECK_RC(km_run_wait(call), KLM_E_DENIED);
        km_call_free(&call);
    }
    close_house(&house);
    CHECK_INT(events(&house, km_verb(KM_STATUS)->name, SMF_FAILURE, NULL, "NOBODY"), 20);
    CHECK_INT(events(&house, "refusals", -1, NULL, NULL), 0);
}
