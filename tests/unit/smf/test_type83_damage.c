/* Records that are damaged, cut short, too long, foreign, incomplete: each is refused with its reason, or is not ours. */
#include "records_test.h"

static struct klm_buf success(void)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smf_t83_chain chain = {0};
    struct klm_buf out;

    klm_buf_init(&out, 65536);
    REQUIRE_OK(smf_hash_new(&hash));
    REQUIRE_OK(
        smf_t83_encode(&east, &success_record, klm_slice_str(SUCCESS_TEXT), hash, &chain, &out));
    return out;
}

static void check_reason(const struct klm_buf *record, const char *reason)
{
    struct smf_t83_view view = {.link = 12345};
    const char *why = "";

    CHECK_RC(smf_t83_parse(klm_buf_as_slice(record), &view, &why), KLM_E_CORRUPT);
    CHECK_STR(why, reason);
    CHECK(view.link == 12345);
}

static void parses(const struct klm_buf *record, bool ours)
{
    struct smf_t83_view view = {0};
    const char *why = "";

    CHECK_RC(smf_t83_parse(klm_buf_as_slice(record), &view, &why), KLM_OK);
    CHECK(view.ours == ours && (ours || (!view.product.p && !view.relocates.n)));
}

/* The record with a field of its header set, parsed. */
static void set_header(unsigned offset, unsigned n, uint64_t v, const char *reason)
{
    struct klm_buf record = success();

    smf_put_number(record.p + offset, n, v);
    if (reason) {
        check_reason(&record, reason);
    } else {
        parses(&record, true);
    }
    klm_buf_done(&record);
}

TEST(offsets_lengths_and_counts_beyond_the_record_are_refused)
{
    static const char product[] = "the product section is not in the record";
    static const char security[] = "the security section is not in the record";
    static const char relocates[] = "the relocate sections are not in the record";
    static const char one[] = "a relocate section is not in the record";

    set_header(SMF83TRP, 2, 2, "there are too few triplets");
    set_header(SMF83OPD, 4, 0xFFFFFFFF, product);
    set_header(SMF83OPD, 4, 51, product);
    set_header(SMF83LPD, 2, 11, product);
    set_header(SMF83LPD, 2, 0xFFFF, product);
    set_header(SMF83NPD, 2, 2, product);
    set_header(SMF83OD1, 4, 442 - 95, security);
    set_header(SMF83LD1, 2, 47, security);
    set_header(SMF83ND1, 2, 0, security);
    set_header(SMF83OD2, 4, 443, relocates);
    set_header(SMF83LD2, 2, 442 - 160 + 1, relocates);
    set_header(SMF83LD2, 2, 442 - 160 - 1, one);
    set_header(SMF83ND2, 2, 18, one);
    set_header(SMF83ND2, 2, 16, one);
    set_header(SMF83LD1, 2, 48, NULL); /* shorter than ours, long enough */
    set_header(160 + SMF83DL2, 2, 0xFFFF, one);
}

TEST(a_record_cut_short_or_a_byte_too_long_is_refused)
{
    struct klm_buf record = success();
    struct smf_t83_view view;
    const char *why;

    for (size_t n = 0; n < record.n; n++) {
        CHECK_RC(smf_t83_parse(KLM_SLICE(record.p, n), &view, &why), KLM_E_CORRUPT);
        /* With a length that says so, too. */
        if (n >= 4) {
            smf_put_number(record.p, 2, n);
            CHECK_RC(smf_t83_parse(KLM_SLICE(record.p, n), &view, &why), KLM_E_CORRUPT);
            smf_put_number(record.p, 2, record.n);
        }
    }
    klm_buf_u8(&record, 0);
    check_reason(&record, "the header is not in the record");
    SMF_SET(record.p, SMF83LEN, record.n);
    check_reason(&record, "something follows the relocate sections");
    klm_buf_done(&record);
}

TEST(a_segment_is_no_record)
{
    struct klm_buf record = success();

    record.p[2] = 1;
    check_reason(&record, "the header is not in the record");
    klm_buf_done(&record);
}

TEST(records_of_other_types_subtypes_and_products_are_not_ours)
{
    struct klm_buf record = success();

    record.p[SMF83RTY] = 80;
    parses(&record, false);
    record.p[SMF83RTY] = 83;
    record.p[SMF83TYP + 1] = 4;
    parses(&record, false);
    record.p[SMF83TYP + 1] = 6;
    record.p[SMF83FLG] = 0x1E; /* no subtypes */
    parses(&record, false);
    record.p[SMF83FLG] = 0x5E;
    parses(&record, true);
    record.p[SMF83_HEADER + SMF83PNM] = 0xE3;
    parses(&record, false);
    klm_buf_done(&record);
}

TEST(a_header_of_any_type_is_read_to_its_end)
{
    uint8_t bytes[24] = {0, 18,   0,    0,    0x1E, 2,    0,    0,    0,
                         9, 0x01, 0x26, 0x32, 0x6F, 0xE2, 0xE8, 0xE2, 0xF1};
    struct smf_t83_view view = {0};

    CHECK_RC(smf_record_head(KLM_SLICE(bytes, 18), &view), KLM_OK);
    CHECK(view.type == 2 && view.time == 9 && view.year == 2026 && view.day == 326);
    CHECK(view.system.n == 4 && view.subsystem.n == 0 && view.subtype == 0 && !view.ours);
    bytes[1] = 17;
    CHECK_RC(smf_record_head(KLM_SLICE(bytes, 17), &view), KLM_E_CORRUPT);
    bytes[1] = 23;
    bytes[4] = 0x5E;
    CHECK_RC(smf_record_head(KLM_SLICE(bytes, 23), &view), KLM_E_CORRUPT);
    bytes[1] = 24;
    bytes[23] = 7;
    bytes[13] = 0x6C; /* no date, still a record */
    CHECK_RC(smf_record_head(KLM_SLICE(bytes, 24), &view), KLM_OK);
    CHECK(view.subtype == 7 && view.year == 0 && view.day == 0);
}

TEST(relocates_are_walked_to_their_end_and_no_further)
{
    struct klm_buf record = success();
    struct smf_t83_view view = {0};
    struct klm_slice data;
    unsigned number, last = 0, n = 0;
    const char *why;
    size_t at = 0;

    REQUIRE_OK(smf_t83_parse(klm_buf_as_slice(&record), &view, &why));
    while (smf_t83_relocate(&view, &at, &number, &data) == KLM_OK) {
        n++;
        last = number;
    }
    CHECK(n == view.relocates_n && last == SMF_R_TEXT && at == view.relocates.n);
    CHECK_RC(smf_t83_relocate(&view, &at, &number, &data), KLM_E_NOTFOUND);
    at = view.relocates.n - 2;
    CHECK_RC(smf_t83_relocate(&view, &at, &number, &data), KLM_E_CORRUPT);
    klm_buf_done(&record);
}

/* A record with its relocate sections replaced. */
struct relocate {
    unsigned number;
    const char *data;
    size_t n;
};

static klm_rc decode(const struct relocate *relocates, size_t count, struct smf_t83_event *out)
{
    struct klm_buf record = success();
    struct smf_t83_view view = {0};
    struct klm_pool *pool = NULL;
    const char *why;
    klm_rc rc;

    record.n = SMF83_SECTIONS;
    for (size_t i = 0; i < count; i++) {
        klm_buf_u16(&record, (uint16_t)relocates[i].number);
        klm_buf_lp16(&record, KLM_SLICE(relocates[i].data, relocates[i].n));
    }
    SMF_SET(record.p, SMF83LEN, record.n);
    SMF_SET(record.p, SMF83LD2, record.n - SMF83_SECTIONS);
    SMF_SET(record.p, SMF83ND2, count);
    REQUIRE_OK(smf_t83_parse(klm_buf_as_slice(&record), &view, &why));
    REQUIRE_OK(klm_pool_new(0, &pool));
    rc = smf_t83_decode(&view, pool, out);
    klm_pool_free(&pool);
    klm_buf_done(&record);
    return rc;
}

static const char hash_bytes[33];
static const char time_text[] = "\xF2\xF0\xF2\xF6\x60\xF1\xF1\x60\xF2\xF2\xE3\xF0\xF1\x7A\xF0\xF2"
                                "\x7A\xF0\xF3\x4B\xF0\xF0\xF0\xF0"
                                "\xF0\xF4\xE9\x4E\xF0\xF1\x7A\xF0\xF0";

static const char kind_text[] = "\x99\xA4\x95\xA3\x89\x94\x85";

/* What an event has at least, and what may come behind it. */
#define LEAST                                                                                      \
    {SMF_R_SERVER, "\xE2", 1}, {SMF_R_TIME, time_text, 33},                                        \
        {SMF_R_SEQUENCE, "\0\0\0\0\0\0\0\1", 8}, {SMF_R_PART, "\0\1\0\1", 4},                      \
        {SMF_R_PREVIOUS, hash_bytes, 32}, {SMF_R_JOURNAL, hash_bytes, 32},                         \
    {                                                                                              \
        SMF_R_KIND, kind_text, 7                                                                   \
    }
#define LEAST_N 7

TEST(each_relocate_that_every_record_has_is_asked_for)
{
    static const struct relocate least[] = {LEAST};
    struct relocate some[LEAST_N];
    struct smf_t83_event event;

    CHECK_RC(decode(least, LEAST_N, &event), KLM_OK);
    for (size_t without = 0; without < LEAST_N; without++) {
        size_t n = 0;

        for (size_t i = 0; i < LEAST_N; i++) {
            if (i != without) {
                some[n++] = least[i];
            }
        }
        CHECK_RC(decode(some, n, &event), KLM_E_CORRUPT);
    }
}

TEST(relocates_of_a_wrong_form_are_refused)
{
    static const struct relocate least[] = {LEAST};
    static const struct relocate wrong[] = {
        {SMF_R_SEQUENCE, "\0\0\0\0\0\0\1", 7},
        {SMF_R_SEQUENCE, "\0\0\0\0\0\0\0\0", 8},
        {SMF_R_PART, "\0\2\0\1", 4},
        {SMF_R_PART, "\0\0\0\1", 4},
        {SMF_R_PART, "\0\1\0", 3},
        {SMF_R_PREVIOUS, hash_bytes, 33},
        {SMF_R_JOURNAL, hash_bytes, 31},
        {SMF_R_KIND, "\x99\xA4\x95\xA3\x89\x94", 6},
        {SMF_R_TIME, time_text, 32},
        {SMF_R_TIME, time_text, 27},
        {SMF_R_TIME, "\xE9", 1},
        {SMF_R_SERVER, "\0", 1},
    };
    struct smf_t83_event event;

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        struct relocate all[LEAST_N];

        for (size_t k = 0; k < LEAST_N; k++) {
            all[k] = least[k].number == wrong[i].number ? wrong[i] : least[k];
        }
        CHECK_RC(decode(all, LEAST_N, &event), KLM_E_CORRUPT);
    }
}

static klm_rc with(struct relocate one, struct relocate two, struct relocate three)
{
    const struct relocate all[] = {LEAST, one, two, three};
    struct smf_t83_event event;

    return decode(all, KLM_COUNT(all), &event);
}

TEST(what_stands_twice_is_refused_and_unknown_numbers_are_passed_over)
{
    struct relocate unknown = {99, "\0\1\2", 3}, later = {60000, "", 0};
    struct relocate label = {SMF_R_LABEL, "\xC1", 1}, user = {SMF_R_USER, "\xC1", 1};
    struct relocate line = {SMF_R_TEXT, "\xC1", 1}, bad_line = {SMF_R_TEXT, "\x25", 1};

    CHECK_RC(with(unknown, later, unknown), KLM_OK);
    CHECK_RC(with(label, label, later), KLM_OK);
    CHECK_RC(with(label, label, label), KLM_E_CORRUPT);
    CHECK_RC(with(user, later, later), KLM_OK);
    CHECK_RC(with(user, later, user), KLM_E_CORRUPT);
    CHECK_RC(with(line, line, line), KLM_OK);
    CHECK_RC(with(line, bad_line, line), KLM_E_CORRUPT);
}

TEST(a_checkpoint_has_all_of_its_signature_and_no_sequence_number)
{
    static char bytes[SMF_SIGNATURE_MAX + 1];
    static char name[SMF_ALGORITHM_MAX];
    struct relocate check[] = {{SMF_R_SERVER, "\xE2", 1},
                               {SMF_R_TIME, time_text, 33},
                               {SMF_R_PART, "\0\1\0\1", 4},
                               {SMF_R_PREVIOUS, hash_bytes, 32},
                               {SMF_R_KIND, kind_text, 7},
                               {SMF_R_UNDER, "\0\0\0\0\0\0\0\5", 8},
                               {SMF_R_ALGORITHM, "\xC1", 1},
                               {SMF_R_FINGERPRINT, hash_bytes, 32},
                               {SMF_R_SIGNATURE, bytes, SMF_SIGNATURE_MAX},
                               {SMF_R_SEQUENCE, "\0\0\0\0\0\0\0\1", 8}};
    struct smf_t83_event event;

    CHECK_RC(decode(check, 9, &event), KLM_OK);
    CHECK(event.checkpoint && event.checkpoint_records == 5 &&
          event.signature.n == SMF_SIGNATURE_MAX);
    CHECK_RC(decode(check, 8, &event), KLM_E_CORRUPT);
    CHECK_RC(decode(check, 10, &event), KLM_E_CORRUPT);
    check[8].n++;
    CHECK_RC(decode(check, 9, &event), KLM_E_CORRUPT);
    check[8].n = 0;
    CHECK_RC(decode(check, 9, &event), KLM_OK);
    memset(name, 0xC1, sizeof name);
    check[6] = (struct relocate){SMF_R_ALGORITHM, name, sizeof name - 1};
    CHECK_RC(decode(check, 9, &event), KLM_OK);
    check[6].n++;
    CHECK_RC(decode(check, 9, &event), KLM_E_CORRUPT);
}

TEST(bytes_that_flip_never_do_harm)
{
    struct klm_buf record = success();
    struct klm_pool *pool = NULL;
    unsigned ours = 0;

    REQUIRE_OK(klm_pool_new(1 << 26, &pool));
    for (size_t bit = 0; bit < 8 * record.n; bit++) {
        struct smf_t83_view view;
        struct smf_t83_event event;
        const char *why;

        record.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (smf_t83_parse(klm_buf_as_slice(&record), &view, &why) == KLM_OK && view.ours) {
            ours++;
            KLM_IGNORE(smf_t83_decode(&view, pool, &event)); /* either way is right */
        }
        record.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK(ours > record.n);
    klm_pool_free(&pool);
    klm_buf_done(&record);
}
