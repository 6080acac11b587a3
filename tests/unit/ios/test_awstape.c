/* AWSTAPE files: bytes by hand, blocks in parts, and everything that can be wrong with a header. */
#include "test.h"

#include "base/file.h"
#include "ios/awstape.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t block[IOS_AWS_BLOCK_MAX];

static void save(const char *path, const void *p, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE_OK(klm_write_all(fd, p, n));
    close(fd);
}

static struct ios_aws *open_bytes(const void *p, size_t n)
{
    struct ios_aws *aws = NULL;

    save(test_path("t.aws"), p, n);
    REQUIRE_OK(ios_aws_open(test_path("t.aws"), true, NULL, &aws));
    return aws;
}

static void expect(struct ios_aws *aws, enum ios_aws_kind kind, size_t n)
{
    enum ios_aws_kind got = IOS_AWS_END;
    size_t got_n = 77;

    REQUIRE_OK(ios_aws_read(aws, block, &got_n, &got));
    CHECK_INT(got, kind);
    CHECK_INT(got_n, n);
}

TEST(blocks_and_marks_are_written_as_the_format_says)
{
    static const uint8_t expected[] = {3, 0, 0, 0, 0xA0, 0, 'a', 'b', 'c', /* block */
                                       1, 0, 3, 0, 0xA0, 0, 'd', 0,   0,   1, 0, 0x40, 0, /* mark */
                                       2, 0, 0, 0, 0xA0, 0, 'e', 'f'};
    KLM_AUTO(klm_buf_done) struct klm_buf file;
    struct ios_aws *aws = NULL;

    REQUIRE_OK(ios_aws_create(test_path("w.aws"), NULL, &aws));
    REQUIRE_OK(ios_aws_write(aws, "abc", 3));
    REQUIRE_OK(ios_aws_write(aws, "d", 1));
    REQUIRE_OK(ios_aws_mark(aws));
    REQUIRE_OK(ios_aws_write(aws, "ef", 2));
    CHECK_RC(ios_aws_write(aws, "", 0), KLM_E_INVALID);
    CHECK_RC(ios_aws_write(aws, block, IOS_AWS_BLOCK_MAX + 1), KLM_E_LIMIT);
    REQUIRE_OK(ios_aws_sync(aws));
    ios_aws_free(&aws);
    klm_buf_init(&file, 1000);
    REQUIRE_OK(klm_file_read(test_path("w.aws"), 1000, &file, NULL));
    REQUIRE(file.n == sizeof expected);
    CHECK_MEM(file.p, expected, sizeof expected);
    CHECK_RC(ios_aws_create(test_path("w.aws"), NULL, &aws), KLM_E_EXISTS);
}

TEST(what_is_written_can_be_read_sought_and_cut)
{
    struct ios_aws *aws = NULL;
    struct ios_aws_pos pos;

    REQUIRE_OK(ios_aws_create(test_path("r.aws"), NULL, &aws));
    for (int i = 0; i < 20; i++) {
        memset(block, i, sizeof block);
        REQUIRE_OK(ios_aws_write(aws, block,
                                 i % 2 ? 100 : IOS_AWS_BLOCK_MAX)); /* far more than is buffered */
    }
    REQUIRE_OK(ios_aws_mark(aws));
    ios_aws_seek(aws, (struct ios_aws_pos){0, 0});
    for (int i = 0; i < 20; i++) {
        if (i == 7) {
            pos = ios_aws_tell(aws);
        }
        expect(aws, IOS_AWS_BLOCK, i % 2 ? 100 : IOS_AWS_BLOCK_MAX);
        CHECK_INT(block[99], i);
    }
    expect(aws, IOS_AWS_MARK, 0);
    expect(aws, IOS_AWS_END, 0);
    expect(aws, IOS_AWS_END, 0);
    ios_aws_seek(aws, pos);
    REQUIRE_OK(ios_aws_cut(aws));
    expect(aws, IOS_AWS_END, 0);
    REQUIRE_OK(ios_aws_mark(aws));
    ios_aws_seek(aws, pos);
    expect(aws, IOS_AWS_MARK, 0);
    expect(aws, IOS_AWS_END, 0);
    ios_aws_free(&aws);
}

TEST(a_block_in_parts_is_one_block)
{
    static const uint8_t parts[] = {2, 0, 0, 0, 0x80, 0, 'a', 'b', 1, 0, 2, 0, 0x00, 0, 'c',
                                    2, 0, 1, 0, 0x20, 0, 'd', 'e', 0, 0, 2, 0, 0x40, 0};
    struct ios_aws *aws = open_bytes(parts, sizeof parts);
    enum ios_aws_kind kind;
    size_t n = 0;

    expect(aws, IOS_AWS_BLOCK, 5);
    CHECK_MEM(block, "abcde", 5);
    expect(aws, IOS_AWS_MARK, 0);
    ios_aws_seek(aws, (struct ios_aws_pos){0, 0});
    REQUIRE_OK(ios_aws_skip(aws, &n, &kind));
    CHECK_INT(n, 5);
    REQUIRE_OK(ios_aws_skip(aws, &n, &kind));
    CHECK_INT(kind, IOS_AWS_MARK);
    ios_aws_free(&aws);
}

TEST(a_block_in_parts_has_the_same_limit_as_any_other)
{
    static uint8_t file[2 * (IOS_AWS_BLOCK_MAX + 6)];
    struct ios_aws *aws;
    enum ios_aws_kind kind;
    size_t n = 0;

    memcpy(file, (const uint8_t[]){0xFF, 0xFF, 0, 0, 0x80, 0}, 6);
    memcpy(file + 6 + IOS_AWS_BLOCK_MAX, (const uint8_t[]){1, 0, 0xFF, 0xFF, 0x20, 0}, 6);
    aws = open_bytes(file, 6 + IOS_AWS_BLOCK_MAX + 7);
    CHECK_RC(ios_aws_read(aws, block, &n, &kind), KLM_E_LIMIT);
    CHECK_RC(ios_aws_skip(aws, &n, &kind), KLM_E_LIMIT);
    ios_aws_free(&aws);
}

TEST(a_file_cut_anywhere_within_a_block_is_torn)
{
    static const uint8_t whole[] = {3, 0, 0, 0, 0xA0, 0, 'a', 'b', 'c'};

    for (size_t n = 0; n < sizeof whole; n++) {
        struct ios_aws *aws = open_bytes(whole, n);
        enum ios_aws_kind kind;
        size_t got = 0;

        expect(aws, n == 0 ? IOS_AWS_END : IOS_AWS_TORN, 0);
        REQUIRE_OK(ios_aws_skip(aws, &got, &kind));
        CHECK_INT(kind, n == 0 ? IOS_AWS_END : IOS_AWS_TORN);
        CHECK_INT(ios_aws_tell(aws).at, 0);
        ios_aws_free(&aws);
    }
}

TEST(a_tail_of_zeros_is_torn_but_zeros_before_data_are_damage)
{
    static uint8_t zeros[9000];
    struct ios_aws *aws = open_bytes(zeros, sizeof zeros);
    enum ios_aws_kind kind;
    size_t n = 0;

    expect(aws, IOS_AWS_TORN, 0);
    ios_aws_free(&aws);
    zeros[8999] = 1;
    aws = open_bytes(zeros, sizeof zeros);
    CHECK_RC(ios_aws_read(aws, block, &n, &kind), KLM_E_CORRUPT);
    zeros[8999] = 0;
    ios_aws_free(&aws);
}

TEST(headers_that_no_writer_makes_are_damage)
{
    static const uint8_t wrong[][6] = {
        {1, 0, 1, 0, 0xA0, 0}, /* length before it at the start */
        {1, 0, 0, 0, 0xA0, 1}, /* last byte */
        {1, 0, 0, 0, 0xB0, 0}, /* unknown flag */
        {1, 0, 0, 0, 0xE0, 0}, /* block and mark */
        {1, 0, 0, 0, 0x40, 0}, /* mark with a length */
        {1, 0, 0, 0, 0x20, 0}, /* begins with a last part */
        {0, 0, 0, 0, 0xA0, 0}, /* empty block */
        {0, 0, 1, 0, 0x00, 0},
    };

    for (size_t i = 0; i < KLM_COUNT(wrong); i++) {
        uint8_t file[8] = {0};
        enum ios_aws_kind kind;
        size_t n = 0;

        memcpy(file, wrong[i], 6);
        file[7] = 1;
        struct ios_aws *aws = open_bytes(file, sizeof file);
        CHECK_RC(ios_aws_read(aws, block, &n, &kind), KLM_E_CORRUPT);
        CHECK_RC(ios_aws_skip(aws, &n, &kind), KLM_E_CORRUPT);
        ios_aws_free(&aws);
    }
}

TEST(a_medium_is_written_by_one_and_read_by_many)
{
    struct ios_aws *one = open_bytes("", 0), *two = NULL, *three = NULL;
    struct klm_diag diag = {0};

    CHECK_RC(ios_aws_open(test_path("t.aws"), false, &diag, &two), KLM_E_BUSY);
    CHECK_INT(diag.msg, KLM_MSG_CART_BUSY);
    ios_aws_free(&one);
    REQUIRE_OK(ios_aws_open(test_path("t.aws"), false, NULL, &two));
    REQUIRE_OK(ios_aws_open(test_path("t.aws"), false, NULL, &three));
    CHECK_RC(ios_aws_open(test_path("t.aws"), true, &diag, &one), KLM_E_BUSY);
    ios_aws_free(&two);
    ios_aws_free(&three);
    CHECK_RC(ios_aws_open(test_dir(), false, &diag, &two), KLM_E_INVALID);
    CHECK_RC(ios_aws_open(test_path("none.aws"), false, &diag, &two), KLM_E_NOTFOUND);
}
