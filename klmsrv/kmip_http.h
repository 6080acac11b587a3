/* HTTP/1.1 as far as KMIP needs it (KMIP Profiles 2.1, 5.3: HTTPS): the head of a request taken apart, the head of an answer made. Bytes in, bytes out, no I/O.
 *
 * It is our own, since nothing in Debian 12 fits: libevent's evhttp wants sockets or its own TLS buffers, and its handshakes would sit on the loop; llhttp comes
 * within Node.js only; libmicrohttpd has threads and TLS of its own; nghttp2 is HTTP/2. One method, one path and five fields are a small part of HTTP, and what
 * is not understood is refused rather than guessed at. */
#ifndef KLMSRV_KMIP_HTTP_H
#define KLMSRV_KMIP_HTTP_H

#include "base/buf.h"
#include "kmip/ops/ops.h"

#define SRV_HTTP_LINE_MAX 2048 /* bytes of the request line */
#define SRV_HTTP_HEAD_MAX 8192 /* and of all of the head */
#define SRV_HTTP_FIELDS_MAX 64
#define SRV_HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct srv_http_request {
    unsigned
        status; /* 0: carry it out; else the status to refuse it with, and nothing below is set */
    size_t head, body;           /* bytes of the two */
    enum kmop_encoding encoding; /* of the body */
    const char *type;            /* media type of body and answer; static */
    bool close;                  /* the connection ends behind the answer */
    bool expects;                /* the client waits for 100 Continue before it sends the body */
};

/* The head of a request that begins with these bytes. body_max: most bytes of a body. KLM_E_AGAIN: it is not all there, and what is there is not wrong. Whoever is
 * refused may still be sending, so the connection is closed behind every refusal. */
klm_rc srv_http_read(struct klm_slice in, size_t body_max, struct srv_http_request *out)
    KLM_MUST_USE;

/* Append the head of an answer (200) whose body of n bytes comes next. */
void srv_http_answer(const char *type, size_t n, bool close, struct klm_buf *out);
/* Append the whole answer that refuses a request: a status and its phrase, no details. */
void srv_http_refuse(unsigned status, struct klm_buf *out);

#endif
