/* KMIP by HTTPS, over real TLS: encodings, order, keep-alive, refusals. */
#include "door_help.h"

#include <strings.h>

/* An answer: status, and the body. */
struct reply {
    unsigned status;
    char head[4096], body[4096];
    size_t n;
    bool close;
};

static bool read_reply(struct client *client, struct reply *out)
{
    size_t n = 0;
    const char *length;

    *out = (struct reply){0};
    while (n < 4 || memcmp(out->head + n - 4, "\r\n\r\n", 4) != 0) {
        if (n == sizeof out->head - 1 || !client_read(client, out->head + n, 1)) {
            return false;
        }
        n++;
    }
    out->status = (unsigned)strtoul(out->head + 9, NULL, 10);
    out->close = strstr(out->head, "\r\nConnection: close\r\n") != NULL;
    length = strstr(out->head, "\r\nContent-Length: ");
    out->n = length ? strtoul(length + 18, NULL, 10) : 0;
    return out->n < sizeof out->body && (out->n == 0 || client_read(client, out->body, out->n));
}

static size_t post(char *out, size_t cap, const char *type, const char *fields, const char *body)
{
    return (size_t)snprintf(out, cap,
                            "POST /kmip HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n%s"
                            "Content-Length: %zu\r\n\r\n%s",
                            type, fields, strlen(body), body);
}

static bool posts(struct client *client, const char *type, const char *fields, const char *body,
                  struct reply *reply)
{
    char text[4096];

    return client_send(client, text, post(text, sizeof text, type, fields, body)) &&
           read_reply(client, reply);
}

TEST(each_encoding_comes_to_the_engine_and_its_answer_goes_back)
{
    static const struct {
        const char *type;
        enum kmop_encoding encoding;
    } rows[] = {{"text/xml", KMOP_XML},
                {"application/xml", KMOP_XML},
                {"application/json", KMOP_JSON},
                {"application/octet-stream", KMOP_TTLV}};
    struct door door;
    struct self self = self_good();
    struct client client;
    char wanted[100];

    door_start(&door, "encodings", "");
    client = dial(door.https, &self);
    REQUIRE(client.fine);
    for (size_t i = 0; i < KLM_COUNT(rows); i++) { /* all by one connection */
        struct reply reply;

        REQUIRE(posts(&client, rows[i].type, "", "<body/>", &reply));
        CHECK_INT(reply.status, 200);
        CHECK_INT(seen()->encoding, rows[i].encoding);
        CHECK_INT(reply.n, 7);
        CHECK_MEM(reply.body, "<body/>", 7);
        CHECK_STR(seen()->fingerprint, self.fingerprint);
        snprintf(wanted, sizeof wanted, "\r\nContent-Type: %s\r\n", rows[i].type);
        CHECK(strstr(reply.head, wanted) != NULL);
        CHECK(strstr(reply.head, "no-store") && strstr(reply.head, "Strict-Transport-Security"));
        CHECK(!strcasestr(reply.head, "\r\nserver:"));
        CHECK(!reply.close);
    }
    CHECK_INT(seen()->requests, 4);
    hang_up(&client);
    door_close(&door);
    self_done(&self);
}

TEST(requests_sent_at_once_are_answered_in_order)
{
    struct door door;
    struct client client;
    struct reply reply;
    char all[8192];
    size_t n = 0;

    door_start(&door, "httporder", "");
    answer_by(LATER, 2);
    client = dial(door.https, NULL);
    for (int i = 0; i < 10; i++) {
        char body[16];

        snprintf(body, sizeof body, "<n%d/>", i);
        n += post(all + n, sizeof all - n, "text/xml", "", body);
    }
    CHECK(client_send(&client, all, n));
    for (int i = 0; i < 10; i++) {
        char body[16];

        snprintf(body, sizeof body, "<n%d/>", i);
        CHECK(read_reply(&client, &reply));
        CHECK_STR(reply.body, body);
    }
    CHECK_INT(seen()->most_under_way, 1);
    hang_up(&client);
    door_close(&door);
}

TEST(a_request_in_single_bytes_is_one_request)
{
    struct door door;
    struct client client;
    struct reply reply;
    char text[400];
    size_t n = post(text, sizeof text, "text/xml", "", "<a/>");
    bool fine = true;

    door_start(&door, "httpbytes", "");
    client = dial(door.https, NULL);
    for (size_t i = 0; i < n; i++) {
        fine = fine && client_send(&client, text + i, 1);
    }
    CHECK(fine && read_reply(&client, &reply));
    CHECK_STR(reply.body, "<a/>");
    CHECK_INT(seen()->requests, 1);
    hang_up(&client);
    door_close(&door);
}

TEST(a_client_that_asks_before_it_sends_its_body_is_told_to_go_on_once)
{
    struct door door;
    struct client client;
    struct reply reply;
    char text[400], got[sizeof "HTTP/1.1 100 Continue\r\n\r\n"] = "";
    size_t n = post(text, sizeof text, "text/xml", "Expect: 100-continue\r\n", "<abc/>");

    door_start(&door, "continue", "");
    client = dial(door.https, NULL);
    CHECK(client_send(&client, text, n - 6));
    CHECK(client_read(&client, got, sizeof got - 1));
    CHECK_STR(got, "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(client_send(&client, text + n - 6, 3));
    nap_ms(50);
    CHECK(client_send(&client, text + n - 3, 3));
    CHECK(read_reply(&client, &reply));
    CHECK_INT(reply.status, 200);
    /* Who sends all at once needs no leave. */
    CHECK(client_send(&client, text, n));
    CHECK(read_reply(&client, &reply));
    CHECK_INT(reply.status, 200);
    /* What is refused is refused before the body comes. */
    n = post(text, sizeof text, "text/plain", "Expect: 100-continue\r\n", "<abc/>");
    CHECK(client_send(&client, text, n - 6));
    CHECK(read_reply(&client, &reply));
    CHECK_INT(reply.status, 415);
    CHECK(client_ended(&client));
    hang_up(&client);
    door_close(&door);
}

TEST(who_says_close_and_who_speaks_1_0_gets_one_answer)
{
    static const char old[] =
        "POST /kmip HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: 4\r\n\r\n<a/>";
    struct door door;
    struct client client;
    struct reply reply;

    door_start(&door, "close", "");
    client = dial(door.https, NULL);
    REQUIRE(posts(&client, "text/xml", "Connection: close\r\n", "<a/>", &reply));
    CHECK(reply.close);
    CHECK(client_ended(&client));
    hang_up(&client);
    client = dial(door.https, NULL);
    CHECK(client_send(&client, old, sizeof old - 1) && read_reply(&client, &reply));
    CHECK_INT(reply.status, 200);
    CHECK(reply.close);
    CHECK(client_ended(&client));
    hang_up(&client);
    answer_by(LAST, 0);
    client = dial(door.https, NULL);
    REQUIRE(posts(&client, "text/xml", "", "<a/>", &reply));
    CHECK_INT(reply.status, 200);
    CHECK(reply.close);
    CHECK(client_ended(&client));
    hang_up(&client);
    door_close(&door);
}

TEST(each_refusal_is_a_status_and_the_end)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {
        {400, "POST /kmip HTTP/1.1\n\n"},
        {400, "\x16\x03\x01\x01\x01\r\n\r\n"},
        {404, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {405, "GET /kmip HTTP/1.1\r\nHost: a\r\n\r\n"},
        {411, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\n\r\n"},
        {411, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nTransfer-Encoding: "
              "chunked\r\n\r\n4\r\n<a/>\r\n0\r\n\r\n"},
        {413, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: "
              "1048577\r\n\r\n"},
        {415, "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/html\r\nContent-Length: "
              "4\r\n\r\n<a/>"},
        {417, "POST /kmip HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Type: "
              "text/xml\r\nContent-Length: 4\r\n\r\n<a/>"},
        {505, "POST /kmip HTTP/3.0\r\nHost: a\r\n\r\n"},
    };
    struct door door;
    struct self self = self_good();

    door_start(&door, "refusals", "");
    for (size_t i = 0; i < KLM_COUNT(rows); i++) {
        struct client client = dial(door.https, &self);
        struct reply reply;

        CHECK(client_send(&client, rows[i].text, strlen(rows[i].text)));
        CHECK(read_reply(&client, &reply));
        CHECK_INT(reply.status, rows[i].status);
        CHECK(reply.close);
        CHECK(client_ended(&client));
        hang_up(&client);
    }
    CHECK_INT(seen()->requests, 0);
    WAIT_FOR(info_of(&door).sessions == 0, 5)
    {
    }
    CHECK_INT(info_of(&door).probes, KLM_COUNT(rows));
    door_close(&door);
    CHECK_INT(times_said("KLM190"), 2); /* the ports: the client was told */
    self_done(&self);
}

TEST(long_heads_are_refused_while_they_come)
{
    struct door door;
    struct client client;
    struct reply reply;
    char line[3000];

    door_start(&door, "heads", "");
    memset(line, 'a', sizeof line);
    client = dial(door.https, NULL);
    CHECK(client_send(&client, line, sizeof line) && read_reply(&client, &reply));
    CHECK_INT(reply.status, 414);
    hang_up(&client);
    client = dial(door.https, NULL);
    CHECK(client_send(&client, "POST /kmip HTTP/1.1\r\nHost: a\r\nX: ", 34));
    for (int i = 0; i < 3; i++) {
        CHECK(client_send(&client, line, sizeof line));
    }
    CHECK(read_reply(&client, &reply));
    CHECK_INT(reply.status, 431);
    hang_up(&client);
    door_close(&door);
}

TEST(a_body_as_long_as_is_taken_is_answered)
{
    struct door door;
    struct self self = self_good();
    struct client client;
    char *body = malloc((1u << 20) + 1), *got = malloc(1u << 20), head[200];
    size_t n = 1u << 20;
    bool found = false;

    door_start(&door, "body", "");
    memset(body, 'b', n);
    body[n] = '\0';
    client = dial(door.https, &self);
    snprintf(
        head, sizeof head,
        "POST /kmip HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: %zu\r\n\r\n",
        n);
    CHECK(client_send(&client, head, strlen(head)) && client_send(&client, body, n));
    for (size_t at = 0; !found && at < 4000 && client_read(&client, head + at % 4, 1); at++) {
        found = at > 3 && head[at % 4] == '\n' && head[(at + 3) % 4] == '\r' &&
                head[(at + 2) % 4] == '\n';
    }
    CHECK(found && client_read(&client, got, n));
    CHECK_MEM(got, body, n);
    hang_up(&client);
    door_close(&door);
    self_done(&self);
    free(body);
    free(got);
}

TEST(no_answer_is_service_unavailable)
{
    struct door door;
    struct client client;
    struct reply reply;

    door_start(&door, "http503", "");
    answer_by(NOTHING, 0);
    client = dial(door.https, NULL);
    CHECK(posts(&client, "text/xml", "", "<a/>", &reply));
    CHECK_INT(reply.status, 503);
    CHECK_STR(reply.body, "503 Service Unavailable\n");
    CHECK(client_ended(&client));
    hang_up(&client);
    door_close(&door);
}

TEST(a_drain_says_that_the_answer_is_the_last)
{
    struct door door;
    struct client client;
    struct reply reply;
    char text[400];

    door_start(&door, "httpdrain", "");
    answer_by(NEVER, 0);
    client = dial(door.https, NULL);
    CHECK(client_send(&client, text, post(text, sizeof text, "text/xml", "", "<a/>")));
    WAIT_FOR(seen()->waits, 5)
    {
    }
    on_loop(&door, do_drain);
    on_loop(&door, do_answer);
    CHECK(read_reply(&client, &reply));
    CHECK_INT(reply.status, 200);
    CHECK(reply.close);
    CHECK(client_ended(&client));
    hang_up(&client);
    WAIT_FOR(atomic_load(&door.drained), 10)
    {
    }
    pthread_join(door.thread, NULL);
    srv_kmip_free(&door.kmip);
    close_house(&door.house);
    klm_loop_free(&door.loop);
}
