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
    uint64_t head; /* 3 bytes of tag, 1 of type, 4 of length */

    klm_cur_u64(cur, &head);
    KLM_TRY(klm_cur_rc(cur));
    out->tag = (uint32_t)(head >> 40);
    out->length = (uint32_t)head;
    out->type = kmip_type(head >> 32 & 0xFF);
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

static klm_rc version_part(struct klm_cur *cur, uint32_t tag, int *out)
{
    struct head head;
    uint32_t value, padding;

    KLM_TRY(read_head(cur, &head));
    klm_cur_u32(cur, &value);
    klm_cur_u32(cur, &padding);
    KLM_TRY(klm_cur_rc(cur));
    if (head.tag != tag || head.type->type != KMIP_INTEGER || head.length != 4 || value > 15) {
        return KLM_E_INVALID;
    }
    *out = (int)value;
    return KLM_OK;
}

/* KMIP 1.4, 7.1; 2.1, 8.2: Protocol Version is the first field of the header, which begins the message. */
klm_rc kmip_ttlv_version(struct klm_slice begin, int *version)
{
    static const struct {
        uint32_t tag, least; /* bytes inside, for all that is inside of it here */
    } around[] = {{KMIP_TAG_RequestMessage, 48},
                  {KMIP_TAG_RequestHeader, 40},
                  {KMIP_TAG_ProtocolVersion, 32}};
    struct klm_cur cur;
    struct head head;
    int major, minor;

    klm_cur_init(&cur, begin);
    for (size_t i = 0; i < KLM_COUNT(around); i++) {
        KLM_TRY(read_head(&cur, &head));
        if (head.tag != around[i].tag || head.type->type != KMIP_STRUCTURE ||
            head.length < around[i].least) {
            return KLM_E_INVALID;
        }
    }
    KLM_TRY(version_part(&cur, KMIP_TAG_ProtocolVersionMajor, &major));
    KLM_TRY(version_part(&cur, KMIP_TAG_ProtocolVersionMinor, &minor));
    *version = KMIP_V(major, minor);
    return KLM_OK;
}

/* KMIP 1.4, 9.1.1.4: Integer and Interval are 4 bytes, signed but for Interval; Enumeration 4, unsigned; the others 8, signed. With the padding of zeros (9.1.1.3) all have 8. */
static klm_rc read_number(struct klm_cur *cur, enum kmip_type type, int64_t *out)
{
    uint32_t four;
    uint64_t eight = 0;

    klm_cur_u64(cur, &eight);
    KLM_TRY(klm_cur_rc(cur));
    if (type == KMIP_INTEGER || type == KMIP_ENUMERATION || type == KMIP_INTERVAL) {
        four = (uint32_t)(eight >> 32);
        *out = type == KMIP_INTEGER ? (int32_t)four : (int64_t)four;
        return (uint32_t)eight ? KLM_E_INVALID : KLM_OK;
    }
    *out = (int64_t)eight;
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
    struct klm_slice bytes;
    uint8_t all = 0;

    klm_cur_bytes(cur, padding(length), &bytes);
    KLM_TRY(klm_cur_rc(cur));
    for (size_t i = 0; i < bytes.n; i++) {
        all |= bytes.p[i];
    }
    return all ? KLM_E_INVALID : KLM_OK;
}

static klm_rc read_value(struct klm_cur *cur, const struct head *head, struct kmip_node *node)
{
    if (head->type->bytes == 0) {
        KLM_TRY(read_bytes(cur, head, &node->bytes));
        return read_padding(cur, head->length);
    }
    return head->length == head->type->bytes ? read_number(cur, head->type->type, &node->number)
                                             : KLM_E_INVALID;
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

static void fail(struct klm_buf *buf, klm_rc rc)
{
    buf->rc = buf->rc == KLM_OK ? rc : buf->rc;
}

static void write_head(const struct kmip_node *node, size_t length, struct klm_buf *buf)
{
    if (node->tag > 0xFFFFFF || length > UINT32_MAX) {
        fail(buf, KLM_E_LIMIT);
        return;
    }
    klm_buf_u64(buf, (uint64_t)node->tag << 40 | (uint64_t)(uint8_t)node->type << 32 | length);
}

static void write_number(const struct kmip_node *node, uint32_t bytes, struct klm_buf *buf)
{
    write_head(node, bytes, buf);
    klm_buf_u64(buf, bytes == 4 ? (uint64_t)node->number << 32 : (uint64_t)node->number);
}

static void write_bytes(const struct kmip_node *node, struct klm_buf *buf)
{
    static const uint8_t zero[8];
    const size_t left = padding(node->bytes.n);

    write_head(node, node->bytes.n, buf);
    klm_buf_slice(buf, node->bytes);
    if (left) {
        klm_buf_put(buf, zero, left);
    }
}

static void write_items(const struct kmip_node *node, int version, struct klm_buf *buf);

static void write_item(const struct kmip_node *node, int version, struct klm_buf *buf)
{
    const struct kmip_type_row *type = kmip_type(node->type);

    if (node->type == KMIP_STRUCTURE) {
        write_items(node, version, buf);
    } else if (type->bytes) {
        write_number(node, type->bytes, buf);
    } else {
        write_bytes(node, buf);
    }
}

static void write_items(const struct kmip_node *node, int version, struct klm_buf *buf)
{
    size_t at;

    write_head(node, 0, buf);
    at = buf->n;
    for (const struct kmip_node *item = node->first; item; item = item->next) {
        if (kmip_gate(item, node, version)) {
            write_item(item, version, buf);
        }
    }
    if (buf->rc == KLM_OK) {
        klm_buf_set_u32(buf, at - 4, (uint32_t)(buf->n - at));
    }
}

void kmip_ttlv_encode(const struct kmip_node *node, int version, struct klm_buf *buf)
{
    if (kmip_gate(node, NULL, version)) {
        write_item(node, version, buf);
    }
}
