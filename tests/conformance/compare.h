/* Is an answer the one that a case shows? As the profiles permit it to vary (variation.def), and not a bit further. */
#ifndef TESTS_CONFORMANCE_COMPARE_H
#define TESTS_CONFORMANCE_COMPARE_H

#include "tests/conformance/memory.h"

/* Compare an answer with the expected one, and learn what variables and the server's own values are. request: as it was sent. False: why names the first difference
 * with its place; values of secret items are not shown. */
bool cf_same(struct cf_memory *memory, const struct cf_case *test, const struct kmip_node *request,
             const struct kmip_node *expected, const struct kmip_node *answer,
             char why[CF_WHY_MAX]);

#endif
