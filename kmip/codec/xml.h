/* KMIP in XML (KMIP Additional Message Encodings 1.0, 4; KMIP Profiles 2.1, 5.4.1): an element an item, its type and value as attributes. */
#ifndef KMIP_CODEC_XML_H
#define KMIP_CODEC_XML_H

#include "kmip/codec/node.h"

#include "base/buf.h"

/* A tree from exactly one message in UTF-8. Everything is copied into the pool. KLM_E_INVALID: no well-formed XML of KMIP, a document type (never read),
 * another encoding, an unknown name or type, a value that is not of its type, text between elements; KLM_E_LIMIT: bytes, depth or items;
 * KLM_E_NOMEM. limits may be NULL: the defaults. */
klm_rc kmip_xml_decode(struct klm_slice in, const struct kmip_limits *limits, struct klm_pool *pool,
                       struct kmip_node **out) KLM_MUST_USE;
/* Append a tree to the buffer, as the version knows it (gate.h), each item on a line of its own. The buffer remembers failures
 * (klm_buf_rc): KLM_E_UNSUPPORTED is a Text String with a character that XML 1.0 cannot hold (2.2: control characters, U+FFFE and U+FFFF). The pool is for texts on the
 * way and should wipe. */
void kmip_xml_encode(const struct kmip_node *node, int version, struct klm_pool *pool,
                     struct klm_buf *buf);

#endif
