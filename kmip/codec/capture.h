/* What somebody kept of a KMIP conversation, to be looked at: TTLV messages one after the other, their hexadecimal digits, or one message in XML
 * or JSON. */
#ifndef KMIP_CODEC_CAPTURE_H
#define KMIP_CODEC_CAPTURE_H

#include "kmip/codec/node.h"

#include "base/buf.h"

struct kmip_capture {
    struct klm_slice bytes; /* borrowed by the trees */
    size_t at;              /* where the next message begins, or the one that failed */
    unsigned number;        /* of the last message, from 1 */
};

/* Begin: digits, which may have blanks, line ends, ':' or '-' between bytes and "0x" in front, are turned into bytes in room (wiping, ended by the caller); anything else is
 * taken as it is. KLM_E_NOMEM; KLM_E_INVALID: half a byte is left over. */
klm_rc kmip_capture_open(struct klm_slice in, struct klm_buf *room, struct kmip_capture *out)
    KLM_MUST_USE;
/* The next message as a tree, and how many bytes it was long. KLM_E_NOTFOUND: no more. Failures are those of the decoders; at and
 * number tell which message it was. */
klm_rc kmip_capture_next(struct kmip_capture *capture, struct klm_pool *pool,
                         struct kmip_node **out, size_t *length) KLM_MUST_USE;

#endif
