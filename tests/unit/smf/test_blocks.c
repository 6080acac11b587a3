/* Data sets: written in each form and read by ours and by an independent reader; made by hand and read by ours. */
#include "records_test.h"

#include "base/digest.h"

static struct klm_buf vectors(void)
{
    return file_of(source_path("golden/smf/vectors.smf"));
}

/* Read all; the records, one behind the other, must be those of `expected`, and nothing damaged. */
static void check_reads(struct smf_dataset_reader *reader, struct klm_slice expected)
{
    struct smf_read read = {0};
    size_t at = 0;
    uint64_t number = 0, offset = 0;

    while (smf_dataset_next(reader, &read) == KLM_OK && read.kind == SMF_READ_RECORD) {
        CHECK(read.number == ++number && read.offset >= offset);
        offset = read.offset + read.length;
        REQUIRE(read.record.n <= expected.n - at);
        CHECK_MEM(read.record.p, expected.p + at, read.record.n);
        at += read.record.n;
    }
    if (read.kind == SMF_READ_DAMAGED) {
        printf("# %s\n", read.why);
    }
    CHECK(read.kind == SMF_READ_END && at == expected.n);
    CHECK_RC(smf_dataset_next(reader, &read), KLM_OK);
    CHECK(read.kind == SMF_READ_END);
}

static void check_bytes(struct klm_slice bytes, enum smf_format format, bool bare,
                        struct klm_slice expected)
{
    struct smf_dataset_reader *reader = NULL;

    REQUIRE_OK(smf_dataset_open_bytes(bytes, &reader));
    CHECK_INT(smf_dataset_format(reader), format);
    CHECK(smf_dataset_bare(reader) == bare && smf_dataset_size(reader) == bytes.n);
    check_reads(reader, expected);
    smf_dataset_close(&reader);
    smf_dataset_close(&reader);
}

TEST(data_sets_made_by_hand_are_recognised_and_read)
{
    static const struct {
        const char *name;
        enum smf_format format;
        bool bare;
    } files[] = {{"golden/smf/vectors.smf", SMF_RDW, false},
                 {"golden/smf/vectors.vb", SMF_VB, false},
                 {"golden/smf/vectors.vbs", SMF_VBS, false},
                 {"golden/smf/vectors.ext", SMF_VB, false},
                 {"golden/smf/vectors.bare", SMF_RDW, true}};
    struct klm_buf expected = vectors();

    for (size_t i = 0; i < KLM_COUNT(files); i++) {
        struct klm_buf file = file_of(source_path(files[i].name));

        check_bytes(klm_buf_as_slice(&file), files[i].format, files[i].bare,
                    klm_buf_as_slice(&expected));
        klm_buf_done(&file);
    }
    klm_buf_done(&expected);
}

TEST(a_file_is_read_as_its_bytes_are)
{
    struct klm_buf expected = vectors();
    struct smf_dataset_reader *reader = NULL;
    struct klm_diag diag = {0};

    REQUIRE_OK(smf_dataset_open(source_path("golden/smf/vectors.vbs"), &diag, &reader));
    CHECK(smf_dataset_format(reader) == SMF_VBS && smf_dataset_size(reader) == 4687);
    check_reads(reader, klm_buf_as_slice(&expected));
    smf_dataset_close(&reader);
    klm_buf_done(&expected);
}

TEST(records_of_other_products_between_ours_are_passed_through)
{
    struct klm_buf file = file_of(source_path("golden/smf/foreign.vbs"));
    struct smf_dataset_reader *reader = NULL;
    struct smf_read read;
    unsigned records = 0, ours = 0, type_30 = 0;

    REQUIRE_OK(smf_dataset_open_bytes(klm_buf_as_slice(&file), &reader));
    while (smf_dataset_next(reader, &read) == KLM_OK && read.kind == SMF_READ_RECORD) {
        struct smf_t83_view view = {0};
        const char *why;

        REQUIRE_OK(smf_t83_parse(read.record, &view, &why));
        records++;
        ours += view.ours;
        type_30 += view.type == 30 && view.subtype == 5;
    }
    CHECK(read.kind == SMF_READ_END && records == FOREIGN && ours == VECTORS && type_30 == 1);
    smf_dataset_close(&reader);
    klm_buf_done(&file);
}

TEST(spanned_records_whose_blocks_lost_their_descriptors_are_read)
{
    struct klm_buf file = file_of(source_path("golden/smf/vectors.vbs")), lost;
    struct klm_buf expected = vectors();

    klm_buf_init(&lost, file.n);
    for (size_t at = 0; at < file.n; at += (size_t)file.p[at] << 8 | file.p[at + 1]) {
        klm_buf_put(&lost, file.p + at + 4, ((size_t)file.p[at] << 8 | file.p[at + 1]) - 4);
    }
    check_bytes(klm_buf_as_slice(&lost), SMF_RDW, false, klm_buf_as_slice(&expected));
    klm_buf_done(&lost);
    klm_buf_done(&file);
    klm_buf_done(&expected);
}

TEST(what_is_written_in_any_form_and_block_size_reads_back)
{
    struct klm_buf records = vectors(), many, out;

    klm_buf_init(&many, 1 << 20);
    for (unsigned i = 0; i < 30; i++) {
        klm_buf_put(&many, records.p, records.n);
    }
    klm_buf_init(&out, 1 << 20);
    for (size_t block = 667; block < 3000; block += 37) {
        klm_buf_clear(&out);
        REQUIRE_OK(smf_blocks_put(SMF_VB, block, klm_buf_as_slice(&many), &out));
        check_bytes(klm_buf_as_slice(&out), SMF_VB, false, klm_buf_as_slice(&many));
    }
    for (size_t block = 32; block < 2000; block += block < 80 ? 1 : 41) {
        klm_buf_clear(&out);
        REQUIRE_OK(smf_blocks_put(SMF_VBS, block, klm_buf_as_slice(&many), &out));
        check_bytes(klm_buf_as_slice(&out), SMF_VBS, false, klm_buf_as_slice(&many));
    }
    klm_buf_clear(&out);
    REQUIRE_OK(smf_blocks_put(SMF_RDW, 0, klm_buf_as_slice(&many), &out));
    check_bytes(klm_buf_as_slice(&out), SMF_RDW, false, klm_buf_as_slice(&many));
    klm_buf_clear(&out);
    REQUIRE_OK(smf_blocks_put(SMF_VB, 0, klm_buf_as_slice(&many), &out));
    check_bytes(klm_buf_as_slice(&out), SMF_VB, false, klm_buf_as_slice(&many));
    klm_buf_done(&out);
    klm_buf_done(&many);
    klm_buf_done(&records);
}

/* A record of n bytes of a type of its own. */
static void put_record(struct klm_buf *out, size_t n)
{
    static const uint8_t head[] = {0x1E, 200,  0,    0,    0,    9,    0x01,
                                   0x26, 0x32, 0x6F, 0xE2, 0xE8, 0xE2, 0xF1};
    uint8_t *p = klm_buf_room(out, n);

    REQUIRE(p != NULL && n >= 4 + sizeof head);
    memset(p, 0xC1, n);
    smf_put_number(p, 4, (uint64_t)n << 16);
    memcpy(p + 4, head, sizeof head);
    out->n += n;
}

TEST(the_longest_records_are_written_and_read)
{
    struct klm_buf records, out;

    klm_buf_init(&records, 1 << 20);
    klm_buf_init(&out, 1 << 20);
    put_record(&records, SMF_T83_MAX);
    put_record(&records, SMF_T83_MAX);
    REQUIRE_OK(smf_blocks_put(SMF_VB, 0, klm_buf_as_slice(&records), &out));
    CHECK_INT(out.n, 2 * SMF_BLOCK_MAX);
    check_bytes(klm_buf_as_slice(&out), SMF_VB, false, klm_buf_as_slice(&records));
    put_record(&records, SMF_LOGICAL_MAX);
    klm_buf_clear(&out);
    CHECK_RC(smf_blocks_put(SMF_VB, 0, klm_buf_as_slice(&records), &out), KLM_E_LIMIT);
    CHECK_INT(out.n, 0);
    REQUIRE_OK(smf_blocks_put(SMF_VBS, 0, klm_buf_as_slice(&records), &out));
    check_bytes(klm_buf_as_slice(&out), SMF_VBS, false, klm_buf_as_slice(&records));
    check_bytes(klm_buf_as_slice(&records), SMF_RDW, false, klm_buf_as_slice(&records));
    klm_buf_done(&out);
    klm_buf_done(&records);
}

TEST(what_is_no_record_or_no_block_size_is_not_written)
{
    static const uint8_t cut[] = {0, 20, 0, 0, 1}, segment[] = {0, 5, 1, 0, 1},
                         empty[] = {0, 4, 0, 0};
    static const uint8_t good[] = {0, 5, 0, 0, 1};
    struct klm_buf out;

    klm_buf_init(&out, 100);
    for (int format = SMF_RDW; format <= SMF_VBS; format++) {
        enum smf_format f = (enum smf_format)format;

        CHECK_RC(smf_blocks_put(f, 0, KLM_SLICE(cut, sizeof cut), &out), KLM_E_INVALID);
        CHECK_RC(smf_blocks_put(f, 0, KLM_SLICE(cut, 3), &out), KLM_E_INVALID);
        CHECK_RC(smf_blocks_put(f, 0, KLM_SLICE(segment, 5), &out), KLM_E_INVALID);
        CHECK_RC(smf_blocks_put(f, 0, KLM_SLICE(empty, 4), &out), KLM_E_INVALID);
        CHECK_RC(smf_blocks_put(f, 31, KLM_SLICE(good, 5), &out), KLM_E_INVALID);
        CHECK_RC(smf_blocks_put(f, SMF_BLOCK_MAX + 1, KLM_SLICE(good, 5), &out), KLM_E_INVALID);
        CHECK_RC(smf_blocks_put(f, 0, KLM_SLICE(NULL, 0), &out), KLM_OK);
        CHECK_INT(out.n, 0);
    }
    klm_buf_done(&out);
}

TEST(files_that_cannot_be_read_are_refused_with_a_message)
{
    struct smf_dataset_reader *reader = NULL;
    struct klm_diag diag = {0};
    struct smf_read read;

    CHECK_RC(smf_dataset_open(test_path("none"), &diag, &reader), KLM_E_NOTFOUND);
    CHECK(diag.msg == KLM_MSG_SMF_DATASET_OPEN && strstr(diag.text, "none"));
    CHECK_RC(smf_dataset_open(test_dir(), &diag, &reader), KLM_E_INVALID);
    CHECK(diag.msg == KLM_MSG_SMF_DATASET_KIND && reader == NULL);
    CHECK_RC(smf_dataset_open("/dev/null", NULL, &reader), KLM_E_INVALID);
    write_whole(test_path("empty"), KLM_SLICE(NULL, 0));
    REQUIRE_OK(smf_dataset_open(test_path("empty"), &diag, &reader));
    CHECK_RC(smf_dataset_next(reader, &read), KLM_OK);
    CHECK(read.kind == SMF_READ_END && smf_dataset_size(reader) == 0);
    smf_dataset_close(&reader);
}

/* ---- The independent reader */

static int readsmf(const char *out, const char *how, const char *cert, const char *file,
                   const char *more)
{
    const char *argv[8] = {"python3", source_path("smf/readsmf.py"), how};
    size_t n = 3;

    if (cert) {
        argv[n++] = "--cert";
        argv[n++] = cert;
    }
    argv[n++] = file;
    argv[n] = more;
    return run_to(out, argv);
}

/* Events of all kinds, with texts that have no place in the code page. */
static void put_events(struct smf_hash *hash, struct smf_t83_chain *chain, unsigned n,
                       struct klm_buf *log, struct klm_buf *out)
{
    struct smf_t83_origin origin = east;

    for (unsigned i = 0; i < n; i++) {
        struct smf_record record = success_record;
        struct klm_buf text;

        record.seq = chain->seq + 1 + i % 3;
        record.event.kind = (enum smf_kind)(i % SMF_KINDS);
        record.event.outcome = i % 5 ? SMF_SUCCESS : SMF_FAILURE;
        record.event.field[SMF_F_RESOURCE] = i % 2 ? "\\u{41}\\\316\251 [x]" : "\303\244\302\254^";
        origin.max = i % 4 ? 0 : 600;
        klm_buf_init(&text, 65536);
        REQUIRE_OK(smf_text_format(&record, NULL, &text));
        klm_buf_put(log, text.p, text.n);
        REQUIRE_OK(smf_t83_encode(&origin, &record, klm_buf_as_slice(&text), hash, chain, out));
        klm_buf_done(&text);
    }
}

TEST(the_independent_reader_reads_what_is_written_in_each_form)
{
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smf_t83_chain chain = {0};
    struct klm_buf records, out, log;
    char expected[200], hex[65];

    REQUIRE_OK(smf_hash_new(&hash));
    klm_buf_init(&records, 1 << 20);
    klm_buf_init(&out, 1 << 20);
    klm_buf_init(&log, 1 << 20);
    put_events(hash, &chain, 100, &log, &records);
    klm_hex(chain.value, 32, hex);
    snprintf(expected, sizeof expected,
             "{\"records\": %d, \"events\": 100, \"checkpoints\": 0, \"sequence\": %d, \"hash\": "
             "\"%s\"}\n",
             (int)chain.records, (int)chain.seq, hex);
    for (int format = SMF_RDW; format <= SMF_VBS; format++) {
        struct klm_buf said;

        klm_buf_clear(&out);
        REQUIRE_OK(smf_blocks_put((enum smf_format)format, 1500, klm_buf_as_slice(&records), &out));
        write_whole(test_path("written"), klm_buf_as_slice(&out));
        CHECK_INT(readsmf(test_path("said"), "--verify", NULL, test_path("written"), NULL), 0);
        CHECK_STR(said_in(test_path("said")), expected);
        CHECK_INT(readsmf(test_path("text"), "--text", NULL, test_path("written"), NULL), 0);
        said = file_of(test_path("text"));
        CHECK(said.n == log.n && memcmp(said.p, log.p, log.n) == 0);
        klm_buf_done(&said);
    }
    klm_buf_done(&log);
    klm_buf_done(&out);
    klm_buf_done(&records);
}

TEST(hand_made_data_sets_are_what_the_documentation_says)
{
    const char *argv[] = {"python3", source_path("smf/makesmf.py"), test_dir(), NULL};
    static const char *const names[] = {"vectors.smf", "vectors.vb",   "vectors.vbs",
                                        "vectors.ext", "vectors.bare", "foreign.vbs"};

    CHECK_INT(run_to(test_path("nothing"), argv), 0);
    for (size_t i = 0; i < KLM_COUNT(names); i++) {
        char kept[64];
        struct klm_buf made = file_of(test_path(names[i])), golden;

        snprintf(kept, sizeof kept, "golden/smf/%s", names[i]);
        golden = file_of(source_path(kept));
        CHECK(made.n == golden.n && memcmp(made.p, golden.p, made.n) == 0);
        klm_buf_done(&made);
        klm_buf_done(&golden);
    }
}

/* A certificate and its key made by the openssl command, which also signs. */
static struct smf_signature sign(const struct smf_t83_chain *chain, const char *algorithm,
                                 const char *const *how)
{
    const char *der[] = {"openssl", "x509", "-in", test_path("cert"), "-outform", "DER", NULL};
    const char *dgst[12] = {"openssl", "dgst", "-sign", test_path("key")};
    struct smf_signature signature = {0};
    struct klm_buf message, file;
    size_t n = 4;

    klm_buf_init(&message, 4096);
    REQUIRE_OK(smf_checkpoint_message("smf", "KLM1", chain->records, chain->value, &message));
    write_whole(test_path("message"), klm_buf_as_slice(&message));
    for (; *how; how++) {
        dgst[n++] = *how;
    }
    dgst[n] = test_path("message");
    REQUIRE(run_to(test_path("signature"), dgst) == 0);
    REQUIRE(run_to(test_path("der"), der) == 0);
    file = file_of(test_path("der"));
    REQUIRE_OK(klm_sha256(&(struct klm_slice){file.p, file.n}, 1, signature.fingerprint));
    klm_buf_done(&file);
    file = file_of(test_path("signature"));
    REQUIRE(file.n <= SMF_SIGNATURE_MAX);
    memcpy(signature.bytes, file.p, file.n);
    signature.n = file.n;
    snprintf(signature.algorithm, sizeof signature.algorithm, "%s", algorithm);
    klm_buf_done(&file);
    klm_buf_done(&message);
    return signature;
}

static void check_signed(const char *algorithm, const char *key, const char *option,
                         const char *const *how)
{
    const char *make[] = {
        "openssl",  "req",  "-x509",   "-nodes",         "-subj", "/CN=audit",       "-newkey", key,
        "-pkeyopt", option, "-keyout", test_path("key"), "-out",  test_path("cert"), NULL};
    KLM_AUTO(smf_hash_free) struct smf_hash *hash = NULL;
    struct smf_t83_chain chain = {0};
    struct smf_signature signature;
    struct klm_buf first, second, log;

    REQUIRE(run_to(test_path("made"), make) == 0);
    REQUIRE_OK(smf_hash_new(&hash));
    klm_buf_init(&first, 1 << 20);
    klm_buf_init(&second, 1 << 20);
    klm_buf_init(&log, 1 << 20);
    put_events(hash, &chain, 10, &log, &first);
    put_events(hash, &chain, 4, &log, &second);
    signature = sign(&chain, algorithm, how);
    REQUIRE_OK(
        smf_t83_checkpoint(&east, "KLM1", 1795309323000004, &signature, hash, &chain, &second));
    put_events(hash, &chain, 1, &log, &second);
    write_whole(test_path("first"), klm_buf_as_slice(&first));
    write_whole(test_path("second"), klm_buf_as_slice(&second));
    CHECK_INT(readsmf(test_path("said"), "--verify", test_path("cert"), test_path("first"),
                      test_path("second")),
              0);
    CHECK(strstr(said_in(test_path("said")), "\"events\": 15, \"checkpoints\": 1,") != NULL);
    /* The second alone does not go on from zeros; a byte of the signature; a record taken out of the first. */
    CHECK_INT(readsmf(test_path("said"), "--verify", test_path("cert"), test_path("second"), NULL),
              1);
    for (size_t at = 0; at + signature.n <= second.n; at++) {
        if (memcmp(second.p + at, signature.bytes, signature.n) == 0) {
            second.p[at + signature.n - 1] ^= 1;
        }
    }
    write_whole(test_path("second"), klm_buf_as_slice(&second));
    CHECK_INT(readsmf(test_path("said"), "--verify", test_path("cert"), test_path("first"),
                      test_path("second")),
              1);
    CHECK(strstr(said_in(test_path("said")), "signature") != NULL);
    klm_buf_done(&first);
    klm_buf_done(&second);
    klm_buf_done(&log);
}

TEST(checkpoints_signed_by_another_tool_are_verified_by_the_independent_reader)
{
    static const char *const ec[] = {"-sha256", NULL}, *const ec384[] = {"-sha384", NULL};
    static const char *const pss[] = {
        "-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", NULL};

    check_signed("ECDSA-SHA256", "ec", "ec_paramgen_curve:P-256", ec);
    check_signed("ECDSA-SHA384", "ec", "ec_paramgen_curve:P-384", ec384);
    check_signed("RSA-PSS-SHA256", "rsa", "rsa_keygen_bits:2048", pss);
}

TEST(an_altered_or_missing_record_is_named_by_the_independent_reader)
{
    struct klm_buf file = vectors();
    size_t first = (size_t)file.p[0] << 8 | file.p[1];

    file.p[first - 10] ^= 1;
    write_whole(test_path("altered"), klm_buf_as_slice(&file));
    CHECK_INT(readsmf(test_path("said"), "--verify", NULL, test_path("altered"), NULL), 1);
    CHECK(strstr(said_in(test_path("said")), "record 2 at 442: the chain") != NULL);
    write_whole(test_path("altered"), KLM_SLICE(file.p + first, file.n - first));
    CHECK_INT(readsmf(test_path("said"), "--verify", NULL, test_path("altered"), NULL), 1);
    CHECK(strstr(said_in(test_path("said")), "record 1 at 0: the chain") != NULL);
    klm_buf_done(&file);
}
