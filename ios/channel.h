/* A connection to a key manager: a socket, in clear or under TLS, where every step ends at a deadline. One thread uses it. */
#ifndef IOS_CHANNEL_H
#define IOS_CHANNEL_H

#include "base/pool.h"
#include "base/rc.h"

#include <stdbool.h>
#include <stdint.h>

struct ssl_st;
struct klm_tls_ctx;

#define IOS_WHY_MAX 200

struct ios_channel {
    int fd;                /* -1: not connected */
    struct ssl_st *ssl;    /* NULL: in clear */
    uint64_t deadline;     /* of whatever is done next, by klm_clock_mono_ms */
    bool cert_asked;       /* the server asked for a certificate in the handshake */
    char why[IOS_WHY_MAX]; /* words on the last failure */
};

/* A channel that is not connected. */
void ios_channel_init(struct ios_channel *channel);
/* Connect to a host name or address; its name is looked up, and each address of it gets its share of what is left, until until. KLM_E_IO, KLM_E_TIMEOUT, KLM_E_NOTFOUND (no such name). */
klm_rc ios_channel_connect(struct ios_channel *channel, const char *host, uint16_t port,
                           uint64_t until) KLM_MUST_USE;
/* TLS handshake as the client. KLM_E_STATE when the server has sent something before its turn; KLM_E_CRYPTO when the handshake fails: the
 * server's certificate does not chain to a trusted one, or is none of a server. */
klm_rc ios_channel_secure(struct ios_channel *channel, struct klm_tls_ctx *ctx) KLM_MUST_USE;
/* All of the bytes. KLM_E_TIMEOUT, KLM_E_CLOSED, KLM_E_IO. */
klm_rc ios_channel_write(struct ios_channel *channel, struct klm_slice bytes) KLM_MUST_USE;
/* At least one byte, at most cap. The same failures. */
klm_rc ios_channel_read(struct ios_channel *channel, void *out, size_t cap, size_t *n) KLM_MUST_USE;
/* Is there something to read, or the end, right now? */
bool ios_channel_pending(const struct ios_channel *channel);
void ios_channel_close(struct ios_channel *channel);

#endif
