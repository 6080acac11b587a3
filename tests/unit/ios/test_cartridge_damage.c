/* Interference with cartridges: whatever is done to the tape is seen, with a message of its own,
 * and nothing behind it is given out. */
#include "cart_help.h"

#include "base/ebcdic.h"

TEST(a_wrong_key_opens_nothing)
{
    help_plain(test_path("wrongkey.aws"), "DATA");
    help_refused(test_path("wrongkey.aws"), 1, help_other_key, KLM_E_WRONGKEY,
                 KLM_MSG_CART_WRONG_KEY, 0);
}

static void flip(const char *path, size_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t c = 0;

    REQUIRE(fd >= 0 && pread(fd, &c, 1, (off_t)at) == 1);
    c ^= 0x10;
    REQUIRE(pwrite(fd, &c, 1, (off_t)at) == 1);
    close(fd);
}

TEST(each_changed_byte_of_a_block_is_found)
{
    const size_t size = IOS_CART_CHUNK + IOS_CART_OVERHEAD;
    const char *path = test_path("flip.aws");

    help_plain(path, "DATA");
    for (size_t i = 0; i < size; i += i >= 40 && i < size - 40 ? 1511 : 1) {
        struct klm_diag diag = {0};
        size_t got = 0;

        flip(path, BLOCK_AT(2) + 6 + i);
        struct ios_cart *cart = help_open(path, IOS_CART_READ);
        CHECK_RC(help_read(cart, 1, help_key, back, sizeof back, &got, &diag), KLM_E_CORRUPT);
        CHECK(diag.msg != KLM_MSG_NONE);
        CHECK_INT(got, 2 * IOS_CART_CHUNK);
        CHECK(memcmp(back, content, got) == 0);
        ios_cart_free(&cart);
        flip(path, BLOCK_AT(2) + 6 + i);
    }
}

TEST(a_changed_header_block_opens_nothing)
{
    const char *path = test_path("head.aws");

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    file.p[HEADER_AT + 6 + 20] ^= 1; /* the salt */
    help_save(path, &file);
    /* The blocks name another header's hash. */
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_FOREIGN, 0);
    help_plain(path, "DATA");
    file = help_load(path);
    file.p[HEADER_AT + 6 + 53] ^= 1; /* an EEDK */
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_FOREIGN, 0);
}

TEST(a_damaged_header_block_is_replaced_by_the_copy_in_the_cartridge_memory)
{
    const char *path = test_path("copy.aws");
    char cm[600];

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    file.p[HEADER_AT + 6] ^= 1; /* the magic number */
    help_save(path, &file);
    struct ios_cart *cart = help_open(path, IOS_CART_READ);
    help_same(cart, 1, content, MANY);
    ios_cart_free(&cart);
    snprintf(cm, sizeof cm, "%s.cm", path);
    REQUIRE(unlink(cm) == 0);
    help_refused(path, 1, help_key, KLM_E_UNSUPPORTED, KLM_MSG_CART_NOT_OURS, 0);
}

TEST(exchanged_blocks_are_found)
{
    const char *path = test_path("swap.aws");
    static uint8_t one[IOS_CART_CHUNK + IOS_CART_OVERHEAD];

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    memcpy(one, file.p + BLOCK_AT(1) + 6, sizeof one);
    memcpy(file.p + BLOCK_AT(1) + 6, file.p + BLOCK_AT(2) + 6, sizeof one);
    memcpy(file.p + BLOCK_AT(2) + 6, one, sizeof one);
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_ORDER, IOS_CART_CHUNK);
}

/* Take the bytes [from, to) out of a file. */
static void take_out(const char *path, size_t from, size_t to)
{
    struct klm_buf file = help_load(path);

    memmove(file.p + from, file.p + to, file.n - to);
    file.n -= to - from;
    help_save(path, &file);
}

TEST(a_dropped_block_is_found)
{
    const char *path = test_path("drop.aws");

    help_plain(path, "DATA");
    take_out(path, BLOCK_AT(3), BLOCK_AT(4));
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_ORDER, 3 * IOS_CART_CHUNK);
}

TEST(a_repeated_block_is_found)
{
    const char *path = test_path("again.aws");

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    memcpy(file.p + BLOCK_AT(2) + 6, file.p + BLOCK_AT(1) + 6, IOS_CART_CHUNK + IOS_CART_OVERHEAD);
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_ORDER, 2 * IOS_CART_CHUNK);
}

TEST(a_renumbered_block_is_found)
{
    const char *path = test_path("renumber.aws");

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    memcpy(file.p + BLOCK_AT(2) + 6, file.p + BLOCK_AT(1) + 6, IOS_CART_CHUNK + IOS_CART_OVERHEAD);
    file.p[BLOCK_AT(2) + 6 + 15] = 2;
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_TAG, 2 * IOS_CART_CHUNK);
}

TEST(blocks_cut_off_at_the_end_are_missed)
{
    const char *path = test_path("tail.aws");

    help_plain(path, "DATA");
    /* The last block has 17 bytes of content; the mark behind it must name the length of the
     * block before. */
    take_out(path, BLOCK_AT(5), BLOCK_AT(5) + 6 + 17 + IOS_CART_OVERHEAD);
    struct klm_buf file = help_load(path);
    file.p[BLOCK_AT(5) + 2] = (IOS_CART_CHUNK + IOS_CART_OVERHEAD) & 0xFF;
    file.p[BLOCK_AT(5) + 3] = (IOS_CART_CHUNK + IOS_CART_OVERHEAD) >> 8;
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_CUT, 5 * IOS_CART_CHUNK);
}

TEST(a_block_that_only_claims_to_be_the_last_is_found)
{
    const char *path = test_path("claim.aws");

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    file.p[BLOCK_AT(4) + 6 + 2] |= 1;
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_TAG, 4 * IOS_CART_CHUNK);
}

TEST(blocks_behind_the_last_are_found)
{
    const char *path = test_path("more.aws");
    const size_t last = 17 + IOS_CART_OVERHEAD;

    help_plain(path, "DATA");
    struct klm_buf file = help_load(path);
    REQUIRE(klm_buf_room(&file, 6 + last) != NULL);
    size_t at = BLOCK_AT(5);
    memmove(file.p + at + 6 + last, file.p + at, file.n - at); /* the last block twice */
    file.n += 6 + last;
    file.p[at + 6 + last + 2] = last;
    file.p[at + 6 + last + 3] = 0;
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_TRAILING, 5 * IOS_CART_CHUNK);
}

TEST(a_block_of_another_file_is_found)
{
    const char *path = test_path("other1.aws"), *other = test_path("other2.aws");

    help_plain(path, "DATA");
    help_plain(other, "DATA");
    struct klm_buf file = help_load(path), donor = help_load(other);
    memcpy(file.p + BLOCK_AT(1) + 6, donor.p + BLOCK_AT(1) + 6, IOS_CART_CHUNK + IOS_CART_OVERHEAD);
    klm_buf_done(&donor);
    help_save(path, &file);
    help_refused(path, 1, help_key, KLM_E_CORRUPT, KLM_MSG_CART_BLOCK_FOREIGN, IOS_CART_CHUNK);
}

TEST(a_volume_damaged_in_the_middle_is_never_written)
{
    const char *path = test_path("middle.aws");
    struct ios_file_key key = help_file_key();
    struct klm_diag diag = {0};
    struct ios_file *file = NULL;
    struct ios_cart *cart;

    help_plain(path, "FIRST");
    cart = help_open(path, IOS_CART_WRITE);
    help_add(cart, "SECOND", content, 10, 10);
    help_add(cart, "THIRD", content, 10, 10);
    ios_cart_free(&cart);
    struct klm_buf bytes = help_load(path);
    size_t hdr1 = bytes.n;
    uint8_t name[6];
    ios_label_dummy(back);
    klm_to_ebcdic("SECOND", name, 6);
    for (size_t i = 0; i + 6 < bytes.n && hdr1 == bytes.n; i++) {
        hdr1 = memcmp(bytes.p + i, name, 6) == 0 ? i - 4 : hdr1;
    }
    bytes.p[hdr1] = 0;
    help_save(path, &bytes);
    cart = help_open(path, IOS_CART_WRITE);
    CHECK_INT(ios_cart_note(cart)->msg, KLM_MSG_CART_DAMAGED);
    CHECK_INT(ios_cart_files(cart), 1);
    help_same(cart, 1, content, MANY);
    CHECK_RC(ios_file_begin_write(cart, "FOURTH", &key, &diag, &file), KLM_E_STATE);
    CHECK_INT(diag.msg, KLM_MSG_CART_DAMAGED);
    ios_cart_free(&cart);
}

TEST(after_a_refused_block_nothing_more_is_given_out)
{
    const char *path = test_path("sticky.aws");
    struct ios_file *file = NULL;
    size_t n = 0;

    help_plain(path, "DATA");
    struct klm_buf bytes = help_load(path);
    bytes.p[BLOCK_AT(0) + 100] ^= 1;
    help_save(path, &bytes);
    struct ios_cart *cart = help_open(path, IOS_CART_READ);
    REQUIRE_OK(ios_file_open_read(cart, 1, NULL, &file));
    REQUIRE_OK(ios_file_set_key(file, help_key));
    for (int i = 0; i < 3; i++) {
        CHECK_RC(ios_file_read(file, back, sizeof back, &n, NULL), KLM_E_WRONGKEY);
        CHECK_INT(n, 0);
    }
    ios_file_free(&file);
    ios_cart_free(&cart);
}
