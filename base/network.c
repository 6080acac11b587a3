#include "base/network.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

void klm_network_of(const struct sockaddr_storage *address, uint8_t out[KLM_NETWORK])
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    memset(out, 0, KLM_NETWORK);
    if (address->ss_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        out[10] = out[11] = 0xFF;
        memcpy(out + 12, &in.sin_addr, 4);
    } else if (address->ss_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        memcpy(out, &in6.sin6_addr, IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) ? 16 : 8);
    }
}
