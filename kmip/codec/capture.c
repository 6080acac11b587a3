/* Messages out of what was kept of a conversation. */
#include "kmip/codec/capture.h"

#include "kmip/codec/json.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"

#include <string.h>

static bool blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int digit(uint8_t c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | 0x20) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Only digits and what may stand between them; binary TTLV has zero bytes and so never looks like it. */
static bool is_hex(struct klm_slice in)
{
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        bool mark = c == 'x' && i > 0 && in.p[i - 1] == '0';

        if (digit(c) < 0 && !blank(c) && c != ':' && c != '-' && !mark) {
            return false;
        }
    }
    return in.n > 0;
}

/* KLM_E_INVALID: half a byte is left over. */
static klm_rc unhex(struct klm_slice in, struct klm_buf *out)
{
    int high = -1;

    for (size_t i = 0; i < in.n; i++) {
        int value = digit(in.p[i]);

        if (in.p[i] == 'x') {
            high = -1; /* the 0 in front of it was no digit */
        } else if (value >= 0 && high >= 0) {
            klm_buf_u8(out, (uint8_t)(high << 4 | value));
            high = -1;
        } else if (value >= 0) {
            high = value;
        }
    }
    return high < 0 ? klm_buf_rc(out) : KLM_E_INVALID;
}

klm_rc kmip_capture_open(struct klm_slice in, struct klm_buf *room, struct kmip_capture *out)
{
    struct klm_slice bytes = in;

    if (is_hex(in)) {
        KLM_TRY(unhex(in, room));
        bytes = klm_buf_as_slice(room);
    }
    *out = (struct kmip_capture){.bytes = bytes};
    return KLM_OK;
}

/* A message in text is all that is left. */
static klm_rc next_text(struct klm_slice left, struct klm_pool *pool, struct kmip_node **out,
                        size_t *length)
{
    struct kmip_node *node;

    KLM_TRY(left.p[0] == '<' ? kmip_xml_decode(left, NULL, pool, &node)
                             : kmip_json_decode(left, NULL, pool, &node));
    *out = node;
    *length = left.n;
    return KLM_OK;
}

static klm_rc next_ttlv(struct klm_slice left, struct klm_pool *pool, struct kmip_node **out,
                        size_t *length)
{
    struct kmip_node *node;
    size_t size;
    klm_rc rc = kmip_ttlv_size(left, NULL, &size);

    if (rc == KLM_E_AGAIN || (rc == KLM_OK && size > left.n)) {
        return KLM_E_SHORT;
    }
    KLM_TRY(rc);
    KLM_TRY(kmip_ttlv_decode(KLM_SLICE(left.p, size), NULL, pool, &node));
    *out = node;
    *length = size;
    return KLM_OK;
}

klm_rc kmip_capture_next(struct kmip_capture *capture, struct klm_pool *pool,
                         struct kmip_node **out, size_t *length)
{
    struct klm_slice left;

    while (capture->at < capture->bytes.n && blank(capture->bytes.p[capture->at])) {
        capture->at++;
    }
    if (capture->at == capture->bytes.n) {
        return KLM_E_NOTFOUND;
    }
    left = KLM_SLICE(capture->bytes.p + capture->at, capture->bytes.n - capture->at);
    capture->number++;
    KLM_TRY(left.p[0] == '<' || left.p[0] == '{' ? next_text(left, pool, out, length)
                                                 : next_ttlv(left, pool, out, length));
    capture->at += *length;
    return KLM_OK;
}
