/* Helpers of the keyring tests: golden files, a store in memory, certificates of each role,
 * openssl's command line. */
#ifndef TESTS_KEYRING_HELP_H
#define TESTS_KEYRING_HELP_H

#include "test.h"

#include "base/file.h"
#include "keyring/kr.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define GOLDEN "tests/golden/keyring/"
#define UNUSED __attribute__((unused))
#define SECOND ((klm_time)1000000)
#define DAY (86400 * SECOND)

extern char **environ;

/* One pool for the program's tests; never freed before the end. */
static UNUSED struct klm_pool *test_pool(void)
{
    static struct klm_pool *pool;

    if (!pool) {
        REQUIRE_OK(klm_pool_new((size_t)256 << 20, &pool));
    }
    return pool;
}

static UNUSED struct klm_slice load(const char *path)
{
    struct klm_buf buf;
    struct klm_slice out;

    klm_buf_init(&buf, 1 << 20);
    REQUIRE_OK(klm_file_read(path, 1 << 20, &buf, NULL));
    REQUIRE_OK(klm_pool_slice(test_pool(), klm_buf_as_slice(&buf), &out));
    klm_buf_done(&buf);
    return out;
}

/* A copy that may be changed, with a zero byte after it. */
static UNUSED uint8_t *copy_of(struct klm_slice in)
{
    uint8_t *p = klm_pool_alloc(test_pool(), in.n + 1);

    REQUIRE(p != NULL);
    memcpy(p, in.p, in.n);
    return p;
}

/* The test's master key, 00 01 .. 1f, as two parts. */
static UNUSED struct kr_master *master_of(uint8_t first)
{
    uint8_t parts[2][32];
    struct kr_master *master = NULL;

    for (size_t i = 0; i < 32; i++) {
        parts[0][i] = 0x5a;
        parts[1][i] = (uint8_t)(0x5a ^ (first + i));
    }
    REQUIRE_OK(kr_master_from_parts((const uint8_t(*)[32])parts, 2, &master));
    return master;
}

static UNUSED struct st_store *store_new(void)
{
    struct st_options options = {.create = true};
    struct st_store *store = NULL;

    memset(options.mac_key, 7, sizeof options.mac_key);
    REQUIRE_OK(st_open_memory(&options, &store));
    return store;
}

static UNUSED struct st_change *change_new(struct st_store *store)
{
    struct st_change *change = NULL;

    REQUIRE_OK(st_change_open(store, &change));
    return change;
}

static UNUSED struct st_view *view_new(struct st_store *store)
{
    struct st_view *view = NULL;

    REQUIRE_OK(st_view_open(store, &view));
    return view;
}

/* A certificate and its key. */
struct made {
    struct klm_slice der;
    struct kr_key *key;
};

static UNUSED struct made make_cert(const char *subject, struct kr_spec spec, enum kr_role role,
                                    const struct made *issuer)
{
    struct kr_gencert gencert = {.owner = "TAPEKMS",
                                 .label = "x",
                                 .token_label = "X",
                                 .subject = subject,
                                 .spec = spec,
                                 .role = role};
    struct klm_diag diag = {0};
    struct made made = {0};

    REQUIRE_OK(kr_gencert(&gencert, issuer ? issuer->der : KLM_SLICE(NULL, 0),
                          issuer ? issuer->key : NULL, test_pool(), &diag, &made.der, &made.key));
    return made;
}

/* A certificate whose key is elsewhere. */
static UNUSED struct made make_keyless(const char *subject, struct kr_spec spec, enum kr_role role)
{
    struct made made = make_cert(subject, spec, role, NULL);

    kr_key_free(&made.key);
    return made;
}

#define RSA2048 ((struct kr_spec){KR_RSA, 2048})
#define P256 ((struct kr_spec){KR_EC, 256})
#define P384 ((struct kr_spec){KR_EC, 384})

static UNUSED const char *write_temp(const char *name, struct klm_slice content)
{
    const char *path = test_path(name);

    (void)unlink(path); /* it may be there from an earlier test */
    REQUIRE_OK(klm_file_create(path, content, 0600, NULL));
    return path;
}

/* The output of openssl with these arguments, or NULL when it failed. Lives in the pool. */
static UNUSED const char *openssl(const char *const *args)
{
    const char *argv[24] = {"openssl"};
    const char *out = test_path("openssl.out");
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;

    for (size_t i = 0; i < 22 && args[i]; i++) {
        argv[i + 1] = args[i];
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    (void)posix_spawn_file_actions_adddup2(&actions, 1, 2);
    union {
        const char **in;
        char *const *out;
    } plain = {argv};
    REQUIRE(posix_spawnp(&pid, "openssl", &actions, NULL, plain.out, environ) == 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    struct klm_slice text = load(out);
    char *s = klm_pool_strn(test_pool(), (const char *)text.p, text.n);
    REQUIRE(s != NULL);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? s : NULL;
}
#define OPENSSL(...) openssl((const char *const[]){__VA_ARGS__, NULL})

/* The clear form in hex that the independent reader finds in a token under master_of(0). */
static UNUSED const char *python_opens(struct klm_slice token, const char *label)
{
    const char *argv[] = {
        "python3", "tests/keyring/token_vector.py",
        "open",    write_temp("token", token),
        label,     "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        NULL};
    const char *out = test_path("python.out");
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int status = -1;
    union {
        const char **in;
        char *const *out;
    } plain = {argv};

    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(setenv("PYTHONDONTWRITEBYTECODE", "1", 1) == 0);
    REQUIRE(posix_spawnp(&pid, "python3", &actions, NULL, plain.out, environ) == 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
    struct klm_slice text = load(out);
    return klm_pool_strn(test_pool(), (const char *)text.p, text.n ? text.n - 1 : 0);
}

/* Lines said by the code under test. */
static UNUSED char said[8192];
static UNUSED void hear(void *arg, char severity, const char *line)
{
    size_t n = strlen(said);

    (void)arg, (void)severity;
    (void)snprintf(said + n, sizeof said - n, "%s\n", line);
}
static UNUSED void listen_now(void)
{
    said[0] = 0;
    klm_say_to(hear, NULL);
}

#endif
