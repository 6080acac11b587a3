/* Whose connections are counted together: all of an IPv4 address, and of IPv6 all of a network of 64 bits, since whoever has one address of it may have them all. */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

#include <stdint.h>

#define KLM_NETWORK 16 /* bytes */

struct sockaddr_storage;
/* IPv4 as IPv6 writes it; of IPv6 the upper half, zeros behind it; what is neither is one network, all zero. */
void klm_network_of(const struct sockaddr_storage *address, uint8_t out[KLM_NETWORK]);

#endif
