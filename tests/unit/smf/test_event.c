/* Events as bytes. The vector was put together by a Python script from the description in JOURNAL.md. */
#include "test.h"

#include "smf/smf.h"

static struct klm_buf out;
static struct klm_pool *pool;

static void fresh(size_t limit)
{
    klm_buf_done(&out);
    klm_buf_init(&out, limit);
    klm_pool_free(&pool);
    REQUIRE_OK(klm_pool_new(0, &pool));
}

static void done(void)
{
    klm_buf_done(&out);
    klm_pool_free(&pool);
}

static klm_rc decode(struct smf_event *event)
{
    return smf_event_decode(klm_buf_as_slice(&out), pool, event);
}

/* A text of n times c. */
static const char *many(size_t n, char c)
{
    static char text[3000];

    memset(text, c, n);
    text[n] = '\0';
    return text;
}

TEST(the_bytes_of_an_event_are_those_of_the_description)
{
    static const char expected[] = "01030100"
                                   "0004AF97D23F2AC0"
                                   "00020004"
                                   "6B6D2E61"
                                   "000D0006"
                                   "4B4C4D343934"
                                   "000F0006"
                                   "575859363632";
    struct smf_event event = {.kind = SMF_RUNTIME,
                              .outcome = SMF_FAILURE,
                              .time = 1318966509120192,
                              .field = {[SMF_F_SOURCE] = "km.a",
                                        [SMF_F_DRIVE] = "KLM494",
                                        [SMF_F_VOLSER] = "WXY662",
                                        [SMF_F_USER] = ""}};
    char hex[200];

    fresh(SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &out));
    REQUIRE(out.n < 99);
    klm_hex_upper(out.p, out.n, hex);
    CHECK_STR(hex, expected);
    done();
}

TEST(every_field_comes_back)
{
    struct smf_event event = {.kind = SMF_CONFIG, .outcome = SMF_SUCCESS, .time = 5}, back;
    static char text[SMF_FIELDS][8];

    fresh(SMF_EVENT_MAX);
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        snprintf(text[i], sizeof text[i], "f%zu\xC3\xA9", i);
        event.field[i] = text[i];
    }
    REQUIRE_OK(smf_event_encode(&event, &out));
    REQUIRE_OK(decode(&back));
    CHECK_INT(back.kind, SMF_CONFIG);
    CHECK_INT(back.outcome, SMF_SUCCESS);
    CHECK_INT(back.time, 5);
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        CHECK_STR(back.field[i], text[i]);
    }
    done();
}

TEST(absent_fields_stay_absent_and_time_zero_means_now)
{
    struct smf_event event = {.kind = SMF_AUTHENTICATION,
                              .field = {[SMF_F_USER] = "OPER1", [SMF_F_VERB] = ""}},
                     back;

    fresh(SMF_EVENT_MAX);
    klm_clock_set(1318966509000000);
    REQUIRE_OK(smf_event_encode(&event, &out));
    klm_clock_set(0);
    REQUIRE_OK(decode(&back));
    CHECK_INT(back.time, 1318966509000000);
    CHECK(back.field[SMF_F_VERB] == NULL);
    CHECK(back.field[SMF_F_DRIVE] == NULL);
    CHECK_STR(back.field[SMF_F_USER], "OPER1");
    done();
}

TEST(long_fields_are_cut_between_two_characters)
{
    struct smf_event event = {.time = 1}, back;

    fresh(SMF_EVENT_MAX);
    event.field[SMF_F_VERB] = many(2000, 'v');
    REQUIRE_OK(smf_event_encode(&event, &out));
    REQUIRE_OK(decode(&back));
    CHECK_INT(strlen(back.field[SMF_F_VERB]), 64);

    fresh(SMF_EVENT_MAX);
    event.field[SMF_F_VERB] = NULL;
    event.field[SMF_F_VOLSER] = "ABCD\xE2\x82\xAC"; /* 4 + 3 bytes for 6 */
    REQUIRE_OK(smf_event_encode(&event, &out));
    REQUIRE_OK(decode(&back));
    CHECK_STR(back.field[SMF_F_VOLSER], "ABCD");
    done();
}

TEST(control_characters_and_bad_utf8_become_dots)
{
    struct smf_event event = {.time = 1}, back;

    fresh(SMF_EVENT_MAX);
    event.field[SMF_F_MESSAGE] = "a\nb\x7F\xC2\x85|\xC0\x80|\xED\xA0\x80|\xF4\x90\x80\x80|\xC3";
    REQUIRE_OK(smf_event_encode(&event, &out));
    REQUIRE_OK(decode(&back));
    CHECK_STR(back.field[SMF_F_MESSAGE], "a.b...|..|...|....|.");
    done();
}

TEST(an_event_with_all_fields_at_their_longest_fits)
{
    struct smf_event event = {.time = 1}, back;

    fresh(SMF_EVENT_MAX);
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        event.field[i] = many(2000, 'x');
    }
    REQUIRE_OK(smf_event_encode(&event, &out));
    REQUIRE_OK(decode(&back));
    CHECK_INT(strlen(back.field[SMF_F_RESOURCE]), 1024);
    done();
}

TEST(encoding_refuses_what_is_no_event_and_leaves_the_buffer)
{
    struct smf_event event = {.kind = (enum smf_kind)SMF_KINDS, .time = 1};

    fresh(40);
    klm_buf_text(&out, "before");
    CHECK_RC(smf_event_encode(&event, &out), KLM_E_INVALID);
    event.kind = SMF_RUNTIME;
    event.outcome = (enum smf_outcome)2;
    CHECK_RC(smf_event_encode(&event, &out), KLM_E_INVALID);
    event.outcome = SMF_SUCCESS;
    event.time = -1;
    CHECK_RC(smf_event_encode(&event, &out), KLM_E_INVALID);
    event.time = 1;
    event.field[SMF_F_VERB] = many(60, 'v');
    CHECK_RC(smf_event_encode(&event, &out), KLM_E_LIMIT);
    CHECK_INT(out.n, 6);
    done();
}

TEST(a_field_of_a_later_version_is_passed_over)
{
    struct smf_event event = {.kind = SMF_RUNTIME, .time = 7, .field = {[SMF_F_VERB] = "get"}},
                     back;

    fresh(SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &out));
    klm_buf_u16(&out, 999);
    klm_buf_str16(&out, "new");
    REQUIRE_OK(decode(&back));
    CHECK_STR(back.field[SMF_F_VERB], "get");
    done();
}

TEST(an_event_cut_short_anywhere_is_refused_or_has_fewer_fields)
{
    struct smf_event event = {.kind = SMF_RUNTIME,
                              .time = 7,
                              .field = {[SMF_F_VERB] = "get", [SMF_F_USER] = "me"}},
                     back;
    struct klm_slice whole;

    fresh(SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &out));
    whole = klm_buf_as_slice(&out);
    for (size_t n = 0; n < whole.n; n++) {
        bool between = n == 12 || n == 12 + 4 + 3;

        CHECK_RC(smf_event_decode(KLM_SLICE(whole.p, n), pool, &back),
                 between ? KLM_OK : KLM_E_SHORT);
    }
    done();
}

/* A header, then one field of n times c. */
static klm_rc one_field(uint16_t number, size_t n, char c)
{
    struct smf_event event = {.time = 7}, back;

    fresh(2 * SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &out));
    klm_buf_u16(&out, number);
    klm_buf_lp16(&out, KLM_SLICE(many(n, c), n));
    return decode(&back);
}

TEST(decoding_refuses_what_the_encoder_never_makes)
{
    struct smf_event back;

    CHECK_RC(one_field(15, 6, 'x'), KLM_OK);
    CHECK_RC(one_field(15, 7, 'x'), KLM_E_LIMIT);
    CHECK_RC(one_field(15, 0, 'x'), KLM_E_INVALID);
    CHECK_RC(one_field(15, 3, '\n'), KLM_E_INVALID);
    CHECK_RC(one_field(15, 3, '\0'), KLM_E_INVALID);
    CHECK_RC(one_field(0, 3, 'x'), KLM_E_INVALID);
    CHECK_RC(one_field(15, 3, 'x'), KLM_OK);
    klm_buf_u16(&out, 15);
    klm_buf_str16(&out, "twice");
    CHECK_RC(decode(&back), KLM_E_INVALID);
    CHECK_RC(one_field(15, 3, 'x'), KLM_OK);
    klm_buf_u16(&out, 1);
    klm_buf_str16(&out, "falling");
    CHECK_RC(decode(&back), KLM_E_INVALID);
    done();
}

TEST(decoding_checks_the_header)
{
    static const struct {
        size_t at;
        uint8_t value;
        klm_rc rc;
    } rows[] = {{0, 2, KLM_E_UNSUPPORTED}, {0, 0, KLM_E_UNSUPPORTED}, {1, SMF_KINDS, KLM_E_INVALID},
                {2, 2, KLM_E_INVALID},     {3, 1, KLM_E_INVALID},     {4, 0x80, KLM_E_INVALID}};
    struct smf_event back;

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        CHECK_RC(one_field(15, 3, 'x'), KLM_OK);
        out.p[rows[i].at] = rows[i].value;
        CHECK_RC(decode(&back), rows[i].rc);
    }
    done();
}

TEST(an_event_of_one_byte_too_many_is_refused)
{
    struct smf_event event = {.time = 7}, back;
    size_t rest;

    fresh(2 * SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &out));
    rest = SMF_EVENT_MAX - out.n - 4;
    klm_buf_u16(&out, 999);
    klm_buf_u16(&out, (uint16_t)rest);
    REQUIRE(klm_buf_room(&out, rest + 1) != NULL);
    memset(out.p + out.n, 'x', rest + 1);
    out.n += rest;
    CHECK_INT(out.n, SMF_EVENT_MAX);
    CHECK_RC(decode(&back), KLM_OK);
    out.p[15]++;
    out.n++;
    CHECK_RC(decode(&back), KLM_E_LIMIT);
    done();
}
