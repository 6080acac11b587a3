/* Trees to JSON. */
#include "kmip/codec/gate.h"
#include "kmip/codec/json.h"
#include "kmip/codec/text.h"

#include <inttypes.h>

#define EXACT (INT64_C(1) << 52) /* whole numbers that every reader of JSON keeps */

/* RFC 8259, 7: quotes, backslashes and control characters are escaped; the rest is UTF-8 as it is. */
static void put_string(struct klm_buf *buf, struct klm_slice text)
{
    klm_buf_u8(buf, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < ' ') {
            klm_buf_printf(buf, "\\u%04x", text.p[i]);
        } else {
            if (text.p[i] == '"' || text.p[i] == '\\') {
                klm_buf_u8(buf, '\\');
            }
            klm_buf_u8(buf, text.p[i]);
        }
    }
    klm_buf_u8(buf, '"');
}

static void put_number(const struct kmip_node *node, struct klm_buf *buf)
{
    if (node->number >= -EXACT && node->number <= EXACT) {
        klm_buf_printf(buf, "%" PRId64, node->number);
    } else {
        klm_buf_printf(buf, "\"0x%016" PRIx64 "\"", (uint64_t)node->number);
    }
}

static void put_quoted(const char *mark, const char *text, struct klm_buf *buf)
{
    if (!text && buf->rc == KLM_OK) {
        buf->rc = KLM_E_NOMEM;
    }
    klm_buf_printf(buf, "\"%s", mark);
    klm_buf_text(buf, text ? text : "");
    klm_buf_u8(buf, '"');
}

static void put_value(const struct kmip_node *node, const struct kmip_node *parent,
                      struct klm_pool *pool, struct klm_buf *buf)
{
    bool mask = node->type == KMIP_INTEGER && kmip_is_mask(kmip_values_of(node, parent));

    if (node->type == KMIP_TEXT) {
        put_string(buf, node->bytes);
    } else if (node->type == KMIP_BOOLEAN) {
        klm_buf_text(buf, node->number ? "true" : "false");
    } else if (!mask && (node->type == KMIP_INTEGER || node->type == KMIP_LONG_INTEGER ||
                         node->type == KMIP_INTERVAL)) {
        put_number(node, buf);
    } else {
        put_quoted(node->type == KMIP_BIG_INTEGER ? "0x" : "",
                   kmip_value_text(pool, node, parent, KMIP_JSON_BITS), buf);
    }
}

static void put_item(const struct kmip_node *node, const struct kmip_node *parent, int version,
                     struct klm_pool *pool, struct klm_buf *buf);

static void put_items(const struct kmip_node *node, int version, struct klm_pool *pool,
                      struct klm_buf *buf)
{
    bool more = false;

    klm_buf_u8(buf, '[');
    for (const struct kmip_node *item = node->first; item; item = item->next) {
        if (kmip_gate(item, node, version)) {
            klm_buf_text(buf, more ? "," : "");
            put_item(item, node, version, pool, buf);
            more = true;
        }
    }
    klm_buf_u8(buf, ']');
}

static void put_item(const struct kmip_node *node, const struct kmip_node *parent, int version,
                     struct klm_pool *pool, struct klm_buf *buf)
{
    klm_buf_text(buf, "{\"tag\":");
    put_quoted("", kmip_tag_text(pool, node->tag), buf);
    if (node->type != KMIP_STRUCTURE) {
        klm_buf_printf(buf, ",\"type\":\"%s\"", kmip_type(node->type)->name);
    }
    klm_buf_text(buf, ",\"value\":");
    if (node->type == KMIP_STRUCTURE) {
        put_items(node, version, pool, buf);
    } else {
        put_value(node, parent, pool, buf);
    }
    klm_buf_u8(buf, '}');
}

void kmip_json_encode(const struct kmip_node *node, int version, struct klm_pool *pool,
                      struct klm_buf *buf)
{
    if (kmip_gate(node, NULL, version)) {
        put_item(node, NULL, version, pool, buf);
    }
}
