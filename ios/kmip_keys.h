/* Keys of a storage system on KMIP key servers (1.4): Locate by Name, Create, Get, Get Attributes, Destroy, and one batch for what a rekey makes of two keys. */
#ifndef IOS_KMIP_KEYS_H
#define IOS_KMIP_KEYS_H

#include "ios/kmip_link.h"

/* What struct ios_keys_ops is with real key servers; link is borrowed. */
struct ios_keys_ops ios_kmip_keys(struct ios_kmip_link *link);

#endif
