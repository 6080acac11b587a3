/* Volumes: any length comes back, nothing that was changed is given out, a write that fails leaves the volume before. */
#include "array_help.h"

#include "ios/array_volume.h"

#include <fcntl.h>

static uint8_t content[3 * IOS_VOLUME_BLOCK];
static char dir[4096];

static struct ios_volume_keys keys(void)
{
    return (struct ios_volume_keys){dir, ARRAY_SERIAL, GROUP, array_group_key};
}

static void begin(void)
{
    snprintf(dir, sizeof dir, "%s", test_path("array"));
    REQUIRE_OK(klm_folder_make(dir, 0700, NULL));
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (uint8_t)(i * 7 + i / 251);
    }
}

static int file_of(const void *p, size_t n)
{
    const char *path = test_path("input");
    int fd;

    REQUIRE_OK(klm_file_replace(path, KLM_SLICE(p, n), 0600, NULL));
    fd = open(path, O_RDONLY);
    REQUIRE(fd >= 0);
    return fd;
}

static void put(const char *name, size_t n)
{
    const struct ios_volume_keys with = keys();
    struct klm_diag diag = {0};
    uint64_t bytes = 0;
    int fd = file_of(content, n);

    REQUIRE_OK(ios_volume_write(&with, name, fd, &bytes, &diag));
    CHECK_INT(bytes, n);
    close(fd);
}

/* What a read gives out; the outcome, and what was given in *n. */
static klm_rc get(const struct ios_volume_keys *with, const char *name, struct klm_diag *diag,
                  struct klm_buf *out)
{
    const char *path = test_path("output");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    uint64_t bytes = 0;
    klm_rc rc;

    REQUIRE(fd >= 0);
    rc = ios_volume_read(with, name, fd, &bytes, diag);
    close(fd);
    klm_buf_init(out, sizeof content + 1);
    REQUIRE_OK(klm_file_read(path, sizeof content + 1, out, NULL));
    CHECK_INT(bytes, out->n);
    return rc;
}

static void comes_back(const char *name, size_t n, int line)
{
    const struct ios_volume_keys with = keys();
    struct klm_diag diag = {0};
    struct klm_buf out;

    test_rc(get(&with, name, &diag, &out), KLM_OK, name, __FILE__, line, false);
    test_int((int64_t)out.n, (int64_t)n, "length", __FILE__, line);
    CHECK(n == 0 || memcmp(out.p, content, n) == 0);
    klm_buf_done(&out);
}

TEST(any_length_comes_back)
{
    static const size_t lengths[] = {0,
                                     1,
                                     1000,
                                     IOS_VOLUME_BLOCK - 1,
                                     IOS_VOLUME_BLOCK,
                                     IOS_VOLUME_BLOCK + 1,
                                     2 * IOS_VOLUME_BLOCK,
                                     2 * IOS_VOLUME_BLOCK + 77};

    begin();
    for (size_t i = 0; i < KLM_COUNT(lengths); i++) {
        put("VOL", lengths[i]);
        comes_back("VOL", lengths[i], __LINE__);
    }
}

/* ---- Interference */

static char volume_path[4200];

static void load(struct klm_buf *file, const char *name)
{
    snprintf(volume_path, sizeof volume_path, "%s/volumes/%s.vol", dir, name);
    klm_buf_init(file, 2 * sizeof content);
    REQUIRE_OK(klm_file_read(volume_path, 2 * sizeof content, file, NULL));
}

static void store(struct klm_slice bytes)
{
    REQUIRE_OK(klm_file_replace(volume_path, bytes, 0600, NULL));
}

/* A read of the file as it is now must fail, having given out at most so many bytes, and those right. */
static void refused(klm_rc wanted, size_t most, int line)
{
    const struct ios_volume_keys with = keys();
    struct klm_diag diag = {0};
    struct klm_buf out;

    test_rc(get(&with, "VOL", &diag, &out), wanted, "read", __FILE__, line, false);
    CHECK(out.n <= most);
    CHECK(out.n == 0 || memcmp(out.p, content, out.n) == 0);
    klm_buf_done(&out);
}

TEST(nothing_that_was_changed_is_given_out)
{
    const size_t sealed = IOS_VOLUME_BLOCK + IOS_VOLUME_TAG, first = IOS_VOLUME_HEADER;
    struct klm_buf file;
    uint8_t *swap;

    begin();
    put("VOL", 2 * IOS_VOLUME_BLOCK + 77);
    load(&file, "VOL");
    static const struct {
        size_t at;
        klm_rc rc;
        size_t most;
    } flips[] = {{0, KLM_E_INVALID, 0},
                 {9, KLM_E_UNSUPPORTED, 0},
                 {12, KLM_E_UNSUPPORTED, 0},
                 {16, KLM_E_INVALID, 0},
                 {57, KLM_E_CORRUPT, 0}, /* when it was written: bound by the hash of the header */
                 {60, KLM_E_WRONGKEY, 0},
                 {100, KLM_E_WRONGKEY, 0},
                 {IOS_VOLUME_HEADER, KLM_E_CORRUPT, 0},
                 {IOS_VOLUME_HEADER + 65536 + 16 + 5, KLM_E_CORRUPT, IOS_VOLUME_BLOCK}};
    for (size_t i = 0; i < KLM_COUNT(flips); i++) {
        file.p[flips[i].at] ^= 1;
        store(klm_buf_as_slice(&file));
        refused(flips[i].rc, flips[i].most, __LINE__);
        file.p[flips[i].at] ^= 1;
    }
    store(KLM_SLICE(file.p, file.n - 1)); /* cut within the last block */
    refused(KLM_E_CORRUPT, 2 * IOS_VOLUME_BLOCK, __LINE__);
    store(KLM_SLICE(file.p, first + 2 * sealed)); /* the last block away */
    refused(KLM_E_CORRUPT, IOS_VOLUME_BLOCK, __LINE__);
    store(KLM_SLICE(file.p, first));
    refused(KLM_E_CORRUPT, 0, __LINE__);
    store(KLM_SLICE(file.p, first - 1));
    refused(KLM_E_INVALID, 0, __LINE__);
    klm_buf_u8(&file, 0); /* one byte too many */
    store(klm_buf_as_slice(&file));
    refused(KLM_E_CORRUPT, 2 * IOS_VOLUME_BLOCK, __LINE__);
    file.n--;
    swap = malloc(sealed); /* blocks exchanged */
    REQUIRE(swap != NULL);
    memcpy(swap, file.p + first, sealed);
    memcpy(file.p + first, file.p + first + sealed, sealed);
    memcpy(file.p + first + sealed, swap, sealed);
    store(klm_buf_as_slice(&file));
    refused(KLM_E_CORRUPT, 0, __LINE__);
    free(swap);
    klm_buf_done(&file);
}

TEST(a_volume_of_another_name_array_or_key_is_refused)
{
    struct ios_volume_keys with = keys();
    struct klm_diag diag = {0};
    struct klm_buf out;
    char other[4200];

    begin();
    put("VOL", 100);
    snprintf(volume_path, sizeof volume_path, "%s/volumes/VOL.vol", dir);
    snprintf(other, sizeof other, "%s/volumes/OTHER.vol", dir);
    REQUIRE(rename(volume_path, other) == 0);
    CHECK_RC(get(&with, "OTHER", &diag, &out), KLM_E_INVALID);
    CHECK_INT(diag.msg, KLM_MSG_VOLUME_OTHER);
    klm_buf_done(&out);
    CHECK_RC(get(&with, "VOL", &diag, &out), KLM_E_NOTFOUND);
    klm_buf_done(&out);
    REQUIRE(rename(other, volume_path) == 0);
    with.serial = "75DS80000002";
    CHECK_RC(get(&with, "VOL", &diag, &out), KLM_E_INVALID);
    klm_buf_done(&out);
    with = keys();
    with.group_key = array_data_key;
    CHECK_RC(get(&with, "VOL", &diag, &out), KLM_E_WRONGKEY);
    CHECK_INT(diag.msg, KLM_MSG_VOLUME_KEY);
    klm_buf_done(&out);
}

TEST(names_that_could_leave_the_folder_are_no_names)
{
    static const char *const bad[] = {"",   "vol", "../X", "A/B", ".", "A.B", "SEVENTEENLETTERS1",
                                      "A B"};
    const struct ios_volume_keys with = keys();
    struct klm_diag diag = {0};
    uint64_t bytes;

    begin();
    for (size_t i = 0; i < KLM_COUNT(bad); i++) {
        CHECK_RC(ios_volume_read(&with, bad[i], -1, &bytes, &diag), KLM_E_INVALID);
        CHECK_RC(ios_volume_write(&with, bad[i], -1, &bytes, &diag), KLM_E_INVALID);
    }
    CHECK_RC(ios_volume_name("SIXTEEN_LETTERS1", &diag), KLM_OK);
}

TEST(a_write_that_fails_leaves_the_volume_before)
{
    const struct ios_volume_keys with = keys();
    struct klm_diag diag = {0};
    uint64_t bytes = 0;
    char path[4200];
    int bad;

    begin();
    put("VOL", 1000);
    bad = open(dir, O_RDONLY | O_DIRECTORY); /* reading it fails */
    REQUIRE(bad >= 0);
    CHECK_RC(ios_volume_write(&with, "VOL", bad, &bytes, &diag), KLM_E_IO);
    CHECK_INT(diag.msg, KLM_MSG_FILE_READ);
    close(bad);
    comes_back("VOL", 1000, __LINE__);
    snprintf(path, sizeof path, "%s/volumes/VOL.new", dir);
    CHECK(access(path, F_OK) != 0);
    REQUIRE_OK(klm_file_replace(path, KLM_SLICE("left by a kill", 14), 0600, NULL));
    put("VOL", 7);
    comes_back("VOL", 7, __LINE__);
    CHECK(access(path, F_OK) != 0);
}

/* ---- The golden array, made by tests/ios/readarray.py from OpenSSL's EEDKs */

#define GOLDEN "tests/golden/array"

TEST(the_array_that_another_program_made_can_be_read)
{
    struct ios_array_state state;
    struct klm_diag diag = {0};
    struct klm_buf text, out;
    uint8_t group_key[32], recovery[32], again[32];

    REQUIRE_OK(ios_array_load(GOLDEN, &diag, &state));
    klm_buf_init(&text, 1000);
    REQUIRE_OK(klm_file_read("tests/golden/exchange/data.key", 32, &text, NULL));
    REQUIRE_OK(ios_array_open(IOS_USE_DATA_KEY, state.serial, state.group, text.p,
                              state.set[0].salt, state.set[0].wrapped, group_key));
    klm_buf_clear(&text);
    REQUIRE_OK(klm_file_read(GOLDEN "/recovery", 900, &text, NULL));
    klm_buf_u8(&text, 0);
    REQUIRE_OK(ios_recovery_parse((const char *)text.p, recovery));
    REQUIRE_OK(ios_array_open(IOS_USE_RECOVERY_KEY, state.serial, state.group, recovery,
                              state.recovery.salt, state.recovery.wrapped, again));
    CHECK_MEM(again, group_key, 32);
    const struct ios_volume_keys with = {GOLDEN, state.serial, state.group, group_key};
    REQUIRE_OK(get(&with, "GOLDEN", &diag, &out));
    CHECK_INT(out.n, 1000);
    for (size_t i = 0; i < out.n; i++) {
        CHECK(out.p[i] == i % 251);
    }
    klm_buf_done(&out);
    REQUIRE_OK(get(&with, "EMPTY", &diag, &out));
    CHECK_INT(out.n, 0);
    klm_buf_done(&out);
    klm_buf_done(&text);
}
