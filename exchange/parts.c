/* Parts of messages: volume serial, labels, EEDKs (PROTOCOL.md, section 3). */
#include "exchange/body.h"

#include <string.h>

static bool volser_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '#' || c == '$' || c == '@' ||
           c == '-';
}

klm_rc kx_check_volser(const char volser[7])
{
    size_t n = strnlen(volser, KX_VOLSER + 1);

    if (n == 0 || n > KX_VOLSER) {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        if (!volser_char(volser[i])) {
            return KLM_E_INVALID;
        }
    }
    return KLM_OK;
}

void kx_put_volser(struct klm_buf *out, const char volser[7])
{
    size_t n = strnlen(volser, KX_VOLSER);

    klm_buf_put(out, volser, n);
    klm_buf_put(out, "      ", KX_VOLSER - n);
}

void kx_get_volser(struct klm_cur *cur, char volser[7])
{
    char text[7] = {0};
    size_t n = KX_VOLSER;

    klm_cur_copy(cur, text, KX_VOLSER);
    while (n > 0 && text[n - 1] == ' ') {
        text[--n] = '\0';
    }
    if (strlen(text) != n || kx_check_volser(text) != KLM_OK) {
        klm_cur_fail(cur, KLM_E_INVALID);
        return;
    }
    memcpy(volser, text, sizeof text);
}

klm_rc kx_check_encoding(uint8_t encoding)
{
    return encoding == KX_ENC_LABEL || encoding == KX_ENC_HASH ? KLM_OK : KLM_E_INVALID;
}

klm_rc kx_check_label_text(const char *label, size_t n)
{
    if (n > KX_LABEL_MAX) {
        return KLM_E_LIMIT;
    }
    if (n == 0 || label[0] == ' ' || label[n - 1] == ' ') {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        if (label[i] < 0x20 || label[i] > 0x7E) {
            return KLM_E_INVALID;
        }
    }
    return KLM_OK;
}

klm_rc kx_check_labels(const struct kx_label *labels, size_t n, size_t least)
{
    if (n > KX_EEDKS) {
        return KLM_E_LIMIT;
    }
    if (n < least) {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        KLM_TRY(kx_check_encoding(labels[i].encoding));
        KLM_TRY(
            kx_check_label_text(labels[i].label, strnlen(labels[i].label, sizeof labels[i].label)));
    }
    return KLM_OK;
}

void kx_put_labels(struct klm_buf *out, const struct kx_label *labels, size_t n)
{
    klm_buf_u8(out, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        klm_buf_u8(out, labels[i].encoding);
        klm_buf_lp8(out, klm_slice_str(labels[i].label));
    }
}

static void get_label(struct klm_cur *cur, struct kx_label *label)
{
    struct klm_slice text = {0};

    klm_cur_u8(cur, &label->encoding);
    klm_cur_lp8(cur, KX_LABEL_MAX, &text);
    if (klm_cur_rc(cur) != KLM_OK) {
        return;
    }
    if (text.n > 0) {
        memcpy(label->label, text.p, text.n);
    }
    label->label[text.n] = '\0';
    klm_cur_fail(cur, kx_check_encoding(label->encoding));
    klm_cur_fail(cur, kx_check_label_text(label->label, text.n));
}

/* The u8 count of a list, between least and what a message may hold. */
static uint8_t get_count(struct klm_cur *cur, size_t least)
{
    uint8_t n = 0;

    klm_cur_u8(cur, &n);
    if (klm_cur_rc(cur) != KLM_OK) {
        return 0;
    }
    if (n > KX_EEDKS || n < least) {
        klm_cur_fail(cur, n > KX_EEDKS ? KLM_E_LIMIT : KLM_E_INVALID);
        return 0;
    }
    return n;
}

void kx_get_labels(struct klm_cur *cur, size_t least, struct kx_label *labels, uint8_t *n)
{
    *n = get_count(cur, least);
    for (size_t i = 0; i < *n; i++) {
        get_label(cur, &labels[i]);
    }
}

klm_rc kx_check_eedks(const struct klm_slice *eedk, size_t n, size_t least)
{
    if (n > KX_EEDKS) {
        return KLM_E_LIMIT;
    }
    if (n < least) {
        return KLM_E_INVALID;
    }
    for (size_t i = 0; i < n; i++) {
        if (eedk[i].n == 0 || eedk[i].n > KX_EEDK_MAX) {
            return eedk[i].n == 0 ? KLM_E_INVALID : KLM_E_LIMIT;
        }
    }
    return KLM_OK;
}

void kx_put_eedks(struct klm_buf *out, const struct klm_slice *eedk, size_t n)
{
    klm_buf_u8(out, (uint8_t)n);
    for (size_t i = 0; i < n; i++) {
        klm_buf_lp16(out, eedk[i]);
    }
}

void kx_get_eedks(struct klm_cur *cur, size_t least, struct klm_slice *eedk, uint8_t *n)
{
    *n = get_count(cur, least);
    for (size_t i = 0; i < *n; i++) {
        klm_cur_lp16(cur, KX_EEDK_MAX, &eedk[i]);
        if (klm_cur_rc(cur) == KLM_OK && eedk[i].n == 0) {
            klm_cur_fail(cur, KLM_E_INVALID);
        }
    }
}
