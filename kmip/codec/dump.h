/* A message for people to read: an item a line, its place by indentation. Secrets are left out, so that it can be shown to anybody. */
#ifndef KMIP_CODEC_DUMP_H
#define KMIP_CODEC_DUMP_H

#include "kmip/codec/node.h"

#include "base/buf.h"

/* Is the value of the tag a secret (secret.def)? */
bool kmip_secret(uint32_t tag);
/* Append a tree as text, "CryptographicLength Integer 256"; the value of a secret item is "****" and its length. An Attribute Value of 1.x is secret when the
 * attribute is a vendor's own: nobody knows what it holds. The buffer remembers failures (klm_buf_rc). */
void kmip_dump(const struct kmip_node *node, struct klm_pool *pool, struct klm_buf *buf);

#endif
