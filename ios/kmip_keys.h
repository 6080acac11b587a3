/* Keys of a storage system on KMIP key servers (1.4): Locate by Name, Create, Get, Get Attributes, Destroy, and one batch for what a rekey makes of two keys. */
#ifndef IOS_KMIP_KEYS_H
#define IOS_KMIP_KEYS_H

#include "ios/system.h"
#include "kmip/codec/node.h"

#define IOS_KMIP_VERSION KMIP_V(1, 4) /* what key servers of storage systems speak */

/* How a message gets to a key server and its answer back: ios_kmip_link_ask (ios/kmip_link.h), or that of a test. */
struct ios_kmip_way {
    void *arg;
    klm_rc (*ask)(void *arg, const struct ios_keyserver *server, const struct kmip_node *request,
                  bool again, struct klm_pool *wiping, const struct kmip_node **answer, char *why);
};
/* What struct ios_keys_ops is with real key servers; way is borrowed. */
struct ios_keys_ops ios_kmip_keys(struct ios_kmip_way *way);

#endif
