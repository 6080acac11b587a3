/* Runs the tests that TEST registered, as one CUnit suite named after the program, and prints one
 * line a test: "ok NAME" or "not ok NAME" with the failed checks below it. tests/run adds the lines
 * up. */
#include "test.h"

#include "base/secret.h"

#include <ftw.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define TESTS_MAX 400

static struct {
    const char *name;
    test_fn *fn;
} tests[TESTS_MAX];
static size_t tests_n;
static char dir[256];

/* In front of the C library's: threads of low priority would get next to nothing where other tests keep the processors busy, and a test
 * that waits for one would fail. */
int setpriority(__priority_which_t which, id_t who, int priority)
{
    (void)which, (void)who, (void)priority;
    return 0;
}

void test_register(const char *name, test_fn *fn)
{
    if (tests_n == TESTS_MAX) {
        fprintf(stderr, "more than %d tests in one file\n", TESTS_MAX);
        exit(2);
    }
    tests[tests_n].name = name;
    tests[tests_n++].fn = fn;
}

void test_rc(klm_rc got, klm_rc expected, const char *what, const char *file, int line, bool fatal)
{
    char text[400];

    snprintf(text, sizeof text, "%s is %s, not %s", what, klm_rc_name(got), klm_rc_name(expected));
    CU_assertImplementation(got == expected, (unsigned)line, text, file, "", fatal);
}

void test_str(const char *got, const char *expected, const char *what, const char *file, int line)
{
    char text[1200];
    bool same = got && expected ? strcmp(got, expected) == 0 : got == expected;

    snprintf(text, sizeof text, "%s is \"%.500s\", not \"%.500s\"", what, got ? got : "(null)",
             expected ? expected : "(null)");
    CU_assertImplementation(same, (unsigned)line, text, file, "", CU_FALSE);
}

void test_int(int64_t got, int64_t expected, const char *what, const char *file, int line)
{
    char text[400];

    snprintf(text, sizeof text, "%.300s is %lld, not %lld", what, (long long)got,
             (long long)expected);
    CU_assertImplementation(got == expected, (unsigned)line, text, file, "", CU_FALSE);
}

void test_mem(const void *got, const void *expected, size_t n, const char *what, const char *file,
              int line)
{
    const uint8_t *g = got, *e = expected;
    size_t at = 0;
    char text[400];

    while (g && at < n && g[at] == e[at]) {
        at++;
    }
    snprintf(text, sizeof text, "%.300s differs at byte %zu of %zu", what, at, n);
    CU_assertImplementation(g && at == n, (unsigned)line, text, file, "", CU_FALSE);
}

uint32_t test_ms(uint32_t ms)
{
    const char *slow = getenv("KLM_TEST_SLOW");
    double factor = slow ? strtod(slow, NULL) : 1;

    return factor > 1 ? (uint32_t)((double)ms * factor) : ms;
}

bool test_nap(uint32_t *naps)
{
    usleep(10000);
    return ++*naps < test_ms(60000) / 10;
}

uint64_t test_cpu_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

const char *test_dir(void)
{
    const char *base = getenv("TMPDIR");

    if (!dir[0]) {
        snprintf(dir, sizeof dir, "%s/klm-unit-XXXXXX", base ? base : "/tmp");
        if (!mkdtemp(dir)) {
            perror(dir);
            exit(2);
        }
    }
    return dir;
}

const char *test_path(const char *name)
{
    static char path[8][512];
    static unsigned turn;

    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof path[turn], "%s/%s", test_dir(), name);
    return path[turn];
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

static void report(const CU_pTest test, const CU_pSuite suite, const CU_pFailureRecord failure)
{
    (void)suite;
    printf("%s %s\n", failure ? "not ok" : "ok", test->pName);
    for (CU_pFailureRecord f = failure; f; f = f->pNext) {
        printf("#   %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    CU_pSuite suite;
    unsigned failed;

    if (klm_secret_init(1 << 22) != KLM_OK) {
        fprintf(stderr, "secret memory cannot be locked\n");
        return 2;
    }
    if (CU_initialize_registry() != CUE_SUCCESS || !(suite = CU_add_suite(argv[0], NULL, NULL))) {
        return 2;
    }
    for (size_t i = 0; i < tests_n; i++) {
        if (argc < 2 || strstr(tests[i].name, argv[1])) {
            CU_add_test(suite, tests[i].name, tests[i].fn);
        }
    }
    CU_set_test_complete_handler(report);
    CU_run_all_tests();
    failed = CU_get_number_of_tests_failed();
    CU_cleanup_registry();
    if (dir[0]) {
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    return failed ? 1 : 0;
}
