#include "tests/conformance/memory.h"

#include "base/buf.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

void cf_memory_init(struct cf_memory *memory, struct klm_pool *pool, int64_t now)
{
    *memory = (struct cf_memory){.pool = pool, .now = now};
}

void cf_remember(struct cf_memory *memory, struct cf_fact fact)
{
    struct cf_fact *kept = klm_pool_alloc(memory->pool, sizeof(*kept));

    if (!kept) {
        memory->short_of_memory = true;
        return;
    }
    *kept = fact;
    kept->older = memory->newest;
    memory->newest = kept;
}

void cf_memory_next_case(struct cf_memory *memory)
{
    const struct cf_fact *old = memory->newest;
    struct cf_fact *last = NULL;

    memory->newest = NULL;
    for (; old; old = old->older) {
        struct cf_fact *kept =
            old->kind == CF_VARIABLE ? NULL : klm_pool_copy(memory->pool, old, sizeof(*old));

        if (!kept) {
            continue;
        }
        kept->older = NULL;
        if (last) {
            last->older = kept;
        } else {
            memory->newest = kept;
        }
        last = kept;
    }
}

const struct cf_fact *cf_fact(const struct cf_memory *memory, enum cf_kind kind,
                              struct klm_slice key)
{
    const struct cf_fact *fact = memory->newest;

    while (fact && (fact->kind != kind || !klm_slice_equal(fact->key, key))) {
        fact = fact->older;
    }
    return fact;
}

const struct cf_fact *cf_fact_typed(const struct cf_memory *memory, enum cf_kind kind,
                                    enum kmip_type type, struct klm_slice key)
{
    const struct cf_fact *fact = memory->newest;

    while (fact && (fact->kind != kind || fact->type != type || !klm_slice_equal(fact->key, key))) {
        fact = fact->older;
    }
    return fact;
}

static const struct cf_fact *date_fact(const struct cf_fact *from, uint32_t tag, int64_t number)
{
    while (from && (from->kind != CF_DATE || from->tag != tag || from->number != number)) {
        from = from->older;
    }
    return from;
}

bool cf_date_sent(const struct cf_memory *memory, uint32_t tag, int64_t number)
{
    return date_fact(memory->newest, tag, number) != NULL;
}

bool cf_date_is(const struct cf_memory *memory, uint32_t tag, int64_t number, int64_t got)
{
    const struct cf_fact *fact = date_fact(memory->newest, tag, number);

    while (fact && fact->said != got) {
        fact = date_fact(fact->older, tag, number);
    }
    return fact != NULL;
}

/* ---- Objects */

bool cf_is_identifier(uint32_t tag)
{
    switch (tag) {
    case KMIP_TAG_UniqueIdentifier:
    case KMIP_TAG_PrivateKeyUniqueIdentifier:
    case KMIP_TAG_PublicKeyUniqueIdentifier:
    case KMIP_TAG_LinkedObjectIdentifier:
    case KMIP_TAG_ReplacedUniqueIdentifier:
    case KMIP_TAG_ShortUniqueIdentifier:
        return true;
    default:
        return false;
    }
}

bool cf_is_made(const struct cf_memory *memory, struct klm_slice identifier)
{
    for (const struct cf_fact *fact = memory->newest; fact; fact = fact->older) {
        if ((fact->kind == CF_MADE || fact->kind == CF_SUPPLIED) &&
            klm_slice_equal(fact->key, identifier)) {
            return fact->kind == CF_MADE;
        }
    }
    return memory->made;
}

/* Does one of the objects that a request names come from the server? None named: the one of the ID placeholder, which may. */
static bool names_made(const struct cf_memory *memory, const struct kmip_node *payload)
{
    bool made = false;

    for (const struct kmip_node *id = kmip_child(payload, KMIP_TAG_UniqueIdentifier); id;
         id = kmip_next(id)) {
        const struct cf_fact *fact = cf_fact(memory, CF_MADE, id->bytes);

        made |= id->type == KMIP_TEXT && fact;
    }
    return made;
}

/* What an operation says of the objects in its answer. */
static bool answers_made(const struct cf_memory *memory, int64_t operation,
                         const struct kmip_node *payload, enum cf_kind *kind)
{
    switch (operation) {
    case KMIP_Operation_Create:
    case KMIP_Operation_CreateKeyPair:
    case KMIP_Operation_ReKey:
    case KMIP_Operation_ReKeyKeyPair:
    case KMIP_Operation_Certify:
    case KMIP_Operation_ReCertify:
        *kind = CF_MADE;
        return true;
    case KMIP_Operation_Register:
    case KMIP_Operation_Import:
        *kind = CF_SUPPLIED;
        return true;
    case KMIP_Operation_DeriveKey:
    case KMIP_Operation_JoinSplitKey:
        *kind = names_made(memory, payload) ? CF_MADE : CF_SUPPLIED;
        return true;
    case KMIP_Operation_CreateSplitKey: /* shares are random, whatever was split */
        *kind = CF_MADE;
        return true;
    default:
        return false;
    }
}

static void learn_item(struct cf_memory *memory, const struct kmip_node *asked,
                       const struct kmip_node *got)
{
    const struct kmip_node *operation = kmip_child(asked, KMIP_TAG_Operation);
    const struct kmip_node *status = kmip_child(got, KMIP_TAG_ResultStatus);
    const struct kmip_node *answer = kmip_child(got, KMIP_TAG_ResponsePayload);
    enum cf_kind kind;

    if (!operation || !status || status->number != KMIP_ResultStatus_Success || !answer ||
        !answers_made(memory, operation->number, kmip_child(asked, KMIP_TAG_RequestPayload),
                      &kind)) {
        return;
    }
    memory->made |= kind == CF_MADE;
    for (const struct kmip_node *id = answer->first; id; id = id->next) {
        if (cf_is_identifier(id->tag) && id->type == KMIP_TEXT) {
            cf_remember(memory, (struct cf_fact){.kind = kind, .key = id->bytes});
        }
    }
}

static void learn_values(struct cf_memory *memory, const struct kmip_node *node)
{
    if (node->type == KMIP_STRUCTURE) {
        for (const struct kmip_node *child = node->first; child; child = child->next) {
            learn_values(memory, child);
        }
    } else if (node->type == KMIP_BYTES || node->type == KMIP_TEXT) {
        cf_remember(memory, (struct cf_fact){.kind = CF_LAST,
                                             .tag = node->tag,
                                             .type = node->type,
                                             .value = node->bytes});
    }
}

void cf_learn(struct cf_memory *memory, const struct kmip_node *request,
              const struct kmip_node *answer)
{
    const struct kmip_node *asked = kmip_child(request, KMIP_TAG_BatchItem);
    const struct kmip_node *got = kmip_child(answer, KMIP_TAG_BatchItem);

    learn_values(memory, answer);
    for (; asked && got; asked = kmip_next(asked), got = kmip_next(got)) {
        learn_item(memory, asked, got);
    }
}

/* ---- Requests */

/* SIGNATURE_DATA is the name that a variable has for the tag SignatureData, IV_COUNTER_NONCE for IVCounterNonce. */
static bool names_tag(struct klm_slice variable, uint32_t tag)
{
    const struct kmip_tag_row *row = kmip_tag(tag);
    const char *name = row ? row->name : "";
    size_t i = 1;

    for (; i < variable.n && *name; i++) {
        char c = (char)variable.p[i];

        if (c == '_') {
            continue;
        }
        if (c != *name && c - 'A' + 'a' != *name) {
            return false;
        }
        name++;
    }
    /* What is left may be the number that tells several apart. */
    for (; i < variable.n; i++) {
        if (variable.p[i] != '_' && (variable.p[i] < '0' || variable.p[i] > '9')) {
            return false;
        }
    }
    return *name == '\0';
}

/* An identifier that no server has: 1.4 has no operation that takes one, 2.0's Import does. */
static klm_rc random_identifier(struct cf_memory *memory, struct kmip_node *node,
                                struct klm_slice name)
{
    uint8_t bytes[8];
    char text[17];
    bool binary = node->type == KMIP_BYTES;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
        return KLM_E_CRYPTO;
    }
    klm_hex(bytes, sizeof(bytes), text);
    KLM_TRY(klm_pool_slice(memory->pool,
                           binary ? KLM_SLICE(bytes, sizeof(bytes)) : klm_slice_str(text),
                           &node->bytes));
    cf_remember(memory, (struct cf_fact){.kind = CF_VARIABLE, .key = name, .value = node->bytes});
    return KLM_OK;
}

static klm_rc fill_variable(struct cf_memory *memory, struct kmip_node *node, struct klm_slice name,
                            char why[CF_WHY_MAX])
{
    const struct cf_fact *fact = cf_fact(memory, CF_VARIABLE, name);

    if (!fact && memmem(name.p, name.n, "_RANDOM_", 8)) {
        return random_identifier(memory, node, name);
    }
    for (const struct cf_fact *at = memory->newest; at && !fact; at = at->older) {
        fact =
            at->kind == CF_LAST && at->type == node->type && names_tag(name, at->tag) ? at : NULL;
    }
    if (!fact) {
        snprintf(why, CF_WHY_MAX, "%.*s has no value yet", (int)name.n, (const char *)name.p);
        return KLM_E_NOTFOUND;
    }
    node->bytes = fact->value;
    return KLM_OK;
}

static void fill_date(struct cf_memory *memory, struct kmip_node *node, uint32_t meaning)
{
    int64_t seconds, number = node->number;

    if (cf_moment(node, &seconds)) {
        node->number = memory->now + seconds;
        node->number *= node->type == KMIP_DATE_TIME_EXTENDED ? 1000000 : 1;
    }
    cf_remember(
        memory,
        (struct cf_fact){.kind = CF_DATE, .tag = meaning, .number = number, .said = node->number});
}

static void fill_string(struct cf_memory *memory, struct kmip_node *node)
{
    const struct cf_fact *fact = cf_fact_typed(memory, CF_SERVERS, node->type, node->bytes);

    if (fact && (node->type == KMIP_BYTES || cf_is_identifier(node->tag))) {
        node->bytes = fact->value;
    } else {
        cf_remember(memory,
                    (struct cf_fact){.kind = CF_SENT, .type = node->type, .key = node->bytes});
    }
}

static klm_rc fill(struct cf_memory *memory, const struct kmip_node *from,
                   const struct kmip_node *parent, struct kmip_node *into, struct kmip_node **out,
                   char why[CF_WHY_MAX])
{
    struct kmip_node *node = kmip_item(memory->pool, into, from->tag, from->type);
    struct klm_slice name;

    if (!node) {
        return KLM_E_NOMEM;
    }
    *out = node;
    switch (from->type) {
    case KMIP_STRUCTURE:
        for (const struct kmip_node *child = from->first; child; child = child->next) {
            struct kmip_node *copy;

            KLM_TRY(fill(memory, child, from, node, &copy, why));
        }
        return KLM_OK;
    case KMIP_TEXT:
    case KMIP_BYTES:
        node->bytes = from->bytes;
        if (cf_variable(from, &name)) {
            return fill_variable(memory, node, name, why);
        }
        fill_string(memory, node);
        return KLM_OK;
    case KMIP_BIG_INTEGER:
        node->bytes = from->bytes;
        cf_remember(memory,
                    (struct cf_fact){.kind = CF_SENT, .type = node->type, .key = node->bytes});
        return KLM_OK;
    case KMIP_DATE_TIME:
    case KMIP_DATE_TIME_EXTENDED:
        node->number = from->number;
        fill_date(memory, node, cf_meaning(from, parent));
        return KLM_OK;
    default:
        node->number = from->number;
        return KLM_OK;
    }
}

klm_rc cf_fill(struct cf_memory *memory, const struct kmip_node *request, struct kmip_node **out,
               char why[CF_WHY_MAX])
{
    return fill(memory, request, NULL, NULL, out, why);
}
