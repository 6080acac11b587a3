/* Between TLS and the socket. TLS reads and writes through a BIO of ours, so that what is ready for several streams is read, and what several streams answer is sent, by one system call
 * (base/burst.h): a read is made before TLS asks for it, a write after TLS gave it. When only one stream has something to do the BIO goes to the socket at once. A worker that has the SSL object for a
 * handshake goes through the same BIO; then nothing is made with others. */
#include "base/stream_int.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>

#define WIRE_MAX (2 * KLM_STREAM_JOIN_MAX) /* with what TLS adds */

/* ---- The BIO */

/* The outcome of a system call on the socket as TLS wants it. */
static int outcome(BIO *bio, ssize_t done, int retry)
{
    if (done < 0 && BIO_sock_non_fatal_error(errno)) {
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    }
    return (int)done;
}

/* What is about to be sent with others is not sent twice. */
static ssize_t send_wire(const struct klm_stream *s)
{
    errno = EAGAIN;
    return s->writes_joined ? -1 : send(s->fd, s->wire.p, s->wire.n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int take_ahead(struct klm_stream *s, char *to, size_t n)
{
    n = n < s->ahead.n ? n : s->ahead.n;
    memcpy(to, s->ahead.p, n);
    s->ahead = KLM_SLICE(s->ahead.p + n, s->ahead.n - n);
    if (s->ahead.n == 0) {
        klm_buf_done(&s->kept);
    }
    return (int)n;
}

static int bio_read(BIO *bio, char *to, int n)
{
    struct klm_stream *s = BIO_get_data(bio);
    ssize_t done;

    BIO_clear_retry_flags(bio);
    if (s->ahead.n) {
        return take_ahead(s, to, (size_t)n);
    }
    if (s->read_errno) {
        errno = s->read_errno;
        s->read_errno = 0;
        return -1;
    }
    done = recv(s->fd, to, (size_t)n, MSG_DONTWAIT);
    s->read_end = done == 0;
    return outcome(bio, done, BIO_FLAGS_READ);
}

/* Bytes behind those that wait. Returned is what the socket takes, or -1 as it says it. */
static int bio_write(BIO *bio, const char *from, int n)
{
    struct klm_stream *s = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (s->collects) {
        klm_buf_put(&s->wire, from, (size_t)n);
        errno = ENOMEM;
        return klm_buf_rc(&s->wire) == KLM_OK ? n : -1;
    }
    while (s->wire.n) {
        ssize_t done = send_wire(s);

        if (done < 0) {
            return outcome(bio, done, BIO_FLAGS_WRITE);
        }
        klm_buf_drop(&s->wire, (size_t)done);
    }
    return outcome(bio, send(s->fd, from, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int what, long number, void *p)
{
    const struct klm_stream *s = BIO_get_data(bio);

    (void)number, (void)p;
    switch (what) {
    case BIO_CTRL_FLUSH: /* nothing is held back that a flush would send */
    case BIO_CTRL_DUP:
        return 1;
    case BIO_CTRL_EOF:
        return s->read_end;
    default:
        return 0;
    }
}

static BIO_METHOD *method;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_method(void)
{
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

    if (made && BIO_meth_set_read(made, bio_read) == 1 &&
        BIO_meth_set_write(made, bio_write) == 1 && BIO_meth_set_ctrl(made, bio_ctrl) == 1) {
        method = made;
    } else {
        BIO_meth_free(made);
    }
}

struct bio_st *klm_stream_bio_(struct klm_stream *s)
{
    BIO *bio = NULL;

    (void)pthread_once(&once, make_method); /* cannot fail with a valid control */
    if (method && (bio = BIO_new(method)) != NULL) {
        BIO_set_data(bio, s);
        BIO_set_init(bio, 1);
        klm_buf_init(&s->kept, KLM_LOOP_READ);
        klm_buf_init(&s->wire, WIRE_MAX);
    }
    return bio;
}

/* ---- With others */

static struct klm_stream *stream_of(struct klm_transfer *transfer, size_t offset)
{
    return (struct klm_stream *)(void *)((char *)transfer - offset);
}

/* What TLS did not take of a read stays, in memory of the stream's own. */
static void keep_ahead(struct klm_stream *s)
{
    if (s->ahead.n == 0 || s->ahead.p == s->kept.p) {
        return;
    }
    klm_buf_put(&s->kept, s->ahead.p, s->ahead.n);
    s->ahead = klm_buf_as_slice(&s->kept);
    if (klm_buf_rc(&s->kept) != KLM_OK) {
        klm_stream_end_(s, KLM_E_NOMEM);
    }
}

static void take_read(struct klm_stream *s, const struct klm_transfer *reading)
{
    if (reading->done < 0 && BIO_sock_non_fatal_error((int)-reading->done)) {
        return; /* someone has read it meanwhile, or it is announced again */
    }
    if (reading->done > 0) {
        s->ahead = KLM_SLICE(reading->p, (size_t)reading->done);
    } else if (reading->done < 0) {
        s->read_errno = (int)-reading->done;
    }
    if (klm_stream_reads_(s)) {
        klm_stream_read_(s);
    }
}

static void on_read(struct klm_transfer *reading)
{
    struct klm_stream *s = stream_of(reading, offsetof(struct klm_stream, reading));

    s->reads_joined = false;
    if (!s->freed && s->phase == KLM_PHASE_TLS) {
        take_read(s, reading);
    }
    if (!s->freed) {
        keep_ahead(s);
        klm_stream_update_(s);
    }
    klm_stream_unref_(s);
}

bool klm_stream_join_read_(struct klm_stream *s, unsigned ready)
{
    if (ready != KLM_IO_READ || s->phase != KLM_PHASE_TLS || !klm_stream_reads_(s) ||
        s->write_wants_read || s->ahead.n || s->read_errno) {
        return false;
    }
    if (!s->reads_joined) {
        s->reads_joined = true;
        s->refs++;
        s->reading = (struct klm_transfer){.fd = s->fd, .run = on_read};
        klm_loop_read(s->cfg.loop, &s->reading);
    }
    return true;
}

bool klm_stream_push_(struct klm_stream *s)
{
    bool progress = false;

    while (s->wire.n) {
        ssize_t done = send_wire(s);

        if (done < 0 && !klm_stream_errno_(s, errno)) {
            return false;
        }
        if (done < 0) {
            klm_stream_sent_(s, progress);
            return false;
        }
        klm_buf_drop(&s->wire, (size_t)done);
        progress = true;
    }
    return true;
}

static void on_written(struct klm_transfer *writing)
{
    struct klm_stream *s = stream_of(writing, offsetof(struct klm_stream, writing));

    s->writes_joined = false;
    if (!s->freed && s->phase != KLM_PHASE_ENDED) {
        klm_buf_drop(&s->wire, writing->done > 0 ? (size_t)writing->done : 0);
        if (writing->done >= 0 || klm_stream_errno_(s, (int)-writing->done)) {
            klm_stream_sent_(s, writing->done > 0);
        }
    }
    klm_stream_unref_(s);
}

void klm_stream_join_write_(struct klm_stream *s)
{
    if (s->wire.n == 0 || s->writes_joined) {
        return;
    }
    s->writes_joined = true;
    s->refs++;
    s->writing =
        (struct klm_transfer){.fd = s->fd, .p = s->wire.p, .n = s->wire.n, .run = on_written};
    klm_loop_write(s->cfg.loop, &s->writing);
}

void klm_stream_unjoin_(struct klm_stream *s)
{
    s->reading.fd = s->writing.fd = -1;
}
