/* KMIP in JSON (KMIP Additional Message Encodings 1.0, 3; KMIP Profiles 2.1, 5.4.2): an object an item, with "tag", "type" and "value". */
#ifndef KMIP_CODEC_JSON_H
#define KMIP_CODEC_JSON_H

#include "kmip/codec/node.h"

#include "base/buf.h"

/* A tree from exactly one message. Everything is copied into the pool. KLM_E_INVALID: no well-formed JSON of KMIP, a key twice, an unknown key, name or type,
 * a value that is not of its type; KLM_E_LIMIT: bytes, depth or items; KLM_E_NOMEM. limits may be NULL: the defaults. */
klm_rc kmip_json_decode(struct klm_slice in, const struct kmip_limits *limits,
                        struct klm_pool *pool, struct kmip_node **out) KLM_MUST_USE;
/* Append a tree to the buffer, as the version knows it (gate.h), on one line. Numbers that JavaScript would round (beyond 2^52) are written as "0x" and 16
 * digits. The buffer remembers failures (klm_buf_rc). The pool is for texts on the way and should wipe. */
void kmip_json_encode(const struct kmip_node *node, int version, struct klm_pool *pool,
                      struct klm_buf *buf);

#endif
