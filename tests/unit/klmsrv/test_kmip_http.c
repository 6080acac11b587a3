/* HTTP for KMIP: heads of requests, what is refused with which status, heads of answers. */
#include "test.h"

#include "base/clock.h"
#include "klmsrv/kmip_http.h"

#include <stdlib.h>

#define GOOD                                                                                       \
    "POST /kmip HTTP/1.1\r\nHost: keys.example.com:5697\r\n"                                       \
    "Content-Type: application/octet-stream\r\nContent-Length: 8\r\n\r\n"
#define LENGTH "Content-Type: text/xml\r\nContent-Length: 8\r\n\r\n"

static klm_rc head_of(const char *text, size_t body_max, struct srv_http_request *out)
{
    return srv_http_read(klm_slice_str(text), body_max, out);
}

/* The status a head is refused with; 0: none. */
static unsigned status_of(const char *text)
{
    struct srv_http_request request = {.status = 999};

    CHECK_RC(head_of(text, 1000, &request), KLM_OK);
    return request.status;
}

TEST(a_request_of_each_encoding_is_taken)
{
    static const struct {
        const char *type, *shown;
        enum kmop_encoding encoding;
    } rows[] = {
        {"application/octet-stream", "application/octet-stream", KMOP_TTLV},
        {"text/xml", "text/xml", KMOP_XML},
        {"Text/XML;charset=UTF-8", "text/xml", KMOP_XML},
        {"application/xml ; charset=\"utf-8\"", "application/xml", KMOP_XML},
        {"application/json;charset=utf-8", "application/json", KMOP_JSON},
        {"application/json;", "application/json", KMOP_JSON},
    };

    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct srv_http_request request;
        char text[400];

        snprintf(
            text, sizeof text,
            "POST /kmip HTTP/1.1\r\nHost: a\r\ncontent-type:%s\r\nCONTENT-LENGTH: 12 \r\n\r\nbody",
            rows[i].type);
        REQUIRE_OK(head_of(text, 1000, &request));
        CHECK_INT(request.status, 0);
        CHECK_INT(request.encoding, rows[i].encoding);
        CHECK_STR(request.type, rows[i].shown);
        CHECK_INT(request.body, 12);
        CHECK_INT(request.head, strlen(text) - 4);
        CHECK(!request.close);
        CHECK(!request.expects);
    }
}

TEST(a_head_that_is_cut_short_is_waited_for_at_every_byte)
{
    struct srv_http_request request = {.status = 7};

    for (size_t n = 0; n < sizeof GOOD - 1; n++) {
        CHECK_RC(srv_http_read(KLM_SLICE(GOOD, n), 1000, &request), KLM_E_AGAIN);
        CHECK_INT(request.status, 7);
    }
    CHECK_RC(srv_http_read(KLM_SLICE(GOOD, sizeof GOOD - 1), 1000, &request), KLM_OK);
    CHECK_INT(request.status, 0);
    CHECK_INT(request.head, sizeof GOOD - 1);
}

TEST(what_the_connection_does_next_is_what_the_client_said)
{
    struct srv_http_request request;

    REQUIRE_OK(head_of("POST /kmip HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n" LENGTH, 100,
                       &request));
    CHECK(request.close);
    REQUIRE_OK(head_of("POST /kmip HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n" LENGTH, 100,
                       &request));
    CHECK(!request.close);
    REQUIRE_OK(head_of("POST /kmip HTTP/1.0\r\nExpect: 100-continue\r\n" LENGTH, 100, &request));
    CHECK_INT(request.status, 0);
    CHECK(request.close);
    CHECK(!request.expects); /* 1.0 does not know it */
    REQUIRE_OK(head_of("POST /kmip HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\n" LENGTH, 100,
                       &request));
    CHECK(request.expects);
}

TEST(the_path_may_come_with_its_address)
{
    CHECK_INT(status_of("POST https://keys.example.com/kmip HTTP/1.1\r\nHost: a\r\n" LENGTH), 0);
    CHECK_INT(status_of("POST HTTPS://[2001:db8::1]:5697/kmip HTTP/1.1\r\nHost: a\r\n" LENGTH), 0);
    CHECK_INT(status_of("POST https:///kmip HTTP/1.1\r\nHost: a\r\n" LENGTH), 404);
    CHECK_INT(status_of("POST https:// HTTP/1.1\r\nHost: a\r\n" LENGTH), 404);
    CHECK_INT(status_of("POST http://a/kmip HTTP/1.1\r\nHost: a\r\n" LENGTH), 404);
    CHECK_INT(status_of("\r\nPOST /kmip HTTP/1.1\r\nHost: a\r\n" LENGTH), 0);
}

/* A line and the status that refuses it. */
static const struct refusal {
    unsigned status;
    const char *text;
} refusals[] = {
    /* The request line */
    {400, "POST /kmip\r\n\r\n"},
    {400, "POST  /kmip HTTP/1.1\r\n"},
    {400, "POST /kmip  HTTP/1.1\r\n"},
    {400, " POST /kmip HTTP/1.1\r\n"},
    {400, "POST /kmip HTTP/1.1 \r\n"},
    {400, "POST /kmip http/1.1\r\n"},
    {400, "POST /kmip HTTP/1.12\r\n"},
    {400, "P@ST /kmip HTTP/1.1\r\n"},
    {400, "POST /km\x01p HTTP/1.1\r\n"},
    {400, "POST /km\xC3\xA4 HTTP/1.1\r\n"},
    {400, "\r\n\r\nPOST /kmip HTTP/1.1\r\nHost: a\r\n" LENGTH},
    {400, "\x16\x03\x01\x02\r\n"},
    {400, "BxB\n"},
    {505, "POST /kmip HTTP/2.0\r\nHost: a\r\n" LENGTH},
    {505, "PRI * HTTP/2.0\r\n\r\n"},
    {505, "POST /kmip HTTP/0.9\r\n" LENGTH},
    /* Ends of lines that others may read otherwise */
    {400, "POST /kmip HTTP/1.1\nHost: a\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\rX: b\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\r\n" LENGTH},
    /* Fields */
    {400, "POST /kmip HTTP/1.1\r\nHost : a\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\n folded\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nno colon\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\n: x\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nX: a\x7F\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost:\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nHost: b\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n" LENGTH},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n" LENGTH},
    /* How the body comes */
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" LENGTH},
    {411, "POST /kmip HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Type: "
          "text/xml\r\n\r\n"},
    {411, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n\r\n"},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length:\r\n\r\n"},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: +8\r\n\r\n"},
    {400,
     "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 8, 8\r\n\r\n"},
    {400,
     "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 0x8\r\n\r\n"},
    {400, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 0\r\n\r\n"},
    {413,
     "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: 1001\r\n\r\n"},
    {413, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: "
          "4294967296\r\n\r\n"},
    {413, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n"
          "Content-Length: 18446744073709551624\r\n\r\n"},
    /* What the body is */
    {415, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n"},
    {415,
     "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\n"},
    {415, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type:\r\nContent-Length: 8\r\n\r\n"},
    {415, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml; "
          "charset=utf-16\r\nContent-Length: 8\r\n\r\n"},
    {415, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n" LENGTH},
    /* Where to, and how */
    {404, "POST / HTTP/1.1\r\nHost: a\r\n" LENGTH},
    {404, "POST /kmip/ HTTP/1.1\r\nHost: a\r\n" LENGTH},
    {404, "POST /kmip?x=1 HTTP/1.1\r\nHost: a\r\n" LENGTH},
    {404, "GET /../kmip HTTP/1.1\r\nHost: a\r\n\r\n"},
    {405, "GET /kmip HTTP/1.1\r\nHost: a\r\n\r\n"},
    {405, "post /kmip HTTP/1.1\r\nHost: a\r\n" LENGTH},
    {417, "POST /kmip HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n" LENGTH},
};

TEST(each_mistake_is_refused_with_its_status)
{
    for (size_t i = 0; i < KLM_COUNT(refusals); i++) {
        unsigned status = status_of(refusals[i].text);

        if (status != refusals[i].status) {
            printf("# %s\n", refusals[i].text);
        }
        CHECK_INT(status, refusals[i].status);
    }
    CHECK_INT(status_of("POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Encoding: identity\r\n" LENGTH),
              0);
    CHECK_INT(status_of("POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: "
                        "text/xml\r\nContent-Length: 1000\r\n\r\n"),
              0);
}

TEST(a_nul_is_refused)
{
    static const char line[] = "POST /ki\0ip HTTP/1.1\r\n";
    static const char field[] = "POST /kmip HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    struct srv_http_request request;

    REQUIRE_OK(srv_http_read(KLM_SLICE(line, sizeof line - 1), 100, &request));
    CHECK_INT(request.status, 400);
    REQUIRE_OK(srv_http_read(KLM_SLICE(field, sizeof field - 1), 100, &request));
    CHECK_INT(request.status, 400);
}

/* n times a character, behind a text. */
static struct klm_slice filled(struct klm_buf *buf, const char *begin, char c, size_t n,
                               const char *end)
{
    klm_buf_clear(buf);
    klm_buf_text(buf, begin);
    for (size_t i = 0; i < n; i++) {
        klm_buf_u8(buf, (uint8_t)c);
    }
    klm_buf_text(buf, end);
    REQUIRE_OK(klm_buf_rc(buf));
    return klm_buf_as_slice(buf);
}

TEST(every_limit_holds_and_one_more_is_refused)
{
    static const char begin[] = "POST /", end[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
    const size_t around = strlen("POST / HTTP/1.1");
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    struct srv_http_request request;

    klm_buf_init(&buf, 1 << 20);
    REQUIRE_OK(
        srv_http_read(filled(&buf, begin, 'a', SRV_HTTP_LINE_MAX - around, end), 9, &request));
    CHECK_INT(request.status, 404);
    REQUIRE_OK(
        srv_http_read(filled(&buf, begin, 'a', SRV_HTTP_LINE_MAX - around + 1, end), 9, &request));
    CHECK_INT(request.status, 414);
    CHECK_RC(srv_http_read(filled(&buf, "", 'a', SRV_HTTP_LINE_MAX, ""), 9, &request), KLM_E_AGAIN);
    REQUIRE_OK(srv_http_read(filled(&buf, "", 'a', SRV_HTTP_LINE_MAX + 1, ""), 9, &request));
    CHECK_INT(request.status, 414);

    /* All of the head. */
    const char *head = "POST /kmip HTTP/1.1\r\nHost: a\r\nX: ", *rest = "\r\n" LENGTH;
    const size_t n = SRV_HTTP_HEAD_MAX - strlen(head) - strlen(rest);

    REQUIRE_OK(srv_http_read(filled(&buf, head, 'x', n, rest), 9, &request));
    CHECK_INT(request.status, 0);
    REQUIRE_OK(srv_http_read(filled(&buf, head, 'x', n + 1, rest), 9, &request));
    CHECK_INT(request.status, 431);
    CHECK_RC(
        srv_http_read(filled(&buf, head, 'x', SRV_HTTP_HEAD_MAX - strlen(head), ""), 9, &request),
        KLM_E_AGAIN);
    REQUIRE_OK(srv_http_read(filled(&buf, head, 'x', SRV_HTTP_HEAD_MAX - strlen(head) + 1, ""), 9,
                             &request));
    CHECK_INT(request.status, 431);
}

TEST(fields_are_counted)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;
    struct srv_http_request request;

    klm_buf_init(&buf, 1 << 16);
    for (unsigned n = SRV_HTTP_FIELDS_MAX; n <= SRV_HTTP_FIELDS_MAX + 1; n++) {
        klm_buf_clear(&buf);
        klm_buf_text(&buf, "POST /kmip HTTP/1.1\r\nHost: a\r\n");
        for (unsigned i = 3; i < n; i++) { /* Host and two more are there besides */
            klm_buf_printf(&buf, "X%u: y\r\n", i);
        }
        klm_buf_text(&buf, LENGTH);
        REQUIRE_OK(srv_http_read(klm_buf_as_slice(&buf), 9, &request));
        CHECK_INT(request.status, n == SRV_HTTP_FIELDS_MAX ? 0 : 431);
    }
}

static const char *text_of(struct klm_buf *buf)
{
    klm_buf_u8(buf, 0);
    REQUIRE_OK(klm_buf_rc(buf));
    return (const char *)buf->p;
}

TEST(an_answer_says_what_it_is_and_that_nobody_keeps_it)
{
    KLM_AUTO(klm_buf_done) struct klm_buf buf;

    klm_buf_init(&buf, 4096);
    klm_clock_set((klm_time)784111777 * 1000000); /* the example of RFC 9110, 5.6.7 */
    srv_http_answer("text/xml", 123, false, &buf);
    CHECK_STR(text_of(&buf), "HTTP/1.1 200 OK\r\n"
                             "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                             "Content-Type: text/xml\r\nContent-Length: 123\r\n"
                             "Cache-Control: no-store, no-cache\r\n"
                             "Strict-Transport-Security: max-age=31536000\r\n"
                             "X-Content-Type-Options: nosniff\r\n\r\n");
    klm_buf_clear(&buf);
    srv_http_answer("application/json", 1, true, &buf);
    CHECK(strstr(text_of(&buf), "\r\nConnection: close\r\n\r\n") != NULL);
    CHECK(strstr((const char *)buf.p, "Server") == NULL);
    klm_clock_set(0);
}

TEST(a_refusal_is_its_status_and_nothing_more)
{
    static const unsigned statuses[] = {400, 404, 405, 411, 413, 414, 415, 417, 431, 503, 505};

    for (size_t i = 0; i < KLM_COUNT(statuses); i++) {
        KLM_AUTO(klm_buf_done) struct klm_buf buf;
        const char *text, *body;

        klm_buf_init(&buf, 4096);
        srv_http_refuse(statuses[i], &buf);
        text = text_of(&buf);
        body = strstr(text, "\r\n\r\n");
        REQUIRE(body != NULL);
        body += 4;
        CHECK(strncmp(text, "HTTP/1.1 ", 9) == 0);
        CHECK_INT(strtol(text + 9, NULL, 10), statuses[i]);
        CHECK_INT(strtol(body, NULL, 10), statuses[i]);
        CHECK(strncmp(body, text + 9, strlen(body) - 1) == 0);
        CHECK_INT(strtol(strstr(text, "Content-Length: ") + 16, NULL, 10), strlen(body));
        CHECK(strstr(text, "\r\nConnection: close\r\n") != NULL);
        CHECK(strstr(text, "Error") == NULL);
        CHECK((strstr(text, "\r\nAllow: POST\r\n") != NULL) == (statuses[i] == 405));
    }
}
