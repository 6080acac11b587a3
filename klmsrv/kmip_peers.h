/* Who is connected, by address: how many connections, and how many of them are in their TLS handshake. Of IPv6 the network of 64 bits counts, since whoever has
 * one address of it has them all. A table of chains; its order depends on a random number, so that no choice of addresses makes a long chain. */
#ifndef KLMSRV_KMIP_PEERS_H
#define KLMSRV_KMIP_PEERS_H

#include "base/rc.h"

#include <stddef.h>
#include <stdint.h>

struct sockaddr_storage;

struct srv_peer {
    struct srv_peer *next;
    uint8_t key[16];
    unsigned connections, shaking;
};

struct srv_peers;
/* A table without peers, for one loop. KLM_E_NOMEM, KLM_E_CRYPTO. */
klm_rc srv_peers_new(struct srv_peers **out) KLM_MUST_USE;
/* All of its peers must be gone. */
void srv_peers_free(struct srv_peers **peers);
/* The peer of an address, made when it is not there; no connection is counted yet. NULL without memory. */
struct srv_peer *srv_peers_get(struct srv_peers *peers, const struct sockaddr_storage *address);
/* Forget it when nothing is counted of it. */
void srv_peers_put(struct srv_peers *peers, struct srv_peer *peer);
/* How many are known, for tests. */
size_t srv_peers_count(const struct srv_peers *peers);

#endif
