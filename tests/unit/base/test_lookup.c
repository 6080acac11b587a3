/* Name lookups aside, with a resolver of our own in the C library's place: what it finds, what it does not, and one that takes too long. */
#include "test.h"

#include "base/clock.h"
#include "base/lookup.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int freed;
static atomic_bool slow_may_end;

/* "slow" takes until it may end, "none" is none; all others are 192.0.2.1. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    struct addrinfo *made = calloc(1, sizeof *made + sizeof(struct sockaddr_in));
    struct sockaddr_in *in;

    if (strcmp(node, "slow") == 0) {
        AWAIT(atomic_load(&slow_may_end));
    }
    if (!made || strcmp(node, "none") == 0) {
        free(made);
        return EAI_NONAME;
    }
    in = (struct sockaddr_in *)(void *)(made + 1);
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(service))};
    (void)inet_pton(AF_INET, "192.0.2.1", &in->sin_addr);
    *made = (struct addrinfo){.ai_family = AF_INET,
                              .ai_socktype = hints->ai_socktype,
                              .ai_addrlen = sizeof *in,
                              .ai_addr = (struct sockaddr *)in};
    *res = made;
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    atomic_fetch_add(&freed, 1);
    free(list);
}

/* Wait until so many lists are freed. */
static void wait_freed(int n)
{
    AWAIT(atomic_load(&freed) >= n);
    CHECK_INT(atomic_load(&freed), n);
}

static klm_rc look(const char *host, unsigned ms, struct klm_lookup **lookup,
                   const struct addrinfo **list, const char **why)
{
    return klm_lookup_wait(host, "514", SOCK_DGRAM, klm_clock_mono_ms() + ms, lookup, list, why);
}

TEST(a_name_that_is_known_has_its_addresses_until_the_lookup_is_freed)
{
    struct klm_lookup *lookup = NULL;
    const struct addrinfo *list = NULL;
    const char *why = NULL;
    int before = atomic_load(&freed);

    REQUIRE_OK(look("host", 5000, &lookup, &list, &why));
    CHECK_INT(list->ai_socktype, SOCK_DGRAM);
    CHECK_INT(ntohs(((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_port), 514);
    CHECK_INT(atomic_load(&freed), before);
    klm_lookup_free(&lookup);
    CHECK(lookup == NULL);
    wait_freed(before + 1);
}

TEST(a_name_that_is_unknown_or_too_long_is_said_to_be)
{
    struct klm_lookup *lookup = NULL;
    const struct addrinfo *list = NULL;
    const char *why = NULL;
    char name[300];

    CHECK_RC(look("none", 5000, &lookup, &list, &why), KLM_E_NOTFOUND);
    CHECK_STR(why, gai_strerror(EAI_NONAME));
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    CHECK_RC(look(name, 5000, &lookup, &list, &why), KLM_E_LIMIT);
    CHECK(lookup == NULL);
}

TEST(a_resolver_that_takes_too_long_is_left_and_cleans_up_behind_itself)
{
    struct klm_lookup *lookup = NULL;
    const struct addrinfo *list = NULL;
    const char *why = NULL;
    int before = atomic_load(&freed);

    CHECK_RC(look("slow", 50, &lookup, &list, &why), KLM_E_TIMEOUT);
    CHECK_STR(why, "its name is not resolved in time");
    CHECK(lookup == NULL);
    CHECK_INT(atomic_load(&freed), before);
    atomic_store(&slow_may_end, true);
    wait_freed(before + 1);
}
