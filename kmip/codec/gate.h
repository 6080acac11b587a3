/* What a version knows: the one place that decides which items of a tree are written for it (KMIP 1.4, 12 and 2.1, 12: a server answers in the
 * version of the request). */
#ifndef KMIP_CODEC_GATE_H
#define KMIP_CODEC_GATE_H

#include "kmip/codec/node.h"

#define KMIP_V_ANY 0 /* as a version: write everything */

/* Is the item written for the version? Not when the version does not know its tag, its value (of an enumeration), or the
 * attribute that an Attribute of 1.x names. Extensions and vendors' names always are. parent: the Structure around it, or NULL. */
bool kmip_gate(const struct kmip_node *node, const struct kmip_node *parent, int version);

#endif
