/* Trees to XML. */
#include "kmip/codec/xml.h"

#include "kmip/codec/gate.h"
#include "kmip/codec/text.h"

#include <string.h>

static void fail(struct klm_buf *buf, klm_rc rc)
{
    buf->rc = buf->rc == KLM_OK ? rc : buf->rc;
}

/* XML 1.0, 2.2 and 3.3.3: white space in an attribute is written as a reference, else it is read back as blanks. */
static void put_char(struct klm_buf *buf, uint8_t c)
{
    static const char *const named[128] = {
        ['<'] = "&lt;",  ['>'] = "&gt;",   ['&'] = "&amp;", ['"'] = "&quot;",
        ['\t'] = "&#9;", ['\n'] = "&#10;", ['\r'] = "&#13;"};

    if (c < 128 && named[c]) {
        klm_buf_text(buf, named[c]);
    } else if (c < ' ') {
        fail(buf, KLM_E_UNSUPPORTED);
    } else {
        klm_buf_u8(buf, c);
    }
}

/* XML 1.0, 2.2: not a character of it either, though UTF-8 has it. */
static bool has_no_char(struct klm_slice text)
{
    return memmem(text.p, text.n, "\xEF\xBF\xBE", 3) || memmem(text.p, text.n, "\xEF\xBF\xBF", 3);
}

static void put_text(struct klm_buf *buf, struct klm_slice text)
{
    if (text.n && has_no_char(text)) {
        fail(buf, KLM_E_UNSUPPORTED);
    }
    for (size_t i = 0; i < text.n; i++) {
        put_char(buf, text.p[i]);
    }
}

static void put_name(const struct kmip_node *node, struct klm_buf *buf)
{
    const struct kmip_tag_row *tag = kmip_tag(node->tag);

    if (tag) {
        klm_buf_printf(buf, "<%s", tag->name);
    } else {
        klm_buf_printf(buf, "<TTLV tag=\"0x%06X\"", (unsigned)node->tag);
    }
}

static void put_value(const struct kmip_node *node, const struct kmip_node *parent,
                      struct klm_pool *pool, struct klm_buf *buf)
{
    const char *text = "";

    klm_buf_printf(buf, " type=\"%s\" value=\"", kmip_type(node->type)->name);
    if (node->type == KMIP_TEXT) {
        put_text(buf, node->bytes);
    } else {
        text = kmip_value_text(pool, node, parent, KMIP_XML_BITS);
        klm_buf_text(buf, text ? text : "");
    }
    klm_buf_text(buf, "\"/>\n");
    if (!text) {
        fail(buf, KLM_E_NOMEM);
    }
}

static void put_item(const struct kmip_node *node, const struct kmip_node *parent, int version,
                     struct klm_pool *pool, struct klm_buf *buf)
{
    const struct kmip_tag_row *tag = kmip_tag(node->tag);

    put_name(node, buf);
    if (node->type != KMIP_STRUCTURE) {
        put_value(node, parent, pool, buf);
        return;
    }
    klm_buf_text(buf, ">\n");
    for (const struct kmip_node *item = node->first; item; item = item->next) {
        if (kmip_gate(item, node, version)) {
            put_item(item, node, version, pool, buf);
        }
    }
    klm_buf_printf(buf, "</%s>\n", tag ? tag->name : "TTLV");
}

void kmip_xml_encode(const struct kmip_node *node, int version, struct klm_pool *pool,
                     struct klm_buf *buf)
{
    if (kmip_gate(node, NULL, version)) {
        put_item(node, NULL, version, pool, buf);
    }
}
