/* One request and its answer on one channel. */
#include "keyring/p11/client.h"

#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static klm_rc put(const struct p11_channel *channel, const struct p11_msg *request)
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init_wiping(&buf, P11_MSG_MAX);
    rc = p11_msg_encode(request, &buf);
    if (rc == KLM_OK && send(channel->fd, buf.p, buf.n, MSG_NOSIGNAL) != (ssize_t)buf.n) {
        rc = KLM_E_CLOSED;
    }
    klm_buf_done(&buf);
    return rc;
}

static klm_rc wait_for(const struct p11_channel *channel, uint64_t until)
{
    struct pollfd poller = {.fd = channel->fd, .events = POLLIN};

    for (;;) {
        uint64_t now = klm_clock_mono_ms();
        int n = poll(&poller, 1, now < until ? (int)(until - now) : 0);

        if (n > 0) {
            return KLM_OK;
        }
        if (n == 0 && klm_clock_mono_ms() >= until) {
            return KLM_E_TIMEOUT;
        }
        if (n < 0 && errno != EINTR) {
            return KLM_E_CLOSED;
        }
    }
}

klm_rc p11_exchange(struct p11_channel *channel, const struct p11_msg *request, unsigned ms,
                    struct p11_msg *answer)
{
    uint64_t until = klm_clock_mono_ms() + ms;
    struct p11_msg msg;
    ssize_t n;

    KLM_TRY(put(channel, request));
    KLM_TRY(wait_for(channel, until));
    n = recv(channel->fd, channel->in, P11_MSG_MAX, MSG_TRUNC | MSG_DONTWAIT);
    if (n <= 0) {
        return KLM_E_CLOSED;
    }
    if (n > P11_MSG_MAX || p11_msg_decode(KLM_SLICE(channel->in, (size_t)n), &msg) != KLM_OK ||
        !msg.answer || msg.op != request->op || msg.id != request->id) {
        klm_wipe(channel->in, P11_MSG_MAX);
        return KLM_E_INVALID;
    }
    *answer = msg;
    return KLM_OK;
}
