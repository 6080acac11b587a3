/* A KMIP server that does nothing, for `make bench`: what the load measures against it is the cost of sockets, TLS and the load itself. One thread; each whole message is answered
 * with bytes that were made beforehand, in which an identifier is put: of a Create or Locate made of the name, of a Get that of the request.
 *   kmipnull -A CA -E CERT -K KEY      prints its port, serves until it is ended */
#include "tests/bench/bench.h"

#include "base/buf.h"
#include "kmip/codec/ttlv.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define UID 36
#define ANSWER_MAX 1024
#define IN_MAX 8192

struct answer {
    uint32_t operation;
    uint8_t bytes[ANSWER_MAX];
    size_t n, uid_at;
};
static struct answer answers[3];

struct peer {
    int fd;
    SSL *ssl;
    uint8_t in[IN_MAX];
    size_t n;
};

/* ---- Answers */

static const char place[UID + 1] = "00000000-0000-7000-8000-000000000000";

static void put_payload(struct klm_pool *pool, struct kmip_node *payload, uint32_t operation)
{
    static const uint8_t key[32] = "a key of thirty-two bytes, fixed";
    struct kmip_node *block, *value;

    if (operation != KMIP_Operation_Locate) {
        kmip_put_number(pool, payload, KMIP_TAG_ObjectType, KMIP_ENUMERATION,
                        KMIP_ObjectType_SymmetricKey);
    }
    kmip_put_bytes(pool, payload, KMIP_TAG_UniqueIdentifier, KMIP_TEXT, klm_slice_str(place));
    if (operation != KMIP_Operation_Get) {
        return;
    }
    block = kmip_structure(pool, kmip_structure(pool, payload, KMIP_TAG_SymmetricKey),
                           KMIP_TAG_KeyBlock);
    kmip_put_number(pool, block, KMIP_TAG_KeyFormatType, KMIP_ENUMERATION, KMIP_KeyFormatType_Raw);
    value = kmip_structure(pool, block, KMIP_TAG_KeyValue);
    kmip_put_bytes(pool, value, KMIP_TAG_KeyMaterial, KMIP_BYTES, KLM_SLICE(key, sizeof key));
    kmip_put_number(pool, block, KMIP_TAG_CryptographicAlgorithm, KMIP_ENUMERATION,
                    KMIP_CryptographicAlgorithm_AES);
    kmip_put_number(pool, block, KMIP_TAG_CryptographicLength, KMIP_INTEGER, 256);
}

static void make_answer(uint32_t operation, struct answer *out)
{
    struct klm_pool *pool = NULL;
    struct kmip_node *root, *header, *version, *item;
    struct klm_buf buf;
    const uint8_t *at;

    bench_need(klm_pool_new(0, &pool) == KLM_OK, "memory");
    root = kmip_root(pool, KMIP_TAG_ResponseMessage);
    header = kmip_structure(pool, root, KMIP_TAG_ResponseHeader);
    version = kmip_structure(pool, header, KMIP_TAG_ProtocolVersion);
    kmip_put_number(pool, version, KMIP_TAG_ProtocolVersionMajor, KMIP_INTEGER, 1);
    kmip_put_number(pool, version, KMIP_TAG_ProtocolVersionMinor, KMIP_INTEGER, 2);
    kmip_put_number(pool, header, KMIP_TAG_TimeStamp, KMIP_DATE_TIME, 1700000000);
    kmip_put_number(pool, header, KMIP_TAG_BatchCount, KMIP_INTEGER, 1);
    item = kmip_structure(pool, root, KMIP_TAG_BatchItem);
    kmip_put_number(pool, item, KMIP_TAG_Operation, KMIP_ENUMERATION, operation);
    kmip_put_number(pool, item, KMIP_TAG_ResultStatus, KMIP_ENUMERATION, 0);
    put_payload(pool, kmip_structure(pool, item, KMIP_TAG_ResponsePayload), operation);
    klm_buf_init(&buf, ANSWER_MAX);
    kmip_ttlv_encode(root, KMIP_V(1, 2), &buf);
    bench_need(klm_buf_rc(&buf) == KLM_OK, "an answer");
    memcpy(out->bytes, buf.p, buf.n);
    out->operation = operation;
    out->n = buf.n;
    at = memmem(out->bytes, out->n, place, UID);
    bench_need(at != NULL, "an identifier");
    out->uid_at = (size_t)(at - out->bytes);
    klm_buf_done(&buf);
    klm_pool_free(&pool);
}

/* The value of the first item with a tag and type; NULL: there is none. */
static const uint8_t *value_of(const uint8_t *in, size_t n, const uint8_t head[4], uint32_t *length)
{
    const uint8_t *at = memmem(in, n, head, 4);

    if (!at || (size_t)(at - in) + 8 > n) {
        return NULL;
    }
    *length = (uint32_t)at[4] << 24 | (uint32_t)at[5] << 16 | (uint32_t)at[6] << 8 | at[7];
    return *length <= n - 8 - (size_t)(at - in) ? at + 8 : NULL;
}

static void put_uid(const uint8_t *in, size_t n, uint32_t operation, uint8_t out[UID])
{
    static const uint8_t name[4] = {0x42, 0x00, 0x55, 0x07}, uid[4] = {0x42, 0x00, 0x94, 0x07};
    uint32_t length = 0;
    const uint8_t *text = value_of(in, n, operation == KMIP_Operation_Get ? uid : name, &length);
    uint64_t hash = 0xcbf29ce484222325u;
    char hex[13];

    memcpy(out, place, UID);
    if (text && operation == KMIP_Operation_Get && length == UID) {
        memcpy(out, text, UID);
        return;
    }
    for (uint32_t i = 0; text && i < length; i++) {
        hash = (hash ^ text[i]) * 0x100000001b3u;
    }
    snprintf(hex, sizeof hex, "%012llx", (unsigned long long)(hash & 0xffffffffffffu));
    memcpy(out + UID - 12, hex, 12);
}

static bool answer(struct peer *peer, size_t n)
{
    static const uint8_t operation[4] = {0x42, 0x00, 0x5c, 0x05};
    uint32_t length = 0;
    const uint8_t *code = value_of(peer->in, n, operation, &length);
    uint8_t out[ANSWER_MAX];

    for (size_t i = 0; code && i < sizeof answers / sizeof *answers; i++) {
        if (code[3] == answers[i].operation) {
            memcpy(out, answers[i].bytes, answers[i].n);
            put_uid(peer->in, n, answers[i].operation, out + answers[i].uid_at);
            return SSL_write(peer->ssl, out, (int)answers[i].n) > 0;
        }
    }
    return false;
}

/* ---- Connections */

static void end(struct peer *peer)
{
    if (SSL_is_init_finished(peer->ssl)) {
        SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }
    SSL_free(peer->ssl);
    close(peer->fd);
    free(peer);
}

/* False: it is over. */
static bool serve(struct peer *peer)
{
    const struct kmip_limits limits = {.bytes = IN_MAX};
    size_t n = 0;
    int got;

    do {
        ERR_clear_error();
        got = SSL_read(peer->ssl, peer->in + peer->n, (int)(IN_MAX - peer->n));
        if (got <= 0) {
            return SSL_get_error(peer->ssl, got) == SSL_ERROR_WANT_READ;
        }
        peer->n += (size_t)got;
        if (kmip_ttlv_size(KLM_SLICE(peer->in, peer->n), &limits, &n) == KLM_OK && peer->n >= n) {
            if (!answer(peer, n)) {
                return false;
            }
            peer->n -= n;
            memmove(peer->in, peer->in + n, peer->n);
        }
    } while (SSL_has_pending(peer->ssl));
    return true;
}

static void take(int listener, int poll, SSL_CTX *tls)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer = fd < 0 ? NULL : calloc(1, sizeof *peer);

    if (!peer) {
        return;
    }
    bench_no_delay(fd);
    peer->fd = fd;
    peer->ssl = SSL_new(tls);
    bench_need(peer->ssl && SSL_set_fd(peer->ssl, fd) == 1 &&
                   epoll_ctl(poll, EPOLL_CTL_ADD, fd,
                             &(struct epoll_event){.events = EPOLLIN, .data.ptr = peer}) == 0,
               "a connection");
    SSL_set_accept_state(peer->ssl);
}

static SSL_CTX *context(const char *ca, const char *cert, const char *key)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    static const unsigned char id[] = "kmipnull";

    bench_need(tls && SSL_CTX_load_verify_locations(tls, ca, NULL) == 1 &&
                   SSL_CTX_use_certificate_chain_file(tls, cert) == 1 &&
                   SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1 &&
                   SSL_CTX_set_session_id_context(tls, id, sizeof id - 1) == 1,
               "certificate, key or authority");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(tls, 1);
    SSL_CTX_set_num_tickets(tls, 1);
    return tls;
}

int main(int argc, char **argv)
{
    const char *ca = NULL, *cert = NULL, *key = NULL;
    struct epoll_event events[64];
    uint16_t port;
    int c, listener, poll = epoll_create1(EPOLL_CLOEXEC);
    SSL_CTX *tls;

    while ((c = getopt(argc, argv, "A:E:K:")) != -1) {
        ca = c == 'A' ? optarg : ca;
        cert = c == 'E' ? optarg : cert;
        key = c == 'K' ? optarg : key;
    }
    bench_need(ca && cert && key && optind == argc, "usage: kmipnull -A CA -E CERT -K KEY");
    (void)signal(SIGPIPE, SIG_IGN); /* who closes is met by the write that fails */
    tls = context(ca, cert, key);
    make_answer(KMIP_Operation_Create, &answers[0]);
    make_answer(KMIP_Operation_Locate, &answers[1]);
    make_answer(KMIP_Operation_Get, &answers[2]);
    listener = bench_listen(&port);
    bench_no_block(listener);
    bench_need(epoll_ctl(poll, EPOLL_CTL_ADD, listener,
                         &(struct epoll_event){.events = EPOLLIN, .data.ptr = NULL}) == 0,
               "epoll");
    printf("%u\n", port);
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poll, events, 64, -1);

        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr) {
                take(listener, poll, tls);
            } else if (!serve(events[i].data.ptr)) {
                end(events[i].data.ptr);
            }
        }
    }
}
