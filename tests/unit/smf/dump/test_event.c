/* Joining the records of an event, and events as lines. */
#include "made.h"
#include "smf/dump/event.h"
#include "smf/dump/form.h"

static struct made made;
static struct smfd_joiner *joiner;
static struct klm_buf lines;
static enum smfd_form form;
static unsigned events, incomplete;
static char text[65536];

static klm_rc each(void *arg, const struct smfd_event *event)
{
    (void)arg;
    events++;
    incomplete += event->found < event->e.parts;
    snprintf(text, sizeof text, "%s", event->e.text ? event->e.text : "");
    klm_buf_clear(&lines);
    return form == SMFD_BINARY ? KLM_OK : smfd_form_event(form, event, &lines);
}

static void begin(enum smfd_form as)
{
    form = as;
    events = incomplete = 0;
    made_init(&made);
    klm_buf_init(&lines, 1u << 20);
    REQUIRE_OK(smfd_joiner_new(each, NULL, &joiner));
}

static void put(size_t i)
{
    const char *why = "";

    REQUIRE_OK(smfd_joiner_put(joiner, made_record(&made, i), &why));
}

static void end(void)
{
    smfd_joiner_free(&joiner);
    klm_buf_done(&lines);
    made_done(&made);
}

/* What the last event was as a line. */
static const char *line(void)
{
    klm_buf_u8(&lines, 0);
    return (const char *)lines.p;
}

/* An event that needs several records. */
static size_t long_event(uint64_t seq, char *whole, size_t cap)
{
    struct smf_event event = {.kind = SMF_CONFIG};
    size_t n = made.n, at = 0;

    for (unsigned i = 0; i < 200; i++) {
        at += (size_t)snprintf(whole + at, cap - at,
                               "  line %u of a long record, with words that go on and on\n", i);
    }
    made.origin.max = 4096;
    event.field[SMF_F_VERB] = "config-set";
    event.field[SMF_F_OBJECT] = "name";
    event.field[SMF_F_NEW] = "value";
    made_event_text(&made, &event, seq, whole);
    REQUIRE(made.n - n > 3);
    return n;
}

TEST(parts_in_any_order_become_one_event_again)
{
    char whole[16384], other[16384];
    size_t a, b, n;

    begin(SMFD_BINARY);
    a = long_event(7, whole, sizeof whole);
    b = long_event(8, other, sizeof other);
    n = b - a;
    for (size_t i = n; i > 0; i--) {
        put(b + i - 1);
        CHECK_INT(events, i == 1);
        if (i > 1) {
            put(a + i - 1);
        }
    }
    CHECK_STR(text, other);
    put(a);
    CHECK_INT(events, 2);
    CHECK_STR(text, whole);
    REQUIRE_OK(smfd_joiner_end(joiner));
    CHECK_INT(events, 2);
    end();
}

TEST(an_event_with_a_missing_part_is_handed_out_as_such)
{
    char whole[16384];
    size_t a;

    begin(SMFD_BINARY);
    a = long_event(7, whole, sizeof whole);
    put(a);
    put(a); /* twice changes nothing */
    put(a + 2);
    CHECK_INT(events, 0);
    REQUIRE_OK(smfd_joiner_end(joiner));
    CHECK_INT(events, 1);
    CHECK_INT(incomplete, 1);
    end();
}

TEST(more_unfinished_events_than_wait_push_the_oldest_out)
{
    char whole[16384];

    begin(SMFD_BINARY);
    for (uint64_t seq = 1; seq <= 20; seq++) {
        size_t from = made.n;

        if (from > 200) {
            break;
        }
        (void)long_event(seq, whole, sizeof whole);
    }
    CHECK_INT(events, 0);
    /* The same first part under other numbers is another event. */
    for (unsigned i = 0; i <= SMFD_WAITING_MAX; i++) {
        struct made other;
        const char *why = "";

        made_init(&other);
        other.origin.max = 4096;
        {
            struct smf_event event = {.kind = SMF_CONFIG};

            made_event_text(&other, &event, 1000 + i, whole);
        }
        REQUIRE_OK(smfd_joiner_put(joiner, made_record(&other, 0), &why));
        made_done(&other);
    }
    CHECK_INT(events, 1);
    CHECK_INT(incomplete, 1);
    REQUIRE_OK(smfd_joiner_end(joiner));
    CHECK_INT(events, SMFD_WAITING_MAX + 1);
    end();
}

TEST(a_cut_record_is_no_event)
{
    const char *why = NULL;
    struct klm_slice record;

    begin(SMFD_BINARY);
    made_event(&made, 1);
    record = made_record(&made, 0);
    for (size_t n = 0; n < record.n; n++) {
        CHECK_RC(smfd_joiner_put(joiner, KLM_SLICE(record.p, n), &why), KLM_E_CORRUPT);
    }
    CHECK_INT(events, 0);
    end();
}

static void put_values(const char *value)
{
    struct smf_event event = {.kind = SMF_RUNTIME, .outcome = SMF_FAILURE};

    event.field[SMF_F_VERB] = "key-get";
    event.field[SMF_F_USER] = value;
    event.field[SMF_F_VOLSER] = "WXY662";
    made_event_text(&made, &event, 42, "");
    put(made.n - 1);
}

TEST(csv_quotes_and_disarms_formulas)
{
    begin(SMFD_CSV);
    put_values("a,b \"c\"");
    CHECK(strstr(line(), ",\"a,b \"\"c\"\"\",") != NULL);
    put_values("=cmd|' /C calc'!A0");
    CHECK(strstr(line(), ",'=cmd|' /C calc'!A0,") != NULL);
    put_values("-1+2");
    CHECK(strstr(line(), ",'-1+2,") != NULL);
    put_values("@SUM(1,2)");
    CHECK(strstr(line(), ",\"'@SUM(1,2)\",") != NULL);
    CHECK(strcmp(line() + strlen(line()) - 2, "\r\n") == 0);
    end();
}

TEST(csv_has_as_many_cells_as_names)
{
    size_t names = 1, cells = 1;

    begin(SMFD_CSV);
    REQUIRE_OK(smfd_form_head(SMFD_CSV, &lines));
    for (const char *p = line(); *p; p++) {
        names += *p == ',';
    }
    CHECK(strncmp(line(), "event_type,event_qual,", 22) == 0 && strstr(line(), ",volser,") != NULL);
    put_values("plain");
    for (const char *p = line(); *p; p++) {
        cells += *p == ',';
    }
    CHECK_INT(cells, names);
    end();
}

TEST(json_escapes_and_leaves_out_what_is_absent)
{
    begin(SMFD_JSON);
    put_values("\"back\\slash\" \xC3\xA9");
    CHECK(strstr(line(), "\"user\":\"\\\"back\\\\slash\\\" \xC3\xA9\"") != NULL);
    CHECK(strstr(line(), "\"sequence\":42,") != NULL);
    CHECK(strstr(line(), "\"outcome\":\"failure\"") != NULL);
    CHECK(strstr(line(), "\"drive\"") == NULL);
    end();
}

TEST(flat_text_has_fixed_columns_whatever_the_text)
{
    size_t width;

    begin(SMFD_TEXT);
    put_values("plain");
    width = strlen(line());
    CHECK(strncmp(line(), "key management ", 15) == 0);
    put_values("\xC3\xA9t\xC3\xA9 \xE2\x82\xAC");
    CHECK_INT(strlen(line()), width);
    CHECK(strstr(line(), " ?t? ? ") != NULL);
    end();
}

TEST(a_checkpoint_is_shown_with_its_signature)
{
    begin(SMFD_JSON);
    made_event(&made, 1);
    made_checkpoint(&made);
    put(1);
    CHECK(strstr(line(), "\"kind\":\"checkpoint\"") && strstr(line(), "\"signature\":\"010203\"") &&
          strstr(line(), "\"checkpoint_records\":1}"));
    end();
}
