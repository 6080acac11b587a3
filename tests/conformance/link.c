#include "tests/conformance/link.h"

#include "base/buf.h"
#include "kmip/codec/gate.h"
#include "kmip/codec/json.h"
#include "kmip/codec/ttlv.h"
#include "kmip/codec/xml.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_MAX (8u << 20)

struct cf_link {
    struct cf_server server;
    enum cf_encoding encoding;
    bool https;
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static klm_rc say(char why[CF_WHY_MAX], klm_rc rc, const char *what)
{
    unsigned long error = ERR_get_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;

    snprintf(why, CF_WHY_MAX, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    ERR_clear_error();
    return rc;
}

klm_rc cf_link_new(const struct cf_server *server, enum cf_encoding encoding, bool https,
                   struct cf_link **out, char why[CF_WHY_MAX])
{
    KLM_AUTO(cf_link_free) struct cf_link *link = calloc(1, sizeof(*link));

    if (!link) {
        return KLM_E_NOMEM;
    }
    *link = (struct cf_link){.server = *server, .encoding = encoding, .https = https, .fd = -1};
    link->ctx = SSL_CTX_new(TLS_client_method());
    if (!link->ctx || SSL_CTX_set_min_proto_version(link->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_load_verify_locations(link->ctx, server->authority, NULL) != 1) {
        return say(why, KLM_E_CRYPTO, "the authority's certificate cannot be used");
    }
    SSL_CTX_set_verify(link->ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_use_certificate_chain_file(link->ctx, server->cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(link->ctx, server->key, SSL_FILETYPE_PEM) != 1) {
        return say(why, KLM_E_CRYPTO, "the client's certificate or key cannot be used");
    }
    *out = link;
    link = NULL;
    return KLM_OK;
}

static void hang_up(struct cf_link *link)
{
    if (link->ssl) {
        (void)SSL_shutdown(link->ssl); /* the other side may be gone */
        SSL_free(link->ssl);
        link->ssl = NULL;
    }
    if (link->fd >= 0) {
        close(link->fd);
        link->fd = -1;
    }
    ERR_clear_error();
}

void cf_link_free(struct cf_link **link)
{
    if (*link) {
        hang_up(*link);
        SSL_CTX_free((*link)->ctx);
        free(*link);
        *link = NULL;
    }
}

/* ---- Connecting */

static int dial(const char *host, int port, int seconds)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    struct timeval wait = {.tv_sec = seconds};
    char service[12];
    int fd = -1;

    snprintf(service, sizeof(service), "%d", port);
    if (getaddrinfo(host, service, &hints, &list) != 0) {
        return -1;
    }
    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) != 0 ||
                        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0 ||
                        connect(fd, a->ai_addr, a->ai_addrlen) != 0)) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    return fd;
}

static klm_rc dial_up(struct cf_link *link, char why[CF_WHY_MAX])
{
    int port = link->https ? link->server.https_port : link->server.port;

    link->fd = port ? dial(link->server.host, port, link->server.seconds) : -1;
    if (link->fd < 0) {
        return say(why, KLM_E_CLOSED,
                   link->https ? "no HTTPS server is there" : "no server is there");
    }
    link->ssl = SSL_new(link->ctx);
    if (!link->ssl || SSL_set_fd(link->ssl, link->fd) != 1 || SSL_connect(link->ssl) != 1) {
        return say(why, KLM_E_IO, "no TLS session");
    }
    return KLM_OK;
}

static klm_rc send_all(struct cf_link *link, struct klm_slice bytes, char why[CF_WHY_MAX])
{
    size_t sent;

    if (SSL_write_ex(link->ssl, bytes.p, bytes.n, &sent) != 1) {
        return say(why, KLM_E_IO, "the request cannot be sent");
    }
    return KLM_OK;
}

/* Read until buf holds n bytes. */
static klm_rc read_to(struct cf_link *link, struct klm_buf *buf, size_t n, char why[CF_WHY_MAX])
{
    while (buf->n < n) {
        uint8_t *room = klm_buf_room(buf, n - buf->n);
        size_t got;

        if (!room) {
            return say(why, KLM_E_LIMIT, "the answer is too long");
        }
        errno = 0;
        if (SSL_read_ex(link->ssl, room, n - buf->n, &got) != 1) {
            return say(why, KLM_E_IO,
                       errno == EAGAIN ? "the server said nothing in time"
                       : buf->n        ? "the server broke off in the middle of an answer"
                                       : "the server closed the connection");
        }
        buf->n += got;
    }
    return KLM_OK;
}

/* ---- TTLV */

static klm_rc read_ttlv(struct cf_link *link, struct klm_buf *in, char why[CF_WHY_MAX])
{
    struct kmip_limits limits = {.bytes = MESSAGE_MAX};
    size_t size;

    KLM_TRY(read_to(link, in, KMIP_TTLV_HEAD, why));
    if (kmip_ttlv_size(klm_buf_as_slice(in), &limits, &size) != KLM_OK) {
        return say(why, KLM_E_INVALID, "what comes back is no TTLV message");
    }
    return read_to(link, in, size, why);
}

/* ---- HTTP */

static const char *media_type(enum cf_encoding encoding)
{
    switch (encoding) {
    case CF_XML:
        return "text/xml";
    case CF_JSON:
        return "application/json";
    case CF_TTLV:
        break;
    }
    return "application/octet-stream";
}

static klm_rc send_post(struct cf_link *link, struct klm_slice body, char why[CF_WHY_MAX])
{
    struct klm_buf out;
    klm_rc rc;

    klm_buf_init_wiping(&out, MESSAGE_MAX);
    klm_buf_printf(&out,
                   "POST /kmip HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: %s\r\nAccept: "
                   "%s\r\nPragma: no-cache\r\nCache-Control: no-cache\r\nConnection: "
                   "keep-alive\r\nContent-Length: %zu\r\n\r\n",
                   link->server.host, link->server.https_port, media_type(link->encoding),
                   media_type(link->encoding), body.n);
    klm_buf_slice(&out, body);
    rc = klm_buf_rc(&out) == KLM_OK ? send_all(link, klm_buf_as_slice(&out), why) : KLM_E_NOMEM;
    klm_buf_done(&out);
    return rc;
}

/* The value of a header field, up to the end of its line; NULL. */
static const char *field(const char *head, const char *name)
{
    size_t n = strlen(name);

    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':') {
            return line + 3 + n + strspn(line + 3 + n, " \t");
        }
    }
    return NULL;
}

static klm_rc check_head(struct cf_link *link, const char *head, size_t *length,
                         char why[CF_WHY_MAX])
{
    const char *type = field(head, "Content-Type"), *size = field(head, "Content-Length");
    const char *media = media_type(link->encoding);
    char *end;

    if (strncmp(head, "HTTP/1.1 200 ", 13) != 0) {
        snprintf(why, CF_WHY_MAX, "HTTP says %.40s", head);
        return KLM_E_INVALID;
    }
    if (!type || strncasecmp(type, media, strlen(media)) != 0 ||
        !strchr("; \r", type[strlen(media)])) {
        return say(why, KLM_E_INVALID, "the answer has another Content-Type than the request");
    }
    *length = size ? strtoul(size, &end, 10) : 0;
    if (!size || *end != '\r' || *length > MESSAGE_MAX) {
        return say(why, KLM_E_INVALID, "the answer has no good Content-Length");
    }
    return KLM_OK;
}

#define HEAD_MAX 4096
static klm_rc read_http(struct cf_link *link, struct klm_buf *in, char why[CF_WHY_MAX])
{
    char head[HEAD_MAX + 1];
    size_t n = 0, length = 0;
    struct klm_buf one;

    klm_buf_init(&one, 1);
    do { /* a byte at a time, since nothing behind the head may be taken */
        klm_rc rc;

        klm_buf_clear(&one);
        rc = n < HEAD_MAX ? read_to(link, &one, 1, why)
                          : say(why, KLM_E_LIMIT, "the head of the answer is too long");
        if (rc != KLM_OK) {
            klm_buf_done(&one);
            return rc;
        }
        head[n++] = (char)one.p[0];
        head[n] = '\0';
    } while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0);
    klm_buf_done(&one);
    KLM_TRY(check_head(link, head, &length, why));
    return read_to(link, in, length, why);
}

/* ---- Messages */

static klm_rc encode(struct cf_link *link, const struct kmip_node *request, struct klm_pool *pool,
                     struct klm_buf *out)
{
    switch (link->encoding) { /* whatever its version knows: a case may send what it must not */
    case CF_TTLV:
        kmip_ttlv_encode(request, KMIP_V_ANY, out);
        break;
    case CF_XML:
        kmip_xml_encode(request, KMIP_V_ANY, pool, out);
        break;
    case CF_JSON:
        kmip_json_encode(request, KMIP_V_ANY, pool, out);
        break;
    }
    return klm_buf_rc(out);
}

static klm_rc decode(struct cf_link *link, struct klm_slice in, struct klm_pool *pool,
                     struct kmip_node **out)
{
    struct kmip_limits limits = {.bytes = MESSAGE_MAX};

    KLM_TRY(klm_pool_slice(pool, in, &in)); /* trees borrow from what they are read from */
    switch (link->encoding) {
    case CF_XML:
        return kmip_xml_decode(in, &limits, pool, out);
    case CF_JSON:
        return kmip_json_decode(in, &limits, pool, out);
    case CF_TTLV:
        break;
    }
    return kmip_ttlv_decode(in, &limits, pool, out);
}

static klm_rc exchange(struct cf_link *link, const struct kmip_node *request, struct klm_pool *pool,
                       struct klm_buf *buf, char why[CF_WHY_MAX])
{
    if (!link->ssl) {
        KLM_TRY(dial_up(link, why));
    }
    if (encode(link, request, pool, buf) != KLM_OK) {
        return say(why, KLM_E_INVALID, "the request cannot be encoded");
    }
    if (link->https) {
        KLM_TRY(send_post(link, klm_buf_as_slice(buf), why));
    } else {
        KLM_TRY(send_all(link, klm_buf_as_slice(buf), why));
    }
    klm_buf_clear(buf);
    return link->https ? read_http(link, buf, why) : read_ttlv(link, buf, why);
}

klm_rc cf_link_call(struct cf_link *link, const struct kmip_node *request, struct klm_pool *pool,
                    struct kmip_node **answer, char why[CF_WHY_MAX])
{
    struct klm_buf buf;
    klm_rc rc;

    klm_buf_init_wiping(&buf, MESSAGE_MAX);
    rc = exchange(link, request, pool, &buf, why);
    if (rc == KLM_OK) {
        rc = decode(link, klm_buf_as_slice(&buf), pool, answer);
        if (rc != KLM_OK) {
            snprintf(why, CF_WHY_MAX, "the answer cannot be read: %s", klm_rc_text(rc));
        }
    }
    if (rc != KLM_OK) {
        hang_up(link);
    }
    klm_buf_done(&buf);
    return rc;
}
