/* Bytes of a stream: reading and sending. One read and one write serve a
 * request: a read takes what is there without asking for more until the loop says so, and output
 * that has gathered leaves in one write. */
#include "base/stream_int.h"

#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define STEP_FIRST 4096
#define STEP_MAX 65536
#define KEEP_MAX 16384 /* bytes of memory an empty input or output keeps */
#define LINGER_MS 1000
#define READS_MAX 64 /* records taken in one turn, so that one peer does not keep the loop */
#define BARE_MAX                                                                                   \
    16 /* records without data behind each other: new keys, alerts, what would begin another handshake */

enum {
    IO_WAIT = 0,
    IO_END = -1
}; /* of a transfer: nothing now; the stream ended. Above 0: bytes. */

bool klm_stream_has_more_(const struct klm_stream *s)
{
    return s->phase == KLM_PHASE_TLS && (s->ahead.n || s->read_errno || SSL_has_pending(s->ssl));
}

bool klm_stream_errno_(struct klm_stream *s, int err)
{
    char text[100];

    if (err == EAGAIN || err == EINTR) {
        return true;
    }
    snprintf(s->words, sizeof s->words, "%s", strerror_r(err, text, sizeof text));
    klm_stream_end_(s, err == EPIPE ? KLM_E_CLOSED : KLM_E_IO);
    return false;
}

static long end_errno(struct klm_stream *s, int err)
{
    return klm_stream_errno_(s, err) ? IO_WAIT : IO_END;
}

/* OpenSSL takes records without data for as long as the socket has some, and does not come back before: for a peer that sends nothing but new keys that may be for ever. No end of that
 * can be asked for while it reads, but its socket can be taken away. */
static void on_record(int sent, int version, int kind, const void *p, size_t n, SSL *ssl, void *arg)
{
    struct klm_stream *s = arg;

    (void)version, (void)p, (void)n;
    if (!sent && kind == SSL3_RT_HEADER && ++s->bare == BARE_MAX + 1) {
        SSL_set0_rbio(ssl, BIO_new(BIO_s_null()));
    }
}

void klm_stream_watch_(struct klm_stream *s)
{
    SSL_set_msg_callback(s->ssl, on_record);
    SSL_set_msg_callback_arg(s->ssl, s);
}

/* What an SSL call that did not succeed means. A peer that closes without close_notify still
 * closed: where a message ends is told by our framing. */
static long end_ssl(struct klm_stream *s, int ret, bool *want_write, bool *want_read)
{
    int err = errno;

    if (s->bare > BARE_MAX) {
        snprintf(s->words, sizeof s->words, "too many TLS records without data");
        klm_stream_end_(s, KLM_E_LIMIT);
        return IO_END;
    }
    switch (SSL_get_error(s->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        *want_read = true;
        return IO_WAIT;
    case SSL_ERROR_WANT_WRITE:
        *want_write = true;
        return IO_WAIT;
    case SSL_ERROR_ZERO_RETURN:
        klm_stream_end_(s, KLM_E_CLOSED);
        return IO_END;
    case SSL_ERROR_SYSCALL:
        if (err) {
            return end_errno(s, err);
        }
        klm_stream_end_(s, KLM_E_CLOSED);
        return IO_END;
    default:
        if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            ERR_clear_error();
            klm_stream_end_(s, KLM_E_CLOSED);
            return IO_END;
        }
        klm_openssl_error(s->words, sizeof s->words);
        klm_stream_end_(s, KLM_E_CRYPTO);
        return IO_END;
    }
}

static long read_clear(struct klm_stream *s, void *to, size_t n)
{
    ssize_t got = recv(s->fd, to, n, MSG_DONTWAIT);

    if (got == 0) {
        klm_stream_end_(s, KLM_E_CLOSED);
        return IO_END;
    }
    return got > 0 ? got : end_errno(s, errno);
}

/* What earlier failures left would be taken for the outcome of the next call. To look costs less than to clear. */
static void forget_errors(void)
{
    if (ERR_peek_error()) {
        ERR_clear_error();
    }
}

static long read_tls(struct klm_stream *s, void *to, size_t n)
{
    bool want_read = false;
    int got;

    s->read_wants_write = false;
    forget_errors();
    errno = 0;
    got = SSL_read(s->ssl, to, (int)n);
    if (got <= 0 && s->cfg.half && SSL_get_error(s->ssl, got) == SSL_ERROR_ZERO_RETURN) {
        s->shut = true;
        return IO_END;
    }
    if (got <= 0) {
        return end_ssl(s, got, &s->read_wants_write, &want_read);
    }
    s->bare = s->bare > BARE_MAX ? s->bare : 0; /* it has no socket any more */
    return got;
}

static long read_some(struct klm_stream *s, void *to, size_t n)
{
    return s->phase == KLM_PHASE_TLS ? read_tls(s, to, n) : read_clear(s, to, n);
}

static long no_memory(struct klm_stream *s)
{
    klm_stream_end_(s, KLM_E_NOMEM);
    return IO_END;
}

static long read_in_place(struct klm_stream *s, size_t n)
{
    uint8_t *to = klm_buf_room(&s->in, n);
    long got = to ? read_some(s, to, n) : no_memory(s);

    s->in.n += got > 0 ? (size_t)got : 0;
    return got;
}

/* The input of a lean stream gets as much memory as came, not as might have come: that is let go, and wiped, with each message. */
static long read_aside(struct klm_stream *s, size_t n)
{
    uint8_t bytes[STEP_FIRST];
    long got = read_some(s, bytes, n);

    if (got > 0) {
        klm_buf_put(&s->in, bytes, (size_t)got);
        if (s->in.wipe) {
            klm_wipe(bytes, (size_t)got);
        }
        if (klm_buf_rc(&s->in) != KLM_OK) {
            return no_memory(s);
        }
    }
    return got;
}

/* One read into the input. */
static long read_once(struct klm_stream *s)
{
    size_t n = s->cfg.max_input - s->in.n < s->step ? s->cfg.max_input - s->in.n : s->step;
    long got =
        s->cfg.lean && s->in.n == 0 && n <= STEP_FIRST ? read_aside(s, n) : read_in_place(s, n);

    if (got > 0) {
        if ((size_t)got == s->step && s->step < STEP_MAX) {
            s->step *= 2;
        }
    }
    return got;
}

static size_t keep_of(const struct klm_stream *s)
{
    return s->cfg.lean ? 0 : KEEP_MAX;
}

/* A stream that waits for its next request holds little memory. */
static void shrink(struct klm_stream *s)
{
    if (s->in.n == 0 && s->in.cap > keep_of(s)) {
        klm_buf_done(&s->in);
    }
    if (s->in.n == 0) {
        s->step = STEP_FIRST;
    }
}

void klm_stream_read_(struct klm_stream *s)
{
    const size_t before = s->in.n;
    const bool was_shut = s->shut;
    bool more = true;
    int turns = 0;

    while (more && klm_stream_reads_(s)) {
        more = read_once(s) > 0 && klm_stream_has_more_(s);
        if (more && ++turns == READS_MAX) {
            klm_stream_look_(s);
            more = false;
        }
    }
    if (s->in.n == before && s->shut == was_shut) {
        shrink(s);
        return;
    }
    klm_stream_active_(s);
    /* What the peer said before it closed is heard before closed is called. */
    if (s->phase == KLM_PHASE_ENDED && s->why != KLM_E_CLOSED) {
        return;
    }
    s->refs++;
    klm_stream_call_(s, s->owner.data);
    if (!s->freed) {
        shrink(s);
        /* The owner made room: what TLS holds already is not announced by the descriptor. */
        if (klm_stream_reads_(s) && klm_stream_has_more_(s)) {
            klm_stream_look_(s);
        }
    }
    klm_stream_unref_(s);
}

static long write_clear(struct klm_stream *s, const uint8_t *p, size_t n)
{
    ssize_t done = send(s->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);

    return done >= 0 ? done : end_errno(s, errno);
}

static long write_tls(struct klm_stream *s, const uint8_t *p, size_t n)
{
    bool want_write = false;
    int done;

    s->write_wants_read = false;
    forget_errors();
    errno = 0;
    done = SSL_write(s->ssl, p, (int)(n > INT32_MAX ? INT32_MAX : n));
    return done > 0 ? done : end_ssl(s, done, &want_write, &s->write_wants_read);
}

/* Bytes the socket took, until it takes no more; IO_END when the stream ended. */
static long write_some(struct klm_stream *s, const uint8_t *p, size_t n)
{
    size_t total = 0;

    while (total < n) {
        long done = s->phase == KLM_PHASE_TLS ? write_tls(s, p + total, n - total)
                                              : write_clear(s, p + total, n - total);

        if (done == IO_END) {
            return IO_END;
        }
        if (done == IO_WAIT) {
            break;
        }
        total += (size_t)done;
    }
    return (long)total;
}

bool klm_stream_empty_(const struct klm_stream *s)
{
    return s->out.n == 0 && s->wire.n == 0;
}

/* The write deadline runs while something is pending, from when the peer last took something. */
static void write_clock(struct klm_stream *s, bool progress)
{
    if (klm_stream_empty_(s)) {
        s->write_at = 0;
    } else if (s->cfg.write_ms && (progress || s->write_at == 0)) {
        s->write_at = klm_clock_mono_ms() + s->cfg.write_ms;
    }
}

/* All is out: what waited for that can go on. */
static void flushed(struct klm_stream *s)
{
    if (s->closing) {
        klm_stream_linger_(s);
    } else if (s->phase == KLM_PHASE_FLUSH) {
        s->phase = KLM_PHASE_HANDSHAKE;
    }
}

/* Memory of output that is out. */
static void let_go(struct klm_stream *s, struct klm_buf *out)
{
    if (out->n == 0 && out->cap > keep_of(s)) {
        klm_buf_done(out);
    }
}

void klm_stream_sent_(struct klm_stream *s, bool progress)
{
    write_clock(s, progress);
    if (progress) {
        klm_stream_active_(s);
    }
    let_go(s, &s->out);
    let_go(s, &s->wire);
    if (klm_stream_empty_(s)) {
        if (s->clogged) {
            s->clogged = false;
            s->unclogged = true;
            klm_stream_look_(s);
        }
        flushed(s);
    }
    klm_stream_update_(s);
}

void klm_stream_flush_(struct klm_stream *s)
{
    long done = 0;

    if (s->phase == KLM_PHASE_ENDED || s->phase == KLM_PHASE_LINGER ||
        s->phase == KLM_PHASE_HANDSHAKE || !klm_stream_push_(s)) {
        return;
    }
    if (s->out.n) {
        done = write_some(s, s->out.p, s->out.n);
        if (done == IO_END) {
            return;
        }
        klm_buf_drop(&s->out, (size_t)done);
    }
    klm_stream_sent_(s, done > 0);
}

bool klm_stream_flush_joined_(struct klm_stream *s)
{
    long done;

    if (s->phase != KLM_PHASE_TLS || s->out.n == 0 || s->out.n > KLM_STREAM_JOIN_MAX || s->wire.n ||
        s->write_wants_read) {
        return false;
    }
    s->collects = true;
    done = write_some(s, s->out.p, s->out.n);
    s->collects = false;
    if (done != IO_END) {
        klm_buf_drop(&s->out, (size_t)done);
        klm_stream_join_write_(s);
    }
    return true;
}

/* Send at once and keep what the socket did not take. */
static klm_rc send_now(struct klm_stream *s, struct klm_slice bytes)
{
    long done = write_some(s, bytes.p, bytes.n);

    if (done == IO_END) {
        return KLM_E_CLOSED;
    }
    klm_buf_put(&s->out, bytes.p + done, bytes.n - (size_t)done);
    write_clock(s, done > 0);
    klm_stream_active_(s);
    klm_stream_update_(s);
    return klm_buf_rc(&s->out);
}

/* At the end of the callback or of the loop's turn, or behind what waits for the socket. */
static klm_rc send_later(struct klm_stream *s, struct klm_slice bytes)
{
    bool first = klm_stream_empty_(s);

    klm_buf_slice(&s->out, bytes);
    if (first && !s->corked) {
        klm_stream_gather_(s);
    }
    return klm_buf_rc(&s->out);
}

klm_rc klm_stream_send(struct klm_stream *s, struct klm_slice bytes)
{
    klm_rc rc = KLM_OK;

    if (s->phase == KLM_PHASE_ENDED || s->phase == KLM_PHASE_LINGER || s->closing) {
        return KLM_E_CLOSED;
    }
    if (s->phase != KLM_PHASE_CLEAR && s->phase != KLM_PHASE_TLS) {
        return KLM_E_STATE;
    }
    if (bytes.n > s->cfg.max_output - s->out.n) {
        return KLM_E_LIMIT;
    }
    if (bytes.n == 0) {
        return KLM_OK;
    }
    if (klm_stream_empty_(s) && !s->corked && !klm_stream_gathers_(s)) {
        rc = send_now(s, bytes);
    } else {
        rc = send_later(s, bytes);
    }
    if (rc == KLM_E_NOMEM) {
        klm_stream_end_(s,
                        KLM_E_NOMEM); /* a part may be out already: the stream is of no more use */
    }
    return rc;
}

void klm_stream_linger_(struct klm_stream *s)
{
    uint8_t bin[4096];
    ssize_t got;

    if (s->phase != KLM_PHASE_LINGER) {
        if (s->phase == KLM_PHASE_TLS) {
            ERR_clear_error();
            (void)SSL_shutdown(s->ssl); /* our close_notify; its failure changes nothing now */
            ERR_clear_error();
        }
        s->phase = KLM_PHASE_LINGER;
        s->linger_at = klm_clock_mono_ms() + LINGER_MS;
        s->handshake_at = 0;
        shutdown(s->fd, SHUT_WR);
        klm_stream_update_(s);
        return;
    }
    /* Unread bytes at close would make the kernel reset the connection, and the peer lose our last
     * answer. */
    got = recv(s->fd, bin, sizeof bin, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        klm_stream_end_(s, KLM_OK);
    }
}
