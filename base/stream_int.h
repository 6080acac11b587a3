/* Inside of a stream: what stream.c (life, callbacks, deadlines), stream_io.c (bytes),
 * stream_bio.c (between TLS and the socket) and stream_tls.c (the handshake) share. */
#ifndef BASE_STREAM_INT_H
#define BASE_STREAM_INT_H

#include "base/burst.h"
#include "base/stream.h"

enum klm_phase {
    KLM_PHASE_CLEAR,     /* bytes as they are */
    KLM_PHASE_FLUSH,     /* clear output is going out before the handshake starts */
    KLM_PHASE_HANDSHAKE, /* TLS handshake, on a worker or waiting for the peer */
    KLM_PHASE_TLS,
    KLM_PHASE_LINGER, /* everything is sent; waiting a moment for the peer to close */
    KLM_PHASE_ENDED   /* closed is called, or about to be */
};

struct klm_stream {
    struct klm_stream_config cfg;
    struct klm_stream_owner owner;
    enum klm_phase phase;
    int fd;
    struct klm_io *io;
    struct klm_timer *timer;
    struct klm_tls_ctx *ctx;
    struct ssl_st *ssl;
    struct klm_buf in, out;
    size_t step; /* bytes of the next read; grows while reads fill it */

    unsigned refs; /* the owner, a task posted, a job under way, a callback running */
    bool freed;    /* the owner let go */
    bool busy;     /* a worker has the SSL object */
    bool corked;   /* within a callback: what is sent goes out after it, in one write */
    bool gathered; /* what is to be sent waits for the end of the loop's turn */
    bool paused, closing, told;
    bool shut;      /* the peer sends no more */
    bool clogged;   /* the owner was told to wait until output has left */
    bool unclogged; /* and it has: data is called */
    bool blocked; /* input came while none was wanted: only then is the interest in it withdrawn */
    bool read_wants_write, write_wants_read; /* TLS may need the other direction */
    bool again;                              /* the task is to look at input again */
    unsigned bare; /* records that came since the last data, and brought none */
    bool posted;
    struct klm_task task, send;
    /* TLS: reads and writes that are made with those of other streams. What was read and TLS has not asked for is ahead, in the loop's memory or, when it stays, in kept; what TLS gave and the
     * socket has not taken is wire. */
    struct klm_transfer reading, writing;
    bool reads_joined, writes_joined; /* they wait for the end of the turn */
    bool collects;                    /* what TLS writes goes into wire */
    bool read_end;                    /* the peer has closed */
    int read_errno;                   /* of such a read; TLS has not heard of it yet */
    struct klm_slice ahead;
    struct klm_buf kept, wire;
    struct klm_job job;
    bool handed;          /* the handshake needs a private key: workers do what is left of it */
    int handshake;        /* what SSL_get_error said after the last step */
    char step_words[120]; /* and OpenSSL's words on it */

    bool begun;          /* a message is under way */
    uint64_t activity;   /* of the idle deadline: last input or end of work */
    uint64_t message_at; /* deadlines in monotonic milliseconds, 0: none */
    uint64_t handshake_at;
    uint64_t write_at;
    uint64_t linger_at;
    uint64_t rest_at;  /* when TLS gives back its buffers */
    uint64_t armed_at; /* when the timer fires, 0: not set */

    klm_rc why;
    char words[120];
    char peer[64];
};

/* stream.c */
/* The stream is over: no more input or output, closed is called on the loop. Only the first reason
 * counts. */
void klm_stream_end_(struct klm_stream *stream, klm_rc why);
/* Set the interest in the descriptor and the timer to what the state asks for. */
void klm_stream_update_(struct klm_stream *stream);
/* Call a callback of the owner (data or secured), then send what it left. */
void klm_stream_call_(struct klm_stream *stream, void (*fn)(void *, struct klm_stream *));
/* May output wait for the end of the loop's turn, and have it wait. */
bool klm_stream_gathers_(const struct klm_stream *stream);
void klm_stream_gather_(struct klm_stream *stream);
/* Something was read or sent, or TLS begins. */
void klm_stream_active_(struct klm_stream *stream);
/* Have the task look at the input, on the loop. */
void klm_stream_look_(struct klm_stream *stream);
/* Room for unread bytes, and reading is allowed. */
bool klm_stream_reads_(const struct klm_stream *stream);
void klm_stream_unref_(struct klm_stream *stream);

/* stream_io.c */
void klm_stream_read_(struct klm_stream *stream);
/* Send what is pending as far as the socket takes it. */
void klm_stream_flush_(struct klm_stream *stream);
#define KLM_STREAM_JOIN_MAX                                                                        \
    ((size_t)16384) /* bytes of an answer that is sent with others: a record of TLS */
/* The same, sent with what others have to send. False: it is nothing for that. */
bool klm_stream_flush_joined_(struct klm_stream *stream);
/* Something was sent, or all: deadlines, memory, what waited for it. */
void klm_stream_sent_(struct klm_stream *stream, bool progress);
/* A transfer failed with an errno; true: it is only to be tried again, else the stream has ended. */
bool klm_stream_errno_(struct klm_stream *stream, int err);
/* Nothing waits to be sent. */
bool klm_stream_empty_(const struct klm_stream *stream);
/* TLS begins: from now on a peer is cut off that sends record after record without data. */
void klm_stream_watch_(struct klm_stream *stream);
/* TLS: bytes that were read from the socket and not yet asked for. */
bool klm_stream_has_more_(const struct klm_stream *stream);
/* All is sent: say goodbye to the peer and wait a moment for its own. */
void klm_stream_linger_(struct klm_stream *stream);

/* stream_bio.c */
struct bio_st;
/* What the stream's TLS reads from and writes to. NULL: no memory. */
struct bio_st *klm_stream_bio_(struct klm_stream *stream);
/* Have the read that the descriptor announced made with those of others. False: it is not one for that, read now. */
bool klm_stream_join_read_(struct klm_stream *stream, unsigned ready);
/* Send what wire holds as far as the socket takes it. False: something stays, or the stream ended. */
bool klm_stream_push_(struct klm_stream *stream);
/* The same, made with those of others. */
void klm_stream_join_write_(struct klm_stream *stream);
/* The socket is not the stream's any more. */
void klm_stream_unjoin_(struct klm_stream *stream);

/* stream_tls.c */
/* Start or go on with the handshake. */
void klm_stream_handshake_(struct klm_stream *stream);

#endif
