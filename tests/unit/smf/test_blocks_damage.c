/* Damaged data sets: each damaged place is named by number and offset, everything else is read, nothing takes longer than it may. */
#include "records_test.h"

#include "base/clock.h"

#define MANY 200 /* records in a data set */

/* Records that all differ, of 150 to 400 bytes. */
static struct klm_buf many(void)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smf_t83_chain chain = {0};
    char text[200];
    struct klm_buf out;

    REQUIRE_OK(smf_hash_new(&hash));
    klm_buf_init(&out, 1 << 22);
    for (unsigned i = 1; i <= MANY; i++) {
        struct smf_record record = success_record;

        record.seq = i;
        snprintf(text, sizeof text, "%0*u\n", (int)(1 + i * 37 % 150), i);
        REQUIRE_OK(smf_t83_encode(&east, &record, klm_slice_str(text), hash, &chain, &out));
    }
    return out;
}

static struct klm_buf in_form(enum smf_format format, size_t block)
{
    struct klm_buf records = many(), out;

    klm_buf_init(&out, 1 << 22);
    REQUIRE_OK(smf_blocks_put(format, block, klm_buf_as_slice(&records), &out));
    klm_buf_done(&records);
    return out;
}

struct tally {
    unsigned records, damaged;
    unsigned broken;                 /* records that do not parse */
    uint64_t first_at, first_number; /* of the first damaged place */
    uint64_t sum;                    /* of sequence numbers of whole records of ours */
};

static struct tally read_all(struct klm_slice bytes)
{
    struct smf_dataset_reader *reader = NULL;
    struct smf_read read = {0};
    struct tally tally = {0};
    uint64_t offset = 0, reads = 0;

    REQUIRE_OK(smf_dataset_open_bytes(bytes, &reader));
    while (smf_dataset_next(reader, &read) == KLM_OK && read.kind != SMF_READ_END) {
        REQUIRE(++reads == read.number && reads <= bytes.n);
        REQUIRE(read.length > 0 && read.offset + read.length <= bytes.n);
        REQUIRE(read.offset >= offset || read.kind == SMF_READ_DAMAGED);
        if (read.kind == SMF_READ_RECORD) {
            struct smf_t83_view view = {0};
            const char *why;

            REQUIRE(read.record.n >= 18);
            offset = read.offset + read.length;
            tally.records++;
            if (smf_t83_parse(read.record, &view, &why) != KLM_OK) {
                tally.broken++;
            } else if (view.ours) {
                tally.sum += view.link;
            }
        } else if (tally.damaged++ == 0) {
            REQUIRE(read.why != NULL);
            tally.first_at = read.offset;
            tally.first_number = read.number;
        }
    }
    REQUIRE(read.kind == SMF_READ_END);
    smf_dataset_close(&reader);
    return tally;
}

static const uint64_t all = (uint64_t)MANY * (MANY + 1) / 2;

/* Offset in an RDW data set of record number n. */
static size_t place(const struct klm_buf *file, unsigned n)
{
    size_t at = 0;

    while (--n) {
        at += (size_t)file->p[at] << 8 | file->p[at + 1];
    }
    return at;
}

TEST(a_damaged_length_costs_its_record_alone)
{
    static const uint8_t wrong[][2] = {{0, 0},    {0, 3},       {0, 40},     {1, 0x23},
                                       {2, 0x67}, {0x7F, 0xFF}, {0xFF, 0xFF}};
    struct klm_buf file = in_form(SMF_RDW, 0);
    size_t at = place(&file, 77);

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        uint8_t kept[2] = {file.p[at], file.p[at + 1]};
        struct tally tally;

        memcpy(file.p + at, wrong[i], 2);
        tally = read_all(klm_buf_as_slice(&file));
        CHECK(tally.records == MANY - 1 && tally.damaged == 1 && tally.sum == all - 77);
        CHECK(tally.first_at == at && tally.first_number == 77);
        memcpy(file.p + at, kept, 2);
    }
    klm_buf_done(&file);
}

TEST(segment_bytes_that_cannot_be_cost_their_record_alone)
{
    struct klm_buf file = in_form(SMF_RDW, 0);
    size_t at = place(&file, 5);
    struct tally tally;

    for (unsigned code = 1; code < 256; code++) {
        file.p[at + 2] = (uint8_t)code;
        tally = read_all(klm_buf_as_slice(&file));
        CHECK(tally.sum == all - 5 && tally.damaged == 1 && tally.first_at == at);
    }
    file.p[at + 2] = 0;
    file.p[at + 3] = 1;
    tally = read_all(klm_buf_as_slice(&file));
    CHECK(tally.sum == all - 5 && tally.damaged == 1 && tally.first_at == at);
    klm_buf_done(&file);
}

TEST(bytes_between_records_are_one_damaged_place)
{
    struct klm_buf file = in_form(SMF_RDW, 0), out;
    size_t at = place(&file, 100);
    static const uint8_t zeros[10000];
    struct tally tally;

    klm_buf_init(&out, 1 << 22);
    klm_buf_put(&out, file.p, at);
    klm_buf_put(&out, zeros, sizeof zeros);
    klm_buf_put(&out, file.p + at, file.n - at);
    tally = read_all(klm_buf_as_slice(&out));
    CHECK(tally.records == MANY && tally.damaged == 1 && tally.sum == all);
    CHECK(tally.first_at == at && tally.first_number == 100);
    klm_buf_done(&out);
    klm_buf_done(&file);
}

TEST(a_data_set_may_end_anywhere)
{
    struct klm_buf file = in_form(SMF_RDW, 0);
    size_t whole = 0;
    unsigned records = 0;

    for (size_t n = 0; n < place(&file, 12); n++) {
        struct tally tally = read_all(KLM_SLICE(file.p, n));

        if (n == whole + ((size_t)file.p[whole] << 8 | file.p[whole + 1])) {
            whole = n;
            records++;
        }
        CHECK(tally.records == records && tally.damaged == (n != whole));
        CHECK(n == whole || (tally.first_at == whole && tally.first_number == records + 1));
    }
    klm_buf_done(&file);
}

TEST(blocks_may_end_anywhere)
{
    struct klm_buf vb = in_form(SMF_VB, 2000), vbs = in_form(SMF_VBS, 1000);
    unsigned last[2] = {0};

    for (size_t n = 0; n < 9000; n += 7) {
        struct tally a = read_all(KLM_SLICE(vb.p, n)), b = read_all(KLM_SLICE(vbs.p, n));

        /* Whatever is cut off, records before it are there; the end is at most two damaged places: a record begun, a block begun. */
        CHECK(a.records >= last[0] && a.damaged <= 2 &&
              a.sum == (uint64_t)a.records * (a.records + 1) / 2);
        CHECK(b.records >= last[1] && b.damaged <= 2 &&
              b.sum == (uint64_t)b.records * (b.records + 1) / 2);
        last[0] = a.records;
        last[1] = b.records;
    }
    CHECK(last[0] > 10 && last[1] > 10);
    klm_buf_done(&vb);
    klm_buf_done(&vbs);
}

TEST(a_damaged_block_descriptor_costs_no_record_of_vb)
{
    static const uint8_t wrong[][4] = {{0, 0, 0, 0}, {0xFF, 0xFF, 0xFF, 0xFF}, {3, 1, 0, 0},
                                       {0, 9, 0, 0}, {7, 0xFF, 0, 0},          {0, 0, 0, 1}};
    struct klm_buf file = in_form(SMF_VB, 2000);
    size_t block = 0;

    for (unsigned i = 0; i < 6; i++) {
        block += (size_t)file.p[block] << 8 | file.p[block + 1];
    }
    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        uint8_t kept[4];
        struct tally tally;

        memcpy(kept, file.p + block, 4);
        memcpy(file.p + block, wrong[i], 4);
        tally = read_all(klm_buf_as_slice(&file));
        CHECK(tally.sum >= all - MANY && tally.damaged >= 1 && tally.damaged <= 3);
        CHECK(tally.records >= MANY - 1);
        memcpy(file.p + block, kept, 4);
    }
    klm_buf_done(&file);
}

TEST(a_damaged_record_in_a_block_costs_itself_alone)
{
    struct klm_buf file = in_form(SMF_VB, 4000);
    size_t at = 4 + ((size_t)file.p[0] << 8 | file.p[1]);
    struct tally tally;

    at += (size_t)file.p[at] << 8 | file.p[at + 1];
    file.p[at] ^= 0x40;
    tally = read_all(klm_buf_as_slice(&file));
    CHECK(tally.records == MANY - 1 && tally.damaged == 1 && tally.first_at == at);
    klm_buf_done(&file);
}

/* The segments left of two records may fit each other; the record they make does not fit itself. */
TEST(a_lost_block_costs_the_records_it_had_parts_of)
{
    struct klm_buf file = in_form(SMF_VBS, 1000);
    size_t next = 0, n = (size_t)file.p[0] << 8 | file.p[1];
    struct tally tally;

    /* A block that begins with the rest of a record goes with all in it. */
    while (file.p[next + 4 + 2] != 2) {
        next += n;
        n = (size_t)file.p[next] << 8 | file.p[next + 1];
    }
    memmove(file.p + next, file.p + next + n, file.n - next - n);
    file.n -= n;
    tally = read_all(klm_buf_as_slice(&file));
    CHECK(tally.records - tally.broken >= MANY - 5 && tally.damaged + tally.broken >= 1);
    CHECK(tally.sum < all && tally.damaged <= 2);
    klm_buf_done(&file);
}

TEST(a_spanned_record_that_never_ends_has_a_limit)
{
    static const uint8_t head[] = {0x1E, 200,  0,    0,    0,    9,    0x01,
                                   0x26, 0x32, 0x6F, 0xE2, 0xE8, 0xE2, 0xF1};
    struct klm_buf out;
    struct tally tally;

    klm_buf_init(&out, 1 << 20);
    klm_buf_put(&out, "\0\x12\1\0", 4);
    klm_buf_put(&out, head, sizeof head);
    for (unsigned i = 0; i < 500; i++) {
        static const uint8_t data[1000];

        klm_buf_u16(&out, 1004);
        klm_buf_u16(&out, i == 499 ? 0x0200 : 0x0300);
        klm_buf_put(&out, data, sizeof data);
    }
    tally = read_all(klm_buf_as_slice(&out));
    CHECK(tally.records == 0 && tally.damaged > 1);
    klm_buf_done(&out);
}

TEST(records_without_descriptors_go_on_behind_damage)
{
    struct klm_buf file = many(), bare;
    struct tally tally;
    size_t hurt = 0;

    klm_buf_init(&bare, 1 << 22);
    for (size_t at = 0, i = 0; at < file.n; i++) {
        size_t n = (size_t)file.p[at] << 8 | file.p[at + 1];

        hurt = i == 50 ? bare.n : hurt;
        klm_buf_put(&bare, file.p + at + 4, n - 4);
        at += n;
    }
    tally = read_all(klm_buf_as_slice(&bare));
    CHECK(tally.records == MANY && tally.damaged == 0 && tally.sum == all);
    bare.p[hurt + SMF83OD2 - 4] = 0x7F;
    tally = read_all(klm_buf_as_slice(&bare));
    CHECK(tally.sum == all - 51 && tally.damaged == 1 && tally.first_at == hurt);
    klm_buf_done(&bare);
    klm_buf_done(&file);
}

/* A small generator with a fixed seed, so that a failure comes again. */
static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

TEST(random_damage_costs_little_and_never_an_end)
{
    static const size_t block_of[] = {0, 1500, 700};
    uint32_t state = 4711;

    for (int format = SMF_RDW; format <= SMF_VBS; format++) {
        struct klm_buf file = in_form((enum smf_format)format, block_of[format]);

        for (unsigned i = 0; i < 300; i++) {
            size_t at = next_random(&state) % file.n;
            uint8_t kept = file.p[at];
            struct tally tally;

            file.p[at] = (uint8_t)next_random(&state);
            tally = read_all(klm_buf_as_slice(&file));
            CHECK(tally.records + 5 >= MANY && tally.damaged <= 4);
            file.p[at] = kept;
        }
        klm_buf_done(&file);
    }
}

/* What could make a reader look at the same bytes again and again. */
TEST(reading_takes_time_in_proportion_to_the_file)
{
    static const uint8_t patterns[][24] = {
        {0},
        {0, 8, 0, 0, 0, 4, 0, 0},
        {0, 5, 1, 0, 0, 0, 5, 3, 0, 0, 0, 9, 2},
        {0x80, 0, 0xFF, 0,    0,    18,   0,    0,    0x1E, 2,    0, 0,
         0,    9, 0x01, 0x26, 0x32, 0x6F, 0xE2, 0xE8, 0xE2, 0xF1, 0, 0},
        {0,    20,   0,    0,    0x1E, 2,    0,    0, 0, 9,  0x01, 0x26,
         0x32, 0x6F, 0xE2, 0xE8, 0xE2, 0xF1, 0xC0, 0, 0, 30, 0,    0},
        {0xFF, 0xFF, 0, 0, 0x1E, 83, 0, 0, 0, 9, 0x01, 0x26, 0x32, 0x6F, 0xE2, 0xE8, 0xE2, 0xF1},
    };
    static uint8_t bytes[3 << 20];

    for (size_t i = 0; i < KLM_COUNT(patterns); i++) {
        uint64_t begin = klm_clock_mono_ms();

        for (size_t at = 0; at < sizeof bytes; at++) {
            bytes[at] = patterns[i][at % sizeof patterns[0]];
        }
        (void)read_all(KLM_SLICE(bytes, sizeof bytes));
        CHECK(klm_clock_mono_ms() - begin < test_ms(3000));
    }
}
