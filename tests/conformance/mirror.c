#include "tests/conformance/mirror.h"

#include <stdio.h>
#include <string.h>

void cf_mirror_init(struct cf_mirror *mirror, const struct cf_case *test,
                    const struct cf_memory *memory)
{
    *mirror = (struct cf_mirror){.test = test, .memory = memory};
    cf_memory_init(&mirror->own, memory->pool, memory->now);
}

size_t cf_count_items(const struct kmip_node *node)
{
    size_t n = node->type != KMIP_STRUCTURE;

    if (node->type == KMIP_STRUCTURE) {
        for (const struct kmip_node *child = node->first; child; child = child->next) {
            n += cf_count_items(child);
        }
    }
    return n;
}

static void fill_variable(struct cf_mirror *m, struct kmip_node *node, struct klm_slice name)
{
    const struct cf_fact *fact = cf_fact(m->memory, CF_VARIABLE, name);

    fact = fact ? fact : cf_fact(&m->own, CF_VARIABLE, name);
    if (fact) {
        node->bytes = fact->value;
        return;
    }
    node->bytes = klm_slice_str(klm_pool_printf(m->own.pool, "value-%u", ++m->invented));
    cf_remember(&m->own, (struct cf_fact){.kind = CF_VARIABLE, .key = name, .value = node->bytes});
}

static struct kmip_node *reflect(struct cf_mirror *m, const struct kmip_node *from,
                                 struct kmip_node *into)
{
    struct kmip_node *node = kmip_item(m->own.pool, into, from->tag, from->type);
    struct klm_slice name;
    int64_t seconds;

    if (!node) {
        return NULL;
    }
    if (from->type == KMIP_STRUCTURE) {
        for (const struct kmip_node *child = from->first; child; child = child->next) {
            (void)reflect(m, child, node); /* out of memory shows at the next item */
        }
    } else if (from->type == KMIP_TEXT || from->type == KMIP_BYTES ||
               from->type == KMIP_BIG_INTEGER) {
        node->bytes = from->bytes;
        if (cf_variable(from, &name)) {
            fill_variable(m, node, name);
        }
    } else {
        node->number = from->number;
        if (cf_moment(from, &seconds)) {
            node->number =
                (m->memory->now + seconds) * (from->type == KMIP_DATE_TIME_EXTENDED ? 1000000 : 1);
        }
    }
    return node;
}

/* ---- Lies */

static void alter(struct klm_pool *pool, struct kmip_node *node)
{
    uint8_t *bytes;

    switch (node->type) {
    case KMIP_TEXT:
    case KMIP_BYTES:
    case KMIP_BIG_INTEGER:
        bytes = klm_pool_alloc(pool, node->bytes.n + 1);
        if (bytes) {
            memcpy(bytes, node->bytes.p, node->bytes.n);
            bytes[node->bytes.n] = '~';
            node->bytes.n++;
            node->bytes.p = bytes;
        }
        break;
    case KMIP_BOOLEAN:
        node->number = !node->number;
        break;
    case KMIP_ENUMERATION:
        node->number ^= 0x00700000;
        break;
    default:
        node->number++;
    }
}

static void take_out(struct kmip_node *parent, struct kmip_node *node)
{
    struct kmip_node **at = &parent->first, *last = NULL;

    while (*at != node) {
        last = *at;
        at = &last->next;
    }
    *at = node->next;
    parent->last = node->next ? parent->last : last;
}

/* Get the item with the number wrong; how many it was after this tree. */
static bool lie(struct cf_mirror *m, struct kmip_node *node, size_t *number)
{
    for (struct kmip_node *child = node->first; child; child = child->next) {
        if (child->type == KMIP_STRUCTURE) {
            if (lie(m, child, number)) {
                return true;
            }
        } else if ((*number)-- == 0) {
            m->wrong = child;
            m->wrong_in = node;
            if (m->how == CF_REMOVED) {
                take_out(node, child);
            } else {
                alter(m->own.pool, child);
            }
            return true;
        }
    }
    return false;
}

klm_rc cf_mirror_call(void *arg, size_t pair, const struct kmip_node *request,
                      struct klm_pool *pool, struct kmip_node **answer, char why[CF_WHY_MAX])
{
    struct cf_mirror *m = arg;
    struct kmip_node *node = reflect(m, m->test->pairs[pair].expected, NULL);
    size_t number = m->item;

    (void)request;
    (void)pool;
    if (!node || m->own.short_of_memory) {
        snprintf(why, CF_WHY_MAX, "no memory");
        return KLM_E_NOMEM;
    }
    if (m->lies && m->pair == pair) {
        (void)lie(m, node, &number); /* the caller knows how many items there are */
    }
    *answer = node;
    return KLM_OK;
}
