/* Messages to key servers and back. */
#include "ios/kmip_link.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/tls.h"
#include "ios/channel.h"
#include "kmip/codec/ttlv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 5000
#define CONNECT_MS 2000

struct peer {
    char host[IOS_KEYSERVER_HOST + 1];
    uint16_t port;
    struct ios_channel channel;
};

struct ios_kmip_link {
    struct klm_tls_ctx *tls;
    uint32_t timeout_ms, connect_ms;
    struct peer peer[IOS_KEYSERVERS]; /* by id */
};

klm_rc ios_kmip_link_new(const struct ios_kmip_config *config, struct klm_diag *diag,
                         struct ios_kmip_link **out)
{
    const struct ios_system_identity *id = config->identity;
    const struct klm_tls_config tls = {.min_version = 12,
                                       .max_version = 13,
                                       .key = id->key,
                                       .cert = id->cert,
                                       .trust = id->ca,
                                       .trust_n = id->ca_n,
                                       .security_level = 2};
    struct ios_kmip_link *link = calloc(1, sizeof *link);
    klm_rc rc;

    if (!link) {
        return klm_fail(diag, KLM_E_NOMEM, KLM_MSG_NO_MEMORY, "KMIP");
    }
    rc = klm_tls_ctx_new(&tls, diag, &link->tls);
    if (rc != KLM_OK) {
        free(link);
        return rc;
    }
    link->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS;
    link->connect_ms = config->connect_ms ? config->connect_ms : CONNECT_MS;
    for (size_t i = 0; i < IOS_KEYSERVERS; i++) {
        ios_channel_init(&link->peer[i].channel);
    }
    *out = link;
    return KLM_OK;
}

void ios_kmip_link_free(struct ios_kmip_link **link)
{
    if (!*link) {
        return;
    }
    for (size_t i = 0; i < IOS_KEYSERVERS; i++) {
        ios_channel_close(&(*link)->peer[i].channel);
    }
    klm_tls_ctx_free(&(*link)->tls);
    free(*link);
    *link = NULL;
}

static bool is_open(const struct peer *peer, const struct ios_keyserver *server)
{
    return peer->channel.fd >= 0 && peer->port == server->port &&
           strcmp(peer->host, server->host) == 0;
}

static klm_rc open_peer(struct ios_kmip_link *link, struct peer *peer,
                        const struct ios_keyserver *server)
{
    struct ios_channel *channel = &peer->channel;

    ios_channel_close(channel);
    ios_channel_init(channel);
    memcpy(peer->host, server->host, sizeof peer->host);
    peer->port = server->port;
    KLM_TRY(ios_channel_connect(channel, server->host, server->port,
                                klm_clock_mono_ms() + link->connect_ms));
    channel->deadline = klm_clock_mono_ms() + link->timeout_ms;
    KLM_TRY(ios_channel_secure(channel, link->tls));
    if (!channel->cert_asked) {
        snprintf(channel->why, sizeof channel->why, "it asks for no certificate of a client");
        return KLM_E_DENIED;
    }
    return KLM_OK;
}

/* At least size bytes in the buffer. */
static klm_rc fill(struct ios_channel *channel, struct klm_buf *in, size_t size)
{
    while (in->n < size) {
        uint8_t part[4096];
        size_t n = 0, want = size - in->n < sizeof part ? size - in->n : sizeof part;

        KLM_TRY(ios_channel_read(channel, part, want, &n));
        klm_buf_put(in, part, n);
        klm_wipe(part, n);
        KLM_TRY(klm_buf_rc(in));
    }
    return KLM_OK;
}

static klm_rc receive(struct ios_channel *channel, struct klm_buf *in)
{
    size_t size = 0;
    klm_rc rc;

    KLM_TRY(fill(channel, in, KMIP_TTLV_HEAD));
    rc = kmip_ttlv_size(klm_buf_as_slice(in), NULL, &size);
    if (rc != KLM_OK) {
        snprintf(channel->why, sizeof channel->why, "it answers with something else than KMIP");
        return rc;
    }
    return fill(channel, in, size);
}

static klm_rc exchange(struct ios_channel *channel, struct klm_slice out, struct klm_buf *in,
                       uint32_t timeout_ms)
{
    channel->deadline = klm_clock_mono_ms() + timeout_ms;
    KLM_TRY(ios_channel_write(channel, out));
    return receive(channel, in);
}

static klm_rc try_ask(struct ios_kmip_link *link, struct peer *peer,
                      const struct ios_keyserver *server, struct klm_slice out, bool again,
                      struct klm_buf *in)
{
    const bool kept = is_open(peer, server);
    klm_rc rc;

    if (!kept || ios_channel_pending(&peer->channel)) { /* it has ended meanwhile */
        KLM_TRY(open_peer(link, peer, server));
        return exchange(&peer->channel, out, in, link->timeout_ms);
    }
    rc = exchange(&peer->channel, out, in, link->timeout_ms);
    if (rc == KLM_OK || !again) {
        return rc;
    }
    klm_buf_clear(in);
    KLM_TRY(open_peer(link, peer, server));
    return exchange(&peer->channel, out, in, link->timeout_ms);
}

/* What was received, kept for as long as the pool, with the tree in it. */
static klm_rc take_in(struct ios_channel *channel, const struct klm_buf *in,
                      struct klm_pool *wiping, const struct kmip_node **answer)
{
    struct kmip_node *root = NULL;
    struct klm_slice bytes;
    klm_rc rc;

    KLM_TRY(klm_pool_slice(wiping, klm_buf_as_slice(in), &bytes));
    rc = kmip_ttlv_decode(bytes, NULL, wiping, &root);
    if (rc != KLM_OK || root->tag != KMIP_TAG_ResponseMessage) {
        snprintf(channel->why, sizeof channel->why, "it answers with something else than KMIP");
        return rc == KLM_OK ? KLM_E_INVALID : rc;
    }
    *answer = root;
    return KLM_OK;
}

klm_rc ios_kmip_link_ask(struct ios_kmip_link *link, const struct ios_keyserver *server,
                         const struct kmip_node *request, bool again, struct klm_pool *wiping,
                         const struct kmip_node **answer, char *why)
{
    struct peer *peer = &link->peer[server->id % IOS_KEYSERVERS];
    KLM_AUTO(klm_buf_done) struct klm_buf out, in;
    klm_rc rc;

    klm_buf_init(&out, KMIP_BYTES_MAX);
    klm_buf_init_wiping(&in, KMIP_BYTES_MAX);
    kmip_ttlv_encode(request, IOS_KMIP_VERSION, &out);
    rc = klm_buf_rc(&out);
    if (rc == KLM_OK) {
        rc = try_ask(link, peer, server, klm_buf_as_slice(&out), again, &in);
    }
    if (rc == KLM_OK) {
        rc = take_in(&peer->channel, &in, wiping, answer);
    }
    if (rc != KLM_OK) {
        snprintf(why, IOS_WHY_MAX, "%s",
                 peer->channel.why[0] ? peer->channel.why : klm_rc_text(rc));
        ios_channel_close(&peer->channel);
        ios_channel_init(&peer->channel);
    }
    return rc;
}

static klm_rc ask(void *arg, const struct ios_keyserver *server, const struct kmip_node *request,
                  bool again, struct klm_pool *wiping, const struct kmip_node **answer, char *why)
{
    return ios_kmip_link_ask(arg, server, request, again, wiping, answer, why);
}

struct ios_kmip_way ios_kmip_link_way(struct ios_kmip_link *link)
{
    return (struct ios_kmip_way){link, ask};
}
