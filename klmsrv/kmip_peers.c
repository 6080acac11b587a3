/* Connections by address. */
#include "klmsrv/kmip_peers.h"

#include "base/network.h"
#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define CHAINS 4096

struct srv_peers {
    struct srv_peer *chain[CHAINS];
    size_t n;
    uint64_t seed[2];
};

klm_rc srv_peers_new(struct srv_peers **out)
{
    struct srv_peers *peers = calloc(1, sizeof *peers);
    klm_rc rc = peers ? klm_random(peers->seed, sizeof peers->seed) : KLM_E_NOMEM;

    if (rc != KLM_OK) {
        free(peers);
        return rc;
    }
    *out = peers;
    return KLM_OK;
}

void srv_peers_free(struct srv_peers **peers)
{
    free(*peers);
    *peers = NULL;
}

static uint64_t mixed(uint64_t v)
{
    v ^= v >> 32;
    v *= UINT64_C(0x9E3779B97F4A7C15);
    v ^= v >> 29;
    v *= UINT64_C(0xBF58476D1CE4E5B9);
    return v ^ v >> 32;
}

static size_t chain_of(const struct srv_peers *peers, const uint8_t key[16])
{
    uint64_t half[2];

    memcpy(half, key, sizeof half);
    return (size_t)(mixed(mixed(half[0] ^ peers->seed[0]) ^ half[1] ^ peers->seed[1]) % CHAINS);
}

struct srv_peer *srv_peers_get(struct srv_peers *peers, const struct sockaddr_storage *address)
{
    struct srv_peer *peer;
    uint8_t key[KLM_NETWORK];
    size_t chain;

    klm_network_of(address, key);
    chain = chain_of(peers, key);
    for (peer = peers->chain[chain]; peer; peer = peer->next) {
        if (memcmp(peer->key, key, sizeof key) == 0) {
            return peer;
        }
    }
    peer = calloc(1, sizeof *peer);
    if (peer) {
        memcpy(peer->key, key, sizeof key);
        peer->next = peers->chain[chain];
        peers->chain[chain] = peer;
        peers->n++;
    }
    return peer;
}

void srv_peers_put(struct srv_peers *peers, struct srv_peer *peer)
{
    struct srv_peer **at = &peers->chain[chain_of(peers, peer->key)];

    if (peer->connections) {
        return;
    }
    while (*at != peer) {
        at = &(*at)->next;
    }
    *at = peer->next;
    peers->n--;
    free(peer);
}

size_t srv_peers_count(const struct srv_peers *peers)
{
    return peers->n;
}
