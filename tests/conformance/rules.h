/* The rows of variation.def as questions. */
#ifndef TESTS_CONFORMANCE_RULES_H
#define TESTS_CONFORMANCE_RULES_H

#include "kmip/codec/node.h"

enum cf_rule {
    CF_RULE_FREE,
    CF_RULE_MOMENT,
    CF_RULE_OUTPUT,
    CF_RULE_CONTENT,
    CF_RULE_OF_MADE,
    CF_RULE_BAG,
    CF_RULE_UNORDERED,
    CF_RULE_MAY,
    CF_RULE_QUERY,
    CF_RULE_NEEDS,
    CF_RULE_HOLDS,
    CF_RULE_FIRST,
    CF_RULE_SKIP
};

/* Is there a row of the kind for a tag (an operation, of CF_RULE_UNORDERED)? */
bool cf_rule(enum cf_rule kind, int64_t what);
/* May the item be missing from the Structure, or be there unasked? */
bool cf_rule_missing(uint32_t structure, uint32_t item);
bool cf_rule_extra(uint32_t structure, uint32_t item);
/* May an item be in the answer of a Query with this function? */
bool cf_rule_query(int64_t function, uint32_t item);
/* CF_RULE_NEEDS, CF_RULE_HOLDS: must Query of a case report the operation, or object type, that it shows? */
bool cf_rule_named(enum cf_rule kind, const char *name, int64_t value);
/* The i-th case to be played before this one, in out; false: no more. */
bool cf_rule_first(const char *name, size_t i, char *out, size_t cap);
/* Why no client can play a case; NULL when it can. */
const char *cf_rule_skip(const char *name);

#endif
