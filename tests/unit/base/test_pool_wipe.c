/* What wiping pools and buffers leave behind: the whole writable memory of the process but its
 * stacks is searched for what they held. */
#include "test.h"
#include "tests/unit/peek.h"

#include "base/buf.h"
#include "base/pool.h"
#include "base/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK 65536
#define REGION_MAX ((uintptr_t)1 << 30) /* a sanitizer's own tables are larger */

static const char mark[] = "SECRETBYTES-7f31";
static char chunk[CHUNK];

/* Places of the mark from one address to another, where chunk is not. */
static unsigned places_in(uintptr_t from, uintptr_t to)
{
    unsigned n = 0;

    for (uintptr_t at = from; at < to; at += CHUNK - sizeof mark) {
        size_t want = to - at < CHUNK ? to - at : CHUNK;
        ssize_t got = test_peek(at, chunk, want);

        for (char *p = chunk;
             got > 0 && (p = memmem(p, (size_t)(chunk + got - p), mark, sizeof mark - 1)); p++) {
            n++;
        }
        memset(chunk, 0, CHUNK);
    }
    return n;
}

/* Places in one region but for chunk itself: the heap may follow it without a gap. */
static unsigned places_around(uintptr_t from, uintptr_t to)
{
    uintptr_t ours = (uintptr_t)chunk, end = ours + CHUNK;

    if (from >= end || to <= ours) {
        return places_in(from, to);
    }
    return (from < ours ? places_in(from, ours) : 0) + (to > end ? places_in(end, to) : 0);
}

/* The regions of the process, read without the heap, where a stream's buffer would cover what was
 * freed just before. */
static char *regions(void)
{
    static char text[1 << 19];
    size_t n = 0;
    ssize_t got;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)got;
    }
    text[n] = '\0';
    close(fd);
    return text;
}

static unsigned places(void)
{
    unsigned n = 0;

    for (char *line = regions(), *next; (next = strchr(line, '\n')); line = next + 1) {
        char *end;
        uintptr_t from = strtoull(line, &end, 16), to = strtoull(end + 1, &end, 16);

        *next = '\0';
        if (memcmp(end, " rw", 3) == 0 && !strstr(line, "[stack]") && to - from <= REGION_MAX) {
            n += places_around(from, to);
        }
    }
    return n;
}

TEST(the_search_finds_what_a_plain_pool_leaves)
{
    struct klm_pool *pool = NULL;

    REQUIRE_OK(klm_pool_new(0, &pool));
    CHECK_INT(places(), 0);
    REQUIRE(klm_pool_alloc(pool, 100) && klm_pool_str(pool, mark));
    CHECK_INT(places(), 1);
    klm_pool_free(&pool);
    CHECK_INT(places(), 1);
}

TEST(a_wiping_pool_clears_what_it_gave_out)
{
    struct klm_pool *pool = NULL;
    unsigned before = places();

    REQUIRE_OK(klm_pool_new_wiping(0, &pool));
    for (int i = 0; i < 200; i++) {
        REQUIRE(klm_pool_str(pool, mark) != NULL);
    }
    REQUIRE(klm_pool_printf(pool, "%s%5000d", mark, 1) != NULL);
    CHECK(places() >= before + 200);
    klm_pool_free(&pool);
    CHECK(places() <= before);
}

TEST(a_wiping_pool_clears_what_it_gave_out_when_it_is_used_again)
{
    struct klm_pool *pool = NULL;
    unsigned before = places();

    REQUIRE_OK(klm_pool_new_wiping(0, &pool));
    for (int i = 0; i < 200; i++) {
        REQUIRE(klm_pool_str(pool, mark) != NULL);
    }
    CHECK(places() >= before + 200);
    klm_pool_clear(pool);
    CHECK(places() <= before);
    klm_pool_free(&pool);
}

TEST(a_wiping_buffer_clears_on_growth_and_at_its_end)
{
    struct klm_buf buf;
    unsigned before = places();

    klm_buf_init_wiping(&buf, 1 << 20);
    klm_buf_text(&buf, mark);
    for (int i = 0; i < 1000; i++) {
        klm_buf_text(&buf, "0123456789");
    }
    CHECK(places() <= before + 1);
    klm_buf_printf(&buf, "%s", mark);
    CHECK(places() <= before + 2);
    klm_buf_done(&buf);
    CHECK(places() <= before);
}

TEST(dropped_and_cleared_bytes_are_gone_at_once)
{
    struct klm_buf buf;

    klm_buf_init_wiping(&buf, 100);
    klm_buf_text(&buf, "ab");
    klm_buf_text(&buf, mark);
    klm_buf_drop(&buf, buf.n - 1);
    CHECK(memmem(buf.p, sizeof mark - 1, "SECRET", 6) == NULL);
    CHECK_INT(buf.n, 1);
    klm_buf_text(&buf, mark);
    klm_buf_clear(&buf);
    CHECK(memmem(buf.p, sizeof mark - 1, "SECRET", 6) == NULL);
    klm_buf_done(&buf);
}

TEST(secret_memory_is_cleared_when_freed)
{
    unsigned before = places();
    char *p = klm_secret_alloc(sizeof mark);

    REQUIRE(p != NULL);
    memcpy(p, mark, sizeof mark);
    klm_secret_free(p, sizeof mark);
    CHECK(places() <= before);
}

TEST(what_the_crypto_library_frees_is_cleared)
{
    unsigned before = places();
    char *p = OPENSSL_malloc(100);

    REQUIRE(p != NULL);
    memcpy(p + 40, mark, sizeof mark);
    p = OPENSSL_realloc(p, 100000);
    REQUIRE(p != NULL);
    CHECK(strcmp(p + 40, mark) == 0);
    CHECK(places() <= before + 1);
    OPENSSL_free(p);
    CHECK(places() <= before);
}
