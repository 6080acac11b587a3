#include "tests/conformance/rules.h"

#include <stdio.h>
#include <string.h>

static const struct row {
    enum cf_rule kind;
    int64_t what, item; /* a tag or value, and the item in it */
    const char *begin, *text;
    bool missing, extra;
} rows[] = {
#define CF_FREE(tag) {.kind = CF_RULE_FREE, .what = KMIP_TAG_##tag},
#define CF_MOMENT(tag) {.kind = CF_RULE_MOMENT, .what = KMIP_TAG_##tag},
#define CF_OUTPUT(tag) {.kind = CF_RULE_OUTPUT, .what = KMIP_TAG_##tag},
#define CF_CONTENT(tag) {.kind = CF_RULE_CONTENT, .what = KMIP_TAG_##tag},
#define CF_OF_MADE(tag) {.kind = CF_RULE_OF_MADE, .what = KMIP_TAG_##tag},
#define CF_BAG(tag) {.kind = CF_RULE_BAG, .what = KMIP_TAG_##tag},
#define CF_UNORDERED(operation) {.kind = CF_RULE_UNORDERED, .what = KMIP_Operation_##operation},
#define CF_MAY(structure, inside, misses, exceeds)                                                 \
    {.kind = CF_RULE_MAY,                                                                          \
     .what = KMIP_TAG_##structure,                                                                 \
     .item = KMIP_TAG_##inside,                                                                    \
     .missing = (misses),                                                                          \
     .extra = (exceeds)},
#define CF_QUERY(function, inside)                                                                 \
    {.kind = CF_RULE_QUERY, .what = KMIP_QueryFunction_##function, .item = KMIP_TAG_##inside},
#define CF_NEEDS(name, operation)                                                                  \
    {.kind = CF_RULE_NEEDS, .begin = (name), .what = KMIP_Operation_##operation},
#define CF_HOLDS(name, type)                                                                       \
    {.kind = CF_RULE_HOLDS, .begin = (name), .what = KMIP_ObjectType_##type},
#define CF_FIRST(name, first) {.kind = CF_RULE_FIRST, .begin = (name), .text = (first)},
#define CF_SKIP(name, why) {.kind = CF_RULE_SKIP, .begin = (name), .text = (why)},
#include "tests/conformance/variation.def"
};

static bool begins(const char *name, const char *begin)
{
    return strncmp(name, begin, strlen(begin)) == 0;
}

static const struct row *find(enum cf_rule kind, int64_t what, int64_t item)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if (rows[i].kind == kind && rows[i].what == what && rows[i].item == item) {
            return &rows[i];
        }
    }
    return NULL;
}

bool cf_rule(enum cf_rule kind, int64_t what)
{
    return find(kind, what, 0) != NULL;
}

bool cf_rule_missing(uint32_t structure, uint32_t item)
{
    const struct row *row = find(CF_RULE_MAY, structure, item);

    return row && row->missing;
}

bool cf_rule_extra(uint32_t structure, uint32_t item)
{
    const struct row *row = find(CF_RULE_MAY, structure, item);

    return row && row->extra;
}

bool cf_rule_query(int64_t function, uint32_t item)
{
    return find(CF_RULE_QUERY, function, item) != NULL;
}

bool cf_rule_named(enum cf_rule kind, const char *name, int64_t value)
{
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        if (rows[i].kind == kind && rows[i].what == value && begins(name, rows[i].begin)) {
            return true;
        }
    }
    return false;
}

bool cf_rule_first(const char *name, size_t i, char *out, size_t cap)
{
    for (size_t row = 0; row < KLM_COUNT(rows); row++) {
        size_t n = rows[row].kind == CF_RULE_FIRST ? strlen(rows[row].begin) : 0;

        /* TC-OTP-1-13, but not TC-OTP-10-13 */
        if (n > 0 && begins(name, rows[row].begin) && name[n] == '-' && i-- == 0) {
            return snprintf(out, cap, "%s%s", rows[row].text, name + n) < (int)cap;
        }
    }
    return false;
}

const char *cf_rule_skip(const char *name)
{
    for (size_t row = 0; row < KLM_COUNT(rows); row++) {
        if (rows[row].kind == CF_RULE_SKIP && begins(name, rows[row].begin)) {
            return rows[row].text;
        }
    }
    return NULL;
}
