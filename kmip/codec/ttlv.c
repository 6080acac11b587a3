/* TTLV to trees and back. A length is compared with what is left of the Structure around it before anything is made of it. */
#include "kmip/codec/ttlv.h"

#include "kmip/codec/gate.h"
#include "kmip/codec/text.h"

static size_t padding(size_t length)
{
    return (8 - length % 8) % 8;
}

struct decoder {
    struct klm_pool *pool;
    struct kmip_limits left; /* depth and items that may still come */
};

struct head {
    uint32_t tag, length;
    const struct kmip_type_row *type;
};

static klm_rc read_head(struct klm_cur *cur, struct head *out)
{
    uint8_t type;

    klm_cur_u24(cur, &out->tag);
    klm_cur_u8(cur, &type);
    klm_cur_u32(cur, &out->length);
    KLM_TRY(klm_cur_rc(cur));
    out->type = kmip_type(type);
    return kmip_tag_ok(out->tag) && out->type ? KLM_OK : KLM_E_INVALID;
}

klm_rc kmip_ttlv_size(struct klm_slice begin, const struct kmip_limits *limits, size_t *size)
{
    struct klm_cur cur;
    struct head head;

    if (begin.n < KMIP_TTLV_HEAD) {
        return KLM_E_AGAIN;
    }
    klm_cur_init(&cur, begin);
    KLM_TRY(read_head(&cur, &head));
    if (head.type->type != KMIP_STRUCTURE || head.length % 8) {
        return KLM_E_INVALID;
    }
    if (head.length > kmip_limits_of(limits).bytes - KMIP_TTLV_HEAD) {
        return KLM_E_LIMIT;
    }
    *size = KMIP_TTLV_HEAD + (size_t)head.length;
    return KLM_OK;
}

/* KMIP 1.4, 9.1.1.4: Integer and Interval are 4 bytes, signed but for Interval; Enumeration 4, unsigned; the others 8, signed. */
static klm_rc read_number(struct klm_cur *cur, enum kmip_type type, int64_t *out)
{
    uint32_t four = 0;
    uint64_t eight = 0;

    if (type == KMIP_INTEGER || type == KMIP_ENUMERATION || type == KMIP_INTERVAL) {
        klm_cur_u32(cur, &four);
        *out = type == KMIP_INTEGER ? (int32_t)four : (int64_t)four;
        return klm_cur_rc(cur);
    }
    klm_cur_u64(cur, &eight);
    *out = (int64_t)eight;
    KLM_TRY(klm_cur_rc(cur));
    return type == KMIP_BOOLEAN && eight > 1 ? KLM_E_INVALID : KLM_OK;
}

static klm_rc read_bytes(struct klm_cur *cur, const struct head *head, struct klm_slice *out)
{
    klm_cur_bytes(cur, head->length, out);
    KLM_TRY(klm_cur_rc(cur));
    if (head->type->type == KMIP_TEXT) {
        return kmip_text_ok(*out) ? KLM_OK : KLM_E_INVALID;
    }
    /* KMIP 1.4, 9.1.1.4: a Big Integer is a multiple of eight bytes, and at least one of them. */
    return head->type->type == KMIP_BIG_INTEGER && (head->length == 0 || head->length % 8)
               ? KLM_E_INVALID
               : KLM_OK;
}

/* KMIP 1.4, 9.1.1.3: padding is zero. */
static klm_rc read_padding(struct klm_cur *cur, size_t length)
{
    uint8_t byte = 0;

    for (size_t n = padding(length); n > 0 && byte == 0; n--) {
        klm_cur_u8(cur, &byte);
    }
    KLM_TRY(klm_cur_rc(cur));
    return byte ? KLM_E_INVALID : KLM_OK;
}

static klm_rc read_value(struct klm_cur *cur, const struct head *head, struct kmip_node *node)
{
    if (head->type->bytes == 0) {
        KLM_TRY(read_bytes(cur, head, &node->bytes));
    } else if (head->length != head->type->bytes) {
        return KLM_E_INVALID;
    } else {
        KLM_TRY(read_number(cur, head->type->type, &node->number));
    }
    return read_padding(cur, head->length);
}

static klm_rc read_item(struct decoder *d, struct klm_cur *cur, struct kmip_node *parent,
                        struct kmip_node **out);

static klm_rc read_items(struct decoder *d, struct klm_slice in, struct kmip_node *parent)
{
    struct kmip_node *item;
    struct klm_cur cur;

    if (d->left.depth == 0) {
        return KLM_E_LIMIT;
    }
    d->left.depth--;
    klm_cur_init(&cur, in);
    while (klm_cur_left(&cur) > 0) {
        KLM_TRY(read_item(d, &cur, parent, &item));
    }
    d->left.depth++;
    return KLM_OK;
}

static klm_rc read_item(struct decoder *d, struct klm_cur *cur, struct kmip_node *parent,
                        struct kmip_node **out)
{
    struct klm_slice inside;
    struct head head;

    KLM_TRY(read_head(cur, &head));
    if (d->left.items == 0) {
        return KLM_E_LIMIT;
    }
    d->left.items--;
    *out = kmip_item(d->pool, parent, head.tag, head.type->type);
    if (!*out) {
        return KLM_E_NOMEM;
    }
    if (head.type->type != KMIP_STRUCTURE) {
        return read_value(cur, &head, *out);
    }
    klm_cur_bytes(cur, head.length, &inside);
    KLM_TRY(klm_cur_rc(cur));
    return read_items(d, inside, *out);
}

klm_rc kmip_ttlv_decode(struct klm_slice in, const struct kmip_limits *limits,
                        struct klm_pool *pool, struct kmip_node **out)
{
    struct decoder d = {.pool = pool, .left = kmip_limits_of(limits)};
    struct kmip_node *node = NULL;
    struct klm_cur cur;

    if (in.n > d.left.bytes) {
        return KLM_E_LIMIT;
    }
    klm_cur_init(&cur, in);
    KLM_TRY(read_item(&d, &cur, NULL, &node));
    klm_cur_end(&cur);
    KLM_TRY(klm_cur_rc(&cur));
    *out = node;
    return KLM_OK;
}

static void write_number(const struct kmip_node *node, uint32_t bytes, struct klm_buf *buf)
{
    klm_buf_u32(buf, bytes);
    if (bytes == 4) {
        klm_buf_u32(buf, (uint32_t)node->number);
        klm_buf_u32(buf, 0);
    } else {
        klm_buf_u64(buf, (uint64_t)node->number);
    }
}

static void write_bytes(struct klm_slice bytes, struct klm_buf *buf)
{
    static const uint8_t zero[8];

    klm_buf_lp32(buf, bytes);
    klm_buf_put(buf, zero, padding(bytes.n));
}

static void write_items(const struct kmip_node *node, int version, struct klm_buf *buf);

static void write_item(const struct kmip_node *node, int version, struct klm_buf *buf)
{
    const struct kmip_type_row *type = kmip_type(node->type);

    klm_buf_u24(buf, node->tag);
    klm_buf_u8(buf, (uint8_t)node->type);
    if (node->type == KMIP_STRUCTURE) {
        write_items(node, version, buf);
    } else if (type->bytes) {
        write_number(node, type->bytes, buf);
    } else {
        write_bytes(node->bytes, buf);
    }
}

static void write_items(const struct kmip_node *node, int version, struct klm_buf *buf)
{
    size_t at = buf->n;

    klm_buf_u32(buf, 0);
    for (const struct kmip_node *item = node->first; item; item = item->next) {
        if (kmip_gate(item, node, version)) {
            write_item(item, version, buf);
        }
    }
    if (buf->rc == KLM_OK) {
        klm_buf_set_u32(buf, at, (uint32_t)(buf->n - at - 4));
    }
}

void kmip_ttlv_encode(const struct kmip_node *node, int version, struct klm_buf *buf)
{
    if (kmip_gate(node, NULL, version)) {
        write_item(node, version, buf);
    }
}
