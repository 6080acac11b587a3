/* Secret memory. */
#include "test.h"

#include "base/secret.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(secret_memory_is_zeroed_and_counted)
{
    size_t before, used, reserved;
    uint8_t *p;

    klm_secret_usage(&before, &reserved);
    CHECK(reserved >= 1 << 22);
    p = klm_secret_alloc(100);
    REQUIRE(p != NULL);
    CHECK(CRYPTO_secure_allocated(p));
    klm_secret_usage(&used, &reserved);
    CHECK(used >= before + 100);
    for (int i = 0; i < 100; i++) {
        REQUIRE(p[i] == 0);
    }
    memset(p, 0xaa, 100);
    klm_secret_free(p, 100);
    klm_secret_usage(&used, &reserved);
    CHECK_INT(used, before);
}

TEST(more_than_the_reserve_is_refused)
{
    size_t used, reserved;

    klm_secret_usage(&used, &reserved);
    CHECK(klm_secret_alloc(reserved + 1) == NULL);
    CHECK(klm_secret_alloc(SIZE_MAX) == NULL);
}

TEST(a_used_up_reserve_gives_null_and_recovers)
{
    void *piece[300];
    size_t n = 0;

    while (n < KLM_COUNT(piece) && (piece[n] = klm_secret_alloc(65536)) != NULL) {
        n++;
    }
    CHECK(n > 10 && n < 65);
    while (n) {
        klm_secret_free(piece[--n], 65536);
    }
    piece[0] = klm_secret_alloc(65536);
    CHECK(piece[0] != NULL);
    klm_secret_free(piece[0], 65536);
}

TEST(openssl_gets_secret_memory_while_it_is_asked_for_and_gives_it_back)
{
    size_t before, used, reserved;
    char *p, *q;

    klm_secret_usage(&before, &reserved);
    klm_secret_crypto(true);
    p = OPENSSL_malloc(100);
    klm_secret_crypto(false);
    q = OPENSSL_malloc(100);
    REQUIRE(p != NULL && q != NULL);
    CHECK(klm_secret_holds(p));
    CHECK(!klm_secret_holds(q) && !klm_secret_holds(NULL));
    memset(p, 'k', 100);
    p = OPENSSL_realloc(p, 5000); /* what is secret does not leave by growing */
    REQUIRE(p != NULL);
    CHECK(klm_secret_holds(p));
    CHECK(p[0] == 'k' && p[99] == 'k');
    klm_secret_usage(&used, &reserved);
    CHECK(used >= before + 5000);
    OPENSSL_free(p);
    OPENSSL_free(q);
    klm_secret_usage(&used, &reserved);
    CHECK_INT(used, before);
}

TEST(openssl_is_told_when_secret_memory_is_used_up)
{
    size_t used, reserved;
    void *p;

    klm_secret_usage(&used, &reserved);
    klm_secret_crypto(true);
    p = OPENSSL_malloc(reserved + 1);
    klm_secret_crypto(false);
    CHECK(p == NULL);
}

TEST(nothing_is_freed_without_harm)
{
    void *p = klm_secret_alloc(0);

    CHECK(p != NULL);
    klm_secret_free(p, 0);
    klm_secret_free(NULL, 10);
    klm_wipe(NULL, 0);
}

TEST(the_process_leaves_no_core_and_cannot_be_traced)
{
    struct rlimit core;

    REQUIRE(getrlimit(RLIMIT_CORE, &core) == 0);
    CHECK_INT(core.rlim_cur, 0);
    CHECK_INT(core.rlim_max, 0);
    CHECK_INT(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
}

TEST(a_second_init_is_refused)
{
    CHECK_RC(klm_secret_init(1 << 20), KLM_E_STATE);
}

/* Exit status of a child that starts with a fresh secure heap and another limit of locked memory.
 */
static int init_in_child(size_t bytes, rlim_t limit)
{
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        struct rlimit rl = {limit, limit};

        CRYPTO_secure_malloc_done();
        if (setrlimit(RLIMIT_MEMLOCK, &rl) != 0 ||
            (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)) {
            _exit(99);
        }
        _exit((int)klm_secret_init(bytes));
    }
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(memory_that_cannot_be_locked_is_refused_at_the_start)
{
    CHECK_INT(init_in_child(1 << 20, 65536), KLM_E_NOMEM);
    CHECK_INT(init_in_child((size_t)1 << 40, 65536), KLM_E_LIMIT);
    CHECK_INT(init_in_child(16384, 65536), KLM_OK);
}

TEST(secrets_are_compared_by_all_their_bytes)
{
    CHECK(klm_secret_equal("0123456789abcdef", "0123456789abcdef", 16));
    CHECK(!klm_secret_equal("0123456789abcdef", "0123456789abcdeF", 16));
    CHECK(!klm_secret_equal("X123456789abcdef", "0123456789abcdef", 16));
    CHECK(klm_secret_equal("a", "b", 0));
}

TEST(random_bytes_differ_and_fill_what_was_asked)
{
    uint8_t a[1024] = {0}, b[1024] = {0};
    int zeros = 0;

    REQUIRE_OK(klm_random(a, sizeof a));
    REQUIRE_OK(klm_random(b, sizeof b));
    CHECK(memcmp(a, b, sizeof a) != 0);
    for (size_t i = 0; i < sizeof a; i++) {
        zeros += a[i] == 0;
    }
    CHECK(zeros < 32);
    CHECK_RC(klm_random(a, 0), KLM_OK);
}

TEST(wiped_memory_is_zero)
{
    uint8_t p[33], zero[33] = {0};

    memset(p, 7, sizeof p);
    klm_wipe(p, sizeof p);
    CHECK_MEM(p, zero, sizeof p);
}
