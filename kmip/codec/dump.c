/* Trees as text for people. */
#include "kmip/codec/dump.h"

#include "base/utf8.h"
#include "kmip/codec/text.h"

#define SHOWN 64 /* bytes of a long value that are shown */

bool kmip_secret(uint32_t tag)
{
    switch (tag) {
#define KMIP_SECRET(name, why) case KMIP_TAG_##name:
#include "kmip/codec/secret.def"
#undef KMIP_SECRET
        return true;
    default:
        return false;
    }
}

static bool hidden(const struct kmip_node *node, const struct kmip_node *parent)
{
    const struct kmip_node *name;

    if (node->tag != KMIP_TAG_AttributeValue) {
        return kmip_secret(node->tag);
    }
    name = kmip_child(parent, KMIP_TAG_AttributeName);
    return !name || name->type != KMIP_TEXT || !kmip_attr_find(name->bytes);
}

/* Structures have no length of their own here; numbers do not tell theirs. */
static void put_hidden(const struct kmip_node *node, struct klm_buf *buf)
{
    if (node->type == KMIP_BYTES || node->type == KMIP_TEXT || node->type == KMIP_BIG_INTEGER) {
        klm_buf_printf(buf, " **** (%zu bytes)", node->bytes.n);
    } else {
        klm_buf_text(buf, " ****");
    }
}

/* Control characters could play tricks with a terminal. */
static void put_text(struct klm_slice text, struct klm_buf *buf)
{
    klm_buf_text(buf, " \"");
    for (size_t at = 0; at < text.n;) {
        size_t n = klm_utf8_char(text.p + at, text.n - at);
        struct klm_slice one = KLM_SLICE(text.p + at, n ? n : 1);

        if (klm_utf8_printable(one)) {
            klm_buf_slice(buf, one);
        } else {
            klm_buf_u8(buf, '.');
        }
        at += one.n;
    }
    klm_buf_u8(buf, '"');
}

static void put_value(const struct kmip_node *node, const struct kmip_node *parent,
                      struct klm_pool *pool, struct klm_buf *buf)
{
    struct kmip_node cut = *node;
    const char *text;

    if (node->type == KMIP_TEXT) {
        put_text(node->bytes, buf);
        return;
    }
    if (node->type == KMIP_BYTES || node->type == KMIP_BIG_INTEGER) {
        cut.bytes.n = node->bytes.n < SHOWN ? node->bytes.n : SHOWN;
    }
    text = kmip_value_text(pool, &cut, parent, KMIP_XML_BITS);
    klm_buf_printf(buf, " %s", text ? text : "(no memory)");
    if ((node->type == KMIP_BYTES || node->type == KMIP_BIG_INTEGER) &&
        cut.bytes.n < node->bytes.n) {
        klm_buf_printf(buf, "... (%zu bytes)", node->bytes.n);
    }
}

static void put_item(const struct kmip_node *node, const struct kmip_node *parent, unsigned depth,
                     struct klm_pool *pool, struct klm_buf *buf)
{
    const char *name = kmip_tag_text(pool, node->tag);

    klm_buf_printf(buf, "%*s%s", (int)(2 * depth), "", name ? name : "(no memory)");
    if (node->type != KMIP_STRUCTURE) {
        klm_buf_printf(buf, " %s", kmip_type(node->type)->name);
    }
    if (hidden(node, parent)) {
        put_hidden(node, buf);
    } else if (node->type != KMIP_STRUCTURE) {
        put_value(node, parent, pool, buf);
    }
    klm_buf_u8(buf, '\n');
    for (const struct kmip_node *item =
             node->type == KMIP_STRUCTURE && !hidden(node, parent) ? node->first : NULL;
         item; item = item->next) {
        put_item(item, node, depth + 1, pool, buf);
    }
}

void kmip_dump(const struct kmip_node *node, struct klm_pool *pool, struct klm_buf *buf)
{
    put_item(node, NULL, 0, pool, buf);
}
