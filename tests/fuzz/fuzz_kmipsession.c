/* A whole session of a KMIP client, TTLV or HTTP, in pieces, before an engine that echoes at once, later, or says that it was the last. The stream is real, in clear;
 * the set of sessions is played here. All that comes out must be the answers, in order. */
#include "klmsrv/kmip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    const struct kmop_request *waiting;
    uint8_t mode;
    size_t requests;
    bool forgotten;
    struct klm_buf expected, got; /* of TTLV, all of it */
} play;
static struct srv_kmip_settings settings;

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* ---- The set */
void srv_kmip_shaken(struct srv_kmip_session *session)
{
    session->shaking = false;
}

klm_rc srv_kmip_recheck(struct srv_kmip_session *session, const char **words)
{
    (void)session, (void)words;
    return KLM_OK;
}

klm_rc srv_kmip_hold(struct srv_kmip_session *session, size_t bytes)
{
    session->held = bytes;
    return bytes > 65536 ? KLM_E_LIMIT : KLM_OK;
}

void srv_kmip_forget(struct srv_kmip_session *session)
{
    (void)session;
    play.forgotten = true;
}

struct srv_kmip_settings *srv_kmip_settings_ref(struct srv_kmip *set)
{
    return set->settings;
}

void srv_kmip_settings_put(struct srv_kmip_settings **some)
{
    *some = NULL;
}

void srv_kmip_tell_contact(struct srv_kmip_session *session)
{
    require(session->requests == 1);
}

void srv_kmip_tell_end(struct srv_kmip_session *session, klm_rc why)
{
    (void)session, (void)why;
}

void srv_kmip_tell_http(struct srv_kmip_session *session, unsigned status)
{
    (void)session;
    require(status >= 400);
}

/* ---- The engine */
static void answer(const struct kmop_request *request, bool last)
{
    struct klm_buf out;

    play.waiting = NULL;
    klm_buf_init_wiping(&out, MOST);
    klm_buf_slice(&out, request->message);
    klm_buf_slice(&play.expected, request->message);
    request->done(request->arg, &out, last);
}

static void run(const struct kmop_request *request)
{
    require(!play.waiting && request->message.n > 0 && request->message.n <= MOST);
    play.requests++;
    if (play.mode & 2) {
        play.waiting = request;
    } else {
        answer(request, play.requests == (size_t)(play.mode >> 2));
    }
}

static void take_output(int fd)
{
    uint8_t bytes[4096];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        klm_buf_put(&play.got, bytes, (size_t)n);
    }
}

/* Every answer of HTTP begins where the one before ended, and they are as many as the requests, and a refusal. */
static void check_http(void)
{
    struct klm_buf *got = &play.got;
    size_t answers = 0, refusals = 0;

    klm_buf_u8(got, 0);
    require(klm_buf_rc(got) == KLM_OK);
    for (const char *at = (const char *)got->p; *at;) {
        const char *length, *body = strstr(at, "\r\n\r\n");

        require(strncmp(at, "HTTP/1.1 ", 9) == 0 && body);
        body += 4;
        if (strncmp(at + 9, "100", 3) != 0) {
            length = strstr(at, "\r\nContent-Length: ");
            require(length && length < body);
            body += strtoul(length + 18, NULL, 10);
            require(body <= (const char *)got->p + got->n - 1);
            answers += strncmp(at + 9, "200", 3) == 0;
            refusals += strncmp(at + 9, "200", 3) != 0;
        }
        at = body;
        if (memchr(at, 0, (size_t)((const char *)got->p + got->n - at)) == at) {
            break; /* an echo may have such bytes in it, a head may not */
        }
    }
    require(answers <= play.requests && refusals <= 1);
}

static void feed(struct srv_kmip_session *session, struct klm_slice bytes, size_t step, int peer)
{
    while (bytes.n && !session->closing) {
        size_t n = bytes.n < step ? bytes.n : step;

        klm_buf_put(klm_stream_input(session->stream), bytes.p, n);
        bytes = KLM_SLICE(bytes.p + n, bytes.n - n);
        srv_kmip_owner.data(session, session->stream);
        while (play.waiting) {
            answer(play.waiting, false);
        }
        take_output(peer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct srv_kmip set = {.engine.run = run, .settings = &settings};
    struct klm_stream_config cfg = {.max_input = 1u << 20, .max_output = 1u << 20, .lean = true};
    struct srv_kmip_session session = {.set = &set, .most = MOST};
    struct klm_stream_owner owner = srv_kmip_owner;
    int fd[2];

    if (size < 2 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) {
        return 0;
    }
    play.waiting = NULL;
    play.requests = 0;
    play.mode = data[0];
    klm_buf_init(&play.expected, 1u << 22);
    klm_buf_init(&play.got, 1u << 22);
    session.https = play.mode & 1;
    owner.arg = &session;
    require(klm_loop_new(&set.loop) == KLM_OK);
    cfg.loop = set.loop;
    require(klm_stream_new(fd[0], &cfg, &owner, &session.stream) == KLM_OK);
    feed(&session, KLM_SLICE(data + 2, size - 2), 1 + data[1] % 64u * 8u, fd[1]);
    take_output(fd[1]);
    if (session.https) {
        check_http();
    } else {
        require(play.got.n == play.expected.n &&
                (play.got.n == 0 || memcmp(play.got.p, play.expected.p, play.got.n) == 0));
    }
    klm_stream_free(&session.stream);
    klm_loop_free(&set.loop);
    close(fd[1]);
    klm_buf_done(&play.expected);
    klm_buf_done(&play.got);
    return 0;
}
