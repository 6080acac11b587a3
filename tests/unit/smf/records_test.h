/* What the tests of records and data sets share: golden files, the events of the golden vectors, other programs. */
#ifndef TESTS_UNIT_RECORDS_TEST_H
#define TESTS_UNIT_RECORDS_TEST_H

#include "test.h"

#include "base/file.h"
#include "smf/blocks.h"
#include "smf/type83_int.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define UNUSED __attribute__((unused))
#define VECTORS 8  /* records in each vectors.* */
#define FOREIGN 13 /* in foreign.vbs */

/* A path below the folder of the tests; in one of eight static buffers. */
UNUSED static const char *source_path(const char *name)
{
    static char paths[8][sizeof __FILE__ + 80];
    static unsigned turn;
    char *path = paths[turn++ % 8], *slash;

    snprintf(path, sizeof paths[0], "%s", __FILE__);
    slash = strrchr(path, '/');
    REQUIRE(slash != NULL);
    snprintf(slash, sizeof paths[0] - (size_t)(slash - path), "/../../%s", name);
    return path;
}

/* A whole file; end with klm_buf_done. */
UNUSED static struct klm_buf file_of(const char *path)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 1 << 26);
    REQUIRE_OK(klm_file_read(path, 1 << 26, &buf, NULL));
    return buf;
}

UNUSED static void write_whole(const char *path, struct klm_slice content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE_OK(klm_write_all(fd, content.p, content.n));
    close(fd);
}

/* Run a program with its output in a file; its exit status. */
UNUSED static int run_to(const char *out, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    int status = -1;
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    REQUIRE(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ) ==
            0);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    posix_spawn_file_actions_destroy(&actions);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

/* What a program printed, as a string in a static buffer. */
UNUSED static const char *said_in(const char *path)
{
    static char text[1 << 16];
    struct klm_buf buf = file_of(path);

    REQUIRE(buf.n < sizeof text);
    memcpy(text, buf.p, buf.n);
    text[buf.n] = '\0';
    klm_buf_done(&buf);
    return text;
}

/* ---- The events of tests/smf/makesmf.py */

UNUSED static const struct smf_t83_origin east = {
    .system = "SYS1", .subsystem = "KLM", .job = "ISKLM", .utc_offset_min = 60};
UNUSED static const struct smf_t83_origin plain_origin = {.system = "SYS1", .job = "ISKLM"};

#define JOURNAL_HASH                                                                               \
    {                                                                                              \
        1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, \
            26, 27, 28, 29, 30, 31, 32                                                             \
    }

UNUSED static const struct smf_record success_record = {
    .seq = 17,
    .server_id = "KLM1",
    .hash = JOURNAL_HASH,
    .event = {.kind = SMF_RUNTIME,
              .time = 1795309323000004,
              .field = {[SMF_F_VERB] = "key-serve",
                        [SMF_F_USER] = "drive7",
                        [SMF_F_VOLSER] = "WXY662",
                        [SMF_F_DRIVE] = "000007888422",
                        [SMF_F_SOURCE] = "keymgr",
                        [SMF_F_ALIAS1] = "LABEL20",
                        [SMF_F_ALIAS2] = "GR\303\234N\342\202\254"}}};
#define SUCCESS_TEXT "Runtime event:[\n  resource=[^name]\n  ]\n"

UNUSED static const struct smf_record failure_record = {
    .seq = 0x100000002,
    .server_id = "KLM1",
    .hash = JOURNAL_HASH,
    .event = {.kind = SMF_RESOURCE,
              .outcome = SMF_FAILURE,
              .time = 946688400990000,
              .field = {[SMF_F_VERB] = "group-create",
                        [SMF_F_USER] = "administrator",
                        [SMF_F_USER_KIND] = "operator",
                        [SMF_F_MESSAGE_ID] = "KLM0900E",
                        [SMF_F_MESSAGE] = "back\\slash \\u{41} \360\237\224\221",
                        [SMF_F_OFFSET] = "-05:30"}}};

/* Texts of the event of several records. */
struct long_texts {
    char object[251], before[301], after[321], lines[453];
};

UNUSED static struct smf_record long_record(struct long_texts *texts)
{
    struct smf_record record = {.seq = 0x100000003,
                                .server_id = "KLM1",
                                .hash = JOURNAL_HASH,
                                .event = {.kind = SMF_CONFIG, .time = 1795309323000004}};

    *texts = (struct long_texts){0};
    memset(texts->object, 'o', 250);
    memset(texts->before, 'a', 300);
    memset(texts->after, 'b', 320);
    memset(texts->lines, '1', 200);
    memset(texts->lines + 201, '2', 50);
    memset(texts->lines + 252, '3', 200);
    texts->lines[200] = texts->lines[251] = '\n'; /* the last line has no end */
    record.event.field[SMF_F_VERB] = "config-set";
    record.event.field[SMF_F_OBJECT] = texts->object;
    record.event.field[SMF_F_OLD] = texts->before;
    record.event.field[SMF_F_NEW] = texts->after;
    record.event.field[SMF_F_OFFSET] = "+00:00";
    return record;
}

UNUSED static struct smf_signature example_signature(void)
{
    struct smf_signature signature = {.algorithm = "ECDSA-SHA256", .n = 70};

    for (unsigned i = 0; i < SMF_FINGERPRINT_SIZE; i++) {
        signature.fingerprint[i] = (uint8_t)(32 + i);
    }
    for (unsigned i = 0; i < signature.n; i++) {
        signature.bytes[i] = (uint8_t)(100 + i);
    }
    return signature;
}

/* The records of vectors.smf, made by the encoder. */
UNUSED static struct klm_buf encoded_vectors(struct smf_hash *hash, struct smf_t83_chain *chain)
{
    struct smf_t83_origin narrow = east;
    struct smf_signature signature = example_signature();
    struct klm_slice none = KLM_SLICE(NULL, 0);
    struct long_texts texts;
    struct smf_record record = long_record(&texts);
    struct klm_buf out;

    narrow.max = 700;
    klm_buf_init(&out, 1 << 20);
    REQUIRE_OK(
        smf_t83_encode(&east, &success_record, klm_slice_str(SUCCESS_TEXT), hash, chain, &out));
    REQUIRE_OK(smf_t83_encode(&plain_origin, &failure_record, none, hash, chain, &out));
    REQUIRE_OK(smf_t83_encode(&narrow, &record, klm_slice_str(texts.lines), hash, chain, &out));
    REQUIRE_OK(smf_t83_checkpoint(&east, "KLM1", 1795390200000000, &signature, hash, chain, &out));
    return out;
}

#endif
