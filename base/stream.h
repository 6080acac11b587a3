/* Streams: a connected socket on a loop, in clear or under TLS, with deadlines and bounds. The handshake runs on
 * a worker (private-key operations never block a loop); afterwards a request costs one read and one write, and a
 * peer that sends TLS records without data one behind the other is cut off (KLM_E_LIMIT).
 * A stream belongs to its loop's thread. */
#ifndef BASE_STREAM_H
#define BASE_STREAM_H

#include "base/buf.h"
#include "base/loop.h"
#include "base/tls.h"

struct klm_stream;

struct klm_stream_config {
    struct klm_loop *loop;
    struct klm_workers *workers;
    size_t max_input;      /* most unread bytes kept; reading stops there until some are dropped */
    size_t max_output;     /* most unsent bytes kept; more fails with KLM_E_LIMIT */
    uint32_t handshake_ms; /* deadline of a TLS handshake, 0: none */
    uint32_t idle_ms; /* close after this long without input while nothing is under way, 0: never */
    uint32_t
        message_ms; /* deadline from the first byte of a message (klm_stream_message_begun) to its end */
    uint32_t write_ms; /* deadline for the peer to take what we send */
    uint32_t
        rest_ms; /* TLS: give back and wipe its buffers so long after the last message; 0: a second */
    bool lean;   /* keep no memory between messages: for very many that are mostly idle */
    bool
        half; /* TLS: a peer that only sends no more is answered still; the owner closes (klm_stream_shut) */
};

/* What the owner hears. After closed the stream may be freed, and nothing more is called. */
struct klm_stream_owner {
    void (*data)(void *arg, struct klm_stream *stream);    /* input grew; read klm_stream_input */
    void (*secured)(void *arg, struct klm_stream *stream); /* the TLS handshake is done */
    void (*closed)(void *arg, struct klm_stream *stream,
                   klm_rc why); /* KLM_E_CLOSED: cleanly by the peer */
    void *arg;
};

/* Take over a connected, non-blocking descriptor (owned from now on, also on failure). Reading starts at once. */
klm_rc klm_stream_new(int take_fd, const struct klm_stream_config *cfg,
                      const struct klm_stream_owner *owner, struct klm_stream **out) KLM_MUST_USE;
/* Start TLS, as the server or the client that ctx is for. KLM_E_STATE when unread clear bytes are there: nothing is buffered across the upgrade. */
klm_rc klm_stream_secure(struct klm_stream *stream, struct klm_tls_ctx *ctx) KLM_MUST_USE;
/* Unread input; drop with klm_buf_drop what was used, then call klm_stream_message_done when a whole message was. */
struct klm_buf *klm_stream_input(struct klm_stream *stream);
/* Restart or end the message deadline. */
void klm_stream_message_begun(struct klm_stream *stream);
void klm_stream_message_done(struct klm_stream *stream);
/* Send what the socket takes, keep the rest: on the loop at the end of its turn, in one write and together with what other streams send; elsewhere now. KLM_E_LIMIT (nothing of
 * it is sent), KLM_E_CLOSED, KLM_E_STATE during the handshake. */
klm_rc klm_stream_send(struct klm_stream *stream, struct klm_slice bytes) KLM_MUST_USE;
/* Does so much output wait for the peer (64 KiB) that no more should be made? Then nothing is read either, and data is called, if only to say so, when all of it has left. */
bool klm_stream_clogged(struct klm_stream *stream);
/* Bytes of output that wait. */
size_t klm_stream_pending(const struct klm_stream *stream);
/* Give back and wipe at once what TLS keeps from one message to the next, for a message that held secrets. */
void klm_stream_rest(struct klm_stream *stream);
/* Another idle deadline from now on, 0: never. */
void klm_stream_idle(struct klm_stream *stream, uint32_t idle_ms);
/* Stop or go on reading, while a request is carried out. When it goes on with unread input, data is called again. */
void klm_stream_pause(struct klm_stream *stream, bool pause);
/* Has the peer said that it sends no more (RFC 8446, 6.1: it may go on reading)? Only with half; data is called when it did, and nothing comes after. */
bool klm_stream_shut(const struct klm_stream *stream);
/* Close when all is sent; closed is called later, on the loop. */
void klm_stream_close(struct klm_stream *stream);
/* Free at once, from closed or before any use; never from within another callback of it (use close there). */
void klm_stream_free(struct klm_stream **stream);
/* Is it only waiting for the other side: no worker is at its handshake? */
bool klm_stream_waits(const struct klm_stream *stream);
/* The SSL object, borrowed; NULL in clear. */
struct ssl_st *klm_stream_ssl(struct klm_stream *stream);
/* Words on why the stream ended, for a message ("certificate verify failed (SSL routines)"); never NULL, may be empty. */
const char *klm_stream_why(const struct klm_stream *stream);
/* "192.0.2.7:40022" or "[2001:db8::7]:40022", cut to fit. */
const char *klm_stream_peer(const struct klm_stream *stream);

#endif
