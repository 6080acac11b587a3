/* UDP to a name with several addresses: the first one that does not refuse gets every message. The resolver is one of our own, in the C library's place. */
#include "test.h"

#include "smf/syslog_link.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *const *addresses; /* of any name, in this order */

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    struct addrinfo *list = NULL, **tail = &list;

    (void)node;
    for (size_t i = 0; addresses[i]; i++) {
        struct addrinfo *one = calloc(1, sizeof *one + sizeof(struct sockaddr_in));
        struct sockaddr_in *in;

        if (!one) {
            abort();
        }
        in = (struct sockaddr_in *)(void *)(one + 1);
        *in =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(service))};
        (void)inet_pton(AF_INET, addresses[i], &in->sin_addr);
        *one = (struct addrinfo){.ai_family = AF_INET,
                                 .ai_socktype = hints->ai_socktype,
                                 .ai_addrlen = sizeof *in,
                                 .ai_addr = (struct sockaddr *)in};
        *tail = one;
        tail = &one->ai_next;
    }
    *res = list;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list);
        list = next;
    }
}

/* A receiver at 127.0.0.1 alone. */
static int receiver(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = 5};
    socklen_t n = sizeof at;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    REQUIRE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    REQUIRE(getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    REQUIRE(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static klm_rc send_two(struct smf_syslog_options *options, const char *const *list, size_t *at)
{
    static const uint32_t ends[] = {4, 8};
    struct smf_syslog_link link;
    int stop[2];
    klm_rc rc;

    addresses = list;
    REQUIRE(pipe(stop) == 0);
    REQUIRE_OK(smf_syslog_link_init(&link, options, stop[0], NULL));
    rc = smf_syslog_link_connect(&link);
    if (rc == KLM_OK) {
        rc = smf_syslog_link_send(&link, klm_slice_str("one.two."), ends, 2, at);
    }
    smf_syslog_link_done(&link);
    close(stop[0]);
    close(stop[1]);
    return rc;
}

static struct smf_syslog_options options_for(uint16_t port)
{
    return (struct smf_syslog_options){
        .transport = SMF_SYSLOG_UDP, .host = "syslog.example", .port = port, .timeout_ms = 2000};
}

TEST(the_first_address_that_does_not_refuse_gets_each_message_once)
{
    static const char *const list[] = {"127.0.0.3", "127.0.0.2", "127.0.0.1", NULL};
    struct smf_syslog_options options;
    char got[16];
    uint16_t port;
    size_t at = 0;
    int fd = receiver(&port);

    options = options_for(port);
    CHECK_RC(send_two(&options, list, &at), KLM_OK);
    CHECK_INT(at, 8);
    CHECK(recv(fd, got, sizeof got, 0) == 4 && memcmp(got, "one.", 4) == 0);
    CHECK(recv(fd, got, sizeof got, 0) == 4 && memcmp(got, "two.", 4) == 0);
    CHECK(recv(fd, got, sizeof got, MSG_DONTWAIT) < 0);
    close(fd);
}

TEST(when_all_addresses_refuse_it_is_a_failure)
{
    static const char *const list[] = {"127.0.0.3", "127.0.0.2", NULL};
    struct smf_syslog_options options;
    uint16_t port;
    size_t at = 0;
    int fd = receiver(&port);

    options = options_for(port);
    CHECK_RC(send_two(&options, list, &at), KLM_E_CLOSED);
    close(fd);
}
