/* Cartridges as a whole: files of all sizes come back, other tools can list them, and no
 * interference goes unseen. */
#include "cart_help.h"

#include "base/clock.h"

#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

TEST(files_of_all_sizes_come_back_as_they_were)
{
    static const size_t sizes[] = {
        0,   1, 2, 1000, IOS_CART_CHUNK - 1, IOS_CART_CHUNK, IOS_CART_CHUNK + 1, 2 * IOS_CART_CHUNK,
        MANY};
    const char *path = test_path("sizes.aws");
    struct ios_cart *cart;

    help_fill(content, sizeof content, 1);
    memset(content + 1000, 'x', 50000); /* some of it compresses */
    help_create(path, "WXY662");
    cart = help_open(path, IOS_CART_WRITE);
    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        help_add(cart, "TEST.DATA", content, sizes[i], i % 2 ? 1009 : MANY);
    }
    ios_cart_free(&cart);
    cart = help_open(path, IOS_CART_READ);
    CHECK_INT(ios_cart_note(cart)->msg, KLM_MSG_NONE);
    REQUIRE(ios_cart_files(cart) == KLM_COUNT(sizes));
    for (size_t i = 0; i < KLM_COUNT(sizes); i++) {
        help_same(cart, (unsigned)i + 1, content, sizes[i]);
    }
    ios_cart_free(&cart);
}

TEST(a_volume_tells_its_files_and_their_eedks)
{
    const char *path = test_path("list.aws");
    struct ios_cart *cart;
    struct ios_file *file = NULL;
    struct ios_file_info info = {0};
    struct ios_file_key key = help_file_key();
    struct klm_slice eedk[IOS_EEDKS];

    help_create(path, "A1");
    cart = help_open(path, IOS_CART_WRITE);
    CHECK_STR(ios_cart_volser(cart), "A1");
    CHECK_INT(ios_cart_files(cart), 0);
    klm_clock_set(INT64_C(1795478400) * 1000000); /* 24 November 2026 */
    REQUIRE_OK(ios_file_begin_write(cart, "HLQ.PAYROLL.YEAR2026", &key, NULL, &file));
    REQUIRE_OK(ios_file_write(file, "abc", 3, NULL));
    REQUIRE_OK(ios_file_close(&file, &info, NULL));
    klm_clock_set(0);
    CHECK_INT(info.blocks, 2);
    CHECK_INT(info.seq, 1);
    ios_cart_free(&cart);

    cart = help_open(path, IOS_CART_READ);
    CHECK_STR(ios_cart_file(cart, 0)->dsname, ".PAYROLL.YEAR2026");
    CHECK_STR(ios_cart_file(cart, 0)->job, "ENCRYPT");
    CHECK_STR(ios_cart_file(cart, 0)->step, "STEP2");
    CHECK_INT(ios_cart_file(cart, 0)->year, 2026);
    CHECK_INT(ios_cart_file(cart, 0)->day, 328);
    CHECK_INT(ios_cart_file(cart, 0)->blocks, 2);
    CHECK(ios_cart_file(cart, 1) == NULL);
    REQUIRE_OK(ios_file_open_read(cart, 1, NULL, &file));
    CHECK_INT(ios_file_eedks(file, eedk), 2);
    CHECK(klm_slice_equal(eedk[0], KLM_SLICE("first eedk", 10)));
    CHECK(klm_slice_equal(eedk[1], KLM_SLICE("second", 6)));
    ios_file_free(&file);
    ios_cart_free(&cart);
}

TEST(appending_leaves_the_files_before_alone)
{
    const char *path = test_path("append.aws");
    struct ios_cart *cart;

    help_plain(path, "FIRST");
    for (int i = 0; i < 3; i++) {
        cart = help_open(path, IOS_CART_WRITE);
        help_add(cart, "NEXT", content + i, 100, 100);
        ios_cart_free(&cart);
    }
    cart = help_open(path, IOS_CART_READ);
    REQUIRE(ios_cart_files(cart) == 4);
    help_same(cart, 1, content, MANY);
    help_same(cart, 4, content + 2, 100);
    ios_cart_free(&cart);
}

static int run(const char *tool, const char *path, const char *more, char *out, size_t cap)
{
    char *const argv[] = {(char *)(uintptr_t)tool, (char *)(uintptr_t)path, (char *)(uintptr_t)more,
                          NULL};
    const char *result = test_path("tool.out");
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, result, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_adddup2(&actions, 1, 2);
    int rc = posix_spawnp(&pid, tool, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0) {
        return -1;
    }
    waitpid(pid, &status, 0);
    int fd = open(result, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, out, cap - 1) : 0;
    out[n > 0 ? n : 0] = '\0';
    close(fd);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(other_tape_tools_list_the_volume)
{
    const char *path = test_path("tools.aws");
    static char text[20000];
    struct ios_cart *cart;

    help_plain(path, "FIRST.FILE");
    cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "SECOND.FILE", content, 1000, 1000);
    ios_cart_free(&cart);

    CHECK_INT(run("tapemap", path, NULL, text, sizeof text), 0);
    CHECK(strstr(text, "VOL1WXY6620") != NULL);
    CHECK(strstr(text, "HDR1FIRST.FILE       WXY66200010001") != NULL);
    CHECK(strstr(text, "HDR1SECOND.FILE      WXY66200010002") != NULL);
    CHECK(strstr(text, "EOF2U327600000000ENCRYPT /STEP2") != NULL);
    CHECK(strstr(text, "End of tape") != NULL);
    CHECK_INT(run("hetmap", path, NULL, text, sizeof text), 0);
    CHECK(strstr(text, "SECOND.FILE") != NULL);
    CHECK(strstr(text, "WXY662") != NULL);
}

TEST(a_write_that_was_killed_is_told_and_written_over)
{
    const char *path = test_path("killed.aws");
    struct ios_file_key key = help_file_key();
    struct ios_cart *cart;
    struct ios_file *file = NULL;

    help_plain(path, "FIRST");
    pid_t pid = fork();
    if (pid == 0) { /* dies in mid-file, nothing closed */
        if (ios_cart_open(path, IOS_CART_WRITE, NULL, &cart) != KLM_OK ||
            ios_file_begin_write(cart, "SECOND", &key, NULL, &file) != KLM_OK) {
            _exit(1);
        }
        for (int i = 0; i < 4; i++) {
            if (ios_file_write(file, content, sizeof content, NULL) != KLM_OK) {
                _exit(1);
            }
        }
        _exit(0);
    }
    int status = 1;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    REQUIRE(status == 0);
    cart = help_open(path, IOS_CART_READ);
    CHECK_INT(ios_cart_note(cart)->msg, KLM_MSG_CART_INTERRUPTED);
    CHECK_INT(ios_cart_files(cart), 1);
    help_same(cart, 1, content, MANY);
    ios_cart_free(&cart);
    cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "THIRD", content, 10, 10);
    CHECK_INT(ios_cart_note(cart)->msg, KLM_MSG_NONE);
    ios_cart_free(&cart);
    cart = help_open(path, IOS_CART_READ);
    CHECK_INT(ios_cart_note(cart)->msg, KLM_MSG_NONE);
    CHECK_STR(ios_cart_file(cart, 1)->dsname, "THIRD");
    help_same(cart, 2, content, 10);
    ios_cart_free(&cart);
}

TEST(a_volume_cut_at_any_place_keeps_what_was_complete)
{
    const char *path = test_path("cut.aws"), *cut = test_path("cut2.aws");
    struct ios_cart *cart;

    help_create(path, "WXY662");
    cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "ONE", content, 10, 10);
    ios_cart_free(&cart);
    struct klm_buf file = help_load(path);
    size_t complete = file.n - 6, whole = file.n; /* up to the tape mark behind EOF2 */
    cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "TWO", content, 100, 100);
    ios_cart_free(&cart);
    klm_buf_done(&file);
    file = help_load(path);
    for (size_t n = 86; n <= file.n; n++) {
        help_put(cut, KLM_SLICE(file.p, n));
        cart = help_open(cut, IOS_CART_WRITE);
        bool quiet = ios_cart_note(cart)->msg == KLM_MSG_NONE;
        CHECK_INT(ios_cart_files(cart), n >= file.n - 6 ? 2 : n >= complete ? 1 : 0);
        CHECK_INT(quiet, n == file.n);
        CHECK(quiet || ios_cart_note(cart)->msg == KLM_MSG_CART_INTERRUPTED);
        ios_cart_free(&cart);
        n += n > 200 && n < complete - 200 ? 7 : 0;
    }
    CHECK(whole > complete);
    for (size_t n = 0; n < 86; n++) {
        help_put(cut, KLM_SLICE(file.p, n));
        CHECK_RC(ios_cart_open(cut, IOS_CART_READ, NULL, &cart), KLM_E_INVALID);
    }
    klm_buf_done(&file);
}

TEST(a_file_that_is_given_up_leaves_no_trace)
{
    const char *path = test_path("giveup.aws");
    struct ios_file_key key = help_file_key();
    struct ios_file *file = NULL;
    struct ios_cart *cart;

    help_plain(path, "FIRST");
    struct klm_buf before = help_load(path);
    cart = help_open(path, IOS_CART_WRITE);
    REQUIRE_OK(ios_file_begin_write(cart, "SECOND", &key, NULL, &file));
    REQUIRE_OK(ios_file_write(file, content, sizeof content, NULL));
    ios_file_free(&file);
    CHECK_INT(ios_cart_files(cart), 1);
    REQUIRE_OK(ios_file_begin_write(cart, "THIRD", &key, NULL, &file));
    ios_cart_free(&cart); /* with the file still open */
    struct klm_buf after = help_load(path);
    CHECK(klm_slice_equal(klm_buf_as_slice(&before), klm_buf_as_slice(&after)));
    klm_buf_done(&before);
    klm_buf_done(&after);
}

TEST(foreign_tapes_are_refused_with_the_reason)
{
    static const uint8_t ascii[86] = {80, 0, 0, 0, 0xA0, 0, 'V', 'O', 'L', '1', 'A', 'B', 'C'};
    static const uint8_t unlabelled[] = {3, 0, 0, 0, 0xA0, 0, 'a', 'b', 'c'};
    const char *path = test_path("foreign.aws");
    struct klm_diag diag = {0};
    struct ios_cart *cart = NULL;

    help_put(path, KLM_SLICE(ascii, sizeof ascii));
    CHECK_RC(ios_cart_open(path, IOS_CART_READ, &diag, &cart), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_CART_FOREIGN);
    CHECK(strstr(diag.text, "ASCII") != NULL);
    help_put(path, KLM_SLICE(unlabelled, sizeof unlabelled));
    CHECK_RC(ios_cart_open(path, IOS_CART_READ, &diag, &cart), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_CART_FOREIGN);
    help_put(path, KLM_SLICE("just some text of a file", 24));
    CHECK_RC(ios_cart_open(path, IOS_CART_READ, &diag, &cart), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_CART_NOT_AWS);
}

TEST(a_file_that_is_not_ours_is_refused)
{
    const char *path = test_path("notours.aws");
    struct ios_label1 one = {
        .dsname = "CLEAR", .volser = "WXY662", .fileseq = 1, .year = 2026, .day = 1};
    struct ios_aws *aws = NULL;
    uint8_t label[IOS_LABEL_SIZE];

    REQUIRE_OK(ios_aws_create(path, NULL, &aws));
    ios_label_vol1("WXY662", "", label);
    REQUIRE_OK(ios_aws_write(aws, label, sizeof label));
    ios_label_1(IOS_LABEL_HDR1, &one, label);
    REQUIRE_OK(ios_aws_write(aws, label, sizeof label));
    REQUIRE_OK(ios_aws_mark(aws));
    REQUIRE_OK(ios_aws_write(aws, "clear text", 10));
    REQUIRE_OK(ios_aws_mark(aws));
    ios_label_1(IOS_LABEL_EOF1, &one, label);
    REQUIRE_OK(ios_aws_write(aws, label, sizeof label));
    REQUIRE_OK(ios_aws_mark(aws));
    REQUIRE_OK(ios_aws_mark(aws));
    REQUIRE_OK(ios_aws_sync(aws));
    ios_aws_free(&aws);
    help_refused(path, 1, help_key, KLM_E_UNSUPPORTED, KLM_MSG_CART_NOT_OURS, 0);
    /* And one of ours can be written behind it. */
    struct ios_cart *cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "OURS", content, 100, 100);
    help_same(cart, 2, content, 100);
    ios_cart_free(&cart);
}

TEST(wrong_use_is_refused)
{
    const char *path = test_path("use.aws");
    struct ios_file_key key = help_file_key();
    struct klm_diag diag = {0};
    struct ios_file *file = NULL, *second = NULL;
    struct ios_cart *cart, *other = NULL;
    static uint8_t longer[IOS_EEDK_MAX + 1];
    size_t n = 0;

    CHECK_RC(ios_cart_create(path, "TOOLONG", &diag), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_CART_VOLSER);
    help_create(path, "WXY662");
    CHECK_RC(ios_cart_create(path, "WXY662", &diag), KLM_E_EXISTS);
    cart = help_open(path, IOS_CART_READ);
    CHECK_RC(ios_file_begin_write(cart, "A", &key, &diag, &file), KLM_E_STATE);
    CHECK_RC(ios_file_open_read(cart, 1, &diag, &file), KLM_E_NOTFOUND);
    CHECK_RC(ios_file_open_read(cart, 0, &diag, &file), KLM_E_NOTFOUND);
    ios_cart_free(&cart);
    cart = help_open(path, IOS_CART_WRITE);
    CHECK_RC(ios_cart_open(path, IOS_CART_READ, &diag, &other), KLM_E_BUSY);
    CHECK_RC(ios_file_begin_write(cart, "lower", &key, &diag, &file), KLM_E_INVALID);
    key.eedk_n = 0;
    CHECK_RC(ios_file_begin_write(cart, "A", &key, &diag, &file), KLM_E_INVALID);
    key.eedk_n = 3;
    CHECK_RC(ios_file_begin_write(cart, "A", &key, &diag, &file), KLM_E_INVALID);
    key.eedk_n = 1;
    key.eedk[0] = KLM_SLICE(longer, IOS_EEDK_MAX + 1);
    CHECK_RC(ios_file_begin_write(cart, "A", &key, &diag, &file), KLM_E_LIMIT);
    key.eedk[0].n = IOS_EEDK_MAX;
    REQUIRE_OK(ios_file_begin_write(cart, "A", &key, &diag, &file));
    CHECK_RC(ios_file_begin_write(cart, "B", &key, &diag, &second), KLM_E_STATE);
    CHECK_RC(ios_file_read(file, back, 1, &n, &diag), KLM_E_STATE);
    REQUIRE_OK(ios_file_close(&file, NULL, NULL));
    REQUIRE_OK(ios_file_open_read(cart, 1, NULL, &file));
    CHECK_RC(ios_file_read(file, back, 1, &n, &diag), KLM_E_STATE); /* no key yet */
    CHECK_RC(ios_file_write(file, "x", 1, &diag), KLM_E_STATE);
    REQUIRE_OK(ios_file_set_key(file, help_key));
    CHECK_RC(ios_file_set_key(file, help_key), KLM_E_STATE);
    ios_file_free(&file);
    ios_cart_free(&cart);
}

TEST(two_files_with_one_key_have_nothing_in_common)
{
    const char *one = test_path("salt1.aws"), *two = test_path("salt2.aws");

    help_plain(one, "DATA");
    help_plain(two, "DATA");
    struct klm_buf a = help_load(one), b = help_load(two);
    REQUIRE(a.n == b.n);
    size_t same = 0;
    for (size_t i = BLOCK_AT(0) + 6 + 24; i < BLOCK_AT(1) - 16; i++) {
        same += a.p[i] == b.p[i];
    }
    CHECK(same < 500); /* 1 in 256 by chance */
    klm_buf_done(&a);
    klm_buf_done(&b);
}

TEST(content_that_compresses_takes_less_tape)
{
    const char *path = test_path("small.aws");
    struct stat st;

    memset(content, 'a', sizeof content);
    help_create(path, "WXY662");
    struct ios_cart *cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "DATA", content, sizeof content, 4096);
    help_same(cart, 1, content, sizeof content);
    ios_cart_free(&cart);
    REQUIRE(stat(path, &st) == 0);
    CHECK(st.st_size < (off_t)sizeof content / 10);
}

TEST(a_full_disk_is_reported_and_the_volume_stays_as_it_was)
{
    const char *path = test_path("full.aws");
    struct ios_file_key key = help_file_key();
    struct klm_diag diag = {0};

    key.stored = true;
    help_plain(path, "FIRST");
    struct klm_buf before = help_load(path);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit limit = {before.n + 100000, before.n + 100000};
        struct ios_cart *cart = NULL;
        struct ios_file *file = NULL;
        klm_rc rc = KLM_OK;
        signal(SIGXFSZ, SIG_IGN); /* a limit on the file's size stands for a full disk */
        setrlimit(RLIMIT_FSIZE, &limit);
        if (ios_cart_open(path, IOS_CART_WRITE, NULL, &cart) != KLM_OK ||
            ios_file_begin_write(cart, "SECOND", &key, NULL, &file) != KLM_OK) {
            _exit(1);
        }
        for (int i = 0; i < 100 && rc == KLM_OK; i++) {
            rc = ios_file_write(file, back, 20000, &diag);
        }
        bool refused = rc != KLM_OK && diag.msg == KLM_MSG_FILE_WRITE &&
                       ios_file_close(&file, NULL, NULL) == rc && !file;
        ios_cart_free(&cart);
        _exit(refused ? 0 : 2);
    }
    int status = 1;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    struct klm_buf after = help_load(path);
    CHECK(klm_slice_equal(klm_buf_as_slice(&before), klm_buf_as_slice(&after)));
    klm_buf_done(&before);
    klm_buf_done(&after);
}

#define GOLDEN "tests/golden/cartridge/golden.aws"

TEST(a_cartridge_made_by_another_program_is_read)
{
    const char *path = test_path("golden.aws");
    struct klm_buf file = help_load(GOLDEN);
    struct klm_slice eedk[IOS_EEDKS];
    struct ios_file *open = NULL;
    uint8_t key[IOS_KEY_SIZE], expected[150];
    size_t n = 0;

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof expected; i++) {
        expected[i] = (uint8_t)(i * 7 + i / 64);
    }
    help_save(path, &file);
    struct ios_cart *cart = help_open(path, IOS_CART_READ);
    CHECK_INT(ios_cart_note(cart)->msg, KLM_MSG_NONE);
    CHECK_STR(ios_cart_volser(cart), "GOLD01");
    REQUIRE(ios_cart_files(cart) == 2);
    CHECK_STR(ios_cart_file(cart, 1)->dsname, "GOLDEN.EMPTY");
    CHECK_INT(ios_cart_file(cart, 0)->blocks, 4);
    CHECK_RC(help_read(cart, 1, key, back, sizeof back, &n, NULL), KLM_OK);
    REQUIRE(n == sizeof expected);
    CHECK_MEM(back, expected, n);
    CHECK_RC(help_read(cart, 2, key, back, sizeof back, &n, NULL), KLM_OK);
    CHECK_INT(n, 0);
    REQUIRE_OK(ios_file_open_read(cart, 1, NULL, &open));
    REQUIRE(ios_file_eedks(open, eedk) == 2);
    CHECK(klm_slice_equal(eedk[0], KLM_SLICE("first eedk", 10)));
    ios_file_free(&open);
    ios_cart_free(&cart);
}

TEST(another_program_reads_our_cartridges)
{
    static char text[4000];
    const char *path = test_path("ours.aws");
    struct ios_file_key key = help_file_key();
    struct ios_file *file = NULL;
    struct ios_cart *cart;
    char hex[2 * IOS_KEY_SIZE + 1];

    help_create(path, "WXY662");
    cart = help_open(path, IOS_CART_WRITE);
    key.stored = true;
    REQUIRE_OK(ios_file_begin_write(cart, "STORED", &key, NULL, &file));
    REQUIRE_OK(ios_file_write(file, "abc", 3, NULL));
    REQUIRE_OK(ios_file_close(&file, NULL, NULL));
    help_add(cart, "EMPTY", content, 0, 1);
    ios_cart_free(&cart);
    klm_hex(help_key, sizeof help_key, hex);
    CHECK_INT(run("tests/ios/readcart.py", path, hex, text, sizeof text), 0);
    /* SHA-256 of "abc" and of nothing. */
    CHECK(strstr(text, "file 1 STORED 2 [10, 6] "
                       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") != NULL);
    CHECK(strstr(text, "file 2 EMPTY 2 [10, 6] "
                       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") != NULL);
}

#define KEY_ID "des\0\0\0\0\0\0\0\0\x1f"

TEST(a_cartridge_of_an_lto_drive_names_its_key_by_an_identifier)
{
    const char *path = test_path("golden-lto.aws");
    struct klm_buf file = help_load("tests/golden/cartridge/golden-lto.aws");
    struct klm_slice eedk[IOS_EEDKS];
    struct ios_file *open = NULL;
    uint8_t key[IOS_KEY_SIZE], id[IOS_KEY_ID];
    size_t n = 0;

    for (size_t i = 0; i < sizeof key; i++) {
        key[i] = (uint8_t)i;
    }
    help_save(path, &file);
    struct ios_cart *cart = help_open(path, IOS_CART_READ);
    CHECK_RC(help_read(cart, 1, key, back, sizeof back, &n, NULL), KLM_OK);
    CHECK_INT(n, 150);
    REQUIRE_OK(ios_file_open_read(cart, 1, NULL, &open));
    CHECK_INT(ios_file_eedks(open, eedk), 0);
    CHECK(ios_file_key_id(open, id));
    CHECK_MEM(id, KEY_ID, sizeof id);
    ios_file_free(&open);
    ios_cart_free(&cart);
}

TEST(another_program_reads_our_cartridges_of_lto_drives)
{
    static char text[4000];
    const char *path = test_path("ours-lto.aws");
    struct ios_file_key key = help_file_key();
    struct ios_file *file = NULL;
    struct ios_cart *cart;
    char hex[2 * IOS_KEY_SIZE + 1];

    help_create(path, "WXY662");
    cart = help_open(path, IOS_CART_WRITE);
    key.stored = true;
    key.key_id = (const uint8_t *)KEY_ID;
    CHECK_RC(ios_file_begin_write(cart, "BOTH", &key, NULL, &file), KLM_E_INVALID); /* EEDKs, too */
    key.eedk_n = 0;
    REQUIRE_OK(ios_file_begin_write(cart, "STORED", &key, NULL, &file));
    REQUIRE_OK(ios_file_write(file, "abc", 3, NULL));
    REQUIRE_OK(ios_file_close(&file, NULL, NULL));
    ios_cart_free(&cart);
    klm_hex(help_key, sizeof help_key, hex);
    CHECK_INT(run("tests/ios/readcart.py", path, hex, text, sizeof text), 0);
    CHECK(strstr(text, "file 1 STORED 2 ['des00000000000000001f'] "
                       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") != NULL);
}

TEST(a_header_block_with_a_key_identifier_has_just_its_length)
{
    struct ios_cart_header header = {.chunk = 64, .by_id = true};
    struct klm_buf block;

    klm_buf_init(&block, IOS_CART_HEADER_MAX);
    REQUIRE_OK(ios_cart_header_encode(&header, &block));
    CHECK_INT(block.n, 60);
    CHECK_RC(ios_cart_header_decode(KLM_SLICE(block.p, 59), &header), KLM_E_INVALID);
    klm_buf_u8(&block, 0);
    CHECK_RC(ios_cart_header_decode(klm_buf_as_slice(&block), &header), KLM_E_INVALID);
    block.p[9] = 3;
    CHECK_RC(ios_cart_header_decode(klm_buf_as_slice(&block), &header), KLM_E_UNSUPPORTED);
    klm_buf_done(&block);
}

TEST(the_cartridge_memory_holds_a_copy_of_what_is_on_the_tape)
{
    const char *path = test_path("memory.aws");
    struct klm_pool *pool = NULL;
    struct ios_cart_header header;
    struct ios_cm cm = {0};
    char name[600];

    snprintf(name, sizeof name, "%s.cm", path);
    help_create(path, "WXY662");
    struct ios_cart *cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "ONE", content, 10, 10);
    help_add(cart, "TWO", content, MANY, MANY);
    REQUIRE_OK(klm_pool_new(0, &pool));
    REQUIRE_OK(ios_cm_load(path, pool, &cm));
    CHECK_STR(cm.volser, "WXY662");
    REQUIRE(cm.n == 2);
    CHECK_STR(cm.file[1].info.dsname, "TWO");
    CHECK_INT(cm.file[1].info.blocks, 7);
    REQUIRE_OK(ios_cart_header_decode(cm.file[1].header, &header));
    CHECK(klm_slice_equal(header.eedk[0], KLM_SLICE("first eedk", 10)));
    ios_cart_free(&cart);

    struct klm_buf whole = help_load(name);
    for (size_t n = 0; n < whole.n; n += 13) {
        struct klm_buf part = help_load(name);
        part.p[n] ^= 1;
        help_save(name, &part);
        CHECK_RC(ios_cm_load(path, pool, &cm), KLM_E_CORRUPT);
        help_put(name, KLM_SLICE(whole.p, n));
        CHECK_RC(ios_cm_load(path, pool, &cm), KLM_E_CORRUPT);
        help_put(name, klm_buf_as_slice(&whole));
    }
    /* Damaged, missing, or of a volume as it was before: made again from the tape at the next
     * mount. */
    for (int i = 0; i < 2; i++) {
        REQUIRE(unlink(name) == 0);
        if (i == 1) {
            help_put(name, KLM_SLICE("nonsense", 8));
        }
        cart = help_open(path, IOS_CART_READ);
        ios_cart_free(&cart);
        struct klm_buf again = help_load(name);
        CHECK(klm_slice_equal(klm_buf_as_slice(&again), klm_buf_as_slice(&whole)));
        klm_buf_done(&again);
    }
    klm_buf_done(&whole);
    klm_pool_free(&pool);
}
