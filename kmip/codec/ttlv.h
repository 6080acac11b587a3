/* TTLV, KMIP's binary encoding: tag (3 bytes), type (1), length (4), value padded to 8 bytes (KMIP 1.4, 9.1; 2.1, 9.6). */
#ifndef KMIP_CODEC_TTLV_H
#define KMIP_CODEC_TTLV_H

#include "kmip/codec/node.h"

#include "base/buf.h"

#define KMIP_TTLV_HEAD 8 /* bytes of tag, type and length */

/* Bytes of the whole message that begins with these, to know how much to read: KLM_E_AGAIN while fewer than KMIP_TTLV_HEAD are
 * there, KLM_E_INVALID when no Structure begins here, KLM_E_LIMIT when it is longer than limits allow. */
klm_rc kmip_ttlv_size(struct klm_slice begin, const struct kmip_limits *limits, size_t *size)
    KLM_MUST_USE;
/* The Protocol Version at the beginning of a message whose rest may be damaged. KLM_E_SHORT, KLM_E_INVALID: it does not begin so. */
klm_rc kmip_ttlv_version(struct klm_slice begin, int *version) KLM_MUST_USE;
/* A tree from exactly one message. Strings are borrowed from in. KLM_E_SHORT: it ends too early, or a length is beyond that of the
 * Structure around it; KLM_E_LIMIT; KLM_E_INVALID: wrong type, length, padding, Boolean, text that is not UTF-8, bytes left over.
 * limits may be NULL: the defaults. */
klm_rc kmip_ttlv_decode(struct klm_slice in, const struct kmip_limits *limits,
                        struct klm_pool *pool, struct kmip_node **out) KLM_MUST_USE;
/* Append a tree to the buffer, as the version knows it (gate.h). The buffer remembers failures (klm_buf_rc). */
void kmip_ttlv_encode(const struct kmip_node *node, int version, struct klm_buf *buf);

#endif
