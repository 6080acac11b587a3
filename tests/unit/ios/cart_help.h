/* What the cartridge tests share: keys, content, a cartridge with files. */
#ifndef TESTS_UNIT_IOS_CART_HELP_H
#define TESTS_UNIT_IOS_CART_HELP_H

#include "test.h"

#include "base/file.h"
#include "ios/awstape.h"
#include "ios/cartridge.h"
#include "ios/cartridge_block.h"
#include "ios/labels.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint8_t help_key[IOS_KEY_SIZE] = {1, 2, 3};
static const uint8_t help_other_key[IOS_KEY_SIZE] = {1, 2, 4};

static inline struct ios_file_key help_file_key(void)
{
    return (struct ios_file_key){.key = help_key,
                                 .eedk_n = 2,
                                 .job = "ENCRYPT",
                                 .step = "STEP2",
                                 .eedk = {KLM_SLICE("first eedk", 10), KLM_SLICE("second", 6)}};
}

/* Content that neither repeats nor compresses well, the same at each run. */
static inline void help_fill(uint8_t *p, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (uint8_t)(seed >> 24);
    }
}

static inline struct ios_cart *help_open(const char *path, enum ios_cart_mode mode)
{
    struct ios_cart *cart = NULL;

    REQUIRE_OK(ios_cart_open(path, mode, NULL, &cart));
    return cart;
}

static inline void help_create(const char *path, const char *volser)
{
    REQUIRE_OK(ios_cart_create(path, volser, NULL));
}

/* One more file of n bytes, written in pieces of step. */
static inline void help_add(struct ios_cart *cart, const char *dsname, const uint8_t *p, size_t n,
                            size_t step)
{
    struct ios_file_key key = help_file_key();
    struct ios_file *file = NULL;

    REQUIRE_OK(ios_file_begin_write(cart, dsname, &key, NULL, &file));
    for (size_t at = 0; at < n; at += step) {
        REQUIRE_OK(ios_file_write(file, p + at, n - at < step ? n - at : step, NULL));
    }
    REQUIRE_OK(ios_file_close(&file, NULL, NULL));
}

/* Everything that comes of a file into out (cap bytes); the outcome of the read that ended it. */
static inline klm_rc help_read(struct ios_cart *cart, unsigned seq, const uint8_t *key,
                               uint8_t *out, size_t cap, size_t *n, struct klm_diag *diag)
{
    struct ios_file *file = NULL;
    klm_rc rc = ios_file_open_read(cart, seq, diag, &file);
    size_t got = 1;

    *n = 0;
    if (rc == KLM_OK) {
        rc = ios_file_set_key(file, key);
    }
    while (rc == KLM_OK && got > 0) {
        got = 0;
        rc = ios_file_read(file, out + *n, cap - *n, &got, diag);
        *n += got;
    }
    ios_file_free(&file);
    return rc;
}

#define MANY (5 * IOS_CART_CHUNK + 17)

static uint8_t content[MANY], back[MANY + 1];

static inline void help_same(struct ios_cart *cart, unsigned seq, const uint8_t *p, size_t n)
{
    struct klm_diag diag = {0};
    size_t got = 0;

    CHECK_RC(help_read(cart, seq, help_key, back, sizeof back, &got, &diag), KLM_OK);
    CHECK_STR(diag.text, "");
    REQUIRE(got == n);
    CHECK(n == 0 || memcmp(back, p, n) == 0);
}

static inline void help_refused(const char *path, unsigned seq, const uint8_t *key, klm_rc rc,
                                enum klm_msg_id msg, size_t most)
{
    struct ios_cart *cart = help_open(path, IOS_CART_READ);
    struct klm_diag diag = {0};
    size_t got = 0;

    CHECK_RC(help_read(cart, seq, key, back, sizeof back, &got, &diag), rc);
    CHECK_INT(diag.msg, msg);
    CHECK(got <= most);
    CHECK(memcmp(back, content, got) == 0);
    ios_cart_free(&cart);
}

/* A volume with one file of all of content, uncompressed so that each block has a known place. */
static inline void help_plain(const char *path, const char *dsname)
{
    struct ios_file_key key = help_file_key();
    struct ios_file *file = NULL;
    struct ios_cart *cart;

    help_fill(content, sizeof content, 1);
    (void)unlink(path);
    help_create(path, "WXY662");
    cart = help_open(path, IOS_CART_WRITE);
    key.stored = true;
    REQUIRE_OK(ios_file_begin_write(cart, dsname, &key, NULL, &file));
    REQUIRE_OK(ios_file_write(file, content, sizeof content, NULL));
    REQUIRE_OK(ios_file_close(&file, NULL, NULL));
    ios_cart_free(&cart);
}

/* VOL1, HDR1, HDR2, mark; then the header block; then data blocks of known length. */
#define HEADER_AT (3 * 86 + 6)
#define HEADER_N (50 + 2 + 10 + 2 + 6)
#define BLOCK_AT(i)                                                                                \
    (HEADER_AT + 6 + HEADER_N + (size_t)(i) * (IOS_CART_CHUNK + IOS_CART_OVERHEAD + 6))

static inline struct klm_buf help_load(const char *path)
{
    struct klm_buf buf;

    klm_buf_init(&buf, 1 << 20);
    REQUIRE_OK(klm_file_read(path, 1 << 20, &buf, NULL));
    return buf;
}

static inline void help_put(const char *path, struct klm_slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    REQUIRE(fd >= 0);
    REQUIRE_OK(klm_write_all(fd, bytes.p, bytes.n));
    close(fd);
}

static inline void help_save(const char *path, struct klm_buf *buf)
{
    help_put(path, klm_buf_as_slice(buf));
    klm_buf_done(buf);
}

#endif
