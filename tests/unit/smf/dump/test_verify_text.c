/* Text logs with their checkpoints, as the sink writes them: what is found when records are changed, taken out, put in, moved or cut, over a
 * series of files, with the certificate alone. */
#include "smf/key_test.h"
#include "smf/smf_test.h"

#include "smf/dump/verify.h"
#include "smf/sink.h"
#include "smf/text_checkpoint.h"
#include "smf/text_format.h"

#define NAME "audit.log"
#define RECORDS 20

/* A log of RECORDS records, a checkpoint after each fifth. */
struct log {
    char journal_folder[300], folder[300], cert[310];
    struct smf_journal *journal;
    struct smf_text *text;
    struct key key;
    struct smf_signer signer;
    struct smf_text_options options;
};

static struct smfd_verdict verdict;
static struct klm_buf cert;

static void open_log(struct log *log)
{
    struct klm_diag diag = {0};

    test_rc(smf_text_open(&log->options, log->journal, &diag, &log->text), KLM_OK, "smf_text_open",
            __FILE__, __LINE__, true);
}

/* Verify with the certificate of this log from now on. */
static void trust(const struct log *log)
{
    size_t n;
    char *pem = slurp(log->cert, &n);

    klm_buf_done(&cert);
    klm_buf_init(&cert, 4096);
    klm_buf_put(&cert, pem, n);
    free(pem);
}

static void log_init(struct log *log, uint64_t roll_bytes)
{
    *log = (struct log){.options = {.name = NAME, .roll_bytes = roll_bytes}};
    snprintf(log->journal_folder, sizeof log->journal_folder, "%s", new_folder());
    snprintf(log->folder, sizeof log->folder, "%s", new_folder());
    key_init(&log->key);
    log->signer = (struct smf_signer){.sign = sign, .arg = &log->key, .every_records = 5};
    log->options.folder = log->folder;
    log->options.signer = &log->signer;
    log->journal = open_journal(log->journal_folder, 0);
    open_log(log);
    snprintf(log->cert, sizeof log->cert, "%s.pem", log->folder);
    REQUIRE(rename(log->key.cert, log->cert) == 0);
    trust(log);
}

/* One by one, so that each batch is one record. */
static void write_records(struct log *log, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        append(log->journal, i, i);
        REQUIRE_OK(smf_text_drain(log->text));
    }
}

static void log_close(struct log *log)
{
    smf_text_close(&log->text);
    smf_journal_close(&log->journal);
}

static void log_done(struct log *log)
{
    log_close(log);
    EVP_PKEY_free(log->key.pkey);
    klm_buf_done(&cert);
    smfd_verdict_done(&verdict);
}

static struct log whole_log(void)
{
    static struct log log;

    log_init(&log, 0);
    write_records(&log, 1, RECORDS);
    log_close(&log);
    return log;
}

static struct smfd_verify request_of(const char *const *paths, size_t n)
{
    struct smfd_verify request = {.paths = paths, .paths_n = n, .certificates_n = 1};

    request.certificates[0] = klm_buf_as_slice(&cert);
    return request;
}

static void verify(const struct smfd_verify *request)
{
    struct klm_diag diag = {0};
    klm_rc rc;

    smfd_verdict_done(&verdict);
    rc = smfd_verify(request, &diag, &verdict);
    test_rc(rc, KLM_OK, diag.text, __FILE__, __LINE__, true);
}

static void verify_paths(const char *const *paths, size_t n)
{
    struct smfd_verify request = request_of(paths, n);

    verify(&request);
}

/* The records of a log, by their places from 0, to a file of another name. */
static const char *with_records(const struct log *log, const char *name, const int *list)
{
    const char *path = test_path(name);
    FILE *file = fopen(path, "we");
    size_t n, at[RECORDS + 1] = {0};
    char *text = slurp(in_folder(log->folder, NAME), &n);
    struct smf_text_found found;

    for (size_t i = 0; i < RECORDS; i++) {
        REQUIRE_OK(smf_text_get(KLM_SLICE((uint8_t *)text + at[i], n - at[i]), &found));
        at[i + 1] = at[i] + found.length;
    }
    REQUIRE(file != NULL);
    for (; *list >= 0; list++) {
        size_t length = at[*list + 1] - at[*list];

        CHECK(fwrite(text + at[*list], 1, length, file) == length);
    }
    CHECK(fclose(file) == 0);
    free(text);
    return path;
}
#define LIST(...) ((const int[]){__VA_ARGS__, -1})

static void verify_records(const struct log *log, const int *list)
{
    const char *paths[] = {with_records(log, "changed", list),
                           in_folder(log->folder, NAME SMF_TEXT_CHECKPOINTS)};

    verify_paths(paths, 2);
}

static void expect(enum smfd_fault fault, uint64_t number, uint64_t seq)
{
    CHECK(!verdict.good);
    REQUIRE(verdict.n == 1 && verdict.chains[0].problems > 0);
    CHECK_INT(verdict.chains[0].first.fault, fault);
    CHECK_INT(verdict.chains[0].first.at.number, number);
    CHECK_INT(verdict.chains[0].first.at.seq, seq);
}

TEST(a_whole_log_is_good_by_our_check_and_by_the_independent_one)
{
    struct log log = whole_log();
    const char *paths[] = {in_folder(log.folder, NAME),
                           in_folder(log.folder, NAME SMF_TEXT_CHECKPOINTS),
                           in_folder(log.folder, NAME ".cursor")};
    const struct smfd_chain *chain;

    verify_paths(paths, 3);
    chain = &verdict.chains[0];
    CHECK(verdict.good && verdict.n == 1 && chain->text && chain->whole);
    CHECK_STR(chain->server, "test");
    CHECK_INT(chain->records, RECORDS);
    CHECK_INT(chain->checkpoints, 4);
    CHECK_INT(chain->checked, 4);
    CHECK_INT(chain->behind, 0);
    CHECK_INT(log.key.calls, 4);
    CHECK_INT(reader_py(test_path("out"), "text", log.folder, NAME), 0);
    CHECK_INT(signed_py(log.folder, NAME, log.cert), 0);
    log_done(&log);
}

TEST(a_log_without_its_checkpoints_is_only_chained)
{
    struct log log = whole_log();
    const char *path = in_folder(log.folder, NAME);

    verify_paths(&path, 1);
    CHECK(verdict.good);
    CHECK_INT(verdict.chains[0].checkpoints, 0);
    CHECK_INT(verdict.chains[0].behind, RECORDS);
    log_done(&log);
}

TEST(what_was_done_to_records_is_told_and_where)
{
    struct log log = whole_log();

    verify_records(&log, LIST(0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
    expect(SMFD_MISSING, 5, 6);
    verify_records(&log,
                   LIST(0, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
    expect(SMFD_REPEATED, 4, 3);
    verify_records(&log,
                   LIST(0, 1, 2, 3, 4, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
    expect(SMFD_REPEATED, 6, 2);
    verify_records(&log,
                   LIST(0, 1, 3, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19));
    expect(SMFD_MOVED, 4, 3);
    verify_records(&log, LIST(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
    expect(SMFD_CUT, 17, 17); /* at the end of a record: the checkpoint tells */
    log_done(&log);
}

TEST(a_part_of_a_log_is_good_when_it_is_said_to_be_one)
{
    struct log log = whole_log();
    const char *paths[] = {with_records(&log, "part", LIST(5, 6, 7, 8, 9, 10, 11)),
                           in_folder(log.folder, NAME SMF_TEXT_CHECKPOINTS)};
    struct smfd_verify request = request_of(paths, 2);

    verify(&request);
    expect(SMFD_CUT, 7, 12);
    request.part = true;
    verify(&request);
    CHECK(verdict.good && !verdict.chains[0].whole && verdict.chains[0].joined);
    CHECK_INT(verdict.chains[0].earlier, 1);
    CHECK_INT(verdict.chains[0].later, 2);
    CHECK_INT(verdict.chains[0].behind, 2);
    request.from_start = true;
    verify(&request);
    expect(SMFD_LATE, 1, 6);
    paths[0] =
        with_records(&log, "part", LIST(6, 7, 8, 9, 10, 11)); /* its first record cannot be told */
    request.from_start = false;
    verify(&request);
    CHECK(verdict.good && !verdict.chains[0].joined);
    log_done(&log);
}

/* Every single byte: a change is found, at the record that was changed or at the one behind it. */
TEST(every_changed_byte_of_a_log_is_found)
{
    struct log log = whole_log();
    const char *paths[] = {test_path("flipped"), in_folder(log.folder, NAME SMF_TEXT_CHECKPOINTS)};
    size_t n, length;
    char *text = slurp(in_folder(log.folder, NAME), &n);
    struct smf_text_found found;

    REQUIRE_OK(smf_text_get(KLM_SLICE((uint8_t *)text, n), &found));
    length = found.length; /* the first ones are of one length */
    for (size_t at = 0; at < 3 * length; at += 7) {
        text[at] ^= 1;
        spill(paths[0], text, n);
        verify_paths(paths, 2);
        text[at] ^= 1;
        CHECK(!verdict.good);
        CHECK(verdict.n == 1 && verdict.chains[0].first.at.number >= at / length + 1 &&
              verdict.chains[0].first.at.number <= at / length + 2);
    }
    for (size_t cut = 1; cut < length; cut += 11) {
        spill(paths[0], text, n - cut);
        verify_paths(paths, 2);
        expect(SMFD_CUT, RECORDS, 0);
    }
    free(text);
    log_done(&log);
}

/* An event that is not as the others. */
static void append_other(struct smf_journal *journal)
{
    struct smf_event event = {.kind = SMF_RUNTIME,
                              .field = {[SMF_F_RESOURCE] = "Nothing happened"}};
    struct smf_entry entry;
    struct klm_buf buf;

    klm_buf_init(&buf, SMF_EVENT_MAX);
    REQUIRE_OK(smf_event_encode(&event, &buf));
    entry = (struct smf_entry){.event = klm_buf_as_slice(&buf)};
    REQUIRE_OK(smf_journal_append(journal, &entry, 1));
    klm_buf_done(&buf);
}

/* Someone without the key makes everything anew from the changed record on: the next checkpoint does not fit. */
TEST(a_chain_that_was_made_anew_does_not_fit_its_checkpoints)
{
    struct log log = whole_log(), forged;
    const char *paths[] = {NULL, in_folder(log.folder, NAME SMF_TEXT_CHECKPOINTS)};
    char path[300];

    log_init(&forged, 0);
    append(forged.journal, 1, 1);
    append_other(forged.journal);
    write_records(&forged, 3, RECORDS);
    log_close(&forged);
    snprintf(path, sizeof path, "%s", in_folder(forged.folder, NAME));
    paths[0] = path;
    trust(&log);
    verify_paths(paths, 2);
    expect(SMFD_UNSIGNED, 5, 5);
    log_done(&forged);
    EVP_PKEY_free(log.key.pkey);
}

TEST(a_checkpoint_of_another_key_or_with_a_changed_byte_is_not_good)
{
    struct log log = whole_log();
    const char *paths[] = {in_folder(log.folder, NAME), test_path("signs")};
    size_t n;
    char *text = slurp(in_folder(log.folder, NAME SMF_TEXT_CHECKPOINTS), &n);

    for (size_t at = 0; at < n; at += 13) {
        text[at] ^= 1;
        spill(paths[1], text, n);
        text[at] ^= 1;
        if (at < strlen(SMF_TEXT_CHECKPOINT_TITLE)) {
            continue; /* it is no file of checkpoints then */
        }
        verify_paths(paths, 2);
        CHECK(!verdict.good);
    }
    spill(paths[1], text, n - 5);
    verify_paths(paths, 2);
    CHECK(!verdict.good && verdict.chains[0].first.fault == SMFD_CUT);
    spill(paths[1], text, n);
    EVP_PKEY_free(log.key.pkey);
    key_init(&log.key);
    REQUIRE(rename(log.key.cert, log.cert) == 0);
    trust(&log);
    verify_paths(paths, 2);
    expect(SMFD_UNSIGNED, 1, 5);
    free(text);
    log_done(&log);
}

/* Paths of all files of a log, closed ones too. */
static size_t files_of(const char *folder, char paths[64][700])
{
    DIR *dir = opendir(folder);
    size_t n = 0;

    REQUIRE(dir != NULL);
    for (struct dirent *e; n < 64 && (e = readdir(dir));) {
        if (e->d_name[0] != '.') {
            snprintf(paths[n++], sizeof paths[0], "%s/%s", folder, e->d_name);
        }
    }
    closedir(dir);
    return n;
}

TEST(a_rolled_series_with_restarts_and_filters_is_one_chain)
{
    static char names[64][700];
    const char *paths[64];
    struct log log;
    size_t n;

    log_init(&log, 2000);
    write_records(&log, 1, 13);
    smf_journal_filter(log.journal, "none", NULL);
    write_records(&log, 14, 16);
    smf_journal_filter(log.journal, NULL, NULL);
    smf_text_close(&log.text);
    open_log(&log);
    write_records(&log, 17, 40);
    log_close(&log);
    n = files_of(log.folder, names);
    CHECK(n > 5);
    for (size_t i = 0; i < n; i++) {
        paths[i] = names[i];
    }
    verify_paths(paths, n);
    CHECK(verdict.good && verdict.chains[0].whole);
    CHECK_INT(verdict.chains[0].records, 37);
    CHECK_INT(verdict.chains[0].left_out, 3);
    CHECK_INT(verdict.chains[0].behind, 0);
    CHECK(verdict.chains[0].checkpoints >= verdict.chains[0].pieces - 1);
    CHECK_INT(signed_py(log.folder, NAME, log.cert), 0);
    for (size_t i = 0; i < n; i++) { /* each closed file but the first, taken out */
        size_t was = strlen(log.folder) + strlen("/" NAME);

        if (strlen(names[i]) == was + 18 && names[i][was] == '.') {
            const char *path = paths[i];

            paths[i] = paths[(i + 1) % n]; /* another one twice instead */
            verify_paths(paths, n);
            CHECK(!verdict.good || strcmp(path + was, names[i] + was) != 0 ||
                  verdict.chains[0].first_seq > 1);
            paths[i] = path;
        }
    }
    log_done(&log);
}

TEST(what_cannot_be_signed_is_said_and_signed_later_and_a_torn_checkpoint_is_cut_off)
{
    struct log log;
    size_t n, m;
    char *text, signs[700];

    log_init(&log, 0);
    snprintf(signs, sizeof signs, "%s", in_folder(log.folder, NAME SMF_TEXT_CHECKPOINTS));
    log.key.missing = true;
    listen_to_messages();
    write_records(&log, 1, 7);
    CHECK_INT(heard_times("KLM0729W"), 1);
    klm_say_to(NULL, NULL);
    log.key.missing = false;
    smf_text_close(&log.text); /* at the end all is signed */
    text = slurp(signs, &n);
    CHECK(strstr(text, "  sequence=7\n") != NULL);
    free(text);
    REQUIRE(truncate(signs, (off_t)n) == 0);
    {
        int fd = open(signs, O_WRONLY | O_APPEND | O_CLOEXEC);

        CHECK(fd >= 0 && write(fd, "Checkpoint:[\n  server=te", 24) == 24);
        close(fd);
    }
    open_log(&log);
    write_records(&log, 8, 12);
    smf_text_close(&log.text);
    text = slurp(signs, &m);
    CHECK(m > n && strstr(text, "server=teCheck") == NULL);
    free(text);
    CHECK_INT(signed_py(log.folder, NAME, log.cert), 0);
    REQUIRE(unlink(signs) == 0); /* someone took it away: a new one is begun */
    open_log(&log);
    write_records(&log, 13, 17);
    log_close(&log);
    CHECK_INT(signed_py(log.folder, NAME, log.cert), 0);
    log_done(&log);
}

TEST(a_checkpoint_is_read_exactly_as_it_is_written)
{
    struct smf_text_checkpoint made = {.server_id = "KLM1", .seq = 10}, found;
    char text[SMF_TEXT_CHECKPOINT_MAX];
    size_t n, length;

    memset(made.signature.bytes, 0xA5, sizeof made.signature.bytes);
    made.signature.n = sizeof made.signature.bytes;
    memset(made.server_id, 'S', 64);
    snprintf(made.signature.algorithm, sizeof made.signature.algorithm, "RSA-PSS-SHA256");
    n = smf_text_checkpoint_print(&made, text);
    REQUIRE(n < sizeof text);
    REQUIRE_OK(smf_text_checkpoint_get(KLM_SLICE((uint8_t *)text, n), &found, &length));
    CHECK_INT(length, n);
    CHECK(memcmp(&made, &found, sizeof made) == 0);
    for (size_t cut = 0; cut < n; cut++) {
        CHECK_RC(smf_text_checkpoint_get(KLM_SLICE((uint8_t *)text, cut), &found, &length),
                 KLM_E_SHORT);
    }
    text[n - 30] = '*';
    CHECK_RC(smf_text_checkpoint_get(KLM_SLICE((uint8_t *)text, n), &found, &length),
             KLM_E_CORRUPT);
}
