/* Connecting keeps its deadline also while the host's name is looked up, with a resolver that is silent in the C library's place. */
#include "test.h"

#include "base/clock.h"
#include "ios/channel.h"

#include <netdb.h>
#include <stdatomic.h>

static atomic_bool may_end, ended;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    (void)node, (void)service, (void)hints, (void)res;
    AWAIT(atomic_load(&may_end));
    atomic_store(&ended, true);
    return EAI_AGAIN;
}

TEST(a_name_server_that_is_silent_does_not_hold_a_connect_beyond_its_deadline)
{
    struct ios_channel channel;
    uint64_t began = klm_clock_mono_ms();

    ios_channel_init(&channel);
    CHECK_RC(ios_channel_connect(&channel, "keys1.example", 3801, began + 100), KLM_E_TIMEOUT);
    CHECK(klm_clock_mono_ms() - began >= 100);
    CHECK(!atomic_load(&ended));
    CHECK_STR(channel.why, "its name is not resolved in time");
    CHECK_INT(channel.fd, -1);
    atomic_store(&may_end, true);
    AWAIT(atomic_load(&ended)); /* what was left behind */
}
