/* Connections by address. */
#include "test.h"

#include "klmsrv/kmip_peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

static struct sockaddr_storage address_of(const char *text, unsigned port)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
        memcpy(&out, &in, sizeof in);
    } else {
        REQUIRE(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1);
        memcpy(&out, &in6, sizeof in6);
    }
    return out;
}

static struct srv_peer *get(struct srv_peers *peers, const char *text, unsigned port)
{
    struct sockaddr_storage address = address_of(text, port);

    return srv_peers_get(peers, &address);
}

TEST(an_address_is_one_peer_whatever_its_port)
{
    struct srv_peers *peers = NULL;
    struct srv_peer *one;

    REQUIRE_OK(srv_peers_new(&peers));
    one = get(peers, "192.0.2.7", 1000);
    REQUIRE(one != NULL);
    CHECK(get(peers, "192.0.2.7", 2000) == one);
    CHECK(get(peers, "::ffff:192.0.2.7", 3000) == one);
    CHECK(get(peers, "192.0.2.8", 1000) != one);
    CHECK_INT(srv_peers_count(peers), 2);
    srv_peers_put(peers, get(peers, "192.0.2.8", 1));
    srv_peers_put(peers, one);
    CHECK_INT(srv_peers_count(peers), 0);
    srv_peers_free(&peers);
    CHECK(peers == NULL);
}

TEST(a_network_of_ipv6_is_one_peer)
{
    struct srv_peers *peers = NULL;
    struct srv_peer *one, *other;

    REQUIRE_OK(srv_peers_new(&peers));
    one = get(peers, "2001:db8:1:2::7", 1000);
    other = get(peers, "2001:db8:1:3::7", 1000);
    REQUIRE(one && other);
    CHECK(get(peers, "2001:db8:1:2:ffff:1:2:3", 2000) == one);
    CHECK(one != other);
    srv_peers_put(peers, one);
    srv_peers_put(peers, other);
    srv_peers_free(&peers);
}

TEST(a_peer_stays_while_something_is_counted)
{
    struct srv_peers *peers = NULL;
    struct srv_peer *one;

    REQUIRE_OK(srv_peers_new(&peers));
    one = get(peers, "192.0.2.7", 1000);
    one->connections = 2;
    srv_peers_put(peers, one);
    CHECK(get(peers, "192.0.2.7", 1) == one);
    one->connections = 0;
    srv_peers_put(peers, one);
    CHECK_INT(srv_peers_count(peers), 0);
    srv_peers_free(&peers);
}

TEST(many_peers_are_found_again)
{
    struct srv_peers *peers = NULL;
    char text[32];

    REQUIRE_OK(srv_peers_new(&peers));
    for (unsigned i = 0; i < 20000; i++) {
        snprintf(text, sizeof text, "10.0.%u.%u", i / 250, i % 250);
        get(peers, text, 1)->connections = i + 1;
    }
    CHECK_INT(srv_peers_count(peers), 20000);
    for (unsigned i = 0; i < 20000; i++) {
        struct srv_peer *peer;

        snprintf(text, sizeof text, "10.0.%u.%u", i / 250, i % 250);
        peer = get(peers, text, 2);
        if (peer->connections != i + 1) {
            CHECK_INT(peer->connections, i + 1);
        }
        peer->connections = 0;
        srv_peers_put(peers, peer);
    }
    CHECK_INT(srv_peers_count(peers), 0);
    srv_peers_free(&peers);
}
