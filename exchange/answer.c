/* Answers of the server: created, got, translated, error; and the messages that have no body of
 * their own (PROTOCOL.md, section 4). */
#include "exchange/body.h"

#include <string.h>

static bool is_keyed(enum kx_type type)
{
    return type == KX_CREATED || type == KX_GOT || type == KX_TRANSLATED;
}

/* An answer to get may leave out what the drive has already. */
static size_t least(enum kx_type type)
{
    return type == KX_GOT ? 0 : 1;
}

/* translated gives no data key away. */
static klm_rc check_wrapped(enum kx_type type, const uint8_t wrapped[40])
{
    static const uint8_t none[40];

    return type != KX_TRANSLATED || memcmp(wrapped, none, sizeof none) == 0 ? KLM_OK
                                                                            : KLM_E_INVALID;
}

klm_rc kx_encode_keyed(enum kx_type type, const struct kx_keyed *keyed, uint32_t id,
                       struct klm_buf *out)
{
    KLM_TRY(kx_check_id(id));
    if (!is_keyed(type)) {
        return KLM_E_INVALID;
    }
    KLM_TRY(check_wrapped(type, keyed->wrapped));
    KLM_TRY(kx_check_eedks(keyed->eedk, keyed->eedk_n, least(type)));
    KLM_TRY(kx_check_labels(keyed->labels, keyed->labels_n, least(type)));
    size_t start = kx_begin(out, type, id);
    klm_buf_put(out, keyed->wrapped, sizeof keyed->wrapped);
    kx_put_eedks(out, keyed->eedk, keyed->eedk_n);
    kx_put_labels(out, keyed->labels, keyed->labels_n);
    return kx_end(out, start);
}

void kx_get_keyed(struct klm_cur *cur, enum kx_type type, struct kx_keyed *out)
{
    klm_cur_copy(cur, out->wrapped, sizeof out->wrapped);
    if (klm_cur_rc(cur) == KLM_OK) {
        klm_cur_fail(cur, check_wrapped(type, out->wrapped));
    }
    kx_get_eedks(cur, least(type), out->eedk, &out->eedk_n);
    kx_get_labels(cur, least(type), out->labels, &out->labels_n);
}

klm_rc kx_encode_plain(enum kx_type type, uint32_t id, struct klm_buf *out)
{
    if (type != KX_VERIFY && type != KX_VERIFIED && type != KX_BYE) {
        return KLM_E_INVALID;
    }
    if (type != KX_BYE) {
        KLM_TRY(kx_check_id(id));
    }
    return kx_end(out, kx_begin(out, type, id));
}

static klm_rc check_error(const struct kx_error *error)
{
    size_t id = strnlen(error->message_id, sizeof error->message_id);
    size_t text = strnlen(error->text, sizeof error->text);

    if (id == sizeof error->message_id || text == sizeof error->text) {
        return KLM_E_LIMIT;
    }
    for (size_t i = 0; i < id; i++) {
        if (error->message_id[i] < 0x21 || error->message_id[i] > 0x7E) {
            return KLM_E_INVALID;
        }
    }
    for (size_t i = 0; i < text; i++) {
        unsigned char c = (unsigned char)error->text[i];
        if (c < 0x20 || c == 0x7F) {
            return KLM_E_INVALID;
        }
    }
    return error->code == 0 ? KLM_E_INVALID : KLM_OK;
}

klm_rc kx_encode_error(const struct kx_error *error, uint32_t id, struct klm_buf *out)
{
    KLM_TRY(check_error(error));
    size_t start = kx_begin(out, KX_ERROR, id);
    klm_buf_u16(out, error->code);
    klm_buf_lp8(out, klm_slice_str(error->message_id));
    klm_buf_lp16(out, klm_slice_str(error->text));
    return kx_end(out, start);
}

/* Text of a message into an array that the cursor has checked it fits; NUL bytes are refused. */
static void get_text(struct klm_cur *cur, struct klm_slice text, char *out)
{
    if (text.n > 0) {
        memcpy(out, text.p, text.n);
    }
    out[text.n] = '\0';
    if (strlen(out) != text.n) {
        klm_cur_fail(cur, KLM_E_INVALID);
    }
}

void kx_get_error(struct klm_cur *cur, struct kx_error *out)
{
    struct klm_slice id = {0}, text = {0};

    klm_cur_u16(cur, &out->code);
    klm_cur_lp8(cur, sizeof out->message_id - 1, &id);
    klm_cur_lp16(cur, sizeof out->text - 1, &text);
    if (klm_cur_rc(cur) == KLM_OK) {
        get_text(cur, id, out->message_id);
        get_text(cur, text, out->text);
        klm_cur_fail(cur, check_error(out));
    }
}
