/* Life of a stream: callbacks, deadlines, closing. Deadlines are numbers that are cheap to move;
 * the one timer is set only when it would fire too late, and looks at the numbers again when it
 * fires. */
#include "base/stream_int.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP_FIRST 4096
#define REST_MS 1000
#define CLOG 65536 /* bytes of output */

static void peer_name(int fd, char *out, size_t cap)
{
    struct sockaddr_storage ss = {0};
    socklen_t n = sizeof ss;
    char host[INET6_ADDRSTRLEN] = "";

    snprintf(out, cap, "local");
    if (getpeername(fd, (struct sockaddr *)&ss, &n) != 0) {
        return;
    }
    if (ss.ss_family == AF_INET) {
        struct sockaddr_in in;

        memcpy(&in, &ss, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        snprintf(out, cap, "%s:%u", host, ntohs(in.sin_port));
    } else if (ss.ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        bool mapped;

        memcpy(&in6, &ss, sizeof in6);
        mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        inet_ntop(mapped ? AF_INET : AF_INET6, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), host,
                  sizeof host);
        snprintf(out, cap, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(in6.sin6_port));
    }
}

/* Let go of the socket; the memory may live on until a worker or a task is through with it. */
static void close_fd(struct klm_stream *s)
{
    klm_io_free(&s->io);
    klm_timer_free(&s->timer);
    klm_stream_unjoin_(s);
    if (s->fd >= 0 && !s->busy) {
        close(s->fd);
        s->fd = -1;
    }
}

void klm_stream_unref_(struct klm_stream *s)
{
    if (--s->refs) {
        return;
    }
    close_fd(s);
    if (s->ssl && SSL_is_init_finished(s->ssl)) {
        /* RFC 4346, 7.2.1: a connection that was not closed in order is no reason not to resume its session. What broke it by a fatal alert is forgotten all the
         * same. */
        SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(s->ssl);
    klm_tls_ctx_free(&s->ctx);
    klm_buf_done(&s->in);
    klm_buf_done(&s->out);
    klm_buf_done(&s->kept);
    klm_buf_done(&s->wire);
    free(s);
}

void klm_stream_free(struct klm_stream **stream)
{
    struct klm_stream *s;

    if (!stream || !(s = *stream)) {
        return;
    }
    *stream = NULL;
    s->freed = s->told = true;
    s->phase = KLM_PHASE_ENDED;
    if (s->busy) {
        shutdown(s->fd, SHUT_RDWR);
    }
    close_fd(s);
    klm_stream_unref_(s);
}

/* Until when the stream may do nothing, or 0. */
static uint64_t idle_at(const struct klm_stream *s)
{
    bool under_way = s->begun || s->paused || s->closing || !klm_stream_empty_(s) ||
                     (s->phase != KLM_PHASE_CLEAR && s->phase != KLM_PHASE_TLS);

    return s->cfg.idle_ms && !under_way ? s->activity + s->cfg.idle_ms : 0;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a == 0 || (b && b < a) ? b : a;
}

static uint64_t rest_ms(const struct klm_stream *s)
{
    return s->cfg.rest_ms ? s->cfg.rest_ms : REST_MS;
}

void klm_stream_active_(struct klm_stream *s)
{
    s->activity = klm_clock_tick_ms();
    s->rest_at = s->phase == KLM_PHASE_TLS ? s->activity + rest_ms(s) : 0;
}

void klm_stream_rest(struct klm_stream *s)
{
    if (s->phase != KLM_PHASE_TLS || s->busy) {
        return;
    }
    /* Bytes that are read and not asked for, or that the socket did not take, keep them: then it is tried again. */
    s->rest_at = SSL_free_buffers(s->ssl) == 1 ? 0 : klm_clock_mono_ms() + rest_ms(s);
}

static uint64_t next_deadline(const struct klm_stream *s)
{
    uint64_t at = sooner(idle_at(s), s->message_at);

    at = sooner(at, s->handshake_at);
    at = sooner(at, s->write_at);
    at = sooner(at, s->rest_at);
    return sooner(at, s->linger_at);
}

static void arm(struct klm_stream *s, uint64_t at)
{
    uint64_t now = klm_clock_mono_ms();

    klm_timer_set(s->timer, at > now ? at - now : 1);
    s->armed_at = at;
}

static void update_timer(struct klm_stream *s)
{
    uint64_t at = next_deadline(s);

    if (at && (s->armed_at == 0 || at < s->armed_at)) {
        arm(s, at);
    }
}

/* The end of a stream whose deadline has passed. */
static void expire(struct klm_stream *s, uint64_t at)
{
    if (s->phase == KLM_PHASE_LINGER) {
        klm_stream_end_(s, KLM_OK); /* the peer had its moment to close */
        return;
    }
    snprintf(s->words, sizeof s->words, "%s",
             at == s->handshake_at ? "the TLS handshake took too long"
             : at == s->message_at ? "a message was not complete in time"
             : at == s->write_at   ? "the other side did not take what was sent"
                                   : "idle");
    klm_stream_end_(s, KLM_E_TIMEOUT);
}

static void on_timer(void *arg)
{
    struct klm_stream *s = arg;
    uint64_t at;

    s->armed_at = 0;
    if (s->rest_at && s->rest_at <= klm_clock_mono_ms()) {
        klm_stream_rest(s);
    }
    at = next_deadline(s);
    if (s->phase == KLM_PHASE_ENDED || at == 0) {
        return;
    }
    s->refs++;
    /* A socket is announced as writable only when much of it is free: ask whether the peer took
     * anything. */
    if (at == s->write_at && at <= klm_clock_mono_ms()) {
        klm_stream_flush_(s);
        at = next_deadline(s);
    }
    if (s->phase != KLM_PHASE_ENDED && at) {
        if (at <= klm_clock_mono_ms()) {
            expire(s, at);
        } else {
            arm(s, at);
        }
    }
    klm_stream_unref_(s);
}

bool klm_stream_reads_(const struct klm_stream *s)
{
    return (s->phase == KLM_PHASE_CLEAR || s->phase == KLM_PHASE_TLS) && !s->paused &&
           !s->closing && !s->shut && !s->clogged && s->in.n < s->cfg.max_input;
}

void klm_stream_update_(struct klm_stream *s)
{
    unsigned want = 0;

    if (s->corked) {
        return; /* after the callback, when all that it changed is known */
    }
    switch (s->phase) {
    case KLM_PHASE_ENDED:
        return;
    case KLM_PHASE_HANDSHAKE:
        want = s->busy ? 0 : s->handshake == SSL_ERROR_WANT_WRITE ? KLM_IO_WRITE : KLM_IO_READ;
        break;
    case KLM_PHASE_LINGER:
        want = KLM_IO_READ;
        break;
    case KLM_PHASE_FLUSH:
        want = KLM_IO_WRITE;
        break;
    case KLM_PHASE_CLEAR:
    case KLM_PHASE_TLS:
        s->blocked = s->blocked && !klm_stream_reads_(s);
        want = !s->blocked || s->write_wants_read ? KLM_IO_READ : 0;
        want |=
            (!klm_stream_empty_(s) && !s->gathered && !s->writes_joined && !s->write_wants_read) ||
                    s->read_wants_write
                ? KLM_IO_WRITE
                : 0;
        break;
    }
    klm_io_want(s->io, want);
    update_timer(s);
}

static void post(struct klm_stream *s)
{
    if (!s->posted) {
        s->posted = true;
        s->refs++;
        klm_loop_post(s->cfg.loop, &s->task);
    }
}

void klm_stream_look_(struct klm_stream *s)
{
    s->again = true;
    post(s);
}

void klm_stream_end_(struct klm_stream *s, klm_rc why)
{
    if (s->phase == KLM_PHASE_ENDED) {
        return;
    }
    if (why == KLM_E_TIMEOUT && s->phase == KLM_PHASE_TLS) {
        SSL_shutdown(s->ssl); /* tell the peer, if the socket takes it */
    }
    s->phase = KLM_PHASE_ENDED;
    s->why = why;
    klm_io_want(s->io, 0);
    klm_timer_set(s->timer, 0);
    shutdown(s->fd, SHUT_RDWR);
    post(s);
}

/* Answers to requests that came together leave together: each write may have to wake up the other side, and one wake-up then serves for all of them. */
bool klm_stream_gathers_(const struct klm_stream *s)
{
    return !s->closing && (s->phase == KLM_PHASE_CLEAR || s->phase == KLM_PHASE_TLS) &&
           klm_loop_here(s->cfg.loop);
}

static void send_gathered(struct klm_task *task)
{
    struct klm_stream *s =
        (struct klm_stream *)(void *)((char *)task - offsetof(struct klm_stream, send));

    s->gathered = false;
    if (!s->freed && !klm_stream_flush_joined_(s)) {
        klm_stream_flush_(s);
        klm_stream_update_(s);
    }
    klm_stream_unref_(s);
}

void klm_stream_gather_(struct klm_stream *s)
{
    if (!s->gathered) {
        s->gathered = true;
        s->refs++;
        klm_loop_after(s->cfg.loop, &s->send);
    }
}

void klm_stream_call_(struct klm_stream *s, void (*fn)(void *, struct klm_stream *))
{
    s->refs++;
    s->corked = true;
    if (fn) {
        fn(s->owner.arg, s);
    }
    s->corked = false;
    if (!s->freed) {
        if (s->out.n && klm_stream_gathers_(s)) {
            klm_stream_gather_(s);
        } else {
            klm_stream_flush_(s);
        }
        klm_stream_update_(s);
    }
    klm_stream_unref_(s);
}

/* What was put off to the loop: the last word to the owner, or input that came while reading was
 * stopped. */
static void on_task(struct klm_task *task)
{
    struct klm_stream *s =
        (struct klm_stream *)(void *)((char *)task - offsetof(struct klm_stream, task));

    s->posted = false;
    if (s->phase == KLM_PHASE_ENDED) {
        if (!s->told) {
            s->told = true;
            s->owner.closed(s->owner.arg, s, s->why);
        }
    } else if (s->again) {
        const bool unclogged = s->unclogged;

        s->again = s->unclogged = false;
        if ((s->in.n || unclogged) && !s->paused && !s->closing) {
            klm_stream_call_(s, s->owner.data);
        }
        if (klm_stream_reads_(s) && klm_stream_has_more_(s)) {
            klm_stream_read_(s);
        }
        klm_stream_update_(s);
    }
    klm_stream_unref_(s);
}

/* TLS may need one direction for the sake of the other. */
static void transfer(struct klm_stream *s, unsigned ready)
{
    bool readable = ready & KLM_IO_READ, writable = ready & KLM_IO_WRITE;

    if (!klm_stream_empty_(s) && (writable || s->write_wants_read)) {
        klm_stream_flush_(s);
    }
    if (klm_stream_reads_(s) && (readable || s->read_wants_write)) {
        klm_stream_read_(s);
    } else if (readable) {
        s->blocked = true;
    }
}

static void on_io(void *arg, unsigned ready)
{
    struct klm_stream *s = arg;

    s->refs++;
    if (s->phase == KLM_PHASE_HANDSHAKE) {
        klm_stream_handshake_(s);
    } else if (s->phase == KLM_PHASE_LINGER) {
        klm_stream_linger_(s);
    } else if (!klm_stream_join_read_(s, ready)) {
        transfer(s, ready);
    }
    klm_stream_update_(s);
    klm_stream_unref_(s);
}

static klm_rc init(struct klm_stream *s, int fd, const struct klm_stream_config *cfg)
{
    s->fd = fd;
    s->cfg = *cfg;
    s->refs = 1;
    s->step = STEP_FIRST;
    s->task.run = on_task;
    s->send.run = send_gathered;
    s->activity = klm_clock_mono_ms();
    klm_buf_init_wiping(&s->in, cfg->max_input);
    klm_buf_init_wiping(&s->out, cfg->max_output);
    peer_name(fd, s->peer, sizeof s->peer);
    /* Answers are single writes; waiting to join them helps nobody. Fails on local sockets, where
     * it does not matter. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    KLM_TRY(klm_io_new(cfg->loop, fd, on_io, s, &s->io));
    return klm_timer_new(cfg->loop, on_timer, s, &s->timer);
}

klm_rc klm_stream_new(int take_fd, const struct klm_stream_config *cfg,
                      const struct klm_stream_owner *owner, struct klm_stream **out)
{
    struct klm_stream *s = calloc(1, sizeof *s);
    klm_rc rc;

    if (!s) {
        close(take_fd);
        return KLM_E_NOMEM;
    }
    s->owner = *owner;
    rc = init(s, take_fd, cfg);
    if (rc != KLM_OK) {
        klm_stream_unref_(s);
        return rc;
    }
    klm_stream_update_(s);
    *out = s;
    return KLM_OK;
}

struct klm_buf *klm_stream_input(struct klm_stream *stream)
{
    return &stream->in;
}

void klm_stream_message_begun(struct klm_stream *stream)
{
    stream->begun = true;
    stream->message_at = stream->cfg.message_ms ? klm_clock_mono_ms() + stream->cfg.message_ms : 0;
    klm_stream_update_(stream);
}

void klm_stream_message_done(struct klm_stream *stream)
{
    stream->begun = false;
    stream->message_at = 0;
    stream->activity = klm_clock_tick_ms();
    klm_stream_update_(stream);
    if (!stream->corked && klm_stream_reads_(stream) && klm_stream_has_more_(stream)) {
        klm_stream_look_(stream);
    }
}

void klm_stream_idle(struct klm_stream *stream, uint32_t idle_ms)
{
    stream->cfg.idle_ms = idle_ms;
    klm_stream_update_(stream);
}

void klm_stream_pause(struct klm_stream *stream, bool pause)
{
    if (stream->paused == pause) {
        return;
    }
    stream->paused = pause;
    stream->activity = klm_clock_tick_ms();
    klm_stream_update_(stream);
    if (!pause && stream->phase != KLM_PHASE_ENDED &&
        (stream->in.n || klm_stream_has_more_(stream))) {
        klm_stream_look_(stream);
    }
}

bool klm_stream_shut(const struct klm_stream *stream)
{
    return stream->shut;
}

void klm_stream_close(struct klm_stream *stream)
{
    if (stream->phase == KLM_PHASE_ENDED || stream->closing) {
        return;
    }
    stream->closing = true;
    stream->message_at = 0;
    if (stream->phase == KLM_PHASE_HANDSHAKE) {
        klm_stream_end_(
            stream, KLM_OK); /* there is nothing to send, and nothing to say in the middle of it */
        return;
    }
    if (!stream->corked) {
        klm_stream_flush_(stream);
        klm_stream_update_(stream);
    }
}

bool klm_stream_clogged(struct klm_stream *stream)
{
    stream->clogged = stream->clogged || stream->out.n >= CLOG;
    return stream->clogged;
}

size_t klm_stream_pending(const struct klm_stream *stream)
{
    return stream->out.n + stream->wire.n;
}

bool klm_stream_waits(const struct klm_stream *stream)
{
    return !stream->busy;
}

struct ssl_st *klm_stream_ssl(struct klm_stream *stream)
{
    return stream->busy ? NULL : stream->ssl;
}

const char *klm_stream_why(const struct klm_stream *stream)
{
    return stream->words;
}

const char *klm_stream_peer(const struct klm_stream *stream)
{
    return stream->peer;
}
