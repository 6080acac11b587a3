/* Inside of the exchange folder: framing for the encoders and the parts that several messages
 * share. Check functions look at what a caller wants to send, put functions write what was
 * checked, get functions read and check what came. */
#ifndef EXCHANGE_BODY_H
#define EXCHANGE_BODY_H

#include "exchange/kx.h"

#define KX_HELLO_FIELDS 36
#define KX_VOLSER 6

/* Header with a length still to be set, and the request number; returns where the message
 * starts. */
size_t kx_begin(struct klm_buf *out, enum kx_type type, uint32_t id);
/* Sets the length. On failure out is as it was before kx_begin. */
klm_rc kx_end(struct klm_buf *out, size_t start) KLM_MUST_USE;
/* Requests and their answers have a number other than 0. */
klm_rc kx_check_id(uint32_t id) KLM_MUST_USE;

/* The first message: version, serial number, WWN, capabilities; a server has no serial number. */
klm_rc kx_check_hello(const struct kx_hello *hello, bool server) KLM_MUST_USE;
void kx_put_hello(struct klm_buf *out, const struct kx_hello *hello);
void kx_get_hello(struct klm_cur *cur, bool server, struct kx_hello *hello);

/* A volume serial number of up to 6 characters, blanks behind it on the wire. */
klm_rc kx_check_volser(const char volser[7]) KLM_MUST_USE;
void kx_put_volser(struct klm_buf *out, const char volser[7]);
void kx_get_volser(struct klm_cur *cur, char volser[7]);

/* Key labels with their encodings, at least so many; KLM_E_INVALID for a text that is no label. */
klm_rc kx_check_encoding(uint8_t encoding) KLM_MUST_USE;
klm_rc kx_check_label_text(const char *label, size_t n) KLM_MUST_USE;
klm_rc kx_check_labels(const struct kx_label *labels, size_t n, size_t least) KLM_MUST_USE;
void kx_put_labels(struct klm_buf *out, const struct kx_label *labels, size_t n);
void kx_get_labels(struct klm_cur *cur, size_t least, struct kx_label *labels, uint8_t *n);

/* Wrapped data keys, at least so many; borrowed from the input by get. */
klm_rc kx_check_eedks(const struct klm_slice *eedk, size_t n, size_t least) KLM_MUST_USE;
void kx_put_eedks(struct klm_buf *out, const struct klm_slice *eedk, size_t n);
void kx_get_eedks(struct klm_cur *cur, size_t least, struct klm_slice *eedk, uint8_t *n);

/* Bodies behind the request number, one reader a message. */
void kx_get_confirm(struct klm_cur *cur, bool server, struct kx_confirm *out);
void kx_get_create(struct klm_cur *cur, struct kx_create *out);
void kx_get_get(struct klm_cur *cur, struct kx_get *out);
void kx_get_translate(struct klm_cur *cur, struct kx_translate *out);
void kx_get_keyed(struct klm_cur *cur, enum kx_type type, struct kx_keyed *out);
void kx_get_stored_create(struct klm_cur *cur, struct kx_stored_create *out);
void kx_get_stored_get(struct klm_cur *cur, struct kx_stored_get *out);
void kx_get_stored(struct klm_cur *cur, struct kx_stored *out);
void kx_get_error(struct klm_cur *cur, struct kx_error *out);

#endif
