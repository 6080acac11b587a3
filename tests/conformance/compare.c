/* A walk over two trees at once. What is asked of an item is asked of what it means, so that Attribute Values of 1.x and attributes of 2.x are one. */
#include "tests/conformance/compare.h"

#include "kmip/codec/dump.h"
#include "kmip/codec/text.h"
#include "tests/conformance/rules.h"

#include <stdio.h>
#include <string.h>

#define PATH_MAX_LEN 256
#define SHOWN_MAX 72

struct walk {
    struct cf_memory *memory;
    const struct cf_case *test;
    const struct kmip_node *asked; /* the batch item of the request */
    int64_t operation;             /* -1: none */
    struct klm_slice object;       /* the Unique Identifier in the answer */
    char path[PATH_MAX_LEN];
    char *why;
};

/* ---- Differences */

static void __attribute__((format(printf, 2, 3))) differs(struct walk *w, const char *fmt, ...)
{
    va_list args;
    int n = snprintf(w->why, CF_WHY_MAX, "%s: ", w->path);

    if (n < 0 || n >= CF_WHY_MAX) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(w->why + n, CF_WHY_MAX - (size_t)n, fmt, args);
    va_end(args);
}

static const char *tag_name(struct walk *w, uint32_t tag)
{
    const char *name = tag ? kmip_tag_text(w->memory->pool, tag) : NULL;

    return name ? name : "AttributeValue";
}

static const char *type_name(enum kmip_type type)
{
    const struct kmip_type_row *row = kmip_type(type);

    return row ? row->name : "nothing";
}

/* A value as it may be shown: of secrets the length. */
static const char *shown(struct walk *w, const struct kmip_node *node,
                         const struct kmip_node *parent)
{
    const char *text;

    if (node->type == KMIP_STRUCTURE) {
        return "a Structure";
    }
    if (kmip_secret(node->tag)) {
        return klm_pool_printf(w->memory->pool, "%zu bytes", node->bytes.n);
    }
    text = node->type == KMIP_TEXT
               ? klm_pool_strn(w->memory->pool, (const char *)node->bytes.p, node->bytes.n)
               : kmip_value_text(w->memory->pool, node, parent, KMIP_XML_BITS);
    if (text && strlen(text) > SHOWN_MAX) {
        text = klm_pool_printf(w->memory->pool, "%.64s...", text);
    }
    return text ? text : "?";
}

/* Where the walk is; what push returns is given to pop. */
static size_t push(struct walk *w, const char *name)
{
    size_t n = strlen(w->path);

    snprintf(w->path + n, sizeof(w->path) - n, "%s%s", n ? "/" : "", name);
    return n;
}

static void pop(struct walk *w, size_t n)
{
    w->path[n] = '\0';
}

static bool is_attribute(const struct kmip_node *node)
{
    return node->tag == KMIP_TAG_Attribute && kmip_child(node, KMIP_TAG_AttributeName);
}

static const char *label(struct walk *w, const struct kmip_node *node)
{
    const char *name = tag_name(w, node->tag);
    const struct kmip_node *of = kmip_child(node, KMIP_TAG_AttributeName);

    if (is_attribute(node)) {
        return klm_pool_printf(w->memory->pool, "%s[%.*s]", name, (int)of->bytes.n,
                               (const char *)of->bytes.p);
    }
    if (node->tag == KMIP_TAG_AttributeName || node->tag == KMIP_TAG_Operation ||
        node->tag == KMIP_TAG_ObjectType || node->tag == KMIP_TAG_AttributeReference) {
        return klm_pool_printf(w->memory->pool, "%s=%s", name, shown(w, node, NULL));
    }
    return name;
}

/* ---- Single values */

static bool request_has(const struct walk *w, uint32_t tag)
{
    return cf_find(w->asked, tag) != NULL;
}

/* The names of objects in the request, of keys that wrap and keys that are used. */
static bool uses_made_key(const struct walk *w, const struct kmip_node *node)
{
    if (!node) {
        return false;
    }
    if (node->tag == KMIP_TAG_UniqueIdentifier && node->type == KMIP_TEXT) {
        return cf_is_made(w->memory, node->bytes);
    }
    if (node->type == KMIP_STRUCTURE) {
        for (const struct kmip_node *child = node->first; child; child = child->next) {
            if (uses_made_key(w, child)) {
                return true;
            }
        }
    }
    return false;
}

static bool object_made(const struct walk *w)
{
    return cf_is_made(w->memory, w->object);
}

/* Random padding, random nonces, signatures with a random number in them: never the same bytes twice. */
static bool says_random(const struct kmip_node *node, const struct kmip_node *parent,
                        int64_t operation)
{
    uint32_t meaning = cf_meaning(node, parent);

    if (node->type == KMIP_STRUCTURE) {
        for (const struct kmip_node *child = node->first; child; child = child->next) {
            if (says_random(child, node, operation)) {
                return true;
            }
        }
        return false;
    }
    switch (meaning) {
    case KMIP_TAG_RandomIV:
        return node->number != 0;
    case KMIP_TAG_PaddingMethod:
        return node->number == KMIP_PaddingMethod_PSS ||
               (operation == KMIP_Operation_Encrypt &&
                (node->number == KMIP_PaddingMethod_OAEP ||
                 node->number == KMIP_PaddingMethod_PKCS1V1_5));
    case KMIP_TAG_DigitalSignatureAlgorithm: {
        const char *name =
            kmip_value_name(KMIP_E_DigitalSignatureAlgorithm, (uint32_t)node->number);

        return name && (strstr(name, "DSA") || strstr(name, "PSS"));
    }
    case KMIP_TAG_CryptographicAlgorithm:
        return operation == KMIP_Operation_Sign &&
               (node->number == KMIP_CryptographicAlgorithm_DSA ||
                node->number == KMIP_CryptographicAlgorithm_ECDSA);
    default:
        return false;
    }
}

/* In this request, or as the key's own parameters in one before it. */
static bool inherently_random(const struct walk *w)
{
    bool found = says_random(w->asked, NULL, w->operation);

    for (size_t i = 0; i < w->test->n && !found; i++) {
        found = says_random(w->test->pairs[i].request, NULL, w->operation);
    }
    return found;
}

static bool output_may_vary(const struct walk *w, const struct kmip_node *e,
                            const struct kmip_node *a)
{
    switch (w->operation) {
    case KMIP_Operation_RNGRetrieve:
        return e->bytes.n == a->bytes.n;
    case KMIP_Operation_Sign:
        return uses_made_key(w, w->asked) || inherently_random(w);
    case KMIP_Operation_Encrypt: /* RSA fills its modulus, ciphers keep lengths */
        return e->bytes.n == a->bytes.n && (uses_made_key(w, w->asked) || inherently_random(w));
    case KMIP_Operation_MAC:
        return e->bytes.n == a->bytes.n && uses_made_key(w, w->asked);
    default:
        return false;
    }
}

/* A symmetric key that the server made has the length that the case shows; RSA keys, say, are as long as they come out. */
#define SYMMETRIC_MAX 64
static bool content_may_vary(const struct walk *w, const struct kmip_node *e,
                             const struct kmip_node *a)
{
    bool wraps = request_has(w, KMIP_TAG_KeyWrappingSpecification);

    if (!wraps && cf_fact_typed(w->memory, CF_SENT, e->type, e->bytes)) {
        return false;
    }
    if (object_made(w)) {
        return wraps || e->type != KMIP_BYTES || e->bytes.n == a->bytes.n ||
               e->bytes.n > SYMMETRIC_MAX || request_has(w, KMIP_TAG_KeyFormatType);
    }
    return wraps && uses_made_key(w, cf_find(w->asked, KMIP_TAG_KeyWrappingSpecification));
}

static bool is_of_object(const struct walk *w)
{
    return w->operation == KMIP_Operation_Get || w->operation == KMIP_Operation_Export;
}

/* May a value be another than that of the file? known: the server's own value for it, seen before. */
static bool may_vary(const struct walk *w, const struct kmip_node *e, const struct kmip_node *a,
                     uint32_t meaning, const struct cf_fact *known)
{
    bool string = e->type == KMIP_TEXT || e->type == KMIP_BYTES;

    if (cf_rule(CF_RULE_FREE, meaning)) {
        return true;
    }
    if (w->operation == KMIP_Operation_Query &&
        (meaning == KMIP_TAG_VendorIdentification || meaning == KMIP_TAG_ApplicationNamespace ||
         meaning == KMIP_TAG_ClientRegistrationMethod)) {
        return true;
    }
    if (string && (cf_is_identifier(meaning) || meaning == KMIP_TAG_ApplicationData)) {
        return !known && !cf_fact_typed(w->memory, CF_SENT, e->type, e->bytes);
    }
    if (cf_rule(CF_RULE_OF_MADE, meaning)) {
        return object_made(w) && !request_has(w, KMIP_TAG_KeyFormatType);
    }
    if (cf_rule(CF_RULE_OUTPUT, meaning)) {
        return output_may_vary(w, e, a);
    }
    if (!known &&
        (cf_rule(CF_RULE_CONTENT, meaning) || (e->type == KMIP_BIG_INTEGER && is_of_object(w)))) {
        return content_may_vary(w, e, a);
    }
    return false;
}

static bool same_variable(struct walk *w, struct klm_slice name, const struct kmip_node *a)
{
    const struct cf_fact *fact = cf_fact(w->memory, CF_VARIABLE, name);
    bool keeps =
        memmem(name.p, name.n, "IDENTIFIER", 10) || memmem(name.p, name.n, "KEY_MATERIAL", 12);

    if (a->bytes.n == 0) {
        differs(w, "a value for %.*s is expected, and it is empty", (int)name.n,
                (const char *)name.p);
        return false;
    }
    if (keeps && fact && !klm_slice_equal(fact->value, a->bytes)) {
        differs(w, "it is not what %.*s was before: %s", (int)name.n, (const char *)name.p,
                shown(w, a, NULL));
        return false;
    }
    cf_remember(w->memory, (struct cf_fact){.kind = CF_VARIABLE, .key = name, .value = a->bytes});
    return true;
}

static bool same_string(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                        const struct kmip_node *a, const struct kmip_node *ap)
{
    uint32_t meaning = cf_meaning(e, ep);
    const struct cf_fact *known = cf_fact_typed(w->memory, CF_SERVERS, e->type, e->bytes);
    struct klm_slice name;

    if (cf_variable(e, &name)) {
        return same_variable(w, name, a);
    }
    if (klm_slice_equal(known ? known->value : e->bytes, a->bytes)) {
        return true;
    }
    /* A case may show one value for the keys of two objects. */
    if (known && cf_rule(CF_RULE_CONTENT, meaning) && !klm_slice_equal(known->owner, w->object)) {
        known = NULL;
    }
    if (!may_vary(w, e, a, meaning, known)) {
        differs(w, "%s is expected, not %s", known ? "what it was before" : shown(w, e, ep),
                shown(w, a, ap));
        return false;
    }
    if ((e->bytes.n == 0) != (a->bytes.n == 0)) {
        differs(w, "it is %sempty", a->bytes.n ? "not " : "");
        return false;
    }
    cf_remember(w->memory, (struct cf_fact){.kind = CF_SERVERS,
                                            .type = e->type,
                                            .key = e->bytes,
                                            .value = a->bytes,
                                            .owner = w->object});
    return true;
}

static bool same_date(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                      const struct kmip_node *a, const struct kmip_node *ap)
{
    uint32_t meaning = cf_meaning(e, ep);
    int64_t seconds;

    if (meaning != KMIP_TAG_TimeStamp && cf_date_sent(w->memory, meaning, e->number)) {
        if (cf_date_is(w->memory, meaning, e->number, a->number)) {
            return true;
        }
        differs(w, "it is not the date that was set: %s", shown(w, a, ap));
        return false;
    }
    if (e->number == a->number || cf_moment(e, &seconds) || cf_rule(CF_RULE_MOMENT, meaning) ||
        cf_rule(CF_RULE_FREE, meaning)) {
        return true;
    }
    differs(w, "%s is expected, not %s", shown(w, e, ep), shown(w, a, ap));
    return false;
}

static bool same_number(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                        const struct kmip_node *a, const struct kmip_node *ap)
{
    enum kmip_enum values = kmip_values_of(a, ap);

    if (e->number == a->number) {
        return true;
    }
    if (e->type == KMIP_ENUMERATION && values != KMIP_E_NONE && values != KMIP_E_TAG &&
        !kmip_value_name(values, (uint32_t)a->number)) {
        differs(w, "%s is no value of this enumeration", shown(w, a, ap));
        return false;
    }
    if (may_vary(w, e, a, cf_meaning(e, ep), NULL)) {
        return true;
    }
    differs(w, "%s is expected, not %s", shown(w, e, ep), shown(w, a, ap));
    return false;
}

/* ---- Structures */

static bool same_node(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                      const struct kmip_node *a, const struct kmip_node *ap);

/* The items of the answer that an expected one may be compared with, and which of them were used already. */
struct items {
    const struct kmip_node **item;
    bool *used;
    size_t n, last; /* last: place of the last used one, plus 1 */
};

static bool collect(struct walk *w, const struct kmip_node *node, struct items *out)
{
    size_t n = 0;

    for (const struct kmip_node *child = node->first; child; child = child->next) {
        n++;
    }
    *out = (struct items){.item = klm_pool_alloc(w->memory->pool, n * sizeof(*out->item) + 1),
                          .used = klm_pool_alloc(w->memory->pool, n + 1)};
    if (!out->item || !out->used) {
        differs(w, "no memory");
        return false;
    }
    for (const struct kmip_node *child = node->first; child; child = child->next) {
        out->item[out->n++] = child;
    }
    return true;
}

static bool has_value(const struct kmip_node *node, uint32_t tag, int64_t number)
{
    return node->tag == tag && node->number == number;
}

/* Could the item of the answer be the expected one, as far as its name goes? */
static bool fits(const struct walk *w, const struct kmip_node *e, const struct kmip_node *parent,
                 const struct kmip_node *a)
{
    const struct kmip_node *en = kmip_child(e, KMIP_TAG_AttributeName), *an;

    if (e->tag != a->tag) {
        return false;
    }
    if (is_attribute(e)) {
        an = kmip_child(a, KMIP_TAG_AttributeName);
        return an && klm_slice_equal(en->bytes, an->bytes);
    }
    if (parent->tag == KMIP_TAG_ResponsePayload && w->operation == KMIP_Operation_Query &&
        (e->tag == KMIP_TAG_Operation || e->tag == KMIP_TAG_ObjectType)) {
        return has_value(a, e->tag, e->number);
    }
    return true;
}

/* Names that begin with y- are the server's own (Profiles 4.1: y-CustomAttributes). */
static bool is_servers_own(const struct kmip_node *node)
{
    const struct kmip_node *name =
        node->tag == KMIP_TAG_Attribute ? kmip_child(node, KMIP_TAG_AttributeName) : node;
    const struct kmip_node *vendor = kmip_child(node, KMIP_TAG_VendorIdentification);

    return (vendor && klm_slice_equal(vendor->bytes, klm_slice_str("y"))) ||
           (name && name->tag == KMIP_TAG_AttributeName && name->bytes.n > 1 &&
            memcmp(name->bytes.p, "y-", 2) == 0);
}

/* An Object Group that the case did not ask for may come back or not. */
static bool is_group_unasked(const struct walk *w, const struct kmip_node *e)
{
    const struct kmip_node *value =
        e->tag == KMIP_TAG_Attribute ? kmip_child(e, KMIP_TAG_AttributeValue) : e;
    uint32_t meaning = value ? cf_meaning(value, e->tag == KMIP_TAG_Attribute ? e : NULL) : 0;

    return meaning == KMIP_TAG_ObjectGroup &&
           !cf_fact_typed(w->memory, CF_SENT, value->type, value->bytes);
}

/* Lists of what a server is, of which the case shows a sample: one of the kind is enough. */
static bool is_sample(const struct kmip_node *parent, const struct kmip_node *e)
{
    return (cf_rule(CF_RULE_FREE, e->tag) || e->tag == KMIP_TAG_ClientRegistrationMethod) &&
           kmip_child(parent, e->tag) != e;
}

static bool may_be_missing(const struct walk *w, const struct kmip_node *parent, uint32_t structure,
                           const struct kmip_node *e)
{
    if (cf_rule_missing(structure, e->tag) || is_servers_own(e) || is_group_unasked(w, e)) {
        return true;
    }
    /* Profiles 4.1: an index of 0 may be there or not. */
    if (e->tag == KMIP_TAG_AttributeIndex) {
        return e->number == 0;
    }
    if (w->operation != KMIP_Operation_Query || structure != KMIP_TAG_ResponsePayload) {
        return false;
    }
    if (e->tag == KMIP_TAG_Operation) {
        return !cf_rule_named(CF_RULE_NEEDS, w->test->name, e->number);
    }
    if (e->tag == KMIP_TAG_ObjectType) {
        return !cf_rule_named(CF_RULE_HOLDS, w->test->name, e->number);
    }
    return is_sample(parent, e);
}

static bool query_may_say(const struct walk *w, uint32_t tag)
{
    const struct kmip_node *payload = kmip_child(w->asked, KMIP_TAG_RequestPayload);
    bool may = false;

    for (const struct kmip_node *f = kmip_child(payload, KMIP_TAG_QueryFunction); f;
         f = kmip_next(f)) {
        may |= cf_rule_query(f->number, tag);
    }
    return may;
}

static bool may_be_extra(const struct walk *w, uint32_t structure, const struct kmip_node *a)
{
    if (cf_rule_extra(structure, a->tag) || cf_rule(CF_RULE_BAG, structure)) {
        return true;
    }
    if (a->tag == KMIP_TAG_AttributeIndex) {
        return a->number == 0;
    }
    if (structure != KMIP_TAG_ResponsePayload) {
        return false;
    }
    switch (w->operation) {
    case KMIP_Operation_GetAttributes:
        return a->tag == KMIP_TAG_Attribute;
    case KMIP_Operation_GetAttributeList:
        return a->tag == KMIP_TAG_AttributeName || a->tag == KMIP_TAG_AttributeReference;
    case KMIP_Operation_Query:
        return query_may_say(w, a->tag);
    case KMIP_Operation_DiscoverVersions: /* when the client named none */
        return a->tag == KMIP_TAG_ProtocolVersion && !request_has(w, KMIP_TAG_ProtocolVersion);
    default:
        return false;
    }
}

static bool no_order(const struct walk *w, uint32_t structure)
{
    return cf_rule(CF_RULE_BAG, structure) || structure == KMIP_TAG_KeyValue ||
           (structure == KMIP_TAG_ResponsePayload && cf_rule(CF_RULE_UNORDERED, w->operation));
}

/* May an item that is there but unequal be read as another one, and the expected one as missing? */
static bool is_listed(const struct walk *w, const struct kmip_node *e)
{
    switch (e->tag) {
    case KMIP_TAG_ObjectGroup:
    case KMIP_TAG_Attribute:
    case KMIP_TAG_AttributeName:
    case KMIP_TAG_ApplicationNamespace:
        return true;
    default:
        return w->operation == KMIP_Operation_GetAttributeList;
    }
}

enum found { FOUND, MISSING, DIFFERS };

/* Find the item of the answer that is the expected one. A guess that fails is forgotten with all that it taught. */
static enum found find_item(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                            const struct kmip_node *ap, struct items *items, bool unordered)
{
    enum found found = MISSING;
    char first[CF_WHY_MAX] = "";
    const struct cf_fact *before = w->memory->newest;

    for (size_t i = 0; i < items->n; i++) {
        if (items->used[i] || !fits(w, e, ep, items->item[i])) {
            continue;
        }
        if (same_node(w, e, ep, items->item[i], ap)) {
            items->used[i] = true;
            if (!unordered && i + 1 < items->last) {
                differs(w, "%s stands too early", label(w, e));
                return DIFFERS;
            }
            items->last = i + 1;
            return FOUND;
        }
        w->memory->newest = before;
        found = DIFFERS;
        if (!unordered) {
            return found;
        }
        if (!first[0]) {
            memcpy(first, w->why, CF_WHY_MAX);
        }
    }
    if (found == DIFFERS) {
        memcpy(w->why, first, CF_WHY_MAX);
        found = is_listed(w, e) ? MISSING : DIFFERS;
    }
    return found;
}

/* The server chooses how it digests; what comes out is as long as that makes it. */
static bool same_digest(struct walk *w, const struct kmip_node *e, const struct kmip_node *a)
{
    static const struct {
        int64_t hash;
        size_t n;
    } lengths[] = {{KMIP_HashingAlgorithm_MD5, 16},     {KMIP_HashingAlgorithm_SHA_1, 20},
                   {KMIP_HashingAlgorithm_SHA_224, 28}, {KMIP_HashingAlgorithm_SHA_256, 32},
                   {KMIP_HashingAlgorithm_SHA_384, 48}, {KMIP_HashingAlgorithm_SHA_512, 64}};
    const struct kmip_node *hash = kmip_child(a, KMIP_TAG_HashingAlgorithm);
    const struct kmip_node *value = kmip_child(a, KMIP_TAG_DigestValue);
    bool good = false;

    if (!value && !kmip_child(e, KMIP_TAG_DigestValue)) {
        good = hash != NULL;
    }
    for (size_t i = 0; hash && value && i < KLM_COUNT(lengths); i++) {
        good |= hash->number == lengths[i].hash && value->type == KMIP_BYTES &&
                value->bytes.n == lengths[i].n;
    }
    for (const struct kmip_node *child = a->first; child; child = child->next) {
        good &= child == hash || child == value || cf_rule_extra(KMIP_TAG_Digest, child->tag);
    }
    if (!good) {
        differs(w, "this is no digest");
    }
    return good;
}

static bool same_structure(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                           const struct kmip_node *a)
{
    uint32_t structure = cf_meaning(e, ep);
    bool unordered = no_order(w, structure);
    struct items items;

    if (structure == KMIP_TAG_Digest) {
        return same_digest(w, e, a);
    }
    if (!collect(w, a, &items)) {
        return false;
    }
    for (const struct kmip_node *child = e->first; child; child = child->next) {
        enum found found = find_item(w, child, e, a, &items, unordered);

        if (found == MISSING && may_be_missing(w, e, structure, child)) {
            continue;
        }
        if (found == MISSING) {
            differs(w, "%s is missing", label(w, child));
        }
        if (found != FOUND) {
            return false;
        }
    }
    for (size_t i = 0; i < items.n; i++) {
        if (!items.used[i] && !may_be_extra(w, structure, items.item[i])) {
            differs(w, "%s is not expected", label(w, items.item[i]));
            return false;
        }
    }
    return true;
}

static bool same_value(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                       const struct kmip_node *a, const struct kmip_node *ap)
{
    if (e->type != a->type) {
        differs(w, "%s is expected, not %s", type_name(e->type), type_name(a->type));
        return false;
    }
    switch (e->type) {
    case KMIP_STRUCTURE:
        return cf_rule(CF_RULE_FREE, cf_meaning(e, ep)) || same_structure(w, e, ep, a);
    case KMIP_TEXT:
    case KMIP_BYTES:
    case KMIP_BIG_INTEGER:
        return same_string(w, e, ep, a, ap);
    case KMIP_DATE_TIME:
    case KMIP_DATE_TIME_EXTENDED:
        return same_date(w, e, ep, a, ap);
    default:
        return same_number(w, e, ep, a, ap);
    }
}

static bool same_node(struct walk *w, const struct kmip_node *e, const struct kmip_node *ep,
                      const struct kmip_node *a, const struct kmip_node *ap)
{
    size_t at = push(w, label(w, e));
    bool same = same_value(w, e, ep, a, ap);

    if (same) {
        pop(w, at);
    } else {
        w->path[at] = '\0';
    }
    return same;
}

/* ---- Messages */

static size_t count(const struct kmip_node *message)
{
    size_t n = 0;

    for (const struct kmip_node *item = kmip_child(message, KMIP_TAG_BatchItem); item;
         item = kmip_next(item)) {
        n++;
    }
    return n;
}

/* How a batch item ended, for the reader of a difference. */
static const char *outcome(struct walk *w, const struct kmip_node *item)
{
    const struct kmip_node *status = kmip_child(item, KMIP_TAG_ResultStatus);
    const struct kmip_node *reason = kmip_child(item, KMIP_TAG_ResultReason);
    const struct kmip_node *message = kmip_child(item, KMIP_TAG_ResultMessage);
    struct klm_slice text = message ? message->bytes : klm_slice_str("");

    return klm_pool_printf(w->memory->pool, "%s %s \"%.*s\"",
                           status ? shown(w, status, item) : "no status",
                           reason ? shown(w, reason, item) : "", (int)(text.n > 100 ? 100 : text.n),
                           text.n ? (const char *)text.p : "");
}

/* The most telling difference is looked for first. */
static bool same_outcomes(struct walk *w, const struct kmip_node *expected,
                          const struct kmip_node *answer)
{
    const struct kmip_node *e = kmip_child(expected, KMIP_TAG_BatchItem);
    const struct kmip_node *a = kmip_child(answer, KMIP_TAG_BatchItem);

    if (count(expected) != count(answer)) {
        differs(w, "%zu batch items are expected, not %zu: %s", count(expected), count(answer),
                a ? outcome(w, a) : "");
        return false;
    }
    for (size_t i = 0; e; i++, e = kmip_next(e), a = kmip_next(a)) {
        const struct kmip_node *es = kmip_child(e, KMIP_TAG_ResultStatus),
                               *as = kmip_child(a, KMIP_TAG_ResultStatus);

        if (es && as && es->number != as->number) {
            differs(w, "batch item %zu: %s is expected, not %s", i + 1, outcome(w, e),
                    outcome(w, a));
            return false;
        }
    }
    return true;
}

/* The item of a request that one of the answer belongs to: that of the same Unique Batch Item ID, else of the same place. */
static const struct kmip_node *asked_for(const struct kmip_node *request, const struct kmip_node *e,
                                         size_t place)
{
    const struct kmip_node *id = kmip_child(e, KMIP_TAG_UniqueBatchItemID), *at = NULL;
    size_t i = 0;

    for (const struct kmip_node *item = kmip_child(request, KMIP_TAG_BatchItem); item;
         item = kmip_next(item), i++) {
        const struct kmip_node *its = kmip_child(item, KMIP_TAG_UniqueBatchItemID);

        if (id && its && klm_slice_equal(id->bytes, its->bytes)) {
            return item;
        }
        at = i == place ? item : at;
    }
    return at;
}

static void look_at_item(struct walk *w, const struct kmip_node *asked, const struct kmip_node *e,
                         const struct kmip_node *a)
{
    const struct kmip_node *operation = kmip_child(e, KMIP_TAG_Operation);
    const struct kmip_node *object =
        kmip_child(kmip_child(a, KMIP_TAG_ResponsePayload), KMIP_TAG_UniqueIdentifier);

    operation = operation ? operation : kmip_child(asked, KMIP_TAG_Operation);
    w->asked = asked;
    w->operation = operation ? operation->number : -1;
    w->object = object && object->type == KMIP_TEXT ? object->bytes : klm_slice_str("");
}

static bool same_items(struct walk *w, const struct kmip_node *request,
                       const struct kmip_node *expected, const struct kmip_node *answer)
{
    const struct kmip_node *e = kmip_child(expected, KMIP_TAG_BatchItem);
    const struct kmip_node *a = kmip_child(answer, KMIP_TAG_BatchItem);
    bool same = true;

    for (size_t i = 0; e && same; i++, e = kmip_next(e), a = kmip_next(a)) {
        look_at_item(w, asked_for(request, e, i), e, a);
        same = same_node(w, e, expected, a, answer);
    }
    return same;
}

/* KMIP 2.1, 8.9 and 1.4, 6.1: a server answers in the version of the request, whatever a misprint of a case says. */
static const struct kmip_node *header_of(struct walk *w, const struct kmip_node *request,
                                         const struct kmip_node *expected,
                                         const struct kmip_node *answer)
{
    const struct kmip_node *header = kmip_child(expected, KMIP_TAG_ResponseHeader);
    struct kmip_node *mended, *version;
    int asked, wanted, got;

    if (kmip_version_of(request, &asked) != KLM_OK ||
        kmip_version_of(expected, &wanted) != KLM_OK || kmip_version_of(answer, &got) != KLM_OK ||
        asked == wanted || asked != got) {
        return header;
    }
    mended = kmip_root(w->memory->pool, KMIP_TAG_ResponseHeader);
    version = kmip_structure(w->memory->pool, mended, KMIP_TAG_ProtocolVersion);
    kmip_put_number(w->memory->pool, version, KMIP_TAG_ProtocolVersionMajor, KMIP_INTEGER,
                    asked / 16);
    if (!kmip_put_number(w->memory->pool, version, KMIP_TAG_ProtocolVersionMinor, KMIP_INTEGER,
                         asked % 16)) {
        return header;
    }
    version->next = header->first->next;
    mended->last = header->last;
    return mended;
}

static bool nothing_else(struct walk *w, const struct kmip_node *answer)
{
    for (const struct kmip_node *child = answer->first; child; child = child->next) {
        if (child->tag != KMIP_TAG_ResponseHeader && child->tag != KMIP_TAG_BatchItem) {
            differs(w, "%s is not expected", label(w, child));
            return false;
        }
    }
    return true;
}

bool cf_same(struct cf_memory *memory, const struct cf_case *test, const struct kmip_node *request,
             const struct kmip_node *expected, const struct kmip_node *answer, char why[CF_WHY_MAX])
{
    struct walk w = {.memory = memory, .test = test, .operation = -1, .why = why};

    push(&w, "ResponseMessage");
    if (answer->tag != KMIP_TAG_ResponseMessage || answer->type != KMIP_STRUCTURE ||
        !answer->first || answer->first->tag != KMIP_TAG_ResponseHeader) {
        differs(&w, "the answer is no response message");
        return false;
    }
    return same_outcomes(&w, expected, answer) &&
           same_node(&w, header_of(&w, request, expected, answer), expected, answer->first,
                     answer) &&
           same_items(&w, request, expected, answer) && nothing_else(&w, answer);
}
