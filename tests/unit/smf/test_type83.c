/* Type 83 records: byte for byte what tests/smf/makesmf.py made from the documentation, split, chained, refused. */
#include "records_test.h"

#include <pthread.h>

static struct smf_hash *hash;

static struct klm_slice nothing(void)
{
    return KLM_SLICE(NULL, 0);
}

static struct klm_slice record_at(const struct klm_buf *buf, size_t at)
{
    REQUIRE(buf->n - at >= 4);
    return KLM_SLICE(buf->p + at, (size_t)buf->p[at] << 8 | buf->p[at + 1]);
}

static struct smf_hash *hasher(void)
{
    if (!hash) {
        REQUIRE_OK(smf_hash_new(&hash));
    }
    return hash;
}

__attribute__((destructor)) static void end(void)
{
    smf_hash_free(&hash);
}

/* One event encoded, its only record parsed and decoded; the texts are in pool, the bytes in out. */
static struct smf_t83_event through(const struct smf_t83_origin *origin,
                                    const struct smf_record *record, struct klm_slice text,
                                    struct klm_pool *pool, struct klm_buf *out)
{
    struct smf_t83_chain chain = {0};
    struct smf_t83_event event = {0};
    struct smf_t83_view view = {0};
    const char *why = NULL;

    REQUIRE_OK(smf_t83_encode(origin, record, text, hasher(), &chain, out));
    REQUIRE(record_at(out, 0).n == out->n);
    REQUIRE_OK(smf_t83_parse(record_at(out, 0), &view, &why));
    REQUIRE_OK(smf_t83_decode(&view, pool, &event));
    return event;
}

TEST(the_encoder_makes_the_records_that_were_made_by_hand)
{
    struct klm_buf golden = file_of(source_path("golden/smf/vectors.smf"));
    struct smf_t83_chain chain = {0};
    struct klm_buf made = encoded_vectors(hasher(), &chain);

    CHECK_INT(made.n, golden.n);
    for (size_t at = 0; at < golden.n && at < made.n; at += record_at(&golden, at).n) {
        size_t n = record_at(&golden, at).n, left = made.n - at;

        CHECK_MEM(made.p + at, golden.p + at, n < left ? n : left);
    }
    CHECK_INT(chain.records, VECTORS);
    CHECK_INT(chain.seq, 0x100000003);
    klm_buf_done(&made);
    klm_buf_done(&golden);
}

TEST(the_records_made_by_hand_read_as_the_events_they_stand_for)
{
    struct klm_buf golden = file_of(source_path("golden/smf/vectors.smf"));
    struct klm_pool *pool = NULL;
    struct smf_t83_view view;
    struct smf_t83_event event;
    const char *why;
    size_t at = 0;

    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(smf_t83_parse(record_at(&golden, at), &view, &why));
    CHECK(view.ours && view.type == 83 && view.subtype == 6 && view.link == 17);
    CHECK(view.event_code == 4 && view.qualifier == 0);
    CHECK(view.year == 2026 && view.day == 326 && view.time == 732300);
    REQUIRE_OK(smf_t83_decode(&view, pool, &event));
    CHECK(event.seq == 17 && event.part == 1 && event.parts == 1 && !event.checkpoint);
    CHECK_STR(event.server_id, "KLM1");
    CHECK_MEM(event.journal, success_record.hash, SMF_HASH_SIZE);
    CHECK(event.event.time == success_record.event.time && event.utc_offset_min == 60);
    CHECK(event.event.kind == SMF_RUNTIME && event.event.outcome == SMF_SUCCESS);
    CHECK_STR(event.event.field[SMF_F_ALIAS1], "LABEL20");
    CHECK_STR(event.event.field[SMF_F_ALIAS2], "GR\303\234N\342\202\254");
    CHECK_STR(event.text, SUCCESS_TEXT);
    at += view.length;
    REQUIRE_OK(smf_t83_parse(record_at(&golden, at), &view, &why));
    REQUIRE_OK(smf_t83_decode(&view, pool, &event));
    CHECK(event.seq == 0x100000002 && view.link == 2 && event.event.outcome == SMF_FAILURE);
    CHECK_STR(event.event.field[SMF_F_MESSAGE], "back\\slash \\u{41} \360\237\224\221");
    CHECK_STR(event.event.field[SMF_F_OFFSET], "-05:30");
    CHECK(event.text == NULL && event.event.field[SMF_F_DRIVE] == NULL);
    klm_pool_free(&pool);
    klm_buf_done(&golden);
}

TEST(a_checkpoint_reads_as_what_was_signed)
{
    struct smf_t83_chain chain = {0};
    struct klm_buf made = encoded_vectors(hasher(), &chain);
    struct klm_pool *pool = NULL;
    struct smf_t83_view view = {0};
    struct smf_t83_event event;
    struct smf_signature signature = example_signature();
    const char *why;

    REQUIRE_OK(klm_pool_new(0, &pool));
    for (size_t at = 0; at < made.n; at += view.length) {
        REQUIRE_OK(smf_t83_parse(record_at(&made, at), &view, &why));
    }
    REQUIRE_OK(smf_t83_decode(&view, pool, &event));
    CHECK(event.checkpoint && event.seq == 0 && event.checkpoint_records == VECTORS - 1);
    CHECK(view.qualifier == 1 && view.event_code == 7 && view.link == 0);
    CHECK_STR(event.signature.algorithm, signature.algorithm);
    CHECK_INT(event.signature.n, signature.n);
    CHECK_MEM(event.signature.bytes, signature.bytes, signature.n);
    CHECK_MEM(event.signature.fingerprint, signature.fingerprint, SMF_FINGERPRINT_SIZE);
    klm_pool_free(&pool);
    klm_buf_done(&made);
}

TEST(parts_of_an_event_share_link_and_number_and_hold_all_of_its_text)
{
    struct smf_t83_chain chain = {0};
    struct klm_buf made = encoded_vectors(hasher(), &chain);
    char text[1000] = "";
    struct klm_pool *pool = NULL;
    struct smf_t83_view view = {0};
    struct smf_t83_event event;
    struct long_texts texts;
    unsigned parts = 0;
    const char *why;

    (void)long_record(&texts);
    REQUIRE_OK(klm_pool_new(0, &pool));
    for (size_t at = 0; at < made.n; at += view.length) {
        REQUIRE_OK(smf_t83_parse(record_at(&made, at), &view, &why));
        REQUIRE_OK(smf_t83_decode(&view, pool, &event));
        if (event.seq == 0x100000003) {
            CHECK(event.part == ++parts && event.parts == 5 && view.link == 3);
            CHECK(view.length <= 700 && event.event.kind == SMF_CONFIG);
            CHECK_STR(event.event.field[SMF_F_VERB], "config-set");
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s",
                     event.text ? event.text : "");
        }
    }
    CHECK_INT(parts, 5);
    CHECK(strncmp(text, texts.lines, strlen(texts.lines)) == 0);
    CHECK_STR(text + strlen(texts.lines), "\n");
    klm_pool_free(&pool);
    klm_buf_done(&made);
}

/* All fields at their longest, of characters whose escapes are longest for their bytes. */
TEST(the_longest_event_fits_the_least_record_length)
{
    static const uint16_t most[SMF_FIELDS] = {
#define SMF_FIELD(name, number, max, what) [name] = (max),
#include "smf/fields.def"
#undef SMF_FIELD
    };
    static char texts[SMF_FIELDS][1402];
    struct smf_record record = {.seq = 1, .server_id = "", .event = {.kind = SMF_AUDIT}};
    struct smf_t83_origin origin = plain_origin;
    struct smf_t83_chain chain = {0};
    struct klm_buf out, text;

    for (size_t i = 0; i < SMF_FIELDS; i++) {
        for (size_t k = 0; k + 1 < most[i]; k += 2) {
            memcpy(texts[i] + k, "\305\201", 2);
        }
        record.event.field[i] = texts[i];
    }
    record.event.kind = SMF_RUNTIME;
    klm_buf_init(&out, 1 << 20);
    klm_buf_init(&text, 1 << 20);
    REQUIRE_OK(smf_text_format(&record, NULL, &text));
    origin.max = SMF_T83_LEAST;
    CHECK_RC(smf_t83_encode(&origin, &record, klm_buf_as_slice(&text), hasher(), &chain, &out),
             KLM_OK);
    CHECK(chain.records > 4 && chain.records < 12);
    klm_buf_done(&out);
    klm_buf_done(&text);
}

TEST(a_second_label_alone_stays_the_second)
{
    struct smf_record record = {
        .seq = 1, .server_id = "S", .event = {.field = {[SMF_F_ALIAS2] = "TWO"}}};
    struct klm_pool *pool = NULL;
    struct smf_t83_event event;
    struct klm_buf out;

    REQUIRE_OK(klm_pool_new(0, &pool));
    klm_buf_init(&out, 65536);
    event = through(&plain_origin, &record, nothing(), pool, &out);
    CHECK(event.event.field[SMF_F_ALIAS1] == NULL);
    CHECK_STR(event.event.field[SMF_F_ALIAS2], "TWO");
    klm_buf_done(&out);
    klm_pool_free(&pool);
}

TEST(every_field_and_kind_comes_back)
{
    static char texts[SMF_FIELDS][24];
    struct smf_record record = {.seq = 9, .server_id = "\303\211"};
    struct klm_pool *pool = NULL;
    struct klm_buf out;

    REQUIRE_OK(klm_pool_new(0, &pool));
    klm_buf_init(&out, 65536);
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        snprintf(texts[i], sizeof texts[i], "value %zu", i);
        record.event.field[i] = texts[i];
    }
    record.event.field[SMF_F_OFFSET] = "+13:45";
    for (unsigned kind = 0; kind < SMF_KINDS; kind++) {
        struct smf_t83_event event;

        record.event.kind = (enum smf_kind)kind;
        record.event.outcome = kind & 1 ? SMF_FAILURE : SMF_SUCCESS;
        record.event.time = 1000000007 * (klm_time)kind;
        klm_buf_clear(&out);
        event = through(&east, &record, nothing(), pool, &out);
        CHECK(event.event.kind == record.event.kind && event.event.time == record.event.time);
        CHECK(event.event.outcome == record.event.outcome && event.utc_offset_min == 825);
        CHECK_STR(event.server_id, "\303\211");
        for (size_t i = 0; i < SMF_FIELDS; i++) {
            CHECK_STR(event.event.field[i], record.event.field[i]);
        }
    }
    klm_buf_done(&out);
    klm_pool_free(&pool);
}

static unsigned descriptor_of(struct smf_record record)
{
    struct smf_t83_chain chain = {0};
    struct smf_t83_view view;
    struct klm_buf out;
    const char *why;
    unsigned descriptor;

    klm_buf_init(&out, 65536);
    record.seq = 1;
    REQUIRE_OK(smf_t83_encode(&plain_origin, &record, nothing(), hasher(), &chain, &out));
    REQUIRE_OK(smf_t83_parse(record_at(&out, 0), &view, &why));
    descriptor = (unsigned)SMF_GET(view.security.p, SMF83DES);
    klm_buf_done(&out);
    return descriptor;
}

TEST(only_a_refused_right_is_a_violation)
{
    struct smf_record record = {
        .event = {.kind = SMF_RUNTIME, .outcome = SMF_FAILURE, .field = {[SMF_F_USER] = "U"}}};

    CHECK_INT(descriptor_of(record), 0);
    record.event.field[SMF_F_MESSAGE_ID] = klm_msg(KLM_MSG_NOT_AUTHORISED)->id;
    CHECK_INT(descriptor_of(record), SMF83DES_VIOLATION);
    record.event.outcome = SMF_SUCCESS;
    CHECK_INT(descriptor_of(record), 0);
    record.event.kind = SMF_AUTHORIZATION;
    record.event.field[SMF_F_MESSAGE_ID] = NULL;
    CHECK_INT(descriptor_of(record), 0);
    record.event.outcome = SMF_FAILURE;
    CHECK_INT(descriptor_of(record), SMF83DES_VIOLATION);
    record.event.field[SMF_F_USER] = NULL;
    CHECK_INT(descriptor_of(record), SMF83DES_VIOLATION | SMF83DES_UNDEFINED);
}

static void refused(const struct smf_t83_origin *origin, const struct smf_record *record,
                    size_t limit, klm_rc rc)
{
    struct smf_t83_chain chain = {.records = 3, .seq = 2}, before = chain;
    struct klm_buf out;

    klm_buf_init(&out, limit);
    klm_buf_u8(&out, 0xAA);
    CHECK_RC(smf_t83_encode(origin, record, klm_slice_str("line\n"), hasher(), &chain, &out), rc);
    CHECK_MEM(&chain, &before, sizeof chain);
    CHECK(out.n == 1 && out.p[0] == 0xAA);
    klm_buf_done(&out);
}

TEST(a_checkpoint_of_the_journal_is_information)
{
    struct smf_record record = {.seq = 1, .event = {.kind = SMF_AUDIT}};
    struct smf_t83_chain chain = {0};
    struct klm_pool *pool = NULL;
    struct smf_t83_view view;
    struct smf_t83_event event;
    struct klm_buf out;
    const char *why;

    REQUIRE_OK(klm_pool_new(0, &pool));
    klm_buf_init(&out, 65536);
    record.event.field[SMF_F_SIGNATURE] = "AAAA";
    REQUIRE_OK(smf_t83_encode(&east, &record, nothing(), hasher(), &chain, &out));
    REQUIRE_OK(smf_t83_parse(record_at(&out, 0), &view, &why));
    REQUIRE_OK(smf_t83_decode(&view, pool, &event));
    CHECK(view.qualifier == 1 && view.event_code == 7 && view.link == 1);
    CHECK(!event.checkpoint && event.seq == 1 && event.event.outcome == SMF_SUCCESS);
    CHECK_STR(event.event.field[SMF_F_SIGNATURE], "AAAA");
    klm_buf_done(&out);
    klm_pool_free(&pool);
}

TEST(what_cannot_be_encoded_leaves_chain_and_buffer_as_they_were)
{
    struct smf_record record = success_record;
    struct smf_t83_origin origin = east;
    struct smf_signature signature = example_signature();
    struct smf_t83_chain chain = {0};
    struct klm_buf out;

    origin.max = 330;
    refused(&origin, &record, 65536, KLM_E_LIMIT);
    origin.max = 65536;
    refused(&origin, &record, 65536, KLM_E_INVALID);
    refused(&east, &record, 300, KLM_E_LIMIT);
    record.seq = 0;
    refused(&east, &record, 65536, KLM_E_INVALID);
    record.seq = 1;
    record.event.kind = SMF_KINDS;
    refused(&east, &record, 65536, KLM_E_INVALID);
    klm_buf_init(&out, 65536);
    signature.n = SMF_SIGNATURE_MAX + 1;
    CHECK_RC(smf_t83_checkpoint(&east, "S", 1, &signature, hasher(), &chain, &out), KLM_E_INVALID);
    signature.n = SMF_SIGNATURE_MAX;
    memset(signature.algorithm, 'A', sizeof signature.algorithm);
    CHECK_RC(smf_t83_checkpoint(&east, "S", 1, &signature, hasher(), &chain, &out), KLM_E_INVALID);
    CHECK(out.n == 0 && chain.records == 0);
    klm_buf_done(&out);
}

TEST(numbers_and_names_of_the_tables_are_answered)
{
    CHECK_STR(smf_t83_row(SMF_R_VOLSER)->name, "VOLSER");
    CHECK(smf_t83_row(SMF_R_SEQUENCE)->form == SMF_T83_NUMBER);
    CHECK(smf_t83_row(SMF_R_SIGNATURE)->form == SMF_T83_BYTES);
    CHECK(smf_t83_row(99) == NULL && smf_t83_row(140) == NULL && SMF_R_FIRST == 100);
    CHECK_STR(smf_t83_event_name(4), "key management");
    CHECK_STR(smf_t83_qualifier_name(3), "failure");
    CHECK(smf_t83_event_name(0) == NULL && smf_t83_qualifier_name(4) == NULL);
}

/* The rows of a section leave no gap and do not overlap. */
static void check_section(const unsigned (*rows)[2], size_t n)
{
    unsigned at = 0;

    for (size_t i = 0; i < n; i++) {
        CHECK_INT(rows[i][0], at);
        at += rows[i][1];
    }
}

TEST(fields_of_each_section_follow_each_other)
{
    static const unsigned header[][2] = {
#define SMF_T83_HEADER(name, offset, length, form, what, source) {offset, length},
#include "smf/records.def"
    };
    static const unsigned product[][2] = {
#define SMF_T83_PRODUCT(name, offset, length, form, what, source) {offset, length},
#include "smf/records.def"
    };
    static const unsigned security[][2] = {
#define SMF_T83_SECURITY(name, offset, length, form, what, source) {offset, length},
#include "smf/records.def"
    };

    check_section(header, KLM_COUNT(header));
    check_section(product, KLM_COUNT(product));
    check_section(security, KLM_COUNT(security));
}

/* ---- Texts that are translated once for several records */

#define EVENTS 300

/* Some of each kind: short, as long as is kept and longer, of two bytes a character, escaped, not clean, empty. */
static const char *const texts[] = {
    "client",
    "clienT",
    "127.0.0.1:40022",
    "127.0.0.1:40023",
    "",
    NULL,
    "seventy-two bytes, which is as long as a text may be to be kept for later",
    "seventy-one bytes, which is as long as a text may be to be kept for lat",
    "35053a35b35bf6c60ac8f6be5e5ad8d529a7a27c5f6ac91387be74b9510558e6",
    "GR\303\234N",
    "GR\303\234N\342\202\254",
    "back\\slash \\u{41}",
    "tab\there",
    "\377\376 no UTF-8",
};

static uint32_t draw(uint32_t n)
{
    static uint32_t state = 12345;

    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

/* One event, encoded by a thread of its own, which has encoded nothing before. */
struct fresh {
    const struct smf_record *record;
    struct klm_slice text;
    struct smf_t83_chain chain;
    struct klm_buf out;
    klm_rc rc;
};
static const struct smf_t83_origin test_origin = {
    .system = "SYS1", .subsystem = "", .job = "ISKLM"};

static void *encode_fresh(void *arg)
{
    struct fresh *fresh = arg;
    struct smf_hash *own = NULL;

    fresh->rc = smf_hash_new(&own);
    if (fresh->rc == KLM_OK) {
        fresh->rc = smf_t83_encode(&test_origin, fresh->record, fresh->text, own, &fresh->chain,
                                   &fresh->out);
    }
    smf_hash_free(&own);
    return NULL;
}

static void draw_event(uint64_t seq, struct smf_record *out)
{
    *out = (struct smf_record){.seq = seq, .server_id = draw(20) ? "KLM1" : "KLM2"};
    out->event.kind = (enum smf_kind)draw(SMF_KINDS);
    out->event.outcome = draw(5) ? SMF_SUCCESS : SMF_FAILURE;
    out->event.time = INT64_C(1795969099000000) + (klm_time)seq * 377777;
    for (size_t i = 0; i < SMF_FIELDS; i++) {
        out->event.field[i] = draw(3) ? texts[draw(KLM_COUNT(texts))] : NULL;
    }
    out->event.field[SMF_F_OFFSET] = draw(2) ? "+01:00" : NULL;
}

TEST(a_record_is_the_same_whatever_its_thread_encoded_before)
{
    static const char *const lines[] = {"one:[\n  a=b\n  ]\n", "one:[\n  a=c\n  ]\n", ""};
    struct smf_t83_chain chain = {0};
    struct smf_record record;
    struct klm_buf out;

    klm_buf_init(&out, 1 << 20);
    for (uint64_t seq = 1; seq <= EVENTS; seq++) {
        struct fresh fresh = {.record = &record, .chain = chain};
        pthread_t thread;

        draw_event(seq, &record);
        fresh.text = klm_slice_str(lines[draw(KLM_COUNT(lines))]);
        klm_buf_init(&fresh.out, 1 << 20);
        klm_buf_clear(&out);
        REQUIRE(pthread_create(&thread, NULL, encode_fresh, &fresh) == 0);
        pthread_join(thread, NULL);
        REQUIRE_OK(fresh.rc);
        REQUIRE_OK(smf_t83_encode(&test_origin, &record, fresh.text, hasher(), &chain, &out));
        REQUIRE(out.n == fresh.out.n);
        CHECK_MEM(out.p, fresh.out.p, out.n);
        CHECK_MEM(chain.value, fresh.chain.value, SMF_HASH_SIZE);
        klm_buf_done(&fresh.out);
    }
    klm_buf_done(&out);
}
