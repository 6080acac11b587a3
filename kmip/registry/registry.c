/* The tables, and looking things up in them. Rows stand sorted by code in the .def files; indexes by name are made once. */
#include "kmip/registry/registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct kmip_type_row types[] = {
#define KMIP_TYPE(name, code, text, bytes, since) {KMIP_##name, text, bytes, since},
#include "kmip/registry/types.def"
#undef KMIP_TYPE
};

static const struct kmip_tag_row tags[] = {
#define KMIP_TAG(name, code, since, until, type, values)                                           \
    {code, #name, since, until, KMIP_##type, KMIP_E_##values},
#include "kmip/registry/tags.def"
#undef KMIP_TAG
};

/* Where the row of a tag stands, and 1; codes of the specifications follow each other closely. */
enum {
#define KMIP_TAG(name, code, since, until, type, values) AT_##name,
#include "kmip/registry/tags.def"
#undef KMIP_TAG
};
#define TAG_FIRST 0x420000u
static const uint16_t tag_at[] = {
#define KMIP_TAG(name, code, since, until, type, values) [(code)-TAG_FIRST] = AT_##name + 1,
#include "kmip/registry/tags.def"
#undef KMIP_TAG
};

struct value_row {
    enum kmip_enum set;
    bool alias;
    uint32_t code;
    const char *name;
    int since;
};
#define KMIP_ENUM(name)
#define KMIP_MASK(name)
#define KMIP_VALUE(set, name, code, since) {KMIP_E_##set, false, code, #name, since},
#define KMIP_ALIAS(set, name, code, since) {KMIP_E_##set, true, code, #name, since},
static const struct value_row values[] = {
#include "kmip/registry/enums.def"
};
#undef KMIP_ENUM
#undef KMIP_MASK
#undef KMIP_VALUE
#undef KMIP_ALIAS

#define KMIP_ENUM(name) [KMIP_E_##name] = false,
#define KMIP_MASK(name) [KMIP_E_##name] = true,
#define KMIP_VALUE(set, name, code, since)
#define KMIP_ALIAS(set, name, code, since)
static const bool masks[KMIP_ENUMS] = {
#include "kmip/registry/enums.def"
};
#undef KMIP_ENUM
#undef KMIP_MASK
#undef KMIP_VALUE
#undef KMIP_ALIAS

static const struct kmip_attr_row attrs[] = {
#define KMIP_ATTRIBUTE(tag, name, since, until, flags, server, client, del, on, objects)           \
    {KMIP_TAG_##tag, name, since, until, flags, server, client, del, on, objects},
#include "kmip/registry/attributes.def"
#undef KMIP_ATTRIBUTE
};

/* Made once: tags by name, the first row of each set of values, attributes by tag. */
static struct {
    const struct kmip_tag_row *tag[KLM_COUNT(tags)];
    const struct kmip_attr_row *attr[KLM_COUNT(attrs)];
    struct attr_name {
        size_t n;
        const char *name;
        const struct kmip_attr_row *row;
    } attr_name[KLM_COUNT(attrs)]; /* by length, then by bytes */
    size_t first[KMIP_ENUMS + 1];
    int newest[KMIP_ENUMS]; /* the version since which all values of a set are known */
} by;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static int tag_names(const void *a, const void *b)
{
    const struct kmip_tag_row *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int attr_tags(const void *a, const void *b)
{
    const struct kmip_attr_row *const *x = a, *const *y = b;

    return ((*x)->tag > (*y)->tag) - ((*x)->tag < (*y)->tag);
}

static int attr_names(const void *a, const void *b)
{
    const struct attr_name *x = a, *y = b;

    return x->n != y->n ? (x->n > y->n) - (x->n < y->n) : memcmp(x->name, y->name, x->n);
}

static void make_attr_names(void)
{
    for (size_t i = 0; i < KLM_COUNT(attrs); i++) {
        by.attr_name[i] = (struct attr_name){strlen(attrs[i].name), attrs[i].name, &attrs[i]};
    }
    qsort(by.attr_name, KLM_COUNT(attrs), sizeof by.attr_name[0], attr_names);
}

static void make_indexes(void)
{
    size_t at = 0;

    for (size_t i = 0; i < KLM_COUNT(tags); i++) {
        by.tag[i] = &tags[i];
    }
    qsort(by.tag, KLM_COUNT(tags), sizeof by.tag[0], tag_names);
    for (size_t i = 0; i < KLM_COUNT(attrs); i++) {
        by.attr[i] = &attrs[i];
    }
    qsort(by.attr, KLM_COUNT(attrs), sizeof by.attr[0], attr_tags);
    make_attr_names();
    for (size_t set = 0; set <= KMIP_ENUMS; set++) {
        while (at < KLM_COUNT(values) && (size_t)values[at].set < set) {
            at++;
        }
        by.first[set] = at;
    }
    for (size_t i = 0; i < KLM_COUNT(values); i++) {
        int *newest = &by.newest[values[i].set];

        *newest = values[i].since > *newest ? values[i].since : *newest;
    }
}

static void ready(void)
{
    (void)pthread_once(&once, make_indexes); /* cannot fail with a valid control */
}

const struct kmip_type_row *kmip_type(uint32_t code)
{
    return code >= 1 && code <= KLM_COUNT(types) ? &types[code - 1] : NULL;
}

const struct kmip_type_row *kmip_type_find(const char *name)
{
    for (size_t i = 0; i < KLM_COUNT(types); i++) {
        if (strcmp(types[i].name, name) == 0) {
            return &types[i];
        }
    }
    return NULL;
}

const struct kmip_tag_row *kmip_tag(uint32_t code)
{
    const uint32_t at = code - TAG_FIRST;

    return at < KLM_COUNT(tag_at) && tag_at[at] ? &tags[tag_at[at] - 1] : NULL;
}

static int tag_name(const void *key, const void *row)
{
    return strcmp(key, (*(const struct kmip_tag_row *const *)row)->name);
}

const struct kmip_tag_row *kmip_tag_find(const char *name)
{
    const struct kmip_tag_row **row;

    ready();
    row = bsearch(name, by.tag, KLM_COUNT(tags), sizeof by.tag[0], tag_name);
    return row ? *row : NULL;
}

bool kmip_tag_known(uint32_t code, int version)
{
    const struct kmip_tag_row *tag = kmip_tag(code);

    return !tag || (version >= tag->since && version <= tag->until);
}

bool kmip_is_mask(enum kmip_enum set)
{
    return set < KMIP_ENUMS && masks[set];
}

/* The row that is written for a code, or NULL. */
static const struct value_row *value_row(enum kmip_enum set, uint32_t code)
{
    size_t low, high;

    ready();
    low = by.first[set];
    high = by.first[set + 1];
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (values[mid].code < code) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < by.first[set + 1] && values[low].code == code ? &values[low] : NULL;
}

const char *kmip_value_name(enum kmip_enum set, uint32_t code)
{
    const struct kmip_tag_row *tag = set == KMIP_E_TAG ? kmip_tag(code) : NULL;
    const struct value_row *row = set == KMIP_E_TAG ? NULL : value_row(set, code);

    return tag ? tag->name : row ? row->name : NULL;
}

klm_rc kmip_value_find(enum kmip_enum set, const char *name, uint32_t *code)
{
    const struct kmip_tag_row *tag = set == KMIP_E_TAG ? kmip_tag_find(name) : NULL;

    if (tag) {
        *code = tag->code;
        return KLM_OK;
    }
    ready();
    for (size_t i = by.first[set]; i < by.first[set + 1]; i++) {
        if (strcmp(values[i].name, name) == 0) {
            *code = values[i].code;
            return KLM_OK;
        }
    }
    return KLM_E_NOTFOUND;
}

bool kmip_value_known(enum kmip_enum set, uint32_t code, int version)
{
    const struct value_row *row;

    if (set == KMIP_E_TAG) {
        return kmip_tag_known(code, version);
    }
    ready();
    if (set < KMIP_ENUMS && version >= by.newest[set]) {
        return true;
    }
    row = value_row(set, code);
    return !row || version >= row->since;
}

static int attr_tag(const void *key, const void *row)
{
    uint32_t tag = *(const uint32_t *)key;
    const struct kmip_attr_row *attr = *(const struct kmip_attr_row *const *)row;

    return (tag > attr->tag) - (tag < attr->tag);
}

const struct kmip_attr_row *kmip_attr(uint32_t tag)
{
    const struct kmip_attr_row **row;

    ready();
    row = bsearch(&tag, by.attr, KLM_COUNT(attrs), sizeof by.attr[0], attr_tag);
    return row ? *row : NULL;
}

const struct kmip_attr_row *kmip_attr_find(struct klm_slice name)
{
    const struct attr_name *found, key = {.n = name.n, .name = (const char *)name.p};

    if (name.n == 0) {
        return NULL;
    }
    ready();
    found = bsearch(&key, by.attr_name, KLM_COUNT(attrs), sizeof by.attr_name[0], attr_names);
    return found ? found->row : NULL;
}

const struct kmip_attr_row *kmip_attrs(size_t *n)
{
    *n = KLM_COUNT(attrs);
    return attrs;
}
