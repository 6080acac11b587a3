/* Messages of the syslog sink: each format exactly, escapes, cutting, the chain. Expected texts were written by hand. */
#include "smf_test.h"

#include "base/digest.h"
#include "base/utf8.h"
#include "smf/syslog_format.h"

#define HEX32 "abababababababababababababababababababababababababababababababab"
#define HEADER "<108>1 2011-10-18T19:35:09.120192Z KLM_1 klmsrv "

static struct smf_syslog_style style_of(enum smf_syslog_format format)
{
    struct smf_syslog_options options = {
        .transport = SMF_SYSLOG_TCP, .format = format, .facility = 13, .server_id = "KLM 1"};
    struct smf_syslog_style style;

    REQUIRE_OK(smf_syslog_style_init(&style, &options));
    return style;
}

static struct smf_record sample(void)
{
    struct smf_record record = {.seq = 17,
                                .server_id = "KLM 1",
                                .event = {.kind = SMF_RUNTIME,
                                          .outcome = SMF_FAILURE,
                                          .time = 1318966509120192,
                                          .field = {[SMF_F_VERB] = "key-serve",
                                                    [SMF_F_RESOURCE] = "a\"b\\c]d",
                                                    [SMF_F_MESSAGE] = "Gr\xC3\xB6\xC3\x9F"
                                                                      "e=1|2",
                                                    [SMF_F_ADDRESS] = "192.0.2.7:40022",
                                                    [SMF_F_DRIVE] = "000007888422",
                                                    [SMF_F_VOLSER] = "WXY662"}}};

    memset(record.hash, 0xAB, sizeof record.hash);
    return record;
}

/* The message of a record as a string; the chain begins as 00 01 02 ... 1F and comes back in chain. */
static char *message(struct smf_syslog_style *style, const struct smf_record *record,
                     uint8_t chain[32])
{
    static char text[SMF_SYSLOG_MAX + 1];
    struct klm_buf buf;

    for (unsigned i = 0; i < 32; i++) {
        chain[i] = (uint8_t)i;
    }
    klm_buf_init(&buf, SMF_SYSLOG_MAX);
    test_rc(smf_syslog_put(style, record, chain, &buf), KLM_OK, "smf_syslog_put", __FILE__,
            __LINE__, true);
    memcpy(text, buf.p, buf.n);
    text[buf.n] = '\0';
    klm_buf_done(&buf);
    return text;
}

/* What the message must be: its two halves around the process number, its chain parameter put behind `before_chain`. */
static void check_format(enum smf_syslog_format format, const char *plain, const char *tail,
                         const char *chain_before, const char *chain_after, const char *known)
{
    struct smf_syslog_style style = style_of(format);
    struct smf_record record = sample();
    uint8_t chain[32], sha[32], first[32];
    char hex[65], covered[4096], expected[4096];
    struct klm_slice parts[2];

    for (unsigned i = 0; i < 32; i++) {
        first[i] = (uint8_t)i;
    }
    snprintf(covered, sizeof covered, HEADER "- %s%s", plain, tail);
    parts[0] = KLM_SLICE(first, 32);
    parts[1] = klm_slice_str(covered);
    REQUIRE_OK(klm_sha256(parts, 2, sha));
    klm_hex(sha, 32, hex);
    if (known) {
        CHECK_STR(hex, known);
    }
    snprintf(expected, sizeof expected, HEADER "%d %s%s%s%s%s", (int)getpid(), plain, chain_before,
             hex, chain_after, tail);
    CHECK_STR(message(&style, &record, chain), expected);
    CHECK_MEM(chain, sha, 32);
    smf_syslog_style_done(&style);
}

TEST(a_message_by_rfc_5424_has_structured_data_and_bom_before_its_text)
{
    check_format(SMF_SYSLOG_RFC5424,
                 "key-serve [klmsrv@32473 sequence=\"17\" kind=\"runtime\" outcome=\"failure\" "
                 "verb=\"key-serve\" resource=\"a\\\"b\\\\c\\]d\" message=\"Gr\xC3\xB6\xC3\x9F"
                 "e=1|2\" address=\"192.0.2.7:40022\" drive=\"000007888422\" volser=\"WXY662\" "
                 "journal=\"" HEX32 "\"",
                 "] \xEF\xBB\xBFRuntime event: key-serve, failure; Gr\xC3\xB6\xC3\x9F"
                 "e=1|2; a\"b\\c]d",
                 " chain=\"", "\"",
                 /* by Python's hashlib over the same text */
                 "7bb3371235a3687b4ac31262643e42bf566f0b3a268fd56ac309999252cf8bab");
}

TEST(a_message_in_cef_escapes_equals_and_backslash)
{
    check_format(SMF_SYSLOG_CEF,
                 "key-serve - CEF:0|klmsrv|klmsrv|" KLM_VERSION "|key-serve|Runtime event|7|"
                 "rt=1318966509120 deviceExternalId=KLM 1 externalId=17 cat=runtime "
                 "outcome=failure klmResource=a\"b\\\\c]d msg=Gr\xC3\xB6\xC3\x9F"
                 "e\\=1|2 src=192.0.2.7 spt=40022 cs1=000007888422 cs1Label=drive cs2=WXY662 "
                 "cs2Label=volser klmJournal=" HEX32,
                 "", " klmChain=", "", NULL);
}

TEST(a_message_in_leef_has_tabs_between)
{
    check_format(SMF_SYSLOG_LEEF,
                 "key-serve - LEEF:2.0|klmsrv|klmsrv|" KLM_VERSION "|key-serve|x09|"
                 "devTime=2011-10-18T19:35:09.120Z\tdevTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX\t"
                 "sev=7\tcat=runtime\tsequence=17\tserver=KLM 1\toutcome=failure\tverb=key-serve\t"
                 "resource=a\"b\\\\c]d\tmessage=Gr\xC3\xB6\xC3\x9F"
                 "e=1|2\tsrc=192.0.2.7\tsrcPort=40022\tdrive=000007888422\tvolser=WXY662\t"
                 "journal=" HEX32,
                 "", "\tchain=", "", NULL);
}

TEST(severity_and_facility_make_the_priority)
{
    struct smf_syslog_style style = style_of(SMF_SYSLOG_RFC5424);
    struct smf_record record = sample();
    uint8_t chain[32];

    record.event.outcome = SMF_SUCCESS;
    CHECK(strncmp(message(&style, &record, chain), "<110>1 ", 7) == 0);
    style.facility = 23;
    CHECK(strncmp(message(&style, &record, chain), "<190>1 ", 7) == 0);
    style.facility = 0;
    CHECK(strncmp(message(&style, &record, chain), "<6>1 ", 5) == 0);
    smf_syslog_style_done(&style);
}

TEST(header_words_are_printable_and_never_empty)
{
    struct smf_syslog_style style = style_of(SMF_SYSLOG_RFC5424);
    struct smf_record record = sample();
    uint8_t chain[32];
    char expected[200];

    record.event.field[SMF_F_VERB] = "verb of\xC3\xA4 more than thirty-two bytes";
    snprintf(
        expected, sizeof expected,
        "<108>1 2011-10-18T19:35:09.120192Z KLM_1 klmsrv %d verb_of___more_than_thirty-two_b [",
        (int)getpid());
    CHECK(strncmp(message(&style, &record, chain), expected, strlen(expected)) == 0);
    record.event.field[SMF_F_VERB] = NULL;
    style.host[0] = '\0';
    snprintf(expected, sizeof expected, "<108>1 2011-10-18T19:35:09.120192Z - klmsrv %d - [",
             (int)getpid());
    CHECK(strncmp(message(&style, &record, chain), expected, strlen(expected)) == 0);
    smf_syslog_style_done(&style);
}

TEST(line_ends_and_controls_cannot_end_a_message_or_a_value)
{
    static const struct {
        enum smf_syslog_format format;
        const char *found;
    } rows[] = {{SMF_SYSLOG_RFC5424, " resource=\"a..b.c\\]?\" "},
                {SMF_SYSLOG_CEF, " klmResource=a\\n\\rb.c]? "},
                {SMF_SYSLOG_LEEF, "\tresource=a\\n\\rb\\tc]?\t"}};
    uint8_t chain[32];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct smf_syslog_style style = style_of(rows[i].format);
        struct smf_record record = sample();
        const char *text;

        record.event.field[SMF_F_RESOURCE] = "a\n\rb\tc]\xFF";
        text = message(&style, &record, chain);
        CHECK(strstr(text, rows[i].found) != NULL);
        CHECK(strchr(text, '\n') == NULL);
        CHECK(strchr(text, '\r') == NULL);
        smf_syslog_style_done(&style);
    }
}

TEST(cef_puts_bars_of_the_verb_into_its_head_escaped)
{
    struct smf_syslog_style style = style_of(SMF_SYSLOG_CEF);
    struct smf_record record = sample();
    uint8_t chain[32];

    record.event.field[SMF_F_VERB] = "a|b\\c";
    CHECK(strstr(message(&style, &record, chain), "|a\\|b\\\\c|Runtime event|7|") != NULL);
    record.event.field[SMF_F_VERB] = NULL;
    CHECK(strstr(message(&style, &record, chain), "|runtime|Runtime event|7|") != NULL);
    smf_syslog_style_done(&style);
}

TEST(addresses_are_told_apart)
{
    static const struct {
        const char *address, *cef, *leef;
    } rows[] = {
        {"[2001:db8::7]:40022", " c6a2=2001:db8::7 c6a2Label=Source IPv6 Address spt=40022 ",
         "\tsrc=2001:db8::7\tsrcPort=40022\t"},
        {"192.0.2.7:1", " src=192.0.2.7 spt=1 ", "\tsrc=192.0.2.7\tsrcPort=1\t"},
        {"console", " klmAddress=console ", "\taddress=console\t"},
        {"host.example:80", " klmAddress=host.example:80 ", "\taddress=host.example:80\t"},
        {"192.0.2.7:", " klmAddress=192.0.2.7: ", "\taddress=192.0.2.7:\t"},
        {":1", " klmAddress=:1 ", "\taddress=:1\t"},
        {"[]:1", " klmAddress=[]:1 ", "\taddress=[]:1\t"},
        {"192.0.2.7:123456", " klmAddress=192.0.2.7:123456 ", "\taddress=192.0.2.7:123456\t"},
    };
    uint8_t chain[32];

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct smf_syslog_style cef = style_of(SMF_SYSLOG_CEF), leef = style_of(SMF_SYSLOG_LEEF);
        struct smf_record record = sample();

        record.event.field[SMF_F_ADDRESS] = rows[i].address;
        CHECK(strstr(message(&cef, &record, chain), rows[i].cef) != NULL);
        CHECK(strstr(message(&leef, &record, chain), rows[i].leef) != NULL);
        smf_syslog_style_done(&cef);
        smf_syslog_style_done(&leef);
    }
}

/* Every field at its longest, each character of it needing an escape or more than one byte. */
static void longest(struct smf_event *event, const char *unit)
{
    static char texts[SMF_FIELDS][2048];
    static const size_t most[SMF_FIELDS] = {
#define SMF_FIELD(name, number, max, what) [name] = (max),
#include "smf/fields.def"
#undef SMF_FIELD
    };

    for (size_t i = 0; i < SMF_FIELDS; i++) {
        size_t n = 0;

        while (n + strlen(unit) <= most[i]) {
            memcpy(texts[i] + n, unit, strlen(unit));
            n += strlen(unit);
        }
        texts[i][n] = '\0';
        event->field[i] = texts[i];
    }
}

TEST(a_message_never_passes_its_limit_and_is_cut_between_characters)
{
    static const char *const units[] = {"\\", "]", "=", "\xE2\x82\xAC", "x"};
    uint8_t chain[32];
    unsigned cut = 0;

    for (size_t i = 0; i < KLM_COUNT(units); i++) {
        for (int format = SMF_SYSLOG_RFC5424; format <= SMF_SYSLOG_LEEF; format++) {
            struct smf_syslog_style style = style_of((enum smf_syslog_format)format);
            struct smf_record record = sample();
            const char *text;
            size_t n;

            longest(&record.event, units[i]);
            text = message(&style, &record, chain);
            n = strlen(text);
            CHECK(n <= SMF_SYSLOG_MAX);
            CHECK(klm_utf8_printable(KLM_SLICE(text, n)) || format == SMF_SYSLOG_LEEF);
            if (strstr(text, "...")) {
                CHECK(n > SMF_SYSLOG_MAX - 400); /* no more is cut than has to be */
                cut++;
            }
            smf_syslog_style_done(&style);
        }
    }
    CHECK(cut >=
          KLM_COUNT(units)); /* by RFC 5424, where the sentence repeats two fields, each of them */
}

/* No value may end in half an escape: behind "..." of a parameter stands its closing quote, and before it whole pairs. */
TEST(a_cut_value_ends_in_whole_escapes)
{
    struct smf_syslog_style style = style_of(SMF_SYSLOG_RFC5424);
    struct smf_record record = sample();
    uint8_t chain[32];
    unsigned cut = 0;

    longest(&record.event, "\\");
    for (const char *p = message(&style, &record, chain); (p = strstr(p, "...\" "));
         p += 4, cut++) {
        size_t slashes = 0;

        while (p[-1 - (long)slashes] == '\\') {
            slashes++;
        }
        CHECK_INT(slashes % 2, 0);
        CHECK(slashes > 0);
    }
    CHECK(cut > 0);
    smf_syslog_style_done(&style);
}

TEST(the_same_record_makes_the_same_chain_and_a_changed_one_another)
{
    struct smf_syslog_style style = style_of(SMF_SYSLOG_RFC5424);
    struct smf_record record = sample();
    uint8_t a[32], b[32];

    (void)message(&style, &record, a);
    snprintf(style.pid, sizeof style.pid, "1"); /* another process */
    (void)message(&style, &record, b);
    CHECK_MEM(a, b, 32);
    record.event.field[SMF_F_VOLSER] = "WXY663";
    (void)message(&style, &record, b);
    CHECK(memcmp(a, b, 32) != 0);
    smf_syslog_style_done(&style);
}

TEST(a_message_that_has_no_room_leaves_buffer_and_chain_as_they_were)
{
    struct smf_syslog_style style = style_of(SMF_SYSLOG_RFC5424);
    struct smf_record record = sample();
    uint8_t chain[32] = {0}, zeros[32] = {0};
    struct klm_buf buf;

    klm_buf_init(&buf, 100);
    klm_buf_text(&buf, "before");
    CHECK_RC(smf_syslog_put(&style, &record, chain, &buf), KLM_E_LIMIT);
    CHECK_INT(buf.n, 6);
    CHECK_RC(klm_buf_rc(&buf), KLM_OK);
    CHECK_MEM(chain, zeros, 32);
    record.event.kind = SMF_KINDS;
    CHECK_RC(smf_syslog_put(&style, &record, chain, &buf), KLM_E_CORRUPT);
    klm_buf_done(&buf);
    smf_syslog_style_done(&style);
}
