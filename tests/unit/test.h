/* Unit tests on CUnit: TEST(name) { ... } registers a test of the file's suite; the name says what it shows.
 * Use CHECK forms: they name the expression, and REQUIRE ends the test. One file is one program. */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include "base/rc.h"

#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void test_fn(void);
void test_register(const char *name, test_fn *fn);

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void test_reg_##name(void)                                 \
    {                                                                                              \
        test_register(#name, name);                                                                \
    }                                                                                              \
    static void name(void)

#define CHECK(expr) CU_ASSERT(expr)
#define REQUIRE(expr) CU_ASSERT_FATAL(expr)
#define CHECK_RC(call, expected) test_rc((call), (expected), #call, __FILE__, __LINE__, false)
#define REQUIRE_OK(call) test_rc((call), KLM_OK, #call, __FILE__, __LINE__, true)
#define CHECK_STR(got, expected) test_str((got), (expected), #got, __FILE__, __LINE__)
#define CHECK_INT(got, expected)                                                                   \
    test_int((int64_t)(got), (int64_t)(expected), #got, __FILE__, __LINE__)
#define CHECK_MEM(got, expected, n) test_mem((got), (expected), (n), #got, __FILE__, __LINE__)

void test_rc(klm_rc got, klm_rc expected, const char *what, const char *file, int line, bool fatal);
void test_str(const char *got, const char *expected, const char *what, const char *file, int line);
void test_int(int64_t got, int64_t expected, const char *what, const char *file, int line);
void test_mem(const void *got, const void *expected, size_t n, const char *what, const char *file,
              int line);

/* So many milliseconds, times what KLM_TEST_SLOW says: for what a test waits for, and deadlines it sets. */
uint32_t test_ms(uint32_t ms);

/* Wait until it holds, for a minute at most (times what KLM_TEST_SLOW says): then something is wrong. */
#define AWAIT(expr)                                                                                \
    for (uint32_t wait_naps = 0; !(expr) && test_nap(&wait_naps);) {                               \
    }
/* Ten milliseconds of sleep; false when there were enough of them. */
bool test_nap(uint32_t *naps);

/* Nanoseconds of processor time that the program has used: what something costs, whatever else the machine does. */
uint64_t test_cpu_ns(void);

/* A folder of the running program, made when first asked for and removed at the end; with a file name, a path in it
 * (in one of eight static buffers). */
const char *test_dir(void);
const char *test_path(const char *name);

#endif
